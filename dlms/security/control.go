package security

import "fmt"

// Control is the security control byte SC that opens ciphered content (Green Book, clause 9.2.7.2.4.1; published).
type Control uint8

// Bits of Control. The low four bits hold the suite.
const (
	Authenticated Control = 0x10
	Encrypted     Control = 0x20
	Broadcast     Control = 0x40 // key-set bit: the global broadcast key protects, not the unicast key
	Compressed    Control = 0x80 // V.44 compression before ciphering; refused here
)

// NewControl builds SC for unicast content.
func NewControl(s Suite, p Protection) Control {
	sc := Control(s & 0x0F)
	if p&ProtectAuth != 0 {
		sc |= Authenticated
	}
	if p&ProtectEnc != 0 {
		sc |= Encrypted
	}
	return sc
}

// Suite is the suite that SC names.
func (c Control) Suite() Suite { return Suite(c & 0x0F) }

// Protection is what SC says was done to the APDU.
func (c Control) Protection() Protection {
	var p Protection
	if c&Authenticated != 0 {
		p |= ProtectAuth
	}
	if c&Encrypted != 0 {
		p |= ProtectEnc
	}
	return p
}

// TagLen is the number of tag bytes at the end of content with this SC: 12, or 0 without authentication.
func (c Control) TagLen() int {
	if c&Authenticated != 0 {
		return TagSize
	}
	return 0
}

// String shows the byte and its meaning, "30 (authenticated, encrypted)".
func (c Control) String() string {
	s := c.Protection().String()
	if c.Suite() != Suite0 {
		s += fmt.Sprintf(", suite %d", c.Suite())
	}
	if c&Broadcast != 0 {
		s += ", broadcast key"
	}
	if c&Compressed != 0 {
		s += ", compressed"
	}
	return fmt.Sprintf("%02X (%s)", uint8(c), s)
}

// Protection is a set of protections applied to an APDU.
type Protection uint8

// The three protections.
const (
	ProtectAuth Protection = 1 << iota
	ProtectEnc
	ProtectSign

	ProtectNone Protection = 0
	ProtectBoth            = ProtectAuth | ProtectEnc
)

// String lists the protections, "none" when there is none.
func (p Protection) String() string {
	s := ""
	for _, x := range [...]struct {
		p Protection
		n string
	}{{ProtectAuth, "authenticated"}, {ProtectEnc, "encrypted"}, {ProtectSign, "signed"}} {
		if p&x.p == 0 {
			continue
		}
		if s != "" {
			s += ", "
		}
		s += x.n
	}
	if s == "" {
		return "none"
	}
	return s
}
