package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"smets1/internal/clock"
	"smets1/internal/store"
)

// Clock is the virtual time of a laboratory, which goes on over restarts and
// never goes back: what was last on disk plus a margin is where it begins.
type Clock struct {
	*clock.Scaled
	save func(context.Context) error
	stop func()
}

// saveEvery is how often the time is written, in the machine's time.
const saveEvery = 200 * time.Millisecond

// OpenClock reads the time of a laboratory, or begins at start.
func OpenClock(ctx context.Context, s store.Store, start time.Time, factor float64) (Clock, error) {
	last, err := LastTime(ctx, s, start)
	if err != nil {
		return Clock{}, err
	}
	if !last.Equal(start) {
		// Twice what can have passed since the last save.
		last = last.Add(time.Duration(2 * factor * float64(saveEvery)))
	}
	c := Clock{Scaled: clock.NewScaled(last, factor)}
	b, err := s.Bucket(ctx, "clock", store.Options{})
	if err != nil {
		return Clock{}, fmt.Errorf("virtual clock: %w", err)
	}
	c.save = func(ctx context.Context) error { return putTime(ctx, b, c.Now()) }
	if err := c.save(ctx); err != nil {
		return Clock{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		for clock.Real().Sleep(ctx, saveEvery) == nil {
			_ = c.save(ctx) // the next one makes up for it; the store tells its own troubles
		}
	})
	c.stop = func() {
		cancel()
		running.Wait()
	}
	return c, nil
}

const timeKey = "time"

// LastTime is the virtual time that was last written down; start if none was.
func LastTime(ctx context.Context, s store.Store, start time.Time) (time.Time, error) {
	b, err := s.Bucket(ctx, "clock", store.Options{})
	if err != nil {
		return start, fmt.Errorf("virtual clock: %w", err)
	}
	e, err := b.Get(ctx, timeKey)
	if errors.Is(err, store.ErrNotFound) {
		return start, nil
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &start)
	}
	if err != nil {
		return start, fmt.Errorf("virtual clock: %w", err)
	}
	return start, nil
}

// SetTime writes the virtual time down.
func SetTime(ctx context.Context, s store.Store, t time.Time) error {
	b, err := s.Bucket(ctx, "clock", store.Options{})
	if err != nil {
		return fmt.Errorf("virtual clock: %w", err)
	}
	return putTime(ctx, b, t)
}

func putTime(ctx context.Context, b store.Bucket, t time.Time) error {
	v, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("virtual clock: %w", err)
	}
	if _, err := b.Put(ctx, timeKey, v); err != nil {
		return fmt.Errorf("virtual clock: %w", err)
	}
	return nil
}

// AdvanceTo moves the time ahead and has it on disk before it returns.
func (c Clock) AdvanceTo(ctx context.Context, t time.Time) error {
	c.Scaled.AdvanceTo(t)
	return c.save(ctx)
}

// Close stops saving.
func (c Clock) Close() { c.stop() }
