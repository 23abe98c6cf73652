package lifecycle

import (
	"fmt"
	"iter"
)

// An Edge is one permitted move. Only this package makes one, so a Machine
// cannot be asked for a move that is not in the table. The zero Edge leads
// nowhere and is refused.
type Edge struct{ e *edge }

type edge struct {
	from, to State
	why      string
}

// table is every edge there is, in the order in which it was declared.
var table []Edge

func link(from, to State, why string) Edge {
	e := Edge{&edge{from, to, why}}
	table = append(table, e)
	return e
}

// The edges: from, to, and what has to have happened.
var (
	Plan            = link(Candidate, Planned, "in the schedule of a day")
	ExcludeAtOnce   = link(Candidate, Excluded, "in an exclusion category when the portfolio was loaded")
	Authorise       = link(Planned, Authorised, "active: a valid authorisation covers the day")
	Notify          = link(Planned, Notified, "dormant: the notices are out in time")
	Withdraw        = link(Planned, Withdrawn, "the supplier withdrew before the day was locked")
	Hold            = link(Planned, Blocked, "no authorisation covers the day, or the notice cannot be given")
	PrepareActive   = link(Authorised, Ready, "preconditions hold")
	PrepareDormant  = link(Notified, Ready, "preconditions hold; firmware at the eligible version")
	BlockActive     = link(Authorised, Blocked, "a precondition fails until somebody corrects something")
	BlockDormant    = link(Notified, Blocked, "a precondition fails until somebody corrects something")
	PostponeActive  = link(Authorised, RetryWait, "a precondition fails that may hold another day")
	PostponeDormant = link(Notified, RetryWait, "a precondition fails that may hold another day")
	IssueFiles      = link(Ready, FilesIssued, "common and group file signed and sent")
	Validate        = link(FilesIssued, Validated, "passed by both validation files")
	FailValidation  = link(FilesIssued, ValidationFailed, "failed by a validation file")
	BlockInvalid    = link(ValidationFailed, Blocked, "data has to be corrected first")
	RetryInvalid    = link(ValidationFailed, RetryWait, "may pass another day")
	Quiesce         = link(Validated, Quiesced, "the present operator has stopped its schedules and let go")
	PassViability   = link(Quiesced, Viable, "devices are who, what and where the files say")
	FailViability   = link(Quiesced, ViabilityFailed, "a device test failed")
	TakeKeys        = link(Viable, KeysTaken, "new keys proven and committed, old ones refused")
	FailRotation    = link(Viable, RotationFailed, "the key take-over did not complete")
	Commit          = link(KeysTaken, Commissioning, "hub re-pointed; in the commissioning file")
	FailHandover    = link(KeysTaken, CommissioningFailed, "the hub could not be re-pointed")
	Complete        = link(Commissioning, Migrated, "outcome file says commissioned")
	FailCommission  = link(Commissioning, CommissioningFailed, "the inventory or the post-check refused")
	UndoViability   = link(ViabilityFailed, RollingBack, "")
	UndoRotation    = link(RotationFailed, RollingBack, "")
	UndoCommission  = link(CommissioningFailed, RollingBack, "")
	RollBack        = link(RollingBack, RolledBack, "old keys and endpoint in force; the operator reads the home")
	FailRollback    = link(RollingBack, RollbackFailed, "the operator does not read the home")
	Escalate        = link(RollbackFailed, ManualIntervention, "a person has to act")
	AwaitRetry      = link(RolledBack, RetryWait, "may succeed another day")
	BlockRolledBack = link(RolledBack, Blocked, "somebody has to correct something first")
	GiveUp          = link(RolledBack, ManualIntervention, "no retry would help; a person has to act")
	Retry           = link(RetryWait, Planned, "back-off has passed")
	Exclude         = link(RetryWait, Excluded, "attempts are used up, or a category applies")
	WithdrawWaiting = link(RetryWait, Withdrawn, "the supplier withdrew between attempts")
	Reopen          = link(Blocked, Planned, "an operator re-opened it")
	ReopenManual    = link(ManualIntervention, Planned, "an operator repaired and re-opened it")
	ReopenExcluded  = link(Excluded, Planned, "an operator lifted the exclusion")
	ReopenWithdrawn = link(Withdrawn, Planned, "authorised anew")
)

// From is the state the edge leaves.
func (e Edge) From() State { return e.e.from }

// To is the state the edge leads to.
func (e Edge) To() State { return e.e.to }

// Why says what has to have happened.
func (e Edge) Why() string { return e.e.why }

// String names the edge by its ends.
func (e Edge) String() string {
	if e.e == nil {
		return "no edge"
	}
	return e.e.from.String() + " → " + e.e.to.String()
}

// Edges is the whole table.
func Edges() iter.Seq[Edge] {
	return func(yield func(Edge) bool) {
		for _, e := range table {
			if !yield(e) {
				return
			}
		}
	}
}

// Between finds the edge that joins two states, for who reads moves back from
// an audit.
func Between(from, to State) (Edge, bool) {
	for _, e := range table {
		if e.e.from == from && e.e.to == to {
			return e, true
		}
	}
	return Edge{}, false
}

// An IllegalMoveError is a move from a state that the edge does not leave.
type IllegalMoveError struct {
	At   State
	Edge Edge
}

func (e *IllegalMoveError) Error() string {
	return fmt.Sprintf("lifecycle: an installation in state %s cannot go %v", e.At, e.Edge)
}

// A Machine is the state of one installation. The zero Machine is a Candidate.
type Machine struct{ at State }

// State is where the installation stands.
func (m Machine) State() State { return m.at }

// Take moves along e. It is an *IllegalMoveError, and nothing moves, when the
// installation does not stand where e begins.
func (m *Machine) Take(e Edge) error {
	if e.e == nil || e.e.from != m.at {
		return &IllegalMoveError{m.at, e}
	}
	m.at = e.e.to
	return nil
}
