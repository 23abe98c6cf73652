package acse

import "smets1/dlms/apdu"

// Tags of the APDUs.
const (
	TagAARQ = 0x60
	TagAARE = 0x61
	TagRLRQ = 0x62
	TagRLRE = 0x63
)

// Tags of elements that more than one APDU has.
const (
	tagProtocolVersion    = 0x80
	tagContextName        = 0xA1
	tagImplementationInfo = 0x9D
	tagUserInformation    = 0xBE
	tagReason             = 0x80
)

// Is reports whether b begins with the tag of an ACSE APDU.
func Is(b []byte) bool { return len(b) > 0 && b[0] >= TagAARQ && b[0] <= TagRLRE }

// Version is the protocol-version of ACSE: a bit string, of which the first
// bit stands for version 1. The zero Version is not sent, which means version 1.
type Version struct {
	Unused uint8 // bits of Bits that do not count
	Bits   uint8
}

// Version1 is version 1 sent explicitly, as some peers do.
var Version1 = Version{Unused: 7, Bits: 0x80}

// Supported reports whether version 1 is offered.
func (v Version) Supported() bool { return v == Version{} || v.Bits&0x80 != 0 }

func appendVersion(b []byte, v Version) []byte {
	if v == (Version{}) {
		return b
	}
	return append(b, tagProtocolVersion, 2, v.Unused, v.Bits)
}

func (s *scanner) version(content []byte) Version {
	if s.err == nil && (len(content) != 2 || content[0] > 7) {
		s.fail("protocol-version", ErrValue)
		return Version{}
	}
	if s.err != nil {
		return Version{}
	}
	return Version{Unused: content[0], Bits: content[1]}
}

// authentication is the one bit of the acse-requirements that exists.
const authentication = 0x80

func appendRequirements(b []byte, tag byte, on bool) []byte {
	if !on {
		return b
	}
	return append(b, tag, 2, 7, authentication)
}

func (s *scanner) requirements(content []byte) bool {
	if s.err == nil && (len(content) < 2 || content[0] > 7) {
		s.fail("acse-requirements", ErrValue)
	}
	return s.err == nil && content[1]&authentication != 0
}

// ID is an invocation identifier. A user id is a byte, uint8(Value): peers that
// code one of 128 or more in a single byte make Value negative.
type ID struct {
	Set   bool // it is there
	Value int32
}

// UserID makes an ID that is there.
func UserID(v int32) ID { return ID{Set: true, Value: v} }

func appendID(b []byte, tag byte, id ID) []byte {
	if !id.Set {
		return b
	}
	return appendInteger(b, tag, id.Value)
}

func (s *scanner) id(content []byte, element string) ID {
	v := s.integer(content, element)
	if s.err != nil {
		return ID{}
	}
	return ID{Set: true, Value: v}
}

// appendOctets appends a title or qualifier, which is an octet string in an
// element of its own; an empty one is not sent.
func appendOctets(b []byte, tag byte, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return appendWrapped(b, tag, berOctetString, v)
}

// octets reads a title or qualifier. Some peers code them as another type;
// what is inside counts.
func (s *scanner) octets(content []byte, element string) []byte {
	_, v := s.inner(content, element)
	return v
}

// The choices of an authentication value.
const (
	// AuthCharacters is a GraphicString, which everyone sends whatever is in it.
	AuthCharacters = 0x80
	// AuthBits is a BIT STRING; its first byte counts unused bits.
	AuthBits = 0x81
)

// Authentication is an authentication value: a password, or a challenge of 8
// to 64 bytes. It is kept from being printed, as a password may be in it.
type Authentication struct {
	Choice byte // AuthCharacters where it is 0
	Value  apdu.Secret
}

// Characters makes an authentication value of the usual kind.
func Characters(v []byte) Authentication { return Authentication{Value: apdu.NewSecret(v)} }

// IsZero reports whether there is none.
func (a Authentication) IsZero() bool { return a.Value.Len() == 0 }

// Bytes is the password or challenge.
func (a Authentication) Bytes() []byte { return a.Value.Bytes() }

func appendAuthentication(b []byte, tag byte, a Authentication) []byte {
	if a.IsZero() {
		return b
	}
	choice := a.Choice
	if choice == 0 {
		choice = AuthCharacters
	}
	return appendWrapped(b, tag, choice, a.Value.Bytes())
}

func (s *scanner) authentication(content []byte) Authentication {
	choice, v := s.inner(content, "authentication-value")
	if s.err != nil {
		return Authentication{}
	}
	if choice == AuthCharacters {
		choice = 0
	}
	return Authentication{Choice: choice, Value: apdu.NewSecret(v)}
}

func appendUserInformation(b, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return appendWrapped(b, tagUserInformation, berOctetString, v)
}

func appendContext(b []byte, c Context, foreign []byte) []byte {
	if len(foreign) > 0 {
		return appendWrapped(b, tagContextName, berOID, foreign)
	}
	name := ContextOID(c)
	return appendWrapped(b, tagContextName, berOID, name[:])
}

// context reads the application context name; one that is not of DLMS is given
// back as it is.
func (s *scanner) context(content []byte) (c Context, foreign []byte) {
	name := s.expect(content, berOID, "application-context-name")
	if s.err != nil {
		return 0, nil
	}
	n, ok := dlmsName(name, arcContext)
	if !ok || n == 0 {
		if len(name) == 0 {
			s.fail("application-context-name", ErrValue)
		}
		return ContextUnknown, name
	}
	return Context(n), nil
}

// MechanismName is the mechanism-name of an AARQ or AARE.
type MechanismName struct {
	Set     bool // it is there
	Value   Mechanism
	Foreign []byte // with MechanismUnknown: the object identifier
}

// Named makes a MechanismName that is there.
func Named(m Mechanism) MechanismName { return MechanismName{Set: true, Value: m} }

func appendMechanism(b []byte, tag byte, m MechanismName) []byte {
	if !m.Set {
		return b
	}
	if m.Value == MechanismUnknown {
		return appendTLV(b, tag, m.Foreign)
	}
	name := MechanismOID(m.Value)
	return appendTLV(b, tag, name[:])
}

// mechanism reads the mechanism name. The standard has the identifier bare in
// the element; some peers put a tag and length before it.
func (s *scanner) mechanism(content []byte) MechanismName {
	if s.err != nil {
		return MechanismName{}
	}
	name := content
	if len(name) == oidSize+2 && name[0] == berOID && name[1] == byte(oidSize) {
		name = name[2:]
	}
	n, ok := dlmsName(name, arcMechanism)
	if !ok || Mechanism(n) == MechanismUnknown {
		return MechanismName{Set: true, Value: MechanismUnknown, Foreign: content}
	}
	return MechanismName{Set: true, Value: Mechanism(n)}
}
