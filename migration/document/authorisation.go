package document

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"smets1/migration/document/aezip"
)

// AuthorisationRow is one meter that its supplier authorises to be migrated (columns: ours).
type AuthorisationRow struct {
	Line                     int // of the file, the header being line 1
	RecordNo                 int
	Fuel                     Fuel
	MPxN                     MPxN
	DeviceID                 EUI
	CHFDeviceID              EUI // zero where the hub is notional
	MeterSerialNumber        string
	SupplierUserID           EUI
	PaymentMode              PaymentMode
	Earliest, Latest         Date // both included
	CriticalCert             Serial
	NonCriticalCert          Serial
	ElectricityOnlyPermitted bool
	Withdraw                 bool // cancels an earlier authorisation of the meter
}

// Covers reports whether the row authorises a migration on the day.
func (r AuthorisationRow) Covers(day Date) bool {
	return !r.Withdraw && !day.Before(r.Earliest) && !day.After(r.Latest)
}

// Authorisation is a Migration Authorisation that has been opened and read: its good rows.
type Authorisation struct {
	Name   Name
	SHA256 [32]byte // of the container, which is what responses and audit records cite
	Rows   []AuthorisationRow
}

// Ref is how other files cite a row: file name and line.
func (a *Authorisation) Ref(r AuthorisationRow) string {
	return a.Name.String() + "#" + strconv.Itoa(r.Line)
}

// Source is a file that is to be read. The content may be large, so it is reached by offset.
type Source struct {
	Name string // without its folder
	Size int64
	Data io.ReaderAt
}

// BytesSource gives a source of bytes in memory.
func BytesSource(name string, data []byte) Source {
	return Source{Name: name, Size: int64(len(data)), Data: bytes.NewReader(data)}
}

// OpenSource opens a file on disk; the caller closes it.
func OpenSource(path string) (Source, io.Closer, error) {
	f, err := os.Open(path)
	if err != nil {
		return Source{}, nil, err
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return Source{}, nil, err
	}
	return Source{Name: filepath.Base(path), Size: st.Size(), Data: f}, f, nil
}

// AuthorisationReader opens authorisations. Only Specs must be set.
type AuthorisationReader struct {
	Specs     *Specs
	Passwords PasswordCodec // nil means the plain form
	Limits    aezip.Limits  // zero means 64 MiB of zip file and 16 MiB of CSV
	MaxDays   int           // greatest length of a date window; 0 means 28
}

const maxPasswordFile = 64 << 10

// Read opens an authorisation with its password companion and checks what the file alone can
// tell: XMA01 to XMA06 and XMA08. A problem of the file gives no authorisation; a problem of
// a row leaves that row out. What needs other knowledge is [Facts.CheckAuthorisation].
func (ar *AuthorisationReader) Read(authorisation, password Source) (*Authorisation, Problems) {
	fail := func(file, code, what string) (*Authorisation, Problems) {
		return nil, Problems{ar.Specs.Problem(file, 0, "", code, what)}
	}
	name, err := ParseName(authorisation.Name)
	if err != nil || name.Kind != KindMA || !oneOf(name.Ext, "", "zip", "csv", "txt") {
		return fail(authorisation.Name, "XMA01", nameFault(KindMA, authorisation.Name, err))
	}
	pname, err := ParseName(password.Name)
	if err != nil || pname.Kind != KindMAPassword || !oneOf(pname.Ext, "", "csv", "txt") {
		return fail(password.Name, "XMA01", nameFault(KindMAPassword, password.Name, err))
	}
	if name.PairKey() != pname.PairKey() {
		return fail(authorisation.Name, "XMA03", fmt.Sprintf("%s is not the companion of this authorisation: S1SP (in either case), EUI-64 and time must be the same.", password.Name))
	}
	if password.Size > maxPasswordFile {
		return fail(password.Name, "XMA03", fmt.Sprintf("The password file has %d octets; at most %d are read.", password.Size, maxPasswordFile))
	}
	codec := ar.Passwords
	if codec == nil {
		codec = PlainPassword{}
	}
	raw := make([]byte, password.Size)
	if _, err := io.ReadFull(io.NewSectionReader(password.Data, 0, password.Size), raw); err != nil {
		return fail(password.Name, "XMA03", "The password file cannot be read: "+err.Error()+".")
	}
	pf, ps := codec.DecodePassword(ar.Specs, password.Name, raw)
	if len(ps) > 0 {
		return nil, fileWide(ps)
	}
	limit := ar.Limits.MaxArchive
	if limit == 0 {
		limit = 64 << 20
	}
	if authorisation.Size > limit {
		return fail(authorisation.Name, "XMA02", fmt.Sprintf("The file has %d octets; at most %d are read.", authorisation.Size, limit))
	}
	digest := sha256.New()
	if _, err := io.Copy(digest, io.NewSectionReader(authorisation.Data, 0, authorisation.Size)); err != nil {
		return fail(authorisation.Name, "XMA02", "The file cannot be read: "+err.Error()+".")
	}
	a := &Authorisation{Name: name}
	digest.Sum(a.SHA256[:0])
	if n, err := ParseName(pf.Filename); err != nil || n.Kind != KindMA || n.PairKey() != name.PairKey() {
		return fail(authorisation.Name, "XMA03", fmt.Sprintf("The password file is for %q.", clip(pf.Filename)))
	}
	if pf.SHA256 != a.SHA256 {
		return fail(authorisation.Name, "XMA03", fmt.Sprintf("The password file is for a file with SHA-256 %X and this one has %X.", pf.SHA256, a.SHA256))
	}
	entry, content, err := aezip.Read(authorisation.Data, authorisation.Size, pf.Password.Reveal(), ar.Limits)
	if errors.Is(err, aezip.ErrPassword) {
		return fail(authorisation.Name, "XMA03", "The password does not open the zip file.")
	}
	if err != nil {
		return fail(authorisation.Name, "XMA02", "The container cannot be opened: "+err.Error()+".")
	}
	if n, err := ParseName(entry); err != nil || n.Kind != KindMA || n.PairKey() != name.PairKey() {
		return fail(authorisation.Name, "XMA02", fmt.Sprintf("The zip file holds %q; it must hold the CSV or the Excel form of this authorisation, with the same tokens in its name.", clip(entry)))
	} else if strings.EqualFold(n.Ext, "xlsx") {
		a.Rows, ps = ar.readRows(name.With(KindMA, "xlsx"), content)
	} else {
		a.Rows, ps = ar.readRows(name, content)
	}
	if ps.FileFailed() {
		return nil, ps
	}
	return a, ps
}

// ReadPlain reads the CSV itself, as it is before it is put into its container, or the Excel form when the name ends
// in .xlsx.
func (ar *AuthorisationReader) ReadPlain(name Name, content []byte) (*Authorisation, Problems) {
	rows, ps := ar.readRows(name, content)
	if ps.FileFailed() {
		return nil, ps
	}
	return &Authorisation{Name: name, SHA256: sha256.Sum256(content), Rows: rows}, ps
}

func (ar *AuthorisationReader) readRows(name Name, content []byte) ([]AuthorisationRow, Problems) {
	t, err := NewTable(ar.Specs, "MA", name.String())
	if err != nil {
		return nil, Problems{ar.Specs.Problem(name.String(), 0, "", "XMA04", err.Error()+".")}
	}
	maxDays := ar.MaxDays
	if maxDays == 0 {
		maxDays = 28
	}
	if strings.EqualFold(name.Ext, "xlsx") {
		b, sheet, ps := authorisationForm.read(ar.Specs, name.String(), content)
		if ps != nil {
			return nil, ps
		}
		content = b
		defer func() { sheet.place(t.ps) }()
	}
	var rows []AuthorisationRow
	seen := map[EUI]int{}     // meter to line
	points := map[MPxN]int{}  // meter point to line
	doubled := map[int]bool{} // lines that a later line repeats
	for row := range t.Rows(bytes.NewReader(content)) {
		r := AuthorisationRow{
			Line: row.Line, RecordNo: row.Int("RecordNo"), Fuel: Fuel(row.Get("Fuel")), MPxN: MPxN(row.Get("MPxN")),
			DeviceID: row.EUI("DeviceID"), CHFDeviceID: row.EUI("CHFDeviceID"), MeterSerialNumber: row.Get("MeterSerialNumber"),
			SupplierUserID: row.EUI("SupplierUserID"), PaymentMode: PaymentMode(row.Get("PaymentMode")),
			Earliest: row.Date("EarliestMigrationDate"), Latest: row.Date("LatestMigrationDate"),
			CriticalCert: Serial(row.Get("NotifiedCriticalSupplierCertID")), NonCriticalCert: Serial(row.Get("NotifiedNonCriticalSupplierCertID")),
			ElectricityOnlyPermitted: row.Get("ElectricityOnlyPermitted") == "Y", Withdraw: row.Get("Withdraw") == "Y",
		}
		if line, twice := seen[r.DeviceID]; twice {
			t.Report(r.Line, "DeviceID", "XMA06", fmt.Sprintf("Meter %s is on line %d already.", r.DeviceID, line))
			doubled[line] = true
			continue
		}
		if line, twice := points[r.MPxN]; twice {
			t.Report(r.Line, "MPxN", "XMA06", fmt.Sprintf("Meter point %s is on line %d already.", r.MPxN, line))
			doubled[line] = true
			continue
		}
		seen[r.DeviceID], points[r.MPxN] = r.Line, r.Line
		switch {
		case r.DeviceID == r.CHFDeviceID:
			t.Report(r.Line, "CHFDeviceID", "XMA05", "The meter and its hub have the same identity.")
			continue
		case r.Latest.Before(r.Earliest):
			t.Report(r.Line, "LatestMigrationDate", "XMA08", fmt.Sprintf("The window ends on %s, before it starts on %s.", r.Latest, r.Earliest))
			continue
		case r.Latest.After(r.Earliest.AddDays(maxDays)):
			t.Report(r.Line, "LatestMigrationDate", "XMA08", fmt.Sprintf("The window from %s to %s is longer than %d days.", r.Earliest, r.Latest, maxDays))
			continue
		case r.Earliest.Before(DateOf(name.Stamp).AddDays(1)):
			t.Report(r.Line, "EarliestMigrationDate", "XMA08", fmt.Sprintf("The window starts on %s; the file is of %s, so the next day is the earliest.", r.Earliest, DateOf(name.Stamp)))
			continue
		}
		rows = append(rows, r)
	}
	// Two rows for one meter contradict each other and nobody can know which is meant: both go.
	kept := rows[:0]
	for _, r := range rows {
		if !doubled[r.Line] {
			kept = append(kept, r)
			continue
		}
		t.Report(r.Line, "DeviceID", "XMA06", "A later line repeats this meter or its meter point.")
	}
	return kept, t.ps
}

// WriteAuthorisationCSV writes the rows in the layout's columns.
func WriteAuthorisationCSV(w io.Writer, specs *Specs, rows []AuthorisationRow) error {
	l, err := specs.Layout("MA")
	if err != nil {
		return err
	}
	return WriteTable(w, specs, "MA", func(yield func([]string) bool) {
		for _, r := range rows {
			if !yield(l.cells(r.values())) {
				return
			}
		}
	})
}

func (r AuthorisationRow) values() map[string]string {
	withdraw := ""
	if r.Withdraw {
		withdraw = "Y"
	}
	return map[string]string{
		"RecordNo": strconv.Itoa(r.RecordNo), "Fuel": string(r.Fuel), "MPxN": string(r.MPxN),
		"DeviceID": euiText(r.DeviceID), "CHFDeviceID": euiText(r.CHFDeviceID), "MeterSerialNumber": r.MeterSerialNumber,
		"SupplierUserID": euiText(r.SupplierUserID), "PaymentMode": string(r.PaymentMode),
		"EarliestMigrationDate": r.Earliest.String(), "LatestMigrationDate": r.Latest.String(),
		"NotifiedCriticalSupplierCertID": string(r.CriticalCert), "NotifiedNonCriticalSupplierCertID": string(r.NonCriticalCert),
		"ElectricityOnlyPermitted": yesNo(r.ElectricityOnlyPermitted), "Withdraw": withdraw,
	}
}

// SealAuthorisation puts an authorisation's CSV, or its Excel form, into its container and makes the password file.
// name carries the tokens; the two files are written under [Name.With] of MA and MAPASSWORD.
func SealAuthorisation(specs *Specs, name Name, content []byte, codec PasswordCodec, now time.Time, random io.Reader) (container, passwordFile []byte, err error) {
	if codec == nil {
		codec = PlainPassword{}
	}
	pw, err := GeneratePassword(random)
	if err != nil {
		return nil, nil, err
	}
	var z bytes.Buffer
	ext := "csv"
	if bytes.HasPrefix(content, []byte("PK\x03\x04")) && bytes.Contains(content, []byte("xl/workbook.xml")) {
		ext = "xlsx"
	}
	if err := aezip.Write(&z, name.With(KindMA, ext).String(), content, pw.Reveal(), now, random); err != nil {
		return nil, nil, err
	}
	passwordFile, err = codec.EncodePassword(specs, PasswordFile{
		Filename: name.String(), SHA256: sha256.Sum256(z.Bytes()), Password: pw,
	})
	return z.Bytes(), passwordFile, err
}

func nameFault(k Kind, name string, err error) string {
	if err != nil {
		return "The " + err.Error() + "."
	}
	return fmt.Sprintf("%q is not a name of a %s file.", name, k)
}

func oneOf(s string, options ...string) bool {
	for _, o := range options {
		if strings.EqualFold(s, o) {
			return true
		}
	}
	return false
}

// fileWide makes the problems those of a whole file: used where one bad row spoils everything.
func fileWide(ps Problems) Problems {
	for i := range ps {
		ps[i].Scope = ScopeFile
	}
	return ps
}
