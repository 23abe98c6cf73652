package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	hwbench "smets1/hwtest/bench"
	"smets1/hwtest/report"
	"smets1/hwtest/scenario"
	"smets1/hwtest/suites"
	"smets1/transport/serial"
)

func newHWTestCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "hwtest",
		Short: "Run scenarios on virtual homes, recorded traces and real hubs on a bench",
		Long: `hwtest runs scenarios: text files that say what is done with a home and what
must come of it. The same scenario runs on a home in memory (--on sim), on one
behind a pseudo-terminal (--on pty), on a recorded trace (--on replay:FILE) and
on a hub of a bench (--on bench:NAME); the gateway is the same in all of them.

Suites that are shipped: ` + strings.Join(suites.Names(), ", ") + `. A scenario of your own
is a .txtar file; smets1 hwtest show prints one as an example.`,
		Example: `  smets1 hwtest run smoke                                # on a virtual home
  smets1 hwtest run firmware rekey --restart             # and with the gateway restarted in each step
  smets1 hwtest run smoke --on bench --inventory bench.yaml --out results
  smets1 hwtest record smoke/registers -o home.trace
  smets1 hwtest run smoke/registers --on replay:home.trace`,
	}
	c.AddCommand(newHWTestListCommand(), newHWTestShowCommand(), newHWTestRunCommand(), newHWTestRecordCommand(), newHWTestCompareCommand(),
		newHWTestScanCommand(), newHWTestWhoCommand(), newHWTestReserveCommand(), newHWTestReleaseCommand())
	return c
}

// loadScenarios reads suites, scenarios of suites, and files.
func loadScenarios(args []string) ([]*scenario.Scenario, error) {
	var out []*scenario.Scenario
	for _, a := range args {
		if strings.HasSuffix(a, ".txtar") {
			s, err := scenario.Load(a)
			if err != nil {
				return nil, usageError{err}
			}
			out = append(out, s)
			continue
		}
		list, err := suites.Load(a)
		if err != nil {
			return nil, usageError{fmt.Errorf("%w; a file of your own ends in .txtar", err)}
		}
		out = append(out, list...)
	}
	return out, nil
}

func newHWTestListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [SUITE | SUITE/SCENARIO | FILE.txtar]...",
		Short: "List scenarios with what they need and prove",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = suites.Names()
			}
			list, err := loadScenarios(args)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "SCENARIO\tNEEDS\tPROVES\tWHAT")
			for _, s := range list {
				what := s.Title
				if s.Irreversible {
					what += " (irreversible)"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", strings.TrimSuffix(s.Path, ".txtar"), strings.Join(s.Needs, ","), strings.Join(s.Clauses, ", "), what)
			}
			return w.Flush()
		},
	}
}

func newHWTestShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show SUITE/SCENARIO",
		Short:   "Print a shipped scenario, to read or to begin one's own with",
		Example: "  smets1 hwtest show smoke/registers > mine.txtar",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := suites.Source(args[0])
			if err != nil {
				return usageError{err}
			}
			_, err = c.OutOrStdout().Write(b)
			return err
		},
	}
}

func newHWTestCompareCommand() *cobra.Command {
	part := 0.2
	c := &cobra.Command{
		Use:   "compare OLD.json NEW.json",
		Short: "Say what differs between two runs",
		Long: `compare reads the report.json of two runs and says in words what differs:
outcomes, steps, firmware, and times and measurements that moved. The exit status
is 1 when something differs.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			var runs [2]*report.Run
			for i, path := range args {
				f, err := os.Open(path)
				if err != nil {
					return usageError{err}
				}
				runs[i], err = report.Load(f)
				if err := errors.Join(err, f.Close()); err != nil {
					return usageError{fmt.Errorf("%s: %w", path, err)}
				}
			}
			lines := report.Compare(runs[0], runs[1], part)
			for _, l := range lines {
				fmt.Fprintln(c.OutOrStdout(), l)
			}
			if len(lines) > 0 {
				return fmt.Errorf("%d differences", len(lines))
			}
			fmt.Fprintln(c.OutOrStdout(), "no differences")
			return nil
		},
	}
	c.Flags().Float64Var(&part, "tolerance", part, "how much of itself a time or a measurement may move")
	return c
}

func newHWTestScanCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "scan INVENTORY.yaml",
		Short: "Add what is plugged in to the inventory of a bench",
		Long: `scan adds an entry for each serial port with a USB serial number that the
inventory does not have, and tells which hubs are not plugged in. What is in the
file, comments too, it leaves as it is. New entries are offline until somebody
has said what they are.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			machine, err := serial.ThisMachine()
			if err != nil {
				return err
			}
			ports, err := machine.List()
			if err != nil {
				return err
			}
			added, absent, err := hwbench.Scan(args[0], ports)
			if err != nil {
				return usageError{err}
			}
			w := c.OutOrStdout()
			for _, n := range added {
				fmt.Fprintf(w, "added    %s\n", n)
			}
			for _, n := range absent {
				fmt.Fprintf(w, "absent   %s\n", n)
			}
			if len(added)+len(absent) == 0 {
				fmt.Fprintf(w, "%d ports are plugged in, none of them new\n", len(ports))
			}
			return nil
		},
	}
}

// me is who has leases.
func me() string {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	if u, err := user.Current(); err == nil {
		return u.Username + "@" + host
	}
	return "somebody@" + host
}

func newHWTestWhoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "who INVENTORY.yaml",
		Short: "Tell who has which hub",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			inv, err := hwbench.Load(args[0])
			if err != nil {
				return usageError{err}
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			for i := range inv.Hubs {
				h := &inv.Hubs[i]
				held, ok, err := hwbench.Look(hwbench.LeaseDir(), h, time.Now())
				switch {
				case err != nil:
					fmt.Fprintf(w, "%s\t%v\n", h.Name, err)
				case h.Offline != "":
					fmt.Fprintf(w, "%s\toffline: %s\n", h.Name, h.Offline)
				case !ok:
					fmt.Fprintf(w, "%s\tfree\n", h.Name)
				default:
					fmt.Fprintf(w, "%s\t%s\n", h.Name, strings.TrimPrefix((&hwbench.BusyError{Hub: h.Name, Holder: held}).Error(), h.Name+" is "))
				}
			}
			return w.Flush()
		},
	}
}

func newHWTestReserveCommand() *cobra.Command {
	var length time.Duration
	owner, why := me(), ""
	c := &cobra.Command{
		Use:   "reserve INVENTORY.yaml HUB",
		Short: "Keep a hub for oneself for some time",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			h, err := hubOfInventory(args)
			if err != nil {
				return err
			}
			now := time.Now()
			return hwbench.Reserve(hwbench.LeaseDir(), h, hwbench.Holder{Owner: owner, What: why, Until: now.Add(length)}, now)
		},
	}
	c.Flags().DurationVar(&length, "for", time.Hour, "how long")
	c.Flags().StringVar(&owner, "owner", owner, "for whom")
	c.Flags().StringVar(&why, "why", "", "what others are told")
	return c
}

func newHWTestReleaseCommand() *cobra.Command {
	owner := me()
	c := &cobra.Command{
		Use:   "release INVENTORY.yaml HUB",
		Short: "End a reservation before its time",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			h, err := hubOfInventory(args)
			if err != nil {
				return err
			}
			return hwbench.Reserve(hwbench.LeaseDir(), h, hwbench.Holder{Owner: owner}, time.Now())
		},
	}
	c.Flags().StringVar(&owner, "owner", owner, "whose")
	return c
}

func hubOfInventory(args []string) (*hwbench.Hub, error) {
	inv, err := hwbench.Load(args[0])
	if err != nil {
		return nil, usageError{err}
	}
	h, err := inv.Hub(args[1])
	if err != nil {
		return nil, usageError{err}
	}
	return h, nil
}

// stateOf is the folder of a bench's keys, beside its inventory.
func stateOf(inventory string) string {
	return filepath.Join(filepath.Dir(inventory), strings.TrimSuffix(filepath.Base(inventory), filepath.Ext(inventory))+"-state")
}

// askPerson has a person do something, at the terminal.
func askPerson(in io.Reader, out io.Writer) func(context.Context, string) error {
	return func(ctx context.Context, what string) error {
		fmt.Fprintf(out, "Please %s, then press Enter: ", what)
		done := make(chan error, 1)
		go func() {
			_, err := fmt.Fscanln(in)
			if errors.Is(err, io.EOF) {
				done <- errors.New("nobody is there to do it")
				return
			}
			done <- nil // whatever was typed before Enter
		}()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
