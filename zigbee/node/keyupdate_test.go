package node

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/transport/radio/air"
	"smets1/zigbee/aps"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// A device that had no power while the network key changed twice comes back with its link key, and gets the new one.
func TestNetworkKeyUpdateMissed(t *testing.T) {
	for _, role := range []Role{Sleepy, EndDevice, Router} {
		for _, times := range []int{1, 2} {
			h := newHome(t, air.Config{Seed: 1})
			reading := uint64(5)
			all := h.begun(Config{}, Config{EUI: gsmeEUI, Role: role, Endpoints: []*Endpoint{meter(&reading)}})
			hub, m := all[0], all[1]
			m.proxy.n = nil
			m.port.Tune(h.now, 15, false)
			for range times {
				done := false
				require.NoError(t, hub.UpdateNetworkKey(h.now, func(missed []wire.EUI64) { require.Equal(t, []wire.EUI64{gsmeEUI}, missed); done = true }))
				require.True(t, h.until(5*time.Minute, func() bool { return done }))
			}
			h.power(m)
			require.True(t, h.until(30*time.Minute, func() bool { return m.NetworkKey().Equal(hub.NetworkKey()) && m.Up() }), "%s after %d", role, times)
			h.run(30 * time.Second)
			v, err := h.read(hub, gsmeEUI, 1, se.Metering, 0)
			require.NoError(t, err)
			require.EqualValues(t, 5, v.Num)
		}
	}
}

// A sleepy child that is awake for nobody gets the next key through its parent's queue, near or far, and keeps its link key.
func TestNetworkKeyUpdateOfSleepyChildren(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1, Loss: 20_000})
	hub := h.hub(ca)
	reading := uint64(5)
	esme := h.device(ca, esmeEUI, Router, meter(&reading))
	near := h.device(ca, ihdEUI, Sleepy, meter(&reading))
	far := h.device(ca, gsmeEUI, Sleepy, meter(&reading))
	h.air.Link(hub.port, far.port, air.Unheard)
	h.joined(hub, esme)
	h.run(20 * time.Second)
	h.joined(hub, near)
	h.joined(hub, far)
	require.Contains(t, esme.Children(), gsmeEUI)
	for range 3 {
		links := map[*member]security.Key{}
		for _, m := range []*member{near, far} {
			links[m], _ = m.LinkKey(hubEUI)
		}
		done := false
		require.NoError(t, hub.UpdateNetworkKey(h.now, func(missed []wire.EUI64) { require.Empty(t, missed); done = true }))
		require.True(t, h.until(5*time.Minute, func() bool { return done }))
		h.run(time.Minute)
		for _, m := range []*member{esme, near, far} {
			require.True(t, m.NetworkKey().Equal(hub.NetworkKey()))
			v, err := h.read(hub, m.cfg.EUI, 1, se.Metering, 0)
			require.NoError(t, err)
			require.EqualValues(t, 5, v.Num)
		}
		for m, k := range links {
			again, _ := m.LinkKey(hubEUI)
			require.True(t, k.Equal(again))
		}
	}
}

// A rejoin without security brings nothing to a device that has no established key, listed or not, and a replayed one
// nothing to anyone.
func TestBareRejoinNeedsTheLinkKey(t *testing.T) {
	h := newHome(t, air.Config{Seed: 1})
	reading := uint64(5)
	all := h.begun(Config{}, Config{EUI: gsmeEUI, Role: EndDevice, Endpoints: []*Endpoint{meter(&reading)}})
	hub, m := all[0], all[1]
	require.NoError(t, hub.Admit(h.now, ihdEUI, code(t, ihdEUI))) // never joined
	key := hub.NetworkKey()
	for _, e := range []wire.EUI64{ihdEUI, esmeEUI} {
		refused := hub.Stats().Refused
		stranger := h.add(Config{EUI: e, Role: EndDevice, LinkKey: code(t, e), Endpoints: []*Endpoint{meter(&reading)}})
		stranger.channel, stranger.pan, stranger.epid, stranger.trustCentre, stranger.short = hub.channel, hub.pan, hub.epid, hubEUI, 0x1234
		stranger.setKey(hubEUI, established, key) // it makes one up
		stranger.nets[0] = network{key: code(t, ihdEUI)}
		stranger.Rejoin(h.now)
		h.run(time.Minute)
		require.False(t, stranger.Up())
		require.False(t, stranger.NetworkKey().Equal(key))
		require.Greater(t, hub.Stats().Refused, refused, e)
		require.False(t, hub.HasLinkKey(e))
		stranger.Stop(h.now)
	}
	require.NotContains(t, hub.Children(), ihdEUI)
	h.run(time.Minute)
	require.Len(t, hub.neighbours, 1, "who does not come to have the key is forgotten")
	// The one that is a child goes on as before, though somebody claims to be it.
	liar := h.add(Config{EUI: gsmeEUI, Role: EndDevice, LinkKey: code(t, gsmeEUI), Endpoints: []*Endpoint{meter(&reading)}})
	liar.channel, liar.pan, liar.epid, liar.trustCentre, liar.short = hub.channel, hub.pan, hub.epid, hubEUI, m.Short()
	liar.setKey(hubEUI, established, key)
	liar.nets[0] = network{key: code(t, ihdEUI)}
	liar.Rejoin(h.now)
	h.run(20 * time.Second)
	liar.proxy.n = nil
	liar.port.Tune(h.now, 15, false)
	require.False(t, liar.NetworkKey().Equal(key))
	h.run(time.Minute)
	v, err := h.read(hub, gsmeEUI, 1, se.Metering, 0)
	require.NoError(t, err)
	require.EqualValues(t, 5, v.Num)
}

// On an open network a device gets a link key of its own, proves that it has it, and has that confirmed.
func TestOpenNetworkKeys(t *testing.T) {
	h := newHome(t, air.Config{Seed: 1})
	hub := h.add(Config{EUI: hubEUI, Role: Coordinator, Policy: Open, Endpoints: []*Endpoint{esi()}})
	reading := uint64(7)
	m := h.add(Config{EUI: esmeEUI, Role: Router, Policy: Open, Endpoints: []*Endpoint{meter(&reading)}})
	require.NoError(t, hub.PermitJoin(h.now, 254*time.Second))
	require.NoError(t, m.Join(h.now))
	require.True(t, h.until(time.Minute, func() bool { return m.saw(Keyed) && hub.saw(DeviceKeyed) }))
	theirs, ok := hub.LinkKey(esmeEUI)
	require.True(t, ok)
	ours, _ := m.LinkKey(hubEUI)
	require.True(t, ours.Equal(theirs))
	require.False(t, ours.Equal(security.WellKnownLinkKey()))

	// A proof with another key is answered, but confirms nothing.
	hub.events, m.events = nil, nil
	m.apsCommand(nwk.Coordinator, aps.VerifyKey{Source: esmeEUI, Hash: security.WellKnownLinkKey().VerifyHash()}, nil, 0, nil)
	h.run(5 * time.Second)
	require.False(t, hub.saw(DeviceKeyed))
	require.False(t, m.saw(Keyed))
	// And for a device without a key nothing at all.
	refused := hub.Stats().Refused
	m.apsCommand(nwk.Coordinator, aps.VerifyKey{Source: gsmeEUI, Hash: ours.VerifyHash()}, nil, 0, nil)
	h.run(5 * time.Second)
	require.Equal(t, refused+1, hub.Stats().Refused)
}

// Of two frames that arrive in the wrong order the later one is taken, and the earlier one refused and counted.
func TestReorderedFrames(t *testing.T) {
	h := newHome(t, air.Config{Seed: 1})
	reading := uint64(5)
	all := h.begun(Config{}, Config{EUI: esmeEUI, Role: Router, Endpoints: []*Endpoint{meter(&reading)}})
	hub, m := all[0], all[1]
	m.proxy.n = nil // it hears them from us
	h.frames = nil
	for range 2 {
		require.NoError(t, hub.Request(h.now, &Request{To: esmeEUI, Endpoint: 1, From: 1, Cluster: se.Metering, Global: zcl.ReadAttributes{IDs: []zcl.Attr{0}}, Quiet: true}))
		h.run(100 * time.Millisecond)
	}
	var two [][]byte
	for _, f := range h.frames {
		if f.PSDU[0]&7 == 1 && len(two) < 2 && (len(two) == 0 || string(two[0]) != string(f.PSDU)) {
			two = append(two, append([]byte(nil), f.PSDU...))
		}
	}
	require.Len(t, two, 2)
	m.proxy.n = m.Node
	before := m.Stats()
	m.Received(h.now, append([]byte(nil), two[1]...), -50, 200)
	require.Equal(t, before.Received+1, m.Stats().Received)
	m.recent = [8]recentFrame{}
	m.Received(h.now, append([]byte(nil), two[0]...), -50, 200)
	require.Equal(t, before.Received+1, m.Stats().Received)
	require.Equal(t, before.Replays+1, m.Stats().Replays)
}
