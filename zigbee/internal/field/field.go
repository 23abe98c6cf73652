// Package field describes a payload once for both directions: a type lists its fields in wire order in one function, and
// the Coder either appends them or reads them. All numbers travel low octet first.
//
//	func (m *GetProfile) fields(c *field.Coder) {
//		field.U8(c, &m.Channel)
//		field.U32(c, &m.EndTime)
//		field.U8(c, &m.Periods)
//	}
//
// Nothing escapes to the heap unless a field itself is a slice or a string; slices of a read payload alias the input.
package field

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/le"
)

// Coder appends or reads. Its first error sticks.
type Coder struct {
	b       []byte
	r       wire.Reader
	writing bool
	err     error
}

// Writer appends to b.
func Writer(b []byte) Coder { return Coder{b: b, writing: true} }

// Reader reads b.
func Reader(b []byte) Coder { return Coder{r: wire.NewReader(b)} }

// Writing tells the direction.
func (c *Coder) Writing() bool { return c.writing }

// Fail makes err the error if there is none yet.
func (c *Coder) Fail(err error) {
	if c.writing {
		if c.err == nil {
			c.err = err
		}
		return
	}
	c.r.Fail(err)
}

// Appended ends writing.
func (c *Coder) Appended() ([]byte, error) { return c.b, c.err }

// Taken ends reading.
func (c *Coder) Taken() (n int, err error) { return c.r.Offset(), c.r.Err() }

// Err is the error so far.
func (c *Coder) Err() error {
	if c.writing {
		return c.err
	}
	return c.r.Err()
}

// Left is how many octets are unread; 0 when writing.
func (c *Coder) Left() int {
	if c.writing {
		return 0
	}
	return c.r.Len()
}

// Optional tells whether the rest of the payload is there: when reading it sets has, when writing it obeys it.
func (c *Coder) Optional(has *bool) bool {
	if !c.writing {
		*has = c.r.Err() == nil && c.r.Len() > 0
	}
	return *has
}

func (c *Coder) uint(v uint64, n int) uint64 {
	if c.writing {
		if n < 8 && v>>(8*n) != 0 {
			c.Fail(fmt.Errorf("field: %d does not fit %d octets", v, n))
		}
		c.b = le.AppendUint(c.b, v, n)
		return v
	}
	return le.Uint(&c.r, n)
}

// U8 is one octet: a number, an enumeration or a bitmap.
func U8[T ~uint8](c *Coder, v *T) {
	if c.writing {
		c.b = append(c.b, byte(*v))
		return
	}
	*v = T(c.r.U8())
}

// U16 is two octets.
func U16[T ~uint16](c *Coder, v *T) {
	if c.writing {
		c.b = binary.LittleEndian.AppendUint16(c.b, uint16(*v))
		return
	}
	*v = T(c.r.LE16())
}

// U24 is three octets.
func U24[T ~uint32](c *Coder, v *T) { *v = T(c.uint(uint64(*v), 3)) }

// U32 is four octets.
func U32[T ~uint32](c *Coder, v *T) {
	if c.writing {
		c.b = binary.LittleEndian.AppendUint32(c.b, uint32(*v))
		return
	}
	*v = T(c.r.LE32())
}

// U48 is six octets.
func U48[T ~uint64](c *Coder, v *T) { *v = T(c.uint(uint64(*v), 6)) }

// I8 is one octet with a sign.
func I8[T ~int8](c *Coder, v *T) { u := uint8(*v); U8(c, &u); *v = T(u) }

// I16 is two octets with a sign.
func I16[T ~int16](c *Coder, v *T) { u := uint16(*v); U16(c, &u); *v = T(u) }

// I32 is four octets with a sign.
func I32[T ~int32](c *Coder, v *T) { u := uint32(*v); U32(c, &u); *v = T(u) }

// Bool is one octet, 0 or 1; any other value reads as true.
func Bool(c *Coder, v *bool) {
	var u uint8
	if *v {
		u = 1
	}
	U8(c, &u)
	*v = u != 0
}

// EUI is an EUI-64 in air order.
func EUI(c *Coder, e *wire.EUI64) {
	if c.writing {
		c.b = le.AppendEUI64(c.b, *e)
		return
	}
	*e = le.EUI64(&c.r)
}

// Fixed is len(v) octets as they are.
func Fixed(c *Coder, v []byte) {
	if c.writing {
		c.b = append(c.b, v...)
		return
	}
	copy(v, c.r.Bytes(len(v)))
}

// Raw is n octets as they are.
func Raw(c *Coder, v *[]byte, n int) {
	if c.writing {
		if len(*v) != n {
			c.Fail(fmt.Errorf("field: %d octets where %d are announced", len(*v), n))
		}
		c.b = append(c.b, *v...)
		return
	}
	*v = c.r.Bytes(n)
}

// Rest is all that is left.
func Rest(c *Coder, v *[]byte) {
	if c.writing {
		c.b = append(c.b, *v...)
		return
	}
	*v = c.r.Rest()
}

// invalidLength is the length octet of a string without a value.
const invalidLength = 0xFF

// Octets is a string with a length octet, of at most limit octets. A string that says it has no value reads as nil.
func Octets(c *Coder, v *[]byte, limit int) {
	n := uint8(len(*v))
	if c.writing && len(*v) > min(limit, invalidLength-1) {
		c.Fail(fmt.Errorf("field: string of %d octets, at most %d", len(*v), limit))
		return
	}
	U8(c, &n)
	switch {
	case c.writing:
		c.b = append(c.b, *v...)
	case n == invalidLength:
		*v = nil
	case int(n) > limit:
		c.Fail(fmt.Errorf("field: string of %d octets, at most %d", n, limit))
	default:
		*v = c.r.Bytes(int(n))
	}
}

// Text is Octets for text.
func Text(c *Coder, v *string, limit int) {
	var b []byte
	if c.writing {
		if len(*v) > min(limit, invalidLength-1) {
			c.Fail(fmt.Errorf("field: text of %d octets, at most %d", len(*v), limit))
			return
		}
		c.b = append(append(c.b, byte(len(*v))), *v...)
		return
	}
	Octets(c, &b, limit)
	*v = string(b)
}

// Count8 is a number of entries in one octet.
func Count8(c *Coder, have int) int {
	n := uint8(have)
	if c.writing && have > 255 {
		c.Fail(fmt.Errorf("field: %d entries, one octet counts 255", have))
		return have
	}
	U8(c, &n)
	return int(n)
}

// List is n entries. When reading, no room is made for more entries than octets are left.
func List[T any](c *Coder, s *[]T, n int, item func(*Coder, *T)) {
	if c.writing {
		if len(*s) != n {
			c.Fail(fmt.Errorf("field: %d entries where %d are announced", len(*s), n))
			return
		}
		for i := range *s {
			item(c, &(*s)[i])
		}
		return
	}
	if n > c.r.Len() {
		c.r.Bytes(n) // fails: an entry has at least one octet
		return
	}
	if n > 0 && c.r.Err() == nil {
		*s = make([]T, n)
	}
	for i := range *s {
		item(c, &(*s)[i])
	}
}

// ListRest is entries up to the end of the payload.
func ListRest[T any](c *Coder, s *[]T, item func(*Coder, *T)) {
	if c.writing {
		List(c, s, len(*s), item)
		return
	}
	for c.r.Len() > 0 && c.r.Err() == nil {
		var v T
		item(c, &v)
		*s = append(*s, v)
	}
}

// Custom is a field with its own codec.
func Custom(c *Coder, write func([]byte) ([]byte, error), read func([]byte) (int, error)) {
	if c.writing {
		b, err := write(c.b)
		c.b = b
		c.Fail(err)
		return
	}
	at := c.r
	n, err := read(at.Rest())
	if err != nil {
		c.r.Fail(fmt.Errorf("at byte %d: %w", c.r.Offset(), err))
		return
	}
	c.r.Bytes(n)
}
