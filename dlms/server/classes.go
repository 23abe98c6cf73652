package server

import (
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// The functions of this file declare objects of the common classes, so that a meter type is a list of calls. Attribute
// and method numbers, and types, are those of the Blue Book (IEC 62056-6-2; recalled, the most used verified against
// independent servers). Where a type of meter differs, the returned Object is an ordinary value to change.

// Value declares the value of an object: type, rights, getter and setter.
type Value struct {
	Type   axdr.Tag
	Access Rights
	Get    Getter
	Set    Setter
}

func (v Value) attr(id int8) Attr {
	return Attr{ID: id, Type: v.Type, Access: v.Access, Get: v.Get, Set: v.Set}
}

// readOnly is who may read v, without the right to write.
func (v Value) readOnly() Rights { return only(v.Access, ^Write) }

// only masks rights.
func only(r Rights, mask Access) Rights {
	for i := range r {
		if r[i] &= mask; r[i]&ReadWrite == 0 {
			r[i] = 0
		}
	}
	return r
}

// Data declares class 1.
func Data(name cosem.OBIS, v Value) Object {
	return Object{Class: cosem.ClassData, Instance: name, Attrs: []Attr{v.attr(2)}}
}

// ScalerUnit of registers: the value is n × 10^Scaler of the unit.
type ScalerUnit = cosem.ScalerUnit

// Register declares class 3. reset is method 1; its zero value refuses it.
func Register(name cosem.OBIS, v Value, s ScalerUnit, reset Method) Object {
	reset.ID = 1
	return Object{
		Class: cosem.ClassRegister, Instance: name,
		Attrs:   []Attr{v.attr(2), {ID: 3, Access: v.readOnly(), Get: encoded(s.AppendTo(nil))}},
		Methods: []Method{reset},
	}
}

// ExtendedRegister declares class 4.
func ExtendedRegister(name cosem.OBIS, v Value, s ScalerUnit, status, captured Getter, reset Method) Object {
	o := Register(name, v, s, reset)
	o.Class = cosem.ClassExtendedRegister
	o.Attrs = append(o.Attrs,
		Attr{ID: 4, Access: v.readOnly(), Get: status},
		Attr{ID: 5, Access: v.readOnly(), Get: captured})
	return o
}

// DemandConfig declares class 5.
type DemandConfig struct {
	Access        Rights // read
	Current, Last Getter // averages
	ScalerUnit    ScalerUnit
	Status        Getter // nil is null-data
	Captured      Getter // time of Last
	Started       Getter // start of the current period
	Period        time.Duration
	Periods       uint16 // zero means 1
	Reset         Method // method 1
	NextPeriod    Method // method 2
}

// Demand declares class 5.
func Demand(name cosem.OBIS, c DemandConfig) Object {
	if c.Status == nil {
		c.Status = Fixed(axdr.Null())
	}
	c.Reset.ID, c.NextPeriod.ID = 1, 2
	read := func(id int8, g Getter) Attr { return Attr{ID: id, Access: c.Access, Get: g} }
	return Object{
		Class: cosem.ClassDemandRegister, Instance: name,
		Attrs: []Attr{
			read(2, c.Current), read(3, c.Last), read(4, encoded(c.ScalerUnit.AppendTo(nil))), read(5, c.Status), read(6, c.Captured), read(7, c.Started),
			read(8, Fixed(axdr.Uint32(uint32(c.Period/time.Second)))), read(9, Fixed(axdr.Uint16(max(c.Periods, 1)))),
		},
		Methods: []Method{c.Reset, c.NextPeriod},
	}
}

// ClockConfig declares class 8.
type ClockConfig struct {
	// Access to the attributes: who has Write may set the time, and shift it.
	Access Rights
	// Time of the device, in its local time zone with deviation and status.
	Time func(*Call) axdr.DateTime
	// SetTime is called for attribute 2, with every field specified.
	SetTime func(*Call, axdr.DateTime) error
	// Shift is called for method 6, within ±900 s. Nil refuses it.
	Shift func(*Call, time.Duration) error
	// Adjust lets who may write run methods 1 and 3, which set the time to the nearest quarter of an hour and minute.
	// They call SetTime.
	Adjust bool
	// Measuring lets them run method 2 too, which sets the time to the nearest multiple of it. Zero refuses it.
	Measuring time.Duration
	// Preset keeps what method 5 presets for method 4. Nil refuses both.
	Preset func(*Call) *ClockPreset
	// Zone is local time's offset from UTC without daylight saving, as attribute 3 has it: minutes from local time to
	// UTC.
	Zone int16
	// Begin and End of daylight saving, patterns. The zero value is unspecified.
	Begin, End axdr.DateTime
	// Deviation of daylight saving in minutes. Zero means 60.
	Deviation int8
	// DaylightSaving tells that it is enabled.
	DaylightSaving bool
	// Base of the clock (attribute 9): 0 not defined, 1 internal crystal, 2 mains 50 Hz, 3 mains 60 Hz, 4 GPS, 5 radio.
	// Zero is shown as 1.
	Base uint8
}

// ClockPreset is a time that method 4 of a clock sets, once, if it comes within the limits.
type ClockPreset struct {
	Time, From, To axdr.DateTime
	Set            bool
}

// adjust sets the clock to the nearest multiple of step.
func (c *ClockConfig) adjust(call *Call, step time.Duration) error {
	t := c.Time(call)
	u, err := t.UTC()
	if err != nil {
		return cosem.ActionTemporaryFailure
	}
	local := u.Add(-time.Duration(t.Deviation) * time.Minute) // steps are counted in local time
	diff := local.Round(step).Sub(local)
	zone := time.FixedZone("", -int(t.Deviation)*60)
	next := axdr.DateTimeOf(u.Add(diff).In(zone))
	next.Status = t.Status
	return c.SetTime(call, next)
}

// preset is method 5, and usePreset method 4.
func (c *ClockConfig) preset(call *Call, arg, dst []byte) ([]byte, error) {
	r := axdr.NewReader(arg)
	r.Structure(3)
	p := ClockPreset{Time: r.DateTime(), From: r.DateTime(), To: r.DateTime(), Set: true}
	if err := argument(&r); err != nil {
		return dst, err
	}
	if !p.Time.Specified() {
		return dst, cosem.ActionOtherReason
	}
	*c.Preset(call) = p
	return dst, nil
}

func (c *ClockConfig) usePreset(call *Call) error {
	p := c.Preset(call)
	if !p.Set {
		return cosem.ActionReadWriteDenied
	}
	now, err := c.Time(call).UTC()
	if err != nil {
		return cosem.ActionTemporaryFailure
	}
	for i, limit := range []axdr.DateTime{p.From, p.To} {
		if at, err := limit.UTC(); err == nil && (i == 0 && now.Before(at) || i == 1 && now.After(at)) {
			return cosem.ActionTemporaryFailure
		}
	}
	p.Set = false
	return c.SetTime(call, p.Time)
}

// adjustments are methods 1 to 5.
func (c *ClockConfig) adjustments(run Rights) []Method {
	methods := []Method{{ID: 1}, {ID: 2}, {ID: 3}, {ID: 4}, {ID: 5}}
	if c.SetTime == nil {
		return methods
	}
	set := func(id int8, do Do) { methods[id-1] = Method{ID: id, Access: run, Do: do} }
	step := func(d time.Duration) Do { return Zero(func(call *Call) error { return c.adjust(call, d) }) }
	if c.Adjust {
		set(1, step(15*time.Minute))
		set(3, step(time.Minute))
	}
	if c.Measuring > 0 {
		set(2, step(c.Measuring))
	}
	if c.Preset != nil {
		set(4, Zero(c.usePreset))
		set(5, c.preset)
	}
	return methods
}

// Clock declares class 8.
func Clock(name cosem.OBIS, c ClockConfig) Object {
	if c.Deviation == 0 {
		c.Deviation = 60
	}
	if c.Base == 0 {
		c.Base = 1
	}
	pattern := func(d axdr.DateTime) axdr.Value {
		if d == (axdr.DateTime{}) {
			d = axdr.UnspecifiedDateTime
		}
		return axdr.DateTimeOctets(d)
	}
	ro := only(c.Access, ^Write)
	rw, shift := ro, Rights{}
	for i := range c.Access {
		if c.SetTime != nil {
			rw[i] = c.Access[i]
		}
		if c.Shift != nil && c.Access[i]&Write != 0 {
			shift[i] = c.Access[i]&^ReadWrite | Execute
		}
	}
	fixed := func(id int8, v axdr.Value) Attr { return Attr{ID: id, Access: ro, Get: Fixed(v)} }
	o := Object{
		Class: cosem.ClassClock, Instance: name,
		Attrs: []Attr{
			{ID: 2, Access: rw, Get: DateTime(c.Time), Set: SetDateTime(func(call *Call, t axdr.DateTime) error {
				if !t.Specified() {
					return cosem.OtherReason
				}
				return c.SetTime(call, t)
			})},
			fixed(3, axdr.Int16(c.Zone)),
			{ID: 4, Access: ro, Get: Uint8(func(call *Call) uint8 { return uint8(c.Time(call).Status) })},
			fixed(5, pattern(c.Begin)),
			fixed(6, pattern(c.End)),
			fixed(7, axdr.Int8(c.Deviation)),
			fixed(8, axdr.Bool(c.DaylightSaving)),
			fixed(9, axdr.Enum(c.Base)),
		},
	}
	if c.SetTime == nil {
		o.Attrs[0].Set = nil
	}
	o.Methods = append(c.adjustments(executeForWriters(c.Access)), Method{ID: 6, Access: shift, Do: func(call *Call, arg, dst []byte) ([]byte, error) {
		r := axdr.NewReader(arg)
		s := r.Int16()
		switch {
		case typed(&r) != nil:
			return dst, cosem.ActionTypeUnmatched
		case s < -900 || s > 900:
			return dst, cosem.ActionScopeOfAccessViolated
		}
		return dst, c.Shift(call, time.Duration(s)*time.Second)
	}})
	return o
}

// Action is one step of a script.
type Action struct {
	Execute   bool // run a method rather than write an attribute
	Class     cosem.ClassID
	Instance  cosem.OBIS
	Index     int8
	Parameter axdr.Value
}

// Script is a numbered list of actions.
type Script struct {
	ID      uint16
	Actions []Action
}

// ScriptTable declares class 9. Read in access shows the scripts, Write lets method 1 run them; each action is made as
// the device itself. A failing action ends the script with its result; what came before stays done (recalled).
func ScriptTable(name cosem.OBIS, access Rights, scripts []Script) Object {
	list := axdr.Array()
	for _, s := range scripts {
		actions := axdr.Array()
		for _, a := range s.Actions {
			service := uint8(1)
			if a.Execute {
				service = 2
			}
			actions.Items = append(actions.Items, axdr.Structure(axdr.Enum(service), axdr.Uint16(uint16(a.Class)), axdr.Octets(a.Instance[:]),
				axdr.Int8(a.Index), a.Parameter))
		}
		list.Items = append(list.Items, axdr.Structure(axdr.Uint16(s.ID), actions))
	}
	return Object{
		Class: cosem.ClassScriptTable, Instance: name,
		Attrs: []Attr{{ID: 2, Access: only(access, ^Write), Get: Fixed(list)}},
		Methods: []Method{{ID: 1, Access: executeForWriters(access), Do: func(c *Call, arg, dst []byte) ([]byte, error) {
			r := axdr.NewReader(arg)
			id := r.Uint16()
			if typed(&r) != nil {
				return dst, cosem.ActionTypeUnmatched
			}
			for _, s := range scripts {
				if s.ID == id {
					return dst, s.run(c)
				}
			}
			return dst, cosem.ActionObjectUndefined
		}}},
	}
}

func (s Script) run(c *Call) error {
	for _, a := range s.Actions {
		raw, err := a.Parameter.AppendBinary(nil)
		if err != nil {
			return err
		}
		if a.Execute {
			_, err = c.Device.Do(c.Now, cosem.Method{Class: a.Class, Instance: a.Instance, ID: a.Index}, raw, nil)
		} else {
			err = c.Device.Set(c.Now, cosem.Attribute{Class: a.Class, Instance: a.Instance, ID: a.Index}, raw)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// executeForWriters gives Execute, with the same protection, to those who have Write.
func executeForWriters(access Rights) (r Rights) {
	for i := range access {
		if access[i]&Write != 0 {
			r[i] = access[i]&^ReadWrite | Execute
		}
	}
	return r
}

// Disconnector is the supply switch or valve behind class 70.
type Disconnector interface {
	// Output tells whether the supply is connected.
	Output() bool
	// State: 0 disconnected, 1 connected, 2 ready for reconnection (armed).
	State() uint8
	// Mode is the control mode, 0 to 7.
	Mode() uint8
	SetMode(now time.Time, mode uint8) error
	Disconnect(now time.Time) error
	Reconnect(now time.Time) error
}

// DisconnectControl declares class 70. Write in access covers the mode and both methods.
func DisconnectControl(name cosem.OBIS, access Rights, of func(*Call) Disconnector) Object {
	ro, run := only(access, ^Write), executeForWriters(access)
	return Object{
		Class: cosem.ClassDisconnectControl, Instance: name,
		Attrs: []Attr{
			{ID: 2, Access: ro, Get: Bool(func(c *Call) bool { return of(c).Output() })},
			{ID: 3, Access: ro, Get: Enum(func(c *Call) uint8 { return of(c).State() })},
			{
				ID: 4, Type: axdr.TagEnum, Access: access, Get: Enum(func(c *Call) uint8 { return of(c).Mode() }),
				Set: SetEnum(func(c *Call, v uint8) error {
					if v > 7 {
						return cosem.OtherReason
					}
					return of(c).SetMode(c.Now, v)
				}),
			},
		},
		Methods: []Method{
			{ID: 1, Access: run, Do: Zero(func(c *Call) error { return of(c).Disconnect(c.Now) })},
			{ID: 2, Access: run, Do: Zero(func(c *Call) error { return of(c).Reconnect(c.Now) })},
		},
	}
}

// AutoConnectConfig declares class 29.
type AutoConnectConfig struct {
	Access Rights
	// Mode of attribute 2: 0 none, 1 auto dialling, 101 and up with windows.
	Mode uint8
	// Repetitions and RepetitionDelay of attributes 3 and 4.
	Repetitions     uint8
	RepetitionDelay time.Duration
	// Destinations is where the device calls, "host:port" each.
	Destinations func(*Call) []string
	// SetDestinations takes a new list. Nil makes it read-only.
	SetDestinations func(*Call, []string) error
}

// maxDestinations bounds a written destination list.
const maxDestinations = 16

// AutoConnect declares class 29.
func AutoConnect(name cosem.OBIS, c AutoConnectConfig) Object {
	ro, rw := only(c.Access, ^Write), c.Access
	var set Setter
	if c.SetDestinations == nil {
		rw = ro
	} else {
		set = func(call *Call, raw []byte) error {
			r := axdr.NewReader(raw)
			n := r.Array()
			if n > maxDestinations {
				return cosem.ScopeOfAccessViolated
			}
			list := make([]string, 0, n)
			for range n {
				list = append(list, string(r.OctetString()))
			}
			if err := typed(&r); err != nil {
				return err
			}
			return c.SetDestinations(call, list)
		}
	}
	return Object{
		Class: cosem.ClassAutoConnect, Version: 1, Instance: name,
		Attrs: []Attr{
			{ID: 2, Access: ro, Get: Fixed(axdr.Enum(c.Mode))},
			{ID: 3, Access: ro, Get: Fixed(axdr.Uint8(c.Repetitions))},
			{ID: 4, Access: ro, Get: Fixed(axdr.Uint16(uint16(c.RepetitionDelay / time.Second)))},
			{ID: 5, Access: ro, Get: Fixed(axdr.Array())},
			{ID: 6, Type: axdr.TagArray, Access: rw, Set: set, Get: func(call *Call, dst []byte) ([]byte, error) {
				list := c.Destinations(call)
				dst = axdr.AppendArrayHeader(dst, len(list))
				for _, d := range list {
					dst = axdr.AppendOctetString(dst, []byte(d))
				}
				return dst, nil
			}},
		},
		Methods: []Method{{ID: 1}},
	}
}

// CalendarCells are the encoded attributes of an activity calendar: name, seasons, weeks and days, active and passive,
// and the activation time.
type CalendarCells struct {
	Active, Passive [4][]byte
	Activation      []byte
}

// Activate makes the passive calendar active.
func (c *CalendarCells) Activate() { c.Active = c.Passive }

// ActivityCalendar declares class 20. Write in access covers the passive calendar, its activation time and method 1;
// the active one is read-only. changed, if not nil, is called after any change; activation at its time is the device's
// to do.
func ActivityCalendar(name cosem.OBIS, access Rights, of func(*Call) *CalendarCells, changed func(*Call)) Object {
	ro := only(access, ^Write)
	types := [4]axdr.Tag{axdr.TagOctetString, axdr.TagArray, axdr.TagArray, axdr.TagArray}
	o := Object{Class: cosem.ClassActivityCalendar, Instance: name}
	notify := func(a Attr) Attr {
		if set := a.Set; changed != nil {
			a.Set = func(c *Call, raw []byte) error {
				err := set(c, raw)
				if err == nil {
					changed(c)
				}
				return err
			}
		}
		return a
	}
	for i, t := range types {
		a := Stored(int8(2+i), t, ro, func(c *Call) *[]byte { return &of(c).Active[i] })
		a.Set = nil
		o.Attrs = append(o.Attrs, a)
	}
	for i, t := range types {
		o.Attrs = append(o.Attrs, notify(Stored(int8(6+i), t, access, func(c *Call) *[]byte { return &of(c).Passive[i] })))
	}
	o.Attrs = append(o.Attrs, notify(Stored(10, axdr.TagOctetString, access, func(c *Call) *[]byte { return &of(c).Activation })))
	o.Methods = []Method{{ID: 1, Access: executeForWriters(access), Do: Zero(func(c *Call) error {
		of(c).Activate()
		if changed != nil {
			changed(c)
		}
		return nil
	})}}
	return o
}

// SpecialDays declares class 11: one cell holds the encoded array. Write in access covers it and the methods: 1 inserts
// (or replaces) an entry, 2 deletes one by its index.
func SpecialDays(name cosem.OBIS, access Rights, cell func(*Call) *[]byte) Object {
	return Object{
		Class: cosem.ClassSpecialDays, Instance: name,
		Attrs: []Attr{Stored(2, axdr.TagArray, access, cell)},
		Methods: []Method{
			{ID: 1, Access: executeForWriters(access), Do: func(c *Call, arg, dst []byte) ([]byte, error) {
				return dst, insertSpecialDay(cell(c), arg)
			}},
			{ID: 2, Access: executeForWriters(access), Do: func(c *Call, arg, dst []byte) ([]byte, error) {
				return dst, deleteSpecialDay(cell(c), arg)
			}},
		},
	}
}

// SingleActionSchedule declares class 22: what it executes is fixed, when is the device's state, an encoded array of
// structure {time, date}.
func SingleActionSchedule(name cosem.OBIS, access Rights, script cosem.OBIS, selector uint16, times func(*Call) *[]byte) Object {
	ro := only(access, ^Write)
	return Object{
		Class: cosem.ClassSingleActionSchedule, Instance: name,
		Attrs: []Attr{
			{ID: 2, Access: ro, Get: Fixed(axdr.Structure(axdr.Octets(script[:]), axdr.Uint16(selector)))},
			{ID: 3, Access: ro, Get: Fixed(axdr.Enum(1))},
			Stored(4, axdr.TagArray, access, times),
		},
	}
}

// SAP is one entry of SAP assignment.
type SAP struct {
	SAP  uint16
	Name string
}

// SAPAssignment declares class 17 at 0-0:41.0.0.255.
func SAPAssignment(access Rights, list func(*Call) []SAP) Object {
	return Object{
		Class: cosem.ClassSAPAssignment, Instance: cosem.OBIS{0, 0, 41, 0, 0, 255},
		Attrs: []Attr{{ID: 2, Access: only(access, ^Write), Get: func(c *Call, dst []byte) ([]byte, error) {
			l := list(c)
			dst = axdr.AppendArrayHeader(dst, len(l))
			for _, s := range l {
				dst = axdr.AppendStructureHeader(dst, 2)
				dst = axdr.AppendUint16(dst, s.SAP)
				dst = axdr.AppendOctetString(dst, []byte(s.Name))
			}
			return dst, nil
		}}},
		Methods: []Method{{ID: 1}},
	}
}

// LogicalDeviceName declares the mandatory Data 0-0:42.0.0.255: up to 16 characters, the first three the manufacturer's
// FLAG id.
func LogicalDeviceName(access Rights, name func(*Call) string) Object {
	return Data(cosem.OBIS{0, 0, 42, 0, 0, 255}, Value{Access: only(access, ^Write), Get: Text(name)})
}
