package node

import (
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
)

type relation uint8

const (
	sibling relation = iota // another router that is heard
	child
	parentOf
)

// neighbour is a device in reach.
type neighbour struct {
	eui        wire.EUI64
	short      uint16
	relation   relation
	capability mac.Capability
	lqi        uint8
	outgoing   uint8 // cost that it reported of us, 0 unknown
	failures   uint8 // transmissions in a row that it did not acknowledge
	timeout    nwk.TimeoutIndex
	authorised bool // has the network key
	heard      time.Time
	told       time.Time // that its network key is not in use any more
}

func (n *Node) neighbour(short uint16) *neighbour {
	for i := range n.neighbours {
		if n.neighbours[i].short == short {
			return &n.neighbours[i]
		}
	}
	return nil
}

func (n *Node) neighbourEUI(e wire.EUI64) *neighbour {
	for i := range n.neighbours {
		if n.neighbours[i].eui == e {
			return &n.neighbours[i]
		}
	}
	return nil
}

func (n *Node) addNeighbour(x neighbour) *neighbour {
	n.neighbours = append(n.neighbours, x)
	return &n.neighbours[len(n.neighbours)-1]
}

func (n *Node) dropNeighbour(e wire.EUI64) {
	for i := range n.neighbours {
		if n.neighbours[i].eui == e {
			n.neighbours = append(n.neighbours[:i], n.neighbours[i+1:]...)
			n.dirty = true
			return
		}
	}
}

// dropChild forgets a child, and what waits for it.
func (n *Node) dropChild(e wire.EUI64) {
	x := n.neighbourEUI(e)
	if x == nil || x.relation != child {
		return
	}
	short := x.short
	n.dropNeighbour(e)
	for _, p := range append([]*packet(nil), n.indirect...) {
		if p.to.Mode == mac.AddressShort && p.to.Short == short || p.to.Mode == mac.AddressExtended && p.to.EUI == e {
			n.withdraw(p)
			p.finish(ErrUnknown)
		}
	}
}

func (n *Node) setCapability(e wire.EUI64, c mac.Capability) {
	for i := range n.addresses {
		if a := &n.addresses[i]; a.eui == e && (!a.known || a.capability != c) {
			a.capability, a.known = c, true
			n.dirty = true
		}
	}
}

// cost of a link by its quality, 1 to 7 (ours; the specification leaves it to the implementation).
func cost(lqi uint8) uint8 {
	switch {
	case lqi > 150:
		return 1
	case lqi > 100:
		return 2
	case lqi > 60:
		return 3
	case lqi > 30:
		return 5
	default:
		return 7
	}
}

// Times of the neighbour table.
const (
	statusPeriod  = 15 * time.Second // nwkLinkStatusPeriod
	routerAge     = 3                // periods without a link status after which a router is no next hop any more
	maxFailures   = 3
	maxLinkStatus = 12 // entries in one command
)

// startStatus begins the periodic link status of a router, and the ageing that goes with it.
func (n *Node) startStatus() {
	n.stop(n.statusTimer)
	if !n.cfg.Role.routes() {
		return
	}
	n.statusTimer = n.after(n.jitter(time.Second), n.status)
}

func (n *Node) status() {
	n.statusTimer = n.after(statusPeriod-time.Second+n.jitter(2*time.Second), n.status)
	n.age()
	m := nwk.LinkStatus{First: true, Last: true}
	for i := range n.neighbours {
		x := &n.neighbours[i]
		if x.relation != child && !n.stale(x) || x.relation == child && x.capability&mac.CapabilityFFD != 0 && x.authorised {
			m.Links = append(m.Links, nwk.LinkCost{Address: x.short, Incoming: cost(x.lqi), Outgoing: x.outgoing})
		}
	}
	sortLinks(m.Links)
	if len(m.Links) > maxLinkStatus {
		m.Links = m.Links[:maxLinkStatus]
	}
	n.commandNWK(nwk.Header{Dst: nwk.BroadcastRouters, Radius: 1, HasSrcEUI: true, SrcEUI: n.cfg.EUI}, m, nil)
	n.persist()
}

func sortLinks(l []nwk.LinkCost) {
	for i := 1; i < len(l); i++ {
		for k := i; k > 0 && l[k].Address < l[k-1].Address; k-- {
			l[k], l[k-1] = l[k-1], l[k]
		}
	}
}

// stale tells that a router was not heard for too long.
func (n *Node) stale(x *neighbour) bool {
	return n.now.Sub(x.heard) > routerAge*statusPeriod
}

// age forgets children that were silent for longer than they said.
func (n *Node) age() {
	for i := len(n.neighbours) - 1; i >= 0; i-- {
		x := n.neighbours[i]
		if x.relation != child || x.capability&mac.CapabilityFFD != 0 {
			continue
		}
		if n.now.Sub(x.heard) > x.timeout.Duration() {
			n.dropChild(x.eui)
			n.notify(Event{Kind: DeviceLeft, Device: x.eui, Short: x.short, Err: timedOut("a child was silent for %v", x.timeout.Duration())})
		}
	}
}

// linkStatus takes a router's link status.
func (n *Node) linkStatus(from wire.EUI64, short uint16, m nwk.LinkStatus, lqi uint8) {
	if !n.cfg.Role.routes() {
		return
	}
	x := n.neighbourEUI(from)
	if x == nil {
		x = n.addNeighbour(neighbour{eui: from, capability: mac.CapabilityRouter})
	}
	x.short, x.lqi, x.heard, x.authorised = short, lqi, n.now, true
	// Not being listed says that it does not hear us, unless it knows nobody yet.
	if x.relation == sibling {
		x.outgoing = 0
	}
	for _, l := range m.Links {
		if l.Address == n.short {
			x.outgoing = l.Incoming
		}
	}
}

// nextHop is where a frame for a device goes from here.
func (n *Node) nextHop(dst uint16) (hop uint16, ok bool) {
	if !n.cfg.Role.routes() {
		return n.parent, n.parent != mac.NoShort
	}
	if x := n.neighbour(dst); x != nil {
		direct := x.relation != sibling || x.outgoing > 0 && !n.stale(x)
		only := x.relation == child && x.capability&mac.CapabilityFFD == 0 // it has no other way
		if direct && x.failures < maxFailures || only {
			return dst, true
		}
	}
	for i := range n.routes {
		if n.routes[i].dst == dst {
			return n.routes[i].hop, true
		}
	}
	return 0, false
}

// delivered notes how a unicast to a neighbour went.
func (n *Node) delivered(hop uint16, err error) {
	x := n.neighbour(hop)
	if err == nil {
		if x != nil {
			x.failures = 0
		}
		return
	}
	if x != nil && x.failures < maxFailures {
		x.failures++
	}
	for i := len(n.sourceRoutes) - 1; i >= 0; i-- {
		if r := n.sourceRoutes[i].relays; r[len(r)-1] == hop {
			n.sourceRoutes = append(n.sourceRoutes[:i], n.sourceRoutes[i+1:]...)
		}
	}
	for i := len(n.routes) - 1; i >= 0; i-- {
		if n.routes[i].hop == hop {
			n.routes = append(n.routes[:i], n.routes[i+1:]...)
		}
	}
}
