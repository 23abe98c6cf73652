package campaign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"smets1/firmware"
	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
)

// Errors that callers decide by.
var (
	// ErrUnknown: there is no such campaign.
	ErrUnknown = errors.New("there is no such campaign")
	// ErrExists: the id is that of another campaign.
	ErrExists = errors.New("there is another campaign of this id: give it another one")
	// ErrState: what was asked does not fit the state of the campaign.
	ErrState = errors.New("that cannot be done to it now")
	// ErrStopping: the manager stops; the command may go on or be given again under the same id.
	ErrStopping = errors.New("the gateway is stopping")
)

// Doer gives commands. The same id means the same command: it is not done twice,
// and its outcome is given again.
type Doer interface {
	// Look tells what is in a home and what runs on it.
	Look(ctx context.Context, id string, hub wire.EUI64) ([]firmware.Installed, error)
	// Upgrade brings a device to a version. The result may be there with an error too.
	Upgrade(ctx context.Context, id string, hub wire.EUI64, device topic.Device, image firmware.Digest, version string) (*topic.FirmwareUpgradeResult, error)
}

// Config says what a Manager works with. Bucket and Doer are needed.
type Config struct {
	// Bucket keeps the campaigns. It should be one that was opened with Sync.
	Bucket store.Bucket
	Doer   Doer
	// Clock stamps and waits. Nil means the machine's.
	Clock clock.Clock
	// Log gets what an operator may want to know. Nil means nothing.
	Log *slog.Logger
}

// Manager runs campaigns. It is safe for concurrent use. One manager at a time works on a bucket.
type Manager struct {
	c      Config
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu        sync.Mutex
	campaigns map[string]*campaign
}

// campaign is a machine that runs.
type campaign struct {
	mu      sync.Mutex // also held over writes, so that disk and machine agree
	m       *machine
	changed chan struct{}
	over    chan struct{} // closed when it has ended
}

// Open opens the campaigns of a bucket and goes on with those that run.
func Open(ctx context.Context, c Config) (*Manager, error) {
	if c.Bucket == nil || c.Doer == nil {
		return nil, errors.New("campaign: Config needs Bucket and Doer")
	}
	if c.Clock == nil {
		c.Clock = clock.Real()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	m := &Manager{c: c, campaigns: map[string]*campaign{}}
	entries, err := c.Bucket.List(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("campaign: open: %w", err)
	}
	states, homes := map[string]State{}, map[string][]Home{}
	for _, e := range entries {
		id, rest, _ := strings.Cut(e.Key, "/")
		if rest == "state" {
			var s State
			if err := json.Unmarshal(e.Value, &s); err != nil {
				return nil, fmt.Errorf("campaign: %s is damaged: %w", e.Key, err)
			}
			states[id] = s
			continue
		}
		var h Home
		if err := json.Unmarshal(e.Value, &h); err != nil {
			return nil, fmt.Errorf("campaign: %s is damaged: %w", e.Key, err)
		}
		homes[id] = append(homes[id], h)
	}
	m.ctx, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for id, s := range states {
		// A campaign that was begun and not written whole has no state, and
		// its homes are written over when it is begun again.
		m.run(s, inOrder(s.Spec.Hubs, homes[id]))
	}
	return m, nil
}

// inOrder puts homes into the order of the specification.
func inOrder(hubs []wire.EUI64, homes []Home) []Home {
	at := make(map[wire.EUI64]int, len(hubs))
	for i, h := range hubs {
		at[h] = i
	}
	slices.SortFunc(homes, func(a, b Home) int { return at[a.Hub] - at[b.Hub] })
	return homes
}

func (m *Manager) run(s State, homes []Home) *campaign {
	c := &campaign{m: newMachine(s, homes), changed: make(chan struct{}, 1), over: make(chan struct{})}
	m.mu.Lock()
	m.campaigns[s.Spec.ID] = c
	m.mu.Unlock()
	m.work.Go(func() { m.drive(c) })
	return c
}

// Close stops: what is at work is left to be gone on with at the next Open.
func (m *Manager) Close() error {
	m.cancel()
	m.work.Wait()
	return nil
}

// Start begins a campaign and returns when it is on disk. The same specification
// again is no error.
func (m *Manager) Start(ctx context.Context, s Spec) (Report, error) {
	if err := s.validate(); err != nil {
		return Report{}, err
	}
	if c, err := m.find(s.ID); err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		a, err1 := json.Marshal(s)
		b, err2 := json.Marshal(c.m.Spec)
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			return Report{}, fmt.Errorf("campaign %s: %w", s.ID, ErrExists)
		}
		return c.m.report(m.c.Clock.Now()), nil
	}
	homes := plant(s)
	state := State{Spec: s, Status: Running, Started: m.c.Clock.Now()}
	for i := 0; i < len(homes); i += store.MaxBatch {
		var ops []store.Op
		for k := range homes[i:min(i+store.MaxBatch, len(homes))] {
			op, err := homeOp(s.ID, &homes[i+k])
			if err != nil {
				return Report{}, err
			}
			ops = append(ops, op)
		}
		if _, err := m.c.Bucket.Batch(ctx, ops); err != nil {
			return Report{}, fmt.Errorf("campaign %s: write its homes: %w", s.ID, err)
		}
	}
	if err := m.saveState(ctx, state); err != nil {
		return Report{}, err
	}
	c := m.run(state, homes)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.report(m.c.Clock.Now()), nil
}

func homeOp(id string, h *Home) (store.Op, error) {
	b, err := json.Marshal(h)
	if err != nil {
		return store.Op{}, fmt.Errorf("campaign %s: home %s: %w", id, h.Hub, err)
	}
	return store.Put(id+"/home/"+h.Hub.String(), b), nil
}

func (m *Manager) saveState(ctx context.Context, s State) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("campaign %s: %w", s.Spec.ID, err)
	}
	if _, err := m.c.Bucket.Put(ctx, s.Spec.ID+"/state", b); err != nil {
		return fmt.Errorf("campaign %s: write its state: %w", s.Spec.ID, err)
	}
	return nil
}

// save writes homes and, if it is not what it was, the state. Lock held.
func (m *Manager) save(ctx context.Context, c *campaign, before State, homes ...int) error {
	var ops []store.Op
	for _, i := range homes {
		op, err := homeOp(c.m.Spec.ID, &c.m.homes[i])
		if err != nil {
			return err
		}
		ops = append(ops, op)
	}
	for len(ops) > 0 {
		n := min(len(ops), store.MaxBatch)
		if _, err := m.c.Bucket.Batch(ctx, ops[:n]); err != nil {
			return fmt.Errorf("campaign %s: write %d homes: %w", c.m.Spec.ID, n, err)
		}
		ops = ops[n:]
	}
	if s := c.m.State; s.Status != before.Status || s.Reason != before.Reason || s.Forgiven != before.Forgiven || !s.Ended.Equal(before.Ended) {
		return m.saveState(ctx, s)
	}
	return nil
}

func (m *Manager) find(id string) (*campaign, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.campaigns[id]
	if c == nil {
		return nil, fmt.Errorf("campaign %.40q: %w", id, ErrUnknown)
	}
	return c, nil
}

// change does something to a campaign and writes it.
func (m *Manager) change(ctx context.Context, id string, f func(*machine) ([]int, error)) (Report, error) {
	c, err := m.find(id)
	if err != nil {
		return Report{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.m.State
	homes, err := f(c.m)
	if err != nil {
		return Report{}, err
	}
	if err := m.save(ctx, c, before, homes...); err != nil {
		return Report{}, err
	}
	c.wake()
	return c.m.report(m.c.Clock.Now()), nil
}

// Pause lets steps at work end and begins no other.
func (m *Manager) Pause(ctx context.Context, id, reason string) (Report, error) {
	return m.change(ctx, id, func(c *machine) ([]int, error) { return nil, c.pause(reason) })
}

// Resume goes on after a pause or a halt.
func (m *Manager) Resume(ctx context.Context, id string) (Report, error) {
	return m.change(ctx, id, func(c *machine) ([]int, error) { return nil, c.resume() })
}

// Abort skips every home that is not at work; those end their step.
func (m *Manager) Abort(ctx context.Context, id, reason string) (Report, error) {
	return m.change(ctx, id, func(c *machine) ([]int, error) { return c.abort(reason, m.c.Clock.Now()) })
}

// Report tells what a campaign has come to.
func (m *Manager) Report(id string) (Report, error) {
	c, err := m.find(id)
	if err != nil {
		return Report{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.report(m.c.Clock.Now()), nil
}

// Reports tells of all campaigns, in the order of their ids.
func (m *Manager) Reports() []Report {
	m.mu.Lock()
	ids := make([]string, 0, len(m.campaigns))
	for id := range m.campaigns {
		ids = append(ids, id)
	}
	m.mu.Unlock()
	slices.Sort(ids)
	all := make([]Report, 0, len(ids))
	for _, id := range ids {
		if r, err := m.Report(id); err == nil {
			all = append(all, r)
		}
	}
	return all
}

// Homes tells of at most n homes of a campaign, from one on, in the order of its specification.
func (m *Manager) Homes(id string, from, n int) ([]Home, error) {
	c, err := m.find(id)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	from = min(max(from, 0), len(c.m.homes))
	var all []Home
	for i := from; i < min(from+n, len(c.m.homes)); i++ {
		all = append(all, c.m.homes[i].clone())
	}
	return all, nil
}

// Wait returns when a campaign has ended.
func (m *Manager) Wait(ctx context.Context, id string) (Report, error) {
	c, err := m.find(id)
	if err != nil {
		return Report{}, err
	}
	select {
	case <-c.over:
		return m.Report(id)
	case <-ctx.Done():
		return Report{}, ctx.Err()
	case <-m.ctx.Done():
		return Report{}, ErrStopping
	}
}

func (c *campaign) wake() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// storeRetry is the wait before writing again what could not be written.
const storeRetry = 10 * time.Second

// drive begins what may begin, until the campaign has ended.
func (m *Manager) drive(c *campaign) {
	c.mu.Lock()
	for i := range c.m.homes {
		if c.m.homes[i].Phase == Working { // before the manager stopped
			m.work.Go(func() { m.home(c, i) })
		}
	}
	c.mu.Unlock()
	for m.ctx.Err() == nil {
		now := m.c.Clock.Now()
		c.mu.Lock()
		before := c.m.State
		c.m.settle(now) // where the manager died between the last home and the end
		if !c.m.Ended.IsZero() {
			unwritten := before.Ended.IsZero()
			c.mu.Unlock()
			if unwritten && m.again(c, nil) != nil {
				return
			}
			close(c.over)
			return
		}
		list := c.m.start(now)
		next := c.m.next(now)
		err := m.save(m.ctx, c, before, list...)
		c.mu.Unlock()
		if err != nil {
			// Nothing was given out yet. The claims stand in the machine
			// and are written with the next change, or made again after
			// a restart.
			m.c.Log.Error("campaign", slog.Any("error", err))
			if m.c.Clock.Sleep(m.ctx, storeRetry) != nil {
				return
			}
			if err := m.again(c, list); err != nil {
				return
			}
		}
		for _, i := range list {
			m.work.Go(func() { m.home(c, i) })
		}
		m.idle(c, next)
	}
}

// again writes until it is written, or the manager stops.
func (m *Manager) again(c *campaign, homes []int) error {
	for {
		c.mu.Lock()
		before := State{} // whatever it was: write it
		err := m.save(m.ctx, c, before, homes...)
		c.mu.Unlock()
		if err == nil {
			return nil
		}
		m.c.Log.Error("campaign", slog.Any("error", err))
		if serr := m.c.Clock.Sleep(m.ctx, storeRetry); serr != nil {
			return serr
		}
	}
}

// idle waits for a change or a time.
func (m *Manager) idle(c *campaign, until time.Time) {
	if until.IsZero() {
		select {
		case <-c.changed:
		case <-m.ctx.Done():
		}
		return
	}
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	woken := make(chan struct{})
	go func() {
		defer close(woken)
		_ = m.c.Clock.Sleep(ctx, until.Sub(m.c.Clock.Now()))
	}()
	select {
	case <-c.changed:
	case <-woken:
	case <-m.ctx.Done():
	}
	cancel()
	<-woken
}

// home does what a home has at work: its plan, or a step.
func (m *Manager) home(c *campaign, i int) {
	c.mu.Lock()
	h := c.m.homes[i].clone()
	spec := &c.m.Spec // does not change
	c.mu.Unlock()
	id := h.command(spec.ID)
	var settle func(now time.Time)
	if !h.Planned {
		plan, err := m.look(id, spec, h.Hub)
		settle = func(now time.Time) { c.m.looked(i, plan, now) }
		if err != nil {
			code, message := explain(err)
			settle = func(now time.Time) { c.m.stumbled(i, nil, code, message, now) }
		}
	} else {
		step := h.Plan[h.Step]
		result, err := m.c.Doer.Upgrade(m.ctx, id, h.Hub, step.Device, step.Image, step.Version)
		e := Evidence{Step: h.Step, Result: result, Image: step.Image, Ended: m.c.Clock.Now()}
		settle = func(now time.Time) { c.m.stepped(i, e, now) }
		if err != nil {
			code, message := explain(err)
			var what *Evidence
			if result != nil {
				what = &e
			}
			settle = func(now time.Time) { c.m.stumbled(i, what, code, message, now) }
		}
	}
	if m.ctx.Err() != nil {
		return // to be gone on with
	}
	c.mu.Lock()
	before := c.m.State
	settle(m.c.Clock.Now())
	err := m.save(m.ctx, c, before, i)
	c.mu.Unlock()
	if err != nil && m.ctx.Err() == nil {
		m.c.Log.Error("campaign", slog.Any("error", err))
		if m.c.Clock.Sleep(m.ctx, storeRetry) == nil {
			_ = m.again(c, []int{i}) // it fails only where the manager stops: then the outcome is asked again
		}
	}
	c.wake()
}

func (m *Manager) look(id string, s *Spec, hub wire.EUI64) ([]Planned, error) {
	home, err := m.c.Doer.Look(m.ctx, id, hub)
	if err != nil {
		return nil, err
	}
	return PlanOf(s, home)
}

// PlanOf is the plan for a home with what is in it.
func PlanOf(s *Spec, home []firmware.Installed) ([]Planned, error) {
	steps, err := firmware.Plan(home, s.goal(), s.Releases)
	if err != nil {
		return nil, topic.Wrap(topic.CodeFirmwareUnknown, err, "plan", "add the releases that lead from what runs there to the goal")
	}
	plan := make([]Planned, 0, len(steps))
	for _, p := range steps {
		plan = append(plan, Planned{topic.Device(p.Device), p.Type.String(), p.From, p.Release.Version, p.Release.Image.SHA256, p.Why})
	}
	return plan, nil
}

// maxMessage bounds what is kept of a failure.
const maxMessage = 300

func explain(err error) (topic.Code, string) {
	code, _ := topic.CodeOf(err)
	text := err.Error()
	if len(text) > maxMessage {
		text = text[:maxMessage]
	}
	return code, strings.ToValidUTF8(text, "")
}
