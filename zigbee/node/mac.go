package node

import (
	"encoding/binary"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/aps"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
)

// packet is a MAC frame on its way out.
type packet struct {
	typ     mac.Type
	to      mac.Address // PAN is filled in
	from    mac.AddressMode
	anyPAN  bool // the destination PAN is the broadcast PAN
	pending bool // more waits for the receiver
	ack     bool

	body []byte // of beacons and commands

	// A NWK frame, secured when it leaves.
	nwk     bool
	header  nwk.Header
	payload []byte    // NWK payload as it is
	aps     *outgoing // or an APS frame that this node makes

	done  func(err error)
	timer *timer    // of the indirect queue
	until time.Time // when that gives it up; zero if it was never there
	tries int       // repetitions of a broadcast that are left
	again bool      // it is one
}

func (p *packet) finish(err error) {
	if p.done != nil {
		done := p.done
		p.done = nil
		done(err)
	}
}

// send queues a MAC frame.
func (n *Node) send(p *packet) {
	n.queue = append(n.queue, p)
	n.kick()
}

// kick gives the radio its next frame.
func (n *Node) kick() {
	for n.onAir == nil && len(n.queue) > 0 && !n.building {
		p := n.queue[0]
		last := copy(n.queue, n.queue[1:])
		n.queue[last] = nil
		n.queue = n.queue[:last]
		n.building = true
		b, err := n.build(p)
		n.building = false
		if err == nil {
			retries := 0
			if p.ack {
				retries = mac.MaxFrameRetries
			}
			err = n.radio.Transmit(n.now, b, retries)
		}
		if err != nil {
			p.finish(err)
			continue
		}
		n.onAir = p
	}
}

// build makes the PSDU.
func (n *Node) build(p *packet) ([]byte, error) {
	n.macSeq++
	f := mac.Frame{Type: p.typ, Sequence: n.macSeq, AckRequest: p.ack, FramePending: p.pending, Dst: p.to}
	f.Dst.PAN = n.pan
	if p.anyPAN {
		f.Dst.PAN = mac.BroadcastPAN
	}
	switch p.from {
	case mac.AddressShort:
		f.Src = mac.ShortAddress(n.pan, n.short)
	case mac.AddressExtended:
		f.Src = mac.ExtendedAddress(n.pan, n.cfg.EUI)
		if n.short == mac.NoShort && n.phase == associating && p.typ == mac.TypeCommand && len(p.body) > 0 && p.body[0] == byte(mac.CommandAssociationRequest) {
			f.Src.PAN = mac.BroadcastPAN // it is in no PAN yet
		}
	default:
	}
	f.PANCompression = p.from != mac.AddressNone && p.to.Mode != mac.AddressNone && f.Src.PAN == f.Dst.PAN
	b, err := f.AppendHeader(n.txBuf[:0])
	if err != nil {
		return nil, err
	}
	if p.nwk {
		b, err = n.appendNWK(b, p)
	} else {
		b = append(b, p.body...)
	}
	if err != nil {
		return nil, err
	}
	b, err = mac.Finish(b, 0)
	n.txBuf = b
	return b, err
}

// Sent is called by the radio at the end of a transmission.
func (n *Node) Sent(now time.Time, pending bool, err error) {
	n.now = now
	p := n.onAir
	if n.onAir = nil; p == nil {
		return
	}
	if p.nwk {
		n.stats.Sent++
	}
	if p.typ == mac.TypeCommand && len(p.body) == 1 && p.body[0] == byte(mac.CommandDataRequest) {
		n.polled(pending, err)
	}
	if err != nil && n.now.Before(p.until) {
		n.hold(p) // the child asks again
	} else {
		p.finish(err)
	}
	n.kick()
	n.persist()
}

// command queues a MAC command.
func (n *Node) command(to mac.Address, from mac.AddressMode, m mac.Command, done func(error)) {
	b, err := m.AppendBinary(nil)
	if err != nil {
		if done != nil {
			done(err)
		}
		return
	}
	n.send(&packet{typ: mac.TypeCommand, to: to, from: from, ack: to.Short != mac.Broadcast, body: b, done: done})
}

// Received is called by the radio with a frame.
func (n *Node) Received(now time.Time, psdu []byte, _ int8, lqi uint8) {
	n.now = now
	if f, _, err := mac.ParseFrame(psdu); err != nil {
		n.stats.Malformed++
	} else if !n.repeated(&f) {
		switch f.Type {
		case mac.TypeBeacon:
			n.beacon(&f, lqi)
		case mac.TypeCommand:
			n.commanded(&f, lqi)
		case mac.TypeData:
			n.receiveNWK(&f, lqi)
		default:
		}
	}
	n.kick()
	n.persist()
}

// repeated tells a frame that was received before: its acknowledgement was lost. Beacon requests have no source.
func (n *Node) repeated(f *mac.Frame) bool {
	var source uint64
	switch f.Src.Mode {
	case mac.AddressShort:
		source = uint64(f.Src.PAN)<<16 | uint64(f.Src.Short) | 1<<63
	case mac.AddressExtended:
		source = binary.BigEndian.Uint64(f.Src.EUI[:])
	default:
		return false
	}
	if !f.AckRequest {
		return false
	}
	for i := range n.recent {
		if r := &n.recent[i]; r.used && r.source == source {
			same := r.seq == f.Sequence
			r.seq = f.Sequence
			return same && f.Type == mac.TypeData
		}
	}
	n.recent[n.recentAt] = recentFrame{source, f.Sequence, true}
	n.recentAt = (n.recentAt + 1) % len(n.recent)
	return false
}

func (n *Node) commanded(f *mac.Frame, lqi uint8) {
	m, _, err := mac.ParseCommand(f.Payload)
	if err != nil {
		n.stats.Malformed++
		return
	}
	switch m := m.(type) {
	case mac.BeaconRequest:
		n.sendBeacon()
	case mac.AssociationRequest:
		n.associationRequested(f.Src.EUI, m.Capability, lqi)
	case mac.AssociationResponse:
		n.associated(f, m)
	case mac.DataRequest:
		n.dataRequested(f.Src)
	default: // disassociation and orphan scans are not of ZigBee PRO's ways
	}
}

// sendBeacon answers a beacon request.
func (n *Node) sendBeacon() {
	if !n.cfg.Role.routes() || n.phase != up {
		return
	}
	payload, err := mac.BeaconPayload{
		StackProfile: 2, ProtocolVersion: 2, RouterCapacity: true, EndDeviceCapacity: true,
		Depth: n.depth, ExtendedPAN: n.epid, TxOffset: mac.NoTxOffset, UpdateID: n.updateID,
	}.AppendBinary(nil)
	if err != nil {
		return
	}
	s := mac.NonBeacon.With(n.cfg.Role == Coordinator, n.Permitted())
	body, err := mac.Beacon{Superframe: s, Payload: payload}.AppendBinary(nil)
	if err != nil {
		return
	}
	// All routers hear the request at once; they do not answer at once.
	n.after(n.jitter(20*time.Millisecond), func() {
		n.send(&packet{typ: mac.TypeBeacon, from: mac.AddressShort, body: body})
	})
}

// Permitted tells whether joining is open here.
func (n *Node) Permitted() bool { return n.now.Before(n.permitUntil) }

// associationRequested admits a child, as far as the MAC goes: who may have the network key is for the trust centre to say.
func (n *Node) associationRequested(e wire.EUI64, c mac.Capability, lqi uint8) {
	if !n.cfg.Role.routes() || n.phase != up || !n.Permitted() || e.IsZero() {
		return
	}
	x := n.neighbourEUI(e)
	if x == nil {
		x = n.addNeighbour(neighbour{eui: e, short: n.freeAddress()})
	}
	x.relation, x.capability, x.lqi, x.heard = child, c, lqi, n.now
	x.timeout, x.authorised = nwk.DefaultTimeoutIndex, false
	n.learn(e, x.short)
	n.setCapability(e, c)
	n.dirty = true
	short := x.short
	b, err := mac.AssociationResponse{Short: short}.AppendBinary(nil)
	if err != nil {
		return
	}
	n.hold(&packet{
		typ: mac.TypeCommand, to: mac.ExtendedAddress(n.pan, e), from: mac.AddressExtended, ack: true, body: b,
		done: func(err error) {
			if err != nil {
				n.dropChild(e)
				return
			}
			n.childJoined(e, short, aps.DeviceUnsecuredJoin)
		},
	})
}

// freeAddress draws a short address that nobody here has.
func (n *Node) freeAddress() uint16 {
	for {
		a := uint16(n.cfg.Rand.UintN(0xFFF7)) + 1
		if _, taken := n.euiOf(a); !taken && n.neighbour(a) == nil {
			return a
		}
	}
}

// hold puts a frame into the indirect queue: it goes out when its receiver asks for it.
func (n *Node) hold(p *packet) {
	if p.until.IsZero() {
		p.until = n.now.Add(mac.IndirectPersist)
	}
	n.indirect = append(n.indirect, p)
	p.timer = n.after(p.until.Sub(n.now), func() {
		n.withdraw(p)
		n.stats.IndirectExpired++
		p.finish(timedOut("a sleepy device did not ask for its frame within %v", mac.IndirectPersist))
	})
	n.announcePending()
}

func (n *Node) withdraw(p *packet) {
	n.stop(p.timer)
	for i, x := range n.indirect {
		if x == p {
			n.indirect = append(n.indirect[:i], n.indirect[i+1:]...)
			break
		}
	}
	if len(n.indirect) == 0 {
		n.indirect = nil
	}
	n.announcePending()
}

// announcePending tells the radio whom to acknowledge with frame pending.
func (n *Node) announcePending() {
	var short []uint16
	var extended []wire.EUI64
	for _, p := range n.indirect {
		if p.to.Mode == mac.AddressShort {
			short = append(short, p.to.Short)
			continue
		}
		extended = append(extended, p.to.EUI)
	}
	n.radio.Pending(short, extended)
}

// dataRequested sends what waits for a child.
func (n *Node) dataRequested(from mac.Address) {
	if x := n.child(from); x != nil {
		x.heard, x.failures = n.now, 0 // it is back
	} else if from.Mode == mac.AddressShort && n.phase == up && n.cfg.Role.routes() {
		n.disown(from.Short)
	}
	waits := func(p *packet) bool {
		return p.to.Mode == from.Mode && p.to.Short == from.Short && p.to.EUI == from.EUI
	}
	for _, p := range n.indirect {
		if !waits(p) {
			continue
		}
		n.withdraw(p)
		for _, more := range n.indirect {
			p.pending = p.pending || waits(more)
		}
		n.queue = append([]*packet{p}, n.queue...)
		n.kick()
		return
	}
}

func (n *Node) child(a mac.Address) *neighbour {
	for i := range n.neighbours {
		x := &n.neighbours[i]
		if x.relation == child && (a.Mode == mac.AddressShort && x.short == a.Short || a.Mode == mac.AddressExtended && x.eui == a.EUI) {
			return x
		}
	}
	return nil
}

// poll asks the parent for frames.
func (n *Node) poll() {
	n.stop(n.pollTimer)
	n.pollTimer = nil
	if n.cfg.Role != Sleepy || n.phase != up && n.phase != waitingForKey && n.phase != rejoining {
		return
	}
	n.command(mac.ShortAddress(n.pan, n.parent), mac.AddressShort, mac.DataRequest{}, nil)
}

// nextPoll sets the timer of the next data request.
func (n *Node) nextPoll() {
	n.stop(n.pollTimer)
	d := n.cfg.Poll
	if n.phase != up || n.now.Before(n.fastUntil) || len(n.outbox) > 0 || len(n.zclWait) > 0 || len(n.zdpWait) > 0 || n.ke.running() {
		d = min(d, n.cfg.FastPoll)
	}
	if n.phase == up && (len(n.outbox) > 0 || len(n.reassembly) > 0) {
		d = min(d, burstPoll)
	}
	n.pollTimer = n.after(d, n.poll)
}

// StayAwake has a sleepy device poll fast for a time.
func (n *Node) StayAwake(now time.Time, d time.Duration) {
	n.now = now
	if until := now.Add(d); until.After(n.fastUntil) {
		n.fastUntil = until
	}
	n.hurry()
}

// hurry brings the next poll of a sleepy device forward, because something is expected.
func (n *Node) hurry() {
	if n.cfg.Role == Sleepy && n.pollTimer != nil && n.pollTimer.at.Sub(n.now) > n.cfg.FastPoll {
		n.nextPoll()
	}
}

// polled is told how a data request went.
func (n *Node) polled(pending bool, err error) {
	if n.phase == associating {
		if !pending {
			n.associationFailed(errNoResponse)
			return
		}
		n.listenFor(maxFrameWait, func() { n.associationFailed(errNoResponse) })
		return
	}
	if err != nil {
		n.pollFailed++
		if n.pollFailed >= maxPollFailures && n.phase == up {
			n.parentLost()
			return
		}
		n.nextPoll()
		return
	}
	n.pollFailed = 0
	if pending {
		n.listenFor(maxFrameWait, nil)
	}
	n.nextPoll()
}

const (
	maxFrameWait    = 100 * time.Millisecond // from an acknowledgement with frame pending to the frame (ours)
	maxPollFailures = 4
	burstPoll       = 50 * time.Millisecond // while fragments or acknowledgements come and go (ours)
)

// listenFor turns the receiver of a sleepy device on for a time. missed is called if nothing came.
func (n *Node) listenFor(d time.Duration, missed func()) {
	n.stop(n.listen)
	n.listen = n.after(d, func() {
		n.listen = nil
		n.tune()
		if missed != nil {
			missed()
		}
	})
	n.tune()
}

// heard ends listening when the frame that was waited for is there; with more to come the parent is asked at once.
func (n *Node) heard(f *mac.Frame) {
	if n.cfg.Role != Sleepy || n.phase == associating {
		return
	}
	if until := n.now.Add(stayAwake); until.After(n.fastUntil) {
		n.fastUntil = until
	}
	if n.listen != nil {
		n.stop(n.listen)
		n.listen = nil
		n.tune()
	}
	if f.FramePending {
		n.poll()
		return
	}
	n.hurry()
}
