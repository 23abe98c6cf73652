package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"smets1/migration/document"
	"smets1/migration/plan"
	"smets1/migration/report"
)

type migrateDemand struct {
	tools           *migrateTools
	input, out      string
	supplier        euiFlag
	s1sp, reference string
	from            dateFlag
	perDay          int
	form            string
}

func newMigrateDemandCommand(m *migrateTools) *cobra.Command {
	d := &migrateDemand{tools: m}
	c := &cobra.Command{
		Use:   "demand [FILE]",
		Short: "Make a supplier's demand, as an Excel template or CSV, and turn a template into CSV",
		Long: `demand without a file makes a Demand Commitment for four weeks from a Monday: the
active homes that --input has for the supplier and S1SP, spread evenly over the
working days, or --per-day for each of them. As xlsx it is the demand template, a
workbook to fill in; as csv it is the file that is sent.

With a FILE (a template that was filled in, or a CSV) it reads it, says what is wrong
with it by sheet and cell, and writes the CSV.`,
		Example: `  smets1 migrate demand --supplier 70-B3-D5-1F-30-00-A0-08 --s1sp CGI --from 2019-07-15 --form xlsx
  smets1 migrate demand DC_AAA123_70-B3-D5-1F-30-00-A0-08_CGI_20190715.xlsx --out sent`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				return d.convert(c, args[0])
			}
			return d.make(c)
		},
	}
	f := c.Flags()
	f.StringVar(&d.input, "input", demoInputs, "folder with portfolio.csv, to count homes from")
	f.StringVar(&d.out, "out", ".", "folder for the file")
	f.Var(&d.supplier, "supplier", "the supplier's identity")
	f.StringVar(&d.s1sp, "s1sp", "", "the S1SP that the homes are with, like CGI")
	f.StringVar(&d.reference, "reference", "AAA123", "the supplier's reference, 1 to 16 letters and digits")
	f.Var(&d.from, "from", "Monday on which the period starts")
	f.IntVar(&d.perDay, "per-day", -1, "installations on each working day (default: the portfolio's, spread evenly)")
	f.StringVar(&d.form, "form", "csv", "csv or xlsx")
	return c
}

func (d *migrateDemand) make(c *cobra.Command) error {
	if err := wants(c, "supplier", "s1sp", "from"); err != nil {
		return err
	}
	specs, cal, err := d.tools.open()
	if err != nil {
		return err
	}
	all, prepay := 0, 0
	if d.perDay < 0 {
		portfolio, err := readList(c, specs, filepath.Join(d.input, portfolioName), document.ReadPortfolio)
		if err != nil {
			return err
		}
		all, prepay = countDemand(portfolio, d.supplier.EUI, d.s1sp)
	}
	period := document.Period{}
	working := 0
	for n := range period.Days() {
		if cal.WorkingDay(d.from.AddDays(n)) {
			working++
		}
	}
	turn := 0
	share := func(total int) int { return total*(turn+1)/working - total*turn/working }
	dem := document.NewDemand(d.reference, strings.ToUpper(d.s1sp), d.supplier.EUI, d.from.Date, period, func(day document.Date) (int, int) {
		if !cal.WorkingDay(day) {
			return 0, 0
		}
		if d.perDay >= 0 {
			return d.perDay, 0
		}
		a := share(all)
		p := min(a, share(prepay))
		turn++
		return a, p
	})
	cycle := cal.Cycle(d.from.Date, period)
	fmt.Fprintf(c.OutOrStdout(), "%d installations from %s to %s; due by %s, answered by %s; firm to %s\n", dem.Total(), cycle.From, cycle.To,
		cycle.DemandBy.Format("Monday 2 January 2006 15:04 MST"), cycle.ResponseBy.Format("Monday 2 January 15:04 MST"), cycle.Firm)
	switch d.form {
	case "csv":
		return d.write(c, specs, dem)
	case "xlsx":
		return emit(c, d.out, dem.Name.With(document.KindDC, "xlsx").String(), 0o644, func(w io.Writer) error { return document.WriteDemandTemplate(w, specs, dem) })
	}
	return usageError{fmt.Errorf("--form %q: csv or xlsx", d.form)}
}

// write writes the CSV and holds it against its own reader: a period that does not start on a Monday shows here.
func (d *migrateDemand) write(c *cobra.Command, specs *document.Specs, dem *document.Demand) error {
	name := dem.Name.With(document.KindDC, "csv").String()
	var b strings.Builder
	if err := document.WriteDemand(&b, specs, dem); err != nil {
		return usageError{err}
	}
	if _, ps := document.ReadDemand(specs, document.Period{}, name, strings.NewReader(b.String())); ps != nil {
		return usageError{ps}
	}
	return emit(c, d.out, name, 0o644, func(w io.Writer) error { _, err := io.WriteString(w, b.String()); return err })
}

func (d *migrateDemand) convert(c *cobra.Command, path string) error {
	specs, _, err := d.tools.open()
	if err != nil {
		return err
	}
	dem, err := readList(c, specs, path, readDemand)
	if err != nil {
		return err
	}
	if len(dem.Rows) < (document.Period{}).Days() {
		return usageError{fmt.Errorf("%s has rows that must be corrected first", path)}
	}
	return d.write(c, specs, dem)
}

func readDemand(specs *document.Specs, file string, r io.Reader) (*document.Demand, document.Problems) {
	return document.ReadDemand(specs, document.Period{}, file, r)
}

func readResponse(specs *document.Specs, file string, r io.Reader) (*document.DemandResponse, document.Problems) {
	return document.ReadDemandResponse(specs, document.Period{}, file, r)
}

func readResponses(c *cobra.Command, specs *document.Specs, args []string) ([]*document.DemandResponse, error) {
	files, err := documents(args, document.KindDR)
	if err != nil {
		return nil, err
	}
	var out []*document.DemandResponse
	for _, f := range files {
		r, err := readList(c, specs, f, readResponse)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// countDemand counts the active homes of a supplier with an S1SP.
func countDemand(p *document.Portfolio, supplier document.EUI, s1sp string) (all, prepay int) {
	for i := range p.Installations {
		in := &p.Installations[i]
		if in.Status() != document.Active || in.Exclusion != "" || !strings.EqualFold(in.S1SP, s1sp) {
			continue
		}
		for _, m := range in.Meters() {
			if m.Supplier != supplier || m.Status != document.Active {
				continue
			}
			all++
			if m.PaymentMode == document.Prepayment {
				prepay++
			}
			break
		}
	}
	return all, prepay
}

type migrateAllocate struct {
	tools      *migrateTools
	capacity   string
	limit      int
	out        string
	dmin       int
	schedule   string
	received   timeFlag
	reallocate dateFlag
	input      string
	keys       string
}

func newMigrateAllocateCommand(m *migrateTools) *cobra.Command {
	a := &migrateAllocate{tools: m}
	c := &cobra.Command{
		Use:   "allocate FILE|FOLDER…",
		Short: "Answer the demand of all suppliers for one period; on Friday, offer again what was not used",
		Long: `allocate reads the Demand Commitments of one period and writes a Demand Response for
each: the flat part (DMIN, published: 100 installations a day) first, the rest in
proportion to what each asked beyond it.

With --reallocate MONDAY it reads Demand Responses instead, counts the authorisations
in --input, takes back what nobody has authorised for that week and offers it to
suppliers who have used all of theirs.`,
		Example: `  smets1 migrate allocate --limit 1000 --out responses DC_*.csv
  smets1 migrate allocate --reallocate 2019-07-15 --input programme --out friday responses`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.run(c, args) },
	}
	f := c.Flags()
	f.StringVar(&a.capacity, "capacity", "", "capacity file")
	f.IntVar(&a.limit, "limit", 0, "installations a day for each S1SP, in place of a capacity file")
	f.StringVar(&a.out, "out", "responses", "folder for the responses")
	f.IntVar(&a.dmin, "dmin", plan.DMin, "flat allocation, installations a day")
	f.StringVar(&a.schedule, "schedule", "", "schedule whose dormant homes come off the capacity (default: the whole dormant share does)")
	f.Var(&a.received, "received", "when the demand came: with it, late demand is refused")
	f.Var(&a.reallocate, "reallocate", "Monday of the week to offer again")
	f.StringVar(&a.input, "input", demoInputs, "folder with portfolio.csv and the authorisations, for --reallocate")
	f.StringVar(&a.keys, "pki", "", "folder with the key that opens encrypted password files; without it they are plain")
	return c
}

func (a *migrateAllocate) run(c *cobra.Command, args []string) error {
	specs, cal, err := a.tools.open()
	if err != nil {
		return err
	}
	rules := plan.Rules{Calendar: cal, DMin: &a.dmin}
	if a.dmin < 0 {
		return usageError{fmt.Errorf("--dmin %d: it cannot be negative", a.dmin)}
	}
	if !a.reallocate.IsZero() {
		return a.again(c, specs, rules, args)
	}
	files, err := documents(args, document.KindDC)
	if err != nil {
		return err
	}
	var demands []*document.Demand
	for _, f := range files {
		d, err := readList(c, specs, f, readDemand)
		if err != nil {
			return err
		}
		if !a.received.IsZero() {
			if ps := rules.Late(specs, d, document.At(a.received.Time)); ps != nil {
				return usageError{ps}
			}
		}
		demands = append(demands, d)
	}
	if len(demands) == 0 {
		return usageError{fmt.Errorf("no demand (DC_…) in %s", strings.Join(args, " "))}
	}
	limits, err := a.limits(c, specs, demands)
	if err != nil {
		return err
	}
	rules.Capacity = plan.NewCapacity(cal, limits)
	if a.schedule != "" {
		placements, err := readList(c, specs, a.schedule, document.ReadSchedule)
		if err != nil {
			return err
		}
		rules.Dormant = plannedDormant(placements)
	}
	responses, uses, ps := rules.Respond(specs, demands)
	if ps != nil {
		return usageError{ps}
	}
	figures := planFigures{}
	for _, u := range uses {
		figures.Days = append(figures.Days, report.CapacityDay{S1SP: u.S1SP, Day: u.Day, Capacity: u.Capacity, Dormant: u.Dormant, Demand: u.Demand, Allocated: u.Allocated})
	}
	for i, r := range responses {
		for w := 0; w < len(r.Rows); w += 7 {
			x := report.Commitment{Supplier: r.Name.EUI, S1SP: r.Name.S1SP, Week: r.Rows[w].Date}
			for _, row := range r.Rows[w:min(w+7, len(r.Rows))] {
				x.Demand += demands[i].On(row.Date)
				x.Allocated += row.Allocated
			}
			figures.Commitments = append(figures.Commitments, x)
		}
	}
	if err := writeResponses(c, specs, a.out, responses); err != nil {
		return err
	}
	if err := emit(c, a.out, figuresName, 0o644, figures.write); err != nil {
		return err
	}
	return tellResponses(c.OutOrStdout(), cal, responses)
}

func (a *migrateAllocate) limits(c *cobra.Command, specs *document.Specs, demands []*document.Demand) ([]document.Constraint, error) {
	switch {
	case a.limit > 0:
		var out []document.Constraint
		seen := map[string]bool{}
		for _, d := range demands {
			if s := strings.ToUpper(d.Name.S1SP); !seen[s] {
				seen[s] = true
				out = append(out, document.Constraint{Kind: document.LimitS1SP, S1SP: s, From: d.From(), Days: document.EveryDay, Limit: a.limit, PerInstallation: 1})
			}
		}
		return out, nil
	case a.capacity != "":
		return readList(c, specs, a.capacity, document.ReadCapacity)
	}
	return nil, usageError{fmt.Errorf("%s wants --capacity or --limit", c.CommandPath())}
}

// plannedDormant counts the dormant homes of a schedule by S1SP and day.
func plannedDormant(placements []document.Placement) func(string, document.Date) int {
	type key struct {
		s1sp string
		day  document.Date
	}
	n := map[key]int{}
	for _, p := range placements {
		if p.Status == document.Dormant && !p.Day.IsZero() {
			n[key{strings.ToUpper(p.S1SP), p.Day}]++
		}
	}
	return func(s string, d document.Date) int { return n[key{strings.ToUpper(s), d}] }
}

func writeResponses(c *cobra.Command, specs *document.Specs, out string, responses []*document.DemandResponse) error {
	for _, r := range responses {
		if err := emit(c, out, r.Name.With(document.KindDR, "csv").String(), 0o644, func(w io.Writer) error { return document.WriteDemandResponse(w, specs, r) }); err != nil {
			return err
		}
	}
	return nil
}

func tellResponses(out io.Writer, cal *plan.Calendar, responses []*document.DemandResponse) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nSUPPLIER\tS1SP\tWEEK FROM\tCOMMITTED\tALLOCATED\tFLAT\tPRO RATA\t\t")
	for _, r := range responses {
		for w := 0; w < len(r.Rows); w += 7 {
			var d document.ResponseDay
			for _, row := range r.Rows[w:min(w+7, len(r.Rows))] {
				d.Committed += row.Committed
				d.Allocated += row.Allocated
				d.Flat += row.Flat
				d.ProRata += row.ProRata
			}
			firm := "firm"
			if w/7 >= cal.FirmWeeks {
				firm = "indicative"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t\n", r.Name.EUI, r.Name.S1SP, r.Rows[w].Date, d.Committed, d.Allocated, d.Flat, d.ProRata, firm)
		}
	}
	return t.Flush()
}

// again is Friday's run.
func (a *migrateAllocate) again(c *cobra.Command, specs *document.Specs, rules plan.Rules, args []string) error {
	responses, err := readResponses(c, specs, args)
	if err != nil {
		return err
	}
	if len(responses) == 0 {
		return usageError{fmt.Errorf("no response (DR_…) in %s", strings.Join(args, " "))}
	}
	portfolio, err := readList(c, specs, filepath.Join(a.input, portfolioName), document.ReadPortfolio)
	if err != nil {
		return err
	}
	codec, err := passwordKey(a.keys)
	if err != nil {
		return err
	}
	authorisations, err := readAuthorisations(c, specs, a.input, codec)
	if err != nil {
		return err
	}
	type key struct {
		supplier document.EUI
		s1sp     string
		day      document.Date
	}
	homes := map[key]map[document.EUI]bool{}
	for _, x := range authorisations {
		for _, r := range x.Rows {
			k := key{r.SupplierUserID, strings.ToUpper(x.Name.S1SP), r.Earliest}
			if r.Withdraw {
				continue
			}
			if homes[k] == nil {
				homes[k] = map[document.EUI]bool{}
			}
			id := r.DeviceID
			if in, ok := portfolio.ByDevice(r.DeviceID); ok {
				id = in.ID
			}
			homes[k][id] = true
		}
	}
	out, err := rules.Reallocate(responses, a.reallocate.Date, func(s document.EUI, s1sp string, d document.Date) int {
		return len(homes[key{s, strings.ToUpper(s1sp), d}])
	})
	if err != nil {
		return usageError{err}
	}
	if err := writeResponses(c, specs, a.out, out); err != nil {
		return err
	}
	return tellResponses(c.OutOrStdout(), rules.Calendar, out)
}
