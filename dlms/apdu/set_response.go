package apdu

import (
	"encoding/binary"

	"smets1/dlms/cosem"
)

// SetResponseNormal answers a write of one attribute (IEC 62056-5-3, published).
type SetResponseNormal struct {
	InvokeID InvokeID
	Result   cosem.Result
}

// Kind is KindSetResponseNormal.
func (SetResponseNormal) Kind() Kind { return KindSetResponseNormal }

// AppendBinary appends the APDU.
func (p SetResponseNormal) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindSetResponseNormal)
	b = append(b, byte(p.InvokeID))
	return append(b, byte(p.Result)), nil
}

// ParseSetResponseNormal decodes the APDU at the start of b.
func ParseSetResponseNormal(b []byte) (p SetResponseNormal, n int, err error) {
	r := begin(b, KindSetResponseNormal)
	p.InvokeID = InvokeID(r.U8())
	p.Result = cosem.Result(r.U8())
	if n, err = finish(&r, KindSetResponseNormal); err != nil {
		return SetResponseNormal{}, 0, err
	}
	return p, n, nil
}

// SetResponseBlock acknowledges a block (IEC 62056-5-3, published).
type SetResponseBlock struct {
	InvokeID InvokeID
	Number   uint32 // the block acknowledged
}

// Kind is KindSetResponseBlock.
func (SetResponseBlock) Kind() Kind { return KindSetResponseBlock }

// AppendBinary appends the APDU.
func (p SetResponseBlock) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindSetResponseBlock)
	b = append(b, byte(p.InvokeID))
	return binary.BigEndian.AppendUint32(b, p.Number), nil
}

// ParseSetResponseBlock decodes the APDU at the start of b.
func ParseSetResponseBlock(b []byte) (p SetResponseBlock, n int, err error) {
	r := begin(b, KindSetResponseBlock)
	p.InvokeID = InvokeID(r.U8())
	p.Number = r.U32()
	if n, err = finish(&r, KindSetResponseBlock); err != nil {
		return SetResponseBlock{}, 0, err
	}
	return p, n, nil
}

// SetResponseLastBlock answers a write of one attribute in blocks (IEC 62056-5-3, published).
type SetResponseLastBlock struct {
	InvokeID InvokeID
	Result   cosem.Result
	Number   uint32 // the last block
}

// Kind is KindSetResponseLastBlock.
func (SetResponseLastBlock) Kind() Kind { return KindSetResponseLastBlock }

// AppendBinary appends the APDU.
func (p SetResponseLastBlock) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindSetResponseLastBlock)
	b = append(b, byte(p.InvokeID))
	b = append(b, byte(p.Result))
	return binary.BigEndian.AppendUint32(b, p.Number), nil
}

// ParseSetResponseLastBlock decodes the APDU at the start of b.
func ParseSetResponseLastBlock(b []byte) (p SetResponseLastBlock, n int, err error) {
	r := begin(b, KindSetResponseLastBlock)
	p.InvokeID = InvokeID(r.U8())
	p.Result = cosem.Result(r.U8())
	p.Number = r.U32()
	if n, err = finish(&r, KindSetResponseLastBlock); err != nil {
		return SetResponseLastBlock{}, 0, err
	}
	return p, n, nil
}

// SetResponseLastBlockList answers a write of several attributes in blocks (IEC 62056-5-3, published).
type SetResponseLastBlockList struct {
	InvokeID InvokeID
	Results  ResultList
	Number   uint32 // the last block
}

// Kind is KindSetResponseLastBlockList.
func (SetResponseLastBlockList) Kind() Kind { return KindSetResponseLastBlockList }

// AppendBinary appends the APDU.
func (p SetResponseLastBlockList) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindSetResponseLastBlockList)
	b = append(b, byte(p.InvokeID))
	b, _ = p.Results.AppendBinary(b)
	return binary.BigEndian.AppendUint32(b, p.Number), nil
}

// ParseSetResponseLastBlockList decodes the APDU at the start of b.
func ParseSetResponseLastBlockList(b []byte) (p SetResponseLastBlockList, n int, err error) {
	r := begin(b, KindSetResponseLastBlockList)
	p.InvokeID = InvokeID(r.U8())
	p.Results = ResultList{readList(&r, elementResult)}
	p.Number = r.U32()
	if n, err = finish(&r, KindSetResponseLastBlockList); err != nil {
		return SetResponseLastBlockList{}, 0, err
	}
	return p, n, nil
}

// SetResponseList answers a write of several attributes, in its order (IEC 62056-5-3, published).
type SetResponseList struct {
	InvokeID InvokeID
	Results  ResultList
}

// Kind is KindSetResponseList.
func (SetResponseList) Kind() Kind { return KindSetResponseList }

// AppendBinary appends the APDU.
func (p SetResponseList) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindSetResponseList)
	b = append(b, byte(p.InvokeID))
	return p.Results.AppendBinary(b)
}

// ParseSetResponseList decodes the APDU at the start of b.
func ParseSetResponseList(b []byte) (p SetResponseList, n int, err error) {
	r := begin(b, KindSetResponseList)
	p.InvokeID = InvokeID(r.U8())
	p.Results = ResultList{readList(&r, elementResult)}
	if n, err = finish(&r, KindSetResponseList); err != nil {
		return SetResponseList{}, 0, err
	}
	return p, n, nil
}
