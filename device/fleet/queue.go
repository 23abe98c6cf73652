package fleet

// entry is when a home wants to be moved.
type entry struct {
	at   int64 // nanoseconds since 1970
	home int
}

func (e entry) before(o entry) bool { return e.at < o.at || e.at == o.at && e.home < o.home }

// dueHeap is a heap of entries with four children to a node and no pointers: the
// earliest first, and of one instant the lowest home, so that the order is the same
// on every machine.
type dueHeap []entry

// push reports whether the entry is the earliest now.
func (d *dueHeap) push(e entry) bool {
	h := append(*d, e)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !e.before(h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = e
	*d = h
	return i == 0
}

// pop takes the earliest off. There must be one.
func (d *dueHeap) pop() entry {
	h := *d
	first, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*d = h
	i := 0
	for {
		child := 4*i + 1
		if child >= len(h) {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, len(h)); c++ {
			if h[c].before(h[least]) {
				least = c
			}
		}
		if !h[least].before(last) {
			break
		}
		h[i] = h[least]
		i = least
	}
	if len(h) > 0 {
		h[i] = last
	}
	return first
}
