package fault

import (
	"sync"
	"time"

	"smets1/internal/clock"
	"smets1/transport/serial"
)

// PTYCable is our end of a pty as one end of a serial cable: what is read and written is garbage as long as the program at
// the other end has set another speed. A pty does not tell its number of bits and its parity, so those count as the same:
// in a mode of seven bits the eighth, in which a program may have put a parity of its own making, is taken off. Nor does it
// tell when a byte was written: who changes the speed at once after writing, without waiting for an answer, may find
// the last bytes taken for some of the new speed.
type PTYCable struct {
	*serial.PTY
	// Pace, if not nil, is a clock on which characters take the time that they take on a wire, both ways. It must be set
	// before the cable is used.
	Pace clock.Clock

	mu   sync.Mutex
	mode serial.Mode
}

// NewPTYCable puts a cable on a pty; our end is in a mode.
func NewPTYCable(p *serial.PTY, m serial.Mode) *PTYCable {
	return &PTYCable{PTY: p, mode: m.WithDefaults()}
}

// SetMode sets our end's mode.
func (c *PTYCable) SetMode(m serial.Mode) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mode = m.WithDefaults()
	return nil
}

// Mode is our end's.
func (c *PTYCable) Mode() serial.Mode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mode
}

// modes gives ours and the other end's.
func (c *PTYCable) modes() (ours, theirs serial.Mode) {
	c.mu.Lock()
	ours = c.mode
	c.mu.Unlock()
	theirs = ours
	if baud, err := c.Baud(); err == nil {
		theirs.Baud = baud
	}
	return ours, theirs
}

// Read gives what arrives in our mode.
func (c *PTYCable) Read(b []byte) (int, error) {
	for {
		// At another speed one character may look like several.
		buf := make([]byte, max(1, len(b)/64))
		ours, theirs := c.modes()
		if ours.Baud <= theirs.Baud {
			buf = b
		}
		n, err := c.PTY.Read(buf)
		if err != nil {
			return 0, err
		}
		ours, theirs = c.modes()
		if c.Pace != nil {
			c.wait(c.Pace.Now().Add(time.Duration(n) * characterTime(theirs)))
		}
		if got := Garble(sevenBits(buf[:n], theirs), theirs, ours); len(got) > 0 {
			return copy(b, got), nil
		}
	}
}

// Write sends in our mode.
func (c *PTYCable) Write(b []byte) (int, error) {
	ours, theirs := c.modes()
	out := Garble(sevenBits(b, ours), ours, theirs)
	if c.Pace == nil {
		if _, err := c.PTY.Write(out); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	// What arrives at the other end arrives in pieces that are short in time, and late by no more than one of them.
	each := characterTime(theirs)
	piece := max(1, int(paceStep/each))
	at := c.Pace.Now()
	for len(out) > 0 {
		n := min(piece, len(out))
		at = at.Add(time.Duration(n) * each)
		c.wait(at)
		if _, err := c.PTY.Write(out[:n]); err != nil {
			return 0, err
		}
		out = out[n:]
	}
	return len(b), nil
}

// paceStep is how coarse the pacing is: timers are no better than a millisecond or two.
const paceStep = 5 * time.Millisecond

func characterTime(m serial.Mode) time.Duration {
	return time.Duration(m.BitsPerByte()) * time.Second / time.Duration(m.Baud)
}

func (c *PTYCable) wait(until time.Time) {
	if left := until.Sub(c.Pace.Now()); left > 0 {
		<-c.Pace.NewTimer(left).C()
	}
}

// sevenBits takes the eighth bit off where a mode has only seven.
func sevenBits(b []byte, m serial.Mode) []byte {
	if m.DataBits != 7 {
		return b
	}
	out := make([]byte, len(b))
	for i, x := range b {
		out[i] = x & 0x7F
	}
	return out
}
