package session

import (
	"errors"

	"smets1/dlms/apdu"
	"smets1/dlms/client"
)

// dropped tells whether an answer means that the device has no association with
// us any more, as after a restart.
func dropped(err error) bool {
	e, ok := errors.AsType[*client.ExceptionError](err)
	return ok && e.Exception.State == apdu.StateServiceNotAllowed && e.Exception.Service == apdu.ServiceOperationNotPossible
}
