package job_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/gateway/job"
	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
)

var (
	hubA = wire.MustEUI64("00-DB-12-34-56-78-90-A0")
	hubB = wire.MustEUI64("00-DB-12-34-56-78-90-B0")
)

const reply = "smets1/v1/lab/rsp/test"

// sink remembers what a queue told.
type sink struct {
	mu      sync.Mutex
	updates []job.Update
}

func (s *sink) take(u job.Update) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updates = append(s.updates, u)
}

// of returns the results told of a command.
func (s *sink) of(id string) []topic.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []topic.Result
	for _, u := range s.updates {
		if u.Result.ID == id {
			out = append(out, u.Result)
		}
	}
	return out
}

func (s *sink) statuses(id string) []topic.Status {
	var out []topic.Status
	for _, r := range s.of(id) {
		out = append(out, r.Status)
	}
	return out
}

type rig struct {
	*job.Queue
	t     *testing.T
	store store.Store
	sink  *sink
}

// start opens a queue; call it within a synctest bubble, whose clock it uses.
func start(t *testing.T, s store.Store, cfg job.Config) *rig {
	t.Helper()
	r := open(t, s, cfg)
	r.Start(r.sink.take)
	return r
}

func open(t *testing.T, s store.Store, cfg job.Config) *rig {
	t.Helper()
	cfg.Store, cfg.Clock = s, clock.Real()
	q, err := job.Open(t.Context(), cfg)
	require.NoError(t, err)
	return &rig{q, t, s, &sink{}}
}

func (r *rig) stop() { require.NoError(r.t, r.Close(context.Background())) }

func (r *rig) submit(c topic.Command) topic.Result {
	r.t.Helper()
	got := r.Submit(r.t.Context(), c)
	require.Len(r.t, got, 1)
	require.Equal(r.t, c.ID, got[0].ID)
	return got[0]
}

func (r *rig) wait(id string) topic.Result {
	r.t.Helper()
	res, err := r.Wait(r.t.Context(), id)
	require.NoError(r.t, err)
	return res
}

func command(id string, hub wire.EUI64, v topic.Verb) topic.Command {
	return topic.Command{Schema: 1, ID: id, Reply: reply, Hub: hub, Verb: v}
}

// all gives every verb of the contract the handler.
func all(h job.HandlerFunc) map[topic.Verb]job.Handler {
	m := map[topic.Verb]job.Handler{}
	for _, v := range topic.Verbs() {
		m[v.Verb] = h
	}
	return m
}

func noop(context.Context, *job.Task) (any, error) { return nil, nil }

// gates lets a test decide when the handler of each command goes on.
type gates struct {
	mu    sync.Mutex
	order []string
	gate  map[string]chan error
}

func newGates() *gates { return &gates{gate: map[string]chan error{}} }

func (g *gates) of(id string) chan error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gate[id] == nil {
		g.gate[id] = make(chan error, 1)
	}
	return g.gate[id]
}

func (g *gates) handle(ctx context.Context, t *job.Task) (any, error) {
	g.mu.Lock()
	g.order = append(g.order, t.ID)
	g.mu.Unlock()
	select {
	case err := <-g.of(t.ID):
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g *gates) open(id string, err error) { g.of(id) <- err }

func (g *gates) started() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.order)
}

func in(d time.Duration) time.Time { return time.Now().UTC().Add(d) }
