package server

import (
	"errors"
	"slices"
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// Monitor is the state of a register monitor: what is run when a value crosses thresholds.
type Monitor struct {
	Thresholds []axdr.Value // integers
	Value      cosem.Attribute
	Actions    []MonitorAction // one for each threshold

	above []bool // as the last check found it
}

// MonitorAction is what is run when the value rises to a threshold or above, and when it falls below.
type MonitorAction struct {
	Up, Down ScriptRef
}

// Check reads the value and runs the scripts of the thresholds it has crossed since the last check; the first check runs
// none.
func (m *Monitor) Check(d *Device, now time.Time) error {
	v, err := d.number(now, m.Value)
	if err != nil {
		return err
	}
	first := len(m.above) != len(m.Thresholds)
	if first {
		m.above = make([]bool, len(m.Thresholds))
	}
	var failed error
	for i, t := range m.Thresholds {
		limit, err := t.AsInt()
		if err != nil {
			return err
		}
		above := v >= limit
		if above == m.above[i] {
			continue
		}
		m.above[i] = above
		if first || i >= len(m.Actions) {
			continue
		}
		run := m.Actions[i].Down
		if above {
			run = m.Actions[i].Up
		}
		failed = errors.Join(failed, run.Run(d, now))
	}
	return failed
}

// RegisterMonitor declares class 21. Write in access covers all attributes. The device calls [Monitor.Check].
func RegisterMonitor(name cosem.OBIS, access Rights, k Kept[Monitor]) Object {
	return Object{
		Class: cosem.ClassRegisterMonitor, Instance: name,
		Attrs: []Attr{
			k.field(2, axdr.TagArray, access, func(m *Monitor, b []byte) []byte {
				return appendArray(b, m.Thresholds, appendValue)
			}, func(m *Monitor, r *axdr.Reader) (err error) {
				m.above = nil
				m.Thresholds, err = readArray(r, maxElements, readInteger)
				return err
			}),
			k.field(3, axdr.TagStructure, access, func(m *Monitor, b []byte) []byte {
				return appendReference(b, m.Value)
			}, func(m *Monitor, r *axdr.Reader) error {
				m.above = nil
				m.Value = readReference(r)
				return nil
			}),
			k.field(4, axdr.TagArray, access, func(m *Monitor, b []byte) []byte {
				return appendArray(b, m.Actions, func(b []byte, a MonitorAction) []byte {
					return appendScriptRef(appendScriptRef(axdr.AppendStructureHeader(b, 2), a.Up), a.Down)
				})
			}, func(m *Monitor, r *axdr.Reader) (err error) {
				m.Actions, err = readArray(r, maxElements, func(r *axdr.Reader) MonitorAction {
					r.Structure(2)
					return MonitorAction{Up: readScriptRef(r), Down: readScriptRef(r)}
				})
				return err
			}),
		},
	}
}

// appendValue appends a value that can be encoded, as those read from requests can.
func appendValue(b []byte, v axdr.Value) []byte {
	out, err := v.AppendBinary(b)
	if err != nil {
		return axdr.AppendNull(b)
	}
	return out
}

// readInteger reads a value of any integer type.
func readInteger(r *axdr.Reader) axdr.Value {
	v, err := axdr.ParseAll(r.Data())
	if err != nil || !v.IsInteger() {
		r.Fail("threshold", cosem.TypeUnmatched)
	}
	return v.Clone()
}

// Limiter is the state of a limiter: a value above a threshold for some time runs one script, and below it again for
// some time another.
type Limiter struct {
	Value                     cosem.Attribute
	Active, Normal, Emergency axdr.Value // integers
	MinOver, MinUnder         uint32     // seconds
	// Profile has the emergency threshold in force from a time on, for some seconds, if its id is one of Groups.
	Profile         EmergencyProfile
	Groups          []uint16
	EmergencyActive bool
	Over, Under     ScriptRef

	over  bool      // the script Over ran last
	since time.Time // the value is on the other side since
}

// EmergencyProfile of a limiter. Activation is unspecified for none.
type EmergencyProfile struct {
	ID         uint16
	Activation axdr.DateTime
	Duration   uint32 // seconds
}

// Check reads the value and runs what is due. The device calls it as often as durations are to be kept.
func (l *Limiter) Check(d *Device, now time.Time) error {
	l.emergency(now)
	v, err := d.number(now, l.Value)
	if err != nil {
		return err
	}
	limit, err := l.Active.AsInt()
	if err != nil {
		return err
	}
	if above := v > limit; above == l.over {
		l.since = time.Time{}
		return nil
	}
	if l.since.IsZero() {
		l.since = now
	}
	wait, run := l.MinOver, l.Over
	if l.over {
		wait, run = l.MinUnder, l.Under
	}
	if now.Sub(l.since) < time.Duration(wait)*time.Second {
		return nil
	}
	l.over, l.since = !l.over, time.Time{}
	return run.Run(d, now)
}

// emergency begins and ends the emergency profile.
func (l *Limiter) emergency(now time.Time) {
	active := false
	if from, err := l.Profile.Activation.UTC(); err == nil && l.Profile.Activation.Specified() && slices.Contains(l.Groups, l.Profile.ID) {
		active = !now.Before(from) && now.Before(from.Add(time.Duration(l.Profile.Duration)*time.Second))
	}
	if active == l.EmergencyActive {
		return
	}
	l.EmergencyActive = active
	if l.Active = l.Normal; active {
		l.Active = l.Emergency
	}
}

// Limit declares class 71. Write in access covers the thresholds, durations, emergency profile and its groups, and the
// actions; what is monitored and what is in force is read-only. The device calls [Limiter.Check].
func Limit(name cosem.OBIS, access Rights, k Kept[Limiter]) Object {
	threshold := func(id int8, of func(*Limiter) *axdr.Value) Attr {
		return k.field(id, 0, access, func(l *Limiter, b []byte) []byte { return appendValue(b, *of(l)) }, func(l *Limiter, r *axdr.Reader) error {
			*of(l) = readInteger(r)
			if !l.EmergencyActive {
				l.Active = l.Normal
			} else {
				l.Active = l.Emergency
			}
			return nil
		})
	}
	seconds := func(id int8, of func(*Limiter) *uint32) Attr {
		return k.field(id, axdr.TagUint32, access, func(l *Limiter, b []byte) []byte { return axdr.AppendUint32(b, *of(l)) }, func(l *Limiter, r *axdr.Reader) error {
			*of(l) = r.Uint32()
			return nil
		})
	}
	return Object{
		Class: cosem.ClassLimiter, Instance: name,
		Attrs: []Attr{
			k.field(2, axdr.TagStructure, access, func(l *Limiter, b []byte) []byte { return appendReference(b, l.Value) }, nil),
			k.field(3, 0, access, func(l *Limiter, b []byte) []byte { return appendValue(b, l.Active) }, nil),
			threshold(4, func(l *Limiter) *axdr.Value { return &l.Normal }),
			threshold(5, func(l *Limiter) *axdr.Value { return &l.Emergency }),
			seconds(6, func(l *Limiter) *uint32 { return &l.MinOver }),
			seconds(7, func(l *Limiter) *uint32 { return &l.MinUnder }),
			k.field(8, axdr.TagStructure, access, func(l *Limiter, b []byte) []byte {
				b = axdr.AppendStructureHeader(b, 3)
				b = axdr.AppendUint16(b, l.Profile.ID)
				b = axdr.AppendDateTime(b, l.Profile.Activation)
				return axdr.AppendUint32(b, l.Profile.Duration)
			}, func(l *Limiter, r *axdr.Reader) error {
				r.Structure(3)
				l.Profile = EmergencyProfile{ID: r.Uint16(), Activation: r.DateTime(), Duration: r.Uint32()}
				return nil
			}),
			k.field(9, axdr.TagArray, access, func(l *Limiter, b []byte) []byte {
				return appendArray(b, l.Groups, axdr.AppendUint16)
			}, func(l *Limiter, r *axdr.Reader) (err error) {
				l.Groups, err = readArray(r, maxElements, (*axdr.Reader).Uint16)
				return err
			}),
			k.field(10, axdr.TagBool, access, func(l *Limiter, b []byte) []byte { return axdr.AppendBool(b, l.EmergencyActive) }, nil),
			k.field(11, axdr.TagStructure, access, func(l *Limiter, b []byte) []byte {
				return appendScriptRef(appendScriptRef(axdr.AppendStructureHeader(b, 2), l.Over), l.Under)
			}, func(l *Limiter, r *axdr.Reader) error {
				r.Structure(2)
				l.Over, l.Under = readScriptRef(r), readScriptRef(r)
				return nil
			}),
		},
	}
}

// Parameters is the state of a parameter monitor: the last change of what it watches.
type Parameters struct {
	Watched []cosem.Attribute
	Last    cosem.Attribute
	Value   []byte // encoded; nil before the first
	At      axdr.DateTime
}

// Note remembers a change, if it is of something watched. The device calls it.
func (p *Parameters) Note(a cosem.Attribute, value []byte, at axdr.DateTime) {
	if slices.Contains(p.Watched, a) {
		p.Last, p.Value, p.At = a, slices.Clone(value), at
	}
}

// ParameterMonitor declares class 65 version 0. Write in access covers the methods, which add and remove attributes.
func ParameterMonitor(name cosem.OBIS, access Rights, k Kept[Parameters]) Object {
	return Object{
		Class: cosem.ClassParameterMonitor, Instance: name,
		Attrs: []Attr{
			k.field(2, axdr.TagStructure, access, func(p *Parameters, b []byte) []byte {
				b = axdr.AppendStructureHeader(b, 4)
				b = axdr.AppendUint16(b, uint16(p.Last.Class))
				b = axdr.AppendOctetString(b, p.Last.Instance[:])
				b = axdr.AppendInt8(b, p.Last.ID)
				if len(p.Value) == 0 {
					return axdr.AppendNull(b)
				}
				return append(b, p.Value...)
			}, nil),
			k.field(3, axdr.TagOctetString, access, func(p *Parameters, b []byte) []byte {
				if p.At == (axdr.DateTime{}) {
					return axdr.AppendDateTime(b, axdr.UnspecifiedDateTime)
				}
				return axdr.AppendDateTime(b, p.At)
			}, nil),
			k.field(4, axdr.TagArray, access, func(p *Parameters, b []byte) []byte { return appendArray(b, p.Watched, appendReference) }, nil),
		},
		Methods: []Method{
			k.method(1, access, func(_ *Call, p *Parameters, r *axdr.Reader) error {
				a := readReference(r)
				if len(p.Watched) >= maxElements {
					return cosem.ActionScopeOfAccessViolated
				}
				p.Watched = put(p.Watched, a, func(o cosem.Attribute) bool { return o == a })
				return argument(r)
			}),
			k.method(2, access, func(_ *Call, p *Parameters, r *axdr.Reader) error {
				a := readReference(r)
				if err := argument(r); err != nil {
					return err
				}
				var ok bool
				if p.Watched, ok = without(p.Watched, func(o cosem.Attribute) bool { return o == a }); !ok {
					return cosem.ActionObjectUndefined
				}
				return nil
			}),
		},
	}
}

// Arbiter is the state of an arbitrator: actors ask for actions, each with a say of its own; the action with the most
// weight behind it is run.
type Arbiter struct {
	Actions     []ScriptRef
	Permissions []uint32   // for each actor, bit i lets it ask for action i
	Weightings  [][]uint16 // for each actor, the weight of its request for each action
	Requests    []uint32   // for each actor, what it asked for last
	Outcome     uint8      // action in force, counted from 1; 0 is none
}

// decide is the action with the most weight, counted from 1; of several the first. 0 if nobody asks for any.
func (a *Arbiter) decide() uint8 {
	var best, most int
	for i := range a.Actions {
		sum := 0
		for actor, asked := range a.Requests {
			if asked>>i&1 != 0 && actor < len(a.Weightings) && i < len(a.Weightings[actor]) {
				sum += int(a.Weightings[actor][i])
			}
		}
		if sum > most {
			best, most = i+1, sum
		}
	}
	return uint8(best)
}

// maxActions of an arbitrator.
const maxActions = 32

// Arbitrate declares class 68. Write in access covers the tables and the methods: 1 takes a request {actor, actions}, of
// which only what the actor may ask for counts, and runs the action decided on; 2 forgets all requests (recalled).
func Arbitrate(name cosem.OBIS, access Rights, k Kept[Arbiter]) Object {
	bits := func(n func(*Arbiter) int, of func(*Arbiter) *[]uint32) (func(*Arbiter, []byte) []byte, func(*Arbiter, *axdr.Reader) error) {
		return func(a *Arbiter, b []byte) []byte {
				return appendArray(b, *of(a), func(b []byte, v uint32) []byte { return appendBits(b, v, n(a)) })
			}, func(a *Arbiter, r *axdr.Reader) (err error) {
				*of(a), err = readArray(r, maxElements, readBits)
				return err
			}
	}
	width := func(a *Arbiter) int { return len(a.Actions) }
	permissions, setPermissions := bits(width, func(a *Arbiter) *[]uint32 { return &a.Permissions })
	requests, _ := bits(width, func(a *Arbiter) *[]uint32 { return &a.Requests })
	return Object{
		Class: cosem.ClassArbitrator, Instance: name,
		Attrs: []Attr{
			k.field(2, axdr.TagArray, access, func(a *Arbiter, b []byte) []byte {
				return appendArray(b, a.Actions, appendScriptRef)
			}, func(a *Arbiter, r *axdr.Reader) (err error) {
				a.Actions, err = readArray(r, maxActions, readScriptRef)
				return err
			}),
			k.field(3, axdr.TagArray, access, permissions, setPermissions),
			k.field(4, axdr.TagArray, access, func(a *Arbiter, b []byte) []byte {
				return appendArray(b, a.Weightings, func(b []byte, w []uint16) []byte { return appendArray(b, w, axdr.AppendUint16) })
			}, func(a *Arbiter, r *axdr.Reader) error {
				var inner error
				list, err := readArray(r, maxElements, func(r *axdr.Reader) []uint16 {
					w, err := readArray(r, maxActions, (*axdr.Reader).Uint16)
					inner = errors.Join(inner, err)
					return w
				})
				a.Weightings = list
				return errors.Join(err, inner)
			}),
			k.field(5, axdr.TagArray, access, requests, nil),
			k.field(6, axdr.TagUint8, access, func(a *Arbiter, b []byte) []byte { return axdr.AppendUint8(b, a.Outcome) }, nil),
		},
		Methods: []Method{
			k.method(1, access, func(c *Call, a *Arbiter, r *axdr.Reader) error {
				r.Structure(2)
				actor, asked := int(r.Uint8()), readBits(r)
				if err := argument(r); err != nil {
					return err
				}
				if actor >= len(a.Permissions) {
					return cosem.ActionScopeOfAccessViolated
				}
				if asked &= a.Permissions[actor]; asked == 0 {
					return cosem.ActionReadWriteDenied
				}
				a.Requests = append(slices.Clone(a.Requests), make([]uint32, max(0, len(a.Permissions)-len(a.Requests)))...)
				a.Requests[actor] = asked
				if a.Outcome = a.decide(); a.Outcome == 0 {
					return nil
				}
				return a.Actions[a.Outcome-1].Run(c.Device, c.Now)
			}),
			k.zero(2, access, func(_ *Call, a *Arbiter) error {
				a.Requests, a.Outcome = nil, 0
				return nil
			}),
		},
	}
}

// appendBits appends the lowest n bits of v, bit 0 first.
func appendBits(b []byte, v uint32, n int) []byte {
	var out [4]byte
	for i := range n {
		out[i/8] |= byte(v>>i&1) << (7 - i%8)
	}
	return axdr.AppendBitString(b, out[:(n+7)/8], n)
}

// readBits reads at most 32 bits, the first as bit 0.
func readBits(r *axdr.Reader) (v uint32) {
	bits, n := r.BitString()
	for i := range min(n, 32) {
		v |= uint32(bits[i/8]>>(7-i%8)&1) << i
	}
	return v
}
