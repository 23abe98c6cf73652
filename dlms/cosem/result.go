package cosem

import "fmt"

// Result is a data-access-result: what a GET or SET, or the returned data of
// an ACTION, came to (IEC 62056-5-3, published). Any Result but Success is an error.
type Result uint8

// The data-access-results.
const (
	Success                 Result = 0
	HardwareFault           Result = 1
	TemporaryFailure        Result = 2
	ReadWriteDenied         Result = 3
	ObjectUndefined         Result = 4
	ObjectClassInconsistent Result = 9
	ObjectUnavailable       Result = 11
	TypeUnmatched           Result = 12
	ScopeOfAccessViolated   Result = 13
	DataBlockUnavailable    Result = 14
	LongGetAborted          Result = 15
	NoLongGetInProgress     Result = 16
	LongSetAborted          Result = 17
	NoLongSetInProgress     Result = 18
	DataBlockNumberInvalid  Result = 19
	OtherReason             Result = 250
)

// explained is a code's name in the standard and what it means to the reader of a log.
type explained struct{ name, sentence string }

var results = map[Result]explained{
	Success:                 {"success", "The request was carried out."},
	HardwareFault:           {"hardware-fault", "The meter reports a hardware fault."},
	TemporaryFailure:        {"temporary-failure", "The meter cannot do this now; try again later."},
	ReadWriteDenied:         {"read-write-denied", "This association may not read or write the attribute so; use another client address or security level."},
	ObjectUndefined:         {"object-undefined", "The meter has no such object or attribute; check class, logical name and attribute."},
	ObjectClassInconsistent: {"object-class-inconsistent", "The object exists, but with another class."},
	ObjectUnavailable:       {"object-unavailable", "The object exists but cannot be reached now."},
	TypeUnmatched:           {"type-unmatched", "The value has not the type the attribute needs."},
	ScopeOfAccessViolated:   {"scope-of-access-violated", "The request is outside what this association may see."},
	DataBlockUnavailable:    {"data-block-unavailable", "The meter no longer has the block that was asked for."},
	LongGetAborted:          {"long-get-aborted", "The meter gave up the block transfer; read again from the start."},
	NoLongGetInProgress:     {"no-long-get-in-progress", "A next block was asked for and no block transfer is under way."},
	LongSetAborted:          {"long-set-aborted", "The meter gave up the block transfer; write again from the start."},
	NoLongSetInProgress:     {"no-long-set-in-progress", "A block was sent and no block transfer is under way."},
	DataBlockNumberInvalid:  {"data-block-number-invalid", "The block number is not the next one."},
	OtherReason:             {"other-reason", "The meter gives no reason."},
}

// Name is the name of the code in the standard, such as "object-undefined".
func (r Result) Name() string {
	if e, ok := results[r]; ok {
		return e.name
	}
	return fmt.Sprintf("data-access-result %d", uint8(r))
}

// Sentence says in plain words what the code means.
func (r Result) Sentence() string {
	if e, ok := results[r]; ok {
		return e.sentence
	}
	return "The meter answered with a code that the standard does not list."
}

// String is the Name.
func (r Result) String() string { return r.Name() }

// Error gives code, name and sentence.
func (r Result) Error() string {
	return fmt.Sprintf("data-access-result %d %s: %s", uint8(r), r.Name(), r.Sentence())
}

// Err is nil for Success and r otherwise.
func (r Result) Err() error {
	if r == Success {
		return nil
	}
	return r
}

// ActionResult is what an ACTION came to (IEC 62056-5-3, published). Any
// ActionResult but ActionSuccess is an error.
type ActionResult uint8

// The action-results.
const (
	ActionSuccess                 ActionResult = 0
	ActionHardwareFault           ActionResult = 1
	ActionTemporaryFailure        ActionResult = 2
	ActionReadWriteDenied         ActionResult = 3
	ActionObjectUndefined         ActionResult = 4
	ActionObjectClassInconsistent ActionResult = 9
	ActionObjectUnavailable       ActionResult = 11
	ActionTypeUnmatched           ActionResult = 12
	ActionScopeOfAccessViolated   ActionResult = 13
	ActionDataBlockUnavailable    ActionResult = 14
	ActionLongActionAborted       ActionResult = 15
	ActionNoLongActionInProgress  ActionResult = 16
	ActionOtherReason             ActionResult = 250
)

var actionResults = map[ActionResult]explained{
	ActionSuccess:                 {"success", "The method was carried out."},
	ActionHardwareFault:           {"hardware-fault", "The meter reports a hardware fault."},
	ActionTemporaryFailure:        {"temporary-failure", "The meter is still busy or cannot do this now; ask again later."},
	ActionReadWriteDenied:         {"read-write-denied", "This association may not call the method; use another client address or security level."},
	ActionObjectUndefined:         {"object-undefined", "The meter has no such object or method; check class, logical name and method."},
	ActionObjectClassInconsistent: {"object-class-inconsistent", "The object exists, but with another class."},
	ActionObjectUnavailable:       {"object-unavailable", "The object exists but cannot be reached now."},
	ActionTypeUnmatched:           {"type-unmatched", "The parameter has not the type the method needs."},
	ActionScopeOfAccessViolated:   {"scope-of-access-violated", "The request is outside what this association may do."},
	ActionDataBlockUnavailable:    {"data-block-unavailable", "The meter no longer has the block that was asked for."},
	ActionLongActionAborted:       {"long-action-aborted", "The meter gave up the block transfer; call again from the start."},
	ActionNoLongActionInProgress:  {"no-long-action-in-progress", "A block was sent or asked for and no block transfer is under way."},
	ActionOtherReason:             {"other-reason", "The meter gives no reason."},
}

// Name is the name of the code in the standard, such as "type-unmatched".
func (r ActionResult) Name() string {
	if e, ok := actionResults[r]; ok {
		return e.name
	}
	return fmt.Sprintf("action-result %d", uint8(r))
}

// Sentence says in plain words what the code means.
func (r ActionResult) Sentence() string {
	if e, ok := actionResults[r]; ok {
		return e.sentence
	}
	return "The meter answered with a code that the standard does not list."
}

// String is the Name.
func (r ActionResult) String() string { return r.Name() }

// Error gives code, name and sentence.
func (r ActionResult) Error() string {
	return fmt.Sprintf("action-result %d %s: %s", uint8(r), r.Name(), r.Sentence())
}

// Err is nil for ActionSuccess and r otherwise.
func (r ActionResult) Err() error {
	if r == ActionSuccess {
		return nil
	}
	return r
}
