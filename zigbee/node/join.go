package node

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/aps"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
)

// joiner is the search for a network.
type joiner struct {
	rejoin     bool
	channels   []uint8 // still to be scanned
	candidates []candidate
	chosen     candidate
	timer      *timer
	attempt    int
	refused    []wire.EUI64 // networks that did not take the device; the others come first
}

// candidate is a router that was heard.
type candidate struct {
	channel    uint8
	pan, short uint16
	epid       wire.EUI64
	depth      uint8
	permit     bool
	lqi        uint8
	updateID   uint8
}

// Times of joining (Smart Energy's stack profile: three attempts a second apart, then from a minute up to a quarter of an
// hour; recalled).
const (
	quickAttempts = 3
	quickAgain    = time.Second
	slowAgain     = time.Minute
	slowest       = 15 * time.Minute
)

var (
	errNoNetwork  = errors.New("node: no network in reach lets devices join: open joining, or come closer")
	errNoResponse = errors.New("node: the parent did not answer the association")
)

// Join looks for a network and joins it. The node goes on trying by itself until it is on one or Stop is called.
func (n *Node) Join(now time.Time) error {
	n.now = now
	if n.cfg.Role == Coordinator {
		return ErrWrongRole
	}
	if n.cfg.LinkKey.IsZero() {
		return errors.New("node: no link key to join with: give it its install code")
	}
	n.forget()
	n.join = joiner{}
	n.scan()
	n.persist()
	return nil
}

// Stop ends a search for a network.
func (n *Node) Stop(now time.Time) {
	n.now = now
	if n.phase != up {
		n.stop(n.join.timer)
		n.phase = down
		n.tune()
	}
}

// forget leaves everything of a network behind, but for the link key that the node was given.
func (n *Node) forget() {
	n.stop(n.join.timer)
	n.stop(n.pollTimer)
	n.stop(n.statusTimer)
	n.stop(n.listen)
	n.pollTimer, n.statusTimer, n.listen = nil, nil, nil
	for _, p := range append([]*packet(nil), n.indirect...) {
		n.withdraw(p)
	}
	for _, t := range n.outbox {
		n.stop(t.timer)
	}
	n.endRequests(ErrDown)
	n.ke.reset(n)
	n.queue, n.outbox, n.seen, n.reassembly = nil, nil, nil, nil
	n.neighbours, n.addresses, n.routes, n.requests, n.broadcasts = nil, nil, nil, nil, nil
	for _, d := range n.discoveries {
		n.stop(d.timer)
	}
	n.discoveries = nil
	for _, r := range n.reports {
		n.stop(r.timer)
	}
	n.bindings, n.reports = nil, nil
	n.nets = [2]network{}
	n.dropKeys(func(k *linkKey) bool { return k.kind != preconfigured })
	n.trustCentre = wire.EUI64{}
	n.pan, n.short, n.parent, n.epid, n.depth = mac.BroadcastPAN, mac.NoShort, mac.NoShort, wire.EUI64{}, 0
	n.phase, n.dirty = down, true
	n.address()
}

// scan listens on every channel for beacons.
func (n *Node) scan() {
	n.phase = scanning
	n.join.candidates, n.join.channels = nil, nil
	for c := uint8(11); c < 27; c++ {
		if n.cfg.Channels&(1<<c) != 0 {
			n.join.channels = append(n.join.channels, c)
		}
	}
	n.scanNext()
}

func (n *Node) scanNext() {
	if len(n.join.channels) == 0 {
		n.choose()
		return
	}
	n.channel = n.join.channels[0]
	n.join.channels = n.join.channels[1:]
	n.tune()
	n.send(&packet{
		typ: mac.TypeCommand, to: mac.ShortAddress(mac.BroadcastPAN, mac.Broadcast), anyPAN: true, body: []byte{byte(mac.CommandBeaconRequest)},
	})
	n.join.timer = n.after(mac.BeaconScanDefault, n.scanNext)
}

// beacon takes a beacon while scanning.
func (n *Node) beacon(f *mac.Frame, lqi uint8) {
	if n.phase != scanning || f.Src.Mode != mac.AddressShort {
		return
	}
	b, _, err := mac.ParseBeacon(f.Payload)
	if err != nil {
		n.stats.Malformed++
		return
	}
	p, _, err := mac.ParseBeaconPayload(b.Payload)
	if err != nil || p.StackProfile != 2 || p.ProtocolVersion != 2 {
		return
	}
	want := n.cfg.ExtendedPAN
	if n.join.rejoin {
		want = n.epid
	}
	if !want.IsZero() && p.ExtendedPAN != want || !n.join.rejoin && !b.Superframe.AssociationPermitted() {
		return
	}
	if n.cfg.Role.routes() && !p.RouterCapacity || !n.cfg.Role.routes() && !p.EndDeviceCapacity {
		return
	}
	n.join.candidates = append(n.join.candidates, candidate{
		channel: n.channel, pan: f.Src.PAN, short: f.Src.Short, epid: p.ExtendedPAN, depth: p.Depth,
		permit: b.Superframe.AssociationPermitted(), lqi: lqi, updateID: p.UpdateID,
	})
}

// choose takes the best of the routers heard: the least costly link, then the one nearest to the coordinator.
func (n *Node) choose() {
	best := -1
	fresh := slices.DeleteFunc(slices.Clone(n.join.candidates), func(c candidate) bool { return slices.Contains(n.join.refused, c.epid) })
	if len(fresh) > 0 {
		n.join.candidates = fresh
	} else {
		n.join.refused = nil
	}
	for i, c := range n.join.candidates {
		if best < 0 {
			best = i
			continue
		}
		b := n.join.candidates[best]
		if cost(c.lqi) < cost(b.lqi) || cost(c.lqi) == cost(b.lqi) && c.depth < b.depth {
			best = i
		}
	}
	if best < 0 {
		n.failJoin(errNoNetwork)
		return
	}
	n.join.chosen = n.join.candidates[best]
	if n.join.rejoin {
		n.askRejoin()
		return
	}
	n.associate()
}

// failJoin reports and tries again later.
func (n *Node) failJoin(err error) {
	n.stop(n.join.timer)
	n.join.attempt++
	rejoin := n.join.rejoin
	if !rejoin {
		next := joiner{attempt: n.join.attempt, refused: n.join.refused}
		if !n.epid.IsZero() {
			next.refused = append(next.refused, n.epid)
		}
		n.forget()
		n.join = next
	}
	n.phase = down
	n.tune()
	n.notify(Event{Kind: JoinFailed, Err: err})
	wait := quickAgain
	if n.join.attempt >= quickAttempts {
		wait = min(slowAgain<<min(n.join.attempt-quickAttempts, 8), slowest)
	}
	n.join.timer = n.after(wait, func() {
		n.join.rejoin = rejoin
		n.scan()
	})
}

func (n *Node) associate() {
	c := n.join.chosen
	n.phase, n.channel, n.pan, n.epid, n.parent, n.depth, n.updateID = associating, c.channel, c.pan, c.epid, c.short, c.depth+1, c.updateID
	n.short = mac.NoShort
	n.address()
	n.command(mac.ShortAddress(c.pan, c.short), mac.AddressExtended, mac.AssociationRequest{Capability: n.cfg.Role.capability()}, func(err error) {
		if n.phase != associating {
			return
		}
		if err != nil {
			n.associationFailed(err)
			return
		}
		n.join.timer = n.after(associateAfter, func() {
			n.command(mac.ShortAddress(n.pan, n.parent), mac.AddressExtended, mac.DataRequest{}, nil)
		})
	})
}

func (n *Node) associationFailed(err error) {
	if n.phase == associating {
		n.failJoin(fmt.Errorf("node: association with %04X: %w", n.parent, err))
	}
}

func (n *Node) associated(f *mac.Frame, m mac.AssociationResponse) {
	if n.phase != associating || f.Dst.EUI != n.cfg.EUI {
		return
	}
	n.stop(n.listen)
	n.listen = nil
	if m.Status != mac.AssociationSuccessful {
		n.associationFailed(m.Status)
		return
	}
	n.short, n.phase = m.Short, waitingForKey
	n.learn(f.Src.EUI, n.parent)
	n.addNeighbour(neighbour{eui: f.Src.EUI, short: n.parent, relation: parentOf, capability: mac.CapabilityRouter, authorised: true, heard: n.now})
	n.address()
	n.join.timer = n.after(keyWait, func() {
		n.failJoin(timedOut("no network key came within %v: the trust centre does not know this device, or by another install code", keyWait))
	})
	if n.cfg.Role == Sleepy {
		n.nextPoll()
	}
}

// networkKey takes the network key that the trust centre sent a joiner, or a device already on the network for later.
func (n *Node) networkKey(m aps.TransportKey) {
	if m.Destination != n.cfg.EUI && !m.Destination.IsZero() {
		n.stats.Insecure++
		return
	}
	if n.phase == waitingForKey {
		n.stop(n.join.timer)
		n.nets = [2]network{{key: m.Key, sequence: m.Sequence}}
		n.trustCentre = m.Source
		n.learn(m.Source, nwk.Coordinator)
		n.enter()
		n.notify(Event{Kind: Joined, Short: n.short})
		n.afterJoining()
		return
	}
	if n.phase == up && m.Source == n.trustCentre && m.Sequence != n.nets[0].sequence {
		n.nets[1] = network{key: m.Key, sequence: m.Sequence}
		n.dirty = true
	}
}

// enter is being on the network from now on.
func (n *Node) enter() {
	n.phase, n.dirty, n.pollFailed = up, true, 0
	n.join = joiner{}
	n.address()
	n.startStatus()
	if n.cfg.Concentrator > 0 && n.cfg.Role == Coordinator {
		n.concentrateTimer = n.after(n.jitter(time.Second), n.concentrate)
	}
	if n.cfg.Role == Sleepy {
		n.fastUntil = n.now.Add(stayAwake)
		n.nextPoll()
	}
}

// afterJoining announces the device and has it get its keys.
func (n *Node) afterJoining() {
	n.announce()
	if !n.cfg.Role.routes() {
		n.keepAlive()
	}
	n.after(time.Second+n.jitter(time.Second), func() {
		switch {
		case n.phase != up:
		case n.cfg.Policy == Open:
			n.askLinkKey()
		case n.cfg.Identity.Certificate != nil:
			n.establish()
		}
	})
}

// keepAlive tells the parent how long to remember this device.
func (n *Node) keepAlive() {
	h := nwk.Header{Dst: n.parent, Radius: 1, HasSrcEUI: true, SrcEUI: n.cfg.EUI, EndDeviceInitiator: true}
	if e, ok := n.euiOf(n.parent); ok {
		h.HasDstEUI, h.DstEUI = true, e
	}
	n.commandNWK(h, nwk.EndDeviceTimeoutRequest{Timeout: n.cfg.Timeout}, nil)
}

// form makes a network of one.
func (n *Node) form() error {
	key := n.cfg.NetworkKey
	if key.IsZero() {
		var err error
		if key, err = security.GenerateKey(n.cfg.Entropy); err != nil {
			return err
		}
	}
	n.channel = lowest(n.cfg.Channels)
	n.pan, n.epid, n.short, n.parent = n.cfg.PAN, n.cfg.ExtendedPAN, nwk.Coordinator, mac.NoShort
	if n.pan == 0 {
		n.pan = uint16(n.cfg.Rand.UintN(0xFFFE)) + 1
		if n.pan >= 0xFFFE {
			n.pan = 1
		}
	}
	if n.epid.IsZero() {
		n.epid = n.cfg.EUI
	}
	n.nets = [2]network{{key: key}}
	n.trustCentre = n.cfg.EUI
	n.enter()
	n.notify(Event{Kind: Formed})
	n.persist()
	return n.failed
}

// resume goes on after a restart.
func (n *Node) resume() {
	n.enter()
	n.armReports()
	if n.cfg.Role == Coordinator {
		n.watchUnkeyed()
		return
	}
	if !n.cfg.Role.routes() {
		n.keepAlive()
	}
	if n.cfg.Policy == SmartEnergy && n.cfg.Identity.Certificate != nil && n.establishedKey(n.trustCentre) == nil {
		n.after(time.Second+n.jitter(time.Second), n.establish)
	}
}

// parentLost looks for another parent of the same network.
func (n *Node) parentLost() {
	n.notify(Event{Kind: ParentLost})
	n.Rejoin(n.now)
}

// Rejoin looks for the network again that the node was on, and keeps its keys.
func (n *Node) Rejoin(now time.Time) {
	n.now = now
	if !n.nets[0].valid() || n.cfg.Role == Coordinator {
		return
	}
	n.stop(n.pollTimer)
	n.pollTimer, n.pollFailed = nil, 0
	n.join = joiner{rejoin: true}
	n.scan()
}

func (n *Node) askRejoin() {
	c := n.join.chosen
	n.phase, n.channel, n.pan, n.parent, n.depth = rejoining, c.channel, c.pan, c.short, c.depth+1
	if n.short == mac.NoShort {
		n.short = uint16(n.cfg.Rand.UintN(0xFFF7)) + 1
	}
	n.address()
	h := nwk.Header{Dst: c.short, Radius: 1, HasSrcEUI: true, SrcEUI: n.cfg.EUI}
	m := nwk.RejoinRequest{Capability: n.cfg.Role.capability()}
	done := func(err error) {
		if err != nil && n.phase == rejoining {
			n.failJoin(err)
		}
	}
	// With the network key first. If that does not work it may be an old one: every second attempt goes without, and asks
	// the trust centre for the key under the established link key.
	if n.join.attempt%2 == 1 && n.keyWith(n.trustCentre, established) != nil {
		n.bareCommand(h, m, false, done)
	} else {
		n.commandNWK(h, m, done)
	}
	if n.cfg.Role == Sleepy {
		n.nextPoll()
	}
	n.join.timer = n.after(2*time.Second, func() { n.failJoin(timedOut("no answer to a rejoin within 2s")) })
}

// bareCommand sends a NWK command without security to a device in reach, which may sleep: only a device that lost its network key, and its answer, travel so.
func (n *Node) bareCommand(h nwk.Header, m nwk.Command, sleeps bool, done func(error)) {
	b, err := m.AppendBinary(nil)
	if err != nil {
		done(err)
		return
	}
	n.nwkSeq++
	h.Type, h.Src, h.Sequence = nwk.TypeCommand, n.short, n.nwkSeq
	p := &packet{typ: mac.TypeData, to: mac.ShortAddress(n.pan, h.Dst), from: mac.AddressShort, ack: true, nwk: true, header: h, payload: b, done: done}
	if sleeps {
		n.hold(p)
		return
	}
	n.send(p)
}

// maxVisitors is how many devices without the network key a node has as children at a time that nobody let join (ours).
const maxVisitors = 4

// bareRejoinRequested takes a device back as a child that lost the network key. It gets nothing but an answer, and from the
// trust centre the key, under a link key that nobody else has. Anyone can send this: so it changes nothing of a device that
// is known, and who does not come to have the key is forgotten.
func (n *Node) bareRejoinRequested(p *nwk.Frame, m nwk.RejoinRequest) {
	e, short := p.SrcEUI, p.Src
	if n.cfg.Role == Coordinator && !n.admits(e) {
		n.stats.Refused++
		n.notify(Event{Kind: DeviceRefused, Device: e, Short: short, Err: ErrNotAllowed})
		return
	}
	x := n.neighbourEUI(e)
	if x == nil {
		visitors := 0
		for i := range n.neighbours {
			if n.neighbours[i].relation == child && !n.neighbours[i].authorised {
				visitors++
			}
		}
		if visitors >= maxVisitors {
			n.stats.Refused++
			return
		}
		if known, ok := n.addressOf(e); ok {
			short = known
		} else if _, taken := n.euiOf(short); taken || n.neighbour(short) != nil {
			short = n.freeAddress()
		}
		x = n.addNeighbour(neighbour{eui: e, short: short, capability: m.Capability, timeout: nwk.DefaultTimeoutIndex})
		n.learn(e, short)
		n.setCapability(e, m.Capability)
		n.after(2*keyWait, func() {
			if x := n.neighbourEUI(e); x != nil && !x.authorised {
				n.dropChild(e)
			}
		})
	}
	short = x.short
	x.relation, x.heard, x.failures = child, n.now, 0
	n.dirty = true
	h := nwk.Header{Dst: p.Src, Radius: 1, HasDstEUI: true, DstEUI: e, HasSrcEUI: true, SrcEUI: n.cfg.EUI}
	n.bareCommand(h, nwk.RejoinResponse{Short: short}, m.Capability&mac.CapabilityRxOnWhenIdle == 0, func(err error) {
		if err == nil {
			n.childJoined(e, short, aps.DeviceTrustCentreRejoin)
		}
	})
}

// bareRejoined is taken back by a parent, and waits for the trust centre's key.
func (n *Node) bareRejoined(p *nwk.Frame, m nwk.RejoinResponse) {
	n.stop(n.join.timer)
	if m.Status != nwk.RejoinSuccessful {
		n.failJoin(m.Status)
		return
	}
	n.short, n.phase = m.Short, waitingForKey
	n.newParent(p)
	n.address()
	n.join.timer = n.after(keyWait, func() {
		n.failJoin(timedOut("no network key came within %v after a rejoin: the trust centre does not have this device's link key any more", keyWait))
	})
	if n.cfg.Role == Sleepy {
		n.nextPoll()
	}
}

// newParent puts the sender of a rejoin response in the place of the parent.
func (n *Node) newParent(p *nwk.Frame) {
	for i := len(n.neighbours) - 1; i >= 0; i-- {
		if n.neighbours[i].relation == parentOf {
			n.dropNeighbour(n.neighbours[i].eui)
		}
	}
	if p.HasSrcEUI {
		n.dropNeighbour(p.SrcEUI)
		n.addNeighbour(neighbour{eui: p.SrcEUI, short: n.parent, relation: parentOf, capability: mac.CapabilityRouter, authorised: true, heard: n.now})
	}
}

// staleAgain is the least time between two rejoins for frames under a key that this node does not have (ours).
const staleAgain = time.Minute

// foreignKey is told of a frame of this network under a key that is not there. From the parent to this node alone, or three
// times in a row from anyone, it means that the network key was changed meanwhile.
func (n *Node) foreignKey(p *nwk.Frame, hop uint16) {
	if x := n.neighbour(hop); n.phase == up && x != nil && x.relation == child && p.Src == hop && n.now.Sub(x.told) >= staleAgain {
		// The child cannot read this, which tells it.
		x.told = n.now
		n.commandNWK(nwk.Header{Dst: hop, Radius: 1, HasSrcEUI: true, SrcEUI: n.cfg.EUI}, nwk.NetworkStatus{Status: nwk.StatusBadKeySequence, Dst: hop}, nil)
		return
	}
	if n.phase != up || n.cfg.Role == Coordinator || hop != n.parent && p.Src != nwk.Coordinator {
		return
	}
	n.foreign++
	if p.Dst != n.short && n.foreign < 3 || n.now.Before(n.staleUntil) {
		return
	}
	n.foreign, n.staleUntil = 0, n.now.Add(staleAgain)
	n.after(0, func() { n.parentLost() })
}

// rejoinRequested takes a device back that has the network key.
func (n *Node) rejoinRequested(p *nwk.Frame, m nwk.RejoinRequest, _ uint8) {
	if !n.cfg.Role.routes() || p.Aux.Source != p.SrcEUI || !p.HasSrcEUI {
		return
	}
	e, short := p.SrcEUI, p.Src
	status := nwk.RejoinSuccessful
	if n.cfg.Role == Coordinator && !n.admits(e) {
		status = nwk.RejoinAccessDenied
		n.stats.Refused++
		n.notify(Event{Kind: DeviceRefused, Device: e, Err: ErrNotAllowed})
	} else {
		x := n.neighbourEUI(e)
		if x == nil {
			x = n.addNeighbour(neighbour{eui: e, timeout: nwk.DefaultTimeoutIndex})
		}
		x.short, x.relation, x.capability, x.authorised, x.heard, x.failures = short, child, m.Capability, true, n.now, 0
		n.learn(e, short)
		n.setCapability(e, m.Capability)
		n.dirty = true
	}
	n.commandNWK(nwk.Header{Dst: short, Radius: 1, HasDstEUI: true, DstEUI: e, HasSrcEUI: true, SrcEUI: n.cfg.EUI},
		nwk.RejoinResponse{Short: short, Status: status}, func(err error) {
			if err == nil && status == nwk.RejoinSuccessful {
				n.childJoined(e, short, aps.DeviceSecuredRejoin)
			}
		})
}

func (n *Node) rejoined(p *nwk.Frame, m nwk.RejoinResponse) {
	if n.phase != rejoining || p.HasDstEUI && p.DstEUI != n.cfg.EUI {
		return
	}
	n.stop(n.join.timer)
	if m.Status != nwk.RejoinSuccessful {
		n.failJoin(m.Status)
		return
	}
	n.short = m.Short
	n.newParent(p)
	n.enter()
	n.notify(Event{Kind: Joined, Short: n.short})
	n.announce()
	if !n.cfg.Role.routes() {
		n.keepAlive()
	}
}

// Leave takes the node off its network. It tells the others and forgets its keys.
func (n *Node) Leave(now time.Time) error {
	n.now = now
	if n.phase != up || n.cfg.Role == Coordinator {
		return ErrDown
	}
	n.leave(false)
	n.persist()
	return nil
}

func (n *Node) leave(rejoin bool) {
	dst := nwk.BroadcastRouters
	if !n.cfg.Role.routes() {
		dst = n.parent
	}
	n.commandNWK(nwk.Header{Dst: dst, Radius: 1, HasSrcEUI: true, SrcEUI: n.cfg.EUI}, nwk.Leave{Rejoin: rejoin}, func(error) {
		if rejoin {
			n.Rejoin(n.now)
			return
		}
		n.forget()
		n.notify(Event{Kind: Left})
	})
}

// leaveReceived takes a leave: somebody goes, or this node is told to.
func (n *Node) leaveReceived(h *nwk.Header, from wire.EUI64, m nwk.Leave) {
	if m.Request {
		// Only the parent, or the trust centre, may send a device away.
		if from != n.trustCentre && h.Src != n.parent || n.cfg.Role == Coordinator {
			n.stats.Insecure++
			return
		}
		n.leave(m.Rejoin)
		return
	}
	e := from
	if h.HasSrcEUI {
		e = h.SrcEUI
	}
	n.gone(e, m.Rejoin)
}

// gone forgets a device that left.
func (n *Node) gone(e wire.EUI64, back bool) {
	x := n.neighbourEUI(e)
	wasChild := x != nil && x.relation == child
	short, _ := n.addressOf(e)
	if wasChild {
		n.dropChild(e)
	} else {
		n.dropNeighbour(e)
	}
	if back {
		return
	}
	n.notify(Event{Kind: DeviceLeft, Device: e, Short: short})
	if wasChild && n.cfg.Role == Router {
		n.apsCommand(nwk.Coordinator, aps.UpdateDevice{Device: e, Short: short, Status: aps.DeviceLeft}, n.establishedKey(n.trustCentre), security.KeyIDLink, nil)
	}
	if n.cfg.Role == Coordinator {
		n.forgetDevice(e)
	}
}

// disown tells a device that polls here and is no child to look for its parent.
func (n *Node) disown(short uint16) {
	e, ok := n.euiOf(short)
	if !ok {
		return
	}
	h := nwk.Header{Dst: short, Radius: 1, HasDstEUI: true, DstEUI: e, HasSrcEUI: true, SrcEUI: n.cfg.EUI}
	b, err := nwk.Leave{Request: true, Rejoin: true}.AppendBinary(nil)
	if err != nil {
		return
	}
	h.Type, h.Src, h.Secured = nwk.TypeCommand, n.short, true
	n.nwkSeq++
	h.Sequence = n.nwkSeq
	for _, p := range n.indirect {
		if p.to.Mode == mac.AddressShort && p.to.Short == short {
			return // something waits already
		}
	}
	n.hold(&packet{typ: mac.TypeData, to: mac.ShortAddress(n.pan, short), from: mac.AddressShort, ack: true, nwk: true, header: h, payload: b})
}
