package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/migration/lifecycle"
	"smets1/migration/report"
)

// build makes the command as a user has it.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "smets1")
	out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return bin
}

// demoArgs is a small fleet with every kind of home, and enough virtual seconds
// in a second to be quick and few enough that a key window of two minutes does
// not pass while the machine is busy.
func demoArgs(state, out string) []string {
	return []string{
		"demo", "--input", filepath.Join("..", "..", "testdata", "migration", "demo"), "--state", state, "--out", out,
		"--homes", "14", "--speed", "150", "--dlms-port", "0", "--log", "debug",
	}
}

// A demo that is killed (SIGKILL) again and again, at points that a seed
// chooses among all that it tells of itself, and started again with the same
// folder each time, ends as an undisturbed one does: every home once where its
// kind must, every device under the one key set that the store has in force
// (the demo's own verdict, which is its exit status), no installation
// commissioned twice (the audit trail).
func TestKilledProcessGoesOn(t *testing.T) {
	kills := 16
	if testing.Short() {
		kills = 4
	}
	bin := build(t)
	state, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	rng := rand.New(rand.NewPCG(20190408, 1))
	var last []string
	for n := range kills {
		// Most die at work, some while they start; and then not at the line
		// itself but somewhat after it, where the gateway is.
		point := killPoint{after: 1 + rng.IntN(140), work: rng.IntN(4) > 0, late: time.Duration(rng.IntN(40)) * time.Millisecond}
		where, exited := runUntil(t, bin, demoArgs(state, out), point)
		if exited {
			t.Logf("the run ended before kill %d", n+1)
			break
		}
		last = append(last, where)
	}
	t.Logf("killed at:\n%s", strings.Join(last, "\n"))
	cmd := exec.Command(bin, demoArgs(state, out)...)
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", tail(string(text)))

	trail, err := os.Open(filepath.Join(out, "audit.jsonl"))
	require.NoError(t, err)
	defer trail.Close()
	migrated := map[string]int{}
	_, err = report.VerifyTrail(trail, func(r report.Record) error {
		if r.To == lifecycle.Migrated.String() {
			migrated[r.Installation.String()]++
		}
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, migrated)
	for home, n := range migrated {
		require.Equal(t, 1, n, "%s was commissioned %d times", home, n)
	}
	var outcome struct {
		Rows []map[string]any `json:"rows"`
	}
	b, err := os.ReadFile(filepath.Join(out, "outcome.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &outcome))
	require.Len(t, outcome.Rows, 14)
}

// A killPoint is late after the nth line of the log, counting lines of work
// only or those of the broker's start too.
type killPoint struct {
	after int
	work  bool
	late  time.Duration
}

// runUntil starts the command and kills it; it gives the line that it died
// after, and whether the command ended first.
func runUntil(t *testing.T, bin string, args []string, p killPoint) (where string, exited bool) {
	t.Helper()
	cmd := exec.Command(bin, args...)
	log, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	seen := 0
	var lines []string
	for s := bufio.NewScanner(log); s.Scan(); {
		lines = append(lines, s.Text())
		if p.work && strings.Contains(s.Text(), "nats:") {
			continue
		}
		if seen++; seen == p.after {
			where = s.Text()
			time.AfterFunc(p.late, func() { _ = cmd.Process.Kill() })
		}
	}
	err = cmd.Wait()
	if where == "" {
		require.NoError(t, err, "%s", tail(strings.Join(lines, "\n")))
		return "", true
	}
	return where, false
}

func tail(s string) string {
	const most = 6000
	if len(s) > most {
		return fmt.Sprintf("…%s", s[len(s)-most:])
	}
	return s
}
