package core

import (
	"encoding/binary"
	"time"

	"smets1/internal/wire"
)

// Clock is a device's own idea of the time: right when it was set, and drifting
// since by so many parts in a million.
type Clock struct {
	setAt time.Time     // when it was set, by true time
	err   time.Duration // how far it was off then; positive is ahead
	ppm   int64
	moved bool // set since birth
}

// Now is what the clock shows at a true time.
func (c *Clock) Now(now time.Time) time.Time {
	return now.Add(c.Error(now))
}

// Error is how far the clock is ahead at a true time.
func (c *Clock) Error(now time.Time) time.Duration {
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
