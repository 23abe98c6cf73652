package document

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// Secret is a password or key material. It cannot be compared with == and prints as
// "(secret)" whatever the verb; only [Secret.Reveal] gives it out.
type Secret struct {
	_     [0]func()
	bytes []byte
}

// NewSecret wraps a copy of b.
func NewSecret(b []byte) Secret { return Secret{bytes: slices.Clone(b)} }

// Reveal gives the secret itself; the caller must not change it.
func (s Secret) Reveal() []byte { return s.bytes }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return len(s.bytes) == 0 }

const redacted = "(secret)"

// String implements fmt.Stringer without giving the secret away.
func (s Secret) String() string { return redacted }

// GoString implements fmt.GoStringer without giving the secret away.
func (s Secret) GoString() string { return redacted }

// Format implements fmt.Formatter so that no verb gives the secret away.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler without giving the secret away.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer without giving the secret away.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
