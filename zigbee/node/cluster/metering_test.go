package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

func TestProfileOfTheMeter(t *testing.T) {
	m := &Metering{Period: 15 * time.Minute,
		Interval: func(end time.Time) (uint32, bool) { return 7, true },
		Received: func(end time.Time) (uint32, bool) { return 1, end.After(start.Add(-time.Hour)) }}
	p := newPair(t, node.Router, 0, &node.Endpoint{ID: 1}, &node.Endpoint{ID: 1, Clusters: []*node.Cluster{m.Cluster(nil)}})
	ask := func(q se.GetProfile) se.GetProfileResponse {
		t.Helper()
		r := p.command(p.hub, meterEUI, q, 0)
		require.NoError(t, r.Err)
		return r.Command.(se.GetProfileResponse)
	}
	r := ask(se.GetProfile{Periods: 24})
	require.Equal(t, se.ProfileSuccess, r.Status)
	require.EqualValues(t, 3, r.Period)
	require.Len(t, r.Intervals, 24)
	r = ask(se.GetProfile{Periods: 200})
	require.Equal(t, se.ProfileTooManyPeriods, r.Status)
	require.Len(t, r.Intervals, 24, "what fits comes all the same")
	require.Equal(t, []uint32{1, 1, 1, 1}, ask(se.GetProfile{Channel: 1, Periods: 24}).Intervals)
	require.Equal(t, se.ProfileNotSupported, ask(se.GetProfile{Channel: 2, Periods: 1}).Status)
	require.Equal(t, se.ProfileUndefinedChannel, ask(se.GetProfile{Channel: 9, Periods: 1}).Status)
	require.Equal(t, se.ProfileInvalidEndTime, ask(se.GetProfile{EndTime: utc(time.Hour), Periods: 1}).Status)
	m.Interval = func(time.Time) (uint32, bool) { return 0, false }
	require.Equal(t, se.ProfileNoIntervals, ask(se.GetProfile{Periods: 1}).Status)
}

func TestSnapshotsAndSamples(t *testing.T) {
	register, saved := uint64(1000), 0
	s := &Snapshots{
		Take: func(time.Time) (se.SnapshotType, []byte) {
			b, err := se.TOUSnapshot{Summation: register, Tiers: []uint64{register, 0}}.AppendBinary(nil)
			require.NoError(t, err)
			return se.SnapshotTOUDeliveredNoBilling, b
		},
		Causes: ^se.CauseChangeOfMode, Most: 4,
		Register: func(_ time.Time, kind uint8) (uint64, bool) { return register, kind == 0 },
		Changed:  func(all []Snapshot) { saved = len(all) },
	}
	m := &Metering{}
	p := newPair(t, node.Router, 0, &node.Endpoint{ID: 1},
		&node.Endpoint{ID: 1, Clusters: []*node.Cluster{{Spec: &node.Spec{ID: se.Metering, Server: true, Commands: append(m.Commands(), s.Commands()...)}}}})
	ask := func(q se.Command, answer uint8) se.Command {
		t.Helper()
		r := p.command(p.hub, meterEUI, q, answer)
		require.NoError(t, r.Err)
		return r.Command
	}
	refused := func(q se.Command, answer uint8) error {
		t.Helper()
		return p.command(p.hub, meterEUI, q, answer).Err
	}
	require.Equal(t, se.TakeSnapshotResponse{ID: 1}, ask(se.TakeSnapshot{Cause: se.CauseGeneral}, 5))
	require.Equal(t, se.TakeSnapshotResponse{Confirmation: 1}, ask(se.TakeSnapshot{Cause: se.CauseChangeOfMode}, 5))
	x := ask(se.GetSnapshot{Cause: 0xFFFFFFFF}, 6).(se.PublishSnapshot)
	require.EqualValues(t, 1, x.ID)
	require.EqualValues(t, 1, x.Found)
	require.Equal(t, se.CauseGeneral|se.CauseManual, x.Cause)
	tou, _, err := se.ParseTOUSnapshot(x.Type, x.Payload)
	require.NoError(t, err)
	require.EqualValues(t, 1000, tou.Summation)
	require.ErrorIs(t, refused(se.GetSnapshot{Cause: se.CauseTariff}, 6), zcl.NotFound)
	require.ErrorIs(t, refused(se.GetSnapshot{Cause: 0xFFFFFFFF, Offset: 1}, 6), zcl.NotFound)

	daily := se.SnapshotSchedule{ID: 1, Start: se.UTCOf(p.now.Add(time.Hour)), Schedule: 1, Type: se.SnapshotTOUDeliveredNoBilling, Cause: se.CauseGeneral}
	monthly := daily
	monthly.ID, monthly.Schedule = 2, 2<<20|1
	never, wrong := daily, daily
	never.ID, never.Schedule = 3, 3<<20|1
	wrong.ID, wrong.Cause = 4, se.CauseChangeOfMode
	r := ask(se.ScheduleSnapshot{EventID: 9, Total: 1, Schedules: []se.SnapshotSchedule{daily, monthly, never, wrong}}, 4).(se.ScheduleSnapshotResponse)
	require.Equal(t, se.ScheduleSnapshotResponse{EventID: 9, Confirmations: []se.ScheduleConfirmation{{ID: 1}, {ID: 2}, {ID: 3, Confirmation: 1}, {ID: 4, Confirmation: 2}}}, r)

	require.ErrorIs(t, refused(se.StartSampling{Type: 3, Interval: 60, Most: 5}, 13), zcl.InvalidField)
	id := ask(se.StartSampling{Interval: 60, Most: 5}, 13).(se.StartSamplingResponse).ID
	for range 10 {
		register += 3
		p.run(time.Minute)
	}
	d := ask(se.GetSampledData{ID: id, Most: 10}, 7).(se.GetSampledDataResponse)
	require.Equal(t, []uint32{3, 3, 3, 3, 3}, d.Samples)
	require.EqualValues(t, 60, d.Interval)
	d2 := ask(se.GetSampledData{ID: id, Earliest: d.Start + 120, Most: 2}, 7).(se.GetSampledDataResponse)
	require.Len(t, d2.Samples, 2)
	require.Equal(t, d.Start+120, d2.Start)
	require.ErrorIs(t, refused(se.GetSampledData{ID: 77, Most: 1}, 7), zcl.NotFound)
	for range 2 {
		require.NotEqualValues(t, noSampling, ask(se.StartSampling{Interval: 600, Most: 5}, 13).(se.StartSamplingResponse).ID)
	}
	require.EqualValues(t, noSampling, ask(se.StartSampling{Interval: 600, Most: 5}, 13).(se.StartSamplingResponse).ID, "no room")

	p.run(time.Hour)
	require.Len(t, s.All(), 3)
	p.run(24 * time.Hour)
	require.Len(t, s.All(), 4, "a day later, and not a month later")
	require.NotZero(t, s.All()[3].Cause&se.CauseScheduled)
	p.run(24 * time.Hour)
	require.Len(t, s.All(), 4, "the oldest made room")
	require.Equal(t, 4, saved)
	other := &Snapshots{Take: s.Take}
	other.Restore(s.All())
	require.EqualValues(t, s.All()[3].ID+1, other.Add(p.now, se.CauseTariff).ID)
}

func TestSupply(t *testing.T) {
	status := se.SupplyOn
	var other []se.Command
	s := &Supply{
		Change: func(_ time.Time, m se.ChangeSupply) (se.SupplyStatus, error) {
			if m.Provider != 1 {
				return status, zcl.NotAuthorized
			}
			status = m.Status
			return status, nil
		},
		Local: func(_ time.Time, to se.SupplyStatus) error {
			if status != se.SupplyOffArmed {
				return zcl.ActionDenied
			}
			status = to
			return nil
		},
		Set: func(_ time.Time, m se.Command) error { other = append(other, m); return nil },
	}
	var told []se.SupplyStatusResponse
	c := &Side{ID: se.Metering, Doer: DoerFunc(func(_ time.Time, _ Peer, m se.Command) ([]se.Command, error) {
		told = append(told, m.(se.SupplyStatusResponse))
		return nil, nil
	})}
	p := newPair(t, node.Router, 0, &node.Endpoint{ID: 1, Clusters: []*node.Cluster{c.Cluster()}},
		&node.Endpoint{ID: 1, Clusters: []*node.Cluster{{Spec: &node.Spec{ID: se.Metering, Server: true, Commands: s.Commands()}}}})
	c.Attach(p.hub)
	r := p.command(p.hub, meterEUI, se.ChangeSupply{Provider: 1, EventID: 4, Status: se.SupplyOffArmed, Control: 1}, 0x0C)
	require.NoError(t, r.Err)
	require.Equal(t, se.SupplyOffArmed, r.Command.(se.SupplyStatusResponse).Status)
	require.NoError(t, p.command(p.hub, meterEUI, se.LocalChangeSupply{Status: se.SupplyOn}).Err)
	require.ErrorIs(t, p.command(p.hub, meterEUI, se.LocalChangeSupply{Status: se.SupplyOff}).Err, zcl.ActionDenied)
	require.ErrorIs(t, p.command(p.hub, meterEUI, se.ChangeSupply{Provider: 2}).Err, zcl.NotAuthorized)
	require.ErrorIs(t, p.command(p.hub, meterEUI, se.ChangeSupply{Provider: 1, Status: 9}).Err, zcl.InvalidField)

	later := se.ChangeSupply{Provider: 1, EventID: 5, Time: se.UTCOf(p.now.Add(time.Hour)), Status: se.SupplyOff, Control: 1}
	require.NoError(t, p.command(p.hub, meterEUI, later).Err)
	p.run(59 * time.Minute)
	require.Equal(t, se.SupplyOn, status)
	p.run(2 * time.Minute)
	require.Equal(t, se.SupplyOff, status)
	require.Len(t, told, 1)
	require.EqualValues(t, 5, told[0].EventID)
	later.Time, later.Status = se.UTCOf(p.now.Add(time.Hour)), se.SupplyOn
	require.NoError(t, p.command(p.hub, meterEUI, later).Err)
	later.Time = never
	require.NoError(t, p.command(p.hub, meterEUI, later).Err)
	p.run(2 * time.Hour)
	require.Equal(t, se.SupplyOff, status, "taken back")
	for _, m := range []se.Command{se.ResetLoadLimitCounter{}, se.SetSupplyStatus{}, se.SetUncontrolledFlowThreshold{}} {
		require.NoError(t, p.command(p.hub, meterEUI, m).Err)
	}
	require.Len(t, other, 3)
}

func TestKeepAliveAndTime(t *testing.T) {
	var set []time.Duration
	lost := 0
	skew := 42 * time.Second
	k := &KeepAliveClient{Lost: func(time.Time) { lost++ }}
	tc := &TimeClient{Set: func(now, server time.Time) { set = append(set, server.Sub(now)) }}
	clock := &Clock{Now: func(now time.Time) time.Time { return now.Add(skew) }}
	hub := &node.Endpoint{ID: 1, Clusters: []*node.Cluster{KeepAlive, clock.Cluster()}}
	p := newPair(t, node.Router, 0, hub, &node.Endpoint{ID: 1, Clusters: []*node.Cluster{k.Cluster(), tc.Cluster()}})
	k.Start(p.now, p.meter)
	tc.Start(p.now, p.meter)
	p.run(time.Hour)
	require.Len(t, set, 1)
	require.InDelta(t, 42, set[0].Seconds(), 1)
	require.WithinDuration(t, p.now, k.Seen(), 13*time.Minute)
	p.run(25 * time.Hour)
	require.Len(t, set, 2)
	require.Zero(t, lost)

	p.air.SetLoss(1_000_000)
	p.run(2 * time.Hour)
	require.Positive(t, lost)
	p.air.SetLoss(0)
	require.True(t, p.until(30*time.Minute, p.meter.Up), "it finds its network again")
	seen := k.Seen()
	p.run(30 * time.Minute)
	require.True(t, k.Seen().After(seen))
}

// A hub leaves commands for a meter that sleeps; the meter hears of them with the answer to its report and fetches them.
func TestTwoWayMirror(t *testing.T) {
	for _, scheme := range []se.NotificationScheme{se.SchemeA, se.SchemeB} {
		reading := uint64(1000)
		host := &MirrorHost{}
		b := &Basic{MirrorRoom: host.Room}
		supply := se.SupplyOn
		s := &Supply{Change: func(_ time.Time, m se.ChangeSupply) (se.SupplyStatus, error) { supply = m.Status; return supply, nil }}
		var words [][]uint32
		m := &Mirrored{Readings: gas(&reading), Notifications: true, Scheme: scheme, Flags: func(_ time.Time, w []uint32) { words = append(words, w) }}
		p := newPair(t, node.Sleepy, 0, &node.Endpoint{ID: 1, Clusters: []*node.Cluster{host.Cluster(), b.Cluster()}},
			&node.Endpoint{ID: 1, Clusters: []*node.Cluster{m.Cluster(nil, s.Commands()...)}})
		saved := 0
		host.Changed = func() { saved++ }
		host.Attach(p.hub)
		m.Start(p.now, p.meter)
		require.True(t, p.until(time.Minute, func() bool { return len(words) == 1 }))
		require.Len(t, words[0], scheme.Flags())
		require.Equal(t, 2, saved)
		p.run(10 * time.Second)

		require.True(t, host.Leave(meterEUI, 0, se.NotifyChangeSupply, se.ChangeSupply{Status: se.SupplyOffArmed}))
		require.False(t, host.Leave(hubEUI, 0, 1, se.ChangeSupply{}))
		host.FlagWord(meterEUI, 2, 1<<3, 0)
		require.True(t, p.until(time.Hour, func() bool { return len(words) == 2 }))
		require.EqualValues(t, se.NotifyChangeSupply, words[1][0])
		if scheme == se.SchemeB {
			require.EqualValues(t, 1<<3, words[1][2])
		}
		var done []error
		m.Fetch(p.now, 0, se.NotifyChangeSupply, func(_ time.Time, err error) { done = append(done, err) })
		require.True(t, p.until(time.Minute, func() bool { return len(done) == 1 && supply == se.SupplyOffArmed }))
		require.NoError(t, done[0])
		m.Fetch(p.now, 0, se.NotifyChangeSupply, func(_ time.Time, err error) { done = append(done, err) })
		require.True(t, p.until(time.Minute, func() bool { return len(done) == 2 }))
		require.ErrorIs(t, done[1], zcl.NotFound)
		m.Fetch(p.now, 7, 1, func(_ time.Time, err error) { done = append(done, err) })
		require.True(t, p.until(time.Minute, func() bool { return len(done) == 3 }))
		require.ErrorIs(t, done[2], zcl.InvalidField)

		// The hub restarts with its mirrors; nobody asks for new ones.
		again := &MirrorHost{}
		require.NoError(t, again.Restore(host.State()))
		require.Error(t, again.Restore([]byte{1, 2, 3}))
		require.Equal(t, host.State(), again.State())

		require.NoError(t, m.Configure(p.now, se.ConfigureNotificationScheme{EventID: 2, Scheme: se.SchemeA}, func(_ time.Time, err error) { done = append(done, err) }))
		require.True(t, p.until(time.Minute, func() bool { return len(done) == 4 }))
		require.NoError(t, m.Configure(p.now, se.ConfigureNotificationFlags{EventID: 2, Scheme: se.SchemeB, Attribute: 1, ClusterID: 0x0700, Commands: []byte{6}}, func(_ time.Time, err error) { done = append(done, err) }))
		require.True(t, p.until(time.Minute, func() bool { return len(done) == 5 }))
		require.NoError(t, done[3])
		require.NoError(t, done[4])
		require.NoError(t, m.Remove(p.now, func(_ time.Time, err error) { done = append(done, err) }))
		require.True(t, p.until(time.Minute, func() bool { return len(done) == 6 }))
		require.NoError(t, done[5])
		require.True(t, host.Room())
		require.Empty(t, host.State())
	}
}

// An hour of a home's air: a sleeping gas meter that polls every 6 s and reports every half hour, an electricity reading
// every 10 s, link status and keep-alive, with every frame of it.
func BenchmarkHourOfAHome(b *testing.B) {
	reading := uint64(1000)
	host := &MirrorHost{}
	basic := &Basic{MirrorRoom: host.Room}
	m := &Mirrored{Readings: gas(&reading)}
	p := newPair(b, node.Sleepy, 0, &node.Endpoint{ID: 1, Clusters: []*node.Cluster{host.Cluster(), basic.Cluster()}},
		&node.Endpoint{ID: 1, Clusters: []*node.Cluster{m.Cluster(nil)}})
	host.Attach(p.hub)
	m.Start(p.now, p.meter)
	frames := p.air.Stats().Frames
	b.ReportAllocs()
	for b.Loop() {
		p.run(time.Hour)
	}
	b.ReportMetric(float64(p.air.Stats().Frames-frames)/float64(b.N), "frames")
}
