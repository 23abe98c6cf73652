package node

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/transport/radio/air"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// A joiner with a wrong install code gets the network key under a key that it does not have.
func TestWrongInstallCode(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(1)
	m := h.device(ca, esmeEUI, Router, meter(&reading))
	require.NoError(t, hub.Admit(h.now, esmeEUI, code(t, gsmeEUI)))
	require.NoError(t, hub.PermitJoin(h.now, 254*time.Second))
	require.NoError(t, m.Join(h.now))
	require.False(t, h.until(time.Minute, func() bool { return m.saw(Joined) }))
	require.ErrorIs(t, m.last(JoinFailed).Err, os.ErrDeadlineExceeded)
	require.Positive(t, m.Stats().Unauthentic)
	require.False(t, m.Up())
}

func TestUnlistedDeviceGetsNoAnswer(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(1)
	m := h.device(ca, esmeEUI, Router, meter(&reading))
	require.NoError(t, hub.PermitJoin(h.now, 254*time.Second))
	require.NoError(t, m.Join(h.now))
	require.False(t, h.until(time.Minute, func() bool { return m.saw(Joined) }))
	require.Positive(t, hub.Stats().Refused)
	require.ErrorIs(t, hub.last(DeviceRefused).Err, ErrNotAllowed)
	require.Empty(t, hub.Children())
	require.ErrorIs(t, hub.Admit(h.now, esmeEUI, security.Key{}), ErrNotAllowed)
}

func TestClosedNetworkLetsNobodyIn(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(1)
	m := h.device(ca, esmeEUI, Router, meter(&reading))
	require.NoError(t, hub.Admit(h.now, esmeEUI, m.cfg.LinkKey))
	require.NoError(t, m.Join(h.now))
	h.run(30 * time.Second)
	require.ErrorIs(t, m.last(JoinFailed).Err, errNoNetwork)
	// It goes on trying by itself, a minute apart by now.
	require.NoError(t, hub.PermitJoin(h.now, 254*time.Second))
	require.True(t, h.until(2*time.Minute, func() bool { return m.saw(Keyed) }))
}

// A device with the right install code and a certificate of another authority is on the network, but gets no key, is
// answered with FAILURE on whatever needs one, and is sent away after 20 minutes.
func TestWrongCertificate(t *testing.T) {
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(newAuthority(t, security.Suite1, "SIMSECA1"))
	reading := uint64(1)
	m := h.device(newAuthority(t, security.Suite1, "OTHERCA1"), esmeEUI, Router, meter(&reading))
	require.NoError(t, hub.Admit(h.now, esmeEUI, m.cfg.LinkKey))
	require.NoError(t, hub.PermitJoin(h.now, 254*time.Second))
	require.NoError(t, m.Join(h.now))
	require.True(t, h.until(time.Minute, func() bool { return m.saw(KeyFailed) }))
	require.ErrorIs(t, m.last(KeyFailed).Err, security.UnknownIssuer)
	require.False(t, hub.HasLinkKey(esmeEUI))
	_, err := h.read(hub, esmeEUI, 1, se.Metering, 0)
	require.ErrorIs(t, err, ErrNoLinkKey)

	joined := hub.events
	require.True(t, h.until(21*time.Minute, func() bool { return hub.saw(DeviceExpelled) }), "%v", joined)
	require.True(t, h.until(time.Minute, func() bool { return m.saw(Left) }))
	require.False(t, m.Up())
}

func TestCertificateOfAnotherDevice(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(1)
	m := h.add(Config{EUI: esmeEUI, Role: Router, LinkKey: code(t, esmeEUI), Identity: ca.identity(t, ihdEUI), Endpoints: []*Endpoint{meter(&reading)}})
	require.NoError(t, hub.Admit(h.now, esmeEUI, m.cfg.LinkKey))
	require.NoError(t, hub.PermitJoin(h.now, 254*time.Second))
	require.NoError(t, m.Join(h.now))
	require.True(t, h.until(time.Minute, func() bool { return m.saw(KeyFailed) }))
	require.ErrorIs(t, m.last(KeyFailed).Err, security.InvalidCertificate)
}

// The same read under the network key alone: refused by Smart Energy's policy, answered under the open one.
func TestPolicy(t *testing.T) {
	for policy, want := range map[Policy]error{SmartEnergy: zcl.Failure, Open: nil} {
		h := newHome(t, air.Config{Seed: 1})
		reading := uint64(77)
		hub := h.add(Config{EUI: hubEUI, Role: Coordinator, Policy: Open, Endpoints: []*Endpoint{{ID: 1, Profile: se.ProfileHA}}})
		c := Config{EUI: esmeEUI, Role: Router, Policy: policy, Endpoints: []*Endpoint{meter(&reading)}, LinkKey: security.WellKnownLinkKey()}
		m := h.add(c)
		require.NoError(t, hub.PermitJoin(h.now, 254*time.Second))
		require.NoError(t, m.Join(h.now))
		require.True(t, h.until(time.Minute, func() bool { return m.saw(Joined) }))
		h.run(10 * time.Second)
		require.Equal(t, policy == Open, m.saw(Keyed), "the trust centre's own link key is for open networks")

		hub.cfg.Endpoints[0].Profile = se.Profile
		v, err := h.read(hub, esmeEUI, 1, se.Metering, 0)
		require.ErrorIs(t, err, want)
		if want == nil {
			require.EqualValues(t, 77, v.Num)
			hub.cfg.Endpoints[0].Profile = se.ProfileHA
			v, err = h.read(hub, esmeEUI, 1, se.Metering, 0)
			require.NoError(t, err)
			require.EqualValues(t, 77, v.Num)
			continue
		}
		require.Positive(t, m.Stats().Insecure)
		// What a device may be asked before it has keys it answers.
		v, err = h.read(hub, esmeEUI, 1, se.Basic, 4)
		require.NoError(t, err)
		require.Equal(t, "Smets", string(v.Octets))
	}
}

// Whatever was on the air is refused when it is sent again, and what is altered too, and nothing changes by it.
func TestReplayedAndTamperedFrames(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(5)
	m := h.device(ca, esmeEUI, Router, meter(&reading))
	h.joined(hub, m)
	_, err := h.read(hub, esmeEUI, 1, se.Metering, 0)
	require.NoError(t, err)
	h.run(time.Second)

	secured := 0
	sent := len(h.frames)
	before := [2]Stats{hub.Stats(), m.Stats()}
	for _, f := range h.frames[:sent] {
		if f.PSDU[0]&7 != 1 || len(f.PSDU) < 40 {
			continue
		}
		secured++
		for _, x := range []*member{hub, m} {
			x.Received(h.now, append([]byte(nil), f.PSDU...), -50, 200)
		}
	}
	require.Greater(t, secured, 15)
	after := [2]Stats{hub.Stats(), m.Stats()}
	for i := range after {
		require.Equal(t, before[i].Received, after[i].Received, "none is taken")
		require.Positive(t, after[i].Replays-before[i].Replays)
	}

	// A fresh frame of the hub's, altered in each of its octets on the way.
	var got []byte
	h.air.Tap(func(f radioFrame) {
		if f.PSDU[0]&7 == 1 && got == nil {
			got = append([]byte(nil), f.PSDU...)
		}
	})
	m.proxy.n = nil // it does not hear the frame itself
	require.NoError(t, hub.Request(h.now, &Request{To: esmeEUI, Endpoint: 1, From: 1, Cluster: se.Metering, Global: zcl.ReadAttributes{IDs: []zcl.Attr{0}}}))
	require.True(t, h.until(time.Second, func() bool { return got != nil }))
	m.proxy.n = m.Node
	taken := m.Stats().Received
	for i := 9; i < len(got)-2; i++ {
		b := append([]byte(nil), got...)
		b[i] ^= 0x40
		m.recent = [8]recentFrame{} // it looks like no repetition
		m.Received(h.now, refcs(b), -50, 200)
		require.Equal(t, taken, m.Stats().Received, "octet %d", i)
	}
	m.recent = [8]recentFrame{}
	m.Received(h.now, got, -50, 200)
	require.Equal(t, taken+1, m.Stats().Received, "as it was it is taken")
}

func TestNetworkKeyUpdate(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(5)
	esme := h.device(ca, esmeEUI, Router, meter(&reading))
	gsme := h.device(ca, gsmeEUI, Sleepy, meter(&reading))
	h.joined(hub, esme)
	h.joined(hub, gsme)
	old := hub.NetworkKey()
	done := false
	require.NoError(t, hub.UpdateNetworkKey(h.now, func(missed []wire.EUI64) { require.Empty(t, missed); done = true }))
	require.True(t, h.until(2*time.Minute, func() bool { return done }))
	h.run(30 * time.Second)
	require.False(t, hub.NetworkKey().Equal(old))
	for _, m := range []*member{esme, gsme} {
		require.True(t, m.NetworkKey().Equal(hub.NetworkKey()), m.cfg.Role)
		require.True(t, m.saw(KeySwitched))
		_, err := h.read(hub, m.cfg.EUI, 1, se.Metering, 0)
		require.NoError(t, err)
	}
}

func TestPartnerKey(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(5)
	esme := h.device(ca, esmeEUI, Router, meter(&reading))
	ihd := h.device(ca, ihdEUI, EndDevice, &Endpoint{ID: 1, Device: se.DeviceInHomeDisplay})
	h.joined(hub, esme)
	h.joined(hub, ihd)
	h.run(20 * time.Second)
	_, err := h.read(ihd, esmeEUI, 1, se.Metering, 0)
	require.ErrorIs(t, err, ErrNoLinkKey)
	require.NoError(t, ihd.RequestPartnerKey(h.now, esmeEUI))
	require.True(t, h.until(time.Minute, func() bool { return ihd.saw(PartnerKeyed) && esme.saw(PartnerKeyed) }))
	v, err := h.read(ihd, esmeEUI, 1, se.Metering, 0)
	require.NoError(t, err)
	require.EqualValues(t, 5, v.Num)
	k, _ := ihd.LinkKey(esmeEUI)
	theirs, _ := hub.LinkKey(ihdEUI)
	require.False(t, k.Equal(theirs))
}

func TestRemove(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(5)
	esme := h.device(ca, esmeEUI, Router, meter(&reading))
	far := h.device(ca, gsmeEUI, Sleepy, meter(&reading))
	h.air.Link(hub.port, far.port, air.Unheard)
	h.joined(hub, esme)
	h.run(20 * time.Second)
	h.joined(hub, far)
	require.Equal(t, []wire.EUI64{gsmeEUI}, esme.Children())
	require.NoError(t, hub.Remove(h.now, gsmeEUI))
	require.True(t, h.until(time.Minute, func() bool { return far.saw(Left) }), "its parent sends it away")
	require.Empty(t, esme.Children())
	require.False(t, hub.HasLinkKey(gsmeEUI))
	require.NoError(t, hub.Remove(h.now, esmeEUI))
	require.True(t, h.until(time.Minute, func() bool { return esme.saw(Left) }))
	require.Empty(t, hub.Devices())
	require.True(t, errors.Is(hub.Leave(h.now), ErrDown))
}
