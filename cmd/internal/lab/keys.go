package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"smets1/firmware"
	"smets1/gateway/keystore"
	"smets1/gateway/session"
	"smets1/internal/wire"
)

// Known says what an import does with devices that the store knows.
type Known bool

// What it does.
const (
	MustMatch  Known = false
	LeaveAlone Known = true
)

// ImportKeys takes a handover file into a key store, whole or not at all, and
// tells how many devices were new. A device that the store has under other keys is
// an error, unless known says to leave those alone.
func ImportKeys(ctx context.Context, keys *keystore.Store, path string, known Known, now time.Time) (int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("handover file: %w", err)
	}
	h, err := keystore.ParseHandover(b)
	if err == nil && known == LeaveAlone {
		err = dropKnown(ctx, keys, &h)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: nothing was imported: %w", path, err)
	}
	if len(h.Devices) == 0 {
		return 0, nil
	}
	n, err := keys.Import(ctx, h, now)
	if err != nil {
		return 0, fmt.Errorf("%s: nothing was imported: %w", path, err)
	}
	return n, nil
}

// WithoutKeys lists the devices of hubs that a key store has no keys of. Displays
// are left out: they are never spoken to.
func WithoutKeys(ctx context.Context, keys *keystore.Store, hubs []session.Hub) []wire.EUI64 {
	var out []wire.EUI64
	ask := func(e wire.EUI64) {
		if _, err := keys.Get(ctx, e); errors.Is(err, keystore.ErrUnknownDevice) {
			out = append(out, e)
		}
	}
	for _, h := range hubs {
		ask(h.EUI)
		for _, d := range h.Devices {
			if d.Type != firmware.IHD {
				ask(d.EUI)
			}
		}
	}
	return out
}

// dropKnown takes out of a handover what the store knows: its keys may have been
// changed since.
func dropKnown(ctx context.Context, keys *keystore.Store, h *keystore.Handover) error {
	known, err := keys.List(ctx)
	if err != nil {
		return err
	}
	has := make(map[wire.EUI64]bool, len(known))
	for _, d := range known {
		has[d.EUI] = true
	}
	h.Devices = slices.DeleteFunc(h.Devices, func(d keystore.HandoverDevice) bool { return has[d.EUI] })
	return nil
}
