package engine

import (
	"context"
	"errors"
	"fmt"

	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/document/pki"
)

// Custody is where the present operator keeps the keys of its devices. What
// comes from it goes into the encrypted file, sealed to whoever takes it over,
// and nowhere else.
type Custody interface {
	// OperatorKeys gives the keys of a device by their use; ErrNoKeys (wrapped)
	// when there are none.
	OperatorKeys(ctx context.Context, device wire.EUI64) (map[document.KeyUsage]document.Secret, error)
}

// ErrNoKeys means that an operator has no keys of a device (an exclusion
// category, published).
var ErrNoKeys = errors.New("the operator has no keys of the device")

// keyUses is the order in which keys are named in the files.
var keyUses = []document.KeyUsage{document.KeyTransport, document.KeyAuthentication, document.KeyCritical, document.KeyPrepay, document.KeyHAN}

// sealed gives the encrypted part of a home: a block for each key, readable by
// the party that takes it over and by nobody else, and the references to them
// that go into the group file.
func (e *Engine) sealed(ctx context.Context, h *home, set document.FileSetID, day document.Date) (refs []document.KeyRef, blocks []document.EncryptedKey, err error) {
	for _, d := range e.named(h, day).Devices {
		if d.Type != document.CHF && !d.Meter() {
			continue
		}
		keys, err := e.cfg.Custody.OperatorKeys(ctx, d.ID)
		if err != nil {
			return nil, nil, fmt.Errorf("engine: keys of %s: %w", d.ID, err)
		}
		for _, use := range keyUses {
			key, ok := keys[use]
			if !ok {
				continue
			}
			to := e.parties.s1sp
			if use.Owner() == pki.DCO {
				to = e.parties.dco
			}
			public, err := pki.AgreementPublic(to.Agreement)
			if err != nil {
				return nil, nil, fmt.Errorf("engine: %w", err)
			}
			ref := d.ID.String() + "." + string(use)
			block, err := document.SealKey(e.cfg.Random, set, h.ID, ref, use, to.EUI, public, key)
			if err != nil {
				return nil, nil, fmt.Errorf("engine: %w", err)
			}
			refs = append(refs, document.KeyRef{DeviceID: d.ID, KeyUsage: use, Ref: ref})
			blocks = append(blocks, block)
		}
	}
	return refs, blocks, nil
}

// keysThere is precondition 5: the operator has the keys of every device that
// is to be taken over.
func (e *Engine) keysThere(ctx context.Context, h *home) (*failure, error) {
	if e.cfg.Custody == nil {
		return nil, nil
	}
	for _, d := range h.devices() {
		switch _, err := e.cfg.Custody.OperatorKeys(ctx, d.ID); {
		case errors.Is(err, ErrNoKeys):
			return failed("XPC05", "%s %s: %v", d.Type, d.ID, err), nil
		case err != nil:
			return nil, fmt.Errorf("engine: keys of %s: %w", d.ID, err)
		}
	}
	return nil, nil
}
