package fault

import (
	"time"

	"smets1/transport/serial"
)

// step is what becomes of some bytes.
type step struct {
	wait  time.Duration // before the bytes, and all that follow
	hold  time.Duration // collect what comes in this time, from now on
	b     []byte
	fatal *Fault // a half-open line or an unplugged device, after the bytes
}

// mangler is the faults of one direction. It does no I/O.
type mangler struct {
	plan  *Plan
	dir   Direction
	sent  serial.Mode // what the line is in
	at    int64       // bytes so far
	fired *[]Fault

	garble  []byte // bytes that will be sent at another speed
	wrong   serial.Mode
	garbled int // how many are still to come
	down    int // bytes of a break that are still to come
}

// pass takes bytes that were sent and gives what happens.
func (m *mangler) pass(b []byte) []step {
	steps := []step{{}}
	last := func() *step { return &steps[len(steps)-1] }
	for _, c := range b {
		lost, twice := false, false
		var before []byte
		var fatal *Fault
		for i := range m.plan.Faults {
			chance, ok := m.plan.strikes(i, m.dir, m.at)
			if !ok {
				continue
			}
			f := m.plan.Faults[i].settled(chance)
			f.Direction, f.Rate, f.From, f.Until, f.At = m.dir, 0, 0, 0, []int64{m.at}
			*m.fired = append(*m.fired, f)
			switch f.Kind {
			case Lose:
				lost = true
			case Flip:
				c ^= f.Xor
			case Insert:
				before = append(before, *f.Value)
			case Repeat:
				twice = true
			case Delay, Split:
				steps = append(steps, step{wait: f.For})
			case Merge:
				steps = append(steps, step{hold: f.For})
			case Baud:
				m.wrong, _ = serial.ParseMode(f.Mode)
				m.garbled = f.Count
			case Break:
				m.down = f.Count
				last().b = append(last().b, 0)
			case HalfOpen, Unplug:
				if fatal == nil {
					fatal = &f
				}
			}
		}
		m.at++
		s := last()
		switch {
		case m.down > 0:
			m.down--
		case m.garbled > 0:
			m.garbled--
			m.garble = append(m.garble, c)
			if m.garbled == 0 {
				s.b = append(s.b, m.flushed()...)
			}
		default:
			s.b = append(s.b, before...)
			if !lost {
				s.b = append(s.b, c)
			}
			if twice {
				s.b = append(s.b, c)
			}
		}
		if fatal != nil {
			s.fatal = fatal
			steps = append(steps, step{})
		}
	}
	if len(m.garble) > 0 { // a burst ends with the call that sends it
		last().b = append(last().b, m.flushed()...)
	}
	return steps
}

func (m *mangler) flushed() []byte {
	out := Garble(m.garble, m.wrong, m.sent)
	m.garble = nil
	return out
}
