package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"smets1/migration/document"
)

// Standing is where an installation stands in the portfolio's account.
type Standing string

// The standings. Every installation is in exactly one.
const (
	Migrated  Standing = "migrated"
	Remaining Standing = "remaining"
	Excluded  Standing = "excluded"
	Withdrawn Standing = "withdrawn"
)

// Home is what a run has to say about one installation.
type Home struct {
	Installation document.EUI
	GroupID      string
	Cohort       string
	Status       document.Status
	Meters       []Meter
	Phase        string // how far it came
	Outcome      string // Commissioned, PartiallyCommissioned, Failed, NotAttempted …
	Code         string // of the catalogue; empty for success
	Attempts     int
	Start, End   time.Time // virtual time
	NextStep     string
	Standing     Standing
	Attempted    bool // entered the state Quiesced on the day
}

// Meter is one meter of a home, as R01 lists it.
type Meter struct {
	Fuel     document.Fuel
	MPxN     document.MPxN
	DeviceID document.EUI
	Supplier document.EUI
	Outcome  string
	Code     string
}

// Data is what reports are made of.
type Data struct {
	AsAt        time.Time
	GeneratedBy string // program and version
	Portfolio   *document.Portfolio
	Homes       []Home
	Supplier    document.EUI  // R01, R03, R05: whose; zero means every supplier's
	Day         document.Date // R02: of which day; zero means all

	Catalogue   *document.Catalogue // sentences and remedies of codes; nil leaves them out
	Moves       []Record            // the audit trail, in its order
	Files       []string            // names of the run's files
	Notices     []DormantNotice
	Days        []CapacityDay
	Commitments []Commitment
	Forecast    []ForecastPoint
}

// Definition is one report: what it is, for whom, and how it is made.
type Definition struct {
	ID       string
	File     string // name of its files, without an extension
	Title    string
	Audience string
	Columns  []string
	rows     func(Data) ([][]string, error)
}

// Reports is the list of reports, in the order of their identifiers. OUT is the outcome report
// of a run; R01 to R10 are the reporting regime. A new report is a new entry.
var Reports = []Definition{
	{"OUT", "outcome", "Outcome of the run", "whoever ran it",
		[]string{"Installation", "GroupID", "Cohort", "Status", "Phase", "Outcome", "Code", "Attempts", "Start", "End", "DurationSeconds", "NextStep"}, outcomeRows},
	{"R01", "R01-daily-outcome", "Daily Migration Outcome", "responsible supplier",
		[]string{"Supplier", "Installation", "Fuel", "MPxN", "DeviceID", "Status", "Attempted", "Outcome", "Code", "NextStep"}, r01Rows},
	{"R02", "R02-network-operator-notice", "Daily Network Operator Notice", "network operator",
		[]string{"NetworkOperator", "Fuel", "MPxN", "DeviceID", "Installation", "S1SP", "DateCommissioned"}, r02Rows},
	{"R03", "R03-supplier-scorecard", "Weekly Supplier Scorecard", "responsible supplier",
		[]string{"Week", "Supplier", "Demand", "Allocated", "Authorised", "Attempted", "Migrated", "Failures", "FailuresByCode", "SuccessPercent"}, r03Rows},
	{"R04", "R04-capacity", "Capacity and Allocation", "all responsible suppliers, without their names",
		[]string{"Week", "S1SP", "Capacity", "DormantVolume", "Demand", "Allocated", "Attempted", "UtilisationPercent"}, r04Rows},
	{"R05", "R05-dormant-programme", "Dormant Programme", "responsible supplier",
		[]string{"Supplier", "DormantMeters", "Notified", "FirmwareUpgraded", "Migrated", "CancelledByChangeOfSupplier", "Remaining"}, r05Rows},
	{"R06", "R06-failure-analysis", "Failure Analysis", "DCC, RP, S1SP",
		[]string{"Code", "Provenance", "Area", "Owner", "Failures", "Installations", "MeanAttempts", "OldestOpenDays", "Sentence", "Remedy"}, r06Rows},
	{"R07", "R07-dashboard", "Programme Dashboard", "panel, regulator, government",
		[]string{"Measure", "Cohort", "Status", "Value", "Unit"}, r07Rows},
	{"R08", "R08-rp-performance", "RP Performance", "requesting party",
		[]string{"GroupID", "RP", "FileSets", "MeanValidationMinutes", "MeanTurnaroundMinutes", "OpenFileSets", "RollBacks", "RollBacksFailed", "ManualIntervention"}, r08Rows},
	{"R09", "R09-reconciliation", "Reconciliation", "DCC",
		[]string{"Cohort", "Status", "Portfolio", "Migrated", "Remaining", "Excluded", "Withdrawn", "Balance"}, r09Rows},
	{"R10", "R10-decommissioning", "Decommissioning Readiness", "DCC",
		[]string{"GroupID", "RP", "Portfolio", "Migrated", "ExcludedOrWithdrawn", "Remaining", "OpenIncidents", "Ready", "Detail"}, r10Rows},
}

// Build makes a report.
func Build(id string, d Data) (*Table, error) {
	i := slices.IndexFunc(Reports, func(r Definition) bool { return r.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("there is no report %q", id)
	}
	r := Reports[i]
	rows, err := r.rows(d)
	// An imbalance is reported together with the table that shows it.
	if err != nil && !errors.Is(err, ErrImbalance) {
		return nil, fmt.Errorf("report %s: %w", id, err)
	}
	t := &Table{ID: r.ID, Title: r.Title, Audience: r.Audience, Provenance: string(document.Ours),
		AsAt: d.AsAt.UTC(), GeneratedBy: d.GeneratedBy, Columns: r.Columns, Rows: rows}
	if err := t.seal(); err != nil {
		return nil, err
	}
	return t, err
}

func sorted(homes []Home) []Home {
	out := slices.Clone(homes)
	slices.SortStableFunc(out, func(a, b Home) int { return slices.Compare(a.Installation[:], b.Installation[:]) })
	return out
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func outcomeRows(d Data) ([][]string, error) {
	var out [][]string
	for _, h := range sorted(d.Homes) {
		seconds := ""
		if !h.Start.IsZero() && !h.End.IsZero() {
			seconds = strconv.FormatInt(int64(h.End.Sub(h.Start)/time.Second), 10)
		}
		out = append(out, []string{h.Installation.String(), h.GroupID, h.Cohort, string(h.Status), h.Phase, h.Outcome, h.Code,
			strconv.Itoa(h.Attempts), stamp(h.Start), stamp(h.End), seconds, h.NextStep})
	}
	return out, nil
}

func r01Rows(d Data) ([][]string, error) {
	var out [][]string
	for _, h := range sorted(d.Homes) {
		for _, m := range h.Meters {
			if !d.Supplier.IsZero() && m.Supplier != d.Supplier {
				continue
			}
			out = append(out, []string{m.Supplier.String(), h.Installation.String(), string(m.Fuel), string(m.MPxN), m.DeviceID.String(),
				string(h.Status), map[bool]string{true: "Y", false: "N"}[h.Attempted], m.Outcome, m.Code, h.NextStep})
		}
	}
	slices.SortStableFunc(out, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	return out, nil
}

// ErrImbalance means that the account of R09 does not come out: installations of the portfolio
// are missing from the run's account, or counted twice.
var ErrImbalance = errors.New("the reconciliation does not balance to zero")

// r09Rows sets the portfolio's own count against the run's account of it. The two are counted
// from different sources, so that a home that was lost or counted twice shows.
func r09Rows(d Data) ([][]string, error) {
	if d.Portfolio == nil {
		return nil, errors.New("a portfolio is wanted")
	}
	type key struct {
		cohort string
		status document.Status
	}
	type account struct {
		portfolio int
		by        map[Standing]int
	}
	accounts := map[key]*account{}
	at := func(k key) *account {
		if accounts[k] == nil {
			accounts[k] = &account{by: map[Standing]int{}}
		}
		return accounts[k]
	}
	for i := range d.Portfolio.Installations {
		in := &d.Portfolio.Installations[i]
		at(key{in.Cohort, in.Status()}).portfolio++
	}
	counted := map[document.EUI]int{}
	for _, h := range d.Homes {
		at(key{h.Cohort, h.Status}).by[h.Standing]++
		counted[h.Installation]++
	}
	var wrong []string
	for i := range d.Portfolio.Installations {
		id := d.Portfolio.Installations[i].ID
		if n := counted[id]; n != 1 {
			wrong = append(wrong, fmt.Sprintf("%s is counted %d times", id, n))
		}
		delete(counted, id)
	}
	for id := range counted {
		wrong = append(wrong, fmt.Sprintf("%s is not in the portfolio", id))
	}

	keys := make([]key, 0, len(accounts))
	for k := range accounts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.cohort, b.cohort), cmp.Compare(a.status, b.status))
	})
	total := &account{by: map[Standing]int{}}
	var out [][]string
	line := func(cohort, status string, a *account) {
		sum := 0
		cells := []string{cohort, status, strconv.Itoa(a.portfolio)}
		for _, s := range []Standing{Migrated, Remaining, Excluded, Withdrawn} {
			cells = append(cells, strconv.Itoa(a.by[s]))
			sum += a.by[s]
		}
		if balance := a.portfolio - sum; balance != 0 {
			wrong = append(wrong, fmt.Sprintf("%s %s has balance %d", cohort, status, balance))
		}
		out = append(out, append(cells, strconv.Itoa(a.portfolio-sum)))
	}
	for _, k := range keys {
		a := accounts[k]
		line(k.cohort, string(k.status), a)
		total.portfolio += a.portfolio
		for s, n := range a.by {
			total.by[s] += n
		}
	}
	line("All", "All", total)
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return out, fmt.Errorf("%w: %s (%d findings)", ErrImbalance, wrong[0], len(wrong))
	}
	return out, nil
}
