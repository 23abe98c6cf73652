package security

import (
	"errors"
	"fmt"
	"io"
)

// ErrSignature: the signature is not one of the key over the digest.
var ErrSignature = errors.New("signature does not verify: another signer or altered content")

// Sign makes an ECDSA signature over an AES-MMO digest: r || s, 42 or 72 octets (ZigBee OTA Upgrade, clause 11.7;
// published). The digest is shorter than the order and taken whole. rand gives the nonce, which must never repeat.
func (k PrivateKey) Sign(rand io.Reader, digest [HashSize]byte) ([]byte, error) {
	if err := k.suite.check(); err != nil {
		return nil, err
	}
	c, size := k.suite.curve(), k.suite.ScalarSize()
	d, e := k.scalar(), c.o.parse(digest[:])
	for {
		nonce, err := GeneratePrivateKey(rand, k.suite)
		if err != nil {
			return nil, err
		}
		n := nonce.scalar()
		p := c.multiply(&n, &c.g)
		r := c.o.parse(c.f.bytes(nil, &p.x))
		s := c.o.mul(&r, &d)
		s = c.o.add(&s, &e)
		n = c.o.inverse(&n)
		s = c.o.mul(&n, &s)
		if r.isZero() || s.isZero() {
			continue // happens once in 2^160 nonces
		}
		return c.o.bytes(c.o.bytes(nil, &r, size), &s, size), nil
	}
}

// Verify checks a signature r || s over digest. The error wraps ErrSignature. Everything in it is public: it branches freely.
func (k PublicKey) Verify(digest [HashSize]byte, signature []byte) error {
	if err := k.suite.check(); err != nil {
		return err
	}
	c, size := k.suite.curve(), k.suite.ScalarSize()
	if len(signature) != 2*size {
		return fmt.Errorf("security: signature of %d octets, %s has %d: %w", len(signature), k.suite, 2*size, ErrSignature)
	}
	r, s := c.o.parse(signature[:size]), c.o.parse(signature[size:])
	if string(c.o.bytes(c.o.bytes(nil, &r, size), &s, size)) != string(signature) || r.isZero() || s.isZero() {
		return fmt.Errorf("security: r or s is not between 1 and the order: %w", ErrSignature)
	}
	e := c.o.parse(digest[:])
	w := c.o.inverse(&s)
	u1, u2 := c.o.mul(&e, &w), c.o.mul(&r, &w)
	p, q := c.multiply(&u1, &c.g), c.multiply(&u2, &k.p)
	p = c.add(&p, &q)
	if p.inf || c.o.parse(c.f.bytes(nil, &p.x)) != r {
		return fmt.Errorf("security: %w", ErrSignature)
	}
	return nil
}
