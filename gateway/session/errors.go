package session

import (
	"errors"
	"fmt"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/client"
	"smets1/dlms/security"
	"smets1/internal/wire"
)

// Errors that callers decide by. They are wrapped with the hub or device and
// the cause.
var (
	// ErrUnknownHub: the pool has no such hub.
	ErrUnknownHub = errors.New("this gateway has no such hub")
	// ErrUnknownDevice: the home has no such device, in the gateway's list.
	ErrUnknownDevice = errors.New("the home has no such device")
	// ErrNoWAN: the hub could not be reached within the viability window.
	ErrNoWAN = errors.New("the hub cannot be reached over the WAN")
	// ErrHubSilent: the line to the hub was open, and the hub did not answer.
	ErrHubSilent = errors.New("the hub accepted the line and does not answer")
	// ErrHANSilent: the hub answered that the device does not.
	ErrHANSilent = errors.New("the device does not answer over the HAN")
	// ErrNotOnHAN: the hub answered that it has no such device.
	ErrNotOnHAN = errors.New("the hub has no such device on its HAN")
	// ErrKeyRefused: the device answered and does not accept the keys.
	ErrKeyRefused = errors.New("the device does not accept the keys")
	// ErrClosed: the pool was closed.
	ErrClosed = errors.New("the gateway is closing its sessions")
)

// KeyRefusedError says which keys a device does not accept. It satisfies
// errors.Is(err, ErrKeyRefused).
type KeyRefusedError struct {
	Device wire.EUI64
	Set    string // fingerprint
	Err    error  // what the device answered
}

// Error implements error.
func (e *KeyRefusedError) Error() string {
	return fmt.Sprintf("session: device %s, key set %s: %v: %v", e.Device, e.Set, ErrKeyRefused, e.Err)
}

// Unwrap gives ErrKeyRefused and the answer.
func (e *KeyRefusedError) Unwrap() []error { return []error{ErrKeyRefused, e.Err} }

// refusesKeys tells whether an error of client.Associate means that the device
// answered and has other keys.
func refusesKeys(err error) bool {
	if e, ok := errors.AsType[*client.ExceptionError](err); ok {
		return e.Exception.Service == apdu.ServiceDecipheringError
	}
	e, ok := errors.AsType[*client.AssociationError](err)
	if !ok {
		return false
	}
	if e.Err != nil {
		_, refused := errors.AsType[*client.ActionError](e.Err)
		return refused || errors.Is(e.Err, security.ErrAuthentication) || errors.Is(e.Err, security.ErrDecipher)
	}
	if e.Response == nil || e.Response.Result != acse.ResultRejectedPermanent || e.Initiate != nil {
		return false
	}
	// Some meters give no reason when they cannot decipher the request.
	d := e.Response.Diagnostic
	return d == acse.DiagnosticAuthenticationFailure || d == acse.DiagnosticNoReason
}
