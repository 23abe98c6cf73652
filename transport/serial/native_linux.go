package serial

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"smets1/internal/clock"
)

// nativePort is an os.File on the runtime's poller: deadlines, Close and whole writes are the runtime's own.
type nativePort struct {
	name   string
	f      *os.File
	closed atomic.Bool
}

// nativeUART is a nativePort with control lines.
type nativeUART struct{ *nativePort }

func openNative(name string, m Mode) (Port, error) {
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, openError(err)
	}
	if err := setUp(fd, m); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	p := &nativePort{name: name, f: os.NewFile(uintptr(fd), name)}
	if _, err := unix.IoctlGetInt(fd, unix.TIOCMGET); err == nil {
		return &nativeUART{p}, nil
	}
	return p, nil
}

func setUp(fd int, m Mode) error {
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS2); err != nil {
		return errors.Join(errors.New("not a serial port"), err)
	}
	if err := flock(fd); err != nil {
		return err
	}
	if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil {
		return err
	}
	if err := setTermios(fd, unix.TCSETS2, m); err != nil {
		return err
	}
	// What came before we opened is nobody's.
	return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH)
}

var charSizes = map[int]uint32{5: unix.CS5, 6: unix.CS6, 7: unix.CS7, 8: unix.CS8}

func setTermios(fd int, request uint, m Mode) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		return err
	}
	makeRaw(t)
	t.Cflag &^= unix.CBAUD | unix.CBAUD<<unix.IBSHIFT | unix.CSIZE | unix.PARENB | unix.PARODD | unix.CMSPAR | unix.CSTOPB
	t.Cflag |= unix.BOTHER | unix.BOTHER<<unix.IBSHIFT | charSizes[m.DataBits]
	t.Ispeed, t.Ospeed = uint32(m.Baud), uint32(m.Baud)
	switch m.Parity {
	case EvenParity:
		t.Cflag |= unix.PARENB
		t.Iflag |= unix.INPCK | unix.IGNPAR // a character with bad parity is lost, not turned into a zero
	case OddParity:
		t.Cflag |= unix.PARENB | unix.PARODD
		t.Iflag |= unix.INPCK | unix.IGNPAR
	}
	if m.StopBits == 2 {
		t.Cflag |= unix.CSTOPB
	}
	return uninterrupted(func() error { return unix.IoctlSetTermios(fd, request, t) })
}

// makeRaw passes every byte as it is, with no flow control, and makes read wait for one byte.
func makeRaw(t *unix.Termios) {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL |
		unix.IXON | unix.IXOFF | unix.IXANY | unix.INPCK | unix.IGNPAR
	t.Iflag |= unix.IGNBRK
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CRTSCTS
	t.Cflag |= unix.CREAD | unix.CLOCAL
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
}

func (p *nativePort) String() string { return p.name }

func (p *nativePort) Read(b []byte) (int, error) {
	n, err := p.f.Read(b)
	return n, p.wrap("read", err)
}

func (p *nativePort) Write(b []byte) (int, error) {
	n, err := p.f.Write(b)
	return n, p.wrap("write", err)
}

func (p *nativePort) SetReadDeadline(t time.Time) error {
	return p.wrap("set deadline", p.f.SetReadDeadline(t))
}

func (p *nativePort) SetWriteDeadline(t time.Time) error {
	return p.wrap("set deadline", p.f.SetWriteDeadline(t))
}

func (p *nativePort) Close() error {
	if p.closed.Swap(true) {
		return p.wrap("close", os.ErrClosed)
	}
	// The line may stay open elsewhere, a pty's at its far end; then it would keep being refused to the next who opens it,
	// save to root.
	if c, err := p.f.SyscallConn(); err == nil {
		_ = c.Control(func(fd uintptr) { _ = unix.IoctlSetInt(int(fd), unix.TIOCNXCL, 0) })
	}
	if err := p.f.Close(); err != nil {
		return &Error{Op: "close", Port: p.name, Err: err}
	}
	return nil
}

func (p *nativePort) SetMode(m Mode) error {
	m, err := m.check()
	if err != nil {
		return err
	}
	return p.control("set mode", func(fd int) error { return setTermios(fd, unix.TCSETSW2, m) })
}

// Break holds the line in the break condition for the given time.
func (p *nativePort) Break(d time.Duration) error {
	if err := p.control("break", func(fd int) error { return unix.IoctlSetInt(fd, unix.TIOCSBRK, 0) }); err != nil {
		return err
	}
	<-clock.Real().NewTimer(d).C()
	return p.control("break", func(fd int) error { return unix.IoctlSetInt(fd, unix.TIOCCBRK, 0) })
}

// SetDTR sets the data terminal ready line.
func (p *nativeUART) SetDTR(on bool) error { return p.line("set DTR", unix.TIOCM_DTR, on) }

// SetRTS sets the request to send line.
func (p *nativeUART) SetRTS(on bool) error { return p.line("set RTS", unix.TIOCM_RTS, on) }

func (p *nativeUART) line(op string, bit int, on bool) error {
	req := uint(unix.TIOCMBIC)
	if on {
		req = unix.TIOCMBIS
	}
	return p.control(op, func(fd int) error { return unix.IoctlSetPointerInt(fd, req, bit) })
}

func (p *nativePort) control(op string, f func(fd int) error) error {
	c, err := p.f.SyscallConn()
	if err != nil {
		return p.wrap(op, err)
	}
	var inner error
	if err = c.Control(func(fd uintptr) { inner = f(int(fd)) }); err == nil {
		err = inner
	}
	return p.wrap(op, err)
}

func (p *nativePort) wrap(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case p.closed.Load():
		err = os.ErrClosed // the runtime has other words for some calls
	case errors.Is(err, io.EOF), isGone(err):
		err = ErrUnplugged
	default:
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
	}
	return &Error{Op: op, Port: p.name, Err: err}
}
