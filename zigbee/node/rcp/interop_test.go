//go:build interop

package rcp

import (
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/transport/radio/air"
	"smets1/zigbee/node"
	"smets1/zigbee/node/cluster"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// herdsman installs zigbee-herdsman once, which brings zigbee-on-host with it.
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

// An independent coordinator and trust centre (zigbee-on-host) on our virtual co-processor admits our devices, interviews
// them and reads the meter under the network key alone, which only the policy Open allows.
func TestInteropZigbeeOnHostAdmitsOurDevices(t *testing.T) {
	dir := herdsman(t)
	script, err := filepath.Abs("../../../testdata/interop/zigbee/zoh-join.js")
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		role   node.Role
		policy node.Policy
		want   string
	}{
		"ESME": {node.Router, node.Open, `READ {"currentSummDelivered":123456}`},
		"GSME": {node.Sleepy, node.Open, `READ {"currentSummDelivered":123456}`},
		"IHD":  {node.EndDevice, node.Open, `READ {"currentSummDelivered":123456}`},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer l.Close()
			a := air.New(air.Config{Seed: 1})
			s := &Server{EUI: hub}
			s.Attach(time.Now(), a.Open(s))
			b := &cluster.Basic{Manufacturer: "Smets", Model: name}
			n, err := node.New(node.Config{
				EUI: meter, Role: tc.role, Policy: tc.policy, Channels: 1 << 15, Entropy: rand.NewChaCha8([32]byte{9}),
				Endpoints: []*node.Endpoint{{ID: 1, Device: se.DeviceMetering, Clusters: []*node.Cluster{b.Cluster(), {Spec: &node.Spec{ID: se.Metering, Server: true,
					Attributes: []node.Attribute{{ID: 0, Type: zcl.Uint48, Get: node.Fixed(zcl.Unsigned(zcl.Uint48, 123456))}}}}}}},
			})
			require.NoError(t, err)
			require.NoError(t, n.Start(time.Now(), a.Open(n), nil))
			require.NoError(t, n.Join(time.Now()))

			done := make(chan struct{})
			var running sync.WaitGroup
			defer running.Wait()
			defer close(done)
			running.Go(func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				in := make(chan []byte, 64)
				running.Go(func() {
					defer close(in)
					for {
						b := make([]byte, 4096)
						n, err := c.Read(b)
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
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-done:
						return
					case b, ok := <-in:
						if !ok {
							return
						}
						s.Input(time.Now(), b)
					case <-tick.C:
					}
					now := time.Now()
					for {
						next := a.Deadline()
						if d := n.Deadline(); next.IsZero() || !d.IsZero() && d.Before(next) {
							next = d
						}
						if next.IsZero() || next.After(now) {
							break
						}
						a.Advance(next)
						n.Advance(next)
					}
					if out := s.Output(); len(out) > 0 {
						if _, err := c.Write(out); err != nil {
							return
						}
					}
				}
			})
			cmd := exec.Command("node", script)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"), "RCP_URL=tcp://"+l.Addr().String())
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s\n%+v", out, n.Stats())
			require.Contains(t, string(out), tc.want)
		})
	}
}
