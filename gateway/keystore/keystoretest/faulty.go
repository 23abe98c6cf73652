// Package keystoretest has a bucket that dies when it is told to, for tests of
// what must hold whenever a process may end.
package keystoretest

import (
	"context"
	"errors"
	"sync"

	"smets1/internal/store"
)

// ErrDied is what a Faulty bucket gives from its end on.
var ErrDied = errors.New("the process died here")

// Faulty passes calls on to a Bucket until it dies at a write: before the
// write took effect or just after.
type Faulty struct {
	store.Bucket

	mu     sync.Mutex
	writes int
	dieAt  int // number of the write to die at, from 0; negative: never
	after  bool
	dead   bool
}

// New gives a Faulty that dies at write number dieAt, from zero; negative
// means never.
func New(b store.Bucket, dieAt int, after bool) *Faulty {
	return &Faulty{Bucket: b, dieAt: dieAt, after: after}
}

// Writes is how many writes there were.
func (f *Faulty) Writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

// Kill makes it dead now.
func (f *Faulty) Kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
}

// Dead tells whether it died.
func (f *Faulty) Dead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

func (f *Faulty) write(do func() (uint64, error)) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return 0, ErrDied
	}
	n := f.writes
	f.writes++
	if n != f.dieAt {
		return do()
	}
	f.dead = true
	if f.after {
		_, _ = do()
	}
	return 0, ErrDied
}

// Get implements store.Bucket.
func (f *Faulty) Get(ctx context.Context, key string) (store.Entry, error) {
	if f.Dead() {
		return store.Entry{}, ErrDied
	}
	return f.Bucket.Get(ctx, key)
}

// List implements store.Bucket.
func (f *Faulty) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	if f.Dead() {
		return nil, ErrDied
	}
	return f.Bucket.List(ctx, prefix)
}

// Put implements store.Bucket.
func (f *Faulty) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	return f.write(func() (uint64, error) { return f.Bucket.Put(ctx, key, value) })
}

// Create implements store.Bucket.
func (f *Faulty) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	return f.write(func() (uint64, error) { return f.Bucket.Create(ctx, key, value) })
}

// CompareAndSet implements store.Bucket.
func (f *Faulty) CompareAndSet(ctx context.Context, key string, value []byte, rev uint64) (uint64, error) {
	return f.write(func() (uint64, error) { return f.Bucket.CompareAndSet(ctx, key, value, rev) })
}

// Delete implements store.Bucket.
func (f *Faulty) Delete(ctx context.Context, key string) error {
	_, err := f.write(func() (uint64, error) { return 0, f.Bucket.Delete(ctx, key) })
	return err
}

// Batch implements store.Bucket.
func (f *Faulty) Batch(ctx context.Context, ops []store.Op) (uint64, error) {
	return f.write(func() (uint64, error) { return f.Bucket.Batch(ctx, ops) })
}
