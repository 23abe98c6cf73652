package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/document/pki"
)

// parties are the roles that exchange files, each with its own certificates.
// One process plays all of them here, and still each reads only what another
// has signed.
type parties struct {
	rp, cp, s1sp, dco *pki.Party
	opener            document.Opener
}

// Identities of the simulated roles; the style of the first is DCC's sample.
var (
	rpID   = wire.MustEUI64("70-B3-D5-1F-30-00-A0-01")
	cpID   = wire.MustEUI64("70-B3-D5-1F-30-00-A0-02")
	s1spID = wire.MustEUI64("70-B3-D5-1F-30-00-A0-03")
	dcoID  = wire.MustEUI64("70-B3-D5-1F-30-00-A0-04")
)

func openParties(_ context.Context, e *Engine) (*parties, error) {
	from := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)
	ca, err := pki.NewAuthority(e.cfg.PKI, from)
	if err != nil {
		return nil, fmt.Errorf("engine: simulator authority: %w", err)
	}
	p := &parties{}
	trust := pki.NewTrust(ca.Certificate)
	for _, r := range []struct {
		to   **pki.Party
		role pki.Role
		id   wire.EUI64
	}{{&p.rp, pki.RP, rpID}, {&p.cp, pki.CP, cpID}, {&p.s1sp, pki.S1SP, s1spID}, {&p.dco, pki.DCO, dcoID}} {
		if *r.to, err = ca.Enrol(e.cfg.PKI, r.role, r.id, from); err != nil {
			return nil, fmt.Errorf("engine: simulator authority: %s: %w", r.role, err)
		}
		if err := trust.AddParty(*r.to); err != nil {
			return nil, fmt.Errorf("engine: simulator authority: %s: %w", r.role, err)
		}
	}
	p.opener = document.Opener{Specs: e.cfg.Specs, Trust: trust}
	return p, e.writeFile(filepath.Join("pki", "simulator-authority.pem"), pki.PEM(ca.Certificate))
}

// written reports whether a file of the output folder is there.
func (e *Engine) written(name string) bool {
	_, err := os.Stat(filepath.Join(e.cfg.Out, name))
	return err == nil
}

// writeFile writes a file of the output folder whole or not at all.
func (e *Engine) writeFile(name string, b []byte) error {
	path := filepath.Join(e.cfg.Out, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("engine: writing %s: %w", path, err)
	}
	return nil
}

// header is what every file of a set has in common.
func (s *fileSet) header(now time.Time, to ...*pki.Party) (document.Header, error) {
	id, err := document.ParseFileSetID(s.ID)
	if err != nil {
		return document.Header{}, fmt.Errorf("engine: %w", err)
	}
	h := document.Header{FileSetID: id, S1SP: s.S1SP, MigrationDate: document.DateOf(s.Day), Created: document.At(now), Counter: s.Counter}
	for _, p := range to {
		h.Recipient = append(h.Recipient, document.Ref(p))
	}
	return h, nil
}

// file gives a file of a set: the one on disk if it was issued before, else
// one that is made now, written and recorded. After that it does not change.
func (e *Engine) file(ctx context.Context, s *fileSet, kind document.Kind, build func(now time.Time) (document.Artefact, error)) (document.Artefact, error) {
	if ref, ok := s.Files[string(kind)]; ok {
		b, err := os.ReadFile(filepath.Join(e.cfg.Out, "files", ref.Name))
		if err != nil {
			return document.Artefact{}, fmt.Errorf("engine: %w: the journal says that it was issued: put it back, or start with a new state", err)
		}
		a := document.NewArtefact(ref.Name, b)
		if a.SHA256.String() != ref.SHA256 {
			return a, fmt.Errorf("engine: %s is not as it was issued (SHA-256 %s, was %s): put the issued file back", ref.Name, a.SHA256, ref.SHA256)
		}
		return a, nil
	}
	now := e.cfg.Clock.Now()
	a, err := build(now)
	if err != nil {
		return a, fmt.Errorf("engine: set %s: %w", s.ID, err)
	}
	if err := e.writeFile(filepath.Join("files", a.Name), a.Data); err != nil {
		return a, err
	}
	s.Files[string(kind)] = fileRef{Name: a.Name, SHA256: a.SHA256.String(), At: now}
	return a, e.journal.saveSet(ctx, s)
}

// receive opens a file as its recipient does. What is wrong with it is in the
// problems.
func receive[B document.Body](e *Engine, a document.Artefact) (*document.File[B], document.Problems) {
	return document.Open[B](&e.parties.opener, a, e.cfg.Clock.Now())
}

func digestOf(s string) (d document.Digest) {
	_, _ = hex.Decode(d[:], []byte(s)) // a digest that a gateway garbled stays zero and fails its check
	return d
}
