package security

import (
	"errors"
	"fmt"
	"math"
)

// CounterMax is never sent: a receiver that accepted it could accept nothing after it.
const CounterMax uint32 = math.MaxUint32

// ErrCounterExhausted: no frame counter is left under this key.
var ErrCounterExhausted = errors.New("frame counter exhausted: switch to a new key, which restarts it")

// ErrCounterNotReserved: the next counter was not reserved in durable storage.
var ErrCounterNotReserved = errors.New("frame counter not reserved: persist a higher bound before sending")

// SendCounter gives out the frame counters of one key (ZigBee specification, clause 4.3.1.1; published). A counter that is
// used twice under one key breaks CCM*, so it never goes back, a restart included: the owner stores an upper bound ahead of
// use ([SendCounter.Reserve]) and continues there after a restart (our rule for doing it). The zero value has nothing reserved.
type SendCounter struct {
	next, bound uint32
}

// NewSendCounter continues at a stored bound: everything below it counts as used. Reserve before the first Next.
func NewSendCounter(stored uint32) SendCounter { return SendCounter{next: stored, bound: stored} }

// Reserve gives the bound to store, block values ahead, and takes it as stored: call it, store the value, and only then
// call Next. It is a no-operation while more than half a block is left, which changed tells.
func (c *SendCounter) Reserve(block uint32) (bound uint32, changed bool) {
	if c.bound-c.next > block/2 {
		return c.bound, false
	}
	c.bound = c.next + min(block, CounterMax-c.next)
	return c.bound, true
}

// Peek is the value that Next would give.
func (c *SendCounter) Peek() uint32 { return c.next }

// Next gives the next counter; ErrCounterNotReserved or ErrCounterExhausted if there is none to give.
func (c *SendCounter) Next() (uint32, error) {
	switch {
	case c.next == CounterMax:
		return 0, fmt.Errorf("security: %w", ErrCounterExhausted)
	case c.next >= c.bound:
		return 0, fmt.Errorf("security: %w (at %d)", ErrCounterNotReserved, c.next)
	}
	c.next++
	return c.next - 1, nil
}

// ReplayError is a received counter that was used before. Expected is the lowest that would be accepted.
type ReplayError struct{ Got, Expected uint32 }

// Error says what was wrong with the counter.
func (e *ReplayError) Error() string {
	return fmt.Sprintf("security: frame counter %d was used before: expected %d or more", e.Got, e.Expected)
}

// ReceiveCounter accepts strictly increasing counters of one sender under one key. The zero value accepts any first value.
type ReceiveCounter struct{ next uint32 }

// NewReceiveCounter continues with expected as the lowest acceptable value.
func NewReceiveCounter(expected uint32) ReceiveCounter { return ReceiveCounter{next: expected} }

// Expected is the lowest value that would be accepted.
func (c *ReceiveCounter) Expected() uint32 { return c.next }

// Check tells whether n is acceptable and changes nothing. The error is a *ReplayError, or wraps ErrCounterExhausted for
// the one value that would leave none after it.
func (c *ReceiveCounter) Check(n uint32) error {
	switch {
	case n == CounterMax:
		return fmt.Errorf("security: received %d: %w", n, ErrCounterExhausted)
	case n < c.next:
		return &ReplayError{Got: n, Expected: c.next}
	}
	return nil
}

// Accept checks n and takes it as seen. Call it only once the frame was found authentic.
func (c *ReceiveCounter) Accept(n uint32) error {
	if err := c.Check(n); err != nil {
		return err
	}
	c.next = n + 1
	return nil
}
