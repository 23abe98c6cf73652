package wire

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// EUI64 identifies a device, first octet first. Its text form is the one of
// DUIS (published): eight pairs of hexadecimal digits joined by hyphens,
// 00-DB-12-34-56-78-90-A0; reading takes either case.
type EUI64 [8]byte

// String gives the upper-case, hyphenated form.
func (e EUI64) String() string {
	b := make([]byte, 0, 23)
	return string(e.appendText(b))
}

const upperHex = "0123456789ABCDEF"

func (e EUI64) appendText(b []byte) []byte {
	for i, x := range e {
		if i > 0 {
			b = append(b, '-')
		}
		b = append(b, upperHex[x>>4], upperHex[x&15])
	}
	return b
}

// IsZero reports whether e is unset.
func (e EUI64) IsZero() bool { return e == EUI64{} }

// MarshalText implements encoding.TextMarshaler.
func (e EUI64) MarshalText() ([]byte, error) { return e.appendText(make([]byte, 0, 23)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *EUI64) UnmarshalText(b []byte) error {
	v, err := ParseEUI64(string(b))
	if err == nil {
		*e = v
	}
	return err
}

// ParseEUI64 reads the hyphenated form. Nothing else is taken: a name that
// can be written in two ways would name two topics.
func ParseEUI64(s string) (EUI64, error) {
	var e EUI64
	if len(s) != 23 {
		return e, euiError(s)
	}
	for i := 2; i < 23; i += 3 {
		if s[i] != '-' {
			return e, euiError(s)
		}
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(raw) != 8 {
		return e, euiError(s)
	}
	copy(e[:], raw)
	return e, nil
}

// MustEUI64 is ParseEUI64 for constants in code; it panics on a bad one.
func MustEUI64(s string) EUI64 {
	e, err := ParseEUI64(s)
	if err != nil {
		panic(err)
	}
	return e
}

func euiError(s string) error {
	const most = 40
	if len(s) > most {
		s = s[:most] + "…"
	}
	return fmt.Errorf("%q is not an EUI-64: write eight hexadecimal pairs joined by hyphens, like 00-DB-12-34-56-78-90-A0", s)
}
