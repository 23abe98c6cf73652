package rig

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/hwtest/report"
	"smets1/hwtest/scenario"
	"smets1/hwtest/suites"
)

func shipped(t *testing.T, f func(t *testing.T, s *scenario.Scenario)) {
	for _, suite := range suites.Names() {
		list, err := suites.Load(suite)
		require.NoError(t, err)
		for _, s := range list {
			t.Run(s.Path, func(t *testing.T) {
				t.Parallel()
				f(t, s)
			})
		}
	}
}

func conforms(s *scenario.Scenario) bool {
	for _, st := range s.Steps {
		if st.Conform != "" {
			return true
		}
	}
	return false
}

func run(t *testing.T, s *scenario.Scenario, o scenario.Options, make func() (*Rig, error)) report.Result {
	t.Helper()
	r, err := make()
	require.NoError(t, err)
	o.Machine = time.Now
	got := s.Run(t.Context(), r, o)
	require.NoError(t, r.Close())
	return got
}

func passes(t *testing.T, got report.Result) {
	t.Helper()
	require.Equal(t, report.Passed, got.Outcome, "%s\n%s", got.Reason, got.Steps[len(got.Steps)-1].Console)
}

// Every shipped scenario passes on a home in memory, and again on the trace that was made of it; a trace with one other
// byte fails, and says where.
func TestShipped(t *testing.T) {
	shipped(t, func(t *testing.T, s *scenario.Scenario) {
		if s.Fleet != nil && bytes.Contains(s.Fleet, []byte("link: hdlc")) {
			return // its home is reached by a cable: TestShippedOnPTY
		}
		var recorded bytes.Buffer
		passes(t, run(t, s, scenario.Options{}, func() (*Rig, error) { return Sim(t.Context(), s, Options{Record: &recorded}) }))
		if conforms(s) || strings.Contains(s.Path, "clock") {
			return // what sets clocks or opens lines of its own is not repeated
		}
		path := filepath.Join(t.TempDir(), "home.trace")
		require.NoError(t, os.WriteFile(path, recorded.Bytes(), 0o600))
		play := func() (*Rig, error) { return Replay(t.Context(), s, path, Options{}) }
		passes(t, run(t, s, scenario.Options{}, play))

		lines := strings.Split(recorded.String(), "\n")
		sent := 0
		for i, l := range lines {
			if f := strings.Fields(l); len(f) > 8 && f[1] == ">" {
				sent = i
			}
		}
		require.NotZero(t, sent)
		f := strings.Fields(lines[sent])
		was := f[7]
		f[7] = map[bool]string{true: "00", false: "01"}[was != "00"]
		lines[sent] = strings.Join(f, " ")
		require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
		got := run(t, s, scenario.Options{}, play)
		require.NotEqual(t, report.Passed, got.Outcome)
		require.Contains(t, got.Reason, fmt.Sprintf("line %d", sent+1))
	})
}

// The same scenarios pass with the gateway ended and begun again in the middle of any one command.
func TestShippedRestarted(t *testing.T) {
	shipped(t, func(t *testing.T, s *scenario.Scenario) {
		if s.Fleet != nil || conforms(s) {
			return
		}
		for i, st := range s.Steps {
			if st.Do == "" {
				continue
			}
			got := run(t, s, scenario.Options{Restart: i + 1}, func() (*Rig, error) { return Sim(t.Context(), s, Options{}) })
			passes(t, got)
		}
	})
}

// A home with the opposite of what a scenario wants makes it fail, at the step that says so.
func TestPlanted(t *testing.T) {
	for _, tt := range []struct {
		scenario, home string
		step           string
	}{
		{"smoke/identity", "faults: [esme-silent]", "hub and meter say who they are"},
		{"smoke/registers", "faults: [esme-silent]", "the import register"},
		{"rekey/takeover", "faults: [\"wrong-key:esme\"]", "the keys on file open every device"},
		{"firmware/esme-upgrade", "firmware: {hub: first, esme: newest}, faults: [esme-silent]", "before"},
		{"recovery/power-cut", "faults: [esme-silent]", "before"},
	} {
		t.Run(tt.scenario, func(t *testing.T) {
			t.Parallel()
			list, err := suites.Load(tt.scenario)
			require.NoError(t, err)
			s := list[0]
			s.Fleet = fmt.Appendf(nil, "schema: 1\nname: planted\nseed: 1\nstart: 2026-03-02T09:00:00Z\nhomes:\n  - {name: home, profile: foc-mesh, %s}\n", tt.home)
			got := run(t, s, scenario.Options{}, func() (*Rig, error) { return Sim(t.Context(), s, Options{}) })
			require.Equal(t, report.Failed, got.Outcome, got.Reason)
			require.Equal(t, tt.step, got.Steps[len(got.Steps)-1].Name, got.Reason)
		})
	}
}
