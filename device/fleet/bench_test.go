package fleet

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/clock"
)

// BenchmarkEcho is the anchor: a message of the size of a ciphered GET there and back, in memory.
func BenchmarkEcho(b *testing.B) {
	near, far := net.Pipe()
	done := make(chan error, 1)
	go func() {
		buf := make([]byte, 64)
		for {
			n, err := far.Read(buf)
			if err == nil {
				_, err = far.Write(buf[:n])
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	buf := make([]byte, 44)
	for b.Loop() {
		_, err := near.Write(buf)
		for n := 0; n < len(buf) && err == nil; {
			var m int
			m, err = near.Read(buf)
			n += m
		}
		require.NoError(b, err)
	}
	require.NoError(b, errors.Join(near.Close(), far.Close()))
	<-done
}

// BenchmarkHomes tells what homes cost: those that exist only as a row of the manifest, those
// that are in memory, and those that somebody has changed and that rest again.
func BenchmarkHomes(b *testing.B) {
	for _, homes := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(homes), func(b *testing.B) {
			m := demo(b)
			require.NoError(b, m.Resize(homes))
			for b.Loop() {
				var f *Fleet
				var took time.Duration
				rest := heapOf(func() {
					began := time.Now()
					var err error
					f, err = Open(b.Context(), m, Options{Clock: clock.NewStepped(m.start), ByHand: true, HAN: HANMemory})
					require.NoError(b, err)
					took = time.Since(began)
				})
				b.ReportMetric(took.Seconds()*1e3, "ms/start")
				b.ReportMetric(float64(rest)/float64(homes), "B/home-at-rest")
				const used = 1000
				change := func() {
					for i := range used {
						require.NoError(b, f.with(i*(homes/used), func(h *home, now time.Time) error {
							for _, u := range h.units() {
								u.SetClock(now, now)
								h.flush(u)
							}
							return nil
						}))
					}
				}
				awake, began := uint64(0), time.Now()
				rested := heapOf(func() {
					awake = heapOf(change)
					b.ReportMetric(float64(time.Since(began).Microseconds())/used, "µs/home-made")
					require.NoError(b, f.Run(b.Context(), m.start.Add(time.Hour)))
				})
				require.Equal(b, used, f.Counts().Resting)
				b.ReportMetric(float64(awake)/used, "B/home-in-memory")
				b.ReportMetric(float64(rested)/used, "B/home-changed-at-rest")
				require.NoError(b, f.Close())
			}
		})
	}
}

// BenchmarkLiveHomes has homes live through half an hour in each round.
func BenchmarkLiveHomes(b *testing.B) {
	for _, x := range []struct {
		name, han, display string
		homes              int
	}{{"memory", HANMemory, "no", 1000}, {"radio", HANRadio, "no", 10}, {"radio-and-displays", HANRadio, "yes", 10}} {
		b.Run(x.name, func(b *testing.B) {
			m, err := ParseManifest("m", fmt.Appendf(nil, `schema: 1
name: live
seed: 1
start: 2019-07-15T07:00:00Z
cohorts: [{name: foc, profile: foc-mesh, count: %d, live: "yes", display: %q}]
`, x.homes, x.display))
			require.NoError(b, err)
			f, err := Open(b.Context(), m, Options{Clock: clock.NewStepped(m.start), ByHand: true, HAN: x.han})
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, f.Run(b.Context(), f.clock.Now().Add(30*time.Minute)))
			}
			took := b.Elapsed().Seconds()
			b.ReportMetric(float64(b.N*x.homes)/48/took, "home-days/s")
			b.ReportMetric(float64(f.Frames())/took, "frames/s")
			require.NoError(b, f.Close())
		})
	}
}
