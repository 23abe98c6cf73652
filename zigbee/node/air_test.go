package node

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/transport/radio"
	"smets1/transport/radio/air"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

type radioFrame = radio.Frame

// refcs puts the right FCS under an altered frame.
func refcs(b []byte) []byte {
	n := len(b) - 2
	binary.LittleEndian.PutUint16(b[n:], wire.CRC16Kermit(b[:n]))
	return b
}

// A meter out of the hub's reach joins through another: Update-Device, the key in a Tunnel, routes by request and reply.
func TestFarMeter(t *testing.T) {
	for _, role := range []Role{Router, EndDevice, Sleepy} {
		t.Run(role.String(), func(t *testing.T) {
			ca := newAuthority(t, security.Suite1, "SIMSECA1")
			h := newHome(t, air.Config{Seed: 2})
			hub := h.hub(ca)
			near, far := uint64(1), uint64(2)
			esme := h.device(ca, esmeEUI, Router, meter(&near))
			gsme := h.device(ca, gsmeEUI, role, meter(&far))
			h.air.Link(hub.port, gsme.port, air.Unheard)
			h.joined(hub, esme)
			h.run(20 * time.Second)
			h.joined(hub, gsme)
			require.NotContains(t, hub.Children(), gsmeEUI)
			require.Contains(t, esme.Children(), gsmeEUI)
			v, err := h.read(hub, gsmeEUI, 1, se.Metering, 0)
			require.NoError(t, err)
			require.EqualValues(t, 2, v.Num)
			require.Positive(t, hub.Stats().RouteDiscoveries+gsme.Stats().RouteDiscoveries)
		})
	}
}

func TestLossyAirStillDelivers(t *testing.T) {
	ca := newAuthority(t, security.Suite2, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 3, Loss: 50_000})
	hub := h.hub(ca)
	reading := uint64(9)
	esme := h.device(ca, esmeEUI, Router, meter(&reading))
	gsme := h.device(ca, gsmeEUI, Sleepy, meter(&reading))
	h.joined(hub, esme)
	h.joined(hub, gsme)
	for range 100 {
		for _, e := range []wire.EUI64{esmeEUI, gsmeEUI} {
			v, err := h.read(hub, e, 1, se.Metering, 0)
			require.NoError(t, err)
			require.EqualValues(t, 9, v.Num)
		}
	}
	require.Positive(t, h.air.Stats().Lost)
}

// Counters, children, keys and the list outlive a power cut of the hub; the meters need not even notice.
func TestPowerCycleOfTheHub(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(9)
	esme := h.device(ca, esmeEUI, Router, meter(&reading))
	gsme := h.device(ca, gsmeEUI, Sleepy, meter(&reading))
	h.joined(hub, esme)
	h.joined(hub, gsme)
	key, children := hub.NetworkKey(), hub.Children()
	link, _ := hub.LinkKey(gsmeEUI)
	used := hub.nwkTx.Peek()

	hub.proxy.n = nil
	h.run(time.Minute)
	h.power(hub)
	require.True(t, hub.Up())
	require.True(t, key.Equal(hub.NetworkKey()))
	require.ElementsMatch(t, children, hub.Children())
	again, _ := hub.LinkKey(gsmeEUI)
	require.True(t, link.Equal(again))
	require.GreaterOrEqual(t, hub.nwkTx.Peek(), used, "counters never go back")
	require.ElementsMatch(t, []wire.EUI64{esmeEUI, gsmeEUI}, hub.Devices())
	h.run(30 * time.Second)
	for _, e := range []wire.EUI64{esmeEUI, gsmeEUI} {
		_, err := h.read(hub, e, 1, se.Metering, 0)
		require.NoError(t, err, e)
	}
	require.Zero(t, esme.Stats().Replays+gsme.Stats().Replays+hub.Stats().Replays)
}

func TestPowerCycleOfAMeter(t *testing.T) {
	for _, role := range []Role{Router, Sleepy} {
		ca := newAuthority(t, security.Suite1, "SIMSECA1")
		h := newHome(t, air.Config{Seed: 1})
		hub := h.hub(ca)
		reading := uint64(9)
		m := h.device(ca, gsmeEUI, role, meter(&reading))
		h.joined(hub, m)
		short := m.Short()
		m.proxy.n = nil
		h.run(time.Minute)
		h.power(m)
		require.Equal(t, short, m.Short())
		h.run(30 * time.Second)
		v, err := h.read(hub, gsmeEUI, 1, se.Metering, 0)
		require.NoError(t, err)
		require.EqualValues(t, 9, v.Num)
	}
}

// A sleepy meter whose parent is gone rejoins by another router, with its keys.
func TestSleepyMeterFindsAnotherParent(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(9)
	esme := h.device(ca, esmeEUI, Router, meter(&reading))
	gsme := h.device(ca, gsmeEUI, Sleepy, meter(&reading))
	h.joined(hub, esme)
	h.run(20 * time.Second)
	h.joined(hub, gsme)
	require.Contains(t, hub.Children(), gsmeEUI)
	h.air.Link(hub.port, gsme.port, air.Unheard)
	require.True(t, h.until(2*time.Minute, func() bool { return gsme.saw(ParentLost) && gsme.Up() }))
	require.Equal(t, esme.Short(), gsme.parent)
	h.run(20 * time.Second)
	v, err := h.read(hub, gsmeEUI, 1, se.Metering, 0)
	require.NoError(t, err)
	require.EqualValues(t, 9, v.Num)
}

func TestLeave(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(9)
	m := h.device(ca, gsmeEUI, Sleepy, meter(&reading))
	h.joined(hub, m)
	require.NoError(t, m.Leave(h.now))
	require.True(t, h.until(time.Minute, func() bool { return hub.saw(DeviceLeft) && m.saw(Left) }))
	require.Empty(t, hub.Children())
	require.False(t, hub.HasLinkKey(gsmeEUI))
	// It may come back by its install code.
	m.events = nil
	h.joined(hub, m)
}

func TestTwoNetworksOnOneChannel(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	other := wire.MustEUI64("00-DB-12-34-56-78-90-B0")
	neighbour := h.add(Config{EUI: other, Role: Coordinator, PAN: 0x2B73, Endpoints: []*Endpoint{esi()}, Identity: ca.identity(t, other)})
	a, b := uint64(1), uint64(2)
	esme := h.device(ca, esmeEUI, Router, meter(&a))
	c := Config{EUI: gsmeEUI, Role: Router, LinkKey: code(t, gsmeEUI), Identity: ca.identity(t, gsmeEUI), Endpoints: []*Endpoint{meter(&b)}, ExtendedPAN: other}
	theirs := h.add(c)
	require.NoError(t, neighbour.Admit(h.now, gsmeEUI, c.LinkKey))
	require.NoError(t, neighbour.PermitJoin(h.now, 254*time.Second))
	h.joined(hub, esme)
	h.joined(neighbour, theirs)
	require.Equal(t, neighbour.PAN(), theirs.PAN())
	strangers := func() uint64 { return hub.Stats().Unauthentic + esme.Stats().Unauthentic + theirs.Stats().Unauthentic }
	before := strangers()
	require.Equal(t, hub.PAN(), esme.PAN())
	v, err := h.read(hub, esmeEUI, 1, se.Metering, 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, v.Num)
	v, err = h.read(neighbour, gsmeEUI, 1, se.Metering, 0)
	require.NoError(t, err)
	require.EqualValues(t, 2, v.Num)
	require.Equal(t, before, strangers(), "neither hears the other's frames")
	_, err = h.read(hub, gsmeEUI, 1, se.Metering, 0)
	require.ErrorIs(t, err, ErrUnknown)
}

// A long message goes in fragments, each secured for itself.
func TestFragments(t *testing.T) {
	for name, loss := range map[string]int{"clean": 0, "lossy": 100_000} {
		t.Run(name, func(t *testing.T) {
			ca := newAuthority(t, security.Suite1, "SIMSECA1")
			h := newHome(t, air.Config{Seed: 5})
			hub := h.hub(ca)
			long := make([]byte, 1500)
			for i := range long {
				long[i] = byte(i * 7)
			}
			var got []byte
			ep := &Endpoint{ID: 1, Device: se.DeviceMetering, Clusters: []*Cluster{{Spec: &Spec{ID: se.Tunneling, Server: true, Commands: []Command{
				{ID: 2, Handle: func(c *Call, m se.Command) error {
					got = append([]byte(nil), m.(se.TransferData).Data...)
					return nil
				}},
			}}}}}
			m := h.device(ca, esmeEUI, Router, ep)
			h.joined(hub, m)
			h.air.SetLoss(loss)
			var r *Response
			at := h.now
			require.NoError(t, hub.Request(h.now, &Request{To: esmeEUI, Endpoint: 1, From: 1, Command: se.TransferData{ID: 1, Data: long}, Timeout: time.Minute, Done: func(x Response) { r = &x }}))
			require.True(t, h.until(2*time.Minute, func() bool { return r != nil }))
			require.NoError(t, r.Err)
			require.Equal(t, long, got)
			t.Logf("1500 octets in %v", h.now.Sub(at))
		})
	}
}

// A sleepy child that does not ask for a frame loses it after 7.68 s, to the nanosecond.
func TestIndirectQueue(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(9)
	m := h.device(ca, gsmeEUI, Sleepy, meter(&reading))
	h.joined(hub, m)
	h.run(20 * time.Second)
	m.proxy.n = nil // it sleeps too deep
	at := h.now
	var gone time.Duration
	hub.now = h.now
	hub.sendNWK(nwk.Header{Dst: m.Short()}, []byte{0}, nil, func(err error) {
		require.Error(t, err)
		gone = hub.now.Sub(at)
	})
	require.Len(t, hub.indirect, 1)
	h.run(10 * time.Second)
	require.Equal(t, mac.IndirectPersist, gone)
	require.Equal(t, 7680*time.Millisecond, gone)
	require.EqualValues(t, 1, hub.Stats().IndirectExpired)
}

func TestSleepyMeterSleeps(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(9)
	m := h.device(ca, gsmeEUI, Sleepy, meter(&reading))
	h.joined(hub, m)
	h.run(time.Minute)
	n, at := len(h.frames), h.now
	h.run(10 * time.Minute)
	polls := 0
	for _, f := range h.frames[n:] {
		if f.PSDU[0]&7 == mac3 {
			polls++
		}
	}
	require.InDelta(t, 100, polls, 1, "every 6 s")
	require.Equal(t, 10*time.Minute, h.now.Sub(at))
}

const mac3 = byte(mac.TypeCommand)

func TestRunsAreTheSame(t *testing.T) {
	play := func() string {
		ca := newAuthority(t, security.Suite1, "SIMSECA1")
		h := newHome(t, air.Config{Seed: 7, Loss: 20_000})
		hub := h.hub(ca)
		reading := uint64(9)
		m := h.device(ca, gsmeEUI, Sleepy, meter(&reading))
		h.joined(hub, m)
		_, err := h.read(hub, gsmeEUI, 1, se.Metering, 0)
		require.NoError(t, err)
		return h.dump()
	}
	require.Equal(t, play(), play())
}

func TestSaveFails(t *testing.T) {
	h := newHome(t, air.Config{Seed: 1})
	n, err := New(Config{EUI: hubEUI, Role: Coordinator, Channels: 1 << 15, Entropy: entropy(1), Save: func([]byte) error { return fmt.Errorf("disk full") }})
	require.NoError(t, err)
	p := &proxy{n}
	require.ErrorContains(t, n.Start(start, h.air.Open(p), nil), "disk full")
	n.Advance(start.Add(time.Minute))
	h.air.Advance(start.Add(time.Minute))
	require.Empty(t, h.frames, "no counter may be used that is not on disk")
}

func TestStateTruncated(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	reading := uint64(9)
	h.joined(hub, h.device(ca, gsmeEUI, Sleepy, meter(&reading)))
	state := hub.State()
	for i := 1; i < len(state); i++ {
		n, err := New(hub.cfg)
		require.NoError(t, err)
		require.Error(t, n.restore(state[:i]), i)
	}
	n, err := New(hub.cfg)
	require.NoError(t, err)
	require.NoError(t, n.restore(state))
	require.Equal(t, state, n.State())
}

func TestWritesAndDiscovery(t *testing.T) {
	ca := newAuthority(t, security.Suite1, "SIMSECA1")
	h := newHome(t, air.Config{Seed: 1})
	hub := h.hub(ca)
	value := uint64(3)
	ep := &Endpoint{ID: 1, Device: se.DeviceMetering, Clusters: []*Cluster{{Spec: &Spec{ID: se.Identify, Server: true, Attributes: []Attribute{
		{ID: 0, Type: zcl.Uint16, Get: func(*Call) zcl.Value { return zcl.Unsigned(zcl.Uint16, value) }, Set: func(_ *Call, v zcl.Value) error {
			if v.Num > 100 {
				return zcl.InvalidValue
			}
			value = v.Num
			return nil
		}},
		{ID: 1, Type: zcl.Uint8, Get: Fixed(zcl.Unsigned(zcl.Uint8, 1))},
	}}}}}
	m := h.device(ca, esmeEUI, Router, ep)
	h.joined(hub, m)
	ask := func(g zcl.Global) zcl.Global {
		var got *Response
		require.NoError(t, hub.Request(h.now, &Request{To: esmeEUI, Endpoint: 1, From: 1, Cluster: se.Identify, Global: g, Done: func(r Response) { got = &r }}))
		require.True(t, h.until(time.Minute, func() bool { return got != nil }))
		require.NoError(t, got.Err)
		return got.Global
	}
	u16 := func(n uint64) zcl.Value { return zcl.Unsigned(zcl.Uint16, n) }
	require.Equal(t, zcl.WriteAttributesResponse{Failures: []zcl.WriteStatus{{Status: zcl.ReadOnly, ID: 1}, {Status: zcl.UnsupportedAttribute, ID: 9}}},
		ask(zcl.WriteAttributes{Attributes: []zcl.Attribute{{ID: 0, Value: u16(4)}, {ID: 1, Value: zcl.Unsigned(zcl.Uint8, 4)}, {ID: 9, Value: u16(1)}}}))
	require.EqualValues(t, 4, value)
	ask(zcl.WriteAttributesUndivided{Attributes: []zcl.Attribute{{ID: 0, Value: u16(5)}, {ID: 9, Value: u16(1)}}})
	require.EqualValues(t, 4, value, "all or nothing")
	require.Equal(t, zcl.WriteAttributesResponse{Failures: []zcl.WriteStatus{{Status: zcl.InvalidValue, ID: 0}}},
		ask(zcl.WriteAttributes{Attributes: []zcl.Attribute{{ID: 0, Value: u16(101)}}}))
	require.Equal(t, zcl.DiscoverAttributesResponse{Attributes: []zcl.AttributeType{{ID: 0, Type: zcl.Uint16}}}, ask(zcl.DiscoverAttributes{Most: 1}))
	require.Equal(t, zcl.DiscoverAttributesExtendedResponse{Complete: true, Attributes: []zcl.AttributeAccess{
		{ID: 0, Type: zcl.Uint16, Access: zcl.AccessRead | zcl.AccessWrite}, {ID: 1, Type: zcl.Uint8, Access: zcl.AccessRead},
	}}, ask(zcl.DiscoverAttributesExtended{Most: 9}))
}
