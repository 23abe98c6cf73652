package session_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/security"
	"smets1/gateway/keystore"
	"smets1/gateway/session"
	"smets1/gateway/session/sessiontest"
	"smets1/transport/serial"
)

// socket is a place where hubs are plugged in: a link like those in /dev/serial/by-id and by-path, which udev makes and takes away.
type socket struct {
	t    *testing.T
	link string
	pty  *serial.PTY
}

func newSocket(t *testing.T) *socket {
	s := &socket{t: t, link: filepath.Join(t.TempDir(), "usb-ACME_hub-if00-port0")}
	t.Cleanup(s.unplug)
	return s
}

func (s *socket) plug(h *sessiontest.Home) {
	s.unplug()
	pty, err := serial.NewPTY()
	require.NoError(s.t, err)
	s.pty = pty
	h.Attach(pty)
	require.NoError(s.t, os.Symlink(pty.Path(), s.link))
}

func (s *socket) unplug() {
	if s.pty != nil {
		_ = os.Remove(s.link)
		_ = s.pty.Close()
		s.pty = nil
	}
}

func (s *socket) address() string { return "serial://" + s.link + "?baud=9600&driver=native" }

// waits notes how long is slept, and can do something while it is.
type waits struct {
	sessiontest.Clock
	all  []time.Duration
	each func(n int)
}

func (w *waits) Sleep(ctx context.Context, d time.Duration) error {
	w.all = append(w.all, d)
	w.each(len(w.all))
	return w.Clock.Sleep(ctx, d)
}

// A hub that is unplugged is waited for, longer each time up to a minute, and is the same hub in another socket.
func TestHubIsFoundAgainAfterUnplugging(t *testing.T) {
	s := newSocket(t)
	w := &waits{}
	b := newBench(t, func(c *session.Config, h *session.Hub) {
		h.Address = s.address()
		w.Clock = c.Clock.(sessiontest.Clock)
		c.Clock = w
	})
	w.each = func(n int) {
		if n == 6 {
			taken, err := serial.NewPTY() // the name of the node that is gone
			require.NoError(t, err)
			t.Cleanup(func() { _ = taken.Close() })
			s.plug(b.home)
		}
	}
	s.plug(b.home)
	first := s.pty.Path()
	line := b.session()
	_, err := line.Firmware(t.Context(), b.hub.EUI)
	require.NoError(t, err)
	s.unplug()
	version, err := line.Firmware(t.Context(), b.hub.EUI)
	require.NoError(t, err)
	require.Equal(t, "1.0", version)
	require.NotEqual(t, first, s.pty.Path())
	second := time.Second
	require.Equal(t, []time.Duration{5 * second, 10 * second, 20 * second, 40 * second, time.Minute, time.Minute}, w.all)

	// One that does not come back is given up after the viability window.
	s.unplug()
	w.each = func(int) {}
	from := b.home.Clock.Now()
	_, err = line.Firmware(t.Context(), b.hub.EUI)
	require.ErrorIs(t, err, session.ErrNoWAN)
	require.ErrorContains(t, err, s.link)
	require.Equal(t, 2*time.Hour, b.home.Clock.Now().Sub(from).Truncate(time.Minute))
}

// Another hub on the port is refused, also when it has the same keys: nothing is done to it.
func TestAnotherHubOnThePortIsRefused(t *testing.T) {
	s := newSocket(t)
	b := newBench(t, func(_ *session.Config, h *session.Hub) { h.Address = s.address() })
	other := sessiontest.Neighbour(b.home.Clock)
	line := b.session()

	for name, change := range map[string]func(){
		// The gateway was started anew, and the key store does not know the hub's title: it asks.
		"by its EUI-64": func() {
			var none security.SystemTitle
			require.NoError(t, b.keys.SetTitle(t.Context(), b.hub.EUI, none))
		},
		"by its system title": func() { require.NoError(t, b.keys.SetTitle(t.Context(), b.hub.EUI, b.home.Hub.Ring.SystemTitle())) },
		// The gateway has spoken with the right one before.
		"by its name": func() {
			s.plug(b.home)
			_, err := line.Firmware(t.Context(), b.hub.EUI)
			require.NoError(t, err)
			other.Do(func() { other.Hub.Model = "HUB-2" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			other.Do(func() { other.Hub.Model = "HUB-1" })
			change()
			s.plug(other)
			did := false
			err := line.Do(t.Context(), b.hub.EUI, func(ctx context.Context, a *session.Association) error {
				err := a.SetClock(ctx, b.home.Clock.Now())
				did = did || err == nil
				return err
			})
			require.ErrorIs(t, err, session.ErrWrongDevice)
			require.ErrorContains(t, err, b.hub.EUI.String())
			require.ErrorContains(t, err, s.link)
			require.False(t, did)
			d, err := b.keys.Get(t.Context(), b.hub.EUI)
			require.NoError(t, err)
			_, err = line.Open(t.Context(), b.hub.EUI, *d.Set(keystore.Current), true)
			require.ErrorIs(t, err, session.ErrWrongDevice)
			// The right one in its place is welcome.
			s.plug(b.home)
			_, err = line.Firmware(t.Context(), b.hub.EUI)
			require.NoError(t, err)
		})
	}
}
