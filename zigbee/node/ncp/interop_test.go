//go:build interop

package ncp

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/transport/radio/air"
	"smets1/transport/serial"
	"smets1/zigbee/node"
	"smets1/zigbee/node/cluster"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// meterHex is the meter of the package's tests, as the script reads it.
const meterHex = "00DB1234567890A1"

// herdsman installs zigbee-herdsman once.
func herdsman(t *testing.T) string {
	t.Helper()
	base := os.Getenv("SMETS1_INTEROP_CACHE")
	if base == "" {
		cache, err := os.UserCacheDir()
		require.NoError(t, err)
		base = filepath.Join(cache, "smets1-interop")
	}
	dir := filepath.Join(base, "herdsman-10.9.5")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "zigbee-herdsman")); err != nil {
		require.NoError(t, os.MkdirAll(dir, 0o755))
		cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "zigbee-herdsman@10.9.5")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	return dir
}

// runs is an air, a co-processor on it behind a pty, and a node, in the machine's time until the test ends.
func runs(t *testing.T, c node.Config) (port string, s *Server) {
	t.Helper()
	pty, err := serial.NewPTY()
	require.NoError(t, err)
	a := air.New(air.Config{Seed: 1})
	s = NewServer(ServerConfig{EUI: stickEUI, Entropy: rand.NewChaCha8([32]byte{7})})
	s.Attach(time.Now(), a.Open(s))
	c.Channels, c.Entropy = 1<<15, rand.NewChaCha8([32]byte{9})
	n, err := node.New(c)
	require.NoError(t, err)
	require.NoError(t, n.Start(time.Now(), a.Open(n), nil))

	var running sync.WaitGroup
	in, done := make(chan []byte, 64), make(chan struct{})
	running.Go(func() {
		for {
			b := make([]byte, 4096)
			n, err := pty.Read(b)
			if err != nil {
				return
			}
			select {
			case in <- b[:n]:
			case <-done:
				return
			}
		}
	})
	running.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		// Who looks in vain for a network that is open waits for a minute: so it looks again when there may be one.
		var looked time.Time
		for {
			select {
			case <-done:
				return
			case b := <-in:
				s.Input(time.Now(), b)
			case <-tick.C:
			}
			now := time.Now()
			if s.Node() != nil && n.Short() == 0xFFFE && now.Sub(looked) > 3*time.Second {
				if looked = now; n.Join(now) != nil {
					return
				}
			}
			for {
				next := earlier(a.Deadline(), earlier(n.Deadline(), s.Deadline()))
				if next.IsZero() || next.After(now) {
					break
				}
				a.Advance(next)
				n.Advance(next)
				s.Advance(next)
			}
			if out := s.Output(); len(out) > 0 {
				if _, err := pty.Write(out); err != nil {
					return
				}
			}
		}
	})
	t.Cleanup(func() {
		close(done)
		_ = pty.Close()
		running.Wait()
	})
	return pty.Path(), s
}

func metering(name string) []*node.Endpoint {
	b := &cluster.Basic{Manufacturer: "Smets", Model: name}
	return []*node.Endpoint{{ID: 1, Device: se.DeviceMetering, Clusters: []*node.Cluster{b.Cluster(), {Spec: &node.Spec{
		ID: se.Metering, Server: true, Attributes: []node.Attribute{{ID: 0, Type: zcl.Uint48, Get: node.Fixed(zcl.Unsigned(zcl.Uint48, 123456))}},
	}}}}}
}

// An independent host (zigbee-herdsman, adapter ember) starts on our co-processor, forms a network, admits our meter,
// interviews and reads it; started anew, it finds its network and the meter again.
func TestInteropEmberHost(t *testing.T) {
	dir := herdsman(t)
	script, err := filepath.Abs("testdata/ember-join.js")
	require.NoError(t, err)
	code, err := security.ParseInstallCode("83FED3407A939723A5C639B26916D505C3B5")
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		role node.Role
		key  security.Key
		env  string
	}{
		"ESME, well-known key": {role: node.Router},
		"ESME, install code":   {role: node.Router, key: code.LinkKey(), env: "CODE=" + meterHex + "|83FED3407A939723A5C639B26916D505C3B5"},
		"GSME, asleep":         {role: node.Sleepy},
	} {
		t.Run(name, func(t *testing.T) {
			port, s := runs(t, node.Config{EUI: meterEUI, Role: tc.role, Policy: node.Open, LinkKey: tc.key, Endpoints: metering(name)})
			keep := t.TempDir()
			start := func() string {
				cmd := exec.CommandContext(t.Context(), "node", script)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"), "NCP_PORT="+port, "KEEP="+keep, tc.env)
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "%s\n%+v", out, s.Stats())
				return string(out)
			}
			out := start()
			require.Contains(t, out, "START reset")
			require.Contains(t, out, `"panID":6826`)
			require.Contains(t, out, `READ {"currentSummDelivered":123456}`)
			if tc.role == node.Router {
				out = start()
				require.Contains(t, out, "START resumed")
				require.Contains(t, out, `READ {"currentSummDelivered":123456}`)
			}
		})
	}
}
