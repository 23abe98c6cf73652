package report

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"smets1/migration/document"
)

// Record is one line of the audit trail: one transition of one installation.
type Record struct {
	Seq          uint64       `json:"seq"`  // 1 for the first line
	Time         time.Time    `json:"time"` // virtual time of the transition
	Who          string       `json:"who"`  // the role that acted
	Installation document.EUI `json:"installation"`
	From         string       `json:"from"` // state
	To           string       `json:"to"`
	Artefact     string       `json:"artefact,omitempty"` // file name, or id of the command
	SHA256       string       `json:"sha256,omitempty"`   // of the artefact
	Code         string       `json:"code,omitempty"`     // of the catalogue, for a failure
	Detail       string       `json:"detail,omitempty"`
	Prev         string       `json:"prev"` // SHA-256 of the line before, without its line end; zeros for the first
}

// Head is the end of a trail. Whoever keeps a head elsewhere can later tell that lines were cut
// off the end, which the chain alone cannot.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

var genesis = strings.Repeat("0", 2*sha256.Size)

// maxRecord bounds a line.
const maxRecord = 1 << 20

// Trail appends to an audit trail. It is safe for concurrent use.
type Trail struct {
	mu   sync.Mutex
	w    io.Writer
	head Head
	err  error
}

// NewTrail starts a trail, or goes on from a head; the zero head means from the beginning.
func NewTrail(w io.Writer, from Head) *Trail {
	if from.Seq == 0 {
		from.Hash = genesis
	}
	return &Trail{w: w, head: from}
}

// Append writes a record. Seq and Prev are set here. After a failed write the trail stays
// failed: a line that may be half written must not be followed by another.
func (t *Trail) Append(r Record) (Head, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.head, t.err
	}
	r.Seq, r.Prev, r.Time = t.head.Seq+1, t.head.Hash, r.Time.UTC()
	line, err := json.Marshal(r)
	if err != nil {
		return t.head, fmt.Errorf("audit record %d: %w", r.Seq, err)
	}
	if len(line) >= maxRecord {
		return t.head, fmt.Errorf("audit record %d has %d octets; shorten its detail", r.Seq, len(line))
	}
	if _, err := t.w.Write(append(line, '\n')); err != nil {
		t.err = fmt.Errorf("audit trail: writing record %d: %w", r.Seq, err)
		return t.head, t.err
	}
	sum := sha256.Sum256(line)
	t.head = Head{Seq: r.Seq, Hash: hex.EncodeToString(sum[:])}
	return t.head, nil
}

// Head gives the present end of the trail.
func (t *Trail) Head() Head {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head
}

// ErrTrail means that a trail is not what was written.
var ErrTrail = errors.New("the audit trail was changed")

// VerifyTrail reads a trail from its beginning, compares every link, and gives each record to
// each (nil for none). It returns the end of the trail; the caller compares it with a head kept
// elsewhere.
func VerifyTrail(r io.Reader, each func(Record) error) (Head, error) {
	head := Head{Hash: genesis}
	_, err := scanTrail(r, &head, each)
	return head, err
}

// scanTrail gives the octets of whole, good lines. A last line without a line end is an error.
func scanTrail(r io.Reader, head *Head, each func(Record) error) (good int64, err error) {
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := readLine(br)
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return good, nil
		}
		n := head.Seq + 1
		if err != nil {
			if errors.Is(err, io.EOF) {
				return good, fmt.Errorf("%w: line %d has no end: %w", ErrTrail, n, errPartial)
			}
			return good, fmt.Errorf("audit trail line %d: %w", n, err)
		}
		var rec Record
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&rec); err != nil {
			return good, fmt.Errorf("%w: line %d: %w", ErrTrail, n, err)
		}
		if rec.Seq != n {
			return good, fmt.Errorf("%w: line %d carries sequence %d", ErrTrail, n, rec.Seq)
		}
		if rec.Prev != head.Hash {
			return good, fmt.Errorf("%w: line %d does not follow line %d: its prev is %s and must be %s", ErrTrail, n, n-1, rec.Prev, head.Hash)
		}
		if each != nil {
			if err := each(rec); err != nil {
				return good, err
			}
		}
		sum := sha256.Sum256(line)
		*head = Head{Seq: n, Hash: hex.EncodeToString(sum[:])}
		good += int64(len(line)) + 1
	}
}

var errPartial = errors.New("the last line is cut")

func readLine(br *bufio.Reader) ([]byte, error) {
	var out []byte
	for {
		part, err := br.ReadSlice('\n')
		out = append(out, part...)
		if len(out) > maxRecord {
			return nil, fmt.Errorf("%w: it is longer than %d octets", ErrTrail, maxRecord)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return out, err
		}
		return out[:len(out)-1], nil
	}
}

// TrailFile is a trail in a file.
type TrailFile struct {
	*Trail
	f *os.File
}

// OpenTrail opens or creates a trail file and goes on at its end. The chain is verified first,
// and each record is given to each (nil for none). A last line that a crash cut off is taken away: it
// was never acknowledged. Anything else that does not fit is an error, and the file is left alone.
func OpenTrail(path string, each func(Record) error) (*TrailFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	head := Head{Hash: genesis}
	good, err := scanTrail(f, &head, each)
	if errors.Is(err, errPartial) {
		err = f.Truncate(good)
	}
	if err == nil {
		_, err = f.Seek(good, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &TrailFile{Trail: NewTrail(f, head), f: f}, nil
}

// Sync forces what was appended to the disk.
func (t *TrailFile) Sync() error { return t.f.Sync() }

// Close closes the file.
func (t *TrailFile) Close() error { return t.f.Close() }
