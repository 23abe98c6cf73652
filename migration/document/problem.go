package document

import (
	"fmt"
	"strings"
)

// Scope says how far a problem reaches: the whole file, or one row or installation of it.
type Scope string

// The scopes. A set failure concerns every file of one file set.
const (
	ScopeFile         Scope = "file"
	ScopeSet          Scope = "set"
	ScopeRow          Scope = "row"
	ScopeInstallation Scope = "installation"
)

// Problem is one thing that is wrong with a document, told so that a person can mend it.
type Problem struct {
	File   string `json:"file"`             // name of the file, without its folder
	Sheet  string `json:"sheet,omitempty"`  // of a workbook
	Cell   string `json:"cell,omitempty"`   // of the sheet, like D12
	Row    int    `json:"row,omitempty"`    // line of the file, the header being line 1; 0 for the whole file
	Column string `json:"column,omitempty"` // heading of the column, or path of the XML element
	Code   string `json:"code"`             // from the catalogue; ours start with X
	What   string `json:"what"`             // what was found and what was wanted
	Remedy string `json:"remedy"`           // what to do about it
	Scope  Scope  `json:"scope"`
}

// Error gives the problem as one line: file:row: column: code: what. Remedy. In a workbook, sheet and
// cell stand for the row.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	switch {
	case p.Sheet != "" && p.Cell != "":
		fmt.Fprintf(&b, ":%s!%s", p.Sheet, p.Cell)
	case p.Sheet != "":
		fmt.Fprintf(&b, ":%s", p.Sheet)
	case p.Row > 0:
		fmt.Fprintf(&b, ":%d", p.Row)
	}
	if p.Column != "" {
		fmt.Fprintf(&b, ": %s", p.Column)
	}
	fmt.Fprintf(&b, ": %s: %s", p.Code, p.What)
	if p.Remedy != "" {
		fmt.Fprintf(&b, " Remedy: %s", p.Remedy)
	}
	return b.String()
}

// Problems is what a reader has to say about a document. An empty list means that all is well.
type Problems []Problem

// FileFailed reports whether the document as a whole was refused.
func (ps Problems) FileFailed() bool {
	for _, p := range ps {
		if p.Scope == ScopeFile || p.Scope == ScopeSet {
			return true
		}
	}
	return false
}

// Err gives the list as an error, or nil when it is empty.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Error gives one line per problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Row gives the problems of one line.
func (ps Problems) Row(row int) Problems {
	var out Problems
	for _, p := range ps {
		if p.Row == row {
			out = append(out, p)
		}
	}
	return out
}

// Codes gives the distinct codes in the order in which they first appear.
func (ps Problems) Codes() []string {
	var out []string
	seen := map[string]bool{}
	for _, p := range ps {
		if !seen[p.Code] {
			seen[p.Code] = true
			out = append(out, p.Code)
		}
	}
	return out
}
