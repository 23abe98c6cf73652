package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/server/ctt"
	"smets1/gateway/topic"
	"smets1/hwtest/report"
)

const text = `Something is read.

And why.
-- scenario.yaml --
needs: [hub, esme]
clauses: [A 1]
steps:
  - name: look
    do: read
    device: esme
    args: {items: [{class: 3, obis: 1-0:1.8.0.255, attribute: 2}]}
    expect:
      items[0].unit: Wh
      items[0].scaled: {min: 10, max: 20}
    measure:
      import: {of: "items[0].scaled", unit: Wh}
    save: {before: "items[0].scaled"}
  - wait: 30m
  - do: identify
    expect:
      devices[esme].serial: X${before}
-- faults.yaml --
seed: 1
`

func TestParse(t *testing.T) {
	s, err := Parse("suite/look.txtar", []byte(text))
	require.NoError(t, err)
	require.Equal(t, "look", s.Name)
	require.Equal(t, "Something is read.", s.Title)
	require.Equal(t, []string{"hub", "esme"}, s.Needs)
	require.Equal(t, "seed: 1\n", string(s.Faults))
	require.Equal(t, DefaultTimeout, s.Timeout)
	require.Len(t, s.Steps, 3)
	require.Equal(t, []int{8, 18, 19}, []int{s.Steps[0].Line, s.Steps[1].Line, s.Steps[2].Line})
	require.Equal(t, "wait 30m0s", s.Steps[1].Title())
	require.Equal(t, []topic.Verb{topic.Read, topic.Identify}, s.Verbs())
}

func TestParseRefuses(t *testing.T) {
	with := func(step string) string { return "T\n-- scenario.yaml --\nsteps:\n  - " + step + "\n" }
	for _, tt := range []struct{ name, text, want string }{
		{"no prose", "-- scenario.yaml --\nsteps: []\n", "x.txtar:1: say in a sentence"},
		{"no steps file", "T\n", "has no -- scenario.yaml --"},
		{"no steps", "T\n-- scenario.yaml --\nneeds: [hub]\n", "x.txtar:2: has no steps"},
		{"another file", "T\n-- other.txt --\nx\n-- scenario.yaml --\nsteps: []\n", `x.txtar:2: a file "other.txt"`},
		{"twice", "T\n-- scenario.yaml --\nx: 1\n-- scenario.yaml --\nx: 1\n", "a second scenario.yaml"},
		{"unknown field", "T\n-- scenario.yaml --\nstep: []\n", "x.txtar:3: "},
		{"two things", with("{do: identify, wait: 1s}"), "x.txtar:4: step 1: want exactly one of do, power, wait and conform"},
		{"nothing", with("{name: x}"), "want exactly one of"},
		{"verb", with("do: identfy"), `do "identfy": no such verb: wake, identify`},
		{"device", with("{do: read, device: gas}"), `device "gas": want hub, esme, gsme, ihd`},
		{"undo", with("do: keys.takeover"), "cannot be undone: say so with irreversible: true"},
		{"time", with("wait: soon"), "want a time as 10s"},
		{"power", with("power: esme"), "say for how long"},
		{"suite", with("{conform: esme, suite: TLS}"), `suite "TLS": want HDLC, APPL, COSEM, SYMSEC_0`},
		{"expression", with(`{do: identify, expect: {a: {matches: "["}}}`), "expect a: error parsing regexp"},
		{"no condition", with(`{do: identify, expect: {a: {}}}`), "expect a: no condition"},
		{"unknown condition", with(`{do: identify, expect: {a: {like: 1}}}`), "x.txtar:4"},
		{"expect of nothing", with("{wait: 1s, expect: {a: 1}}"), "belong to do"},
		{"measure of nothing", with("{wait: 1s, measure: {a: {of: b}}}"), "only do has a result"},
		{"off", with("{wait: 1s, off: 2s}"), "off belongs to power"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("x.txtar", []byte(tt.text))
			require.ErrorContains(t, err, tt.want)
		})
	}
	_, err := Parse("Upper Case.txtar", []byte(text))
	require.ErrorContains(t, err, "lower-case")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(text))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse("x.txtar", b)
		if err != nil {
			require.Contains(t, err.Error(), "x.txtar")
			return
		}
		require.NotEmpty(t, s.Steps)
		require.NotEmpty(t, s.Title)
		for _, st := range s.Steps {
			require.NotEmpty(t, st.Title())
		}
	})
}

func TestMatch(t *testing.T) {
	f := func(v float64) *float64 { return &v }
	p := func(s string) *string { return &s }
	yes, no := true, false
	for _, tt := range []struct {
		m     Match
		got   string
		found bool
		want  string // of the error
	}{
		{Match{Equal: p("5")}, "5.0", true, ""},
		{Match{Equal: p("ok")}, "busy", true, "is busy, want ok"},
		{Match{Equal: p("ok")}, "", false, "is not there"},
		{Match{Not: p("ok")}, "busy", true, ""},
		{Match{Not: p("ok")}, "ok", true, "must not be ok"},
		{Match{OneOf: []string{"a", "b"}}, "b", true, ""},
		{Match{OneOf: []string{"a", "b"}}, "c", true, "want one of a, b"},
		{Match{Min: f(1), Max: f(2)}, "1.5", true, ""},
		{Match{Min: f(1)}, "0.5", true, "want at least 1"},
		{Match{Max: f(1)}, "2", true, "want at most 1"},
		{Match{Max: f(1)}, "x", true, "is no number"},
		{Match{Matches: "^a+$"}, "aa", true, ""},
		{Match{Matches: "^a+$"}, "ab", true, "want what matches"},
		{Match{Present: &yes}, "", false, "is not there"},
		{Match{Present: &no}, "", false, ""},
		{Match{Present: &no}, "1", true, "should not be there"},
		{Match{Equal: p("${was}")}, "7", true, ""},
		{Match{Equal: p("${is}")}, "7", true, "nothing was saved under that name: there is was"},
	} {
		err := tt.m.holds(tt.got, tt.found, map[string]string{"was": "7"})
		if tt.want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, tt.want)
		}
	}
}

func TestPath(t *testing.T) {
	r, err := parseResult(json.RawMessage(`{"a": {"b": [{"device": "esme", "n": 12345678901234567890}, {"role": "chf", "s": "x", "t": true}]}}`))
	require.NoError(t, err)
	for path, want := range map[string]string{
		"a.b[0].n": "12345678901234567890", "a.b[esme].n": "12345678901234567890", "a.b[hub].s": "x", "a.b[1].t": "true", "a.b[1]": `{"role":"chf","s":"x","t":true}`,
	} {
		got, found := r.at(path)
		require.True(t, found, path)
		require.Equal(t, want, got)
	}
	for _, path := range []string{"x", "a.x", "a.b.c", "a.b[2]", "a.b[-1]", "a.b[gsme]", "a[0]", "a.b[0", "a.b[0].n.m", ""} {
		_, found := r.at(path)
		require.False(t, found, path)
	}
}

// desk answers commands from a table.
type desk struct {
	now      time.Time
	answers  map[topic.Verb]string
	code     topic.Code
	sent     []topic.Command
	restarts []bool
	finish   error
	power    error
}

func (d *desk) Name() string             { return "desk" }
func (d *desk) Has() []string            { return []string{"hub", "esme"} }
func (d *desk) Now() time.Time           { return d.now }
func (d *desk) Facts() map[string]string { return map[string]string{"eui.hub": "1"} }
func (d *desk) Console() string          { return "" }
func (d *desk) Finish(context.Context) error {
	return d.finish
}
func (d *desk) Power(context.Context, string, time.Duration) error { return d.power }
func (d *desk) Wait(_ context.Context, w time.Duration) error {
	d.now = d.now.Add(w)
	return nil
}
func (d *desk) Target(context.Context, string) (*ctt.Target, error) {
	t := ctt.NewReference(0).Target()
	t.MayRaisePolicy = false // the cases that raise it leave another meter behind
	return t, nil
}

func (d *desk) Command(_ context.Context, c topic.Command, restart bool) (topic.Result, error) {
	d.sent, d.restarts = append(d.sent, c), append(d.restarts, restart)
	d.now = d.now.Add(2 * time.Second)
	if d.code != "" {
		return topic.Result{Status: topic.StatusFailed, Code: d.code}, nil
	}
	a, ok := d.answers[c.Verb]
	if !ok {
		return topic.Result{}, errors.New("the bench is on fire")
	}
	return topic.Result{Status: topic.StatusDone, Result: json.RawMessage(a)}, nil
}

func good() *desk {
	return &desk{answers: map[topic.Verb]string{
		topic.Read:     `{"items": [{"scaled": "15", "unit": "Wh"}]}`,
		topic.Identify: `{"devices": [{"role": "esme", "serial": "X15"}]}`,
	}}
}

func machine() time.Time { return time.Unix(0, 0) }

func TestRun(t *testing.T) {
	s, err := Parse("look.txtar", []byte(text))
	require.NoError(t, err)
	d := good()
	r := s.Run(t.Context(), d, Options{Machine: machine, Restart: 3})
	require.Equal(t, report.Passed, r.Outcome, r.Reason)
	require.Equal(t, []bool{false, true}, d.restarts)
	require.Equal(t, topic.Device("esme"), d.sent[0].Device)
	require.JSONEq(t, `{"items":[{"class":3,"obis":"1-0:1.8.0.255","attribute":2}]}`, string(d.sent[0].Args))
	require.InDelta(t, 1804, r.Virtual, 0)
	require.Equal(t, []report.Measurement{{Name: "import", Value: 15, Unit: "Wh"}}, r.Steps[0].Measured)
}

func TestRunEnds(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*Scenario, *desk)
		outcome report.Outcome
		reason  string
		steps   int
	}{
		{"value", func(_ *Scenario, d *desk) { d.answers[topic.Read] = `{"items": [{"scaled": "25", "unit": "Wh"}]}` }, report.Failed, "look.txtar:8: step 1, look: items[0].scaled is 25, want at most 20", 1},
		{"code", func(_ *Scenario, d *desk) { d.code = topic.CodeBusy }, report.Failed, "ended with busy, want ok", 1},
		{"expected code", func(s *Scenario, d *desk) {
			d.code, s.Steps = topic.CodeBusy, []Step{{Do: topic.Identify, Fails: topic.CodeBusy}}
		}, report.Passed, "", 1},
		{"missing code", func(s *Scenario, _ *desk) { s.Steps = []Step{{Do: topic.Identify, Fails: topic.CodeBusy}} }, report.Failed, "ended with ok, want busy", 1},
		{"bench", func(_ *Scenario, d *desk) { delete(d.answers, topic.Identify) }, report.Broken, "the bench is on fire", 3},
		{"needs", func(s *Scenario, _ *desk) { s.Needs = []string{"hub", "gsme"} }, report.Skipped, "the home has no gsme", 0},
		{"time", func(s *Scenario, _ *desk) { s.Timeout = time.Minute }, report.Failed, "the scenario's 1m0s are over", 3},
		{"within", func(s *Scenario, _ *desk) { s.Steps[0].Within = duration(time.Second) }, report.Failed, "took 2s, want at most 1s", 1},
		{"limit", func(s *Scenario, _ *desk) {
			low := 16.0
			s.Steps[0].Measure["import"] = Measure{Of: "items[0].scaled", Min: &low}
		}, report.Failed, "import is 15, want at least 16", 1},
		{"save", func(s *Scenario, _ *desk) { s.Steps[0].Save = map[string]string{"before": "items[9]"} }, report.Failed, "is not there to be saved", 1},
		{"name", func(s *Scenario, _ *desk) { s.Steps[0].Args = map[string]any{"x": []any{"${none}"}} }, report.Failed, "${none}: nothing was saved", 1},
		{"power", func(s *Scenario, d *desk) { s.Steps, d.power = []Step{{Power: "hub", Off: 1}}, ErrUnsupported }, report.Broken, "no means", 1},
		{"trace", func(_ *Scenario, d *desk) { d.finish = errors.New("line 9 was not played") }, report.Failed, "line 9 was not played", 3},
		{"nothing tested", func(s *Scenario, _ *desk) {
			s.Steps = []Step{{Conform: "esme", Suite: "SYMSEC_0", Only: []string{"SYMSEC_0_SecPol_1"}}}
		}, report.Failed, "not one test of suite SYMSEC_0 applies", 1},
		{"no such test", func(s *Scenario, _ *desk) {
			s.Steps = []Step{{Conform: "esme", Suite: "APPL", Only: []string{"APPL_X"}}}
		}, report.Failed, "has no test APPL_X", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse("look.txtar", []byte(text))
			require.NoError(t, err)
			d := good()
			tt.change(s, d)
			r := s.Run(t.Context(), d, Options{Machine: machine})
			require.Equal(t, tt.outcome, r.Outcome, r.Reason)
			require.Contains(t, r.Reason, tt.reason)
			require.Len(t, r.Steps, tt.steps)
		})
	}
}

func TestConform(t *testing.T) {
	for _, suite := range suites {
		s := &Scenario{Name: "c", Path: "c.txtar", Timeout: time.Hour, Steps: []Step{{Conform: "esme", Suite: suite}}}
		r := s.Run(t.Context(), good(), Options{Machine: machine})
		require.Equal(t, report.Passed, r.Outcome, r.Reason)
		require.NotEmpty(t, r.Steps[0].Cases)
		name := r.Steps[0].Cases[0].Name
		s.Steps[0].Except = map[string]string{name: "because"}
		r = s.Run(t.Context(), good(), Options{Machine: machine})
		require.Equal(t, report.Case{Name: name, Purpose: r.Steps[0].Cases[0].Purpose, Outcome: report.Skipped, Reason: "because"}, r.Steps[0].Cases[0])
	}
}

func TestExpand(t *testing.T) {
	got, err := expand("a${x}b${y}", map[string]string{"x": "1", "y": "2"})
	require.NoError(t, err)
	require.Equal(t, "a1b2", got)
	_, err = expand("${x", map[string]string{"x": "1"})
	require.Error(t, err)
}
