package broker

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockDir takes the state folder for this process. The system gives it back when the process ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("broker: state folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "broker.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("broker: state folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("broker: state folder %s is in use by another process: stop that one, or name another folder: %w", dir, err)
	}
	return f, nil
}
