package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"smets1/gateway/audit"
	"smets1/gateway/job"
	"smets1/gateway/topic"
	"smets1/internal/clock"
)

// jobs answers the verb of that name.
func (b *Bridge) jobs(c topic.Command) (any, error) {
	var a topic.JobsArgs
	if err := c.DecodeArgs(&a); err != nil {
		return nil, err
	}
	var all []topic.Job
	switch a.Which {
	case "", topic.JobsOpen:
		all = b.cfg.Queue.Open(a.Hub)
	case topic.JobsInDoubt:
		ctx, cancel := within(b.base, answerTimeout)
		defer cancel()
		var err error
		if all, err = b.cfg.Queue.InDoubt(ctx, a.Hub); err != nil {
			return nil, topic.Wrap(topic.CodeStorage, err, "store", "ask again later")
		}
	default:
		return nil, topic.NewError(topic.CodeBadArgs, fmt.Sprintf("there is no list %.40q", a.Which), "argument \"which\"", "send open or indoubt")
	}
	if a.Limit < 0 {
		return nil, topic.NewError(topic.CodeBadArgs, "the limit is negative", "argument \"limit\"", "send a number above zero, or none")
	}
	if a.Limit == 0 || a.Limit > b.cfg.PageLimit {
		a.Limit = b.cfg.PageLimit
	}
	r := topic.JobsResult{Jobs: []topic.Job{}, Total: len(all)}
	from := 0
	for i := range all {
		if a.After != "" && all[i].Result.ID == a.After {
			from = i + 1
		}
	}
	for _, j := range all[from:] {
		if len(r.Jobs) == a.Limit {
			r.Next = r.Jobs[a.Limit-1].Result.ID
			break
		}
		j.Result.Result = nil // a page of large results would be too large: ask for them by their ids
		r.Jobs = append(r.Jobs, j)
	}
	return r, nil
}

// within bounds what a query may wait for the store.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := clock.Real().NewTimer(d)
	go func() {
		select {
		case <-t.C():
			cancel(context.DeadlineExceeded)
		case <-ctx.Done():
			t.Stop()
		}
	}()
	return ctx, func() { cancel(nil) }
}

func (b *Bridge) cancel(c topic.Command) (any, error) {
	var a topic.CancelArgs
	if err := c.DecodeArgs(&a); err != nil {
		return nil, err
	}
	ctx, done := within(b.base, answerTimeout)
	defer done()
	was, err := b.cfg.Queue.Result(ctx, a.ID)
	if err == nil && !was.Status.Final() {
		err = b.cfg.Queue.Cancel(a.ID)
	}
	switch {
	case errors.Is(err, job.ErrUnknown):
		return nil, topic.NewError(topic.CodeBadArgs, fmt.Sprintf("no command has the id %.160q", a.ID), "argument \"id\"", "use jobs for those that have not ended")
	case err != nil:
		return nil, topic.Wrap(topic.CodeStorage, err, "store", "ask again later")
	}
	e := audit.Of(audit.Cancelled, c, b.cfg.Clock.Now())
	e.ID, e.Status = a.ID, was.Status
	b.note(e)
	return topic.CancelResult{Status: was.Status}, nil
}

func (b *Bridge) resolve(c topic.Command) (any, error) {
	var a topic.ResolveArgs
	if err := c.DecodeArgs(&a); err != nil {
		return nil, err
	}
	bad := func(member, what string) error {
		return topic.NewError(topic.CodeBadArgs, what, "argument \""+member+"\"", "see the page of the verb")
	}
	switch {
	case a.Outcome != string(topic.StatusDone) && a.Outcome != string(topic.StatusFailed):
		return nil, bad("outcome", "it is neither done nor failed")
	case strings.TrimSpace(a.By) == "" || len(a.By) > 80:
		return nil, bad("by", "a name is needed, of up to 80 bytes")
	case strings.TrimSpace(a.Note) == "" || len(a.Note) > 2000:
		return nil, bad("note", "it is needed, and has up to 2000 bytes")
	}
	ctx, done := within(b.base, answerTimeout)
	defer done()
	r, err := b.cfg.Queue.Resolve(ctx, a.ID, topic.Resolution{Outcome: a.Outcome, Note: a.Note, By: a.By})
	switch {
	case errors.Is(err, job.ErrNotInDoubt):
		return nil, topic.NewError(topic.CodeBadArgs, fmt.Sprintf("no result in doubt has the id %.160q", a.ID), "argument \"id\"", "use jobs with which indoubt")
	case err != nil:
		return nil, topic.Wrap(topic.CodeStorage, err, "store", "ask again later")
	}
	e := audit.Of(audit.Resolved, c, b.cfg.Clock.Now())
	e.ID, e.Note = a.ID, r.Outcome+" says "+r.By
	b.note(e)
	return topic.ResolveResult{ID: a.ID, Resolution: r}, nil
}
