package nwk

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/mac"
)

// RejoinRequest asks a parent to take a device back (ZigBee specification, clause 3.4.6; published).
//
//	06 capability(1)
type RejoinRequest struct{ Capability mac.Capability }

// ID implements Command.
func (RejoinRequest) ID() CommandID { return CommandRejoinRequest }

// AppendBinary implements Command.
func (m RejoinRequest) AppendBinary(b []byte) ([]byte, error) {
	return append(b, byte(CommandRejoinRequest), byte(m.Capability)), nil
}

func (m *RejoinRequest) read(r *wire.Reader) { m.Capability = mac.Capability(r.U8()) }

// RejoinStatus is a parent's answer. It is an error when it is not RejoinSuccessful.
type RejoinStatus uint8

// The answers, as for association.
const (
	RejoinSuccessful   RejoinStatus = 0
	RejoinAtCapacity   RejoinStatus = 1
	RejoinAccessDenied RejoinStatus = 2
)

// Error says what the parent decided.
func (s RejoinStatus) Error() string {
	switch s {
	case RejoinSuccessful:
		return "nwk: rejoin successful"
	case RejoinAtCapacity:
		return "nwk: rejoin refused: the PAN is at capacity"
	case RejoinAccessDenied:
		return "nwk: rejoin refused: access denied"
	}
	return fmt.Sprintf("nwk: rejoin status %02X (reserved)", uint8(s))
}

// RejoinResponse answers (ZigBee specification, clause 3.4.7; published).
//
//	07 short(2) status(1)
type RejoinResponse struct {
	Short  uint16
	Status RejoinStatus
}

// ID implements Command.
func (RejoinResponse) ID() CommandID { return CommandRejoinResponse }

// AppendBinary implements Command.
func (m RejoinResponse) AppendBinary(b []byte) ([]byte, error) {
	b = binary.LittleEndian.AppendUint16(append(b, byte(CommandRejoinResponse)), m.Short)
	return append(b, byte(m.Status)), nil
}

func (m *RejoinResponse) read(r *wire.Reader) { m.Short, m.Status = r.LE16(), RejoinStatus(r.U8()) }
