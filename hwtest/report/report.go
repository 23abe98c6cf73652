// Package report is what came of a run of scenarios: its model, and its forms for people and for CI servers.
//
//	Run.WriteJUnit   JUnit XML, as common CI servers take it
//	Run.WriteHTML    one file that needs nothing else
//	Run.WriteJSON    the model itself, which Compare and Load read
//	Run.WriteText    what a terminal shows at the end
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// Outcome is how a scenario or a step ended.
type Outcome string

// The outcomes.
const (
	Passed      Outcome = "passed"
	Failed      Outcome = "failed"      // it was not as it must be
	Broken      Outcome = "broken"      // the bench, not the device: nothing can be said
	Skipped     Outcome = "skipped"     // the target cannot do it
	Quarantined Outcome = "quarantined" // it failed, and somebody answers for it until a day
)

// Run is one run of scenarios.
type Run struct {
	Schema   int       `json:"schema"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	Version  string    `json:"version"` // of this program
	Host     string    `json:"host"`
	Results  []Result  `json:"results"`
	Comments []string  `json:"comments,omitempty"`
}

// Schema of Run.
const Schema = 1

// Result is one scenario on one target, once.
type Result struct {
	Scenario string            `json:"scenario"`
	Title    string            `json:"title"`
	Prose    string            `json:"prose,omitempty"`
	Path     string            `json:"path"`
	Target   string            `json:"target"`
	Attempt  int               `json:"attempt"`           // from 1
	Restart  int               `json:"restart,omitempty"` // the gateway was restarted in this step, from 1; 0: in none
	Clauses  []string          `json:"clauses,omitempty"`
	Started  time.Time         `json:"started"` // by the machine
	Wall     float64           `json:"wall_seconds"`
	Virtual  float64           `json:"virtual_seconds"` // by the clock of the home
	Outcome  Outcome           `json:"outcome"`
	Reason   string            `json:"reason,omitempty"`
	Facts    map[string]string `json:"facts,omitempty"` // what the home is: identities, firmware and its digest, seed
	Faults   []string          `json:"faults,omitempty"`
	Steps    []Step            `json:"steps,omitempty"`
	Files    []File            `json:"files,omitempty"` // beside the report
}

// Step is one step of a scenario.
type Step struct {
	Name     string        `json:"name"`
	Line     int           `json:"line"`
	Clauses  []string      `json:"clauses,omitempty"`
	At       float64       `json:"at_seconds"` // since the scenario began, by the clock of the home
	Seconds  float64       `json:"seconds"`
	Outcome  Outcome       `json:"outcome"`
	Problems []string      `json:"problems,omitempty"`
	Measured []Measurement `json:"measured,omitempty"`
	Cases    []Case        `json:"cases,omitempty"` // of conformance tests
	Console  string        `json:"console,omitempty"`
}

// Measurement is a number with its limits.
type Measurement struct {
	Name  string   `json:"name"`
	Value float64  `json:"value"`
	Unit  string   `json:"unit,omitempty"`
	Min   *float64 `json:"min,omitempty"`
	Max   *float64 `json:"max,omitempty"`
}

// Within tells whether the value is within its limits.
func (m Measurement) Within() bool {
	return (m.Min == nil || m.Value >= *m.Min) && (m.Max == nil || m.Value <= *m.Max)
}

// Case is one conformance test.
type Case struct {
	Name    string  `json:"name"`
	Purpose string  `json:"purpose,omitempty"`
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"`
}

// File is something kept beside the report: a capture, a trace, a console log, a snapshot.
type File struct {
	Name string `json:"name"` // for people
	Path string `json:"path"` // from the report's folder
}

// Count counts the results by outcome.
func (r *Run) Count() map[Outcome]int {
	n := map[Outcome]int{}
	for _, x := range r.Results {
		n[x.Outcome]++
	}
	return n
}

// OK tells whether nothing failed. A run without results is not OK: nothing was tested.
func (r *Run) OK() bool {
	n := r.Count()
	return len(r.Results) > 0 && n[Failed] == 0 && n[Broken] == 0
}

// Coverage is what a clause was proved by.
type Coverage struct {
	Clause string
	By     []string // scenario, or scenario: step
	Passed bool     // everything that proves it passed
}

// Coverage lists the clauses, in order, and what came of them.
func (r *Run) Coverage() []Coverage {
	at := map[string]*Coverage{}
	add := func(clause, by string, ok bool) {
		c, known := at[clause]
		if !known {
			c = &Coverage{Clause: clause, Passed: true}
			at[clause] = c
		}
		if !slices.Contains(c.By, by) {
			c.By = append(c.By, by)
		}
		c.Passed = c.Passed && ok
	}
	for _, x := range r.Results {
		if x.Outcome == Skipped {
			continue
		}
		for _, c := range x.Clauses {
			add(c, x.Scenario, x.Outcome == Passed)
		}
		for _, s := range x.Steps {
			for _, c := range s.Clauses {
				add(c, x.Scenario+": "+s.Name, s.Outcome == Passed)
			}
		}
	}
	out := make([]Coverage, 0, len(at))
	for _, c := range at {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Coverage) int {
		if a.Clause < b.Clause {
			return -1
		}
		return 1
	})
	return out
}

// WriteJSON writes the model.
func (r *Run) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// Load reads what WriteJSON wrote.
func Load(rd io.Reader) (*Run, error) {
	var r Run
	if err := json.NewDecoder(rd).Decode(&r); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("report: schema %d, this program reads %d: make the report anew", r.Schema, Schema)
	}
	return &r, nil
}
