package apdu

import (
	"smets1/dlms/cosem"
)

// SetRequestNormal writes one attribute (IEC 62056-5-3, published).
type SetRequestNormal struct {
	InvokeID  InvokeID
	Attribute cosem.Attribute
	Selection Selection
	Data      []byte // encoded
}

// Kind is KindSetRequestNormal.
func (SetRequestNormal) Kind() Kind { return KindSetRequestNormal }

// AppendBinary appends the APDU.
func (p SetRequestNormal) AppendBinary(b []byte) ([]byte, error) {
	if len(p.Data) == 0 {
		return b, incomplete(KindSetRequestNormal, "data")
	}
	b = appendKind(b, KindSetRequestNormal)
	b = append(b, byte(p.InvokeID))
	b = p.Attribute.AppendTo(b)
	b = appendSelection(b, p.Selection)
	return append(b, p.Data...), nil
}

// ParseSetRequestNormal decodes the APDU at the start of b.
func ParseSetRequestNormal(b []byte) (p SetRequestNormal, n int, err error) {
	r := begin(b, KindSetRequestNormal)
	p.InvokeID = InvokeID(r.U8())
	p.Attribute = readAttribute(&r)
	p.Selection = readSelection(&r)
	p.Data = r.Data()
	if n, err = finish(&r, KindSetRequestNormal); err != nil {
		return SetRequestNormal{}, 0, err
	}
	return p, n, nil
}

// SetRequestFirstBlock begins to write one attribute in blocks (IEC 62056-5-3, published).
type SetRequestFirstBlock struct {
	InvokeID  InvokeID
	Attribute cosem.Attribute
	Selection Selection
	Block     DataBlock
}

// Kind is KindSetRequestFirstBlock.
func (SetRequestFirstBlock) Kind() Kind { return KindSetRequestFirstBlock }

// AppendBinary appends the APDU.
func (p SetRequestFirstBlock) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindSetRequestFirstBlock)
	b = append(b, byte(p.InvokeID))
	b = p.Attribute.AppendTo(b)
	b = appendSelection(b, p.Selection)
	return appendBlock(b, p.Block), nil
}

// ParseSetRequestFirstBlock decodes the APDU at the start of b.
func ParseSetRequestFirstBlock(b []byte) (p SetRequestFirstBlock, n int, err error) {
	r := begin(b, KindSetRequestFirstBlock)
	p.InvokeID = InvokeID(r.U8())
	p.Attribute = readAttribute(&r)
	p.Selection = readSelection(&r)
	p.Block = readBlock(&r)
	if n, err = finish(&r, KindSetRequestFirstBlock); err != nil {
		return SetRequestFirstBlock{}, 0, err
	}
	return p, n, nil
}

// SetRequestBlock goes on with a write in blocks (IEC 62056-5-3, published).
type SetRequestBlock struct {
	InvokeID InvokeID
	Block    DataBlock
}

// Kind is KindSetRequestBlock.
func (SetRequestBlock) Kind() Kind { return KindSetRequestBlock }

// AppendBinary appends the APDU.
func (p SetRequestBlock) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindSetRequestBlock)
	b = append(b, byte(p.InvokeID))
	return appendBlock(b, p.Block), nil
}

// ParseSetRequestBlock decodes the APDU at the start of b.
func ParseSetRequestBlock(b []byte) (p SetRequestBlock, n int, err error) {
	r := begin(b, KindSetRequestBlock)
	p.InvokeID = InvokeID(r.U8())
	p.Block = readBlock(&r)
	if n, err = finish(&r, KindSetRequestBlock); err != nil {
		return SetRequestBlock{}, 0, err
	}
	return p, n, nil
}

// SetRequestList writes several attributes (IEC 62056-5-3, published).
type SetRequestList struct {
	InvokeID   InvokeID
	Attributes AttributeList
	Data       DataList
}

// Kind is KindSetRequestList.
func (SetRequestList) Kind() Kind { return KindSetRequestList }

// AppendBinary appends the APDU.
func (p SetRequestList) AppendBinary(b []byte) ([]byte, error) {
	if err := checkCounts(KindSetRequestList, p.Attributes.Len(), p.Data.Len()); err != nil {
		return b, err
	}
	b = appendKind(b, KindSetRequestList)
	b = append(b, byte(p.InvokeID))
	b, _ = p.Attributes.AppendBinary(b)
	return p.Data.AppendBinary(b)
}

// ParseSetRequestList decodes the APDU at the start of b.
func ParseSetRequestList(b []byte) (p SetRequestList, n int, err error) {
	r := begin(b, KindSetRequestList)
	p.InvokeID = InvokeID(r.U8())
	p.Attributes = AttributeList{readList(&r, elementAttribute)}
	p.Data = DataList{readList(&r, elementData)}
	if n, err = finish(&r, KindSetRequestList); err != nil {
		return SetRequestList{}, 0, err
	}
	if err = checkCounts(KindSetRequestList, p.Attributes.Len(), p.Data.Len()); err != nil {
		return SetRequestList{}, 0, err
	}
	return p, n, nil
}

// SetRequestListFirstBlock begins to write several attributes in blocks; the blocks carry the list of data with its count (IEC 62056-5-3, published).
type SetRequestListFirstBlock struct {
	InvokeID   InvokeID
	Attributes AttributeList
	Block      DataBlock
}

// Kind is KindSetRequestListFirstBlock.
func (SetRequestListFirstBlock) Kind() Kind { return KindSetRequestListFirstBlock }

// AppendBinary appends the APDU.
func (p SetRequestListFirstBlock) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindSetRequestListFirstBlock)
	b = append(b, byte(p.InvokeID))
	b, _ = p.Attributes.AppendBinary(b)
	return appendBlock(b, p.Block), nil
}

// ParseSetRequestListFirstBlock decodes the APDU at the start of b.
func ParseSetRequestListFirstBlock(b []byte) (p SetRequestListFirstBlock, n int, err error) {
	r := begin(b, KindSetRequestListFirstBlock)
	p.InvokeID = InvokeID(r.U8())
	p.Attributes = AttributeList{readList(&r, elementAttribute)}
	p.Block = readBlock(&r)
	if n, err = finish(&r, KindSetRequestListFirstBlock); err != nil {
		return SetRequestListFirstBlock{}, 0, err
	}
	return p, n, nil
}
