package job

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// Open lists the commands that have not ended, in the order of acceptance; of one hub only, or of all for the zero EUI-64.
func (q *Queue) Open(hub wire.EUI64) []topic.Job {
	q.mu.Lock()
	defer q.mu.Unlock()
	var open []*entry
	for _, e := range q.live {
		if hub.IsZero() || e.rec.Hub == hub {
			open = append(open, e)
		}
	}
	slices.SortFunc(open, func(a, b *entry) int { return cmp.Compare(a.rec.Seq, b.rec.Seq) })
	out := make([]topic.Job, len(open))
	for i, e := range open {
		out[i] = jobOf(e.rec, q.state(e))
	}
	return out
}

func jobOf(r record, res topic.Result) topic.Job {
	return topic.Job{Result: res, Accepted: r.Accepted, Deadline: r.Command.Deadline, Priority: r.Command.Priority, Reply: r.Command.Reply}
}

// InDoubt lists the results that wait for a person, oldest first.
func (q *Queue) InDoubt(ctx context.Context, hub wire.EUI64) ([]topic.Job, error) {
	q.mu.Lock()
	ids := make([]string, 0, len(q.doubts))
	for id := range q.doubts {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(q.doubts[a], q.doubts[b]) })
	places := make([]kept, len(ids))
	for i, id := range ids {
		places[i] = q.kept[id]
	}
	q.mu.Unlock()
	var out []topic.Job
	for i, id := range ids {
		r, err := q.read(ctx, id, places[i])
		if errors.Is(err, ErrUnknown) || err == nil && r.Result == nil {
			continue
		}
		if err != nil {
			return nil, err
		}
		if hub.IsZero() || r.Hub == hub {
			out = append(out, jobOf(r, *r.Result))
		}
	}
	return out, nil
}

// ErrNotInDoubt tells that a result is known, or not in doubt.
var ErrNotInDoubt = errors.New("job: no result in doubt has this id")

// Resolve takes down what a person found out about a result in doubt, which then leaves the list and expires as others do. What was said
// first holds.
func (q *Queue) Resolve(ctx context.Context, id string, r topic.Resolution) (topic.Resolution, error) {
	q.mu.Lock()
	was, resolved := q.resolved[id]
	_, waits := q.doubts[id]
	q.mu.Unlock()
	switch {
	case resolved:
		return was, nil
	case !waits:
		return r, ErrNotInDoubt
	}
	r.Time = q.cfg.Clock.Now().UTC()
	b, err := json.Marshal(r)
	if err != nil {
		return r, err
	}
	if _, err := q.plain.Put(ctx, resolvedPrefix+id, b); err != nil {
		return r, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.resolved[id] = r
	delete(q.doubts, id)
	q.expiries = append(q.expiries, expiry{id, r.Time.Add(q.cfg.ResultTTL)})
	q.kick()
	return r, nil
}

func (q *Queue) loadResolved(ctx context.Context) error {
	entries, err := q.plain.List(ctx, resolvedPrefix)
	if err != nil {
		return err
	}
	for _, e := range entries {
		var r topic.Resolution
		if err := json.Unmarshal(e.Value, &r); err != nil || r.Outcome == "" {
			return fmt.Errorf("job: the record %q is damaged: %w", e.Key, errors.Join(err, errors.New("it has no outcome")))
		}
		q.resolved[strings.TrimPrefix(e.Key, resolvedPrefix)] = r
	}
	return nil
}
