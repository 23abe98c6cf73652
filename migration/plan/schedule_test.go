package plan

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/migration/document"
)

func homeID(n int) document.EUI {
	return document.EUI{0x00, 0xDB, 0x12, 0x34, byte(n >> 16), byte(n >> 8), byte(n), 0}
}

// bigPortfolio makes n homes: a fifth dormant, a tenth needing a firmware upgrade, a few excluded or not eligible, of three
// S1SPs and twenty suppliers.
func bigPortfolio(n int) (*document.Portfolio, *document.EPCL) {
	makes := []struct{ group, cohort, s1sp, comms string }{{"AA", "IOC", "CGI", "CGI IE"}, {"CA", "MOC", "SECURE", "Secure SMSO"}, {"DA", "FOC", "TRILLIANT", "Trilliant"}}
	var entries []document.EPCLEntry
	homes := make([]document.Installation, n)
	for i := range homes {
		m := makes[i%3]
		id := homeID(i)
		sub := func(k byte) document.EUI { e := id; e[7] = k; return e }
		first12 := fmt.Sprintf("20%010d", i)
		check, err := document.MPANCheckDigit(first12)
		if err != nil {
			panic(err)
		}
		status, fw, model := document.Active, "20.11", "M1"
		if i%5 == 0 {
			status = document.Dormant
		}
		if i%10 == 0 {
			fw = "20.04"
		}
		if i%997 == 1 {
			model = "unknown"
		}
		e, g := supplier(byte(i%20)), supplier(byte(i%20))
		if i%7 == 0 {
			g = supplier(byte((i + 1) % 20)) // two suppliers in one home
		}
		h := document.Installation{ID: id, GroupID: m.group, Cohort: m.cohort, S1SP: m.s1sp, CommsProvider: m.comms, WakeUp: "SMS", Devices: []document.Device{
			{Type: document.CHF, ID: id, Manufacturer: "Make", Model: model, Firmware: "1"},
			{Type: document.ESME, ID: sub(1), Manufacturer: "Make", Model: "E", Firmware: fw, MPxN: document.MPxN(first12 + string(check)), Supplier: e, Status: status, PaymentMode: document.Credit},
			{Type: document.GSME, ID: sub(2), Manufacturer: "Make", Model: "G", Firmware: "1", MPxN: document.MPxN(fmt.Sprintf("%010d", i)), Supplier: g, Status: status, PaymentMode: document.Credit},
		}}
		if i%101 == 3 {
			h.Exclusion = "missing master keys"
		}
		homes[i] = h
		if i < 3 {
			good := h
			good.Devices = append([]document.Device{}, h.Devices...)
			good.Devices[0].Model, good.Devices[1].Firmware = "M1", "20.11"
			entries = append(entries, document.EPCLEntry{EntryID: m.group, DateAdded: day("2019-01-01"), GroupID: m.group, Combination: good.Combination(), Status: document.Eligible})
		}
	}
	return document.NewPortfolio(homes), document.NewEPCL(entries)
}

// cover authorises every active home from a random day on.
func cover(p *document.Portfolio, rng *rand.Rand, skip int) *document.Coverage {
	c := document.NewCoverage()
	a := &document.Authorisation{Name: document.Name{Kind: document.KindMA, S1SP: "CGI", Stamp: monday.Time()}}
	for i := range p.Installations {
		in := &p.Installations[i]
		if in.Status() != document.Active || skip > 0 && i%skip == 1 {
			continue
		}
		from := monday.AddDays(rng.IntN(40))
		to := from.AddDays(1 + rng.IntN(27))
		for _, d := range in.Meters() {
			a.Rows = append(a.Rows, document.AuthorisationRow{Fuel: d.Fuel(), MPxN: d.MPxN, DeviceID: d.ID, CHFDeviceID: in.ID, SupplierUserID: d.Supplier, Earliest: from, Latest: to})
		}
	}
	c.Apply(a)
	return c
}

func campaign(t testing.TB, n, units int) Campaign {
	p, l := bigPortfolio(n)
	cal := calendar(t)
	var limits []document.Constraint
	for _, s := range []string{"CGI", "SECURE", "TRILLIANT"} {
		limits = append(limits, limit(document.LimitS1SP, s, document.WorkingDay, units, 1), limit(document.LimitS1SP, s, document.NonWorkingDay, units/5, 1),
			limit(document.DormantShare, s, document.EveryDay, units/4, 1))
	}
	limits = append(limits, limit(document.LimitDCC, "", document.EveryDay, units*5/2, 1))
	return Campaign{Portfolio: p, EPCL: l, Calendar: cal, Capacity: NewCapacity(cal, limits), From: monday, To: monday.AddDays(83)}
}

// TestSchedule holds the rules of a schedule against every placement of a campaign of 3,000 homes.
func TestSchedule(t *testing.T) {
	c := campaign(t, 3000, 25)
	c.Coverage = cover(c.Portfolio, rand.New(rand.NewPCG(8, 1)), 50)
	quota := Quotas{}
	for n := range 84 {
		for s := range 20 {
			for _, p := range []string{"CGI", "SECURE", "TRILLIANT"} {
				quota[quotaKey{supplier(byte(s)), p, monday.AddDays(n)}] = Quota{Firm: 3}
			}
		}
	}
	c.Quotas = quota
	s, err := Build(c)
	require.NoError(t, err)
	require.Len(t, s.Placements, 3000)
	require.Greater(t, s.Planned(), 1500)
	type key struct {
		s1sp string
		day  document.Date
	}
	active, dormant, together := map[key]int{}, map[key]int{}, map[document.Date]int{}
	bySupplier := map[quotaKey]int{}
	codes := map[string]int{}
	for i, p := range s.Placements {
		in := &c.Portfolio.Installations[i]
		require.Equal(t, in.ID, p.Installation)
		codes[p.Code]++
		require.Equal(t, p.Day.IsZero(), p.Code != "", "%+v", p)
		if p.Day.IsZero() {
			require.NotEmpty(t, p.Detail)
			continue
		}
		require.False(t, p.Day.Before(c.From) || p.Day.After(c.To))
		require.Empty(t, in.Exclusion)
		k := key{p.S1SP, p.Day}
		together[p.Day]++
		if p.Status == document.Dormant {
			dormant[k]++
			require.False(t, p.Day.Before(c.From.AddDays(7)), "notice of the migration")
			if !p.Firmware.IsZero() {
				require.False(t, p.Firmware.Before(c.From.AddDays(14)), "notice of the upgrade")
				require.True(t, p.Firmware.Before(p.Day))
			}
			continue
		}
		active[k]++
		paying := map[document.EUI]bool{}
		for _, d := range in.Meters() {
			_, _, ok := c.Coverage.Covers(d.ID, p.Day)
			require.True(t, ok, "every meter is authorised for the day")
			paying[d.Supplier] = true
		}
		for e := range paying {
			bySupplier[quotaKey{e, p.S1SP, p.Day}]++
		}
	}
	for k, n := range active {
		require.LessOrEqual(t, n+dormant[k], c.Capacity.Of(k.s1sp, k.day).Units)
	}
	for k, n := range dormant {
		require.LessOrEqual(t, n, c.Capacity.Dormant(k.s1sp, k.day).Units)
	}
	for d, n := range together {
		require.LessOrEqual(t, n, c.Capacity.Together(d).Units)
	}
	for k, n := range bySupplier {
		require.LessOrEqual(t, n, 3, "%v", k)
	}
	for _, code := range []string{"XPL01", "XPC08", "MA110", ""} {
		require.Positive(t, codes[code], "%s in %v", code, codes)
	}
	again, err := Build(c)
	require.NoError(t, err)
	require.Equal(t, s, again, "the same campaign gives the same schedule")
	for _, u := range s.Uses {
		require.Equal(t, active[key{u.S1SP, u.Day}], u.Allocated)
		require.Equal(t, dormant[key{u.S1SP, u.Day}], u.Dormant)
	}
}

func TestScheduleTellsWhyNot(t *testing.T) {
	c := campaign(t, 12, 1)
	c.Coverage = cover(c.Portfolio, rand.New(rand.NewPCG(1, 1)), 0)
	c.To = c.From.AddDays(1)
	s, err := Build(c)
	require.NoError(t, err)
	codes := map[string]bool{}
	for _, p := range s.Placements {
		codes[p.Code] = true
	}
	require.True(t, codes["XPL03"] && codes["XPL01"], "%v", codes)

	// Assumed authorisations: the home goes on the first day that has room.
	c.Assume, c.Coverage = true, nil
	s, err = Build(c)
	require.NoError(t, err)
	first := 0
	for _, p := range s.Placements {
		if p.Day == monday {
			first++
			require.Equal(t, document.Active, p.Status)
		}
	}
	require.Equal(t, 2, first, "all that the three have in common")

	c.To = c.From.AddDays(-1)
	_, err = Build(c)
	require.ErrorContains(t, err, "has no days")
	_, err = Build(Campaign{})
	require.Error(t, err)
}

func TestForecast(t *testing.T) {
	points, err := Forecast(Outlook{From: monday, Ready: []int{1000}, Weekly: func(int) int { return 250 }, Success: 0.8, Lost: 0.05})
	require.NoError(t, err)
	require.Equal(t, Point{Week: monday, Attempts: 250, Migrated: 200, Lost: 13, Remaining: 787}, points[0])
	last := points[len(points)-1]
	require.Zero(t, last.Remaining)
	require.Equal(t, 1000, last.Migrated+last.Lost)
	require.Len(t, points, 7)
	before := 0
	for _, p := range points {
		require.GreaterOrEqual(t, p.Migrated, before)
		before = p.Migrated
	}
	// Five attempts are all there are.
	points, err = Forecast(Outlook{From: monday, Ready: []int{0, 0, 0, 0, 100, 7}, Weekly: func(int) int { return 1000 }, Success: 0.5})
	require.NoError(t, err)
	require.Equal(t, []Point{{Week: monday, Attempts: 100, Migrated: 50, Lost: 57, Remaining: 0}}, points)
	points, err = Forecast(Outlook{From: monday, Ready: []int{5}, Weekly: func(int) int { return 0 }, Success: 1, Weeks: 3})
	require.NoError(t, err)
	require.Len(t, points, 3, "no capacity, no end: as many weeks as were asked for")
	_, err = Forecast(Outlook{Success: 0.8, Lost: 0.3})
	require.Error(t, err)
}

// BenchmarkPlanHundredThousand plans and allocates for a portfolio of 100,000 homes and prints time and memory.
func BenchmarkPlanHundredThousand(b *testing.B) {
	c := campaign(b, 100_000, 800)
	c.Coverage = cover(c.Portfolio, rand.New(rand.NewPCG(8, 1)), 0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	planned := 0
	for b.Loop() {
		s, err := Build(c)
		if err != nil {
			b.Fatal(err)
		}
		planned = s.Planned()
		r := Rules{Calendar: c.Calendar, Capacity: c.Capacity}
		var in []*document.Demand
		for n := range 20 {
			for _, p := range []string{"CGI", "SECURE", "TRILLIANT"} {
				in = append(in, document.NewDemand("B", p, supplier(byte(n)), monday, document.Period{}, func(document.Date) (int, int) { return 30 + n, 0 }))
			}
		}
		if _, _, ps := r.Respond(specs(b), in); ps != nil {
			b.Fatal(ps)
		}
		runtime.ReadMemStats(&after)
	}
	b.ReportMetric(float64(before.HeapAlloc)/(1<<20), "MiB-portfolio")
	b.ReportMetric(float64(planned), "homes")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB-more")
}
