package server

import (
	"time"

	"smets1/dlms/apdu"
	"smets1/dlms/wrapper"
)

// Datagrams serves wrapper units that come one a datagram (UDP). There is no connection: the owner calls [Device.Sweep]
// to end associations of clients that fell silent.
type Datagrams struct {
	cfg  StreamConfig
	send func(link uint64, datagram []byte)
	desk desk[route]
	buf  []byte
}

var _ Replier = (*Datagrams)(nil)

// NewDatagrams makes one. send is called for each datagram to a remote address, named by the link id that came with its
// request; the bytes are valid during the call.
func NewDatagrams(c StreamConfig, send func(link uint64, datagram []byte)) *Datagrams {
	c = c.withDefaults()
	return &Datagrams{cfg: c, send: send, desk: desk[route]{host: c.Host, forward: c.Forward, max: c.MaxPending}}
}

// Input serves one datagram. What is not exactly one unit is dropped.
func (g *Datagrams) Input(now time.Time, link uint64, datagram []byte) {
	h, n, err := wrapper.ParseHeader(datagram)
	if err != nil || len(datagram) != n+int(h.Length) {
		return
	}
	request := datagram[n:]
	way := route{link: link, client: h.Source, server: h.Destination}
	if reply, done := g.desk.gateway(now, g, link, h.Source, h.Destination, request, way, nil); done {
		g.emit(way, reply)
		return
	}
	d := g.desk.device(h.Destination)
	if d == nil {
		if g.cfg.RefuseUnknown {
			g.emit(way, exception(nil, apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible))
		}
		return
	}
	p := Peer{Link: link, Client: h.Source}
	g.buf = d.Serve(now, p, request, g.buf[:0])
	for len(g.buf) > 0 {
		g.emit(way, g.buf)
		g.buf = d.More(now, p, g.buf[:0])
	}
	g.buf = shrink(g.buf)
}

// Reply sends the reply of a forwarded request.
func (g *Datagrams) Reply(_ time.Time, t Token, reply []byte) error {
	w, err := g.desk.answer(t)
	if err != nil || len(reply) == 0 {
		return err
	}
	g.emit(w.route, w.prefixed(reply, nil))
	return nil
}

// Push sends an APDU nobody asked for to a client of a known remote address.
func (g *Datagrams) Push(_ time.Time, link uint64, server, client uint16, apdu []byte) {
	g.emit(route{link: link, client: client, server: server}, apdu)
}

// Disconnect drops the associations of one remote address.
func (g *Datagrams) Disconnect(link uint64) {
	for _, d := range g.desk.seen {
		d.Disconnect(link)
	}
}

func (g *Datagrams) emit(way route, apdu []byte) {
	if len(apdu) == 0 {
		return
	}
	if b, err := wrapper.Append(nil, way.server, way.client, apdu); err == nil {
		g.send(way.link, b)
	}
}
