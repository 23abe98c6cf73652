// Package located reads the YAML files a person writes for the far side
// (profiles and fleet manifests) and tells mistakes by file, line and field:
//
//	fleet.yaml:12: cohorts[1].count: 0 homes is not a cohort; write 1 or more
//
// A field that nobody knows is a mistake too: a misspelt word that is quietly
// skipped is a setting that quietly does not hold. The package may change.
package located

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// MaxBytes is the largest file that is read. A manifest of a million homes
// needs a few hundred bytes; a file this long is not a manifest.
const MaxBytes = 4 << 20

// An Error is one mistake in one file.
type Error struct {
	File   string // as it was given
	Line   int    // from 1; 0 when the mistake has no place, like an empty file
	Field  string // path of the field, like cohorts[1].count; empty for the whole file
	Reason string // what is wrong, and what to write instead
}

// Error gives file:line: field: reason.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Field != "" {
		b.WriteString(": " + e.Field)
	}
	b.WriteString(": " + e.Reason)
	return b.String()
}

// A Doc is one parsed file and the mistakes found in it so far.
type Doc struct {
	file string
	body ast.Node
	errs []error
}

// Parse reads data into v, a pointer to a struct. The Doc serves to report what
// the caller finds wrong afterwards; it is nil when data could not be read.
func Parse(file string, data []byte, v any) (doc *Doc, err error) {
	// The YAML library panics on some malformed input, like a tag without a
	// value. A bad file is the writer's mistake, not the program's.
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, &Error{File: file, Reason: fmt.Sprintf("malformed YAML (%v)", r)}
		}
	}()
	if len(data) > MaxBytes {
		return nil, &Error{File: file, Reason: fmt.Sprintf("%d bytes is too long; the limit is %d", len(data), MaxBytes)}
	}
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntax(file, err)
	}
	if len(f.Docs) != 1 || f.Docs[0].Body == nil {
		return nil, &Error{File: file, Reason: fmt.Sprintf("%d YAML documents; write exactly one", documents(f))}
	}
	d := &Doc{file: file, body: f.Docs[0].Body}
	if err := yaml.NodeToValue(d.body, v, yaml.Strict()); err != nil {
		e := syntax(file, err)
		if e.Line == 0 {
			e.Line = d.lineOfQuoted(e.Reason)
		}
		return nil, e
	}
	return d, nil
}

func documents(f *ast.File) int {
	n := 0
	for _, d := range f.Docs {
		if d.Body != nil {
			n++
		}
	}
	return n
}

// syntax gives an error of the YAML library its file and line.
func syntax(file string, err error) *Error {
	e := &Error{File: file, Reason: err.Error()}
	var ye yaml.Error
	if errors.As(err, &ye) {
		e.Reason = ye.GetMessage()
		if tk := ye.GetToken(); tk != nil && tk.Position != nil {
			e.Line = tk.Position.Line
		}
	}
	// Texts of the library may quote the source over several lines.
	e.Reason, _, _ = strings.Cut(strings.TrimSpace(e.Reason), "\n")
	return e
}

// Problemf notes a mistake in a field, named by its path. When the field is
// absent, the line is that of the nearest thing around it that is there.
func (d *Doc) Problemf(field, format string, args ...any) {
	d.errs = append(d.errs, &Error{
		File: d.file, Line: d.line(field), Field: field, Reason: fmt.Sprintf(format, args...),
	})
}

// Err is all mistakes noted so far, in the order of their finding; nil for none.
func (d *Doc) Err() error { return errors.Join(d.errs...) }

// lineOfQuoted finds the scalar that a message quotes. The library gives no
// place for a bad duration, only `invalid duration "soon"`.
func (d *Doc) lineOfQuoted(reason string) int {
	_, word, ok := strings.Cut(reason, `"`)
	if !ok {
		return 0
	}
	word, _, _ = strings.Cut(word, `"`)
	line := 0
	ast.Walk(visitor(func(n ast.Node) {
		s, ok := n.(ast.ScalarNode)
		if ok && line == 0 && fmt.Sprint(s.GetValue()) == word {
			line = s.GetToken().Position.Line
		}
	}), d.body)
	return line
}

type visitor func(ast.Node)

func (v visitor) Visit(n ast.Node) ast.Visitor {
	v(n)
	return v
}

func (d *Doc) line(field string) int {
	for at := field; at != ""; at = parent(at) {
		p, err := yaml.PathString("$." + at)
		if err != nil {
			continue
		}
		n, err := p.FilterNode(d.body)
		if err != nil || n == nil {
			continue
		}
		if tk := n.GetToken(); tk != nil && tk.Position != nil {
			return tk.Position.Line
		}
	}
	return 1
}

// parent cuts the last step off a path: a.b[1].c, a.b[1], a.b, a.
func parent(path string) string {
	i := strings.LastIndexAny(path, ".[")
	if i < 0 {
		return ""
	}
	return path[:i]
}
