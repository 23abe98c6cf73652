package apdu

import (
	"errors"
	"fmt"

	"smets1/dlms/axdr"
)

var (
	// ErrKind means that the bytes are another APDU than the one asked for, or none.
	ErrKind = errors.New("not this APDU")
	// ErrIncomplete means a struct lacks what its APDU cannot be sent without.
	ErrIncomplete = errors.New("incomplete")
	// ErrCounts means that two lists of one APDU that belong together differ in length.
	ErrCounts = errors.New("lists of different length")
)

// Error is an APDU that could not be read or written. A short input wraps
// axdr.ErrTruncated; what else is wrong in it wraps the other errors of that
// package or of this one.
type Error struct {
	Kind Kind
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("apdu: %s: %v", e.Kind, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// begin starts reading an APDU that must be of kind k.
func begin(b []byte, k Kind) axdr.Reader {
	r := axdr.NewReader(b)
	if t := r.U8(); r.Err() == nil && Tag(t) != k.Tag() {
		r.Fail("tag", ErrKind)
	}
	if k.Tag().hasForms() {
		if form := r.U8(); r.Err() == nil && form != uint8(k) {
			r.Fail("form", ErrKind)
		}
	}
	return r
}

// finish ends the reading: the bytes it took, or the error.
func finish(r *axdr.Reader, k Kind) (int, error) {
	if err := r.Err(); err != nil {
		return 0, &Error{Kind: k, Err: err}
	}
	return r.Offset(), nil
}

// appendKind begins an APDU.
func appendKind(b []byte, k Kind) []byte {
	b = append(b, byte(k>>8))
	if k.Tag().hasForms() {
		b = append(b, byte(k))
	}
	return b
}

// incomplete is the error for a struct that cannot be sent.
func incomplete(k Kind, what string) error {
	return &Error{Kind: k, Err: fmt.Errorf("no %s: %w", what, ErrIncomplete)}
}
