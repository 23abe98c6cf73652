package acse

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func un(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

type appender interface {
	AppendBinary(b []byte) ([]byte, error)
}

// parse reads whichever APDU it is.
func parse(b []byte) (appender, int, error) {
	if len(b) == 0 {
		return nil, 0, ErrTruncated
	}
	switch b[0] {
	case TagAARQ:
		p, n, err := ParseAARQ(b)
		return p, n, err
	case TagAARE:
		p, n, err := ParseAARE(b)
		return p, n, err
	case TagRLRQ:
		p, n, err := ParseRLRQ(b)
		return p, n, err
	case TagRLRE:
		p, n, err := ParseRLRE(b)
		return p, n, err
	}
	return nil, 0, ErrTag
}

// truncate reads b cut at every byte, which must be an error each time.
func truncate(t *testing.T, b []byte) {
	t.Helper()
	for i := range b {
		_, n, err := parse(b[:i:i])
		require.ErrorIs(t, err, ErrTruncated, "cut to %d of %d bytes: %X", i, len(b), b[:i])
		require.Zero(t, n)
	}
}

// check writes p, reads it back among other bytes and cuts it everywhere.
func check(t *testing.T, p appender, text string) {
	t.Helper()
	want := un(t, text)
	got, err := p.AppendBinary([]byte{0xEE})
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("EE%X", want), fmt.Sprintf("%X", got))
	back, n, err := parse(append(want[:len(want):len(want)], 0x80, 0x01))
	require.NoError(t, err)
	require.Equal(t, len(want), n)
	require.Equal(t, p, back)
	truncate(t, want)
}

func vectors(t testing.TB) [][]byte {
	text, err := os.ReadFile(filepath.Join("testdata", "acse_vectors.json"))
	require.NoError(t, err)
	var list []struct{ Source, Hex string }
	require.NoError(t, json.Unmarshal(text, &list))
	require.Len(t, list, 19)
	out := make([][]byte, len(list))
	for i, v := range list {
		out[i] = un(t, v.Hex)
	}
	return out
}

// TestVectors reads and writes the APDUs of dialogues between real
// implementations. The RLRE of theirs that are too short come out right.
func TestVectors(t *testing.T) {
	wrong := 0
	for _, b := range vectors(t) {
		p, n, err := parse(b)
		require.NoError(t, err, "%X", b)
		require.Equal(t, len(b), n, "%X", b)
		again, err := p.AppendBinary(nil)
		require.NoError(t, err)
		require.Len(t, again, len(b))
		if b[0] == TagRLRE && b[1] != again[1] {
			wrong++
			require.Equal(t, b[7:], again[7:])
		} else {
			require.Equal(t, b, again)
		}
		truncate(t, b)
	}
	require.Equal(t, 2, wrong)
}
