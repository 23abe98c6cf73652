package spinel

import (
	"errors"
	"fmt"

	"smets1/internal/wire"
)

// ErrFormat: octets that are no frame or no value of Spinel.
var ErrFormat = errors.New("not Spinel")

const maxPacked = 1<<21 - 1

// AppendPacked appends a number as a packed integer of one to three octets; v is below 2^21.
func AppendPacked(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func readPacked(r *wire.Reader) (v uint32) {
	for shift := 0; ; shift += 7 {
		x := r.U8()
		v |= uint32(x&0x7F) << shift
		switch {
		case r.Err() != nil:
			return 0
		case x&0x80 == 0:
			if shift > 0 && x == 0 {
				r.Fail(fmt.Errorf("spinel: packed integer longer than needed: %w", ErrFormat))
			}
			return v
		case shift == 14:
			r.Fail(fmt.Errorf("spinel: packed integer above %d: %w", maxPacked, ErrFormat))
			return 0
		}
	}
}

// ParsePacked reads a packed integer.
func ParsePacked(b []byte) (v uint32, n int, err error) {
	r := wire.NewReader(b)
	v = readPacked(&r)
	return v, r.Offset(), r.Err()
}

// AppendData appends a data field with its length in two octets.
func AppendData(b, data []byte) ([]byte, error) {
	if len(data) > 0xFFFF {
		return b, fmt.Errorf("spinel: data of %d octets, two octets count 65535: %w", len(data), ErrFormat)
	}
	return append(append(b, byte(len(data)), byte(len(data)>>8)), data...), nil
}

func readData(r *wire.Reader) []byte { return r.Bytes(int(r.LE16())) }

// AppendText appends a text with the zero that ends it.
func AppendText(b []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if s[i] == 0 {
			return b, fmt.Errorf("spinel: a text cannot hold a zero: %w", ErrFormat)
		}
	}
	return append(append(b, s...), 0), nil
}

// ParseText reads a text.
func ParseText(b []byte) (s string, n int, err error) {
	for i, x := range b {
		if x == 0 {
			return string(b[:i]), i + 1, nil
		}
	}
	return "", 0, fmt.Errorf("spinel: text without end: %w", wire.ErrTruncated)
}

// AppendEUI64 appends an EUI-64, which travels in its written order here.
func AppendEUI64(b []byte, e wire.EUI64) []byte { return append(b, e[:]...) }

// ParseEUI64 reads an EUI-64.
func ParseEUI64(b []byte) (e wire.EUI64, n int, err error) {
	r := wire.NewReader(b)
	copy(e[:], r.Bytes(8))
	return e, r.Offset(), r.Err()
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// ParseBool reads a boolean, which is 0 or 1.
func ParseBool(b []byte) (v bool, n int, err error) {
	r := wire.NewReader(b)
	v = readBool(&r)
	return v, r.Offset(), r.Err()
}

func readBool(r *wire.Reader) bool {
	x := r.U8()
	if x > 1 {
		r.Fail(fmt.Errorf("spinel: boolean %02X: %w", x, ErrFormat))
	}
	return x == 1
}
