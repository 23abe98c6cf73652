package nwk

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
)

// Status is a code of Network Status (ZigBee specification, table 3-51; published). It is an error.
type Status uint8

// The codes.
const (
	StatusNoRoute               Status = 0x00
	StatusTreeLinkFailure       Status = 0x01
	StatusLinkFailure           Status = 0x02
	StatusLowBattery            Status = 0x03
	StatusNoRoutingCapacity     Status = 0x04
	StatusNoIndirectCapacity    Status = 0x05
	StatusIndirectExpiry        Status = 0x06
	StatusTargetUnavailable     Status = 0x07
	StatusTargetUnallocated     Status = 0x08
	StatusParentLinkFailure     Status = 0x09
	StatusValidateRoute         Status = 0x0A
	StatusSourceRouteFailure    Status = 0x0B
	StatusManyToOneRouteFailure Status = 0x0C
	StatusAddressConflict       Status = 0x0D
	StatusVerifyAddress         Status = 0x0E
	StatusPANIDUpdate           Status = 0x0F
	StatusAddressUpdate         Status = 0x10
	StatusBadFrameCounter       Status = 0x11
	StatusBadKeySequence        Status = 0x12
	StatusUnknownCommand        Status = 0x13
)

var statusText = [...]string{
	"no route available", "tree link failure", "link failure", "low battery", "no routing capacity", "no indirect capacity",
	"indirect transaction expired: the sleepy device did not poll in time", "target device unavailable", "target address unallocated",
	"parent link failure", "validate route", "source route failure", "many-to-one route failure", "address conflict", "verify address",
	"PAN identifier update", "network address update", "bad frame counter", "bad key sequence number", "unknown command",
}

// Error says what happened.
func (s Status) Error() string {
	if int(s) < len(statusText) {
		return "nwk: " + statusText[s]
	}
	return fmt.Sprintf("nwk: status %02X (reserved)", uint8(s))
}

// NetworkStatus reports a failure on the way (ZigBee specification, clause 3.4.3; published).
//
//	03 status(1) dst(2) [command(1) with status 13]
type NetworkStatus struct {
	Status  Status
	Dst     uint16
	Unknown CommandID // with StatusUnknownCommand
}

// ID implements Command.
func (NetworkStatus) ID() CommandID { return CommandNetworkStatus }

// AppendBinary implements Command.
func (m NetworkStatus) AppendBinary(b []byte) ([]byte, error) {
	b = binary.LittleEndian.AppendUint16(append(b, byte(CommandNetworkStatus), byte(m.Status)), m.Dst)
	if m.Status == StatusUnknownCommand {
		b = append(b, byte(m.Unknown))
	}
	return b, nil
}

func (m *NetworkStatus) read(r *wire.Reader) {
	m.Status, m.Dst = Status(r.U8()), r.LE16()
	if m.Status == StatusUnknownCommand {
		m.Unknown = CommandID(r.U8())
	}
}
