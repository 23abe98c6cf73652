package plan

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"smets1/migration/document"
)

// Rules are the parameters of the methodology. Only Calendar and Capacity must be set.
type Rules struct {
	Calendar *Calendar
	Capacity *Capacity
	// DMin is the flat allocation; nil means the published 100.
	DMin *int
	// Period is the length and start of a demand period; zero means four weeks from a Monday.
	Period document.Period
	// Dormant gives the planned dormant volume of an S1SP on a day; nil means the share of the dormant programme.
	Dormant func(s1sp string, day document.Date) int
	// History is what became of earlier allocations, for the rule of tolerance.
	History []Week
}

func (r Rules) dmin() int {
	if r.DMin == nil {
		return DMin
	}
	return *r.DMin
}

func (r Rules) dormant(s1sp string, day document.Date) int {
	if r.Dormant != nil {
		return r.Dormant(s1sp, day)
	}
	return r.Capacity.Dormant(s1sp, day).Units
}

// DayUse is what became of the capacity of an S1SP on a day, for reports.
type DayUse struct {
	S1SP      string
	Day       document.Date
	Capacity  int // for active installations, after the dormant volume
	By        document.ConstraintKind
	Dormant   int
	Demand    int
	Allocated int
}

// Respond answers the demands of one period: one response for each demand, in the order given, and what became of each
// day. Demands of different periods, or two of one supplier and S1SP, are problems (XDM09, XDM06) and nothing is answered.
func (r Rules) Respond(specs *document.Specs, demands []*document.Demand) ([]*document.DemandResponse, []DayUse, document.Problems) {
	if ps := r.same(specs, demands); ps != nil {
		return nil, nil, ps
	}
	if len(demands) == 0 {
		return nil, nil, nil
	}
	out := make([]*document.DemandResponse, len(demands))
	groups := map[string][]int{}
	for i, d := range demands {
		out[i] = &document.DemandResponse{Name: d.Name.With(document.KindDR, "csv")}
		k := strings.ToUpper(d.Name.S1SP)
		groups[k] = append(groups[k], i)
	}
	s1sps := make([]string, 0, len(groups))
	for k := range groups {
		s1sps = append(s1sps, k)
	}
	slices.Sort(s1sps)
	var uses []DayUse
	from := demands[0].From()
	for n := range r.Period.Days() {
		day := from.AddDays(n)
		asks := map[string]Ask{}
		counted := make([]int, len(demands)) // demand, as the rule of tolerance counts it
		for _, s := range s1sps {
			a := Ask{Dormant: r.dormant(s, day)}
			for _, i := range groups[s] {
				counted[i] = r.capped(demands[i].Name.EUI, s, from, demands[i].On(day))
				a.Active += counted[i]
			}
			asks[s] = a
		}
		limits := r.Capacity.Effective(day, asks)
		for _, s := range s1sps {
			use := DayUse{S1SP: s, Day: day, Capacity: limits[s].Active.Units, By: limits[s].Active.By, Dormant: limits[s].Dormant}
			var in []Demand
			for _, i := range groups[s] {
				in = append(in, Demand{demands[i].Name.EUI, counted[i]})
			}
			shares, err := Allocate(limits[s].Active.Units, r.dmin(), in)
			if err != nil {
				return nil, nil, document.Problems{specs.Problem(demands[groups[s][0]].Name.String(), 0, "", "XDM09", err.Error()+".")}
			}
			for _, i := range groups[s] {
				d := demands[i]
				k, _ := slices.BinarySearchFunc(shares, d.Name.EUI, func(s Share, e document.EUI) int { return bytes.Compare(s.Supplier[:], e[:]) })
				sh := shares[k]
				row := document.ResponseDay{Line: n + 2, RecordNo: n + 1, S1SP: d.Name.S1SP, Supplier: d.Name.EUI, Date: day, Committed: d.On(day),
					Allocated: sh.Allocated, Flat: sh.Flat, ProRata: sh.ProRata, Capacity: use.Capacity, Reason: sh.Reason}
				if sh.Reason == document.ReasonMet && sh.Demand < row.Committed {
					row.Reason = document.ReasonCapped
				}
				out[i].Rows = append(out[i].Rows, row)
				use.Demand += row.Committed
				use.Allocated += row.Allocated
			}
			uses = append(uses, use)
		}
	}
	return out, uses, nil
}

// same holds the demands of one cycle against each other.
func (r Rules) same(specs *document.Specs, demands []*document.Demand) document.Problems {
	var ps document.Problems
	seen := map[string]string{}
	for _, d := range demands {
		if d.From() != demands[0].From() {
			ps = append(ps, specs.Problem(d.Name.String(), 0, "", "XDM06", fmt.Sprintf("The period starts on %s and that of %s on %s; a cycle has one period.", d.From(), demands[0].Name, demands[0].From())))
		}
		k := strings.ToUpper(d.Name.S1SP) + d.Name.EUI.String()
		if was, twice := seen[k]; twice {
			ps = append(ps, specs.Problem(d.Name.String(), 0, "", "XDM09", fmt.Sprintf("%s asks for the same supplier and S1SP.", was)))
		}
		seen[k] = d.Name.String()
	}
	return ps
}

// Week is what became of a supplier's allocation in one week.
type Week struct {
	Supplier   document.EUI
	S1SP       string
	Monday     document.Date
	Allocated  int
	Authorised int
}

// The tolerances, in percent of the allocation (ours).
const (
	reservePercent  = 110 // authorisations up to here wait in reserve
	achievedPercent = 90  // below this, two weeks running, the next demand is counted at the rate that was achieved
)

// capped gives the demand that counts: the rate that was achieved in the two weeks before the period, where both were under 90 %
// of the allocation.
func (r Rules) capped(supplier document.EUI, s1sp string, from document.Date, demand int) int {
	allocated, authorised := 0, 0
	for _, back := range []int{14, 7} {
		i := slices.IndexFunc(r.History, func(w Week) bool {
			return w.Supplier == supplier && strings.EqualFold(w.S1SP, s1sp) && w.Monday == from.AddDays(-back)
		})
		if i < 0 {
			return demand
		}
		w := r.History[i]
		if w.Authorised*100 >= w.Allocated*achievedPercent {
			return demand
		}
		allocated += w.Allocated
		authorised += w.Authorised
	}
	return (demand*authorised + allocated - 1) / allocated
}

// Quota is how many installations a supplier may authorise for a day.
type Quota struct {
	Firm    int // accepted
	Reserve int // more of them wait in reserve; beyond, they are refused
}

// QuotaOf gives the quota of an allocation: 10 % more wait in reserve.
func QuotaOf(allocated int) Quota {
	return Quota{Firm: allocated, Reserve: allocated*reservePercent/100 - allocated}
}

// Quotas is the look-up over the responses of a cycle. A day without an allocation has none.
type Quotas map[quotaKey]Quota

type quotaKey struct {
	supplier document.EUI
	s1sp     string
	day      document.Date
}

// NewQuotas makes the look-up; of two responses for one supplier, S1SP and day the later in the list counts.
func NewQuotas(responses []*document.DemandResponse) Quotas {
	q := Quotas{}
	for _, r := range responses {
		for _, row := range r.Rows {
			q[quotaKey{r.Name.EUI, strings.ToUpper(r.Name.S1SP), row.Date}] = QuotaOf(row.Allocated)
		}
	}
	return q
}

// Of gives the quota of a supplier with an S1SP on a day.
func (q Quotas) Of(supplier document.EUI, s1sp string, day document.Date) Quota {
	return q[quotaKey{supplier, strings.ToUpper(s1sp), day}]
}

// Reallocate is Friday's run for the week from a Monday: what nobody has authorised is taken back and offered again, by the
// same rule, to suppliers who have used all of theirs and had asked for more. authorised tells how many installations of a
// supplier are authorised for a day. The responses given stay as they are; the new ones come in their order.
func (r Rules) Reallocate(responses []*document.DemandResponse, monday document.Date, authorised func(supplier document.EUI, s1sp string, day document.Date) int) ([]*document.DemandResponse, error) {
	out := make([]*document.DemandResponse, len(responses))
	groups := map[string][]int{}
	for i, x := range responses {
		out[i] = &document.DemandResponse{Name: x.Name.With(document.KindDR, "csv"), Rows: slices.Clone(x.Rows)}
		k := strings.ToUpper(x.Name.S1SP)
		groups[k] = append(groups[k], i)
	}
	for n := range 7 {
		day := monday.AddDays(n)
		for s1sp, members := range groups {
			pool := 0
			var hungry []Demand
			at := map[document.EUI]*document.ResponseDay{}
			for _, i := range members {
				k := slices.IndexFunc(out[i].Rows, func(row document.ResponseDay) bool { return row.Date == day })
				if k < 0 {
					continue
				}
				row := &out[i].Rows[k]
				used := authorised(row.Supplier, s1sp, day)
				switch {
				case used < row.Allocated:
					pool += row.Allocated - used
					r.set(row, used, document.ReasonReleased)
				case row.Allocated < row.Committed:
					hungry = append(hungry, Demand{row.Supplier, row.Committed - row.Allocated})
					at[row.Supplier] = row
				}
			}
			shares, err := Allocate(pool, r.dmin(), hungry)
			if err != nil {
				return nil, err
			}
			for _, s := range shares {
				if s.Allocated > 0 {
					r.set(at[s.Supplier], at[s.Supplier].Allocated+s.Allocated, document.ReasonReallocated)
				}
			}
		}
	}
	return out, nil
}

func (r Rules) set(row *document.ResponseDay, allocated int, reason document.AllocationReason) {
	row.Allocated, row.Reason = allocated, reason
	row.Flat = min(allocated, row.Committed, r.dmin())
	row.ProRata = allocated - row.Flat
}

// Late tells of a demand that came after its deadline (XDM07), or nothing.
func (r Rules) Late(specs *document.Specs, d *document.Demand, received document.Instant) document.Problems {
	by := r.Calendar.Cycle(d.From(), r.Period).DemandBy
	if received.Before(by) {
		return nil
	}
	return document.Problems{specs.Problem(d.Name.String(), 0, "", "XDM07", fmt.Sprintf("It came on %s; it was due before %s.", received.In(by.Location()).Format("Monday 2 January 2006 15:04"), by.Format("Monday 2 January 2006 15:04")))}
}

// sortUses puts days in order, and within a day the S1SPs.
func sortUses(u []DayUse) {
	slices.SortFunc(u, func(a, b DayUse) int { return cmp.Or(a.Day.Compare(b.Day), cmp.Compare(a.S1SP, b.S1SP)) })
}
