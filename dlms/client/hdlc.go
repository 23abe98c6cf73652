package client

import (
	"context"
	"fmt"
	"io"
	"time"

	"smets1/dlms/hdlc"
	"smets1/internal/clock"
)

// HDLC is a line of HDLC frames: a serial port, a pty, or a byte stream that carries the same. It is safe for concurrent
// use; exchanges take turns, as the line is half duplex.
type HDLC struct {
	line *line
	clk  clock.Clock
	cfg  hdlc.ClientConfig
}

// NewHDLC makes a line of a byte stream, which it owns from then on. cfg is what all links of the line have in common;
// its addresses are not looked at. clk measures the response timeouts; nil is the machine's clock.
func NewHDLC(stream io.ReadWriteCloser, cfg hdlc.ClientConfig, clk clock.Clock) *HDLC {
	if clk == nil {
		clk = clock.Real()
	}
	return &HDLC{line: newLine(stream, 4<<10), clk: clk, cfg: cfg}
}

// Link is a connection between a client address and a server address. It opens (SNRM) with the first exchange, and again
// with the first exchange after it was closed or an exchange failed, which restarts the sequence numbers: a late answer of
// before is not taken for a new one.
func (h *HDLC) Link(client, server hdlc.Address) (Link, error) {
	cfg := h.cfg
	cfg.Client, cfg.Server = client, server
	machine, err := hdlc.NewClientLink(cfg)
	if err != nil {
		return nil, err
	}
	return &hdlcLink{h: h, machine: machine, name: hdlc.Peer{Client: client, Server: server}}, nil
}

// Close closes the line and what it was made of.
func (h *HDLC) Close() error { return h.line.close() }

type hdlcLink struct {
	h       *HDLC
	machine *hdlc.ClientLink
	name    hdlc.Peer
	pushed  [][]byte // notifications that arrived during an exchange
}

// String names the addresses, for errors and logs.
func (l *hdlcLink) String() string { return "hdlc, " + l.name.String() }

// Stats counts what the link saw.
func (l *hdlcLink) Stats() hdlc.ClientStats { return l.machine.Stats() }

func (l *hdlcLink) RoundTrip(ctx context.Context, apdu []byte) ([]byte, error) {
	return l.roundTripBy(ctx, nil, apdu)
}

// Receive waits for a notification. HDLC delivers every answer to its own request, so nothing else can come.
func (l *hdlcLink) Receive(ctx context.Context) ([]byte, error) { return l.receiveBy(ctx, nil) }

func (l *hdlcLink) roundTripBy(ctx context.Context, alarm <-chan time.Time, apdu []byte) ([]byte, error) {
	if err := l.h.line.acquire(ctx, alarm); err != nil {
		return nil, err
	}
	defer l.h.line.release()
	if !l.machine.IsConnected() {
		if err := l.machine.Connect(l.h.clk.Now()); err != nil {
			return nil, err
		}
		if _, err := l.run(ctx, alarm, hdlc.Connected); err != nil {
			return nil, err
		}
	}
	if err := l.machine.Send(l.h.clk.Now(), apdu); err != nil {
		return nil, err
	}
	return l.run(ctx, alarm, hdlc.Received)
}

func (l *hdlcLink) receiveBy(ctx context.Context, alarm <-chan time.Time) ([]byte, error) {
	if err := l.h.line.acquire(ctx, alarm); err != nil {
		return nil, err
	}
	defer l.h.line.release()
	if len(l.pushed) > 0 {
		apdu := l.pushed[0]
		l.pushed = l.pushed[1:]
		return apdu, nil
	}
	return l.run(ctx, alarm, hdlc.Notified)
}

func (l *hdlcLink) endsAssociation() {}

// Close disconnects (DISC). A server that does not answer has forgotten the connection, or will.
func (l *hdlcLink) Close() error {
	if !l.machine.IsConnected() {
		return nil
	}
	// The machine's own retries bound this.
	ctx := context.Background()
	if err := l.h.line.acquire(ctx, nil); err != nil {
		l.machine.Reset()
		return err
	}
	defer l.h.line.release()
	if err := l.machine.Disconnect(l.h.clk.Now()); err != nil {
		l.machine.Reset()
		return err
	}
	_, err := l.run(ctx, nil, hdlc.Disconnected)
	return err
}

// run drives the machine until the event that is wanted. When it fails the connection is forgotten, so that the next
// exchange connects anew.
func (l *hdlcLink) run(ctx context.Context, alarm <-chan time.Time, want hdlc.EventKind) ([]byte, error) {
	apdu, err := l.drive(ctx, alarm, want)
	if err != nil {
		l.machine.Reset()
		err = fmt.Errorf("client: no answer from %v: %w", l, err)
	}
	return apdu, err
}

func (l *hdlcLink) drive(ctx context.Context, alarm <-chan time.Time, want hdlc.EventKind) ([]byte, error) {
	var timer clock.Timer
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	for {
		if out := l.machine.Output(); len(out) > 0 {
			if err := l.h.line.write(ctx, alarm, out); err != nil {
				return nil, err
			}
		}
		for {
			event, ok := l.machine.Next()
			if !ok {
				break
			}
			switch {
			case event.Kind == want:
				return event.APDU, event.Err
			case event.Kind == hdlc.Disconnected:
				if event.Err == nil {
					event.Err = hdlc.ErrNotConnected
				}
				return nil, event.Err
			case event.Kind == hdlc.Notified && len(l.pushed) < maxStale:
				l.pushed = append(l.pushed, append([]byte(nil), event.APDU...))
			}
		}
		var due <-chan time.Time
		if at := l.machine.Deadline(); !at.IsZero() {
			wait := at.Sub(l.h.clk.Now())
			if timer == nil {
				timer = l.h.clk.NewTimer(wait)
			} else {
				timer.Reset(wait)
			}
			due = timer.C()
		}
		select {
		case b := <-l.h.line.chunks:
			l.machine.Input(l.h.clk.Now(), b)
			l.h.line.taken <- struct{}{}
		case <-due:
			l.machine.Tick(l.h.clk.Now())
		case <-ctx.Done():
			return nil, cause(ctx)
		case <-alarm:
			return nil, errAlarm
		case <-l.h.line.ended:
			return nil, l.h.line.failure()
		}
	}
}
