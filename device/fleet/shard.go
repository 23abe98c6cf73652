package fleet

import (
	"context"
	"sync"
	"time"

	"smets1/device/core"
)

// shard is a part of the homes, with the times at which they want to be moved and what
// they have written down. Whoever moves one of its homes holds mu: the shard's own
// goroutine for a batch of what is due, a connection for the bytes that it brought.
// What the homes do then takes no other lock and shares nothing with other shards.
type shard struct {
	fleet *Fleet
	nv    core.NV
	wake  chan struct{} // holds one: the earliest time changed

	mu      sync.Mutex
	homes   map[int]*home // those that exist
	resting map[int]int64 // those that existed and rest, with when they are due, 0 for never
	queue   dueHeap
}

// home gives a home, and makes it if it does not exist. mu is held.
func (s *shard) home(i int) (*home, error) {
	if h, ok := s.homes[i]; ok {
		return h, nil
	}
	_, rested := s.resting[i]
	h, err := s.fleet.newHome(s, i, rested)
	if err != nil {
		return nil, err
	}
	delete(s.resting, i)
	s.homes[i] = h
	return h, nil
}

// schedule notes when a home wants to be moved next; the zero time is never. mu is held.
//
// A home has one entry in the queue that counts, the one at h.queued, which may be
// earlier than it is due: most homes put off what they wait for again and again, and
// an entry that comes too early costs less than taking it out.
func (s *shard) schedule(h *home, at time.Time) {
	if at.IsZero() {
		h.due = 0
		return
	}
	h.due = max(at.UnixNano(), h.now.UnixNano()+int64(time.Millisecond)) // no home spins in one instant
	if h.queued != 0 && h.queued <= h.due {
		return
	}
	h.queued = h.due
	if s.queue.push(entry{h.due, h.index}) {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// next is when the next home is due, or may be. mu is held.
func (s *shard) next() (int64, bool) {
	if len(s.queue) == 0 {
		return 0, false
	}
	return s.queue[0].at, true
}

// pop gives a home that is due, and when. mu is held.
func (s *shard) pop(until int64) (*home, int64) {
	for len(s.queue) > 0 && s.queue[0].at <= until {
		e := s.queue.pop()
		h := s.homes[e.home]
		if h == nil {
			if s.resting[e.home] != e.at {
				continue // it was made in the meantime, and rests again
			}
			var err error
			if h, err = s.home(e.home); err != nil {
				s.fleet.log.Error("a home could not be made", "home", e.home, "error", err)
				continue
			}
			return h, e.at
		}
		if h.queued != e.at {
			continue
		}
		h.queued = 0
		switch {
		case h.due == 0:
		case h.due > e.at:
			h.queued = h.due
			s.queue.push(entry{h.due, h.index})
		default:
			return h, e.at
		}
	}
	return nil, 0
}

// batch is how many homes are moved before clients get their turn.
const batch = 64

// leap is by how much a clock must be set ahead for the homes not to live through it.
const leap = time.Hour

// move moves the homes that are due until a time, each at its own. leaps has those
// that are late by more than a leap moved at that time instead.
func (s *shard) move(until time.Time, leaps bool) {
	for more := true; more; {
		more = s.moveBatch(until, leaps)
	}
}

func (s *shard) moveBatch(until time.Time, leaps bool) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range batch {
		h, at := s.pop(until.UnixNano())
		if h == nil {
			return false
		}
		now := time.Unix(0, at).UTC()
		if leaps && until.Sub(now) > leap {
			now = until
		}
		h.tick(now)
	}
	return true
}

// run moves homes as their times come, until ctx is done.
func (s *shard) run(ctx context.Context) {
	const never = 365 * 24 * time.Hour
	t := s.fleet.clock.NewTimer(never)
	defer t.Stop()
	for ctx.Err() == nil {
		s.move(s.fleet.clock.Now(), true)
		wait := never
		s.mu.Lock()
		at, ok := s.next()
		s.mu.Unlock()
		if ok {
			wait = time.Unix(0, at).Sub(s.fleet.clock.Now())
		}
		t.Reset(wait)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-t.C():
		}
	}
}

// deltas are what the homes of a shard wrote down, in memory: an NV under the shard's lock.
type deltas map[string][]byte

// Save implements core.NV.
func (d deltas) Save(key string, value []byte) error {
	if len(value) == 0 {
		delete(d, key)
		return nil
	}
	d[key] = append([]byte(nil), value...)
	return nil
}

// Load implements core.NV.
func (d deltas) Load(key string) ([]byte, error) { return append([]byte(nil), d[key]...), nil }

// Each implements Lister.
func (d deltas) Each(f func(key string, value []byte) error) error {
	for k, v := range d {
		if err := f(k, v); err != nil {
			return err
		}
	}
	return nil
}
