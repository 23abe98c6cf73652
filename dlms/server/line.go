package server

import (
	"time"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/hdlc"
)

// LineConfig sets up a [Line].
type LineConfig struct {
	// Host that is served; the upper HDLC address is the SAP, and on a Bus the lower one the station. Required.
	Host Host
	// Forward takes requests with a gateway prefix. Nil answers them with an exception.
	Forward Forwarder
	// Link is the id of the line for associations.
	Link uint64
	// HDLC is the data link layer's side. A nil Accepts takes every SAP the Host has.
	HDLC hdlc.ServerConfig
	// MaxPending as in [StreamConfig].
	MaxPending int
}

// Line serves one HDLC line: several clients and logical devices at once. It is sans-I/O, as [Stream] is.
type Line struct {
	cfg  LineConfig
	link *hdlc.ServerLink
	desk desk[hdlc.Token]
	buf  []byte
}

var _ Replier = (*Line)(nil)

// NewLine makes one.
func NewLine(c LineConfig) *Line {
	if c.MaxPending == 0 {
		c.MaxPending = defaultPending
	}
	if c.HDLC.Accepts == nil {
		host := c.Host
		c.HDLC.Accepts = func(a hdlc.Address) bool { return at(host, a) != nil }
	}
	return &Line{cfg: c, link: hdlc.NewServerLink(c.HDLC), desk: desk[hdlc.Token]{host: c.Host, forward: c.Forward, max: c.MaxPending}}
}

// Input takes bytes that came from the line.
func (l *Line) Input(now time.Time, b []byte) {
	l.link.Input(now, b)
	l.drain(now)
}

// Output gives the bytes to send, nil if there are none. They are valid until the next call that takes a time.
func (l *Line) Output() []byte { return l.link.Output() }

// Deadline is when Tick wants to be called; the zero time if never.
func (l *Line) Deadline() time.Time { return l.link.Deadline() }

// Tick does what is due: silent connections end, and their associations.
func (l *Line) Tick(now time.Time) {
	l.link.Tick(now)
	l.drain(now)
}

// Stats of the data link layer.
func (l *Line) Stats() hdlc.ServerStats { return l.link.Stats() }

// Close drops the associations opened over the line, and the forwarded requests, without a word.
func (l *Line) Close() {
	for _, p := range l.link.Connections() {
		l.link.Disconnect(p)
	}
	l.desk.close(l.cfg.Link)
}

// Reply sends the reply of a forwarded request.
func (l *Line) Reply(now time.Time, t Token, reply []byte) error {
	w, err := l.desk.answer(t)
	if err != nil {
		return err
	}
	if len(reply) > 0 {
		reply = w.prefixed(reply, nil)
	}
	return l.link.Reply(now, w.route, reply)
}

// Push sends an APDU nobody asked for in UI frames.
func (l *Line) Push(now time.Time, p hdlc.Peer, apdu []byte) error {
	return l.link.Notify(now, p, apdu)
}

// PushFrom sends an APDU nobody asked for to a client, on each of its connections with the device. It tells on how many.
func (l *Line) PushFrom(now time.Time, d *Device, client uint16, apdu []byte) (sent int) {
	for _, p := range l.link.Connections() {
		if p.Client.Upper == client && at(l.cfg.Host, p.Server) == d && l.Push(now, p, apdu) == nil {
			sent++
		}
	}
	return sent
}

func (l *Line) drain(now time.Time) {
	for {
		e, ok := l.link.Next()
		if !ok {
			return
		}
		switch e.Kind {
		case hdlc.Disconnected:
			if d := at(l.cfg.Host, e.Peer.Server); d != nil {
				d.DisconnectPeer(l.peer(e.Peer))
			}
		case hdlc.Received:
			l.serve(now, e)
		case hdlc.Notified:
			l.unnumbered(now, e)
		case hdlc.Connected:
		}
	}
}

// peer of an HDLC connection. A connection carries one reply to a request, so blocks are not streamed on it.
func (l *Line) peer(p hdlc.Peer) Peer {
	return Peer{Link: l.cfg.Link, Client: p.Client.Upper, Single: true, via: uint32(p.Server.Size)<<16 | uint32(p.Server.Lower)}
}

func (l *Line) serve(now time.Time, e hdlc.Event) {
	client, server := e.Peer.Client.Upper, e.Peer.Server.Upper
	reply, done := l.desk.gateway(now, l, l.cfg.Link, client, server, e.APDU, e.Token, nil)
	if done {
		if len(reply) > 0 {
			l.reply(now, e.Token, reply)
		}
		return
	}
	if d := l.desk.remember(at(l.cfg.Host, e.Peer.Server)); d != nil {
		l.buf = d.Serve(now, l.peer(e.Peer), e.APDU, l.buf[:0])
	} else {
		l.buf = exception(l.buf[:0], apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible)
	}
	l.reply(now, e.Token, l.buf)
	l.buf = shrink(l.buf)
}

// unnumbered serves a request that came in an UI frame, for which there is no reply: one device, or with a broadcast
// address all the host lists.
//
// It opens and ends no association: a client without a connection could not learn that it has one, and would keep its
// place for ever.
func (l *Line) unnumbered(now time.Time, e hdlc.Event) {
	if len(e.APDU) == 0 || e.APDU[0] == acse.TagAARQ || e.APDU[0] == acse.TagRLRQ {
		return
	}
	if !e.Peer.Server.IsBroadcast() {
		if d := at(l.cfg.Host, e.Peer.Server); d != nil {
			l.buf = d.Serve(now, l.peer(e.Peer), e.APDU, l.buf[:0])
		}
		return
	}
	everyone(l.cfg.Host, func(d *Device) {
		for _, p := range d.peersOn(l.cfg.Link, e.Peer.Client.Upper) {
			l.buf = d.Serve(now, p, e.APDU, l.buf[:0])
		}
	})
}

// reply gives the link a reply. A token is stale only when its connection ended, and then there is nobody to tell.
func (l *Line) reply(now time.Time, t hdlc.Token, apdu []byte) { _ = l.link.Reply(now, t, apdu) }
