//go:build interop

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// signOnScript does the sign-on with pyserial, which nobody here wrote, step by step as a meter reader does.
const signOnScript = `
import sys, time, serial
s = serial.Serial(sys.argv[1], 300, bytesize=7, parity="E", stopbits=1, timeout=5)
s.write(b"/?!\r\n")
ident = s.read_until(b"\r\n")
assert ident.startswith(b"/SMe5\\2"), ident
s.write(b"\x062" + ident[4:5] + b"2\r\n")
assert s.read(6) == b"\x06252\r\n"
time.sleep(0.3)
s.close()  # a pty refuses to have its format changed piecemeal
time.sleep(0.3)
print("signed on", ident)
`

// TestInteropSignOnPTY: pyserial signs on to a virtual hub through a pty that garbles until the speeds agree, and the Gurux
// client then reads the hub over HDLC on the same pty. Without the sign-on it gets no answer.
func TestInteropSignOnPTY(t *testing.T) {
	python := os.Getenv("SMETS1_INTEROP_PYTHON")
	require.NotEmpty(t, python, "run tools/interop.sh, which sets SMETS1_INTEROP_PYTHON")
	port, cable := opticalHub(t, lineHome(t))
	gurux := func() (string, error) {
		plan, err := json.Marshal(map[string]any{
			"target": "serial://" + port + "?baud=9600", "framing": "hdlc", "client": 16, "server": 1, "timeout": 3,
			"steps": []any{map[string]any{"do": "read", "class": 1, "obis": "0.0.42.0.0.255", "attribute": 2}},
		})
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), python, "../../testdata/interop/dlms/gurux_client.py", "-")
		cmd.Stdin = bytes.NewReader(plan)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := gurux()
	require.Error(t, err, out)
	signed, err := exec.CommandContext(t.Context(), python, "-c", signOnScript, port).CombinedOutput()
	require.NoError(t, err, string(signed))
	require.Equal(t, 9600, cable.Mode().Baud)
	out, err = gurux()
	require.NoError(t, err, out)
	require.Contains(t, out, `"ok": true`)
}
