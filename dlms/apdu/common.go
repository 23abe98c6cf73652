package apdu

import (
	"encoding/binary"
	"fmt"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// InvokeID is the invoke-id-and-priority byte of GET, SET and ACTION: the low
// four bits number the request, bit 6 asks for an answer, bit 7 for priority.
// A response carries the byte of its request.
type InvokeID uint8

// The bits of InvokeID.
const (
	InvokeConfirmed InvokeID = 0x40
	InvokeHigh      InvokeID = 0x80
	invokeMask      InvokeID = 0x0F
)

// ConfirmedInvoke is the usual byte of a client: answer wanted, high priority,
// number id modulo 16. The first one is C1.
func ConfirmedInvoke(id uint8) InvokeID {
	return InvokeID(id)&invokeMask | InvokeConfirmed | InvokeHigh
}

// ID is the number, 0 to 15.
func (i InvokeID) ID() uint8 { return uint8(i & invokeMask) }

// Confirmed reports whether an answer is wanted.
func (i InvokeID) Confirmed() bool { return i&InvokeConfirmed != 0 }

// High reports whether the request has priority.
func (i InvokeID) High() bool { return i&InvokeHigh != 0 }

// LongInvokeID is the long-invoke-id-and-priority of access and data-notification.
type LongInvokeID uint32

// The bits of LongInvokeID beside the number.
const (
	LongInvokeSelfDescriptive LongInvokeID = 1 << 28
	LongInvokeBreakOnError    LongInvokeID = 1 << 29 // stop at the first part that fails
	LongInvokeConfirmed       LongInvokeID = 1 << 30
	LongInvokeHigh            LongInvokeID = 1 << 31
	longInvokeMask            LongInvokeID = 1<<24 - 1
)

// ID is the number, 24 bits.
func (i LongInvokeID) ID() uint32 { return uint32(i & longInvokeMask) }

// Has reports whether every bit of want is set.
func (i LongInvokeID) Has(want LongInvokeID) bool { return i&want == want }

// Selection is a selective access: a selector and its encoded parameter. Where
// Data is empty there is none.
type Selection struct {
	Selector uint8
	Data     []byte
}

// IsZero reports whether there is no selective access.
func (s Selection) IsZero() bool { return len(s.Data) == 0 }

// AttributeSelection is an attribute descriptor with its selective access.
type AttributeSelection struct {
	Attribute cosem.Attribute
	Selection Selection
}

// GetResult is the Get-Data-Result: encoded Data, or where that is empty the
// reason there is none.
type GetResult struct {
	Data   []byte
	Result cosem.Result
}

// Err is nil where there is data, and otherwise the Result. Success without
// data is an error too.
func (g GetResult) Err() error {
	if len(g.Data) > 0 {
		return nil
	}
	return g.Result
}

// ActionResponse is what one method call came to. A method may return
// parameters whatever the result; Returns says whether it did.
type ActionResponse struct {
	Result  cosem.ActionResult
	Returns bool
	Return  GetResult
}

// DataBlock is a part of a block transfer. Numbers begin with 1. Raw is a
// slice of what is transferred, cut anywhere.
type DataBlock struct {
	Last   bool
	Number uint32
	Raw    []byte
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendSelection(b []byte, s Selection) []byte {
	if s.IsZero() {
		return append(b, 0)
	}
	return append(append(b, 1, s.Selector), s.Data...)
}

// present reads the byte before an optional element. It must be 00 or 01:
// anything else means that the two sides are out of step.
func present(r *axdr.Reader) bool {
	switch v := r.U8(); {
	case r.Err() != nil || v == 0:
		return false
	case v == 1:
		return true
	}
	r.Fail("presence of an optional element", axdr.ErrValue)
	return false
}

func readAttribute(r *axdr.Reader) cosem.Attribute {
	if b := r.Bytes(cosem.DescriptorSize); b != nil {
		return cosem.AttributeOf(b)
	}
	return cosem.Attribute{}
}

func readMethod(r *axdr.Reader) cosem.Method {
	if b := r.Bytes(cosem.DescriptorSize); b != nil {
		return cosem.MethodOf(b)
	}
	return cosem.Method{}
}

func readSelection(r *axdr.Reader) Selection {
	if !present(r) {
		return Selection{}
	}
	return Selection{Selector: r.U8(), Data: r.Data()}
}

func readAttributeSelection(r *axdr.Reader) AttributeSelection {
	return AttributeSelection{Attribute: readAttribute(r), Selection: readSelection(r)}
}

func appendGetResult(b []byte, g GetResult) []byte {
	if len(g.Data) == 0 {
		return append(b, 1, byte(g.Result))
	}
	return append(append(b, 0), g.Data...)
}

func readGetResult(r *axdr.Reader) GetResult {
	switch choice := r.U8(); {
	case r.Err() != nil:
		return GetResult{}
	case choice == 0:
		return GetResult{Data: r.Data()}
	case choice == 1:
		return GetResult{Result: cosem.Result(r.U8())}
	}
	r.Fail("choice of data or result", axdr.ErrValue)
	return GetResult{}
}

func appendActionResponse(b []byte, a ActionResponse) []byte {
	b = append(b, byte(a.Result))
	if !a.Returns {
		return append(b, 0)
	}
	return appendGetResult(append(b, 1), a.Return)
}

func readActionResponse(r *axdr.Reader) ActionResponse {
	a := ActionResponse{Result: cosem.ActionResult(r.U8()), Returns: present(r)}
	if a.Returns {
		a.Return = readGetResult(r)
	}
	return a
}

func appendBlock(b []byte, d DataBlock) []byte {
	b = binary.BigEndian.AppendUint32(appendBool(b, d.Last), d.Number)
	return append(axdr.AppendLength(b, len(d.Raw)), d.Raw...)
}

func readBlock(r *axdr.Reader) DataBlock {
	return DataBlock{Last: r.Flag(), Number: r.U32(), Raw: r.LengthBytes()}
}

// appendOptionalData appends 00, or 01 and the data.
func appendOptionalData(b, data []byte) []byte {
	if len(data) == 0 {
		return append(b, 0)
	}
	return append(append(b, 1), data...)
}

func readOptionalData(r *axdr.Reader) []byte {
	if !present(r) {
		return nil
	}
	return r.Data()
}

// appendDateTime appends the date-time of access and data-notification: an
// octet string that is empty where there is none.
func appendDateTime(b []byte, has bool, t axdr.DateTime) []byte {
	if !has {
		return append(b, 0)
	}
	b, _ = t.AppendBinary(append(b, 12))
	return b
}

func readDateTime(r *axdr.Reader) (has bool, t axdr.DateTime) {
	raw := r.LengthBytes()
	if r.Err() != nil || len(raw) == 0 {
		return false, axdr.DateTime{}
	}
	t, err := axdr.ParseDateTime(raw)
	if err != nil {
		r.Fail("date-time", axdr.ErrLength)
		return false, axdr.DateTime{}
	}
	return true, t
}

// checkCounts compares the lengths of two lists that belong together.
func checkCounts(k Kind, a, b int) error {
	if a != b {
		return &Error{Kind: k, Err: fmt.Errorf("%d descriptors and %d data: %w", a, b, ErrCounts)}
	}
	return nil
}
