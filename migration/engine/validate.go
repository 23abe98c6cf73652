package engine

import (
	"context"
	"time"

	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/document/pki"
	"smets1/migration/lifecycle"
)

// validatePhase is data validation: the commissioning party judges the common
// file, the service provider and the dual control organisation the group file,
// and the requesting party takes what both pass.
func (e *Engine) validatePhase(ctx context.Context) error {
	issued := func(h *home) bool { return h.State() == lifecycle.FilesIssued }
	for _, s := range e.openSets(issued) {
		verdicts, err := e.validate(ctx, s)
		if err != nil {
			return err
		}
		for _, h := range e.members(s) {
			if !issued(h) {
				continue
			}
			v, ok := verdicts[h.ID]
			if !ok {
				v = verdict{failed("XCV04", "no validation file names the installation"), s.Files[string(document.KindMCVF)]}
			}
			if v.failure == nil {
				if err := e.move(ctx, h, lifecycle.Validate, Move{Actor: roleRP, Artefact: v.file.Name, Digest: v.file.SHA256}); err != nil {
					return err
				}
				continue
			}
			m := e.fail(h, v.failure, roleRP)
			m.Artefact, m.Digest = v.file.Name, v.file.SHA256
			if err := e.move(ctx, h, lifecycle.FailValidation, m); err != nil {
				return err
			}
		}
	}
	for _, h := range e.where(is(lifecycle.ValidationFailed)) {
		why := h.LastFailure()
		d := e.decide(h, why.Code)
		edge := lifecycle.BlockInvalid
		if d.again || d.then == document.ThenExcluded {
			edge = lifecycle.RetryInvalid
			e.arm(h, d)
		}
		if err := e.move(ctx, h, edge, Move{Actor: roleRP, Code: why.Code, Detail: why.Detail}); err != nil {
			return err
		}
	}
	return nil
}

// verdict is what the validation files say of one home, and which of them.
type verdict struct {
	failure *failure
	file    fileRef
}

// validate has both validation files written, and reads them as the requesting
// party does.
func (e *Engine) validate(ctx context.Context, s *fileSet) (map[wire.EUI64]verdict, error) {
	p := e.parties
	l := letter{kind: document.KindMCVF, by: p.cp, to: []*party{p.rp, p.s1sp}, answers: []document.Kind{document.KindMCF}}
	if err := send(ctx, e, s, l, func(document.Header) (document.CommonValidationBody, error) {
		v, err := e.judge(ctx, p.cp, s, func(r *document.Receiver, set document.FileSet, now time.Time) document.Verdict {
			_, v := r.ValidateCommon(*set.Common, now)
			return v
		})
		return v.MCVF(), err
	}); err != nil {
		return nil, err
	}
	group := func(r *document.Receiver, set document.FileSet, now time.Time) document.Verdict {
		_, _, v := r.ValidateGroup(set, now)
		return v
	}
	l = letter{kind: document.KindMGVF, by: p.s1sp, to: []*party{p.rp, p.cp}, answers: []document.Kind{document.KindMCF, document.KindMGF}}
	if err := send(ctx, e, s, l, func(document.Header) (document.GroupValidationBody, error) {
		v, err := e.judge(ctx, p.s1sp, s, group)
		if err != nil {
			return document.GroupValidationBody{}, err
		}
		d, err := e.judge(ctx, p.dco, s, group)
		return v.With(d).MGVF(true), err
	}); err != nil {
		return nil, err
	}
	return e.intersect(ctx, s)
}

// judge has a party hold the files in its mailbox against what it knows and,
// where it takes them, count them.
func (e *Engine) judge(ctx context.Context, by *party, s *fileSet, check func(*document.Receiver, document.FileSet, time.Time) document.Verdict) (document.Verdict, error) {
	files := map[document.Kind]document.Artefact{}
	for _, k := range []document.Kind{document.KindMCF, document.KindMGF, document.KindMGEF} {
		if _, sent := s.Files[string(k)]; !sent || k == document.KindMGEF && by == e.parties.cp {
			continue
		}
		a, err := e.fetch(by, s, k)
		if err != nil {
			return document.Verdict{}, err
		}
		files[k] = a
	}
	mcf, mgf := files[document.KindMCF], files[document.KindMGF]
	set := document.FileSet{Common: &mcf, Group: &mgf}
	if a, ok := files[document.KindMGEF]; ok {
		set.Encrypted = &a
	}
	facts, err := e.facts(ctx, s)
	if err != nil {
		return document.Verdict{}, err
	}
	facts.LastCounters = by.box.counters(s)
	v := check(&document.Receiver{Specs: e.cfg.Specs, Facts: facts, Trust: e.parties.opener.Trust, Parties: []*pki.Party{by.Party}}, set, e.cfg.Clock.Now())
	return v, e.journal.count(ctx, by.box, v.Accepted, files)
}

// intersect reads both validation files. A home passes when both say so.
func (e *Engine) intersect(ctx context.Context, s *fileSet) (map[wire.EUI64]verdict, error) {
	common, err := receive[document.CommonValidationBody](ctx, e, e.parties.rp, s, document.KindMCVF, document.KindMCF, false)
	if err != nil {
		return nil, err
	}
	group, err := receive[document.GroupValidationBody](ctx, e, e.parties.rp, s, document.KindMGVF, document.KindMGF, false)
	if err != nil {
		return nil, err
	}
	cf, gf := s.Files[string(document.KindMCVF)], s.Files[string(document.KindMGVF)]
	out := map[wire.EUI64]verdict{}
	note := func(id wire.EUI64, ref fileRef, outcome document.Outcome, errs []document.InstallationError) {
		v, seen := out[id]
		if seen && v.failure != nil {
			return
		}
		v.file = ref
		if outcome != document.Pass {
			v.failure = failed("XCV04", "failed without a reason")
			if len(errs) > 0 {
				v.failure = failed(errs[0].Code, "%s", errs[0].Detail)
			}
		}
		out[id] = v
	}
	for _, in := range common.Body.Installation {
		note(in.InstallationID, cf, in.Outcome, in.Error)
	}
	for _, in := range group.Body.Installation {
		note(in.InstallationID, gf, in.Outcome, in.Error)
	}
	// A file that was refused as a whole names no installations; all of its
	// homes share its fault.
	for _, r := range []struct {
		ref  fileRef
		errs []document.FileError
	}{{cf, common.Body.FileError}, {gf, group.Body.FileError}} {
		if len(r.errs) > 0 {
			for _, id := range s.Members {
				out[id] = verdict{failed(r.errs[0].Code, "%s: %s", r.errs[0].FileName, r.errs[0].Detail), r.ref}
			}
		}
	}
	return out, nil
}

// facts is what a receiver of files knows when it writes its answer.
func (e *Engine) facts(ctx context.Context, s *fileSet) (*document.Facts, error) {
	f := &document.Facts{
		Specs: e.cfg.Specs, EPCL: e.in.EPCL, Registrations: e.in.Registrations, Certificates: e.in.Certificates, Coverage: e.in.Coverage,
		Inventory: map[document.EUI]document.DeviceStatus{}, Notices: map[document.EUI]document.Notice{}, NoticeDays: e.cfg.Calendar.MigrationNotice,
		Exclusions: map[document.EUI]string{}, Attempts: map[document.EUI]int{}, SIMs: map[string]document.SIMFact{}, Baselines: map[document.EUI]document.Digest{},
	}
	for _, h := range e.members(s) {
		if h.doc.Exclusion != "" {
			f.Exclusions[h.ID] = h.doc.Exclusion
		}
		f.Attempts[h.ID] = h.failures()
		f.SIMs[h.doc.SIM.ICCID] = document.SIMFact{CommsProvider: h.doc.CommsProvider, MSISDN: h.doc.SIM.MSISDN}
		// The baseline is the snapshot that the preparation read back.
		f.Baselines[h.ID] = e.configDigest(h)
		for _, d := range h.doc.Devices {
			x, known, err := e.inventory.get(ctx, d.ID)
			if err != nil {
				return nil, err
			}
			if known {
				f.Inventory[d.ID] = x.Status
			}
			if d.Meter() && !h.MigrationNotice.IsZero() {
				f.Notices[d.ID] = document.Notice{Meter: d.ID, Supplier: d.Supplier, Sent: document.DateOf(h.MigrationNotice), Planned: document.DateOf(h.NoticedFor)}
			}
		}
	}
	return f, nil
}
