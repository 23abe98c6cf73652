package hub

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/device/point/pointtest"
	"smets1/device/profile"
	"smets1/dlms/server"
	"smets1/firmware"
	"smets1/internal/wire"
)

var start = time.Date(2019, 7, 15, 7, 0, 0, 0, time.UTC)

var gas = wire.MustEUI64("00-DB-12-34-56-78-90-A2")

func newHub(t testing.TB, name string, c Config) *Hub {
	t.Helper()
	p, ok := profile.Builtin().Get(name)
	require.True(t, ok)
	m, err := Model(p)
	require.NoError(t, err)
	return New(core.Birth{
		Kind: firmware.Hub, EUI: wire.MustEUI64("00-DB-12-34-56-78-90-A0"), Profile: p, Make: &p.Hub, Start: start,
	}, c, m, core.Faults{})
}

// echo answers each frame with the same APDU, wPorts swapped, copies times.
type echo struct{ copies int }

func (e echo) ServeFrame(_ time.Time, frame, dst []byte) []byte {
	for range e.copies {
		dst = append(dst, frame[0], frame[1], frame[4], frame[5], frame[2], frame[3])
		dst = append(dst, frame[6:]...)
	}
	return dst
}

// forward sends a request with a gateway prefix from client SAP 16.
func forward(h *Hub, s *server.Stream, to wire.EUI64, network byte, apdu string) {
	b := []byte{0, 1, 0, 16, 0, 1, 0, byte(11 + len(apdu)), 0xE6, network, 8}
	s.Input(start, append(append(b, to[:]...), apdu...))
}

func stream(h *Hub) *server.Stream {
	return server.NewStream(server.StreamConfig{Host: h.Host(), Forward: h, Link: 1})
}

func TestForward(t *testing.T) {
	h := newHub(t, "ioc-dlms", Config{})
	han := NewMemory(MemoryConfig{Latency: 80 * time.Millisecond}, h)
	han.Join(gas, echo{1})
	h.Attach(han)
	s := stream(h)
	require.Zero(t, h.Deadline())
	forward(h, s, gas, 1, "hello")
	require.Nil(t, s.Output())
	require.Equal(t, start.Add(80*time.Millisecond), h.Deadline())
	h.Advance(start.Add(159 * time.Millisecond))
	require.Nil(t, s.Output())
	h.Advance(start.Add(160 * time.Millisecond))
	want := append([]byte{0, 1, 0, 1, 0, 16, 0, 16, 0xE7, 1, 8}, gas[:]...)
	require.Equal(t, append(want, "hello"...), s.Output())
	require.Zero(t, h.Deadline())
	require.Nil(t, h.waiting)

	for _, network := range []byte{0, 2} {
		forward(h, s, gas, network, "hello")
		require.Equal(t, []byte{0xD8, 2, 1}, s.Output()[19:], "not that network")
	}
	forward(h, s, h.EUI, 1, "hello")
	require.Equal(t, []byte{0xD8, 2, 1}, s.Output()[19:], "not on the network")
}

func TestSilenceTakesTheTimeout(t *testing.T) {
	h := newHub(t, "ioc-dlms", Config{})
	han := NewMemory(MemoryConfig{}, h)
	han.Join(gas, echo{0})
	h.Attach(han)
	s := stream(h)
	forward(h, s, gas, 1, "hello")
	h.Advance(start.Add(20*time.Second - 1))
	require.Nil(t, s.Output())
	require.Equal(t, start.Add(20*time.Second), h.Deadline())
	h.Advance(start.Add(20 * time.Second))
	require.Equal(t, []byte{0xD8, 1, 3}, s.Output()[19:])

	// A client that is gone, and an answer that nobody asked for.
	forward(h, s, gas, 1, "hello")
	s.Close()
	h.Advance(start.Add(time.Minute))
	require.Nil(t, s.Output())
	h.Received(start, gas, []byte{0, 1, 0, 1, 0, 16, 0, 1, 0xC4})
	h.Received(start, gas, []byte{0, 1, 0, 1})
	h.Received(start, gas, []byte{0, 1, 0, 1, 0, 16, 0, 9, 0xC4})
	require.Nil(t, s.Output())
}

func TestLossIsOfTheSeed(t *testing.T) {
	count := func(loss int) int {
		h := newHub(t, "ioc-dlms", Config{})
		han := NewMemory(MemoryConfig{Loss: loss, Rand: rand.New(rand.NewPCG(1, 2))}, h)
		han.Join(gas, echo{1})
		h.Attach(han)
		n := 0
		for range 100 {
			s := stream(h)
			forward(h, s, gas, 1, "hello")
			h.Advance(start)
			if len(s.Output()) > 0 {
				n++
			}
			s.Close() // the next answer must not go here
		}
		return n
	}
	require.Equal(t, 100, count(0))
	require.Equal(t, count(200_000), count(200_000))
	require.InDelta(t, 64, count(200_000), 12)
}

func TestWaking(t *testing.T) {
	one := newHub(t, "ioc-dlms", Config{})
	require.False(t, one.Awake(start))
	one.SMS(start)
	require.Equal(t, start.Add(15*time.Second), one.Deadline())
	one.Advance(start.Add(15 * time.Second))
	require.True(t, one.Awake(start.Add(15*time.Second)))
	require.Equal(t, start.Add(15*time.Second+10*time.Minute), one.AsleepAt())
	one.Heard(start.Add(5 * time.Minute))
	require.Equal(t, start.Add(15*time.Minute), one.AsleepAt())
	require.False(t, one.Awake(start.Add(15*time.Minute)))
	one.Heard(start.Add(16 * time.Minute))
	require.False(t, one.Awake(start.Add(16*time.Minute)), "traffic wakes nobody")

	two := newHub(t, "moc-secure", Config{})
	two.SMS(start)
	two.Advance(start.Add(time.Minute))
	require.False(t, two.Awake(start.Add(time.Minute)))
	two.SMS(start.Add(11 * time.Minute))
	two.Advance(start.Add(12 * time.Minute))
	require.False(t, two.Awake(start.Add(12*time.Minute)), "too far apart")
	two.SMS(start.Add(12 * time.Minute))
	two.Advance(start.Add(13 * time.Minute))
	require.True(t, two.Awake(start.Add(13*time.Minute)))
	require.Equal(t, 3, two.Messages())

	dead := newHub(t, "ioc-dlms", Config{NoWAN: true})
	dead.SMS(start)
	dead.Advance(start.Add(time.Minute))
	require.False(t, dead.Awake(start.Add(time.Minute)))
	require.Zero(t, dead.Messages())

	mesh := newHub(t, "foc-mesh", Config{})
	require.True(t, mesh.Awake(start))
	require.Zero(t, mesh.AsleepAt())
	mesh.PowerCut(start, start.Add(time.Minute))
	require.False(t, mesh.Awake(start))
	require.True(t, mesh.Awake(start.Add(time.Minute)))
}

func TestPowerCutForgetsTheWAN(t *testing.T) {
	h := newHub(t, "ioc-dlms", Config{})
	h.SMS(start)
	h.Advance(start.Add(15 * time.Second))
	require.True(t, h.Awake(start.Add(16*time.Second)))
	h.PowerCut(start, start.Add(time.Minute))
	require.False(t, h.Awake(start.Add(time.Minute)))
	nv := &core.Memory{}
	require.NoError(t, h.setEndpoint(start, []string{"a:1", "b:2"}))
	require.NoError(t, h.Flush(nv))
	g := newHub(t, "ioc-dlms", Config{})
	require.Equal(t, []string{"cgi.smso.example:4059"}, g.Endpoint())
	require.NoError(t, g.Restore(start.Add(time.Hour), nv))
	require.Equal(t, []string{"a:1", "b:2"}, g.Endpoint())
	require.Equal(t, 1, g.Messages())
	require.False(t, g.Awake(start.Add(time.Hour)))
}

var stranger = wire.MustEUI64("00-DB-12-34-56-78-90-F0")

// A device that is taken off the allow-list is not heard any more; the list, the log and
// the rest of what a hub knows survive.
func TestAllowList(t *testing.T) {
	h := newHub(t, "ioc-dlms", Config{Members: []Member{{EUI: gas, Kind: firmware.GSME, Model: "G"}}})
	require.True(t, h.Allowed(gas))
	require.False(t, h.Allowed(stranger))
	require.NoError(t, h.Allow(start, gas), "it is there")
	require.NoError(t, h.Allow(start, stranger))
	require.True(t, h.Allowed(stranger))
	require.NoError(t, h.Refuse(start, gas))
	require.Error(t, h.Refuse(start, gas), "again")
	h.OpenJoining(start, time.Hour)

	han := NewMemory(MemoryConfig{}, h)
	han.Join(gas, echo{1})
	h.Attach(han)
	s := stream(h)
	forward(h, s, gas, 1, "hello")
	h.Advance(start)
	out := s.Output()
	require.Equal(t, []byte{0xD8, 2, 1}, out[len(out)-3:], "operation not possible")

	nv := &core.Memory{}
	require.NoError(t, h.Flush(nv))
	n := newHub(t, "ioc-dlms", h.cfg)
	require.NoError(t, n.Restore(start, nv))
	require.False(t, n.Allowed(gas))
	require.True(t, n.Allowed(stranger))
	require.Equal(t, h.Joining(), n.Joining())
	require.Equal(t, h.net.log, n.net.log)
	require.Len(t, n.net.log, 2)
	require.NoError(t, n.Allow(start, gas))
	require.True(t, n.Allowed(gas))
	for i := range maxAllowed {
		e := stranger
		e[7] = byte(i)
		if err := n.Allow(start, e); err != nil {
			require.Len(t, n.allowed(), maxAllowed)
			return
		}
	}
	require.Fail(t, "the list has no end")
}

// Text messages are counted by the month, and the first one beyond the quota is an event.
func TestQuota(t *testing.T) {
	h := newHub(t, "moc-secure", Config{})
	at := start
	for range 13 {
		h.SMS(at)
		at = at.Add(time.Hour)
		h.Advance(at)
	}
	require.Equal(t, 13, h.Monthly(at))
	var over int
	for _, e := range h.Log().Entries() {
		if e.Code == core.EventQuotaReached {
			over++
		}
	}
	require.Equal(t, 1, over)
	require.Zero(t, h.Monthly(at.AddDate(0, 1, 0)), "a new month")
	require.Equal(t, 13, h.Messages())
}

func TestWANStates(t *testing.T) {
	h := newHub(t, "moc-secure", Config{})
	require.Equal(t, WANSleeping, h.WAN(start))
	h.SMS(start)
	require.Equal(t, WANWaking, h.WAN(start))
	at := start.Add(time.Minute)
	h.Advance(at)
	require.Equal(t, WANWaking, h.WAN(at), "one of two")
	h.SMS(at)
	at = at.Add(time.Minute)
	h.Advance(at)
	require.Equal(t, WANOnline, h.WAN(at))
	require.Equal(t, WANSleeping, h.WAN(at.Add(20*time.Minute)))
	require.NoError(t, h.CallHome(at.Add(20*time.Minute)))
	require.Equal(t, WANOnline, h.WAN(at.Add(21*time.Minute)))
	h.PowerCut(at.Add(21*time.Minute), at.Add(22*time.Minute))
	require.Equal(t, WANOff, h.WAN(at.Add(21*time.Minute+time.Second)))
	require.Equal(t, WANNone, newHub(t, "moc-secure", Config{NoWAN: true}).WAN(start))
	require.Error(t, newHub(t, "moc-secure", Config{NoWAN: true}).CallHome(start))
	require.Equal(t, WANOnline, newHub(t, "foc-mesh", Config{}).WAN(start))
	require.Equal(t, "no coverage", WANNone.String())
}

// A hub with a schedule is on line by itself, once in each period.
func TestScheduledCalls(t *testing.T) {
	h := newHub(t, "ioc-dlms", Config{})
	p := *h.Profile
	p.WAN.CallEvery, p.WAN.CallWindow, p.WAN.LastGasp = 24*time.Hour, 2*time.Minute, true
	h.Profile = &p
	call := h.NextCall(start)
	require.False(t, h.Awake(call.Add(-time.Second)))
	require.True(t, h.Awake(call))
	require.True(t, h.Awake(call.Add(2*time.Minute-time.Second)))
	require.False(t, h.Awake(call.Add(2*time.Minute)))
	require.Equal(t, call.Add(24*time.Hour), h.NextCall(call))

	gasps := func() (n int) {
		for _, e := range h.Log().Entries() {
			if e.Code == core.EventLastGasp {
				n++
			}
		}
		return n
	}
	h.PowerCut(start, start.Add(time.Minute))
	require.Equal(t, 1, gasps())
	h.On(start.Add(2 * time.Minute))
	h.PowerCut(start.Add(3*time.Minute), start.Add(4*time.Minute))
	require.Equal(t, 1, gasps(), "not again within ten minutes")
	h.On(start.Add(time.Hour))
	h.PowerCut(start.Add(2*time.Hour), start.Add(3*time.Hour))
	require.Equal(t, 2, gasps())
}

// Every attribute of every object of a hub of every make is read, and listed.
func TestEveryAttributeReads(t *testing.T) {
	for _, name := range profile.Builtin().Names() {
		h := newHub(t, name, Config{Members: []Member{{EUI: gas, Kind: firmware.GSME, Model: "G"}}})
		require.NoError(t, h.Allow(start, stranger))
		objects, _, _ := pointtest.Agree(t, h, &h.Device, Points(), start)
		require.Greater(t, objects, 70)
		require.Greater(t, pointtest.Listed(t, &h.Device, start), 25)
		require.NotEqual(t, h.EUI, h.GPF())
	}
}
