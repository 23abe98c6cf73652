package job

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"smets1/gateway/topic"
	"smets1/internal/store"
	"smets1/internal/wire"
)

// submission is commands on their way in. The intake takes those of many callers at once.
type submission struct {
	commands []topic.Command
	// eager asks for the intents to be written at once.
	eager bool
	// settle is called once for each command; see Offer.
	settle func(i int, r topic.Result, told bool)
}

// settler is one who waits for the fate of a command.
type settler struct {
	s *submission
	i int
	// again marks whoever sent a command that was there already.
	again bool
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
	if len(commands) == 0 {
		return nil
	}
	results := make([]topic.Result, len(commands))
	var left sync.WaitGroup
	left.Add(len(commands))
	q.submit(ctx, &submission{commands: commands, eager: true, settle: func(i int, r topic.Result, _ bool) {
		results[i] = r
		left.Done()
	}})
	left.Wait()
	return results
}

// Offer takes commands in for a caller that has them from somewhere that keeps them, like a broker that waits for an
// acknowledgement, and will offer them again if this process dies first. It does not wait, except for the intents
// of verbs with an irreversible step. The queue must have been started. settle is called once for each command,
// from any goroutine, and must not block or call the queue: when its intent is on disk, when it ended so soon that its intent was never
// written but its result is on disk, or when it has its answer as from Submit. told says that the sink was told, and that there is nothing to pass on.
//
// One write in place of two is what this is for. It is not for verbs with an irreversible step: their intents are written first here too.
func (q *Queue) Offer(ctx context.Context, commands []topic.Command, settle func(i int, r topic.Result, told bool)) {
	s := &submission{commands: commands, settle: settle}
	q.entrance.RLock()
	defer q.entrance.RUnlock()
	switch {
	case ctx.Err() != nil:
		q.refuseAll(s, ctx.Err())
	case q.shut:
		q.refuseAll(s, errStopping)
	default:
		q.take([]*submission{s})
	}
}

func (q *Queue) submit(ctx context.Context, s *submission) {
	// Whoever holds this lock is waited for before the intake stops.
	q.entrance.RLock()
	defer q.entrance.RUnlock()
	err := errStopping
	if !q.shut {
		select {
		case q.submissions <- s:
			return
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	q.refuseAll(s, err)
}

func (q *Queue) refuseAll(s *submission, err error) {
	for i, c := range s.commands {
		s.settle(i, q.refused(c, topic.Wrap(topic.CodeBusy, err, "queue", "send it again later with the same id")), false)
	}
}

func (q *Queue) refused(c topic.Command, err error) topic.Result {
	return topic.EndedBy(c, err, q.cfg.Clock.Now())
}

func (q *Queue) intake() {
	for s := range q.submissions {
		group := []*submission{s}
		n := len(s.commands)
		for more := true; more && n < maxIntents; {
			select {
			case s, ok := <-q.submissions:
				if more = ok; ok {
					group = append(group, s)
					n += len(s.commands)
				}
			default:
				more = false
			}
		}
		q.take(group)
	}
}

// take admits the commands of a group, lets those run that need not wait for their intents, and writes the intents of the others.
func (q *Queue) take(group []*submission) {
	q.taking.Lock()
	defer q.taking.Unlock()
	now := q.cfg.Clock.Now()
	var eager, late []*entry
	var answers []func()
	answer := func(w settler, r topic.Result) {
		answers = append(answers, func() { w.s.settle(w.i, r, false) })
	}
	q.mu.Lock()
	for _, s := range group {
		for i, c := range s.commands {
			w := settler{s: s, i: i}
			d := digestOf(c)
			if e, ok := q.live[c.ID]; ok && e.digest == d {
				q.addReply(e, c.Reply)
				if e.intent != intentWritten {
					w.again = true
					e.settlers = append(e.settlers, w)
					if s.eager {
						e.hurry = true
					}
					continue
				}
				answer(w, duplicate(q.state(e)))
				continue
			}
			if k, ok := q.kept[c.ID]; ok && k.digest == d {
				answers = append(answers, func() { w.s.settle(w.i, q.answerAgain(c, k), false) })
				continue
			}
			e, err := q.admit(c, d, now)
			if err != nil {
				answer(w, topic.EndedBy(c, err, now))
				continue
			}
			e.settlers = append(e.settlers, w)
			// What comes after one whose intent is being written must not overtake it.
			if s.eager || e.info.Irreversible || e.lane.writing {
				e.lane.writing = true
				e.intent = intentWriting
				eager = append(eager, e)
				continue
			}
			late = append(late, e)
		}
	}
	if len(late) > 0 {
		q.unwritten.add(late)
		for _, e := range late {
			e.phase = phaseQueued
			q.enqueue(e)
		}
		q.dispatch()
	}
	q.mu.Unlock()
	for _, f := range answers {
		f()
	}
	if len(eager) > 0 {
		q.accept(eager, q.writeIntents(eager))
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
func (q *Queue) admit(c topic.Command, d digest, now time.Time) (*entry, error) {
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
	l := q.laneFor(c)
	if l.count >= q.cfg.MaxPerHub {
		return nil, topic.NewError(topic.CodeBusy, "the queue of this hub is full", "hub "+c.Hub.String(), "send it again later with the same id")
	}
	q.seq++
	e := &entry{
		rec:    record{Schema: recordSchema, Seq: q.seq, Hub: c.Hub, Verb: c.Verb, Command: c, Accepted: now.UTC()},
		digest: d, info: info, bucket: q.plain, lane: l, replies: repliesOf(c),
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
	if !ok || info.Query || info.Fleet != (c.Hub == wire.EUI64{}) && c.Select == nil || info.Fleet && c.Select != nil {
		return info, topic.NewError(topic.CodeUnknownVerb, "there is no verb "+string(c.Verb)+" here", "topic", "see the verbs in the bridge's info")
	}
	if q.cfg.Handlers[c.Verb] == nil {
		return info, topic.NewError(topic.CodeNotSupported, "this gateway does not do "+string(c.Verb), "gateway", "see the verbs in the bridge's info")
	}
	if c.Select != nil && q.cfg.Select == nil {
		return info, topic.NewError(topic.CodeNotSupported, "this gateway takes no commands for many homes", "gateway", "send one to each hub")
	}
	if info.Irreversible && c.Select == nil && q.cfg.Permit != nil {
		if err := q.cfg.Permit(c.Hub, c.Verb); err != nil {
			return info, err
		}
	}
	return infoOf(c), c.DecodeArgs(reflect.New(reflect.TypeOf(info.Args)).Interface())
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
		value, err := e.rec.intent().marshal()
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
	value, err := e.rec.intent().marshal()
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

// accept tells of the commands whose intents are on disk, lets them run if they do not yet, and refuses those whose intents are not.
func (q *Queue) accept(part []*entry, fates map[*entry]topic.Result) {
	for _, e := range part {
		if _, bad := fates[e]; !bad {
			q.sink(Update{Result: topic.NewResult(e.rec.Command, topic.StatusAccepted, e.rec.Accepted), Replies: q.repliesOf(e)})
		}
	}
	var settled []func()
	q.mu.Lock()
	for _, e := range part {
		if fate, bad := fates[e]; bad {
			if e.phase == phaseWriting || e.phase == phaseQueued {
				settled = append(settled, e.settleAll(fate, false))
				e.lane.writing = false
				q.forget(e)
				continue
			}
			// It runs already: its result will be written in the place of its intent.
			e.intent = intentNone
			q.unwritten.count++
			if e.phase == phaseEnding {
				q.toFinish(e)
			}
			continue
		}
		e.intent, e.lane.writing = intentWritten, false
		settled = append(settled, e.settleAll(topic.NewResult(e.rec.Command, topic.StatusAccepted, e.rec.Accepted), true))
		switch e.phase {
		case phaseWriting:
			e.phase = phaseQueued
			q.enqueue(e)
		case phaseEnding:
			q.toFinish(e)
		default:
		}
	}
	q.dispatch()
	q.mu.Unlock()
	for _, f := range settled {
		f()
	}
}

// forget takes out a command that never ran and whose intent could not be written. Lock held.
func (q *Queue) forget(e *entry) {
	delete(q.live, e.rec.Command.ID)
	q.forgetDeadline(e)
	e.phase = phaseEnding // its lane passes over it
	q.release(e)
}

// settleAll returns the call that tells all who wait for the fate of a command. Lock held; the call is made without it. Who
// sent a command that was there already is told so by the caller of Submit, unless the sink does it.
func (e *entry) settleAll(r topic.Result, told bool) func() {
	waiting := e.settlers
	e.settlers = nil
	return func() {
		for _, w := range waiting {
			r := r
			if w.again && !r.Status.Final() {
				r.Duplicate = true
			}
			// The sink told the replies of all that came before; eager callers pass duplicates on themselves, as they always do.
			w.s.settle(w.i, r, told && !(w.again && w.s.eager))
		}
	}
}

func (q *Queue) repliesOf(e *entry) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(e.replies)
}
