//go:build interop

package cluster

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/clock"
	"smets1/internal/wire"
	"smets1/transport/capture"
	"smets1/transport/radio"
	"smets1/zigbee/internal/tsharktest"
	"smets1/zigbee/security"
)

// record writes the frames of a home to a capture.
func record(t *testing.T, frames []radio.Frame) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "home.pcapng")
	w, err := capture.Create(path, clock.NewStepped(start))
	require.NoError(t, err)
	r := w.NewRadio("home")
	for _, f := range frames {
		r.Frame(f.Start, f.PSDU, "")
	}
	require.NoError(t, w.Close())
	return path
}

func hexKeys(keys []security.Key) (all []string) {
	for _, k := range keys {
		all = append(all, hex.EncodeToString(k.Reveal()))
	}
	return all
}

// TShark, whose dissectors nobody here wrote, reads a home in which every command of every cluster is said, and finds
// nothing wrong; it does find a flipped bit, a broken FCS and a key that is missing.
func TestInteropTSharkReadsEverything(t *testing.T) {
	for _, suite := range []security.Suite{security.Suite1, security.Suite2} {
		t.Run(suite.String(), func(t *testing.T) {
			w := everything(t, suite)
			keys := hexKeys(w.keys)
			clean := func(frames []radio.Frame, keys []string) bool {
				t.Helper()
				ok, complaints := tsharktest.JudgeFile(t, record(t, frames), keys...)
				if !ok {
					first, _, _ := strings.Cut(complaints, "\n")
					t.Log(first)
				}
				return ok
			}
			if keep := os.Getenv("SMETS1_KEEP_CAPTURE"); keep != "" {
				b, err := os.ReadFile(record(t, w.frames))
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(keep, suite.String()+".pcapng"), b, 0o600))
			}
			require.True(t, clean(w.frames, keys))
			if suite == security.Suite2 {
				return // the controls once
			}
			altered := func(change func(b []byte)) []radio.Frame {
				frames := append([]radio.Frame(nil), w.frames...)
				for i := len(frames) - 1; i >= 0; i-- {
					if b := frames[i].PSDU; b[0]&7 == 1 && len(b) > 60 { // a data frame with something in it
						b = append([]byte(nil), b...)
						change(b)
						frames[i].PSDU = b
						return frames
					}
				}
				t.Fatal("no frame to alter")
				return nil
			}
			require.False(t, clean(altered(func(b []byte) { b[len(b)-3] ^= 1; refcs(b) }), keys), "one bit of a MIC")
			require.False(t, clean(altered(func(b []byte) { b[len(b)-1] ^= 1 }), keys), "a broken FCS")
			// The others travel in frames under these, so TShark learns them by itself.
			for i, what := range map[int]string{0: "network key", 1: "install code of the electricity meter", 4: "its link key"} {
				require.False(t, clean(w.frames, append(append([]string(nil), keys[:i]...), keys[i+1:]...)), "without the %s", what)
			}
		})
	}
}

// refcs puts the right FCS under an altered frame.
func refcs(b []byte) {
	n := len(b) - 2
	binary.LittleEndian.PutUint16(b[n:], wire.CRC16Kermit(b[:n]))
}
