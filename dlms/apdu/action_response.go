package apdu

import (
	"encoding/binary"
)

// ActionResponseNormal answers the call of one method (IEC 62056-5-3, published).
type ActionResponseNormal struct {
	InvokeID InvokeID
	Response ActionResponse
}

// Kind is KindActionResponseNormal.
func (ActionResponseNormal) Kind() Kind { return KindActionResponseNormal }

// AppendBinary appends the APDU.
func (p ActionResponseNormal) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindActionResponseNormal)
	b = append(b, byte(p.InvokeID))
	return appendActionResponse(b, p.Response), nil
}

// ParseActionResponseNormal decodes the APDU at the start of b.
func ParseActionResponseNormal(b []byte) (p ActionResponseNormal, n int, err error) {
	r := begin(b, KindActionResponseNormal)
	p.InvokeID = InvokeID(r.U8())
	p.Response = readActionResponse(&r)
	if n, err = finish(&r, KindActionResponseNormal); err != nil {
		return ActionResponseNormal{}, 0, err
	}
	return p, n, nil
}

// ActionResponseBlock is a part of a long answer (IEC 62056-5-3, published).
type ActionResponseBlock struct {
	InvokeID InvokeID
	Block    DataBlock
}

// Kind is KindActionResponseBlock.
func (ActionResponseBlock) Kind() Kind { return KindActionResponseBlock }

// AppendBinary appends the APDU.
func (p ActionResponseBlock) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindActionResponseBlock)
	b = append(b, byte(p.InvokeID))
	return appendBlock(b, p.Block), nil
}

// ParseActionResponseBlock decodes the APDU at the start of b.
func ParseActionResponseBlock(b []byte) (p ActionResponseBlock, n int, err error) {
	r := begin(b, KindActionResponseBlock)
	p.InvokeID = InvokeID(r.U8())
	p.Block = readBlock(&r)
	if n, err = finish(&r, KindActionResponseBlock); err != nil {
		return ActionResponseBlock{}, 0, err
	}
	return p, n, nil
}

// ActionResponseList answers the call of several methods, in its order (IEC 62056-5-3, published).
type ActionResponseList struct {
	InvokeID  InvokeID
	Responses ActionResultList
}

// Kind is KindActionResponseList.
func (ActionResponseList) Kind() Kind { return KindActionResponseList }

// AppendBinary appends the APDU.
func (p ActionResponseList) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindActionResponseList)
	b = append(b, byte(p.InvokeID))
	return p.Responses.AppendBinary(b)
}

// ParseActionResponseList decodes the APDU at the start of b.
func ParseActionResponseList(b []byte) (p ActionResponseList, n int, err error) {
	r := begin(b, KindActionResponseList)
	p.InvokeID = InvokeID(r.U8())
	p.Responses = ActionResultList{readList(&r, elementActionResponse)}
	if n, err = finish(&r, KindActionResponseList); err != nil {
		return ActionResponseList{}, 0, err
	}
	return p, n, nil
}

// ActionResponseNextBlock acknowledges a block of parameters (IEC 62056-5-3, published).
type ActionResponseNextBlock struct {
	InvokeID InvokeID
	Number   uint32 // the block acknowledged
}

// Kind is KindActionResponseNextBlock.
func (ActionResponseNextBlock) Kind() Kind { return KindActionResponseNextBlock }

// AppendBinary appends the APDU.
func (p ActionResponseNextBlock) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindActionResponseNextBlock)
	b = append(b, byte(p.InvokeID))
	return binary.BigEndian.AppendUint32(b, p.Number), nil
}

// ParseActionResponseNextBlock decodes the APDU at the start of b.
func ParseActionResponseNextBlock(b []byte) (p ActionResponseNextBlock, n int, err error) {
	r := begin(b, KindActionResponseNextBlock)
	p.InvokeID = InvokeID(r.U8())
	p.Number = r.U32()
	if n, err = finish(&r, KindActionResponseNextBlock); err != nil {
		return ActionResponseNextBlock{}, 0, err
	}
	return p, n, nil
}
