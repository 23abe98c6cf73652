package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smets1/cmd/internal/lab"
	"smets1/device/fleet"
	"smets1/device/profile"
	"smets1/internal/clock"
)

type serveOptions struct {
	port    int
	pty     string
	state   string
	speed   float64
	machine bool
	awake   bool
	json    bool
	log     string
}

func newFleetServeCommand() *cobra.Command {
	o := serveOptions{}
	c := &cobra.Command{
		Use:   "serve MANIFEST",
		Short: "Run virtual homes for other programs to talk to, until Ctrl-C",
		Long: `serve runs the far side only: homes that answer DLMS on loopback, each on an
address of its own, and on pseudo-terminals where the manifest has link: hdlc.
It prints where each is. Their keys come from smets1 fleet handover.

There is no MQTT and no message centre here; smets1d has both. So hubs that sleep
are woken when they start and kept awake, by text messages that come when a real
centre's would (some 20 virtual seconds); --awake=false lets them sleep.`,
		Example: `  smets1 fleet serve fleet.yaml
  smets1 fleet serve fleet.yaml --pty /tmp/lines    # then open serial:///tmp/lines/on-a-cable.tty?baud=9600
  smets1 fleet serve fleet.yaml --clock machine --state /var/tmp/homes`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), args[0], c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.IntVar(&o.port, "port", 4059, "TCP port of the homes; 0 takes a free one")
	f.StringVar(&o.pty, "pty", "", "folder for the serial lines of homes with link: hdlc, as NAME.tty (default: none)")
	f.StringVar(&o.state, "state", "", "folder that keeps what the devices acknowledged (default: memory)")
	f.Float64Var(&o.speed, "speed", 1, "virtual seconds in a second")
	clockFlag(c, &o.machine)
	f.BoolVar(&o.awake, "awake", true, "keep hubs awake that sleep; fleets above 1000 homes sleep")
	f.BoolVar(&o.json, "json", false, "print the homes as one line of JSON each")
	f.StringVar(&o.log, "log", "warn", "what to log to standard error: debug, info, warn or error")
	return c
}

// clockFlag adds the choice of a clock.
func clockFlag(c *cobra.Command, machine *bool) {
	c.Flags().Func("clock", "time of the homes: manifest (begins where the manifest says) or machine (the time now) (default manifest)", func(s string) error {
		switch s {
		case "manifest", "machine":
			*machine = s == "machine"
			return nil
		default:
			return errors.New("use manifest or machine")
		}
	})
}

func (o *serveOptions) run(ctx context.Context, path string, stdout, stderr io.Writer) (err error) {
	log, err := newLogger(stderr, o.log)
	if err != nil {
		return err
	}
	if !(o.speed > 0 && o.speed <= 3600) {
		return usageError{fmt.Errorf("--speed %v: give a number above 0 and up to 3600", o.speed)}
	}
	if o.machine && o.speed != 1 {
		return usageError{errors.New("--speed is for virtual time, and --clock machine has none")}
	}
	if o.port < 0 || o.port > 65535 {
		return usageError{fmt.Errorf("--port %d: give 0 to 65535", o.port)}
	}
	m, err := fleet.LoadManifest(path)
	if err != nil {
		return usageError{err}
	}
	if o.pty != "" { // it stands in addresses, which have no folder to begin from
		if o.pty, err = filepath.Abs(o.pty); err != nil {
			return err
		}
	}
	fo := fleet.Options{Listen: true, Port: o.port, PTYDir: o.pty, Logger: log}
	if o.port == 0 {
		fo.Port = -1
	}
	// What runs stops when this function returns, after the goodbye, not with ctx.
	base := context.WithoutCancel(ctx)
	closeTime, err := o.time(base, m, &fo, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeTime()) }()
	f, err := fleet.Open(base, m, fo)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := o.list(stdout, f); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%d homes; Ctrl-C ends them\n", m.Len())
	if o.awake && m.Len() <= mostAwake {
		keepAwake(ctx, f, fo.Clock)
	}
	<-ctx.Done()
	return nil
}

// mostAwake is up to how many homes are kept awake: a home that is looked at exists,
// and there may be a million of which few are wanted.
const mostAwake = 1000

// keepAwake sends text messages to the hubs that sleep, until ctx is done.
func keepAwake(ctx context.Context, f *fleet.Fleet, c clock.Clock) {
	for {
		for e := range f.Inventory() {
			st, err := f.Status(e.Name)
			if err != nil || st.Awake {
				continue
			}
			for range profile.Wake(e.WakeUp).Messages() {
				_ = f.SMS(ctx, e.MSISDN) // the next round makes up for it
			}
		}
		if c.Sleep(ctx, time.Minute) != nil {
			return
		}
	}
}

// time gives the homes their clock and their memory.
func (o *serveOptions) time(ctx context.Context, m *fleet.Manifest, fo *fleet.Options, log *slog.Logger) (closer func() error, err error) {
	if o.machine {
		fo.Clock = clock.Real()
	} else {
		fo.Clock = clock.NewScaled(m.StartTime(), o.speed)
	}
	if o.state == "" {
		return func() error { return nil }, nil
	}
	st, err := lab.BeginState(ctx, o.state, lab.Root{}, log)
	if err != nil {
		return nil, err
	}
	closer = st.Close
	if !o.machine {
		c, err := lab.OpenClock(ctx, st.Store, m.StartTime(), o.speed)
		if err != nil {
			return nil, errors.Join(err, closer())
		}
		fo.Clock = c
		closer = func() error {
			c.Close()
			return st.Close()
		}
	}
	nv, err := lab.NV(ctx, st.Store)
	if err != nil {
		return nil, errors.Join(err, closer())
	}
	fo.NV = nv
	return closer, nil
}

func (o *serveOptions) list(out io.Writer, f *fleet.Fleet) error {
	if o.json {
		e := json.NewEncoder(out)
		for x := range f.Inventory() {
			if err := e.Encode(x); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOME\tADDRESS\tHUB\tDEVICES")
	for x := range f.Inventory() {
		address := x.Address
		if address == "" {
			address = "none: give its line a folder by --pty"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t", x.Name, address, x.Devices[0].EUI)
		for i, d := range x.Devices[1:] {
			if i > 0 {
				fmt.Fprint(w, " ")
			}
			fmt.Fprintf(w, "%s=%s", d.Type, d.EUI)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// since puts a time into few words.
func since(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return now.Sub(t).Round(time.Second).String() + " ago"
}
