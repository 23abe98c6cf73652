package report

import (
	_ "embed"
	"html/template"
	"io"
	"strings"
	"time"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"seconds": seconds,
	"label":   func(x Result) string { return x.label() },
	"time":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") },
	"lines":   func(s []string) string { return strings.Join(s, "\n") },
	"join":    func(s []string) string { return strings.Join(s, ", ") },
	"plus":    func(a, b int) int { return a + b },
}).Parse(pageText))

// WriteHTML writes one page that needs nothing else: no script, no font, no picture.
func (r *Run) WriteHTML(w io.Writer) error {
	counts := map[string]int{}
	for o, n := range r.Count() {
		counts[string(o)] = n
	}
	return page.Execute(w, struct {
		*Run
		Counts   map[string]int
		Coverage []Coverage
		Passed   bool
	}{r, counts, r.Coverage(), r.OK()})
}
