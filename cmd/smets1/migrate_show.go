package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smets1/migration/document"
	"smets1/migration/document/pki"
)

// listKinds are the documents that are known by a fixed name and not by the grammar of names.
var listKinds = map[string]string{
	"portfolio.csv": "PORTFOLIO", "epcl.csv": "EPCL", "registrations.csv": "REGISTRATIONS", "certificates.csv": "CERTIFICATES", "releases.csv": "RELEASES",
	"capacity.csv": "CAPACITY", "schedule.csv": "SCHEDULE",
}

// opened is a document as check and show see it.
type opened struct {
	title    string
	problems document.Problems
	rows     int
	table    []byte // CSV, for show; nil for files of a file set
	file     *document.Inspection
}

// openDocument reads any document with the reader of its kind.
func (m *migrateTools) openDocument(specs *document.Specs, path, keys string, now time.Time) (*opened, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, usageError{err}
	}
	base := filepath.Base(path)
	src := bytes.NewReader(b)
	o := &opened{table: b}
	if kind := listKinds[strings.ToLower(base)]; kind != "" {
		o.title = kind
		switch kind {
		case "PORTFOLIO":
			v, ps := document.ReadPortfolio(specs, base, src)
			if o.problems = ps; v != nil {
				o.rows = len(v.Installations)
			}
		case "EPCL":
			v, ps := document.ReadEPCL(specs, base, src)
			if o.problems = ps; v != nil {
				o.rows = len(v.Entries)
			}
		case "REGISTRATIONS":
			_, o.problems = document.ReadRegistrations(specs, base, src)
			o.rows = dataRows(b)
		case "CERTIFICATES":
			_, o.problems = document.ReadCertificates(specs, base, src)
			o.rows = dataRows(b)
		case "RELEASES":
			_, o.problems = document.ReadReleases(specs, base, src)
			o.rows = dataRows(b)
		case "CAPACITY":
			v, ps := document.ReadCapacity(specs, base, src)
			o.problems, o.rows = ps, len(v)
		case "SCHEDULE":
			v, ps := document.ReadSchedule(specs, base, src)
			o.problems, o.rows = ps, len(v)
		}
		return o, nil
	}
	n, err := document.ParseName(base)
	if err != nil {
		return nil, usageError{err}
	}
	o.title = string(n.Kind)
	switch {
	case n.Kind.FileSet():
		return o, m.openFileSet(specs, o, document.NewArtefact(base, b), keys, now)
	case n.Kind == document.KindDC:
		v, ps := document.ReadDemand(specs, document.Period{}, base, src)
		if o.problems = ps; v != nil {
			o.rows = len(v.Rows)
			var t bytes.Buffer
			if err := document.WriteDemand(&t, specs, v); err == nil {
				o.table = t.Bytes()
			}
		}
	case n.Kind == document.KindDR:
		v, ps := document.ReadDemandResponse(specs, document.Period{}, base, src)
		if o.problems = ps; v != nil {
			o.rows = len(v.Rows)
		}
	case n.Kind == document.KindDMFW:
		v, ps := document.ReadFirmwareNotices(specs, base, src)
		o.problems, o.rows = ps, len(v)
	case n.Kind == document.KindDMMS:
		v, ps := document.ReadMigrationNotices(specs, base, src)
		o.problems, o.rows = ps, len(v)
	case n.Kind == document.KindMAR:
		v, ps := document.ReadResponse(specs, base, src)
		o.problems, o.rows = ps, len(v)
	default:
		return o, m.openAuthorisation(specs, o, n, path, b, keys)
	}
	return o, nil
}

// openAuthorisation reads an authorisation in any of its forms. A password file is judged with its authorisation.
func (m *migrateTools) openAuthorisation(specs *document.Specs, o *opened, n document.Name, path string, b []byte, keys string) error {
	codec, err := passwordKey(keys)
	if err != nil {
		return err
	}
	o.table = nil
	ar := &document.AuthorisationReader{Specs: specs, Passwords: codec}
	var a *document.Authorisation
	if n.Kind == document.KindMA && (strings.EqualFold(n.Ext, "csv") || strings.EqualFold(n.Ext, "xlsx")) {
		a, o.problems = ar.ReadPlain(n, b)
	} else {
		other := document.KindMAPassword
		if n.Kind == document.KindMAPassword {
			other = document.KindMA
		}
		companion, err := companionOf(path, n, other)
		if err != nil {
			o.problems = document.Problems{specs.Problem(n.String(), 0, "", "XMA03", err.Error())}
			return nil
		}
		if n.Kind == document.KindMA {
			a, o.problems, err = openPair(ar, path, companion)
		} else {
			a, o.problems, err = openPair(ar, companion, path)
		}
		if err != nil {
			return err
		}
	}
	if a != nil {
		o.rows = len(a.Rows)
		var t bytes.Buffer
		if err := document.WriteAuthorisationCSV(&t, specs, a.Rows); err == nil {
			o.table = t.Bytes()
		}
	}
	return nil
}

// companionOf finds the other file of a pair, in the same folder.
func companionOf(path string, n document.Name, kind document.Kind) (string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if x, err := document.ParseName(e.Name()); err == nil && x.Kind == kind && x.PairKey() == n.PairKey() && !strings.EqualFold(x.Ext, "xlsx") &&
			(kind == document.KindMAPassword || !strings.EqualFold(x.Ext, "csv")) {
			return filepath.Join(filepath.Dir(path), e.Name()), nil
		}
	}
	return "", fmt.Errorf("Its companion %s is not beside it.", n.With(kind, "")) //nolint:staticcheck // a sentence of a problem
}

func (m *migrateTools) openFileSet(specs *document.Specs, o *opened, a document.Artefact, keys string, now time.Time) error {
	o.table = nil
	if o.file, o.problems = document.Inspect(specs, document.XMLLimits{}, a); o.problems != nil {
		return nil
	}
	o.rows = len(o.file.Installations)
	if keys == "" {
		return nil
	}
	trust, err := trustOf(keys)
	if err != nil {
		return err
	}
	o.problems = (&document.Opener{Specs: specs, Trust: trust}).Check(a, now)
	return nil
}

// trustOf reads the certificates of a folder that migrate pki wrote.
func trustOf(dir string) (*pki.Trust, error) {
	b, err := os.ReadFile(filepath.Join(dir, "authority.pem"))
	if err != nil {
		return nil, usageError{err}
	}
	root, err := pki.ReadCertificate(b)
	if err != nil {
		return nil, usageError{err}
	}
	trust := pki.NewTrust(root)
	for _, role := range []pki.Role{pki.RP, pki.CP, pki.S1SP, pki.DCO} {
		for _, what := range []string{"signing", "agreement"} {
			b, err := os.ReadFile(filepath.Join(dir, pkiFile(role, what)))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, usageError{err}
			}
			cert, err := pki.ReadCertificate(b)
			if err == nil {
				err = trust.Add(cert)
			}
			if err != nil {
				return nil, usageError{fmt.Errorf("%s: %w", pkiFile(role, what), err)}
			}
		}
	}
	return trust, nil
}

// dataRows counts the lines of a table after its header.
func dataRows(b []byte) int {
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		return 0
	}
	return max(0, len(rows)-1)
}

func newMigrateCheckCommand(m *migrateTools) *cobra.Command {
	keys, quiet := "", false
	at := timeFlag{}
	c := &cobra.Command{
		Use:   "check FILE|FOLDER…",
		Short: "Say what is wrong with documents: file, row and column, code, and what to do",
		Long: `check reads documents of any kind, known by their names, and tells every problem with
its place, its code and a remedy. An authorisation is opened with the password file
beside it. A file of a file set is held against its schema, and with --pki its signature
is verified too. The exit status is 0 when there is nothing wrong, else 2.`,
		Example: `  smets1 migrate check testdata/migration/demo
  smets1 migrate check --pki pki MCF_CGI_….xml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			specs, _, err := m.open()
			if err != nil {
				return err
			}
			files, err := withLists(args)
			if err != nil {
				return err
			}
			bad, problems := 0, 0
			for _, f := range files {
				o, err := m.openDocument(specs, f, keys, at.orNow())
				if err != nil {
					return err
				}
				if len(o.problems) > 0 {
					bad++
					problems += len(o.problems)
				}
				tellProblems(c.OutOrStdout(), o.problems)
				if !quiet {
					state := "good"
					if o.problems.FileFailed() {
						state = "refused"
					} else if len(o.problems) > 0 {
						state = fmt.Sprintf("%d problems, the rest is good", len(o.problems))
					}
					fmt.Fprintf(c.OutOrStdout(), "%s: %s, %d records: %s\n", f, o.title, o.rows, state)
				}
			}
			if bad > 0 {
				return usageError{fmt.Errorf("%d problems in %d of %d files", problems, bad, len(files))}
			}
			return nil
		},
	}
	c.Flags().StringVar(&keys, "pki", "", "folder of migrate pki: verifies signatures, opens encrypted password files")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "tell problems only")
	c.Flags().Var(&at, "at", "time at which certificates must be valid (default: now)")
	return c
}

// withLists expands folders into their documents, those with fixed names too.
func withLists(args []string) ([]string, error) {
	out, err := documents(args)
	if err != nil {
		return nil, err
	}
	for _, a := range args {
		if st, err := os.Stat(a); err == nil && st.IsDir() {
			for name := range listKinds {
				if _, err := os.Stat(filepath.Join(a, name)); err == nil {
					out = append(out, filepath.Join(a, name))
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	return out, nil
}

func newMigrateShowCommand(m *migrateTools) *cobra.Command {
	keys, all := "", false
	c := &cobra.Command{
		Use:   "show FILE",
		Short: "Show a document of any kind as a table",
		Example: `  smets1 migrate show testdata/migration/demo/MA_cgI_70-B3-D5-1F-30-00-A0-08_20190407_182503.zip
  smets1 migrate show out/files/COF_CGI_….xml`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			specs, _, err := m.open()
			if err != nil {
				return err
			}
			o, err := m.openDocument(specs, args[0], keys, time.Now())
			if err != nil {
				return err
			}
			tellProblems(c.ErrOrStderr(), o.problems)
			if o.problems.FileFailed() {
				return usageError{fmt.Errorf("%s cannot be shown", args[0])}
			}
			if o.file != nil {
				return showFileSet(c.OutOrStdout(), specs, o.file)
			}
			return showTable(c.OutOrStdout(), o.table, all)
		},
	}
	c.Flags().StringVar(&keys, "pki", "", "folder with the key that opens encrypted password files")
	c.Flags().BoolVar(&all, "all", false, "every row (default: the first 50)")
	return c
}

// showTable prints a CSV; columns that are empty everywhere are left out.
func showTable(w io.Writer, b []byte, all bool) error {
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")))).ReadAll()
	if err != nil || len(rows) == 0 {
		return err
	}
	filled := make([]bool, len(rows[0]))
	for _, r := range rows[1:] {
		for i, cell := range r {
			filled[i] = filled[i] || cell != ""
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for n, r := range rows {
		if n > 50 && !all {
			break
		}
		for i, cell := range r {
			if filled[i] || len(rows) == 1 {
				fmt.Fprintf(t, "%s\t", printable(cell))
			}
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if n := len(rows) - 1; n > 50 && !all {
		fmt.Fprintf(w, "… %d rows in all; --all shows them\n", n)
	}
	return nil
}

// printable keeps control characters of a file away from the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '�'
		}
		return r
	}, s)
}

func showFileSet(w io.Writer, specs *document.Specs, f *document.Inspection) error {
	h := f.Header
	signed := "not signed"
	if f.Signed {
		signed = "signed; check --pki verifies it"
	}
	fmt.Fprintf(w, "%s of file set %s, from %s %s, S1SP %s, for %s, %s\n", f.Name.Kind, h.FileSetID, h.Sender.Role, h.Sender.EUI, h.S1SP, h.MigrationDate, signed)
	for _, x := range h.InResponseTo {
		fmt.Fprintf(w, "answers %s (SHA-256 %s)\n", x.FileName, x.SHA256)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nINSTALLATION\tSTATUS\tOUTCOME\tDEVICES")
	for _, x := range f.Installations {
		outcome := x.Outcome
		if x.DCOOutcome != "" {
			outcome += ", dual control " + x.DCOOutcome
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\n", x.InstallationID, dash(x.Status), dash(outcome), len(x.Device))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, x := range f.Installations {
		for _, e := range x.Error {
			fmt.Fprintf(w, "\n%s: %s\n  %s\n", x.InstallationID, specs.Catalogue.Explain(e.Code), printable(e.Detail))
		}
	}
	return nil
}
