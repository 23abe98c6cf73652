package zcl

import "smets1/zigbee/internal/field"

// WriteAttributes writes what can be written (ZCL, clause 2.5.3; published).
//
//	{id(2) type(1) value}
type WriteAttributes struct {
	Attributes []Attribute
}

// GlobalID implements Global.
func (WriteAttributes) GlobalID() GlobalID { return CmdWriteAttributes }

// AppendBinary implements Global.
func (m WriteAttributes) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *WriteAttributes) fields(c *field.Coder) {
	field.ListRest(c, &m.Attributes, attribute)
}

// WriteAttributesUndivided writes all or nothing (ZCL, clause 2.5.4; published).
//
//	{id(2) type(1) value}
type WriteAttributesUndivided struct {
	Attributes []Attribute
}

// GlobalID implements Global.
func (WriteAttributesUndivided) GlobalID() GlobalID { return CmdWriteAttributesUndivided }

// AppendBinary implements Global.
func (m WriteAttributesUndivided) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *WriteAttributesUndivided) fields(c *field.Coder) {
	field.ListRest(c, &m.Attributes, attribute)
}

// WriteAttributesNoResponse writes without an answer (ZCL, clause 2.5.6; published).
//
//	{id(2) type(1) value}
type WriteAttributesNoResponse struct {
	Attributes []Attribute
}

// GlobalID implements Global.
func (WriteAttributesNoResponse) GlobalID() GlobalID { return CmdWriteAttributesNoResponse }

// AppendBinary implements Global.
func (m WriteAttributesNoResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *WriteAttributesNoResponse) fields(c *field.Coder) {
	field.ListRest(c, &m.Attributes, attribute)
}

// ReportAttributes reports values (ZCL, clause 2.5.11; published).
//
//	{id(2) type(1) value}
type ReportAttributes struct {
	Attributes []Attribute
}

// GlobalID implements Global.
func (ReportAttributes) GlobalID() GlobalID { return CmdReportAttributes }

// AppendBinary implements Global.
func (m ReportAttributes) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ReportAttributes) fields(c *field.Coder) {
	field.ListRest(c, &m.Attributes, attribute)
}

// WriteStatus is a failure to write one attribute.
type WriteStatus struct {
	Status Status
	ID     Attr
}

// WriteAttributesResponse answers: the failures, or one octet if there were none (ZCL, clause 2.5.5; published).
//
//	status(1)=00 | {status(1) id(2)}
type WriteAttributesResponse struct {
	Failures []WriteStatus
}

// GlobalID implements Global.
func (WriteAttributesResponse) GlobalID() GlobalID { return CmdWriteAttributesResponse }

// AppendBinary implements Global.
func (m WriteAttributesResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *WriteAttributesResponse) fields(c *field.Coder) {
	if c.Writing() && len(m.Failures) == 0 || c.Left() == 1 {
		var s Status
		if field.U8(c, &s); s != Success {
			c.Fail(s)
		}
		return
	}
	field.ListRest(c, &m.Failures, func(c *field.Coder, s *WriteStatus) {
		field.U8(c, &s.Status)
		field.U16(c, &s.ID)
	})
}
