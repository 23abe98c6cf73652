package main

import (
	"bytes"
	"crypto/ecdh"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/document/pki"
	"smets1/migration/engine"
	"smets1/migration/plan"
)

// migrateTools is what all commands of migrate share.
type migrateTools struct {
	specsDir string
	calendar string
}

func newMigrateCommand() *cobra.Command {
	m := &migrateTools{}
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Plan, authorise, notify and report a migration; read its documents",
		Long: `migrate works on the documents of a migration programme: demand and response,
authorisations, notices, file sets, schedules and reports. Everything is a file
that goes in or comes out. Only run-day touches devices, and those over MQTT,
through any gateway that speaks the contract.

File names and the codes MA110 and GT01 are published. Columns, XML and every
code that starts with X are ours: see docs/provenance.md. docs/guide.md walks
through a programme from demand to decommissioning, with these commands.`,
		Example: `  smets1 migrate demand --supplier 70-B3-D5-1F-30-00-A0-08 --s1sp CGI --from 2019-07-15 --form xlsx
  smets1 migrate allocate --capacity capacity.csv --out responses DC_*.csv
  smets1 migrate plan --from 2019-04-08 --limit 20 --out plan
  smets1 migrate run-day --broker tcp://127.0.0.1:1883 --fleet lab --state migration --out out
  smets1 migrate check testdata/migration/demo/*.csv
  smets1 migrate explain --run out 00-DB-12-34-50-C2-EC-78`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.PersistentFlags().StringVar(&m.specsDir, "specs", "", "folder with column layouts and codes that replace the built-in ones")
	c.PersistentFlags().StringVar(&m.calendar, "calendar", "", "calendar file that replaces the built-in bank holidays, windows and lead times")
	c.AddCommand(newMigratePlanCommand(m), newMigrateDemandCommand(m), newMigrateAllocateCommand(m), newMigrateAuthoriseCommand(m), newMigrateNotifyCommand(m),
		newMigrateRunDayCommand(m), newMigrateStatusCommand(), newMigrateSimulateCommand(m), newMigrateReportCommand(m), newMigrateExplainCommand(m), newMigrateShowCommand(m), newMigrateCheckCommand(m), newMigratePKICommand(m))
	return c
}

func (m *migrateTools) open() (*document.Specs, *plan.Calendar, error) {
	s, err := document.OpenSpecs(m.specsDir)
	if err != nil {
		return nil, nil, usageError{err}
	}
	cal, err := plan.OpenCalendar(m.calendar)
	if err != nil {
		return nil, nil, usageError{err}
	}
	return s, cal, nil
}

// demoInputs is the programme that comes with the project.
var demoInputs = filepath.Join("testdata", "migration", "demo")

// Names of a programme's fixed files.
const (
	portfolioName = "portfolio.csv"
	capacityName  = "capacity.csv"
	scheduleName  = "schedule.csv"
)

// readList reads one of a programme's fixed files. Bad rows are told and left out; a file that cannot be used is an error.
func readList[T any](c *cobra.Command, specs *document.Specs, path string, read func(*document.Specs, string, io.Reader) (T, document.Problems)) (T, error) {
	var none T
	f, err := os.Open(path)
	if err != nil {
		return none, usageError{err}
	}
	defer f.Close() //nolint:errcheck // only read
	v, ps := read(specs, filepath.Base(path), f)
	tellProblems(c.ErrOrStderr(), ps)
	if ps.FileFailed() {
		return none, usageError{fmt.Errorf("%s cannot be used", path)}
	}
	return v, nil
}

func tellProblems(w io.Writer, ps document.Problems) {
	for _, p := range ps {
		fmt.Fprintln(w, p.Error())
	}
}

// emit writes a file of the output folder, whole or not at all, and says so.
func emit(c *cobra.Command, dir, name string, mode os.FileMode, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	f, err := os.CreateTemp(dir, ".part-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b.Bytes())
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	fmt.Fprintf(c.OutOrStdout(), "wrote %s\n", path)
	return nil
}

// dateFlag is a flag that holds a day.
type dateFlag struct{ document.Date }

func (d *dateFlag) String() string { return d.Date.String() }
func (d *dateFlag) Type() string   { return "date" }
func (d *dateFlag) Set(s string) error {
	v, err := document.ParseDate(s)
	d.Date = v
	return err
}

// euiFlag is a flag that holds an identity.
type euiFlag struct{ document.EUI }

func (e *euiFlag) String() string {
	if e.IsZero() {
		return ""
	}
	return e.EUI.String()
}
func (e *euiFlag) Type() string { return "EUI-64" }
func (e *euiFlag) Set(s string) error {
	v, err := wire.ParseEUI64(strings.ToUpper(s))
	e.EUI = v
	return err
}

// timeFlag is a flag that holds an instant; zero means now.
type timeFlag struct{ time.Time }

func (t *timeFlag) String() string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}
func (t *timeFlag) Type() string { return "time" }
func (t *timeFlag) Set(s string) error {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", time.DateOnly} {
		if v, err := time.Parse(layout, s); err == nil {
			t.Time = v.UTC()
			return nil
		}
	}
	return fmt.Errorf("%q is not a time; write it as 2019-07-15T08:00:00Z", s)
}

func (t *timeFlag) orNow() time.Time {
	if t.IsZero() {
		return time.Now().UTC().Truncate(time.Second)
	}
	return t.Time
}

// wants says which flags are missing.
func wants(c *cobra.Command, flags ...string) error {
	var missing []string
	for _, f := range flags {
		if !c.Flags().Changed(f) {
			missing = append(missing, "--"+f)
		}
	}
	if missing != nil {
		return usageError{fmt.Errorf("%s wants %s (see %s --help)", c.CommandPath(), strings.Join(missing, " and "), c.CommandPath())}
	}
	return nil
}

// documents expands arguments into files: a folder stands for its files of the kinds wanted, in order of their names.
func documents(args []string, kinds ...document.Kind) ([]string, error) {
	var out []string
	for _, a := range args {
		st, err := os.Stat(a)
		if err != nil {
			return nil, usageError{err}
		}
		if !st.IsDir() {
			out = append(out, a)
			continue
		}
		entries, err := os.ReadDir(a)
		if err != nil {
			return nil, usageError{err}
		}
		for _, e := range entries {
			if n, err := document.ParseName(e.Name()); err == nil && (len(kinds) == 0 || slices.Contains(kinds, n.Kind)) {
				out = append(out, filepath.Join(a, e.Name()))
			}
		}
	}
	return out, nil
}

// The files of a folder that `migrate pki` wrote.
func pkiFile(role pki.Role, what string) string { return string(role) + "-" + what + ".pem" }

// roles reads the parties of a folder that migrate pki wrote.
func roles(dir string) (*engine.Roles, error) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil // reading the PEM says that it is not there
		}
		return b
	}
	ca, err := pki.ReadCertificate(read("authority.pem"))
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: authority.pem: %w", dir, err)}
	}
	r := &engine.Roles{Authority: ca}
	for role, to := range map[pki.Role]**pki.Party{pki.RP: &r.RP, pki.CP: &r.CP, pki.S1SP: &r.S1SP, pki.DCO: &r.DCO} {
		if *to, err = pki.ReadParty(read(pkiFile(role, "signing")), read(pkiFile(role, "signing-key")), read(pkiFile(role, "agreement")), read(pkiFile(role, "agreement-key"))); err != nil {
			return nil, usageError{fmt.Errorf("%s: %s: %w", dir, role, err)}
		}
	}
	return r, nil
}

// passwordKey gives the codec that opens password files: with the requesting party's key of a folder of keys, or plain.
func passwordKey(dir string) (document.PasswordCodec, error) {
	if dir == "" {
		return document.PlainPassword{}, nil
	}
	_, eui, err := recipient(filepath.Join(dir, pkiFile(pki.RP, "agreement")))
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(dir, pkiFile(pki.RP, "agreement-key")))
	if err != nil {
		return nil, usageError{err}
	}
	key, err := pki.ReadAgreementKey(b)
	if err != nil {
		return nil, usageError{err}
	}
	return document.SealedPassword{Recipient: eui, Key: key}, nil
}

// recipient reads a certificate that something may be encrypted to, and whose it is.
func recipient(path string) (*ecdh.PublicKey, document.EUI, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, document.EUI{}, usageError{err}
	}
	cert, err := pki.ReadCertificate(b)
	if err != nil {
		return nil, document.EUI{}, usageError{fmt.Errorf("%s: %w", path, err)}
	}
	_, eui, err := pki.Identity(cert)
	if err != nil {
		return nil, eui, usageError{fmt.Errorf("%s: %w", path, err)}
	}
	key, err := pki.AgreementPublic(cert)
	if err != nil {
		return nil, eui, usageError{fmt.Errorf("%s: %w", path, err)}
	}
	return key, eui, nil
}

// readAuthorisations opens every pair of a folder, the earliest first.
func readAuthorisations(c *cobra.Command, specs *document.Specs, dir string, codec document.PasswordCodec) ([]*document.Authorisation, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, usageError{err}
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	pairs, alone := document.PairNames(names)
	for _, n := range alone {
		fmt.Fprintln(c.ErrOrStderr(), specs.Problem(n.String(), 0, "", "XMA03", "Its companion is missing.").Error())
	}
	slices.SortStableFunc(pairs, func(a, b document.Pair) int { return a.Authorisation.Stamp.Compare(b.Authorisation.Stamp) })
	var out []*document.Authorisation
	ar := document.AuthorisationReader{Specs: specs, Passwords: codec}
	for _, p := range pairs {
		a, ps, err := openPair(&ar, filepath.Join(dir, p.Authorisation.String()), filepath.Join(dir, p.Password.String()))
		if err != nil {
			return nil, err
		}
		tellProblems(c.ErrOrStderr(), ps)
		if a != nil {
			out = append(out, a)
		}
	}
	return out, nil
}

func openPair(ar *document.AuthorisationReader, authorisation, password string) (*document.Authorisation, document.Problems, error) {
	ma, mc, err := document.OpenSource(authorisation)
	if err != nil {
		return nil, nil, usageError{err}
	}
	defer mc.Close() //nolint:errcheck // only read
	pw, pc, err := document.OpenSource(password)
	if err != nil {
		return nil, nil, usageError{err}
	}
	defer pc.Close() //nolint:errcheck // only read
	a, ps := ar.Read(ma, pw)
	return a, ps, nil
}
