package plan

import (
	"maps"
	"slices"
	"strings"

	"smets1/migration/document"
)

// Capacity knows how many installations a day can take. Of the constraints that hold on a day the least counts (ours).
// A day that no constraint holds for has no capacity: what nobody has promised is not planned on.
type Capacity struct {
	calendar *Calendar
	limits   []document.Constraint
}

// NewCapacity makes the look-up; the calendar tells working days.
func NewCapacity(calendar *Calendar, limits []document.Constraint) *Capacity {
	return &Capacity{calendar, limits}
}

// Limit is a number of installations and the constraint that it comes from; an empty By means that there is none.
type Limit struct {
	Units int
	By    document.ConstraintKind
}

// Of gives the limit of one S1SP on a day, constraints of all together not counted.
func (c *Capacity) Of(s1sp string, day document.Date) Limit { return c.least(s1sp, day, false) }

// Together gives the limit that all S1SPs share on a day.
func (c *Capacity) Together(day document.Date) Limit { return c.least("", day, false) }

// Dormant gives how many installations of an S1SP the dormant programme may take on a day; By is empty where there is no
// such share, and then only the capacity of the day bounds it.
func (c *Capacity) Dormant(s1sp string, day document.Date) Limit { return c.least(s1sp, day, true) }

func (c *Capacity) least(s1sp string, day document.Date, dormant bool) Limit {
	var out Limit
	for _, l := range c.limits {
		if !strings.EqualFold(l.S1SP, s1sp) || (l.Kind == document.DormantShare) != dormant || day.Before(l.From) || !l.To.IsZero() && day.After(l.To) {
			continue
		}
		if l.Days != document.EveryDay && (l.Days == document.WorkingDay) != c.calendar.WorkingDay(day) {
			continue
		}
		if u := l.Limit / max(l.PerInstallation, 1); out.By == "" || u < out.Units {
			out = Limit{u, l.Kind}
		}
	}
	return out
}

// Ask is what is wanted of an S1SP on a day.
type Ask struct {
	Active  int // demand of all suppliers
	Dormant int // planned dormant volume
}

// Room is what an S1SP may take on a day.
type Room struct {
	Active  Limit
	Dormant int
}

// Effective gives the room of each S1SP on a day: for active installations the least of its constraints, less the planned
// dormant volume, which comes first and is bounded by its share. Where the S1SPs together would exceed a limit that they have in
// common, it is shared in proportion to what each could use (the rule of [Allocate] without a flat part).
func (c *Capacity) Effective(day document.Date, asks map[string]Ask) map[string]Room {
	names := slices.Sorted(maps.Keys(asks))
	out := make(map[string]Room, len(names))
	common := c.Together(day)
	for _, n := range names {
		own := c.Of(n, day)
		if own.By == "" {
			own = common // an S1SP without limits of its own has the common one, or nothing
		}
		r := Room{Active: own, Dormant: min(asks[n].Dormant, own.Units)}
		if share := c.Dormant(n, day); share.By != "" {
			r.Dormant = min(r.Dormant, share.Units)
		}
		out[n] = r
	}
	left := common.Units
	share := func(want func(string) int, set func(string, int)) {
		demand, sum := make([]Demand, len(names)), 0
		for i, n := range names {
			demand[i] = Demand{document.EUI{6: byte(i >> 8), 7: byte(i)}, want(n)}
			sum += want(n)
		}
		if common.By == "" || sum <= left {
			left -= sum
			return
		}
		shares, err := Allocate(left, 0, demand)
		if err != nil {
			return // cannot be: the identities are made here and the numbers are not negative
		}
		left = 0
		for i, n := range names {
			set(n, shares[i].Allocated)
		}
	}
	share(func(n string) int { return out[n].Dormant }, func(n string, units int) {
		r := out[n]
		r.Dormant = units
		out[n] = r
	})
	for _, n := range names {
		r := out[n]
		r.Active.Units -= r.Dormant
		out[n] = r
	}
	share(func(n string) int { return min(out[n].Active.Units, asks[n].Active) }, func(n string, units int) {
		r := out[n]
		r.Active = Limit{units, common.By}
		out[n] = r
	})
	return out
}
