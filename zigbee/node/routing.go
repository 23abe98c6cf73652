package node

import (
	"time"

	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
)

type route struct {
	dst, hop  uint16
	manyToOne bool     // dst is a concentrator that asked for it
	record    bool     // the concentrator is to be told the way
	recorded  []uint16 // children here whose way it was told
}

// discovery is a search for a route, with the frames that wait for it.
type discovery struct {
	dst     uint16
	id      uint8
	tries   int
	timer   *timer
	waiting []*packet
}

// routeRequest is a request of somebody's that passed here.
type routeRequest struct {
	originator uint16
	id         uint8
	from       uint16 // who sent it with the best cost
	cost       uint8
	until      time.Time
}

// Times of route discovery.
const (
	discoveryWait    = 500 * time.Millisecond
	discoveryTries   = 3
	discoveryTime    = 10 * time.Second // nwkcRouteDiscoveryTime
	maxRoutes        = 32
	maxRouteRequests = 16
	rebroadcastDelay = 40 * time.Millisecond
)

// discover looks for a route to a device, and sends the packet once there is one.
func (n *Node) discover(p *packet) {
	for _, d := range n.discoveries {
		if d.dst == p.header.Dst {
			d.waiting = append(d.waiting, p)
			return
		}
	}
	n.routeID++
	d := &discovery{dst: p.header.Dst, id: n.routeID, waiting: []*packet{p}}
	n.discoveries = append(n.discoveries, d)
	n.stats.RouteDiscoveries++
	n.ask(d)
}

func (n *Node) ask(d *discovery) {
	d.tries++
	m := nwk.RouteRequest{RouteID: d.id, Dst: d.dst}
	n.commandNWK(nwk.Header{Dst: nwk.BroadcastRouters, Radius: nwk.MaxRadius, HasSrcEUI: true, SrcEUI: n.cfg.EUI}, m, nil)
	d.timer = n.after(discoveryWait, func() {
		if d.tries < discoveryTries {
			n.routeID++
			d.id = n.routeID
			n.ask(d)
			return
		}
		n.found(d.dst, false)
	})
}

// found ends a discovery.
func (n *Node) found(dst uint16, ok bool) {
	for i, d := range n.discoveries {
		if d.dst != dst {
			continue
		}
		n.stop(d.timer)
		n.discoveries = append(n.discoveries[:i], n.discoveries[i+1:]...)
		if len(n.discoveries) == 0 {
			n.discoveries = nil
		}
		for _, p := range d.waiting {
			if !ok {
				p.finish(ErrNoRoute)
				continue
			}
			n.forward(p)
		}
		return
	}
}

func (n *Node) routeOf(dst uint16) *route {
	for i := range n.routes {
		if n.routes[i].dst == dst {
			return &n.routes[i]
		}
	}
	return nil
}

func (n *Node) setRoute(dst, hop uint16) *route {
	if r := n.routeOf(dst); r != nil {
		r.hop = hop
		return r
	}
	if len(n.routes) >= maxRoutes {
		n.routes = n.routes[1:]
	}
	n.routes = append(n.routes, route{dst: dst, hop: hop})
	return &n.routes[len(n.routes)-1]
}

// routeRequested takes a route request: answers it, or passes it on if it is better than one seen before.
func (n *Node) routeRequested(h *nwk.Header, from uint16, m nwk.RouteRequest, lqi uint8) {
	if !n.cfg.Role.routes() || h.Src == n.short {
		return
	}
	total := m.PathCost + cost(lqi)
	seen := false
	for i := range n.requests {
		r := &n.requests[i]
		if r.originator == h.Src && r.id == m.RouteID && n.now.Before(r.until) {
			if total >= r.cost {
				return
			}
			r.from, r.cost, seen = from, total, true
		}
	}
	if !seen {
		if len(n.requests) >= maxRouteRequests {
			n.requests = n.requests[1:]
		}
		n.requests = append(n.requests, routeRequest{h.Src, m.RouteID, from, total, n.now.Add(discoveryTime)})
	}
	if m.ManyToOne != nwk.NotManyToOne {
		r := n.setRoute(h.Src, from)
		r.manyToOne, r.record, r.recorded = true, m.ManyToOne == nwk.ManyToOneRouteRecord, nil
		n.passRequest(h, m, total)
		return
	}
	if h.Src != from || n.neighbour(h.Src) == nil {
		n.setRoute(h.Src, from)
	}
	x := n.neighbour(m.Dst)
	if m.Dst == n.short || x != nil && x.relation == child && x.capability&mac.CapabilityFFD == 0 {
		n.commandNWK(nwk.Header{Dst: from, Radius: nwk.MaxRadius, HasSrcEUI: true, SrcEUI: n.cfg.EUI},
			nwk.RouteReply{RouteID: m.RouteID, Originator: h.Src, Responder: m.Dst}, nil)
		return
	}
	n.passRequest(h, m, total)
}

// passRequest has the routers around hear a route request.
func (n *Node) passRequest(h *nwk.Header, m nwk.RouteRequest, total uint8) {
	if h.Radius <= 1 {
		return
	}
	m.PathCost = total
	relay := *h
	relay.Radius--
	n.after(n.jitter(rebroadcastDelay), func() { n.commandNWK(relay, m, nil) })
}

// routeReplied takes a route reply on its way to the originator of the request.
func (n *Node) routeReplied(from uint16, m nwk.RouteReply) {
	if !n.cfg.Role.routes() {
		return
	}
	n.setRoute(m.Responder, from)
	if m.Originator == n.short {
		n.found(m.Responder, true)
		return
	}
	for i := range n.requests {
		if r := &n.requests[i]; r.originator == m.Originator && r.id == m.RouteID {
			m.PathCost += cost(255)
			n.commandNWK(nwk.Header{Dst: r.from, Radius: nwk.MaxRadius, HasSrcEUI: true, SrcEUI: n.cfg.EUI}, m, nil)
			return
		}
	}
}
