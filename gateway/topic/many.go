package topic

import (
	"smets1/internal/wire"
)

// Selector picks the hubs of a command for many homes. What is left out does not restrict; nothing at all picks no hub, so that a
// forgotten selector does nothing: say all.
type Selector struct {
	All      bool         `json:"all,omitzero"`
	Hubs     []wire.EUI64 `json:"hubs,omitzero"`     // these
	States   []Condition  `json:"states,omitzero"`   // in one of these states
	Model    string       `json:"model,omitzero"`    // of the hub
	Firmware string       `json:"firmware,omitzero"` // of the hub
	// Parallel is how many hubs are worked on at once; zero means 16, and MaxParallel is the most.
	Parallel int `json:"parallel,omitzero"`
	// StopAfter is after how many commands that did not end as done no more are begun; zero means never.
	StopAfter int `json:"stop_after,omitzero"`
}

// Limits of a command for many homes.
const (
	DefaultParallel = 16
	MaxParallel     = 256
	MaxProblems     = 500 // hubs named in ManyResult
)

// IsZero tells that nothing is picked.
func (s Selector) IsZero() bool {
	return !s.All && len(s.Hubs) == 0 && len(s.States) == 0 && s.Model == "" && s.Firmware == ""
}

// ManyResult is the result of a command for many homes, whatever its verb. It is done when it went through all hubs, however
// each ended. The command of each hub has the id of this one, a slash and the hub's EUI-64, and its own stored result.
type ManyResult struct {
	Hubs     int            `json:"hubs"`  // picked
	Begun    int            `json:"begun"` // sent; the others were left out because of stop_after
	Statuses map[Status]int `json:"statuses"`
	Codes    map[Code]int   `json:"codes"`
	Problems []ManyProblem  `json:"problems"`         // not done, in the order of the hubs, up to MaxProblems
	Omitted  int            `json:"omitted,omitzero"` // problems beyond that
}

// ManyProblem is a hub whose command did not end as done.
type ManyProblem struct {
	Hub     wire.EUI64 `json:"hub"`
	ID      string     `json:"id"`
	Status  Status     `json:"status"`
	Code    Code       `json:"code"`
	Message Message    `json:"message,omitzero"`
}
