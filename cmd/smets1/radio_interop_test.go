//go:build interop

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/fleet"
)

// npmPackage is the folder where tools/interop.sh has installed a program of npm.
func npmPackage(t *testing.T, name string) string {
	t.Helper()
	base := os.Getenv("SMETS1_INTEROP_CACHE")
	if base == "" {
		cache, err := os.UserCacheDir()
		require.NoError(t, err)
		base = filepath.Join(cache, "smets1-interop")
	}
	dir := filepath.Join(base, name)
	require.DirExists(t, filepath.Join(dir, "node_modules"), "%s is missing: run make interop", name)
	return dir
}

// dongle is smets1 radio serve with devices of a home whose meters stand still.
type dongle struct {
	url, home string
	euis      map[string]string // esme, gsme, ihd
	said      *syncBuffer
	capture   string
	stop      func() int
}

func serveDongle(t *testing.T, args ...string) dongle {
	t.Helper()
	d := dongle{capture: filepath.Join(t.TempDir(), "air.pcapng"), euis: map[string]string{}}
	args = append([]string{
		"radio", "serve", filepath.Join(demoInput(), "fleet.yaml"), "--home", "foc-clock-off", "--listen", "127.0.0.1:0", "--port", "0",
		"--speed", "0.0001", "--capture", d.capture,
	}, args...)
	var errs *syncBuffer
	d.said, errs, d.stop = background(t, args...)
	t.Cleanup(func() { require.Equal(t, exitOK, d.stop(), errs.String()) })
	d.said.until(t, "tcp://127.0.0.1:")
	for line := range strings.Lines(d.said.String()) {
		f := strings.Fields(line)
		switch f[0] {
		case "dongle":
			d.url = f[1]
		case "DLMS":
			d.home = f[1]
		case "device":
			d.euis[f[2]] = f[1]
		}
	}
	return d
}

// register reads a register of a meter over DLMS, through the home's hub.
func (d *dongle) register(t *testing.T, device, obis string) uint64 {
	t.Helper()
	dir := t.TempDir()
	keys, profile := filepath.Join(dir, "keys.json"), filepath.Join(dir, "meter.yaml")
	must(t, "fleet", "handover", filepath.Join(demoInput(), "fleet.yaml"), "--out", keys)
	require.NoError(t, os.WriteFile(profile, fmt.Appendf(nil,
		"target: %s\nbehind: %s\nclient: 1\nmechanism: gmac\nclientTitle: \"4D4D4D0000000001\"\nkeys: {handover: keys.json, device: %[2]s}\n", d.home, d.euis[device]), 0o600))
	var got []struct{ Value struct{ Value json.Number } }
	out := must(t, "dlms", "read", "--json", "--profile", profile, "-", "3/"+obis+"/2")
	require.NoError(t, json.Unmarshal([]byte(out), &got), out)
	require.Len(t, got, 1)
	n, err := strconv.ParseUint(got[0].Value.Value.String(), 10, 64)
	require.NoError(t, err, out)
	return n
}

// inventoryEUI is the address of a device of the demo.
func inventoryEUI(t *testing.T, home, device string) string {
	t.Helper()
	for line := range strings.Lines(must(t, "fleet", "inventory", filepath.Join(demoInput(), "fleet.yaml"), "--format", "json")) {
		var e fleet.Entry
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		for _, d := range e.Devices {
			if e.Name == home && d.Type == device {
				return d.EUI.String()
			}
		}
	}
	t.Fatalf("no %s in %s", device, home)
	return ""
}

// node runs a script of testdata/interop/zigbee against the dongle.
func (d *dongle) node(t *testing.T, script string) (out string, status int) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "testdata", "interop", "zigbee", script))
	require.NoError(t, err)
	dir := npmPackage(t, "herdsman-10.9.5")
	cmd := exec.Command(tool(t, "node"), path)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"), "RCP_URL="+d.url)
	b, err := cmd.CombinedOutput()
	if err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// cleanAir has TShark decode and decrypt every frame of a capture with the keys beside it.
func cleanAir(t *testing.T, path string) {
	t.Helper()
	keys, err := os.ReadFile(strings.TrimSuffix(path, ".pcapng") + ".keys")
	require.NoError(t, err)
	script := filepath.Join("..", "..", "testdata", "interop", "zigbee", "zigbee-clean.sh")
	out, err := exec.Command("bash", append([]string{script, path}, strings.Fields(string(keys))...)...).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "CLEAN", strings.TrimSpace(string(out)))
}

// An independent coordinator admits each of our devices on the virtual dongle, interviews it, and reads what DLMS says of
// the same meter at the same virtual time. The display shows the electricity meter.
func TestInteropZigbeeOnHostReadsWhatDLMSSays(t *testing.T) {
	for device, x := range map[string]struct{ meter, obis string }{
		"esme": {"esme", "1-0:1.8.0.255"}, "gsme": {"gsme", "7-0:3.0.0.255"}, "ihd": {"esme", "1-0:1.8.0.255"},
	} {
		t.Run(device, func(t *testing.T) {
			d := serveDongle(t, "--policy", "open", "--devices", device)
			out, status := d.node(t, "zoh-join.js")
			require.Zero(t, status, out)
			if device == "ihd" { // the inventory of the same manifest tells its meter
				d.euis["esme"] = inventoryEUI(t, "foc-clock-off", "esme")
			}
			require.Contains(t, out, fmt.Sprintf(`READ {"currentSummDelivered":%d}`, d.register(t, x.meter, x.obis)))
			require.Zero(t, d.stop())
			cleanAir(t, d.capture)
		})
	}
}

// Under the policy of Smart Energy the very same reads are refused, of a device that is on the same coordinator's network.
func TestInteropSmartEnergyRefusesZigbeeOnHost(t *testing.T) {
	d := serveDongle(t, "--policy", "se", "--key", "well-known", "--devices", "esme")
	out, status := d.node(t, "zoh-refused.js")
	require.Zero(t, status, out)
	require.Contains(t, out, "REFUSED 109")
	require.Contains(t, out, "FAILURE")
	require.Contains(t, out, "REFUSED 104")
	require.NotContains(t, out, "READ ")
	require.Zero(t, d.stop())
	cleanAir(t, d.capture)
}

// The whole of zigbee2mqtt on the virtual dongle publishes a meter's readings to mosquitto.
func TestInteropZigbee2MQTTPublishesReadings(t *testing.T) {
	dir := npmPackage(t, "zigbee2mqtt-2.14.1")
	d := serveDongle(t, "--policy", "open", "--devices", "esme")
	want := d.register(t, "esme", "1-0:1.8.0.255")
	data := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	broker := l.Addr().String()
	require.NoError(t, l.Close())
	host, port, err := net.SplitHostPort(broker)
	require.NoError(t, err)
	write := func(name, text string) string {
		p := filepath.Join(data, name)
		require.NoError(t, os.WriteFile(p, []byte(text), 0o600))
		return p
	}
	spawn := func(c *exec.Cmd) *syncBuffer {
		out := &syncBuffer{more: make(chan struct{}, 1)}
		c.Stdout, c.Stderr = out, out
		require.NoError(t, c.Start())
		t.Cleanup(func() {
			_ = c.Process.Signal(os.Interrupt)
			ended := make(chan struct{})
			go func() { _ = c.Wait(); close(ended) }()
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				_ = c.Process.Kill()
				<-ended
			}
		})
		return out
	}
	spawn(exec.Command(tool(t, "mosquitto"), "-c", write("mosquitto.conf", fmt.Sprintf("listener %s %s\nallow_anonymous true\nset_tcp_nodelay true\n", port, host))))
	write("configuration.yaml", fmt.Sprintf(`
version: 5
homeassistant: {enabled: false}
frontend: {enabled: false}
mqtt: {base_topic: zigbee2mqtt, server: "mqtt://%s"}
serial: {port: "%s", adapter: zoh}
advanced:
  log_level: info
  log_output: [console]
  channel: 15
  pan_id: 6826
  ext_pan_id: [0, 0, 0, 0, 0, 10, 17, 206]
  network_key: [0, 17, 34, 51, 68, 85, 102, 119, 136, 153, 170, 187, 204, 221, 238, 255]
onboarding: false
`, broker, d.url))
	watch := func(topic string) *syncBuffer {
		return spawn(exec.Command(tool(t, "mosquitto_sub"), "-h", host, "-p", port, "-t", topic, "-v", "--will-topic", "x/"+port))
	}
	z := exec.Command(tool(t, "node"), filepath.Join(dir, "node_modules", "zigbee2mqtt", "index.js"))
	z.Dir = data // in a clone of ours it would take our commit for its own, and build itself anew
	z.Env = append(os.Environ(), "ZIGBEE2MQTT_DATA="+data, "Z2M_ONBOARD_NO_SERVER=1")
	said := spawn(z)
	said.untilFor(t, "Zigbee2MQTT started!", 2*time.Minute)
	publish := func(topic, payload string) {
		out, err := exec.Command(tool(t, "mosquitto_pub"), "-h", host, "-p", port, "-t", topic, "-m", payload).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	publish("zigbee2mqtt/bridge/request/permit_join", `{"time":120}`)
	eui := "0x" + strings.ToLower(strings.ReplaceAll(d.euis["esme"], "-", ""))
	heard := watch("zigbee2mqtt/" + eui)
	said.untilFor(t, "Successfully interviewed", 2*time.Minute)
	publish("zigbee2mqtt/"+eui+"/set", `{"read":{"cluster":"seMetering","attributes":["currentSummDelivered"],"state_property":"meter","options":{"profileId":265}}}`)
	heard.untilFor(t, fmt.Sprintf(`"meter":{"currentSummDelivered":%d}`, want), time.Minute)
}

// TShark decodes and decrypts every frame of the homes whose air the demo records.
func TestInteropDemoAirIsClean(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	stdout, err := runDemo(t.Context(), "--input", demoInput(), "--out", out, "--dlms-port", "0", "--homes", "13", "--speed", "150")
	require.NoError(t, err, stdout)
	st, err := os.Stat(filepath.Join(out, "han.pcapng"))
	require.NoError(t, err)
	require.Greater(t, st.Size(), int64(100_000))
	cleanAir(t, filepath.Join(out, "han.pcapng"))
}
