package fault

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"smets1/internal/clock"
)

// Frames has the faults of a plan for a radio, or anything else that carries frames: each frame counts as one byte does on
// a line. Lose, flip, insert (a byte after the end), repeat, delay, half-open and unplug are known.
type Frames struct {
	plan Plan
	clk  clock.Clock

	mu    sync.Mutex
	at    map[Direction]int64
	fired []Fault
	mute  bool
	until time.Time
}

// Delivery is a frame that arrives.
type Delivery struct {
	After time.Duration
	Frame []byte
}

// NewFrames makes faults for frames. clk measures how long faults last; nil is the machine's clock.
func NewFrames(p Plan, clk clock.Clock) (*Frames, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	for i, f := range p.Faults {
		if slices.Contains([]Kind{Split, Merge, Baud, Break}, f.Kind) {
			return nil, fmt.Errorf("plan: fault %d: %s is for lines of bytes, not for frames", i+1, f.Kind)
		}
	}
	if clk == nil {
		clk = clock.Real()
	}
	return &Frames{plan: p, clk: clk, at: map[Direction]int64{}}, nil
}

// Pass gives what becomes of a frame. The frame is not changed.
func (f *Frames) Pass(d Direction, frame []byte) []Delivery {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := Delivery{Frame: slices.Clone(frame)}
	lost, twice := false, false
	for i := range f.plan.Faults {
		chance, ok := f.plan.strikes(i, d, f.at[d])
		if !ok {
			continue
		}
		s := f.plan.Faults[i].settled(chance)
		s.Direction, s.Rate, s.From, s.Until, s.At = d, 0, 0, 0, []int64{f.at[d]}
		if s.Kind == Flip && len(frame) > 0 {
			if s.Count == 0 {
				s.Count = int(chance>>8%uint64(len(frame))) + 1 // which byte, from 1
			}
			one.Frame[(s.Count-1)%len(frame)] ^= s.Xor
		}
		f.fired = append(f.fired, s)
		switch s.Kind {
		case Lose:
			lost = true
		case Insert:
			one.Frame = append(one.Frame, *s.Value)
		case Repeat:
			twice = true
		case Delay:
			one.After += s.For
		case HalfOpen, Unplug:
			f.mute, f.until = true, time.Time{}
			if s.For > 0 {
				f.until = f.clk.Now().Add(s.For)
			}
		default:
		}
	}
	f.at[d]++
	if f.mute && !f.until.IsZero() && !f.clk.Now().Before(f.until) {
		f.mute = false
	}
	switch {
	case lost || f.mute:
		return nil
	case twice:
		return []Delivery{one, {one.After, slices.Clone(one.Frame)}}
	}
	return []Delivery{one}
}

// Fired lists what struck so far.
func (f *Frames) Fired() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.fired)
}
