//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile waits until the file is ours alone; closing it lets go of it.
func lockFile(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX) }
