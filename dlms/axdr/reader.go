package axdr

import (
	"encoding/binary"
	"math"
)

// Reader reads A-XDR one element at a time without allocating. The first error
// sticks: every later read gives zero values, so a caller checks Err once at
// the end. Byte slices it returns alias the input.
//
// Methods named after Go sizes (U8, U16, …) read bare fields as they stand in
// APDUs; methods named after types (Uint16, OctetString, …) expect the tag.
type Reader struct {
	b   []byte
	off int
	err error
}

// NewReader reads from b.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Err is the first error, nil while all went well.
func (r *Reader) Err() error { return r.err }

// Offset is the number of bytes read so far.
func (r *Reader) Offset() int { return r.off }

// Len is the number of bytes left.
func (r *Reader) Len() int { return len(r.b) - r.off }

// Rest returns all bytes left and moves to the end.
func (r *Reader) Rest() []byte {
	rest := r.b[r.off:]
	r.off = len(r.b)
	return rest
}

// Fail records err at the current offset unless an earlier error stands.
func (r *Reader) Fail(what string, err error) {
	if r.err == nil {
		r.err = &Error{Offset: r.off, What: what, Err: err}
	}
}

// End records an error if bytes are left over.
func (r *Reader) End(what string) {
	if r.err == nil && r.Len() != 0 {
		r.Fail(what, ErrLength)
	}
}

// take returns the next n bytes, or nil and an error.
func (r *Reader) take(n int, what string) []byte {
	if r.err != nil {
		return nil
	}
	if n > r.Len() {
		r.Fail(what, ErrTruncated)
		return nil
	}
	b := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

// Bytes reads n bytes.
func (r *Reader) Bytes(n int) []byte {
	if n < 0 {
		r.Fail("bytes", ErrLength)
		return nil
	}
	return r.take(n, "bytes")
}

// Peek returns the next byte without moving, and whether there is one.
func (r *Reader) Peek() (byte, bool) {
	if r.err != nil || r.Len() == 0 {
		return 0, false
	}
	return r.b[r.off], true
}

// U8 reads one byte.
func (r *Reader) U8() uint8 {
	if b := r.take(1, "byte"); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads two bytes.
func (r *Reader) U16() uint16 {
	if b := r.take(2, "2-byte number"); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// U32 reads four bytes.
func (r *Reader) U32() uint32 {
	if b := r.take(4, "4-byte number"); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// U64 reads eight bytes.
func (r *Reader) U64() uint64 {
	if b := r.take(8, "8-byte number"); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Flag reads a presence or boolean byte: zero is false, anything else true.
func (r *Reader) Flag() bool { return r.U8() != 0 }

// Length reads an A-XDR length. It does not compare it with what is left.
func (r *Reader) Length() int {
	if r.err != nil {
		return 0
	}
	v, n, err := parseLength(r.b[r.off:])
	if err != nil {
		r.Fail("length", err)
		return 0
	}
	r.off += n
	return v
}

// Count reads an A-XDR length that counts elements of at least min bytes each
// and refuses one that what is left cannot hold. min 0 is taken as 1.
func (r *Reader) Count(min int) int {
	n := r.Length()
	if r.err == nil && n > r.Len()/max(min, 1) {
		r.Fail("count of elements", ErrTruncated)
		return 0
	}
	return n
}

// LengthBytes reads a length and as many bytes: a bare OCTET STRING.
func (r *Reader) LengthBytes() []byte { return r.take(r.Length(), "octet string") }

// Data reads one whole Data and returns it still encoded, tag included.
func (r *Reader) Data() []byte {
	if r.err != nil {
		return nil
	}
	n, err := skip(r.b, r.off, 0)
	if err != nil {
		r.err = err
		return nil
	}
	return r.take(n, "data")
}

// NextTag returns the tag of the next Data without moving; ok is false at the end.
func (r *Reader) NextTag() (t Tag, ok bool) {
	b, ok := r.Peek()
	return Tag(b), ok
}

// expect reads a tag and fails unless it is t.
func (r *Reader) expect(t Tag) bool {
	if r.err != nil {
		return false
	}
	if r.Len() == 0 {
		r.Fail(t.String(), ErrTruncated)
		return false
	}
	if Tag(r.b[r.off]) != t {
		r.Fail(t.String(), &TypeError{Got: Tag(r.b[r.off]), Want: t.String()})
		return false
	}
	r.off++
	return true
}

func (r *Reader) fixed(t Tag, n int) []byte {
	if !r.expect(t) {
		return nil
	}
	return r.take(n, t.String())
}

// Null reads null-data.
func (r *Reader) Null() { r.expect(TagNull) }

// Bool reads a boolean.
func (r *Reader) Bool() bool {
	b := r.fixed(TagBool, 1)
	return b != nil && b[0] != 0
}

// Int8 reads an integer.
func (r *Reader) Int8() int8 {
	if b := r.fixed(TagInt8, 1); b != nil {
		return int8(b[0])
	}
	return 0
}

// Int16 reads a long.
func (r *Reader) Int16() int16 {
	if b := r.fixed(TagInt16, 2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

// Int32 reads a double-long.
func (r *Reader) Int32() int32 {
	if b := r.fixed(TagInt32, 4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// Int64 reads a long64.
func (r *Reader) Int64() int64 {
	if b := r.fixed(TagInt64, 8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// Uint8 reads an unsigned.
func (r *Reader) Uint8() uint8 {
	if b := r.fixed(TagUint8, 1); b != nil {
		return b[0]
	}
	return 0
}

// Uint16 reads a long-unsigned.
func (r *Reader) Uint16() uint16 {
	if b := r.fixed(TagUint16, 2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// Uint32 reads a double-long-unsigned.
func (r *Reader) Uint32() uint32 {
	if b := r.fixed(TagUint32, 4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads a long64-unsigned.
func (r *Reader) Uint64() uint64 {
	if b := r.fixed(TagUint64, 8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Enum reads an enum.
func (r *Reader) Enum() uint8 {
	if b := r.fixed(TagEnum, 1); b != nil {
		return b[0]
	}
	return 0
}

// Float32 reads a float32.
func (r *Reader) Float32() float32 {
	if b := r.fixed(TagFloat32, 4); b != nil {
		return math.Float32frombits(binary.BigEndian.Uint32(b))
	}
	return 0
}

// Float64 reads a float64.
func (r *Reader) Float64() float64 {
	if b := r.fixed(TagFloat64, 8); b != nil {
		return math.Float64frombits(binary.BigEndian.Uint64(b))
	}
	return 0
}

// OctetString reads an octet-string.
func (r *Reader) OctetString() []byte { return r.str(TagOctetString) }

// VisibleString reads a visible-string.
func (r *Reader) VisibleString() []byte { return r.str(TagVisibleString) }

// UTF8 reads a utf8-string.
func (r *Reader) UTF8() []byte { return r.str(TagUTF8) }

func (r *Reader) str(t Tag) []byte {
	if !r.expect(t) {
		return nil
	}
	return r.take(r.Length(), t.String())
}

// BitString reads a bit-string: its bytes and the number of bits.
func (r *Reader) BitString() (bits []byte, n int) {
	if !r.expect(TagBitString) {
		return nil, 0
	}
	n = r.Length()
	bits = r.take(n/8+(n%8+7)/8, TagBitString.String())
	if r.err != nil {
		return nil, 0
	}
	return bits, n
}

// Array reads the header of an array and gives the number of elements, which
// is never more than the bytes left.
func (r *Reader) Array() int {
	if !r.expect(TagArray) {
		return 0
	}
	return r.Count(1)
}

// Structure reads the header of a structure that must have exactly n elements.
func (r *Reader) Structure(n int) {
	if !r.expect(TagStructure) {
		return
	}
	if got := r.Count(1); r.err == nil && got != n {
		r.Fail("number of elements of the structure", ErrLength)
	}
}

// StructureAny reads the header of a structure of any number of elements.
func (r *Reader) StructureAny() int {
	if !r.expect(TagStructure) {
		return 0
	}
	return r.Count(1)
}

// DateTime reads a date-time in either form: octet-string[12] or tag 25.
func (r *Reader) DateTime() DateTime {
	b := r.dateLike(TagDateTime, dateTimeSize)
	if b == nil {
		return DateTime{}
	}
	return dateTimeOf(b)
}

// Date reads a date in either form: octet-string[5] or tag 26.
func (r *Reader) Date() Date {
	b := r.dateLike(TagDate, dateSize)
	if b == nil {
		return Date{}
	}
	return dateOf(b)
}

// Time reads a time in either form: octet-string[4] or tag 27.
func (r *Reader) Time() Time {
	b := r.dateLike(TagTime, timeSize)
	if b == nil {
		return Time{}
	}
	return timeOf(b)
}

func (r *Reader) dateLike(own Tag, size int) []byte {
	if t, ok := r.NextTag(); ok && t == own {
		return r.fixed(own, size)
	}
	b := r.OctetString()
	if r.err == nil && len(b) != size {
		r.Fail(own.String(), ErrLength)
		return nil
	}
	return b
}

// Integer reads a number of any integer type, signed or not. A long64-unsigned
// beyond the range of int64 is an error.
func (r *Reader) Integer() int64 {
	t, ok := r.NextTag()
	if !ok {
		r.Fail("number", ErrTruncated)
		return 0
	}
	if !t.signed() && !t.unsigned() {
		r.Fail("number", &TypeError{Got: t, Want: "an integer type"})
		return 0
	}
	b := r.fixed(t, t.fixedSize())
	if b == nil {
		return 0
	}
	v := number(t, b)
	if !t.signed() && v > math.MaxInt64 {
		r.Fail("number", ErrValue)
		return 0
	}
	return int64(v)
}

// parseLength decodes an A-XDR length at the start of b.
func parseLength(b []byte) (v, n int, err error) {
	if len(b) == 0 {
		return 0, 0, ErrTruncated
	}
	if b[0] < 0x80 {
		return int(b[0]), 1, nil
	}
	n = int(b[0] & 0x7F)
	if n == 0 || n > 4 {
		return 0, 0, ErrLength
	}
	if len(b) < 1+n {
		return 0, 0, ErrTruncated
	}
	var u uint64
	for _, c := range b[1 : 1+n] {
		u = u<<8 | uint64(c)
	}
	// Also on a 32-bit int the bound holds, and no APDU comes near it.
	if u > math.MaxInt32 {
		return 0, 0, ErrLength
	}
	return int(u), 1 + n, nil
}

// ParseLength decodes an A-XDR length at the start of b and says how many bytes it took.
func ParseLength(b []byte) (length, n int, err error) {
	length, n, err = parseLength(b)
	if err != nil {
		return 0, 0, &Error{What: "length", Err: err}
	}
	return length, n, nil
}

// number decodes the content of a fixed-size type; signed types are sign-extended.
func number(t Tag, b []byte) uint64 {
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	if t.signed() {
		shift := 64 - 8*len(b)
		v = uint64(int64(v<<shift) >> shift)
	}
	return v
}

// Since returns what was read from offset start on.
func (r *Reader) Since(start int) []byte { return r.b[start:r.off:r.off] }
