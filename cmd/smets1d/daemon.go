package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"smets1/cmd/internal/config"
	"smets1/cmd/internal/lab"
	"smets1/device/fleet"
	"smets1/device/profile"
	"smets1/firmware"
	"smets1/gateway/audit"
	"smets1/gateway/broker"
	"smets1/gateway/keystore"
	"smets1/gateway/session"
	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/transport/capture"
)

// daemon is everything that runs, in the order in which it was started; it is
// stopped in the reverse order.
type daemon struct {
	cfg *config.Config
	log *slog.Logger

	state   *lab.State
	clock   clock.Clock
	virtual *lab.Clock // nil with real hubs
	fleet   *fleet.Fleet
	gateway *lab.Gateway
	metrics *metrics
	mqtt    string // URL

	closers []closer
}

type closer struct {
	what  string
	close func(context.Context) error
}

func (d *daemon) onClose(what string, f func(context.Context) error) {
	d.closers = append(d.closers, closer{what, f})
}

// close stops everything. What does not stop until ctx is done is left behind:
// what was acknowledged is on disk.
func (d *daemon) close(ctx context.Context) error {
	var errs []error
	for n := len(d.closers) - 1; n >= 0; n-- {
		if err := d.closers[n].close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stopping %s: %w", d.closers[n].what, err))
		}
	}
	return errors.Join(errs...)
}

// start brings up broker, homes, gateway and metrics.
func start(ctx context.Context, cfg *config.Config, log *slog.Logger) (_ *daemon, err error) {
	d := &daemon{cfg: cfg, log: log, clock: clock.Real(), metrics: newMetrics()}
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
			defer cancel()
			err = errors.Join(err, d.close(ctx))
		}
	}()
	g, err := d.broker(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.homes(ctx); err != nil {
		return nil, err
	}
	if g.Library, err = d.firmware(); err != nil {
		return nil, err
	}
	if cfg.Capture != "" {
		w, err := capture.Create(cfg.Capture, d.clock)
		if err != nil {
			return nil, err
		}
		d.onClose("the capture", func(context.Context) error { return w.Close() })
		g.Tap = lab.CaptureTap(w)
	}
	g.Fleet, g.Node = cfg.Fleet.Name, cfg.Fleet.Node
	g.Store, g.Root, g.Clock = d.state.Store, d.state.Root, d.clock
	g.Hubs, g.Waker = d.hubs(), d.waker()
	if d.virtual != nil {
		g.Advance, g.Factor = d.virtual.AdvanceTo, cfg.Homes.Speed
	}
	g.Concurrency, g.MaxQueued, g.MaxPerHub, g.ResultTTL = cfg.Queue.Concurrency, cfg.Queue.MaxQueued, cfg.Queue.MaxPerHub, cfg.Queue.ResultTTL
	g.Timeout, g.Viability, g.Idle = cfg.Sessions.Timeout, cfg.Sessions.Viability, cfg.Sessions.Idle
	g.Roles, g.Permit = d.roles(), d.permit()
	if g.Audit, err = audit.Open(filepath.Join(d.state.Dir, audit.FileName)); err != nil {
		return nil, err
	}
	d.onClose("the audit", func(context.Context) error { return g.Audit.Close() })
	g.Background, g.Version, g.Log, g.Observe = true, version(), log, d.metrics.observe
	if d.gateway, err = lab.StartGateway(ctx, g, func(keys *keystore.Store) error { return d.keys(ctx, keys, g.Hubs) }); err != nil {
		return nil, err
	}
	d.onClose("the gateway", d.gateway.Close)
	if err := d.metrics.start(ctx, cfg.Metrics, d.gateway, log); err != nil {
		return nil, err
	}
	d.onClose("the metrics", d.metrics.close)
	log.Info("running", slog.String("version", version()), slog.String("mqtt", d.mqtt), slog.String("topics", topic.Prefix+"/"+cfg.Fleet.Name),
		slog.String("node", cfg.Fleet.Node), slog.Int("hubs", len(g.Hubs)), slog.String("state", d.state.Dir), slog.String("metrics", d.metrics.address()))
	if len(g.Hubs) == 0 {
		log.Warn("there are no hubs: name some under hubs, or virtual homes by homes.manifest")
	}
	return d, nil
}

// broker opens the state and its broker, and tells the gateway where MQTT goes.
func (d *daemon) broker(ctx context.Context) (g lab.GatewayConfig, err error) {
	b := d.cfg.Broker
	bc := broker.Config{Listen: b.Listen, Insecure: b.Insecure, StateOnly: b.URL != "", Log: d.log}
	var server *tls.Config
	if b.URL == "" {
		if server, err = b.TLS.Server(); err != nil {
			return g, err
		}
		bc.TLS = server
		for _, u := range b.Users {
			password, err := config.ReadSecret(u.PasswordFile)
			if err != nil {
				return g, err
			}
			user := broker.User{Name: u.Name, Password: broker.NewPassword(password.Reveal())}
			if len(u.Roles) > 0 {
				tree, err := topic.NewTree(d.cfg.Fleet.Name)
				if err != nil {
					return g, err
				}
				user.Publish, user.Subscribe = tree.Publishes(rolesOf(u.Roles)...), tree.Subscribes(u.Name)
			}
			bc.Users = append(bc.Users, user)
		}
	}
	const own = "smets1-gateway"
	secret := rand.Text() // of the gateway at the embedded broker: for this run
	if len(bc.Users) > 0 {
		bc.Users = append(bc.Users, broker.User{Name: own, Password: broker.NewPassword(secret)})
	}
	if d.state, err = lab.CreateState(ctx, d.cfg.State, lab.Root{File: d.cfg.Keys.RootFile, Env: d.cfg.Keys.RootEnv, Passphrase: d.cfg.Keys.RootPassphraseFile}, bc); err != nil {
		return g, err
	}
	d.onClose("the broker", func(context.Context) error { return d.state.Close() })
	if b.URL == "" {
		d.mqtt = d.state.Broker.URL()
		g.Broker, g.BrokerTLS = reachable(d.mqtt), config.Self(server)
		if len(bc.Users) > 0 {
			g.Credentials = func() (string, string) { return own, secret }
		}
		return g, nil
	}
	d.mqtt = b.URL
	g.Broker = b.URL
	if g.BrokerTLS, err = b.TLS.Client(); err != nil {
		return g, err
	}
	if b.User != "" {
		password, err := config.ReadSecret(b.PasswordFile)
		if err != nil {
			return g, err
		}
		g.Credentials = func() (string, string) { return b.User, password.Reveal() }
	}
	return g, nil
}

// reachable puts loopback in the place of an address that means every interface.
func reachable(url string) string {
	scheme, address, _ := strings.Cut(url, "://")
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// homes starts the virtual homes and their time.
func (d *daemon) homes(ctx context.Context) error {
	h := d.cfg.Homes
	if h.Manifest == "" {
		return nil
	}
	m, err := fleet.LoadManifest(h.Manifest)
	if err != nil {
		return err
	}
	// Clock and fleet stop after everything that needs them, not with ctx.
	ctx = context.WithoutCancel(ctx)
	c, err := lab.OpenClock(ctx, d.state.Store, m.StartTime(), h.Speed)
	if err != nil {
		return err
	}
	d.virtual, d.clock = &c, c
	d.onClose("the clock", func(context.Context) error { c.Close(); return nil })
	nv, err := lab.NV(ctx, d.state.Store)
	if err != nil {
		return err
	}
	o := fleet.Options{Clock: d.clock, NV: nv, Listen: true, Port: h.Port, PTYDir: h.PTYDir, Logger: d.log}
	if o.Port == 0 {
		o.Port = -1
	}
	if o.PTYDir == "" {
		o.PTYDir = d.state.LinesDir()
	}
	if o.PTYDir, err = filepath.Abs(o.PTYDir); err != nil { // it stands in addresses, which have no folder to begin from
		return err
	}
	if d.fleet, err = fleet.Open(ctx, m, o); err != nil {
		return err
	}
	d.onClose("the homes", func(context.Context) error { return d.fleet.Close() })
	d.log.Info("virtual homes", slog.String("manifest", h.Manifest), slog.Int("homes", m.Len()), slog.Time("time", c.Now()), slog.Float64("speed", h.Speed))
	return nil
}

func (d *daemon) firmware() (*firmware.Library, error) {
	lib, err := firmware.OpenLibrary(d.state.FirmwareDir())
	if err != nil {
		return nil, err
	}
	if d.cfg.Firmware.Dir != "" {
		n, err := lab.ImportImages(d.cfg.Firmware.Dir, lib)
		if err != nil {
			return nil, usageError{err}
		}
		d.log.Info("firmware images", slog.String("folder", d.cfg.Firmware.Dir), slog.Int("images", n))
	}
	return lib, nil
}

var deviceTypes = map[string]firmware.DeviceType{"esme": firmware.ESME, "gsme": firmware.GSME, "ihd": firmware.IHD}

func (d *daemon) hubs() []session.Hub {
	if d.fleet != nil {
		return lab.Hubs(d.fleet)
	}
	hubs := make([]session.Hub, len(d.cfg.Hubs))
	for i, h := range d.cfg.Hubs {
		hubs[i] = session.Hub{EUI: h.EUI, Address: h.Address, Wake: profile.Wake(h.Wake), MSISDN: h.MSISDN, Profile: h.Profile}
		for _, x := range h.Devices {
			hubs[i].Devices = append(hubs[i].Devices, session.Device{EUI: x.EUI, Type: deviceTypes[x.Type], Model: x.Model})
		}
	}
	return hubs
}

func (d *daemon) waker() session.Waker {
	switch {
	case d.fleet != nil:
		return lab.FleetWaker(d.fleet)
	case len(d.cfg.SMS.Command) > 0:
		return lab.CommandWaker(d.cfg.SMS.Command)
	default:
		return nil
	}
}

// keys takes in handover files, and those of virtual homes, and says which
// devices there are no keys of.
func (d *daemon) keys(ctx context.Context, keys *keystore.Store, hubs []session.Hub) error {
	for _, path := range d.cfg.Keys.Import {
		n, err := lab.ImportKeys(ctx, keys, path, lab.LeaveAlone, d.clock.Now())
		if err != nil {
			return usageError{err}
		}
		d.log.Info("keys imported", slog.String("file", path), slog.Int("new", n))
	}
	if d.fleet != nil {
		return lab.Handover(ctx, d.fleet, keys, d.cfg.Homes.Owner, d.clock.Now())
	}
	for _, e := range lab.WithoutKeys(ctx, keys, hubs) {
		d.log.Warn("no keys of this device: import its handover file", slog.String("device", e.String()))
	}
	return nil
}

// stopTimeout is how long a graceful stop may take.
const stopTimeout = 15 * time.Second

// serve runs the daemon until ctx is done.
func serve(ctx context.Context, cfg *config.Config, s config.Sources, stderr io.Writer) error {
	level := new(slog.LevelVar)
	log := newLogger(stderr, cfg.Log, level)
	notify, err := newNotifier(os.Getenv)
	if err != nil {
		return err
	}
	hangup, release := catchHangup()
	defer release()
	d, err := start(ctx, cfg, log)
	if err != nil {
		return err
	}
	notify.send("READY=1\nSTATUS=" + fmt.Sprintf("%d hubs, MQTT at %s", len(d.hubs()), d.mqtt))
	stopLoops := d.background(notify, level, s, hangup)
	<-ctx.Done()
	log.Info("stopping; a second signal ends at once")
	notify.send("STOPPING=1")
	d.metrics.stopping()
	stopLoops()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := d.close(stop); err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}

func newLogger(w io.Writer, c config.Log, level *slog.LevelVar) *slog.Logger {
	setLevel(level, c.Level)
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func setLevel(to *slog.LevelVar, word string) {
	var l slog.Level
	if l.UnmarshalText([]byte(word)) == nil { // the configuration was checked
		to.Set(l)
	}
}
