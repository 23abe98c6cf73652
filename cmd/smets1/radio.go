package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"smets1/cmd/internal/lab"
	"smets1/device/fleet"
	"smets1/internal/clock"
	"smets1/internal/wire"
	"smets1/transport/capture"
	"smets1/zigbee/node"
)

func newRadioCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "radio",
		Short: "Virtual radio dongles: meters and displays for other Zigbee stacks",
		Long: `radio offers meters and displays on an air of their own to another program's
Zigbee stack, as a USB dongle with OpenThread's RCP firmware would: the program
forms the network and admits them.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newRadioServeCommand())
	return c
}

type radioServeOptions struct {
	home    string
	devices []string
	policy  string
	key     string
	listen  string
	ezsp    bool
	pty     string
	port    int
	speed   float64
	capture string
	log     string
}

func newRadioServeCommand() *cobra.Command {
	o := radioServeOptions{}
	c := &cobra.Command{
		Use:   "serve MANIFEST",
		Short: "Be a radio dongle whose air has the devices of a virtual home",
		Long: `serve runs a home of a fleet manifest and a virtual radio co-processor (Spinel over
HDLC-lite, as OpenThread's RCP firmware) on TCP, and on a pty with --pty. A host stack
such as zigbee-on-host attaches to it as to a dongle, forms a network and opens
joining; the devices join as soon as they find it, and stay when the host goes and
comes back.

The home answers DLMS as well, over TCP: what a meter tells on the air and what it
tells its hub is the same meter at the same time. While its radio is lent, its hub
reaches it without.

--policy says what the devices ask of others:
  se    Smart Energy: they answer metering, tunnels and so on only under a link key of
        key establishment with certificates, which stacks for home automation lack.
        They join with the key of their install codes, printed at the start.
  open  for laboratories: the network key is enough, profile 0104 is served as well,
        they join with the well-known key, and a display serves its reading as a
        meter does. No real device should be like that.
--key well-known has them join with that key under se as well; what needs a link key
of key establishment is refused all the same.`,
		Example: `  smets1 radio serve fleet.yaml --policy open            # zigbee2mqtt: port: tcp://127.0.0.1:7777, adapter: zoh
  smets1 radio serve fleet.yaml --home ioc-0001 --devices gsme --pty /tmp/dongle
  smets1 radio serve fleet.yaml --policy open --capture air.pcapng`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), args[0], c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.home, "home", "", "home of the manifest (default: the first)")
	f.StringSliceVar(&o.devices, "devices", nil, "devices to lend: esme, gsme, ihd (default: all that the home has)")
	f.StringVar(&o.policy, "policy", "se", "what the devices ask of frames: se or open")
	f.StringVar(&o.key, "key", "", "key to join with: code (of their install codes) or well-known (default: code with se, well-known with open)")
	f.BoolVar(&o.ezsp, "ezsp", false, "be a stick of Silicon Labs (EZSP 13 over ASH; zigbee2mqtt: adapter ember) in place of OpenThread's RCP")
	f.StringVar(&o.listen, "listen", "127.0.0.1:7777", "TCP address of the co-processor; port 0 takes a free one; off means none")
	f.StringVar(&o.pty, "pty", "", "also offer it on a pty, with this `LINK` to it (Linux)")
	f.IntVar(&o.port, "port", 4059, "TCP port where the home answers DLMS; 0 takes a free one")
	f.Float64Var(&o.speed, "speed", 1, "virtual seconds in a second for the meters; the air goes by the machine's time")
	f.StringVar(&o.capture, "capture", "", "`FILE` (pcapng) for every frame on the air, with keys and a Wireshark profile beside it")
	f.StringVar(&o.log, "log", "warn", "what to log to standard error: debug, info, warn or error")
	return c
}

// policies are the words of --policy.
var policies = map[string]node.Policy{"se": node.SmartEnergy, "open": node.Open}

func (o *radioServeOptions) check() error {
	if _, ok := policies[o.policy]; !ok {
		return usageError{fmt.Errorf("--policy %q: use se or open", o.policy)}
	}
	if !slices.Contains([]string{"", "code", "well-known"}, o.key) {
		return usageError{fmt.Errorf("--key %q: use code or well-known", o.key)}
	}
	if o.key == "code" && o.policy == "open" {
		return usageError{errors.New("--key code is for --policy se")}
	}
	if !(o.speed > 0 && o.speed <= 3600) {
		return usageError{fmt.Errorf("--speed %v: give a number above 0 and up to 3600", o.speed)}
	}
	if o.port < 0 || o.port > 65535 {
		return usageError{fmt.Errorf("--port %d: give 0 to 65535", o.port)}
	}
	if o.listen == "off" && o.pty == "" {
		return usageError{errors.New("--listen off: say --pty LINK, so that somebody can attach")}
	}
	return nil
}

func (o *radioServeOptions) run(ctx context.Context, path string, stdout, stderr io.Writer) (err error) {
	log, err := newLogger(stderr, o.log)
	if err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	m, err := fleet.LoadManifest(path)
	if err != nil {
		return usageError{err}
	}
	// What runs stops when this function returns, not with ctx.
	base := context.WithoutCancel(ctx)
	vc := clock.NewScaled(m.StartTime(), o.speed)
	port := o.port
	if port == 0 {
		port = -1
	}
	f, err := fleet.Open(base, m, fleet.Options{Clock: vc, HAN: fleet.HANMemory, HANLatency: -1, Listen: true, Port: port, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	home, err := find(f, o.home)
	if err != nil {
		return err
	}
	lend := fleet.LendOptions{Devices: o.devices, Policy: policies[o.policy], WellKnown: o.key == "well-known", EZSP: o.ezsp}
	var file *lab.AirFile
	if o.capture != "" {
		w, err := capture.Create(o.capture, clock.Real())
		if err != nil {
			return err
		}
		a := lab.CreateAirFile(o.capture, w)
		file, lend.Tap = &a, w.NewRadioTap(home.Name).Take
		defer func() { err = errors.Join(err, w.Close()) }()
	}
	lent, err := f.Lend(home.Name, lend)
	if err != nil {
		return usageError{err}
	}
	if file != nil {
		defer func() { err = errors.Join(err, file.WriteKeys(lent.Keys())) }()
	}
	if o.awake(home) {
		go keepAwake(ctx, f, vc)
	}
	return o.serve(ctx, lent, home, stdout)
}

// awake tells whether the hub sleeps unless it is kept awake.
func (o *radioServeOptions) awake(home fleet.Entry) bool { return home.WakeUp != "none" }

// find gives a home by name, the first for none.
func find(f *fleet.Fleet, name string) (fleet.Entry, error) {
	for e := range f.Inventory() {
		if name == "" || e.Name == name {
			return e, nil
		}
	}
	return fleet.Entry{}, usageError{fmt.Errorf("--home %s: there is no such home in the manifest", name)}
}

// serve lets hosts attach until ctx is done.
func (o *radioServeOptions) serve(ctx context.Context, lent *fleet.Lent, home fleet.Entry, stdout io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	fmt.Fprintf(stdout, "home       %s, hub %s\nDLMS       %s\n", home.Name, home.Devices[0].EUI, home.Address)
	for _, d := range lent.Devices() {
		fmt.Fprintf(stdout, "device     %s %s\n", d.EUI, d.Kind)
		if o.policy == "se" && o.key != "well-known" {
			fmt.Fprintf(stdout, "           install code %X\n", d.InstallCode.Reveal())
		}
	}
	if o.pty != "" {
		line, name, err := radioLine(o.pty)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "dongle     %s\n", name)
		running.Go(func() { _ = lent.Serve(ctx, line) })
		context.AfterFunc(ctx, func() { _ = line.Close() })
	}
	if o.listen != "off" {
		l, err := net.Listen("tcp", o.listen)
		if err != nil {
			return err
		}
		context.AfterFunc(ctx, func() { _ = l.Close() })
		fmt.Fprintf(stdout, "dongle     tcp://%s\n", l.Addr())
		running.Go(func() { acceptHosts(ctx, l, lent) })
	}
	reportJoins(ctx, lent, stdout)
	return nil
}

// acceptHosts serves one host after another.
func acceptHosts(ctx context.Context, l net.Listener, lent *fleet.Lent) {
	var hosts sync.WaitGroup
	defer hosts.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		context.AfterFunc(ctx, func() { _ = c.Close() })
		hosts.Go(func() { _ = lent.Serve(ctx, c) })
	}
}

// reportJoins tells who is on the network, until ctx is done.
func reportJoins(ctx context.Context, lent *fleet.Lent, stdout io.Writer) {
	var were []string
	for clock.Real().Sleep(ctx, 500*time.Millisecond) == nil {
		joined := names(lent.Joined())
		if slices.Equal(joined, were) {
			continue
		}
		were = joined
		fmt.Fprintf(stdout, "joined     %s\n", strings.Join(append(joined, "")[:max(1, len(joined))], " "))
	}
}

func names(list []wire.EUI64) (s []string) {
	for _, e := range list {
		s = append(s, e.String())
	}
	return s
}
