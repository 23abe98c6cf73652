package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smets1/cmd/internal/lab"
	"smets1/device/fleet"
)

type serveOptions struct {
	port      int
	addresses bool
	gateway   string
	headEnd   string
	pty       string
	state     string
	snapshot  string
	speed     string
	clock     string
	until     time.Duration
	live      bool
	awake     bool
	control   string
	json      bool
	log       string
	pace      bool
}

func newFleetServeCommand() *cobra.Command {
	o := serveOptions{}
	c := &cobra.Command{
		Use:   "serve MANIFEST",
		Short: "Run virtual homes for other programs to talk to, until Ctrl-C",
		Long: `serve runs the far side only: homes that answer DLMS on loopback, each on an
address of its own, and on pseudo-terminals where the manifest has link: hdlc or
link: optical. The latter want an IEC 62056-21 sign-on at 300 7E1 first (mode E).
It prints where each is. Their keys come from smets1 fleet handover.

With --gateway all homes answer on one port: there a request has the DLMS gateway
prefix E6 with network 1 and the EUI-64 of a hub or of a meter, and its reply E7.

Homes rest until somebody talks to them, but for those that the manifest calls live
(--live: all), whose devices run by themselves.

Time begins where the manifest says and goes by itself (--speed 60: an hour a minute),
or as fast as the machine can with --speed max, where it stands still while nothing is
due; or by steps, with --clock step and smets1 fleet step. smets1 fleet status, inspect,
wake, save and load speak to a running serve at --control.

There is no MQTT and no message centre here; smets1d has both. So hubs that sleep
are woken when they start and kept awake, by text messages that come when a real
centre's would (some 20 virtual seconds); --awake=false lets them sleep, and so do
--speed max and --clock step, where smets1 fleet wake does it.`,
		Example: `  smets1 fleet serve fleet.yaml
  smets1 fleet serve fleet.yaml --pty /tmp/lines    # then open serial:///tmp/lines/on-a-cable.tty?baud=9600
  smets1 fleet serve fleet.yaml --clock machine --state /var/tmp/homes
  smets1 fleet serve million.yaml --addresses=false --gateway 127.0.0.1:4060
  smets1 fleet serve fleet.yaml --live --speed max --for 24h`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), args[0], c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.IntVar(&o.port, "port", 4059, "TCP port of the homes; 0 takes a free one")
	f.BoolVar(&o.addresses, "addresses", true, "have each home answer on a loopback address of its own")
	f.StringVar(&o.gateway, "gateway", "", "address, like 127.0.0.1:4060, where all homes are reached by the DLMS gateway prefix (default: none)")
	f.StringVar(&o.headEnd, "head-end", "", "TCP address that the hubs of live homes call once a day; what is asked over the connection they answer (default: none)")
	f.StringVar(&o.pty, "pty", "", "folder for the serial lines of homes with link: hdlc or optical, as NAME.tty (default: none)")
	f.BoolVar(&o.pace, "pace", false, "let characters on the serial lines take the time that they take on a wire")
	f.StringVar(&o.state, "state", "", "folder that keeps what the devices acknowledged (default: memory)")
	f.StringVar(&o.snapshot, "snapshot", "", "file of smets1 fleet save to begin with (default: as the manifest and --state have it)")
	f.StringVar(&o.clock, "clock", "manifest", "time of the homes: manifest (begins where the manifest says), machine (the time now) or step (moves by smets1 fleet step)")
	f.StringVar(&o.speed, "speed", "1", "virtual seconds in a second, or max: as fast as the machine can")
	f.DurationVar(&o.until, "for", 0, "with --speed max: stop the time after so much of it (default: go on)")
	f.BoolVar(&o.live, "live", false, "all homes are live, whatever the manifest says")
	f.BoolVar(&o.awake, "awake", true, "keep hubs awake that sleep; fleets above 1000 homes sleep")
	f.StringVar(&o.control, "control", controlAddress, "loopback address at which orders are taken; empty for none")
	f.BoolVar(&o.json, "json", false, "print the homes as one line of JSON each")
	f.StringVar(&o.log, "log", "warn", "what to log to standard error: debug, info, warn or error")
	return c
}

// check says what is wrong with the options, and gives the factor of the time; 0 is none.
func (o *serveOptions) check() (factor float64, err error) {
	if o.port < 0 || o.port > 65535 {
		return 0, fmt.Errorf("--port %d: give 0 to 65535", o.port)
	}
	switch o.clock {
	case "manifest", "machine", "step":
	default:
		return 0, fmt.Errorf("--clock %q: use manifest, machine or step", o.clock)
	}
	switch {
	case o.clock != "manifest" && o.speed != "1":
		return 0, fmt.Errorf("--speed is for virtual time that goes by itself, and --clock %s has none", o.clock)
	case o.until != 0 && o.speed != "max":
		return 0, errors.New("--for is for --speed max")
	case o.until < 0:
		return 0, fmt.Errorf("--for %v: give a duration above 0", o.until)
	case o.clock == "machine" && o.snapshot != "":
		return 0, errors.New("--snapshot is for virtual time, and --clock machine has none")
	case o.clock == "step" || o.speed == "max":
		return 0, nil
	}
	factor, err = strconv.ParseFloat(o.speed, 64)
	if err != nil || !(factor > 0 && factor <= 3600) {
		return 0, fmt.Errorf("--speed %s: give a number above 0 and up to 3600, or max", o.speed)
	}
	return factor, nil
}

// mostListed is up to how many homes are listed unasked.
const mostListed = 1000

func (o *serveOptions) run(ctx context.Context, path string, stdout, stderr io.Writer) (err error) {
	log, err := newLogger(stderr, o.log)
	if err != nil {
		return err
	}
	factor, err := o.check()
	if err != nil {
		return usageError{err}
	}
	m, err := fleet.LoadManifest(path)
	if err != nil {
		return usageError{err}
	}
	var snap *fleet.Snapshot
	if o.snapshot != "" {
		b, err := os.ReadFile(o.snapshot)
		if err == nil {
			snap, err = fleet.ParseSnapshot(b)
		}
		if err != nil {
			return usageError{fmt.Errorf("--snapshot %s: %w", o.snapshot, err)}
		}
	}
	if o.pty != "" { // it stands in addresses, which have no folder to begin from
		if o.pty, err = filepath.Abs(o.pty); err != nil {
			return err
		}
	}
	// What runs stops when this function returns, after the goodbye, not with ctx.
	s := &serving{o: o, m: m, factor: factor, log: log, ctx: context.WithoutCancel(ctx), done: ctx.Done()}
	defer func() { err = errors.Join(err, s.close()) }()
	if o.state != "" {
		if s.state, err = lab.BeginState(s.ctx, o.state, lab.Root{}, log); err != nil {
			return err
		}
	}
	if err := s.open(snap); err != nil {
		return err
	}
	if m.Len() <= mostListed || o.json {
		if err := o.list(stdout, s.fleet); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(stderr, "smets1 fleet inventory %s lists the homes\n", path)
	}
	if o.control != "" {
		l, err := listenControl(ctx, o.control)
		if err != nil {
			return err
		}
		srv := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
		defer func() { _ = srv.Close() }()
		go func() { _ = srv.Serve(l) }()
		fmt.Fprintf(stderr, "orders at %s\n", l.Addr())
	}
	if a := s.fleet.GatewayAddr(); a != nil {
		fmt.Fprintf(stderr, "all homes at %s, by DLMS gateway prefix\n", a)
	}
	fmt.Fprintf(stderr, "%d homes; Ctrl-C ends them\n", m.Len())
	<-ctx.Done()
	return nil
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
