package security

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSendCounter(t *testing.T) {
	var c SendCounter
	_, err := c.Next()
	require.ErrorIs(t, err, ErrCounterNotReserved)
	bound, changed := c.Reserve(10)
	require.True(t, changed)
	require.EqualValues(t, 10, bound)
	for i := range uint32(4) {
		n, err := c.Next()
		require.NoError(t, err)
		require.Equal(t, i, n)
	}
	_, changed = c.Reserve(10)
	require.False(t, changed, "six of ten are left")
	_, err = c.Next()
	require.NoError(t, err)
	bound, changed = c.Reserve(10)
	require.True(t, changed)
	require.EqualValues(t, 15, bound)

	after := NewSendCounter(bound) // a restart: all up to the bound counts as used
	_, err = after.Next()
	require.ErrorIs(t, err, ErrCounterNotReserved)
	after.Reserve(10)
	n, err := after.Next()
	require.NoError(t, err)
	require.EqualValues(t, 15, n)

	last := NewSendCounter(CounterMax - 2)
	bound, _ = last.Reserve(100)
	require.Equal(t, CounterMax, bound)
	for range 2 {
		_, err = last.Next()
		require.NoError(t, err)
	}
	_, err = last.Next()
	require.ErrorIs(t, err, ErrCounterExhausted)
	require.Equal(t, CounterMax, last.Peek())
}

func TestReceiveCounter(t *testing.T) {
	var c ReceiveCounter
	require.NoError(t, c.Accept(0))
	require.NoError(t, c.Accept(5))
	for _, n := range []uint32{0, 4, 5} {
		var e *ReplayError
		require.ErrorAs(t, c.Accept(n), &e)
		require.Equal(t, ReplayError{Got: n, Expected: 6}, *e)
	}
	require.NoError(t, c.Check(6))
	require.EqualValues(t, 6, c.Expected())
	require.ErrorIs(t, c.Accept(CounterMax), ErrCounterExhausted)
	require.NoError(t, c.Accept(CounterMax-1))
	restored := NewReceiveCounter(c.Expected())
	require.Error(t, restored.Accept(CounterMax-1))
}
