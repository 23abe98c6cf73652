package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"smets1/internal/clock"
	"smets1/internal/store"
)

// A lease says who works on a state, so that two engines cannot run one day
// twice, on one machine or on two that share a store. It is in the machine's
// time: the programme's leaps over days.
type lease struct {
	Holder string    `json:"holder"`
	Until  time.Time `json:"until"`
}

const (
	leaseKey = "lease"
	// leaseTerm is how long a dead engine keeps others out; it is renewed three
	// times as often.
	leaseTerm = 15 * time.Second
)

// ErrLeased is what an engine meets (wrapped) that is started beside another.
var ErrLeased = errors.New("another engine runs on this state")

// lease takes the state. The context that it gives ends when the lease is lost;
// release gives the lease back.
func (e *Engine) lease(ctx context.Context) (held context.Context, release func() error, err error) {
	me := lease{Holder: rand.Text()}
	revision, err := e.journal.takeLease(ctx, me, e.cfg.Sole)
	if err != nil {
		return nil, nil, err
	}
	held, lost := context.WithCancelCause(ctx)
	stop := make(chan struct{})
	var renewing sync.WaitGroup
	renewing.Go(func() {
		t := clock.Real().NewTimer(leaseTerm / 3)
		defer t.Stop()
		for {
			select {
			case <-stop:
				return
			case <-t.C():
			}
			next, err := e.journal.putLease(context.WithoutCancel(ctx), me, revision)
			if err != nil {
				lost(err)
				return
			}
			revision = next
			t.Reset(leaseTerm / 3)
		}
	})
	return held, func() error {
		close(stop)
		renewing.Wait()
		defer lost(nil)
		if err := context.Cause(held); errors.Is(err, ErrTwoEngines) {
			return nil // the run ended with this error
		}
		// Given back by letting it lapse: whoever comes next takes it at once.
		_, err := e.journal.putLeaseUntil(context.WithoutCancel(ctx), me, time.Time{}, revision)
		if errors.Is(err, ErrTwoEngines) || errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}, nil
}

// takeLease takes a lease that is free or has lapsed, or any if its holder
// cannot be alive.
func (j *journal) takeLease(ctx context.Context, me lease, sole bool) (uint64, error) {
	for {
		var revision uint64
		entry, err := j.bucket.Get(ctx, leaseKey)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return 0, fmt.Errorf("engine: lease: %w", err)
		default:
			var was lease
			if err := json.Unmarshal(entry.Value, &was); err != nil {
				return 0, fmt.Errorf("engine: lease: %w", err)
			}
			if wait := was.Until.Sub(clock.Real().Now()); wait > 0 && !sole {
				return 0, &LeasedError{Wait: wait}
			}
			revision = entry.Revision
		}
		next, err := j.putLease(ctx, me, revision)
		if errors.Is(err, ErrTwoEngines) {
			continue // somebody was faster; see whether it holds
		}
		return next, err
	}
}

// A LeasedError tells that another engine holds the state, and for how long if
// it does not renew its lease.
type LeasedError struct{ Wait time.Duration }

func (e *LeasedError) Error() string {
	return fmt.Sprintf("engine: %v: stop it, or, if it has died, try again in %s", ErrLeased, e.Wait.Round(time.Second))
}

// Unwrap gives ErrLeased.
func (e *LeasedError) Unwrap() error { return ErrLeased }

func (j *journal) putLease(ctx context.Context, me lease, revision uint64) (uint64, error) {
	return j.putLeaseUntil(ctx, me, clock.Real().Now().Add(leaseTerm), revision)
}

func (j *journal) putLeaseUntil(ctx context.Context, me lease, until time.Time, revision uint64) (uint64, error) {
	me.Until = until
	b, err := json.Marshal(me)
	if err != nil {
		return 0, fmt.Errorf("engine: lease: %w", err)
	}
	next, err := j.bucket.CompareAndSet(ctx, leaseKey, b, revision)
	switch {
	case errors.Is(err, store.ErrConflict):
		return 0, fmt.Errorf("%w (record %s)", ErrTwoEngines, leaseKey)
	case err != nil:
		return 0, fmt.Errorf("engine: lease: %w", err)
	}
	return next, nil
}
