package nwk

import (
	"encoding/binary"

	"smets1/internal/wire"
	"smets1/zigbee/internal/le"
)

// RouteReply answers a route request (ZigBee specification, clause 3.4.2; published).
//
//	02 options(1) id(1) originator(2) responder(2) cost(1) [originatorEUI(8)] [responderEUI(8)]
//	options: 4 originatorEUI, 5 responderEUI, 6 multicast
type RouteReply struct {
	Multicast                         bool
	RouteID                           uint8
	Originator, Responder             uint16
	PathCost                          uint8
	HasOriginatorEUI, HasResponderEUI bool
	OriginatorEUI, ResponderEUI       wire.EUI64
}

// ID implements Command.
func (RouteReply) ID() CommandID { return CommandRouteReply }

// AppendBinary implements Command.
func (m RouteReply) AppendBinary(b []byte) ([]byte, error) {
	o := bit(m.HasOriginatorEUI, 4) | bit(m.HasResponderEUI, 5) | bit(m.Multicast, 6)
	b = append(b, byte(CommandRouteReply), o, m.RouteID)
	b = binary.LittleEndian.AppendUint16(b, m.Originator)
	b = binary.LittleEndian.AppendUint16(b, m.Responder)
	b = append(b, m.PathCost)
	if m.HasOriginatorEUI {
		b = le.AppendEUI64(b, m.OriginatorEUI)
	}
	if m.HasResponderEUI {
		b = le.AppendEUI64(b, m.ResponderEUI)
	}
	return b, nil
}

func (m *RouteReply) read(r *wire.Reader) {
	o := r.U8()
	m.HasOriginatorEUI, m.HasResponderEUI, m.Multicast = o&(1<<4) != 0, o&(1<<5) != 0, o&(1<<6) != 0
	m.RouteID, m.Originator, m.Responder, m.PathCost = r.U8(), r.LE16(), r.LE16(), r.U8()
	if m.HasOriginatorEUI {
		m.OriginatorEUI = le.EUI64(r)
	}
	if m.HasResponderEUI {
		m.ResponderEUI = le.EUI64(r)
	}
}
