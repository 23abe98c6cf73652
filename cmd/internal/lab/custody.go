package lab

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"

	"smets1/dlms/security"
	"smets1/gateway/keystore"
	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/engine"
)

// OpenCustody reads an operator's handover file as the custody of its keys; an
// empty path gives none.
func OpenCustody(path string) (engine.Custody, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("handover file: %w", err)
	}
	h, err := keystore.ParseHandover(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c := handover{}
	for _, d := range h.Devices {
		c[d.EUI] = d.Keys
	}
	return c, nil
}

// handover is the keys that devices had when their operator handed them over.
type handover map[wire.EUI64]security.KeySet

func (h handover) OperatorKeys(_ context.Context, device wire.EUI64) (map[document.KeyUsage]document.Secret, error) {
	k, ok := h[device]
	if !ok {
		return nil, fmt.Errorf("%w %s", engine.ErrNoKeys, device)
	}
	return uses(k)
}

// StoreCustody is the custody of an operator whose keys are in a key store: of
// each device the set that was in force under this owner.
func StoreCustody(keys *keystore.Store, owner string) engine.Custody {
	return storeCustody{keys, owner}
}

type storeCustody struct {
	keys  *keystore.Store
	owner string
}

func (c storeCustody) OperatorKeys(ctx context.Context, device wire.EUI64) (map[document.KeyUsage]document.Secret, error) {
	d, err := c.keys.Get(ctx, device)
	if errors.Is(err, keystore.ErrUnknownDevice) {
		return nil, fmt.Errorf("%w %s", engine.ErrNoKeys, device)
	}
	if err != nil {
		return nil, err
	}
	for _, set := range []*keystore.Set{d.Current, d.Previous} {
		if set != nil && set.Owner == c.owner {
			return uses(set.Keys)
		}
	}
	return nil, fmt.Errorf("%w %s: its current ones are not %s's", engine.ErrNoKeys, device, c.owner)
}

// uses says what each key of a device is for in the words of the encrypted file
// (ours). A simulated meter has no key for top-ups of its own: the one that is
// handed over is derived from its key-encryption key.
func uses(k security.KeySet) (map[document.KeyUsage]document.Secret, error) {
	prepay, err := hkdf.Key(sha256.New, k.KEK.Reveal(), nil, "smets1 top-up key", k.KEK.Len())
	if err != nil {
		return nil, fmt.Errorf("top-up key: %w", err)
	}
	return map[document.KeyUsage]document.Secret{
		document.KeyTransport: document.NewSecret(k.GUEK.Reveal()), document.KeyAuthentication: document.NewSecret(k.GAK.Reveal()),
		document.KeyCritical: document.NewSecret(k.KEK.Reveal()), document.KeyPrepay: document.NewSecret(prepay),
	}, nil
}
