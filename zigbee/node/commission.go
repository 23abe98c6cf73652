package node

import (
	"errors"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
)

// Commissioned is a network as it stands after all its devices joined and established their keys: how a simulated home
// that was installed long ago begins. What was on the air then is not repeated; keys are given instead of established.
type Commissioned struct {
	Channel uint8
	PAN     uint16
	Key     security.Key // network key
	Hub     wire.EUI64   // coordinator and trust centre; also the network's name
	Devices []CommissionedDevice
	Partner []Partners
}

// CommissionedDevice is a device whose parent is the hub.
type CommissionedDevice struct {
	EUI     wire.EUI64
	Role    Role
	Short   uint16
	Code    security.Key // of its install code
	LinkKey security.Key // established with the hub
}

// Partners have an application link key.
type Partners struct {
	A, B wire.EUI64
	Key  security.Key
}

// States gives the state of each node, for Start.
func (w *Commissioned) States() (map[wire.EUI64][]byte, error) {
	if w.Hub.IsZero() || w.Key.IsZero() || w.Channel < 11 || w.Channel > 26 || w.PAN >= mac.NoShort {
		return nil, errors.New("node: a commissioned network needs a hub, a key, a channel and a PAN")
	}
	base := func(short uint16) *Node {
		return &Node{channel: w.Channel, pan: w.PAN, epid: w.Hub, short: short, parent: mac.NoShort, trustCentre: w.Hub, nets: [2]network{{key: w.Key}}}
	}
	hub := base(nwk.Coordinator)
	nodes := map[wire.EUI64]*Node{w.Hub: hub}
	for _, d := range w.Devices {
		if d.Short == nwk.Coordinator || d.Short >= 0xFFF8 || d.EUI.IsZero() || d.LinkKey.IsZero() || d.Code.IsZero() || nodes[d.EUI] != nil {
			return nil, fmt.Errorf("node: commissioned device %s: address, keys or name are not usable", d.EUI)
		}
		c := d.Role.capability()
		hub.addresses = append(hub.addresses, addressEntry{d.EUI, d.Short, c, true})
		hub.neighbours = append(hub.neighbours, neighbour{eui: d.EUI, short: d.Short, relation: child, capability: c, timeout: nwk.DefaultTimeoutIndex, authorised: true})
		hub.keys = append(hub.keys, &linkKey{partner: d.EUI, kind: preconfigured, key: d.Code}, &linkKey{partner: d.EUI, kind: established, key: d.LinkKey})
		hub.admitted = append(hub.admitted, &admission{device: d.EUI})
		n := base(d.Short)
		n.parent, n.depth = nwk.Coordinator, 1
		n.neighbours = []neighbour{{eui: w.Hub, short: nwk.Coordinator, relation: parentOf, capability: mac.CapabilityRouter, authorised: true}}
		n.keys = []*linkKey{{partner: w.Hub, kind: preconfigured, key: d.Code}, {partner: w.Hub, kind: established, key: d.LinkKey}}
		for _, o := range w.Devices {
			if o.EUI != d.EUI {
				n.addresses = append(n.addresses, addressEntry{o.EUI, o.Short, o.Role.capability(), true})
			}
		}
		n.addresses = append(n.addresses, addressEntry{w.Hub, nwk.Coordinator, mac.CapabilityRouter, true})
		nodes[d.EUI] = n
	}
	for _, p := range w.Partner {
		a, b := nodes[p.A], nodes[p.B]
		if a == nil || b == nil {
			return nil, fmt.Errorf("node: partners %s and %s: not both on the network", p.A, p.B)
		}
		a.keys = append(a.keys, &linkKey{partner: p.B, kind: application, key: p.Key})
		b.keys = append(b.keys, &linkKey{partner: p.A, kind: application, key: p.Key})
	}
	states := map[wire.EUI64][]byte{}
	for e, n := range nodes {
		states[e] = n.State()
	}
	return states, nil
}
