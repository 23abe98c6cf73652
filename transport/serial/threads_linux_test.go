package serial

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Many native ports with a read pending on each take no threads.
func TestNativeTakesNoThreads(t *testing.T) {
	threads := func() int {
		e, err := os.ReadDir("/proc/self/task")
		require.NoError(t, err)
		return len(e)
	}
	const ports = 100
	before := threads()
	done := make(chan error, ports)
	fars := make([]*PTY, ports)
	for i := range fars {
		far, p := open(t, Native)
		fars[i] = far
		go func() { _, err := p.Read(make([]byte, 1)); done <- err }()
	}
	time.Sleep(50 * time.Millisecond) // let them block
	require.LessOrEqual(t, threads(), before+20)
	t.Logf("%d ports: %d threads before, %d with reads pending", ports, before, threads())
	for _, far := range fars {
		_, err := far.Write([]byte{1})
		require.NoError(t, err)
	}
	for range ports {
		require.NoError(t, <-done)
	}
}
