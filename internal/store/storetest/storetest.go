// Package storetest holds what every store must do, as tests that take the store.
package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/store"
)

// Run checks a store. Open returns one that may hold what other subtests left; each uses buckets of its own.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for _, sync := range []bool{false, true} {
		o := store.Options{Sync: sync}
		for _, c := range []struct {
			name string
			test func(*testing.T, store.Bucket)
		}{
			{"records", testRecords},
			{"compare-and-set", testCompareAndSet},
			{"recreate", testRecreate},
			{"keys", testKeys},
			{"list", testList},
			{"limits", testLimits},
			{"copies", testCopies},
			{"batch", testBatch},
			{"batch of every size", testBatchSizes},
			{"batch is seen whole", testBatchIsolation},
			{"pipeline", testPipeline},
			{"watch", testWatch},
			{"watch follows a counter", testWatchCounter},
			{"one winner", testOneWinner},
			{"cancelled context", testCancelled},
		} {
			t.Run(fmt.Sprintf("%s/sync=%t", c.name, sync), func(t *testing.T) {
				s := open(t)
				b, err := s.Bucket(t.Context(), bucketName(c.name, sync), o)
				require.NoError(t, err)
				c.test(t, b)
			})
		}
	}
	t.Run("buckets", func(t *testing.T) { testBuckets(t, open(t)) })
	t.Run("close", func(t *testing.T) { testClose(t, open(t)) })
}

func bucketName(test string, sync bool) string {
	return fmt.Sprintf("%s-%t", strings.ReplaceAll(test, " ", "_"), sync)
}

func testRecords(t *testing.T, b store.Bucket) {
	ctx := t.Context()
	_, err := b.Get(ctx, "a")
	require.ErrorIs(t, err, store.ErrNotFound)
	r1, err := b.Put(ctx, "a", []byte("one"))
	require.NoError(t, err)
	e, err := b.Get(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, store.Entry{Key: "a", Value: []byte("one"), Revision: r1}, e)
	r2, err := b.Put(ctx, "a", nil)
	require.NoError(t, err)
	require.Greater(t, r2, r1)
	e, err = b.Get(ctx, "a")
	require.NoError(t, err)
	require.Empty(t, e.Value)
	require.NoError(t, b.Delete(ctx, "a"))
	require.NoError(t, b.Delete(ctx, "a"), "deleting what is not there is no error")
	_, err = b.Get(ctx, "a")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func testCompareAndSet(t *testing.T, b store.Bucket) {
	ctx := t.Context()
	_, err := b.CompareAndSet(ctx, "k", []byte("x"), 7)
	require.ErrorIs(t, err, store.ErrConflict, "there is no revision 7")
	r1, err := b.CompareAndSet(ctx, "k", []byte("1"), 0)
	require.NoError(t, err)
	_, err = b.CompareAndSet(ctx, "k", []byte("2"), 0)
	require.ErrorIs(t, err, store.ErrConflict, "0 means that it must not exist")
	_, err = b.Create(ctx, "k", []byte("2"))
	require.ErrorIs(t, err, store.ErrConflict)
	_, err = b.Put(ctx, "other", nil)
	require.NoError(t, err)
	r2, err := b.CompareAndSet(ctx, "k", []byte("2"), r1)
	require.NoError(t, err)
	require.Greater(t, r2, r1)
	_, err = b.CompareAndSet(ctx, "k", []byte("3"), r1)
	require.ErrorIs(t, err, store.ErrConflict, "the revision is old")
	e, err := b.Get(ctx, "k")
	require.NoError(t, err)
	require.Equal(t, "2", string(e.Value))
}

func testRecreate(t *testing.T, b store.Bucket) {
	ctx := t.Context()
	for range 3 {
		r, err := b.Create(ctx, "k", []byte("x"))
		require.NoError(t, err)
		_, err = b.Create(ctx, "k", nil)
		require.ErrorIs(t, err, store.ErrConflict)
		require.NoError(t, b.Delete(ctx, "k"))
		_, err = b.CompareAndSet(ctx, "k", nil, r)
		require.ErrorIs(t, err, store.ErrConflict, "it was deleted since")
	}
	_, err := b.Batch(ctx, []store.Op{store.Create("k", []byte("y")), store.Create("l", []byte("z"))})
	require.NoError(t, err, "a batch may recreate too")
	_, err = b.Batch(ctx, []store.Op{store.Delete("k"), store.Delete("l")})
	require.NoError(t, err)
	_, err = b.CompareAndSet(ctx, "l", []byte("again"), 0)
	require.NoError(t, err)
}

func testKeys(t *testing.T, b store.Bucket) {
	ctx := t.Context()
	keys := []string{
		"a", "A", "a.b", "a/b", "a//b", "/", "//", "/a", "a/", "=", "==", "a=b", "=2E", "*", ">", "a/*", "a/>", "$KV.x", " ", "\x00", "\xff\xfe",
		"é/ü", "..", "../../etc/passwd", "00-DB-12-34-56-78-90-A0", strings.Repeat("/", store.MaxKey), strings.Repeat("\x80", store.MaxKey),
	}
	for i, k := range keys {
		_, err := b.Create(ctx, k, fmt.Append(nil, i))
		require.NoError(t, err, "key %q", k)
	}
	for i, k := range keys {
		e, err := b.Get(ctx, k)
		require.NoError(t, err, "key %q", k)
		require.Equal(t, fmt.Sprint(i), string(e.Value), "key %q", k)
		require.Equal(t, k, e.Key)
	}
	all, err := b.List(ctx, "")
	require.NoError(t, err)
	require.Len(t, all, len(keys))
	for i := 1; i < len(all); i++ {
		require.Less(t, all[i-1].Key, all[i].Key, "the order of keys")
	}
}

func testList(t *testing.T, b store.Bucket) {
	ctx := t.Context()
	for _, k := range []string{"job/a", "job/ab", "job/a/1", "job", "jobs/x", "other"} {
		_, err := b.Put(ctx, k, []byte(k))
		require.NoError(t, err)
	}
	require.NoError(t, b.Delete(ctx, "job/ab"))
	for prefix, want := range map[string][]string{
		"":       {"job", "job/a", "job/a/1", "jobs/x", "other"},
		"job":    {"job", "job/a", "job/a/1", "jobs/x"},
		"job/":   {"job/a", "job/a/1"},
		"job/a":  {"job/a", "job/a/1"},
		"job/a/": {"job/a/1"},
		"none":   nil,
		"none/":  nil,
	} {
		got, err := b.List(ctx, prefix)
		require.NoError(t, err)
		var keys []string
		for _, e := range got {
			keys = append(keys, e.Key)
			require.Equal(t, e.Key, string(e.Value))
			require.NotZero(t, e.Revision)
		}
		require.Equal(t, want, keys, "prefix %q", prefix)
	}
}

func testLimits(t *testing.T, b store.Bucket) {
	ctx := t.Context()
	long := strings.Repeat("k", store.MaxKey+1)
	for _, key := range []string{"", long} {
		_, err := b.Put(ctx, key, nil)
		require.Error(t, err)
		_, err = b.Create(ctx, key, nil)
		require.Error(t, err)
		_, err = b.CompareAndSet(ctx, key, nil, 1)
		require.Error(t, err)
		_, err = b.Get(ctx, key)
		require.Error(t, err)
		require.NotErrorIs(t, err, store.ErrNotFound)
		require.Error(t, b.Delete(ctx, key))
		_, err = b.Batch(ctx, []store.Op{store.Put("fine", nil), store.Put(key, nil)})
		require.Error(t, err)
	}
	_, err := b.Put(ctx, "big", make([]byte, store.MaxValue+1))
	require.Error(t, err)
	_, err = b.Batch(ctx, []store.Op{store.Put("fine", nil), store.Put("fine", nil)})
	require.ErrorContains(t, err, "two operations")
	_, err = b.Batch(ctx, []store.Op{{Key: "fine"}})
	require.ErrorContains(t, err, "no kind")
	many := make([]store.Op, store.MaxBatch+1)
	for i := range many {
		many[i] = store.Put(fmt.Sprint(i), nil)
	}
	_, err = b.Batch(ctx, many)
	require.Error(t, err)
	all, err := b.List(ctx, "")
	require.NoError(t, err)
	require.Empty(t, all, "nothing was written")
	_, err = b.Put(ctx, "just fits", make([]byte, store.MaxValue-8192))
	require.NoError(t, err)
}

func testCopies(t *testing.T, b store.Bucket) {
	ctx := t.Context()
	v := []byte("abc")
	_, err := b.Put(ctx, "k", v)
	require.NoError(t, err)
	v[0] = 'X'
	e, err := b.Get(ctx, "k")
	require.NoError(t, err)
	require.Equal(t, "abc", string(e.Value), "what is stored does not change with the caller's slice")
	e.Value[0] = 'Y'
	e, err = b.Get(ctx, "k")
	require.NoError(t, err)
	require.Equal(t, "abc", string(e.Value))
}

func testBatch(t *testing.T, b store.Bucket) {
	ctx := t.Context()
	r, err := b.Batch(ctx, nil)
	require.NoError(t, err)
	require.Zero(t, r)
	r1, err := b.Put(ctx, "a", []byte("1"))
	require.NoError(t, err)
	_, err = b.Put(ctx, "gone", []byte("1"))
	require.NoError(t, err)
	last, err := b.Batch(ctx, []store.Op{store.CompareAndSet("a", []byte("2"), r1), store.Create("b", []byte("2")), store.Delete("gone"), store.Put("c", []byte("2"))})
	require.NoError(t, err)
	e, err := b.Get(ctx, "c")
	require.NoError(t, err)
	require.Equal(t, last, e.Revision, "the revision returned is that of the last operation")

	before, err := b.List(ctx, "")
	require.NoError(t, err)
	for name, ops := range map[string][]store.Op{
		"create of what exists": {store.Put("a", []byte("3")), store.Create("d", nil), store.Create("b", nil)},
		"old revision":          {store.Delete("c"), store.CompareAndSet("a", nil, r1)},
		"conflict at the start": {store.Create("a", nil), store.Put("d", nil), store.Put("e", nil)},
		"revision of nothing":   {store.Put("d", nil), store.CompareAndSet("nothing", nil, r1)},
		"alone":                 {store.Create("a", nil)},
	} {
		_, err := b.Batch(ctx, ops)
		require.ErrorIs(t, err, store.ErrConflict, name)
		after, err := b.List(ctx, "")
		require.NoError(t, err)
		require.Equal(t, before, after, "%s: nothing half-applied", name)
	}
}

func testBatchSizes(t *testing.T, b store.Bucket) {
	ctx := t.Context()
	for _, n := range []int{1, 2, 3, 100, store.MaxBatch} {
		ops := make([]store.Op, n)
		for i := range ops {
			ops[i] = store.Create(fmt.Sprintf("%d/%d", n, i), []byte("v"))
		}
		_, err := b.Batch(ctx, ops)
		require.NoError(t, err, "%d operations", n)
		got, err := b.List(ctx, fmt.Sprintf("%d/", n))
		require.NoError(t, err)
		require.Len(t, got, n)
	}
}

func testPipeline(t *testing.T, b store.Bucket) {
	ctx := t.Context()
	require.Nil(t, b.Pipeline(ctx, nil))
	for _, n := range []int{1, 2, 23, 24, 100, store.MaxBatch, store.MaxBatch + 1} {
		ops := make([]store.Op, n)
		for i := range ops {
			ops[i] = store.Create(fmt.Sprintf("%d/%04d", n, i), fmt.Append(nil, i))
		}
		require.Nil(t, b.Pipeline(ctx, ops), "%d operations", n)
		got, err := b.List(ctx, fmt.Sprintf("%d/", n))
		require.NoError(t, err)
		require.Len(t, got, n)
		for i, e := range got {
			require.Equal(t, fmt.Sprint(i), string(e.Value))
			require.True(t, i == 0 || e.Revision > got[i-1].Revision, "the order of operations")
		}
	}
	for _, extra := range []int{0, 40} {
		require.NoError(t, b.Delete(ctx, "2/0000"))
		ops := []store.Op{store.Create("2/0000", []byte("again")), store.Create("2/0001", []byte("there")), store.Put("", nil), store.Put("2/0002", nil), store.Delete("1/0000")}
		for i := range extra {
			ops = append(ops, store.Put(fmt.Sprintf("extra/%d", i), nil))
		}
		errs := b.Pipeline(ctx, ops)
		require.Len(t, errs, len(ops))
		require.NoError(t, errs[0])
		require.ErrorIs(t, errs[1], store.ErrConflict)
		require.ErrorContains(t, errs[2], "a key of 0 bytes")
		for _, err := range errs[3:] {
			require.NoError(t, err, "one that fails does not stop the others")
		}
		ops[2] = store.Put("2/0003", nil)
		require.NoError(t, b.Delete(ctx, "2/0000"))
		errs = b.Pipeline(ctx, ops)
		require.Len(t, errs, len(ops))
		require.ErrorIs(t, errs[1], store.ErrConflict)
		require.NoError(t, errs[0])
		require.NoError(t, errs[2])
		_, err := b.Get(ctx, "1/0000")
		require.ErrorIs(t, err, store.ErrNotFound)
	}
}

// testBatchIsolation writes two keys in one batch while others look: who has seen the new value of one, whichever it is, sees
// that of the other, or a later one.
func testBatchIsolation(t *testing.T, b store.Bucket) {
	ctx := t.Context()
	const rounds = 40
	_, err := b.Batch(ctx, []store.Op{store.Put("a", []byte("0")), store.Put("b", []byte("0"))})
	require.NoError(t, err)
	get := func(key string) (n int) {
		e, err := b.Get(ctx, key)
		if err == nil {
			_, err = fmt.Sscan(string(e.Value), &n)
		}
		if err != nil {
			t.Error(err)
		}
		return n
	}
	var over atomic.Bool
	var readers sync.WaitGroup
	for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
		readers.Go(func() {
			for !over.Load() {
				first := get(order[0])
				if second := get(order[1]); second < first {
					t.Errorf("saw %s=%d, then %s=%d", order[0], first, order[1], second)
					return
				}
			}
		})
	}
	for i := range rounds {
		v := fmt.Append(nil, i+1)
		_, err := b.Batch(ctx, []store.Op{store.Put("a", v), store.Put("b", v)})
		require.NoError(t, err)
	}
	over.Store(true)
	readers.Wait()
}

func next(t *testing.T, c <-chan store.Event) store.Event {
	t.Helper()
	select {
	case e, ok := <-c:
		require.True(t, ok, "the watch ended")
		return e
	case <-t.Context().Done():
		t.Fatal("no event")
		return store.Event{}
	}
}

func testWatch(t *testing.T, b store.Bucket) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := b.Put(ctx, "w/a", []byte("1"))
	require.NoError(t, err)
	_, err = b.Put(ctx, "w/dead", []byte("1"))
	require.NoError(t, err)
	require.NoError(t, b.Delete(ctx, "w/dead"))
	c, err := b.Watch(ctx, "w/")
	require.NoError(t, err)
	e := next(t, c)
	require.Equal(t, store.Changed, e.Kind)
	require.Equal(t, "w/a", e.Entry.Key)
	require.Equal(t, store.Synced, next(t, c).Kind)

	_, err = b.Put(ctx, "elsewhere", nil)
	require.NoError(t, err)
	r, err := b.Put(ctx, "w/b", []byte("2"))
	require.NoError(t, err)
	require.Equal(t, store.Event{Kind: store.Changed, Entry: store.Entry{Key: "w/b", Value: []byte("2"), Revision: r}}, next(t, c))
	require.NoError(t, b.Delete(ctx, "w/a"))
	e = next(t, c)
	require.Equal(t, store.Deleted, e.Kind)
	require.Equal(t, "w/a", e.Entry.Key)
	require.Empty(t, e.Entry.Value)
	require.Greater(t, e.Entry.Revision, r)
	cancel()
	for range c {
	}
}

// testWatchCounter writes faster than the reader reads: it sees the values grow, and the last.
func testWatchCounter(t *testing.T, b store.Bucket) {
	ctx := t.Context()
	const last = 300
	c, err := b.Watch(ctx, "n")
	require.NoError(t, err)
	require.Equal(t, store.Synced, next(t, c).Kind)
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 1; i <= last; i++ {
			if _, err := b.Put(ctx, "n", fmt.Appendf(nil, "%d", i)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	seen := 0
	for seen < last {
		var n int
		_, err := fmt.Sscan(string(next(t, c).Entry.Value), &n)
		require.NoError(t, err)
		require.Greater(t, n, seen)
		seen = n
	}
	writer.Wait()
}

func testOneWinner(t *testing.T, b store.Bucket) {
	ctx := t.Context()
	var wins, adds atomic.Int64
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			if _, err := b.Create(ctx, "lease", fmt.Append(nil, i)); err == nil {
				wins.Add(1)
			}
			for {
				e, err := b.Get(ctx, "sum")
				n := 0
				if err == nil {
					_, _ = fmt.Sscan(string(e.Value), &n)
				}
				if _, err = b.CompareAndSet(ctx, "sum", fmt.Append(nil, n+1), e.Revision); err == nil {
					adds.Add(1)
					return
				}
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 1, wins.Load())
	e, err := b.Get(ctx, "sum")
	require.NoError(t, err)
	require.Equal(t, "16", string(e.Value))
}

func testCancelled(t *testing.T, b store.Bucket) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Put(ctx, "k", nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.Get(ctx, "k")
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.Batch(ctx, []store.Op{store.Put("a", nil), store.Put("b", nil)})
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.List(ctx, "")
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.Watch(ctx, "")
	require.ErrorIs(t, err, context.Canceled)
}

func testBuckets(t *testing.T, s store.Store) {
	ctx := t.Context()
	a, err := s.Bucket(ctx, "apart-a", store.Options{})
	require.NoError(t, err)
	b, err := s.Bucket(ctx, "apart-b", store.Options{Sync: true})
	require.NoError(t, err)
	_, err = a.Put(ctx, "k", []byte("a"))
	require.NoError(t, err)
	_, err = b.Get(ctx, "k")
	require.ErrorIs(t, err, store.ErrNotFound)
	again, err := s.Bucket(ctx, "apart-a", store.Options{})
	require.NoError(t, err)
	e, err := again.Get(ctx, "k")
	require.NoError(t, err)
	require.Equal(t, "a", string(e.Value))
	_, err = s.Bucket(ctx, "apart-a", store.Options{Sync: true})
	require.ErrorContains(t, err, "another Sync")
	list, err := s.Buckets(ctx)
	require.NoError(t, err)
	require.Contains(t, list, store.BucketInfo{Name: "apart-a"})
	require.Contains(t, list, store.BucketInfo{Name: "apart-b", Options: store.Options{Sync: true}})
	for _, bad := range []string{"", "a b", "a.b", "a/b", "ä", strings.Repeat("b", 65)} {
		_, err := s.Bucket(ctx, bad, store.Options{})
		require.Error(t, err, "name %q", bad)
	}
}

func testClose(t *testing.T, s store.Store) {
	ctx := t.Context()
	b, err := s.Bucket(ctx, "closing", store.Options{})
	require.NoError(t, err)
	c, err := b.Watch(ctx, "")
	require.NoError(t, err)
	require.Equal(t, store.Synced, next(t, c).Kind)
	require.NoError(t, s.Close())
	for range c {
	}
	_, err = b.Put(ctx, "k", nil)
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = b.Get(ctx, "k")
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = s.Bucket(ctx, "new", store.Options{})
	require.ErrorIs(t, err, store.ErrClosed)
}
