package fleet

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/device/meter"
	"smets1/dlms/acse"
	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/dlms/wrapper"
	"smets1/internal/clock"
)

// A home that nobody talks to goes out of memory, and whoever talks to it next finds it
// as if it had been there all the time: what was set, the counters, and a log that knows of
// no loss of power.
func TestHomesRest(t *testing.T) {
	const name = "foc-clock-off"
	type said struct {
		mode, balance uint64
		log           []core.Entry
		counter       uint32
		sent          uint32
	}
	live := func(rest time.Duration) said {
		w := open(t, demo(t), Options{Rest: rest})
		i, _ := w.m.find(name)
		n := client.CountFrom(1)
		mode := cosem.Attribute{Class: cosem.ClassData, Instance: cosem.OBIS{0, 0, 94, 44, 35, 0}, ID: 2}
		c := w.manage(name, "esme", n)
		require.NoError(t, c.SetAxdr(t.Context(), mode, axdr.Enum(2)))
		require.NoError(t, c.SetClock(t.Context(), w.clock.Now().Add(time.Minute)))
		require.NoError(t, c.Release(t.Context()))
		require.NoError(t, w.last.Close())
		require.Eventually(t, func() bool { return w.Counts().Conns == 0 }, 5*time.Second, time.Millisecond)
		w.clock.Advance(3 * time.Minute)
		if rest >= 0 {
			require.Eventually(t, func() bool { return w.Counts() == Counts{Homes: w.m.Len(), Resting: 1} }, 5*time.Second, time.Millisecond)
		} else {
			require.Equal(t, 1, w.Counts().Awake)
		}
		w.clock.Advance(time.Hour - w.clock.Now().Sub(w.m.start)%time.Hour)

		c = w.manage(name, "esme", n)
		var s said
		var err error
		s.mode, err = c.GetUint(t.Context(), mode)
		require.NoError(t, err)
		v, err := c.GetInt(t.Context(), cosem.Attribute{Class: cosem.ClassCredit, Instance: meter.CreditName, ID: 2})
		require.NoError(t, err)
		s.balance = uint64(v)
		at, _, err := c.Clock(t.Context())
		require.NoError(t, err)
		require.InDelta(t, 60, at.Sub(w.clock.Now()).Seconds(), 1)
		require.Equal(t, 1, w.Counts().Awake)
		h, err := w.home(i)
		require.NoError(t, err)
		h.mu.Lock()
		defer h.mu.Unlock()
		s.log, s.counter = h.esme.Log().Entries(), h.esme.Keys().RxHighest()
		s.sent, err = h.esme.Keys().NextTx(0)
		require.NoError(t, err)
		return s
	}
	rested, stayed := live(0), live(-1)
	require.Equal(t, stayed, rested)
	for _, e := range rested.log {
		require.NotEqual(t, core.EventPowerUp, e.Code)
	}
}

// One whose client did not release its association stays a while longer.
func TestHomesRestLaterWithAnOpenAssociation(t *testing.T) {
	m := demo(t)
	f, err := Open(t.Context(), m, Options{Clock: clock.NewStepped(m.start), ByHand: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	nc, err := f.Dial("foc-clock-off")
	require.NoError(t, err)
	wr := client.NewWrapper(nc)
	i, _ := m.find("foc-clock-off")
	_, err = client.Associate(t.Context(), wr.Link(1, 1), client.Config{
		Mechanism: security.MechanismGMAC, Keys: m.keys(f.entry(i).Devices[0].EUI), SystemTitle: clientTitle,
	})
	require.NoError(t, err)
	require.NoError(t, f.Run(t.Context(), m.start.Add(time.Hour)))
	require.Equal(t, Counts{Homes: m.Len(), Awake: 1, Conns: 1}, f.Counts())
	h, err := f.home(i)
	require.NoError(t, err)
	h.hub.Device.DropAll() // what the connection's end would do; then one is open over the HAN
	require.NoError(t, wr.Close())
	require.Eventually(t, func() bool { return f.Counts().Conns == 0 }, 5*time.Second, time.Millisecond)
	require.NoError(t, f.with(i, func(h *home, now time.Time) error {
		aarq, err := acse.AARQ{Context: acse.ContextLN, UserInformation: []byte{1, 0, 0, 0, 6, 0x5F, 0x1F, 4, 0, 0, 0x1E, 0x1D, 4, 0}}.AppendBinary(nil)
		require.NoError(t, err)
		frame, err := wrapper.Append(nil, 0x10, 1, aarq)
		require.NoError(t, err)
		require.NotEmpty(t, h.esme.ServeFrame(now, frame, nil))
		require.Equal(t, 1, h.esme.Device.Open())
		return nil
	}))
	require.NoError(t, f.Run(t.Context(), m.start.Add(time.Hour+3*defaultRest)))
	require.Equal(t, 1, f.Counts().Awake)
	require.NoError(t, f.Run(t.Context(), m.start.Add(time.Hour+(patience+1)*defaultRest)))
	require.Equal(t, 0, f.Counts().Awake)
}

// What must not be forgotten keeps a home in memory: keys that wait for their commit, a
// hub that a message has woken.
func TestHomesThatDoNotRest(t *testing.T) {
	w := open(t, demo(t), Options{})
	w.wake("moc-prepayment")
	w.clock.Advance(4 * time.Minute)
	s, err := w.Status("moc-prepayment")
	require.NoError(t, err)
	require.True(t, s.Awake)
	p, _ := w.m.profiles.Get("moc-secure")
	w.clock.Advance(p.WAN.OnlineWindow)
	w.clock.Advance(3 * time.Minute)
	require.Eventually(t, func() bool { return w.Counts().Awake == 0 }, 5*time.Second, time.Millisecond)
	s, err = w.Status("moc-prepayment")
	require.NoError(t, err)
	require.Equal(t, 2, s.Messages)
}

// heapOf gives the bytes of heap that something keeps.
func heapOf(make func()) uint64 {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	make()
	return max(heap(), before) - before
}

// A million homes cost next to nothing, all of them can be reached at once, and one that was
// talked to and rests costs less than 2 KiB. No home has a goroutine.
func TestAMillionHomes(t *testing.T) {
	m := demo(t)
	require.NoError(t, m.Resize(1_000_000))
	before := runtime.NumGoroutine()
	var f *Fleet
	c := clock.NewStepped(m.start)
	atRest := heapOf(func() {
		var err error
		f, err = Open(t.Context(), m, Options{Clock: c, ByHand: true})
		require.NoError(t, err)
	})
	defer func() { require.NoError(t, f.Close()) }()
	require.Less(t, atRest, uint64(m.Len()), "less than a byte each")
	require.Less(t, runtime.NumGoroutine(), before+10)

	const talked = 200
	rested := heapOf(func() {
		for n := range talked {
			i := n * (m.Len() - 1) / (talked - 1)
			e := f.entry(i)
			require.NoError(t, f.SMS(t.Context(), e.MSISDN))
			require.NoError(t, f.withName(e.Name, func(h *home, now time.Time) error {
				require.Equal(t, i, h.index)
				for _, u := range h.units() {
					u.SetClock(now, now)
					h.flush(u)
				}
				return nil
			}))
		}
		require.Equal(t, talked, f.Counts().Awake)
		require.NoError(t, f.Run(t.Context(), m.start.Add(30*time.Minute)))
		require.Equal(t, Counts{Homes: m.Len(), Resting: talked}, f.Counts())
	})
	require.Less(t, rested/talked, uint64(2048))
	require.Less(t, runtime.NumGoroutine(), before+10)
}
