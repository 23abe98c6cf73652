package fleet

import (
	"context"
	"errors"
	"time"
)

// slice is how far the shards of a fleet that is moved by hand may be apart: no home
// lives further ahead of another, and of the clock, than this.
const slice = time.Minute

// Run moves a fleet that is open ByHand to a time, as fast as the machine can: each home
// does what is due at its own time, and the clock follows. It returns when all that
// was due until then is done, or ctx is. A time that is past already is no error.
//
// What each home does, byte for byte, depends on no other and on nothing of the
// machine. Only what clients send in the meantime meets the homes where they are.
func (f *Fleet) Run(ctx context.Context, until time.Time) error {
	if f.stepped == nil {
		return errors.New("fleet: its time goes by itself: only one that is open ByHand can be run")
	}
	f.turn.Lock()
	defer f.turn.Unlock()
	for now := f.stepped.Now(); now.Before(until); now = f.stepped.Now() {
		if err := errors.Join(ctx.Err(), f.ctx.Err()); err != nil {
			return err
		}
		to := earliest(now.Add(slice), until)
		if next, ok := f.Next(); !ok {
			to = until
		} else if next.After(to) {
			to = earliest(next, until)
		}
		f.each(func(_ int, s *shard) { s.move(to, false) })
		f.stepped.Advance(to.Sub(now))
	}
	return nil
}

// Next is when the next home is due, or at the earliest may be; false if none is.
func (f *Fleet) Next() (next time.Time, ok bool) {
	for _, s := range f.shards {
		s.mu.Lock()
		at, some := s.next()
		s.mu.Unlock()
		if t := time.Unix(0, at).UTC(); some && (!ok || t.Before(next)) {
			next, ok = t, true
		}
	}
	return next, ok
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Counts is how many there are.
type Counts struct {
	Homes   int `json:"homes"`       // of the manifest
	Awake   int `json:"inMemory"`    // in memory, because they are live or somebody talked to them
	Resting int `json:"resting"`     // that were in memory and rest now
	Conns   int `json:"connections"` // that are open
}

// Counts tells how many homes are in memory.
func (f *Fleet) Counts() Counts {
	c := Counts{Homes: f.manifest.Len()}
	for _, s := range f.shards {
		s.mu.Lock()
		c.Awake += len(s.homes)
		c.Resting += len(s.resting)
		s.mu.Unlock()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c.Conns = len(f.conns)
	return c
}

// Frames is how many frames were sent on the air of the homes that are in memory.
func (f *Fleet) Frames() uint64 {
	var n uint64
	for _, s := range f.shards {
		s.mu.Lock()
		for _, h := range s.homes {
			if h.radio != nil {
				n += h.radio.Stats().Frames
			}
		}
		s.mu.Unlock()
	}
	return n
}
