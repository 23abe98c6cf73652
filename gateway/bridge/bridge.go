package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"smets1/gateway/job"
	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
)

// Bridge is a running bridge. Make one with Start.
type Bridge struct {
	cfg    Config
	log    *slog.Logger
	tree   topic.Tree
	bucket store.Bucket
	out    *outbox
	in     *intake
	acks   *acks
	verbs  []topic.Verb
	fleet  []topic.Verb

	stop   context.CancelFunc
	base   context.Context
	loops  sync.WaitGroup
	first  chan struct{} // closed once born for the first time
	reborn chan struct{} // asks for birth, info and states again

	mu      sync.Mutex
	session string
	conn    *connection
	born    bool
	closing bool
	cleared map[string]int // empty messages of our own that will come back to us, by topic
}

// Stats counts what goes through a bridge.
type Stats struct {
	Connected bool
	Session   string
	Waiting   int    // messages for the broker
	Dropped   uint64 // events and telemetry that found no room
}

// Start starts the queue and keeps a connection to the broker from now on, however often it breaks. It does not wait for
// the first: see Ready.
func Start(ctx context.Context, cfg Config) (*Bridge, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	tree, err := topic.NewTree(cfg.Fleet)
	if err != nil {
		return nil, err
	}
	b := &Bridge{
		cfg: cfg, log: cfg.Log, tree: tree, out: newOutbox(cfg.MaxOutbox), in: newIntake(maxIntake), acks: newAcks(),
		first: make(chan struct{}), reborn: make(chan struct{}, 1), cleared: map[string]int{},
	}
	if b.bucket, err = cfg.Store.Bucket(ctx, "bridge", store.Options{}); err != nil {
		return nil, err
	}
	for _, v := range topic.Verbs() {
		able := v.Query || cfg.QueueConfig.Handlers[v.Verb] != nil
		switch {
		case able && v.Fleet:
			b.fleet = append(b.fleet, v.Verb)
		case able:
			b.verbs = append(b.verbs, v.Verb)
		}
	}
	b.base, b.stop = context.WithCancel(context.Background())
	cfg.Queue.Start(b.update)
	b.loops.Go(b.takeIn)
	b.loops.Go(b.acknowledge)
	b.loops.Go(b.stayConnected)
	return b, nil
}

// Ready waits until the node is online for the first time.
func (b *Bridge) Ready(ctx context.Context) error {
	select {
	case <-b.first:
		return nil
	case <-b.base.Done():
		return errors.New("bridge: closed")
	case <-ctx.Done():
		return fmt.Errorf("bridge: no connection to %s yet: %w", b.cfg.Broker, ctx.Err())
	}
}

// Stats counts.
func (b *Bridge) Stats() Stats {
	b.mu.Lock()
	s := Stats{Connected: b.born, Session: b.session}
	b.mu.Unlock()
	s.Waiting, s.Dropped = b.out.len(), b.out.lostCount()
	return s
}

// Close sends what waits, says goodbye and disconnects. ctx bounds the wait.
func (b *Bridge) Close(ctx context.Context) error {
	b.mu.Lock()
	if b.closing {
		b.mu.Unlock()
		return nil
	}
	b.closing = true
	conn := b.conn
	b.mu.Unlock()
	var err error
	if conn != nil {
		err = conn.farewell(ctx)
	}
	b.stop()
	b.loops.Wait()
	return err
}

func (b *Bridge) isClosing() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closing
}

// update is the sink of the queue.
func (b *Bridge) update(u job.Update) {
	if u.Result.Status.Final() {
		b.cfg.Observe(u.Result)
	}
	if len(u.Replies) == 0 {
		if u.Done != 0 {
			b.cfg.Queue.Delivered(u.Done)
		}
		return
	}
	var acked func()
	if u.Done != 0 {
		var mu sync.Mutex
		left := len(u.Replies)
		acked = func() {
			mu.Lock()
			left--
			last := left == 0
			mu.Unlock()
			if last {
				b.cfg.Queue.Delivered(u.Done)
			}
		}
	}
	for _, reply := range u.Replies {
		b.answer(reply, u.Result, acked)
	}
}

// patience is how long word of acceptance waits for a result that would make it needless: most short commands are over sooner, and
// every message saved is one that the broker need not store.
const patience = 25 * time.Millisecond

// answer sends a result to a reply topic.
func (b *Bridge) answer(reply string, r topic.Result, acked func()) {
	payload, err := r.Marshal()
	if err != nil {
		b.log.Error("a result could not be encoded", slog.String("id", r.ID), slog.Any("error", err))
		return
	}
	it := &item{topic: reply, qos: 1, payload: payload, final: r.Status.Final(), acked: acked}
	if !r.Duplicate {
		it.key = reply + " " + r.ID
		if r.Status == topic.StatusAccepted {
			it.notBefore = clock.Real().Now().Add(patience)
		}
	}
	b.out.push(it)
}

// refuse answers what was refused, as well as it can be: see the package comment.
func (b *Bridge) refuse(c topic.Command, err error) {
	r := topic.EndedBy(c, err, b.cfg.Clock.Now())
	b.log.Info("refused", slog.Any("code", r.Code), slog.String("id", c.ID), slog.Any("hub", c.Hub), slog.Any("verb", c.Verb), slog.String("why", r.Message.String()))
	b.answerOrReport(c, r)
}

func (b *Bridge) answerOrReport(c topic.Command, r topic.Result) {
	if !r.Duplicate {
		b.cfg.Observe(r)
	}
	if c.Reply != "" {
		b.answer(c.Reply, r, nil)
		return
	}
	payload, err := r.Marshal()
	if err != nil {
		b.log.Error("a refusal could not be encoded", slog.String("id", r.ID), slog.Any("error", err))
		return
	}
	if c.Hub != (wire.EUI64{}) && b.cfg.Hubs.Known(c.Hub) {
		b.Event(topic.Event{Hub: c.Hub, Class: topic.ClassRefused, Code: string(r.Code), Text: r.Message.String(), Data: payload, Time: r.Time})
		return
	}
	b.out.push(&item{topic: b.tree.BridgeRefused(b.cfg.Node), qos: 1, payload: payload, droppable: true})
}

// Event tells what happened at a hub. It tells whether there was room for it.
func (b *Bridge) Event(e topic.Event) bool {
	b.stamp(&e.Time)
	return b.out.push(&item{topic: b.tree.Event(e.Hub, e.Class), qos: 1, droppable: true, build: func(session string, n uint64) ([]byte, error) {
		e.Schema, e.Session, e.Sequence = topic.Schema, session, n
		return json.Marshal(e)
	}})
}

// Telemetry sends readings, at most once. It tells whether there was room for them.
func (b *Bridge) Telemetry(t topic.Telemetry) bool {
	t.Schema = topic.Schema
	b.stamp(&t.Time)
	payload, err := json.Marshal(t)
	if err != nil {
		b.log.Error("readings could not be encoded", slog.Any("hub", t.Hub), slog.Any("error", err))
		return false
	}
	return b.out.push(&item{topic: b.tree.Telemetry(t.Hub, t.Device), payload: payload, droppable: true})
}

// stamp sets a time that its owner left open.
func (b *Bridge) stamp(t *time.Time) {
	if t.IsZero() {
		*t = b.cfg.Clock.Now()
	}
	*t = t.UTC()
}

// HubChanged says that the state of a hub, or of a device behind it, is no longer what it was. The state is asked of Hubs
// when it is sent, so that what arrives last is what is true; of several changes in quick succession only the last is sent.
func (b *Bridge) HubChanged(hub wire.EUI64) {
	s, ok := b.cfg.Hubs.Hub(hub)
	if !ok {
		b.log.Warn("a hub changed that is not there: say HubGone", slog.Any("hub", hub))
		return
	}
	b.tell(s, b.cfg.Hubs.Len() <= b.cfg.RetainedHubs)
}

// HubGone removes what is retained of a hub, or of devices behind it, that are no longer there.
func (b *Bridge) HubGone(hub wire.EUI64, devices ...topic.Device) {
	b.forget(b.tree.HubState(hub))
	for _, d := range devices {
		b.forget(b.tree.DeviceState(hub, d))
	}
}

func (b *Bridge) forget(at string) { b.out.push(&item{topic: at, qos: 1, retained: true, key: at}) }

// tell puts the states of a hub and of the devices behind it into the outbox.
func (b *Bridge) tell(s Snapshot, retain bool) {
	hub := s.Hub.Hub
	at := b.tree.HubState(hub)
	b.out.push(&item{topic: at, key: at, qos: 1, retained: retain, build: func(session string, n uint64) ([]byte, error) {
		now, ok := b.cfg.Hubs.Hub(hub)
		if !ok {
			return nil, nil
		}
		st := now.Hub
		st.Schema, st.Session, st.Sequence, st.Revision = topic.Schema, session, n, b.cfg.Queue.Revision(hub)
		b.stamp(&st.Time)
		return json.Marshal(st)
	}})
	for _, d := range s.Devices {
		name := d.Device
		at := b.tree.DeviceState(hub, name)
		b.out.push(&item{topic: at, key: at, qos: 1, retained: retain, build: func(session string, n uint64) ([]byte, error) {
			now, _ := b.cfg.Hubs.Hub(hub)
			for _, d := range now.Devices {
				if d.Device == name {
					d.Schema, d.Session, d.Sequence = topic.Schema, session, n
					b.stamp(&d.Time)
					return json.Marshal(d)
				}
			}
			return nil, nil
		}})
	}
}

// nextSession counts connections in the store, so that a session is later than all before it whatever the clock says.
func (b *Bridge) nextSession(ctx context.Context) (string, error) {
	const key = "session"
	for {
		var n uint64
		e, err := b.bucket.Get(ctx, key)
		switch {
		case err == nil:
			if n, err = strconv.ParseUint(string(e.Value), 10, 64); err != nil {
				return "", fmt.Errorf("bridge: the record %q is damaged: %w", key, err)
			}
		case !errors.Is(err, store.ErrNotFound):
			return "", err
		}
		n++
		_, err = b.bucket.CompareAndSet(ctx, key, strconv.AppendUint(nil, n, 10), e.Revision)
		if err == nil {
			return fmt.Sprintf("%016d", n), nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return "", err
		}
	}
}

// Pauses between attempts to connect. They are of the network's time, not of the fleet's.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 15 * time.Second
)

func (b *Bridge) stayConnected() {
	wall := clock.Real()
	pause := firstPause
	for b.base.Err() == nil && !b.isClosing() {
		began := wall.Now()
		err := b.oneConnection()
		if b.base.Err() != nil || b.isClosing() {
			return
		}
		if wall.Now().Sub(began) > longestPause {
			pause = firstPause
		}
		b.log.Warn("no connection to the broker; trying again", slog.Any("broker", b.cfg.Broker), slog.Any("in", pause), slog.Any("error", err))
		if wall.Sleep(b.base, pause) != nil {
			return
		}
		pause = min(2*pause, longestPause)
	}
}
