// Package store keeps what must last: small records under keys, in buckets, with a revision each.
// Two implementations pass one conformance suite (package storetest): Memory for tests, and JetStream
// KV of a NATS server, which is the embedded one of package gateway/broker or a cluster by URL.
//
// # Keys
//
// A key is any non-empty string of up to MaxKey bytes. A slash has a meaning: prefixes that end in one are
// found by the server, others are filtered here. JetStream allows few characters in a key, so a key is
// written as segments joined by dots: the parts between slashes, each byte that is not a letter, digit, - or _
// written =XX in upper-case hexadecimal, and an empty part written as a lone =.
//
//	job/a b//c   →   job.a=20b.=.c
//
// # Durability
//
// When Put and the like return nil, the record survives the death of the process. In a bucket opened with Sync it
// also survives a loss of power: the write was followed by fsync. Without Sync that comes later, within the
// interval that the server is set to.
//
// # Batches
//
// Batch applies all its operations or none, whatever dies in between. JetStream does it with
// an atomic batch publish (NATS 2.12 or later): the server stages the messages and commits them under one lock
// with one fsync; readers see all or nothing. It allows 1,000 messages, and one operation per key.
package store

import (
	"context"
	"errors"
	"fmt"
)

// Limits of what can be stored.
const (
	MaxKey   = 200     // bytes of a key, before escaping
	MaxValue = 1 << 20 // bytes of a value
	MaxBatch = 1000    // operations of a batch
)

// Errors that callers decide by.
var (
	// ErrNotFound: there is no such key.
	ErrNotFound = errors.New("store: key not found")
	// ErrConflict: the key is not at the revision asked for, or exists already.
	ErrConflict = errors.New("store: conflict: the key was changed by someone else, read it again")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store: closed")
)

// Entry is a record.
type Entry struct {
	Key   string
	Value []byte
	// Revision is unique in the bucket and grows with each write; a later write has a higher one.
	Revision uint64
}

// Store opens buckets.
type Store interface {
	// Bucket opens a bucket, making it if need be. Names have letters, digits, - and _.
	// A bucket keeps the options it was made with: opening it with another Sync is an error.
	Bucket(ctx context.Context, name string, o Options) (Bucket, error)
	// Buckets lists the buckets that there are, in the order of their names.
	Buckets(ctx context.Context) ([]BucketInfo, error)
	// Close stops all buckets; their data stays.
	Close() error
}

// BucketInfo is a bucket that there is.
type BucketInfo struct {
	Name    string
	Options Options
}

// Options of a bucket.
type Options struct {
	// Sync makes each write survive a loss of power. False means that it survives the death of the process only,
	// until the server next syncs on its own.
	Sync bool
}

// Bucket holds records under keys. It is safe for concurrent use. Values that are handed over and returned are copies.
type Bucket interface {
	// Get returns a record, or ErrNotFound.
	Get(ctx context.Context, key string) (Entry, error)
	// Put writes a record whatever was there, and returns its revision.
	Put(ctx context.Context, key string, value []byte) (uint64, error)
	// Create writes a record that must not exist, else ErrConflict.
	Create(ctx context.Context, key string, value []byte) (uint64, error)
	// CompareAndSet writes a record that must be at the revision given, else ErrConflict. Revision 0 means Create.
	CompareAndSet(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	// Delete removes a record; one that does not exist is no error.
	Delete(ctx context.Context, key string) error
	// List returns the records whose keys begin with the prefix, in the order of their keys. Each is as it was at some
	// moment of the call, not all at the same: who writes meanwhile, even in a batch, may be seen in part.
	List(ctx context.Context, prefix string) ([]Entry, error)
	// Watch tells the records whose keys begin with the prefix, then one event Synced, then each change until ctx is done,
	// when the channel is closed. A slow reader may see only the last of several changes of a key; it never sees
	// the changes of a key out of order, and always sees the last. The channel also closes when the store is closed.
	Watch(ctx context.Context, prefix string) (<-chan Event, error)
	// Batch applies operations, all or none, and returns the revision of the last. ErrConflict tells that a condition failed.
	// No operations are no error, and revision 0.
	Batch(ctx context.Context, ops []Op) (uint64, error)
	// Pipeline applies operations in order, each on its own, and returns when all are over. Errors stand at the places
	// of their operations; no errors at all are nil. What dies in between leaves the first so many applied, and never a later
	// one without an earlier. For many records it is much faster than one after the other, and for few faster than Batch.
	Pipeline(ctx context.Context, ops []Op) []error
}

// EventKind tells what an event is.
type EventKind uint8

// Kinds of events.
const (
	Changed EventKind = iota + 1 // Entry is what is now stored
	Deleted                      // Entry.Key is gone; Entry.Revision is that of the deletion
	Synced                       // all that was there when the watch began has been told
)

// Event is something that a watch tells.
type Event struct {
	Kind  EventKind
	Entry Entry
}

// OpKind tells what an operation does.
type OpKind uint8

// Kinds of operations, as the methods of Bucket of the same name.
const (
	OpPut OpKind = iota + 1
	OpCreate
	OpCompareAndSet
	OpDelete
)

// Op is an operation of a batch.
type Op struct {
	Kind     OpKind
	Key      string
	Value    []byte
	Revision uint64 // of OpCompareAndSet
}

// Put, Create, CompareAndSet and Delete make operations for a batch.

// Put is the operation that writes a record whatever was there.
func Put(key string, value []byte) Op { return Op{Kind: OpPut, Key: key, Value: value} }

// Create is the operation that writes a record that must not exist.
func Create(key string, value []byte) Op { return Op{Kind: OpCreate, Key: key, Value: value} }

// CompareAndSet is the operation that writes a record that must be at a revision.
func CompareAndSet(key string, value []byte, revision uint64) Op {
	return Op{OpCompareAndSet, key, value, revision}
}

// Delete is the operation that removes a record.
func Delete(key string) Op { return Op{Kind: OpDelete, Key: key} }

func checkKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return fmt.Errorf("store: a key of %d bytes cannot be used: it must have 1 to %d", len(key), MaxKey)
	}
	return nil
}

func checkRecord(key string, value []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(value) > MaxValue {
		return fmt.Errorf("store: the value of %q has %d bytes: the limit is %d", key, len(value), MaxValue)
	}
	return nil
}

func checkBatch(ops []Op) error {
	if len(ops) > MaxBatch {
		return fmt.Errorf("store: a batch of %d operations: the limit is %d", len(ops), MaxBatch)
	}
	seen := make(map[string]bool, len(ops))
	for _, op := range ops {
		if op.Kind < OpPut || op.Kind > OpDelete {
			return fmt.Errorf("store: operation on %q has no kind", op.Key)
		}
		if err := checkRecord(op.Key, op.Value); err != nil {
			return err
		}
		if seen[op.Key] {
			return fmt.Errorf("store: a batch has two operations on %q: one per key is allowed", op.Key)
		}
		seen[op.Key] = true
	}
	return nil
}

func checkBucket(name string) error {
	ok := name != "" && len(name) <= 64
	for i := range len(name) {
		c := name[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	}
	if !ok {
		return fmt.Errorf("store: %q cannot name a bucket: use up to 64 letters, digits, - and _", name)
	}
	return nil
}
