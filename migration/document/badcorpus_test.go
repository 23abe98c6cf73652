package document

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"smets1/migration/document/aezip"
	"smets1/migration/document/pki"
	"smets1/migration/document/xmlsig"
)

// The corpus of malformed inputs is testdata/migration/bad: one folder per case with its files, and
// expected.csv, which says what must be reported of each. The cases are defined here as changes to a good
// document; `go test ./migration/document -run Corpus -update` writes the folder anew. The test itself
// reads only what is stored.
const badFolder = "../../testdata/migration/bad"

const corpusReadme = `# Malformed inputs

One folder per case, named document/case. expected.csv says what must be reported of each: the file, the row
(the header is row 1; 0 means the whole file), the column or the XML path, the code, and how many
good rows go on. A row of 0 in GoodRows means that nothing of the file is used.

Written by "go test ./migration/document -run BadCorpus -update"; a 200 MB zip bomb is not
stored but made by its test. All data is invented.
`

var expectedHeader = []string{"Case", "Document", "File", "Row", "Column", "Code", "GoodRows"}

type expectation struct {
	row    int
	column string
	code   string
}

type badCase struct {
	document string // which reader
	name     string
	files    map[string][]byte
	subject  string // file that the problems name
	want     []expectation
	good     int // rows that must survive
}

// grid is a CSV document under change.
type grid [][]string

func parseGrid(t testing.TB, b []byte) grid {
	t.Helper()
	g, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	require.NoError(t, err)
	return g
}

func (g grid) set(t testing.TB, line int, column, value string) grid {
	t.Helper()
	out := make(grid, len(g))
	for i := range g {
		out[i] = slices.Clone(g[i])
	}
	c := slices.Index(g[0], column)
	require.GreaterOrEqual(t, c, 0, column)
	out[line-1][c] = value
	return out
}

func (g grid) get(line int, column string) string { return g[line-1][slices.Index(g[0], column)] }

func (g grid) bytes(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	require.NoError(t, w.WriteAll(g))
	return b.Bytes()
}

const (
	maName  = "MA_cgI_70-B3-D5-1F-30-00-A0-08_20190407_182503.zip"
	mapName = "MAPASSWORD_CGI_70-B3-D5-1F-30-00-A0-08_20190407_182503.csv"
)

var submitter = eui("70-B3-D5-1F-30-00-A0-08")

// goodTables are the documents that the cases change: two homes' worth of each.
func goodTables(t testing.TB, w *world) map[string]grid {
	t.Helper()
	out := map[string]grid{}
	keep := func(document string, write func(*bytes.Buffer) error) {
		var b bytes.Buffer
		require.NoError(t, write(&b), document)
		out[document] = parseGrid(t, b.Bytes())
	}
	var rows []AuthorisationRow
	var regs []Registration
	var fw []FirmwareNotice
	var ms []MigrationNotice
	for i := range w.portfolio.Installations {
		in := &w.portfolio.Installations[i]
		for _, d := range in.Meters() {
			rows = append(rows, AuthorisationRow{RecordNo: len(rows) + 1, Fuel: d.Fuel(), MPxN: d.MPxN, DeviceID: d.ID, CHFDeviceID: in.ID, MeterSerialNumber: d.Serial,
				SupplierUserID: submitter, PaymentMode: Credit, Earliest: Date{2019, 4, 9}, Latest: Date{2019, 5, 1}, CriticalCert: "1001", NonCriticalCert: "1002"})
			regs = append(regs, Registration{Fuel: d.Fuel(), MPxN: d.MPxN, Supplier: d.Supplier, NetworkOperator: d.NetworkOperator, From: Date{2015, 1, 1}, To: Date{2025, 1, 1}})
			fw = append(fw, FirmwareNotice{Fuel: d.Fuel(), MPxN: d.MPxN, DeviceID: d.ID, DeviceType: d.Type, Manufacturer: d.Manufacturer, Model: d.Model,
				CurrentFirmware: "01", TargetFirmware: "02", PlannedStart: Date{2019, 5, 1}, PlannedEnd: Date{2019, 5, 3}, Attempt: 1, ContactEmail: "ops@example.org"})
			ms = append(ms, MigrationNotice{Fuel: d.Fuel(), MPxN: d.MPxN, DeviceID: d.ID, CHFDeviceID: in.ID, Manufacturer: d.Manufacturer, Model: d.Model,
				Firmware: d.Firmware, PaymentMode: Credit, Planned: Date{2019, 6, 1}, Attempt: 1, Status: NoticeNew})
		}
	}
	keep("MA", func(b *bytes.Buffer) error { return WriteAuthorisationCSV(b, w.specs, rows) })
	keep("REGISTRATIONS", func(b *bytes.Buffer) error { return WriteRegistrations(b, w.specs, regs) })
	keep("DMFW", func(b *bytes.Buffer) error { return WriteFirmwareNotices(b, w.specs, fw) })
	keep("DMMS", func(b *bytes.Buffer) error { return WriteMigrationNotices(b, w.specs, ms) })
	keep("PORTFOLIO", func(b *bytes.Buffer) error { return WritePortfolio(b, w.specs, w.portfolio) })
	combo := w.portfolio.Installations[0].Combination()
	second := combo
	second.GSME, second.Display = Model{}, Model{}
	keep("EPCL", func(b *bytes.Buffer) error {
		return WriteEPCL(b, w.specs, NewEPCL([]EPCLEntry{{"E1", Date{2019, 1, 1}, "AA", combo, Eligible}, {"E2", Date{2019, 1, 1}, "AA", second, Eligible}}))
	})
	keep("CERTIFICATES", func(b *bytes.Buffer) error {
		return WriteCertificates(b, w.specs, []CertificateFact{
			{"1001", supplierE, SupplierRole, "Organisation", Date{2015, 1, 1}, Date{2030, 1, 1}}, {"1002", supplierE, SupplierRole, "Organisation", Date{2015, 1, 1}, Date{2030, 1, 1}}})
	})
	keep("MAR", func(b *bytes.Buffer) error {
		return WriteResponse(b, w.specs, []ResponseRow{{1, rows[0].DeviceID, Accepted, "", "", Date{2019, 4, 10}}, {2, EUI{}, Rejected, "XMA05", "Bad cell.", Date{}}})
	})
	keep("DC", func(b *bytes.Buffer) error { return WriteDemand(b, w.specs, someDemand()) })
	keep("DR", func(b *bytes.Buffer) error { return WriteDemandResponse(b, w.specs, someResponse()) })
	keep("CAPACITY", func(b *bytes.Buffer) error {
		return WriteCapacity(b, w.specs, []Constraint{{Kind: LimitDCC, From: monday, To: monday.AddDays(90), Days: EveryDay, Limit: 3000, PerInstallation: 1},
			{Kind: LimitSMS, S1SP: "SECURE", From: monday, Days: WorkingDay, Limit: 900, PerInstallation: 2}})
	})
	keep("SCHEDULE", func(b *bytes.Buffer) error {
		return WriteSchedule(b, w.specs, []Placement{
			{Installation: w.portfolio.Installations[0].ID, GroupID: "AA", S1SP: "CGI", Status: Active, Day: Date{2019, 7, 15}, Attempt: 1},
			{Installation: w.portfolio.Installations[1].ID, GroupID: "AA", S1SP: "CGI", Status: Dormant, Day: Date{2019, 7, 29}, Firmware: Date{2019, 7, 22}, Attempt: 2}})
	})
	keep("RELEASES", func(b *bytes.Buffer) error {
		b.WriteString("DeviceType,Manufacturer,Model,Firmware,SHA256\n" +
			"ESME,Elster,AS300P,20.11," + strings.Repeat("ab", 32) + "\nGSME,Elster,BK-G4,11.05," + strings.Repeat("cd", 32) + "\n")
		return nil
	})
	return out
}

// tableNames are the file names that the table documents are stored under.
var tableNames = map[string]string{
	"MA": strings.TrimSuffix(maName, ".zip") + ".csv", "EPCL": "epcl.csv", "PORTFOLIO": "portfolio.csv", "REGISTRATIONS": "registrations.csv",
	"CERTIFICATES": "certificates.csv", "MAR": "MAR_CGI_70-B3-D5-1F-30-00-A0-08_20190407_182503.csv",
	"DC": "DC_AAA123_70-B3-D5-1F-30-00-A0-08_CGI_20190121.csv", "DR": "DR_AAA123_70-B3-D5-1F-30-00-A0-08_CGI_20190121.csv",
	"CAPACITY": "capacity.csv", "SCHEDULE": "schedule.csv", "RELEASES": "releases.csv",
	"DMFW": "DMFW_CGI_70-B3-D5-1F-30-00-A0-08_20190407_182503.csv", "DMMS": "DMMS_CGI_70-B3-D5-1F-30-00-A0-08_20190407_182503.csv",
}

// readBad reads a stored case with the reader of its document and counts what survives.
func readBad(t testing.TB, w *world, document string, files map[string][]byte) (Problems, int) {
	t.Helper()
	only := func() (string, []byte) {
		for n, b := range files {
			return n, b
		}
		return "", nil
	}
	ar := &AuthorisationReader{Specs: w.specs}
	rows := func(a *Authorisation) int {
		if a == nil {
			return 0
		}
		return len(a.Rows)
	}
	switch document {
	case "MA":
		name, b := only()
		n, err := ParseName(name)
		require.NoError(t, err)
		a, ps := ar.ReadPlain(n, b)
		// The same rows in a container must give the same verdict.
		n.Ext = "zip"
		z, pw, err := SealAuthorisation(w.specs, n.With(KindMA, "zip"), b, nil, w.now, newRand(3))
		require.NoError(t, err)
		a2, ps2 := ar.Read(BytesSource(n.With(KindMA, "zip").String(), z), BytesSource(n.With(KindMAPassword, "csv").String(), pw))
		require.Equal(t, rows(a), rows(a2))
		require.Equal(t, ps.Codes(), ps2.Codes())
		return ps, rows(a)
	case "MA-CONTAINER":
		var ma, pw Source
		for n, b := range files {
			if strings.HasPrefix(n, "MAPASSWORD") || strings.HasPrefix(n, "pw") {
				pw = BytesSource(n, b)
			} else {
				ma = BytesSource(n, b)
			}
		}
		a, ps := ar.Read(ma, pw)
		return ps, rows(a)
	case "MA-FORM":
		name, b := only()
		n, err := ParseName(name)
		require.NoError(t, err)
		a, ps := ar.ReadPlain(n, b)
		return ps, rows(a)
	case "MAPASSWORD":
		name, b := only()
		p, ps := SealedPassword{Recipient: w.rp.EUI, Key: w.rp.AgreementKey()}.DecodePassword(w.specs, name, b)
		return fileWide(ps), len(p.Filename)
	case "DC", "DC-TEMPLATE":
		name, b := only()
		d, ps := ReadDemand(w.specs, Period{}, name, bytes.NewReader(b))
		if d == nil {
			return ps, 0
		}
		return ps, len(d.Rows)
	case "DR":
		name, b := only()
		d, ps := ReadDemandResponse(w.specs, Period{}, name, bytes.NewReader(b))
		if d == nil {
			return ps, 0
		}
		return ps, len(d.Rows)
	case "CAPACITY":
		name, b := only()
		r, ps := ReadCapacity(w.specs, name, bytes.NewReader(b))
		return ps, len(r)
	case "SCHEDULE":
		name, b := only()
		r, ps := ReadSchedule(w.specs, name, bytes.NewReader(b))
		return ps, len(r)
	case "RELEASES":
		name, b := only()
		r, ps := ReadReleases(w.specs, name, bytes.NewReader(b))
		if r == nil {
			return ps, 0
		}
		return ps, len(r.byModel)
	case "EPCL":
		name, b := only()
		l, ps := ReadEPCL(w.specs, name, bytes.NewReader(b))
		if l == nil {
			return ps, 0
		}
		return ps, len(l.Entries)
	case "PORTFOLIO":
		name, b := only()
		p, ps := ReadPortfolio(w.specs, name, bytes.NewReader(b))
		if p == nil {
			return ps, 0
		}
		return ps, len(p.Installations)
	case "REGISTRATIONS":
		name, b := only()
		r, ps := ReadRegistrations(w.specs, name, bytes.NewReader(b))
		if r == nil {
			return ps, 0
		}
		return ps, len(r.byPoint)
	case "CERTIFICATES":
		name, b := only()
		c, ps := ReadCertificates(w.specs, name, bytes.NewReader(b))
		if c == nil {
			return ps, 0
		}
		return ps, len(c.bySerial)
	case "MAR":
		name, b := only()
		r, ps := ReadResponse(w.specs, name, bytes.NewReader(b))
		return ps, len(r)
	case "DMFW":
		name, b := only()
		r, ps := ReadFirmwareNotices(w.specs, name, bytes.NewReader(b))
		return ps, len(r)
	case "DMMS":
		name, b := only()
		r, ps := ReadMigrationNotices(w.specs, name, bytes.NewReader(b))
		return ps, len(r)
	}
	name, b := only()
	a := NewArtefact(name, b)
	o := w.opener()
	opens := map[string]func() (Problems, []EUI){
		"MCF": func() (Problems, []EUI) { return openIDs[CommonBody](o, a, w.now) }, "MGF": func() (Problems, []EUI) { return openIDs[GroupBody](o, a, w.now) },
		"MGEF": func() (Problems, []EUI) { return openIDs[EncryptedBody](o, a, w.now) }, "MCVF": func() (Problems, []EUI) { return openIDs[CommonValidationBody](o, a, w.now) },
		"MGVF": func() (Problems, []EUI) { return openIDs[GroupValidationBody](o, a, w.now) }, "SVF": func() (Problems, []EUI) { return openIDs[ViabilityBody](o, a, w.now) },
		"SCF": func() (Problems, []EUI) { return openIDs[CommissioningBody](o, a, w.now) }, "COF": func() (Problems, []EUI) { return openIDs[OutcomeBody](o, a, w.now) },
	}
	require.Contains(t, opens, document)
	ps, ids := opens[document]()
	return ps, len(ids)
}

func openIDs[B Body](o *Opener, a Artefact, now time.Time) (Problems, []EUI) {
	f, ps := Open[B](o, a, now)
	if f == nil {
		return ps, nil
	}
	return ps, f.Installations()
}

// tableCases are the faults of the CSV documents.
func tableCases(t testing.TB, w *world) []badCase {
	good := goodTables(t, w)
	var out []badCase
	total := map[string]int{}
	for d, g := range good {
		total[d] = len(g) - 1
	}
	raw := func(document, name string, b []byte, good int, want ...expectation) {
		out = append(out, badCase{document, name, map[string][]byte{tableNames[document]: b}, tableNames[document], want, good})
	}
	cell := func(document, name string, line int, column, value, code string) {
		raw(document, name, good[document].set(t, line, column, value).bytes(t), total[document]-1, expectation{line, column, code})
	}
	// What every table must refuse.
	for document, codes := range map[string][2]string{
		"MA": {"XMA04", "XMA02"}, "EPCL": {"XDF01", "XDF02"}, "PORTFOLIO": {"XDF01", "XDF02"}, "REGISTRATIONS": {"XDF01", "XDF02"},
		"CERTIFICATES": {"XDF01", "XDF02"}, "MAR": {"XDF01", "XDF02"}, "DMFW": {"XDF01", "XDF02"}, "DMMS": {"XDF01", "XDF02"},
		"DC": {"XDM03", "XDM02"}, "DR": {"XDM03", "XDM02"}, "CAPACITY": {"XDF01", "XDF02"}, "SCHEDULE": {"XDF01", "XDF02"}, "RELEASES": {"XDF01", "XDF02"},
	} {
		g := good[document]
		row := map[string]string{"MA": "XMA05", "DC": "XDM04", "DR": "XDM04"}[document]
		if row == "" {
			row = "XDF03"
		}
		swapped := g.set(t, 1, g[0][0], "X")
		raw(document, "header-renamed", swapped.bytes(t), 0, expectation{0, "", codes[0]})
		short := slices.Clone(g)
		short[0] = g[0][:len(g[0])-1]
		raw(document, "header-short", grid(short).bytes(t), 0, expectation{0, "", codes[0]})
		raw(document, "empty", nil, 0, expectation{0, "", codes[0]})
		raw(document, "quote-never-closed", append(slices.Clone(g.bytes(t)), "\"x\ny\nz"...), 0, expectation{0, "", codes[1]})
		ragged := slices.Clone(g)
		ragged[1] = append(slices.Clone(g[1]), "more")
		raw(document, "row-too-long", grid(ragged).bytes(t), total[document]-1, expectation{2, "", row})
		last := g[0][len(g[0])-1]
		cell(document, "formula", 2, last, "=cmd|'/c calc'!A1", row)
		raw(document, "not-utf8", g.set(t, 2, last, "\xff\xfe").bytes(t), total[document]-1, expectation{2, last, row})
	}

	cell("MA", "formula-serial", 3, "MeterSerialNumber", "@SUM(A1)", "XMA05")
	cell("MA", "formula-plus", 3, "MeterSerialNumber", "+44", "XMA05")
	cell("MA", "formula-minus", 3, "MeterSerialNumber", "-2+3", "XMA05")
	mpan := good["MA"].get(2, "MPxN")
	cell("MA", "check-digit", 2, "MPxN", mpan[:12]+string('9'-mpan[12]+'0'), "XMA05")
	cell("MA", "mpan-short", 2, "MPxN", "200000000001", "XMA05")
	cell("MA", "mprn-long", 3, "MPxN", "70000001234", "XMA05")
	cell("MA", "mprn-letters", 3, "MPxN", "70000O1", "XMA05")
	cell("MA", "fuel", 2, "Fuel", "Electricity", "XMA05")
	cell("MA", "record-number", 3, "RecordNo", "7", "XMA05")
	cell("MA", "device-eui", 2, "DeviceID", "00DB120200000001", "XMA05")
	cell("MA", "serial-long", 2, "MeterSerialNumber", "123456789012345678901", "XMA05")
	cell("MA", "serial-empty", 2, "MeterSerialNumber", "", "XMA05")
	cell("MA", "serial-spaces", 2, "MeterSerialNumber", " E1", "XMA05")
	cell("MA", "serial-linebreak", 2, "MeterSerialNumber", "E\n1", "XMA05")
	cell("MA", "payment-mode", 2, "PaymentMode", "credit", "XMA05")
	cell("MA", "date-form", 2, "EarliestMigrationDate", "09/04/2019", "XMA05")
	cell("MA", "date-impossible", 2, "LatestMigrationDate", "2019-02-30", "XMA05")
	cell("MA", "certificate", 2, "NotifiedCriticalSupplierCertID", "0x10", "XMA05")
	cell("MA", "electricity-only", 2, "ElectricityOnlyPermitted", "Yes", "XMA05")
	cell("MA", "withdraw", 2, "Withdraw", "maybe", "XMA05")
	cell("MA", "hub-is-meter", 2, "CHFDeviceID", good["MA"].get(2, "DeviceID"), "XMA05")
	cell("MA", "window-backwards", 2, "LatestMigrationDate", "2019-04-08", "XMA08")
	cell("MA", "window-too-long", 2, "LatestMigrationDate", "2019-05-08", "XMA08")
	cell("MA", "window-too-early", 2, "EarliestMigrationDate", "2019-04-07", "XMA08")
	ma := good["MA"]
	raw("MA", "duplicate-meter", ma.set(t, 4, "DeviceID", ma.get(2, "DeviceID")).bytes(t), 2, expectation{4, "DeviceID", "XMA06"}, expectation{2, "DeviceID", "XMA06"})
	raw("MA", "duplicate-meter-point", ma.set(t, 4, "MPxN", ma.get(2, "MPxN")).bytes(t), 2, expectation{4, "MPxN", "XMA06"}, expectation{2, "DeviceID", "XMA06"})
	raw("MA", "many-faults", ma.set(t, 2, "Fuel", "X").set(t, 3, "MPxN", "1").set(t, 3, "PaymentMode", "Cash").bytes(t), 2,
		expectation{2, "Fuel", "XMA05"}, expectation{3, "MPxN", "XMA05"}, expectation{3, "PaymentMode", "XMA05"})
	raw("MA", "quote-inside", bytes.Replace(ma.bytes(t), []byte(",E00001,"), []byte(",E\"00001,"), 1), 3, expectation{2, "", "XMA05"})
	raw("MA", "binary", []byte("PK\x03\x04\x00\x00\x00\x00"), 0, expectation{0, "", "XMA04"})

	cell("EPCL", "status", 2, "Status", "eligible", "XDF03")
	cell("EPCL", "group", 2, "GroupID", "A1", "XDF03")
	cell("EPCL", "model-long", 2, "CHFModel", strings.Repeat("x", 31), "XDF03")
	cell("EPCL", "gas-incomplete", 2, "GSMEFirmware", "", "XDF05")
	raw("EPCL", "entry-twice", good["EPCL"].set(t, 3, "EntryID", "E1").bytes(t), 1, expectation{3, "EntryID", "XDF04"})
	twice := good["EPCL"].set(t, 3, "EntryID", "E3")
	for _, c := range twice[0][1:16] {
		twice = twice.set(t, 3, c, good["EPCL"].get(2, c))
	}
	raw("EPCL", "combination-twice", twice.bytes(t), 1, expectation{3, "CHFModel", "XDF04"})

	cell("PORTFOLIO", "no-meter-point", 2, "MPAN", "", "XDF05")
	cell("PORTFOLIO", "check-digit", 2, "MPAN", mpan[:12]+string('9'-mpan[12]+'0'), "XDF03")
	cell("PORTFOLIO", "attempts", 2, "Attempts", "minus one", "XDF03")
	cell("PORTFOLIO", "iccid", 2, "ICCID", "8.9441E+18", "XDF03")
	cell("PORTFOLIO", "display-without-type", 2, "DisplayType", "", "XDF05")
	cell("PORTFOLIO", "hub-missing", 2, "CHFDeviceID", "", "XDF03")
	p := good["PORTFOLIO"]
	raw("PORTFOLIO", "device-twice", p.set(t, 3, "ESMEDeviceID", p.get(2, "ESMEDeviceID")).bytes(t), 1, expectation{3, "ESMEDeviceID", "XDF04"})
	raw("PORTFOLIO", "device-twice-in-home", p.set(t, 3, "GSMEDeviceID", p.get(3, "ESMEDeviceID")).bytes(t), 1, expectation{3, "GSMEDeviceID", "XDF04"})
	raw("PORTFOLIO", "meter-point-twice", p.set(t, 3, "MPRN", p.get(2, "MPRN")).bytes(t), 1, expectation{3, "MPRN", "XDF04"})
	raw("PORTFOLIO", "home-twice", p.set(t, 3, "InstallationID", p.get(2, "InstallationID")).bytes(t), 1, expectation{3, "InstallationID", "XDF04"})
	noMeter := p
	for _, c := range p[0] {
		if strings.HasPrefix(c, "ESME") || strings.HasPrefix(c, "GSME") || c == "MPAN" || c == "MPRN" || c == "ExportMPAN" {
			noMeter = noMeter.set(t, 2, c, "")
		}
	}
	raw("PORTFOLIO", "no-meter", noMeter.bytes(t), 1, expectation{2, "ESMEDeviceID", "XDF05"})

	cell("REGISTRATIONS", "backwards", 2, "ValidTo", "2014-01-01", "XDF05")
	cell("REGISTRATIONS", "supplier", 2, "SupplierID", "BGAS", "XDF03")
	r := good["REGISTRATIONS"]
	raw("REGISTRATIONS", "overlap", r.set(t, 4, "MPxN", r.get(2, "MPxN")).bytes(t), 3, expectation{4, "ValidFrom", "XDF04"})
	cell("CERTIFICATES", "serial-zero", 2, "Serial", "01001", "XDF03")
	cell("CERTIFICATES", "role", 2, "Role", "Shipper", "XDF03")
	cell("CERTIFICATES", "backwards", 2, "ValidTo", "2014-01-01", "XDF05")
	raw("CERTIFICATES", "twice", good["CERTIFICATES"].set(t, 3, "Serial", "1001").bytes(t), 1, expectation{3, "Serial", "XDF04"})
	cell("MAR", "accepted-with-code", 2, "Code", "XMA05", "XDF05")
	cell("MAR", "rejected-without-code", 3, "Code", "", "XDF05")
	cell("MAR", "outcome", 2, "Outcome", "OK", "XDF03")
	cell("DMFW", "email", 2, "ContactEmail", "nobody", "XDF03")
	cell("DMFW", "backwards", 2, "PlannedEndDate", "2019-04-30", "XDF05")
	cell("DMFW", "same-firmware", 2, "TargetFirmware", "01", "XDF05")
	cell("DMFW", "device-type", 2, "DeviceType", "PPMID", "XDF03")
	cell("DMFW", "attempt", 2, "Attempt", "0", "XDF03")
	d := good["DMFW"]
	raw("DMFW", "twice", d.set(t, 3, "DeviceID", d.get(2, "DeviceID")).bytes(t), 3, expectation{3, "DeviceID", "XDF04"})
	out = append(out, badCase{"DMFW", "name", map[string][]byte{"notice.csv": d.bytes(t)}, "notice.csv", []expectation{{0, "", "XDF06"}}, 0})
	cell("DMMS", "status", 2, "Status", "Moved", "XDF03")
	cell("DMMS", "date", 2, "PlannedMigrationDate", "1 June 2019", "XDF03")
	d = good["DMMS"]
	raw("DMMS", "twice", d.set(t, 3, "DeviceID", d.get(2, "DeviceID")).bytes(t), 3, expectation{3, "DeviceID", "XDF04"})
	for _, d := range []string{"DC", "DR"} {
		g := good[d]
		cell(d, "date-form", 4, "Date", "21/01/2019", "XDM04")
		cell(d, "other-day", 4, "Date", "2019-01-24", "XDM05")
		cell(d, "day-of-week", 3, "DayOfWeek", "Monday", "XDM05")
		cell(d, "day-of-week-spelling", 3, "DayOfWeek", "Tue", "XDM04")
		cell(d, "s1sp", 2, "S1SP", "SECURE", "XDM05")
		cell(d, "supplier", 2, "SupplierUserID", "70-B3-D5-1F-30-00-A0-09", "XDM05")
		cell(d, "record-number", 5, "RecordNo", "9", "XDM04")
		cell(d, "negative", 2, "CommittedActive", "-5", "XDM04")
		cell(d, "fraction", 2, "CommittedActive", "10.5", "XDM04")
		cell(d, "too-many", 2, "CommittedActive", "100001", "XDM04")
		cell(d, "exponent", 2, "CommittedActive", "1E3", "XDM04")
		cell(d, "no-number", 2, "CommittedActive", "", "XDM04")
		raw(d, "days-missing", g[:28].bytes(t), 0, expectation{0, "", "XDM06"})
		extra := append(slices.Clone(g), slices.Clone(g[28]))
		extra[29][0] = "29"
		raw(d, "day-too-many", extra.bytes(t), 28, expectation{30, "RecordNo", "XDM05"})
		tuesday := strings.Replace(tableNames[d], "0121", "0122", 1)
		out = append(out, badCase{d, "not-a-monday", map[string][]byte{tuesday: g.bytes(t)}, tuesday, []expectation{{0, "", "XDM06"}}, 0})
		wrong := strings.Replace(tableNames[d], d+"_", "DX_", 1)
		out = append(out, badCase{d, "name", map[string][]byte{wrong: g.bytes(t)}, wrong, []expectation{{0, "", "XDM01"}}, 0})
	}
	cell("DC", "more-prepay-than-all", 2, "CommittedPrepay", "101", "XDM05")
	raw("DR", "parts-do-not-add-up", good["DR"].set(t, 2, "FlatPart", "90").bytes(t), total["DR"]-1, expectation{2, "AllocatedActive", "XDM05"})
	raw("DR", "more-than-committed", good["DR"].set(t, 2, "CommittedActive", "100").bytes(t), total["DR"]-1, expectation{2, "AllocatedActive", "XDM05"})
	raw("DR", "more-than-capacity", good["DR"].set(t, 2, "CapacityOfDay", "149").bytes(t), total["DR"]-1, expectation{2, "AllocatedActive", "XDM05"})
	cell("DR", "reason", 2, "Reason", "Because", "XDM04")
	cell("CAPACITY", "constraint", 2, "Constraint", "Weather", "XDF03")
	cell("CAPACITY", "backwards", 2, "ValidTo", "2018-01-01", "XDF05")
	cell("CAPACITY", "days", 2, "Days", "Sundays", "XDF03")
	cell("CAPACITY", "limit", 2, "Limit", "many", "XDF03")
	cell("CAPACITY", "no-use-of-limit", 2, "PerInstallation", "0", "XDF03")
	raw("CAPACITY", "share-without-s1sp", good["CAPACITY"].set(t, 2, "Constraint", "DormantShare").bytes(t), total["CAPACITY"]-1, expectation{2, "S1SP", "XDF05"})
	sch := good["SCHEDULE"]
	raw("SCHEDULE", "twice", sch.set(t, 3, "InstallationID", sch.get(2, "InstallationID")).bytes(t), 1, expectation{3, "InstallationID", "XDF04"})
	raw("SCHEDULE", "no-day-no-code", good["SCHEDULE"].set(t, 2, "PlannedDate", "").bytes(t), total["SCHEDULE"]-1, expectation{2, "Code", "XDF05"})
	cell("SCHEDULE", "day-and-code", 2, "Code", "XPL01", "XDF05")
	cell("SCHEDULE", "upgrade-too-late", 3, "FirmwareDate", "2019-07-29", "XDF05")
	cell("SCHEDULE", "status", 2, "Status", "Asleep", "XDF03")
	cell("RELEASES", "digest", 2, "SHA256", "abc", "XDF03")
	cell("RELEASES", "type", 2, "DeviceType", "CAR", "XDF03")
	out = append(out, badCase{"DMMS", "name", map[string][]byte{tableNames["DMFW"]: d.bytes(t)}, tableNames["DMFW"], []expectation{{0, "", "XDF06"}}, 0})
	return out
}

// containerCases are the faults of the authorisation's container and of its password file.
func containerCases(t testing.TB, w *world) []badCase {
	plain := goodTables(t, w)["MA"].bytes(t)
	n, err := ParseName(maName)
	require.NoError(t, err)
	z, pw, err := SealAuthorisation(w.specs, n, plain, nil, w.now, newRand(2))
	require.NoError(t, err)
	password := parseGrid(t, pw).get(2, "Password")
	entry := n.With(KindMA, "csv").String()
	passwordFor := func(z []byte, secret string) []byte {
		b, err := PlainPassword{}.EncodePassword(w.specs, PasswordFile{Filename: maName, SHA256: sha256.Sum256(z), Password: NewSecret([]byte(secret))})
		require.NoError(t, err)
		return b
	}
	sealed := func(name string, content []byte) []byte {
		var b bytes.Buffer
		require.NoError(t, aezip.Write(&b, name, content, []byte(password), w.now, newRand(4)))
		return b.Bytes()
	}
	var out []badCase
	add := func(name, maFile string, ma []byte, pwFile string, pw []byte, subject string, want expectation) {
		out = append(out, badCase{"MA-CONTAINER", name, map[string][]byte{maFile: ma, pwFile: pw}, subject, []expectation{want}, 0})
	}
	file := func(name string, z []byte, code string) {
		add(name, maName, z, mapName, passwordFor(z, password), maName, expectation{0, "", code})
	}
	add("name", "MA_CGI_2019.zip", z, mapName, pw, "MA_CGI_2019.zip", expectation{0, "", "XMA01"})
	add("name-extension", strings.Replace(maName, ".zip", ".7z", 1), z, mapName, pw, strings.Replace(maName, ".zip", ".7z", 1), expectation{0, "", "XMA01"})
	add("name-impossible-time", strings.Replace(maName, "_182503", "_256161", 1), z, mapName, pw, strings.Replace(maName, "_182503", "_256161", 1), expectation{0, "", "XMA01"})
	add("password-name", maName, z, "pw.csv", pw, "pw.csv", expectation{0, "", "XMA01"})
	add("unpaired-time", maName, z, strings.Replace(mapName, "182503", "182504", 1), pw, maName, expectation{0, "", "XMA03"})
	add("unpaired-party", maName, z, strings.Replace(mapName, "A0-08", "A0-09", 1), pw, maName, expectation{0, "", "XMA03"})
	add("wrong-password", maName, z, mapName, passwordFor(z, "abcdefghijklmnopqrstuvwx"), maName, expectation{0, "", "XMA03"})
	add("password-of-another-file", maName, z, mapName, passwordFor([]byte("x"), password), maName, expectation{0, "", "XMA03"})
	add("password-empty", maName, z, mapName, nil, mapName, expectation{0, "", "XMA03"})
	add("password-two-records", maName, z, mapName, append(slices.Clone(pw), pw[bytes.IndexByte(pw, '\n')+1:]...), mapName, expectation{0, "", "XMA03"})
	add("password-header", maName, z, mapName, bytes.Replace(pw, []byte("SHA256"), []byte("MD5"), 1), mapName, expectation{0, "", "XMA03"})
	add("password-digest-short", maName, z, mapName, parseGrid(t, pw).set(t, 2, "SHA256", "AB12").bytes(t), mapName, expectation{2, "SHA256", "XMA03"})
	add("password-no-record", maName, z, mapName, pw[:bytes.IndexByte(pw, '\n')+1], mapName, expectation{0, "", "XMA03"})
	file("truncated", z[:len(z)-30], "XMA02")
	file("truncated-data", slices.Concat(z[:200], z[260:]), "XMA02")
	changed := slices.Clone(z)
	changed[120] ^= 0x40
	file("changed", changed, "XMA02")
	file("not-a-zip", plain, "XMA02")
	file("empty", nil, "XMA02")
	file("wrong-entry", sealed("other.csv", plain), "XMA02")
	file("entry-of-another-file", sealed(strings.Replace(entry, "182503", "182504", 1), plain), "XMA02")
	file("csv-header-inside", sealed(entry, []byte("a,b\n1,2\n")), "XMA04")
	out[len(out)-1].subject = maName

	var b bytes.Buffer
	zw := zip.NewWriter(&b)
	ew, err := zw.Create(entry)
	require.NoError(t, err)
	_, err = ew.Write(plain)
	require.NoError(t, err)
	require.NoError(t, zw.Close())
	file("not-encrypted", b.Bytes(), "XMA02")

	two := twoEntries(t, z, entry)
	file("two-entries", two, "XMA02")
	aes128 := bytes.Replace(z, []byte{'A', 'E', 3}, []byte{'A', 'E', 1}, -1)
	file("aes-128", aes128, "XMA02")
	ae1 := bytes.Replace(z, []byte{2, 0, 'A', 'E', 3}, []byte{1, 0, 'A', 'E', 3}, -1)
	file("ae-1", ae1, "XMA02")
	return out
}

// twoEntries makes an archive with the encrypted entry of another twice.
func twoEntries(t testing.TB, z []byte, name string) []byte {
	t.Helper()
	zr, err := zip.NewReader(bytes.NewReader(z), int64(len(z)))
	require.NoError(t, err)
	f := zr.File[0]
	start, err := f.DataOffset()
	require.NoError(t, err)
	data := z[start : start+int64(f.CompressedSize64)]
	var b bytes.Buffer
	zw := zip.NewWriter(&b)
	for i := range 2 {
		h := f.FileHeader
		h.Name = strconv.Itoa(i) + name
		w, err := zw.CreateRaw(&h)
		require.NoError(t, err)
		_, err = w.Write(data)
		require.NoError(t, err)
	}
	require.NoError(t, zw.Close())
	return b.Bytes()
}

// passwordCases are the faults of a password file that is encrypted to its recipient.
func passwordCases(t testing.TB, w *world) []badCase {
	name, err := ParseName(maName)
	require.NoError(t, err)
	_, good, err := SealAuthorisation(w.specs, name, goodTables(t, w)["MA"].bytes(t), SealedPassword{Recipient: w.rp.EUI, To: w.rp.AgreementKey().PublicKey(), Random: newRand(9)}, w.now, newRand(6))
	require.NoError(t, err)
	g := parseGrid(t, good)
	var out []badCase
	add := func(what string, b []byte, want expectation) {
		out = append(out, badCase{"MAPASSWORD", what, map[string][]byte{mapName: b}, mapName, []expectation{want}, 0})
	}
	plain, err := PlainPassword{}.EncodePassword(w.specs, PasswordFile{Filename: maName, Password: NewSecret([]byte("abcdefghijklmnopqrstuvwx"))})
	require.NoError(t, err)
	flip := func(column string) []byte {
		v := []byte(g.get(2, column))
		if v[len(v)-1] == '0' {
			v[len(v)-1] = '1'
		} else {
			v[len(v)-1] = '0'
		}
		return g.set(t, 2, column, string(v)).bytes(t)
	}
	add("plain", plain, expectation{0, "", "XMA03"})
	add("empty", nil, expectation{0, "", "XMA03"})
	add("no-record", g[:1].bytes(t), expectation{0, "", "XMA03"})
	add("other-recipient", g.set(t, 2, "RecipientEUI", "70-B3-D5-1F-30-00-A0-09").bytes(t), expectation{2, "RecipientEUI", "XMA03"})
	add("other-authorisation", g.set(t, 2, "Filename", strings.Replace(maName, "182503", "182504", 1)).bytes(t), expectation{2, "Ciphertext", "XMA03"})
	add("other-digest", g.set(t, 2, "SHA256", strings.Repeat("AB", 32)).bytes(t), expectation{2, "Ciphertext", "XMA03"})
	add("changed", flip("Ciphertext"), expectation{2, "Ciphertext", "XMA03"})
	add("tag-changed", flip("Tag"), expectation{2, "Ciphertext", "XMA03"})
	add("nonce-short", g.set(t, 2, "Nonce", "AB").bytes(t), expectation{2, "Nonce", "XMA03"})
	add("not-a-point", g.set(t, 2, "EphemeralPublicKey", "04"+strings.Repeat("00", 64)).bytes(t), expectation{2, "Ciphertext", "XMA03"})
	add("ciphertext-odd", g.set(t, 2, "Ciphertext", "ABC").bytes(t), expectation{2, "Ciphertext", "XMA03"})
	return out
}

// formCases are the faults of workbooks: the demand template and the Excel form of the authorisation. They are named by the row of
// the sheet and the heading of its column.
func formCases(t testing.TB, w *world) []badCase {
	var out []badCase
	dc := someDemand().Name.With(KindDC, "xlsx").String()
	ma := strings.TrimSuffix(maName, ".zip") + ".xlsx"
	rows, ps := (&AuthorisationReader{Specs: w.specs}).ReadPlain(Name{Kind: KindMA, Stamp: Date{2019, 4, 7}.Time()}, goodTables(t, w)["MA"].bytes(t))
	require.Empty(t, ps)
	write := map[string]func(*bytes.Buffer) error{
		"DC-TEMPLATE": func(b *bytes.Buffer) error { return WriteDemandTemplate(b, w.specs, someDemand()) },
		"MA-FORM":     func(b *bytes.Buffer) error { return WriteAuthorisationForm(b, w.specs, rows.Name, rows.Rows, 3) },
	}
	file := map[string]string{"DC-TEMPLATE": dc, "MA-FORM": ma}
	change := func(document, what string, good int, do func(*excelize.File) error, want ...expectation) {
		var b bytes.Buffer
		require.NoError(t, write[document](&b))
		x, err := excelize.OpenReader(&b)
		require.NoError(t, err)
		require.NoError(t, do(x), what)
		b.Reset()
		require.NoError(t, x.Write(&b))
		require.NoError(t, x.Close())
		out = append(out, badCase{document, what, map[string][]byte{file[document]: b.Bytes()}, file[document], want, good})
	}
	set := func(sheet, cell string, v any) func(*excelize.File) error {
		return func(x *excelize.File) error { return x.SetCellValue(sheet, cell, v) }
	}
	demand := func(what, cell string, v any, good int, want ...expectation) {
		change("DC-TEMPLATE", what, good, set("Demand", cell, v), want...)
	}
	demand("text-for-a-number", "F6", "ten", 27, expectation{6, "CommittedActive", "XDM04"})
	demand("fraction", "F6", 10.5, 27, expectation{6, "CommittedActive", "XDM04"})
	demand("negative", "F7", -3, 27, expectation{7, "CommittedActive", "XDM04"})
	demand("prepay-above-all", "G6", 1000, 27, expectation{6, "CommittedPrepay", "XDM05"})
	demand("figure-missing", "F9", nil, 27, expectation{9, "CommittedActive", "XDM04"})
	demand("locked-date-changed", "D6", "2019-01-28", 27, expectation{6, "Date", "XDM05"})
	demand("heading-changed", "F5", "Homes", 0, expectation{0, "", "XDM03"})
	demand("line-break", "H6", "one\ntwo", 27, expectation{6, "Comment", "XDM04"})
	demand("beside-the-table", "J8", "see here", 0, expectation{0, "", "XDM08"})
	demand("below-the-total", "A36", "my notes", 0, expectation{0, "", "XDM08"})
	demand("total-is-a-number", "F34", 3178, 0, expectation{0, "CommittedActive", "XDM08"})
	change("DC-TEMPLATE", "formula-in-a-cell", 0, func(x *excelize.File) error { return x.SetCellFormula("Demand", "F6", "1+1") }, expectation{0, "CommittedActive", "XDM08"})
	change("DC-TEMPLATE", "total-sums-less", 0, func(x *excelize.File) error { return x.SetCellFormula("Demand", "F34", "SUM(F6:F32)") }, expectation{0, "CommittedActive", "XDM08"})
	change("DC-TEMPLATE", "total-removed", 0, func(x *excelize.File) error { return x.RemoveRow("Demand", 34) }, expectation{0, "", "XDM08"})
	change("DC-TEMPLATE", "sheet-renamed", 0, func(x *excelize.File) error { return x.SetSheetName("Demand", "Sheet1") }, expectation{0, "", "XDM08"})
	out = append(out, badCase{"DC-TEMPLATE", "not-a-workbook", map[string][]byte{dc: []byte("RecordNo,S1SP\n")}, dc, []expectation{{0, "", "XDM02"}}, 0},
		badCase{"DC-TEMPLATE", "empty", map[string][]byte{dc: nil}, dc, []expectation{{0, "", "XDM02"}}, 0})

	form := func(what, cell string, v any, good int, want ...expectation) {
		change("MA-FORM", what, good, set("Authorisation", cell, v), want...)
	}
	form("meter-point", "C6", "123", 3, expectation{6, "MPxN", "XMA05"})
	form("device", "D7", "00DB12", 3, expectation{7, "DeviceID", "XMA05"})
	form("payment", "H6", "Cash", 3, expectation{6, "PaymentMode", "XMA05"})
	form("window-backwards", "J6", "2019-04-08", 3, expectation{6, "LatestMigrationDate", "XMA08"})
	form("date-as-text", "I6", "9 April 2019", 3, expectation{6, "EarliestMigrationDate", "XMA05"})
	form("half-a-day", "I6", 43564.5, 3, expectation{6, "EarliestMigrationDate", "XMA05"})
	form("row-after-a-gap", "C12", "123", 0, expectation{0, "", "XMA04"})
	form("heading-changed", "C5", "MPAN", 0, expectation{0, "", "XMA04"})
	change("MA-FORM", "sheet-missing", 0, func(x *excelize.File) error { return x.SetSheetName("Authorisation", "Rows") }, expectation{0, "", "XMA04"})
	change("MA-FORM", "formula", 0, func(x *excelize.File) error { return x.SetCellFormula("Authorisation", "I6", "TODAY()") }, expectation{0, "EarliestMigrationDate", "XMA04"})
	out = append(out, badCase{"MA-FORM", "cut", map[string][]byte{ma: out[len(out)-1].files[ma][:2000]}, ma, []expectation{{0, "", "XMA02"}}, 0})
	return out
}

// xmlCases are the faults of the file set: what the schema refuses, and what the signature does.
func xmlCases(t testing.TB, w *world) []badCase {
	var out []badCase
	every := w.everyFile(t)
	by := func(k Kind) *pki.Party {
		switch senders[k] {
		case pki.CP:
			return w.cp
		case pki.S1SP:
			return w.s1
		}
		return w.rp
	}
	// resign changes a file as its own sender would, with a good signature over the wrong content.
	resign := func(k Kind, old, new string) []byte {
		plain := every[k].Data
		start, end := bytes.Index(plain, []byte("<ds:Signature")), bytes.Index(plain, []byte("</ds:Signature>"))+len("</ds:Signature>")
		plain = slices.Concat(plain[:start], plain[end:])
		changed := strings.Replace(string(plain), old, new, 1)
		require.NotEqual(t, string(plain), changed, old)
		signed, err := xmlsig.Sign([]byte(changed), by(k).Signing, by(k).Signer())
		require.NoError(t, err)
		return signed
	}
	add := func(k Kind, name string, data []byte, column, code string) {
		out = append(out, badCase{string(k), name, map[string][]byte{every[k].Name: data}, every[k].Name, []expectation{{0, column, code}}, 0})
	}
	schema := func(k Kind, name, old, new, path string) { add(k, name, resign(k, old, new), path, "XCV01") }
	for k, a := range every {
		s := string(a.Data)
		add(k, "changed", []byte(strings.Replace(s, "<S1SP>CGI", "<S1SP>CGJ", 1)), "", "XCV02")
		add(k, "signature-cut", []byte(strings.Replace(s, "<ds:SignatureValue>", "<ds:SignatureValue>AAAA", 1)), "", "XCV02")
		add(k, "doctype", []byte(strings.Replace(s, "<MigrationFile", "<!DOCTYPE MigrationFile [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><MigrationFile", 1)), "line 2", "XCV01")
		schema(k, "unknown-element", "<S1SP>", "<Colour>red</Colour><S1SP>", "/MigrationFile/Header/Colour")
		schema(k, "wrong-type", `type="`+a.typeName(), `type="Other`+a.typeName(), "")
		schema(k, "group-id", "<GroupID>AA", "<GroupID>A1", "/MigrationFile/Header/GroupID")
		schema(k, "no-installations", "<Body>", "<Body><Nothing/>", "/MigrationFile/Body/Nothing")
	}
	s := string(every[KindMCF].Data)
	at := func(what string) string {
		return fmt.Sprintf("line %d", strings.Count(s[:strings.Index(s, what)], "\n")+1)
	}
	add(KindMCF, "entity", []byte(strings.Replace(s, "AS300P", "&lol;", 1)), at("AS300P"), "XCV01")
	add(KindMCF, "comment", []byte(strings.Replace(s, "<Body>", "<Body><!-- hidden -->", 1)), at("<Body>"), "XCV01")
	add(KindMCF, "processing-instruction", []byte(strings.Replace(s, "<Body>", "<Body><?php x?>", 1)), at("<Body>"), "XCV01")
	add(KindMCF, "second-root", []byte(s+"<x/>"), fmt.Sprintf("line %d", strings.Count(s, "\n")+1), "XCV01")
	add(KindMCF, "cut", []byte(s[:len(s)/2]), fmt.Sprintf("line %d", strings.Count(s[:len(s)/2], "\n")+1), "XCV01")
	add(KindMCF, "too-deep", []byte(strings.Replace(s, "<Body>", "<Body>"+strings.Repeat("<a>", 40), 1)), at("<Body>"), "XCV01")
	add(KindMCF, "empty", nil, "file", "XCV01")
	add(KindMCF, "latin-1", []byte(strings.Replace(s, "UTF-8", "ISO-8859-1", 1)), "line 1", "XCV01")
	add(KindMCF, "not-signed", resignNot(s), "", "XCV02")
	add(KindMCF, "second-signature", []byte(strings.Replace(s, "<Header>", "<Header>"+s[strings.Index(s, "<ds:Signature"):strings.Index(s, "</MigrationFile>")], 1)), "", "XCV02")
	add(KindMCF, "weak-digest", []byte(strings.Replace(s, "xmlenc#sha256", "xmldsig#sha1", 1)), "", "XCV02")
	add(KindMCF, "unknown-signer", []byte(strings.Replace(s, "<ds:X509SerialNumber>", "<ds:X509SerialNumber>9", 1)), "", "XCV02")
	add(KindMCF, "bad-device", resign(KindMCF, "<DeviceID>00-DB", "<DeviceID>00:DB"), "file", "XCV01")
	add(KindMCF, "lower-case", resign(KindMCF, "<DeviceID>00-DB", "<DeviceID>00-db"), "/MigrationFile/Body/Installation[1]/Device[1]/DeviceID", "XCV01")
	schema(KindMCF, "status", "<Status>Active", "<Status>Sleepy", "/MigrationFile/Body/Installation[1]/Status")
	schema(KindMCF, "device-type", "<DeviceType>ESME", "<DeviceType>HCALCS", "/MigrationFile/Body/Installation[1]/Device[2]/DeviceType")
	schema(KindMCF, "firmware-long", "<FirmwareVersion>01020304", "<FirmwareVersion>010203045", "/MigrationFile/Body/Installation[1]/Device[1]/FirmwareVersion")
	schema(KindMCF, "order", "<GroupID>AA</GroupID>", "", "/MigrationFile/Header/Sender")
	schema(KindMCF, "counter-text", "<Counter>42", "<Counter>042", "/MigrationFile/Header/Counter")
	add(KindMCF, "counter-negative", resign(KindMCF, "<Counter>42", "<Counter>-42"), "file", "XCV01")
	schema(KindMCF, "extra-attribute", "<Body>", `<Body secret="1">`, "/MigrationFile/Body")
	schema(KindMGF, "iccid", "<ICCID>8944", "<ICCID>8X44", "/MigrationFile/Body/Installation[1]/SIM/ICCID")
	schema(KindMGF, "wake-up", "<WakeUp>SMS", "<WakeUp>Pigeon", "/MigrationFile/Body/Installation[1]/WakeUp")
	schema(KindMGEF, "key-usage", "<KeyUsage>Transport", "<KeyUsage>Everything", "/MigrationFile/Body/Installation[1]/EncryptedKey[1]/KeyUsage")
	schema(KindCOF, "outcome", "<Outcome>Commissioned", "<Outcome>Done", "/MigrationFile/Body/Installation[1]/Outcome")
	schema(KindSCF, "key-check", "<KeyCheckValue>A1B2C3", "<KeyCheckValue>a1", "/MigrationFile/Body/Installation[1]/Device[1]/KeyCheckValue")
	return out
}

func (a Artefact) typeName() string {
	n, err := ParseName(a.Name)
	if err != nil {
		return ""
	}
	return typeNames[n.Kind]
}

func resignNot(s string) []byte {
	return []byte(s[:strings.Index(s, "<ds:Signature")] + "</MigrationFile>\n")
}

func (c badCase) folder() string {
	return filepath.Join(badFolder, strings.ToLower(c.document), c.name)
}

func writeCorpus(t *testing.T, w *world) {
	t.Helper()
	cases := slices.Concat(tableCases(t, w), containerCases(t, w), passwordCases(t, w), formCases(t, w), xmlCases(t, w))
	slices.SortFunc(cases, func(a, b badCase) int {
		return cmp.Or(cmp.Compare(a.document, b.document), cmp.Compare(a.name, b.name))
	})
	require.NoError(t, os.RemoveAll(badFolder))
	table := [][]string{expectedHeader}
	for _, c := range cases {
		require.NoError(t, os.MkdirAll(c.folder(), 0o755))
		for name, b := range c.files {
			require.NoError(t, os.WriteFile(filepath.Join(c.folder(), name), b, 0o644))
		}
		for _, e := range c.want {
			table = append(table, []string{c.name, c.document, c.subject, strconv.Itoa(e.row), e.column, e.code, strconv.Itoa(c.good)})
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(badFolder, "expected.csv"), grid(table).bytes(t), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(badFolder, "README.md"), []byte(corpusReadme), 0o644))
}

// TestBadCorpus reads every stored case and compares what is reported with what the table says.
func TestBadCorpus(t *testing.T) {
	w := newWorld(t)
	if *update {
		writeCorpus(t, w)
	}
	b, err := os.ReadFile(filepath.Join(badFolder, "expected.csv"))
	require.NoError(t, err)
	g := parseGrid(t, b)
	require.Equal(t, expectedHeader, g[0])
	type key struct{ document, name string }
	want, subject, good := map[key][]string{}, map[key]string{}, map[key]string{}
	var order []key
	for _, r := range g[1:] {
		k := key{r[1], r[0]}
		if want[k] == nil {
			order = append(order, k)
		}
		want[k] = append(want[k], fmt.Sprintf("%s: %s:%s:%s", r[2], r[3], r[4], r[5]))
		subject[k], good[k] = r[2], r[6]
	}
	require.GreaterOrEqual(t, len(order), 200)
	before := fmt.Sprintf("%v %v %v", w.facts.LastCounters, w.facts.Inventory, w.facts.Coverage.rows)
	for _, k := range order {
		t.Run(k.document+"/"+k.name, func(t *testing.T) {
			folder := badCase{document: k.document, name: k.name}.folder()
			entries, err := os.ReadDir(folder)
			require.NoError(t, err)
			files := map[string][]byte{}
			for _, e := range entries {
				files[e.Name()], err = os.ReadFile(filepath.Join(folder, e.Name()))
				require.NoError(t, err)
			}
			ps, rows := readBad(t, w, k.document, files)
			var got []string
			for _, p := range ps {
				got = append(got, fmt.Sprintf("%s: %d:%s:%s", p.File, p.Row, p.Column, p.Code))
				require.NotEmpty(t, p.What)
				require.NotEmpty(t, p.Remedy, p.Code)
				_, known := w.specs.Catalogue.Lookup(p.Code)
				require.True(t, known, p.Code)
			}
			require.Equal(t, want[k], got, "%v", ps)
			require.Equal(t, good[k], strconv.Itoa(rows))
			require.Equal(t, ps.FileFailed(), rows == 0)
		})
	}
	require.Equal(t, before, fmt.Sprintf("%v %v %v", w.facts.LastCounters, w.facts.Inventory, w.facts.Coverage.rows), "reading changes nothing")
}
