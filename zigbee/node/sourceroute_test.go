package node

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/transport/radio/air"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl/se"
)

// chain is a hub, two routers one behind the other, and a sleeping meter behind the second.
func chain(t testing.TB, period time.Duration) (h *home, hub, first, second, last *member) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h = newHome(t, air.Config{Seed: 4})
	c := Config{EUI: hubEUI, Role: Coordinator, PAN: 0x1A62, Endpoints: []*Endpoint{esi()}, Identity: ca.identity(t, hubEUI), Concentrator: period}
	hub = h.add(c)
	reading := uint64(7)
	first = h.device(ca, esmeEUI, Router, meter(&reading))
	second = h.device(ca, ihdEUI, Router, meter(&reading))
	last = h.device(ca, gsmeEUI, Sleepy, meter(&reading))
	h.air.Link(hub.port, second.port, air.Unheard)
	h.air.Link(hub.port, last.port, air.Unheard)
	h.air.Link(first.port, last.port, air.Unheard)
	for _, m := range []*member{first, second, last} {
		h.joined(hub, m)
		h.run(20 * time.Second)
	}
	return h, hub, first, second, last
}

// nwkFrames decodes the NWK frames of a home that a node sent itself.
func (h *home) nwkFrames(from uint16) (frames []nwk.Frame) {
	for _, f := range h.frames {
		m, _, err := mac.ParseFrame(append([]byte(nil), f.PSDU...))
		if err != nil || m.Type != mac.TypeData || m.Src.Short != from {
			continue
		}
		if p, _, err := nwk.ParseFrame(m.Payload); err == nil && p.Src == from {
			frames = append(frames, p)
		}
	}
	return frames
}

func TestConcentratorKeepsSourceRoutes(t *testing.T) {
	h, hub, first, second, last := chain(t, time.Minute)
	h.run(70 * time.Second)
	for _, m := range []*member{second, last} { // anything they send brings the way
		_, err := h.read(m, hubEUI, 1, se.Basic, 0)
		require.Error(t, err, "the hub of this test has no such attribute, and says so")
	}
	require.Equal(t, []uint16{first.Short()}, hub.SourceRoute(h.now, second.Short()))
	require.Equal(t, []uint16{second.Short(), first.Short()}, hub.SourceRoute(h.now, last.Short()))

	discoveries := hub.Stats().RouteDiscoveries
	h.frames = nil
	hub.routes = nil
	v, err := h.read(hub, gsmeEUI, 1, se.Metering, 0)
	require.NoError(t, err)
	require.EqualValues(t, 7, v.Num)
	require.Equal(t, discoveries, hub.Stats().RouteDiscoveries, "no route is looked for")
	routed := 0
	for _, p := range h.nwkFrames(hub.Short()) {
		if p.HasRoute {
			routed++
			require.EqualValues(t, 2, p.Route.Count)
			require.Equal(t, [nwk.MaxRelays]uint16{second.Short(), first.Short()}, p.Route.Relays)
		}
	}
	require.Positive(t, routed)

	// A relay that is gone: the hub hears of it and finds another way, or none.
	first.proxy.n = nil
	first.port.Tune(h.now, 15, false)
	done := false
	require.NoError(t, hub.Request(h.now, &Request{To: gsmeEUI, Endpoint: 1, From: 1, Command: se.TransferData{ID: 1, Data: []byte{1}}, Quiet: true, Done: func(r Response) {
		require.Error(t, r.Err)
		done = true
	}}))
	require.True(t, h.until(2*time.Minute, func() bool { return done }))
	require.Empty(t, hub.SourceRoute(h.now, last.Short()), "a way that failed is forgotten")
}

// A message that only just fits one frame is cut where a source route makes its frame longer.
func TestSourceRouteLeavesRoom(t *testing.T) {
	h, hub, _, _, last := chain(t, time.Minute)
	h.run(70 * time.Second)
	_, err := h.read(last, hubEUI, 1, se.Basic, 0)
	require.Error(t, err)
	require.Len(t, hub.SourceRoute(h.now, last.Short()), 2)
	for size := 20; size < 90; size++ {
		done := false
		require.NoError(t, hub.Request(h.now, &Request{To: gsmeEUI, Endpoint: 1, From: 1, Command: se.TransferData{ID: 1, Data: make([]byte, size)}, Quiet: true, Done: func(r Response) {
			require.NoError(t, r.Err)
			done = true
		}}))
		require.True(t, h.until(time.Minute, func() bool { return done }), size)
	}
	require.Zero(t, last.Stats().Malformed)
}
