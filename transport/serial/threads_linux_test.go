package serial

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func threads(t *testing.T) int {
	t.Helper()
	e, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	return len(e)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// Many native ports with a read pending on each take no threads.
func TestNativeTakesNoThreads(t *testing.T) {
	const ports = 200
	before, memory := threads(t), heap()
	done := make(chan error, ports)
	fars := make([]*PTY, ports)
	for i := range fars {
		far, p := open(t, Native)
		fars[i] = far
		go func() { _, err := p.Read(make([]byte, 1)); done <- err }()
	}
	time.Sleep(50 * time.Millisecond) // let them block
	require.LessOrEqual(t, threads(t), before+20)
	t.Logf("%d ports with reads pending: %d threads (%d before), %d kB of heap and stacks more, ptys included",
		ports, threads(t), before, (int64(heap())-int64(memory))/1024)
	for _, far := range fars {
		_, err := far.Write([]byte{1})
		require.NoError(t, err)
	}
	for range ports {
		require.NoError(t, <-done)
	}
}

// settled waits for goroutines that are about to end.
func settled(t *testing.T, goroutines int) {
	t.Helper()
	for end := time.Now().Add(2 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
}

// A thousand times opening and closing, and a thousand times unplugging and plugging in again, leave nothing behind.
func TestThousandCyclesLeaveNothing(t *testing.T) {
	const cycles = 1000
	for name, cycle := range map[string]func(far *PTY){
		"open and close": func(far *PTY) {
			p, err := Open(Native, far.Path(), Mode{})
			require.NoError(t, err)
			require.NoError(t, p.Close())
		},
		"unplug and replug": func(*PTY) {
			far, err := NewPTY()
			require.NoError(t, err)
			p, err := Open(Native, far.Path(), Mode{})
			require.NoError(t, err)
			result := make(chan error, 1)
			go func() { _, err := p.Read(make([]byte, 1)); result <- err }()
			require.NoError(t, far.Close())
			require.ErrorIs(t, <-result, ErrUnplugged)
			require.NoError(t, p.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			far, err := NewPTY()
			require.NoError(t, err)
			defer far.Close()
			for range 10 {
				cycle(far)
			}
			descriptors, goroutines, before, memory := countFDs(t), runtime.NumGoroutine(), threads(t), heap()
			for range cycles {
				cycle(far)
			}
			settled(t, goroutines)
			require.Equal(t, descriptors, countFDs(t))
			require.LessOrEqual(t, threads(t), before+5)
			grown := int64(heap()) - int64(memory)
			require.Less(t, grown, int64(1<<20))
			t.Logf("%d times: %d descriptors, %d threads, %+d kB", cycles, descriptors, threads(t), grown/1024)
		})
	}
}
