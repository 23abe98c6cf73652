package apdu

import (
	"fmt"
	"iter"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// element names what a list is made of. It is a number rather than a function
// so that readers stay on the stack.
type element uint8

const (
	elementAttribute element = iota
	elementMethod
	elementData
	elementGetResult
	elementResult
	elementActionResponse
	elementAccessSpec
	elementAccessResult
	elementVariable
	elementReadResult
	elementWriteResult
)

// minSize is the fewest bytes an element can take, which bounds counts.
func (e element) minSize() int {
	switch e {
	case elementAttribute:
		return cosem.DescriptorSize + 1
	case elementMethod:
		return cosem.DescriptorSize
	case elementAccessSpec:
		return 1 + cosem.DescriptorSize
	case elementGetResult, elementActionResponse, elementAccessResult:
		return 2
	case elementVariable:
		return 3
	}
	return 1
}

// read moves r over one element.
func (e element) read(r *axdr.Reader) {
	switch e {
	case elementAttribute:
		readAttributeSelection(r)
	case elementMethod:
		readMethod(r)
	case elementData:
		r.Data()
	case elementGetResult:
		readGetResult(r)
	case elementResult:
		r.U8()
	case elementActionResponse:
		readActionResponse(r)
	case elementAccessSpec:
		readAccessSpec(r)
	case elementAccessResult:
		readAccessResult(r)
	case elementVariable:
		readVariable(r)
	case elementReadResult:
		readReadResult(r)
	case elementWriteResult:
		readWriteResult(r)
	}
}

// list is a counted sequence, kept encoded. It is well formed: it comes from a
// parser that walked it or from Add.
type list struct {
	n   int
	raw []byte
}

// Len is the number of elements.
func (l list) Len() int { return l.n }

// AppendBinary appends the count and the elements, as they stand in the APDU
// and as a block transfer of the list carries them.
func (l list) AppendBinary(b []byte) ([]byte, error) {
	return append(axdr.AppendLength(b, l.n), l.raw...), nil
}

// reset empties the list and keeps its memory.
func (l *list) reset() { l.n, l.raw = 0, l.raw[:0] }

func readList(r *axdr.Reader, e element) list {
	n := r.Count(e.minSize())
	start := r.Offset()
	for range n {
		if e.read(r); r.Err() != nil {
			return list{}
		}
	}
	if n == 0 || r.Err() != nil {
		return list{}
	}
	return list{n: n, raw: r.Since(start)}
}

func parseList(b []byte, e element, what string) (list, int, error) {
	r := axdr.NewReader(b)
	l := readList(&r, e)
	if r.Err() != nil {
		return list{}, 0, fmt.Errorf("apdu: %s: %w", what, r.Err())
	}
	return l, r.Offset(), nil
}

// AttributeList is the attribute descriptors of a with-list request.
type AttributeList struct{ list }

// Add appends an attribute.
func (l *AttributeList) Add(a cosem.Attribute, s Selection) {
	l.raw = appendSelection(a.AppendTo(l.raw), s)
	l.n++
}

// Reset empties the list and keeps its memory.
func (l *AttributeList) Reset() { l.reset() }

// All yields the attributes in order.
func (l AttributeList) All() iter.Seq2[int, AttributeSelection] {
	return func(yield func(int, AttributeSelection) bool) {
		r := axdr.NewReader(l.raw)
		for i := range l.n {
			if !yield(i, readAttributeSelection(&r)) {
				return
			}
		}
	}
}

// MethodList is the method descriptors of a with-list ACTION.
type MethodList struct{ list }

// Add appends a method.
func (l *MethodList) Add(m cosem.Method) {
	l.raw = m.AppendTo(l.raw)
	l.n++
}

// Reset empties the list and keeps its memory.
func (l *MethodList) Reset() { l.reset() }

// All yields the methods in order.
func (l MethodList) All() iter.Seq2[int, cosem.Method] {
	return func(yield func(int, cosem.Method) bool) {
		r := axdr.NewReader(l.raw)
		for i := range l.n {
			if !yield(i, readMethod(&r)) {
				return
			}
		}
	}
}

// DataList is a list of encoded Data.
type DataList struct{ list }

// ParseDataList decodes a count and as many Data: the rest of a with-list SET
// or ACTION that came in blocks.
func ParseDataList(b []byte) (DataList, int, error) {
	l, n, err := parseList(b, elementData, "list of data")
	return DataList{l}, n, err
}

// Add appends one encoded Data.
func (l *DataList) Add(data []byte) {
	l.raw = append(l.raw, data...)
	l.n++
}

// Reset empties the list and keeps its memory.
func (l *DataList) Reset() { l.reset() }

// All yields each Data, encoded.
func (l DataList) All() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		r := axdr.NewReader(l.raw)
		for i := range l.n {
			if !yield(i, r.Data()) {
				return
			}
		}
	}
}

// GetResultList is the results of a with-list GET.
type GetResultList struct{ list }

// ParseGetResultList decodes a count and as many results: a with-list GET that
// came in blocks.
func ParseGetResultList(b []byte) (GetResultList, int, error) {
	l, n, err := parseList(b, elementGetResult, "list of get results")
	return GetResultList{l}, n, err
}

// Add appends a result.
func (l *GetResultList) Add(g GetResult) {
	l.raw = appendGetResult(l.raw, g)
	l.n++
}

// Reset empties the list and keeps its memory.
func (l *GetResultList) Reset() { l.reset() }

// All yields the results in order.
func (l GetResultList) All() iter.Seq2[int, GetResult] {
	return func(yield func(int, GetResult) bool) {
		r := axdr.NewReader(l.raw)
		for i := range l.n {
			if !yield(i, readGetResult(&r)) {
				return
			}
		}
	}
}

// ResultList is the results of a with-list SET.
type ResultList struct{ list }

// Add appends a result.
func (l *ResultList) Add(v cosem.Result) {
	l.raw = append(l.raw, byte(v))
	l.n++
}

// Reset empties the list and keeps its memory.
func (l *ResultList) Reset() { l.reset() }

// All yields the results in order.
func (l ResultList) All() iter.Seq2[int, cosem.Result] {
	return func(yield func(int, cosem.Result) bool) {
		for i, v := range l.raw {
			if !yield(i, cosem.Result(v)) {
				return
			}
		}
	}
}

// ActionResultList is the responses of a with-list ACTION.
type ActionResultList struct{ list }

// ParseActionResultList decodes a count and as many responses: a with-list
// ACTION whose answer came in blocks.
func ParseActionResultList(b []byte) (ActionResultList, int, error) {
	l, n, err := parseList(b, elementActionResponse, "list of action responses")
	return ActionResultList{l}, n, err
}

// Add appends a response.
func (l *ActionResultList) Add(a ActionResponse) {
	l.raw = appendActionResponse(l.raw, a)
	l.n++
}

// Reset empties the list and keeps its memory.
func (l *ActionResultList) Reset() { l.reset() }

// All yields the responses in order.
func (l ActionResultList) All() iter.Seq2[int, ActionResponse] {
	return func(yield func(int, ActionResponse) bool) {
		r := axdr.NewReader(l.raw)
		for i := range l.n {
			if !yield(i, readActionResponse(&r)) {
				return
			}
		}
	}
}
