package document

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/migration/document/pki"
)

func (w *world) receiver(parties ...*pki.Party) *Receiver {
	return &Receiver{Specs: w.specs, Facts: w.facts, Trust: w.trust, Parties: parties}
}

// validate runs all seventeen checks on a set, as CP, S1SP and DCO together.
func (w *world) validate(mcf, mgf, mgef Artefact) Verdict {
	r := w.receiver(w.s1, w.dc)
	_, v := r.ValidateCommon(mcf, w.now)
	_, _, g := r.ValidateGroup(FileSet{&mcf, &mgf, &mgef}, w.now)
	v.Problems = append(v.Problems, g.Problems...)
	byID := map[EUI]int{}
	for i, in := range v.Installations {
		byID[in.InstallationID] = i
	}
	for _, in := range g.Installations {
		if i, ok := byID[in.InstallationID]; ok {
			v.Installations[i].Findings = append(v.Installations[i].Findings, in.Findings...)
		} else {
			v.Installations = append(v.Installations, in)
		}
	}
	return v
}

func (v Verdict) codes() []string {
	set := map[string]bool{}
	for _, p := range v.Problems {
		set[p.Code] = true
	}
	for _, in := range v.Installations {
		for _, f := range in.Findings {
			set[f.Code] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func TestChecksAllPass(t *testing.T) {
	w := newWorld(t)
	v := w.validate(w.issueMCF(t), w.issueMGF(t), w.issueMGEF(t))
	require.Empty(t, v.Problems)
	require.Len(t, v.Installations, 2)
	for _, in := range v.Installations {
		require.Empty(t, in.Findings)
		require.Equal(t, Pass, in.Outcome())
	}
	require.Equal(t, map[CounterKey]uint64{{w.rp.EUI, KindMCF}: 42}, v.Accepted)
}

// TestChecksFailAlone breaks one thing at a time: exactly the one code must come of it, for the
// first home only, while the second passes.
func TestChecksFailAlone(t *testing.T) {
	// Each case changes the world before the files are written, or the files after.
	cases := []struct {
		code   string
		name   string
		before func(*world)
		after  func(t *testing.T, w *world, mcf, mgf, mgef *Artefact)
	}{
		{"XCV01", "not well-formed", nil, func(_ *testing.T, _ *world, mcf, _, _ *Artefact) { mcf.Data = mcf.Data[:len(mcf.Data)/2] }},
		{"XCV01", "document type", nil, func(_ *testing.T, _ *world, mcf, _, _ *Artefact) {
			mcf.Data = []byte(strings.Replace(string(mcf.Data), "<MigrationFile", "<!DOCTYPE x [<!ENTITY a 'b'>]>\n<MigrationFile", 1))
		}},
		{"XCV02", "changed octet", nil, func(_ *testing.T, _ *world, mcf, _, _ *Artefact) {
			mcf.Data = []byte(strings.Replace(string(mcf.Data), "AS300P", "AS300Q", 1))
		}},
		{"XCV02", "signed by another role", nil, func(t *testing.T, w *world, mcf, _, _ *Artefact) {
			other, err := w.ca.Enrol(newRand(7), pki.CP, w.rp.EUI, w.now.AddDate(-1, 0, 0))
			require.NoError(t, err)
			require.NoError(t, w.trust.AddParty(other))
			other.Role = pki.RP // so that issuing lets it through; the certificate says CP
			*mcf, err = Issue(w.header(w.cp), w.mcf, other)
			require.NoError(t, err)
		}},
		{"XCV03", "replayed", func(w *world) { w.facts.LastCounters[CounterKey{w.rp.EUI, KindMCF}] = 42 }, nil},
		{"XCV04", "another day", nil, func(t *testing.T, w *world, _, mgf, _ *Artefact) {
			h := w.header(w.s1)
			h.MigrationDate = w.day.AddDays(1)
			var err error
			*mgf, err = Issue(h, w.mgf, w.rp)
			require.NoError(t, err)
		}},
		{"XCV04", "name of another file", nil, func(_ *testing.T, _ *world, mcf, _, _ *Artefact) {
			mcf.Name = strings.Replace(mcf.Name, "000000000042", "000000000043", 1)
		}},
		{"XCV05", "device twice", func(w *world) {
			w.mcf.Installation[1].Device[3].DeviceID = w.mcf.Installation[0].Device[3].DeviceID
		}, nil},
		{"XCV10", "commissioned", func(w *world) { w.facts.Inventory[w.mcf.Installation[0].Device[1].DeviceID] = DeviceCommissioned }, nil},
		{"XCV11", "two gas proxies", func(w *world) {
			for i := range 2 {
				w.mcf.Installation[0].Device = append(w.mcf.Installation[0].Device, CommonDevice{DeviceID: EUI{9, byte(i)}, DeviceType: GPF, Manufacturer: "m", Model: "m", FirmwareVersion: "1", SMETSVersion: smetsVersion, Notional: true})
			}
		}, nil},
		{"MA110", "combination", func(w *world) { w.mcf.Installation[0].Device[2].FirmwareVersion = "03000009" }, nil},
		{"MA110", "another entry claimed", func(w *world) { w.mcf.Installation[0].Device[0].EPCLEntryID = "E9" }, nil},
		{"XCV12", "check digit", func(w *world) {
			d := &w.mcf.Installation[0].Device[1]
			d.MPxN = d.MPxN[:12] + MPxN('9'-d.MPxN[12]+'0')
		}, nil},
		{"XCV13", "another supplier", func(w *world) {
			g := w.mcf.Installation[0].Device[2]
			var regs []Registration
			for _, in := range w.mcf.Installation {
				for _, d := range in.Device[1:3] {
					r := Registration{Fuel: fuelOf(d.DeviceType), MPxN: d.MPxN, Supplier: *d.ResponsibleSupplierID, From: Date{2015, 1, 1}}
					if d.DeviceID == g.DeviceID {
						r.Supplier = supplierE
					}
					regs = append(regs, r)
				}
			}
			w.facts.Registrations = NewRegistrations(regs)
		}, nil},
		{"XCV14", "device certificate", func(w *world) { w.mcf.Installation[0].Device[1].NotifiedCriticalSupplierCertID = "3001" }, nil},
		{"XCV14", "another party's", func(w *world) { w.mcf.Installation[0].Device[1].NotifiedCriticalSupplierCertID = "1003" }, nil},
		{"XCV14", "unknown", func(w *world) { w.mcf.Installation[0].Device[1].NotifiedNetworkOperatorCertID = "999" }, nil},
		{"XCV15", "withdrawn", func(w *world) {
			d := w.mcf.Installation[0].Device[1].DeviceID
			w.facts.Coverage.Apply(&Authorisation{Name: Name{Kind: KindMA, Stamp: w.now}, Rows: []AuthorisationRow{{DeviceID: d, Withdraw: true}}})
		}, nil},
		{"XCV15", "notice too late", func(w *world) {
			d := w.mcf.Installation[0].Device[2].DeviceID
			n := w.facts.Notices[d]
			n.Sent = w.day.AddDays(-6)
			w.facts.Notices[d] = n
		}, nil},
		{"XCV15", "notice to the former supplier", func(w *world) {
			d := w.mcf.Installation[0].Device[2].DeviceID
			n := w.facts.Notices[d]
			n.Supplier = supplierE
			w.facts.Notices[d] = n
		}, nil},
		{"XCV16", "excluded", func(w *world) { w.facts.Exclusions[w.mcf.Installation[0].InstallationID] = "Missing master keys" }, nil},
		{"XCV16", "five attempts", func(w *world) { w.facts.Attempts[w.mcf.Installation[0].InstallationID] = 5 }, nil},
		{"XGV01", "common only", func(w *world) {
			w.mgf.Installation = w.mgf.Installation[1:]
			w.mgef.Installation = w.mgef.Installation[1:]
		}, nil},
		{"XGV01", "not encrypted", func(w *world) { w.mgef.Installation = w.mgef.Installation[1:] }, nil},
		{"XGV02", "changed tag", func(w *world) { w.mgef.Installation[0].EncryptedKey[0].Tag[3] ^= 1 }, nil},
		{"XGV02", "wrong recipient", func(w *world) { w.mgef.Installation[0].EncryptedKey[0].RecipientEUI = w.dc.EUI }, nil},
		{"XGV02", "moved from another home", func(w *world) {
			k := w.mgef.Installation[1].EncryptedKey[0]
			k.KeyRef = w.mgef.Installation[0].EncryptedKey[0].KeyRef
			w.mgef.Installation[0].EncryptedKey[0] = k
		}, nil},
		{"XGV02", "use missing", func(w *world) {
			w.mgf.Installation[0].KeyRef = w.mgf.Installation[0].KeyRef[1:]
		}, nil},
		{"XGV03", "unknown SIM", func(w *world) { delete(w.facts.SIMs, w.mgf.Installation[0].SIM.ICCID) }, nil},
		{"XGV03", "another number", func(w *world) { w.mgf.Installation[0].SIM.MSISDN = "447700900999" }, nil},
		{"XGV04", "configuration", func(w *world) { w.mgf.Installation[0].ConfigDigest[0] ^= 1 }, nil},
	}
	failed := map[string]bool{}
	for _, c := range cases {
		t.Run(c.code+" "+c.name, func(t *testing.T) {
			w := newWorld(t)
			if c.before != nil {
				c.before(w)
			}
			mcf, mgf, mgef := w.issueMCF(t), w.issueMGF(t), w.issueMGEF(t)
			if c.after != nil {
				c.after(t, w, &mcf, &mgf, &mgef)
			}
			v := w.validate(mcf, mgf, mgef)
			require.Equal(t, []string{c.code}, v.codes(), "%v %v", v.Problems, v.Installations)
			for _, in := range v.Installations {
				if in.InstallationID != w.portfolio.Installations[0].ID {
					require.Empty(t, in.Findings)
				}
			}
			for _, p := range v.Problems {
				require.NotEmpty(t, p.Remedy)
				require.NotEmpty(t, p.File)
			}
			// Every verdict can be written as the answer that it calls for.
			h := w.header(w.rp)
			_, err := Issue(h, v.MCVF(), w.cp)
			require.NoError(t, err)
			_, err = Issue(h, v.MGVF(true), w.s1)
			require.NoError(t, err)
		})
		failed[c.code] = true
	}
	for _, c := range Checks {
		require.True(t, failed[c.Code], "check %s (step %d) has no failing case", c.Code, c.Step)
		k, ok := newWorld(t).specs.Catalogue.Lookup(c.Code)
		require.True(t, ok)
		require.Equal(t, c.Scope, k.Scope, c.Code)
	}
}

func TestDCOJudgesItsOwnPartOnly(t *testing.T) {
	w := newWorld(t)
	w.mgef.Installation[0].EncryptedKey[2].Ciphertext[0] ^= 1 // critical
	mcf, mgf, mgef := w.issueMCF(t), w.issueMGF(t), w.issueMGEF(t)
	set := FileSet{&mcf, &mgf, &mgef}

	_, _, v := w.receiver(w.s1).ValidateGroup(set, w.now)
	require.Empty(t, v.codes(), "the S1SP cannot read the DCO's keys and does not judge them")
	_, _, v = w.receiver(w.dc).ValidateGroup(set, w.now)
	require.Equal(t, []string{"XGV02"}, v.codes())
	body := v.MGVF(true)
	require.Equal(t, Fail, body.Installation[0].DCOOutcome)
	require.Equal(t, Pass, body.Installation[1].DCOOutcome)

	for _, k := range w.mgef.Installation[1].EncryptedKey {
		_, errS := k.Open(w.set, w.mgef.Installation[1].InstallationID, w.s1.AgreementKey())
		_, errD := k.Open(w.set, w.mgef.Installation[1].InstallationID, w.dc.AgreementKey())
		require.Equal(t, k.KeyUsage.Owner() == pki.S1SP, errS == nil)
		require.Equal(t, k.KeyUsage.Owner() == pki.DCO, errD == nil)
	}
}

func TestSetWithoutGroupFile(t *testing.T) {
	w := newWorld(t)
	mcf := w.issueMCF(t)
	_, _, v := w.receiver().ValidateGroup(FileSet{Common: &mcf}, w.now)
	require.Equal(t, []string{"XCV04"}, v.codes())
}

func TestExpiredCertificate(t *testing.T) {
	w := newWorld(t)
	_, v := w.receiver().ValidateCommon(w.issueMCF(t), w.now.Add(40*365*24*time.Hour))
	require.Equal(t, []string{"XCV02"}, v.codes())
}

func TestCheckAnswer(t *testing.T) {
	w := newWorld(t)
	req := w.issueMCF(t)
	ids := w.mcf.ids()
	h := w.header(w.rp)
	h.Sender, h.InstallationCount = Ref(w.cp), 2
	h.InResponseTo = []InResponseTo{req.Cite()}
	check := func(h Header, ids []EUI, partial bool) string {
		return strings.Join(w.facts.CheckAnswer("MCVF_x.xml", h, ids, KindMCVF, req.Cite(), w.set, w.mcf.ids(), partial).Codes(), " ")
	}
	require.Empty(t, check(h, ids, false))
	require.Equal(t, "XCV05", check(h, []EUI{ids[1], ids[0]}, false))
	require.Equal(t, "XCV05", check(h, []EUI{ids[0], ids[0]}, false))
	one := h
	one.InstallationCount = 1
	require.Equal(t, "XCV05", check(one, ids[:1], false))
	require.Equal(t, "XCV05", check(one, ids[1:], false))
	require.Empty(t, check(one, ids[1:], true))
	require.Equal(t, "XCV05", check(one, ids, true))
	none := h
	none.InstallationCount = 0
	require.Empty(t, check(none, nil, false))
	other := h
	other.InResponseTo = nil
	require.Equal(t, "XCV04", check(other, ids, false))
	other = h
	other.FileSetID.Counter++
	require.Equal(t, "XCV04", check(other, ids, false))
	w.facts.LastCounters[CounterKey{w.cp.EUI, KindMCVF}] = 42
	require.Equal(t, "XCV03", check(h, ids, false))
}

func TestFactsUnknownFail(t *testing.T) {
	w := newWorld(t)
	w.facts = &Facts{Specs: w.specs}
	v := w.validate(w.issueMCF(t), w.issueMGF(t), w.issueMGEF(t))
	require.Equal(t, []string{"MA110", "XCV13", "XCV14", "XCV15", "XGV03", "XGV04"}, v.codes(), fmt.Sprint(v))
}
