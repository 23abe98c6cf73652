package security

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
)

// PrivateKey is a number below the order of its suite's curve. It prints as "redacted".
type PrivateKey struct {
	secret
	suite Suite
}

// ErrPrivateKey: zero is no private key.
var ErrPrivateKey = errors.New("not a private key: it is zero modulo the order of the curve")

func newPrivateKey(s Suite, d *scalar) (PrivateKey, error) {
	c := s.curve()
	b := c.o.bytes(nil, d, s.ScalarSize())
	if subtle.ConstantTimeCompare(b, make([]byte, len(b))) == 1 {
		return PrivateKey{}, fmt.Errorf("security: %w", ErrPrivateKey)
	}
	return PrivateKey{secret{m: newMaterial(b)}, s}, nil
}

// ParsePrivateKey takes a big-endian number of 21 (suite 1) or 36 octets (suite 2). One that is not below the order is
// reduced, not refused: a private key published in Smart Energy annex C.6 is larger than the order.
func ParsePrivateKey(s Suite, b []byte) (PrivateKey, error) {
	if err := s.check(); err != nil {
		return PrivateKey{}, err
	}
	if len(b) != s.ScalarSize() {
		return PrivateKey{}, fmt.Errorf("security: private key of %d octets: %s has %d", len(b), s, s.ScalarSize())
	}
	d := s.curve().o.parse(b)
	return newPrivateKey(s, &d)
}

// GeneratePrivateKey reads eight octets more than a key has from r and reduces them, so that no value is favoured.
func GeneratePrivateKey(r io.Reader, s Suite) (PrivateKey, error) {
	if err := s.check(); err != nil {
		return PrivateKey{}, err
	}
	b := make([]byte, 8+s.ScalarSize())
	if _, err := io.ReadFull(r, b); err != nil {
		return PrivateKey{}, fmt.Errorf("security: no randomness for a private key: %w", err)
	}
	d := s.curve().o.parse(b)
	clear(b)
	return newPrivateKey(s, &d)
}

// Suite is the suite the key belongs to.
func (k PrivateKey) Suite() Suite { return k.suite }

// Public computes the public key.
func (k PrivateKey) Public() PublicKey {
	c, d := k.suite.curve(), k.scalar()
	return PublicKey{k.suite, c.multiply(&d, &c.g)}
}

// Equal compares in constant time.
func (k PrivateKey) Equal(o PrivateKey) bool {
	return k.suite == o.suite && subtle.ConstantTimeCompare(k.m.bytes(), o.m.bytes()) == 1
}

func (k PrivateKey) scalar() scalar { return k.suite.curve().o.parse(k.m.bytes()) }

// PublicKey is a point of its suite's curve.
type PublicKey struct {
	suite Suite
	p     point
}

// ParsePublicKey reads a compressed point of 22 or 37 octets. The error wraps ErrPoint if it is none.
func ParsePublicKey(s Suite, b []byte) (PublicKey, error) {
	if err := s.check(); err != nil {
		return PublicKey{}, err
	}
	p, err := s.curve().decompress(b)
	return PublicKey{s, p}, err
}

// Suite is the suite the key belongs to; 0 for the zero key.
func (k PublicKey) Suite() Suite { return k.suite }

// IsZero tells whether there is no key.
func (k PublicKey) IsZero() bool { return k.suite == 0 }

// AppendBinary appends the compressed point.
func (k PublicKey) AppendBinary(b []byte) ([]byte, error) {
	if err := k.suite.check(); err != nil {
		return b, err
	}
	if k.p.inf {
		return b, fmt.Errorf("security: the point at infinity has no form here: %w", ErrPoint)
	}
	return k.suite.curve().appendCompressed(b, &k.p), nil
}

// Bytes is the compressed point, or nil for the zero key.
func (k PublicKey) Bytes() []byte {
	b, err := k.AppendBinary(nil)
	if err != nil {
		return nil
	}
	return b
}

// Equal tells whether both are the same point.
func (k PublicKey) Equal(o PublicKey) bool { return k == o }
