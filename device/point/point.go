// Package point is the one model of a device: each datum it holds is declared once,
// as a [Point], with where its value comes from and where it is seen: as an attribute
// of a COSEM object, as attributes of ZigBee clusters, or both. COSEM objects and
// ZigBee attributes are made from the points, so the two paths cannot disagree; a
// test of the devices reads both and compares them all the same.
//
//	            ┌─▶ Objects    ─▶ dlms/server    class, logical name, attribute
//	Point.Get ──┤
//	            └─▶ Attributes ─▶ zigbee/node    cluster, attribute
//
// What is not a single datum (profiles, tables, methods, commands) is declared by
// the devices themselves, over the same functions. The package may change.
package point

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// Value of a datum: a number, or octets. A time is a number, in seconds since 1970; 0
// is no time.
type Value struct {
	Int    int64
	Octets []byte
}

// Int is a number.
func Int(n int64) Value { return Value{Int: n} }

// Bool is 1 or 0.
func Bool(b bool) Value {
	if b {
		return Value{Int: 1}
	}
	return Value{}
}

// Text is octets.
func Text(s string) Value { return Value{Octets: []byte(s)} }

// Time is a time.
func Time(t time.Time) Value {
	if t.IsZero() {
		return Value{}
	}
	return Value{Int: t.Unix()}
}

// Point is one datum of a device of type D.
type Point[D any] struct {
	Name string // as SMETS1 calls it (recalled), else our words
	Get  func(d D, now time.Time) Value
	// Set changes it for a DLMS client. Nil: it is read only.
	Set    func(d D, now time.Time, v Value) error
	COSEM  COSEM    // zero: not seen there
	ZigBee []ZigBee // none: not seen there
}

// COSEM is an attribute of a COSEM object.
type COSEM struct {
	Class cosem.ClassID
	Name  cosem.OBIS
	ID    int8
	// Tag is the type on the wire. TagDateTime is a time in an octet string of twelve.
	Tag axdr.Tag
	// Unit of registers, for their attribute scaler_unit.
	Unit *server.ScalerUnit
}

// Data is attribute 2 of a Data object.
func Data(name cosem.OBIS, t axdr.Tag) COSEM {
	return COSEM{Class: cosem.ClassData, Name: name, ID: 2, Tag: t}
}

// Register is the value of a register.
func Register(name cosem.OBIS, t axdr.Tag, scaler int8, unit cosem.Unit) COSEM {
	return COSEM{Class: cosem.ClassRegister, Name: name, ID: 2, Tag: t, Unit: &server.ScalerUnit{Scaler: scaler, Unit: unit}}
}

// Of is an attribute of an object of any class.
func Of(class cosem.ClassID, name cosem.OBIS, id int8, t axdr.Tag) COSEM {
	return COSEM{Class: class, Name: name, ID: id, Tag: t}
}

// Attribute names it.
func (c COSEM) Attribute() cosem.Attribute {
	return cosem.Attribute{Class: c.Class, Instance: c.Name, ID: c.ID}
}

// ZigBee is an attribute of a cluster.
type ZigBee struct {
	Cluster se.Cluster
	ID      zcl.Attr
	Type    zcl.DataType
	// Times and Over make what is on the air of the value: times Times, divided by
	// Over. Zero is 1.
	Times, Over int64
}

// On is an attribute by the name it has in Smart Energy. It panics on a name that is
// not there, as declarations are code.
func On(c se.Cluster, name string) ZigBee {
	a, ok := se.Attributes().Find(c, false, name)
	if !ok {
		panic(fmt.Sprintf("point: cluster %04X has no attribute %s", uint16(c), name))
	}
	return ZigBee{Cluster: c, ID: a.ID, Type: a.Type}
}

// Scaled is the same attribute with another unit.
func (z ZigBee) Scaled(times, over int64) ZigBee {
	z.Times, z.Over = times, over
	return z
}

// Append encodes a value. A number that the type has no room for becomes the nearest
// that it has.
func (c COSEM) Append(b []byte, v Value) ([]byte, error) {
	n := v.Int
	switch c.Tag {
	case axdr.TagBool:
		return axdr.AppendBool(b, n != 0), nil
	case axdr.TagEnum:
		return axdr.AppendEnum(b, uint8(clamp(n, 0, math.MaxUint8))), nil
	case axdr.TagInt8:
		return axdr.AppendInt8(b, int8(clamp(n, math.MinInt8, math.MaxInt8))), nil
	case axdr.TagInt16:
		return axdr.AppendInt16(b, int16(clamp(n, math.MinInt16, math.MaxInt16))), nil
	case axdr.TagInt32:
		return axdr.AppendInt32(b, int32(clamp(n, math.MinInt32, math.MaxInt32))), nil
	case axdr.TagInt64:
		return axdr.AppendInt64(b, n), nil
	case axdr.TagUint8:
		return axdr.AppendUint8(b, uint8(clamp(n, 0, math.MaxUint8))), nil
	case axdr.TagUint16:
		return axdr.AppendUint16(b, uint16(clamp(n, 0, math.MaxUint16))), nil
	case axdr.TagUint32:
		return axdr.AppendUint32(b, uint32(clamp(n, 0, math.MaxUint32))), nil
	case axdr.TagUint64:
		return axdr.AppendUint64(b, uint64(max(n, 0))), nil
	case axdr.TagOctetString:
		return axdr.AppendOctetString(b, v.Octets), nil
	case axdr.TagDateTime:
		if n == 0 {
			return axdr.AppendDateTime(b, axdr.UnspecifiedDateTime), nil
		}
		return axdr.AppendDateTime(b, axdr.DateTimeOf(time.Unix(n, 0).UTC())), nil
	default:
		return b, fmt.Errorf("point: tag %d is not one of a single datum", c.Tag)
	}
}

func clamp(n, lo, hi int64) int64 { return min(max(n, lo), hi) }

var errType = errors.New("point: the value has another type")

// Parse is Append undone.
func (c COSEM) Parse(raw []byte) (Value, error) {
	r := axdr.NewReader(raw)
	var v Value
	switch c.Tag {
	case axdr.TagBool:
		v = Bool(r.Bool())
	case axdr.TagOctetString:
		v.Octets = append([]byte(nil), r.OctetString()...)
	case axdr.TagDateTime:
		if d := r.DateTime(); d.Specified() {
			t, err := d.UTC()
			if err != nil {
				return v, err
			}
			v = Time(t)
		}
	default:
		if t, ok := r.NextTag(); !ok || t != c.Tag {
			return v, errType
		}
		v.Int = r.Integer()
	}
	r.End("value")
	return v, r.Err()
}

// Encode makes the value on the air.
func (z ZigBee) Encode(v Value) zcl.Value {
	switch z.Type {
	case zcl.OctetString:
		return zcl.Octets(v.Octets)
	case zcl.CharString:
		return zcl.String(string(v.Octets))
	case zcl.UTCTime:
		if v.Int == 0 {
			return zcl.Unsigned(zcl.UTCTime, math.MaxUint32)
		}
		return zcl.UTC(time.Unix(v.Int, 0).UTC())
	}
	n := v.Int
	if z.Times != 0 {
		n *= z.Times
	}
	if z.Over != 0 {
		n /= z.Over
	}
	bits := width(z.Type)
	if z.Type >= zcl.Int8 && z.Type < zcl.Int8+8 {
		return zcl.Signed(z.Type, clamp(n, -1<<(bits-1), 1<<(bits-1)-1))
	}
	if bits >= 63 {
		return zcl.Unsigned(z.Type, uint64(max(n, 0)))
	}
	return zcl.Unsigned(z.Type, uint64(clamp(n, 0, 1<<bits-1)))
}

// width of a number in bits.
func width(t zcl.DataType) int {
	switch {
	case t >= zcl.Uint8 && t < zcl.Int8+8, t >= zcl.Map8 && t < zcl.Map8+8:
		return 8 * (int(t&7) + 1)
	case t == zcl.Enum16:
		return 16
	default:
		return 8
	}
}

// Objects makes the COSEM objects of points: one for each class and logical name, in
// the order in which they are first named. who finds the device of a call; read are
// the rights to read, and write those to read and write what can be set.
func Objects[D any](points []Point[D], who func(*server.Call) D, read, write server.Rights) []server.Object {
	type key struct {
		class cosem.ClassID
		name  cosem.OBIS
	}
	at := map[key]int{}
	var list []server.Object
	for i := range points {
		p := &points[i]
		if p.COSEM.Class == 0 {
			continue
		}
		k := key{p.COSEM.Class, p.COSEM.Name}
		n, ok := at[k]
		if !ok {
			n = len(list)
			at[k] = n
			list = append(list, server.Object{Class: k.class, Instance: k.name})
			if p.COSEM.Unit != nil {
				list[n].Methods = []server.Method{{ID: 1}}
			}
		}
		list[n].Attrs = append(list[n].Attrs, p.attr(who, read, write))
		if u := p.COSEM.Unit; u != nil {
			list[n].Attrs = append(list[n].Attrs, server.Attr{
				ID: 3, Access: read, Get: server.Fixed(axdr.Structure(axdr.Int8(u.Scaler), axdr.Enum(uint8(u.Unit)))),
			})
		}
	}
	return list
}

func (p *Point[D]) attr(who func(*server.Call) D, read, write server.Rights) server.Attr {
	c, get, set := p.COSEM, p.Get, p.Set
	a := server.Attr{ID: c.ID, Access: read, Get: func(call *server.Call, dst []byte) ([]byte, error) {
		return c.Append(dst, get(who(call), call.Now))
	}}
	if set == nil {
		return a
	}
	a.Access = write
	if c.Tag != axdr.TagDateTime {
		a.Type = c.Tag
	}
	a.Set = func(call *server.Call, raw []byte) error {
		v, err := c.Parse(raw)
		if err != nil {
			return cosem.TypeUnmatched
		}
		return set(who(call), call.Now, v)
	}
	return a
}

// Attributes makes the ZigBee attributes of points in a cluster, by identifier. who
// finds the device of a call.
func Attributes[D any](points []Point[D], cluster se.Cluster, who func(*node.Call) D) []node.Attribute {
	var list []node.Attribute
	for i := range points {
		get := points[i].Get
		for _, z := range points[i].ZigBee {
			if z.Cluster != cluster {
				continue
			}
			list = append(list, node.Attribute{ID: z.ID, Type: z.Type, Get: func(c *node.Call) zcl.Value {
				return z.Encode(get(who(c), c.Now))
			}})
		}
	}
	slices.SortFunc(list, func(a, b node.Attribute) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// Clusters are those in which points have attributes.
func Clusters[D any](points []Point[D]) (list []se.Cluster) {
	for i := range points {
		for _, z := range points[i].ZigBee {
			if !slices.Contains(list, z.Cluster) {
				list = append(list, z.Cluster)
			}
		}
	}
	slices.Sort(list)
	return list
}

// Extend are points of an embedding device from those of an embedded one.
func Extend[D, E any](points []Point[E], part func(D) E) []Point[D] {
	list := make([]Point[D], len(points))
	for i := range points {
		p := points[i]
		list[i] = Point[D]{Name: p.Name, COSEM: p.COSEM, ZigBee: p.ZigBee, Get: func(d D, now time.Time) Value { return p.Get(part(d), now) }}
		if p.Set != nil {
			list[i].Set = func(d D, now time.Time, v Value) error { return p.Set(part(d), now, v) }
		}
	}
	return list
}
