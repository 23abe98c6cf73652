package air

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is under way goes on later, as it would have gone on.
func TestSkip(t *testing.T) {
	for steps := range 4 {
		a := New(Config{Seed: 1})
		x, y := open(a, 1, 1), open(a, 1, 2)
		require.NoError(t, x.port.Transmit(start, data(1, 2, 1, 7, 20), 3))
		for range steps {
			a.Advance(a.Deadline())
		}
		was := len(y.at)
		a.Skip(48 * time.Hour)
		run(a, start.Add(49*time.Hour))
		require.Len(t, y.received, 1)
		require.Len(t, x.sent, 1)
		require.Contains(t, x.sent[0], "<nil>")
		if was == 0 {
			require.InDelta(t, 48*3600, y.at[0].Sub(start).Seconds(), 1)
		}
	}
}
