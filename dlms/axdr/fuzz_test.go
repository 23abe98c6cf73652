package axdr

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzParse holds: Skip agrees with Parse on what is well formed, what is read
// can be written and reads back to the same, and printing it does not fail.
func FuzzParse(f *testing.F) {
	for _, r := range rows(f) {
		f.Add(un(f, r.hex))
	}
	f.Add(every(nil))
	f.Add(un(f, "0204020412000809060000010000FF0F02120000090C07E90A0104000000000000FF090C07E90A0204000000000000FF0100"))
	f.Fuzz(func(t *testing.T, in []byte) {
		v, n, err := Limits{Cells: 1 << 12}.Parse(in)
		if err != nil {
			require.Zero(t, n)
			return
		}
		require.LessOrEqual(t, n, len(in))
		skipped, err := Skip(in)
		require.NoError(t, err)
		require.Equal(t, n, skipped)
		out, err := v.AppendBinary(nil)
		require.NoError(t, err)
		require.LessOrEqual(t, len(out), n)
		again, m, err := Limits{Cells: 1 << 12}.Parse(out)
		require.NoError(t, err)
		require.Equal(t, len(out), m)
		second, err := again.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, out, second)
		require.NotEmpty(t, v.String())
		require.NotEmpty(t, v.Indent(""))
	})
}
