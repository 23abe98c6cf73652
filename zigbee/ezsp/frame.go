package ezsp

import (
	"errors"
	"fmt"

	"smets1/internal/wire"
)

// Version of the protocol.
const Version = 13

// Callback says how a frame from the co-processor came about.
type Callback uint8

// The kinds of callback.
const (
	NoCallback   Callback = 0
	Synchronous  Callback = 1 // in answer to a request for callbacks
	Asynchronous Callback = 2 // by itself
)

// Frame is one frame.
type Frame struct {
	Sequence uint8
	// Old is the format before version 8, in which a host begins.
	Old      bool
	Response bool // from the co-processor
	Callback Callback
	Command  Command
	// Parameters of a parsed frame alias the octets it was parsed from.
	Parameters []byte
}

// ErrFormat: octets that are no frame of this protocol.
var ErrFormat = errors.New("not EZSP")

const (
	controlResponse = 0x80
	callbackShift   = 3
	formatNew       = 0x01
	formatMask      = 0x03
)

// AppendBinary appends the frame.
func (f Frame) AppendBinary(b []byte) ([]byte, error) {
	control := byte(f.Callback&3) << callbackShift
	if f.Response {
		control |= controlResponse
	}
	if f.Old {
		if f.Command > 0xFF {
			return b, fmt.Errorf("ezsp: command %v does not fit the old format", f.Command)
		}
		return append(append(b, f.Sequence, control, byte(f.Command)), f.Parameters...), nil
	}
	b = append(b, f.Sequence, control, formatNew, byte(f.Command), byte(f.Command>>8))
	return append(b, f.Parameters...), nil
}

// ParseFrame reads a frame, all of b. A frame of the old format is told by its third octet, which is the command VERSION.
func ParseFrame(b []byte) (f Frame, n int, err error) {
	r := wire.NewReader(b)
	f.Sequence = r.U8()
	control := r.U8()
	f.Response, f.Callback = control&controlResponse != 0, Callback(control>>callbackShift&3)
	switch third := r.U8(); {
	case r.Err() != nil:
	case third == byte(CmdVersion):
		f.Old, f.Command = true, CmdVersion
	case third&formatMask != formatNew:
		r.Failf("ezsp: frame format %d: %w", third&formatMask, ErrFormat)
	default:
		f.Command = Command(r.LE16())
	}
	f.Parameters = r.Rest()
	if r.Err() != nil {
		return Frame{}, 0, fmt.Errorf("ezsp: frame: %w", r.Err())
	}
	return f, len(b), nil
}

// Status is the result of most commands (EmberStatus and EzspStatus; published). It is an error when it is not zero.
type Status uint8

// The results.
const (
	Success           Status = 0x00
	BadArgument       Status = 0x02
	NoBuffers         Status = 0x18
	VersionNotSet     Status = 0x30 // EzspStatus
	InvalidFrameID    Status = 0x31 // EzspStatus
	InvalidID         Status = 0x37 // EzspStatus
	DeliveryFailed    Status = 0x66
	InvalidCall       Status = 0x70
	MessageTooLong    Status = 0x74
	NetworkUp         Status = 0x90
	NetworkDown       Status = 0x91
	NotJoined         Status = 0x93
	NetworkOpened     Status = 0x9C
	NetworkClosed     Status = 0x9D
	LibraryNotPresent Status = 0xB5
)

var statusText = map[Status]string{
	Success: "SUCCESS", BadArgument: "BAD_ARGUMENT: a parameter is out of range", NoBuffers: "NO_BUFFERS: the co-processor has no room",
	VersionNotSet: "VERSION_NOT_SET: ask for the version first", InvalidID: "INVALID_ID: there is no such value",
	InvalidFrameID: "INVALID_FRAME_ID: the co-processor does not know the command", DeliveryFailed: "DELIVERY_FAILED: the message was never acknowledged",
	InvalidCall: "INVALID_CALL: not in the co-processor's present state", MessageTooLong: "MESSAGE_TOO_LONG", NetworkUp: "NETWORK_UP", NetworkDown: "NETWORK_DOWN",
	NotJoined: "NOT_JOINED: the co-processor is on no network", NetworkOpened: "NETWORK_OPENED", NetworkClosed: "NETWORK_CLOSED",
	LibraryNotPresent: "LIBRARY_NOT_PRESENT: the firmware was built without it",
}

// Error names the result.
func (s Status) Error() string {
	if t, ok := statusText[s]; ok {
		return "ezsp: " + t
	}
	return fmt.Sprintf("ezsp: status %02X", uint8(s))
}

// KeyStatus is the result of the key commands (sl_status; published). It is an error when it is not zero.
type KeyStatus uint32

// The results.
const (
	KeySuccess  KeyStatus = 0x00
	KeyInvalid  KeyStatus = 0x21 // INVALID_PARAMETER
	KeyNotFound KeyStatus = 0x2D
	KeyBadIndex KeyStatus = 0x27
)

// Error names the result.
func (s KeyStatus) Error() string {
	switch s {
	case KeySuccess:
		return "ezsp: OK"
	case KeyInvalid:
		return "ezsp: INVALID_PARAMETER"
	case KeyNotFound:
		return "ezsp: NOT_FOUND: there is no such key"
	case KeyBadIndex:
		return "ezsp: INVALID_INDEX: the table is shorter"
	}
	return fmt.Sprintf("ezsp: status %08X", uint32(s))
}
