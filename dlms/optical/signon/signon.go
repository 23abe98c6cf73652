// Package signon runs the ends of package optical on a line: [Dial] signs on to a meter and leaves the line in the hands of
// HDLC, and [Meter] is a line behind a simulated optical port, on which HDLC finds only what is its own.
//
// A line is anything with octets in order and a read deadline; how to change its format is a function, so that serial
// ports, ptys and lines in memory all do. Deadlines are of the machine's clock, as those of package net are.
package signon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"smets1/dlms/hdlc"
	"smets1/dlms/optical"
	"smets1/internal/clock"
)

// Line is a line that a sign-on can be done on.
type Line interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
}

// SetFormat changes a line's speed and character format once everything that was written is out. Nil where the line has
// none.
type SetFormat func(optical.Format) error

func (f SetFormat) do(to optical.Format) error {
	if f == nil {
		return nil
	}
	return f(to)
}

// Result is what a sign-on brought.
type Result struct {
	Identification optical.Identification
	// Format is that of the line now: it carries HDLC, unless Data is there.
	Format optical.Format
	// Data is the readout, if that was what was asked for.
	Data optical.Data
}

// Dial signs on to a meter. The line stays open, whatever happens, and has no read deadline afterwards.
func Dial(ctx context.Context, l Line, set SetFormat, cfg optical.ClientConfig) (r Result, err error) {
	c, err := optical.NewClient(cfg)
	if err != nil {
		return r, err
	}
	stop := context.AfterFunc(ctx, func() { _ = l.SetReadDeadline(time.Unix(1, 0)) })
	defer func() {
		stop()
		err = errors.Join(err, l.SetReadDeadline(time.Time{}))
	}()
	clk := clock.Real()
	c.Start(clk.Now())
	buf := make([]byte, 256)
	for {
		for a, ok := c.Next(); ok; a, ok = c.Next() {
			switch a.Kind {
			case optical.Send:
				_, err = l.Write(a.Bytes)
			case optical.SetFormat:
				r.Format = a.Format
				err = set.do(a.Format)
			case optical.Identify:
				r.Identification = a.Identification
			case optical.Connected:
				return r, nil
			case optical.Read:
				r.Data = a.Data
				if r.Format != c.Format() {
					r.Format = c.Format()
					err = set.do(r.Format)
				}
				return r, err
			case optical.Ended:
				return r, a.Err
			}
			if err != nil {
				return r, fmt.Errorf("optical: sign-on: %w", err)
			}
		}
		if err := l.SetReadDeadline(c.Deadline()); err != nil {
			return r, fmt.Errorf("optical: sign-on: %w", err)
		}
		if ctx.Err() != nil {
			return r, context.Cause(ctx)
		}
		n, err := l.Read(buf)
		switch {
		case n > 0:
			c.Input(clk.Now(), buf[:n])
		case ctx.Err() != nil:
			return r, context.Cause(ctx)
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.Tick(clk.Now())
		case err != nil:
			return r, fmt.Errorf("optical: sign-on: %w", err)
		}
	}
}

// Meter is a line behind a simulated optical port. Reading does the sign-on by itself and gives what is HDLC's; when the
// last HDLC connection was ended by DISC, or nothing came for long, the port is back at 300 baud.
type Meter struct {
	line Line
	set  SetFormat

	mu      sync.Mutex
	server  *optical.Server
	frames  hdlc.Decoder // what the client sends
	peers   map[[2]hdlc.Address]bool
	leaving bool // the last connection ends with the next answer
}

var _ io.ReadWriteCloser = (*Meter)(nil)

// NewMeter puts an optical port before a line.
func NewMeter(l Line, set SetFormat, cfg optical.ServerConfig) (*Meter, error) {
	s, err := optical.NewServer(cfg)
	if err != nil {
		return nil, err
	}
	if err := set.do(s.Format()); err != nil {
		return nil, err
	}
	return &Meter{line: l, set: set, server: s, peers: map[[2]hdlc.Address]bool{}}, nil
}

// Read gives what comes for HDLC.
func (m *Meter) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	clk := clock.Real()
	for {
		m.mu.Lock()
		deadline := m.server.Deadline()
		m.mu.Unlock()
		if err := m.line.SetReadDeadline(deadline); err != nil {
			return 0, err
		}
		n, err := m.line.Read(b)
		if n == 0 && err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, err
		}
		m.mu.Lock()
		var rest []byte
		if n > 0 {
			rest = m.server.Input(clk.Now(), b[:n])
			m.watch(rest)
		} else {
			m.server.Tick(clk.Now())
		}
		err = m.act()
		m.mu.Unlock()
		if err != nil || len(rest) > 0 {
			return len(rest), err
		}
	}
}

// watch follows which connections there are. The caller holds mu.
func (m *Meter) watch(b []byte) {
	_, _ = m.frames.Write(b)
	var f hdlc.Frame
	for m.frames.Next(&f) {
		peer := [2]hdlc.Address{f.Source, f.Destination}
		switch f.Control.Kind {
		case hdlc.SNRM:
			m.peers[peer] = true
			m.leaving = false
		case hdlc.DISC:
			delete(m.peers, peer)
			m.leaving = len(m.peers) == 0
		default:
		}
	}
}

// act does what the server asks for. The caller holds mu.
func (m *Meter) act() (err error) {
	for a, ok := m.server.Next(); ok; a, ok = m.server.Next() {
		switch a.Kind {
		case optical.Send:
			_, err = m.line.Write(a.Bytes)
		case optical.SetFormat:
			err = m.set.do(a.Format)
		case optical.Connected, optical.Ended:
			m.frames = hdlc.Decoder{}
			clear(m.peers)
			m.leaving = false
		case optical.Identify, optical.Read:
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Write puts what HDLC says on the line; before a sign-on nobody hears it.
func (m *Meter) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.server.IsConnected() {
		return len(b), nil
	}
	n, err := m.line.Write(b)
	if err != nil {
		return n, err
	}
	m.server.Sent(clock.Real().Now())
	if m.leaving {
		m.server.Disconnect()
		err = m.act()
	}
	return n, err
}

// Close closes the line.
func (m *Meter) Close() error { return m.line.Close() }
