package axdr

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Value is one Data of any type. Which fields count depends on Tag:
//
//	Num    integers (signed ones sign-extended to 64 bits), boolean (0 or 1), enum,
//	       bcd, the IEEE bits of floats, and for a bit-string its number of bits
//	Bytes  strings, the bytes of a bit-string, the raw bytes of date-time, date
//	       and time; for a compact-array the encoded type description
//	Items  elements of array, structure and compact-array
//
// The zero Value is null-data. Values from Parse alias its input; Clone cuts them loose.
type Value struct {
	Tag   Tag
	Num   uint64
	Bytes []byte
	Items []Value
}

// Null is null-data.
func Null() Value { return Value{} }

// DontCare is don't-care.
func DontCare() Value { return Value{Tag: TagDontCare} }

// Bool is a boolean.
func Bool(v bool) Value {
	if v {
		return Value{Tag: TagBool, Num: 1}
	}
	return Value{Tag: TagBool}
}

// Int8 is an integer.
func Int8(v int8) Value { return Value{Tag: TagInt8, Num: uint64(v)} }

// Int16 is a long.
func Int16(v int16) Value { return Value{Tag: TagInt16, Num: uint64(v)} }

// Int32 is a double-long.
func Int32(v int32) Value { return Value{Tag: TagInt32, Num: uint64(v)} }

// Int64 is a long64.
func Int64(v int64) Value { return Value{Tag: TagInt64, Num: uint64(v)} }

// Uint8 is an unsigned.
func Uint8(v uint8) Value { return Value{Tag: TagUint8, Num: uint64(v)} }

// Uint16 is a long-unsigned.
func Uint16(v uint16) Value { return Value{Tag: TagUint16, Num: uint64(v)} }

// Uint32 is a double-long-unsigned.
func Uint32(v uint32) Value { return Value{Tag: TagUint32, Num: uint64(v)} }

// Uint64 is a long64-unsigned.
func Uint64(v uint64) Value { return Value{Tag: TagUint64, Num: v} }

// Enum is an enum.
func Enum(v uint8) Value { return Value{Tag: TagEnum, Num: uint64(v)} }

// BCD is a bcd byte.
func BCD(v uint8) Value { return Value{Tag: TagBCD, Num: uint64(v)} }

// Float32 is a float32.
func Float32(v float32) Value { return Value{Tag: TagFloat32, Num: uint64(math.Float32bits(v))} }

// Float64 is a float64.
func Float64(v float64) Value { return Value{Tag: TagFloat64, Num: math.Float64bits(v)} }

// Octets is an octet-string.
func Octets(v []byte) Value { return Value{Tag: TagOctetString, Bytes: v} }

// Visible is a visible-string.
func Visible(v string) Value { return Value{Tag: TagVisibleString, Bytes: []byte(v)} }

// UTF8 is a utf8-string.
func UTF8(v string) Value { return Value{Tag: TagUTF8, Bytes: []byte(v)} }

// Bits is a bit-string of the first n bits of bits, most significant first.
func Bits(bits []byte, n int) Value {
	return Value{Tag: TagBitString, Num: uint64(n), Bytes: appendBits(nil, bits, n)}
}

// Array is an array.
func Array(items ...Value) Value { return Value{Tag: TagArray, Items: items} }

// Structure is a structure.
func Structure(items ...Value) Value { return Value{Tag: TagStructure, Items: items} }

// DateTimeOctets is the date-time as octet-string[12], as attributes carry it.
func DateTimeOctets(v DateTime) Value { return Octets(v.appendTo(nil)) }

// DateOctets is the date as octet-string[5].
func DateOctets(v Date) Value { return Octets(v.appendTo(nil)) }

// TimeOctets is the time as octet-string[4].
func TimeOctets(v Time) Value { return Octets(v.appendTo(nil)) }

// DateTimeTagged is a date-time under its own tag 25.
func DateTimeTagged(v DateTime) Value { return Value{Tag: TagDateTime, Bytes: v.appendTo(nil)} }

// DateTagged is a date under its own tag 26.
func DateTagged(v Date) Value { return Value{Tag: TagDate, Bytes: v.appendTo(nil)} }

// TimeTagged is a time under its own tag 27.
func TimeTagged(v Time) Value { return Value{Tag: TagTime, Bytes: v.appendTo(nil)} }

// DeltaInt8 is a delta-integer.
func DeltaInt8(v int8) Value { return Value{Tag: TagDeltaInt8, Num: uint64(v)} }

// DeltaInt16 is a delta-long.
func DeltaInt16(v int16) Value { return Value{Tag: TagDeltaInt16, Num: uint64(v)} }

// DeltaInt32 is a delta-double-long.
func DeltaInt32(v int32) Value { return Value{Tag: TagDeltaInt32, Num: uint64(v)} }

// DeltaUint8 is a delta-unsigned.
func DeltaUint8(v uint8) Value { return Value{Tag: TagDeltaUint8, Num: uint64(v)} }

// DeltaUint16 is a delta-long-unsigned.
func DeltaUint16(v uint16) Value { return Value{Tag: TagDeltaUint16, Num: uint64(v)} }

// DeltaUint32 is a delta-double-long-unsigned.
func DeltaUint32(v uint32) Value { return Value{Tag: TagDeltaUint32, Num: uint64(v)} }

// IsNull reports whether v is null-data.
func (v Value) IsNull() bool { return v.Tag == TagNull }

// IsInteger reports whether v is a number of any integer type, enum and bcd included.
func (v Value) IsInteger() bool { return v.Tag.signed() || v.Tag.unsigned() }

// AsUint gives a number that is not negative, of any integer type.
func (v Value) AsUint() (uint64, error) {
	if v.Tag.unsigned() || v.Tag.signed() && int64(v.Num) >= 0 {
		return v.Num, nil
	}
	if v.Tag.signed() {
		return 0, fmt.Errorf("axdr: %s %d where a number from 0 is wanted: %w", v.Tag, int64(v.Num), ErrValue)
	}
	return 0, &TypeError{Got: v.Tag, Want: "an unsigned number"}
}

// AsInt gives a number of any integer type.
func (v Value) AsInt() (int64, error) {
	if v.Tag.signed() || v.Tag.unsigned() && v.Num <= math.MaxInt64 {
		return int64(v.Num), nil
	}
	if v.Tag.unsigned() {
		return 0, fmt.Errorf("axdr: %s %d does not fit 63 bits: %w", v.Tag, v.Num, ErrValue)
	}
	return 0, &TypeError{Got: v.Tag, Want: "a number"}
}

// AsFloat gives any number, integer or not.
func (v Value) AsFloat() (float64, error) {
	switch {
	case v.Tag == TagFloat32:
		return float64(math.Float32frombits(uint32(v.Num))), nil
	case v.Tag == TagFloat64:
		return math.Float64frombits(v.Num), nil
	case v.Tag.signed():
		return float64(int64(v.Num)), nil
	case v.Tag.unsigned():
		return float64(v.Num), nil
	}
	return 0, &TypeError{Got: v.Tag, Want: "a number"}
}

// AsBool gives a boolean.
func (v Value) AsBool() (bool, error) {
	if v.Tag != TagBool {
		return false, &TypeError{Got: v.Tag, Want: "a boolean"}
	}
	return v.Num != 0, nil
}

// AsEnum gives an enum.
func (v Value) AsEnum() (uint8, error) {
	if v.Tag != TagEnum {
		return 0, &TypeError{Got: v.Tag, Want: "an enum"}
	}
	return uint8(v.Num), nil
}

// AsBytes gives the bytes of an octet-string.
func (v Value) AsBytes() ([]byte, error) {
	if v.Tag != TagOctetString {
		return nil, &TypeError{Got: v.Tag, Want: "an octet-string"}
	}
	return v.Bytes, nil
}

// AsString gives the text of a visible-string, utf8-string or octet-string:
// meters use all three for names.
func (v Value) AsString() (string, error) {
	switch v.Tag {
	case TagVisibleString, TagUTF8, TagOctetString:
		return string(v.Bytes), nil
	default:
	}
	return "", &TypeError{Got: v.Tag, Want: "a string"}
}

// AsBits gives the bytes and the number of bits of a bit-string.
func (v Value) AsBits() (bits []byte, n int, err error) {
	if v.Tag != TagBitString {
		return nil, 0, &TypeError{Got: v.Tag, Want: "a bit-string"}
	}
	return v.Bytes, int(v.Num), nil
}

// Bit reports bit i of a bit-string, bit 0 being the first sent. A bit it does not have is false.
func (v Value) Bit(i int) bool {
	return v.Tag == TagBitString && i >= 0 && uint64(i) < v.Num && i/8 < len(v.Bytes) &&
		v.Bytes[i/8]&(0x80>>(i%8)) != 0
}

// AsArray gives the elements of an array or compact-array.
func (v Value) AsArray() ([]Value, error) {
	if v.Tag != TagArray && v.Tag != TagCompactArray {
		return nil, &TypeError{Got: v.Tag, Want: "an array"}
	}
	return v.Items, nil
}

// AsStructure gives the elements of a structure that must have n of them.
// n < 0 allows any number.
func (v Value) AsStructure(n int) ([]Value, error) {
	if v.Tag != TagStructure {
		return nil, &TypeError{Got: v.Tag, Want: "a structure"}
	}
	if n >= 0 && len(v.Items) != n {
		return nil, fmt.Errorf("axdr: structure of %d elements where %d are wanted: %w", len(v.Items), n, ErrLength)
	}
	return v.Items, nil
}

// AsDateTime gives a date-time in either form: octet-string[12] or tag 25.
func (v Value) AsDateTime() (DateTime, error) {
	if v.Tag != TagDateTime && v.Tag != TagOctetString || len(v.Bytes) != dateTimeSize {
		return DateTime{}, &TypeError{Got: v.Tag, Want: "a date-time (12 bytes)"}
	}
	return dateTimeOf(v.Bytes), nil
}

// AsDate gives a date in either form: octet-string[5] or tag 26.
func (v Value) AsDate() (Date, error) {
	if v.Tag != TagDate && v.Tag != TagOctetString || len(v.Bytes) != dateSize {
		return Date{}, &TypeError{Got: v.Tag, Want: "a date (5 bytes)"}
	}
	return dateOf(v.Bytes), nil
}

// AsTime gives a time of day in either form: octet-string[4] or tag 27.
func (v Value) AsTime() (Time, error) {
	if v.Tag != TagTime && v.Tag != TagOctetString || len(v.Bytes) != timeSize {
		return Time{}, &TypeError{Got: v.Tag, Want: "a time (4 bytes)"}
	}
	return timeOf(v.Bytes), nil
}

// At follows element indices from 0 into arrays and structures. Where there is
// no such element it gives don't-care, which every As method refuses.
func (v Value) At(path ...int) Value {
	for _, i := range path {
		if i < 0 || i >= len(v.Items) {
			return DontCare()
		}
		v = v.Items[i]
	}
	return v
}

// Clone copies v so that it shares no memory with the input it was parsed from.
func (v Value) Clone() Value {
	v.Bytes = bytes.Clone(v.Bytes)
	v.Items = slices.Clone(v.Items)
	for i := range v.Items {
		v.Items[i] = v.Items[i].Clone()
	}
	return v
}

// Equal reports whether v and w encode to the same bytes.
func (v Value) Equal(w Value) bool {
	return v.Tag == w.Tag && v.Num == w.Num && bytes.Equal(v.Bytes, w.Bytes) &&
		slices.EqualFunc(v.Items, w.Items, Value.Equal)
}

// AppendBinary appends the encoding of v. It fails on a Value no decoder could
// have given: an unknown tag, a number too large for its type, a date of the
// wrong length, a compact-array whose elements do not fit its description.
func (v Value) AppendBinary(b []byte) ([]byte, error) {
	return v.append(b, 0)
}

func (v Value) append(b []byte, depth int) ([]byte, error) {
	if depth > defaultDepth {
		return b, fmt.Errorf("axdr: data nested more than %d deep: %w", defaultDepth, ErrLimit)
	}
	if !v.Tag.Valid() {
		return b, fmt.Errorf("axdr: %s: %w", v.Tag, ErrTag)
	}
	start := len(b)
	b = append(b, byte(v.Tag))
	var err error
	switch v.Tag {
	case TagArray, TagStructure:
		b = AppendLength(b, len(v.Items))
		for _, item := range v.Items {
			if b, err = item.append(b, depth+1); err != nil {
				return b[:start], err
			}
		}
		return b, nil
	case TagCompactArray:
		if b, err = v.appendCompact(b); err != nil {
			return b[:start], err
		}
		return b, nil
	default:
	}
	if b, err = v.appendContent(b); err != nil {
		return b[:start], err
	}
	return b, nil
}

// appendContent appends what follows the tag of a simple type. Packed elements
// of compact arrays have the same content, without the tag.
func (v Value) appendContent(b []byte) ([]byte, error) {
	switch v.Tag {
	case TagBitString:
		if v.Num > math.MaxInt32 || uint64(len(v.Bytes)) != (v.Num+7)/8 {
			return b, fmt.Errorf("axdr: bit-string of %d bits with %d bytes: %w", v.Num, len(v.Bytes), ErrLength)
		}
		return append(AppendLength(b, int(v.Num)), v.Bytes...), nil
	case TagOctetString, TagVisibleString, TagUTF8:
		return append(AppendLength(b, len(v.Bytes)), v.Bytes...), nil
	case TagDateTime, TagDate, TagTime:
		if len(v.Bytes) != v.Tag.fixedSize() {
			return b, fmt.Errorf("axdr: %s of %d bytes: %w", v.Tag, len(v.Bytes), ErrLength)
		}
		return append(b, v.Bytes...), nil
	default:
	}
	size := v.Tag.fixedSize()
	if !v.fits(size) {
		return b, fmt.Errorf("axdr: number %d does not fit %s: %w", int64(v.Num), v.Tag, ErrValue)
	}
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], v.Num)
	return append(b, n[8-size:]...), nil
}

// fits reports whether Num can be sent in size bytes.
func (v Value) fits(size int) bool {
	switch {
	case size == 8:
		return true
	case v.Tag == TagBool:
		return v.Num <= 1
	case v.Tag.signed():
		shift := 64 - 8*size
		return int64(v.Num)<<shift>>shift == int64(v.Num)
	}
	return v.Num>>(8*size) == 0
}
