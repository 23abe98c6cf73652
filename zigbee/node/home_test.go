package node

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/transport/radio"
	"smets1/transport/radio/air"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

var start = time.Date(2019, 7, 15, 8, 0, 0, 0, time.UTC)

// The devices of the homes of these tests.
var (
	hubEUI  = wire.MustEUI64("00-DB-12-34-56-78-90-A0")
	esmeEUI = wire.MustEUI64("00-DB-12-34-56-78-90-A1")
	gsmeEUI = wire.MustEUI64("00-DB-12-34-56-78-90-A2")
	ihdEUI  = wire.MustEUI64("00-DB-12-34-56-78-90-A3")
)

// entropy is deterministic.
func entropy(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

// authority mints certificates for the tests.
type authority struct {
	ca    security.SimulatorCA
	id    wire.EUI64
	suite security.Suite
	rand  *rand.ChaCha8
}

func newAuthority(t testing.TB, suite security.Suite, name string) *authority {
	t.Helper()
	a := &authority{suite: suite, rand: entropy(name[0])}
	copy(a.id[:], name)
	key, err := security.GeneratePrivateKey(a.rand, suite)
	require.NoError(t, err)
	a.ca, err = security.NewSimulatorCA(key)
	require.NoError(t, err)
	return a
}

func (a *authority) identity(t testing.TB, e wire.EUI64) Identity {
	t.Helper()
	var template security.Certificate = security.Certificate1{Subject: e, Issuer: a.id, Attributes: [10]byte{1, 9}}
	if a.suite == security.Suite2 {
		template = security.Certificate2{
			Curve: security.CertificateCurveK283, Hash: security.CertificateHashMMO, Issuer: a.id, Validity: security.CertificateValidForever,
			Subject: e, KeyUsage: security.CertificateUseAgreement,
		}
	}
	c, key, err := a.ca.Mint(a.rand, template)
	require.NoError(t, err)
	return Identity{Certificate: c, Key: key, Authorities: map[wire.EUI64]security.PublicKey{a.id: a.ca.Public()}}
}

// home is an air with nodes.
type home struct {
	t      testing.TB
	air    *air.Air
	now    time.Time
	nodes  []*member
	frames []radio.Frame
}

// member is a node of a home with what outlives it.
type member struct {
	*Node
	cfg    Config
	port   *air.Port
	proxy  *proxy
	state  []byte
	saves  int
	events []Event
}

// proxy lets a node be exchanged behind its station.
type proxy struct{ n *Node }

func (p *proxy) Received(now time.Time, b []byte, rssi int8, lqi uint8) {
	if p.n != nil {
		p.n.Received(now, b, rssi, lqi)
	}
}

func (p *proxy) Sent(now time.Time, pending bool, err error) {
	if p.n != nil {
		p.n.Sent(now, pending, err)
	}
}

func newHome(t testing.TB, c air.Config) *home {
	h := &home{t: t, air: air.New(c), now: start}
	h.air.Tap(func(f radio.Frame) {
		f.PSDU = append([]byte(nil), f.PSDU...)
		h.frames = append(h.frames, f)
	})
	return h
}

func (h *home) add(c Config) *member { return h.addFrom(c, nil) }

// begun is a hub and devices in its reach, with the keys that they established long ago.
func (h *home) begun(hub Config, devices ...Config) []*member {
	h.t.Helper()
	r := entropy(99)
	key := func() security.Key {
		k, err := security.GenerateKey(r)
		require.NoError(h.t, err)
		return k
	}
	hub.EUI, hub.Role, hub.PAN = hubEUI, Coordinator, 0x1A62
	if hub.Endpoints == nil {
		hub.Endpoints = []*Endpoint{esi()}
	}
	w := Commissioned{Channel: 15, PAN: 0x1A62, Key: key(), Hub: hubEUI}
	for i := range devices {
		devices[i].LinkKey = code(h.t, devices[i].EUI)
		w.Devices = append(w.Devices, CommissionedDevice{EUI: devices[i].EUI, Role: devices[i].Role, Short: uint16(0x3000 + 0x111*i), Code: devices[i].LinkKey, LinkKey: key()})
	}
	states, err := w.States()
	require.NoError(h.t, err)
	all := []*member{h.addFrom(hub, states[hubEUI])}
	for _, d := range devices {
		all = append(all, h.addFrom(d, states[d.EUI]))
	}
	h.run(5 * time.Second)
	return all
}

func (h *home) addFrom(c Config, state []byte) *member {
	h.t.Helper()
	m := &member{proxy: &proxy{}, state: state}
	if c.Channels == 0 {
		c.Channels = 1 << 15
	}
	if c.Entropy == nil {
		c.Entropy = entropy(c.EUI[7])
	}
	c.Save = func(b []byte) error { m.state = append(m.state[:0], b...); m.saves++; return nil }
	c.Notify = func(_ time.Time, e Event) { m.events = append(m.events, e) }
	m.cfg = c
	m.port = h.air.Open(m.proxy)
	h.nodes = append(h.nodes, m)
	h.power(m)
	return m
}

// power starts a node, or starts it anew.
func (h *home) power(m *member) {
	h.t.Helper()
	n, err := New(m.cfg)
	require.NoError(h.t, err)
	m.Node, m.proxy.n = n, n
	require.NoError(h.t, n.Start(h.now, m.port, append([]byte(nil), m.state...)))
}

func (h *home) run(d time.Duration) { h.until(d, func() bool { return false }) }

// until runs the home until a condition holds, for d at most. It reports whether it does.
func (h *home) until(d time.Duration, done func() bool) bool {
	end := h.now.Add(d)
	for !done() {
		next := h.air.Deadline()
		for _, m := range h.nodes {
			if x := m.proxy.n; x != nil {
				if at := x.Deadline(); next.IsZero() || !at.IsZero() && at.Before(next) {
					next = at
				}
			}
		}
		if next.IsZero() || next.After(end) {
			h.now = end
			return done()
		}
		h.now = next
		h.air.Advance(next)
		for _, m := range h.nodes {
			if m.proxy.n != nil {
				m.proxy.n.Advance(next)
			}
		}
	}
	return true
}

func (m *member) saw(k EventKind) bool {
	for _, e := range m.events {
		if e.Kind == k {
			return true
		}
	}
	return false
}

func (m *member) last(k EventKind) Event {
	for i := len(m.events) - 1; i >= 0; i-- {
		if m.events[i].Kind == k {
			return m.events[i]
		}
	}
	return Event{}
}

var codes = map[wire.EUI64]string{
	esmeEUI: "83FED3407A93 2B70", gsmeEUI: "83FED3407A939723A5C639B26916D505 C3B5", ihdEUI: "83FED3407A939738 C552",
}

func code(t testing.TB, e wire.EUI64) security.Key {
	t.Helper()
	c, err := security.ParseInstallCode(codes[e])
	require.NoError(t, err)
	return c.LinkKey()
}

// meter is a metering endpoint with a reading.
func meter(reading *uint64) *Endpoint {
	return &Endpoint{ID: 1, Device: se.DeviceMetering, Clusters: []*Cluster{
		{Spec: &Spec{ID: se.Metering, Server: true, Attributes: []Attribute{
			{ID: 0x0000, Type: zcl.Uint48, Get: func(*Call) zcl.Value { return zcl.Unsigned(zcl.Uint48, *reading) }},
			{ID: 0x0307, Type: zcl.OctetString, Get: Fixed(zcl.Octets([]byte("1234567890123")))},
		}}},
		{Spec: &Spec{ID: se.Basic, Server: true, Attributes: []Attribute{
			{ID: 0x0000, Type: zcl.Uint8, Get: Fixed(zcl.Unsigned(zcl.Uint8, 2))},
			{ID: 0x0004, Type: zcl.CharString, Get: Fixed(zcl.String("Smets"))},
		}}},
	}}
}

func esi() *Endpoint {
	return &Endpoint{ID: 1, Device: se.DeviceESI, Clusters: []*Cluster{{Spec: &Spec{ID: se.Metering}}, {Spec: &Spec{ID: se.Basic, Server: true}}}}
}

// hub adds the coordinator.
func (h *home) hub(ca *authority) *member {
	h.t.Helper()
	c := Config{EUI: hubEUI, Role: Coordinator, PAN: 0x1A62, Endpoints: []*Endpoint{esi()}}
	if ca != nil {
		c.Identity = ca.identity(h.t, hubEUI)
	}
	return h.add(c)
}

// device adds a device that joins by install code and certificate.
func (h *home) device(ca *authority, e wire.EUI64, r Role, ep *Endpoint) *member {
	h.t.Helper()
	return h.add(Config{EUI: e, Role: r, LinkKey: code(h.t, e), Identity: ca.identity(h.t, e), Endpoints: []*Endpoint{ep}})
}

// joined has a device admitted and joined with its key established.
func (h *home) joined(hub, m *member) {
	h.t.Helper()
	require.NoError(h.t, hub.Admit(h.now, m.cfg.EUI, m.cfg.LinkKey))
	require.NoError(h.t, hub.PermitJoin(h.now, 254*time.Second))
	require.NoError(h.t, m.Join(h.now))
	require.True(h.t, h.until(time.Minute, func() bool { return m.saw(Keyed) && hub.HasLinkKey(m.cfg.EUI) }), "%s: events %v", m.cfg.Role, m.events)
}

// read reads an attribute.
func (h *home) read(from *member, to wire.EUI64, ep uint8, c se.Cluster, id zcl.Attr) (zcl.Value, error) {
	h.t.Helper()
	var got *Response
	err := from.Request(h.now, &Request{To: to, Endpoint: ep, From: 1, Cluster: c, Global: zcl.ReadAttributes{IDs: []zcl.Attr{id}}, Done: func(r Response) { got = &r }})
	if err != nil {
		return zcl.Value{}, err
	}
	require.True(h.t, h.until(2*time.Minute, func() bool { return got != nil }))
	if got.Err != nil {
		return zcl.Value{}, got.Err
	}
	a := got.Global.(zcl.ReadAttributesResponse).Attributes
	require.Len(h.t, a, 1)
	if a[0].Status != zcl.Success {
		return zcl.Value{}, a[0].Status
	}
	return a[0].Value, nil
}

func (h *home) dump() string {
	s := ""
	for _, f := range h.frames {
		s += fmt.Sprintf("%12s %x\n", f.Start.Sub(start), f.PSDU)
	}
	return s
}

// idleRadio sends nothing.
type idleRadio struct{}

func (idleRadio) Tune(time.Time, uint8, bool)           {}
func (idleRadio) Address(uint16, uint16, wire.EUI64)    {}
func (idleRadio) Pending([]uint16, []wire.EUI64)        {}
func (idleRadio) Transmit(time.Time, []byte, int) error { return nil }
