package han

import (
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/node"
	"smets1/zigbee/node/cluster"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// Meter is what a meter tells of itself on the air.
type Meter struct {
	// Reading is the register: Wh of electricity, litres of gas.
	Reading func(now time.Time) int64
	// Power is what flows, in W; nil for gas.
	Power func(now time.Time) int64
	// Interval is the consumption of the half hour that ends at a time, in units of the register. Nil for none.
	Interval func(end time.Time) int64
	Supply   func(now time.Time) se.SupplyStatus
	MPxN     func() string
	Serial   string
}

func fixed(id zcl.Attr, t zcl.DataType, n uint64) node.Attribute {
	return node.Attribute{ID: id, Type: t, Get: node.Fixed(zcl.Unsigned(t, n))}
}

// Values of the attributes that say how to show a reading: kWh or m³ of units in thousandths, three digits behind the point.
const (
	unitKWh           = 0x00
	unitCubicMetre    = 0x01
	formatting        = 0xBB // leading zeros suppressed, seven digits before the point, three behind it
	deviceElectricity = 0
	deviceGas         = 1
	defaultUpdate     = 10 // seconds
)

func attributes(d *Device) []node.Attribute {
	m := &d.Meter
	unit, kind := uint64(unitKWh), uint64(deviceElectricity)
	if d.Kind == Gas {
		unit, kind = unitCubicMetre, deviceGas
	}
	all := []node.Attribute{
		{ID: se.AttrCurrentSummationDelivered, Type: zcl.Uint48, Get: func(c *node.Call) zcl.Value {
			return zcl.Unsigned(zcl.Uint48, uint64(m.Reading(c.Now)))
		}},
		fixed(0x000A, zcl.Uint8, defaultUpdate),
	}
	if m.Supply != nil {
		all = append(all, node.Attribute{ID: se.AttrSupplyStatus, Type: zcl.Enum8, Get: func(c *node.Call) zcl.Value {
			return zcl.Unsigned(zcl.Enum8, uint64(m.Supply(c.Now)))
		}})
	}
	all = append(all,
		fixed(0x0200, zcl.Map8, 0),
		fixed(se.AttrUnitOfMeasure, zcl.Enum8, unit), fixed(se.AttrMultiplier, zcl.Uint24, 1), fixed(se.AttrDivisor, zcl.Uint24, 1000),
		fixed(se.AttrSummationFormatting, zcl.Map8, formatting), fixed(se.AttrMeteringDeviceType, zcl.Map8, kind),
	)
	if m.MPxN != nil {
		all = append(all, node.Attribute{ID: se.AttrSiteID, Type: zcl.OctetString, Get: func(*node.Call) zcl.Value { return zcl.Octets([]byte(m.MPxN())) }})
	}
	all = append(all, node.Attribute{ID: se.AttrMeterSerialNumber, Type: zcl.OctetString, Get: func(*node.Call) zcl.Value {
		return zcl.Octets([]byte(m.Serial[:min(len(m.Serial), 24)]))
	}})
	if m.Power != nil {
		all = append(all, node.Attribute{ID: se.AttrInstantaneousDemand, Type: zcl.Int24, Get: func(c *node.Call) zcl.Value {
			return zcl.Signed(zcl.Int24, m.Power(c.Now))
		}})
	}
	return all
}

// endpoint is the one application of a device.
func (s *station) endpoint() *node.Endpoint {
	d := s.device
	identify := &cluster.Identify{}
	if d.Kind == Display {
		s.radio.display = &display{station: s}
		list := []*node.Cluster{
			d.Basic.Cluster(), identify.Cluster(), cluster.Client(se.Metering), cluster.Client(se.Time), cluster.Client(se.Price), cluster.Client(se.Messaging),
		}
		if s.radio.policy == node.Open && d.Meter.Reading != nil {
			list = append(list, (&cluster.Metering{}).Cluster(attributes(d)))
		}
		return &node.Endpoint{ID: 1, Device: se.DeviceInHomeDisplay, Clusters: list}
	}
	s.server = &cluster.TunnelServer{Serve: s.serve}
	m := &cluster.Metering{}
	if d.Meter.Interval != nil {
		m.Interval = func(end time.Time) (uint32, bool) {
			v := d.Meter.Interval(end)
			return uint32(v), v >= 0
		}
	}
	a := attributes(d)
	metering := m.Cluster(a)
	if d.Kind == Gas {
		s.mirrored = &cluster.Mirrored{Readings: s.report(a)}
		metering = s.mirrored.Cluster(a, m.Commands()...)
	}
	return &node.Endpoint{ID: 1, Device: se.DeviceMetering, Clusters: []*node.Cluster{
		d.Basic.Cluster(), identify.Cluster(), metering, s.server.Cluster(), cluster.Client(se.Time),
	}}
}

// report gives the attributes that a gas meter reports: all it has.
func (s *station) report(all []node.Attribute) func(now time.Time) []zcl.Attribute {
	return func(now time.Time) (r []zcl.Attribute) {
		c := &node.Call{Now: now}
		for i := range all {
			r = append(r, zcl.Attribute{ID: all[i].ID, Value: all[i].Get(c)})
		}
		return r
	}
}

// serve answers what came out of a meter's tunnel, unit by unit.
func (s *station) serve(now time.Time, _ wire.EUI64, data []byte, reply func(now time.Time, data []byte)) {
	s.node.StayAwake(now, tunnelAwake)
	s.units.add(data, func(unit []byte) {
		if s.reply = s.device.Node.ServeFrame(now, unit, s.reply[:0]); len(s.reply) > 0 {
			reply(now, s.reply)
		}
	})
}

// tunnelAwake is how long a gas meter polls fast after something came through its tunnel (ours).
const tunnelAwake = 15 * time.Second

// begin starts what a device does by itself.
func (s *station) begin(now time.Time) {
	if s.device == nil {
		return
	}
	if s.server != nil {
		s.server.Reset()
	}
	if s.guest && s.device.Kind == Display {
		return // there is no meter that it has a key with
	}
	// Homes whose devices all did things at once would be a strange street.
	offset := time.Duration(s.radio.cfg.Secret(s.eui, "phase", 1)[0]) * 39 * time.Millisecond
	switch s.device.Kind {
	case Gas:
		n := s.node
		n.After(now, 2*time.Second+offset, func(now time.Time) { s.mirrored.Start(now, n) })
	case Display:
		s.radio.display.start(now, s.node, offset)
	default:
	}
}

func (s *station) notify(now time.Time, e node.Event) {
	if s.guest {
		s.keepTrying(now, e)
	}
	if s.device != nil && s.device.Kind == Gas && e.Kind == node.Keyed {
		s.mirrored.Start(now, s.node)
	}
}
