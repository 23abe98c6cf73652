package cluster

import (
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

func newPair(t testing.TB, role node.Role, loss int, hub, meter *node.Endpoint) *pair {
	t.Helper()
	p := &pair{t: t, air: air.New(air.Config{Seed: 1}), now: start}
	r := rand.NewChaCha8([32]byte{1})
	key, err := security.GeneratePrivateKey(r, security.Suite1)
	require.NoError(t, err)
	ca, err := security.NewSimulatorCA(key)
	require.NoError(t, err)
	id := wire.EUI64{'S', 'I', 'M', 'S', 'E', 'C', 'A', '1'}
	keyed := 0
	make := func(e wire.EUI64, role node.Role, code security.Key, ep *node.Endpoint) *node.Node {
		c, key, err := ca.Mint(r, security.Certificate1{Subject: e, Issuer: id, Attributes: [10]byte{1, 9}})
		require.NoError(t, err)
		n, err := node.New(node.Config{
			EUI: e, Role: role, Channels: 1 << 15, LinkKey: code, Entropy: r, Endpoints: []*node.Endpoint{ep},
			Identity: node.Identity{Certificate: c, Key: key, Authorities: map[wire.EUI64]security.PublicKey{id: ca.Public()}},
			Notify: func(_ time.Time, e node.Event) {
				if e.Kind == node.Keyed || e.Kind == node.DeviceKeyed {
					keyed++
				}
			},
		})
		require.NoError(t, err)
		require.NoError(t, n.Start(p.now, p.air.Open(n), nil))
		return n
	}
	code, err := security.ParseInstallCode("83FED3407A939723A5C639B26916D505C3B5")
	require.NoError(t, err)
	p.hub = make(hubEUI, node.Coordinator, security.Key{}, hub)
	p.meter = make(meterEUI, role, code.LinkKey(), meter)
	require.NoError(t, p.hub.Admit(p.now, meterEUI, code.LinkKey()))
	require.NoError(t, p.hub.PermitJoin(p.now, time.Minute))
	require.NoError(t, p.meter.Join(p.now))
	require.True(t, p.until(time.Minute, func() bool { return keyed == 2 }))
	p.air.SetLoss(loss)
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
