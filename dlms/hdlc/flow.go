package hdlc

// LLC bytes that start each APDU (ISO/IEC 8802-2; published).
var (
	llcCommand  = [3]byte{0xE6, 0xE6, 0x00}
	llcResponse = [3]byte{0xE6, 0xE7, 0x00}
)

// sender cuts one message into I-frames and repeats those that were not acknowledged. Segments are counted from 0;
// acked <= next <= sent <= total.
type sender struct {
	buf   []byte
	size  int // information field
	total int
	acked int   // segments acknowledged
	next  int   // segment to send next
	sent  int   // segments sent at least once
	ns    uint8 // N(S) of segment acked
}

func (s *sender) reset() { *s = sender{buf: s.buf[:0]} }

// load starts a message; the one before must be done or is given up.
func (s *sender) load(size int, llc [3]byte, apdu []byte) {
	s.abandon()
	s.buf = append(append(s.buf[:0], llc[:]...), apdu...)
	s.size = size
	s.acked, s.next, s.sent = 0, 0, 0
	s.total = (len(s.buf) + size - 1) / size
}

// abandon gives up what was not acknowledged; the next message takes over the numbers.
func (s *sender) abandon() { s.total, s.next, s.sent = s.acked, s.acked, s.acked }

func (s *sender) done() bool { return s.acked == s.total }

// vs is V(S), the number of the next new frame.
func (s *sender) vs() uint8 { return (s.ns + uint8(s.sent-s.acked)) & 7 }

// ack takes a received N(R). It is false when N(R) acknowledges what was not sent.
func (s *sender) ack(nr uint8) bool {
	d := int((nr - s.ns) & 7)
	if d > s.sent-s.acked {
		return false
	}
	s.acked += d
	s.ns = nr
	s.next = max(s.next, s.acked)
	return true
}

// stale tells whether a N(R) that ack refused is one that a frame on its way since before the last acknowledgement carries.
func (s *sender) stale(nr, window uint8) bool { return (s.ns-nr)&7 <= window }

// burst appends I-frames from the first that is not acknowledged, up to the window; the last has P/F set.
func (s *sender) burst(out []byte, f Frame, window, nr uint8) []byte {
	s.next = s.acked
	end := min(s.total, s.acked+int(window))
	for ; s.next < end; s.next++ {
		from := s.next * s.size
		f.Info = s.buf[from:min(from+s.size, len(s.buf))]
		f.Segmented = s.next+1 < s.total
		f.Control = Control{Kind: I, NS: (s.ns + uint8(s.next-s.acked)) & 7, NR: nr, Final: s.next+1 == end}
		out = f.append(out)
	}
	s.sent = max(s.sent, s.next)
	return out
}

// receiver puts I-frames together again.
type receiver struct {
	buf []byte
	vr  uint8 // V(R), the number expected next
	mid bool  // a message has begun
}

func (r *receiver) reset() { *r = receiver{buf: r.buf[:0]} }

// take appends the segment whose number was the expected one; true when the message is complete.
func (r *receiver) take(f *Frame) bool {
	if !r.mid {
		r.buf = r.buf[:0]
	}
	r.buf = append(r.buf, f.Info...)
	r.vr = (r.vr + 1) & 7
	r.mid = f.Segmented
	return !r.mid
}

// repeated tells whether an unexpected N(S) was received before, rather than being ahead of what got lost.
func (r *receiver) repeated(ns, window uint8) bool { return (r.vr-ns)&7 <= window }

// apdu is the complete message without its LLC bytes, or nil if those are wrong.
func (r *receiver) apdu(llc [3]byte) []byte {
	if len(r.buf) <= len(llc) || [3]byte(r.buf) != llc {
		return nil
	}
	return r.buf[len(llc):]
}
