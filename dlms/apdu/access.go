package apdu

import (
	"encoding/binary"
	"iter"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// AccessKind is what one part of an access request does.
type AccessKind uint8

// The parts (IEC 62056-5-3, published).
const (
	AccessGet             AccessKind = 1
	AccessSet             AccessKind = 2
	AccessAction          AccessKind = 3
	AccessGetWithSelected AccessKind = 4
	AccessSetWithSelected AccessKind = 5
)

// AccessSpec is one part of an access request: an attribute to read or write,
// or a method to call.
type AccessSpec struct {
	Kind      AccessKind
	Attribute cosem.Attribute // all but AccessAction
	Method    cosem.Method    // AccessAction
	Selection Selection       // AccessGetWithSelected, AccessSetWithSelected
}

func appendAccessSpec(b []byte, s AccessSpec) ([]byte, bool) {
	b = append(b, byte(s.Kind))
	switch s.Kind {
	case AccessGet, AccessSet:
		return s.Attribute.AppendTo(b), true
	case AccessAction:
		return s.Method.AppendTo(b), true
	case AccessGetWithSelected, AccessSetWithSelected:
		b = append(s.Attribute.AppendTo(b), s.Selection.Selector)
		return append(b, s.Selection.Data...), !s.Selection.IsZero()
	}
	return b, false
}

func readAccessSpec(r *axdr.Reader) AccessSpec {
	s := AccessSpec{Kind: AccessKind(r.U8())}
	switch s.Kind {
	case AccessGet, AccessSet:
		s.Attribute = readAttribute(r)
	case AccessAction:
		s.Method = readMethod(r)
	case AccessGetWithSelected, AccessSetWithSelected:
		s.Attribute = readAttribute(r)
		s.Selection = Selection{Selector: r.U8(), Data: r.Data()}
	default:
		r.Fail("access request specification", axdr.ErrValue)
	}
	return s
}

// AccessSpecList is the parts of an access request.
type AccessSpecList struct{ list }

// Add appends a part. It fails on an unknown kind and on a selected one without selection.
func (l *AccessSpecList) Add(s AccessSpec) error {
	raw, ok := appendAccessSpec(l.raw, s)
	if !ok {
		return incomplete(TagAccessRequest.Kind(), "valid specification")
	}
	l.raw = raw
	l.n++
	return nil
}

// Reset empties the list and keeps its memory.
func (l *AccessSpecList) Reset() { l.reset() }

// All yields the parts in order.
func (l AccessSpecList) All() iter.Seq2[int, AccessSpec] {
	return func(yield func(int, AccessSpec) bool) {
		r := axdr.NewReader(l.raw)
		for i := range l.n {
			if !yield(i, readAccessSpec(&r)) {
				return
			}
		}
	}
}

// AccessRequest reads, writes and calls in one APDU (IEC 62056-5-3, published).
// Data has one element for each part; a read has null-data there.
//
//	D9 long-iip(4) (00 | 0C date-time(12)) n×spec n×data
type AccessRequest struct {
	InvokeID LongInvokeID
	HasTime  bool
	Time     axdr.DateTime
	Specs    AccessSpecList
	Data     DataList
}

// Kind is the kind of TagAccessRequest.
func (AccessRequest) Kind() Kind { return TagAccessRequest.Kind() }

// AppendBinary appends the APDU.
func (p AccessRequest) AppendBinary(b []byte) ([]byte, error) {
	if err := checkCounts(p.Kind(), p.Specs.Len(), p.Data.Len()); err != nil {
		return b, err
	}
	b = binary.BigEndian.AppendUint32(append(b, byte(TagAccessRequest)), uint32(p.InvokeID))
	b = appendDateTime(b, p.HasTime, p.Time)
	b, _ = p.Specs.AppendBinary(b)
	return p.Data.AppendBinary(b)
}

// ParseAccessRequest decodes the APDU at the start of b.
func ParseAccessRequest(b []byte) (p AccessRequest, n int, err error) {
	r := begin(b, TagAccessRequest.Kind())
	p.InvokeID = LongInvokeID(r.U32())
	p.HasTime, p.Time = readDateTime(&r)
	p.Specs = AccessSpecList{readList(&r, elementAccessSpec)}
	p.Data = DataList{readList(&r, elementData)}
	if n, err = finish(&r, TagAccessRequest.Kind()); err != nil {
		return AccessRequest{}, 0, err
	}
	if err = checkCounts(TagAccessRequest.Kind(), p.Specs.Len(), p.Data.Len()); err != nil {
		return AccessRequest{}, 0, err
	}
	return p, n, nil
}

// AccessResult is what one part of an access request came to. Kind is
// AccessGet, AccessSet or AccessAction and says how to read Code: as a
// cosem.Result or as a cosem.ActionResult.
type AccessResult struct {
	Kind AccessKind
	Code uint8
}

// Err is nil on success, else the cosem.Result or cosem.ActionResult.
func (a AccessResult) Err() error {
	if a.Kind == AccessAction {
		return cosem.ActionResult(a.Code).Err()
	}
	return cosem.Result(a.Code).Err()
}

func readAccessResult(r *axdr.Reader) AccessResult {
	a := AccessResult{Kind: AccessKind(r.U8()), Code: r.U8()}
	if r.Err() == nil && (a.Kind < AccessGet || a.Kind > AccessAction) {
		r.Fail("access response specification", axdr.ErrValue)
	}
	return a
}

// AccessResultList is the results of an access request.
type AccessResultList struct{ list }

// Add appends a result. The kinds with selection become the ones without, as
// the response knows no others.
func (l *AccessResultList) Add(a AccessResult) {
	switch a.Kind {
	case AccessGetWithSelected:
		a.Kind = AccessGet
	case AccessSetWithSelected:
		a.Kind = AccessSet
	}
	l.raw = append(l.raw, byte(a.Kind), a.Code)
	l.n++
}

// Reset empties the list and keeps its memory.
func (l *AccessResultList) Reset() { l.reset() }

// All yields the results in order.
func (l AccessResultList) All() iter.Seq2[int, AccessResult] {
	return func(yield func(int, AccessResult) bool) {
		r := axdr.NewReader(l.raw)
		for i := range l.n {
			if !yield(i, readAccessResult(&r)) {
				return
			}
		}
	}
}

// AccessResponse answers an AccessRequest (IEC 62056-5-3, published). Data and
// Results have one element for each part; where there is nothing to return the
// data is null-data.
//
//	DA long-iip(4) (00 | 0C date-time(12)) (00 | 01 n×spec) n×data n×(kind result)
type AccessResponse struct {
	InvokeID LongInvokeID
	HasTime  bool
	Time     axdr.DateTime
	HasSpecs bool // the parts of the request are repeated in Specs
	Specs    AccessSpecList
	Data     DataList
	Results  AccessResultList
}

// Kind is the kind of TagAccessResponse.
func (AccessResponse) Kind() Kind { return TagAccessResponse.Kind() }

// AppendBinary appends the APDU.
func (p AccessResponse) AppendBinary(b []byte) ([]byte, error) {
	if err := checkCounts(p.Kind(), p.Results.Len(), p.Data.Len()); err != nil {
		return b, err
	}
	b = binary.BigEndian.AppendUint32(append(b, byte(TagAccessResponse)), uint32(p.InvokeID))
	b = appendBool(appendDateTime(b, p.HasTime, p.Time), p.HasSpecs)
	if p.HasSpecs {
		b, _ = p.Specs.AppendBinary(b)
	}
	b, _ = p.Data.AppendBinary(b)
	return p.Results.AppendBinary(b)
}

// ParseAccessResponse decodes the APDU at the start of b.
func ParseAccessResponse(b []byte) (p AccessResponse, n int, err error) {
	r := begin(b, TagAccessResponse.Kind())
	p.InvokeID = LongInvokeID(r.U32())
	p.HasTime, p.Time = readDateTime(&r)
	if p.HasSpecs = present(&r); p.HasSpecs {
		p.Specs = AccessSpecList{readList(&r, elementAccessSpec)}
	}
	p.Data = DataList{readList(&r, elementData)}
	p.Results = AccessResultList{readList(&r, elementAccessResult)}
	if n, err = finish(&r, TagAccessResponse.Kind()); err != nil {
		return AccessResponse{}, 0, err
	}
	if err = checkCounts(TagAccessResponse.Kind(), p.Results.Len(), p.Data.Len()); err != nil {
		return AccessResponse{}, 0, err
	}
	return p, n, nil
}
