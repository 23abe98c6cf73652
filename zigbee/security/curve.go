package security

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// Suite is a cryptographic suite of key establishment; its values are the bits of the KeyEstablishmentSuite attribute
// (Smart Energy, clause C.3.1.2.2; published).
type Suite uint16

// The suites.
const (
	Suite1 Suite = 1 // sect163k1, certificates of 48 octets
	Suite2 Suite = 2 // sect283k1, certificates of 74 octets
)

// String names suite and curve.
func (s Suite) String() string {
	switch s {
	case Suite1:
		return "crypto suite 1 (sect163k1)"
	case Suite2:
		return "crypto suite 2 (sect283k1)"
	}
	return fmt.Sprintf("crypto suite %04X (unknown)", uint16(s))
}

// ErrSuite: exactly one of the two suites must be named.
var ErrSuite = errors.New("unknown crypto suite: want 1 (sect163k1) or 2 (sect283k1)")

func (s Suite) check() error {
	if s != Suite1 && s != Suite2 {
		return fmt.Errorf("security: suite %04X: %w", uint16(s), ErrSuite)
	}
	return nil
}

// CertificateSize is 48 or 74; 0 for an unknown suite.
func (s Suite) CertificateSize() int {
	switch s {
	case Suite1:
		return Certificate1Size
	case Suite2:
		return Certificate2Size
	}
	return 0
}

// PointSize is the length of a compressed point: 22 or 37; 0 for an unknown suite.
func (s Suite) PointSize() int {
	if s.check() != nil {
		return 0
	}
	return 1 + s.curve().f.size()
}

// ScalarSize is the length of a private key or of half a signature: 21 or 36; 0 for an unknown suite.
func (s Suite) ScalarSize() int {
	if s.check() != nil {
		return 0
	}
	return s.curve().f.size()
}

// curve is y² + xy = x³ + a·x² + 1 over GF(2^m): a Koblitz curve with b = 1.
type curve struct {
	f     *field
	o     *order
	a     uint64 // 0 or 1
	g     point
	h     int  // cofactor, 2 or 4
	avfHi uint // ceil(bits(n)/2), see avf
}

// point is affine; inf is the point at infinity.
type point struct {
	x, y elem
	inf  bool
}

func mustElem(f *field, s string) elem {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	e, _ := f.parse(b)
	return e
}

// Domain parameters: SEC 2 version 2, clauses 3.2.1 and 3.3.1 (published).
var (
	k163 = &curve{
		f: &field163,
		o: newOrder(3, mustElem(&field163, "04000000000000000000020108A2E0CC0D99F8A5EF")),
		a: 1, h: 2, avfHi: 82,
		g: point{
			x: mustElem(&field163, "02FE13C0537BBC11ACAA07D793DE4E6D5E5C94EEE8"),
			y: mustElem(&field163, "0289070FB05D38FF58321F2E800536D538CCDAA3D9"),
		},
	}
	k283 = &curve{
		f: &field283,
		o: newOrder(5, mustElem(&field283, "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE9AE2ED07577265DFF7F94451E061E163C61")),
		a: 0, h: 4, avfHi: 141,
		g: point{
			x: mustElem(&field283, "0503213F78CA44883F1A3B8162F188E553CD265F23C1567A16876913B0C2AC2458492836"),
			y: mustElem(&field283, "01CCDA380F1C9E318D90F95D07E5426FE87E45C0E8184698E45962364E34116177DD2259"),
		},
	}
)

func (s Suite) curve() *curve {
	if s == Suite2 {
		return k283
	}
	return k163
}

// multiply is k·p by the Montgomery ladder of López and Dahab: the same operations for every k < 2^(64·words), with
// swaps by mask. Only the exceptional results (k·p or (k+1)·p at infinity) take other paths.
func (c *curve) multiply(k *scalar, p *point) point {
	return c.ladder(k, p, c.o.bits) // one bit more than n has, for sums that were not reduced
}

// multiplyShort is k·p for a public k below 2^n: a shorter ladder.
func (c *curve) multiplyShort(k *scalar, p *point, n int) point { return c.ladder(k, p, n-1) }

func (c *curve) ladder(k *scalar, p *point, top int) point {
	if p.inf || p.x.isZero() {
		// The point with x = 0 has order 2; nothing here multiplies it by anything but a public number.
		if p.inf || k[0]&1 == 0 {
			return point{inf: true}
		}
		return *p
	}
	f := c.f
	x1, z1 := elem{1}, elem{} // infinity
	x2, z2 := p.x, elem{1}
	var prev uint64
	for i := top; i >= 0; i-- {
		bit := k[i/64] >> (i % 64) & 1
		x1.swap(&x2, bit^prev)
		z1.swap(&z2, bit^prev)
		prev = bit
		// (x2:z2) = (x1:z1) + (x2:z2), whose difference is p; (x1:z1) is doubled.
		u, v := f.mul(&x1, &z2), f.mul(&x2, &z1)
		s := f.add(&u, &v)
		z2 = f.sqr(&s)
		t, w := f.mul(&p.x, &z2), f.mul(&u, &v)
		x2 = f.add(&t, &w)
		xx, zz := f.sqr(&x1), f.sqr(&z1)
		z1 = f.mul(&xx, &zz)
		xx, zz = f.sqr(&xx), f.sqr(&zz) // b = 1
		x1 = f.add(&xx, &zz)
	}
	x1.swap(&x2, prev)
	z1.swap(&z2, prev)
	switch {
	case z1.isZero():
		return point{inf: true}
	case z2.isZero():
		return point{x: p.x, y: f.add(&p.x, &p.y)}
	}
	// y = (x + x1)·((x1·.. + x·z1)(x2 + x·z2) + (x² + y)·z1·z2) / (x·z1·z2) + y
	zz := f.mul(&z1, &z2)
	d := f.mul(&p.x, &zz)
	d = f.inv(&d)
	xz2 := f.mul(&p.x, &z2)
	i1 := f.mul(&xz2, &d) // 1/z1
	ax := f.mul(&x1, &i1)
	xz1 := f.mul(&p.x, &z1)
	a1, a2 := f.add(&x1, &xz1), f.add(&x2, &xz2)
	n := f.mul(&a1, &a2)
	xx := f.sqr(&p.x)
	xx = f.add(&xx, &p.y)
	xx = f.mul(&xx, &zz)
	n = f.add(&n, &xx)
	n = f.mul(&n, &d)
	s := f.add(&p.x, &ax)
	n = f.mul(&n, &s)
	return point{x: ax, y: f.add(&n, &p.y)}
}

// add is p + q. It branches on its inputs, so they must be public.
func (c *curve) add(p, q *point) point {
	f := c.f
	switch {
	case p.inf:
		return *q
	case q.inf:
		return *p
	}
	dx := f.add(&p.x, &q.x)
	dy := f.add(&p.y, &q.y)
	var l, x elem
	if dx.isZero() {
		if !dy.isZero() || p.x.isZero() {
			return point{inf: true}
		}
		// doubling: l = x + y/x, x3 = l² + l + a
		l = f.inv(&p.x)
		l = f.mul(&l, &p.y)
		l = f.add(&l, &p.x)
		x = f.sqr(&l)
		x = f.add(&x, &l)
	} else {
		l = f.inv(&dx)
		l = f.mul(&l, &dy)
		x = f.sqr(&l)
		x = f.add(&x, &l)
		x = f.add(&x, &dx)
	}
	x[0] ^= c.a
	// y3 = l·(x1 + x3) + x3 + y1
	t := f.add(&p.x, &x)
	y := f.mul(&l, &t)
	y = f.add(&y, &x)
	y = f.add(&y, &p.y)
	return point{x: x, y: y}
}

// appendCompressed appends 02|bit and x; bit is the lowest of y/x (SEC 1, clause 2.3.3; published).
func (c *curve) appendCompressed(b []byte, p *point) []byte {
	i := c.f.inv(&p.x)
	z := c.f.mul(&p.y, &i)
	return c.f.bytes(append(b, 2|byte(z[0]&1)), &p.x)
}

// ErrPoint: the octets are no point of the curve that a key could be.
var ErrPoint = errors.New("not a point of the curve: want 02 or 03 and an x coordinate on it")

// decompress reads a compressed point and refuses what is not on the curve, infinity and points of order 2 or 4.
func (c *curve) decompress(b []byte) (point, error) {
	f := c.f
	if len(b) != 1+f.size() {
		return point{}, fmt.Errorf("security: point of %d octets, want %d: %w", len(b), 1+f.size(), ErrPoint)
	}
	x, ok := f.parse(b[1:])
	if !ok || b[0]&^1 != 2 || x.isZero() {
		return point{}, fmt.Errorf("security: %w", ErrPoint)
	}
	// z² + z = x + a + 1/x², y = x·z
	i := f.inv(&x)
	w := f.sqr(&i)
	w = f.add(&w, &x)
	w[0] ^= c.a
	z := f.halfTrace(&w)
	zz := f.sqr(&z)
	zz = f.add(&zz, &z)
	if zz != w {
		return point{}, fmt.Errorf("security: %w", ErrPoint)
	}
	z[0] ^= z[0]&1 ^ uint64(b[0]&1)
	p := point{x: x, y: f.mul(&x, &z)}
	q := p
	for n := c.h; n > 1; n /= 2 {
		q = c.add(&q, &q)
	}
	if q.inf {
		return point{}, fmt.Errorf("security: point of small order: %w", ErrPoint)
	}
	return p, nil
}
