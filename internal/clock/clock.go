// Package clock makes time a parameter. Everything in this module that waits
// or stamps takes a Clock; only this package, the commands and tests may ask
// the operating system for the time.
//
// There are three clocks. Real is the machine's. A Scaled clock starts where
// it is told and runs a number of times faster, and can be advanced by hand
// over times in which nothing happens; a laboratory of virtual homes runs on
// it. A Stepped clock stands still until a test moves it.
package clock

import (
	"context"
	"time"
)

// A Clock tells the time and waits.
type Clock interface {
	// Now is the present time of this clock, in UTC.
	Now() time.Time
	// Sleep waits for d on this clock, or until ctx is done, whose error it
	// then returns. A d of zero or less returns at once.
	Sleep(ctx context.Context, d time.Duration) error
	// NewTimer starts a timer that fires once, d from now.
	NewTimer(d time.Duration) Timer
}

// A Timer is like a time.Timer, without its C field so that other clocks can
// make one. As since Go 1.23, no stale value is received after Stop or Reset.
type Timer interface {
	C() <-chan time.Time
	// Stop reports whether it stopped the timer before it fired.
	Stop() bool
	// Reset starts it anew; it reports whether it had been running.
	Reset(d time.Duration) bool
}

// Real is the machine's clock.
func Real() Clock { return realClock{} }

type realClock struct{}

func (realClock) Now() time.Time { return time.Now().UTC() }

func (realClock) Sleep(ctx context.Context, d time.Duration) error {
	return sleep(ctx, realClock{}, d)
}

func (realClock) NewTimer(d time.Duration) Timer { return realTimer{time.NewTimer(d)} }

type realTimer struct{ *time.Timer }

func (t realTimer) C() <-chan time.Time { return t.Timer.C }

func sleep(ctx context.Context, c Clock, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WithTimeout is context.WithTimeout on c: the context ends d from now on that
// clock, with context.DeadlineExceeded as its cause.
func WithTimeout(ctx context.Context, c Clock, d time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := c.(realClock); ok {
		return context.WithTimeout(ctx, d)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	t := c.NewTimer(d)
	go func() {
		defer t.Stop()
		select {
		case <-t.C():
			cancel(context.DeadlineExceeded)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}
