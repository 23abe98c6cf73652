package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/fleet"
	"smets1/dlms/server"
	"smets1/internal/clock"
	"smets1/transport/serial"
)

var update = flag.Bool("update", false, "write the outputs in testdata/script anew")

const scriptFleet = `
schema: 1
name: scripts
seed: 7
start: 2026-11-24T12:00:00Z
homes:
  - {name: tcp, profile: foc-mesh, fuel: electricity, status: active, clock: 0s}
  - {name: line, profile: foc-mesh, fuel: electricity, status: active, clock: 0s, link: hdlc}
`

// runCommand runs smets1 with arguments, as a person would, and gives what it
// wrote and its exit status.
func runCommand(ctx context.Context, in string, args ...string) (stdout, stderr string, code int) {
	root := newRootCommand()
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetIn(strings.NewReader(in))
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var usage usageError
	var coded dlmsError
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled):
		code = exitInterrupted
	case errors.As(err, &usage):
		code = exitUsage
	case errors.As(err, &coded):
		code = coded.ExitCode()
	default:
		code = exitFailed
	}
	if err != nil {
		fmt.Fprintf(&errs, "smets1: %v\n", err)
	}
	return out.String(), errs.String(), code
}

// bench is two homes that answer over TCP and on a serial line, and the folder of their files.
type bench struct {
	dir, tcp, line, hub, meter, lineHub string
}

func newBench(t *testing.T) bench {
	t.Helper()
	m, err := fleet.ParseManifest("scripts.yaml", []byte(scriptFleet))
	require.NoError(t, err)
	dir := t.TempDir()
	f, err := fleet.Open(t.Context(), m, fleet.Options{
		Listen: true, Port: -1, PTYDir: filepath.Join(dir, "tty"), Clock: clock.NewScaled(m.StartTime(), 50),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	b := bench{dir: dir}
	for e := range f.Inventory() {
		if e.Name == "tcp" {
			b.tcp, b.hub, b.meter = e.Address, e.Devices[0].EUI.String(), e.Devices[1].EUI.String()
		} else {
			b.line, b.lineHub = e.Address, e.Devices[0].EUI.String()
		}
	}
	var keys bytes.Buffer
	require.NoError(t, f.Handover(&keys, "test"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "keys.json"), keys.Bytes(), 0o600))
	profile := "client: 1\nmechanism: gmac\nclientTitle: \"4D4D4D0000000001\"\nkeys: {handover: keys.json, device: %s}\n"
	b.write(t, "hub.yaml", fmt.Sprintf("target: "+b.tcp+"\n"+profile, b.hub))
	b.write(t, "meter.yaml", fmt.Sprintf("target: "+b.tcp+"\nbehind: "+b.meter+"\n"+profile, b.meter))
	b.write(t, "line.yaml", fmt.Sprintf("target: "+b.line+"\n"+profile, b.lineHub))
	b.write(t, "wrong.yaml", fmt.Sprintf("target: "+b.tcp+"\n"+profile, b.meter))
	b.write(t, "old-counter.yaml", fmt.Sprintf("target: "+b.tcp+"\ncounter: \"1\"\n"+profile, b.hub))
	b.write(t, "file-counter.yaml", fmt.Sprintf("target: "+b.tcp+"\ncounter: file:next\n"+profile, b.hub))
	b.write(t, "next", "100000\n")
	return b
}

func (b bench) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600))
}

// masks are what differs from run to run.
var masks = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?`), "<time>"},
	{regexp.MustCompile(`octet-string 07EA[0-9A-F]{20}`), "octet-string <time>"},
}

// TestScripts runs the scripts of testdata/script: lines that begin with $ are
// commands, what follows is their output, and [exit N] their status. They are
// written by go test -update and read by a person.
func TestScripts(t *testing.T) {
	names, err := filepath.Glob("testdata/script/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, path := range names {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			b := newBench(t)
			vars := strings.NewReplacer("$TCP", b.tcp, "$LINE", b.line, "$METER", b.meter, "$DIR", b.dir)
			back := strings.NewReplacer(b.tcp, "$TCP", b.line, "$LINE", b.meter, "$METER", b.dir, "$DIR", b.hub, "$HUB")
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			var out strings.Builder
			for line := range strings.Lines(string(text)) {
				line = strings.TrimRight(line, "\n")
				if strings.HasPrefix(line, "#") {
					out.WriteString("\n" + line + "\n")
				}
				command, is := strings.CutPrefix(line, "$ smets1 ")
				if !is {
					continue
				}
				out.WriteString(line + "\n")
				stdout, stderr, code := runCommand(t.Context(), "", words(vars.Replace(command))...)
				got := back.Replace(stdout + stderr)
				for _, m := range masks {
					got = m.re.ReplaceAllString(got, m.with)
				}
				for l := range strings.Lines(got) {
					out.WriteString(strings.TrimRight(l, " \n") + "\n")
				}
				if code != 0 {
					fmt.Fprintf(&out, "[exit %d]\n", code)
				}
			}
			got := strings.TrimLeft(out.String(), "\n")
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(text), got)
		})
	}
}

// words cuts a command line at spaces; single quotes keep them.
func words(s string) []string {
	var out []string
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}

func TestReadJSON(t *testing.T) {
	b := newBench(t)
	stdout, stderr, code := runCommand(t.Context(), "", "dlms", "read", "--json", "-p", filepath.Join(b.dir, "meter.yaml"), "-", "3/1-0:1.8.0")
	require.Zero(t, code, stderr)
	var rows []struct {
		Class       int
		LogicalName string
		Attribute   int
		Value       struct{ Type string }
		Meaning     string
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &rows))
	require.Len(t, rows, 3)
	require.Equal(t, "1-0:1.8.0.255", rows[1].LogicalName)
	require.Equal(t, "double-long-unsigned", rows[1].Value.Type)
	require.Regexp(t, `^\d+ Wh$`, rows[1].Meaning)
}

// A serial line behind a terminal server carries HDLC over TCP.
func TestHDLCOverTCP(t *testing.T) {
	b := newBench(t)
	port, err := serial.OpenURL(b.line)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var relay sync.WaitGroup
	relay.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		relay.Go(func() { _, _ = io.Copy(c, port) })
		_, _ = io.Copy(port, c)
		_ = port.Close()
		_ = c.Close()
	})
	stdout, stderr, code := runCommand(t.Context(), "", "dlms", "read", "-p", filepath.Join(b.dir, "line.yaml"), "tcp+hdlc://"+l.Addr().String(), "1/0-0:96.1.2/2")
	require.NoError(t, l.Close())
	relay.Wait()
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "octet-string")
}

// A command that is interrupted releases its association and says so.
func TestInterrupt(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, code := runCommand(ctx, "", "dlms", "list", b.tcp)
	require.Equal(t, exitInterrupted, code)
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	_, stderr, code := runCommand(t.Context(), "", "dlms", "list", "tcp://"+address)
	require.Equal(t, exitNoConnect, code, stderr)
	require.Contains(t, stderr, "Check the address")
}

func TestSilence(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer conn.Close()
	pcap := filepath.Join(t.TempDir(), "udp.pcapng")
	_, stderr, code := runCommand(t.Context(), "", "dlms", "read", "--capture", pcap, "--timeout", "100ms", "udp://"+conn.LocalAddr().String(), "1/0-0:42.0.0/2")
	require.Equal(t, exitSilent, code, stderr)
	require.Contains(t, stderr, "check --client and --server")
	written, err := os.ReadFile(pcap)
	require.NoError(t, err)
	require.True(t, bytes.Contains(written, []byte{0x60, 0x1D, 0xA1}), "the AARQ is in the capture")
}

// Ctrl-C while the device does not answer ends the command after its grace.
func TestInterruptInSilence(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer conn.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _, _ = conn.ReadFrom(make([]byte, 100))
		cancel()
	}()
	_, _, code := runCommand(ctx, "", "dlms", "read", "udp://"+conn.LocalAddr().String(), "1/0-0:42.0.0/2")
	require.Equal(t, exitInterrupted, code)
}

// A counter file is ahead of every counter used, and starts anew for nobody.
func TestFileCounter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "next")
	for _, first := range []uint32{1, 33, 65} {
		c := &fileCounter{path: path}
		for i := range uint32(3) {
			v, err := c.Next(t.Context())
			require.NoError(t, err)
			require.Equal(t, first+i, v)
		}
	}
	require.NoError(t, os.WriteFile(path, []byte("twelve"), 0o600))
	_, err := (&fileCounter{path: path}).Next(t.Context())
	require.ErrorContains(t, err, "want one decimal number")
	require.NoError(t, os.WriteFile(path, []byte("4294967040"), 0o600))
	_, err = (&fileCounter{path: path}).Next(t.Context())
	require.ErrorContains(t, err, "exhausted")
}

// Errors of a profile name the field and never show what it names.
func TestProfileErrors(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SMETS1_TEST_KEY", "0011223344")
	for text, want := range map[string]string{
		"mechanism: hls5":       "want none, lls",
		"mechanism: lls":        "password is missing",
		"password: swordfish":   "not the secret itself",
		"password: env:NOT_SET": "the variable NOT_SET is not set",
		"mechanism: gmac\nclientTitle: \"4D4D4D0000000001\"": "need a GUEK and a GAK",
		"keys: {guek: env:SMETS1_TEST_KEY}":                  "keys.guek",
		"suite: 3":                                           "want 0, 1 or 2",
		"wrapping: brown":                                    "want service, general or ciphering",
		"clinet: 1":                                          "unknown field",
		"counter: often\nclientTitle: \"4D4D4D0000000001\"\nkeys: {guek: file:k, gak: file:k}": "want device, file:PATH or a number",
	} {
		path := filepath.Join(dir, "p.yaml")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "k"), []byte(strings.Repeat("0A", 16)), 0o600))
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		_, stderr, code := runCommand(t.Context(), "", "dlms", "list", "-p", path, "tcp://"+l.Addr().String())
		_ = l.Close()
		require.Equal(t, exitUsage, code, "%s: %s", text, stderr)
		require.Contains(t, stderr, want, text)
		require.NotContains(t, stderr, "swordfish")
		require.NotContains(t, stderr, "0011223344")
	}
}

func TestParseMember(t *testing.T) {
	for text, want := range map[string]memberName{
		"3/1-0:1.8.0.255/2":   {3, [6]byte{1, 0, 1, 8, 0, 255}, "2"},
		"3/1-0:1.8.0/value":   {3, [6]byte{1, 0, 1, 8, 0, 255}, "value"},
		"1-0:1.8.0":           {0, [6]byte{1, 0, 1, 8, 0, 255}, ""},
		"1-0:1.8.0/2":         {0, [6]byte{1, 0, 1, 8, 0, 255}, "2"},
		"8300/0-0:128.43.0/2": {8300, [6]byte{0, 0, 128, 43, 0, 255}, "2"},
	} {
		got, err := parseMember(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "3", "3/", "x/1-0:1.8.0", "3/1-0:1.8.0/", "3/1-0:1.8.0/2/1", "70000/1-0:1.8.0/2"} {
		_, err := parseMember(text)
		require.Error(t, err, text)
	}
}

// Ctrl-C during a command lets the request under way end and releases the association.
func TestInterruptReleases(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	model := server.MustModel(server.Config{
		Name: "interrupt", Associations: []server.Association{{Name: "public", Client: publicClient}},
		Objects: []server.Object{server.LogicalDeviceName(server.All(server.Read), func(*server.Call) string { return "SMEINTERRUPT0001" })},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var tags []byte
	var served sync.WaitGroup
	served.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		stream := server.NewStream(server.StreamConfig{Host: server.Devices{{Model: model}}})
		defer stream.Close()
		buf := make([]byte, 2048)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if tags = append(tags, buf[8]); buf[8] == 0xC0 {
				cancel()
			}
			stream.Input(time.Now(), buf[:n])
			_, _ = c.Write(stream.Output())
		}
	})
	_, _, code := runCommand(ctx, "", "dlms", "read", "tcp://"+l.Addr().String(), "1/0-0:42.0.0/2", "1/0-0:42.0.0/1")
	require.NoError(t, l.Close())
	served.Wait()
	require.Equal(t, exitInterrupted, code)
	require.Equal(t, []byte{0x60, 0xC0, 0x62}, tags, "one read, then the release")
}

func TestListJSONAndCapture(t *testing.T) {
	b := newBench(t)
	pcap := filepath.Join(b.dir, "list.pcapng")
	stdout, stderr, code := runCommand(t.Context(), "", "dlms", "list", "--json", "--capture", pcap, b.tcp)
	require.Zero(t, code, stderr)
	var objects []struct {
		Class       int
		LogicalName string
		Attributes  map[string]string
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &objects))
	require.Len(t, objects, 6)
	require.Equal(t, "r", objects[0].Attributes["2"])
	written, err := os.ReadFile(pcap)
	require.NoError(t, err)
	require.True(t, bytes.Contains(written, []byte{0xC0, 0x01}), "the requests are in the capture")
}

func TestDecodeInputs(t *testing.T) {
	dir := t.TempDir()
	hexFile, rawFile := filepath.Join(dir, "get.hex"), filepath.Join(dir, "get.bin")
	require.NoError(t, os.WriteFile(hexFile, []byte("# a read and its answer\nC0:01 C1, 0x00 03 0100010800FF 02 00\n\nc401c1000600000064\n"), 0o600))
	require.NoError(t, os.WriteFile(rawFile, []byte{0xC0, 0x02, 0xC1, 0, 0, 0, 1}, 0o600))
	for _, c := range []struct {
		in   string
		args []string
		want []string
	}{
		{"", []string{"--lines", hexFile}, []string{"message 1, 13 bytes, apdu", "get-request-normal", "message 2, 9 bytes, apdu", "double-long-unsigned 100"}},
		{"", []string{rawFile}, []string{"get-request-next"}},
		{"C002C100000001\n", nil, []string{"get-request-next"}},
		{"C002C100000001\n", []string{"-"}, []string{"get-request-next"}},
		{"", []string{"C002", "C1", "00000001"}, []string{"get-request-next"}},
		{"", []string{"--json", "C002C100000001"}, []string{`"form":"apdu"`, `"name":"block number"`, `"problems":[]`}},
		{"", []string{"--as", "data", "0F05"}, []string{"integer 5"}},
	} {
		stdout, stderr, code := runCommand(t.Context(), c.in, append([]string{"decode"}, c.args...)...)
		require.Zero(t, code, "%v: %s", c.args, stderr)
		for _, want := range c.want {
			require.Contains(t, stdout, want, "%v", c.args)
		}
	}
	for _, args := range [][]string{{"--as", "xml", "C0"}, {"--guek-file", rawFile, "C0"}, {"--system-title", "SME", "C0"}, {hexFile + ".gone"}} {
		_, _, code := runCommand(t.Context(), "", append([]string{"decode"}, args...)...)
		require.Equal(t, exitUsage, code, "%v", args)
	}
}

// decode takes keys from files, as the handbook of a bench has them.
func TestDecodeWithKeys(t *testing.T) {
	dir := t.TempDir()
	guek, gak := filepath.Join(dir, "guek"), filepath.Join(dir, "gak")
	require.NoError(t, os.WriteFile(guek, []byte("000102030405060708090A0B0C0D0E0F\n"), 0o600))
	require.NoError(t, os.WriteFile(gak, []byte("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF\n"), 0o600))
	apdu := "C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B"
	stdout, stderr, code := runCommand(t.Context(), "", "decode", "--guek-file", guek, "--gak-file", gak, "--client-title", "4D4D4D0000BC614E", apdu)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "deciphered under the GUEK")
	require.Contains(t, stdout, "logical name: 0-0:1.0.0.255")
	_, stderr, code = runCommand(t.Context(), "", "decode", "--guek-file", gak, "--gak-file", gak, "--client-title", "4D4D4D0000BC614E", apdu)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "check the encryption key")
	_, stderr, code = runCommand(t.Context(), "", "decode", "--guek-file", guek, "--gak-file", gak, apdu)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "--client-title")
}
