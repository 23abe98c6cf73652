package lifecycle

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamesRoundTrip(t *testing.T) {
	for s := State(0); s < states; s++ {
		require.NotEmpty(t, names[s])
		b, err := json.Marshal(s)
		require.NoError(t, err)
		var back State
		require.NoError(t, json.Unmarshal(b, &back))
		require.Equal(t, s, back)
	}
	_, err := ParseState("Commissioned")
	require.ErrorContains(t, err, `"Commissioned" is not a state`)
	require.Equal(t, "State(200)", State(200).String())
}

// From every state, every edge that does not leave it is refused and moves
// nothing.
func TestIllegalEdgesAreRefused(t *testing.T) {
	for s := State(0); s < states; s++ {
		for e := range Edges() {
			m := Machine{at: s}
			err := m.Take(e)
			if e.From() == s {
				require.NoError(t, err)
				require.Equal(t, e.To(), m.State())
				continue
			}
			var illegal *IllegalMoveError
			require.ErrorAs(t, err, &illegal, "%v from %v", e, s)
			require.Equal(t, s, m.State())
		}
	}
	m := Machine{}
	require.Error(t, m.Take(Edge{}))
}

func TestTable(t *testing.T) {
	type pair struct{ from, to State }
	seen := map[pair]bool{}
	out, in := map[State]int{}, map[State]int{}
	for e := range Edges() {
		p := pair{e.From(), e.To()}
		require.False(t, seen[p], "%v stands twice", e)
		seen[p] = true
		out[e.From()]++
		in[e.To()]++
		got, ok := Between(e.From(), e.To())
		require.True(t, ok)
		require.Equal(t, e, got)
	}
	for s := State(0); s < states; s++ {
		require.Positive(t, in[s]+b2i(s == Candidate), "%v cannot be reached", s)
		require.Positive(t, out[s]+b2i(s == Migrated), "%v cannot be left", s)
	}
	require.Zero(t, out[Migrated], "Migrated is the end")
	_, ok := Between(Candidate, Migrated)
	require.False(t, ok)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// However a life goes: it is Migrated only through keys taken under files
// that were validated, and what was held is never left without either being
// migrated, rolled back or given to a person.
func TestRandomLives(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var edges []Edge
	for e := range Edges() {
		edges = append(edges, e)
	}
	for range 2000 {
		var m Machine
		last := map[State]int{}
		for step := 1; step < 200 && m.State() != Migrated; step++ {
			before := m.State()
			if m.Take(edges[rng.IntN(len(edges))]) != nil {
				require.Equal(t, before, m.State())
				continue
			}
			last[m.State()] = step
			if before.Held() && !m.State().Held() {
				require.Contains(t, []State{Migrated, RolledBack, Planned}, m.State())
				if m.State() == Planned {
					require.Equal(t, ManualIntervention, before, "only a person takes a held home out of order")
				}
			}
			if m.State() == Migrated {
				require.Less(t, last[Validated], last[Quiesced])
				require.Less(t, last[Quiesced], last[Viable])
				require.Less(t, last[Viable], last[KeysTaken])
				require.Less(t, last[KeysTaken], last[Commissioning])
			}
		}
	}
}

func TestPhasesFollowTheMainLine(t *testing.T) {
	line := []State{Candidate, Planned, Authorised, Ready, FilesIssued, Validated, Quiesced, Viable, KeysTaken, Commissioning, Migrated}
	for i := 1; i < len(line); i++ {
		require.GreaterOrEqual(t, line[i].Phase(), line[i-1].Phase())
	}
	require.Equal(t, "close-out", Migrated.Phase().String())
}
