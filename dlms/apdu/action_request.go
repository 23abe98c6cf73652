package apdu

import (
	"encoding/binary"

	"smets1/dlms/cosem"
)

// ActionRequestNormal calls one method (IEC 62056-5-3, published).
type ActionRequestNormal struct {
	InvokeID InvokeID
	Method   cosem.Method
	Data     []byte // encoded parameter; empty for none
}

// Kind is KindActionRequestNormal.
func (ActionRequestNormal) Kind() Kind { return KindActionRequestNormal }

// AppendBinary appends the APDU.
func (p ActionRequestNormal) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindActionRequestNormal)
	b = append(b, byte(p.InvokeID))
	b = p.Method.AppendTo(b)
	return appendOptionalData(b, p.Data), nil
}

// ParseActionRequestNormal decodes the APDU at the start of b.
func ParseActionRequestNormal(b []byte) (p ActionRequestNormal, n int, err error) {
	r := begin(b, KindActionRequestNormal)
	p.InvokeID = InvokeID(r.U8())
	p.Method = readMethod(&r)
	p.Data = readOptionalData(&r)
	if n, err = finish(&r, KindActionRequestNormal); err != nil {
		return ActionRequestNormal{}, 0, err
	}
	return p, n, nil
}

// ActionRequestNextBlock asks for the next block of the answer (IEC 62056-5-3, published).
type ActionRequestNextBlock struct {
	InvokeID InvokeID
	Number   uint32 // the block received last
}

// Kind is KindActionRequestNextBlock.
func (ActionRequestNextBlock) Kind() Kind { return KindActionRequestNextBlock }

// AppendBinary appends the APDU.
func (p ActionRequestNextBlock) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindActionRequestNextBlock)
	b = append(b, byte(p.InvokeID))
	return binary.BigEndian.AppendUint32(b, p.Number), nil
}

// ParseActionRequestNextBlock decodes the APDU at the start of b.
func ParseActionRequestNextBlock(b []byte) (p ActionRequestNextBlock, n int, err error) {
	r := begin(b, KindActionRequestNextBlock)
	p.InvokeID = InvokeID(r.U8())
	p.Number = r.U32()
	if n, err = finish(&r, KindActionRequestNextBlock); err != nil {
		return ActionRequestNextBlock{}, 0, err
	}
	return p, n, nil
}

// ActionRequestList calls several methods (IEC 62056-5-3, published).
type ActionRequestList struct {
	InvokeID InvokeID
	Methods  MethodList
	Data     DataList
}

// Kind is KindActionRequestList.
func (ActionRequestList) Kind() Kind { return KindActionRequestList }

// AppendBinary appends the APDU.
func (p ActionRequestList) AppendBinary(b []byte) ([]byte, error) {
	if err := checkCounts(KindActionRequestList, p.Methods.Len(), p.Data.Len()); err != nil {
		return b, err
	}
	b = appendKind(b, KindActionRequestList)
	b = append(b, byte(p.InvokeID))
	b, _ = p.Methods.AppendBinary(b)
	return p.Data.AppendBinary(b)
}

// ParseActionRequestList decodes the APDU at the start of b.
func ParseActionRequestList(b []byte) (p ActionRequestList, n int, err error) {
	r := begin(b, KindActionRequestList)
	p.InvokeID = InvokeID(r.U8())
	p.Methods = MethodList{readList(&r, elementMethod)}
	p.Data = DataList{readList(&r, elementData)}
	if n, err = finish(&r, KindActionRequestList); err != nil {
		return ActionRequestList{}, 0, err
	}
	if err = checkCounts(KindActionRequestList, p.Methods.Len(), p.Data.Len()); err != nil {
		return ActionRequestList{}, 0, err
	}
	return p, n, nil
}

// ActionRequestFirstBlock begins to call one method with a parameter in blocks (IEC 62056-5-3, published).
type ActionRequestFirstBlock struct {
	InvokeID InvokeID
	Method   cosem.Method
	Block    DataBlock
}

// Kind is KindActionRequestFirstBlock.
func (ActionRequestFirstBlock) Kind() Kind { return KindActionRequestFirstBlock }

// AppendBinary appends the APDU.
func (p ActionRequestFirstBlock) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindActionRequestFirstBlock)
	b = append(b, byte(p.InvokeID))
	b = p.Method.AppendTo(b)
	return appendBlock(b, p.Block), nil
}

// ParseActionRequestFirstBlock decodes the APDU at the start of b.
func ParseActionRequestFirstBlock(b []byte) (p ActionRequestFirstBlock, n int, err error) {
	r := begin(b, KindActionRequestFirstBlock)
	p.InvokeID = InvokeID(r.U8())
	p.Method = readMethod(&r)
	p.Block = readBlock(&r)
	if n, err = finish(&r, KindActionRequestFirstBlock); err != nil {
		return ActionRequestFirstBlock{}, 0, err
	}
	return p, n, nil
}

// ActionRequestListFirstBlock begins to call several methods with parameters in blocks; the blocks carry the list of data with its count (IEC 62056-5-3, published).
type ActionRequestListFirstBlock struct {
	InvokeID InvokeID
	Methods  MethodList
	Block    DataBlock
}

// Kind is KindActionRequestListFirstBlock.
func (ActionRequestListFirstBlock) Kind() Kind { return KindActionRequestListFirstBlock }

// AppendBinary appends the APDU.
func (p ActionRequestListFirstBlock) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindActionRequestListFirstBlock)
	b = append(b, byte(p.InvokeID))
	b, _ = p.Methods.AppendBinary(b)
	return appendBlock(b, p.Block), nil
}

// ParseActionRequestListFirstBlock decodes the APDU at the start of b.
func ParseActionRequestListFirstBlock(b []byte) (p ActionRequestListFirstBlock, n int, err error) {
	r := begin(b, KindActionRequestListFirstBlock)
	p.InvokeID = InvokeID(r.U8())
	p.Methods = MethodList{readList(&r, elementMethod)}
	p.Block = readBlock(&r)
	if n, err = finish(&r, KindActionRequestListFirstBlock); err != nil {
		return ActionRequestListFirstBlock{}, 0, err
	}
	return p, n, nil
}

// ActionRequestBlock goes on with the parameters (IEC 62056-5-3, published).
type ActionRequestBlock struct {
	InvokeID InvokeID
	Block    DataBlock
}

// Kind is KindActionRequestBlock.
func (ActionRequestBlock) Kind() Kind { return KindActionRequestBlock }

// AppendBinary appends the APDU.
func (p ActionRequestBlock) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindActionRequestBlock)
	b = append(b, byte(p.InvokeID))
	return appendBlock(b, p.Block), nil
}

// ParseActionRequestBlock decodes the APDU at the start of b.
func ParseActionRequestBlock(b []byte) (p ActionRequestBlock, n int, err error) {
	r := begin(b, KindActionRequestBlock)
	p.InvokeID = InvokeID(r.U8())
	p.Block = readBlock(&r)
	if n, err = finish(&r, KindActionRequestBlock); err != nil {
		return ActionRequestBlock{}, 0, err
	}
	return p, n, nil
}
