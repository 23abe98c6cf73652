package apdu

import (
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// LayerKind is what a layer of protection does.
type LayerKind uint8

// The kinds (Blue Book, class 30; recalled).
const (
	LayerAuthentication LayerKind = iota
	LayerEncryption
	LayerBoth
	LayerSignature
)

// Layer is one layer of protection on data that is not an APDU: an element of the protection parameters of data
// protection, class 30, and what general-ciphering and general-signing say of themselves in an APDU (recalled).
//
//	structure{type enum, options structure{transaction_id octet-string, originator octet-string, recipient octet-string,
//	  other_information octet-string, key_info structure{kind enum, options}}}
//
// The options of key_info are an enum for an identified key, structure{kek enum, key octet-string} for a wrapped one,
// structure{parameters octet-string, data octet-string} for an agreed one. KeyInfoNone, as under a signature, is an
// identified key 0.
type Layer struct {
	Kind   LayerKind
	Header GeneralHeader // without DateTime
	Key    KeyInfo
}

// AppendTo appends the structure.
func (l Layer) AppendTo(b []byte) []byte {
	b = axdr.AppendStructureHeader(b, 2)
	b = axdr.AppendEnum(b, uint8(l.Kind))
	b = axdr.AppendStructureHeader(b, 5)
	b = axdr.AppendOctetString(b, l.Header.TransactionID)
	b = axdr.AppendOctetString(b, l.Header.Originator)
	b = axdr.AppendOctetString(b, l.Header.Recipient)
	b = axdr.AppendOctetString(b, l.Header.OtherInfo)
	b = axdr.AppendStructureHeader(b, 2)
	switch l.Key.Kind {
	case KeyInfoWrapped:
		b = axdr.AppendStructureHeader(axdr.AppendEnum(b, 1), 2)
		return axdr.AppendOctetString(axdr.AppendEnum(b, l.Key.KeyID), l.Key.Ciphered)
	case KeyInfoAgreed:
		b = axdr.AppendStructureHeader(axdr.AppendEnum(b, 2), 2)
		return axdr.AppendOctetString(axdr.AppendOctetString(b, l.Key.Parameters), l.Key.Ciphered)
	}
	return axdr.AppendEnum(axdr.AppendEnum(b, 0), l.Key.KeyID)
}

// ReadLayer reads the structure, whose slices alias the input; errors stay in r.
func ReadLayer(r *axdr.Reader) Layer {
	var l Layer
	r.Structure(2)
	if l.Kind = LayerKind(r.Enum()); l.Kind > LayerSignature {
		r.Fail("kind of protection", axdr.ErrValue)
	}
	r.Structure(5)
	l.Header = GeneralHeader{
		TransactionID: r.OctetString(), Originator: r.OctetString(), Recipient: r.OctetString(), OtherInfo: r.OctetString(),
	}
	r.Structure(2)
	switch kind := r.Enum(); kind {
	case 0:
		l.Key = KeyInfo{Kind: KeyInfoIdentified, KeyID: r.Enum()}
	case 1:
		r.Structure(2)
		l.Key = KeyInfo{Kind: KeyInfoWrapped, KeyID: r.Enum(), Ciphered: r.OctetString()}
	case 2:
		r.Structure(2)
		l.Key = KeyInfo{Kind: KeyInfoAgreed, Parameters: r.OctetString(), Ciphered: r.OctetString()}
	default:
		r.Fail("kind of key information", axdr.ErrValue)
	}
	return l
}

// ProtectedObject names an attribute, or a part of a profile's buffer, in the lists of data protection (class 30,
// recalled).
//
//	structure{class long-unsigned, logical_name octet-string, attribute integer, data_index long-unsigned,
//	  restriction structure{kind enum, null-data | structure{from, to}}}
type ProtectedObject struct {
	cosem.CaptureObject
	// Restriction is 0 for none, 1 for rows by their time (From and To are octet-strings that hold date-times), 2 for
	// rows by number (From and To are double-long-unsigned).
	Restriction uint8
	From, To    []byte // encoded Data
}

// AppendTo appends the structure.
func (p ProtectedObject) AppendTo(b []byte) []byte {
	b = axdr.AppendStructureHeader(b, 5)
	b = axdr.AppendUint16(b, uint16(p.Attribute.Class))
	b = axdr.AppendOctetString(b, p.Attribute.Instance[:])
	b = axdr.AppendInt8(b, p.Attribute.ID)
	b = axdr.AppendUint16(b, p.DataIndex)
	b = axdr.AppendStructureHeader(b, 2)
	b = axdr.AppendEnum(b, p.Restriction)
	if p.Restriction == 0 {
		return axdr.AppendNull(b)
	}
	return append(append(axdr.AppendStructureHeader(b, 2), p.From...), p.To...)
}

// ReadProtectedObject reads the structure, whose slices alias the input; errors stay in r.
func ReadProtectedObject(r *axdr.Reader) ProtectedObject {
	var p ProtectedObject
	r.Structure(5)
	p.Attribute.Class = cosem.ClassID(r.Uint16())
	p.Attribute.Instance, p.Attribute.ID = cosem.ReadOBIS(r), r.Int8()
	p.DataIndex = r.Uint16()
	r.Structure(2)
	switch p.Restriction = r.Enum(); p.Restriction {
	case 0:
		r.Null()
	case 1, 2:
		r.Structure(2)
		p.From, p.To = r.Data(), r.Data()
	default:
		r.Fail("kind of restriction", axdr.ErrValue)
	}
	return p
}
