package han

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"smets1/device/hub"
	"smets1/dlms/wrapper"
	"smets1/internal/wire"
	"smets1/transport/radio"
	"smets1/transport/radio/air"
	"smets1/zigbee/node"
	"smets1/zigbee/node/cluster"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl/se"
)

// Kind is what a device is on the network.
type Kind uint8

// The kinds.
const (
	Electricity Kind = iota + 1
	Gas
	Display
)

// Device is a device of the home.
type Device struct {
	EUI  wire.EUI64
	Kind Kind
	// Node answers what comes out of the tunnel. Displays have none.
	Node hub.Node
	// Meter says what the meter tells of itself on the air.
	Meter Meter
	Basic cluster.Basic
	// Silent devices have a broken radio: they are on the network's list and never heard.
	Silent bool
}

// Config is a home's network.
type Config struct {
	Hub     wire.EUI64
	Basic   cluster.Basic
	Devices []Device
	// Secret gives secrets that follow from the home's seed: n octets for a device and a purpose.
	Secret func(e wire.EUI64, what string, n int) []byte
	// Seed of the air. Loss is in a million of receptions.
	Seed uint64
	Loss int
	// Load and Save keep the state of the nodes. Nil means that it is lost with the process.
	Load func(e wire.EUI64) ([]byte, error)
	Save func(e wire.EUI64, state []byte) error
	// Tap sees every frame on the air. It must not keep the PSDU.
	Tap func(radio.Frame)
	// Timeout is how long the hub waits for a meter. Zero means 20 s.
	Timeout time.Duration
	// HubClock is the hub's clock at a true time; nil means that it is right.
	HubClock func(now time.Time) time.Time
}

// Radio is a HAN on the air. It is used by one goroutine at a time.
type Radio struct {
	cfg      Config
	to       hub.Receiver
	air      *air.Air
	stations []*station
	tunnels  cluster.TunnelClient
	mirrors  cluster.MirrorHost
	display  *display
	now      time.Time
	tapped   bool
	policy   node.Policy
	waits    []wait // of the hub for its meters
}

var _ hub.HAN = (*Radio)(nil)

// station is a device's place on the air. Its node may be exchanged: a power cut ends one and begins another.
type station struct {
	radio    *Radio
	device   *Device // nil for the hub
	eui      wire.EUI64
	port     *air.Port
	node     *node.Node
	config   node.Config
	state    []byte
	offUntil time.Time
	units    assembler
	server   *cluster.TunnelServer
	mirrored *cluster.Mirrored
	reply    []byte
	guest    bool // on a network of somebody else's
}

// Received and Sent implement radio.Client.
func (s *station) Received(now time.Time, psdu []byte, rssi int8, lqi uint8) {
	if s.node != nil {
		s.node.Received(now, psdu, rssi, lqi)
	}
}

// Sent implements radio.Client.
func (s *station) Sent(now time.Time, pending bool, err error) {
	if s.node != nil {
		s.node.Sent(now, pending, err)
	}
}

// wait is that the hub waits for something from a meter.
type wait struct {
	device wire.EUI64
	until  time.Time
}

// Lazily moved: while nobody waits for a frame and nobody listens, what the devices do by themselves is done in steps of
// this length, or when somebody looks. It is done with its own times all the same.
const step = 5 * time.Minute

const defaultTimeout = 20 * time.Second

// New makes the network of a home.
func New(now time.Time, c Config, to hub.Receiver) (*Radio, error) {
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	r := &Radio{cfg: c, to: to, now: now}
	r.air = air.New(air.Config{Seed: c.Seed, Loss: c.Loss})
	r.Tap(c.Tap)
	states, err := r.born()
	if err != nil {
		return nil, err
	}
	r.tunnels = cluster.TunnelClient{Received: r.received}
	h := &station{radio: r, eui: c.Hub, config: node.Config{EUI: c.Hub, Role: node.Coordinator, Endpoints: []*node.Endpoint{r.esi()}}}
	r.stations = append(r.stations, h)
	for i := range c.Devices {
		d := &c.Devices[i]
		s := &station{radio: r, device: d, eui: d.EUI}
		s.config = node.Config{EUI: d.EUI, Role: d.Kind.role(), Endpoints: []*node.Endpoint{s.endpoint()}, LinkKey: r.code(d.EUI)}
		r.stations = append(r.stations, s)
	}
	for _, s := range r.stations {
		s.port = r.air.Open(s)
		s.state = states[s.eui]
		if c.Load != nil {
			saved, err := c.Load(s.eui)
			if err != nil {
				return nil, fmt.Errorf("han: %v: load its node: %w", s.eui, err)
			}
			if len(saved) > 0 {
				s.state = saved
			}
		}
		if s.device != nil && s.device.Silent {
			continue
		}
		if err := s.start(now); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (k Kind) role() node.Role {
	switch k {
	case Electricity:
		return node.Router
	case Gas:
		return node.Sleepy
	default:
		return node.EndDevice
	}
}

// born is the network as it stands when nothing was saved of it.
func (r *Radio) born() (map[wire.EUI64][]byte, error) {
	c := &r.cfg
	key, err := security.NewKey(c.Secret(c.Hub, "network key", security.KeySize))
	if err != nil {
		return nil, err
	}
	place := binary.BigEndian.Uint32(c.Secret(c.Hub, "network", 4))
	w := node.Commissioned{Channel: channels[place>>16%uint32(len(channels))], PAN: uint16(place)%0xFFF0 + 1, Key: key, Hub: c.Hub}
	for i := range c.Devices {
		d := &c.Devices[i]
		link, err := security.NewKey(c.Secret(d.EUI, "link key", security.KeySize))
		if err != nil {
			return nil, err
		}
		short := binary.BigEndian.Uint16(c.Secret(d.EUI, "short address", 2))%0x3FF0 + 1 + uint16(i)*0x4000
		w.Devices = append(w.Devices, node.CommissionedDevice{EUI: d.EUI, Role: d.Kind.role(), Short: short, Code: r.code(d.EUI), LinkKey: link})
		if d.Kind != Display {
			continue
		}
		for k := range c.Devices {
			if m := &c.Devices[k]; m.Kind == Electricity {
				pair, err := security.NewKey(c.Secret(d.EUI, "partner key", security.KeySize))
				if err != nil {
					return nil, err
				}
				w.Partner = append(w.Partner, node.Partners{A: d.EUI, B: m.EUI, Key: pair})
			}
		}
	}
	return w.States()
}

// channels are those that SMETS1 hubs prefer: clear of the usual wireless LANs (ours).
var channels = [...]uint8{11, 14, 15, 19, 20, 24, 25}

func (r *Radio) code(e wire.EUI64) security.Key { return r.InstallCode(e).LinkKey() }

// InstallCode is what the label of a device says.
func (r *Radio) InstallCode(e wire.EUI64) security.InstallCode {
	c, err := security.NewInstallCode(r.cfg.Secret(e, "install code", 16))
	if err != nil {
		panic("han: " + err.Error()) // sixteen octets are a code
	}
	return c
}

// start makes the station's node of its state: at the beginning, and when power is back.
func (s *station) start(now time.Time) error {
	c := s.config
	c.Save = s.save
	c.Entropy = rand.NewChaCha8([32]byte(s.radio.cfg.Secret(s.eui, "entropy", 32)))
	c.Notify = s.notify
	n, err := node.New(c)
	if err != nil {
		return err
	}
	s.node = n
	s.units = assembler{}
	if s.device == nil {
		s.radio.tunnels.Attach(n)
		s.radio.mirrors.Attach(n)
	}
	if err := n.Start(now, s.port, s.state); err != nil {
		return fmt.Errorf("han: %v: %w", s.eui, err)
	}
	s.begin(now)
	return nil
}

func (s *station) save(b []byte) error {
	s.state = append(s.state[:0], b...)
	if s.radio.cfg.Save == nil {
		return nil
	}
	return s.radio.cfg.Save(s.eui, b)
}

// Send implements hub.HAN.
func (r *Radio) Send(now time.Time, to wire.EUI64, frame []byte) error {
	r.Advance(now)
	known := false
	for _, s := range r.stations[1:] {
		known = known || s.eui == to && s.device.Node != nil
	}
	n := r.stations[0].node
	if n == nil || !known {
		return fmt.Errorf("han: %v: %w", to, hub.ErrNotJoined)
	}
	if _, joined := n.DeviceShort(to); !joined || !n.HasLinkKey(to) {
		return fmt.Errorf("han: %v: %w", to, hub.ErrNotJoined)
	}
	r.waits = append(r.waits, wait{to, now.Add(r.cfg.Timeout)})
	r.tunnels.Send(now, to, frame)
	return nil
}

// busy is until when somebody waits for a meter; the zero time if nobody does.
func (r *Radio) busy() time.Time {
	var until time.Time
	kept := r.waits[:0]
	for _, w := range r.waits {
		if !w.until.After(r.now) {
			continue
		}
		kept = append(kept, w)
		if w.until.After(until) {
			until = w.until
		}
	}
	r.waits = kept
	return until
}

// heard ends the wait for a meter.
func (r *Radio) heard(from wire.EUI64) {
	for i, w := range r.waits {
		if w.device == from {
			r.waits = append(r.waits[:i], r.waits[i+1:]...)
			return
		}
	}
}

// received takes what came out of a meter's tunnel and gives it to the hub in whole units.
func (r *Radio) received(now time.Time, from wire.EUI64, data []byte) {
	for _, s := range r.stations[1:] {
		if s.eui == from {
			s.units.add(data, func(unit []byte) {
				r.heard(from)
				r.to.Received(now, from, unit)
			})
		}
	}
}

// Advance implements hub.HAN. A clock that is set ahead by more than an hour leaves the time between out (ours), and for the
// air that is a power cut of the whole home: who skips days does not want their frames. What somebody waits for comes first.
func (r *Radio) Advance(now time.Time) {
	if now.Sub(r.now) > leap {
		if until := r.busy(); until.After(r.now) {
			r.live(until)
		}
		if now.Sub(r.now) > leap {
			r.leaveOut(now.Add(-settle))
		}
	}
	r.live(now)
}

// live does everything until a time.
func (r *Radio) live(now time.Time) {
	for {
		next := r.next()
		if next.IsZero() || next.After(now) {
			break
		}
		r.now = next
		r.air.Advance(next)
		for _, s := range r.stations {
			s.advance(next)
		}
	}
	if now.After(r.now) {
		r.now = now
	}
}

// leap is by how much a clock must be set ahead for the air not to live through it; settle is how much of that it does.
const (
	leap   = time.Hour
	settle = 10 * time.Second
)

// leaveOut lets no time pass on the air: every node stops with its state and goes on from it at a time, as after a power cut
// of the whole home. Nothing on the air is pretended; what was under way is lost and tried again.
func (r *Radio) leaveOut(now time.Time) {
	var on []*station
	for _, s := range r.stations {
		if s.node != nil {
			s.state = append(s.state[:0], s.node.State()...)
			s.node = nil
			on = append(on, s)
		}
	}
	r.air.Advance(now) // frames that were on the air end; nobody hears them
	r.now = now
	for _, s := range on {
		// It was running from this state before; there is nothing to go wrong that did not then.
		_ = s.start(now)
	}
}

func (s *station) advance(now time.Time) {
	if !s.offUntil.IsZero() && !now.Before(s.offUntil) {
		s.offUntil = time.Time{}
		// It was running from this state before; there is nothing to go wrong that did not then.
		_ = s.start(now)
	}
	if s.node != nil {
		s.node.Advance(now)
	}
}

func (r *Radio) next() time.Time {
	next := r.air.Deadline()
	for _, s := range r.stations {
		next = earlier(next, s.offUntil)
		if s.node != nil {
			next = earlier(next, s.node.Deadline())
		}
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Deadline implements hub.HAN.
func (r *Radio) Deadline() time.Time {
	next := r.next()
	if next.IsZero() || r.tapped || !r.busy().IsZero() {
		return next
	}
	if lazy := r.now.Add(step); next.Before(lazy) {
		return lazy
	}
	return next
}

// PowerCut takes the power of a device away until a time: its node stops, and goes on from its state.
func (r *Radio) PowerCut(now time.Time, e wire.EUI64, until time.Time) {
	r.Advance(now)
	for _, s := range r.stations {
		if s.eui == e && s.node != nil {
			s.node, s.offUntil = nil, until
		}
	}
}

// Tap has f see every frame on the air from now on; nil ends it. f must not keep the PSDU.
func (r *Radio) Tap(f func(radio.Frame)) {
	r.tapped = f != nil
	r.air.Tap(f)
}

// Stats of the air.
func (r *Radio) Stats() air.Stats { return r.air.Stats() }

// Devices gives the EUI-64 of those that have a node of ours.
func (r *Radio) Devices() (list []wire.EUI64) {
	for _, s := range r.stations {
		list = append(list, s.eui)
	}
	return list
}

// Node is a device's node, nil without power or if there is no such device.
func (r *Radio) Node(e wire.EUI64) *node.Node {
	for _, s := range r.stations {
		if s.eui == e {
			return s.node
		}
	}
	return nil
}

// Keys gives every key that frames of the home may be under, for the key file beside a capture.
func (r *Radio) Keys() []security.Key {
	var keys []security.Key
	for _, s := range r.stations {
		if s.node == nil {
			continue
		}
		if s.device == nil {
			keys = append(keys, s.node.NetworkKey())
			continue
		}
		keys = append(keys, r.code(s.eui))
		for _, o := range r.stations {
			if k, ok := s.node.LinkKey(o.eui); ok && o != s {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// assembler makes whole wrapper units of what comes in pieces.
type assembler struct{ b []byte }

func (a *assembler) add(data []byte, unit func([]byte)) {
	a.b = append(a.b, data...)
	for len(a.b) > 0 {
		h, n, err := wrapper.ParseHeader(a.b)
		switch {
		case err != nil && len(a.b) < wrapper.Size:
			return
		case err != nil:
			a.b = nil // nothing that a unit could be found in again
			return
		case len(a.b) < n+int(h.Length):
			return
		}
		end := n + int(h.Length)
		u := a.b[:end:end]
		a.b = a.b[end:]
		unit(u)
	}
	a.b = nil
}

// esi is the hub's endpoint.
func (r *Radio) esi() *node.Endpoint {
	b := r.cfg.Basic
	b.Mains, b.MirrorRoom = true, r.mirrors.Room
	clock := &cluster.Clock{Now: r.cfg.HubClock}
	return &node.Endpoint{ID: 1, Device: se.DeviceESI, Clusters: []*node.Cluster{
		b.Cluster(), clock.Cluster(), (&cluster.Identify{}).Cluster(), cluster.KeepAlive, r.mirrors.Cluster(), r.tunnels.Cluster(),
	}}
}
