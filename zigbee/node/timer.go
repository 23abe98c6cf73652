package node

import "time"

// timer calls f once. Timers of one instant fire in the order in which they were set.
type timer struct {
	at    time.Time
	seq   uint64
	index int // in the heap, -1 outside it
	f     func()
}

type timers []*timer

func (h timers) less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}

func (h timers) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h timers) up(i int) {
	for i > 0 && h.less(i, (i-1)/2) {
		h.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (h timers) down(i int) {
	for {
		least := i
		for k := 2*i + 1; k <= 2*i+2 && k < len(h); k++ {
			if h.less(k, least) {
				least = k
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

// after has f called d from now.
func (n *Node) after(d time.Duration, f func()) *timer {
	n.timerSeq++
	t := &timer{at: n.now.Add(d), seq: n.timerSeq, index: len(n.timers), f: f}
	n.timers = append(n.timers, t)
	n.timers.up(t.index)
	return t
}

// stop takes a timer back. A nil or spent one is fine.
func (n *Node) stop(t *timer) {
	if t == nil || t.index < 0 {
		return
	}
	i, last := t.index, len(n.timers)-1
	n.timers.swap(i, last)
	n.timers[last] = nil
	n.timers = n.timers[:last]
	t.index = -1
	if i < last {
		n.timers.up(i)
		n.timers.down(i)
	}
}

// Deadline is when Advance wants to be called; the zero time if never.
func (n *Node) Deadline() time.Time {
	if len(n.timers) == 0 {
		return time.Time{}
	}
	return n.timers[0].at
}

// Advance does what is due at a time.
func (n *Node) Advance(now time.Time) {
	for len(n.timers) > 0 && !n.timers[0].at.After(now) {
		t := n.timers[0]
		n.now = t.at
		n.stop(t)
		t.f()
	}
	n.now = now
}

// After calls f once, d from now, unless cancel is called before.
func (n *Node) After(now time.Time, d time.Duration, f func(now time.Time)) (cancel func()) {
	n.now = now
	t := n.after(d, func() {
		f(n.now)
		n.persist()
	})
	return func() { n.stop(t) }
}
