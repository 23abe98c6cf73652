package air

import (
	"hash/fnv"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/transport/radio"
)

// chatter is an air of three stations of which two send whenever they may, with a hash of all that was on it.
type chatter struct {
	*Air
	hash uint64
}

func newChatter(t testing.TB, seed uint64) *chatter {
	c := &chatter{Air: New(Config{Seed: seed, Loss: 100_000, Interference: Interference{Share: 20_000}})}
	h := fnv.New64a()
	c.Tap(func(f radio.Frame) {
		h.Write([]byte(f.Start.Sub(start).String()))
		h.Write(f.PSDU)
		c.hash = h.Sum64()
	})
	open(c.Air, 1, 0)
	for i := range uint16(2) {
		s := open(c.Air, 1, i+1)
		n := byte(0)
		s.then = func(now time.Time) {
			if n++; n < 8 {
				require.NoError(t, s.port.Transmit(now, data(1, 0, i+1, n, 40), 3))
			}
		}
		s.then(start)
	}
	return c
}

// Thousands of airs advance side by side, on as many cores as there are, with no goroutine of their own, and each has the
// same frames to the nanosecond as if it were alone.
func TestThousandsOfAirs(t *testing.T) {
	const n, workers = 2000, 4
	alone := make([]uint64, n)
	for i := range alone {
		c := newChatter(t, uint64(i))
		run(c.Air, start.Add(time.Minute))
		alone[i] = c.hash
	}
	require.NotEqual(t, alone[0], alone[1])
	goroutines := runtime.NumGoroutine()
	all := make([]*chatter, n)
	for i := range all {
		all[i] = newChatter(t, uint64(i))
	}
	require.Equal(t, goroutines, runtime.NumGoroutine(), "an air has no goroutine")
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for now := start; now.Before(start.Add(2 * time.Second)); now = now.Add(20 * time.Millisecond) {
				for i := w; i < n; i += workers {
					run(all[i].Air, now)
				}
			}
			for i := w; i < n; i += workers {
				run(all[i].Air, start.Add(time.Minute))
			}
		})
	}
	wait.Wait()
	for i := range all {
		require.Equal(t, alone[i], all[i].hash, i)
		require.True(t, all[i].Deadline().IsZero(), "an air at rest wants nothing")
	}
}
