package report

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func ptr(v float64) *float64 { return &v }

func sample() *Run {
	at := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	return &Run{
		Schema: Schema, Started: at, Ended: at.Add(90 * time.Second), Version: "1.0", Host: "bench",
		Results: []Result{
			{
				Scenario: "good", Title: "All is well", Path: "smoke/good.txtar", Target: "sim", Attempt: 1, Clauses: []string{"A 1"},
				Started: at, Wall: 1.5, Virtual: 90, Outcome: Passed, Facts: map[string]string{"firmware.esme": "01.02"},
				Steps: []Step{
					{Name: "read", Line: 7, Seconds: 0.3, Outcome: Passed, Measured: []Measurement{{Name: "answer", Value: 0.3, Unit: "s", Max: ptr(1)}}, Console: "0.000 > 7E\n"},
					{Name: "conform", Line: 9, Outcome: Passed, Clauses: []string{"B 2"}, Cases: []Case{{Name: "X_P1", Outcome: Passed}, {Name: "X_N1", Outcome: Skipped, Reason: "no such thing"}}},
				},
				Files: []File{{Name: "trace", Path: "good.trace"}},
			},
			{
				Scenario: "bad", Title: "Something is wrong <here>", Path: "bad.txtar", Target: "bench:a", Attempt: 2, Restart: 1, Clauses: []string{"A 1"},
				Started: at, Outcome: Failed, Reason: "bad.txtar:5: step 1, look: is 1, want 2 & more\x00",
				Steps: []Step{{Name: "look", Line: 5, Outcome: Failed, Problems: []string{"is 1, want 2 & more\x00"}}},
			},
			{Scenario: "flaky", Title: "t", Path: "flaky.txtar", Target: "sim", Attempt: 1, Outcome: Quarantined, Reason: "j.smith", Steps: []Step{{Name: "look", Outcome: Failed}}},
			{Scenario: "gas", Title: "t", Path: "gas.txtar", Target: "sim", Attempt: 1, Outcome: Skipped, Reason: "the home has no gsme"},
			{Scenario: "gone", Title: "t", Path: "gone.txtar", Target: "bench", Attempt: 1, Outcome: Broken, Reason: "no hub"},
		},
	}
}

func TestJUnit(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, sample().WriteJUnit(&b))
	var got junitSuites
	require.NoError(t, xml.Unmarshal(b.Bytes(), &got))
	require.Equal(t, 8, got.Tests)
	require.Equal(t, 1, got.Failures)
	require.Equal(t, 1, got.Errors)
	require.Len(t, got.Suites, 5)
	good := got.Suites[0]
	require.Equal(t, "good on sim", good.Name)
	require.Equal(t, []string{"01 read", "02 conform", "X_P1", "X_N1"}, []string{good.Cases[0].Name, good.Cases[1].Name, good.Cases[2].Name, good.Cases[3].Name})
	require.Equal(t, 1, good.Skipped)
	require.Contains(t, good.Out.Text, "[[ATTACHMENT|good.trace]]")
	require.Contains(t, good.Cases[0].Out.Text, "answer 0.3 s (at most 1)\n0.000 > 7E")
	bad := got.Suites[1]
	require.Equal(t, "bad on bench:a, restarted in step 1, attempt 2", bad.Name)
	require.Equal(t, "is 1, want 2 & more\uFFFD", bad.Cases[0].Failure.Message)
	require.Equal(t, "quarantined: j.smith", got.Suites[2].Cases[0].Skipped.Message)
	require.Equal(t, "the home has no gsme", got.Suites[3].Cases[0].Skipped.Message)
	require.Equal(t, "no hub", got.Suites[4].Cases[0].Error.Message)
}

func TestHTML(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, sample().WriteHTML(&b))
	text := b.String()
	require.Contains(t, text, "5 scenarios: 1 passed, 1 failed, 1 broken,\n1 skipped, 1 quarantined.")
	require.Contains(t, text, "Something is wrong &lt;here&gt;")
	require.NotContains(t, text, "<script")
	require.NotContains(t, strings.ReplaceAll(text, `href="data:,"`, ""), "http")
}

func TestCounts(t *testing.T) {
	r := sample()
	require.False(t, r.OK())
	r.Results = r.Results[:1]
	require.True(t, r.OK())
	r.Results = nil
	require.False(t, r.OK(), "nothing was tested")
}

func TestCoverage(t *testing.T) {
	require.Equal(t, []Coverage{
		{Clause: "A 1", By: []string{"good", "bad"}},
		{Clause: "B 2", By: []string{"good: conform"}, Passed: true},
	}, sample().Coverage())
}

func TestLoad(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, sample().WriteJSON(&b))
	got, err := Load(&b)
	require.NoError(t, err)
	require.Empty(t, Compare(sample(), got, 0))
	_, err = Load(strings.NewReader(`{"schema": 9}`))
	require.ErrorContains(t, err, "schema 9")
}

func TestCompare(t *testing.T) {
	now := sample()
	now.Results[0].Facts = map[string]string{"firmware.esme": "01.03"}
	now.Results[0].Steps[0].Seconds = 0.9
	now.Results[0].Steps[0].Measured[0].Value = 0.9
	now.Results[0].Steps[1].Cases = []Case{{Name: "X_P1", Outcome: Failed}, {Name: "X_N1", Outcome: Skipped}}
	now.Results[1].Outcome, now.Results[1].Reason = Passed, ""
	now.Results = now.Results[:4]
	require.Equal(t, []string{
		"good on sim: firmware.esme is 01.03, was 01.02",
		"good on sim: read now takes 0.900 s, was 0.300 s",
		"good on sim: read: answer is 0.9 s, was 0.3",
		"good on sim: X_P1 failed, and passed before",
		"bad on bench:a, restarted in step 1, attempt 2 passed, and failed before",
		"gone on bench did not run any more",
	}, Compare(sample(), now, 0.2))
}
