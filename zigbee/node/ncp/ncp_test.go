package ncp

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/transport/radio"
	"smets1/transport/radio/air"
	"smets1/zigbee/ash"
	"smets1/zigbee/ezsp"
	"smets1/zigbee/node"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

var (
	stickEUI = wire.MustEUI64("00-0D-6F-00-12-34-56-78")
	meterEUI = wire.MustEUI64("00-DB-12-34-56-78-90-A1")
	start    = time.Date(2019, 7, 15, 8, 0, 0, 0, time.UTC)
)

// authority mints certificates.
type authority struct {
	ca   security.SimulatorCA
	id   wire.EUI64
	rand *rand.ChaCha8
}

func newAuthority(t *testing.T) *authority {
	a := &authority{rand: rand.NewChaCha8([32]byte{4}), id: wire.EUI64([]byte("TESTSECA"))}
	key, err := security.GeneratePrivateKey(a.rand, security.Suite1)
	require.NoError(t, err)
	a.ca, err = security.NewSimulatorCA(key)
	require.NoError(t, err)
	return a
}

func (a *authority) identity(t *testing.T, e wire.EUI64) node.Identity {
	c, key, err := a.ca.Mint(a.rand, security.Certificate1{Subject: e, Issuer: a.id, Attributes: [10]byte{1, 9}})
	require.NoError(t, err)
	return node.Identity{Certificate: c, Key: key, Authorities: map[wire.EUI64]security.PublicKey{a.id: a.ca.Public()}}
}

// bench is a host, a co-processor on an air, and what else is on the air, in the test's own time.
type bench struct {
	t      *testing.T
	now    time.Time
	air    *air.Air
	server *Server
	host   *Host
	others []*node.Node
	events []HostEvent
}

func newBench(t *testing.T, c ServerConfig, identity node.Identity) *bench {
	b := &bench{t: t, now: start, air: air.New(air.Config{Seed: 1})}
	c.EUI, c.Entropy = stickEUI, rand.NewChaCha8([32]byte{7})
	b.server = NewServer(c)
	b.server.Attach(b.now, b.air.Open(b.server))
	b.host = NewHost(HostConfig{Identity: identity, Entropy: rand.NewChaCha8([32]byte{8}), Notify: func(_ time.Time, e HostEvent) { b.events = append(b.events, e) }})
	return b
}

func (b *bench) add(c node.Config) *node.Node {
	c.Entropy = rand.NewChaCha8([32]byte{c.EUI[7]})
	n, err := node.New(c)
	require.NoError(b.t, err)
	require.NoError(b.t, n.Start(b.now, b.air.Open(n), nil))
	b.others = append(b.others, n)
	return n
}

func (b *bench) shuttle() {
	for {
		down, up := b.host.Output(), b.server.Output()
		if len(down)+len(up) == 0 {
			return
		}
		for len(down) > 0 { // octets come in pieces over a line
			n := min(len(down), 7)
			b.server.Input(b.now, down[:n])
			down = down[n:]
		}
		b.host.Input(b.now, up)
	}
}

func (b *bench) until(limit time.Duration, done func() bool) bool {
	for end := b.now.Add(limit); !done() && b.now.Before(end); {
		b.shuttle()
		next := earlier(earlier(end, b.air.Deadline()), earlier(b.server.Deadline(), b.host.Deadline()))
		for _, n := range b.others {
			next = earlier(next, n.Deadline())
		}
		if next.After(b.now) {
			b.now = next
		}
		b.air.Advance(b.now)
		b.server.Advance(b.now)
		b.host.Advance(b.now)
		for _, n := range b.others {
			n.Advance(b.now)
		}
		b.shuttle()
	}
	return done()
}

func (b *bench) saw(k HostEventKind) bool {
	for _, e := range b.events {
		if e.Kind == k {
			return true
		}
	}
	return false
}

func (b *bench) last(k HostEventKind) HostEvent {
	for i := len(b.events) - 1; i >= 0; i-- {
		if b.events[i].Kind == k {
			return b.events[i]
		}
	}
	b.t.Fatalf("no event %d in %+v", k, b.events)
	return HostEvent{}
}

// good is a done that must be told success; it gives whether it was.
func (b *bench) good() (func(time.Time, error), func() bool) {
	told := false
	return func(_ time.Time, err error) { require.NoError(b.t, err); told = true }, func() bool { return told }
}

func (b *bench) start() {
	require.NoError(b.t, b.host.Start(b.now))
	require.True(b.t, b.until(time.Second, func() bool { return b.saw(Identified) }), "%+v", b.events)
}

func (b *bench) form() {
	done, told := b.good()
	require.NoError(b.t, b.host.Form(b.now, Network{Channel: 15, PAN: 0x1AAA, In: []uint16{uint16(se.Basic)}, Out: []uint16{uint16(se.Metering)}}, done))
	require.True(b.t, b.until(time.Second, func() bool { return told() && b.saw(NetworkUp) }), "%+v", b.events)
}

// A meter of Smart Energy joins through a stick with its install code; the key is established by the host, and its register
// is read under that key and not without.
func TestHostAdmitsAndReadsAMeter(t *testing.T) {
	ca := newAuthority(t)
	b := newBench(t, ServerConfig{}, ca.identity(t, stickEUI))
	none := func(time.Time, []byte, error) {}
	require.ErrorIs(t, b.host.Do(b.now, ezsp.CmdNop, nil, none), ErrNotReady)
	b.start()
	require.Equal(t, Stick{Reset: ash.ReasonSoftware, Protocol: 13, Stack: 0x7400, Release: Release, EUI: stickEUI}, b.host.Stick())
	b.form()

	code, err := security.ParseInstallCode("83FED3407A939723A5C639B26916D505C3B5")
	require.NoError(t, err)
	events := map[node.EventKind]bool{}
	meter := b.add(node.Config{
		EUI: meterEUI, Role: node.Router, Channels: 1 << 15, LinkKey: code.LinkKey(), Identity: ca.identity(t, meterEUI),
		Notify: func(_ time.Time, e node.Event) { events[e.Kind] = true },
		Endpoints: []*node.Endpoint{{ID: 1, Device: se.DeviceMetering, Clusters: []*node.Cluster{{Spec: &node.Spec{
			ID: se.Metering, Server: true, Attributes: []node.Attribute{{ID: 0, Type: zcl.Uint48, Get: node.Fixed(zcl.Unsigned(zcl.Uint48, 123456))}},
		}}}}},
	})
	// Without its install code there is no way in.
	open, opened := b.good()
	require.NoError(t, b.host.Permit(b.now, time.Minute, open))
	require.True(t, b.until(time.Second, opened))
	require.NoError(t, meter.Join(b.now))
	require.True(t, b.until(30*time.Second, func() bool { return b.saw(DeviceRefused) }))
	require.False(t, events[node.Joined])

	admit, admitted := b.good()
	require.NoError(t, b.host.Admit(b.now, meterEUI, code.LinkKey(), admit))
	require.True(t, b.until(time.Second, admitted))
	require.NoError(t, b.host.Permit(b.now, 4*time.Minute, open))
	require.NoError(t, meter.Join(b.now))
	require.True(t, b.until(time.Minute, func() bool { return b.saw(DeviceKeyed) && events[node.Keyed] }), "%+v", b.events)
	e := b.last(DeviceKeyed)
	require.Equal(t, meterEUI, e.Device)
	ours, ok := meter.LinkKey(stickEUI)
	require.True(t, ok)
	require.True(t, ours.Equal(b.server.Node().LinkKeys()[meterEUI]))

	ask, err := zcl.AppendGlobal(nil, zcl.Header{Sequence: 9}, zcl.ReadAttributes{IDs: []zcl.Attr{0}})
	require.NoError(t, err)
	a := ezsp.APSFrame{Profile: se.Profile, Cluster: uint16(se.Metering), SrcEndpoint: 1, DstEndpoint: 1, Options: ezsp.OptionRetry | ezsp.OptionEncrypt}
	read := func() ezsp.IncomingMessage {
		b.events = nil
		done, told := b.good()
		require.NoError(t, b.host.Send(b.now, e.Short, a, ask, done))
		require.True(t, b.until(10*time.Second, func() bool { return told() && b.saw(Arrived) }))
		return b.last(Arrived).Message
	}
	m := read()
	require.NotZero(t, m.APS.Options&ezsp.OptionEncrypt)
	require.Equal(t, []byte{0x18, 9, 1, 0, 0, 0, 0x25, 0x40, 0xE2, 1, 0, 0, 0}, m.Message)
	a.Options &^= ezsp.OptionEncrypt
	require.Equal(t, []byte{0x18, 9, 0x0B, 0, 1}, read().Message, "under the network key alone it refuses")

	// A message that nobody acknowledges.
	var failed error
	require.NoError(t, b.host.Send(b.now, 0x1234, a, ask, func(_ time.Time, err error) { failed = err }))
	require.True(t, b.until(time.Minute, func() bool { return failed != nil }))
	require.ErrorIs(t, failed, ezsp.DeliveryFailed)
}

// A co-processor that a host resets, or that loses its power, finds its network again.
func TestNetworkOutlivesTheHost(t *testing.T) {
	var kept []byte
	b := newBench(t, ServerConfig{Save: func(s []byte) error { kept = append([]byte(nil), s...); return nil }}, node.Identity{})
	b.start()
	b.form()
	key, pan := b.server.Node().NetworkKey(), b.server.Node().PAN()
	again := func(b *bench) {
		b.events = nil
		b.start()
		require.Nil(t, b.server.Node())
		var got []byte
		require.NoError(t, b.host.Do(b.now, ezsp.CmdNetworkInit, []byte{0, 0}, func(_ time.Time, p []byte, err error) { require.NoError(t, err); got = append(got, p...) }))
		require.True(t, b.until(time.Second, func() bool { return b.saw(NetworkUp) }))
		require.Equal(t, []byte{0}, got)
		require.True(t, key.Equal(b.server.Node().NetworkKey()))
		require.Equal(t, pan, b.server.Node().PAN())
	}
	again(b)
	c := newBench(t, ServerConfig{State: kept, Save: func(s []byte) error { kept = s; return nil }}, node.Identity{})
	again(c)
	var got []byte
	require.NoError(t, c.host.Do(c.now, ezsp.CmdLeaveNetwork, nil, func(_ time.Time, p []byte, err error) { got = append(got, p...) }))
	require.True(t, c.until(time.Second, func() bool { return c.saw(NetworkDown) }))
	require.Equal(t, []byte{0}, got)
	require.Empty(t, kept)
}

// A stick hears everything on a channel, and sends what it is given.
func TestSniff(t *testing.T) {
	b := newBench(t, ServerConfig{}, node.Identity{})
	var onAir [][]byte
	b.air.Tap(func(f radio.Frame) { onAir = append(onAir, append([]byte(nil), f.PSDU...)) })
	b.add(node.Config{EUI: wire.EUI64{1}, Role: node.Coordinator, Policy: node.Open, Channels: 1 << 20, PAN: 0x1234, Endpoints: []*node.Endpoint{{ID: 1}}})
	b.start()
	done, told := b.good()
	require.NoError(t, b.host.Sniff(b.now, 20, done))
	require.True(t, b.until(time.Second, told))
	onAir = nil
	psdu := []byte{0x03, 0x08, 0x55, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0, 0} // a beacon request, its FCS left to the stick
	require.NoError(t, b.host.Do(b.now, ezsp.CmdMfglibSendPacket, append([]byte{byte(len(psdu))}, psdu...), func(_ time.Time, p []byte, err error) {
		require.NoError(t, err)
		require.Equal(t, []byte{0}, p)
	}))
	isBeacon := func(p []byte) bool { return p[0] == 0 && p[1] == 0x80 }
	require.True(t, b.until(time.Second, func() bool { return b.saw(Sniffed) && isBeacon(b.last(Sniffed).PSDU) }))
	for _, p := range onAir {
		require.True(t, radio.CheckFCS(p))
	}
	require.Equal(t, psdu[:8], onAir[len(onAir)-2][:8])
	require.Equal(t, onAir[len(onAir)-1], b.last(Sniffed).PSDU)
}

func TestOtherVersion(t *testing.T) {
	b := newBench(t, ServerConfig{}, node.Identity{})
	stick := ash.NewNCP()
	require.NoError(t, b.host.Start(b.now))
	for range 10 {
		stick.Input(b.now, b.host.Output())
		for p := stick.Next(); p != nil; p = stick.Next() {
			require.Equal(t, []byte{1, 0, 0, 13}, p)
			require.NoError(t, stick.Send(b.now, []byte{1, 0x80, 0, 16, 2, 0x00, 0x81}))
		}
		b.host.Input(b.now, stick.Output())
	}
	require.ErrorIs(t, b.last(Failed).Err, ErrVersion)
	require.Equal(t, Stick{Reset: ash.ReasonSoftware, Protocol: 16, Stack: 0x8100}, b.host.Stick())
}

func TestSilentStick(t *testing.T) {
	b := newBench(t, ServerConfig{}, node.Identity{})
	require.NoError(t, b.host.Start(b.now))
	for b.host.failed == nil {
		b.host.Output()
		b.now = b.host.Deadline()
		b.host.Advance(b.now)
	}
	require.ErrorIs(t, b.last(Failed).Err, os.ErrDeadlineExceeded)
	require.Equal(t, 9*time.Second, b.now.Sub(start))
}

// command has the server do one command, without a link, and gives the answer.
func command(t testing.TB, s *Server, c ezsp.Command, parameters ...byte) ezsp.Frame {
	t.Helper()
	l := ash.NewHost()
	require.NoError(t, l.Reset(start))
	s.Input(start, l.Output())
	l.Input(start, s.Output())
	ask := func(f ezsp.Frame) ezsp.Frame {
		b, err := f.AppendBinary(nil)
		require.NoError(t, err)
		require.NoError(t, l.Send(start, b))
		s.Input(start, l.Output())
		l.Input(start, s.Output())
		for p := l.Next(); p != nil; p = l.Next() {
			g, _, err := ezsp.ParseFrame(p)
			require.NoError(t, err)
			if g.Callback == ezsp.NoCallback {
				return g
			}
		}
		t.Fatal("no answer")
		return ezsp.Frame{}
	}
	if c != ezsp.CmdVersion {
		ask(ezsp.Frame{Old: true, Command: ezsp.CmdVersion, Parameters: []byte{13}})
	}
	return ask(ezsp.Frame{Sequence: 7, Command: c, Parameters: parameters})
}

func attached(t testing.TB) *Server {
	a := air.New(air.Config{})
	s := NewServer(ServerConfig{EUI: stickEUI})
	s.Attach(start, a.Open(s))
	return s
}

// Commands in the wrong state, and with parameters that cannot be, are refused and change nothing.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		c    ezsp.Command
		b    []byte
		want []byte
	}{
		{ezsp.CmdFormNetwork, make([]byte, 20), []byte{byte(ezsp.BadArgument)}},
		{ezsp.CmdFormNetwork, append(make([]byte, 11), 15, 0, 0, 0, 0, 0, 0, 0, 0), []byte{byte(ezsp.InvalidCall)}},
		{ezsp.CmdLeaveNetwork, nil, []byte{byte(ezsp.InvalidCall)}},
		{ezsp.CmdNetworkInit, []byte{0, 0}, []byte{byte(ezsp.NotJoined)}},
		{ezsp.CmdPermitJoining, []byte{60}, []byte{byte(ezsp.InvalidCall)}},
		{ezsp.CmdSendUnicast, make([]byte, 16), []byte{byte(ezsp.NetworkDown), 0}},
		{ezsp.CmdSendUnicast, []byte{9}, []byte{byte(ezsp.BadArgument), 0}},
		{ezsp.CmdSendBroadcast, make([]byte, 16), []byte{byte(ezsp.BadArgument), 0}},
		{ezsp.CmdMfglibSetChannel, []byte{20}, []byte{byte(ezsp.InvalidCall)}},
		{ezsp.CmdMfglibSetChannel, []byte{9}, []byte{byte(ezsp.BadArgument)}},
		{ezsp.CmdMfglibEnd, nil, []byte{byte(ezsp.InvalidCall)}},
		{ezsp.CmdAddEndpoint, []byte{0, 9, 1, 0, 5, 0, 0, 0}, []byte{byte(ezsp.BadArgument)}},
		{ezsp.CmdImportLinkKey, make([]byte, 25), []byte{0x21, 0, 0, 0}},
		{ezsp.CmdGetValue, []byte{0x77}, []byte{byte(ezsp.InvalidID), 0}},
		{ezsp.CmdNetworkState, nil, []byte{0}},
		{ezsp.CmdGetNodeID, nil, []byte{0xFE, 0xFF}},
		{ezsp.CmdEcho, []byte{3, 1, 2, 3}, []byte{3, 1, 2, 3}},
	} {
		f := command(t, attached(t), tt.c, tt.b...)
		require.Equal(t, tt.c, f.Command)
		require.EqualValues(t, 7, f.Sequence)
		require.Equal(t, tt.want, append([]byte{}, f.Parameters...), "%v", tt.c)
	}
	s := attached(t)
	f := command(t, s, 0x1FF)
	require.Equal(t, ezsp.InvalidCommand, f.Command)
	require.Equal(t, []byte{byte(ezsp.InvalidFrameID)}, f.Parameters)
	require.EqualValues(t, 1, s.Stats().Unknown)
	// And before the version is agreed on nothing is done at all.
	s = attached(t)
	s.link = nil
	l := ash.NewNCP()
	s.link = l
	host := ash.NewHost()
	require.NoError(t, host.Reset(start))
	s.Input(start, host.Output())
	host.Input(start, s.Output())
	require.NoError(t, host.Send(start, []byte{1, 0, 1, 0x26, 0}))
	s.Input(start, host.Output())
	host.Input(start, s.Output())
	require.Equal(t, []byte{1, 0x80, 1, 0x58, 0, 0x30}, host.Next())
}

// Whatever parameters a host sends, every command is answered once, and nothing breaks.
func FuzzCommands(f *testing.F) {
	for c := range commands {
		f.Add(uint16(c), []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 0, 0, 0, 1, 2, 3, 4, 5})
	}
	f.Fuzz(func(t *testing.T, c uint16, parameters []byte) {
		if len(parameters) > 100 {
			return
		}
		s := attached(t)
		s.security = ezsp.InitialSecurityState{Bits: 1}
		s.version = true
		g := command(t, s, ezsp.Command(c), parameters...)
		require.True(t, g.Command == ezsp.Command(c) || g.Command == ezsp.InvalidCommand)
		s.Advance(start.Add(time.Second))
	})
}
