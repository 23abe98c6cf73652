package rekey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"smets1/internal/store"
	"smets1/internal/wire"
)

// Op is what a change of keys is for.
type Op string

// The operations.
const (
	Takeover Op = "takeover" // fresh keys of an owner
	Rollback Op = "rollback" // the previous keys again
)

// Step is how far a change of keys was meant to have gone. It is written before
// the first message that may make it true.
type Step string

// The steps, in order.
const (
	StepSeal     Step = "seal"     // the new set is being sealed as pending
	StepTransfer Step = "transfer" // it may be on the device
	StepProve    Step = "prove"    // the device acknowledged it
	StepCommit   Step = "commit"   // the commit may have been sent
	StepPromote  Step = "promote"  // the device committed
	StepDone     Step = "done"
	StepAborted  Step = "aborted" // undone on both sides
)

// Entry is the journal's record of a device: its last change of keys. Sets are
// named by fingerprint.
type Entry struct {
	Device   wire.EUI64 `json:"device"`
	Op       Op         `json:"op"`
	Owner    string     `json:"owner"`
	From     string     `json:"from"`
	To       string     `json:"to"`
	Step     Step       `json:"step"`
	Started  time.Time  `json:"started"`
	Changed  time.Time  `json:"changed"`
	Attempts int        `json:"attempts"` // runs that worked on it
}

// open reports whether the change is neither done nor aborted.
func (e *Entry) open() bool { return e.Step != "" && e.Step != StepDone && e.Step != StepAborted }

// Journal keeps one Entry per device in a bucket, which must be one that was
// opened with Sync.
type Journal struct{ Bucket store.Bucket }

func journalKey(eui wire.EUI64) string { return "rekey/" + eui.String() }

// Get gives the last change of a device's keys; ok is false if there was none.
func (j Journal) Get(ctx context.Context, eui wire.EUI64) (e Entry, ok bool, err error) {
	e, rev, err := j.get(ctx, eui)
	return e, rev != 0, err
}

func (j Journal) get(ctx context.Context, eui wire.EUI64) (Entry, uint64, error) {
	r, err := j.Bucket.Get(ctx, journalKey(eui))
	if errors.Is(err, store.ErrNotFound) {
		return Entry{}, 0, nil
	}
	if err != nil {
		return Entry{}, 0, fmt.Errorf("rekey: journal of %s: %w", eui, err)
	}
	var e Entry
	if err := json.Unmarshal(r.Value, &e); err != nil {
		return Entry{}, 0, fmt.Errorf("rekey: journal of %s is damaged: %w", eui, err)
	}
	return e, r.Revision, nil
}

// Open lists the changes that were begun and not ended.
func (j Journal) Open(ctx context.Context) ([]Entry, error) {
	records, err := j.Bucket.List(ctx, "rekey/")
	if err != nil {
		return nil, fmt.Errorf("rekey: journal: %w", err)
	}
	var all []Entry
	for _, r := range records {
		var e Entry
		if err := json.Unmarshal(r.Value, &e); err != nil {
			return nil, fmt.Errorf("rekey: journal %s is damaged: %w", r.Key, err)
		}
		if e.open() {
			all = append(all, e)
		}
	}
	return all, nil
}

func (j Journal) put(ctx context.Context, e Entry, rev uint64) (uint64, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return rev, fmt.Errorf("rekey: journal of %s: %w", e.Device, err)
	}
	next, err := j.Bucket.CompareAndSet(ctx, journalKey(e.Device), b, rev)
	if errors.Is(err, store.ErrConflict) {
		return rev, fmt.Errorf("rekey: somebody else is changing the keys of %s: %w", e.Device, err)
	}
	if err != nil {
		return rev, fmt.Errorf("rekey: journal of %s at step %s: %w", e.Device, e.Step, err)
	}
	return next, nil
}
