package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"smets1/migration/document"
	"smets1/migration/lifecycle"
	"smets1/migration/plan"
)

// Roles, as the audit trail names them.
const (
	roleRP   = "RP"
	roleS1SP = "S1SP"
	roleCP   = "CP"
	roleMCC  = "MCC"
)

// begin opens the day for every home that is due: authorised or notified, or
// held back.
func (e *Engine) begin(ctx context.Context) error {
	if err := e.excludeSpent(ctx); err != nil {
		return err
	}
	now := e.cfg.Clock.Now()
	for _, h := range e.where(is(lifecycle.RetryWait)) {
		if h.Due.After(now) {
			continue
		}
		if err := e.move(ctx, h, lifecycle.Retry, Move{Actor: roleRP}); err != nil {
			return err
		}
	}
	if err := e.planning(ctx); err != nil {
		return err
	}
	due, err := e.due(ctx, now)
	if err != nil {
		return err
	}
	return e.each(ctx, "authorisation", due, func(ctx context.Context, h *home) (bool, error) {
		h.Attempt++
		h.Set, h.Taken, h.Repointed, h.Evidence = "", nil, false, Evidence{}
		edge, m, wait := e.admit(h, now)
		if !wait.IsZero() {
			h.Attempt--
			h.Due = wait
			return false, e.journal.save(ctx, h.Record)
		}
		m.Actor = roleRP
		if m.Code != "" {
			h.Failures[m.Code]++
			h.Ended = now
		}
		return m.Code != "", e.move(ctx, h, edge, m)
	})
}

// due gives the homes that may be taken up at a time. Where more are due than
// the day can take, those due last wait until the next.
func (e *Engine) due(ctx context.Context, now time.Time) ([]*home, error) {
	today := document.DateOf(now)
	var due []*home
	begun := map[string]plan.Ask{}
	add := func(asks map[string]plan.Ask, h *home) plan.Ask {
		s := strings.ToUpper(h.doc.S1SP)
		a := asks[s]
		if h.doc.Status() == document.Dormant {
			a.Dormant++
		} else {
			a.Active++
		}
		asks[s] = a
		return a
	}
	asks := map[string]plan.Ask{}
	for _, id := range e.order {
		h := e.homes[id]
		switch {
		case h.State() == lifecycle.Planned && !h.Due.After(now):
			due = append(due, h)
			add(asks, h)
		case h.begunOn(today):
			add(begun, h)
			add(asks, h)
		}
	}
	if len(e.in.Capacity) == 0 {
		return due, nil
	}
	slices.SortStableFunc(due, func(a, b *home) int { return a.Due.Compare(b.Due) })
	rooms := e.capacity().Effective(today, asks)
	var out []*home
	for _, h := range due {
		room := rooms[strings.ToUpper(h.doc.S1SP)]
		a := add(begun, h)
		if h.doc.Status() == document.Dormant && a.Dormant <= room.Dormant || h.doc.Status() == document.Active && a.Active <= room.Active.Units {
			out = append(out, h)
			continue
		}
		h.Due = batchStart(now.AddDate(0, 0, 1))
		if err := e.journal.save(ctx, h.Record); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// begunOn reports whether the home was taken up on a day.
func (h *home) begunOn(day document.Date) bool {
	for n := len(h.Moves) - 1; n >= 0; n-- {
		m := h.Moves[n]
		if (m.To == lifecycle.Authorised || m.To == lifecycle.Notified) && document.DateOf(m.Time) == day {
			return true
		}
	}
	return false
}

// admit decides whether a home may be taken up now: by an authorisation that
// covers the day, or by notices that were sent in time. A non-zero wait says
// that it may be, but not before.
func (e *Engine) admit(h *home, now time.Time) (edge lifecycle.Edge, m Move, wait time.Time) {
	day := document.DateOf(now)
	if _, f := e.target(h, day); f != nil {
		return lifecycle.Hold, Move{Code: f.code, Detail: f.detail}, time.Time{}
	}
	for _, d := range h.doc.Meters() {
		if _, ok := e.in.Registrations.On(d.MPxN, day); !ok {
			return lifecycle.Hold, Move{Code: "XPC07", Detail: fmt.Sprintf("meter point %s is not registered to anybody on %s", d.MPxN, day)}, time.Time{}
		}
	}
	if h.doc.Status() == document.Dormant {
		if !h.told(h.supplied()) {
			return lifecycle.Hold, Move{Code: "XPC06", Detail: "no day could be found that its supplier could be told of in time"}, time.Time{}
		}
		first := document.DateOf(h.MigrationNotice).AddDays(e.cfg.Calendar.MigrationNotice)
		if !h.FirmwareNotice.IsZero() {
			if fw := document.DateOf(h.FirmwareNotice).AddDays(e.cfg.Calendar.FirmwareNotice); fw.After(first) {
				first = fw
			}
		}
		if first.After(day) {
			return lifecycle.Edge{}, Move{}, batchStart(first.Time())
		}
		return lifecycle.Notify, Move{Artefact: h.Notice}, time.Time{}
	}
	ref := ""
	for _, d := range h.doc.Meters() {
		if d.Status != document.Active || d.Type == document.GSME && h.ElectricityOnly {
			continue
		}
		if _, r, ok := e.in.Coverage.Covers(d.ID, day); ok {
			if ref == "" {
				ref = r
			}
			continue
		}
		if row, ok := e.in.Coverage.Row(d.ID); ok && !row.Withdraw && day.Before(row.Earliest) {
			return lifecycle.Edge{}, Move{}, batchStart(row.Earliest.Time())
		}
		if d.Type == document.GSME && e.electricityOnlyPermitted(h) {
			h.ElectricityOnly = true
			continue
		}
		if row, ok := e.in.Coverage.Row(d.ID); ok && row.Withdraw {
			return lifecycle.Withdraw, Move{Artefact: ref}, time.Time{}
		}
		return lifecycle.Hold, Move{Code: "XPC06", Detail: fmt.Sprintf("no authorisation covers %s %s on %s", d.Type, d.ID, day)}, time.Time{}
	}
	return lifecycle.Authorise, Move{Artefact: ref}, time.Time{}
}

// electricityOnlyPermitted reports whether the supplier of the electricity
// meter said that electricity may go alone. A dormant home's supplier is not
// asked.
func (e *Engine) electricityOnlyPermitted(h *home) bool {
	d, ok := h.doc.Device(document.ESME)
	if !ok {
		return false
	}
	if h.doc.Status() == document.Dormant {
		return true
	}
	row, ok := e.in.Coverage.Row(d.ID)
	return ok && row.ElectricityOnlyPermitted
}

// day takes every home that is under way through the phases in their order.
// Each phase takes the homes that stand where it begins, so a day that was
// cut short goes on where it was.
func (e *Engine) day(ctx context.Context) error {
	for _, phase := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"preparation", e.preparePhase}, {"file sets", e.issuePhase}, {"data validation", e.validatePhase}, {"device testing", e.testPhase},
		{"viability files", e.viabilityFiles}, {"key take-over", e.keysPhase}, {"hand-over", e.handoverPhase}, {"commissioning", e.commissionPhase},
		{"rollback", e.rollbackPhase}, {"close-out", e.closePhase},
	} {
		if err := phase.run(ctx); err != nil {
			return err
		}
		if err := e.note(phase.name); err != nil {
			return err
		}
	}
	return nil
}

// wholeDay is a day and its account.
func (e *Engine) wholeDay(ctx context.Context) error {
	if err := e.day(ctx); err != nil {
		return err
	}
	return e.reconcile()
}

func (e *Engine) preparePhase(ctx context.Context) error {
	return e.each(ctx, "preparation", e.where(is(lifecycle.Authorised, lifecycle.Notified)), func(ctx context.Context, h *home) (bool, error) {
		f, err := e.prepare(ctx, h)
		if err != nil {
			return false, err
		}
		dormant := h.State() == lifecycle.Notified
		if f == nil {
			edge := lifecycle.PrepareActive
			if dormant {
				edge = lifecycle.PrepareDormant
			}
			return false, e.move(ctx, h, edge, Move{Actor: roleRP, Artefact: e.commandID(h, "prepare")})
		}
		m := e.fail(h, f, roleRP)
		next := e.decide(h, f.code)
		edge := lifecycle.BlockActive
		switch {
		case next.again && dormant:
			edge = lifecycle.PostponeDormant
		case next.again:
			edge = lifecycle.PostponeActive
		case next.then == document.ThenExcluded && dormant:
			edge = lifecycle.PostponeDormant
		case next.then == document.ThenExcluded:
			edge = lifecycle.PostponeActive
		case dormant:
			edge = lifecycle.BlockDormant
		}
		e.arm(h, next)
		return true, e.move(ctx, h, edge, m)
	})
}

func (e *Engine) testPhase(ctx context.Context) error {
	return e.each(ctx, "device testing", e.where(is(lifecycle.Validated, lifecycle.Quiesced)), func(ctx context.Context, h *home) (bool, error) {
		if h.State() == lifecycle.Validated {
			if err := e.move(ctx, h, lifecycle.Quiesce, Move{Actor: roleRP, Artefact: h.Set}); err != nil {
				return false, err
			}
		}
		f, err := e.test(ctx, h)
		if err != nil {
			return false, err
		}
		if f != nil {
			return true, e.move(ctx, h, lifecycle.FailViability, e.fail(h, f, roleS1SP))
		}
		return false, e.move(ctx, h, lifecycle.PassViability, Move{Actor: roleS1SP, Artefact: e.commandID(h, "test")})
	})
}

func (e *Engine) keysPhase(ctx context.Context) error {
	return e.each(ctx, "key take-over", e.where(is(lifecycle.Viable)), func(ctx context.Context, h *home) (bool, error) {
		f, err := e.takeKeys(ctx, h)
		if err != nil {
			return false, err
		}
		if f != nil {
			return true, e.move(ctx, h, lifecycle.FailRotation, e.fail(h, f, roleS1SP))
		}
		return false, e.move(ctx, h, lifecycle.TakeKeys, Move{Actor: roleS1SP, Artefact: e.commandID(h, "keys")})
	})
}

// handoverPhase points the hubs to their new head end and puts those homes
// into the commissioning file.
func (e *Engine) handoverPhase(ctx context.Context) error {
	err := e.each(ctx, "hand-over", e.where(is(lifecycle.KeysTaken)), func(ctx context.Context, h *home) (bool, error) {
		f, err := e.repoint(ctx, h)
		if err != nil {
			return false, err
		}
		if f != nil {
			return true, e.move(ctx, h, lifecycle.FailHandover, e.fail(h, f, roleS1SP))
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	return e.commissioningFiles(ctx)
}

// commissionPhase is the commissioning party's: inventory first, then a read
// of each meter as any user would.
func (e *Engine) commissionPhase(ctx context.Context) error {
	return e.each(ctx, "commissioning", e.where(is(lifecycle.Commissioning)), func(ctx context.Context, h *home) (bool, error) {
		f, err := e.commission(ctx, h)
		if err != nil {
			return false, err
		}
		if f != nil {
			return true, e.move(ctx, h, lifecycle.FailCommission, e.fail(h, f, roleCP))
		}
		h.Ended = e.cfg.Clock.Now()
		m := Move{Actor: roleCP, Artefact: h.Set}
		if h.ElectricityOnly {
			m.Detail = "electricity only"
		}
		return false, e.move(ctx, h, lifecycle.Complete, m)
	})
}

func (e *Engine) commission(ctx context.Context, h *home) (*failure, error) {
	// The supplier may have changed since the files were validated.
	today := document.DateOf(e.cfg.Clock.Now())
	for _, d := range h.doc.Meters() {
		if r, ok := e.in.Registrations.On(d.MPxN, today); !ok || r.Supplier != d.Supplier {
			return failed("XCV13", "%s is not registered to %s on %s any more", d.MPxN, d.Supplier, today), nil
		}
	}
	if f, err := e.enter(ctx, h); f != nil || err != nil {
		return f, err
	}
	if f, err := e.entered(ctx, h); f != nil || err != nil {
		return f, err
	}
	return e.post(ctx, h)
}

func (e *Engine) rollbackPhase(ctx context.Context) error {
	broken := e.where(is(lifecycle.ViabilityFailed, lifecycle.RotationFailed, lifecycle.CommissioningFailed, lifecycle.RollingBack))
	err := e.each(ctx, "rollback", broken, func(ctx context.Context, h *home) (bool, error) {
		why := h.LastFailure()
		edge := map[lifecycle.State]lifecycle.Edge{
			lifecycle.ViabilityFailed: lifecycle.UndoViability, lifecycle.RotationFailed: lifecycle.UndoRotation, lifecycle.CommissioningFailed: lifecycle.UndoCommission,
		}
		if undo, ok := edge[h.State()]; ok {
			if err := e.move(ctx, h, undo, Move{Actor: roleRP}); err != nil {
				return false, err
			}
		}
		touched := h.keysTouched()
		f, err := e.rollBack(ctx, h)
		if err != nil {
			return false, err
		}
		if f != nil {
			m := Move{Actor: roleRP, Code: f.code, Detail: f.detail, Artefact: f.artefact}
			h.Failures[f.code]++
			return true, e.move(ctx, h, lifecycle.FailRollback, m)
		}
		m := Move{Actor: roleRP, Detail: "the operator's keys and address are in force"}
		if !touched {
			m.Detail = "nothing on the devices had been changed"
		}
		if err := e.move(ctx, h, lifecycle.RollBack, m); err != nil {
			return false, err
		}
		return false, e.afterRollback(ctx, h, why)
	})
	if err != nil {
		return err
	}
	// A crash between the roll-back and what follows it.
	for _, h := range e.where(is(lifecycle.RolledBack)) {
		if err := e.afterRollback(ctx, h, h.LastFailure()); err != nil {
			return err
		}
	}
	for _, h := range e.where(is(lifecycle.RollbackFailed)) {
		h.Ended = e.cfg.Clock.Now()
		why := h.LastFailure()
		if err := e.move(ctx, h, lifecycle.Escalate, Move{Actor: roleMCC, Code: why.Code, Detail: why.Detail}); err != nil {
			return err
		}
	}
	return nil
}

// fail counts a failure and makes the move that tells of it.
func (e *Engine) fail(h *home, f *failure, actor string) Move {
	h.Failures[f.code]++
	h.Ended = e.cfg.Clock.Now()
	return Move{Actor: actor, Code: f.code, Detail: f.detail, Artefact: f.artefact}
}
