package nwk

import "smets1/internal/wire"

// Leave announces a departure, or with Request demands it (ZigBee specification, clause 3.4.4; published).
//
//	04 options(1): 5 rejoin, 6 request, 7 remove children
type Leave struct{ Rejoin, Request, RemoveChildren bool }

// ID implements Command.
func (Leave) ID() CommandID { return CommandLeave }

// AppendBinary implements Command.
func (m Leave) AppendBinary(b []byte) ([]byte, error) {
	return append(b, byte(CommandLeave), bit(m.Rejoin, 5)|bit(m.Request, 6)|bit(m.RemoveChildren, 7)), nil
}

func (m *Leave) read(r *wire.Reader) {
	o := r.U8()
	m.Rejoin, m.Request, m.RemoveChildren = o&(1<<5) != 0, o&(1<<6) != 0, o&(1<<7) != 0
}
