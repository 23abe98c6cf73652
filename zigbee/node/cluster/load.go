package cluster

import (
	"math/rand/v2"
	"time"

	"smets1/zigbee/zcl/se"
)

// EventStatus is what a load control device reports of an event.
type EventStatus = uint8

// The states (Smart Energy, table D-13; the rejections recalled).
const (
	EventReceived       EventStatus = 0x01
	EventStarted        EventStatus = 0x02
	EventCompleted      EventStatus = 0x03
	EventOptOut         EventStatus = 0x04
	EventOptIn          EventStatus = 0x05
	EventCancelled      EventStatus = 0x06
	EventSuperseded     EventStatus = 0x07
	EventRejectedCancel EventStatus = 0xFC // the time of the cancellation
	EventExpired        EventStatus = 0xFB
	EventUndefined      EventStatus = 0xFD // a cancellation of what is not known
	EventRejected       EventStatus = 0xFE
)

// LoadController is a device that switches loads as the supplier's events say: the Doer of a client of DRLC. It reports
// each step of an event to the one who sent it.
type LoadController struct {
	// Side is the cluster that it is the Doer of.
	Side *Side
	// Class is the kinds of load it has, Group its enrolment group. Zero takes any.
	Class uint16
	Group uint8
	// Switch is told when an event begins (EventStarted) and how it ends. Nil has no loads to switch.
	Switch func(now time.Time, m se.LoadControlEvent, status EventStatus)
	// Rand puts off starts and ends where an event asks for that. Nil puts off nothing.
	Rand *rand.Rand

	events []*loadEvent
}

// loadEvent is one that is known.
type loadEvent struct {
	se.LoadControlEvent
	from    Peer
	begin   time.Time
	end     time.Time
	started bool
	optOut  bool
	timer   func()
}

// randomMost is by how much a start or an end is put off at most (Smart Energy, clause D.2.2.2; published).
const randomMost = 5 * time.Minute

const (
	maxEvents      = 8 // ours
	controlStart   = 1 << 0
	controlEnd     = 1 << 1
	cancelRandomly = 1 << 0
)

// Events is how many events are scheduled or running.
func (l *LoadController) Events() int { return len(l.events) }

// Do implements Doer.
func (l *LoadController) Do(now time.Time, from Peer, m se.Command) ([]se.Command, error) {
	switch m := m.(type) {
	case se.LoadControlEvent:
		l.take(now, from, m)
	case se.CancelLoadControlEvent:
		l.cancel(now, from, m)
	case se.CancelAllLoadControlEvents:
		for len(l.events) > 0 {
			l.finish(now, l.events[0], EventCancelled)
		}
	default:
	}
	return nil, nil
}

func (l *LoadController) off(wanted bool) time.Duration {
	if !wanted || l.Rand == nil {
		return 0
	}
	return time.Duration(l.Rand.Int64N(int64(randomMost)))
}

func (l *LoadController) take(now time.Time, from Peer, m se.LoadControlEvent) {
	if l.Class != 0 && m.DeviceClass&l.Class == 0 || l.Group != 0 && m.Group != 0 && m.Group != l.Group {
		return // for others
	}
	for _, e := range l.events {
		if e.EventID == m.EventID && e.from == from {
			return // known
		}
	}
	begin := now
	if m.Start != 0 {
		begin = m.Start.Time()
	}
	end := begin.Add(time.Duration(m.Duration) * time.Minute)
	e := &loadEvent{LoadControlEvent: m, from: from}
	switch {
	case begin.IsZero() || m.Duration == 0 || m.Duration > 1440 || m.Criticality == 0 || m.Criticality > 15 || len(l.events) >= maxEvents:
		l.tell(now, e, EventRejected)
		return
	case !end.After(now):
		l.tell(now, e, EventExpired)
		return
	}
	begin = begin.Add(l.off(m.Control&controlStart != 0))
	e.begin, e.end = begin, end.Add(l.off(m.Control&controlEnd != 0))
	l.tell(now, e, EventReceived)
	for i := len(l.events) - 1; i >= 0; i-- { // the newer one is in force where two overlap
		if o := l.events[i]; o.DeviceClass&m.DeviceClass != 0 && o.begin.Before(e.end) && e.begin.Before(o.end) {
			l.finish(now, o, EventSuperseded)
		}
	}
	l.events = append(l.events, e)
	l.at(now, e, e.begin, func(now time.Time) {
		e.started = true
		status := EventStarted
		if e.optOut {
			status = EventOptOut
		} else {
			l.switched(now, e, EventStarted)
		}
		l.tell(now, e, status)
		l.at(now, e, e.end, func(now time.Time) { l.finish(now, e, EventCompleted) })
	})
}

func (l *LoadController) at(now time.Time, e *loadEvent, when time.Time, f func(now time.Time)) {
	if e.timer != nil {
		e.timer()
	}
	e.timer = l.Side.node.After(now, max(when.Sub(now), 0), f)
}

func (l *LoadController) switched(now time.Time, e *loadEvent, s EventStatus) {
	if l.Switch != nil {
		l.Switch(now, e.LoadControlEvent, s)
	}
}

// finish ends an event.
func (l *LoadController) finish(now time.Time, e *loadEvent, s EventStatus) {
	if e.timer != nil {
		e.timer()
	}
	for i, o := range l.events {
		if o == e {
			l.events = append(l.events[:i], l.events[i+1:]...)
			break
		}
	}
	if e.started && !e.optOut {
		l.switched(now, e, s)
	}
	l.tell(now, e, s)
}

func (l *LoadController) cancel(now time.Time, from Peer, m se.CancelLoadControlEvent) {
	for _, e := range l.events {
		if e.EventID != m.EventID || e.from != from {
			continue
		}
		when := now
		if m.Effective != 0 {
			if when = m.Effective.Time(); when.IsZero() || when.After(e.end) {
				l.tell(now, e, EventRejectedCancel)
				return
			}
		}
		when = when.Add(l.off(m.Control&cancelRandomly != 0))
		if !when.After(now) {
			l.finish(now, e, EventCancelled)
			return
		}
		if when.Before(e.begin) || e.started {
			l.at(now, e, when, func(now time.Time) { l.finish(now, e, EventCancelled) })
			return
		}
		e.end = when
		return
	}
	l.tell(now, &loadEvent{LoadControlEvent: se.LoadControlEvent{
		EventID: m.EventID, Criticality: 1, CoolingSetPoint: se.NoTemperature, HeatingSetPoint: se.NoTemperature, LoadAdjustment: se.NoLoadPercent, DutyCycle: se.NoDutyCycle,
	}, from: from}, EventUndefined)
}

// Opt has the consumer leave an event, or take part in it again. It is false for an event that is not known.
func (l *LoadController) Opt(now time.Time, event uint32, in bool) bool {
	for _, e := range l.events {
		if e.EventID != event {
			continue
		}
		if e.optOut == !in {
			return true
		}
		e.optOut = !in
		s := EventOptOut
		if in {
			s = EventOptIn
		}
		if e.started {
			l.switched(now, e, s)
		}
		l.tell(now, e, s)
		return true
	}
	return false
}

func (l *LoadController) tell(now time.Time, e *loadEvent, s EventStatus) {
	r := se.ReportEventStatus{
		EventID: e.EventID, Status: s, Time: se.UTCOf(now), Criticality: e.Criticality, CoolingSetPoint: e.CoolingSetPoint,
		HeatingSetPoint: e.HeatingSetPoint, LoadAdjustment: e.LoadAdjustment, DutyCycle: e.DutyCycle, Control: e.Control, SignatureType: se.NoSignature,
	}
	for i := range r.Signature {
		r.Signature[i] = 0xFF
	}
	_ = l.Side.Tell(now, e.from, r)
}
