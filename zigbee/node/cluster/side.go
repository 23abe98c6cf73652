package cluster

import (
	"sync"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
	"smets1/zigbee/zdp"
)

// Peer is an endpoint of another device.
type Peer struct {
	Device   wire.EUI64
	Endpoint uint8
}

// Doer does what the commands of one side of a cluster say. It gives the commands that answer, in the order in which they
// are sent; with neither answers nor an error the sender hears SUCCESS, with a zcl.Status that. m is valid during the call.
type Doer interface {
	Do(now time.Time, from Peer, m se.Command) ([]se.Command, error)
}

// DoerFunc is a Doer.
type DoerFunc func(now time.Time, from Peer, m se.Command) ([]se.Command, error)

// Do implements Doer.
func (f DoerFunc) Do(now time.Time, from Peer, m se.Command) ([]se.Command, error) {
	return f(now, from, m)
}

// Side is one side of a cluster on an endpoint, with a Doer behind it. What nobody asked for, and what was asked for with
// Ask, both come to the Doer.
type Side struct {
	ID     se.Cluster
	Server bool
	// Doer does what comes. Nil takes no commands.
	Doer Doer
	// Attributes of this side.
	Attributes []node.Attribute
	// Report takes what the other side reports. Nil refuses it.
	Report func(c *node.Call, a []zcl.Attribute) error
	// Endpoint is this one. Zero means 1.
	Endpoint uint8

	node *node.Node
}

// Attach gives the side its node.
func (s *Side) Attach(n *node.Node) { s.node = n }

// Cluster declares the side for an endpoint.
func (s *Side) Cluster() *node.Cluster {
	spec := sides()[sideKey{s.ID, s.Server}]
	if spec == nil {
		spec = &node.Spec{ID: s.ID, Server: s.Server}
	}
	if len(s.Attributes) > 0 || s.Report != nil {
		own := *spec
		own.Attributes, own.Report = s.Attributes, s.Report
		spec = &own
	}
	return &node.Cluster{Spec: spec, State: s}
}

type sideKey struct {
	id     se.Cluster
	server bool
}

// sides are the declarations, which all devices share.
var sides = sync.OnceValue(func() map[sideKey]*node.Spec {
	m := map[sideKey]*node.Spec{}
	of := func(id se.Cluster, server bool) *node.Spec {
		k := sideKey{id, server}
		if m[k] == nil {
			m[k] = &node.Spec{ID: id, Server: server}
		}
		return m[k]
	}
	for _, c := range se.Commands() {
		to, from := of(c.Cluster, !c.FromServer), of(c.Cluster, c.FromServer)
		to.Commands = append(to.Commands, node.Command{ID: c.ID, Handle: handle})
		from.Generated = append(from.Generated, c.ID)
	}
	return m
})

func handle(c *node.Call, m se.Command) error {
	s := c.State.(*Side)
	if s.Doer == nil {
		return zcl.UnsupportedClusterCommand
	}
	answers, err := s.Doer.Do(c.Now, Peer{c.From, c.SrcEndpoint}, m)
	c.ReplyAll(answers)
	return err
}

func (s *Side) near() uint8 { return max(s.Endpoint, 1) }

// Ask sends a request. Its answers go to the Doer; done, which may be nil, is told when the first was there, or why there
// is none: a zcl.Status if the other side refused. An error means that nothing was sent.
func (s *Side) Ask(now time.Time, to Peer, q se.Command, done func(now time.Time, err error)) error {
	return s.node.Request(now, &node.Request{
		To: to.Device, Endpoint: to.Endpoint, From: s.near(), Command: q, Answers: answersTo(q.Key()),
		Done: func(r node.Response) {
			if r.Command != nil && s.Doer != nil {
				answers, err := s.Doer.Do(r.Now, to, r.Command)
				for _, a := range answers {
					_ = s.Tell(r.Now, to, a)
				}
				if r.Err == nil {
					r.Err = err
				}
			}
			if done != nil {
				done(r.Now, r.Err)
			}
		},
	})
}

// Tell sends a command that wants no answer.
func (s *Side) Tell(now time.Time, to Peer, m se.Command) error {
	return s.node.Request(now, &node.Request{To: to.Device, Endpoint: to.Endpoint, From: s.near(), Command: m, Quiet: true})
}

// Publish sends a command to all that the cluster is bound to, and tells to how many.
func (s *Side) Publish(now time.Time, m se.Command) int {
	return s.node.RequestBound(now, node.Request{From: s.near(), Command: m, Quiet: true})
}

// Subscribe has another device bind its side of the cluster to this one, so that it publishes to it.
func (s *Side) Subscribe(now time.Time, to Peer, done func(err error)) error {
	b := node.Binding{
		Source: to.Device, SourceEndpoint: to.Endpoint, ClusterID: uint16(s.ID), Mode: zdp.BindDevice, Destination: s.node.EUI(), Endpoint: s.near(),
	}
	return s.node.ZDP(now, to.Device, zdp.BindRequest{Binding: b}, func(m zdp.Command, err error) {
		if r, ok := m.(zdp.BindResponse); ok && err == nil && r.Status != zdp.StatusSuccess {
			err = r.Status
		}
		if done != nil {
			done(err)
		}
	})
}

// answersTo lists the commands that answer one; none where a default response does.
func answersTo(k se.Key) []uint8 {
	if k.FromServer {
		if k.Cluster == se.DeviceManagement && k.ID == 0x05 {
			return []uint8{0x04}
		}
		if k.Cluster == se.Metering && (k.ID == 0x01 || k.ID == 0x02) {
			return []uint8{k.ID}
		}
		return nil
	}
	return requestAnswers[k.Cluster][k.ID]
}

// requestAnswers are the server's answers to the client's requests (Smart Energy, annex D; published).
var requestAnswers = map[se.Cluster]map[uint8][]uint8{
	se.Identify: {0x01: {0x00}},
	se.Alarms:   {0x02: {0x01}},
	se.OTA:      {0x01: {0x02}, 0x03: {0x05}, 0x04: {0x05}, 0x06: {0x07}, 0x08: {0x09}},
	se.Price: {
		0x00: {0x00}, 0x01: {0x00}, 0x03: {0x01}, 0x04: {0x02}, 0x05: {0x03}, 0x06: {0x04}, 0x07: {0x05}, 0x08: {0x06}, 0x09: {0x07},
		0x0A: {0x08}, 0x0B: {0x09}, 0x0C: {0x0A}, 0x0E: {0x0C}, 0x0F: {0x0D}, 0x10: {0x0E},
	},
	se.DRLC:      {0x01: {0x00}},
	se.Metering:  {0x00: {0x00}, 0x03: {0x03}, 0x04: {0x04}, 0x05: {0x05}, 0x06: {0x06}, 0x07: {0x0D}, 0x08: {0x07}, 0x0B: {0x0C}},
	se.Messaging: {0x00: {0x00, 0x02}, 0x02: {0x03}},
	se.Tunneling: {0x00: {0x00}, 0x06: {0x05}},
	se.Prepayment: {
		0x04: {0x03}, 0x06: {0x02}, 0x07: {0x01}, 0x08: {0x05}, 0x0A: {0x06},
	},
	se.Calendar:         {0x00: {0x00}, 0x01: {0x01}, 0x02: {0x02}, 0x03: {0x03}, 0x04: {0x04}, 0x05: {0x05}},
	se.DeviceManagement: {0x00: {0x00}, 0x01: {0x01}, 0x02: {0x02}, 0x03: {0x03}, 0x05: {0x06}},
	se.Events:           {0x00: {0x01}, 0x01: {0x02}},
	se.MDUPairing:       {0x00: {0x00}},
	se.SubGHz:           {0x00: {0x00}},
}

// Declare makes attributes of the table of Smart Energy, by identifier, that one function gives the values of. What is not
// in the table is left out.
func Declare(id se.Cluster, client bool, get func(c *node.Call, a se.Attribute) zcl.Value, ids ...zcl.Attr) []node.Attribute {
	var all []node.Attribute
	for _, i := range ids {
		a, ok := se.Attributes().Lookup(id, client, i)
		if !ok {
			continue
		}
		all = append(all, node.Attribute{ID: a.ID, Type: a.Type, Reportable: true, Get: func(c *node.Call) zcl.Value { return get(c, a) }})
	}
	return all
}
