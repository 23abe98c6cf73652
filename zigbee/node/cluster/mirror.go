package cluster

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// mirrorOffset is what a mirror adds to the MeteringDeviceType of the meter that it stands for.
const mirrorOffset = 127

// MirrorHost keeps a copy of the readings of meters that sleep, on endpoints of their own (Smart Energy 1.0 and 1.1), and,
// for meters that ask for it, tells them at the end of each report what waits for them (the two-way mirror of 1.2).
type MirrorHost struct {
	// First is the endpoint of the first mirror, Most how many there may be. Zero means 10 and 2.
	First uint8
	Most  int
	// Changed, if set, is told that mirrors came, went, or were configured, so that State can be saved.
	Changed func()
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
	flags    [flagWords]uint32
	waiting  []waiting
	values   []zcl.Attribute
	at       time.Time // of the last report
}

// flagWords are the functional notification flags and flags 2 to 5.
const flagWords = 5

// waiting is a command for a meter that sleeps, and the flag that tells it.
type waiting struct {
	word int
	flag uint32
	m    se.Command
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
	defer h.changed()
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
	h.changed()
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

func (h *MirrorHost) changed() {
	if h.Changed != nil {
		h.Changed()
	}
}

// Flag has a meter's next report answered with functional notification flags set, if it asked for answers. Clear bits are
// those to take back.
func (h *MirrorHost) Flag(meter wire.EUI64, set, clear uint32) { h.FlagWord(meter, 0, set, clear) }

// FlagWord does the same with one of the words: 0 the functional flags, 1 to 4 notification flags 2 to 5 (Price, Calendar,
// Prepayment, Device Management), which scheme A does not carry.
func (h *MirrorHost) FlagWord(meter wire.EUI64, word int, set, clear uint32) {
	if m := h.of(meter); m != nil && word >= 0 && word < flagWords {
		m.flags[word] = m.flags[word]&^clear | set
	}
}

// Leave leaves a command for a meter that sleeps and sets the flag that tells it. The meter gets the command when it asks
// for what the flag stands for. It is false for a meter without a mirror.
func (h *MirrorHost) Leave(meter wire.EUI64, word int, flag uint32, m se.Command) bool {
	x := h.of(meter)
	if x == nil || word < 0 || word >= flagWords {
		return false
	}
	x.waiting = append(x.waiting, waiting{word, flag, m})
	x.flags[word] |= flag
	return true
}

// hand gives a meter what it asked for.
func (h *MirrorHost) hand(c *node.Call, m *mirror, q se.GetNotifiedMessage) error {
	word := int(q.Attribute)
	if word >= flagWords {
		return zcl.InvalidField
	}
	var found []se.Command
	m.waiting = slices.DeleteFunc(m.waiting, func(w waiting) bool {
		if w.word != word || w.flag&q.Flags == 0 {
			return false
		}
		found = append(found, w.m)
		return true
	})
	m.flags[word] &^= q.Flags
	if len(found) == 0 {
		return zcl.NotFound
	}
	for _, x := range found {
		_ = h.node.Request(c.Now, &node.Request{To: c.From, Endpoint: c.SrcEndpoint, From: c.DstEndpoint, Command: x, Quiet: true})
	}
	return nil
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
	Attributes: notificationFlags(),
	Commands: []node.Command{
		{ID: 0x08, Handle: func(c *node.Call, m se.Command) error {
			x, k := c.State.(*hosted), m.(se.ConfigureMirror)
			return x.configure(c, k.Notifications, k.Scheme)
		}},
		{ID: 0x09, Handle: func(c *node.Call, m se.Command) error {
			return c.State.(*hosted).configure(c, true, m.(se.ConfigureNotificationScheme).Scheme)
		}},
		{ID: 0x0A, Handle: func(c *node.Call, m se.Command) error {
			x, k := c.State.(*hosted), m.(se.ConfigureNotificationFlags)
			switch {
			case c.From != x.m.meter:
				return zcl.NotAuthorized
			case k.Attribute == 0 || k.Attribute >= flagWords:
				return zcl.InvalidField // the functional flags mean what they mean
			}
			return nil
		}},
		{ID: 0x0B, Handle: func(c *node.Call, m se.Command) error {
			x := c.State.(*hosted)
			if c.From != x.m.meter {
				return zcl.NotAuthorized
			}
			return x.h.hand(c, x.m, m.(se.GetNotifiedMessage))
		}},
	},
	Generated: []uint8{0x09},
}

func (x *hosted) configure(c *node.Call, notify bool, k se.NotificationScheme) error {
	switch {
	case c.From != x.m.meter:
		return zcl.NotAuthorized
	case !notify:
		k = se.SchemeNone
	case k.Flags() == 0:
		return zcl.InvalidField
	}
	x.m.scheme = k
	x.h.changed()
	return nil
}

// notificationFlags are the client's attributes of a mirror.
func notificationFlags() (all []node.Attribute) {
	for i := range flagWords {
		all = append(all, node.Attribute{ID: se.AttrFunctionalNotificationFlags + zcl.Attr(i), Type: zcl.Map32, Get: func(c *node.Call) zcl.Value {
			return zcl.Unsigned(zcl.Map32, uint64(c.State.(*hosted).m.flags[i]))
		}})
	}
	return all
}

// State is what a restart must not lose: whose mirrors are where, and how their meters want to be told. Readings come
// again. (Ours: n × {meter(8) endpoint(1) scheme(1)}.)
func (h *MirrorHost) State() []byte {
	var b []byte
	for _, m := range h.mirrors {
		b = append(append(b, m.meter[:]...), m.endpoint, byte(m.scheme))
	}
	return b
}

// Restore puts back what State gave, before Attach. After an error nothing has changed.
func (h *MirrorHost) Restore(b []byte) error {
	const size = 10
	if len(b)%size != 0 || len(b)/size > h.most() {
		return fmt.Errorf("cluster: state of mirrors of %d octets: want at most %d times %d", len(b), h.most(), size)
	}
	var all []*mirror
	for ; len(b) > 0; b = b[size:] {
		m := &mirror{meter: wire.EUI64(b[:8]), endpoint: b[8], scheme: se.NotificationScheme(b[9]), spec: &node.Spec{ID: se.Metering, Server: true}}
		if m.endpoint == 0 || m.endpoint == 0xFF || m.scheme != se.SchemeNone && m.scheme.Flags() == 0 {
			return fmt.Errorf("cluster: state of mirrors: endpoint %d with scheme %d", m.endpoint, m.scheme)
		}
		m.declare()
		all = append(all, m)
	}
	h.mirrors = all
	return nil
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
	// Notifications asks for the answer of Smart Energy 1.2, by Scheme (zero means A). Notified takes the functional flags,
	// Flags all of them that the scheme carries. Fetch asks for what they stand for.
	Notifications bool
	Scheme        se.NotificationScheme
	Notified      func(now time.Time, flags uint32)
	Flags         func(now time.Time, words []uint32)
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
			r := x.(se.MirrorReportAttributeResponse)
			if len(r.Flags) == 0 {
				return zcl.MalformedCommand
			}
			if m.Notified != nil {
				m.Notified(c.Now, r.Flags[0])
			}
			if m.Flags != nil {
				m.Flags(c.Now, r.Flags)
			}
			return nil
		}},
	}, extra...), Generated: []uint8{0x01, 0x02, 0x08, 0x09, 0x0A, 0x0B}}}
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
				Command: se.ConfigureMirror{EventID: 1, Interval: 1800, Notifications: true, Scheme: m.scheme()},
				Done:    func(r node.Response) { m.report(r.Now, false) },
			})
		},
	})
}

func (m *Mirrored) scheme() se.NotificationScheme {
	if m.Scheme == se.SchemeNone {
		return se.SchemeA
	}
	return m.Scheme
}

// Fetch asks the mirror for what a flag of a word stands for; what waits there comes to the clusters that it is for. done
// is told if nothing did; it may be nil.
func (m *Mirrored) Fetch(now time.Time, word uint16, flag uint32, done func(now time.Time, err error)) {
	near, _ := m.endpoints()
	err := m.node.Request(now, &node.Request{
		To: m.node.TrustCentre(), Endpoint: m.mirror, From: near, Command: se.GetNotifiedMessage{Scheme: m.scheme(), Attribute: word, Flags: flag},
		Done: func(r node.Response) {
			if done != nil {
				done(r.Now, r.Err)
			}
		},
	})
	if err != nil && done != nil {
		done(now, err)
	}
}

// Remove gives the mirror back.
func (m *Mirrored) Remove(now time.Time, done func(now time.Time, err error)) error {
	near, far := m.endpoints()
	return m.node.Request(now, &node.Request{
		To: m.node.TrustCentre(), Endpoint: far, From: near, Command: se.RemoveMirror{}, Answers: []uint8{0x02},
		Done: func(r node.Response) {
			if r.Err == nil {
				m.mirror = 0
			}
			if done != nil {
				done(r.Now, r.Err)
			}
		},
	})
}

// Configure changes how the mirror tells what waits: by the scheme, or with flags of the meter's own choice.
func (m *Mirrored) Configure(now time.Time, k se.Command, done func(now time.Time, err error)) error {
	near, _ := m.endpoints()
	return m.node.Request(now, &node.Request{To: m.node.TrustCentre(), Endpoint: m.mirror, From: near, Command: k, Done: func(r node.Response) {
		if done != nil {
			done(r.Now, r.Err)
		}
	}})
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
