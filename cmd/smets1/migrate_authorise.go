package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/document/pki"
	"smets1/migration/plan"
)

type migrateAuthorise struct {
	tools             *migrateTools
	input, out        string
	supplier          euiFlag
	s1sp              string
	at                timeFlag
	to, keys          string
	insecure          bool
	form              string
	earliest, latest  dateFlag
	critical, general string
	electricityOnly   bool
}

func newMigrateAuthoriseCommand(m *migrateTools) *cobra.Command {
	a := &migrateAuthorise{tools: m}
	c := &cobra.Command{
		Use:   "authorise [ROWS.csv|ROWS.xlsx]",
		Short: "Make a Migration Authorisation: a form to fill in, or the sealed pair of files",
		Long: `authorise with a file of rows checks them and seals them: MA_….zip (AES-256) and its
MAPASSWORD_….csv, encrypted to the certificate of --to (or of the requesting party in
--pki). --insecure-password-file writes the password in plain text, for rehearsals.

Without a file it makes the rows from the portfolio: the supplier's active meters with
the S1SP, as --form csv or as an Excel form to fill in (xlsx).`,
		Example: `  smets1 migrate authorise --supplier 70-B3-D5-1F-30-00-A0-08 --s1sp CGI --at 2019-04-05T10:00:00Z \
      --earliest 2019-04-10 --latest 2019-05-01 --critical 500001 --non-critical 500002 --form xlsx
  smets1 migrate authorise MA_CGI_70-B3-D5-1F-30-00-A0-08_20190405_100000.xlsx --to pki/RP-agreement.pem`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.seal(c, args[0])
			}
			return a.rows(c)
		},
	}
	f := c.Flags()
	f.StringVar(&a.input, "input", demoInputs, "folder with portfolio.csv, to make rows from")
	f.StringVar(&a.out, "out", ".", "folder for the files")
	f.Var(&a.supplier, "supplier", "the supplier's identity")
	f.StringVar(&a.s1sp, "s1sp", "", "the S1SP, like CGI")
	f.Var(&a.at, "at", "time of submission, which is in the file name (default: now)")
	f.StringVar(&a.to, "to", "", "key-agreement certificate (PEM) that the password is encrypted to")
	f.StringVar(&a.keys, "pki", "", "folder of migrate pki: the password is encrypted to its requesting party")
	f.BoolVar(&a.insecure, "insecure-password-file", false, "write the password in plain text, for rehearsals")
	f.StringVar(&a.form, "form", "csv", "csv or xlsx")
	f.Var(&a.earliest, "earliest", "first day of the window (default: the first that the lead time allows)")
	f.Var(&a.latest, "latest", "last day of the window (default: 28 days after the first)")
	f.StringVar(&a.critical, "critical", "", "serial number of the supplier's certificate for critical requests")
	f.StringVar(&a.general, "non-critical", "", "serial number of the supplier's certificate for other requests")
	f.BoolVar(&a.electricityOnly, "electricity-only", false, "permit electricity to go without gas")
	return c
}

func (a *migrateAuthorise) rows(c *cobra.Command) error {
	if err := wants(c, "supplier", "s1sp", "critical", "non-critical"); err != nil {
		return err
	}
	specs, cal, err := a.tools.open()
	if err != nil {
		return err
	}
	portfolio, err := readList(c, specs, filepath.Join(a.input, portfolioName), document.ReadPortfolio)
	if err != nil {
		return err
	}
	name := document.Name{Kind: document.KindMA, S1SP: strings.ToUpper(a.s1sp), EUI: a.supplier.EUI, Stamp: a.at.orNow(), Ext: "csv"}
	if a.earliest.IsZero() {
		a.earliest.Date = cal.EarliestDay(name.Stamp)
	}
	if a.latest.IsZero() {
		a.latest.Date = a.earliest.AddDays(28)
	}
	var rows []document.AuthorisationRow
	for i := range portfolio.Installations {
		in := &portfolio.Installations[i]
		if in.Exclusion != "" || !strings.EqualFold(in.S1SP, a.s1sp) {
			continue
		}
		for _, d := range in.Meters() {
			if d.Supplier != a.supplier.EUI || d.Status != document.Active {
				continue
			}
			rows = append(rows, document.AuthorisationRow{RecordNo: len(rows) + 1, Fuel: d.Fuel(), MPxN: d.MPxN, DeviceID: d.ID, CHFDeviceID: in.ID, MeterSerialNumber: d.Serial,
				SupplierUserID: a.supplier.EUI, PaymentMode: d.PaymentMode, Earliest: a.earliest.Date, Latest: a.latest.Date,
				CriticalCert: document.Serial(a.critical), NonCriticalCert: document.Serial(a.general), ElectricityOnlyPermitted: a.electricityOnly})
		}
	}
	fmt.Fprintf(c.OutOrStdout(), "%d meters from %s to %s; counts as received %s, answered by %s\n", len(rows), a.earliest.Date, a.latest.Date,
		cal.Received(name.Stamp).Format("Monday 2 January 15:04 MST"), cal.ResponseDue(name.Stamp).Format("Monday 2 January 15:04 MST"))
	switch a.form {
	case "csv":
		return emit(c, a.out, name.String(), 0o644, func(w io.Writer) error { return document.WriteAuthorisationCSV(w, specs, rows) })
	case "xlsx":
		return emit(c, a.out, name.With(document.KindMA, "xlsx").String(), 0o644, func(w io.Writer) error {
			return document.WriteAuthorisationForm(w, specs, name, rows, 50)
		})
	}
	return usageError{fmt.Errorf("--form %q: csv or xlsx", a.form)}
}

func (a *migrateAuthorise) seal(c *cobra.Command, path string) error {
	specs, cal, err := a.tools.open()
	if err != nil {
		return err
	}
	codec, err := a.codec()
	if err != nil {
		return err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return usageError{err}
	}
	name, err := document.ParseName(filepath.Base(path))
	if err != nil || name.Kind != document.KindMA {
		return usageError{fmt.Errorf("%s: the rows of an authorisation are named MA_<S1SP>_<EUI-64>_<yyyymmdd>_<hhmmss>.csv or .xlsx", path)}
	}
	ar := &document.AuthorisationReader{Specs: specs}
	read, ps := ar.ReadPlain(name, b)
	if ps != nil {
		return usageError{ps}
	}
	if len(read.Rows) == 0 {
		return usageError{fmt.Errorf("%s has no rows", path)}
	}
	for _, r := range read.Rows {
		if first := cal.EarliestDay(name.Stamp); r.Earliest.Before(first) {
			fmt.Fprintln(c.ErrOrStderr(), specs.Problem(name.String(), r.Line, "EarliestMigrationDate", "XMA08", fmt.Sprintf("The first day that this file may name is %s.", first)).Error())
			break
		}
	}
	zip := name.With(document.KindMA, "zip")
	container, password, err := document.SealAuthorisation(specs, zip, b, codec, name.Stamp, rand.Reader)
	if err != nil {
		return err
	}
	return errors.Join(
		emit(c, a.out, zip.String(), 0o644, func(w io.Writer) error { _, err := w.Write(container); return err }),
		emit(c, a.out, name.With(document.KindMAPassword, "csv").String(), 0o600, func(w io.Writer) error { _, err := w.Write(password); return err }),
	)
}

func (a *migrateAuthorise) codec() (document.PasswordCodec, error) {
	switch {
	case a.insecure:
		return document.PlainPassword{}, nil
	case a.to == "" && a.keys != "":
		a.to = filepath.Join(a.keys, pkiFile(pki.RP, "agreement"))
	case a.to == "":
		return nil, usageError{errors.New("the password is encrypted: give --to CERT.pem or --pki FOLDER, or --insecure-password-file for a rehearsal")}
	}
	key, eui, err := recipient(a.to)
	if err != nil {
		return nil, err
	}
	return document.SealedPassword{Recipient: eui, To: key, Random: rand.Reader}, nil
}

func newMigratePKICommand(m *migrateTools) *cobra.Command {
	out := ""
	c := &cobra.Command{
		Use:   "pki",
		Short: "Make a simulator certificate authority and the certificates of the roles",
		Long: `pki makes an authority for rehearsals and enrols RP, CP, S1SP and DCO: for each a
certificate to sign with and one to be encrypted to, with their private keys. Every
name in them says SIMULATOR. An existing folder is left alone.`,
		Example: `  smets1 migrate pki --out pki`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := os.Stat(out); err == nil {
				return usageError{fmt.Errorf("%s exists: keys are never overwritten; name another folder by --out", out)}
			}
			return makePKI(c, out)
		},
	}
	c.Flags().StringVar(&out, "out", "pki", "folder for certificates and keys")
	return c
}

func makePKI(c *cobra.Command, out string) error {
	from := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)
	ca, err := pki.NewAuthority(rand.Reader, from)
	if err != nil {
		return err
	}
	key, err := ca.Key()
	if err != nil {
		return err
	}
	file := func(name string, mode os.FileMode, b []byte) error {
		return emit(c, out, name, mode, func(w io.Writer) error { _, err := w.Write(b); return err })
	}
	if err := errors.Join(file("authority.pem", 0o644, pki.PEM(ca.Certificate)), file("authority-key.pem", 0o600, key)); err != nil {
		return err
	}
	for i, role := range []pki.Role{pki.RP, pki.CP, pki.S1SP, pki.DCO} {
		p, err := ca.Enrol(rand.Reader, role, wire.EUI64{0x70, 0xB3, 0xD5, 0x1F, 0x30, 0x00, 0xA0, byte(i + 1)}, from)
		if err != nil {
			return err
		}
		signing, agreement, err := p.Keys()
		if err != nil {
			return err
		}
		if err := errors.Join(file(pkiFile(role, "signing"), 0o644, pki.PEM(p.Signing)), file(pkiFile(role, "signing-key"), 0o600, signing),
			file(pkiFile(role, "agreement"), 0o644, pki.PEM(p.Agreement)), file(pkiFile(role, "agreement-key"), 0o600, agreement)); err != nil {
			return err
		}
	}
	return nil
}

type migrateNotify struct {
	tools              *migrateTools
	input, out         string
	schedule, previous string
	at                 timeFlag
	contact            string
}

func newMigrateNotifyCommand(m *migrateTools) *cobra.Command {
	n := &migrateNotify{tools: m}
	c := &cobra.Command{
		Use:   "notify",
		Short: "Write the notices of dormant meters from a schedule, one file for each supplier",
		Long: `notify writes the dormant meter migration schedule notifications (DMMS) and firmware
upgrade schedule notifications (DMFW) of a schedule. With --previous, what was sent
before is compared: a day that moved is rescheduled; a meter whose supplier changed
(registrations.csv) is cancelled towards the old one and new to the new one.`,
		Example: `  smets1 migrate notify --schedule plan/schedule.csv --at 2019-04-08T07:00:00Z --out notices
  smets1 migrate notify --schedule plan2/schedule.csv --previous notices --at 2019-04-15T07:00:00Z --out notices2`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return n.run(c) },
	}
	f := c.Flags()
	f.StringVar(&n.input, "input", demoInputs, "folder with portfolio.csv, epcl.csv and registrations.csv")
	f.StringVar(&n.out, "out", "notices", "folder for the notices")
	f.StringVar(&n.schedule, "schedule", filepath.Join("plan", scheduleName), "schedule of plan")
	f.StringVar(&n.previous, "previous", "", "folder of notices that were sent before")
	f.Var(&n.at, "at", "time of the publication (default: now)")
	f.StringVar(&n.contact, "contact", "migration-control@dcc.example", "address for questions, in firmware notices")
	return c
}

func (n *migrateNotify) run(c *cobra.Command) error {
	specs, cal, err := n.tools.open()
	if err != nil {
		return err
	}
	p := plan.Publication{Calendar: cal, Date: cal.DateAt(n.at.orNow()), Contact: n.contact}
	if p.Portfolio, err = readList(c, specs, filepath.Join(n.input, portfolioName), document.ReadPortfolio); err != nil {
		return err
	}
	if p.EPCL, err = readList(c, specs, filepath.Join(n.input, "epcl.csv"), document.ReadEPCL); err != nil {
		return err
	}
	if p.Registrations, err = readList(c, specs, filepath.Join(n.input, "registrations.csv"), document.ReadRegistrations); err != nil {
		return err
	}
	if p.Schedule, err = readList(c, specs, n.schedule, document.ReadSchedule); err != nil {
		return err
	}
	if n.previous != "" {
		files, err := documents([]string{n.previous}, document.KindDMMS)
		if err != nil {
			return err
		}
		for _, f := range files {
			rows, err := readList(c, specs, f, document.ReadMigrationNotices)
			if err != nil {
				return err
			}
			name, err := document.ParseName(filepath.Base(f))
			if err != nil {
				return usageError{err}
			}
			for _, r := range rows {
				p.Previous = append(p.Previous, plan.Sent{To: plan.Addressee{S1SP: strings.ToUpper(name.S1SP), Supplier: name.EUI}, Notice: r})
			}
		}
	}
	notices := p.Make()
	at := document.At(n.at.orNow())
	for _, to := range notices.Addressees() {
		if rows := notices.Migration[to]; len(rows) > 0 {
			if err := emit(c, n.out, document.NoticeName(document.KindDMMS, to.S1SP, to.Supplier, at).String(), 0o644, func(w io.Writer) error {
				return document.WriteMigrationNotices(w, specs, rows)
			}); err != nil {
				return err
			}
		}
		if rows := notices.Firmware[to]; len(rows) > 0 {
			if err := emit(c, n.out, document.NoticeName(document.KindDMFW, to.S1SP, to.Supplier, at).String(), 0o644, func(w io.Writer) error {
				return document.WriteFirmwareNotices(w, specs, rows)
			}); err != nil {
				return err
			}
		}
	}
	for _, id := range notices.Late {
		fmt.Fprintf(c.ErrOrStderr(), "%s: its supplier cannot be told %d days before the planned date; plan it again\n", id, cal.MigrationNotice)
	}
	if len(notices.Addressees()) == 0 {
		fmt.Fprintln(c.OutOrStdout(), "there is nothing to tell anybody")
	}
	return nil
}
