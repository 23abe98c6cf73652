package apdu

import "fmt"

// ConfirmedService says which service a ConfirmedServiceError answers.
type ConfirmedService uint8

// The services (IEC 61334-4-41, published; the other numbers belong to
// services that COSEM does not use).
const (
	ConfirmedInitiate ConfirmedService = 1
	ConfirmedRead     ConfirmedService = 5
	ConfirmedWrite    ConfirmedService = 6
)

// ErrorClass groups the values of a ConfirmedServiceError.
type ErrorClass uint8

// The classes (IEC 61334-4-41, published).
const (
	ErrorApplicationReference ErrorClass = 0
	ErrorHardwareResource     ErrorClass = 1
	ErrorVDEState             ErrorClass = 2
	ErrorService              ErrorClass = 3
	ErrorDefinition           ErrorClass = 4
	ErrorAccess               ErrorClass = 5
	ErrorInitiate             ErrorClass = 6
	ErrorLoadDataSet          ErrorClass = 7
	ErrorTask                 ErrorClass = 9
	ErrorOther                ErrorClass = 10
)

// The values of ErrorInitiate.
const (
	InitiateOther                   uint8 = 0
	InitiateDLMSVersionTooLow       uint8 = 1
	InitiateIncompatibleConformance uint8 = 2
	InitiatePDUSizeTooShort         uint8 = 3
	InitiateRefusedByVDE            uint8 = 4
)

// errorValues names class and values; the index is the value on the wire.
var errorValues = map[ErrorClass]struct {
	name   string
	values []string
}{
	ErrorApplicationReference: {"application-reference", []string{
		"other", "time-elapsed", "application-unreachable", "application-reference-invalid",
		"application-context-unsupported", "provider-communication-error", "deciphering-error",
	}},
	ErrorHardwareResource: {"hardware-resource", []string{
		"other", "memory-unavailable", "processor-resource-unavailable", "mass-storage-unavailable",
		"other-resource-unavailable",
	}},
	ErrorVDEState: {"vde-state-error", []string{
		"other", "no-dlms-context", "loading-data-set", "status-nochange", "status-inoperable",
	}},
	ErrorService: {"service", []string{"other", "pdu-size", "service-unsupported"}},
	ErrorDefinition: {"definition", []string{
		"other", "object-undefined", "object-class-inconsistent", "object-attribute-inconsistent",
	}},
	ErrorAccess: {"access", []string{
		"other", "scope-of-access-violated", "object-access-violated", "hardware-fault", "object-unavailable",
	}},
	ErrorInitiate: {"initiate", []string{
		"other", "dlms-version-too-low", "incompatible-conformance", "pdu-size-too-short", "refused-by-the-VDE-handler",
	}},
	ErrorLoadDataSet: {"load-data-set", []string{
		"other", "primitive-out-of-sequence", "not-loadable", "dataset-size-too-large", "not-awaited-segment",
		"interpretation-failure", "storage-failure", "data-set-not-ready",
	}},
	ErrorTask:  {"task", []string{"other", "no-remote-control", "ti-stopped", "ti-running", "ti-unusable"}},
	ErrorOther: {"other", []string{"other"}},
}

var initiateSentences = [...]string{
	InitiateOther:                   "The device refuses the association and gives no reason.",
	InitiateDLMSVersionTooLow:       "The device does not speak the DLMS version that was proposed.",
	InitiateIncompatibleConformance: "Device and client have no service in common; propose others.",
	InitiatePDUSizeTooShort:         "The PDU size that was proposed is below what the device can work with.",
	InitiateRefusedByVDE:            "The device refuses the association by its own rules.",
}

// ConfirmedServiceError refuses a service by class and value (IEC 61334-4-41,
// published). In an AARE it says why the initiate was refused. It is an error.
//
//	0E service(1) class(1) value(1)
type ConfirmedServiceError struct {
	Service ConfirmedService
	Class   ErrorClass
	Value   uint8
}

// Kind is the kind of TagConfirmedServiceError.
func (ConfirmedServiceError) Kind() Kind { return TagConfirmedServiceError.Kind() }

// String gives the name of the service.
func (s ConfirmedService) String() string {
	switch s {
	case ConfirmedInitiate:
		return "initiate"
	case ConfirmedRead:
		return "read"
	case ConfirmedWrite:
		return "write"
	}
	return fmt.Sprintf("service %d", uint8(s))
}

// String gives the name in the standard.
func (c ErrorClass) String() string {
	if e, ok := errorValues[c]; ok {
		return e.name
	}
	return fmt.Sprintf("class %d", uint8(c))
}

// Reason is the name of the value, such as "pdu-size-too-short".
func (p ConfirmedServiceError) Reason() string {
	if values := errorValues[p.Class].values; int(p.Value) < len(values) {
		return values[p.Value]
	}
	return fmt.Sprintf("value %d", p.Value)
}

// Error gives the names, and for a refused initiate what to do.
func (p ConfirmedServiceError) Error() string {
	s := fmt.Sprintf("confirmed-service-error on %s: %s, %s", p.Service, p.Class, p.Reason())
	if p.Class == ErrorInitiate && int(p.Value) < len(initiateSentences) {
		s += ": " + initiateSentences[p.Value]
	}
	return s
}

// AppendBinary appends the APDU.
func (p ConfirmedServiceError) AppendBinary(b []byte) ([]byte, error) {
	return append(b, byte(TagConfirmedServiceError), byte(p.Service), byte(p.Class), p.Value), nil
}

// ParseConfirmedServiceError decodes the APDU at the start of b.
func ParseConfirmedServiceError(b []byte) (p ConfirmedServiceError, n int, err error) {
	r := begin(b, TagConfirmedServiceError.Kind())
	p.Service = ConfirmedService(r.U8())
	p.Class = ErrorClass(r.U8())
	p.Value = r.U8()
	if n, err = finish(&r, TagConfirmedServiceError.Kind()); err != nil {
		return ConfirmedServiceError{}, 0, err
	}
	return p, n, nil
}
