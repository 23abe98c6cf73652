package keystore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"smets1/dlms/security"
	"smets1/internal/store"
	"smets1/internal/wire"
)

// Errors that callers decide by.
var (
	// ErrUnknownDevice: the store has no keys of the device.
	ErrUnknownDevice = errors.New("the key store has no keys of this device: import its handover file")
	// ErrPending: another set is pending already; prove which set opens the
	// device, then promote or drop it.
	ErrPending = errors.New("another key set is pending for this device")
	// ErrLastKey: the step would delete a set that may be the only one that
	// opens the device.
	ErrLastKey = errors.New("this would delete a key set that may be the only one to open the device")
)

// Config says where the keys lie.
type Config struct {
	// Bucket keeps the records. It must be one that was opened with Sync.
	Bucket store.Bucket
	// Root seals the records: 32 octets.
	Root security.Key
	// Random makes nonces. Nil means the machine's.
	Random io.Reader
	// Block is how many invocation counters are reserved at once. Zero means 256.
	Block uint32
}

// Store keeps keys and counters. It is safe for concurrent use, also by
// several processes over one bucket.
type Store struct {
	bucket store.Bucket
	sealer sealer
	root   string // fingerprint of the root key
	block  uint32

	mu       sync.Mutex
	counters map[string]*Counter // by fingerprint of the key
}

// Open opens the key store in a bucket, or begins one there. It finishes or
// undoes an import that was cut short. A root key other than the one that the
// records were sealed under is refused.
func Open(ctx context.Context, c Config) (*Store, error) {
	s, err := newStore(c)
	if err != nil {
		return nil, err
	}
	if _, err := c.Bucket.Get(ctx, restoreMark); err == nil {
		return nil, errors.New("keystore: a restore was cut short: restore the backup again")
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, wrap(err, "open")
	}
	if err := s.checkRoot(ctx, s.root); err != nil {
		return nil, err
	}
	if err := s.resumeImports(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// newStore is a Store that has not looked into its bucket.
func newStore(c Config) (*Store, error) {
	sealer, err := newSealer(c.Root, c.Random)
	if err != nil {
		return nil, err
	}
	if c.Block == 0 {
		c.Block = 256
	}
	return &Store{bucket: c.Bucket, sealer: sealer, root: c.Root.Fingerprint(), block: c.Block, counters: map[string]*Counter{}}, nil
}

const rootKey = "root"

type rootRecord struct {
	Fingerprint string `json:"fingerprint"`
	Check       []byte `json:"check"`
	// Next is the root key that the records are being sealed anew under.
	Next string `json:"next,omitempty"`
}

func (s *Store) checkRoot(ctx context.Context, fingerprint string) error {
	e, err := s.bucket.Get(ctx, rootKey)
	if errors.Is(err, store.ErrNotFound) {
		check, err := s.sealer.seal(rootKey, []byte(fingerprint))
		if err != nil {
			return err
		}
		b, err := json.Marshal(rootRecord{Fingerprint: fingerprint, Check: check})
		if err != nil {
			return err
		}
		if _, err = s.bucket.Create(ctx, rootKey, b); errors.Is(err, store.ErrConflict) {
			return s.checkRoot(ctx, fingerprint)
		}
		return wrap(err, "begin")
	}
	if err != nil {
		return wrap(err, "open")
	}
	var r rootRecord
	if err := json.Unmarshal(e.Value, &r); err != nil {
		return fmt.Errorf("keystore: %s: %w", rootKey, ErrTampered)
	}
	if r.Next != "" {
		return fmt.Errorf("keystore: a rotation from root key %.16s to %.16s was cut short: run it to its end with these", r.Fingerprint, r.Next)
	}
	if r.Fingerprint != fingerprint {
		return fmt.Errorf("keystore: the records are sealed under root key %.16s, the one given is %s: give the right one", r.Fingerprint, fingerprint)
	}
	if _, err := s.sealer.open(rootKey, r.Check); err != nil {
		return err
	}
	return nil
}

func wrap(err error, op string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("keystore: %s: %w", op, err)
}

func deviceKey(eui wire.EUI64) string { return "device/" + eui.String() }

func (s *Store) sealDevice(d *Device) ([]byte, error) {
	plain, err := json.Marshal(d.plain())
	if err != nil {
		return nil, fmt.Errorf("keystore: device %s: %w", d.EUI, err)
	}
	return s.sealer.seal(deviceKey(d.EUI), plain)
}

func (s *Store) openDevice(e store.Entry) (Device, error) {
	plain, err := s.sealer.open(e.Key, e.Value)
	if err != nil {
		return Device{}, err
	}
	var p sealedDevice
	if err := json.Unmarshal(plain, &p); err != nil {
		return Device{}, fmt.Errorf("keystore: %s: %w", e.Key, ErrTampered)
	}
	d, err := p.device()
	if err != nil {
		return Device{}, fmt.Errorf("keystore: %s: %w", e.Key, err)
	}
	return d, nil
}

func (s *Store) get(ctx context.Context, eui wire.EUI64) (Device, uint64, error) {
	e, err := s.bucket.Get(ctx, deviceKey(eui))
	if errors.Is(err, store.ErrNotFound) {
		return Device{}, 0, fmt.Errorf("keystore: device %s: %w", eui, ErrUnknownDevice)
	}
	if err != nil {
		return Device{}, 0, wrap(err, "device "+eui.String())
	}
	d, err := s.openDevice(e)
	return d, e.Revision, err
}

// Get gives the keys of a device, or ErrUnknownDevice.
func (s *Store) Get(ctx context.Context, eui wire.EUI64) (Device, error) {
	d, _, err := s.get(ctx, eui)
	return d, err
}

// List gives all devices in the order of their EUI-64.
func (s *Store) List(ctx context.Context) ([]Device, error) {
	entries, err := s.bucket.List(ctx, "device/")
	if err != nil {
		return nil, wrap(err, "list")
	}
	all := make([]Device, 0, len(entries))
	for _, e := range entries {
		d, err := s.openDevice(e)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// errUnchanged ends update without a write.
var errUnchanged = errors.New("unchanged")

// update changes a record in one atomic step.
func (s *Store) update(ctx context.Context, eui wire.EUI64, op string, change func(*Device) error) error {
	for {
		d, rev, err := s.get(ctx, eui)
		if err != nil {
			return err
		}
		if err := change(&d); err != nil {
			if errors.Is(err, errUnchanged) {
				return nil
			}
			return fmt.Errorf("keystore: %s for %s: %w", op, eui, err)
		}
		b, err := s.sealDevice(&d)
		if err != nil {
			return err
		}
		_, err = s.bucket.CompareAndSet(ctx, deviceKey(eui), b, rev)
		if errors.Is(err, store.ErrConflict) {
			continue // somebody else changed it: look again
		}
		return wrap(err, op+" for "+eui.String())
	}
}

// Stage makes a set pending and returns when that is on disk. The same set
// again is no error; another one gives ErrPending.
func (s *Store) Stage(ctx context.Context, eui wire.EUI64, set Set) error {
	if set.Keys.GUEK.IsZero() || set.Keys.GAK.IsZero() || set.Keys.KEK.IsZero() {
		return fmt.Errorf("keystore: stage for %s: a set needs GUEK, GAK and KEK", eui)
	}
	set.Proven = time.Time{}
	return s.update(ctx, eui, "stage", func(d *Device) error {
		if d.Current != nil && d.Current.Fingerprint() == set.Fingerprint() {
			return errors.New("the set is current already")
		}
		if d.Pending != nil {
			if d.Pending.Fingerprint() == set.Fingerprint() {
				return errUnchanged
			}
			return ErrPending
		}
		d.Pending = &set
		return nil
	})
}

// Proved notes that a set opened the device just now.
func (s *Store) Proved(ctx context.Context, eui wire.EUI64, fingerprint string, now time.Time) error {
	return s.update(ctx, eui, "note proof", func(d *Device) error {
		found := false
		for _, g := range []Generation{Pending, Current, Previous} {
			if set := d.Set(g); set != nil && set.Fingerprint() == fingerprint {
				set.Proven, found = now, true
			}
		}
		if !found {
			return fmt.Errorf("no set has fingerprint %.16s", fingerprint)
		}
		return nil
	})
}

// Promote makes the pending set current and the current one previous; what
// was previous goes. The pending set must have opened the device, see Proved,
// else ErrLastKey. If the set is current already, nothing happens.
func (s *Store) Promote(ctx context.Context, eui wire.EUI64, fingerprint string) error {
	return s.update(ctx, eui, "promote", func(d *Device) error {
		if d.Pending == nil || d.Pending.Fingerprint() != fingerprint {
			if d.Current != nil && d.Current.Fingerprint() == fingerprint {
				return errUnchanged
			}
			return fmt.Errorf("set %.16s is not pending", fingerprint)
		}
		if d.Pending.Proven.IsZero() {
			return ErrLastKey
		}
		d.Previous, d.Current, d.Pending = d.Current, d.Pending, nil
		return nil
	})
}

// Drop removes the pending set. It wants a proof that another set opens the
// device, newer than any of the pending one's, else ErrLastKey. If the set is
// not pending, nothing happens.
func (s *Store) Drop(ctx context.Context, eui wire.EUI64, fingerprint string) error {
	return s.update(ctx, eui, "drop", func(d *Device) error {
		if d.Pending == nil || d.Pending.Fingerprint() != fingerprint {
			return errUnchanged
		}
		for _, other := range []*Set{d.Current, d.Previous} {
			if other != nil && other.Fingerprint() != fingerprint &&
				!other.Proven.IsZero() && !other.Proven.Before(d.Pending.Proven) {
				d.Pending = nil
				return nil
			}
		}
		return ErrLastKey
	})
}

// Revert makes the previous set current again, and the current one previous:
// for a device that turned out to be still, or again, under it. The previous
// set must have been proven later than the current one, else ErrLastKey.
func (s *Store) Revert(ctx context.Context, eui wire.EUI64, fingerprint string) error {
	return s.update(ctx, eui, "revert", func(d *Device) error {
		if d.Current != nil && d.Current.Fingerprint() == fingerprint {
			return errUnchanged
		}
		if d.Previous == nil || d.Previous.Fingerprint() != fingerprint {
			return fmt.Errorf("set %.16s is not the previous one", fingerprint)
		}
		if d.Previous.Proven.IsZero() || d.Current != nil && d.Previous.Proven.Before(d.Current.Proven) {
			return ErrLastKey
		}
		d.Current, d.Previous = d.Previous, d.Current
		return nil
	})
}

// SetTitle notes the system title that a device was found to have.
func (s *Store) SetTitle(ctx context.Context, eui wire.EUI64, t security.SystemTitle) error {
	return s.update(ctx, eui, "note system title", func(d *Device) error {
		if d.Title == t {
			return errUnchanged
		}
		d.Title = t
		return nil
	})
}
