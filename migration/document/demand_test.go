package document

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
)

var monday = Date{2019, 1, 21}

func someDemand() *Demand {
	d := NewDemand("AAA123", "CGI", submitter, monday, Period{}, func(day Date) (int, int) {
		n := int(day.Time().Sub(monday.Time()).Hours() / 24)
		return 100 + n, n
	})
	d.Rows[3].Comment = `Two "late" homes, maybe`
	return d
}

func TestDemandRoundTrip(t *testing.T) {
	specs, err := DefaultSpecs()
	require.NoError(t, err)
	want := someDemand()
	require.Equal(t, "DC_AAA123_70-B3-D5-1F-30-00-A0-08_CGI_20190121.csv", want.Name.String())
	require.Equal(t, 28*100+27*28/2, want.Total())
	var b bytes.Buffer
	require.NoError(t, WriteDemand(&b, specs, want))
	require.True(t, strings.HasPrefix(b.String(), "RecordNo,S1SP,SupplierUserID,Date,DayOfWeek,CommittedActive,CommittedPrepay,Comment\n"+
		"1,CGI,70-B3-D5-1F-30-00-A0-08,2019-01-21,Monday,100,0,\n2,CGI,"))
	got, ps := ReadDemand(specs, Period{}, "DC-AAA123_70-B3-D5-1F-30-00-A0-08_CGI_20190121", bytes.NewReader(b.Bytes()))
	require.Empty(t, ps, "the name of the published sample, with its hyphen and without an extension")
	require.Equal(t, want.Rows, got.Rows)
	require.Equal(t, monday, got.From())
	require.Equal(t, 103, got.On(monday.AddDays(3)))
	require.Zero(t, got.On(monday.AddDays(28)))

	for n := range b.Len() {
		d, ps := ReadDemand(specs, Period{}, want.Name.String(), bytes.NewReader(b.Bytes()[:n]))
		require.True(t, ps != nil || len(d.Rows) == 28, "cut at %d", n)
	}
}

func TestDemandResponseRoundTrip(t *testing.T) {
	specs, err := DefaultSpecs()
	require.NoError(t, err)
	want := someResponse()
	var b bytes.Buffer
	require.NoError(t, WriteDemandResponse(&b, specs, want))
	got, ps := ReadDemandResponse(specs, Period{}, "DR_AAA123_70-B3-D5-1F-30-00-A0-08_CGI_20190121", bytes.NewReader(b.Bytes()))
	require.Empty(t, ps)
	require.Equal(t, want.Rows, got.Rows)
	day, ok := got.On(monday)
	require.True(t, ok)
	require.Equal(t, 150, day.Allocated)
	_, ok = got.On(monday.AddDays(-1))
	require.False(t, ok)
}

func someResponse() *DemandResponse {
	out := &DemandResponse{Name: someDemand().Name.With(KindDR, "csv")}
	for n := range 28 {
		out.Rows = append(out.Rows, ResponseDay{Line: n + 2, RecordNo: n + 1, S1SP: "CGI", Supplier: submitter, Date: monday.AddDays(n),
			Committed: 200, Allocated: 150, Flat: 100, ProRata: 50, Capacity: 1000, Reason: ReasonScaled})
	}
	return out
}

// TestDemandTemplate fills in the workbook as a person would and reads it back.
func TestDemandTemplate(t *testing.T) {
	specs, err := DefaultSpecs()
	require.NoError(t, err)
	want := someDemand()
	x := openForm(t, func(b *bytes.Buffer) error {
		return WriteDemandTemplate(b, specs, NewDemand("AAA123", "CGI", submitter, monday, Period{}, func(Date) (int, int) { return 0, 0 }))
	})
	require.Equal(t, []string{"Demand", "Notes"}, x.GetSheetList())
	f, err := x.GetCellFormula("Demand", "F34")
	require.NoError(t, err)
	require.Equal(t, "SUM(F6:F33)", f)
	dvs, err := x.GetDataValidations("Demand")
	require.NoError(t, err)
	require.Len(t, dvs, 3, "a rule for each column that a person fills in")
	for _, r := range want.Rows {
		require.NoError(t, x.SetCellInt("Demand", at(5, r.Line+4), int64(r.Active)))
		require.NoError(t, x.SetCellInt("Demand", at(6, r.Line+4), int64(r.Prepay)))
	}
	require.NoError(t, x.SetCellStr("Demand", "H9", want.Rows[3].Comment))
	v, err := x.CalcCellValue("Demand", "F34")
	require.NoError(t, err)
	require.Equal(t, "3178", v)
	var b bytes.Buffer
	require.NoError(t, x.Write(&b))
	got, ps := ReadDemand(specs, Period{}, want.Name.With(KindDC, "xlsx").String(), &b)
	require.Empty(t, ps)
	require.Equal(t, want.Rows, got.Rows)
}

func openForm(t *testing.T, write func(*bytes.Buffer) error) *excelize.File {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, write(&b))
	x, err := excelize.OpenReader(&b)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, x.Close()) })
	return x
}

// The structure is locked and the input cells are not: read from the file, as a spreadsheet program would.
func TestDemandTemplateIsLocked(t *testing.T) {
	specs, err := DefaultSpecs()
	require.NoError(t, err)
	x := openForm(t, func(b *bytes.Buffer) error { return WriteDemandTemplate(b, specs, someDemand()) })
	for _, sheet := range []string{"Demand", "Notes"} {
		p, err := x.GetSheetProtection(sheet)
		require.NoError(t, err)
		require.False(t, p.InsertRows || p.DeleteRows || p.InsertColumns || p.DeleteColumns)
		require.True(t, p.SelectUnlockedCells)
	}
	require.NotNil(t, x.WorkBook.WorkbookProtection)
	require.True(t, x.WorkBook.WorkbookProtection.LockStructure)
	for cell, open := range map[string]bool{"F6": true, "G33": true, "H6": true, "A6": false, "D6": false, "F34": false, "A5": false} {
		n, err := x.GetCellStyle("Demand", cell)
		require.NoError(t, err)
		s, err := x.GetStyle(n)
		require.NoError(t, err)
		require.Equal(t, open, s.Protection != nil && !s.Protection.Locked, cell)
	}
}

func TestAuthorisationForm(t *testing.T) {
	w := newWorld(t)
	name, err := ParseName(maName)
	require.NoError(t, err)
	ar := &AuthorisationReader{Specs: w.specs}
	plain, ps := ar.ReadPlain(name, goodTables(t, w)["MA"].bytes(t))
	require.Empty(t, ps)
	require.Len(t, plain.Rows, 4)

	var b bytes.Buffer
	require.NoError(t, WriteAuthorisationForm(&b, w.specs, name, plain.Rows, 20))
	form := name.With(KindMA, "xlsx")
	got, ps := ar.ReadPlain(form, b.Bytes())
	require.Empty(t, ps)
	require.Equal(t, plain.Rows, got.Rows)

	// In its container it gives the same rows again.
	z, pw, err := SealAuthorisation(w.specs, name, b.Bytes(), nil, w.now, newRand(5))
	require.NoError(t, err)
	sealed, ps := ar.Read(BytesSource(maName, z), BytesSource(mapName, pw))
	require.Empty(t, ps)
	require.Equal(t, plain.Rows, sealed.Rows)

	x := openForm(t, func(b *bytes.Buffer) error { return WriteAuthorisationForm(b, w.specs, name, plain.Rows, 3) })
	require.NoError(t, x.SetCellStr("Authorisation", "C7", "70000O1"))
	require.NoError(t, x.SetCellFormula("Authorisation", "I8", "TODAY()"))
	b.Reset()
	require.NoError(t, x.Write(&b))
	_, ps = ar.ReadPlain(form, b.Bytes())
	require.Equal(t, "Authorisation!I8 XMA04", ps[0].Sheet+"!"+ps[0].Cell+" "+ps[0].Code)
	require.NoError(t, x.SetCellStr("Authorisation", "I8", "2019-04-10"))
	b.Reset()
	require.NoError(t, x.Write(&b))
	got, ps = ar.ReadPlain(form, b.Bytes())
	require.Len(t, got.Rows, 3)
	require.Len(t, ps, 1)
	require.Equal(t, form.String()+":Authorisation!C7: MPxN: XMA05: Found \"70000O1\" is not an MPRN: it has six to ten digits and nothing else. Remedy: "+ps[0].Remedy, ps[0].Error())
}

func TestSealedPassword(t *testing.T) {
	w := newWorld(t)
	plain := goodTables(t, w)["MA"].bytes(t)
	name, err := ParseName(maName)
	require.NoError(t, err)
	write := SealedPassword{Recipient: w.rp.EUI, To: w.rp.AgreementKey().PublicKey(), Random: newRand(9)}
	z, pw, err := SealAuthorisation(w.specs, name, plain, write, w.now, newRand(6))
	require.NoError(t, err)
	open := func(c PasswordCodec, pw []byte) (*Authorisation, Problems) {
		ar := &AuthorisationReader{Specs: w.specs, Passwords: c}
		return ar.Read(BytesSource(maName, z), BytesSource(mapName, pw))
	}
	a, ps := open(SealedPassword{Recipient: w.rp.EUI, Key: w.rp.AgreementKey()}, pw)
	require.Empty(t, ps)
	require.Len(t, a.Rows, 4)

	for what, c := range map[string]PasswordCodec{
		"another recipient":           SealedPassword{Recipient: w.cp.EUI, Key: w.cp.AgreementKey()},
		"another key":                 SealedPassword{Recipient: w.rp.EUI, Key: w.cp.AgreementKey()},
		"no key":                      SealedPassword{Recipient: w.rp.EUI},
		"a reader of plain passwords": PlainPassword{},
	} {
		a, ps := open(c, pw)
		require.Nil(t, a, what)
		require.Equal(t, []string{"XMA03"}, ps.Codes(), what)
	}
	// Every changed octet is refused.
	for n := range pw {
		changed := bytes.Clone(pw)
		changed[n] ^= 1
		a, ps := open(SealedPassword{Recipient: w.rp.EUI, Key: w.rp.AgreementKey()}, changed)
		if a != nil {
			require.Equal(t, strings.ToUpper(string(pw)), strings.ToUpper(string(changed)), "octet %d", n)
			continue
		}
		require.Equal(t, []string{"XMA03"}, ps.Codes())
	}
	// The plain form is taken where it was asked for, and only there.
	_, insecure, err := SealAuthorisation(w.specs, name, plain, nil, w.now, newRand(6))
	require.NoError(t, err)
	_, ps = open(SealedPassword{Recipient: w.rp.EUI, Key: w.rp.AgreementKey()}, insecure)
	require.Equal(t, []string{"XMA03"}, ps.Codes())
	require.Contains(t, ps[0].What, "plain text")
	_, err = SealedPassword{}.EncodePassword(w.specs, PasswordFile{})
	require.Error(t, err)
}

func TestScheduleAndCapacityRoundTrip(t *testing.T) {
	w := newWorld(t)
	want := []Placement{
		{Installation: w.portfolio.Installations[0].ID, GroupID: "AA", S1SP: "CGI", Status: Active, Day: Date{2019, 7, 15}, Attempt: 1},
		{Installation: w.portfolio.Installations[1].ID, GroupID: "AA", S1SP: "CGI", Status: Dormant, Day: Date{2019, 7, 29}, Firmware: Date{2019, 7, 22}, Attempt: 2},
		{Installation: EUI{1}, GroupID: "AA", S1SP: "CGI", Status: Active, Attempt: 1, Code: "XPL01", Detail: "no authorisation"},
	}
	var b bytes.Buffer
	require.NoError(t, WriteSchedule(&b, w.specs, want))
	got, ps := ReadSchedule(w.specs, "schedule.csv", bytes.NewReader(b.Bytes()))
	require.Empty(t, ps)
	require.Equal(t, want, got)

	limits := []Constraint{{Line: 2, Kind: LimitDCC, From: monday, Days: EveryDay, Limit: 3000, PerInstallation: 1},
		{Line: 3, Kind: LimitSMS, S1SP: "SECURE", From: monday, To: monday.AddDays(90), Days: WorkingDay, Limit: 900, PerInstallation: 2}}
	b.Reset()
	require.NoError(t, WriteCapacity(&b, w.specs, limits))
	back, ps := ReadCapacity(w.specs, "capacity.csv", bytes.NewReader(b.Bytes()))
	require.Empty(t, ps)
	require.Equal(t, limits, back)
}

// A sheet may claim rows and columns that would cost gigabytes; the claim is refused before anything makes room for them.
func TestWorkbookClaims(t *testing.T) {
	specs, err := DefaultSpecs()
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, WriteDemandTemplate(&b, specs, someDemand()))
	for _, inject := range []string{
		`<row r="1048576"><c r="A1048576"><v>1</v></c></row>`,
		`<row r="40"><c r="XFD40"><v>1</v></c></row>`,
		strings.Repeat(`<row r="40"><c r="XFD40"><v>1</v></c></row>`, 2000),
		strings.Repeat(`<row r="40"/>`, 2),
		`<row r="40">` + strings.Repeat(`<c/>`, 100) + `</row>`,
		strings.Repeat(`<row/>`, 1000),
		`<row r="x"/>`,
		`<row r="40"><c r="40"/></row>`,
	} {
		zr, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
		require.NoError(t, err)
		var out bytes.Buffer
		zw := zip.NewWriter(&out)
		for _, f := range zr.File {
			r, err := f.Open()
			require.NoError(t, err)
			c, err := io.ReadAll(r)
			require.NoError(t, err)
			if strings.HasSuffix(f.Name, "sheet1.xml") {
				c = bytes.Replace(c, []byte("</sheetData>"), []byte(inject+"</sheetData>"), 1)
			}
			w, err := zw.Create(f.Name)
			require.NoError(t, err)
			_, err = w.Write(c)
			require.NoError(t, err)
		}
		require.NoError(t, zw.Close())
		d, ps := ReadDemand(specs, Period{}, someDemand().Name.With(KindDC, "xlsx").String(), &out)
		require.Nil(t, d)
		require.Len(t, ps, 1)
		require.Equal(t, "XDM02", ps[0].Code)
		require.Contains(t, ps[0].What, "claims more rows or columns")
	}
	for ref, want := range map[string]int{"A1": 1, "Z9": 26, "AA10": 27, "XFD1048576": 16384, "": 0, "A": 0, "12": 0, "a1": 0, "ABCD1": 0} {
		require.Equal(t, want, columnOf(ref), ref)
	}
}

// FuzzDemand holds that whatever is read as a demand, from CSV or from a workbook, is written and read again as itself.
func FuzzDemand(f *testing.F) {
	specs, err := DefaultSpecs()
	require.NoError(f, err)
	var c, x bytes.Buffer
	require.NoError(f, WriteDemand(&c, specs, someDemand()))
	require.NoError(f, WriteDemandTemplate(&x, specs, someDemand()))
	f.Add(c.Bytes(), false)
	f.Add(x.Bytes(), true)
	f.Add([]byte("RecordNo,S1SP\n"), false)
	f.Fuzz(func(t *testing.T, b []byte, workbook bool) {
		ext := "csv"
		if workbook {
			ext = "xlsx"
		}
		d, ps := ReadDemand(specs, Period{}, someDemand().Name.With(KindDC, ext).String(), bytes.NewReader(b))
		require.Equal(t, d == nil, ps.FileFailed())
		if d == nil || len(ps) > 0 {
			return
		}
		require.Len(t, d.Rows, 28)
		var out bytes.Buffer
		require.NoError(t, WriteDemand(&out, specs, d))
		again, ps := ReadDemand(specs, Period{}, someDemand().Name.String(), &out)
		require.Empty(t, ps)
		require.Equal(t, len(d.Rows), len(again.Rows))
		for i := range d.Rows {
			a, b := d.Rows[i], again.Rows[i]
			a.Line, b.Line = 0, 0 // a workbook counts its own rows
			require.Equal(t, a, b)
		}
	})
}
