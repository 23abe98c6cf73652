package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"smets1/migration/document"
	"smets1/migration/report"
)

const (
	migrateInput    = "../../testdata/migration/demo"
	migrateSupplier = "70-B3-D5-1F-30-00-A0-08"
)

// migrate runs smets1 migrate as a person would.
func migrate(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return typed(t, append([]string{"migrate"}, args...)...)
}

// typed runs smets1 as a person would.
func typed(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	root := newRootCommand()
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	var usage usageError
	switch {
	case err == nil:
	case errors.As(err, &usage):
		code = exitUsage
	default:
		code = exitFailed
	}
	if err != nil {
		errs.WriteString("smets1: " + err.Error() + "\n")
	}
	return out.String(), errs.String(), code
}

func good(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := migrate(t, args...)
	require.Zero(t, code, "%v: %s%s", args, out, errs)
	return out
}

func only(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.Len(t, names, 1, pattern)
	return names[0]
}

// From a demand template that a supplier fills in, to the response and Friday's run.
func TestMigrateDemandToAllocation(t *testing.T) {
	dir := t.TempDir()
	out := good(t, "demand", "--input", migrateInput, "--supplier", migrateSupplier, "--s1sp", "cgi", "--from", "2019-07-15", "--form", "xlsx", "--out", dir)
	require.Contains(t, out, "5 installations from 2019-07-15 to 2019-08-11; due by Tuesday 2 July 2019 17:00 BST")
	path := only(t, filepath.Join(dir, "*.xlsx"))
	x, err := excelize.OpenFile(path)
	require.NoError(t, err)
	require.NoError(t, x.SetCellInt("Demand", "F6", 300))
	require.NoError(t, x.Save())
	require.NoError(t, x.Close())
	good(t, "demand", path, "--out", filepath.Join(dir, "sent"))
	good(t, "demand", "--supplier", "70-B3-D5-1F-30-00-A0-09", "--s1sp", "CGI", "--from", "2019-07-15", "--per-day", "1200", "--out", filepath.Join(dir, "sent"))

	out = good(t, "allocate", "--limit", "1000", "--out", filepath.Join(dir, "dr"), filepath.Join(dir, "sent"))
	require.Contains(t, out, "indicative")
	show := good(t, "show", filepath.Join(dir, "dr", "DR_AAA123_"+migrateSupplier+"_CGI_20190715.csv"))
	require.Regexp(t, `2019-07-15 +Monday +300 +223 +100 +123 +1000 +Scaled`, show)
	good(t, "check", filepath.Join(dir, "dr"), filepath.Join(dir, "sent"))
	good(t, "allocate", "--reallocate", "2019-07-15", "--input", migrateInput, "--out", filepath.Join(dir, "friday"), filepath.Join(dir, "dr"))
	show = good(t, "show", filepath.Join(dir, "friday", "DR_AAA123_"+migrateSupplier+"_CGI_20190715.csv"))
	require.Regexp(t, `2019-07-15 +Monday +300 +0 +0 +0 +1000 +Released`, show, "nothing was authorised for that week")

	_, errs, code := migrate(t, "allocate", "--limit", "1000", "--received", "2019-07-03", "--out", dir, filepath.Join(dir, "sent"))
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "XDM07")
}

// A spoiled template is told by sheet and cell, and nothing is written.
func TestMigrateDemandTellsTheCell(t *testing.T) {
	dir := t.TempDir()
	good(t, "demand", "--supplier", migrateSupplier, "--s1sp", "CGI", "--from", "2019-07-15", "--per-day", "5", "--form", "xlsx", "--out", dir)
	path := only(t, filepath.Join(dir, "*.xlsx"))
	x, err := excelize.OpenFile(path)
	require.NoError(t, err)
	require.NoError(t, x.SetCellStr("Demand", "F7", "lots"))
	require.NoError(t, x.Save())
	require.NoError(t, x.Close())
	_, errs, code := migrate(t, "demand", path, "--out", filepath.Join(dir, "sent"))
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, `Demand!F7: CommittedActive: XDM04: Found "lots"`)
	require.NoDirExists(t, filepath.Join(dir, "sent"))
	_, errs, code = migrate(t, "demand", "--supplier", migrateSupplier)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "wants --s1sp and --from")
}

func TestMigrateAuthoriseSealsAndOpens(t *testing.T) {
	dir := t.TempDir()
	keys := filepath.Join(dir, "pki")
	good(t, "pki", "--out", keys)
	_, errs, code := migrate(t, "pki", "--out", keys)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "never overwritten")
	st, err := os.Stat(filepath.Join(keys, "RP-agreement-key.pem"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())

	ma := filepath.Join(dir, "ma")
	out := good(t, "authorise", "--input", migrateInput, "--supplier", migrateSupplier, "--s1sp", "CGI", "--at", "2019-04-05T10:00:00Z", "--critical", "500001", "--non-critical", "500002", "--form", "xlsx", "--out", ma)
	require.Contains(t, out, "10 meters from 2019-04-09 to 2019-05-07")
	form := only(t, filepath.Join(ma, "*.xlsx"))
	_, errs, code = migrate(t, "authorise", form, "--out", ma)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "--insecure-password-file")
	good(t, "authorise", form, "--pki", keys, "--out", ma)
	zip := only(t, filepath.Join(ma, "*.zip"))
	require.Contains(t, good(t, "show", "--pki", keys, zip), "1809838469646")
	good(t, "check", "--pki", keys, ma)
	out, _, code = migrate(t, "check", "-q", zip)
	require.Equal(t, exitUsage, code)
	require.Contains(t, out, "XMA03")
	good(t, "authorise", form, "--insecure-password-file", "--out", filepath.Join(dir, "plain"))
	good(t, "check", filepath.Join(dir, "plain"))
}

func TestMigratePlanAndNotify(t *testing.T) {
	dir := t.TempDir()
	out := good(t, "plan", "--input", migrateInput, "--from", "2019-04-08", "--limit", "4", "--out", filepath.Join(dir, "plan"))
	require.Contains(t, out, "26 of 27 homes have a day")
	require.Contains(t, out, "1 without: MA110")
	schedule := filepath.Join(dir, "plan", "schedule.csv")
	good(t, "check", schedule)
	good(t, "notify", "--input", migrateInput, "--schedule", schedule, "--at", "2019-04-08T07:00:00Z", "--out", filepath.Join(dir, "first"))
	good(t, "check", filepath.Join(dir, "first"))
	out = good(t, "notify", "--input", migrateInput, "--schedule", schedule, "--previous", filepath.Join(dir, "first"), "--at", "2019-04-09T07:00:00Z", "--out", filepath.Join(dir, "second"))
	require.Contains(t, out, "nothing to tell")
	_, errs, code := migrate(t, "plan", "--input", migrateInput, "--from", "2019-04-08", "--out", dir)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "--limit")
}

// A run's folder becomes reports, and a home of it a story.
func TestMigrateReportAndExplain(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	require.NoError(t, os.MkdirAll(filepath.Join(run, "files"), 0o755))
	f, err := os.Open(filepath.Join(migrateInput, "portfolio.csv"))
	require.NoError(t, err)
	specs, err := document.DefaultSpecs()
	require.NoError(t, err)
	portfolio, ps := document.ReadPortfolio(specs, "portfolio.csv", f)
	require.Empty(t, ps)
	require.NoError(t, f.Close())
	at := time.Date(2019, 4, 10, 8, 0, 0, 0, time.UTC)
	d := report.Data{AsAt: at, GeneratedBy: "test", Portfolio: portfolio}
	var audit bytes.Buffer
	trail := report.NewTrail(&audit, report.Head{})
	for i := range portfolio.Installations {
		in := &portfolio.Installations[i]
		d.Homes = append(d.Homes, report.Home{Installation: in.ID, GroupID: in.GroupID, Cohort: in.Cohort, Status: in.Status(), Outcome: "NotAttempted", NextStep: "to be planned", Standing: report.Remaining})
		_, err := trail.Append(report.Record{Time: at, Who: "RP", Installation: in.ID, From: "Planned", To: "Blocked", Code: "MA110", Detail: "no entry"})
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(filepath.Join(run, "audit.jsonl"), audit.Bytes(), 0o600))
	outcome, err := report.Build("OUT", d)
	require.NoError(t, err)
	var j bytes.Buffer
	require.NoError(t, outcome.WriteJSON(&j))
	require.NoError(t, os.WriteFile(filepath.Join(run, "outcome.json"), j.Bytes(), 0o600))

	out := good(t, "report", "--input", migrateInput, "--run", run, "--out", filepath.Join(dir, "reports"))
	require.Contains(t, out, "audit trail: 27 records, good")
	page, err := os.ReadFile(filepath.Join(dir, "reports", "report.html"))
	require.NoError(t, err)
	require.Contains(t, string(page), "MA110")
	for _, key := range []string{"1809838469646", "00-db-12-34-50-c2-ec-68"} {
		out = good(t, "explain", "--input", migrateInput, "--run", run, key)
		require.Contains(t, out, "MA110: The combination of devices does not match")
		require.Contains(t, out, "Now: Blocked, outcome NotAttempted. Next: to be planned")
	}
	out = good(t, "explain", "--input", migrateInput, "--run", run, "--json", "1809838469646")
	require.Contains(t, out, `"remedy": "Upgrade the firmware`)
	_, errs, code := migrate(t, "explain", "--input", migrateInput, "--run", run, "12")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, `"12"`)
	require.NoError(t, os.WriteFile(filepath.Join(run, "audit.jsonl"), bytes.Replace(audit.Bytes(), []byte("MA110"), []byte("XXXXX"), 1), 0o600))
	_, errs, code = migrate(t, "report", "--input", migrateInput, "--run", run, "--out", dir)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "audit trail was changed")
}

// check judges the whole of the demo's inputs as good, and what is stored as bad as bad.
func TestMigrateCheck(t *testing.T) {
	out := good(t, "check", migrateInput)
	require.NotContains(t, out, "refused")
	require.Contains(t, out, "PORTFOLIO, 27 records: good")
	for _, c := range []struct{ file, want string }{
		{"mcf/group-id/*.xml", "GroupID: XCV01"}, {"dc/negative/*.csv", "CommittedActive: XDM04"}, {"dc-template/total-removed/*.xlsx", ":Demand: XDM08"},
		{"portfolio/no-meter/*.csv", "ESMEDeviceID: XDF05"}, {"ma-container/changed/*.zip", "XMA02"}, {"schedule/twice/*.csv", "XDF04"},
	} {
		out, errs, code := migrate(t, "check", only(t, filepath.Join("../../testdata/migration/bad", c.file)))
		require.Equal(t, exitUsage, code, c.file)
		require.Contains(t, out, c.want)
		require.Contains(t, out, "Remedy: ")
		require.True(t, strings.HasPrefix(errs, "smets1: "), errs)
	}
	_, _, code := migrate(t, "check", "nowhere.csv")
	require.Equal(t, exitUsage, code)
}

// A programme simulated from end to end, and what it refuses.
func TestMigrateSimulate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "simulation")
	out := good(t, "simulate", "--homes", "24", "--weeks", "3", "--no-wan", "0.3", "--out", dir)
	require.Contains(t, out, "days run, each with an account that balances to zero  21")
	require.FileExists(t, filepath.Join(dir, "reports", "report.html"))
	good(t, "check", "-q", filepath.Join(dir, "out", "files"))
	out = good(t, "status", "--run", filepath.Join(dir, "out"))
	require.Regexp(t, `Migrated +close-out +[1-9]`, out)
	good(t, "explain", "--run", filepath.Join(dir, "out"), "--input", filepath.Join(dir, "input"), "00-DB-12-01-00-00-00-07")
	for _, args := range [][]string{{"--out", dir}, {"--homes", "0"}, {"--no-wan", "1.5"}, {"--from", "2019-04-09", "--out", filepath.Join(dir, "x")}} {
		_, errs, code := migrate(t, append([]string{"simulate"}, args...)...)
		require.NotZero(t, code, args)
		require.NotEmpty(t, errs)
	}
	_, errs, code := migrate(t, "status", "--run", t.TempDir())
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "no run has written")
}
