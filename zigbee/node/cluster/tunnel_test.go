package cluster

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/zigbee/node"
	"smets1/zigbee/zcl/se"
)

// tunnelled is a pair with a tunnel between them; the meter answers with what it got, reversed.
type tunnelled struct {
	*pair
	server *TunnelServer
	client *TunnelClient
	got    [][]byte
	failed []error
}

func reversed(b []byte) []byte {
	r := make([]byte, len(b))
	for i := range b {
		r[len(b)-1-i] = b[i]
	}
	return r
}

func newTunnel(t *testing.T, role node.Role, loss int, server *TunnelServer, client *TunnelClient) *tunnelled {
	x := &tunnelled{server: server, client: client}
	if server.Serve == nil {
		server.Serve = func(now time.Time, from wire.EUI64, data []byte, reply func(time.Time, []byte)) {
			require.Equal(t, hubEUI, from)
			reply(now, reversed(data))
		}
	}
	client.Received = func(_ time.Time, from wire.EUI64, data []byte) {
		require.Equal(t, meterEUI, from)
		x.got = append(x.got, append([]byte(nil), data...))
	}
	client.Failed = func(_ time.Time, _ wire.EUI64, err error) { x.failed = append(x.failed, err) }
	x.pair = newPair(t, role, loss, &node.Endpoint{ID: 1, Device: se.DeviceESI, Clusters: []*node.Cluster{client.Cluster()}},
		&node.Endpoint{ID: 1, Device: se.DeviceMetering, Clusters: []*node.Cluster{server.Cluster()}})
	client.Attach(x.hub)
	return x
}

func TestTunnelCarriesBothWays(t *testing.T) {
	for name, tc := range map[string]struct {
		role node.Role
		loss int
		flow bool
	}{
		"router": {node.Router, 0, false}, "sleepy": {node.Sleepy, 0, false}, "flow control": {node.Router, 0, true}, "lossy": {node.Sleepy, 50_000, true},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTunnel(t, tc.role, tc.loss, &TunnelServer{FlowControl: true}, &TunnelClient{FlowControl: tc.flow})
			for _, n := range []int{1, 60, 300, 1500} {
				x.got = nil
				data := bytes.Repeat([]byte{0xA5, byte(n)}, n)[:n]
				x.client.Send(x.now, meterEUI, data)
				require.True(t, x.until(2*time.Minute, func() bool { return len(x.got) > 0 }))
				require.Equal(t, reversed(data), x.got[0])
			}
			require.Equal(t, 1, x.server.Open(), "one tunnel does for all")
			require.Empty(t, x.failed)
		})
	}
}

// What is longer than the server takes at once goes in pieces, in order.
func TestTunnelPieces(t *testing.T) {
	var in []byte
	x := newTunnel(t, node.Router, 50_000, &TunnelServer{MaxIncoming: 100, Serve: func(_ time.Time, _ wire.EUI64, data []byte, _ func(time.Time, []byte)) {
		require.LessOrEqual(t, len(data), 100)
		in = append(in, data...)
	}}, &TunnelClient{})
	data := make([]byte, 950)
	for i := range data {
		data[i] = byte(i)
	}
	x.client.Send(x.now, meterEUI, data)
	require.True(t, x.until(time.Minute, func() bool { return len(in) >= len(data) }))
	require.Equal(t, data, in)
}

func TestTunnelIdleTimeout(t *testing.T) {
	x := newTunnel(t, node.Router, 0, &TunnelServer{Timeout: 30 * time.Second}, &TunnelClient{})
	v := x.read(x.hub, meterEUI, 1, se.Tunneling, 0)
	require.EqualValues(t, 30, v[0].Value.Num)
	x.client.Send(x.now, meterEUI, []byte{1})
	require.True(t, x.until(time.Minute, func() bool { return len(x.got) == 1 }))
	at := x.now
	require.True(t, x.until(time.Minute, func() bool { return x.server.Open() == 0 }))
	require.InDelta(t, 30, x.now.Sub(at).Seconds(), 0.1)
	x.run(time.Second)
	// The next data opens a new one.
	x.client.Send(x.now, meterEUI, []byte{2})
	require.True(t, x.until(time.Minute, func() bool { return len(x.got) == 2 }))
}

// A meter that lost its tunnels in a power cut says so, and gets the data again in a new one.
func TestTunnelLostByTheServer(t *testing.T) {
	x := newTunnel(t, node.Router, 0, &TunnelServer{}, &TunnelClient{})
	x.client.Send(x.now, meterEUI, []byte{1})
	require.True(t, x.until(time.Minute, func() bool { return len(x.got) == 1 }))
	x.server.tunnels = nil
	x.client.Send(x.now, meterEUI, []byte{2, 3})
	require.True(t, x.until(time.Minute, func() bool { return len(x.got) == 2 }))
	require.Equal(t, []byte{3, 2}, x.got[1])
	require.Empty(t, x.failed)
}

func TestTunnelRefusals(t *testing.T) {
	busy := false
	x := newTunnel(t, node.Router, 0, &TunnelServer{Most: 1, MaxIncoming: 50, Busy: func() bool { return busy }}, &TunnelClient{})
	ask := func(m se.RequestTunnel) se.TunnelStatus {
		r := x.command(x.hub, meterEUI, m, 0)
		require.NoError(t, r.Err)
		return r.Command.(se.RequestTunnelResponse).Status
	}
	good := se.RequestTunnel{Manufacturer: se.NoTunnelManufacturer, MaxIncoming: 100}
	bad := good
	bad.Protocol = se.TunnelGBHRGP
	require.Equal(t, se.TunnelNoProtocol, ask(bad))
	bad = good
	bad.FlowControl = true
	require.Equal(t, se.TunnelNoFlowControl, ask(bad))
	busy = true
	require.Equal(t, se.TunnelBusy, ask(good))
	x.client.Send(x.now, meterEUI, []byte{1})
	require.True(t, x.until(time.Minute, func() bool { return len(x.failed) == 1 }))
	require.ErrorIs(t, x.failed[0], se.TunnelBusy)
	busy = false
	require.Equal(t, se.TunnelSuccess, ask(good))
	require.Equal(t, se.TunnelNoMoreIDs, ask(good))

	r := x.command(x.hub, meterEUI, se.TransferData{ID: 77, Data: []byte{1}}, 2)
	require.Equal(t, se.NoSuchTunnel, r.Command.(se.TransferDataError).Status)
	r = x.command(x.hub, meterEUI, se.TransferData{ID: x.server.tunnels[0].id, Data: make([]byte, 51)}, 2)
	require.Equal(t, se.DataOverflow, r.Command.(se.TransferDataError).Status)
	r = x.command(x.hub, meterEUI, se.GetSupportedTunnelProtocols{}, 5)
	require.Equal(t, []se.SupportedProtocol{{Manufacturer: 0xFFFF, Protocol: se.TunnelDLMS}}, r.Command.(se.SupportedTunnelProtocolsResponse).Protocols)
	require.NoError(t, x.command(x.hub, meterEUI, se.CloseTunnel{ID: x.server.tunnels[0].id}).Err)
	require.Zero(t, x.server.Open())
	require.Error(t, x.command(x.hub, meterEUI, se.CloseTunnel{ID: 1}).Err)
}

// A meter that has no room for more says so, and takes the rest when it has room again.
func TestTunnelFlowControl(t *testing.T) {
	var in []byte
	room := 100
	server := &TunnelServer{FlowControl: true, MaxIncoming: 100, Room: func() uint16 { return uint16(room) }}
	server.Serve = func(_ time.Time, _ wire.EUI64, data []byte, _ func(time.Time, []byte)) {
		in = append(in, data...)
		room -= len(data)
	}
	x := newTunnel(t, node.Router, 0, server, &TunnelClient{FlowControl: true})
	data := make([]byte, 350)
	for i := range data {
		data[i] = byte(i)
	}
	x.client.Send(x.now, meterEUI, data)
	x.run(time.Minute)
	require.Equal(t, data[:100], in, "the first piece filled it")
	for n := 200; n <= 400; n += 100 {
		room = 100
		server.Ready(x.now)
		x.run(5 * time.Second)
		require.Len(t, in, min(n, len(data)))
	}
	require.Equal(t, data, in)
	require.Empty(t, x.failed)
	r := x.command(x.hub, meterEUI, se.TransferData{ID: server.tunnels[0].id, Data: make([]byte, 90)}, 2)
	require.Equal(t, se.DataOverflow, r.Command.(se.TransferDataError).Status, "more than there is room for")
}
