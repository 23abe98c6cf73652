package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"smets1/gateway/audit"
	"smets1/gateway/topic"
	"smets1/internal/store"
	"smets1/internal/wire"
)

// enqueue puts a command into its hub's lane. Lock held.
func (q *Queue) enqueue(e *entry) {
	if e.lane == nil { // loaded
		e.lane = q.laneFor(e.rec.Command)
		e.lane.count++
	}
	e.lane.insert(e)
	if d := e.rec.Command.Deadline; !d.IsZero() && !e.ran {
		q.noteDeadline(e)
	}
	q.stand(e.lane)
}

// insert puts a command behind all of its own or a higher priority.
func (l *lane) insert(e *entry) {
	at := len(l.items)
	for at > 0 && l.items[at-1].rec.Command.Priority < e.rec.Command.Priority {
		at--
	}
	l.items = slices.Insert(l.items, at, e)
}

// stand puts a lane that has work and is not busy at the end of the ready line. Lock held.
func (q *Queue) stand(l *lane) {
	for len(l.items) > 0 && l.items[0].phase != phaseQueued {
		l.items[0] = nil
		l.items = l.items[1:]
	}
	if l.busy || l.ready || len(l.items) == 0 {
		return
	}
	l.ready = true
	q.ready = append(q.ready, l)
}

// dispatch starts what may start. Lock held.
func (q *Queue) dispatch() {
	for q.started && !q.stopping && q.running < q.cfg.Concurrency && len(q.ready) > 0 {
		l := q.ready[0]
		q.ready[0] = nil
		q.ready = q.ready[1:]
		l.ready = false
		if len(l.items) == 0 || l.items[0].phase != phaseQueued {
			q.stand(l)
			continue
		}
		e := l.items[0]
		l.items[0] = nil
		l.items = l.items[1:]
		l.busy = true
		e.phase, e.dispatched = phaseRunning, true
		q.forgetDeadline(e)
		q.running++
		q.workers.Go(func() { q.work(e) })
	}
}

// release takes a command off its lane's count, and forgets an empty lane. Lock held.
func (q *Queue) release(e *entry) {
	e.lane.count--
	if e.lane.count == 0 && !e.lane.busy && q.hubs[e.rec.Hub] == e.lane {
		delete(q.hubs, e.rec.Hub)
	}
}

// work runs one command.
func (q *Queue) work(e *entry) {
	res, open := q.outcome(e)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	e.cancel = nil
	if open {
		return // to be resumed after the restart; its lane stays busy
	}
	q.end(e, res)
	q.dispatch()
}

// outcome calls the handler if the command may still start. It reports open when the queue stops before the end.
func (q *Queue) outcome(e *entry) (res topic.Result, open bool) {
	c := e.rec.Command
	if err := q.mayStart(e); err != nil {
		return topic.EndedBy(c, err, q.cfg.Clock.Now()), false
	}
	if e.info.Irreversible && !e.rec.Started {
		e.rec.Started = true
		if err := q.writeStart(e); err != nil {
			e.rec.Started = false
			if q.isStopping() {
				return res, true
			}
			return topic.EndedBy(c, err, q.cfg.Clock.Now()), false
		}
	}
	if e.audited() {
		// Who did what stands before what was done.
		if err := q.cfg.Audit.Append(audit.Of(audit.Begun, c, q.cfg.Clock.Now()), e.info.Irreversible); err != nil {
			return topic.EndedBy(c, topic.Wrap(topic.CodeStorage, err, "audit, before anything was sent to the device", "free the disk, then send a new command"), q.cfg.Clock.Now()), false
		}
	}
	ctx, cancel := context.WithCancelCause(q.base)
	defer cancel(nil)
	q.mu.Lock()
	e.ran, e.cancel = true, cancel
	if q.stopping {
		cancel(errStopping)
	}
	q.mu.Unlock()
	if !c.Deadline.IsZero() && !e.info.Irreversible {
		go q.cutAt(ctx, cancel, c.Deadline)
	}
	v, err := q.call(ctx, e)
	if err != nil && errors.Is(context.Cause(ctx), errStopping) || err != nil && q.base.Err() != nil {
		return res, true
	}
	err = because(ctx, err)
	raw, encErr := marshalResult(v)
	if encErr != nil && err == nil {
		err = encErr
	}
	res = topic.EndedBy(c, err, q.cfg.Clock.Now())
	res.Result = raw
	return res, false
}

// audited tells whether a command may change a home, or many.
func (e *entry) audited() bool {
	return e.info.Mutates || e.rec.Command.Select != nil || e.rec.Verb == topic.FleetCampaign
}

// because gives an error that follows from the end of the context the code of its cause. In doubt stays in doubt.
func because(ctx context.Context, err error) error {
	if code, _ := topic.CodeOf(err); err == nil || code == topic.CodeInDoubt {
		return err
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errDeadline):
		return topic.Wrap(topic.CodeTimeout, err, "gateway, at the deadline of the command", "send a new command with a later deadline")
	case errors.Is(cause, errCancel):
		return topic.Wrap(topic.CodeCancelled, err, "gateway", "")
	}
	return err
}

func (q *Queue) isStopping() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stopping
}

func (q *Queue) mayStart(e *entry) error {
	c := e.rec.Command
	if e.rec.Started {
		return nil // it must be seen through, whatever the time
	}
	if !c.Deadline.IsZero() && !q.cfg.Clock.Now().Before(c.Deadline) {
		return expired(c)
	}
	if c.Expect == nil || e.resumed && !e.info.Irreversible {
		return nil
	}
	if have := q.Revision(c.Hub); have != *c.Expect {
		return topic.NewError(topic.CodeStale, fmt.Sprintf("the hub is at revision %d, not %d", have, *c.Expect), "hub "+c.Hub.String(), "look at its state again, then decide")
	}
	return nil
}

func (q *Queue) writeStart(e *entry) error {
	value, err := e.rec.marshal()
	if err == nil {
		_, err = e.bucket.Put(q.base, jobKey(e.rec.Command.ID), value)
	}
	if err != nil {
		return topic.Wrap(topic.CodeStorage, err, "store, before anything was sent to the device", "free the disk, then send a new command")
	}
	return nil
}

// cutAt ends the context at the deadline.
func (q *Queue) cutAt(ctx context.Context, cancel context.CancelCauseFunc, at time.Time) {
	t := q.cfg.Clock.NewTimer(at.Sub(q.cfg.Clock.Now()))
	defer t.Stop()
	select {
	case <-t.C():
		cancel(errDeadline)
	case <-ctx.Done():
	}
}

func (q *Queue) call(ctx context.Context, e *entry) (v any, err error) {
	c := e.rec.Command
	defer func() {
		if p := recover(); p != nil {
			q.log.Error("a handler panicked", slog.String("id", c.ID), slog.String("verb", string(c.Verb)), slog.String("hub", c.Hub.String()),
				slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			code := topic.CodeInternal
			if e.info.Irreversible {
				code = topic.CodeInDoubt
			}
			v, err = nil, topic.NewError(code, "the handler broke down", "gateway, verb "+string(c.Verb), "report it with the log of the gateway")
		}
	}()
	h := q.cfg.Handlers[c.Verb]
	if h == nil { // the command was left by a version that had one
		code := topic.CodeNotSupported
		if e.rec.Started {
			code = topic.CodeInDoubt
		}
		return nil, topic.NewError(code, "this gateway does not do "+string(c.Verb), "gateway", "run the version that accepted the command")
	}
	t := &Task{Command: c, Resumed: e.resumed, Accepted: e.rec.Accepted, Checkpoint: e.check}
	t.progress = func(p topic.Progress) { q.report(e, p) }
	if c.Select != nil && q.cfg.Select != nil {
		return q.many(ctx, t)
	}
	return h.Handle(ctx, t)
}

func (q *Queue) report(e *entry, p topic.Progress) {
	q.mu.Lock()
	if e.phase != phaseRunning {
		q.mu.Unlock()
		return
	}
	e.last = &p
	if e.intent != intentWritten { // nobody was told yet that it was accepted
		q.mu.Unlock()
		return
	}
	r := topic.NewResult(e.rec.Command, topic.StatusRunning, q.cfg.Clock.Now())
	r.Progress = &p
	replies := slices.Clone(e.replies)
	q.mu.Unlock()
	q.sink(Update{Result: r, Replies: replies})
}

// end hands the result to the finisher. Lock held.
func (q *Queue) end(e *entry, r topic.Result) {
	e.phase = phaseEnding
	q.forgetDeadline(e)
	e.rec.Result = &r
	if e.intent != intentWriting { // the result must not be written before the intent, under the same key
		q.toFinish(e)
	}
}

// toFinish puts an ended command before the finisher of its bucket. Lock held.
func (q *Queue) toFinish(e *entry) {
	if e.intent == intentNone {
		q.unwritten.count-- // the result takes its place
	}
	f := q.finishers[0]
	if e.bucket == q.sync {
		f = q.finishers[1]
	}
	f.ended = append(f.ended, e)
	signal(f.more)
}

// Most commands whose results are written at once.
const maxFinish = 250

// finisher writes the results of one bucket, many at once, then tells of them and lets their hubs go on. There is one for
// each bucket, so that what need not be synced does not wait for what must.
type finisher struct {
	bucket store.Bucket
	ended  []*entry
	more   chan struct{} // has something in ended
}

func (q *Queue) finish(f *finisher) {
	for {
		select {
		case <-f.more:
			q.finishAll(f)
		case <-q.scribed:
			// Workers and scribe are over by now, or given up: what they left is the last.
			q.finishAll(f)
			return
		}
	}
}

func (q *Queue) finishAll(f *finisher) {
	for {
		q.mu.Lock()
		n := min(len(f.ended), maxFinish)
		part := f.ended[:n:n]
		f.ended = f.ended[n:]
		for _, e := range part {
			q.number(e)
		}
		q.mu.Unlock()
		if n == 0 || !q.writeResults(f.bucket, part) {
			return
		}
		q.tell(part)
	}
}

// number gives the result its place in the order of endings, and the hub its new revision. Lock held.
func (q *Queue) number(e *entry) {
	q.done++
	e.rec.Done = q.done
	hub := e.rec.Hub
	if e.info.Mutates && e.ran && e.rec.Result.Status != topic.StatusRejected {
		q.revisions[hub]++
	}
	e.rec.Result.Revision = q.revisions[hub]
}

// writeResults does not give up before the queue is halted: a result that is known must not be lost. Checkpoints go only
// when the results are safe.
func (q *Queue) writeResults(b store.Bucket, part []*entry) bool {
	results, checkpoints := q.resultOps(part)
	return q.writeAll(b, results) && q.writeAll(b, checkpoints)
}

func (q *Queue) writeAll(b store.Bucket, ops []store.Op) bool {
	for pause := 50 * time.Millisecond; len(ops) > 0; pause = min(2*pause, 5*time.Second) {
		errs := b.Pipeline(q.base, ops)
		if errs == nil {
			return true
		}
		q.log.Error("results could not be stored; trying again", slog.Int("records", len(ops)), slog.Any("error", errors.Join(errs...)))
		if q.cfg.Clock.Sleep(q.base, pause) != nil {
			return false
		}
	}
	return true
}

// resultOps returns the writes of results and revisions, and the removals of checkpoints. A revision stands before its
// result, so that a crash between the two skips a number and never repeats one. The results of commands whose intents were never
// written share records.
func (q *Queue) resultOps(part []*entry) (results, checkpoints []store.Op) {
	revised := map[wire.EUI64]bool{}
	var shared sharedRecord
	for _, e := range part {
		value, err := e.rec.marshal()
		if err != nil || len(value) > store.MaxValue {
			e.rec.Result.Result = nil
			e.rec.Result.Message = topic.Message{What: "the result could not be stored and was dropped", Where: "gateway", Do: "ask for less at once"}
			value, _ = e.rec.marshal()
		}
		if hub := e.rec.Hub; e.info.Mutates && e.ran && !revised[hub] {
			revised[hub] = true
			results = append(results, store.Put(revisionKey(hub), strconv.AppendUint(nil, q.Revision(hub), 10)))
		}
		if e.check.written() {
			checkpoints = append(checkpoints, store.Delete(e.check.key))
		}
		if e.intent == intentNone && e.rec.Result.Status != topic.StatusInDoubt && shared.fits(value) {
			e.share = shared.add(e.rec.Done, value)
			continue
		}
		results = append(results, store.Put(jobKey(e.rec.Command.ID), value))
	}
	return append(results, shared.op()...), checkpoints
}

func (q *Queue) tell(part []*entry) {
	updates := make([]Update, len(part))
	settled := make([]func(), len(part))
	q.mu.Lock()
	for i, e := range part {
		id := e.rec.Command.ID
		updates[i] = Update{Result: *e.rec.Result, Replies: e.replies, Done: e.rec.Done}
		delete(q.live, id)
		q.keep(e.rec, e.digest, e.share)
		e.intent = intentWritten
		settled[i] = e.settleAll(updates[i].Result, true)
		for _, w := range e.waiters {
			w <- *e.rec.Result
		}
		if e.dispatched {
			e.lane.busy = false
		}
		q.stand(e.lane)
		q.release(e)
	}
	q.dispatch()
	q.mu.Unlock()
	for i, u := range updates {
		if e := part[i]; e.audited() && e.ran {
			if err := q.cfg.Audit.Append(audit.OfResult(e.rec.Command, u.Result), e.info.Irreversible); err != nil {
				q.log.Error("the end of a command is not in the audit", slog.String("id", u.Result.ID), slog.Any("error", err))
			}
		}
		q.sink(u)
		settled[i]()
	}
}
