package security

import (
	"bytes"
	"crypto/aes"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
)

func testCipher(t testing.TB) *Cipher {
	t.Helper()
	k, err := GenerateKey(seeded(3))
	require.NoError(t, err)
	c, err := NewCipher(k)
	require.NoError(t, err)
	return c
}

func TestCCM(t *testing.T) {
	c := testCipher(t)
	nonce := [NonceSize]byte{1, 2, 3}
	for n := range 50 {
		plain, aad := bytes.Repeat([]byte{0x5A}, n), bytes.Repeat([]byte{0xA5}, 50-n)
		sealed := c.Seal([]byte{9}, &nonce, plain, aad)
		require.Len(t, sealed, 1+n+MICSize)
		got, err := c.Open(nil, &nonce, sealed[1:], aad)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plain, got))

		inPlace := append(bytes.Clone(aad), plain...)
		inPlace = c.Seal(inPlace[:len(aad)], &nonce, inPlace[len(aad):], inPlace[:len(aad)])
		require.Equal(t, sealed[1:], inPlace[len(aad):])
		inPlace, err = c.Open(inPlace[:len(aad)], &nonce, inPlace[len(aad):], inPlace[:len(aad)])
		require.NoError(t, err)
		require.True(t, bytes.Equal(plain, inPlace[len(aad):]))

		for i := range sealed[1:] {
			bad := bytes.Clone(sealed[1:])
			bad[i] ^= 0x80
			got, err := c.Open([]byte{7}, &nonce, bad, aad)
			require.ErrorIs(t, err, ErrAuthentication)
			require.Equal(t, []byte{7}, got)
			_, err = c.Open(nil, &nonce, sealed[1:1+i], aad)
			require.Error(t, err)
		}
		_, err = c.Open(nil, &nonce, sealed[1:], append(aad, 0))
		require.ErrorIs(t, err, ErrAuthentication)
	}
	_, err := c.Open(nil, &nonce, []byte{1, 2, 3}, nil)
	require.ErrorIs(t, err, wire.ErrTruncated)
}

func TestCCMAllocations(t *testing.T) {
	c := testCipher(t)
	nonce := [NonceSize]byte{1}
	b := make([]byte, 0, 128)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b = append(b[:0], make([]byte, 100)...)
		b = c.Seal(b[:20], &nonce, b[20:], b[:20])
		if _, err := c.Open(b[:20], &nonce, b[20:], b[:20]); err != nil {
			panic(err)
		}
	}))
}

// BenchmarkSeal secures the payload of a full frame; BenchmarkAES is what AES alone takes for its blocks.
func BenchmarkSeal(b *testing.B) {
	c := testCipher(b)
	nonce := [NonceSize]byte{1}
	buf := make([]byte, 22+80, 128)
	b.ReportAllocs()
	for b.Loop() {
		c.Seal(buf[:22], &nonce, buf[22:102], buf[:22])
	}
}

func BenchmarkAES(b *testing.B) {
	block, err := aes.NewCipher(make([]byte, 16))
	require.NoError(b, err)
	x := make([]byte, 16)
	// B0, two blocks of header, five of payload for the MAC; five of payload and one for the MIC.
	for b.Loop() {
		for range 1 + 2 + 5 + 5 + 1 {
			block.Encrypt(x, x)
		}
	}
}
