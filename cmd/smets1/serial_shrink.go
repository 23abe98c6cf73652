package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"smets1/transport/fault"
)

// faultsVariable names the plan in the environment of what shrink runs.
const faultsVariable = "SMETS1_FAULTS"

// cannotTell is the exit status of a run that says nothing, as with git bisect.
const cannotTell = 125

func newSerialShrinkCommand() *cobra.Command {
	var out string
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "shrink PLAN -- COMMAND [ARG...]",
		Short: "Find the smallest part of a plan of faults that still makes a run fail",
		Long: `shrink runs COMMAND again and again, each time with fewer faults, until without any
one of them the run is good. PLAN is what struck in a run that failed, as
serial record --faults … --fired FILE writes it: faults with their places, no chance.

COMMAND finds the plan's file in place of {} in its arguments and in the variable
SMETS1_FAULTS. Exit status 0 means that the run was good, 125 that it says nothing,
which ends the search, and any other that it failed.

The plan that is left goes to --out or to standard output.`,
		Example: `  smets1 serial shrink fired.yaml --out small.yaml -- ./read-everything.sh {}`,
		Args: func(c *cobra.Command, args []string) error {
			if c.ArgsLenAtDash() != 1 || len(args) < 2 {
				return usageError{errors.New("say shrink PLAN -- COMMAND [ARG...]")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			plan, err := fault.Load(args[0])
			if err != nil {
				return usageError{err}
			}
			for i, f := range plan.Faults {
				if f.Rate > 0 {
					return usageError{fmt.Errorf("%s: fault %d (%s) strikes by chance: give the plan of what struck, which serial record --fired writes", args[0], i+1, f.Kind)}
				}
			}
			dir, err := os.MkdirTemp("", "smets1-shrink-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir) //nolint:errcheck // a folder for temporary files
			s := shrinking{file: filepath.Join(dir, "plan.yaml"), command: args[1:], timeout: timeout, log: c.ErrOrStderr()}
			small, err := fault.Shrink(c.Context(), plan.Faults, s.fails)
			if err != nil {
				return err
			}
			if small == nil {
				return dlmsError{fmt.Errorf("with all %d faults the run is good: it does not depend on them alone", len(plan.Faults)), exitFailed}
			}
			fmt.Fprintf(c.ErrOrStderr(), "%d of %d faults are left after %d runs\n", len(small.Faults), len(plan.Faults), s.runs)
			text, err := small.YAML()
			if err != nil {
				return err
			}
			if out == "" {
				_, err = c.OutOrStdout().Write(text)
				return err
			}
			return writeFile(out, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644, func(w io.Writer) error { _, err := w.Write(text); return err })
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", "plan `FILE` (default: standard output)")
	c.Flags().DurationVar(&timeout, "timeout", time.Minute, "a run that takes longer has failed")
	return c
}

// shrinking runs a command with one plan after the other.
type shrinking struct {
	file    string
	command []string
	timeout time.Duration
	log     io.Writer
	runs    int
}

func (s *shrinking) fails(ctx context.Context, p fault.Plan) (bool, error) {
	text, err := p.YAML()
	if err != nil {
		return false, err
	}
	if err := os.WriteFile(s.file, text, 0o600); err != nil {
		return false, err
	}
	args := make([]string, len(s.command))
	for i, a := range s.command {
		args[i] = strings.ReplaceAll(a, "{}", s.file)
	}
	s.runs++
	run, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	cmd := exec.CommandContext(run, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), faultsVariable+"="+s.file)
	cmd.WaitDelay = time.Second // for what it started and left behind
	err = cmd.Run()
	var exit *exec.ExitError
	failed := err != nil
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case run.Err() != nil:
	case errors.As(err, &exit) && exit.ExitCode() == cannotTell:
		return false, fmt.Errorf("run %d with %d faults: %s: exit status %d: it says nothing", s.runs, len(p.Faults), args[0], cannotTell)
	case err != nil && exit == nil:
		return false, usageError{err}
	}
	word := "good"
	if failed {
		word = "fails"
	}
	fmt.Fprintf(s.log, "run %d, %d faults: %s\n", s.runs, len(p.Faults), word)
	return failed, nil
}
