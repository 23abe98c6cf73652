package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"smets1/cmd/internal/lab"
	"smets1/device/fleet"
	"smets1/device/profile"
	"smets1/internal/clock"
)

// serving is a fleet that runs, with its clock and its memory. A snapshot puts another
// in its place.
type serving struct {
	o      *serveOptions
	m      *fleet.Manifest
	factor float64 // of the time; 0 when it does not go by itself
	log    *slog.Logger
	ctx    context.Context // of what runs
	done   <-chan struct{} // Ctrl-C
	state  *lab.State      // nil: in memory

	mu    sync.RWMutex // of what follows: held while it is exchanged
	fleet *fleet.Fleet
	clock clock.Clock
	save  func(context.Context, time.Time) error // of the time of a clock that is stepped
	stop  func()                                 // ends what runs beside the fleet
}

// open starts the homes: as a snapshot has them, or as they were left.
func (s *serving) open(snap *fleet.Snapshot) error {
	fo := fleet.Options{Listen: s.o.addresses, Port: s.o.port, Gateway: s.o.gateway, HeadEnd: s.o.headEnd, PTYDir: s.o.pty, Paced: s.o.pace, Live: s.o.live, Logger: s.log, Snapshot: snap}
	if s.o.port == 0 {
		fo.Port = -1
	}
	ctx, cancel := context.WithCancel(s.ctx)
	var running sync.WaitGroup
	s.stop = func() {
		cancel()
		running.Wait()
	}
	if err := s.time(ctx, snap, &fo); err != nil {
		return err
	}
	if s.state != nil {
		nv, err := lab.NV(s.ctx, s.state.Store)
		if err != nil {
			return err
		}
		fo.NV = nv
	}
	var err error
	if s.fleet, err = fleet.Open(s.ctx, s.m, fo); err != nil {
		return err
	}
	f, c := s.fleet, s.clock
	switch {
	case s.o.speed == "max":
		running.Go(func() { s.race(ctx, f, c) })
	case s.factor > 0 || s.o.clock == "machine":
		if s.o.awake && s.m.Len() <= mostAwake {
			running.Go(func() { keepAwake(ctx, f, c) })
		}
	}
	return nil
}

// time gives the homes their clock.
func (s *serving) time(ctx context.Context, snap *fleet.Snapshot, fo *fleet.Options) error {
	start := s.m.StartTime()
	s.save = func(context.Context, time.Time) error { return nil }
	if snap != nil {
		start = snap.Time
		if s.state != nil {
			if err := lab.SetTime(s.ctx, s.state.Store, start); err != nil {
				return err
			}
		}
	}
	switch {
	case s.o.clock == "machine":
		s.clock = clock.Real()
	case s.factor == 0:
		if s.state != nil {
			var err error
			if start, err = lab.LastTime(s.ctx, s.state.Store, start); err != nil {
				return err
			}
			s.save = func(ctx context.Context, t time.Time) error { return lab.SetTime(ctx, s.state.Store, t) }
		}
		s.clock, fo.ByHand = clock.NewStepped(start), true
	case s.state != nil:
		c, err := lab.OpenClock(ctx, s.state.Store, start, s.factor)
		if err != nil {
			return err
		}
		stop := s.stop
		s.stop = func() {
			stop()
			c.Close()
		}
		s.clock = c
	default:
		s.clock = clock.NewScaled(start, s.factor)
	}
	fo.Clock = s.clock
	return nil
}

// close ends what runs.
func (s *serving) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.closeFleet()
	if s.state != nil {
		err = errors.Join(err, s.state.Close())
	}
	return err
}

func (s *serving) closeFleet() error {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
	if s.fleet == nil {
		return nil
	}
	err := s.fleet.Close()
	s.fleet = nil
	return err
}

// exchange has the homes go on from a snapshot.
func (s *serving) exchange(snap *fleet.Snapshot) error {
	if s.o.clock == "machine" {
		return errors.New("the time of these homes is the machine's, and a snapshot has another")
	}
	if err := snap.Fits(s.m); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fleet == nil {
		return errors.New("the homes are closing")
	}
	return errors.Join(s.closeFleet(), s.open(snap))
}

// stride is how far the time is moved at once, and written down before.
const stride = 10 * time.Minute

// run moves a clock that is stepped. The time is on disk before anything happens in it:
// after a kill it goes on from there, never back.
func (s *serving) run(ctx context.Context, f *fleet.Fleet, c clock.Clock, until time.Time) error {
	for now := c.Now(); now.Before(until); now = c.Now() {
		to := now.Add(stride)
		if next, ok := f.Next(); !ok {
			to = until
		} else if next.After(to) {
			to = next
		}
		if to.After(until) {
			to = until
		}
		if err := s.save(ctx, to); err != nil {
			return err
		}
		if err := f.Run(ctx, to); err != nil {
			return err
		}
	}
	return nil
}

// race moves the time as fast as the machine can. While nothing is due it stands still
// for those who want to say something; a time to stop at is gone to at once.
func (s *serving) race(ctx context.Context, f *fleet.Fleet, c clock.Clock) {
	end := time.Time{}
	if s.o.until > 0 {
		end = c.Now().Add(s.o.until)
	}
	began := clock.Real().Now()
	for ctx.Err() == nil {
		until := end
		if end.IsZero() {
			next, ok := f.Next()
			if !ok {
				_ = clock.Real().Sleep(ctx, time.Millisecond)
				continue
			}
			until = next.Add(time.Second)
		}
		if err := s.run(ctx, f, c, until); err != nil {
			if ctx.Err() == nil {
				s.log.Error("the time stops", slog.Any("error", err))
			}
			return
		}
		if !end.IsZero() {
			s.log.Warn("the time stops, as --for says", slog.Any("time", c.Now()), slog.Any("took", clock.Real().Now().Sub(began).Round(time.Millisecond)))
			return
		}
	}
}

func (s *serving) status() controlStatus {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := controlStatus{Fleet: s.m.Name, Time: s.clock.Now(), Clock: s.o.speed, Counts: s.fleet.Counts()}
	if s.o.clock != "manifest" {
		st.Clock = s.o.clock
	}
	if a := s.fleet.GatewayAddr(); a != nil {
		st.Gateway = a.String()
	}
	return st
}

func (s *serving) home(name string) (controlHome, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st, err := s.fleet.Status(name)
	if err != nil {
		return controlHome{}, err
	}
	e, err := s.fleet.Entry(st.Devices[0].EUI)
	if !s.o.addresses && strings.HasPrefix(e.Address, "tcp:") {
		e.Address = ""
	}
	return controlHome{Entry: e, Status: st, Time: s.clock.Now()}, err
}

// wake sends the messages that a hub needs, and tells how many.
func (s *serving) wake(ctx context.Context, name string) (int, error) {
	h, err := s.home(name)
	if err != nil {
		return 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := profile.Wake(h.Entry.WakeUp).Messages()
	for range n {
		if err := s.fleet.SMS(ctx, h.Entry.MSISDN); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func (s *serving) step(ctx context.Context, step controlStep) (controlStatus, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.o.clock != "step" {
		return controlStatus{}, errors.New("the time of these homes goes by itself: serve them with --clock step")
	}
	until := step.Until
	if step.For != "" {
		d, err := time.ParseDuration(step.For)
		if err != nil || d <= 0 {
			return controlStatus{}, fmt.Errorf("%q is no duration above 0", step.For)
		}
		until = s.clock.Now().Add(d)
	}
	if until.Before(s.clock.Now()) {
		return controlStatus{}, fmt.Errorf("it is %s already: time does not go back, but smets1 fleet load does", s.clock.Now().Format(time.RFC3339))
	}
	if err := s.run(ctx, s.fleet, s.clock, until); err != nil {
		return controlStatus{}, err
	}
	return controlStatus{Fleet: s.m.Name, Time: s.clock.Now(), Clock: s.o.clock, Counts: s.fleet.Counts()}, nil
}

// mostAwake is up to how many homes are kept awake: a home that is looked at exists,
// and there may be a million of which few are wanted.
const mostAwake = 1000

// keepAwake sends text messages to the hubs that sleep, until ctx is done.
func keepAwake(ctx context.Context, f *fleet.Fleet, c clock.Clock) {
	for {
		for e := range f.Inventory() {
			n := profile.Wake(e.WakeUp).Messages()
			if n == 0 {
				continue
			}
			st, err := f.Status(e.Name)
			if err != nil || st.Awake {
				continue
			}
			for range n {
				_ = f.SMS(ctx, e.MSISDN) // the next round makes up for it
			}
		}
		if c.Sleep(ctx, time.Minute) != nil {
			return
		}
	}
}
