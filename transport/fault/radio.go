package fault

import (
	"time"

	"smets1/internal/wire"
	"smets1/transport/radio"
)

// Radio is a radio with the faults of a plan: frames that it receives are In, those that it sends Out. It stands between a
// radio and its client, without goroutines and timers: whoever moves the radio calls Advance at Deadline for the frames that
// come late.
//
// A frame that is lost on its way out is one that was never acknowledged; one that is changed goes out with a valid FCS, as
// the transceiver makes it, so that a flip is a change of content. What is received repeated is received twice, what is sent
// repeated is on the air twice.
type Radio struct {
	Frames *Frames

	radio  radio.Radio
	client radio.Client
	late   []lateFrame
	again  []byte // to be sent once more
	tries  int
}

type lateFrame struct {
	at   time.Time
	psdu []byte // nil: the end of a transmission that was lost
	rssi int8
	lqi  uint8
}

var (
	_ radio.Radio  = (*Radio)(nil)
	_ radio.Client = (*Radio)(nil)
)

// NewRadio makes a radio with faults for a client. Open the radio below with it as client, and give it with Attach.
func NewRadio(f *Frames, client radio.Client) *Radio { return &Radio{Frames: f, client: client} }

// Attach gives the radio below.
func (r *Radio) Attach(below radio.Radio) { r.radio = below }

// Tune implements radio.Radio.
func (r *Radio) Tune(now time.Time, channel uint8, on bool) { r.radio.Tune(now, channel, on) }

// Address implements radio.Radio.
func (r *Radio) Address(pan, short uint16, eui wire.EUI64) { r.radio.Address(pan, short, eui) }

// Pending implements radio.Radio.
func (r *Radio) Pending(short []uint16, extended []wire.EUI64) { r.radio.Pending(short, extended) }

// Transmit implements radio.Radio.
func (r *Radio) Transmit(now time.Time, psdu []byte, retries int) error {
	if len(psdu) < radio.MinPSDU || len(psdu) > radio.MaxPSDU {
		return radio.ErrPSDU
	}
	all := r.Frames.Pass(Out, psdu[:len(psdu)-fcsSize])
	if len(all) == 0 {
		r.late = append(r.late, lateFrame{at: now.Add(radio.Airtime(len(psdu)) + radio.AckWait)})
		return nil
	}
	out := withFCS(all[0].Frame)
	if len(all) > 1 {
		r.again, r.tries = withFCS(all[1].Frame), retries
	}
	return r.radio.Transmit(now, out, retries)
}

// Received implements radio.Client.
func (r *Radio) Received(now time.Time, psdu []byte, rssi int8, lqi uint8) {
	if len(psdu) < radio.MinPSDU {
		return
	}
	for _, d := range r.Frames.Pass(In, psdu[:len(psdu)-fcsSize]) {
		if d.After > 0 {
			r.late = append(r.late, lateFrame{now.Add(d.After), withFCS(d.Frame), rssi, lqi})
			continue
		}
		r.client.Received(now, withFCS(d.Frame), rssi, lqi)
	}
}

// Sent implements radio.Client.
func (r *Radio) Sent(now time.Time, pending bool, err error) {
	if again := r.again; again != nil {
		r.again = nil
		if r.radio.Transmit(now, again, r.tries) == nil {
			return // the client is told of the second
		}
	}
	r.client.Sent(now, pending, err)
}

// Deadline is when Advance wants to be called; the zero time if never.
func (r *Radio) Deadline() (next time.Time) {
	for _, l := range r.late {
		if next.IsZero() || l.at.Before(next) {
			next = l.at
		}
	}
	return next
}

// Advance hands over what is due.
func (r *Radio) Advance(now time.Time) {
	var due []lateFrame
	kept := r.late[:0]
	for _, l := range r.late {
		if l.at.After(now) {
			kept = append(kept, l)
		} else {
			due = append(due, l)
		}
	}
	r.late = kept
	for _, l := range due {
		if l.psdu == nil {
			r.client.Sent(now, false, radio.ErrNoAck)
			continue
		}
		r.client.Received(now, l.psdu, l.rssi, l.lqi)
	}
}

const fcsSize = 2

// withFCS gives a frame its FCS; what has become too long is cut, as the transceiver would.
func withFCS(frame []byte) []byte {
	frame = frame[:min(len(frame), radio.MaxPSDU-fcsSize)]
	c := wire.CRC16Kermit(frame)
	return append(append([]byte(nil), frame...), byte(c), byte(c>>8))
}
