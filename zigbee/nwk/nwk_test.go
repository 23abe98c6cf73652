package nwk

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/zigbee/mac"
	"smets1/zigbee/security"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func must(t testing.TB, m interface {
	AppendBinary([]byte) ([]byte, error)
}) []byte {
	t.Helper()
	b, err := m.AppendBinary(nil)
	require.NoError(t, err)
	return b
}

var (
	gsme = wire.MustEUI64("00-15-5F-00-B0-02-00-02")
	chf  = wire.MustEUI64("00-15-5F-00-B0-01-00-01")
)

var headers = map[string]Header{
	"4802315a00001e11": {Secured: true, Discover: DiscoverEnable, Dst: 0x5A31, Radius: 30, Sequence: 0x11},
	"091a315a0000016d020002b0005f1500010001b0005f1500": {Type: TypeCommand, Secured: true, HasDstEUI: true, HasSrcEUI: true, Dst: 0x5A31, Radius: 1, Sequence: 0x6D, DstEUI: gsme, SrcEUI: chf},
	"0824010002000a05" + "0301aa00bb00cc00":            {EndDeviceInitiator: true, HasRoute: true, Dst: 1, Src: 2, Radius: 10, Sequence: 5, Route: SourceRoute{Count: 3, Index: 1, Relays: [MaxRelays]uint16{0xAA, 0xBB, 0xCC}}},
	"0801fdff02000a0555":                               {Multicast: true, Dst: BroadcastRxOnWhenIdle, Src: 2, Radius: 10, Sequence: 5, MulticastControl: 0x55},
	"0b00":                                             {Type: TypeInterPAN},
}

func TestHeader(t *testing.T) {
	for s, h := range headers {
		want := unhex(t, s)
		require.Equal(t, want, must(t, h))
		got, n, err := ParseHeader(want)
		require.NoError(t, err)
		require.Equal(t, len(want), n)
		require.Equal(t, h, got)
		for i := range want {
			_, _, err := ParseHeader(want[:i])
			require.ErrorIs(t, err, wire.ErrTruncated)
		}
	}
	for _, bad := range []string{"0a00", "0400", "0840", "0c00"} {
		_, _, err := ParseHeader(append(unhex(t, bad), make([]byte, 30)...))
		require.ErrorIs(t, err, ErrFormat, bad)
	}
	_, _, err := ParseHeader(append(unhex(t, "0804010002000a050d00"), make([]byte, 30)...))
	require.ErrorIs(t, err, ErrFormat, "thirteen relays")
	_, err = Header{Type: 4}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrFormat)
	require.True(t, IsBroadcast(BroadcastRouters))
	require.False(t, IsBroadcast(0x5A31))
}

var commands = map[string]Command{
	"0108550000":                   nil, // cut short on purpose, see TestCommands
	"010055315a00":                 RouteRequest{RouteID: 0x55, Dst: 0x5A31},
	"012855fcff03020002b0005f1500": RouteRequest{ManyToOne: ManyToOneRouteRecord, RouteID: 0x55, Dst: BroadcastRouters, PathCost: 3, HasDstEUI: true, DstEUI: gsme},
	"020055000031 5a07":            RouteReply{RouteID: 0x55, Originator: 0, Responder: 0x5A31, PathCost: 7},
	"023055000031 5a07010001b0005f1500020002b0005f1500": RouteReply{RouteID: 0x55, Responder: 0x5A31, PathCost: 7, HasOriginatorEUI: true, OriginatorEUI: chf, HasResponderEUI: true, ResponderEUI: gsme},
	"0302315a":                     NetworkStatus{Status: StatusLinkFailure, Dst: 0x5A31},
	"0313315a77":                   NetworkStatus{Status: StatusUnknownCommand, Dst: 0x5A31, Unknown: 0x77},
	"04a0":                         Leave{Rejoin: true, RemoveChildren: true},
	"0440":                         Leave{Request: true},
	"0502aa00bb00":                 RouteRecord{[]uint16{0xAA, 0xBB}},
	"0500":                         RouteRecord{},
	"0680":                         RejoinRequest{mac.CapabilitySleepy},
	"07315a00":                     RejoinResponse{0x5A31, RejoinSuccessful},
	"0862000011040073":             LinkStatus{First: true, Last: true, Links: []LinkCost{{0, 1, 1}, {4, 3, 7}}},
	"0902ce110a0000000000aa1abb1a": NetworkReport{wire.MustEUI64("00-00-00-00-00-0A-11-CE"), []uint16{0x1AAA, 0x1ABB}},
	"0a01ce110a000000000005bb1a":   NetworkUpdate{wire.MustEUI64("00-00-00-00-00-0A-11-CE"), 5, 0x1ABB},
	"0b0800":                       EndDeviceTimeoutRequest{Timeout: DefaultTimeoutIndex},
	"0c0003":                       EndDeviceTimeoutResponse{TimeoutAccepted, ParentKeepaliveMACPoll | ParentKeepaliveTimeoutRequest},
	"0d0102040 0fd310005":          LinkPowerDelta{PowerDeltaRequest, []PowerDelta{{4, -3}, {0x31, 5}}},
}

func TestCommands(t *testing.T) {
	seen := map[CommandID]bool{}
	for s, c := range commands {
		want := unhex(t, string(bytes.ReplaceAll([]byte(s), []byte(" "), nil)))
		if c == nil {
			_, _, err := ParseCommand(want)
			require.ErrorIs(t, err, wire.ErrTruncated)
			continue
		}
		seen[c.ID()] = true
		require.Equal(t, want, must(t, c))
		got, n, err := ParseCommand(want)
		require.NoError(t, err, s)
		require.Equal(t, len(want), n)
		require.Equal(t, c, got)
		for i := range want {
			_, _, err := ParseCommand(want[:i])
			require.ErrorIs(t, err, wire.ErrTruncated, "%s cut at %d", s, i)
		}
	}
	require.Len(t, seen, len(parsers), "every command has a case")
	var unknown *UnknownCommandError
	_, _, err := ParseCommand([]byte{0x77, 1})
	require.ErrorAs(t, err, &unknown)
	require.EqualValues(t, 0x77, unknown.ID)
	require.NotEmpty(t, unknown.Error())
	for _, c := range []Command{RouteRequest{ManyToOne: 4}, RouteRecord{make([]uint16, 13)}, LinkStatus{Links: make([]LinkCost, 32)}, LinkStatus{Links: []LinkCost{{0, 8, 0}}}, NetworkReport{PANs: make([]uint16, 32)}, LinkPowerDelta{Type: 4}} {
		_, err := c.AppendBinary(nil)
		require.ErrorIs(t, err, ErrFormat)
	}
	for _, bad := range []string{"050d", "0921", "0a02"} {
		_, _, err := ParseCommand(append(unhex(t, bad), make([]byte, 60)...))
		require.ErrorIs(t, err, ErrFormat)
	}
}

func TestTexts(t *testing.T) {
	for i := range 256 {
		for _, e := range []error{Status(i), RejoinStatus(i), TimeoutStatus(i)} {
			require.NotEmpty(t, e.Error())
		}
	}
	require.Equal(t, 10*time.Second, TimeoutIndex(0).Duration())
	require.Equal(t, 256*time.Minute, DefaultTimeoutIndex.Duration())
	require.Equal(t, 16384*time.Minute, MaxTimeoutIndex.Duration())
	require.Zero(t, TimeoutIndex(15).Duration())
}

func cipher(t testing.TB) *security.Cipher {
	t.Helper()
	k, err := security.ParseKey("00112233445566778899aabbccddeeff")
	require.NoError(t, err)
	c, err := security.NewCipher(k)
	require.NoError(t, err)
	return c
}

// The NWK part of "NWK Leave" in the golden capture.
const leave = "091a315a0000016d020002b0005f1500010001b0005f1500282c100000010001b0005f150000a6033aafeaeb1b19"

func TestSecuredFrame(t *testing.T) {
	c := cipher(t)
	want := unhex(t, leave[:len(leave)-4]) // without the FCS
	h := headers["091a315a0000016d020002b0005f1500010001b0005f1500"]
	aux := security.Aux{KeyID: security.KeyIDNetwork, Extended: true, Counter: 0x102C, Source: chf}
	b, err := Seal([]byte{9}, &h, &aux, c, must(t, Leave{Request: true}))
	require.NoError(t, err)
	require.Equal(t, want, b[1:])
	for i := range want {
		bad := bytes.Clone(want)
		bad[i] ^= 0x08
		f, _, err := ParseFrame(bad)
		if err == nil {
			err = f.Open(c)
		}
		require.Error(t, err, "octet %d altered", i)
		f, _, err = ParseFrame(bytes.Clone(want[:i]))
		if err == nil {
			err = f.Open(c)
		}
		require.Error(t, err, "cut at %d", i)
	}
	f, n, err := ParseFrame(want)
	require.NoError(t, err)
	require.Equal(t, len(want), n)
	require.Equal(t, want, must(t, f))
	require.NoError(t, f.Open(c))
	require.Equal(t, must(t, Leave{Request: true}), f.Payload)
	require.ErrorIs(t, f.Open(c), ErrNotSecured)
	h.Secured = false
	_, err = Seal(nil, &h, &aux, c, nil)
	require.ErrorIs(t, err, ErrNotSecured)
}

func secured() (Header, security.Aux, []byte) {
	return Header{Secured: true, Discover: DiscoverEnable, Dst: 0x5A31, Radius: MaxRadius, Sequence: 1},
		security.Aux{KeyID: security.KeyIDNetwork, Extended: true, Counter: 1, Source: chf}, make([]byte, 80)
}

func TestAllocations(t *testing.T) {
	c := cipher(t)
	h, aux, payload := secured()
	b := make([]byte, 0, mac.MaxPSDU)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var err error
		if b, err = Seal(b[:0], &h, &aux, c, payload); err != nil {
			panic(err)
		}
		f, _, err := ParseFrame(b)
		if err != nil {
			panic(err)
		}
		if err := f.Open(c); err != nil {
			panic(err)
		}
	}))
}

func FuzzParseFrame(f *testing.F) {
	for s := range headers {
		f.Add(unhex(f, s))
	}
	f.Add(unhex(f, leave[:len(leave)-4]))
	c := cipher(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := ParseFrame(bytes.Clone(b))
		if err != nil {
			return
		}
		require.Equal(t, len(b), n)
		again := must(t, m)
		same, _, err := ParseFrame(again)
		require.NoError(t, err)
		require.Equal(t, m.Header, same.Header)
		require.Equal(t, m.Aux, same.Aux)
		require.Equal(t, m.Payload, same.Payload)
		if m.Open(c) == nil {
			sealed, err := Seal(nil, &m.Header, &m.Aux, c, m.Payload)
			require.NoError(t, err)
			require.Equal(t, again, sealed)
		}
	})
}

func FuzzParseCommand(f *testing.F) {
	for s := range commands {
		f.Add(unhex(f, string(bytes.ReplaceAll([]byte(s), []byte(" "), nil))))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := ParseCommand(b)
		if err != nil {
			return
		}
		require.LessOrEqual(t, n, len(b))
		again, k, err := ParseCommand(must(t, m))
		require.NoError(t, err)
		require.Equal(t, n, k)
		require.Equal(t, m, again)
	})
}
