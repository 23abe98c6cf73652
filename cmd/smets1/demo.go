package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smets1/cmd/internal/lab"
	"smets1/device/fleet"
	"smets1/firmware"
	"smets1/gateway/broker"
	"smets1/gateway/keystore"
	"smets1/internal/clock"
	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/engine"
	"smets1/migration/lifecycle"
	"smets1/transport/capture"
	"smets1/transport/radio"
	"smets1/zigbee/security"
)

type demoOptions struct {
	input  string
	out    string
	state  string
	homes  int
	seed   uint64
	speed  float64
	listen string
	broker string
	port   int
	stay   bool
	log    string

	homesSet, seedSet bool
}

func newDemoCommand() *cobra.Command {
	o := demoOptions{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Take virtual homes from a Migration Authorisation to commissioned",
		Long: `demo runs the whole migration in one process, on loopback: a fleet of virtual
homes (hubs, electricity and gas meters) that speak DLMS/COSEM, a gateway with
an embedded MQTT broker, and the migration engine as an MQTT client.

It reads the files in --input, which a person can edit, and writes the outcome
report, the audit trail, the file set and a capture to --out. With --homes or
--seed the files are made anew for another fleet, in OUT/input.

Some homes are made to fail, each in its own way, and the demo succeeds when
every home ends where its own kind must: commissioned, or left with its
operator with nothing lost. Then, and only then, the exit status is 0.

With --state the run can be killed at any point and started again with the same
folder; it goes on where it was.`,
		Example: `  smets1 demo
  smets1 demo --homes 500 --speed 600
  smets1 demo --state /var/tmp/demo        # kill it, start it again
  smets1 demo --stay                       # then point a DLMS or MQTT client at it`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.homesSet, o.seedSet = c.Flags().Changed("homes"), c.Flags().Changed("seed")
			return o.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.input, "input", filepath.Join("testdata", "migration", "demo"), "folder of the programme's files and the fleet manifest")
	f.StringVar(&o.out, "out", "out", "folder for the results; what an earlier demo left there is replaced")
	f.StringVar(&o.state, "state", "", "folder that keeps everything over restarts (default: a temporary one, removed at the end)")
	f.IntVar(&o.homes, "homes", 0, "number of homes, in the proportions of the manifest (default: as in the manifest)")
	f.Uint64Var(&o.seed, "seed", 0, "seed of identities, keys and loads (default: as in the manifest)")
	f.Float64Var(&o.speed, "speed", 120, "virtual seconds in a second, while something happens; days in which nothing does are skipped")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "address of the embedded MQTT broker; port 0 takes a free one")
	f.StringVar(&o.broker, "broker", "", "URL of another MQTT broker to use, like tcp://127.0.0.1:1883 (default: the embedded one)")
	f.IntVar(&o.port, "dlms-port", 4059, "TCP port of the homes, each on a loopback address of its own; 0 takes a free one")
	f.BoolVar(&o.stay, "stay", false, "keep homes, gateway and broker running afterwards, until Ctrl-C")
	f.StringVar(&o.log, "log", "warn", "what to log to standard error: debug, info, warn or error")
	return c
}

// fleetName is the fleet's name in the MQTT topics.
const fleetName = "demo"

// operator is whose keys the homes have before they are migrated.
const operator = "SMSO"

func (o *demoOptions) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	began := clock.Real().Now()
	log, err := newLogger(stderr, o.log)
	if err != nil {
		return err
	}
	if !(o.speed > 0 && o.speed <= 3600) {
		return usageError{fmt.Errorf("--speed %v: give a number above 0 and up to 3600", o.speed)}
	}
	manifest, err := o.manifest()
	if err != nil {
		return err
	}
	d := &demo{o: o, log: log, show: newProgress(stdout), stdout: stdout}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.folders(); err != nil {
		return err
	}
	if err := d.start(ctx, manifest); err != nil {
		return err
	}
	d.show.say("%d homes at 127.x.y.z:%d, MQTT at %s, 1 second is %s", manifest.Len(), d.port, d.url, (time.Duration(o.speed) * time.Second).String())
	if err := d.migrate(ctx); err != nil {
		return err
	}
	result := d.finish(ctx)
	d.show.say("\n%d homes in %s; results in %s%c", manifest.Len(), clock.Real().Now().Sub(began).Round(100*time.Millisecond), o.out, filepath.Separator)
	if o.stay && ctx.Err() == nil {
		d.show.say("%s", d.look())
		<-ctx.Done()
	}
	return result
}

func newLogger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usageError{fmt.Errorf("--log %q: use debug, info, warn or error", level)}
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l})), nil
}

// manifest reads the fleet that is asked for.
func (o *demoOptions) manifest() (*fleet.Manifest, error) {
	path := filepath.Join(o.input, lab.ManifestName)
	m, err := fleet.LoadManifest(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, usageError{fmt.Errorf("%w: run from a clone of the project, or name a folder with %s by --input", err, lab.ManifestName)}
	}
	if err != nil {
		return nil, usageError{err}
	}
	if o.seedSet {
		m.Seed = o.seed
	}
	if o.homesSet {
		if err := m.Resize(o.homes); err != nil {
			return nil, usageError{fmt.Errorf("--homes %d: %w", o.homes, err)}
		}
	}
	return m, nil
}

// demo is everything that runs, in the order in which it was started; it is
// stopped in the reverse order.
type demo struct {
	o      *demoOptions
	log    *slog.Logger
	show   *progress
	stdout io.Writer

	state   string
	inputs  string
	url     string
	port    int
	clock   lab.Clock
	fleet   *fleet.Fleet
	gateway *lab.Gateway
	remote  *engine.Remote
	engine  *engine.Engine
	names   map[wire.EUI64]string
	air     lab.AirFile
	onAir   []string // homes whose air is recorded

	closers []func() error
}

func (d *demo) onClose(f func() error) { d.closers = append(d.closers, f) }

func (d *demo) close() error {
	var errs []error
	for n := len(d.closers) - 1; n >= 0; n-- {
		errs = append(errs, d.closers[n]())
	}
	return errors.Join(errs...)
}

// marker is in a folder that a demo made, so that no other is ever emptied.
const marker = ".smets1-demo"

// folders makes the state and output folders. Results of an earlier demo give
// way, unless this is a run that goes on.
func (d *demo) folders() error {
	d.state = d.o.state
	resumed := false
	if d.state == "" {
		dir, err := os.MkdirTemp("", "smets1-demo-")
		if err != nil {
			return err
		}
		d.state = dir
		d.onClose(func() error { return os.RemoveAll(dir) })
	} else {
		if err := os.MkdirAll(d.state, 0o700); err != nil {
			return err
		}
		_, err := os.Stat(filepath.Join(d.state, marker))
		resumed = err == nil
	}
	if !resumed {
		if err := emptyOut(d.o.out); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(d.o.out, 0o755); err != nil {
		return err
	}
	return errors.Join(touch(filepath.Join(d.o.out, marker)), touch(filepath.Join(d.state, marker)))
}

func touch(path string) error { return os.WriteFile(path, nil, 0o600) }

func emptyOut(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, marker)); err != nil {
		return usageError{fmt.Errorf("%s has files that no demo made: choose another folder by --out", dir)}
	}
	return os.RemoveAll(dir)
}

// start brings up broker, time, homes and gateway.
func (d *demo) start(ctx context.Context, m *fleet.Manifest) error {
	b, err := broker.Start(ctx, broker.Config{StateDir: filepath.Join(d.state, "nats"), Listen: d.o.listen, Log: d.log})
	if err != nil {
		return err
	}
	d.onClose(b.Close)
	d.url = b.URL()
	if d.o.broker != "" {
		d.url = d.o.broker
	}
	s, err := b.Store()
	if err != nil {
		return err
	}
	root, err := keystore.RootFile(filepath.Join(d.state, "root.key"))
	if err != nil {
		return err
	}
	// The clock saves from a context of its own: it stops after everything
	// that needs the time.
	if d.clock, err = lab.OpenClock(context.WithoutCancel(ctx), s, m.StartTime(), d.o.speed); err != nil {
		return err
	}
	d.onClose(func() error { d.clock.Close(); return nil })

	nv, err := lab.NV(context.WithoutCancel(ctx), s)
	if err != nil {
		return err
	}
	if d.port = d.o.port; d.port == 0 {
		d.port = -1
	}
	air, err := d.recordAir(m)
	if err != nil {
		return err
	}
	if d.fleet, err = fleet.Open(context.WithoutCancel(ctx), m, fleet.Options{
		Clock: d.clock, NV: nv, Listen: true, Port: d.port, PTYDir: filepath.Join(d.state, "tty"), Logger: d.log,
		RadioTap: air, RadioHomes: d.onAir,
	}); err != nil {
		return err
	}
	d.onClose(d.fleet.Close)
	d.names = map[wire.EUI64]string{}
	for e := range d.fleet.Inventory() {
		d.names[e.Devices[0].EUI] = e.Name
		if a, err := net.ResolveTCPAddr("tcp", strings.TrimPrefix(e.Address, "tcp://")); err == nil {
			d.port = a.Port
		}
	}

	d.inputs = d.o.input
	if d.o.homesSet || d.o.seedSet {
		d.inputs = filepath.Join(d.o.out, "input")
		if _, err := os.Stat(filepath.Join(d.inputs, "releases.csv")); err != nil { // written last
			if err := os.MkdirAll(d.inputs, 0o755); err != nil {
				return err
			}
			if err := lab.WriteInputs(d.inputs, d.fleet); err != nil {
				return err
			}
		}
	}
	library, err := firmware.OpenLibrary(filepath.Join(d.state, "firmware"))
	if err != nil {
		return err
	}
	if _, err := lab.ImportImages(filepath.Join(d.inputs, lab.FirmwareDir), library); err != nil {
		return usageError{err}
	}

	record, err := capture.Create(filepath.Join(d.o.out, "demo.pcapng"), d.clock)
	if err != nil {
		return err
	}
	d.onClose(record.Close)
	d.gateway, err = lab.StartGateway(ctx, lab.GatewayConfig{
		Broker: d.url, Fleet: fleetName, Node: "gateway-1", Store: s, Root: root, Clock: d.clock, Library: library,
		Hubs: lab.Hubs(d.fleet), Waker: waker{d.fleet}, Advance: d.clock.AdvanceTo, Factor: d.o.speed,
		// Homes and gateway share this machine and its hurried time.
		KeyChanges: 2 * runtime.NumCPU(),
		Tap:        lab.CaptureTap(record), Version: version(), Log: d.log,
	}, func(keys *keystore.Store) error { return lab.Handover(ctx, d.fleet, keys, operator, d.clock.Now()) })
	if err != nil {
		return err
	}
	d.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		return d.gateway.Close(ctx)
	})

	if d.remote, err = engine.Dial(ctx, engine.RemoteConfig{Broker: d.url, Fleet: fleetName, Client: "engine", Log: d.log}); err != nil {
		return err
	}
	d.onClose(func() error { d.remote.Close(); return nil })
	if err := d.remote.AwaitGateway(ctx); err != nil {
		return err
	}
	random, err := lab.PKISource(root)
	if err != nil {
		return err
	}
	d.engine, err = engine.Open(ctx, engine.Config{
		Inputs: d.inputs, Out: d.o.out, Gateway: d.remote, Store: s, Sole: true, Clock: d.clock, PKI: random,
		Custody:     lab.StoreCustody(d.gateway.Keys, operator),
		WakeTimeout: 5 * time.Minute, Observe: d.show.observe, Log: d.log,
	})
	if err != nil {
		return usageError{err}
	}
	return nil
}

// recorded is of how many homes the air is recorded: enough to see everything that goes over one.
const recorded = 3

// recordAir captures the air of a few homes.
func (d *demo) recordAir(m *fleet.Manifest) (func(string, radio.Frame), error) {
	path := filepath.Join(d.o.out, "han.pcapng")
	w, err := capture.Create(path, d.clock)
	if err != nil {
		return nil, err
	}
	d.onClose(w.Close)
	d.air = lab.CreateAirFile(path, w)
	homes := map[string]*capture.Radio{}
	for i := range min(recorded, len(m.Homes)) {
		name := m.Homes[i].Name
		d.onAir, homes[name] = append(d.onAir, name), w.NewRadioTap(name)
	}
	return func(home string, f radio.Frame) { homes[home].Take(f) }, nil
}

// airKeys puts the keys beside the capture of the air.
func (d *demo) airKeys() error {
	var keys []security.Key
	for _, name := range d.onAir {
		k, err := d.fleet.RadioKeys(name)
		if err != nil {
			return err
		}
		keys = append(keys, k...)
	}
	return d.air.WriteKeys(keys)
}

// waker is the message centre of the virtual homes.
type waker struct{ fleet *fleet.Fleet }

func (w waker) Wake(ctx context.Context, msisdn string) error { return w.fleet.SMS(ctx, msisdn) }

// migrate runs the programme to its end.
func (d *demo) migrate(ctx context.Context) error {
	for _, p := range d.engine.Problems() {
		d.show.say("  %v", p)
	}
	return d.engine.Run(ctx)
}

// finish writes the reports, prints the table and judges the run.
func (d *demo) finish(ctx context.Context) error {
	outcomes := d.engine.Outcomes()
	w := tabwriter.NewWriter(d.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nHOME\tHUB\tCOHORT\tSTATUS\tPHASE REACHED\tOUTCOME\tCODE\tATTEMPTS\tVIRTUAL TIME")
	count := map[string]int{}
	var errs []error
	for _, x := range outcomes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", d.names[x.Home], x.Home, x.Cohort, strings.ToLower(string(x.Status)),
			engine.PhaseReached(x), x.Outcome, dash(x.Code), x.Attempts, dash(duration(x.Duration)))
		count[string(x.Outcome)]++
		if !x.State.Settled() {
			errs = append(errs, fmt.Errorf("%s is left in state %s", d.names[x.Home], x.State))
		}
		if x.State == lifecycle.ManualIntervention && x.Code == "XRB01" {
			errs = append(errs, fmt.Errorf("%s could not be rolled back: %s", d.names[x.Home], x.Detail))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(d.stdout, "\n%d commissioned, %d without their gas meter, %d failed, %d not attempted\n",
		count["Commissioned"], count["PartiallyCommissioned"], count["Failed"], count["NotAttempted"])
	errs = append(errs, d.airKeys())
	errs = append(errs, d.engine.Report(ctx, "smets1 "+version()))
	errs = append(errs, d.verify(ctx, outcomes)...)
	return errors.Join(errs...)
}

// verify holds the homes themselves against what the engine says of them: each
// ends where its kind must, and each device is under the one set of keys that
// the outcome names, in the key store as on the device.
func (d *demo) verify(ctx context.Context, outcomes []engine.Outcome) []error {
	var errs []error
	for _, x := range outcomes {
		name := d.names[x.Home]
		st, err := d.fleet.Status(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if want, ok := expected(name, st.Faults, x); !ok {
			errs = append(errs, fmt.Errorf("%s: %s %s %s; it should have been %s", name, x.Outcome, x.Code, x.Detail, want))
		}
		for _, dev := range st.Devices {
			if err := d.verifyKeys(ctx, x, st.Faults, dev); err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: %w", name, dev.Type, err))
			}
		}
	}
	return errs
}

// expected tells whether a home ended where its kind must.
func expected(name string, faults []string, x engine.Outcome) (want string, ok bool) {
	fault := ""
	if len(faults) > 0 {
		fault, _, _ = strings.Cut(faults[0], ":")
	}
	is := func(o document.CommissioningOutcome, code string) bool { return x.Outcome == o && x.Code == code }
	switch {
	case fault == string(fleet.FaultNoWAN):
		return "NotAttempted XPC04", is(document.NotAttempted, "XPC04") && x.State == lifecycle.Excluded
	case fault == string(fleet.FaultGasSilent):
		return "PartiallyCommissioned or Failed, with GT01",
			is(document.PartiallyCommissioned, "GT01") || is(document.CommissioningFailed, "GT01") && x.State == lifecycle.Blocked
	case fault == string(fleet.FaultWrongKey):
		return "Failed XVB05", is(document.CommissioningFailed, "XVB05") || is(document.NotAttempted, "XVB05")
	case strings.HasSuffix(name, "corrupt-image"):
		return "NotAttempted XFW01", is(document.NotAttempted, "XFW01")
	case strings.HasSuffix(name, "not-eligible"):
		return "NotAttempted MA110", is(document.NotAttempted, "MA110")
	default:
		return "Commissioned", is(document.Commissioned, "")
	}
}

func (d *demo) verifyKeys(ctx context.Context, x engine.Outcome, faults []string, dev fleet.DeviceStatus) error {
	owner := x.Owner
	if dev.Type == "gsme" && x.Outcome == document.PartiallyCommissioned {
		owner = "SMSO"
	}
	k, err := d.gateway.Keys.Get(ctx, dev.EUI)
	switch {
	case err != nil:
		return err
	case k.Current == nil:
		return errors.New("there are no keys in force")
	case k.Current.Owner != owner:
		return fmt.Errorf("the keys in force are %s's and should be %s's", k.Current.Owner, owner)
	case dev.KeyChange != 0:
		return errors.New("a key change is still open on the device")
	case k.Current.Keys.GUEK.Fingerprint() != dev.Fingerprint && !slices.Contains(faults, string(fleet.FaultWrongKey)+":"+dev.Type):
		return errors.New("the key store's keys are not those of the device")
	}
	return nil
}

// look says where to look while it stays.
func (d *demo) look() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nstill running; Ctrl-C ends it\n  MQTT   %s   mosquitto_sub -h %s -t 'smets1/v1/%s/#' -v\n", d.url, "127.0.0.1", fleetName)
	n := 0
	for e := range d.fleet.Inventory() {
		if n++; n > 3 {
			break
		}
		fmt.Fprintf(&b, "  DLMS   %-28s hub %s of %s\n", e.Address, e.Devices[0].EUI, e.Name)
	}
	return b.String()
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func duration(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < 24*time.Hour:
		return d.Round(time.Second).String()
	default:
		days := int(d / (24 * time.Hour))
		return fmt.Sprintf("%dd%s", days, (d - time.Duration(days)*24*time.Hour).Round(time.Minute))
	}
}
