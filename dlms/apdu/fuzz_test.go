package apdu

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzParse holds: what is read can be written, what was written reads back to
// the same, and takes no more bytes than the input had.
func FuzzParse(f *testing.F) {
	for _, b := range vectors(f) {
		f.Add(b)
	}
	for _, b := range transcripts(f) {
		if len(b) < 200 {
			f.Add(b)
		}
	}
	for _, s := range []string{
		"DD02010208636C69656E742121087365727665722121000109010101000 20A0B0131",
		"DF02010208636C69656E74212108736572766572212100010901C0020506",
		"E6010800DB1234567890A0", "16010200A0011107", "18000102 00A0011107", "0C0400110701040201000101030002", "0D030001030200 02",
		"01011000112233445566778899AABBCCDDEEFF0000065F1F0400007E1F04B0", "0800065F1F0400007C1F04000007",
	} {
		f.Add(un(f, s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		p, n, err := Parse(in)
		if err != nil {
			require.Zero(t, n)
			return
		}
		require.LessOrEqual(t, n, len(in))
		k, ok := KindOf(in)
		require.True(t, ok)
		require.Equal(t, k, p.Kind())
		out, err := p.AppendBinary(nil)
		require.NoError(t, err)
		again, m, err := Parse(out)
		require.NoError(t, err, "%X became %X", in[:n], out)
		require.Equal(t, len(out), m)
		second, err := again.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, out, second)
	})
}
