package meter

import (
	"fmt"
	"math"
	"time"

	"smets1/device/core"
	"smets1/device/tariff"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
)

// whole declares a Data object whose value is not a single datum.
func whole(name cosem.OBIS, get func(m *Meter, now time.Time) axdr.Value) server.Object {
	return server.Data(name, server.Value{Access: core.Private, Get: func(c *server.Call, b []byte) ([]byte, error) {
		v := get(Of(c), c.Now)
		return v.AppendBinary(b)
	}})
}

// snapshotObject takes a snapshot for the cause that is written, and tells that of the last one.
func snapshotObject() server.Object {
	return server.Data(SnapshotName, server.Value{
		Type: axdr.TagUint32, Access: core.Managed,
		Get: server.Uint32(func(c *server.Call) uint32 {
			if list := Of(c).Snapshots(c.Now, ^Cause(0), 1); len(list) > 0 {
				return uint32(list[0].Cause)
			}
			return 0
		}),
		Set: server.SetInteger(func(c *server.Call, v int64) error {
			switch cause := Cause(v); cause {
			case CauseManual, CauseTenancy, CauseSupplier:
				return Of(c).Snapshot(c.Now, cause)
			default:
				return cosem.OtherReason
			}
		}),
	})
}

// A table is one of the two calendars of a meter.
type table struct {
	active  func(s *State) *tariff.Calendar
	passive func(x *extra) *tariff.Cells
	which   int // of extra.activate
	act     kind
}

var (
	calendarTable = &table{
		func(s *State) *tariff.Calendar { return s.Calendar }, func(x *extra) *tariff.Cells { return &x.passive }, 0, actCalendar,
	}
	friendlyTable = &table{
		func(s *State) *tariff.Calendar {
			if s.Friendly == nil {
				return &none
			}
			return s.Friendly
		}, func(x *extra) *tariff.Cells { return &x.friendly }, 1, actFriendly,
	}
	none = *tariff.Flat("NONE")
)

func (t *table) cells(c *server.Call) tariff.Cells { return t.active(Of(c).At(c.Now)).Cells() }

// cell is attribute 2 to 5 of a calendar, or 6 to 9 of its passive twin.
func cell(x *tariff.Cells, i int8) *[]byte {
	return [...]*[]byte{&x.Name, &x.Seasons, &x.Weeks, &x.Days}[i]
}

// calendarObject is class 20. The passive calendar is checked as a whole when it is
// activated: at its activation time, if that is written, or at once by method 1.
func calendarObject(name cosem.OBIS, t *table) server.Object {
	o := server.Object{Class: cosem.ClassActivityCalendar, Instance: name}
	types := [...]axdr.Tag{axdr.TagOctetString, axdr.TagArray, axdr.TagArray, axdr.TagArray}
	for i := range int8(4) {
		o.Attrs = append(o.Attrs, server.Attr{ID: 2 + i, Access: core.Private, Get: func(c *server.Call, b []byte) ([]byte, error) {
			x := t.cells(c)
			return append(b, *cell(&x, i)...), nil
		}})
	}
	for i := range int8(4) {
		o.Attrs = append(o.Attrs, server.Attr{
			ID: 6 + i, Type: types[i], Access: core.Managed,
			Get: func(c *server.Call, b []byte) ([]byte, error) {
				if x := Of(c).extra; x != nil && len(*cell(t.passive(x), i)) > 0 {
					return append(b, *cell(t.passive(x), i)...), nil
				}
				if i == 0 {
					return axdr.AppendOctetString(b, nil), nil
				}
				return axdr.AppendArrayHeader(b, 0), nil
			},
			Set: func(c *server.Call, raw []byte) error {
				if len(raw) > maxCell {
					return cosem.ScopeOfAccessViolated
				}
				m := Of(c)
				*cell(t.passive(m.more()), i) = append([]byte(nil), raw...)
				m.Touch()
				return nil
			},
		})
	}
	o.Attrs = append(o.Attrs, server.Attr{
		ID: 10, Access: core.Managed,
		Get: server.DateTime(func(c *server.Call) axdr.DateTime { return Of(c).activation(t.which) }),
		Set: server.SetDateTime(func(c *server.Call, d axdr.DateTime) error { return t.activateAt(Of(c), c.Now, d) }),
	})
	o.Methods = []server.Method{{ID: 1, Access: core.Run, Do: server.Zero(func(c *server.Call) error {
		m := Of(c)
		cal, err := t.waiting(m, c.Now)
		if err != nil {
			return cosem.ActionOtherReason
		}
		if m.full() {
			return errFull
		}
		m.do(c.Now, t.act, calendarText(cal))
		return nil
	})}}
	return o
}

// maxCell is the longest table that is taken.
const maxCell = 8192

// waiting is the passive calendar, which takes over the special days in force.
func (t *table) waiting(m *Meter, now time.Time) (*tariff.Calendar, error) {
	if m.extra == nil {
		return nil, fmt.Errorf("meter: there is no passive calendar")
	}
	x := *t.passive(m.extra)
	x.Special = t.active(m.At(now)).Cells().Special
	return tariff.Parse(x, m.Limits())
}

func (m *Meter) activation(which int) axdr.DateTime {
	if m.extra == nil || m.extra.activate[which] == 0 {
		return axdr.UnspecifiedDateTime
	}
	return axdr.DateTimeOf(time.Unix(m.extra.activate[which], 0).UTC())
}

// activateAt plans the activation; an unspecified time plans none.
func (t *table) activateAt(m *Meter, now time.Time, d axdr.DateTime) error {
	if !d.Specified() {
		m.cancel(now, t.act)
		m.more().activate[t.which] = 0
		return nil
	}
	at, err := d.UTC()
	if err != nil {
		return cosem.TypeUnmatched
	}
	cal, err := t.waiting(m, now)
	if err != nil {
		return cosem.OtherReason
	}
	if m.full() {
		return cosem.TemporaryFailure
	}
	m.extra.activate[t.which] = at.Unix()
	if !at.After(now) {
		m.do(now, t.act, calendarText(cal))
		return nil
	}
	m.plan(now, at, t.act, calendarText(cal))
	return nil
}

// specialObject is class 11. What is written is in force at once.
func specialObject(name cosem.OBIS, t *table) server.Object {
	change := func(c *server.Call, f func(list []tariff.Special) ([]tariff.Special, error)) error {
		m := Of(c)
		cal := *t.active(m.At(c.Now))
		list, err := f(append([]tariff.Special(nil), cal.Special...))
		if err != nil {
			return err
		}
		cal.Special = list
		if cal.Check(m.Limits()) != nil {
			return cosem.OtherReason
		}
		if m.full() {
			return cosem.TemporaryFailure
		}
		m.do(c.Now, t.act, calendarText(&cal))
		return nil
	}
	action := func(err error) error {
		if err != nil {
			return cosem.ActionScopeOfAccessViolated
		}
		return nil
	}
	return server.Object{
		Class: cosem.ClassSpecialDays, Instance: name,
		Attrs: []server.Attr{{
			ID: 2, Type: axdr.TagArray, Access: core.Managed,
			Get: func(c *server.Call, b []byte) ([]byte, error) { return append(b, t.cells(c).Special...), nil },
			Set: func(c *server.Call, raw []byte) error {
				return change(c, func([]tariff.Special) ([]tariff.Special, error) { return readSpecial(raw) })
			},
		}},
		Methods: []server.Method{
			{ID: 1, Access: core.Run, Do: func(c *server.Call, arg, dst []byte) ([]byte, error) {
				return dst, action(change(c, func(list []tariff.Special) ([]tariff.Special, error) {
					add, err := readSpecial(append(axdr.AppendArrayHeader(nil, 1), arg...))
					if err != nil {
						return nil, err
					}
					return append(without(list, add[0].Index), add[0]), nil
				}))
			}},
			{ID: 2, Access: core.Run, Do: func(c *server.Call, arg, dst []byte) ([]byte, error) {
				r := axdr.NewReader(arg)
				index := r.Uint16()
				if r.Err() != nil {
					return dst, cosem.ActionTypeUnmatched
				}
				return dst, action(change(c, func(list []tariff.Special) ([]tariff.Special, error) {
					rest := without(list, index)
					if len(rest) == len(list) {
						return nil, cosem.ObjectUndefined
					}
					return rest, nil
				}))
			}},
		},
	}
}

func without(list []tariff.Special, index uint16) (rest []tariff.Special) {
	for _, s := range list {
		if s.Index != index {
			rest = append(rest, s)
		}
	}
	return rest
}

func readSpecial(raw []byte) (list []tariff.Special, err error) {
	r := axdr.NewReader(raw)
	for range min(r.Array(), 64) {
		r.Structure(3)
		s := tariff.Special{Index: r.Uint16()}
		d := r.Date()
		s.Date, s.Day = tariff.Date{Year: d.Year, Month: d.Month, Day: d.Day}, r.Uint8()
		list = append(list, s)
	}
	if r.End("special days"); r.Err() != nil {
		return nil, cosem.TypeUnmatched
	}
	return list, nil
}

// tariffScripts are the scripts that switching points name: script n makes register n count.
func tariffScripts(n int) (list []server.Script) {
	for i := 1; i <= n; i++ {
		list = append(list, server.Script{ID: uint16(i), Actions: []server.Action{{
			Class: cosem.ClassRegisterActivation, Instance: ActivationName, Index: 4, Parameter: axdr.Octets([]byte{byte(i)}),
		}}})
	}
	return list
}

// activationObject is class 6: one mask for each register, of which the one in force is
// active. It is read-only: the calendar switches.
func activationObject(n int) server.Object {
	var assigned []server.RegisterRef
	var masks []server.RegisterMask
	for i := 1; i <= n; i++ {
		assigned = append(assigned, server.RegisterRef{Class: cosem.ClassRegister, Instance: TOUName(1, i)})
		masks = append(masks, server.RegisterMask{Name: []byte{byte(i)}, Indices: []uint8{byte(i)}})
	}
	return server.RegisterActivation(ActivationName, core.Private, server.Kept[server.Registers]{Of: func(c *server.Call) *server.Registers {
		r, _ := Of(c).Register(c.Now)
		return &server.Registers{Assigned: assigned, Masks: masks, Active: []byte{r}}
	}})
}

// price is one line of a unit charge.
type price struct {
	index []byte
	value int64 // millipence
}

// unitCharge is a unit charge (class 113 attribute 5), at the finest scale in which all
// prices fit a long.
func unitCharge(commodity int8, of cosem.Attribute, list []price) axdr.Value {
	scale, unit := int8(currencyScale), int64(1)
	for _, p := range list {
		for p.value/unit > math.MaxInt16 {
			scale, unit = scale+1, unit*10
		}
	}
	lines := axdr.Array()
	for _, p := range list {
		lines.Items = append(lines.Items, axdr.Structure(axdr.Octets(p.index), axdr.Int16(int16(p.value/unit))))
	}
	return axdr.Structure(axdr.Structure(axdr.Int8(commodity), axdr.Int8(scale)),
		axdr.Structure(axdr.Uint16(uint16(of.Class)), axdr.Octets(of.Instance[:]), axdr.Int8(of.ID)), lines)
}

// lines of prices: a register each, or a register and a block.
func lines(p *tariff.Prices) (list []price) {
	for i, v := range p.TOU {
		list = append(list, price{[]byte{byte(i + 1)}, v})
	}
	for i := range p.Thresholds {
		for b := range p.Block {
			list = append(list, price{[]byte{byte(i + 1), byte(b + 1)}, p.Unit(uint8(i+1), b)})
		}
	}
	return list
}

// tariffCharge is the charge for energy (class 113): prices in force, and those that wait.
func tariffCharge(register cosem.OBIS) server.Object {
	ref := cosem.Attribute{Class: cosem.ClassRegister, Instance: register, ID: 2}
	show := func(p *tariff.Prices, b []byte) ([]byte, error) {
		v := unitCharge(3, ref, lines(p))
		return v.AppendBinary(b)
	}
	ro := func(id int8, g server.Getter) server.Attr { return server.Attr{ID: id, Access: core.Private, Get: g} }
	return server.Object{
		Class: cosem.ClassCharge, Instance: TariffChargeName,
		Attrs: []server.Attr{
			ro(2, func(c *server.Call, b []byte) ([]byte, error) {
				v := small(Of(c).At(c.Now).Account.Totals.Used)
				return v.AppendBinary(b)
			}),
			ro(3, server.Fixed(axdr.Enum(chargeByUse))), ro(4, server.Fixed(axdr.Uint8(1))),
			ro(5, func(c *server.Call, b []byte) ([]byte, error) { return show(Of(c).At(c.Now).Prices, b) }),
			{
				ID: 6, Type: axdr.TagStructure, Access: core.Managed,
				Get: func(c *server.Call, b []byte) ([]byte, error) { return show(Of(c).waitingPrices(c.Now), b) },
				Set: func(c *server.Call, raw []byte) error { return Of(c).setPassive(c.Now, raw) },
			},
			{
				ID: 7, Access: core.Managed,
				Get: server.DateTime(func(c *server.Call) axdr.DateTime { return Of(c).activation(2) }),
				Set: server.SetDateTime(func(c *server.Call, d axdr.DateTime) error { return Of(c).activatePricesAt(c.Now, d) }),
			},
			ro(8, server.Fixed(axdr.Uint32(0))), ro(9, server.Fixed(axdr.Bits([]byte{0x80}, 2))),
			ro(10, server.Fixed(axdr.DateTimeOctets(axdr.UnspecifiedDateTime))), ro(11, server.Fixed(axdr.Int32(0))),
			ro(12, server.Fixed(axdr.Int32(0))), ro(13, server.Fixed(axdr.Uint16(0))),
		},
		Methods: []server.Method{
			{ID: 1},
			{ID: 2, Access: core.Run, Do: server.Zero(func(c *server.Call) error {
				m := Of(c)
				return m.SetPrices(c.Now, m.waitingPrices(c.Now))
			})},
			{ID: 3},
			{ID: 4},
			{ID: 5},
		},
	}
}

// waitingPrices are the passive prices; those in force if there are none.
func (m *Meter) waitingPrices(now time.Time) *tariff.Prices {
	if m.extra == nil || !m.extra.prices.set {
		return m.At(now).Prices
	}
	return &m.extra.prices.prices
}

// setPassive takes prices as unitCharge shows them. The standing charge and the
// thresholds stay.
func (m *Meter) setPassive(now time.Time, raw []byte) error {
	r := axdr.NewReader(raw)
	r.Structure(3)
	r.Structure(2)
	r.Int8()
	scale := r.Int8()
	r.Structure(3)
	r.Uint16()
	cosem.ReadOBIS(&r)
	r.Int8()
	if r.Err() == nil && (scale < currencyScale || scale > 0) {
		return cosem.OtherReason
	}
	unit := int64(1)
	for range int(scale) - currencyScale {
		unit *= 10
	}
	p := *m.At(now).Prices
	p.TOU, p.Block = nil, [tariff.Blocks][]int64{}
	n := r.Array()
	for range min(n, tariff.Registers+tariff.BlockTiers*tariff.Blocks) {
		r.Structure(2)
		index, v := r.OctetString(), r.Int16()
		if r.Err() != nil {
			break
		}
		switch {
		case len(index) == 1 && int(index[0]) == len(p.TOU)+1 && int(index[0]) <= m.Make.Tariff.Registers:
			p.TOU = append(p.TOU, int64(v)*unit)
		case len(index) == 2 && index[1] >= 1 && int(index[1]) <= m.Make.Tariff.Blocks && int(index[0]) == len(p.Block[index[1]-1])+1 && index[0] <= tariff.BlockTiers:
			p.Block[index[1]-1] = append(p.Block[index[1]-1], int64(v)*unit)
		default:
			return cosem.ScopeOfAccessViolated
		}
	}
	if r.End("unit charge"); r.Err() != nil {
		return cosem.TypeUnmatched
	}
	m.more().prices = passivePrices{true, p}
	m.Touch()
	return nil
}

func (m *Meter) activatePricesAt(now time.Time, d axdr.DateTime) error {
	if !d.Specified() {
		m.cancel(now, actPrices)
		m.more().activate[2] = 0
		return nil
	}
	at, err := d.UTC()
	if err != nil {
		return cosem.TypeUnmatched
	}
	if m.full() {
		return cosem.TemporaryFailure
	}
	p := m.waitingPrices(now)
	m.more().activate[2] = at.Unix()
	if !at.After(now) {
		return m.SetPrices(now, p)
	}
	m.plan(now, at, actPrices, nil, pricesArgs(p)...)
	return nil
}

// SetStanding sets the standing charge, in millipence a day.
func (m *Meter) SetStanding(now time.Time, v int64) error {
	if v < 0 {
		return cosem.OtherReason
	}
	p := *m.At(now).Prices
	p.Standing = v
	if m.SetPrices(now, &p) != nil {
		return cosem.TemporaryFailure
	}
	return nil
}

// ThresholdName is the register monitor with the block thresholds of a register
// (GBCS convention, published there).
func ThresholdName(register int) cosem.OBIS { return cosem.OBIS{0, 0, 16, 0, byte(10 + register), 255} }

// ThresholdObjects are the block thresholds, each a register monitor (class 21) without actions.
func ThresholdObjects(tiers, blocks int, register cosem.OBIS) (list []server.Object) {
	for n := 1; n <= tiers; n++ {
		o := server.Object{Class: cosem.ClassRegisterMonitor, Instance: ThresholdName(n)}
		o.Attrs = []server.Attr{
			{
				ID: 2, Type: axdr.TagArray, Access: core.Managed,
				Get: func(c *server.Call, b []byte) ([]byte, error) {
					p := Of(c).At(c.Now).Prices
					if n > len(p.Thresholds) {
						return axdr.AppendArrayHeader(b, 0), nil
					}
					b = axdr.AppendArrayHeader(b, blocks-1)
					for _, t := range p.Thresholds[n-1][:blocks-1] {
						b = axdr.AppendUint32(b, uint32(min(t, math.MaxUint32)))
					}
					return b, nil
				},
				Set: func(c *server.Call, raw []byte) error { return Of(c).setThresholds(c.Now, n, blocks, raw) },
			},
			{ID: 3, Access: core.Private, Get: server.Fixed(axdr.Structure(axdr.Uint16(uint16(cosem.ClassRegister)), axdr.Octets(register[:]), axdr.Int8(2)))},
			{ID: 4, Access: core.Private, Get: server.Fixed(axdr.Array())},
		}
		list = append(list, o)
	}
	return list
}

// setThresholds divides a register into blocks. No thresholds take the blocks of it and
// all after it away, and a register can only have them if the one before it has.
func (m *Meter) setThresholds(now time.Time, n, blocks int, raw []byte) error {
	r := axdr.NewReader(raw)
	count := r.Array()
	var t [tariff.Blocks - 1]int64
	for i := range t {
		t[i] = 1 << 62
	}
	last := int64(0)
	for i := range min(count, len(t)) {
		t[i] = r.Integer()
		if t[i] <= last && r.Err() == nil {
			return cosem.OtherReason
		}
		last = t[i]
	}
	if r.End("thresholds"); r.Err() != nil || count >= blocks {
		return cosem.TypeUnmatched
	}
	p := *m.At(now).Prices
	if n > len(p.Thresholds)+1 {
		return cosem.OtherReason
	}
	list := append([][tariff.Blocks - 1]int64(nil), p.Thresholds[:n-1]...)
	if count > 0 {
		list = append(list, t)
		list = append(list, p.Thresholds[min(n, len(p.Thresholds)):]...)
	}
	p.Thresholds = list
	if m.SetPrices(now, &p) != nil {
		return cosem.TemporaryFailure
	}
	return nil
}
