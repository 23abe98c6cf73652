package topic

import (
	"encoding/json"
	"fmt"
	"time"

	"smets1/internal/wire"
)

// Result tells how far a command has come, or how it ended.
type Result struct {
	Schema int        `json:"schema"`
	ID     string     `json:"id,omitzero"`   // of the command; empty when it could not be known
	Hub    wire.EUI64 `json:"hub,omitzero"`  // absent for the fleet
	Verb   Verb       `json:"verb,omitzero"` // of the command
	Device Device     `json:"device,omitzero"`
	Status Status     `json:"status"`
	// Code says why the command ended as it did; empty while it has not ended.
	Code Code `json:"code,omitzero"`
	// Retryable repeats what the table of codes says, for clients without the table.
	Retryable bool    `json:"retryable,omitzero"`
	Message   Message `json:"message,omitzero"`
	// Revision is that of the hub after the command; it grows with each command that changed something.
	Revision uint64          `json:"revision,omitzero"`
	Progress *Progress       `json:"progress,omitzero"`
	Result   json.RawMessage `json:"result,omitzero"` // of the verb
	// Duplicate marks the stored result of a command that was sent again.
	Duplicate bool      `json:"duplicate,omitzero"`
	Time      time.Time `json:"time"` // of this status
}

// Progress tells how far the work has come.
type Progress struct {
	Step  string `json:"step,omitzero"`  // name of the step, stable per verb
	Done  uint64 `json:"done,omitzero"`  // units of the step that are over
	Total uint64 `json:"total,omitzero"` // units of the step; zero means not known
	Note  string `json:"note,omitzero"`  // for people
}

// NewResult begins a result for a command.
func NewResult(c Command, s Status, now time.Time) Result {
	return Result{Schema: Schema, ID: c.ID, Hub: c.Hub, Verb: c.Verb, Device: c.Device, Status: s, Time: now.UTC()}
}

// EndedBy ends a command with the code and message of err; a nil err means done.
func EndedBy(c Command, err error, now time.Time) Result {
	code, msg := CodeOf(err)
	info := code.Info()
	r := NewResult(c, info.Status, now)
	r.Code, r.Message, r.Retryable = code, msg, info.Retryable
	return r
}

// Err returns nil for a command that is done or has not ended, else the code and message as an *Error.
func (r Result) Err() error {
	if !r.Status.Final() || r.Status == StatusDone {
		return nil
	}
	return &Error{Code: r.Code, Message: r.Message}
}

// Decode decodes the result of the verb into v, which points to the result type of the verb.
func (r Result) Decode(v any) error {
	if len(r.Result) == 0 {
		return nil
	}
	if err := json.Unmarshal(r.Result, v); err != nil {
		return fmt.Errorf("topic: result of %s: %w", r.Verb, err)
	}
	return nil
}

// Marshal returns the payload.
func (r Result) Marshal() ([]byte, error) {
	r.Schema = Schema
	r.Time = r.Time.UTC()
	return json.Marshal(r)
}

// ParseResult decodes the payload of a result.
func ParseResult(b []byte, l Limits) (Result, error) {
	var r Result
	if err := l.decode(b, &r); err != nil {
		return Result{}, err
	}
	if err := checkSchema(&r.Schema); err != nil {
		return Result{}, err
	}
	if !r.Status.Known() {
		return Result{}, NewError(CodeBadJSON, fmt.Sprintf("status %q is not known", clip(string(r.Status))), "payload, member \"status\"", "update this client")
	}
	r.Time = r.Time.UTC()
	return r, nil
}
