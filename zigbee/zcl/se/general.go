package se

import (
	"smets1/zigbee/internal/field"
)

// ResetToFactoryDefaults puts all attributes of all clusters back; links and keys stay (ZCL, clause 3.2.2.3; published).
type ResetToFactoryDefaults struct{}

// Key implements Command.
func (ResetToFactoryDefaults) Key() Key { return Key{Basic, false, 0x00} }

// AppendBinary implements Command.
func (ResetToFactoryDefaults) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseResetToFactoryDefaults reads the payload, which is empty.
func ParseResetToFactoryDefaults([]byte) (m ResetToFactoryDefaults, n int, err error) {
	return m, 0, nil
}

// IdentifyStart makes a device show itself, 0 s ends that (ZCL, clause 3.5.2.3; published).
//
//	time(2)
type IdentifyStart struct {
	Time uint16 // seconds
}

// Key implements Command.
func (IdentifyStart) Key() Key { return Key{Identify, false, 0x00} }

// AppendBinary implements Command.
func (m IdentifyStart) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseIdentifyStart reads the payload.
func ParseIdentifyStart(b []byte) (m IdentifyStart, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *IdentifyStart) fields(c *field.Coder) {
	field.U16(c, &m.Time)
}

// IdentifyQuery asks who is showing itself.
type IdentifyQuery struct{}

// Key implements Command.
func (IdentifyQuery) Key() Key { return Key{Identify, false, 0x01} }

// AppendBinary implements Command.
func (IdentifyQuery) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseIdentifyQuery reads the payload, which is empty.
func ParseIdentifyQuery([]byte) (m IdentifyQuery, n int, err error) { return m, 0, nil }

// IdentifyQueryResponse answers if so.
//
//	timeout(2)
type IdentifyQueryResponse struct {
	Timeout uint16 // seconds left
}

// Key implements Command.
func (IdentifyQueryResponse) Key() Key { return Key{Identify, true, 0x00} }

// AppendBinary implements Command.
func (m IdentifyQueryResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseIdentifyQueryResponse reads the payload.
func ParseIdentifyQueryResponse(b []byte) (m IdentifyQueryResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *IdentifyQueryResponse) fields(c *field.Coder) {
	field.U16(c, &m.Timeout)
}
