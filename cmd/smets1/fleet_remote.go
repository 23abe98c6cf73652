package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smets1/device/fleet"
)

// controlFlag adds the address of a running serve.
func controlFlag(c *cobra.Command, address *string) {
	c.Flags().StringVar(address, "control", controlAddress, "address at which smets1 fleet serve takes orders")
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func newFleetInspectCommand() *cobra.Command {
	var address string
	asJSON := false
	c := &cobra.Command{
		Use:   "inspect HOME",
		Short: "Show a home of a running serve: what is on file, and how it is now",
		Long: `inspect asks a running smets1 fleet serve for one of its homes: identities and
addresses, firmware and key versions, clocks, readings, supply and balance. A home that
rests is made for it, and rests again. No key is shown, only its fingerprint.`,
		Example: `  smets1 fleet inspect ioc-0001
  smets1 fleet inspect ioc-0001 --json | jq .status.devices`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var h controlHome
			if err := control(c.Context(), address, "GET", "/home/"+url.PathEscape(args[0]), nil, &h); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), h)
			}
			return h.print(c.OutOrStdout())
		},
	}
	controlFlag(c, &address)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (h *controlHome) print(out io.Writer) error {
	e, s := &h.Entry, &h.Status
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	wan := "reachable"
	if !s.Awake {
		wan = "asleep (wakes by: " + e.WakeUp + ")"
	}
	fmt.Fprintf(w, "home\t%s (%s, %s, profile %s)\n", e.Name, e.Cohort, e.Comms, e.Profile)
	fmt.Fprintf(w, "time\t%s\n", h.Time.Format(time.RFC3339))
	fmt.Fprintf(w, "address\t%s\n", dash(e.Address)) // none of its own: by the port of all homes
	fmt.Fprintf(w, "WAN\t%s, %d messages, calls %s\n", wan, s.Messages, strings.Join(s.Endpoint, " "))
	if len(s.Faults) > 0 {
		fmt.Fprintf(w, "faults\t%s\n", strings.Join(s.Faults, ", "))
	}
	fmt.Fprintln(w, "\nDEVICE\tEUI-64\tMODEL\tFIRMWARE\tKEYS\tCLOCK\tREADING\tMODE\tSUPPLY\tBALANCE")
	for _, d := range e.Devices {
		row := []string{d.Type, d.EUI.String(), d.Manufacturer + " " + d.Model, d.Firmware, "-", "-", "-", "-", "-", "-"}
		for _, x := range s.Devices {
			if x.EUI != d.EUI {
				continue
			}
			row[3], row[4], row[5] = x.Firmware, fmt.Sprintf("v%d %s", x.KeyVersion, x.Fingerprint), x.ClockError.Round(time.Second).String()
			if !x.On {
				row[5] = "no power"
			}
			if m := x.Meter; m != nil {
				row[6], row[7], row[8], row[9] = fmt.Sprintf("%d %s", m.Reading, m.Unit), m.Mode, m.Supply, fmt.Sprintf("£%.2f", float64(m.Balance)/1e5)
			}
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

func newFleetStepCommand() *cobra.Command {
	var address string
	c := &cobra.Command{
		Use:   "step DURATION|TIME",
		Short: "Move the time of a serve --clock step, and wait until all is done",
		Long: `step moves the time of homes that are served with --clock step by a duration, or to
a time. It returns when each home has done what was due until then. The same steps
give the same bytes every time.`,
		Example: `  smets1 fleet serve fleet.yaml --clock step &
  smets1 fleet step 30m
  smets1 fleet step 2019-07-16T00:00:00Z`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			step := controlStep{For: args[0]}
			if t, err := time.Parse(time.RFC3339, args[0]); err == nil {
				step = controlStep{Until: t}
			} else if d, err := time.ParseDuration(args[0]); err != nil || d <= 0 {
				return usageError{fmt.Errorf("%q is no duration like 30m and no time like 2019-07-16T00:00:00Z", args[0])}
			}
			b, err := json.Marshal(step)
			if err != nil {
				return err
			}
			var s controlStatus
			if err := control(c.Context(), address, "POST", "/step", bytes.NewReader(b), &s); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), s.Time.Format(time.RFC3339Nano))
			return nil
		},
	}
	controlFlag(c, &address)
	return c
}

func newFleetWakeCommand() *cobra.Command {
	var address string
	c := &cobra.Command{
		Use:   "wake HOME",
		Short: "Send the text messages that wake a hub of a running serve",
		Long: `wake sends as many text messages to the hub of a home as its make needs to wake.
They arrive after the delay of its profile, in virtual time.`,
		Example: "  smets1 fleet wake moc-0001",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var n int
			if err := control(c.Context(), address, "POST", "/home/"+url.PathEscape(args[0])+"/wake", nil, &n); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%d messages are on their way\n", n)
			return nil
		},
	}
	controlFlag(c, &address)
	return c
}

func newFleetSaveCommand() *cobra.Command {
	var address string
	force := false
	c := &cobra.Command{
		Use:   "save FILE",
		Short: "Write a snapshot of the homes of a running serve",
		Long: `save writes down the homes of a running smets1 fleet serve, at one instant for each
home, with the time. Only what differs from manifest and seed is in it, so that a
fleet nobody has touched takes some hundred bytes, however large it is. The file holds
keys; it is for its owner's eyes only.`,
		Example: "  smets1 fleet save before-the-upgrade.s1fs",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var b []byte
			if err := control(c.Context(), address, "GET", "/snapshot", nil, &b); err != nil {
				return err
			}
			s, err := fleet.ParseSnapshot(b)
			if err != nil {
				return err
			}
			flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
			if force {
				flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
			}
			err = writeFile(args[0], flags, 0o600, func(w io.Writer) error {
				_, err := w.Write(b)
				return err
			})
			if errors.Is(err, fs.ErrExist) {
				return usageError{fmt.Errorf("%s is there already: name another file, or say --force", args[0])}
			}
			if err == nil {
				fmt.Fprintf(c.OutOrStdout(), "%s: fleet %s at %s, %d records, %d bytes\n", args[0], s.Fleet, s.Time.Format(time.RFC3339), s.Records, len(b))
			}
			return err
		},
	}
	controlFlag(c, &address)
	c.Flags().BoolVar(&force, "force", false, "write over a file that is there")
	return c
}

func newFleetLoadCommand() *cobra.Command {
	var address string
	c := &cobra.Command{
		Use:   "load FILE",
		Short: "Have a running serve go on from a snapshot",
		Long: `load has a running smets1 fleet serve forget how its homes are and go on from a
snapshot of the same manifest and seed, at its time. Connections end. To begin with a
snapshot: smets1 fleet serve MANIFEST --snapshot FILE.`,
		Example: "  smets1 fleet load before-the-upgrade.s1fs",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return usageError{err}
			}
			if _, err := fleet.ParseSnapshot(b); err != nil {
				return usageError{fmt.Errorf("%s: %w", args[0], err)}
			}
			var s controlStatus
			if err := control(c.Context(), address, "POST", "/snapshot", bytes.NewReader(b), &s); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "fleet %s goes on at %s\n", s.Fleet, s.Time.Format(time.RFC3339))
			return nil
		},
	}
	controlFlag(c, &address)
	return c
}
