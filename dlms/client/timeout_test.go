package client

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/server"
	"smets1/dlms/wrapper"
	"smets1/internal/clock"
)

// A server that stops answering: the request times out on the client's clock, the association is lost, and the line does
// not give the late answer to anyone.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		meter, _ := newMeter(t)
		delay := time.Duration(0)
		line := NewWrapper(wrapperPeer(t, func(h wrapper.Header, apdu []byte) []byte {
			time.Sleep(delay)
			return unit(t, h.Destination, h.Source, meter.Serve(time.Now(), server.Peer{Link: 1, Client: h.Source}, apdu, nil))
		}))
		defer line.Close()
		c, err := Associate(t.Context(), line.Link(sapPublic, 1), Config{Timeout: 7 * time.Second})
		require.NoError(t, err)
		_, _, err = c.Clock(t.Context())
		require.NoError(t, err)
		synctest.Wait()
		delay = time.Minute
		start := time.Now()
		_, _, err = c.Clock(t.Context())
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 7*time.Second, time.Since(start))
		_, _, err = c.Clock(t.Context())
		require.ErrorIs(t, err, ErrLost)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, c.Release(t.Context()))
		_, err = Associate(t.Context(), line.Link(sapPublic, 1), Config{})
		require.ErrorIs(t, err, ErrLineBroken)
		time.Sleep(time.Minute) // the late answer finds the line closed
	})
}

// The timeout runs on the clock of Config: a laboratory's virtual one needs no real waiting.
func TestTimeoutVirtual(t *testing.T) {
	clk := clock.NewStepped(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	line := NewWrapper(wrapperPeer(t, func(wrapper.Header, []byte) []byte {
		go clk.Advance(30 * time.Second)
		return nil
	}))
	defer line.Close()
	_, err := Associate(t.Context(), line.Link(sapPublic, 1), Config{Clock: clk})
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.ErrorContains(t, err, "server wPort 1")
}

// Cancelling ends a request at once, and is not taken for a timeout.
func TestCancelRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		meter, _ := newMeter(t)
		silent := false
		line := NewWrapper(wrapperPeer(t, func(h wrapper.Header, apdu []byte) []byte {
			if silent {
				return nil
			}
			return unit(t, h.Destination, h.Source, meter.Serve(time.Now(), server.Peer{Link: 1, Client: h.Source}, apdu, nil))
		}))
		defer line.Close()
		c, err := Associate(t.Context(), line.Link(sapPublic, 1), Config{})
		require.NoError(t, err)
		synctest.Wait()
		silent = true
		stop := errors.New("the operator stopped it")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			time.Sleep(time.Second)
			cancel(stop)
		}()
		start := time.Now()
		_, err = c.Get(ctx, data2)
		require.ErrorIs(t, err, stop)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.ErrorIs(t, c.Err(), ErrLost)
	})
}
