package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/cmd/internal/lab"
	"smets1/device/core"
	"smets1/gateway/job"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
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
func demoArgs(state, out string, homes int) []string {
	return []string{
		"demo", "--input", filepath.Join("..", "..", "testdata", "migration", "demo"), "--state", state, "--out", out,
		"--homes", strconv.Itoa(homes), "--speed", "150", "--dlms-port", "0", "--log", "debug",
	}
}

// A demo that is killed (SIGKILL) again and again, at points that a seed
// chooses among all that it tells of itself, and started again with the same
// folder each time, ends as an undisturbed one does: every home once where its
// kind must, every device under the one key set that the store has in force
// (the demo's own verdict, which is its exit status), no installation
// commissioned twice (the audit trail), no image activated twice (the devices'
// own security logs), and no command left that was acknowledged and has no result.
//
// A test run has 14 homes and 16 kills; SMETS1_KILL_HOMES=500 SMETS1_KILLS=200 is
// the same under load.
func TestKilledProcessGoesOn(t *testing.T) {
	kills, homes, lines := setting(t, "SMETS1_KILLS", 16), setting(t, "SMETS1_KILL_HOMES", 14), 140
	if testing.Short() {
		kills = 4
	}
	lines *= max(1, homes/100)
	bin := build(t)
	state, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	rng := rand.New(rand.NewPCG(20190408, 1))
	var last []string
	for n := range kills {
		// Most die at work, some while they start; and then not at the line
		// itself but somewhat after it, where the gateway is.
		point := killPoint{after: 1 + rng.IntN(lines), work: rng.IntN(4) > 0, late: time.Duration(rng.IntN(40)) * time.Millisecond}
		where, exited := runUntil(t, bin, demoArgs(state, out, homes), point)
		if exited {
			t.Logf("the run ended before kill %d", n+1)
			break
		}
		last = append(last, where)
	}
	t.Logf("killed at:\n%s", strings.Join(last, "\n"))
	cmd := exec.Command(bin, demoArgs(state, out, homes)...)
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
	require.Len(t, outcome.Rows, homes)
	activations, devices := activated(t, state)
	t.Logf("%d kills, %d homes, %d commissioned; %d images activated on %d devices", len(last), homes, len(migrated), activations, devices)
}

// setting is a number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	v, ok := os.LookupEnv(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	require.NoError(t, err, name)
	return n
}

// activated counts in the security logs of the devices how often a new image
// confirmed itself, and holds the queue's records against what it acknowledged.
func activated(t *testing.T, state string) (activations, devices int) {
	t.Helper()
	st, err := lab.OpenState(t.Context(), state, lab.Root{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	b, err := st.Store.Bucket(t.Context(), "fleet", store.Options{})
	require.NoError(t, err)
	records, err := b.List(t.Context(), "")
	require.NoError(t, err)
	for _, r := range records {
		if _, err := wire.ParseEUI64(r.Key); err != nil {
			continue // a block of an image
		}
		devices++
		n := 0
		require.NoError(t, core.ParseRecord(r.Value, func(s core.Section, body *wire.Reader) bool {
			for s == core.SectionSecurity && body.Err() == nil && body.Len() > 0 {
				body.U64() // when
				if core.Event(body.U16()) == core.EventFirmwareActivated {
					n++
				}
			}
			body.Rest()
			return true
		}))
		require.LessOrEqual(t, n, 1, "%s: a new image was activated %d times", r.Key, n)
		activations += n
	}
	q, err := job.Open(t.Context(), job.Config{Store: st.Store, Clock: clock.Real()})
	require.NoError(t, err)
	require.Zero(t, q.Stats().Queued, "commands that were acknowledged and have no result")
	return activations, devices
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
