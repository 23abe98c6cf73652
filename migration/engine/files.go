package engine

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/lifecycle"
)

// issuePhase has the requesting party write the common and the group file for
// the homes that are ready, one file set a group.
func (e *Engine) issuePhase(ctx context.Context) error {
	ready := e.where(is(lifecycle.Ready))
	if len(ready) == 0 {
		return nil
	}
	byGroup := map[string][]*home{}
	var groups []string
	for _, h := range ready {
		key := h.doc.GroupID + "/" + strings.ToUpper(h.doc.S1SP)
		if byGroup[key] == nil {
			groups = append(groups, key)
		}
		byGroup[key] = append(byGroup[key], h)
	}
	slices.Sort(groups)
	for _, g := range groups {
		homes := byGroup[g]
		// Homes that a crash left between the set's record and their own move
		// are in a set already.
		var fresh []*home
		for _, h := range homes {
			if s := e.sets[h.Set]; s == nil || s.Closed {
				fresh = append(fresh, h)
			}
		}
		if len(fresh) > 0 {
			if err := e.newSet(ctx, fresh); err != nil {
				return err
			}
		}
	}
	return e.each(ctx, "data validation", ready, func(ctx context.Context, h *home) (bool, error) {
		s, err := e.issued(ctx, h)
		if err != nil {
			return false, err
		}
		return false, e.move(ctx, h, lifecycle.IssueFiles, Move{Actor: roleRP, Artefact: s.Files[string(document.KindMCF)].Name, Digest: s.Files[string(document.KindMCF)].SHA256})
	})
}

// newSet reserves a counter and records the members before anything is
// written, so that a counter is never used twice.
func (e *Engine) newSet(ctx context.Context, homes []*home) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.run.Sets++
	if err := e.journal.saveRun(ctx, e.run); err != nil {
		return err
	}
	n := e.run.Sets
	id := document.FileSetID{GroupID: homes[0].doc.GroupID, RP: e.parties.rp.EUI, Counter: n}
	s := &fileSet{ID: id.String(), Group: homes[0].doc.GroupID, S1SP: homes[0].doc.S1SP, Day: e.cfg.Clock.Now(), Counter: n, Files: map[string]fileRef{}}
	for _, h := range homes {
		s.Members = append(s.Members, h.ID)
	}
	if err := e.journal.saveSet(ctx, s); err != nil {
		return err
	}
	e.sets[s.ID] = s
	for _, h := range homes {
		h.Set = s.ID
		if err := e.journal.save(ctx, h.Record); err != nil {
			return err
		}
	}
	return nil
}

// issued gives the home's set with its common, group and, where the operator's
// keys are handed over in files, encrypted file written and sent.
func (e *Engine) issued(ctx context.Context, h *home) (*fileSet, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.sets[h.Set]
	if s == nil {
		return nil, fmt.Errorf("engine: journal: %s is in set %q, which is not there", h.ID, h.Set)
	}
	if s.sent {
		return s, nil
	}
	p, day := e.parties, document.DateOf(s.Day)
	err := send(ctx, e, s, letter{kind: document.KindMCF, by: p.rp, to: []*party{p.cp, p.s1sp, p.dco}}, func(document.Header) (document.CommonBody, error) {
		var body document.CommonBody
		for _, m := range e.members(s) {
			in, f := e.common(m, day)
			if f != nil {
				return body, f
			}
			body.Installation = append(body.Installation, in)
		}
		return body, nil
	})
	if err != nil {
		return nil, err
	}
	refs := map[wire.EUI64][]document.KeyRef{}
	if e.cfg.Custody != nil {
		if refs, err = e.encrypted(ctx, s); err != nil {
			return nil, err
		}
	}
	err = send(ctx, e, s, letter{kind: document.KindMGF, by: p.rp, to: []*party{p.s1sp, p.dco, p.cp}}, func(document.Header) (document.GroupBody, error) {
		var body document.GroupBody
		for _, m := range e.members(s) {
			g := e.group(m)
			g.KeyRef = refs[m.ID]
			body.Installation = append(body.Installation, g)
		}
		return body, nil
	})
	s.sent = err == nil
	return s, err
}

// encrypted sends the encrypted file of a set and gives the references to its
// blocks, by home.
func (e *Engine) encrypted(ctx context.Context, s *fileSet) (map[wire.EUI64][]document.KeyRef, error) {
	refs := map[wire.EUI64][]document.KeyRef{}
	p := e.parties
	err := send(ctx, e, s, letter{kind: document.KindMGEF, by: p.rp, to: []*party{p.s1sp, p.dco}}, func(head document.Header) (document.EncryptedBody, error) {
		var body document.EncryptedBody
		for _, m := range e.members(s) {
			r, blocks, err := e.sealed(ctx, m, head.FileSetID, document.DateOf(s.Day))
			if err != nil {
				return body, err
			}
			refs[m.ID] = r
			body.Installation = append(body.Installation, document.EncryptedInstallation{InstallationID: m.ID, EncryptedKey: blocks})
		}
		return body, nil
	})
	if err != nil || len(refs) > 0 {
		return refs, err
	}
	// It was issued before a crash: what it refers to is in it.
	a, err := e.fetch(p.s1sp, s, document.KindMGEF)
	if err != nil {
		return nil, err
	}
	f, ps := document.Open[document.EncryptedBody](&p.opener, a, e.cfg.Clock.Now())
	if err := ps.Err(); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	for _, in := range f.Body.Installation {
		for _, k := range in.EncryptedKey {
			device, err := wire.ParseEUI64(strings.TrimSuffix(k.KeyRef, "."+string(k.KeyUsage)))
			if err != nil {
				return nil, fmt.Errorf("engine: %s: key %s: %w", a.Name, k.KeyRef, err)
			}
			refs[in.InstallationID] = append(refs[in.InstallationID], document.KeyRef{DeviceID: device, KeyUsage: k.KeyUsage, Ref: k.KeyRef})
		}
	}
	return refs, nil
}

// members are the homes whose present attempt is in the set. A crash between
// the set's record and theirs can leave some out; those get a set of their own.
func (e *Engine) members(s *fileSet) []*home {
	out := make([]*home, 0, len(s.Members))
	for _, id := range s.Members {
		if h := e.homes[id]; h != nil && h.Set == s.ID {
			out = append(out, h)
		}
	}
	return out
}

// common describes a home as it is now.
func (e *Engine) common(h *home, day document.Date) (document.CommonInstallation, *failure) {
	entry, f := e.target(h, day)
	if f != nil {
		return document.CommonInstallation{}, f
	}
	return document.CommonFromPortfolio(e.named(h, day), entry.EntryID, day, e.in.Coverage, e.in.Certificates), nil
}

// named is the home as its files name it: with the firmware that was read
// back, and without the gas meter when electricity goes alone.
func (e *Engine) named(h *home, day document.Date) *document.Installation {
	doc := *h.doc
	doc.Devices = slices.Clone(h.doc.Devices)
	for n := range doc.Devices {
		d := &doc.Devices[n]
		if fw := h.evidence(d.ID, d.Type).Firmware; fw != "" {
			d.Firmware = fw
		}
	}
	// A gas meter that stays behind without an authorisation of its own is not
	// named; one that was given up on stays named, for the combination is judged
	// whole.
	if h.ElectricityOnly {
		doc.Devices = slices.DeleteFunc(doc.Devices, func(d document.Device) bool { return d.Type == document.GSME && !e.permitted(h, d, day) })
	}
	return &doc
}

// permitted reports whether a meter has what it needs to be named in a file of
// the day.
func (e *Engine) permitted(h *home, d document.Device, day document.Date) bool {
	if _, _, ok := e.in.Coverage.Covers(d.ID, day); ok {
		return true
	}
	return d.Status == document.Dormant && !h.MigrationNotice.IsZero()
}

// group is what the service provider needs beside the common file.
func (e *Engine) group(h *home) document.GroupInstallation {
	hub, _ := h.doc.Device(document.CHF)
	g := document.GroupInstallation{
		InstallationID: h.ID,
		SIM:            document.GroupSIM{ICCID: h.doc.SIM.ICCID, IMSI: h.doc.SIM.IMSI, MSISDN: h.doc.SIM.MSISDN},
		WAN:            document.GroupWAN{CurrentEndpoint: "smso.example:4059", TargetEndpoint: e.cfg.Endpoint},
		WakeUp:         h.doc.WakeUp,
		Hub:            document.GroupHub{SerialNumber: hub.Serial, HardwareVersion: hub.Hardware},
		DLMS:           &document.GroupDLMS{ServerAddress: 1, ClientID: 1},
		ConfigDigest:   e.configDigest(h),
	}
	return g
}

// configDigest is over the digests of the devices, in the order of the home.
func (e *Engine) configDigest(h *home) document.Digest {
	sum := sha256.New()
	for _, d := range h.doc.Devices {
		if ev := h.evidence(d.ID, d.Type); ev.ConfigDigest != "" {
			one := digestOf(ev.ConfigDigest)
			sum.Write(d.ID[:])
			sum.Write(one[:])
		}
	}
	var out document.Digest
	sum.Sum(out[:0])
	return out
}

// openSets lists the sets that have members for which f holds, in the order of
// their counters.
func (e *Engine) openSets(f func(*home) bool) []*fileSet {
	var out []*fileSet
	for _, s := range e.sets {
		if !s.Closed && slices.ContainsFunc(e.members(s), f) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *fileSet) int { return int(a.Counter) - int(b.Counter) })
	return out
}

// cite names the files of a set that another answers.
func (s *fileSet) cite(kinds ...document.Kind) []document.InResponseTo {
	var out []document.InResponseTo
	for _, k := range kinds {
		if f, ok := s.Files[string(k)]; ok {
			out = append(out, document.InResponseTo{FileName: f.Name, SHA256: digestOf(f.SHA256)})
		}
	}
	return out
}

// viabilityFiles has the service provider report the device tests.
func (e *Engine) viabilityFiles(ctx context.Context) error {
	tested := func(h *home) bool { return len(h.Evidence.Checks) > 0 }
	p := e.parties
	for _, s := range e.openSets(tested) {
		l := letter{kind: document.KindSVF, by: p.s1sp, to: []*party{p.cp, p.rp}, answers: []document.Kind{document.KindMCF, document.KindMGF}}
		if err := send(ctx, e, s, l, func(document.Header) (document.ViabilityBody, error) {
			var body document.ViabilityBody
			for _, h := range e.members(s) {
				if tested(h) {
					body.Installation = append(body.Installation, viability(h))
				}
			}
			return body, nil
		}); err != nil {
			return err
		}
		for _, to := range l.to {
			if _, err := receive[document.ViabilityBody](ctx, e, to, s, document.KindSVF, document.KindMCF, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func viability(h *home) document.Viability {
	v := document.Viability{InstallationID: h.ID, Outcome: document.Pass}
	at := map[wire.EUI64]int{}
	for _, c := range h.Evidence.Checks {
		n, ok := at[c.Device]
		if !ok {
			n = len(v.Device)
			at[c.Device] = n
			v.Device = append(v.Device, document.DeviceViability{DeviceID: c.Device})
		}
		check := document.ViabilityCheck{Name: c.Name, Outcome: document.Pass, DurationMs: uint64(max(c.Duration.Milliseconds(), 0))}
		if c.Code != "" {
			check.Outcome, v.Outcome = document.Fail, document.Fail
			id := c.Device
			v.Error = append(v.Error, document.InstallationError{Code: c.Code, DeviceID: &id, Detail: detail(c.Detail)})
		}
		v.Device[n].Check = append(v.Device[n].Check, check)
	}
	return v
}

// detail fits a text into a file's element.
func detail(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if s == "" {
		return "no detail"
	}
	if r := []rune(s); len(r) > 500 {
		return string(r[:499]) + "…"
	}
	return s
}

// commissioningFiles has the service provider name the homes that it has taken
// over; the commissioning party takes them up.
func (e *Engine) commissioningFiles(ctx context.Context) error {
	taken := func(h *home) bool { return h.State() == lifecycle.KeysTaken && h.Repointed }
	p := e.parties
	for _, s := range e.openSets(taken) {
		l := letter{kind: document.KindSCF, by: p.s1sp, to: []*party{p.cp}, answers: []document.Kind{document.KindMCVF, document.KindMGVF}}
		if err := send(ctx, e, s, l, func(document.Header) (document.CommissioningBody, error) {
			var body document.CommissioningBody
			for _, h := range e.members(s) {
				if taken(h) {
					body.Installation = append(body.Installation, commissioning(h))
				}
			}
			return body, nil
		}); err != nil {
			return err
		}
		f, err := receive[document.CommissioningBody](ctx, e, p.cp, s, document.KindSCF, document.KindMCVF, true)
		if err != nil {
			return err
		}
		ref := s.Files[string(document.KindSCF)]
		for _, in := range f.Body.Installation {
			h := e.homes[in.InstallationID]
			if h == nil || h.State() != lifecycle.KeysTaken {
				continue
			}
			if err := e.move(ctx, h, lifecycle.Commit, Move{Actor: roleCP, Artefact: ref.Name, Digest: ref.SHA256}); err != nil {
				return err
			}
		}
	}
	return nil
}

func commissioning(h *home) document.Commissioning {
	c := document.Commissioning{InstallationID: h.ID, KeyTakeOverTime: document.At(h.Evidence.TakenAt)}
	for _, d := range h.devices() {
		ev := h.evidence(d.ID, d.Type)
		c.Device = append(c.Device, document.TakenOverDevice{
			DeviceID: d.ID, DeviceType: d.Type, FirmwareVersion: ev.Firmware,
			KeyCheckValue: keyCheck(ev.Fingerprint), KeyVersion: ev.KeyVersion,
		})
		if d.Type == document.GSME {
			gpf := notional(h.ID)
			c.NotionalGPF = &gpf
		}
	}
	return c
}

// keyCheck gives a fingerprint in the form of the file, or nothing.
func keyCheck(fingerprint string) string {
	s := strings.ToUpper(strings.ReplaceAll(strings.ReplaceAll(fingerprint, ":", ""), "-", ""))
	for _, r := range s {
		if !strings.ContainsRune("0123456789ABCDEF", r) {
			return ""
		}
	}
	if len(s) < 6 || len(s) > 64 {
		return ""
	}
	return s
}

// notional allocates the identity of a gas proxy, which a SMETS1 hub has none
// of: the hub's with the local bit of its first octet set (ours).
func notional(hub wire.EUI64) wire.EUI64 {
	hub[0] |= 0x02
	return hub
}

// closePhase has the commissioning party report the outcome of every home of a
// set, once each has one.
func (e *Engine) closePhase(ctx context.Context) error {
	p := e.parties
	for _, s := range e.openSets(func(*home) bool { return true }) {
		members := e.members(s)
		if slices.ContainsFunc(members, func(h *home) bool { return inDay(h.State()) }) {
			continue
		}
		answered := document.KindMCF
		if _, ok := s.Files[string(document.KindSCF)]; ok {
			answered = document.KindSCF
		}
		l := letter{kind: document.KindCOF, by: p.cp, to: []*party{p.rp, p.s1sp}, answers: []document.Kind{answered}}
		if err := send(ctx, e, s, l, func(document.Header) (document.OutcomeBody, error) {
			var body document.OutcomeBody
			for _, h := range members {
				body.Installation = append(body.Installation, outcome(h))
			}
			return body, nil
		}); err != nil {
			return err
		}
		for _, to := range l.to {
			if _, err := receive[document.OutcomeBody](ctx, e, to, s, document.KindCOF, answered, false); err != nil {
				return err
			}
		}
		s.Closed = true
		if err := e.journal.saveSet(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// outcome is the end of the home's present attempt.
func outcome(h *home) document.InstallationOutcome {
	out := document.InstallationOutcome{InstallationID: h.ID, Outcome: document.NotAttempted}
	for _, m := range h.Moves {
		if m.Attempt != h.Attempt {
			continue
		}
		switch {
		case m.To == lifecycle.Quiesced:
			out.Outcome = document.CommissioningFailed
		case m.To == lifecycle.Migrated:
			out.Outcome = document.Commissioned
			if h.ElectricityOnly {
				out.Outcome = document.PartiallyCommissioned
			}
			at := document.At(m.Time)
			out.DateCommissioned = &at
		case m.Code != "" && len(out.Error) < 8 && (len(out.Error) == 0 || out.Error[len(out.Error)-1].Code != m.Code):
			out.Error = append(out.Error, document.InstallationError{Code: m.Code, Detail: detail(m.Detail)})
		}
	}
	if out.DateCommissioned != nil {
		for _, d := range h.devices() {
			out.Device = append(out.Device, document.DeviceOutcome{DeviceID: d.ID, DeviceStatus: document.DeviceCommissioned})
		}
	}
	return out
}
