package explain_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/explain"
	"smets1/dlms/security"
)

var update = flag.Bool("update", false, "write testdata/golden anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func load(t testing.TB, name string, to any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, to))
}

func key(t testing.TB, s string) security.Key {
	t.Helper()
	k, err := security.ParseKey(s)
	require.NoError(t, err)
	return k
}

func title(t testing.TB, s string) security.SystemTitle {
	t.Helper()
	v, err := security.ParseSystemTitle(s)
	require.NoError(t, err)
	return v
}

// covered holds that the fields of each layer are its bytes, each once.
func covered(t testing.TB, e *explain.Explanation) {
	t.Helper()
	at := make([]int, len(e.Layers))
	for _, f := range e.Fields {
		if f.Offset != at[f.Layer] || len(f.Bytes) == 0 {
			t.Fatalf("layer %d: field %q begins at %d, the one before ended at %d\n%s", f.Layer, f.Name, f.Offset, at[f.Layer], e)
		}
		at[f.Layer] += len(f.Bytes)
	}
	for i, l := range e.Layers {
		if at[i] != len(l.Bytes) {
			t.Fatalf("layer %d: %d of %d bytes have a field\n%s", i, at[i], len(l.Bytes), e)
		}
	}
	for _, p := range e.Problems {
		if p.Offset < 0 || p.Offset > len(e.Layers[p.Layer].Bytes) {
			t.Fatalf("problem outside its layer: %+v", p)
		}
	}
}

type vector struct {
	Name string `json:"name"`
	Hex  string `json:"hex"`
}

func TestAPDUVectors(t *testing.T) {
	var vectors []vector
	load(t, "apdu_vectors.json", &vectors)
	require.NotEmpty(t, vectors)
	var s strings.Builder
	for _, v := range vectors {
		e := explain.New(explain.Options{Form: explain.APDU}).Explain(unhex(t, v.Hex))
		covered(t, e)
		if v.Name == "gbt" {
			require.ErrorContains(t, e.Err(), "AA is not the tag of an APDU") // the vector carries no APDU
		} else {
			require.NoError(t, e.Err(), v.Name)
		}
		fmt.Fprintf(&s, "# %s\n%s\n", v.Name, e)
	}
	golden(t, "apdu_vectors", s.String())
}

func TestHDLCVectors(t *testing.T) {
	var file struct{ Frames []vector }
	load(t, "hdlc_vectors.json", &file)
	require.NotEmpty(t, file.Frames)
	var s strings.Builder
	x := explain.New(explain.Options{})
	for _, v := range file.Frames {
		e := x.Explain(unhex(t, v.Hex))
		covered(t, e)
		require.Equal(t, explain.HDLC, e.Form)
		fmt.Fprintf(&s, "# %s\n%s\n", v.Name, e)
	}
	golden(t, "hdlc_vectors", s.String())
}

type securityVector struct {
	Name, EK, AK, APDU, Plaintext string
	SystemTitle                   string `json:"system_title"`
}

func TestSecurityVectors(t *testing.T) {
	var vectors []securityVector
	load(t, "security_vectors.json", &vectors)
	var s strings.Builder
	n := 0
	for _, v := range vectors {
		if v.APDU == "" {
			continue
		}
		n++
		x := explain.New(explain.Options{
			Keys:        security.KeySet{GUEK: key(t, v.EK), GAK: key(t, v.AK)},
			ClientTitle: title(t, v.SystemTitle), ServerTitle: title(t, v.SystemTitle),
		})
		e := x.Explain(unhex(t, v.APDU))
		covered(t, e)
		require.NoError(t, e.Err(), v.Name)
		if v.Plaintext != "" && v.APDU[4:6] != "10" {
			require.Equal(t, unhex(t, v.Plaintext), e.Layers[len(e.Layers)-1].Bytes, v.Name)
		}
		fmt.Fprintf(&s, "# %s\n%s\n", v.Name, e)
	}
	require.Equal(t, 6, n)
	golden(t, "security_vectors", s.String())
}

type transcript struct {
	Keys *struct {
		EK, AK      string
		ClientTitle string `json:"client_system_title"`
	}
	Frames []frame
}

type frame struct{ Dir, Hex, Plaintext string }

// TestTranscripts explains seven whole dialogues. The Gurux servers among them
// count wrong in their RLRE, which is all that may be found fault with.
func TestTranscripts(t *testing.T) {
	names, err := filepath.Glob("testdata/transcripts/*.json")
	require.NoError(t, err)
	require.Len(t, names, 7)
	for _, path := range names {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		t.Run(name, func(t *testing.T) {
			var d transcript
			if name == "image_transfer_gurux_java" {
				var steps []struct{ Request, Response string }
				load(t, "transcripts/"+name+".json", &steps)
				for _, v := range steps {
					d.Frames = append(d.Frames, frame{Dir: "client", Hex: v.Request}, frame{Dir: "server", Hex: v.Response})
				}
			} else {
				load(t, "transcripts/"+name+".json", &d)
			}
			var o explain.Options
			if d.Keys != nil {
				o.Keys = security.KeySet{GUEK: key(t, d.Keys.EK), GAK: key(t, d.Keys.AK)}
			}
			x := explain.New(o)
			var s strings.Builder
			for _, f := range d.Frames {
				e := x.Explain(unhex(t, f.Hex))
				covered(t, e)
				for _, p := range e.Problems {
					require.Contains(t, p.Text, "a known fault of some servers", "%s\n%s", f.Hex, e)
				}
				if f.Plaintext != "" {
					require.Contains(t, layers(e), strings.ToUpper(f.Plaintext))
				}
				fmt.Fprintf(&s, "# %s\n%s\n", f.Dir, e)
			}
			golden(t, name, s.String())
		})
	}
}

func layers(e *explain.Explanation) []string {
	var out []string
	for _, l := range e.Layers {
		out = append(out, strings.ToUpper(hex.EncodeToString(l.Bytes)))
	}
	return out
}

// seeds are all messages of the vectors.
func seeds(t testing.TB) [][]byte {
	var out [][]byte
	var vectors []vector
	load(t, "apdu_vectors.json", &vectors)
	var file struct{ Frames []vector }
	load(t, "hdlc_vectors.json", &file)
	var secured []securityVector
	load(t, "security_vectors.json", &secured)
	for _, v := range append(vectors, file.Frames...) {
		out = append(out, unhex(t, v.Hex))
	}
	for _, v := range secured {
		if v.APDU != "" {
			out = append(out, unhex(t, v.APDU))
		}
	}
	var d transcript
	load(t, "transcripts/wrap_ciph.json", &d)
	for _, f := range d.Frames {
		out = append(out, unhex(t, f.Hex))
	}
	return append(out,
		unhex(t, "E601 08 00DB1234567890A0 C001C100030100010800FF0200"),
		unhex(t, "C402 30 30 30303030 30 30"), // fuzzing: these were let pass
		unhex(t, "C402 30 30 30303030 01 00"),
		unhex(t, "C201 00 0003 0100010800FF 02 00"),
		unhex(t, "DD 08 0000000000000001 08 4D4D4D0000BC614E 08 4D4D4D0000000001 00 00 01 00 00 11 30 00000001 000102030405060708090A0B"),
	)
}

func TestTruncated(t *testing.T) {
	for _, b := range seeds(t) {
		for n := range b {
			e := explain.New(explain.Options{Form: explain.Guess(b)}).Explain(b[:n])
			covered(t, e)
			if n == 0 && e.Form != explain.APDU || string(b[:n]) == "\xD8\x01\x06" {
				continue // a stream may be empty, and older servers leave the counter out
			}
			require.Error(t, e.Err(), "% X", b[:n])
		}
	}
}

// agrees holds that what this package finds no fault with parses, and the other way round.
func agrees(t testing.TB, b []byte, e *explain.Explanation) {
	if e.Form != explain.APDU || len(b) == 0 || len(e.Layers) > 1 {
		return
	}
	k, ok := apdu.KindOf(b)
	if !ok || k.Tag().IsCiphered() || apdu.IsGateway(b) || k.Tag() == apdu.TagGeneralBlockTransfer {
		return
	}
	_, n, err := apdu.Parse(b)
	if good := err == nil && n == len(b); good != (e.Err() == nil) {
		t.Fatalf("% X: apdu.Parse %v after %d of %d bytes, explain %v\n%s", b, err, n, len(b), e.Err(), e)
	}
}

func TestAgrees(t *testing.T) {
	for _, b := range seeds(t) {
		for n := range len(b) + 1 {
			agrees(t, b[:n], explain.New(explain.Options{Form: explain.APDU}).Explain(b[:n]))
		}
	}
}

func FuzzExplain(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	keys := security.KeySet{GUEK: key(f, "000102030405060708090A0B0C0D0E0F"), GAK: key(f, "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")}
	f.Fuzz(func(t *testing.T, b []byte) {
		x := explain.New(explain.Options{Keys: keys, ClientTitle: security.SystemTitle{1}, ServerTitle: security.SystemTitle{2}})
		e := x.Explain(b)
		covered(t, e)
		agrees(t, b, e)
		if e.Form == explain.Data {
			if _, err := axdr.ParseAll(b); (err == nil) != (e.Err() == nil) {
				t.Fatalf("% X: axdr %v, explain %v", b, err, e.Err())
			}
		}
		_ = e.String()
		// A second message meets what the first one left behind.
		covered(t, x.Explain(b))
	})
}
