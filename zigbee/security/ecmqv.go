package security

import "fmt"

// avf maps a point to (x mod 2^f) + 2^f, where f is half the bits of the order, rounded up (SEC 1, clause 3.4; published).
func (c *curve) avf(p *point) (s scalar) {
	full := int(c.avfHi / 64)
	copy(s[:full], p.x[:full])
	part := c.avfHi % 64
	s[full] = p.x[full]&(1<<part-1) | 1<<part
	return s
}

// Agree computes the shared secret Z of ECMQV with cofactor multiplication (SEC 1, clause 3.4; published): the x
// coordinate of h·s·(QE' + avf(QE')·Q') with s = (dE + avf(QE)·d) mod n. Z is 21 or 36 octets and secret.
func Agree(static, ephemeral PrivateKey, ephemeralPublic, peerStatic, peerEphemeral PublicKey) ([]byte, error) {
	s := static.suite
	if err := s.check(); err != nil {
		return nil, err
	}
	if ephemeral.suite != s || ephemeralPublic.suite != s || peerStatic.suite != s || peerEphemeral.suite != s {
		return nil, fmt.Errorf("security: the five keys of an agreement are not all of %s: %w", s, ErrSuite)
	}
	c := s.curve()
	d, e := static.scalar(), ephemeral.scalar()
	a := c.avf(&ephemeralPublic.p)
	k := c.o.mul(&a, &d)
	k = c.o.add(&k, &e)
	b := c.avf(&peerEphemeral.p)
	q := c.multiplyShort(&b, &peerStatic.p, int(c.avfHi)+1)
	q = c.add(&q, &peerEphemeral.p)
	// The cofactor first, by doubling the public sum: what is left of it has prime order.
	for n := c.h; n > 1; n /= 2 {
		q = c.add(&q, &q)
	}
	if q.inf {
		return nil, fmt.Errorf("security: the peer's keys agree on nothing: %w", ErrPoint)
	}
	z := c.multiply(&k, &q)
	if z.inf {
		return nil, fmt.Errorf("security: the keys agree on nothing: %w", ErrPoint)
	}
	return c.f.bytes(nil, &z.x), nil
}
