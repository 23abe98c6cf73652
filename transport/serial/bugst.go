package serial

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"go.bug.st/serial"

	"smets1/internal/clock"
)

const (
	// The library waits with select, which panics from descriptor 1024 on.
	bugstDescriptors = 1000
	// The pump looks this often whether the port is being closed: the library closes the descriptor before it wakes its
	// readers, and a reader could then read from what has taken the descriptor's number.
	bugstPoll = 50 * time.Millisecond
	// How long Close waits for a write that is stuck in the kernel after its queue was emptied.
	bugstStuck = 50 * time.Millisecond
	// Most bytes read ahead of the user; then the kernel's buffer fills.
	bugstAhead = 64 << 10
	// A write is handed on in pieces of this size, so that little is stuck when a deadline passes.
	bugstPiece = 1 << 10
)

// bugstPort puts the library's blocking calls into two goroutines, a reader and a writer, and lets the user wait for them:
// so deadlines work, also while a call is pending, and Close need not wait for a stuck write.
type bugstPort struct {
	name string
	lib  serial.Port
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
	pump          sync.WaitGroup // the reader
}

// bugstUART is a bugstPort with control lines.
type bugstUART struct{ *bugstPort }

func openBugst(name string, m Mode) (Port, error) {
	l, err := acquire(name)
	if err != nil {
		return nil, err
	}
	if !descriptorsLeft(l, bugstDescriptors) {
		l.release()
		return nil, ErrDescriptors
	}
	lib, err := serial.Open(name, bugstMode(m))
	if err != nil {
		l.release()
		return nil, bugstError(err)
	}
	p := &bugstPort{name: name, lib: lib, lock: l, changed: make(chan struct{})}
	// What came before we opened is nobody's.
	err = errors.Join(lib.ResetInputBuffer(), lib.SetReadTimeout(bugstPoll))
	if err != nil {
		_ = lib.Close()
		l.release()
		return nil, bugstError(err)
	}
	p.pump.Go(p.readAhead)
	go p.writeOut()
	if _, err := lib.GetModemStatusBits(); err == nil {
		return &bugstUART{p}, nil
	}
	return p, nil
}

func bugstMode(m Mode) *serial.Mode {
	b := &serial.Mode{BaudRate: m.Baud, DataBits: m.DataBits, Parity: serial.NoParity, StopBits: serial.OneStopBit}
	switch m.Parity {
	case EvenParity:
		b.Parity = serial.EvenParity
	case OddParity:
		b.Parity = serial.OddParity
	}
	if m.StopBits == 2 {
		b.StopBits = serial.TwoStopBits
	}
	return b
}

func bugstError(err error) error {
	var pe *serial.PortError
	if errors.As(err, &pe) {
		switch pe.Code() {
		case serial.PortBusy:
			return ErrBusy
		case serial.PortClosed:
			return ErrUnplugged // we never use it after closing it ourselves
		case serial.PortNotFound:
			return os.ErrNotExist
		case serial.PermissionDenied:
			return os.ErrPermission
		}
	}
	if isGone(err) {
		return ErrUnplugged
	}
	return err
}

// tell wakes everybody who waits. The caller holds mu.
func (p *bugstPort) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// wait lets go of mu until something changes or the deadline passes; it tells whether the deadline has passed.
// A nil deadline is none. The caller holds mu, and holds it again afterwards.
func (p *bugstPort) wait(deadline *time.Time) (late bool) {
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

func (p *bugstPort) readAhead() {
	buf := make([]byte, 4<<10)
	for {
		n, err := p.readLib(buf)
		p.mu.Lock()
		for !p.closed && n > 0 && len(p.in)+n > bugstAhead {
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

// readLib makes an error of the panic that is left if another goroutine took descriptors while the port was opened.
func (p *bugstPort) readLib(b []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("%w (%v)", ErrDescriptors, r)
		}
	}()
	n, err = p.lib.Read(b)
	if err != nil {
		err = bugstError(err)
	}
	return n, err
}

// writeOut writes pieces; the library may write part of one and say nothing.
func (p *bugstPort) writeOut() {
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
			p.out, p.outErr = nil, bugstError(err)
		}
		p.tell()
	}
}

func (p *bugstPort) String() string { return p.name }

func (p *bugstPort) Read(b []byte) (int, error) {
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

func (p *bugstPort) Write(b []byte) (int, error) {
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
			piece = min(len(b)-done, bugstPiece)
			p.out = append([]byte(nil), b[done:done+piece]...) // ours: an abandoned write keeps it
			p.tell()
		}
		p.wait(&p.writeDeadline)
	}
}

func (p *bugstPort) SetReadDeadline(t time.Time) error {
	return p.setDeadline(&p.readDeadline, t)
}

func (p *bugstPort) SetWriteDeadline(t time.Time) error {
	return p.setDeadline(&p.writeDeadline, t)
}

func (p *bugstPort) setDeadline(d *time.Time, t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fail("set deadline", os.ErrClosed)
	}
	*d = t
	p.tell()
	return nil
}

func (p *bugstPort) SetMode(m Mode) error {
	m, err := m.check()
	if err != nil {
		return err
	}
	return p.do("set mode", func() error {
		if err := p.lib.Drain(); err != nil {
			return err
		}
		return p.lib.SetMode(bugstMode(m))
	})
}

// do runs a call of the library between writes.
func (p *bugstPort) do(op string, f func() error) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return p.fail(op, os.ErrClosed)
	}
	if err := f(); err != nil {
		return p.fail(op, bugstError(err))
	}
	return nil
}

// Break holds the line in the break condition for the given time.
func (p *bugstPort) Break(d time.Duration) error {
	return p.do("break", func() error { return p.lib.Break(d) })
}

// SetDTR sets the data terminal ready line.
func (p *bugstUART) SetDTR(on bool) error {
	return p.do("set DTR", func() error { return p.lib.SetDTR(on) })
}

// SetRTS sets the request to send line.
func (p *bugstUART) SetRTS(on bool) error {
	return p.do("set RTS", func() error { return p.lib.SetRTS(on) })
}

func (p *bugstPort) Close() error {
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
		_ = p.lib.ResetOutputBuffer()
		giveUp := clock.Real().Now().Add(bugstStuck)
		for len(p.out) > 0 && !p.wait(&giveUp) {
		}
	}
	p.mu.Unlock()
	p.pump.Wait()
	err := p.lib.Close()
	p.lock.release()
	if err != nil {
		return p.fail("close", bugstError(err))
	}
	return nil
}

func (p *bugstPort) fail(op string, err error) error { return &Error{Op: op, Port: p.name, Err: err} }
