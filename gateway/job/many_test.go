package job_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/gateway/audit"
	"smets1/gateway/job"
	"smets1/gateway/topic"
	"smets1/internal/store"
	"smets1/internal/wire"
)

func pick(n int) func(topic.Selector) []wire.EUI64 {
	return func(topic.Selector) (out []wire.EUI64) {
		for i := range n {
			out = append(out, wire.EUI64{1, 0, 0, 0, 0, 0, 0, byte(i)})
		}
		return out
	}
}

func many(id string, v topic.Verb, s topic.Selector) topic.Command {
	s.All = true
	c := command(id, wire.EUI64{}, v)
	c.Select = &s
	return c
}

func manyResult(t *testing.T, r topic.Result) (m topic.ManyResult) {
	t.Helper()
	require.NoError(t, r.Decode(&m))
	return m
}

func TestManyHomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		busy, most := 0, 0
		count := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			busy += by
			most = max(most, busy)
		}
		r := start(t, store.Memory(), job.Config{Select: pick(20), Handlers: all(func(_ context.Context, task *job.Task) (any, error) {
			count(1)
			time.Sleep(time.Second)
			count(-1)
			if task.Hub[7]%5 == 0 {
				return nil, topic.NewError(topic.CodeHANSilent, "no answer", "", "")
			}
			return nil, nil
		})})
		defer r.stop()
		r.submit(many("m", topic.Wake, topic.Selector{Parallel: 4}))
		got := r.wait("m")
		require.Equal(t, topic.StatusDone, got.Status)
		m := manyResult(t, got)
		require.Equal(t, 4, most, "no more at once than asked for")
		require.Equal(t, 20, m.Begun)
		require.Equal(t, map[topic.Status]int{topic.StatusDone: 16, topic.StatusFailed: 4}, m.Statuses)
		require.Len(t, m.Problems, 4)
		require.Equal(t, topic.CodeHANSilent, m.Problems[0].Code)
		one, err := r.Result(t.Context(), m.Problems[1].ID)
		require.NoError(t, err)
		require.Equal(t, topic.StatusFailed, one.Status)
		require.True(t, r.submit(many("m", topic.Wake, topic.Selector{Parallel: 4})).Duplicate)

		r.submit(many("stop", topic.Wake, topic.Selector{Parallel: 1, StopAfter: 1}))
		require.Equal(t, 1, manyResult(t, r.wait("stop")).Begun)

		for id, c := range map[string]topic.Command{
			"query": many("query", topic.FleetList, topic.Selector{}),
			"fleet": many("fleet", topic.FleetClock, topic.Selector{}),
		} {
			require.Equal(t, topic.CodeUnknownVerb, r.submit(c).Code, id)
		}
	})
}

func TestManyHomesCancelledAndResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.Memory()
		var mu sync.Mutex
		runs := map[byte]int{}
		slow := all(func(ctx context.Context, task *job.Task) (any, error) {
			if task.Hub[7] > 2 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			mu.Lock()
			defer mu.Unlock()
			runs[task.Hub[7]]++
			return nil, nil
		})
		r := start(t, s, job.Config{Select: pick(6), Handlers: slow})
		r.submit(many("m", topic.Wake, topic.Selector{Parallel: 2}))
		synctest.Wait()
		r.stop()
		r = start(t, s, job.Config{Select: pick(1), Handlers: slow})
		synctest.Wait()
		require.NoError(t, r.Cancel("m"))
		got := r.wait("m")
		require.Equal(t, topic.CodeCancelled, got.Code)
		m := manyResult(t, got)
		require.Equal(t, 6, m.Hubs, "those picked at first, whatever is picked now")
		require.Equal(t, map[byte]int{0: 1, 1: 1, 2: 1}, runs, "none runs twice")
		require.Equal(t, 2, m.Codes[topic.CodeCancelled])
		r.stop()
	})
}

func TestResultsInDoubtWaitForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.Memory()
		cfg := job.Config{ResultTTL: time.Hour, Handlers: all(func(context.Context, *job.Task) (any, error) {
			return nil, topic.NewError(topic.CodeInDoubt, "?", "", "")
		})}
		r := start(t, s, cfg)
		r.submit(command("d", hubA, topic.KeysTakeover))
		require.Equal(t, topic.StatusInDoubt, r.wait("d").Status)
		time.Sleep(3 * time.Hour)
		r.stop()
		r = start(t, s, cfg)
		synctest.Wait()
		jobs, err := r.InDoubt(t.Context(), wire.EUI64{})
		require.NoError(t, err)
		require.Len(t, jobs, 1, "it does not expire")
		jobs, err = r.InDoubt(t.Context(), hubB)
		require.NoError(t, err)
		require.Empty(t, jobs)
		_, err = r.Resolve(t.Context(), "other", topic.Resolution{Outcome: "done"})
		require.ErrorIs(t, err, job.ErrNotInDoubt)
		said, err := r.Resolve(t.Context(), "d", topic.Resolution{Outcome: "done", Note: "read the key version", By: "me"})
		require.NoError(t, err)
		again, err := r.Resolve(t.Context(), "d", topic.Resolution{Outcome: "failed", By: "you"})
		require.NoError(t, err)
		require.Equal(t, said, again, "what was said first holds")
		r.stop()
		r = start(t, s, cfg)
		jobs, err = r.InDoubt(t.Context(), wire.EUI64{})
		require.NoError(t, err)
		require.Empty(t, jobs)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		_, err = r.Result(t.Context(), "d")
		require.ErrorIs(t, err, job.ErrUnknown)
		r.stop()
	})
}

func TestPermissionAndAudit(t *testing.T) {
	path := filepath.Join(t.TempDir(), audit.FileName)
	log, err := audit.Open(path)
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, store.Memory(), job.Config{Handlers: all(noop), Audit: log, Permit: func(hub wire.EUI64, v topic.Verb) error {
			if hub == hubA {
				return nil
			}
			return topic.NewError(topic.CodeForbidden, "not this one", "", "")
		}})
		r.submit(command("a", hubA, topic.KeysTakeover))
		r.wait("a")
		synctest.Wait() // the audit is written behind the answer
		require.Equal(t, topic.CodeForbidden, r.submit(command("b", hubB, topic.KeysTakeover)).Code)
		r.submit(command("c", hubB, topic.Write))
		r.wait("c")
		synctest.Wait()
		r.submit(command("d", hubB, topic.Wake))
		r.wait("d")
		r.stop()
	})
	require.NoError(t, log.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var said []string
	_, err = audit.Verify(bytes.NewReader(b), func(e audit.Entry) error {
		said = append(said, e.Action+" "+e.ID+" "+e.Who+" "+string(e.Code))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{"begun a test ", "ended a test ok", "begun c test ", "ended c test ok"}, said, "what changes nothing is not in it")
	require.Error(t, func() error {
		_, err := audit.Verify(bytes.NewReader(bytes.Replace(b, []byte(`"a"`), []byte(`"x"`), 1)), nil)
		return err
	}())
}
