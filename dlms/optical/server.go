package optical

import (
	"bytes"
	"errors"
	"time"
)

// ServerConfig configures a meter's end.
type ServerConfig struct {
	// Identification is what the meter says; its escapes and speed say what it can do.
	Identification Identification
	// Address is the device address; a request with another one is not answered. Requests without address always are.
	Address string
	// Data is the readout. Nil means that there is none.
	Data Data
	// Start is the format of the sign-on; zero means 300 7E1.
	Start Format
	// NoEcho leaves the repetition of the acknowledgement out, as some meters do.
	NoEcho bool
	// SoftParity makes and checks the parity bit here, for lines that carry eight bits below.
	SoftParity bool
	// Reaction is the time before an answer. Zero means 200 ms, or 20 ms for a maker with a lower-case third letter.
	Reaction time.Duration
	// Inactivity is how long HDLC may be silent before the meter wants a sign-on again. Zero means 120 s, less than zero
	// never.
	Inactivity time.Duration
}

type serverState uint8

const (
	awaitRequest serverState = iota
	answering                // the reaction time runs
	awaitAcknowledge
	confirming // the reaction time runs
	changing   // to the speed of a readout that nobody asked for (mode B): the client changes meanwhile
	talking    // HDLC
	repeatable // readout sent, which the client may ask for again
)

// Server is the meter's end of the port.
type Server struct {
	side
	cfg   ServerConfig
	state serverState
	ack   Acknowledge
}

// NewServer makes a meter's end that waits for a sign-on. It fails when the identification or the readout cannot be sent.
func NewServer(cfg ServerConfig) (*Server, error) {
	if _, err := cfg.Identification.AppendBinary(nil); err != nil {
		return nil, err
	}
	if _, err := cfg.Data.AppendBinary(nil); err != nil {
		return nil, err
	}
	if cfg.Start == (Format{}) {
		cfg.Start = SignOn
	}
	if cfg.Reaction == 0 {
		cfg.Reaction = 200 * time.Millisecond
		if cfg.Identification.Fast() {
			cfg.Reaction = 20 * time.Millisecond
		}
	}
	if cfg.Inactivity == 0 {
		cfg.Inactivity = 120 * time.Second
	}
	return &Server{cfg: cfg, side: side{soft: cfg.SoftParity, format: cfg.Start}}, nil
}

// IsConnected tells whether the line carries HDLC.
func (s *Server) IsConnected() bool { return s.state == talking }

// Input takes bytes from the line. It gives those that are HDLC's.
func (s *Server) Input(now time.Time, b []byte) (rest []byte) {
	s.Tick(now)
	switch s.state {
	case talking:
		s.active(now)
		return b
	case answering, confirming, changing:
		return nil // it talks over us
	case awaitRequest, awaitAcknowledge, repeatable:
	}
	s.take(b)
	switch s.state {
	case awaitAcknowledge:
		s.acknowledged(now)
	case repeatable:
		s.repeat(now)
	default:
		s.requested(now)
	}
	return nil
}

// Sent tells that HDLC has put something on the line.
func (s *Server) Sent(now time.Time) {
	if s.state == talking {
		s.active(now)
	}
}

func (s *Server) active(now time.Time) {
	if s.cfg.Inactivity > 0 {
		s.due = now.Add(s.cfg.Inactivity)
	}
}

// Disconnect ends HDLC, after the answer to DISC: the meter wants a sign-on again.
func (s *Server) Disconnect() {
	if s.state == talking {
		s.back(nil)
	}
}

func (s *Server) back(err error) {
	s.state, s.due, s.buf = awaitRequest, time.Time{}, nil
	s.change(s.cfg.Start)
	s.queue.push(Action{Kind: Ended, Err: err})
}

// Trigger is the button or light of a meter of mode D: it sends its readout at 2400 baud without having been asked.
func (s *Server) Trigger() {
	if s.state != awaitRequest {
		return
	}
	s.change(Format{2400, true})
	b, _ := Push{s.cfg.Identification, s.cfg.Data}.AppendBinary(nil) // NewServer has tried both
	s.send(b)
	s.back(nil)
}

// Tick does what is due.
func (s *Server) Tick(now time.Time) {
	if s.due.IsZero() || now.Before(s.due) {
		return
	}
	s.due = time.Time{}
	switch s.state {
	case answering:
		s.identify(now)
	case awaitAcknowledge:
		// Without a word a meter of mode C sends its readout at the speed of the sign-on.
		if s.cfg.Data != nil {
			s.readout(now, s.cfg.Start)
			return
		}
		s.back(nil)
	case confirming:
		s.confirm(now)
	case changing:
		s.readout(now, Format{s.cfg.Identification.Baud(), true})
	case talking:
		s.back(&TimeoutError{Waiting: "word from the client", Tries: 1})
	case repeatable:
		s.back(nil)
	case awaitRequest:
	}
}

func (s *Server) requested(now time.Time) {
	for {
		i := bytes.Index(s.buf, []byte("/?"))
		if i < 0 {
			s.buf = s.buf[max(0, len(s.buf)-1):]
			return
		}
		s.buf = s.buf[i:]
		r, n, err := ParseRequest(s.buf)
		switch {
		case errors.Is(err, ErrTruncated):
			return
		case err != nil:
			s.buf = s.buf[2:]
			continue
		}
		s.buf = s.buf[n:]
		if r.Address == "" || r.Address == s.cfg.Address {
			s.state, s.buf = answering, nil
			s.due = now.Add(s.cfg.Reaction)
			return
		}
	}
}

func (s *Server) identify(now time.Time) {
	id, _ := s.cfg.Identification.AppendBinary(nil)
	took := s.send(id)
	switch s.cfg.Identification.Mode() {
	case ModeA:
		s.readout(now, s.cfg.Start)
	case ModeB:
		s.state, s.due = changing, now.Add(took+s.cfg.Reaction)
	case ModeC, ModeD, ModeE:
		s.state = awaitAcknowledge
		s.due = now.Add(took + 2*time.Second)
	}
}

func (s *Server) acknowledged(now time.Time) {
	i := bytes.IndexAny(s.buf, "\x06/")
	if i < 0 {
		s.buf = nil
		return
	}
	if s.buf[i] == '/' { // it asks again
		s.state = awaitRequest
		s.requested(now)
		if s.state == awaitRequest {
			s.state = awaitAcknowledge
		}
		return
	}
	a, _, err := ParseAcknowledge(s.buf[i:])
	switch {
	case errors.Is(err, ErrTruncated):
		return
	case err != nil:
		s.buf = s.buf[i+1:]
		s.acknowledged(now)
		return
	}
	s.ack, s.buf = a, nil
	s.state, s.due = confirming, now.Add(s.cfg.Reaction)
}

func (s *Server) confirm(now time.Time) {
	a := s.ack
	if baud := baudOf(a.Speed); baud == 0 || baud > baudOf(s.cfg.Identification.Speed) {
		a.Speed = '0' // what it cannot do it does at the speed of the sign-on
	}
	if a.Protocol == '2' && a.Control == '2' && s.cfg.Identification.Mode() == ModeE {
		if !s.cfg.NoEcho {
			b, _ := a.AppendBinary(nil)
			s.send(b)
		}
		s.change(Format{Baud: baudOf(a.Speed)})
		s.state = talking
		s.active(now)
		s.queue.push(Action{Kind: Connected})
		return
	}
	if a.Control == '0' && s.cfg.Data != nil {
		s.readout(now, Format{baudOf(a.Speed), true})
		return
	}
	s.send([]byte{nak})
	s.back(nil)
}

// readout sends the data and waits a moment for a NAK.
func (s *Server) readout(now time.Time, f Format) {
	s.change(f)
	b, _ := s.cfg.Data.AppendBinary(nil)
	took := s.send(b)
	s.state, s.buf = repeatable, nil
	s.due = now.Add(took + 1500*time.Millisecond)
}

func (s *Server) repeat(now time.Time) {
	if bytes.IndexByte(s.buf, nak) >= 0 {
		s.readout(now, s.format)
		return
	}
	if bytes.HasPrefix(s.buf, []byte("/?")) { // the next one
		s.state = awaitRequest
		s.change(s.cfg.Start)
		s.requested(now)
	}
}
