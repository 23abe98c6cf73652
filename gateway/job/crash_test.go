package job_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/gateway/job"
	"smets1/gateway/topic"
	"smets1/internal/store"
)

var errDead = errors.New("the machine is dead")

// mortal is a store that dies after so many writes. The last write is applied or not, and its caller does not learn which.
type mortal struct {
	store.Store
	mu      sync.Mutex
	left    int
	applied bool // the write that dies is applied
	dead    bool
	writes  int
}

func (m *mortal) Bucket(ctx context.Context, name string, o store.Options) (store.Bucket, error) {
	b, err := m.Store.Bucket(ctx, name, o)
	return &mortalBucket{b, m}, err
}

// strike counts a write, and tells whether to apply it and what to answer.
func (m *mortal) strike() (apply bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return false, errDead
	}
	m.writes++
	if m.left--; m.left == 0 {
		m.dead = true
		return m.applied, errDead
	}
	return true, nil
}

func (m *mortal) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

type mortalBucket struct {
	store.Bucket
	m *mortal
}

func (b *mortalBucket) Batch(ctx context.Context, ops []store.Op) (uint64, error) {
	apply, dead := b.m.strike()
	if !apply {
		return 0, dead
	}
	r, err := b.Bucket.Batch(ctx, ops)
	return r, errors.Join(dead, err)
}

func (b *mortalBucket) Pipeline(ctx context.Context, ops []store.Op) []error {
	var errs []error
	for i, op := range ops {
		if _, err := b.Batch(ctx, []store.Op{op}); err != nil {
			if errs == nil {
				errs = make([]error, len(ops))
			}
			errs[i] = err
		}
	}
	return errs
}

func (b *mortalBucket) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	return b.Batch(ctx, []store.Op{store.Put(key, value)})
}

func (b *mortalBucket) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	return b.Batch(ctx, []store.Op{store.Create(key, value)})
}

func (b *mortalBucket) Delete(ctx context.Context, key string) error {
	_, err := b.Batch(ctx, []store.Op{store.Delete(key)})
	return err
}

func (b *mortalBucket) Get(ctx context.Context, key string) (store.Entry, error) {
	if b.m.isDead() {
		return store.Entry{}, errDead
	}
	return b.Bucket.Get(ctx, key)
}

// meter stands for devices that live on while the gateway dies. Each command changes it once, or it is a scandal.
type meter struct {
	mu      sync.Mutex
	applied map[string]int
	order   []string
}

func (d *meter) count(id string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.applied[id]
}

func (d *meter) apply(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.applied[id]++
	d.order = append(d.order, id)
}

// careful is a handler as they should be: it notes what it is about to do, and after a restart asks the device first.
func careful(d *meter) job.HandlerFunc {
	return func(ctx context.Context, t *job.Task) (any, error) {
		var step string
		known, err := t.Checkpoint.Get(ctx, "step", &step)
		if err != nil {
			return nil, err
		}
		if known && !t.Resumed {
			return nil, fmt.Errorf("a checkpoint from nowhere: %s", step)
		}
		if !known {
			if t.Resumed && d.count(t.ID) > 0 {
				return nil, errors.New("the device was changed before the intent to was noted")
			}
			if err := t.Checkpoint.Set(ctx, "step", "intent"); err != nil {
				return nil, err
			}
		}
		if !t.Resumed || d.count(t.ID) == 0 {
			d.apply(t.ID)
		}
		if err := t.Checkpoint.Set(ctx, "step", "applied"); err != nil {
			return nil, err
		}
		return topic.HubRepointResult{To: t.ID}, nil
	}
}

var crashCommands = []topic.Command{
	command("a/keys", hubA, topic.KeysTakeover),
	command("a/read", hubA, topic.Read),
	command("a/write", hubA, topic.Write),
	command("b/repoint", hubB, topic.HubRepoint),
	command("b/clock", hubB, topic.ClockSync),
}

// TestDeathAtEveryWrite kills the store before and after each of its writes, starts a new queue on what is left, and
// holds that every command that was acknowledged ends once, having changed its device once, in the order of its hub.
func TestDeathAtEveryWrite(t *testing.T) {
	runs := 0
	for _, applied := range []bool{false, true} {
		for at := 1; ; at++ {
			var died bool
			synctest.Test(t, func(t *testing.T) { died = dieAt(t, at, applied) })
			runs++
			if !died {
				break
			}
		}
	}
	require.Greater(t, runs, 40)
	t.Logf("%d runs", runs)
}

func dieAt(t *testing.T, at int, applied bool) (died bool) {
	t.Helper()
	kept := store.Memory()
	d := &meter{applied: map[string]int{}}
	m := &mortal{Store: kept, left: at, applied: applied}
	cfg := job.Config{Handlers: all(careful(d))}
	q := start(t, m, cfg)
	acked := map[string]bool{}
	for _, c := range crashCommands {
		// What is answered after the death is answered to nobody.
		if res := q.submit(c); res.Status == topic.StatusAccepted && !m.isDead() {
			acked[c.ID] = true
		}
	}
	synctest.Wait()
	died = m.isDead()
	ended := map[string]topic.Result{}
	for _, u := range q.sink.updates {
		if u.Result.Status.Final() {
			ended[u.Result.ID] = u.Result
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_ = q.Close(ctx)

	r := start(t, kept, cfg)
	defer r.stop()
	for _, c := range crashCommands {
		before := r.submit(c) // the engine sends again what it has no answer to
		require.False(t, acked[c.ID] && !before.Duplicate && before.Status == topic.StatusAccepted, "death at write %d (applied %t): %s was acknowledged and is forgotten", at, applied, c.ID)
		res := r.wait(c.ID)
		require.Equal(t, topic.StatusDone, res.Status, "death at write %d (applied %t): %s: %s", at, applied, c.ID, res.Message)
		require.JSONEq(t, `{"to":"`+c.ID+`"}`, string(res.Result))
		require.Equal(t, 1, d.count(c.ID), "death at write %d (applied %t): %s", at, applied, c.ID)
		if told, ok := ended[c.ID]; ok {
			require.Equal(t, told.Status, res.Status)
			require.Equal(t, told.Revision, res.Revision, "what was told once stays")
			require.True(t, told.Time.Equal(res.Time))
		}
	}
	if len(acked) == len(crashCommands) {
		require.GreaterOrEqual(t, r.Revision(hubA), uint64(2))
		require.LessOrEqual(t, r.Revision(hubA), uint64(3), "a crash may skip a number")
	}
	place := map[string]int{}
	for i, id := range d.order {
		place[id] = i
	}
	for i := 1; i < len(crashCommands); i++ {
		a, b := crashCommands[i-1], crashCommands[i]
		require.False(t, a.Hub == b.Hub && acked[a.ID] && acked[b.ID] && place[a.ID] > place[b.ID], "order of %s and %s", a.ID, b.ID)
	}
	b, err := kept.Bucket(t.Context(), "jobs-sync", store.Options{Sync: true})
	require.NoError(t, err)
	synctest.Wait()
	left, err := b.List(t.Context(), "checkpoint/")
	require.NoError(t, err)
	require.Empty(t, left, "checkpoints go with their commands")
	return died
}

// A disk that is full for a while costs acknowledgements, not outcomes.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := store.Memory()
		g := newGates()
		m := &mortal{Store: kept, left: -1}
		r := start(t, m, job.Config{Handlers: all(g.handle)})
		r.Submit(t.Context(), command("a", hubA, topic.Wake), command("k", hubB, topic.Wake), command("k2", hubB, topic.KeysTakeover))
		synctest.Wait()
		m.mu.Lock()
		m.dead = true
		m.mu.Unlock()
		refused := r.submit(command("b", hubB, topic.Wake))
		require.Equal(t, topic.CodeStorage, refused.Code)
		require.Equal(t, topic.StatusRejected, refused.Status)
		require.True(t, refused.Retryable)
		g.open("a", nil)
		time.Sleep(10 * time.Second)
		require.Len(t, r.sink.of("a"), 1, "nothing is told before it is stored")
		m.mu.Lock()
		m.dead = false
		m.mu.Unlock()
		require.Equal(t, topic.StatusDone, r.wait("a").Status)
		require.Equal(t, topic.StatusAccepted, r.submit(command("b", hubB, topic.Wake)).Status)
		g.open("b", nil)
		g.open("k", nil)
		g.open("k2", nil)
		require.Equal(t, topic.StatusDone, r.wait("b").Status)
		r.stop()
	})
}
