package node

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/transport/radio/air"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

func TestJoinEstablishAndRead(t *testing.T) {
	for _, suite := range []security.Suite{security.Suite1, security.Suite2} {
		for _, role := range []Role{Router, EndDevice, Sleepy} {
			t.Run(suite.String()+" "+role.String(), func(t *testing.T) {
				ca := newAuthority(t, suite, "SIMSECA1")
				h := newHome(t, air.Config{Seed: 1})
				reading := uint64(123456)
				hub := h.hub(ca)
				m := h.device(ca, gsmeEUI, role, meter(&reading))
				h.joined(hub, m)
				require.Equal(t, hub.PAN(), m.PAN())
				own, _ := m.LinkKey(hubEUI)
				theirs, _ := hub.LinkKey(gsmeEUI)
				require.True(t, own.Equal(theirs))
				require.False(t, own.Equal(m.cfg.LinkKey))

				v, err := h.read(hub, gsmeEUI, 1, se.Metering, 0)
				require.NoError(t, err)
				require.EqualValues(t, 123456, v.Num)
				for _, x := range h.nodes {
					s := x.Stats()
					require.Zero(t, s.Replays+s.Unauthentic+s.Insecure+s.Malformed, "%+v", s)
				}
			})
		}
	}
}

func TestFramesOfAJoin(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(1)
	m := h.device(ca, esmeEUI, Router, meter(&reading))
	h.run(time.Second)
	n, at := len(h.frames), h.now
	h.joined(hub, m)
	t.Logf("join with key establishment: %d frames, %v", len(h.frames)-n, h.now.Sub(at))
	require.Less(t, len(h.frames)-n, 80)
	require.Less(t, h.now.Sub(at), 10*time.Second)
}

// Which suites a device knows can be read before it has a key.
func TestSuitesCanBeRead(t *testing.T) {
	for _, suite := range []security.Suite{security.Suite1, security.Suite2} {
		ca := newAuthority(t, suite, "SIMSECA1")
		h := newHome(t, air.Config{Seed: 1})
		reading := uint64(5)
		all := h.begun(Config{Identity: ca.identity(t, hubEUI)}, Config{EUI: esmeEUI, Role: Router, Endpoints: []*Endpoint{meter(&reading)}})
		hub, m := all[0], all[1]
		v, err := h.read(m, hubEUI, 1, se.KeyEstablishment, se.AttrKeyEstablishmentSuite)
		require.NoError(t, err)
		require.EqualValues(t, suite, v.Num)
		_, err = h.read(hub, esmeEUI, 1, se.KeyEstablishment, se.AttrKeyEstablishmentSuite)
		require.ErrorIs(t, err, zcl.UnsupportedCluster, "a device without a certificate takes no part in it")
	}
}
