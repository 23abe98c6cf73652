package security

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "redacted"

// material sits behind two pointers. In an unexported field of somebody's struct fmt calls no method of a key; it prints
// the fields, and for a verb that does not fit it even follows one pointer, but never two.
type material struct{ p *[]byte }

func newMaterial(b []byte) *material { return &material{&b} }

// Key is a symmetric key of 16 bytes (suites 0 and 1) or 32 bytes (suite 2). The zero Key is no key at all.
// It cannot be compared with == and never prints its value.
type Key struct {
	_ [0]func()
	m *material
}

// NewKey copies b, which must be 16 or 32 bytes long.
func NewKey(b []byte) (Key, error) {
	if len(b) != 16 && len(b) != 32 {
		return Key{}, fmt.Errorf("security: key of %d bytes: DLMS keys have 16 (suites 0 and 1) or 32 bytes (suite 2)", len(b))
	}
	return Key{m: newMaterial(append([]byte(nil), b...))}, nil
}

// ParseKey reads a key of 32 or 64 hexadecimal digits. Its errors never repeat the input.
func ParseKey(s string) (Key, error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		return Key{}, fmt.Errorf("security: key is not hexadecimal (%d characters): want 32 or 64 hexadecimal digits", len(s))
	}
	return NewKey(b)
}

// GenerateKey reads a fresh key of the size the suite needs from r.
func GenerateKey(r io.Reader, s Suite) (Key, error) {
	if err := s.check(); err != nil {
		return Key{}, err
	}
	b := make([]byte, s.KeySize())
	if _, err := io.ReadFull(r, b); err != nil {
		return Key{}, fmt.Errorf("security: no randomness for a new key: %w", err)
	}
	return Key{m: newMaterial(b)}, nil
}

// IsZero tells whether there is no key.
func (k Key) IsZero() bool { return k.m == nil }

// Len is the number of bytes: 0, 16 or 32.
func (k Key) Len() int {
	if k.m == nil {
		return 0
	}
	return len(*k.m.p)
}

// Equal compares in constant time. Two zero keys are equal.
func (k Key) Equal(o Key) bool {
	return subtle.ConstantTimeCompare(k.bytes(), o.bytes()) == 1
}

// Reveal returns a copy of the key's bytes, for storage and key transfer.
func (k Key) Reveal() []byte { return append([]byte(nil), k.bytes()...) }

// Fingerprint identifies a key in logs and messages without giving it away: 16 hexadecimal digits of a SHA-256 over a
// fixed label and the key (ours). The zero key's fingerprint is empty.
func (k Key) Fingerprint() string {
	if k.m == nil {
		return ""
	}
	h := sha256.New()
	h.Write([]byte("smets1 key fingerprint\x00"))
	h.Write(*k.m.p)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (k Key) bytes() []byte {
	if k.m == nil {
		return nil
	}
	return *k.m.p
}

// String is always "redacted".
func (Key) String() string { return redacted }

// Format prints "redacted" for every verb.
func (Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue keeps the key out of slog.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the key out of JSON, YAML and XML.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Secret is a password (LLS) or an HLS secret of any length. Like [Key] it cannot be compared with == and never prints.
type Secret struct {
	_ [0]func()
	m *material
}

// NewSecret copies b.
func NewSecret(b []byte) Secret { return Secret{m: newMaterial(append([]byte(nil), b...))} }

// IsZero tells whether no secret was set. An empty secret that was set is not zero.
func (s Secret) IsZero() bool { return s.m == nil }

// Len is the number of bytes.
func (s Secret) Len() int { return len(s.bytes()) }

// Equal compares with a received value in constant time. A secret that was not set equals nothing.
func (s Secret) Equal(b []byte) bool {
	return s.m != nil && subtle.ConstantTimeCompare(*s.m.p, b) == 1
}

// Reveal returns a copy of the secret's bytes.
func (s Secret) Reveal() []byte { return append([]byte(nil), s.bytes()...) }

func (s Secret) bytes() []byte {
	if s.m == nil {
		return nil
	}
	return *s.m.p
}

// String is always "redacted".
func (Secret) String() string { return redacted }

// Format prints "redacted" for every verb.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue keeps the secret out of slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the secret out of JSON, YAML and XML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
