package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/internal/clock"
	"smets1/transport/radio"
)

const liveHomes = `schema: 1
name: live
seed: 7
start: 2019-07-15T07:00:00Z
cohorts:
  - {name: ioc, profile: ioc-dlms, count: 2, live: "yes"}
  - {name: moc, profile: moc-secure, count: 1, live: "yes", payment: prepayment, display: "no"}
  - {name: foc, profile: foc-mesh, count: 2, live: {"yes": 1, "no": 1}}
`

// The same manifest gives the same bytes, whatever the number of processors and of
// shards, and whether the time goes in one stride or in many: each frame on the air with
// its time, and each record that was written.
func TestSameBytesOnAnyNumberOfCores(t *testing.T) {
	run := func(cores, shards int, steps ...time.Duration) string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		m, err := ParseManifest("m.yaml", []byte(liveHomes))
		require.NoError(t, err)
		var mu sync.Mutex
		air := map[string]hash.Hash{}
		nv := &core.Memory{}
		f, err := Open(t.Context(), m, Options{
			Clock: clock.NewStepped(m.start), ByHand: true, HAN: HANRadio, Shards: shards, NV: nv, HANLoss: 1000,
			RadioTap: func(home string, x radio.Frame) {
				mu.Lock()
				defer mu.Unlock()
				if air[home] == nil {
					air[home] = sha256.New()
				}
				_, _ = fmt.Fprintf(air[home], "%d %x\n", x.Start.UnixNano(), x.PSDU)
			},
		})
		require.NoError(t, err)
		require.Equal(t, 4, f.Counts().Awake)
		for _, s := range steps {
			require.NoError(t, f.Run(t.Context(), f.clock.Now().Add(s)))
		}
		require.Equal(t, m.start.Add(4*time.Minute), f.clock.Now())
		require.NoError(t, f.Close())
		out := ""
		for i := range m.Len() {
			name := m.spec(i).name
			if air[name] == nil {
				continue
			}
			out += name + " " + hex.EncodeToString(air[name].Sum(nil)) + "\n"
			s := m.spec(i)
			for role := range uint32(4) {
				for _, key := range []string{s.eui(role).String(), radioKey(s.eui(role))} {
					v, err := nv.Load(key)
					require.NoError(t, err)
					out += fmt.Sprintf("%s %x\n", key, v)
				}
			}
		}
		return out
	}
	one := run(1, 1, 4*time.Minute)
	require.Greater(t, len(one), 2000)
	require.Equal(t, one, run(2, 64, 4*time.Minute))
	require.Equal(t, one, run(2, 3, 7*time.Second, 2*time.Minute-7*time.Second, 2*time.Minute))
}

func TestRunIsForFleetsByHand(t *testing.T) {
	m := demo(t)
	_, err := Open(t.Context(), m, Options{ByHand: true})
	require.ErrorContains(t, err, "stepped")
	w := open(t, m, Options{})
	require.ErrorContains(t, w.Run(t.Context(), m.start.Add(time.Hour)), "ByHand")
	_, ok := w.Next()
	require.False(t, ok)
}
