package node

import (
	"fmt"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/aps"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
	"smets1/zigbee/zdp"
)

// admission is an entry of the trust centre's list of devices that may join.
type admission struct {
	device wire.EUI64
	expel  *timer // sends it away if it has no established key by then
	parent uint16
}

// Admit puts a device on the trust centre's list, with the link key of its install code.
func (n *Node) Admit(now time.Time, device wire.EUI64, code security.Key) error {
	n.now = now
	if n.cfg.Role != Coordinator {
		return ErrWrongRole
	}
	if code.IsZero() {
		return fmt.Errorf("node: %s: no install code: %w", device, ErrNotAllowed)
	}
	n.setKey(device, preconfigured, code)
	if n.admission(device) == nil {
		n.admitted = append(n.admitted, &admission{device: device})
	}
	n.persist()
	return n.failed
}

// Remove takes a device off the list and sends it away if it is on the network.
func (n *Node) Remove(now time.Time, device wire.EUI64) error {
	n.now = now
	if n.cfg.Role != Coordinator {
		return ErrWrongRole
	}
	n.expelDevice(device)
	n.strike(device)
	n.persist()
	return n.failed
}

func (n *Node) strike(device wire.EUI64) {
	for i, a := range n.admitted {
		if a.device == device {
			n.stop(a.expel)
			n.admitted = append(n.admitted[:i], n.admitted[i+1:]...)
			n.dirty = true
			break
		}
	}
	n.dropKeys(func(k *linkKey) bool { return k.partner == device && k.kind == preconfigured })
}

// expelDevice has a device leave and forgets its keys.
func (n *Node) expelDevice(device wire.EUI64) {
	if x := n.neighbourEUI(device); x != nil && x.relation == child {
		n.sendAway(device)
	} else if a := n.admission(device); a != nil && a.parent != 0 {
		if e, ok := n.euiOf(a.parent); ok {
			key := n.establishedKey(e)
			n.apsCommand(a.parent, aps.RemoveDevice{Child: device}, key, security.KeyIDLink, nil)
		}
	}
	n.forgetDevice(device)
}

// forgetDevice drops what a device had from the trust centre; it may join again while it is on the list.
func (n *Node) forgetDevice(device wire.EUI64) {
	if a := n.admission(device); a != nil {
		n.stop(a.expel)
		a.expel = nil
	}
	n.dropKeys(func(k *linkKey) bool { return k.partner == device && k.kind != preconfigured })
}

func (n *Node) admission(device wire.EUI64) *admission {
	for _, a := range n.admitted {
		if a.device == device {
			return a
		}
	}
	return nil
}

func (n *Node) admits(device wire.EUI64) bool {
	return !n.anyone.IsZero() || n.admission(device) != nil
}

// Devices lists the trust centre's list.
func (n *Node) Devices() []wire.EUI64 {
	var all []wire.EUI64
	for _, a := range n.admitted {
		all = append(all, a.device)
	}
	return all
}

// PermitJoin opens the network for a time, at most 254 s at once as Smart Energy wants it, on all routers. Zero closes it.
func (n *Node) PermitJoin(now time.Time, d time.Duration) error {
	n.now = now
	if n.phase != up {
		return ErrDown
	}
	d = min(d, maxPermit)
	n.permit(d)
	m := zdp.ManagementPermitJoinRequest{Duration: uint8(d / time.Second), TrustCentreSignificance: true}
	n.tsn++
	b, err := zdp.Append(nil, n.tsn, m)
	if err != nil {
		return err
	}
	n.transmit(nwk.BroadcastRouters, aps.Header{Cluster: uint16(m.Cluster())}, b, nil, nil)
	n.persist()
	return n.failed
}

func (n *Node) permit(d time.Duration) { n.permitUntil = n.now.Add(d) }

// childJoined is told of every device that became a child: a router tells the trust centre, the trust centre decides.
func (n *Node) childJoined(device wire.EUI64, short uint16, status aps.DeviceStatus) {
	if n.cfg.Role == Coordinator {
		n.decide(device, short, n.short, status)
		return
	}
	n.apsCommand(nwk.Coordinator, aps.UpdateDevice{Device: device, Short: short, Status: status}, n.establishedKey(n.trustCentre), security.KeyIDLink, nil)
}

// updated takes a router's word of a child of its.
func (n *Node) updated(parent uint16, m aps.UpdateDevice) {
	if m.Status == aps.DeviceLeft {
		n.notify(Event{Kind: DeviceLeft, Device: m.Device, Short: m.Short})
		n.forgetDevice(m.Device)
		return
	}
	n.dropChild(m.Device) // it has another parent now
	n.decide(m.Device, m.Short, parent, m.Status)
}

// decide admits a joiner or turns it away. A joiner turned away gets no answer at all and times out.
func (n *Node) decide(device wire.EUI64, short, parent uint16, status aps.DeviceStatus) {
	n.learn(device, short)
	if !n.admits(device) {
		n.stats.Refused++
		n.notify(Event{Kind: DeviceRefused, Device: device, Short: short, Err: ErrNotAllowed})
		n.after(keyWait, func() { n.expelUnlisted(device) })
		return
	}
	a := n.admission(device)
	if a == nil {
		a = &admission{device: device}
		n.admitted = append(n.admitted, a)
		n.setKey(device, preconfigured, n.anyone)
	}
	a.parent = parent
	n.dirty = true
	if status == aps.DeviceSecuredRejoin {
		n.notify(Event{Kind: DeviceJoined, Device: device, Short: short})
		return
	}
	key := n.keyWith(device, preconfigured)
	if status == aps.DeviceTrustCentreRejoin {
		// Anyone can ask for this. Only a device that established its key can read the answer.
		if key = n.keyWith(device, established); key == nil {
			n.stats.Refused++
			n.notify(Event{Kind: DeviceRefused, Device: device, Short: short, Err: ErrNoLinkKey})
			return
		}
	} else {
		n.dropKeys(func(k *linkKey) bool { return k.partner == device && k.kind != preconfigured })
	}
	if key == nil {
		return
	}
	m := aps.TransportKey{Type: aps.KeyNetwork, Key: n.nets[0].key, Sequence: n.nets[0].sequence, Destination: device, Source: n.cfg.EUI}
	n.sendJoiner(device, parent, m, key)
	n.notify(Event{Kind: DeviceJoined, Device: device, Short: short})
	if status != aps.DeviceTrustCentreRejoin {
		n.expelLater(a)
	}
}

func (n *Node) expelUnlisted(device wire.EUI64) {
	if !n.admits(device) {
		n.dropChild(device)
	}
}

// sendJoiner sends a key to a device that has no network key: directly to a child, or through its parent.
func (n *Node) sendJoiner(device wire.EUI64, parent uint16, m aps.TransportKey, key *linkKey) {
	b, err := m.AppendBinary(nil)
	if err != nil {
		return
	}
	n.apsCounter++
	o := &outgoing{header: aps.Header{Type: aps.TypeCommand, Counter: n.apsCounter, Secured: true}, payload: b, key: key, keyID: security.KeyIDTransport}
	if x := n.neighbourEUI(device); x != nil && x.relation == child {
		n.toJoiner(x, nil, o)
		return
	}
	frame, err := n.sealAPS(nil, o)
	if err != nil {
		return
	}
	n.apsCommand(parent, aps.Tunnel{Destination: device, Frame: frame}, nil, 0, nil)
}

// expelLater sends a device away that has no established key in time.
func (n *Node) expelLater(a *admission) {
	n.stop(a.expel)
	a.expel = nil
	if n.cfg.Policy == Open {
		return
	}
	a.expel = n.after(expelAfter, func() {
		a.expel = nil
		if n.establishedKey(a.device) != nil {
			return
		}
		n.notify(Event{Kind: DeviceExpelled, Device: a.device, Err: timedOut("%s established no key within %v", a.device, expelAfter)})
		n.expelDevice(a.device)
	})
}

// watchUnkeyed sets the timers of devices without an established key anew after a restart.
func (n *Node) watchUnkeyed() {
	for _, a := range n.admitted {
		if _, joined := n.addressOf(a.device); joined && n.establishedKey(a.device) == nil {
			n.expelLater(a)
		}
	}
}

// keyed is told that a device established its key.
func (n *Node) keyed(device wire.EUI64) {
	if a := n.admission(device); a != nil {
		n.stop(a.expel)
		a.expel = nil
	}
	n.notify(Event{Kind: DeviceKeyed, Device: device})
}

// keyRequested gives out link keys: to two partners a new one, under the policy Open to a joiner its own.
func (n *Node) keyRequested(src uint16, from wire.EUI64, m aps.RequestKey, with *linkKey) {
	switch {
	case m.Type == aps.KeyApplicationLink && with.kind == established:
		n.partner(from, m.Partner, with)
	case m.Type == aps.KeyTrustCentreLink && n.cfg.Policy == Open:
		key, err := security.GenerateKey(n.cfg.Entropy)
		if err != nil {
			return
		}
		n.apsCommand(src, aps.TransportKey{Type: aps.KeyTrustCentreLink, Key: key, Destination: from, Source: n.cfg.EUI}, with, security.KeyIDLoad, nil)
		n.setKey(from, established, key)
	default:
		n.stats.Insecure++
	}
}

// partner makes an application link key for two devices that both have a key with the trust centre.
func (n *Node) partner(a, b wire.EUI64, with *linkKey) {
	other := n.keyWith(b, established)
	if b == n.cfg.EUI || other == nil {
		n.stats.Refused++
		return
	}
	key, err := security.GenerateKey(n.cfg.Entropy)
	if err != nil {
		return
	}
	for _, x := range []struct {
		to, partner wire.EUI64
		with        *linkKey
	}{{b, a, other}, {a, b, with}} {
		short, ok := n.addressOf(x.to)
		if !ok {
			return
		}
		n.sureCommand(short, aps.TransportKey{Type: aps.KeyApplicationLink, Key: key, Partner: x.partner, Initiator: x.to == a}, x.with, security.KeyIDLoad, func(error) {})
	}
}

// verify confirms that a device of an open network has its key.
func (n *Node) verify(src uint16, m aps.VerifyKey) {
	key := n.keyWith(m.Source, established)
	status := aps.StatusSecurityFail
	if key != nil && sameHash(key.key.VerifyHash(), m.Hash) {
		status = aps.StatusSuccess
	}
	if key == nil {
		n.stats.Refused++
		return
	}
	n.apsCommand(src, aps.ConfirmKey{Status: status, Destination: m.Source}, key, security.KeyIDLink, nil)
	if status == aps.StatusSuccess {
		n.keyed(m.Source)
	}
}

// UpdateNetworkKey makes a new network key, sends it to every device with an established key, and has all switch to it
// once all have it or were tried. Devices that were away learn of it when they next hear their parent, whose frames are under
// a key that they do not have: they rejoin, and get it under their link key.
func (n *Node) UpdateNetworkKey(now time.Time, done func(missed []wire.EUI64)) error {
	n.now = now
	if n.cfg.Role != Coordinator || n.phase != up {
		return ErrWrongRole
	}
	key, err := security.GenerateKey(n.cfg.Entropy)
	if err != nil {
		return err
	}
	sequence := n.nets[0].sequence + 1
	n.nets[1] = network{key: key, sequence: sequence}
	n.dirty = true
	var missed []wire.EUI64
	waiting := 1
	finish := func() {
		if waiting--; waiting > 0 {
			return
		}
		n.apsCommand(nwk.BroadcastAll, aps.SwitchKey{Sequence: sequence}, nil, 0, nil)
		// The switch itself goes out under the old key.
		n.after(broadcastTime/2, func() {
			n.switchKey(sequence)
			if done != nil {
				done(missed)
			}
		})
	}
	for _, a := range n.admitted {
		k := n.keyWith(a.device, established)
		short, ok := n.addressOf(a.device)
		if k == nil || !ok {
			continue
		}
		waiting++
		device := a.device
		m := aps.TransportKey{Type: aps.KeyNetwork, Key: key, Sequence: sequence, Destination: device, Source: n.cfg.EUI}
		n.sureCommand(short, m, k, security.KeyIDTransport, func(err error) {
			if err != nil {
				missed = append(missed, device)
			}
			finish()
		})
	}
	finish()
	n.persist()
	return n.failed
}

// Children lists the devices whose parent this node is.
func (n *Node) Children() []wire.EUI64 {
	var all []wire.EUI64
	for i := range n.neighbours {
		if x := &n.neighbours[i]; x.relation == child && x.authorised {
			all = append(all, x.eui)
		}
	}
	return all
}

// DeviceShort is the short address of a device, as far as it is known here.
func (n *Node) DeviceShort(e wire.EUI64) (uint16, bool) { return n.addressOf(e) }

// Asleep tells whether a device is known to sleep.
func (n *Node) Asleep(e wire.EUI64) bool {
	short, ok := n.addressOf(e)
	return ok && n.sleepy(short)
}
