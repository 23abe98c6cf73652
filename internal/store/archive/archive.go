// Package archive takes the records of a store out and puts them back: a check, a backup in one file, and an export as an SQLite database. It knows
// the forms of records only as far as they are JSON.
//
// # Backup
//
// Lines of JSON (ours): a head, each bucket with its options, its records after it, and an end with the number of records and the SHA-256
// of all lines before, so that a backup that was cut or changed is refused before anything of it is taken in.
//
//	{"smets1_backup":1}
//	{"bucket":"jobs","sync":false}
//	{"key":"job/17","value":"eyJ…"}
//	{"records":1,"sha256":"9f86…"}
package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"smets1/internal/store"
)

// line is a line of a backup; which of its members there are tells what it is.
type line struct {
	Backup  int    `json:"smets1_backup,omitzero"`
	Bucket  string `json:"bucket,omitzero"`
	Sync    bool   `json:"sync,omitzero"`
	Key     string `json:"key,omitzero"`
	Value   []byte `json:"value,omitzero"`
	Records *int   `json:"records,omitzero"`
	SHA256  string `json:"sha256,omitzero"`
}

const version = 1

// Backup writes all records and tells how many.
func Backup(ctx context.Context, s store.Store, w io.Writer) (int, error) {
	sum := sha256.New()
	b := bufio.NewWriter(w)
	out := func(l line) error {
		text, err := json.Marshal(l)
		if err != nil {
			return err
		}
		text = append(text, '\n')
		sum.Write(text)
		_, err = b.Write(text)
		return err
	}
	n := 0
	if err := out(line{Backup: version}); err != nil {
		return n, err
	}
	err := each(ctx, s, func(info store.BucketInfo, records []store.Entry) error {
		if err := out(line{Bucket: info.Name, Sync: info.Options.Sync}); err != nil {
			return err
		}
		for _, e := range records {
			if err := out(line{Key: e.Key, Value: e.Value}); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		return n, err
	}
	digest := hex.EncodeToString(sum.Sum(nil))
	if err := out(line{Records: &n, SHA256: digest}); err != nil {
		return n, err
	}
	return n, b.Flush()
}

func each(ctx context.Context, s store.Store, f func(store.BucketInfo, []store.Entry) error) error {
	buckets, err := s.Buckets(ctx)
	if err != nil {
		return err
	}
	for _, info := range buckets {
		b, err := s.Bucket(ctx, info.Name, info.Options)
		if err != nil {
			return err
		}
		records, err := b.List(ctx, "")
		if err != nil {
			return fmt.Errorf("bucket %s: %w", info.Name, err)
		}
		if err := f(info, records); err != nil {
			return err
		}
	}
	return nil
}

// ErrBackup tells that a file is no whole backup.
var ErrBackup = errors.New("this is no whole backup")

// Restore takes a backup into a store without records, and tells how many there were. The file is checked first.
func Restore(ctx context.Context, s store.Store, r io.ReadSeeker) (int, error) {
	if _, err := read(r, nil); err != nil {
		return 0, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	if err := each(ctx, s, func(info store.BucketInfo, records []store.Entry) error {
		if len(records) > 0 {
			return fmt.Errorf("the store has records already (%d in %s): restore into an empty one", len(records), info.Name)
		}
		return nil
	}); err != nil {
		return 0, err
	}
	var bucket store.Bucket
	var ops []store.Op
	flush := func() error {
		for _, err := range bucket.Pipeline(ctx, ops) {
			if err != nil {
				return err
			}
		}
		ops = ops[:0]
		return nil
	}
	n, err := read(r, func(l line) (err error) {
		if l.Bucket == "" {
			if ops = append(ops, store.Put(l.Key, l.Value)); len(ops) == 250 {
				return flush()
			}
			return nil
		}
		if bucket != nil {
			if err := flush(); err != nil {
				return err
			}
		}
		bucket, err = s.Bucket(ctx, l.Bucket, store.Options{Sync: l.Sync})
		return err
	})
	if err == nil && bucket != nil {
		err = flush()
	}
	return n, err
}

// maxLine is more than the longest record takes.
const maxLine = 2*store.MaxValue + 4*store.MaxKey

// read checks a backup and gives its buckets and records to f (nil for none).
func read(r io.Reader, f func(line) error) (n int, err error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	in.Split(wholeLines)
	sum := sha256.New()
	var bucket, ended bool
	for at := 1; in.Scan(); at++ {
		text := in.Bytes()
		var l line
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&l); err != nil || ended {
			return n, fmt.Errorf("%w: line %d: %w", ErrBackup, at, errors.Join(err, errors.New("it does not belong there")))
		}
		switch {
		case at == 1:
			if l.Backup != version {
				return n, fmt.Errorf("%w: it begins with another line than version %d does", ErrBackup, version)
			}
		case l.Records != nil:
			if *l.Records != n || l.SHA256 != hex.EncodeToString(sum.Sum(nil)) {
				return n, fmt.Errorf("%w: its digest or its number of records is another", ErrBackup)
			}
			ended = true
		case l.Bucket != "" || l.Key != "" && bucket:
			if l.Bucket == "" {
				n++
			}
			bucket = true
			if f != nil {
				if err := f(l); err != nil {
					return n, err
				}
			}
		default:
			return n, fmt.Errorf("%w: line %d is neither bucket nor record", ErrBackup, at)
		}
		sum.Write(text)
		sum.Write([]byte{'\n'})
	}
	if err := in.Err(); err != nil {
		return n, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	if !ended {
		return n, fmt.Errorf("%w: it has no end", ErrBackup)
	}
	return n, nil
}

// wholeLines splits at line ends; what is left after the last is an error.
func wholeLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, errors.New("its last line is cut")
	}
	return 0, nil, nil
}

// Report is what Check found in a bucket.
type Report struct {
	Name    string
	Sync    bool
	Records int
	Bytes   int64
	// Damaged names the records that cannot be read, and why.
	Damaged []string
}

// Check reads all records. Those of the queue must be JSON with a schema; others are read and counted.
func Check(ctx context.Context, s store.Store) ([]Report, error) {
	var out []Report
	err := each(ctx, s, func(info store.BucketInfo, records []store.Entry) error {
		r := Report{Name: info.Name, Sync: info.Options.Sync, Records: len(records)}
		for _, e := range records {
			r.Bytes += int64(len(e.Key) + len(e.Value))
			if _, _, err := jobsOf(info.Name, e); err != nil {
				r.Damaged = append(r.Damaged, fmt.Sprintf("%s: record %q: %v", info.Name, e.Key, err))
			}
		}
		out = append(out, r)
		return nil
	})
	return out, err
}
