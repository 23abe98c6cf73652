package engine

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/document/pki"
)

// Roles are the parties of a file set: each has its own certificates and keys,
// reads only what is addressed to it, and keeps its own count of what it has
// accepted. One process can play all of them.
type Roles struct {
	Authority         *x509.Certificate
	RP, CP, S1SP, DCO *pki.Party
}

// Identities of the simulated roles; the style of the first is DCC's sample.
var (
	rpID   = wire.MustEUI64("70-B3-D5-1F-30-00-A0-01")
	cpID   = wire.MustEUI64("70-B3-D5-1F-30-00-A0-02")
	s1spID = wire.MustEUI64("70-B3-D5-1F-30-00-A0-03")
	dcoID  = wire.MustEUI64("70-B3-D5-1F-30-00-A0-04")
)

// DrawRoles makes an authority and the roles from a source of randomness.
func DrawRoles(random io.Reader) (*Roles, error) {
	from := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)
	ca, err := pki.NewAuthority(random, from)
	if err != nil {
		return nil, fmt.Errorf("engine: simulator authority: %w", err)
	}
	p := &Roles{Authority: ca.Certificate}
	for _, r := range []struct {
		to   **pki.Party
		role pki.Role
		id   wire.EUI64
	}{{&p.RP, pki.RP, rpID}, {&p.CP, pki.CP, cpID}, {&p.S1SP, pki.S1SP, s1spID}, {&p.DCO, pki.DCO, dcoID}} {
		if *r.to, err = ca.Enrol(random, r.role, r.id, from); err != nil {
			return nil, fmt.Errorf("engine: simulator authority: %s: %w", r.role, err)
		}
	}
	return p, nil
}

// parties are the roles at work: the keys of each, and its mailbox.
type parties struct {
	rp, cp, s1sp, dco *party
	opener            document.Opener
}

// party is one role with what it has received.
type party struct {
	*pki.Party
	box *mailbox
}

func openParties(ctx context.Context, e *Engine) (*parties, error) {
	roles := e.cfg.Roles
	if roles == nil {
		var err error
		if roles, err = DrawRoles(e.cfg.PKI); err != nil {
			return nil, err
		}
	}
	p := &parties{}
	trust := pki.NewTrust(roles.Authority)
	for _, r := range []struct {
		to   **party
		from *pki.Party
		role pki.Role
	}{{&p.rp, roles.RP, pki.RP}, {&p.cp, roles.CP, pki.CP}, {&p.s1sp, roles.S1SP, pki.S1SP}, {&p.dco, roles.DCO, pki.DCO}} {
		if r.from == nil || r.from.Role != r.role {
			return nil, fmt.Errorf("engine: there is no party in the role %s", r.role)
		}
		if err := trust.AddParty(r.from); err != nil {
			return nil, fmt.Errorf("engine: %s: %w", r.role, err)
		}
		box, err := e.journal.mailbox(ctx, r.from)
		if err != nil {
			return nil, err
		}
		*r.to = &party{r.from, box}
	}
	p.opener = document.Opener{Specs: e.cfg.Specs, Trust: trust}
	return p, e.writeFile(filepath.Join("pki", "simulator-authority.pem"), pki.PEM(roles.Authority))
}

// written reports whether a file of the output folder is there.
func (e *Engine) written(name string) bool {
	_, err := os.Stat(filepath.Join(e.cfg.Out, name))
	return err == nil
}

// writeFile writes a file of the output folder whole or not at all, and has it
// on disk before it returns.
func (e *Engine) writeFile(name string, b []byte) error { return e.replaceFile(name, b, !e.cfg.Hasty) }

// replaceFile writes a file whole or not at all; without sync a loss of power
// may take it back.
func (e *Engine) replaceFile(name string, b []byte, sync bool) error {
	path := filepath.Join(e.cfg.Out, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644))
	if sync {
		err = errors.Join(err, f.Sync())
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("engine: writing %s: %w", path, err)
	}
	return nil
}

func digestOf(s string) (d document.Digest) {
	_, _ = hex.Decode(d[:], []byte(s)) // a digest that a gateway garbled stays zero and fails its check
	return d
}
