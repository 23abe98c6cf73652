package security

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// SystemTitle identifies a DLMS party: three letters of the manufacturer's FLAG id, then five bytes unique to the device
// (Green Book, clause 4.3.4; published).
type SystemTitle [8]byte

// NewSystemTitle joins a FLAG id of three letters and the five last bytes of a longer identity such as an EUI-64.
func NewSystemTitle(flag string, identity []byte) (SystemTitle, error) {
	var t SystemTitle
	if len(flag) != 3 {
		return t, fmt.Errorf("security: FLAG id %q has %d characters: want 3 letters", flag, len(flag))
	}
	if len(identity) < 5 {
		return t, fmt.Errorf("security: identity of %d bytes: a system title takes the last 5", len(identity))
	}
	copy(t[:3], flag)
	copy(t[3:], identity[len(identity)-5:])
	return t, nil
}

// TitleFrom takes the eight bytes of a title as they stand in an APDU.
func TitleFrom(b []byte) (SystemTitle, error) {
	if len(b) != len(SystemTitle{}) {
		return SystemTitle{}, fmt.Errorf("security: system title of %d bytes: want 8", len(b))
	}
	return SystemTitle(b), nil
}

// ParseSystemTitle reads sixteen hexadecimal digits; spaces, dashes and colons between them are ignored.
func ParseSystemTitle(s string) (SystemTitle, error) {
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "-", "", ":", "").Replace(s))
	if err != nil || len(b) != 8 {
		return SystemTitle{}, fmt.Errorf("security: system title %q: want 16 hexadecimal digits", s)
	}
	return SystemTitle(b), nil
}

// IsZero tells whether no title is known.
func (t SystemTitle) IsZero() bool { return t == SystemTitle{} }

// FLAG is the manufacturer's three letters, empty if the first three bytes are not letters.
func (t SystemTitle) FLAG() string {
	for _, c := range t[:3] {
		if c < 'A' || c > 'Z' {
			return ""
		}
	}
	return string(t[:3])
}

// String is sixteen hexadecimal digits.
func (t SystemTitle) String() string { return strings.ToUpper(hex.EncodeToString(t[:])) }

// MarshalText writes sixteen hexadecimal digits.
func (t SystemTitle) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (t *SystemTitle) UnmarshalText(b []byte) error {
	v, err := ParseSystemTitle(string(b))
	if err != nil {
		return err
	}
	*t = v
	return nil
}
