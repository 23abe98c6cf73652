package document

import (
	"fmt"
	"io"
)

// Registration says who supplies a meter point and whose network it hangs on, for a time
// (the file is ours; it stands for the look-up of the DCC data systems).
type Registration struct {
	Fuel                      Fuel
	MPxN                      MPxN
	Supplier, NetworkOperator EUI
	From, To                  Date // both included; a zero To means still valid
}

// Covers reports whether the registration holds on the day.
func (r Registration) Covers(day Date) bool {
	return !day.Before(r.From) && (r.To.IsZero() || !day.After(r.To))
}

// Registrations is the look-up by meter point.
type Registrations struct {
	byPoint map[MPxN][]Registration
}

// NewRegistrations makes the look-up.
func NewRegistrations(in []Registration) *Registrations {
	r := &Registrations{byPoint: make(map[MPxN][]Registration, len(in))}
	for _, x := range in {
		r.byPoint[x.MPxN] = append(r.byPoint[x.MPxN], x)
	}
	return r
}

// On finds the registration of a meter point that holds on a day.
func (r *Registrations) On(m MPxN, day Date) (Registration, bool) {
	if r == nil {
		return Registration{}, false
	}
	for _, x := range r.byPoint[m] {
		if x.Covers(day) {
			return x, true
		}
	}
	return Registration{}, false
}

// ReadRegistrations reads the look-up from CSV.
func ReadRegistrations(specs *Specs, file string, src io.Reader) (*Registrations, Problems) {
	t, err := NewTable(specs, "REGISTRATIONS", file)
	if err != nil {
		return nil, Problems{specs.Problem(file, 0, "", "XDF02", err.Error()+".")}
	}
	type span struct {
		reg  Registration
		line int
	}
	var out []Registration
	seen := map[MPxN][]span{}
rows:
	for row := range t.Rows(src) {
		r := Registration{Fuel: Fuel(row.Get("Fuel")), MPxN: MPxN(row.Get("MPxN")), Supplier: row.EUI("SupplierID"),
			NetworkOperator: row.EUI("NetworkOperatorID"), From: row.Date("ValidFrom"), To: row.Date("ValidTo")}
		if !r.To.IsZero() && r.To.Before(r.From) {
			t.Report(row.Line, "ValidTo", "XDF05", fmt.Sprintf("The registration ends on %s, before it starts on %s.", r.To, r.From))
			continue
		}
		for _, s := range seen[r.MPxN] {
			if s.reg.Covers(r.From) || r.Covers(s.reg.From) {
				t.Report(row.Line, "ValidFrom", "XDF04", fmt.Sprintf("Meter point %s is registered for some of these days on line %d already.", r.MPxN, s.line))
				continue rows
			}
		}
		seen[r.MPxN] = append(seen[r.MPxN], span{r, row.Line})
		out = append(out, r)
	}
	if t.ps.FileFailed() {
		return nil, t.ps
	}
	return NewRegistrations(out), t.ps
}

// WriteRegistrations writes registrations as [ReadRegistrations] reads them.
func WriteRegistrations(w io.Writer, specs *Specs, in []Registration) error {
	l, err := specs.Layout("REGISTRATIONS")
	if err != nil {
		return err
	}
	return WriteTable(w, specs, "REGISTRATIONS", func(yield func([]string) bool) {
		for _, r := range in {
			if !yield(l.cells(map[string]string{
				"Fuel": string(r.Fuel), "MPxN": string(r.MPxN), "SupplierID": euiText(r.Supplier),
				"NetworkOperatorID": euiText(r.NetworkOperator), "ValidFrom": r.From.String(), "ValidTo": r.To.String(),
			})) {
				return
			}
		}
	})
}
