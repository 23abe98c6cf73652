package nwk

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/le"
)

// ManyToOne says whether a route request is one of a concentrator.
type ManyToOne uint8

// The values of the many-to-one field.
const (
	NotManyToOne           ManyToOne = 0
	ManyToOneRouteRecord   ManyToOne = 1 // with a route record table: devices answer with Route Record
	ManyToOneNoRouteRecord ManyToOne = 2
)

// RouteRequest looks for a route (ZigBee specification, clause 3.4.1; published).
//
//	01 options(1) id(1) dst(2) cost(1) [dstEUI(8)]
//	options: 3-4 many-to-one, 5 dstEUI, 6 multicast
type RouteRequest struct {
	ManyToOne ManyToOne
	Multicast bool
	RouteID   uint8
	Dst       uint16
	PathCost  uint8
	HasDstEUI bool
	DstEUI    wire.EUI64
}

// ID implements Command.
func (RouteRequest) ID() CommandID { return CommandRouteRequest }

// AppendBinary implements Command.
func (m RouteRequest) AppendBinary(b []byte) ([]byte, error) {
	if m.ManyToOne > 3 {
		return b, fmt.Errorf("nwk: many-to-one %d: %w", m.ManyToOne, ErrFormat)
	}
	o := byte(m.ManyToOne)<<3 | bit(m.HasDstEUI, 5) | bit(m.Multicast, 6)
	b = binary.LittleEndian.AppendUint16(append(b, byte(CommandRouteRequest), o, m.RouteID), m.Dst)
	b = append(b, m.PathCost)
	if m.HasDstEUI {
		b = le.AppendEUI64(b, m.DstEUI)
	}
	return b, nil
}

func (m *RouteRequest) read(r *wire.Reader) {
	o := r.U8()
	m.ManyToOne, m.HasDstEUI, m.Multicast = ManyToOne(o>>3&3), o&(1<<5) != 0, o&(1<<6) != 0
	m.RouteID, m.Dst, m.PathCost = r.U8(), r.LE16(), r.U8()
	if m.HasDstEUI {
		m.DstEUI = le.EUI64(r)
	}
}

// bit is 1<<n if set.
func bit(set bool, n int) byte {
	if set {
		return 1 << n
	}
	return 0
}
