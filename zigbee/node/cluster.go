package node

import (
	"fmt"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// Endpoint is one application of a node.
type Endpoint struct {
	ID uint8 // 1 to 254
	// Profile is that of the simple descriptor. Zero means Smart Energy's.
	Profile  uint16
	Device   uint16 // se.DeviceMetering …
	Version  uint8
	Clusters []*Cluster
}

func (e *Endpoint) check() error {
	if e.ID == 0 || e.ID == 0xFF {
		return fmt.Errorf("node: endpoint %d: applications have 1 to 254", e.ID)
	}
	return nil
}

func (e *Endpoint) profile() uint16 {
	if e.Profile == 0 {
		return se.Profile
	}
	return e.Profile
}

func (e *Endpoint) cluster(id se.Cluster, server bool) *Cluster {
	for _, c := range e.Clusters {
		if c.ID == id && c.Server == server {
			return c
		}
	}
	return nil
}

// Cluster is one side of a cluster on an endpoint: what it does, shared by all devices of a type, and the state of this one.
type Cluster struct {
	*Spec
	State any
}

// Spec says what one side of a cluster does. It is never changed once in use.
type Spec struct {
	ID     se.Cluster
	Server bool
	// Attributes that can be read here, by ascending identifier.
	Attributes []Attribute
	// Commands that this side takes.
	Commands []Command
	// Generated lists the commands that this side sends, for discovery.
	Generated []uint8
	// Report takes attributes that the other side reports. Nil refuses reports.
	Report func(c *Call, a []zcl.Attribute) error
	// ReportOwn takes a maker's own attributes; the header has the code. Nil refuses them.
	ReportOwn func(c *Call, a []zcl.Attribute) error
	// Silent is told that a report which was configured to come did not come in time. Nil tells nobody.
	Silent func(c *Call, id zcl.Attr)
}

// Attribute is an attribute by declaration.
type Attribute struct {
	ID   zcl.Attr
	Type zcl.DataType
	// Get gives the value, of Type. Nil makes the attribute unreadable.
	Get func(c *Call) zcl.Value
	// Set changes it, or refuses with a zcl.Status. Nil makes it read only.
	Set func(c *Call, v zcl.Value) error
	// Reportable lets others configure reports of it.
	Reportable bool
	// Manufacturer is the code of the maker whose own attribute it is. Zero means one of the standard.
	Manufacturer uint16
}

// Command is a command by declaration.
type Command struct {
	ID uint8
	// Handle does what the command says. It may answer with Call.Reply; if it does not, nil becomes the default response
	// SUCCESS, a zcl.Status that status, and any other error FAILURE.
	Handle func(c *Call, m se.Command) error
	// Manufacturer is the code of the maker whose own command it is; then Own handles it, by its payload. Zero means a
	// command of the standard.
	Manufacturer uint16
	Own          func(c *Call, payload []byte) error
}

// Fixed is a getter of a value that never changes.
func Fixed(v zcl.Value) func(*Call) zcl.Value { return func(*Call) zcl.Value { return v } }

// Call is what a handler gets.
type Call struct {
	Node     *Node
	Now      time.Time
	Endpoint *Endpoint
	Message
	Header zcl.Header
	State  any

	replied bool
}

// Reply answers the command with another of the same cluster.
func (c *Call) Reply(m se.Command) {
	c.replied = true
	h := c.Header.Response(0)
	b, err := se.Append(nil, h, m)
	if err == nil {
		c.Node.respond(&c.Message, b)
	}
}

// ReplyAll answers the command with several others of the same cluster, each sent when the one before was acknowledged, so
// that they arrive in order.
func (c *Call) ReplyAll(all []se.Command) {
	if len(all) == 0 {
		return
	}
	c.replied = true
	var frames [][]byte
	for _, m := range all {
		b, err := se.Append(nil, c.Header.Response(0), m)
		if err != nil {
			return
		}
		frames = append(frames, b)
	}
	n, m := c.Node, c.Message
	var next func(error)
	next = func(err error) {
		if err != nil || len(frames) == 0 {
			return
		}
		b := frames[0]
		frames = frames[1:]
		n.respondThen(&m, b, next)
	}
	next(nil)
}

// ReplyOwn answers a maker's own command with another one of it.
func (c *Call) ReplyOwn(id uint8, payload []byte) {
	c.replied = true
	h := c.Header.Response(id)
	h.Type = zcl.TypeCluster
	b, err := zcl.Frame{Header: h, Payload: payload}.AppendBinary(nil)
	if err == nil {
		c.Node.respond(&c.Message, b)
	}
}

// manufacturer is the code of the frame, 0 for the standard.
func (c *Call) manufacturer() uint16 {
	if c.Header.HasManufacturer {
		return c.Header.Manufacturer
	}
	return 0
}

// Request is a command to a cluster of another device.
type Request struct {
	To       wire.EUI64
	Endpoint uint8 // of the other device
	From     uint8 // endpoint of this one
	// Cluster and the direction are taken from Command; with Global they must be given.
	Cluster    se.Cluster
	FromServer bool
	Command    se.Command
	Global     zcl.Global
	// Own is the payload of a maker's own command with the number OwnID, if there is neither Command nor Global. It and
	// Global take the code from Manufacturer; with Global zero means the standard.
	Own          []byte
	OwnID        uint8
	Manufacturer uint16
	// Answers are the commands of the cluster that answer. None means that a default response does, and with Global the
	// global response.
	Answers []uint8
	// Quiet asks for no answer at all: Done is called when the message was acknowledged.
	Quiet bool
	// Timeout of the answer. Zero means 10 s, and 23 s more for a sleeping device.
	Timeout time.Duration
	// Done is called once. It may be nil.
	Done func(r Response)

	short    uint16
	sequence uint8
	command  uint8
	global   bool
	timer    *timer
}

// Response is the answer to a request, or why there is none: Err is a zcl.Status if the other side refused.
type Response struct {
	Now     time.Time
	Command se.Command
	Global  zcl.Global
	Own     []byte // payload of a maker's own answer
	Err     error
}

func (r *Request) finish(x Response) {
	if r.Done != nil {
		done := r.Done
		r.Done = nil
		done(x)
	}
}
