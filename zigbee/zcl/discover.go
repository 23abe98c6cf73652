package zcl

import "smets1/zigbee/internal/field"

// AttributeType is a discovered attribute.
type AttributeType struct {
	ID   Attr
	Type DataType
}

// Access bits of AttributeAccess.
const (
	AccessRead   uint8 = 1 << 0
	AccessWrite  uint8 = 1 << 1
	AccessReport uint8 = 1 << 2
)

// AttributeAccess is a discovered attribute with its access.
type AttributeAccess struct {
	ID     Attr
	Type   DataType
	Access uint8 // Access bits
}

// DiscoverAttributes asks which attributes there are (ZCL, clause 2.5.13; published).
//
//	start(2) most(1)
type DiscoverAttributes struct {
	Start Attr
	Most  uint8
}

// GlobalID implements Global.
func (DiscoverAttributes) GlobalID() GlobalID { return CmdDiscoverAttributes }

// AppendBinary implements Global.
func (m DiscoverAttributes) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *DiscoverAttributes) fields(c *field.Coder) {
	field.U16(c, &m.Start)
	field.U8(c, &m.Most)
}

// DiscoverAttributesExtended asks which attributes there are (ZCL, clause 2.5.22; published).
//
//	start(2) most(1)
type DiscoverAttributesExtended struct {
	Start Attr
	Most  uint8
}

// GlobalID implements Global.
func (DiscoverAttributesExtended) GlobalID() GlobalID { return CmdDiscoverAttributesExtended }

// AppendBinary implements Global.
func (m DiscoverAttributesExtended) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *DiscoverAttributesExtended) fields(c *field.Coder) {
	field.U16(c, &m.Start)
	field.U8(c, &m.Most)
}

// DiscoverAttributesResponse answers (ZCL, clause 2.5.14; published).
//
//	complete(1) {id(2) type(1)}
type DiscoverAttributesResponse struct {
	Complete   bool
	Attributes []AttributeType
}

// GlobalID implements Global.
func (DiscoverAttributesResponse) GlobalID() GlobalID { return CmdDiscoverAttributesResponse }

// AppendBinary implements Global.
func (m DiscoverAttributesResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *DiscoverAttributesResponse) fields(c *field.Coder) {
	field.Bool(c, &m.Complete)
	field.ListRest(c, &m.Attributes, func(c *field.Coder, a *AttributeType) {
		field.U16(c, &a.ID)
		field.U8(c, &a.Type)
	})
}

// DiscoverAttributesExtendedResponse answers (ZCL, clause 2.5.23; published).
//
//	complete(1) {id(2) type(1) access(1)}
type DiscoverAttributesExtendedResponse struct {
	Complete   bool
	Attributes []AttributeAccess
}

// GlobalID implements Global.
func (DiscoverAttributesExtendedResponse) GlobalID() GlobalID {
	return CmdDiscoverAttributesExtendedResponse
}

// AppendBinary implements Global.
func (m DiscoverAttributesExtendedResponse) AppendBinary(b []byte) ([]byte, error) {
	return write(b, &m)
}

func (m *DiscoverAttributesExtendedResponse) fields(c *field.Coder) {
	field.Bool(c, &m.Complete)
	field.ListRest(c, &m.Attributes, func(c *field.Coder, a *AttributeAccess) {
		field.U16(c, &a.ID)
		field.U8(c, &a.Type)
		field.U8(c, &a.Access)
	})
}

// DiscoverCommandsReceived asks which commands a cluster takes (ZCL, clause 2.5.18; published).
//
//	start(1) most(1)
type DiscoverCommandsReceived struct {
	Start, Most uint8
}

// GlobalID implements Global.
func (DiscoverCommandsReceived) GlobalID() GlobalID { return CmdDiscoverCommandsReceived }

// AppendBinary implements Global.
func (m DiscoverCommandsReceived) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *DiscoverCommandsReceived) fields(c *field.Coder) {
	field.U8(c, &m.Start)
	field.U8(c, &m.Most)
}

// DiscoverCommandsReceivedResponse answers.
//
//	complete(1) {command(1)}
type DiscoverCommandsReceivedResponse struct {
	Complete bool
	Commands []byte
}

// GlobalID implements Global.
func (DiscoverCommandsReceivedResponse) GlobalID() GlobalID {
	return CmdDiscoverCommandsReceivedResponse
}

// AppendBinary implements Global.
func (m DiscoverCommandsReceivedResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *DiscoverCommandsReceivedResponse) fields(c *field.Coder) {
	field.Bool(c, &m.Complete)
	field.Rest(c, &m.Commands)
}

// DiscoverCommandsGenerated asks which commands a cluster sends (ZCL, clause 2.5.20; published).
//
//	start(1) most(1)
type DiscoverCommandsGenerated struct {
	Start, Most uint8
}

// GlobalID implements Global.
func (DiscoverCommandsGenerated) GlobalID() GlobalID { return CmdDiscoverCommandsGenerated }

// AppendBinary implements Global.
func (m DiscoverCommandsGenerated) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *DiscoverCommandsGenerated) fields(c *field.Coder) {
	field.U8(c, &m.Start)
	field.U8(c, &m.Most)
}

// DiscoverCommandsGeneratedResponse answers.
//
//	complete(1) {command(1)}
type DiscoverCommandsGeneratedResponse struct {
	Complete bool
	Commands []byte
}

// GlobalID implements Global.
func (DiscoverCommandsGeneratedResponse) GlobalID() GlobalID {
	return CmdDiscoverCommandsGeneratedResponse
}

// AppendBinary implements Global.
func (m DiscoverCommandsGeneratedResponse) AppendBinary(b []byte) ([]byte, error) {
	return write(b, &m)
}

func (m *DiscoverCommandsGeneratedResponse) fields(c *field.Coder) {
	field.Bool(c, &m.Complete)
	field.Rest(c, &m.Commands)
}
