package node

import (
	"errors"
	"fmt"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/aps"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
)

// broadcast is one that was seen or sent.
type broadcast struct {
	src   uint16
	seq   uint8
	until time.Time
	heard int // relays of it by others
}

// Times of broadcasts.
const (
	broadcastTime    = 9 * time.Second        // nwkNetworkBroadcastDeliveryTime
	broadcastJitter  = 64 * time.Millisecond  // nwkcMaxBroadcastJitter
	passiveAck       = 500 * time.Millisecond // nwkPassiveAckTimeout
	broadcastRetries = 2
	maxBroadcasts    = 24
)

// appendNWK appends the NWK frame of a packet, secured with the key in use.
func (n *Node) appendNWK(b []byte, p *packet) ([]byte, error) {
	payload := p.payload
	if p.aps != nil {
		var err error
		if n.apsBuf, err = n.sealAPS(n.apsBuf[:0], p.aps); err != nil {
			return b, err
		}
		payload = n.apsBuf
	}
	if !p.header.Secured {
		b, err := p.header.AppendBinary(b)
		return append(b, payload...), err
	}
	net := &n.nets[0]
	c, err := net.open()
	if err != nil {
		return b, err
	}
	counter, err := n.nextCounter(&n.nwkTx, nwkBlock)
	if err != nil {
		return b, err
	}
	aux := security.Aux{KeyID: security.KeyIDNetwork, Extended: true, Counter: counter, Source: n.cfg.EUI, KeySequence: net.sequence}
	return nwk.Seal(b, &p.header, &aux, c, payload)
}

// nextCounter takes a frame counter, and reserves more in the store before they run out.
func (n *Node) nextCounter(c *security.SendCounter, block uint32) (uint32, error) {
	if _, changed := c.Reserve(block); changed {
		n.dirty = true
	}
	if n.persist(); n.failed != nil {
		return 0, fmt.Errorf("node: frame counters could not be saved: %w", n.failed)
	}
	return c.Next()
}

// sendNWK sends a frame that this node makes. The header's source, sequence and security are set here.
func (n *Node) sendNWK(h nwk.Header, payload []byte, a *outgoing, done func(error)) {
	h.Src, h.Secured = n.short, true
	n.nwkSeq++
	h.Sequence = n.nwkSeq
	if h.Radius == 0 {
		h.Radius = nwk.MaxRadius
	}
	if len(n.sourceRoutes) > 0 {
		size := len(payload)
		if a != nil {
			size = apsData + apsExtended + apsAux + len(a.payload)
		}
		n.addSourceRoute(&h, size)
	}
	n.submit(&packet{typ: mac.TypeData, from: mac.AddressShort, nwk: true, header: h, payload: payload, aps: a, done: done})
}

// commandNWK sends a NWK command. A header that has a source already is that of a relayed one.
func (n *Node) commandNWK(h nwk.Header, m nwk.Command, done func(error)) {
	h.Type = nwk.TypeCommand
	b, err := m.AppendBinary(nil)
	if err != nil {
		if done != nil {
			done(err)
		}
		return
	}
	if h.Secured { // relayed
		n.broadcastNow(&packet{typ: mac.TypeData, from: mac.AddressShort, nwk: true, header: h, payload: b, done: done})
		return
	}
	n.sendNWK(h, b, nil, done)
}

// submit sends a packet on its way.
func (n *Node) submit(p *packet) {
	h := &p.header
	if !nwk.IsBroadcast(h.Dst) {
		n.forward(p)
		return
	}
	n.note(h.Src, h.Sequence)
	if n.cfg.Role == Sleepy { // the parent broadcasts it
		p.to, p.ack = mac.ShortAddress(n.pan, n.parent), true
		n.send(p)
		return
	}
	p.tries = broadcastRetries
	if h.Radius <= 1 {
		p.tries = 0
	}
	n.broadcastNow(p)
}

// broadcastNow puts a broadcast on the air, and keeps copies for sleeping children if it is for them too. It is repeated
// while not all routers around were heard passing it on.
func (n *Node) broadcastNow(p *packet) {
	if p.header.Dst == nwk.BroadcastAll && !p.again {
		for i := range n.neighbours {
			if x := &n.neighbours[i]; x.relation == child && x.authorised && x.capability&mac.CapabilityRxOnWhenIdle == 0 && x.short != p.header.Src {
				c := *p
				c.to, c.ack, c.done = mac.ShortAddress(n.pan, x.short), true, nil
				n.hold(&c)
			}
		}
	}
	p.to, p.ack = mac.ShortAddress(n.pan, mac.Broadcast), false
	next := *p
	next.done, next.again = nil, true
	next.tries--
	n.send(p)
	if next.tries < 0 || !n.cfg.Role.routes() || n.routers() == 0 {
		return
	}
	n.after(passiveAck, func() {
		if b := n.seenBroadcast(next.header.Src, next.header.Sequence); b != nil && b.heard < n.routers() {
			n.broadcastNow(&next)
		}
	})
}

// routers is how many other routers are in reach.
func (n *Node) routers() (count int) {
	for i := range n.neighbours {
		x := &n.neighbours[i]
		if x.capability&mac.CapabilityFFD != 0 && x.authorised && !n.stale(x) {
			count++
		}
	}
	return count
}

func (n *Node) seenBroadcast(src uint16, seq uint8) *broadcast {
	for i := range n.broadcasts {
		if b := &n.broadcasts[i]; b.src == src && b.seq == seq && n.now.Before(b.until) {
			return b
		}
	}
	return nil
}

// note enters a broadcast; false if it was there already.
func (n *Node) note(src uint16, seq uint8) bool {
	if b := n.seenBroadcast(src, seq); b != nil {
		b.heard++
		return false
	}
	kept := n.broadcasts[:0]
	for _, b := range n.broadcasts {
		if n.now.Before(b.until) {
			kept = append(kept, b)
		}
	}
	if n.broadcasts = kept; len(kept) >= maxBroadcasts {
		n.broadcasts = kept[1:]
	}
	n.broadcasts = append(n.broadcasts, broadcast{src: src, seq: seq, until: n.now.Add(broadcastTime)})
	return true
}

// forward sends a unicast to its next hop.
func (n *Node) forward(p *packet) {
	hop, ok := n.sourceRouted(&p.header)
	if !ok {
		hop, ok = n.nextHop(p.header.Dst)
	}
	if !ok {
		n.discover(p)
		return
	}
	n.recordRoute(&p.header)
	p.to, p.ack = mac.ShortAddress(n.pan, hop), true
	done, dst := p.done, p.header.Dst
	p.done = func(err error) {
		if r := n.routeOf(dst); err != nil && r != nil && r.manyToOne {
			n.routeLost(dst)
			n.commandNWK(nwk.Header{Dst: dst}, nwk.NetworkStatus{Status: nwk.StatusManyToOneRouteFailure, Dst: n.short}, nil)
		}
		n.delivered(hop, err)
		if done != nil {
			done(err)
		}
	}
	if x := n.neighbour(hop); x != nil && x.relation == child && x.capability&mac.CapabilityRxOnWhenIdle == 0 {
		n.hold(p)
		return
	}
	n.send(p)
}

// sourceRouted takes the next hop from a source route.
func (n *Node) sourceRouted(h *nwk.Header) (uint16, bool) {
	if !h.HasRoute {
		return 0, false
	}
	if h.Src == n.short {
		return h.Route.Relays[h.Route.Count-1], true
	}
	if int(h.Route.Index) >= int(h.Route.Count) || h.Route.Relays[h.Route.Index] != n.short {
		return 0, false
	}
	if h.Route.Index == 0 {
		return h.Dst, true
	}
	h.Route.Index--
	return h.Route.Relays[h.Route.Index], true
}

// receiveNWK takes a MAC data frame.
func (n *Node) receiveNWK(f *mac.Frame, lqi uint8) {
	if f.Src.Mode != mac.AddressShort || n.phase == down || n.phase == scanning || n.phase == associating {
		return
	}
	p, _, err := nwk.ParseFrame(f.Payload)
	if err != nil || p.Type == nwk.TypeInterPAN {
		n.stats.Malformed++
		return
	}
	if p.Src == n.short {
		n.note(p.Src, p.Sequence) // a relay of our own broadcast
		return
	}
	if !p.Secured {
		n.heard(f)
		n.unsecured(f, &p)
		return
	}
	if err := n.authenticate(&p); err != nil {
		if errors.Is(err, errForeignKey) {
			n.foreignKey(&p, f.Src.Short)
		}
		return
	}
	n.foreign = 0
	n.stats.Received++
	hop := p.Aux.Source
	n.heard(f)
	n.learn(hop, f.Src.Short)
	if x := n.neighbourEUI(hop); x != nil {
		x.heard, x.lqi, x.authorised = n.now, lqi, true
		if x.relation == child {
			x.failures = 0
		}
	}
	if p.HasSrcEUI {
		n.learn(p.SrcEUI, p.Src)
	}
	if nwk.IsBroadcast(p.Dst) {
		n.receiveBroadcast(f, &p, lqi)
		return
	}
	if p.Dst != n.short {
		n.relay(&p)
		return
	}
	n.deliver(f, &p, lqi)
}

// authenticate opens a secured frame and accepts its counter.
func (n *Node) authenticate(p *nwk.Frame) error {
	if p.Aux.KeyID != security.KeyIDNetwork || !p.Aux.Extended || p.Aux.Source == n.cfg.EUI {
		n.stats.Malformed++
		return nwk.ErrFormat
	}
	var net *network
	for i := range n.nets {
		if n.nets[i].valid() && n.nets[i].sequence == p.Aux.KeySequence {
			net = &n.nets[i]
		}
	}
	if net == nil {
		n.stats.Unauthentic++
		return errForeignKey
	}
	source, value := p.Aux.Source, p.Aux.Counter
	c := net.counterOf(source)
	if err := c.Check(value); err != nil {
		n.stats.Replays++
		return err
	}
	cipher, err := net.open()
	if err == nil {
		err = p.Open(cipher)
	}
	if err != nil {
		n.stats.Unauthentic++
		return err
	}
	if err := net.counter(source).Accept(value); err != nil {
		n.stats.Replays++
		return err
	}
	if net == &n.nets[1] && int8(net.sequence-n.nets[0].sequence) > 0 {
		n.switchKey(net.sequence)
	}
	return nil
}

// counterOf is the counter of a sender without making room for one that was never authentic.
func (k *network) counterOf(e wire.EUI64) security.ReceiveCounter {
	for i := range k.rx {
		if k.rx[i].source == e {
			return k.rx[i].counter
		}
	}
	return security.ReceiveCounter{}
}

func (n *Node) receiveBroadcast(f *mac.Frame, p *nwk.Frame, lqi uint8) {
	if p.Type == nwk.TypeCommand && len(p.Payload) > 0 && nwk.CommandID(p.Payload[0]) == nwk.CommandRouteRequest {
		// The same request by a better way counts, so it is no duplicate.
		n.deliver(f, p, lqi)
		return
	}
	if !n.note(p.Src, p.Sequence) {
		return
	}
	if n.cfg.Role.routes() && p.Radius > 1 {
		h := p.Header
		h.Radius--
		again := &packet{
			typ: mac.TypeData, from: mac.AddressShort, nwk: true, header: h, tries: broadcastRetries,
			payload: append([]byte(nil), p.Payload...),
		}
		n.after(n.jitter(broadcastJitter), func() { n.broadcastNow(again) })
	}
	switch p.Dst {
	case nwk.BroadcastRouters, nwk.BroadcastLowPowerRouters:
		if !n.cfg.Role.routes() {
			return
		}
	case nwk.BroadcastRxOnWhenIdle:
		if n.cfg.Role == Sleepy {
			return
		}
	default:
	}
	n.deliver(f, p, lqi)
}

// relay passes a unicast on.
func (n *Node) relay(p *nwk.Frame) {
	if !n.cfg.Role.routes() || p.Radius <= 1 {
		return
	}
	h := p.Header
	h.Radius--
	src, dst := h.Src, h.Dst
	n.forward(&packet{
		typ: mac.TypeData, from: mac.AddressShort, nwk: true, header: h, payload: n.passRecord(p),
		done: func(err error) {
			if err != nil && h.HasRoute {
				n.commandNWK(nwk.Header{Dst: src}, nwk.NetworkStatus{Status: nwk.StatusSourceRouteFailure, Dst: dst}, nil)
				return
			}
			if errors.Is(err, ErrNoRoute) && src != n.short {
				n.commandNWK(nwk.Header{Dst: src}, nwk.NetworkStatus{Status: nwk.StatusNoRoute, Dst: dst}, nil)
			}
		},
	})
}

// deliver takes a frame for this node.
func (n *Node) deliver(f *mac.Frame, p *nwk.Frame, lqi uint8) {
	if p.Type == nwk.TypeData {
		n.receiveAPS(p.Header, p.Payload, true)
		return
	}
	m, _, err := nwk.ParseCommand(p.Payload)
	if err != nil {
		n.stats.Malformed++
		return
	}
	switch m := m.(type) {
	case nwk.RouteRequest:
		n.routeRequested(&p.Header, f.Src.Short, m, lqi)
	case nwk.RouteReply:
		n.routeReplied(f.Src.Short, m)
	case nwk.LinkStatus:
		n.linkStatus(p.Aux.Source, f.Src.Short, m, lqi)
	case nwk.Leave:
		n.leaveReceived(&p.Header, p.Aux.Source, m)
	case nwk.RejoinRequest:
		n.rejoinRequested(p, m, lqi)
	case nwk.RejoinResponse:
		n.rejoined(p, m)
	case nwk.EndDeviceTimeoutRequest:
		n.timeoutRequested(f.Src.Short, m)
	case nwk.RouteRecord:
		n.routeRecorded(p.Src, m)
	case nwk.NetworkStatus:
		if m.Status == nwk.StatusManyToOneRouteFailure {
			n.concentrate()
			return
		}
		n.routeLost(m.Dst)
		n.dropSourceRoute(m.Dst)
	default: // responses that change nothing here, and what this network does not need
	}
}

func (n *Node) routeLost(dst uint16) {
	for i := range n.routes {
		if n.routes[i].dst == dst {
			n.routes = append(n.routes[:i], n.routes[i+1:]...)
			return
		}
	}
}

func (n *Node) timeoutRequested(from uint16, m nwk.EndDeviceTimeoutRequest) {
	x := n.child(mac.ShortAddress(n.pan, from))
	if x == nil {
		return
	}
	answer := nwk.EndDeviceTimeoutResponse{Status: nwk.TimeoutAccepted, ParentInfo: nwk.ParentKeepaliveMACPoll | nwk.ParentKeepaliveTimeoutRequest}
	if m.Timeout > nwk.MaxTimeoutIndex {
		answer.Status = nwk.TimeoutIncorrectValue
	} else {
		x.timeout = m.Timeout
		n.dirty = true
	}
	n.commandNWK(nwk.Header{Dst: from, Radius: 1, HasSrcEUI: true, SrcEUI: n.cfg.EUI, HasDstEUI: true, DstEUI: x.eui}, answer, nil)
}

// errForeignKey: a frame of this network under a key that is not there.
var errForeignKey = fmt.Errorf("node: a network key that is not there: %w", security.ErrAuthentication)

// unsecured takes a frame without NWK security: only the transport of the network key to a joiner may come so, and the
// rejoin of a device that lost it.
func (n *Node) unsecured(f *mac.Frame, p *nwk.Frame) {
	if p.Type == nwk.TypeCommand && p.Dst == n.short && p.HasSrcEUI && p.Src == f.Src.Short {
		m, _, err := nwk.ParseCommand(p.Payload)
		switch m := m.(type) {
		case nwk.RejoinRequest:
			if err == nil && n.phase == up && n.cfg.Role.routes() && p.SrcEUI != n.cfg.EUI {
				n.bareRejoinRequested(p, m)
				return
			}
		case nwk.RejoinResponse:
			if err == nil && n.phase == rejoining && n.join.attempt%2 == 1 && f.Src.Short == n.parent && p.HasDstEUI && p.DstEUI == n.cfg.EUI {
				n.bareRejoined(p, m)
				return
			}
		default:
		}
	}
	if n.phase != waitingForKey || p.Type != nwk.TypeData || p.Dst != n.short || f.Src.Short != n.parent {
		n.stats.Insecure++
		return
	}
	a, _, err := aps.ParseFrame(p.Payload)
	if err != nil || a.Type != aps.TypeCommand {
		n.stats.Malformed++
		return
	}
	n.receiveAPS(p.Header, p.Payload, false)
}
