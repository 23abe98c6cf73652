//go:build interop

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/device/fleet"
	"smets1/dlms/optical"
	"smets1/dlms/optical/signon"
	"smets1/gateway/session"
	"smets1/transport/fault"
	"smets1/transport/serial"
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

// gurux-dlms over gurux-serial reads a virtual hub and the meter behind it through a pty, as it would over a cable.
func TestInteropGuruxSerial(t *testing.T) {
	python := os.Getenv("SMETS1_INTEROP_PYTHON")
	require.NotEmpty(t, python, "run tools/interop.sh, which sets SMETS1_INTEROP_PYTHON")
	m, err := fleet.ParseManifest("gurux.yaml", []byte(scriptFleet))
	require.NoError(t, err)
	dir := t.TempDir()
	f, err := fleet.Open(t.Context(), m, fleet.Options{PTYDir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	var meter string
	for e := range f.Inventory() {
		if e.Name == "line" {
			meter = strings.ReplaceAll(e.Devices[1].EUI.String(), "-", "")
		}
	}
	for what, gateway := range map[string]any{"hub": nil, "meter": map[string]any{"network": 1, "address": meter}} {
		t.Run(what, func(t *testing.T) {
			plan, err := json.Marshal(map[string]any{
				"target": "serial://" + dir + "/line.tty?baud=9600&media=gurux", "framing": "hdlc", "client": 16, "server": 1, "timeout": 20, "gateway": gateway,
				"steps": []any{map[string]any{"do": "read", "class": 1, "obis": "0.0.42.0.0.255", "attribute": 2}},
			})
			require.NoError(t, err)
			cmd := exec.CommandContext(t.Context(), python, "../../testdata/interop/dlms/gurux_client.py", "-")
			cmd.Stdin = bytes.NewReader(plan)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			require.Contains(t, string(out), `"ok": true`)
		})
	}
}

// Our client reads the Gurux server through a pty, without a sign-on and with one.
func TestInteropGuruxServerOnPTY(t *testing.T) {
	python := os.Getenv("SMETS1_INTEROP_PYTHON")
	require.NotEmpty(t, python, "run tools/interop.sh, which sets SMETS1_INTEROP_PYTHON")
	for name, modeE := range map[string]bool{"HDLC": false, "mode E": true} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(python, "../../testdata/interop/dlms/gurux_server.py", "--hdlc")
			stdin, err := cmd.StdinPipe()
			require.NoError(t, err)
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			t.Cleanup(func() {
				_ = stdin.Close() // it leaves when its standard input ends
				_ = cmd.Wait()
			})
			line, err := bufio.NewReader(stdout).ReadBytes('\n')
			require.NoError(t, err)
			var started struct{ Port int }
			require.NoError(t, json.Unmarshal(line, &started))
			meter, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", started.Port))
			require.NoError(t, err)
			pty, err := serial.NewPTY()
			require.NoError(t, err)
			var far io.ReadWriteCloser = pty
			target := "serial://" + pty.Path() + "?baud=9600"
			if modeE {
				cable := fault.NewPTYCable(pty, session.ModeOf(optical.SignOn))
				far, err = signon.NewMeter(cable, func(f optical.Format) error { return cable.SetMode(session.ModeOf(f)) },
					optical.ServerConfig{Identification: optical.Identification{Maker: "GRX", Speed: '5', Escapes: "2", Text: "SERVER"}})
				require.NoError(t, err)
				target = "serial://" + pty.Path() + "?modee=1"
			}
			t.Cleanup(func() { _ = far.Close(); _ = meter.Close() })
			go func() { _, _ = io.Copy(struct{ io.Writer }{meter}, struct{ io.Reader }{far}) }()
			go func() { _, _ = io.Copy(struct{ io.Writer }{far}, struct{ io.Reader }{meter}) }()
			require.Contains(t, must(t, "dlms", "read", target, "3/1-0:1.8.0.255/2"), "123")
		})
	}
}
