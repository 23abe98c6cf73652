package verbs

import (
	"errors"
	"io"
	"os"

	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/firmware/upgrade"
	"smets1/gateway/keystore"
	"smets1/gateway/rekey"
	"smets1/gateway/session"
	"smets1/gateway/topic"
	"smets1/internal/store"
)

// meaning is a row of the table: an error, the code it has in the contract, and
// what to do about it.
type meaning struct {
	matches func(error) bool
	code    topic.Code
	do      string
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func as[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// table says what each error means. The first row that matches counts, so what
// an operation concluded stands before what led to it.
var table = []meaning{
	{is(rekey.ErrInDoubt), topic.CodeInDoubt, "ask again with keys.prove when the device can be reached; both key sets are kept"},
	{is(rekey.ErrAborted), topic.CodeAborted, "try again; the old keys are in force"},
	{is(rekey.ErrNoKeyOpens), topic.CodeKeyRefused, "find out whose keys the device has, and import them"},
	{is(rekey.ErrOldAccepted), topic.CodeVerify, "the device is at fault: do not rely on its old keys being gone"},

	{is(firmware.ErrNotInLibrary), topic.CodeFirmwareUnknown, "put the image into the gateway's library"},
	{as[*upgrade.RefusedError], topic.CodeFirmwareRefused, "give the device an image that it takes"},
	{is(upgrade.ErrDisabled), topic.CodeFirmwareRefused, "enable image transfer on the device"},
	{is(upgrade.ErrNotRunning), topic.CodeFirmwareMismatch, "look at the device's log"},

	{is(session.ErrUnknownHub), topic.CodeUnknownHub, "use list for the hubs there are"},
	{is(session.ErrUnknownDevice), topic.CodeUnknownDev, "use identify for the devices there are"},
	{is(keystore.ErrUnknownDevice), topic.CodeKeyUnknown, "import the device's keys"},
	{is(session.ErrNoWAN), topic.CodeNoWAN, "try again later"},
	{is(session.ErrHubSilent), topic.CodeHubSilent, "try again later"},
	{is(session.ErrHANSilent), topic.CodeHANSilent, "try again later; look at the device's radio if it stays silent"},
	{is(session.ErrNotOnHAN), topic.CodeHANSilent, "join the device to the hub's network"},
	{is(session.ErrKeyRefused), topic.CodeKeyRefused, "find out whose keys the device has, and import them"},
	{is(session.ErrWrongDevice), topic.CodeWrongDevice, "correct the hub's address or the list of devices"},
	{is(security.ErrCounterExhausted), topic.CodeKeyRefused, "change the device's keys: the counters of these are used up"},
	{is(keystore.ErrTampered), topic.CodeStorage, "restore the key store from a backup"},
	{is(store.ErrClosed), topic.CodeStorage, "restart the gateway"},
	{is(store.ErrConflict), topic.CodeStorage, "run one gateway per home"},

	{as[*client.AccessError], topic.CodeAccess, "see which objects this client may use"},
	{as[*client.ActionError], topic.CodeAccess, "see which methods this client may call"},
	{is(os.ErrDeadlineExceeded), topic.CodeTimeout, "try again later"},
	{as[*client.AssociationError], topic.CodeRefused, "check the client address and the device's configuration"},
	{as[*client.ExceptionError], topic.CodeRefused, "try again; check the device if it stays so"},
	{is(client.ErrProtocol), topic.CodeBadAnswer, "look at the capture"},
	{is(client.ErrUnprotected), topic.CodeBadAnswer, "look at the capture: somebody may have tampered with the answer"},
	{is(axdr.ErrValue), topic.CodeBadAnswer, "look at the capture"},
	{is(axdr.ErrType), topic.CodeBadAnswer, "look at the capture"},
	{is(axdr.ErrLength), topic.CodeBadAnswer, "look at the capture"},
	{is(client.ErrLost), topic.CodeLinkLost, "try again"},
	{is(client.ErrLineBroken), topic.CodeLinkLost, "try again"},
	{is(client.ErrLineClosed), topic.CodeLinkLost, "try again"},
	{is(io.EOF), topic.CodeLinkLost, "try again"},
}

// coded gives an error the code that the table has for it. One that has a code
// keeps it; one that no row matches is left to topic.CodeOf.
func coded(err error, where string) error {
	if err == nil || as[*topic.Error](err) {
		return err
	}
	for i := range table {
		if table[i].matches(err) {
			return topic.Wrap(table[i].code, err, where, table[i].do)
		}
	}
	return err
}

// outcome is what became of one device of several.
func outcome(err error, where string) topic.Outcome { return topic.OutcomeOf(coded(err, where)) }
