package ncp

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/ash"
	"smets1/zigbee/ezsp"
	"smets1/zigbee/node"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl/se"
)

// Radio is what a Server works on: transport/radio.Radio.
type Radio interface {
	Tune(now time.Time, channel uint8, on bool)
	Address(pan, short uint16, eui wire.EUI64)
	Pending(short []uint16, extended []wire.EUI64)
	Transmit(now time.Time, psdu []byte, retries int) error
}

// promiscuous is what radios can do that sniff.
type promiscuous interface{ Promiscuous(on bool) }

// ServerConfig says what a co-processor is.
type ServerConfig struct {
	// EUI is its address.
	EUI wire.EUI64
	// Entropy gives keys. Nil means crypto/rand.
	Entropy io.Reader
	// Rand decides on addresses and jitter. Nil means one seeded with the EUI-64.
	Rand *rand.Rand
	// State is what Save was given last: the network of an earlier run. Empty means none.
	State []byte
	// Save makes the network durable; the slice is not kept. Nil means that it lasts as long as the Server.
	Save func(state []byte) error
}

// Stats counts what a Server did.
type Stats struct {
	Commands uint64
	Unknown  uint64 // commands that it does not know
	TooLong  uint64 // messages that did not fit a frame to the host
}

// settle is how long the stack takes from a command that changes its state to the callback that tells so (ours).
const settle = 50 * time.Millisecond

// Release is the version of the firmware that a Server calls itself: EmberZNet 7.4.
var Release = ezsp.VersionInfo{Build: 0, Major: 7, Minor: 4, Type: 0xAA}

// Server is a co-processor.
type Server struct {
	cfg   ServerConfig
	link  *ash.Link
	radio Radio
	node  *node.Node
	state []byte
	now   time.Time
	stats Stats

	resets   int
	version  bool // was agreed on
	sequence uint8
	later    []callback

	security  ezsp.InitialSecurityState
	centre    security.Key // the trust centre's own link key, which hosts back up
	network   ezsp.NetworkParameters
	endpoints []*node.Endpoint
	values    map[uint8][]byte
	config    map[uint8]uint16
	closed    bool         // the trust centre's policy lets nobody join
	anyone    security.Key // of the devices that have no key of their own
	maker     uint16

	sniffing bool
	channel  uint8
	sending  []byte // by the host itself, while it sniffs
	lqi      uint8
	rssi     int8
}

// callback is a frame to the host that is not due yet.
type callback struct {
	at      time.Time
	command ezsp.Command
	b       []byte
}

// NewServer makes a co-processor.
func NewServer(c ServerConfig) *Server {
	s := &Server{cfg: c, link: ash.NewNCP(), state: append([]byte(nil), c.State...)}
	s.forgetHost()
	return s
}

// Attach gives the co-processor its radio, of which it is the client.
func (s *Server) Attach(now time.Time, r Radio) {
	s.now, s.radio = now, r
	s.quiet()
}

// Node is the stack while it is on a network, else nil.
func (s *Server) Node() *node.Node { return s.node }

// Stats so far.
func (s *Server) Stats() Stats { return s.stats }

// quiet turns the radio off.
func (s *Server) quiet() {
	s.radio.Pending(nil, nil)
	s.radio.Address(0xFFFF, 0xFFFE, s.cfg.EUI)
	s.radio.Tune(s.now, 11, false)
}

// forgetHost is what a reset does to all that a host has set.
func (s *Server) forgetHost() {
	s.version, s.later, s.endpoints = false, nil, nil
	s.security, s.anyone, s.closed = ezsp.InitialSecurityState{}, security.Key{}, false
	s.values = map[uint8][]byte{}
	s.config = map[uint8]uint16{ezsp.ConfigKeyTableSize: 12}
}

// Output takes what is to be written to the line.
func (s *Server) Output() []byte { return s.link.Output() }

// Deadline is when Advance wants to be called; the zero time if never.
func (s *Server) Deadline() time.Time {
	next := s.link.Deadline()
	if s.node != nil {
		next = earlier(next, s.node.Deadline())
	}
	for i := range s.later {
		next = earlier(next, s.later[i].at)
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Advance does what is due.
func (s *Server) Advance(now time.Time) {
	s.now = now
	if s.node != nil {
		s.node.Advance(now)
	}
	s.link.Advance(now)
	s.due()
}

func (s *Server) due() {
	kept := s.later[:0]
	for _, c := range s.later {
		if c.at.After(s.now) {
			kept = append(kept, c)
			continue
		}
		s.callback(c.command, c.b)
	}
	s.later = kept
}

// Input takes octets from the line.
func (s *Server) Input(now time.Time, b []byte) {
	s.now = now
	s.link.Input(now, b)
	if n := s.link.Resets(); n != s.resets {
		s.resets = n
		s.restart()
	}
	for p := s.link.Next(); p != nil; p = s.link.Next() {
		f, _, err := ezsp.ParseFrame(p)
		if err != nil || f.Response {
			continue
		}
		s.sequence = f.Sequence
		s.stats.Commands++
		s.answer(&f)
	}
}

// restart is what a reset does: the network stays in memory, and networkInit goes on with it.
func (s *Server) restart() {
	s.forgetHost()
	s.stopSniffing()
	s.node = nil
	s.quiet()
}

// send puts a frame on its way to the host.
func (s *Server) send(f ezsp.Frame) bool {
	f.Response = true
	b, err := f.AppendBinary(nil)
	return err == nil && s.link.Send(s.now, b) == nil
}

func (s *Server) callback(c ezsp.Command, b []byte) {
	if !s.send(ezsp.Frame{Sequence: s.sequence, Callback: ezsp.Asynchronous, Command: c, Parameters: b}) {
		s.stats.TooLong++
	}
}

func (s *Server) tellLater(st ezsp.Status) {
	s.later = append(s.later, callback{s.now.Add(settle), ezsp.CmdStackStatusHandler, []byte{byte(st)}})
}

// Received implements transport/radio.Client.
func (s *Server) Received(now time.Time, psdu []byte, rssi int8, lqi uint8) {
	s.now, s.rssi, s.lqi = now, rssi, lqi
	switch {
	case s.sniffing:
		if b, err := ezsp.Append(nil, &ezsp.SniffedPacket{LQI: lqi, RSSI: rssi, PSDU: psdu}); err == nil {
			s.callback(ezsp.CmdMfglibRxHandler, b)
		}
	case s.node != nil:
		s.node.Received(now, psdu, rssi, lqi)
	}
}

// Sent implements transport/radio.Client.
func (s *Server) Sent(now time.Time, pending bool, err error) {
	s.now = now
	switch {
	case s.sending != nil:
		s.sending = nil
	case s.node != nil:
		s.node.Sent(now, pending, err)
	}
}

// start puts the stack to work: with a state as it was, without one on a new network.
func (s *Server) start(state []byte) ezsp.Status {
	p := &s.network
	s.centre = s.security.LinkKey
	if len(state) > 0 {
		if len(state) < security.KeySize {
			return ezsp.NotJoined
		}
		var err error
		if s.centre, err = security.NewKey(state[:security.KeySize]); err != nil {
			return ezsp.NotJoined
		}
		state = state[security.KeySize:]
	}
	c := node.Config{
		EUI: s.cfg.EUI, Role: node.Coordinator, Policy: node.Open, Manufacturer: s.maker, Entropy: s.cfg.Entropy, Rand: s.cfg.Rand,
		PAN: p.PAN, ExtendedPAN: p.ExtendedPAN, NetworkKey: s.security.NetworkKey, Endpoints: s.endpoints,
		Save: s.save, Notify: s.notify, Deliver: s.deliver,
	}
	if len(state) == 0 {
		c.Channels = 1 << p.Channel
	}
	n, err := node.New(c)
	if err != nil {
		return ezsp.BadArgument
	}
	n.AdmitAnyone(s.openKey())
	if err := n.Start(s.now, s.radio, state); err != nil {
		return ezsp.InvalidCall
	}
	s.node = n
	s.tellLater(ezsp.NetworkUp)
	return ezsp.Success
}

// openKey is the key of joiners that have none of their own.
func (s *Server) openKey() security.Key {
	if s.closed {
		return security.Key{}
	}
	return s.anyone
}

// save keeps the trust centre's link key and the state of the stack.
func (s *Server) save(b []byte) error {
	s.state = append(s.state[:0], make([]byte, security.KeySize)...)
	copy(s.state, s.centre.Reveal())
	s.state = append(s.state, b...)
	if s.cfg.Save == nil {
		return nil
	}
	return s.cfg.Save(s.state)
}

// notify turns events of the stack into callbacks.
func (s *Server) notify(now time.Time, e node.Event) {
	s.now = now
	m := ezsp.TrustCentreJoin{Short: e.Short, Device: e.Device, Update: ezsp.UnsecuredJoin, Decision: ezsp.UsePreconfiguredKey}
	switch e.Kind {
	case node.DeviceJoined:
	case node.DeviceLeft:
		m.Update = ezsp.DeviceLeft
	case node.DeviceRefused:
		m.Decision = ezsp.DenyJoin
	default:
		return
	}
	if b, err := ezsp.Append(nil, &m); err == nil {
		s.later = append(s.later, callback{now, ezsp.CmdTrustCentreJoinHandler, b})
	}
}

// deliver turns a message into a callback.
func (s *Server) deliver(now time.Time, m node.Message, payload []byte) {
	s.now = now
	in := ezsp.IncomingMessage{
		APS: ezsp.APSFrame{
			Profile: m.Profile, Cluster: m.Cluster, SrcEndpoint: m.SrcEndpoint, DstEndpoint: m.DstEndpoint,
			Options: ezsp.OptionRetry | ezsp.OptionRouteDiscover, Sequence: m.Counter,
		},
		LQI: s.lqi, RSSI: s.rssi, From: m.Short, Binding: ezsp.NoBinding, Address: ezsp.NoBinding, Message: payload,
	}
	if m.Broadcast {
		in.Type = ezsp.IncomingBroadcast
	}
	if m.Secured {
		in.APS.Options |= ezsp.OptionEncrypt
	}
	b, err := ezsp.Append(nil, &in)
	if err != nil {
		s.stats.TooLong++
		return
	}
	at := now
	if m.From == s.cfg.EUI {
		at = now.Add(settle) // a host does not wait for the answer before its question was answered
	}
	s.later = append(s.later, callback{at, ezsp.CmdIncomingMessageHandler, b})
}

func (s *Server) stopSniffing() {
	if !s.sniffing {
		return
	}
	s.sniffing, s.sending = false, nil
	if p, ok := s.radio.(promiscuous); ok {
		p.Promiscuous(false)
	}
	s.quiet()
}

func clusters(in, out []uint16) (all []*node.Cluster) {
	for _, c := range in {
		all = append(all, &node.Cluster{Spec: &node.Spec{ID: se.Cluster(c), Server: true}})
	}
	for _, c := range out {
		all = append(all, &node.Cluster{Spec: &node.Spec{ID: se.Cluster(c)}})
	}
	return all
}

// withFCS is a PSDU with the FCS that the radio wants in place of the two octets that the host left there.
func withFCS(psdu []byte) []byte {
	n := len(psdu) - 2
	return binary.LittleEndian.AppendUint16(append([]byte(nil), psdu[:n]...), wire.CRC16Kermit(psdu[:n]))
}
