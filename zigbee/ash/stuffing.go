package ash

import "fmt"

const (
	flag       = 0x7E
	escape     = 0x7D
	xon        = 0x11
	xoff       = 0x13
	substitute = 0x18
	cancel     = 0x1A
	toggle     = 0x20

	maxFrame = 1 + MaxData + 2
)

func special(x byte) bool {
	return x == flag || x == escape || x == xon || x == xoff || x == substitute || x == cancel
}

// AppendStuffed appends a frame as it goes over the line, with the flag that ends it.
func AppendStuffed(b, frame []byte) []byte {
	for _, x := range frame {
		if special(x) {
			b = append(b, escape, x^toggle)
		} else {
			b = append(b, x)
		}
	}
	return append(b, flag)
}

// Decoder takes a stream of octets apart. The zero Decoder is ready.
type Decoder struct {
	buf     []byte
	escaped bool
	skip    bool // until the next flag

	// Errors counts what was thrown away: frames that cannot be, with a wrong CRC or spoiled by the UART.
	Errors int
}

// Feed takes octets from the line. It gives the first whole frame among them and how many octets it took: call it again
// with the rest. whole is false if there is none yet. A damaged frame gives an error, is counted and forgotten.
func (d *Decoder) Feed(b []byte) (f Frame, whole bool, n int, err error) {
	for i, x := range b {
		switch {
		case x == flag:
			frame, skip := d.buf, d.skip || d.escaped
			d.buf, d.escaped, d.skip = d.buf[:0], false, false
			if len(frame) == 0 && !skip {
				continue // flags may follow each other
			}
			if skip {
				d.Errors++
				return f, false, i + 1, fmt.Errorf("ash: the UART spoiled a frame: %w", ErrFrame)
			}
			if f, _, err = ParseFrame(frame); err != nil {
				d.Errors++
				return f, false, i + 1, err
			}
			return f, true, i + 1, nil
		case x == cancel:
			d.buf, d.escaped, d.skip = d.buf[:0], false, false
		case x == substitute:
			d.skip = true
		case x == xon || x == xoff: // flow control that a serial driver let through
		case d.skip:
		case x == escape:
			d.escaped = true
		case len(d.buf) >= maxFrame:
			d.skip = true
			d.buf = d.buf[:0]
			d.Errors++
			return f, false, i + 1, fmt.Errorf("ash: %d octets: %w", maxFrame, ErrTooLong)
		case d.escaped:
			d.escaped = false
			d.buf = append(d.buf, x^toggle)
		default:
			d.buf = append(d.buf, x)
		}
	}
	return f, false, len(b), nil
}
