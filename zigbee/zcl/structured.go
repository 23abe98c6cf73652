package zcl

import (
	"fmt"

	"smets1/zigbee/internal/field"
)

// Selector points into a structured attribute: an index per level. None means the whole attribute.
//
//	indicator(1): 0-3 depth, 4-7 action (0 whole, 1 add, 2 remove; of writes); indices(2 each)
type Selector struct {
	Action  uint8
	Indices []uint16
}

func selector(c *field.Coder, s *Selector) {
	if c.Writing() && (len(s.Indices) > 15 || s.Action > 15) {
		c.Fail(fmt.Errorf("zcl: selector of %d levels with action %d: %w", len(s.Indices), s.Action, ErrFormat))
	}
	v := uint8(len(s.Indices))&15 | s.Action<<4
	field.U8(c, &v)
	s.Action = v >> 4
	field.List(c, &s.Indices, int(v&15), field.U16[uint16])
}

// StructuredRead names part of an attribute.
type StructuredRead struct {
	ID       Attr
	Selector Selector
}

// StructuredWrite is a value for part of an attribute.
type StructuredWrite struct {
	ID       Attr
	Selector Selector
	Value    Value
}

// StructuredStatus is a failure to write part of an attribute.
type StructuredStatus struct {
	Status   Status
	ID       Attr
	Selector Selector
}

// ReadAttributesStructured asks for parts of attributes (ZCL, clause 2.5.15; published).
//
//	{id(2) selector}
type ReadAttributesStructured struct {
	Reads []StructuredRead
}

// GlobalID implements Global.
func (ReadAttributesStructured) GlobalID() GlobalID { return CmdReadAttributesStructured }

// AppendBinary implements Global.
func (m ReadAttributesStructured) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ReadAttributesStructured) fields(c *field.Coder) {
	field.ListRest(c, &m.Reads, func(c *field.Coder, s *StructuredRead) {
		field.U16(c, &s.ID)
		selector(c, &s.Selector)
	})
}

// WriteAttributesStructured writes parts of attributes (ZCL, clause 2.5.16; published).
//
//	{id(2) selector type(1) value}
type WriteAttributesStructured struct {
	Writes []StructuredWrite
}

// GlobalID implements Global.
func (WriteAttributesStructured) GlobalID() GlobalID { return CmdWriteAttributesStructured }

// AppendBinary implements Global.
func (m WriteAttributesStructured) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *WriteAttributesStructured) fields(c *field.Coder) {
	field.ListRest(c, &m.Writes, func(c *field.Coder, s *StructuredWrite) {
		field.U16(c, &s.ID)
		selector(c, &s.Selector)
		typed(c, &s.Value)
	})
}

// WriteAttributesStructuredResponse answers: the failures, or one octet if there were none (ZCL, clause 2.5.17; published).
//
//	status(1)=00 | {status(1) id(2) selector}
type WriteAttributesStructuredResponse struct {
	Failures []StructuredStatus
}

// GlobalID implements Global.
func (WriteAttributesStructuredResponse) GlobalID() GlobalID {
	return CmdWriteAttributesStructuredResponse
}

// AppendBinary implements Global.
func (m WriteAttributesStructuredResponse) AppendBinary(b []byte) ([]byte, error) {
	return write(b, &m)
}

func (m *WriteAttributesStructuredResponse) fields(c *field.Coder) {
	if c.Writing() && len(m.Failures) == 0 || c.Left() == 1 {
		var s Status
		if field.U8(c, &s); s != Success {
			c.Fail(s)
		}
		return
	}
	field.ListRest(c, &m.Failures, func(c *field.Coder, s *StructuredStatus) {
		field.U8(c, &s.Status)
		field.U16(c, &s.ID)
		selector(c, &s.Selector)
	})
}
