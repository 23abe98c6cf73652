package node

import (
	"crypto/subtle"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/aps"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
)

// apsCommand sends an APS command, secured with a key for a use, or only by the network key if key is nil.
func (n *Node) apsCommand(dst uint16, m aps.Command, key *linkKey, id security.KeyID, done func(error)) {
	b, err := m.AppendBinary(nil)
	if err != nil {
		if done != nil {
			done(err)
		}
		return
	}
	n.apsCounter++
	h := aps.Header{Type: aps.TypeCommand, Counter: n.apsCounter, Secured: key != nil}
	if nwk.IsBroadcast(dst) {
		h.Delivery = aps.DeliveryBroadcast
	}
	n.sendNWK(nwk.Header{Dst: dst, Discover: nwk.DiscoverEnable}, nil, &outgoing{header: h, payload: b, key: key, keyID: id}, done)
}

// sureCommand sends an APS command until it is acknowledged.
func (n *Node) sureCommand(dst uint16, m aps.Command, key *linkKey, id security.KeyID, done func(error)) {
	b, err := m.AppendBinary(nil)
	if err != nil {
		done(err)
		return
	}
	n.apsCounter++
	h := aps.Header{Type: aps.TypeCommand, Counter: n.apsCounter, Secured: true, AckRequest: true}
	var try func(left int)
	t := &transmission{dst: dst, header: h, key: key, total: 1, done: done}
	t.eui, _ = n.euiOf(dst)
	n.outbox = append(n.outbox, t)
	try = func(left int) {
		n.sendNWK(nwk.Header{Dst: t.dst, Discover: nwk.DiscoverEnable}, nil, &outgoing{header: h, payload: b, key: key, keyID: id}, nil)
		wait := ackWait
		if n.sleepy(t.dst) {
			wait += 2 * sleepMargin
		}
		t.timer = n.after(wait, func() {
			if left == 0 {
				n.stats.Undelivered++
				n.delivery(t, timedOut("%s did not acknowledge a key", t.eui))
				return
			}
			n.stats.Retries++
			try(left - 1)
		})
	}
	try(apsRetries)
	n.hurry()
}

const sleepMargin = 4 * time.Second

// receiveCommand takes an APS command.
func (n *Node) receiveCommand(h nwk.Header, f *aps.Frame, key *linkKey, nwkSecured bool) {
	m, _, err := aps.ParseCommand(f.Payload)
	if err != nil {
		n.stats.Malformed++
		return
	}
	if f.AckRequest && nwkSecured {
		a := f.Ack()
		var with *linkKey
		if f.Aux.KeyID == security.KeyIDLink {
			with = key
		}
		a.Secured = with != nil
		n.acknowledge(h.Src, a, with)
		if n.duplicate(h.Src, f.Counter) {
			return
		}
	}
	from, _ := n.euiOf(h.Src)
	if f.Secured {
		from = f.Aux.Source
	}
	refuse := func() { n.stats.Insecure++ }
	switch m := m.(type) {
	case aps.TransportKey:
		n.transported(m, from, f, key)
	case aps.Tunnel:
		if from != n.trustCentre {
			refuse()
			return
		}
		n.tunnelled(m)
	case aps.SwitchKey:
		if from != n.trustCentre {
			refuse()
			return
		}
		n.switchKey(m.Sequence)
	case aps.RemoveDevice:
		if from != n.trustCentre || key == nil && n.cfg.Policy == SmartEnergy {
			refuse()
			return
		}
		n.sendAway(m.Child)
	case aps.UpdateDevice:
		if n.cfg.Role != Coordinator {
			refuse()
			return
		}
		n.updated(h.Src, m)
	case aps.RequestKey:
		if n.cfg.Role != Coordinator || key == nil {
			refuse()
			return
		}
		n.keyRequested(h.Src, from, m, key)
	case aps.VerifyKey:
		if n.cfg.Role != Coordinator || n.cfg.Policy != Open {
			refuse()
			return
		}
		n.verify(h.Src, m)
	case aps.ConfirmKey:
		if m.Status == aps.StatusSuccess && from == n.trustCentre {
			n.notify(Event{Kind: Keyed, Device: n.trustCentre})
		}
	}
}

// transported takes a key.
func (n *Node) transported(m aps.TransportKey, from wire.EUI64, f *aps.Frame, key *linkKey) {
	switch {
	case !f.Secured:
		n.stats.Insecure++
	case m.Type == aps.KeyNetwork && f.Aux.KeyID == security.KeyIDTransport && m.Source == from:
		if n.trustCentre.IsZero() || n.trustCentre == from {
			if key.partner.IsZero() {
				key.partner = from
			}
			n.networkKey(m)
			return
		}
		n.stats.Insecure++
	case m.Type == aps.KeyTrustCentreLink && f.Aux.KeyID == security.KeyIDLoad && from == n.trustCentre && n.cfg.Policy == Open:
		n.setKey(n.trustCentre, established, m.Key)
		n.apsCommand(nwk.Coordinator, aps.VerifyKey{Source: n.cfg.EUI, Hash: m.Key.VerifyHash()}, nil, 0, nil)
	case m.Type == aps.KeyApplicationLink && f.Aux.KeyID == security.KeyIDLoad && from == n.trustCentre && key.kind == established:
		n.setKey(m.Partner, application, m.Key)
		n.notify(Event{Kind: PartnerKeyed, Device: m.Partner})
	default:
		n.stats.Insecure++
	}
}

// askLinkKey asks the trust centre of an open network for a key of this device's own.
func (n *Node) askLinkKey() {
	key := n.joinKey()
	if key == nil {
		return
	}
	n.apsCommand(nwk.Coordinator, aps.RequestKey{Type: aps.KeyTrustCentreLink}, key, security.KeyIDLink, nil)
}

// RequestPartnerKey asks the trust centre for an application link key with another device; the event PartnerKeyed tells
// when it is there.
func (n *Node) RequestPartnerKey(now time.Time, partner wire.EUI64) error {
	n.now = now
	key := n.establishedKey(n.trustCentre)
	if n.phase != up || key == nil {
		return ErrNoLinkKey
	}
	n.apsCommand(nwk.Coordinator, aps.RequestKey{Type: aps.KeyApplicationLink, Partner: partner}, key, security.KeyIDLink, nil)
	n.hurry()
	n.persist()
	return nil
}

// tunnelled passes the trust centre's frame for a joiner on, without NWK security.
func (n *Node) tunnelled(m aps.Tunnel) {
	x := n.neighbourEUI(m.Destination)
	if x == nil || x.relation != child || !n.cfg.Role.routes() {
		return
	}
	n.toJoiner(x, m.Frame, nil)
}

// toJoiner sends a child that has no network key yet what it needs to get it.
func (n *Node) toJoiner(x *neighbour, payload []byte, o *outgoing) {
	n.nwkSeq++
	p := &packet{
		nwk: true, header: nwk.Header{Dst: x.short, Src: n.short, Radius: 1, Sequence: n.nwkSeq}, payload: payload, aps: o,
	}
	p.typ, p.from = 1, 2
	n.forward(p)
}

// sendAway has a child leave.
func (n *Node) sendAway(e wire.EUI64) {
	x := n.neighbourEUI(e)
	if x == nil || x.relation != child {
		return
	}
	h := nwk.Header{Dst: x.short, Radius: 1, HasDstEUI: true, DstEUI: e, HasSrcEUI: true, SrcEUI: n.cfg.EUI}
	n.commandNWK(h, nwk.Leave{Request: true}, func(error) { n.dropChild(e) })
}

// switchKey takes the next network key into use.
func (n *Node) switchKey(sequence uint8) {
	if !n.nets[1].valid() || n.nets[1].sequence != sequence {
		return
	}
	n.nets[0], n.nets[1] = n.nets[1], n.nets[0]
	n.dirty = true
	n.notify(Event{Kind: KeySwitched})
}

func sameHash(a, b [security.HashSize]byte) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }
