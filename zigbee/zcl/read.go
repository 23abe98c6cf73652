package zcl

import "smets1/zigbee/internal/field"

// ReadAttributes asks for attributes (ZCL, clause 2.5.1; published).
//
//	{id(2)}
type ReadAttributes struct {
	IDs []Attr
}

// GlobalID implements Global.
func (ReadAttributes) GlobalID() GlobalID { return CmdReadAttributes }

// AppendBinary implements Global.
func (m ReadAttributes) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ReadAttributes) fields(c *field.Coder) {
	field.ListRest(c, &m.IDs, field.U16[Attr])
}

// ReadStatus is the answer for one attribute.
//
//	id(2) status(1) [type(1) value]
type ReadStatus struct {
	ID     Attr
	Status Status
	Value  Value // with Success
}

func readStatus(c *field.Coder, s *ReadStatus) {
	field.U16(c, &s.ID)
	field.U8(c, &s.Status)
	if s.Status == Success {
		typed(c, &s.Value)
	}
}

// ReadAttributesResponse answers (ZCL, clause 2.5.2; published).
//
//	{id(2) status(1) [type(1) value]}
type ReadAttributesResponse struct {
	Attributes []ReadStatus
}

// GlobalID implements Global.
func (ReadAttributesResponse) GlobalID() GlobalID { return CmdReadAttributesResponse }

// AppendBinary implements Global.
func (m ReadAttributesResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ReadAttributesResponse) fields(c *field.Coder) {
	field.ListRest(c, &m.Attributes, readStatus)
}
