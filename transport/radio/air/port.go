package air

import (
	"time"

	"smets1/internal/wire"
	"smets1/transport/radio"
)

// Port is a station of an air: a transceiver.
type Port struct {
	air    *Air
	client radio.Client
	index  int
	filter radio.Filter

	channel uint8
	on      bool
	since   int64 // when it was tuned so
	heard   int64 // end of the last frame that it heard
	acking  bool  // an acknowledgement is about to leave or leaving
	ackBuf  []byte

	// The transmission under way.
	state    state
	step     uint32 // events of an earlier step are void
	psdu     []byte
	wantAck  bool
	sequence uint8
	retries  int
	be, nb   int
}

var _ radio.Radio = (*Port)(nil)

type state uint8

const (
	idle state = iota
	backingOff
	sensing
	sending
	waiting // for an acknowledgement
)

// Tune implements radio.Radio.
func (p *Port) Tune(now time.Time, channel uint8, on bool) {
	if channel != p.channel || on && !p.on {
		p.since = now.UnixNano()
	}
	p.channel, p.on = channel, on
}

// Address implements radio.Radio.
func (p *Port) Address(pan, short uint16, eui wire.EUI64) { p.filter.Set(pan, short, eui) }

// Pending implements radio.Radio.
func (p *Port) Pending(short []uint16, extended []wire.EUI64) { p.filter.Match(short, extended) }

// Promiscuous makes the station hear everything and acknowledge nothing.
func (p *Port) Promiscuous(on bool) { p.filter.Promiscuous = on }

// Transmit implements radio.Radio.
func (p *Port) Transmit(now time.Time, psdu []byte, retries int) error {
	if p.state != idle {
		return radio.ErrBusy
	}
	if len(psdu) < radio.MinPSDU || len(psdu) > radio.MaxPSDU {
		return radio.ErrPSDU
	}
	p.psdu, p.retries = psdu, retries
	p.wantAck, p.sequence = psdu[0]&(1<<5) != 0, psdu[2]
	p.air.now = now.UnixNano()
	p.contend()
	return nil
}

// contend begins carrier sense with a fresh back-off.
func (p *Port) contend() {
	p.be, p.nb = radio.MinBE, 0
	p.backOff()
}

func (p *Port) backOff() {
	p.state = backingOff
	p.later(time.Duration(p.air.below(1<<p.be))*radio.UnitBackoff+radio.CCATime, evSensed)
}

func (p *Port) later(d time.Duration, k kind) {
	p.step++
	p.air.schedule(event{at: p.air.now + int64(d), kind: k, port: p, step: p.step})
}

// proceed does the next step of a transmission.
func (p *Port) proceed(k kind) {
	switch k {
	case evSensed:
		if !p.air.busy(p, p.air.now-int64(radio.CCATime)) {
			p.state = sensing
			p.later(radio.Turnaround, evStart)
			return
		}
		p.air.stats.Busy++
		p.nb++
		p.be = min(p.be+1, radio.MaxBE)
		if p.nb > radio.MaxBackoffs {
			p.finish(false, radio.ErrChannelBusy)
			return
		}
		p.backOff()
	case evStart:
		if p.acking { // an acknowledgement came in between
			p.backOff()
			return
		}
		p.state = sending
		p.air.begin(p, p.psdu, false)
	case evNoAck:
		if p.retries == 0 {
			p.finish(false, radio.ErrNoAck)
			return
		}
		p.retries--
		p.air.stats.Repeated++
		p.contend()
	default:
	}
}

// sent is told the end of a frame of this station.
func (p *Port) sent(f *flight) {
	switch {
	case f.ack:
		p.acking = false
	case p.wantAck:
		p.state = waiting
		p.later(radio.AckWait, evNoAck)
	default:
		p.finish(false, nil)
	}
}

func (p *Port) finish(pending bool, err error) {
	p.step++
	p.state, p.psdu = idle, nil
	p.client.Sent(at(p.air.now), pending, err)
}

// listening tells whether the receiver was on for the whole of a frame.
func (p *Port) listening(f *flight, h *radio.Header) bool {
	if h.Type == radio.TypeAck && p.state == waiting {
		return true
	}
	return p.on && p.since <= f.start
}

// receive takes a frame that arrived unharmed.
func (p *Port) receive(f *flight, h *radio.Header, rssi int8) {
	if h.Type == radio.TypeAck && p.state == waiting && h.Sequence == p.sequence {
		p.finish(h.Pending, nil)
	}
	mine, alone := p.filter.Accepts(h)
	if !mine {
		return
	}
	if alone && h.AckRequest {
		if p.acking || p.state == sending {
			return // one transmitter: the sender will try again
		}
		p.acking = true
		p.ackBuf = radio.AppendAck(p.ackBuf[:0], h.Sequence, p.filter.Waiting(h))
		p.air.schedule(event{at: p.air.now + int64(radio.Turnaround), kind: evAck, port: p})
	}
	p.air.stats.Delivered++
	// The sender may retry and everyone else gets the same octets, so each client has its own, during the call.
	p.air.rx = append(p.air.rx[:0], f.psdu...)
	p.client.Received(at(p.air.now), p.air.rx, rssi, radio.Quality(rssi))
}

// ack puts an acknowledgement on the air.
func (p *Port) ack() { p.air.begin(p, p.ackBuf, true) }
