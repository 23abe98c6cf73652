package engine

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"smets1/internal/wire"
	"smets1/migration/document"
)

// granted counts what suppliers were given of their allocations: the homes of
// each supplier, S1SP and first day of a window, so that a second file for a
// day comes on top of the first.
type granted struct {
	homes map[grant]map[wire.EUI64]bool
	at    map[holder]grant
}

type grant struct {
	supplier wire.EUI64
	s1sp     string
	day      document.Date
}

type holder struct{ supplier, home wire.EUI64 }

func newGranted() granted {
	return granted{map[grant]map[wire.EUI64]bool{}, map[holder]grant{}}
}

// give counts a row of a home; the home's earlier place, if any, is free again.
func (g granted) give(k grant, home wire.EUI64, withdrawn bool) {
	h := holder{k.supplier, home}
	if was, ok := g.at[h]; ok {
		delete(g.homes[was], home)
		delete(g.at, h)
	}
	if withdrawn {
		return
	}
	if g.homes[k] == nil {
		g.homes[k] = map[wire.EUI64]bool{}
	}
	g.homes[k][home], g.at[h] = true, k
}

// home gives the installation that a meter belongs to, or the meter.
func (p *Programme) home(meter wire.EUI64) wire.EUI64 {
	if in, ok := p.Portfolio.ByDevice(meter); ok {
		return in.ID
	}
	return meter
}

// accept holds the rows of an authorisation against what is known and takes
// over the good ones: those that were accepted before, those that waited in
// reserve and now have room, and all good ones of a file that is new.
func (p *Programme) accept(a *document.Authorisation, found document.Problems) {
	facts := document.AuthorisationFacts{
		Facts:     &document.Facts{Specs: p.intake.Specs, EPCL: p.EPCL, Registrations: p.Registrations, Certificates: p.Certificates, Coverage: p.Coverage},
		Portfolio: p.Portfolio, Calendar: p.intake.Calendar, Scheduled: p.intake.Scheduled,
	}
	s1sp := strings.ToUpper(a.Name.S1SP)
	if p.quotas != nil {
		mine := map[wire.EUI64]bool{}
		for _, r := range a.Rows {
			mine[p.home(r.DeviceID)] = true
		}
		facts.Allocation = func(supplier document.EUI, day document.Date) (limit, reserve int) {
			q := p.quotas.Of(supplier, s1sp, day)
			used := 0
			for home := range p.granted.homes[grant{supplier, s1sp, day}] {
				if !mine[home] {
					used++
				}
			}
			return max(0, q.Firm-used), q.Reserve
		}
	}
	good, ps := facts.CheckAuthorisation(a)
	name := a.Name.With(document.KindMAR, "csv")
	answer := response{name: name}
	if p.intake.Answered != nil {
		answer.rows = slices.Clone(p.intake.Answered(name.String()))
	}
	if answer.rows == nil {
		answer.rows, answer.changed = document.Respond(good.Rows, append(slices.Clone(found), ps...)), true
		for n := range answer.rows {
			if row := &answer.rows[n]; row.Outcome == document.Accepted {
				row.Scheduled = earliest(good.Rows, row.RecordNo)
			}
		}
	} else {
		good, ps = answer.settle(a, good, ps)
	}
	p.Problems = append(p.Problems, ps...)
	p.Coverage.Apply(good)
	for _, r := range good.Rows {
		p.granted.give(grant{r.SupplierUserID, s1sp, r.Earliest}, p.home(r.DeviceID), r.Withdraw)
	}
	p.answers = append(p.answers, answer)
}

func earliest(rows []document.AuthorisationRow, record int) document.Date {
	i := slices.IndexFunc(rows, func(r document.AuthorisationRow) bool { return r.RecordNo == record })
	if i < 0 {
		return document.Date{}
	}
	return rows[i].Earliest
}

// response is the answer to one authorisation.
type response struct {
	name    document.Name
	rows    []document.ResponseRow
	changed bool // since it was last given
}

// settle keeps to an answer that was given: of the rows, those accepted then
// are good whatever is known now, those in reserve may move up, and no other.
// The problems left are those of rows that are not good.
func (r *response) settle(a, now *document.Authorisation, ps document.Problems) (*document.Authorisation, document.Problems) {
	out := &document.Authorisation{Name: a.Name, SHA256: a.SHA256}
	lines := map[int]bool{}
	for _, row := range a.Rows {
		n := slices.IndexFunc(r.rows, func(x document.ResponseRow) bool { return x.RecordNo == row.RecordNo })
		if n < 0 {
			continue
		}
		was := &r.rows[n]
		up := slices.ContainsFunc(now.Rows, func(x document.AuthorisationRow) bool { return x.RecordNo == row.RecordNo })
		if was.Outcome == document.Deferred && up {
			*was, r.changed = document.ResponseRow{RecordNo: row.RecordNo, DeviceID: row.DeviceID, Outcome: document.Accepted, Scheduled: row.Earliest}, true
		}
		if was.Outcome == document.Accepted {
			out.Rows = append(out.Rows, row)
			lines[row.Line] = true
		}
	}
	return out, slices.DeleteFunc(ps, func(p document.Problem) bool { return lines[p.Row] })
}

// answer writes the response files that are new or have changed. What was
// answered is in the journal before the file is.
func (e *Engine) answer(ctx context.Context) error {
	for _, r := range e.in.answers {
		path := filepath.Join("files", r.name.String())
		if !r.changed && e.written(path) {
			continue
		}
		if r.changed {
			if err := e.journal.saveAnswer(ctx, r.name.String(), r.rows); err != nil {
				return err
			}
		}
		var b bytes.Buffer
		if err := document.WriteResponse(&b, e.cfg.Specs, r.rows); err != nil {
			return fmt.Errorf("engine: %s: %w", r.name, err)
		}
		if err := e.writeFile(path, b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
