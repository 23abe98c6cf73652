package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// bench measures something of everything, and says what it measured on.
func TestBench(t *testing.T) {
	args := []string{"bench", "--homes", "3,20", "--clients", "2", "--live", "20", "--budget", "5ms"}
	var r benchReport
	require.NoError(t, json.Unmarshal([]byte(must(t, append(args, "--json")...)), &r))
	require.NotEmpty(t, r.Machine.Go)
	require.Positive(t, r.Machine.Cores)
	require.Len(t, r.Fleets, 2)
	require.Len(t, r.Traffic, 9)
	require.Len(t, r.Days, 3)
	for _, f := range r.Fleets {
		require.Positive(t, f.Start)
		require.Positive(t, f.Plain)
		require.Positive(t, f.Ciphered)
	}
	for _, x := range r.Traffic {
		require.Positive(t, x.Rate, x.What)
		require.Positive(t, x.Echo, x.What)
	}
	require.Positive(t, r.Days[0].HomeDays)
	require.Positive(t, r.Days[2].PerDay)
	require.Greater(t, r.Days[2].PerDay, r.Days[1].PerDay, "displays ask")

	mustNot(t, exitUsage, "bench", "--homes", "0")
	mustNot(t, exitUsage, "bench", "--clients", "0")
}
