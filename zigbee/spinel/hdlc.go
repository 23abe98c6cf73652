package spinel

import (
	"encoding/binary"
	"errors"
	"fmt"

	"smets1/internal/wire"
)

const (
	flag   = 0x7E
	escape = 0x7D
	toggle = 0x20

	// MaxFrame is the longest frame that a Decoder keeps, in octets, FCS included. OpenThread's own limit is 1300 (recalled).
	MaxFrame = 2048
)

func special(x byte) bool {
	return x == flag || x == escape || x == 0x11 || x == 0x13 || x == 0xF8
}

// AppendHDLC appends frame as it goes over the line, flags on both sides.
func AppendHDLC(b, frame []byte) []byte {
	fcs := wire.CRC16X25(frame)
	b = append(b, flag)
	b = appendStuffed(b, frame...)
	b = appendStuffed(b, byte(fcs), byte(fcs>>8))
	return append(b, flag)
}

func appendStuffed(b []byte, octets ...byte) []byte {
	for _, x := range octets {
		if special(x) {
			b = append(b, escape, x^toggle)
		} else {
			b = append(b, x)
		}
	}
	return b
}

// Errors of the line. The decoder goes on after each.
var (
	ErrFCS     = errors.New("frame check sequence does not match: octets lost or altered on the line")
	ErrTooLong = errors.New("no end of frame within the longest frame")
	ErrAborted = errors.New("frame ends inside an escape")
)

// Decoder takes a stream of octets apart. The zero Decoder is ready.
type Decoder struct {
	buf     []byte
	escaped bool
	skip    bool // until the next flag

	// Errors counts what was thrown away: frames with a wrong FCS, too long or cut.
	Errors int
}

// Feed takes octets from the line. It gives the first whole frame among them, which is valid until the next call, and how
// many octets it took: call it again with the rest. frame is nil if there is none yet. A damaged frame gives an error,
// is counted and forgotten.
func (d *Decoder) Feed(b []byte) (frame []byte, n int, err error) {
	for i, x := range b {
		switch {
		case x == flag:
			frame, err = d.end()
			if frame != nil || err != nil {
				return frame, i + 1, err
			}
		case d.skip:
		case len(d.buf) >= MaxFrame:
			d.skip = true
			d.Errors++
			return nil, i + 1, fmt.Errorf("spinel: %d octets: %w", len(d.buf), ErrTooLong)
		case x == escape:
			d.escaped = true
		case d.escaped:
			d.escaped = false
			d.buf = append(d.buf, x^toggle)
		case x == 0x11 || x == 0x13: // flow control that a serial driver let through
		default:
			d.buf = append(d.buf, x)
		}
	}
	return nil, len(b), nil
}

func (d *Decoder) end() ([]byte, error) {
	frame, cut, skip := d.buf, d.escaped, d.skip
	d.buf, d.escaped, d.skip = d.buf[:0], false, false
	switch {
	case skip, len(frame) == 0 && !cut:
		return nil, nil
	case cut:
		d.Errors++
		return nil, fmt.Errorf("spinel: %w", ErrAborted)
	case len(frame) < 3:
		d.Errors++
		return nil, fmt.Errorf("spinel: %d octets between flags: %w", len(frame), ErrFCS)
	}
	end := len(frame) - 2
	if wire.CRC16X25(frame[:end]) != binary.LittleEndian.Uint16(frame[end:]) {
		d.Errors++
		return nil, fmt.Errorf("spinel: %w", ErrFCS)
	}
	return frame[:end], nil
}
