package cluster

import (
	"errors"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// DefaultTunnelTimeout is how long a server keeps a tunnel in which nothing moves (ours).
const DefaultTunnelTimeout = 5 * time.Minute

// pipe is one direction of a tunnel: pieces that wait, sent one after another so that they stay in order.
type pipe struct {
	node   *node.Node
	id     uint16
	server bool
	to     wire.EUI64
	far    uint8 // endpoint there
	near   uint8 // endpoint here
	size   int   // of a piece at most
	flow   bool
	left   int // octets that the other side takes, under flow control
	queue  [][]byte
	busy   bool
	failed func(now time.Time, err error)
}

func (p *pipe) write(now time.Time, data []byte) {
	for len(data) > 0 {
		n := min(len(data), p.size)
		p.queue = append(p.queue, append([]byte(nil), data[:n]...))
		data = data[n:]
	}
	p.pump(now)
}

func (p *pipe) pump(now time.Time) {
	if p.busy || len(p.queue) == 0 || p.flow && p.left < len(p.queue[0]) {
		return
	}
	data := p.queue[0]
	p.busy = true
	err := p.node.Request(now, &node.Request{
		To: p.to, Endpoint: p.far, From: p.near, Command: se.TransferData{Server: p.server, ID: p.id, Data: data}, Quiet: true,
		Done: func(r node.Response) {
			p.busy = false
			if r.Err != nil {
				p.fail(r.Now, r.Err)
				return
			}
			p.left -= len(data)
			if len(p.queue) > 0 {
				p.queue = p.queue[1:]
			}
			p.pump(r.Now)
		},
	})
	if err != nil {
		p.busy = false
		p.fail(now, err)
	}
}

func (p *pipe) fail(now time.Time, err error) {
	p.queue = nil
	if p.failed != nil {
		p.failed(now, err)
	}
}

func (p *pipe) more(now time.Time, left uint16) {
	p.left = int(left)
	p.pump(now)
}

// tell sends a command without waiting for an answer.
func (p *pipe) tell(now time.Time, m se.Command) {
	_ = p.node.Request(now, &node.Request{To: p.to, Endpoint: p.far, From: p.near, Command: m, Quiet: true})
}

// TunnelServer is a meter's side of the Tunneling cluster. It takes protocol 0, DLMS/COSEM.
type TunnelServer struct {
	// Serve takes data that came out of a tunnel. What it gives to reply, at once or later, goes back into it.
	Serve func(now time.Time, from wire.EUI64, data []byte, reply func(now time.Time, data []byte))
	// Most is how many tunnels there may be at once. Zero means 2.
	Most int
	// MaxIncoming is how many octets are taken at once. Zero means 1500.
	MaxIncoming uint16
	// Timeout closes a tunnel in which nothing moves. Zero means DefaultTunnelTimeout.
	Timeout time.Duration
	// FlowControl says that the meter does it when a client asks for it.
	FlowControl bool
	// Room is how many octets can be taken at present, under flow control. Data for which there is no room is refused; when
	// there is some again call Ready. Nil means MaxIncoming at any time.
	Room func() uint16
	// Busy, if set and true, refuses new tunnels for now.
	Busy func() bool

	tunnels []*tunnel
	next    uint16
}

// tunnel is an open tunnel of a server.
type tunnel struct {
	pipe
	idle func() // cancels the timer
}

// Cluster gives the server side, for an endpoint.
func (s *TunnelServer) Cluster() *node.Cluster { return &node.Cluster{Spec: tunnelServer, State: s} }

// Reset forgets all tunnels, as a power cut does.
func (s *TunnelServer) Reset() { s.tunnels = nil }

// Open is how many tunnels there are.
func (s *TunnelServer) Open() int { return len(s.tunnels) }

var tunnelServer = &node.Spec{
	ID: se.Tunneling, Server: true,
	Attributes: []node.Attribute{{ID: 0x0000, Type: zcl.Uint16, Get: func(c *node.Call) zcl.Value {
		return zcl.Unsigned(zcl.Uint16, uint64(c.State.(*TunnelServer).timeout()/time.Second))
	}}},
	Commands: []node.Command{
		{ID: 0x00, Handle: func(c *node.Call, m se.Command) error {
			return c.State.(*TunnelServer).request(c, m.(se.RequestTunnel))
		}},
		{ID: 0x01, Handle: func(c *node.Call, m se.Command) error { return c.State.(*TunnelServer).closed(c, m.(se.CloseTunnel)) }},
		{ID: 0x02, Handle: func(c *node.Call, m se.Command) error { return c.State.(*TunnelServer).data(c, m.(se.TransferData)) }},
		{ID: 0x03, Handle: func(c *node.Call, m se.Command) error {
			c.State.(*TunnelServer).drop(c.From, m.(se.TransferDataError).ID)
			return nil
		}},
		{ID: 0x04, Handle: func(c *node.Call, m se.Command) error {
			a := m.(se.AckTransferData)
			return c.State.(*TunnelServer).ready(c, a.ID, a.Left)
		}},
		{ID: 0x05, Handle: func(c *node.Call, m se.Command) error {
			a := m.(se.ReadyData)
			return c.State.(*TunnelServer).ready(c, a.ID, a.Left)
		}},
		{ID: 0x06, Handle: func(c *node.Call, m se.Command) error {
			r := se.SupportedTunnelProtocolsResponse{Complete: true}
			if m.(se.GetSupportedTunnelProtocols).Offset == 0 {
				r.Protocols = []se.SupportedProtocol{{Manufacturer: se.NoTunnelManufacturer, Protocol: se.TunnelDLMS}}
			}
			c.Reply(r)
			return nil
		}},
	},
	Generated: []uint8{0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06},
}

func (s *TunnelServer) timeout() time.Duration {
	if s.Timeout == 0 {
		return DefaultTunnelTimeout
	}
	return s.Timeout
}

func (s *TunnelServer) maxIncoming() uint16 {
	if s.MaxIncoming == 0 {
		return se.DefaultTunnelTransfer
	}
	return s.MaxIncoming
}

func (s *TunnelServer) request(c *node.Call, m se.RequestTunnel) error {
	most := s.Most
	if most == 0 {
		most = 2
	}
	refuse := func(status se.TunnelStatus) error {
		c.Reply(se.RequestTunnelResponse{ID: 0xFFFF, Status: status, MaxIncoming: s.maxIncoming()})
		return nil
	}
	switch {
	case m.Protocol != se.TunnelDLMS || m.Manufacturer != se.NoTunnelManufacturer:
		return refuse(se.TunnelNoProtocol)
	case m.FlowControl && !s.FlowControl:
		return refuse(se.TunnelNoFlowControl)
	case s.Busy != nil && s.Busy():
		return refuse(se.TunnelBusy)
	case len(s.tunnels) >= most:
		return refuse(se.TunnelNoMoreIDs)
	}
	s.next++
	if s.next == 0xFFFF {
		s.next = 0
	}
	t := &tunnel{pipe: pipe{
		node: c.Node, id: s.next, server: true, to: c.From, far: c.SrcEndpoint, near: c.DstEndpoint,
		size: max(int(m.MaxIncoming), 1), flow: m.FlowControl, left: int(m.MaxIncoming),
	}}
	s.tunnels = append(s.tunnels, t)
	s.touch(c.Now, t)
	c.Reply(se.RequestTunnelResponse{ID: t.id, Status: se.TunnelSuccess, MaxIncoming: s.maxIncoming()})
	return nil
}

// touch starts the idle time of a tunnel anew.
func (s *TunnelServer) touch(now time.Time, t *tunnel) {
	if t.idle != nil {
		t.idle()
	}
	t.idle = t.node.After(now, s.timeout(), func(now time.Time) {
		t.idle = nil
		s.drop(t.to, t.id)
		t.tell(now, se.TunnelClosureNotification{ID: t.id})
	})
}

func (s *TunnelServer) find(from wire.EUI64, id uint16) (*tunnel, error) {
	for _, t := range s.tunnels {
		if t.id == id {
			if t.to != from {
				return nil, se.WrongDevice
			}
			return t, nil
		}
	}
	return nil, se.NoSuchTunnel
}

func (s *TunnelServer) drop(from wire.EUI64, id uint16) {
	t, err := s.find(from, id)
	if err != nil {
		return
	}
	if t.idle != nil {
		t.idle()
	}
	for i, x := range s.tunnels {
		if x == t {
			s.tunnels = append(s.tunnels[:i], s.tunnels[i+1:]...)
			return
		}
	}
}

func (s *TunnelServer) closed(c *node.Call, m se.CloseTunnel) error {
	if _, err := s.find(c.From, m.ID); err != nil {
		return zcl.NotFound
	}
	s.drop(c.From, m.ID)
	return nil
}

func (s *TunnelServer) data(c *node.Call, m se.TransferData) error {
	t, err := s.find(c.From, m.ID)
	var refused se.TransferError
	if err == nil && (len(m.Data) > int(s.maxIncoming()) || t.flow && len(m.Data) > int(s.room())) {
		err = se.DataOverflow
	}
	if errors.As(err, &refused) {
		c.Reply(se.TransferDataError{Server: true, ID: m.ID, Status: refused})
		return nil
	}
	s.touch(c.Now, t)
	if t.flow && s.Room == nil {
		t.tell(c.Now, se.AckTransferData{Server: true, ID: t.id, Left: s.maxIncoming()})
	}
	s.Serve(c.Now, c.From, m.Data, func(now time.Time, data []byte) {
		if _, err := s.find(t.to, t.id); err != nil {
			return // it was closed in the meantime
		}
		s.touch(now, t)
		t.write(now, data)
	})
	if t.flow && s.Room != nil { // how much is left is known only now
		t.tell(c.Now, se.AckTransferData{Server: true, ID: t.id, Left: s.room()})
	}
	return nil
}

func (s *TunnelServer) room() uint16 {
	if s.Room == nil {
		return s.maxIncoming()
	}
	return min(s.Room(), s.maxIncoming())
}

// Ready tells the other ends of tunnels with flow control that there is room again.
func (s *TunnelServer) Ready(now time.Time) {
	for _, t := range s.tunnels {
		if t.flow {
			t.tell(now, se.ReadyData{Server: true, ID: t.id, Left: s.room()})
		}
	}
}

func (s *TunnelServer) ready(c *node.Call, id, left uint16) error {
	t, err := s.find(c.From, id)
	if err != nil {
		return zcl.NotFound
	}
	t.more(c.Now, left)
	return nil
}

// TunnelClient is a hub's side: one tunnel to each meter, opened when there is something to send.
type TunnelClient struct {
	// Received takes data that came out of a tunnel.
	Received func(now time.Time, from wire.EUI64, data []byte)
	// Failed is told that what was sent to a device is lost; it may be nil.
	Failed func(now time.Time, to wire.EUI64, err error)
	// Endpoint is this side's; Far the one of the meters. Zero means 1.
	Endpoint, Far uint8
	// FlowControl asks the meters for it.
	FlowControl bool
	// MaxIncoming is how many octets are taken at once. Zero means 1500.
	MaxIncoming uint16
	// Room is as that of TunnelServer.
	Room func() uint16

	node  *node.Node
	pipes []*outlet
}

// outlet is a tunnel of the client, or the wish for one.
type outlet struct {
	pipe
	open    bool
	opening bool
	waiting [][]byte // until it is open
	last    []byte   // what was sent last, to send it again in a new tunnel
}

// Attach gives the client its node: the first, or another after a power cut, which knows no tunnels.
func (c *TunnelClient) Attach(n *node.Node) { c.node, c.pipes = n, nil }

// Cluster gives the client side, for an endpoint.
func (c *TunnelClient) Cluster() *node.Cluster { return &node.Cluster{Spec: tunnelClient, State: c} }

var tunnelClient = func() *node.Spec {
	s := &node.Spec{ID: se.Tunneling, Generated: []uint8{0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06}}
	for _, id := range []uint8{0x01, 0x02, 0x03, 0x04, 0x05, 0x06} {
		s.Commands = append(s.Commands, node.Command{ID: id, Handle: func(c *node.Call, m se.Command) error {
			return c.State.(*TunnelClient).handle(c, m)
		}})
	}
	return s
}()

func (c *TunnelClient) handle(x *node.Call, m se.Command) error {
	switch m := m.(type) {
	case se.TransferData:
		return c.data(x, m)
	case se.TransferDataError:
		return c.refused(x, m)
	case se.AckTransferData:
		return c.ready(x, m.ID, m.Left)
	case se.ReadyData:
		return c.ready(x, m.ID, m.Left)
	case se.TunnelClosureNotification:
		if p := c.find(x.From, m.ID); p != nil {
			p.open = false
		}
		return nil
	default:
		return zcl.UnsupportedClusterCommand
	}
}

func (c *TunnelClient) find(from wire.EUI64, id uint16) *outlet {
	for _, p := range c.pipes {
		if p.to == from && p.open && p.id == id {
			return p
		}
	}
	return nil
}

func (c *TunnelClient) to(e wire.EUI64) *outlet {
	for _, p := range c.pipes {
		if p.to == e {
			return p
		}
	}
	far := c.Far
	if far == 0 {
		far = 1
	}
	near := c.Endpoint
	if near == 0 {
		near = 1
	}
	p := &outlet{pipe: pipe{node: c.node, to: e, far: far, near: near, flow: c.FlowControl}}
	p.failed = func(now time.Time, err error) {
		p.open = false
		c.fail(now, p, err)
	}
	c.pipes = append(c.pipes, p)
	return p
}

func (c *TunnelClient) maxIncoming() uint16 {
	if c.MaxIncoming == 0 {
		return se.DefaultTunnelTransfer
	}
	return c.MaxIncoming
}

func (c *TunnelClient) fail(now time.Time, p *outlet, err error) {
	p.waiting, p.last = nil, nil
	if c.Failed != nil {
		c.Failed(now, p.to, err)
	}
}

// Send puts data into the tunnel to a device, and opens it first if it has to.
func (c *TunnelClient) Send(now time.Time, to wire.EUI64, data []byte) {
	p := c.to(to)
	p.last = append([]byte(nil), data...)
	if p.open {
		p.write(now, data)
		return
	}
	p.waiting = append(p.waiting, p.last)
	c.open(now, p)
}

func (c *TunnelClient) open(now time.Time, p *outlet) {
	if p.opening {
		return
	}
	p.opening = true
	err := c.node.Request(now, &node.Request{
		To: p.to, Endpoint: p.far, From: p.near, Answers: []uint8{0x00},
		Command: se.RequestTunnel{Protocol: se.TunnelDLMS, Manufacturer: se.NoTunnelManufacturer, FlowControl: c.FlowControl, MaxIncoming: c.maxIncoming()},
		Done: func(r node.Response) {
			p.opening = false
			m, ok := r.Command.(se.RequestTunnelResponse)
			switch {
			case r.Err != nil:
				c.fail(r.Now, p, r.Err)
			case !ok:
				c.fail(r.Now, p, zcl.Failure)
			case m.Status != se.TunnelSuccess:
				c.fail(r.Now, p, m.Status)
			default:
				p.open, p.id, p.size, p.left = true, m.ID, max(int(m.MaxIncoming), 1), int(m.MaxIncoming)
				waiting := p.waiting
				p.waiting = nil
				for _, b := range waiting {
					p.write(r.Now, b)
				}
			}
		},
	})
	if err != nil {
		p.opening = false
		c.fail(now, p, err)
	}
}

// Close ends the tunnel to a device.
func (c *TunnelClient) Close(now time.Time, to wire.EUI64) {
	p := c.to(to)
	if p.open {
		p.open = false
		p.tell(now, se.CloseTunnel{ID: p.id})
	}
}

func (c *TunnelClient) data(x *node.Call, m se.TransferData) error {
	p := c.find(x.From, m.ID)
	if p == nil {
		x.Reply(se.TransferDataError{ID: m.ID, Status: se.NoSuchTunnel})
		return nil
	}
	if len(m.Data) > int(c.maxIncoming()) || p.flow && len(m.Data) > int(c.room()) {
		x.Reply(se.TransferDataError{ID: m.ID, Status: se.DataOverflow})
		return nil
	}
	p.last = nil
	if p.flow && c.Room == nil {
		p.tell(x.Now, se.AckTransferData{ID: p.id, Left: c.maxIncoming()})
	}
	c.Received(x.Now, x.From, m.Data)
	if p.flow && c.Room != nil {
		p.tell(x.Now, se.AckTransferData{ID: p.id, Left: c.room()})
	}
	return nil
}

func (c *TunnelClient) room() uint16 {
	if c.Room == nil {
		return c.maxIncoming()
	}
	return min(c.Room(), c.maxIncoming())
}

// Ready tells the meters that there is room again.
func (c *TunnelClient) Ready(now time.Time) {
	for _, p := range c.pipes {
		if p.open && p.flow {
			p.tell(now, se.ReadyData{ID: p.id, Left: c.room()})
		}
	}
}

// refused is told that a meter did not take data. A tunnel that it closed is opened anew once, with the same data.
func (c *TunnelClient) refused(x *node.Call, m se.TransferDataError) error {
	p := c.find(x.From, m.ID)
	if p == nil {
		return nil
	}
	p.open = false
	again := p.last
	p.last, p.queue = nil, nil
	if m.Status == se.NoSuchTunnel && again != nil {
		p.waiting = append(p.waiting, again)
		c.open(x.Now, p)
		return nil
	}
	c.fail(x.Now, p, m.Status)
	return nil
}

func (c *TunnelClient) ready(x *node.Call, id, left uint16) error {
	p := c.find(x.From, id)
	if p == nil {
		return zcl.NotFound
	}
	p.more(x.Now, left)
	return nil
}
