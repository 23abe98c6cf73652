package scenario

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"smets1/dlms/server/ctt"
	"smets1/gateway/topic"
	"smets1/hwtest/report"
)

// Rig is a home that scenarios run on, with the gateway that talks to it.
type Rig interface {
	// Name says what it is: sim, pty, replay:FILE, bench:NAME.
	Name() string
	// Has lists what the home has: hub, esme, gsme, ihd, prepayment, and what a bench's inventory says.
	Has() []string
	// Now is the time of the home.
	Now() time.Time
	// Facts are names and values that scenarios use as ${name} and reports show: eui.esme, firmware.esme, …
	Facts() map[string]string
	// Command runs a command and waits for its end. With restart the gateway ends as soon as the command runs, and starts
	// again from what is on disk.
	Command(ctx context.Context, c topic.Command, restart bool) (topic.Result, error)
	// Power takes the power of a device away for a time.
	Power(ctx context.Context, device string, off time.Duration) error
	// Wait lets time pass for the home.
	Wait(ctx context.Context, d time.Duration) error
	// Target is a device for conformance tests, over links of its own.
	Target(ctx context.Context, device string) (*ctt.Target, error)
	// Console gives what was on the lines since it was asked last.
	Console() string
	// Finish ends the rig after a scenario: a trace that was not played to its end is an error.
	Finish(ctx context.Context) error
}

// ErrUnsupported is the error of a rig for what it has no means to do: no power switch, no time to set.
var ErrUnsupported = errors.New("this bench has no means for it")

// Options say how a scenario is run.
type Options struct {
	Restart int // the gateway is restarted in this step, from 1; 0: in none
	Attempt int // from 1; 0 means 1
	// Progress, if not nil, is told each step as it begins and as it ends.
	Progress func(step int, s *Step, done *report.Step)
	// Machine is the time of the machine.
	Machine func() time.Time
}

// Missing lists what the scenario needs and the rig has not.
func (s *Scenario) Missing(has []string) []string {
	var out []string
	for _, n := range s.Needs {
		if !slices.Contains(has, n) {
			out = append(out, n)
		}
	}
	return out
}

// Run runs the scenario. The first step that is not as it must be ends it.
func (s *Scenario) Run(ctx context.Context, rig Rig, o Options) (r report.Result) {
	r = report.Result{
		Scenario: s.Name, Title: s.Title, Prose: s.Prose, Path: s.Path, Target: rig.Name(), Attempt: max(o.Attempt, 1), Restart: o.Restart,
		Clauses: s.Clauses, Started: o.Machine(), Outcome: report.Passed, Facts: rig.Facts(),
	}
	began := rig.Now()
	defer func() {
		r.Wall = o.Machine().Sub(r.Started).Seconds()
		r.Virtual = rig.Now().Sub(began).Seconds()
	}()
	if missing := s.Missing(rig.Has()); len(missing) > 0 {
		r.Outcome, r.Reason = report.Skipped, "the home has no "+strings.Join(missing, ", ")
		return r
	}
	run := &run{scenario: s, rig: rig, began: began, vars: maps.Clone(r.Facts)}
	if run.vars == nil {
		run.vars = map[string]string{}
	}
	for i := range s.Steps {
		step := &s.Steps[i]
		if o.Progress != nil {
			o.Progress(i, step, nil)
		}
		done := run.step(ctx, step, o.Restart == i+1)
		if o.Progress != nil {
			o.Progress(i, step, &done)
		}
		r.Steps = append(r.Steps, done)
		if done.Outcome == report.Failed || done.Outcome == report.Broken {
			r.Outcome = done.Outcome
			r.Reason = fmt.Sprintf("%s:%d: step %d, %s: %s", s.Path, step.Line, i+1, done.Name, strings.Join(done.Problems, "; "))
			break
		}
	}
	if err := rig.Finish(ctx); err != nil && r.Outcome == report.Passed {
		r.Outcome, r.Reason = report.Failed, err.Error()
	}
	return r
}

type run struct {
	scenario *Scenario
	rig      Rig
	began    time.Time
	vars     map[string]string
}

func (r *run) step(ctx context.Context, s *Step, restart bool) report.Step {
	began := r.rig.Now()
	done := report.Step{Name: s.Title(), Line: s.Line, At: began.Sub(r.began).Seconds(), Outcome: report.Passed}
	if s.Clause != "" {
		done.Clauses = []string{s.Clause}
	}
	fail := func(o report.Outcome, err error) {
		done.Outcome = o
		done.Problems = append(done.Problems, err.Error())
	}
	left := r.scenario.Timeout - began.Sub(r.began)
	if left <= 0 {
		fail(report.Failed, fmt.Errorf("the scenario's %v are over", r.scenario.Timeout))
		return done
	}
	var answer result
	var err error
	switch {
	case s.Do != "":
		answer, err = r.command(ctx, s, restart)
	case s.Power != "":
		err = r.rig.Power(ctx, s.Power, time.Duration(s.Off))
	case s.Wait != 0:
		err = r.rig.Wait(ctx, time.Duration(s.Wait))
	default:
		err = r.conform(ctx, s, &done)
	}
	took := r.rig.Now().Sub(began)
	done.Seconds = took.Seconds()
	done.Console = r.rig.Console()
	var wrong *wrongError
	switch {
	case err == nil:
	case errors.Is(err, ErrUnsupported):
		fail(report.Broken, err)
		return done
	case errors.As(err, &wrong):
		fail(report.Failed, err)
	case ctx.Err() != nil:
		fail(report.Broken, context.Cause(ctx))
		return done
	default:
		fail(report.Broken, err)
		return done
	}
	if s.Within != 0 && took > time.Duration(s.Within) {
		fail(report.Failed, fmt.Errorf("took %v, want at most %v", took.Round(time.Millisecond), time.Duration(s.Within)))
	}
	for _, path := range slices.Sorted(maps.Keys(s.Expect)) {
		m := s.Expect[path]
		got, found := answer.at(path)
		if err := m.holds(got, found, r.vars); err != nil {
			fail(report.Failed, fmt.Errorf("%s %w", path, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Measure)) {
		if err := r.measure(name, s.Measure[name], answer, took, &done); err != nil {
			fail(report.Failed, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Save)) {
		got, found := answer.at(s.Save[name])
		if !found {
			fail(report.Failed, fmt.Errorf("%s is not there to be saved as %s", s.Save[name], name))
			continue
		}
		r.vars[name] = got
	}
	return done
}

// wrongError is something that is not as the scenario wants it, as opposed to a bench that does not work.
type wrongError struct{ text string }

func (e *wrongError) Error() string { return e.text }

func (r *run) command(ctx context.Context, s *Step, restart bool) (result, error) {
	c, err := s.command(r.vars)
	if err != nil {
		return result{}, &wrongError{err.Error()}
	}
	got, err := r.rig.Command(ctx, c, restart)
	if err != nil {
		return result{}, err
	}
	answer, err := parseResult(got.Result)
	if err != nil {
		return result{}, err
	}
	want := s.Fails
	if want == "" {
		want = topic.CodeOK
	}
	code := got.Code
	if code == "" {
		code = topic.CodeOK
	}
	if code != want {
		text := fmt.Sprintf("ended with %s, want %s", code, want)
		if err := got.Err(); err != nil {
			text += ": " + err.Error()
		}
		return answer, &wrongError{text}
	}
	return answer, nil
}

func (r *run) measure(name string, m Measure, answer result, took time.Duration, done *report.Step) error {
	v := took.Seconds()
	if m.Of != ofSeconds {
		got, found := answer.at(m.Of)
		if !found {
			return fmt.Errorf("%s: %s is not there to be measured", name, m.Of)
		}
		var err error
		if v, err = strconv.ParseFloat(got, 64); err != nil {
			return fmt.Errorf("%s: %s is %s, which is no number", name, m.Of, got)
		}
	}
	unit := m.Unit
	if m.Of == ofSeconds && unit == "" {
		unit = "s"
	}
	x := report.Measurement{Name: name, Value: v, Unit: unit, Min: m.Min, Max: m.Max}
	done.Measured = append(done.Measured, x)
	if !x.Within() {
		return fmt.Errorf("%s %w", name, within(number(v), m.Min, m.Max))
	}
	return nil
}

// conform runs conformance tests.
func (r *run) conform(ctx context.Context, s *Step, done *report.Step) error {
	target, err := r.rig.Target(ctx, s.Conform)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	passed, failed := 0, 0
	for _, c := range ctt.Cases() {
		if c.Suite != s.Suite {
			continue
		}
		known[c.Name] = true
		if len(s.Only) > 0 && !slices.Contains(s.Only, c.Name) {
			continue
		}
		x := report.Case{Name: c.Name, Purpose: c.Purpose, Outcome: report.Passed}
		if reason, ok := s.Except[c.Name]; ok {
			x.Outcome, x.Reason = report.Skipped, reason
			done.Cases = append(done.Cases, x)
			continue
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		switch err := c.Run(target); {
		case errors.Is(err, ctt.ErrNotApplicable):
			x.Outcome, x.Reason = report.Skipped, err.Error()
		case err != nil:
			x.Outcome, x.Reason = report.Failed, err.Error()
			failed++
			done.Problems = append(done.Problems, c.Name+": "+err.Error())
		default:
			passed++
		}
		done.Cases = append(done.Cases, x)
	}
	for _, name := range slices.Concat(s.Only, slices.Sorted(maps.Keys(s.Except))) {
		if !known[name] {
			return &wrongError{fmt.Sprintf("suite %s has no test %s", s.Suite, name)}
		}
	}
	if failed > 0 {
		done.Outcome = report.Failed
	} else if passed == 0 {
		return &wrongError{fmt.Sprintf("not one test of suite %s applies to it: nothing was proved", s.Suite)}
	}
	return nil
}
