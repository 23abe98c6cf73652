package cluster

import (
	"time"

	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// Basic is what a device says of itself.
type Basic struct {
	Manufacturer, Model string
	Date                string // of manufacture, YYYYMMDD
	Software            func(now time.Time) string
	Hardware            uint8
	Mains               bool
	// MirrorRoom, on an ESI, tells whether a mirror can be had. Nil on other devices.
	MirrorRoom func() bool
}

// Cluster gives the server side.
func (b *Basic) Cluster() *node.Cluster {
	if b.MirrorRoom == nil {
		return &node.Cluster{Spec: basicServer, State: b}
	}
	return &node.Cluster{Spec: basicOfESI, State: b}
}

func basic(c *node.Call) *Basic { return c.State.(*Basic) }

var basicAttributes = []node.Attribute{
	{ID: se.AttrZCLVersion, Type: zcl.Uint8, Get: node.Fixed(zcl.Unsigned(zcl.Uint8, 2))},
	{ID: se.AttrApplicationVersion, Type: zcl.Uint8, Get: node.Fixed(zcl.Unsigned(zcl.Uint8, 1))},
	{ID: se.AttrHWVersion, Type: zcl.Uint8, Get: func(c *node.Call) zcl.Value { return zcl.Unsigned(zcl.Uint8, uint64(basic(c).Hardware)) }},
	{ID: se.AttrManufacturerName, Type: zcl.CharString, Get: func(c *node.Call) zcl.Value { return text(basic(c).Manufacturer) }},
	{ID: se.AttrModelIdentifier, Type: zcl.CharString, Get: func(c *node.Call) zcl.Value { return text(basic(c).Model) }},
	{ID: se.AttrDateCode, Type: zcl.CharString, Get: func(c *node.Call) zcl.Value { return text(basic(c).Date) }},
	{ID: se.AttrPowerSource, Type: zcl.Enum8, Get: func(c *node.Call) zcl.Value {
		if basic(c).Mains {
			return zcl.Unsigned(zcl.Enum8, 1)
		}
		return zcl.Unsigned(zcl.Enum8, 3)
	}},
}

// text is at most 32 octets, what the strings of this cluster have room for.
func text(s string) zcl.Value { return zcl.String(s[:min(len(s), 32)]) }

var softwareAttribute = node.Attribute{ID: se.AttrSWBuildID, Type: zcl.CharString, Get: func(c *node.Call) zcl.Value {
	s := ""
	if basic(c).Software != nil {
		s = basic(c).Software(c.Now)
	}
	return zcl.String(s[:min(len(s), 16)])
}}

var basicServer = &node.Spec{
	ID: se.Basic, Server: true, Attributes: append(append([]node.Attribute(nil), basicAttributes...), softwareAttribute),
	Commands: []node.Command{{ID: 0x00, Handle: func(*node.Call, se.Command) error { return nil }}}, // nothing here can be set
}

var basicOfESI = &node.Spec{
	ID: se.Basic, Server: true, Commands: basicServer.Commands,
	Attributes: append(append([]node.Attribute(nil), basicAttributes...),
		node.Attribute{ID: se.AttrPhysicalEnvironment, Type: zcl.Enum8, Get: func(c *node.Call) zcl.Value {
			if basic(c).MirrorRoom() {
				return zcl.Unsigned(zcl.Enum8, 1)
			}
			return zcl.Unsigned(zcl.Enum8, 0)
		}}, softwareAttribute),
}

// Clock is a time server, master of the home's time.
type Clock struct {
	// Now is the time of the device's clock at a true time. Nil means that it is right.
	Now func(now time.Time) time.Time
}

// Cluster gives the server side.
func (k *Clock) Cluster() *node.Cluster { return &node.Cluster{Spec: timeServer, State: k} }

func clockNow(c *node.Call) time.Time {
	if f := c.State.(*Clock).Now; f != nil {
		return f(c.Now)
	}
	return c.Now
}

var timeServer = &node.Spec{
	ID: se.Time, Server: true,
	Attributes: []node.Attribute{
		{ID: se.AttrTime, Type: zcl.UTCTime, Get: func(c *node.Call) zcl.Value { return zcl.UTC(clockNow(c)) }},
		{ID: se.AttrTimeStatus, Type: zcl.Map8, Get: node.Fixed(zcl.Unsigned(zcl.Map8, 0x03))}, // master, synchronised
		{ID: se.AttrTimeZone, Type: zcl.Int32, Get: node.Fixed(zcl.Signed(zcl.Int32, 0))},
		{ID: se.AttrValidUntilTime, Type: zcl.UTCTime, Get: func(c *node.Call) zcl.Value { return zcl.UTC(clockNow(c).Add(24 * time.Hour)) }},
	},
}

// Identify blinks.
type Identify struct{ until time.Time }

// Cluster gives the server side.
func (i *Identify) Cluster() *node.Cluster { return &node.Cluster{Spec: identifyServer, State: i} }

func (i *Identify) left(now time.Time) uint16 {
	return uint16(max(0, i.until.Sub(now)) / time.Second)
}

var identifyServer = &node.Spec{
	ID: se.Identify, Server: true,
	Attributes: []node.Attribute{{
		ID: 0x0000, Type: zcl.Uint16,
		Get: func(c *node.Call) zcl.Value {
			return zcl.Unsigned(zcl.Uint16, uint64(c.State.(*Identify).left(c.Now)))
		},
		Set: func(c *node.Call, v zcl.Value) error {
			c.State.(*Identify).until = c.Now.Add(time.Duration(v.Num) * time.Second)
			return nil
		},
	}},
	Commands: []node.Command{
		{ID: 0x00, Handle: func(c *node.Call, m se.Command) error {
			c.State.(*Identify).until = c.Now.Add(time.Duration(m.(se.IdentifyStart).Time) * time.Second)
			return nil
		}},
		{ID: 0x01, Handle: func(c *node.Call, _ se.Command) error {
			if left := c.State.(*Identify).left(c.Now); left > 0 {
				c.Reply(se.IdentifyQueryResponse{Timeout: left})
			}
			return nil
		}},
	},
	Generated: []uint8{0x00},
}

// KeepAlive is the trust centre's sign of life: devices that miss it three times look for another one.
var KeepAlive = &node.Cluster{Spec: &node.Spec{
	ID: se.KeepAlive, Server: true,
	Attributes: []node.Attribute{
		{ID: se.AttrKeepAliveBase, Type: zcl.Uint8, Get: node.Fixed(zcl.Unsigned(zcl.Uint8, 10))},
		{ID: se.AttrKeepAliveJitter, Type: zcl.Uint16, Get: node.Fixed(zcl.Unsigned(zcl.Uint16, 300))},
	},
}}

// Client is the side of a cluster that only asks.
func Client(id se.Cluster) *node.Cluster { return &node.Cluster{Spec: &node.Spec{ID: id}} }
