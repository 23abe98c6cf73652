package topic

import (
	"time"

	"smets1/internal/wire"
)

// JobsArgs are the arguments of jobs.
type JobsArgs struct {
	// Which is open, for commands that have not ended, or indoubt, for results that wait for a person. Empty means open.
	Which string     `json:"which,omitzero"`
	Hub   wire.EUI64 `json:"hub,omitzero"`   // only of this hub
	After string     `json:"after,omitzero"` // the next of the page before; empty means the first page
	Limit int        `json:"limit,omitzero"` // commands per page; zero or more than BridgeInfo.PageLimit means that
}

// What jobs lists.
const (
	JobsOpen    = "open"
	JobsInDoubt = "indoubt"
)

// JobsResult is a page of jobs, in the order of acceptance, or of the endings.
type JobsResult struct {
	Jobs  []Job  `json:"jobs"`
	Total int    `json:"total"`
	Next  string `json:"next,omitzero"` // empty on the last page
}

// Job is a command as the gateway has it.
type Job struct {
	Result   Result    `json:"result"`
	Accepted time.Time `json:"accepted"`
	Deadline time.Time `json:"deadline,omitzero"`
	Priority int       `json:"priority,omitzero"`
	Reply    string    `json:"reply,omitzero"`
}

// CancelArgs are the arguments of cancel.
type CancelArgs struct {
	ID string `json:"id"` // of the command
}

// CancelResult is the result of cancel. The command itself ends with a result of its own, which need not be cancelled: a
// step that cannot be undone is seen through.
type CancelResult struct {
	Status Status `json:"status"` // of the command when it was asked
}

// ResolveArgs are the arguments of resolve.
type ResolveArgs struct {
	ID      string `json:"id"`      // of the command in doubt
	Outcome string `json:"outcome"` // done, failed: what a person found to be true
	Note    string `json:"note"`    // how
	By      string `json:"by"`      // who
}

// ResolveResult is the result of resolve: the same again when it was resolved before.
type ResolveResult struct {
	ID         string     `json:"id"`
	Resolution Resolution `json:"resolution"`
}

// Resolution is what a person found out about a result in doubt. The result stays what it was.
type Resolution struct {
	Outcome string    `json:"outcome"`
	Note    string    `json:"note"`
	By      string    `json:"by"`
	Time    time.Time `json:"time"`
}
