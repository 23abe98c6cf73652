//go:build unix

package bench

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock takes the file's lock if nobody has it. The lock ends with the process.
func lock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// busy is the error of a lock that somebody else has.
func busy(err error, h *Hub, held Holder) error {
	if errors.Is(err, unix.EWOULDBLOCK) {
		return &BusyError{h.Name, held}
	}
	return err
}
