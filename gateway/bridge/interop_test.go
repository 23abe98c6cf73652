//go:build interop

package bridge_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// With the tag interop the tests that only need a broker run against mosquitto in place of the embedded one.
func init() { otherBroker = startMosquitto }

func startMosquitto(t testing.TB) string {
	t.Helper()
	exe, err := exec.LookPath("mosquitto")
	if err != nil {
		exe, err = exec.LookPath("/usr/sbin/mosquitto")
	}
	require.NoError(t, err, "mosquitto is needed: apt-get install mosquitto")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil,
		"listener %s 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_inflight_messages 1000\nmax_queued_messages 0\n", port), 0o600))
	cmd := exec.Command(exe, "-c", conf)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(patience); ; {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
			return "tcp://" + addr
		}
		require.True(t, time.Now().Before(end), "mosquitto does not listen: %v", err)
		time.Sleep(10 * time.Millisecond) // another process: there is nothing to wait on
	}
}
