package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"smets1/device/han"
	"smets1/internal/clock"
	"smets1/internal/wire"
	"smets1/transport/radio"
	zigbee "smets1/zigbee/node"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl/se"
)

// LendOptions say how devices of a home are lent.
type LendOptions struct {
	// Devices are esme, gsme and ihd. Empty means all that the home has.
	Devices []string
	// Policy is what the devices ask of frames: node.SmartEnergy, or node.Open for laboratories.
	Policy zigbee.Policy
	// WellKnown has them join with the well-known link key in place of that of their install codes. Under node.Open they
	// always do.
	WellKnown bool
	// EZSP has the co-processor speak EZSP over ASH, as sticks of Silicon Labs do, in place of Spinel.
	EZSP bool
	// Loss in a million of receptions.
	Loss int
	// Tap, if not nil, sees every frame on their air, in the machine's time. It must not keep the PSDU.
	Tap func(radio.Frame)
}

// Lent are the radios of devices of a home on a network that somebody else's host forms. The host attaches by Serve, as to
// a radio co-processor on a serial line. It is safe for concurrent use.
//
// The air goes by the machine's time, because the host's timers do; the meters go on living in the time of the fleet, and
// tell what they tell over DLMS at the same moment. Each meter has one radio: the home must have its own HAN in memory.
type Lent struct {
	fleet *Fleet
	index int
	now   func() time.Time // of the air
	clock clock.Clock      // of the air

	// Under the lock of the shard.
	guests *han.Guests
	home   *home     // as it is during a call
	at     time.Time // the fleet's time during a call

	serving sync.Mutex
}

// ErrHostAttached is a second host on a co-processor.
var ErrHostAttached = errors.New("another host is attached: a co-processor has one")

// Lend lends devices of a home to whichever host attaches.
func (f *Fleet) Lend(name string, o LendOptions) (*Lent, error) {
	i, ok := f.manifest.find(name)
	if !ok {
		return nil, fmt.Errorf("fleet: %q: %w", name, ErrNoHome)
	}
	l := &Lent{fleet: f, index: i, clock: clock.Real()}
	l.now = l.clock.Now
	err := f.with(i, func(h *home, now time.Time) error {
		if h.radio != nil {
			return fmt.Errorf("fleet: home %s has its own network on the air: run it with %s", name, HANMemory)
		}
		l.home, l.at = h, now
		defer func() { l.home = nil }()
		return l.join(o)
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// join puts the devices on their air.
func (l *Lent) join(o LendOptions) (err error) {
	h, m := l.home, l.fleet.manifest
	known := []string{roleNames[roleESME]}
	devices := []han.Device{l.lend(han.Electricity)}
	if h.gsme != nil {
		known, devices = append(known, roleNames[roleGSME]), append(devices, l.lend(han.Gas))
	}
	if h.display != nil {
		d := h.onHAN(han.Display)
		d.Meter = devices[0].Meter
		known, devices = append(known, roleNames[roleIHD]), append(devices, d)
	}
	var wanted []han.Device
	for i, k := range known {
		if len(o.Devices) == 0 || slices.Contains(o.Devices, k) {
			wanted = append(wanted, devices[i])
		}
	}
	for _, d := range o.Devices {
		if !slices.Contains(known, d) {
			return fmt.Errorf("fleet: home %s has no %q to lend: it has %s", h.name, d, strings.Join(known, ", "))
		}
	}
	l.guests, err = han.NewGuests(l.now(), han.GuestConfig{
		Policy: o.Policy, WellKnown: o.WellKnown || o.Policy == zigbee.Open, EZSP: o.EZSP,
		Config: han.Config{
			Hub: h.hub.EUI, Devices: wanted, Seed: m.Seed, Loss: o.Loss, Tap: o.Tap,
			Secret: func(e wire.EUI64, what string, n int) []byte { return m.secret(e, "zigbee "+what, n) },
		},
	})
	return err
}

// lend is a meter of the home as it is at the time of a call: the home may have rested, and be another one in memory.
func (l *Lent) lend(k han.Kind) han.Device {
	of := func() han.Device { return l.home.onHAN(k) }
	d := of()
	d.Node = lentNode{l, k}
	d.Basic.Software = func(time.Time) string { return of().Basic.Software(l.at) }
	m := &d.Meter
	m.Reading = func(time.Time) int64 { return of().Meter.Reading(l.at) }
	if m.Power != nil {
		m.Power = func(time.Time) int64 { return of().Meter.Power(l.at) }
	}
	m.Interval = func(end time.Time) int64 {
		const halfHour = 30 * time.Minute
		return of().Meter.Interval(l.at.Add(end.Sub(l.now())).Truncate(halfHour))
	}
	m.Supply = func(time.Time) se.SupplyStatus { return of().Meter.Supply(l.at) }
	m.MPxN = func() string { return of().Meter.MPxN() }
	return d
}

// lentNode serves what comes out of the tunnel of a lent meter.
type lentNode struct {
	l *Lent
	k han.Kind
}

// ServeFrame implements hub.Node.
func (n lentNode) ServeFrame(_ time.Time, frame, dst []byte) []byte {
	return n.l.home.onHAN(n.k).Node.ServeFrame(n.l.at, frame, dst)
}

// do does something with the air, and gives what the host is to be told and when to come back.
func (l *Lent) do(what func(now time.Time)) (out []byte, next time.Time) {
	err := l.fleet.with(l.index, func(h *home, at time.Time) error {
		l.home, l.at = h, at
		defer func() { l.home = nil }()
		what(l.now())
		out, next = l.guests.Output(), l.guests.Deadline()
		return nil
	})
	if err != nil {
		l.fleet.log.Error("a lent home could not be made", "home", l.index, "error", err)
	}
	return out, next
}

// LentDevice is a device whose radio is lent.
type LentDevice struct {
	EUI         wire.EUI64
	Kind        string               // esme, gsme or ihd
	InstallCode security.InstallCode // with its CRC, as on the device's label
}

// Devices are those that are lent.
func (l *Lent) Devices() (list []LentDevice) {
	l.do(func(time.Time) {
		for _, e := range l.guests.Radio().Devices() {
			d := LentDevice{EUI: e, Kind: roleNames[roleIHD], InstallCode: l.guests.Radio().InstallCode(e)}
			switch h := l.home; {
			case e == h.esme.EUI:
				d.Kind = roleNames[roleESME]
			case h.gsme != nil && e == h.gsme.EUI:
				d.Kind = roleNames[roleGSME]
			}
			list = append(list, d)
		}
	})
	return list
}

// Joined tells which of the lent devices are on the host's network, by EUI-64.
func (l *Lent) Joined() (list []wire.EUI64) {
	l.do(func(time.Time) {
		for _, d := range l.guests.Radio().Devices() {
			if l.guests.Joined(d) {
				list = append(list, d)
			}
		}
	})
	return list
}

// Keys gives the keys of the air as far as the devices know them, for the key file beside a capture.
func (l *Lent) Keys() (keys []security.Key) {
	l.do(func(time.Time) { keys = l.guests.Keys() })
	return keys
}

// Serve moves octets between a host and the co-processor until the host is gone, which is no error, or ctx is done. It
// closes the line. The devices stay on the network: the next host that attaches finds them.
func (l *Lent) Serve(ctx context.Context, line io.ReadWriteCloser) error {
	if !l.serving.TryLock() {
		return errors.Join(ErrHostAttached, line.Close())
	}
	defer l.serving.Unlock()
	in := make(chan []byte)
	done := make(chan struct{})
	var running sync.WaitGroup
	defer running.Wait()
	defer close(done)
	defer line.Close() //nolint:errcheck // the host is gone either way
	running.Go(func() {
		defer close(in)
		for {
			b := make([]byte, 4096)
			n, err := line.Read(b)
			if err != nil {
				return
			}
			select {
			case in <- b[:n]:
			case <-done:
				return
			}
		}
	})
	t := l.clock.NewTimer(time.Hour)
	defer t.Stop()
	work := l.guests.Advance
	for {
		out, next := l.do(work)
		if len(out) > 0 {
			if _, err := line.Write(out); err != nil {
				return nil // gone
			}
		}
		wait := time.Hour
		if !next.IsZero() {
			wait = max(0, next.Sub(l.now()))
		}
		t.Reset(wait)
		work = l.guests.Advance
		select {
		case <-ctx.Done():
			return nil
		case b, ok := <-in:
			if !ok {
				return nil
			}
			work = func(now time.Time) { l.guests.Input(now, b) }
		case <-t.C():
		}
	}
}
