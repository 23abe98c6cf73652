package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/gateway/job"
	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
)

func TestACommandRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		r := start(t, store.Memory(), job.Config{Handlers: all(func(_ context.Context, task *job.Task) (any, error) {
			runs++
			require.False(t, task.Resumed)
			require.Equal(t, hubA, task.Hub)
			task.Progress(topic.Progress{Step: "half"})
			return topic.WakeResult{Attempts: 2}, nil
		})})
		defer r.stop()
		c := command("c/1", hubA, topic.Wake)
		got := r.submit(c)
		require.Equal(t, topic.StatusAccepted, got.Status)
		require.False(t, got.Duplicate)
		done := r.wait("c/1")
		require.Equal(t, topic.StatusDone, done.Status)
		require.Equal(t, topic.CodeOK, done.Code)
		require.JSONEq(t, `{"attempts":2,"elapsed_seconds":0,"at":"0001-01-01T00:00:00Z"}`, string(done.Result))
		require.Equal(t, []topic.Status{topic.StatusAccepted, topic.StatusRunning, topic.StatusDone}, r.sink.statuses("c/1"))

		again := r.submit(c)
		require.True(t, again.Duplicate)
		again.Duplicate = false
		require.Equal(t, done, again, "the stored result")
		stored, err := r.Result(t.Context(), "c/1")
		require.NoError(t, err)
		require.Equal(t, done, stored)
		require.Equal(t, 1, runs)
		require.Len(t, r.sink.of("c/1"), 3, "a duplicate is the submitter's to pass on")
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handlers := all(noop)
		delete(handlers, topic.HubRepoint)
		r := start(t, store.Memory(), job.Config{Handlers: handlers})
		defer r.stop()
		r.submit(command("used", hubA, topic.Wake))
		with := func(change func(*topic.Command)) topic.Command {
			c := command("id", hubA, topic.Wake)
			change(&c)
			return c
		}
		for name, test := range map[string]struct {
			c    topic.Command
			code topic.Code
		}{
			"no id":            {with(func(c *topic.Command) { c.ID = "" }), topic.CodeBadID},
			"odd id":           {with(func(c *topic.Command) { c.ID = "a b" }), topic.CodeBadID},
			"unknown verb":     {with(func(c *topic.Command) { c.Verb = "explode" }), topic.CodeUnknownVerb},
			"fleet verb":       {with(func(c *topic.Command) { c.Verb = topic.FleetClock }), topic.CodeUnknownVerb},
			"hub verb, no hub": {with(func(c *topic.Command) { c.Hub = wire.EUI64{} }), topic.CodeUnknownVerb},
			"not supported":    {with(func(c *topic.Command) { c.Verb = topic.HubRepoint }), topic.CodeNotSupported},
			"bad arguments":    {with(func(c *topic.Command) { c.Args = json.RawMessage(`{"timeout_seconds":"long"}`) }), topic.CodeBadArgs},
			"expired":          {with(func(c *topic.Command) { c.Deadline = in(0) }), topic.CodeExpired},
			"other verb":       {command("used", hubA, topic.Identify), topic.CodeIDReused},
			"other hub":        {command("used", hubB, topic.Wake), topic.CodeIDReused},
			"other arguments":  {with(func(c *topic.Command) { c.ID, c.Args = "used", json.RawMessage(`{"timeout_seconds":1}`) }), topic.CodeIDReused},
		} {
			got := r.submit(test.c)
			require.Equal(t, test.code, got.Code, name)
			require.Equal(t, topic.StatusRejected, got.Status, name)
			require.NotEmpty(t, got.Message.What, name)
			require.NotEmpty(t, got.Message.Where, name)
			require.NotEmpty(t, got.Message.Do, name)
			require.Equal(t, test.code == topic.CodeBusy, got.Retryable, name)
		}
		require.Equal(t, topic.StatusAccepted, r.submit(command("id", hubA, topic.Wake)).Status, "a rejection does not use the id up")
		same := with(func(c *topic.Command) { c.ID, c.Deadline, c.Reply = "used", in(time.Hour), reply+"2" })
		require.True(t, r.submit(same).Duplicate, "a later deadline or another reply topic is still the same command")
		_, err := r.Result(t.Context(), "nobody")
		require.ErrorIs(t, err, job.ErrUnknown)
	})
}

func TestDuplicatesInOneSubmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates()
		r := start(t, store.Memory(), job.Config{Handlers: all(g.handle)})
		defer r.stop()
		c := command("x", hubA, topic.Wake)
		other := c
		other.Reply = reply + "-other"
		got := r.Submit(t.Context(), c, other, command("x", hubB, topic.Wake))
		require.Equal(t, topic.StatusAccepted, got[0].Status)
		require.False(t, got[0].Duplicate)
		require.Equal(t, topic.StatusAccepted, got[1].Status)
		require.True(t, got[1].Duplicate)
		require.Equal(t, topic.CodeIDReused, got[2].Code)
		synctest.Wait()
		running := r.submit(c)
		require.Equal(t, topic.StatusRunning, running.Status)
		require.True(t, running.Duplicate)
		g.open("x", nil)
		synctest.Wait()
		last := r.sink.updates[len(r.sink.updates)-1]
		require.Equal(t, topic.StatusDone, last.Result.Status)
		require.Equal(t, []string{reply, reply + "-other"}, last.Replies, "whoever asked is told")
		require.Equal(t, []string{"x"}, g.started())
	})
}

func TestOutcomes(t *testing.T) {
	for name, test := range map[string]struct {
		verb   topic.Verb
		fail   func() (any, error)
		status topic.Status
		code   topic.Code
	}{
		"coded":          {topic.Read, func() (any, error) { return nil, topic.NewError(topic.CodeHANSilent, "silent", "HAN", "wait") }, topic.StatusFailed, topic.CodeHANSilent},
		"wrapped":        {topic.Read, func() (any, error) { return nil, fmt.Errorf("read: %w", topic.NewError(topic.CodeNoWAN, "", "", "")) }, topic.StatusFailed, topic.CodeNoWAN},
		"plain":          {topic.Read, func() (any, error) { return nil, errors.New("what?") }, topic.StatusFailed, topic.CodeInternal},
		"timeout":        {topic.Read, func() (any, error) { return nil, context.DeadlineExceeded }, topic.StatusFailed, topic.CodeTimeout},
		"in doubt":       {topic.KeysTakeover, func() (any, error) { return nil, topic.NewError(topic.CodeInDoubt, "no proof", "meter", "look") }, topic.StatusInDoubt, topic.CodeInDoubt},
		"panic":          {topic.Read, func() (any, error) { panic("oh") }, topic.StatusFailed, topic.CodeInternal},
		"panic on keys":  {topic.KeysTakeover, func() (any, error) { panic("oh") }, topic.StatusInDoubt, topic.CodeInDoubt},
		"not JSON":       {topic.Read, func() (any, error) { return func() {}, nil }, topic.StatusFailed, topic.CodeInternal},
		"result too big": {topic.Read, func() (any, error) { return strings.Repeat("x", job.MaxResult), nil }, topic.StatusFailed, topic.CodeResultTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, store.Memory(), job.Config{Handlers: all(func(context.Context, *job.Task) (any, error) { return test.fail() })})
				defer r.stop()
				r.submit(command("c", hubA, test.verb))
				got := r.wait("c")
				require.Equal(t, test.status, got.Status)
				require.Equal(t, test.code, got.Code)
				doubt, err := r.InDoubt(t.Context(), wire.EUI64{})
				require.NoError(t, err)
				require.Len(t, doubt, map[bool]int{true: 1}[test.status == topic.StatusInDoubt])
			})
		})
	}
}

func TestPartialResultOfAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, store.Memory(), job.Config{Handlers: all(func(context.Context, *job.Task) (any, error) {
			return topic.HubRepointResult{To: "a:1"}, topic.NewError(topic.CodeVerify, "b:1 came back", "hub", "")
		})})
		defer r.stop()
		r.submit(command("c", hubA, topic.HubRepoint))
		got := r.wait("c")
		require.Equal(t, topic.CodeVerify, got.Code)
		require.JSONEq(t, `{"to":"a:1"}`, string(got.Result))
	})
}

func TestEachHubInOrderAndBesideTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates()
		r := start(t, store.Memory(), job.Config{Handlers: all(g.handle), Concurrency: 2})
		defer r.stop()
		r.Submit(t.Context(), command("a1", hubA, topic.Wake), command("a2", hubA, topic.Wake), command("a3", hubA, topic.Wake))
		synctest.Wait()
		require.Equal(t, []string{"a1"}, g.started(), "one at a time")
		for i := range 4 {
			r.submit(command(fmt.Sprint("b", i), wire.EUI64{0xB, byte(i)}, topic.Wake))
		}
		for i := range 4 {
			synctest.Wait()
			g.open(fmt.Sprint("b", i), nil)
		}
		synctest.Wait()
		require.Equal(t, []string{"a1", "b0", "b1", "b2", "b3"}, g.started(), "a slow hub holds nobody")
		require.Equal(t, job.Stats{Queued: 2, Running: 1, Kept: 4}, r.Stats())
		g.open("a1", errors.New("failed"))
		g.open("a2", nil)
		g.open("a3", nil)
		synctest.Wait()
		require.Equal(t, []string{"a1", "b0", "b1", "b2", "b3", "a2", "a3"}, g.started())
	})
}

func TestHubsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates()
		r := start(t, store.Memory(), job.Config{Handlers: all(g.handle), Concurrency: 1})
		defer r.stop()
		r.Submit(t.Context(), command("a1", hubA, topic.Wake), command("a2", hubA, topic.Wake), command("a3", hubA, topic.Wake))
		r.Submit(t.Context(), command("b1", hubB, topic.Wake), command("b2", hubB, topic.Wake))
		for _, id := range []string{"a1", "b1", "a2", "b2", "a3"} {
			g.open(id, nil)
			r.wait(id)
		}
		require.Equal(t, []string{"a1", "b1", "a2", "b2", "a3"}, g.started())
	})
}

func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates()
		r := start(t, store.Memory(), job.Config{Handlers: all(g.handle), MaxPerHub: 2, MaxQueued: 3})
		defer r.stop()
		require.Equal(t, topic.StatusAccepted, r.submit(command("a1", hubA, topic.Wake)).Status)
		require.Equal(t, topic.StatusAccepted, r.submit(command("a2", hubA, topic.Wake)).Status)
		full := r.submit(command("a3", hubA, topic.Wake))
		require.Equal(t, topic.CodeBusy, full.Code)
		require.True(t, full.Retryable)
		require.Contains(t, full.Message.Where, hubA.String())
		require.Equal(t, topic.StatusAccepted, r.submit(command("b1", hubB, topic.Wake)).Status)
		require.Equal(t, topic.CodeBusy, r.submit(command("b2", hubB, topic.Wake)).Code, "the whole queue is full")
		require.True(t, r.submit(command("a1", hubA, topic.Wake)).Duplicate, "a duplicate needs no room")
		g.open("a1", nil)
		r.wait("a1")
		require.Equal(t, topic.StatusAccepted, r.submit(command("a3", hubA, topic.Wake)).Status, "the same id, once there is room")
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates()
		r := start(t, store.Memory(), job.Config{Handlers: all(g.handle)})
		defer r.stop()
		with := func(id string, v topic.Verb, d time.Duration) topic.Command {
			c := command(id, hubA, v)
			c.Deadline = in(d)
			return c
		}
		r.Submit(t.Context(), with("irreversible", topic.KeysTakeover, time.Minute), with("late", topic.Wake, 2*time.Minute), with("later", topic.Wake, time.Hour))
		began := time.Now()
		late := r.wait("late")
		require.Equal(t, topic.CodeExpired, late.Code)
		require.Equal(t, topic.StatusRejected, late.Status)
		require.Equal(t, 2*time.Minute, time.Since(began), "told when its time is up, though it stands behind a slow one")
		require.Equal(t, []string{"irreversible"}, g.started())
		require.Equal(t, 1, r.Stats().Running, "what cannot be undone is not cut short")
		g.open("irreversible", nil)
		require.Equal(t, topic.StatusDone, r.wait("irreversible").Status)
		cut := r.wait("later")
		require.Equal(t, topic.CodeTimeout, cut.Code)
		require.Equal(t, topic.StatusFailed, cut.Status)
		require.Equal(t, time.Hour, time.Since(began), "what can be repeated is")
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates()
		r := start(t, store.Memory(), job.Config{Handlers: all(g.handle)})
		defer r.stop()
		r.Submit(t.Context(), command("runs", hubA, topic.Wake), command("waits", hubA, topic.Wake), command("last", hubA, topic.Wake))
		synctest.Wait()
		require.NoError(t, r.Cancel("waits"))
		require.Equal(t, topic.CodeCancelled, r.wait("waits").Code)
		require.Equal(t, []string{"runs"}, g.started(), "its lane is still busy")
		require.NoError(t, r.Cancel("runs"))
		require.Equal(t, topic.CodeCancelled, r.wait("runs").Code)
		g.open("last", nil)
		require.Equal(t, topic.StatusDone, r.wait("last").Status)
		require.Equal(t, []string{"runs", "last"}, g.started())
		require.ErrorIs(t, r.Cancel("runs"), job.ErrUnknown)
	})
}

func TestRevisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.Memory()
		cfg := job.Config{Handlers: all(func(_ context.Context, task *job.Task) (any, error) {
			if task.ID == "fails" {
				return nil, topic.NewError(topic.CodeAccess, "", "", "")
			}
			return nil, nil
		})}
		r := start(t, s, cfg)
		expect := func(c topic.Command, n uint64) topic.Command { c.Expect = &n; return c }
		r.Submit(t.Context(),
			command("read", hubA, topic.Read), expect(command("write", hubA, topic.Write), 0), expect(command("stale", hubA, topic.Write), 0),
			command("fails", hubA, topic.KeysRollback), expect(command("fits", hubA, topic.Read), 2))
		require.EqualValues(t, 0, r.wait("read").Revision)
		require.EqualValues(t, 1, r.wait("write").Revision)
		stale := r.wait("stale")
		require.Equal(t, topic.CodeStale, stale.Code)
		require.Equal(t, topic.StatusRejected, stale.Status)
		require.EqualValues(t, 1, stale.Revision)
		require.EqualValues(t, 2, r.wait("fails").Revision, "a failure may have changed something")
		require.Equal(t, topic.StatusDone, r.wait("fits").Status)
		require.Zero(t, r.Revision(hubB))
		r.stop()
		r = start(t, s, cfg)
		defer r.stop()
		require.EqualValues(t, 2, r.Revision(hubA), "revisions survive")
	})
}

func TestResultsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := map[string]int{}
		s := store.Memory()
		cfg := job.Config{ResultTTL: time.Hour, MaxResults: 3, Handlers: all(func(_ context.Context, task *job.Task) (any, error) {
			runs[task.ID]++
			return nil, nil
		})}
		r := start(t, s, cfg)
		for i := range 5 {
			id := fmt.Sprint("c", i)
			r.submit(command(id, hubA, topic.Wake))
			r.wait(id)
			synctest.Wait()
		}
		require.Equal(t, 3, r.Stats().Kept, "beyond the limit the oldest go")
		r.stop()
		time.Sleep(59 * time.Minute)
		r = start(t, s, cfg)
		synctest.Wait()
		require.Equal(t, 3, r.Stats().Kept)
		require.True(t, r.submit(command("c4", hubA, topic.Wake)).Duplicate)
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		require.Zero(t, r.Stats().Kept)
		b, err := s.Bucket(t.Context(), "jobs", store.Options{})
		require.NoError(t, err)
		left, err := b.List(t.Context(), "job/")
		require.NoError(t, err)
		require.Empty(t, left)
		require.False(t, r.submit(command("c4", hubA, topic.Wake)).Duplicate)
		r.wait("c4")
		require.Equal(t, 2, runs["c4"])
		r.stop()
	})
}

func TestUndeliveredResultsAreToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.Memory()
		cfg := job.Config{Handlers: all(noop)}
		r := start(t, s, cfg)
		for i := range 4 {
			id := fmt.Sprint("c", i)
			r.submit(command(id, hubA, topic.Wake))
			r.wait(id)
		}
		synctest.Wait()
		done := map[string]uint64{}
		for _, u := range r.sink.updates {
			if u.Done != 0 {
				done[u.Result.ID] = u.Done
			}
		}
		require.Len(t, done, 4)
		r.Delivered(done["c0"])
		r.Delivered(done["c2"]) // c1 is not: what comes after it is told again with it
		r.Delivered(done["c0"])
		r.stop()
		r = start(t, s, cfg)
		synctest.Wait()
		var again []string
		for _, u := range r.sink.updates {
			again = append(again, u.Result.ID)
			require.Equal(t, []string{reply}, u.Replies)
			require.Equal(t, topic.StatusDone, u.Result.Status)
			r.Delivered(u.Done)
		}
		require.Equal(t, []string{"c1", "c2", "c3"}, again)
		time.Sleep(3 * time.Second) // long enough to be written down, without a proper stop
		r2 := start(t, s, cfg)
		synctest.Wait()
		require.Empty(t, r2.sink.updates)
		r2.stop()
		r.stop()
	})
}

func TestCloseLeavesWorkForTheNextStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.Memory()
		g := newGates()
		r := start(t, s, job.Config{Handlers: all(g.handle)})
		r.Submit(t.Context(), command("a1", hubA, topic.KeysTakeover), command("a2", hubA, topic.Wake), command("b1", hubB, topic.Wake))
		synctest.Wait()
		r.stop()
		require.Empty(t, r.sink.of("a1")[1:], "no outcome")
		late := r.submit(command("late", hubA, topic.Wake))
		require.Equal(t, topic.CodeBusy, late.Code)

		resumed := map[string]bool{}
		r = start(t, s, job.Config{Concurrency: 1, Handlers: all(func(_ context.Context, task *job.Task) (any, error) {
			resumed[task.ID] = task.Resumed
			return nil, nil
		})})
		defer r.stop()
		for _, id := range []string{"a1", "a2", "b1"} {
			require.Equal(t, topic.StatusDone, r.wait(id).Status)
			synctest.Wait() // who waits may hear of it before the sink does
			require.Equal(t, []topic.Status{topic.StatusDone}, r.sink.statuses(id))
		}
		require.Equal(t, map[string]bool{"a1": true, "a2": true, "b1": true}, resumed)
	})
}

// A handler that ended in success while the queue was stopping is believed.
func TestSuccessWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.Memory()
		runs := 0
		cfg := job.Config{Handlers: all(func(ctx context.Context, task *job.Task) (any, error) {
			runs++
			<-ctx.Done()
			return nil, nil
		})}
		r := start(t, s, cfg)
		r.submit(command("a", hubA, topic.KeysTakeover))
		synctest.Wait()
		r.stop()
		r = start(t, s, cfg)
		defer r.stop()
		require.Equal(t, topic.StatusDone, r.wait("a").Status)
		require.Equal(t, 1, runs)
	})
}

func TestCloseGivesUpOnAHandlerThatDoesNotStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.Memory()
		release := make(chan struct{})
		r := start(t, s, job.Config{Handlers: all(func(context.Context, *job.Task) (any, error) { <-release; return nil, errors.New("too late") })})
		r.submit(command("a", hubA, topic.Wake))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, r.Close(ctx), context.DeadlineExceeded)
		close(release)
		synctest.Wait()
		r = start(t, s, job.Config{Handlers: all(noop)})
		defer r.stop()
		require.Equal(t, topic.StatusDone, r.wait("a").Status)
	})
}

func TestDeadlinePassedDuringARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.Memory()
		g := newGates()
		r := start(t, s, job.Config{Handlers: all(g.handle)})
		for _, c := range []topic.Command{command("begun", hubA, topic.KeysTakeover), command("behind", hubA, topic.KeysTakeover), command("read", hubB, topic.Read)} {
			c.Deadline = in(time.Minute)
			r.submit(c)
		}
		synctest.Wait()
		r.stop()
		time.Sleep(time.Hour)
		r = start(t, s, job.Config{Handlers: all(noop)})
		defer r.stop()
		require.Equal(t, topic.StatusDone, r.wait("begun").Status, "it was started: it must be seen through")
		require.Equal(t, topic.CodeExpired, r.wait("behind").Code)
		require.Equal(t, topic.CodeExpired, r.wait("read").Code)
	})
}

func TestConfigIsChecked(t *testing.T) {
	_, err := job.Open(t.Context(), job.Config{})
	require.Error(t, err)
}

func TestDamagedRecordsAreNamed(t *testing.T) {
	for key, value := range map[string]string{
		"job/x":                     "{",
		"job/y":                     `{"schema":99}`,
		"revision/" + hubA.String(): "many",
		"revision/nobody":           "1",
		"delivered":                 "-",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := store.Memory()
			b, err := s.Bucket(t.Context(), "jobs", store.Options{})
			require.NoError(t, err)
			_, err = b.Put(t.Context(), key, []byte(value))
			require.NoError(t, err)
			_, err = job.Open(t.Context(), job.Config{Store: s, Clock: clock.Real()})
			require.ErrorContains(t, err, key)
		})
	}
}
