package simulate

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/document/demodata"
)

// kinds are the device sets of an invented portfolio, in its proportions.
var kinds = []struct {
	cohort, group, s1sp, comms, wake string
	maker, hub, esme, gsme           string
	parts                            int
}{
	{"IOC", "AA", "CGI", "Vodafone", "SMS", "Elster", "AM110R", "AS300P", "BK-G4E", 22},
	{"MOC", "CA", "SECURE", "Telefonica", "SMSx2", "Secure", "Skyline-i 510", "Liberty 100", "Liberty 110", 32},
	{"FOC", "DA", "TRILLIANT", "Vodafone", "SMS", "Landis+Gyr", "CNA", "E470", "Libra 310", 46},
}

var organisations = []wire.EUI64{
	demodata.SampleSupplier, wire.MustEUI64("70-B3-D5-1F-30-00-A0-09"), wire.MustEUI64("70-B3-D5-1F-30-00-A0-0B"), wire.MustEUI64("70-B3-D5-1F-30-00-A0-0C"),
}

// The parts of an invented portfolio: dormant homes, homes without gas, and
// dormant homes whose electricity meter has to be upgraded first.
const (
	dormantPart     = 0.3
	electricityPart = 0.2
	upgradePart     = 0.25
)

// portfolio invents homes.
func portfolio(n int, rng *rand.Rand) (homes []document.Installation, upgradable []document.EUI, targets []document.Combination) {
	seen := map[string]bool{}
	for i := range n {
		at := i * 100 / max(n, 1)
		k := kinds[0]
		for _, k = range kinds {
			if at -= k.parts; at < 0 {
				break
			}
		}
		id := func(kind byte) wire.EUI64 {
			return wire.EUI64{0x00, 0xDB, 0x12, kind, 0, byte(i >> 16), byte(i >> 8), byte(i)}
		}
		supplier := organisations[rng.IntN(len(organisations))]
		status := document.Active
		if rng.Float64() < dormantPart {
			status = document.Dormant
		}
		in := document.Installation{
			ID: id(1), GroupID: k.group, Cohort: k.cohort, S1SP: k.s1sp, CommsProvider: k.comms, WakeUp: k.wake,
			SIM: document.SIM{ICCID: fmt.Sprintf("894411%013d", i), MSISDN: fmt.Sprintf("4477%08d", i)},
			Devices: []document.Device{
				{Type: document.CHF, ID: id(1), Manufacturer: k.maker, Model: k.hub, Firmware: "1.00", Serial: fmt.Sprintf("H%07d", i)},
				{Type: document.ESME, ID: id(2), Manufacturer: k.maker, Model: k.esme, Firmware: "2.10", Serial: fmt.Sprintf("E%07d", i), Status: status, Supplier: supplier},
			},
		}
		if rng.Float64() >= electricityPart {
			in.Devices = append(in.Devices, document.Device{Type: document.GSME, ID: id(3), Manufacturer: k.maker, Model: k.gsme, Firmware: "3.00", Serial: fmt.Sprintf("G%07d", i), Status: status, Supplier: supplier})
		}
		if status == document.Dormant && rng.Float64() < upgradePart {
			target := in.Combination()
			in.Devices[1].Firmware = "2.09"
			upgradable = append(upgradable, in.ID)
			if !seen[target.String()] {
				seen[target.String()] = true
				targets = append(targets, target)
			}
		}
		homes = append(homes, in)
	}
	return homes, upgradable, targets
}

// world is the documents outside the engine: who supplies which meter, and what
// lies in the programme's folder.
type world struct {
	dir     string
	specs   *document.Specs
	homes   []document.Installation
	regs    map[document.MPxN][]document.Registration
	order   []document.MPxN
	changed bool // registrations since they were written
	serials map[wire.EUI64]document.Serial
}

func newWorld(specs *document.Specs, dir string, homes int, seed uint64) (*world, error) {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &world{dir: dir, specs: specs, regs: map[document.MPxN][]document.Registration{}, serials: map[wire.EUI64]document.Serial{}}
	installations, upgradable, targets := portfolio(homes, rng)
	files, err := demodata.Build(specs, demodata.Config{Installations: installations, Upgradable: upgradable, Targets: targets, Random: source(seed)})
	if err != nil {
		return nil, err
	}
	w.homes = files.Installations
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for name, b := range files.ByName {
		if n, err := document.ParseName(name); err == nil && (n.Kind == document.KindMA || n.Kind == document.KindMAPassword) {
			continue // the suppliers authorise week by week
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return nil, err
		}
	}
	regs, certs := w.facts()
	var releases []document.Release
	for _, t := range targets {
		releases = append(releases, document.Release{Type: document.ESME, Model: t.ESME, SHA256: sha256.Sum256([]byte(t.ESME.String()))})
	}
	releases = slices.CompactFunc(releases, func(a, b document.Release) bool { return a.Model == b.Model })
	for _, r := range regs {
		w.regs[r.MPxN] = append(w.regs[r.MPxN], r)
		w.order = append(w.order, r.MPxN)
	}
	if err := w.write(demodata.CertificatesName, func(b io.Writer) error { return document.WriteCertificates(b, specs, certs) }); err != nil {
		return nil, err
	}
	return w, w.write("releases.csv", func(b io.Writer) error { return document.WriteReleases(b, specs, releases) })
}

// facts are the registrations, and certificates of every supplier whether it
// has a home now or not.
func (w *world) facts() (regs []document.Registration, certs []document.CertificateFact) {
	from := document.Date{Year: 2013, Month: time.January, Day: 1}
	enrol := func(org wire.EUI64, role document.OrganisationRole) {
		if _, done := w.serials[org]; done {
			return
		}
		w.serials[org] = document.Serial(fmt.Sprint(500_001 + len(w.serials)))
		certs = append(certs, document.CertificateFact{Serial: w.serials[org], Organisation: org, Role: role, Type: "Organisation", From: from, To: from.AddDays(365 * 30)})
	}
	for _, org := range organisations {
		enrol(org, document.SupplierRole)
	}
	for i := range w.homes {
		for _, d := range w.homes[i].Meters() {
			enrol(d.NetworkOperator, document.NetworkOperatorRole)
			regs = append(regs, document.Registration{Fuel: d.Fuel(), MPxN: d.MPxN, Supplier: d.Supplier, NetworkOperator: d.NetworkOperator, From: from})
		}
	}
	return regs, certs
}

func (w *world) write(name string, to func(io.Writer) error) error {
	var b bytes.Buffer
	if err := to(&b); err != nil {
		return fmt.Errorf("simulate: %s: %w", name, err)
	}
	return os.WriteFile(filepath.Join(w.dir, name), b.Bytes(), 0o644)
}

// supplier is who supplies a meter point last of all.
func (w *world) supplier(m document.MPxN) wire.EUI64 {
	r := w.regs[m]
	return r[len(r)-1].Supplier
}

// leave gives all meters of a home to another supplier from a day on.
func (w *world) leave(in *document.Installation, to wire.EUI64, from document.Date) {
	for _, d := range in.Meters() {
		r := w.regs[d.MPxN]
		last := &r[len(r)-1]
		if !last.From.Before(from) {
			continue
		}
		next := *last
		last.To = from.AddDays(-1)
		next.Supplier, next.From, next.To = to, from, document.Date{}
		w.regs[d.MPxN] = append(r, next)
		w.changed = true
	}
}

// register writes the registrations if they have changed.
func (w *world) register() error {
	if !w.changed {
		return nil
	}
	w.changed = false
	var all []document.Registration
	for _, m := range w.order {
		all = append(all, w.regs[m]...)
	}
	return w.write(demodata.RegistrationsName, func(b io.Writer) error { return document.WriteRegistrations(b, w.specs, all) })
}

// source gives octets from a seed.
func source(seed uint64) *rand.ChaCha8 {
	var s [32]byte
	for i := range 8 {
		s[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(s)
}
