package document

import (
	"fmt"
	"io"
	"strconv"
)

// ConstraintKind is what limits the number of installations of a day (ours; that capacity is constrained is published).
type ConstraintKind string

// The constraints. DormantShare is not a limit of the day but of the part of it that the dormant programme may take.
const (
	LimitDCC     ConstraintKind = "DCC"
	LimitS1SP    ConstraintKind = "S1SP"
	LimitDCO     ConstraintKind = "DCO"
	LimitRP      ConstraintKind = "RP"
	LimitSMS     ConstraintKind = "SMSGateway"
	DormantShare ConstraintKind = "DormantShare"
)

// DayKind says on which days a constraint holds.
type DayKind string

// The kinds of day. Working days are Monday to Friday without bank holidays.
const (
	EveryDay      DayKind = "Every"
	WorkingDay    DayKind = "Working"
	NonWorkingDay DayKind = "NonWorking"
)

// Constraint is one limit.
type Constraint struct {
	Line            int
	Kind            ConstraintKind
	S1SP            string // empty: for all together
	From, To        Date   // both included; a zero To means without end
	Days            DayKind
	Limit           int // in units of the constraint, a day
	PerInstallation int // units that one installation uses
}

// ReadCapacity reads the constraints from CSV.
func ReadCapacity(specs *Specs, file string, src io.Reader) ([]Constraint, Problems) {
	t, err := NewTable(specs, "CAPACITY", file)
	if err != nil {
		return nil, Problems{specs.Problem(file, 0, "", "XDF02", err.Error()+".")}
	}
	var out []Constraint
	for row := range t.Rows(src) {
		c := Constraint{Line: row.Line, Kind: ConstraintKind(row.Get("Constraint")), S1SP: row.Get("S1SP"), From: row.Date("ValidFrom"), To: row.Date("ValidTo"),
			Days: DayKind(row.Get("Days")), Limit: row.Int("Limit"), PerInstallation: row.Int("PerInstallation")}
		switch {
		case !c.To.IsZero() && c.To.Before(c.From):
			t.Report(row.Line, "ValidTo", "XDF05", fmt.Sprintf("The constraint ends on %s, before it starts on %s.", c.To, c.From))
		case c.Kind == DormantShare && c.S1SP == "":
			t.Report(row.Line, "S1SP", "XDF05", "The share of the dormant programme is per S1SP; name it.")
		default:
			out = append(out, c)
		}
	}
	if t.ps.FileFailed() {
		return nil, t.ps
	}
	return out, t.ps
}

// WriteCapacity writes constraints as [ReadCapacity] reads them.
func WriteCapacity(w io.Writer, specs *Specs, in []Constraint) error {
	l, err := specs.Layout("CAPACITY")
	if err != nil {
		return err
	}
	return WriteTable(w, specs, "CAPACITY", func(yield func([]string) bool) {
		for _, c := range in {
			if !yield(l.cells(map[string]string{"Constraint": string(c.Kind), "S1SP": c.S1SP, "ValidFrom": c.From.String(), "ValidTo": c.To.String(),
				"Days": string(c.Days), "Limit": strconv.Itoa(c.Limit), "PerInstallation": strconv.Itoa(c.PerInstallation)})) {
				return
			}
		}
	})
}
