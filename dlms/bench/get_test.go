package bench

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/client"
)

// rounds is into how many parts a run is cut. GETs and echoes take turns, so
// that whatever else the machine does meets both.
const rounds = 10

type exchanger interface{ exchange() error }

// all does n exchanges over all connections at once and gives what that took.
func all[E exchanger](b *testing.B, conns []E, n int) (elapsed, processor time.Duration) {
	start, cpu := time.Now(), processorTime()
	if len(conns) == 1 {
		for range n {
			if err := conns[0].exchange(); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start), processorTime() - cpu
	}
	var wg sync.WaitGroup
	errs := make(chan error, len(conns))
	for i, c := range conns {
		share := n / len(conns)
		if i < n%len(conns) {
			share++
		}
		wg.Go(func() {
			for range share {
				if err := c.exchange(); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		b.Fatal(err)
	default:
	}
	return time.Since(start), processorTime() - cpu
}

// BenchmarkGet is one GET of a register, over one connection and over 100 at
// once; and asked of the Python server of gurux-dlms, where
// SMETS1_INTEROP_PYTHON names a Python that has it (make interop installs one).
func BenchmarkGet(b *testing.B) {
	if python := os.Getenv("SMETS1_INTEROP_PYTHON"); python != "" {
		b.Run("gurux-python", func(b *testing.B) { benchmarkGurux(b, python) })
	}
	for _, link := range []string{"wrapper", "hdlc"} {
		for _, safety := range []string{"plain", "suite0"} {
			for _, conns := range []int{1, 100} {
				b.Run(fmt.Sprintf("%s/%s/conns=%d", link, safety, conns), func(b *testing.B) {
					benchmarkGet(b, link == "hdlc", safety == "suite0", conns)
				})
			}
		}
	}
}

func benchmarkGet(b *testing.B, onLine, secured bool, conns int) {
	address := meters(b, onLine)
	gets := make([]*session, conns)
	for i := range gets {
		gets[i] = dial(b, address, onLine, secured)
	}
	request, reply := gets[0].sizes()
	echoAddress := echoes(b, request, reply)
	plain := make([]*echo, conns)
	for i := range plain {
		plain[i] = dialEcho(b, echoAddress, request, reply)
	}
	warm := 20 * conns
	all(b, gets, warm)
	all(b, plain, warm)

	var get, echo, getCPU, echoCPU time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	for left, round := b.N, rounds; left > 0; round-- {
		n := (left + round - 1) / round
		left -= n
		d, cpu := all(b, gets, n)
		b.StopTimer()
		get, getCPU = get+d, getCPU+cpu
		d, cpu = all(b, plain, n)
		echo, echoCPU = echo+d, echoCPU+cpu
		b.StartTimer()
	}
	b.StopTimer()
	require.Positive(b, get)
	b.ReportMetric(float64(b.N)/get.Seconds(), "GET/s")
	b.ReportMetric(float64(b.N)/echo.Seconds(), "echo/s")
	b.ReportMetric(echo.Seconds()/get.Seconds(), "x-echo")
	b.ReportMetric(float64(echoCPU)/float64(max(getCPU, 1)), "x-echo-cpu")
	b.ReportMetric(float64((getCPU-echoCPU).Nanoseconds())/float64(b.N)/1e3, "µs-over-echo")
}

// BenchmarkClient is one GET by the client of this module, which checks what
// the bare load of BenchmarkGet leaves out.
func BenchmarkClient(b *testing.B) {
	for _, secured := range []bool{false, true} {
		name := "plain"
		if secured {
			name = "suite0"
		}
		b.Run(name, func(b *testing.B) {
			conn, err := net.Dial("tcp", meters(b, false))
			require.NoError(b, err)
			line := client.NewWrapper(conn)
			defer line.Close()
			cfg, sap := client.Config{}, uint16(clientPlain)
			if secured {
				cfg, sap = client.Config{Keys: keys, SystemTitle: clientTitle}, clientSecured
			}
			c, err := client.Associate(b.Context(), line.Link(sap, 1), cfg)
			require.NoError(b, err)
			buf, err := c.AppendGet(b.Context(), nil, energy, client.Selection{})
			require.NoError(b, err)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if buf, err = c.AppendGet(b.Context(), buf[:0], energy, client.Selection{}); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "GET/s")
		})
	}
}
