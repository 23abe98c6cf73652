package server

import (
	"slices"

	"smets1/dlms/security"
)

// maxPast bounds how many keys that went out of use are remembered.
const maxPast = 16

// PastKey is what is remembered of a global key that went out of use. Keys do come back: a staged set that lapsed is
// sent again, a change is rolled back, a transfer replaces one key of the set and leaves the others. A message sent
// under such a key must not share its counter with an earlier one, which would give away both, and one received must
// not be taken twice.
type PastKey struct {
	Fingerprint string // of the key, see [security.Key.Fingerprint]
	Broadcast   bool
	NextTx      uint32
	Rx          map[security.SystemTitle]uint32 // expected counters
}

func (p PastKey) counters() *keyCounters {
	c := &keyCounters{print: p.Fingerprint, broadcast: p.Broadcast}
	c.resume(p.NextTx)
	for title, next := range p.Rx {
		c.accept(title, next)
	}
	return c
}

// keyCounters are the invocation counters of one global key, in both directions. Two sets that have a key in common
// have its counters in common.
type keyCounters struct {
	print     string
	broadcast bool
	tx        security.SendCounter
	reserved  uint32 // counters below may be used
	rx        []senderCounter
}

type senderCounter struct {
	client security.SystemTitle
	next   uint32 // lowest acceptable
}

// resume goes on sending with next; nothing from there on is reserved.
func (c *keyCounters) resume(next uint32) {
	if next >= c.nextTx() {
		c.tx, c.reserved = security.NewSendCounter(next), next
	}
}

// nextTx is the first counter that has certainly not been used, whatever a restart forgot.
func (c *keyCounters) nextTx() uint32 { return max(c.reserved, c.tx.Peek()) }

func (c *keyCounters) accept(client security.SystemTitle, next uint32) {
	for i := range c.rx {
		if c.rx[i].client == client {
			c.rx[i].next = next
			return
		}
	}
	c.rx = append(c.rx, senderCounter{client, next})
}

func (c *keyCounters) used() bool { return c.nextTx() > 1 || len(c.rx) > 0 }

func (c *keyCounters) remembered() PastKey {
	p := PastKey{Fingerprint: c.print, Broadcast: c.broadcast, NextTx: c.nextTx(), Rx: make(map[security.SystemTitle]uint32, len(c.rx))}
	for _, x := range c.rx {
		p.Rx[x.client] = x.next
	}
	return p
}

// counters of the key that a receive counter belongs to, nil if its set is not there.
func (k *Keyring) counters(id RxID) *keyCounters {
	s := &k.current
	if k.staged != nil && k.staged.version == id.Version {
		s = k.staged
	}
	switch {
	case s.version != id.Version:
		return nil
	case id.Broadcast:
		return s.gbek
	}
	return s.guek
}

// begin makes a slot for a set. Keys of the current set and past ones go on with their counters, others begin afresh.
func (k *Keyring) begin(keys security.KeySet, v KeyVersion) keySlot {
	return keySlot{keys: keys, version: v, guek: k.countersOf(keys.GUEK, false), gbek: k.countersOf(keys.GBEK, true)}
}

func (k *Keyring) countersOf(key security.Key, broadcast bool) *keyCounters {
	print := key.Fingerprint()
	same := func(c *keyCounters) bool {
		return c != nil && c.print == print && c.broadcast == broadcast && print != ""
	}
	for _, c := range []*keyCounters{k.current.guek, k.current.gbek} {
		if same(c) {
			return c
		}
	}
	if i := slices.IndexFunc(k.past, same); i >= 0 {
		return k.past[i]
	}
	return &keyCounters{print: print, broadcast: broadcast}
}

// retire remembers the counters of a set that went out of use.
func (k *Keyring) retire(s *keySlot) {
	for _, c := range []*keyCounters{s.guek, s.gbek} {
		if c.print == "" || !c.used() {
			continue
		}
		k.past = slices.DeleteFunc(k.past, func(o *keyCounters) bool { return o == c })
		if len(k.past) >= maxPast {
			k.past = slices.Delete(k.past, 0, 1)
		}
		k.past = append(k.past, c)
	}
}
