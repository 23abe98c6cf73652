package acse

import "fmt"

// Result is the result of an association request (published).
type Result uint8

// The results.
const (
	ResultAccepted          Result = 0
	ResultRejectedPermanent Result = 1
	ResultRejectedTransient Result = 2
)

// String gives the name in the standard.
func (r Result) String() string {
	switch r {
	case ResultAccepted:
		return "accepted"
	case ResultRejectedPermanent:
		return "rejected-permanent"
	case ResultRejectedTransient:
		return "rejected-transient"
	}
	return fmt.Sprintf("result %d", uint8(r))
}

// Diagnostic says who rejected an association and why. Those of the service
// provider have bit 8 set, so that the two lists are one type.
type Diagnostic uint16

const providerBit Diagnostic = 0x100

// The diagnostics of the service user (published).
const (
	DiagnosticNull                        Diagnostic = 0
	DiagnosticNoReason                    Diagnostic = 1
	DiagnosticContextNotSupported         Diagnostic = 2
	DiagnosticCallingAPTitle              Diagnostic = 3
	DiagnosticCallingAPInvocationID       Diagnostic = 4
	DiagnosticCallingAEQualifier          Diagnostic = 5
	DiagnosticCallingAEInvocationID       Diagnostic = 6
	DiagnosticCalledAPTitle               Diagnostic = 7
	DiagnosticCalledAPInvocationID        Diagnostic = 8
	DiagnosticCalledAEQualifier           Diagnostic = 9
	DiagnosticCalledAEInvocationID        Diagnostic = 10
	DiagnosticMechanismNotRecognised      Diagnostic = 11
	DiagnosticMechanismRequired           Diagnostic = 12
	DiagnosticAuthenticationFailure       Diagnostic = 13
	DiagnosticAuthenticationRequired      Diagnostic = 14
	DiagnosticProviderNull                           = providerBit
	DiagnosticProviderNoReason                       = providerBit | 1
	DiagnosticProviderNoCommonACSEVersion            = providerBit | 2
)

var diagnostics = map[Diagnostic]struct{ name, sentence string }{
	DiagnosticNull:                        {"null", "There is nothing to add."},
	DiagnosticNoReason:                    {"no-reason-given", "The device gives no reason; the user-information may."},
	DiagnosticContextNotSupported:         {"application-context-name-not-supported", "The device does not work with this application context; check logical or short names, and ciphering on or off."},
	DiagnosticCallingAPTitle:              {"calling-AP-title-not-recognised", "The device does not know or misses the system title of the client."},
	DiagnosticCallingAPInvocationID:       {"calling-AP-invocation-identifier-not-recognised", "The device does not accept the AP invocation identifier of the client."},
	DiagnosticCallingAEQualifier:          {"calling-AE-qualifier-not-recognised", "The device does not accept the certificate of the client."},
	DiagnosticCallingAEInvocationID:       {"calling-AE-invocation-identifier-not-recognised", "The device does not know the user id."},
	DiagnosticCalledAPTitle:               {"called-AP-title-not-recognised", "The system title that was called is not that of the device."},
	DiagnosticCalledAPInvocationID:        {"called-AP-invocation-identifier-not-recognised", "The device does not accept the AP invocation identifier that was called."},
	DiagnosticCalledAEQualifier:           {"called-AE-qualifier-not-recognised", "The device does not accept the AE qualifier that was called."},
	DiagnosticCalledAEInvocationID:        {"called-AE-invocation-identifier-not-recognised", "The device does not accept the AE invocation identifier that was called."},
	DiagnosticMechanismNotRecognised:      {"authentication-mechanism-name-not-recognised", "The device does not work with this authentication mechanism."},
	DiagnosticMechanismRequired:           {"authentication-mechanism-name-required", "The device wants to know the authentication mechanism."},
	DiagnosticAuthenticationFailure:       {"authentication-failure", "The password or key is wrong."},
	DiagnosticAuthenticationRequired:      {"authentication-required", "The device waits for the client to prove itself."},
	DiagnosticProviderNull:                {"null (provider)", "There is nothing to add."},
	DiagnosticProviderNoReason:            {"no-reason-given (provider)", "The lower layers of the device give no reason."},
	DiagnosticProviderNoCommonACSEVersion: {"no-common-acse-version (provider)", "The device does not work with the protocol version of the request."},
}

// FromProvider reports whether the service provider, not the application, says it.
func (d Diagnostic) FromProvider() bool { return d&providerBit != 0 }

// Code is the number on the wire.
func (d Diagnostic) Code() uint8 { return uint8(d) }

// String gives the name in the standard.
func (d Diagnostic) String() string {
	if e, ok := diagnostics[d]; ok {
		return e.name
	}
	if d.FromProvider() {
		return fmt.Sprintf("provider diagnostic %d", d.Code())
	}
	return fmt.Sprintf("diagnostic %d", d.Code())
}

// Sentence says in plain words what the diagnostic means.
func (d Diagnostic) Sentence() string {
	if e, ok := diagnostics[d]; ok {
		return e.sentence
	}
	return "The device answered with a code that the standard does not list."
}

// RejectedError is an association that was refused.
type RejectedError struct {
	Result     Result
	Diagnostic Diagnostic
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("acse: association %s, diagnostic %d %s: %s",
		e.Result, e.Diagnostic.Code(), e.Diagnostic, e.Diagnostic.Sentence())
}
