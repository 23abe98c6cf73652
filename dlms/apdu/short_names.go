package apdu

import (
	"encoding/binary"
	"iter"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// Short-name services (IEC 62056-5-3, published). No SMETS1 device is known to
// need them; they are here so that a server can refuse them by name and a tool
// can show them.

// VariableKind is how a short-name request names what it wants.
type VariableKind uint8

// The kinds of Variable.
const (
	VariableName          VariableKind = 2
	VariableParameterized VariableKind = 4 // Name, Selector, Data
	VariableBlockNumber   VariableKind = 5 // Number
	VariableReadBlock     VariableKind = 6 // Last, Number, Data is raw
	VariableWriteBlock    VariableKind = 7 // Last, Number
)

// Variable is a variable-access-specification.
//
//	02 name(2) | 04 name(2) selector data | 05 block(2) | 06 last block(2) len raw | 07 last block(2)
type Variable struct {
	Kind     VariableKind
	Name     uint16
	Selector uint8
	Last     bool
	Number   uint16
	Data     []byte
}

func appendVariable(b []byte, v Variable) ([]byte, bool) {
	b = append(b, byte(v.Kind))
	switch v.Kind {
	case VariableName:
		return binary.BigEndian.AppendUint16(b, v.Name), true
	case VariableParameterized:
		b = append(binary.BigEndian.AppendUint16(b, v.Name), v.Selector)
		return append(b, v.Data...), len(v.Data) > 0
	case VariableBlockNumber:
		return binary.BigEndian.AppendUint16(b, v.Number), true
	case VariableReadBlock:
		b = binary.BigEndian.AppendUint16(appendBool(b, v.Last), v.Number)
		return appendOctets(b, v.Data), true
	case VariableWriteBlock:
		return binary.BigEndian.AppendUint16(appendBool(b, v.Last), v.Number), true
	}
	return b, false
}

func readVariable(r *axdr.Reader) Variable {
	v := Variable{Kind: VariableKind(r.U8())}
	switch v.Kind {
	case VariableName:
		v.Name = r.U16()
	case VariableParameterized:
		v.Name, v.Selector, v.Data = r.U16(), r.U8(), r.Data()
	case VariableBlockNumber:
		v.Number = r.U16()
	case VariableReadBlock:
		v.Last, v.Number, v.Data = r.Flag(), r.U16(), r.LengthBytes()
	case VariableWriteBlock:
		v.Last, v.Number = r.Flag(), r.U16()
	default:
		r.Fail("variable access specification", axdr.ErrValue)
	}
	return v
}

// VariableList is the variables of a short-name request.
type VariableList struct{ list }

// Add appends a variable. It fails on an unknown kind and on a parameterized one without parameter.
func (l *VariableList) Add(v Variable) error {
	raw, ok := appendVariable(l.raw, v)
	if !ok {
		return incomplete(TagReadRequest.Kind(), "valid variable")
	}
	l.raw = raw
	l.n++
	return nil
}

// All yields the variables in order.
func (l VariableList) All() iter.Seq2[int, Variable] {
	return func(yield func(int, Variable) bool) {
		r := axdr.NewReader(l.raw)
		for i := range l.n {
			if !yield(i, readVariable(&r)) {
				return
			}
		}
	}
}

// ReadRequest reads by short name.
//
//	05 n×variable
type ReadRequest struct{ Variables VariableList }

// Kind is the kind of TagReadRequest.
func (ReadRequest) Kind() Kind { return TagReadRequest.Kind() }

// AppendBinary appends the APDU.
func (p ReadRequest) AppendBinary(b []byte) ([]byte, error) {
	return p.Variables.AppendBinary(append(b, byte(TagReadRequest)))
}

// ParseReadRequest decodes the APDU at the start of b.
func ParseReadRequest(b []byte) (p ReadRequest, n int, err error) {
	r := begin(b, TagReadRequest.Kind())
	p.Variables = VariableList{readList(&r, elementVariable)}
	if n, err = finish(&r, TagReadRequest.Kind()); err != nil {
		return ReadRequest{}, 0, err
	}
	return p, n, nil
}

// WriteRequest writes by short name; Unconfirmed makes it the
// unconfirmed-write-request, which nobody answers.
//
//	06 or 16, n×variable n×data
type WriteRequest struct {
	Unconfirmed bool
	Variables   VariableList
	Data        DataList
}

func (p WriteRequest) tag() Tag {
	if p.Unconfirmed {
		return TagUnconfirmedWrite
	}
	return TagWriteRequest
}

// Kind is the kind of TagWriteRequest or TagUnconfirmedWrite.
func (p WriteRequest) Kind() Kind { return p.tag().Kind() }

// AppendBinary appends the APDU.
func (p WriteRequest) AppendBinary(b []byte) ([]byte, error) {
	if err := checkCounts(p.Kind(), p.Variables.Len(), p.Data.Len()); err != nil {
		return b, err
	}
	b, _ = p.Variables.AppendBinary(append(b, byte(p.tag())))
	return p.Data.AppendBinary(b)
}

// ParseWriteRequest decodes either APDU at the start of b.
func ParseWriteRequest(b []byte) (p WriteRequest, n int, err error) {
	p.Unconfirmed = len(b) > 0 && Tag(b[0]) == TagUnconfirmedWrite
	k := p.Kind()
	r := begin(b, k)
	p.Variables = VariableList{readList(&r, elementVariable)}
	p.Data = DataList{readList(&r, elementData)}
	if n, err = finish(&r, k); err != nil {
		return WriteRequest{}, 0, err
	}
	if err = checkCounts(k, p.Variables.Len(), p.Data.Len()); err != nil {
		return WriteRequest{}, 0, err
	}
	return p, n, nil
}

// ReadResultKind is the form of one result of a short-name read.
type ReadResultKind uint8

// The kinds of ReadResult.
const (
	ReadData        ReadResultKind = 0
	ReadError       ReadResultKind = 1
	ReadBlock       ReadResultKind = 2 // Last, Number, Data is raw
	ReadBlockNumber ReadResultKind = 3 // Number, acknowledges a block of a long request
)

// ReadResult is one result of a short-name read.
//
//	00 data | 01 DAR | 02 last block(2) len raw | 03 block(2)
type ReadResult struct {
	Kind   ReadResultKind
	Data   []byte
	Result cosem.Result
	Last   bool
	Number uint16
}

func appendReadResult(b []byte, v ReadResult) ([]byte, bool) {
	b = append(b, byte(v.Kind))
	switch v.Kind {
	case ReadData:
		return append(b, v.Data...), len(v.Data) > 0
	case ReadError:
		return append(b, byte(v.Result)), true
	case ReadBlock:
		b = binary.BigEndian.AppendUint16(appendBool(b, v.Last), v.Number)
		return appendOctets(b, v.Data), true
	case ReadBlockNumber:
		return binary.BigEndian.AppendUint16(b, v.Number), true
	}
	return b, false
}

func readReadResult(r *axdr.Reader) ReadResult {
	v := ReadResult{Kind: ReadResultKind(r.U8())}
	switch v.Kind {
	case ReadData:
		v.Data = r.Data()
	case ReadError:
		v.Result = cosem.Result(r.U8())
	case ReadBlock:
		v.Last, v.Number, v.Data = r.Flag(), r.U16(), r.LengthBytes()
	case ReadBlockNumber:
		v.Number = r.U16()
	default:
		r.Fail("read result", axdr.ErrValue)
	}
	return v
}

// ReadResultList is the results of a short-name read.
type ReadResultList struct{ list }

// Add appends a result. It fails on an unknown kind and on data that is empty.
func (l *ReadResultList) Add(v ReadResult) error {
	raw, ok := appendReadResult(l.raw, v)
	if !ok {
		return incomplete(TagReadResponse.Kind(), "valid result")
	}
	l.raw = raw
	l.n++
	return nil
}

// All yields the results in order.
func (l ReadResultList) All() iter.Seq2[int, ReadResult] {
	return func(yield func(int, ReadResult) bool) {
		r := axdr.NewReader(l.raw)
		for i := range l.n {
			if !yield(i, readReadResult(&r)) {
				return
			}
		}
	}
}

// ReadResponse answers a ReadRequest.
//
//	0C n×result
type ReadResponse struct{ Results ReadResultList }

// Kind is the kind of TagReadResponse.
func (ReadResponse) Kind() Kind { return TagReadResponse.Kind() }

// AppendBinary appends the APDU.
func (p ReadResponse) AppendBinary(b []byte) ([]byte, error) {
	return p.Results.AppendBinary(append(b, byte(TagReadResponse)))
}

// ParseReadResponse decodes the APDU at the start of b.
func ParseReadResponse(b []byte) (p ReadResponse, n int, err error) {
	r := begin(b, TagReadResponse.Kind())
	p.Results = ReadResultList{readList(&r, elementReadResult)}
	if n, err = finish(&r, TagReadResponse.Kind()); err != nil {
		return ReadResponse{}, 0, err
	}
	return p, n, nil
}

// WriteResultKind is the form of one result of a short-name write.
type WriteResultKind uint8

// The kinds of WriteResult.
const (
	WriteSuccess     WriteResultKind = 0
	WriteError       WriteResultKind = 1
	WriteBlockNumber WriteResultKind = 2 // Number, acknowledges a block
)

// WriteResult is one result of a short-name write.
//
//	00 | 01 DAR | 02 block(2)
type WriteResult struct {
	Kind   WriteResultKind
	Result cosem.Result
	Number uint16
}

func readWriteResult(r *axdr.Reader) WriteResult {
	v := WriteResult{Kind: WriteResultKind(r.U8())}
	switch v.Kind {
	case WriteSuccess:
	case WriteError:
		v.Result = cosem.Result(r.U8())
	case WriteBlockNumber:
		v.Number = r.U16()
	default:
		r.Fail("write result", axdr.ErrValue)
	}
	return v
}

// WriteResultList is the results of a short-name write.
type WriteResultList struct{ list }

// Add appends a result. It fails on an unknown kind.
func (l *WriteResultList) Add(v WriteResult) error {
	switch v.Kind {
	case WriteSuccess:
		l.raw = append(l.raw, byte(v.Kind))
	case WriteError:
		l.raw = append(l.raw, byte(v.Kind), byte(v.Result))
	case WriteBlockNumber:
		l.raw = binary.BigEndian.AppendUint16(append(l.raw, byte(v.Kind)), v.Number)
	default:
		return incomplete(TagWriteResponse.Kind(), "valid result")
	}
	l.n++
	return nil
}

// All yields the results in order.
func (l WriteResultList) All() iter.Seq2[int, WriteResult] {
	return func(yield func(int, WriteResult) bool) {
		r := axdr.NewReader(l.raw)
		for i := range l.n {
			if !yield(i, readWriteResult(&r)) {
				return
			}
		}
	}
}

// WriteResponse answers a WriteRequest.
//
//	0D n×result
type WriteResponse struct{ Results WriteResultList }

// Kind is the kind of TagWriteResponse.
func (WriteResponse) Kind() Kind { return TagWriteResponse.Kind() }

// AppendBinary appends the APDU.
func (p WriteResponse) AppendBinary(b []byte) ([]byte, error) {
	return p.Results.AppendBinary(append(b, byte(TagWriteResponse)))
}

// ParseWriteResponse decodes the APDU at the start of b.
func ParseWriteResponse(b []byte) (p WriteResponse, n int, err error) {
	r := begin(b, TagWriteResponse.Kind())
	p.Results = WriteResultList{readList(&r, elementWriteResult)}
	if n, err = finish(&r, TagWriteResponse.Kind()); err != nil {
		return WriteResponse{}, 0, err
	}
	return p, n, nil
}

// InformationReport is values that a server sends unasked, by short name.
//
//	18 (00 | 01 len generalized-time) n×variable n×data
type InformationReport struct {
	Time      []byte // ASCII GeneralizedTime; empty for none
	Variables VariableList
	Data      DataList
}

// Kind is the kind of TagInformationReport.
func (InformationReport) Kind() Kind { return TagInformationReport.Kind() }

// AppendBinary appends the APDU.
func (p InformationReport) AppendBinary(b []byte) ([]byte, error) {
	if err := checkCounts(p.Kind(), p.Variables.Len(), p.Data.Len()); err != nil {
		return b, err
	}
	b = append(b, byte(TagInformationReport))
	if len(p.Time) == 0 {
		b = append(b, 0)
	} else {
		b = appendOctets(append(b, 1), p.Time)
	}
	b, _ = p.Variables.AppendBinary(b)
	return p.Data.AppendBinary(b)
}

// ParseInformationReport decodes the APDU at the start of b.
func ParseInformationReport(b []byte) (p InformationReport, n int, err error) {
	k := TagInformationReport.Kind()
	r := begin(b, k)
	if present(&r) {
		p.Time = r.LengthBytes()
	}
	p.Variables = VariableList{readList(&r, elementVariable)}
	p.Data = DataList{readList(&r, elementData)}
	if n, err = finish(&r, k); err != nil {
		return InformationReport{}, 0, err
	}
	if err = checkCounts(k, p.Variables.Len(), p.Data.Len()); err != nil {
		return InformationReport{}, 0, err
	}
	return p, n, nil
}
