package job

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"smets1/gateway/topic"
	"smets1/internal/store"
	"smets1/internal/wire"
)

// Reasons why the context of a handler ends.
var (
	errStopping = errors.New("job: the gateway is stopping")
	errCancel   = errors.New("job: the command was cancelled")
	errDeadline = errors.New("job: the deadline of the command passed")
)

// ErrUnknown tells that no command has the id.
var ErrUnknown = errors.New("job: no command has this id, or its result has expired")

// Update is news of a command.
type Update struct {
	Result topic.Result
	// Replies are the topics that wait for it.
	Replies []string
	// Done numbers final results; hand it to Queue.Delivered once the broker has the result. Zero for others.
	Done uint64
}

// Stats counts what is in a queue.
type Stats struct {
	Queued  int // accepted and not running
	Running int
	Kept    int // results
}

// Queue runs commands. Make one with Open.
type Queue struct {
	cfg   Config
	log   *slog.Logger
	plain store.Bucket
	sync  store.Bucket

	// entrance is held by whoever hands commands to the intake; shut says that nobody may any more.
	entrance    sync.RWMutex
	shut        bool
	submissions chan *submission
	kicks       chan struct{} // the housekeeper is to look again
	stopped     chan struct{} // closed when Close has waited for handlers
	scribed     chan struct{} // closed when no more intents will be written
	taking      sync.Mutex    // held while commands are taken in: one group after the other
	base        context.Context
	fanOuts     chan struct{}      // commands for many homes that run
	halt        context.CancelFunc // ends what Close does not wait for any longer
	entry       sync.WaitGroup     // the intake
	loops       sync.WaitGroup
	workers     sync.WaitGroup

	mu        sync.Mutex
	sink      func(Update)
	started   bool
	stopping  bool
	live      map[string]*entry
	kept      map[string]kept
	expiries  []expiry
	hubs      map[wire.EUI64]*lane
	ready     []*lane
	revisions map[wire.EUI64]uint64
	seq       uint64
	done      uint64
	running   int
	finishers [2]*finisher                // of plain and of sync
	doubts    map[string]uint64           // results that wait for a person, by the number of their ending
	resolved  map[string]topic.Resolution // what persons said
	shares    map[uint64]int              // how many results are still kept of a shared record
	unwritten unwritten
	deadlines deadlineHeap
	delivery  delivery
	backlog   []Update // results that were not delivered before the restart
}

// entry is a command that has not ended.
type entry struct {
	rec        record
	digest     digest
	info       topic.VerbInfo
	bucket     store.Bucket
	lane       *lane
	phase      phase
	intent     intent
	share      uint64 // the shared record that its result is in; zero if it has one of its own
	hurry      bool   // somebody waits for the intent to be written
	settlers   []settler
	replies    []string
	resumed    bool
	ran        bool // the handler was called, in this life of the process or the one before
	dispatched bool // it made its lane busy
	deadlineAt int  // 1 + its place in Queue.deadlines; 0 when it is not there
	last       *topic.Progress
	cancel     context.CancelCauseFunc
	waiters    []chan topic.Result
	check      *Checkpoint
}

type phase uint8

const (
	phaseWriting phase = iota // its intent is on its way to the disk
	phaseQueued
	phaseRunning
	phaseEnding // its result is on its way to the disk
)

// intent tells where the intent of a command is.
type intent uint8

const (
	intentNone    intent = iota // nowhere: whoever offered the command still has it
	intentWriting               // on its way to the disk
	intentWritten               // on disk
)

// lane is the queue of one hub, or of the fleet.
type lane struct {
	items []*entry
	// writing: the intent of one that came last is on its way to the disk.
	writing bool
	busy    bool // a command of it runs, or its result is on its way to the disk
	ready   bool // it stands in Queue.ready
	count   int  // commands that have not ended
}

// kept is what memory holds of a command that ended; the rest is on disk.
type kept struct {
	digest digest
	sync   bool
	share  uint64 // number of the shared record; zero for a record of its own
}

type expiry struct {
	id string
	at time.Time
}

// Open reads what is on disk. Nothing runs before Start.
func Open(ctx context.Context, cfg Config) (*Queue, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	q := &Queue{
		cfg: cfg, log: cfg.Log,
		submissions: make(chan *submission, 64), kicks: make(chan struct{}, 1), stopped: make(chan struct{}), scribed: make(chan struct{}), fanOuts: make(chan struct{}, maxMany),
		live: map[string]*entry{}, kept: map[string]kept{}, hubs: map[wire.EUI64]*lane{}, revisions: map[wire.EUI64]uint64{},
	}
	q.delivery.above, q.unwritten.more = map[uint64]struct{}{}, make(chan struct{}, 1)
	if q.plain, err = cfg.Store.Bucket(ctx, "jobs", store.Options{}); err != nil {
		return nil, err
	}
	if q.sync, err = cfg.Store.Bucket(ctx, "jobs-sync", store.Options{Sync: true}); err != nil {
		return nil, err
	}
	q.shares, q.doubts, q.resolved = map[uint64]int{}, map[string]uint64{}, map[string]topic.Resolution{}
	for i, b := range []store.Bucket{q.plain, q.sync} {
		q.finishers[i] = &finisher{bucket: b, more: make(chan struct{}, 1)}
	}
	if err := q.load(ctx); err != nil {
		return nil, err
	}
	q.base, q.halt = context.WithCancel(context.Background())
	return q, nil
}

func (q *Queue) load(ctx context.Context) error {
	var open []*entry
	var results []record
	for _, b := range []store.Bucket{q.plain, q.sync} {
		jobs, err := b.List(ctx, jobPrefix)
		if err != nil {
			return err
		}
		for _, e := range jobs {
			r, err := parseRecord(e.Key, e.Value)
			if err != nil {
				return err
			}
			q.seq, q.done = max(q.seq, r.Seq), max(q.done, r.Done)
			if r.Result != nil {
				results = append(results, r)
				continue
			}
			open = append(open, q.resumed(r, b))
		}
		if err := q.loadRevisions(ctx, b); err != nil {
			return err
		}
	}
	if err := q.loadDelivered(ctx); err != nil {
		return err
	}
	slices.SortFunc(open, func(a, b *entry) int { return cmp.Compare(a.rec.Seq, b.rec.Seq) })
	for _, e := range open {
		q.live[e.rec.Command.ID] = e
		q.enqueue(e)
	}
	if err := q.removeOrphans(ctx); err != nil {
		return err
	}
	if err := q.loadResolved(ctx); err != nil {
		return err
	}
	shared, err := q.loadShared(ctx)
	if err != nil {
		return err
	}
	results = append(results, shared...)
	slices.SortFunc(results, func(a, b record) int { return cmp.Compare(a.Done, b.Done) })
	done := make(map[uint64]bool, len(results))
	for _, r := range results {
		done[r.Done] = true
		q.keep(r, digestOf(r.Command), r.share)
		if r.Done > q.delivery.upTo {
			q.backlog = append(q.backlog, Update{Result: *r.Result, Replies: repliesOf(r.Command), Done: r.Done})
		}
	}
	// Numbers whose results were not written before the process died belong to nobody.
	for n := q.delivery.upTo + 1; n <= q.done; n++ {
		if !done[n] {
			q.delivery.above[n] = struct{}{}
		}
	}
	return nil
}

// removeOrphans removes checkpoints of commands that ended just before the process did.
func (q *Queue) removeOrphans(ctx context.Context) error {
	for _, b := range []store.Bucket{q.plain, q.sync} {
		entries, err := b.List(ctx, checkpointPrefix)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if _, open := q.live[strings.TrimPrefix(e.Key, checkpointPrefix)]; open {
				continue
			}
			if err := b.Delete(ctx, e.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

func (q *Queue) resumed(r record, b store.Bucket) *entry {
	return &entry{
		rec: r, digest: digestOf(r.Command), info: infoOf(r.Command), bucket: b, phase: phaseQueued, intent: intentWritten,
		replies: repliesOf(r.Command), resumed: true, ran: r.Started,
		check: &Checkpoint{bucket: b, key: checkpointKey(r.Command.ID)},
	}
}

func repliesOf(c topic.Command) []string {
	if c.Reply == "" {
		return nil
	}
	return []string{c.Reply}
}

func (q *Queue) loadRevisions(ctx context.Context, b store.Bucket) error {
	entries, err := b.List(ctx, revisionPrefix)
	if err != nil {
		return err
	}
	for _, e := range entries {
		hub, err := wire.ParseEUI64(strings.TrimPrefix(e.Key, revisionPrefix))
		if err != nil {
			return fmt.Errorf("job: the record %q is damaged: %w", e.Key, err)
		}
		n, err := strconv.ParseUint(string(e.Value), 10, 64)
		if err != nil {
			return fmt.Errorf("job: the record %q is damaged: %w", e.Key, err)
		}
		q.revisions[hub] = max(q.revisions[hub], n)
	}
	return nil
}

// Start begins to run commands, those left open first, and tells sink about each from now on, beginning with the results
// that may not have been delivered before the restart. The sink must not block; calls come from several goroutines, those
// about one command in order.
func (q *Queue) Start(sink func(Update)) {
	if sink == nil {
		sink = func(Update) {}
	}
	q.mu.Lock()
	q.started, q.sink = true, sink
	backlog := q.backlog
	q.backlog = nil
	q.mu.Unlock()
	for _, u := range backlog {
		sink(u)
	}
	q.entry.Go(q.intake)
	q.loops.Go(q.scribe)
	for _, f := range q.finishers {
		q.loops.Go(func() { q.finish(f) })
	}
	q.loops.Go(q.housekeeper)
	q.mu.Lock()
	q.dispatch()
	q.mu.Unlock()
}

// Close stops: nothing more is accepted, handlers that run have their contexts ended, and what they still
// finish is stored. Commands that do not end are run again after the next Open. ctx bounds the wait for handlers.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	if q.stopping {
		q.mu.Unlock()
		return nil
	}
	q.stopping = true
	started := q.started
	for _, e := range q.live {
		if e.cancel != nil {
			e.cancel(errStopping)
		}
	}
	q.mu.Unlock()
	defer q.halt()
	q.entrance.Lock()
	q.shut = true
	q.entrance.Unlock()
	close(q.submissions)
	if !started {
		for s := range q.submissions {
			q.refuseAll(s, errStopping)
		}
		close(q.stopped)
		return nil
	}
	if err := q.wait(ctx, &q.entry, "commands could not be taken in in time; they were not acknowledged"); err != nil {
		close(q.stopped)
		return err
	}
	err := q.wait(ctx, &q.workers, "handlers did not stop in time; their commands will be resumed")
	close(q.stopped)
	if err == nil {
		err = q.wait(ctx, &q.loops, "results could not be stored in time; their commands will be resumed")
	}
	if err != nil {
		return err
	}
	return q.flushDelivered(ctx)
}

// wait waits for the group, and on the end of ctx makes whoever waits for the disk give up.
func (q *Queue) wait(ctx context.Context, group *sync.WaitGroup, late string) error {
	over := make(chan struct{})
	go func() { group.Wait(); close(over) }()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		q.halt()
		return fmt.Errorf("job: %s: %w", late, ctx.Err())
	}
}

// Stats counts.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Stats{Queued: len(q.live) - q.running, Running: q.running, Kept: len(q.kept)}
}

// Revision is the number that Command.Expect is compared with: it grows with each command that may have changed the hub.
func (q *Queue) Revision(hub wire.EUI64) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.revisions[hub]
}

// Result returns the stored result of a command that ended, or word of how far it is; ErrUnknown if there is none.
func (q *Queue) Result(ctx context.Context, id string) (topic.Result, error) {
	q.mu.Lock()
	if e, ok := q.live[id]; ok {
		defer q.mu.Unlock()
		return q.state(e), nil
	}
	k, ok := q.kept[id]
	q.mu.Unlock()
	if !ok {
		return topic.Result{}, ErrUnknown
	}
	return q.stored(ctx, id, k)
}

func (q *Queue) stored(ctx context.Context, id string, k kept) (topic.Result, error) {
	r, err := q.read(ctx, id, k)
	if err != nil {
		return topic.Result{}, err
	}
	if r.Result == nil {
		return topic.Result{}, ErrUnknown
	}
	return *r.Result, nil
}

func (q *Queue) read(ctx context.Context, id string, k kept) (record, error) {
	b, key := q.plain, jobKey(id)
	switch {
	case k.share != 0:
		key = sharedKey(k.share)
	case k.sync:
		b = q.sync
	}
	e, err := b.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return record{}, ErrUnknown
	}
	if err != nil {
		return record{}, err
	}
	if k.share == 0 {
		return parseRecord(e.Key, e.Value)
	}
	all, err := parseShared(e.Key, e.Value)
	if err != nil {
		return record{}, err
	}
	for _, r := range all {
		if r.Command.ID == id {
			return r, nil
		}
	}
	return record{}, ErrUnknown
}

// state tells how far an open command is. Lock held.
func (q *Queue) state(e *entry) topic.Result {
	r := topic.NewResult(e.rec.Command, topic.StatusAccepted, e.rec.Accepted)
	if e.phase == phaseRunning || e.phase == phaseEnding {
		r.Status = topic.StatusRunning
		r.Progress = e.last
	}
	return r
}

// Wait returns the final result of a command.
func (q *Queue) Wait(ctx context.Context, id string) (topic.Result, error) {
	q.mu.Lock()
	e, ok := q.live[id]
	if !ok {
		q.mu.Unlock()
		return q.Result(ctx, id)
	}
	c := make(chan topic.Result, 1)
	e.waiters = append(e.waiters, c)
	q.mu.Unlock()
	select {
	case r := <-c:
		return r, nil
	case <-q.stopped:
		return topic.Result{}, errStopping
	case <-ctx.Done():
		return topic.Result{}, ctx.Err()
	}
}

// Cancel asks a command to stop: one that waits ends as cancelled, one that runs has its context ended and ends as its
// handler decides. ErrUnknown tells that it is not open.
func (q *Queue) Cancel(id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, ok := q.live[id]
	if !ok {
		return ErrUnknown
	}
	switch e.phase {
	case phaseQueued:
		q.end(e, topic.EndedBy(e.rec.Command, topic.NewError(topic.CodeCancelled, "cancelled before it started", "queue", ""), q.cfg.Clock.Now()))
	case phaseRunning:
		if e.cancel != nil {
			e.cancel(errCancel)
		}
	}
	return nil
}

// marshalResult encodes the result of a handler, bounded.
func marshalResult(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(b) > MaxResult {
		return nil, topic.NewError(topic.CodeResultTooBig, fmt.Sprintf("the result has %d bytes, more than the %d that can be sent", len(b), MaxResult), "gateway", "ask for less at once")
	}
	return b, nil
}

// MaxResult is how many bytes of JSON the result of a verb may have.
const MaxResult = 512 << 10
