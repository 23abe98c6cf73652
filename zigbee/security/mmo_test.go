package security

import (
	"crypto/aes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// naive is the hash straight from the text of annex B.6.
func naive(t *testing.T, m []byte) []byte {
	bits := len(m) * 8
	p := append(append([]byte(nil), m...), 0x80)
	if bits < 1<<16 {
		for len(p)%16 != 14 {
			p = append(p, 0)
		}
		p = binary.BigEndian.AppendUint16(p, uint16(bits))
	} else {
		for len(p)%16 != 10 {
			p = append(p, 0)
		}
		p = append(binary.BigEndian.AppendUint32(p, uint32(bits)), 0, 0)
	}
	h := make([]byte, 16)
	for ; len(p) > 0; p = p[16:] {
		c, err := aes.NewCipher(h)
		require.NoError(t, err)
		c.Encrypt(h, p[:16])
		for i := range h {
			h[i] ^= p[i]
		}
	}
	return h
}

func TestMMO(t *testing.T) {
	m := make([]byte, 9000)
	for i := range m {
		m[i] = byte(i * 7)
	}
	lengths := []int{8175, 8176, 8190, 8191, 8192, 8193, 8200, 8201, 8202, 8207, 8208, 9000}
	for n := range 70 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		want := naive(t, m[:n])
		got := Hash(m[:n])
		require.Equal(t, want, got[:], "%d octets", n)
		h := NewMMO()
		for at := 0; at < n; at += 13 {
			_, _ = h.Write(m[at:min(n, at+13)])
			h.Sum(nil) // changes nothing
		}
		require.Equal(t, want, h.Sum(nil), "%d octets in pieces", n)
	}
	h := NewMMO()
	require.Equal(t, 16, h.Size())
	require.Equal(t, 16, h.BlockSize())
	_, _ = h.Write(m)
	h.Reset()
	require.Equal(t, naive(t, nil), h.Sum(nil))
}

func BenchmarkMMO(b *testing.B) {
	m := make([]byte, 1<<16)
	b.SetBytes(int64(len(m)))
	for b.Loop() {
		Hash(m)
	}
}
