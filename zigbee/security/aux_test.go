package security

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
)

var auxCases = map[string]Aux{
	"28785634120200020 0b05f150001": {KeyID: KeyIDNetwork, Extended: true, Counter: 0x12345678, Source: wire.MustEUI64("00-15-5F-B0-00-02-00-02"), KeySequence: 1},
	"0001000000":                    {KeyID: KeyIDLink, Counter: 1},
	"30010000000100010 0b05f1500":   {KeyID: KeyIDTransport, Extended: true, Counter: 1, Source: wire.MustEUI64("00-15-5F-B0-00-01-00-01")},
	"4002000000":                    {KeyID: KeyIDLink, Counter: 2, Verified: true},
	"18ffffffff":                    {KeyID: KeyIDLoad, Counter: 0xFFFFFFFF},
	"08010000000 5":                 {KeyID: KeyIDNetwork, Counter: 1, KeySequence: 5},
}

func spaced(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(s), []byte(" "), nil)))
	require.NoError(t, err)
	return b
}

func TestAux(t *testing.T) {
	for s, a := range auxCases {
		want := spaced(t, s)
		b, err := a.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, want, b)
		require.Equal(t, len(want), a.Size())
		got, n, err := ParseAux(want)
		require.NoError(t, err)
		require.Equal(t, len(want), n)
		require.Equal(t, a, got)
		for i := range want {
			_, _, err := ParseAux(want[:i])
			require.ErrorIs(t, err, wire.ErrTruncated)
		}
	}
	for _, bad := range []string{"0101000000", "8001000000"} {
		_, _, err := ParseAux(spaced(t, bad))
		require.Error(t, err)
	}
}

func TestNonce(t *testing.T) {
	a := Aux{KeyID: KeyIDNetwork, Extended: true, Counter: 0x12345678, Source: wire.MustEUI64("01-02-03-04-05-06-07-08")}
	n := a.Nonce()
	require.Equal(t, spaced(t, "0807060504030201 78563412 2d"), n[:])
}

func TestSealFrame(t *testing.T) {
	c := testCipher(t)
	for _, a := range auxCases {
		before := []byte("MAC header")
		header := []byte("network header")
		b := SealFrame(append(bytes.Clone(before), header...), len(before), &a, c, []byte("payload"))
		require.Equal(t, before, b[:len(before)])
		frame := b[len(before):]
		require.Zero(t, frame[len(header)]&levelMask, "the level is not sent")
		for i := range frame {
			bad := bytes.Clone(frame)
			bad[i] ^= 0x40
			if _, err := OpenFrame(bad, len(header), &a, c); i >= len(header) && i < len(header)+a.Size() {
				continue // the caller's a holds the auxiliary header; it would have been read from the frame
			} else {
				require.ErrorIs(t, err, ErrAuthentication, "octet %d", i)
			}
			_, err := OpenFrame(bytes.Clone(frame[:i]), len(header), &a, c)
			require.Error(t, err)
		}
		p, err := OpenFrame(frame, len(header), &a, c)
		require.NoError(t, err)
		require.Equal(t, "payload", string(p))
	}
}

func FuzzParseAux(f *testing.F) {
	for s := range auxCases {
		f.Add(spaced(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, n, err := ParseAux(b)
		if err != nil {
			return
		}
		again, err := a.AppendBinary(nil)
		require.NoError(t, err)
		want := bytes.Clone(b[:n])
		want[0] &^= levelMask
		require.Equal(t, want, again)
	})
}
