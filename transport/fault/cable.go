package fault

import (
	"os"
	"sync"
	"time"

	"smets1/internal/clock"
	"smets1/transport/internal/queue"
	"smets1/transport/serial"
)

// Cable is a serial cable in memory. Its ends are ports: what one end writes in its mode, the other reads in its own, and
// that is garbage until both agree.
type Cable struct {
	// Clock paces, and deadlines are of it. Nil is the machine's.
	Clock clock.Clock
	// Paced lets characters take the time that they take on a wire. Zero: none.
	Paced bool
	// Names of the ends; empty ones are "near" and "far".
	Near, Far string
}

// Ends makes the cable, with both ends in a mode.
func (c Cable) Ends(m serial.Mode) (near, far serial.Port) {
	if c.Clock == nil {
		c.Clock = clock.Real()
	}
	if c.Near == "" {
		c.Near = "near"
	}
	if c.Far == "" {
		c.Far = "far"
	}
	shared := new(sync.Mutex)
	a := &end{cable: c, name: c.Near, mu: shared, mode: m.WithDefaults(), in: queue.New(c.Clock, ahead)}
	b := &end{cable: c, name: c.Far, mu: shared, mode: m.WithDefaults(), in: queue.New(c.Clock, ahead)}
	a.other, b.other = b, a
	return a, b
}

// end is one end of a Cable.
type end struct {
	cable Cable
	name  string
	other *end
	in    *queue.Queue

	mu            *sync.Mutex // of both ends
	mode          serial.Mode
	free          time.Time // when all that was written is out
	writeDeadline time.Time
	closed        bool
}

func (e *end) String() string { return e.name }

func (e *end) Read(b []byte) (int, error) {
	n, err := e.in.Read(b)
	return n, e.fail("read", err)
}

func (e *end) Write(b []byte) (int, error) {
	// A character at a time, as its mode and the other end's may change in between.
	e.mu.Lock()
	switch {
	case e.closed:
		e.mu.Unlock()
		return 0, e.fail("write", os.ErrClosed)
	case e.other.closed:
		e.mu.Unlock()
		return 0, e.fail("write", serial.ErrUnplugged)
	}
	sent, theirs := e.mode, e.other.mode
	start := e.cable.Clock.Now()
	if e.free.After(start) {
		start = e.free
	}
	each := time.Duration(0)
	if e.cable.Paced {
		each = time.Duration(sent.BitsPerByte()) * time.Second / time.Duration(sent.Baud)
	}
	e.free = start.Add(time.Duration(len(b)) * each)
	deadline := e.writeDeadline
	e.mu.Unlock()
	got := Garble(b, sent, theirs)
	if each == 0 {
		return len(b), e.fail("write", e.other.in.Put(start, got, false, deadline))
	}
	for i := range got {
		at := start.Add(time.Duration(min(i+1, len(b))) * each)
		if err := e.other.in.Put(at, got[i:i+1], false, deadline); err != nil {
			return i, e.fail("write", err)
		}
	}
	return len(b), nil
}

func (e *end) SetReadDeadline(t time.Time) error {
	e.in.SetReadDeadline(t)
	return nil
}

func (e *end) SetWriteDeadline(t time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writeDeadline = t
	return nil
}

// SetMode waits until all that was written is out.
func (e *end) SetMode(m serial.Mode) error {
	e.mu.Lock()
	left := e.free.Sub(e.cable.Clock.Now())
	e.mu.Unlock()
	if left > 0 {
		<-e.cable.Clock.NewTimer(left).C()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return e.fail("set mode", os.ErrClosed)
	}
	e.mode = m.WithDefaults()
	return nil
}

// Close unplugs the cable: the other end sees that.
func (e *end) Close() error {
	e.mu.Lock()
	closed := e.closed
	e.closed = true
	e.mu.Unlock()
	if closed {
		return e.fail("close", os.ErrClosed)
	}
	e.in.Break(os.ErrClosed)
	e.other.in.End(serial.ErrUnplugged)
	return nil
}

func (e *end) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &serial.Error{Op: op, Port: e.name, Err: err}
}
