package hdlc

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// EventKind tells what happened on a link.
type EventKind uint8

// The events.
const (
	Connected    EventKind = iota + 1 // SNRM was accepted; Event.Params holds what was agreed
	Disconnected                      // the connection ended; Event.Err says why, nil after an orderly DISC
	Received                          // a whole APDU: at the server a request, at the client its reply
	Notified                          // an APDU nobody asked for (UI frames)
)

// String names the event.
func (k EventKind) String() string {
	switch k {
	case Connected:
		return "connected"
	case Disconnected:
		return "disconnected"
	case Received:
		return "received"
	case Notified:
		return "notified"
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// Peer is a connection's pair of addresses.
type Peer struct {
	Client, Server Address
}

// String is "client 16 ↔ server 1/17".
func (p Peer) String() string { return fmt.Sprintf("client %v ↔ server %v", p.Client, p.Server) }

// Token names one request, so that its reply can come later.
type Token struct {
	Peer Peer
	gen  uint64
}

// Event is something that happened on a link.
type Event struct {
	Kind   EventKind
	Peer   Peer
	Params Params // with Connected
	// APDU comes with Received and Notified, without LLC bytes. After Received it is valid until the reply is given
	// (server), or until the next call that takes a time (client); after Notified until the next call that takes a time.
	APDU  []byte
	Token Token // with Received at the server: give it to Reply
	Err   error // with Disconnected
}

// Reasons of a Disconnected event, and errors of calls.
var (
	ErrInactive     = errors.New("hdlc: nothing was received within the inactivity timeout")
	ErrReset        = errors.New("hdlc: the client connected anew")
	ErrRefused      = errors.New("hdlc: the server answered DM: it refuses, or does not know, the connection")
	ErrNotConnected = errors.New("hdlc: not connected: connect first")
	ErrConnected    = errors.New("hdlc: already connected, or about to be: disconnect or reset first")
	ErrBusy         = errors.New("hdlc: a request is under way: wait for its reply")
	ErrStaleToken   = errors.New("hdlc: that request is over: it was answered, or its connection ended")
	ErrTooLong      = errors.New("hdlc: APDU is longer than MaxAPDU")
)

// FrameRejectError is a FRMR: the peer could not make sense of a frame, and the link must be connected anew.
type FrameRejectError struct {
	Info []byte // the information field of the FRMR: rejected control field, V(S) and V(R), reasons; may be empty
}

// Error names the reasons that the peer gave.
func (e *FrameRejectError) Error() string {
	s := "hdlc: the peer rejected a frame (FRMR)"
	if len(e.Info) == 3 {
		s += fmt.Sprintf(": %v", ParseControl(e.Info[0]))
		for i, why := range [...]string{"control field not known", "information not allowed", "information too long", "N(R) not possible"} {
			if e.Info[2]>>i&1 != 0 {
				s += ", " + why
			}
		}
	}
	return s + ": connect again"
}

// TimeoutError is a peer that did not answer. It is an os.ErrDeadlineExceeded.
type TimeoutError struct {
	Peer  Peer
	Doing string        // "connect", "request", "disconnect"
	After time.Duration // since the first attempt
	Tries int
}

// Error says what was tried.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("hdlc: %v: no answer to %s after %d tries in %v: check the line, its speed and the addresses", e.Peer, e.Doing, e.Tries, e.After)
}

// Timeout makes it a net.Error in spirit.
func (*TimeoutError) Timeout() bool { return true }

// Is reports it as os.ErrDeadlineExceeded.
func (*TimeoutError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// outbox holds the bytes to send; Output hands them over and the next append starts afresh.
type outbox struct {
	b     []byte
	taken bool
}

func (o *outbox) get() []byte {
	if o.taken {
		o.b, o.taken = o.b[:0], false
	}
	return o.b
}

func (o *outbox) take() []byte {
	if o.taken {
		return nil
	}
	o.taken = true
	return o.b
}

// inbox holds events; notes keeps what Notified events point to until all were read.
type inbox struct {
	events []Event
	head   int
	notes  []byte
}

func (q *inbox) push(e Event) {
	q.events = append(q.events, e)
}

func (q *inbox) note(p Peer, b []byte) {
	start := len(q.notes)
	q.notes = append(q.notes, b...)
	q.push(Event{Kind: Notified, Peer: p, APDU: q.notes[start:len(q.notes):len(q.notes)]})
}

func (q *inbox) pop() (Event, bool) {
	if q.head == len(q.events) {
		return Event{}, false
	}
	e := q.events[q.head]
	q.events[q.head] = Event{}
	q.head++
	if q.head == len(q.events) {
		q.events, q.head = q.events[:0], 0
	}
	return e, true
}

// settle makes the notes' memory free once no event can point to it. Machines call it when they are given new input.
func (q *inbox) settle() {
	if len(q.events) == 0 {
		q.notes = q.notes[:0]
	}
}

// forget drops requests of a connection that has ended: their memory is about to be used again.
func (q *inbox) forget(p Peer) {
	kept := q.events[:q.head]
	for _, e := range q.events[q.head:] {
		if e.Kind != Received || e.Peer != p {
			kept = append(kept, e)
		}
	}
	clear(q.events[len(kept):])
	q.events = kept
}
