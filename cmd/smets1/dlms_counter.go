package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"smets1/dlms/security"
)

// counterBlock is how many counters are reserved in the file at once; a command
// that ends leaves the rest of its block unused.
const counterBlock = 32

// fileCounter gives invocation counters whose next value is kept in a file, in
// decimal. The file is locked while it is read and written, so that two
// commands at the same time do not get the same values, and written before any
// value is used.
type fileCounter struct {
	path string

	mu        sync.Mutex
	next, end uint32
}

func (c *fileCounter) Next(context.Context) (uint32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == c.end {
		if err := c.reserve(0); err != nil {
			return 0, fmt.Errorf("counter file %s: %w", c.path, err)
		}
	}
	v := c.next
	c.next++
	return v, nil
}

// reserve takes a block at least from the value least on.
func (c *fileCounter) reserve(least uint32) error {
	f, err := os.OpenFile(c.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := lockFile(f); err != nil {
		return err
	}
	b, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return err
	}
	next := uint64(1)
	if text := strings.TrimSpace(string(b)); text != "" {
		if next, err = strconv.ParseUint(text, 10, 32); err != nil {
			return errors.New("want one decimal number, the next counter to use")
		}
	}
	next = max(next, uint64(least), 1)
	if next+counterBlock >= uint64(security.CounterLimit) {
		return security.ErrCounterExhausted
	}
	// The new number is never shorter than the old one, so it covers it.
	if _, err := f.WriteAt(fmt.Appendf(nil, "%d\n", next+counterBlock), 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if d, err := os.Open(filepath.Dir(c.path)); err == nil {
		_ = d.Sync() // so that a new file is found again after a power cut
		_ = d.Close()
	}
	c.next, c.end = uint32(next), uint32(next)+counterBlock
	return nil
}
