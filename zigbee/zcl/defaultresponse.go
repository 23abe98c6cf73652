package zcl

import "smets1/zigbee/internal/field"

// DefaultResponse answers a command that has no answer of its own (ZCL, clause 2.5.12; published).
//
//	command(1) status(1)
type DefaultResponse struct {
	Command uint8
	Status  Status
}

// GlobalID implements Global.
func (DefaultResponse) GlobalID() GlobalID { return CmdDefaultResponse }

// AppendBinary implements Global.
func (m DefaultResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *DefaultResponse) fields(c *field.Coder) {
	field.U8(c, &m.Command)
	field.U8(c, &m.Status)
}
