package apdu

import (
	"encoding/binary"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// GetResponseNormal answers with the data or a reason (IEC 62056-5-3, published).
type GetResponseNormal struct {
	InvokeID InvokeID
	Result   GetResult
}

// Kind is KindGetResponseNormal.
func (GetResponseNormal) Kind() Kind { return KindGetResponseNormal }

// AppendBinary appends the APDU.
func (p GetResponseNormal) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindGetResponseNormal)
	b = append(b, byte(p.InvokeID))
	return appendGetResult(b, p.Result), nil
}

// ParseGetResponseNormal decodes the APDU at the start of b.
func ParseGetResponseNormal(b []byte) (p GetResponseNormal, n int, err error) {
	r := begin(b, KindGetResponseNormal)
	p.InvokeID = InvokeID(r.U8())
	p.Result = readGetResult(&r)
	if n, err = finish(&r, KindGetResponseNormal); err != nil {
		return GetResponseNormal{}, 0, err
	}
	return p, n, nil
}

// GetResponseBlock is a part of a long answer (IEC 62056-5-3, published). Where
// Result is not Success the transfer has ended with that reason and there is no Raw.
type GetResponseBlock struct {
	InvokeID InvokeID
	Last     bool
	Number   uint32 // from 1
	Result   cosem.Result
	Raw      []byte
}

// Kind is KindGetResponseBlock.
func (GetResponseBlock) Kind() Kind { return KindGetResponseBlock }

// AppendBinary appends the APDU.
func (p GetResponseBlock) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindGetResponseBlock)
	b = appendBool(append(b, byte(p.InvokeID)), p.Last)
	b = binary.BigEndian.AppendUint32(b, p.Number)
	if p.Result != cosem.Success {
		return append(b, 1, byte(p.Result)), nil
	}
	return append(axdr.AppendLength(append(b, 0), len(p.Raw)), p.Raw...), nil
}

// ParseGetResponseBlock decodes the APDU at the start of b.
func ParseGetResponseBlock(b []byte) (p GetResponseBlock, n int, err error) {
	r := begin(b, KindGetResponseBlock)
	p.InvokeID = InvokeID(r.U8())
	p.Last = r.Flag()
	p.Number = r.U32()
	switch r.U8() {
	case 0:
		p.Raw = r.LengthBytes()
	case 1:
		// A block that failed with "success" means nothing a receiver could act on.
		if p.Result = cosem.Result(r.U8()); p.Result == cosem.Success {
			r.Fail("result of the block", axdr.ErrValue)
		}
	default:
		r.Fail("choice of block or result", axdr.ErrValue)
	}
	if n, err = finish(&r, KindGetResponseBlock); err != nil {
		return GetResponseBlock{}, 0, err
	}
	return p, n, nil
}

// GetResponseList answers a with-list request, in its order (IEC 62056-5-3, published).
type GetResponseList struct {
	InvokeID InvokeID
	Results  GetResultList
}

// Kind is KindGetResponseList.
func (GetResponseList) Kind() Kind { return KindGetResponseList }

// AppendBinary appends the APDU.
func (p GetResponseList) AppendBinary(b []byte) ([]byte, error) {
	b = appendKind(b, KindGetResponseList)
	b = append(b, byte(p.InvokeID))
	return p.Results.AppendBinary(b)
}

// ParseGetResponseList decodes the APDU at the start of b.
func ParseGetResponseList(b []byte) (p GetResponseList, n int, err error) {
	r := begin(b, KindGetResponseList)
	p.InvokeID = InvokeID(r.U8())
	p.Results = GetResultList{readList(&r, elementGetResult)}
	if n, err = finish(&r, KindGetResponseList); err != nil {
		return GetResponseList{}, 0, err
	}
	return p, n, nil
}
