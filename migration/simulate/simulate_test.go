package simulate

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/migration/document"
	"smets1/migration/report"
)

// Nine weeks of a small programme: every day's account balances (the engine
// stops when it does not), everybody is somewhere, what can happen does happen,
// and the same seed gives the same programme.
func TestProgrammeOfNineWeeks(t *testing.T) {
	rates := DefaultRates
	rates.ChangeOfSupplier = 0.06
	homes, weeks := 60, 9
	if raceDetector {
		homes, weeks = 40, 7
	}
	run := func() *Result {
		var told []Week
		dir := t.TempDir()
		r, err := Run(t.Context(), Config{Dir: dir, Homes: homes, Weeks: weeks, Rates: rates, Seed: 7, Week: func(w Week) { told = append(told, w) }})
		require.NoError(t, err)
		require.Equal(t, r.Weeks, told)
		check(t, dir, r)
		return r
	}
	first := run()
	if !testing.Short() && !raceDetector {
		require.Equal(t, first, run())
	}
}

func check(t *testing.T, dir string, r *Result) {
	t.Helper()
	require.Equal(t, 7*len(r.Weeks), r.Days)
	moved, attempted, allocated := 0, 0, 0
	for n, w := range r.Weeks {
		require.Equal(t, r.Homes, w.Migrated+w.Waiting+w.Person+w.Out+w.Untouched, w.Week)
		if n > 0 {
			require.GreaterOrEqual(t, w.Migrated, r.Weeks[n-1].Migrated)
		}
		moved, attempted, allocated = moved+w.Moved, attempted+w.Attempted, allocated+w.Allocated
	}
	last := r.Weeks[len(r.Weeks)-1]
	require.Positive(t, moved)
	require.Positive(t, allocated)
	require.Greater(t, attempted, last.Migrated, "some were tried again")
	require.Greater(t, last.Migrated, r.Homes/3)
	require.Greater(t, r.Success, 0.5)

	specs, err := document.DefaultSpecs()
	require.NoError(t, err)
	f, err := os.Open(filepath.Join(dir, "input", "portfolio.csv"))
	require.NoError(t, err)
	defer f.Close()
	portfolio, ps := document.ReadPortfolio(specs, "portfolio.csv", f)
	require.Empty(t, ps)
	loaded, err := report.LoadRun(specs, filepath.Join(dir, "out"), portfolio)
	require.NoError(t, err)
	require.Empty(t, loaded.Problems)
	r.Data(&loaded.Data)
	_, err = report.WriteAll(filepath.Join(dir, "reports"), loaded.Data)
	require.NoError(t, err)
	cancelled := 0
	for _, n := range loaded.Data.Notices {
		if n.Cancelled {
			cancelled++
		}
	}
	require.Positive(t, cancelled, "a dormant meter changed supplier after its notice")
	page, err := os.ReadFile(filepath.Join(dir, "reports", "report.html"))
	require.NoError(t, err)
	require.True(t, bytes.Contains(page, []byte("<svg")))
	names, err := filepath.Glob(filepath.Join(dir, "out", "files", "MAR_*"))
	require.NoError(t, err)
	answers := ""
	for _, n := range names {
		b, err := os.ReadFile(n)
		require.NoError(t, err)
		answers += string(b)
	}
	require.True(t, strings.Contains(answers, "Accepted"))
}

func TestTheFirstDayIsAMonday(t *testing.T) {
	_, err := Run(t.Context(), Config{Dir: t.TempDir(), From: document.Date{Year: 2019, Month: 4, Day: 9}})
	require.ErrorContains(t, err, "2019-04-09, is no Monday")
}
