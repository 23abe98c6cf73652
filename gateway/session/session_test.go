package session_test

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/profile"
	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/gateway/keystore"
	"smets1/gateway/session"
	"smets1/gateway/session/sessiontest"
	"smets1/internal/store"
	"smets1/internal/wire"
	"smets1/transport/serial"
)

type bench struct {
	t    *testing.T
	home *sessiontest.Home
	keys *keystore.Store
	pool *session.Pool
	hub  session.Hub

	openers map[string]session.Opener
}

func newBench(t *testing.T, change func(*session.Config, *session.Hub)) *bench {
	b := &bench{t: t, home: sessiontest.New(sessiontest.NewClock())}
	bucket, err := store.Memory().Bucket(t.Context(), "keys", store.Options{Sync: true})
	require.NoError(t, err)
	root, err := security.NewKey(bytes.Repeat([]byte{1}, 32))
	require.NoError(t, err)
	b.keys, err = keystore.Open(t.Context(), keystore.Config{Bucket: bucket, Root: root})
	require.NoError(t, err)
	_, err = b.keys.Import(t.Context(), b.home.Handover(), sessiontest.Start)
	require.NoError(t, err)

	b.openers = map[string]session.Opener{"tcp": b.home.Open}
	c := session.Config{
		Keys: b.keys, Title: security.SystemTitle{'G', 'W', 'Y', 0, 0, 0, 0, 1}, Clock: b.home.Clock, Waker: b.home,
		Openers: b.openers, Profiles: profile.Builtin(),
	}
	b.hub = session.Hub{EUI: b.home.Hub.EUI, Address: "tcp://127.83.0.1:4059"}
	for _, m := range b.home.Meters {
		b.hub.Devices = append(b.hub.Devices, session.Device{EUI: m.EUI, Type: m.Type, Model: m.Model})
	}
	if change != nil {
		change(&c, &b.hub)
	}
	b.pool, err = session.NewPool(c)
	require.NoError(t, err)
	require.NoError(t, b.pool.Add(b.hub))
	t.Cleanup(func() { require.NoError(t, b.pool.Close()); b.home.HangUp() })
	return b
}

func (b *bench) session() *session.Session {
	s, err := b.pool.Acquire(b.t.Context(), b.hub.EUI)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { b.pool.Release(s) })
	return s
}

func TestIdentifyHubAndMeters(t *testing.T) {
	b := newBench(t, nil)
	b.home.Do(func() { b.home.Meters[1].Prepayment = true })
	s := b.session()
	id, err := s.Identify(t.Context(), b.hub.EUI)
	require.NoError(t, err)
	require.Equal(t, session.Identity{
		EUI: b.hub.EUI, Type: firmware.Hub, Manufacturer: "X-ACME", Model: "HUB-1", Hardware: "3", Firmware: "1.0", Serial: "S7890A0",
	}, id)
	require.Equal(t, "XYZHUB-1", s.LogicalName())
	id, err = s.Identify(t.Context(), b.home.Meters[1].EUI)
	require.NoError(t, err)
	require.Equal(t, session.Identity{
		EUI: b.home.Meters[1].EUI, Type: firmware.GSME, Manufacturer: "X-ACME", Model: "GM-1", Hardware: "3", Firmware: "1.0", Serial: "S7890A2",
		MPxN: "7654321098", PaymentMode: "prepayment",
	}, id)
	require.Equal(t, 1, b.home.Dials(), "one line for all")

	list, err := s.HANDevices(t.Context())
	require.NoError(t, err)
	require.Equal(t, b.hub.Devices, list)
	_, err = s.Identify(t.Context(), wire.EUI64{1})
	require.ErrorIs(t, err, session.ErrUnknownDevice)
}

func TestSleepingHubIsWoken(t *testing.T) {
	b := newBench(t, func(_ *session.Config, h *session.Hub) { h.Wake, h.MSISDN = profile.WakeSMSx2, "+447700900123" })
	b.home.Sleep(2)
	attempts, err := b.session().Connect(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, 2, attempts)
	require.Equal(t, 2, b.home.Messages())
}

func TestNoWAN(t *testing.T) {
	b := newBench(t, func(_ *session.Config, h *session.Hub) { h.Wake, h.MSISDN = profile.WakeSMS, "+447700900123" })
	b.home.Sleep(-1)
	s := b.session()
	_, err := s.Firmware(t.Context(), b.hub.EUI)
	require.ErrorIs(t, err, session.ErrNoWAN)
	require.Equal(t, 2*time.Hour, b.home.Clock.Now().Sub(sessiontest.Start).Truncate(time.Minute), "the viability window is used, and no more")
	require.LessOrEqual(t, b.home.Messages(), 7, "text messages have a quota")

	before := b.home.Clock.Now()
	_, err = s.Connect(t.Context(), time.Minute)
	require.ErrorIs(t, err, session.ErrNoWAN)
	require.Equal(t, time.Minute, b.home.Clock.Now().Sub(before).Truncate(time.Second))
}

func TestHANSilence(t *testing.T) {
	b := newBench(t, nil)
	gas := b.home.Meters[1]
	b.home.Do(func() { gas.Silent = true })
	s := b.session()
	_, err := s.Firmware(t.Context(), gas.EUI)
	require.ErrorIs(t, err, session.ErrHANSilent)
	require.ErrorContains(t, err, gas.EUI.String())
	_, err = s.LogicalNameOf(t.Context(), gas.EUI)
	require.ErrorIs(t, err, session.ErrHANSilent)
	_, err = s.Firmware(t.Context(), b.home.Meters[0].EUI)
	require.NoError(t, err, "the others answer over the same line")
	require.Equal(t, 1, b.home.Dials())

	b.home.Do(func() { b.home.Meters = b.home.Meters[:1] })
	_, err = s.Firmware(t.Context(), gas.EUI)
	require.ErrorIs(t, err, session.ErrNotOnHAN)
}

func TestKeyRefused(t *testing.T) {
	b := newBench(t, nil)
	meter := b.home.Meters[0]
	other := sessiontest.New(b.home.Clock).Meters[1].Born
	b.home.Do(func() {
		snapshot := meter.Ring.Snapshot()
		snapshot.Keys = other
		meter.Ring.Restore(snapshot)
	})
	s := b.session()
	_, err := s.Client(t.Context(), meter.EUI)
	require.ErrorIs(t, err, session.ErrKeyRefused)
	var refused *session.KeyRefusedError
	require.ErrorAs(t, err, &refused)
	d, err := b.keys.Get(t.Context(), meter.EUI)
	require.NoError(t, err)
	require.Equal(t, d.Current.Fingerprint(), refused.Set)
	require.NotErrorIs(t, err, session.ErrHANSilent)
}

func TestBrokenLineIsOpenedAnew(t *testing.T) {
	b := newBench(t, nil)
	s := b.session()
	_, err := s.Firmware(t.Context(), b.hub.EUI)
	require.NoError(t, err)
	b.home.HangUp()
	_, err = s.Firmware(t.Context(), b.hub.EUI)
	require.NoError(t, err)
	require.Equal(t, 2, b.home.Dials())
	b.home.BreakAfter(2)
	_, err = s.Identify(t.Context(), b.home.Meters[0].EUI)
	require.NoError(t, err)
	require.Equal(t, 3, b.home.Dials())

	b.home.Do(b.home.Meters[0].Device.DropAll)
	_, err = s.Firmware(t.Context(), b.home.Meters[0].EUI)
	require.NoError(t, err, "a device that lost its associations gets a fresh one")

	require.NoError(t, s.Ping(t.Context()))
	b.home.HangUp()
	require.Error(t, s.Ping(t.Context()))
}

func TestCounterThatFellBehindIsRaised(t *testing.T) {
	b := newBench(t, nil)
	meter := b.home.Meters[0]
	s := b.session()
	a, err := s.Client(t.Context(), meter.EUI)
	require.NoError(t, err)
	a.Close(t.Context())
	b.home.Do(func() {
		snapshot := meter.Ring.Snapshot()
		for id := range snapshot.Rx {
			snapshot.Rx[id] = 70_000
		}
		meter.Ring.Restore(snapshot)
	})
	_, err = s.Firmware(t.Context(), meter.EUI)
	require.NoError(t, err)
	d, err := b.keys.Get(t.Context(), meter.EUI)
	require.NoError(t, err)
	n, err := b.keys.Counter(*d.Current).Next(t.Context())
	require.NoError(t, err)
	require.Greater(t, n, uint32(70_000))
}

func TestClock(t *testing.T) {
	b := newBench(t, nil)
	meter := b.home.Meters[0]
	b.home.Do(func() { meter.Ahead = 90 * time.Second })
	s := b.session()
	r, err := s.Clock(t.Context(), meter.EUI)
	require.NoError(t, err)
	require.InDelta(t, 90, r.Offset.Seconds(), 1)
	require.NoError(t, s.SetClock(t.Context(), meter.EUI))
	r, err = s.Clock(t.Context(), meter.EUI)
	require.NoError(t, err)
	require.InDelta(t, 0, r.Offset.Seconds(), 1)
}

func TestEndpoint(t *testing.T) {
	b := newBench(t, nil)
	s := b.session()
	e, err := s.Endpoint(t.Context())
	require.NoError(t, err)
	require.Equal(t, "smso.example:4059", e)
	require.NoError(t, s.SetEndpoint(t.Context(), "s1sp.example:4059"))
	e, err = s.Endpoint(t.Context())
	require.NoError(t, err)
	require.Equal(t, "s1sp.example:4059", e)
}

func TestOneSessionPerHub(t *testing.T) {
	b := newBench(t, nil)
	s, err := b.pool.Acquire(t.Context(), b.hub.EUI)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.pool.Acquire(ctx, b.hub.EUI)
	require.ErrorIs(t, err, context.Canceled)
	b.pool.Release(s)
	_, err = b.pool.Acquire(t.Context(), wire.EUI64{1})
	require.ErrorIs(t, err, session.ErrUnknownHub)
	require.Equal(t, []wire.EUI64{b.hub.EUI}, b.pool.Hubs())
	h, ok := b.pool.Hub(b.hub.EUI)
	require.True(t, ok)
	require.Equal(t, b.hub, h)

	var wg sync.WaitGroup
	inside, most := 0, 0
	for range 8 {
		wg.Go(func() {
			s, err := b.pool.Acquire(t.Context(), b.hub.EUI)
			if err != nil {
				t.Error(err)
				return
			}
			inside++
			most = max(most, inside)
			if _, err := s.Firmware(t.Context(), b.hub.EUI); err != nil {
				t.Error(err)
			}
			inside--
			b.pool.Release(s)
		})
	}
	wg.Wait()
	require.Equal(t, 1, most)
	require.Equal(t, 1, b.home.Dials(), "the line stays open between callers")
}

func TestIdleLineIsClosed(t *testing.T) {
	b := newBench(t, nil)
	s, err := b.pool.Acquire(t.Context(), b.hub.EUI)
	require.NoError(t, err)
	_, err = s.Connect(t.Context(), 0)
	require.NoError(t, err)
	b.pool.Release(s)
	waiting := func() bool {
		at, ok := b.home.Clock.Next()
		return ok && at.Equal(b.home.Clock.Now().Add(time.Minute))
	}
	require.Eventually(t, waiting, 5*time.Second, time.Millisecond)
	b.home.Clock.Advance(time.Minute - time.Second)
	require.Equal(t, 1, b.home.Lines())
	b.home.Clock.Advance(time.Second)
	require.Eventually(t, func() bool { return b.home.Lines() == 0 }, 5*time.Second, time.Millisecond)
	s, err = b.pool.Acquire(t.Context(), b.hub.EUI)
	require.NoError(t, err)
	defer b.pool.Release(s)
	n, err := s.Connect(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestHDLC(t *testing.T) {
	b := newBench(t, func(_ *session.Config, h *session.Hub) {
		h.Address = "tcp+hdlc://127.83.0.1:4059"
	})
	b.openers["tcp+hdlc"] = b.home.OpenHDLC
	s := b.session()
	for _, u := range b.home.All() {
		id, err := s.Identify(t.Context(), u.EUI)
		require.NoError(t, err)
		require.Equal(t, u.Model, id.Model)
	}
	b.home.HangUp()
	_, err := s.Firmware(t.Context(), b.hub.EUI)
	require.NoError(t, err)
	require.Equal(t, 2, b.home.Dials())
}

// TestSerialPort goes through a pseudo-terminal, opened as a real port is.
func TestSerialPort(t *testing.T) {
	pty, err := serial.NewPTY()
	if err != nil {
		t.Fatalf("no pseudo-terminal: %v", err)
	}
	b := newBench(t, func(_ *session.Config, h *session.Hub) {
		h.Address = "serial://" + pty.Path() + "?baud=9600&mode=8N1&driver=native"
	})
	b.home.Attach(pty)
	s := b.session()
	for _, u := range b.home.All() {
		id, err := s.Identify(t.Context(), u.EUI)
		require.NoError(t, err)
		require.Equal(t, u.Model, id.Model)
	}
	s.Close()
	_, err = s.Firmware(t.Context(), b.hub.EUI)
	require.NoError(t, err, "the port opens again")
}

func TestBadHubs(t *testing.T) {
	b := newBench(t, nil)
	for want, h := range map[string]session.Hub{
		"is there twice":    b.hub,
		"nobody opens":      {EUI: wire.EUI64{1}, Address: "gopher://x"},
		"no device profile": {EUI: wire.EUI64{1}, Address: "tcp://x:1", Profile: "nonsense"},
		"needs a number":    {EUI: wire.EUI64{1}, Address: "tcp://x:1", Wake: profile.WakeSMS},
	} {
		require.ErrorContains(t, b.pool.Add(h), want)
	}
	require.NoError(t, b.pool.Add(session.Hub{EUI: wire.EUI64{1}, Address: "serial:///dev/null?baud=9600", Profile: "ioc-dlms"}))
	_, err := session.NewPool(session.Config{})
	require.ErrorContains(t, err, "needs Keys")
}

// tap counts the octets that go by.
type tap struct {
	io.ReadWriteCloser
	n *int
}

func (c tap) Write(b []byte) (int, error) { *c.n += len(b); return c.ReadWriteCloser.Write(b) }

func TestTap(t *testing.T) {
	n := 0
	b := newBench(t, func(c *session.Config, _ *session.Hub) {
		c.Tap = func(_ wire.EUI64, _ string, rw io.ReadWriteCloser) io.ReadWriteCloser { return tap{rw, &n} }
	})
	_, err := b.session().Connect(t.Context(), 0)
	require.NoError(t, err)
	require.Positive(t, n)
}

func TestClosedPool(t *testing.T) {
	b := newBench(t, nil)
	p, err := session.NewPool(session.Config{Keys: b.keys, Title: security.SystemTitle{1}})
	require.NoError(t, err)
	require.NoError(t, p.Add(b.hub))
	require.NoError(t, p.Close())
	require.Error(t, p.Close())
	_, err = p.Acquire(t.Context(), b.hub.EUI)
	require.ErrorIs(t, err, session.ErrClosed)
}
