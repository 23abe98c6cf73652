package hdlc

import (
	"fmt"
	"time"
)

// ClientConfig configures a client's connection. The zero value is the public client (16) talking to logical device 1.
type ClientConfig struct {
	// Client is our address; zero means the public client 16.
	Client Address
	// Server is whom we talk to; zero means logical device 1 in one byte.
	Server Address
	// Params are what we can do. Zero fields mean 128 bytes and window 1; the server may agree on less.
	Params Params
	// OmitParams sends SNRM without parameters when all of them are the defaults.
	OmitParams bool
	// ResponseTimeout is how long to wait for an answer before repeating. It starts anew with every byte of an answer.
	// Zero means 3 s.
	ResponseTimeout time.Duration
	// ByteTime is how long a byte takes on the line; the time that our own bytes need is added to ResponseTimeout.
	// Zero means none.
	ByteTime time.Duration
	// Retries is how often to repeat. Zero means 3, negative means never.
	Retries int
	// InterOctet ends a frame that has begun when no byte came for so long. Zero means 200 ms (ours), negative never.
	InterOctet time.Duration
	// MaxAPDU is the longest reply that is put together. Zero means 16 MiB.
	MaxAPDU int
}

func (c ClientConfig) withDefaults() ClientConfig {
	if c.Client == (Address{}) {
		c.Client = Client(ClientPublic)
	}
	if c.Server == (Address{}) {
		c.Server = Server1(LogicalManagement)
	}
	c.Params = c.Params.withDefaults()
	if c.ResponseTimeout == 0 {
		c.ResponseTimeout = 3 * time.Second
	}
	switch {
	case c.Retries == 0:
		c.Retries = 3
	case c.Retries < 0:
		c.Retries = 0
	}
	c.InterOctet = defaultDuration(c.InterOctet, 200*time.Millisecond)
	if c.MaxAPDU == 0 {
		c.MaxAPDU = 16 << 20
	}
	return c
}

type clientState uint8

const (
	idle clientState = iota // not connected
	connecting
	ready
	waiting // for the reply to a request
	disconnecting
)

func (s clientState) String() string {
	return [...]string{"nothing", "connect", "nothing", "request", "disconnect"}[s]
}

// ClientStats adds what a ClientLink saw to its decoder's counts.
type ClientStats struct {
	Stats
	Ignored  uint64 // good frames that were for others, or made no sense now
	Repeats  uint64 // times we asked again
	Repeated uint64 // I-frames received again or out of order
}

// ClientLink is a client's end of one connection. After every call that takes a time, read events with Next, send Output,
// and call Tick by the Deadline. One request at a time is under way. It is not safe for concurrent use.
//
// A server that acknowledges a request and has no reply yet is polled every ResponseTimeout for as long as it answers the
// polls; who wants to wait no longer calls Reset.
type ClientLink struct {
	cfg    ClientConfig
	peer   Peer
	params Params
	state  clientState
	dec    Decoder
	tx     sender
	rx     receiver
	note   receiver
	out    outbox
	in     inbox
	lastRx time.Time
	due    time.Time // of the response
	since  time.Time // first try
	tries  int
	busy   bool // the server sent RNR
	stats  ClientStats
	frame  Frame
}

// NewClientLink makes a connection that is not open yet. It fails when an address cannot be.
func NewClientLink(cfg ClientConfig) (*ClientLink, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Client.check(); err != nil {
		return nil, err
	}
	if cfg.Client.Size != 1 {
		return nil, fmt.Errorf("hdlc: client address %v: clients have one byte", cfg.Client)
	}
	if err := cfg.Server.check(); err != nil {
		return nil, err
	}
	return &ClientLink{cfg: cfg, peer: Peer{cfg.Client, cfg.Server}, params: Params{}.withDefaults()}, nil
}

// Params is what was agreed with the server, or the defaults before that.
func (c *ClientLink) Params() Params { return c.params }

// IsConnected tells whether requests can be sent.
func (c *ClientLink) IsConnected() bool { return c.state == ready || c.state == waiting }

// Connect opens the connection; a Connected or Disconnected event follows.
func (c *ClientLink) Connect(now time.Time) error {
	c.in.settle()
	if c.state != idle {
		return fmt.Errorf("%w: %v", ErrConnected, c.peer)
	}
	c.begin(now, connecting)
	c.sendSNRM()
	c.arm(now)
	return nil
}

// Send sends a request; a Received event with the reply follows, or a Disconnected event.
func (c *ClientLink) Send(now time.Time, apdu []byte) error {
	c.in.settle()
	switch {
	case !c.IsConnected():
		return fmt.Errorf("%w: %v", ErrNotConnected, c.peer)
	case c.state == waiting:
		return fmt.Errorf("%w: %v", ErrBusy, c.peer)
	}
	c.begin(now, waiting)
	c.rx.mid = false
	c.tx.load(int(c.params.InfoTransmit), llcCommand, apdu)
	c.burst()
	c.arm(now)
	return nil
}

// Notify sends an APDU that no one answers in UI frames, to the server or to everybody.
func (c *ClientLink) Notify(_ time.Time, to Address, apdu []byte) error {
	c.in.settle()
	f := Frame{Destination: to, Source: c.peer.Client, Control: Control{Kind: UI}}
	if size := int(c.params.InfoTransmit); len(apdu)+len(llcCommand) > size {
		return fmt.Errorf("%w: UI frame holds %d bytes", ErrTooLong, size-len(llcCommand))
	}
	return appendUI(&c.out, f, len(apdu)+len(llcCommand), llcCommand, apdu)
}

// Disconnect closes the connection; a Disconnected event follows.
func (c *ClientLink) Disconnect(now time.Time) error {
	c.in.settle()
	if !c.IsConnected() {
		return fmt.Errorf("%w: %v", ErrNotConnected, c.peer)
	}
	c.begin(now, disconnecting)
	c.send(Control{Kind: DISC, Final: true}, nil)
	c.arm(now)
	return nil
}

// Reset forgets the connection without a word and without an event.
func (c *ClientLink) Reset() {
	c.state = idle
	c.due = time.Time{}
}

// Input takes bytes that came from the line at the given time.
func (c *ClientLink) Input(now time.Time, b []byte) {
	c.Tick(now)
	if len(b) == 0 {
		return
	}
	c.lastRx = now
	_, _ = c.dec.Write(b)
	c.drain(now)
	if c.dec.Partial() && !c.due.IsZero() {
		c.due = latest(c.due, now.Add(c.cfg.ResponseTimeout)) // an answer is coming in
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (c *ClientLink) drain(now time.Time) {
	for c.dec.Next(&c.frame) {
		c.handle(now, &c.frame)
	}
}

// Output returns the bytes to send, nil if there are none. They are valid until the next call that takes a time.
func (c *ClientLink) Output() []byte { return c.out.take() }

// Next returns the next event.
func (c *ClientLink) Next() (Event, bool) { return c.in.pop() }

// Stats returns the counts so far.
func (c *ClientLink) Stats() ClientStats {
	st := c.stats
	st.Stats = c.dec.Stats()
	return st
}

// Deadline is when Tick wants to be called, the zero time if never.
func (c *ClientLink) Deadline() time.Time {
	d := c.due
	if c.cfg.InterOctet > 0 && c.dec.Partial() {
		if t := c.lastRx.Add(c.cfg.InterOctet); d.IsZero() || t.Before(d) {
			d = t
		}
	}
	return d
}

// Tick does what is due: it gives up frames that stopped in the middle, and repeats what was not answered.
func (c *ClientLink) Tick(now time.Time) {
	c.in.settle()
	if c.cfg.InterOctet > 0 && c.dec.Partial() && !now.Before(c.lastRx.Add(c.cfg.InterOctet)) {
		c.lastRx = now
		c.dec.GiveUp()
		c.drain(now)
	}
	if c.due.IsZero() || now.Before(c.due) {
		return
	}
	if c.tries > c.cfg.Retries {
		c.close(&TimeoutError{Peer: c.peer, Doing: c.state.String(), After: now.Sub(c.since), Tries: c.tries})
		return
	}
	c.tries++
	c.stats.Repeats++
	switch c.state {
	case connecting:
		c.sendSNRM()
	case disconnecting:
		c.send(Control{Kind: DISC, Final: true}, nil)
	default:
		if c.tx.done() || c.busy {
			c.poll(RR)
		} else {
			c.burst()
		}
	}
	c.arm(now)
}

func (c *ClientLink) begin(now time.Time, s clientState) {
	c.state, c.since, c.tries = s, now, 1
}

// arm starts the response timeout anew, after the bytes we are about to send are on the line.
func (c *ClientLink) arm(now time.Time) {
	var sending int
	if !c.out.taken {
		sending = len(c.out.b)
	}
	c.due = now.Add(c.cfg.ResponseTimeout + time.Duration(sending)*c.cfg.ByteTime)
}

// progress is what arm is after the server did something useful: the tries count afresh.
func (c *ClientLink) progress(now time.Time) {
	c.tries = 1
	c.arm(now)
}

func (c *ClientLink) close(why error) {
	c.Reset()
	c.in.push(Event{Kind: Disconnected, Peer: c.peer, Err: why})
}

func (c *ClientLink) sendSNRM() {
	var buf [32]byte
	info := c.cfg.Params.append(buf[:0])
	if c.cfg.OmitParams && c.cfg.Params == (Params{}).withDefaults() {
		info = nil
	}
	c.send(Control{Kind: SNRM, Final: true}, info)
}

func (c *ClientLink) send(ctl Control, info []byte) {
	f := Frame{Destination: c.peer.Server, Source: c.peer.Client, Control: ctl, Info: info}
	c.out.b = f.append(c.out.get())
}

func (c *ClientLink) poll(k Kind) { c.send(Control{Kind: k, NR: c.rx.vr, Final: true}, nil) }

func (c *ClientLink) burst() {
	f := Frame{Destination: c.peer.Server, Source: c.peer.Client}
	c.out.b = c.tx.burst(c.out.get(), f, c.params.WindowTransmit, c.rx.vr)
}

// handle deals with one good frame.
func (c *ClientLink) handle(now time.Time, f *Frame) {
	if f.Destination != c.peer.Client || f.Source != c.peer.Server {
		if f.Control.Kind == UI && f.Destination == c.peer.Client {
			c.notified(f) // pushes come from whichever logical device pushes
			return
		}
		c.stats.Ignored++
		return
	}
	switch f.Control.Kind {
	case UI:
		c.notified(f)
	case UA:
		c.acknowledged(f)
	case DM:
		switch c.state {
		case disconnecting:
			c.close(nil)
		case idle:
			c.stats.Ignored++
		default:
			c.close(fmt.Errorf("%w: %v", ErrRefused, c.peer))
		}
	case FRMR:
		if c.IsConnected() {
			c.close(&FrameRejectError{Info: append([]byte(nil), f.Info...)})
		}
	case I, RR, RNR, REJ:
		before := c.tx.acked
		if !c.IsConnected() || !c.tx.ack(f.Control.NR) {
			c.stats.Ignored++ // perhaps a frame that wandered about since before we connected
			return
		}
		if f.Control.Kind == I {
			c.information(now, f)
		} else {
			c.supervisory(now, f, c.tx.acked != before)
		}
	default:
		c.stats.Ignored++
	}
}

func (c *ClientLink) acknowledged(f *Frame) {
	switch c.state {
	case connecting:
		server, err := ParseParams(f.Info)
		if err != nil {
			c.close(err)
			return
		}
		c.params = c.cfg.Params.meet(server)
		c.tx.reset()
		c.rx.reset()
		c.busy = false
		c.state, c.due = ready, time.Time{}
		c.in.push(Event{Kind: Connected, Peer: c.peer, Params: c.params})
	case disconnecting:
		c.close(nil)
	default:
		c.stats.Ignored++
	}
}

func (c *ClientLink) notified(f *Frame) {
	if c.note.take(f) {
		if apdu := c.note.apdu(llcResponse); apdu != nil {
			c.in.note(Peer{Client: c.peer.Client, Server: f.Source}, apdu)
		}
	}
	if len(c.note.buf) > c.cfg.MaxAPDU {
		c.note.reset()
	}
}

// information takes an I-frame that acknowledged nothing impossible.
func (c *ClientLink) information(now time.Time, f *Frame) {
	if f.Control.NS != c.rx.vr {
		c.stats.Repeated++
		// Ask again where we stand, but only in the middle of a reply: a repeated end of the last reply needs no answer.
		if f.Control.Final && c.state == waiting && c.rx.mid {
			c.poll(RR)
			c.arm(now)
		}
		return
	}
	if len(c.rx.buf) > c.cfg.MaxAPDU {
		c.close(fmt.Errorf("%w: %v sent more than %d bytes", ErrTooLong, c.peer, c.cfg.MaxAPDU))
		return
	}
	complete := c.rx.take(f)
	if c.state != waiting {
		// Not asked for. Acknowledged with the next request.
		if complete {
			if apdu := c.rx.apdu(llcResponse); apdu != nil {
				c.in.note(c.peer, apdu)
			}
		}
		return
	}
	if !complete {
		if f.Control.Final {
			c.poll(RR)
		}
		c.progress(now)
		return
	}
	apdu := c.rx.apdu(llcResponse)
	if apdu == nil {
		c.stats.Ignored++
		c.progress(now) // wait for something that makes sense, or time out
		return
	}
	c.tx.abandon() // a reply to a request it has not wholly seen: it wants no more of it
	c.state, c.due = ready, time.Time{}
	c.in.push(Event{Kind: Received, Peer: c.peer, APDU: apdu})
}

// supervisory takes RR, RNR or REJ. With F set it is our turn again.
func (c *ClientLink) supervisory(now time.Time, f *Frame, advanced bool) {
	c.busy = f.Control.Kind == RNR
	switch {
	case c.state != waiting || !f.Control.Final:
	case c.busy || c.tx.done():
		c.progress(now) // it is alive; poll it later
	case advanced:
		c.burst()
		c.progress(now)
	case c.tries <= c.cfg.Retries:
		// It wants again what we sent, which is a try like a timeout, or two stubborn ends would never stop.
		c.tries++
		c.stats.Repeats++
		c.burst()
		c.arm(now)
	}
}
