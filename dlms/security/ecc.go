package security

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/subtle"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
)

// ErrSignature: a signature does not fit the message and key.
var ErrSignature = errors.New("signature is wrong")

// SigningKey is a private ECDSA key of suite 1 or 2. The zero value is no key. It never prints.
type SigningKey struct {
	_     [0]func()
	suite Suite
	box   *signingBox
}

// The boxes are the second pointer that fmt does not follow, see material.
type (
	signingBox   struct{ key *ecdsa.PrivateKey }
	agreementBox struct{ key *ecdh.PrivateKey }
)

// NewSigningKey takes the private scalar, big endian, 32 or 48 bytes.
func NewSigningKey(s Suite, d []byte) (SigningKey, error) {
	if err := s.checkPublic(); err != nil {
		return SigningKey{}, err
	}
	k, err := ecdsa.ParseRawPrivateKey(s.elliptic(), d)
	if err != nil {
		return SigningKey{}, fmt.Errorf("security: private signing key: %w", err)
	}
	return SigningKey{suite: s, box: &signingBox{k}}, nil
}

// GenerateSigningKey draws a private key from r.
func GenerateSigningKey(r io.Reader, s Suite) (SigningKey, error) {
	var k SigningKey
	err := drawScalar(r, s, func(d []byte) (err error) {
		k, err = NewSigningKey(s, d)
		return err
	})
	return k, err
}

// IsZero tells whether there is no key.
func (k SigningKey) IsZero() bool { return k.box == nil }

// Suite is the key's suite.
func (k SigningKey) Suite() Suite { return k.suite }

// Public is the key that verifies what this one signs.
func (k SigningKey) Public() VerifyKey {
	if k.box == nil {
		return VerifyKey{}
	}
	return VerifyKey{suite: k.suite, key: &k.box.key.PublicKey}
}

// Reveal returns the private scalar.
func (k SigningKey) Reveal() ([]byte, error) {
	if k.box == nil {
		return nil, errors.New("security: there is no signing key")
	}
	return k.box.key.Bytes()
}

// Sign returns r || s over the suite's hash of the message. It is deterministic (RFC 6979), so that a run can be repeated
// byte for byte and no weak random source can give the key away.
func (k SigningKey) Sign(message []byte) ([]byte, error) {
	if k.box == nil {
		return nil, errors.New("security: there is no signing key")
	}
	h := k.suite.hash()
	digest := h.New()
	digest.Write(message)
	der, err := k.box.key.Sign(nil, digest.Sum(nil), h)
	if err != nil {
		return nil, fmt.Errorf("security: %w", err)
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, fmt.Errorf("security: %w", err)
	}
	n := k.suite.PointSize()
	out := make([]byte, n)
	sig.R.FillBytes(out[:n/2])
	sig.S.FillBytes(out[n/2:])
	return out, nil
}

// String is always "redacted".
func (SigningKey) String() string { return redacted }

// Format prints "redacted" for every verb.
func (SigningKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue keeps the key out of slog.
func (SigningKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the key out of JSON.
func (SigningKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// VerifyKey is a public ECDSA key.
type VerifyKey struct {
	suite Suite
	key   *ecdsa.PublicKey
}

// NewVerifyKey takes the public point x || y, 64 or 96 bytes.
func NewVerifyKey(s Suite, point []byte) (VerifyKey, error) {
	b, err := uncompressed(s, point)
	if err != nil {
		return VerifyKey{}, err
	}
	k, err := ecdsa.ParseUncompressedPublicKey(s.elliptic(), b)
	if err != nil {
		return VerifyKey{}, fmt.Errorf("security: public signing key: %w", err)
	}
	return VerifyKey{suite: s, key: k}, nil
}

// IsZero tells whether there is no key.
func (k VerifyKey) IsZero() bool { return k.key == nil }

// Point is x || y.
func (k VerifyKey) Point() ([]byte, error) {
	if k.key == nil {
		return nil, errors.New("security: there is no public signing key")
	}
	b, err := k.key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("security: public signing key: %w", err)
	}
	return b[1:], nil
}

// Verify checks r || s over the suite's hash of the message. The error wraps ErrSignature.
func (k VerifyKey) Verify(message, signature []byte) error {
	if k.key == nil {
		return errors.New("security: the peer's public signing key is not known")
	}
	n := k.suite.PointSize()
	if len(signature) != n {
		return fmt.Errorf("security: signature of %d bytes, %v needs %d: %w", len(signature), k.suite, n, ErrSignature)
	}
	h := k.suite.hash().New()
	h.Write(message)
	r, s := new(big.Int).SetBytes(signature[:n/2]), new(big.Int).SetBytes(signature[n/2:])
	if !ecdsa.Verify(k.key, h.Sum(nil), r, s) {
		return fmt.Errorf("security: %w", ErrSignature)
	}
	return nil
}

// AgreementKey is a private ECDH key of suite 1 or 2, static or ephemeral. The zero value is no key. It never prints.
type AgreementKey struct {
	_     [0]func()
	suite Suite
	box   *agreementBox
}

// NewAgreementKey takes the private scalar, big endian, 32 or 48 bytes.
func NewAgreementKey(s Suite, d []byte) (AgreementKey, error) {
	if err := s.checkPublic(); err != nil {
		return AgreementKey{}, err
	}
	k, err := s.ecdh().NewPrivateKey(d)
	if err != nil {
		return AgreementKey{}, fmt.Errorf("security: private key agreement key: %w", err)
	}
	return AgreementKey{suite: s, box: &agreementBox{k}}, nil
}

// GenerateAgreementKey draws a private key from r: an ephemeral key, or a new static one.
func GenerateAgreementKey(r io.Reader, s Suite) (AgreementKey, error) {
	var k AgreementKey
	err := drawScalar(r, s, func(d []byte) (err error) {
		k, err = NewAgreementKey(s, d)
		return err
	})
	return k, err
}

// IsZero tells whether there is no key.
func (k AgreementKey) IsZero() bool { return k.box == nil }

// Suite is the key's suite.
func (k AgreementKey) Suite() Suite { return k.suite }

// Point is the public key x || y; nil for the zero value.
func (k AgreementKey) Point() []byte {
	if k.box == nil {
		return nil
	}
	return k.box.key.PublicKey().Bytes()[1:]
}

// Reveal returns the private scalar; nil for the zero value.
func (k AgreementKey) Reveal() []byte {
	if k.box == nil {
		return nil
	}
	return k.box.key.Bytes()
}

// SharedSecret is Z, the x coordinate of the common point with the peer's public key x || y.
func (k AgreementKey) SharedSecret(peerPoint []byte) (Secret, error) {
	if k.box == nil {
		return Secret{}, errors.New("security: there is no key agreement key")
	}
	b, err := uncompressed(k.suite, peerPoint)
	if err != nil {
		return Secret{}, err
	}
	pub, err := k.suite.ecdh().NewPublicKey(b)
	if err != nil {
		return Secret{}, fmt.Errorf("security: the peer's key agreement key: %w", err)
	}
	z, err := k.box.key.ECDH(pub)
	if err != nil {
		return Secret{}, fmt.Errorf("security: key agreement: %w", err)
	}
	return Secret{m: newMaterial(z)}, nil
}

// String is always "redacted".
func (AgreementKey) String() string { return redacted }

// Format prints "redacted" for every verb.
func (AgreementKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue keeps the key out of slog.
func (AgreementKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the key out of JSON.
func (AgreementKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func uncompressed(s Suite, point []byte) ([]byte, error) {
	if err := s.checkPublic(); err != nil {
		return nil, err
	}
	if len(point) != s.PointSize() {
		return nil, fmt.Errorf("security: public key of %d bytes, %v needs %d (x || y)", len(point), s, s.PointSize())
	}
	return append([]byte{4}, point...), nil
}

// drawScalar gives random scalars to use until one is in range, which all but about one in 2^32 are. The zero scalar that
// a broken source of zeros yields is never in range, hence the limit.
func drawScalar(r io.Reader, s Suite, use func([]byte) error) error {
	if err := s.checkPublic(); err != nil {
		return err
	}
	d := make([]byte, s.PointSize()/2)
	var err error
	for range 16 {
		if _, rerr := io.ReadFull(r, d); rerr != nil {
			return fmt.Errorf("security: no randomness for a private key: %w", rerr)
		}
		if err = use(d); err == nil {
			break
		}
	}
	subtle.XORBytes(d, d, d)
	return err
}
