package fleet

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever order entries come in, and however pushes and pops take turns, each pop
// gives the earliest of those that are there, and of one instant the lowest home.
func TestQueueGivesTheEarliest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var q dueHeap
	var there []entry
	for range 20_000 {
		if r.IntN(5) < 3 || len(there) == 0 {
			e := entry{at: r.Int64N(500), home: r.IntN(50)}
			first := q.push(e)
			at, _ := slices.BinarySearchFunc(there, e, compareEntries)
			there = slices.Insert(there, at, e)
			require.Equal(t, there[0], q[0])
			if first {
				require.Equal(t, e, there[0])
			}
			continue
		}
		require.Equal(t, there[0], q.pop())
		there = there[1:]
	}
	for _, e := range there {
		require.Equal(t, e, q.pop())
	}
	require.Empty(t, q)
}

func compareEntries(a, b entry) int {
	switch {
	case a.before(b):
		return -1
	case b.before(a):
		return 1
	default:
		return 0
	}
}

func BenchmarkQueue(b *testing.B) {
	const n = 1_000_000
	r := rand.New(rand.NewPCG(1, 2))
	var q dueHeap
	for i := range n {
		q.push(entry{at: r.Int64N(1 << 40), home: i})
	}
	for b.Loop() {
		e := q.pop()
		e.at += r.Int64N(1 << 40)
		q.push(e)
	}
}
