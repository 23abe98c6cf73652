package axdr

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestValues encodes, decodes, measures and prints one value of each type, and
// decodes it cut at every byte.
func TestValues(t *testing.T) {
	seen := map[Tag]bool{}
	for _, r := range rows(t) {
		seen[r.value.Tag] = true
		t.Run(r.name, func(t *testing.T) {
			want := un(t, r.hex)
			got, err := r.value.AppendBinary([]byte{0xEE})
			require.NoError(t, err)
			require.Equal(t, append([]byte{0xEE}, want...), got)
			require.Equal(t, r.text, r.value.String())

			followed := append(want[:len(want):len(want)], 0x11, 0x22)
			parsed, n, err := Parse(followed)
			require.NoError(t, err)
			require.Equal(t, len(want), n)
			require.Equal(t, r.value, parsed)
			require.True(t, parsed.Equal(r.value.Clone()))
			n, err = Skip(followed)
			require.NoError(t, err)
			require.Equal(t, len(want), n)

			for i := range want {
				_, n, err := Parse(want[:i:i])
				require.ErrorIs(t, err, ErrTruncated, "%X", want[:i])
				require.Zero(t, n)
				n, err = Skip(want[:i:i])
				require.ErrorIs(t, err, ErrTruncated, "%X", want[:i])
				require.Zero(t, n)
			}
			all, err := ParseAll(want)
			require.NoError(t, err)
			require.Equal(t, r.value, all)
			_, err = ParseAll(followed)
			require.ErrorIs(t, err, ErrLength)
		})
	}
	for tag := range 256 {
		if Tag(tag).Valid() {
			require.True(t, seen[Tag(tag)], "no row for %s", Tag(tag))
		}
	}
}

func TestGetters(t *testing.T) {
	u, err := Uint16(7).AsUint()
	require.NoError(t, err)
	require.Equal(t, uint64(7), u)
	_, err = Int8(-1).AsUint()
	require.ErrorIs(t, err, ErrValue)
	_, err = Null().AsUint()
	require.ErrorIs(t, err, ErrType)
	require.EqualError(t, err, "axdr: have null-data, want an unsigned number")

	i, err := Int32(-5).AsInt()
	require.NoError(t, err)
	require.Equal(t, int64(-5), i)
	_, err = Uint64(math.MaxUint64).AsInt()
	require.ErrorIs(t, err, ErrValue)
	_, err = Bool(true).AsInt()
	require.ErrorIs(t, err, ErrType)

	for want, v := range map[float64]Value{1.5: Float32(1.5), 2.5: Float64(2.5), -3: Int8(-3), 4: Enum(4)} {
		f, err := v.AsFloat()
		require.NoError(t, err)
		require.Equal(t, want, f)
	}
	_, err = Null().AsFloat()
	require.ErrorIs(t, err, ErrType)

	b, err := Bool(true).AsBool()
	require.NoError(t, err)
	require.True(t, b)
	_, err = Uint8(1).AsBool()
	require.ErrorIs(t, err, ErrType)

	e, err := Enum(30).AsEnum()
	require.NoError(t, err)
	require.Equal(t, uint8(30), e)
	_, err = Uint8(30).AsEnum()
	require.ErrorIs(t, err, ErrType)

	raw, err := Octets([]byte{1}).AsBytes()
	require.NoError(t, err)
	require.Equal(t, []byte{1}, raw)
	_, err = Visible("x").AsBytes()
	require.ErrorIs(t, err, ErrType)
	for _, v := range []Value{Octets([]byte("x")), Visible("x"), UTF8("x")} {
		s, err := v.AsString()
		require.NoError(t, err)
		require.Equal(t, "x", s)
	}
	_, err = Null().AsString()
	require.ErrorIs(t, err, ErrType)

	bits := Bits([]byte{0xA0}, 4)
	raw, n, err := bits.AsBits()
	require.NoError(t, err)
	require.Equal(t, 4, n)
	require.Equal(t, []byte{0xA0}, raw)
	_, _, err = Null().AsBits()
	require.ErrorIs(t, err, ErrType)
	require.True(t, bits.Bit(0) && !bits.Bit(1) && bits.Bit(2) && !bits.Bit(4) && !bits.Bit(-1))
	require.Equal(t, Bits([]byte{0xFF}, 12), Value{Tag: TagBitString, Num: 12, Bytes: []byte{0xFF, 0}})

	items, err := Array(Null()).AsArray()
	require.NoError(t, err)
	require.Len(t, items, 1)
	_, err = Structure().AsArray()
	require.ErrorIs(t, err, ErrType)
	items, err = Structure(Null(), Null()).AsStructure(2)
	require.NoError(t, err)
	require.Len(t, items, 2)
	_, err = Structure(Null()).AsStructure(2)
	require.ErrorIs(t, err, ErrLength)
	_, err = Structure(Null()).AsStructure(-1)
	require.NoError(t, err)
	_, err = Null().AsStructure(0)
	require.ErrorIs(t, err, ErrType)

	for _, v := range []Value{DateTimeOctets(summer), DateTimeTagged(summer)} {
		got, err := v.AsDateTime()
		require.NoError(t, err)
		require.Equal(t, summer, got)
	}
	for _, v := range []Value{DateOctets(summer.Date), DateTagged(summer.Date)} {
		got, err := v.AsDate()
		require.NoError(t, err)
		require.Equal(t, summer.Date, got)
	}
	for _, v := range []Value{TimeOctets(summer.Time), TimeTagged(summer.Time)} {
		got, err := v.AsTime()
		require.NoError(t, err)
		require.Equal(t, summer.Time, got)
	}
	_, err = Octets([]byte{1}).AsDateTime()
	require.ErrorIs(t, err, ErrType)
	_, err = DateTagged(summer.Date).AsTime()
	require.ErrorIs(t, err, ErrType)
	_, err = TimeTagged(summer.Time).AsDate()
	require.ErrorIs(t, err, ErrType)

	tree := Array(Structure(Uint8(1), Uint8(2)))
	require.Equal(t, Uint8(2), tree.At(0, 1))
	require.Equal(t, DontCare(), tree.At(0, 2))
	require.Equal(t, DontCare(), tree.At(-1))
	require.True(t, Null().IsNull())
	require.True(t, Enum(1).IsInteger() && Int8(1).IsInteger() && !Float32(1).IsInteger())
}

func TestCloneSharesNothing(t *testing.T) {
	in := un(t, "02 02 09 02 0102 01 01 1105")
	v, _, err := Parse(in)
	require.NoError(t, err)
	clone := v.Clone()
	in[4] = 0xFF
	require.Equal(t, byte(0xFF), v.Items[0].Bytes[0])
	require.Equal(t, byte(1), clone.Items[0].Bytes[0])
	require.False(t, v.Equal(clone))
}

func TestAppendRefusesWhatCannotBe(t *testing.T) {
	deep := Null()
	for range 20 {
		deep = Array(deep)
	}
	for _, c := range []struct {
		value Value
		err   error
	}{
		{Value{Tag: 7}, ErrTag},
		{Array(Value{Tag: 99}), ErrTag},
		{Value{Tag: TagUint8, Num: 256}, ErrValue},
		{Value{Tag: TagInt8, Num: 128}, ErrValue},
		{Value{Tag: TagBool, Num: 2}, ErrValue},
		{Value{Tag: TagBitString, Num: 9, Bytes: []byte{1}}, ErrLength},
		{Value{Tag: TagDateTime, Bytes: []byte{1}}, ErrLength},
		{deep, ErrLimit},
		{CompactArrayOf(nil), ErrTruncated},
		{CompactArrayOf([]byte{byte(TagUint8), 0}), ErrLength},
		{CompactArrayOf([]byte{byte(TagUint8)}, Int8(1)), ErrType},
		{CompactArrayOf([]byte{byte(TagNull)}, Null()), ErrValue},
		{CompactArrayOf([]byte{1, 0, 2, 0x11}, Array(Uint8(1))), ErrLength},
		{CompactArrayOf([]byte{2, 1, 0x11}, Structure()), ErrLength},
		{CompactArrayOf([]byte{2, 1, 0x11}, Structure(Value{Tag: TagUint8, Num: 999})), ErrValue},
		{CompactArrayOf([]byte{1, 0, 1, 0x11}, Array(Null())), ErrType},
	} {
		b, err := c.value.AppendBinary([]byte{0xEE})
		require.ErrorIs(t, err, c.err, c.value)
		require.Equal(t, []byte{0xEE}, b)
	}
}
