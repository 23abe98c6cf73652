// Package edge puts the sans-I/O server onto real lines: TCP and UDP sockets, serial lines and ptys, pipes in memory. One
// process serves any number of sites on any mix of them.
//
//	e := edge.New(clock.Real())
//	home := e.Site(server.Devices{meter}, nil)
//	go e.TCP(listener, home)                       // wrapper; a port for each site, or
//	go e.TCP(listener, e.Site(server.Ports{…}, nil)) // one port for many meters, by wrapper port
//	go e.UDP(packets, home)
//	go e.HDLC(port, home, edge.Line{})             // a serial line, with server.Bus several meters
//	go e.HDLCOverTCP(listener, home, edge.Line{})
//	go e.Wrapper(pipe, home)
//	…
//	e.Close()
//
// # Concurrency
//
// Devices and adaptors are used by one goroutine at a time: a [Site] has a lock, held while a request is served. What
// happens to its devices otherwise (a push, a reply of a [server.Forwarder] that comes later, a change made by the
// program) is done in [Site.Do], which sends what comes of it. Different sites run in parallel.
//
// An idle site costs nothing but its devices' state; each open line has two goroutines.
package edge

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"smets1/dlms/hdlc"
	"smets1/dlms/server"
	"smets1/internal/clock"
)

// Edge owns the lines of a process.
type Edge struct {
	clock clock.Clock

	mu    sync.Mutex
	open  map[io.Closer]struct{}
	done  bool
	links uint64
	wg    sync.WaitGroup
}

// New makes an edge whose lines live by that clock.
func New(c clock.Clock) *Edge { return &Edge{clock: c, open: map[io.Closer]struct{}{}} }

// ErrClosed is what serving returns after Close.
var ErrClosed = net.ErrClosed

// Close closes every line and waits for their ends. Associations end with their lines.
func (e *Edge) Close() {
	e.mu.Lock()
	e.done = true
	for c := range e.open {
		_ = c.Close() // its reader sees it
	}
	e.mu.Unlock()
	e.wg.Wait()
}

// enter notes a line. False after Close.
func (e *Edge) enter(c io.Closer) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done {
		_ = c.Close()
		return false
	}
	e.open[c] = struct{}{}
	e.wg.Add(1)
	return true
}

func (e *Edge) leave(c io.Closer) {
	e.mu.Lock()
	delete(e.open, c)
	e.mu.Unlock()
	_ = c.Close()
	e.wg.Done()
}

func (e *Edge) link() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.links++
	return e.links
}

// Site is one physical device, or several that share a lock: what answers on a line.
type Site struct {
	edge    *Edge
	host    server.Host
	forward server.Forwarder

	mu    sync.Mutex
	lines map[*line]struct{}
}

// Site makes a site. A nil forward refuses requests with a gateway prefix. The forwarder is called with the site's lock
// held.
func (e *Edge) Site(h server.Host, forward server.Forwarder) *Site {
	return &Site{edge: e, host: h, forward: forward, lines: map[*line]struct{}{}}
}

// Do calls f while nothing else uses the site's devices, then sends what came of it.
func (s *Site) Do(f func(now time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.edge.clock.Now())
	for l := range s.lines {
		l.nudge()
	}
}

// Push sends an APDU nobody asked for from a device to a client, over every line (but UDP) on which that client has an
// association with it. It tells over how many.
func (s *Site) Push(d *server.Device, client uint16, apdu []byte) (sent int) {
	s.Do(func(now time.Time) {
		for l := range s.lines {
			sent += l.machine.PushFrom(now, d, client, apdu)
		}
	})
	return sent
}

// TCP serves wrapper connections until the listener is closed, and returns its error.
func (e *Edge) TCP(l net.Listener, s *Site) error {
	return e.accept(l, func(c net.Conn) error { return e.Wrapper(c, s) })
}

// HDLCOverTCP serves HDLC lines behind a serial server, one a connection.
func (e *Edge) HDLCOverTCP(l net.Listener, s *Site, o Line) error {
	return e.accept(l, func(c net.Conn) error { return e.HDLC(c, s, o) })
}

func (e *Edge) accept(l net.Listener, serve func(net.Conn) error) error {
	if !e.enter(l) {
		return ErrClosed
	}
	defer e.leave(l)
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() { _ = serve(c) }() // how one connection ended is nothing to the others
	}
}

// Wrapper serves one byte stream of wrapper units (a TCP connection, a tunnel, a pipe) until it ends, and closes it.
// The stream's end is no error.
func (e *Edge) Wrapper(c io.ReadWriteCloser, s *Site) error {
	return e.run(c, s, server.NewStream(server.StreamConfig{Host: s.host, Forward: s.forward, Link: e.link()}))
}

// Line sets up HDLC on a line; the zero value has the standard's defaults.
type Line struct {
	HDLC hdlc.ServerConfig
}

// HDLC serves one HDLC line until it ends, and closes it. The line's end is no error.
func (e *Edge) HDLC(c io.ReadWriteCloser, s *Site, o Line) error {
	return e.run(c, s, server.NewLine(server.LineConfig{Host: s.host, Forward: s.forward, Link: e.link(), HDLC: o.HDLC}))
}

// machine is what serves a line.
type machine interface {
	Input(now time.Time, b []byte)
	Output() []byte
	Deadline() time.Time
	Tick(now time.Time)
	PushFrom(now time.Time, d *server.Device, client uint16, apdu []byte) int
	Close()
}

// line is a machine on an open line.
type line struct {
	machine machine
	wake    chan struct{}
}

// nudge has the writer look for output.
func (l *line) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (e *Edge) run(c io.ReadWriteCloser, s *Site, m machine) error {
	if !e.enter(c) {
		return ErrClosed
	}
	defer e.leave(c)
	l := &line{machine: m, wake: make(chan struct{}, 1)}
	s.mu.Lock()
	s.lines[l] = struct{}{}
	s.mu.Unlock()
	ended, written := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		e.write(c, s, l, ended)
	}()
	err := e.read(c, s, l)
	close(ended)
	_ = c.Close() // frees a writer that is stuck
	<-written
	s.mu.Lock()
	delete(s.lines, l)
	m.Close()
	s.mu.Unlock()
	return err
}

func (e *Edge) read(c io.Reader, s *Site, l *line) error {
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if n > 0 {
			s.mu.Lock()
			l.machine.Input(e.clock.Now(), buf[:n])
			s.mu.Unlock()
			l.nudge()
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
			return nil
		case err != nil:
			return err
		}
	}
}

// write sends what the machine has to send, and lets it know the time.
func (e *Edge) write(c io.WriteCloser, s *Site, l *line, ended <-chan struct{}) {
	var buf []byte
	timer := e.clock.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ended:
			return
		case <-l.wake:
		case <-timer.C():
			s.mu.Lock()
			l.machine.Tick(e.clock.Now())
			s.mu.Unlock()
		}
		s.mu.Lock()
		buf = append(buf[:0], l.machine.Output()...)
		due := l.machine.Deadline()
		s.mu.Unlock()
		if !due.IsZero() {
			timer.Reset(max(due.Sub(e.clock.Now()), 0))
		} else {
			timer.Stop()
		}
		if len(buf) == 0 {
			continue
		}
		if _, err := c.Write(buf); err != nil {
			_ = c.Close() // the reader sees it
			return
		}
	}
}
