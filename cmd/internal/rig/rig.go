package rig

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"smets1/cmd/internal/lab"
	"smets1/device/fleet"
	"smets1/device/profile"
	"smets1/dlms/client"
	"smets1/dlms/security"
	"smets1/dlms/server/ctt"
	"smets1/firmware"
	"smets1/gateway/session"
	"smets1/gateway/topic"
	"smets1/hwtest/bench"
	"smets1/hwtest/scenario"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
	"smets1/transport/fault"
	"smets1/transport/trace"
)

// Options are what all rigs have in common.
type Options struct {
	Seed uint64    // of what chance decides; zero means 1
	Log  io.Writer // of the gateway; nil means nowhere
	// Record, if not nil, gets the trace of the hub's line.
	Record io.Writer
	// Speed is how many seconds of a virtual home pass in one of the machine. Zero means 60.
	Speed float64
	// Dir is for files that a rig needs while it runs: pseudo-terminals.
	Dir string
}

// Rig is a home with its gateway. It is a scenario.Rig.
type Rig struct {
	name    string
	has     []string
	clk     clock.Clock
	desk    *desk
	console *console
	facts   map[string]string
	devices map[string]wire.EUI64

	fleet  *fleet.Fleet
	home   string // in the fleet
	scaled *clock.Scaled

	replay   *trace.Replay
	differs  chan error // the first difference from the trace
	recorder *trace.Recorder
	plan     *fault.Line

	hub   *bench.Hub
	state *lab.State // of a bench: what becomes of a hub's keys outlives the run
	power *bench.Switcher

	shared *client.HDLC // of conformance tests on a cable

	close []func() error
}

var _ scenario.Rig = (*Rig)(nil)

// builtin is the home of a scenario that brings none.
const builtin = `schema: 1
name: hwtest
seed: 1
start: 2026-03-02T09:00:00Z
homes:
  - {name: home, profile: foc-mesh, link: %s, payment: prepayment, firmware: {hub: first, esme: first, gsme: first, ihd: first}}
`

// Sim is the scenario's home in memory.
func Sim(ctx context.Context, s *scenario.Scenario, o Options) (*Rig, error) {
	return virtual(ctx, s, o, "sim", "wrapper")
}

// PTY is the scenario's home behind a pseudo-terminal.
func PTY(ctx context.Context, s *scenario.Scenario, o Options) (*Rig, error) {
	return virtual(ctx, s, o, "pty", "hdlc")
}

func manifest(s *scenario.Scenario, link string) (*fleet.Manifest, error) {
	if s.Fleet != nil {
		return fleet.ParseManifest(s.Path+" "+scenario.FileFleet, s.Fleet)
	}
	return fleet.ParseManifest("built-in", fmt.Appendf(nil, builtin, link))
}

func virtual(ctx context.Context, s *scenario.Scenario, o Options, name, link string) (_ *Rig, err error) {
	m, err := manifest(s, link)
	if err != nil {
		return nil, err
	}
	if o.Speed == 0 {
		o.Speed = 60
	}
	scaled := clock.NewScaled(m.StartTime(), o.Speed)
	r := &Rig{name: name, clk: scaled, scaled: scaled}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	fo := fleet.Options{Clock: scaled}
	if name == "pty" {
		fo.PTYDir = o.Dir
	}
	if r.fleet, err = fleet.Open(ctx, m, fo); err != nil {
		return nil, err
	}
	r.close = append(r.close, r.fleet.Close)
	e := first(r.fleet)
	r.home = e.Name
	hub := lab.HubOf(e)
	sc := session.Config{Waker: lab.FleetWaker(r.fleet), Openers: map[string]session.Opener{}}
	switch {
	case name == "sim" && strings.HasPrefix(hub.Address, "serial:"):
		return nil, fmt.Errorf("%s: the home is reached by a serial line: run it on pty", s.Path)
	case name == "sim":
		hub.Address = "tcp://home:4059"
		sc.Openers["tcp"] = func(context.Context, string) (io.ReadWriteCloser, error) { return r.fleet.Dial(r.home) }
	case !strings.HasPrefix(hub.Address, "serial:"):
		return nil, fmt.Errorf("%s: the home has no serial line: give it link: hdlc in %s", s.Path, scenario.FileFleet)
	}
	if err := r.begin(ctx, s, o, hub, sc); err != nil {
		return nil, err
	}
	if err := lab.Handover(ctx, r.fleet, r.desk.keys, "SMSO", r.clk.Now()); err != nil {
		return nil, err
	}
	return r, r.describe(e)
}

func first(f *fleet.Fleet) fleet.Entry {
	var out fleet.Entry
	for e := range f.Inventory() {
		out = e
		break
	}
	return out
}

// describe takes what is on file of a home, and makes the images of its newest firmware.
func (r *Rig) describe(e fleet.Entry) error {
	r.has = []string{}
	p, ok := profile.Builtin().Get(e.Profile)
	for _, d := range e.Devices {
		kind := d.Type
		if kind == "chf" {
			kind = "hub"
		}
		r.has = append(r.has, kind)
		r.devices[kind] = d.EUI
		r.facts["eui."+kind] = d.EUI.String()
		r.facts["model."+kind] = d.Model
		r.facts["serial."+kind] = d.Serial
		r.facts["firmware."+kind] = d.Firmware
		if d.Payment == "prepayment" && kind == "esme" {
			r.has = append(r.has, "prepayment")
		}
		if !ok {
			continue
		}
		var of *profile.Device
		var t firmware.DeviceType
		switch kind {
		case "hub":
			of, t = &p.Hub, firmware.Hub
		case "esme":
			of, t = &p.ESME, firmware.ESME
		case "gsme":
			of, t = p.GSME, firmware.GSME
		}
		if of == nil {
			continue
		}
		newest := of.Newest()
		r.facts["newest."+kind] = newest
		image, err := firmware.SimulatedRelease(firmware.Header{Type: t, Manufacturer: d.Manufacturer, Model: d.Model, HardwareTo: d.Hardware, Version: newest}, 8<<10)
		if err != nil {
			return err
		}
		digest, err := r.desk.library.Put(image)
		if err != nil {
			return err
		}
		r.facts["image."+kind] = digest.String()
		damaged := slices.Clone(image)
		damaged[len(damaged)/2] ^= 0x20
		if digest, err = r.desk.library.Put(damaged); err != nil {
			return err
		}
		r.facts["corrupt."+kind] = digest.String()
	}
	return nil
}

// begin starts the gateway on a hub.
func (r *Rig) begin(ctx context.Context, s *scenario.Scenario, o Options, hub session.Hub, sc session.Config) error {
	if o.Seed == 0 {
		o.Seed = 1
	}
	r.facts, r.devices = map[string]string{"seed": fmt.Sprint(o.Seed)}, map[string]wire.EUI64{}
	r.console = &console{clk: r.clk, began: r.clk.Now()}
	if s.Faults != nil && r.replay == nil {
		plan, err := fault.Parse(s.Faults)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", s.Path, scenario.FileFaults, err)
		}
		if r.plan, err = fault.New(plan, r.clk); err != nil {
			return err
		}
	}
	if o.Record != nil {
		r.recorder = trace.NewRecorder(o.Record, r.clk, "scenario: "+s.Name, "target: "+r.name, "seed: "+fmt.Sprint(o.Seed),
			"clock: "+r.clk.Now().UTC().Format(time.RFC3339Nano))
	}
	sc.Tap = func(_ wire.EUI64, _ string, line io.ReadWriteCloser) io.ReadWriteCloser {
		if r.plan != nil {
			line = r.plan.Stream(line)
		}
		return r.console.line(r.recorder.Stream(line))
	}
	// A real hub's challenges are guessable only while they are recorded, to be repeated; its keys never are.
	if r.hub == nil || o.Record != nil {
		sc.Random = chance(o.Seed, 1)
	}
	if r.scaled != nil {
		sc.Idle = 1000 * time.Hour // when a line is closed must not depend on how fast the machine is
	}
	log := slog.New(slog.DiscardHandler)
	if o.Log != nil {
		log = slog.New(slog.NewTextHandler(o.Log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	if sc.Timeout == 0 && r.scaled != nil {
		sc.Timeout = 30*time.Second + time.Duration(5*r.scaled.Factor()*float64(time.Second))
	}
	r.desk = &desk{store: store.Memory(), clk: r.clk, library: firmware.NewLibrary(), hub: hub, session: sc, log: log}
	var err error
	if r.state != nil {
		r.desk.store, r.desk.root = r.state.Store, r.state.Root
		r.desk.library, err = firmware.OpenLibrary(r.state.FirmwareDir())
	} else {
		r.desk.root, err = security.GenerateKey(chance(o.Seed, 3), security.Suite2)
	}
	if err != nil {
		return err
	}
	if r.hub == nil {
		r.desk.random = chance(o.Seed, 2)
	}
	if err := r.desk.open(ctx); err != nil {
		return err
	}
	r.close = append(r.close, func() error {
		stop, cancel := context.WithTimeout(context.Background(), stopWithin)
		defer cancel()
		return r.desk.close(stop)
	})
	return nil
}

// chance is a source that repeats.
func chance(seed, purpose uint64) io.Reader {
	var b [32]byte
	binary.BigEndian.PutUint64(b[:], seed)
	binary.BigEndian.PutUint64(b[8:], purpose)
	return rand.NewChaCha8(b)
}

// Name says what it is.
func (r *Rig) Name() string { return r.name }

// Has lists what the home has.
func (r *Rig) Has() []string { return r.has }

// Now is the time of the home.
func (r *Rig) Now() time.Time { return r.clk.Now() }

// Facts are names and values of the home.
func (r *Rig) Facts() map[string]string { return r.facts }

// Console gives what was on the line.
func (r *Rig) Console() string { return r.console.take() }

// Faults lists what struck on the line.
func (r *Rig) Faults() []string {
	if r.plan == nil {
		return nil
	}
	var out []string
	for _, f := range r.plan.Fired() {
		out = append(out, f.String())
	}
	return out
}

// Command runs a command. Before one that cannot be undone, a real hub is asked who it is.
func (r *Rig) Command(ctx context.Context, c topic.Command, restart bool) (topic.Result, error) {
	if info, ok := c.Verb.Info(); ok && info.Irreversible && r.hub != nil {
		if err := r.permitted(ctx); err != nil {
			return topic.Result{}, err
		}
	}
	if err := r.unshare(); err != nil {
		return topic.Result{}, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if r.differs != nil {
		go func() {
			select {
			case err := <-r.differs:
				stop(err)
			case <-ctx.Done():
			}
		}()
	}
	got, err := r.desk.command(ctx, c, restart)
	if why := context.Cause(ctx); err != nil && why != nil {
		err = why
	}
	return got, err
}

// permitted tells whether a step that cannot be undone may be done on the hub of a bench.
func (r *Rig) permitted(ctx context.Context) error {
	if !r.hub.MayNotTurnBack() {
		return fmt.Errorf("%s does not allow irreversible steps: say irreversible: allowed in the inventory if it may be changed for good", r.hub.Name)
	}
	got, err := r.desk.command(ctx, topic.Command{Verb: topic.Identify}, false)
	if err != nil {
		return err
	}
	var who topic.IdentifyResult
	if err := errors.Join(got.Err(), got.Decode(&who)); err != nil {
		return fmt.Errorf("asking %s who it is: %w", r.hub.Name, err)
	}
	if len(who.Devices) == 0 || who.Devices[0].EUI != r.hub.EUI {
		return fmt.Errorf("the hub that answers is not %s (%v) of the inventory: nothing was changed", r.hub.Name, r.hub.EUI)
	}
	return nil
}

// Power takes the power of a device away.
func (r *Rig) Power(ctx context.Context, device string, off time.Duration) error {
	switch {
	case r.fleet != nil && r.replay == nil:
		if err := r.fleet.PowerCut(r.home, device, off); err != nil {
			return err
		}
		return r.Wait(ctx, off)
	case r.power != nil && device == "hub":
		return r.power.Cycle(ctx, off)
	case r.replay != nil:
		return nil // it was done when the trace was recorded
	}
	return fmt.Errorf("power of %s: %w", device, scenario.ErrUnsupported)
}

// Wait lets time pass.
func (r *Rig) Wait(ctx context.Context, d time.Duration) error {
	if r.scaled == nil {
		return r.clk.Sleep(ctx, d)
	}
	// In pieces, so that what falls due on the way is done on the way.
	for end := r.clk.Now().Add(d); ; {
		left := end.Sub(r.clk.Now())
		if left <= 0 {
			return ctx.Err()
		}
		r.scaled.Advance(min(left, 10*time.Minute))
		if err := r.clk.Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// Target is a device for conformance tests.
func (r *Rig) Target(ctx context.Context, device string) (*ctt.Target, error) {
	if r.replay != nil {
		return nil, fmt.Errorf("conformance tests on a trace: %w", scenario.ErrUnsupported)
	}
	return r.target(ctx, device)
}

// Finish ends the rig after a scenario.
func (r *Rig) Finish(ctx context.Context) error {
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	err := errors.Join(r.unshare(), r.desk.close(stop))
	if r.recorder != nil {
		err = errors.Join(err, r.recorder.Close())
		r.recorder = nil
	}
	if r.replay != nil {
		err = errors.Join(err, r.replay.Done())
	}
	return err
}

// Close gives everything back.
func (r *Rig) Close() error {
	var errs []error
	for i := len(r.close) - 1; i >= 0; i-- {
		errs = append(errs, r.close[i]())
	}
	r.close = nil
	return errors.Join(errs...)
}
