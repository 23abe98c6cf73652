package wrapper

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func TestHeader(t *testing.T) {
	b := unhex(t, "000100100001001F")
	h, n, err := ParseHeader(append(bytes.Clone(b), 0x60))
	require.NoError(t, err)
	require.Equal(t, Size, n)
	require.Equal(t, Header{Version: 1, Source: 0x10, Destination: 1, Length: 0x1F}, h)
	out, err := h.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, b, out)
	require.Equal(t, Header{Version: 1, Source: 1, Destination: 0x10, Length: 43}, h.Reply(43))

	for i := range b {
		_, n, err := ParseHeader(b[:i])
		require.ErrorIs(t, err, ErrTruncated)
		require.Zero(t, n)
	}
	_, _, err = ParseHeader(unhex(t, "000200100001001F"))
	require.ErrorIs(t, err, ErrVersion)
	_, err = Append(nil, 1, 2, make([]byte, MaxLength+1))
	require.ErrorContains(t, err, "block transfer")
}

type transcript struct {
	Frames []struct{ Dir, Hex string }
}

func readTranscript(t testing.TB, name string) transcript {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	var tr transcript
	require.NoError(t, json.Unmarshal(raw, &tr))
	require.NotEmpty(t, tr.Frames)
	return tr
}

// Whole dialogues between independent programs, cut from one stream whatever the sizes of the reads.
func TestDecoderTranscripts(t *testing.T) {
	names, err := filepath.Glob("testdata/wrap_*.json")
	require.NoError(t, err)
	require.Len(t, names, 4)
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			tr := readTranscript(t, filepath.Base(name))
			var stream []byte
			for _, f := range tr.Frames {
				stream = append(stream, unhex(t, f.Hex)...)
			}
			for _, step := range []int{1, 7, 256, len(stream)} {
				var d Decoder
				var got [][]byte
				for rest := stream; len(rest) > 0; {
					n := min(step, len(rest))
					_, _ = d.Write(rest[:n])
					rest = rest[n:]
					for {
						h, apdu, ok := d.Next()
						if !ok {
							break
						}
						unit, err := Append(nil, h.Source, h.Destination, apdu)
						require.NoError(t, err)
						got = append(got, unit)
					}
				}
				require.Len(t, got, len(tr.Frames))
				for i, f := range tr.Frames {
					require.Equal(t, unhex(t, f.Hex), got[i])
				}
				require.Zero(t, d.Pending())
				require.Zero(t, d.Garbage())
			}
		})
	}
}

func TestDecoderResync(t *testing.T) {
	unit := unhex(t, "0001001000010003C001C1")
	var d Decoder
	_, _ = d.Write(append([]byte("GET / HTTP/1.1\r\n"), unit...))
	h, apdu, ok := d.Next()
	require.True(t, ok)
	require.EqualValues(t, 0x10, h.Source)
	require.Equal(t, unhex(t, "C001C1"), apdu)
	require.EqualValues(t, 16, d.Garbage())

	// A false header announces more than will come: the owner sees it stand still and gives up on it.
	_, _ = d.Write(append(unhex(t, "00010101010101FF"), unit...))
	_, _, ok = d.Next()
	require.False(t, ok)
	d.GiveUp()
	_, apdu, ok = d.Next()
	require.True(t, ok)
	require.Equal(t, unhex(t, "C001C1"), apdu)

	d.GiveUp() // nothing pending: nothing happens
	require.EqualValues(t, 24, d.Garbage())
}

func TestDecoderDoesNotAllocate(t *testing.T) {
	unit, err := Append(nil, 0x10, 1, make([]byte, 500))
	require.NoError(t, err)
	var d Decoder
	run := func() {
		_, _ = d.Write(unit[:100])
		_, _ = d.Write(unit[100:])
		_, _, ok := d.Next()
		if !ok {
			t.Fatal("no unit")
		}
	}
	run()
	require.Zero(t, testing.AllocsPerRun(100, run))
}

func FuzzDecoder(f *testing.F) {
	for _, name := range []string{"wrap_none.json", "wrap_low.json"} {
		for _, fr := range readTranscript(f, name).Frames {
			f.Add(unhex(f, fr.Hex), 3)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		if step < 1 {
			step = 1
		}
		var d Decoder
		total := 0
		for rest := b; len(rest) > 0; {
			n := min(step, len(rest))
			_, _ = d.Write(rest[:n])
			rest = rest[n:]
			for {
				h, apdu, ok := d.Next()
				if !ok {
					break
				}
				require.Len(t, apdu, int(h.Length))
				total += Size + len(apdu)
			}
		}
		require.Equal(t, len(b), total+d.Pending()+int(d.Garbage()))
	})
}

func TestDecoderAllocs(t *testing.T) {
	b, err := Append(nil, 16, 1, make([]byte, 40))
	require.NoError(t, err)
	var d Decoder
	_, _ = d.Write(b)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for _, _, ok := d.Next(); ok; _, _, ok = d.Next() {
		}
		_, _ = d.Write(b[:5])
		_, _, _ = d.Next()
		_, _ = d.Write(b[5:])
	}))
}
