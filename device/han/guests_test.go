package han

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/zigbee/ezsp"
	"smets1/zigbee/node"
	"smets1/zigbee/node/ncp"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// The meters of a home join the network of a host that drives a Silicon Labs co-processor, and tell it what they read.
func TestGuestsOfAnEZSPHost(t *testing.T) {
	now := start
	g, err := NewGuests(now, GuestConfig{Config: config(0), Policy: node.Open, WellKnown: true, EZSP: true})
	require.NoError(t, err)
	var events []ncp.HostEvent
	host := ncp.NewHost(ncp.HostConfig{Entropy: rand.NewChaCha8([32]byte{8}), Notify: func(_ time.Time, e ncp.HostEvent) { events = append(events, e) }})
	until := func(limit time.Duration, done func() bool) bool {
		for end := now.Add(limit); !done() && now.Before(end); {
			for {
				down, up := host.Output(), g.Output()
				if len(down)+len(up) == 0 {
					break
				}
				g.Input(now, down)
				host.Input(now, up)
			}
			next := end
			for _, d := range []time.Time{g.Deadline(), host.Deadline()} {
				if !d.IsZero() && d.Before(next) {
					next = d
				}
			}
			if next.After(now) {
				now = next
			}
			g.Advance(now)
			host.Advance(now)
		}
		return done()
	}
	last := func(k ncp.HostEventKind) *ncp.HostEvent {
		for i := len(events) - 1; i >= 0; i-- {
			if events[i].Kind == k {
				return &events[i]
			}
		}
		return nil
	}
	// do waits for what the host is to do.
	do := func(what string, f func(done func(time.Time, error)) error) {
		t.Helper()
		told := false
		require.NoError(t, f(func(_ time.Time, err error) { require.NoError(t, err, what); told = true }))
		require.True(t, until(10*time.Second, func() bool { return told }), what)
	}
	require.NoError(t, host.Start(now))
	require.True(t, until(time.Second, func() bool { return last(ncp.Identified) != nil }))
	require.Equal(t, hubEUI, host.Stick().EUI)
	do("form", func(done func(time.Time, error)) error {
		return host.Form(now, ncp.Network{Channel: 15, PAN: 0x1AAA, In: []uint16{uint16(se.Basic)}, Out: []uint16{uint16(se.Metering)}}, done)
	})
	for _, e := range []wire.EUI64{esmeEUI, gsmeEUI} {
		do("admit", func(done func(time.Time, error)) error { return host.Admit(now, e, security.WellKnownLinkKey(), done) })
	}
	do("permit", func(done func(time.Time, error)) error { return host.Permit(now, 4*time.Minute, done) })
	require.True(t, until(2*time.Minute, func() bool { return g.Joined(esmeEUI) && g.Joined(gsmeEUI) }))

	var short uint16
	for _, e := range events {
		if e.Device == esmeEUI && e.Short != 0 {
			short = e.Short
		}
	}
	require.NotZero(t, short)
	ask, err := zcl.AppendGlobal(nil, zcl.Header{Sequence: 9}, zcl.ReadAttributes{IDs: []zcl.Attr{0}})
	require.NoError(t, err)
	events = nil
	do("read", func(done func(time.Time, error)) error {
		return host.Send(now, short, ezsp.APSFrame{Profile: 0x0104, Cluster: uint16(se.Metering), SrcEndpoint: 1, DstEndpoint: 1, Options: ezsp.OptionRetry}, ask, done)
	})
	require.True(t, until(10*time.Second, func() bool { return last(ncp.Arrived) != nil }))
	m := last(ncp.Arrived).Message.Message
	require.Equal(t, []byte{0x18, 9, 1, 0, 0, 0, 0x25}, m[:7])
	var got uint64
	for i := range 6 {
		got |= uint64(m[7+i]) << (8 * i)
	}
	require.InDelta(t, 1_000_000+now.Sub(start).Seconds(), float64(got), 5)
}
