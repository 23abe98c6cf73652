//go:build !unix

package bench

import (
	"errors"
	"os"
)

var errNoLock = errors.New("this system has no file locks that end with a process: benches work on Linux, BSD and macOS")

func lock(*os.File) error { return errNoLock }

func busy(err error, _ *Hub, _ Holder) error { return err }
