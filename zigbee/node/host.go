package node

import (
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/aps"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
	"smets1/zigbee/zdp"
)

// A node whose applications run on a host sends and receives APS messages for it, and is everything below: its own device
// profile, network and trust centre.

// Raw is an APS message of a host's application.
type Raw struct {
	To                       uint16 // short or broadcast address
	Profile, Cluster         uint16
	SrcEndpoint, DstEndpoint uint8
	Group                    uint16 // instead of DstEndpoint, when To is a broadcast address; zero means none
	Acknowledge              bool   // repeat it until it is acknowledged
	Encrypt                  bool   // under the link key with the device
	Payload                  []byte
}

// SendRaw sends a message and gives its APS counter. done is told when it was acknowledged or given up, or when it left if
// no acknowledgement is asked for. A request of the device profile to the node itself is answered through Deliver.
func (n *Node) SendRaw(now time.Time, m Raw, done func(now time.Time, err error)) (counter uint8, err error) {
	n.now = now
	defer n.persist()
	if n.phase != up {
		return 0, ErrDown
	}
	if done == nil {
		done = func(time.Time, error) {}
	}
	if m.To == n.short {
		n.apsCounter++
		n.toMyself(&m)
		done(n.now, nil)
		return n.apsCounter, nil
	}
	var key *linkKey
	if m.Encrypt {
		e, _ := n.euiOf(m.To)
		if key = n.establishedKey(e); key == nil {
			return 0, ErrNoLinkKey
		}
	}
	h := aps.Header{
		Profile: m.Profile, Cluster: m.Cluster, SrcEndpoint: m.SrcEndpoint, DstEndpoint: m.DstEndpoint, AckRequest: m.Acknowledge,
	}
	counter = n.apsCounter + 1 // that of the message: sending may send others before it returns
	if m.Group != 0 && nwk.IsBroadcast(m.To) {
		n.transmitGroup(m, h, func(err error) { done(n.now, err) })
		return counter, nil
	}
	n.transmit(m.To, h, m.Payload, key, func(err error) { done(n.now, err) })
	return counter, nil
}

func (n *Node) transmitGroup(m Raw, h aps.Header, done func(error)) {
	n.apsCounter++
	h.Counter, h.Delivery, h.Group, h.AckRequest = n.apsCounter, aps.DeliveryGroup, m.Group, false
	n.sendNWK(nwk.Header{Dst: m.To}, nil, &outgoing{header: h, payload: m.Payload}, done)
}

// toMyself answers a request of the device profile that the host sends to its own node; nothing else does a node have.
func (n *Node) toMyself(m *Raw) {
	if m.Profile != zdp.Profile || m.DstEndpoint != zdp.Endpoint || n.cfg.Deliver == nil {
		return
	}
	self := Message{From: n.cfg.EUI, Short: n.short, Cluster: m.Cluster, Counter: n.apsCounter}
	sequence, cmd, _, err := zdp.Parse(zdp.Cluster(m.Cluster), m.Payload)
	if err != nil {
		return
	}
	if r := n.serve(&self, cmd); r != nil {
		if b, err := zdp.Append(nil, sequence, r); err == nil {
			self.Cluster = uint16(r.Cluster())
			n.cfg.Deliver(n.now, self, b)
		}
	}
}

// forHost tells whether a message is the host's: all but the requests of the device profile, which the node answers.
func (n *Node) forHost(m *Message) bool {
	if m.Profile != zdp.Profile || m.DstEndpoint != zdp.Endpoint {
		return true
	}
	c := zdp.Cluster(m.Cluster)
	return c&zdp.ResponseBit != 0 || c == zdp.ClusterDeviceAnnounce
}

// anyoneKey is the key with which a node admits devices that are not on its list.
func anyoneKey(p Policy) security.Key {
	if p == Open {
		return security.WellKnownLinkKey()
	}
	return security.Key{}
}

// AdmitAnyone has the trust centre admit devices that are not on its list under one key; the zero key ends that. A node of
// the policy Open begins with the well-known key.
func (n *Node) AdmitAnyone(key security.Key) { n.anyone = key }

// SetLinkKey gives the established key with a device, where somebody else did the key establishment.
func (n *Node) SetLinkKey(now time.Time, device wire.EUI64, key security.Key) error {
	n.now = now
	n.setKey(device, established, key)
	n.keyed(device)
	n.persist()
	return n.failed
}

// LinkKeys gives all established keys, by device.
func (n *Node) LinkKeys() map[wire.EUI64]security.Key {
	all := map[wire.EUI64]security.Key{}
	for _, k := range n.keys {
		if k.kind == established {
			all[k.partner] = k.key
		}
	}
	return all
}

// NetworkKeySequence is the number of the network key in use.
func (n *Node) NetworkKeySequence() uint8 { return n.nets[0].sequence }

// NetworkCounter is the frame counter of the next frame under the network key.
func (n *Node) NetworkCounter() uint32 { return n.nwkTx.Peek() }

// Permit lets devices join at this node for a time, at most 254 s at once; unlike PermitJoin it tells no other router.
func (n *Node) Permit(now time.Time, d time.Duration) error {
	n.now = now
	if n.phase != up {
		return ErrDown
	}
	n.permit(min(d, maxPermit))
	return nil
}

// DeviceEUI is the EUI-64 of the device with a short address, as far as it is known here.
func (n *Node) DeviceEUI(short uint16) (wire.EUI64, bool) { return n.euiOf(short) }
