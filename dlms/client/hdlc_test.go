package client

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/hdlc"
)

// hdlcPeer is the far end of an HDLC line. answer may be nil to stay silent; lose says whether to lose the n-th write.
func hdlcPeer(t *testing.T, cfg hdlc.ServerConfig, answer func(hdlc.Event) []byte, lose func(n int) bool) io.ReadWriteCloser {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = far.Close() })
	go func() {
		server := hdlc.NewServerLink(cfg)
		buf := make([]byte, 7) // frames come in pieces
		writes := 0
		for {
			n, err := far.Read(buf)
			if err != nil {
				return
			}
			server.Input(time.Now(), buf[:n])
			for {
				if out := server.Output(); len(out) > 0 {
					writes++
					if lose == nil || !lose(writes) {
						if _, err := far.Write(out); err != nil {
							return
						}
					}
				}
				e, ok := server.Next()
				if !ok {
					break
				}
				if e.Kind == hdlc.Received {
					_ = server.Reply(time.Now(), e.Token, answer(e))
				}
			}
		}
	}()
	return near
}

func echo(e hdlc.Event) []byte { return append([]byte(e.Peer.Client.String()+":"), e.APDU...) }

func hdlcLinkOf(t *testing.T, h *HDLC, client uint8) Link {
	t.Helper()
	link, err := h.Link(hdlc.Client(client), hdlc.Server1(1))
	require.NoError(t, err)
	return link
}

func TestHDLCLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := hdlc.ServerConfig{Params: hdlc.Params{InfoTransmit: 64, InfoReceive: 32, WindowTransmit: 3, WindowReceive: 2}}
		h := NewHDLC(hdlcPeer(t, cfg, echo, nil), hdlc.ClientConfig{Params: hdlc.Params{InfoTransmit: 128, InfoReceive: 128, WindowTransmit: 7, WindowReceive: 7}}, nil)
		public, management := hdlcLinkOf(t, h, 16), hdlcLinkOf(t, h, 1)
		long := bytes.Repeat([]byte("0123456789"), 50) // segmented both ways
		for range 3 {
			answer, err := public.RoundTrip(t.Context(), long)
			require.NoError(t, err)
			require.Equal(t, "16:"+string(long), string(answer))
			answer, err = management.RoundTrip(t.Context(), []byte("short"))
			require.NoError(t, err)
			require.Equal(t, "1:short", string(answer))
		}
		require.NoError(t, public.Close())
		require.NoError(t, public.Close())
		answer, err := public.RoundTrip(t.Context(), []byte("again")) // connects anew
		require.NoError(t, err)
		require.Equal(t, "16:again", string(answer))
		require.NoError(t, h.Close())
		_, err = public.RoundTrip(t.Context(), []byte("closed"))
		require.ErrorIs(t, err, ErrLineClosed)
		_, err = h.Link(hdlc.Server4(1, 1), hdlc.Server1(1))
		require.Error(t, err)
	})
}

// A lost answer is asked for again, and the request is done once.
func TestHDLCLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := 0
		h := NewHDLC(hdlcPeer(t, hdlc.ServerConfig{}, func(e hdlc.Event) []byte { done++; return echo(e) },
			func(n int) bool { return n == 2 }), hdlc.ClientConfig{}, nil)
		defer h.Close()
		start := time.Now()
		answer, err := hdlcLinkOf(t, h, 16).RoundTrip(t.Context(), []byte("x"))
		require.NoError(t, err)
		require.Equal(t, "16:x", string(answer))
		require.Equal(t, 1, done)
		require.Equal(t, 3*time.Second, time.Since(start)) // the default response timeout, once
	})
}

func TestHDLCTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent atomic.Bool
		silent.Store(true)
		h := NewHDLC(hdlcPeer(t, hdlc.ServerConfig{}, echo, func(int) bool { return silent.Load() }),
			hdlc.ClientConfig{ResponseTimeout: time.Second, Retries: 2}, nil)
		defer h.Close()
		link := hdlcLinkOf(t, h, 16)
		start := time.Now()
		_, err := link.RoundTrip(t.Context(), []byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.ErrorContains(t, err, "client 16")
		require.Equal(t, 3*time.Second, time.Since(start))
		// The line itself is good: the next exchange connects anew.
		silent.Store(false)
		answer, err := link.RoundTrip(t.Context(), []byte("y"))
		require.NoError(t, err)
		require.Equal(t, "16:y", string(answer))
	})
}

// An answer that comes after we stopped waiting is not taken for the next request's.
func TestHDLCLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHDLC(hdlcPeer(t, hdlc.ServerConfig{}, func(e hdlc.Event) []byte {
			if string(e.APDU) == "slow" {
				time.Sleep(time.Minute)
			}
			return echo(e)
		}, nil), hdlc.ClientConfig{}, nil)
		defer h.Close()
		link := hdlcLinkOf(t, h, 16)
		_, err := link.RoundTrip(t.Context(), []byte("fast"))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = link.RoundTrip(ctx, []byte("slow"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		time.Sleep(59 * time.Second) // the late answer is on its way
		answer, err := link.RoundTrip(t.Context(), []byte("next"))
		require.NoError(t, err)
		require.Equal(t, "16:next", string(answer))
	})
}
