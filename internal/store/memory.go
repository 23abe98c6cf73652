package store

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Memory returns a store that keeps nothing beyond the process. It behaves as the JetStream one in all that
// the conformance suite sees, and is for tests and for the twin of it in a simulation.
func Memory() Store { return &memory{buckets: map[string]*memoryBucket{}} }

type memory struct {
	mu      sync.Mutex
	closed  bool
	buckets map[string]*memoryBucket
}

func (m *memory) Bucket(_ context.Context, name string, o Options) (Bucket, error) {
	if err := checkBucket(name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	b, ok := m.buckets[name]
	if !ok {
		b = &memoryBucket{options: o, records: map[string]Entry{}, watches: map[*memoryWatch]struct{}{}}
		m.buckets[name] = b
	}
	if b.options != o {
		return nil, optionsError(name)
	}
	return b, nil
}

func optionsError(name string) error {
	return fmt.Errorf("store: bucket %q was made with another Sync: open it as it was made", name)
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, b := range m.buckets {
		b.close()
	}
	return nil
}

func (m *memory) Buckets(context.Context) ([]BucketInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	var out []BucketInfo
	for name, b := range m.buckets {
		out = append(out, BucketInfo{name, b.options})
	}
	slices.SortFunc(out, func(a, b BucketInfo) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

type memoryBucket struct {
	options Options

	mu       sync.Mutex
	closed   bool
	revision uint64
	records  map[string]Entry
	watches  map[*memoryWatch]struct{}
}

func (b *memoryBucket) Get(ctx context.Context, key string) (Entry, error) {
	if err := checkKey(key); err != nil {
		return Entry{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return Entry{}, err
	}
	e, ok := b.records[key]
	if !ok {
		return Entry{}, ErrNotFound
	}
	e.Value = bytes.Clone(e.Value)
	return e, nil
}

func (b *memoryBucket) usable(ctx context.Context) error {
	if b.closed {
		return ErrClosed
	}
	return ctx.Err()
}

func (b *memoryBucket) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	return b.Batch(ctx, []Op{Put(key, value)})
}

func (b *memoryBucket) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	return b.Batch(ctx, []Op{Create(key, value)})
}

func (b *memoryBucket) CompareAndSet(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	return b.Batch(ctx, []Op{CompareAndSet(key, value, revision)})
}

func (b *memoryBucket) Delete(ctx context.Context, key string) error {
	_, err := b.Batch(ctx, []Op{Delete(key)})
	return err
}

func (b *memoryBucket) Batch(ctx context.Context, ops []Op) (uint64, error) {
	if err := checkBatch(ops); err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(ctx); err != nil || len(ops) == 0 {
		return 0, err
	}
	for _, op := range ops {
		have := b.records[op.Key].Revision
		if op.Kind == OpCreate && have != 0 || op.Kind == OpCompareAndSet && have != op.Revision {
			return 0, ErrConflict
		}
	}
	for _, op := range ops {
		b.apply(op)
	}
	return b.revision, nil
}

func (b *memoryBucket) Pipeline(ctx context.Context, ops []Op) []error {
	return each(ops, func(op Op) error {
		_, err := b.Batch(ctx, []Op{op})
		return err
	})
}

// each applies operations one after the other.
func each(ops []Op, apply func(Op) error) []error {
	var errs []error
	for i, op := range ops {
		if err := apply(op); err != nil {
			if errs == nil {
				errs = make([]error, len(ops))
			}
			errs[i] = err
		}
	}
	return errs
}

func (b *memoryBucket) apply(op Op) {
	kind := Changed
	b.revision++
	e := Entry{Key: op.Key, Value: append([]byte{}, op.Value...), Revision: b.revision}
	if op.Kind == OpDelete {
		if _, ok := b.records[op.Key]; !ok {
			return
		}
		delete(b.records, op.Key)
		kind, e.Value = Deleted, nil
	} else {
		b.records[op.Key] = e
	}
	for w := range b.watches {
		if strings.HasPrefix(op.Key, w.prefix) {
			w.push(Event{kind, e})
		}
	}
}

func (b *memoryBucket) List(ctx context.Context, prefix string) ([]Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	return b.list(prefix), nil
}

func (b *memoryBucket) list(prefix string) []Entry {
	var out []Entry
	for _, key := range slices.Sorted(maps.Keys(b.records)) {
		if strings.HasPrefix(key, prefix) {
			e := b.records[key]
			e.Value = bytes.Clone(e.Value)
			out = append(out, e)
		}
	}
	return out
}

func (b *memoryBucket) Watch(ctx context.Context, prefix string) (<-chan Event, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	w := &memoryWatch{prefix: prefix, ready: make(chan struct{}, 1)}
	for _, e := range b.list(prefix) {
		w.push(Event{Changed, e})
	}
	w.push(Event{Kind: Synced})
	b.watches[w] = struct{}{}
	out := make(chan Event)
	go b.run(ctx, w, out)
	return out, nil
}

func (b *memoryBucket) run(ctx context.Context, w *memoryWatch, out chan<- Event) {
	defer close(out)
	defer func() {
		b.mu.Lock()
		delete(b.watches, w)
		b.mu.Unlock()
	}()
	for {
		b.mu.Lock()
		batch, closed := w.pending, b.closed
		w.pending, w.at = nil, nil
		b.mu.Unlock()
		for _, e := range batch {
			e.Entry.Value = bytes.Clone(e.Entry.Value)
			select {
			case out <- e:
			case <-ctx.Done():
				return
			}
		}
		if len(batch) > 0 {
			continue
		}
		if closed {
			return
		}
		select {
		case <-w.ready:
		case <-ctx.Done():
			return
		}
	}
}

func (b *memoryBucket) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for w := range b.watches {
		w.wake()
	}
}

// memoryWatch queues events for one reader; its fields are guarded by the bucket's mutex. Of a key that changes again
// before the reader came, only the last change is kept, so that a slow reader costs no more than the keys there are.
type memoryWatch struct {
	prefix  string
	pending []Event
	at      map[string]int // where in pending a key's change stands, after Synced
	synced  bool
	ready   chan struct{}
}

func (w *memoryWatch) push(e Event) {
	if i, ok := w.at[e.Entry.Key]; ok && w.synced {
		w.pending[i] = e
		return
	}
	if e.Kind == Synced {
		w.synced = true
	} else if w.synced {
		if w.at == nil {
			w.at = map[string]int{}
		}
		w.at[e.Entry.Key] = len(w.pending)
	}
	w.pending = append(w.pending, e)
	w.wake()
}

func (w *memoryWatch) wake() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}
