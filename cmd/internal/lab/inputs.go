package lab

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"smets1/device/fleet"
	"smets1/device/profile"
	"smets1/firmware"
	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/document/demodata"
)

// The names of a programme's folder that the commands know.
const (
	ManifestName = "fleet.yaml"
	FirmwareDir  = "firmware"
	releasesName = "releases.csv"
)

// imageSize is how long the payload of an invented release is: a few dozen
// blocks, so that a rehearsal shows progress and does not wait for it.
const imageSize = 12 << 10

// WriteInputs writes the documents of a programme that migrates all homes of a
// fleet into a folder: portfolio, lists, authorisations with their passwords,
// and the firmware images. All of it is invented; the same manifest gives the
// same octets.
//
// What is special is decided by the homes themselves. A home with a device of
// another set is left off the eligible list. MOC suppliers permit electricity
// to go alone. The images for gas meters of a home whose name ends in
// corrupt-image are damaged.
func WriteInputs(dir string, f *fleet.Fleet) error {
	specs, err := document.DefaultSpecs()
	if err != nil {
		return err
	}
	m := f.Manifest()
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], m.Seed)
	// The stamp is that of DCC's sample; the window begins two days after the
	// fleet's own calendar does.
	cfg := demodata.Config{Random: rand.NewChaCha8(seed), Earliest: document.DateOf(m.StartTime()).AddDays(2)}
	images := map[string]image{}
	for e := range f.Inventory() {
		in, mixed, err := installation(e)
		if err != nil {
			return err
		}
		cfg.Installations = append(cfg.Installations, in)
		target, old := newest(in, e.Profile)
		switch {
		case mixed:
			cfg.NotEligible = append(cfg.NotEligible, in.ID)
		case old:
			cfg.Upgradable = append(cfg.Upgradable, in.ID)
			cfg.Targets = append(cfg.Targets, target)
		}
		if e.Cohort == string(profile.MOC) {
			cfg.ElectricityOnly = append(cfg.ElectricityOnly, in.ID)
		}
		if err := addImages(images, e, in, target); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, FirmwareDir), 0o755); err != nil {
		return err
	}
	if _, err := demodata.Write(specs, dir, cfg); err != nil {
		return err
	}
	var releases []document.Release
	for _, key := range sortedKeys(images) {
		i := images[key]
		releases = append(releases, document.Release{Type: i.kind, Model: i.model, SHA256: firmware.DigestOf(i.bytes)})
		if err := os.WriteFile(filepath.Join(dir, FirmwareDir, i.file), i.bytes, 0o644); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if err := document.WriteReleases(&b, specs, releases); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, releasesName), b.Bytes(), 0o644)
}

// installation puts a home of the fleet into the words of the portfolio; mixed
// says that it has a device of another set than its hub's.
func installation(e fleet.Entry) (in document.Installation, mixed bool, err error) {
	p, ok := profiles.Get(e.Profile)
	if !ok {
		return in, false, fmt.Errorf("home %s: there is no built-in profile %q to make documents from", e.Name, e.Profile)
	}
	in = document.Installation{
		GroupID: e.Group, Cohort: e.Cohort, S1SP: e.S1SP, CommsProvider: e.Comms,
		SIM:    document.SIM{ICCID: e.ICCID, IMSI: e.IMSI, MSISDN: strings.TrimPrefix(e.MSISDN, "+")},
		WakeUp: map[string]string{"none": "None", "sms": "SMS", "smsx2": "SMSx2"}[e.WakeUp],
	}
	for _, d := range e.Devices {
		x := document.Device{
			ID: d.EUI, Manufacturer: d.Manufacturer, Model: d.Model, Hardware: strconv.Itoa(int(d.Hardware)), Firmware: d.Firmware, Serial: d.Serial,
		}
		switch d.Type {
		case "chf":
			x.Type, in.ID = document.CHF, d.EUI
		case "esme", "gsme":
			x.Type = document.ESME
			if d.Type == "gsme" {
				x.Type = document.GSME
			}
			x.Variant, x.MPxN, x.ExportMPAN = d.Variant, document.MPxN(d.MPxN), document.MPxN(d.ExportMPAN)
			x.Status, x.PaymentMode = document.Active, document.Credit
			if d.Status == "dormant" {
				x.Status = document.Dormant
			}
			if d.Payment == "prepayment" {
				x.PaymentMode = document.Prepayment
			}
			if x.Supplier, err = optionalEUI(d.Supplier); err == nil {
				x.NetworkOperator, err = optionalEUI(d.NetworkOperator)
			}
			if err != nil {
				return in, false, fmt.Errorf("home %s, %s: %w", e.Name, d.Type, err)
			}
			set := &p.ESME
			if d.Type == "gsme" {
				set = p.GSME
			}
			mixed = mixed || set == nil || set.Model != d.Model
		case "ihd":
			x.Type, x.Hardware, x.Serial = document.IHD, "", ""
		}
		in.Devices = append(in.Devices, x)
	}
	return in, mixed, nil
}

var profiles = profile.Builtin()

func optionalEUI(s string) (wire.EUI64, error) {
	if s == "" {
		return wire.EUI64{}, nil
	}
	return wire.ParseEUI64(s)
}

// newest is the combination of a home with each device at the newest firmware
// that its set knows; old says that this is not what it has.
func newest(in document.Installation, name string) (c document.Combination, old bool) {
	p, _ := profiles.Get(name)
	c = in.Combination()
	for _, x := range []struct {
		to  *document.Model
		set *profile.Device
	}{{&c.CHF, &p.Hub}, {&c.ESME, &p.ESME}, {&c.GSME, p.GSME}} {
		if x.set != nil && !x.to.IsZero() && x.to.Model == x.set.Model && x.to.Firmware != x.set.Newest() {
			x.to.Firmware, old = x.set.Newest(), true
		}
	}
	return c, old
}

// image is one release of the programme.
type image struct {
	kind  document.DeviceType
	model document.Model
	bytes []byte
	file  string
}

// addImages makes the images that bring a home to its target.
func addImages(images map[string]image, e fleet.Entry, in document.Installation, target document.Combination) error {
	corrupt := strings.HasSuffix(e.Name, "corrupt-image")
	for _, x := range []struct {
		kind document.DeviceType
		wire firmware.DeviceType
		to   document.Model
	}{{document.CHF, firmware.Hub, target.CHF}, {document.ESME, firmware.ESME, target.ESME}, {document.GSME, firmware.GSME, target.GSME}} {
		d, ok := in.Device(x.kind)
		if !ok || d.Firmware == x.to.Firmware {
			continue
		}
		hardware, err := strconv.ParseUint(d.Hardware, 10, 16)
		if err != nil {
			return fmt.Errorf("home %s: hardware revision %q: %w", e.Name, d.Hardware, err)
		}
		b, err := firmware.SimulatedRelease(firmware.Header{
			Type: x.wire, Manufacturer: d.Manufacturer, Model: d.Model, HardwareFrom: 0, HardwareTo: uint16(hardware), Version: x.to.Firmware,
		}, imageSize)
		if err != nil {
			return fmt.Errorf("home %s: image for %s: %w", e.Name, x.to, err)
		}
		if corrupt && x.kind == document.GSME {
			b[len(b)/2] ^= 0x20
		}
		key := string(x.kind) + " " + x.to.String()
		was, seen := images[key]
		if seen && sha256.Sum256(was.bytes) != sha256.Sum256(b) && !corrupt {
			continue // the damaged one stands for all homes of the model
		}
		images[key] = image{x.kind, x.to, b, fileName(x.to)}
	}
	return nil
}

func fileName(m document.Model) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		default:
			return '-'
		}
	}, m.Manufacturer+"-"+m.Model+"-"+m.Firmware) + ".img"
}

func sortedKeys(m map[string]image) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// ImportImages puts every image of a folder into a gateway's library and tells
// how many there are.
func ImportImages(dir string, lib *firmware.Library) (int, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.img"))
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		if _, err := lib.Put(b); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	return len(names), nil
}
