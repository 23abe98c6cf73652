package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/lifecycle"
	"smets1/migration/plan"
)

// Gateway carries commands to homes. *Remote is the one that speaks MQTT.
type Gateway interface {
	Call(ctx context.Context, cmd topic.Command, progress func(topic.Progress)) (topic.Result, error)
}

// Config says what to migrate, through what, and how.
type Config struct {
	// Inputs is the folder of the programme's files; see ReadProgramme.
	Inputs string
	// Out is the folder for the documents that the engine writes.
	Out string
	// Specs are the column layouts and codes; nil means the built-in ones.
	Specs *document.Specs
	// Gateway carries the commands.
	Gateway Gateway
	// Store is the engine's memory; it uses the bucket "migration".
	Store store.Store
	// Sole says that nobody else can reach the store, as when its folder is
	// locked: a lease that is found there is a dead engine's, and not waited for.
	Sole bool
	// Hasty does without waiting for the disk: for simulations, whose files need
	// not survive a loss of power.
	Hasty bool
	// Clock is the time of the programme.
	Clock clock.Clock
	// Roles are the parties that exchange files. Nil means that they are drawn
	// from PKI, which must then give the same octets at each start.
	Roles *Roles
	PKI   io.Reader
	// Custody gives the present operator's keys, which the requesting party seals
	// to those who take over. Nil means that the operator hands its keys over in
	// another way: then there is no encrypted file.
	Custody Custody
	// Random is for sealing; nil means the machine's.
	Random io.Reader
	// Endpoint is the head end that migrated hubs are pointed to, host:port.
	// Empty means s1sp.example:4059.
	Endpoint string
	// Concurrency is how many homes are worked on at once; zero means 64.
	Concurrency int
	// Window is how long a step on a home may take before it counts as failed;
	// zero means two hours, the viability window (ours).
	Window time.Duration
	// WakeTimeout is how long a hub is given to wake and answer; zero means ten
	// minutes.
	WakeTimeout time.Duration
	// Calendar has bank holidays, lead times and notice periods; nil means the
	// built-in one.
	Calendar *plan.Calendar
	// Passwords opens the password files of authorisations; nil means that they
	// are plain.
	Passwords document.PasswordCodec
	// Observe is told of progress, from several goroutines; nil means nobody is.
	Observe func(Progress)
	// Log takes what a person may want to know; nil means nothing.
	Log *slog.Logger
}

func (c Config) populate() (Config, error) {
	if c.Gateway == nil || c.Store == nil || c.Clock == nil || c.PKI == nil && c.Roles == nil || c.Inputs == "" || c.Out == "" {
		return c, errors.New("engine: Config needs Gateway, Store, Clock, PKI or Roles, Inputs and Out")
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Specs == nil {
		s, err := document.DefaultSpecs()
		if err != nil {
			return c, fmt.Errorf("engine: %w", err)
		}
		c.Specs = s
	}
	if c.Endpoint == "" {
		c.Endpoint = "s1sp.example:4059"
	}
	if c.Concurrency <= 0 {
		c.Concurrency = 64
	}
	if c.Window <= 0 {
		c.Window = 2 * time.Hour
	}
	if c.WakeTimeout <= 0 {
		c.WakeTimeout = 10 * time.Minute
	}
	if c.Calendar == nil {
		cal, err := plan.DefaultCalendar()
		if err != nil {
			return c, fmt.Errorf("engine: %w", err)
		}
		c.Calendar = cal
	}
	if c.Observe == nil {
		c.Observe = func(Progress) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// Progress tells somebody who watches how far a phase is.
type Progress struct {
	Time  time.Time // of the programme
	Phase string
	Total int // homes in the phase
	Done  int
	Bad   int // of Done, those that failed
	// Home and Note are set when one home has something to tell within the
	// phase; the counts are then zero.
	Home wire.EUI64
	Note string
}

// Engine runs a programme. One engine works on one state at a time.
type Engine struct {
	cfg       Config
	journal   *journal
	inventory inventory // of the data systems
	in        *Programme
	parties   *parties
	homes     map[wire.EUI64]*home
	order     []wire.EUI64

	mu   sync.Mutex // guards run and sets
	run  *run
	sets map[string]*fileSet
}

// Open reads the programme's files and what the journal knows of them. The
// portfolio and the authorisations that a run has read must stay as they were;
// new authorisations may come, and the lists may change from one Open to the
// next.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	cfg, err := cfg.populate()
	if err != nil {
		return nil, err
	}
	b, err := cfg.Store.Bucket(ctx, "migration", store.Options{Sync: true})
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	e := &Engine{cfg: cfg, journal: &journal{bucket: b}, inventory: inventory{b}, homes: map[wire.EUI64]*home{}}
	r, records, sets, err := e.journal.load(ctx)
	if err != nil {
		return nil, err
	}
	answers, err := e.journal.answers(ctx)
	if err != nil {
		return nil, err
	}
	e.in, err = ReadProgramme(Intake{
		Specs: cfg.Specs, Calendar: cfg.Calendar, Passwords: cfg.Passwords,
		Answered: func(name string) []document.ResponseRow { return answers[name] },
	}, cfg.Inputs)
	if err != nil {
		return nil, err
	}
	if r == nil {
		now := cfg.Clock.Now()
		r = &run{ID: "mig-" + now.Format("20060102T150405"), Started: now}
	}
	if err := e.sameInputs(ctx, r); err != nil {
		return nil, err
	}
	e.run, e.sets = r, sets
	for n := range e.in.Portfolio.Installations {
		doc := &e.in.Portfolio.Installations[n]
		rec := records[doc.ID]
		if rec == nil {
			rec = &Record{ID: doc.ID}
		}
		if rec.Failures == nil {
			rec.Failures = map[string]int{}
		}
		e.homes[doc.ID] = &home{Record: rec, base: doc, doc: doc}
		e.order = append(e.order, doc.ID)
	}
	e.asOf(document.DateOf(cfg.Clock.Now()))
	if err := os.MkdirAll(cfg.Out, 0o755); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	if e.parties, err = openParties(ctx, e); err != nil {
		return nil, err
	}
	return e, nil
}

// sameInputs refuses files that changed since the run read them, and keeps the
// digests of those that are new.
func (e *Engine) sameInputs(ctx context.Context, r *run) error {
	for _, name := range slices.Sorted(maps.Keys(r.Inputs)) {
		switch now, ok := e.in.Files[name]; {
		case !ok:
			return fmt.Errorf("engine: %s is missing in %s; run %s, begun on %s, has read it: put it back, or start with a new state", name, e.cfg.Inputs, r.ID, r.Started.Format(time.DateOnly))
		case now != r.Inputs[name]:
			return fmt.Errorf("engine: %s in %s is not as run %s, begun on %s, has read it: put it back, or start with a new state", name, e.cfg.Inputs, r.ID, r.Started.Format(time.DateOnly))
		}
	}
	if r.revision != 0 && len(r.Inputs) == len(e.in.Files) {
		return nil
	}
	r.Inputs = e.in.Files
	return e.journal.saveRun(ctx, r)
}

// Problems is what the programme's files had wrong; their good rows count.
func (e *Engine) Problems() document.Problems { return e.in.Problems }

// Programme is what the files say.
func (e *Engine) Programme() *Programme { return e.in }

// Run takes every installation as far as it goes. It returns nil when nothing
// is left to do without a person; ctx's error when it was stopped, and may
// then be called again, by this process or the next.
func (e *Engine) Run(ctx context.Context) error { return e.RunUntil(ctx, time.Time{}) }

// RunDay does what is due on the day that it is called on, and what an earlier
// day was cut short in. Stopped, it may be called again like Run.
func (e *Engine) RunDay(ctx context.Context) error {
	y, m, d := e.cfg.Clock.Now().UTC().Date()
	return e.RunUntil(ctx, time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC))
}

// RunUntil is Run, but takes up nothing that is due only at a time or after
// it; zero means that there is no such time.
func (e *Engine) RunUntil(ctx context.Context, until time.Time) (err error) {
	ctx, release, err := e.lease(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := e.answer(ctx); err != nil {
		return err
	}
	if err := e.planning(ctx); err != nil {
		return err
	}
	if err := e.note("planning"); err != nil {
		return err
	}
	for {
		if len(e.where(inDay)) > 0 || len(e.openSets(func(*home) bool { return true })) > 0 {
			// A day that was cut short.
			if err := e.wholeDay(ctx); err != nil {
				return err
			}
			continue
		}
		next, ok := e.next()
		if !ok {
			break
		}
		if !until.IsZero() && !next.Before(until) {
			return nil
		}
		if err := e.await(ctx, next); err != nil {
			return err
		}
		e.run.Finished = time.Time{} // there was something left to do after all
		if err := e.begin(ctx); err != nil {
			return err
		}
		if err := e.wholeDay(ctx); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.run.Finished.IsZero() {
		e.run.Finished = e.cfg.Clock.Now()
		return e.journal.saveRun(ctx, e.run)
	}
	return nil
}

// inDay reports whether a state belongs to a day's work, between its begin and
// its close.
func inDay(s lifecycle.State) bool {
	switch s {
	case lifecycle.Candidate, lifecycle.Planned, lifecycle.RetryWait:
		return false
	default:
		return !s.Settled()
	}
}

// where lists the homes whose state f accepts, in the order of the portfolio.
func (e *Engine) where(f func(lifecycle.State) bool) []*home {
	var out []*home
	for _, id := range e.order {
		if h := e.homes[id]; f(h.State()) {
			out = append(out, h)
		}
	}
	return out
}

func is(states ...lifecycle.State) func(lifecycle.State) bool {
	return func(s lifecycle.State) bool { return slices.Contains(states, s) }
}

// next is the earliest time at which something is due.
func (e *Engine) next() (at time.Time, ok bool) {
	for _, h := range e.where(is(lifecycle.Planned, lifecycle.RetryWait)) {
		if !ok || h.Due.Before(at) {
			at, ok = h.Due, true
		}
	}
	return at, ok
}

// await lets time pass until at. A virtual fleet's clock is moved on through
// the gateway, since nothing else happens meanwhile; a real one is waited for.
func (e *Engine) await(ctx context.Context, at time.Time) error {
	now := e.cfg.Clock.Now()
	if !now.Before(at) {
		return nil
	}
	cmd, err := topic.NewCommand(fmt.Sprintf("%s/clock/%d", e.run.ID, at.Unix()), wire.EUI64{}, topic.FleetClock, topic.FleetClockArgs{AdvanceTo: at})
	if err != nil {
		return err
	}
	res, err := e.cfg.Gateway.Call(ctx, cmd, nil)
	if err != nil {
		return err
	}
	if err := res.Err(); err != nil {
		e.cfg.Log.Info("the fleet's clock cannot be advanced: waiting", slog.Time("until", at), slog.Any("reason", err))
	} else if c, ok := e.cfg.Clock.(interface{ AdvanceTo(time.Time) }); ok {
		c.AdvanceTo(at) // the engine's own clock follows the fleet's
	}
	return e.cfg.Clock.Sleep(ctx, at.Sub(e.cfg.Clock.Now()))
}

// each works on homes side by side. A failure of one is its own; an error
// stops all.
func (e *Engine) each(ctx context.Context, phase string, homes []*home, work func(context.Context, *home) (bad bool, err error)) error {
	if len(homes) == 0 {
		return nil
	}
	p := Progress{Phase: phase, Total: len(homes)}
	var mu sync.Mutex
	tell := func(done, bad int) {
		mu.Lock()
		defer mu.Unlock()
		p.Time, p.Done, p.Bad = e.cfg.Clock.Now(), p.Done+done, p.Bad+bad
		e.cfg.Observe(p)
	}
	tell(0, 0)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(e.cfg.Concurrency)
	for _, h := range homes {
		g.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if h.Began.IsZero() {
				h.Began = e.cfg.Clock.Now()
			}
			bad, err := work(ctx, h)
			if err != nil {
				return err
			}
			tell(1, map[bool]int{true: 1}[bad])
			return nil
		})
	}
	return g.Wait()
}

// stepped passes on what one home reports.
func (e *Engine) stepped(h *home, step string, p topic.Progress) {
	note := step
	if p.Step != "" {
		note += ": " + p.Step
	}
	if p.Total > 0 {
		note += fmt.Sprintf(" %d/%d", p.Done, p.Total)
	}
	e.cfg.Observe(Progress{Time: e.cfg.Clock.Now(), Home: h.ID, Note: note})
}

// move takes a home along an edge, in the name of a role.
func (e *Engine) move(ctx context.Context, h *home, edge lifecycle.Edge, m Move) error {
	m.Time = e.cfg.Clock.Now()
	if err := e.journal.move(ctx, h.Record, edge, m); err != nil {
		return err
	}
	e.cfg.Log.Debug("moved", slog.String("home", h.ID.String()), slog.String("edge", edge.String()), slog.String("code", m.Code), slog.String("detail", m.Detail))
	return nil
}
