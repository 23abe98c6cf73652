package fleet

import (
	"fmt"
	"slices"
	"time"

	"smets1/device/core"
	"smets1/device/han"
	"smets1/device/meter"
	"smets1/device/profile"
	"smets1/internal/wire"
	"smets1/transport/radio"
	"smets1/zigbee/node/cluster"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl/se"
)

// What a home area network is made of. An hour of a home on the air is some 7,600 frames and 75 ms of a processor; one in
// memory does nothing while nobody asks. So a million homes on one machine, or a test of what lies above the HAN, may
// prefer memory. What comes and goes at the hub's other end is the same but for the times.
const (
	HANRadio  = "radio"  // every APDU and every reading goes through secured IEEE 802.15.4 frames over an air
	HANMemory = "memory" // APDUs arrive after a latency; nothing else does, so displays show nothing
)

func hanWord(s string) bool { return s == "" || s == HANMemory || s == HANRadio }

// onAir gives the home a network on the air.
func (h *home) onAir(now time.Time, s *spec) error {
	f := h.fleet
	m := f.manifest
	c := han.Config{
		Hub: h.hub.EUI, Seed: m.Seed ^ uint64(s.id)<<20, Loss: f.opt.HANLoss, Timeout: s.profile.HAN.Timeout, Basic: basicOf(&h.hub.Unit, h.hub.Serial),
		Secret:   func(e wire.EUI64, what string, n int) []byte { return m.secret(e, "zigbee "+what, n) },
		HubClock: func(now time.Time) time.Time { return h.hub.Clock().Now(now) },
		Load:     func(e wire.EUI64) ([]byte, error) { return h.shard.nv.Load(radioKey(e)) },
		Save:     func(e wire.EUI64, state []byte) error { return h.shard.nv.Save(radioKey(e), state) },
		Devices:  []han.Device{h.onHAN(han.Electricity)},
	}
	if h.gsme != nil {
		c.Devices = append(c.Devices, h.onHAN(han.Gas))
	}
	if h.display != nil {
		c.Devices = append(c.Devices, h.onHAN(han.Display))
	}
	if f.opt.RadioTap != nil && (len(f.opt.RadioHomes) == 0 || slices.Contains(f.opt.RadioHomes, h.name)) {
		c.Tap = func(x radio.Frame) { f.opt.RadioTap(h.name, x) }
	}
	r, err := han.New(now, c, h.hub)
	if err != nil {
		return fmt.Errorf("fleet: home %s: %w", h.name, err)
	}
	h.radio = r
	h.hub.Attach(r)
	return nil
}

// onHAN is a device of the home as the network sees it.
func (h *home) onHAN(k han.Kind) han.Device {
	switch k {
	case han.Electricity:
		return han.Device{
			EUI: h.esme.EUI, Kind: k, Node: node{h, &h.esme.Unit}, Silent: h.esme.Silent(),
			Basic: basicOf(&h.esme.Unit, h.esme.Serial), Meter: electricity(h),
		}
	case han.Gas:
		return han.Device{
			EUI: h.gsme.EUI, Kind: k, Node: node{h, &h.gsme.Unit}, Silent: h.gsme.Silent(),
			Basic: basicOf(&h.gsme.Unit, h.gsme.Serial), Meter: meterOf(&h.gsme.Meter),
		}
	default:
		d := h.display
		b := basicOn(d.Make, d.Serial, func(time.Time) string { return d.Firmware })
		b.Mains = true
		return han.Device{EUI: d.EUI, Kind: k, Basic: b}
	}
}

// radioKey is where the state of a device's node is kept.
func radioKey(e wire.EUI64) string { return e.String() + ".zigbee" }

func basicOn(d *profile.Device, serial string, software func(time.Time) string) cluster.Basic {
	return cluster.Basic{Manufacturer: d.Manufacturer, Model: d.Model, Date: "20" + serial[1:3] + "0101", Hardware: uint8(d.Hardware), Software: software}
}

func basicOf(u *core.Unit, serial string) cluster.Basic {
	b := basicOn(u.Make, serial, func(time.Time) string { return u.Image().Running() })
	b.Mains = u.Kind != kinds[roleGSME]
	return b
}

// meterOf is what a meter tells on the air: the very values that DLMS gives.
func meterOf(m *meter.Meter) han.Meter {
	return han.Meter{
		Reading: m.Reading, MPxN: m.MPxN, Serial: m.Serial,
		Interval: func(end time.Time) int64 { return m.Reading(end) - m.Reading(end.Add(-30*time.Minute)) },
		Supply:   func(now time.Time) se.SupplyStatus { return meter.SupplyStatus(m.Supply(now)) },
	}
}

func electricity(h *home) han.Meter {
	m := meterOf(&h.esme.Meter)
	m.Power = h.esme.Rate
	return m
}

// Shown is what the display of a home with a HAN on the air shows; false if the home has no such display.
func (f *Fleet) Shown(name string) (shown han.Shown, ok bool) {
	err := f.withName(name, func(h *home, _ time.Time) error {
		if h.radio != nil {
			shown, ok = h.radio.Shown()
		}
		return nil
	})
	return shown, ok && err == nil
}

// RadioKeys gives the keys of the air of a home, for the key file beside a capture; none with a HAN in memory. They are
// the keys of a simulated home, and open nothing else.
func (f *Fleet) RadioKeys(name string) (keys []security.Key, err error) {
	err = f.withName(name, func(h *home, _ time.Time) error {
		if h.radio != nil {
			keys = h.radio.Keys()
		}
		return nil
	})
	return keys, err
}
