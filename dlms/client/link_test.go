package client

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/wrapper"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(s))
	require.NoError(t, err)
	return b
}

// wrapperPeer is the far end of a wrapper line: it hands each unit to answer and writes what that returns.
func wrapperPeer(t *testing.T, answer func(h wrapper.Header, apdu []byte) []byte) io.ReadWriteCloser {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = far.Close() })
	go func() {
		var dec wrapper.Decoder
		buf := make([]byte, 100)
		for {
			n, err := far.Read(buf)
			if err != nil {
				return
			}
			_, _ = dec.Write(buf[:n])
			for {
				h, apdu, ok := dec.Next()
				if !ok {
					break
				}
				if out := answer(h, apdu); out != nil {
					if _, err := far.Write(out); err != nil {
						return
					}
				}
			}
		}
	}()
	return near
}

func unit(t testing.TB, source, destination uint16, apdu []byte) []byte {
	t.Helper()
	b, err := wrapper.Append(nil, source, destination, apdu)
	require.NoError(t, err)
	return b
}

func TestWrapperLink(t *testing.T) {
	line := NewWrapper(wrapperPeer(t, func(h wrapper.Header, apdu []byte) []byte {
		// A unit for someone else comes first; both come in one piece.
		out := unit(t, h.Destination, h.Source+1, []byte("stale"))
		return append(out, unit(t, h.Destination, h.Source, append([]byte("re:"), apdu...))...)
	}))
	defer line.Close()
	for range 3 {
		answer, err := line.Link(16, 1).RoundTrip(t.Context(), []byte("ask"))
		require.NoError(t, err)
		require.Equal(t, "re:ask", string(answer))
	}
	require.EqualValues(t, 3, line.Stale())
	answer, err := line.Link(1, 2).RoundTrip(t.Context(), []byte("other"))
	require.NoError(t, err)
	require.Equal(t, "re:other", string(answer))
}

// A wrapper line that missed an answer must not give it to the next request.
func TestWrapperTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := NewWrapper(wrapperPeer(t, func(h wrapper.Header, apdu []byte) []byte {
			time.Sleep(10 * time.Second)
			return unit(t, h.Destination, h.Source, apdu)
		}))
		defer line.Close()
		link := line.Link(16, 1)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := link.RoundTrip(ctx, []byte("first"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 5*time.Second, time.Since(start))
		time.Sleep(10 * time.Second)
		_, err = link.RoundTrip(t.Context(), []byte("second"))
		require.ErrorIs(t, err, ErrLineBroken)
		_, err = line.Link(1, 1).RoundTrip(t.Context(), []byte("third"))
		require.ErrorIs(t, err, ErrLineBroken)
	})
}

func TestWrapperCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := NewWrapper(wrapperPeer(t, func(wrapper.Header, []byte) []byte { return nil }))
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Second)
			cancel()
		}()
		_, err := line.Link(16, 1).RoundTrip(ctx, []byte("x"))
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		// Cancelling while another exchange has the line harms nothing.
		line2 := NewWrapper(wrapperPeer(t, func(h wrapper.Header, apdu []byte) []byte {
			time.Sleep(time.Second)
			return unit(t, h.Destination, h.Source, apdu)
		}))
		done := make(chan error)
		go func() {
			_, err := line2.Link(16, 1).RoundTrip(t.Context(), []byte("long"))
			done <- err
		}()
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = line2.Link(16, 1).RoundTrip(short, []byte("waits"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, <-done)
		_, err = line2.Link(16, 1).RoundTrip(t.Context(), []byte("good"))
		require.NoError(t, err)
		require.NoError(t, line2.Close())
		require.NoError(t, line2.Close())
		_, err = line2.Link(16, 1).RoundTrip(t.Context(), []byte("late"))
		require.ErrorIs(t, err, ErrLineClosed)
	})
}

func TestWrapperClosedByServer(t *testing.T) {
	near, far := net.Pipe()
	line := NewWrapper(near)
	defer line.Close()
	go func() {
		_, _ = io.ReadFull(far, make([]byte, 11))
		_, _ = far.Write([]byte{0, 1, 0, 1, 0})
		_ = far.Close()
	}()
	_, err := line.Link(16, 1).RoundTrip(t.Context(), []byte("ask"))
	require.ErrorIs(t, err, io.EOF)
}

// A write that hangs is cut short by the context, and closes the line.
func TestWriteStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe() // nobody reads
		defer far.Close()
		line := NewWrapper(near)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := line.Link(16, 1).RoundTrip(ctx, []byte("ask"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		_, err = line.Link(16, 1).RoundTrip(t.Context(), []byte("ask"))
		require.ErrorIs(t, err, ErrLineBroken)
	})
}

func TestUDP(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close()
	go func() {
		buf := make([]byte, 2000)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			h, size, err := wrapper.ParseHeader(buf[:n])
			if err != nil {
				return
			}
			// Half a unit in a datagram is damage, not the beginning of the next one.
			_, _ = server.WriteTo([]byte{0, 1, 0, 1, 0, 16, 0, 40, 1, 2, 3}, from)
			_, _ = server.WriteTo(unit(t, h.Destination, h.Source, buf[size:n]), from)
		}
	}()
	conn, err := net.Dial("udp", server.LocalAddr().String())
	require.NoError(t, err)
	line := NewUDP(conn)
	defer line.Close()
	for range 3 {
		answer, err := line.Link(16, 1).RoundTrip(t.Context(), []byte("ask"))
		require.NoError(t, err)
		require.Equal(t, "ask", string(answer))
	}
}

// scriptLink plays back one side: each request must be as told, and gets the answers told.
type scriptLink struct {
	t       *testing.T
	steps   []scriptStep
	waiting [][]byte
	closed  int
	sent    [][]byte
	end     error // what happens when no answer is left; nil is errScript
}

type scriptStep struct {
	request string   // hex; "" is any
	answers []string // the first answers the request, the others come by themselves
}

var errScript = errors.New("nothing comes any more")

func (l *scriptLink) RoundTrip(ctx context.Context, apdu []byte) ([]byte, error) {
	l.t.Helper()
	l.sent = append(l.sent, append([]byte(nil), apdu...))
	require.NotEmpty(l.t, l.steps, "unexpected request %X", apdu)
	step := l.steps[0]
	l.steps = l.steps[1:]
	if step.request != "" {
		require.Equal(l.t, strings.ReplaceAll(step.request, " ", ""), strings.ToUpper(hex.EncodeToString(apdu)))
	}
	for _, a := range step.answers {
		l.waiting = append(l.waiting, unhex(l.t, a))
	}
	return l.Receive(ctx)
}

func (l *scriptLink) Receive(ctx context.Context) ([]byte, error) {
	if len(l.waiting) == 0 {
		if l.end != nil {
			return nil, l.end
		}
		return nil, errScript
	}
	a := l.waiting[0]
	l.waiting = l.waiting[1:]
	return a, ctx.Err()
}

func (l *scriptLink) Close() error { l.closed++; return nil }
