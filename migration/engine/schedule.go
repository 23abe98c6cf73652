package engine

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/lifecycle"
	"smets1/migration/plan"
)

// horizon is how many days ahead homes are planned.
const horizon = 364

// asOf sets what the documents say of the homes as it holds on a day: a meter
// that was registered to another supplier since the portfolio was made is that
// supplier's, who has not authorised it until he does; what the former one
// authorised holds no longer.
func (e *Engine) asOf(day document.Date) {
	for _, id := range e.order {
		h := e.homes[id]
		doc := *h.base
		doc.Devices = slices.Clone(h.base.Devices)
		for n := range doc.Devices {
			d := &doc.Devices[n]
			if !d.Meter() {
				continue
			}
			row, authorised := e.in.Coverage.Row(d.ID)
			if r, ok := e.in.Registrations.On(d.MPxN, day); ok && r.Supplier != d.Supplier {
				d.Supplier, d.NetworkOperator, d.Status = r.Supplier, r.NetworkOperator, document.Dormant
				if authorised && row.SupplierUserID == d.Supplier {
					d.Status = document.Active
				}
			}
			if authorised && row.SupplierUserID != d.Supplier {
				e.in.Coverage.Revoke(d.ID)
			}
		}
		h.doc = &doc
	}
}

// planning gives the homes that have none their day, changes the day of those
// whose supplier has changed, and tells the suppliers of dormant ones. Cut
// short, it is done again for the time that it began at.
func (e *Engine) planning(ctx context.Context) error {
	if e.run.Planning.IsZero() {
		e.run.Planning = e.cfg.Clock.Now()
		if err := e.journal.saveRun(ctx, e.run); err != nil {
			return err
		}
	}
	at := e.run.Planning
	today := document.DateOf(at)
	e.asOf(today)
	fresh := e.where(is(lifecycle.Candidate))
	var moved []*home // have a day, and need another or a notice of it
	for _, h := range e.where(is(lifecycle.Planned)) {
		if h.doc.Status() == document.Dormant && (!h.told(h.supplied()) || !h.Due.After(at) && document.DateOf(h.NoticedFor) != today) {
			moved = append(moved, h)
		}
	}
	days, err := e.place(append(slices.Clone(fresh), stranded(moved)...), today)
	if err != nil {
		return err
	}
	ready := e.dated(fresh, days, at)
	for _, h := range moved {
		if p, ok := days[h.ID]; ok && !p.Day.IsZero() {
			h.tell(p, at, len(e.upgrades(h)) > 0)
		} else if !ok {
			h.NoticedFor = at // attempted again, under the notice that it had
		}
	}
	var dormant []*home
	for _, h := range append(slices.Clone(ready), moved...) {
		if !h.NoticedFor.IsZero() && h.doc.Status() == document.Dormant {
			dormant = append(dormant, h)
		}
	}
	if err := e.notify(dormant, days, at); err != nil {
		return err
	}
	if err := e.each(ctx, "planning", ready, func(ctx context.Context, h *home) (bool, error) {
		h.Began = time.Time{} // planning is not work on the home
		if h.doc.Exclusion != "" {
			return true, e.move(ctx, h, lifecycle.ExcludeAtOnce, Move{Actor: roleMCC, Code: "XPC08", Detail: h.doc.Exclusion})
		}
		return false, e.move(ctx, h, lifecycle.Plan, Move{Actor: roleRP, Detail: "first attempt on " + document.DateOf(h.Due).String()})
	}); err != nil {
		return err
	}
	for _, h := range moved {
		if err := e.journal.save(ctx, h.Record); err != nil {
			return err
		}
	}
	e.run.Planning = time.Time{}
	return e.journal.saveRun(ctx, e.run)
}

// dated sets the days of homes that are planned for the first time, and gives
// those that leave the state Candidate: the ones with a day, and the ones that
// a day's admission has something to tell of. Nobody has authorised the
// others, or there is no room for them, which may change.
func (e *Engine) dated(fresh []*home, days map[wire.EUI64]document.Placement, at time.Time) []*home {
	var out []*home
	for _, h := range fresh {
		h.Due, h.why = at, nil
		p := days[h.ID]
		switch {
		case !p.Day.IsZero():
			h.Due = later(at, batchStart(p.Day.Time()))
			if h.doc.Status() == document.Dormant {
				h.tell(p, at, len(e.upgrades(h)) > 0)
			}
		case strings.HasPrefix(p.Code, "XPL") && !e.withdrawn(h):
			h.why = failed(p.Code, "%s", p.Detail)
			continue
		}
		out = append(out, h)
	}
	return out
}

// tell sets that the home's suppliers are told at a time of a day.
func (h *home) tell(p document.Placement, at time.Time, firmware bool) {
	h.Due = batchStart(p.Day.Time())
	h.NoticedFor, h.MigrationNotice, h.FirmwareNotice = h.Due, at, time.Time{}
	if firmware {
		h.FirmwareNotice = at
	}
}

// stranded are the homes whose present suppliers have not been told, and so
// need a day after a notice period of their own.
func stranded(homes []*home) []*home {
	var out []*home
	for _, h := range homes {
		if !h.told(h.supplied()) {
			out = append(out, h)
		}
	}
	return out
}

// supplied gives the suppliers of the home's dormant meters.
func (h *home) supplied() map[wire.EUI64]wire.EUI64 {
	out := map[wire.EUI64]wire.EUI64{}
	for _, d := range h.doc.Meters() {
		if d.Status == document.Dormant {
			out[d.ID] = d.Supplier
		}
	}
	return out
}

// told reports whether each meter's supplier has a notice that was not
// cancelled.
func (h *home) told(suppliers map[wire.EUI64]wire.EUI64) bool {
	for meter, supplier := range suppliers {
		if !slices.ContainsFunc(h.Notices, func(s plan.Sent) bool {
			return s.Notice.DeviceID == meter && s.To.Supplier == supplier && s.Notice.Status != document.NoticeCancelled
		}) {
			return false
		}
	}
	return true
}

// withdrawn reports whether a supplier has taken back his authorisation of one
// of the home's active meters.
func (e *Engine) withdrawn(h *home) bool {
	for _, d := range h.doc.Meters() {
		if row, ok := e.in.Coverage.Row(d.ID); ok && row.Withdraw && d.Status == document.Active {
			return true
		}
	}
	return false
}

// place has the plan find a day for each home, beside those that have one.
func (e *Engine) place(homes []*home, today document.Date) (map[wire.EUI64]document.Placement, error) {
	out := map[wire.EUI64]document.Placement{}
	if len(homes) == 0 {
		return out, nil
	}
	docs := make([]document.Installation, len(homes))
	chosen := map[wire.EUI64]bool{}
	for n, h := range homes {
		docs[n] = *h.doc
		chosen[h.ID] = true
	}
	type slot struct {
		s1sp string
		day  document.Date
	}
	taken := map[slot]plan.Ask{}
	for _, h := range e.where(func(s lifecycle.State) bool { return s == lifecycle.Planned || s == lifecycle.RetryWait || inDay(s) }) {
		if chosen[h.ID] {
			continue
		}
		k := slot{strings.ToUpper(h.doc.S1SP), document.DateOf(h.Due)}
		a := taken[k]
		if h.doc.Status() == document.Dormant {
			a.Dormant++
		} else {
			a.Active++
		}
		taken[k] = a
	}
	s, err := plan.Build(plan.Campaign{
		Portfolio: document.NewPortfolio(docs), EPCL: e.in.EPCL, Coverage: e.in.Coverage, Calendar: e.cfg.Calendar, Capacity: e.capacity(), Quotas: e.in.quotas,
		From: today, To: today.AddDays(horizon), MaxAttempts: e.cfg.Specs.Catalogue.GlobalMaxAttempts,
		Taken: func(s1sp string, day document.Date) plan.Ask { return taken[slot{s1sp, day}] },
	})
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	for _, p := range s.Placements {
		out[p.Installation] = p
	}
	return out, nil
}

// capacity is what the days can take: without any limit, everything.
func (e *Engine) capacity() *plan.Capacity {
	limits := e.in.Capacity
	if len(limits) == 0 {
		limits = []document.Constraint{{Kind: document.LimitDCC, From: document.Date{Year: 2000, Month: time.January, Day: 1}, Days: document.EveryDay, Limit: 1 << 30, PerInstallation: 1}}
	}
	return plan.NewCapacity(e.cfg.Calendar, limits)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// upgrades lists the devices whose firmware differs from the eligible
// combination's.
func (e *Engine) upgrades(h *home) []document.Device {
	entry, f := e.target(h, document.DateOf(e.cfg.Clock.Now()))
	if f != nil {
		return nil
	}
	var out []document.Device
	for _, d := range h.devices() {
		if d.Firmware != wanted(entry.Combination, d.Type).Firmware {
			out = append(out, d)
		}
	}
	return out
}

// notify writes the notices of dormant meters, one file a supplier and service
// provider, and keeps with each home what was said. A file that is there was
// written by a planning that was cut short, for the same time.
func (e *Engine) notify(homes []*home, days map[wire.EUI64]document.Placement, at time.Time) error {
	if len(homes) == 0 {
		return nil
	}
	p := plan.Publication{EPCL: e.in.EPCL, Calendar: e.cfg.Calendar, Registrations: e.in.Registrations, Date: document.DateOf(at), Contact: "migration-control@dcc.example"}
	docs := make([]document.Installation, len(homes))
	for n, h := range homes {
		docs[n] = *h.doc
		pl := document.Placement{Installation: h.ID, GroupID: h.doc.GroupID, S1SP: h.doc.S1SP, Status: h.doc.Status(), Firmware: days[h.ID].Firmware}
		pl.Day, pl.Attempt = document.DateOf(h.NoticedFor), h.Attempt+1
		p.Schedule = append(p.Schedule, pl)
		p.Previous = append(p.Previous, h.Notices...)
	}
	p.Portfolio = document.NewPortfolio(docs)
	notices := p.Make()
	for _, to := range notices.Addressees() {
		migration := document.NoticeName(document.KindDMMS, to.S1SP, to.Supplier, document.At(at)).String()
		firmware := document.NoticeName(document.KindDMFW, to.S1SP, to.Supplier, document.At(at)).String()
		if rows := notices.Migration[to]; len(rows) > 0 {
			if err := e.writeOnce(migration, func(b *bytes.Buffer) error { return document.WriteMigrationNotices(b, e.cfg.Specs, rows) }); err != nil {
				return err
			}
			for _, n := range rows {
				if h := e.homes[n.CHFDeviceID]; h != nil && n.Status != document.NoticeCancelled {
					h.Notice = migration
					h.Notices = append(slices.DeleteFunc(h.Notices, func(s plan.Sent) bool { return s.Notice.DeviceID == n.DeviceID }), plan.Sent{To: to, Notice: n})
				}
			}
		}
		if rows := notices.Firmware[to]; len(rows) > 0 {
			if err := e.writeOnce(firmware, func(b *bytes.Buffer) error { return document.WriteFirmwareNotices(b, e.cfg.Specs, rows) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Engine) writeOnce(name string, write func(*bytes.Buffer) error) error {
	path := filepath.Join("files", name)
	if e.written(path) {
		return nil
	}
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return fmt.Errorf("engine: %s: %w", name, err)
	}
	return e.writeFile(path, b.Bytes())
}
