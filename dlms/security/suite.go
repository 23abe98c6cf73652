package security

import (
	"crypto"
	"crypto/ecdh"
	"crypto/elliptic"
	"fmt"

	// The hashes that Suite.hash names.
	_ "crypto/sha256"
	_ "crypto/sha512"
)

// Suite is a DLMS security suite id (Green Book, clause 9.2.3.7; published).
type Suite uint8

// The three suites.
const (
	Suite0 Suite = 0 // AES-GCM-128, AES-128 key wrap
	Suite1 Suite = 1 // AES-GCM-128, AES-128 key wrap, ECDSA and ECDH on P-256, SHA-256
	Suite2 Suite = 2 // AES-GCM-256, AES-256 key wrap, ECDSA and ECDH on P-384, SHA-384
)

// String names the suite as the Blue Book's enumeration does.
func (s Suite) String() string {
	switch s {
	case Suite0:
		return "suite 0 (AES-GCM-128)"
	case Suite1:
		return "suite 1 (AES-GCM-128, ECC P-256)"
	case Suite2:
		return "suite 2 (AES-GCM-256, ECC P-384)"
	}
	return fmt.Sprintf("unknown suite %d", uint8(s))
}

// KeySize is the length in bytes of every symmetric key of the suite.
func (s Suite) KeySize() int {
	if s == Suite2 {
		return 32
	}
	return 16
}

// PointSize is the length in bytes of a public key (x || y) and of a signature (r || s); 0 for suite 0.
func (s Suite) PointSize() int {
	switch s {
	case Suite1:
		return 64
	case Suite2:
		return 96
	}
	return 0
}

func (s Suite) check() error {
	if s > Suite2 {
		return fmt.Errorf("security: %v: use 0, 1 or 2", s)
	}
	return nil
}

func (s Suite) checkKey(what string, k Key) error {
	if err := s.check(); err != nil {
		return err
	}
	if k.Len() != s.KeySize() {
		return fmt.Errorf("security: %s has %d bytes, %v needs %d", what, k.Len(), s, s.KeySize())
	}
	return nil
}

func (s Suite) checkPublic() error {
	if s != Suite1 && s != Suite2 {
		return fmt.Errorf("security: %v has no public key algorithms: use suite 1 or 2", s)
	}
	return nil
}

func (s Suite) ecdh() ecdh.Curve {
	if s == Suite2 {
		return ecdh.P384()
	}
	return ecdh.P256()
}

func (s Suite) elliptic() elliptic.Curve {
	if s == Suite2 {
		return elliptic.P384()
	}
	return elliptic.P256()
}

func (s Suite) hash() crypto.Hash {
	if s == Suite2 {
		return crypto.SHA384
	}
	return crypto.SHA256
}
