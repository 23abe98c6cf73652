package simulate

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/engine"
	"smets1/migration/lifecycle"
	"smets1/migration/plan"
	"smets1/migration/report"
)

// Config says what to simulate. Dir must be set.
type Config struct {
	// Dir is the folder of the simulation: the programme's files come into
	// input, what the engine makes into out.
	Dir string
	// Homes is the size of the invented portfolio; zero means 600.
	Homes int
	// Weeks is how long it lasts; zero means 26.
	Weeks int
	// Capacity is how many installations an S1SP can take on a working day, and
	// Dormant how many of them the dormant programme may have; zero means what
	// the portfolio needs to be through after two thirds of the weeks, and a
	// third of that.
	Capacity, Dormant int
	Rates             Rates // see DefaultRates
	Seed              uint64
	// From is the first day; zero means Monday, 8 April 2019.
	From document.Date
	// Week is told each week as it ends; nil means nobody is.
	Week func(Week)
}

// Week is what one week brought. The counts of homes are those at its end.
type Week struct {
	Week       document.Date // its Monday
	Demand     int           // committed for the week
	Allocated  int           // after Friday's run
	Authorised int           // homes authorised in this week, for the next
	Moved      int           // homes whose supplier changed
	Attempted  int           // homes that were taken up
	Migrated   int           // so far
	Forecast   int           // migrated so far, as expected before the start
	Waiting    int           // planned, or for another attempt
	Person     int           // blocked or given to a person
	Out        int           // excluded or withdrawn
	Untouched  int           // not planned yet
}

// Result is a simulation that has ended.
type Result struct {
	Homes       int
	Days        int // on which the engine ran, the account balancing to zero after each
	Weeks       []Week
	Forecast    []plan.Point
	Capacity    []report.CapacityDay
	Commitments []report.Commitment
	// Success is the part of the attempts that ended in a migration, Assumed
	// the part that the forecast was made with.
	Success, Assumed float64
}

// Error is how far the forecast was off at the end of the simulation, in homes.
func (r *Result) Error() int {
	if len(r.Weeks) == 0 {
		return 0
	}
	last := r.Weeks[len(r.Weeks)-1]
	return last.Forecast - last.Migrated
}

func (c Config) populate() Config {
	if c.Homes <= 0 {
		c.Homes = 600
	}
	if c.Weeks <= 0 {
		c.Weeks = 26
	}
	if c.Capacity <= 0 {
		c.Capacity = max(2, c.Homes/len(kinds)*3/(c.Weeks*2*5)*3/2+1)
	}
	if c.Dormant <= 0 {
		c.Dormant = max(1, c.Capacity/3)
	}
	if c.From.IsZero() {
		c.From = document.Date{Year: 2019, Month: time.April, Day: 8}
	}
	return c
}

// sim is a simulation under way.
type sim struct {
	Config
	specs     *document.Specs
	calendar  *plan.Calendar
	rules     plan.Rules
	world     *world
	clock     *clock.Stepped
	gateway   *gateway
	store     store.Store
	roles     *engine.Roles
	rng       *rand.Rand
	chance    chance
	states    map[wire.EUI64]engine.Outcome
	attempts  int
	given     map[wire.EUI64]document.Date // the last week that a home was authorised for
	responses map[document.Date][]*document.DemandResponse
	week      Week
	result    *Result
}

// Run simulates. It ends early when nothing is left to do.
func Run(ctx context.Context, c Config) (*Result, error) {
	c = c.populate()
	if c.From.Time().Weekday() != time.Monday {
		return nil, fmt.Errorf("simulate: the first day, %s, is no Monday", c.From)
	}
	specs, err := document.DefaultSpecs()
	if err != nil {
		return nil, err
	}
	cal, err := plan.DefaultCalendar()
	if err != nil {
		return nil, err
	}
	s := &sim{Config: c, specs: specs, calendar: cal, clock: clock.NewStepped(c.From.Time()), store: store.Memory(), rng: rand.New(rand.NewPCG(c.Seed, 2)), chance: chance(c.Seed),
		states: map[wire.EUI64]engine.Outcome{}, given: map[wire.EUI64]document.Date{}, responses: map[document.Date][]*document.DemandResponse{}, result: &Result{Homes: c.Homes}}
	if s.world, err = newWorld(specs, s.input(), c.Homes, c.Seed); err != nil {
		return nil, err
	}
	if s.roles, err = engine.DrawRoles(source(c.Seed + 1)); err != nil {
		return nil, err
	}
	s.gateway = newGateway(s.clock, c.Rates, c.Seed, s.world.homes)
	if err := s.limits(); err != nil {
		return nil, err
	}
	if err := s.forecast(); err != nil {
		return nil, err
	}
	for w := range c.Weeks {
		s.week = Week{Week: c.From.AddDays(7 * w)}
		for d := range 7 {
			if err := s.day(ctx, s.week.Week.AddDays(d)); err != nil {
				return nil, err
			}
		}
		s.close(w)
		if s.week.Waiting == 0 && s.week.Untouched == 0 {
			break
		}
	}
	return s.result, nil
}

func (s *sim) input() string { return filepath.Join(s.Dir, "input") }

// limits writes what the days can take.
func (s *sim) limits() error {
	var out []document.Constraint
	for _, k := range kinds {
		out = append(out,
			document.Constraint{Kind: document.LimitS1SP, S1SP: k.s1sp, From: s.From, Days: document.WorkingDay, Limit: s.Capacity, PerInstallation: 1},
			document.Constraint{Kind: document.DormantShare, S1SP: k.s1sp, From: s.From, Days: document.WorkingDay, Limit: s.Dormant, PerInstallation: 1})
	}
	s.rules = plan.Rules{Calendar: s.calendar, Capacity: plan.NewCapacity(s.calendar, out)}
	return s.world.write("capacity.csv", func(b io.Writer) error { return document.WriteCapacity(b, s.specs, out) })
}

// forecast is made before the start: dormant homes can go after their notice,
// active ones from the third week, when the first demand has been answered.
func (s *sim) forecast() error {
	r := s.Rates
	s.result.Assumed = (1 - r.NoWAN) * (1 - r.PowerCut) * (1 - r.WrongKey)
	var err error
	s.result.Forecast, err = plan.Forecast(plan.Outlook{
		From: s.From, Ready: []int{s.Homes}, Success: s.result.Assumed, Lost: r.WrongKey + r.GasSilent*(1-electricityPart), Weeks: s.Weeks,
		Weekly: func(week int) int {
			n := 0
			for d := range 7 {
				day := s.From.AddDays(7*week + d)
				if !s.calendar.WorkingDay(day) {
					continue
				}
				switch {
				case week == 0:
				case week == 1:
					n += s.Dormant * len(kinds)
				default:
					n += s.Capacity * len(kinds)
				}
			}
			return n
		},
	})
	return err
}

// day is one day of everybody.
func (s *sim) day(ctx context.Context, day document.Date) error {
	s.churn(day)
	if err := s.world.register(); err != nil {
		return err
	}
	var err error
	switch day.Time().Weekday() {
	case time.Tuesday:
		err = s.demand(day.AddDays(13))
	case time.Wednesday:
		err = s.authorise(day, day.AddDays(5))
	case time.Friday:
		err = s.again(day.AddDays(3))
	default:
	}
	if err != nil {
		return err
	}
	if at := day.Time().Add(7 * time.Hour); s.clock.Now().Before(at) {
		s.clock.Advance(at.Sub(s.clock.Now()))
	}
	e, err := engine.Open(ctx, engine.Config{
		Inputs: s.input(), Out: filepath.Join(s.Dir, "out"), Specs: s.specs, Calendar: s.calendar, Gateway: s.gateway, Store: s.store, Sole: true, Clock: s.clock,
		Roles: s.roles, Random: source(s.Seed + uint64(day.Time().Unix())), Hasty: true,
	})
	if err != nil {
		return fmt.Errorf("simulate: %s: %w", day, err)
	}
	if err := e.RunDay(ctx); err != nil {
		return fmt.Errorf("simulate: %s: %w", day, err)
	}
	s.result.Days++
	for _, o := range e.Outcomes() {
		s.week.Attempted += o.Attempts - s.states[o.Home].Attempts
		s.attempts += o.Attempts - s.states[o.Home].Attempts
		s.states[o.Home] = o
	}
	if day.Time().Weekday() == time.Sunday {
		return e.Report(ctx, "smets1 migrate simulate")
	}
	return nil
}

// churn changes suppliers.
func (s *sim) churn(day document.Date) {
	for i := range s.world.homes {
		in := &s.world.homes[i]
		if !s.chance.below(s.Rates.ChangeOfSupplier/7, "change of supplier", in.ID, day.String()) {
			continue
		}
		was := s.world.supplier(in.Meters()[0].MPxN)
		to := organisations[(slices.Index(organisations, was)+1+s.rng.IntN(len(organisations)-1))%len(organisations)]
		s.world.leave(in, to, day)
		s.week.Moved++
	}
}

// mine lists the homes that a supplier can authorise with an S1SP: active since
// the start, still his, not planned, and not authorised for a week to come.
func (s *sim) mine(supplier wire.EUI64, s1sp string) []*document.Installation {
	today := document.DateOf(s.clock.Now())
	var out []*document.Installation
	for i := range s.world.homes {
		in := &s.world.homes[i]
		d := in.Meters()[0]
		if in.S1SP == s1sp && in.Status() == document.Active && d.Supplier == supplier && s.world.supplier(d.MPxN) == supplier &&
			s.states[in.ID].State == lifecycle.Candidate && (s.given[in.ID].IsZero() || s.given[in.ID].AddDays(6).Before(today)) {
			out = append(out, in)
		}
	}
	return out
}

// demand has every supplier commit for the four weeks from a Monday, and
// publishes the responses.
func (s *sim) demand(monday document.Date) error {
	var demands []*document.Demand
	for _, k := range kinds {
		for n, org := range organisations {
			left := len(s.mine(org, k.s1sp))
			// A quarter of them over three weeks; some suppliers ask for more.
			daily := (left*(4+n) + 59) / 60
			d := document.NewDemand(fmt.Sprintf("SIM%03d", n+1), k.s1sp, org, monday, document.Period{}, func(day document.Date) (all, prepay int) {
				if !s.calendar.WorkingDay(day) {
					return 0, 0
				}
				return daily, 0
			})
			demands = append(demands, d)
			if err := s.world.write(d.Name.String(), func(b io.Writer) error { return document.WriteDemand(b, s.specs, d) }); err != nil {
				return err
			}
		}
	}
	rules := s.rules
	rules.Dormant = func(string, document.Date) int { return s.Dormant }
	rs, uses, ps := rules.Respond(s.specs, demands)
	if ps != nil {
		return ps
	}
	s.responses[monday] = rs
	for _, u := range uses {
		if u.Day.Before(monday.AddDays(7)) { // later weeks are demanded anew
			s.result.Capacity = append(s.result.Capacity, report.CapacityDay{S1SP: u.S1SP, Day: u.Day, Capacity: u.Capacity, Dormant: u.Dormant, Demand: u.Demand, Allocated: u.Allocated})
		}
	}
	return s.publish(rs)
}

func (s *sim) publish(rs []*document.DemandResponse) error {
	for _, r := range rs {
		if err := s.world.write(r.Name.String(), func(b io.Writer) error { return document.WriteDemandResponse(b, s.specs, r) }); err != nil {
			return err
		}
	}
	return nil
}

// authorise has every supplier authorise homes for the week from a Monday: the
// diligent ones a tenth more than they were given, the others less.
func (s *sim) authorise(today, monday document.Date) error {
	at := today.Time().Add(10 * time.Hour)
	for _, r := range s.responses[monday] {
		n := slices.Index(organisations, r.Name.EUI)
		homes := s.mine(r.Name.EUI, r.Name.S1SP)
		var rows []document.AuthorisationRow
		sum := report.Commitment{Supplier: r.Name.EUI, S1SP: r.Name.S1SP, Week: monday}
		for _, row := range r.Rows[:7] {
			sum.Demand += row.Committed
			sum.Allocated += row.Allocated
			take := row.Allocated
			switch n {
			case 1:
				take += (take + 9) / 10
			case 2:
				take -= take / 10
			}
			for ; take > 0 && len(homes) > 0; take-- {
				in := homes[0]
				homes = homes[1:]
				s.given[in.ID] = monday
				sum.Authorised++
				for _, d := range in.Meters() {
					rows = append(rows, document.AuthorisationRow{RecordNo: len(rows) + 1, Fuel: d.Fuel(), MPxN: d.MPxN, DeviceID: d.ID, CHFDeviceID: in.ID, MeterSerialNumber: d.Serial,
						SupplierUserID: r.Name.EUI, PaymentMode: d.PaymentMode, Earliest: row.Date, Latest: row.Date.AddDays(28),
						CriticalCert: s.world.serials[r.Name.EUI], NonCriticalCert: s.world.serials[r.Name.EUI], ElectricityOnlyPermitted: d.Type == document.ESME && n%2 == 0})
				}
			}
		}
		s.week.Demand += sum.Demand
		s.week.Allocated += sum.Allocated
		s.week.Authorised += sum.Authorised
		s.result.Commitments = append(s.result.Commitments, sum)
		if len(rows) == 0 {
			continue
		}
		var csv bytes.Buffer
		if err := document.WriteAuthorisationCSV(&csv, s.specs, rows); err != nil {
			return fmt.Errorf("simulate: %w", err)
		}
		name := document.Name{Kind: document.KindMA, S1SP: r.Name.S1SP, EUI: r.Name.EUI, Stamp: at, Ext: "zip"}
		zip, password, err := document.SealAuthorisation(s.specs, name, csv.Bytes(), nil, at, source(s.rng.Uint64()))
		if err != nil {
			return fmt.Errorf("simulate: %w", err)
		}
		for name, b := range map[string][]byte{name.String(): zip, name.With(document.KindMAPassword, "csv").String(): password} {
			if err := s.world.write(name, func(w io.Writer) error { _, err := w.Write(b); return err }); err != nil {
				return err
			}
		}
	}
	return nil
}

// again is Friday's run for the week from a Monday.
func (s *sim) again(monday document.Date) error {
	rs := s.responses[monday]
	if rs == nil {
		return nil
	}
	used := map[string]int{}
	key := func(org wire.EUI64, s1sp string) string { return org.String() + s1sp }
	for _, c := range s.result.Commitments {
		if c.Week == monday {
			used[key(c.Supplier, c.S1SP)] += c.Authorised
		}
	}
	// What a supplier has authorised fills its days from the first on.
	taken := map[string]map[document.Date]int{}
	for _, r := range rs {
		k := key(r.Name.EUI, r.Name.S1SP)
		left := used[k]
		taken[k] = map[document.Date]int{}
		for _, row := range r.Rows[:7] {
			n := min(left, row.Allocated)
			taken[k][row.Date] = n
			left -= n
		}
	}
	out, err := s.rules.Reallocate(rs, monday, func(org document.EUI, s1sp string, day document.Date) int { return taken[key(org, s1sp)][day] })
	if err != nil {
		return err
	}
	s.responses[monday] = out
	return s.publish(out)
}

// close counts the week.
func (s *sim) close(n int) {
	w := &s.week
	for _, o := range s.states {
		switch o.State {
		case lifecycle.Migrated:
			w.Migrated++
		case lifecycle.Candidate:
			w.Untouched++
		case lifecycle.Blocked, lifecycle.ManualIntervention:
			w.Person++
		case lifecycle.Excluded, lifecycle.Withdrawn:
			w.Out++
		default:
			w.Waiting++
		}
	}
	if len(s.result.Forecast) > 0 {
		w.Forecast = s.result.Forecast[min(n, len(s.result.Forecast)-1)].Migrated
	}
	if s.attempts > 0 {
		s.result.Success = float64(w.Migrated) / float64(s.attempts)
	}
	s.result.Weeks = append(s.result.Weeks, *w)
	if s.Week != nil {
		s.Week(*w)
	}
}

// Data is what the reports of a simulation are made of, beside what the engine
// left in its folder.
func (r *Result) Data(d *report.Data) {
	d.Days, d.Commitments = append(d.Days, r.Capacity...), append(d.Commitments, r.Commitments...)
	for _, p := range r.Forecast {
		d.Forecast = append(d.Forecast, report.ForecastPoint{Week: p.Week, Migrated: p.Migrated, Remaining: p.Remaining})
	}
	slices.SortFunc(d.Days, func(a, b report.CapacityDay) int { return cmp.Or(a.Day.Compare(b.Day), cmp.Compare(a.S1SP, b.S1SP)) })
}
