package security

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrapVectors(t *testing.T) {
	for _, name := range []string{"rfc3394_kek128_data128", "rfc3394_kek256_data128", "rfc3394_kek256_data256"} {
		v := vectors(t)[name]
		kek, key, want := v.key(t, "kek"), v.key(t, "key_data"), v.bytes(t, "wrapped")
		got, err := WrapKey(kek, key)
		require.NoError(t, err)
		require.Equal(t, want, got)
		back, err := UnwrapKey(kek, want)
		require.NoError(t, err)
		require.True(t, key.Equal(back))
		for i := range want {
			_, err := UnwrapKey(kek, want[:i])
			require.Error(t, err)
			bad := bytes.Clone(want)
			bad[i] ^= 0x80
			_, err = UnwrapKey(kek, bad)
			require.ErrorIs(t, err, ErrUnwrap)
		}
		_, err = UnwrapKey(key, want)
		require.ErrorIs(t, err, ErrUnwrap)
	}
	k := vectors(t)["rfc3394_kek128_data128"].key(t, "kek")
	_, err := WrapKey(Key{}, k)
	require.Error(t, err)
	_, err = WrapKey(k, Key{})
	require.Error(t, err)
	_, err = UnwrapKey(Key{}, make([]byte, 24))
	require.Error(t, err)
}
