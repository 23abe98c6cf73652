package cluster

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/transport/radio/air"
	"smets1/zigbee/node"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

var (
	start    = time.Date(2019, 7, 15, 8, 0, 0, 0, time.UTC)
	hubEUI   = wire.MustEUI64("00-DB-12-34-56-78-90-A0")
	meterEUI = wire.MustEUI64("00-DB-12-34-56-78-90-A2")
)

// pair is a hub and a meter that has its link key.
type pair struct {
	t          testing.TB
	air        *air.Air
	now        time.Time
	hub, meter *node.Node
}

// newPair begins where joining ends; how a device joins is told by the tests of package node.
func newPair(t testing.TB, role node.Role, loss int, hub, meter *node.Endpoint) *pair {
	t.Helper()
	p := &pair{t: t, air: air.New(air.Config{Seed: 1, Loss: loss}), now: start}
	key := func(b byte) security.Key {
		k, err := security.NewKey(bytes.Repeat([]byte{b}, security.KeySize))
		require.NoError(t, err)
		return k
	}
	w := node.Commissioned{Channel: 15, PAN: 0x1A62, Key: key(1), Hub: hubEUI, Devices: []node.CommissionedDevice{
		{EUI: meterEUI, Role: role, Short: 0x3344, Code: key(2), LinkKey: key(3)},
	}}
	states, err := w.States()
	require.NoError(t, err)
	begin := func(e wire.EUI64, role node.Role, code security.Key, ep *node.Endpoint) *node.Node {
		n, err := node.New(node.Config{
			EUI: e, Role: role, Channels: 1 << 15, LinkKey: code, Entropy: rand.NewChaCha8([32]byte{e[7]}), Endpoints: []*node.Endpoint{ep},
		})
		require.NoError(t, err)
		require.NoError(t, n.Start(p.now, p.air.Open(n), states[e]))
		return n
	}
	p.hub = begin(hubEUI, node.Coordinator, security.Key{}, hub)
	p.meter = begin(meterEUI, role, key(2), meter)
	p.run(2 * time.Second) // the first link status and time-out request
	return p
}

func (p *pair) run(d time.Duration) { p.until(d, func() bool { return false }) }

func (p *pair) until(d time.Duration, done func() bool) bool {
	end := p.now.Add(d)
	for !done() {
		next := p.air.Deadline()
		for _, n := range []*node.Node{p.hub, p.meter} {
			if at := n.Deadline(); next.IsZero() || !at.IsZero() && at.Before(next) {
				next = at
			}
		}
		if next.IsZero() || next.After(end) {
			p.now = end
			return done()
		}
		p.now = next
		p.air.Advance(next)
		p.hub.Advance(next)
		p.meter.Advance(next)
	}
	return true
}

func (p *pair) read(from *node.Node, to wire.EUI64, ep uint8, c se.Cluster, ids ...zcl.Attr) []zcl.ReadStatus {
	p.t.Helper()
	var got *node.Response
	require.NoError(p.t, from.Request(p.now, &node.Request{To: to, Endpoint: ep, From: 1, Cluster: c, Global: zcl.ReadAttributes{IDs: ids}, Done: func(r node.Response) { got = &r }}))
	require.True(p.t, p.until(time.Minute, func() bool { return got != nil }))
	require.NoError(p.t, got.Err)
	return got.Global.(zcl.ReadAttributesResponse).Attributes
}

func (p *pair) command(from *node.Node, to wire.EUI64, m se.Command, answers ...uint8) node.Response {
	p.t.Helper()
	var got *node.Response
	require.NoError(p.t, from.Request(p.now, &node.Request{To: to, Endpoint: 1, From: 1, Command: m, Answers: answers, Done: func(r node.Response) { got = &r }}))
	require.True(p.t, p.until(time.Minute, func() bool { return got != nil }))
	return *got
}
