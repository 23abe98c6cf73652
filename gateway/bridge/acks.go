package bridge

import (
	"sync"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// acks acknowledges messages to the broker in the order in which they came, as MQTT asks (3.1.1, clause 4.6), whatever the order in
// which their commands come to be safe.
type acks struct {
	mu    sync.Mutex
	queue []*receipt
	more  chan struct{}
}

// receipt is a message that is to be acknowledged.
type receipt struct {
	message mqtt.Message
	ready   bool
}

func newAcks() *acks { return &acks{more: make(chan struct{}, 1)} }

// expect takes the next message.
func (a *acks) expect(m mqtt.Message) *receipt {
	r := &receipt{message: m}
	a.mu.Lock()
	a.queue = append(a.queue, r)
	a.mu.Unlock()
	return r
}

// ready says that messages may be acknowledged. It does not block.
func (a *acks) ready(part ...*receipt) {
	a.mu.Lock()
	for _, r := range part {
		r.ready = true
	}
	head := len(a.queue) > 0 && a.queue[0].ready
	a.mu.Unlock()
	if head {
		signal(a.more)
	}
}

// due takes the messages at the head that are ready.
func (a *acks) due() []*receipt {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for n < len(a.queue) && a.queue[n].ready {
		n++
	}
	part := a.queue[:n:n]
	a.queue = a.queue[n:]
	if len(a.queue) == 0 {
		a.queue = nil
	}
	return part
}

// acknowledge is the loop that does it: paho may block.
func (b *Bridge) acknowledge() {
	for {
		select {
		case <-b.acks.more:
		case <-b.base.Done():
			return
		}
		for _, r := range b.acks.due() {
			r.message.Ack()
		}
	}
}
