package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"smets1/migration/document"
	"smets1/migration/engine"
	"smets1/migration/plan"
	"smets1/migration/report"
)

// planFigures is what plan and allocate leave for the reports.
type planFigures struct {
	Days        []report.CapacityDay   `json:"days,omitempty"`
	Commitments []report.Commitment    `json:"commitments,omitempty"`
	Forecast    []report.ForecastPoint `json:"forecast,omitempty"`
}

const figuresName = "figures.json"

func (f planFigures) write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(f)
}

type migratePlan struct {
	tools         *migrateTools
	input, out    string
	capacity      string
	responses     string
	keys          string
	limit         int
	from          dateFlag
	weeks         int
	assume        bool
	success, lost float64
}

func newMigratePlanCommand(m *migrateTools) *cobra.Command {
	p := &migratePlan{tools: m}
	c := &cobra.Command{
		Use:   "plan",
		Short: "Give every home of a portfolio its day, or say why it has none",
		Long: `plan reads the programme in --input: portfolio, eligible combinations, registrations,
certificates, capacity and authorisations, checks each authorisation against the rest,
and writes schedule.csv and the figures for the reports. Active homes go on a day
that all their meters are authorised for, the shortest windows first; dormant ones
after their notice periods, up to their share of the day. With --responses,
suppliers get no more a day than their Demand Responses allocate.`,
		Example: `  smets1 migrate plan --from 2019-04-08 --limit 20 --out plan
  smets1 migrate plan --input programme --from 2019-07-15 --weeks 26 --assume-authorised`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.run(c) },
	}
	f := c.Flags()
	f.StringVar(&p.input, "input", demoInputs, "folder of the programme's files")
	f.StringVar(&p.out, "out", "plan", "folder for the schedule")
	f.StringVar(&p.capacity, "capacity", "", "capacity file (default: capacity.csv in --input)")
	f.IntVar(&p.limit, "limit", 0, "installations a day for each S1SP, in place of a capacity file")
	f.StringVar(&p.responses, "responses", "", "folder of Demand Responses that bound each supplier's days")
	f.StringVar(&p.keys, "pki", "", "folder with the key that opens encrypted password files (see migrate pki); without it they are plain")
	f.Var(&p.from, "from", "first day of the plan; notices are sent on it")
	f.IntVar(&p.weeks, "weeks", 12, "length of the plan")
	f.BoolVar(&p.assume, "assume-authorised", false, "plan active homes that nobody has authorised yet")
	f.Float64Var(&p.success, "success", 0.9, "forecast: part of the attempts that end in a migration")
	f.Float64Var(&p.lost, "lost", 0.03, "forecast: part of the attempts that end for good")
	return c
}

func (p *migratePlan) run(c *cobra.Command) error {
	if err := wants(c, "from"); err != nil {
		return err
	}
	if p.weeks < 1 || p.weeks > 520 {
		return usageError{fmt.Errorf("--weeks %d: 1 to 520", p.weeks)}
	}
	specs, cal, err := p.tools.open()
	if err != nil {
		return err
	}
	codec, err := passwordKey(p.keys)
	if err != nil {
		return err
	}
	// The authorisations are checked as the engine checks them: registrations, certificates, eligibility, lead times.
	in, err := engine.ReadProgramme(engine.Intake{Specs: specs, Calendar: cal, Passwords: codec}, p.input)
	if err != nil {
		return usageError{err}
	}
	tellProblems(c.ErrOrStderr(), in.Problems)
	portfolio := in.Portfolio
	limits, err := p.limits(c, specs, portfolio)
	if err != nil {
		return err
	}
	campaign := plan.Campaign{Portfolio: portfolio, EPCL: in.EPCL, Coverage: in.Coverage, Calendar: cal, Capacity: plan.NewCapacity(cal, limits),
		From: p.from.Date, To: p.from.AddDays(7*p.weeks - 1), Assume: p.assume}
	if !cal.Covers(campaign.To) {
		fmt.Fprintf(c.ErrOrStderr(), "the calendar knows bank holidays to %s only; after that only weekends count\n", cal.ValidTo)
	}
	if p.responses != "" {
		rs, err := readResponses(c, specs, []string{p.responses})
		if err != nil {
			return err
		}
		campaign.Quotas = plan.NewQuotas(rs)
	}
	s, err := plan.Build(campaign)
	if err != nil {
		return usageError{err}
	}
	points, err := p.forecast(campaign, portfolio)
	if err != nil {
		return usageError{err}
	}
	figures := planFigures{}
	for _, u := range s.Uses {
		figures.Days = append(figures.Days, report.CapacityDay{S1SP: u.S1SP, Day: u.Day, Capacity: u.Capacity, Dormant: u.Dormant, Demand: u.Demand, Allocated: u.Allocated})
	}
	for _, x := range points {
		figures.Forecast = append(figures.Forecast, report.ForecastPoint{Week: x.Week, Migrated: x.Migrated, Remaining: x.Remaining})
	}
	if err := errors.Join(
		emit(c, p.out, scheduleName, 0o644, func(w io.Writer) error { return document.WriteSchedule(w, specs, s.Placements) }),
		emit(c, p.out, "forecast.csv", 0o644, func(w io.Writer) error { return writeForecast(w, points) }),
		emit(c, p.out, figuresName, 0o644, figures.write),
	); err != nil {
		return err
	}
	return p.tell(c.OutOrStdout(), specs, s, points)
}

// limits reads the capacity file, or makes one limit for each S1SP.
func (p *migratePlan) limits(c *cobra.Command, specs *document.Specs, portfolio *document.Portfolio) ([]document.Constraint, error) {
	if p.limit > 0 {
		var out []document.Constraint
		seen := map[string]bool{}
		for i := range portfolio.Installations {
			if s := portfolio.Installations[i].S1SP; !seen[s] {
				seen[s] = true
				out = append(out, document.Constraint{Kind: document.LimitS1SP, S1SP: s, From: p.from.Date, Days: document.EveryDay, Limit: p.limit, PerInstallation: 1})
			}
		}
		return out, nil
	}
	path := p.capacity
	if path == "" {
		path = filepath.Join(p.input, capacityName)
	}
	out, err := readList(c, specs, path, document.ReadCapacity)
	if errors.Is(err, os.ErrNotExist) {
		return nil, usageError{fmt.Errorf("%w: write the constraints into a file (%s), or give --limit", err, "Constraint,S1SP,ValidFrom,ValidTo,Days,Limit,PerInstallation")}
	}
	return out, err
}

func (p *migratePlan) forecast(c plan.Campaign, portfolio *document.Portfolio) ([]plan.Point, error) {
	ready := make([]int, 6)
	s1sps := map[string]bool{}
	for i := range portfolio.Installations {
		in := &portfolio.Installations[i]
		s1sps[in.S1SP] = true
		if in.Exclusion == "" {
			ready[min(in.Attempts, 5)]++
		}
	}
	return plan.Forecast(plan.Outlook{From: p.from.Date, Ready: ready, Success: p.success, Lost: p.lost, Weeks: p.weeks, Weekly: func(week int) int {
		n := 0
		for d := range 7 {
			day := p.from.AddDays(7*week + d)
			sum := 0
			for s := range s1sps {
				sum += c.Capacity.Of(s, day).Units
			}
			if t := c.Capacity.Together(day); t.By != "" && (sum == 0 || t.Units < sum) {
				sum = t.Units
			}
			n += sum
		}
		return n
	}})
}

func writeForecast(w io.Writer, points []plan.Point) error {
	cw := csv.NewWriter(w)
	if err := cw.Write([]string{"Week", "Attempts", "Migrated", "Lost", "Remaining"}); err != nil {
		return err
	}
	for _, x := range points {
		if err := cw.Write([]string{x.Week.String(), strconv.Itoa(x.Attempts), strconv.Itoa(x.Migrated), strconv.Itoa(x.Lost), strconv.Itoa(x.Remaining)}); err != nil {
			return err
		}
	}
	cw.Flush()
	return cw.Error()
}

func (p *migratePlan) tell(out io.Writer, specs *document.Specs, s *plan.Schedule, points []plan.Point) error {
	type line struct{ active, dormant, capacity int }
	weeks := map[document.Date]map[string]*line{}
	var s1sps []string
	for _, u := range s.Uses {
		w := p.from.AddDays(int(u.Day.Time().Sub(p.from.Time()).Hours()/24) / 7 * 7)
		if weeks[w] == nil {
			weeks[w] = map[string]*line{}
		}
		if weeks[w][u.S1SP] == nil {
			weeks[w][u.S1SP] = &line{}
		}
		if !slices.Contains(s1sps, u.S1SP) {
			s1sps = append(s1sps, u.S1SP)
		}
		l := weeks[w][u.S1SP]
		l.active += u.Allocated
		l.dormant += u.Dormant
		l.capacity += u.Capacity + u.Dormant
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\nWEEK FROM\t")
	for _, x := range s1sps {
		fmt.Fprintf(t, "%s ACTIVE\tDORMANT\tOF\t", x)
	}
	fmt.Fprintln(t)
	last := p.from.Date
	for _, x := range s.Placements {
		if x.Day.After(last) {
			last = x.Day
		}
	}
	for _, w := range slices.SortedFunc(maps.Keys(weeks), document.Date.Compare) {
		if w.After(last) {
			break // nothing is planned from here on
		}
		fmt.Fprintf(t, "%s\t", w)
		for _, x := range s1sps {
			l := weeks[w][x]
			fmt.Fprintf(t, "%d\t%d\t%d\t", l.active, l.dormant, l.capacity)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	codes := map[string]int{}
	for _, x := range s.Placements {
		if x.Code != "" {
			codes[x.Code]++
		}
	}
	fmt.Fprintf(out, "\n%d of %d homes have a day\n", s.Planned(), len(s.Placements))
	for _, k := range slices.Sorted(maps.Keys(codes)) {
		fmt.Fprintf(out, "  %d without: %s\n", codes[k], specs.Catalogue.Explain(k))
	}
	if n := len(points); n > 0 {
		end := points[n-1]
		fmt.Fprintf(out, "forecast: %d migrated and %d lost by the week of %s, %d remaining\n", end.Migrated, end.Lost, end.Week, end.Remaining)
	}
	return nil
}
