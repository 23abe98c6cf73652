package fault

import (
	"sync"

	"smets1/transport/serial"
)

// PTYCable is our end of a pty as one end of a serial cable: what is read and written is garbage as long as the program at
// the other end has set another speed. A pty does not tell its number of bits and its parity, so those count as the same.
type PTYCable struct {
	*serial.PTY

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
		if got := Garble(buf[:n], theirs, ours); len(got) > 0 {
			return copy(b, got), nil
		}
	}
}

// Write sends in our mode.
func (c *PTYCable) Write(b []byte) (int, error) {
	ours, theirs := c.modes()
	if _, err := c.PTY.Write(Garble(b, ours, theirs)); err != nil {
		return 0, err
	}
	return len(b), nil
}
