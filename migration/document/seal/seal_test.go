package seal

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRoundTripAndBinding(t *testing.T) {
	r := rand.NewChaCha8([32]byte{1})
	mine, err := newKey(r)
	require.NoError(t, err)
	other, err := newKey(r)
	require.NoError(t, err)
	aad := AAD("AA-70B3D51F3000A001-000000000042", "00-DB-12-01-00-00-00-01", "k1", "70-B3-D5-1F-30-00-A0-03")
	require.Equal(t, "AA-70B3D51F3000A001-000000000042|00-DB-12-01-00-00-00-01|k1|70-B3-D5-1F-30-00-A0-03", string(aad))
	key := []byte("0123456789abcdef")
	b, err := Seal(r, mine.PublicKey(), "Transport", aad, key)
	require.NoError(t, err)
	require.Len(t, b.Ephemeral, 65)
	require.Len(t, b.Nonce, 12)
	require.Len(t, b.Tag, 16)
	require.Len(t, b.Ciphertext, 16)
	require.NotContains(t, string(b.Ciphertext), "0123")

	got, err := Open(mine, "Transport", aad, b)
	require.NoError(t, err)
	require.Equal(t, key, got)
	got, err = Open(mine, "Transport", aad, b)
	require.NoError(t, err, "opening leaves the block as it was")
	require.Equal(t, key, got)

	_, err = Open(other, "Transport", aad, b)
	require.ErrorIs(t, err, ErrOpen, "another recipient")
	_, err = Open(mine, "Critical", aad, b)
	require.ErrorIs(t, err, ErrOpen, "another use")
	_, err = Open(mine, "Transport", append(bytes.Clone(aad), 'x'), b)
	require.ErrorIs(t, err, ErrOpen, "another place")

	for _, part := range []func(*Block) *[]byte{
		func(b *Block) *[]byte { return &b.Ephemeral }, func(b *Block) *[]byte { return &b.Nonce },
		func(b *Block) *[]byte { return &b.Ciphertext }, func(b *Block) *[]byte { return &b.Tag },
	} {
		for i := range *part(&b) {
			c := b
			p := part(&c)
			*p = bytes.Clone(*p)
			(*p)[i] ^= 1
			_, err := Open(mine, "Transport", aad, c)
			require.ErrorIs(t, err, ErrOpen)
			*p = (*p)[:i]
			_, err = Open(mine, "Transport", aad, c)
			require.ErrorIs(t, err, ErrOpen)
		}
	}
	again, err := Seal(r, mine.PublicKey(), "Transport", aad, key)
	require.NoError(t, err)
	require.NotEqual(t, b.Ephemeral, again.Ephemeral)
	require.NotEqual(t, b.Ciphertext, again.Ciphertext)
}

func TestPoorRandomness(t *testing.T) {
	mine, err := newKey(rand.NewChaCha8([32]byte{1}))
	require.NoError(t, err)
	for _, n := range []int{0, 31, 32, 40} {
		_, err := Seal(bytes.NewReader(bytes.Repeat([]byte{7}, n)), mine.PublicKey(), "HAN", nil, nil)
		require.Error(t, err)
	}
	_, err = Seal(bytes.NewReader(make([]byte, 10_000)), mine.PublicKey(), "HAN", nil, nil)
	require.Error(t, err)
}
