package node

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
	"smets1/zigbee/zdp"
)

// The state that outlives a restart (ours). Numbers are big endian, lists have a count of two octets.
//
//	magic(4) "ZNOD" version(1)=2
//	channel(1) pan(2) epid(8) short(2) parent(2) depth(1) updateID(1) trustCentre(8) nwkBound(4) apsBound(4)
//	networks 2 × {present(1) [key(16) sequence(1) heard n × {source(8) expected(4)}]}
//	keys      n × {partner(8) kind(1) key(16) expected(4)}
//	addresses n × {eui(8) short(2) capability(1) known(1)}
//	neighbours n × {eui(8) short(2) relation(1) capability(1) timeout(1) authorised(1)}
//	admitted  n × {device(8) parent(2)}
//	bindings  n × {source(8) endpoint(1) cluster(2) mode(1) group(2) destination(8) endpoint(1)}
//	reports   n × {endpoint(1) cluster(2) server(1) manufacturer(2) length(1) configuration as in Configure Reporting}
//
// Version 1 ended with the bindings.
//
// It holds keys: who stores it keeps it as safe as those.
const (
	stateMagic   = "ZNOD"
	stateVersion = 2
)

// persist saves what changed.
func (n *Node) persist() {
	if !n.dirty && n.failed == nil {
		return
	}
	if n.cfg.Save != nil {
		if n.failed = n.cfg.Save(n.State()); n.failed != nil {
			return
		}
	}
	n.dirty = false
}

// State is what Save is given, and Start wants after a restart.
func (n *Node) State() []byte {
	be := binary.BigEndian
	b := append([]byte(stateMagic), stateVersion, n.channel)
	b = be.AppendUint16(b, n.pan)
	b = append(b, n.epid[:]...)
	b = be.AppendUint16(b, n.short)
	b = be.AppendUint16(b, n.parent)
	b = append(b, n.depth, n.updateID)
	b = append(b, n.trustCentre[:]...)
	for _, c := range []*security.SendCounter{&n.nwkTx, &n.apsTx} {
		bound, _ := c.Reserve(0)
		b = be.AppendUint32(b, bound)
	}
	for i := range n.nets {
		k := &n.nets[i]
		if !k.valid() {
			b = append(b, 0)
			continue
		}
		b = append(k.key.Append(append(b, 1)), k.sequence)
		b = be.AppendUint16(b, uint16(len(k.rx)))
		for j := range k.rx {
			b = append(b, k.rx[j].source[:]...)
			b = be.AppendUint32(b, k.rx[j].counter.Expected())
		}
	}
	b = be.AppendUint16(b, uint16(len(n.keys)))
	for _, k := range n.keys {
		b = append(append(b, k.partner[:]...), byte(k.kind))
		b = be.AppendUint32(k.key.Append(b), k.rx.Expected())
	}
	b = be.AppendUint16(b, uint16(len(n.addresses)))
	for i := range n.addresses {
		a := &n.addresses[i]
		b = be.AppendUint16(append(b, a.eui[:]...), a.short)
		b = append(b, byte(a.capability), flag(a.known))
	}
	b = be.AppendUint16(b, uint16(len(n.neighbours)))
	for i := range n.neighbours {
		x := &n.neighbours[i]
		b = be.AppendUint16(append(b, x.eui[:]...), x.short)
		b = append(b, byte(x.relation), byte(x.capability), byte(x.timeout), flag(x.authorised))
	}
	b = be.AppendUint16(b, uint16(len(n.admitted)))
	for _, a := range n.admitted {
		b = be.AppendUint16(append(b, a.device[:]...), a.parent)
	}
	b = be.AppendUint16(b, uint16(len(n.bindings)))
	for i := range n.bindings {
		x := &n.bindings[i]
		b = append(append(b, x.Source[:]...), x.SourceEndpoint)
		b = be.AppendUint16(b, x.ClusterID)
		b = be.AppendUint16(append(b, byte(x.Mode)), x.Group)
		b = append(append(b, x.Destination[:]...), x.Endpoint)
	}
	b = be.AppendUint16(b, uint16(len(n.reports)))
	for _, r := range n.reports {
		b = be.AppendUint16(append(b, r.endpoint), uint16(r.cluster))
		b = be.AppendUint16(append(b, flag(r.server)), r.manufacturer)
		// It was parsed, so it can be written again.
		k, _ := zcl.ConfigureReporting{Reports: []zcl.Reporting{r.Reporting}}.AppendBinary(nil)
		b = append(append(b, byte(len(k))), k...)
	}
	return b
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// restore reads the state; after an error the node is as it was.
func (n *Node) restore(b []byte) error {
	r := wire.NewReader(b)
	if m := r.Bytes(len(stateMagic)); m != nil && string(m) != stateMagic {
		r.Failf("%x is no node state", m)
	}
	version := r.U8()
	if r.Err() == nil && (version == 0 || version > stateVersion) {
		r.Failf("version %d: this program reads 1 to %d", version, stateVersion)
	}
	var s Node
	eui := func() (e wire.EUI64) { copy(e[:], r.Bytes(8)); return e }
	key := func() security.Key {
		k, err := security.NewKey(r.Bytes(security.KeySize))
		if r.Err() == nil {
			r.Fail(err)
		}
		return k
	}
	count := func(size int) int {
		c := int(r.U16())
		if c*size > r.Len() {
			r.Failf("%d entries of %d octets", c, size)
			return 0
		}
		return c
	}
	s.channel, s.pan, s.epid = r.U8(), r.U16(), eui()
	s.short, s.parent, s.depth, s.updateID, s.trustCentre = r.U16(), r.U16(), r.U8(), r.U8(), eui()
	s.nwkTx, s.apsTx = security.NewSendCounter(r.U32()), security.NewSendCounter(r.U32())
	for i := range s.nets {
		if r.U8() == 0 {
			continue
		}
		s.nets[i].key, s.nets[i].sequence = key(), r.U8()
		for range count(12) {
			s.nets[i].rx = append(s.nets[i].rx, heardCounter{eui(), security.NewReceiveCounter(r.U32())})
		}
	}
	for range count(29) {
		k := &linkKey{partner: eui(), kind: keyKind(r.U8()), key: key()}
		k.rx = security.NewReceiveCounter(r.U32())
		s.keys = append(s.keys, k)
	}
	for range count(12) {
		s.addresses = append(s.addresses, addressEntry{eui(), r.U16(), mac.Capability(r.U8()), r.U8() != 0})
	}
	for range count(14) {
		s.neighbours = append(s.neighbours, neighbour{
			eui: eui(), short: r.U16(), relation: relation(r.U8()), capability: mac.Capability(r.U8()), timeout: nwk.TimeoutIndex(r.U8()),
			authorised: r.U8() != 0, heard: n.now, lqi: 255,
		})
	}
	for range count(10) {
		s.admitted = append(s.admitted, &admission{device: eui(), parent: r.U16()})
	}
	for range count(23) {
		s.bindings = append(s.bindings, Binding{
			Source: eui(), SourceEndpoint: r.U8(), ClusterID: r.U16(), Mode: zdp.BindMode(r.U8()), Group: r.U16(), Destination: eui(), Endpoint: r.U8(),
		})
	}
	if version > 1 {
		for range count(7) {
			x := &reporting{endpoint: r.U8(), cluster: se.Cluster(r.U16()), server: r.U8() != 0, manufacturer: r.U16()}
			k, _, err := zcl.ParseGlobal(zcl.CmdConfigureReporting, r.Bytes(int(r.U8())))
			if c, ok := k.(zcl.ConfigureReporting); r.Err() == nil && (err != nil || !ok || len(c.Reports) != 1) {
				r.Failf("a report's configuration cannot be read")
			} else if ok && len(c.Reports) == 1 {
				x.Reporting = c.Reports[0]
				x.Change = keep(x.Change)
			}
			s.reports = append(s.reports, x)
		}
	}
	if r.Err() == nil && r.Len() > 0 {
		r.Failf("%d octets left over", r.Len())
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("node: state of %s: %w", n.cfg.EUI, err)
	}
	n.channel, n.pan, n.epid, n.short, n.parent, n.depth, n.updateID = s.channel, s.pan, s.epid, s.short, s.parent, s.depth, s.updateID
	n.trustCentre, n.nwkTx, n.apsTx, n.nets, n.keys = s.trustCentre, s.nwkTx, s.apsTx, s.nets, s.keys
	n.addresses, n.neighbours, n.admitted, n.bindings = s.addresses, s.neighbours, s.admitted, s.bindings
	n.reports = s.reports
	return nil
}
