package apdu

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// Secret is bytes that must not be printed: a dedicated key, a password. It
// cannot be compared with ==, and every way of printing it gives its length only.
type Secret struct {
	_     [0]func()
	bytes []byte
}

// NewSecret wraps b without copying it.
func NewSecret(b []byte) Secret { return Secret{bytes: b} }

// Bytes gives the secret itself.
func (s Secret) Bytes() []byte { return s.bytes }

// Len is the number of bytes.
func (s Secret) Len() int { return len(s.bytes) }

// Equal compares in constant time for secrets of the same length.
func (s Secret) Equal(t Secret) bool { return subtle.ConstantTimeCompare(s.bytes, t.bytes) == 1 }

// String gives the length only.
func (s Secret) String() string { return fmt.Sprintf("[secret, %d bytes]", len(s.bytes)) }

// Format gives the length only, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue gives the length only.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText gives the length only.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
