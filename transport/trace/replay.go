package trace

import (
	"fmt"
	"os"
	"sync"
	"time"

	"smets1/internal/clock"
	"smets1/transport/internal/queue"
	"smets1/transport/serial"
)

// MismatchError is the first difference between what a trace says and what happened.
type MismatchError struct {
	Line      int    // of the trace
	Byte      int    // in the event, from 1; 0 if it is not about a byte
	Want, Got string // a byte, a mode, or in words
}

// Error names the line and both values.
func (e *MismatchError) Error() string {
	where := fmt.Sprintf("trace: line %d", e.Line)
	if e.Byte > 0 {
		where += fmt.Sprintf(", byte %d", e.Byte)
	}
	return fmt.Sprintf("%s: the trace has %s, and now came %s", where, e.Want, e.Got)
}

// Config says how to replay.
type Config struct {
	// Clock times the answers. Nil is the machine's.
	Clock clock.Clock
	// Timed lets answers take as long as they did in the recording. Zero: they come at once.
	Timed bool
	// AsRecorder plays the end that recorded: it says what was sent and takes what was received.
	AsRecorder bool
	// NoModes passes over changes of mode, where the other end's cannot be seen: a pty, TCP.
	NoModes bool
	// Name is in the errors of the port. Zero: "replay".
	Name string
}

// Replay is the other end of a line, from a trace. It is a serial.Port.
type Replay struct {
	cfg    Config
	events []Event
	out    *queue.Queue // what it says

	mu     sync.Mutex
	next   int // event
	taken  int // bytes of it
	failed error
	closed bool
	due    time.Time
}

var _ serial.Port = (*Replay)(nil)

// NewReplay begins at the start of the trace.
func NewReplay(t *Trace, cfg Config) *Replay {
	if cfg.Clock == nil {
		cfg.Clock = clock.Real()
	}
	if cfg.Name == "" {
		cfg.Name = "replay"
	}
	r := &Replay{cfg: cfg, out: queue.New(cfg.Clock, 1<<30), due: cfg.Clock.Now()}
	for _, e := range t.Events {
		// Who plays the end that recorded changes nothing at the other.
		if e.Kind == Mode && (cfg.AsRecorder || cfg.NoModes) {
			continue
		}
		if cfg.AsRecorder && e.Kind == Sent {
			e.Kind = Received
		} else if cfg.AsRecorder && e.Kind == Received {
			e.Kind = Sent
		}
		r.events = append(r.events, e)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.speak()
	return r
}

// speak says what comes before the other end's turn. The caller holds mu.
func (r *Replay) speak() {
	if now := r.cfg.Clock.Now(); r.due.Before(now) {
		r.due = now
	}
	for ; r.next < len(r.events); r.next++ {
		e := r.events[r.next]
		if r.cfg.Timed && r.next > 0 && (e.Kind == Received || e.Kind == Line) {
			r.due = r.due.Add(e.At - r.events[r.next-1].At)
		}
		switch {
		case e.Kind == Received:
			_ = r.out.Put(r.due, e.Data, false, time.Time{}) // fails only after the end
		case e.Kind == Line && e.Text == Unplug:
			r.out.End(serial.ErrUnplugged)
		case e.Kind == Line: // a break carries nothing
		default:
			return
		}
	}
}

// differ remembers the first difference. The caller holds mu.
func (r *Replay) differ(m MismatchError) error {
	if r.failed == nil {
		r.failed = &m
		r.out.Break(r.failed)
	}
	return r.failed
}

// String is the configured name.
func (r *Replay) String() string { return r.cfg.Name }

// Read gives what the trace says was received.
func (r *Replay) Read(b []byte) (int, error) {
	n, err := r.out.Read(b)
	return n, r.fail("read", err)
}

// Write takes what the trace says was sent, and nothing else.
func (r *Replay) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, c := range b {
		switch {
		case r.closed:
			return i, r.fail("write", os.ErrClosed)
		case r.failed != nil:
			return i, r.fail("write", r.failed)
		case r.next == len(r.events):
			if n := len(r.events); n > 0 && r.events[n-1].Text == Unplug {
				return i, r.fail("write", serial.ErrUnplugged)
			}
			return i, r.fail("write", r.differ(MismatchError{r.lastLine(), 0, "nothing after this", fmt.Sprintf("% x", b[i:])}))
		}
		e := r.events[r.next]
		if e.Kind != Sent {
			return i, r.fail("write", r.differ(MismatchError{e.Line, 0, "a change to " + e.Text, fmt.Sprintf("% x", b[i:])}))
		}
		if c != e.Data[r.taken] && (e.Any == nil || !e.Any[r.taken]) {
			return i, r.fail("write", r.differ(MismatchError{e.Line, r.taken + 1, fmt.Sprintf("%02x", e.Data[r.taken]), fmt.Sprintf("%02x", c)}))
		}
		if r.taken++; r.taken == len(e.Data) {
			r.next++
			r.taken = 0
			r.speak()
		}
	}
	return len(b), nil
}

func (r *Replay) lastLine() int {
	if len(r.events) == 0 {
		return 0
	}
	return r.events[len(r.events)-1].Line
}

// SetMode must be what the trace says.
func (r *Replay) SetMode(m serial.Mode) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return r.fail("set mode", os.ErrClosed)
	case r.failed != nil:
		return r.fail("set mode", r.failed)
	case r.next == len(r.events) || r.events[r.next].Kind != Mode || r.events[r.next].Text != m.String():
		want, line := "nothing after this", r.lastLine()
		if r.next < len(r.events) {
			want, line = r.events[r.next].String(), r.events[r.next].Line
		}
		return r.fail("set mode", r.differ(MismatchError{line, 0, want, "a change to " + m.String()}))
	}
	r.next++
	r.speak()
	return nil
}

// SetReadDeadline is on the replay's clock.
func (r *Replay) SetReadDeadline(t time.Time) error {
	r.out.SetReadDeadline(t)
	return nil
}

// SetWriteDeadline has no effect: writing never waits.
func (r *Replay) SetWriteDeadline(time.Time) error { return nil }

// Close ends the replay. It does not tell differences: Done does.
func (r *Replay) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return r.fail("close", os.ErrClosed)
	}
	r.closed = true
	left := r.out.Len()
	r.out.Break(os.ErrClosed)
	if left > 0 && r.failed == nil {
		line := 0
		for _, e := range r.events[:r.next] {
			if e.Kind == Received {
				line = e.Line
			}
		}
		r.failed = &MismatchError{line, 0, fmt.Sprintf("an answer that nobody read to its end (%d bytes left)", left), "the end"}
	}
	return nil
}

// Finished tells whether all of the trace was played and all answers were read, or a difference was found.
func (r *Replay) Finished() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed != nil || r.next == len(r.events) && r.out.Len() == 0
}

// Done tells the first difference so far, or what of the trace was not played. Call it when the conversation is over,
// after Close if answers must have been read, too.
func (r *Replay) Done() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed != nil {
		return r.failed
	}
	for i := r.next; i < len(r.events); i++ {
		e := r.events[i]
		if e.Kind == Line {
			continue
		}
		want := fmt.Sprintf("%c %s", e.Kind, e.Text)
		if e.Kind != Mode {
			want = fmt.Sprintf("%c % x", e.Kind, e.Data[r.taken:])
		}
		return &MismatchError{e.Line, 0, want, "the end"}
	}
	return nil
}

func (r *Replay) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &serial.Error{Op: op, Port: r.cfg.Name, Err: err}
}
