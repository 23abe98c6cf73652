package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/transport/radio/air"
	"smets1/zigbee/security"
)

// Whatever is on the air, a node takes no frame for secured that is not, and its keys stay.
func FuzzReceived(f *testing.F) {
	ca := newAuthority(f, security.Suite1, "SIMSECA1")
	h := newHome(f, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(1)
	m := h.device(ca, esmeEUI, Router, meter(&reading))
	h.joined(hub, m)
	for _, x := range h.frames {
		f.Add(x.PSDU)
	}
	state := append([]byte(nil), hub.state...)
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := New(hub.cfg)
		require.NoError(t, err)
		n.cfg.Save, n.cfg.Notify = nil, nil
		require.NoError(t, n.Start(h.now, idleRadio{}, state))
		key, keys := n.NetworkKey(), len(n.keys)
		if len(b) > 2 {
			b = refcs(append([]byte(nil), b...))
		}
		n.Received(h.now, b, -50, 200)
		require.True(t, key.Equal(n.NetworkKey()))
		require.Len(t, n.keys, keys)
		require.Zero(t, n.Stats().Received, "every frame that was on the air was before the saved counters, or is not authentic")
	})
}

// FuzzState: a state that is read comes out as it went in.
func FuzzState(f *testing.F) {
	ca := newAuthority(f, security.Suite1, "SIMSECA1")
	h := newHome(f, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(1)
	h.joined(hub, h.device(ca, gsmeEUI, Sleepy, meter(&reading)))
	f.Add(hub.State())
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := New(hub.cfg)
		require.NoError(t, err)
		if n.restore(b) != nil {
			return
		}
		again, err := New(hub.cfg)
		require.NoError(t, err)
		require.NoError(t, again.restore(n.State()))
		require.Equal(t, n.State(), again.State())
	})
}
