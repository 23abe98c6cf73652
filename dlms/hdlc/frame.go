package hdlc

import (
	"errors"
	"fmt"

	"smets1/internal/wire"
)

const (
	flag = 0x7E

	formatType    = 0xA000
	formatMask    = 0xF000
	formatSegment = 0x0800
	formatLength  = 0x07FF

	minLength = 7 // format, two addresses of one byte, control, FCS
)

// MaxInfo is the longest information field that can be negotiated (recalled; the length field itself reaches 2047).
const MaxInfo = 2030

// Kind is what a frame's control field says the frame is.
type Kind uint8

// The kinds of frame.
const (
	Unknown Kind = iota // a control field with no meaning here
	I                   // numbered information
	RR                  // receive ready
	RNR                 // receive not ready
	REJ                 // reject: repeat from N(R)
	SNRM                // set normal response mode: connect
	UA                  // unnumbered acknowledge
	DISC                // disconnect
	DM                  // disconnected mode
	FRMR                // frame reject
	UI                  // unnumbered information
)

var kinds = [...]struct {
	name    string
	control byte // without P/F and numbers
}{
	Unknown: {"unknown", 0}, I: {"I", 0x00}, RR: {"RR", 0x01}, RNR: {"RNR", 0x05}, REJ: {"REJ", 0x09},
	SNRM: {"SNRM", 0x83}, UA: {"UA", 0x63}, DISC: {"DISC", 0x43}, DM: {"DM", 0x0F}, FRMR: {"FRMR", 0x87}, UI: {"UI", 0x03},
}

// String is the frame's usual abbreviation.
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k].name
	}
	return kinds[Unknown].name
}

const pollFinal = 0x10

// Control is the control field.
type Control struct {
	Kind   Kind
	NS, NR uint8 // N(S) of I, N(R) of I, RR, RNR and REJ
	Final  bool  // P in frames of the client, F in frames of the server
	Raw    uint8 // the byte as received; written only for Kind Unknown
}

// Byte encodes the control field.
func (c Control) Byte() byte {
	var b byte
	switch c.Kind {
	case Unknown:
		return c.Raw
	case I:
		b = c.NR<<5 | c.NS&7<<1
	case RR, RNR, REJ:
		b = c.NR<<5 | kinds[c.Kind].control
	default:
		b = kinds[c.Kind].control
	}
	if c.Final {
		b |= pollFinal
	}
	return b
}

// ParseControl decodes a control field; what has no meaning is Kind Unknown.
func ParseControl(b byte) Control {
	c := Control{Raw: b, Final: b&pollFinal != 0}
	switch {
	case b&1 == 0:
		c.Kind, c.NS, c.NR = I, b>>1&7, b>>5
	case b&3 == 1:
		for k := RR; k <= REJ; k++ {
			if kinds[k].control == b&0x0F {
				c.Kind, c.NR = k, b>>5
			}
		}
	default:
		for k := SNRM; k <= UI; k++ {
			if kinds[k].control == b&^pollFinal {
				c.Kind = k
			}
		}
	}
	return c
}

// String is like "I N(S)=1 N(R)=2 P/F=1".
func (c Control) String() string {
	s := c.Kind.String()
	switch c.Kind {
	case Unknown:
		s = fmt.Sprintf("unknown %02X", c.Raw)
	case I:
		s += fmt.Sprintf(" N(S)=%d N(R)=%d", c.NS, c.NR)
	case RR, RNR, REJ:
		s += fmt.Sprintf(" N(R)=%d", c.NR)
	}
	if c.Final {
		return s + " P/F=1"
	}
	return s + " P/F=0"
}

// Errors that ParseFrame wraps.
var (
	ErrTruncated = errors.New("frame is incomplete")
	ErrFlag      = errors.New("flag 7E is missing")
	ErrFormat    = errors.New("not frame format type 3")
	ErrLength    = errors.New("length field is wrong")
	ErrHCS       = errors.New("header check sequence is wrong")
	ErrFCS       = errors.New("frame check sequence is wrong")
)

// Frame is one HDLC frame.
type Frame struct {
	Destination, Source Address
	Control             Control
	Segmented           bool   // more frames of this APDU follow
	Info                []byte // may alias the input it was parsed from
}

// AppendBinary appends the frame with both flags.
func (f Frame) AppendBinary(b []byte) ([]byte, error) {
	if err := f.Destination.check(); err != nil {
		return b, err
	}
	if err := f.Source.check(); err != nil {
		return b, err
	}
	if n := f.length(); n > formatLength {
		return b, fmt.Errorf("hdlc: information field of %d bytes makes a frame of %d: the length field ends at %d", len(f.Info), n, formatLength)
	}
	return f.append(b), nil
}

func (f *Frame) length() int {
	n := 2 + int(f.Destination.Size) + int(f.Source.Size) + 1 + 2
	if len(f.Info) > 0 {
		n += 2 + len(f.Info)
	}
	return n
}

func (f *Frame) append(b []byte) []byte {
	format := uint16(formatType | f.length())
	if f.Segmented {
		format |= formatSegment
	}
	b = append(b, flag)
	start := len(b)
	b = append(b, byte(format>>8), byte(format))
	b = f.Source.append(f.Destination.append(b))
	b = append(b, f.Control.Byte())
	b = appendCRC(b, start)
	if len(f.Info) > 0 {
		b = append(b, f.Info...)
		b = appendCRC(b, start)
	}
	return append(b, flag)
}

func appendCRC(b []byte, start int) []byte {
	c := wire.CRC16X25(b[start:])
	return append(b, byte(c), byte(c>>8))
}

func checkCRC(b []byte) bool {
	n := len(b) - 2
	c := wire.CRC16X25(b[:n])
	return b[n] == byte(c) && b[n+1] == byte(c>>8)
}

// ParseFrame reads one frame that starts with its opening flag, and returns how many bytes it took including the closing
// flag (which may also open the next frame). Info aliases b.
func ParseFrame(b []byte) (Frame, int, error) {
	if len(b) == 0 {
		return Frame{}, 0, fmt.Errorf("hdlc: %w", ErrTruncated)
	}
	if b[0] != flag {
		return Frame{}, 0, fmt.Errorf("hdlc: opening %w", ErrFlag)
	}
	var f Frame
	n, err := f.parse(b[1:])
	if err != nil {
		return Frame{}, 0, fmt.Errorf("hdlc: %w", err)
	}
	return f, 1 + n, nil
}

// parse reads from the format field to the closing flag. It returns a bare sentinel, so that hunting through garbage does
// not allocate, and ErrTruncated as soon as, but not before, what is there could still become a frame.
func (f *Frame) parse(b []byte) (int, error) {
	if len(b) > 0 && b[0]&(formatMask>>8) != formatType>>8 {
		return 0, ErrFormat
	}
	if len(b) < 2 {
		return 0, ErrTruncated
	}
	format := uint16(b[0])<<8 | uint16(b[1])
	n := int(format & formatLength)
	if n < minLength {
		return 0, ErrLength
	}
	body := b[:min(n, len(b))]
	complete := len(body) == n
	header := 2
	for _, a := range [...]*Address{&f.Destination, &f.Source} {
		v, size, err := ParseAddress(body[header:])
		if err != nil {
			if !complete && len(body)-header < 4 {
				return 0, ErrTruncated
			}
			return 0, ErrAddress
		}
		*a = v
		header += size
	}
	header++ // control
	hasInfo := n != header+2
	switch {
	case n < header+2 || (hasInfo && n < header+4):
		return 0, ErrLength
	case hasInfo && len(body) >= header+2 && !checkCRC(body[:header+2]):
		// Checked before the rest has come: a wrong length field would otherwise make us wait for bytes that belong to
		// later frames.
		return 0, ErrHCS
	case !complete:
		return 0, ErrTruncated
	case !checkCRC(body):
		return 0, ErrFCS
	case len(b) == n:
		return 0, ErrTruncated
	case b[n] != flag:
		return 0, ErrFlag
	}
	f.Control = ParseControl(body[header-1])
	f.Segmented = format&formatSegment != 0
	f.Info = nil
	if hasInfo {
		f.Info = body[header+2 : n-2 : n-2]
	}
	return n + 1, nil
}

// String is one line: addresses, control, length.
func (f Frame) String() string {
	s := fmt.Sprintf("%v → %v %v", f.Source, f.Destination, f.Control)
	if f.Segmented {
		s += " S=1"
	}
	if len(f.Info) > 0 {
		s += fmt.Sprintf(" info %d bytes", len(f.Info))
	}
	return s
}
