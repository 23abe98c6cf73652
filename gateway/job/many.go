package job

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// MaxMany is how many hubs one command can be for, and maxMany how many such commands run at once.
const (
	MaxMany = 20_000
	maxMany = 8
)

// many runs a command on each of the hubs that its selector picked when it began, each as a command of its own: that has its own
// place in the order of its hub, its own intent and its own result, so that a restart finds what is done.
func (q *Queue) many(ctx context.Context, t *Task) (any, error) {
	select {
	case q.fanOuts <- struct{}{}:
		defer func() { <-q.fanOuts }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	var hubs []wire.EUI64
	if found, err := t.Checkpoint.Get(ctx, "hubs", &hubs); err != nil {
		return nil, err
	} else if !found {
		hubs = q.cfg.Select(*t.Select)
		if len(hubs) > MaxMany {
			return nil, topic.NewError(topic.CodeBadArgs, fmt.Sprintf("it picks %d hubs", len(hubs)), "member \"select\"", fmt.Sprintf("pick at most %d", MaxMany))
		}
		if err := t.Checkpoint.Set(ctx, "hubs", hubs); err != nil {
			return nil, topic.Wrap(topic.CodeStorage, err, "store, before anything was sent to a hub", "free the disk, then send a new command")
		}
	}
	f := fanOut{q: q, t: t, results: make([]topic.Result, len(hubs))}
	f.run(ctx, hubs)
	if cause := context.Cause(ctx); errors.Is(cause, errStopping) || q.base.Err() != nil {
		return nil, cause
	}
	return f.summary(hubs), context.Cause(ctx)
}

// fanOut is a command for many homes that runs.
type fanOut struct {
	q       *Queue
	t       *Task
	results []topic.Result // of the hubs, in order; without a status for those not begun

	mu       sync.Mutex
	over     int
	problems int
}

func (f *fanOut) run(ctx context.Context, hubs []wire.EUI64) {
	parallel := f.t.Select.Parallel
	if parallel == 0 {
		parallel = topic.DefaultParallel
	}
	slots := make(chan struct{}, parallel)
	var all sync.WaitGroup
	for i, hub := range hubs {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil || f.enough() {
			break
		}
		all.Go(func() {
			f.one(ctx, i, hub, len(hubs))
			<-slots
		})
	}
	all.Wait()
}

func (f *fanOut) enough() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.t.Select.StopAfter > 0 && f.problems >= f.t.Select.StopAfter
}

func (f *fanOut) one(ctx context.Context, i int, hub wire.EUI64, of int) {
	c := f.t.Command
	c.ID, c.Hub, c.Select, c.Reply = c.IDFor(hub), hub, nil, ""
	r := f.q.Submit(ctx, c)[0]
	if !r.Status.Final() {
		var err error
		if r, err = f.q.Wait(ctx, c.ID); err != nil && errors.Is(context.Cause(ctx), errCancel) {
			_ = f.q.Cancel(c.ID) // it may have ended meanwhile
			r, err = f.q.Wait(f.q.base, c.ID)
		}
		if err != nil {
			return // the queue stops: the command goes on after the restart
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.results[i] = r
	f.over++
	if r.Status != topic.StatusDone {
		f.problems++
	}
	f.t.Progress(topic.Progress{Step: "hubs", Done: uint64(f.over), Total: uint64(of)})
}

func (f *fanOut) summary(hubs []wire.EUI64) topic.ManyResult {
	s := topic.ManyResult{Hubs: len(hubs), Statuses: map[topic.Status]int{}, Codes: map[topic.Code]int{}, Problems: []topic.ManyProblem{}}
	for i, r := range f.results {
		if r.Status == "" {
			continue
		}
		s.Begun++
		s.Statuses[r.Status]++
		s.Codes[r.Code]++
		if r.Status == topic.StatusDone {
			continue
		}
		if len(s.Problems) == topic.MaxProblems {
			s.Omitted++
			continue
		}
		s.Problems = append(s.Problems, topic.ManyProblem{Hub: hubs[i], ID: r.ID, Status: r.Status, Code: r.Code, Message: r.Message})
	}
	return s
}

// laneFor is where a command stands in line: those of a hub behind each other, those of the fleet too, and each for many homes alone,
// since it is long and holds nothing.
func (q *Queue) laneFor(c topic.Command) *lane {
	if c.Select != nil {
		return &lane{}
	}
	return q.laneOf(c.Hub)
}
