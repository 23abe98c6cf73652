package apdu

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestException(t *testing.T) {
	check(t, []row{
		{"simple", Exception{State: StateServiceNotAllowed, Service: ServiceNotSupported}, "D8 01 02"},
		{
			"counter", Exception{State: StateServiceNotAllowed, Service: ServiceInvocationCounterError, HasCounter: true, InvocationCounter: 10},
			"D8 01 06 0000000A",
		},
	})
	// Older servers leave the counter out; then nothing may follow.
	got, n, err := ParseException([]byte{0xD8, 2, 6})
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, Exception{State: StateServiceUnknown, Service: ServiceInvocationCounterError}, got)
}

func TestExceptionIsAnError(t *testing.T) {
	var err error = Exception{State: StateServiceNotAllowed, Service: ServiceInvocationCounterError, HasCounter: true, InvocationCounter: 10}
	require.EqualError(t, err, "exception service-not-allowed, invocation-counter-error: "+
		"The invocation counter is not above the last one the device accepted. It expects 10.")
	var e Exception
	require.True(t, errors.As(err, &e))
	require.Equal(t, uint32(10), e.InvocationCounter)
	require.Equal(t, "state-error 9", StateError(9).String())
	require.Equal(t, "service-error 9", ServiceError(9).String())
	require.NotEmpty(t, ServiceError(9).Sentence())
}

func TestConfirmedServiceError(t *testing.T) {
	check(t, []row{
		{"conformance", ConfirmedServiceError{ConfirmedInitiate, ErrorInitiate, InitiateIncompatibleConformance}, "0E 01 06 02"},
		{"access", ConfirmedServiceError{ConfirmedRead, ErrorAccess, 1}, "0E 05 05 01"},
	})
	require.EqualError(t, ConfirmedServiceError{ConfirmedInitiate, ErrorInitiate, InitiatePDUSizeTooShort},
		"confirmed-service-error on initiate: initiate, pdu-size-too-short: "+
			"The PDU size that was proposed is below what the device can work with.")
	require.EqualError(t, ConfirmedServiceError{ConfirmedWrite, ErrorClass(8), 7},
		"confirmed-service-error on write: class 8, value 7")
}
