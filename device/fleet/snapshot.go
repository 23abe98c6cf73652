package fleet

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"smets1/device/core"
	"smets1/internal/wire"
)

// A Snapshot is a fleet as it was at a time: what of it differs from its manifest and
// seed. It holds keys; store it as such. What a device has only while it has power is not
// in it: connections, associations, keys that wait for their commit, frames on the way.
//
// Its form is, with numbers big endian,
//
//	0   4  magic "S1FS"
//	4   1  format 1
//	5   4  length of the header
//	       header, JSON: see SnapshotHeader
//	       records in the order of their keys, each
//	    2    length of the key
//	         key
//	    4    length of the value
//	         value, a device record (device/core) or the state of a node on the air
//	   32  SHA-256 of all before
type Snapshot struct {
	SnapshotHeader
	records map[string][]byte
}

// SnapshotHeader says what a snapshot is of.
type SnapshotHeader struct {
	Fleet    string    `json:"fleet"`
	Seed     uint64    `json:"seed"`
	Manifest string    `json:"manifest"` // SHA-256 of all that the manifest says, in hex
	Time     time.Time `json:"time"`     // virtual
	Records  int       `json:"records"`
}

const (
	snapshotMagic  = "S1FS"
	snapshotFormat = 1
	// maxSnapshot is the longest snapshot that is read, in octets: a million homes of which each
	// was changed take half of it.
	maxSnapshot = 4 << 30
)

// Lister is an NV whose records can be gone through.
type Lister interface {
	core.NV
	// Each gives each record, in any order. The value is valid during the call.
	Each(f func(key string, value []byte) error) error
}

// digest is of all that a manifest says.
func (m *Manifest) digest() string {
	b, err := json.Marshal(m)
	if err != nil {
		panic("fleet: " + err.Error()) // it consists of words and numbers
	}
	d := sha256.Sum256(b)
	return hex.EncodeToString(d[:])
}

// Snapshot writes down the fleet as it is, while it runs: each home at one instant. Its
// time is that of the clock when the last was written down.
func (f *Fleet) Snapshot(w io.Writer) error {
	f.turn.Lock()
	defer f.turn.Unlock()
	records := map[string][]byte{}
	take := func(key string, value []byte) error {
		if f.manifest.owns(key) {
			records[key] = bytes.Clone(value)
		}
		return nil
	}
	for _, s := range f.shards {
		if err := f.takeShard(s, take); err != nil {
			return err
		}
	}
	if f.opt.NV != nil {
		l, ok := f.opt.NV.(Lister)
		if !ok {
			return errors.New("fleet: what these homes write down cannot be listed")
		}
		if err := l.Each(take); err != nil {
			return fmt.Errorf("fleet: snapshot: %w", err)
		}
	}
	s := Snapshot{SnapshotHeader{Fleet: f.manifest.Name, Seed: f.manifest.Seed, Manifest: f.manifest.digest(), Time: f.clock.Now(), Records: len(records)}, records}
	return s.write(w)
}

// takeShard has the homes of a shard written down, and takes what was if it is the
// shard's own.
func (f *Fleet) takeShard(s *shard, take func(key string, value []byte) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range slices.Sorted(maps.Keys(s.homes)) {
		h := s.homes[i]
		h.advance(f.clock.Now())
		for _, u := range h.units() {
			if err := u.Suspend(s.nv); err != nil {
				return err
			}
		}
		h.settle(h.now)
	}
	if own, ok := s.nv.(deltas); ok {
		return own.Each(take)
	}
	return nil
}

// owns tells whether a record is of a home of the manifest. Its key begins with the
// EUI-64 of a device.
func (m *Manifest) owns(key string) bool {
	name, _, _ := strings.Cut(key, ".")
	e, err := wire.ParseEUI64(name)
	if err != nil {
		return false
	}
	_, ok := m.findEUI(e)
	return ok
}

func (s *Snapshot) write(w io.Writer) error {
	header, err := json.Marshal(s.SnapshotHeader)
	if err != nil {
		return fmt.Errorf("fleet: snapshot: %w", err)
	}
	sum := sha256.New()
	out := io.MultiWriter(w, sum)
	b := append([]byte(snapshotMagic), snapshotFormat)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(header))), header...)
	for _, key := range slices.Sorted(maps.Keys(s.records)) {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(key))), key...)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(s.records[key]))), s.records[key]...)
		if len(b) > 1<<20 {
			if _, err := out.Write(b); err != nil {
				return fmt.Errorf("fleet: snapshot: %w", err)
			}
			b = b[:0]
		}
	}
	if _, err := out.Write(b); err != nil {
		return fmt.Errorf("fleet: snapshot: %w", err)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("fleet: snapshot: %w", err)
	}
	return nil
}

// ReadSnapshot reads a snapshot to its end.
func ReadSnapshot(r io.Reader) (*Snapshot, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSnapshot+1))
	if err != nil {
		return nil, fmt.Errorf("fleet: snapshot: %w", err)
	}
	if len(b) > maxSnapshot {
		return nil, fmt.Errorf("fleet: snapshot: longer than %d octets", maxSnapshot)
	}
	return ParseSnapshot(b)
}

// ParseSnapshot reads a snapshot.
func ParseSnapshot(b []byte) (*Snapshot, error) {
	if len(b) < len(snapshotMagic)+1+4+sha256.Size || string(b[:len(snapshotMagic)]) != snapshotMagic {
		return nil, errors.New("fleet: snapshot: this is none: it does not begin with " + snapshotMagic)
	}
	if v := b[len(snapshotMagic)]; v != snapshotFormat {
		return nil, fmt.Errorf("fleet: snapshot: format %d: this program reads %d", v, snapshotFormat)
	}
	body := b[:len(b)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return nil, errors.New("fleet: snapshot: its checksum is wrong: it was cut short or changed")
	}
	r := wire.NewReader(body[len(snapshotMagic)+1:])
	s := &Snapshot{records: map[string][]byte{}}
	if header := r.Bytes(int(r.U32())); r.Err() == nil {
		if err := json.Unmarshal(header, &s.SnapshotHeader); err != nil {
			return nil, fmt.Errorf("fleet: snapshot: header: %w", err)
		}
	}
	last := ""
	for r.Err() == nil && r.Len() > 0 {
		key := string(r.Bytes(int(r.U16())))
		value := r.Bytes(int(r.U32()))
		if r.Err() == nil && key <= last {
			r.Failf("record %q comes after %q", key, last)
		}
		s.records[key], last = bytes.Clone(value), key
	}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("fleet: snapshot: %w", err)
	}
	if len(s.records) != s.Records {
		return nil, fmt.Errorf("fleet: snapshot: %d records, and the header speaks of %d", len(s.records), s.Records)
	}
	return s, nil
}

// Fits tells what keeps a manifest from going on from a snapshot: nil if nothing does.
func (s *Snapshot) Fits(m *Manifest) error {
	if d := m.digest(); s.Manifest != d {
		return fmt.Errorf("fleet: the snapshot is of another manifest or seed (fleet %s, seed %d, digest %.12s…, not %.12s…)", s.Fleet, s.Seed, s.Manifest, d)
	}
	for key := range s.records {
		if !m.owns(key) {
			return fmt.Errorf("fleet: snapshot: record %q is of no home of the manifest", key)
		}
	}
	return nil
}

// load puts the records of a snapshot where the homes look for them, in place of what was
// there.
func (f *Fleet) load(s *Snapshot) error {
	if err := s.Fits(f.manifest); err != nil {
		return err
	}
	f.resumed = true
	if f.opt.NV == nil {
		for key, v := range s.records {
			name, _, _ := strings.Cut(key, ".")
			e, err := wire.ParseEUI64(name)
			if err != nil {
				return fmt.Errorf("fleet: snapshot: %w", err)
			}
			i, _ := f.manifest.findEUI(e)
			if err := f.shard(i).nv.Save(key, v); err != nil {
				return fmt.Errorf("fleet: snapshot: %w", err)
			}
		}
		return nil
	}
	l, ok := f.opt.NV.(Lister)
	if !ok {
		return errors.New("fleet: a snapshot cannot take the place of what is there: it cannot be listed")
	}
	var gone []string
	if err := l.Each(func(key string, _ []byte) error {
		if _, kept := s.records[key]; !kept && f.manifest.owns(key) {
			gone = append(gone, key)
		}
		return nil
	}); err != nil {
		return fmt.Errorf("fleet: snapshot: %w", err)
	}
	for _, key := range gone {
		if err := l.Save(key, nil); err != nil {
			return fmt.Errorf("fleet: snapshot: %w", err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.records)) {
		if err := l.Save(key, s.records[key]); err != nil {
			return fmt.Errorf("fleet: snapshot: %w", err)
		}
	}
	return nil
}
