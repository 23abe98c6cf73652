package radio

import (
	"encoding/binary"

	"smets1/internal/wire"
)

// Header is what the transceiver itself looks at in a frame: enough to filter and to acknowledge.
type Header struct {
	Type       uint8 // 0 beacon, 1 data, 2 acknowledgement, 3 command
	Pending    bool
	AckRequest bool
	Sequence   uint8
	DstMode    uint8 // 0 none, 2 short, 3 EUI-64
	DstPAN     uint16
	DstShort   uint16
	DstEUI     wire.EUI64
	SrcMode    uint8
	SrcPAN     uint16
	SrcShort   uint16
	SrcEUI     wire.EUI64
	Command    uint8 // of a command frame, unless it is secured
}

// The frame types.
const (
	TypeBeacon  = 0
	TypeData    = 1
	TypeAck     = 2
	TypeCommand = 3
)

const commandDataRequest = 4

// ParseHeader reads the header of a PSDU. ok is false if it is none, or its FCS is wrong.
func ParseHeader(psdu []byte) (h Header, ok bool) {
	if len(psdu) < MinPSDU || len(psdu) > MaxPSDU || !CheckFCS(psdu) {
		return h, false
	}
	r := wire.NewReader(psdu[:len(psdu)-2])
	c := r.LE16()
	h.Type, h.Pending, h.AckRequest = uint8(c&7), c&(1<<4) != 0, c&(1<<5) != 0
	h.Sequence = r.U8()
	h.DstMode, h.SrcMode = uint8(c>>10&3), uint8(c>>14)
	if h.DstMode != 0 {
		h.DstPAN = r.LE16()
		h.DstShort, h.DstEUI = address(&r, h.DstMode)
	}
	if h.SrcMode != 0 {
		h.SrcPAN = h.DstPAN
		if c&(1<<6) == 0 {
			h.SrcPAN = r.LE16()
		}
		h.SrcShort, h.SrcEUI = address(&r, h.SrcMode)
	}
	if h.Type == TypeCommand && c&(1<<3) == 0 {
		h.Command = r.U8()
	}
	return h, r.Err() == nil
}

func address(r *wire.Reader, mode uint8) (short uint16, e wire.EUI64) {
	switch mode {
	case 2:
		return r.LE16(), e
	case 3:
		binary.BigEndian.PutUint64(e[:], r.LE64())
		return 0, e
	default:
		r.Failf("reserved addressing mode")
		return 0, e
	}
}

// CheckFCS tells whether the last two octets are the FCS of the others.
func CheckFCS(psdu []byte) bool {
	n := len(psdu) - 2
	return n >= 0 && wire.CRC16Kermit(psdu[:n]) == binary.LittleEndian.Uint16(psdu[n:])
}

// AppendAck appends the acknowledgement of a frame with that sequence number.
func AppendAck(b []byte, sequence uint8, pending bool) []byte {
	c := byte(TypeAck)
	if pending {
		c |= 1 << 4
	}
	at := len(b)
	b = append(b, c, 0, sequence)
	return binary.LittleEndian.AppendUint16(b, wire.CRC16Kermit(b[at:]))
}

// A Filter is what a transceiver knows of its node. The zero Filter lets through broadcasts only.
type Filter struct {
	PAN, Short uint16
	EUI        wire.EUI64
	// Promiscuous lets everything through and acknowledges nothing.
	Promiscuous bool

	configured bool
	matching   bool
	short      []uint16
	extended   []wire.EUI64
}

const broadcast = 0xFFFF

// Set sets the addresses.
func (f *Filter) Set(pan, short uint16, eui wire.EUI64) {
	f.PAN, f.Short, f.EUI, f.configured = pan, short, eui, true
}

// Match replaces the list of sources for whom frames wait. Before the first call every data request is acknowledged with
// frame pending, as by OpenThread's co-processors.
func (f *Filter) Match(short []uint16, extended []wire.EUI64) {
	f.matching = true
	f.short = append(f.short[:0], short...)
	f.extended = append(f.extended[:0], extended...)
}

// Accepts tells whether a frame is for the node, and whether it is for it alone, so that it may be acknowledged.
func (f *Filter) Accepts(h *Header) (mine, alone bool) {
	switch {
	case f.Promiscuous:
		return true, false
	case h.Type == TypeAck || !f.configured:
		return false, false
	case h.DstMode == 0:
		// Beacons have no destination; data without one is for the coordinator.
		return h.Type == TypeBeacon || h.SrcPAN == f.PAN && f.Short == 0, false
	case h.DstPAN != broadcast && h.DstPAN != f.PAN:
		return false, false
	case h.DstMode == 2:
		return h.DstShort == broadcast || h.DstShort == f.Short && f.Short < 0xFFFE, h.DstShort != broadcast
	default:
		return h.DstEUI == f.EUI, true
	}
}

// Waiting tells what the acknowledgement of a frame says about frames pending.
func (f *Filter) Waiting(h *Header) bool {
	if h.Type != TypeCommand || h.Command != commandDataRequest {
		return false
	}
	if !f.matching {
		return true
	}
	if h.SrcMode == 2 {
		for _, s := range f.short {
			if s == h.SrcShort {
				return true
			}
		}
		return false
	}
	for _, e := range f.extended {
		if e == h.SrcEUI {
			return true
		}
	}
	return false
}
