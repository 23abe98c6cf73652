package zcl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/internal/le"
)

// DataType is a ZCL data type (ZCL, table 2-10; published).
type DataType uint8

// The data types.
const (
	NoData      DataType = 0x00
	Data8       DataType = 0x08 // to Data64 0x0F: general data of 1 to 8 octets
	Data16      DataType = 0x09
	Data24      DataType = 0x0A
	Data32      DataType = 0x0B
	Data40      DataType = 0x0C
	Data48      DataType = 0x0D
	Data56      DataType = 0x0E
	Data64      DataType = 0x0F
	Boolean     DataType = 0x10
	Map8        DataType = 0x18 // bitmaps
	Map16       DataType = 0x19
	Map24       DataType = 0x1A
	Map32       DataType = 0x1B
	Map40       DataType = 0x1C
	Map48       DataType = 0x1D
	Map56       DataType = 0x1E
	Map64       DataType = 0x1F
	Uint8       DataType = 0x20
	Uint16      DataType = 0x21
	Uint24      DataType = 0x22
	Uint32      DataType = 0x23
	Uint40      DataType = 0x24
	Uint48      DataType = 0x25
	Uint56      DataType = 0x26
	Uint64      DataType = 0x27
	Int8        DataType = 0x28
	Int16       DataType = 0x29
	Int24       DataType = 0x2A
	Int32       DataType = 0x2B
	Int40       DataType = 0x2C
	Int48       DataType = 0x2D
	Int56       DataType = 0x2E
	Int64       DataType = 0x2F
	Enum8       DataType = 0x30
	Enum16      DataType = 0x31
	Float16     DataType = 0x38
	Float32     DataType = 0x39
	Float64     DataType = 0x3A
	OctetString DataType = 0x41
	CharString  DataType = 0x42
	LongOctets  DataType = 0x43
	LongChars   DataType = 0x44
	Array       DataType = 0x48
	Structure   DataType = 0x4C
	Set         DataType = 0x50
	Bag         DataType = 0x51
	TimeOfDay   DataType = 0xE0
	Date        DataType = 0xE1
	UTCTime     DataType = 0xE2
	ClusterID   DataType = 0xE8
	AttributeID DataType = 0xE9
	BACnetOID   DataType = 0xEA
	IEEEAddress DataType = 0xF0
	SecurityKey DataType = 0xF1
	UnknownType DataType = 0xFF
	keyOctets            = 16
	maxNesting           = 8
)

var typeNames = map[DataType]string{
	NoData: "nodata", Boolean: "bool", Enum8: "enum8", Enum16: "enum16", Float16: "semi", Float32: "single", Float64: "double",
	OctetString: "octstr", CharString: "string", LongOctets: "octstr16", LongChars: "string16", Array: "array", Structure: "struct",
	Set: "set", Bag: "bag", TimeOfDay: "ToD", Date: "date", UTCTime: "UTC", ClusterID: "clusterId", AttributeID: "attribId",
	BACnetOID: "bacOID", IEEEAddress: "EUI64", SecurityKey: "key128", UnknownType: "unk",
}

// String is the type's short name of the ZCL: uint48, map8, octstr, UTC …
func (t DataType) String() string {
	if n, ok := typeNames[t]; ok {
		return n
	}
	bits := 8 * (int(t&7) + 1)
	switch t &^ 7 {
	case Data8:
		return fmt.Sprintf("data%d", bits)
	case Map8:
		return fmt.Sprintf("map%d", bits)
	case Uint8:
		return fmt.Sprintf("uint%d", bits)
	case Int8:
		return fmt.Sprintf("int%d", bits)
	}
	return fmt.Sprintf("type%02X", uint8(t))
}

// ParseDataType reads a short name.
func ParseDataType(s string) (DataType, error) {
	for t := range 256 {
		if d := DataType(t); d.known() && d.String() == s {
			return d, nil
		}
	}
	return 0, fmt.Errorf("zcl: %q is no data type: %w", s, ErrDataType)
}

func (t DataType) known() bool {
	if _, ok := typeNames[t]; ok {
		return true
	}
	g := t &^ 7
	return g == Data8 || g == Map8 || g == Uint8 || g == Int8
}

// size is the length of a type that is a number; ok is false for the others.
func (t DataType) size() (n int, ok bool) {
	switch t &^ 7 {
	case Data8, Map8, Uint8, Int8:
		return int(t&7) + 1, true
	}
	switch t {
	case NoData, UnknownType:
		return 0, true
	case Boolean, Enum8:
		return 1, true
	case Enum16, Float16, ClusterID, AttributeID:
		return 2, true
	case Float32, TimeOfDay, Date, UTCTime, BACnetOID:
		return 4, true
	case Float64, IEEEAddress:
		return 8, true
	}
	return 0, false
}

// Analogue tells whether changes of the type have a size: reporting configurations of such types carry a reportable change.
func (t DataType) Analogue() bool {
	g := t &^ 7
	return g == Uint8 || g == Int8 || t >= Float16 && t <= Float64 || t >= TimeOfDay && t <= UTCTime
}

// signed tells whether Num is to be extended.
func (t DataType) signed() bool { return t&^7 == Int8 }

// ErrDataType: a data type that does not exist, or a value that does not fit its type.
var ErrDataType = errors.New("wrong data type")

// Value is a value of a data type. The zero Value is NoData.
type Value struct {
	Type DataType
	// Num holds numbers of up to eight octets: integers (signed ones extended to 64 bits), bitmaps, enumerations, booleans,
	// floating-point bits, times and EUI-64s (first octet highest).
	Num uint64
	// Octets holds strings and security keys. A parsed one aliases the input. nil is the string without a value.
	Octets []byte
	// Element is the type of the members of an array, set or bag; Items are the members.
	Element DataType
	Items   []Value
}

// Unsigned makes a number of any type that is one.
func Unsigned(t DataType, n uint64) Value { return Value{Type: t, Num: n} }

// Signed makes a signed integer.
func Signed(t DataType, n int64) Value { return Value{Type: t, Num: uint64(n)} }

// Bool makes a boolean.
func Bool(b bool) Value {
	v := Value{Type: Boolean}
	if b {
		v.Num = 1
	}
	return v
}

// Octets makes an octet string.
func Octets(b []byte) Value { return Value{Type: OctetString, Octets: b} }

// String makes a character string.
func String(s string) Value { return Value{Type: CharString, Octets: []byte(s)} }

// EUI makes an EUI-64.
func EUI(e wire.EUI64) Value {
	return Value{Type: IEEEAddress, Num: binary.BigEndian.Uint64(e[:])}
}

// Single makes a floating-point number of 32 bits.
func Single(f float32) Value { return Value{Type: Float32, Num: uint64(math.Float32bits(f))} }

// epoch is where UTCTime starts, 2000-01-01 UTC.
const epoch = 946684800

// InvalidTime is the UTCTime without a value.
const InvalidTime uint32 = 0xFFFFFFFF

// UTC makes a UTCTime. Times before 2000 and after 2136 become InvalidTime.
func UTC(t time.Time) Value { return Value{Type: UTCTime, Num: uint64(ToUTC(t))} }

// ToUTC gives the seconds since 2000, the way times travel in the ZCL.
func ToUTC(t time.Time) uint32 {
	s := t.Unix() - epoch
	if s < 0 || s >= int64(InvalidTime) {
		return InvalidTime
	}
	return uint32(s)
}

// FromUTC is the time meant by seconds since 2000. InvalidTime gives the zero Time.
func FromUTC(s uint32) time.Time {
	if s == InvalidTime {
		return time.Time{}
	}
	return time.Unix(int64(s)+epoch, 0).UTC()
}

// Int is the number with its sign.
func (v *Value) Int() int64 { return int64(v.Num) }

// EUI64 is the value of an IEEEAddress.
func (v *Value) EUI64() (e wire.EUI64) {
	binary.BigEndian.PutUint64(e[:], v.Num)
	return e
}

// Time is the value of a UTCTime; the zero Time if it has none.
func (v *Value) Time() time.Time { return FromUTC(uint32(v.Num)) }

// Valid tells whether the value is one: each type has a number that says there is none (ZCL, table 2-10; published).
func (v *Value) Valid() bool {
	switch v.Type {
	case OctetString, CharString, LongOctets, LongChars:
		return v.Octets != nil
	case Float32:
		return !math.IsNaN(float64(math.Float32frombits(uint32(v.Num))))
	case Float64:
		return !math.IsNaN(math.Float64frombits(v.Num))
	case NoData, UnknownType:
		return false
	case SecurityKey, Array, Structure, Set, Bag:
		return true
	}
	n, _ := v.Type.size()
	ones := uint64(math.MaxUint64) >> (64 - 8*n)
	switch v.Type &^ 7 {
	case Data8, Map8:
		return true
	case Int8:
		return v.Num&ones != 1<<(8*n-1)
	}
	return v.Num != ones
}

// Differs tells whether the value differs from another by at least a change, which has the type of both; for types without
// a size, whether it differs at all. This is when an attribute is reported before its longest interval (ZCL, clause
// 2.5.7.1.7; published).
func (v *Value) Differs(from, change *Value) bool {
	switch {
	case v.Type != from.Type || len(v.Items) != len(from.Items) || string(v.Octets) != string(from.Octets):
		return true
	case v.Num == from.Num:
		for i := range v.Items {
			if v.Items[i].Differs(&from.Items[i], &Value{}) {
				return true
			}
		}
		return false
	case !v.Type.Analogue():
		return true
	}
	switch v.Type {
	case Float16:
		return !(math.Abs(half(v.Num)-half(from.Num)) < half(change.Num))
	case Float32:
		f := func(v *Value) float64 { return float64(math.Float32frombits(uint32(v.Num))) }
		return !(math.Abs(f(v)-f(from)) < f(change)) // a number that is none differs
	case Float64:
		return !(math.Abs(math.Float64frombits(v.Num)-math.Float64frombits(from.Num)) < math.Float64frombits(change.Num))
	}
	if v.Type.signed() {
		return distance(v.Int(), from.Int()) >= uint64(max(change.Int(), 0))
	}
	return max(v.Num, from.Num)-min(v.Num, from.Num) >= change.Num
}

// half is the number that the bits of half precision mean.
func half(n uint64) float64 {
	f, e := float64(n&0x3FF), int(n>>10&0x1F)
	switch e {
	case 0:
		f = math.Ldexp(f, -24)
	case 0x1F:
		if f != 0 {
			return math.NaN()
		}
		f = math.Inf(1)
	default:
		f = math.Ldexp(f+1024, e-25)
	}
	if n&0x8000 != 0 {
		return -f
	}
	return f
}

func distance(a, b int64) uint64 { return uint64(max(a, b)) - uint64(min(a, b)) }

// Append appends the value without its type.
func (v *Value) Append(b []byte) ([]byte, error) {
	if n, ok := v.Type.size(); ok {
		x := v.Num
		switch {
		case v.Type.signed():
			if s := int64(x); n < 8 && (s >= 1<<(8*n-1) || s < -1<<(8*n-1)) {
				return b, fmt.Errorf("zcl: %d does not fit %s: %w", s, v.Type, ErrDataType)
			}
		case n < 8 && x>>(8*n) != 0:
			return b, fmt.Errorf("zcl: %d does not fit %s: %w", x, v.Type, ErrDataType)
		}
		return le.AppendUint(b, x, n), nil
	}
	switch v.Type {
	case OctetString, CharString:
		if v.Octets == nil {
			return append(b, 0xFF), nil
		}
		if len(v.Octets) > 254 {
			return b, fmt.Errorf("zcl: string of %d octets, %s has at most 254: %w", len(v.Octets), v.Type, ErrDataType)
		}
		return append(append(b, byte(len(v.Octets))), v.Octets...), nil
	case LongOctets, LongChars:
		if v.Octets == nil {
			return append(b, 0xFF, 0xFF), nil
		}
		if len(v.Octets) > 0xFFFE {
			return b, fmt.Errorf("zcl: string of %d octets, %s has at most 65534: %w", len(v.Octets), v.Type, ErrDataType)
		}
		return append(binary.LittleEndian.AppendUint16(b, uint16(len(v.Octets))), v.Octets...), nil
	case SecurityKey:
		if len(v.Octets) != keyOctets {
			return b, fmt.Errorf("zcl: key of %d octets, want 16: %w", len(v.Octets), ErrDataType)
		}
		return append(b, v.Octets...), nil
	case Array, Set, Bag, Structure:
		return v.appendItems(b)
	default:
		return b, fmt.Errorf("zcl: type %02X: %w", uint8(v.Type), ErrDataType)
	}
}

func (v *Value) appendItems(b []byte) ([]byte, error) {
	if len(v.Items) > 0xFFFE {
		return b, fmt.Errorf("zcl: %d members, %s has at most 65534: %w", len(v.Items), v.Type, ErrDataType)
	}
	if v.Type != Structure {
		b = append(b, byte(v.Element))
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(v.Items)))
	for i := range v.Items {
		it := &v.Items[i]
		if v.Type == Structure {
			b = append(b, byte(it.Type))
		} else if it.Type != v.Element {
			return b, fmt.Errorf("zcl: member of type %s in an %s of %s: %w", it.Type, v.Type, v.Element, ErrDataType)
		}
		var err error
		if b, err = it.Append(b); err != nil {
			return b, err
		}
	}
	return b, nil
}

// AppendTyped appends type and value.
func (v *Value) AppendTyped(b []byte) ([]byte, error) { return v.Append(append(b, byte(v.Type))) }

// ParseValue reads a value of type t. Numbers and strings allocate nothing.
func ParseValue(t DataType, b []byte) (v Value, n int, err error) {
	r := wire.NewReader(b)
	v.read(&r, t, maxNesting)
	return v, r.Offset(), r.Err()
}

// ParseTyped reads a type and a value of it.
func ParseTyped(b []byte) (v Value, n int, err error) {
	r := wire.NewReader(b)
	v.readTyped(&r)
	return v, r.Offset(), r.Err()
}

func (v *Value) readTyped(r *wire.Reader) { v.read(r, DataType(r.U8()), maxNesting) }

func (v *Value) read(r *wire.Reader, t DataType, depth int) {
	v.Type = t
	if n, ok := t.size(); ok {
		v.Num = le.Uint(r, n)
		if t.signed() && n < 8 {
			shift := 64 - 8*n
			v.Num = uint64(int64(v.Num<<shift) >> shift)
		}
		return
	}
	switch t {
	case OctetString, CharString:
		if n := r.U8(); n != 0xFF {
			v.Octets = r.Bytes(int(n))
		}
	case LongOctets, LongChars:
		if n := r.LE16(); n != 0xFFFF {
			v.Octets = r.Bytes(int(n))
		}
	case SecurityKey:
		v.Octets = r.Bytes(keyOctets)
	case Array, Set, Bag, Structure:
		v.readItems(r, depth)
	default:
		r.Fail(fmt.Errorf("zcl: type %02X: %w", uint8(t), ErrDataType))
	}
}

func (v *Value) readItems(r *wire.Reader, depth int) {
	if depth == 0 {
		r.Fail(fmt.Errorf("zcl: values nested more than %d deep: %w", maxNesting, ErrDataType))
		return
	}
	if v.Type != Structure {
		v.Element = DataType(r.U8())
		if n, ok := v.Element.size(); ok && n == 0 {
			r.Fail(fmt.Errorf("zcl: %s of nothing: %w", v.Type, ErrDataType))
			return
		}
	}
	n := int(r.LE16())
	if n == 0xFFFF {
		n = 0 // the collection without a value
	}
	if n > r.Len() {
		r.Bytes(n) // fails: a member has at least one octet
		return
	}
	for range n {
		t := v.Element
		if v.Type == Structure {
			t = DataType(r.U8())
		}
		var it Value
		it.read(r, t, depth-1)
		if r.Err() != nil {
			return
		}
		v.Items = append(v.Items, it)
	}
}
