package server

import (
	"slices"
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// Registers is the state of a register activation: which registers count under which mask.
type Registers struct {
	Assigned []RegisterRef
	Masks    []RegisterMask
	Active   []byte // name of the mask in force
}

// RegisterRef names a register object.
type RegisterRef struct {
	Class    cosem.ClassID
	Instance cosem.OBIS
}

// RegisterMask is a named set of registers, by their place in the assignment, counted from 1.
type RegisterMask struct {
	Name    []byte
	Indices []uint8
}

// Counts tells whether a register counts under the active mask.
func (s *Registers) Counts(r RegisterRef) bool {
	at := slices.Index(s.Assigned, r)
	m := slices.IndexFunc(s.Masks, s.isActive)
	return at >= 0 && m >= 0 && slices.Contains(s.Masks[m].Indices, uint8(at+1))
}

// RegisterActivation declares class 6. Write in access covers the active mask, which has to be one of the list, and the
// methods.
func RegisterActivation(name cosem.OBIS, access Rights, k Kept[Registers]) Object {
	readRegister := func(r *axdr.Reader) RegisterRef {
		r.Structure(2)
		class := cosem.ClassID(r.Uint16())
		return RegisterRef{class, cosem.ReadOBIS(r)}
	}
	return Object{
		Class: cosem.ClassRegisterActivation, Instance: name,
		Attrs: []Attr{
			k.field(2, axdr.TagArray, access, func(s *Registers, b []byte) []byte {
				return appendArray(b, s.Assigned, func(b []byte, r RegisterRef) []byte {
					b = axdr.AppendStructureHeader(b, 2)
					b = axdr.AppendUint16(b, uint16(r.Class))
					return axdr.AppendOctetString(b, r.Instance[:])
				})
			}, nil),
			k.field(3, axdr.TagArray, access, func(s *Registers, b []byte) []byte {
				return appendArray(b, s.Masks, func(b []byte, m RegisterMask) []byte {
					b = axdr.AppendStructureHeader(b, 2)
					b = axdr.AppendOctetString(b, m.Name)
					return appendArray(b, m.Indices, axdr.AppendUint8)
				})
			}, nil),
			k.field(4, axdr.TagOctetString, access, func(s *Registers, b []byte) []byte {
				return axdr.AppendOctetString(b, s.Active)
			}, func(s *Registers, r *axdr.Reader) error {
				s.Active = slices.Clone(r.OctetString())
				if !slices.ContainsFunc(s.Masks, s.isActive) {
					return cosem.ScopeOfAccessViolated
				}
				return nil
			}),
		},
		Methods: []Method{
			k.method(1, access, func(_ *Call, s *Registers, r *axdr.Reader) error {
				n := readRegister(r)
				if len(s.Assigned) >= 255 {
					return cosem.ActionScopeOfAccessViolated
				}
				s.Assigned = put(s.Assigned, n, func(o RegisterRef) bool { return o == n })
				return argument(r)
			}),
			k.method(2, access, func(_ *Call, s *Registers, r *axdr.Reader) error {
				r.Structure(2)
				m := RegisterMask{Name: slices.Clone(r.OctetString())}
				var err error
				if m.Indices, err = readArray(r, len(s.Assigned), (*axdr.Reader).Uint8); err != nil {
					return cosem.ActionScopeOfAccessViolated
				}
				if err := argument(r); err != nil {
					return err
				}
				for _, i := range m.Indices {
					if i == 0 || int(i) > len(s.Assigned) {
						return cosem.ActionScopeOfAccessViolated
					}
				}
				if len(s.Masks) >= maxElements {
					return cosem.ActionScopeOfAccessViolated
				}
				s.Masks = put(s.Masks, m, func(o RegisterMask) bool { return string(o.Name) == string(m.Name) })
				return nil
			}),
			k.method(3, access, func(_ *Call, s *Registers, r *axdr.Reader) error {
				n := r.OctetString()
				if err := argument(r); err != nil {
					return err
				}
				var ok bool
				if s.Masks, ok = without(s.Masks, func(m RegisterMask) bool { return string(m.Name) == string(n) }); !ok {
					return cosem.ActionObjectUndefined
				}
				return nil
			}),
		},
	}
}

func (s *Registers) isActive(m RegisterMask) bool { return string(m.Name) == string(s.Active) }

// ScheduleEntry is one entry of a schedule: a script that runs at a time of day on some days.
type ScheduleEntry struct {
	Index   uint16
	Enabled bool
	Script  ScriptRef
	Switch  axdr.Time
	// Window is how long after Switch, in minutes, the script still runs when the device had no power then. 0xFFFF is
	// any time.
	Window   uint16
	Weekdays uint8 // bit 0 is Monday
	// SpecialDays are the days of the special days table it runs on too, bit by bit; the device evaluates them.
	SpecialDays []byte
	Begin, End  axdr.Date // patterns; unspecified has no limit
}

func (e ScheduleEntry) appendTo(b []byte) []byte {
	b = axdr.AppendStructureHeader(b, 10)
	b = axdr.AppendUint16(b, e.Index)
	b = axdr.AppendBool(b, e.Enabled)
	b = axdr.AppendOctetString(b, e.Script.Table[:])
	b = axdr.AppendUint16(b, e.Script.Selector)
	b = axdr.AppendTime(b, e.Switch)
	b = axdr.AppendUint16(b, e.Window)
	var days byte
	for i := range 7 {
		days |= e.Weekdays >> i & 1 << (7 - i)
	}
	b = axdr.AppendBitString(b, []byte{days}, 7)
	b = axdr.AppendBitString(b, e.SpecialDays, 8*len(e.SpecialDays))
	b = axdr.AppendDate(b, e.Begin)
	return axdr.AppendDate(b, e.End)
}

func readScheduleEntry(r *axdr.Reader) (e ScheduleEntry) {
	r.Structure(10)
	e.Index, e.Enabled = r.Uint16(), r.Bool()
	e.Script = ScriptRef{Table: cosem.ReadOBIS(r), Selector: r.Uint16()}
	e.Switch, e.Window = r.Time(), r.Uint16()
	days, n := r.BitString()
	for i := range min(n, 7) {
		e.Weekdays |= days[0] >> (7 - i) & 1 << i
	}
	special, _ := r.BitString()
	e.SpecialDays = slices.Clone(special)
	e.Begin, e.End = r.Date(), r.Date()
	return e
}

// Schedule declares class 10. Write in access covers the table and the methods: 1 enables one range of indices and
// disables another, 2 inserts (or replaces) an entry, 3 deletes a range.
func Schedule(name cosem.OBIS, access Rights, k Kept[[]ScheduleEntry]) Object {
	type entries = []ScheduleEntry
	return Object{
		Class: cosem.ClassSchedule, Instance: name,
		Attrs: []Attr{k.field(2, axdr.TagArray, access, func(s *entries, b []byte) []byte {
			return appendArray(b, *s, func(b []byte, e ScheduleEntry) []byte { return e.appendTo(b) })
		}, func(s *entries, r *axdr.Reader) (err error) {
			*s, err = readArray(r, maxElements, readScheduleEntry)
			return err
		})},
		Methods: []Method{
			k.method(1, access, func(_ *Call, s *entries, r *axdr.Reader) error {
				// Entries of range A are disabled, then those of range B enabled; 0 to 0 is no range (recalled).
				r.Structure(4)
				var limits [4]uint16
				for i := range limits {
					limits[i] = r.Uint16()
				}
				if err := argument(r); err != nil {
					return err
				}
				*s = slices.Clone(*s)
				for half := range 2 {
					first, last := limits[2*half], limits[2*half+1]
					for i, e := range *s {
						if first != 0 && first <= e.Index && e.Index <= last {
							(*s)[i].Enabled = half == 1
						}
					}
				}
				return nil
			}),
			k.method(2, access, func(_ *Call, s *entries, r *axdr.Reader) error {
				e := readScheduleEntry(r)
				if err := argument(r); err != nil {
					return err
				}
				if len(*s) >= maxElements {
					return cosem.ActionScopeOfAccessViolated
				}
				*s = put(*s, e, func(o ScheduleEntry) bool { return o.Index == e.Index })
				return nil
			}),
			k.method(3, access, func(_ *Call, s *entries, r *axdr.Reader) error {
				r.Structure(2)
				first, last := r.Uint16(), r.Uint16()
				if err := argument(r); err != nil {
					return err
				}
				var ok bool
				if *s, ok = without(*s, func(e ScheduleEntry) bool { return first <= e.Index && e.Index <= last }); !ok {
					return cosem.ActionObjectUndefined
				}
				return nil
			}),
		},
	}
}

// RunSchedule runs the scripts whose time of day came after from and not after now, in the location of now. It goes on
// after a script that fails and returns the first error.
func RunSchedule(d *Device, entries []ScheduleEntry, from, now time.Time) error {
	var first error
	from = from.In(now.Location())
	for _, e := range entries {
		for day := from; !day.After(now.AddDate(0, 0, 1)); day = day.AddDate(0, 0, 1) {
			y, m, dom := day.Date()
			at := time.Date(y, m, dom, int(e.Switch.Hour), int(e.Switch.Minute), int(e.Switch.Second), 0, now.Location())
			if !at.After(from) || at.After(now) || !e.runsOn(at) {
				continue
			}
			if err := e.Script.Run(d, now); err != nil && first == nil {
				first = err
			}
		}
	}
	return first
}

func (e ScheduleEntry) runsOn(t time.Time) bool {
	weekday := (int(t.Weekday()) + 6) % 7
	return e.Enabled && e.Switch.Specified() && e.Weekdays>>weekday&1 != 0 &&
		!before(axdr.DateOf(t), e.Begin) && !before(e.End, axdr.DateOf(t))
}

// before compares dates; one that is not specified is no limit.
func before(a, b axdr.Date) bool {
	if !a.Specified() || !b.Specified() {
		return false
	}
	number := func(d axdr.Date) int { return (int(d.Year)*13+int(d.Month))*32 + int(d.Day) }
	return number(a) < number(b)
}

// insertSpecialDay puts structure {index, date, day id} into the encoded table; the same index replaces.
func insertSpecialDay(cell *[]byte, arg []byte) error {
	day, err := readSpecialDay(arg)
	if err != nil {
		return err
	}
	table, err := readSpecialDays(*cell)
	if err != nil {
		return err
	}
	if len(table) >= maxElements {
		return cosem.ActionScopeOfAccessViolated
	}
	writeSpecialDays(cell, put(table, day, func(o specialDay) bool { return o.index == day.index }))
	return nil
}

// deleteSpecialDay takes an index out of the encoded table.
func deleteSpecialDay(cell *[]byte, arg []byte) error {
	r := axdr.NewReader(arg)
	index := r.Uint16()
	if err := argument(&r); err != nil {
		return err
	}
	table, err := readSpecialDays(*cell)
	if err != nil {
		return err
	}
	rest, ok := without(table, func(d specialDay) bool { return d.index == index })
	if !ok {
		return cosem.ActionObjectUndefined
	}
	writeSpecialDays(cell, rest)
	return nil
}

// specialDay is an encoded entry of a special days table and its index.
type specialDay struct {
	index uint16
	raw   []byte
}

func readSpecialDay(raw []byte) (specialDay, error) {
	r := axdr.NewReader(raw)
	r.Structure(3)
	d := specialDay{index: r.Uint16(), raw: raw}
	r.Date()
	r.Uint8()
	return d, argument(&r)
}

func readSpecialDays(cell []byte) (list []specialDay, err error) {
	if len(cell) == 0 {
		return nil, nil
	}
	r := axdr.NewReader(cell)
	for range r.Array() {
		d, err := readSpecialDay(r.Data())
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, argument(&r)
}

func writeSpecialDays(cell *[]byte, list []specialDay) {
	*cell = appendArray(nil, list, func(b []byte, d specialDay) []byte { return append(b, d.raw...) })
}
