package security

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
)

func TestKEMessages(t *testing.T) {
	for s, x := range traces(t) {
		b, err := Initiate{s, 3, 6, x.U.Cert}.AppendBinary(nil)
		require.NoError(t, err)
		m, n, err := ParseInitiate(b)
		require.NoError(t, err)
		require.Equal(t, len(b), n)
		require.Equal(t, Initiate{s, 3, 6, x.U.Cert}, m)
		for i := range b {
			_, _, err := ParseInitiate(b[:i])
			require.ErrorIs(t, err, wire.ErrTruncated)
		}
		e, n, err := ParseEphemeral(x.U.EphemeralPublic)
		require.NoError(t, err)
		require.Equal(t, s.PointSize(), n)
		b, err = e.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, []byte(x.U.EphemeralPublic), b)
		for i := range Suite1.PointSize() {
			_, _, err := ParseEphemeral(b[:i])
			require.ErrorIs(t, err, wire.ErrTruncated)
		}
		c, _, err := ParseConfirm(x.MACU)
		require.NoError(t, err)
		b, err = c.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, []byte(x.MACU), b)
		for i := range b {
			_, _, err := ParseConfirm(b[:i])
			require.ErrorIs(t, err, wire.ErrTruncated)
		}
	}
	b, err := Terminate{UnsupportedSuite, 30, Suite1 | Suite2}.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, []byte{5, 30, 3, 0}, b)
	for i := range b {
		_, _, err := ParseTerminate(b[:i])
		require.ErrorIs(t, err, wire.ErrTruncated)
	}
	_, err = Initiate{Suite: 3}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrSuite)
	_, err = Initiate{Suite: Suite1}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrCertificate)
	_, err = Ephemeral{[]byte{2}}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrPoint)
	for s := range TerminateStatus(8) {
		require.NotEmpty(t, s.Error())
	}
}

func FuzzKEMessages(f *testing.F) {
	for s, x := range traces(f) {
		b, err := Initiate{s, 3, 6, x.U.Cert}.AppendBinary(nil)
		require.NoError(f, err)
		f.Add(b)
		f.Add([]byte(x.U.EphemeralPublic))
		f.Add([]byte(x.MACU))
	}
	f.Add([]byte{5, 30, 3, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, n, err := ParseInitiate(b); err == nil {
			again, err := m.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, b[:n], again)
		}
		if m, n, err := ParseEphemeral(b); err == nil {
			again, err := m.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, b[:n], again)
		}
		if m, n, err := ParseConfirm(b); err == nil {
			again, err := m.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, b[:n], again)
		}
		if m, n, err := ParseTerminate(b); err == nil {
			again, err := m.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, b[:n], again)
		}
	})
}
