package engine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"smets1/migration/document"
	"smets1/migration/lifecycle"
	"smets1/migration/report"
)

// Status is where a run stands, for whoever looks at it from outside: the
// engine keeps it in the file status.json of its output folder, which can be
// read at any time.
type Status struct {
	Run      string    `json:"run"`
	Started  time.Time `json:"started"`
	AsAt     time.Time `json:"asAt"` // time of the programme
	Finished time.Time `json:"finished,omitzero"`
	// Phase is what the engine was about to do, or had just ended.
	Phase string `json:"phase"`
	// States counts homes by state, in the order of the lifecycle; states
	// without a home are left out.
	States []StateCount `json:"states"`
	// Due counts the homes that wait, by the day that they are due on.
	Due []DayCount `json:"due,omitempty"`
	// Codes counts the last failures of homes that are not migrated.
	Codes []CodeCount `json:"codes,omitempty"`
	// Attention lists the homes that wait for a person, at most a hundred;
	// Waiting counts them all.
	Attention []Attention `json:"attention,omitempty"`
	Waiting   int         `json:"waiting"`
}

// StateCount is one line of Status.States.
type StateCount struct {
	State string `json:"state"`
	Phase string `json:"phase"`
	Homes int    `json:"homes"`
}

// DayCount is one line of Status.Due.
type DayCount struct {
	Day   document.Date `json:"day"`
	Homes int           `json:"homes"`
}

// CodeCount is one line of Status.Codes.
type CodeCount struct {
	Code     string `json:"code"`
	Homes    int    `json:"homes"`
	Sentence string `json:"sentence"`
}

// Attention is a home that nothing happens to until a person acts.
type Attention struct {
	Home   document.EUI `json:"home"`
	State  string       `json:"state"`
	Code   string       `json:"code"`
	Owner  string       `json:"owner"`
	Remedy string       `json:"remedy"`
}

const (
	statusFile   = "status.json"
	maxAttention = 100
)

// Status gives where the run stands. It must not be called while Run works.
func (e *Engine) Status() Status { return e.status("") }

func (e *Engine) status(phase string) Status {
	s := Status{Run: e.run.ID, Started: e.run.Started, AsAt: e.cfg.Clock.Now(), Finished: e.run.Finished, Phase: phase}
	states := map[lifecycle.State]int{}
	due := map[document.Date]int{}
	codes := map[string]int{}
	for _, id := range e.order {
		h := e.homes[id]
		at := h.State()
		states[at]++
		code := h.lastCode()
		switch {
		case at == lifecycle.Planned || at == lifecycle.RetryWait:
			due[document.DateOf(h.Due)]++
		case at == lifecycle.Blocked || at == lifecycle.ManualIntervention:
			s.Waiting++
			if len(s.Attention) < maxAttention {
				c, _ := e.cfg.Specs.Catalogue.Lookup(code)
				s.Attention = append(s.Attention, Attention{id, at.String(), code, c.Owner, c.Remedy})
			}
		}
		if code != "" && at != lifecycle.Migrated {
			codes[code]++
		}
	}
	for _, at := range lifecycle.States() {
		if states[at] > 0 {
			s.States = append(s.States, StateCount{at.String(), at.Phase().String(), states[at]})
		}
	}
	for day, n := range due {
		s.Due = append(s.Due, DayCount{day, n})
	}
	slices.SortFunc(s.Due, func(a, b DayCount) int { return a.Day.Compare(b.Day) })
	for code, n := range codes {
		c, _ := e.cfg.Specs.Catalogue.Lookup(code)
		s.Codes = append(s.Codes, CodeCount{code, n, c.Sentence})
	}
	slices.SortFunc(s.Codes, func(a, b CodeCount) int { return cmp.Or(cmp.Compare(b.Homes, a.Homes), cmp.Compare(a.Code, b.Code)) })
	return s
}

// lastCode is why the home stands where it does, as far as a failure says so.
func (h *home) lastCode() string {
	if h.State() == lifecycle.Candidate && h.why != nil {
		return h.why.code
	}
	return h.LastFailure().Code
}

// note writes the status file.
func (e *Engine) note(phase string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(e.status(phase)); err != nil {
		return fmt.Errorf("engine: status: %w", err)
	}
	return e.replaceFile(statusFile, b.Bytes(), false)
}

// ReadStatus reads what an engine last wrote of a run to its output folder.
func ReadStatus(out string) (Status, error) {
	var s Status
	b, err := os.ReadFile(filepath.Join(out, statusFile))
	if err != nil {
		return s, fmt.Errorf("engine: %w: no run has written to %s", err, out)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("engine: %s in %s: %w", statusFile, out, err)
	}
	return s, nil
}

// reconcile holds the account of the portfolio (R09), which balances to zero
// after every day.
func (e *Engine) reconcile() error {
	if _, err := report.Build("R09", e.data("")); err != nil {
		return fmt.Errorf("engine: after %s: %w", document.DateOf(e.cfg.Clock.Now()), err)
	}
	return nil
}
