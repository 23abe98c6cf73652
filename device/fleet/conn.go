package fleet

import (
	"io"
	"sync"
)

// maxUnsent is how much may wait for a client that does not read.
const maxUnsent = 4 << 20

// conn is one connection to a home: a TCP connection, a pipe or a serial line.
type conn struct {
	writer
	home *home
	id   uint64
	wan  bool

	// Under home.mu.
	line line
	gone bool
}

// writer sends what homes have to say over a connection, without their waiting for it.
type writer struct {
	fleet *Fleet
	name  string // for the tap
	rw    io.ReadWriteCloser

	mu       sync.Mutex
	unsent   []byte
	spare    []byte
	flushing bool
	ending   bool // close when all is sent
}

// serve moves bytes until the connection ends.
func (c *conn) serve() {
	defer c.home.detach(c)
	c.pump(func(b []byte) bool { return c.home.input(c, b) })
}

// pump gives what comes over the connection to input, until that wants no more or the
// connection ends.
func (c *writer) pump(input func(b []byte) bool) {
	buf := make([]byte, 4096)
	for {
		n, err := c.rw.Read(buf)
		if n > 0 {
			c.tap(true, buf[:n])
			mine := c.hold()
			ok := input(buf[:n])
			if mine {
				c.flush()
			}
			if !ok {
				c.hangUp()
				return
			}
		}
		if err != nil {
			c.hangUp()
			return
		}
	}
}

func (c *writer) tap(toHub bool, b []byte) {
	if t := c.fleet.opt.Tap; t != nil {
		t(c.name, toHub, b)
	}
}

// hold keeps the writing for the caller, who calls flush later. It reports false when
// somebody else is at it already.
func (c *writer) hold() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	mine := !c.flushing
	c.flushing = true
	return mine
}

// send puts bytes on their way. It does not wait.
func (c *writer) send(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		return
	}
	c.unsent = append(c.unsent, b...)
	if len(c.unsent) > maxUnsent {
		c.unsent, c.ending = nil, true // nobody reads at the other end
	}
	c.start()
}

// hangUp ends the connection once all is sent.
func (c *writer) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ending {
		c.ending = true
		c.start()
	}
}

// start has the bytes written by a goroutine that ends with them, unless one is at it.
func (c *writer) start() {
	if c.flushing {
		return
	}
	c.flushing = true
	if !c.fleet.spawn(c.flush) {
		_ = c.rw.Close() // the fleet is closing
	}
}

func (c *writer) flush() {
	for {
		c.mu.Lock()
		b := c.unsent
		if len(b) == 0 {
			c.flushing = false
			ending := c.ending
			c.mu.Unlock()
			if ending {
				_ = c.rw.Close() // there is nobody left to tell
			}
			return
		}
		c.unsent, c.spare = c.spare[:0], nil
		c.mu.Unlock()
		c.tap(false, b)
		_, err := c.rw.Write(b)
		c.mu.Lock()
		if c.spare = b; cap(b) > 64<<10 {
			c.spare = nil
		}
		if err != nil {
			c.unsent, c.ending = nil, true
		}
		c.mu.Unlock()
	}
}
