package security

import (
	"errors"
	"fmt"
	"math"
)

// Limits of the invocation counter.
const (
	// CounterMax is never sent: a receiver that accepted it could accept nothing after it.
	CounterMax uint32 = math.MaxUint32
	// CounterLimit is where ordinary traffic stops (ours). The 255 values above it are kept for the key transfer that
	// starts the counter afresh, which must itself run under the old key.
	CounterLimit uint32 = 0xFFFFFF00
)

// ErrCounterExhausted: no counter value is left under this key.
var ErrCounterExhausted = errors.New("invocation counter exhausted: transfer new keys, which restarts it")

// SendCounter gives out the invocation counters of one key in one direction. The zero value starts at 1, as some peers
// refuse 0 as the first. The owner persists [SendCounter.Peek] ahead of use.
type SendCounter struct {
	used uint32 // last value given out
}

// NewSendCounter continues with next as the first value given out; 0 means 1.
func NewSendCounter(next uint32) SendCounter {
	if next == 0 {
		next = 1
	}
	return SendCounter{used: next - 1}
}

// Peek is the value that Next would give.
func (c *SendCounter) Peek() uint32 { return c.used + 1 }

// Next gives the next value, or ErrCounterExhausted from CounterLimit on.
func (c *SendCounter) Next() (uint32, error) {
	if c.used >= CounterLimit-1 {
		return 0, fmt.Errorf("security: %w (at %d)", ErrCounterExhausted, c.used)
	}
	c.used++
	return c.used, nil
}

// NextForRekey is Next that may use the values kept back for replacing the keys.
func (c *SendCounter) NextForRekey() (uint32, error) {
	if c.used >= CounterMax-1 {
		return 0, fmt.Errorf("security: %w (at %d)", ErrCounterExhausted, c.used)
	}
	c.used++
	return c.used, nil
}

// ReplayError is a received counter that is not acceptable. Expected is the lowest that would be, and is what the
// exception response (D8 01 06) reports to the peer.
type ReplayError struct {
	Got, Expected uint32
	// Ahead tells that the counter jumped further than the window allows, rather than having been seen before.
	Ahead bool
}

// Error says what was wrong with the counter.
func (e *ReplayError) Error() string {
	if e.Ahead {
		return fmt.Sprintf("security: invocation counter %d is too far ahead: expected at least %d and within the window", e.Got, e.Expected)
	}
	return fmt.Sprintf("security: invocation counter %d was used before: expected %d or more", e.Got, e.Expected)
}

// ReceiveCounter accepts strictly increasing counters of one sender under one key. The zero value accepts any first value.
type ReceiveCounter struct {
	// Window is the largest step ahead of Expected that is accepted. 0 means no limit, which is the standard's rule;
	// a limit protects links that accept unauthenticated (SC=20) content.
	Window uint32
	next   uint32
}

// NewReceiveCounter continues with expected as the lowest acceptable value.
func NewReceiveCounter(expected uint32) ReceiveCounter { return ReceiveCounter{next: expected} }

// Expected is the lowest value that would be accepted.
func (c *ReceiveCounter) Expected() uint32 { return c.next }

// Check tells whether ic is acceptable and changes nothing. The error is a *ReplayError, or wraps ErrCounterExhausted for
// the one value that would leave none after it.
func (c *ReceiveCounter) Check(ic uint32) error {
	switch {
	case ic == CounterMax:
		return fmt.Errorf("security: received %d: %w", ic, ErrCounterExhausted)
	case ic < c.next:
		return &ReplayError{Got: ic, Expected: c.next}
	case c.Window != 0 && ic-c.next > c.Window:
		return &ReplayError{Got: ic, Expected: c.next, Ahead: true}
	}
	return nil
}

// Accept checks ic and takes it as seen. Call it only once the content was found authentic.
func (c *ReceiveCounter) Accept(ic uint32) error {
	if err := c.Check(ic); err != nil {
		return err
	}
	c.next = ic + 1
	return nil
}
