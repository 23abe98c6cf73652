package serial

import (
	"os"
	"sync"
	"time"

	"smets1/internal/clock"
)

const (
	// How long Close waits for a write that is stuck in the kernel after its queue was emptied.
	pumpStuck = 50 * time.Millisecond
	// Most bytes read ahead of the user; then the kernel's buffer fills.
	pumpAhead = 64 << 10
	// A write is handed on in pieces of this size, so that little is stuck when a deadline passes.
	pumpPiece = 1 << 10
)

// library is a serial library whose calls block. Its errors are those of this package.
type library interface {
	// Read gives 0 bytes and no error when none came for a while: the pump then looks whether the port is being closed.
	Read([]byte) (int, error)
	// Write may write less than it was given, and block.
	Write([]byte) (int, error)
	// SetMode changes the mode once the bytes already written are out. It may be called while Read blocks.
	SetMode(Mode) error
	// DropOutput forgets the bytes that the kernel has not sent, which ends most stuck writes.
	DropOutput()
	// Close may be called while Write is stuck, but not while Read is under way.
	Close() error
}

// lineLibrary is a library that also knows the break condition and, where the port has them, the control lines.
type lineLibrary interface {
	library
	Break(time.Duration) error
	SetDTR(bool) error
	SetRTS(bool) error
}

// pump puts the blocking calls of a library into two goroutines, a reader and a writer, and lets the user wait for them:
// so deadlines work, also while a call is pending, and Close need not wait for a stuck write.
type pump struct {
	name string
	lib  library
	lock *lock

	writing sync.Mutex // one Write or SetMode at a time

	mu            sync.Mutex
	changed       chan struct{} // closed, and replaced, whenever something below changes
	closed        bool
	in            []byte
	inErr         error
	readDeadline  time.Time
	writeDeadline time.Time
	out           []byte // piece on its way to the library
	outErr        error
	reader        sync.WaitGroup
}

// breakPump is a pump that can send a break.
type breakPump struct {
	*pump
	lib lineLibrary
}

// modemPump is a breakPump with control lines.
type modemPump struct{ *breakPump }

func newPump(name string, lib library, l *lock) *pump {
	p := &pump{name: name, lib: lib, lock: l, changed: make(chan struct{})}
	p.reader.Go(p.readAhead)
	go p.writeOut()
	return p
}

// tell wakes everybody who waits. The caller holds mu.
func (p *pump) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// wait lets go of mu until something changes or the deadline passes; it tells whether the deadline has passed.
// A nil deadline is none. The caller holds mu, and holds it again afterwards.
func (p *pump) wait(deadline *time.Time) (late bool) {
	var timer <-chan time.Time
	if deadline != nil && !deadline.IsZero() {
		left := deadline.Sub(clock.Real().Now())
		if left <= 0 {
			return true
		}
		t := clock.Real().NewTimer(left)
		defer t.Stop()
		timer = t.C()
	}
	changed := p.changed
	p.mu.Unlock()
	defer p.mu.Lock()
	select {
	case <-changed:
	case <-timer:
	}
	return false
}

func (p *pump) readAhead() {
	buf := make([]byte, 4<<10)
	for {
		n, err := p.lib.Read(buf)
		p.mu.Lock()
		for !p.closed && n > 0 && len(p.in)+n > pumpAhead {
			p.wait(nil)
		}
		if p.closed {
			p.mu.Unlock()
			return
		}
		if n > 0 || err != nil {
			p.in = append(p.in, buf[:n]...)
			p.inErr = err
			p.tell()
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// writeOut writes pieces; the library may write part of one and say nothing.
func (p *pump) writeOut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for !p.closed && len(p.out) == 0 {
			p.wait(nil)
		}
		if p.closed {
			p.out = nil
			p.tell()
			return
		}
		piece := p.out
		p.mu.Unlock()
		n, err := p.lib.Write(piece)
		p.mu.Lock()
		p.out = p.out[n:]
		if err != nil {
			p.out, p.outErr = nil, err
		}
		p.tell()
	}
}

func (p *pump) String() string { return p.name }

func (p *pump) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.closed:
			return 0, p.fail("read", os.ErrClosed)
		case len(b) == 0:
			return 0, nil
		case !p.readDeadline.IsZero() && !clock.Real().Now().Before(p.readDeadline):
			return 0, p.fail("read", os.ErrDeadlineExceeded)
		case len(p.in) > 0:
			n := copy(b, p.in)
			p.in = p.in[:copy(p.in, p.in[n:])]
			p.tell()
			return n, nil
		case p.inErr != nil:
			return 0, p.fail("read", p.inErr)
		}
		p.wait(&p.readDeadline)
	}
}

func (p *pump) Write(b []byte) (int, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	done := 0
	piece := 0 // length of the piece in hand
	for {
		if len(p.out) == 0 && p.outErr == nil {
			done, piece = done+piece, 0
		}
		switch {
		case p.closed:
			return done, p.fail("write", os.ErrClosed)
		case p.outErr != nil:
			return done, p.fail("write", p.outErr)
		case done == len(b):
			return done, nil
		case !p.writeDeadline.IsZero() && !clock.Real().Now().Before(p.writeDeadline):
			// The rest of a piece may still go out: the next Write waits for it.
			return done, p.fail("write", os.ErrDeadlineExceeded)
		case len(p.out) == 0:
			piece = min(len(b)-done, pumpPiece)
			p.out = append([]byte(nil), b[done:done+piece]...) // ours: an abandoned write keeps it
			p.tell()
		}
		p.wait(&p.writeDeadline)
	}
}

func (p *pump) SetReadDeadline(t time.Time) error {
	return p.setDeadline(&p.readDeadline, t)
}

func (p *pump) SetWriteDeadline(t time.Time) error {
	return p.setDeadline(&p.writeDeadline, t)
}

func (p *pump) setDeadline(d *time.Time, t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fail("set deadline", os.ErrClosed)
	}
	*d = t
	p.tell()
	return nil
}

func (p *pump) SetMode(m Mode) error {
	m, err := m.check()
	if err != nil {
		return err
	}
	return p.do("set mode", func() error { return p.lib.SetMode(m) })
}

// do runs a call of the library between writes.
func (p *pump) do(op string, f func() error) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return p.fail(op, os.ErrClosed)
	}
	if err := f(); err != nil {
		return p.fail(op, err)
	}
	return nil
}

// Break holds the line in the break condition for the given time.
func (p *breakPump) Break(d time.Duration) error {
	return p.do("break", func() error { return p.lib.Break(d) })
}

// SetDTR sets the data terminal ready line.
func (p *modemPump) SetDTR(on bool) error {
	return p.do("set DTR", func() error { return p.lib.SetDTR(on) })
}

// SetRTS sets the request to send line.
func (p *modemPump) SetRTS(on bool) error {
	return p.do("set RTS", func() error { return p.lib.SetRTS(on) })
}

func (p *pump) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return p.fail("close", os.ErrClosed)
	}
	p.closed = true
	stuck := len(p.out) > 0
	p.tell()
	if stuck {
		// Emptying the kernel's queue lets a stuck write finish. If it does not, it is left behind: Close must return.
		p.lib.DropOutput()
		giveUp := clock.Real().Now().Add(pumpStuck)
		for len(p.out) > 0 && !p.wait(&giveUp) {
		}
	}
	p.mu.Unlock()
	p.reader.Wait()
	err := p.lib.Close()
	p.lock.release()
	if err != nil {
		return p.fail("close", err)
	}
	return nil
}

func (p *pump) fail(op string, err error) error { return &Error{Op: op, Port: p.name, Err: err} }
