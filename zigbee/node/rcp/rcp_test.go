package rcp

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/transport/radio/air"
	"smets1/zigbee/node"
	"smets1/zigbee/spinel"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

var (
	start = time.Date(2019, 7, 15, 8, 0, 0, 0, time.UTC)
	hub   = wire.MustEUI64("00-DB-12-34-56-78-90-A0")
	meter = wire.MustEUI64("00-DB-12-34-56-78-90-A1")
)

// lateClient is a node that is made after its radio.
type lateClient struct{ *node.Node }

// dongle is a node on a Host, whose co-processor is a Server on an air: two ends of a serial line.
type dongle struct {
	host   *Host
	server *Server
	client *lateClient
}

func (d *dongle) shuttle(now time.Time) {
	for {
		a, b := d.host.Output(), d.server.Output()
		if len(a)+len(b) == 0 {
			return
		}
		for len(a) > 0 { // octets come in pieces over a line
			n := min(len(a), 7)
			d.server.Input(now, a[:n])
			a = a[n:]
		}
		d.host.Input(now, b)
	}
}

func TestNodeOnACoProcessor(t *testing.T) {
	for _, role := range []node.Role{node.Router, node.Sleepy} {
		t.Run(role.String(), func(t *testing.T) {
			a := air.New(air.Config{Seed: 1})
			newNode := func(c node.Config) *node.Node {
				c.Policy, c.Channels, c.Entropy = node.Open, 1<<15, rand.NewChaCha8([32]byte{c.EUI[7]})
				n, err := node.New(c)
				require.NoError(t, err)
				return n
			}
			coordinator := newNode(node.Config{EUI: hub, Role: node.Coordinator, Endpoints: []*node.Endpoint{{ID: 1}}})
			require.NoError(t, coordinator.Start(start, a.Open(coordinator), nil))

			keyed := false
			d := &dongle{server: &Server{EUI: meter}, client: &lateClient{}}
			d.server.Attach(start, a.Open(d.server))
			d.host = NewHost(d.client)
			d.client.Node = newNode(node.Config{
				EUI: meter, Role: role, Notify: func(_ time.Time, e node.Event) { keyed = keyed || e.Kind == node.Keyed },
				Endpoints: []*node.Endpoint{{ID: 1, Device: se.DeviceMetering, Clusters: []*node.Cluster{{Spec: &node.Spec{ID: se.Metering, Server: true, Attributes: []node.Attribute{
					{ID: 0, Type: zcl.Uint48, Get: node.Fixed(zcl.Unsigned(zcl.Uint48, 4711))},
				}}}}}},
			})
			require.NoError(t, d.client.Start(start, d.host, nil))
			d.shuttle(start)
			require.Equal(t, Version, d.host.Version())
			require.Equal(t, 1, d.host.Resets())

			now := start
			until := func(limit time.Duration, done func() bool) bool {
				for end := now.Add(limit); !done() && now.Before(end); {
					next := end
					for _, x := range []time.Time{a.Deadline(), coordinator.Deadline(), d.client.Deadline(), d.host.Deadline()} {
						if !x.IsZero() && x.Before(next) {
							next = x
						}
					}
					now = next
					a.Advance(now)
					d.shuttle(now)
					coordinator.Advance(now)
					d.client.Advance(now)
					d.host.Advance(now)
					d.shuttle(now)
				}
				return done()
			}
			require.NoError(t, coordinator.PermitJoin(now, time.Minute))
			require.NoError(t, d.client.Join(now))
			d.shuttle(now)
			require.True(t, until(time.Minute, func() bool { return keyed }))
			var got *node.Response
			require.NoError(t, coordinator.Request(now, &node.Request{
				To: meter, Endpoint: 1, From: 1, Cluster: se.Metering, Global: zcl.ReadAttributes{IDs: []zcl.Attr{0}}, Done: func(r node.Response) { got = &r },
			}))
			require.True(t, until(time.Minute, func() bool { return got != nil }))
			require.NoError(t, got.Err)
			require.EqualValues(t, 4711, got.Global.(zcl.ReadAttributesResponse).Attributes[0].Value.Num)
		})
	}
}

type sink struct {
	err  error
	sent int
}

func (*sink) Received(time.Time, []byte, int8, uint8) {}
func (s *sink) Sent(_ time.Time, _ bool, err error)   { s.sent, s.err = s.sent+1, err }

func TestSilentCoProcessor(t *testing.T) {
	s := &sink{}
	h := NewHost(s)
	require.NoError(t, h.Transmit(start, make([]byte, 10), 3))
	require.ErrorIs(t, h.Transmit(start, make([]byte, 10), 3), ErrBusy)
	h.Advance(h.Deadline())
	require.ErrorIs(t, s.err, ErrNoAnswer)
	require.Equal(t, 1, s.sent)
	require.True(t, h.Deadline().IsZero())
}

func TestServerAnswers(t *testing.T) {
	a := air.New(air.Config{})
	s := &Server{EUI: meter}
	s.Attach(start, a.Open(s))
	ask := func(f spinel.Frame) spinel.Frame {
		b, err := f.AppendBinary(nil)
		require.NoError(t, err)
		s.Input(start, spinel.AppendHDLC(nil, b))
		var d spinel.Decoder
		frame, _, err := d.Feed(s.Output())
		require.NoError(t, err)
		r, _, err := spinel.ParseFrame(frame)
		require.NoError(t, err)
		r.Value = bytes.Clone(r.Value)
		return r
	}
	reset, err := spinel.Frame{Command: spinel.CommandReset}.AppendBinary(nil)
	require.NoError(t, err)
	s.Input(start, spinel.AppendHDLC(nil, reset))
	require.Contains(t, string(s.Output()), "\x80\x06\x00\x72")
	require.Equal(t, []byte{4, 3}, ask(spinel.Frame{Transaction: 1, Command: spinel.CommandGet, Property: spinel.PropProtocolVersion}).Value)
	for _, p := range []spinel.Property{spinel.PropNCPVersion, spinel.PropInterfaceType, spinel.PropRCPAPIVersion, spinel.PropRCPMinHostAPI, spinel.PropHardwareAddress,
		spinel.PropPhyCCAThreshold, spinel.PropPhyTxPower, spinel.PropPhyRSSI, spinel.PropPhySensitivity, spinel.PropPhyChannels, spinel.PropPhyEnabled, spinel.PropMACPANID} {
		r := ask(spinel.Frame{Transaction: 2, Command: spinel.CommandGet, Property: p})
		require.Equal(t, p, r.Property)
		require.EqualValues(t, 2, r.Transaction)
	}
	status := func(r spinel.Frame) spinel.Status {
		require.Equal(t, spinel.PropLastStatus, r.Property)
		v, _, err := spinel.ParseStatus(r.Value)
		require.NoError(t, err)
		return v
	}
	require.Equal(t, spinel.StatusPropertyNotFound, status(ask(spinel.Frame{Transaction: 3, Command: spinel.CommandGet, Property: 0x1777})))
	require.Equal(t, spinel.StatusInvalidArgument, status(ask(spinel.Frame{Transaction: 3, Command: spinel.CommandSet, Property: spinel.PropPhyChannel, Value: []byte{9}})))
	require.Equal(t, spinel.StatusParseError, status(ask(spinel.Frame{Transaction: 3, Command: spinel.CommandSet, Property: spinel.PropStreamRaw, Value: []byte{1}})))
	v, err := spinel.TransmitRequest{Frame: make([]byte, 10), Channel: 15}.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, spinel.StatusInvalidState, status(ask(spinel.Frame{Transaction: 3, Command: spinel.CommandSet, Property: spinel.PropStreamRaw, Value: v})), "the raw stream is off")
}
