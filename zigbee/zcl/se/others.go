package se

import (
	"smets1/internal/wire"
	"smets1/zigbee/internal/field"
)

// PairingRequest asks which devices of a building belong to a home (Smart Energy, clause D.12; published).
//
//	localVersion(4) device(8)
type PairingRequest struct {
	LocalVersion uint32
	Device       wire.EUI64 // asking
}

// Key implements Command.
func (PairingRequest) Key() Key { return Key{MDUPairing, false, 0x00} }

// AppendBinary implements Command.
func (m PairingRequest) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePairingRequest reads the payload.
func ParsePairingRequest(b []byte) (m PairingRequest, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PairingRequest) fields(c *field.Coder) {
	field.U32(c, &m.LocalVersion)
	field.EUI(c, &m.Device)
}

// PairingResponse answers.
//
//	version(4) totalDevices(1) index(1) total(1) devices(8 each)
type PairingResponse struct {
	Version      uint32
	TotalDevices uint8
	Index        uint8
	Total        uint8
	Devices      []wire.EUI64
}

// Key implements Command.
func (PairingResponse) Key() Key { return Key{MDUPairing, true, 0x00} }

// AppendBinary implements Command.
func (m PairingResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePairingResponse reads the payload.
func ParsePairingResponse(b []byte) (m PairingResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PairingResponse) fields(c *field.Coder) {
	field.U32(c, &m.Version)
	field.U8(c, &m.TotalDevices)
	field.U8(c, &m.Index)
	field.U8(c, &m.Total)
	field.ListRest(c, &m.Devices, field.EUI)
}

// GetSuspendStatus asks whether ZCL messages are suspended (Smart Energy, clause D.13; published).
type GetSuspendStatus struct{}

// Key implements Command.
func (GetSuspendStatus) Key() Key { return Key{SubGHz, false, 0x00} }

// AppendBinary implements Command.
func (GetSuspendStatus) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseGetSuspendStatus reads the payload, which is empty.
func ParseGetSuspendStatus([]byte) (m GetSuspendStatus, n int, err error) { return m, 0, nil }

// SuspendZCLMessages suspends ZCL messages to keep within the duty cycle.
//
//	period(1)
type SuspendZCLMessages struct {
	Period uint8 // minutes, 0: go on
}

// Key implements Command.
func (SuspendZCLMessages) Key() Key { return Key{SubGHz, true, 0x00} }

// AppendBinary implements Command.
func (m SuspendZCLMessages) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseSuspendZCLMessages reads the payload.
func ParseSuspendZCLMessages(b []byte) (m SuspendZCLMessages, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *SuspendZCLMessages) fields(c *field.Coder) {
	field.U8(c, &m.Period)
}
