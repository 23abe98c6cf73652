package node

import (
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/aps"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
)

// Times and sizes of APS (ZigBee specification, clause 2.2.7; Smart Energy's stack profile: window 1; recalled).
const (
	ackWait       = 1600 * time.Millisecond // apscAckWaitDuration
	apsRetries    = 3
	seenTime      = 10 * time.Second // how long a duplicate is recognised
	maxSeen       = 32
	assemblyTime  = 12 * time.Second // from one fragment to the next
	maxAssemblies = 4
	maxTransfer   = 2048 // longest message taken, as the node descriptor says
)

const (
	macOverhead = 9 + mac.FCSSize
	nwkOverhead = 8 + 14 + security.MICSize
	apsData     = 8
	apsExtended = 2
	apsAux      = 5 + 8 + security.MICSize
)

// room is how many octets fit into one frame.
func room(secured, fragmented bool) int {
	r := mac.MaxPSDU - macOverhead - nwkOverhead - apsData
	if secured {
		r -= apsAux
	}
	if fragmented {
		r -= apsExtended
	}
	return r
}

// transmission is a message on its way, until it is acknowledged.
type transmission struct {
	dst     uint16
	eui     wire.EUI64
	header  aps.Header
	payload []byte
	key     *linkKey
	size    int // of a fragment, 0 for one frame
	block   int
	total   int
	tries   int
	timer   *timer
	done    func(error)
}

// seenMessage recognises duplicates.
type seenMessage struct {
	src     uint16
	counter uint8
	at      time.Time
}

// assembly is a message of which fragments are missing.
type assembly struct {
	src     uint16
	counter uint8
	m       aps.Reassembly
	secured bool
	timer   *timer
}

// transmit sends an addressed APS message. done is told when it was acknowledged, or left if no acknowledgement is asked for.
func (n *Node) transmit(dst uint16, h aps.Header, payload []byte, key *linkKey, done func(error)) {
	n.apsCounter++
	h.Counter = n.apsCounter
	if done == nil {
		done = func(error) {}
	}
	h.Secured = key != nil
	if nwk.IsBroadcast(dst) {
		h.Delivery, h.AckRequest = aps.DeliveryBroadcast, false
		n.sendNWK(nwk.Header{Dst: dst}, nil, &outgoing{header: h, payload: payload}, done)
		return
	}
	t := &transmission{dst: dst, header: h, payload: payload, key: key, tries: apsRetries, total: 1, done: done}
	t.eui, _ = n.euiOf(dst)
	if longer := n.routeOctets(dst); len(payload) > room(key != nil, false)-longer {
		t.size = room(key != nil, true) - longer
		t.header.AckRequest = true
		t.total = (len(payload) + t.size - 1) / t.size
		if t.total > 255 {
			done(ErrTooLong)
			return
		}
	}
	n.outbox = append(n.outbox, t)
	n.push(t)
	n.hurry()
}

// push sends the fragment that is due.
func (n *Node) push(t *transmission) {
	h, part := t.header, t.payload
	if t.size > 0 {
		var err error
		if part, _, err = h.Fragment(t.payload, t.size, t.block); err != nil {
			n.delivery(t, err)
			return
		}
	}
	x := nwk.Header{Dst: t.dst, Discover: nwk.DiscoverEnable, EndDeviceInitiator: !n.cfg.Role.routes()}
	n.sendNWK(x, nil, &outgoing{header: h, payload: part, key: t.key}, func(err error) {
		if !t.header.AckRequest {
			n.delivery(t, err)
		}
	})
	if t.header.AckRequest {
		wait := ackWait
		if n.sleepy(t.dst) {
			wait += mac.IndirectPersist
		}
		t.timer = n.after(wait, func() { n.overdue(t) })
	}
}

func (n *Node) overdue(t *transmission) {
	if t.tries == 0 {
		n.stats.Undelivered++
		n.delivery(t, timedOut("%s (%04X) did not acknowledge a message in %d attempts", t.eui, t.dst, apsRetries+1))
		return
	}
	t.tries--
	n.stats.Retries++
	if short, ok := n.addressOf(t.eui); ok {
		t.dst = short // it may have moved
	}
	n.push(t)
}

// delivery ends a transmission.
func (n *Node) delivery(t *transmission, err error) {
	n.stop(t.timer)
	for i, x := range n.outbox {
		if x == t {
			n.outbox = append(n.outbox[:i], n.outbox[i+1:]...)
			break
		}
	}
	if len(n.outbox) == 0 {
		n.outbox = nil
	}
	t.done(err)
}

// acknowledged takes an acknowledgement.
func (n *Node) acknowledged(src uint16, h *aps.Header, secured bool) {
	for _, t := range n.outbox {
		if t.header.Counter != h.Counter || t.dst != src || t.header.Type == aps.TypeCommand != h.AckOfCommand {
			continue
		}
		if !h.AckOfCommand && (t.header.Secured && !secured || t.header.Cluster != h.Cluster || t.header.DstEndpoint != h.SrcEndpoint) {
			continue
		}
		if t.size > 0 {
			if !h.Extended || h.Fragmentation == aps.NotFragmented || int(h.Block) != t.block || h.Bitmap&1 == 0 {
				return
			}
			n.stop(t.timer)
			if t.block++; t.block < t.total {
				t.tries = apsRetries
				n.push(t)
				return
			}
		}
		n.delivery(t, nil)
		return
	}
}

// sealAPS builds an APS frame, secured if it has a key.
func (n *Node) sealAPS(b []byte, o *outgoing) ([]byte, error) {
	if o.key == nil {
		o.header.Secured = false
		b, err := o.header.AppendBinary(b)
		return append(b, o.payload...), err
	}
	c, err := o.key.cipher(o.keyID)
	if err != nil {
		return b, err
	}
	counter, err := n.nextCounter(&n.apsTx, apsBlock)
	if err != nil {
		return b, err
	}
	o.header.Secured = true
	aux := security.Aux{KeyID: o.keyID, Extended: !o.short, Counter: counter, Source: n.cfg.EUI}
	return aps.Seal(b, &o.header, &aux, c, o.payload)
}

// receiveAPS takes the payload of a NWK data frame. nwkSecured is false only for the key of a joiner.
func (n *Node) receiveAPS(h nwk.Header, b []byte, nwkSecured bool) {
	f, _, err := aps.ParseFrame(b)
	if err != nil || f.Type == aps.TypeInterPAN {
		n.stats.Malformed++
		return
	}
	var key *linkKey
	if f.Secured {
		if key = n.openAPS(h.Src, &f); key == nil {
			return
		}
	}
	switch f.Type {
	case aps.TypeAck:
		n.acknowledged(h.Src, &f.Header, f.Secured)
	case aps.TypeCommand:
		if f.Secured || nwkSecured {
			n.receiveCommand(h, &f, key, nwkSecured)
		}
	default:
		n.receiveData(h, &f, key)
	}
}

// openAPS finds the key of a secured frame, opens it and accepts its counter; nil if there is none that fits.
func (n *Node) openAPS(src uint16, f *aps.Frame) *linkKey {
	e, ok := n.euiOf(src)
	if f.Aux.Extended {
		if ok && e != f.Aux.Source && n.phase == up {
			n.stats.Unauthentic++ // somebody else's address
			return nil
		}
		e = f.Aux.Source
	} else if !ok {
		n.stats.Unauthentic++
		return nil
	} else {
		f.Aux.Source = e
	}
	if e == n.cfg.EUI {
		n.stats.Unauthentic++
		return nil
	}
	// Data is under the established key, so that is tried first; keys are moved under that of the install code.
	var room [4]*linkKey
	candidates := room[:0]
	for _, code := range [2]bool{f.Aux.KeyID != security.KeyIDLink, f.Aux.KeyID == security.KeyIDLink} {
		for _, k := range n.keys {
			if k.partner == e && (k.kind == preconfigured) == code {
				candidates = append(candidates, k)
			}
		}
	}
	if n.trustCentre.IsZero() || e == n.trustCentre {
		if k := n.joinKey(); k != nil && k.partner != e {
			candidates = append(candidates, k)
		}
	}
	if len(candidates) > 1 {
		n.rawBuf = append(n.rawBuf[:0], f.Payload...)
	}
	replay := false
	for i, k := range candidates {
		if k.rx.Check(f.Aux.Counter) != nil {
			replay = true
			continue
		}
		c, err := k.cipher(f.Aux.KeyID)
		if err != nil {
			continue
		}
		try := *f
		if try.Open(c) != nil {
			if i+1 < len(candidates) {
				copy(f.Payload, n.rawBuf) // a failed try spoils it
			}
			continue
		}
		*f = try
		if k.rx.Accept(f.Aux.Counter) != nil {
			continue
		}
		return k
	}
	if replay {
		n.stats.Replays++
	} else {
		n.stats.Unauthentic++
	}
	return nil
}

// duplicate notes a message; true if it was seen before.
func (n *Node) duplicate(src uint16, counter uint8) bool {
	kept := n.seen[:0]
	found := false
	for _, s := range n.seen {
		if n.now.Sub(s.at) > seenTime {
			continue
		}
		found = found || s.src == src && s.counter == counter
		kept = append(kept, s)
	}
	n.seen = kept
	if found {
		n.stats.Duplicates++
		return true
	}
	if len(n.seen) >= maxSeen {
		n.seen = n.seen[1:]
	}
	n.seen = append(n.seen, seenMessage{src, counter, n.now})
	return false
}

// receiveData takes a data frame: acknowledges it, puts fragments together, and hands the message up.
func (n *Node) receiveData(h nwk.Header, f *aps.Frame, key *linkKey) {
	if key != nil && key.kind == preconfigured {
		// The key of the install code is for key transport. Data under it is not even acknowledged.
		n.stats.Insecure++
		return
	}
	unicast := f.Delivery == aps.DeliveryUnicast && !nwk.IsBroadcast(h.Dst)
	if f.Extended && f.Fragmentation != aps.NotFragmented {
		if unicast {
			n.fragment(h, f, key)
		}
		return
	}
	if unicast && f.AckRequest {
		n.acknowledge(h.Src, f.Ack(), key)
	}
	if n.duplicate(h.Src, f.Counter) {
		return
	}
	n.message(h, &f.Header, f.Payload, key)
}

func (n *Node) acknowledge(dst uint16, a aps.Header, key *linkKey) {
	n.sendNWK(nwk.Header{Dst: dst, Discover: nwk.DiscoverEnable, EndDeviceInitiator: !n.cfg.Role.routes()}, nil, &outgoing{header: a, key: key}, nil)
}

// fragment takes a part of a message.
func (n *Node) fragment(h nwk.Header, f *aps.Frame, key *linkKey) {
	var m *assembly
	for _, x := range n.reassembly {
		if x.src == h.Src && x.counter == f.Counter {
			m = x
		}
	}
	if m == nil {
		for _, s := range n.seen {
			if s.src == h.Src && s.counter == f.Counter && n.now.Sub(s.at) <= seenTime {
				// The message is whole already; the last acknowledgement was lost.
				n.stats.Duplicates++
				a := f.Ack()
				a.Extended, a.Fragmentation, a.Block, a.Bitmap = true, aps.LaterFragment, f.BlockIndex(), 0xFF
				if a.Block == 0 {
					a.Fragmentation = aps.FirstFragment
				}
				n.acknowledge(h.Src, a, key)
				return
			}
		}
		if len(n.reassembly) >= maxAssemblies {
			return
		}
		m = &assembly{src: h.Src, counter: f.Counter, m: aps.Reassembly{Max: maxTransfer}, secured: f.Secured}
		n.reassembly = append(n.reassembly, m)
	}
	if m.secured != f.Secured {
		n.stats.Insecure++
		return
	}
	done, err := m.m.Add(&f.Header, f.Payload)
	if err != nil {
		n.stats.Malformed++
		n.dropAssembly(m)
		return
	}
	n.stop(m.timer)
	m.timer = n.after(assemblyTime, func() { n.dropAssembly(m) })
	n.ackFragment(h.Src, f, m, key)
	if done {
		n.dropAssembly(m)
		n.duplicate(h.Src, f.Counter)
		n.message(h, &f.Header, m.m.Append(nil), key)
	}
}

func (n *Node) ackFragment(dst uint16, f *aps.Frame, m *assembly, key *linkKey) {
	a := f.Ack()
	m.m.Ack(&a, f.BlockIndex(), 1)
	n.acknowledge(dst, a, key)
}

func (n *Node) dropAssembly(m *assembly) {
	n.stop(m.timer)
	for i, x := range n.reassembly {
		if x == m {
			n.reassembly = append(n.reassembly[:i], n.reassembly[i+1:]...)
			break
		}
	}
	if len(n.reassembly) == 0 {
		n.reassembly = nil
	}
}

// message hands a whole message to the device profile or the clusters.
func (n *Node) message(h nwk.Header, a *aps.Header, payload []byte, key *linkKey) {
	e, _ := n.euiOf(h.Src)
	m := Message{
		From: e, Short: h.Src, Broadcast: nwk.IsBroadcast(h.Dst), Profile: a.Profile, Cluster: a.Cluster,
		SrcEndpoint: a.SrcEndpoint, DstEndpoint: a.DstEndpoint, Secured: key != nil, Counter: a.Counter,
	}
	if n.cfg.Deliver != nil && n.forHost(&m) {
		n.cfg.Deliver(n.now, m, payload)
	}
	if a.Profile == 0 && a.DstEndpoint == aps.EndpointZDO {
		n.receiveZDP(&m, payload)
		return
	}
	if n.cfg.Deliver == nil {
		n.receiveZCL(&m, payload)
	}
}

// Message is where a message came from and how.
type Message struct {
	From             wire.EUI64 // zero if it is not known
	Short            uint16
	Broadcast        bool
	Profile, Cluster uint16
	SrcEndpoint      uint8
	DstEndpoint      uint8
	Secured          bool // under an established or application link key
	Counter          uint8
}
