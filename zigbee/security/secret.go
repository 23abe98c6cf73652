package security

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

// KeySize is the length of every ZigBee symmetric key in octets.
const KeySize = 16

const redacted = "redacted"

// material sits behind two pointers. In an unexported field of somebody's struct fmt calls no method of a key; it prints
// the fields, and for a verb that does not fit it even follows one pointer, but never two.
type material struct{ p *[]byte }

func newMaterial(b []byte) *material { return &material{&b} }

func (m *material) bytes() []byte {
	if m == nil {
		return nil
	}
	return *m.p
}

// secret is what keys and install codes share: they print as "redacted" whatever the verb, cannot be compared with ==
// and give their octets to Reveal only.
type secret struct {
	_ [0]func()
	m *material
}

// IsZero tells whether there is no secret.
func (s secret) IsZero() bool { return s.m == nil }

// Reveal returns a copy of the octets, for storage and for frames that carry them.
func (s secret) Reveal() []byte { return append([]byte(nil), s.m.bytes()...) }

// String is always "redacted".
func (secret) String() string { return redacted }

// Format prints "redacted" for every verb.
func (secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue keeps the secret out of slog.
func (secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the secret out of JSON, YAML and XML.
func (secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Key is a network key, a link key or a key derived from one. The zero Key is no key at all. It never prints its value.
type Key struct{ secret }

// NewKey copies b, which must be 16 octets long.
func NewKey(b []byte) (Key, error) {
	if len(b) != KeySize {
		return Key{}, fmt.Errorf("security: key of %d octets: ZigBee keys have %d", len(b), KeySize)
	}
	return Key{secret{m: newMaterial(append([]byte(nil), b...))}}, nil
}

// keyOf wraps a computed block.
func keyOf(b [KeySize]byte) Key { return Key{secret{m: newMaterial(b[:])}} }

// ParseKey reads 32 hexadecimal digits. Its errors never repeat the input.
func ParseKey(s string) (Key, error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		return Key{}, fmt.Errorf("security: key is not hexadecimal (%d characters): want 32 hexadecimal digits", len(s))
	}
	return NewKey(b)
}

// GenerateKey reads a fresh key from r.
func GenerateKey(r io.Reader) (Key, error) {
	b := make([]byte, KeySize)
	if _, err := io.ReadFull(r, b); err != nil {
		return Key{}, fmt.Errorf("security: no randomness for a new key: %w", err)
	}
	return Key{secret{m: newMaterial(b)}}, nil
}

// Equal compares in constant time. Two zero keys are equal.
func (k Key) Equal(o Key) bool { return subtle.ConstantTimeCompare(k.m.bytes(), o.m.bytes()) == 1 }

// Append appends the key's octets, for the few commands that carry a key.
func (k Key) Append(b []byte) []byte { return append(b, k.m.bytes()...) }

// Fingerprint identifies a key in logs and messages without giving it away: 16 hexadecimal digits of a SHA-256 over a
// fixed label and the key (ours). The zero key's fingerprint is empty.
func (k Key) Fingerprint() string {
	if k.m == nil {
		return ""
	}
	h := sha256.New()
	h.Write([]byte("smets1 key fingerprint\x00"))
	h.Write(k.m.bytes())
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// wellKnown is the ASCII text "ZigBeeAlliance09" (published).
var wellKnown = [KeySize]byte{'Z', 'i', 'g', 'B', 'e', 'e', 'A', 'l', 'l', 'i', 'a', 'n', 'c', 'e', '0', '9'}

// WellKnownLinkKey is the default trust centre link key of open networks, "ZigBeeAlliance09". It protects nothing; Smart
// Energy never uses it.
func WellKnownLinkKey() Key { return keyOf(wellKnown) }
