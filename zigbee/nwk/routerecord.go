package nwk

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
)

// RouteRecord collects the routers a frame to a concentrator passes (ZigBee specification, clause 3.4.5; published).
//
//	05 count(1) relays(2n)
type RouteRecord struct{ Relays []uint16 }

// ID implements Command.
func (RouteRecord) ID() CommandID { return CommandRouteRecord }

// AppendBinary implements Command.
func (m RouteRecord) AppendBinary(b []byte) ([]byte, error) {
	if len(m.Relays) > MaxRelays {
		return b, fmt.Errorf("nwk: route record of %d relays, at most %d: %w", len(m.Relays), MaxRelays, ErrFormat)
	}
	b = append(b, byte(CommandRouteRecord), byte(len(m.Relays)))
	for _, a := range m.Relays {
		b = binary.LittleEndian.AppendUint16(b, a)
	}
	return b, nil
}

func (m *RouteRecord) read(r *wire.Reader) {
	n := int(r.U8())
	if n > MaxRelays {
		r.Fail(fmt.Errorf("nwk: route record of %d relays, at most %d: %w", n, MaxRelays, ErrFormat))
		return
	}
	for range n {
		m.Relays = append(m.Relays, r.LE16())
	}
}
