package le

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
)

func TestEUI64(t *testing.T) {
	e := wire.MustEUI64("00-15-5F-00-B0-01-00-02")
	b := AppendEUI64(nil, e)
	require.Equal(t, []byte{0x02, 0x00, 0x01, 0xB0, 0x00, 0x5F, 0x15, 0x00}, b)
	r := wire.NewReader(b)
	require.Equal(t, e, EUI64(&r))
	require.NoError(t, r.Done())
	for i := range b {
		r := wire.NewReader(b[:i])
		require.Zero(t, EUI64(&r))
		require.ErrorIs(t, r.Err(), wire.ErrTruncated)
	}
}

func TestUint(t *testing.T) {
	for n := range 9 {
		v := uint64(0x8877665544332211)
		b := AppendUint(nil, v, n)
		require.Len(t, b, n)
		r := wire.NewReader(b)
		got := Uint(&r, n)
		require.NoError(t, r.Done())
		if n < 8 {
			v &= 1<<(8*n) - 1
		}
		require.Equal(t, v, got)
	}
}
