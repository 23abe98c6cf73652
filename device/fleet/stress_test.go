package fleet

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/internal/clock"
)

// Clients on addresses and on the one port, messages, cuts of power, snapshots and the time
// all go on at once: nobody waits for anybody for good, and every answer is right.
func TestEverythingAtOnce(t *testing.T) {
	m, err := ParseManifest("m.yaml", []byte(`schema: 1
name: busy
seed: 3
start: 2019-07-15T07:00:00Z
cohorts:
  - {name: foc, profile: foc-mesh, count: 12, live: {"yes": 1, "no": 3}}
  - {name: moc, profile: moc-secure, count: 4}
`))
	require.NoError(t, err)
	f, err := Open(t.Context(), m, Options{Clock: clock.NewStepped(m.start), ByHand: true, Rest: time.Minute, Shards: 3})
	require.NoError(t, err)
	name := cosem.Attribute{Class: cosem.ClassData, Instance: cosem.OBIS{0, 0, 42, 0, 0, 255}, ID: 2}
	var all []Entry
	for e := range f.Inventory() {
		all = append(all, e)
	}
	errs := make(chan error, 1000)
	var clients, others sync.WaitGroup
	stop := make(chan struct{})
	again := func(do func(n int) error) {
		others.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := do(n); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	again(func(int) error { return f.Run(t.Context(), f.clock.Now().Add(7*time.Second)) })
	again(func(int) error { return f.Snapshot(io.Discard) })
	again(func(n int) error { return f.SMS(t.Context(), all[12+n%4].MSISDN) })
	again(func(n int) error { _, err := f.Status(all[n%len(all)].Name); return err })
	again(func(int) error { f.Counts(); f.Next(); f.Frames(); return nil })
	for n := range 6 {
		clients.Go(func() {
			for k := range 25 {
				e := all[(n*25+k)%12]
				dial := func() (net.Conn, error) { return f.Dial(e.Name) }
				if n%2 == 0 {
					dial = f.DialGateway
				}
				nc, err := dial()
				if err != nil {
					errs <- err
					return
				}
				w := client.NewWrapper(nc)
				l := w.Link(0x10, 1)
				if n%2 == 0 {
					l = client.Behind(l, 1, e.Devices[0].EUI[:])
				}
				c, err := client.Associate(t.Context(), l, client.Config{})
				if err == nil {
					var got string
					if got, err = c.GetString(t.Context(), name); err == nil && got != fmt.Sprintf("TRL1%X", e.Devices[0].EUI[2:]) {
						err = fmt.Errorf("%s says that it is %s", e.Name, got)
					}
				}
				_ = w.Close()
				if err != nil {
					errs <- fmt.Errorf("%s: %w", e.Name, err)
					return
				}
			}
		})
	}
	clients.Wait()
	close(stop)
	others.Wait()
	require.NoError(t, f.Close())
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}
