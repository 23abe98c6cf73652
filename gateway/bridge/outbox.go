package bridge

import (
	"slices"
	"sync"
	"time"
)

// item is a message that is to be sent.
type item struct {
	topic    string
	qos      byte
	retained bool
	payload  []byte
	// build makes the payload when the message is sent, if it has a session and a sequence. No payload removes what is retained.
	build func(session string, sequence uint64) ([]byte, error)
	// key, if not empty, names what the message is news of: a later item with the key takes its place.
	key string
	// final ends the news of key: an earlier item that was not sent is dropped.
	final bool
	// notBefore, if set, is when it may be sent. Times do not go back from one push to the next.
	notBefore time.Time
	// droppable says that it may be dropped when too much waits.
	droppable bool
	// acked is called once the broker has the message; nil if nobody wants to know.
	acked func()

	dropped bool
}

// outbox is what waits to be sent, in order.
type outbox struct {
	limit int

	mu    sync.Mutex
	queue []*item
	head  int
	later []delayed // in the order of their times
	byKey map[string]*item
	lost  uint64
	more  chan struct{} // has something to say
	less  chan struct{} // has become shorter
}

// delayed is an item that waits for news that make it needless.
type delayed struct {
	at time.Time
	it *item
}

func newOutbox(limit int) *outbox {
	return &outbox{limit: limit, byKey: map[string]*item{}, more: make(chan struct{}, 1), less: make(chan struct{}, 1)}
}

// push adds a message. It tells whether it was taken; only droppable ones may not be.
func (o *outbox) push(it *item) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if old := o.byKey[it.key]; it.key != "" && old != nil {
		if it.final {
			old.dropped = true
			delete(o.byKey, it.key)
		} else {
			old.payload, old.build, old.retained = it.payload, it.build, it.retained
			return true
		}
	}
	if it.droppable && len(o.queue)-o.head >= o.limit {
		o.lost++
		return false
	}
	if it.key != "" && !it.final {
		o.byKey[it.key] = it
	}
	if it.notBefore.IsZero() {
		o.queue = append(o.queue, it)
	} else {
		o.later = append(o.later, delayed{it.notBefore, it})
	}
	signal(o.more)
	return true
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// promote moves what has waited long enough to the end of the queue. Lock held.
func (o *outbox) promote(now time.Time) {
	n := 0
	for n < len(o.later) && (o.later[n].it.dropped || !now.Before(o.later[n].at)) {
		if it := o.later[n].it; !it.dropped {
			o.queue = append(o.queue, it)
		}
		o.later[n] = delayed{}
		n++
	}
	if o.later = o.later[n:]; len(o.later) == 0 {
		o.later = nil
	}
}

// pop takes the first message, or returns nil and how long until there may be one; zero means that nothing waits for a time.
func (o *outbox) pop(now time.Time) (*item, time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.promote(now)
	for o.head < len(o.queue) {
		it := o.queue[o.head]
		o.queue[o.head] = nil
		o.head++
		if it.dropped {
			continue
		}
		if o.byKey[it.key] == it {
			delete(o.byKey, it.key)
		}
		signal(o.less)
		return it, 0
	}
	o.queue, o.head = o.queue[:0], 0
	if cap(o.queue) > 4096 {
		o.queue = nil
	}
	signal(o.less)
	if len(o.later) > 0 {
		return nil, o.later[0].at.Sub(now)
	}
	return nil, 0
}

// putBack puts messages back that were popped and not acknowledged, before all others. News that have become old meanwhile are left out.
func (o *outbox) putBack(items []*item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var again []*item
	for _, it := range items {
		if it.key != "" && !it.final {
			if o.byKey[it.key] != nil {
				continue
			}
			o.byKey[it.key] = it
		}
		again = append(again, it)
	}
	o.queue = append(again, slices.Clone(o.queue[o.head:])...)
	o.head = 0
	signal(o.more)
}

// len counts what waits, dropped ones included.
func (o *outbox) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue) - o.head + len(o.later)
}

func (o *outbox) lostCount() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost
}
