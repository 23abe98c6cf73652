package demodata

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/migration/document"
)

func homes(n int) []document.Installation {
	var out []document.Installation
	for i := range n {
		id := func(k byte) document.EUI { return document.EUI{0x00, 0xDB, 0x12, k, 0, 0, byte(i >> 8), byte(i)} }
		h := document.Installation{ID: id(1), GroupID: "AA", Cohort: "IOC", S1SP: "CGI", CommsProvider: "Vodafone", WakeUp: "SMS",
			Devices: []document.Device{
				{Type: document.CHF, ID: id(1), Manufacturer: "WNC", Model: "CH1", Firmware: "01"},
				{Type: document.ESME, ID: id(2), Manufacturer: "Elster", Model: "AS300P", Firmware: "02"},
			}}
		if i%2 == 0 {
			h.Devices = append(h.Devices, document.Device{Type: document.GSME, ID: id(3), Manufacturer: "Elster", Model: "BK-G4", Firmware: "03"})
		}
		if i%5 == 4 {
			for j := range h.Devices {
				h.Devices[j].Status = document.Dormant
			}
			h.Devices[1].Firmware = "00"
		}
		out = append(out, h)
	}
	return out
}

func TestFilesReadBack(t *testing.T) {
	specs, err := document.DefaultSpecs()
	require.NoError(t, err)
	in := homes(24)
	target := in[0].Combination()
	target.GSME = document.Model{}
	c := Config{Installations: in, Targets: []document.Combination{target}, NotEligible: []document.EUI{in[1].ID}, Upgradable: []document.EUI{in[4].ID},
		ElectricityOnly: []document.EUI{in[2].ID}, Random: rand.NewChaCha8([32]byte{1})}
	dir := t.TempDir()
	f, err := Write(specs, dir, c)
	require.NoError(t, err)
	c.Random = rand.NewChaCha8([32]byte{1})
	again, err := Build(specs, c)
	require.NoError(t, err)
	require.Equal(t, f.ByName, again.ByName, "one seed gives the same files")
	require.Empty(t, in[0].Devices[1].MPxN, "the input is left alone")

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.Contains(t, names, "MA_cgI_70-B3-D5-1F-30-00-A0-08_20190407_182503.zip")
	require.Contains(t, names, "MAPASSWORD_CGI_70-B3-D5-1F-30-00-A0-08_20190407_182503.csv")
	pairs, alone := document.PairNames(names)
	require.Len(t, pairs, 1)
	require.Empty(t, alone)

	read := func(name string) *bytes.Reader {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return bytes.NewReader(b)
	}
	p, ps := document.ReadPortfolio(specs, PortfolioName, read(PortfolioName))
	require.Empty(t, ps)
	require.Len(t, p.Installations, 24)
	l, ps := document.ReadEPCL(specs, EPCLName, read(EPCLName))
	require.Empty(t, ps)
	regs, ps := document.ReadRegistrations(specs, RegistrationsName, read(RegistrationsName))
	require.Empty(t, ps)
	certs, ps := document.ReadCertificates(specs, CertificatesName, read(CertificatesName))
	require.Empty(t, ps)
	ma, closer, err := document.OpenSource(filepath.Join(dir, pairs[0].Authorisation.String()))
	require.NoError(t, err)
	defer func() { require.NoError(t, closer.Close()) }()
	pw := f.ByName[pairs[0].Password.String()]
	a, ps := (&document.AuthorisationReader{Specs: specs}).Read(ma, document.BytesSource(pairs[0].Password.String(), pw))
	require.Empty(t, ps)

	facts := document.AuthorisationFacts{Facts: &document.Facts{Specs: specs, EPCL: l, Registrations: regs, Certificates: certs}, Portfolio: p}
	good, ps := facts.CheckAuthorisation(a)
	for _, x := range ps {
		require.Contains(t, []string{"MA110"}, x.Code, x)
	}
	require.Less(t, len(good.Rows), len(a.Rows)+1)
	onlyE := 0
	for _, r := range a.Rows {
		if r.ElectricityOnlyPermitted {
			onlyE++
		}
	}
	require.Equal(t, 1, onlyE)
}

func TestBuildRefuses(t *testing.T) {
	specs, err := document.DefaultSpecs()
	require.NoError(t, err)
	_, err = Build(specs, Config{})
	require.Error(t, err)
	_, err = Build(specs, Config{Installations: homes(1), Random: bytes.NewReader(nil)})
	require.Error(t, err)
	bad := homes(1)
	bad[0].GroupID = "x"
	_, err = Build(specs, Config{Installations: bad, Random: rand.NewChaCha8([32]byte{1})})
	require.Error(t, err)
	_, err = Write(specs, filepath.Join(t.TempDir(), "none"), Config{Installations: homes(1), Random: rand.NewChaCha8([32]byte{1})})
	require.Error(t, err)
}
