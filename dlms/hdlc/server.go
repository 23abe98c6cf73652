package hdlc

import (
	"fmt"
	"time"
)

// ServerConfig configures the server's end of a line. The zero value is one logical device 1 with the standard's defaults.
type ServerConfig struct {
	// Accepts tells which server addresses are on this line; frames to others are not answered. Reserved addresses never
	// reach it. Nil means logical device 1 in every form of address. See AcceptDevices.
	Accepts func(Address) bool
	// Params are what this server can do. Zero fields mean 128 bytes and window 1; the client may agree on less.
	Params Params
	// Inactivity ends a connection, and with it the association, on which nothing came for so long.
	// Zero means 120 s, negative means never.
	Inactivity time.Duration
	// InterOctet ends a frame that has begun when no byte came for so long. Zero means 200 ms (ours: the standard's 25 ms
	// is less than what USB adapters pause), negative means never.
	InterOctet time.Duration
	// MaxAPDU is the longest request that is put together. Zero means 65,535 bytes.
	MaxAPDU int
	// MaxConnections is how many pairs of addresses may be connected at once; others get DM. Zero means 16.
	MaxConnections int
	// StrictTurn makes a late reply wait for the client's next poll once an earlier poll was answered with RR. Shared
	// half-duplex buses need it. Zero sends the reply as soon as it is there.
	StrictTurn bool
}

func (c ServerConfig) withDefaults() ServerConfig {
	if c.Accepts == nil {
		c.Accepts = func(a Address) bool { return a.Upper == LogicalManagement }
	}
	c.Params = c.Params.withDefaults()
	c.Inactivity = defaultDuration(c.Inactivity, 120*time.Second)
	c.InterOctet = defaultDuration(c.InterOctet, 200*time.Millisecond)
	if c.MaxAPDU == 0 {
		c.MaxAPDU = 0xFFFF
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 16
	}
	return c
}

func defaultDuration(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return max(d, 0)
}

// AcceptDevices accepts the logical devices of one physical device: in one byte, and in two or four with its lower address.
func AcceptDevices(physical uint16, logical ...uint16) func(Address) bool {
	return func(a Address) bool {
		if a.Size > 1 && a.Lower != physical {
			return false
		}
		for _, l := range logical {
			if l == a.Upper {
				return true
			}
		}
		return false
	}
}

// ServerStats adds what a ServerLink saw to its decoder's counts.
type ServerStats struct {
	Stats
	Ignored  uint64 // good frames that deserved no answer: not for us, or not for a server
	Repeated uint64 // frames received again; requests in them were not executed again
	Lost     uint64 // I-frames that came out of order
	Rejected uint64 // FRMR sent
	BadLLC   uint64 // APDUs dropped for wrong LLC bytes
}

// ServerLink is the server's end of one line: any number of logical devices, and of clients at once. After every call
// that takes a time, read events with Next, send Output, and call Tick by the Deadline. It is not safe for concurrent use.
type ServerLink struct {
	cfg    ServerConfig
	dec    Decoder
	conns  []*serverConn // few: searched one after the other
	spare  []*serverConn
	out    outbox
	in     inbox
	lastRx time.Time
	gen    uint64
	stats  ServerStats
	frame  Frame
}

type serverConn struct {
	peer     Peer
	params   Params
	tx       sender
	rx       receiver
	gen      uint64
	pending  bool // a request was delivered and not answered
	turn     bool // the client's last poll is not answered
	peerBusy bool // the client sent RNR
	rejected []byte
	rejBuf   [3]byte
	lastRx   time.Time
}

// NewServerLink makes a line with nobody connected.
func NewServerLink(cfg ServerConfig) *ServerLink { return &ServerLink{cfg: cfg.withDefaults()} }

// Input takes bytes that came from the line at the given time.
func (s *ServerLink) Input(now time.Time, b []byte) {
	s.Tick(now)
	if len(b) == 0 {
		return
	}
	s.lastRx = now
	_, _ = s.dec.Write(b)
	s.drain(now)
}

func (s *ServerLink) drain(now time.Time) {
	for s.dec.Next(&s.frame) {
		s.handle(now, &s.frame)
	}
}

// Output returns the bytes to send, nil if there are none. They are valid until the next call that takes a time.
func (s *ServerLink) Output() []byte { return s.out.take() }

// Next returns the next event.
func (s *ServerLink) Next() (Event, bool) { return s.in.pop() }

// Stats returns the counts so far.
func (s *ServerLink) Stats() ServerStats {
	st := s.stats
	st.Stats = s.dec.Stats()
	return st
}

// Connections lists who is connected.
func (s *ServerLink) Connections() []Peer {
	p := make([]Peer, len(s.conns))
	for i, c := range s.conns {
		p[i] = c.peer
	}
	return p
}

// Deadline is when Tick wants to be called, the zero time if never.
func (s *ServerLink) Deadline() time.Time {
	var d time.Time
	if s.cfg.InterOctet > 0 && s.dec.Partial() {
		d = s.lastRx.Add(s.cfg.InterOctet)
	}
	if s.cfg.Inactivity > 0 {
		for _, c := range s.conns {
			if t := c.lastRx.Add(s.cfg.Inactivity); d.IsZero() || t.Before(d) {
				d = t
			}
		}
	}
	return d
}

// Tick does what is due: it gives up frames that stopped in the middle and connections that fell silent.
func (s *ServerLink) Tick(now time.Time) {
	s.in.settle()
	if s.cfg.InterOctet > 0 && s.dec.Partial() && !now.Before(s.lastRx.Add(s.cfg.InterOctet)) {
		s.lastRx = now
		s.dec.GiveUp()
		s.drain(now)
	}
	if s.cfg.Inactivity <= 0 {
		return
	}
	for i := 0; i < len(s.conns); i++ {
		if c := s.conns[i]; !now.Before(c.lastRx.Add(s.cfg.Inactivity)) {
			s.remove(c, ErrInactive)
			i--
		}
	}
}

// Reply answers a request. An empty APDU answers nothing: the client's polls get RR. It fails with ErrStaleToken when the
// request is over, because the client disconnected or connected anew.
func (s *ServerLink) Reply(_ time.Time, t Token, apdu []byte) error {
	s.in.settle()
	c := s.find(t.Peer)
	if c == nil || !c.pending || c.gen != t.gen {
		return fmt.Errorf("%w: %v", ErrStaleToken, t.Peer)
	}
	c.pending = false
	if len(apdu) > 0 {
		c.tx.load(int(c.params.InfoTransmit), llcResponse, apdu)
	}
	if c.turn || !s.cfg.StrictTurn {
		s.answer(c, RR)
	}
	return nil
}

// Notify sends an APDU that was not asked for in UI frames (push). A connected client gets information fields of the
// negotiated length, others of the default length.
func (s *ServerLink) Notify(_ time.Time, p Peer, apdu []byte) error {
	s.in.settle()
	f := Frame{Destination: p.Client, Source: p.Server, Control: Control{Kind: UI}}
	size := DefaultInfo
	if c := s.find(p); c != nil {
		size = int(c.params.InfoTransmit)
	}
	return appendUI(&s.out, f, size, llcResponse, apdu)
}

// Disconnect forgets a connection without a word, as a device does that loses power.
func (s *ServerLink) Disconnect(p Peer) {
	if c := s.find(p); c != nil {
		s.remove(c, nil)
	}
}

func appendUI(o *outbox, f Frame, size int, llc [3]byte, apdu []byte) error {
	if err := f.Destination.check(); err != nil {
		return err
	}
	if err := f.Source.check(); err != nil {
		return err
	}
	b := o.get()
	info := append(append(make([]byte, 0, len(llc)+len(apdu)), llc[:]...), apdu...)
	for len(info) > 0 {
		n := min(size, len(info))
		f.Info, f.Segmented = info[:n], n < len(info)
		b = f.append(b)
		info = info[n:]
	}
	o.b = b
	return nil
}

func (s *ServerLink) find(p Peer) *serverConn {
	for _, c := range s.conns {
		if c.peer == p {
			return c
		}
	}
	return nil
}

func (s *ServerLink) add(p Peer) *serverConn {
	if len(s.conns) >= s.cfg.MaxConnections {
		return nil
	}
	var c *serverConn
	if n := len(s.spare); n > 0 {
		c, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		c = new(serverConn)
	}
	c.peer = p
	s.conns = append(s.conns, c)
	return c
}

func (s *ServerLink) remove(c *serverConn, why error) {
	for i, x := range s.conns {
		if x == c {
			s.conns = append(s.conns[:i], s.conns[i+1:]...)
			break
		}
	}
	s.in.forget(c.peer)
	s.in.push(Event{Kind: Disconnected, Peer: c.peer, Err: why})
	c.pending = false
	s.spare = append(s.spare, c)
}

// handle deals with one good frame.
func (s *ServerLink) handle(now time.Time, f *Frame) {
	p := Peer{Client: f.Source, Server: f.Destination}
	switch {
	case f.Source.Size != 1 || f.Source.Upper == NoStation:
		s.stats.Ignored++
		return
	case f.Destination.IsBroadcast():
		// To everybody: nobody answers, and only UI means something.
		s.unnumbered(p, f)
		return
	case f.Destination.Upper == NoStation || !s.cfg.Accepts(f.Destination):
		s.stats.Ignored++
		return
	}
	c := s.find(p)
	if c != nil {
		c.lastRx = now
	}
	switch f.Control.Kind {
	case SNRM:
		s.connect(now, c, p, f)
	case DISC:
		if c != nil {
			s.remove(c, nil)
			s.send(p, Control{Kind: UA, Final: true}, nil)
		} else {
			s.send(p, Control{Kind: DM, Final: true}, nil)
		}
	case UI:
		s.unnumbered(p, f)
	case UA, DM, FRMR:
		s.stats.Ignored++ // a server's frames: an echo of our own, perhaps
	default:
		if c == nil {
			if f.Control.Final {
				s.send(p, Control{Kind: DM, Final: true}, nil)
			}
			return
		}
		s.numbered(c, f)
	}
}

func (s *ServerLink) unnumbered(p Peer, f *Frame) {
	if f.Control.Kind != UI || f.Segmented || len(f.Info) <= len(llcCommand) || [3]byte(f.Info) != llcCommand {
		s.stats.Ignored++
		return
	}
	s.in.note(p, f.Info[len(llcCommand):])
}

func (s *ServerLink) connect(now time.Time, c *serverConn, p Peer, f *Frame) {
	if !f.Control.Final {
		s.stats.Ignored++ // nobody may answer a SNRM without P
		return
	}
	proposed, err := ParseParams(f.Info)
	if err != nil {
		s.send(p, Control{Kind: DM, Final: true}, nil)
		return
	}
	if c != nil {
		s.remove(c, ErrReset)
	}
	if c = s.add(p); c == nil {
		s.send(p, Control{Kind: DM, Final: true}, nil)
		return
	}
	tx, rx := c.tx, c.rx
	tx.reset()
	rx.reset()
	*c = serverConn{peer: p, tx: tx, rx: rx, lastRx: now, params: s.cfg.Params.meet(proposed)}
	var info [32]byte
	s.send(p, Control{Kind: UA, Final: true}, c.params.append(info[:0]))
	s.in.push(Event{Kind: Connected, Peer: p, Params: c.params})
}

// Reasons in the third byte of a FRMR's information field (ISO/IEC 13239; recalled).
const (
	frmrControl = 0x01 // W
	frmrTooLong = 0x04 // Y
	frmrNR      = 0x08 // Z
)

func (s *ServerLink) reject(c *serverConn, f *Frame, reason byte) {
	c.rejBuf = [3]byte{f.Control.Raw, c.tx.vs()<<1 | c.rx.vr<<5, reason}
	c.rejected = c.rejBuf[:]
	c.pending, c.turn = false, false
	s.in.forget(c.peer)
	if f.Control.Final {
		s.answer(c, FRMR)
	}
}

// numbered deals with I, RR, RNR, REJ and unknown frames on a connection.
func (s *ServerLink) numbered(c *serverConn, f *Frame) {
	if c.rejected != nil {
		if f.Control.Final {
			s.answer(c, FRMR)
		}
		return
	}
	if f.Control.Kind == Unknown {
		s.reject(c, f, frmrControl)
		return
	}
	if len(f.Info) > int(c.params.InfoReceive) {
		s.reject(c, f, frmrTooLong)
		return
	}
	if !c.tx.ack(f.Control.NR) {
		if c.tx.stale(f.Control.NR, c.params.WindowTransmit) {
			s.stats.Repeated++
			return // an old frame come twice; the client's next is on its way
		}
		s.reject(c, f, frmrNR)
		return
	}
	if f.Control.Final {
		c.turn = true
	}
	reply := RR
	switch f.Control.Kind {
	case RNR:
		c.peerBusy = true
	case RR, REJ:
		c.peerBusy = false
	case I:
		c.peerBusy = false
		var done bool
		if reply, done = s.information(c, f); done {
			return // the reply answers the poll
		}
	}
	if f.Control.Final && (c.rejected == nil) {
		s.answer(c, reply)
	}
}

// information takes an I-frame. It returns how a poll is to be answered if there is no data to send, and whether the
// frame completed a request.
func (s *ServerLink) information(c *serverConn, f *Frame) (reply Kind, done bool) {
	switch {
	case f.Control.NS != c.rx.vr:
		if c.rx.repeated(f.Control.NS, c.params.WindowReceive) {
			s.stats.Repeated++
			return RR, false
		}
		s.stats.Lost++
		return REJ, false
	case c.pending:
		// A new request before the answer to the last: not taken, so that neither is lost.
		return RNR, false
	}
	c.tx.abandon() // a new request: what was left of the last answer is not wanted any more
	complete := c.rx.take(f)
	if len(c.rx.buf) > s.cfg.MaxAPDU+len(llcCommand) {
		s.reject(c, f, frmrTooLong)
		return RR, false
	}
	if !complete {
		return RR, false
	}
	apdu := c.rx.apdu(llcCommand)
	if apdu == nil {
		s.stats.BadLLC++
		return RR, false
	}
	s.gen++
	c.gen, c.pending = s.gen, true
	s.in.push(Event{Kind: Received, Peer: c.peer, APDU: apdu, Token: Token{Peer: c.peer, gen: c.gen}})
	return RR, true
}

// answer uses the turn: data if there is any, else the given supervisory frame.
func (s *ServerLink) answer(c *serverConn, k Kind) {
	switch {
	case c.rejected != nil:
		s.stats.Rejected++
		s.send(c.peer, Control{Kind: FRMR, Final: true}, c.rejected)
	case !c.tx.done() && !c.peerBusy:
		f := Frame{Destination: c.peer.Client, Source: c.peer.Server}
		s.out.b = c.tx.burst(s.out.get(), f, c.params.WindowTransmit, c.rx.vr)
	case c.turn:
		s.send(c.peer, Control{Kind: k, NR: c.rx.vr, Final: true}, nil)
	}
	c.turn = false
}

func (s *ServerLink) send(p Peer, ctl Control, info []byte) {
	f := Frame{Destination: p.Client, Source: p.Server, Control: ctl, Info: info}
	s.out.b = f.append(s.out.get())
}
