package apdu

import (
	"encoding/binary"
	"fmt"
)

// StateError says in which state the server refused a request.
type StateError uint8

// The state errors (IEC 62056-5-3, published).
const (
	StateServiceNotAllowed StateError = 1 // not in this association, or there is none
	StateServiceUnknown    StateError = 2
)

// ServiceError says what the server could not do.
type ServiceError uint8

// The service errors (IEC 62056-5-3, published).
const (
	ServiceOperationNotPossible   ServiceError = 1
	ServiceNotSupported           ServiceError = 2
	ServiceOtherReason            ServiceError = 3
	ServicePDUTooLong             ServiceError = 4
	ServiceDecipheringError       ServiceError = 5
	ServiceInvocationCounterError ServiceError = 6
)

var stateNames = map[StateError]string{
	StateServiceNotAllowed: "service-not-allowed",
	StateServiceUnknown:    "service-unknown",
}

var serviceNames = map[ServiceError]struct{ name, sentence string }{
	ServiceOperationNotPossible:   {"operation-not-possible", "The device cannot do this in the state it is in; associate first."},
	ServiceNotSupported:           {"service-not-supported", "The device has no such service, or it was not negotiated."},
	ServiceOtherReason:            {"other-reason", "The device gives no reason."},
	ServicePDUTooLong:             {"pdu-too-long", "The request or its answer is longer than was negotiated."},
	ServiceDecipheringError:       {"deciphering-error", "The device could not open the ciphered request; a key, a system title or the security policy is wrong."},
	ServiceInvocationCounterError: {"invocation-counter-error", "The invocation counter is not above the last one the device accepted."},
}

// String gives the name in the standard.
func (s StateError) String() string {
	if name, ok := stateNames[s]; ok {
		return name
	}
	return fmt.Sprintf("state-error %d", uint8(s))
}

// String gives the name in the standard.
func (s ServiceError) String() string {
	if e, ok := serviceNames[s]; ok {
		return e.name
	}
	return fmt.Sprintf("service-error %d", uint8(s))
}

// Sentence says in plain words what the code means.
func (s ServiceError) Sentence() string {
	if e, ok := serviceNames[s]; ok {
		return e.sentence
	}
	return "The device answered with a code that the standard does not list."
}

// Exception is the exception-response: a request the server could not answer
// in kind (IEC 62056-5-3, published). It is an error.
//
//	D8 state(1) service(1) [expected invocation counter(4)]
//
// The counter is there only with ServiceInvocationCounterError, and older
// servers leave it out even then.
type Exception struct {
	State   StateError
	Service ServiceError
	// HasCounter says whether the server told the counter it expects.
	HasCounter        bool
	InvocationCounter uint32
}

// Kind is the kind of TagException.
func (Exception) Kind() Kind { return TagException.Kind() }

// Error gives names, sentence and the counter expected.
func (p Exception) Error() string {
	s := fmt.Sprintf("exception %s, %s: %s", p.State, p.Service, p.Service.Sentence())
	if p.HasCounter {
		s += fmt.Sprintf(" It expects %d.", p.InvocationCounter)
	}
	return s
}

// AppendBinary appends the APDU.
func (p Exception) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, byte(TagException), byte(p.State), byte(p.Service))
	if p.HasCounter {
		b = binary.BigEndian.AppendUint32(b, p.InvocationCounter)
	}
	return b, nil
}

// ParseException decodes the APDU at the start of b.
func ParseException(b []byte) (p Exception, n int, err error) {
	r := begin(b, TagException.Kind())
	p.State = StateError(r.U8())
	p.Service = ServiceError(r.U8())
	if p.Service == ServiceInvocationCounterError && r.Len() > 0 {
		p.HasCounter = true
		p.InvocationCounter = r.U32()
	}
	if n, err = finish(&r, TagException.Kind()); err != nil {
		return Exception{}, 0, err
	}
	return p, n, nil
}
