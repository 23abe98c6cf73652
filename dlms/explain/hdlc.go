package explain

import (
	"bytes"
	"fmt"

	"smets1/dlms/hdlc"
	"smets1/internal/wire"
)

const hdlcFlag = 0x7E

var (
	llcRequest  = []byte{0xE6, 0xE6, 0x00}
	llcResponse = []byte{0xE6, 0xE7, 0x00}
)

func llcText(b []byte) string {
	if bytes.HasPrefix(b, llcResponse) {
		return "response, from the server"
	}
	return "request, from the client"
}

// hdlcStream explains frames one after the other, and what lies between them.
func (w *walker) hdlcStream() {
	for !w.failed && w.off < w.end {
		w.clause = clauseHDLCFrame
		rest := w.rest()
		at := bytes.IndexByte(rest, hdlcFlag)
		if at < 0 {
			at = len(rest)
		}
		if at > 0 {
			w.note(w.off, "%d bytes that belong to no frame", at)
			w.take(at, "not a frame")
			continue
		}
		if len(rest) > 1 && rest[1] == hdlcFlag || len(rest) == 1 && len(w.out.Fields) > 0 {
			w.take(1, "flag")
			continue
		}
		w.frame()
		w.remainsOfFrame()
	}
}

// remainsOfFrame leaves a bad frame at the next flag that may open another.
func (w *walker) remainsOfFrame() {
	if !w.failed {
		return
	}
	w.failed, w.secret = false, false
	rest := w.b[w.off:w.end]
	next := bytes.IndexByte(rest, hdlcFlag)
	if next < 0 {
		next = len(rest)
	}
	w.take(next, NotExplained)
}

func (w *walker) frame() {
	w.take(1, "flag")
	depth := w.depth
	w.depth++
	defer func() { w.depth = depth }()
	start := w.off
	format := w.u16("frame format")
	if w.failed {
		return
	}
	n := int(format & 0x7FF)
	segmented := format&0x800 != 0
	if format&0xF000 != 0xA000 {
		w.off = start
		w.drop(2)
		w.fail("frame format %04X: want A… for type 3", format)
		return
	}
	more := "the APDU ends here"
	if segmented {
		more = "more frames of the APDU follow"
	}
	w.say("type 3, %d bytes, %s", n, more)
	w.clause = clauseHDLCAddress
	to, from := w.address("destination"), w.address("source")
	w.clause = clauseHDLCControl
	c := hdlc.ParseControl(w.u8("control"))
	w.say("%s", c)
	if w.failed {
		return
	}
	header := w.off - start
	info := n - header - 4
	switch {
	case info == -2: // no information, and no HCS
		info = 0
	case info < 0:
		w.note(start, "a frame of %d bytes has no room for its header and check sequence", n)
		w.failed = true
		return
	default:
		w.check("HCS", start)
	}
	w.clause = clauseHDLCFrame
	if info > 0 {
		if left := w.end - w.off; info > left {
			w.note(start, "the frame says it has %d bytes and the input ends after %d", n, w.end-start)
			info = left
		}
		w.information(c, segmented, fmt.Sprintf("%s>%s", from, to), info)
		w.clause = clauseHDLCFrame
	}
	w.check("FCS", start)
	if b, ok := w.peek(); ok && b != hdlcFlag {
		w.fail("%02X where the closing flag 7E should be: the length of the frame is wrong, or a byte was lost", b)
		return
	}
	if _, ok := w.peek(); !ok && !w.failed {
		w.fail("the input ends where the closing flag should be")
		return
	}
	// A flag may close this frame and open the next one.
	if rest := w.rest(); len(rest) < 2 || rest[1] == hdlcFlag || rest[1]&0xF0 != 0xA0 {
		w.depth--
		w.take(1, "flag")
	}
}

func (w *walker) address(name string) string {
	a, n, err := hdlc.ParseAddress(w.rest())
	if w.failed {
		return ""
	}
	if err != nil {
		w.fail("%s address: %v", name, err)
		return ""
	}
	w.take(n, name)
	w.say("%s", a)
	return fmt.Sprint(a)
}

// check explains a check sequence over what began at start.
func (w *walker) check(name string, start int) {
	at := w.off
	b := w.take(2, name)
	if b == nil {
		return
	}
	want := wire.CRC16X25(w.b[start:at])
	if got := uint16(b[0]) | uint16(b[1])<<8; got != want {
		w.say("wrong: %04X, computed %04X", got, want)
		w.note(at, "the %s is %02X %02X and should be %02X %02X: a byte from %04X on is damaged", name, b[0], b[1], byte(want), byte(want>>8), start)
		return
	}
	w.say("right")
}

// information explains the information field.
func (w *walker) information(c hdlc.Control, segmented bool, conversation string, n int) {
	switch c.Kind {
	case hdlc.SNRM, hdlc.UA:
		delete(w.x.segments, conversation)
		w.clause = clauseHDLCParams
		w.part(n, "the parameters", w.params)
	case hdlc.I, hdlc.UI:
		w.segment(segmented, conversation, n)
	case hdlc.FRMR:
		w.take(n, "reasons of the rejection")
	default:
		w.take(n, "information")
	}
}

// segment explains an APDU or a part of one.
func (w *walker) segment(more bool, conversation string, n int) {
	kept, going := w.x.segments[conversation]
	if !more && !going {
		w.part(n, "the information field", w.apdu)
		return
	}
	if !going {
		w.clause = clauseLLC
		if b := w.rest(); n >= 3 && (bytes.HasPrefix(b, llcRequest) || bytes.HasPrefix(b, llcResponse)) {
			w.take(3, "LLC")
			w.say("%s", llcText(b))
			n -= 3
		}
	}
	b := w.take(n, "segment")
	if len(kept)+len(b) > maxKept {
		w.note(w.off, "an APDU of more than %d bytes: not put together", maxKept)
		delete(w.x.segments, conversation)
		return
	}
	kept = append(kept, b...)
	w.say("%d bytes of the APDU so far", len(kept))
	if more {
		w.x.segments[conversation] = kept
		return
	}
	delete(w.x.segments, conversation)
	w.derive("put together from segments", kept, (*walker).apdu)
}

var paramNames = map[byte]string{5: "max information field, transmit", 6: "max information field, receive", 7: "window, transmit", 8: "window, receive"}

func (w *walker) params() {
	b := w.take(3, "format, group, length")
	if b != nil && (b[0] != 0x81 || b[1] != 0x80) {
		w.fail("parameters begin with %02X %02X: want 81 80", b[0], b[1])
		return
	}
	for !w.failed && w.off < w.end {
		rest := w.rest()
		if len(rest) < 2 {
			w.take(2, "parameter")
			return
		}
		size := 2 + int(rest[1])
		name, ok := paramNames[rest[0]]
		if !ok {
			name = fmt.Sprintf("parameter %02X", rest[0])
		}
		p := w.take(size, name)
		if p == nil || !ok {
			continue
		}
		v := uint64(0)
		for _, c := range p[2:] {
			v = v<<8 | uint64(c)
		}
		w.say("%d", v)
	}
}
