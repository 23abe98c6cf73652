package client

import (
	"errors"
	"fmt"

	"smets1/dlms/cosem"
)

// Errors of the client.
var (
	// ErrLost: the association has come to an end. The error that says why is wrapped beside it.
	ErrLost = errors.New("the association is lost: associate anew")
	// ErrReleased: the client was released.
	ErrReleased = errors.New("the association was released")
	// ErrTooLong: a request does not fit the server's PDU size and the server takes no blocks of this service.
	ErrTooLong = errors.New("the request is longer than the server accepts")
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
