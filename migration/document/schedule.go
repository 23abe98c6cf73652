package document

import (
	"fmt"
	"io"
	"strconv"
)

// Placement is the day of one installation, or the reason why it has none (the file is ours).
type Placement struct {
	Installation EUI
	GroupID      string
	S1SP         string
	Status       Status
	Day          Date // zero where there is none
	Firmware     Date // first day of a firmware upgrade that has to come before; zero where there is none
	Attempt      int
	Code, Detail string // why there is no day
}

// ReadSchedule reads a schedule from CSV.
func ReadSchedule(specs *Specs, file string, src io.Reader) ([]Placement, Problems) {
	t, err := NewTable(specs, "SCHEDULE", file)
	if err != nil {
		return nil, Problems{specs.Problem(file, 0, "", "XDF02", err.Error()+".")}
	}
	var out []Placement
	seen := map[EUI]int{}
	for row := range t.Rows(src) {
		p := Placement{Installation: row.EUI("InstallationID"), GroupID: row.Get("GroupID"), S1SP: row.Get("S1SP"), Status: Status(row.Get("Status")),
			Day: row.Date("PlannedDate"), Firmware: row.Date("FirmwareDate"), Attempt: row.Int("Attempt"), Code: row.Get("Code"), Detail: row.Get("Detail")}
		line, twice := seen[p.Installation]
		switch {
		case twice:
			t.Report(row.Line, "InstallationID", "XDF04", fmt.Sprintf("%s is on line %d already.", p.Installation, line))
			continue
		case p.Day.IsZero() == (p.Code == ""):
			t.Report(row.Line, "Code", "XDF05", "An installation has a planned date or a code, and not both.")
			continue
		case !p.Firmware.IsZero() && !p.Firmware.Before(p.Day):
			t.Report(row.Line, "FirmwareDate", "XDF05", "The firmware upgrade comes before the planned date.")
			continue
		}
		seen[p.Installation] = row.Line
		out = append(out, p)
	}
	if t.ps.FileFailed() {
		return nil, t.ps
	}
	return out, t.ps
}

// WriteSchedule writes a schedule as [ReadSchedule] reads it; records are numbered in their order.
func WriteSchedule(w io.Writer, specs *Specs, in []Placement) error {
	l, err := specs.Layout("SCHEDULE")
	if err != nil {
		return err
	}
	return WriteTable(w, specs, "SCHEDULE", func(yield func([]string) bool) {
		for i, p := range in {
			if !yield(l.cells(map[string]string{"RecordNo": strconv.Itoa(i + 1), "InstallationID": p.Installation.String(), "GroupID": p.GroupID, "S1SP": p.S1SP,
				"Status": string(p.Status), "PlannedDate": p.Day.String(), "FirmwareDate": p.Firmware.String(), "Attempt": strconv.Itoa(p.Attempt),
				"Code": p.Code, "Detail": detail(p.Detail)})) {
				return
			}
		}
	})
}
