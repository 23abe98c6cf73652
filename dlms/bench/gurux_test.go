package bench

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const guruxServer = "../../testdata/interop/dlms/gurux_server.py"

// benchmarkGurux is the same GET asked of the Python server of gurux-dlms, and
// of ours in turn.
func benchmarkGurux(b *testing.B, python string) {
	cmd := exec.Command(python, guruxServer)
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	cmd.Stderr = os.Stderr
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		_ = in.Close() // ends it
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(b, err)
	var started struct{ Port int }
	require.NoError(b, json.Unmarshal(line, &started))

	gurux := dial(b, net.JoinHostPort("127.0.0.1", strconv.Itoa(started.Port)), false, false)
	ours := dial(b, meters(b, false), false, false)
	var theirTime, ourTime time.Duration
	b.ResetTimer()
	for left, round := b.N, rounds; left > 0; round-- {
		n := (left + round - 1) / round
		left -= n
		d, _ := all(b, []*session{gurux}, n)
		theirTime += d
		d, _ = all(b, []*session{ours}, n)
		ourTime += d
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/theirTime.Seconds(), "gurux-GET/s")
	b.ReportMetric(float64(b.N)/ourTime.Seconds(), "GET/s")
	b.ReportMetric(theirTime.Seconds()/ourTime.Seconds(), "x-gurux")
}
