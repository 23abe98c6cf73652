package han

import (
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/node"
	"smets1/zigbee/nwk"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
	"smets1/zigbee/zdp"
)

// Shown is what the display shows; zero times mean that nothing was read yet.
type Shown struct {
	Electricity   uint64 // Wh
	Power         int64  // W
	ElectricityAt time.Time
	Gas           uint64 // litres
	GasAt         time.Time
}

// display reads what it shows over the air.
type display struct {
	station *station
	node    *node.Node
	shown   Shown
	mirror  uint8 // endpoint on the hub
}

// How often a display reads (design).
const (
	electricityPeriod = 10 * time.Second
	gasPeriod         = 30 * time.Minute
	gasFirst          = time.Minute // after the start, and again until there is something
)

// Shown is what the home's display shows; false if it has none.
func (r *Radio) Shown() (Shown, bool) {
	if r.display == nil {
		return Shown{}, false
	}
	return r.display.shown, true
}

func (d *display) start(now time.Time, n *node.Node, offset time.Duration) {
	d.node = n
	n.After(now, offset, d.readElectricity)
	n.After(now, gasFirst+offset, d.readGas)
}

func (d *display) meter(k Kind) (e wire.EUI64, ok bool) {
	for _, x := range d.station.radio.cfg.Devices {
		if x.Kind == k {
			return x.EUI, true
		}
	}
	return e, false
}

// readElectricity reads the meter itself, under the application link key.
func (d *display) readElectricity(now time.Time) {
	d.node.After(now, electricityPeriod, d.readElectricity)
	e, ok := d.meter(Electricity)
	if !ok || !d.node.HasLinkKey(e) {
		return
	}
	d.read(now, e, 1, func(now time.Time, a []zcl.ReadStatus) {
		d.shown.Electricity, d.shown.ElectricityAt = a[0].Value.Num, now
		if a[1].Status == zcl.Success {
			d.shown.Power = a[1].Value.Int()
		}
	}, se.AttrCurrentSummationDelivered, se.AttrInstantaneousDemand)
}

// readGas reads the mirror on the hub.
func (d *display) readGas(now time.Time) {
	if _, ok := d.meter(Gas); !ok {
		return
	}
	wait := gasPeriod
	if d.shown.GasAt.IsZero() {
		wait = gasFirst
	}
	d.node.After(now, wait, d.readGas)
	hub := d.node.TrustCentre()
	if d.mirror == 0 {
		ask := zdp.MatchDescriptorRequest{Address: nwk.Coordinator, Profile: se.Profile, In: []uint16{uint16(se.Metering)}}
		_ = d.node.ZDP(now, hub, ask, func(m zdp.Command, err error) {
			if r, ok := m.(zdp.MatchDescriptorResponse); ok && err == nil && len(r.Endpoints) > 0 {
				d.mirror = r.Endpoints[0]
			}
		})
		return
	}
	d.read(now, hub, d.mirror, func(now time.Time, a []zcl.ReadStatus) {
		d.shown.Gas, d.shown.GasAt = a[0].Value.Num, now
	}, se.AttrCurrentSummationDelivered)
}

func (d *display) read(now time.Time, e wire.EUI64, endpoint uint8, got func(now time.Time, a []zcl.ReadStatus), ids ...zcl.Attr) {
	_ = d.node.Request(now, &node.Request{
		To: e, Endpoint: endpoint, From: 1, Cluster: se.Metering, Global: zcl.ReadAttributes{IDs: ids},
		Done: func(r node.Response) {
			if m, ok := r.Global.(zcl.ReadAttributesResponse); ok && len(m.Attributes) == len(ids) && m.Attributes[0].Status == zcl.Success {
				got(r.Now, m.Attributes)
			}
		},
	})
}
