package rig

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"smets1/cmd/internal/lab"
	"smets1/firmware"
	"smets1/gateway/session"
	"smets1/hwtest/bench"
	"smets1/hwtest/scenario"
	"smets1/internal/clock"
	"smets1/transport/serial"
)

// BenchOptions are those of a hub of a bench.
type BenchOptions struct {
	Options
	Owner string // of the lease
	Dir   string // of leases; empty means bench.LeaseDir
	// State is the folder of the bench's keys and images. They outlive the run: a hub whose keys were changed is opened
	// by nothing else. Required.
	State string
	// Wait is how long to wait for a hub that somebody else has; zero does not wait.
	Wait time.Duration
	// Prompt asks a person; nil where there is none.
	Prompt func(ctx context.Context, what string) error
	// Waiting, if not nil, is told who has the hub while it is waited for.
	Waiting func(error)
}

// Bench is a hub of an inventory. It is leased until Close.
func Bench(ctx context.Context, s *scenario.Scenario, inv *bench.Inventory, h *bench.Hub, o BenchOptions) (_ *Rig, err error) {
	clk := clock.Real()
	r := &Rig{name: "bench:" + h.Name, clk: clk, hub: h}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if h.Offline != "" {
		return nil, fmt.Errorf("%s is offline: %s", h.Name, h.Offline)
	}
	if s.Irreversible && !h.MayNotTurnBack() {
		return nil, fmt.Errorf("%s: takes steps that cannot be undone, and %s does not allow them (irreversible: allowed in the inventory)", s.Path, h.Name)
	}
	if err := r.acquire(ctx, h, s.Name, o); err != nil {
		return nil, err
	}
	if r.state, err = lab.BeginState(ctx, o.State, lab.Root{}, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	r.close = append(r.close, r.state.Close)
	hub := session.Hub{EUI: h.EUI, Address: h.Address, Profile: h.Profile}
	for _, d := range []struct {
		name string
		kind firmware.DeviceType
	}{{"esme", firmware.ESME}, {"gsme", firmware.GSME}} {
		if eui, ok := h.Devices[d.name]; ok {
			hub.Devices = append(hub.Devices, session.Device{EUI: eui, Type: d.kind})
		}
	}
	if err := r.begin(ctx, s, o.Options, hub, session.Config{}); err != nil {
		return nil, err
	}
	r.has = h.Fixtures()
	r.devices["hub"] = h.EUI
	r.facts["eui.hub"], r.facts["address"] = h.EUI.String(), h.Address
	for d, eui := range h.Devices {
		r.devices[d] = eui
		r.facts["eui."+d] = eui.String()
	}
	if path := inv.KeysPath(h); path != "" {
		// The keys may have been changed since the file was written.
		if _, err := lab.ImportKeys(ctx, r.desk.keys, path, lab.LeaveAlone, clk.Now()); err != nil {
			return nil, err
		}
	}
	if h.Power.Can() {
		r.power = &bench.Switcher{Power: h.Power, Clock: clk, Prompt: o.Prompt, Present: present(h.Address)}
	}
	return r, nil
}

// acquire leases the hub, and waits for it as long as it may.
func (r *Rig) acquire(ctx context.Context, h *bench.Hub, what string, o BenchOptions) error {
	dir := o.Dir
	if dir == "" {
		dir = bench.LeaseDir()
	}
	for end := r.clk.Now().Add(o.Wait); ; {
		lease, err := bench.Acquire(dir, h, bench.Holder{Owner: o.Owner, What: what}, r.clk.Now())
		if err == nil {
			r.close = append(r.close, lease.Release)
			return nil
		}
		var busy *bench.BusyError
		if !errors.As(err, &busy) || !r.clk.Now().Before(end) {
			return err
		}
		if o.Waiting != nil {
			o.Waiting(err)
		}
		if err := r.clk.Sleep(ctx, min(time.Second, max(end.Sub(r.clk.Now()), time.Millisecond))); err != nil {
			return err
		}
	}
}

// present looks whether the port of an address is there; nil for addresses on the network.
func present(address string) func() (bool, error) {
	if !strings.HasPrefix(address, "serial:") {
		return nil
	}
	return func() (bool, error) {
		l, err := serial.ParseURL(address)
		if err != nil {
			return false, err
		}
		machine, err := serial.ThisMachine()
		if err != nil {
			return false, err
		}
		at, err := machine.Resolve(l)
		if errors.Is(err, serial.ErrNoPort) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		_, err = os.Stat(at.Name)
		return err == nil, nil
	}
}
