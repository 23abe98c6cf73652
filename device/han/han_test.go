package han

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/hub"
	"smets1/dlms/wrapper"
	"smets1/internal/wire"
	"smets1/transport/radio"
	"smets1/zigbee/node/cluster"
	"smets1/zigbee/zcl/se"
)

var (
	start   = time.Date(2019, 7, 15, 8, 0, 0, 0, time.UTC)
	hubEUI  = wire.MustEUI64("00-DB-12-34-56-78-90-A0")
	esmeEUI = wire.MustEUI64("00-DB-12-34-56-78-90-A1")
	gsmeEUI = wire.MustEUI64("00-DB-12-34-56-78-90-A2")
	ihdEUI  = wire.MustEUI64("00-DB-12-34-56-78-90-A3")
)

// echo answers a unit with its body reversed, to the client that asked.
type echo struct{ size int }

func (e echo) ServeFrame(_ time.Time, frame, dst []byte) []byte {
	h, n, err := wrapper.ParseHeader(frame)
	if err != nil {
		return dst
	}
	body := append([]byte(nil), frame[n:]...)
	for len(body) < e.size {
		body = append(body, byte(len(body)))
	}
	dst, err = wrapper.Header{Source: h.Destination, Destination: h.Source, Length: uint16(len(body))}.AppendBinary(dst)
	if err != nil {
		return nil
	}
	return append(dst, body...)
}

// receiver is the hub.
type receiver struct {
	from  []wire.EUI64
	units [][]byte
	at    []time.Time
}

func (r *receiver) Received(now time.Time, from wire.EUI64, frame []byte) {
	r.from, r.units, r.at = append(r.from, from), append(r.units, append([]byte(nil), frame...)), append(r.at, now)
}

func secret(e wire.EUI64, what string, n int) []byte {
	h := sha256.Sum256(append(append([]byte("test"), e[:]...), what...))
	return h[:n]
}

func config(size int) Config {
	meter := func(rate int64) Meter {
		return Meter{
			Reading: func(now time.Time) int64 { return 1_000_000 + rate*int64(now.Sub(start)/time.Second) },
			Supply:  func(time.Time) se.SupplyStatus { return se.SupplyOn }, MPxN: func() string { return "1234567890123" }, Serial: "19P0000001",
		}
	}
	elec := meter(1)
	elec.Power = func(time.Time) int64 { return 3600 }
	return Config{
		Hub: hubEUI, Secret: secret, Seed: 1, Basic: cluster.Basic{Manufacturer: "Smets", Model: "Hub"},
		Devices: []Device{
			{EUI: esmeEUI, Kind: Electricity, Node: echo{size}, Meter: elec},
			{EUI: gsmeEUI, Kind: Gas, Node: echo{size}, Meter: meter(2)},
			{EUI: ihdEUI, Kind: Display},
		},
	}
}

func unit(t testing.TB, body []byte) []byte {
	b, err := wrapper.Header{Source: 1, Destination: 1, Length: uint16(len(body))}.AppendBinary(nil)
	require.NoError(t, err)
	return append(b, body...)
}

// until runs a network as a hub's owner does: by its deadlines.
func until(r *Radio, now *time.Time, d time.Duration, done func() bool) bool {
	end := now.Add(d)
	for !done() {
		next := r.Deadline()
		if next.IsZero() || next.After(end) {
			r.Advance(end)
			*now = end
			return done()
		}
		*now = next
		r.Advance(next)
	}
	return true
}

func never() bool { return false }

func TestUnitsGoThroughTunnels(t *testing.T) {
	for name, tc := range map[string]struct{ loss, size int }{"small": {0, 0}, "large": {0, 1900}, "lossy": {50_000, 600}} {
		t.Run(name, func(t *testing.T) {
			c := config(tc.size)
			c.Loss = tc.loss
			to := &receiver{}
			r, err := New(start, c, to)
			require.NoError(t, err)
			now := start
			until(r, &now, 5*time.Second, never)
			for _, e := range []wire.EUI64{esmeEUI, gsmeEUI} {
				for i := range 5 {
					body := []byte{0xC0, 1, byte(i), 9}
					*to = receiver{}
					at := now
					require.NoError(t, r.Send(now, e, unit(t, body)))
					require.True(t, until(r, &now, 2*time.Minute, func() bool { return len(to.units) > 0 }), "%v %d", e, i)
					require.Equal(t, e, to.from[0])
					require.Equal(t, body, to.units[0][wrapper.Size:][:4])
					require.Len(t, to.units[0], wrapper.Size+max(tc.size, 4))
					if tc.size == 0 && tc.loss == 0 {
						require.Less(t, now.Sub(at), 8*time.Second)
					}
				}
			}
			require.ErrorIs(t, r.Send(now, wire.EUI64{1}, []byte{1}), hub.ErrNotJoined)
			require.ErrorIs(t, r.Send(now, ihdEUI, []byte{1}), hub.ErrNotJoined)
		})
	}
}

// Electricity reaches the display every 10 s, gas every 30 min.
func TestDisplay(t *testing.T) {
	c := config(0)
	r, err := New(start, c, &receiver{})
	require.NoError(t, err)
	now := start
	until(r, &now, 3*time.Minute, never)
	s, ok := r.Shown()
	require.True(t, ok)
	require.Less(t, now.Sub(s.ElectricityAt), 10*time.Second)
	require.InDelta(t, c.Devices[0].Meter.Reading(s.ElectricityAt), s.Electricity, 1)
	require.EqualValues(t, 3600, s.Power)
	require.NotZero(t, s.Gas)

	was := s
	until(r, &now, 61*time.Minute, never)
	s, _ = r.Shown()
	require.Less(t, now.Sub(s.GasAt), 30*time.Minute)
	require.Greater(t, s.Gas, was.Gas)
	require.GreaterOrEqual(t, int64(s.Gas), c.Devices[1].Meter.Reading(s.GasAt.Add(-31*time.Minute)))
}

func TestPowerCuts(t *testing.T) {
	to := &receiver{}
	c := config(0)
	saved := map[wire.EUI64][]byte{}
	c.Save = func(e wire.EUI64, b []byte) error { saved[e] = append([]byte(nil), b...); return nil }
	c.Load = func(e wire.EUI64) ([]byte, error) { return saved[e], nil }
	r, err := New(start, c, to)
	require.NoError(t, err)
	now := start
	until(r, &now, time.Minute, never)
	for _, e := range []wire.EUI64{hubEUI, esmeEUI, gsmeEUI} {
		require.NoError(t, r.Send(now, gsmeEUI, unit(t, []byte{1})))
		until(r, &now, time.Minute, never)
		r.PowerCut(now, e, now.Add(30*time.Second))
		require.Nil(t, r.Node(e))
		until(r, &now, time.Minute, never)
		require.NotNil(t, r.Node(e))
		for _, m := range []wire.EUI64{esmeEUI, gsmeEUI} {
			to.units = nil
			require.NoError(t, r.Send(now, m, unit(t, []byte{2})))
			require.True(t, until(r, &now, time.Minute, func() bool { return len(to.units) > 0 }), "after a cut of %v", e)
		}
	}
	// The process ends and begins again.
	again, err := New(now, c, to)
	require.NoError(t, err)
	to.units = nil
	until(again, &now, 20*time.Second, never)
	require.NoError(t, again.Send(now, gsmeEUI, unit(t, []byte{3})))
	require.True(t, until(again, &now, time.Minute, func() bool { return len(to.units) > 0 }))
	for _, e := range []wire.EUI64{hubEUI, esmeEUI, gsmeEUI} {
		require.Zero(t, again.Node(e).Stats().Replays, "counters go on where they were")
	}
}

// A clock that is set ahead by days leaves them out, and the network goes on as if they had not been.
func TestLeap(t *testing.T) {
	to := &receiver{}
	r, err := New(start, config(0), to)
	require.NoError(t, err)
	now := start
	until(r, &now, 5*time.Minute, never)
	frames := r.Stats().Frames
	now = now.Add(60 * 24 * time.Hour)
	r.Advance(now)
	require.Less(t, r.Stats().Frames-frames, uint64(200))
	for _, e := range []wire.EUI64{gsmeEUI, esmeEUI} {
		to.units = nil
		require.NoError(t, r.Send(now, e, unit(t, []byte{1})))
		require.True(t, until(r, &now, 20*time.Second, func() bool { return len(to.units) > 0 }))
	}
	s, _ := r.Shown()
	require.Less(t, now.Sub(s.ElectricityAt), time.Minute)
	require.Len(t, r.Node(hubEUI).Children(), 3, "nobody has grown old")
}

func TestSilentMeterIsNeverHeard(t *testing.T) {
	c := config(0)
	c.Devices[1].Silent = true
	to := &receiver{}
	r, err := New(start, c, to)
	require.NoError(t, err)
	now := start
	require.NoError(t, r.Send(now, gsmeEUI, unit(t, []byte{1})))
	require.False(t, until(r, &now, 2*time.Minute, func() bool { return len(to.units) > 0 }))
}

func TestSameSeedSameFrames(t *testing.T) {
	play := func() [32]byte {
		h := sha256.New()
		c := config(300)
		c.Loss = 20_000
		c.Tap = func(f radio.Frame) {
			_ = binary.Write(h, binary.BigEndian, f.Start.UnixNano())
			h.Write(f.PSDU)
		}
		to := &receiver{}
		r, err := New(start, c, to)
		require.NoError(t, err)
		now := start
		require.NoError(t, r.Send(now, gsmeEUI, unit(t, []byte{1})))
		until(r, &now, 10*time.Minute, never)
		return [32]byte(h.Sum(nil))
	}
	require.Equal(t, play(), play())
}

// An hour of a home that nobody asks anything.
func BenchmarkQuietHour(b *testing.B) {
	r, err := New(start, config(0), &receiver{})
	require.NoError(b, err)
	now := start
	b.ReportAllocs()
	for b.Loop() {
		frames := r.Stats().Frames
		until(r, &now, time.Hour, never)
		b.ReportMetric(float64(r.Stats().Frames-frames), "frames/h")
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	to := &receiver{}
	r, err := New(start, config(100), to)
	require.NoError(b, err)
	now := start
	b.ReportAllocs()
	for b.Loop() {
		to.units = nil
		require.NoError(b, r.Send(now, esmeEUI, unit(b, make([]byte, 100))))
		require.True(b, until(r, &now, time.Minute, func() bool { return len(to.units) > 0 }))
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, err := New(start, config(0), &receiver{})
		require.NoError(b, err)
	}
}
