package server

import (
	"fmt"
	"slices"
	"time"

	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// counterBlock is how many send counters are reserved at once.
const counterBlock = 256

// maxSenders bounds the receive counters kept. A sender gets one only by authenticating under a key of the device.
const maxSenders = 32

// KeyringConfig sets up a [Keyring].
type KeyringConfig struct {
	Title security.SystemTitle
	// Keys the device starts with, and their version. Version 0 means 1.
	Keys    security.KeySet
	Version KeyVersion
	// Secrets of the associations, by index: LLS passwords and HLS secrets.
	Secrets []security.Secret
	// Policy every association has at least.
	Policy Policy
	// Window is how long transferred keys wait for their commit while the old ones stay valid (a supervised change,
	// ours). Zero changes keys at once, as the standard has it.
	Window time.Duration
	// FirstTx is the first counter sent. Zero means 1. After a restart it is the value last given to Reserve.
	FirstTx uint32
	// Reserve is called before send counters below upTo are used, to make upTo durable. An error stops the sending. Nil
	// keeps nothing.
	Reserve func(v KeyVersion, upTo uint32) error
	// Changed is called after keys, secrets or policy changed. Nil is no call.
	Changed func()
}

// Keyring is a [Security] that holds its keys: a current set, and a staged one during a supervised change.
type Keyring struct {
	cfg     KeyringConfig
	current keySlot
	staged  *keySlot
	lapses  time.Time
	proven  bool
	next    KeyVersion
	rx      []rxSlot
}

type keySlot struct {
	keys     security.KeySet
	version  KeyVersion
	tx       security.SendCounter
	reserved uint32
}

type rxSlot struct {
	id RxID
	rc security.ReceiveCounter
}

var (
	_ KeyChanger    = (*Keyring)(nil)
	_ SecretChanger = (*Keyring)(nil)
)

// NewKeyring makes one.
func NewKeyring(c KeyringConfig) *Keyring {
	if c.Version == 0 {
		c.Version = 1
	}
	return &Keyring{
		cfg: c, next: c.Version + 1,
		current: keySlot{keys: c.Keys, version: c.Version, tx: security.NewSendCounter(c.FirstTx), reserved: c.FirstTx},
	}
}

// SystemTitle of the device.
func (k *Keyring) SystemTitle() security.SystemTitle { return k.cfg.Title }

// Versions are the current set and, while its window lasts, the staged one.
func (k *Keyring) Versions(now time.Time, dst []KeyVersion) []KeyVersion {
	dst = append(dst, k.current.version)
	if s := k.stagedAt(now); s != nil {
		dst = append(dst, s.version)
	}
	return dst
}

// Keys of a valid set.
func (k *Keyring) Keys(now time.Time, v KeyVersion) (security.KeySet, bool) {
	if s := k.slot(now, v); s != nil {
		return s.keys, true
	}
	return security.KeySet{}, false
}

// Secret of an association.
func (k *Keyring) Secret(association int) security.Secret {
	if association < 0 || association >= len(k.cfg.Secrets) {
		return security.Secret{}
	}
	return k.cfg.Secrets[association]
}

// SetSecret replaces the secret of an association.
func (k *Keyring) SetSecret(association int, s security.Secret) error {
	if association < 0 || association >= len(k.cfg.Secrets) {
		return fmt.Errorf("server: association %d has no secret to replace: %w", association, cosem.ReadWriteDenied)
	}
	k.cfg.Secrets = slices.Clone(k.cfg.Secrets)
	k.cfg.Secrets[association] = s
	k.changed()
	return nil
}

// NextTx gives the next send counter of a set.
func (k *Keyring) NextTx(v KeyVersion) (uint32, error) {
	s := &k.current
	if k.staged != nil && k.staged.version == v {
		s = k.staged
	}
	if next := s.tx.Peek(); k.cfg.Reserve != nil && next >= s.reserved {
		upTo := next + counterBlock
		if upTo < next {
			upTo = security.CounterMax
		}
		if err := k.cfg.Reserve(s.version, upTo); err != nil {
			return 0, fmt.Errorf("server: reserve send counters up to %d: %w", upTo, err)
		}
		s.reserved = upTo
	}
	// The device never holds the values kept back for a re-key from itself: the reply to key_transfer needs one.
	return s.tx.NextForRekey()
}

// PeekTx is the counter the current set would send next; the public invocation counter object shows the client's side,
// see RxExpected.
func (k *Keyring) PeekTx() uint32 { return k.current.tx.Peek() }

// RxExpected is the lowest acceptable counter.
func (k *Keyring) RxExpected(id RxID) uint32 {
	for i := range k.rx {
		if k.rx[i].id == id {
			return k.rx[i].rc.Expected()
		}
	}
	if len(k.rx) >= maxSenders {
		return security.CounterMax
	}
	return 0
}

// RxAccept takes a counter as seen.
func (k *Keyring) RxAccept(id RxID, ic uint32) {
	for i := range k.rx {
		if k.rx[i].id == id {
			k.rx[i].rc = security.NewReceiveCounter(ic + 1)
			return
		}
	}
	k.rx = append(k.rx, rxSlot{id: id, rc: security.NewReceiveCounter(ic + 1)})
}

// RxHighest is the highest counter seen from any sender under the current set, and 0 before the first: what the
// invocation counter object 0-0:43.1.0 shows.
func (k *Keyring) RxHighest() uint32 {
	var top uint32
	for i := range k.rx {
		if id := k.rx[i].id; id.Version == k.current.version && !id.Broadcast {
			if e := k.rx[i].rc.Expected(); e > top+1 || (top == 0 && e > 0) {
				top = e - 1
			}
		}
	}
	return top
}

// Policy of the device.
func (k *Keyring) Policy() Policy { return k.cfg.Policy }

// Activate raises the policy.
func (k *Keyring) Activate(p Policy) error {
	k.cfg.Policy |= p
	k.changed()
	return nil
}

// Transfer takes new keys: at once, or staged if the keyring has a window. A second transfer within a window replaces
// what was staged.
func (k *Keyring) Transfer(now time.Time, v KeyVersion, updates []KeyUpdate) (func(), error) {
	from := k.slot(now, v)
	if from == nil {
		from = &k.current
	}
	keys := from.keys
	for _, u := range updates {
		var err error
		if keys, err = keys.With(u.ID, u.Key); err != nil {
			return nil, err
		}
	}
	slot := keySlot{keys: keys, version: k.next, tx: security.NewSendCounter(0)}
	k.next++
	if k.cfg.Window <= 0 {
		return func() {
			k.current, k.staged = slot, nil
			k.dropOldSenders()
			k.changed()
		}, nil
	}
	return func() {
		k.staged, k.lapses, k.proven = &slot, now.Add(k.cfg.Window), false
		k.changed()
	}, nil
}

// ChangeState is where a supervised key change stands.
type ChangeState uint8

// States of a supervised key change.
const (
	ChangeIdle   ChangeState = 0
	ChangeStaged ChangeState = 1 // new keys wait for an association under them
	ChangeProven ChangeState = 2 // an association under the new keys was opened
)

// Change tells the state of the supervised key change, the time left to commit, and the version of the set in force.
func (k *Keyring) Change(now time.Time) (s ChangeState, left time.Duration, current KeyVersion) {
	if k.stagedAt(now) == nil {
		return ChangeIdle, 0, k.current.version
	}
	s = ChangeStaged
	if k.proven {
		s = ChangeProven
	}
	return s, k.lapses.Sub(now), k.current.version
}

// Window for commits.
func (k *Keyring) Window() time.Duration { return k.cfg.Window }

// Commit makes the staged set current and drops the old one. v is the set under which it was asked for: only the staged
// set itself may.
func (k *Keyring) Commit(now time.Time, v KeyVersion) error {
	s := k.stagedAt(now)
	if s == nil || s.version != v {
		return cosem.ActionReadWriteDenied
	}
	k.current, k.staged, k.proven = *s, nil, false
	k.dropOldSenders()
	k.changed()
	return nil
}

// Revert drops the staged set.
func (k *Keyring) Revert() {
	if k.staged != nil {
		k.staged, k.proven = nil, false
		k.dropOldSenders()
		k.changed()
	}
}

// PowerCut does what a loss of power does: the staged set is gone. Associations are the device's to drop, see
// [Device.DropAll].
func (k *Keyring) PowerCut() { k.Revert() }

// Opened is told by the device that an association runs under a set.
func (k *Keyring) Opened(now time.Time, v KeyVersion) {
	if s := k.stagedAt(now); s != nil && s.version == v && !k.proven {
		k.proven = true
		k.changed()
	}
}

// Snapshot is what a restart needs. It holds keys: store it as such.
type Snapshot struct {
	Keys    security.KeySet
	Version KeyVersion
	NextTx  uint32
	Next    KeyVersion
	Rx      map[RxID]uint32 // expected counters
	Policy  Policy
}

// Snapshot of the current set. A staged set is not part of it: it does not outlive a power cut.
func (k *Keyring) Snapshot() Snapshot {
	s := Snapshot{
		Keys: k.current.keys, Version: k.current.version, NextTx: max(k.current.reserved, k.current.tx.Peek()), Next: k.next,
		Rx: make(map[RxID]uint32, len(k.rx)), Policy: k.cfg.Policy,
	}
	for i := range k.rx {
		if id := k.rx[i].id; id.Version == k.current.version {
			s.Rx[id] = k.rx[i].rc.Expected()
		}
	}
	return s
}

// Restore puts a snapshot in force.
func (k *Keyring) Restore(s Snapshot) {
	k.current = keySlot{keys: s.Keys, version: s.Version, tx: security.NewSendCounter(s.NextTx), reserved: s.NextTx}
	k.staged, k.proven, k.next = nil, false, max(s.Next, s.Version+1)
	k.cfg.Policy = s.Policy
	k.rx = k.rx[:0]
	for id, e := range s.Rx {
		k.rx = append(k.rx, rxSlot{id: id, rc: security.NewReceiveCounter(e)})
	}
}

func (k *Keyring) stagedAt(now time.Time) *keySlot {
	if k.staged != nil && !now.Before(k.lapses) {
		k.Revert()
	}
	return k.staged
}

func (k *Keyring) slot(now time.Time, v KeyVersion) *keySlot {
	if k.current.version == v {
		return &k.current
	}
	if s := k.stagedAt(now); s != nil && s.version == v {
		return s
	}
	return nil
}

// dropOldSenders forgets the receive counters of sets that no longer exist.
func (k *Keyring) dropOldSenders() {
	k.rx = slices.DeleteFunc(k.rx, func(s rxSlot) bool { return s.id.Version != k.current.version })
}

func (k *Keyring) changed() {
	if k.cfg.Changed != nil {
		k.cfg.Changed()
	}
}
