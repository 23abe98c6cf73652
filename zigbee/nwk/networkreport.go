package nwk

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/le"
)

// NetworkReport tells the network manager of a PAN identifier conflict (ZigBee specification, clause 3.4.9; published).
//
//	09 options(1): 0-4 count, 5-7 type (0); extendedPAN(8) {PAN(2)}
type NetworkReport struct {
	ExtendedPAN wire.EUI64
	PANs        []uint16 // identifiers in use nearby
}

// ID implements Command.
func (NetworkReport) ID() CommandID { return CommandNetworkReport }

const maxReported = 31

// AppendBinary implements Command.
func (m NetworkReport) AppendBinary(b []byte) ([]byte, error) {
	if len(m.PANs) > maxReported {
		return b, fmt.Errorf("nwk: %d PAN identifiers, one report counts %d: %w", len(m.PANs), maxReported, ErrFormat)
	}
	b = le.AppendEUI64(append(b, byte(CommandNetworkReport), byte(len(m.PANs))), m.ExtendedPAN)
	for _, p := range m.PANs {
		b = binary.LittleEndian.AppendUint16(b, p)
	}
	return b, nil
}

func (m *NetworkReport) read(r *wire.Reader) {
	o := r.U8()
	if o>>5 != 0 {
		r.Fail(fmt.Errorf("nwk: report of type %d, want 0 (PAN identifier conflict): %w", o>>5, ErrFormat))
	}
	m.ExtendedPAN = le.EUI64(r)
	for range int(o & 31) {
		m.PANs = append(m.PANs, r.LE16())
	}
}

// NetworkUpdate announces a new PAN identifier (ZigBee specification, clause 3.4.10; published).
//
//	0A options(1): 0-4 count (1), 5-7 type (0); extendedPAN(8) updateID(1) PAN(2)
type NetworkUpdate struct {
	ExtendedPAN wire.EUI64
	UpdateID    uint8
	PAN         uint16
}

// ID implements Command.
func (NetworkUpdate) ID() CommandID { return CommandNetworkUpdate }

// AppendBinary implements Command.
func (m NetworkUpdate) AppendBinary(b []byte) ([]byte, error) {
	b = le.AppendEUI64(append(b, byte(CommandNetworkUpdate), 1), m.ExtendedPAN)
	return binary.LittleEndian.AppendUint16(append(b, m.UpdateID), m.PAN), nil
}

func (m *NetworkUpdate) read(r *wire.Reader) {
	if o := r.U8(); o != 1 {
		r.Fail(fmt.Errorf("nwk: update options %02X, want 01 (one PAN identifier): %w", o, ErrFormat))
	}
	m.ExtendedPAN = le.EUI64(r)
	m.UpdateID, m.PAN = r.U8(), r.LE16()
}
