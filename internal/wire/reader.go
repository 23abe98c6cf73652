// Package wire holds what every codec of this module shares: a byte reader
// whose first error sticks, the two CRC-16s of the metering world, and the
// EUI-64 that names every device.
//
// A parser reads top to bottom through a Reader and asks for the error once,
// at the end:
//
//	r := wire.NewReader(b)
//	f.Class = r.U16()
//	copy(f.Instance[:], r.Bytes(6))
//	f.ID = int8(r.U8())
//	return f, r.Offset(), r.Err()
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrTruncated is what a Reader reports (wrapped with the offset) when the
// input ends before the field does. It satisfies errors.Is(err,
// io.ErrUnexpectedEOF).
var ErrTruncated = fmt.Errorf("input ends inside a field: %w", io.ErrUnexpectedEOF)

// truncated carries the position, so that the failing path of a hot parser
// builds no text until it is wanted.
type truncated struct{ offset, want, have int }

func (e *truncated) Error() string {
	return fmt.Sprintf("at byte %d: want %d more, have %d: %v", e.offset, e.want, e.have, ErrTruncated)
}
func (e *truncated) Unwrap() error { return ErrTruncated }

// A Reader takes fields off the front of a byte slice. After the first
// failure every read gives zero values and Err keeps that failure. Slices
// that Bytes and Rest return alias the input. The zero Reader is an empty input.
type Reader struct {
	b   []byte
	off int
	err error
}

// NewReader returns a Reader over b, which it does not copy.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Err is the first failure, or nil.
func (r *Reader) Err() error { return r.err }

// Fail makes err the sticky failure if there is none yet.
func (r *Reader) Fail(err error) {
	if r.err == nil && err != nil {
		r.err = err
	}
}

// Failf is Fail with the offset of the next unread byte in front of the text.
func (r *Reader) Failf(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d: %w", r.off, fmt.Errorf(format, args...))
	}
}

// Offset is how many bytes have been taken.
func (r *Reader) Offset() int { return r.off }

// Len is how many bytes are left.
func (r *Reader) Len() int { return len(r.b) - r.off }

// Bytes takes the next n bytes; they alias the input. A negative or too large
// n is a failure and gives nil.
func (r *Reader) Bytes(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.b)-r.off {
		r.err = &truncated{r.off, n, len(r.b) - r.off}
		return nil
	}
	b := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

// Rest takes all that is left.
func (r *Reader) Rest() []byte { return r.Bytes(r.Len()) }

// Peek gives the next byte without taking it; ok is false at the end.
func (r *Reader) Peek() (b byte, ok bool) {
	if r.err != nil || r.off >= len(r.b) {
		return 0, false
	}
	return r.b[r.off], true
}

// U8 takes one byte.
func (r *Reader) U8() uint8 {
	if r.err != nil {
		return 0
	}
	if r.off >= len(r.b) {
		r.err = &truncated{r.off, 1, 0}
		return 0
	}
	v := r.b[r.off]
	r.off++
	return v
}

// U16 takes a big-endian 16-bit number.
func (r *Reader) U16() uint16 {
	if b := r.Bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// U24 takes a big-endian 24-bit number.
func (r *Reader) U24() uint32 {
	if b := r.Bytes(3); b != nil {
		return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
	}
	return 0
}

// U32 takes a big-endian 32-bit number.
func (r *Reader) U32() uint32 {
	if b := r.Bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// U64 takes a big-endian 64-bit number.
func (r *Reader) U64() uint64 {
	if b := r.Bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// LE16 takes a little-endian 16-bit number.
func (r *Reader) LE16() uint16 {
	if b := r.Bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// LE24 takes a little-endian 24-bit number.
func (r *Reader) LE24() uint32 {
	if b := r.Bytes(3); b != nil {
		return uint32(b[2])<<16 | uint32(b[1])<<8 | uint32(b[0])
	}
	return 0
}

// LE32 takes a little-endian 32-bit number.
func (r *Reader) LE32() uint32 {
	if b := r.Bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// LE48 takes a little-endian 48-bit number.
func (r *Reader) LE48() uint64 {
	if b := r.Bytes(6); b != nil {
		return uint64(binary.LittleEndian.Uint16(b[4:]))<<32 | uint64(binary.LittleEndian.Uint32(b))
	}
	return 0
}

// LE64 takes a little-endian 64-bit number.
func (r *Reader) LE64() uint64 {
	if b := r.Bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Done reports the sticky failure, or one that says how many bytes are left
// over: the last line of an UnmarshalBinary.
func (r *Reader) Done() error {
	if r.err != nil {
		return r.err
	}
	if n := r.Len(); n > 0 {
		return fmt.Errorf("at byte %d: %d %w", r.off, n, ErrTrailing)
	}
	return nil
}

// ErrTrailing is what Done reports when input is left after the last field.
var ErrTrailing = errors.New("bytes left over after the last field")
