package job

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"smets1/gateway/topic"
	"smets1/internal/store"
	"smets1/internal/wire"
)

// submission is commands on their way in. The intake writes those of many callers at once.
type submission struct {
	commands []topic.Command
	results  []topic.Result
	done     chan struct{}
}

// Most commands whose intents are written at once.
const maxIntents = 256

// Most reply topics that are told about one command.
const maxReplies = 4

// Submit takes commands in. It returns when each is accepted, its intent being on disk, or has its answer: a rejection, or
// for an id seen before the stored result, marked as duplicate. Results stand in the order of the commands. The sink is told
// of accepted commands as well, but not of rejections and duplicates: those are the caller's to pass on.
//
// A rejection here is not stored: the id may be used again.
func (q *Queue) Submit(ctx context.Context, commands ...topic.Command) []topic.Result {
	s := &submission{commands: commands, results: make([]topic.Result, len(commands)), done: make(chan struct{})}
	if len(commands) == 0 {
		return nil
	}
	select {
	case q.submissions <- s:
	case <-q.stopped:
		return q.refuseAll(s, errStopping)
	case <-ctx.Done():
		return q.refuseAll(s, ctx.Err())
	}
	select {
	case <-s.done:
		return s.results
	case <-q.stopped:
	}
	// The intake takes everything that reached it before it stops.
	q.loops.Wait()
	select {
	case <-s.done:
		return s.results
	default:
		return q.refuseAll(s, errStopping)
	}
}

func (q *Queue) refuseAll(s *submission, err error) []topic.Result {
	out := make([]topic.Result, len(s.commands))
	for i, c := range s.commands {
		out[i] = q.refused(c, topic.Wrap(topic.CodeBusy, err, "queue", "send it again later with the same id"))
	}
	return out
}

func (q *Queue) refused(c topic.Command, err error) topic.Result {
	return topic.EndedBy(c, err, q.cfg.Clock.Now())
}

func (q *Queue) intake() {
	for {
		var group []*submission
		select {
		case s := <-q.submissions:
			group = append(group, s)
		case <-q.stopped:
			return
		}
		n := len(group[0].commands)
		for more := true; more && n < maxIntents; {
			select {
			case s := <-q.submissions:
				group = append(group, s)
				n += len(s.commands)
			default:
				more = false
			}
		}
		q.take(group)
		for _, s := range group {
			close(s.done)
		}
	}
}

// place is where a result belongs.
type place struct {
	s *submission
	i int
}

// take admits, writes and enqueues the commands of a group.
func (q *Queue) take(group []*submission) {
	now := q.cfg.Clock.Now()
	var fresh []*entry
	wait := map[place]*entry{}         // the entry was admitted in this group
	again := map[place]kept{}          // the result is on disk
	owner := map[*entry]topic.Result{} // set once the intent's fate is known
	q.mu.Lock()
	for _, s := range group {
		for i, c := range s.commands {
			p := place{s, i}
			if e, ok := q.live[c.ID]; ok && e.digest == digestOf(c) {
				q.addReply(e, c.Reply)
				if e.phase == phaseWriting {
					wait[p] = e
					continue
				}
				s.results[i] = duplicate(q.state(e))
				continue
			}
			if k, ok := q.kept[c.ID]; ok && k.digest == digestOf(c) {
				again[p] = k
				continue
			}
			e, err := q.admit(c, now)
			if err != nil {
				s.results[i] = topic.EndedBy(c, err, now)
				continue
			}
			fresh = append(fresh, e)
			s.results[i] = topic.NewResult(c, topic.StatusAccepted, now)
			owner[e] = s.results[i]
			wait[p] = e
		}
	}
	q.mu.Unlock()

	fates := q.writeIntents(fresh)
	q.accept(fresh, fates)
	first := map[*entry]bool{}
	for _, s := range group {
		for i := range s.commands {
			p := place{s, i}
			if k, ok := again[p]; ok {
				s.results[i] = q.answerAgain(s.commands[i], k)
			}
			e, ok := wait[p]
			if !ok {
				continue
			}
			s.results[i] = owner[e]
			if fate, ok := fates[e]; ok {
				s.results[i] = fate
			}
			if first[e] && !s.results[i].Status.Final() {
				s.results[i] = duplicate(s.results[i])
			}
			first[e] = true
		}
	}
}

func duplicate(r topic.Result) topic.Result {
	r.Duplicate = true
	return r
}

// answerAgain returns the stored result.
func (q *Queue) answerAgain(c topic.Command, k kept) topic.Result {
	r, err := q.stored(q.base, c.ID, k)
	if err != nil {
		return q.refused(c, topic.Wrap(topic.CodeStorage, err, "stored result", "send it again with the same id"))
	}
	return duplicate(r)
}

// addReply remembers one more topic that waits. Lock held.
func (q *Queue) addReply(e *entry, reply string) {
	if reply != "" && !slices.Contains(e.replies, reply) && len(e.replies) < maxReplies {
		e.replies = append(e.replies, reply)
	}
}

// admit checks a command that is not a duplicate and makes room for it. Lock held.
func (q *Queue) admit(c topic.Command, now time.Time) (*entry, error) {
	if err := topic.CheckID(c.ID); err != nil {
		return nil, topic.Wrap(topic.CodeBadID, err, "id", "send an id that no other command has")
	}
	_, open := q.live[c.ID]
	if _, old := q.kept[c.ID]; open || old {
		return nil, topic.NewError(topic.CodeIDReused, "the id was used for another verb, hub, device or arguments", "id "+c.ID, "choose a new id for each command")
	}
	info, err := q.check(c)
	if err != nil {
		return nil, err
	}
	if !c.Deadline.IsZero() && !now.Before(c.Deadline) {
		return nil, expired(c)
	}
	if q.stopping {
		return nil, topic.Wrap(topic.CodeBusy, errStopping, "queue", "send it again later with the same id")
	}
	if len(q.live) >= q.cfg.MaxQueued {
		return nil, topic.NewError(topic.CodeBusy, "the queue is full", "queue", "send it again later with the same id")
	}
	l := q.laneOf(c.Hub)
	if l.count >= q.cfg.MaxPerHub {
		return nil, topic.NewError(topic.CodeBusy, "the queue of this hub is full", "hub "+c.Hub.String(), "send it again later with the same id")
	}
	q.seq++
	e := &entry{
		rec:    record{Schema: recordSchema, Seq: q.seq, Hub: c.Hub, Verb: c.Verb, Command: c, Accepted: now.UTC()},
		digest: digestOf(c), info: info, bucket: q.plain, lane: l, replies: repliesOf(c),
	}
	if info.Irreversible {
		e.bucket = q.sync
	}
	e.check = &Checkpoint{bucket: e.bucket, key: checkpointKey(c.ID), loaded: true}
	l.count++
	q.live[c.ID] = e
	return e, nil
}

func expired(c topic.Command) error {
	return topic.NewError(topic.CodeExpired, "the deadline was "+c.Deadline.Format(time.RFC3339), "queue", "send a new command with a later deadline")
}

// check tells whether the command can be run here.
func (q *Queue) check(c topic.Command) (topic.VerbInfo, error) {
	info, ok := c.Verb.Info()
	if !ok || info.Fleet != (c.Hub == wire.EUI64{}) {
		return info, topic.NewError(topic.CodeUnknownVerb, "there is no verb "+string(c.Verb)+" here", "topic", "see the verbs in the bridge's info")
	}
	if q.cfg.Handlers[c.Verb] == nil {
		return info, topic.NewError(topic.CodeNotSupported, "this gateway does not do "+string(c.Verb), "gateway", "see the verbs in the bridge's info")
	}
	return info, c.DecodeArgs(reflect.New(reflect.TypeOf(info.Args)).Interface())
}

func (q *Queue) laneOf(hub wire.EUI64) *lane {
	l, ok := q.hubs[hub]
	if !ok {
		l = &lane{}
		q.hubs[hub] = l
	}
	return l
}

// writeIntents writes the intents and returns the results of those that were not written.
func (q *Queue) writeIntents(fresh []*entry) map[*entry]topic.Result {
	fates := map[*entry]topic.Result{}
	for _, b := range []store.Bucket{q.plain, q.sync} {
		var group []*entry
		for _, e := range fresh {
			if e.bucket == b {
				group = append(group, e)
			}
		}
		for part := range slices.Chunk(group, maxIntents) {
			q.writePart(b, part, fates)
		}
	}
	return fates
}

func (q *Queue) writePart(b store.Bucket, part []*entry, fates map[*entry]topic.Result) {
	ops := make([]store.Op, 0, len(part))
	for _, e := range part {
		value, err := e.rec.marshal()
		if err != nil {
			fates[e] = q.refused(e.rec.Command, topic.Wrap(topic.CodeBadJSON, err, "command", ""))
			continue
		}
		ops = append(ops, store.Create(jobKey(e.rec.Command.ID), value))
	}
	if len(ops) == len(part) {
		errs := b.Pipeline(q.base, ops)
		if errs == nil {
			return
		}
		for i, e := range part {
			if errs[i] == nil {
				continue
			}
			if r, ok := q.writeOne(b, e); !ok {
				fates[e] = r
			}
		}
		return
	}
	// One of them cannot be written: it must not stand in the way of the others.
	for _, e := range part {
		if _, bad := fates[e]; bad {
			continue
		}
		if r, ok := q.writeOne(b, e); !ok {
			fates[e] = r
		}
	}
}

func (q *Queue) writeOne(b store.Bucket, e *entry) (topic.Result, bool) {
	c := e.rec.Command
	value, err := e.rec.marshal()
	if err == nil {
		_, err = b.Create(q.base, jobKey(c.ID), value)
	}
	if err == nil {
		return topic.Result{}, true
	}
	if errors.Is(err, store.ErrConflict) {
		have, getErr := b.Get(q.base, jobKey(c.ID))
		switch {
		case getErr != nil:
			err = getErr
		case bytes.Equal(have.Value, value):
			return topic.Result{}, true // it was written, and only the answer was lost
		default:
			return q.refused(c, topic.NewError(topic.CodeIDReused, "another gateway has a command with this id", "store", "choose a new id for each command")), false
		}
	}
	// It may have been written for all that. If so it must not run after a restart, since it is now refused.
	if delErr := b.Delete(q.base, jobKey(c.ID)); delErr != nil {
		q.log.Error("an intent could neither be stored nor be removed", slog.String("id", c.ID), slog.Any("error", errors.Join(err, delErr)))
	}
	return q.refused(c, topic.Wrap(topic.CodeStorage, err, "store", "free the disk, then send it again with the same id")), false
}

// accept tells of the commands whose intents are on disk, and lets them run.
func (q *Queue) accept(fresh []*entry, fates map[*entry]topic.Result) {
	q.mu.Lock()
	for _, e := range fresh {
		if _, bad := fates[e]; bad {
			delete(q.live, e.rec.Command.ID)
			q.release(e)
		}
	}
	q.mu.Unlock()
	for _, e := range fresh {
		if _, bad := fates[e]; !bad {
			q.sink(Update{Result: topic.NewResult(e.rec.Command, topic.StatusAccepted, e.rec.Accepted), Replies: repliesOf(e.rec.Command)})
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range fresh {
		if _, bad := fates[e]; !bad {
			e.phase = phaseQueued
			q.enqueue(e)
		}
	}
	q.dispatch()
}
