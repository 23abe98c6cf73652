package client

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"smets1/dlms/wrapper"
)

// Wrapper is a line of wrapper units: a TCP connection to port 4059, a UDP socket, or a byte tunnel that carries the
// same units. It is safe for concurrent use; exchanges take turns.
type Wrapper struct {
	line     *line
	datagram bool
	dec      wrapper.Decoder
	out      []byte
	stale    atomic.Uint64
}

// NewWrapper makes a line of a byte stream, which it owns from then on.
func NewWrapper(stream io.ReadWriteCloser) *Wrapper {
	return &Wrapper{line: newLine(stream, 16<<10)}
}

// NewUDP makes a line of a connected datagram socket, which it owns from then on. Datagrams get lost; an answer that
// does not come is a timeout, and the request is not repeated, because the server may have acted on it.
func NewUDP(conn io.ReadWriteCloser) *Wrapper {
	return &Wrapper{line: newLine(conn, wrapper.Size+wrapper.MaxLength), datagram: true}
}

// Link is a link between a client address (source wPort) and a logical device (destination wPort). Closing it does
// nothing: the wrapper has no connection of its own.
func (w *Wrapper) Link(client, server uint16) Link {
	return &wrapperLink{w: w, client: client, server: server}
}

// Close closes the line and what it was made of.
func (w *Wrapper) Close() error { return w.line.close() }

// Stale counts units that came for an address nobody was waiting for.
func (w *Wrapper) Stale() uint64 { return w.stale.Load() }

type wrapperLink struct {
	w              *Wrapper
	client, server uint16
}

// String names the addresses, for errors and logs.
func (l *wrapperLink) String() string {
	return fmt.Sprintf("wrapper, client wPort %d, server wPort %d", l.client, l.server)
}

func (l *wrapperLink) Close() error { return nil }

func (l *wrapperLink) RoundTrip(ctx context.Context, apdu []byte) ([]byte, error) {
	return l.roundTripBy(ctx, nil, apdu)
}

// Receive waits for an APDU that comes by itself.
func (l *wrapperLink) Receive(ctx context.Context) ([]byte, error) { return l.receiveBy(ctx, nil) }

func (l *wrapperLink) roundTripBy(ctx context.Context, alarm <-chan time.Time, apdu []byte) ([]byte, error) {
	w := l.w
	if err := w.line.acquire(ctx, alarm); err != nil {
		return nil, err
	}
	defer w.line.release()
	out, err := wrapper.Append(w.out[:0], l.client, l.server, apdu)
	if err != nil {
		return nil, err
	}
	w.out = out
	if err := w.line.write(ctx, alarm, out); err != nil {
		return nil, err
	}
	return l.receive(ctx, alarm)
}

func (l *wrapperLink) receiveBy(ctx context.Context, alarm <-chan time.Time) ([]byte, error) {
	if err := l.w.line.acquire(ctx, alarm); err != nil {
		return nil, err
	}
	defer l.w.line.release()
	return l.receive(ctx, alarm)
}

func (l *wrapperLink) receive(ctx context.Context, alarm <-chan time.Time) ([]byte, error) {
	w := l.w
	for {
		for w.dec.Pending() >= wrapper.Size {
			h, apdu, ok := w.dec.Next()
			if !ok {
				break
			}
			if h.Source == l.server && h.Destination == l.client {
				return apdu, nil
			}
			w.stale.Add(1)
		}
		if w.datagram {
			// What a datagram left over is damage, not the beginning of the next.
			w.dec = wrapper.Decoder{}
		}
		if err := w.line.next(ctx, alarm, &w.dec); err != nil {
			// The answer may still come, and would be taken for the next one's.
			w.line.breakUp(err)
			return nil, fmt.Errorf("client: no answer from %v: %w", l, err)
		}
	}
}
