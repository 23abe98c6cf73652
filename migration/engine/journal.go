package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"smets1/internal/store"
	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/lifecycle"
	"smets1/migration/plan"
)

// A Move is one step along an edge of the lifecycle, as the journal keeps it
// and the audit trail shows it.
type Move struct {
	Seq     uint64          `json:"seq"` // order among all moves of the run
	Time    time.Time       `json:"time"`
	From    lifecycle.State `json:"from"`
	To      lifecycle.State `json:"to"`
	Actor   string          `json:"actor"`             // role that moved it: RP, S1SP, DCO, CP
	Attempt int             `json:"attempt,omitempty"` // 1 for the first
	Code    string          `json:"code,omitempty"`    // of the catalogue, for a failure
	Detail  string          `json:"detail,omitempty"`
	// Artefact is the file or the command id that the move rests on, Digest its
	// SHA-256 where it is a file.
	Artefact string `json:"artefact,omitempty"`
	Digest   string `json:"digest,omitempty"`
}

// Record is all that the engine remembers of one installation. What the
// documents say of it is not repeated here.
type Record struct {
	ID    wire.EUI64 `json:"id"`
	Moves []Move     `json:"moves"`
	// Attempt counts from 1; 0 before the first.
	Attempt int `json:"attempt"`
	// Failures counts failed attempts by code.
	Failures map[string]int `json:"failures,omitempty"`
	// ElectricityOnly is the variant of the next attempts, after the gas meter
	// was given up.
	ElectricityOnly bool `json:"electricity_only,omitempty"`
	// Due is the time from which the next thing may be done.
	Due time.Time `json:"due"`
	// Set is the file set of the present attempt.
	Set string `json:"set,omitempty"`
	// FirmwareNotice and MigrationNotice say when a dormant installation's
	// supplier was told.
	FirmwareNotice  time.Time `json:"firmware_notice,omitzero"`
	MigrationNotice time.Time `json:"migration_notice,omitzero"`
	// NoticedFor is the day that the latest notice names, Notice its file, and
	// Notices what it said of each meter, to whom.
	NoticedFor time.Time   `json:"noticed_for,omitzero"`
	Notice     string      `json:"notice,omitempty"`
	Notices    []plan.Sent `json:"notices,omitempty"`
	// Began and Ended bound the work on the homes themselves, over all attempts.
	Began time.Time `json:"began,omitzero"`
	Ended time.Time `json:"ended,omitzero"`
	// Taken lists devices whose keys were taken over in the present attempt, in
	// order; Repointed says that the hub was.
	Taken     []wire.EUI64 `json:"taken,omitempty"`
	Repointed bool         `json:"repointed,omitempty"`
	// Evidence is what the devices said in the present attempt.
	Evidence Evidence `json:"evidence"`

	machine  lifecycle.Machine
	revision uint64
}

// Evidence is what was read from a home, for the files that report it.
type Evidence struct {
	Devices  []DeviceEvidence `json:"devices,omitempty"`
	Checks   []Check          `json:"checks,omitempty"`
	TakenAt  time.Time        `json:"taken_at,omitzero"`
	Endpoint string           `json:"endpoint,omitempty"` // before it was re-pointed
}

// DeviceEvidence is what one device said of itself.
type DeviceEvidence struct {
	EUI          wire.EUI64 `json:"eui"`
	Role         string     `json:"role"`
	Firmware     string     `json:"firmware,omitempty"`
	ConfigDigest string     `json:"config_digest,omitempty"`
	KeyVersion   uint32     `json:"key_version,omitempty"`
	Fingerprint  string     `json:"fingerprint,omitempty"`
}

// Check is one device test and how it went.
type Check struct {
	Device   wire.EUI64    `json:"device"`
	Name     string        `json:"name"`
	Code     string        `json:"code,omitempty"` // empty: passed
	Detail   string        `json:"detail,omitempty"`
	Duration time.Duration `json:"duration"`
}

// State is where the installation stands.
func (i *Record) State() lifecycle.State { return i.machine.State() }

// Last is the last move, or a zero Move.
func (i *Record) Last() Move {
	if len(i.Moves) == 0 {
		return Move{}
	}
	return i.Moves[len(i.Moves)-1]
}

// LastFailure is the last move that carries a code, or a zero Move.
func (i *Record) LastFailure() Move {
	for n := len(i.Moves) - 1; n >= 0; n-- {
		if i.Moves[n].Code != "" {
			return i.Moves[n]
		}
	}
	return Move{}
}

// replay walks the machine through the moves, so that a record which was
// altered or damaged is refused and not believed.
func (i *Record) replay() error {
	for n, m := range i.Moves {
		e, ok := lifecycle.Between(m.From, m.To)
		if !ok {
			return fmt.Errorf("engine: journal of %s, move %d: there is no edge %v → %v", i.ID, n+1, m.From, m.To)
		}
		if err := i.machine.Take(e); err != nil {
			return fmt.Errorf("engine: journal of %s, move %d: %w", i.ID, n+1, err)
		}
	}
	return nil
}

// fileSet is the journal of one S1SP required file set and of the files that
// answer it.
type fileSet struct {
	ID      string             `json:"id"`
	Group   string             `json:"group"`
	S1SP    string             `json:"s1sp"`
	Day     time.Time          `json:"day"`
	Counter uint64             `json:"counter"`
	Members []wire.EUI64       `json:"members"` // in the order of the files
	Files   map[string]fileRef `json:"files"`   // by type: MCF, MGF, …
	// Read says which party has accepted which answer of the set.
	Read   map[string]bool `json:"read,omitempty"`
	Closed bool            `json:"closed,omitempty"`

	sent     bool // the requesting party's files are with their recipients
	revision uint64
}

type fileRef struct {
	Name   string    `json:"name"`
	SHA256 string    `json:"sha256"`
	At     time.Time `json:"at"`
}

// run is the journal's record of the run as a whole.
type run struct {
	ID string `json:"id"`
	// Inputs are the digests of the files that must not change once they were
	// read, by name.
	Inputs  map[string]string `json:"inputs"`
	Started time.Time         `json:"started"`
	// Planning is when the planning under way began; zero while none is. One
	// that was cut short is done again for the same time.
	Planning time.Time `json:"planning,omitzero"`
	// Sets is the counter of the last file set.
	Sets     uint64    `json:"sets,omitempty"`
	Finished time.Time `json:"finished,omitzero"`

	revision uint64
}

// journal is the engine's memory. Every write is conditional on what was
// last read, so that two engines on one state cannot both go on.
type journal struct {
	bucket store.Bucket
	seq    atomic.Uint64
}

// ErrTwoEngines tells that somebody else writes the same journal.
var ErrTwoEngines = errors.New("engine: another engine works on this state: stop one of them")

const (
	runKey    = "run"
	instKey   = "installation/"
	setKey    = "set/"
	answerKey = "answer/"
)

// load reads everything back.
func (j *journal) load(ctx context.Context) (*run, map[wire.EUI64]*Record, map[string]*fileSet, error) {
	var r *run
	switch e, err := j.bucket.Get(ctx, runKey); {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return nil, nil, nil, fmt.Errorf("engine: journal: %w", err)
	default:
		r = &run{revision: e.Revision}
		if err := json.Unmarshal(e.Value, r); err != nil {
			return nil, nil, nil, fmt.Errorf("engine: journal: run: %w", err)
		}
	}
	installations := map[wire.EUI64]*Record{}
	entries, err := j.bucket.List(ctx, instKey)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("engine: journal: %w", err)
	}
	for _, e := range entries {
		i := &Record{revision: e.Revision}
		if err := json.Unmarshal(e.Value, i); err != nil {
			return nil, nil, nil, fmt.Errorf("engine: journal: %s: %w", e.Key, err)
		}
		if err := i.replay(); err != nil {
			return nil, nil, nil, err
		}
		installations[i.ID] = i
		if s := i.Last().Seq; s > j.seq.Load() {
			j.seq.Store(s)
		}
	}
	sets := map[string]*fileSet{}
	if entries, err = j.bucket.List(ctx, setKey); err != nil {
		return nil, nil, nil, fmt.Errorf("engine: journal: %w", err)
	}
	for _, e := range entries {
		s := &fileSet{revision: e.Revision}
		if err := json.Unmarshal(e.Value, s); err != nil {
			return nil, nil, nil, fmt.Errorf("engine: journal: %s: %w", e.Key, err)
		}
		sets[s.ID] = s
	}
	return r, installations, sets, nil
}

func (j *journal) put(ctx context.Context, key string, revision *uint64, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("engine: journal: %s: %w", key, err)
	}
	rev, err := j.bucket.CompareAndSet(ctx, key, b, *revision)
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("%w (record %s)", ErrTwoEngines, key)
	}
	if err != nil {
		return fmt.Errorf("engine: journal: %s: %w", key, err)
	}
	*revision = rev
	return nil
}

func (j *journal) saveRun(ctx context.Context, r *run) error {
	return j.put(ctx, runKey, &r.revision, r)
}

// saveAnswer keeps the answer to an authorisation under the name of its file.
func (j *journal) saveAnswer(ctx context.Context, name string, rows []document.ResponseRow) error {
	b, err := json.Marshal(rows)
	if err == nil {
		_, err = j.bucket.Put(ctx, answerKey+name, b)
	}
	if err != nil {
		return fmt.Errorf("engine: journal: %s: %w", name, err)
	}
	return nil
}

// answers reads the answers to authorisations.
func (j *journal) answers(ctx context.Context) (map[string][]document.ResponseRow, error) {
	entries, err := j.bucket.List(ctx, answerKey)
	if err != nil {
		return nil, fmt.Errorf("engine: journal: %w", err)
	}
	out := map[string][]document.ResponseRow{}
	for _, e := range entries {
		var rows []document.ResponseRow
		if err := json.Unmarshal(e.Value, &rows); err != nil {
			return nil, fmt.Errorf("engine: journal: %s: %w", e.Key, err)
		}
		out[strings.TrimPrefix(e.Key, answerKey)] = rows
	}
	return out, nil
}

func (j *journal) saveSet(ctx context.Context, s *fileSet) error {
	return j.put(ctx, setKey+s.ID, &s.revision, s)
}

func (j *journal) save(ctx context.Context, i *Record) error {
	return j.put(ctx, instKey+i.ID.String(), &i.revision, i)
}

// move takes the installation along an edge and writes it down. When the
// write fails the installation has not moved.
func (j *journal) move(ctx context.Context, i *Record, e lifecycle.Edge, m Move) error {
	before := i.machine
	if err := i.machine.Take(e); err != nil {
		return fmt.Errorf("engine: %s: %w", i.ID, err)
	}
	m.Seq, m.From, m.To = j.seq.Add(1), e.From(), e.To()
	if m.Attempt == 0 {
		m.Attempt = i.Attempt
	}
	i.Moves = append(i.Moves, m)
	if err := j.save(ctx, i); err != nil {
		i.Moves = i.Moves[:len(i.Moves)-1]
		i.machine = before
		return err
	}
	return nil
}
