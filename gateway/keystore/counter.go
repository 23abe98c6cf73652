package keystore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"smets1/dlms/security"
	"smets1/internal/store"
)

// Counter gives out the invocation counters of one key, each once, whatever
// dies in between. It is safe for concurrent use.
type Counter struct {
	store *Store
	key   string

	mu    sync.Mutex
	next  uint32 // next to give out; zero: nothing is reserved
	limit uint32 // first one not reserved
}

func counterKey(guek security.Key) string { return "counter/" + guek.Fingerprint() }

// Counter gives the counter of the set's encryption key. Two sets with the same
// key have the same counter.
func (s *Store) Counter(set Set) *Counter {
	key := counterKey(set.Keys.GUEK)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counters[key]
	if c == nil {
		c = &Counter{store: s, key: key}
		s.counters[key] = c
	}
	return c
}

// Next gives the next counter; the first is 1. It fails with
// security.ErrCounterExhausted when only those kept back for changing the
// keys are left, see ForRekey.
func (c *Counter) Next(ctx context.Context) (uint32, error) {
	return c.take(ctx, security.CounterLimit)
}

func (c *Counter) take(ctx context.Context, end uint32) (uint32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == c.limit {
		if err := c.reserve(ctx, 0); err != nil {
			return 0, err
		}
	}
	if c.next >= end {
		return 0, fmt.Errorf("keystore: %s: %w", c.key, security.ErrCounterExhausted)
	}
	c.next++
	return c.next - 1, nil
}

// Raise makes the next counter at least least, as a device expects it. It
// never goes back. A value that would leave no counters is refused: it cannot
// come from an honest device.
func (c *Counter) Raise(ctx context.Context, least uint32) error {
	if least >= security.CounterLimit {
		return fmt.Errorf("keystore: %s: a device expects counter %d, which would use up the key: %w", c.key, least, security.ErrCounterExhausted)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if least <= c.next {
		return nil
	}
	if least < c.limit {
		c.next = least
		return nil
	}
	return c.reserve(ctx, least)
}

// reserve takes the next block, which begins at least or above, and returns
// when that is on disk.
func (c *Counter) reserve(ctx context.Context, least uint32) error {
	for {
		from, rev, err := c.store.readCounter(ctx, c.key)
		if err != nil {
			return err
		}
		from = max(from, least)
		if from >= security.CounterMax {
			return fmt.Errorf("keystore: %s: %w", c.key, security.ErrCounterExhausted)
		}
		to := from + min(c.store.block, security.CounterMax-from)
		b, err := c.store.sealCounter(c.key, to)
		if err != nil {
			return err
		}
		_, err = c.store.bucket.CompareAndSet(ctx, c.key, b, rev)
		if errors.Is(err, store.ErrConflict) {
			continue // another process took that block
		}
		if err != nil {
			return wrap(err, "reserve counters")
		}
		c.next, c.limit = from, to
		return nil
	}
}

// readCounter gives the first counter that is not reserved.
func (s *Store) readCounter(ctx context.Context, key string) (next uint32, rev uint64, err error) {
	e, err := s.bucket.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return 1, 0, nil
	}
	if err != nil {
		return 0, 0, wrap(err, "read counter")
	}
	plain, err := s.sealer.open(key, e.Value)
	if err != nil {
		return 0, 0, err
	}
	n, err := strconv.ParseUint(string(plain), 10, 32)
	if err != nil || n == 0 {
		return 0, 0, fmt.Errorf("keystore: %s: %w", key, ErrTampered)
	}
	return uint32(n), e.Revision, nil
}

func (s *Store) sealCounter(key string, next uint32) ([]byte, error) {
	return s.sealer.seal(key, strconv.AppendUint(nil, uint64(next), 10))
}

// ForRekey is a view of the counter that may also use the values kept back for
// the change of keys.
func (c *Counter) ForRekey() RekeyCounter { return RekeyCounter{c} }

// RekeyCounter is Counter.ForRekey.
type RekeyCounter struct{ c *Counter }

// Next gives the next counter, up to the last that exists.
func (r RekeyCounter) Next(ctx context.Context) (uint32, error) {
	return r.c.take(ctx, security.CounterMax)
}
