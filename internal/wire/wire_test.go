package wire

import (
	"encoding/json"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReaderSticks(t *testing.T) {
	r := NewReader([]byte{1, 2, 3, 4, 5})
	require.EqualValues(t, 1, r.U8())
	require.EqualValues(t, 0x0203, r.U16())
	require.Zero(t, r.U32())
	require.ErrorIs(t, r.Err(), io.ErrUnexpectedEOF)
	require.ErrorContains(t, r.Err(), "at byte 3: want 4 more, have 2")
	require.Zero(t, r.U8(), "a failed reader gives zeros although a byte is there")
	require.Equal(t, 3, r.Offset())
}

func TestReaderNumbers(t *testing.T) {
	b := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	for name, c := range map[string]struct {
		f    func(*Reader) uint64
		want uint64
		n    int
	}{
		"U8":   {func(r *Reader) uint64 { return uint64(r.U8()) }, 1, 1},
		"U16":  {func(r *Reader) uint64 { return uint64(r.U16()) }, 0x0102, 2},
		"U24":  {func(r *Reader) uint64 { return uint64(r.U24()) }, 0x010203, 3},
		"U32":  {func(r *Reader) uint64 { return uint64(r.U32()) }, 0x01020304, 4},
		"U64":  {func(r *Reader) uint64 { return r.U64() }, 0x0102030405060708, 8},
		"LE16": {func(r *Reader) uint64 { return uint64(r.LE16()) }, 0x0201, 2},
		"LE24": {func(r *Reader) uint64 { return uint64(r.LE24()) }, 0x030201, 3},
		"LE32": {func(r *Reader) uint64 { return uint64(r.LE32()) }, 0x04030201, 4},
		"LE48": {func(r *Reader) uint64 { return r.LE48() }, 0x060504030201, 6},
		"LE64": {func(r *Reader) uint64 { return r.LE64() }, 0x0807060504030201, 8},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(b)
			require.Equal(t, c.want, c.f(&r))
			require.NoError(t, r.Err())
			require.Equal(t, c.n, r.Offset())
			for i := range c.n {
				r := NewReader(b[:i])
				require.Zero(t, c.f(&r))
				require.ErrorIs(t, r.Err(), ErrTruncated)
			}
		})
	}
}

func TestReaderDone(t *testing.T) {
	r := NewReader([]byte{1, 2})
	r.U8()
	require.ErrorIs(t, r.Done(), ErrTrailing)
	require.Equal(t, []byte{2}, r.Rest())
	require.NoError(t, r.Done())
	require.Nil(t, r.Bytes(-1))
	require.Error(t, r.Done())
}

// The check values are those of the catalogue of CRC algorithms for "123456789".
func TestCRC(t *testing.T) {
	check := []byte("123456789")
	require.EqualValues(t, 0x906E, CRC16X25(check))
	require.EqualValues(t, 0x2189, CRC16Kermit(check))
}

func TestEUI64(t *testing.T) {
	e, err := ParseEUI64("00-db-12-34-56-78-90-a0")
	require.NoError(t, err)
	require.Equal(t, EUI64{0x00, 0xDB, 0x12, 0x34, 0x56, 0x78, 0x90, 0xA0}, e)
	require.Equal(t, "00-DB-12-34-56-78-90-A0", e.String())
	j, err := json.Marshal(map[EUI64]EUI64{e: e})
	require.NoError(t, err)
	require.JSONEq(t, `{"00-DB-12-34-56-78-90-A0":"00-DB-12-34-56-78-90-A0"}`, string(j))
	for _, bad := range []string{"", "00DB1234567890A0", "00-DB-12-34-56-78-90", "00-DB-12-34-56-78-90-A0-", "00:DB:12:34:56:78:90:A0", "00-DB-12-34-56-78-90-G0", "0--DB-12-34-56-78-90-A0", "-0-DB-12-34-56-78-90-A0"} {
		_, err := ParseEUI64(bad)
		require.ErrorContains(t, err, "is not an EUI-64", bad)
	}
}
