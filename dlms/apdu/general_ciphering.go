package apdu

import "smets1/dlms/axdr"

// GeneralHeader is what general-ciphering and general-signing begin with. Each
// field is an octet string and may be empty.
type GeneralHeader struct {
	TransactionID []byte
	Originator    []byte // system title of the sender
	Recipient     []byte // system title of the receiver
	DateTime      []byte // 12 bytes or none
	OtherInfo     []byte
}

// AppendFields appends the five fields with their lengths, as they stand in
// the APDU and in the additional authenticated data.
func (h GeneralHeader) AppendFields(b []byte) []byte {
	b = appendOctets(b, h.TransactionID)
	b = appendOctets(b, h.Originator)
	b = appendOctets(b, h.Recipient)
	b = appendOctets(b, h.DateTime)
	return appendOctets(b, h.OtherInfo)
}

func readGeneralHeader(r *axdr.Reader) GeneralHeader {
	return GeneralHeader{
		TransactionID: r.LengthBytes(), Originator: r.LengthBytes(), Recipient: r.LengthBytes(),
		DateTime: r.LengthBytes(), OtherInfo: r.LengthBytes(),
	}
}

// KeyInfoKind says how the key of a general-ciphering APDU is found.
type KeyInfoKind uint8

// The kinds of KeyInfo; the zero value is none. On the wire they are one less.
const (
	KeyInfoNone       KeyInfoKind = 0
	KeyInfoIdentified KeyInfoKind = 1 // KeyID: 0 global unicast, 1 global broadcast
	KeyInfoWrapped    KeyInfoKind = 2 // KeyID: 0 master key (KEK); Ciphered: the wrapped key
	KeyInfoAgreed     KeyInfoKind = 3 // Parameters: 01 one-pass, 02 static unified; Ciphered: public key and signature
)

// KeyInfo is the key information of general-ciphering (IEC 62056-5-3, published).
//
//	00 | 01 00 key-id(1) | 01 01 kek-id(1) len wrapped | 01 02 len parameters len ciphered
type KeyInfo struct {
	Kind       KeyInfoKind
	KeyID      uint8
	Parameters []byte
	Ciphered   []byte
}

func appendKeyInfo(b []byte, k KeyInfo) ([]byte, error) {
	switch k.Kind {
	case KeyInfoNone:
		return append(b, 0), nil
	case KeyInfoIdentified:
		return append(b, 1, 0, k.KeyID), nil
	case KeyInfoWrapped:
		return appendOctets(append(b, 1, 1, k.KeyID), k.Ciphered), nil
	case KeyInfoAgreed:
		return appendOctets(appendOctets(append(b, 1, 2), k.Parameters), k.Ciphered), nil
	}
	return b, incomplete(TagGeneralCiphering.Kind(), "valid kind of key information")
}

func readKeyInfo(r *axdr.Reader) KeyInfo {
	if !present(r) {
		return KeyInfo{}
	}
	k := KeyInfo{}
	switch r.U8() {
	case 0:
		k.Kind, k.KeyID = KeyInfoIdentified, r.U8()
	case 1:
		k.Kind, k.KeyID = KeyInfoWrapped, r.U8()
		k.Ciphered = r.LengthBytes()
	case 2:
		k.Kind, k.Parameters = KeyInfoAgreed, r.LengthBytes()
		k.Ciphered = r.LengthBytes()
	default:
		r.Fail("choice of key information", axdr.ErrValue)
	}
	return k
}

// GeneralCiphering is any APDU ciphered under a key that the APDU itself names
// (IEC 62056-5-3, published).
//
//	DD len transaction-id len originator len recipient len date-time len other-info key-info len content
type GeneralCiphering struct {
	GeneralHeader
	KeyInfo KeyInfo
	Content []byte
}

// Kind is the kind of TagGeneralCiphering.
func (GeneralCiphering) Kind() Kind { return TagGeneralCiphering.Kind() }

// AppendBinary appends the APDU.
func (p GeneralCiphering) AppendBinary(b []byte) ([]byte, error) {
	out, err := appendKeyInfo(p.AppendFields(append(b, byte(TagGeneralCiphering))), p.KeyInfo)
	if err != nil {
		return b, err
	}
	return appendOctets(out, p.Content), nil
}

// ParseGeneralCiphering decodes the APDU at the start of b.
func ParseGeneralCiphering(b []byte) (p GeneralCiphering, n int, err error) {
	r := begin(b, TagGeneralCiphering.Kind())
	p.GeneralHeader = readGeneralHeader(&r)
	p.KeyInfo = readKeyInfo(&r)
	p.Content = r.LengthBytes()
	if n, err = finish(&r, TagGeneralCiphering.Kind()); err != nil {
		return GeneralCiphering{}, 0, err
	}
	return p, n, nil
}

// GeneralSigning is any APDU, plain or ciphered, with a signature over the
// header fields and it (IEC 62056-5-3, published).
//
//	DF len transaction-id len originator len recipient len date-time len other-info len content len signature
type GeneralSigning struct {
	GeneralHeader
	Content   []byte
	Signature []byte
}

// Kind is the kind of TagGeneralSigning.
func (GeneralSigning) Kind() Kind { return TagGeneralSigning.Kind() }

// AppendBinary appends the APDU.
func (p GeneralSigning) AppendBinary(b []byte) ([]byte, error) {
	b = p.AppendFields(append(b, byte(TagGeneralSigning)))
	return appendOctets(appendOctets(b, p.Content), p.Signature), nil
}

// ParseGeneralSigning decodes the APDU at the start of b.
func ParseGeneralSigning(b []byte) (p GeneralSigning, n int, err error) {
	r := begin(b, TagGeneralSigning.Kind())
	p.GeneralHeader = readGeneralHeader(&r)
	p.Content = r.LengthBytes()
	p.Signature = r.LengthBytes()
	if n, err = finish(&r, TagGeneralSigning.Kind()); err != nil {
		return GeneralSigning{}, 0, err
	}
	return p, n, nil
}
