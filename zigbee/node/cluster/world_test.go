package cluster

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/transport/radio"
	"smets1/transport/radio/air"
	"smets1/zigbee/aps"
	"smets1/zigbee/mac"
	"smets1/zigbee/node"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
	"smets1/zigbee/zdp"
)

// world is a home with every frame that was on its air, and what may open them.
type world struct {
	t      testing.TB
	air    *air.Air
	now    time.Time
	rand   *rand.ChaCha8
	ca     security.SimulatorCA
	issuer wire.EUI64
	suite  security.Suite
	nodes  []*node.Node
	ports  map[wire.EUI64]*air.Port
	events map[wire.EUI64][]node.Event
	frames []radio.Frame
	keys   []security.Key
}

func newWorld(t testing.TB, suite security.Suite) *world {
	w := &world{t: t, air: air.New(air.Config{Seed: 7}), now: start, rand: rand.NewChaCha8([32]byte{7}), suite: suite, issuer: wire.EUI64{'S', 'I', 'M', 'S', 'E', 'C', 'A', '1'}}
	w.ports, w.events = map[wire.EUI64]*air.Port{}, map[wire.EUI64][]node.Event{}
	w.ca = w.authority()
	w.air.Tap(func(f radio.Frame) {
		f.PSDU = append([]byte(nil), f.PSDU...)
		w.frames = append(w.frames, f)
	})
	return w
}

func (w *world) authority() security.SimulatorCA {
	key, err := security.GeneratePrivateKey(w.rand, w.suite)
	require.NoError(w.t, err)
	ca, err := security.NewSimulatorCA(key)
	require.NoError(w.t, err)
	return ca
}

func (w *world) identity(ca security.SimulatorCA, e wire.EUI64) node.Identity {
	var template security.Certificate = security.Certificate1{Subject: e, Issuer: w.issuer, Attributes: [10]byte{1, 9}}
	if w.suite == security.Suite2 {
		template = security.Certificate2{
			Curve: security.CertificateCurveK283, Hash: security.CertificateHashMMO, Issuer: w.issuer, Validity: security.CertificateValidForever,
			Subject: e, KeyUsage: security.CertificateUseAgreement,
		}
	}
	c, key, err := ca.Mint(w.rand, template)
	require.NoError(w.t, err)
	return node.Identity{Certificate: c, Key: key, Authorities: map[wire.EUI64]security.PublicKey{w.issuer: ca.Public()}}
}

// add adds a node. Its install code is one of the four lengths in turn.
func (w *world) add(c node.Config) *node.Node {
	w.t.Helper()
	c.Channels, c.Entropy = 1<<20, w.rand
	if c.Identity.Certificate == nil {
		c.Identity = w.identity(w.ca, c.EUI)
	}
	if c.Role != node.Coordinator {
		code, err := security.GenerateInstallCode(w.rand, [...]int{6, 8, 12, 16}[len(w.nodes)%4])
		require.NoError(w.t, err)
		c.LinkKey = code.LinkKey()
		w.keys = append(w.keys, c.LinkKey)
	}
	c.Notify = func(_ time.Time, e node.Event) { w.events[c.EUI] = append(w.events[c.EUI], e) }
	n, err := node.New(c)
	require.NoError(w.t, err)
	w.ports[c.EUI] = w.air.Open(n)
	require.NoError(w.t, n.Start(w.now, w.ports[c.EUI], nil))
	w.nodes = append(w.nodes, n)
	if c.Role == node.Coordinator {
		w.keys = append(w.keys, n.NetworkKey())
		return n
	}
	require.NoError(w.t, w.nodes[0].Admit(w.now, c.EUI, c.LinkKey))
	return n
}

func (w *world) saw(e wire.EUI64, k node.EventKind) bool {
	for _, x := range w.events[e] {
		if x.Kind == k {
			return true
		}
	}
	return false
}

// joined has a node join with its key established.
func (w *world) joined(n *node.Node) {
	w.t.Helper()
	hub := w.nodes[0]
	require.NoError(w.t, hub.PermitJoin(w.now, 200*time.Second))
	require.NoError(w.t, n.Join(w.now))
	require.True(w.t, w.until(2*time.Minute, func() bool { return w.saw(n.EUI(), node.Keyed) && hub.HasLinkKey(n.EUI()) }), "%v", w.events[n.EUI()])
	k, _ := n.LinkKey(hub.EUI())
	w.keys = append(w.keys, k)
	w.run(10 * time.Second)
}

func (w *world) run(d time.Duration) { w.until(d, func() bool { return false }) }

func (w *world) until(d time.Duration, done func() bool) bool {
	end := w.now.Add(d)
	for !done() {
		next := w.air.Deadline()
		for _, n := range w.nodes {
			if at := n.Deadline(); next.IsZero() || !at.IsZero() && at.Before(next) {
				next = at
			}
		}
		if next.IsZero() || next.After(end) {
			w.now = end
			return done()
		}
		w.now = next
		w.air.Advance(next)
		for _, n := range w.nodes {
			n.Advance(next)
		}
	}
	return true
}

// wait runs until a callback was called.
func (w *world) wait(f func(done func())) {
	w.t.Helper()
	over := false
	f(func() { over = true })
	require.True(w.t, w.until(3*time.Minute, func() bool { return over }))
}

// global sends a global command and waits for its answer.
func (w *world) global(from *node.Node, r node.Request) (got node.Response) {
	w.t.Helper()
	w.wait(func(done func()) {
		r.Done = func(x node.Response) { got = x; done() }
		require.NoError(w.t, from.Request(w.now, &r))
	})
	return got
}

func (w *world) zdp(from *node.Node, to wire.EUI64, m zdp.Command) (got zdp.Command) {
	w.t.Helper()
	w.wait(func(done func()) {
		require.NoError(w.t, from.ZDP(w.now, to, m, func(c zdp.Command, err error) {
			require.NoError(w.t, err)
			got = c
			done()
		}))
	})
	return got
}

// heard is what was on an air: each command by a name of its own.
type heard map[string]int

func clusterCommand(k se.Key) string {
	return fmt.Sprintf("se %04X %t %02X", uint16(k.Cluster), k.FromServer, k.ID)
}
func globalCommand(id zcl.GlobalID) string { return fmt.Sprintf("zcl %02X", uint8(id)) }
func zdpCommand(c zdp.Cluster) string      { return fmt.Sprintf("zdp %04X", uint16(c)) }
func apsCommand(id aps.CommandID) string   { return fmt.Sprintf("aps %02X", uint8(id)) }
func nwkCommand(id nwk.CommandID) string   { return fmt.Sprintf("nwk %02X", uint8(id)) }

// listen decodes all that was on the air. Every frame must open.
func (w *world) listen() heard {
	h := heard{}
	l := &listener{world: w, heard: h, parts: map[string]*aps.Reassembly{}}
	for i := range w.frames {
		l.frame(i, append([]byte(nil), w.frames[i].PSDU...))
	}
	return h
}

type listener struct {
	*world
	heard heard
	parts map[string]*aps.Reassembly
}

func (l *listener) frame(i int, psdu []byte) {
	f, _, err := mac.ParseFrame(psdu)
	require.NoError(l.t, err, i)
	if f.Type != mac.TypeData {
		return
	}
	p, _, err := nwk.ParseFrame(f.Payload)
	require.NoError(l.t, err, i)
	payload := p.Payload
	if p.Secured {
		payload = l.open(i, security.KeyIDNetwork, func(c *security.Cipher) ([]byte, bool) {
			p, _, err := nwk.ParseFrame(append([]byte(nil), f.Payload...))
			require.NoError(l.t, err)
			ok := p.Open(c) == nil
			return p.Payload, ok
		})
	}
	if p.Type == nwk.TypeCommand {
		m, _, err := nwk.ParseCommand(payload)
		require.NoError(l.t, err, i)
		l.heard[nwkCommand(m.ID())]++
		return
	}
	l.aps(i, p.Src, payload)
}

// open tries all keys.
func (l *listener) open(i int, id security.KeyID, try func(c *security.Cipher) ([]byte, bool)) []byte {
	for _, k := range l.keys {
		switch id {
		case security.KeyIDTransport:
			k = k.KeyTransport()
		case security.KeyIDLoad:
			k = k.KeyLoad()
		default:
		}
		c, err := security.NewCipher(k)
		require.NoError(l.t, err)
		if b, ok := try(c); ok {
			return b
		}
	}
	require.Failf(l.t, "no key", "frame %d opens with none of %d keys", i+1, len(l.keys))
	return nil
}

func (l *listener) aps(i int, src uint16, b []byte) {
	a, _, err := aps.ParseFrame(b)
	require.NoError(l.t, err, i)
	payload := a.Payload
	if a.Secured {
		payload = l.open(i, a.Aux.KeyID, func(c *security.Cipher) ([]byte, bool) {
			a, _, err := aps.ParseFrame(append([]byte(nil), b...))
			require.NoError(l.t, err)
			require.True(l.t, a.Aux.Extended)
			ok := a.Open(c) == nil
			return a.Payload, ok
		})
	}
	switch {
	case a.Type == aps.TypeCommand:
		m, _, err := aps.ParseCommand(payload)
		require.NoError(l.t, err, i)
		l.heard[apsCommand(m.ID())]++
		if t, ok := m.(aps.Tunnel); ok {
			l.aps(i, src, t.Frame)
		}
		return
	case a.Type != aps.TypeData:
		return
	case a.Extended && a.Fragmentation != aps.NotFragmented:
		key := fmt.Sprint(src, a.Counter)
		if l.parts[key] == nil {
			l.parts[key] = &aps.Reassembly{Max: 4096}
		}
		done, err := l.parts[key].Add(&a.Header, payload)
		require.NoError(l.t, err, i)
		if !done {
			return
		}
		l.heard["fragments"]++
		payload = l.parts[key].Append(nil)
		delete(l.parts, key)
	}
	if a.Profile == zdp.Profile {
		l.heard[zdpCommand(zdp.Cluster(a.Cluster))]++
		return
	}
	z, _, err := zcl.ParseFrame(payload)
	require.NoError(l.t, err, i)
	switch {
	case z.HasManufacturer:
		l.heard["manufacturer"]++
	case z.Type == zcl.TypeGlobal:
		_, _, err := zcl.ParseGlobal(zcl.GlobalID(z.Command), z.Payload)
		require.NoError(l.t, err, i)
		l.heard[globalCommand(zcl.GlobalID(z.Command))]++
	default:
		k := se.Key{Cluster: se.Cluster(a.Cluster), FromServer: z.FromServer, ID: z.Command}
		_, _, err := se.Parse(k, z.Payload)
		require.NoError(l.t, err, "frame %d: %v", i+1, k)
		l.heard[clusterCommand(k)]++
		require.Equal(l.t, se.Protect(k.Cluster) == se.LinkKey, a.Secured, "frame %d: %v", i+1, k)
	}
}
