package server

import (
	"fmt"
	"maps"
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
	// Accepted is called when a counter was received and before its request is served: next is the lowest acceptable
	// from now on. Who makes it durable refuses replays after a power cut too. Nil keeps nothing.
	Accepted func(id RxID, next uint32)
	// Changed is called after keys, secrets, policy or reserved send counters changed, and before a counter of the new
	// block is used: the place to store a Snapshot. Nil is no call.
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
	past    []*keyCounters // of keys out of use, see PastKey

	transactions map[security.SystemTitle][]byte
}

type keySlot struct {
	keys       security.KeySet
	version    KeyVersion
	guek, gbek *keyCounters
}

var (
	_ KeyChanger    = (*Keyring)(nil)
	_ SecretChanger = (*Keyring)(nil)
	_ Transactions  = (*Keyring)(nil)
)

// NewKeyring makes one.
func NewKeyring(c KeyringConfig) *Keyring {
	if c.Version == 0 {
		c.Version = 1
	}
	k := &Keyring{cfg: c, next: c.Version + 1}
	k.current = k.begin(c.Keys, c.Version)
	k.current.guek.resume(c.FirstTx)
	return k
}

// SystemTitle of the device.
func (k *Keyring) SystemTitle() security.SystemTitle { return k.cfg.Title }

// Versions are the current set and, while its window lasts, the staged one: first if a message cannot tell the two
// apart, because the transfer brought neither GUEK nor GAK, for it could never be proven otherwise.
func (k *Keyring) Versions(now time.Time, dst []KeyVersion) []KeyVersion {
	s := k.stagedAt(now)
	switch c := &k.current; {
	case s == nil:
		return append(dst, c.version)
	case s.keys.GUEK.Equal(c.keys.GUEK) && s.keys.GAK.Equal(c.keys.GAK):
		return append(dst, s.version, c.version)
	default:
		return append(dst, c.version, s.version)
	}
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
	c := s.guek
	if next := c.tx.Peek(); (k.cfg.Reserve != nil || k.cfg.Changed != nil) && next >= c.reserved {
		before, upTo := c.reserved, next+counterBlock
		if upTo < next {
			upTo = security.CounterMax
		}
		if k.cfg.Reserve != nil {
			if err := k.cfg.Reserve(s.version, upTo); err != nil {
				return 0, fmt.Errorf("server: reserve send counters up to %d: %w", upTo, err)
			}
		}
		if c.reserved = upTo; upTo > before {
			k.changed()
		}
	}
	// The device never holds the values kept back for a re-key from itself: the reply to key_transfer needs one.
	return c.tx.NextForRekey()
}

// PeekTx is the counter the current set would send next; the public invocation counter object shows the client's side,
// see RxExpected.
func (k *Keyring) PeekTx() uint32 { return k.current.guek.tx.Peek() }

// RxExpected is the lowest acceptable counter.
func (k *Keyring) RxExpected(id RxID) uint32 {
	c := k.counters(id)
	if c == nil {
		return 0
	}
	for i := range c.rx {
		if c.rx[i].client == id.Client {
			return c.rx[i].next
		}
	}
	if len(c.rx) >= maxSenders {
		return security.CounterMax
	}
	return 0
}

// RxAccept takes a counter as seen.
func (k *Keyring) RxAccept(id RxID, ic uint32) {
	c := k.counters(id)
	if c == nil {
		return
	}
	c.accept(id.Client, ic+1)
	if k.cfg.Accepted != nil {
		k.cfg.Accepted(id, ic+1)
	}
}

// RxHighest is the highest counter seen from any sender under the current set, and 0 before the first: what the
// invocation counter object 0-0:43.1.0 shows.
func (k *Keyring) RxHighest() uint32 {
	var top uint32
	for _, x := range k.current.guek.rx {
		if x.next > 0 {
			top = max(top, x.next-1)
		}
	}
	return top
}

// LastTransaction of a client.
func (k *Keyring) LastTransaction(client security.SystemTitle) []byte { return k.transactions[client] }

// SetLastTransaction keeps the last transaction id of a client. Who gets here authenticated under a key of the device,
// so their number is small.
func (k *Keyring) SetLastTransaction(client security.SystemTitle, id []byte) {
	if k.transactions == nil {
		k.transactions = map[security.SystemTitle][]byte{}
	}
	k.transactions[client] = slices.Clone(id)
	k.changed()
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
	version := k.next
	k.next++
	if k.cfg.Window <= 0 {
		return func() {
			old := k.current
			k.current = k.begin(keys, version)
			k.retire(&old)
			k.changed()
		}, nil
	}
	return func() {
		k.drop()
		slot := k.begin(keys, version)
		k.staged, k.lapses = &slot, now.Add(k.cfg.Window)
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
	old := k.current
	k.current, k.staged, k.proven = *s, nil, false
	k.retire(&old)
	k.changed()
	return nil
}

// Revert drops the staged set.
func (k *Keyring) Revert() {
	if k.drop() {
		k.changed()
	}
}

// drop forgets the staged set, save the counters of its keys.
func (k *Keyring) drop() bool {
	s := k.staged
	if s == nil {
		return false
	}
	k.staged, k.proven = nil, false
	k.retire(s)
	return true
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
	// Secrets of the associations; nil keeps those of the configuration.
	Secrets []security.Secret
	// Past are the keys that are not in force any more, the oldest first.
	Past []PastKey
	// Transactions are the last ids of clients.
	Transactions map[security.SystemTitle][]byte
}

// Snapshot of the current set. A staged set is not part of it, for it does not outlive a power cut, but the counters of
// its keys are.
func (k *Keyring) Snapshot() Snapshot {
	c := &k.current
	s := Snapshot{
		Keys: c.keys, Version: c.version, NextTx: c.guek.nextTx(), Next: k.next,
		Rx: map[RxID]uint32{}, Policy: k.cfg.Policy, Secrets: slices.Clone(k.cfg.Secrets),
		Transactions: maps.Clone(k.transactions),
	}
	for _, from := range []*keyCounters{c.guek, c.gbek} {
		for _, x := range from.rx {
			s.Rx[RxID{Version: c.version, Broadcast: from == c.gbek, Client: x.client}] = x.next
		}
	}
	past := slices.Clone(k.past)
	if k.staged != nil {
		past = append(past, k.staged.guek, k.staged.gbek)
	}
	for i, p := range past {
		if p.used() && p.print != "" && p != c.guek && p != c.gbek && !slices.Contains(past[:i], p) {
			s.Past = append(s.Past, p.remembered())
		}
	}
	return s
}

// Restore puts a snapshot in force.
func (k *Keyring) Restore(s Snapshot) {
	k.staged, k.proven, k.next = nil, false, max(s.Next, s.Version+1)
	k.cfg.Policy = s.Policy
	if s.Secrets != nil {
		k.cfg.Secrets = slices.Clone(s.Secrets)
	}
	k.transactions = maps.Clone(s.Transactions)
	k.past = nil
	for _, p := range s.Past {
		k.past = append(k.past, p.counters())
	}
	k.current = keySlot{}
	k.current = k.begin(s.Keys, s.Version)
	k.current.guek.resume(s.NextTx)
	for id, next := range s.Rx {
		if c := k.counters(id); c != nil {
			c.accept(id.Client, next)
		}
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

func (k *Keyring) changed() {
	if k.cfg.Changed != nil {
		k.cfg.Changed()
	}
}
