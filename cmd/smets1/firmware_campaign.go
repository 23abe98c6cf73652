package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smets1/gateway/topic"
	"smets1/internal/wire"
	"smets1/migration/engine"
)

func newFirmwareCampaignCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "campaign",
		Short: "Have the gateway upgrade many homes, in waves and windows",
		Long: `A campaign brings homes to a goal, each by its own plan: the gateway identifies
the home, orders the releases, and installs one after the other. It goes on by
itself, also after the gateway was stopped or killed, until every home is done,
failed with a cause, or skipped.

It works in waves (the next begins when one has ended), on so many homes at once,
begins steps in maintenance windows only, tries again by cause, and halts by
itself when too many homes fail. The images must be in the gateway's library;
each lies there once, under its digest.`,
		Example: `  smets1 firmware campaign start --id spring --releases releases/ --wave 10 --wave 100 --window 22:00-05:00 --halt-rate 0.05 --plan
  smets1 firmware campaign start --id spring --releases releases/ --wave 10 --wave 100 --window 22:00-05:00 --halt-rate 0.05
  smets1 firmware campaign status spring
  smets1 firmware campaign homes spring --failed`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newCampaignStartCommand(), newCampaignStatusCommand(), newCampaignHomesCommand())
	for _, op := range []struct{ op, short, long string }{
		{topic.CampaignPause, "Let steps at work end and begin no other", "pause lets the steps that run come to their end and begins no other, until resume."},
		{topic.CampaignResume, "Go on after a pause or a halt", "resume goes on. After a halt the homes that had ended do not count towards the next."},
		{topic.CampaignAbort, "Skip every home that is not at work", "abort skips every home that is not at work; those end the step that runs. It cannot be undone: begin another campaign."},
	} {
		c.AddCommand(newCampaignOpCommand(op.op, op.short, op.long))
	}
	return c
}

type campaignStart struct {
	brokerFlags
	goalOptions
	spec     topic.CampaignSpec
	releases string
	hubs     []string
	retry    []string
	plan     bool
	json     bool
}

func newCampaignStartCommand() *cobra.Command {
	o := campaignStart{}
	c := &cobra.Command{
		Use:   "start",
		Short: "Begin a campaign, or with --plan show what it would do",
		Long: `start gives the gateway the manifests of a folder and the goal, and begins. The
same command again is no error and begins nothing twice. With --plan nothing
begins: the homes (the first 100) are identified, and their plans printed.`,
		Example: `  smets1 firmware campaign start --id spring --releases releases/ --to esme=2.0 --plan
  smets1 firmware campaign start --id spring --releases releases/ --combination EPCL-7 --wave 10 --concurrency 50 --retry no-wan=8,1h`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), c.OutOrStdout()) },
	}
	o.brokerFlags.add(c)
	f := c.Flags()
	o.goalOptions.add(f)
	f.StringVar(&o.spec.ID, "id", "", "name of the campaign: up to 32 letters, digits, - and _")
	f.StringVar(&o.releases, "releases", ".", "folder of manifests")
	f.StringSliceVar(&o.hubs, "hub", nil, "EUI-64 of a home's hub (default: all of the gateway; repeatable)")
	f.IntSliceVar(&o.spec.Waves, "wave", nil, "homes in the next wave; the rest is the last (repeatable)")
	f.IntVar(&o.spec.Concurrency, "concurrency", 0, "homes at once (default 64)")
	f.StringSliceVar(&o.spec.Windows, "window", nil, "HH:MM-HH:MM, UTC, in which steps may begin (default: always; repeatable)")
	f.Float64Var(&o.spec.HaltRate, "halt-rate", 0, "halt when more than this part of the homes that ended failed (default: never)")
	f.IntVar(&o.spec.HaltAfter, "halt-after", 0, "homes that must have ended before the rate counts (default 20)")
	f.StringArrayVar(&o.retry, "retry", nil, "CODE=ATTEMPTS,WAIT: policy for a cause (default: 5 attempts, 10m between, for causes that may go away; repeatable)")
	f.BoolVar(&o.plan, "plan", false, "show the plans and begin nothing")
	f.BoolVar(&o.json, "json", false, "print the gateway's answer as JSON")
	return c
}

func (o *campaignStart) run(ctx context.Context, out io.Writer) error {
	if o.plan && o.spec.ID == "" {
		o.spec.ID = "plan"
	}
	goal, err := o.goal()
	if err != nil {
		return err
	}
	o.spec.Combination = goal.Combination
	for kind, version := range goal.Versions {
		if o.spec.To == nil {
			o.spec.To = map[string]string{}
		}
		o.spec.To[kind.String()] = version
	}
	releases, err := readReleases(o.releases)
	if err != nil {
		return err
	}
	for i := range releases {
		b, err := json.Marshal(&releases[i])
		if err != nil {
			return err
		}
		o.spec.Releases = append(o.spec.Releases, string(b))
	}
	for _, h := range o.hubs {
		eui, err := parseDevice(h)
		if err != nil {
			return err
		}
		o.spec.Hubs = append(o.spec.Hubs, eui)
	}
	for _, r := range o.retry {
		policy, err := parseRetry(r)
		if err != nil {
			return err
		}
		o.spec.Retry = append(o.spec.Retry, policy)
	}
	op := topic.CampaignStart
	if o.plan {
		op = topic.CampaignPlan
	}
	return askCampaign(ctx, out, &o.brokerFlags, topic.CampaignArgs{Op: op, Spec: &o.spec}, o.json)
}

func parseRetry(s string) (topic.CampaignRetry, error) {
	code, policy, ok1 := strings.Cut(s, "=")
	attempts, wait, ok2 := strings.Cut(policy, ",")
	n, err1 := strconv.Atoi(attempts)
	d, err2 := time.ParseDuration(wait)
	if !ok1 || !ok2 || err1 != nil || err2 != nil {
		return topic.CampaignRetry{}, usageError{fmt.Errorf("--retry %q: write CODE=ATTEMPTS,WAIT, as no-wan=8,1h", s)}
	}
	return topic.CampaignRetry{Code: topic.Code(code), Attempts: n, Wait: d.Seconds()}, nil
}

// askCampaign asks once and prints the answer.
func askCampaign(ctx context.Context, out io.Writer, b *brokerFlags, a topic.CampaignArgs, asJSON bool) error {
	remote, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer remote.Close()
	r, err := campaignAnswer(ctx, remote, a)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	printCampaigns(out, r.Campaigns)
	printHomes(out, r.Homes, false)
	return nil
}

func campaignAnswer(ctx context.Context, remote *engine.Remote, a topic.CampaignArgs) (topic.CampaignResult, error) {
	var r topic.CampaignResult
	err := ask(ctx, remote, wire.EUI64{}, topic.FleetCampaign, a, &r)
	return r, err
}

func newCampaignStatusCommand() *cobra.Command {
	var (
		b      brokerFlags
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "status [ID]",
		Short: "Show progress and forecast of a campaign, or of all",
		Example: `  smets1 firmware campaign status
  smets1 firmware campaign status spring --json | jq .campaigns[0].forecast`,
		Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return askCampaign(c.Context(), c.OutOrStdout(), &b, topic.CampaignArgs{Op: topic.CampaignStatus, ID: strings.Join(args, "")}, asJSON)
		},
	}
	b.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the gateway's answer as JSON")
	return c
}

func newCampaignOpCommand(op, short, long string) *cobra.Command {
	var (
		b      brokerFlags
		reason string
	)
	c := &cobra.Command{
		Use:     op + " ID",
		Short:   short,
		Long:    long,
		Example: "  smets1 firmware campaign " + op + " spring",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return askCampaign(c.Context(), c.OutOrStdout(), &b, topic.CampaignArgs{Op: op, ID: args[0], Reason: reason}, false)
		},
	}
	b.add(c)
	if op != topic.CampaignResume {
		c.Flags().StringVar(&reason, "reason", "", "why, for the report")
	}
	return c
}

func newCampaignHomesCommand() *cobra.Command {
	var (
		b              brokerFlags
		asJSON, failed bool
	)
	c := &cobra.Command{
		Use:   "homes ID",
		Short: "Show where each home of a campaign stands, and why",
		Example: `  smets1 firmware campaign homes spring --failed
  smets1 firmware campaign homes spring --json | jq -r 'select(.state=="failed") | .hub + " " + .code'`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			remote, err := b.dial(c.Context())
			if err != nil {
				return err
			}
			defer remote.Close()
			e := json.NewEncoder(c.OutOrStdout())
			for from := 0; ; {
				r, err := campaignAnswer(c.Context(), remote, topic.CampaignArgs{Op: topic.CampaignHomes, ID: args[0], From: from})
				if err != nil {
					return err
				}
				if !asJSON {
					printHomes(c.OutOrStdout(), r.Homes, failed)
				}
				for _, h := range r.Homes {
					if asJSON && (!failed || h.State == "failed") {
						if err := e.Encode(h); err != nil {
							return err
						}
					}
				}
				if from = r.Next; from == 0 {
					return nil
				}
			}
		},
	}
	b.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "one line of JSON per home, with plan and evidence")
	c.Flags().BoolVar(&failed, "failed", false, "only those that failed")
	return c
}

func printCampaigns(out io.Writer, all []topic.CampaignReport) {
	for _, r := range all {
		fmt.Fprintf(out, "%s: %s", r.ID, r.State)
		if r.Reason != "" {
			fmt.Fprintf(out, " (%s)", r.Reason)
		}
		fmt.Fprintf(out, ", wave %d of %d\n  %d homes: %d done, %d failed, %d skipped, %d working, %d waiting; %d steps done\n",
			r.Wave, r.Waves, r.Homes, r.Done, r.Failed, r.Skipped, r.Working, r.Waiting, r.Steps)
		for _, c := range r.Causes {
			fmt.Fprintf(out, "  %d × %s: %s\n", c.Homes, c.Code, c.Code.Info().Sentence)
		}
		fmt.Fprintf(out, "  began %s", stamp(r.Started))
		for _, t := range []struct {
			what string
			at   time.Time
		}{{"ended", r.Ended}, {"forecast", r.Forecast}, {"next step", r.Next}} {
			if !t.at.IsZero() {
				fmt.Fprintf(out, ", %s %s", t.what, stamp(t.at))
			}
		}
		fmt.Fprintln(out)
	}
}

func printHomes(out io.Writer, homes []topic.CampaignHome, failed bool) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, h := range homes {
		if failed && h.State != "failed" {
			continue
		}
		fmt.Fprintf(w, "%s\twave %d\t%s\tstep %d of %d\t%s\t%s\n", h.Hub, h.Wave, h.State, h.Step, len(h.Plan), dash(string(h.Code)), dash(h.Why))
		if h.State == "planned" {
			for i, s := range h.Plan {
				fmt.Fprintf(w, "\t%d. %s\t%s to %s\t%s\t\t\n", i+1, s.Role, s.From, s.Version, s.Why)
			}
		}
	}
	_ = w.Flush() // text for a person: who has gone does not read it
}
