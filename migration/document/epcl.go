package document

import (
	"fmt"
	"io"
	"strings"
)

// Model is a device model as the eligible product combinations list knows it.
type Model struct {
	Manufacturer, Model, Firmware string
}

// IsZero reports whether there is no such device.
func (m Model) IsZero() bool { return m == Model{} }

// String gives manufacturer, model and firmware with spaces between; nothing for no device.
func (m Model) String() string {
	if m.IsZero() {
		return ""
	}
	return m.Manufacturer + " " + m.Model + " " + m.Firmware
}

func (m Model) key() string {
	return strings.ToUpper(m.Manufacturer + "\x00" + m.Model + "\x00" + m.Firmware)
}

// Combination is the key of the list: the models of a home's devices and the communications
// provider (published: SEC F2.10A). An absent device is the zero model.
type Combination struct {
	CommsProvider            string
	CHF, ESME, GSME, Display Model
}

func (c Combination) key() string {
	return strings.Join([]string{strings.ToUpper(c.CommsProvider), c.CHF.key(), c.ESME.key(), c.GSME.key(), c.Display.key()}, "\x01")
}

// String tells the combination as a person would.
func (c Combination) String() string {
	parts := []string{"hub " + c.CHF.String()}
	for _, d := range []struct {
		what string
		m    Model
	}{{"electricity", c.ESME}, {"gas", c.GSME}, {"display", c.Display}} {
		if !d.m.IsZero() {
			parts = append(parts, d.what+" "+d.m.String())
		}
	}
	return strings.Join(parts, ", ") + " over " + c.CommsProvider
}

// EPCLStatus says whether an entry of the list may be used.
type EPCLStatus string

// The statuses of an entry.
const (
	Eligible       EPCLStatus = "Eligible"
	PendingEntry   EPCLStatus = "Pending"
	WithdrawnEntry EPCLStatus = "Withdrawn"
)

// EPCLEntry is one combination of the list.
type EPCLEntry struct {
	EntryID     string
	DateAdded   Date
	GroupID     string
	Combination Combination
	Status      EPCLStatus
}

// EPCL is the list of SMETS1 eligible product combinations.
type EPCL struct {
	Entries []EPCLEntry
	byKey   map[string]int
	byID    map[string]int
}

// NewEPCL makes a list of entries; of two with the same combination the first counts.
func NewEPCL(entries []EPCLEntry) *EPCL {
	l := &EPCL{Entries: entries, byKey: map[string]int{}, byID: map[string]int{}}
	for i, e := range entries {
		if _, ok := l.byKey[e.Combination.key()]; !ok {
			l.byKey[e.Combination.key()] = i
		}
		if _, ok := l.byID[e.EntryID]; !ok {
			l.byID[e.EntryID] = i
		}
	}
	return l
}

// Entry finds an entry by its id.
func (l *EPCL) Entry(id string) (EPCLEntry, bool) {
	i, ok := l.byID[id]
	if !ok {
		return EPCLEntry{}, false
	}
	return l.Entries[i], true
}

// Match finds the entry of a combination that is eligible on the day (check MA110). When there
// is none, why says what is nearest.
func (l *EPCL) Match(c Combination, on Date) (e EPCLEntry, ok bool, why string) {
	i, found := l.byKey[c.key()]
	if !found {
		return EPCLEntry{}, false, "no entry for " + c.String()
	}
	e = l.Entries[i]
	switch {
	case e.Status != Eligible:
		return e, false, fmt.Sprintf("entry %s is %s", e.EntryID, strings.ToLower(string(e.Status)))
	case e.DateAdded.After(on):
		return e, false, fmt.Sprintf("entry %s is on the list from %s only", e.EntryID, e.DateAdded)
	}
	return e, true, ""
}

// Targets gives the eligible entries that differ from c in firmware only: where a firmware
// upgrade can lead. They come in the order of the list.
func (l *EPCL) Targets(c Combination, on Date) []EPCLEntry {
	strip := func(c Combination) string {
		c.CHF.Firmware, c.ESME.Firmware, c.GSME.Firmware, c.Display.Firmware = "", "", "", ""
		return c.key()
	}
	var out []EPCLEntry
	for _, e := range l.Entries {
		if e.Status == Eligible && !e.DateAdded.After(on) && strip(e.Combination) == strip(c) {
			out = append(out, e)
		}
	}
	return out
}

// ReadEPCL reads the list from CSV (columns: ours).
func ReadEPCL(specs *Specs, file string, src io.Reader) (*EPCL, Problems) {
	t, err := NewTable(specs, "EPCL", file)
	if err != nil {
		return nil, Problems{specs.Problem(file, 0, "", "XDF02", err.Error()+".")}
	}
	var entries []EPCLEntry
	ids, keys := map[string]int{}, map[string]int{}
	for row := range t.Rows(src) {
		model := func(role string) Model {
			return Model{row.Get(role + "Manufacturer"), row.Get(role + "Model"), row.Get(role + "Firmware")}
		}
		e := EPCLEntry{
			EntryID: row.Get("EntryID"), DateAdded: row.Date("DateAdded"), GroupID: row.Get("GroupID"),
			Combination: Combination{CommsProvider: row.Get("CommsProvider"), CHF: model("CHF"), ESME: model("ESME"), GSME: model("GSME"), Display: model("PPMID")},
			Status:      EPCLStatus(row.Get("Status")),
		}
		bad := false
		for _, d := range []struct {
			role string
			m    Model
		}{{"GSME", e.Combination.GSME}, {"PPMID", e.Combination.Display}} {
			if d.m.IsZero() {
				continue
			}
			for _, part := range []struct{ suffix, cell string }{{"Manufacturer", d.m.Manufacturer}, {"Model", d.m.Model}, {"Firmware", d.m.Firmware}} {
				if part.cell == "" {
					t.Report(row.Line, d.role+part.suffix, "XDF05", fmt.Sprintf("The %s columns must all be filled, or all be empty.", d.role))
					bad = true
				}
			}
		}
		if line, twice := ids[e.EntryID]; twice {
			t.Report(row.Line, "EntryID", "XDF04", fmt.Sprintf("Entry %s is on line %d already.", e.EntryID, line))
			bad = true
		} else if line, twice := keys[e.Combination.key()]; twice {
			t.Report(row.Line, "CHFModel", "XDF04", fmt.Sprintf("The same combination is on line %d already.", line))
			bad = true
		}
		if bad {
			continue
		}
		ids[e.EntryID], keys[e.Combination.key()] = row.Line, row.Line
		entries = append(entries, e)
	}
	if t.ps.FileFailed() {
		return nil, t.ps
	}
	return NewEPCL(entries), t.ps
}

// WriteEPCL writes the list as [ReadEPCL] reads it.
func WriteEPCL(w io.Writer, specs *Specs, l *EPCL) error {
	lay, err := specs.Layout("EPCL")
	if err != nil {
		return err
	}
	return WriteTable(w, specs, "EPCL", func(yield func([]string) bool) {
		for _, e := range l.Entries {
			v := map[string]string{
				"EntryID": e.EntryID, "DateAdded": e.DateAdded.String(), "GroupID": e.GroupID,
				"CommsProvider": e.Combination.CommsProvider, "Status": string(e.Status),
			}
			for role, m := range map[string]Model{"CHF": e.Combination.CHF, "ESME": e.Combination.ESME, "GSME": e.Combination.GSME, "PPMID": e.Combination.Display} {
				v[role+"Manufacturer"], v[role+"Model"], v[role+"Firmware"] = m.Manufacturer, m.Model, m.Firmware
			}
			if !yield(lay.cells(v)) {
				return
			}
		}
	})
}
