package aps

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/le"
)

// DeviceStatus says what happened to a device.
type DeviceStatus uint8

// What Update-Device reports.
const (
	DeviceSecuredRejoin     DeviceStatus = 0
	DeviceUnsecuredJoin     DeviceStatus = 1
	DeviceLeft              DeviceStatus = 2
	DeviceTrustCentreRejoin DeviceStatus = 3
)

// UpdateDevice tells the trust centre what a router's child did (ZigBee specification, clause 4.4.10.2; published).
//
//	06 device(8) short(2) status(1)
type UpdateDevice struct {
	Device wire.EUI64
	Short  uint16
	Status DeviceStatus
}

// ID implements Command.
func (UpdateDevice) ID() CommandID { return CommandUpdateDevice }

// AppendBinary implements Command.
func (m UpdateDevice) AppendBinary(b []byte) ([]byte, error) {
	b = binary.LittleEndian.AppendUint16(appendEUI(append(b, byte(CommandUpdateDevice)), m.Device), m.Short)
	return append(b, byte(m.Status)), nil
}

func (m *UpdateDevice) read(r *wire.Reader) {
	m.Device, m.Short, m.Status = le.EUI64(r), r.LE16(), DeviceStatus(r.U8())
}

// RemoveDevice tells a router to send a child away (ZigBee specification, clause 4.4.10.3; published).
//
//	07 child(8)
type RemoveDevice struct{ Child wire.EUI64 }

// ID implements Command.
func (RemoveDevice) ID() CommandID { return CommandRemoveDevice }

// AppendBinary implements Command.
func (m RemoveDevice) AppendBinary(b []byte) ([]byte, error) {
	return appendEUI(append(b, byte(CommandRemoveDevice)), m.Child), nil
}

func (m *RemoveDevice) read(r *wire.Reader) { m.Child = le.EUI64(r) }

// RequestKey asks the trust centre for a link key (ZigBee specification, clause 4.4.10.4; published). Smart Energy uses it
// for application link keys only.
//
//	08 type(1): 4 trust centre key; 2 application key: partner(8)
type RequestKey struct {
	Type    KeyType // KeyTrustCentreLink or KeyApplicationLink
	Partner wire.EUI64
}

// ID implements Command.
func (RequestKey) ID() CommandID { return CommandRequestKey }

// AppendBinary implements Command.
func (m RequestKey) AppendBinary(b []byte) ([]byte, error) {
	switch m.Type {
	case KeyTrustCentreLink:
		return append(b, byte(CommandRequestKey), byte(KeyTrustCentreLink)), nil
	case KeyApplicationLink:
		return appendEUI(append(b, byte(CommandRequestKey), requestApplication), m.Partner), nil
	}
	return b, fmt.Errorf("aps: request of key type %d, want 3 or 4: %w", m.Type, ErrFormat)
}

func (m *RequestKey) read(r *wire.Reader) {
	switch t := r.U8(); t {
	case byte(KeyTrustCentreLink):
		m.Type = KeyTrustCentreLink
	case requestApplication:
		m.Type, m.Partner = KeyApplicationLink, le.EUI64(r)
	default:
		r.Fail(fmt.Errorf("aps: request of key type %d, want 2 or 4: %w", t, ErrFormat))
	}
}

// SwitchKey makes everyone use a network key that was transported before (ZigBee specification, clause 4.4.10.5; published).
//
//	09 sequence(1)
type SwitchKey struct{ Sequence uint8 }

// ID implements Command.
func (SwitchKey) ID() CommandID { return CommandSwitchKey }

// AppendBinary implements Command.
func (m SwitchKey) AppendBinary(b []byte) ([]byte, error) {
	return append(b, byte(CommandSwitchKey), m.Sequence), nil
}

func (m *SwitchKey) read(r *wire.Reader) { m.Sequence = r.U8() }

// Tunnel carries a whole APS frame, secured for the joiner, to the router that joins it (ZigBee specification, clause
// 4.4.10.6; published). It is not encrypted itself.
//
//	0E destination(8) frame
type Tunnel struct {
	Destination wire.EUI64
	Frame       []byte // a parsed one aliases the input
}

// ID implements Command.
func (Tunnel) ID() CommandID { return CommandTunnel }

// AppendBinary implements Command.
func (m Tunnel) AppendBinary(b []byte) ([]byte, error) {
	return append(appendEUI(append(b, byte(CommandTunnel)), m.Destination), m.Frame...), nil
}

func (m *Tunnel) read(r *wire.Reader) {
	m.Destination = le.EUI64(r)
	m.Frame = r.Rest()
}
