package mac

import (
	"encoding/binary"
	"errors"
	"fmt"

	"smets1/internal/wire"
)

// MaxPSDU is the largest frame including its FCS, in octets.
const MaxPSDU = 127

// FCSSize is the length of the frame check sequence.
const FCSSize = 2

// Type of a MAC frame.
type Type uint8

// The frame types.
const (
	TypeBeacon  Type = 0
	TypeData    Type = 1
	TypeAck     Type = 2
	TypeCommand Type = 3
)

// String names the type.
func (t Type) String() string {
	switch t {
	case TypeBeacon:
		return "beacon"
	case TypeData:
		return "data"
	case TypeAck:
		return "ack"
	case TypeCommand:
		return "command"
	}
	return fmt.Sprintf("frame type %d", uint8(t))
}

// Errors of frames.
var (
	// ErrFCS: the frame was damaged on the way. Nothing in it can be believed.
	ErrFCS = errors.New("frame check sequence does not match: damaged on the way")
	// ErrFormat: a well-received frame that is none of ours.
	ErrFormat = errors.New("not a frame of IEEE 802.15.4 as ZigBee uses it")
	// ErrTooLong: more than MaxPSDU octets.
	ErrTooLong = errors.New("frame is longer than 127 octets: fragment it above")
)

const (
	fcfSecurity    = 1 << 3
	fcfPending     = 1 << 4
	fcfAck         = 1 << 5
	fcfCompression = 1 << 6
	fcfReserved    = 7 << 7 // 2015 frames put sequence suppression and information elements here
)

// Frame is a MAC frame (IEEE 802.15.4-2006, clause 7.2; published).
type Frame struct {
	Type           Type
	FramePending   bool
	AckRequest     bool
	PANCompression bool
	Version        uint8 // 0 for all that ZigBee sends; 1 is understood
	Sequence       uint8
	Dst, Src       Address
	// Payload is the MSDU; a parsed one aliases the input.
	Payload []byte
}

func (f *Frame) fcf() uint16 {
	c := uint16(f.Type&7) | uint16(f.Dst.Mode&3)<<10 | uint16(f.Version&3)<<12 | uint16(f.Src.Mode&3)<<14
	if f.FramePending {
		c |= fcfPending
	}
	if f.AckRequest {
		c |= fcfAck
	}
	if f.PANCompression {
		c |= fcfCompression
	}
	return c
}

// AppendBinary appends the PSDU with its FCS.
func (f Frame) AppendBinary(b []byte) ([]byte, error) {
	start := len(b)
	b, err := f.AppendHeader(b)
	if err != nil {
		return b, err
	}
	return Finish(append(b, f.Payload...), start)
}

// AppendHeader appends the header only: who builds a payload behind it in the same buffer ends with [Finish].
func (f *Frame) AppendHeader(b []byte) ([]byte, error) {
	if f.Dst.Mode == 1 || f.Src.Mode == 1 || f.Type > TypeCommand || f.Version > 1 {
		return b, fmt.Errorf("mac: frame of type %d, version %d, addressing %d and %d: %w", f.Type, f.Version, f.Dst.Mode, f.Src.Mode, ErrFormat)
	}
	if f.PANCompression && (f.Dst.Mode == AddressNone || f.Src.Mode == AddressNone || f.Dst.PAN != f.Src.PAN) {
		return b, fmt.Errorf("mac: PAN compression needs two addresses in one PAN, not %s and %s: %w", f.Dst, f.Src, ErrFormat)
	}
	b = binary.LittleEndian.AppendUint16(b, f.fcf())
	b = append(b, f.Sequence)
	if f.Dst.Mode != AddressNone {
		b = binary.LittleEndian.AppendUint16(b, f.Dst.PAN)
		b = f.Dst.append(b)
	}
	if f.Src.Mode != AddressNone {
		if !f.PANCompression {
			b = binary.LittleEndian.AppendUint16(b, f.Src.PAN)
		}
		b = f.Src.append(b)
	}
	return b, nil
}

// Finish appends the FCS of the frame that begins at b[start].
func Finish(b []byte, start int) ([]byte, error) {
	if n := len(b) - start + FCSSize; n > MaxPSDU {
		return b, fmt.Errorf("mac: %d octets: %w", n, ErrTooLong)
	}
	return binary.LittleEndian.AppendUint16(b, wire.CRC16Kermit(b[start:])), nil
}

// ParseFrame reads a PSDU with its FCS, which ends with b. The error wraps ErrFCS for a damaged one.
func ParseFrame(b []byte) (f Frame, n int, err error) {
	if len(b) > MaxPSDU {
		return f, 0, fmt.Errorf("mac: %d octets: %w", len(b), ErrTooLong)
	}
	if len(b) < 3+FCSSize {
		return f, 0, fmt.Errorf("mac: frame of %d octets: %w", len(b), wire.ErrTruncated)
	}
	end := len(b) - FCSSize
	if wire.CRC16Kermit(b[:end]) != binary.LittleEndian.Uint16(b[end:]) {
		return f, 0, fmt.Errorf("mac: %w", ErrFCS)
	}
	if err := f.parse(b[:end]); err != nil {
		return f, 0, err
	}
	return f, len(b), nil
}

// ParseUnchecked reads a frame without FCS, for radios that check and strip it.
func ParseUnchecked(b []byte) (f Frame, err error) { return f, f.parse(b) }

func (f *Frame) parse(b []byte) error {
	r := wire.NewReader(b)
	c := r.LE16()
	f.Type = Type(c & 7)
	f.FramePending = c&fcfPending != 0
	f.AckRequest = c&fcfAck != 0
	f.PANCompression = c&fcfCompression != 0
	f.Dst.Mode = AddressMode(c >> 10 & 3)
	f.Version = uint8(c >> 12 & 3)
	f.Src.Mode = AddressMode(c >> 14 & 3)
	switch {
	case r.Err() != nil:
		return r.Err()
	case f.Type > TypeCommand, f.Version > 1, f.Dst.Mode == 1, f.Src.Mode == 1, c&fcfReserved != 0:
		return fmt.Errorf("mac: frame control %04X: %w", c, ErrFormat)
	case c&fcfSecurity != 0:
		return fmt.Errorf("mac: frame control %04X is secured at MAC level: %w", c, ErrFormat)
	case f.PANCompression && (f.Dst.Mode == AddressNone || f.Src.Mode == AddressNone):
		return fmt.Errorf("mac: frame control %04X compresses a PAN that is not there: %w", c, ErrFormat)
	}
	f.Sequence = r.U8()
	if f.Dst.Mode != AddressNone {
		f.Dst.PAN = r.LE16()
		f.Dst.read(&r)
	}
	if f.Src.Mode != AddressNone {
		if f.PANCompression {
			f.Src.PAN = f.Dst.PAN
		} else {
			f.Src.PAN = r.LE16()
		}
		f.Src.read(&r)
	}
	f.Payload = r.Rest()
	return r.Err()
}
