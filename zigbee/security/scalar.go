package security

import (
	"encoding/binary"
	"math/bits"
)

// order is the prime order n of a curve's base point, with what Montgomery multiplication needs. R = 2^(64·words).
type order struct {
	words int
	n     elem
	bits  int
	inv   uint64 // -1/n mod 2^64
	rr    elem   // R² mod n
}

// scalar is a number modulo n, lowest word first. The arithmetic on scalars runs in time that depends on the curve only.
type scalar = elem

func newOrder(words int, n elem) *order {
	o := &order{words: words, n: n}
	for i := words - 1; i >= 0 && o.bits == 0; i-- {
		if n[i] != 0 {
			o.bits = 64*i + bits.Len64(n[i])
		}
	}
	inv := n[0] // correct to three bits; each step doubles that
	for range 5 {
		inv *= 2 - n[0]*inv
	}
	o.inv = -inv
	// R² mod n by doubling 1.
	r := scalar{1}
	for range 2 * 64 * words {
		r = o.add(&r, &r)
	}
	o.rr = r
	return o
}

// subtractIfNotBelow reduces x + carry·R, which is below 2n, by n where needed.
func (o *order) subtractIfNotBelow(x *scalar, carry uint64) (z scalar) {
	var borrow uint64
	for i := range o.words {
		z[i], borrow = bits.Sub64(x[i], o.n[i], borrow)
	}
	_, borrow = bits.Sub64(carry, 0, borrow)
	keep := -borrow // all ones: x was below n
	for i := range o.words {
		z[i] ^= keep & (z[i] ^ x[i])
	}
	return z
}

func (o *order) add(x, y *scalar) scalar {
	var s scalar
	var c uint64
	for i := range o.words {
		s[i], c = bits.Add64(x[i], y[i], c)
	}
	return o.subtractIfNotBelow(&s, c)
}

// montgomery is x·y/R mod n for x < R and y < n.
func (o *order) montgomery(x, y *scalar) scalar {
	var t [7]uint64
	w := o.words
	for i := range w {
		var c uint64
		for j := range w {
			hi, lo := bits.Mul64(x[i], y[j])
			var k uint64
			lo, k = bits.Add64(lo, t[j], 0)
			hi += k
			lo, k = bits.Add64(lo, c, 0)
			hi += k
			t[j], c = lo, hi
		}
		var k uint64
		t[w], k = bits.Add64(t[w], c, 0)
		t[w+1] = k
		m := t[0] * o.inv
		hi, lo := bits.Mul64(m, o.n[0])
		_, k = bits.Add64(lo, t[0], 0)
		c = hi + k
		for j := 1; j < w; j++ {
			hi, lo := bits.Mul64(m, o.n[j])
			lo, k = bits.Add64(lo, t[j], 0)
			hi += k
			lo, k = bits.Add64(lo, c, 0)
			hi += k
			t[j-1], c = lo, hi
		}
		t[w-1], k = bits.Add64(t[w], c, 0)
		t[w] = t[w+1] + k
	}
	var z scalar
	copy(z[:w], t[:w])
	return o.subtractIfNotBelow(&z, t[w])
}

// reduce is x mod n for any x < R.
func (o *order) reduce(x *scalar) scalar {
	t := o.montgomery(x, &o.rr)
	return o.montgomery(&scalar{1}, &t)
}

// mul is x·y mod n for x < R, y < n.
func (o *order) mul(x, y *scalar) scalar {
	t := o.montgomery(x, &o.rr)
	return o.montgomery(&t, y)
}

// inverse is x^(n-2) mod n, which is 1/x. The exponent is public.
func (o *order) inverse(x *scalar) scalar {
	e := o.n
	e[0] -= 2 // n is odd and above 2: no borrow
	one := o.montgomery(&scalar{1}, &o.rr)
	b := o.montgomery(x, &o.rr)
	r := one
	for i := o.bits - 1; i >= 0; i-- {
		r = o.montgomery(&r, &r)
		if e[i/64]>>(i%64)&1 == 1 {
			r = o.montgomery(&r, &b)
		}
	}
	return o.montgomery(&scalar{1}, &r)
}

// parse takes a big-endian number of up to words·8 octets and reduces it. Anything longer is folded piece by piece.
func (o *order) parse(b []byte) scalar {
	var acc scalar
	size := 8 * o.words
	head := len(b) % size
	for {
		var x scalar
		for i, v := range b[:head] {
			at := head - 1 - i
			x[at/8] |= uint64(v) << (8 * (at % 8))
		}
		b = b[head:]
		x = o.reduce(&x)
		acc = o.add(&acc, &x)
		if len(b) == 0 {
			return acc
		}
		acc = o.montgomery(&acc, &o.rr) // acc·R
		head = size
	}
}

// bytes appends x as a big-endian number of size octets.
func (o *order) bytes(b []byte, x *scalar, size int) []byte {
	var full [40]byte
	for i := range x {
		binary.BigEndian.PutUint64(full[32-8*i:], x[i])
	}
	return append(b, full[40-size:]...)
}
