package plan

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/migration/document"
)

func specs(t testing.TB) *document.Specs {
	t.Helper()
	s, err := document.DefaultSpecs()
	require.NoError(t, err)
	return s
}

var monday = day("2019-07-15")

func limit(k document.ConstraintKind, s1sp string, days document.DayKind, units, per int) document.Constraint {
	return document.Constraint{Kind: k, S1SP: s1sp, From: day("2019-01-01"), Days: days, Limit: units, PerInstallation: per}
}

func TestCapacityIsTheLeastOfItsConstraints(t *testing.T) {
	c := NewCapacity(calendar(t), []document.Constraint{
		limit(document.LimitS1SP, "CGI", document.EveryDay, 900, 1),
		limit(document.LimitDCO, "cgi", document.EveryDay, 700, 1),
		limit(document.LimitSMS, "SECURE", document.EveryDay, 901, 2), // two text messages wake a hub
		limit(document.LimitRP, "CGI", document.NonWorkingDay, 50, 1),
		limit(document.DormantShare, "CGI", document.WorkingDay, 200, 1),
		{Kind: document.LimitRP, S1SP: "CGI", From: day("2019-08-01"), To: day("2019-08-31"), Days: document.EveryDay, Limit: 10, PerInstallation: 1},
	})
	require.Equal(t, Limit{700, document.LimitDCO}, c.Of("CGI", monday))
	require.Equal(t, Limit{50, document.LimitRP}, c.Of("CGI", day("2019-07-20")), "a Saturday")
	require.Equal(t, Limit{50, document.LimitRP}, c.Of("CGI", day("2019-05-06")), "a bank holiday")
	require.Equal(t, Limit{10, document.LimitRP}, c.Of("CGI", day("2019-08-31")))
	require.Equal(t, Limit{700, document.LimitDCO}, c.Of("CGI", day("2019-09-02")))
	require.Equal(t, Limit{450, document.LimitSMS}, c.Of("SECURE", monday))
	require.Equal(t, Limit{}, c.Of("TRILLIANT", monday), "what nobody promised is not planned on")
	require.Equal(t, Limit{}, c.Of("CGI", day("2018-12-31")))
	require.Equal(t, Limit{200, document.DormantShare}, c.Dormant("CGI", monday))

	got := c.Effective(monday, map[string]Ask{"CGI": {Active: 1000, Dormant: 150}, "SECURE": {Active: 10, Dormant: 10}})
	require.Equal(t, Room{Limit{550, document.LimitDCO}, 150}, got["CGI"], "700 less the planned dormant volume")
	require.Equal(t, 440, got["SECURE"].Active.Units)
	got = c.Effective(monday, map[string]Ask{"CGI": {Active: 1000, Dormant: 5000}})
	require.Equal(t, Room{Limit{500, document.LimitDCO}, 200}, got["CGI"], "the dormant programme has its share and no more")
}

func TestCommonLimitIsShared(t *testing.T) {
	c := NewCapacity(calendar(t), []document.Constraint{
		limit(document.LimitDCC, "", document.EveryDay, 1000, 1),
		limit(document.LimitS1SP, "CGI", document.EveryDay, 900, 1),
	})
	got := c.Effective(monday, map[string]Ask{"CGI": {Active: 2000}, "SECURE": {Active: 300}})
	require.Equal(t, 750, got["CGI"].Active.Units)
	require.Equal(t, Limit{250, document.LimitDCC}, got["SECURE"].Active)
	got = c.Effective(monday, map[string]Ask{"CGI": {Active: 600}, "SECURE": {Active: 300}})
	require.Equal(t, Limit{900, document.LimitS1SP}, got["CGI"].Active, "together they fit: each has its own limit")
	require.Equal(t, 1000, got["SECURE"].Active.Units)
}

// However the limits and the demand lie, no constraint is exceeded.
func TestCapacityProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 5))
	names := []string{"A", "B", "C"}
	for range 5000 {
		var limits []document.Constraint
		for _, n := range names {
			limits = append(limits, limit(document.LimitS1SP, n, document.EveryDay, rng.IntN(500), 1+rng.IntN(2)))
		}
		limits = append(limits, limit(document.LimitDCC, "", document.EveryDay, rng.IntN(900), 1))
		c := NewCapacity(calendar(t), limits)
		asks := map[string]Ask{}
		for _, n := range names {
			asks[n] = Ask{Active: rng.IntN(600), Dormant: rng.IntN(100)}
		}
		got := c.Effective(monday, asks)
		together := 0
		for _, n := range names {
			own := c.Of(n, monday).Units
			r := got[n]
			require.LessOrEqual(t, r.Active.Units+r.Dormant, own)
			require.True(t, r.Active.Units >= 0 && r.Dormant >= 0 && r.Dormant <= asks[n].Dormant)
			together += min(r.Active.Units, asks[n].Active) + r.Dormant
		}
		require.LessOrEqual(t, together, c.Together(monday).Units)
	}
}

func rules(t testing.TB, units int) Rules {
	c := calendar(t)
	return Rules{Calendar: c, Capacity: NewCapacity(c, []document.Constraint{limit(document.LimitS1SP, "CGI", document.EveryDay, units, 1)})}
}

func demands(units ...int) []*document.Demand {
	var out []*document.Demand
	for i, u := range units {
		out = append(out, document.NewDemand("AAA123", "CGI", supplier(byte(i+1)), monday, document.Period{}, func(d document.Date) (int, int) {
			if d == monday {
				return u, 0
			}
			return 0, 0
		}))
	}
	return out
}

func firstDay(rs []*document.DemandResponse) []int {
	var out []int
	for _, r := range rs {
		out = append(out, r.Rows[0].Allocated)
	}
	return out
}

// The worked example once more, from file to file.
func TestRespond(t *testing.T) {
	r := rules(t, 1000)
	in := demands(50, 300, 1200, 600)
	got, uses, ps := r.Respond(specs(t), in)
	require.Empty(t, ps)
	require.Equal(t, []int{50, 172, 497, 281}, firstDay(got))
	require.Equal(t, "DR_AAA123_90-B3-D5-1F-30-01-00-01_CGI_20190715.csv", got[0].Name.String())
	require.Len(t, got[0].Rows, 28)
	require.Equal(t, DayUse{S1SP: "CGI", Day: monday, Capacity: 1000, By: document.LimitS1SP, Demand: 2150, Allocated: 1000}, uses[0])
	require.Equal(t, document.ResponseDay{Line: 2, RecordNo: 1, S1SP: "CGI", Supplier: supplier(2), Date: monday, Committed: 300, Allocated: 172, Flat: 100, ProRata: 72,
		Capacity: 1000, Reason: document.ReasonScaled}, got[1].Rows[0])

	small := 20
	r.DMin = &small
	got, _, ps = r.Respond(specs(t), in)
	require.Empty(t, ps)
	require.NotEqual(t, []int{50, 172, 497, 281}, firstDay(got), "DMIN is a parameter")

	_, _, ps = r.Respond(specs(t), append(in, in[0]))
	require.Equal(t, []string{"XDM09"}, ps.Codes())
	later := document.NewDemand("B", "CGI", supplier(9), monday.AddDays(7), document.Period{}, func(document.Date) (int, int) { return 1, 0 })
	_, _, ps = r.Respond(specs(t), append(in, later))
	require.Equal(t, []string{"XDM06"}, ps.Codes())
	none, _, ps := r.Respond(specs(t), nil)
	require.Empty(t, ps)
	require.Empty(t, none)
}

func TestDemandDeadline(t *testing.T) {
	r, s, d := rules(t, 1), specs(t), demands(1)[0]
	require.Empty(t, r.Late(s, d, document.At(instant(t, "2019-07-02T15:59:59Z"))))
	ps := r.Late(s, d, document.At(instant(t, "2019-07-02T16:00:00Z")))
	require.Equal(t, []string{"XDM07"}, ps.Codes())
	require.Contains(t, ps[0].What, "Tuesday 2 July 2019 17:00")
	require.True(t, ps.FileFailed())
}

func TestTolerance(t *testing.T) {
	r := rules(t, 1000)
	in := demands(400, 300)
	week := func(back, allocated, authorised int) Week {
		return Week{supplier(1), "cgi", monday.AddDays(-back), allocated, authorised}
	}
	for _, tc := range []struct {
		history []Week
		want    int
		reason  document.AllocationReason
	}{
		{nil, 400, document.ReasonMet},
		{[]Week{week(14, 500, 400), week(7, 500, 300)}, 280, document.ReasonCapped}, // 70 % of two weeks
		{[]Week{week(14, 500, 400), week(7, 500, 450)}, 400, document.ReasonMet},    // 90 % in one of them
		{[]Week{week(7, 500, 100)}, 400, document.ReasonMet},                        // one week alone is no habit
		{[]Week{week(14, 3, 0), week(7, 3, 1)}, 67, document.ReasonCapped},          // 400/6 rounded up
		{[]Week{week(14, 0, 0), week(7, 0, 0)}, 400, document.ReasonMet},            // nothing was allocated
	} {
		r.History = tc.history
		got, _, ps := r.Respond(specs(t), in)
		require.Empty(t, ps)
		require.Equal(t, []int{tc.want, 300}, firstDay(got))
		require.Equal(t, tc.reason, got[0].Rows[0].Reason)
		require.Equal(t, 400, got[0].Rows[0].Committed, "what was committed to stays in the file")
	}
	require.Equal(t, Quota{100, 10}, QuotaOf(100))
	require.Equal(t, Quota{9, 0}, QuotaOf(9))
	q := NewQuotas([]*document.DemandResponse{{Name: document.Name{Kind: document.KindDR, S1SP: "cgI", EUI: supplier(1)}, Rows: []document.ResponseDay{{Date: monday, Allocated: 20}}}})
	require.Equal(t, Quota{20, 2}, q.Of(supplier(1), "CGI", monday))
	require.Equal(t, Quota{}, q.Of(supplier(1), "CGI", monday.AddDays(1)))
}

func TestReallocate(t *testing.T) {
	r := rules(t, 1000)
	before, _, ps := r.Respond(specs(t), demands(50, 300, 1200, 600))
	require.Empty(t, ps)
	// C authorises 197 of its 497; A, B and D all of theirs.
	used := func(s document.EUI, _ string, d document.Date) int {
		if d != monday {
			return 0
		}
		return map[document.EUI]int{supplier(1): 50, supplier(2): 172, supplier(3): 197, supplier(4): 281}[s]
	}
	after, err := r.Reallocate(before, monday, used)
	require.NoError(t, err)
	// 300 come back; B wants 128 more and D 319: both get 100, and the other 100 go 28:219 in proportion, 11 and 89.
	require.Equal(t, []int{50, 172 + 111, 197, 281 + 189}, firstDay(after))
	require.Equal(t, []int{50, 172, 497, 281}, firstDay(before), "the response that was published stays")
	var reasons []document.AllocationReason
	for _, x := range after {
		reasons = append(reasons, x.Rows[0].Reason)
	}
	require.Equal(t, []document.AllocationReason{document.ReasonMet, document.ReasonReallocated, document.ReasonReleased, document.ReasonReallocated}, reasons)
}

// Reallocation never takes from who has authorised, never gives more than was asked, and never exceeds the day.
func TestReallocationProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 5))
	s := specs(t)
	for range 300 {
		n := 1 + rng.IntN(6)
		units := make([]int, n)
		for i := range units {
			units[i] = rng.IntN(800)
		}
		capacity := rng.IntN(1500)
		r := rules(t, capacity)
		before, _, ps := r.Respond(s, demands(units...))
		require.Empty(t, ps)
		use := map[document.EUI]int{}
		for i := range units {
			a := before[i].Rows[0].Allocated
			use[supplier(byte(i+1))] = a - min(a, rng.IntN(200)*rng.IntN(2))
		}
		after, err := r.Reallocate(before, monday, func(e document.EUI, _ string, d document.Date) int {
			if d != monday {
				return 0
			}
			return use[e]
		})
		require.NoError(t, err)
		sum, freed, unmet, given := 0, 0, 0, 0
		for i := range after {
			b, a := before[i].Rows[0], after[i].Rows[0]
			sum += a.Allocated
			require.GreaterOrEqual(t, a.Allocated, use[a.Supplier])
			require.LessOrEqual(t, a.Allocated, a.Committed)
			require.Equal(t, a.Allocated, a.Flat+a.ProRata)
			switch {
			case use[a.Supplier] < b.Allocated:
				freed += b.Allocated - use[a.Supplier]
			default:
				unmet += b.Committed - b.Allocated
				given += a.Allocated - b.Allocated
			}
		}
		require.LessOrEqual(t, sum, capacity)
		require.Equal(t, min(freed, unmet), given)
	}
}
