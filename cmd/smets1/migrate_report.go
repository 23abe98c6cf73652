package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"smets1/migration/document"
	"smets1/migration/report"
)

type migrateReport struct {
	tools      *migrateTools
	input, run string
	out        string
	figures    []string
	supplier   euiFlag
	day        dateFlag
}

func newMigrateReportCommand(m *migrateTools) *cobra.Command {
	r := &migrateReport{tools: m}
	c := &cobra.Command{
		Use:   "report",
		Short: "Make the reports R01 to R10 of a run, as CSV, JSON and one HTML page",
		Long: `report reads what a run left in --run (audit.jsonl, outcome.json, files/) and the
portfolio that it worked on, verifies the audit trail, and writes every report and
report.html, one page with charts that needs nothing else. --figures adds demand,
capacity and forecast from what allocate and plan wrote.

The account (R09) must balance to zero; where it does not, all files are written and
the exit status is 1.`,
		Example: `  smets1 demo && smets1 migrate report --run out --out reports
  smets1 migrate report --run out --figures plan/figures.json --supplier 70-B3-D5-1F-30-00-A0-08`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return r.make(c) },
	}
	f := c.Flags()
	f.StringVar(&r.input, "input", demoInputs, "folder with portfolio.csv")
	f.StringVar(&r.run, "run", "out", "folder of the run")
	f.StringVar(&r.out, "out", "reports", "folder for the reports")
	f.StringSliceVar(&r.figures, "figures", nil, "figures.json of plan and allocate; may be given twice")
	f.Var(&r.supplier, "supplier", "only this supplier, in R01, R03 and R05")
	f.Var(&r.day, "day", "only this day, in R02")
	return c
}

// loadRun reads a run and the portfolio it worked on.
func loadRun(c *cobra.Command, m *migrateTools, input, run string) (*document.Specs, *report.Run, error) {
	specs, _, err := m.open()
	if err != nil {
		return nil, nil, err
	}
	// A run on a fleet of its own has its inputs beside its results.
	if own := filepath.Join(run, "input"); !c.Flags().Changed("input") {
		if _, err := os.Stat(filepath.Join(own, portfolioName)); err == nil {
			input = own
		}
	}
	portfolio, err := readList(c, specs, filepath.Join(input, portfolioName), document.ReadPortfolio)
	if err != nil {
		return nil, nil, err
	}
	r, err := report.LoadRun(specs, run, portfolio)
	if err != nil {
		return nil, nil, usageError{err}
	}
	tellProblems(c.ErrOrStderr(), r.Problems)
	return specs, r, nil
}

func (r *migrateReport) make(c *cobra.Command) error {
	_, run, err := loadRun(c, r.tools, r.input, r.run)
	if err != nil {
		return err
	}
	d := run.Data
	d.Supplier, d.Day = r.supplier.EUI, r.day.Date
	for _, path := range r.figures {
		b, err := os.ReadFile(path)
		if err != nil {
			return usageError{err}
		}
		var f planFigures
		if err := json.Unmarshal(b, &f); err != nil {
			return usageError{fmt.Errorf("%s: %w: it is a file that plan or allocate wrote", path, err)}
		}
		d.Days = append(d.Days, f.Days...)
		d.Commitments = append(d.Commitments, f.Commitments...)
		if f.Forecast != nil {
			d.Forecast = f.Forecast
		}
	}
	names, err := report.WriteAll(r.out, d)
	if err != nil && !errors.Is(err, report.ErrImbalance) {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "audit trail: %d records, good; its head is %s\nwrote %d files to %s, among them %s\n",
		run.Head.Seq, run.Head.Hash, len(names), r.out, filepath.Join(r.out, "report.html"))
	return err
}

func newMigrateExplainCommand(m *migrateTools) *cobra.Command {
	input, run, asJSON := "", "", false
	c := &cobra.Command{
		Use:   "explain INSTALLATION",
		Short: "Tell one home's whole story: what happened when, by which file, with codes and remedies",
		Long: `explain puts together what the audit trail and the documents of a run say of one home.
The home is named by the identity of its hub, of one of its devices, or by an MPAN or MPRN.`,
		Example: `  smets1 migrate explain --run out 00-DB-12-34-50-C2-EC-78
  smets1 migrate explain --run out 1809838469646 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			specs, r, err := loadRun(c, m, input, run)
			if err != nil {
				return err
			}
			in, err := report.FindInstallation(r.Data.Portfolio, args[0])
			if err != nil {
				return usageError{err}
			}
			s, err := r.Tell(specs, in)
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(s)
			}
			return s.Write(c.OutOrStdout(), 0)
		},
	}
	c.Flags().StringVar(&input, "input", demoInputs, "folder with portfolio.csv")
	c.Flags().StringVar(&run, "run", "out", "folder of the run")
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}
