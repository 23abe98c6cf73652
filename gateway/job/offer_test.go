package job_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/gateway/job"
	"smets1/gateway/topic"
	"smets1/internal/store"
)

// settled collects what Offer told.
type settled struct {
	mu   sync.Mutex
	told map[string]bool
	all  map[string][]topic.Result
}

func (s *settled) of(id string) []topic.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[id]
}

func (r *rig) offer(commands ...topic.Command) *settled {
	s := &settled{told: map[string]bool{}, all: map[string][]topic.Result{}}
	r.Offer(r.t.Context(), commands, func(i int, res topic.Result, told bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		id := commands[i].ID
		s.told[id], s.all[id] = told, append(s.all[id], res)
	})
	return s
}

func keys(t *testing.T, s store.Store) (out []string) {
	t.Helper()
	b, err := s.Bucket(t.Context(), "jobs", store.Options{})
	require.NoError(t, err)
	list, err := b.List(t.Context(), "")
	require.NoError(t, err)
	for _, e := range list {
		out = append(out, e.Key)
	}
	return out
}

// What ends soon is written once, with its result; several of those share a record.
func TestOfferWritesTheResultAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.Memory()
		r := start(t, s, job.Config{Handlers: all(noop), ResultTTL: time.Hour})
		var got *settled
		var batch []topic.Command
		for i := range 5 {
			batch = append(batch, command(fmt.Sprint("c", i), hubA, topic.Wake))
		}
		got = r.offer(batch...)
		synctest.Wait()
		for _, c := range batch {
			require.Len(t, got.of(c.ID), 1, "settled once")
			require.Equal(t, topic.StatusDone, got.of(c.ID)[0].Status)
			require.True(t, got.told[c.ID])
			require.Equal(t, []topic.Status{topic.StatusDone}, r.sink.statuses(c.ID))
		}
		for _, k := range keys(t, s) {
			require.NotContains(t, k, "job/", "no intent was written")
		}
		again := r.offer(batch[3])
		synctest.Wait()
		require.True(t, again.of("c3")[0].Duplicate)
		require.False(t, again.told["c3"], "it is the caller's to pass on")
		r.stop()

		runs := 0
		r = start(t, s, job.Config{ResultTTL: time.Hour, Handlers: all(func(context.Context, *job.Task) (any, error) { runs++; return nil, nil })})
		for _, c := range batch {
			stored, err := r.Result(t.Context(), c.ID)
			require.NoError(t, err)
			require.Equal(t, topic.StatusDone, stored.Status)
		}
		require.True(t, r.submit(batch[0]).Duplicate)
		require.Zero(t, runs)
		time.Sleep(time.Hour + time.Minute)
		synctest.Wait()
		_, err := r.Result(t.Context(), "c0")
		require.ErrorIs(t, err, job.ErrUnknown)
		require.NotContains(t, fmt.Sprint(keys(t, s)), "ended/", "a shared record goes with the last of its results")
		r.stop()
	})
}

// What takes longer has its intent on disk before anybody is told that it was accepted.
func TestOfferWritesTheIntentOfWhatTakesLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.Memory()
		g := newGates()
		r := start(t, s, job.Config{Handlers: all(func(ctx context.Context, task *job.Task) (any, error) {
			task.Progress(topic.Progress{Step: "begun"})
			return g.handle(ctx, task)
		})})
		defer r.stop()
		got := r.offer(command("slow", hubA, topic.Wake), command("behind", hubA, topic.Wake))
		synctest.Wait()
		require.Equal(t, []string{"slow"}, g.started(), "it runs")
		require.Empty(t, got.of("slow"))
		require.Empty(t, r.sink.of("slow"), "nobody is told before it is on disk")
		again := r.offer(command("slow", hubA, topic.Wake))
		synctest.Wait()
		require.Empty(t, again.of("slow"))
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, []topic.Status{topic.StatusAccepted}, r.sink.statuses("slow"))
		for _, id := range []string{"slow", "behind"} {
			require.Equal(t, topic.StatusAccepted, got.of(id)[0].Status)
			require.True(t, got.told[id])
			require.Contains(t, keys(t, s), "job/"+id)
		}
		require.True(t, again.of("slow")[0].Duplicate)
		g.open("slow", nil)
		g.open("behind", nil)
		require.Equal(t, topic.StatusDone, r.wait("behind").Status)
		require.Equal(t, []topic.Status{topic.StatusAccepted, topic.StatusDone}, r.sink.statuses("slow"))
		require.Len(t, got.of("slow"), 1)
	})
}

// A verb that cannot be undone has its intent on disk before it runs, also when it comes behind one that can.
func TestOfferNeverRunsAheadOfAnIrreversibleIntent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.Memory()
		var order []string
		r := start(t, s, job.Config{Handlers: all(func(ctx context.Context, task *job.Task) (any, error) {
			order = append(order, task.ID)
			if task.Verb == topic.KeysTakeover {
				b, err := s.Bucket(ctx, "jobs-sync", store.Options{Sync: true})
				require.NoError(t, err)
				_, err = b.Get(ctx, "job/"+task.ID)
				require.NoError(t, err, "its intent is on disk")
			}
			return nil, nil
		})})
		defer r.stop()
		r.offer(command("a", hubA, topic.Wake), command("b", hubA, topic.KeysTakeover), command("c", hubA, topic.Wake))
		synctest.Wait()
		require.Equal(t, []string{"a", "b", "c"}, order)
	})
}

// A stop leaves nothing that only memory knows.
func TestCloseWritesTheIntentsOfWhatWasOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.Memory()
		g := newGates()
		r := start(t, s, job.Config{Handlers: all(g.handle)})
		got := r.offer(command("a", hubA, topic.Wake), command("b", hubA, topic.Wake))
		r.stop()
		require.Len(t, got.of("a"), 1)
		require.Len(t, got.of("b"), 1)
		late := r.offer(command("c", hubA, topic.Wake))
		require.Equal(t, topic.CodeBusy, late.of("c")[0].Code)
		r = start(t, s, job.Config{Handlers: all(noop)})
		defer r.stop()
		require.Equal(t, topic.StatusDone, r.wait("a").Status)
		require.Equal(t, topic.StatusDone, r.wait("b").Status)
	})
}

// fullStore refuses every write of an intent while told to.
type fullStore struct {
	store.Store
	full atomic.Bool
}

type fullBucket struct {
	store.Bucket
	s *fullStore
}

var errFull = errors.New("the disk is full")

func (s *fullStore) Bucket(ctx context.Context, name string, o store.Options) (store.Bucket, error) {
	b, err := s.Store.Bucket(ctx, name, o)
	return fullBucket{b, s}, err
}

func (b fullBucket) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	if b.s.full.Load() {
		return 0, errFull
	}
	return b.Bucket.Create(ctx, key, value)
}

func (b fullBucket) Pipeline(ctx context.Context, ops []store.Op) []error {
	if b.s.full.Load() {
		errs := make([]error, len(ops))
		for i := range errs {
			errs[i] = errFull
		}
		return errs
	}
	return b.Bucket.Pipeline(ctx, ops)
}

// With a full disk, what has not started is refused, and what runs already keeps its place until its result can be written.
func TestOfferOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fullStore{Store: store.Memory()}
		s.full.Store(true)
		g := newGates()
		r := start(t, s, job.Config{Handlers: all(g.handle)})
		defer r.stop()
		got := r.offer(command("runs", hubA, topic.Wake), command("waits", hubA, topic.Wake))
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, topic.CodeStorage, got.of("waits")[0].Code)
		require.False(t, got.told["waits"])
		require.Empty(t, got.of("runs"))
		g.open("runs", nil)
		synctest.Wait()
		require.Empty(t, got.of("runs"), "not acknowledged while nothing of it is on disk")
		s.full.Store(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, topic.StatusDone, got.of("runs")[0].Status)
		require.Equal(t, []string{"runs"}, g.started())
	})
}

func TestPriorities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates()
		r := start(t, store.Memory(), job.Config{Handlers: all(g.handle)})
		defer r.stop()
		for _, c := range []struct {
			id       string
			priority int
		}{{"runs", 0}, {"a", 0}, {"low", -1}, {"b", 0}, {"high1", 5}, {"high2", 5}, {"top", 9}} {
			cmd := command(c.id, hubA, topic.Wake)
			cmd.Priority = c.priority
			r.submit(cmd)
			synctest.Wait()
			g.of(c.id)
		}
		for _, id := range []string{"runs", "top", "high1", "high2", "a", "b", "low"} {
			g.open(id, nil)
		}
		require.Equal(t, topic.StatusDone, r.wait("low").Status)
		require.Equal(t, []string{"runs", "top", "high1", "high2", "a", "b", "low"}, g.started())
	})
}
