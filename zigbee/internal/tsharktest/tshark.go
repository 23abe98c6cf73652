// Package tsharktest lets TShark judge frames: tests write what they built to a capture, and TShark, which nobody here
// wrote, must decode and decrypt all of it. Interop tests only; a machine without tshark fails them.
package tsharktest

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// linkType is IEEE 802.15.4 with FCS.
const linkType = 195

// Write writes PSDUs to a capture, one a millisecond.
func Write(t testing.TB, frames [][]byte) (path string) {
	t.Helper()
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xA1B2C3D4)
	b = le.AppendUint16(le.AppendUint16(b, 2), 4)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(le.AppendUint32(b, 65535), linkType)
	for i, f := range frames {
		b = le.AppendUint32(b, uint32(i/1000))
		b = le.AppendUint32(b, uint32(i%1000)*1000)
		b = le.AppendUint32(le.AppendUint32(b, uint32(len(f))), uint32(len(f)))
		b = append(b, f...)
	}
	path = filepath.Join(t.TempDir(), "frames.pcap")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

// script finds zigbee-clean.sh from the root of the module, above the folder of the test.
func script(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "testdata/interop/zigbee/zigbee-clean.sh")
		}
		up := filepath.Dir(dir)
		require.NotEqual(t, dir, up, "no go.mod above the test")
		dir = up
	}
}

// Judge runs zigbee-clean.sh on the frames with keys in hexadecimal: clean, or the numbers (from 1) of the frames that
// TShark could not decode or decrypt and what it says.
func Judge(t testing.TB, frames [][]byte, keys ...string) (clean bool, complaints string) {
	t.Helper()
	return JudgeFile(t, Write(t, frames), keys...)
}

// JudgeFile does the same with a capture.
func JudgeFile(t testing.TB, path string, keys ...string) (clean bool, complaints string) {
	t.Helper()
	_, err := exec.LookPath("tshark")
	require.NoError(t, err, "interop tests need tshark: apt-get install tshark")
	out, err := exec.Command("bash", append([]string{script(t), path}, keys...)...).CombinedOutput()
	if err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 1, exit.ExitCode(), "tshark itself failed: %s", out)
		return false, string(out)
	}
	require.Equal(t, "CLEAN", strings.TrimSpace(string(out)))
	return true, ""
}

// Info is TShark's summary of each frame.
func Info(t testing.TB, frames [][]byte, keys ...string) []string {
	t.Helper()
	return Fields(t, frames, keys, "_ws.col.Info")
}

// Fields is a field of each frame.
func Fields(t testing.TB, frames [][]byte, keys []string, field string) []string {
	t.Helper()
	args := []string{"-r", Write(t, frames), "-T", "fields", "-e", field}
	for _, k := range keys {
		var pairs []string
		for i := 0; i < len(k); i += 2 {
			pairs = append(pairs, k[i:i+2])
		}
		args = append(args, "-o", `uat:zigbee_pc_keys:"`+strings.Join(pairs, ":")+`","Normal","k"`)
	}
	out, err := exec.Command("tshark", args...).Output()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	require.Len(t, lines, len(frames))
	return lines
}
