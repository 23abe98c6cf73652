package edge_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/dlms/hdlc"
	"smets1/dlms/security"
	"smets1/dlms/server"
	"smets1/dlms/server/ctt"
	"smets1/dlms/server/edge"
	"smets1/dlms/wrapper"
	"smets1/internal/clock"
)

var hello = []byte("SM1REFERENCE0001")

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

func dial(t *testing.T, network, address string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, address)
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	return c
}

// read opens an association over a link, and reads the device's name.
func read(t *testing.T, l client.Link, cfg client.Config) *client.Client {
	t.Helper()
	c, err := client.Associate(t.Context(), l, cfg)
	require.NoError(t, err)
	name, err := c.GetBytes(t.Context(), cosem.Attribute{Class: 1, Instance: cosem.MustOBIS("0-0:42.0.0.255"), ID: 2})
	require.NoError(t, err)
	require.Equal(t, hello, name)
	return c
}

// once reads and releases.
func once(t *testing.T, l client.Link, cfg client.Config) {
	t.Helper()
	require.NoError(t, read(t, l, cfg).Release(t.Context()))
}

// onHDLC is a connection with a server address on a line.
func onHDLC(t *testing.T, c net.Conn, server hdlc.Address) client.Link {
	t.Helper()
	l, err := client.NewHDLC(c, hdlc.ClientConfig{}, clock.Real()).Link(hdlc.Client(uint8(ctt.ClientReader)), server)
	require.NoError(t, err)
	return l
}

func low() client.Config {
	return client.Config{Mechanism: security.MechanismLLS, Secret: security.NewSecret([]byte("12345678"))}
}

// behind forwards to meters by address, some time later.
type behind struct {
	site   *edge.Site
	meters map[string]*server.Device
	wg     sync.WaitGroup
}

func (b *behind) Forward(_ time.Time, r server.Forwarded) {
	r.APDU, r.Address = bytes.Clone(r.APDU), bytes.Clone(r.Address)
	b.wg.Go(func() {
		b.site.Do(func(now time.Time) {
			reply := []byte{0xD8, 2, 1}
			if d := b.meters[string(r.Address)]; d != nil {
				reply = d.Serve(now, server.Peer{Link: 1 << 50, Client: r.Client}, r.APDU, nil)
			}
			_ = r.From.Reply(now, r.Token, reply)
		})
	})
}

// TestOneProcess serves many devices on every kind of line at once: by port, by wrapper port, by HDLC address and behind
// a hub; several clients read all of them at the same time.
func TestOneProcess(t *testing.T) {
	e := edge.New(clock.Real())
	defer e.Close()
	serve := func(f func() error) { go func() { _ = f() }() }

	// By port.
	var byPort [3]string
	for i := range byPort {
		l := listen(t)
		byPort[i] = l.Addr().String()
		site := e.Site(server.Devices{ctt.NewReference(0).Device}, nil)
		serve(func() error { return e.TCP(l, site) })
	}
	// By wrapper port: one address, over TCP and UDP, and as lines of its own a pipe and HDLC.
	many := server.Ports{}
	for sap := uint16(1); sap <= 20; sap++ {
		m := ctt.NewReference(0)
		m.Device.SAP = sap
		many[sap] = m.Device
	}
	site := e.Site(many, nil)
	tcp := listen(t)
	serve(func() error { return e.TCP(tcp, site) })
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	serve(func() error { return e.UDP(udp, site) })
	hdlcTCP := listen(t)
	serve(func() error { return e.HDLCOverTCP(hdlcTCP, site, edge.Line{}) })
	// By HDLC address.
	bus := server.Bus{}
	for lower := uint16(17); lower < 22; lower++ {
		bus[lower] = server.Devices{ctt.NewReference(0).Device}
	}
	busTCP := listen(t)
	busSite := e.Site(bus, nil)
	serve(func() error {
		return e.HDLCOverTCP(busTCP, busSite, edge.Line{HDLC: hdlc.ServerConfig{Params: hdlc.Params{InfoTransmit: 512, InfoReceive: 512, WindowTransmit: 3, WindowReceive: 3}}})
	})
	// Behind a hub.
	b := &behind{meters: map[string]*server.Device{"one": ctt.NewReference(0).Device, "two": ctt.NewReference(0).Device}}
	b.site = e.Site(server.Devices{ctt.NewReference(0).Device}, b)
	hub := listen(t)
	serve(func() error { return e.TCP(hub, b.site) })
	defer b.wg.Wait()

	var wg sync.WaitGroup
	for range 4 {
		for _, address := range byPort {
			wg.Go(func() {
				once(t, client.NewWrapper(dial(t, "tcp", address)).Link(ctt.ClientReader, 1), low())
			})
		}
		for sap := uint16(1); sap <= 20; sap++ {
			wg.Go(func() {
				once(t, client.NewWrapper(dial(t, "tcp", tcp.Addr().String())).Link(ctt.ClientReader, sap), low())
				once(t, client.NewUDP(dial(t, "udp", udp.LocalAddr().String())).Link(ctt.ClientReader, sap), low())
			})
		}
		wg.Go(func() {
			once(t, onHDLC(t, dial(t, "tcp", hdlcTCP.Addr().String()), hdlc.Server1(3)), low())
		})
		for lower := range bus {
			wg.Go(func() {
				once(t, onHDLC(t, dial(t, "tcp", busTCP.Addr().String()), hdlc.Server4(1, lower)), low())
			})
		}
		wg.Go(func() {
			near, far := net.Pipe()
			serve(func() error { return e.Wrapper(far, site) })
			once(t, client.NewWrapper(near).Link(ctt.ClientReader, 7), low())
		})
	}
	for _, address := range []string{"one", "two"} {
		wg.Go(func() {
			link := client.NewWrapper(dial(t, "tcp", hub.Addr().String())).Link(ctt.ClientReader, 1)
			once(t, client.Behind(link, 1, []byte(address)), low())
		})
	}
	wg.Wait()
}

// TestPush: what a site pushes reaches the clients that have an association, over their lines.
func TestPush(t *testing.T) {
	e := edge.New(clock.Real())
	m := ctt.NewReference(0)
	site := e.Site(server.Devices{m.Device}, nil)
	near, far := net.Pipe()
	ended := make(chan error)
	go func() { ended <- e.Wrapper(far, site) }()
	require.Zero(t, site.Push(m.Device, ctt.ClientReader, []byte{0x0F}), "nobody is there")
	cfg := low()
	var pushed []byte
	cfg.Notify = func(b []byte) { pushed = bytes.Clone(b) }
	c := read(t, client.NewWrapper(near).Link(ctt.ClientReader, 1), cfg)
	value := cosem.Attribute{Class: 3, Instance: cosem.MustOBIS("1-0:1.8.0.255"), ID: 2}
	var note []byte
	site.Do(func(now time.Time) {
		var err error
		note, err = m.Device.Notification(now, server.Notification{Attributes: []cosem.Attribute{value}})
		require.NoError(t, err)
	})
	require.Equal(t, 1, site.Push(m.Device, ctt.ClientReader, note))
	_, err := c.Get(t.Context(), value)
	require.NoError(t, err)
	require.Equal(t, note, pushed)
	e.Close()
	require.NoError(t, <-ended)
	require.Zero(t, m.Device.Open(), "associations end with their lines")
	require.ErrorIs(t, e.Wrapper(near, site), edge.ErrClosed)
}

// TestLineTimers: a silent HDLC connection ends by the edge's clock.
func TestLineTimers(t *testing.T) {
	c := clock.NewStepped(time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC))
	e := edge.New(c)
	defer e.Close()
	m := ctt.NewReference(0)
	site := e.Site(server.Devices{m.Device}, nil)
	near, far := net.Pipe()
	go func() { _ = e.HDLC(far, site, edge.Line{}) }()
	read(t, onHDLC(t, near, hdlc.Server1(1)), low())
	open := func() (n int) {
		site.Do(func(time.Time) { n = m.Device.Open() })
		return n
	}
	require.Equal(t, 1, open())
	require.Eventually(t, func() bool {
		c.Advance(120 * time.Second)
		return open() == 0
	}, 5*time.Second, time.Millisecond)
}

// TestUDPRemotes: remote addresses are forgotten, the oldest first.
func TestUDPRemotes(t *testing.T) {
	now := clock.NewStepped(time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC))
	e := edge.New(now)
	m := ctt.NewReference(0)
	site := e.Site(server.Devices{m.Device}, nil)
	p := &packets{in: make(chan packet), out: make(chan packet, 8), closed: make(chan struct{})}
	ended := make(chan error)
	go func() { ended <- e.UDP(p, site) }()
	q, err := apdu.InitiateRequest{Version: 6, Conformance: 0x7EFFFF}.AppendBinary(nil)
	require.NoError(t, err)
	aarq := append([]byte{0x60, byte(13 + len(q) + 2), 0xA1, 0x09, 0x06, 0x07, 0x60, 0x85, 0x74, 0x05, 0x08, 0x01, 0x01, 0xBE, byte(len(q) + 2), 0x04, byte(len(q))}, q...)
	aarq[1] = byte(len(aarq) - 2)
	ask := func(from string) []byte {
		b, err := wrapper.Append(nil, 16, 1, aarq)
		require.NoError(t, err)
		p.in <- packet{b, address(from)}
		r := <-p.out
		require.Equal(t, from, r.from.String())
		return r.b[wrapper.Size:]
	}
	require.Equal(t, byte(0x61), ask("a")[0])
	open := func() (n int) {
		site.Do(func(time.Time) { n = m.Device.Open() })
		return n
	}
	require.Equal(t, 1, open())
	now.Advance(11 * time.Minute)
	ask("b")
	require.Equal(t, 1, open(), "a fell silent")
	for i := range 1100 {
		now.Advance(time.Millisecond)
		p.in <- packet{[]byte("junk"), address(fmt.Sprint(i))}
	}
	require.Zero(t, open(), "b had to make room")
	ask("c")
	e.Close()
	require.ErrorIs(t, <-ended, net.ErrClosed)
	require.Zero(t, m.Device.Open())
	require.ErrorIs(t, e.UDP(p, site), edge.ErrClosed)
}

type address string

func (address) Network() string  { return "memory" }
func (a address) String() string { return string(a) }

type packet struct {
	b    []byte
	from net.Addr
}

type packets struct {
	net.PacketConn
	in, out chan packet
	closed  chan struct{}
	once    sync.Once
}

func (p *packets) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case x := <-p.in:
		return copy(b, x.b), x.from, nil
	case <-p.closed:
		return 0, nil, net.ErrClosed
	}
}

func (p *packets) WriteTo(b []byte, to net.Addr) (int, error) {
	p.out <- packet{bytes.Clone(b), to}
	return len(b), nil
}

func (p *packets) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// broken fails to write.
type broken struct {
	io.Reader
	closed chan struct{}
	once   sync.Once
}

func (b *broken) Write([]byte) (int, error) { return 0, errors.New("cable cut") }
func (b *broken) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

type then struct {
	b      *bytes.Reader
	closed chan struct{}
	err    error
}

func (r *then) Read(p []byte) (int, error) {
	if r.b.Len() > 0 {
		return r.b.Read(p)
	}
	<-r.closed
	return 0, r.err
}

// TestBrokenLine: a line that cannot be written to ends, with its reader's error.
func TestBrokenLine(t *testing.T) {
	e := edge.New(clock.Real())
	defer e.Close()
	closed := make(chan struct{})
	u, err := wrapper.Append(nil, 16, 1, axdr.AppendNull([]byte{0xC0, 1, 0xC1}))
	require.NoError(t, err)
	cut := errors.New("cut")
	c := &broken{Reader: &then{bytes.NewReader(u), closed, cut}, closed: closed}
	require.ErrorIs(t, e.Wrapper(c, e.Site(server.Devices{ctt.NewReference(0).Device}, nil)), cut)
}
