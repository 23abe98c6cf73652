package engine

import (
	"context"
	"time"

	"smets1/migration/document"
	"smets1/migration/lifecycle"
)

// decision is what follows a failed attempt.
type decision struct {
	again bool
	wait  time.Duration
	// electricityOnly changes the variant of the next attempt.
	electricityOnly bool
	then            document.Fallback
}

// decide applies the catalogue's rule for a code to a home that has just
// failed with it.
func (e *Engine) decide(h *home, code string) decision {
	total := h.failures()
	wait, again := e.cfg.Specs.Catalogue.Retry(code, h.Failures[code], total)
	if again {
		return decision{again: true, wait: wait}
	}
	c, _ := e.cfg.Specs.Catalogue.Lookup(code)
	d := decision{then: c.Then}
	if total >= e.cfg.Specs.Catalogue.GlobalMaxAttempts && c.Retryable && d.then != document.ThenElectricityOnly {
		d.then = document.ThenExcluded // consistent failure is an exclusion category
	}
	if d.then == document.ThenElectricityOnly {
		if !h.ElectricityOnly && e.electricityOnlyPermitted(h) {
			return decision{again: true, wait: 24 * time.Hour, electricityOnly: true}
		}
		d.then = document.ThenBlocked
	}
	if d.then == "" {
		d.then = document.ThenManual
	}
	return d
}

// failures counts the failed attempts of a home, those before this run too.
func (h *home) failures() int {
	total := h.doc.Attempts
	for _, n := range h.Failures {
		total += n
	}
	return total
}

// arm sets when a home is due again, before the move to RetryWait is written,
// so that both are in the journal or neither.
func (e *Engine) arm(h *home, d decision) {
	h.Due = e.cfg.Clock.Now().Add(d.wait)
	if d.wait >= 24*time.Hour {
		h.Due = batchStart(h.Due)
	}
	h.ElectricityOnly = h.ElectricityOnly || d.electricityOnly
}

// excludeSpent takes out the homes that wait for an attempt they no longer
// have.
func (e *Engine) excludeSpent(ctx context.Context) error {
	for _, h := range e.where(is(lifecycle.RetryWait)) {
		why := h.LastFailure()
		if d := e.decide(h, why.Code); !d.again && d.then == document.ThenExcluded {
			if err := e.move(ctx, h, lifecycle.Exclude, Move{Actor: roleMCC, Code: why.Code, Detail: "attempts are used up; the last: " + why.Detail}); err != nil {
				return err
			}
		}
	}
	return nil
}

// afterRollback decides what becomes of a home that its operator has again.
func (e *Engine) afterRollback(ctx context.Context, h *home, why Move) error {
	d := e.decide(h, why.Code)
	switch {
	case d.again, d.then == document.ThenExcluded:
		e.arm(h, d)
		m := Move{Actor: roleRP}
		if d.electricityOnly {
			m.Detail = "next: electricity only"
		}
		return e.move(ctx, h, lifecycle.AwaitRetry, m)
	case d.then == document.ThenBlocked:
		return e.move(ctx, h, lifecycle.BlockRolledBack, Move{Actor: roleRP, Code: why.Code, Detail: why.Detail})
	default:
		return e.move(ctx, h, lifecycle.GiveUp, Move{Actor: roleMCC, Code: why.Code, Detail: why.Detail})
	}
}

// batchStart is when a day's batch starts: 08:00 UTC (ours).
func batchStart(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 8, 0, 0, 0, time.UTC)
}
