package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"smets1/migration/document"
)

//go:embed page.html
var pageSource string

// The page is one file that needs nothing else: no script, no font, no image from anywhere. Text is HTML, so that it stays
// readable on a narrow screen; only bars and lines are SVG, stretched to the room there is.
var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"pct": func(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) },
	"add": func(a, b float64) string { return strconv.FormatFloat(a+b, 'f', 2, 64) },
}).Parse(pageSource))

// view is what the page shows.
type view struct {
	AsAt, GeneratedBy string
	Tiles             []tile
	Progress          []bar
	Codes             []bar
	Capacity          *columns
	Forecast          *lines
	Suppliers         []supplierLine
	Exclusions        []labelled
	Imbalance         string
}

type tile struct{ Label, Value, Note string }

type labelled struct {
	Label string
	N     int
}

// bar is a horizontal bar of segments; offsets and widths are percent of the room.
type bar struct {
	Label, Value, Note string
	Segments           []segment
}

type segment struct {
	Class, Title string
	X, W         float64
}

// columns is a chart of columns over time: what there was room for, and what was used.
type columns struct {
	Unit        string
	Top         int
	First, Last string
	Columns     []column
}

type column struct {
	Title                  string
	X, W                   float64
	RoomY, RoomH           float64
	UsedY, UsedH           float64
	AllocatedY, AllocatedH float64
}

// lines is a chart of cumulative numbers over time.
type lines struct {
	Top              int
	First, Last      string
	Actual, Expected string // points of a polyline, in a box of 100 by 100
	Note             string
}

type supplierLine struct {
	Week, Supplier, Attempted, Migrated, Failures, Codes, Success string
}

// WritePage writes the programme's state as one HTML page with charts: progress by cohort, outcomes by code, capacity used,
// forecast.
func WritePage(w io.Writer, d Data) error {
	if d.Portfolio == nil {
		return errPortfolio
	}
	v := view{AsAt: d.AsAt.UTC().Format("2 January 2006, 15:04 UTC"), GeneratedBy: d.GeneratedBy}
	if _, err := r09Rows(d); err != nil {
		v.Imbalance = sentenceCase(err.Error())
	}
	v.tiles(d)
	v.progress(d)
	v.codes(d)
	v.capacity(d)
	v.forecast(d)
	rows, err := r03Rows(d)
	if err != nil {
		return err
	}
	for _, r := range rows {
		v.Suppliers = append(v.Suppliers, supplierLine{r[0], r[1], r[5], r[6], r[7], r[8], r[9]})
	}
	categories := map[string]int{}
	for _, h := range d.Homes {
		if h.Standing == Excluded {
			categories[d.category(h)]++
		}
	}
	for _, c := range slices.Sorted(maps.Keys(categories)) {
		v.Exclusions = append(v.Exclusions, labelled{c, categories[c]})
	}
	return pageTemplate.Execute(w, v)
}

func sentenceCase(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

func count(d Data, is func(Home) bool) int {
	n := 0
	for _, h := range d.Homes {
		if is(h) {
			n++
		}
	}
	return n
}

func dashed(s, unit string) string {
	if s == "" {
		return "–"
	}
	return s + unit
}

func (v *view) tiles(d Data) {
	total := len(d.Homes)
	migrated := count(d, func(h Home) bool { return h.Standing == Migrated })
	remaining := count(d, func(h Home) bool { return h.Standing == Remaining })
	excluded := count(d, func(h Home) bool { return h.Standing == Excluded })
	attempted := count(d, func(h Home) bool { return h.Attempted })
	v.Tiles = []tile{
		{"Portfolio", strconv.Itoa(total), "installations"},
		{"Migrated", strconv.Itoa(migrated), dashed(percent(migrated, total-excluded), " % of those not excluded")},
		{"Remaining", strconv.Itoa(remaining), "to be attempted, or waiting for somebody"},
		{"Excluded", strconv.Itoa(excluded), "by a category or after their last attempt"},
		{"Success rate", dashed(percent(migrated, attempted), " %"), fmt.Sprintf("of %d attempted", attempted)},
	}
	if n := len(d.Forecast); n > 0 {
		v.Tiles = append(v.Tiles, tile{"Forecast end", d.Forecast[n-1].Week.String(), fmt.Sprintf("%d migrated by then", d.Forecast[n-1].Migrated)})
	}
}

// standings are the segments of a progress bar, in their order.
var standings = []Standing{Migrated, Remaining, Excluded, Withdrawn}

func (v *view) progress(d Data) {
	type key struct {
		cohort string
		status document.Status
	}
	by := map[key]map[Standing]int{}
	for _, h := range d.Homes {
		k := key{h.Cohort, h.Status}
		if by[k] == nil {
			by[k] = map[Standing]int{}
		}
		by[k][h.Standing]++
	}
	for _, k := range slices.SortedFunc(maps.Keys(by), func(a, b key) int { return cmp.Or(cmp.Compare(a.cohort, b.cohort), cmp.Compare(a.status, b.status)) }) {
		total := 0
		for _, n := range by[k] {
			total += n
		}
		b := bar{Label: k.cohort + ", " + strings.ToLower(string(k.status)), Value: fmt.Sprintf("%d of %d", by[k][Migrated], total)}
		x := 0.0
		for _, s := range standings {
			w := 100 * float64(by[k][s]) / float64(total)
			if w > 0 {
				b.Segments = append(b.Segments, segment{string(s), fmt.Sprintf("%d %s", by[k][s], s), x, w})
			}
			x += w
		}
		v.Progress = append(v.Progress, b)
	}
}

func (v *view) codes(d Data) {
	all := d.failuresByCode()
	most := 0
	for _, f := range all {
		most = max(most, f.Count)
	}
	for _, f := range all {
		class := "published"
		if f.Code.Provenance == document.Ours {
			class = "ours"
		}
		v.Codes = append(v.Codes, bar{Label: f.Code.Code, Value: fmt.Sprintf("%d in %s", f.Count, homes(f.Homes)), Note: f.Code.Sentence + " " + f.Code.Remedy,
			Segments: []segment{{class, fmt.Sprintf("%s: %d", f.Code.Code, f.Count), 0, 100 * float64(f.Count) / float64(most)}}})
	}
}

func homes(n int) string {
	if n == 1 {
		return "1 home"
	}
	return strconv.Itoa(n) + " homes"
}

// weeklyFrom is the number of days from which the capacity chart shows weeks.
const weeklyFrom = 60

func (v *view) capacity(d Data) {
	daily := d.uses(func(x document.Date) document.Date { return x })
	if len(daily) == 0 {
		return
	}
	first, last := document.Date{}, document.Date{}
	for k := range daily {
		if first.IsZero() || k.day.Before(first) {
			first = k.day
		}
		if k.day.After(last) {
			last = k.day
		}
	}
	step, unit, uses := 1, "day", daily
	if last.Time().Sub(first.Time()).Hours() > weeklyFrom*24 {
		first, last = monday(first), monday(last)
		step, unit, uses = 7, "week", d.uses(monday)
	}
	sums := map[document.Date]*use{}
	top := 0
	for k, u := range uses {
		s := sums[k.day]
		if s == nil {
			s = &use{}
			sums[k.day] = s
		}
		s.capacity += u.capacity + u.dormant
		s.allocated += u.allocated
		s.attempted += u.attempted
		top = max(top, s.capacity, s.allocated, s.attempted)
	}
	n := int(last.Time().Sub(first.Time()).Hours()/24)/step + 1
	c := &columns{Unit: unit, Top: top, First: first.String(), Last: last.String()}
	scale := func(x int) (y, h float64) {
		h = 100 * float64(x) / float64(max(top, 1))
		return 100 - h, h
	}
	w := 100 / float64(n)
	for i := range n {
		day := first.AddDays(i * step)
		s := sums[day]
		if s == nil {
			continue
		}
		col := column{Title: fmt.Sprintf("%s: capacity %d, allocated %d, attempted %d", day, s.capacity, s.allocated, s.attempted), X: float64(i)*w + w*0.1, W: w * 0.8}
		col.RoomY, col.RoomH = scale(s.capacity)
		col.AllocatedY, col.AllocatedH = scale(s.allocated)
		col.UsedY, col.UsedH = scale(s.attempted)
		c.Columns = append(c.Columns, col)
	}
	v.Capacity = c
}

func (v *view) forecast(d Data) {
	done := map[document.Date]int{}
	first, last := document.Date{}, document.Date{}
	see := func(x document.Date) {
		if first.IsZero() || x.Before(first) {
			first = x
		}
		if x.After(last) {
			last = x
		}
	}
	for _, m := range d.Moves {
		see(document.DateOf(m.Time.UTC()))
		if m.To == "Migrated" {
			done[document.DateOf(m.Time.UTC())]++
		}
	}
	for _, p := range d.Forecast {
		see(p.Week)
		see(p.Week.AddDays(7))
	}
	if first.IsZero() {
		return
	}
	top, days := len(d.Homes), max(1, int(last.Time().Sub(first.Time()).Hours()/24))
	at := func(day document.Date, n int) string {
		x := 100 * day.Time().Sub(first.Time()).Hours() / 24 / float64(days)
		y := 100 - 100*float64(n)/float64(max(top, 1))
		return fmt.Sprintf("%.2f,%.2f", x, y)
	}
	l := &lines{Top: top, First: first.String(), Last: last.String()}
	actual, sum := []string{at(first, 0)}, 0
	asAt := document.DateOf(d.AsAt.UTC())
	for day := first; !day.After(last) && !day.After(asAt); day = day.AddDays(1) {
		sum += done[day]
		actual = append(actual, at(day, sum))
	}
	l.Actual = strings.Join(actual, " ")
	if len(d.Forecast) > 0 {
		expected := []string{at(d.Forecast[0].Week, 0)}
		for _, p := range d.Forecast {
			expected = append(expected, at(p.Week.AddDays(7), p.Migrated))
		}
		l.Expected = strings.Join(expected, " ")
		end := d.Forecast[len(d.Forecast)-1]
		l.Note = fmt.Sprintf("Expected by the week of %s: %d migrated, %d remaining. So far %d are migrated.", end.Week, end.Migrated, end.Remaining, sum)
	} else {
		l.Note = fmt.Sprintf("So far %d of %d are migrated. There is no forecast beside this run.", sum, top)
	}
	v.Forecast = l
}
