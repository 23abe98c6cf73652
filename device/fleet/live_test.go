package fleet

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/internal/clock"
)

// Hubs of live homes call home once a day, each at its own time: they are on line, say so
// in their logs, and answer a head end that waits for them.
func TestHubsCallHome(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	m, err := ParseManifest("m.yaml", []byte(`schema: 1
name: live
seed: 7
start: 2019-07-15T07:00:00Z
cohorts:
  - {name: foc, profile: foc-mesh, count: 5, live: "yes"}
  - {name: ioc, profile: ioc-dlms, count: 2, live: "yes"}
  - {name: moc, profile: moc-secure, count: 1, live: "yes", faults: [no-wan]}
  - {name: asleep, profile: foc-mesh, count: 3}
`))
	require.NoError(t, err)
	f, err := Open(t.Context(), m, Options{Clock: clock.NewStepped(m.start), ByHand: true, HAN: HANMemory, HeadEnd: l.Addr().String()})
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	require.NoError(t, f.Run(t.Context(), m.start.Add(24*time.Hour)))
	names := map[string]bool{}
	for range 7 { // two of them sleep again when the connection is there
		nc, err := l.Accept()
		require.NoError(t, err)
		w := client.NewWrapper(nc)
		if c, err := client.Associate(t.Context(), w.Link(0x10, 1), client.Config{}); err == nil {
			name, err := c.GetString(t.Context(), cosem.Attribute{Class: cosem.ClassData, Instance: cosem.OBIS{0, 0, 42, 0, 0, 255}, ID: 2})
			require.NoError(t, err)
			names[name] = true
		}
		_ = w.Close()
	}
	require.Len(t, names, 5)
	at := map[int64]bool{}
	for i := range m.Len() {
		s := m.spec(i)
		if s.cohort == "asleep" {
			continue
		}
		h, err := f.home(i)
		require.NoError(t, err)
		calls := 0
		for _, e := range h.hub.Log().Entries() {
			if e.Code == core.EventCalledHome {
				calls++
				at[e.At] = true
			}
		}
		require.Equal(t, map[string]int{"ioc": 1}[s.cohort], calls, s.name)
	}
	require.Len(t, at, 2, "each at its own time")
	require.Equal(t, 8, f.Counts().Awake)
}
