package config

import (
	"fmt"
	"slices"
	"strings"
)

// Where is the place a setting was made.
type Where struct {
	File      string // as it was given; empty for a flag or variable
	Line, Col int    // in the file, from 1; 0 when the mistake has no place, like an empty file
	Name      string // of the flag or environment variable
}

// String gives file:line:column, or the name of the flag or variable.
func (w Where) String() string {
	switch {
	case w.Name != "":
		return w.Name
	case w.Line == 0:
		return w.File
	default:
		return fmt.Sprintf("%s:%d:%d", w.File, w.Line, w.Col)
	}
}

// Error is one mistake.
type Error struct {
	Where  Where
	Key    string // like broker.listen or hubs[1].eui; empty for the whole file
	Reason string // what is wrong, and what to do
}

// Error gives place: key: reason.
func (e *Error) Error() string {
	var b strings.Builder
	if w := e.Where.String(); w != "" {
		b.WriteString(w + ": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Reason)
	return b.String()
}

// Errors are all mistakes that were found.
type Errors []*Error

// Error gives one line each.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, x := range e {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted puts the mistakes in the order of the file.
func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b *Error) int {
		if a.Where.Line != b.Where.Line {
			return a.Where.Line - b.Where.Line
		}
		return a.Where.Col - b.Where.Col
	})
	return e
}

// nearest is the word that a misspelt one was probably meant to be, if any.
func nearest(word string, words []string) string {
	best, least := "", 3
	if len(word) < 4 {
		least = 2
	}
	for _, w := range words {
		if d := distance(strings.ToLower(word), w); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance is how many letters must be put in, taken out or changed (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
