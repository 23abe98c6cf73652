// Package demodata writes the input files of a rehearsal: given homes with their identities it
// makes an eligible product combinations list, a portfolio, registrations, certificates, and per
// supplier a Migration Authorisation in its container with the password companion, named in the style of
// DCC's published sample. All of it is invented data; the same homes and seed give the same
// octets.
package demodata

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"smets1/internal/wire"
	"smets1/migration/document"
)

// SampleSupplier is the user whose identity stands in the names of DCC's sample.
var SampleSupplier = wire.MustEUI64("70-B3-D5-1F-30-00-A0-08")

// Config says what to write. Installations must be set.
type Config struct {
	// Installations are the homes. Missing meter points are invented; a meter without a supplier
	// is given SampleSupplier, one without a network operator is given an invented one.
	Installations []document.Installation
	// Targets are entries of the list beyond the homes' own: where firmware upgrades lead.
	Targets []document.Combination
	// NotEligible are homes whose combination is left off the list, so that they fail with MA110.
	NotEligible []document.EUI
	// Upgradable are homes whose combination as installed is left off the list because it is to be
	// reached through an upgrade to one of Targets.
	Upgradable []document.EUI
	// ElectricityOnly are homes whose authorisation permits to migrate electricity alone.
	ElectricityOnly []document.EUI
	// Stamp is the time in the file names; zero means that of DCC's sample, 2019-04-07 18:25:03 UTC.
	Stamp time.Time
	// Earliest and Days are the authorisations' date window; zero means three days after Stamp, which the lead time of
	// that Sunday wants, and 28.
	Earliest document.Date
	Days     int
	// Random gives passwords and salts; it must be set, and seeded to get the same files again.
	Random io.Reader
}

// Files are the files by name. Installations are the homes as the files describe them.
type Files struct {
	ByName        map[string][]byte
	Installations []document.Installation
}

// The names of the files that carry no party's name.
const (
	EPCLName          = "epcl.csv"
	PortfolioName     = "portfolio.csv"
	RegistrationsName = "registrations.csv"
	CertificatesName  = "certificates.csv"
)

// Build makes the files.
func Build(specs *document.Specs, c Config) (*Files, error) {
	if len(c.Installations) == 0 || c.Random == nil {
		return nil, errors.New("demo data: installations and a random source are wanted")
	}
	if c.Stamp.IsZero() {
		c.Stamp = time.Date(2019, 4, 7, 18, 25, 3, 0, time.UTC)
	}
	if c.Earliest.IsZero() {
		c.Earliest = document.DateOf(c.Stamp.UTC()).AddDays(3)
	}
	if c.Days == 0 {
		c.Days = 28
	}
	f := &Files{ByName: map[string][]byte{}}
	for i := range c.Installations {
		in := c.Installations[i]
		in.Devices = slices.Clone(in.Devices)
		if err := complete(&in, i); err != nil {
			return nil, err
		}
		f.Installations = append(f.Installations, in)
	}
	start := document.Date{Year: 2013, Month: time.January, Day: 1}
	regs, certs, serials := facts(f.Installations, start)
	for _, part := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{EPCLName, func(w io.Writer) error {
			return document.WriteEPCL(w, specs, document.NewEPCL(c.entries(f.Installations)))
		}},
		{PortfolioName, func(w io.Writer) error {
			return document.WritePortfolio(w, specs, document.NewPortfolio(f.Installations))
		}},
		{RegistrationsName, func(w io.Writer) error { return document.WriteRegistrations(w, specs, regs) }},
		{CertificatesName, func(w io.Writer) error { return document.WriteCertificates(w, specs, certs) }},
	} {
		var b bytes.Buffer
		if err := part.write(&b); err != nil {
			return nil, fmt.Errorf("demo data: %s: %w", part.name, err)
		}
		f.ByName[part.name] = b.Bytes()
	}
	return f, c.authorisations(specs, f, serials)
}

// Write makes the files and puts them into a folder, which must exist. Files of these names are
// replaced.
func Write(specs *document.Specs, dir string, c Config) (*Files, error) {
	f, err := Build(specs, c)
	if err != nil {
		return nil, err
	}
	for name, b := range f.ByName {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// complete invents what a home lacks. MPANs start with distributor 10 to 23, as real ones do.
func complete(in *document.Installation, i int) error {
	for j := range in.Devices {
		d := &in.Devices[j]
		if !d.Meter() {
			continue
		}
		if d.Supplier.IsZero() {
			d.Supplier = SampleSupplier
		}
		if d.NetworkOperator.IsZero() {
			d.NetworkOperator = wire.EUI64{0x90, 0xB3, 0xD5, 0x1F, 0x30, 0x02, 0, byte(1 + j%2)}
		}
		if d.Status == "" {
			d.Status = document.Active
		}
		if d.PaymentMode == "" {
			d.PaymentMode = document.Credit
		}
		if d.MPxN != "" {
			continue
		}
		if d.Type == document.GSME {
			d.MPxN = document.MPxN(fmt.Sprintf("74%08d", i+1))
			continue
		}
		first := fmt.Sprintf("%02d%010d", 10+i%14, i+1)
		check, err := document.MPANCheckDigit(first)
		if err != nil {
			return err
		}
		d.MPxN = document.MPxN(first + string(check))
	}
	return nil
}

// entries makes the list: every combination of the homes but those left off, then the targets.
func (c Config) entries(homes []document.Installation) []document.EPCLEntry {
	added := document.Date{Year: 2019, Month: time.March, Day: 1}
	seen := map[string]bool{}
	var out []document.EPCLEntry
	add := func(group string, k document.Combination) {
		if s := strings.ToUpper(k.String()); !seen[s] {
			seen[s] = true
			out = append(out, document.EPCLEntry{EntryID: fmt.Sprintf("EPC%04d", len(out)+1), DateAdded: added, GroupID: group, Combination: k, Status: document.Eligible})
		}
	}
	for _, k := range c.Targets {
		group := "AA"
		for _, h := range homes {
			if h.CommsProvider == k.CommsProvider && h.Combination().CHF.Model == k.CHF.Model {
				group = h.GroupID
				break
			}
		}
		add(group, k)
	}
	for i := range homes {
		if h := &homes[i]; !slices.Contains(c.NotEligible, h.ID) && !slices.Contains(c.Upgradable, h.ID) {
			add(h.GroupID, h.Combination())
		}
	}
	return out
}

// facts makes registrations and certificates: each organisation has two.
func facts(homes []document.Installation, from document.Date) (regs []document.Registration, certs []document.CertificateFact, serials map[document.EUI][2]document.Serial) {
	serials = map[document.EUI][2]document.Serial{}
	until := document.Date{Year: 2039, Month: time.December, Day: 31}
	next := 500_001
	enrol := func(org document.EUI, role document.OrganisationRole) {
		if _, done := serials[org]; done {
			return
		}
		var pair [2]document.Serial
		for i := range pair {
			pair[i] = document.Serial(fmt.Sprint(next))
			next++
			certs = append(certs, document.CertificateFact{Serial: pair[i], Organisation: org, Role: role, Type: "Organisation", From: from, To: until})
		}
		serials[org] = pair
	}
	for i := range homes {
		for _, d := range homes[i].Meters() {
			enrol(d.Supplier, document.SupplierRole)
			enrol(d.NetworkOperator, document.NetworkOperatorRole)
			regs = append(regs, document.Registration{Fuel: d.Fuel(), MPxN: d.MPxN, Supplier: d.Supplier, NetworkOperator: d.NetworkOperator, From: from})
		}
	}
	return regs, certs, serials
}

// authorisations makes one authorisation per S1SP and supplier of active meters. As in the sample,
// the authorisation of SampleSupplier for CGI is spelled cgI and its companion CGI.
func (c Config) authorisations(specs *document.Specs, f *Files, serials map[document.EUI][2]document.Serial) error {
	type key struct {
		s1sp     string
		supplier document.EUI
	}
	rows := map[key][]document.AuthorisationRow{}
	for i := range f.Installations {
		in := &f.Installations[i]
		for _, d := range in.Meters() {
			if d.Status != document.Active {
				continue
			}
			k := key{strings.ToUpper(in.S1SP), d.Supplier}
			pair := serials[d.Supplier]
			serial := d.Serial
			if serial == "" {
				serial = strings.ReplaceAll(d.ID.String(), "-", "")
			}
			rows[k] = append(rows[k], document.AuthorisationRow{
				RecordNo: len(rows[k]) + 1, Fuel: d.Fuel(), MPxN: d.MPxN, DeviceID: d.ID, CHFDeviceID: in.ID, MeterSerialNumber: serial,
				SupplierUserID: d.Supplier, PaymentMode: d.PaymentMode, Earliest: c.Earliest, Latest: c.Earliest.AddDays(c.Days),
				CriticalCert: pair[0], NonCriticalCert: pair[1],
				ElectricityOnlyPermitted: d.Type == document.ESME && slices.Contains(c.ElectricityOnly, in.ID),
			})
		}
	}
	keys := make([]key, 0, len(rows))
	for k := range rows {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.s1sp, b.s1sp), slices.Compare(a.supplier[:], b.supplier[:]))
	})
	for _, k := range keys {
		var csv bytes.Buffer
		if err := document.WriteAuthorisationCSV(&csv, specs, rows[k]); err != nil {
			return err
		}
		name := document.Name{Kind: document.KindMA, S1SP: k.s1sp, EUI: k.supplier, Stamp: c.Stamp, Ext: "zip"}
		companion := name.With(document.KindMAPassword, "csv")
		if k.s1sp == "CGI" && k.supplier == SampleSupplier {
			name.S1SP = "cgI"
		}
		z, pw, err := document.SealAuthorisation(specs, name, csv.Bytes(), nil, c.Stamp, c.Random)
		if err != nil {
			return err
		}
		f.ByName[name.String()], f.ByName[companion.String()] = z, pw
	}
	return nil
}
