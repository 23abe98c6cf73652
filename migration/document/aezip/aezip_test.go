package aezip

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	password = []byte("Secret123")
	when     = time.Date(2019, 4, 7, 18, 25, 3, 0, time.UTC)
)

func newRand() io.Reader { return rand.NewChaCha8([32]byte{1}) }

func sealed(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Write(&b, "a.csv", content, password, when, newRand()))
	return b.Bytes()
}

func read(b []byte, pw []byte, l Limits) (string, []byte, error) {
	return Read(bytes.NewReader(b), int64(len(b)), pw, l)
}

func TestRoundTrip(t *testing.T) {
	for _, content := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("0123456789abcdef"), 1000)} {
		name, got, err := read(sealed(t, content), password, Limits{})
		require.NoError(t, err)
		require.Equal(t, "a.csv", name)
		require.Equal(t, string(content), string(got))
	}
}

// TestHeader holds the local header and the first octets of the data against their definition. That 7-Zip
// opens such a container is shown by the interop test of package document.
func TestHeader(t *testing.T) {
	b := sealed(t, []byte("a,b\n12"))
	require.Equal(t, "504b0304"+"3300"+"0108"+"6300"+ // signature, version, flags encrypted and UTF-8, method 99
		"2193"+"874e"+"00000000", // 18:25:02, 2019-04-07, no CRC
		hex.EncodeToString(b[:18]))
	require.Equal(t, uint32(6), binary.LittleEndian.Uint32(b[22:]))
	require.Equal(t, "0500"+"0b00"+"612e637376"+"0199"+"0700"+"0200"+"4145"+"03"+"0800", hex.EncodeToString(b[26:46]))
	salt := make([]byte, saltLen)
	_, err := io.ReadFull(newRand(), salt)
	require.NoError(t, err)
	require.Equal(t, salt, b[46:62])
	keys, err := derive(password, salt)
	require.NoError(t, err)
	require.Equal(t, keys[2*keyLen:], b[62:64])
}

func TestTruncatedAtEveryByte(t *testing.T) {
	b := sealed(t, []byte("RecordNo,Fuel\n1,E\n"))
	for i := range b {
		_, _, err := read(b[:i], password, Limits{})
		require.ErrorIs(t, err, ErrFormat, "cut at %d", i)
	}
}

// TestEveryChangedByte flips a bit of every octet of the data: nothing but the very content, or an error.
func TestEveryChangedByte(t *testing.T) {
	content := []byte("RecordNo,Fuel\n1,E\n")
	b := sealed(t, content)
	zr, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	start, err := zr.File[0].DataOffset()
	require.NoError(t, err)
	end := start + int64(zr.File[0].CompressedSize64)
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 0x10
		_, got, err := read(c, password, Limits{})
		switch {
		case int64(i) >= start && int64(i) < start+18:
			require.ErrorIs(t, err, ErrPassword)
		case int64(i) >= start+18 && int64(i) < end:
			require.ErrorIs(t, err, ErrChanged)
		case err == nil:
			require.Equal(t, content, got, "octet %d", i)
		}
	}
}

func TestWrongPassword(t *testing.T) {
	b := sealed(t, []byte("x"))
	for _, pw := range []string{"", "secret123", "Secret1234"} {
		_, _, err := read(b, []byte(pw), Limits{})
		require.ErrorIs(t, err, ErrPassword)
	}
}

// bomb makes an archive whose entry inflates to n megabytes of zero and declares as much as it is told. It is
// put together from one deflated megabyte, again and again, so that making it costs nothing.
func bomb(t testing.TB, n int, declared uint64) []byte {
	t.Helper()
	var once bytes.Buffer
	fw, err := flate.NewWriter(&once, flate.BestCompression)
	require.NoError(t, err)
	_, err = fw.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	require.NoError(t, fw.Flush())
	block := bytes.Clone(once.Bytes())
	once.Reset()
	require.NoError(t, fw.Close())
	var out bytes.Buffer
	require.NoError(t, WriteDeflated(&out, "a.csv", append(bytes.Repeat(block, n), once.Bytes()...), declared, password, when, newRand()))
	return out.Bytes()
}

// TestBomb refuses 200 MB in 200 kB, whether it admits its size or not, in bounded memory.
func TestBomb(t *testing.T) {
	const size = 200
	for name, b := range map[string][]byte{"honest": bomb(t, size, size<<20), "lying": bomb(t, size, 1000)} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, _, err := read(b, password, Limits{})
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, ErrTooLarge, name)
		// io.ReadAll doubles its buffer up to the 16 MiB limit, so everything it ever allocated stays
		// well below the bomb.
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(120<<20), name)
	}
	_, _, err := read(bomb(t, 1, 999), password, Limits{})
	require.ErrorIs(t, err, ErrFormat, "found and declared size differ")
	_, _, err = Read(bytes.NewReader(nil), 1<<40, password, Limits{})
	require.ErrorIs(t, err, ErrTooLarge, "an archive is not even looked at beyond its limit")
	b := sealed(t, bytes.Repeat([]byte{1}, 100))
	_, _, err = read(b, password, Limits{MaxContent: 99})
	require.ErrorIs(t, err, ErrTooLarge)
	_, _, err = read(b, password, Limits{MaxContent: 100})
	require.NoError(t, err)
}

func TestWriteRefuses(t *testing.T) {
	require.Error(t, Write(io.Discard, "a.csv", nil, nil, when, newRand()), "no password")
	require.Error(t, Write(io.Discard, "a/b.csv", nil, password, when, newRand()))
	require.Error(t, Write(io.Discard, "", nil, password, when, newRand()))
	require.Error(t, Write(io.Discard, "a.csv", nil, password, when, bytes.NewReader(nil)))
}

func TestEntryMustBeAPlainName(t *testing.T) {
	b := sealed(t, []byte("x"))
	for _, name := range []string{`..\.c`, "../.c", "a/b.c"} {
		_, _, err := read(bytes.ReplaceAll(b, []byte("a.csv"), []byte(name)), password, Limits{})
		require.ErrorIs(t, err, ErrFormat)
	}
}

func TestDOSTime(t *testing.T) {
	zr, err := zip.NewReader(bytes.NewReader(sealed(t, nil)), int64(len(sealed(t, nil))))
	require.NoError(t, err)
	require.Equal(t, when.Truncate(2*time.Second), zr.File[0].Modified.UTC())
	d, c := dosTime(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC))
	require.Equal(t, [2]uint16{33, 0}, [2]uint16{d, c})
}

func FuzzRead(f *testing.F) {
	f.Add(sealed(f, []byte("RecordNo,Fuel\n1,E\n")))
	f.Add(bomb(f, 1, 10))
	f.Fuzz(func(t *testing.T, b []byte) {
		name, content, err := read(b, password, Limits{MaxArchive: 1 << 20, MaxContent: 1 << 16})
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(content), 1<<16)
		require.NotContains(t, name, "/")
		var out bytes.Buffer
		if Write(&out, name, content, password, when, newRand()) != nil {
			return // the empty name
		}
		again, back, err := read(out.Bytes(), password, Limits{})
		require.NoError(t, err)
		require.Equal(t, name, again)
		require.Equal(t, content, back)
	})
}
