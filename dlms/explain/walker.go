package explain

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// walker goes through the bytes of one layer and writes fields. After a failure
// it does nothing more until the part that failed is left.
type walker struct {
	x      *Explainer
	out    *Explanation
	layer  int
	b      []byte
	off    int
	end    int // of the part we are in
	depth  int
	clause string
	secret bool // fields taken now give something away
	failed bool
	last   int // index of the field that say speaks of, -1 none
}

// take makes a field of the next n bytes. Without bytes there is no field.
func (w *walker) take(n int, name string) []byte {
	w.last = -1
	if w.failed {
		return nil
	}
	if left := w.end - w.off; n > left {
		if left == 0 {
			w.fail("the input ends where %s should be", name)
		} else {
			w.fail("the input ends inside %s: it has %d bytes and %d are left", name, n, left)
		}
		return nil
	}
	if n == 0 {
		return nil
	}
	b := w.b[w.off : w.off+n : w.off+n]
	w.last = len(w.out.Fields)
	w.out.Fields = append(w.out.Fields, Field{
		Layer: w.layer, Offset: w.off, Bytes: b, Depth: w.depth, Name: name, Clause: w.clause, Secret: w.secret,
	})
	w.off += n
	return b
}

// say gives the last field taken its meaning.
func (w *walker) say(format string, args ...any) {
	if w.failed || w.last < 0 {
		return
	}
	w.out.Fields[w.last].Value = fmt.Sprintf(format, args...)
}

// drop takes fields of the last n bytes back; off is where they began.
func (w *walker) drop(n int) {
	for n > 0 && len(w.out.Fields) > 0 {
		n -= len(w.out.Fields[len(w.out.Fields)-1].Bytes)
		w.out.Fields = w.out.Fields[:len(w.out.Fields)-1]
	}
	w.last = -1
}

// note tells a problem and goes on.
func (w *walker) note(offset int, format string, args ...any) {
	if !w.failed {
		w.out.Problems = append(w.out.Problems, Problem{Layer: w.layer, Offset: offset, Text: fmt.Sprintf(format, args...)})
	}
}

// fail tells a problem at the next byte and ends the part.
func (w *walker) fail(format string, args ...any) {
	w.note(w.off, format, args...)
	w.failed = true
}

func (w *walker) u8(name string) uint8 {
	if b := w.take(1, name); b != nil {
		w.say("%d", b[0])
		return b[0]
	}
	return 0
}

func (w *walker) u16(name string) uint16 {
	if b := w.take(2, name); b != nil {
		v := binary.BigEndian.Uint16(b)
		w.say("%d", v)
		return v
	}
	return 0
}

func (w *walker) u32(name string) uint32 {
	if b := w.take(4, name); b != nil {
		w.say("%d", u32(b))
		return u32(b)
	}
	return 0
}

func (w *walker) peek() (byte, bool) {
	if w.failed || w.off >= w.end {
		return 0, false
	}
	return w.b[w.off], true
}

func (w *walker) rest() []byte {
	if w.failed {
		return nil
	}
	return w.b[w.off:w.end]
}

// inside runs f one level deeper.
func (w *walker) inside(f func()) {
	w.depth++
	f()
	w.depth--
}

// whole runs f, which should use the layer up.
func (w *walker) whole(f func()) {
	f()
	if !w.failed && w.off < w.end {
		w.fail("%d bytes are left over", w.end-w.off)
	}
	w.remains()
}

// remains makes a field of what a failure left.
func (w *walker) remains() {
	w.failed, w.secret = false, false
	if w.off < w.end {
		w.take(w.end-w.off, NotExplained)
	}
}

// part runs f on the next n bytes alone; what goes wrong there ends there. f
// should use them up.
func (w *walker) part(n int, name string, f func()) {
	if w.failed {
		return
	}
	if left := w.end - w.off; n > left {
		w.note(w.off, "the input ends inside %s: it has %d bytes and %d are left", name, n, left)
		n = left
	}
	end, depth, secret, clause := w.end, w.depth, w.secret, w.clause
	w.end = w.off + n
	w.whole(f)
	w.end, w.depth, w.secret, w.clause = end, depth, secret, clause
}

// maxLayers bounds what one message can contain inside itself.
const maxLayers = 64

// derive explains bytes that are not those of this layer.
func (w *walker) derive(name string, b []byte, f func(*walker)) {
	if w.failed {
		return
	}
	if len(w.out.Layers) >= maxLayers {
		w.note(w.off, "more than %d layers inside one another or one after the other: not looked into", maxLayers)
		return
	}
	w.out.Layers = append(w.out.Layers, Layer{Name: name, Bytes: b})
	in := &walker{x: w.x, out: w.out, layer: len(w.out.Layers) - 1, b: b, end: len(b), depth: w.depth, last: -1}
	in.whole(func() { f(in) })
}

// length takes an A-XDR or short BER length and says what it counts.
func (w *walker) length(name, unit string) int {
	if w.failed {
		return 0
	}
	n, size, err := parseLength(w.rest())
	if err != "" {
		if len(w.rest()) == 0 {
			w.fail("the input ends where %s should be", name)
		} else {
			w.fail("%s: %s", name, err)
		}
		return 0
	}
	w.take(size, name)
	w.say("%d %s", n, unit)
	return n
}

// parseLength reads a length; the error is a sentence part.
func parseLength(b []byte) (n, size int, err string) {
	if len(b) == 0 {
		return 0, 0, "the input ends here"
	}
	if b[0] < 0x80 {
		return int(b[0]), 1, ""
	}
	size = int(b[0] & 0x7F)
	if size == 0 || size > 4 {
		return 0, 0, fmt.Sprintf("%02X does not begin a length: want 00 to 7F, or 81 to 84 and so many bytes", b[0])
	}
	if len(b) < 1+size {
		return 0, 0, fmt.Sprintf("the input ends inside the length, of which %02X announces %d bytes", b[0], size)
	}
	var v uint64
	for _, c := range b[1 : 1+size] {
		v = v<<8 | uint64(c)
	}
	if v > 1<<31-1 {
		return 0, 0, fmt.Sprintf("a length of %d cannot be", v)
	}
	return int(v), 1 + size, ""
}

// present takes the byte before an optional element.
func (w *walker) present(what string) bool {
	v := w.u8(what + "?")
	switch {
	case w.failed:
	case v == 0:
		w.say("absent")
	case v == 1:
		w.say("present")
		return true
	default:
		w.off--
		w.drop(1)
		w.fail("%02X where 00 or 01 says whether there is %s", v, what)
	}
	return false
}

// octets takes a length and so many bytes.
func (w *walker) octets(name string) []byte {
	n := w.length("length of "+name, "bytes")
	return w.take(n, name)
}

func hexBytes(b []byte) string { return strings.ToUpper(fmt.Sprintf("%x", b)) }
