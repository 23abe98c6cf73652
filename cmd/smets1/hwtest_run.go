package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"smets1/cmd/internal/rig"
	hwbench "smets1/hwtest/bench"
	"smets1/hwtest/report"
	"smets1/hwtest/scenario"
	"smets1/transport/trace"
)

type hwtestOptions struct {
	on        string
	inventory string
	out       string
	attempts  int
	restart   bool
	seed      uint64
	owner     string
	wait      time.Duration
	speed     float64
}

func (o *hwtestOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.on, "on", "sim", "where: sim, pty, replay:TRACE, bench (any hub that fits) or bench:NAME")
	f.StringVar(&o.inventory, "inventory", "bench.yaml", "inventory of the bench")
	f.Uint64Var(&o.seed, "seed", 1, "seed of what chance decides")
	f.StringVar(&o.owner, "owner", me(), "who has the hub meanwhile")
	f.DurationVar(&o.wait, "wait", 0, "how long to wait for a hub that somebody else has")
	f.Float64Var(&o.speed, "speed", 60, "virtual seconds in a second, on sim and pty")
}

func newHWTestRunCommand() *cobra.Command {
	o := hwtestOptions{}
	c := &cobra.Command{
		Use:   "run SUITE | SUITE/SCENARIO | FILE.txtar ...",
		Short: "Run scenarios and report what came of them",
		Long: `run runs scenarios one after the other and writes, with --out, report.html,
report.json, junit.xml and the trace of each line. The exit status is 0 when
nothing failed.

On a bench, a hub is leased before it is spoken to; steps that cannot be undone
need irreversible: allowed in the inventory, and the hub is asked who it is
before them. Keys and images of a bench are kept in a folder beside the
inventory: do not lose it.

A scenario that failed is run again up to --attempts times; each attempt is a
result of its own, and one that passes later does not take the failure back. What
the inventory has in quarantine may fail until its day.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			list, err := loadScenarios(args)
			if err != nil {
				return err
			}
			return o.run(c.Context(), list, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	o.flags(c)
	c.Flags().StringVar(&o.out, "out", "", "folder for the reports")
	c.Flags().IntVar(&o.attempts, "attempts", 1, "how often a scenario is run at most")
	c.Flags().BoolVar(&o.restart, "restart", false, "run each scenario again with the gateway restarted in each of its commands")
	return c
}

// bench reads the inventory if the target is on one; nil otherwise.
func (o *hwtestOptions) bench() (*hwbench.Inventory, error) {
	if o.on != "bench" && !strings.HasPrefix(o.on, "bench:") {
		return nil, nil
	}
	inv, err := hwbench.Load(o.inventory)
	if err != nil {
		return nil, usageError{fmt.Errorf("%w (--inventory)", err)}
	}
	return inv, nil
}

// open makes the rig for a scenario.
func (o *hwtestOptions) open(ctx context.Context, s *scenario.Scenario, inv *hwbench.Inventory, ro rig.Options, in io.Reader, stderr io.Writer) (*rig.Rig, error) {
	kind, name, named := strings.Cut(o.on, ":")
	switch {
	case kind == "sim" && !named:
		return rig.Sim(ctx, s, ro)
	case kind == "pty" && !named:
		return rig.PTY(ctx, s, ro)
	case kind == "replay" && named:
		return rig.Replay(ctx, s, name, ro)
	case kind == "bench":
		h, err := o.choose(s, inv, name)
		if err != nil {
			return nil, err
		}
		bo := rig.BenchOptions{Options: ro, Owner: o.owner, Wait: o.wait, State: stateOf(o.inventory)}
		bo.Waiting = func(err error) { fmt.Fprintf(stderr, "waiting: %v\n", err) }
		if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			bo.Prompt = askPerson(in, stderr)
		}
		return rig.Bench(ctx, s, inv, h, bo)
	}
	return nil, usageError{fmt.Errorf("--on %q: want sim, pty, replay:TRACE, bench or bench:NAME", o.on)}
}

// choose finds the hub: the one that was named, or the first that fits and that nobody has.
func (o *hwtestOptions) choose(s *scenario.Scenario, inv *hwbench.Inventory, name string) (*hwbench.Hub, error) {
	if name != "" {
		return inv.Hub(name)
	}
	fit, err := inv.Find(s.Needs, s.Irreversible)
	if err != nil {
		return nil, err
	}
	for _, h := range fit {
		if _, taken, err := hwbench.Look(hwbench.LeaseDir(), h, time.Now()); err == nil && !taken {
			return h, nil
		}
	}
	return fit[0], nil // it is waited for, or its holder is named
}

func (o *hwtestOptions) run(ctx context.Context, list []*scenario.Scenario, in io.Reader, stdout, stderr io.Writer) error {
	inv, err := o.bench()
	if err != nil {
		return err
	}
	if o.out != "" {
		if err := os.MkdirAll(o.out, 0o755); err != nil {
			return usageError{err}
		}
	}
	host, _ := os.Hostname() // a report without it is a report
	run := &report.Run{Schema: report.Schema, Started: time.Now(), Version: version(), Host: host}
	for _, s := range list {
		if ctx.Err() != nil {
			break
		}
		restarts := []int{0}
		if o.restart {
			for i, st := range s.Steps {
				if st.Do != "" {
					restarts = append(restarts, i+1)
				}
			}
		}
		for _, at := range restarts {
			for attempt := 1; attempt <= max(o.attempts, 1) && ctx.Err() == nil; attempt++ {
				r, err := o.one(ctx, s, inv, at, attempt, in, stdout, stderr)
				if err != nil {
					return err
				}
				run.Results = append(run.Results, r)
				if r.Outcome != report.Failed && r.Outcome != report.Broken {
					break
				}
			}
		}
	}
	run.Ended = time.Now()
	if err := o.write(run); err != nil {
		return err
	}
	fmt.Fprintln(stdout)
	if err := run.WriteText(stdout); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !run.OK() {
		return errors.New("not every scenario passed")
	}
	return nil
}

// one runs one scenario once. The error is a mistake of the command line; a bench that does not work is a result.
func (o *hwtestOptions) one(ctx context.Context, s *scenario.Scenario, inv *hwbench.Inventory, restart, attempt int, in io.Reader, stdout, stderr io.Writer) (r report.Result, err error) {
	dir, err := os.MkdirTemp("", "smets1-hwtest-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ro := rig.Options{Seed: o.seed, Speed: o.speed, Dir: dir}
	traceName := ""
	if o.out != "" && !strings.HasPrefix(o.on, "replay:") && !strings.HasPrefix(o.on, "bench") {
		traceName = fmt.Sprintf("%s-%d-%d.trace", strings.NewReplacer("/", "-", ".txtar", "").Replace(s.Path), restart, attempt)
		f, err := os.Create(filepath.Join(o.out, filepath.Base(traceName)))
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		ro.Record = f
	}
	label := s.Path
	if restart > 0 {
		label += fmt.Sprintf(" restarted in step %d", restart)
	}
	began := time.Now()
	home, openErr := o.open(ctx, s, inv, ro, in, stderr)
	var usage usageError
	switch {
	case errors.As(openErr, &usage):
		return r, openErr
	case openErr != nil:
		r = report.Result{
			Scenario: s.Name, Title: s.Title, Prose: s.Prose, Path: s.Path, Target: o.on, Attempt: attempt, Restart: restart, Clauses: s.Clauses,
			Started: began, Wall: time.Since(began).Seconds(), Outcome: report.Broken, Reason: openErr.Error(),
		}
	default:
		so := scenario.Options{Restart: restart, Attempt: attempt, Machine: time.Now, Progress: func(i int, st *scenario.Step, done *report.Step) {
			if done != nil {
				fmt.Fprintf(stdout, "  %2d %-9s %s (%.1f s)\n", i+1, done.Outcome, done.Name, done.Seconds)
			}
		}}
		fmt.Fprintf(stdout, "%s on %s\n", label, home.Name())
		r = s.Run(ctx, home, so)
		r.Faults = home.Faults()
		if err := home.Close(); err != nil && r.Outcome == report.Passed {
			r.Outcome, r.Reason = report.Broken, err.Error()
		}
	}
	if traceName != "" && r.Outcome != report.Skipped {
		r.Files = append(r.Files, report.File{Name: "trace", Path: filepath.Base(traceName)})
	}
	if inv != nil && (r.Outcome == report.Failed || r.Outcome == report.Broken) {
		hub := strings.TrimPrefix(r.Target, "bench:")
		switch q, expired := inv.Quarantined(s.Name, hub, time.Now()); {
		case q != nil:
			r.Reason = fmt.Sprintf("in quarantine until %s, %s sees to it: %s; %s", q.Until.Format(time.DateOnly), q.Owner, q.Reason, r.Reason)
			r.Outcome = report.Quarantined
		case expired != nil:
			r.Reason += fmt.Sprintf(" (its quarantine by %s ended on %s)", expired.Owner, expired.Until.Format(time.DateOnly))
		}
	}
	fmt.Fprintf(stdout, "%-9s %s\n", r.Outcome, label)
	if r.Outcome == report.Failed || r.Outcome == report.Broken {
		fmt.Fprintf(stdout, "          %s\n", r.Reason)
	}
	return r, nil
}

// write writes the reports.
func (o *hwtestOptions) write(run *report.Run) error {
	if o.out == "" {
		return nil
	}
	for name, form := range map[string]func(io.Writer) error{
		"report.html": run.WriteHTML, "report.json": run.WriteJSON, "junit.xml": run.WriteJUnit,
	} {
		f, err := os.Create(filepath.Join(o.out, name))
		if err != nil {
			return err
		}
		if err := errors.Join(form(f), f.Close()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func newHWTestRecordCommand() *cobra.Command {
	o := hwtestOptions{}
	output, old := "", ""
	c := &cobra.Command{
		Use:   "record SUITE/SCENARIO | FILE.txtar",
		Short: "Record a scenario's line, to be run on again without the hub",
		Long: `record runs one scenario and writes what passed on the line to a trace, which
run --on replay:TRACE plays in the place of the home. The gateway's challenges
are drawn from the seed, so that they repeat: on a real hub that makes them
guessable for as long as the recording lasts, in a laboratory.

With --compare, the new trace is compared with an older one: what differs is said
in words, and the exit status is 1.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			list, err := loadScenarios(args)
			if err != nil {
				return err
			}
			if len(list) != 1 {
				return usageError{fmt.Errorf("%s has %d scenarios: record one, as %s", args[0], len(list), strings.TrimSuffix(list[0].Path, ".txtar"))}
			}
			if output == "" {
				return usageError{errors.New("say where to: --output FILE.trace")}
			}
			return o.record(c.Context(), list[0], output, old, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	o.flags(c)
	c.Flags().StringVarP(&output, "output", "o", "", "the trace file")
	c.Flags().StringVar(&old, "compare", "", "an older trace of the same scenario")
	return c
}

func (o *hwtestOptions) record(ctx context.Context, s *scenario.Scenario, output, old string, in io.Reader, stdout, stderr io.Writer) (err error) {
	inv, err := o.bench()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "smets1-hwtest-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// The file appears when it is whole.
	f, err := os.CreateTemp(filepath.Dir(output), ".record-*")
	if err != nil {
		return usageError{err}
	}
	defer func() { _ = os.Remove(f.Name()) }() // it is gone once it was renamed
	home, err := o.open(ctx, s, inv, rig.Options{Seed: o.seed, Speed: o.speed, Dir: dir, Record: f}, in, stderr)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r := s.Run(ctx, home, scenario.Options{Machine: time.Now})
	if err := errors.Join(home.Close(), f.Sync(), f.Close()); err != nil {
		return err
	}
	if r.Outcome != report.Passed {
		return fmt.Errorf("%s %s, and was not recorded: %s", s.Path, r.Outcome, r.Reason)
	}
	if err := os.Rename(f.Name(), output); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: %d steps in %.1f s; smets1 hwtest run %s --on replay:%s\n", output, len(r.Steps), r.Virtual, strings.TrimSuffix(s.Path, ".txtar"), output)
	if old == "" {
		return nil
	}
	return compareTraces(old, output, stdout)
}

func compareTraces(old, now string, stdout io.Writer) error {
	a, err := trace.Load(old)
	if err != nil {
		return usageError{err}
	}
	b, err := trace.Load(now)
	if err != nil {
		return err
	}
	drift := trace.Drift(a, b)
	for _, l := range drift {
		fmt.Fprintln(stdout, l)
	}
	if len(drift) > 0 {
		return fmt.Errorf("%s differs from %s in %d places", now, old, len(drift))
	}
	fmt.Fprintf(stdout, "no drift since %s\n", old)
	return nil
}
