package lifecycle

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page in docs is the one that the table makes.
func TestProcessFlowIsNotStale(t *testing.T) {
	b, err := os.ReadFile("../../docs/process-flow.md")
	require.NoError(t, err)
	require.Equal(t, Page(), string(b), "run go generate ./migration/lifecycle")
}

func TestFlowchart(t *testing.T) {
	active, dormant := Flowchart(ActiveLane), Flowchart(DormantLane)
	require.Contains(t, active, "Planned --> Authorised")
	require.NotContains(t, active, "Notified")
	require.Contains(t, dormant, "Planned --> Notified")
	require.NotContains(t, dormant, "Authorised")
	require.Contains(t, active, "Quiesced -.-> ViabilityFailed")
	require.Contains(t, active, "Commissioning --> Migrated")
	require.Contains(t, active, "Migrated([Migrated])")
	edges, drawn := 0, 0
	for e := range Edges() {
		edges++
		for _, f := range []string{active, dormant} {
			if strings.Contains(f, "  "+e.From().String()+" --> "+e.To().String()+"\n") || strings.Contains(f, "  "+e.From().String()+" -.-> "+e.To().String()+"\n") {
				drawn++
				break
			}
		}
	}
	require.Equal(t, edges, drawn, "every edge is in one of the two lanes")
	for s := range states {
		require.Contains(t, active+dormant, "    "+s.String(), "every state has its box")
	}
	for _, p := range phases() {
		require.Contains(t, active, "subgraph "+ident(p))
	}
}
