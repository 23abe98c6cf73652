//go:build interop

package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/cmd/internal/lab"
	"smets1/device/fleet"
	"smets1/internal/clock"
	"smets1/internal/wire"
)

// tool finds a program that make interop has installed. A missing one fails:
// it must not look like success.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = filepath.Join("/usr/sbin", name)
		_, err = os.Stat(path)
	}
	require.NoError(t, err, "%s is missing: run make interop", name)
	return path
}

func demoInput() string { return filepath.Join("..", "..", "testdata", "migration", "demo") }

// gurux runs the Gurux client along a plan and gives what each step printed.
func gurux(t *testing.T, plan map[string]any) []map[string]any {
	t.Helper()
	python := os.Getenv("SMETS1_INTEROP_PYTHON")
	require.NotEmpty(t, python, "set SMETS1_INTEROP_PYTHON: run make interop")
	b, err := json.Marshal(plan)
	require.NoError(t, err)
	cmd := exec.Command(python, filepath.Join("..", "..", "testdata", "interop", "dlms", "gurux_client.py"), "-")
	cmd.Stdin = bytes.NewReader(b)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s\n%s", out, stderr.String())
	var steps []map[string]any
	for line := range bytes.Lines(out) {
		if line[0] != '{' {
			continue // the library talks about ciphering
		}
		var s map[string]any
		require.NoError(t, json.Unmarshal(line, &s), "%s", line)
		require.Equal(t, true, s["ok"], "%s", line)
		steps = append(steps, s)
	}
	return steps
}

// Virtual homes of the demonstration, read by the Python client of gurux-dlms
// over TCP: the hub, and through the hub's DLMS gateway the meters behind it; one of
// the homes over the one port of all.
func TestInteropGuruxReadsAVirtualHome(t *testing.T) {
	m, err := fleet.LoadManifest(filepath.Join(demoInput(), lab.ManifestName))
	require.NoError(t, err)
	clk := clock.NewScaled(m.StartTime().Add(72*time.Hour), 1)
	f, err := fleet.Open(t.Context(), m, fleet.Options{Clock: clk, Listen: true, Port: -1, Gateway: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	var handover bytes.Buffer
	require.NoError(t, f.Handover(&handover, "SMSO"))
	var keys struct {
		Devices []struct {
			EUI   wire.EUI64 `json:"eui"`
			GUEK  string     `json:"guek"`
			GAK   string     `json:"gak"`
			Title string     `json:"system_title"`
		} `json:"devices"`
	}
	require.NoError(t, json.Unmarshal(handover.Bytes(), &keys))
	read := 0
	for e := range f.Inventory() {
		// One home of each cohort, always on line so that no message has to wake it
		// first, or woken here as its operator would.
		if e.Name != "ioc-0001" && e.Name != "moc-0001" && e.Name != "foc-0001" {
			continue
		}
		read++
		wakeHome(t, f, clk, e)
		for _, d := range e.Devices {
			if d.Type == "ihd" {
				continue
			}
			t.Run(e.Name+" "+d.Type, func(t *testing.T) {
				plan := map[string]any{
					"target": e.Address, "client": 1, "server": 1, "auth": "hls5", "timeout": 20,
					// It would release a ciphered association in clear, which a meter refuses
					// (conformance test SYMSEC_0 REL_N1).
					"release":      false,
					"counter_from": map[string]any{"client": 16, "obis": "0.0.43.1.0.255"},
				}
				for _, k := range keys.Devices {
					if k.EUI == d.EUI {
						plan["ciphering"] = map[string]any{"system_title": "4D53310000000009", "guek": k.GUEK, "gak": k.GAK, "security": "both"}
					}
				}
				register, profile := "0.0.96.8.0.255", "0.0.99.98.0.255"
				switch d.Type {
				case "esme":
					register, profile = "1.0.1.8.0.255", "1.0.99.1.0.255"
				case "gsme":
					register, profile = "7.0.3.0.0.255", "7.0.99.1.0.255"
				}
				if d.Type != "chf" {
					plan["gateway"] = map[string]any{"network": 1, "address": hex.EncodeToString(d.EUI[:])}
				}
				rows := map[string]any{"do": "profile_entry", "obis": profile, "from": 1, "count": 4}
				if d.Type != "chf" {
					from := clk.Now().Add(-3 * time.Hour).Truncate(30 * time.Minute)
					rows = map[string]any{"do": "profile_range", "obis": profile, "from": from.Format("2006-01-02T15:04:05"), "to": from.Add(2 * time.Hour).Format("2006-01-02T15:04:05")}
				}
				plan["steps"] = []map[string]any{
					{"do": "clock"},
					{"do": "register", "obis": register},
					{"do": "profile_columns", "obis": profile},
					rows,
					{"do": "association"},
				}
				if e.Name == "foc-0001" { // over the port of all homes, where a hub has its prefix too
					plan["target"] = "tcp://" + f.GatewayAddr().String()
					plan["gateway"] = map[string]any{"network": 1, "address": hex.EncodeToString(d.EUI[:])}
				}
				got := gurux(t, plan)
				values := map[string]any{}
				for _, s := range got {
					values[fmt.Sprint(s["do"])] = s["value"]
				}
				at, err := time.Parse(time.RFC3339, strings.Replace(fmt.Sprint(values["clock"]), " ", "T", 1))
				require.NoError(t, err, "%v", values["clock"])
				require.WithinDuration(t, clk.Now(), at, 2*time.Minute, "a meter's clock is a few seconds off, not minutes")
				require.NotEmpty(t, values["register"])
				require.NotEmpty(t, values["association"])
				if d.Type != "chf" {
					require.Len(t, values["profile_range"], 5, "half hours of two hours, both ends: %v", values["profile_range"])
				}
			})
		}
	}
	require.Equal(t, 3, read)
}

// wakeHome sends the text messages that a home's hub needs and waits, on the
// virtual clock, until it is on line.
func wakeHome(t *testing.T, f *fleet.Fleet, clk *clock.Scaled, e fleet.Entry) {
	t.Helper()
	for range 2 {
		if e.WakeUp == "none" {
			return
		}
		require.NoError(t, f.SMS(t.Context(), e.MSISDN))
		clk.Advance(30 * time.Second)
	}
	st, err := f.Status(e.Name)
	require.NoError(t, err)
	require.True(t, st.Awake, "%s does not wake", e.Name)
}

// The whole demo with mosquitto as the broker in the place of the embedded one.
func TestInteropDemoOverMosquitto(t *testing.T) {
	broker := mosquitto(t)
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.Command(build(t), "demo", "--input", demoInput(), "--out", out, "--dlms-port", "0", "--broker", broker)
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", tail(string(text)))
	require.Contains(t, string(text), "21 commissioned, 1 without their gas meter, 1 failed, 4 not attempted")
	require.Contains(t, string(text), "MQTT at "+broker)

	// Its capture, judged by tshark: wrapper over TCP 4059, HDLC on USER0, and
	// not a frame that is malformed or out of sequence.
	record := filepath.Join(out, "demo.pcapng")
	tshark := func(args ...string) string {
		c := exec.Command(tool(t, "tshark"), append([]string{"-r", record, "--disable-heuristic", "classicstun_tcp", "--disable-heuristic", "stun_tcp"}, args...)...)
		var stderr strings.Builder
		c.Stderr = &stderr
		b, err := c.Output()
		require.NoError(t, err, stderr.String())
		return strings.TrimSpace(string(b))
	}
	require.NotEmpty(t, tshark("-Y", "tcp.port == 4059 && tcp.len > 8", "-c", "1000"))
	require.NotEmpty(t, tshark("-Y", "frame.encap_type == 45", "-T", "fields", "-e", "frame.number", "-c", "100"), "no HDLC frame")
	require.Empty(t, tshark("-Y", "_ws.malformed || tcp.analysis.lost_segment || tcp.analysis.retransmission"))
}

// mosquitto starts a broker on loopback, as our documentation says to set it.
func mosquitto(t *testing.T) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	dir := t.TempDir()
	conf := filepath.Join(dir, "mosquitto.conf")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, "listener %d 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\nmax_inflight_messages 1000\npersistence false\nlog_type error\nlog_type warning\n", port), 0o644))
	cmd := exec.Command(tool(t, "mosquitto"), "-c", conf)
	var log bytes.Buffer
	cmd.Stderr, cmd.Stdout = &log, &log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("mosquitto: %s", log.String())
		}
	})
	return fmt.Sprintf("tcp://127.0.0.1:%d", port)
}
