package rcp

import (
	"encoding/binary"
	"slices"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/spinel"
)

// Radio is what a Server offers: transport/radio.Radio.
type Radio interface {
	Tune(now time.Time, channel uint8, on bool)
	Address(pan, short uint16, eui wire.EUI64)
	Pending(short []uint16, extended []wire.EUI64)
	Transmit(now time.Time, psdu []byte, retries int) error
}

// promiscuous is what some radios can do besides.
type promiscuous interface{ Promiscuous(on bool) }

// Version is the text that a Server calls itself.
const Version = "SMETS1/virtual-rcp; IEEE 802.15.4 in memory"

// Server is a radio co-processor. It is used by one goroutine at a time.
type Server struct {
	// EUI is the hardware address.
	EUI wire.EUI64

	radio   Radio
	decoder spinel.Decoder
	out     []byte

	channel      uint8
	phy, raw, on bool
	pan, short   uint16
	address      wire.EUI64
	matching     bool
	matchShort   []uint16
	matchExt     []wire.EUI64
	power        uint8
	queue        []transmission
	busy         bool
	sending      uint8 // transaction
	psdu         []byte
}

type transmission struct {
	transaction uint8
	channel     uint8
	retries     int
	psdu        []byte
}

// Attach gives the server its radio, of which it is the client.
func (s *Server) Attach(now time.Time, r Radio) {
	s.radio, s.channel, s.pan, s.short, s.address, s.on = r, 11, 0xFFFF, 0xFFFE, s.EUI, true
	s.tune(now)
}

// Output takes what is to be written to the line.
func (s *Server) Output() []byte {
	b := s.out
	s.out = nil
	return b
}

// Input takes octets from the line.
func (s *Server) Input(now time.Time, b []byte) {
	for len(b) > 0 {
		frame, n, err := s.decoder.Feed(b)
		b = b[n:]
		if err != nil || frame == nil {
			continue // a damaged frame is the host's to repeat
		}
		f, _, err := spinel.ParseFrame(frame)
		if err != nil {
			s.send(spinel.LastStatus(0, spinel.StatusParseError))
			continue
		}
		s.handle(now, &f)
	}
}

func (s *Server) send(f spinel.Frame) {
	if b, err := f.AppendBinary(nil); err == nil {
		s.out = spinel.AppendHDLC(s.out, b)
	}
}

func (s *Server) handle(now time.Time, f *spinel.Frame) {
	switch f.Command {
	case spinel.CommandReset:
		s.phy, s.raw, s.matching = false, false, false
		s.queue = nil
		s.tune(now)
		s.send(spinel.LastStatus(0, spinel.StatusResetSoftware))
	case spinel.CommandNoop:
		s.send(spinel.LastStatus(f.Transaction, spinel.StatusOK))
	case spinel.CommandGet:
		v, ok := s.get(f.Property)
		if !ok {
			s.send(spinel.LastStatus(f.Transaction, spinel.StatusPropertyNotFound))
			return
		}
		s.send(spinel.Is(f.Transaction, f.Property, v))
	case spinel.CommandSet, spinel.CommandInsert, spinel.CommandRemove:
		if f.Property == spinel.PropStreamRaw {
			s.transmit(now, f)
			return
		}
		if status := s.set(now, f); status != spinel.StatusOK {
			s.send(spinel.LastStatus(f.Transaction, status))
			return
		}
		answer := spinel.Is(f.Transaction, f.Property, slices.Clone(f.Value))
		switch f.Command {
		case spinel.CommandInsert:
			answer.Command = spinel.CommandInserted
		case spinel.CommandRemove:
			answer.Command = spinel.CommandRemoved
		default:
		}
		s.send(answer)
	default:
		s.send(spinel.LastStatus(f.Transaction, spinel.StatusInvalidCommand))
	}
}

func (s *Server) get(p spinel.Property) ([]byte, bool) {
	packed := func(v ...uint32) (b []byte) {
		for _, x := range v {
			b = spinel.AppendPacked(b, x)
		}
		return b
	}
	flag := func(on bool) []byte {
		if on {
			return []byte{1}
		}
		return []byte{0}
	}
	signed := func(v int8) []byte { return []byte{byte(v)} }
	switch p {
	case spinel.PropProtocolVersion:
		return packed(4, 3), true
	case spinel.PropNCPVersion:
		b, err := spinel.AppendText(nil, Version)
		return b, err == nil
	case spinel.PropInterfaceType:
		return packed(spinel.InterfaceIEEE802154), true
	case spinel.PropInterfaceCount:
		return []byte{1}, true
	case spinel.PropCapabilities:
		return packed(), true
	case spinel.PropHardwareAddress:
		return spinel.AppendEUI64(nil, s.EUI), true
	case spinel.PropRCPAPIVersion:
		return packed(11), true
	case spinel.PropRCPMinHostAPI:
		return packed(4), true
	case spinel.PropPhyEnabled:
		return flag(s.phy), true
	case spinel.PropPhyChannel:
		return []byte{s.channel}, true
	case spinel.PropPhyChannels:
		return []byte{11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26}, true
	case spinel.PropPhyCCAThreshold:
		return signed(-75), true
	case spinel.PropPhyTxPower:
		return []byte{s.power}, true
	case spinel.PropPhyRSSI, spinel.PropPhySensitivity:
		return signed(-97), true
	case spinel.PropMACAddress:
		return spinel.AppendEUI64(nil, s.address), true
	case spinel.PropMACShort:
		return spinel.AppendUint16(nil, s.short), true
	case spinel.PropMACPANID:
		return spinel.AppendUint16(nil, s.pan), true
	case spinel.PropRawStream:
		return flag(s.raw), true
	case spinel.PropRxOnWhenIdle:
		return flag(s.on), true
	case spinel.PropSrcMatchEnabled:
		return flag(s.matching), true
	default:
		return nil, false
	}
}

// set changes a property.
func (s *Server) set(now time.Time, f *spinel.Frame) spinel.Status {
	v := f.Value
	octet := func(to *uint8) error {
		if len(v) < 1 {
			return spinel.StatusParseError
		}
		*to = v[0]
		return nil
	}
	boolean := func(to *bool) (err error) { *to, _, err = spinel.ParseBool(v); return err }
	var err error
	switch f.Property {
	case spinel.PropPhyEnabled:
		err = boolean(&s.phy)
	case spinel.PropPhyChannel:
		if len(v) < 1 || v[0] < 11 || v[0] > 26 {
			return spinel.StatusInvalidArgument
		}
		s.channel = v[0]
	case spinel.PropPhyTxPower:
		err = octet(&s.power)
	case spinel.PropMACAddress:
		s.address, _, err = spinel.ParseEUI64(v)
	case spinel.PropMACShort:
		s.short, _, err = spinel.ParseUint16(v)
	case spinel.PropMACPANID:
		s.pan, _, err = spinel.ParseUint16(v)
	case spinel.PropRawStream:
		err = boolean(&s.raw)
	case spinel.PropRxOnWhenIdle:
		err = boolean(&s.on)
	case spinel.PropPromiscuous:
		var mode uint8
		if err = octet(&mode); err == nil {
			if p, ok := s.radio.(promiscuous); ok {
				p.Promiscuous(mode == 2)
			}
		}
	case spinel.PropSrcMatchEnabled:
		err = boolean(&s.matching)
	case spinel.PropSrcMatchShort:
		err = s.match(f, 2)
	case spinel.PropSrcMatchExt:
		err = s.match(f, 8)
	default:
		return spinel.StatusPropertyNotFound
	}
	if err != nil {
		return spinel.StatusParseError
	}
	s.tune(now)
	return spinel.StatusOK
}

// match changes the list of those for whom the host keeps frames.
func (s *Server) match(f *spinel.Frame, size int) error {
	if len(f.Value)%size != 0 {
		return spinel.StatusParseError
	}
	if f.Command == spinel.CommandSet {
		if size == 2 {
			s.matchShort = nil
		} else {
			s.matchExt = nil
		}
	}
	for v := range slices.Chunk(f.Value, size) {
		if size == 2 {
			a := binary.LittleEndian.Uint16(v)
			s.matchShort = slices.DeleteFunc(s.matchShort, func(x uint16) bool { return x == a })
			if f.Command != spinel.CommandRemove {
				s.matchShort = append(s.matchShort, a)
			}
			continue
		}
		e := wire.EUI64(v)
		s.matchExt = slices.DeleteFunc(s.matchExt, func(x wire.EUI64) bool { return x == e })
		if f.Command != spinel.CommandRemove {
			s.matchExt = append(s.matchExt, e)
		}
	}
	return nil
}

func (s *Server) tune(now time.Time) {
	s.radio.Address(s.pan, s.short, s.address)
	if s.matching {
		s.radio.Pending(s.matchShort, s.matchExt)
	}
	s.radio.Tune(now, s.channel, s.phy && s.raw && s.on)
}

func (s *Server) transmit(now time.Time, f *spinel.Frame) {
	m, _, err := spinel.ParseTransmitRequest(f.Value)
	if err != nil || len(m.Frame) < 5 || len(m.Frame) > 127 {
		s.send(spinel.LastStatus(f.Transaction, spinel.StatusParseError))
		return
	}
	if !s.phy || !s.raw {
		s.send(spinel.LastStatus(f.Transaction, spinel.StatusInvalidState))
		return
	}
	psdu := slices.Clone(m.Frame)
	n := len(psdu) - 2
	binary.LittleEndian.PutUint16(psdu[n:], wire.CRC16Kermit(psdu[:n]))
	retries := 3
	if m.Optional > 1 {
		retries = int(m.MaxRetries)
	}
	s.queue = append(s.queue, transmission{f.Transaction, m.Channel, retries, psdu})
	s.next(now)
}

func (s *Server) next(now time.Time) {
	for !s.busy && len(s.queue) > 0 {
		t := s.queue[0]
		s.queue = s.queue[1:]
		if t.channel != 0 && t.channel != s.channel {
			s.channel = t.channel
			s.tune(now)
		}
		if err := s.radio.Transmit(now, t.psdu, t.retries); err != nil {
			s.send(spinel.LastStatus(t.transaction, spinel.StatusFailure))
			continue
		}
		s.busy, s.sending, s.psdu = true, t.transaction, t.psdu
	}
}

// Sent is called by the radio.
func (s *Server) Sent(now time.Time, pending bool, err error) {
	if !s.busy {
		return
	}
	s.busy = false
	r := spinel.TransmitResult{Status: spinel.StatusOK, HasDetail: true, FramePending: pending}
	if err != nil {
		// The radio's errors are known by what they say of the channel, not by their package.
		r = spinel.TransmitResult{Status: spinel.StatusNoAck}
		if s.psdu[0]&(1<<5) == 0 {
			r.Status = spinel.StatusCCAFailure
		}
	}
	if v, err := r.AppendBinary(nil); err == nil {
		s.send(spinel.Is(s.sending, spinel.PropLastStatus, v))
	}
	s.next(now)
}

// Received is called by the radio.
func (s *Server) Received(now time.Time, psdu []byte, rssi int8, lqi uint8) {
	if !s.phy || !s.raw {
		return
	}
	v, err := spinel.ReceiveIndication{
		Frame: psdu, RSSI: rssi, Noise: spinel.NoNoiseFloor, Channel: s.channel, LQI: lqi, Timestamp: uint64(now.UnixMicro()),
	}.AppendBinary(nil)
	if err == nil {
		s.send(spinel.Is(0, spinel.PropStreamRaw, v))
	}
}
