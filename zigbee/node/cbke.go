package node

import (
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/aps"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
	"smets1/zigbee/zdp"
)

// keyExchange is the one key establishment that a node is in.
type keyExchange struct {
	k        *security.KeyEstablishment
	m        Message // where the peer is
	timer    *timer
	attempts int
}

func (x *keyExchange) running() bool { return x.k != nil && !x.k.Over() }

func (x *keyExchange) reset(n *Node) {
	n.stop(x.timer)
	*x = keyExchange{}
}

const (
	onTheWay     = 15 * time.Second // beside what the peer says it needs (ours)
	establishTry = 30 * time.Second // from a failure to the next try
)

func (n *Node) keConfig(peer wire.EUI64) security.KEConfig {
	i := &n.cfg.Identity
	return security.KEConfig{Certificate: i.Certificate, Key: i.Key, Authorities: i.Authorities, Peer: peer, Rand: n.cfg.Entropy}
}

// establish begins key establishment with the trust centre: it looks for the cluster there, then sends the certificate.
func (n *Node) establish() {
	if n.phase != up || n.ke.running() || n.cfg.Role == Coordinator || n.establishedKey(n.trustCentre) != nil {
		return
	}
	n.ke.attempts++
	ask := zdp.MatchDescriptorRequest{Address: nwk.Coordinator, Profile: se.Profile, In: []uint16{uint16(se.KeyEstablishment)}}
	n.zdp(nwk.Coordinator, ask, func(m zdp.Command, err error) {
		r, ok := m.(zdp.MatchDescriptorResponse)
		if err == nil && (!ok || r.Status != zdp.StatusSuccess || len(r.Endpoints) == 0) {
			err = zdp.StatusNoMatch
		}
		if err != nil {
			n.keyFailed(err)
			return
		}
		k, first, err := security.NewInitiator(n.keConfig(n.trustCentre))
		if err != nil {
			n.keyFailed(err)
			return
		}
		n.ke.k = k
		n.ke.m = Message{
			From: n.trustCentre, Short: nwk.Coordinator, Profile: se.Profile, Cluster: uint16(se.KeyEstablishment),
			SrcEndpoint: r.Endpoints[0], DstEndpoint: n.keEndpoint(),
		}
		n.sendKE(first, false)
	})
	n.hurry()
}

// Establish has the node establish its link key with the trust centre now; after joining it does so by itself.
func (n *Node) Establish(now time.Time) {
	n.now = now
	n.establish()
	n.persist()
}

// keyEstablishment is what can be asked of the cluster besides its exchange: which suites there are. It is on the first
// endpoint of a node with a certificate, both as server and client.
func (n *Node) keyEstablishment(e *Endpoint, id se.Cluster, server bool) *Cluster {
	if id != se.KeyEstablishment || n.cfg.Identity.Certificate == nil || e != n.cfg.Endpoints[0] {
		return nil
	}
	suite := zcl.Unsigned(zcl.Map16, uint64(n.cfg.Identity.Certificate.Suite()))
	return &Cluster{Spec: &Spec{
		ID: id, Server: server, Attributes: []Attribute{{ID: se.AttrKeyEstablishmentSuite, Type: zcl.Map16, Get: Fixed(suite)}},
		Commands: keCommands, Generated: []uint8{0x00, 0x01, 0x02, 0x03},
	}}
}

// keCommands lists the commands of the exchange, for discovery: receiveKE takes them.
var keCommands = []Command{{ID: 0x00}, {ID: 0x01}, {ID: 0x02}, {ID: 0x03}}

func (n *Node) keEndpoint() uint8 {
	if len(n.cfg.Endpoints) > 0 {
		return n.cfg.Endpoints[0].ID
	}
	return 1
}

func (n *Node) keyFailed(err error) {
	n.stop(n.ke.timer)
	n.ke.k, n.ke.timer = nil, nil
	n.notify(Event{Kind: KeyFailed, Device: n.ke.m.From, Err: err})
	if n.cfg.Role != Coordinator {
		n.after(establishTry, n.establish)
	}
}

// sendKE sends a message of the exchange and waits for the next.
func (n *Node) sendKE(m security.KEMessage, server bool) {
	n.tsn++
	b, err := se.Append(nil, zcl.Header{Sequence: n.tsn, DisableDefaultResponse: true}, se.KeyEstablishmentCommand{Server: server, Message: m})
	if err != nil {
		return
	}
	h := aps.Header{DstEndpoint: n.ke.m.SrcEndpoint, SrcEndpoint: n.ke.m.DstEndpoint, Cluster: n.ke.m.Cluster, Profile: n.ke.m.Profile, AckRequest: true}
	n.transmit(n.ke.m.Short, h, b, nil, nil)
	n.stop(n.ke.timer)
	n.ke.timer = nil
	if n.ke.running() {
		k := n.ke.k
		n.ke.timer = n.after(k.Wait()+onTheWay, func() {
			if n.ke.k == k {
				n.ke.timer = nil
				n.keyFailed(timedOut("the other side of the key establishment fell silent"))
			}
		})
	}
}

// receiveKE takes a message of the Key Establishment cluster.
func (n *Node) receiveKE(m *Message, f *zcl.Frame) {
	message := security.KEMessage{Command: security.KECommand(f.Command), Payload: append([]byte(nil), f.Payload...)}
	fromResponder := f.FromServer
	if message.Command == security.KEInitiate && !fromResponder && n.cfg.Identity.Certificate != nil {
		if n.ke.running() && n.ke.m.From != m.From {
			n.busy(m)
			return
		}
		k, err := security.NewResponder(n.keConfig(m.From))
		if err != nil {
			return
		}
		n.ke.reset(n)
		n.ke.k, n.ke.m = k, *m
	}
	if !n.ke.running() || n.ke.m.From != m.From {
		return
	}
	k := n.ke.k
	reply, err := k.Receive(message)
	if reply.Payload != nil {
		n.sendKE(reply, !fromResponder)
	}
	switch {
	case err != nil:
		n.keyFailed(err)
	case k.Done():
		n.stop(n.ke.timer)
		n.ke.k, n.ke.timer, n.ke.attempts = nil, nil, 0
		n.setKey(m.From, established, k.LinkKey())
		if n.cfg.Role == Coordinator {
			n.keyed(m.From)
			return
		}
		n.notify(Event{Kind: Keyed, Device: m.From})
	}
}

// busy tells a second initiator to come again.
func (n *Node) busy(m *Message) {
	b, err := security.Terminate{Status: security.NoResources, WaitTime: uint8(establishTry / time.Second), Suites: n.cfg.Identity.Certificate.Suite()}.AppendBinary(nil)
	if err != nil {
		return
	}
	n.tsn++
	b, err = se.Append(nil, zcl.Header{Sequence: n.tsn, DisableDefaultResponse: true},
		se.KeyEstablishmentCommand{Server: true, Message: security.KEMessage{Command: security.KETerminate, Payload: b}})
	if err == nil {
		n.respond(m, b)
	}
}
