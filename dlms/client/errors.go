package client

import (
	"errors"
	"fmt"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// Errors of the client.
var (
	// ErrLost: the association has come to an end. The error that says why is wrapped beside it.
	ErrLost = errors.New("the association is lost: associate anew")
	// ErrReleased: the client was released.
	ErrReleased = errors.New("the association was released")
	// ErrTooLong: a request does not fit the server's PDU size and the server takes no blocks of this service.
	ErrTooLong = errors.New("the request is longer than the server accepts")
	// ErrOtherServer: the server that answers is not Config.ServerTitle.
	ErrOtherServer = errors.New("another server answers")
	// ErrUnprotected: an answer came with less protection than was asked of it.
	ErrUnprotected = errors.New("the answer is not protected as the association demands")
	// ErrProtocol: an answer that does not follow the protocol.
	ErrProtocol = errors.New("the server does not follow the protocol")
)

// AccessError is a GET or SET that the server refused.
type AccessError struct {
	Op        string // "get" or "set"
	Attribute cosem.Attribute
	Result    cosem.Result
}

func (e *AccessError) Error() string {
	return fmt.Sprintf("client: %s %v: %v", e.Op, e.Attribute, e.Result.Error())
}

func (e *AccessError) Unwrap() error { return e.Result }

// ActionError is an ACTION that the server refused. Data is the data-access-result that came with a result of success,
// when the method ran but its return value could not be given.
type ActionError struct {
	Method cosem.Method
	Result cosem.ActionResult
	Data   cosem.Result
}

func (e *ActionError) Error() string {
	if e.Result == cosem.ActionSuccess {
		return fmt.Sprintf("client: action %v: done, but its return value: %v", e.Method, e.Data.Error())
	}
	return fmt.Sprintf("client: action %v: %v", e.Method, e.Result.Error())
}

func (e *ActionError) Unwrap() error {
	if e.Result == cosem.ActionSuccess {
		return e.Data
	}
	return e.Result
}

// lostTransfer tells that the server does not know, or no longer, the block transfer it was asked to go on with. Servers
// say so in three ways: no-long-get-in-progress is the standard's, Gurux answers data-block-number-invalid.
func lostTransfer(err error) bool {
	var access *AccessError
	if !errors.As(err, &access) {
		return false
	}
	r := access.Result
	return r == cosem.NoLongGetInProgress || r == cosem.DataBlockNumberInvalid || r == cosem.LongGetAborted
}

// ExceptionError is an exception response.
type ExceptionError struct {
	Exception apdu.Exception
	// Ciphered tells that the request was ciphered, and Sent the invocation counter it had.
	Ciphered bool
	Sent     uint32
}

func (e *ExceptionError) Error() string {
	s := "client: " + e.Exception.Error()
	switch {
	case e.Exception.Service == apdu.ServiceInvocationCounterError && e.Ciphered:
		s += fmt.Sprintf(" The request had counter %d: go on above what the server accepted last, see ReadCounter.", e.Sent)
	case e.Exception.Service == apdu.ServiceDecipheringError && e.Ciphered:
		s += fmt.Sprintf(" The request had counter %d. Check GUEK, GAK and the client's system title; some servers answer so to an old counter, too.", e.Sent)
	case e.Exception.State == apdu.StateServiceNotAllowed && e.Exception.Service == apdu.ServiceOperationNotPossible:
		s += " Check the client address: the server may have dropped the association, or never had one with this address."
	}
	return s
}

func (e *ExceptionError) Unwrap() error { return e.Exception }

// ExpectedCounter is the invocation counter that the server wants next, if it said so.
func (e *ExceptionError) ExpectedCounter() (uint32, bool) {
	return e.Exception.InvocationCounter, e.Exception.HasCounter
}

// ServiceError is a confirmed service error outside of an association's opening.
type ServiceError struct{ apdu.ConfirmedServiceError }

func (e *ServiceError) Error() string { return "client: " + e.ConfirmedServiceError.Error() }

func (e *ServiceError) Unwrap() error { return e.ConfirmedServiceError }

// AssociationError is an association that could not be opened.
type AssociationError struct {
	Mechanism security.Mechanism
	Ciphered  bool
	// Response is the association response; nil when it went wrong later, in the exchange of HLS answers.
	Response *acse.AARE
	// Initiate is why the initiate request was refused, where the server told.
	Initiate *apdu.ConfirmedServiceError
	// Err is what else went wrong: with the response, or in the exchange of HLS answers.
	Err error
}

func (e *AssociationError) Error() string {
	s := fmt.Sprintf("client: association (%v", e.Mechanism)
	if e.Ciphered {
		s += ", ciphered"
	}
	s += ") "
	switch {
	case e.Initiate != nil:
		return s + "refused: " + e.Initiate.Error()
	case e.Err != nil:
		s += "failed: " + e.Err.Error()
		var action *ActionError
		if errors.As(e.Err, &action) || errors.Is(e.Err, security.ErrAuthentication) {
			s += ". " + e.suspect()
		}
		return s
	case e.Response == nil:
		return s + "failed"
	}
	d := e.Response.Diagnostic
	s += fmt.Sprintf("%v: %v: %s", e.Response.Result, d, d.Sentence())
	if d == acse.DiagnosticAuthenticationFailure {
		s += " " + e.suspect()
	}
	return s
}

// suspect names what is likely wrong when one side could not prove itself.
func (e *AssociationError) suspect() string {
	switch e.Mechanism {
	case security.MechanismGMAC:
		return "Check the GAK and GUEK, the system titles, and that the invocation counter is above the last one used."
	case security.MechanismECDSA:
		return "Check the signing key, the peer's public key and the system titles."
	case security.MechanismNone:
		return "Check the client address: this one may need authentication."
	default:
		return "Check the secret and the client address."
	}
}

// Unwrap gives the reasons: an *acse.RejectedError, an apdu.ConfirmedServiceError, or what went wrong.
func (e *AssociationError) Unwrap() []error {
	var errs []error
	if e.Response != nil {
		if err := e.Response.Err(); err != nil {
			errs = append(errs, err)
		}
	}
	if e.Initiate != nil {
		errs = append(errs, *e.Initiate)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}
