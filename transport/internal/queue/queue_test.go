package queue

import (
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/clock"
)

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(clock.Real(), 10)
		start := time.Now()
		b := make([]byte, 10)
		require.NoError(t, q.Put(start.Add(time.Second), []byte("abc"), false, time.Time{}))
		require.NoError(t, q.Put(start, []byte("de"), false, time.Time{})) // not before what precedes it
		n, err := q.Read(b[:2])
		require.NoError(t, err)
		require.Equal(t, "ab", string(b[:n]))
		require.Equal(t, time.Second, time.Since(start))
		for _, want := range []string{"c", "de"} {
			n, err = q.Read(b)
			require.NoError(t, err)
			require.Equal(t, want, string(b[:n]))
		}
		require.Equal(t, time.Second, time.Since(start))
		// Joined pieces are read as one.
		at := time.Now().Add(time.Millisecond)
		require.NoError(t, q.Put(at, []byte("f"), true, time.Time{}))
		require.NoError(t, q.Put(at, []byte("g"), true, time.Time{}))
		n, err = q.Read(b)
		require.NoError(t, err)
		require.Equal(t, "fg", string(b[:n]))
		// Deadlines.
		q.SetReadDeadline(time.Now().Add(time.Second))
		_, err = q.Read(b)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		q.SetReadDeadline(time.Time{})
		require.NoError(t, q.Put(time.Now(), make([]byte, 8), false, time.Time{}))
		require.ErrorIs(t, q.Put(time.Now(), make([]byte, 8), false, time.Now().Add(time.Second)), os.ErrDeadlineExceeded)
		require.ErrorIs(t, q.Drain(time.Now().Add(time.Second)), os.ErrDeadlineExceeded)
		require.Equal(t, 8, q.Len())
		go func() { _, _ = q.Read(b) }()
		require.NoError(t, q.Drain(time.Time{}))
		// The end comes after what is there, a break before it.
		require.NoError(t, q.Put(time.Now(), []byte("h"), false, time.Time{}))
		q.End(io.EOF)
		q.End(os.ErrInvalid)
		require.ErrorIs(t, q.Put(time.Now(), []byte("i"), false, time.Time{}), io.EOF)
		n, err = q.Read(b)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		_, err = q.Read(b)
		require.ErrorIs(t, err, io.EOF)
		q.Break(os.ErrClosed)
		_, err = q.Read(b)
		require.ErrorIs(t, err, os.ErrClosed)
	})
}
