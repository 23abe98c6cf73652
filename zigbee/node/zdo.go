package node

import (
	"errors"
	"slices"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/aps"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
	"smets1/zigbee/zcl/se"
	"smets1/zigbee/zdp"
)

// Binding is an entry of the binding table.
type Binding = zdp.Binding

const (
	zdpTimeout  = 10 * time.Second
	maxBindings = 16
)

// zdpRequest waits for its response.
type zdpRequest struct {
	short    uint16
	cluster  zdp.Cluster
	sequence uint8
	timer    *timer
	done     func(zdp.Command, error)
}

// ZDP sends a request of the device profile and gives the response to done.
func (n *Node) ZDP(now time.Time, to wire.EUI64, m zdp.Command, done func(zdp.Command, error)) error {
	n.now = now
	defer n.persist()
	short, ok := n.addressOf(to)
	if !ok {
		return ErrUnknown
	}
	if n.phase != up {
		return ErrDown
	}
	n.zdp(short, m, done)
	return nil
}

func (n *Node) zdp(short uint16, m zdp.Command, done func(zdp.Command, error)) {
	n.tsn++
	b, err := zdp.Append(nil, n.tsn, m)
	if err != nil {
		done(nil, err)
		return
	}
	r := &zdpRequest{short: short, cluster: m.Cluster() | zdp.ResponseBit, sequence: n.tsn, done: done}
	n.zdpWait = append(n.zdpWait, r)
	d := zdpTimeout
	if n.sleepy(short) {
		d += mac.IndirectPersist
	}
	r.timer = n.after(d, func() { n.endZDP(r, nil, timedOut("%04X did not answer a request of the device profile", short)) })
	n.transmit(short, aps.Header{Cluster: uint16(m.Cluster()), AckRequest: true}, b, nil, func(err error) {
		if err != nil {
			n.endZDP(r, nil, err)
		}
	})
}

func (n *Node) endZDP(r *zdpRequest, m zdp.Command, err error) {
	for i, x := range n.zdpWait {
		if x == r {
			n.stop(r.timer)
			if n.zdpWait = append(n.zdpWait[:i], n.zdpWait[i+1:]...); len(n.zdpWait) == 0 {
				n.zdpWait = nil
			}
			r.done(m, err)
			return
		}
	}
}

// announce tells everyone this node's addresses.
func (n *Node) announce() {
	m := zdp.DeviceAnnounce{Short: n.short, Device: n.cfg.EUI, Capability: n.cfg.Role.capability()}
	n.tsn++
	b, err := zdp.Append(nil, n.tsn, m)
	if err == nil {
		n.transmit(nwk.BroadcastRxOnWhenIdle, aps.Header{Cluster: uint16(m.Cluster())}, b, nil, nil)
	}
}

// receiveZDP takes a message of the device profile.
func (n *Node) receiveZDP(m *Message, b []byte) {
	c := zdp.Cluster(m.Cluster)
	sequence, cmd, _, err := zdp.Parse(c, b)
	switch {
	case errors.Is(err, zdp.ErrCluster) && c&zdp.ResponseBit == 0 && !m.Broadcast:
		n.zdpBytes(m.Short, c|zdp.ResponseBit, []byte{sequence, byte(zdp.StatusNotSupported)})
		return
	case err != nil:
		n.stats.Malformed++
		return
	}
	if c&zdp.ResponseBit != 0 {
		for _, r := range n.zdpWait {
			if r.short == m.Short && r.cluster == c && r.sequence == sequence {
				n.endZDP(r, cmd, nil)
				return
			}
		}
		return
	}
	if r := n.serve(m, cmd); r != nil {
		if b, err := zdp.Append(nil, sequence, r); err == nil {
			n.zdpBytes(m.Short, r.Cluster(), b)
		}
	}
}

func (n *Node) zdpBytes(to uint16, c zdp.Cluster, b []byte) {
	n.transmit(to, aps.Header{Cluster: uint16(c), AckRequest: true}, b, nil, nil)
}

// serve answers a request; nil for none.
func (n *Node) serve(m *Message, cmd zdp.Command) zdp.Command {
	switch q := cmd.(type) {
	case zdp.DeviceAnnounce:
		n.announced(q)
	case zdp.NetworkAddressRequest:
		if q.Device == n.cfg.EUI {
			return zdp.NetworkAddressResponse{Device: n.cfg.EUI, Short: n.short}
		}
		if x := n.neighbourEUI(q.Device); x != nil && x.relation == child && !rxOn(x) {
			return zdp.NetworkAddressResponse{Device: x.eui, Short: x.short}
		}
		if !m.Broadcast {
			return zdp.NetworkAddressResponse{Status: zdp.StatusDeviceNotFound, Device: q.Device}
		}
	case zdp.IEEEAddressRequest:
		if q.Address == n.short {
			return zdp.IEEEAddressResponse{Device: n.cfg.EUI, Short: n.short}
		}
		if x := n.neighbour(q.Address); x != nil && x.relation == child {
			return zdp.IEEEAddressResponse{Device: x.eui, Short: x.short}
		}
		return zdp.IEEEAddressResponse{Status: zdp.StatusDeviceNotFound, Short: q.Address}
	case zdp.NodeDescriptorRequest:
		if q.Address != n.short {
			return zdp.NodeDescriptorResponse{Status: zdp.StatusDeviceNotFound, Address: q.Address}
		}
		return zdp.NodeDescriptorResponse{Address: n.short, Descriptor: n.nodeDescriptor()}
	case zdp.PowerDescriptorRequest:
		d := zdp.PowerDescriptor{Available: zdp.PowerMains, Source: zdp.PowerMains, Level: 12}
		if n.cfg.Role == Sleepy {
			d = zdp.PowerDescriptor{Mode: 1, Available: zdp.PowerDisposable, Source: zdp.PowerDisposable, Level: 12}
		}
		return zdp.PowerDescriptorResponse{Address: n.short, Descriptor: d}
	case zdp.ActiveEndpointsRequest:
		r := zdp.ActiveEndpointsResponse{Address: n.short}
		for _, e := range n.cfg.Endpoints {
			r.Endpoints = append(r.Endpoints, e.ID)
		}
		return r
	case zdp.SimpleDescriptorRequest:
		e := n.endpoint(q.Endpoint)
		if e == nil {
			return zdp.SimpleDescriptorResponse{Status: zdp.StatusNotActive, Address: n.short}
		}
		return zdp.SimpleDescriptorResponse{Address: n.short, Descriptor: n.simple(e)}
	case zdp.MatchDescriptorRequest:
		r := n.match(q)
		if m.Broadcast && len(r.Endpoints) == 0 {
			return nil
		}
		return r
	case zdp.BindRequest:
		return zdp.BindResponse{Status: n.bind(q.Binding)}
	case zdp.UnbindRequest:
		return zdp.UnbindResponse{Status: n.unbind(q.Binding)}
	case zdp.ManagementLQIRequest:
		return n.neighbourList(int(q.Start))
	case zdp.ManagementRoutingRequest:
		return n.routeList(int(q.Start))
	case zdp.ManagementBindRequest:
		r := zdp.ManagementBindResponse{Total: uint8(len(n.bindings)), Start: q.Start}
		if int(q.Start) < len(n.bindings) {
			r.Entries = n.bindings[q.Start:min(len(n.bindings), int(q.Start)+2)]
		}
		return r
	case zdp.ManagementLeaveRequest:
		return zdp.ManagementLeaveResponse{Status: n.leaveRequested(m, q)}
	case zdp.ManagementPermitJoinRequest:
		if n.cfg.Policy == SmartEnergy && q.Duration == 0xFF || m.From != n.trustCentre && n.cfg.Policy == SmartEnergy {
			if m.Broadcast {
				return nil
			}
			return zdp.ManagementPermitJoinResponse{Status: zdp.StatusNotAuthorized}
		}
		n.permit(time.Duration(q.Duration) * time.Second)
		if !m.Broadcast {
			return zdp.ManagementPermitJoinResponse{}
		}
	case zdp.ManagementUpdateRequest:
		if !m.Broadcast {
			return zdp.ManagementUpdateNotify{Status: zdp.StatusNotSupported, Channels: q.Channels}
		}
	case zdp.ParentAnnounce:
		var mine []wire.EUI64
		for _, e := range q.Children {
			if x := n.neighbourEUI(e); x != nil && x.relation == child {
				mine = append(mine, e)
			}
		}
		if n.cfg.Role.routes() && len(mine) > 0 {
			return zdp.ParentAnnounceResponse{Children: mine}
		}
	default:
	}
	return nil
}

func rxOn(x *neighbour) bool { return x.capability&mac.CapabilityRxOnWhenIdle != 0 }

// announced takes a device's announcement. A device that announces itself elsewhere is nobody's child here any more.
func (n *Node) announced(q zdp.DeviceAnnounce) {
	if q.Device == n.cfg.EUI {
		return
	}
	if x := n.neighbourEUI(q.Device); x != nil && x.short != q.Short {
		if x.relation == child {
			n.dropChild(q.Device)
		} else {
			x.short = q.Short
		}
	}
	n.learn(q.Device, q.Short)
	n.setCapability(q.Device, q.Capability)
	n.notify(Event{Kind: DeviceAnnounced, Device: q.Device, Short: q.Short})
}

func (n *Node) nodeDescriptor() zdp.NodeDescriptor {
	d := zdp.NodeDescriptor{
		Type: zdp.TypeEndDevice, Band: zdp.Frequency24GHz, Capability: n.cfg.Role.capability(), Manufacturer: n.cfg.Manufacturer,
		MaxBuffer: 82, MaxIncoming: maxTransfer, MaxOutgoing: maxTransfer,
	}
	switch n.cfg.Role {
	case Coordinator:
		d.Type, d.ServerMask = zdp.TypeCoordinator, zdp.ServerPrimaryTrustCentre
	case Router:
		d.Type = zdp.TypeRouter
	default:
	}
	return d
}

func (n *Node) simple(e *Endpoint) zdp.SimpleDescriptor {
	d := zdp.SimpleDescriptor{Endpoint: e.ID, Profile: e.profile(), Device: e.Device, Version: e.Version}
	add := func(list *[]uint16, c uint16) {
		if !slices.Contains(*list, c) {
			*list = append(*list, c)
		}
	}
	for _, c := range e.Clusters {
		if c.Server {
			add(&d.In, uint16(c.ID))
		} else {
			add(&d.Out, uint16(c.ID))
		}
	}
	if n.cfg.Identity.Certificate != nil && e == n.cfg.Endpoints[0] {
		add(&d.In, uint16(se.KeyEstablishment))
		add(&d.Out, uint16(se.KeyEstablishment))
	}
	return d
}

func (n *Node) match(q zdp.MatchDescriptorRequest) zdp.MatchDescriptorResponse {
	r := zdp.MatchDescriptorResponse{Address: n.short}
	if q.Address != n.short && !nwk.IsBroadcast(q.Address) {
		r.Status, r.Address = zdp.StatusDeviceNotFound, q.Address
		return r
	}
	for _, e := range n.cfg.Endpoints {
		d := n.simple(e)
		if q.Profile != d.Profile && q.Profile != 0xFFFF && !(n.cfg.Policy == Open && q.Profile == se.ProfileHA) {
			continue
		}
		if slices.ContainsFunc(q.In, func(c uint16) bool { return slices.Contains(d.In, c) }) ||
			slices.ContainsFunc(q.Out, func(c uint16) bool { return slices.Contains(d.Out, c) }) {
			r.Endpoints = append(r.Endpoints, e.ID)
		}
	}
	return r
}

func (n *Node) bind(b Binding) zdp.Status {
	switch {
	case b.Source != n.cfg.EUI:
		return zdp.StatusNotAuthorized
	case b.Mode != zdp.BindDevice: // Smart Energy has no groups
		return zdp.StatusNotSupported
	case slices.Contains(n.bindings, b):
		return zdp.StatusSuccess
	case len(n.bindings) >= maxBindings:
		return zdp.StatusBindingTableFull
	}
	n.bindings = append(n.bindings, b)
	n.dirty = true
	return zdp.StatusSuccess
}

func (n *Node) unbind(b Binding) zdp.Status {
	i := slices.Index(n.bindings, b)
	if i < 0 {
		return zdp.StatusNoEntry
	}
	n.bindings = slices.Delete(n.bindings, i, i+1)
	n.dirty = true
	return zdp.StatusSuccess
}

// Bindings of the node.
func (n *Node) Bindings() []Binding { return slices.Clone(n.bindings) }

func (n *Node) leaveRequested(m *Message, q zdp.ManagementLeaveRequest) zdp.Status {
	if m.From != n.trustCentre {
		return zdp.StatusNotAuthorized
	}
	if !q.Device.IsZero() && q.Device != n.cfg.EUI {
		x := n.neighbourEUI(q.Device)
		if x == nil || x.relation != child {
			return zdp.StatusDeviceNotFound
		}
		n.sendAway(q.Device)
		return zdp.StatusSuccess
	}
	if n.cfg.Role == Coordinator {
		return zdp.StatusNotSupported
	}
	n.after(time.Second, func() { n.leave(q.Rejoin) }) // the answer first
	return zdp.StatusSuccess
}

const maxNeighbours = 3 // in one response

func (n *Node) neighbourList(start int) zdp.ManagementLQIResponse {
	r := zdp.ManagementLQIResponse{Total: uint8(len(n.neighbours)), Start: uint8(start)}
	for i := start; i < len(n.neighbours) && len(r.Entries) < maxNeighbours; i++ {
		x := &n.neighbours[i]
		e := zdp.Neighbour{ExtendedPAN: n.epid, Device: x.eui, Short: x.short, Type: zdp.TypeEndDevice, PermitJoin: 2, Depth: n.depth + 1, LQI: x.lqi}
		if rxOn(x) {
			e.RxOnWhenIdle = 1
		}
		if x.capability&mac.CapabilityFFD != 0 {
			e.Type = zdp.TypeRouter
		}
		switch x.relation {
		case child:
			e.Relationship = zdp.RelationChild
		case parentOf:
			e.Relationship, e.Depth = zdp.RelationParent, n.depth-1
		default:
			e.Relationship = zdp.RelationSibling
		}
		if x.short == nwk.Coordinator {
			e.Type, e.Depth = zdp.TypeCoordinator, 0
		}
		r.Entries = append(r.Entries, e)
	}
	return r
}

func (n *Node) routeList(start int) zdp.ManagementRoutingResponse {
	r := zdp.ManagementRoutingResponse{Total: uint8(len(n.routes)), Start: uint8(start)}
	for i := start; i < len(n.routes) && len(r.Entries) < 10; i++ {
		r.Entries = append(r.Entries, zdp.Route{Dst: n.routes[i].dst, NextHop: n.routes[i].hop})
	}
	return r
}
