package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/migration/report"
)

// runDemo runs the command in this process.
func runDemo(ctx context.Context, args ...string) (stdout string, err error) {
	var out bytes.Buffer
	root := newRootCommand()
	root.SetOut(&out)
	root.SetErr(io.Discard)
	root.SetArgs(append([]string{"demo"}, args...))
	err = root.ExecuteContext(ctx)
	return out.String(), err
}

var demoFolder = filepath.Join("..", "..", "testdata", "migration", "demo")

func TestDemo(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	args := []string{"--input", demoFolder, "--out", out, "--dlms-port", "0", "--homes", "13", "--speed", "150"}
	stdout, err := runDemo(t.Context(), args...)
	require.NoError(t, err, stdout)
	for _, want := range []string{
		"HOME", "PHASE REACHED", "VIRTUAL TIME",
		"ioc-serial", "device testing", "key take-over", "commissioning", "rollback",
		"13 homes in ",
	} {
		require.Contains(t, stdout, want)
	}
	for home, want := range map[string][]string{
		"ioc-no-wan":        {"NotAttempted", "XPC04"},
		"ioc-old-firmware":  {"dormant", "Commissioned", "–"},
		"moc-gas-silent":    {"PartiallyCommissioned", "GT01"},
		"moc-wrong-key":     {"XVB05"},
		"moc-power-cut":     {"Commissioned", "–      2"}, // rolled back, then retried
		"foc-corrupt-image": {"dormant", "NotAttempted", "XFW01"},
		"foc-not-eligible":  {"NotAttempted", "MA110"},
		"foc-gas-silent":    {"Failed", "GT01"},
	} {
		line := lineWith(stdout, home+" ")
		for _, w := range want {
			require.Contains(t, line, w)
		}
	}
	for _, pattern := range []string{
		"outcome.csv", "outcome.json", "audit.jsonl", "R01-*.csv", "R09-*.json", "demo.pcapng", "pki/*.pem", "input/MA_cgI_*", "input/MAPASSWORD_CGI_*",
		"files/MCF_*", "files/MGF_*", "files/MCVF_*", "files/MGVF_*", "files/SVF_*", "files/SCF_*", "files/COF_*", "files/MAR_*", "files/DMFW_*", "files/DMMS_*",
	} {
		names, err := filepath.Glob(filepath.Join(out, filepath.FromSlash(pattern)))
		require.NoError(t, err)
		require.NotEmpty(t, names, pattern)
	}
	csv, err := os.Open(filepath.Join(out, "outcome.csv"))
	require.NoError(t, err)
	defer csv.Close()
	require.NoError(t, report.VerifyCSV(csv))
}

func lineWith(text, start string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, start) {
			return line
		}
	}
	return ""
}

func TestDemoRefuses(t *testing.T) {
	foreign := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(foreign, "thesis.tex"), []byte("x"), 0o600))
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"a folder with somebody's files", []string{"--input", demoFolder, "--out", foreign}, "has files that no demo made: choose another folder by --out"},
		{"no such input", []string{"--input", filepath.Join(foreign, "none")}, "name a folder with fleet.yaml by --input"},
		{"no speed", []string{"--input", demoFolder, "--speed", "0"}, "--speed 0: give a number above 0"},
		{"too few homes", []string{"--input", demoFolder, "--homes", "1"}, "--homes 1: "},
		{"log level", []string{"--log", "loud"}, `--log "loud": use debug, info, warn or error`},
		{"unknown flag", []string{"--homez", "3"}, "see smets1 demo --help"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := runDemo(t.Context(), c.args...)
			require.ErrorContains(t, err, c.want)
			require.ErrorAs(t, err, new(usageError))
		})
	}
	b, err := os.ReadFile(filepath.Join(foreign, "thesis.tex"))
	require.NoError(t, err)
	require.Equal(t, "x", string(b))
}
