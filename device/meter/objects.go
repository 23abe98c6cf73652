package meter

import (
	"fmt"
	"time"

	"smets1/device/core"
	"smets1/device/point"
	"smets1/device/prepay"
	"smets1/device/tariff"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
	"smets1/zigbee/zcl/se"
)

// A Holder is the state of a meter's model.
type Holder interface {
	core.Holder
	Common() *Meter
}

// Of leads from a call to the meter.
func Of(c *server.Call) *Meter { return c.Device.State.(Holder).Common() }

// Common implements Holder.
func (m *Meter) Common() *Meter { return m }

// The logical names that both meters have. Those of the 94.44 group and the log names
// are the convention of GBCS (published there); those with 128 are ours.
var (
	SupplyName        = cosem.MustOBIS("0-0:96.3.10.255")
	ReasonName        = cosem.MustOBIS("0-0:96.4.0.255")
	AccountName       = cosem.MustOBIS("0-0:19.0.0.255")
	CreditName        = cosem.MustOBIS("0-0:19.10.0.255")
	EmergencyName     = cosem.MustOBIS("0-0:19.10.1.255")
	AccumulatedName   = cosem.MustOBIS("0-0:19.10.2.255")
	TariffChargeName  = cosem.MustOBIS("0-0:19.20.0.255")
	StandingName      = cosem.MustOBIS("0-0:19.20.1.255")
	TimeDebtName      = cosem.MustOBIS("0-0:19.20.2.255") // and .3
	PaymentDebtName   = cosem.MustOBIS("0-0:19.20.4.255")
	TokenName         = cosem.MustOBIS("0-0:19.40.0.255")
	CalendarName      = cosem.MustOBIS("0-0:13.0.0.255")
	FriendlyName      = cosem.MustOBIS("0-0:13.0.1.255")
	SpecialDaysName   = cosem.MustOBIS("0-0:11.0.0.255")
	FriendlyDaysName  = cosem.MustOBIS("0-0:11.0.1.255")
	ActivationName    = cosem.MustOBIS("0-0:14.0.0.255")
	ActiveTariffName  = cosem.MustOBIS("0-0:96.14.0.255")
	TariffLabelName   = cosem.MustOBIS("0-0:94.44.34.12")
	BillingDayName    = cosem.MustOBIS("0-0:15.0.3.255")
	BillingStartName  = cosem.MustOBIS("0-0:94.44.34.13")
	BillingLogName    = cosem.MustOBIS("0-0:98.1.0.255")
	SnapshotLogName   = cosem.MustOBIS("0-0:98.1.2.255")
	PaymentLogName    = cosem.MustOBIS("0-0:98.1.5.255")
	PrepayDailyName   = cosem.MustOBIS("0-0:98.1.8.255")
	MessageName       = cosem.MustOBIS("0-2:96.13.1.255")
	CustomerName      = cosem.MustOBIS("0-0:94.44.34.14")
	SnapshotName      = cosem.MustOBIS("0-0:128.98.0.255") // method 1 takes one
	PriceNowName      = cosem.MustOBIS("0-0:94.44.34.15")
	CostName          = cosem.MustOBIS("0-0:94.44.34.16")
	BlockNowName      = cosem.MustOBIS("0-0:94.44.34.17")
	LockedName        = cosem.MustOBIS("0-0:94.44.34.18")
	RejectionsName    = cosem.MustOBIS("0-0:94.44.34.19")
	VendsName         = cosem.MustOBIS("0-0:94.44.34.21")
	VendedName        = cosem.MustOBIS("0-0:94.44.34.22")
	FriendlyNowName   = cosem.MustOBIS("0-0:94.44.34.23")
	EnergyName        = cosem.MustOBIS("0-0:94.44.34.24")
	DayEnergyName     = cosem.MustOBIS("0-0:94.44.36.0") // and on: today, then each day before
	WeekEnergyName    = cosem.MustOBIS("0-0:94.44.37.0")
	MonthEnergyName   = cosem.MustOBIS("0-0:94.44.38.0")
	DayCostName       = cosem.MustOBIS("0-0:94.44.39.0")
	suspendName       = cosem.MustOBIS("0-0:94.44.34.25")
	suspendOffName    = cosem.MustOBIS("0-0:94.44.34.26")
	PaymentCapName    = cosem.MustOBIS("0-0:94.44.34.27")
	MaxBalanceName    = cosem.MustOBIS("0-0:94.44.34.28")
	MaxTopUpName      = cosem.MustOBIS("0-0:94.44.34.29")
	DailyRecoveryName = cosem.MustOBIS("0-0:94.44.34.30") // and .31
	RecoveryRateName  = cosem.MustOBIS("0-0:94.44.34.32") // and .33
	StandingPriceName = cosem.MustOBIS("0-0:94.44.34.34")
)

// TOUName is the energy register of one tariff register: E is its number.
func TOUName(medium uint8, register int) cosem.OBIS {
	if medium == 7 {
		return cosem.OBIS{7, 0, 15, 8, byte(register), 255}
	}
	return cosem.OBIS{1, 0, 1, 8, byte(register), 255}
}

// Points are what both meters hold, for a make. medium is 1 for electricity, 7 for gas.
func Points(registers int, medium uint8) []point.Point[*Meter] {
	type p = point.Point[*Meter]
	number := func(name string, c point.COSEM, get func(m *Meter, s *State) int64, z ...point.ZigBee) p {
		return p{Name: name, COSEM: c, ZigBee: z, Get: func(m *Meter, now time.Time) point.Value { return point.Int(get(m, m.At(now))) }}
	}
	settable := func(x p, set func(m *Meter, now time.Time, v int64) error) p {
		x.Set = func(m *Meter, now time.Time, v point.Value) error { return set(m, now, v.Int) }
		return x
	}
	config := func(x p, field func(*prepay.Config) *int64) p {
		return settable(x, func(m *Meter, now time.Time, v int64) error {
			return m.Configure(now, func(c *prepay.Config) error {
				*field(c) = v
				return nil
			})
		})
	}
	amount := func(class cosem.ClassID, name cosem.OBIS, id int8) point.COSEM {
		return point.Of(class, name, id, axdr.TagInt32)
	}
	acct := func(name string, c point.COSEM, field func(a *prepay.Account) int64, z ...point.ZigBee) p {
		return number(name, c, func(_ *Meter, s *State) int64 { return field(&s.Account) }, z...)
	}
	prepayment := func(name string) point.ZigBee { return point.On(se.Prepayment, name) }
	metering := func(name string) point.ZigBee { return point.On(se.Metering, name) }
	price := func(name string) point.ZigBee { return point.On(se.Price, name) }

	list := []p{
		{
			Name: "MPxN", COSEM: point.Data(core.MPxNName, axdr.TagOctetString), ZigBee: []point.ZigBee{metering("SiteID")},
			Get: func(m *Meter, _ time.Time) point.Value { return point.Text(m.MPxN()) },
			Set: func(m *Meter, _ time.Time, v point.Value) error { return m.setMPxN(string(v.Octets)) },
		},
		{
			Name: "Customer Identification Number", COSEM: point.Data(CustomerName, axdr.TagOctetString), ZigBee: []point.ZigBee{metering("CustomerIDNumber")},
			Get: func(m *Meter, _ time.Time) point.Value { return point.Text(m.Customer()) },
			Set: func(m *Meter, _ time.Time, v point.Value) error { return m.setCustomer(string(v.Octets)) },
		},
		{
			Name: "Supplier Message", COSEM: point.Data(MessageName, axdr.TagOctetString),
			Get: func(m *Meter, _ time.Time) point.Value { t, _ := m.Message(); return point.Text(t) },
			Set: func(m *Meter, _ time.Time, v point.Value) error { return m.setMessage(string(v.Octets)) },
		},
		settable(number("Payment Mode", point.Data(core.PaymentModeName, axdr.TagEnum), func(_ *Meter, s *State) int64 { return int64(s.Account.Mode) }),
			func(m *Meter, now time.Time, v int64) error { return m.SetMode(now, prepay.Mode(v)) }),
		{
			Name: "Payment Control", ZigBee: []point.ZigBee{prepayment("PaymentControlConfiguration")},
			Get: func(m *Meter, now time.Time) point.Value { return point.Int(m.paymentControl(now)) },
		},
		{
			Name: "Supply Status", ZigBee: []point.ZigBee{metering("SupplyStatus")},
			Get: func(m *Meter, now time.Time) point.Value { return point.Int(int64(SupplyStatus(m.Supply(now)))) },
		},
		number("Supply Reason", point.Data(ReasonName, axdr.TagUint8), func(_ *Meter, s *State) int64 { return int64(s.Reason) }),
		acct("Meter Balance", amount(cosem.ClassCredit, CreditName, 2), func(a *prepay.Account) int64 { return a.Balance }, prepayment("CreditRemaining")),
		acct("Emergency Credit Balance", amount(cosem.ClassCredit, EmergencyName, 2), func(a *prepay.Account) int64 { return a.Emergency }, prepayment("EmergencyCreditRemaining")),
		acct("Accumulated Debt Register", amount(cosem.ClassCredit, AccumulatedName, 2), func(a *prepay.Account) int64 { return a.Accumulated }, prepayment("AccumulatedDebt")),
		config(acct("Low Credit Threshold", amount(cosem.ClassCredit, CreditName, 5), func(a *prepay.Account) int64 { return a.LowCredit }, prepayment("LowCreditWarning")), func(c *prepay.Config) *int64 { return &c.LowCredit }),
		config(acct("Disablement Threshold", amount(cosem.ClassCredit, CreditName, 6), func(a *prepay.Account) int64 { return a.Disablement }, prepayment("CutOffValue")), func(c *prepay.Config) *int64 { return &c.Disablement }),
		config(acct("Emergency Credit Limit", amount(cosem.ClassCredit, EmergencyName, 9), func(a *prepay.Account) int64 { return a.EmergencyLimit }, prepayment("EmergencyCreditLimit")), func(c *prepay.Config) *int64 { return &c.EmergencyLimit }),
		config(acct("Emergency Credit Threshold", amount(cosem.ClassCredit, EmergencyName, 10), func(a *prepay.Account) int64 { return a.EmergencyThreshold }, prepayment("EmergencyCreditThreshold")), func(c *prepay.Config) *int64 { return &c.EmergencyThreshold }),
		config(acct("Maximum Meter Balance Threshold", point.Data(MaxBalanceName, axdr.TagInt32), func(a *prepay.Account) int64 { return a.MaxBalance }, prepayment("MaxCreditLimit")), func(c *prepay.Config) *int64 { return &c.MaxBalance }),
		config(acct("Maximum Credit Threshold", point.Data(MaxTopUpName, axdr.TagInt32), func(a *prepay.Account) int64 { return a.MaxTopUp }, prepayment("MaxCreditPerTopUp")), func(c *prepay.Config) *int64 { return &c.MaxTopUp }),
		acct("Vend Total", point.Data(VendedName, axdr.TagUint64), func(a *prepay.Account) int64 { return a.Totals.Vended }, prepayment("TotalCreditAdded")),
		acct("Vends Accepted", point.Data(VendsName, axdr.TagUint32), func(a *prepay.Account) int64 { return a.Totals.Vends }),
		acct("Vends Rejected", point.Data(RejectionsName, axdr.TagUint32), func(a *prepay.Account) int64 { return a.Totals.Rejections }),
		acct("Credit Status", point.COSEM{}, creditStatus, prepayment("CreditStatus")),
		acct("Payment Debt Register", amount(cosem.ClassCharge, PaymentDebtName, 12), func(a *prepay.Account) int64 { return a.PaymentDebt }, prepayment("DebtAmount3")),
		acct("Payment Debt Recovered", amount(cosem.ClassCharge, PaymentDebtName, 2), func(a *prepay.Account) int64 { return a.Totals.ByPayment }),
		config(acct("Debt Recovery per Payment", point.Of(cosem.ClassCharge, PaymentDebtName, 13, axdr.TagUint16), func(a *prepay.Account) int64 { return a.PaymentShare }, prepayment("DebtRecoveryTopUpPercentage3")), func(c *prepay.Config) *int64 { return &c.PaymentShare }),
		config(acct("Debt Recovery Rate Cap", point.Data(PaymentCapName, axdr.TagInt32), func(a *prepay.Account) int64 { return a.PaymentCap }, prepayment("OverallDebtCap")), func(c *prepay.Config) *int64 { return &c.PaymentCap }),
		settable(number("Standing Charge", point.Data(StandingPriceName, axdr.TagInt32), func(_ *Meter, s *State) int64 { return s.Prices.Standing }, price("StandingCharge")), (*Meter).SetStanding),
		acct("Standing Charges Taken", amount(cosem.ClassCharge, StandingName, 2), func(a *prepay.Account) int64 { return a.Totals.Standing }),
		number("Active Tariff Register", point.Data(ActiveTariffName, axdr.TagUint8), func(m *Meter, s *State) int64 { r, _ := m.Register(time.Unix(s.at, 0)); return int64(r) }, metering("ActiveRegisterTierDelivered")),
		number("Active Block", point.Data(BlockNowName, axdr.TagUint8), func(m *Meter, s *State) int64 { _, b := m.Register(time.Unix(s.at, 0)); return int64(b) }, metering("CurrentBlock")),
		number("Active Tariff Price", point.Data(PriceNowName, axdr.TagUint32), func(m *Meter, s *State) int64 { return m.Price(time.Unix(s.at, 0)) }),
		number("Cost of the billing period", point.Data(CostName, axdr.TagInt64), func(_ *Meter, s *State) int64 { return s.cost / 1000 }, metering("BillToDateDelivered")),
		{
			Name: "Tariff Label", COSEM: point.Data(TariffLabelName, axdr.TagOctetString), ZigBee: []point.ZigBee{price("TariffLabel")},
			Get: func(m *Meter, now time.Time) point.Value { return point.Text(m.At(now).Calendar.Name) },
		},
		number("Start of the billing period", point.Data(BillingStartName, axdr.TagDateTime), func(_ *Meter, s *State) int64 { return s.Billed }, price("CurrentBillingPeriodStart")),
		settable(number("Billing Calendar", point.Data(BillingDayName, axdr.TagUint8), func(_ *Meter, s *State) int64 { return s.Billing }), (*Meter).SetBilling),
		number("Currency", point.COSEM{}, func(*Meter, *State) int64 { return currencyGBP }, price("Currency"), prepayment("Currency")),
		number("Price digits", point.COSEM{}, func(*Meter, *State) int64 { return trailing }, price("PriceTrailingDigit"), metering("BillDeliveredTrailingDigit")),
		number("Registers in use", point.COSEM{}, func(_ *Meter, s *State) int64 { return int64(s.Calendar.Registers()) }, price("NumberOfPriceTiersInUse")),
		number("Keypad locked until", point.Data(LockedName, axdr.TagDateTime), func(_ *Meter, s *State) int64 {
			if s.at >= s.LockedUntil {
				return 0
			}
			return s.LockedUntil
		}),
		number("Friendly hours now", point.Data(FriendlyNowName, axdr.TagBool), func(_ *Meter, s *State) int64 { return flagOf(s.FriendlyAt(s.at)) }),
		config(acct("Suspend Debt Emergency", point.Data(suspendName, axdr.TagBool), func(a *prepay.Account) int64 { return flagOf(a.SuspendEmergency) }), nil),
		config(acct("Suspend Debt Disabled", point.Data(suspendOffName, axdr.TagBool), func(a *prepay.Account) int64 { return flagOf(a.SuspendDisabled) }), nil),
	}
	for i, set := range []func(c *prepay.Config, v bool){
		func(c *prepay.Config, v bool) { c.SuspendEmergency = v }, func(c *prepay.Config, v bool) { c.SuspendDisabled = v },
	} {
		list[len(list)-2+i].Set = setFlag(set)
	}
	for i := range 2 {
		name, rate := TimeDebtName, DailyRecoveryName
		name[4] += byte(i)
		rate[5] += byte(i)
		perRate := RecoveryRateName
		perRate[5] += byte(i)
		daily := acct(fmt.Sprintf("Debt Recovery Period %d", i+1), point.Data(rate, axdr.TagBool), func(a *prepay.Account) int64 { return flagOf(a.Daily[i]) })
		daily.Set = setFlag(func(c *prepay.Config, v bool) { c.Daily[i] = v })
		list = append(list,
			acct(fmt.Sprintf("Time Debt Register %d", i+1), amount(cosem.ClassCharge, name, 12), func(a *prepay.Account) int64 { return a.Debt[i] }, prepayment(fmt.Sprintf("DebtAmount%d", i+1))),
			acct(fmt.Sprintf("Time Debt %d Recovered", i+1), amount(cosem.ClassCharge, name, 2), func(a *prepay.Account) int64 { return a.Totals.ByTime[i] }),
			config(acct(fmt.Sprintf("Debt Recovery Rate %d", i+1), point.Data(perRate, axdr.TagInt32), func(a *prepay.Account) int64 { return a.Rate[i] }, prepayment(fmt.Sprintf("DebtRecoveryAmount%d", i+1))), func(c *prepay.Config) *int64 { return &c.Rate[i] }),
			daily,
		)
	}
	for i := range 5 {
		list = append(list, p{
			Name: fmt.Sprintf("Top-up %d", i+1), ZigBee: []point.ZigBee{prepayment(fmt.Sprintf("TopUpAmount%d", i+1))},
			Get: func(m *Meter, now time.Time) point.Value { return point.Int(m.payment(now, i).Amount) },
		}, p{
			Name: fmt.Sprintf("Time of top-up %d", i+1), ZigBee: []point.ZigBee{prepayment(fmt.Sprintf("TopUpDateTime%d", i+1))},
			Get: func(m *Meter, now time.Time) point.Value { return point.Time(m.payment(now, i).At) },
		}, p{
			Name: fmt.Sprintf("Code of top-up %d", i+1), ZigBee: []point.ZigBee{prepayment(fmt.Sprintf("TopUpCode%d", i+1))},
			Get: func(m *Meter, now time.Time) point.Value { return point.Text(m.payment(now, i).Code) },
		})
	}
	list = append(list, registerPoints(registers, medium)...)
	return append(list, historyPoints(medium)...)
}

func setFlag(set func(c *prepay.Config, v bool)) func(m *Meter, now time.Time, v point.Value) error {
	return func(m *Meter, now time.Time, v point.Value) error {
		return m.Configure(now, func(c *prepay.Config) error {
			set(c, v.Int != 0)
			return nil
		})
	}
}

const (
	currencyGBP = 826  // ISO 4217
	trailing    = 0x50 // five digits behind the point: millipence are 1e-5 pounds
)

// SupplyStatus is the supply state as Metering has it.
func SupplyStatus(state uint8) se.SupplyStatus {
	switch state {
	case Enabled:
		return se.SupplyOn
	case Armed:
		return se.SupplyOffArmed
	default:
		return se.SupplyOff
	}
}

// Bits of PaymentControlConfiguration and CreditStatus (published, Smart Energy).
const (
	controlDisconnect = 1 << 0
	controlPrepayment = 1 << 1
	controlCredit     = 1 << 2
	statusOK          = 1 << 0
	statusLow         = 1 << 1
	statusEnabled     = 1 << 2
	statusAvailable   = 1 << 3
	statusSelected    = 1 << 4
	statusInUse       = 1 << 5
	statusExhausted   = 1 << 6
)

func (m *Meter) paymentControl(now time.Time) int64 {
	if m.Mode(now) == prepay.Prepayment {
		return controlDisconnect | controlPrepayment
	}
	return controlCredit
}

func creditStatus(a *prepay.Account) (bits int64) {
	for _, x := range []struct {
		on  bool
		bit int64
	}{
		{!a.Low() && !a.Exhausted(), statusOK}, {a.Low() && !a.Exhausted(), statusLow}, {a.EmergencyLimit > 0, statusEnabled},
		{a.EmergencyAvailable(), statusAvailable}, {a.Activated, statusSelected}, {a.InEmergency() && !a.Exhausted(), statusInUse},
		{a.Exhausted(), statusExhausted},
	} {
		if x.on {
			bits |= x.bit
		}
	}
	return bits
}

// payment is the i-th last top-up; the zero one if there were not so many.
func (m *Meter) payment(now time.Time, i int) (p Payment) {
	list := m.Payments(now)
	if i < min(len(list), m.Make.Prepay.Payments) {
		return list[len(list)-1-i]
	}
	return p
}

// registerPoints are the time of use and block registers.
func registerPoints(registers int, medium uint8) (list []point.Point[*Meter]) {
	for n := 1; n <= registers; n++ {
		list = append(list, point.Point[*Meter]{
			Name: fmt.Sprintf("Tariff TOU Register %d", n), COSEM: point.Register(TOUName(medium, n), axdr.TagUint32, 0, cosem.UnitWattHour),
			ZigBee: []point.ZigBee{point.On(se.Metering, fmt.Sprintf("CurrentTier%dSummationDelivered", n))},
			Get: func(m *Meter, now time.Time) point.Value {
				if r := m.Registers(now); n <= len(r) {
					return point.Int(r[n-1])
				}
				return point.Int(0)
			},
		}, point.Point[*Meter]{
			Name:   fmt.Sprintf("Price of register %d", n),
			ZigBee: priceOn(n),
			Get:    func(m *Meter, now time.Time) point.Value { return point.Int(m.At(now).Prices.Unit(uint8(n), 0)) },
		})
	}
	return list
}

// priceOn is where the price of a register is seen; the first fifteen have names of their own.
func priceOn(n int) []point.ZigBee {
	if a, ok := se.Attributes().Find(se.Price, false, fmt.Sprintf("Tier%dBlock1Price", n)); ok {
		return []point.ZigBee{{Cluster: se.Price, ID: a.ID, Type: a.Type}}
	}
	if a, ok := se.Attributes().Find(se.Price, false, fmt.Sprintf("PriceTier%d", n)); ok {
		return []point.ZigBee{{Cluster: se.Price, ID: a.ID, Type: a.Type}}
	}
	return nil
}

// BlockPoints are the block registers: of each of the registers that go with blocks, in total and in this billing period.
func BlockPoints(tiers, blocks int) (list []point.Point[*Meter]) {
	at := func(s [][tariff.Blocks]int64, t, b int) point.Value {
		if t < len(s) {
			return point.Int(s[t][b])
		}
		return point.Int(0)
	}
	for t := range tiers {
		for b := range blocks {
			list = append(list, point.Point[*Meter]{
				Name: fmt.Sprintf("Tariff TOU Block Register %d/%d", t+1, b+1), COSEM: point.Register(cosem.OBIS{1, 0, 1, 8, byte(100 + 10*t + b + 1), 255}, axdr.TagUint32, 0, cosem.UnitWattHour),
				ZigBee: []point.ZigBee{point.On(se.Metering, fmt.Sprintf("CurrentTier%dBlock%dSummationDelivered", t+1, b+1))},
				Get:    func(m *Meter, now time.Time) point.Value { return at(m.At(now).blocks, t, b) },
			}, point.Point[*Meter]{
				Name: fmt.Sprintf("Tariff Block Counter %d/%d", t+1, b+1), COSEM: point.Register(cosem.OBIS{1, 0, 1, 9, byte(100 + 10*t + b + 1), 255}, axdr.TagUint32, 0, cosem.UnitWattHour),
				Get: func(m *Meter, now time.Time) point.Value { return at(m.At(now).period, t, b) },
			})
		}
	}
	return list
}
