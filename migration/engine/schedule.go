package engine

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/lifecycle"
)

// accept holds the rows of an authorisation against what is known and takes
// over the good ones.
func (p *Programme) accept(specs *document.Specs, a *document.Authorisation, found document.Problems) {
	facts := document.AuthorisationFacts{
		Facts:     &document.Facts{Specs: specs, EPCL: p.epcl, Registrations: p.registrations, Certificates: p.certificates, Coverage: p.coverage},
		Portfolio: p.Portfolio,
	}
	good, ps := facts.CheckAuthorisation(a)
	p.Problems = append(p.Problems, ps...)
	p.coverage.Apply(good)
	p.answers = append(p.answers, response{a.Name.With(document.KindMAR, "csv"), document.Respond(good.Rows, append(slices.Clone(found), ps...))})
}

// response is the answer to one authorisation.
type response struct {
	name document.Name
	rows []document.ResponseRow
}

// answer writes a response file for every authorisation that could be opened.
func (e *Engine) answer(context.Context) error {
	for _, r := range e.in.answers {
		for n := range r.rows {
			row := &r.rows[n]
			if row.Outcome != document.Accepted {
				continue
			}
			if a, ok := e.in.coverage.Row(row.DeviceID); ok {
				row.Scheduled = a.Earliest
			}
		}
		var b bytes.Buffer
		if err := document.WriteResponse(&b, e.cfg.Specs, r.rows); err != nil {
			return fmt.Errorf("engine: %s: %w", r.name, err)
		}
		if err := e.writeFile(filepath.Join("files", r.name.String()), b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// schedule gives every new installation its day, and tells the suppliers of
// the dormant ones.
func (e *Engine) schedule(ctx context.Context) error {
	fresh := e.where(is(lifecycle.Candidate))
	if len(fresh) == 0 {
		return nil
	}
	// From the start of the run and not from now, so that a start that was cut
	// short is repeated and not told twice with other dates.
	from := e.run.Started
	var dormant []*home
	for _, h := range fresh {
		h.Due = from
		if _, f := e.target(h, document.DateOf(from)); f != nil {
			continue // never to be migrated as it is: the day's admission says so
		}
		if h.doc.Status() == document.Dormant && h.doc.Exclusion == "" {
			h.MigrationNotice = from
			wait := e.cfg.MigrationNotice
			if e.upgrades(h) != nil {
				h.FirmwareNotice = from
				wait = max(wait, e.cfg.FirmwareNotice)
			}
			h.Due = batchStart(from.Add(wait).Add(16 * time.Hour)) // the first batch after the notice has run
			h.NoticedFor = h.Due
			dormant = append(dormant, h)
		}
	}
	if err := e.notify(dormant, document.NoticeNew, from); err != nil {
		return err
	}
	return e.each(ctx, "planning", fresh, func(ctx context.Context, h *home) (bool, error) {
		h.Began = time.Time{} // planning is not work on the home
		if h.doc.Exclusion != "" {
			return true, e.move(ctx, h, lifecycle.ExcludeAtOnce, Move{Actor: roleMCC, Code: "XPC08", Detail: h.doc.Exclusion})
		}
		if h.doc.Status() == document.Active {
			for _, d := range h.doc.Meters() {
				if row, ok := e.in.coverage.Row(d.ID); ok {
					h.Due = later(h.Due, batchStart(row.Earliest.Time()))
				}
			}
		}
		return false, e.move(ctx, h, lifecycle.Plan, Move{Actor: roleRP, Detail: "first attempt on " + document.DateOf(h.Due).String()})
	})
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
	entry, f := e.target(h, document.DateOf(e.run.Started))
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

// reschedule tells the suppliers of dormant homes whose day has changed.
func (e *Engine) reschedule(due []*home) error {
	now := e.cfg.Clock.Now()
	today := document.DateOf(now)
	var moved []*home
	for _, h := range due {
		if !h.MigrationNotice.IsZero() && document.DateOf(h.NoticedFor) != today {
			h.NoticedFor = now
			moved = append(moved, h)
		}
	}
	return e.notify(moved, document.NoticeRescheduled, now)
}

// notify writes the notices of dormant meters, one file a supplier and service
// provider.
func (e *Engine) notify(homes []*home, status document.NoticeStatus, at time.Time) error {
	type addressee struct {
		s1sp     string
		supplier wire.EUI64
	}
	migration := map[addressee][]document.MigrationNotice{}
	firmware := map[addressee][]document.FirmwareNotice{}
	var order []addressee
	for _, h := range homes {
		upgrades := map[wire.EUI64]string{}
		if status == document.NoticeNew {
			entry, _ := e.target(h, document.DateOf(at))
			for _, d := range e.upgrades(h) {
				upgrades[d.ID] = wanted(entry.Combination, d.Type).Firmware
			}
		}
		meters := h.doc.Meters()
		for n, d := range meters {
			to := addressee{h.doc.S1SP, d.Supplier}
			if migration[to] == nil {
				order = append(order, to)
			}
			notice := document.MigrationNotice{
				Fuel: d.Fuel(), MPxN: d.MPxN, DeviceID: d.ID, CHFDeviceID: h.ID, Manufacturer: d.Manufacturer, Model: d.Model, Firmware: d.Firmware,
				PaymentMode: d.PaymentMode, Planned: document.DateOf(h.NoticedFor), Attempt: h.Attempt + 1, Status: status,
			}
			if len(meters) == 2 {
				notice.OtherFuelSupplier = meters[1-n].Supplier
			}
			migration[to] = append(migration[to], notice)
			if fw := upgrades[d.ID]; fw != "" {
				firmware[to] = append(firmware[to], document.FirmwareNotice{
					Fuel: d.Fuel(), MPxN: d.MPxN, DeviceID: d.ID, DeviceType: d.Type, Manufacturer: d.Manufacturer, Model: d.Model,
					CurrentFirmware: d.Firmware, TargetFirmware: fw, PlannedStart: document.DateOf(h.Due), PlannedEnd: document.DateOf(h.Due),
					Attempt: 1, ContactEmail: "migration-control@dcc.example",
				})
			}
			h.Notice = document.NoticeName(document.KindDMMS, to.s1sp, to.supplier, document.At(at)).String()
		}
	}
	for _, to := range order {
		var b bytes.Buffer
		if err := document.WriteMigrationNotices(&b, e.cfg.Specs, migration[to]); err != nil {
			return fmt.Errorf("engine: migration notice: %w", err)
		}
		if err := e.writeFile(filepath.Join("files", document.NoticeName(document.KindDMMS, to.s1sp, to.supplier, document.At(at)).String()), b.Bytes()); err != nil {
			return err
		}
		if len(firmware[to]) == 0 {
			continue
		}
		b.Reset()
		if err := document.WriteFirmwareNotices(&b, e.cfg.Specs, firmware[to]); err != nil {
			return fmt.Errorf("engine: firmware notice: %w", err)
		}
		if err := e.writeFile(filepath.Join("files", document.NoticeName(document.KindDMFW, to.s1sp, to.supplier, document.At(at)).String()), b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
