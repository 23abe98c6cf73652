package prepay

// Window knows which counters were used: those a little behind the highest may still
// come, as codes are not always entered in the order of their making.
type Window struct {
	Highest uint32
	Seen    uint64 // bit i is Highest-i
}

// Used reports whether a counter was used, or is so old that it must count as used.
func (w *Window) Used(c uint32) bool {
	switch {
	case w.Seen == 0 || c > w.Highest:
		return false
	case w.Highest-c >= 64:
		return true
	default:
		return w.Seen>>(w.Highest-c)&1 != 0
	}
}

// Use notes a counter.
func (w *Window) Use(c uint32) {
	if w.Seen == 0 || c > w.Highest {
		if d := c - w.Highest; w.Seen == 0 || d >= 64 {
			w.Seen = 0
		} else {
			w.Seen <<= d
		}
		w.Highest, w.Seen = c, w.Seen|1
		return
	}
	if d := w.Highest - c; d < 64 {
		w.Seen |= 1 << d
	}
}
