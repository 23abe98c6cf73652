package axdr

import (
	"encoding/binary"
	"math"
)

// AppendLength appends an A-XDR length: one byte below 80 (hex), otherwise a
// byte that says how many follow. n must not be negative.
func AppendLength(b []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(b, byte(n))
	case n <= 0xFF:
		return append(b, 0x81, byte(n))
	case n <= 0xFFFF:
		return append(b, 0x82, byte(n>>8), byte(n))
	case n <= 0xFFFFFF:
		return append(b, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// LengthSize is the number of bytes AppendLength writes for n.
func LengthSize(n int) int {
	switch {
	case n < 0x80:
		return 1
	case n <= 0xFF:
		return 2
	case n <= 0xFFFF:
		return 3
	case n <= 0xFFFFFF:
		return 4
	}
	return 5
}

// AppendNull appends null-data.
func AppendNull(b []byte) []byte { return append(b, byte(TagNull)) }

// AppendDontCare appends don't-care.
func AppendDontCare(b []byte) []byte { return append(b, byte(TagDontCare)) }

// AppendBool appends a boolean; true is sent as 01.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, byte(TagBool), 1)
	}
	return append(b, byte(TagBool), 0)
}

// AppendInt8 appends an integer.
func AppendInt8(b []byte, v int8) []byte { return append(b, byte(TagInt8), byte(v)) }

// AppendInt16 appends a long.
func AppendInt16(b []byte, v int16) []byte {
	return append(b, byte(TagInt16), byte(uint16(v)>>8), byte(v))
}

// AppendInt32 appends a double-long.
func AppendInt32(b []byte, v int32) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(TagInt32)), uint32(v))
}

// AppendInt64 appends a long64.
func AppendInt64(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, byte(TagInt64)), uint64(v))
}

// AppendUint8 appends an unsigned.
func AppendUint8(b []byte, v uint8) []byte { return append(b, byte(TagUint8), v) }

// AppendUint16 appends a long-unsigned.
func AppendUint16(b []byte, v uint16) []byte {
	return append(b, byte(TagUint16), byte(v>>8), byte(v))
}

// AppendUint32 appends a double-long-unsigned.
func AppendUint32(b []byte, v uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(TagUint32)), v)
}

// AppendUint64 appends a long64-unsigned.
func AppendUint64(b []byte, v uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, byte(TagUint64)), v)
}

// AppendEnum appends an enum.
func AppendEnum(b []byte, v uint8) []byte { return append(b, byte(TagEnum), v) }

// AppendBCD appends a bcd byte.
func AppendBCD(b []byte, v uint8) []byte { return append(b, byte(TagBCD), v) }

// AppendFloat32 appends a float32.
func AppendFloat32(b []byte, v float32) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(TagFloat32)), math.Float32bits(v))
}

// AppendFloat64 appends a float64.
func AppendFloat64(b []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, byte(TagFloat64)), math.Float64bits(v))
}

// AppendOctetString appends an octet-string.
func AppendOctetString(b, v []byte) []byte {
	return append(AppendLength(append(b, byte(TagOctetString)), len(v)), v...)
}

// AppendVisibleString appends a visible-string. It is for the caller to keep v to ASCII.
func AppendVisibleString(b []byte, v string) []byte {
	return append(AppendLength(append(b, byte(TagVisibleString)), len(v)), v...)
}

// AppendUTF8 appends a utf8-string.
func AppendUTF8(b []byte, v string) []byte {
	return append(AppendLength(append(b, byte(TagUTF8)), len(v)), v...)
}

// AppendBitString appends the first n bits of bits, the most significant bit
// of bits[0] first. Bits that bits does not have are sent as zero, and so is
// the padding of the last byte.
func AppendBitString(b, bits []byte, n int) []byte {
	b = AppendLength(append(b, byte(TagBitString)), n)
	return appendBits(b, bits, n)
}

func appendBits(b, bits []byte, n int) []byte {
	size := (n + 7) / 8
	for i := range size {
		var v byte
		if i < len(bits) {
			v = bits[i]
		}
		if rest := n - 8*i; rest < 8 {
			v &= byte(0xFF) << (8 - rest)
		}
		b = append(b, v)
	}
	return b
}

// AppendArrayHeader begins an array of n elements; append the n Data after it.
func AppendArrayHeader(b []byte, n int) []byte {
	return AppendLength(append(b, byte(TagArray)), n)
}

// AppendStructureHeader begins a structure of n elements; append the n Data after it.
func AppendStructureHeader(b []byte, n int) []byte {
	return AppendLength(append(b, byte(TagStructure)), n)
}

// AppendDateTime appends the date-time as octet-string[12], the form it has as
// an attribute value or inside one.
func AppendDateTime(b []byte, v DateTime) []byte {
	return v.appendTo(append(b, byte(TagOctetString), dateTimeSize))
}

// AppendDate appends the date as octet-string[5].
func AppendDate(b []byte, v Date) []byte {
	return v.appendTo(append(b, byte(TagOctetString), dateSize))
}

// AppendTime appends the time as octet-string[4].
func AppendTime(b []byte, v Time) []byte {
	return v.appendTo(append(b, byte(TagOctetString), timeSize))
}

// AppendDateTimeTagged appends the date-time under its own tag 25.
func AppendDateTimeTagged(b []byte, v DateTime) []byte {
	return v.appendTo(append(b, byte(TagDateTime)))
}

// AppendDateTagged appends the date under its own tag 26.
func AppendDateTagged(b []byte, v Date) []byte { return v.appendTo(append(b, byte(TagDate))) }

// AppendTimeTagged appends the time under its own tag 27.
func AppendTimeTagged(b []byte, v Time) []byte { return v.appendTo(append(b, byte(TagTime))) }

// AppendDeltaInt8 appends a delta-integer.
func AppendDeltaInt8(b []byte, v int8) []byte { return append(b, byte(TagDeltaInt8), byte(v)) }

// AppendDeltaInt16 appends a delta-long.
func AppendDeltaInt16(b []byte, v int16) []byte {
	return append(b, byte(TagDeltaInt16), byte(uint16(v)>>8), byte(v))
}

// AppendDeltaInt32 appends a delta-double-long.
func AppendDeltaInt32(b []byte, v int32) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(TagDeltaInt32)), uint32(v))
}

// AppendDeltaUint8 appends a delta-unsigned.
func AppendDeltaUint8(b []byte, v uint8) []byte { return append(b, byte(TagDeltaUint8), v) }

// AppendDeltaUint16 appends a delta-long-unsigned.
func AppendDeltaUint16(b []byte, v uint16) []byte {
	return append(b, byte(TagDeltaUint16), byte(v>>8), byte(v))
}

// AppendDeltaUint32 appends a delta-double-long-unsigned.
func AppendDeltaUint32(b []byte, v uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(TagDeltaUint32)), v)
}
