package axdr

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompactArrayRefused(t *testing.T) {
	inner, err := CompactArray(Uint8(1))
	require.NoError(t, err)
	for _, items := range [][]Value{
		{},
		{inner},
		{Array()},
		{Value{Tag: 7}},
		{Uint8(1), Int8(1)},
		{Structure(Uint8(1)), Structure()},
		{Structure(inner)},
	} {
		_, err := CompactArray(items...)
		require.Error(t, err)
	}
	deep := Uint8(1)
	for range 20 {
		deep = Structure(deep)
	}
	_, err = CompactArray(deep)
	require.ErrorIs(t, err, ErrLimit)
}

func TestCompactArrayBadInput(t *testing.T) {
	for _, c := range []struct {
		in  string
		err error
	}{
		{"13 07 00", ErrTag},                              // no such type
		{"13 13 11 00", ErrTag},                           // compact array of compact arrays
		{"13 00 01 55", ErrValue},                         // elements without content
		{"13 01 0000 11 01 55", ErrValue},                 // the same by an array of none
		{"13 12 03 0001 02", ErrTruncated},                // half an element at the end
		{"13 09 02 05 AA 11 11 11", ErrTruncated},         // a string past the contents, though not past the input
		{"01 02 13 11 03 0102 03", ErrTruncated},          // contents that leave no room for the next element
		{"13 02 80 00", ErrLength},                        // impossible length in the description
		{"13 02 7F 00", ErrTruncated},                     // more members than bytes
		{"13 01 FFFF 01 FFFF 01 FFFF 00 01 01", ErrLimit}, // 2^48 elements out of one byte
	} {
		_, _, err := Parse(un(t, c.in))
		require.ErrorIs(t, err, c.err, c.in)
	}
	_, _, err := Limits{Cells: 3}.Parse(un(t, "13 11 04 01020304"))
	require.ErrorIs(t, err, ErrLimit)
	v, _, err := Limits{Cells: 4}.Parse(un(t, "13 11 04 01020304"))
	require.NoError(t, err)
	require.Len(t, v.Items, 4)
}
