//go:build unix

package serial

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock holds a port for this process through flock on the device node itself, which other careful programs also do, and
// which root and programs that ignore TIOCEXCL respect if they ask.
type lock struct{ f *os.File }

func acquire(name string) (*lock, error) {
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, openError(err)
	}
	if err := flock(fd); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &lock{os.NewFile(uintptr(fd), name)}, nil
}

func (l *lock) release() { _ = l.f.Close() }

func flock(fd int) error {
	err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrBusy
	}
	return err
}

func openError(err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return ErrBusy
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EIO):
		return errors.Join(ErrUnplugged, err)
	}
	return err
}

func isGone(err error) bool {
	return errors.Is(err, unix.EIO) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV)
}

// descriptorsLeft tells whether the next few descriptors stay below what select can handle.
func descriptorsLeft(l *lock, limit int) bool {
	var got []int
	ok := true
	for range 4 {
		fd, err := unix.FcntlInt(l.f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			break
		}
		got = append(got, fd)
		ok = ok && fd < limit
	}
	for _, fd := range got {
		_ = unix.Close(fd)
	}
	return ok
}
