package han

import (
	"fmt"
	"time"

	"smets1/internal/wire"
	"smets1/transport/radio/air"
	"smets1/zigbee/node"
	"smets1/zigbee/node/ncp"
	"smets1/zigbee/node/rcp"
	"smets1/zigbee/security"
)

// Guests are devices of a home on a network that somebody else's host forms, with a virtual radio co-processor in place of
// the hub: the host attaches to it over a line as to a USB dongle (Spinel over HDLC-lite, or EZSP over ASH) and is
// coordinator and trust centre. The devices look for a network that lets them join every few seconds, as if somebody kept pressing their buttons,
// and go on trying when they are sent away.
//
// It is sans-I/O, like Radio, and used by one goroutine at a time.
type Guests struct {
	radio  *Radio
	server coprocessor
	stack  *ncp.Server // the server again, if it has a stack of its own; nil for a radio co-processor
}

// coprocessor is what rcp.Server and ncp.Server have in common.
type coprocessor interface {
	Input(now time.Time, b []byte)
	Output() []byte
}

// GuestConfig is a network of guests.
type GuestConfig struct {
	// Config is that of the home. Hub is the hardware address of the co-processor. Loss, Tap, Load and Save are as there.
	Config
	// Policy is what the devices ask of the frames they get. Under node.Open the host needs neither install codes nor key
	// establishment, and a display serves the reading that it shows as a metering cluster, which no display on a Smart
	// Energy network does.
	Policy node.Policy
	// WellKnown has the devices join with the well-known link key in place of that of their install codes, so that a host
	// of home automation can admit them whatever the policy.
	WellKnown bool
	// EZSP has the co-processor be a network co-processor of Silicon Labs, in place of an OpenThread radio co-processor.
	EZSP bool
}

// again is how long a guest waits before it looks for a network again (ours).
const again = 3 * time.Second

// NewGuests makes the network.
func NewGuests(now time.Time, c GuestConfig) (*Guests, error) {
	r := &Radio{cfg: c.Config, now: now, policy: c.Policy}
	r.air = air.New(air.Config{Seed: c.Seed, Loss: c.Loss})
	r.Tap(c.Tap)
	g := &Guests{radio: r}
	if c.EZSP {
		g.stack = ncp.NewServer(ncp.ServerConfig{EUI: c.Hub})
		g.stack.Attach(now, r.air.Open(g.stack))
		g.server = g.stack
	} else {
		s := &rcp.Server{EUI: c.Hub}
		s.Attach(now, r.air.Open(s))
		g.server = s
	}
	for i := range r.cfg.Devices {
		d := &r.cfg.Devices[i]
		s := &station{radio: r, device: d, eui: d.EUI, guest: true}
		s.config = node.Config{
			EUI: d.EUI, Role: d.Kind.role(), Policy: c.Policy, Endpoints: []*node.Endpoint{s.endpoint()}, LinkKey: r.code(d.EUI),
		}
		if c.WellKnown {
			s.config.LinkKey = security.WellKnownLinkKey()
		}
		r.stations = append(r.stations, s)
		s.port = r.air.Open(s)
		if c.Load != nil {
			state, err := c.Load(s.eui)
			if err != nil {
				return nil, fmt.Errorf("han: %v: load its node: %w", s.eui, err)
			}
			s.state = state
		}
		if err := s.start(now); err != nil {
			return nil, err
		}
		if !s.node.Up() {
			if err := s.node.Join(now); err != nil {
				return nil, fmt.Errorf("han: %v: %w", s.eui, err)
			}
		}
	}
	return g, nil
}

// Input takes octets of the host.
func (g *Guests) Input(now time.Time, b []byte) {
	g.Advance(now)
	g.server.Input(now, b)
}

// Output takes what is to be written to the host.
func (g *Guests) Output() []byte { return g.server.Output() }

// Advance does what is due at a time.
func (g *Guests) Advance(now time.Time) {
	g.radio.Advance(now)
	if g.stack != nil {
		g.stack.Advance(now)
	}
}

// Deadline is when Advance wants to be called; the zero time if never.
func (g *Guests) Deadline() time.Time {
	next := g.radio.next()
	if g.stack != nil {
		if d := g.stack.Deadline(); next.IsZero() || !d.IsZero() && d.Before(next) {
			return d
		}
	}
	return next
}

// Radio is the network itself, for statistics, taps and keys.
func (g *Guests) Radio() *Radio { return g.radio }

// Joined tells whether a device is on the host's network.
func (g *Guests) Joined(e wire.EUI64) bool {
	n := g.radio.Node(e)
	return n != nil && n.Up()
}

// keepTrying has a guest look for a network again.
func (s *station) keepTrying(now time.Time, e node.Event) {
	if e.Kind != node.JoinFailed && e.Kind != node.Left {
		return
	}
	n := s.node
	n.After(now, again, func(now time.Time) {
		if n == s.node && !n.Up() {
			_ = n.Join(now) // it has a link key, and is no coordinator
		}
	})
}

// Keys gives every key that frames of the guests may be under, as far as they know them, for the key file beside a capture.
func (g *Guests) Keys() (keys []security.Key) {
	for _, s := range g.radio.stations {
		keys = append(keys, s.config.LinkKey)
		if !s.node.Up() {
			continue
		}
		keys = append(keys, s.node.NetworkKey())
		if k, ok := s.node.LinkKey(s.node.TrustCentre()); ok {
			keys = append(keys, k)
		}
	}
	return keys
}
