package zcl

import (
	"errors"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/field"
)

// GlobalID is a command that every cluster has (ZCL, table 2-3; published).
type GlobalID uint8

// The global commands.
const (
	CmdReadAttributes                     GlobalID = 0x00
	CmdReadAttributesResponse             GlobalID = 0x01
	CmdWriteAttributes                    GlobalID = 0x02
	CmdWriteAttributesUndivided           GlobalID = 0x03
	CmdWriteAttributesResponse            GlobalID = 0x04
	CmdWriteAttributesNoResponse          GlobalID = 0x05
	CmdConfigureReporting                 GlobalID = 0x06
	CmdConfigureReportingResponse         GlobalID = 0x07
	CmdReadReportingConfiguration         GlobalID = 0x08
	CmdReadReportingConfigurationResponse GlobalID = 0x09
	CmdReportAttributes                   GlobalID = 0x0A
	CmdDefaultResponse                    GlobalID = 0x0B
	CmdDiscoverAttributes                 GlobalID = 0x0C
	CmdDiscoverAttributesResponse         GlobalID = 0x0D
	CmdReadAttributesStructured           GlobalID = 0x0E
	CmdWriteAttributesStructured          GlobalID = 0x0F
	CmdWriteAttributesStructuredResponse  GlobalID = 0x10
	CmdDiscoverCommandsReceived           GlobalID = 0x11
	CmdDiscoverCommandsReceivedResponse   GlobalID = 0x12
	CmdDiscoverCommandsGenerated          GlobalID = 0x13
	CmdDiscoverCommandsGeneratedResponse  GlobalID = 0x14
	CmdDiscoverAttributesExtended         GlobalID = 0x15
	CmdDiscoverAttributesExtendedResponse GlobalID = 0x16
)

// Attr is the identifier of an attribute within its cluster.
type Attr uint16

// ErrCommand: a command that is not known; answer UNSUP_GENERAL_COMMAND or UNSUP_CLUSTER_COMMAND.
var ErrCommand = errors.New("unknown command")

// Global is the payload of a global command.
type Global interface {
	GlobalID() GlobalID
	// AppendBinary appends the payload behind the header.
	AppendBinary(b []byte) ([]byte, error)
}

type described[T any] interface {
	*T
	fields(c *field.Coder)
}

func write[T any, P described[T]](b []byte, m P) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

func read[T any, P described[T]](b []byte) (Global, int, error) {
	var m T
	c := field.Reader(b)
	P(&m).fields(&c)
	n, err := c.Taken()
	return any(m).(Global), n, err
}

var globals = map[GlobalID]func([]byte) (Global, int, error){
	CmdReadAttributes:                     read[ReadAttributes],
	CmdReadAttributesResponse:             read[ReadAttributesResponse],
	CmdWriteAttributes:                    read[WriteAttributes],
	CmdWriteAttributesUndivided:           read[WriteAttributesUndivided],
	CmdWriteAttributesResponse:            read[WriteAttributesResponse],
	CmdWriteAttributesNoResponse:          read[WriteAttributesNoResponse],
	CmdConfigureReporting:                 read[ConfigureReporting],
	CmdConfigureReportingResponse:         read[ConfigureReportingResponse],
	CmdReadReportingConfiguration:         read[ReadReportingConfiguration],
	CmdReadReportingConfigurationResponse: read[ReadReportingConfigurationResponse],
	CmdReportAttributes:                   read[ReportAttributes],
	CmdDefaultResponse:                    read[DefaultResponse],
	CmdDiscoverAttributes:                 read[DiscoverAttributes],
	CmdDiscoverAttributesResponse:         read[DiscoverAttributesResponse],
	CmdReadAttributesStructured:           read[ReadAttributesStructured],
	CmdWriteAttributesStructured:          read[WriteAttributesStructured],
	CmdWriteAttributesStructuredResponse:  read[WriteAttributesStructuredResponse],
	CmdDiscoverCommandsReceived:           read[DiscoverCommandsReceived],
	CmdDiscoverCommandsReceivedResponse:   read[DiscoverCommandsReceivedResponse],
	CmdDiscoverCommandsGenerated:          read[DiscoverCommandsGenerated],
	CmdDiscoverCommandsGeneratedResponse:  read[DiscoverCommandsGeneratedResponse],
	CmdDiscoverAttributesExtended:         read[DiscoverAttributesExtended],
	CmdDiscoverAttributesExtendedResponse: read[DiscoverAttributesExtendedResponse],
}

// ParseGlobal reads the payload of a global command.
func ParseGlobal(id GlobalID, b []byte) (m Global, n int, err error) {
	f := globals[id]
	if f == nil {
		return nil, 0, fmt.Errorf("zcl: global command %02X: %w", uint8(id), ErrCommand)
	}
	if m, n, err = f(b); err != nil {
		return nil, n, fmt.Errorf("zcl: global command %02X: %w", uint8(id), err)
	}
	return m, n, nil
}

// AppendGlobal appends a whole frame with a global command; h.Type and h.Command are set from it.
func AppendGlobal(b []byte, h Header, m Global) ([]byte, error) {
	h.Type, h.Command = TypeGlobal, uint8(m.GlobalID())
	b, err := h.append(b)
	if err != nil {
		return b, err
	}
	return m.AppendBinary(b)
}

// Attribute is an attribute with its value.
//
//	id(2) type(1) value
type Attribute struct {
	ID    Attr
	Value Value
}

// ParseAttribute reads one attribute: the way through a report without allocating.
func ParseAttribute(b []byte) (a Attribute, n int, err error) {
	r := wire.NewReader(b)
	a.ID = Attr(r.LE16())
	if r.Err() == nil {
		a.Value.readTyped(&r)
	}
	return a, r.Offset(), r.Err()
}

// Append appends the attribute.
func (a *Attribute) Append(b []byte) ([]byte, error) {
	return a.Value.AppendTyped(append(b, byte(a.ID), byte(a.ID>>8)))
}

func attribute(c *field.Coder, a *Attribute) {
	field.U16(c, &a.ID)
	typed(c, &a.Value)
}

func typed(c *field.Coder, v *Value) {
	field.U8(c, &v.Type)
	value(c, v)
}

// value is a value whose type is known already.
func value(c *field.Coder, v *Value) {
	if c.Err() != nil {
		return
	}
	field.Custom(c, v.Append, func(b []byte) (n int, err error) {
		*v, n, err = ParseValue(v.Type, b)
		return n, err
	})
}
