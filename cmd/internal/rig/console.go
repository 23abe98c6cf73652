package rig

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"smets1/internal/clock"
)

// consoleLimit is how much is kept between two looks. The end is kept: it says what went wrong.
const consoleLimit = 64 << 10

// console is what passes on the lines to a hub, one after the other, as text.
type console struct {
	clk   clock.Clock
	began time.Time

	mu      sync.Mutex
	text    strings.Builder
	dropped int
}

func (c *console) say(sign byte, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(&c.text, "%.3f %c % X\n", c.clk.Now().Sub(c.began).Seconds(), sign, b)
	if n := c.text.Len(); n > consoleLimit {
		kept := c.text.String()[n/2:]
		c.dropped += n - len(kept)
		c.text.Reset()
		c.text.WriteString(kept)
	}
}

// take gives what was said since it was asked last.
func (c *console) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := c.text.String()
	if c.dropped > 0 {
		text = fmt.Sprintf("(%d characters before are left out)\n%s", c.dropped, text)
	}
	c.text.Reset()
	c.dropped = 0
	return text
}

// line is a line that the console hears.
func (c *console) line(s io.ReadWriteCloser) io.ReadWriteCloser { return heard{s, c} }

type heard struct {
	io.ReadWriteCloser
	c *console
}

func (h heard) Read(b []byte) (int, error) {
	n, err := h.ReadWriteCloser.Read(b)
	if n > 0 {
		h.c.say('<', b[:n])
	}
	return n, err
}

func (h heard) Write(b []byte) (int, error) {
	n, err := h.ReadWriteCloser.Write(b)
	if n > 0 {
		h.c.say('>', b[:n])
	}
	return n, err
}
