package axdr

import (
	"errors"
	"fmt"
)

// What can be wrong with encoded data. Every error of this package that speaks
// of input wraps one of these, so a caller can tell a short read from nonsense.
var (
	// ErrTruncated means the input ends before the element does.
	ErrTruncated = errors.New("input ends inside the element")
	// ErrTag means the byte where a tag belongs is not a Data tag.
	ErrTag = errors.New("not a Data tag")
	// ErrLength means a length or count field that cannot be true or is written in a form A-XDR does not have.
	ErrLength = errors.New("impossible length")
	// ErrLimit means the data is deeper or has more elements than Limits allow.
	ErrLimit = errors.New("over the limit")
	// ErrType means the element is well formed but not of the type asked for.
	ErrType = errors.New("wrong type")
	// ErrValue means the content of the element is not allowed for its type.
	ErrValue = errors.New("value not allowed")
)

// Error says where in the input decoding stopped and why.
type Error struct {
	Offset int    // byte offset in the input
	What   string // what was being decoded
	Err    error  // one of the Err values of this package
}

func (e *Error) Error() string {
	return fmt.Sprintf("axdr: byte %d: %s: %v", e.Offset, e.What, e.Err)
}

// Unwrap gives the Err value of this package.
func (e *Error) Unwrap() error { return e.Err }

// TypeError reports that a value is not what the caller needs.
type TypeError struct {
	Got  Tag
	Want string // for example "an unsigned number" or "a structure of 4 elements"
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("axdr: have %s, want %s", e.Got, e.Want)
}

// Unwrap makes every TypeError an ErrType.
func (e *TypeError) Unwrap() error { return ErrType }
