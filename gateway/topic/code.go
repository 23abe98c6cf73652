package topic

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
)

// Code tells why a command ended as it did. Codes are stable: a code keeps its meaning for ever, and
// a client decides by the code, never by a sentence.
type Code string

// Codes of the contract.
const (
	CodeOK Code = "ok"

	// The command never started.

	CodeBadTopic     Code = "bad-topic"
	CodeBadJSON      Code = "bad-json"
	CodeTooBig       Code = "too-big"
	CodeBadSchema    Code = "bad-schema"
	CodeBadID        Code = "bad-id"
	CodeBadReply     Code = "bad-reply"
	CodeBadArgs      Code = "bad-args"
	CodeUnknownVerb  Code = "unknown-verb"
	CodeUnknownHub   Code = "unknown-hub"
	CodeUnknownDev   Code = "unknown-device"
	CodeRetained     Code = "retained"
	CodeExpired      Code = "expired"
	CodeIDReused     Code = "id-reused"
	CodeStale        Code = "stale"
	CodeBusy         Code = "busy"
	CodeForbidden    Code = "forbidden"
	CodeNotSupported Code = "not-supported"
	CodeStorage      Code = "storage"

	// The home or the way to it.

	CodeNoWAN       Code = "no-wan"
	CodeHubSilent   Code = "hub-silent"
	CodeHANSilent   Code = "han-silent"
	CodeLinkLost    Code = "link-lost"
	CodeBadAnswer   Code = "bad-answer"
	CodeRefused     Code = "refused"
	CodeAccess      Code = "access"
	CodeWrongDevice Code = "wrong-device"

	// What the command was to achieve.

	CodeKeyRefused       Code = "key-refused"
	CodeKeyUnknown       Code = "key-unknown"
	CodeKeyLapsed        Code = "key-lapsed"
	CodeFirmwareRefused  Code = "firmware-refused"
	CodeFirmwareUnknown  Code = "firmware-unknown"
	CodeFirmwareMismatch Code = "firmware-mismatch"
	CodeClock            Code = "clock"
	CodeVerify           Code = "verify"

	// How the work ended.

	CodeResultTooBig Code = "result-too-big"
	CodeTimeout      Code = "timeout"
	CodeCancelled    Code = "cancelled"
	CodeAborted      Code = "aborted"
	CodeInDoubt      Code = "indoubt"
	CodeInternal     Code = "internal"
)

// CodeInfo explains a code.
type CodeInfo struct {
	Code     Code   `json:"code"`
	Sentence string `json:"sentence"` // one plain sentence
	// Retryable says that the same command under a new id may succeed later with nothing changed by a person.
	Retryable bool `json:"retryable"`
	// Status is how a command with this code ends.
	Status Status `json:"status"`
}

var codes = []CodeInfo{
	{CodeOK, "The command did what it was asked to do.", false, StatusDone},
	{CodeBadTopic, "The topic is not one of the contract.", false, StatusRejected},
	{CodeBadJSON, "The payload is not well-formed JSON of the expected shape.", false, StatusRejected},
	{CodeTooBig, "The payload is larger or deeper than the limit.", false, StatusRejected},
	{CodeBadSchema, "The payload has a schema number that this gateway does not know.", false, StatusRejected},
	{CodeBadID, "The command id is missing or not allowed.", false, StatusRejected},
	{CodeBadReply, "The reply topic is not a reply topic of this fleet.", false, StatusRejected},
	{CodeBadArgs, "The arguments do not fit the verb.", false, StatusRejected},
	{CodeUnknownVerb, "There is no such verb.", false, StatusRejected},
	{CodeUnknownHub, "This gateway has no such hub.", false, StatusRejected},
	{CodeUnknownDev, "The home has no such device.", false, StatusRejected},
	{CodeRetained, "The command was retained, and would have run again at each reconnection.", false, StatusRejected},
	{CodeExpired, "The deadline had passed before the command could start.", false, StatusRejected},
	{CodeIDReused, "The id was used before for a different command.", false, StatusRejected},
	{CodeStale, "The hub has changed since the state that the command expects.", false, StatusRejected},
	{CodeBusy, "The queue is full.", true, StatusRejected},
	{CodeForbidden, "This client may not do that.", false, StatusRejected},
	{CodeNotSupported, "The device cannot do that.", false, StatusRejected},
	{CodeStorage, "The gateway could not write the command to its disk.", true, StatusRejected},
	{CodeNoWAN, "The hub cannot be reached over the WAN.", true, StatusFailed},
	{CodeHubSilent, "The hub accepted the connection and did not answer.", true, StatusFailed},
	{CodeHANSilent, "The device did not answer over the HAN.", true, StatusFailed},
	{CodeLinkLost, "The connection broke in the middle of the conversation.", true, StatusFailed},
	{CodeBadAnswer, "The device answered with something that cannot be understood or trusted.", false, StatusFailed},
	{CodeRefused, "The device refused the association.", false, StatusFailed},
	{CodeAccess, "The device refused access to an object.", false, StatusFailed},
	{CodeWrongDevice, "The device that answered is not the one addressed.", false, StatusFailed},
	{CodeKeyRefused, "No stored key set opens the device.", false, StatusFailed},
	{CodeKeyUnknown, "The gateway holds no keys for the device.", false, StatusFailed},
	{CodeKeyLapsed, "The device dropped the staged keys before they were committed; the old keys still open it.", true, StatusFailed},
	{CodeFirmwareRefused, "The device refused the firmware image.", false, StatusFailed},
	{CodeFirmwareUnknown, "The gateway has no such firmware image.", false, StatusFailed},
	{CodeFirmwareMismatch, "The device reports another firmware version than expected.", false, StatusFailed},
	{CodeClock, "The clock of the device is further off than allowed.", false, StatusFailed},
	{CodeVerify, "What was read back is not what was written.", false, StatusFailed},
	{CodeResultTooBig, "The answer is larger than can be sent.", false, StatusFailed},
	{CodeTimeout, "The work did not end in the time allowed.", true, StatusFailed},
	{CodeCancelled, "The command was cancelled.", false, StatusFailed},
	{CodeAborted, "The work stopped and was rolled back.", true, StatusFailed},
	{CodeInDoubt, "A step that cannot be undone may or may not have happened: a person must look before anyone tries again.", false, StatusInDoubt},
	{CodeInternal, "The gateway failed in a way it did not foresee.", false, StatusFailed},
}

// Codes returns the table of codes, in the order of the contract.
func Codes() []CodeInfo { return slices.Clone(codes) }

// Info explains the code; an unknown code is explained as internal.
func (c Code) Info() CodeInfo {
	for _, i := range codes {
		if i.Code == c {
			return i
		}
	}
	return CodeInfo{c, "The code is not known to this version.", false, StatusFailed}
}

// Retryable tells whether the same command under a new id may succeed later.
func (c Code) Retryable() bool { return c.Info().Retryable }

// Message says what happened, where, and what to do about it.
type Message struct {
	What  string `json:"what,omitzero"`
	Where string `json:"where,omitzero"`
	Do    string `json:"do,omitzero"`
}

// String joins the parts into one line.
func (m Message) String() string {
	s := m.What
	if m.Where != "" {
		s += " (" + m.Where + ")"
	}
	if m.Do != "" {
		s += ": " + m.Do
	}
	return s
}

// Error is an error with a code of the contract.
type Error struct {
	Code    Code
	Message Message
	Err     error // cause, may be nil
}

// NewError says what happened, where, and what to do about it.
func NewError(c Code, what, where, do string) *Error {
	return &Error{Code: c, Message: Message{What: what, Where: where, Do: do}}
}

// Wrap gives err a code of the contract; what happened is the error's own text.
func Wrap(c Code, err error, where, do string) *Error {
	return &Error{Code: c, Message: Message{What: err.Error(), Where: where, Do: do}, Err: err}
}

func (e *Error) Error() string {
	m := e.Message
	if m.What == "" {
		m.What = e.Code.Info().Sentence
	}
	return fmt.Sprintf("%s: %s", e.Code, m)
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf maps an error to a code and message: that of the outermost *Error in its chain, else timeout,
// cancelled, or internal.
func CodeOf(err error) (Code, Message) {
	if err == nil {
		return CodeOK, Message{}
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code, e.Message
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return CodeTimeout, Message{What: err.Error()}
	case errors.Is(err, context.Canceled):
		return CodeCancelled, Message{What: err.Error()}
	}
	return CodeInternal, Message{What: err.Error()}
}
