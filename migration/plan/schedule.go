package plan

import (
	"bytes"
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"slices"
	"strings"

	"smets1/migration/document"
)

// Campaign is what a schedule is made of. Portfolio, EPCL, Calendar, Capacity, From and To must be set.
type Campaign struct {
	Portfolio *document.Portfolio
	EPCL      *document.EPCL
	Coverage  *document.Coverage // authorisations received; nil means none
	Calendar  *Calendar
	Capacity  *Capacity
	// Quotas bounds what a supplier may migrate on a day; nil means that only capacity does.
	Quotas Quotas
	// Taken gives what earlier plans have taken of a day; nil means nothing.
	Taken func(s1sp string, day document.Date) Ask
	// From and To are the first and the last day of the plan. Notices are sent on From.
	From, To document.Date
	// Assume plans active homes that nobody has authorised yet, on any day: to see what demand there will be.
	Assume bool
	// MaxAttempts is when a home counts as excluded; 0 means 5 (published as a proposal).
	MaxAttempts int
}

// Schedule is a day for every installation of the portfolio, or the reason why there is none.
type Schedule struct {
	Placements []document.Placement // in the order of the portfolio
	Uses       []DayUse             // by day and S1SP; Allocated counts active installations placed, Demand those that wanted the day
}

// Planned counts the installations that have a day.
func (s *Schedule) Planned() int {
	n := 0
	for _, p := range s.Placements {
		if !p.Day.IsZero() {
			n++
		}
	}
	return n
}

// job is an installation that waits for a day.
type job struct {
	at       int // in the portfolio
	from, to document.Date
	id       document.EUI
	paying   []document.EUI // suppliers whose quota it counts against
}

// jobs is a heap: the installation whose window ends first goes first.
type jobs []*job

func (j jobs) Len() int      { return len(j) }
func (j jobs) Swap(a, b int) { j[a], j[b] = j[b], j[a] }
func (j jobs) Less(a, b int) bool {
	return cmp.Or(j[a].to.Compare(j[b].to), bytes.Compare(j[a].id[:], j[b].id[:])) < 0
}
func (j *jobs) Push(x any) { *j = append(*j, x.(*job)) }
func (j *jobs) Pop() any {
	old := *j
	x := old[len(old)-1]
	*j = old[:len(old)-1]
	return x
}

// Build makes the schedule (the rule is ours): day by day, active installations first, those first whose window ends first, as
// far as capacity and quotas of their suppliers go, and dormant ones, up to their share of the day and after their notice
// periods. A home whose firmware has to be upgraded first is given a day for that too.
func Build(c Campaign) (*Schedule, error) {
	switch {
	case c.Portfolio == nil || c.EPCL == nil || c.Calendar == nil || c.Capacity == nil:
		return nil, errors.New("plan: a campaign needs Portfolio, EPCL, Calendar and Capacity")
	case c.From.IsZero() || c.To.Before(c.From):
		return nil, fmt.Errorf("plan: the campaign from %s to %s has no days", c.From, c.To)
	}
	if c.MaxAttempts == 0 {
		c.MaxAttempts = 5
	}
	b := &build{Campaign: c, out: &Schedule{Placements: make([]document.Placement, len(c.Portfolio.Installations))}, eligible: map[document.Combination]fit{}}
	b.sort()
	for day := c.From; !day.After(c.To); day = day.AddDays(1) {
		b.day(day)
	}
	b.leftOver()
	sortUses(b.out.Uses)
	return b.out, nil
}

type build struct {
	Campaign
	out      *Schedule
	eligible map[document.Combination]fit
	s1sps    []string
	active   map[string]*queue
	dormant  map[string]*queue
}

// fit is what the eligible list says of a combination.
type fit struct {
	ok, upgrade bool
	why         string
}

// queue holds the installations of one S1SP: those whose first day is still to come, in its order, and those that may go.
type queue struct {
	later []*job
	ready jobs
}

func (q *queue) add(j *job) { q.later = append(q.later, j) }

// release moves what may go from a day on to the heap.
func (q *queue) release(day document.Date) {
	n := 0
	for n < len(q.later) && !q.later[n].from.After(day) {
		heap.Push(&q.ready, q.later[n])
		n++
	}
	q.later = q.later[n:]
}

// sort gives every installation its queue, or the code that keeps it out.
func (b *build) sort() {
	b.active, b.dormant = map[string]*queue{}, map[string]*queue{}
	for i := range b.Portfolio.Installations {
		in := &b.Portfolio.Installations[i]
		p := &b.out.Placements[i]
		*p = document.Placement{Installation: in.ID, GroupID: in.GroupID, S1SP: in.S1SP, Status: in.Status(), Attempt: in.Attempts + 1}
		s1sp := strings.ToUpper(in.S1SP)
		if b.active[s1sp] == nil {
			b.active[s1sp], b.dormant[s1sp] = &queue{}, &queue{}
			b.s1sps = append(b.s1sps, s1sp)
		}
		f := b.fit(in)
		switch {
		case in.Exclusion != "":
			p.Code, p.Detail = "XPC08", in.Exclusion
			continue
		case in.Attempts >= b.MaxAttempts:
			p.Code, p.Detail = "XPC08", fmt.Sprintf("%d attempts have failed", in.Attempts)
			continue
		case !f.ok:
			p.Code, p.Detail = "MA110", f.why
			continue
		}
		j := &job{at: i, id: in.ID, from: b.From, to: b.To}
		if f.upgrade {
			p.Firmware = b.From
			if p.Status == document.Dormant {
				p.Firmware = b.From.AddDays(b.Calendar.FirmwareNotice)
			}
			j.from = p.Firmware.AddDays(1)
		}
		if p.Status == document.Dormant {
			if first := b.From.AddDays(b.Calendar.MigrationNotice); j.from.Before(first) {
				j.from = first
			}
			b.dormant[s1sp].add(j)
			continue
		}
		if why := b.window(in, j); why != "" {
			p.Code, p.Detail, p.Firmware = "XPL01", why, document.Date{}
			continue
		}
		b.active[s1sp].add(j)
	}
	slices.Sort(b.s1sps)
	for _, s := range b.s1sps {
		for _, q := range []*queue{b.active[s], b.dormant[s]} {
			slices.SortFunc(q.later, func(x, y *job) int { return cmp.Or(x.from.Compare(y.from), bytes.Compare(x.id[:], y.id[:])) })
		}
	}
}

func (b *build) fit(in *document.Installation) fit {
	c := in.Combination()
	f, known := b.eligible[c]
	if !known {
		if _, ok, why := b.EPCL.Match(c, b.From); ok {
			f = fit{ok: true}
		} else if len(b.EPCL.Targets(c, b.From)) > 0 {
			f = fit{ok: true, upgrade: true}
		} else {
			f.why = why
		}
		b.eligible[c] = f
	}
	return f
}

// window narrows an active home's window to the days for which all its active meters are authorised. A gas meter without an
// authorisation may be left out where its home's electricity supplier permits that.
func (b *build) window(in *document.Installation, j *job) string {
	for _, d := range in.Meters() {
		if d.Status != document.Active {
			continue
		}
		row, ok := b.Coverage.Row(d.ID)
		if !ok || row.Withdraw {
			if b.Assume {
				j.paying = pay(j.paying, d.Supplier)
				continue
			}
			if e, has := in.Device(document.ESME); d.Type == document.GSME && has {
				if er, ok := b.Coverage.Row(e.ID); ok && !er.Withdraw && er.ElectricityOnlyPermitted {
					continue
				}
			}
			return fmt.Sprintf("%s %s is not authorised", d.Type, d.ID)
		}
		if row.Earliest.After(j.from) {
			j.from = row.Earliest
		}
		if row.Latest.Before(j.to) {
			j.to = row.Latest
		}
		j.paying = pay(j.paying, row.SupplierUserID)
	}
	if j.to.Before(j.from) {
		return fmt.Sprintf("no day from %s to %s is authorised for all meters", b.From, b.To)
	}
	return ""
}

func pay(in []document.EUI, s document.EUI) []document.EUI {
	if slices.Contains(in, s) {
		return in
	}
	return append(in, s)
}

// day fills one day.
func (b *build) day(day document.Date) {
	asks := make(map[string]Ask, len(b.s1sps))
	for _, s := range b.s1sps {
		a, d := b.active[s], b.dormant[s]
		a.release(day)
		d.release(day)
		taken := b.taken(s, day)
		ask := Ask{Active: a.ready.Len() + taken.Active, Dormant: d.ready.Len() + taken.Dormant}
		if b.Capacity.Dormant(s, day).By == "" {
			// Nobody set a share aside for the dormant ones: they get what the active ones leave.
			own := b.Capacity.Of(s, day)
			if own.By == "" {
				own = b.Capacity.Together(day)
			}
			ask.Dormant = min(ask.Dormant, max(0, own.Units-ask.Active))
		}
		asks[s] = ask
	}
	rooms := b.Capacity.Effective(day, asks)
	for _, s := range b.s1sps {
		r, taken := rooms[s], b.taken(s, day)
		b.out.Uses = append(b.out.Uses, DayUse{S1SP: s, Day: day, Capacity: r.Active.Units, By: r.Active.By, Demand: asks[s].Active,
			Allocated: taken.Active + b.take(b.active[s], day, r.Active.Units-taken.Active, s), Dormant: taken.Dormant + b.take(b.dormant[s], day, r.Dormant-taken.Dormant, s)})
	}
}

func (b *build) taken(s1sp string, day document.Date) Ask {
	if b.Taken == nil {
		return Ask{}
	}
	return b.Taken(s1sp, day)
}

// take places up to n installations of a queue on a day and drops those whose window has passed.
func (b *build) take(q *queue, day document.Date, n int, s1sp string) int {
	placed := 0
	used := map[document.EUI]int{}
	var aside []*job
	for q.ready.Len() > 0 && (placed < n || q.ready[0].to.Before(day)) {
		j := heap.Pop(&q.ready).(*job)
		p := &b.out.Placements[j.at]
		switch {
		case j.to.Before(day):
			p.Code, p.Firmware = "XPL02", document.Date{}
			p.Detail = fmt.Sprintf("the window ended on %s", j.to)
		case b.spent(j, day, s1sp, used):
			aside = append(aside, j)
		default:
			p.Day = day
			for _, s := range j.paying {
				used[s]++
			}
			placed++
		}
	}
	for _, j := range aside {
		heap.Push(&q.ready, j)
	}
	return placed
}

// spent reports whether a supplier of the installation has used its quota of the day.
func (b *build) spent(j *job, day document.Date, s1sp string, used map[document.EUI]int) bool {
	if b.Quotas == nil {
		return false
	}
	for _, s := range j.paying {
		if used[s] >= b.Quotas.Of(s, s1sp, day).Firm {
			return true
		}
	}
	return false
}

// leftOver says of whatever is still waiting why it has no day.
func (b *build) leftOver() {
	for _, s := range b.s1sps {
		for code, q := range map[string]*queue{"XPL02": b.active[s], "XPL03": b.dormant[s]} {
			for _, j := range append(q.later, q.ready...) {
				p := &b.out.Placements[j.at]
				p.Code, p.Firmware = code, document.Date{}
				p.Detail = fmt.Sprintf("no room from %s to %s", j.from, j.to)
			}
		}
	}
}
