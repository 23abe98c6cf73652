package fleet

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/internal/clock"
)

// Every home answers at its own address of the loopback network, over real TCP, with the
// wrapper; what is not there hangs up. No goroutine is left of a home nobody talks to.
func TestHomesOverTCP(t *testing.T) {
	m := demo(t)
	require.NoError(t, m.Resize(40))
	var mu sync.Mutex
	taps := map[string]int{}
	w := open(t, m, Options{Listen: true, Port: -1, Tap: func(home string, toHub bool, b []byte) {
		mu.Lock()
		defer mu.Unlock()
		taps[fmt.Sprint(home, toHub)] += len(b)
	}})
	idle := runtime.NumGoroutine()
	var wg sync.WaitGroup
	answered := make(chan string, m.Len())
	for e := range w.Inventory() {
		if e.WakeUp != "none" && e.Name != "ioc-no-wan" {
			w.wake(e.Name)
		}
		address, ok := strings.CutPrefix(e.Address, "tcp://")
		if !ok {
			continue // on a serial line
		}
		wg.Go(func() {
			nc, err := net.Dial("tcp", address)
			if err != nil {
				return
			}
			wr := client.NewWrapper(nc)
			defer func() { _ = wr.Close() }()
			c, err := client.Associate(t.Context(), wr.Link(0x10, 1), client.Config{})
			if err != nil {
				return
			}
			got, err := c.GetString(t.Context(), cosem.Attribute{Class: cosem.ClassData, Instance: cosem.OBIS{0, 0, 42, 0, 0, 255}, ID: 2})
			h, _ := w.byName(e.Name)
			if err == nil && got == h.hub.LogicalName() {
				answered <- e.Name
			}
		})
	}
	wg.Wait()
	close(answered)
	names := map[string]bool{}
	for n := range answered {
		names[n] = true
	}
	require.Len(t, names, 38, "all but the one on a serial line and the one without WAN")
	require.False(t, names["ioc-no-wan"])
	mu.Lock()
	require.Positive(t, taps["foc-clock-offtrue"])
	require.Positive(t, taps["foc-clock-offfalse"])
	mu.Unlock()
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= idle+1 }, 5*time.Second, 5*time.Millisecond)

	// An address without a home hangs up.
	port := w.address(0).Port()
	nc, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.83.200.1"), port).String())
	require.NoError(t, err)
	_, err = nc.Read(make([]byte, 1))
	require.Error(t, err)
	_ = nc.Close()

	_, err = Open(t.Context(), m, Options{Listen: true, Port: int(port)})
	require.ErrorContains(t, err, "another port")
}

// A client that sends junk, or half a unit, harms nobody.
func TestJunkOnAConnection(t *testing.T) {
	w := open(t, demo(t), Options{})
	for _, junk := range []string{"\x00", "GET / HTTP/1.1\r\n\r\n", strings.Repeat("\xFF", 5000), "\x00\x01\x00\x10\x00\x01\xFF\xFF"} {
		nc, err := w.Dial("foc-clock-off")
		require.NoError(t, err)
		_, err = nc.Write([]byte(junk))
		require.NoError(t, err)
		_ = nc.Close()
	}
	c := w.manage("foc-clock-off", "hub", client.CountFrom(1))
	_, err := c.GetString(t.Context(), cosem.Attribute{Class: cosem.ClassData, Instance: core.SerialName, ID: 2})
	require.NoError(t, err)
}

func TestBadOptions(t *testing.T) {
	m := demo(t)
	for want, o := range map[string]Options{
		"lies in 127.0.0.0/8": {ListenNet: netip.MustParsePrefix("10.0.0.0/8")},
		"lies in 127.0.0.0/7": {ListenNet: netip.MustParsePrefix("126.0.0.0/7")},
		"has addresses for 6": {Listen: true, ListenNet: netip.MustParsePrefix("127.83.0.0/29")},
		"no TCP port 70000":   {Listen: true, Port: 70000},
		"folder of serial":    {PTYDir: "/proc/nowhere"},
	} {
		_, err := Open(t.Context(), m, o)
		require.ErrorContains(t, err, strings.ReplaceAll(want, "/7", "/8"))
	}
}

// BenchmarkGet is a ciphered GET of the hub's serial number over loopback TCP.
func BenchmarkGet(b *testing.B) {
	m := demo(b)
	f, err := Open(b.Context(), m, Options{Listen: true, Port: -1, Clock: clock.NewScaled(m.start, 1)})
	require.NoError(b, err)
	defer func() { require.NoError(b, f.Close()) }()
	i, _ := m.find("foc-clock-off")
	e := f.entry(i)
	nc, err := net.Dial("tcp", strings.TrimPrefix(e.Address, "tcp://"))
	require.NoError(b, err)
	wr := client.NewWrapper(nc)
	defer func() { _ = wr.Close() }()
	c, err := client.Associate(b.Context(), wr.Link(1, 1), client.Config{Mechanism: 5, Keys: m.keys(e.Devices[0].EUI), SystemTitle: clientTitle})
	require.NoError(b, err)
	at := cosem.Attribute{Class: cosem.ClassData, Instance: core.SerialName, ID: 2}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Get(b.Context(), at); err != nil {
			b.Fatal(err)
		}
	}
}
