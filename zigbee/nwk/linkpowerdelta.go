package nwk

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
)

// PowerDeltaType says what a Link Power Delta is.
type PowerDeltaType uint8

// The types.
const (
	PowerDeltaNotification PowerDeltaType = 0
	PowerDeltaRequest      PowerDeltaType = 1
	PowerDeltaResponse     PowerDeltaType = 2
)

// PowerDelta is by how many dB a neighbour should change its power.
type PowerDelta struct {
	Address uint16
	Delta   int8
}

// LinkPowerDelta negotiates transmit power on sub-GHz networks (ZigBee specification, clause 3.4.13; published).
//
//	0D options(1): 0-1 type; count(1) {address(2) delta(1)}
type LinkPowerDelta struct {
	Type   PowerDeltaType
	Deltas []PowerDelta
}

// ID implements Command.
func (LinkPowerDelta) ID() CommandID { return CommandLinkPowerDelta }

// AppendBinary implements Command.
func (m LinkPowerDelta) AppendBinary(b []byte) ([]byte, error) {
	if m.Type > 3 || len(m.Deltas) > 255 {
		return b, fmt.Errorf("nwk: power delta of type %d with %d entries: %w", m.Type, len(m.Deltas), ErrFormat)
	}
	b = append(b, byte(CommandLinkPowerDelta), byte(m.Type), byte(len(m.Deltas)))
	for _, d := range m.Deltas {
		b = append(binary.LittleEndian.AppendUint16(b, d.Address), byte(d.Delta))
	}
	return b, nil
}

func (m *LinkPowerDelta) read(r *wire.Reader) {
	m.Type = PowerDeltaType(r.U8() & 3)
	n := int(r.U8())
	if 3*n > r.Len() {
		r.Bytes(3 * n) // fails: no room is made for entries that are not there
		return
	}
	for range n {
		m.Deltas = append(m.Deltas, PowerDelta{r.LE16(), int8(r.U8())})
	}
}
