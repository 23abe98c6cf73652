package cluster

import (
	"slices"
	"time"

	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// Snapshot is the registers of a meter at a time.
type Snapshot struct {
	ID      uint32
	Time    time.Time
	Cause   uint32 // se.Cause bits
	Type    se.SnapshotType
	Payload []byte
}

// Snapshots is what a Metering server keeps: snapshots taken when asked for or on schedule, and samples. Take and Register
// are the meter's registers; all else is kept here.
type Snapshots struct {
	// Take gives the registers as a snapshot has them.
	Take func(now time.Time) (t se.SnapshotType, payload []byte)
	// Causes are those that a snapshot may be asked for with, se.Cause bits. Zero means all.
	Causes uint32
	// Most is how many snapshots are kept; older ones go. Zero means 12.
	Most int
	// Register is a register that samples are taken of, by the type of sample; false if there is none such. Nil takes no
	// samples.
	Register func(now time.Time, kind uint8) (units uint64, ok bool)
	// Changed is told when a snapshot was taken, so that it can be saved. It may be nil.
	Changed func(all []Snapshot)

	all       []Snapshot // oldest first
	next      uint32
	schedules map[uint8]func()
	samplings []*sampling
	sampled   uint16
}

// sampling is one that runs or has run.
type sampling struct {
	id       uint16
	kind     uint8
	start    time.Time
	interval time.Duration
	most     int
	last     uint64
	samples  []uint32
	cancel   func()
}

// Limits (ours), and the answers to schedules (Smart Energy, table D-68; published).
const (
	keptSnapshots = 12
	maxSamplings  = 2
	maxSamples    = 336 // a week of half hours
	maxSchedules  = 4
	anyCause      = 0xFFFFFFFF
	noSampling    = 0xFFFF

	scheduleAccepted  = 0
	scheduleType      = 1
	scheduleCause     = 2
	scheduleNoRoom    = 5
	scheduleDaily     = 0
	scheduleWeekly    = 1
	scheduleMonthly   = 2
	snapshotRefused   = 1
	samplesInResponse = 24
)

// All gives the snapshots that are kept, oldest first.
func (s *Snapshots) All() []Snapshot { return slices.Clone(s.all) }

// Restore puts snapshots back that were saved.
func (s *Snapshots) Restore(all []Snapshot) {
	s.all = slices.Clone(all)
	for i := range all {
		s.next = max(s.next, all[i].ID)
	}
}

// Add takes a snapshot for a cause of the meter's own: the end of a billing period, a change of tariff or supplier.
func (s *Snapshots) Add(now time.Time, cause uint32) Snapshot {
	s.next++
	x := Snapshot{ID: s.next, Time: now, Cause: cause}
	x.Type, x.Payload = s.Take(now)
	most := s.Most
	if most == 0 {
		most = keptSnapshots
	}
	if s.all = append(s.all, x); len(s.all) > most {
		s.all = slices.Delete(s.all, 0, len(s.all)-most)
	}
	if s.Changed != nil {
		s.Changed(s.All())
	}
	return x
}

// Commands are those of the Metering server that snapshots and samples are asked for with.
func (s *Snapshots) Commands() []node.Command {
	return []node.Command{
		{ID: 0x04, Handle: func(c *node.Call, m se.Command) error { return s.schedule(c, m.(se.ScheduleSnapshot)) }},
		{ID: 0x05, Handle: func(c *node.Call, m se.Command) error { return s.take(c, m.(se.TakeSnapshot)) }},
		{ID: 0x06, Handle: func(c *node.Call, m se.Command) error { return s.get(c, m.(se.GetSnapshot)) }},
		{ID: 0x07, Handle: func(c *node.Call, m se.Command) error { return s.sample(c, m.(se.StartSampling)) }},
		{ID: 0x08, Handle: func(c *node.Call, m se.Command) error { return s.samples(c, m.(se.GetSampledData)) }},
	}
}

func (s *Snapshots) allows(cause uint32) bool { return s.Causes == 0 || cause&^s.Causes == 0 }

func (s *Snapshots) take(c *node.Call, m se.TakeSnapshot) error {
	if !s.allows(m.Cause) {
		c.Reply(se.TakeSnapshotResponse{Confirmation: snapshotRefused})
		return nil
	}
	c.Reply(se.TakeSnapshotResponse{ID: s.Add(c.Now, m.Cause|se.CauseManual).ID})
	return nil
}

// get sends one snapshot, that at the offset among those that fit; the answer says how many there are.
func (s *Snapshots) get(c *node.Call, m se.GetSnapshot) error {
	var found []*Snapshot
	for i := range s.all {
		x := &s.all[i]
		at := se.UTCOf(x.Time)
		if at >= m.Earliest && (m.Latest == 0 || at <= m.Latest) && (m.Cause == anyCause || x.Cause&m.Cause != 0) {
			found = append(found, x)
		}
	}
	if int(m.Offset) >= len(found) {
		return zcl.NotFound
	}
	x := found[m.Offset]
	c.Reply(se.PublishSnapshot{ID: x.ID, Time: se.UTCOf(x.Time), Found: uint8(min(len(found), 255)), Total: 1, Cause: x.Cause, Type: x.Type, Payload: x.Payload})
	return nil
}

func (s *Snapshots) schedule(c *node.Call, m se.ScheduleSnapshot) error {
	r := se.ScheduleSnapshotResponse{EventID: m.EventID}
	for _, x := range m.Schedules {
		confirmation := uint8(scheduleAccepted)
		switch {
		case x.Schedule>>20&3 > scheduleMonthly || x.Schedule&0xFFFFF == 0 || x.Start.Time().IsZero():
			confirmation = scheduleType
		case !s.allows(x.Cause):
			confirmation = scheduleCause
		case s.schedules[x.ID] == nil && len(s.schedules) >= maxSchedules:
			confirmation = scheduleNoRoom
		default:
			s.plan(c.Now, c.Node, x)
		}
		r.Confirmations = append(r.Confirmations, se.ScheduleConfirmation{ID: x.ID, Confirmation: confirmation})
	}
	c.Reply(r)
	return nil
}

// plan sets a schedule in place of the one of the same number.
func (s *Snapshots) plan(now time.Time, n *node.Node, x se.SnapshotSchedule) {
	if cancel := s.schedules[x.ID]; cancel != nil {
		cancel()
	}
	if s.schedules == nil {
		s.schedules = map[uint8]func(){}
	}
	at := now
	if x.Start != 0 {
		at = x.Start.Time()
	}
	count := int(x.Schedule & 0xFFFFF)
	step := func(t time.Time) time.Time {
		switch x.Schedule >> 20 & 3 {
		case scheduleDaily:
			return t.AddDate(0, 0, count)
		case scheduleWeekly:
			return t.AddDate(0, 0, 7*count)
		default:
			return t.AddDate(0, count, 0)
		}
	}
	for at.Before(now) {
		at = step(at)
	}
	var due func(now time.Time)
	due = func(now time.Time) {
		s.Add(now, x.Cause|se.CauseScheduled)
		at = step(at)
		s.schedules[x.ID] = n.After(now, at.Sub(now), due)
	}
	s.schedules[x.ID] = n.After(now, at.Sub(now), due)
}

func (s *Snapshots) sample(c *node.Call, m se.StartSampling) error {
	if s.Register == nil {
		return zcl.UnsupportedClusterCommand
	}
	if _, ok := s.Register(c.Now, m.Type); !ok || m.Interval == 0 || m.Most == 0 || m.Most > maxSamples {
		return zcl.InvalidField
	}
	running := 0
	for _, x := range s.samplings {
		if x.cancel != nil {
			running++
		}
	}
	if running >= maxSamplings {
		c.Reply(se.StartSamplingResponse{ID: noSampling})
		return nil
	}
	if len(s.samplings) >= maxSamplings { // one that is over makes room
		s.samplings = slices.Delete(s.samplings, 0, 1+slices.IndexFunc(s.samplings, func(x *sampling) bool { return x.cancel == nil }))
	}
	s.sampled++
	x := &sampling{id: s.sampled, kind: m.Type, start: c.Now, interval: time.Duration(m.Interval) * time.Second, most: int(m.Most)}
	if at := m.Start.Time(); m.Start != 0 && at.After(c.Now) {
		x.start = at
	}
	s.samplings = append(s.samplings, x)
	n := c.Node
	var next func(now time.Time)
	next = func(now time.Time) {
		v, _ := s.Register(now, x.kind)
		x.samples = append(x.samples, uint32(min(v-x.last, uint64(se.NoInterval-1))))
		x.last = v
		if x.cancel = nil; len(x.samples) < x.most {
			x.cancel = n.After(now, x.interval, next)
		}
	}
	x.cancel = n.After(c.Now, x.start.Sub(c.Now), func(now time.Time) {
		x.last, _ = s.Register(now, x.kind)
		x.cancel = n.After(now, x.interval, next)
	})
	c.Reply(se.StartSamplingResponse{ID: x.id})
	return nil
}

func (s *Snapshots) samples(c *node.Call, m se.GetSampledData) error {
	for _, x := range s.samplings {
		if x.id != m.ID || x.kind != m.Type {
			continue
		}
		from := 0
		for m.Earliest != 0 && from < len(x.samples) && se.UTCOf(x.start.Add(time.Duration(from)*x.interval)) < m.Earliest {
			from++
		}
		part := x.samples[from:]
		part = part[:min(len(part), int(m.Most), samplesInResponse)]
		if len(part) == 0 {
			return zcl.NotFound
		}
		c.Reply(se.GetSampledDataResponse{
			ID: x.id, Start: se.UTCOf(x.start.Add(time.Duration(from) * x.interval)), Type: x.kind, Interval: uint16(x.interval / time.Second), Samples: part,
		})
		return nil
	}
	return zcl.NotFound
}
