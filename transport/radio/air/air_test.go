package air

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/transport/radio"
)

var start = time.Date(2019, 7, 15, 8, 0, 0, 0, time.UTC)

// station notes what it gets.
type station struct {
	port     *Port
	received []string
	sent     []string
	at       []time.Time
	then     func(now time.Time)
}

func (s *station) Received(now time.Time, psdu []byte, rssi int8, lqi uint8) {
	s.received = append(s.received, fmt.Sprintf("%d %s", psdu[2], now.Sub(start)))
	s.at = append(s.at, now)
}

func (s *station) Sent(now time.Time, pending bool, err error) {
	s.sent = append(s.sent, fmt.Sprintf("%s pending=%t %v", now.Sub(start), pending, err))
	if s.then != nil {
		s.then(now)
	}
}

func eui(i int) wire.EUI64 { return wire.EUI64{7: byte(i)} }

func open(a *Air, pan uint16, short uint16) *station {
	s := &station{}
	s.port = a.Open(s)
	s.port.Address(pan, short, eui(int(short)))
	s.port.Tune(start, 15, true)
	return s
}

// data is a data frame with short addresses and an acknowledgement request unless it is a broadcast.
func data(pan, dst, src uint16, seq byte, payload int) []byte {
	b := []byte{0x61, 0x88, seq}
	if dst == 0xFFFF {
		b[0] = 0x41
	}
	b = binary.LittleEndian.AppendUint16(b, pan)
	b = binary.LittleEndian.AppendUint16(b, dst)
	b = binary.LittleEndian.AppendUint16(b, src)
	b = append(b, make([]byte, payload)...)
	return finish(b)
}

func finish(b []byte) []byte { return binary.LittleEndian.AppendUint16(b, wire.CRC16Kermit(b)) }

func run(a *Air, until time.Time) {
	for d := a.Deadline(); !d.IsZero() && !d.After(until); d = a.Deadline() {
		a.Advance(d)
	}
}

func TestAFrameTakesItsAirtime(t *testing.T) {
	a := New(Config{Seed: 1})
	x, y, far, other := open(a, 1, 1), open(a, 1, 2), open(a, 1, 3), open(a, 2, 2)
	a.Link(x.port, far.port, Unheard)
	var tapped []radio.Frame
	a.Tap(func(f radio.Frame) { f.PSDU = append([]byte(nil), f.PSDU...); tapped = append(tapped, f) })

	psdu := data(1, 2, 1, 77, 20)
	require.NoError(t, x.port.Transmit(start, psdu, 3))
	require.ErrorIs(t, x.port.Transmit(start, psdu, 3), radio.ErrBusy)
	run(a, start.Add(time.Second))

	require.Len(t, tapped, 2, "frame and acknowledgement")
	require.Equal(t, psdu, tapped[0].PSDU)
	require.Equal(t, radio.Airtime(len(psdu)), tapped[0].End.Sub(tapped[0].Start))
	require.Equal(t, 37*32*time.Microsecond, tapped[0].End.Sub(tapped[0].Start))
	require.Equal(t, radio.Turnaround, tapped[1].Start.Sub(tapped[0].End))
	require.Equal(t, "0200 4d", fmt.Sprintf("%x %x", tapped[1].PSDU[:2], tapped[1].PSDU[2]))
	require.Zero(t, tapped[0].Start.Sub(start.Add(radio.CCATime+radio.Turnaround))%radio.UnitBackoff, "whole back-off periods")

	require.Equal(t, []string{fmt.Sprintf("77 %s", tapped[0].End.Sub(start))}, y.received)
	require.Equal(t, []string{fmt.Sprintf("%s pending=false <nil>", tapped[1].End.Sub(start))}, x.sent)
	require.Empty(t, far.received, "out of reach")
	require.Empty(t, other.received, "another network on the same channel")
	require.True(t, a.Deadline().IsZero())
}

func TestNobodyAnswersUntilTheRetriesAreUp(t *testing.T) {
	a := New(Config{Seed: 2})
	x := open(a, 1, 1)
	require.NoError(t, x.port.Transmit(start, data(1, 2, 1, 5, 0), 3))
	run(a, start.Add(time.Second))
	require.Len(t, x.sent, 1)
	require.Contains(t, x.sent[0], radio.ErrNoAck.Error())
	require.EqualValues(t, 4, a.Stats().Frames)
	require.EqualValues(t, 3, a.Stats().Repeated)
}

func TestReceiverOffHearsNothingButAcknowledgements(t *testing.T) {
	a := New(Config{Seed: 3})
	x, y := open(a, 1, 1), open(a, 1, 2)
	x.port.Tune(start, 15, false)
	require.NoError(t, y.port.Transmit(start, data(1, 0xFFFF, 2, 1, 0), 0))
	run(a, start.Add(time.Second))
	require.Empty(t, x.received)
	require.NoError(t, x.port.Transmit(start.Add(time.Second), data(1, 2, 1, 9, 0), 0))
	run(a, start.Add(2*time.Second))
	require.Contains(t, x.sent[0], "<nil>")
	// Switched on in the middle of a frame it does not hear that one either.
	require.NoError(t, y.port.Transmit(start.Add(2*time.Second), data(1, 0xFFFF, 2, 2, 100), 0))
	a.Advance(a.Deadline()) // sensed
	a.Advance(a.Deadline()) // on the air
	x.port.Tune(a.Deadline().Add(-time.Microsecond), 15, true)
	run(a, start.Add(3*time.Second))
	require.Empty(t, x.received)
}

func TestFramePendingFollowsTheList(t *testing.T) {
	for name, tc := range map[string]struct {
		match   func(p *Port)
		pending string
	}{
		"before any list": {func(*Port) {}, "pending=true"},
		"listed":          {func(p *Port) { p.Pending([]uint16{9, 1}, nil) }, "pending=true"},
		"not listed":      {func(p *Port) { p.Pending([]uint16{9}, nil) }, "pending=false"},
	} {
		t.Run(name, func(t *testing.T) {
			a := New(Config{})
			x, y := open(a, 1, 1), open(a, 1, 2)
			tc.match(y.port)
			poll := finish([]byte{0x63, 0x88, 1, 1, 0, 2, 0, 1, 0, 4})
			require.NoError(t, x.port.Transmit(start, poll, 0))
			run(a, start.Add(time.Second))
			require.Contains(t, x.sent[0], tc.pending)
		})
	}
}

// Stations that hear each other take turns; stations that do not hear each other collide at the one between them.
func TestCarrierSenseAndHiddenStations(t *testing.T) {
	for name, hidden := range map[string]bool{"heard": false, "hidden": true} {
		t.Run(name, func(t *testing.T) {
			a := New(Config{Seed: 4})
			x, y, hub := open(a, 1, 1), open(a, 1, 2), open(a, 1, 0)
			if hidden {
				a.Link(x.port, y.port, Unheard)
			}
			n := byte(0)
			for _, s := range []*station{x, y} {
				from := uint16(s.port.index + 1)
				s.then = func(now time.Time) {
					if n++; n < 200 {
						require.NoError(t, s.port.Transmit(now, data(1, 0, from, n, 100), 0))
					}
				}
				require.NoError(t, s.port.Transmit(start, data(1, 0, from, n, 100), 0))
			}
			run(a, start.Add(time.Minute))
			if hidden {
				require.Greater(t, a.Stats().Collisions, uint64(50))
			} else {
				require.Less(t, a.Stats().Collisions, uint64(60), "only those that drew the same back-off")
				require.Greater(t, len(hub.received), 130)
			}
		})
	}
}

func TestTheStrongerFrameSurvives(t *testing.T) {
	a := New(Config{Seed: 5})
	near, far, hub := open(a, 1, 1), open(a, 1, 2), open(a, 1, 0)
	a.Link(near.port, far.port, Unheard)
	a.Link(near.port, hub.port, -40)
	a.Link(far.port, hub.port, -80)
	for i := range 50 {
		at := start.Add(time.Duration(i) * time.Second)
		require.NoError(t, near.port.Transmit(at, data(1, 0, 1, 1, 100), 0))
		require.NoError(t, far.port.Transmit(at, data(1, 0, 2, 2, 100), 0))
		run(a, at.Add(time.Second-1))
	}
	got := map[byte]int{}
	for _, r := range hub.received {
		got[r[0]]++
	}
	require.Equal(t, 50, got['1'])
	require.Less(t, got['2'], 25)
}

func TestLossIsSeeded(t *testing.T) {
	play := func(seed uint64) ([]string, Stats) {
		a := New(Config{Seed: seed, Loss: 300_000, Interference: Interference{Share: 50_000}})
		x, y := open(a, 1, 1), open(a, 1, 2)
		n := byte(0)
		x.then = func(now time.Time) {
			if n++; n < 250 {
				require.NoError(t, x.port.Transmit(now, data(1, 2, 1, n, 30), 3))
			}
		}
		x.then(start)
		run(a, start.Add(time.Minute))
		return append(y.received, x.sent...), a.Stats()
	}
	one, stats := play(1)
	again, statsAgain := play(1)
	require.Equal(t, one, again)
	require.Equal(t, stats, statsAgain)
	other, _ := play(2)
	require.NotEqual(t, one, other)
	share := float64(stats.Lost) / float64(stats.Frames)
	require.InDelta(t, 0.35, share, 0.08)
}

func TestBytesPerAir(t *testing.T) {
	const n = 2000
	airs := make([]*Air, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range airs {
		a := New(Config{Seed: uint64(i)})
		var first *station
		for k := range 4 {
			s := &station{}
			s.port = a.Open(s)
			s.port.Address(1, uint16(k), eui(k))
			s.port.Tune(start, 15, true)
			if k == 0 {
				first = s
			}
		}
		a.Link(a.ports[0], a.ports[1], -60)
		require.NoError(t, first.port.Transmit(start, data(1, 1, 0, 1, 40), 3))
		run(a, start.Add(time.Second))
		for _, p := range a.ports {
			p.client = nil
		}
		airs[i] = a
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := int(after.HeapAlloc-before.HeapAlloc) / n
	runtime.KeepAlive(airs)
	t.Logf("%d bytes for an air of four stations at rest", per)
	require.Less(t, per, 4096)
}

func BenchmarkExchange(b *testing.B) {
	a := New(Config{Seed: 1})
	x, y := open(a, 1, 1), open(a, 1, 2)
	psdu := data(1, 2, 1, 1, 90)
	now := start
	b.ReportAllocs()
	for b.Loop() {
		if err := x.port.Transmit(now, psdu, 3); err != nil {
			b.Fatal(err)
		}
		for d := a.Deadline(); !d.IsZero(); d = a.Deadline() {
			now = d
			a.Advance(d)
		}
		x.sent, y.received, y.at = x.sent[:0], y.received[:0], y.at[:0]
	}
}
