package hdlc

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

type transcript struct {
	Frames []struct{ Dir, Hex string }
}

func readTranscript(t *testing.T, name string) transcript {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	var tr transcript
	require.NoError(t, json.Unmarshal(raw, &tr))
	return tr
}

// exchange is one request and its reply, each put together from the frames of a transcript.
type exchange struct{ request, reply []byte }

func exchanges(t *testing.T, tr transcript) []exchange {
	var all []exchange
	var e exchange
	for _, x := range tr.Frames {
		f, _, err := ParseFrame(unhex(t, x.Hex))
		require.NoError(t, err)
		if f.Control.Kind != I {
			continue
		}
		if x.Dir == "client" {
			e.request = append(e.request, f.Info...)
			continue
		}
		e.reply = append(e.reply, f.Info...)
		if !f.Segmented {
			all = append(all, exchange{e.request[3:], e.reply[3:]})
			e = exchange{}
		}
	}
	return all
}

// The server's half of dialogues between independent programs: given the client's frames and the APDUs, our server sends
// the recorded frames byte for byte.
func TestServerTranscripts(t *testing.T) {
	for _, name := range []string{"hdlc_none.json", "hdlc_ciph.json"} {
		t.Run(name, func(t *testing.T) {
			tr := readTranscript(t, name)
			todo := exchanges(t, tr)
			s := NewServerLink(ServerConfig{})
			disc := false
			for i, x := range tr.Frames {
				b := unhex(t, x.Hex)
				if x.Dir == "server" {
					if f, _, err := ParseFrame(b); err == nil && disc {
						// Gurux repeats the parameters in the UA that answers DISC.
						require.Equal(t, UA, f.Control.Kind)
						require.Equal(t, "UA P/F=1", kindOf(t, s.Output()))
						continue
					}
					require.Equal(t, fmt.Sprintf("%X", b), fmt.Sprintf("%X", s.Output()), "frame %d", i)
					continue
				}
				f, _, err := ParseFrame(b)
				require.NoError(t, err)
				disc = f.Control.Kind == DISC
				s.Input(t0, b)
				for e, ok := s.Next(); ok; e, ok = s.Next() {
					if e.Kind == Received {
						require.Equal(t, todo[0].request, e.APDU)
						require.NoError(t, s.Reply(t0, e.Token, todo[0].reply))
						todo = todo[1:]
					} else if e.Kind == Connected {
						s.find(e.Peer).params.InfoTransmit = 125 // Gurux leaves room for LLC bytes in every frame
					}
				}
			}
			require.Empty(t, todo)
			require.Nil(t, s.Output())
		})
	}
}

// The client's half of the same dialogues.
func TestClientTranscripts(t *testing.T) {
	for _, name := range []string{"hdlc_none.json", "hdlc_ciph.json"} {
		t.Run(name, func(t *testing.T) {
			tr := readTranscript(t, name)
			todo := exchanges(t, tr)
			var c *ClientLink
			for i, x := range tr.Frames {
				b := unhex(t, x.Hex)
				if x.Dir == "server" {
					c.Input(t0, b)
					for e, ok := c.Next(); ok; e, ok = c.Next() {
						if e.Kind == Received {
							require.Equal(t, todo[0].reply, e.APDU)
							todo = todo[1:]
						}
					}
					continue
				}
				f, _, err := ParseFrame(b)
				require.NoError(t, err)
				switch f.Control.Kind {
				case SNRM:
					cfg := ClientConfig{Client: f.Source, OmitParams: true}
					if len(f.Info) > 0 {
						cfg.Params, err = ParseParams(f.Info)
						require.NoError(t, err)
					}
					c, err = NewClientLink(cfg)
					require.NoError(t, err)
					require.NoError(t, c.Connect(t0))
				case DISC:
					require.NoError(t, c.Disconnect(t0))
				case I:
					if f.Control.NS == c.tx.vs() && c.state == ready {
						require.NoError(t, c.Send(t0, todo[0].request))
					}
				}
				require.Equal(t, fmt.Sprintf("%X", b), fmt.Sprintf("%X", c.Output()), "frame %d", i)
			}
			require.Empty(t, todo)
		})
	}
}

// bench is a client and a server with a line between them and a stepped time.
type bench struct {
	t      testing.TB
	now    time.Time
	c      *ClientLink
	s      *ServerLink
	spoil  func(toServer bool, b []byte) []byte
	handle func(e Event) (reply []byte, defer_ bool)
	events []Event // of the server, without requests
}

func newBench(t testing.TB, cc ClientConfig, sc ServerConfig) *bench {
	c, err := NewClientLink(cc)
	require.NoError(t, err)
	return &bench{
		t: t, now: t0, c: c, s: NewServerLink(sc),
		spoil:  func(_ bool, b []byte) []byte { return b },
		handle: func(e Event) ([]byte, bool) { return append([]byte("re:"), e.APDU...), false },
	}
}

// turn moves what is there to move; false when nothing was.
func (b *bench) turn() bool {
	moved := false
	if out := b.c.Output(); len(out) > 0 {
		moved = true
		b.s.Input(b.now, b.spoil(true, bytes.Clone(out)))
	}
	for e, ok := b.s.Next(); ok; e, ok = b.s.Next() {
		if e.Kind != Received {
			b.events = append(b.events, e)
			continue
		}
		if reply, later := b.handle(e); !later {
			require.NoError(b.t, b.s.Reply(b.now, e.Token, reply))
		}
	}
	if out := b.s.Output(); len(out) > 0 {
		moved = true
		b.c.Input(b.now, b.spoil(false, bytes.Clone(out)))
	}
	return moved
}

// wait runs the line, and time, until the client has an event.
func (b *bench) wait() Event {
	for range 100000 {
		if e, ok := b.c.Next(); ok {
			return e
		}
		if b.turn() {
			continue
		}
		next := b.c.Deadline()
		if d := b.s.Deadline(); next.IsZero() || (!d.IsZero() && d.Before(next)) {
			next = d
		}
		require.False(b.t, next.IsZero(), "nothing will ever happen")
		b.now = next
		b.c.Tick(b.now)
		b.s.Tick(b.now)
	}
	require.Fail(b.t, "the link does not come to rest")
	return Event{}
}

func (b *bench) connect() {
	require.NoError(b.t, b.c.Connect(b.now))
	require.Equal(b.t, Connected, b.wait().Kind)
}

func (b *bench) roundTrip(apdu []byte) []byte {
	require.NoError(b.t, b.c.Send(b.now, apdu))
	e := b.wait()
	require.Equal(b.t, Received, e.Kind, "%v", e.Err)
	return e.APDU
}

func TestWindowsAndSegmentation(t *testing.T) {
	for _, window := range []uint8{1, 2, 3, 7} {
		for _, info := range []uint16{16, 128, MaxInfo} {
			p := Params{InfoTransmit: info, InfoReceive: info, WindowTransmit: window, WindowReceive: window}
			b := newBench(t, ClientConfig{Params: p, Server: Server4(1, 145)}, ServerConfig{Params: p})
			b.connect()
			require.Equal(t, p, b.c.Params())
			for _, n := range []int{1, 12, 13, 14, 125, 126, 1000, 20000} {
				req := bytes.Repeat([]byte{flag, byte(n)}, n/2+1)
				require.Equal(t, append([]byte("re:"), req...), b.roundTrip(req))
			}
			require.NoError(t, b.c.Disconnect(b.now))
			e := b.wait()
			require.Equal(t, Disconnected, e.Kind)
			require.NoError(t, e.Err)
			require.Equal(t, t0, b.now, "no timer was needed")
			require.Zero(t, b.c.Stats().Repeats)
			require.Len(t, b.events, 2)
			require.Equal(t, Disconnected, b.events[1].Kind)
			require.NoError(t, b.events[1].Err)
			require.Empty(t, b.s.Connections())
		}
	}
}

func TestNegotiation(t *testing.T) {
	b := newBench(t,
		ClientConfig{Params: Params{InfoTransmit: 500, InfoReceive: 100, WindowTransmit: 5, WindowReceive: 2}},
		ServerConfig{Params: Params{InfoTransmit: 300, InfoReceive: 200, WindowTransmit: 1, WindowReceive: 7}})
	b.connect()
	require.Equal(t, Params{200, 100, 5, 1}, b.c.Params())
	require.Equal(t, Params{100, 200, 1, 5}, b.events[0].Params)
}

// Every message may be lost, repeated, flipped or cut. The reply is always the right one, and each request runs once.
func TestNoisyLine(t *testing.T) {
	for _, window := range []uint8{1, 3, 7} {
		p := Params{InfoTransmit: 64, InfoReceive: 64, WindowTransmit: window, WindowReceive: window}
		b := newBench(t, ClientConfig{Params: p, Retries: 50}, ServerConfig{Params: p, Inactivity: -1})
		rng := rand.New(rand.NewPCG(7, uint64(window)))
		b.spoil = func(_ bool, x []byte) []byte {
			switch rng.IntN(12) {
			case 0:
				return nil
			case 1:
				return append(x, x...)
			case 2:
				x[rng.IntN(len(x))] ^= 1 << rng.IntN(8)
			case 3:
				return x[:rng.IntN(len(x))]
			case 4:
				i := rng.IntN(len(x))
				return append(x[:i:i], append([]byte{byte(rng.IntN(256))}, x[i:]...)...)
			}
			return x
		}
		runs := map[uint32]int{}
		b.handle = func(e Event) ([]byte, bool) {
			runs[binary.BigEndian.Uint32(e.APDU)]++
			return append([]byte("re:"), e.APDU...), false
		}
		b.connect()
		const requests = 400
		for i := range uint32(requests) {
			req := binary.BigEndian.AppendUint32(nil, i)
			for range rng.IntN(600) {
				req = append(req, byte(rng.IntN(256)))
			}
			require.Equal(t, append([]byte("re:"), req...), b.roundTrip(req))
			require.Equal(t, 1, runs[i], "request %d", i)
		}
		cs, ss := b.c.Stats(), b.s.Stats()
		t.Logf("window %d: %d requests, %d asked again, %d I-frames repeated, %d lost, client FCS %d HCS %d, server FCS %d HCS %d",
			window, requests, cs.Repeats, ss.Repeated, ss.Lost, cs.FCS, cs.HCS, ss.FCS, ss.HCS)
		require.NotZero(t, cs.Repeats)
	}
}

func TestLateReply(t *testing.T) {
	for _, strict := range []bool{false, true} {
		b := newBench(t, ClientConfig{}, ServerConfig{StrictTurn: strict})
		var token Token
		runs := 0
		b.handle = func(e Event) ([]byte, bool) { token = e.Token; runs++; return nil, true }
		b.connect()
		require.NoError(t, b.c.Send(b.now, []byte("slow")))
		// 20 s pass: the client repeats its frame once, gets RR, then polls; the request still runs once.
		for b.now.Before(t0.Add(20 * time.Second)) {
			for b.turn() {
			}
			_, ok := b.c.Next()
			require.False(t, ok)
			b.now = b.c.Deadline()
			b.c.Tick(b.now)
		}
		for b.turn() {
		}
		require.NoError(t, b.s.Reply(b.now, token, []byte("at last")))
		require.ErrorIs(t, b.s.Reply(b.now, token, []byte("twice")), ErrStaleToken)
		if strict {
			require.Nil(t, b.s.Output())
		}
		e := b.wait()
		require.Equal(t, "at last", string(e.APDU))
		require.Equal(t, 1, runs)
		b.handle = func(e Event) ([]byte, bool) { return []byte("next"), false }
		require.Equal(t, "next", string(b.roundTrip([]byte("x"))))
	}
}

func TestReplyAfterReconnectIsStale(t *testing.T) {
	b := newBench(t, ClientConfig{}, ServerConfig{})
	var token Token
	b.handle = func(e Event) ([]byte, bool) { token = e.Token; return nil, true }
	b.connect()
	require.NoError(t, b.c.Send(b.now, []byte("x")))
	b.turn()
	b.c.Reset()
	b.connect()
	require.ErrorIs(t, b.s.Reply(b.now, token, []byte("late")), ErrStaleToken)
	require.Equal(t, []EventKind{Connected, Disconnected, Connected}, []EventKind{b.events[0].Kind, b.events[1].Kind, b.events[2].Kind})
	require.ErrorIs(t, b.events[1].Err, ErrReset)
}

func TestNoAnswerAtAll(t *testing.T) {
	b := newBench(t, ClientConfig{}, ServerConfig{})
	b.handle = func(Event) ([]byte, bool) { return nil, false } // Reply with nothing: the poll gets RR
	b.connect()
	require.NoError(t, b.c.Send(b.now, []byte("x")))
	for b.turn() {
	}
	require.True(t, b.c.tx.done())
}

func frameOf(t testing.TB, dst, src Address, ctl Control, info string) []byte {
	t.Helper()
	b, err := Frame{Destination: dst, Source: src, Control: ctl, Info: []byte(info)}.AppendBinary(nil)
	require.NoError(t, err)
	return b
}

func kindOf(t testing.TB, b []byte) string {
	t.Helper()
	if b == nil {
		return ""
	}
	f, n, err := ParseFrame(b)
	require.NoError(t, err)
	require.Equal(t, len(b), n)
	return f.Control.String()
}

const llc = "\xE6\xE6\x00"

// What the server does with frames a good client would not send.
func TestServerCorners(t *testing.T) {
	dev, cl := Server1(1), Client(16)
	p1 := func(k Kind) Control { return Control{Kind: k, Final: true} }
	snrm := frameOf(t, dev, cl, p1(SNRM), "")
	fresh := func() *ServerLink {
		s := NewServerLink(ServerConfig{})
		s.Input(t0, snrm)
		require.Equal(t, "UA P/F=1", kindOf(t, s.Output()))
		_, _ = s.Next()
		return s
	}
	ask := func(s *ServerLink, b []byte) string {
		s.Input(t0, b)
		return kindOf(t, s.Output())
	}

	t.Run("disconnected", func(t *testing.T) {
		s := NewServerLink(ServerConfig{})
		require.Equal(t, "DM P/F=1", ask(s, frameOf(t, dev, cl, Control{Kind: I, Final: true}, llc+"x")))
		require.Empty(t, ask(s, frameOf(t, dev, cl, Control{Kind: I}, llc+"x")))
		require.Equal(t, "DM P/F=1", ask(s, frameOf(t, dev, cl, p1(RR), "")))
		require.Equal(t, "DM P/F=1", ask(s, frameOf(t, dev, cl, p1(DISC), "")))
		require.Empty(t, ask(s, frameOf(t, dev, cl, Control{Kind: SNRM}, "")))
		require.Equal(t, "DM P/F=1", ask(s, frameOf(t, dev, cl, p1(SNRM), "\x81\x80\x05")))
		require.Empty(t, s.Connections())
	})
	t.Run("addresses", func(t *testing.T) {
		s := NewServerLink(ServerConfig{Accepts: AcceptDevices(17, 1, 2)})
		for _, a := range []Address{Server1(1), Server1(2), Server2(1, 17), Server4(2, 17)} {
			s.Input(t0, frameOf(t, a, cl, p1(SNRM), ""))
			b := s.Output()
			f, _, err := ParseFrame(b)
			require.NoError(t, err)
			require.Equal(t, a, f.Source)
			require.Equal(t, cl, f.Destination)
		}
		for _, a := range []Address{Server1(3), Server2(1, 18), Server4(1, 18), Server1(NoStation), Server1(AllStations), Server2(1, CallingStation)} {
			require.Empty(t, ask(s, frameOf(t, a, cl, p1(SNRM), "")), "%v", a)
		}
		require.Empty(t, ask(s, frameOf(t, dev, Server2(1, 1), p1(SNRM), "")), "two-byte client")
		require.Empty(t, ask(s, frameOf(t, dev, Client(NoStation), p1(SNRM), "")))
		require.Len(t, s.Connections(), 4)
	})
	t.Run("too many", func(t *testing.T) {
		s := NewServerLink(ServerConfig{MaxConnections: 1})
		require.Equal(t, "UA P/F=1", ask(s, snrm))
		require.Equal(t, "UA P/F=1", ask(s, snrm))
		require.Equal(t, "DM P/F=1", ask(s, frameOf(t, dev, Client(1), p1(SNRM), "")))
	})
	t.Run("bad checks are silent", func(t *testing.T) {
		s := fresh()
		good := frameOf(t, dev, cl, Control{Kind: I, Final: true}, llc+"x")
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 0x10
			require.Empty(t, ask(s, bad), "byte %d", i)
			s.Tick(t0.Add(time.Second))
		}
		s.Input(t0, good)
		e, ok := s.Next()
		require.True(t, ok)
		require.Equal(t, "x", string(e.APDU))
	})
	t.Run("unknown control", func(t *testing.T) {
		s := fresh()
		require.Equal(t, "FRMR P/F=1", ask(s, frameOf(t, dev, cl, Control{Raw: 0xFF}, "")))
		require.Equal(t, "FRMR P/F=1", ask(s, frameOf(t, dev, cl, p1(RR), "")), "until connected anew")
		require.Equal(t, "UA P/F=1", ask(s, snrm))
		require.Equal(t, "RR N(R)=0 P/F=1", ask(s, frameOf(t, dev, cl, p1(RR), "")))
	})
	t.Run("too long", func(t *testing.T) {
		s := fresh()
		s.Input(t0, frameOf(t, dev, cl, Control{Kind: I, Final: true}, llc+string(make([]byte, 126))))
		f, _, err := ParseFrame(s.Output())
		require.NoError(t, err)
		require.Equal(t, []byte{0x10, 0x00, frmrTooLong}, f.Info)
		require.ErrorContains(t, &FrameRejectError{Info: f.Info}, "I N(S)=0 N(R)=0 P/F=1, information too long")
		_, ok := s.Next()
		require.False(t, ok)
	})
	t.Run("impossible N(R)", func(t *testing.T) {
		s := fresh()
		require.Equal(t, "FRMR P/F=1", ask(s, frameOf(t, dev, cl, Control{Kind: RR, NR: 3, Final: true}, "")))
	})
	t.Run("wrong N(S)", func(t *testing.T) {
		s := fresh()
		require.Equal(t, "REJ N(R)=0 P/F=1", ask(s, frameOf(t, dev, cl, Control{Kind: I, NS: 3, Final: true}, llc+"x")))
		require.EqualValues(t, 1, s.Stats().Lost)
	})
	t.Run("wrong LLC", func(t *testing.T) {
		s := fresh()
		require.Equal(t, "RR N(R)=1 P/F=1", ask(s, frameOf(t, dev, cl, Control{Kind: I, Final: true}, "\xE6\xE7\x00x")))
		require.EqualValues(t, 1, s.Stats().BadLLC)
	})
	t.Run("second request before the reply", func(t *testing.T) {
		s := fresh()
		require.Empty(t, ask(s, frameOf(t, dev, cl, Control{Kind: I, Final: true}, llc+"one")))
		require.Equal(t, "RNR N(R)=1 P/F=1", ask(s, frameOf(t, dev, cl, Control{Kind: I, NS: 1, Final: true}, llc+"two")))
		e, ok := s.Next()
		require.True(t, ok)
		require.Equal(t, "one", string(e.APDU))
		_, ok = s.Next()
		require.False(t, ok)
	})
	t.Run("RNR holds the reply", func(t *testing.T) {
		s := fresh()
		s.Input(t0, frameOf(t, dev, cl, Control{Kind: I, Final: true}, llc+"one"))
		e, _ := s.Next()
		require.Empty(t, s.Output())
		require.Equal(t, "RR N(R)=1 P/F=1", ask(s, frameOf(t, dev, cl, p1(RNR), "")))
		require.NoError(t, s.Reply(t0, e.Token, []byte("r")))
		require.Nil(t, s.Output())
		require.Equal(t, "I N(S)=0 N(R)=1 P/F=1", ask(s, frameOf(t, dev, cl, p1(RR), "")))
	})
	t.Run("REJ repeats", func(t *testing.T) {
		s := fresh()
		s.Input(t0, frameOf(t, dev, cl, Control{Kind: I, Final: true}, llc+"one"))
		e, _ := s.Next()
		require.NoError(t, s.Reply(t0, e.Token, []byte("r")))
		first := bytes.Clone(s.Output())
		s.Input(t0, frameOf(t, dev, cl, p1(REJ), ""))
		require.Equal(t, first, s.Output())
	})
	t.Run("request too long", func(t *testing.T) {
		s := NewServerLink(ServerConfig{MaxAPDU: 10})
		require.Equal(t, "UA P/F=1", ask(s, snrm))
		require.Equal(t, "FRMR P/F=1", ask(s, frameOf(t, dev, cl, Control{Kind: I, Final: true}, llc+"01234567890")))
	})
	t.Run("UI", func(t *testing.T) {
		s := fresh()
		require.Empty(t, ask(s, frameOf(t, Server1(AllStations), cl, p1(UI), llc+"to all")))
		require.Empty(t, ask(s, frameOf(t, dev, cl, Control{Kind: UI}, llc+"to one")))
		require.Empty(t, ask(s, frameOf(t, dev, cl, Control{Kind: UI}, "junk")))
		for _, want := range []string{"to one", "to one"}[:1] {
			e, ok := s.Next()
			require.True(t, ok)
			require.Equal(t, "to all", string(e.APDU))
			e, ok = s.Next()
			require.True(t, ok)
			require.Equal(t, want, string(e.APDU))
		}
		_, ok := s.Next()
		require.False(t, ok)
	})
}

func TestTimers(t *testing.T) {
	t.Run("inactivity", func(t *testing.T) {
		b := newBench(t, ClientConfig{}, ServerConfig{Inactivity: 30 * time.Second})
		b.connect()
		require.Equal(t, t0.Add(30*time.Second), b.s.Deadline())
		b.s.Tick(t0.Add(30*time.Second - 1))
		require.Len(t, b.s.Connections(), 1)
		b.s.Tick(t0.Add(30 * time.Second))
		e, ok := b.s.Next()
		require.True(t, ok)
		require.Equal(t, Disconnected, e.Kind)
		require.ErrorIs(t, e.Err, ErrInactive)
		require.True(t, b.s.Deadline().IsZero())
	})
	t.Run("no answer", func(t *testing.T) {
		b := newBench(t, ClientConfig{ResponseTimeout: time.Second}, ServerConfig{})
		b.spoil = func(bool, []byte) []byte { return nil }
		require.NoError(t, b.c.Connect(b.now))
		e := b.wait()
		require.Equal(t, Disconnected, e.Kind)
		require.ErrorIs(t, e.Err, os.ErrDeadlineExceeded)
		var te *TimeoutError
		require.ErrorAs(t, e.Err, &te)
		require.Equal(t, TimeoutError{Peer: b.c.peer, Doing: "connect", After: 4 * time.Second, Tries: 4}, *te)
		require.Equal(t, t0.Add(4*time.Second), b.now)
		require.True(t, te.Timeout())
	})
	t.Run("slow line", func(t *testing.T) {
		c, err := NewClientLink(ClientConfig{ByteTime: time.Millisecond, OmitParams: true})
		require.NoError(t, err)
		require.NoError(t, c.Connect(t0))
		require.Equal(t, t0.Add(3*time.Second+9*time.Millisecond), c.Deadline())
	})
	t.Run("inter-octet", func(t *testing.T) {
		s := NewServerLink(ServerConfig{InterOctet: 25 * time.Millisecond})
		snrm := unhex(t, "7EA0070321930F017E")
		s.Input(t0, unhex(t, "7EA0190321326FD8E6E6"))
		require.Equal(t, t0.Add(25*time.Millisecond), s.Deadline())
		s.Input(t0.Add(30*time.Millisecond), snrm)
		require.Equal(t, "UA P/F=1", kindOf(t, s.Output()))
		require.EqualValues(t, 1, s.Stats().Broken)
	})
}

func TestClientCorners(t *testing.T) {
	dev, cl := Server1(1), Client(16)
	fresh := func() *bench {
		b := newBench(t, ClientConfig{}, ServerConfig{})
		b.connect()
		return b
	}
	t.Run("refused", func(t *testing.T) {
		b := newBench(t, ClientConfig{}, ServerConfig{})
		require.NoError(t, b.c.Connect(t0))
		b.c.Input(t0, frameOf(t, cl, dev, Control{Kind: DM, Final: true}, ""))
		require.ErrorIs(t, b.wait().Err, ErrRefused)
	})
	t.Run("rejected", func(t *testing.T) {
		b := fresh()
		require.NoError(t, b.c.Send(t0, []byte("x")))
		b.c.Input(t0, frameOf(t, cl, dev, Control{Kind: FRMR, Final: true}, "\x10\x00\x01"))
		e, _ := b.c.Next()
		var fr *FrameRejectError
		require.ErrorAs(t, e.Err, &fr)
		require.ErrorContains(t, fr, "control field not known")
		require.ErrorIs(t, b.c.Send(t0, []byte("x")), ErrNotConnected)
	})
	t.Run("calls out of order", func(t *testing.T) {
		b := fresh()
		require.ErrorIs(t, b.c.Connect(t0), ErrConnected)
		require.NoError(t, b.c.Send(t0, []byte("x")))
		require.ErrorIs(t, b.c.Send(t0, []byte("x")), ErrBusy)
		require.NoError(t, b.c.Disconnect(t0))
		require.ErrorIs(t, b.c.Disconnect(t0), ErrNotConnected)
	})
	t.Run("others' frames", func(t *testing.T) {
		b := fresh()
		require.NoError(t, b.c.Send(t0, []byte("x")))
		b.c.Input(t0, frameOf(t, Client(1), dev, Control{Kind: I, NR: 1, Final: true}, "\xE6\xE7\x00other"))
		b.c.Input(t0, frameOf(t, cl, Server1(2), Control{Kind: I, NR: 1, Final: true}, "\xE6\xE7\x00other"))
		require.EqualValues(t, 2, b.c.Stats().Ignored)
		require.Equal(t, "re:x", string(b.wait().APDU))
	})
	t.Run("push", func(t *testing.T) {
		b := fresh()
		long := bytes.Repeat([]byte("push"), 100)
		require.NoError(t, b.s.Notify(t0, Peer{cl, dev}, long))
		require.NoError(t, b.s.Notify(t0, Peer{cl, Server1(9)}, []byte("short")))
		b.turn()
		e, ok := b.c.Next()
		require.True(t, ok)
		require.Equal(t, Notified, e.Kind)
		require.Equal(t, long, e.APDU)
		e, ok = b.c.Next()
		require.True(t, ok)
		require.Equal(t, "short", string(e.APDU))
		require.Equal(t, Server1(9), e.Peer.Server)
		require.NoError(t, b.c.Notify(t0, Server1(AllStations), []byte("time")))
		b.turn()
		last := b.events[len(b.events)-1]
		require.Equal(t, Notified, last.Kind)
		require.ErrorIs(t, b.c.Notify(t0, dev, make([]byte, 200)), ErrTooLong)
	})
	t.Run("I-frame nobody asked for", func(t *testing.T) {
		b := fresh()
		b.c.Input(t0, frameOf(t, cl, dev, Control{Kind: I}, "\xE6\xE7\x00event"))
		e, ok := b.c.Next()
		require.True(t, ok)
		require.Equal(t, Notified, e.Kind)
		require.Equal(t, "event", string(e.APDU))
		require.NoError(t, b.c.Send(t0, []byte("x")))
		require.Equal(t, "I N(S)=0 N(R)=1 P/F=1", kindOf(t, b.c.Output()), "acknowledged with the next request")
	})
	t.Run("reply with wrong LLC", func(t *testing.T) {
		b := fresh()
		require.NoError(t, b.c.Send(t0, []byte("x")))
		b.c.Input(t0, frameOf(t, cl, dev, Control{Kind: I, NR: 1, Final: true}, "\xE6\xE6\x00echo"))
		_, ok := b.c.Next()
		require.False(t, ok)
		require.EqualValues(t, 1, b.c.Stats().Ignored)
	})
	t.Run("reply too long", func(t *testing.T) {
		b := newBench(t, ClientConfig{MaxAPDU: 1000}, ServerConfig{})
		b.connect()
		b.handle = func(Event) ([]byte, bool) { return make([]byte, 5000), false }
		require.NoError(t, b.c.Send(t0, []byte("x")))
		require.ErrorIs(t, b.wait().Err, ErrTooLong)
	})
	t.Run("bad parameters in UA", func(t *testing.T) {
		b := newBench(t, ClientConfig{}, ServerConfig{})
		require.NoError(t, b.c.Connect(t0))
		b.c.Input(t0, frameOf(t, cl, dev, Control{Kind: UA, Final: true}, "\x81"))
		e, _ := b.c.Next()
		require.ErrorIs(t, e.Err, ErrParameters)
	})
	t.Run("out of order in the middle of a reply", func(t *testing.T) {
		b := fresh()
		require.NoError(t, b.c.Send(t0, []byte("x")))
		_ = b.c.Output()
		first, err := Frame{Destination: cl, Source: dev, Control: Control{Kind: I, NR: 1, Final: true}, Segmented: true, Info: []byte("\xE6\xE7\x00one")}.AppendBinary(nil)
		require.NoError(t, err)
		for range 2 { // the second time it is a repetition
			b.c.Input(t0, first)
			require.Equal(t, "RR N(R)=1 P/F=1", kindOf(t, b.c.Output()))
		}
		b.c.Input(t0, frameOf(t, cl, dev, Control{Kind: I, NS: 1, NR: 1, Final: true}, "two"))
		require.Equal(t, "onetwo", string(b.wait().APDU))
	})
	t.Run("words", func(t *testing.T) {
		require.Equal(t, "connected disconnected received notified event 9",
			fmt.Sprint(Connected, " ", Disconnected, " ", Received, " ", Notified, " ", EventKind(9)))
		f := Frame{Destination: dev, Source: cl, Control: Control{Kind: I}, Segmented: true, Info: []byte{1}}
		require.Equal(t, "16 → 1 I N(S)=0 N(R)=0 P/F=0 S=1 info 1 bytes", f.String())
		require.ErrorContains(t, &TimeoutError{Doing: "request", Tries: 4, After: time.Second}, "no answer to request after 4 tries in 1s")
	})
	t.Run("two stubborn ends stop", func(t *testing.T) {
		b := fresh()
		require.NoError(t, b.c.Send(t0, []byte("x")))
		_ = b.c.Output()
		for range 20 {
			b.c.Input(t0, frameOf(t, cl, dev, Control{Kind: REJ, Final: true}, ""))
			_ = b.c.Output()
		}
		require.EqualValues(t, 3, b.c.Stats().Repeats)
		require.ErrorIs(t, b.wait().Err, os.ErrDeadlineExceeded)
	})
	t.Run("bad config", func(t *testing.T) {
		_, err := NewClientLink(ClientConfig{Client: Server2(1, 1)})
		require.Error(t, err)
		_, err = NewClientLink(ClientConfig{Server: Address{Size: 3}})
		require.ErrorIs(t, err, ErrAddress)
	})
}

// Two clients and two logical devices on one line, their frames one after the other.
func TestSharedLine(t *testing.T) {
	s := NewServerLink(ServerConfig{Accepts: AcceptDevices(0, 1, 2)})
	var links []*ClientLink
	for _, sap := range []uint8{1, 16} {
		for _, dev := range []uint8{1, 2} {
			c, err := NewClientLink(ClientConfig{Client: Client(sap), Server: Server1(dev)})
			require.NoError(t, err)
			links = append(links, c)
			require.NoError(t, c.Connect(t0))
		}
	}
	pump := func() {
		for range 20 {
			var up []byte
			for _, c := range links {
				up = append(up, c.Output()...)
			}
			s.Input(t0, up)
			for e, ok := s.Next(); ok; e, ok = s.Next() {
				if e.Kind == Received {
					require.NoError(t, s.Reply(t0, e.Token, fmt.Appendf(nil, "%v %s", e.Peer, e.APDU)))
				}
			}
			down := bytes.Clone(s.Output())
			for _, c := range links {
				c.Input(t0, down)
			}
		}
	}
	pump()
	for round := range 3 {
		for _, c := range links {
			e, ok := c.Next()
			require.True(t, ok)
			require.Contains(t, []EventKind{Connected, Received}, e.Kind)
			if round > 0 {
				require.Equal(t, fmt.Sprintf("%v round %d", c.peer, round-1), string(e.APDU))
			}
			require.NoError(t, c.Send(t0, fmt.Appendf(nil, "round %d", round)))
		}
		pump()
	}
	require.Len(t, s.Connections(), 4)
	s.Disconnect(links[0].peer)
	require.Len(t, s.Connections(), 3)
}

func TestLinkDoesNotAllocate(t *testing.T) {
	p := Params{InfoTransmit: 128, InfoReceive: 128, WindowTransmit: 3, WindowReceive: 3}
	b := newBench(t, ClientConfig{Params: p}, ServerConfig{Params: p})
	b.connect()
	req, reply := make([]byte, 300), make([]byte, 600)
	now := b.now
	run := func() {
		if b.c.Send(now, req) != nil {
			t.Fatal("send")
		}
		for {
			b.s.Input(now, b.c.Output())
			for e, ok := b.s.Next(); ok; e, ok = b.s.Next() {
				if b.s.Reply(now, e.Token, reply) != nil {
					t.Fatal("reply")
				}
			}
			b.c.Input(now, b.s.Output())
			if e, ok := b.c.Next(); ok {
				if len(e.APDU) != len(reply) {
					t.Fatal("apdu")
				}
				return
			}
		}
	}
	run()
	require.Zero(t, testing.AllocsPerRun(100, run))
}

func FuzzServerLink(f *testing.F) {
	for _, v := range frameVectors(f) {
		f.Add(unhex(f, v.Hex))
	}
	snrm := unhex(f, "7EA0070321930F017E")
	f.Fuzz(func(t *testing.T, b []byte) {
		s := NewServerLink(ServerConfig{})
		s.Input(t0, snrm)
		s.Input(t0, b)
		for e, ok := s.Next(); ok; e, ok = s.Next() {
			if e.Kind == Received {
				_ = s.Reply(t0, e.Token, e.APDU)
			}
		}
		_ = s.Output()
		// Whatever came, the next good dialogue works.
		now := t0.Add(time.Second)
		for s.dec.Partial() {
			s.Tick(now)
			now = now.Add(time.Second)
			if now.Sub(t0) > 50*time.Second {
				return
			}
		}
		for _, ok := s.Next(); ok; _, ok = s.Next() {
			continue
		}
		s.Input(now, snrm)
		require.Contains(t, string(s.Output()), "\x81\x80\x12")
	})
}

func BenchmarkRoundTrip(b *testing.B) {
	x := newBench(b, ClientConfig{}, ServerConfig{})
	x.connect()
	req, reply := make([]byte, 13), make([]byte, 9)
	b.ReportAllocs()
	for b.Loop() {
		_ = x.c.Send(t0, req)
		x.s.Input(t0, x.c.Output())
		e, _ := x.s.Next()
		_ = x.s.Reply(t0, e.Token, reply)
		x.c.Input(t0, x.s.Output())
		_, _ = x.c.Next()
	}
}
