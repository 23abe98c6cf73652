package apdu

import (
	"fmt"

	"smets1/dlms/axdr"
)

// Ciphered is a service-specific ciphered APDU, glo- or ded- (IEC 62056-5-3,
// published).
//
//	tag len content
//
// Content is security control(1), invocation counter(4), then what
// dlms/security opens.
type Ciphered struct {
	Tag     Tag
	Content []byte
}

// Kind is the kind of Tag.
func (p Ciphered) Kind() Kind { return p.Tag.Kind() }

// AppendBinary appends the APDU.
func (p Ciphered) AppendBinary(b []byte) ([]byte, error) {
	if !p.Tag.IsGlo() && !p.Tag.IsDed() {
		return b, &Error{Kind: p.Kind(), Err: fmt.Errorf("not a glo- or ded- tag: %w", ErrKind)}
	}
	b = axdr.AppendLength(append(b, byte(p.Tag)), len(p.Content))
	return append(b, p.Content...), nil
}

// ParseCiphered decodes the APDU at the start of b.
func ParseCiphered(b []byte) (p Ciphered, n int, err error) {
	r := axdr.NewReader(b)
	p.Tag = Tag(r.U8())
	if r.Err() == nil && !p.Tag.IsGlo() && !p.Tag.IsDed() {
		r.Fail("tag", ErrKind)
	}
	p.Content = r.LengthBytes()
	if n, err = finish(&r, p.Tag.Kind()); err != nil {
		return Ciphered{}, 0, err
	}
	return p, n, nil
}

// GeneralGlo is any APDU ciphered under the global key, with the system title
// of its sender (IEC 62056-5-3, published).
//
//	DB len system-title len content
type GeneralGlo struct {
	SystemTitle []byte // 8 bytes; some peers leave it empty once it is known
	Content     []byte
}

// Kind is the kind of TagGeneralGlo.
func (GeneralGlo) Kind() Kind { return TagGeneralGlo.Kind() }

// AppendBinary appends the APDU.
func (p GeneralGlo) AppendBinary(b []byte) ([]byte, error) {
	return appendTitled(b, TagGeneralGlo, p.SystemTitle, p.Content), nil
}

// ParseGeneralGlo decodes the APDU at the start of b.
func ParseGeneralGlo(b []byte) (p GeneralGlo, n int, err error) {
	p.SystemTitle, p.Content, n, err = parseTitled(b, TagGeneralGlo)
	return p, n, err
}

// GeneralDed is any APDU ciphered under the dedicated key (IEC 62056-5-3, published).
//
//	DC len system-title len content
type GeneralDed struct {
	SystemTitle []byte
	Content     []byte
}

// Kind is the kind of TagGeneralDed.
func (GeneralDed) Kind() Kind { return TagGeneralDed.Kind() }

// AppendBinary appends the APDU.
func (p GeneralDed) AppendBinary(b []byte) ([]byte, error) {
	return appendTitled(b, TagGeneralDed, p.SystemTitle, p.Content), nil
}

// ParseGeneralDed decodes the APDU at the start of b.
func ParseGeneralDed(b []byte) (p GeneralDed, n int, err error) {
	p.SystemTitle, p.Content, n, err = parseTitled(b, TagGeneralDed)
	return p, n, err
}

func appendTitled(b []byte, t Tag, title, content []byte) []byte {
	b = appendOctets(append(b, byte(t)), title)
	return appendOctets(b, content)
}

func appendOctets(b, v []byte) []byte { return append(axdr.AppendLength(b, len(v)), v...) }

func parseTitled(b []byte, t Tag) (title, content []byte, n int, err error) {
	r := begin(b, t.Kind())
	title = r.LengthBytes()
	content = r.LengthBytes()
	if n, err = finish(&r, t.Kind()); err != nil {
		return nil, nil, 0, err
	}
	return title, content, n, nil
}
