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
	b, err := s.Bucket(ctx, "clock", store.Options{})
	if err != nil {
		return Clock{}, fmt.Errorf("virtual clock: %w", err)
	}
	const key = "time"
	switch e, err := b.Get(ctx, key); {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return Clock{}, fmt.Errorf("virtual clock: %w", err)
	default:
		if err := json.Unmarshal(e.Value, &start); err != nil {
			return Clock{}, fmt.Errorf("virtual clock: %w", err)
		}
		// Twice what can have passed since the last save.
		start = start.Add(time.Duration(2 * factor * float64(saveEvery)))
	}
	c := Clock{Scaled: clock.NewScaled(start, factor)}
	c.save = func(ctx context.Context) error {
		v, err := json.Marshal(c.Now())
		if err != nil {
			return err
		}
		_, err = b.Put(ctx, key, v)
		return err
	}
	if err := c.save(ctx); err != nil {
		return Clock{}, fmt.Errorf("virtual clock: %w", err)
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

// AdvanceTo moves the time ahead and has it on disk before it returns.
func (c Clock) AdvanceTo(ctx context.Context, t time.Time) error {
	c.Scaled.AdvanceTo(t)
	return c.save(ctx)
}

// Close stops saving.
func (c Clock) Close() { c.stop() }
