package hdlc

import (
	"errors"
	"fmt"

	"smets1/internal/wire"
)

// Defaults that hold when a parameter is not negotiated.
const (
	DefaultInfo   = 128
	DefaultWindow = 1
	MaxWindow     = 7

	minInfo = 8 // ours: room for the LLC bytes and some of the APDU
)

// ErrParameters: the information field of a SNRM or UA makes no sense.
var ErrParameters = errors.New("negotiation parameters are malformed")

// Params are the negotiable parameters, from the sender's point of view (IEC 62056-46, clause 6.4.4.4.3): the
// client's transmit values answer the server's receive values.
//
//	81 80 len { 05 l max-info-transmit, 06 l max-info-receive, 07 04 window-transmit, 08 04 window-receive }
type Params struct {
	InfoTransmit, InfoReceive     uint16 // longest information field; 0 means 128
	WindowTransmit, WindowReceive uint8  // frames in flight; 0 means 1
}

func (p Params) withDefaults() Params {
	def := func(v *uint16) {
		if *v == 0 {
			*v = DefaultInfo
		}
		*v = max(minInfo, min(*v, MaxInfo))
	}
	def(&p.InfoTransmit)
	def(&p.InfoReceive)
	defw := func(v *uint8) {
		if *v == 0 {
			*v = DefaultWindow
		}
		*v = min(*v, MaxWindow)
	}
	defw(&p.WindowTransmit)
	defw(&p.WindowReceive)
	return p
}

// meet is what remains of our parameters when the other side has the given ones.
func (p Params) meet(peer Params) Params {
	return Params{
		InfoTransmit:   min(p.InfoTransmit, peer.InfoReceive),
		InfoReceive:    min(p.InfoReceive, peer.InfoTransmit),
		WindowTransmit: min(p.WindowTransmit, peer.WindowReceive),
		WindowReceive:  min(p.WindowReceive, peer.WindowTransmit),
	}
}

// AppendBinary appends the information field of a SNRM or UA, with all four parameters.
func (p Params) AppendBinary(b []byte) ([]byte, error) { return p.append(b), nil }

func (p Params) append(b []byte) []byte {
	p = p.withDefaults()
	b = append(b, 0x81, 0x80, 0)
	start := len(b)
	for i, v := range [...]uint16{p.InfoTransmit, p.InfoReceive} {
		if v <= 0xFF {
			b = append(b, byte(5+i), 1, byte(v))
		} else {
			b = append(b, byte(5+i), 2, byte(v>>8), byte(v))
		}
	}
	b = append(b, 7, 4, 0, 0, 0, p.WindowTransmit, 8, 4, 0, 0, 0, p.WindowReceive)
	b[start-1] = byte(len(b) - start)
	return b
}

// ParseParams reads the information field of a SNRM or UA. An empty field means the defaults; parameters that are not
// known are passed over, as ISO/IEC 8885 wants. Values above what can be are cut to it.
func ParseParams(b []byte) (Params, error) {
	p := Params{}.withDefaults()
	if len(b) == 0 {
		return p, nil
	}
	r := wire.NewReader(b)
	// Gurux Python 1.0.203 servers leave the group length 0 and let the parameters follow.
	if id, group, n := r.U8(), r.U8(), r.U8(); r.Err() != nil || id != 0x81 || group != 0x80 || n != 0 && int(n) != r.Len() {
		return p, fmt.Errorf("hdlc: %w: header % X", ErrParameters, b[:min(3, len(b))])
	}
	for r.Len() > 0 {
		id, n := r.U8(), int(r.U8())
		raw := r.Bytes(n)
		if r.Err() != nil {
			return p, fmt.Errorf("hdlc: %w: %w", ErrParameters, r.Err())
		}
		if id < 5 || id > 8 {
			continue
		}
		if n < 1 || n > 4 {
			return p, fmt.Errorf("hdlc: %w: parameter %d of %d bytes", ErrParameters, id, n)
		}
		v := uint32(0)
		for _, x := range raw {
			v = v<<8 | uint32(x)
		}
		low := uint32(minInfo)
		if id > 6 {
			low = 1
		}
		if v < low {
			return p, fmt.Errorf("hdlc: %w: parameter %d is %d, at least %d is needed", ErrParameters, id, v, low)
		}
		switch id {
		case 5:
			p.InfoTransmit = uint16(min(v, MaxInfo))
		case 6:
			p.InfoReceive = uint16(min(v, MaxInfo))
		case 7:
			p.WindowTransmit = uint8(min(v, MaxWindow))
		case 8:
			p.WindowReceive = uint8(min(v, MaxWindow))
		}
	}
	return p, nil
}
