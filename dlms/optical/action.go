package optical

import (
	"fmt"
	"os"
	"time"
)

// ActionKind says what an Action asks for.
type ActionKind uint8

// The kinds.
const (
	Send      ActionKind = iota + 1 // put Bytes on the line
	SetFormat                       // once everything is sent, change to Format
	Identify                        // the meter has identified itself (client)
	Connected                       // the line now carries HDLC
	Read                            // the readout is complete (client)
	Ended                           // the text conversation is over, after a readout or for Err
)

// Action is something to do, in the order in which the machine gives it.
type Action struct {
	Kind           ActionKind
	Bytes          []byte // valid until the next call that takes a time
	Format         Format
	Identification Identification
	Data           Data
	Err            error
}

// queue holds the actions that were not fetched yet.
type queue []Action

func (q *queue) push(a Action) { *q = append(*q, a) }

func (q *queue) pop() (Action, bool) {
	if len(*q) == 0 {
		return Action{}, false
	}
	a := (*q)[0]
	*q = (*q)[1:]
	return a, true
}

// TimeoutError is a meter that did not answer. It is an os.ErrDeadlineExceeded.
type TimeoutError struct {
	Waiting string // for what
	Tries   int
	Noise   []byte // what came instead, at most the first bytes of it
}

// Error says what to check.
func (e *TimeoutError) Error() string {
	s := fmt.Sprintf("optical: no %s after %d tries", e.Waiting, e.Tries)
	if len(e.Noise) > 0 {
		return s + fmt.Sprintf("; instead came % X: check the speed and format of the line", e.Noise)
	}
	return s + ": check the head's position and power (DTR and RTS feed many), and that the meter wants a sign-on"
}

// Timeout makes it a net.Error in spirit.
func (*TimeoutError) Timeout() bool { return true }

// Is reports it as os.ErrDeadlineExceeded.
func (*TimeoutError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// side is what both ends have in common.
type side struct {
	queue  queue
	format Format
	soft   bool // we make the parity
	buf    []byte
	due    time.Time
}

// Next gives the next action.
func (s *side) Next() (Action, bool) { return s.queue.pop() }

// Deadline is when Tick wants to be called, the zero time if never.
func (s *side) Deadline() time.Time { return s.due }

// Format is what the line should be now.
func (s *side) Format() Format { return s.format }

// send queues text; it gives how long the text takes on the line.
func (s *side) send(text []byte) time.Duration {
	if s.soft {
		text = AppendParity(nil, text)
	}
	s.queue.push(Action{Kind: Send, Bytes: text})
	return s.format.Time(len(text))
}

func (s *side) change(f Format) {
	if s.format != f {
		s.format = f
		s.queue.push(Action{Kind: SetFormat, Format: f})
	}
}

// take puts received characters without their parity into the buffer. With parity made here, a character whose parity is
// wrong is lost, as it is in a UART; without, bit 7 is what a line without parity of its own has let through.
func (s *side) take(b []byte) {
	for _, c := range b {
		text, even := StripParity(c)
		if even || !s.soft && c < 0x80 {
			s.buf = append(s.buf, text)
		}
	}
}
