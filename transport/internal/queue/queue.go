// Package queue has bytes that can be read from a time on: what the decorators of lines are made of.
package queue

import (
	"os"
	"sync"
	"time"

	"smets1/internal/clock"
)

// Queue carries bytes one way, in order, each piece not before its time. It is safe for concurrent use.
type Queue struct {
	clk   clock.Clock
	limit int

	mu       sync.Mutex
	changed  chan struct{} // closed, and replaced, whenever something below changes
	pieces   []piece
	size     int
	busy     bool  // what was last read is not done with
	err      error // after the pieces
	deadline time.Time
}

type piece struct {
	at   time.Time
	b    []byte
	join bool
}

// New makes a queue that holds up to a limit of bytes; who puts more waits.
func New(clk clock.Clock, limit int) *Queue {
	return &Queue{clk: clk, limit: limit, changed: make(chan struct{})}
}

func (q *Queue) tell() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// wait lets go of mu until something changes or the time comes. The caller holds mu, and holds it again afterwards.
func (q *Queue) wait(until time.Time) {
	var due <-chan time.Time
	if !until.IsZero() {
		t := q.clk.NewTimer(until.Sub(q.clk.Now()))
		defer t.Stop()
		due = t.C()
	}
	changed := q.changed
	q.mu.Unlock()
	defer q.mu.Lock()
	select {
	case <-changed:
	case <-due:
	}
}

// Put adds a copy of bytes that can be read from a time on, or from when those before can. With join they may be read
// together with the piece before, if that also joins. It waits for room until the deadline, zero for ever.
func (q *Queue) Put(at time.Time, b []byte, join bool, deadline time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.err == nil && q.size > 0 && q.size+len(b) > q.limit {
		if !deadline.IsZero() && !q.clk.Now().Before(deadline) {
			return os.ErrDeadlineExceeded
		}
		q.wait(deadline)
	}
	if q.err != nil {
		return q.err
	}
	if len(b) == 0 {
		return nil
	}
	q.size += len(b)
	if n := len(q.pieces); n > 0 {
		last := &q.pieces[n-1]
		if at.Before(last.at) {
			at = last.at
		}
		if join && last.join && at.Equal(last.at) {
			last.b = append(last.b, b...)
			q.tell()
			return nil
		}
	}
	q.pieces = append(q.pieces, piece{at, append([]byte(nil), b...), join})
	q.tell()
	return nil
}

// End lets reading end with an error once what is there was read. The first End counts.
func (q *Queue) End(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
		q.tell()
	}
}

// Break lets reading end with an error at once.
func (q *Queue) Break(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pieces, q.size, q.err = nil, 0, err
	q.tell()
}

// Read gives bytes of one piece, or of some that join.
func (q *Queue) Read(b []byte) (int, error) { return q.read(b, false) }

func (q *Queue) read(b []byte, busy bool) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		now := q.clk.Now()
		var until time.Time
		switch {
		case len(b) == 0:
			return 0, nil
		case !q.deadline.IsZero() && !now.Before(q.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(q.pieces) > 0 && !now.Before(q.pieces[0].at):
			p := &q.pieces[0]
			n := copy(b, p.b)
			p.b = p.b[n:]
			if len(p.b) == 0 {
				q.pieces = q.pieces[1:]
			}
			q.size -= n
			q.busy = busy
			q.tell()
			return n, nil
		case len(q.pieces) > 0:
			until = q.pieces[0].at
		case q.err != nil:
			return 0, q.err
		}
		if !q.deadline.IsZero() && (until.IsZero() || q.deadline.Before(until)) {
			until = q.deadline
		}
		q.wait(until)
	}
}

// Busy is Read for who hands the bytes on: until Done they count as not read.
func (q *Queue) Busy(b []byte) (int, error) {
	return q.read(b, true)
}

// Done ends Busy.
func (q *Queue) Done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy = false
	q.tell()
}

// SetReadDeadline sets when pending and later reads give up, on the queue's clock.
func (q *Queue) SetReadDeadline(t time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deadline = t
	q.tell()
}

// Drain waits until everything was read, the queue ended or the deadline passed.
func (q *Queue) Drain(deadline time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for (len(q.pieces) > 0 || q.busy) && q.err == nil {
		if !deadline.IsZero() && !q.clk.Now().Before(deadline) {
			return os.ErrDeadlineExceeded
		}
		q.wait(deadline)
	}
	return q.err
}

// Len is how many bytes are there.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size
}
