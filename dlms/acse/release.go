package acse

import "fmt"

// Reason is why an association is released, or how the release went (published).
type Reason uint8

// The reasons. NotFinished is an answer, Urgent a request.
const (
	ReasonNormal      Reason = 0
	ReasonUrgent      Reason = 1
	ReasonNotFinished Reason = 1
	ReasonUserDefined Reason = 30
)

// String gives the number, and the name where request and answer agree on it.
func (r Reason) String() string {
	switch r {
	case ReasonNormal:
		return "normal"
	case ReasonUserDefined:
		return "user-defined"
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// RLRQ asks to release the association (published). In a ciphered association
// it carries the InitiateRequest, ciphered.
type RLRQ struct {
	HasReason       bool
	Reason          Reason
	UserInformation []byte
}

// RLRE answers an RLRQ (published).
type RLRE struct {
	HasReason       bool
	Reason          Reason
	UserInformation []byte // the InitiateResponse, ciphered in a ciphered association
}

// AppendBinary appends the APDU. It never fails.
func (p RLRQ) AppendBinary(b []byte) ([]byte, error) {
	return appendAPDU(b, TagRLRQ, func(b []byte) []byte {
		return appendRelease(b, p.HasReason, p.Reason, p.UserInformation)
	}), nil
}

// AppendBinary appends the APDU. It never fails.
func (p RLRE) AppendBinary(b []byte) ([]byte, error) {
	return appendAPDU(b, TagRLRE, func(b []byte) []byte {
		return appendRelease(b, p.HasReason, p.Reason, p.UserInformation)
	}), nil
}

func appendRelease(b []byte, has bool, reason Reason, user []byte) []byte {
	if has {
		b = append(b, tagReason, 1, byte(reason))
	}
	return appendUserInformation(b, user)
}

// ParseRLRQ decodes the APDU at the start of b; the slices alias b.
func ParseRLRQ(b []byte) (p RLRQ, n int, err error) {
	s := scanner{apdu: "RLRQ", b: b}
	s.begin(TagRLRQ)
	for s.more() {
		tag, content := s.next()
		switch {
		case s.err != nil:
		case tag == tagReason:
			p.HasReason, p.Reason = true, s.reason(content)
		case tag == tagUserInformation:
			p.UserInformation = s.octets(content, "user-information")
		}
	}
	if s.err != nil {
		return RLRQ{}, 0, s.err
	}
	return p, s.off, nil
}

func (s *scanner) reason(content []byte) Reason {
	if len(content) != 1 {
		s.fail("reason", ErrLength)
		return 0
	}
	return Reason(content[0])
}

// ParseRLRE decodes the APDU at the start of b; the slices alias b.
//
// Widespread servers write lengths that are too short where there is
// user-information: 63 11 80 01 00 BE 0F 04 0E … has 21 bytes after the
// second and 16 after the sixth. The innermost length is right, so it is the
// one believed, as far as b reaches. Another server answers 63 01 00, a reason
// without its tag; that is taken too.
func ParseRLRE(b []byte) (p RLRE, n int, err error) {
	s := scanner{apdu: "RLRE", b: b}
	tag, length := s.header("tag")
	if s.err == nil && tag != TagRLRE {
		s.off = 0
		s.fail("tag", ErrTag)
	}
	end := s.off + length
	if s.err == nil && end > len(b) {
		s.fail("length", ErrTruncated)
	}
	if s.err == nil && length == 1 {
		p.HasReason, p.Reason = true, Reason(b[s.off])
		s.off = end
	}
	for s.err == nil && s.off < end {
		p.element(&s)
	}
	if s.err != nil {
		return RLRE{}, 0, s.err
	}
	return p, s.off, nil
}

// element reads one element of an RLRE whose outer lengths cannot be trusted.
func (p *RLRE) element(s *scanner) {
	tag, length := s.header("element")
	if s.err != nil {
		return
	}
	if tag == tagUserInformation {
		inner, size := s.header("user-information")
		if s.err == nil && inner != berOctetString {
			s.fail("user-information", ErrTag)
		}
		if p.UserInformation != nil {
			s.fail("user-information", ErrTwice)
		}
		p.UserInformation = s.take(size, "user-information")
		return
	}
	content := s.take(length, "element")
	if s.err == nil && tag == tagReason {
		p.HasReason, p.Reason = true, s.reason(content)
	}
}

func (s *scanner) take(n int, element string) []byte {
	if s.err == nil && n > len(s.b)-s.off {
		s.fail(element, ErrTruncated)
	}
	if s.err != nil {
		return nil
	}
	content := s.b[s.off : s.off+n : s.off+n]
	s.off += n
	return content
}
