package fleet

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"

	"smets1/device/meter"
	"smets1/device/profile"
	"smets1/dlms/security"
	"smets1/internal/wire"
)

// Entry is a home as its operator has it on file: what the seed says, not what
// commands have made of it since.
type Entry struct {
	Name    string `json:"name"`
	Cohort  string `json:"cohort"` // IOC, MOC or FOC
	Group   string `json:"group"`
	S1SP    string `json:"s1sp"`
	Comms   string `json:"commsProvider"`
	Profile string `json:"profile"`
	WakeUp  string `json:"wakeUp"` // none, sms or smsx2
	// Address is where the hub is reached: tcp://127.83.0.1:4059, or serial:///dev/…
	Address string        `json:"address"`
	ICCID   string        `json:"iccid"`
	IMSI    string        `json:"imsi"`
	MSISDN  string        `json:"msisdn"`
	Devices []EntryDevice `json:"devices"` // hub, esme, gsme, ihd, as far as they are there
}

// EntryDevice is one device of an Entry.
type EntryDevice struct {
	Type            string     `json:"type"` // chf, esme, gsme, ihd
	EUI             wire.EUI64 `json:"eui"`
	Manufacturer    string     `json:"manufacturer"`
	Model           string     `json:"model"`
	Hardware        uint16     `json:"hardware"`
	Firmware        string     `json:"firmware"`
	Serial          string     `json:"serial"`
	Variant         string     `json:"variant,omitempty"`         // ESME: A, single phase
	MPxN            string     `json:"mpxn,omitempty"`            // meters
	ExportMPAN      string     `json:"exportMPAN,omitempty"`      // ESME with panels on the roof
	Supplier        string     `json:"supplier,omitempty"`        // meters, as the manifest has it
	NetworkOperator string     `json:"networkOperator,omitempty"` // meters, as the manifest has it
	Status          string     `json:"status,omitempty"`          // meters: active or dormant
	Payment         string     `json:"payment,omitempty"`         // meters: credit or prepayment
}

// Inventory gives each home in turn, until yield says to stop.
func (f *Fleet) Inventory() func(yield func(Entry) bool) {
	return func(yield func(Entry) bool) {
		for i := range f.manifest.Len() {
			if !yield(f.entry(i)) {
				return
			}
		}
	}
}

// Entry gives the home of a device, by any of its EUI-64s.
func (f *Fleet) Entry(e wire.EUI64) (Entry, error) {
	i, ok := f.manifest.findEUI(e)
	if !ok {
		return Entry{}, fmt.Errorf("fleet: device %v: %w", e, ErrNoHome)
	}
	return f.entry(i), nil
}

func (f *Fleet) entry(i int) Entry {
	s := f.manifest.spec(i)
	e := Entry{
		Name: s.name, Cohort: string(s.profile.Cohort), Group: s.profile.Group, S1SP: s.profile.Platform, Comms: s.profile.Comms,
		Profile: s.profile.Name, WakeUp: string(s.profile.WAN.Wake), Address: f.hubAddress(&s),
		ICCID: s.iccid(), IMSI: s.imsi(), MSISDN: s.msisdn(),
	}
	payment := "credit"
	if s.prepay {
		payment = "prepayment"
	}
	for role := range uint32(4) {
		d := EntryDevice{Type: kinds[role].String(), EUI: s.eui(role), Serial: s.serial(role)}
		switch role {
		case roleESME:
			d.Variant, d.MPxN, d.Supplier, d.NetworkOperator, d.Status, d.Payment = "A", s.mpan(), s.supplier, s.network, s.status, payment
			if s.solar {
				d.ExportMPAN = s.exportMPAN()
			}
		case roleGSME:
			d.MPxN, d.Supplier, d.NetworkOperator, d.Status, d.Payment = s.mprn(), s.gasSupplier, s.network, s.gasStatus, payment
		}
		if role == roleGSME && !s.gas || role == roleIHD && !s.display {
			continue
		}
		of := s.set.role(roleNames[role])
		d.Manufacturer, d.Model, d.Hardware, d.Firmware = of.Manufacturer, of.Model, of.Hardware, s.version(role)
		e.Devices = append(e.Devices, d)
	}
	return e
}

// hubAddress is where a hub is reached: over its serial line if it has one.
func (f *Fleet) hubAddress(s *spec) string {
	if s.link == profile.LinkHDLC {
		if f.opt.PTYDir == "" {
			return ""
		}
		how := "baud=9600&mode=8N1"
		if s.signOn {
			how = "modee=1"
		}
		return (&url.URL{Scheme: "serial", Path: f.linePath(s.name), RawQuery: how}).String()
	}
	return "tcp://" + f.address(s.index).String()
}

// handover is the file with which the keys of a fleet go to who operates it next.
// The format is the gateway's: smets1-key-handover/1.
type handover struct {
	Format  string           `json:"format"`
	Owner   string           `json:"owner"`
	Devices []handoverDevice `json:"devices"`
}

type handoverDevice struct {
	EUI     string `json:"eui"`
	Type    string `json:"type"`
	Title   string `json:"system_title"`
	Version uint32 `json:"key_version"`
	GUEK    string `json:"guek"`
	GAK     string `json:"gak"`
	KEK     string `json:"kek"`
	Counter uint32 `json:"invocation_counter"`
}

// Handover writes the keys with which the devices were born, in clear, as JSON: the
// file that the operator of the fleet gives to the gateway. A device with the fault
// wrong-key has a wrong one there; the device itself is as it should be. The keys of
// a simulated fleet follow from its seed and protect nothing.
func (f *Fleet) Handover(w io.Writer, owner string) error {
	h := handover{Format: "smets1-key-handover/1", Owner: owner}
	for i := range f.manifest.Len() {
		s := f.manifest.spec(i)
		for role := range uint32(roleIHD) {
			if role == roleGSME && !s.gas {
				continue
			}
			b := f.manifest.birth(&s, role)
			k := b.Keys
			if s.hasFor(FaultWrongKey, roleNames[role]) {
				k.GUEK = f.manifest.wrongKey(b.EUI)
			}
			reveal := func(k security.Key) string { return hex.EncodeToString(k.Reveal()) }
			h.Devices = append(h.Devices, handoverDevice{
				EUI: b.EUI.String(), Type: b.Kind.String(), Title: b.Title().String(), Version: 1,
				GUEK: reveal(k.GUEK), GAK: reveal(k.GAK), KEK: reveal(k.KEK),
			})
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(h)
}

// Status is a home as it is now, for people and tests. It shows no key.
type Status struct {
	Name     string         `json:"name"`
	Faults   []string       `json:"faults,omitempty"` // that the manifest gives it
	Live     bool           `json:"live"`             // runs by itself
	Awake    bool           `json:"awake"`            // answers on the WAN
	Messages int            `json:"messages"`         // text messages that its hub received
	Endpoint []string       `json:"endpoint"`
	Devices  []DeviceStatus `json:"devices"`
}

// DeviceStatus is one device of a Status.
type DeviceStatus struct {
	EUI         wire.EUI64    `json:"eui"`
	Type        string        `json:"type"`
	On          bool          `json:"on"`
	Firmware    string        `json:"firmware"`
	Image       uint8         `json:"image"` // state of the image transfer
	KeyVersion  uint32        `json:"keyVersion"`
	KeyChange   uint8         `json:"keyChange"` // 0 idle, 1 staged, 2 proven
	Fingerprint string        `json:"fingerprint"`
	ClockError  time.Duration `json:"clockError"` // nanoseconds
	Events      int           `json:"events"`     // in its log
	Meter       *MeterStatus  `json:"meter,omitempty"`
}

// MeterStatus is what a meter counts.
type MeterStatus struct {
	Reading int64  `json:"reading"`
	Unit    string `json:"unit"` // Wh or l
	Mode    string `json:"mode"` // credit or prepayment
	Supply  string `json:"supply"`
	Balance int64  `json:"balance"` // millipence
}

// Status looks at a home. A home that does not exist yet is made.
func (f *Fleet) Status(name string) (s Status, err error) {
	err = f.withName(name, func(h *home, now time.Time) error {
		spec := f.manifest.spec(h.index)
		s = Status{Name: name, Faults: slices.Clone(spec.faults), Live: h.live, Awake: h.hub.Awake(now), Messages: h.hub.Messages(), Endpoint: h.hub.Endpoint()}
		for _, u := range h.units() {
			state, _, version := u.Keys().Change(now)
			keys, _ := u.Keys().Keys(now, version)
			s.Devices = append(s.Devices, DeviceStatus{
				EUI: u.EUI, Type: u.Kind.String(), On: u.On(now), Firmware: u.Image().Running(), Image: uint8(u.Image().Status(now)),
				KeyVersion: uint32(version), KeyChange: uint8(state), Fingerprint: keys.GUEK.Fingerprint(), ClockError: u.Clock().Error(now),
				Events: len(u.Log().Entries()),
			})
		}
		s.Devices[1].Meter = meterStatus(&h.esme.Meter, "Wh", now)
		if h.gsme != nil {
			s.Devices[2].Meter = meterStatus(&h.gsme.Meter, "l", now)
		}
		return nil
	})
	return s, err
}

func meterStatus(m *meter.Meter, unit string, now time.Time) *MeterStatus {
	s := &MeterStatus{Reading: m.Reading(now), Unit: unit, Mode: m.Mode(now).String(), Balance: m.Balance(now)}
	switch m.Supply(now) {
	case meter.Enabled:
		s.Supply = "enabled"
	case meter.Armed:
		s.Supply = "armed"
	default:
		s.Supply = "disabled"
	}
	return s
}
