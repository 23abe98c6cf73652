package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// From a scenario to reports, to a trace that stands for the home, and to what differs.
func TestHWTest(t *testing.T) {
	dir := t.TempDir()
	out, trace := filepath.Join(dir, "out"), filepath.Join(dir, "home.trace")
	hwtest := func(args ...string) (text string, code int) {
		stdout, stderr, code := runCommand(t.Context(), "", append([]string{"hwtest"}, args...)...)
		return stdout + stderr, code
	}
	text, code := hwtest("run", "smoke/identity", "--out", out)
	require.Zero(t, code, text)
	require.Contains(t, text, "1 scenarios: 1 passed")
	for _, f := range []string{"report.html", "report.json", "junit.xml", "smoke-identity-0-1.trace"} {
		b, err := os.ReadFile(filepath.Join(out, f))
		require.NoError(t, err)
		require.NotEmpty(t, b)
	}
	b, err := os.ReadFile(filepath.Join(out, "junit.xml"))
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(b, new(struct{})))

	text, code = hwtest("record", "smoke/identity", "-o", trace)
	require.Zero(t, code, text)
	text, code = hwtest("run", "smoke/identity", "--on", "replay:"+trace)
	require.Zero(t, code, text)
	text, code = hwtest("run", "smoke/registers", "--on", "replay:"+trace)
	require.Equal(t, exitFailed, code)
	require.Contains(t, text, `is a recording of scenario "identity", not of registers`)

	report := filepath.Join(out, "report.json")
	text, code = hwtest("compare", report, report)
	require.Zero(t, code, text)
	require.Contains(t, text, "no differences")
}

func TestHWTestRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		`no suite "smok" is shipped: there is conformance`:    {"run", "smok"},
		"want sim, pty, replay:TRACE, bench or bench:NAME":    {"run", "smoke/identity", "--on", "mars"},
		"none.txtar: no such file":                            {"run", "none.txtar"},
		"bench.yaml: no such file or directory (--inventory)": {"run", "smoke/identity", "--on", "bench"},
		"smoke has 3 scenarios: record one":                   {"record", "smoke", "-o", "x"},
		"say where to":                                        {"record", "smoke/identity"},
		"suite smoke has no scenario \"x\"":                   {"show", "smoke/x"},
	} {
		_, stderr, code := runCommand(t.Context(), "", append([]string{"hwtest"}, args...)...)
		require.Equal(t, exitUsage, code, stderr)
		require.Contains(t, stderr, want)
	}
}
