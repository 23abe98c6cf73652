package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"smets1/migration/document"
	"smets1/migration/lifecycle"
)

// Run is what a migration run left in its folder: outcome.json, audit.jsonl and the documents in files/.
type Run struct {
	Folder string
	Data   Data
	Head   Head // end of the audit trail, for whoever keeps it elsewhere
	// Problems are documents of the run that could not be read; they leave gaps in R05 and nowhere else.
	Problems document.Problems
}

// LoadRun reads a run's folder. The audit trail is verified link by link; a trail that was changed is an error, for no report
// should be made of it.
func LoadRun(specs *document.Specs, folder string, portfolio *document.Portfolio) (*Run, error) {
	r := &Run{Folder: folder, Data: Data{Portfolio: portfolio, Catalogue: specs.Catalogue}}
	f, err := os.Open(filepath.Join(folder, "audit.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("%w: %s is not the folder of a run", err, folder)
	}
	defer f.Close() //nolint:errcheck // only read
	r.Head, err = VerifyTrail(f, func(m Record) error {
		r.Data.Moves = append(r.Data.Moves, m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := r.outcomes(filepath.Join(folder, "outcome.json")); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(folder, "files"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		r.Data.Files = append(r.Data.Files, e.Name())
		if err := r.notices(specs, e.Name()); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Path gives the path of one of the run's documents.
func (r *Run) Path(name string) string { return filepath.Join(r.Folder, "files", name) }

// outcomes reads the outcome report; what it does not carry (meters, standing) follows from the portfolio and the trail.
func (r *Run) outcomes(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var t struct {
		AsAt        time.Time           `json:"asAt"`
		GeneratedBy string              `json:"generatedBy"`
		Rows        []map[string]string `json:"rows"`
	}
	if err := json.Unmarshal(b, &t); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	r.Data.AsAt, r.Data.GeneratedBy = t.AsAt, t.GeneratedBy
	hs := r.Data.histories()
	for n, row := range t.Rows {
		h := Home{GroupID: row["GroupID"], Cohort: row["Cohort"], Status: document.Status(row["Status"]), Phase: row["Phase"], Outcome: row["Outcome"],
			Code: row["Code"], NextStep: row["NextStep"], Standing: Remaining}
		if err := h.Installation.UnmarshalText([]byte(row["Installation"])); err != nil {
			return fmt.Errorf("%s: row %d: %w", path, n+1, err)
		}
		h.Attempts = number(row["Attempts"])
		h.Start, h.End = when(row["Start"]), when(row["End"])
		if x := hs[h.Installation]; x != nil {
			h.Attempted = len(x.attempts) > 0
			h.Standing = standing(x.last)
		}
		if in, ok := r.Data.Portfolio.Installation(h.Installation); ok {
			h.Meters = meters(in, h)
		}
		r.Data.Homes = append(r.Data.Homes, h)
	}
	return nil
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

func when(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

func standing(state string) Standing {
	switch state {
	case lifecycle.Migrated.String():
		return Migrated
	case lifecycle.Excluded.String():
		return Excluded
	case lifecycle.Withdrawn.String():
		return Withdrawn
	}
	return Remaining
}

// meters gives the meters of a home with their own outcomes: of a home that was commissioned in part, the gas meter stayed behind.
func meters(in *document.Installation, h Home) []Meter {
	var out []Meter
	for _, d := range in.Meters() {
		m := Meter{Fuel: d.Fuel(), MPxN: d.MPxN, DeviceID: d.ID, Supplier: d.Supplier, Outcome: h.Outcome, Code: h.Code}
		if h.Outcome == string(document.PartiallyCommissioned) {
			m.Outcome, m.Code = string(document.Commissioned), ""
			if d.Type == document.GSME {
				m.Outcome, m.Code = string(document.CommissioningFailed), h.Code
			}
		}
		out = append(out, m)
	}
	return out
}

// notices reads a dormant meter notice of the run.
func (r *Run) notices(specs *document.Specs, name string) error {
	n, err := document.ParseName(name)
	if err != nil || n.Kind != document.KindDMMS && n.Kind != document.KindDMFW {
		return nil // some other document
	}
	f, err := os.Open(r.Path(name))
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	add := func(meter document.EUI, firmware, cancelled bool) {
		x := DormantNotice{Supplier: n.EUI, Meter: meter, Firmware: firmware, Cancelled: cancelled}
		if in, ok := r.Data.Portfolio.ByDevice(meter); ok {
			x.Installation = in.ID
		}
		r.Data.Notices = append(r.Data.Notices, x)
	}
	if n.Kind == document.KindDMFW {
		rows, ps := document.ReadFirmwareNotices(specs, name, f)
		r.Problems = append(r.Problems, ps...)
		for _, x := range rows {
			add(x.DeviceID, true, false)
		}
		return nil
	}
	rows, ps := document.ReadMigrationNotices(specs, name, f)
	r.Problems = append(r.Problems, ps...)
	for _, x := range rows {
		add(x.DeviceID, false, x.Status == document.NoticeCancelled)
	}
	return nil
}

// WriteAll makes every report and the page into a folder. An account that does not balance (R09) is reported after all files are
// written; the table shows where.
func WriteAll(folder string, d Data) ([]string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	var names []string
	var imbalance error
	write := func(name string, to func(io.Writer) error) error {
		var b strings.Builder
		if err := to(&b); err != nil {
			return err
		}
		names = append(names, name)
		return replace(filepath.Join(folder, name), []byte(b.String()))
	}
	for _, def := range Reports {
		t, err := Build(def.ID, d)
		if t == nil {
			return names, err
		}
		if err != nil {
			imbalance = err
		}
		if err := errors.Join(write(def.File+".csv", t.WriteCSV), write(def.File+".json", t.WriteJSON)); err != nil {
			return names, err
		}
	}
	if err := write("report.html", func(w io.Writer) error { return WritePage(w, d) }); err != nil {
		return names, err
	}
	slices.Sort(names)
	return names, imbalance
}

// replace writes a file whole or not at all, and has it on disk before it returns.
func replace(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
