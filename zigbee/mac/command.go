package mac

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
)

// CommandID is the first octet of a command frame's payload (IEEE 802.15.4-2006, table 82; published).
type CommandID uint8

// The commands.
const (
	CommandAssociationRequest     CommandID = 1
	CommandAssociationResponse    CommandID = 2
	CommandDisassociation         CommandID = 3
	CommandDataRequest            CommandID = 4
	CommandPANIDConflict          CommandID = 5
	CommandOrphanNotification     CommandID = 6
	CommandBeaconRequest          CommandID = 7
	CommandCoordinatorRealignment CommandID = 8
)

// Command is the payload of a command frame.
type Command interface {
	ID() CommandID
	// AppendBinary appends identifier and fields.
	AppendBinary(b []byte) ([]byte, error)
}

// Capability describes a joining device.
type Capability uint8

// The bits of Capability; bit 0 (alternate coordinator) is never set.
const (
	CapabilityFFD             Capability = 1 << 1 // can route
	CapabilityMains           Capability = 1 << 2
	CapabilityRxOnWhenIdle    Capability = 1 << 3
	CapabilitySecurity        Capability = 1 << 6
	CapabilityAllocateAddress Capability = 1 << 7

	// CapabilitySleepy, CapabilityEndDevice and CapabilityRouter are what the devices of a home announce.
	CapabilitySleepy    = CapabilityAllocateAddress
	CapabilityEndDevice = CapabilityAllocateAddress | CapabilityRxOnWhenIdle
	CapabilityRouter    = CapabilityAllocateAddress | CapabilityRxOnWhenIdle | CapabilityMains | CapabilityFFD
)

// AssociationRequest asks a parent for admission.
//
//	01 capability(1)
type AssociationRequest struct{ Capability Capability }

// ID implements Command.
func (AssociationRequest) ID() CommandID { return CommandAssociationRequest }

// AppendBinary implements Command.
func (m AssociationRequest) AppendBinary(b []byte) ([]byte, error) {
	return append(b, byte(CommandAssociationRequest), byte(m.Capability)), nil
}

// AssociationStatus is a parent's answer. It is an error when it is not AssociationSuccessful.
type AssociationStatus uint8

// The answers.
const (
	AssociationSuccessful   AssociationStatus = 0
	AssociationAtCapacity   AssociationStatus = 1
	AssociationAccessDenied AssociationStatus = 2
)

// Error says what the parent decided.
func (s AssociationStatus) Error() string {
	switch s {
	case AssociationSuccessful:
		return "association successful"
	case AssociationAtCapacity:
		return "association refused: the PAN is at capacity, try another parent"
	case AssociationAccessDenied:
		return "association refused: access denied, open joining or list the device"
	}
	return fmt.Sprintf("association status %02X (reserved)", uint8(s))
}

// AssociationResponse admits a device or refuses it. It waits in the indirect queue until the device asks.
//
//	02 short(2) status(1)
type AssociationResponse struct {
	Short  uint16 // FFFF when refused
	Status AssociationStatus
}

// ID implements Command.
func (AssociationResponse) ID() CommandID { return CommandAssociationResponse }

// AppendBinary implements Command.
func (m AssociationResponse) AppendBinary(b []byte) ([]byte, error) {
	b = binary.LittleEndian.AppendUint16(append(b, byte(CommandAssociationResponse)), m.Short)
	return append(b, byte(m.Status)), nil
}

// Disassociation says that a device left or must leave.
//
//	03 reason(1): 1 the coordinator wishes it, 2 the device wishes it
type Disassociation struct{ Reason uint8 }

// ID implements Command.
func (Disassociation) ID() CommandID { return CommandDisassociation }

// AppendBinary implements Command.
func (m Disassociation) AppendBinary(b []byte) ([]byte, error) {
	return append(b, byte(CommandDisassociation), m.Reason), nil
}

// DataRequest asks the parent for what waits in its indirect queue.
//
//	04
type DataRequest struct{}

// ID implements Command.
func (DataRequest) ID() CommandID { return CommandDataRequest }

// AppendBinary implements Command.
func (DataRequest) AppendBinary(b []byte) ([]byte, error) {
	return append(b, byte(CommandDataRequest)), nil
}

// PANIDConflict reports two networks with one PAN identifier.
//
//	05
type PANIDConflict struct{}

// ID implements Command.
func (PANIDConflict) ID() CommandID { return CommandPANIDConflict }

// AppendBinary implements Command.
func (PANIDConflict) AppendBinary(b []byte) ([]byte, error) {
	return append(b, byte(CommandPANIDConflict)), nil
}

// OrphanNotification looks for a lost parent.
//
//	06
type OrphanNotification struct{}

// ID implements Command.
func (OrphanNotification) ID() CommandID { return CommandOrphanNotification }

// AppendBinary implements Command.
func (OrphanNotification) AppendBinary(b []byte) ([]byte, error) {
	return append(b, byte(CommandOrphanNotification)), nil
}

// BeaconRequest asks every router in reach for a beacon.
//
//	07
type BeaconRequest struct{}

// ID implements Command.
func (BeaconRequest) ID() CommandID { return CommandBeaconRequest }

// AppendBinary implements Command.
func (BeaconRequest) AppendBinary(b []byte) ([]byte, error) {
	return append(b, byte(CommandBeaconRequest)), nil
}

// CoordinatorRealignment answers an orphan.
//
//	08 PAN(2) coordinator(2) channel(1) short(2) [page(1)]
type CoordinatorRealignment struct {
	PAN, Coordinator uint16
	Channel          uint8
	Short            uint16
	Page             uint8 // sent if HasPage
	HasPage          bool
}

// ID implements Command.
func (CoordinatorRealignment) ID() CommandID { return CommandCoordinatorRealignment }

// AppendBinary implements Command.
func (m CoordinatorRealignment) AppendBinary(b []byte) ([]byte, error) {
	b = binary.LittleEndian.AppendUint16(append(b, byte(CommandCoordinatorRealignment)), m.PAN)
	b = binary.LittleEndian.AppendUint16(b, m.Coordinator)
	b = binary.LittleEndian.AppendUint16(append(b, m.Channel), m.Short)
	if m.HasPage {
		b = append(b, m.Page)
	}
	return b, nil
}

// ParseCommand reads the payload of a command frame.
func ParseCommand(b []byte) (m Command, n int, err error) {
	r := wire.NewReader(b)
	switch id := CommandID(r.U8()); {
	case r.Err() != nil:
	case id == CommandAssociationRequest:
		m = AssociationRequest{Capability(r.U8())}
	case id == CommandAssociationResponse:
		m = AssociationResponse{r.LE16(), AssociationStatus(r.U8())}
	case id == CommandDisassociation:
		m = Disassociation{r.U8()}
	case id == CommandDataRequest:
		m = DataRequest{}
	case id == CommandPANIDConflict:
		m = PANIDConflict{}
	case id == CommandOrphanNotification:
		m = OrphanNotification{}
	case id == CommandBeaconRequest:
		m = BeaconRequest{}
	case id == CommandCoordinatorRealignment:
		c := CoordinatorRealignment{PAN: r.LE16(), Coordinator: r.LE16(), Channel: r.U8(), Short: r.LE16()}
		if c.HasPage = r.Len() > 0; c.HasPage {
			c.Page = r.U8()
		}
		m = c
	default:
		r.Fail(fmt.Errorf("mac: command %02X: %w", uint8(id), ErrFormat))
	}
	if r.Err() != nil {
		return nil, r.Offset(), r.Err()
	}
	return m, r.Offset(), nil
}
