package core

import (
	"encoding/binary"
	"time"

	"smets1/internal/wire"
)

// Clock is a device's own idea of the time: right when it was set, and drifting
// since by so many parts in a million.
//
// A meter's clock follows the hub's: once a day, at a time of its own, it takes the
// hub's time if the two are no more than ten seconds apart. If they are further apart
// it leaves its clock alone and calls it doubtful: only an authenticated client may
// move it so far (recalled: SMETS keeps clocks within ten seconds). What the hub's clock
// was before it was last set is not known any more.
type Clock struct {
	source *Clock // nil: nobody's
	phase  time.Duration
	setAt  time.Time     // when it was set, by true time
	err    time.Duration // how far it was off then; positive is ahead
	ppm    int64
	moved  bool // set since birth
}

// Now is what the clock shows at a true time.
func (c *Clock) Now(now time.Time) time.Time {
	return now.Add(c.Error(now))
}

// Error is how far the clock is ahead at a true time.
func (c *Clock) Error(now time.Time) time.Duration {
	if at, ok := c.synced(now); ok && !at.IsZero() {
		return c.source.Error(at) + now.Sub(at)/1_000_000*time.Duration(c.ppm)
	}
	return c.free(now)
}

// Follows has the clock take its time from another, once a day at a phase of the day.
func (c *Clock) Follows(source *Clock, phase time.Duration) { c.source, c.phase = source, phase }

// Reliable reports whether the clock is one that follows and can.
func (c *Clock) Reliable(now time.Time) bool {
	_, ok := c.synced(now)
	return ok
}

// tolerance is how far a clock moves by itself.
const tolerance = 10 * time.Second

// synced is when the clock last took the source's time; the zero time if it was set or
// born since. It is false if the two were too far apart.
func (c *Clock) synced(now time.Time) (at time.Time, ok bool) {
	if c.source == nil {
		return at, true
	}
	const day = 24 * time.Hour
	at = now.Add(-c.phase).Truncate(day).Add(c.phase)
	// The first time at which the two met decides: from then on a day's drift is between them.
	from := c.setAt
	if c.source.moved && c.source.setAt.After(from) {
		from = c.source.setAt
	}
	first := from.Add(-c.phase).Truncate(day).Add(day + c.phase)
	if first.After(now) {
		return time.Time{}, true
	}
	return at, (c.free(first) - c.source.Error(first)).Abs() <= tolerance
}

// free is the error of a clock left to itself.
func (c *Clock) free(now time.Time) time.Duration {
	since := now.Sub(c.setAt)
	return c.err + since/1_000_000*time.Duration(c.ppm)
}

// Set makes the clock show t at a true time.
func (c *Clock) Set(now, t time.Time) {
	c.setAt, c.err, c.moved = now, t.Sub(now), true
}

func (c *Clock) append(b []byte) []byte {
	if !c.moved {
		return b
	}
	b = binary.BigEndian.AppendUint64(b, uint64(c.setAt.UnixNano()))
	return binary.BigEndian.AppendUint64(b, uint64(c.err))
}

func (c *Clock) restore(r *wire.Reader) {
	c.setAt = time.Unix(0, int64(r.U64())).UTC()
	c.err = time.Duration(r.U64())
	c.moved = true
}
