package document

import (
	"cmp"
	"io"
	"slices"
	"strconv"

	"smets1/internal/wire"
)

// ResponseOutcome is the answer to one record of an authorisation.
type ResponseOutcome string

// The answers.
const (
	Accepted  ResponseOutcome = "Accepted"
	Rejected  ResponseOutcome = "Rejected"
	Duplicate ResponseOutcome = "Duplicate"
	Deferred  ResponseOutcome = "Deferred"
)

// ResponseRow is one record of a response file, MAR (columns: ours).
type ResponseRow struct {
	RecordNo  int // of the authorisation; 0 where the file as a whole was refused
	DeviceID  EUI // zero where the row could not be read
	Outcome   ResponseOutcome
	Code      string
	Detail    string
	Scheduled Date // zero until scheduled
}

// Respond makes the answer to an authorisation: one row per record, in order. accepted are the rows that
// were taken over, ps everything that was found. A record with several problems is answered with the first.
func Respond(accepted []AuthorisationRow, ps Problems) []ResponseRow {
	var out []ResponseRow
	answered := map[int]bool{}
	for _, p := range ps {
		record := max(p.Row-1, 0)
		if answered[record] {
			continue
		}
		answered[record] = true
		outcome := Rejected
		switch p.Code {
		case "XMA06":
			outcome = Duplicate
		case "XMA13":
			outcome = Deferred
		}
		out = append(out, ResponseRow{RecordNo: record, Outcome: outcome, Code: p.Code, Detail: detail(p.What)})
	}
	for _, r := range accepted {
		out = append(out, ResponseRow{RecordNo: r.RecordNo, DeviceID: r.DeviceID, Outcome: Accepted})
	}
	slices.SortStableFunc(out, func(a, b ResponseRow) int { return cmp.Compare(a.RecordNo, b.RecordNo) })
	return out
}

// WriteResponse writes a response; its name is that of the authorisation, with MAR for MA.
func WriteResponse(w io.Writer, specs *Specs, rows []ResponseRow) error {
	l, err := specs.Layout("MAR")
	if err != nil {
		return err
	}
	return WriteTable(w, specs, "MAR", func(yield func([]string) bool) {
		for _, r := range rows {
			if !yield(l.cells(map[string]string{
				"RecordNo": strconv.Itoa(r.RecordNo), "DeviceID": euiText(r.DeviceID), "Outcome": string(r.Outcome),
				"Code": r.Code, "Detail": r.Detail, "ScheduledDate": r.Scheduled.String(),
			})) {
				return
			}
		}
	})
}

// ReadResponse reads a response.
func ReadResponse(specs *Specs, file string, src io.Reader) ([]ResponseRow, Problems) {
	t, ps := openNamed(specs, "MAR", KindMAR, file)
	if ps != nil {
		return nil, ps
	}
	var out []ResponseRow
	for row := range t.Rows(src) {
		r := ResponseRow{RecordNo: row.Int("RecordNo"), DeviceID: row.EUI("DeviceID"), Outcome: ResponseOutcome(row.Get("Outcome")),
			Code: row.Get("Code"), Detail: row.Get("Detail"), Scheduled: row.Date("ScheduledDate")}
		if (r.Outcome == Accepted) != (r.Code == "") {
			t.Report(row.Line, "Code", "XDF05", "A code comes with every outcome but Accepted, and only then.")
			continue
		}
		out = append(out, r)
	}
	if t.ps.FileFailed() {
		return nil, t.ps
	}
	return out, t.ps
}

// openNamed prepares to read a document whose name follows the grammar of a kind.
func openNamed(specs *Specs, document string, kind Kind, file string) (*Table, Problems) {
	if n, err := ParseName(file); err != nil || n.Kind != kind {
		return nil, Problems{specs.Problem(file, 0, "", "XDF06", nameFault(kind, file, err))}
	}
	t, err := NewTable(specs, document, file)
	if err != nil {
		return nil, Problems{specs.Problem(file, 0, "", "XDF02", err.Error()+".")}
	}
	return t, nil
}

// NoticeName names a document of DCC to a supplier: kind, S1SP, the supplier's identity, time.
func NoticeName(kind Kind, s1sp string, supplier wire.EUI64, at Instant) Name {
	return Name{Kind: kind, S1SP: s1sp, EUI: supplier, Stamp: at.Time, Ext: "csv"}
}
