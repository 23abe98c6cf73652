package serial

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"
)

// tarmPoll is how long a read of the library takes when nothing comes: the least that it can do.
const tarmPoll = 100 * time.Millisecond

// tarmLibrary is github.com/tarm/serial as the pump wants it. The library has no way to change the mode, to drain, to
// flush one direction or to tell a silent device from one that is gone. The descriptor that holds the lock does that; and
// as it stays open while the library opens the port anew, the control lines keep their state.
type tarmLibrary struct {
	name string
	fd   int // the lock's

	mu      sync.RWMutex // held for reading while the library is in use
	port    *serial.Port
	writing atomic.Int32
}

func openTarm(name string, m Mode) (Port, error) {
	l, err := acquire(name)
	if err != nil {
		return nil, err
	}
	fd := int(l.f.Fd())
	port, err := tarmOpen(name, m)
	if err == nil {
		// What came before we opened is nobody's.
		if err = unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH); err != nil {
			_ = port.Close()
		}
	}
	if err != nil {
		l.release()
		return nil, err
	}
	return newPump(name, &tarmLibrary{name: name, fd: fd, port: port}, l), nil
}

func tarmOpen(name string, m Mode) (*serial.Port, error) {
	port, err := serial.OpenPort(&serial.Config{
		Name: name, Baud: m.Baud, ReadTimeout: tarmPoll,
		Size: byte(m.DataBits), Parity: serial.Parity(m.Parity), StopBits: serial.StopBits(m.StopBits),
	})
	if err != nil {
		return nil, tarmError(err)
	}
	return port, nil
}

// tarmError puts this package's errors in the place of the system's.
func tarmError(err error) error {
	var pe *os.PathError
	switch {
	case err == nil:
		return nil
	case isGone(err):
		return ErrUnplugged
	case errors.As(err, &pe):
		return openError(pe.Err)
	case err.Error() == "Unrecognized baud rate":
		return errors.New("driver tarm knows only the usual baud rates: use driver bugst or native for others")
	}
	return err
}

func (l *tarmLibrary) Read(b []byte) (int, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n, err := l.port.Read(b)
	if !errors.Is(err, io.EOF) {
		return n, tarmError(err)
	}
	// Nothing came in time, or the device is gone: a read then gives nothing at once, and for ever.
	fds := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, 0); err == nil && fds[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0 {
		return n, ErrUnplugged
	}
	return n, nil
}

func (l *tarmLibrary) Write(b []byte) (int, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	l.writing.Add(1)
	defer l.writing.Add(-1)
	n, err := l.port.Write(b)
	return n, tarmError(err)
}

// SetMode opens the port anew beside itself: if the mode cannot be, everything stays as it was.
func (l *tarmLibrary) SetMode(m Mode) error {
	if err := uninterrupted(func() error { return unix.IoctlSetInt(l.fd, unix.TCSBRK, 1) }); err != nil { // tcdrain
		return tarmError(err)
	}
	port, err := tarmOpen(l.name, m)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = ErrUnplugged
		}
		return err
	}
	l.mu.Lock()
	old := l.port
	l.port = port
	l.mu.Unlock()
	return tarmError(old.Close())
}

func (l *tarmLibrary) DropOutput() { _ = unix.IoctlSetInt(l.fd, unix.TCFLSH, unix.TCOFLUSH) }

// Close hangs in the library while a write does; a stuck one is left behind and closes the port when it ends.
func (l *tarmLibrary) Close() error {
	if l.writing.Load() > 0 {
		go func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			_ = l.port.Close()
		}()
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return tarmError(l.port.Close())
}
