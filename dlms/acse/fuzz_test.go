package acse

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzParse holds: what is read can be written, and reads back to the same.
func FuzzParse(f *testing.F) {
	for _, b := range vectors(f) {
		f.Add(b)
	}
	for _, s := range []string{
		"600F80020284A109060760857405080101", "6111A10706052B06010401A203020102", "630100", "6200",
		"6324800100BE220421281F30000000009836A06BC917C19FA907D14648734C2DB10B385498F20EA34627",
		"6014A109060760857405080109A9040202012C",
	} {
		f.Add(un(f, s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		p, n, err := parse(in)
		if err != nil {
			require.Zero(t, n)
			return
		}
		require.LessOrEqual(t, n, len(in))
		out, err := p.AppendBinary(nil)
		require.NoError(t, err)
		again, m, err := parse(out)
		require.NoError(t, err, "%X became %X", in[:n], out)
		require.Equal(t, len(out), m)
		second, err := again.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, out, second)
	})
}
