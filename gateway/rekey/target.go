package rekey

import (
	"context"
	"errors"
	"time"

	"smets1/gateway/keystore"
)

// ErrKeyRefused is what Target.Open reports (wrapped) when the device answered
// and did not accept the keys. Silence is another error.
var ErrKeyRefused = errors.New("the device does not accept these keys")

// RefusedError is the device's no to a transfer, a commit or a revert.
type RefusedError struct {
	Op  string // transfer, commit, revert
	Err error  // what it answered
}

// Error implements error.
func (e *RefusedError) Error() string { return "the device refused to " + e.Op + ": " + e.Err.Error() }

// Unwrap gives the device's answer.
func (e *RefusedError) Unwrap() error { return e.Err }

// ChangeState is where a supervised key change stands, as the device says:
// attribute 2 of class 8300 (ours).
type ChangeState uint8

// The states of a key change.
const (
	Idle   ChangeState = 0
	Staged ChangeState = 1 // new keys are there, no association under them yet
	Proven ChangeState = 2 // an association under them was opened
)

// Change is what the device says of a key change.
type Change struct {
	State   ChangeState
	Left    time.Duration // until it drops the new keys
	Version uint32        // the device's own count of key sets
	// Supervised is false for a device that has no window: new keys are in
	// force as soon as it has taken them.
	Supervised bool
}

// Target is a device whose keys can be changed.
type Target interface {
	// Open opens a fresh association under a set, which proves to both sides
	// that the other has it.
	Open(ctx context.Context, set keystore.Set) (Association, error)
}

// Association is a conversation under one set. An error that is not a
// *RefusedError leaves open whether the device acted.
type Association interface {
	// Transfer gives the device GUEK, GAK and KEK of the set, wrapped under
	// the KEK of the set that the association is under. It takes all or none.
	Transfer(ctx context.Context, set keystore.Set) error
	// Change asks where a key change stands.
	Change(ctx context.Context) (Change, error)
	// Commit makes the set of this association the only one.
	Commit(ctx context.Context) error
	// Revert makes the device drop staged keys.
	Revert(ctx context.Context) error
	// Close ends the conversation.
	Close(ctx context.Context)
}
