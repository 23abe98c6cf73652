package acse

import (
	"bytes"
	"fmt"
)

// dlmsOID is joint-iso-ccitt(2) country(16) country-name(756)
// identified-organisation(5) DLMS-UA(8), the root of both kinds of names; then
// 1 or 2 for the kind and the number of the name.
var dlmsOID = [...]byte{0x60, 0x85, 0x74, 0x05, 0x08}

const (
	arcContext   = 1
	arcMechanism = 2
	oidSize      = len(dlmsOID) + 2
)

// Context is an application context of DLMS (IEC 62056-5-3, published).
type Context uint8

// The application contexts.
const (
	ContextUnknown    Context = 0 // a name that is not one of DLMS
	ContextLN         Context = 1 // logical names, no ciphering
	ContextSN         Context = 2 // short names, no ciphering
	ContextLNCiphered Context = 3
	ContextSNCiphered Context = 4
)

// Ciphered reports whether the context allows ciphered APDUs.
func (c Context) Ciphered() bool { return c == ContextLNCiphered || c == ContextSNCiphered }

// ShortNames reports whether objects are addressed by short name.
func (c Context) ShortNames() bool { return c == ContextSN || c == ContextSNCiphered }

// String gives the name in the standard.
func (c Context) String() string {
	switch c {
	case ContextLN:
		return "LN-referencing, no ciphering"
	case ContextSN:
		return "SN-referencing, no ciphering"
	case ContextLNCiphered:
		return "LN-referencing, ciphering"
	case ContextSNCiphered:
		return "SN-referencing, ciphering"
	}
	return fmt.Sprintf("context %d", uint8(c))
}

// Mechanism is an authentication mechanism of DLMS (IEC 62056-5-3, published).
type Mechanism uint8

// The authentication mechanisms.
const (
	MechanismNone      Mechanism = 0 // lowest level security
	MechanismLLS       Mechanism = 1 // a password
	MechanismHLS       Mechanism = 2 // a manufacturer's own
	MechanismHLSMD5    Mechanism = 3
	MechanismHLSSHA1   Mechanism = 4
	MechanismHLSGMAC   Mechanism = 5
	MechanismHLSSHA256 Mechanism = 6
	MechanismHLSECDSA  Mechanism = 7
	// MechanismUnknown is a name that is not one of DLMS.
	MechanismUnknown Mechanism = 0xFF
)

// HLS reports whether the mechanism needs passes 3 and 4 after the AARE.
func (m Mechanism) HLS() bool { return m >= MechanismHLS && m <= MechanismHLSECDSA }

// String gives the name in the standard.
func (m Mechanism) String() string {
	names := [...]string{
		"lowest", "LLS", "HLS", "HLS using MD5", "HLS using SHA-1", "HLS using GMAC", "HLS using SHA-256",
		"HLS using ECDSA",
	}
	if int(m) < len(names) {
		return names[m]
	}
	if m == MechanismUnknown {
		return "unknown mechanism"
	}
	return fmt.Sprintf("mechanism %d", uint8(m))
}

// dlmsName takes the last arc of an object identifier of the given kind.
func dlmsName(oid []byte, kind byte) (n uint8, ok bool) {
	if len(oid) != oidSize || !bytes.Equal(oid[:len(dlmsOID)], dlmsOID[:]) || oid[len(dlmsOID)] != kind {
		return 0, false
	}
	return oid[oidSize-1], true
}

// oid builds an object identifier of the given kind.
func oid(kind, n byte) [oidSize]byte {
	var o [oidSize]byte
	copy(o[:], dlmsOID[:])
	o[oidSize-2], o[oidSize-1] = kind, n
	return o
}

// ContextOID is the encoded object identifier of a context, as attribute 4 of
// the association has it as octet-string.
func ContextOID(c Context) [7]byte { return oid(arcContext, byte(c)) }

// MechanismOID is the encoded object identifier of a mechanism, as attribute 6
// of the association has it as octet-string.
func MechanismOID(m Mechanism) [7]byte { return oid(arcMechanism, byte(m)) }
