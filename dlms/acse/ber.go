package acse

import (
	"errors"
	"fmt"

	"smets1/dlms/axdr"
)

// What can be wrong with encoded ACSE.
var (
	// ErrTruncated means the input ends before the element does.
	ErrTruncated = axdr.ErrTruncated
	// ErrLength means a length that cannot be true: an element that reaches
	// past the one it is in, or a form that these APDUs do not use.
	ErrLength = errors.New("impossible length")
	// ErrTag means that the bytes are another APDU or element than expected.
	ErrTag = errors.New("unexpected tag")
	// ErrValue means content that is not allowed for its element.
	ErrValue = errors.New("value not allowed")
	// ErrMissing means an element that the APDU cannot be without.
	ErrMissing = errors.New("element missing")
	// ErrTwice means an element that appears twice.
	ErrTwice = errors.New("element appears twice")
)

// SyntaxError says in which APDU and at which byte reading stopped and why.
type SyntaxError struct {
	APDU    string // "AARQ"
	Offset  int
	Element string // "calling-AP-title"
	Err     error
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("acse: %s: byte %d: %s: %v", e.APDU, e.Offset, e.Element, e.Err)
}

// Unwrap gives the cause.
func (e *SyntaxError) Unwrap() error { return e.Err }

const (
	berInteger     = 0x02
	berOctetString = 0x04
	berOID         = 0x06
	berLong        = 0x80
	maxLengthBytes = 4
)

// appendLength appends a BER length in its shortest form, which is also the
// form of A-XDR.
func appendLength(b []byte, n int) []byte { return axdr.AppendLength(b, n) }

// sizeTLV is the size of an element with n bytes of content.
func sizeTLV(n int) int { return 1 + axdr.LengthSize(n) + n }

// appendTLV appends an element.
func appendTLV(b []byte, tag byte, content []byte) []byte {
	return append(appendLength(append(b, tag), len(content)), content...)
}

// appendWrapped appends an element that holds one other.
func appendWrapped(b []byte, outer, inner byte, content []byte) []byte {
	b = appendLength(append(b, outer), sizeTLV(len(content)))
	return appendTLV(b, inner, content)
}

// appendInteger appends an element that holds an INTEGER, as short as it can
// be with its sign.
func appendInteger(b []byte, outer byte, v int32) []byte {
	n := 1
	for v>>(8*n-1) != 0 && v>>(8*n-1) != -1 {
		n++
	}
	b = append(b, outer, byte(2+n), berInteger, byte(n))
	for i := n - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}

// scanner walks the elements of one APDU. The first error sticks.
type scanner struct {
	apdu string
	b    []byte
	off  int
	seen [256 / 64]uint64
	err  error
}

func (s *scanner) fail(element string, err error) {
	if s.err == nil {
		s.err = &SyntaxError{APDU: s.apdu, Offset: s.off, Element: element, Err: err}
	}
}

// header reads a tag and a length. The length is not compared with what is left.
func (s *scanner) header(element string) (tag byte, length int) {
	if s.err != nil {
		return 0, 0
	}
	if s.off+2 > len(s.b) {
		s.fail(element, ErrTruncated)
		return 0, 0
	}
	tag = s.b[s.off]
	length, n, err := parseBERLength(s.b[s.off+1:])
	if err != nil {
		s.fail(element, err)
		return 0, 0
	}
	s.off += 1 + n
	return tag, length
}

func parseBERLength(b []byte) (length, n int, err error) {
	if len(b) == 0 {
		return 0, 0, ErrTruncated
	}
	if b[0] < berLong {
		return int(b[0]), 1, nil
	}
	n = int(b[0] &^ berLong)
	if n == 0 || n > maxLengthBytes {
		return 0, 0, ErrLength
	}
	if len(b) < 1+n {
		return 0, 0, ErrTruncated
	}
	var v uint64
	for _, c := range b[1 : 1+n] {
		v = v<<8 | uint64(c)
	}
	if v > 1<<31-1 {
		return 0, 0, ErrLength
	}
	return int(v), 1 + n, nil
}

// begin reads the APDU's own tag and length and cuts the input to it.
func (s *scanner) begin(tag byte) {
	got, length := s.header("tag")
	if s.err != nil {
		return
	}
	if got != tag {
		s.off = 0
		s.fail("tag", ErrTag)
		return
	}
	if length > len(s.b)-s.off {
		s.fail("length", ErrTruncated)
		return
	}
	s.b = s.b[: s.off+length : s.off+length]
}

// more reports whether there is another element.
func (s *scanner) more() bool { return s.err == nil && s.off < len(s.b) }

// next reads an element of the APDU and refuses one seen before.
func (s *scanner) next() (tag byte, content []byte) {
	tag, length := s.header("element")
	if s.err != nil {
		return 0, nil
	}
	if length > len(s.b)-s.off {
		s.fail(fmt.Sprintf("element %02X", tag), ErrLength)
		return 0, nil
	}
	if s.seen[tag/64]&(1<<(tag%64)) != 0 {
		s.fail(fmt.Sprintf("element %02X", tag), ErrTwice)
		return 0, nil
	}
	s.seen[tag/64] |= 1 << (tag % 64)
	content = s.b[s.off : s.off+length : s.off+length]
	s.off += length
	return tag, content
}

// has reports whether an element was there.
func (s *scanner) has(tag byte) bool { return s.seen[tag/64]&(1<<(tag%64)) != 0 }

// inner takes the one element that content must consist of.
func (s *scanner) inner(content []byte, element string) (tag byte, value []byte) {
	if s.err != nil {
		return 0, nil
	}
	if len(content) < 2 {
		s.fail(element, ErrLength)
		return 0, nil
	}
	length, n, err := parseBERLength(content[1:])
	if err != nil || 1+n+length != len(content) {
		s.fail(element, ErrLength)
		return 0, nil
	}
	return content[0], content[1+n:]
}

// expect is inner for an element that must have the given tag.
func (s *scanner) expect(content []byte, want byte, element string) []byte {
	tag, value := s.inner(content, element)
	if s.err == nil && tag != want {
		s.fail(element, ErrTag)
		return nil
	}
	return value
}

// integer reads the INTEGER inside content.
func (s *scanner) integer(content []byte, element string) int32 {
	value := s.expect(content, berInteger, element)
	if s.err != nil {
		return 0
	}
	if len(value) == 0 || len(value) > 4 {
		s.fail(element, ErrValue)
		return 0
	}
	v := int32(int8(value[0]))
	for _, c := range value[1:] {
		v = v<<8 | int32(c)
	}
	return v
}
