package meter

import (
	"slices"
	"time"

	"smets1/device/core"
	"smets1/device/point"
	"smets1/device/prepay"
	"smets1/device/profile"
	"smets1/device/tariff"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
)

// Objects are what both meters have beside what every device has: points, and over
// the same state what is more than a datum. register is the meter's own register.
func Objects(d *profile.Device, points []point.Point[*Meter], register cosem.OBIS) []server.Object {
	list := point.Objects(points, Of, core.Private, core.Managed)
	list = complete(list)
	return append(list,
		server.DisconnectControl(SupplyName, core.Managed, func(c *server.Call) server.Disconnector { return switcher{Of(c), c.Now} }),
		accountObject(), tokenObject(), tariffCharge(register),
		server.ScriptTable(tariff.ScriptTable, core.Private, tariffScripts(d.Tariff.Registers)),
		activationObject(d.Tariff.Registers),
		calendarObject(CalendarName, calendarTable), calendarObject(FriendlyName, friendlyTable),
		specialObject(SpecialDaysName, calendarTable), specialObject(FriendlyDaysName, friendlyTable),
		snapshotObject(),
		whole(RegistersName, func(m *Meter, now time.Time) axdr.Value { return energies(m.Registers(now)) }),
		whole(DemandName, func(m *Meter, now time.Time) axdr.Value { return demand(m.Maximum(now)) }),
		whole(DebtsName, func(m *Meter, now time.Time) axdr.Value {
			a := &m.At(now).Account
			return axdr.Structure(small(a.Debt[0]), small(a.Debt[1]), small(a.PaymentDebt))
		}),
		snapshotLog(BillingLogName, register, CauseBilling, d.Logs.Billing),
		snapshotLog(SnapshotLogName, register, ^CauseBilling, d.Logs.Snapshots),
		paymentLog(d.Prepay.Payments), prepayDaily(d.Logs.Days),
	)
}

// complete gives the objects of the payment classes the attributes that never change,
// and their methods.
func complete(list []server.Object) []server.Object {
	for i := range list {
		o := &list[i]
		fixed := func(id int8, v axdr.Value) {
			o.Attrs = append(o.Attrs, server.Attr{ID: id, Access: core.Private, Get: server.Fixed(v)})
		}
		switch o.Instance {
		case CreditName:
			fixed(3, axdr.Enum(0)) // token credit
			fixed(4, axdr.Uint8(1))
			fixed(7, axdr.Bits([]byte{0b1000_1000}, 5)) // visible, takes tokens
			fixed(9, axdr.Int32(0))
			fixed(10, axdr.Int32(0))
			fixed(11, axdr.DateTimeOctets(axdr.UnspecifiedDateTime))
			o.Attrs = append(o.Attrs, server.Attr{ID: 8, Access: core.Private, Get: server.Enum(func(c *server.Call) uint8 {
				if Of(c).At(c.Now).Account.Exhausted() {
					return server.CreditExhausted
				}
				return server.CreditInUse
			})})
			o.Methods = []server.Method{amountMethod(1, (*Meter).Adjust), amountMethod(2, (*Meter).SetBalance), {ID: 3}}
		case EmergencyName:
			fixed(3, axdr.Enum(2)) // emergency credit
			fixed(4, axdr.Uint8(2))
			fixed(5, axdr.Int32(0))
			fixed(6, axdr.Int32(0))
			fixed(7, axdr.Bits([]byte{0b1110_0000}, 5)) // visible, to be confirmed, paid back
			fixed(11, axdr.DateTimeOctets(axdr.UnspecifiedDateTime))
			o.Attrs = append(o.Attrs, server.Attr{ID: 8, Access: core.Private, Get: server.Enum(func(c *server.Call) uint8 { return emergencyStatus(&Of(c).At(c.Now).Account) })})
			o.Methods = []server.Method{{ID: 1}, {ID: 2}, {ID: 3, Access: core.Run, Do: server.Zero(func(c *server.Call) error {
				if !Of(c).ActivateEmergency(c.Now) {
					return cosem.ActionReadWriteDenied
				}
				return nil
			})}}
		case AccumulatedName:
			fixed(3, axdr.Enum(1))
			fixed(4, axdr.Uint8(3))
			for id := int8(5); id <= 10; id++ {
				switch id {
				case 7:
					fixed(7, axdr.Bits([]byte{0b1010_0000}, 5))
				case 8:
					fixed(8, axdr.Enum(server.CreditEnabled))
				default:
					fixed(id, axdr.Int32(0))
				}
			}
			fixed(11, axdr.DateTimeOctets(axdr.UnspecifiedDateTime))
			o.Methods = []server.Method{{ID: 1}, {ID: 2}, {ID: 3}}
		}
		if o.Class == cosem.ClassCharge {
			completeCharge(o)
		}
		slices.SortFunc(o.Attrs, func(a, b server.Attr) int { return int(a.ID) - int(b.ID) })
	}
	return list
}

func emergencyStatus(a *prepay.Account) uint8 {
	switch {
	case a.Activated && a.Emergency <= 0:
		return server.CreditExhausted
	case a.InEmergency():
		return server.CreditInUse
	case a.Activated:
		return server.CreditSelected
	case a.EmergencyAvailable():
		return server.CreditSelectable
	default:
		return server.CreditEnabled
	}
}

func amountMethod(id int8, do func(*Meter, time.Time, int64) error) server.Method {
	return server.Method{ID: id, Access: core.Run, Do: func(c *server.Call, arg, dst []byte) ([]byte, error) {
		r := axdr.NewReader(arg)
		v := r.Int32()
		if r.Err() != nil || r.Len() > 0 {
			return dst, cosem.ActionTypeUnmatched
		}
		return dst, do(Of(c), c.Now, int64(v))
	}}
}

// The debts are charges: which one, by the logical name.
func debtOf(name cosem.OBIS) int {
	if name == PaymentDebtName {
		return 2
	}
	return int(name[4] - TimeDebtName[4])
}

const (
	chargeByUse     = 0
	chargeByTime    = 1
	chargeByPayment = 2
)

// completeCharge adds what a charge has beside its points: methods 4 and 5 add to the
// debt and set it.
func completeCharge(o *server.Object) {
	which := debtOf(o.Instance)
	kind := uint8(chargeByTime)
	if which == 2 {
		kind = chargeByPayment
	}
	has := func(id int8) bool {
		return slices.ContainsFunc(o.Attrs, func(a server.Attr) bool { return a.ID == id })
	}
	unit := axdr.Structure(axdr.Structure(axdr.Int8(0), axdr.Int8(currencyScale)), axdr.Structure(axdr.Uint16(0), axdr.Octets(make([]byte, 6)), axdr.Int8(0)), axdr.Array())
	if o.Instance == StandingName {
		o.Attrs = append(o.Attrs, server.Attr{ID: 5, Access: core.Private, Get: func(c *server.Call, b []byte) ([]byte, error) {
			return unitCharge(1, cosem.Attribute{}, []price{{nil, Of(c).At(c.Now).Prices.Standing}}).AppendBinary(b)
		}})
	}
	for _, x := range []struct {
		id int8
		v  axdr.Value
	}{
		{3, axdr.Enum(kind)}, {4, axdr.Uint8(uint8(which + 3))}, {5, unit}, {6, unit}, {7, axdr.DateTimeOctets(axdr.UnspecifiedDateTime)},
		{8, axdr.Uint32(0)}, {9, axdr.Bits([]byte{0}, 2)}, {10, axdr.DateTimeOctets(axdr.UnspecifiedDateTime)}, {11, axdr.Int32(0)},
		{12, axdr.Int32(0)}, {13, axdr.Uint16(0)},
	} {
		if !has(x.id) {
			o.Attrs = append(o.Attrs, server.Attr{ID: x.id, Access: core.Private, Get: server.Fixed(x.v)})
		}
	}
	o.Methods = []server.Method{{ID: 1}, {ID: 2}, {ID: 3}}
	if o.Instance == StandingName || o.Instance == TariffChargeName {
		o.Methods = append(o.Methods, server.Method{ID: 4}, server.Method{ID: 5})
		return
	}
	o.Methods = append(o.Methods,
		amountMethod(4, func(m *Meter, now time.Time, n int64) error { return m.SetDebt(now, which, m.debt(now, which)+n) }),
		amountMethod(5, func(m *Meter, now time.Time, n int64) error { return m.SetDebt(now, which, n) }),
	)
}

func (m *Meter) debt(now time.Time, which int) int64 {
	a := &m.At(now).Account
	if which == 2 {
		return a.PaymentDebt
	}
	return a.Debt[which]
}

// currencyScale of amounts: 1e-5 pounds.
const currencyScale = -5

// accountObject is the account (class 111).
func accountObject() server.Object {
	get := func(id int8, g server.Getter) server.Attr { return server.Attr{ID: id, Access: core.Private, Get: g} }
	amount := func(id int8, f func(a *prepay.Account) int64) server.Attr {
		return get(id, func(c *server.Call, b []byte) ([]byte, error) {
			v := small(f(&Of(c).At(c.Now).Account))
			return v.AppendBinary(b)
		})
	}
	names := func(list ...cosem.OBIS) axdr.Value {
		v := axdr.Array()
		for _, n := range list {
			v.Items = append(v.Items, axdr.Octets(n[:]))
		}
		return v
	}
	debt2 := TimeDebtName
	debt2[4]++
	return server.Object{
		Class: cosem.ClassAccount, Instance: AccountName,
		Attrs: []server.Attr{
			get(2, func(c *server.Call, b []byte) ([]byte, error) {
				b = axdr.AppendEnum(axdr.AppendStructureHeader(b, 2), uint8(Of(c).Mode(c.Now)))
				return axdr.AppendEnum(b, server.AccountActive), nil
			}),
			get(3, server.Uint8(func(c *server.Call) uint8 {
				if Of(c).At(c.Now).Account.InEmergency() {
					return 2
				}
				return 1
			})),
			get(4, func(c *server.Call, b []byte) ([]byte, error) {
				return axdr.AppendBitString(b, []byte{accountStatus(&Of(c).At(c.Now).Account)}, 7), nil
			}),
			amount(5, func(a *prepay.Account) int64 { return a.Balance }),
			amount(6, func(a *prepay.Account) int64 {
				return max(a.Disablement-a.Balance, 0) + a.Accumulated + a.EmergencyUsed()
			}),
			amount(7, func(a *prepay.Account) int64 { return a.Disablement }),
			amount(8, func(a *prepay.Account) int64 { return a.Accumulated + a.Debt[0] + a.Debt[1] + a.PaymentDebt }),
			get(9, server.Fixed(names(CreditName, EmergencyName, AccumulatedName))),
			get(10, server.Fixed(names(TariffChargeName, StandingName, TimeDebtName, debt2, PaymentDebtName))),
			get(11, server.Fixed(axdr.Array())),
			get(12, server.Fixed(axdr.Array(axdr.Structure(axdr.Octets(CreditName[:]), axdr.Uint8(100))))),
			get(13, server.DateTime(func(c *server.Call) axdr.DateTime { return axdr.DateTimeOf(Of(c).Installed().UTC()) })),
			get(14, server.Fixed(axdr.DateTimeOctets(axdr.UnspecifiedDateTime))),
			get(15, server.Fixed(axdr.Structure(axdr.UTF8("GBP"), axdr.Int8(currencyScale), axdr.Enum(2)))),
			amount(16, func(a *prepay.Account) int64 { return a.LowCredit }),
			amount(17, func(a *prepay.Account) int64 { return a.EmergencyThreshold }),
			get(18, server.Fixed(axdr.Uint16(0))),
			get(19, server.Fixed(axdr.Int32(0))),
		},
		Methods: []server.Method{{ID: 1}, {ID: 2}, {ID: 3}},
	}
}

// accountStatus are the bits of current_credit_status, the first highest: in credit,
// low, next enabled, next selectable, (no reference list), selectable in use, out of credit.
func accountStatus(a *prepay.Account) (b byte) {
	for i, on := range []bool{
		!a.Exhausted(), a.Low(), a.EmergencyLimit > 0, a.EmergencyAvailable(), false, a.InEmergency(), a.Exhausted(),
	} {
		if on {
			b |= 0x80 >> i
		}
	}
	return b
}

// switcher shows the supply to class 70.
type switcher struct {
	m   *Meter
	now time.Time
}

func (s switcher) Output() bool { return s.State() == Enabled }
func (s switcher) State() uint8 { return s.m.Supply(s.now) }

// Mode is 1 where a person must switch on at the meter after a reconnection from
// afar (prepayment, and gas always), else 2 (published, Blue Book).
func (s switcher) Mode() uint8 {
	if s.m.handOn(s.m.At(s.now)) {
		return 1
	}
	return 2
}

// SetMode is refused: the mode follows from the meter and its payment mode.
func (s switcher) SetMode(time.Time, uint8) error { return cosem.ReadWriteDenied }

func (s switcher) Disconnect(now time.Time) error { return s.m.Disconnect(now) }
func (s switcher) Reconnect(now time.Time) error  { return s.m.Reconnect(now) }
