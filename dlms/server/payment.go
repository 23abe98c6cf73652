package server

import (
	"slices"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// The payment classes (published in IEC 62056-6-2, recalled here). The functions keep the objects' books; when credit is
// used up and charges are collected is the device's business.

// Account modes and statuses (class 111 attribute 2).
const (
	AccountCredit  uint8 = 1
	AccountPrepaid uint8 = 2

	AccountNew    uint8 = 1
	AccountActive uint8 = 2
	AccountClosed uint8 = 3
)

// AccountState is the state of an account.
type AccountState struct {
	Mode, Status       uint8
	CreditInUse        uint8 // place in Credits, counted from 1; 0 is none
	CreditStatus       uint8 // bit 0 in credit, 1 low credit, 2 next enabled, 3 next selectable, 4 reference list, 5 selectable in use, 6 out of credit
	Available          int32 // credit, in the currency's unit and scale as all amounts
	AmountToClear      int32 // what has to be paid before the supply comes back
	ClearanceThreshold int32 // the credit then
	AggregatedDebt     int32 //
	Credits, Charges   []cosem.OBIS
	Collections        []CreditCharge
	Gateways           []TokenShare
	Activation         axdr.DateTime
	Closure            axdr.DateTime
	Currency           Currency
	LowCredit          int32
	NextCredit         int32 // below which the next credit becomes selectable
	MaxProvision       uint16
	MaxProvisionPeriod int32 // seconds
}

// CreditCharge tells how a charge is collected from a credit: bit 0 when the supply is disconnected, 1 in load limiting
// periods, 2 in friendly credit periods.
type CreditCharge struct {
	Credit, Charge cosem.OBIS
	Collection     uint8
}

// TokenShare tells which part of a token goes to a credit, in percent.
type TokenShare struct {
	Credit  cosem.OBIS
	Percent uint8
}

// Currency of amounts. Unit is 0 time, 1 consumption, 2 money.
type Currency struct {
	Name  string
	Scale int8
	Unit  uint8
}

func appendNames(b []byte, names []cosem.OBIS) []byte {
	return appendArray(b, names, func(b []byte, n cosem.OBIS) []byte { return axdr.AppendOctetString(b, n[:]) })
}

func readNames(r *axdr.Reader) ([]cosem.OBIS, error) {
	return readArray(r, maxElements, cosem.ReadOBIS)
}

// when appends a date-time; the zero value is unspecified.
func when(b []byte, t axdr.DateTime) []byte {
	if t == (axdr.DateTime{}) {
		t = axdr.UnspecifiedDateTime
	}
	return axdr.AppendDateTime(b, t)
}

// Fields of common types.

func (k Kept[T]) int32(id int8, access Rights, of func(*T) *int32) Attr {
	return k.field(id, axdr.TagInt32, access, func(t *T, b []byte) []byte { return axdr.AppendInt32(b, *of(t)) }, func(t *T, r *axdr.Reader) error {
		*of(t) = r.Int32()
		return nil
	})
}

func (k Kept[T]) uint8(id int8, access Rights, of func(*T) *uint8) Attr {
	return k.field(id, axdr.TagUint8, access, func(t *T, b []byte) []byte { return axdr.AppendUint8(b, *of(t)) }, func(t *T, r *axdr.Reader) error {
		*of(t) = r.Uint8()
		return nil
	})
}

func (k Kept[T]) enum(id int8, access Rights, of func(*T) *uint8) Attr {
	return k.field(id, axdr.TagEnum, access, func(t *T, b []byte) []byte { return axdr.AppendEnum(b, *of(t)) }, func(t *T, r *axdr.Reader) error {
		*of(t) = r.Enum()
		return nil
	})
}

func (k Kept[T]) bits(id int8, n int, access Rights, of func(*T) *uint8) Attr {
	return k.field(id, axdr.TagBitString, access, func(t *T, b []byte) []byte { return appendBits(b, uint32(*of(t)), n) }, func(t *T, r *axdr.Reader) error {
		*of(t) = uint8(readBits(r))
		return nil
	})
}

func (k Kept[T]) time(id int8, access Rights, of func(*T) *axdr.DateTime) Attr {
	return k.field(id, axdr.TagOctetString, access, func(t *T, b []byte) []byte { return when(b, *of(t)) }, func(t *T, r *axdr.Reader) error {
		*of(t) = r.DateTime()
		if !of(t).Valid() {
			return cosem.OtherReason
		}
		return nil
	})
}

// Account declares class 111. Write in access covers what configures it (attributes 7, 9 to 15 and 17 to 19) and the
// methods: 1 activates a new account, 2 closes an active one, 3 clears the books of a closed one.
func Account(name cosem.OBIS, access Rights, k Kept[AccountState]) Object {
	type state = AccountState
	ro := only(access, ^Write)
	names := func(id int8, of func(*state) *[]cosem.OBIS) Attr {
		return k.field(id, axdr.TagArray, access, func(a *state, b []byte) []byte { return appendNames(b, *of(a)) }, func(a *state, r *axdr.Reader) (err error) {
			*of(a), err = readNames(r)
			return err
		})
	}
	change := func(from, to uint8) func(*Call, *state) error {
		return func(c *Call, a *state) error {
			if a.Status != from {
				return cosem.ActionReadWriteDenied
			}
			a.Status = to
			if to == AccountActive {
				a.Activation = axdr.DateTimeOf(c.Now)
			} else {
				a.Closure = axdr.DateTimeOf(c.Now)
			}
			return nil
		}
	}
	return Object{
		Class: cosem.ClassAccount, Instance: name,
		Attrs: []Attr{
			k.field(2, axdr.TagStructure, ro, func(a *state, b []byte) []byte {
				return axdr.AppendEnum(axdr.AppendEnum(axdr.AppendStructureHeader(b, 2), a.Mode), a.Status)
			}, nil),
			readOnly(k.uint8(3, ro, func(a *state) *uint8 { return &a.CreditInUse })),
			readOnly(k.bits(4, 7, ro, func(a *state) *uint8 { return &a.CreditStatus })),
			readOnly(k.int32(5, ro, func(a *state) *int32 { return &a.Available })),
			readOnly(k.int32(6, ro, func(a *state) *int32 { return &a.AmountToClear })),
			k.int32(7, access, func(a *state) *int32 { return &a.ClearanceThreshold }),
			readOnly(k.int32(8, ro, func(a *state) *int32 { return &a.AggregatedDebt })),
			names(9, func(a *state) *[]cosem.OBIS { return &a.Credits }),
			names(10, func(a *state) *[]cosem.OBIS { return &a.Charges }),
			k.field(11, axdr.TagArray, access, func(a *state, b []byte) []byte {
				return appendArray(b, a.Collections, func(b []byte, c CreditCharge) []byte {
					b = axdr.AppendStructureHeader(b, 3)
					b = axdr.AppendOctetString(b, c.Credit[:])
					b = axdr.AppendOctetString(b, c.Charge[:])
					return appendBits(b, uint32(c.Collection), 3)
				})
			}, func(a *state, r *axdr.Reader) (err error) {
				a.Collections, err = readArray(r, maxElements, func(r *axdr.Reader) CreditCharge {
					r.Structure(3)
					return CreditCharge{Credit: cosem.ReadOBIS(r), Charge: cosem.ReadOBIS(r), Collection: uint8(readBits(r))}
				})
				return err
			}),
			k.field(12, axdr.TagArray, access, func(a *state, b []byte) []byte {
				return appendArray(b, a.Gateways, func(b []byte, s TokenShare) []byte {
					b = axdr.AppendStructureHeader(b, 2)
					b = axdr.AppendOctetString(b, s.Credit[:])
					return axdr.AppendUint8(b, s.Percent)
				})
			}, func(a *state, r *axdr.Reader) (err error) {
				a.Gateways, err = readArray(r, maxElements, func(r *axdr.Reader) TokenShare {
					r.Structure(2)
					return TokenShare{Credit: cosem.ReadOBIS(r), Percent: r.Uint8()}
				})
				return err
			}),
			k.time(13, access, func(a *state) *axdr.DateTime { return &a.Activation }),
			k.time(14, access, func(a *state) *axdr.DateTime { return &a.Closure }),
			k.field(15, axdr.TagStructure, access, func(a *state, b []byte) []byte {
				b = axdr.AppendStructureHeader(b, 3)
				b = axdr.AppendUTF8(b, a.Currency.Name)
				b = axdr.AppendInt8(b, a.Currency.Scale)
				return axdr.AppendEnum(b, a.Currency.Unit)
			}, func(a *state, r *axdr.Reader) error {
				r.Structure(3)
				a.Currency = Currency{Name: string(r.UTF8()), Scale: r.Int8(), Unit: r.Enum()}
				return nil
			}),
			k.int32(16, access, func(a *state) *int32 { return &a.LowCredit }),
			k.int32(17, access, func(a *state) *int32 { return &a.NextCredit }),
			k.field(18, axdr.TagUint16, access, func(a *state, b []byte) []byte { return axdr.AppendUint16(b, a.MaxProvision) }, func(a *state, r *axdr.Reader) error {
				a.MaxProvision = r.Uint16()
				return nil
			}),
			k.int32(19, access, func(a *state) *int32 { return &a.MaxProvisionPeriod }),
		},
		Methods: []Method{
			k.zero(1, access, change(AccountNew, AccountActive)),
			k.zero(2, access, change(AccountActive, AccountClosed)),
			k.zero(3, access, func(_ *Call, a *state) error {
				if a.Status != AccountClosed {
					return cosem.ActionReadWriteDenied
				}
				a.Status, a.CreditInUse, a.CreditStatus = AccountNew, 0, 0
				a.Available, a.AmountToClear, a.AggregatedDebt = 0, 0, 0
				a.Activation, a.Closure = axdr.UnspecifiedDateTime, axdr.UnspecifiedDateTime
				return nil
			}),
		},
	}
}

// readOnly takes the setter away.
func readOnly(a Attr) Attr {
	a.Set, a.Type = nil, 0
	a.Access = only(a.Access, ^Write)
	return a
}

// Credit statuses (class 112 attribute 8).
const (
	CreditEnabled    uint8 = 0
	CreditSelectable uint8 = 1
	CreditSelected   uint8 = 2
	CreditInUse      uint8 = 3
	CreditExhausted  uint8 = 4
)

// CreditState is the state of a credit. Type is 0 token, 1 reserved, 2 emergency, 3 time based, 4 consumption based.
type CreditState struct {
	Amount             int32
	Type, Priority     uint8
	Warning, Limit     int32
	Config             uint8 // bit 0 visible, 1 confirmation to use, 2 paid back, 3 resettable, 4 takes tokens
	Status             uint8
	Preset             int32 // what invoking it gives
	AvailableThreshold int32 // credit below which it may be invoked
	Period             axdr.DateTime
}

// Credit declares class 112. Write in access covers the configuration and the methods: 1 adds to the amount, 2 sets it,
// 3 selects a selectable credit.
func Credit(name cosem.OBIS, access Rights, k Kept[CreditState]) Object {
	type state = CreditState
	ro := only(access, ^Write)
	return Object{
		Class: cosem.ClassCredit, Instance: name,
		Attrs: []Attr{
			readOnly(k.int32(2, ro, func(s *state) *int32 { return &s.Amount })),
			readOnly(k.enum(3, ro, func(s *state) *uint8 { return &s.Type })),
			k.uint8(4, access, func(s *state) *uint8 { return &s.Priority }),
			k.int32(5, access, func(s *state) *int32 { return &s.Warning }),
			k.int32(6, access, func(s *state) *int32 { return &s.Limit }),
			k.bits(7, 5, access, func(s *state) *uint8 { return &s.Config }),
			readOnly(k.enum(8, ro, func(s *state) *uint8 { return &s.Status })),
			k.int32(9, access, func(s *state) *int32 { return &s.Preset }),
			k.int32(10, access, func(s *state) *int32 { return &s.AvailableThreshold }),
			k.time(11, access, func(s *state) *axdr.DateTime { return &s.Period }),
		},
		Methods: []Method{
			k.method(1, access, func(_ *Call, s *state, r *axdr.Reader) error { return book(&s.Amount, r, true) }),
			k.method(2, access, func(_ *Call, s *state, r *axdr.Reader) error { return book(&s.Amount, r, false) }),
			k.zero(3, access, func(_ *Call, s *state) error {
				if s.Status != CreditSelectable {
					return cosem.ActionReadWriteDenied
				}
				s.Status, s.Amount = CreditSelected, s.Amount+s.Preset
				return nil
			}),
		},
	}
}

// book adds the amount in r, or sets it. Amounts that do not fit are refused rather than wrapped round.
func book(amount *int32, r *axdr.Reader, add bool) error {
	v := int64(r.Int32())
	if err := argument(r); err != nil {
		return err
	}
	if add {
		v += int64(*amount)
	}
	if int64(int32(v)) != v {
		return cosem.ActionScopeOfAccessViolated
	}
	*amount = int32(v)
	return nil
}

// ChargeState is the state of a charge. Type is 0 consumption based, 1 time based, 2 payment event based.
type ChargeState struct {
	TotalPaid       int32
	Type, Priority  uint8
	Active, Passive UnitCharge
	Activation      axdr.DateTime
	Period          uint32 // seconds between collections
	Config          uint8  // bit 0 percentage based, 1 continuous
	LastTime        axdr.DateTime
	LastAmount      int32
	Remaining       int32
	Proportion      uint16 // of a payment, in parts of 10,000
}

// UnitCharge prices a unit of what Reference counts.
type UnitCharge struct {
	CommodityScale, PriceScale int8
	Reference                  cosem.Attribute
	Table                      []UnitPrice
}

// UnitPrice is the price under one tariff or script.
type UnitPrice struct {
	Index []byte
	Price int16
}

func (u UnitCharge) appendTo(b []byte) []byte {
	b = axdr.AppendStructureHeader(b, 3)
	b = axdr.AppendStructureHeader(b, 2)
	b = axdr.AppendInt8(b, u.CommodityScale)
	b = axdr.AppendInt8(b, u.PriceScale)
	b = appendReference(b, u.Reference)
	return appendArray(b, u.Table, func(b []byte, p UnitPrice) []byte {
		b = axdr.AppendStructureHeader(b, 2)
		b = axdr.AppendOctetString(b, p.Index)
		return axdr.AppendInt16(b, p.Price)
	})
}

func readUnitPrice(r *axdr.Reader) UnitPrice {
	r.Structure(2)
	return UnitPrice{Index: slices.Clone(r.OctetString()), Price: r.Int16()}
}

func readUnitCharge(r *axdr.Reader) (u UnitCharge, err error) {
	r.Structure(3)
	r.Structure(2)
	u.CommodityScale, u.PriceScale = r.Int8(), r.Int8()
	u.Reference = readReference(r)
	u.Table, err = readArray(r, maxElements, readUnitPrice)
	return u, err
}

// ChargeConfig declares class 113.
type ChargeConfig struct {
	Access Rights
	Kept[ChargeState]
	// Collect says how much method 3 collects now, given a copy of the state. Nil refuses it.
	Collect func(*Call, ChargeState) (int32, error)
}

// Charge declares class 113. Write in Access covers the configuration, the passive unit charge and its activation time,
// and the methods: 1 updates prices of the passive table, 2 makes it the active one, 3 collects, 4 adds to what remains
// to be paid, 5 sets it.
func Charge(name cosem.OBIS, c ChargeConfig) Object {
	type state = ChargeState
	k, access, ro := c.Kept, c.Access, only(c.Access, ^Write)
	collect := k.zero(3, access, func(call *Call, s *state) error {
		amount, err := c.Collect(call, *s)
		if err != nil {
			return err
		}
		s.Collect(axdr.DateTimeOf(call.Now), amount)
		return nil
	})
	if c.Collect == nil {
		collect = Method{ID: 3}
	}
	return Object{
		Class: cosem.ClassCharge, Instance: name,
		Attrs: []Attr{
			readOnly(k.int32(2, ro, func(s *state) *int32 { return &s.TotalPaid })),
			readOnly(k.enum(3, ro, func(s *state) *uint8 { return &s.Type })),
			k.uint8(4, access, func(s *state) *uint8 { return &s.Priority }),
			k.field(5, axdr.TagStructure, ro, func(s *state, b []byte) []byte { return s.Active.appendTo(b) }, nil),
			k.field(6, axdr.TagStructure, access, func(s *state, b []byte) []byte { return s.Passive.appendTo(b) }, func(s *state, r *axdr.Reader) (err error) {
				s.Passive, err = readUnitCharge(r)
				return err
			}),
			k.time(7, access, func(s *state) *axdr.DateTime { return &s.Activation }),
			k.field(8, axdr.TagUint32, access, func(s *state, b []byte) []byte { return axdr.AppendUint32(b, s.Period) }, func(s *state, r *axdr.Reader) error {
				s.Period = r.Uint32()
				return nil
			}),
			k.bits(9, 2, access, func(s *state) *uint8 { return &s.Config }),
			readOnly(k.time(10, ro, func(s *state) *axdr.DateTime { return &s.LastTime })),
			readOnly(k.int32(11, ro, func(s *state) *int32 { return &s.LastAmount })),
			readOnly(k.int32(12, ro, func(s *state) *int32 { return &s.Remaining })),
			k.field(13, axdr.TagUint16, access, func(s *state, b []byte) []byte { return axdr.AppendUint16(b, s.Proportion) }, func(s *state, r *axdr.Reader) error {
				s.Proportion = r.Uint16()
				return nil
			}),
		},
		Methods: []Method{
			k.method(1, access, func(_ *Call, s *state, r *axdr.Reader) error {
				list, err := readArray(r, maxElements, readUnitPrice)
				if err != nil {
					return err
				}
				if err := argument(r); err != nil {
					return err
				}
				for _, p := range list {
					same := func(o UnitPrice) bool { return string(o.Index) == string(p.Index) }
					if !slices.ContainsFunc(s.Passive.Table, same) {
						return cosem.ActionObjectUndefined
					}
					s.Passive.Table = put(s.Passive.Table, p, same)
				}
				return nil
			}),
			k.zero(2, access, func(_ *Call, s *state) error {
				s.Activate()
				return nil
			}),
			collect,
			k.method(4, access, func(_ *Call, s *state, r *axdr.Reader) error { return book(&s.Remaining, r, true) }),
			k.method(5, access, func(_ *Call, s *state, r *axdr.Reader) error { return book(&s.Remaining, r, false) }),
		},
	}
}

// Activate makes the passive unit charge the active one; the device calls it when Activation comes.
func (s *ChargeState) Activate() { s.Active = s.Passive }

// Collect books an amount that was collected: it is paid, and remains no longer.
func (s *ChargeState) Collect(at axdr.DateTime, amount int32) {
	s.LastTime, s.LastAmount = at, amount
	s.TotalPaid += amount
	s.Remaining -= min(amount, s.Remaining)
}

// Token statuses (class 115 attribute 6).
const (
	TokenFormatOK         uint8 = 0
	TokenAuthenticated    uint8 = 1
	TokenValid            uint8 = 2
	TokenExecuted         uint8 = 3
	TokenFormatFailed     uint8 = 4
	TokenNotAuthenticated uint8 = 5
	TokenInvalid          uint8 = 6
	TokenNotExecuted      uint8 = 7
	TokenReceived         uint8 = 8
)

// TokenState is what came of the last token. Delivery is 0 remote, 1 local, 2 manual.
type TokenState struct {
	Token        []byte
	Time         axdr.DateTime
	Descriptions [][]byte
	Delivery     uint8
	Status       uint8
	Data         uint32 // bits that go with the status
	DataBits     int
}

// maxToken is the longest token taken.
const maxToken = 256

// TokenGateway declares class 115. Write in access lets method 1 enter a token: enter judges it and may change what is
// kept of it, in which token, time and remote delivery are set and the status is TokenReceived. An error refuses the
// token without a trace.
func TokenGateway(name cosem.OBIS, access Rights, k Kept[TokenState], enter func(*Call, *TokenState) error) Object {
	type state = TokenState
	ro := only(access, ^Write)
	return Object{
		Class: cosem.ClassTokenGateway, Instance: name,
		Attrs: []Attr{
			k.field(2, axdr.TagOctetString, ro, func(s *state, b []byte) []byte { return axdr.AppendOctetString(b, s.Token) }, nil),
			readOnly(k.time(3, ro, func(s *state) *axdr.DateTime { return &s.Time })),
			k.field(4, axdr.TagArray, ro, func(s *state, b []byte) []byte { return appendArray(b, s.Descriptions, axdr.AppendOctetString) }, nil),
			readOnly(k.enum(5, ro, func(s *state) *uint8 { return &s.Delivery })),
			k.field(6, axdr.TagStructure, ro, func(s *state, b []byte) []byte {
				b = axdr.AppendEnum(axdr.AppendStructureHeader(b, 2), s.Status)
				return appendBits(b, s.Data, min(s.DataBits, 32))
			}, nil),
		},
		Methods: []Method{k.method(1, access, func(c *Call, s *state, r *axdr.Reader) error {
			token := r.OctetString()
			if err := argument(r); err != nil {
				return err
			}
			if len(token) > maxToken {
				return cosem.ActionScopeOfAccessViolated
			}
			*s = TokenState{Token: slices.Clone(token), Time: axdr.DateTimeOf(c.Now), Status: TokenReceived}
			return enter(c, s)
		})},
	}
}
