package fleet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"smets1/device/core"
	"smets1/device/esme"
	"smets1/device/gsme"
	"smets1/device/hub"
	"smets1/dlms/server"
	"smets1/dlms/wrapper"
	"smets1/firmware"
	"smets1/internal/clock"
	"smets1/internal/wire"
	"smets1/transport/radio"
)

// Options say how a fleet runs.
type Options struct {
	// Clock is the virtual time. Nil means the machine's.
	Clock clock.Clock
	// NV keeps what the devices acknowledged. Nil means memory: it ends with the process.
	NV core.NV
	// Listen has the homes answer over TCP; else only Dial and serial lines reach them.
	Listen bool
	// ListenNet is the network of loopback addresses, one for each home in the order
	// of the manifest. The zero value means 127.83.0.0/16, or 127.128.0.0/9 when that
	// is too small.
	ListenNet netip.Prefix
	// Port is the TCP port. Zero means 4059; a negative one lets the system choose.
	Port int
	// Gateway is a loopback address, like 127.0.0.1:4060, where all homes are reached over one
	// port: see the package comment. Empty is none; port 0 lets the system choose.
	Gateway string
	// HeadEnd is a TCP address where somebody waits for the hubs of live homes to call, each once
	// a day at a time of its own, or by the schedule of its make: the hub opens the connection,
	// and then answers what is asked over it. Empty: they go on line, and nobody is there.
	HeadEnd string
	// PTYDir is the folder where each home with an HDLC link has its serial line, as a
	// link named HOME.tty. Empty means that those homes have none.
	PTYDir string
	// Paced lets the characters on serial lines take their time, and garbles them unless the other end has the line's speed.
	Paced bool
	// HAN is what lies between hub and meters: HANRadio or HANMemory. Empty means what the manifest says, which is HANRadio
	// if it says nothing.
	HAN string
	// HANLatency is how long a frame takes one way with HANMemory. Zero means what the profile says, a negative one no
	// time at all.
	HANLatency time.Duration
	// HANLoss loses so many frames in a million between hub and meters.
	HANLoss int
	// RadioTap, if not nil, sees every frame on the air of the homes that have one, with their own times. It is called by
	// several goroutines, and must not keep the PSDU.
	RadioTap func(home string, f radio.Frame)
	// RadioHomes are the homes that RadioTap sees. Empty means all. The air of a home that is seen moves at its own times
	// and not in steps, which costs a little more.
	RadioHomes []string
	// Tap, if not nil, sees each piece of bytes between a client and a hub: toHub
	// tells the direction. It is called by several goroutines, and must not keep b.
	Tap func(home string, toHub bool, b []byte)
	// Logger gets what a person should know. Nil is silent.
	Logger *slog.Logger
	// Shards is into how many parts the homes are divided; as many can be moved at once.
	// Zero means 64. It changes nothing that a home does.
	Shards int
	// Rest is how long after the last word a home is kept in memory, in virtual time.
	// Zero means 2 minutes; a negative one keeps it for good.
	Rest time.Duration
	// Snapshot is what the fleet goes on from, in place of what the NV has. The clock should
	// begin at its time.
	Snapshot *Snapshot
	// Live has all homes run by themselves from the start, as those with live: yes do.
	Live bool
	// ByHand has the time stand still but for Run. Clock must be a *clock.Stepped, and
	// nobody else may advance it.
	ByHand bool
}

const (
	defaultShards = 64
	defaultRest   = 2 * time.Minute
)

// Fleet is the homes of a manifest at run time. It is safe for concurrent use.
type Fleet struct {
	manifest *Manifest
	opt      Options
	clock    clock.Clock
	stepped  *clock.Stepped // nil unless ByHand
	turn     sync.Mutex     // of Run
	resumed  bool           // what was saved was not saved by a power cut
	log      *slog.Logger
	models   map[string]models
	shards   []*shard
	listener net.Listener
	gateway  net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.Mutex // of closed and of what is added to group
	closed   bool
	group    sync.WaitGroup
	links    atomic.Uint64
	calls    chan struct{} // holds one for each call to the head end

	mu    sync.Mutex // of conns
	conns map[io.Closer]struct{}
	ptys  []io.Closer
}

// models are the types of the devices of a profile, shared by all homes.
type models struct {
	hub, esme, gsme *server.Model
}

var kinds = [...]firmware.DeviceType{roleHub: firmware.Hub, roleESME: firmware.ESME, roleGSME: firmware.GSME, roleIHD: firmware.IHD}

// Open starts a fleet. It ends when ctx is done or with Close.
func Open(ctx context.Context, m *Manifest, o Options) (*Fleet, error) {
	f := &Fleet{manifest: m, opt: o, clock: o.Clock, log: o.Logger, models: map[string]models{}, conns: map[io.Closer]struct{}{}, calls: make(chan struct{}, maxCalls)}
	if f.clock == nil {
		f.clock = clock.Real()
	}
	if o.ByHand {
		var ok bool
		if f.stepped, ok = f.clock.(*clock.Stepped); !ok {
			return nil, errors.New("fleet: ByHand needs a clock that is stepped")
		}
	}
	if o.Rest == 0 {
		f.opt.Rest = defaultRest
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if !o.ListenNet.IsValid() {
		f.opt.ListenNet = netip.MustParsePrefix("127.83.0.0/16")
		if m.Len() > addresses(f.opt.ListenNet) {
			f.opt.ListenNet = netip.MustParsePrefix("127.128.0.0/9")
		}
	}
	f.opt.ListenNet = f.opt.ListenNet.Masked()
	if !f.opt.ListenNet.Addr().Is4() || !f.opt.ListenNet.Addr().IsLoopback() || f.opt.ListenNet.Bits() < 8 {
		return nil, fmt.Errorf("fleet: %v: the network of the homes lies in 127.0.0.0/8", f.opt.ListenNet)
	}
	if n := addresses(f.opt.ListenNet); o.Listen && m.Len() > n {
		return nil, fmt.Errorf("fleet: %v has addresses for %d homes, there are %d: give a larger network", f.opt.ListenNet, n, m.Len())
	}
	switch {
	case o.Port == 0:
		f.opt.Port = wrapper.Port
	case o.Port < 0:
		f.opt.Port = 0
	case o.Port > 65535:
		return nil, fmt.Errorf("fleet: there is no TCP port %d", o.Port)
	}
	for _, name := range m.profiles.Names() {
		p, _ := m.profiles.Get(name)
		var t models
		var err error
		if t.hub, err = hub.Model(p); err != nil {
			return nil, err
		}
		if t.esme, err = esme.Model(p); err != nil {
			return nil, err
		}
		if p.GSME != nil {
			if t.gsme, err = gsme.Model(p); err != nil {
				return nil, err
			}
		}
		f.models[name] = t
	}
	if f.opt.HAN == "" {
		f.opt.HAN = m.HAN
	}
	if !hanWord(f.opt.HAN) {
		return nil, fmt.Errorf("fleet: %q is no home area network: %s or %s", f.opt.HAN, HANMemory, HANRadio)
	}
	n := o.Shards
	if n <= 0 {
		n = defaultShards
	}
	for range n {
		s := &shard{fleet: f, nv: o.NV, wake: make(chan struct{}, 1), homes: map[int]*home{}, resting: map[int]int64{}}
		if s.nv == nil {
			s.nv = deltas{}
		}
		f.shards = append(f.shards, s)
	}
	if o.Snapshot != nil {
		if err := f.load(o.Snapshot); err != nil {
			return nil, err
		}
	}
	f.ctx, f.cancel = context.WithCancel(ctx)
	if err := f.start(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Fleet) start() error {
	if err := f.wakeLive(); err != nil {
		return err
	}
	if !f.opt.ByHand {
		for _, s := range f.shards {
			f.spawn(func() { s.run(f.ctx) })
		}
	}
	if f.opt.Listen {
		if err := f.listen(); err != nil {
			return err
		}
	}
	if f.opt.Gateway != "" {
		if err := f.listenTrunk(); err != nil {
			return err
		}
	}
	if err := f.openLines(); err != nil {
		return err
	}
	context.AfterFunc(f.ctx, func() { _ = f.shut() })
	return nil
}

// spawn runs a goroutine that Close waits for. It reports false, and runs nothing,
// once the fleet is closing.
func (f *Fleet) spawn(g func()) bool {
	f.running.Lock()
	defer f.running.Unlock()
	if f.closed {
		return false
	}
	f.group.Add(1)
	go func() {
		defer f.group.Done()
		g()
	}()
	return true
}

// Close ends all connections and waits until everything has stopped. What the devices
// acknowledged is in the NV already; what they only saw is saved too, as far as the
// NV takes it.
func (f *Fleet) Close() error {
	f.running.Lock()
	f.closed = true
	f.running.Unlock()
	f.cancel()
	err := f.shut()
	f.group.Wait()
	for _, s := range f.shards {
		s.mu.Lock()
		for _, h := range s.homes {
			err = errors.Join(err, h.save())
		}
		s.mu.Unlock()
	}
	return err
}

// save writes down what the devices saw, though nothing of it was acknowledged: the
// counters of requests that changed nothing. The shard is locked.
func (h *home) save() (err error) {
	for _, u := range h.units() {
		if u.Keys().RxHighest() > 0 {
			u.Touch()
		}
		err = errors.Join(err, u.Flush(h.shard.nv))
	}
	return err
}

// shut closes what goroutines read from.
func (f *Fleet) shut() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if f.listener != nil {
		err = f.listener.Close()
		f.listener = nil
	}
	if f.gateway != nil {
		err = errors.Join(err, f.gateway.Close())
		f.gateway = nil
	}
	for c := range f.conns {
		_ = c.Close()
	}
	for _, p := range f.ptys {
		// Its connection, if it came to that, has closed it.
		if e := p.Close(); !errors.Is(e, os.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	f.ptys = nil
	return err
}

func (f *Fleet) shard(i int) *shard { return f.shards[i%len(f.shards)] }

// with does something with a home at the present time, and makes it first if need be.
func (f *Fleet) with(i int, do func(h *home, now time.Time) error) error {
	s := f.shard(i)
	s.mu.Lock()
	defer s.mu.Unlock()
	h, err := s.home(i)
	if err != nil {
		return err
	}
	now := h.advance(f.clock.Now())
	err = do(h, now)
	h.settle(now)
	return err
}

// withName is with for a home by name.
func (f *Fleet) withName(name string, do func(h *home, now time.Time) error) error {
	i, ok := f.manifest.find(name)
	if !ok {
		return fmt.Errorf("fleet: %q: %w", name, ErrNoHome)
	}
	return f.with(i, do)
}

// wakeLive makes the homes that run by themselves.
func (f *Fleet) wakeLive() error {
	var failed atomic.Pointer[error]
	f.each(func(n int, s *shard) {
		for i := n; i < f.manifest.Len() && failed.Load() == nil && f.ctx.Err() == nil; i += len(f.shards) {
			if !f.opt.Live && !f.manifest.live(i) {
				continue
			}
			if err := f.with(i, func(*home, time.Time) error { return nil }); err != nil {
				failed.Store(&err)
			}
		}
	})
	if err := failed.Load(); err != nil {
		return *err
	}
	return f.ctx.Err()
}

// each does something with all shards, as many at once as there are processors.
func (f *Fleet) each(do func(n int, s *shard)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(f.shards)) {
		group.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(f.shards); n = int(next.Add(1)) - 1 {
				do(n, f.shards[n])
			}
		})
	}
	group.Wait()
}

// Manifest is what the fleet was made from.
func (f *Fleet) Manifest() *Manifest { return f.manifest }

// ErrNoHome is a name, number or address that belongs to no home of the fleet.
var ErrNoHome = errors.New("no such home in this fleet")

// connect serves one connection. It returns when the connection ends.
func (f *Fleet) connect(i int, rw io.ReadWriteCloser, wan bool) {
	c := &conn{writer: writer{fleet: f, rw: rw}, id: f.links.Add(1), wan: wan}
	if !f.enter(rw) {
		return
	}
	defer f.leave(rw)
	if !f.attach(i, c) {
		_ = rw.Close()
		return
	}
	c.serve()
}

// attach puts a connection to its home; false when there is nobody to talk to.
func (f *Fleet) attach(i int, c *conn) bool {
	s := f.shard(i)
	s.mu.Lock()
	defer s.mu.Unlock()
	h, err := s.home(i)
	if err != nil {
		f.log.Error("a home could not be made", "home", i, "error", err)
		return false
	}
	c.home, c.name = h, h.name
	return h.attach(c)
}

// enter notes a connection, so that shut can end it. It closes it when the fleet ends.
func (f *Fleet) enter(rw io.Closer) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil {
		_ = rw.Close()
		return false
	}
	f.conns[rw] = struct{}{}
	return true
}

func (f *Fleet) leave(rw io.Closer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, rw)
}

// Dial connects to a home by name in memory, as over the WAN. A hub that does not
// answer ends the connection at once.
func (f *Fleet) Dial(name string) (net.Conn, error) {
	i, ok := f.manifest.find(name)
	if !ok {
		return nil, fmt.Errorf("fleet: %q: %w", name, ErrNoHome)
	}
	near, far := net.Pipe()
	if !f.spawn(func() { f.connect(i, far, true) }) {
		return nil, net.ErrClosed
	}
	return near, nil
}

// DialSerial connects to a home by name in memory, as with a serial cable: HDLC.
func (f *Fleet) DialSerial(name string) (net.Conn, error) {
	i, ok := f.manifest.find(name)
	if !ok {
		return nil, fmt.Errorf("fleet: %q: %w", name, ErrNoHome)
	}
	near, far := net.Pipe()
	if !f.spawn(func() { f.connect(i, far, false) }) {
		return nil, net.ErrClosed
	}
	return near, nil
}

// SMS takes a text message for a hub, by its subscriber number with or without a plus.
// The hub gets it after its profile's delay, if it gets messages at all; that nothing
// comes of it is no error, as with a real message centre.
func (f *Fleet) SMS(ctx context.Context, msisdn string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	i, ok := f.manifest.findSubscriber(strings.TrimPrefix(msisdn, "+"))
	if !ok {
		return fmt.Errorf("fleet: subscriber %s: %w", msisdn, ErrNoHome)
	}
	return f.with(i, func(h *home, now time.Time) error {
		h.hub.SMS(now)
		h.hub.Advance(now)
		return nil
	})
}

// PowerCut takes the power of a device of a home away for a time: hub, esme or gsme.
func (f *Fleet) PowerCut(name, device string, d time.Duration) error {
	return f.withName(name, func(h *home, now time.Time) error {
		u := h.unit(device)
		if u == nil {
			return fmt.Errorf("fleet: home %s has no device %q: hub, esme or gsme", name, device)
		}
		u.PowerCut(now, now.Add(d))
		if h.radio != nil {
			h.radio.PowerCut(now, u.EUI, now.Add(d))
		}
		h.flush(u)
		return nil
	})
}

func (h *home) unit(device string) *core.Unit {
	switch {
	case device == "hub":
		return &h.hub.Unit
	case device == "esme":
		return &h.esme.Unit
	case device == "gsme" && h.gsme != nil:
		return &h.gsme.Unit
	default:
		return nil
	}
}

// find gives the position of a home by name.
func (m *Manifest) find(name string) (int, bool) {
	for i := range m.Homes {
		if m.Homes[i].Name == name {
			return i, true
		}
	}
	at := len(m.Homes)
	for i := range m.Cohorts {
		c := &m.Cohorts[i]
		if rest, ok := strings.CutPrefix(name, c.Name+"-"); ok {
			var n int
			if _, err := fmt.Sscanf(rest, "%d", &n); err == nil && n >= 1 && n <= c.count && rest == fmt.Sprintf("%04d", n) {
				return at + n - 1, true
			}
		}
		at += c.count
	}
	return 0, false
}

// at gives the position of a home by its identity.
func (m *Manifest) at(id uint32) (int, bool) {
	id ^= uint32(m.word("identity")) & (1<<30 - 1)
	cohort, n := int(id>>24), int(id&0xFFFFFF)
	if cohort == 0 {
		return n, n < len(m.Homes)
	}
	if cohort > len(m.Cohorts) || n >= m.Cohorts[cohort-1].count {
		return 0, false
	}
	at := len(m.Homes)
	for i := range cohort - 1 {
		at += m.Cohorts[i].count
	}
	return at + n, true
}

// findEUI gives the position of a home by the EUI-64 of one of its devices.
func (m *Manifest) findEUI(e wire.EUI64) (int, bool) {
	if [4]byte(e[:4]) != prefix {
		return 0, false
	}
	return m.at(binary.BigEndian.Uint32(e[4:]) >> 2)
}

// findSubscriber gives the position of a home by its hub's number.
func (m *Manifest) findSubscriber(msisdn string) (int, bool) {
	var n uint64
	rest, ok := strings.CutPrefix(msisdn, "999")
	if _, err := fmt.Sscanf(rest, "%d", &n); !ok || err != nil || len(rest) != 10 {
		return 0, false
	}
	id := gather(n, msisdnMultiplier, subscribers)
	if id >= 1<<30 {
		return 0, false
	}
	return m.at(uint32(id))
}

// addresses is how many homes a network has room for.
func addresses(p netip.Prefix) int { return 1<<(32-p.Bits()) - 2 }

// address of a home.
func (f *Fleet) address(i int) netip.AddrPort {
	b := f.opt.ListenNet.Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(i)+1)
	port := f.opt.Port
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listener != nil {
		port = f.listener.Addr().(*net.TCPAddr).Port
	}
	return netip.AddrPortFrom(netip.AddrFrom4(b), uint16(port))
}

// atAddress gives the position of a home by the address that was called.
func (f *Fleet) atAddress(a netip.Addr) (int, bool) {
	a = a.Unmap()
	if !f.opt.ListenNet.Contains(a) {
		return 0, false
	}
	base, at := f.opt.ListenNet.Addr().As4(), a.As4()
	i := int(binary.BigEndian.Uint32(at[:])) - int(binary.BigEndian.Uint32(base[:])) - 1
	return i, i >= 0 && i < f.manifest.Len()
}
