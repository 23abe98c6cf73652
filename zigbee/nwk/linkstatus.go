package nwk

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
)

// LinkCost is what a router thinks of one neighbour.
type LinkCost struct {
	Address            uint16
	Incoming, Outgoing uint8 // 1 best to 7 worst; Outgoing 0: unknown
}

// MaxLinks is how many entries one Link Status can count. A frame that is secured and hopped holds fewer.
const MaxLinks = 31

// LinkStatus tells the neighbours how well they are heard (ZigBee specification, clause 3.4.8; published).
//
//	08 options(1): 0-4 count, 5 first frame, 6 last frame; {address(2) cost(1): 0-2 incoming, 4-6 outgoing}
type LinkStatus struct {
	First, Last bool
	Links       []LinkCost // by ascending address
}

// ID implements Command.
func (LinkStatus) ID() CommandID { return CommandLinkStatus }

// AppendBinary implements Command.
func (m LinkStatus) AppendBinary(b []byte) ([]byte, error) {
	if len(m.Links) > MaxLinks {
		return b, fmt.Errorf("nwk: %d links, one frame counts %d: %w", len(m.Links), MaxLinks, ErrFormat)
	}
	b = append(b, byte(CommandLinkStatus), byte(len(m.Links))|bit(m.First, 5)|bit(m.Last, 6))
	for _, l := range m.Links {
		if l.Incoming > 7 || l.Outgoing > 7 {
			return b, fmt.Errorf("nwk: link cost %d/%d of %04X, want 0 to 7: %w", l.Incoming, l.Outgoing, l.Address, ErrFormat)
		}
		b = append(binary.LittleEndian.AppendUint16(b, l.Address), l.Incoming|l.Outgoing<<4)
	}
	return b, nil
}

func (m *LinkStatus) read(r *wire.Reader) {
	o := r.U8()
	m.First, m.Last = o&(1<<5) != 0, o&(1<<6) != 0
	n := int(o & 31)
	if n > 0 && r.Err() == nil {
		m.Links = make([]LinkCost, n)
	}
	for i := range m.Links {
		a, c := r.LE16(), r.U8()
		m.Links[i] = LinkCost{a, c & 7, c >> 4 & 7}
	}
}
