package document

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/migration/document/pki"
)

// world is a small migration: parties, two homes, a valid file set and the facts that pass it.
type world struct {
	now            time.Time
	day            Date
	specs          *Specs
	trust          *pki.Trust
	ca             *pki.Authority
	rp, cp, s1, dc *pki.Party
	portfolio      *Portfolio
	facts          *Facts
	set            FileSetID
	mcf            CommonBody
	mgf            GroupBody
	mgef           EncryptedBody
}

func eui(s string) EUI { return wire.MustEUI64(s) }

func newRand(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

var (
	supplierE = eui("90-B3-D5-1F-30-01-00-01")
	supplierG = eui("90-B3-D5-1F-30-01-00-02")
	networkE  = eui("90-B3-D5-1F-30-02-00-01")
	networkG  = eui("90-B3-D5-1F-30-02-00-02")
)

func testHome(n int) Installation {
	id := func(kind byte) EUI { return EUI{0x00, 0xDB, 0x12, kind, 0, 0, 0, byte(n)} }
	first12 := fmt.Sprintf("2000000000%02d", n)
	check, err := MPANCheckDigit(first12)
	if err != nil {
		panic(err)
	}
	return Installation{
		ID: id(1), GroupID: "AA", Cohort: "IOC", S1SP: "CGI", CommsProvider: "Vodafone", WakeUp: "SMS",
		SIM: SIM{ICCID: fmt.Sprintf("8944100000000000%03d", n), IMSI: fmt.Sprintf("234150000000%03d", n), MSISDN: fmt.Sprintf("447700900%03d", n)},
		Devices: []Device{
			{Type: CHF, ID: id(1), Manufacturer: "WNC", Model: "CH1", Hardware: "1.0", Firmware: "01020304", Serial: fmt.Sprintf("H%05d", n)},
			{Type: ESME, ID: id(2), Manufacturer: "Elster", Model: "AS300P", Hardware: "1.0", Firmware: "02000001", Serial: fmt.Sprintf("E%05d", n), Variant: "A",
				MPxN: MPxN(first12 + string(check)), Supplier: supplierE, NetworkOperator: networkE, Status: Active, PaymentMode: Credit},
			{Type: GSME, ID: id(3), Manufacturer: "Elster", Model: "BK-G4", Hardware: "1.0", Firmware: "03000001", Serial: fmt.Sprintf("G%05d", n),
				MPxN: MPxN(fmt.Sprintf("70000%03d", n)), Supplier: supplierG, NetworkOperator: networkG, Status: Dormant, PaymentMode: Credit},
			{Type: PPMID, ID: id(4), Manufacturer: "Chameleon", Model: "IHD3", Firmware: "04000001"},
		},
	}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	specs, err := DefaultSpecs()
	require.NoError(t, err)
	w := &world{specs: specs, now: time.Date(2019, 7, 14, 18, 0, 0, 0, time.UTC), day: Date{2019, 7, 15}}
	rnd := newRand(1)
	from := w.now.AddDate(-1, 0, 0)
	w.ca, err = pki.NewAuthority(rnd, from)
	require.NoError(t, err)
	w.trust = pki.NewTrust(w.ca.Certificate)
	for i, p := range []struct {
		at   **pki.Party
		role pki.Role
	}{{&w.rp, pki.RP}, {&w.cp, pki.CP}, {&w.s1, pki.S1SP}, {&w.dc, pki.DCO}} {
		*p.at, err = w.ca.Enrol(rnd, p.role, EUI{0x70, 0xB3, 0xD5, 0x1F, 0x30, 0, 0xA0, byte(i + 1)}, from)
		require.NoError(t, err)
		require.NoError(t, w.trust.AddParty(*p.at))
	}
	w.set = FileSetID{GroupID: "AA", RP: w.rp.EUI, Counter: 42}
	homes := []Installation{testHome(1), testHome(2)}
	w.portfolio = NewPortfolio(homes)
	w.facts = &Facts{
		Specs: specs, Coverage: NewCoverage(), Inventory: map[EUI]DeviceStatus{}, Notices: map[EUI]Notice{},
		Exclusions: map[EUI]string{}, Attempts: map[EUI]int{}, SIMs: map[string]SIMFact{}, Baselines: map[EUI]Digest{}, LastCounters: map[CounterKey]uint64{},
	}
	w.facts.EPCL = NewEPCL([]EPCLEntry{{EntryID: "E1", DateAdded: Date{2019, 1, 1}, GroupID: "AA", Combination: homes[0].Combination(), Status: Eligible}})
	var regs []Registration
	a := &Authorisation{Name: Name{Kind: KindMA, S1SP: "CGI", EUI: supplierE, Stamp: w.now.AddDate(0, 0, -7)}}
	for i := range homes {
		h := &homes[i]
		for _, d := range h.Meters() {
			regs = append(regs, Registration{Fuel: d.Fuel(), MPxN: d.MPxN, Supplier: d.Supplier, NetworkOperator: d.NetworkOperator, From: Date{2015, 1, 1}})
		}
		e, _ := h.Device(ESME)
		g, _ := h.Device(GSME)
		a.Rows = append(a.Rows, AuthorisationRow{Line: i + 2, RecordNo: i + 1, Fuel: Electricity, MPxN: e.MPxN, DeviceID: e.ID, CHFDeviceID: h.ID, MeterSerialNumber: e.Serial,
			SupplierUserID: supplierE, PaymentMode: Credit, Earliest: Date{2019, 7, 10}, Latest: Date{2019, 7, 20}, CriticalCert: "1001", NonCriticalCert: "1002"})
		w.facts.Notices[g.ID] = Notice{Meter: g.ID, Supplier: supplierG, Sent: Date{2019, 7, 1}, Planned: w.day}
		w.facts.SIMs[h.SIM.ICCID] = SIMFact{CommsProvider: h.CommsProvider, MSISDN: h.SIM.MSISDN}
		w.facts.Baselines[h.ID] = Digest{byte(i + 1)}
	}
	w.facts.Registrations = NewRegistrations(regs)
	w.facts.Certificates = NewCertificates([]CertificateFact{
		{"1001", supplierE, SupplierRole, "Organisation", Date{2015, 1, 1}, Date{2030, 1, 1}},
		{"1002", supplierE, SupplierRole, "Organisation", Date{2015, 1, 1}, Date{2030, 1, 1}},
		{"1003", supplierG, SupplierRole, "Organisation", Date{2015, 1, 1}, Date{2030, 1, 1}},
		{"2001", networkE, NetworkOperatorRole, "Organisation", Date{2015, 1, 1}, Date{2030, 1, 1}},
		{"2002", networkG, NetworkOperatorRole, "Organisation", Date{2015, 1, 1}, Date{2030, 1, 1}},
		{"3001", supplierE, SupplierRole, "Device", Date{2015, 1, 1}, Date{2030, 1, 1}},
	})
	w.facts.Coverage.Apply(a)
	for i := range homes {
		h := &homes[i]
		w.mcf.Installation = append(w.mcf.Installation, CommonFromPortfolio(h, "E1", w.day, w.facts.Coverage, w.facts.Certificates))
		g := GroupInstallation{InstallationID: h.ID, SIM: GroupSIM(h.SIM), WakeUp: "SMS", ConfigDigest: Digest{byte(i + 1)},
			WAN: GroupWAN{CurrentEndpoint: "127.0.0.1:4059", TargetEndpoint: "127.0.0.2:4059"}, Hub: GroupHub{SerialNumber: "H1", HardwareVersion: "1.0"}}
		e := EncryptedInstallation{InstallationID: h.ID}
		for _, d := range h.Devices[:3] {
			for _, u := range []KeyUsage{KeyTransport, KeyAuthentication, KeyCritical} {
				to := w.s1
				if u.Owner() == pki.DCO {
					to = w.dc
				}
				ref := fmt.Sprintf("%s-%s", d.ID, u)
				public, err := pki.AgreementPublic(to.Agreement)
				require.NoError(t, err)
				k, err := SealKey(rnd, w.set, h.ID, ref, u, to.EUI, public, NewSecret(bytes.Repeat([]byte{byte(i)}, 16)))
				require.NoError(t, err)
				g.KeyRef = append(g.KeyRef, KeyRef{d.ID, u, ref})
				e.EncryptedKey = append(e.EncryptedKey, k)
			}
		}
		w.mgf.Installation = append(w.mgf.Installation, g)
		w.mgef.Installation = append(w.mgef.Installation, e)
	}
	return w
}

func (w *world) header(to ...*pki.Party) Header {
	h := Header{FileSetID: w.set, S1SP: "CGI", MigrationDate: w.day, Created: At(w.now), Counter: w.set.Counter}
	for _, p := range to {
		h.Recipient = append(h.Recipient, Ref(p))
	}
	return h
}

func (w *world) issueMCF(t testing.TB) Artefact {
	t.Helper()
	a, err := Issue(w.header(w.cp), w.mcf, w.rp)
	require.NoError(t, err)
	return a
}

func (w *world) issueMGF(t testing.TB) Artefact {
	t.Helper()
	a, err := Issue(w.header(w.s1), w.mgf, w.rp)
	require.NoError(t, err)
	return a
}

func (w *world) issueMGEF(t testing.TB) Artefact {
	t.Helper()
	a, err := Issue(w.header(w.s1, w.dc), w.mgef, w.rp)
	require.NoError(t, err)
	return a
}

func (w *world) opener() *Opener { return &Opener{Specs: w.specs, Trust: w.trust} }

// everyFile issues a file of every type.
func (w *world) everyFile(t testing.TB) map[Kind]Artefact {
	t.Helper()
	out := map[Kind]Artefact{KindMCF: w.issueMCF(t), KindMGF: w.issueMGF(t), KindMGEF: w.issueMGEF(t)}
	h := w.header(w.rp, w.s1)
	h.InResponseTo = []InResponseTo{out[KindMCF].Cite()}
	a, b := w.mcf.Installation[0].InstallationID, w.mcf.Installation[1].InstallationID
	device := w.mcf.Installation[1].Device[1].DeviceID
	bad := []InstallationError{{Code: "MA110", Detail: "No entry for this <hub> & meter."}, {Code: "XCV12", DeviceID: &device, Detail: "Wrong check digit."}}
	gpf := EUI{1, 2, 3, 4, 5, 6, 7, 8}
	counter := uint64(7)
	when := At(w.now)
	issue := func(k Kind, a Artefact, err error) {
		require.NoError(t, err, k)
		out[k] = a
	}
	x, err := Issue(h, CommonValidationBody{Installation: []CommonValidation{{a, Pass, nil}, {b, Fail, bad}}}, w.cp)
	issue(KindMCVF, x, err)
	x, err = Issue(h, GroupValidationBody{Installation: []GroupValidation{{a, Pass, Pass, nil}, {b, Fail, Fail, bad}}}, w.s1)
	issue(KindMGVF, x, err)
	x, err = Issue(h, ViabilityBody{Installation: []Viability{
		{a, Pass, []DeviceViability{{device, []ViabilityCheck{{"identity", Pass, 1200}, {"clock", Pass, 30}}}}, nil}, {b, Fail, nil, bad}}}, w.s1)
	issue(KindSVF, x, err)
	x, err = Issue(h, CommissioningBody{Installation: []Commissioning{{InstallationID: a, NotionalGPF: &gpf, UTRNCounter: &counter, KeyTakeOverTime: when,
		Device: []TakenOverDevice{{device, ESME, "02000001", "A1B2C3", 2}}}}}, w.s1)
	issue(KindSCF, x, err)
	x, err = Issue(h, OutcomeBody{Installation: []InstallationOutcome{
		{a, Commissioned, &when, []DeviceOutcome{{device, DeviceCommissioned}}, nil}, {b, CommissioningFailed, nil, nil, bad}}}, w.cp)
	issue(KindCOF, x, err)
	return out
}
