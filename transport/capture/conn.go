package capture

import (
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

const (
	wrapperPort  = 4059
	firstPort    = 49152
	maxSegment   = 32 << 10
	maxDatagram  = 0xFFFF - 20 - 8
	startNumbers = 1000 // sequence numbers begin here, so that a reader sees them grow
)

// ConnConfig says what a connection looks like in the file.
type ConnConfig struct {
	// Name goes into the comment of its first packet.
	Name string
	// Local and Remote are its ends. Without IPv4 addresses it gets some of 192.0.2.0/24; the server's port is always
	// shown as 4059, and a client without a port gets one of its own.
	Local, Remote netip.AddrPort
	// Server tells that we are the server: the remote end is the client.
	Server bool
	// Datagrams makes it UDP.
	Datagrams bool
}

// Conn is one connection in the file. The nil Conn does nothing.
type Conn struct {
	w    *Writer
	name string
	udp  bool

	mu     sync.Mutex
	ends   [3]end // by Direction: who sends
	closed bool
}

type end struct {
	addr netip.Addr
	port uint16
	seq  uint32
}

// NewConn adds a connection, with a handshake if it is TCP. It is nil for a nil Writer.
func (w *Writer) NewConn(cfg ConnConfig) *Conn {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	if w.ethernet < 0 {
		w.ethernet = w.addInterface("wrapper", layers.LinkTypeEthernet)
	}
	n := w.conns
	w.conns++
	w.mu.Unlock()

	c := &Conn{w: w, name: cfg.Name, udp: cfg.Datagrams}
	client, server := Outbound, Inbound
	if cfg.Server {
		client, server = server, client
	}
	c.ends[Outbound] = newEnd(cfg.Local, 1, n)
	c.ends[Inbound] = newEnd(cfg.Remote, 2, n)
	c.ends[server].port = wrapperPort
	if c.ends[client].port == 0 {
		c.ends[client].port = firstPort + n%(1<<16-firstPort)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.udp {
		c.segment(client, layers.TCP{SYN: true}, nil)
		c.segment(server, layers.TCP{SYN: true, ACK: true}, nil)
		c.segment(client, layers.TCP{ACK: true}, nil)
	}
	return c
}

func newEnd(a netip.AddrPort, which byte, n uint16) end {
	e := end{addr: a.Addr().Unmap(), port: a.Port(), seq: startNumbers}
	if !e.addr.Is4() {
		e.addr = netip.AddrFrom4([4]byte{192, 0, 2, which})
		if which == 2 {
			e.addr = netip.AddrFrom4([4]byte{192, 0, 2, byte(2 + n%250)})
		}
	}
	return e
}

// Bytes takes bytes that passed now; for UDP, one datagram.
func (c *Conn) Bytes(d Direction, b []byte) {
	if c == nil || len(b) == 0 || d == 0 || int(d) >= len(c.ends) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	if c.udp {
		c.datagram(d, b[:min(len(b), maxDatagram)])
		return
	}
	for len(b) > 0 {
		n := min(len(b), maxSegment)
		c.segment(d, layers.TCP{PSH: true, ACK: true}, b[:n])
		b = b[n:]
	}
}

// Close ends the connection in the file.
func (c *Conn) Close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	if !c.udp {
		c.segment(Outbound, layers.TCP{FIN: true, ACK: true}, nil)
		c.segment(Inbound, layers.TCP{FIN: true, ACK: true}, nil)
		c.segment(Outbound, layers.TCP{ACK: true}, nil)
	}
}

func other(d Direction) Direction { return Inbound + Outbound - d }

func (c *Conn) segment(d Direction, tcp layers.TCP, payload []byte) {
	from, to := &c.ends[d], &c.ends[other(d)]
	tcp.SrcPort, tcp.DstPort = layers.TCPPort(from.port), layers.TCPPort(to.port)
	tcp.Seq, tcp.Window = from.seq, 0xFFFF
	if tcp.ACK {
		tcp.Ack = to.seq
	}
	from.seq += uint32(len(payload))
	if tcp.SYN || tcp.FIN {
		from.seq++
	}
	ip := c.ip(d, layers.IPProtocolTCP)
	_ = tcp.SetNetworkLayerForChecksum(ip) // fails for other layers than IP only
	comment := ""
	if tcp.SYN && !tcp.ACK {
		comment = c.name
	}
	c.emit(d, comment, ip, &tcp, gopacket.Payload(payload))
}

func (c *Conn) datagram(d Direction, payload []byte) {
	udp := layers.UDP{SrcPort: layers.UDPPort(c.ends[d].port), DstPort: layers.UDPPort(c.ends[other(d)].port)}
	ip := c.ip(d, layers.IPProtocolUDP)
	_ = udp.SetNetworkLayerForChecksum(ip)
	c.emit(d, c.name, ip, &udp, gopacket.Payload(payload))
}

func (c *Conn) ip(d Direction, p layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{
		Version: 4, TTL: 64, Protocol: p,
		SrcIP: c.ends[d].addr.AsSlice(), DstIP: c.ends[other(d)].addr.AsSlice(),
	}
}

func (c *Conn) emit(d Direction, comment string, ip *layers.IPv4, rest ...gopacket.SerializableLayer) {
	eth := &layers.Ethernet{SrcMAC: mac(ip.SrcIP), DstMAC: mac(ip.DstIP), EthernetType: layers.EthernetTypeIPv4}
	at := c.w.clock.Now()
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	all := append([]gopacket.SerializableLayer{eth, ip}, rest...)
	err := gopacket.SerializeLayers(c.w.packet, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...)
	if err != nil {
		c.w.err = err
		return
	}
	c.w.write(c.w.ethernet, at, d, c.w.packet.Bytes(), comment)
}

// mac is a locally administered address with the IPv4 address in it.
func mac(ip net.IP) net.HardwareAddr {
	return append(net.HardwareAddr{0x02, 0x00}, ip.To4()...)
}

// TapConn returns the connection, with everything that passes also written to the file. server tells that the other end
// opened it. On a nil Writer it is conn itself.
func (w *Writer) TapConn(conn net.Conn, name string, server bool) net.Conn {
	if w == nil {
		return conn
	}
	c := w.NewConn(ConnConfig{Name: name, Local: addrPort(conn.LocalAddr()), Remote: addrPort(conn.RemoteAddr()), Server: server})
	return &tappedConn{Conn: conn, to: c}
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort()
	}
	return netip.AddrPort{}
}

type tappedConn struct {
	net.Conn
	to *Conn
}

func (t *tappedConn) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.to.Bytes(Inbound, b[:n])
	return n, err
}

// Write captures first: the answer may be read before the write returns.
func (t *tappedConn) Write(b []byte) (int, error) {
	t.to.Bytes(Outbound, b)
	return t.Conn.Write(b)
}

func (t *tappedConn) Close() error {
	t.to.Close()
	return t.Conn.Close()
}

// Tap returns a stream with everything that passes also written to the file as a TCP connection that we opened: for
// byte streams that are no net.Conn, such as an in-memory line. On a nil Writer it is s itself.
func (w *Writer) Tap(s io.ReadWriteCloser, name string) io.ReadWriteCloser {
	if w == nil {
		return s
	}
	return &tappedStream{ReadWriteCloser: s, to: w.NewConn(ConnConfig{Name: name})}
}

type tappedStream struct {
	io.ReadWriteCloser
	to *Conn
}

func (t *tappedStream) Read(b []byte) (int, error) {
	n, err := t.ReadWriteCloser.Read(b)
	t.to.Bytes(Inbound, b[:n])
	return n, err
}

func (t *tappedStream) Write(b []byte) (int, error) {
	t.to.Bytes(Outbound, b)
	return t.ReadWriteCloser.Write(b)
}

func (t *tappedStream) Close() error {
	t.to.Close()
	return t.ReadWriteCloser.Close()
}
