package job

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"smets1/gateway/topic"
	"smets1/internal/store"
)

// keep remembers a command that ended. Lock held, or nothing runs yet.
func (q *Queue) keep(r record, d digest, share uint64) {
	id := r.Command.ID
	q.kept[id] = kept{digest: d, sync: infoOf(r.Command).Irreversible, share: share}
	if share != 0 {
		q.shares[share]++
	}
	if _, resolved := q.resolved[id]; r.Result.Status == topic.StatusInDoubt && !resolved {
		q.doubts[id] = r.Done // it is kept until a person has looked
		return
	}
	q.expiries = append(q.expiries, expiry{id, r.Result.Time.Add(q.cfg.ResultTTL)})
	if len(q.expiries) == 1 || len(q.kept) > q.cfg.MaxResults {
		q.kick()
	}
}

// infoOf describes the verb of a command. A command for many homes changes nothing itself: those that it makes do.
func infoOf(c topic.Command) topic.VerbInfo {
	info, _ := c.Verb.Info()
	if c.Select != nil {
		return topic.VerbInfo{Verb: c.Verb, Fleet: true, Roles: info.Roles}
	}
	return info
}

// deadlineHeap orders waiting commands by deadline. It implements heap.Interface.
type deadlineHeap []*entry

func (h deadlineHeap) Len() int { return len(h) }
func (h deadlineHeap) Less(i, j int) bool {
	return h[i].rec.Command.Deadline.Before(h[j].rec.Command.Deadline)
}
func (h deadlineHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].deadlineAt, h[j].deadlineAt = i+1, j+1
}

// Push implements heap.Interface.
func (h *deadlineHeap) Push(x any) {
	e := x.(*entry)
	e.deadlineAt = len(*h) + 1
	*h = append(*h, e)
}

// Pop implements heap.Interface.
func (h *deadlineHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.deadlineAt = 0
	return e
}

// noteDeadline makes sure that a command whose deadline passes while it waits is told so then. Lock held.
func (q *Queue) noteDeadline(e *entry) {
	heap.Push(&q.deadlines, e)
	if q.deadlines[0] == e {
		q.kick()
	}
}

// forgetDeadline is noteDeadline undone. Lock held.
func (q *Queue) forgetDeadline(e *entry) {
	if e.deadlineAt > 0 {
		heap.Remove(&q.deadlines, e.deadlineAt-1)
	}
}

// delivery tracks which results the broker has.
type delivery struct {
	upTo    uint64              // all results up to here were delivered
	above   map[uint64]struct{} // and these
	written uint64              // what is on disk of upTo
}

// Delivered tells that the broker has a final result, or that nobody waits for it: it need not be sent again after a restart.
func (q *Queue) Delivered(done uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	d := &q.delivery
	if done <= d.upTo {
		return
	}
	clean := d.upTo == d.written
	d.above[done] = struct{}{}
	for {
		if _, ok := d.above[d.upTo+1]; !ok {
			break
		}
		d.upTo++
		delete(d.above, d.upTo)
	}
	if clean && d.upTo != d.written {
		q.kick()
	}
}

func (q *Queue) loadDelivered(ctx context.Context) error {
	e, err := q.plain.Get(ctx, deliveredKey)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(string(e.Value), 10, 64)
	if err != nil {
		return fmt.Errorf("job: the record %q is damaged: %w", deliveredKey, err)
	}
	// Numbers go on from here even if all results before have expired.
	q.done = max(q.done, n)
	q.delivery.upTo, q.delivery.written = n, n
	return nil
}

func (q *Queue) flushDelivered(ctx context.Context) error {
	q.mu.Lock()
	n, old := q.delivery.upTo, q.delivery.written
	q.mu.Unlock()
	if n == old {
		return nil
	}
	if _, err := q.plain.Put(ctx, deliveredKey, strconv.AppendUint(nil, n, 10)); err != nil {
		return err
	}
	q.mu.Lock()
	q.delivery.written = n
	q.mu.Unlock()
	return nil
}

func (q *Queue) kick() { signal(q.kicks) }

// housekeeper ends commands whose deadlines pass while they wait, removes results that have expired, and
// writes down what was delivered.
func (q *Queue) housekeeper() {
	timer := q.cfg.Clock.NewTimer(time.Hour)
	defer timer.Stop()
	var flushAt time.Time
	for {
		now := q.cfg.Clock.Now()
		q.expireWaiting(now)
		q.expireResults(now)
		next := q.nextChore(now)
		if dirty := q.undelivered(); dirty && flushAt.IsZero() {
			flushAt = now.Add(q.cfg.DeliveredEvery)
		} else if dirty && !now.Before(flushAt) {
			if err := q.flushDelivered(q.base); err != nil {
				q.log.Warn("what was delivered could not be written down; results may be sent again after a restart", slog.Any("error", err))
			}
			flushAt = time.Time{}
			if q.undelivered() {
				flushAt = now.Add(q.cfg.DeliveredEvery)
			}
		}
		if !flushAt.IsZero() && flushAt.Before(next) {
			next = flushAt
		}
		timer.Reset(next.Sub(now))
		select {
		case <-timer.C():
		case <-q.kicks:
		case <-q.stopped:
			return
		}
	}
}

func (q *Queue) undelivered() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.delivery.upTo != q.delivery.written
}

// nextChore is when something is next due, within a day.
func (q *Queue) nextChore(now time.Time) time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	next := now.Add(24 * time.Hour)
	if len(q.deadlines) > 0 && q.deadlines[0].rec.Command.Deadline.Before(next) {
		next = q.deadlines[0].rec.Command.Deadline
	}
	if len(q.expiries) > 0 && q.expiries[0].at.Before(next) {
		next = q.expiries[0].at
	}
	return next
}

func (q *Queue) expireWaiting(now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.deadlines) > 0 && !now.Before(q.deadlines[0].rec.Command.Deadline) {
		e := q.deadlines[0]
		q.end(e, topic.EndedBy(e.rec.Command, expired(e.rec.Command), now))
	}
}

// Most results that are removed in one batch.
const maxExpire = 256

func (q *Queue) expireResults(now time.Time) {
	for {
		q.mu.Lock()
		var due []expiry
		for len(q.expiries) > len(due) && len(due) < maxExpire {
			x := q.expiries[len(due)]
			if now.Before(x.at) && len(q.kept)-len(due) <= q.cfg.MaxResults {
				break
			}
			due = append(due, x)
		}
		var plain, sync []store.Op
		leaving := map[uint64]int{}
		for _, x := range due {
			switch k := q.kept[x.id]; {
			case k.share != 0:
				if leaving[k.share]++; leaving[k.share] == q.shares[k.share] {
					plain = append(plain, store.Delete(sharedKey(k.share)))
				}
			case q.resolved[x.id].Outcome != "":
				plain = append(plain, store.Delete(resolvedPrefix+x.id))
				if k.sync {
					sync = append(sync, store.Delete(jobKey(x.id)))
				} else {
					plain = append(plain, store.Delete(jobKey(x.id)))
				}
			case k.sync:
				sync = append(sync, store.Delete(jobKey(x.id)))
			default:
				plain = append(plain, store.Delete(jobKey(x.id)))
			}
		}
		q.mu.Unlock()
		if len(due) == 0 {
			return
		}
		_, err := q.plain.Batch(q.base, plain)
		if err == nil {
			_, err = q.sync.Batch(q.base, sync)
		}
		if err != nil {
			q.log.Warn("expired results could not be removed; trying again later", slog.Any("error", err))
			q.mu.Lock()
			for i := range due {
				q.expiries[i].at = now.Add(time.Minute)
			}
			q.mu.Unlock()
			return
		}
		q.mu.Lock()
		for _, x := range due {
			if share := q.kept[x.id].share; share != 0 {
				if q.shares[share]--; q.shares[share] == 0 {
					delete(q.shares, share)
				}
			}
			delete(q.kept, x.id)
			delete(q.resolved, x.id)
		}
		q.expiries = q.expiries[len(due):]
		q.mu.Unlock()
	}
}
