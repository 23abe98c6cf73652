package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"smets1/migration/document"
	"smets1/migration/lifecycle"
	"smets1/migration/report"
)

// Outcome is where one home ended, for a person.
type Outcome struct {
	Home     document.EUI
	Cohort   string
	Status   document.Status // as the portfolio has it
	State    lifecycle.State
	Reached  lifecycle.State // the furthest on the main line, over all attempts
	Outcome  document.CommissioningOutcome
	Code     string // of the last failure; empty after success
	Detail   string
	Attempts int
	Duration time.Duration // virtual, from the first work on the home to the last
	// Owner is whose keys the home ended under, as the engine understands it.
	Owner string
}

// Outcomes lists where the homes ended, in the order of the portfolio.
func (e *Engine) Outcomes() []Outcome {
	out := make([]Outcome, 0, len(e.order))
	for _, id := range e.order {
		h := e.homes[id]
		o := Outcome{Home: id, Cohort: h.doc.Cohort, Status: h.base.Status(), State: h.State(), Outcome: document.NotAttempted, Attempts: h.Attempt, Owner: "SMSO"}
		for _, m := range h.Moves {
			if m.To <= lifecycle.Migrated && m.To > o.Reached {
				o.Reached = m.To
			}
			if m.To == lifecycle.Quiesced {
				o.Outcome = document.CommissioningFailed
			}
		}
		if h.State() == lifecycle.Migrated {
			o.Outcome, o.Owner = document.Commissioned, e.owner(h)
			if h.ElectricityOnly {
				o.Outcome = document.PartiallyCommissioned
				o.Code, o.Detail = gasCode(h), "gas meter left with its operator"
			}
		} else {
			f := h.LastFailure()
			o.Code, o.Detail = f.Code, f.Detail
		}
		if !h.Began.IsZero() && h.Ended.After(h.Began) {
			o.Duration = h.Ended.Sub(h.Began)
		}
		out = append(out, o)
	}
	return out
}

// gasCode is why a home went without its gas meter.
func gasCode(h *home) string {
	if h.Failures["GT01"] > 0 {
		return "GT01"
	}
	return ""
}

// Report writes the reports and the audit trail of the run as it stands.
func (e *Engine) Report(ctx context.Context, generatedBy string) error {
	data := e.data(generatedBy)
	var errs []error
	for _, r := range []struct{ id, file string }{{"OUT", "outcome"}, {"R01", "R01-daily-outcome"}, {"R09", "R09-reconciliation"}} {
		t, err := report.Build(r.id, data)
		if t == nil {
			return fmt.Errorf("engine: %w", err)
		}
		errs = append(errs, err)
		var csv, json bytes.Buffer
		if err := errors.Join(t.WriteCSV(&csv), t.WriteJSON(&json)); err != nil {
			return fmt.Errorf("engine: report %s: %w", r.id, err)
		}
		if err := errors.Join(e.writeFile(r.file+".csv", csv.Bytes()), e.writeFile(r.file+".json", json.Bytes())); err != nil {
			return err
		}
	}
	return errors.Join(append(errs, e.audit(ctx), e.note("reports"))...)
}

// data is what reports are made of.
func (e *Engine) data(generatedBy string) report.Data {
	data := report.Data{AsAt: e.cfg.Clock.Now(), GeneratedBy: generatedBy, Portfolio: e.in.Portfolio, Catalogue: e.cfg.Specs.Catalogue}
	for n, o := range e.Outcomes() {
		h := e.homes[e.order[n]]
		data.Homes = append(data.Homes, report.Home{
			Installation: o.Home, GroupID: h.doc.GroupID, Cohort: o.Cohort, Status: o.Status, Meters: meters(h, o),
			Phase: PhaseReached(o), Outcome: string(o.Outcome), Code: o.Code, Attempts: o.Attempts, Start: h.Began, End: h.Ended,
			NextStep: e.nextStep(h), Standing: standing(o.State), Attempted: o.Outcome != document.NotAttempted,
		})
	}
	return data
}

// audit writes every move of the run, in the order in which they were made, as
// a chain in which no line can be changed or left out.
func (e *Engine) audit(context.Context) error {
	type line struct {
		h *home
		m Move
	}
	var lines []line
	for _, h := range e.homes {
		for _, m := range h.Moves {
			lines = append(lines, line{h, m})
		}
	}
	slices.SortFunc(lines, func(a, b line) int { return int(a.m.Seq) - int(b.m.Seq) })
	var b bytes.Buffer
	trail := report.NewTrail(&b, report.Head{})
	for _, l := range lines {
		_, err := trail.Append(report.Record{
			Time: l.m.Time, Who: l.m.Actor, Installation: l.h.ID, From: l.m.From.String(), To: l.m.To.String(),
			Artefact: l.m.Artefact, SHA256: l.m.Digest, Code: l.m.Code, Detail: l.m.Detail,
		})
		if err != nil {
			return fmt.Errorf("engine: %w", err)
		}
	}
	return e.writeFile("audit.jsonl", b.Bytes())
}

// Path gives the path of something that the engine wrote to its folder.
func (e *Engine) Path(name string) string { return filepath.Join(e.cfg.Out, name) }

// PhaseReached names the furthest phase that a home came to.
func PhaseReached(o Outcome) string {
	if o.State == lifecycle.Migrated {
		return lifecycle.Commission.String()
	}
	return o.Reached.Phase().String()
}

func standing(s lifecycle.State) report.Standing {
	switch s {
	case lifecycle.Migrated:
		return report.Migrated
	case lifecycle.Excluded:
		return report.Excluded
	case lifecycle.Withdrawn:
		return report.Withdrawn
	default:
		return report.Remaining
	}
}

func meters(h *home, o Outcome) []report.Meter {
	var out []report.Meter
	for _, d := range h.doc.Meters() {
		m := report.Meter{Fuel: d.Fuel(), MPxN: d.MPxN, DeviceID: d.ID, Supplier: d.Supplier, Outcome: string(o.Outcome), Code: o.Code}
		if o.Outcome == document.PartiallyCommissioned {
			m.Outcome, m.Code = string(document.Commissioned), ""
			if d.Type == document.GSME {
				m.Outcome, m.Code = string(document.CommissioningFailed), o.Code
			}
		}
		out = append(out, m)
	}
	return out
}

// nextStep says what comes next for a home, and whose it is.
func (e *Engine) nextStep(h *home) string {
	switch h.State() {
	case lifecycle.Migrated:
		if h.ElectricityOnly {
			return "none for electricity; the gas meter stays with its operator"
		}
		return "none"
	case lifecycle.Candidate:
		if h.why != nil {
			c, _ := e.cfg.Specs.Catalogue.Lookup(h.why.code)
			return "to be planned: " + c.Owner + ": " + c.Remedy
		}
		return "to be planned"
	case lifecycle.Planned, lifecycle.RetryWait:
		return "attempt on " + document.DateOf(h.Due).String()
	case lifecycle.Withdrawn:
		return "none; the supplier withdrew"
	default:
		c, ok := e.cfg.Specs.Catalogue.Lookup(h.LastFailure().Code)
		if !ok {
			return "under way"
		}
		return c.Owner + ": " + c.Remedy
	}
}
