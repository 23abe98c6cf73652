package hdlc

import (
	"bytes"
	"errors"
)

// Stats counts what a Decoder saw.
type Stats struct {
	Frames  uint64 // good frames
	HCS     uint64 // candidates dropped for a wrong header check
	FCS     uint64 // candidates dropped for a wrong frame check
	Broken  uint64 // candidates dropped for a wrong format, length, address or closing flag, or given up
	Garbage uint64 // bytes outside good frames, other than flags
}

// Decoder finds frames in a byte stream. Bad frames are dropped without a word and counted; the search goes on at the
// next flag inside them, so a false start never costs the good frame behind it. The zero value is ready. It does not
// allocate once its buffer has grown to the largest backlog.
type Decoder struct {
	buf   []byte
	start int
	stats Stats
}

// Write takes bytes from the line and keeps a copy. It never fails; the results make it an io.Writer.
func (d *Decoder) Write(b []byte) (int, error) {
	if d.start > 0 {
		d.buf = d.buf[:copy(d.buf, d.buf[d.start:])]
		d.start = 0
	}
	d.buf = append(d.buf, b...)
	return len(b), nil
}

// Next puts the next good frame into f. f.Info is valid until the next Write.
func (d *Decoder) Next(f *Frame) bool {
	for d.hunt() {
		// The flag that closes a frame may open the next: it stays, and hunt skips it if it does not.
		n, err := f.parse(d.buf[d.start+1:])
		if err == nil {
			d.start += n
			d.stats.Frames++
			return true
		}
		if errors.Is(err, ErrTruncated) {
			return false
		}
		d.drop(err)
	}
	return false
}

// hunt moves to the next flag that is followed by something else than a flag.
func (d *Decoder) hunt() bool {
	for {
		b := d.buf[d.start:]
		i := bytes.IndexByte(b, flag)
		if i < 0 {
			i = len(b)
		}
		d.stats.Garbage += uint64(i)
		d.start += i
		b = b[i:]
		if len(b) < 2 {
			return false
		}
		if b[1] != flag {
			return true
		}
		d.start++
	}
}

// drop leaves the flag behind that did not start a frame.
func (d *Decoder) drop(err error) {
	switch {
	case errors.Is(err, ErrHCS):
		d.stats.HCS++
	case errors.Is(err, ErrFCS):
		d.stats.FCS++
	default:
		d.stats.Broken++
	}
	d.start++
}

// Partial tells whether a frame has begun and not ended: the inter-octet timeout runs.
func (d *Decoder) Partial() bool { return len(d.buf)-d.start > 1 }

// GiveUp drops the frame that has begun, for when the inter-octet timeout passes. Call Next after it: what was taken for
// the inside of that frame may hold a whole one.
func (d *Decoder) GiveUp() {
	if d.Partial() {
		d.drop(ErrLength)
	}
}

// Stats returns the counts so far.
func (d *Decoder) Stats() Stats { return d.stats }
