package fault

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"smets1/internal/clock"
	"smets1/transport/internal/queue"
	"smets1/transport/serial"
)

// ErrGone: a fault has unplugged the device, and it is not plugged in yet.
var ErrGone = errors.New("unplugged by a fault")

// Line is a line with the faults of a plan. Ports that come one after the other on it, after unplugging, are one line: bytes
// are counted on. It is safe for concurrent use.
type Line struct {
	plan Plan
	clk  clock.Clock

	mu    sync.Mutex
	dirs  map[Direction]*mangler
	fired []Fault
	mute  bool // half-open
	until time.Time
	gone  bool
	back  time.Time // zero: never
}

// New makes a line. clk measures delays; nil is the machine's clock.
func New(p Plan, clk clock.Clock) (*Line, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if clk == nil {
		clk = clock.Real()
	}
	l := &Line{plan: p, clk: clk}
	l.dirs = map[Direction]*mangler{In: {plan: &l.plan, dir: In, fired: &l.fired}, Out: {plan: &l.plan, dir: Out, fired: &l.fired}}
	return l, nil
}

// Fired lists what struck so far, each with its place and all that chance has decided: as a plan, the same run without
// chance.
func (l *Line) Fired() []Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Fault(nil), l.fired...)
}

// InMode says which mode the line is in, for faults that send in another. Ports say it themselves when it changes; before
// that it is 9600 8N1.
func (l *Line) InMode(m serial.Mode) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.dirs {
		d.sent = m
	}
}

// Passed is how many bytes went each way.
func (l *Line) Passed() (in, out int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dirs[In].at, l.dirs[Out].at
}

// IsUnplugged tells whether the device is gone now.
func (l *Line) IsUnplugged() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unplugged()
}

func (l *Line) unplugged() bool {
	if l.gone && !l.back.IsZero() && !l.clk.Now().Before(l.back) {
		l.gone = false
	}
	return l.gone
}

func (l *Line) muted() bool {
	if l.mute && !l.until.IsZero() && !l.clk.Now().Before(l.until) {
		l.mute = false
	}
	return l.mute
}

// Open opens a port on the line, unless a fault has unplugged it.
func (l *Line) Open(open func() (serial.Port, error)) (serial.Port, error) {
	if l.IsUnplugged() {
		return nil, &serial.Error{Op: "open", Port: "the line", Err: errors.Join(serial.ErrUnplugged, ErrGone)}
	}
	p, err := open()
	if err != nil {
		return nil, err
	}
	return l.Port(p), nil
}

// Port gives a port with the line's faults.
func (l *Line) Port(p serial.Port) serial.Port {
	return serial.WithLines(&port{l.decorate(p, p.String()), p}, p)
}

// Stream gives a byte stream with the line's faults: a connection, a pipe. It has deadlines, on the line's clock.
func (l *Line) Stream(s io.ReadWriteCloser) io.ReadWriteCloser { return l.decorate(s, "the line") }

// ahead is how much waits on a line at most.
const ahead = 64 << 10

// stream is a decorated stream. One goroutine reads from the stream below, one writes to it; both end with it.
type stream struct {
	line    *Line
	name    string
	below   io.ReadWriteCloser
	in, out *queue.Queue

	mu            sync.Mutex
	writeDeadline time.Time
	closed        bool
	join          map[Direction]time.Time
	next          map[Direction]time.Time // nothing arrives before
}

func (l *Line) decorate(below io.ReadWriteCloser, name string) *stream {
	s := &stream{
		line: l, name: name, below: below, in: queue.New(l.clk, ahead), out: queue.New(l.clk, ahead),
		join: map[Direction]time.Time{}, next: map[Direction]time.Time{},
	}
	go s.receive()
	go s.send()
	return s
}

func (s *stream) receive() {
	buf := make([]byte, 4<<10)
	for {
		n, err := s.below.Read(buf)
		if n > 0 {
			_ = s.pass(In, s.in, buf[:n], time.Time{})
		}
		if err != nil {
			s.in.End(cause(err))
			return
		}
	}
}

func (s *stream) send() {
	buf := make([]byte, 4<<10)
	for {
		n, err := s.out.Busy(buf)
		if n > 0 {
			_, err := s.below.Write(buf[:n])
			s.out.Done()
			if err != nil {
				s.out.Break(cause(err))
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// cause takes off the name that this package puts on again.
func cause(err error) error {
	var e *serial.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// pass puts bytes through the faults of a direction into its queue.
func (s *stream) pass(d Direction, q *queue.Queue, b []byte, deadline time.Time) error {
	l := s.line
	l.mu.Lock()
	steps := l.dirs[d].pass(b)
	l.mu.Unlock()
	for _, st := range steps {
		s.mu.Lock()
		now := l.clk.Now()
		at := now
		if next := s.next[d]; next.After(at) {
			at = next
		}
		at = at.Add(st.wait)
		if st.hold > 0 {
			s.join[d] = now.Add(st.hold)
		}
		join := now.Before(s.join[d])
		if join && s.join[d].After(at) {
			at = s.join[d]
		}
		s.next[d] = at
		s.mu.Unlock()
		l.mu.Lock()
		mute := l.muted()
		l.mu.Unlock()
		if !mute {
			if err := q.Put(at, st.b, join, deadline); err != nil {
				return err
			}
		}
		if st.fatal != nil {
			s.strike(st.fatal)
		}
	}
	return nil
}

func (s *stream) strike(f *Fault) {
	l := s.line
	l.mu.Lock()
	var until time.Time
	if f.For > 0 {
		until = l.clk.Now().Add(f.For)
	}
	if f.Kind == HalfOpen {
		l.mute, l.until = true, until
		l.mu.Unlock()
		return
	}
	l.gone, l.back = true, until
	l.mu.Unlock()
	s.in.Break(serial.ErrUnplugged)
	s.out.Break(serial.ErrUnplugged)
	_ = s.below.Close() // the other end sees it too
}

func (s *stream) Read(b []byte) (int, error) {
	n, err := s.in.Read(b)
	return n, s.fail("read", err)
}

// Write returns once the line has the bytes; those below may get them later.
func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	deadline := s.writeDeadline
	s.mu.Unlock()
	done := 0
	for len(b[done:]) > 0 || done == 0 {
		part := b[done:min(len(b), done+1024)]
		if err := s.pass(Out, s.out, part, deadline); err != nil {
			return done, s.fail("write", err)
		}
		done += len(part)
		if len(part) == 0 {
			break
		}
	}
	return done, nil
}

func (s *stream) SetReadDeadline(t time.Time) error {
	s.in.SetReadDeadline(t)
	return nil
}

func (s *stream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeDeadline = t
	return nil
}

func (s *stream) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return s.fail("close", os.ErrClosed)
	}
	s.in.Break(os.ErrClosed)
	s.out.Break(os.ErrClosed)
	err := s.below.Close()
	if s.line.IsUnplugged() {
		err = nil // it was closed when it went
	}
	return err
}

func (s *stream) fail(op string, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return &serial.Error{Op: op, Port: s.name, Err: err}
}

// port is a decorated port.
type port struct {
	*stream
	below serial.Port
}

func (p *port) String() string { return p.name }

// SetMode changes the mode once what the line has is out.
func (p *port) SetMode(m serial.Mode) error {
	p.mu.Lock()
	deadline := p.writeDeadline
	p.mu.Unlock()
	if err := p.out.Drain(deadline); err != nil {
		return p.fail("set mode", err)
	}
	if err := p.below.SetMode(m); err != nil {
		return err
	}
	p.line.InMode(m)
	return nil
}
