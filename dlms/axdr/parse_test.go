package axdr

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBadInput(t *testing.T) {
	for _, c := range []struct {
		in  string
		err error
	}{
		{"07", ErrTag},
		{"01 01 08", ErrTag},
		{"09 80", ErrLength},
		{"09 85 0000000001", ErrLength},
		{"09 84 FFFFFFFF", ErrLength},
		{"01 84 7FFFFFFF 00", ErrTruncated},
		{"02 03 00 00", ErrTruncated},
		{"04 84 7FFFFFFF 00", ErrTruncated},
	} {
		_, _, err := Parse(un(t, c.in))
		require.ErrorIs(t, err, c.err, c.in)
		_, err = Skip(un(t, c.in))
		require.ErrorIs(t, err, c.err, c.in)
	}
	_, _, err := Parse(un(t, "01 02 00 08"))
	require.EqualError(t, err, "axdr: byte 3: data: not a Data tag")
}

func TestLongFormLengths(t *testing.T) {
	for _, size := range []int{0, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000, 0x1000000} {
		b := AppendOctetString(nil, make([]byte, size))
		require.Len(t, b, 1+LengthSize(size)+size)
		v, n, err := Parse(b)
		require.NoError(t, err)
		require.Equal(t, len(b), n)
		require.Len(t, v.Bytes, size)
		length, n, err := ParseLength(b[1:])
		require.NoError(t, err)
		require.Equal(t, size, length)
		require.Equal(t, LengthSize(size), n)
	}
	// Longer than needed is taken.
	v, _, err := Parse(un(t, "09 82 0001 AA"))
	require.NoError(t, err)
	require.Equal(t, []byte{0xAA}, v.Bytes)
	_, _, err = ParseLength([]byte{0x82, 0})
	require.ErrorIs(t, err, ErrTruncated)
}

func TestDepth(t *testing.T) {
	nested := append(bytes.Repeat([]byte{1, 1}, defaultDepth), 0)
	v, _, err := Parse(nested)
	require.NoError(t, err)
	again, err := v.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, nested, again)
	n, err := Skip(nested)
	require.NoError(t, err)
	require.Equal(t, len(nested), n)

	nested = append([]byte{1, 1}, nested...)
	_, _, err = Parse(nested)
	require.ErrorIs(t, err, ErrLimit)
	_, err = Skip(nested)
	require.ErrorIs(t, err, ErrLimit)
	_, _, err = Limits{Depth: 1}.Parse(un(t, "01 01 01 01 00"))
	require.ErrorIs(t, err, ErrLimit)
	_, _, err = Limits{Cells: 2}.Parse(un(t, "01 03 00 00 00"))
	require.ErrorIs(t, err, ErrLimit)

	types := append(append([]byte{0x13}, bytes.Repeat([]byte{2, 1}, 20)...), 0x11, 1, 1)
	_, _, err = Parse(types)
	require.ErrorIs(t, err, ErrLimit)
	_, err = Skip(types)
	require.ErrorIs(t, err, ErrLimit)
}

// TestHostileInputIsBounded feeds inputs that promise much and measures what
// they cost.
func TestHostileInputIsBounded(t *testing.T) {
	// Each array claims all the bytes that follow, for its own elements.
	claims := bytes.Repeat([]byte{1, 0x7F}, 128)
	// 64 KiB of arrays, each claiming what is left of the input.
	var wide []byte
	for range 16 {
		wide = append(wide, 1, 0x82, 0xFF, 0x00)
	}
	wide = append(wide, make([]byte, 0xFFFF)...)
	// A compact array of structures of 100 null-data and one byte.
	description := append([]byte{2, 101}, make([]byte, 100)...)
	description = append(description, byte(TagUint8))
	compact := append([]byte{0x13}, description...)
	compact = append(AppendLength(compact, 60000), make([]byte, 60000)...)

	for name, in := range map[string][]byte{"claims": claims, "wide": wide, "compact": compact} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := Parse(in)
			runtime.ReadMemStats(&after)
			require.Error(t, err)
			const cell = 64
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(3*defaultCells*cell))
			if name != "compact" {
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(len(in)*cell+1<<16))
			}
		})
	}
}
