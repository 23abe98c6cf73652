package serial

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// PTY is the near end of a pseudo-terminal whose far end, Path, opens like a serial port: a cable to a simulated device.
// Ports at Path may come and go; closing the PTY is what unplugging is.
type PTY struct {
	master *os.File
	// The slave stays open, or reading from the master would fail whenever nobody has the port open.
	slave *os.File
	path  string

	once   sync.Once
	closed error // what Close gives
}

var _ io.ReadWriteCloser = (*PTY)(nil)

// NewPTY makes a pseudo-terminal that passes every byte as it is.
func NewPTY() (*PTY, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("serial: no pseudo-terminal: %w", err)
	}
	p := &PTY{slave: slave, path: slave.Name()}
	if p.master, err = pollable(master); err == nil {
		err = rawPTY(slave)
	}
	if err != nil {
		_ = master.Close()
		_ = slave.Close()
		return nil, fmt.Errorf("serial: pseudo-terminal %s: %w", p.path, err)
	}
	return p, nil
}

// pollable gives the file anew, in the hands of the runtime's poller: the library has asked for its descriptor, which makes
// a file block, so that deadlines do nothing and a pending Read holds a thread.
func pollable(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	_ = f.Close()
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// Path is the far end's name, to be opened as a port.
func (p *PTY) Path() string { return p.path }

// Read waits for at least one byte that was written at the far end.
func (p *PTY) Read(b []byte) (int, error) {
	n, err := p.master.Read(b)
	return n, p.wrap("read", err)
}

// Write gives bytes to the far end; it waits once some 4,000 are there that nobody has read.
func (p *PTY) Write(b []byte) (int, error) {
	n, err := p.master.Write(b)
	return n, p.wrap("write", err)
}

// SetReadDeadline sets when pending and later reads give up.
func (p *PTY) SetReadDeadline(t time.Time) error {
	return p.wrap("set deadline", p.master.SetReadDeadline(t))
}

// SetWriteDeadline sets when pending and later writes give up.
func (p *PTY) SetWriteDeadline(t time.Time) error {
	return p.wrap("set deadline", p.master.SetWriteDeadline(t))
}

// Close unplugs the far end. It may be called again, and from several goroutines: whoever reads here closes too when
// its Read ends.
func (p *PTY) Close() error {
	p.once.Do(func() {
		err := p.master.Close()
		p.closed = p.wrap("close", errors.Join(err, p.slave.Close()))
	})
	return p.closed
}

func (p *PTY) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &Error{Op: op, Port: p.path, Err: err}
}

func rawPTY(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = c.Control(func(fd uintptr) {
		inner = setTermios(int(fd), unix.TCSETS2, Mode{Baud: 9600, DataBits: 8, StopBits: 1})
	})
	if err != nil {
		return err
	}
	return inner
}

// Baud is the speed that the port at the far end has set: a simulated line garbles bytes until both ends agree.
func (p *PTY) Baud() (int, error) {
	c, err := p.slave.SyscallConn()
	if err != nil {
		return 0, p.wrap("get mode", err)
	}
	var t *unix.Termios
	var inner error
	if err = c.Control(func(fd uintptr) { t, inner = unix.IoctlGetTermios(int(fd), unix.TCGETS2) }); err == nil {
		err = inner
	}
	if err != nil {
		return 0, p.wrap("get mode", err)
	}
	return int(t.Ospeed), nil
}
