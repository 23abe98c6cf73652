package node

import (
	"errors"
	"slices"
	"time"

	"smets1/zigbee/aps"
	"smets1/zigbee/mac"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

const requestTimeout = 10 * time.Second

// Request sends a command to another device. An error means that nothing was sent and Done will not be called.
func (n *Node) Request(now time.Time, r *Request) error {
	n.now = now
	defer n.persist()
	if n.phase != up {
		return ErrDown
	}
	short, ok := n.addressOf(r.To)
	if !ok {
		return ErrUnknown
	}
	if r.Command != nil {
		k := r.Command.Key()
		r.Cluster, r.FromServer = k.Cluster, k.FromServer
	}
	key, err := n.keyFor(r)
	if err != nil {
		return err
	}
	n.tsn++
	h := zcl.Header{Sequence: n.tsn, FromServer: r.FromServer, DisableDefaultResponse: r.Quiet}
	if r.Command == nil && r.Manufacturer != 0 {
		h.HasManufacturer, h.Manufacturer = true, r.Manufacturer
	}
	var b []byte
	switch {
	case r.Command != nil:
		b, err = se.Append(nil, h, r.Command)
		r.command = r.Command.Key().ID
	case r.Global != nil:
		b, err = zcl.AppendGlobal(nil, h, r.Global)
		r.command, r.global = uint8(r.Global.GlobalID()), true
	case !h.HasManufacturer:
		return ErrNoCommand
	default:
		h.Type, h.Command = zcl.TypeCluster, r.OwnID
		b, err = zcl.Frame{Header: h, Payload: r.Own}.AppendBinary(nil)
		r.command = r.OwnID
	}
	if err != nil {
		return err
	}
	r.short, r.sequence = short, h.Sequence
	if !r.Quiet {
		n.zclWait = append(n.zclWait, r)
		d := r.Timeout
		if d == 0 {
			if d = requestTimeout; n.sleepy(short) {
				d += 3 * mac.IndirectPersist
			}
		}
		r.timer = n.after(d, func() {
			n.endRequest(r, Response{Err: timedOut("%s did not answer a command of %s", r.To, r.Cluster)})
		})
	}
	a := aps.Header{
		DstEndpoint: r.Endpoint, SrcEndpoint: r.From, Cluster: uint16(r.Cluster), Profile: n.profileFor(r.From), AckRequest: true,
	}
	n.transmit(short, a, b, key, func(err error) {
		switch {
		case r.Quiet:
			r.finish(Response{Now: n.now, Err: err})
		case err != nil:
			n.endRequest(r, Response{Err: err})
		}
	})
	return nil
}

// keyFor is the link key of a request's cluster, if it needs one.
func (n *Node) keyFor(r *Request) (*linkKey, error) {
	if n.cfg.Policy == Open || se.Protect(r.Cluster) == se.NetworkKey {
		return nil, nil
	}
	if k := n.establishedKey(r.To); k != nil {
		return k, nil
	}
	return nil, ErrNoLinkKey
}

func (n *Node) profileFor(endpoint uint8) uint16 {
	if e := n.endpoint(endpoint); e != nil {
		return e.profile()
	}
	return se.Profile
}

func (n *Node) endpoint(id uint8) *Endpoint {
	for _, e := range n.cfg.Endpoints {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// Endpoints of the node.
func (n *Node) Endpoints() []*Endpoint { return n.cfg.Endpoints }

// AddEndpoint adds an application while the node runs: a mirror, for one.
func (n *Node) AddEndpoint(e *Endpoint) error {
	if err := e.check(); err != nil {
		return err
	}
	n.RemoveEndpoint(e.ID)
	n.cfg.Endpoints = append(append([]*Endpoint(nil), n.cfg.Endpoints...), e)
	return nil
}

// RemoveEndpoint takes one away.
func (n *Node) RemoveEndpoint(id uint8) {
	var kept []*Endpoint
	for _, e := range n.cfg.Endpoints {
		if e.ID != id {
			kept = append(kept, e)
		}
	}
	n.cfg.Endpoints = kept
}

// endRequest ends a request that waits for its answer.
func (n *Node) endRequest(r *Request, x Response) {
	for i, w := range n.zclWait {
		if w == r {
			n.stop(r.timer)
			if n.zclWait = append(n.zclWait[:i], n.zclWait[i+1:]...); len(n.zclWait) == 0 {
				n.zclWait = nil
			}
			x.Now = n.now
			r.finish(x)
			return
		}
	}
}

// endRequests ends all that wait.
func (n *Node) endRequests(err error) {
	for len(n.zclWait) > 0 {
		n.endRequest(n.zclWait[0], Response{Err: err})
	}
	for len(n.zdpWait) > 0 {
		n.endZDP(n.zdpWait[0], nil, err)
	}
}

// respond sends the answer to a message the way the message came.
func (n *Node) respond(m *Message, b []byte) { n.respondThen(m, b, nil) }

func (n *Node) respondThen(m *Message, b []byte, done func(error)) {
	var key *linkKey
	if m.Secured {
		if key = n.establishedKey(m.From); key == nil {
			return
		}
	}
	source := m.DstEndpoint
	if source == aps.EndpointBroadcast && len(n.cfg.Endpoints) > 0 {
		source = n.cfg.Endpoints[0].ID
	}
	h := aps.Header{DstEndpoint: m.SrcEndpoint, SrcEndpoint: source, Cluster: m.Cluster, Profile: m.Profile, AckRequest: true}
	n.transmit(m.Short, h, b, key, done)
}

// receiveZCL takes a message for an application.
func (n *Node) receiveZCL(m *Message, b []byte) {
	f, _, err := zcl.ParseFrame(b)
	if err != nil {
		n.stats.Malformed++
		return
	}
	id := se.Cluster(m.Cluster)
	if m.Profile != se.Profile && n.cfg.Policy != Open {
		n.stats.Insecure++
		return
	}
	if n.cfg.Policy == SmartEnergy && !m.Secured && se.Protect(id) == se.LinkKey {
		n.stats.Insecure++
		n.refer(m, &f.Header, zcl.Failure)
		return
	}
	if n.answered(m, &f) {
		return
	}
	if id == se.KeyEstablishment && f.Type == zcl.TypeCluster {
		n.receiveKE(m, &f)
		return
	}
	if f.Type == zcl.TypeGlobal && zcl.GlobalID(f.Command) == zcl.CmdDefaultResponse {
		return // of nothing that waits
	}
	found := false
	for _, e := range n.cfg.Endpoints {
		if e.ID != m.DstEndpoint && m.DstEndpoint != aps.EndpointBroadcast {
			continue
		}
		if m.Profile != 0xFFFF && m.Profile != e.profile() && n.cfg.Policy != Open {
			continue
		}
		c := e.cluster(id, !f.FromServer)
		if c == nil {
			if c = n.keyEstablishment(e, id, !f.FromServer); c == nil {
				continue
			}
		}
		found = true
		x := &Call{Node: n, Now: n.now, Endpoint: e, Message: *m, Header: f.Header, State: c.State}
		if f.Type == zcl.TypeGlobal {
			n.global(x, c, f.Payload)
		} else {
			n.clusterCommand(x, c, f.Payload)
		}
	}
	if !found {
		n.refer(m, &f.Header, zcl.UnsupportedCluster)
	}
}

// refer sends a default response if one is due.
func (n *Node) refer(m *Message, h *zcl.Header, s zcl.Status) {
	if m.Broadcast || s == zcl.Success && h.DisableDefaultResponse || h.Type == zcl.TypeGlobal && isResponse(zcl.GlobalID(h.Command)) {
		return
	}
	r := h.Response(0)
	b, err := zcl.AppendGlobal(nil, r, zcl.DefaultResponse{Command: h.Command, Status: s})
	if err == nil {
		n.respond(m, b)
	}
}

func isResponse(id zcl.GlobalID) bool {
	switch id {
	case zcl.CmdReadAttributesResponse, zcl.CmdWriteAttributesResponse, zcl.CmdConfigureReportingResponse, zcl.CmdReadReportingConfigurationResponse,
		zcl.CmdDefaultResponse, zcl.CmdDiscoverAttributesResponse, zcl.CmdWriteAttributesStructuredResponse,
		zcl.CmdDiscoverCommandsReceivedResponse, zcl.CmdDiscoverCommandsGeneratedResponse, zcl.CmdDiscoverAttributesExtendedResponse:
		return true
	default:
		return false
	}
}

// answered gives a frame to the request that it answers.
func (n *Node) answered(m *Message, f *zcl.Frame) bool {
	for _, r := range n.zclWait {
		if r.sequence != f.Sequence || r.short != m.Short || uint16(r.Cluster) != m.Cluster || r.FromServer == f.FromServer {
			continue
		}
		var x Response
		switch {
		case f.Type == zcl.TypeGlobal && zcl.GlobalID(f.Command) == zcl.CmdDefaultResponse:
			g, _, err := zcl.ParseGlobal(zcl.CmdDefaultResponse, f.Payload)
			if err != nil {
				x.Err = err
				break
			}
			d := g.(zcl.DefaultResponse)
			if d.Command != r.command {
				return false
			}
			if x.Global = d; d.Status != zcl.Success {
				x.Err = d.Status
			}
		case f.Type == zcl.TypeGlobal && r.global && isResponse(zcl.GlobalID(f.Command)):
			x.Global, _, x.Err = zcl.ParseGlobal(zcl.GlobalID(f.Command), f.Payload)
		case f.Type == zcl.TypeCluster && f.HasManufacturer && r.Command == nil && !r.global && f.Manufacturer == r.Manufacturer && contains(r.Answers, f.Command):
			x.Own = append([]byte{}, f.Payload...)
		case f.Type == zcl.TypeCluster && !f.HasManufacturer && r.Command != nil && contains(r.Answers, f.Command):
			x.Command, _, x.Err = se.Parse(se.Key{Cluster: r.Cluster, FromServer: f.FromServer, ID: f.Command}, f.Payload)
		default:
			continue
		}
		n.endRequest(r, x)
		return true
	}
	return false
}

func contains(s []uint8, x uint8) bool {
	for _, y := range s {
		if x == y {
			return true
		}
	}
	return false
}

// clusterCommand runs a command of a cluster.
func (n *Node) clusterCommand(x *Call, c *Cluster, payload []byte) {
	var k Command
	for i := range c.Commands {
		if c.Commands[i].ID == x.Header.Command && c.Commands[i].Manufacturer == x.manufacturer() {
			k = c.Commands[i]
		}
	}
	switch {
	case x.Header.HasManufacturer && k.Own != nil:
		if err := k.Own(x, payload); err != nil || !x.replied {
			n.refer(&x.Message, &x.Header, statusOf(err))
		}
		return
	case x.Header.HasManufacturer:
		n.refer(&x.Message, &x.Header, zcl.UnsupportedManufacturerCluster)
		return
	case k.Handle == nil:
		n.refer(&x.Message, &x.Header, zcl.UnsupportedClusterCommand)
		return
	}
	m, _, err := se.Parse(se.Key{Cluster: c.ID, FromServer: !c.Server, ID: x.Header.Command}, payload)
	if err != nil {
		n.stats.Malformed++
		n.refer(&x.Message, &x.Header, zcl.MalformedCommand)
		return
	}
	err = k.Handle(x, m)
	if err != nil || !x.replied {
		n.refer(&x.Message, &x.Header, statusOf(err))
	}
}

func statusOf(err error) zcl.Status {
	var s zcl.Status
	switch {
	case err == nil:
		return zcl.Success
	case errors.As(err, &s):
		return s
	default:
		return zcl.Failure
	}
}

// attribute finds one of a maker, or with 0 of the standard.
func (c *Cluster) attribute(manufacturer uint16, id zcl.Attr) *Attribute {
	for i := range c.Attributes {
		if c.Attributes[i].ID == id && c.Attributes[i].Manufacturer == manufacturer {
			return &c.Attributes[i]
		}
	}
	return nil
}

// global runs a command that every cluster has.
func (n *Node) global(x *Call, c *Cluster, payload []byte) {
	id := zcl.GlobalID(x.Header.Command)
	maker := x.manufacturer()
	if x.Header.HasManufacturer && !c.of(maker) {
		n.refer(&x.Message, &x.Header, zcl.UnsupportedManufacturerGeneral)
		return
	}
	if isResponse(id) {
		return
	}
	g, _, err := zcl.ParseGlobal(id, payload)
	switch {
	case errors.Is(err, zcl.ErrCommand):
		n.refer(&x.Message, &x.Header, zcl.UnsupportedGeneralCommand)
		return
	case err != nil:
		n.stats.Malformed++
		n.refer(&x.Message, &x.Header, zcl.MalformedCommand)
		return
	}
	switch g := g.(type) {
	case zcl.ReadAttributes:
		x.answer(x.read(c, g))
	case zcl.WriteAttributes:
		x.answer(x.write(c, g.Attributes, false))
	case zcl.WriteAttributesUndivided:
		x.answer(x.write(c, g.Attributes, true))
	case zcl.WriteAttributesNoResponse:
		x.write(c, g.Attributes, false)
	case zcl.ReportAttributes:
		take := c.Report
		if x.Header.HasManufacturer {
			take = c.ReportOwn
		}
		if take == nil {
			n.refer(&x.Message, &x.Header, zcl.UnsupportedGeneralCommand)
			return
		}
		n.reported(x, c, g.Attributes)
		err := take(x, g.Attributes)
		n.refer(&x.Message, &x.Header, statusOf(err))
	case zcl.ConfigureReporting:
		x.answer(n.configureReporting(x, c, g))
	case zcl.ReadReportingConfiguration:
		x.answer(n.readReporting(x, c, g))
	case zcl.DiscoverAttributes:
		r := zcl.DiscoverAttributesResponse{Complete: true}
		for i := range c.Attributes {
			a := &c.Attributes[i]
			switch {
			case a.ID < g.Start || a.Manufacturer != maker:
			case len(r.Attributes) == int(g.Most):
				r.Complete = false
			default:
				r.Attributes = append(r.Attributes, zcl.AttributeType{ID: a.ID, Type: a.Type})
			}
		}
		x.answer(r)
	case zcl.DiscoverAttributesExtended:
		r := zcl.DiscoverAttributesExtendedResponse{Complete: true}
		for i := range c.Attributes {
			a := &c.Attributes[i]
			switch {
			case a.ID < g.Start || a.Manufacturer != maker:
			case len(r.Attributes) == int(g.Most):
				r.Complete = false
			default:
				r.Attributes = append(r.Attributes, zcl.AttributeAccess{ID: a.ID, Type: a.Type, Access: a.access()})
			}
		}
		x.answer(r)
	case zcl.DiscoverCommandsReceived:
		var all []uint8
		for i := range c.Commands {
			if c.Commands[i].Manufacturer == maker {
				all = append(all, c.Commands[i].ID)
			}
		}
		page, complete := page(all, g.Start, g.Most)
		x.answer(zcl.DiscoverCommandsReceivedResponse{Complete: complete, Commands: page})
	case zcl.DiscoverCommandsGenerated:
		var all []uint8
		if maker == 0 {
			all = c.Generated
		}
		page, complete := page(all, g.Start, g.Most)
		x.answer(zcl.DiscoverCommandsGeneratedResponse{Complete: complete, Commands: page})
	default:
		n.refer(&x.Message, &x.Header, zcl.UnsupportedGeneralCommand)
	}
}

// of tells whether the cluster has anything of a maker's own.
func (c *Cluster) of(manufacturer uint16) bool {
	return c.ReportOwn != nil || slices.ContainsFunc(c.Attributes, func(a Attribute) bool { return a.Manufacturer == manufacturer }) ||
		slices.ContainsFunc(c.Commands, func(k Command) bool { return k.Manufacturer == manufacturer })
}

func (a *Attribute) access() (b uint8) {
	if a.Get != nil {
		b |= zcl.AccessRead
	}
	if a.Set != nil {
		b |= zcl.AccessWrite
	}
	if a.Reportable {
		b |= zcl.AccessReport
	}
	return b
}

func page(all []uint8, start, most uint8) (part []byte, complete bool) {
	for _, id := range all {
		if id < start {
			continue
		}
		if len(part) == int(most) {
			return part, false
		}
		part = append(part, id)
	}
	return part, true
}

// answer sends the answer of a global command.
func (c *Call) answer(g zcl.Global) {
	if c.Broadcast {
		return
	}
	b, err := zcl.AppendGlobal(nil, c.Header.Response(0), g)
	if err == nil {
		c.Node.respond(&c.Message, b)
	}
}

func (c *Call) read(on *Cluster, g zcl.ReadAttributes) (r zcl.ReadAttributesResponse) {
	for _, id := range g.IDs {
		s := zcl.ReadStatus{ID: id, Status: zcl.UnsupportedAttribute}
		if a := on.attribute(c.manufacturer(), id); a != nil {
			if s.Status = zcl.WriteOnly; a.Get != nil {
				s.Status, s.Value = zcl.Success, a.Get(c)
			}
		}
		r.Attributes = append(r.Attributes, s)
	}
	return r
}

// write changes attributes; undivided all of them or none.
func (c *Call) write(on *Cluster, all []zcl.Attribute, undivided bool) (r zcl.WriteAttributesResponse) {
	judge := func(w zcl.Attribute) zcl.Status {
		switch a := on.attribute(c.manufacturer(), w.ID); {
		case a == nil:
			return zcl.UnsupportedAttribute
		case a.Set == nil:
			return zcl.ReadOnly
		case a.Type != w.Value.Type:
			return zcl.InvalidDataType
		default:
			return zcl.Success
		}
	}
	if undivided {
		for _, w := range all {
			if s := judge(w); s != zcl.Success {
				r.Failures = append(r.Failures, zcl.WriteStatus{Status: s, ID: w.ID})
			}
		}
		if len(r.Failures) > 0 {
			return r
		}
	}
	for _, w := range all {
		s := judge(w)
		if s == zcl.Success {
			s = statusOf(on.attribute(c.manufacturer(), w.ID).Set(c, w.Value))
		}
		if s != zcl.Success {
			r.Failures = append(r.Failures, zcl.WriteStatus{Status: s, ID: w.ID})
		}
	}
	return r
}
