package document

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DemandRow is what a supplier commits to for one day (columns: ours).
type DemandRow struct {
	Line     int // of the file, the header being line 1
	RecordNo int
	S1SP     string
	Supplier EUI
	Date     Date
	Active   int // installations that it will authorise
	Prepay   int // of Active, those with a prepayment meter
	Comment  string
}

// Demand is a Demand Commitment: its good rows. A day whose row was refused is no demand.
type Demand struct {
	Name   Name
	SHA256 [32]byte
	Rows   []DemandRow
}

// From is the first day of the period.
func (d *Demand) From() Date { return DateOf(d.Name.Stamp) }

// On gives the commitment for a day; zero where there is none.
func (d *Demand) On(day Date) int {
	for _, r := range d.Rows {
		if r.Date == day {
			return r.Active
		}
	}
	return 0
}

// Total gives the commitment of the whole period.
func (d *Demand) Total() int {
	n := 0
	for _, r := range d.Rows {
		n += r.Active
	}
	return n
}

// Period is the rule of a demand period (ours). The zero value is four weeks from a Monday.
type Period struct {
	Weeks    int  // 0 means 4
	AnyStart bool // the period may start on any day of the week
}

// Days gives the length of the period.
func (p Period) Days() int {
	if p.Weeks == 0 {
		return 28
	}
	return 7 * p.Weeks
}

// start says what is wrong with the first day, or nothing.
func (p Period) start(day Date) string {
	if wd := day.Time().Weekday(); wd != time.Monday && !p.AnyStart {
		return fmt.Sprintf("The period starts on %s, a %s; it must start on a Monday.", day, wd)
	}
	return ""
}

// check holds what demand and response have in common: name, order of the days, day of the week, party. It reports
// and gives false where the row is refused.
func (p Period) check(t *Table, name Name, row Row) bool {
	want := DateOf(name.Stamp).AddDays(row.Record - 1)
	day := row.Date("Date")
	switch {
	case row.Record > p.Days():
		t.Report(row.Line, "RecordNo", "XDM05", fmt.Sprintf("The period has %d days and this is record %d.", p.Days(), row.Record))
	case day != want:
		t.Report(row.Line, "Date", "XDM05", fmt.Sprintf("Found %s; record %d of the period from %s is for %s.", day, row.Record, DateOf(name.Stamp), want))
	case row.Get("DayOfWeek") != day.Time().Weekday().String():
		t.Report(row.Line, "DayOfWeek", "XDM05", fmt.Sprintf("%s is a %s.", day, day.Time().Weekday()))
	case !strings.EqualFold(row.Get("S1SP"), name.S1SP):
		t.Report(row.Line, "S1SP", "XDM05", fmt.Sprintf("Found %q; the file is for %s.", row.Get("S1SP"), name.S1SP))
	case row.EUI("SupplierUserID") != name.EUI:
		t.Report(row.Line, "SupplierUserID", "XDM05", fmt.Sprintf("Found %s; the file is from %s.", row.EUI("SupplierUserID"), name.EUI))
	default:
		return true
	}
	return false
}

// openDemand prepares to read a DC or DR file, or says why not.
func (p Period) open(specs *Specs, kind Kind, file string) (Name, *Table, Problems) {
	fail := func(code, what string) (Name, *Table, Problems) {
		return Name{}, nil, Problems{specs.Problem(file, 0, "", code, what)}
	}
	name, err := ParseName(file)
	if err != nil || name.Kind != kind || !oneOf(name.Ext, "", "csv", "txt", "xlsx") {
		return fail("XDM01", nameFault(kind, file, err))
	}
	if what := p.start(DateOf(name.Stamp)); what != "" {
		return fail("XDM06", what)
	}
	t, err := NewTable(specs, string(kind), file)
	if err != nil {
		return fail("XDM02", err.Error()+".")
	}
	return name, t, nil
}

// complete reports a period that is too short, and drops problems of rows when the file as a whole failed.
func (p Period) complete(t *Table) {
	if !t.ps.FileFailed() && t.read < p.Days() {
		t.Report(0, "", "XDM06", fmt.Sprintf("The file has %d records; the period has %d days.", t.read, p.Days()))
	}
}

// ReadDemand reads a Demand Commitment from CSV, or from the template when the name ends in .xlsx.
func ReadDemand(specs *Specs, period Period, file string, src io.Reader) (*Demand, Problems) {
	name, t, ps := period.open(specs, KindDC, file)
	if ps != nil {
		return nil, ps
	}
	raw, err := io.ReadAll(&limitReader{r: src, left: maxWorkbook})
	if err != nil {
		return nil, Problems{specs.Problem(file, 0, "", "XDM02", "Reading stopped: "+err.Error()+".")}
	}
	content := raw
	if strings.EqualFold(name.Ext, "xlsx") {
		b, sheet, ps := demandForm.read(specs, file, raw)
		if ps != nil {
			return nil, ps
		}
		content = b
		defer func() { sheet.place(t.ps) }()
	}
	d := &Demand{Name: name, SHA256: sha256.Sum256(raw)}
	for row := range t.Rows(bytes.NewReader(content)) {
		if !period.check(t, name, row) {
			continue
		}
		r := DemandRow{Line: row.Line, RecordNo: row.Int("RecordNo"), S1SP: row.Get("S1SP"), Supplier: row.EUI("SupplierUserID"),
			Date: row.Date("Date"), Active: row.Int("CommittedActive"), Prepay: row.Int("CommittedPrepay"), Comment: row.Get("Comment")}
		if r.Prepay > r.Active {
			t.Report(r.Line, "CommittedPrepay", "XDM05", fmt.Sprintf("%d of %d installations cannot be prepayment.", r.Prepay, r.Active))
			continue
		}
		d.Rows = append(d.Rows, r)
	}
	period.complete(t)
	if t.ps.FileFailed() {
		return nil, t.ps
	}
	return d, t.ps
}

// NewDemand makes a commitment for a period; active gives the figures of a day.
func NewDemand(reference, s1sp string, supplier EUI, from Date, period Period, active func(Date) (all, prepay int)) *Demand {
	d := &Demand{Name: Name{Kind: KindDC, Reference: reference, S1SP: s1sp, EUI: supplier, Stamp: from.Time(), Ext: "csv"}}
	for n := range period.Days() {
		day := from.AddDays(n)
		all, prepay := active(day)
		d.Rows = append(d.Rows, DemandRow{Line: n + 2, RecordNo: n + 1, S1SP: s1sp, Supplier: supplier, Date: day, Active: all, Prepay: prepay})
	}
	return d
}

func (r DemandRow) values() map[string]string {
	return map[string]string{
		"RecordNo": strconv.Itoa(r.RecordNo), "S1SP": r.S1SP, "SupplierUserID": euiText(r.Supplier), "Date": r.Date.String(), "DayOfWeek": r.Date.Time().Weekday().String(),
		"CommittedActive": strconv.Itoa(r.Active), "CommittedPrepay": strconv.Itoa(r.Prepay), "Comment": r.Comment,
	}
}

// WriteDemand writes a commitment as CSV.
func WriteDemand(w io.Writer, specs *Specs, d *Demand) error {
	l, err := specs.Layout("DC")
	if err != nil {
		return err
	}
	return WriteTable(w, specs, "DC", func(yield func([]string) bool) {
		for _, r := range d.Rows {
			if !yield(l.cells(r.values())) {
				return
			}
		}
	})
}

// AllocationReason says how an allocation came about.
type AllocationReason string

// The reasons, as files spell them.
const (
	ReasonMet         AllocationReason = "Met"         // all of the demand
	ReasonScaled      AllocationReason = "Scaled"      // the flat part and a share of the rest
	ReasonFlatScaled  AllocationReason = "FlatScaled"  // a share of the flat part only
	ReasonNoCapacity  AllocationReason = "NoCapacity"  // nothing could be given
	ReasonCapped      AllocationReason = "Capped"      // demand counted at the rate that was achieved before
	ReasonReallocated AllocationReason = "Reallocated" // more, by Friday's run
	ReasonReleased    AllocationReason = "Released"    // less, by Friday's run: it was not used
)

// ResponseDay is what DCC allocates to a supplier for one day (columns: ours).
type ResponseDay struct {
	Line      int
	RecordNo  int
	S1SP      string
	Supplier  EUI
	Date      Date
	Committed int
	Allocated int // Flat + ProRata
	Flat      int
	ProRata   int
	Capacity  int // of the day, for all suppliers
	Reason    AllocationReason
}

// DemandResponse is a Demand Response.
type DemandResponse struct {
	Name Name
	Rows []ResponseDay
}

// On gives the row of a day.
func (r *DemandResponse) On(day Date) (ResponseDay, bool) {
	i := slices.IndexFunc(r.Rows, func(x ResponseDay) bool { return x.Date == day })
	if i < 0 {
		return ResponseDay{}, false
	}
	return r.Rows[i], true
}

// ReadDemandResponse reads a Demand Response from CSV.
func ReadDemandResponse(specs *Specs, period Period, file string, src io.Reader) (*DemandResponse, Problems) {
	name, t, ps := period.open(specs, KindDR, file)
	if ps != nil {
		return nil, ps
	}
	out := &DemandResponse{Name: name}
	for row := range t.Rows(src) {
		if !period.check(t, name, row) {
			continue
		}
		r := ResponseDay{Line: row.Line, RecordNo: row.Int("RecordNo"), S1SP: row.Get("S1SP"), Supplier: row.EUI("SupplierUserID"), Date: row.Date("Date"),
			Committed: row.Int("CommittedActive"), Allocated: row.Int("AllocatedActive"), Flat: row.Int("FlatPart"), ProRata: row.Int("ProRataPart"),
			Capacity: row.Int("CapacityOfDay"), Reason: AllocationReason(row.Get("Reason"))}
		switch {
		case r.Allocated != r.Flat+r.ProRata:
			t.Report(r.Line, "AllocatedActive", "XDM05", fmt.Sprintf("Found %d; flat part %d and pro rata part %d make %d.", r.Allocated, r.Flat, r.ProRata, r.Flat+r.ProRata))
		case r.Allocated > r.Committed:
			t.Report(r.Line, "AllocatedActive", "XDM05", fmt.Sprintf("%d are allocated and only %d were committed.", r.Allocated, r.Committed))
		case r.Allocated > r.Capacity:
			t.Report(r.Line, "AllocatedActive", "XDM05", fmt.Sprintf("%d are allocated and the day has capacity for %d.", r.Allocated, r.Capacity))
		default:
			out.Rows = append(out.Rows, r)
		}
	}
	period.complete(t)
	if t.ps.FileFailed() {
		return nil, t.ps
	}
	return out, t.ps
}

// WriteDemandResponse writes a response as CSV.
func WriteDemandResponse(w io.Writer, specs *Specs, d *DemandResponse) error {
	l, err := specs.Layout("DR")
	if err != nil {
		return err
	}
	return WriteTable(w, specs, "DR", func(yield func([]string) bool) {
		for _, r := range d.Rows {
			if !yield(l.cells(map[string]string{
				"RecordNo": strconv.Itoa(r.RecordNo), "S1SP": r.S1SP, "SupplierUserID": euiText(r.Supplier), "Date": r.Date.String(), "DayOfWeek": r.Date.Time().Weekday().String(),
				"CommittedActive": strconv.Itoa(r.Committed), "AllocatedActive": strconv.Itoa(r.Allocated), "FlatPart": strconv.Itoa(r.Flat),
				"ProRataPart": strconv.Itoa(r.ProRata), "CapacityOfDay": strconv.Itoa(r.Capacity), "Reason": string(r.Reason),
			})) {
				return
			}
		}
	})
}
