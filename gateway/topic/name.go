package topic

import (
	"fmt"
	"strings"

	"smets1/internal/wire"
)

// Longest names the contract allows, in bytes.
const (
	MaxFleet  = 32
	MaxNode   = 32
	MaxClient = 64
	MaxVerb   = 40
	MaxClass  = 32
	MaxID     = 160
)

// Role names a device by what it is in its home.
const (
	CHF  Device = "chf"  // communications hub function
	ESME Device = "esme" // electricity meter
	GSME Device = "gsme" // gas meter
	IHD  Device = "ihd"  // in-home display
)

// Device names a device of a home: a role (chf, esme, gsme, ihd) or an EUI-64.
// The zero value means the whole home where a verb allows it, or the hub where it does not.
type Device string

// DeviceEUI names a device by its EUI-64.
func DeviceEUI(e wire.EUI64) Device { return Device(e.String()) }

// ParseDevice checks a device name.
func ParseDevice(s string) (Device, error) {
	switch d := Device(s); d {
	case CHF, ESME, GSME, IHD:
		return d, nil
	}
	if _, err := parseEUI(s); err != nil {
		return "", fmt.Errorf("topic: device %q is neither an EUI-64 like 00-DB-12-34-56-78-90-A0 nor one of chf, esme, gsme, ihd", clip(s))
	}
	return Device(s), nil
}

// EUI returns the EUI-64 when the device is named by one.
func (d Device) EUI() (wire.EUI64, bool) {
	e, err := parseEUI(string(d))
	return e, err == nil
}

// UnmarshalText checks the name as ParseDevice does; the empty text is the zero value.
func (d *Device) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = ""
		return nil
	}
	v, err := ParseDevice(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// parseEUI accepts the one spelling of the contract, so that a hub has exactly one topic.
func parseEUI(s string) (wire.EUI64, error) {
	e, err := wire.ParseEUI64(s)
	if err != nil {
		return e, err
	}
	if e.String() != s {
		return wire.EUI64{}, fmt.Errorf("topic: EUI-64 %q is not in its canonical form %s", clip(s), e)
	}
	return e, nil
}

// CheckFleet, CheckNode, CheckClient, CheckVerb, CheckClass and CheckID tell whether a name may stand
// in a topic or payload. Wildcards, separators, control characters and non-ASCII letters may not.

// CheckFleet checks the name of a fleet: lower-case letters, digits, - and _.
func CheckFleet(s string) error { return check("fleet", s, MaxFleet, lowerName) }

// CheckNode checks the name of a gateway node: as a fleet's, and not "req" or "many", which are topics of requests.
func CheckNode(s string) error {
	if s == "req" || s == "many" {
		return fmt.Errorf("topic: node %q is reserved for requests: choose another name", s)
	}
	return check("node", s, MaxNode, lowerName)
}

// CheckClient checks the name of a client: letters, digits, - and _.
func CheckClient(s string) error {
	return check("client", s, MaxClient, func(i int, c byte) bool { return lowerName(i, c) || c >= 'A' && c <= 'Z' })
}

// CheckVerb checks the form of a verb: words of lower-case letters, digits and -, joined by dots.
func CheckVerb(s string) error {
	if err := check("verb", s, MaxVerb, func(_ int, c byte) bool { return lower(c) || c == '-' || c == '.' }); err != nil {
		return err
	}
	for word := range strings.SplitSeq(s, ".") {
		if word == "" || word[0] == '-' {
			return fmt.Errorf("topic: verb %q has an empty word: write it like clock.read", s)
		}
	}
	return nil
}

// CheckClass checks the name of an event class: lower-case letters, digits, - and _.
func CheckClass(s string) error { return check("event class", s, MaxClass, lowerName) }

// CheckID checks a command id: printable ASCII letters, digits and any of . _ : / @ + -.
func CheckID(s string) error {
	return check("id", s, MaxID, func(_ int, c byte) bool {
		return lower(c) || c >= 'A' && c <= 'Z' || strings.IndexByte("._:/@+-", c) >= 0
	})
}

func lower(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

func lowerName(i int, c byte) bool { return lower(c) || i > 0 && (c == '-' || c == '_') }

func check(what, s string, limit int, ok func(i int, c byte) bool) error {
	if s == "" {
		return fmt.Errorf("topic: %s is empty", what)
	}
	if len(s) > limit {
		return fmt.Errorf("topic: %s %q… is %d bytes long: the limit is %d", what, clip(s), len(s), limit)
	}
	for i := range len(s) {
		if !ok(i, s[i]) {
			return fmt.Errorf("topic: %s %q has a character that may not stand there (byte %d, 0x%02X)", what, clip(s), i, s[i])
		}
	}
	return nil
}

// clip keeps a hostile name from filling a log line.
func clip(s string) string {
	if len(s) > 48 {
		return s[:48]
	}
	return s
}
