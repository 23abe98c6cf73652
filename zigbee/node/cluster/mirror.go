package cluster

import (
	"errors"
	"slices"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// mirrorOffset is what a mirror adds to the MeteringDeviceType of the meter that it stands for.
const mirrorOffset = 127

// MirrorHost keeps a copy of the readings of meters that sleep, on endpoints of their own (Smart Energy 1.0 and 1.1, with
// the answer of 1.2 for meters that ask for one).
type MirrorHost struct {
	// First is the endpoint of the first mirror, Most how many there may be. Zero means 10 and 2.
	First uint8
	Most  int
	// Reported, if set, is told of each report.
	Reported func(now time.Time, meter wire.EUI64, a []zcl.Attribute)

	node    *node.Node
	mirrors []*mirror
}

// mirror is one.
type mirror struct {
	meter    wire.EUI64
	endpoint uint8
	spec     *node.Spec
	scheme   se.NotificationScheme
	flags    [5]uint32
	values   []zcl.Attribute
	at       time.Time // of the last report
}

// Attach gives the host its node: the first, or another after a power cut, which has the mirrors as well.
func (h *MirrorHost) Attach(n *node.Node) {
	h.node = n
	for _, m := range h.mirrors {
		h.offer(m)
	}
}

// Room tells whether another meter could have a mirror.
func (h *MirrorHost) Room() bool { return len(h.mirrors) < h.most() }

func (h *MirrorHost) most() int {
	if h.Most == 0 {
		return 2
	}
	return h.Most
}

// Cluster gives the side of the ESI's endpoint where meters ask: the client of Metering.
func (h *MirrorHost) Cluster() *node.Cluster { return &node.Cluster{Spec: mirrorRequests, State: h} }

var mirrorRequests = &node.Spec{
	ID: se.Metering,
	Commands: []node.Command{
		{ID: 0x01, Handle: func(c *node.Call, _ se.Command) error {
			c.Reply(se.RequestMirrorResponse{Endpoint: c.State.(*MirrorHost).request(c.From)})
			return nil
		}},
		{ID: 0x02, Handle: func(c *node.Call, _ se.Command) error { return c.State.(*MirrorHost).remove(c) }},
	},
	Generated: []uint8{0x01, 0x02},
}

// request gives a meter its mirror: the one it has, or a new one.
func (h *MirrorHost) request(meter wire.EUI64) uint16 {
	if m := h.of(meter); m != nil {
		return uint16(m.endpoint)
	}
	if !h.Room() || meter.IsZero() {
		return se.NoMirror
	}
	first := h.First
	if first == 0 {
		first = 10
	}
	for h.at(first) != nil {
		first++
	}
	h.add(&mirror{meter: meter, endpoint: first})
	return uint16(first)
}

func (h *MirrorHost) add(m *mirror) {
	h.mirrors = append(h.mirrors, m)
	m.spec = &node.Spec{ID: se.Metering, Server: true}
	m.declare()
	h.offer(m)
}

// offer puts a mirror on its endpoint, whose number is a good one.
func (h *MirrorHost) offer(m *mirror) {
	_ = h.node.AddEndpoint(&node.Endpoint{ID: m.endpoint, Device: se.DeviceMetering, Clusters: []*node.Cluster{
		{Spec: m.spec, State: m},
		{Spec: mirrorReports, State: &hosted{h, m}},
	}})
}

// hosted is a mirror with its host.
type hosted struct {
	h *MirrorHost
	m *mirror
}

func (h *MirrorHost) of(meter wire.EUI64) *mirror {
	for _, m := range h.mirrors {
		if m.meter == meter {
			return m
		}
	}
	return nil
}

func (h *MirrorHost) at(endpoint uint8) *mirror {
	for _, m := range h.mirrors {
		if m.endpoint == endpoint {
			return m
		}
	}
	return nil
}

func (h *MirrorHost) remove(c *node.Call) error {
	m := h.of(c.From)
	if m == nil {
		return zcl.NotFound
	}
	h.mirrors = slices.DeleteFunc(h.mirrors, func(x *mirror) bool { return x == m })
	h.node.RemoveEndpoint(m.endpoint)
	c.Reply(se.MirrorRemoved{Endpoint: uint16(m.endpoint)})
	return nil
}

// Endpoint is where a meter's mirror is.
func (h *MirrorHost) Endpoint(meter wire.EUI64) (uint8, bool) {
	if m := h.of(meter); m != nil {
		return m.endpoint, true
	}
	return 0, false
}

// Value is what a meter reported last of an attribute, and when.
func (h *MirrorHost) Value(meter wire.EUI64, id zcl.Attr) (v zcl.Value, at time.Time, ok bool) {
	m := h.of(meter)
	if m == nil {
		return v, at, false
	}
	for i := range m.values {
		if m.values[i].ID == id {
			return m.values[i].Value, m.at, true
		}
	}
	return v, at, false
}

// Flag has a meter's next report answered with functional notification flags set (Smart Energy 1.2), if it asked for
// answers. Clear bits are those to take back.
func (h *MirrorHost) Flag(meter wire.EUI64, set, clear uint32) {
	if m := h.of(meter); m != nil {
		m.flags[0] = m.flags[0]&^clear | set
	}
}

// mirrorReports is where a meter reports to: the client of Metering on the mirror's endpoint.
var mirrorReports = &node.Spec{
	ID: se.Metering,
	Report: func(c *node.Call, a []zcl.Attribute) error {
		x := c.State.(*hosted)
		if c.From != x.m.meter {
			return zcl.NotAuthorized
		}
		done := x.m.take(c.Now, a)
		if x.h.Reported != nil {
			x.h.Reported(c.Now, c.From, a)
		}
		if done && x.m.scheme != se.SchemeNone {
			c.Reply(se.MirrorReportAttributeResponse{Scheme: x.m.scheme, Flags: slices.Clone(x.m.flags[:x.m.scheme.Flags()])})
		}
		return nil
	},
	Commands: []node.Command{{ID: 0x08, Handle: func(c *node.Call, m se.Command) error {
		x := c.State.(*hosted)
		if c.From != x.m.meter {
			return zcl.NotAuthorized
		}
		k := m.(se.ConfigureMirror)
		x.m.scheme = se.SchemeNone
		if k.Notifications {
			if k.Scheme.Flags() == 0 {
				return zcl.InvalidField
			}
			x.m.scheme = k.Scheme
		}
		return nil
	}}},
	Generated: []uint8{0x09},
}

// take copies reported values. It tells whether the report says that it is the last of a wake.
func (m *mirror) take(now time.Time, a []zcl.Attribute) (done bool) {
	for _, x := range a {
		if x.ID == se.AttrReportingStatus {
			done = x.Value.Num == 1
			continue
		}
		v := x.Value
		v.Octets = slices.Clone(v.Octets)
		if x.ID == se.AttrMeteringDeviceType && v.Num < mirrorOffset {
			v.Num += mirrorOffset
		}
		i, found := slices.BinarySearchFunc(m.values, x.ID, func(e zcl.Attribute, id zcl.Attr) int { return int(e.ID) - int(id) })
		if found {
			m.values[i].Value = v
			continue
		}
		m.values = slices.Insert(m.values, i, zcl.Attribute{ID: x.ID, Value: v})
	}
	m.at = now
	if len(m.values) != len(m.spec.Attributes) {
		m.declare()
	}
	return done
}

// declare makes the reported values readable.
func (m *mirror) declare() {
	m.spec.Attributes = nil
	for i := range m.values {
		id := m.values[i].ID
		m.spec.Attributes = append(m.spec.Attributes, node.Attribute{ID: id, Type: m.values[i].Value.Type, Get: func(c *node.Call) zcl.Value {
			for _, x := range m.values {
				if x.ID == id {
					return x.Value
				}
			}
			return zcl.Value{}
		}})
	}
	if len(m.values) == 0 { // not reported to yet
		m.spec.Attributes = []node.Attribute{{ID: se.AttrMeteringDeviceType, Type: zcl.Map8, Get: node.Fixed(zcl.Unsigned(zcl.Map8, 0xFE))}}
	}
}

// Mirrored is a sleeping meter that reports to a mirror on the hub.
type Mirrored struct {
	// Readings gives what is reported.
	Readings func(now time.Time) []zcl.Attribute
	// Period from one report to the next. Zero means 30 minutes.
	Period time.Duration
	// Notifications asks for the answer of Smart Energy 1.2; Notified takes it.
	Notifications bool
	Notified      func(now time.Time, flags uint32)
	// Endpoint of the meter and ESI of the hub. Zero means 1.
	Endpoint, ESI uint8

	node    *node.Node
	mirror  uint8 // endpoint, 0 for none
	cancel  func()
	reports uint64
}

// Cluster gives the server of Metering on the meter's own endpoint, with its attributes; the mirror's answers come there.
func (m *Mirrored) Cluster(attributes []node.Attribute, extra ...node.Command) *node.Cluster {
	return &node.Cluster{State: m, Spec: &node.Spec{ID: se.Metering, Server: true, Attributes: attributes, Commands: append([]node.Command{
		{ID: 0x09, Handle: func(c *node.Call, x se.Command) error {
			if r := x.(se.MirrorReportAttributeResponse); m.Notified != nil && len(r.Flags) > 0 {
				m.Notified(c.Now, r.Flags[0])
			}
			return nil
		}},
	}, extra...), Generated: []uint8{0x01, 0x02, 0x08}}}
}

// Reports is how many reports the hub took.
func (m *Mirrored) Reports() uint64 { return m.reports }

// Start has the meter report, now and every period.
func (m *Mirrored) Start(now time.Time, n *node.Node) {
	m.node = n
	if m.cancel != nil {
		m.cancel()
	}
	period := m.Period
	if period == 0 {
		period = 30 * time.Minute
	}
	m.cancel = n.After(now, period, func(now time.Time) { m.Start(now, n) })
	if n.Up() && n.HasLinkKey(n.TrustCentre()) {
		m.wake(now)
	}
}

func (m *Mirrored) endpoints() (near, far uint8) { return max(m.Endpoint, 1), max(m.ESI, 1) }

// wake reports, after asking for a mirror if there is none.
func (m *Mirrored) wake(now time.Time) {
	if m.mirror != 0 {
		m.report(now, true)
		return
	}
	near, far := m.endpoints()
	hub := m.node.TrustCentre()
	_ = m.node.Request(now, &node.Request{
		To: hub, Endpoint: far, From: near, Cluster: se.Basic, Global: zcl.ReadAttributes{IDs: []zcl.Attr{se.AttrPhysicalEnvironment}},
		Done: func(r node.Response) {
			a, ok := r.Global.(zcl.ReadAttributesResponse)
			if !ok || len(a.Attributes) != 1 || a.Attributes[0].Status != zcl.Success || a.Attributes[0].Value.Num != 1 {
				// No room says nothing to a meter that has its mirror already: it asks all the same.
				if r.Err != nil {
					return
				}
			}
			m.ask(r.Now)
		},
	})
}

func (m *Mirrored) ask(now time.Time) {
	near, far := m.endpoints()
	_ = m.node.Request(now, &node.Request{
		To: m.node.TrustCentre(), Endpoint: far, From: near, Command: se.RequestMirror{}, Answers: []uint8{0x01},
		Done: func(r node.Response) {
			a, ok := r.Command.(se.RequestMirrorResponse)
			if !ok || a.Endpoint == se.NoMirror || a.Endpoint == 0 || a.Endpoint > 254 {
				return
			}
			m.mirror = uint8(a.Endpoint)
			if !m.Notifications {
				m.report(r.Now, false)
				return
			}
			_ = m.node.Request(r.Now, &node.Request{
				To: m.node.TrustCentre(), Endpoint: m.mirror, From: near,
				Command: se.ConfigureMirror{EventID: 1, Interval: 1800, Notifications: true, Scheme: se.SchemeA},
				Done:    func(r node.Response) { m.report(r.Now, false) },
			})
		},
	})
}

// report sends the readings. A hub that does not know the mirror any more is asked for one again, once.
func (m *Mirrored) report(now time.Time, again bool) {
	near, _ := m.endpoints()
	a := m.Readings(now)
	if m.Notifications {
		a = append(a, zcl.Attribute{ID: se.AttrReportingStatus, Value: zcl.Unsigned(zcl.Enum8, 1)})
	}
	_ = m.node.Request(now, &node.Request{
		To: m.node.TrustCentre(), Endpoint: m.mirror, From: near, Cluster: se.Metering, FromServer: true,
		Global: zcl.ReportAttributes{Attributes: a},
		Done: func(r node.Response) {
			var status zcl.Status
			switch {
			case r.Err == nil:
				m.reports++
			case errors.As(r.Err, &status) && again:
				m.mirror = 0
				m.wake(r.Now)
			}
		},
	})
}
