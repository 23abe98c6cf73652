package ash

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Times and limits (UG101, published, except where marked).
const (
	firstWait = 1600 * time.Millisecond // for an acknowledgement; it adapts
	leastWait = 400 * time.Millisecond
	mostWait  = 3200 * time.Millisecond
	maxWaits  = 5 // in a row, then the link has failed
	resetWait = 3 * time.Second
	maxResets = 3           // tries of a host to reset (ours)
	busyTime  = time.Second // how long a "not ready" holds (recalled)
	window    = 3           // frames under way at once; up to 7 are allowed
)

// Errors of a link.
var (
	// ErrNotUp: the link is not up: a host calls Reset and waits, a co-processor waits to be reset.
	ErrNotUp = errors.New("the link is not up: it wants a reset")
	// ErrFailed: the link was up and is not any more.
	ErrFailed = errors.New("the link has failed: reset it")
)

// FailedError says why a link has failed. It is an ErrFailed, and an os.ErrDeadlineExceeded when the other end was silent.
type FailedError struct {
	Reason Reason
	Remote bool // the other end says so
	Silent bool // the other end said nothing
}

// Error says what happened.
func (e *FailedError) Error() string {
	switch {
	case e.Silent:
		return fmt.Sprintf("ash: no answer to a reset in %d attempts: is this a co-processor with EZSP firmware, and is the speed right?", maxResets)
	case e.Remote:
		return fmt.Sprintf("ash: the other end has given up (%s): %v", e.Reason, ErrFailed)
	}
	return fmt.Sprintf("ash: %s: %v", e.Reason, ErrFailed)
}

// Is reports ErrFailed and, for silence, os.ErrDeadlineExceeded.
func (e *FailedError) Is(target error) bool {
	return target == ErrFailed || target == os.ErrDeadlineExceeded && (e.Silent || e.Reason == ReasonTimeouts && !e.Remote)
}

type state uint8

const (
	down state = iota // never reset
	resetting
	up
	failed
)

// Link is one end of an ASH link. Make it with NewHost or NewNCP. It is used by one goroutine at a time.
type Link struct {
	host    bool
	state   state
	err     error
	decoder Decoder
	out     []byte
	in      [][]byte
	resets  int
	reason  Reason // of the last reset

	due   time.Time
	waits int // in a row
	wait  time.Duration

	queue    [][]byte // not sent yet
	flight   [][]byte // sent, not acknowledged; the first has number ackTx
	sentAt   time.Time
	repeated bool  // what is in flight was sent more than once: its time says nothing
	ackTx    uint8 // oldest that is not acknowledged
	rx       uint8 // next that is expected
	rejected bool  // a NAK is out for rx
	owed     bool  // an acknowledgement is
	busy     time.Time
}

// NewHost is the host's end.
func NewHost() *Link { return &Link{host: true} }

// NewNCP is the co-processor's end, which waits to be reset.
func NewNCP() *Link { return &Link{} }

// IsUp tells whether payloads can be sent.
func (l *Link) IsUp() bool { return l.state == up }

// Err is why the link has failed; nil if it has not.
func (l *Link) Err() error { return l.err }

// Resets is how often the link was reset: whoever sees it grow begins its conversation anew.
func (l *Link) Resets() int { return l.resets }

// Reason of the last reset, which the co-processor tells.
func (l *Link) Reason() Reason { return l.reason }

// Errors counts the frames that came spoiled.
func (l *Link) Errors() int { return l.decoder.Errors }

// Output takes what is to be written to the line.
func (l *Link) Output() []byte {
	if l.owed {
		l.emit(Frame{Kind: Ack, Expected: l.rx})
	}
	b := l.out
	l.out = nil
	return b
}

// Next takes the next payload that came; nil if there is none.
func (l *Link) Next() []byte {
	if len(l.in) == 0 {
		return nil
	}
	b := l.in[0]
	l.in = l.in[1:]
	return b
}

// Deadline is when Advance wants to be called; the zero time if never.
func (l *Link) Deadline() time.Time {
	if l.state != up {
		return l.due
	}
	d := l.due
	if len(l.queue) > 0 && len(l.flight) == 0 && !l.busy.IsZero() && (d.IsZero() || l.busy.Before(d)) {
		d = l.busy
	}
	return d
}

// Reset has a host reset the co-processor. What was under way is lost.
func (l *Link) Reset(now time.Time) error {
	if !l.host {
		return errors.New("ash: a host resets, a co-processor is reset")
	}
	l.clear()
	l.state, l.err, l.waits = resetting, nil, 0
	l.askReset(now)
	return nil
}

func (l *Link) askReset(now time.Time) {
	l.waits++
	l.out = append(l.out, cancel) // whatever the co-processor has of a frame
	l.emit(Frame{Kind: Reset})
	l.due = now.Add(resetWait)
}

func (l *Link) clear() {
	l.queue, l.flight, l.in = nil, nil, nil
	l.ackTx, l.rx, l.rejected, l.owed = 0, 0, false, false
	l.due, l.busy, l.waits, l.wait = time.Time{}, time.Time{}, 0, firstWait
}

func (l *Link) fail(e *FailedError) {
	l.clear()
	l.state, l.err = failed, e
}

// Send queues a payload, which is kept.
func (l *Link) Send(now time.Time, payload []byte) error {
	switch {
	case l.state == failed:
		return l.err
	case l.state != up:
		return fmt.Errorf("ash: %w", ErrNotUp)
	case len(payload) < MinData || len(payload) > MaxData:
		return fmt.Errorf("ash: %d octets of data: a frame has %d to %d", len(payload), MinData, MaxData)
	}
	l.queue = append(l.queue, payload)
	l.push(now)
	return nil
}

// push sends what the window has room for.
func (l *Link) push(now time.Time) {
	if now.Before(l.busy) {
		return
	}
	l.busy = time.Time{}
	for len(l.queue) > 0 && len(l.flight) < window {
		p := l.queue[0]
		l.queue = l.queue[1:]
		l.flight = append(l.flight, p)
		l.data(len(l.flight)-1, false)
		if len(l.flight) == 1 {
			l.sentAt, l.repeated = now, false
			l.due = now.Add(l.wait)
		}
	}
}

func (l *Link) data(i int, again bool) {
	l.emit(Frame{Kind: Data, Number: (l.ackTx + uint8(i)) & 7, Repeated: again, Expected: l.rx, Data: l.flight[i]})
	l.owed = false // it carries the acknowledgement
}

func (l *Link) emit(f Frame) {
	if f.Kind == Ack || f.Kind == Nak {
		l.owed = false
	}
	b, err := f.AppendBinary(nil)
	if err == nil { // sizes were checked when they came in
		l.out = AppendStuffed(l.out, b)
	}
}

// Advance does what is due.
func (l *Link) Advance(now time.Time) {
	if l.state == up && !l.busy.IsZero() && !now.Before(l.busy) {
		l.push(now)
	}
	if l.due.IsZero() || now.Before(l.due) {
		return
	}
	l.due = time.Time{}
	switch l.state {
	case resetting:
		if l.waits >= maxResets {
			l.fail(&FailedError{Silent: true})
			return
		}
		l.askReset(now)
	case up:
		if l.waits++; l.waits > maxWaits {
			l.fail(&FailedError{Reason: ReasonTimeouts})
			if !l.host {
				l.emit(Frame{Kind: Failure, Version: Version, Reason: ReasonTimeouts})
			}
			return
		}
		l.wait = min(2*l.wait, mostWait)
		l.again(now)
	case down, failed:
	}
}

// again sends all that is in flight once more.
func (l *Link) again(now time.Time) {
	for i := range l.flight {
		l.data(i, true)
	}
	if len(l.flight) > 0 {
		l.repeated = true
		l.due = now.Add(l.wait)
	}
}

// Input takes octets from the line.
func (l *Link) Input(now time.Time, b []byte) {
	for len(b) > 0 {
		f, whole, n, err := l.decoder.Feed(b)
		b = b[n:]
		switch {
		case err != nil:
			l.reject()
		case whole:
			l.take(now, &f)
		}
	}
}

// reject asks for what is missing, once.
func (l *Link) reject() {
	if l.state == up && !l.rejected {
		l.rejected = true
		l.emit(Frame{Kind: Nak, Expected: l.rx})
	}
}

func (l *Link) take(now time.Time, f *Frame) {
	switch f.Kind {
	case Reset:
		if l.host {
			return
		}
		l.clear()
		l.state, l.err, l.reason = up, nil, ReasonSoftware
		l.resets++
		l.out = nil
		l.emit(Frame{Kind: ResetAck, Version: Version, Reason: ReasonSoftware})
		return
	case ResetAck:
		if !l.host {
			return
		}
		if l.state != resetting { // it was reset by something else: whoever is above must know
			l.fail(&FailedError{Reason: f.Reason, Remote: true})
			return
		}
		l.clear()
		l.state, l.reason = up, f.Reason
		l.resets++
		return
	case Failure:
		if l.host && l.state == up {
			l.fail(&FailedError{Reason: f.Reason, Remote: true})
		}
		return
	default:
	}
	if l.state != up {
		return
	}
	if !l.acknowledged(now, f) {
		return
	}
	switch f.Kind {
	case Nak:
		l.again(now)
	case Ack:
		if f.NotReady {
			l.busy = now.Add(busyTime)
		} else {
			l.busy = time.Time{}
		}
	case Data:
		switch {
		case f.Number == l.rx:
			l.rx = (l.rx + 1) & 7
			l.rejected, l.owed = false, true
			l.in = append(l.in, f.Data)
		case f.Repeated:
			l.owed = true // the acknowledgement was lost
		default:
			l.reject()
		}
	default:
	}
	l.push(now)
}

// acknowledged takes what a frame says of ours; false if it speaks of what was never sent.
func (l *Link) acknowledged(now time.Time, f *Frame) bool {
	n := int((f.Expected - l.ackTx) & 7)
	if n > len(l.flight) {
		l.reject()
		return false
	}
	if n == 0 {
		return true
	}
	if !l.repeated {
		// Seven eighths of the old estimate and half of the measured time.
		l.wait = min(max(l.wait*7/8+now.Sub(l.sentAt)/2, leastWait), mostWait)
	}
	l.flight = append([][]byte(nil), l.flight[n:]...)
	l.ackTx = f.Expected
	l.waits, l.repeated, l.sentAt = 0, false, now
	l.due = time.Time{}
	if len(l.flight) > 0 {
		l.due = now.Add(l.wait)
	}
	return true
}
