package axdr

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// every writes one of each with the appenders.
func every(b []byte) []byte {
	b = AppendStructureHeader(b, 21)
	b = AppendNull(b)
	b = AppendBool(b, true)
	b = AppendInt8(b, -1)
	b = AppendInt16(b, -2)
	b = AppendInt32(b, -3)
	b = AppendInt64(b, -4)
	b = AppendUint8(b, 1)
	b = AppendUint16(b, 2)
	b = AppendUint32(b, 3)
	b = AppendUint64(b, 4)
	b = AppendEnum(b, 5)
	b = AppendFloat32(b, 1.5)
	b = AppendFloat64(b, 2.5)
	b = AppendOctetString(b, []byte{7})
	b = AppendVisibleString(b, "v")
	b = AppendUTF8(b, "u")
	b = AppendBitString(b, []byte{0xFF}, 3)
	b = AppendDateTime(b, summer)
	b = AppendDate(b, summer.Date)
	b = AppendTime(b, summer.Time)
	b = AppendArrayHeader(b, 2)
	b = AppendUint8(b, 8)
	return AppendUint8(b, 9)
}

func read(t testing.TB, b []byte) Reader {
	r := NewReader(b)
	ok := true
	want := func(v bool) { ok = ok && v }
	r.Structure(21)
	r.Null()
	want(r.Bool())
	want(r.Int8() == -1)
	want(r.Int16() == -2)
	want(r.Int32() == -3)
	want(r.Int64() == -4)
	want(r.Uint8() == 1)
	want(r.Uint16() == 2)
	want(r.Uint32() == 3)
	want(r.Uint64() == 4)
	want(r.Enum() == 5)
	want(r.Float32() == 1.5)
	want(r.Float64() == 2.5)
	want(string(r.OctetString()) == "\x07")
	want(string(r.VisibleString()) == "v")
	want(string(r.UTF8()) == "u")
	bits, n := r.BitString()
	want(n == 3 && len(bits) == 1 && bits[0] == 0xE0)
	want(r.DateTime() == summer)
	want(r.Date() == summer.Date)
	want(r.Time() == summer.Time)
	want(r.Array() == 2)
	want(string(r.Data()) == "\x11\x08")
	want(r.Integer() == 9)
	r.End("structure")
	if r.Err() == nil && !ok {
		t.Fatal("read something else than was written")
	}
	return r
}

func TestReader(t *testing.T) {
	b := every(nil)
	r := read(t, b)
	require.NoError(t, r.Err())
	require.Equal(t, len(b), r.Offset())
	for i := range b {
		r := read(t, b[:i:i])
		require.ErrorIs(t, r.Err(), ErrTruncated, "cut to %d", i)
	}
	v, err := ParseAll(b)
	require.NoError(t, err)
	require.Len(t, v.Items, 21)
}

func TestReaderBare(t *testing.T) {
	r := NewReader(un(t, "01 0203 04050607 08090A0B0C0D0E0F 01 02 AABB CC DDEE"))
	require.Equal(t, uint8(1), r.U8())
	require.Equal(t, uint16(0x0203), r.U16())
	require.Equal(t, uint32(0x04050607), r.U32())
	require.Equal(t, uint64(0x08090A0B0C0D0E0F), r.U64())
	require.True(t, r.Flag())
	start := r.Offset()
	require.Equal(t, []byte{0xAA, 0xBB}, r.LengthBytes())
	require.Equal(t, []byte{2, 0xAA, 0xBB}, r.Since(start))
	v, ok := r.Peek()
	require.True(t, ok)
	require.Equal(t, byte(0xCC), v)
	require.Equal(t, []byte{0xCC}, r.Bytes(1))
	require.Equal(t, 2, r.Len())
	require.Equal(t, []byte{0xDD, 0xEE}, r.Rest())
	require.NoError(t, r.Err())
	_, ok = r.Peek()
	require.False(t, ok)
}

func TestReaderErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		in   string
		read func(*Reader)
		err  error
	}{
		{"other type", "11 05", func(r *Reader) { r.Uint16() }, ErrType},
		{"negative count of bytes", "00", func(r *Reader) { r.Bytes(-1) }, ErrLength},
		{"structure of another size", "02 01 00", func(r *Reader) { r.Structure(2) }, ErrLength},
		{"structure not one", "01 01 00", func(r *Reader) { r.Structure(1) }, ErrType},
		{"structure longer than input", "02 02 00", func(r *Reader) { r.StructureAny() }, ErrTruncated},
		{"structure of any size, not one", "00", func(r *Reader) { r.StructureAny() }, ErrType},
		{"array longer than input", "01 02 00", func(r *Reader) { r.Array() }, ErrTruncated},
		{"array not one", "02 01 00", func(r *Reader) { r.Array() }, ErrType},
		{"count of large elements", "02 0000 00", func(r *Reader) { r.Count(2) }, ErrTruncated},
		{"bad length", "80", func(r *Reader) { r.Length() }, ErrLength},
		{"bad data", "07", func(r *Reader) { r.Data() }, ErrTag},
		{"date of another size", "09 01 00", func(r *Reader) { r.Date() }, ErrLength},
		{"time not one", "00", func(r *Reader) { r.Time() }, ErrType},
		{"number not one", "00", func(r *Reader) { r.Integer() }, ErrType},
		{"no number", "", func(r *Reader) { r.Integer() }, ErrTruncated},
		{"half a number", "12 00", func(r *Reader) { r.Integer() }, ErrTruncated},
		{"number too large", "15 FFFFFFFFFFFFFFFF", func(r *Reader) { r.Integer() }, ErrValue},
		{"bit string not one", "00", func(r *Reader) { r.BitString() }, ErrType},
		{"bytes left", "00", func(r *Reader) { r.End("x") }, ErrLength},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewReader(un(t, c.in))
			c.read(&r)
			require.ErrorIs(t, r.Err(), c.err)
			first := r.Err()
			// The first error stays and nothing is read any more.
			r.Fail("x", ErrTag)
			require.Zero(t, r.U8())
			require.Zero(t, r.Length())
			require.Nil(t, r.Data())
			require.Equal(t, first, r.Err())
		})
	}
	r := NewReader(un(t, "19 07EA0701031202050AFFC480 1A 07EA070103 1B 1202050A 02 01 00"))
	require.Equal(t, summer, r.DateTime())
	require.Equal(t, summer.Date, r.Date())
	require.Equal(t, summer.Time, r.Time())
	require.Equal(t, 1, r.StructureAny())
	r.Null()
	require.NoError(t, r.Err())
}

func TestOtherAppenders(t *testing.T) {
	b := AppendDontCare(nil)
	b = AppendBool(b, false)
	b = AppendBCD(b, 0x42)
	b = AppendDateTimeTagged(b, summer)
	b = AppendDateTagged(b, summer.Date)
	b = AppendTimeTagged(b, summer.Time)
	b = AppendDeltaInt8(b, -1)
	b = AppendDeltaInt16(b, -2)
	b = AppendDeltaInt32(b, -3)
	b = AppendDeltaUint8(b, 1)
	b = AppendDeltaUint16(b, 2)
	b = AppendDeltaUint32(b, 3)
	b = AppendBitString(b, nil, 9)
	for _, want := range []Value{
		DontCare(), Bool(false), BCD(0x42), DateTimeTagged(summer), DateTagged(summer.Date), TimeTagged(summer.Time),
		DeltaInt8(-1), DeltaInt16(-2), DeltaInt32(-3), DeltaUint8(1), DeltaUint16(2), DeltaUint32(3), Bits(nil, 9),
	} {
		v, n, err := Parse(b)
		require.NoError(t, err)
		require.Equal(t, want, v)
		b = b[n:]
	}
	require.Empty(t, b)
}

// sink keeps the compiler from dropping what is measured.
var sink int

func TestAllocations(t *testing.T) {
	out := make([]byte, 0, 512)
	in := every(nil)
	all := Structure()
	for _, r := range rows(t) {
		all.Items = append(all.Items, r.value)
	}
	mixed, err := all.AppendBinary(nil)
	require.NoError(t, err)
	for name, run := range map[string]func(){
		"append": func() { sink += len(every(out[:0])) },
		"read":   func() { r := read(t, in); sink += r.Offset() },
		"skip":   func() { n, _ := Skip(mixed); sink += n },
	} {
		require.Zero(t, testing.AllocsPerRun(100, run), name)
	}
}

func BenchmarkSkip(b *testing.B) {
	in := every(nil)
	b.ReportAllocs()
	for b.Loop() {
		n, _ := Skip(in)
		sink += n
	}
}
