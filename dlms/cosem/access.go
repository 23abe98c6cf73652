package cosem

import (
	"fmt"
	"strings"
)

// AccessMode is what an association may do with an attribute or method. In the
// association view it is an enum whose coding depends on the version of the
// Association LN class: V0Attribute and V3Bits code it, and their opposites
// decode. In the program it is always the version 3 bit set.
type AccessMode uint8

// The bits of AccessMode: the coding of Association LN version 3 (Blue Book, published).
const (
	AccessRead              AccessMode = 0x01 // for a method: may be called
	AccessWrite             AccessMode = 0x02 // attributes only
	AccessAuthRequest       AccessMode = 0x04 // the request must be authenticated
	AccessEncryptedRequest  AccessMode = 0x08
	AccessSignedRequest     AccessMode = 0x10
	AccessAuthResponse      AccessMode = 0x20
	AccessEncryptedResponse AccessMode = 0x40
	AccessSignedResponse    AccessMode = 0x80

	AccessNone      AccessMode = 0
	AccessReadWrite            = AccessRead | AccessWrite
	AccessCall                 = AccessRead
)

// Can reports whether read, write or call (AccessRead, AccessWrite, AccessCall) is allowed at all.
func (m AccessMode) Can(what AccessMode) bool { return m&what == what }

// V0Attribute gives the enum of Association LN versions 0 to 2 for an
// attribute: 0 none, 1 read, 2 write, 3 both, 4 to 6 the same with
// authentication. Demands that those versions cannot express count as
// authentication, so that nothing is shown as freer than it is.
func (m AccessMode) V0Attribute() uint8 {
	v := uint8(m & AccessReadWrite)
	if v != 0 && m&^AccessReadWrite != 0 {
		v += 3
	}
	return v
}

// V0Method gives the coding of Association LN versions 0 to 2 for a method: 0
// none, 1 allowed, 2 allowed with authentication. Version 0 sends it as a
// boolean, versions 1 and 2 as an enum.
func (m AccessMode) V0Method() uint8 {
	switch {
	case m&AccessCall == 0:
		return 0
	case m&^AccessReadWrite != 0:
		return 2
	}
	return 1
}

// AttributeAccessV0 decodes the enum of versions 0 to 2 for an attribute.
func AttributeAccessV0(v uint8) (AccessMode, error) {
	switch {
	case v <= 3:
		return AccessMode(v), nil
	case v <= 6:
		return AccessMode(v-3) | AccessAuthRequest, nil
	}
	return 0, fmt.Errorf("cosem: attribute access mode %d: versions 0 to 2 of the association have 0 to 6", v)
}

// MethodAccessV0 decodes the enum or boolean of versions 0 to 2 for a method.
func MethodAccessV0(v uint8) (AccessMode, error) {
	switch v {
	case 0:
		return AccessNone, nil
	case 1:
		return AccessCall, nil
	case 2:
		return AccessCall | AccessAuthRequest, nil
	}
	return 0, fmt.Errorf("cosem: method access mode %d: versions 0 to 2 of the association have 0 to 2", v)
}

// String lists the rights, such as "read,write,authenticated-request".
func (m AccessMode) String() string {
	if m == AccessNone {
		return "none"
	}
	names := [...]string{
		"read", "write", "authenticated-request", "encrypted-request", "signed-request",
		"authenticated-response", "encrypted-response", "signed-response",
	}
	var set []string
	for bit, name := range names {
		if m&(1<<bit) != 0 {
			set = append(set, name)
		}
	}
	return strings.Join(set, ",")
}
