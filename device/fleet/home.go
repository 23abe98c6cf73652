package fleet

import (
	"math/rand/v2"
	"sync"
	"time"

	"smets1/device/core"
	"smets1/device/esme"
	"smets1/device/gsme"
	"smets1/device/han"
	"smets1/device/hub"
	"smets1/device/ihd"
	"smets1/device/meter"
	"smets1/dlms/server"
)

// home is a hub and its devices at run time. All of it is under the lock of its shard.
type home struct {
	fleet *Fleet
	shard *shard
	mu    *sync.Mutex // of the shard
	index int
	name  string
	live  bool // runs by itself, and never rests

	now    time.Time // how far it has been moved
	talked time.Time // when somebody last talked to it
	restAt time.Time // when it may rest; zero while it may not
	wakeAt time.Time // when the devices of a live home look next at what is due; zero if it is not live
	callAt time.Time // when the hub of a live home calls home next
	due    int64     // when it wants to be moved, in nanoseconds since 1970; 0 for never
	queued int64     // its entry in the queue of the shard; 0 for none

	hub     *hub.Hub
	esme    *esme.Meter
	gsme    *gsme.Meter // nil without gas
	display *ihd.Display
	radio   *han.Radio  // nil with a HAN in memory
	memory  *hub.Memory // nil with a HAN on the air
	conns   []*conn
}

// line is what an adaptor of the DLMS server does for a connection.
type line interface {
	Input(now time.Time, b []byte)
	Output() []byte
	Deadline() time.Time
	Tick(now time.Time)
	Close()
}

var (
	_ line = (*server.Stream)(nil)
	_ line = (*server.Line)(nil)
)

// newHome makes a home from the seed and what was saved of it. One that rested goes on
// where it was; to another the power comes back.
func (f *Fleet) newHome(sh *shard, i int, rested bool) (*home, error) {
	m := f.manifest
	s := m.spec(i)
	h := &home{fleet: f, shard: sh, mu: &sh.mu, index: i, name: s.name, live: s.live || f.opt.Live}
	now := f.clock.Now()
	if !h.live && f.opt.Rest > 0 {
		h.restAt = now.Add(f.opt.Rest)
	}
	l := m.load(&s)
	members := []hub.Member{{EUI: s.eui(roleESME), Kind: kinds[roleESME], Model: s.set.esme.Model}}
	if s.gas {
		members = append(members, hub.Member{EUI: s.eui(roleGSME), Kind: kinds[roleGSME], Model: s.set.gsme.Model})
	}
	if s.display {
		members = append(members, hub.Member{EUI: s.eui(roleIHD), Kind: kinds[roleIHD], Model: s.set.ihd.Model})
		h.display = &ihd.Display{EUI: s.eui(roleIHD), Serial: s.serial(roleIHD), Make: s.set.ihd, Firmware: s.version(roleIHD)}
	}
	h.hub = hub.New(m.birth(&s, roleHub), hub.Config{Members: members, NoWAN: s.has(FaultNoWAN)},
		f.models[s.profile.Name].hub, s.deviceFaults(roleHub))
	common := meter.Config{Use: l.importing, Installed: l.installed, First: l.first[0], Balance: l.balance[0], Friendly: friendlyHours}
	l.electricity(&common)
	birth := func(role uint32) core.Birth { // of a meter, whose clock follows the hub's
		b := m.birth(&s, role)
		b.Source = h.hub.Clock()
		return b
	}
	h.esme = esme.New(birth(roleESME), esme.Config{Config: common, Export: l.exporting},
		f.models[s.set.esmeFrom.Name].esme, s.deviceFaults(roleESME))
	if s.gas {
		c := meter.Config{Use: l.gas, Installed: l.installed, First: l.first[2], Balance: l.balance[1], Prices: &gasPrices, Account: &emergency, Friendly: friendlyHours}
		h.gsme = gsme.New(birth(roleGSME), c, f.models[s.set.gsmeFrom.Name].gsme, s.deviceFaults(roleGSME))
	}
	for _, u := range h.units() {
		restore := u.Restore
		if rested || f.resumed {
			restore = u.Resume
		}
		if err := restore(now, sh.nv); err != nil {
			return nil, err
		}
	}
	h.now = now
	if h.live {
		h.wakeAt, h.callAt = h.nextWake(now), h.nextCall(now)
	}
	if f.opt.HAN != HANMemory {
		return h, h.onAir(now, &s)
	}
	latency := s.profile.HAN.Latency
	if f.opt.HANLatency != 0 {
		latency = max(0, f.opt.HANLatency)
	}
	h.memory = hub.NewMemory(hub.MemoryConfig{
		Latency: latency, Loss: f.opt.HANLoss,
		Rand: rand.New(rand.NewPCG(m.Seed, uint64(s.id))),
	}, h.hub)
	for _, u := range h.units()[1:] {
		h.memory.Join(u.EUI, node{h, u})
	}
	h.hub.Attach(h.memory)
	return h, nil
}

func (s *spec) deviceFaults(role uint32) core.Faults {
	return core.Faults{
		Silent:             role == roleESME && s.has(FaultESMESilent) || role == roleGSME && s.has(FaultGasSilent),
		PowerCutAtKeyStage: s.hasFor(FaultPowerCut, roleNames[role]),
	}
}

// units are the devices that speak DLMS.
func (h *home) units() []*core.Unit {
	u := []*core.Unit{&h.hub.Unit, &h.esme.Unit}
	if h.gsme != nil {
		u = append(u, &h.gsme.Unit)
	}
	return u
}

// node saves what a meter acknowledges before its answer is on the air.
type node struct {
	h *home
	u *core.Unit
}

func (n node) ServeFrame(now time.Time, frame, dst []byte) []byte {
	start := len(dst)
	dst = n.u.ServeFrame(now, frame, dst)
	if !n.h.flush(n.u) {
		return dst[:start]
	}
	return dst
}

// flush makes durable what changed in a device. When it cannot, what the device
// was about to say must stay unsaid.
func (h *home) flush(u *core.Unit) bool {
	if err := u.Flush(h.shard.nv); err != nil {
		h.fleet.log.Error("a reply is withheld because it could not be made durable", "home", h.name, "error", err)
		return false
	}
	return true
}

// at is a time that is not before what the home has lived through: a fleet that is moved by
// hand runs ahead of its clock for a moment.
func (h *home) at(now time.Time) time.Time {
	if now.Before(h.now) {
		return h.now
	}
	return now
}

// input takes bytes of a connection. It reports whether the connection goes on.
func (h *home) input(c *conn, b []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.gone {
		return false
	}
	now := h.advance(h.fleet.clock.Now())
	if c.gone { // the hub went to sleep in the meantime
		return false
	}
	if h.hub.On(now) {
		c.line.Input(now, b)
		h.hub.Served(now)
		if c.wan {
			h.hub.Heard(now)
		}
		h.hub.Advance(now)
	}
	h.settle(now)
	return !c.gone
}

// tick does what is due.
func (h *home) tick(now time.Time) {
	now = h.advance(now)
	if !h.restAt.IsZero() && !now.Before(h.restAt) && h.rest(now) {
		return
	}
	h.settle(now)
}

// advance lives through the time until now, doing each thing when it is due, and gives
// the time at which the home then is. A leap is not lived through.
func (h *home) advance(now time.Time) time.Time {
	now = h.at(now)
	if now.Sub(h.now) <= leap {
		for d := h.deadline(); d.After(h.now) && d.Before(now); d = h.deadline() {
			h.step(d)
		}
	}
	h.step(now)
	return now
}

func (h *home) step(now time.Time) {
	h.now = now
	if h.live && !now.Before(h.wakeAt) {
		h.wake(now)
	}
	if h.live && !now.Before(h.callAt) {
		h.call(now)
	}
	h.hub.On(now)
	h.hub.Advance(now)
	for _, c := range h.conns {
		if d := c.line.Deadline(); !d.IsZero() && !d.After(now) {
			c.line.Tick(now)
		}
	}
	h.drop(now)
}

// settle saves what changed, hands out what is to be sent, and notes when to come back.
func (h *home) settle(now time.Time) {
	saved := h.flush(&h.hub.Unit)
	for _, c := range h.conns {
		if out := c.line.Output(); len(out) > 0 && saved {
			c.send(out)
		}
	}
	h.drop(now)
	due := h.deadline()
	if r := h.restAt; !r.IsZero() && (due.IsZero() || r.Before(due)) {
		due = r
	}
	h.shard.schedule(h, due)
}

// patience is how many times longer than others a home stays in memory whose clients did not
// release their associations (ours).
const patience = 10

// talk notes that somebody talks to the home.
func (h *home) talk(now time.Time) {
	h.talked = now
	if !h.restAt.IsZero() {
		h.restAt = now.Add(h.fleet.opt.Rest)
	}
}

// rest takes a home that nobody has talked to for a while out of memory; what it is
// beyond its seed is written down. It reports false when there is more to it than that:
// a connection, keys that wait for their commit, a message under way.
//
// Associations over the HAN end, as with a meter that starts anew, and a network on the
// air stands still meanwhile.
func (h *home) rest(now time.Time) bool {
	h.restAt = now.Add(h.fleet.opt.Rest)
	if now.Sub(h.talked) < patience*h.fleet.opt.Rest {
		for _, u := range h.units() {
			if u.Device.Open() > 0 {
				return false
			}
		}
	}
	if len(h.conns) > 0 || !h.hub.Quiet(now) || h.memory != nil && !h.memory.Deadline().IsZero() {
		return false
	}
	for _, u := range h.units() {
		if !u.Quiet(now) {
			return false
		}
	}
	for _, u := range h.units() {
		if err := u.Suspend(h.shard.nv); err != nil {
			h.fleet.log.Error("a home cannot rest because it could not be made durable", "home", h.name, "error", err)
			return false
		}
	}
	due := int64(0)
	if d := h.hub.Deadline(); h.memory != nil && !d.IsZero() {
		due = d.UnixNano()
		h.shard.queue.push(entry{due, h.index})
	}
	h.shard.resting[h.index] = due
	delete(h.shard.homes, h.index)
	return true
}

// drop ends the connections that the hub cannot hold: those over the WAN when it is
// not there, and what a serial line had open when the power failed.
func (h *home) drop(now time.Time) {
	on, awake := h.hub.On(now), h.hub.Awake(now)
	kept := h.conns[:0]
	for _, c := range h.conns {
		switch {
		case c.wan && !awake:
			c.line.Close()
			c.hangUp()
			continue
		case !c.wan && !on:
			c.line.Close()
			c.line = h.serial(c.id)
		}
		kept = append(kept, c)
	}
	clear(h.conns[len(kept):])
	h.conns = kept
	if len(kept) == 0 {
		h.conns = nil
	}
}

func (h *home) deadline() time.Time {
	d := h.hub.Deadline()
	if h.live {
		if next := earliest(h.wakeAt, h.callAt); d.IsZero() || next.Before(d) {
			d = next
		}
	}
	for _, c := range h.conns {
		if x := c.line.Deadline(); d.IsZero() || !x.IsZero() && x.Before(d) {
			d = x
		}
		if c.wan {
			if x := h.hub.AsleepAt(); d.IsZero() || !x.IsZero() && x.Before(d) {
				d = x
			}
		}
	}
	return d
}

// stall is after how long a unit of a connection that stopped in the middle is given
// up. It is long because virtual time may run fast while the bytes are on their way.
const stall = 10 * time.Minute

func (h *home) stream(id uint64) line {
	return server.NewStream(server.StreamConfig{Host: h.hub.Host(), Forward: h.hub, Link: id, RefuseUnknown: true, Stall: stall})
}

// serial is the line of a serial port. Its times between octets are not kept: a pty
// has none, and virtual time may run fast.
func (h *home) serial(id uint64) line {
	c := server.LineConfig{Host: h.hub.Host(), Forward: h.hub, Link: id}
	c.HDLC.Inactivity, c.HDLC.InterOctet = -1, -1
	return server.NewLine(c)
}

// attach puts a connection to the home; false when the hub is not there.
// The shard is locked.
func (h *home) attach(c *conn) bool {
	now := h.advance(h.fleet.clock.Now())
	defer func() { h.settle(now) }()
	if c.wan {
		if !h.hub.Awake(now) || len(h.conns) >= maxConns {
			return false
		}
		h.hub.Heard(now)
		c.line = h.stream(c.id)
	} else {
		c.line = h.serial(c.id)
	}
	h.conns = append(h.conns, c)
	h.restAt = time.Time{}
	return true
}

// maxConns is how many connections a hub holds at once (ours).
const maxConns = 16

// detach takes a connection that ended away from the home.
func (h *home) detach(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, x := range h.conns {
		if x == c {
			c.line.Close()
			h.conns = append(h.conns[:i], h.conns[i+1:]...)
			break
		}
	}
	if len(h.conns) == 0 {
		h.conns = nil
	}
	c.gone = true
	now := h.at(h.fleet.clock.Now())
	h.talked = now
	if len(h.conns) == 0 && !h.live && h.fleet.opt.Rest > 0 {
		h.restAt = now.Add(h.fleet.opt.Rest)
	}
	h.settle(now)
}
