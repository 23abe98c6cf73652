package apdu

import (
	"encoding/binary"

	"smets1/dlms/cosem"
)

// GetRequestNormal reads one attribute (IEC 62056-5-3, published).
type GetRequestNormal struct {
	InvokeID  InvokeID
	Attribute cosem.Attribute
	Selection Selection
}

// Kind is KindGetRequestNormal.
func (GetRequestNormal) Kind() Kind { return KindGetRequestNormal }

// AppendBinary appends the APDU.
func (p GetRequestNormal) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindGetRequestNormal)
	b = append(b, byte(p.InvokeID))
	b = p.Attribute.AppendTo(b)
	return appendSelection(b, p.Selection), nil
}

// ParseGetRequestNormal decodes the APDU at the start of b.
func ParseGetRequestNormal(b []byte) (p GetRequestNormal, n int, err error) {
	r := begin(b, KindGetRequestNormal)
	p.InvokeID = InvokeID(r.U8())
	p.Attribute = readAttribute(&r)
	p.Selection = readSelection(&r)
	if n, err = finish(&r, KindGetRequestNormal); err != nil {
		return GetRequestNormal{}, 0, err
	}
	return p, n, nil
}

// GetRequestNext asks for the block after Number (IEC 62056-5-3, published).
type GetRequestNext struct {
	InvokeID InvokeID
	Number   uint32 // the block received last; the answer has Number+1
}

// Kind is KindGetRequestNext.
func (GetRequestNext) Kind() Kind { return KindGetRequestNext }

// AppendBinary appends the APDU.
func (p GetRequestNext) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindGetRequestNext)
	b = append(b, byte(p.InvokeID))
	return binary.BigEndian.AppendUint32(b, p.Number), nil
}

// ParseGetRequestNext decodes the APDU at the start of b.
func ParseGetRequestNext(b []byte) (p GetRequestNext, n int, err error) {
	r := begin(b, KindGetRequestNext)
	p.InvokeID = InvokeID(r.U8())
	p.Number = r.U32()
	if n, err = finish(&r, KindGetRequestNext); err != nil {
		return GetRequestNext{}, 0, err
	}
	return p, n, nil
}

// GetRequestList reads several attributes (IEC 62056-5-3, published).
type GetRequestList struct {
	InvokeID   InvokeID
	Attributes AttributeList
}

// Kind is KindGetRequestList.
func (GetRequestList) Kind() Kind { return KindGetRequestList }

// AppendBinary appends the APDU.
func (p GetRequestList) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindGetRequestList)
	b = append(b, byte(p.InvokeID))
	return p.Attributes.AppendBinary(b)
}

// ParseGetRequestList decodes the APDU at the start of b.
func ParseGetRequestList(b []byte) (p GetRequestList, n int, err error) {
	r := begin(b, KindGetRequestList)
	p.InvokeID = InvokeID(r.U8())
	p.Attributes = AttributeList{readList(&r, elementAttribute)}
	if n, err = finish(&r, KindGetRequestList); err != nil {
		return GetRequestList{}, 0, err
	}
	return p, n, nil
}
