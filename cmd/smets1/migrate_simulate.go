package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"smets1/migration/document"
	"smets1/migration/report"
	"smets1/migration/simulate"
)

type migrateSimulate struct {
	tools *migrateTools
	cfg   simulate.Config
	from  dateFlag
}

func newMigrateSimulateCommand(m *migrateTools) *cobra.Command {
	s := &migrateSimulate{tools: m, cfg: simulate.Config{Rates: simulate.DefaultRates}}
	c := &cobra.Command{
		Use:   "simulate",
		Short: "Rehearse months of a programme in minutes, and hold the forecast against what happened",
		Long: `simulate invents a portfolio and runs a programme on it in virtual time: every week
suppliers commit demand, are answered, authorise and have what they left offered again;
every day meters change supplier and the engine runs the day, with its files, notices,
retries and exclusions. Only the homes are not there: a stand-in for the gateway answers
for them, and fails at the rates given. The account of the portfolio (R09) must balance
to zero after every day, else the simulation stops.

OUT/input holds the programme's files, OUT/out what a run leaves, OUT/reports R01 to R10
and report.html. One seed gives one programme. Rates are parts of one, and ours.`,
		Example: `  smets1 migrate simulate --homes 600 --weeks 26 --out simulation
  smets1 migrate simulate --weeks 12 --no-wan 0.2 --change-of-supplier 0.01 --seed 3
  smets1 migrate explain --run simulation/out --input simulation/input 00-DB-12-01-00-00-00-07`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return s.run(c) },
	}
	f, r := c.Flags(), &s.cfg.Rates
	f.StringVar(&s.cfg.Dir, "out", "simulation", "folder for everything; it must be empty or not there")
	f.IntVar(&s.cfg.Homes, "homes", 600, "installations")
	f.IntVar(&s.cfg.Weeks, "weeks", 26, "how long it lasts at most")
	f.IntVar(&s.cfg.Capacity, "capacity", 0, "installations on a working day for each S1SP (default: what brings the portfolio through in two thirds of the weeks)")
	f.IntVar(&s.cfg.Dormant, "dormant-share", 0, "how many of them the dormant programme may have (default: a third)")
	f.Uint64Var(&s.cfg.Seed, "seed", 1, "seed of portfolio, suppliers and failures")
	f.Var(&s.from, "from", "first day, a Monday (default: 2019-04-08)")
	f.Float64Var(&r.NoWAN, "no-wan", r.NoWAN, "rate: a hub cannot be reached, on a day")
	f.Float64Var(&r.GasSilent, "gas-silent", r.GasSilent, "rate: a gas meter never answers, of the homes with gas")
	f.Float64Var(&r.WrongKey, "wrong-key", r.WrongKey, "rate: the operator's key is wrong, of the homes")
	f.Float64Var(&r.PowerCut, "power-cut", r.PowerCut, "rate: a key change lapses, on an attempt")
	f.Float64Var(&r.FirmwareFails, "firmware-fails", r.FirmwareFails, "rate: an upgrade is cut short, on an attempt")
	f.Float64Var(&r.ChangeOfSupplier, "change-of-supplier", r.ChangeOfSupplier, "rate: a home gets another supplier, in a week")
	return c
}

func (s *migrateSimulate) run(c *cobra.Command) error {
	for _, rate := range []float64{s.cfg.Rates.NoWAN, s.cfg.Rates.GasSilent, s.cfg.Rates.WrongKey, s.cfg.Rates.PowerCut, s.cfg.Rates.FirmwareFails, s.cfg.Rates.ChangeOfSupplier} {
		if !(rate >= 0 && rate <= 1) {
			return usageError{fmt.Errorf("a rate of %v: rates are parts of one, 0 to 1", rate)}
		}
	}
	if s.cfg.Homes < 1 || s.cfg.Homes > 100_000 || s.cfg.Weeks < 1 || s.cfg.Weeks > 520 {
		return usageError{errors.New("--homes is 1 to 100000 and --weeks 1 to 520")}
	}
	if entries, err := os.ReadDir(s.cfg.Dir); err == nil && len(entries) > 0 {
		return usageError{fmt.Errorf("%s is not empty: name another folder by --out", s.cfg.Dir)}
	}
	specs, _, err := s.tools.open()
	if err != nil {
		return err
	}
	s.cfg.From = s.from.Date
	out := c.OutOrStdout()
	line := "%-10s %7v %9v %10v %5v %9v %8v %8v %7v %6v %4v %9v\n"
	fmt.Fprintf(out, line, "WEEK OF", "DEMAND", "ALLOCATED", "AUTHORISED", "MOVED", "ATTEMPTED", "MIGRATED", "FORECAST", "WAITING", "PERSON", "OUT", "UNTOUCHED")
	s.cfg.Week = func(w simulate.Week) {
		fmt.Fprintf(out, line, w.Week, w.Demand, w.Allocated, w.Authorised, w.Moved, w.Attempted, w.Migrated, w.Forecast, w.Waiting, w.Person, w.Out, w.Untouched)
	}
	r, err := simulate.Run(c.Context(), s.cfg)
	if err != nil {
		return err
	}
	if err := s.reports(c, specs, r); err != nil {
		return err
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\ndays run, each with an account that balances to zero\t%d\n", r.Days)
	fmt.Fprintf(t, "attempts that ended in a migration\t%.1f %%, forecast with %.1f %%\n", 100*r.Success, 100*r.Assumed)
	fmt.Fprintf(t, "forecast less what happened, at the end\t%+d of %d homes\n", r.Error(), r.Homes)
	fmt.Fprintf(t, "reports\t%s\n", filepath.Join(s.cfg.Dir, "reports", "report.html"))
	return t.Flush()
}

func (s *migrateSimulate) reports(c *cobra.Command, specs *document.Specs, r *simulate.Result) error {
	portfolio, err := readList(c, specs, filepath.Join(s.cfg.Dir, "input", portfolioName), document.ReadPortfolio)
	if err != nil {
		return err
	}
	run, err := report.LoadRun(specs, filepath.Join(s.cfg.Dir, "out"), portfolio)
	if err != nil {
		return err
	}
	r.Data(&run.Data)
	figures := planFigures{Days: run.Data.Days, Commitments: run.Data.Commitments, Forecast: run.Data.Forecast}
	if err := emit(c, s.cfg.Dir, figuresName, 0o644, func(w io.Writer) error { return figures.write(w) }); err != nil {
		return err
	}
	_, err = report.WriteAll(filepath.Join(s.cfg.Dir, "reports"), run.Data)
	return err
}
