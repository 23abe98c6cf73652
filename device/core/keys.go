package core

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"smets1/dlms/security"
	"smets1/dlms/server"
	"smets1/internal/wire"
)

// Keys is a device's keyring with one send counter for all of its key sets.
//
// The counter is the device's, not the set's: a set that was staged, dropped by a
// loss of power and staged again would otherwise send its first counters twice
// under the same key. It is reserved in blocks of profile.Keys.CounterBlock; a
// restart goes on at the end of the block.
//
// Counters received are part of each record, and a record is written with every
// change. What a process killed without warning forgets is the counters of requests
// since the last change, all of which were reads.
type Keys struct {
	*server.Keyring
	birth    *Birth
	changed  func() // something of the record changed
	tx       security.SendCounter
	reserved uint32
	block    uint32
}

func (k *Keys) init(b *Birth, changed func()) {
	k.birth, k.block, k.changed = b, b.Profile.Keys.CounterBlock, changed
	k.tx = security.NewSendCounter(1)
	k.reserved = 1
	k.Keyring = server.NewKeyring(server.KeyringConfig{
		Title: b.Title(), Keys: b.Keys, Policy: 0, Window: b.Profile.Keys.Window, Changed: changed,
	})
}

// NextTx gives the next send counter. The reservation is durable before the reply
// that uses it leaves, as all of the record is.
func (k *Keys) NextTx(server.KeyVersion) (uint32, error) {
	n, err := k.tx.NextForRekey()
	if err != nil {
		return 0, fmt.Errorf("device %v: %w", k.birth.EUI, err)
	}
	if n >= k.reserved {
		k.reserved = n + k.block
		if k.reserved < n {
			k.reserved = security.CounterMax
		}
		k.changed()
	}
	return n, nil
}

// exact gives back what was reserved and not used: the device goes on where it is.
func (k *Keys) exact() {
	if next := k.tx.Peek(); k.reserved != next {
		k.reserved = next
		k.changed()
	}
}

func (k *Keys) append(b []byte) []byte {
	s := k.Snapshot()
	b = binary.BigEndian.AppendUint32(b, k.reserved)
	b = binary.BigEndian.AppendUint32(b, uint32(s.Version))
	b = binary.BigEndian.AppendUint32(b, uint32(s.Next))
	b = append(b, byte(s.Policy))
	if s.Keys.Equal(k.birth.Keys) {
		b = append(b, 0)
	} else {
		b = append(b, 4)
		for _, key := range []security.Key{s.Keys.GUEK, s.Keys.GBEK, s.Keys.GAK, s.Keys.KEK} {
			raw := key.Reveal()
			b = append(append(b, byte(len(raw))), raw...)
			clear(raw)
		}
	}
	ids := make([]server.RxID, 0, len(s.Rx))
	for id := range s.Rx {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b server.RxID) int {
		if a.Version != b.Version {
			return int(a.Version) - int(b.Version)
		}
		return bytes.Compare(a.Client[:], b.Client[:])
	})
	b = append(b, byte(len(ids)))
	for _, id := range ids {
		b = binary.BigEndian.AppendUint32(b, uint32(id.Version))
		b = append(b, flag(id.Broadcast))
		b = append(b, id.Client[:]...)
		b = binary.BigEndian.AppendUint32(b, s.Rx[id])
	}
	return b
}

// appendPast appends the counters of keys that are not in force any more and the last
// transactions of clients: a key that comes back must not have its counters twice.
func (k *Keys) appendPast(b []byte) []byte {
	s := k.Snapshot()
	if len(s.Past) == 0 && len(s.Transactions) == 0 {
		return b
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.Past)))
	for _, p := range s.Past {
		b = appendText(b, p.Fingerprint)
		b = append(b, flag(p.Broadcast))
		b = binary.BigEndian.AppendUint32(b, p.NextTx)
		b = append(b, byte(len(p.Rx)))
		for _, t := range titles(p.Rx) {
			b = append(b, t[:]...)
			b = binary.BigEndian.AppendUint32(b, p.Rx[t])
		}
	}
	b = append(b, byte(len(s.Transactions)))
	for _, t := range titles(s.Transactions) {
		b = append(b, t[:]...)
		b = appendText(b, string(s.Transactions[t]))
	}
	return b
}

func titles[V any](m map[security.SystemTitle]V) []security.SystemTitle {
	list := slices.Collect(maps.Keys(m))
	slices.SortFunc(list, func(a, b security.SystemTitle) int { return bytes.Compare(a[:], b[:]) })
	return list
}

// restorePast reads what appendPast wrote, after the section of the keys.
func (k *Keys) restorePast(r *wire.Reader) {
	s := k.Snapshot()
	s.Past, s.Transactions = nil, nil
	title := func() (t security.SystemTitle) {
		copy(t[:], r.Bytes(len(t)))
		return t
	}
	for range r.U16() {
		if r.Err() != nil {
			return
		}
		p := server.PastKey{Fingerprint: text(r), Broadcast: r.U8() != 0, NextTx: r.U32(), Rx: map[security.SystemTitle]uint32{}}
		for range r.U8() {
			t := title()
			p.Rx[t] = r.U32()
		}
		s.Past = append(s.Past, p)
	}
	for range r.U8() {
		if s.Transactions == nil {
			s.Transactions = map[security.SystemTitle][]byte{}
		}
		t := title()
		s.Transactions[t] = []byte(text(r))
	}
	if r.Err() == nil {
		k.Restore(s)
	}
}

func (k *Keys) restore(r *wire.Reader) {
	s := server.Snapshot{Keys: k.birth.Keys}
	reserved := r.U32()
	s.Version = server.KeyVersion(r.U32())
	s.Next = server.KeyVersion(r.U32())
	s.Policy = server.Policy(r.U8())
	switch n := r.U8(); n {
	case 0:
	case 4:
		for _, id := range []security.KeyID{security.KeyGUEK, security.KeyGBEK, security.KeyGAK, security.KeyKEK} {
			raw := r.Bytes(int(r.U8()))
			var key security.Key
			if len(raw) > 0 {
				var err error
				if key, err = security.NewKey(raw); err != nil {
					r.Fail(err)
					return
				}
			}
			s.Keys, _ = s.Keys.With(id, key) // all four ids are known
		}
	default:
		r.Failf("%d keys", n)
	}
	n := int(r.U8())
	s.Rx = make(map[server.RxID]uint32, n)
	for range n {
		id := server.RxID{Version: server.KeyVersion(r.U32()), Broadcast: r.U8() != 0}
		copy(id.Client[:], r.Bytes(8))
		s.Rx[id] = r.U32()
	}
	if r.Err() != nil {
		return
	}
	k.Restore(s)
	k.tx, k.reserved = security.NewSendCounter(reserved), reserved
}

// Staged tells whether new keys wait for their commit.
func (k *Keys) Staged(now time.Time) bool {
	s, _, _ := k.Change(now)
	return s != server.ChangeIdle
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}
