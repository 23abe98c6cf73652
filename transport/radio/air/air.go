package air

import (
	"math/rand/v2"
	"time"

	"smets1/transport/radio"
)

// Levels in dBm.
const (
	DefaultRSSI int8 = -55  // between two stations that nothing was said of
	Unheard     int8 = -128 // out of reach
	sensitivity int8 = -97
	captureDB        = 10 // by so much a frame must be stronger than what it overlaps with
)

// Config sets up an air. The zero value is a room without losses.
type Config struct {
	// Seed of back-offs, losses and interference.
	Seed uint64
	// Loss in a million of receptions, each receiver for itself. Zero loses none.
	Loss int
	// Interference is foreign energy on all channels.
	Interference Interference
}

// Interference is bursts of energy that other systems send: a station hears the channel as busy, and what overlaps a
// burst is lost. The zero value is none.
type Interference struct {
	Share int           // of the time, in a million
	Burst time.Duration // length of a burst; zero means 1 ms
}

// Stats counts what happened on an air.
type Stats struct {
	Frames     uint64 // transmissions, repetitions and acknowledgements included
	Octets     uint64 // of PSDUs
	Delivered  uint64 // receptions handed to clients
	Lost       uint64 // receptions lost by Loss or interference
	Collisions uint64 // receptions spoilt by another frame
	Repeated   uint64 // repetitions for want of an acknowledgement
	Busy       uint64 // carrier senses that found the channel busy
}

// Air is a radio channel.
type Air struct {
	cfg    Config
	rand   rand.PCG
	ports  []*Port
	rssi   []int8 // from*len(ports)+to; 0 means DefaultRSSI
	active []*flight
	events events
	seq    uint64
	now    int64 // ns since 1970 of the event being done
	tap    func(radio.Frame)
	free   *flight // one spare, so that an idle home reuses it
	rx     []byte  // what a client is given, during the call
	stats  Stats
}

// New makes an air.
func New(c Config) *Air {
	a := &Air{cfg: c}
	a.rand.Seed(c.Seed, 0x616972)
	if c.Interference.Burst <= 0 {
		a.cfg.Interference.Burst = time.Millisecond
	}
	return a
}

// Open adds a station.
func (a *Air) Open(c radio.Client) *Port {
	n := len(a.ports)
	p := &Port{air: a, client: c, index: n}
	if len(a.rssi) > 0 {
		grown := make([]int8, (n+1)*(n+1))
		for i := range n {
			copy(grown[i*(n+1):], a.rssi[i*n:(i+1)*n])
		}
		a.rssi = grown
	}
	a.ports = append(a.ports, p)
	return p
}

// Link sets how well two stations hear one another, in dBm; Unheard is not at all.
func (a *Air) Link(x, y *Port, rssi int8) {
	a.OneWay(x, y, rssi)
	a.OneWay(y, x, rssi)
}

// OneWay sets how well one station is heard by another.
func (a *Air) OneWay(from, to *Port, rssi int8) {
	if a.rssi == nil {
		a.rssi = make([]int8, len(a.ports)*len(a.ports))
	}
	a.rssi[from.index*len(a.ports)+to.index] = rssi
}

func (a *Air) level(from, to int) int8 {
	if a.rssi == nil {
		return DefaultRSSI
	}
	if v := a.rssi[from*len(a.ports)+to]; v != 0 {
		return v
	}
	return DefaultRSSI
}

// SetLoss changes the share of receptions lost, in a million.
func (a *Air) SetLoss(millionths int) { a.cfg.Loss = millionths }

// Tap has f see every frame on the air, as it is sent, at its end. Nil ends it. f must not call the air.
func (a *Air) Tap(f func(radio.Frame)) { a.tap = f }

// Stats of the air so far.
func (a *Air) Stats() Stats { return a.stats }

// Deadline is when Advance wants to be called; the zero time if never.
func (a *Air) Deadline() time.Time {
	if len(a.events) == 0 {
		return time.Time{}
	}
	return at(a.events[0].at)
}

// Advance does all that is due at a time.
func (a *Air) Advance(now time.Time) {
	until := now.UnixNano()
	for len(a.events) > 0 && a.events[0].at <= until {
		e := a.events.pop()
		a.now = e.at
		switch e.kind {
		case evEnd:
			a.end(e.flight)
		case evAck:
			e.port.ack()
		default:
			if e.port.step == e.step {
				e.port.proceed(e.kind)
			}
		}
	}
}

func at(ns int64) time.Time { return time.Unix(0, ns).UTC() }

func (a *Air) schedule(e event) {
	a.seq++
	e.seq = a.seq
	a.events.push(e)
}

// below draws a number below n.
func (a *Air) below(n int) int { return int(a.rand.Uint64() % uint64(n)) }

// flight is a frame on the air. Those that overlapped it are kept until it ends.
type flight struct {
	from       *Port
	channel    uint8
	ack        bool
	start, end int64
	psdu       []byte
	others     []int // stations that sent at the same time
}

func (a *Air) begin(p *Port, psdu []byte, ack bool) {
	f := a.free
	if a.free = nil; f == nil {
		f = &flight{}
	}
	*f = flight{
		from: p, channel: p.channel, ack: ack, start: a.now, end: a.now + int64(radio.Airtime(len(psdu))),
		psdu: append(f.psdu[:0], psdu...), others: f.others[:0],
	}
	for _, o := range a.active {
		if o.channel == f.channel {
			o.others = append(o.others, p.index)
			f.others = append(f.others, o.from.index)
		}
	}
	a.active = append(a.active, f)
	a.stats.Frames++
	a.stats.Octets += uint64(len(psdu))
	a.schedule(event{at: f.end, kind: evEnd, flight: f})
}

// end hands a frame to those who hear it.
func (a *Air) end(f *flight) {
	for i, o := range a.active {
		if o == f {
			a.active = append(a.active[:i], a.active[i+1:]...)
			break
		}
	}
	if a.tap != nil {
		a.tap(radio.Frame{Start: at(f.start), End: at(f.end), Channel: f.channel, RSSI: DefaultRSSI, LQI: radio.Quality(DefaultRSSI), PSDU: f.psdu})
	}
	h, ok := radio.ParseHeader(f.psdu)
	for i := 0; i < len(a.ports); i++ { // a client may open another
		p := a.ports[i]
		rssi := a.level(f.from.index, i)
		if p == f.from || rssi < sensitivity || p.channel != f.channel {
			continue
		}
		p.heard = f.end
		if !p.listening(f, &h) || a.spoilt(f, p, rssi) || !ok {
			continue
		}
		p.receive(f, &h, rssi)
	}
	f.from.sent(f)
	a.free = f
}

// spoilt tells whether a frame does not reach a station.
func (a *Air) spoilt(f *flight, p *Port, rssi int8) bool {
	for _, o := range f.others {
		if o == p.index {
			return true // it sent at the time
		}
		if other := a.level(o, p.index); other >= sensitivity && int(rssi)-int(other) < captureDB {
			a.stats.Collisions++
			return true
		}
	}
	if a.cfg.Loss > 0 && a.below(1_000_000) < a.cfg.Loss || a.jammed(f.start, f.end) {
		a.stats.Lost++
		return true
	}
	return false
}

// jammed tells whether a burst of interference overlaps a stretch of time. There is one burst in each slot, at a place
// that follows from seed and slot.
func (a *Air) jammed(from, to int64) bool {
	share := int64(a.cfg.Interference.Share)
	if share <= 0 {
		return false
	}
	burst := int64(a.cfg.Interference.Burst)
	slot := max(burst*1_000_000/share, burst)
	for k := from/slot - 1; k <= to/slot; k++ {
		x := (uint64(k) ^ a.cfg.Seed) * 0x9E3779B97F4A7C15
		begin := k*slot + int64((x^x>>29)%uint64(slot-burst+1))
		if begin < to && begin+burst > from {
			return true
		}
	}
	return false
}

// busy tells whether a station senses energy in the time since.
func (a *Air) busy(p *Port, since int64) bool {
	if p.heard > since || p.acking || a.jammed(since, a.now) {
		return true
	}
	for _, f := range a.active {
		if f.channel == p.channel && (f.from == p || a.level(f.from.index, p.index) >= sensitivity) {
			return true
		}
	}
	return false
}
