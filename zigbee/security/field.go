package security

import "math/bits"

// elem is an element of GF(2^m) in polynomial basis, bit i the coefficient of x^i, lowest word first. GF(2^163) uses three
// words of it.
type elem [5]uint64

// field is GF(2^m) = GF(2)[x]/(x^m + x^t0 + x^t1 + x^t2 + 1). Its arithmetic has no branch and no memory access that
// depends on the value of an element: products are made with integer multiplications of bits set four apart, whose carries
// fall into the gaps (the method BearSSL describes for GHASH).
type field struct {
	m, words int
	terms    [4]uint
}

var (
	field163 = field{163, 3, [4]uint{7, 6, 3, 0}}
	field283 = field{283, 5, [4]uint{12, 7, 5, 0}}
)

// lowMul is the low half of the carry-less product of x and y.
func lowMul(x, y uint64) uint64 {
	const m0, m1, m2, m3 = 0x1111111111111111, 0x2222222222222222, 0x4444444444444444, 0x8888888888888888
	x0, x1, x2, x3 := x&m0, x&m1, x&m2, x&m3
	y0, y1, y2, y3 := y&m0, y&m1, y&m2, y&m3
	z0 := x0*y0 ^ x1*y3 ^ x2*y2 ^ x3*y1
	z1 := x0*y1 ^ x1*y0 ^ x2*y3 ^ x3*y2
	z2 := x0*y2 ^ x1*y1 ^ x2*y0 ^ x3*y3
	z3 := x0*y3 ^ x1*y2 ^ x2*y1 ^ x3*y0
	return z0&m0 | z1&m1 | z2&m2 | z3&m3
}

// wide is the carry-less product of x and y, given with their bits reversed too.
func wide(x, y, rx, ry uint64) (lo, hi uint64) {
	return lowMul(x, y), bits.Reverse64(lowMul(rx, ry)) >> 1
}

// mul is x·y. Of the words' products only those of equal index are made; the mixed ones follow from products of sums
// (Karatsuba).
func (f *field) mul(x, y *elem) elem {
	var rx, ry, lo, hi elem
	var p [10]uint64
	for i := range f.words {
		rx[i], ry[i] = bits.Reverse64(x[i]), bits.Reverse64(y[i])
		lo[i], hi[i] = wide(x[i], y[i], rx[i], ry[i])
		p[2*i] ^= lo[i]
		p[2*i+1] ^= hi[i]
	}
	for i := range f.words {
		for j := i + 1; j < f.words; j++ {
			l, h := wide(x[i]^x[j], y[i]^y[j], rx[i]^rx[j], ry[i]^ry[j])
			p[i+j] ^= l ^ lo[i] ^ lo[j]
			p[i+j+1] ^= h ^ hi[i] ^ hi[j]
		}
	}
	return f.reduce(&p)
}

// spread puts zeros between the 32 low bits of x.
func spread(x uint64) uint64 {
	x &= 0xFFFFFFFF
	x = (x | x<<16) & 0x0000FFFF0000FFFF
	x = (x | x<<8) & 0x00FF00FF00FF00FF
	x = (x | x<<4) & 0x0F0F0F0F0F0F0F0F
	x = (x | x<<2) & 0x3333333333333333
	return (x | x<<1) & 0x5555555555555555
}

// sqr is x².
func (f *field) sqr(x *elem) elem {
	var p [10]uint64
	for i := range f.words {
		p[2*i], p[2*i+1] = spread(x[i]), spread(x[i]>>32)
	}
	return f.reduce(&p)
}

// reduce folds what is above x^m down; the topmost word first, so that one pass is enough.
func (f *field) reduce(p *[10]uint64) (z elem) {
	last, part := f.m/64, uint(f.m%64)
	for i := 2*f.words - 1; i > last; i-- {
		t := p[i]
		p[i] = 0
		for _, e := range f.terms {
			at := uint(64*i-f.m) + e
			p[at/64] ^= t << (at % 64)
			p[at/64+1] ^= t >> (63 - at%64) >> 1
		}
	}
	t := p[last] >> part
	p[last] &= 1<<part - 1
	for _, e := range f.terms {
		p[0] ^= t << e
	}
	copy(z[:f.words], p[:])
	return z
}

func (f *field) add(x, y *elem) (z elem) {
	for i := range z {
		z[i] = x[i] ^ y[i]
	}
	return z
}

// inv is x^(2^m - 2), the inverse of x (Itoh and Tsujii); the inverse of 0 comes out as 0.
func (f *field) inv(x *elem) elem {
	// b = x^(2^k - 1), with k following the bits of m-1 from the top.
	b, k := *x, 1
	for i := bits.Len(uint(f.m-1)) - 2; i >= 0; i-- {
		t := b
		for range k {
			t = f.sqr(&t)
		}
		b, k = f.mul(&t, &b), 2*k
		if (f.m-1)>>i&1 == 1 {
			b = f.sqr(&b)
			b, k = f.mul(&b, x), k+1
		}
	}
	return f.sqr(&b)
}

// halfTrace solves z² + z = x where a solution exists (m is odd).
func (f *field) halfTrace(x *elem) elem {
	z := *x
	for range (f.m - 1) / 2 {
		z = f.sqr(&z)
		z = f.sqr(&z)
		z = f.add(&z, x)
	}
	return z
}

func (f *field) size() int { return (f.m + 7) / 8 }

// bytes appends x, big endian.
func (f *field) bytes(b []byte, x *elem) []byte {
	for i := f.size() - 1; i >= 0; i-- {
		b = append(b, byte(x[i/8]>>(8*(i%8))))
	}
	return b
}

// parse reads a big-endian element of exactly size octets; ok is false if it is not below 2^m.
func (f *field) parse(b []byte) (x elem, ok bool) {
	for i, v := range b {
		at := len(b) - 1 - i
		x[at/8] |= uint64(v) << (8 * (at % 8))
	}
	return x, x[f.m/64]>>(f.m%64) == 0
}

func (x *elem) isZero() bool { return x[0]|x[1]|x[2]|x[3]|x[4] == 0 }

// swap exchanges x and y if bit is 1, without a branch.
func (x *elem) swap(y *elem, bit uint64) {
	mask := -bit
	for i := range x {
		t := mask & (x[i] ^ y[i])
		x[i] ^= t
		y[i] ^= t
	}
}
