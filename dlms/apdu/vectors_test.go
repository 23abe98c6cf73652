package apdu

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestVectors reads and writes APDUs that independent implementations accepted.
func TestVectors(t *testing.T) {
	for _, b := range vectors(t) {
		p, n, err := Parse(b)
		require.NoError(t, err, "%X", b)
		require.Equal(t, len(b), n, "%X", b)
		again, err := p.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b, again)
		truncate(t, b)
	}
}

// TestTranscripts reads and writes the APDUs of whole dialogues between real
// implementations.
func TestTranscripts(t *testing.T) {
	total := 0
	for _, b := range transcripts(t) {
		if b[0] >= 0x60 && b[0] <= 0x63 {
			continue // dlms/acse reads these
		}
		p, n, err := Parse(b)
		require.NoError(t, err, "%X", b)
		require.Equal(t, len(b), n, "%X", b)
		again, err := p.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b, again)
		total++
	}
	require.Greater(t, total, 300)
}

// TestCipheredVectors reads and writes the ciphered APDUs of the security vectors.
func TestCipheredVectors(t *testing.T) {
	var list []map[string]any
	readJSON(t, filepath.Join("testdata", "security_vectors.json"), &list)
	total := 0
	for _, v := range list {
		for _, key := range []string{
			"apdu", "action_plain", "action_ciphered", "response_plain", "response_ciphered", "next_get_plain",
			"next_get_ciphered_with_new_key", "pass3", "pass4", "plaintext",
		} {
			text, _ := v[key].(string)
			if text == "" || text[0] == '6' {
				continue
			}
			b := un(t, text)
			p, n, err := Parse(b)
			require.NoError(t, err, text)
			require.Equal(t, len(b), n, text)
			again, err := p.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, b, again)
			total++
		}
	}
	require.Greater(t, total, 12)
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, into))
}

// vectors gives the APDUs of apdu_vectors.json.
func vectors(t testing.TB) [][]byte {
	var list []struct{ Hex string }
	readJSON(t, filepath.Join("testdata", "apdu_vectors.json"), &list)
	require.Len(t, list, 46)
	out := make([][]byte, len(list))
	for i, v := range list {
		out[i] = un(t, v.Hex)
	}
	return out
}

// frame is one line of a transcript: a link frame, or a request and response
// of the image transfer.
type frame struct {
	Dir, Hex, Plaintext, Request, Response string
}

// transcripts gives the APDUs of all dialogues: of wrapper frames, of HDLC
// frames that hold a whole APDU or begin with one in segments, and the
// plaintexts of ciphered ones.
func transcripts(t testing.TB) [][]byte {
	paths, err := filepath.Glob(filepath.Join("testdata", "transcripts", "*.json"))
	require.NoError(t, err)
	require.Len(t, paths, 7)
	var out [][]byte
	add := func(text string) {
		if text != "" {
			out = append(out, un(t, text))
		}
	}
	for _, path := range paths {
		frames := readFrames(t, path)
		var segments []byte
		for _, f := range frames {
			add(f.Plaintext)
			add(f.Request)
			add(f.Response)
			if f.Hex == "" {
				continue
			}
			b := un(t, f.Hex)
			if b[0] != 0x7E {
				out = append(out, b[8:])
				continue
			}
			info, more := hdlcInfo(b)
			segments = append(segments, info...)
			if len(info) > 0 && !more {
				out = append(out, segments[3:]) // after the LLC header
				segments = nil
			}
		}
	}
	return out
}

func readFrames(t testing.TB, path string) []frame {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var dialogue struct{ Frames []frame }
	if json.Unmarshal(text, &dialogue) == nil {
		return dialogue.Frames
	}
	var list []frame
	require.NoError(t, json.Unmarshal(text, &list))
	return list
}

// hdlcInfo gives the information field of an I frame with one-byte addresses,
// and whether more segments follow.
func hdlcInfo(b []byte) (info []byte, more bool) {
	const header = 1 + 2 + 1 + 1 + 1 + 2 // flag, format, addresses, control, HCS
	if len(b) <= header+3 || b[5]&1 != 0 {
		return nil, false
	}
	return b[header : len(b)-3], b[1]&0x08 != 0
}

// TestHDLCInfo holds the little reader above against a known frame.
func TestHDLCInfo(t *testing.T) {
	b := un(t, "7EA0190321326FD8E6E600C001C1000F0000280000FF020091537E")
	info, more := hdlcInfo(b)
	require.False(t, more)
	require.Equal(t, "e6e600c001c1000f0000280000ff0200", hex.EncodeToString(info))
}
