package ctt

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestReference runs every conformance test against this module's own server, with keys changed at once and under
// supervision.
func TestReference(t *testing.T) {
	for name, window := range map[string]time.Duration{"at once": 0, "supervised": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			for _, c := range Cases() {
				t.Run(c.Name, func(t *testing.T) {
					m := NewReference(window)
					require.NoError(t, c.Run(m.Target()))
					for link := range m.link {
						m.Device.Disconnect(link + 1)
					}
					require.Zero(t, m.Device.Open())
				})
			}
		})
	}
}

// TestNames holds the cases against the list of published names.
func TestNames(t *testing.T) {
	b, err := os.ReadFile("../testdata/ctt_checklist.json")
	require.NoError(t, err)
	var suites map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(b, &suites))
	delete(suites, "note")
	want := map[string]map[string]string{}
	for name, raw := range suites {
		var cases map[string]string
		require.NoError(t, json.Unmarshal(raw, &cases))
		want[name] = cases
	}
	for _, c := range Cases() {
		require.Contains(t, want[c.Suite], c.Name)
		delete(want[c.Suite], c.Name)
	}
	for suite, left := range want {
		require.Empty(t, left, suite)
	}
}

// TestNotApplicable: a target that offers little fails nothing.
func TestNotApplicable(t *testing.T) {
	for _, c := range Cases() {
		full := NewReference(0).Target()
		bare := &Target{Name: "bare", Dial: full.Dial, Public: full.Public, ReadOnly: full.ReadOnly}
		if err := c.Run(bare); err != nil {
			require.True(t, errors.Is(err, ErrNotApplicable), "%s: %v", c.Name, err)
		}
	}
}
