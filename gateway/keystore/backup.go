package keystore

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"smets1/dlms/security"
	"smets1/internal/store"
)

// BackupFormat is the format member of a backup's first line.
const BackupFormat = "smets1-keystore-backup/1"

// A backup is lines of JSON: a head, the records as they are sealed, and a tail
// with their number and a sealed digest, without which the file is not whole.
type backupHead struct {
	Format string    `json:"format"`
	Root   string    `json:"root"` // fingerprint of the root key
	Made   time.Time `json:"made"`
}

type backupRecord struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

type backupTail struct {
	Records int    `json:"records"`
	Digest  []byte `json:"digest"` // sealed SHA-256 of all lines before
}

const backupDigest = "backup"

// Backup writes all records, sealed as they are: who has the file needs the root
// key too. It gives how many devices are in it.
func (s *Store) Backup(ctx context.Context, w io.Writer, now time.Time) (devices int, err error) {
	entries, err := s.bucket.List(ctx, "")
	if err != nil {
		return 0, wrap(err, "backup")
	}
	sum := sha256.New()
	e := json.NewEncoder(io.MultiWriter(w, sum))
	if err := e.Encode(backupHead{BackupFormat, s.root, now.UTC()}); err != nil {
		return 0, wrap(err, "backup")
	}
	n := 0
	for _, r := range entries {
		if r.Key == rootKey {
			continue // it is made anew
		}
		if _, err := s.sealer.open(r.Key, r.Value); err != nil {
			return 0, err
		}
		if strings.HasPrefix(r.Key, "device/") {
			devices++
		}
		n++
		if err := e.Encode(backupRecord{r.Key, r.Value}); err != nil {
			return 0, wrap(err, "backup")
		}
	}
	digest, err := s.sealer.seal(backupDigest, sum.Sum(nil))
	if err != nil {
		return 0, err
	}
	return devices, wrap(json.NewEncoder(w).Encode(backupTail{n, digest}), "backup")
}

// RestoreSkip is how many invocation counters a restore leaves out for each key:
// those that may have been used since the backup was made.
const RestoreSkip = 1 << 20

const restoreMark = "restore"

// ErrNotEmpty is what Restore reports when there are records already.
var ErrNotEmpty = errors.New("keystore: restore: there are records already: restore into an empty store")

// Restore fills an empty bucket from a backup, whole or not at all, and opens it. A
// restore that was cut short is begun anew. Counters go on RestoreSkip after where
// they were, never back; keys that were changed since the backup are lost.
func Restore(ctx context.Context, c Config, file io.Reader) (*Store, error) {
	s, err := newStore(c)
	if err != nil {
		return nil, err
	}
	records, err := s.parseBackup(file)
	if err != nil {
		return nil, err
	}
	have, err := c.Bucket.List(ctx, "")
	if err != nil {
		return nil, wrap(err, "restore")
	}
	begun := slices.ContainsFunc(have, func(e store.Entry) bool { return e.Key == restoreMark })
	if len(have) > 0 && !begun {
		return nil, ErrNotEmpty
	}
	if _, err := c.Bucket.Put(ctx, restoreMark, []byte("{}")); err != nil {
		return nil, wrap(err, "restore")
	}
	for _, e := range have {
		if e.Key != restoreMark {
			if err := c.Bucket.Delete(ctx, e.Key); err != nil {
				return nil, wrap(err, "restore")
			}
		}
	}
	for len(records) > 0 {
		n := min(len(records), store.MaxBatch)
		ops := make([]store.Op, 0, n)
		for _, r := range records[:n] {
			ops = append(ops, store.Put(r.Key, r.Value))
		}
		if _, err := c.Bucket.Batch(ctx, ops); err != nil {
			return nil, wrap(err, "restore")
		}
		records = records[n:]
	}
	if err := s.checkRoot(ctx, s.root); err != nil {
		return nil, err
	}
	if err := c.Bucket.Delete(ctx, restoreMark); err != nil {
		return nil, wrap(err, "restore")
	}
	return Open(ctx, c)
}

// parseBackup reads and checks a whole file, with the counters moved on.
func (s *Store) parseBackup(file io.Reader) ([]backupRecord, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("keystore: backup: "+format, args...)
	}
	in := bufio.NewReader(file)
	sum := sha256.New()
	var records []backupRecord
	for n := 0; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil, bad("the file ends at line %d: it is not whole", n+1)
		}
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if n == 0 {
			var h backupHead
			if err := d.Decode(&h); err != nil || h.Format != BackupFormat {
				return nil, bad("line 1 is not the head of a backup of format %s", BackupFormat)
			}
			if h.Root != s.root {
				return nil, bad("it is sealed under root key %.16s, the one given is %s: give the right one", h.Root, s.root)
			}
			sum.Write(line)
			continue
		}
		var r backupRecord
		if d.Decode(&r) == nil && r.Key != "" {
			sum.Write(line)
			if r.Value, err = s.skip(r); err != nil {
				return nil, err
			}
			records = append(records, r)
			continue
		}
		var t backupTail
		d = json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&t); err != nil || t.Records != len(records) {
			return nil, bad("line %d is no record, and no tail after %d records", n+1, len(records))
		}
		want, err := s.sealer.open(backupDigest, t.Digest)
		if err != nil || !bytes.Equal(want, sum.Sum(nil)) {
			return nil, bad("%w", ErrTampered)
		}
		if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
			return nil, bad("something follows line %d", n+1)
		}
		return records, nil
	}
}

// skip opens a record, and moves it on if it is a counter.
func (s *Store) skip(r backupRecord) ([]byte, error) {
	plain, err := s.sealer.open(r.Key, r.Value)
	if err != nil || !strings.HasPrefix(r.Key, "counter/") {
		return r.Value, err
	}
	n, err := strconv.ParseUint(string(plain), 10, 32)
	if err != nil {
		return nil, fmt.Errorf("keystore: %s: %w", r.Key, ErrTampered)
	}
	return s.sealCounter(r.Key, uint32(min(n+RestoreSkip, uint64(security.CounterLimit-1))))
}

// Rotate seals all records anew under another root key. It may be cut short
// anywhere: until it is run to its end, with the same two keys, the store opens under
// neither alone. Run again after its end it changes nothing.
func Rotate(ctx context.Context, c Config, next security.Key) (records int, err error) {
	to, err := newStore(Config{Bucket: c.Bucket, Root: next, Random: c.Random, Block: c.Block})
	if err != nil {
		return 0, err
	}
	from, err := newStore(c)
	if err != nil {
		return 0, err
	}
	if from.root == to.root {
		return 0, errors.New("keystore: rotate: the new root key is the old one: give another")
	}
	r, rev, err := readRoot(ctx, c.Bucket)
	switch {
	case err != nil:
		return 0, err
	case r.Fingerprint == to.root && r.Next == "":
		return 0, nil // it was run to its end
	case r.Next == "":
		if _, err := Open(ctx, c); err != nil { // the right key, and no import is left
			return 0, err
		}
		r.Next = to.root
		if rev, err = writeRoot(ctx, c.Bucket, r, rev); err != nil {
			return 0, err
		}
	case r.Fingerprint != from.root || r.Next != to.root:
		return 0, fmt.Errorf("keystore: rotate: a rotation from root key %.16s to %.16s is under way: run it to its end with these", r.Fingerprint, r.Next)
	}
	entries, err := c.Bucket.List(ctx, "")
	if err != nil {
		return 0, wrap(err, "rotate")
	}
	for _, e := range entries {
		if e.Key == rootKey {
			continue
		}
		if _, err := to.sealer.open(e.Key, e.Value); err == nil {
			continue // before it was cut short
		}
		plain, err := from.sealer.open(e.Key, e.Value)
		if err != nil {
			return records, err
		}
		b, err := to.sealer.seal(e.Key, plain)
		if err != nil {
			return records, err
		}
		if _, err := c.Bucket.CompareAndSet(ctx, e.Key, b, e.Revision); err != nil {
			return records, wrap(err, "rotate")
		}
		records++
	}
	check, err := to.sealer.seal(rootKey, []byte(to.root))
	if err != nil {
		return records, err
	}
	_, err = writeRoot(ctx, c.Bucket, rootRecord{Fingerprint: to.root, Check: check}, rev)
	return records, err
}

func readRoot(ctx context.Context, b store.Bucket) (r rootRecord, rev uint64, err error) {
	e, err := b.Get(ctx, rootKey)
	if err != nil {
		return r, 0, wrap(err, "root key")
	}
	if err := json.Unmarshal(e.Value, &r); err != nil {
		return r, 0, fmt.Errorf("keystore: %s: %w", rootKey, ErrTampered)
	}
	return r, e.Revision, nil
}

func writeRoot(ctx context.Context, b store.Bucket, r rootRecord, rev uint64) (uint64, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return rev, wrap(err, "root key")
	}
	rev, err = b.CompareAndSet(ctx, rootKey, raw, rev)
	return rev, wrap(err, "root key")
}
