package server

import (
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// longKind says what a transfer in service blocks belongs to.
type longKind uint8

const (
	longNone longKind = iota
	longGet
	longSet
	longSetList
	longAction
	longActionList
)

// longReply is a reply that goes out in blocks of its service.
type longReply struct {
	kind   longKind
	buf    []byte
	off    int    // of the block sent last
	size   int    // of the block sent last
	number uint32 // of the block sent last, or about to be sent
}

func (l *longReply) start(k longKind, data []byte) {
	l.kind, l.buf, l.off, l.size, l.number = k, append(l.buf[:0], data...), 0, 0, 1
}

// stop ends the transfer.
func (l *longReply) stop() {
	if l.kind != longNone {
		*l = longReply{buf: shrink(l.buf)[:0]}
	}
}

// advance goes to the block after the one the client received last.
func (l *longReply) advance(k longKind, received uint32) cosem.Result {
	switch {
	case l.kind != k:
		return cosem.NoLongGetInProgress
	case received == l.number && l.off+l.size < len(l.buf):
		l.off, l.size, l.number = l.off+l.size, 0, l.number+1
		return cosem.Success
	case received+1 == l.number && l.number > 1:
		return cosem.Success // the block did not arrive: send it again
	}
	return cosem.DataBlockNumberInvalid
}

// chunk is the block that is due, with room for room bytes of length and data.
func (l *longReply) chunk(room int) (raw []byte, last bool) {
	if l.size == 0 {
		n := room - 1
		for n > 1 && n+axdr.LengthSize(n) > room {
			n--
		}
		l.size = min(max(n, 1), len(l.buf)-l.off)
	}
	end := l.off + l.size
	return l.buf[l.off:end], end == len(l.buf)
}

// gathering is a request that comes in blocks of its service.
type gathering struct {
	kind      longKind
	attribute cosem.Attribute
	selection apdu.Selection
	method    cosem.Method
	first     []byte // the first request of a with-list form, for its descriptors
	buf       []byte
	next      uint32
}

func (g *gathering) stop() {
	if g.kind != longNone {
		*g = gathering{buf: shrink(g.buf)[:0]}
	}
}

// add takes the block that is due, or the one before again, whose acknowledgement the client did not get.
func (g *gathering) add(b apdu.DataBlock, limit int) bool {
	if b.Number+1 == g.next && !b.Last && g.next > 1 {
		return true
	}
	if b.Number != g.next || len(g.buf)+len(b.Raw) > limit {
		return false
	}
	g.buf = append(g.buf, b.Raw...)
	g.next++
	return true
}
