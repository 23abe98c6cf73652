package fleet

import (
	"encoding/binary"
	"net"
	"time"
)

// wakePeriod is how often the devices of a live home do what is due by themselves: as often
// as a gas meter wakes (published).
const wakePeriod = 30 * time.Minute

// nextWake is after a time, at a phase of the half hour that the home has for good, so that not
// all homes do so at once.
func (h *home) nextWake(now time.Time) time.Time {
	phase := time.Duration(h.hub.Secret[30]) * wakePeriod / 256
	return now.Add(-phase).Truncate(wakePeriod).Add(wakePeriod + phase)
}

// wake has the devices do what came due: tariffs and accounts move, and what there is to
// tell is entered in the logs and written down. In a home that is not live that is
// done when somebody asks, with the same times.
func (h *home) wake(now time.Time) {
	h.wakeAt = h.nextWake(now)
	for _, u := range h.units() {
		if u.On(now) {
			h.flush(u)
		}
	}
}

const (
	// callPeriod is how often a hub calls whose make has no schedule (ours).
	callPeriod = 24 * time.Hour
	// maxCalls is how many hubs are on the line to the head end at once; others wait.
	maxCalls = 256
	// dialTimeout is how long a head end may take to lift the receiver, in the machine's time.
	dialTimeout = 10 * time.Second
)

// nextCall is after a time.
func (h *home) nextCall(now time.Time) time.Time {
	if at := h.hub.NextCall(now); !at.IsZero() {
		return at
	}
	phase := time.Duration(binary.BigEndian.Uint32(h.hub.Secret[26:30])) * time.Second % callPeriod
	return now.Add(-phase).Truncate(callPeriod).Add(callPeriod + phase)
}

// call has the hub call home. One whose make has a schedule is on line then anyway.
func (h *home) call(now time.Time) {
	scheduled := !h.hub.NextCall(now).IsZero()
	h.callAt = h.nextCall(now)
	if !scheduled && h.hub.CallHome(now) != nil {
		return // without WAN or power
	}
	if h.flush(&h.hub.Unit) && h.fleet.opt.HeadEnd != "" {
		h.fleet.spawn(func() { h.fleet.callHeadEnd(h.index, h.name) })
	}
}

// callHeadEnd connects a home to the head end, and serves it over that.
func (f *Fleet) callHeadEnd(i int, name string) {
	select {
	case f.calls <- struct{}{}:
		defer func() { <-f.calls }()
	case <-f.ctx.Done():
		return
	}
	d := net.Dialer{Timeout: dialTimeout}
	nc, err := d.DialContext(f.ctx, "tcp", f.opt.HeadEnd)
	if err != nil {
		f.log.Info("the head end does not answer", "home", name, "error", err)
		return
	}
	f.connect(i, nc, true)
}
