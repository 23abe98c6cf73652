package ash

import (
	"errors"
	"fmt"
)

// Kind is what a frame is.
type Kind uint8

// The kinds.
const (
	Data Kind = iota + 1
	Ack
	Nak
	Reset
	ResetAck
	Failure // ERROR
)

// String names the kind as UG101 does.
func (k Kind) String() string {
	switch k {
	case Data:
		return "DATA"
	case Ack:
		return "ACK"
	case Nak:
		return "NAK"
	case Reset:
		return "RST"
	case ResetAck:
		return "RSTACK"
	case Failure:
		return "ERROR"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Version is the only version of the protocol, in RSTACK and ERROR.
const Version = 2

// Reason is why a co-processor was reset, or gave up (UG101, published; the names are ours).
type Reason uint8

// The reasons.
const (
	ReasonUnknown    Reason = 0x00
	ReasonExternal   Reason = 0x01
	ReasonPowerOn    Reason = 0x02
	ReasonWatchdog   Reason = 0x03
	ReasonAssert     Reason = 0x06
	ReasonBootloader Reason = 0x09
	ReasonSoftware   Reason = 0x0B
	ReasonTimeouts   Reason = 0x51 // the other end has not acknowledged for too long
)

var reasons = map[Reason]string{
	ReasonUnknown: "unknown", ReasonExternal: "external", ReasonPowerOn: "power on", ReasonWatchdog: "watchdog", ReasonAssert: "assert",
	ReasonBootloader: "boot loader", ReasonSoftware: "software", ReasonTimeouts: "acknowledgements did not come",
}

// String is a word, or the number.
func (r Reason) String() string {
	if s, ok := reasons[r]; ok {
		return s
	}
	return fmt.Sprintf("%02X", uint8(r))
}

// Sizes of the data field, in octets.
const (
	MinData = 3
	MaxData = 128
)

// Frame is one frame of the link.
type Frame struct {
	Kind     Kind
	Number   uint8  // DATA: its number, 0 to 7
	Repeated bool   // DATA: it was sent before
	Expected uint8  // DATA, ACK, NAK: the number of the frame that the sender waits for, 0 to 7
	NotReady bool   // ACK, NAK: the sender cannot take more data
	Version  uint8  // RSTACK, ERROR
	Reason   Reason // RSTACK, ERROR
	Data     []byte // DATA, not randomised
}

// Errors of frames and of the line. The decoder goes on after each.
var (
	ErrCRC     = errors.New("the CRC does not match: octets lost or altered on the line")
	ErrTooLong = errors.New("no end of frame within the longest frame")
	ErrFrame   = errors.New("no such frame")
)

// randomise exclusive-ors a data field with a fixed sequence, so that stuffing is rare: exclusive-ored with, so that stuffing is rare: s' = s/2, with B8 if s was odd,
// from 42.
func randomise(b []byte) {
	s := byte(0x42)
	for i := range b {
		b[i] ^= s
		odd := s&1 != 0
		if s >>= 1; odd {
			s ^= 0xB8
		}
	}
}

func crc(b []byte) uint16 {
	c := uint16(0xFFFF)
	for _, x := range b {
		c ^= uint16(x) << 8
		for range 8 {
			if c&0x8000 != 0 {
				c = c<<1 ^ 0x1021
			} else {
				c <<= 1
			}
		}
	}
	return c
}

// AppendBinary appends control, data and CRC: what is stuffed and flagged by AppendStuffed.
func (f Frame) AppendBinary(b []byte) ([]byte, error) {
	if f.Number > 7 || f.Expected > 7 {
		return b, fmt.Errorf("ash: frame numbers %d and %d: they go from 0 to 7", f.Number, f.Expected)
	}
	start := len(b)
	busy := byte(0)
	if f.NotReady {
		busy = 8
	}
	switch f.Kind {
	case Data:
		if len(f.Data) < MinData || len(f.Data) > MaxData {
			return b, fmt.Errorf("ash: %d octets of data: a frame has %d to %d", len(f.Data), MinData, MaxData)
		}
		control := f.Number<<4 | f.Expected
		if f.Repeated {
			control |= 8
		}
		b = append(append(b, control), f.Data...)
		randomise(b[start+1:])
	case Ack:
		b = append(b, 0x80|busy|f.Expected)
	case Nak:
		b = append(b, 0xA0|busy|f.Expected)
	case Reset:
		b = append(b, 0xC0)
	case ResetAck:
		b = append(b, 0xC1, f.Version, byte(f.Reason))
	case Failure:
		b = append(b, 0xC2, f.Version, byte(f.Reason))
	default:
		return b, fmt.Errorf("ash: kind %d: %w", f.Kind, ErrFrame)
	}
	c := crc(b[start:])
	return append(b, byte(c>>8), byte(c)), nil
}

// ParseFrame reads a frame that a Decoder gives, with its CRC: all of b.
func ParseFrame(b []byte) (f Frame, n int, err error) {
	if len(b) < 3 {
		return f, 0, fmt.Errorf("ash: %d octets: %w", len(b), ErrFrame)
	}
	body := b[:len(b)-2]
	if want := uint16(b[len(b)-2])<<8 | uint16(b[len(b)-1]); crc(body) != want {
		return f, 0, fmt.Errorf("ash: %04X, computed %04X: %w", want, crc(body), ErrCRC)
	}
	control, rest := body[0], body[1:]
	bad := fmt.Errorf("ash: control %02X with %d octets: %w", control, len(rest), ErrFrame)
	switch {
	case control&0x80 == 0:
		if len(rest) < MinData || len(rest) > MaxData {
			return f, 0, bad
		}
		f = Frame{Kind: Data, Number: control >> 4, Repeated: control&8 != 0, Expected: control & 7, Data: append([]byte(nil), rest...)}
		randomise(f.Data)
	case control&0xF0 == 0x80 || control&0xF0 == 0xA0:
		if len(rest) != 0 {
			return f, 0, bad
		}
		f = Frame{Kind: Ack, NotReady: control&8 != 0, Expected: control & 7}
		if control&0x20 != 0 {
			f.Kind = Nak
		}
	case control == 0xC0 && len(rest) == 0:
		f.Kind = Reset
	case (control == 0xC1 || control == 0xC2) && len(rest) == 2:
		f = Frame{Kind: ResetAck, Version: rest[0], Reason: Reason(rest[1])}
		if control == 0xC2 {
			f.Kind = Failure
		}
	default:
		return f, 0, bad
	}
	return f, len(b), nil
}
