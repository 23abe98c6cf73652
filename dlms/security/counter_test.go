package security

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSendCounter(t *testing.T) {
	var c SendCounter
	require.EqualValues(t, 1, c.Peek())
	n, err := c.Next()
	require.NoError(t, err)
	require.EqualValues(t, 1, n)

	c = NewSendCounter(CounterLimit - 1)
	n, err = c.Next()
	require.NoError(t, err)
	require.Equal(t, CounterLimit-1, n)
	_, err = c.Next()
	require.ErrorIs(t, err, ErrCounterExhausted)
	// The key transfer itself still goes, to the last value but one.
	for want := CounterLimit; want < CounterMax; want++ {
		n, err = c.NextForRekey()
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	_, err = c.NextForRekey()
	require.ErrorIs(t, err, ErrCounterExhausted)
}

func TestReceiveCounter(t *testing.T) {
	var c ReceiveCounter
	require.NoError(t, c.Accept(0))
	require.NoError(t, c.Accept(1))
	require.NoError(t, c.Accept(100))
	for _, ic := range []uint32{0, 1, 99, 100} {
		var r *ReplayError
		require.ErrorAs(t, c.Accept(ic), &r)
		require.Equal(t, ReplayError{Got: ic, Expected: 101}, *r)
		require.ErrorContains(t, r, "expected 101")
	}
	require.NoError(t, c.Check(101))
	require.EqualValues(t, 101, c.Expected())
	require.ErrorIs(t, c.Accept(CounterMax), ErrCounterExhausted)
	require.NoError(t, c.Accept(CounterMax-1))
	require.Error(t, c.Accept(CounterMax-1))

	c = NewReceiveCounter(50)
	c.Window = 10
	var r *ReplayError
	require.ErrorAs(t, c.Accept(61), &r)
	require.True(t, r.Ahead)
	require.ErrorContains(t, r, "too far ahead")
	require.NoError(t, c.Accept(60))
	require.NoError(t, c.Accept(71))
}

func TestPolicy(t *testing.T) {
	for v, need := range []Protection{ProtectNone, ProtectAuth, ProtectEnc, ProtectBoth} {
		p, err := PolicyV0(uint8(v))
		require.NoError(t, err)
		require.Equal(t, need, p.Request())
		require.Equal(t, need, p.Response())
		back, err := p.V0()
		require.NoError(t, err)
		require.EqualValues(t, v, back)
	}
	_, err := PolicyV0(4)
	require.ErrorContains(t, err, "not defined")
	_, err = PolicyV1(1)
	require.ErrorContains(t, err, "reserved")
	p, err := PolicyV1(0x10 | 0x04 | 0x40)
	require.NoError(t, err)
	require.Equal(t, ProtectSign|ProtectAuth, p.Request())
	require.Equal(t, ProtectEnc, p.Response())
	_, err = p.V0()
	require.Error(t, err)
	var pe *PolicyError
	require.ErrorAs(t, p.CheckRequest(ProtectBoth), &pe)
	require.Equal(t, "security: request is authenticated, encrypted, the security policy asks for authenticated, signed", pe.Error())
	require.NoError(t, p.CheckRequest(ProtectBoth|ProtectSign))
	require.ErrorContains(t, p.CheckResponse(ProtectNone), "response is none")
	require.NoError(t, p.CheckResponse(ProtectEnc))
	require.True(t, p.Strengthens(RequestSigned))
	require.False(t, p.Strengthens(RequestEncrypted))
}

func TestControl(t *testing.T) {
	require.Equal(t, "30 (authenticated, encrypted)", Control(0x30).String())
	require.Equal(t, "D1 (authenticated, suite 1, broadcast key, compressed)", Control(0xD1).String())
	require.Equal(t, "00 (none)", Control(0).String())
	require.Equal(t, Control(0x32), NewControl(Suite2, ProtectBoth))
}
