package clock

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var start = time.Date(2019, 7, 15, 8, 0, 0, 0, time.UTC)

func TestSteppedFiresInOrder(t *testing.T) {
	c := NewStepped(start)
	a, b := c.NewTimer(2*time.Second), c.NewTimer(time.Second)
	at, ok := c.Next()
	require.True(t, ok)
	require.Equal(t, start.Add(time.Second), at)
	c.Advance(time.Second)
	require.Equal(t, start.Add(time.Second), <-b.C())
	select {
	case <-a.C():
		t.Fatal("fired a second early")
	default:
	}
	require.True(t, a.Stop())
	require.False(t, a.Stop())
	require.False(t, a.Reset(time.Minute))
	c.Advance(time.Hour)
	require.Equal(t, start.Add(61*time.Second), <-a.C())
	_, ok = c.Next()
	require.False(t, ok)
}

func TestResetDropsTheStaleValue(t *testing.T) {
	c := NewStepped(start)
	tm := c.NewTimer(0)
	tm.Reset(time.Second)
	select {
	case <-tm.C():
		t.Fatal("stale value")
	default:
	}
	c.Advance(time.Second)
	require.Equal(t, start.Add(time.Second), <-tm.C())
}

// The machine's clock is synctest's here, so the durations are exact.
func TestScaledRunsFactorTimesFaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewScaled(start, 60)
		began := time.Now()
		require.NoError(t, c.Sleep(t.Context(), time.Hour))
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, start.Add(time.Hour), c.Now())
	})
}

func TestScaledAdvanceWakesSleepers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewScaled(start, 1)
		began := time.Now()
		done := make(chan error)
		go func() { done <- c.Sleep(t.Context(), 24*time.Hour) }()
		synctest.Wait()
		c.AdvanceTo(start.Add(24 * time.Hour))
		require.NoError(t, <-done)
		require.Zero(t, time.Since(began))
		c.AdvanceTo(start)
		c.Advance(-time.Hour)
		require.Equal(t, start.Add(24*time.Hour), c.Now(), "never back")
	})
}

func TestScaledEarlierTimerComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewScaled(start, 2)
		late, early := c.NewTimer(time.Hour), c.NewTimer(time.Minute)
		began := time.Now()
		<-early.C()
		require.Equal(t, 30*time.Second, time.Since(began))
		<-late.C()
		require.Equal(t, 30*time.Minute, time.Since(began))
	})
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]Clock{"real": Real(), "scaled": NewScaled(start, 10), "stepped": NewStepped(start)} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			require.ErrorIs(t, c.Sleep(ctx, time.Hour), context.DeadlineExceeded, name)
			require.ErrorIs(t, c.Sleep(ctx, 0), context.DeadlineExceeded, name)
			cancel()
			require.NoError(t, c.Sleep(t.Context(), -1), name)
		}
	})
}

func TestWithTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]Clock{"real": Real(), "scaled": NewScaled(start, 10)} {
			began := c.Now()
			ctx, cancel := WithTimeout(t.Context(), c, time.Minute)
			<-ctx.Done()
			require.Equal(t, time.Minute, c.Now().Sub(began), name)
			require.ErrorIs(t, context.Cause(ctx), context.DeadlineExceeded, name)
			cancel()
			ctx, cancel = WithTimeout(t.Context(), c, time.Minute)
			cancel()
			<-ctx.Done()
			require.ErrorIs(t, context.Cause(ctx), context.Canceled, name)
		}
	})
}
