// Package lifecycle is the life of one installation in the migration: its
// states, the edges between them, and a machine that can move along an edge
// and in no other way.
//
// The table below is the only statement of what may follow what; the engine
// moves by it, the audit is checked against it and the process-flow diagrams
// are drawn from it. The phase order (planning and authorisation, data
// validation, device testing, commissioning) is published; the states and
// edges are ours, for the published sequence could not be had: docs/provenance.md.
//
// A Machine has no setter. A State that was stored is reached again by
// replaying the edges that led to it, so a state that no edge leads to cannot
// be loaded either.
package lifecycle

//go:generate go run ./internal/flow ../../docs/process-flow.md

import (
	"fmt"
)

// A State of one installation. The zero State is Candidate.
type State uint8

// The states, in the order of the main line.
const (
	Candidate           State = iota // loaded from the portfolio
	Planned                          // in the schedule of a day
	Authorised                       // active: a valid migration authorisation covers it
	Notified                         // dormant: its supplier has been sent the schedule notification
	Ready                            // all preconditions hold
	FilesIssued                      // in a signed common file and group file
	Validated                        // both validation files pass it
	Quiesced                         // its present operator has let go; held for migration
	Viable                           // identity, firmware, clock, keys and HAN proven on the devices
	KeysTaken                        // new keys proven and committed, old ones refused
	Commissioning                    // in the commissioning file that the commissioning party received
	Migrated                         // outcome file says commissioned
	Blocked                          // a precondition fails until somebody corrects something
	ValidationFailed                 //
	ViabilityFailed                  //
	RotationFailed                   //
	CommissioningFailed              //
	RollingBack                      // keys, endpoint and inventory on their way back
	RolledBack                       // the present operator reads the home again
	RollbackFailed                   //
	ManualIntervention               // a person has to act
	RetryWait                        // waits for the day of its next attempt
	Excluded                         // out of the migration by a category
	Withdrawn                        // its supplier took the authorisation back
	states
)

var names = [states]string{
	"Candidate", "Planned", "Authorised", "Notified", "Ready", "FilesIssued", "Validated", "Quiesced", "Viable", "KeysTaken",
	"Commissioning", "Migrated", "Blocked", "ValidationFailed", "ViabilityFailed", "RotationFailed", "CommissioningFailed",
	"RollingBack", "RolledBack", "RollbackFailed", "ManualIntervention", "RetryWait", "Excluded", "Withdrawn",
}

// States are all of them, in their order.
func States() []State {
	out := make([]State, states)
	for n := range out {
		out[n] = State(n)
	}
	return out
}

// String is the state's name as reports and the audit write it.
func (s State) String() string {
	if s < states {
		return names[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// ParseState reads a name that String wrote.
func ParseState(name string) (State, error) {
	for s, n := range names {
		if n == name {
			return State(s), nil
		}
	}
	return 0, fmt.Errorf("lifecycle: %q is not a state of an installation", name)
}

// MarshalText implements encoding.TextMarshaler.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *State) UnmarshalText(b []byte) error {
	v, err := ParseState(string(b))
	if err == nil {
		*s = v
	}
	return err
}

// Held reports whether the installation is in the hands of the migration:
// its present operator has let go and neither has it back nor lost it for good.
func (s State) Held() bool {
	switch s {
	case Quiesced, Viable, KeysTaken, Commissioning, ViabilityFailed, RotationFailed, CommissioningFailed, RollingBack, RollbackFailed, ManualIntervention:
		return true
	default:
		return false
	}
}

// Settled reports whether nothing more happens to the installation unless a
// person acts.
func (s State) Settled() bool {
	switch s {
	case Migrated, Blocked, ManualIntervention, Excluded, Withdrawn:
		return true
	default:
		return false
	}
}

// A Phase groups states for people: what the programme's own pages call the
// steps of a migration.
type Phase uint8

// The phases in their published order, with the preparation that a dormant
// meter needs first and the close-out after.
const (
	Planning Phase = iota
	Preparation
	DataValidation
	DeviceTesting
	Commission
	CloseOut
)

// String is the phase as a person reads it.
func (p Phase) String() string {
	return [...]string{"planning", "preparation", "data validation", "device testing", "commissioning", "close-out"}[p]
}

// Phase is the phase that a state is the work of, or that led to it.
func (s State) Phase() Phase {
	switch s {
	case Candidate, Planned, Withdrawn:
		return Planning
	case Authorised, Notified, Blocked:
		return Preparation
	case Ready, FilesIssued, ValidationFailed:
		return DataValidation
	case Validated, Quiesced, ViabilityFailed:
		return DeviceTesting
	case Viable, KeysTaken, Commissioning, RotationFailed, CommissioningFailed:
		return Commission
	default:
		return CloseOut
	}
}
