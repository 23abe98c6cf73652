package fleet

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// shard is a part of the homes, with the times at which they want to be moved.
type shard struct {
	fleet *Fleet
	wake  chan struct{} // holds one: the earliest time changed

	mu    sync.Mutex
	homes map[int]*home // those that exist
	heap  dueHeap
}

// home gives a home, and makes it if it does not exist yet.
func (s *shard) home(i int) (*home, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.homes[i]; ok {
		return h, nil
	}
	h, err := s.fleet.newHome(i)
	if err != nil {
		return nil, err
	}
	s.homes[i] = h
	return h, nil
}

// schedule notes when a home wants to be moved next; the zero time is never.
func (s *shard) schedule(h *home, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.due.Equal(at) {
		return
	}
	h.due = at
	switch {
	case at.IsZero() && h.slot >= 0:
		heap.Remove(&s.heap, h.slot)
	case at.IsZero():
	case h.slot >= 0:
		heap.Fix(&s.heap, h.slot)
	default:
		heap.Push(&s.heap, h)
	}
	if len(s.heap) > 0 && s.heap[0] == h {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// due takes a home whose time has come off the heap.
func (s *shard) due(now time.Time) *home {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.heap) == 0 || s.heap[0].due.After(now) {
		return nil
	}
	h := heap.Pop(&s.heap).(*home)
	h.due = time.Time{}
	return h
}

func (s *shard) next() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.heap) == 0 {
		return time.Time{}, false
	}
	return s.heap[0].due, true
}

// run moves homes as their times come, until ctx is done.
func (s *shard) run(ctx context.Context) {
	const never = 365 * 24 * time.Hour
	t := s.fleet.clock.NewTimer(never)
	defer t.Stop()
	for {
		now := s.fleet.clock.Now()
		for h := s.due(now); h != nil; h = s.due(now) {
			h.tick(now)
		}
		wait := never
		if at, ok := s.next(); ok {
			wait = at.Sub(s.fleet.clock.Now())
		}
		t.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-t.C():
		}
	}
}

type dueHeap []*home

func (d dueHeap) Len() int { return len(d) }
func (d dueHeap) Less(i, j int) bool {
	if d[i].due.Equal(d[j].due) {
		return d[i].index < d[j].index
	}
	return d[i].due.Before(d[j].due)
}

func (d dueHeap) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].slot, d[j].slot = i, j
}

func (d *dueHeap) Push(x any) {
	h := x.(*home)
	h.slot = len(*d)
	*d = append(*d, h)
}

func (d *dueHeap) Pop() any {
	old := *d
	h := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	h.slot = -1
	return h
}
