package node

import (
	"time"

	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
	"smets1/zigbee/zdp"
)

// reporting is a configured report (ZCL, clause 2.5.7; published): one that this node sends to those whom the cluster is
// bound to, or one that it expects.
type reporting struct {
	endpoint     uint8
	cluster      se.Cluster
	server       bool // the attribute is the server's
	manufacturer uint16
	zcl.Reporting
	last  zcl.Value // what was reported last
	at    time.Time // when
	timer *timer
}

// Limits of reporting (ours).
const (
	maxReports = 64
	// sample is how often a value is looked at whose shortest interval is less. The application has it looked at at once
	// with Changed.
	sample = time.Second
	// noReports in the longest interval ends reports (published).
	noReports uint16 = 0xFFFF
)

func seconds(s uint16) time.Duration { return time.Duration(s) * time.Second }

// findReport is the configuration of an attribute; nil if there is none.
func (n *Node) findReport(x *Call, c *Cluster, d zcl.Direction, id zcl.Attr) *reporting {
	server := c.Server == (d == zcl.Reported)
	for _, r := range n.reports {
		if r.endpoint == x.Endpoint.ID && r.cluster == c.ID && r.server == server && r.manufacturer == x.manufacturer() && r.Direction == d && r.ID == id {
			return r
		}
	}
	return nil
}

func (n *Node) dropReport(r *reporting) {
	if r == nil {
		return
	}
	n.stop(r.timer)
	for i, x := range n.reports {
		if x == r {
			n.reports = append(n.reports[:i], n.reports[i+1:]...)
			n.dirty = true
			return
		}
	}
}

func (n *Node) configureReporting(x *Call, c *Cluster, g zcl.ConfigureReporting) (a zcl.ConfigureReportingResponse) {
	for i := range g.Reports {
		k := &g.Reports[i]
		if s := n.configureReport(x, c, k); s != zcl.Success {
			a.Failures = append(a.Failures, zcl.ReportingStatus{Status: s, Direction: k.Direction, ID: k.ID})
		}
	}
	return a
}

func (n *Node) configureReport(x *Call, c *Cluster, k *zcl.Reporting) zcl.Status {
	old := n.findReport(x, c, k.Direction, k.ID)
	if k.Direction == zcl.Received {
		switch {
		case c.Report == nil && c.ReportOwn == nil:
			return zcl.UnsupportedAttribute
		case k.Timeout == 0:
			n.dropReport(old)
			return zcl.Success
		}
	} else {
		a := c.attribute(x.manufacturer(), k.ID)
		switch {
		case a == nil:
			return zcl.UnsupportedAttribute
		case a.Get == nil || !a.Reportable:
			return zcl.UnreportableAttribute
		case a.Type != k.Type:
			return zcl.InvalidDataType
		case k.Max == noReports, k.Max == 0 && k.Min == noReports: // none, or those of the device itself, which has none
			n.dropReport(old)
			return zcl.Success
		case k.Max != 0 && k.Max < k.Min:
			return zcl.InvalidValue
		}
	}
	if old == nil && len(n.reports) >= maxReports {
		return zcl.InsufficientSpace
	}
	n.dropReport(old)
	r := &reporting{endpoint: x.Endpoint.ID, cluster: c.ID, server: c.Server == (k.Direction == zcl.Reported), manufacturer: x.manufacturer(), Reporting: *k, at: n.now}
	if k.Direction == zcl.Reported {
		r.last = keep(c.attribute(r.manufacturer, r.ID).Get(x))
	}
	n.reports = append(n.reports, r)
	n.dirty = true
	n.armReport(r)
	return zcl.Success
}

// keep makes a value last: one that was parsed, or that a getter made, may share its octets.
func keep(v zcl.Value) zcl.Value {
	v.Octets = append([]byte(nil), v.Octets...)
	return v
}

func (n *Node) readReporting(x *Call, c *Cluster, g zcl.ReadReportingConfiguration) (a zcl.ReadReportingConfigurationResponse) {
	for _, k := range g.Keys {
		s := zcl.ReportingResult{Status: zcl.NotFound}
		s.Direction, s.ID = k.Direction, k.ID
		if r := n.findReport(x, c, k.Direction, k.ID); r != nil {
			s.Status, s.Reporting = zcl.Success, r.Reporting
		} else if k.Direction == zcl.Reported {
			switch a := c.attribute(x.manufacturer(), k.ID); {
			case a == nil:
				s.Status = zcl.UnsupportedAttribute
			case !a.Reportable:
				s.Status = zcl.UnreportableAttribute
			}
		}
		a.Results = append(a.Results, s)
	}
	return a
}

// armReport sets when a value is looked at next, or when a report is missed.
func (n *Node) armReport(r *reporting) {
	n.stop(r.timer)
	if r.Direction == zcl.Received {
		r.timer = n.after(seconds(r.Timeout), func() { n.silent(r) })
		return
	}
	d := max(seconds(r.Min)-n.now.Sub(r.at), sample)
	if r.Max > 0 {
		d = max(min(d, seconds(r.Max)-n.now.Sub(r.at)), 0)
	}
	r.timer = n.after(d, func() {
		r.timer = nil
		n.report(r.endpoint, r.cluster, r.server, r.manufacturer)
	})
}

// armReports begins reporting after a restart.
func (n *Node) armReports() {
	for _, r := range n.reports {
		r.at = n.now
		n.armReport(r)
	}
}

// clusterOf finds where a report belongs; nil if it is gone.
func (n *Node) clusterOf(r *reporting, server bool) (*Endpoint, *Cluster) {
	e := n.endpoint(r.endpoint)
	if e == nil {
		return nil, nil
	}
	return e, e.cluster(r.cluster, server)
}

// report sends those attributes of a cluster whose time has come, in one command, and looks at the others again later.
func (n *Node) report(endpoint uint8, id se.Cluster, server bool, manufacturer uint16) {
	var due []zcl.Attribute
	for i := 0; i < len(n.reports); i++ {
		r := n.reports[i]
		if r.endpoint != endpoint || r.cluster != id || r.server != server || r.manufacturer != manufacturer || r.Direction != zcl.Reported {
			continue
		}
		e, c := n.clusterOf(r, server)
		if c == nil || c.attribute(manufacturer, r.ID) == nil {
			n.dropReport(r)
			i--
			continue
		}
		since := n.now.Sub(r.at)
		v := c.attribute(manufacturer, r.ID).Get(&Call{Node: n, Now: n.now, Endpoint: e, State: c.State})
		if since >= seconds(r.Min) && v.Differs(&r.last, &r.Change) || r.Max > 0 && since >= seconds(r.Max) {
			due = append(due, zcl.Attribute{ID: r.ID, Value: v})
			r.last, r.at = keep(v), n.now
		}
		n.armReport(r)
	}
	if len(due) > 0 {
		n.toBound(&Request{From: endpoint, Cluster: id, FromServer: server, Manufacturer: manufacturer, Global: zcl.ReportAttributes{Attributes: due}, Quiet: true})
	}
}

// Changed has the reports of a cluster looked at now, because something changed that may be worth one.
func (n *Node) Changed(now time.Time, endpoint uint8, id se.Cluster, server bool) {
	n.now = now
	n.report(endpoint, id, server, 0)
	n.persist()
}

// reported notes that what was expected came.
func (n *Node) reported(x *Call, c *Cluster, a []zcl.Attribute) {
	for i := range a {
		if r := n.findReport(x, c, zcl.Received, a[i].ID); r != nil {
			n.armReport(r)
		}
	}
}

// silent tells the application that a report did not come.
func (n *Node) silent(r *reporting) {
	r.timer = nil
	e, c := n.clusterOf(r, !r.server)
	if c == nil {
		n.dropReport(r)
		return
	}
	n.armReport(r)
	if c.Silent != nil {
		c.Silent(&Call{Node: n, Now: n.now, Endpoint: e, State: c.State}, r.ID)
	}
}

// RequestBound sends a request to every device that the cluster of the endpoint From is bound to, and tells to how many.
// Each has its own copy; Done is called for each. Devices that it cannot be sent to are left out.
func (n *Node) RequestBound(now time.Time, r Request) int {
	n.now = now
	if r.Command != nil {
		k := r.Command.Key()
		r.Cluster, r.FromServer = k.Cluster, k.FromServer
	}
	defer n.persist()
	return n.toBound(&r)
}

func (n *Node) toBound(r *Request) (count int) {
	for _, b := range n.Bindings() {
		if b.SourceEndpoint != r.From || se.Cluster(b.ClusterID) != r.Cluster || b.Mode != zdp.BindDevice {
			continue
		}
		one := *r
		one.To, one.Endpoint = b.Destination, b.Endpoint
		if n.Request(n.now, &one) == nil {
			count++
		}
	}
	return count
}

// Bind enters a binding of this node itself: from a cluster of an endpoint to one of another device.
func (n *Node) Bind(now time.Time, b Binding) error {
	n.now = now
	b.Source = n.cfg.EUI
	if s := n.bind(b); s != zdp.StatusSuccess {
		return s
	}
	n.persist()
	return n.failed
}
