package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/wire"
	"smets1/migration/engine"
)

func newJobsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "jobs",
		Short: "See the commands of a gateway, stop them, and settle those in doubt",
		Long: `jobs asks a gateway over MQTT for its commands.

A result in doubt means that a step which cannot be undone may or may not have
happened: the gateway could not prove either, and does not try again. It stands in
the list until a person has looked at the device and says what is true:

  smets1 jobs indoubt
  smets1 keys check --ask HUB            (or identify, or the meter itself)
  smets1 jobs resolve ID --outcome done --note "new key version read back"

The result itself stays as it was; who said what goes into the audit.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newJobsListCommand("open", topic.JobsOpen, "List the commands that have not ended"),
		newJobsListCommand("indoubt", topic.JobsInDoubt, "List the results that wait for a person"), newJobsCancelCommand(), newJobsResolveCommand())
	return c
}

// askFleet sends a query to the fleet and decodes its result.
func askFleet(ctx context.Context, r *engine.Remote, v topic.Verb, args, result any) error {
	cmd, err := topic.NewCommand("cli-"+rand.Text(), wire.EUI64{}, v, args)
	if err != nil {
		return err
	}
	cmd.Deadline = clock.Real().Now().Add(time.Minute)
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, fmt.Errorf("no answer to %s: is a gateway of this fleet online?", v))
	defer cancel()
	res, err := r.Call(ctx, cmd, nil)
	if err != nil {
		return err
	}
	if res.Status != topic.StatusDone {
		return resultError{res}
	}
	return res.Decode(result)
}

func newJobsListCommand(name, which, short string) *cobra.Command {
	var o brokerFlags
	var hub string
	var asJSON bool
	c := &cobra.Command{
		Use: name, Short: short, Args: usageArgs(cobra.NoArgs),
		Example: "  smets1 jobs " + name + " --hub 00-DB-53-00-00-00-00-01",
		RunE: func(c *cobra.Command, _ []string) error {
			a := topic.JobsArgs{Which: which}
			if hub != "" {
				var err error
				if a.Hub, err = wire.ParseEUI64(hub); err != nil {
					return usageError{fmt.Errorf("--hub: %w", err)}
				}
			}
			r, err := o.dial(c.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			return listJobs(c.Context(), c.OutOrStdout(), r, a, asJSON)
		},
	}
	o.add(c)
	c.Flags().StringVar(&hub, "hub", "", "only of this hub")
	c.Flags().BoolVar(&asJSON, "json", false, "a line of JSON each")
	return c
}

func listJobs(ctx context.Context, w io.Writer, r *engine.Remote, a topic.JobsArgs, asJSON bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(t, "ID\tHUB\tVERB\tDEVICE\tSTATUS\tACCEPTED\tTELLS")
	}
	for {
		var page topic.JobsResult
		if err := askFleet(ctx, r, topic.FleetJobs, a, &page); err != nil {
			return err
		}
		for _, j := range page.Jobs {
			if asJSON {
				if err := json.NewEncoder(w).Encode(j); err != nil {
					return err
				}
				continue
			}
			tells := j.Result.Message.String()
			if j.Result.Progress != nil {
				tells = progressLine(*j.Result.Progress)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", j.Result.ID, j.Result.Hub, j.Result.Verb, j.Result.Device, j.Result.Status, j.Accepted.Format("2006-01-02 15:04:05"), tells)
		}
		if page.Next == "" {
			return t.Flush()
		}
		a.After = page.Next
	}
}

func newJobsCancelCommand() *cobra.Command {
	var o brokerFlags
	c := &cobra.Command{
		Use: "cancel ID", Short: "Ask a command to stop",
		Long: `cancel ends a command that waits. One that runs is asked to stop and ends as its
verb allows: a step that cannot be undone is seen through. Its own result tells.`,
		Example: "  smets1 jobs cancel campaign-7/00-DB-53-00-00-00-00-01",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := o.dial(c.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			var was topic.CancelResult
			if err := askFleet(c.Context(), r, topic.FleetCancel, topic.CancelArgs{ID: args[0]}, &was); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s was %s\n", args[0], was.Status)
			return nil
		},
	}
	o.add(c)
	return c
}

func newJobsResolveCommand() *cobra.Command {
	var o brokerFlags
	a := topic.ResolveArgs{}
	c := &cobra.Command{
		Use: "resolve ID", Short: "Say what is true of a result in doubt",
		Example: `  smets1 jobs resolve takeover-12 --outcome failed --note "meter still opens with the old keys"`,
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			a.ID = args[0]
			if a.By == "" {
				a.By = userName()
			}
			r, err := o.dial(c.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			var said topic.ResolveResult
			if err := askFleet(c.Context(), r, topic.FleetResolve, a, &said); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: %s, says %s: %s\n", said.ID, said.Resolution.Outcome, said.Resolution.By, said.Resolution.Note)
			return nil
		},
	}
	o.add(c)
	f := c.Flags()
	f.StringVar(&a.Outcome, "outcome", "", "done or failed: what was found to be true")
	f.StringVar(&a.Note, "note", "", "how it was found out")
	f.StringVar(&a.By, "by", "", "who found out (default: the user of this machine)")
	for _, name := range []string{"outcome", "note"} {
		_ = c.MarkFlagRequired(name)
	}
	return c
}
