package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"smets1/migration/document"
	"smets1/migration/lifecycle"
)

// CapacityDay is the capacity of an S1SP on a day and what was done with it.
type CapacityDay struct {
	S1SP      string
	Day       document.Date
	Capacity  int // for active installations
	Dormant   int // planned dormant volume
	Demand    int
	Allocated int
}

// Commitment is a supplier's week with an S1SP: what it committed to, was allocated and authorised.
type Commitment struct {
	Supplier   document.EUI
	S1SP       string
	Week       document.Date // its Monday
	Demand     int
	Allocated  int
	Authorised int
}

// DormantNotice is a notice that a supplier was sent for a dormant meter, or its cancellation.
type DormantNotice struct {
	Supplier     document.EUI
	Installation document.EUI
	Meter        document.EUI
	Firmware     bool // of the upgrade; else of the migration
	Cancelled    bool
}

// ForecastPoint is what was expected at the end of a week.
type ForecastPoint struct {
	Week      document.Date
	Migrated  int // cumulative
	Remaining int
}

func percent(part, of int) string {
	if of == 0 {
		return ""
	}
	return strconv.FormatFloat(100*float64(part)/float64(of), 'f', 1, 64)
}

var errPortfolio = errors.New("a portfolio is wanted")

func r02Rows(d Data) ([][]string, error) {
	if d.Portfolio == nil {
		return nil, errPortfolio
	}
	hs := d.histories()
	var out [][]string
	for _, h := range sorted(d.Homes) {
		in, ok := d.Portfolio.Installation(h.Installation)
		if !ok || hs[h.Installation] == nil || hs[h.Installation].migrated.IsZero() {
			continue
		}
		when := hs[h.Installation].migrated
		if !d.Day.IsZero() && document.DateOf(when.UTC()) != d.Day {
			continue
		}
		for _, m := range h.Meters {
			dev, ok := device(in, m.DeviceID)
			if !ok || m.Outcome != string(document.Commissioned) {
				continue
			}
			out = append(out, []string{dev.NetworkOperator.String(), string(m.Fuel), string(m.MPxN), m.DeviceID.String(), h.Installation.String(), in.S1SP, stamp(when)})
		}
	}
	slices.SortStableFunc(out, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	return out, nil
}

func device(in *document.Installation, id document.EUI) (document.Device, bool) {
	for _, d := range in.Devices {
		if d.ID == id {
			return d, true
		}
	}
	return document.Device{}, false
}

// score is one line of R03.
type score struct {
	demand, allocated, authorised, attempted, migrated, failed int
	codes                                                      map[string]int
}

type scoreKey struct {
	week     document.Date
	supplier document.EUI
}

func (d Data) scores() (map[scoreKey]*score, error) {
	if d.Portfolio == nil {
		return nil, errPortfolio
	}
	out := map[scoreKey]*score{}
	at := func(w document.Date, s document.EUI) *score {
		k := scoreKey{w, s}
		if out[k] == nil {
			out[k] = &score{codes: map[string]int{}}
		}
		return out[k]
	}
	authorised := map[scoreKey]bool{}
	for _, c := range d.Commitments {
		s := at(c.Week, c.Supplier)
		s.demand += c.Demand
		s.allocated += c.Allocated
		s.authorised += c.Authorised
		authorised[scoreKey{c.Week, c.Supplier}] = true
	}
	for id, h := range d.histories() {
		in, ok := d.Portfolio.Installation(id)
		if !ok {
			continue
		}
		for _, s := range suppliers(in) {
			for _, m := range h.moves {
				w := week(m.Time)
				switch {
				case m.To == lifecycle.Authorised.String() && !authorised[scoreKey{w, s}]:
					at(w, s).authorised++
				case m.To == lifecycle.Quiesced.String():
					at(w, s).attempted++
				case m.To == lifecycle.Migrated.String():
					at(w, s).migrated++
				case m.Code != "":
					at(w, s).failed++
					at(w, s).codes[m.Code]++
				}
			}
		}
	}
	return out, nil
}

func r03Rows(d Data) ([][]string, error) {
	scores, err := d.scores()
	if err != nil {
		return nil, err
	}
	keys := slices.SortedFunc(maps.Keys(scores), func(a, b scoreKey) int {
		return cmp.Or(a.week.Compare(b.week), bytes.Compare(a.supplier[:], b.supplier[:]))
	})
	var out [][]string
	for _, k := range keys {
		if !d.Supplier.IsZero() && k.supplier != d.Supplier {
			continue
		}
		s := scores[k]
		out = append(out, []string{k.week.String(), k.supplier.String(), strconv.Itoa(s.demand), strconv.Itoa(s.allocated), strconv.Itoa(s.authorised),
			strconv.Itoa(s.attempted), strconv.Itoa(s.migrated), strconv.Itoa(s.failed), byCount(s.codes), percent(s.migrated, s.attempted)})
	}
	return out, nil
}

// byCount writes codes with their counts, the most frequent first.
func byCount(codes map[string]int) string {
	names := slices.SortedFunc(maps.Keys(codes), func(a, b string) int { return cmp.Or(cmp.Compare(codes[b], codes[a]), cmp.Compare(a, b)) })
	for i, n := range names {
		names[i] = n + " " + strconv.Itoa(codes[n])
	}
	return strings.Join(names, "; ")
}

// use is one line of R04, and one bar of the page.
type use struct {
	capacity, dormant, demand, allocated, attempted int
}

type useKey struct {
	day  document.Date
	s1sp string
}

// uses sums capacity and attempts by S1SP and period; period maps a day to the day that stands for it.
func (d Data) uses(period func(document.Date) document.Date) map[useKey]*use {
	out := map[useKey]*use{}
	at := func(day document.Date, s1sp string) *use {
		k := useKey{period(day), strings.ToUpper(s1sp)}
		if out[k] == nil {
			out[k] = &use{}
		}
		return out[k]
	}
	for _, c := range d.Days {
		u := at(c.Day, c.S1SP)
		u.capacity += c.Capacity
		u.dormant += c.Dormant
		u.demand += c.Demand
		u.allocated += c.Allocated
	}
	for id, h := range d.histories() {
		if in, ok := d.Portfolio.Installation(id); ok {
			for _, a := range h.attempts {
				at(document.DateOf(a.at.UTC()), in.S1SP).attempted++
			}
		}
	}
	return out
}

func sortedUses(u map[useKey]*use) []useKey {
	return slices.SortedFunc(maps.Keys(u), func(a, b useKey) int { return cmp.Or(a.day.Compare(b.day), cmp.Compare(a.s1sp, b.s1sp)) })
}

func monday(d document.Date) document.Date { return week(d.Time()) }

func r04Rows(d Data) ([][]string, error) {
	if d.Portfolio == nil {
		return nil, errPortfolio
	}
	uses := d.uses(monday)
	var out [][]string
	for _, k := range sortedUses(uses) {
		u := uses[k]
		out = append(out, []string{k.day.String(), k.s1sp, strconv.Itoa(u.capacity), strconv.Itoa(u.dormant), strconv.Itoa(u.demand), strconv.Itoa(u.allocated),
			strconv.Itoa(u.attempted), percent(u.attempted, u.capacity+u.dormant)})
	}
	return out, nil
}

func r05Rows(d Data) ([][]string, error) {
	if d.Portfolio == nil {
		return nil, errPortfolio
	}
	type line struct{ dormant, notified, upgraded, migrated, cancelled int }
	lines := map[document.EUI]*line{}
	at := func(s document.EUI) *line {
		if lines[s] == nil {
			lines[s] = &line{}
		}
		return lines[s]
	}
	hs := d.histories()
	upgrading := map[document.EUI]bool{}
	notified := map[document.EUI]bool{}
	for _, n := range d.Notices {
		switch {
		case n.Cancelled:
			at(n.Supplier).cancelled++
		case n.Firmware:
			upgrading[n.Meter] = true
		default:
			if !notified[n.Meter] {
				at(n.Supplier).notified++
			}
			notified[n.Meter] = true
		}
	}
	for i := range d.Portfolio.Installations {
		in := &d.Portfolio.Installations[i]
		for _, m := range in.Meters() {
			if m.Status != document.Dormant {
				continue
			}
			l := at(m.Supplier)
			l.dormant++
			h := hs[in.ID]
			if h == nil {
				continue
			}
			if upgrading[m.ID] && h.moved(lifecycle.Ready) > 0 {
				l.upgraded++
			}
			if !h.migrated.IsZero() {
				l.migrated++
			}
		}
	}
	var out [][]string
	for _, s := range slices.SortedFunc(maps.Keys(lines), func(a, b document.EUI) int { return bytes.Compare(a[:], b[:]) }) {
		if !d.Supplier.IsZero() && s != d.Supplier {
			continue
		}
		l := lines[s]
		out = append(out, []string{s.String(), strconv.Itoa(l.dormant), strconv.Itoa(l.notified), strconv.Itoa(l.upgraded), strconv.Itoa(l.migrated),
			strconv.Itoa(l.cancelled), strconv.Itoa(l.dormant - l.migrated)})
	}
	return out, nil
}

func r06Rows(d Data) ([][]string, error) {
	var out [][]string
	for _, f := range d.failuresByCode() {
		age := ""
		if !f.Oldest.IsZero() {
			age = strconv.Itoa(int(d.AsAt.Sub(f.Oldest) / (24 * time.Hour)))
		}
		out = append(out, []string{f.Code.Code, string(f.Code.Provenance), f.Code.Area, f.Code.Owner, strconv.Itoa(f.Count), strconv.Itoa(f.Homes),
			strconv.FormatFloat(float64(f.Attempts)/float64(f.Homes), 'f', 1, 64), age, f.Code.Sentence, f.Code.Remedy})
	}
	return out, nil
}

func r07Rows(d Data) ([][]string, error) {
	if d.Portfolio == nil {
		return nil, errPortfolio
	}
	type key struct {
		cohort string
		status document.Status
	}
	type line struct {
		total, attempted int
		by               map[Standing]int
	}
	lines := map[key]*line{}
	at := func(k key) *line {
		if lines[k] == nil {
			lines[k] = &line{by: map[Standing]int{}}
		}
		return lines[k]
	}
	all := &line{by: map[Standing]int{}}
	for _, h := range d.Homes {
		for _, l := range []*line{at(key{h.Cohort, h.Status}), all} {
			l.total++
			l.by[h.Standing]++
			if h.Attempted {
				l.attempted++
			}
		}
	}
	var out [][]string
	add := func(measure, cohort, status, value, unit string) {
		out = append(out, []string{measure, cohort, status, value, unit})
	}
	tell := func(k key, l *line) {
		c, s := k.cohort, string(k.status)
		add("Portfolio", c, s, strconv.Itoa(l.total), "installations")
		for _, st := range []Standing{Migrated, Remaining, Excluded, Withdrawn} {
			add(strings.ToUpper(string(st[:1]))+string(st[1:]), c, s, strconv.Itoa(l.by[st]), "installations")
		}
		add("Success rate", c, s, percent(l.by[Migrated], l.attempted), "percent of installations attempted")
		add("Coverage", c, s, percent(l.by[Migrated], l.total-l.by[Excluded]), "percent of installations not excluded")
	}
	for _, k := range slices.SortedFunc(maps.Keys(lines), func(a, b key) int { return cmp.Or(cmp.Compare(a.cohort, b.cohort), cmp.Compare(a.status, b.status)) }) {
		tell(k, lines[k])
	}
	tell(key{"All", "All"}, all)
	categories := map[string]int{}
	for _, h := range d.Homes {
		if h.Standing == Excluded {
			categories[d.category(h)]++
		}
	}
	for _, c := range slices.Sorted(maps.Keys(categories)) {
		add("Excluded: "+c, "All", "All", strconv.Itoa(categories[c]), "installations")
	}
	if n := len(d.Forecast); n > 0 {
		end := d.Forecast[n-1]
		add("Forecast: last week", "All", "All", end.Week.String(), "first day of the week")
		add("Forecast: migrated", "All", "All", strconv.Itoa(end.Migrated), "installations")
	}
	return out, nil
}

// category names why a home is excluded: by its portfolio, else by the code that spent its attempts.
func (d Data) category(h Home) string {
	if d.Portfolio != nil {
		if in, ok := d.Portfolio.Installation(h.Installation); ok && in.Exclusion != "" {
			return in.Exclusion
		}
	}
	if h.Code == "" {
		return "no reason recorded"
	}
	return h.Code + " " + strings.TrimSuffix(d.code(h.Code).Sentence, ".")
}

func mean(in []time.Duration) string {
	sum, n := time.Duration(0), 0
	for _, x := range in {
		if x >= 0 {
			sum += x
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return strconv.FormatFloat((sum / time.Duration(n)).Minutes(), 'f', 1, 64)
}

// groups lists the groups of the portfolio.
func (d Data) groups() []string {
	set := map[string]bool{}
	for i := range d.Portfolio.Installations {
		set[d.Portfolio.Installations[i].GroupID] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func r08Rows(d Data) ([][]string, error) {
	if d.Portfolio == nil {
		return nil, errPortfolio
	}
	type line struct{ sets, backs, lost, manual int }
	lines := map[string]*line{}
	for _, g := range d.groups() {
		lines[g] = &line{}
	}
	for id := range d.fileSets() {
		if lines[id.GroupID] != nil {
			lines[id.GroupID].sets++
		}
	}
	for id, h := range d.histories() {
		in, ok := d.Portfolio.Installation(id)
		if !ok {
			continue
		}
		l := lines[in.GroupID]
		l.backs += h.backs
		l.lost += h.lost
		if h.last == lifecycle.ManualIntervention.String() {
			l.manual++
		}
	}
	parties := d.parties()
	took, validated := d.turnarounds()
	var out [][]string
	for _, g := range d.groups() {
		l, rp := lines[g], parties[g]
		open := 0
		for _, t := range took[rp] {
			if t < 0 {
				open++
			}
		}
		out = append(out, []string{g, euiText(rp), strconv.Itoa(l.sets), mean(validated[rp]), mean(took[rp]), strconv.Itoa(open), strconv.Itoa(l.backs), strconv.Itoa(l.lost), strconv.Itoa(l.manual)})
	}
	return out, nil
}

func euiText(e document.EUI) string {
	if e.IsZero() {
		return ""
	}
	return e.String()
}

func r10Rows(d Data) ([][]string, error) {
	if d.Portfolio == nil {
		return nil, errPortfolio
	}
	type line struct{ total, migrated, excluded, remaining, incidents int }
	lines := map[string]*line{}
	for _, g := range d.groups() {
		lines[g] = &line{}
	}
	hs := d.histories()
	for _, h := range d.Homes {
		in, ok := d.Portfolio.Installation(h.Installation)
		if !ok {
			continue
		}
		l := lines[in.GroupID]
		l.total++
		switch h.Standing {
		case Migrated:
			l.migrated++
		case Excluded, Withdrawn:
			l.excluded++
		case Remaining:
			l.remaining++
		}
		if x := hs[h.Installation]; x != nil && (x.last == lifecycle.ManualIntervention.String() || x.last == lifecycle.RollbackFailed.String()) {
			l.incidents++
		}
	}
	parties := d.parties()
	var out [][]string
	for _, g := range d.groups() {
		l := lines[g]
		ready, why := "Y", ""
		if l.remaining > 0 || l.incidents > 0 {
			ready, why = "N", fmt.Sprintf("%d installations remain, %d incidents are open", l.remaining, l.incidents)
		}
		out = append(out, []string{g, euiText(parties[g]), strconv.Itoa(l.total), strconv.Itoa(l.migrated), strconv.Itoa(l.excluded), strconv.Itoa(l.remaining), strconv.Itoa(l.incidents), ready, why})
	}
	return out, nil
}
