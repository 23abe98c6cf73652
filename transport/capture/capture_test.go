package capture

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"smets1/internal/clock"
	"smets1/transport/serial"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 123456789, time.UTC)

type packet struct {
	Iface     string
	Link      layers.LinkType
	At        time.Time
	Direction Direction
	Data      []byte
}

// readBack reads the file twice: with the library, and the packet flags, which it does not show, by hand.
func readBack(t *testing.T, raw []byte) []packet {
	t.Helper()
	var dirs []Direction
	for b := raw; len(b) > 0; {
		typ, n := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		require.Equal(t, n, binary.LittleEndian.Uint32(b[n-4:]))
		if typ == blockEnhancedPacket {
			data := 28 + (binary.LittleEndian.Uint32(b[20:])+3)/4*4
			require.EqualValues(t, optionFlags, binary.LittleEndian.Uint16(b[data:]))
			dirs = append(dirs, Direction(b[data+4]))
		}
		b = b[n:]
	}
	r, err := pcapgo.NewNgReader(bytes.NewReader(raw), pcapgo.NgReaderOptions{WantMixedLinkType: true})
	require.NoError(t, err)
	var all []packet
	for {
		data, ci, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		i, err := r.Interface(ci.InterfaceIndex)
		require.NoError(t, err)
		all = append(all, packet{i.Name, i.LinkType, ci.Timestamp.UTC(), dirs[len(all)], data})
	}
	require.Len(t, dirs, len(all))
	return all
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func TestLine(t *testing.T) {
	var file bytes.Buffer
	c := clock.NewStepped(t0)
	w, err := NewWriter(&file, c)
	require.NoError(t, err)
	l := w.NewLine("/dev/ttyUSB0")
	snrm := unhex(t, "7EA0070321930F017E")
	ua := unhex(t, "7EA01E210373C37A818012050180060180070400000001080400000001533B7E")
	step := func() { c.Advance(time.Second) }

	l.Bytes(Outbound, []byte("/?!\r\n"))
	step()
	l.Bytes(Inbound, []byte("/XXX5\r\n"))
	step()
	for _, b := range snrm { // byte by byte
		l.Bytes(Outbound, []byte{b})
	}
	step()
	l.Bytes(Inbound, append(bytes.Clone(ua), snrm...)) // two at once
	l.Bytes(Inbound, append([]byte{0xFF}, snrm[:5]...))
	step()
	l.Bytes(Outbound, snrm[:4]) // the other end talks: what was there is written
	c.Advance(3 * time.Second)
	l.Bytes(Outbound, snrm) // after a gap
	bad := bytes.Clone(snrm)
	bad[2] = 6 // a wrong length
	l.Bytes(Outbound, bad)
	l.Bytes(Outbound, []byte{0x7E, 0x7E, 0x7E})
	l.Flush()
	require.NoError(t, w.Close())

	var got []packet
	for _, p := range readBack(t, file.Bytes()) {
		require.Equal(t, linkUser0, p.Link)
		require.Equal(t, "/dev/ttyUSB0", p.Iface)
		p.Link, p.Iface = 0, ""
		got = append(got, p)
	}
	at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
	require.Equal(t, []packet{
		{At: at(0), Direction: Outbound, Data: []byte("/?!\r\n")},
		{At: at(1), Direction: Inbound, Data: []byte("/XXX5\r\n")},
		{At: at(2), Direction: Outbound, Data: snrm},
		{At: at(3), Direction: Inbound, Data: ua},
		{At: at(3), Direction: Inbound, Data: snrm},
		{At: at(3), Direction: Inbound, Data: []byte{0xFF}},
		{At: at(3), Direction: Inbound, Data: snrm[:5]},
		{At: at(4), Direction: Outbound, Data: snrm[:4]},
		{At: at(7), Direction: Outbound, Data: snrm},
		{At: at(7), Direction: Outbound, Data: bad[:8]},
		{At: at(7), Direction: Outbound, Data: []byte{0x7E}},
		{At: at(7), Direction: Outbound, Data: []byte{0x7E}},
		{At: at(7), Direction: Outbound, Data: []byte{0x7E}},
		{At: at(7), Direction: Outbound, Data: []byte{0x7E}},
	}, got)
}

type stream struct {
	src, dst string
	bytes    []byte
	flags    string
}

// streams follows each direction of each TCP connection and checks that the numbers fit.
func streams(t *testing.T, packets []packet) map[Direction]*stream {
	t.Helper()
	all := map[Direction]*stream{}
	next := map[Direction]uint32{}
	for _, p := range packets {
		require.Equal(t, layers.LinkTypeEthernet, p.Link)
		pk := gopacket.NewPacket(p.Data, layers.LinkTypeEthernet, gopacket.Default)
		require.Nil(t, pk.ErrorLayer())
		tcp := pk.Layer(layers.LayerTypeTCP).(*layers.TCP)
		s := all[p.Direction]
		if s == nil {
			n, tr := pk.NetworkLayer().NetworkFlow(), pk.TransportLayer().TransportFlow()
			s = &stream{src: n.Src().String() + ":" + tr.Src().String(), dst: n.Dst().String() + ":" + tr.Dst().String()}
			all[p.Direction] = s
			next[p.Direction] = tcp.Seq
		}
		require.Equal(t, next[p.Direction], tcp.Seq)
		if tcp.ACK {
			require.Equal(t, next[other(p.Direction)], tcp.Ack)
		}
		next[p.Direction] += uint32(len(tcp.Payload))
		if tcp.SYN || tcp.FIN {
			next[p.Direction]++
		}
		if tcp.SYN {
			s.flags += "S"
		}
		if tcp.FIN {
			s.flags += "F"
		}
		s.bytes = append(s.bytes, tcp.Payload...)
	}
	return all
}

func TestTapConn(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, clock.NewStepped(t0))
	require.NoError(t, err)
	near, far := net.Pipe()
	tap := w.TapConn(near, "hub 1", false)
	big := bytes.Repeat([]byte("0123456789"), 8000)
	go func() {
		_, _ = io.ReadFull(far, make([]byte, 5))
		_, _ = far.Write(big)
	}()
	_, err = tap.Write([]byte("hello"))
	require.NoError(t, err)
	got := make([]byte, len(big))
	_, err = io.ReadFull(tap, got)
	require.NoError(t, err)
	require.NoError(t, tap.Close())
	require.NoError(t, tap.Close())
	require.NoError(t, w.Close())
	require.Contains(t, file.String(), "hub 1")

	s := streams(t, readBack(t, file.Bytes()))
	require.Equal(t, &stream{"192.0.2.1:49152", "192.0.2.2:4059", []byte("hello"), "SF"}, s[Outbound])
	require.Equal(t, &stream{"192.0.2.2:4059", "192.0.2.1:49152", big, "SF"}, s[Inbound])
}

func TestServerSideAndRealAddresses(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, clock.NewStepped(t0))
	require.NoError(t, err)
	c := w.NewConn(ConnConfig{
		Local: netip.MustParseAddrPort("127.1.2.3:40590"), Remote: netip.MustParseAddrPort("[::ffff:127.0.0.1]:5555"), Server: true,
	})
	c.Bytes(Inbound, []byte("request"))
	c.Bytes(Outbound, []byte("reply"))
	c.Close()
	c.Bytes(Outbound, []byte("late"))
	s := streams(t, readBack(t, file.Bytes()))
	require.Equal(t, &stream{"127.1.2.3:4059", "127.0.0.1:5555", []byte("reply"), "SF"}, s[Outbound])
	require.Equal(t, "request", string(s[Inbound].bytes))
}

func TestDatagrams(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, clock.NewStepped(t0))
	require.NoError(t, err)
	c := w.NewConn(ConnConfig{Datagrams: true})
	c.Bytes(Outbound, []byte("request"))
	c.Close()
	p := readBack(t, file.Bytes())
	require.Len(t, p, 1)
	udp := gopacket.NewPacket(p[0].Data, layers.LinkTypeEthernet, gopacket.Default).Layer(layers.LayerTypeUDP).(*layers.UDP)
	require.EqualValues(t, wrapperPort, udp.DstPort)
	require.Equal(t, "request", string(udp.Payload))
}

func TestNilDoesNothing(t *testing.T) {
	var w *Writer
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	require.Equal(t, near, w.TapConn(near, "x", false))
	require.Equal(t, io.ReadWriteCloser(near), w.Tap(near, "x"))
	l := w.NewLine("x")
	require.Nil(t, l)
	l.Bytes(Inbound, []byte("x"))
	l.Flush()
	require.Nil(t, l.TapPort(nil))
	c := w.NewConn(ConnConfig{})
	c.Bytes(Inbound, []byte("x"))
	c.Close()
	require.NoError(t, w.Err())
	require.NoError(t, w.Close())
}

func TestConcurrentTaps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcapng")
	w, err := Create(path, clock.Real())
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			l, c := w.NewLine("line"), w.NewConn(ConnConfig{})
			for range 50 {
				l.Bytes(Inbound, []byte("noise"))
				c.Bytes(Outbound, []byte("data"))
			}
			c.Close()
		})
	}
	wg.Wait()
	require.NoError(t, w.Close())
	w.NewLine("late").Bytes(Inbound, []byte("x"))
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, readBack(t, raw), 8*(50+50+3+3))
}

type brokenDisk struct{ left int }

func (d *brokenDisk) Write(b []byte) (int, error) {
	if d.left -= len(b); d.left < 0 {
		return 0, errors.New("no space left")
	}
	return len(b), nil
}

// A full disk does not disturb the traffic, and is told at the end.
func TestBrokenFile(t *testing.T) {
	w, err := NewWriter(&brokenDisk{300}, clock.NewStepped(t0))
	require.NoError(t, err)
	near, far := net.Pipe()
	tap := w.TapConn(near, "x", false)
	go func() { _, _ = io.Copy(io.Discard, far) }()
	for range 10 {
		_, err := tap.Write([]byte("hello"))
		require.NoError(t, err)
	}
	require.NoError(t, tap.Close())
	require.ErrorContains(t, w.Err(), "no space left")
	require.ErrorContains(t, w.Close(), "no space left")
	_, err = NewWriter(&brokenDisk{10}, clock.Real())
	require.Error(t, err)
	_, err = Create(filepath.Join(t.TempDir(), "no", "such", "folder"), clock.Real())
	require.Error(t, err)
}

func TestTapPort(t *testing.T) {
	far, err := serial.NewPTY()
	require.NoError(t, err)
	defer far.Close()
	p, err := serial.Open(serial.Default, far.Path(), serial.Mode{})
	require.NoError(t, err)
	var file bytes.Buffer
	w, err := NewWriter(&file, clock.Real())
	require.NoError(t, err)
	tap := w.NewLine(far.Path()).TapPort(p)
	require.Implements(t, (*serial.Breaker)(nil), tap)
	require.Equal(t, far.Path(), tap.String())
	snrm := unhex(t, "7EA0070321930F017E")
	_, err = tap.Write(snrm)
	require.NoError(t, err)
	_, err = io.ReadFull(far, make([]byte, len(snrm)))
	require.NoError(t, err)
	_, err = far.Write([]byte("half"))
	require.NoError(t, err)
	_, err = io.ReadFull(tap, make([]byte, 4))
	require.NoError(t, err)
	require.NoError(t, tap.Close())
	got := readBack(t, file.Bytes())
	require.Equal(t, Outbound, got[0].Direction)
	require.Equal(t, snrm, got[0].Data)
	var in []byte
	for _, x := range got[1:] {
		require.Equal(t, Inbound, x.Direction)
		in = append(in, x.Data...)
	}
	require.Equal(t, "half", string(in))
}

func FuzzLine(f *testing.F) {
	f.Add([]byte{0x7E, 0xA0, 7, 3, 0x21, 0x93, 0x0F, 1, 0x7E, 0x7E, 0xA7}, 3)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		var file bytes.Buffer
		w, err := NewWriter(&file, clock.NewStepped(t0))
		require.NoError(t, err)
		l := w.NewLine("x")
		step = 1 + max(step, 0)%100
		for rest := b; len(rest) > 0; rest = rest[min(step, len(rest)):] {
			l.Bytes(Inbound, rest[:min(step, len(rest))])
		}
		l.Flush()
		// Every byte is in the file once, in order.
		var got []byte
		for _, p := range readBack(t, file.Bytes()) {
			got = append(got, p.Data...)
		}
		require.Equal(t, len(b), len(got))
		require.True(t, bytes.Equal(b, got))
	})
}
