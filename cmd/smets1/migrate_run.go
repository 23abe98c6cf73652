package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smets1/cmd/internal/lab"
	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/engine"
)

type migrateRunDay struct {
	brokerFlags
	tools      *migrateTools
	input, out string
	state      string
	keys       string
	handover   string
	endpoint   string
	days       int
	at         int
	log        string
}

func newMigrateRunDayCommand(m *migrateTools) *cobra.Command {
	r := &migrateRunDay{tools: m}
	c := &cobra.Command{
		Use:   "run-day",
		Short: "Do what is due today: validate, test, take over and commission homes over MQTT",
		Long: `run-day takes in what is new in --input, plans, tells the suppliers of dormant
meters, and takes the homes that are due through preparation, data validation,
device testing, key take-over and commissioning. It reaches them over MQTT alone,
through any gateway that speaks the contract: smets1d, or somebody else's.

Ctrl-C stops it between two steps; so may a crash or a loss of power anywhere. The
same command goes on where it was: a command that was asked for is not run again, a
file that was issued is not written again. One engine at a time may have --state.

What it writes to --out: files/ (every document), parties/ (what each role has
received), status.json (see migrate status), outcome, audit trail and reports.

Where the fleet's time is virtual, days in which nothing is due are skipped.`,
		Example: `  smets1d --config lab.yaml &
  smets1 migrate run-day --fleet lab --input programme --state migration --out out
  smets1 migrate run-day --fleet lab --input programme --state migration --out out --days 7
  smets1 migrate status --run out`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return r.run(c) },
	}
	r.add(c)
	f := c.Flags()
	f.StringVar(&r.input, "input", demoInputs, "folder of the programme's files")
	f.StringVar(&r.out, "out", "out", "folder for documents, status and reports")
	f.StringVar(&r.state, "state", "migration", "folder with the engine's memory")
	f.StringVar(&r.keys, "pki", "", "folder of migrate pki: the roles' certificates and keys (default: made in --state)")
	f.StringVar(&r.handover, "handover", "", "the operator's key handover file, to be sealed into the encrypted files")
	f.StringVar(&r.endpoint, "endpoint", "", "head end that migrated hubs are pointed to, host:port (default: s1sp.example:4059)")
	f.IntVar(&r.days, "days", 1, "how many days, today included; 0 goes on until nothing is left to do")
	f.IntVar(&r.at, "at-once", 64, "how many homes are worked on at once")
	f.StringVar(&r.log, "log", "warn", "what to log to standard error: debug, info, warn or error")
	return c
}

func (r *migrateRunDay) run(c *cobra.Command) (err error) {
	if r.days < 0 {
		return usageError{fmt.Errorf("--days %d: 0 or more", r.days)}
	}
	ctx := c.Context()
	log, err := newLogger(c.ErrOrStderr(), r.log)
	if err != nil {
		return err
	}
	specs, cal, err := r.tools.open()
	if err != nil {
		return err
	}
	st, err := lab.BeginState(ctx, r.state, lab.Root{}, log)
	if err != nil {
		return usageError{err}
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	remote, err := r.dial(ctx)
	if err != nil {
		return err
	}
	defer remote.Close()
	waiting, cancel := context.WithTimeout(ctx, r.connect)
	defer cancel()
	if err := remote.AwaitGateway(waiting); err != nil {
		return err
	}
	show := newProgress(c.OutOrStdout())
	cfg := engine.Config{
		Inputs: r.input, Out: r.out, Specs: specs, Calendar: cal, Gateway: remote, Store: st.Store, Sole: true, Endpoint: r.endpoint,
		Concurrency: r.at, Observe: show.observe, Log: log,
	}
	if cfg.Clock, err = fleetClock(ctx, remote); err != nil {
		return err
	}
	if cfg.Passwords, err = r.passwords(); err != nil {
		return err
	}
	if cfg.Custody, err = lab.OpenCustody(r.handover); err != nil {
		return usageError{err}
	}
	if r.keys != "" {
		if cfg.Roles, err = roles(r.keys); err != nil {
			return err
		}
	} else if cfg.PKI, err = lab.PKISource(st.Root); err != nil {
		return err
	}
	e, err := engine.Open(ctx, cfg)
	if err != nil {
		return usageError{err}
	}
	for _, p := range e.Problems() {
		show.say("  %v", p)
	}
	until := time.Time{}
	if r.days > 0 {
		y, m, d := cfg.Clock.Now().UTC().Date()
		until = time.Date(y, m, d+r.days, 0, 0, 0, 0, time.UTC)
	}
	err = e.RunUntil(ctx, until)
	if err == nil || errors.Is(err, context.Canceled) {
		err = errors.Join(err, e.Report(context.WithoutCancel(ctx), "smets1 "+version()))
	}
	show.say("")
	if werr := writeStatus(c.OutOrStdout(), e.Status()); werr != nil {
		return errors.Join(err, werr)
	}
	if errors.Is(err, context.Canceled) {
		show.say("stopped; the same command goes on from here")
	}
	return err
}

// passwords opens encrypted password files with the requesting party's key; with no keys they are plain.
func (r *migrateRunDay) passwords() (document.PasswordCodec, error) {
	codec, err := passwordKey(r.keys)
	if sealed, ok := codec.(document.SealedPassword); ok {
		sealed.AllowPlain = true // a rehearsal's
		return sealed, err
	}
	return codec, err
}

// fleetClock gives the time of a fleet: the machine's, or a virtual one that runs beside it. A gateway that knows no
// such thing is one of real hubs.
func fleetClock(ctx context.Context, remote *engine.Remote) (clock.Clock, error) {
	cmd, err := topic.NewCommand("clock-"+clock.Real().Now().Format("20060102T150405.000000000"), wire.EUI64{}, topic.FleetClock, topic.FleetClockArgs{})
	if err != nil {
		return nil, err
	}
	res, err := remote.Call(ctx, cmd, nil)
	if err != nil {
		return nil, err
	}
	var t topic.FleetClockResult
	if res.Err() != nil || res.Decode(&t) != nil || !t.Virtual {
		return clock.Real(), nil
	}
	return clock.NewScaled(t.Time, max(t.Factor, 1)), nil
}

func newMigrateStatusCommand() *cobra.Command {
	run, asJSON, watch := "", false, time.Duration(0)
	c := &cobra.Command{
		Use:   "status",
		Short: "Tell where a run stands: homes by state, what is due, what waits for a person",
		Long: `status reads what an engine keeps in the output folder of its run, also while it
works. Homes that wait for a person are listed with their code, who must act, and what
to do; migrate explain tells the whole story of one.`,
		Example: `  smets1 migrate status --run out
  smets1 migrate status --run out --watch 2s`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for {
				s, err := engine.ReadStatus(run)
				if err != nil {
					return usageError{err}
				}
				if asJSON {
					e := json.NewEncoder(c.OutOrStdout())
					e.SetIndent("", "  ")
					err = e.Encode(s)
				} else {
					err = writeStatus(c.OutOrStdout(), s)
				}
				if err != nil || watch <= 0 || !s.Finished.IsZero() {
					return err
				}
				if err := clock.Real().Sleep(c.Context(), watch); err != nil {
					return nil //nolint:nilerr // Ctrl-C is how watching ends
				}
			}
		},
	}
	c.Flags().StringVar(&run, "run", "out", "output folder of the run")
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	c.Flags().DurationVar(&watch, "watch", 0, "tell again at this interval until the run is finished")
	return c
}

// mostAttention is how many homes that wait for a person are shown.
const mostAttention = 20

func writeStatus(w io.Writer, s engine.Status) error {
	state := "under way, last: " + s.Phase
	switch {
	case !s.Finished.IsZero():
		state = "finished " + s.Finished.Format("2006-01-02 15:04")
	case s.Phase == "":
		state = "open"
	}
	fmt.Fprintf(w, "run %s, %s; it is %s UTC\n", s.Run, state, s.AsAt.Format("Mon 2006-01-02 15:04"))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nSTATE\tPHASE\tHOMES")
	for _, x := range s.States {
		fmt.Fprintf(t, "%s\t%s\t%d\n", x.State, x.Phase, x.Homes)
	}
	if len(s.Due) > 0 {
		fmt.Fprintln(t, "\nDUE\t\tHOMES")
		for n, x := range s.Due {
			if n == 14 {
				fmt.Fprintf(t, "… %d more days\t\t\n", len(s.Due)-n)
				break
			}
			fmt.Fprintf(t, "%s\t\t%d\n", x.Day, x.Homes)
		}
	}
	if len(s.Codes) > 0 {
		fmt.Fprintln(t, "\nCODE\t\tHOMES\t")
		for _, x := range s.Codes {
			fmt.Fprintf(t, "%s\t\t%d\t%s\n", x.Code, x.Homes, x.Sentence)
		}
	}
	if s.Waiting > 0 {
		fmt.Fprintln(t, "\nWAITS FOR A PERSON\tSTATE\tCODE\tWHO: WHAT TO DO")
		for n, x := range s.Attention {
			if n == mostAttention {
				fmt.Fprintf(t, "… %d more\t\t\t\n", s.Waiting-n)
				break
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s: %s\n", x.Home, x.State, x.Code, x.Owner, x.Remedy)
		}
	}
	return t.Flush()
}
