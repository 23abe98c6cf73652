package node

import (
	"slices"
	"time"

	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
)

// A concentrator is a node that many others send to, the hub of a home. Now and then it has all routers make a route to
// itself with one request (many-to-one), and each device sends it the way its frames come (Route Record). The concentrator
// then sends along that way (source route) and looks for no route to anyone (ZigBee specification, clauses 3.6.3.3 and
// 3.6.3.5.4; published).

// sourceRoute is the way to a device: the relay closest to it first.
type sourceRoute struct {
	dst    uint16
	relays []uint16
}

const (
	concentratorRadius = 11 // of Smart Energy's stack profile (recalled)
	maxSourceRoutes    = 32
)

// concentrate asks for routes to this node, now and every period.
func (n *Node) concentrate() {
	if n.cfg.Concentrator <= 0 || n.cfg.Role != Coordinator || n.phase != up {
		return
	}
	n.stop(n.concentrateTimer)
	n.concentrateTimer = n.after(n.cfg.Concentrator, n.concentrate)
	n.routeID++
	n.commandNWK(nwk.Header{Dst: nwk.BroadcastRouters, Radius: concentratorRadius, HasSrcEUI: true, SrcEUI: n.cfg.EUI},
		nwk.RouteRequest{ManyToOne: nwk.ManyToOneRouteRecord, RouteID: n.routeID, Dst: nwk.BroadcastRouters}, nil)
	n.persist()
}

// sourceRouteTo is the relays to a device, closest to it first; none if they are not known or there are none.
func (n *Node) sourceRouteTo(dst uint16) []uint16 {
	for i := range n.sourceRoutes {
		if n.sourceRoutes[i].dst == dst {
			return n.sourceRoutes[i].relays
		}
	}
	return nil
}

// routeOctets is how much longer the NWK header of a frame to a device is for its source route.
func (n *Node) routeOctets(dst uint16) int {
	if r := n.sourceRouteTo(dst); len(r) > 0 {
		return 2 + 2*len(r)
	}
	return 0
}

// addSourceRoute puts the source route into the header of a frame of size octets that this node makes, if there is one and it fits.
func (n *Node) addSourceRoute(h *nwk.Header, size int) {
	r := n.sourceRouteTo(h.Dst)
	if len(r) == 0 || n.neighbour(h.Dst) != nil && n.neighbour(h.Dst).relation == child {
		return
	}
	if size > mac.MaxPSDU-macOverhead-nwkOverhead-n.routeOctets(h.Dst) {
		return
	}
	h.HasRoute = true
	h.Route.Count, h.Route.Index = uint8(len(r)), uint8(len(r)-1)
	copy(h.Route.Relays[:], r)
}

// routeRecorded takes the way that a device's frames come.
func (n *Node) routeRecorded(src uint16, m nwk.RouteRecord) {
	if n.cfg.Concentrator <= 0 {
		return
	}
	n.dropSourceRoute(src)
	if len(m.Relays) == 0 {
		return // it is in reach
	}
	if len(n.sourceRoutes) >= maxSourceRoutes {
		n.sourceRoutes = n.sourceRoutes[1:]
	}
	n.sourceRoutes = append(n.sourceRoutes, sourceRoute{src, append([]uint16(nil), m.Relays...)})
}

func (n *Node) dropSourceRoute(dst uint16) {
	for i := range n.sourceRoutes {
		if n.sourceRoutes[i].dst == dst {
			n.sourceRoutes = append(n.sourceRoutes[:i], n.sourceRoutes[i+1:]...)
			return
		}
	}
}

// recordRoute sends a concentrator the way of a frame that starts here, or at a child of this node that does not route.
func (n *Node) recordRoute(h *nwk.Header) {
	r := n.routeOf(h.Dst)
	if r == nil || !r.record || h.Type != nwk.TypeData || slices.Contains(r.recorded, h.Src) {
		return
	}
	var m nwk.RouteRecord
	if h.Src != n.short {
		if x := n.neighbour(h.Src); x == nil || x.relation != child || x.capability&mac.CapabilityFFD != 0 {
			return
		}
		m.Relays = []uint16{n.short}
	}
	r.recorded = append(r.recorded, h.Src) // until the concentrator asks again
	b, err := m.AppendBinary(nil)
	if err != nil {
		return
	}
	n.nwkSeq++
	n.forward(&packet{
		typ: mac.TypeData, from: mac.AddressShort, nwk: true, payload: b,
		header: nwk.Header{Type: nwk.TypeCommand, Dst: h.Dst, Src: h.Src, Secured: true, Sequence: n.nwkSeq, Radius: nwk.MaxRadius},
	})
}

// passRecord adds this node to a route record that passes; what is none stays as it is.
func (n *Node) passRecord(p *nwk.Frame) []byte {
	if p.Type == nwk.TypeCommand && len(p.Payload) > 0 && nwk.CommandID(p.Payload[0]) == nwk.CommandRouteRecord {
		if m, _, err := nwk.ParseCommand(p.Payload); err == nil {
			r := m.(nwk.RouteRecord)
			r.Relays = append(r.Relays, n.short)
			if b, err := r.AppendBinary(nil); err == nil {
				return b
			}
		}
	}
	return append([]byte(nil), p.Payload...)
}

// SourceRoute gives the relays to a device as a concentrator knows them, the one closest to the device first.
func (n *Node) SourceRoute(now time.Time, dst uint16) []uint16 {
	n.now = now
	return append([]uint16(nil), n.sourceRouteTo(dst)...)
}
