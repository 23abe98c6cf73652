package document

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/migration/document/aezip"
)

// TestSeedPair opens a pair that is named as DCC's sample, letter by letter.
func TestSeedPair(t *testing.T) {
	w := newWorld(t)
	n, err := ParseName("MA_cgI_70-B3-D5-1F-30-00-A0-08_20190407_182503")
	require.NoError(t, err)
	z, pw, err := SealAuthorisation(w.specs, n, goodTables(t, w)["MA"].bytes(t), nil, w.now, newRand(2))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, n.String()), z, 0o600))
	src, closer, err := OpenSource(filepath.Join(dir, n.String()))
	require.NoError(t, err)
	defer func() { require.NoError(t, closer.Close()) }()
	a, ps := (&AuthorisationReader{Specs: w.specs}).Read(src, BytesSource("MAPASSWORD_CGI_70-B3-D5-1F-30-00-A0-08_20190407_182503", pw))
	require.Empty(t, ps)
	require.Len(t, a.Rows, 4)
	require.Equal(t, sha256.Sum256(z), a.SHA256)
	require.Equal(t, "MA_cgI_70-B3-D5-1F-30-00-A0-08_20190407_182503#3", a.Ref(a.Rows[1]))
	require.True(t, a.Rows[0].Covers(Date{2019, 4, 9}) && a.Rows[0].Covers(Date{2019, 5, 1}))
	require.False(t, a.Rows[0].Covers(Date{2019, 4, 8}) || a.Rows[0].Covers(Date{2019, 5, 2}))
	_, _, err = OpenSource(filepath.Join(dir, "none"))
	require.Error(t, err)
}

// TestZipBombIsRefused generates what is too large to keep: 200 MB behind a password that opens it.
func TestZipBombIsRefused(t *testing.T) {
	w := newWorld(t)
	var block, z bytes.Buffer // one megabyte of zero, deflated, and then 200 of it
	fw, err := flate.NewWriter(&block, flate.BestCompression)
	require.NoError(t, err)
	_, err = fw.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	require.NoError(t, fw.Flush())
	require.NoError(t, aezip.WriteDeflated(&z, strings.Replace(maName, ".zip", ".csv", 1), bytes.Repeat(block.Bytes(), 200), 200<<20, []byte("Secret123"), w.now, newRand(3)))
	require.Less(t, z.Len(), 1<<20)
	pw, err := PlainPassword{}.EncodePassword(w.specs, PasswordFile{Filename: maName, SHA256: sha256.Sum256(z.Bytes()), Password: NewSecret([]byte("Secret123"))})
	require.NoError(t, err)
	a, ps := (&AuthorisationReader{Specs: w.specs}).Read(BytesSource(maName, z.Bytes()), BytesSource(mapName, pw))
	require.Nil(t, a)
	require.Equal(t, []string{"XMA02"}, ps.Codes())
	require.Contains(t, ps[0].What, "declares 209715200 octets")
	require.Equal(t, maName, ps[0].File)

	huge := BytesSource(maName, nil)
	huge.Size = 200 << 20
	_, ps = (&AuthorisationReader{Specs: w.specs}).Read(huge, BytesSource(mapName, pw))
	require.Equal(t, []string{"XMA02"}, ps.Codes())
	long := BytesSource(mapName, nil)
	long.Size = 1 << 30
	_, ps = (&AuthorisationReader{Specs: w.specs}).Read(BytesSource(maName, z.Bytes()), long)
	require.Equal(t, []string{"XMA03"}, ps.Codes())
	short := BytesSource(mapName, nil)
	short.Size = 10
	_, ps = (&AuthorisationReader{Specs: w.specs}).Read(BytesSource(maName, z.Bytes()), short)
	require.Equal(t, []string{"XMA03"}, ps.Codes())
}

func TestCoverage(t *testing.T) {
	c := NewCoverage()
	m, day := EUI{1}, Date{2019, 5, 1}
	at := func(day int, rows ...AuthorisationRow) *Authorisation {
		n, err := ParseName(maName)
		require.NoError(t, err)
		n.Stamp = n.Stamp.AddDate(0, 0, day)
		return &Authorisation{Name: n, Rows: rows}
	}
	_, _, ok := c.Covers(m, day)
	require.False(t, ok)
	c.Apply(at(1, AuthorisationRow{Line: 2, DeviceID: m, Earliest: day, Latest: day, ElectricityOnlyPermitted: true}))
	_, ref, ok := c.Covers(m, day)
	require.True(t, ok)
	require.Equal(t, maName+"#2", ref)
	require.True(t, c.ElectricityOnly(m, day))
	c.Apply(at(0, AuthorisationRow{Line: 2, DeviceID: m, Withdraw: true}))
	_, _, ok = c.Covers(m, day)
	require.True(t, ok, "an earlier file changes nothing, though it comes later")
	c.Apply(at(2, AuthorisationRow{Line: 3, DeviceID: m, Withdraw: true}))
	_, _, ok = c.Covers(m, day)
	require.False(t, ok)
	r, ok := c.Row(m)
	require.True(t, ok && r.Withdraw)
	require.False(t, c.ElectricityOnly(m, day))
	var none *Coverage
	_, _, ok = none.Covers(m, day)
	require.False(t, ok)
	_, ok = none.Row(m)
	require.False(t, ok)
}

func TestCheckAuthorisation(t *testing.T) {
	type setup struct {
		w  *world
		a  *Authorisation
		af AuthorisationFacts
	}
	fresh := func(t *testing.T) *setup {
		w := newWorld(t)
		n, err := ParseName(maName)
		require.NoError(t, err)
		homes := w.portfolio.Installations
		var regs []Registration
		for i := range homes {
			for j := range homes[i].Devices {
				d := &homes[i].Devices[j]
				if d.Meter() {
					d.Supplier, d.Status = submitter, Active
					regs = append(regs, Registration{MPxN: d.MPxN, Supplier: submitter, From: Date{2015, 1, 1}})
				}
			}
		}
		w.facts.Registrations = NewRegistrations(regs)
		w.facts.Certificates = NewCertificates([]CertificateFact{
			{"1001", submitter, SupplierRole, "Organisation", Date{2015, 1, 1}, Date{2030, 1, 1}}, {"1002", submitter, SupplierRole, "Organisation", Date{2015, 1, 1}, Date{2030, 1, 1}},
			{"1003", supplierG, SupplierRole, "Organisation", Date{2015, 1, 1}, Date{2030, 1, 1}}})
		a, ps := (&AuthorisationReader{Specs: w.specs}).ReadPlain(n, goodTables(t, w)["MA"].bytes(t))
		require.Empty(t, ps)
		return &setup{w, a, AuthorisationFacts{Facts: w.facts, Portfolio: w.portfolio}}
	}
	for _, c := range []struct {
		name   string
		change func(*setup)
		want   string // line:column:code, blank for none
		good   int
	}{
		{"all good", func(*setup) {}, "", 4},
		{"other party", func(s *setup) { s.a.Rows[0].SupplierUserID = supplierG }, "2:SupplierUserID:XMA05 3:ElectricityOnlyPermitted:XMA11", 2},
		{"same party", func(s *setup) {
			s.a.Name.EUI = supplierG
			s.af.SameParty = func(a, b EUI) bool { return true }
		}, "", 4},
		{"not registered", func(s *setup) { s.w.facts.Registrations = NewRegistrations(nil) }, "2:MPxN:XMA07 3:MPxN:XMA07 4:MPxN:XMA07 5:MPxN:XMA07", 0},
		{"unknown meter", func(s *setup) { s.a.Rows[1].DeviceID = EUI{7} }, "2:ElectricityOnlyPermitted:XMA11 3:DeviceID:XMA07", 2},
		{"other hub", func(s *setup) { s.a.Rows[1].CHFDeviceID = EUI{7} }, "2:ElectricityOnlyPermitted:XMA11 3:CHFDeviceID:XMA05", 2},
		{"payment mode", func(s *setup) {
			s.a.Rows[0].ElectricityOnlyPermitted = true
			s.a.Rows[1].PaymentMode = Prepayment
		}, "3:PaymentMode:XMA05", 3},
		{"swapped meter points", func(s *setup) { s.a.Rows[0].MPxN, s.a.Rows[2].MPxN = s.a.Rows[2].MPxN, s.a.Rows[0].MPxN },
			"2:MPxN:XMA07 3:ElectricityOnlyPermitted:XMA11 4:MPxN:XMA07 5:ElectricityOnlyPermitted:XMA11", 0},
		{"certificate", func(s *setup) {
			s.a.Rows[0].ElectricityOnlyPermitted = true
			s.a.Rows[1].NonCriticalCert = "1003"
		}, "3:NotifiedNonCriticalSupplierCertID:XMA10", 3},
		{"not eligible", func(s *setup) { s.w.portfolio.Installations[1].Devices[0].Model = "CH9" }, "4:DeviceID:MA110 5:DeviceID:MA110", 2},
		{"eligible after upgrade", func(s *setup) { s.w.portfolio.Installations[1].Devices[0].Firmware = "00000001" }, "", 4},
		{"no list", func(s *setup) { s.w.facts.EPCL = nil }, "2:DeviceID:MA110 3:DeviceID:MA110 4:DeviceID:MA110 5:DeviceID:MA110", 0},
		{"excluded", func(s *setup) { s.w.facts.Exclusions[s.w.portfolio.Installations[0].ID] = "No WAN" }, "2:DeviceID:XMA12 3:DeviceID:XMA12", 2},
		{"excluded in the portfolio", func(s *setup) { s.w.portfolio.Installations[0].Exclusion = "No WAN" }, "2:DeviceID:XMA12 3:DeviceID:XMA12", 2},
		// Scenario 14: two suppliers, one hub, only the electricity supplier has authorised.
		{"gas not authorised", func(s *setup) { s.a.Rows = s.a.Rows[:1] }, "2:ElectricityOnlyPermitted:XMA11", 0},
		{"electricity alone permitted", func(s *setup) {
			s.a.Rows = s.a.Rows[:1]
			s.a.Rows[0].ElectricityOnlyPermitted = true
		}, "", 1},
		{"gas authorised before", func(s *setup) {
			s.w.facts.Coverage.Apply(&Authorisation{Name: s.a.Name, Rows: s.a.Rows[1:2]})
			s.a.Rows = s.a.Rows[:1]
		}, "", 1},
		{"gas dormant", func(s *setup) {
			s.w.portfolio.Installations[0].Devices[2].Status = Dormant
			s.a.Rows = s.a.Rows[:1]
		}, "", 1},
		{"gas alone", func(s *setup) { s.a.Rows = s.a.Rows[1:2] }, "3:ElectricityOnlyPermitted:XMA11", 0},
		{"withdrawal", func(s *setup) {
			s.a.Rows = s.a.Rows[:1]
			s.a.Rows[0].Withdraw = true
			s.w.facts.EPCL = nil
		}, "", 1},
		{"allocation", func(s *setup) { s.af.Allocation = func(EUI, Date) (int, int) { return 1, 0 } },
			"4:EarliestMigrationDate:XMA09 5:EarliestMigrationDate:XMA09", 2}, // two meters of a home are one installation
		{"reserve", func(s *setup) { s.af.Allocation = func(EUI, Date) (int, int) { return 1, 1 } },
			"4:EarliestMigrationDate:XMA13 5:EarliestMigrationDate:XMA13", 2},
		{"within the allocation", func(s *setup) { s.af.Allocation = func(EUI, Date) (int, int) { return 2, 0 } }, "", 4},
		{"lead time", func(s *setup) { s.af.Calendar = fixedCalendar{first: Date{2019, 4, 10}} },
			"2:EarliestMigrationDate:XMA08 3:EarliestMigrationDate:XMA08 4:EarliestMigrationDate:XMA08 5:EarliestMigrationDate:XMA08", 0},
		{"lead time kept", func(s *setup) { s.af.Calendar = fixedCalendar{first: Date{2019, 4, 9}} }, "", 4},
		{"day locked", func(s *setup) {
			s.af.Calendar = fixedCalendar{locked: Date{2019, 4, 8}}
			meter := s.a.Rows[0].DeviceID
			s.af.Scheduled = func(m EUI) (Date, bool) { return Date{2019, 4, 8}, m == meter }
			s.a.Rows[1].ElectricityOnlyPermitted = true
			s.a.Rows = slices.Delete(s.a.Rows, 1, 2)
		}, "2:DeviceID:XMA14", 2},
		{"day not locked yet", func(s *setup) {
			s.af.Calendar = fixedCalendar{locked: Date{2019, 4, 8}}
			s.af.Scheduled = func(EUI) (Date, bool) { return Date{2019, 4, 9}, true }
		}, "", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := fresh(t)
			c.change(s)
			rows := len(s.a.Rows)
			good, ps := s.af.CheckAuthorisation(s.a)
			var got []string
			for _, p := range ps {
				got = append(got, strings.Join([]string{strconv.Itoa(p.Row), p.Column, p.Code}, ":"))
			}
			require.Equal(t, c.want, strings.Join(got, " "))
			require.Len(t, good.Rows, c.good)
			require.Len(t, s.a.Rows, rows, "the input is left alone")
			answer := Respond(good.Rows, ps)
			require.Len(t, answer, rows, "each record is answered exactly once")
			var b bytes.Buffer
			require.NoError(t, WriteResponse(&b, s.w.specs, answer))
			back, ps := ReadResponse(s.w.specs, tableNames["MAR"], &b)
			require.Empty(t, ps)
			require.Equal(t, answer, back)
		})
	}
}

// fixedCalendar knows one first day and one locked day.
type fixedCalendar struct{ first, locked Date }

func (c fixedCalendar) EarliestDay(time.Time) Date        { return c.first }
func (c fixedCalendar) Locked(day Date, _ time.Time) bool { return day == c.locked }
