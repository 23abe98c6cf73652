package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"golang.org/x/tools/txtar"

	"smets1/gateway/topic"
)

// The files inside a scenario.
const (
	FileSteps  = "scenario.yaml"
	FileFleet  = "fleet.yaml"
	FileFaults = "faults.yaml"
)

// Scenario is a test.
type Scenario struct {
	Name  string // of the file, without its extension
	Path  string // of the file
	Title string // the first line of the prose
	Prose string // all of it

	Needs        []string      // what the home must have
	Clauses      []string      // what it proves
	Irreversible bool          // it takes a step that cannot be undone
	Timeout      time.Duration // by the clock of the home
	Steps        []Step

	Fleet  []byte // manifest of the simulated home; nil: the rig's own
	Faults []byte // fault plan of the line; nil: none
}

// DefaultTimeout is that of a scenario which names none.
const DefaultTimeout = time.Hour

// document is scenario.yaml.
type document struct {
	Needs        []string `yaml:"needs"`
	Clauses      []string `yaml:"clauses"`
	Irreversible bool     `yaml:"irreversible"`
	Timeout      duration `yaml:"timeout"`
	Steps        []Step   `yaml:"steps"`
}

// duration is written as 10s or 5m.
type duration time.Duration

// UnmarshalYAML reads a duration.
func (d *duration) UnmarshalYAML(f func(any) error) error {
	var s string
	if err := f(&s); err != nil {
		return err
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q: want a time as 10s, 5m or 1h30m", s)
	}
	*d = duration(v)
	return nil
}

// Load reads a scenario file.
func Load(path string) (*Scenario, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, b)
}

var fileName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// Parse reads a scenario. Errors have the path, the line in the file, and what to do.
func Parse(path string, b []byte) (*Scenario, error) {
	s := &Scenario{Path: path, Name: strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))}
	if !fileName.MatchString(s.Name) {
		return nil, fmt.Errorf("%s: a scenario is called by lower-case letters, digits and hyphens, up to 64", path)
	}
	a := txtar.Parse(b)
	s.Prose = strings.TrimSpace(string(a.Comment))
	s.Title, _, _ = strings.Cut(s.Prose, "\n")
	if s.Title == "" {
		return nil, fmt.Errorf("%s:1: say in a sentence what is tested, before the first file", path)
	}
	steps := -1
	for i, f := range a.Files {
		switch {
		case slices.IndexFunc(a.Files[:i], func(g txtar.File) bool { return g.Name == f.Name }) >= 0:
			return nil, fmt.Errorf("%s:%d: a second %s", path, lineOf(b, f), f.Name)
		case f.Name == FileSteps:
			steps = i
		case f.Name == FileFleet:
			s.Fleet = f.Data
		case f.Name == FileFaults:
			s.Faults = f.Data
		default:
			return nil, fmt.Errorf("%s:%d: a file %q: a scenario has %s, %s and %s", path, lineOf(b, f), f.Name, FileSteps, FileFleet, FileFaults)
		}
	}
	if steps < 0 {
		return nil, fmt.Errorf("%s: has no -- %s --", path, FileSteps)
	}
	if err := s.read(b, a.Files[steps]); err != nil {
		return nil, err
	}
	return s, nil
}

// lineOf is where the content of a file inside the archive begins.
func lineOf(b []byte, f txtar.File) int {
	mark := "-- " + f.Name + " --"
	n := 0
	for line := range bytes.Lines(b) {
		n++
		if strings.TrimSpace(string(line)) == mark {
			return n
		}
	}
	return n
}

func (s *Scenario) read(whole []byte, f txtar.File) error {
	first := lineOf(whole, f)
	at := func(err error) error {
		line := first
		var y yaml.Error
		if errors.As(err, &y) && y.GetToken() != nil && y.GetToken().Position != nil {
			line += y.GetToken().Position.Line
			err = errors.New(y.GetMessage())
		}
		return fmt.Errorf("%s:%d: %w", s.Path, line, err)
	}
	var d document
	dec := yaml.NewDecoder(bytes.NewReader(f.Data), yaml.Strict())
	if err := dec.Decode(&d); err != nil && !errors.Is(err, io.EOF) {
		return at(err)
	}
	s.Needs, s.Clauses, s.Irreversible, s.Timeout, s.Steps = d.Needs, d.Clauses, d.Irreversible, time.Duration(d.Timeout), d.Steps
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	if len(s.Steps) == 0 {
		return fmt.Errorf("%s:%d: has no steps", s.Path, first)
	}
	lines := stepLines(f.Data)
	for i := range s.Steps {
		st := &s.Steps[i]
		st.Line = first
		if i < len(lines) {
			st.Line += lines[i]
		}
		if err := st.check(); err != nil {
			return fmt.Errorf("%s:%d: step %d: %w", s.Path, st.Line, i+1, err)
		}
		if info, ok := st.Do.Info(); ok && info.Irreversible && !s.Irreversible {
			return fmt.Errorf("%s:%d: step %d: %s cannot be undone: say so with irreversible: true", s.Path, st.Line, i+1, st.Do)
		}
	}
	return nil
}

// stepLines is where the steps begin: lines of a list under steps, as far as they are written one under the other.
func stepLines(b []byte) []int {
	var out []int
	n, in, indent := 0, false, -1
	for line := range bytes.Lines(b) {
		n++
		text := string(line)
		trimmed := strings.TrimLeft(text, " ")
		deep := len(text) - len(trimmed)
		switch {
		case strings.HasPrefix(text, "steps:"):
			in = true
		case in && strings.HasPrefix(trimmed, "- ") && (indent < 0 || deep == indent):
			indent = deep
			out = append(out, n)
		case in && deep == 0 && strings.TrimSpace(text) != "" && !strings.HasPrefix(text, "#") && !strings.HasPrefix(text, "-"):
			in = false
		}
	}
	return out
}

// Verbs lists the verbs that the scenario uses.
func (s *Scenario) Verbs() []topic.Verb {
	var out []topic.Verb
	for _, st := range s.Steps {
		if st.Do != "" && !slices.Contains(out, st.Do) {
			out = append(out, st.Do)
		}
	}
	return out
}
