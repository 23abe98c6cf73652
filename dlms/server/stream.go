package server

import (
	"encoding/binary"
	"time"

	"smets1/dlms/apdu"
	"smets1/dlms/wrapper"
)

// StreamConfig sets up a [Stream] or [Datagrams].
type StreamConfig struct {
	// Host that is served. Required.
	Host Host
	// Forward takes requests with a gateway prefix. Nil answers them with an exception.
	Forward Forwarder
	// Link is the id of a stream's link for associations. Datagrams have one for each remote address instead.
	Link uint64
	// RefuseUnknown answers requests to SAPs nobody has with an exception. Zero is silence.
	RefuseUnknown bool
	// Stall is how long a unit may stand incomplete before its header is taken for junk. Zero is 10 s.
	Stall time.Duration
	// MaxPending forwarded requests wait at most; a further one takes the place of the oldest. Zero is 16.
	MaxPending int
}

const defaultStall = 10 * time.Second

// route is the way back through the wrapper.
type route struct {
	link           uint64
	client, server uint16
}

// Stream serves one byte stream of wrapper units: a TCP connection, a ZigBee tunnel. It is sans-I/O: the owner gives it
// what it reads, writes what Output gives, calls Tick at the Deadline and Close at the end.
type Stream struct {
	cfg    StreamConfig
	dec    wrapper.Decoder
	desk   desk[route]
	out    []byte
	taken  bool
	lastRx time.Time
}

var _ Replier = (*Stream)(nil)

// NewStream makes one.
func NewStream(c StreamConfig) *Stream {
	c = c.withDefaults()
	return &Stream{cfg: c, desk: desk[route]{host: c.Host, forward: c.Forward, max: c.MaxPending}}
}

func (c StreamConfig) withDefaults() StreamConfig {
	if c.Stall == 0 {
		c.Stall = defaultStall
	}
	if c.MaxPending == 0 {
		c.MaxPending = defaultPending
	}
	return c
}

// Input takes bytes that came.
func (s *Stream) Input(now time.Time, b []byte) {
	s.Tick(now)
	if len(b) == 0 {
		return
	}
	s.lastRx = now
	_, _ = s.dec.Write(b)
	s.drain(now)
}

// Output gives the bytes to send, nil if there are none. They are valid until the next call that takes a time.
func (s *Stream) Output() []byte {
	if s.taken || len(s.out) == 0 {
		return nil
	}
	s.taken = true
	return s.out
}

// Deadline is when Tick wants to be called; the zero time if never.
func (s *Stream) Deadline() time.Time {
	if s.dec.Pending() == 0 {
		return time.Time{}
	}
	return s.lastRx.Add(s.cfg.Stall)
}

// Tick gives up a unit that stopped in the middle, and serves what whole units it may have swallowed.
func (s *Stream) Tick(now time.Time) {
	if s.dec.Pending() == 0 || now.Before(s.lastRx.Add(s.cfg.Stall)) {
		return
	}
	for s.dec.Pending() > 0 {
		s.dec.GiveUp()
		s.drain(now)
	}
}

// Close drops the associations opened over the stream, and the forwarded requests.
func (s *Stream) Close() { s.desk.close(s.cfg.Link) }

// Reply sends the reply of a forwarded request.
func (s *Stream) Reply(_ time.Time, t Token, reply []byte) error {
	w, err := s.desk.answer(t)
	if err != nil || len(reply) == 0 {
		return err
	}
	mark := s.begin(w.route.server, w.route.client)
	s.out = w.prefixed(reply, s.out)
	s.end(mark)
	return nil
}

// Push sends an APDU nobody asked for, such as a data-notification, from a logical device to a client.
func (s *Stream) Push(_ time.Time, server, client uint16, apdu []byte) {
	mark := s.begin(server, client)
	s.out = append(s.out, apdu...)
	s.end(mark)
}

// PushFrom sends an APDU nobody asked for to a client, if it has an association with the device over the stream. It
// tells how often it was sent: once or not at all.
func (s *Stream) PushFrom(now time.Time, d *Device, client uint16, apdu []byte) int {
	if d.association(Peer{Link: s.cfg.Link, Client: client}) == nil {
		return 0
	}
	s.Push(now, d.sap(), client, apdu)
	return 1
}

func (s *Stream) drain(now time.Time) {
	for {
		h, request, ok := s.dec.Next()
		if !ok {
			return
		}
		s.serve(now, h, request)
	}
}

func (s *Stream) serve(now time.Time, h wrapper.Header, request []byte) {
	client, server := h.Source, h.Destination
	way := route{link: s.cfg.Link, client: client, server: server}
	reply, done := s.desk.gateway(now, s, s.cfg.Link, client, server, request, way, nil)
	if done {
		if len(reply) > 0 {
			s.Push(now, server, client, reply)
		}
		return
	}
	d := s.desk.device(server)
	if d == nil {
		if s.cfg.RefuseUnknown {
			s.Push(now, server, client, exception(nil, apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible))
		}
		return
	}
	p := Peer{Link: s.cfg.Link, Client: client}
	mark := s.begin(server, client)
	s.out = d.Serve(now, p, request, s.out)
	for s.end(mark) {
		mark = s.begin(server, client)
		s.out = d.More(now, p, s.out)
	}
}

// begin writes a header whose length end fills in.
func (s *Stream) begin(source, destination uint16) (mark int) {
	if s.taken {
		s.out, s.taken = shrink(s.out)[:0], false
	}
	mark = len(s.out)
	s.out, _ = wrapper.Header{Source: source, Destination: destination}.AppendBinary(s.out)
	return mark
}

func (s *Stream) cancel(mark int) { s.out = s.out[:mark] }

// end completes the unit begun at mark. False if it is empty, or longer than a unit can be: then it is taken back.
func (s *Stream) end(mark int) bool {
	n := len(s.out) - mark - wrapper.Size
	if n == 0 || n > wrapper.MaxLength {
		s.cancel(mark)
		return false
	}
	binary.BigEndian.PutUint16(s.out[mark+6:], uint16(n))
	return true
}
