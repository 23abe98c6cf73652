package clock

import (
	"container/heap"
	"context"
	"math"
	"sync"
	"time"
)

// Scaled is a virtual clock that runs on its own, factor times as fast as the
// machine's, and can be advanced by hand. It is safe for concurrent use and
// costs one timer of the machine's, however many wait on it.
type Scaled struct {
	queue
	factor float64
	base   time.Time // virtual time at real
	real   time.Time // carries the monotonic reading
	wake   *time.Timer
}

// NewScaled returns a clock that reads start now and runs factor times as
// fast as the machine's. A factor of zero or less means 1.
func NewScaled(start time.Time, factor float64) *Scaled {
	if !(factor > 0) || math.IsInf(factor, 0) {
		factor = 1
	}
	return &Scaled{factor: factor, base: start.UTC(), real: time.Now()}
}

// Factor is how many times faster than the machine's clock this one runs.
func (s *Scaled) Factor() float64 { return s.factor }

// Now implements Clock.
func (s *Scaled) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

func (s *Scaled) now() time.Time {
	return s.base.Add(time.Duration(float64(time.Since(s.real)) * s.factor))
}

// Advance moves the clock ahead by d at once; timers on the way fire. A
// negative d does nothing: this clock never goes back.
func (s *Scaled) Advance(d time.Duration) {
	if d <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base = s.base.Add(d)
	s.run()
}

// AdvanceTo moves the clock ahead to t, if t is in its future.
func (s *Scaled) AdvanceTo(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := t.Sub(s.now()); d > 0 {
		s.base = s.base.Add(d)
		s.run()
	}
}

// run fires what is due and sets the machine's timer for the next. s.mu is held.
func (s *Scaled) run() {
	now := s.now()
	s.fire(now)
	if len(s.timers) == 0 {
		return
	}
	// At least 50 µs, so that a rounding error cannot spin.
	d := max(time.Duration(float64(s.timers[0].at.Sub(now))/s.factor), 50*time.Microsecond)
	if s.wake == nil {
		s.wake = time.AfterFunc(d, s.tick)
	} else {
		s.wake.Reset(d)
	}
}

func (s *Scaled) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run()
}

// Sleep implements Clock.
func (s *Scaled) Sleep(ctx context.Context, d time.Duration) error { return sleep(ctx, s, d) }

// NewTimer implements Clock.
func (s *Scaled) NewTimer(d time.Duration) Timer {
	return newVirtualTimer(s, d)
}

// Stepped is a virtual clock that stands still until it is advanced. It is
// safe for concurrent use.
type Stepped struct {
	queue
	t time.Time
}

// NewStepped returns a clock that reads start until it is advanced.
func NewStepped(start time.Time) *Stepped { return &Stepped{t: start.UTC()} }

// Now implements Clock.
func (s *Stepped) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.t
}

func (s *Stepped) now() time.Time { return s.t }

// Advance moves the clock ahead by d. The timers on the way fire in the order
// of their times.
func (s *Stepped) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d > 0 {
		s.t = s.t.Add(d)
	}
	s.fire(s.t)
}

// Next is when the next timer fires; ok is false when none is waiting.
func (s *Stepped) Next() (at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.timers) == 0 {
		return time.Time{}, false
	}
	return s.timers[0].at, true
}

func (s *Stepped) run() { s.fire(s.t) }

// Sleep implements Clock.
func (s *Stepped) Sleep(ctx context.Context, d time.Duration) error { return sleep(ctx, s, d) }

// NewTimer implements Clock.
func (s *Stepped) NewTimer(d time.Duration) Timer { return newVirtualTimer(s, d) }

// queue is what waits on a virtual clock, earliest first.
type queue struct {
	mu     sync.Mutex
	timers timerHeap
	seq    uint64
}

func (q *queue) self() *queue { return q }

// fire sends to all timers due at now. q.mu is held.
func (q *queue) fire(now time.Time) {
	for len(q.timers) > 0 && !q.timers[0].at.After(now) {
		t := heap.Pop(&q.timers).(*virtualTimer)
		t.c <- t.at // never blocks: the channel holds one and the timer fires once
	}
}

// virtual is what a virtualTimer needs of its clock.
type virtual interface {
	self() *queue
	now() time.Time // self().mu held
	run()           // self().mu held
}

type virtualTimer struct {
	clock virtual
	at    time.Time
	seq   uint64 // keeps timers of one instant in the order they were made
	index int    // in the heap, or -1
	c     chan time.Time
}

func newVirtualTimer(c virtual, d time.Duration) *virtualTimer {
	t := &virtualTimer{clock: c, index: -1, c: make(chan time.Time, 1)}
	t.Reset(d)
	return t
}

func (t *virtualTimer) C() <-chan time.Time { return t.c }

func (t *virtualTimer) Stop() bool {
	q := t.clock.self()
	q.mu.Lock()
	defer q.mu.Unlock()
	return t.stop(q)
}

func (t *virtualTimer) stop(q *queue) bool {
	running := t.index >= 0
	if running {
		heap.Remove(&q.timers, t.index)
	}
	select {
	case <-t.c:
	default:
	}
	return running
}

func (t *virtualTimer) Reset(d time.Duration) bool {
	q := t.clock.self()
	q.mu.Lock()
	defer q.mu.Unlock()
	running := t.stop(q)
	q.seq++
	t.seq = q.seq
	t.at = t.clock.now().Add(max(d, 0))
	heap.Push(&q.timers, t)
	t.clock.run()
	return running
}

type timerHeap []*virtualTimer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*virtualTimer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = -1
	return t
}
