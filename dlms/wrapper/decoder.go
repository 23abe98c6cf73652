package wrapper

// Decoder cuts units out of a byte stream. Bytes that cannot be a header are dropped, and counted, up to the next 00 01,
// so that a connection still serves the next good request after junk. The zero value is ready. It does not allocate once
// its buffer has grown to the longest unit and write.
type Decoder struct {
	buf     []byte
	start   int
	garbage uint64
}

// Write takes bytes from the stream. It keeps a copy. It never fails; the results make it an io.Writer.
func (d *Decoder) Write(b []byte) (int, error) {
	if d.start > 0 {
		d.buf = d.buf[:copy(d.buf, d.buf[d.start:])]
		d.start = 0
	}
	d.buf = append(d.buf, b...)
	return len(b), nil
}

// Next returns the next whole unit. The APDU is valid until the next Write.
func (d *Decoder) Next() (h Header, apdu []byte, ok bool) {
	d.skip(garbageLen(d.buf[d.start:]))
	b := d.buf[d.start:]
	if len(b) < Size {
		return Header{}, nil, false // the usual end of a read, for which no error is made
	}
	h, n, err := ParseHeader(b)
	if err != nil || len(b) < n+int(h.Length) {
		return Header{}, nil, false
	}
	end := n + int(h.Length)
	d.start += end
	return h, b[n:end:end], true
}

// Pending is the number of bytes held for a unit that is not complete.
func (d *Decoder) Pending() int { return len(d.buf) - d.start }

// Garbage is the number of bytes dropped so far.
func (d *Decoder) Garbage() uint64 { return d.garbage }

// GiveUp drops the first byte of an incomplete unit and looks for a header after it: for owners that see a stream stand
// still in the middle of a unit, which a false length makes it do.
func (d *Decoder) GiveUp() {
	if d.Pending() > 0 {
		d.skip(1)
	}
}

func (d *Decoder) skip(n int) {
	d.start += n
	d.garbage += uint64(n)
}

// garbageLen counts the bytes before the first that could start 00 01.
func garbageLen(b []byte) int {
	for i := range b {
		if b[i] == 0 && (i+1 == len(b) || b[i+1] == Version) {
			return i
		}
	}
	return len(b)
}
