package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"smets1/migration/document"
	"smets1/migration/lifecycle"
)

// history is what the audit trail says of one installation.
type history struct {
	moves    []Record
	last     string
	migrated time.Time // zero while it is not
	attempts []attempt // times at which its operator let go of it
	failures []Record  // moves with a code, in order
	backs    int       // roll-backs begun
	lost     int       // roll-backs that failed
}

// attempt is one try: an installation that entered Quiesced (definition: ours).
type attempt struct {
	at time.Time
	ok bool
}

// histories reads the trail by installation.
func (d Data) histories() map[document.EUI]*history {
	out := map[document.EUI]*history{}
	for _, m := range d.Moves {
		h := out[m.Installation]
		if h == nil {
			h = &history{}
			out[m.Installation] = h
		}
		h.moves = append(h.moves, m)
		h.last = m.To
		if m.Code != "" {
			h.failures = append(h.failures, m)
		}
		switch m.To {
		case lifecycle.Quiesced.String():
			h.attempts = append(h.attempts, attempt{at: m.Time})
		case lifecycle.Migrated.String():
			h.migrated = m.Time
			if n := len(h.attempts); n > 0 {
				h.attempts[n-1].ok = true
			}
		case lifecycle.RollingBack.String():
			h.backs++
		case lifecycle.RollbackFailed.String():
			h.lost++
		}
	}
	return out
}

// moved counts moves into a state.
func (h *history) moved(to lifecycle.State) int {
	n := 0
	for _, m := range h.moves {
		if m.To == to.String() {
			n++
		}
	}
	return n
}

// week gives the Monday of an instant's week, in UTC.
func week(t time.Time) document.Date {
	d := document.DateOf(t.UTC())
	return d.AddDays(-(int(d.Time().Weekday()) + 6) % 7)
}

// suppliers gives the suppliers of a home's meters, each once.
func suppliers(in *document.Installation) []document.EUI {
	var out []document.EUI
	for _, m := range in.Meters() {
		if !slices.Contains(out, m.Supplier) {
			out = append(out, m.Supplier)
		}
	}
	return out
}

// fileSets reads the file sets that the trail names: the installations of each.
func (d Data) fileSets() map[document.FileSetID][]document.EUI {
	out := map[document.FileSetID][]document.EUI{}
	for _, m := range d.Moves {
		if m.To != lifecycle.Quiesced.String() {
			continue
		}
		if id, err := document.ParseFileSetID(m.Artefact); err == nil {
			out[id] = append(out[id], m.Installation)
		}
	}
	return out
}

// parties gives the requesting party of each group, as far as file sets have named it.
func (d Data) parties() map[string]document.EUI {
	out := map[string]document.EUI{}
	for id := range d.fileSets() {
		out[id.GroupID] = id.RP
	}
	return out
}

// turnarounds gives, for each requesting party's counter, how long the file set took: from the time in the name of the
// common file to that in the name of its outcome file. The two are paired by S1SP and counter.
func (d Data) turnarounds() (took map[document.EUI][]time.Duration, validated map[document.EUI][]time.Duration) {
	type key struct {
		s1sp    string
		counter uint64
	}
	type set struct {
		rp        document.EUI
		sent      time.Time
		mcvf, cof time.Time
	}
	sets := map[key]*set{}
	for _, f := range d.Files {
		n, err := document.ParseName(f)
		if err != nil || !n.Kind.FileSet() {
			continue
		}
		k := key{strings.ToUpper(n.S1SP), n.Counter}
		if sets[k] == nil {
			sets[k] = &set{}
		}
		switch n.Kind {
		case document.KindMCF:
			sets[k].rp, sets[k].sent = n.EUI, n.Stamp
		case document.KindMCVF:
			sets[k].mcvf = n.Stamp
		case document.KindCOF:
			sets[k].cof = n.Stamp
		default: // the other files of the set say nothing of turnaround
		}
	}
	took, validated = map[document.EUI][]time.Duration{}, map[document.EUI][]time.Duration{}
	for _, s := range sets {
		if s.sent.IsZero() {
			continue
		}
		if !s.cof.IsZero() {
			took[s.rp] = append(took[s.rp], s.cof.Sub(s.sent))
		} else {
			took[s.rp] = append(took[s.rp], -1) // not answered yet
		}
		if !s.mcvf.IsZero() {
			validated[s.rp] = append(validated[s.rp], s.mcvf.Sub(s.sent))
		}
	}
	return took, validated
}

// failure is one code and what it did.
type failure struct {
	Code     document.Code
	Count    int
	Homes    int
	Attempts int       // of those homes, together
	Oldest   time.Time // first failure with this code of a home that is neither migrated nor settled otherwise
}

// failuresByCode counts failures, the most frequent code first.
func (d Data) failuresByCode() []failure {
	by := map[string]*failure{}
	for _, h := range d.histories() {
		seen := map[string]bool{}
		for _, m := range h.failures {
			f := by[m.Code]
			if f == nil {
				f = &failure{Code: d.code(m.Code)}
				by[m.Code] = f
			}
			f.Count++
			if !seen[m.Code] {
				seen[m.Code] = true
				f.Homes++
				f.Attempts += max(1, h.moved(lifecycle.Authorised)+h.moved(lifecycle.Notified))
				if waiting(h.last) && (f.Oldest.IsZero() || m.Time.Before(f.Oldest)) {
					f.Oldest = m.Time
				}
			}
		}
	}
	var out []failure
	for _, f := range by {
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Code.Code, b.Code.Code))
	})
	return out
}

// code looks a code up; one that is not in the catalogue keeps its name.
func (d Data) code(code string) document.Code {
	if d.Catalogue != nil {
		if c, ok := d.Catalogue.Lookup(code); ok {
			return c
		}
	}
	return document.Code{Code: code, Sentence: "Not in the code catalogue."}
}

// waiting reports whether somebody or something still has to act on an installation in the state.
func waiting(state string) bool {
	s, err := lifecycle.ParseState(state)
	return err == nil && (s == lifecycle.RetryWait || s == lifecycle.Blocked || s == lifecycle.ManualIntervention || s == lifecycle.Planned)
}
