package se

import (
	"fmt"

	"smets1/zigbee/internal/field"
)

// CurrencyGBP is pounds sterling (ISO 4217). UntilChanged is the duration of what holds until something else comes.
const (
	CurrencyGBP  uint16 = 826
	UntilChanged uint16 = 0xFFFF
)

// optional takes trailing fields one by one: when reading as long as octets are left, when writing as many as n says.
type optional struct {
	c     *field.Coder
	n     *int
	taken int
}

func (o *optional) next() bool {
	if o.c.Writing() {
		o.taken++
		return o.taken <= *o.n
	}
	if o.c.Err() != nil || o.c.Left() == 0 {
		return false
	}
	*o.n++
	return true
}

// PublishPrice gives a price (Smart Energy, clause D.4.2.4.1; published). Smart Energy 1.0 ends with the price.
//
//	provider(4) label(string) eventID(4) now(4) unit(1) currency(2) digitTier(1) tiersRegister(1) start(4) duration(2) price(4) [ratio(1) generationPrice(4) generationRatio(1) alternateCost(4) alternateUnit(1) alternateDigit(1) blockThresholds(1) control(1) generationTiers(1) generationTier(1) extendedTiers(1) extendedTier(1) extendedRegisterTier(1)]
type PublishPrice struct {
	Provider      uint32
	Label         []byte // at most 12 octets
	EventID       uint32
	Now           UTC
	Unit          uint8  // as UnitofMeasure
	Currency      uint16 // ISO 4217
	DigitTier     uint8  // 0-3 tier, 4-7 decimal places of the price
	TiersRegister uint8  // 0-3 register tier, 4-7 number of tiers
	Start         UTC    // 0: now
	Duration      uint16 // minutes, UntilChanged
	Price         uint32
	// Optional is how many of the fields below are there: the first so many.
	Optional             int
	Ratio                uint8
	GenerationPrice      uint32
	GenerationRatio      uint8
	AlternateCost        uint32
	AlternateUnit        uint8
	AlternateDigit       uint8
	BlockThresholds      uint8
	Control              uint8
	GenerationTiers      uint8
	GenerationTier       uint8
	ExtendedTiers        uint8
	ExtendedTier         uint8
	ExtendedRegisterTier uint8
}

// Key implements Command.
func (PublishPrice) Key() Key { return Key{Price, true, 0x00} }

// AppendBinary implements Command.
func (m PublishPrice) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishPrice reads the payload.
func ParsePublishPrice(b []byte) (m PublishPrice, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishPrice) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.Octets(c, &m.Label, 12)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Now)
	field.U8(c, &m.Unit)
	field.U16(c, &m.Currency)
	field.U8(c, &m.DigitTier)
	field.U8(c, &m.TiersRegister)
	field.U32(c, &m.Start)
	field.U16(c, &m.Duration)
	field.U32(c, &m.Price)
	o := optional{c: c, n: &m.Optional}
	if o.next() {
		field.U8(c, &m.Ratio)
	}
	if o.next() {
		field.U32(c, &m.GenerationPrice)
	}
	if o.next() {
		field.U8(c, &m.GenerationRatio)
	}
	if o.next() {
		field.U32(c, &m.AlternateCost)
	}
	if o.next() {
		field.U8(c, &m.AlternateUnit)
	}
	if o.next() {
		field.U8(c, &m.AlternateDigit)
	}
	if o.next() {
		field.U8(c, &m.BlockThresholds)
	}
	if o.next() {
		field.U8(c, &m.Control)
	}
	if o.next() {
		field.U8(c, &m.GenerationTiers)
	}
	if o.next() {
		field.U8(c, &m.GenerationTier)
	}
	if o.next() {
		field.U8(c, &m.ExtendedTiers)
	}
	if o.next() {
		field.U8(c, &m.ExtendedTier)
	}
	if o.next() {
		field.U8(c, &m.ExtendedRegisterTier)
	}
}

// PublishBlockPeriod gives a block period.
//
//	provider(4) eventID(4) start(4) duration(3) control(1) [durationType(1) tariffType(1) resolution(1)]
type PublishBlockPeriod struct {
	Provider uint32
	EventID  uint32
	Start    UTC
	Duration uint32
	Control  uint8 // bit 0 acknowledge, 1 repeating
	// Optional is how many of the fields below are there: the first so many.
	Optional     int
	DurationType uint8 // 0-3 unit (minutes, days, weeks, months), 4-7 alignment
	TariffType   uint8
	Resolution   uint8
}

// Key implements Command.
func (PublishBlockPeriod) Key() Key { return Key{Price, true, 0x01} }

// AppendBinary implements Command.
func (m PublishBlockPeriod) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishBlockPeriod reads the payload.
func ParsePublishBlockPeriod(b []byte) (m PublishBlockPeriod, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishBlockPeriod) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Start)
	field.U24(c, &m.Duration)
	field.U8(c, &m.Control)
	o := optional{c: c, n: &m.Optional}
	if o.next() {
		field.U8(c, &m.DurationType)
	}
	if o.next() {
		field.U8(c, &m.TariffType)
	}
	if o.next() {
		field.U8(c, &m.Resolution)
	}
}

// PublishConversionFactor gives the volume correction of gas.
//
//	eventID(4) start(4) factor(4) digit(1)
type PublishConversionFactor struct {
	EventID uint32
	Start   UTC
	Factor  uint32
	Digit   uint8 // 4-7 decimal places
}

// Key implements Command.
func (PublishConversionFactor) Key() Key { return Key{Price, true, 0x02} }

// AppendBinary implements Command.
func (m PublishConversionFactor) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishConversionFactor reads the payload.
func ParsePublishConversionFactor(b []byte) (m PublishConversionFactor, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishConversionFactor) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U32(c, &m.Start)
	field.U32(c, &m.Factor)
	field.U8(c, &m.Digit)
}

// PublishCalorificValue gives the calorific value of gas.
//
//	eventID(4) start(4) value(4) unit(1) digit(1)
type PublishCalorificValue struct {
	EventID uint32
	Start   UTC
	Value   uint32
	Unit    uint8 // 1 MJ/m³, 2 MJ/kg
	Digit   uint8 // 4-7 decimal places
}

// Key implements Command.
func (PublishCalorificValue) Key() Key { return Key{Price, true, 0x03} }

// AppendBinary implements Command.
func (m PublishCalorificValue) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishCalorificValue reads the payload.
func ParsePublishCalorificValue(b []byte) (m PublishCalorificValue, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishCalorificValue) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U32(c, &m.Start)
	field.U32(c, &m.Value)
	field.U8(c, &m.Unit)
	field.U8(c, &m.Digit)
}

// PublishTariffInformation describes a tariff.
//
//	provider(4) eventID(4) tariffID(4) start(4) type(1) label(string) tiers(1) blockThresholds(1) unit(1) currency(2) digit(1) standingCharge(4) tierBlockMode(1) multiplier(3) divisor(3)
type PublishTariffInformation struct {
	Provider        uint32
	EventID         uint32
	TariffID        uint32
	Start           UTC
	Type            uint8  // 0-3 tariff type, 4-7 charging scheme
	Label           []byte // at most 24 octets
	Tiers           uint8
	BlockThresholds uint8
	Unit            uint8
	Currency        uint16
	Digit           uint8 // 4-7 decimal places
	StandingCharge  uint32
	TierBlockMode   uint8
	Multiplier      uint32
	Divisor         uint32
}

// Key implements Command.
func (PublishTariffInformation) Key() Key { return Key{Price, true, 0x04} }

// AppendBinary implements Command.
func (m PublishTariffInformation) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishTariffInformation reads the payload.
func ParsePublishTariffInformation(b []byte) (m PublishTariffInformation, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishTariffInformation) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.TariffID)
	field.U32(c, &m.Start)
	field.U8(c, &m.Type)
	field.Octets(c, &m.Label, 24)
	field.U8(c, &m.Tiers)
	field.U8(c, &m.BlockThresholds)
	field.U8(c, &m.Unit)
	field.U16(c, &m.Currency)
	field.U8(c, &m.Digit)
	field.U32(c, &m.StandingCharge)
	field.U8(c, &m.TierBlockMode)
	field.U24(c, &m.Multiplier)
	field.U24(c, &m.Divisor)
}

// MatrixPrice is the price of a tier and block.
//
//	tierBlock(1) price(4)
type MatrixPrice struct {
	TierBlock uint8 // 0-3 block, 4-7 tier; the tier alone if the matrix says so
	Price     uint32
}

func matrixPrice(c *field.Coder, m *MatrixPrice) {
	field.U8(c, &m.TierBlock)
	field.U32(c, &m.Price)
}

// PublishPriceMatrix gives the prices of a tariff.
//
//	provider(4) eventID(4) start(4) tariffID(4) index(1) total(1) control(1) {prices}
type PublishPriceMatrix struct {
	Provider uint32
	EventID  uint32
	Start    UTC
	TariffID uint32
	Index    uint8
	Total    uint8
	Control  uint8 // bit 0: TOU tiers only
	Prices   []MatrixPrice
}

// Key implements Command.
func (PublishPriceMatrix) Key() Key { return Key{Price, true, 0x05} }

// AppendBinary implements Command.
func (m PublishPriceMatrix) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishPriceMatrix reads the payload.
func ParsePublishPriceMatrix(b []byte) (m PublishPriceMatrix, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishPriceMatrix) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Start)
	field.U32(c, &m.TariffID)
	field.U8(c, &m.Index)
	field.U8(c, &m.Total)
	field.U8(c, &m.Control)
	field.ListRest(c, &m.Prices, matrixPrice)
}

// TierThresholds are the thresholds of one tier.
//
//	tier and n(1): 0-3 n, 4-7 tier; thresholds(6 each)
type TierThresholds struct {
	Tier       uint8
	Thresholds []uint64 // at most 15
}

func tierThresholds(c *field.Coder, m *TierThresholds) {
	if len(m.Thresholds) > 15 || m.Tier > 15 {
		c.Fail(fmt.Errorf("se: %d thresholds of tier %d, four bits each", len(m.Thresholds), m.Tier))
	}
	v := uint8(len(m.Thresholds))&15 | m.Tier<<4
	field.U8(c, &v)
	m.Tier = v >> 4
	field.List(c, &m.Thresholds, int(v&15), field.U48[uint64])
}

// PublishBlockThresholds gives the thresholds of a tariff.
//
//	provider(4) eventID(4) start(4) tariffID(4) index(1) total(1) control(1) {tiers}
type PublishBlockThresholds struct {
	Provider uint32
	EventID  uint32
	Start    UTC
	TariffID uint32
	Index    uint8
	Total    uint8
	Control  uint8 // bit 0: for all tiers
	Tiers    []TierThresholds
}

// Key implements Command.
func (PublishBlockThresholds) Key() Key { return Key{Price, true, 0x06} }

// AppendBinary implements Command.
func (m PublishBlockThresholds) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishBlockThresholds reads the payload.
func ParsePublishBlockThresholds(b []byte) (m PublishBlockThresholds, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishBlockThresholds) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Start)
	field.U32(c, &m.TariffID)
	field.U8(c, &m.Index)
	field.U8(c, &m.Total)
	field.U8(c, &m.Control)
	field.ListRest(c, &m.Tiers, tierThresholds)
}

// PublishCO2Value gives the CO₂ of a unit.
//
//	provider(4) eventID(4) start(4) tariffType(1) value(4) unit(1) digit(1)
type PublishCO2Value struct {
	Provider   uint32
	EventID    uint32
	Start      UTC
	TariffType uint8
	Value      uint32
	Unit       uint8
	Digit      uint8
}

// Key implements Command.
func (PublishCO2Value) Key() Key { return Key{Price, true, 0x07} }

// AppendBinary implements Command.
func (m PublishCO2Value) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishCO2Value reads the payload.
func ParsePublishCO2Value(b []byte) (m PublishCO2Value, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishCO2Value) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Start)
	field.U8(c, &m.TariffType)
	field.U32(c, &m.Value)
	field.U8(c, &m.Unit)
	field.U8(c, &m.Digit)
}

// TierLabel is the name of a tier.
//
//	tier(1) label(string)
type TierLabel struct {
	Tier  uint8
	Label []byte // at most 12 octets
}

func tierLabel(c *field.Coder, m *TierLabel) {
	field.U8(c, &m.Tier)
	field.Octets(c, &m.Label, 12)
}

// PublishTierLabels names the tiers of a tariff.
//
//	provider(4) eventID(4) tariffID(4) index(1) total(1) n(1) {labels}
type PublishTierLabels struct {
	Provider uint32
	EventID  uint32
	TariffID uint32
	Index    uint8
	Total    uint8
	Labels   []TierLabel
}

// Key implements Command.
func (PublishTierLabels) Key() Key { return Key{Price, true, 0x08} }

// AppendBinary implements Command.
func (m PublishTierLabels) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishTierLabels reads the payload.
func ParsePublishTierLabels(b []byte) (m PublishTierLabels, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishTierLabels) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.TariffID)
	field.U8(c, &m.Index)
	field.U8(c, &m.Total)
	field.List(c, &m.Labels, field.Count8(c, len(m.Labels)), tierLabel)
}

// PublishBillingPeriod gives a billing period.
//
//	provider(4) eventID(4) start(4) duration(3) durationType(1) tariffType(1)
type PublishBillingPeriod struct {
	Provider     uint32
	EventID      uint32
	Start        UTC
	Duration     uint32
	DurationType uint8
	TariffType   uint8
}

// Key implements Command.
func (PublishBillingPeriod) Key() Key { return Key{Price, true, 0x09} }

// AppendBinary implements Command.
func (m PublishBillingPeriod) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishBillingPeriod reads the payload.
func ParsePublishBillingPeriod(b []byte) (m PublishBillingPeriod, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishBillingPeriod) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Start)
	field.U24(c, &m.Duration)
	field.U8(c, &m.DurationType)
	field.U8(c, &m.TariffType)
}

// PublishConsolidatedBill gives a bill.
//
//	provider(4) eventID(4) start(4) duration(3) durationType(1) tariffType(1) bill(4) currency(2) digit(1)
type PublishConsolidatedBill struct {
	Provider     uint32
	EventID      uint32
	Start        UTC
	Duration     uint32
	DurationType uint8
	TariffType   uint8
	Bill         uint32
	Currency     uint16
	Digit        uint8
}

// Key implements Command.
func (PublishConsolidatedBill) Key() Key { return Key{Price, true, 0x0A} }

// AppendBinary implements Command.
func (m PublishConsolidatedBill) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishConsolidatedBill reads the payload.
func ParsePublishConsolidatedBill(b []byte) (m PublishConsolidatedBill, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishConsolidatedBill) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Start)
	field.U24(c, &m.Duration)
	field.U8(c, &m.DurationType)
	field.U8(c, &m.TariffType)
	field.U32(c, &m.Bill)
	field.U16(c, &m.Currency)
	field.U8(c, &m.Digit)
}

// PublishCPPEvent announces a critical peak.
//
//	provider(4) eventID(4) start(4) duration(2) tariffType(1) tier(1) authorisation(1)
type PublishCPPEvent struct {
	Provider      uint32
	EventID       uint32
	Start         UTC
	Duration      uint16
	TariffType    uint8
	Tier          uint8
	Authorisation uint8 // 0 pending, 1 accepted, 2 rejected, 3 forced
}

// Key implements Command.
func (PublishCPPEvent) Key() Key { return Key{Price, true, 0x0B} }

// AppendBinary implements Command.
func (m PublishCPPEvent) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishCPPEvent reads the payload.
func ParsePublishCPPEvent(b []byte) (m PublishCPPEvent, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishCPPEvent) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Start)
	field.U16(c, &m.Duration)
	field.U8(c, &m.TariffType)
	field.U8(c, &m.Tier)
	field.U8(c, &m.Authorisation)
}

// PublishCreditPayment tells of a payment.
//
//	provider(4) eventID(4) due(4) overdue(4) status(1) payment(4) date(4) reference(string)
type PublishCreditPayment struct {
	Provider  uint32
	EventID   uint32
	Due       UTC
	Overdue   uint32
	Status    uint8
	Payment   uint32
	Date      UTC
	Reference []byte // at most 20 octets
}

// Key implements Command.
func (PublishCreditPayment) Key() Key { return Key{Price, true, 0x0C} }

// AppendBinary implements Command.
func (m PublishCreditPayment) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishCreditPayment reads the payload.
func ParsePublishCreditPayment(b []byte) (m PublishCreditPayment, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishCreditPayment) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Due)
	field.U32(c, &m.Overdue)
	field.U8(c, &m.Status)
	field.U32(c, &m.Payment)
	field.U32(c, &m.Date)
	field.Octets(c, &m.Reference, 20)
}

// PublishCurrencyConversion announces another currency.
//
//	provider(4) eventID(4) start(4) old(2) new(2) factor(4) digit(1) control(4)
type PublishCurrencyConversion struct {
	Provider uint32
	EventID  uint32
	Start    UTC
	Old      uint16
	New      uint16
	Factor   uint32
	Digit    uint8
	Control  uint32
}

// Key implements Command.
func (PublishCurrencyConversion) Key() Key { return Key{Price, true, 0x0D} }

// AppendBinary implements Command.
func (m PublishCurrencyConversion) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishCurrencyConversion reads the payload.
func ParsePublishCurrencyConversion(b []byte) (m PublishCurrencyConversion, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishCurrencyConversion) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Start)
	field.U16(c, &m.Old)
	field.U16(c, &m.New)
	field.U32(c, &m.Factor)
	field.U8(c, &m.Digit)
	field.U32(c, &m.Control)
}

// CancelTariff takes a tariff back.
//
//	provider(4) tariffID(4) tariffType(1)
type CancelTariff struct {
	Provider   uint32
	TariffID   uint32 // tshark calls it the issuer event
	TariffType uint8
}

// Key implements Command.
func (CancelTariff) Key() Key { return Key{Price, true, 0x0E} }

// AppendBinary implements Command.
func (m CancelTariff) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseCancelTariff reads the payload.
func ParseCancelTariff(b []byte) (m CancelTariff, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *CancelTariff) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.TariffID)
	field.U8(c, &m.TariffType)
}

// GetCurrentPrice asks for the price.
//
//	options(1)
type GetCurrentPrice struct {
	Options uint8 // bit 0: receiver on when idle
}

// Key implements Command.
func (GetCurrentPrice) Key() Key { return Key{Price, false, 0x00} }

// AppendBinary implements Command.
func (m GetCurrentPrice) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetCurrentPrice reads the payload.
func ParseGetCurrentPrice(b []byte) (m GetCurrentPrice, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetCurrentPrice) fields(c *field.Coder) {
	field.U8(c, &m.Options)
}

// GetScheduledPrices asks for prices.
//
//	start(4) most(1)
type GetScheduledPrices struct {
	Start UTC
	Most  uint8 // 0: all
}

// Key implements Command.
func (GetScheduledPrices) Key() Key { return Key{Price, false, 0x01} }

// AppendBinary implements Command.
func (m GetScheduledPrices) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetScheduledPrices reads the payload.
func ParseGetScheduledPrices(b []byte) (m GetScheduledPrices, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetScheduledPrices) fields(c *field.Coder) {
	field.U32(c, &m.Start)
	field.U8(c, &m.Most)
}

// PriceAcknowledgement confirms a price.
//
//	provider(4) eventID(4) time(4) control(1)
type PriceAcknowledgement struct {
	Provider uint32
	EventID  uint32
	Time     UTC
	Control  uint8
}

// Key implements Command.
func (PriceAcknowledgement) Key() Key { return Key{Price, false, 0x02} }

// AppendBinary implements Command.
func (m PriceAcknowledgement) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePriceAcknowledgement reads the payload.
func ParsePriceAcknowledgement(b []byte) (m PriceAcknowledgement, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PriceAcknowledgement) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Time)
	field.U8(c, &m.Control)
}

// GetBlockPeriods asks for block periods.
//
//	start(4) most(1) [tariffType(1)]
type GetBlockPeriods struct {
	Start         UTC
	Most          uint8
	HasTariffType bool // the fields below are there
	TariffType    uint8
}

// Key implements Command.
func (GetBlockPeriods) Key() Key { return Key{Price, false, 0x03} }

// AppendBinary implements Command.
func (m GetBlockPeriods) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetBlockPeriods reads the payload.
func ParseGetBlockPeriods(b []byte) (m GetBlockPeriods, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetBlockPeriods) fields(c *field.Coder) {
	field.U32(c, &m.Start)
	field.U8(c, &m.Most)
	if c.Optional(&m.HasTariffType) {
		field.U8(c, &m.TariffType)
	}
}

// GetConversionFactor asks for conversion factors.
//
//	earliest(4) minimumEventID(4) most(1)
type GetConversionFactor struct {
	Earliest       UTC
	MinimumEventID uint32
	Most           uint8
}

// Key implements Command.
func (GetConversionFactor) Key() Key { return Key{Price, false, 0x04} }

// AppendBinary implements Command.
func (m GetConversionFactor) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetConversionFactor reads the payload.
func ParseGetConversionFactor(b []byte) (m GetConversionFactor, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetConversionFactor) fields(c *field.Coder) {
	field.U32(c, &m.Earliest)
	field.U32(c, &m.MinimumEventID)
	field.U8(c, &m.Most)
}

// GetCalorificValue asks for calorific values.
//
//	earliest(4) minimumEventID(4) most(1)
type GetCalorificValue struct {
	Earliest       UTC
	MinimumEventID uint32
	Most           uint8
}

// Key implements Command.
func (GetCalorificValue) Key() Key { return Key{Price, false, 0x05} }

// AppendBinary implements Command.
func (m GetCalorificValue) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetCalorificValue reads the payload.
func ParseGetCalorificValue(b []byte) (m GetCalorificValue, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetCalorificValue) fields(c *field.Coder) {
	field.U32(c, &m.Earliest)
	field.U32(c, &m.MinimumEventID)
	field.U8(c, &m.Most)
}

// GetTariffInformation asks for tariffs.
//
//	earliest(4) minimumEventID(4) most(1) tariffType(1)
type GetTariffInformation struct {
	Earliest       UTC
	MinimumEventID uint32
	Most           uint8
	TariffType     uint8
}

// Key implements Command.
func (GetTariffInformation) Key() Key { return Key{Price, false, 0x06} }

// AppendBinary implements Command.
func (m GetTariffInformation) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetTariffInformation reads the payload.
func ParseGetTariffInformation(b []byte) (m GetTariffInformation, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetTariffInformation) fields(c *field.Coder) {
	field.U32(c, &m.Earliest)
	field.U32(c, &m.MinimumEventID)
	field.U8(c, &m.Most)
	field.U8(c, &m.TariffType)
}

// GetPriceMatrix asks for the prices of a tariff.
//
//	tariffID(4)
type GetPriceMatrix struct {
	TariffID uint32
}

// Key implements Command.
func (GetPriceMatrix) Key() Key { return Key{Price, false, 0x07} }

// AppendBinary implements Command.
func (m GetPriceMatrix) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetPriceMatrix reads the payload.
func ParseGetPriceMatrix(b []byte) (m GetPriceMatrix, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetPriceMatrix) fields(c *field.Coder) {
	field.U32(c, &m.TariffID)
}

// GetBlockThresholds asks for the thresholds of a tariff.
//
//	tariffID(4)
type GetBlockThresholds struct {
	TariffID uint32
}

// Key implements Command.
func (GetBlockThresholds) Key() Key { return Key{Price, false, 0x08} }

// AppendBinary implements Command.
func (m GetBlockThresholds) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetBlockThresholds reads the payload.
func ParseGetBlockThresholds(b []byte) (m GetBlockThresholds, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetBlockThresholds) fields(c *field.Coder) {
	field.U32(c, &m.TariffID)
}

// GetCO2Value asks for CO₂ values.
//
//	earliest(4) minimumEventID(4) most(1) [tariffType(1)]
type GetCO2Value struct {
	Earliest       UTC
	MinimumEventID uint32
	Most           uint8
	HasTariffType  bool // the fields below are there
	TariffType     uint8
}

// Key implements Command.
func (GetCO2Value) Key() Key { return Key{Price, false, 0x09} }

// AppendBinary implements Command.
func (m GetCO2Value) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetCO2Value reads the payload.
func ParseGetCO2Value(b []byte) (m GetCO2Value, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetCO2Value) fields(c *field.Coder) {
	field.U32(c, &m.Earliest)
	field.U32(c, &m.MinimumEventID)
	field.U8(c, &m.Most)
	if c.Optional(&m.HasTariffType) {
		field.U8(c, &m.TariffType)
	}
}

// GetTierLabels asks for the names of a tariff's tiers.
//
//	tariffID(4)
type GetTierLabels struct {
	TariffID uint32
}

// Key implements Command.
func (GetTierLabels) Key() Key { return Key{Price, false, 0x0A} }

// AppendBinary implements Command.
func (m GetTierLabels) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetTierLabels reads the payload.
func ParseGetTierLabels(b []byte) (m GetTierLabels, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetTierLabels) fields(c *field.Coder) {
	field.U32(c, &m.TariffID)
}

// GetBillingPeriod asks for billing periods.
//
//	earliest(4) minimumEventID(4) most(1) [tariffType(1)]
type GetBillingPeriod struct {
	Earliest       UTC
	MinimumEventID uint32
	Most           uint8
	HasTariffType  bool // the fields below are there
	TariffType     uint8
}

// Key implements Command.
func (GetBillingPeriod) Key() Key { return Key{Price, false, 0x0B} }

// AppendBinary implements Command.
func (m GetBillingPeriod) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetBillingPeriod reads the payload.
func ParseGetBillingPeriod(b []byte) (m GetBillingPeriod, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetBillingPeriod) fields(c *field.Coder) {
	field.U32(c, &m.Earliest)
	field.U32(c, &m.MinimumEventID)
	field.U8(c, &m.Most)
	if c.Optional(&m.HasTariffType) {
		field.U8(c, &m.TariffType)
	}
}

// GetConsolidatedBill asks for bills.
//
//	earliest(4) minimumEventID(4) most(1) [tariffType(1)]
type GetConsolidatedBill struct {
	Earliest       UTC
	MinimumEventID uint32
	Most           uint8
	HasTariffType  bool // the fields below are there
	TariffType     uint8
}

// Key implements Command.
func (GetConsolidatedBill) Key() Key { return Key{Price, false, 0x0C} }

// AppendBinary implements Command.
func (m GetConsolidatedBill) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetConsolidatedBill reads the payload.
func ParseGetConsolidatedBill(b []byte) (m GetConsolidatedBill, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetConsolidatedBill) fields(c *field.Coder) {
	field.U32(c, &m.Earliest)
	field.U32(c, &m.MinimumEventID)
	field.U8(c, &m.Most)
	if c.Optional(&m.HasTariffType) {
		field.U8(c, &m.TariffType)
	}
}

// CPPEventResponse answers a critical peak.
//
//	eventID(4) authorisation(1)
type CPPEventResponse struct {
	EventID       uint32
	Authorisation uint8
}

// Key implements Command.
func (CPPEventResponse) Key() Key { return Key{Price, false, 0x0D} }

// AppendBinary implements Command.
func (m CPPEventResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseCPPEventResponse reads the payload.
func ParseCPPEventResponse(b []byte) (m CPPEventResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *CPPEventResponse) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U8(c, &m.Authorisation)
}

// GetCreditPayment asks for payments.
//
//	latest(4) most(1)
type GetCreditPayment struct {
	Latest UTC
	Most   uint8
}

// Key implements Command.
func (GetCreditPayment) Key() Key { return Key{Price, false, 0x0E} }

// AppendBinary implements Command.
func (m GetCreditPayment) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetCreditPayment reads the payload.
func ParseGetCreditPayment(b []byte) (m GetCreditPayment, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetCreditPayment) fields(c *field.Coder) {
	field.U32(c, &m.Latest)
	field.U8(c, &m.Most)
}

// GetCurrencyConversion asks for another currency.
type GetCurrencyConversion struct{}

// Key implements Command.
func (GetCurrencyConversion) Key() Key { return Key{Price, false, 0x0F} }

// AppendBinary implements Command.
func (GetCurrencyConversion) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseGetCurrencyConversion reads the payload, which is empty.
func ParseGetCurrencyConversion([]byte) (m GetCurrencyConversion, n int, err error) { return m, 0, nil }

// GetTariffCancellation asks for the last cancellation.
type GetTariffCancellation struct{}

// Key implements Command.
func (GetTariffCancellation) Key() Key { return Key{Price, false, 0x10} }

// AppendBinary implements Command.
func (GetTariffCancellation) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseGetTariffCancellation reads the payload, which is empty.
func ParseGetTariffCancellation([]byte) (m GetTariffCancellation, n int, err error) { return m, 0, nil }
