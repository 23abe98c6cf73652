package spinel

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
)

// Command says what a frame is.
type Command uint32

// The commands.
const (
	CommandNoop     Command = 0
	CommandReset    Command = 1
	CommandGet      Command = 2
	CommandSet      Command = 3
	CommandInsert   Command = 4
	CommandRemove   Command = 5
	CommandIs       Command = 6
	CommandInserted Command = 7
	CommandRemoved  Command = 8
)

var commandNames = [...]string{"no-op", "reset", "get", "set", "insert", "remove", "is", "inserted", "removed"}

// String names the command.
func (c Command) String() string {
	if int(c) < len(commandNames) {
		return commandNames[c]
	}
	return fmt.Sprintf("command %d", uint32(c))
}

func (c Command) hasProperty() bool { return c >= CommandGet && c <= CommandRemoved }

// Property is what a get, set or is speaks of.
type Property uint32

// The properties that the radio side of a stack needs; their values are in the comments.
const (
	PropLastStatus      Property = 0x00 // packed Status
	PropProtocolVersion Property = 0x01 // major(packed) minor(packed)
	PropNCPVersion      Property = 0x02 // text
	PropInterfaceType   Property = 0x03 // packed; 3 is IEEE 802.15.4
	PropVendorID        Property = 0x04 // packed
	PropCapabilities    Property = 0x05 // packed each
	PropInterfaceCount  Property = 0x06 // 1 octet
	PropPowerState      Property = 0x07 // 1 octet
	PropHardwareAddress Property = 0x08 // EUI-64
	PropPhyEnabled      Property = 0x20 // bool
	PropPhyChannel      Property = 0x21 // 1 octet
	PropPhyChannels     Property = 0x22 // supported ones, 1 octet each
	PropPhyFrequency    Property = 0x23 // kHz, 4 octets
	PropPhyCCAThreshold Property = 0x24 // dBm, 1 octet with a sign
	PropPhyTxPower      Property = 0x25 // dBm, 1 octet with a sign
	PropPhyRSSI         Property = 0x26 // dBm, 1 octet with a sign
	PropPhySensitivity  Property = 0x27 // dBm, 1 octet with a sign
	PropScanState       Property = 0x30 // 1 octet
	PropScanMask        Property = 0x31 // channels, 1 octet each
	PropScanPeriod      Property = 0x32 // ms per channel, 2 octets
	PropScanBeacon      Property = 0x33
	PropMACAddress      Property = 0x34   // EUI-64
	PropMACShort        Property = 0x35   // 2 octets
	PropMACPANID        Property = 0x36   // 2 octets
	PropRawStream       Property = 0x37   // bool: the raw stream is on
	PropPromiscuous     Property = 0x38   // 1 octet: 0 off, 1 network, 2 full
	PropEnergyScan      Property = 0x39   // channel(1) rssi(1)
	PropRxOnWhenIdle    Property = 0x3B   // bool
	PropStreamDebug     Property = 0x70   // text
	PropStreamRaw       Property = 0x71   // TransmitRequest to, ReceiveIndication from the RCP
	PropRCPAPIVersion   Property = 0xB0   // packed
	PropRCPMinHostAPI   Property = 0xB1   // packed
	PropRCPLogCrash     Property = 0xB2   // text
	PropSrcMatchEnabled Property = 0x1303 // bool: automatic frame pending
	PropSrcMatchShort   Property = 0x1304 // short addresses, 2 octets each
	PropSrcMatchExt     Property = 0x1305 // EUI-64s
)

// InterfaceIEEE802154 is the value of PropInterfaceType of a radio.
const InterfaceIEEE802154 = 3

// Status is a result. It is an error when it is not StatusOK.
type Status uint32

// The results; the reset reasons say why the RCP started.
const (
	StatusOK               Status = 0
	StatusFailure          Status = 1
	StatusUnimplemented    Status = 2
	StatusInvalidArgument  Status = 3
	StatusInvalidState     Status = 4
	StatusInvalidCommand   Status = 5
	StatusInvalidInterface Status = 6
	StatusInternalError    Status = 7
	StatusSecurityError    Status = 8
	StatusParseError       Status = 9
	StatusInProgress       Status = 10
	StatusNoMemory         Status = 11
	StatusBusy             Status = 12
	StatusPropertyNotFound Status = 13
	StatusDropped          Status = 14
	StatusEmpty            Status = 15
	StatusCommandTooBig    Status = 16
	StatusNoAck            Status = 17
	StatusCCAFailure       Status = 18
	StatusAlready          Status = 19
	StatusItemNotFound     Status = 20
	StatusResetPowerOn     Status = 112
	StatusResetExternal    Status = 113
	StatusResetSoftware    Status = 114
	StatusResetFault       Status = 115
	StatusResetCrash       Status = 116
	StatusResetAssert      Status = 117
	StatusResetOther       Status = 118
	StatusResetUnknown     Status = 119
	StatusResetWatchdog    Status = 120
)

var statusText = map[Status]string{
	StatusOK: "OK", StatusFailure: "FAILURE", StatusUnimplemented: "UNIMPLEMENTED: the firmware cannot do this",
	StatusInvalidArgument: "INVALID_ARGUMENT: the value is out of range", StatusInvalidState: "INVALID_STATE: not possible now",
	StatusInvalidCommand: "INVALID_COMMAND: the firmware knows no such command", StatusInvalidInterface: "INVALID_INTERFACE: no such interface",
	StatusInternalError: "INTERNAL_ERROR: reset the radio", StatusSecurityError: "SECURITY_ERROR", StatusParseError: "PARSE_ERROR: the frame did not parse",
	StatusInProgress: "IN_PROGRESS", StatusNoMemory: "NOMEM: send less at once", StatusBusy: "BUSY: try again",
	StatusPropertyNotFound: "PROP_NOT_FOUND: the firmware has no such property", StatusDropped: "DROPPED", StatusEmpty: "EMPTY",
	StatusCommandTooBig: "CMD_TOO_BIG", StatusNoAck: "NO_ACK: the receiver did not acknowledge", StatusCCAFailure: "CCA_FAILURE: the channel was never free",
	StatusAlready: "ALREADY", StatusItemNotFound: "ITEM_NOT_FOUND", StatusResetPowerOn: "RESET_POWER_ON", StatusResetExternal: "RESET_EXTERNAL",
	StatusResetSoftware: "RESET_SOFTWARE", StatusResetFault: "RESET_FAULT", StatusResetCrash: "RESET_CRASH", StatusResetAssert: "RESET_ASSERT",
	StatusResetOther: "RESET_OTHER", StatusResetUnknown: "RESET_UNKNOWN", StatusResetWatchdog: "RESET_WATCHDOG",
}

// IsReset tells whether the status says that the RCP has started.
func (s Status) IsReset() bool { return s >= StatusResetPowerOn && s <= StatusResetWatchdog }

// Error names the status and says what it means.
func (s Status) Error() string {
	if t, ok := statusText[s]; ok {
		return "spinel: " + t
	}
	return fmt.Sprintf("spinel: status %d", uint32(s))
}

// Frame is one message between host and RCP.
type Frame struct {
	Interface   uint8 // 0 to 3
	Transaction uint8 // 0 to 15; 0: no answer wanted, or said unasked
	Command     Command
	// Property is that of get, set, insert, remove, is, inserted and removed.
	Property Property
	// Value is what follows; a parsed one aliases the input.
	Value []byte
}

// AppendBinary appends the frame without the line's framing.
func (f Frame) AppendBinary(b []byte) ([]byte, error) {
	if f.Interface > 3 || f.Transaction > 15 || f.Command > maxPacked || f.Property > maxPacked {
		return b, fmt.Errorf("spinel: interface %d, transaction %d, command %d or property %d does not fit: %w", f.Interface, f.Transaction, f.Command, f.Property, ErrFormat)
	}
	b = append(b, 0x80|f.Interface<<4|f.Transaction)
	b = AppendPacked(b, uint32(f.Command))
	if f.Command.hasProperty() {
		b = AppendPacked(b, uint32(f.Property))
	}
	return append(b, f.Value...), nil
}

// ParseFrame reads a frame, which ends with b.
func ParseFrame(b []byte) (f Frame, n int, err error) {
	r := wire.NewReader(b)
	h := r.U8()
	if r.Err() == nil && h&0xC0 != 0x80 {
		r.Fail(fmt.Errorf("spinel: header %02X does not begin with binary 10: %w", h, ErrFormat))
	}
	f.Interface, f.Transaction = h>>4&3, h&15
	f.Command = Command(readPacked(&r))
	if f.Command.hasProperty() {
		f.Property = Property(readPacked(&r))
	}
	f.Value = r.Rest()
	return f, r.Offset(), r.Err()
}

// Is is the frame that tells a property's value.
func Is(transaction uint8, p Property, value []byte) Frame {
	return Frame{Transaction: transaction, Command: CommandIs, Property: p, Value: value}
}

// LastStatus is the frame that tells a result.
func LastStatus(transaction uint8, s Status) Frame {
	return Is(transaction, PropLastStatus, AppendPacked(nil, uint32(s)))
}

// ParseStatus reads the value of PropLastStatus.
func ParseStatus(b []byte) (s Status, n int, err error) {
	v, n, err := ParsePacked(b)
	return Status(v), n, err
}

// AppendUint16 appends a value of two octets, such as a PAN identifier.
func AppendUint16(b []byte, v uint16) []byte { return binary.LittleEndian.AppendUint16(b, v) }

// ParseUint16 reads a value of two octets.
func ParseUint16(b []byte) (v uint16, n int, err error) {
	r := wire.NewReader(b)
	v = r.LE16()
	return v, r.Offset(), r.Err()
}
