package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"smets1/migration/document"
	"smets1/migration/plan"
)

// Programme is what the files of a folder say, their good rows only.
//
// The folder holds portfolio.csv, epcl.csv, registrations.csv,
// certificates.csv and releases.csv (their columns are ours), any number of
// migration authorisations with their password companions, each pair named
// MA_… and MAPASSWORD_…, and, if the days are limited, capacity.csv and the
// Demand Responses DR_….
type Programme struct {
	Portfolio      *document.Portfolio
	EPCL           *document.EPCL
	Registrations  *document.Registrations
	Certificates   *document.Certificates
	Releases       *document.Releases
	Authorisations []*document.Authorisation
	// Coverage is what those authorisations permit.
	Coverage *document.Coverage
	// Capacity are the limits of a day; none means that there is no limit.
	Capacity []document.Constraint
	// Responses are the Demand Responses; none means that no supplier is bound
	// by an allocation.
	Responses []*document.DemandResponse
	// Problems are all that is wrong with the files, in the order in which they
	// were read.
	Problems document.Problems
	// Files are the SHA-256 digests of the files that must stay as they are once
	// they were read, by name: the portfolio and the authorisations.
	Files map[string]string

	intake  Intake
	quotas  plan.Quotas
	granted granted
	answers []response
}

// Intake says how a folder is read. Specs and Calendar must be set.
type Intake struct {
	Specs    *document.Specs
	Calendar *plan.Calendar
	// Passwords opens password files; nil means that they are plain.
	Passwords document.PasswordCodec
	// Answered gives the answer that an authorisation had before: what was
	// accepted or rejected then is not judged anew. Nil means that none had one.
	Answered func(name string) []document.ResponseRow
	// Scheduled gives the day that a meter is planned for, if it is; nil means
	// that none is.
	Scheduled func(meter document.EUI) (document.Date, bool)
}

// The fixed names of a programme's folder.
const (
	portfolioFile     = "portfolio.csv"
	epclFile          = "epcl.csv"
	registrationsFile = "registrations.csv"
	certificatesFile  = "certificates.csv"
	releasesFile      = "releases.csv"
	capacityFile      = "capacity.csv"
)

// ReadProgramme reads a folder. A file that is missing or cannot be used at
// all is an error for the portfolio and the lists, since nothing can be done
// without them; a bad authorisation, or a bad row anywhere, is in Problems and
// the rest counts.
func ReadProgramme(in Intake, dir string) (*Programme, error) {
	p := &Programme{intake: in, Coverage: document.NewCoverage(), Files: map[string]string{}, granted: newGranted()}
	read := func(name string) ([]byte, error) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("engine: %w: a programme's folder needs %s", err, name)
		}
		if name == portfolioFile {
			sum := sha256.Sum256(b)
			p.Files[name] = hex.EncodeToString(sum[:])
		}
		return b, nil
	}
	var err error
	if list(read, portfolioFile, in.Specs, document.ReadPortfolio, &p.Portfolio, &p.Problems, &err) &&
		list(read, epclFile, in.Specs, document.ReadEPCL, &p.EPCL, &p.Problems, &err) &&
		list(read, registrationsFile, in.Specs, document.ReadRegistrations, &p.Registrations, &p.Problems, &err) &&
		list(read, certificatesFile, in.Specs, document.ReadCertificates, &p.Certificates, &p.Problems, &err) &&
		list(read, releasesFile, in.Specs, document.ReadReleases, &p.Releases, &p.Problems, &err) {
		err = p.limits(dir)
	}
	if err == nil {
		err = p.authorisations(dir)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// limits reads what bounds a day, as far as it is there.
func (p *Programme) limits(dir string) error {
	read := func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) }
	var err error
	if _, gone := os.Stat(filepath.Join(dir, capacityFile)); gone == nil {
		var limits *[]document.Constraint
		if !list(read, capacityFile, p.intake.Specs, func(s *document.Specs, name string, r io.Reader) (*[]document.Constraint, document.Problems) {
			c, ps := document.ReadCapacity(s, name, r)
			return &c, ps
		}, &limits, &p.Problems, &err) {
			return err
		}
		p.Capacity = *limits
	}
	names, err := documentNames(dir, document.KindDR)
	if err != nil {
		return err
	}
	for _, n := range names {
		var r *document.DemandResponse
		if !list(read, n, p.intake.Specs, func(s *document.Specs, name string, src io.Reader) (*document.DemandResponse, document.Problems) {
			return document.ReadDemandResponse(s, document.Period{}, name, src)
		}, &r, &p.Problems, &err) {
			return err
		}
		p.Responses = append(p.Responses, r)
	}
	if len(p.Responses) > 0 {
		p.quotas = plan.NewQuotas(p.Responses)
	}
	return nil
}

// documentNames lists the documents of a kind in a folder, in the order of
// their times.
func documentNames(dir string, kind document.Kind) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	type named struct {
		file string
		at   time.Time
	}
	var found []named
	for _, e := range entries {
		if n, err := document.ParseName(e.Name()); err == nil && !e.IsDir() && n.Kind == kind {
			found = append(found, named{e.Name(), n.Stamp})
		}
	}
	slices.SortStableFunc(found, func(a, b named) int { return a.at.Compare(b.at) })
	out := make([]string, len(found))
	for n := range found {
		out[n] = found[n].file
	}
	return out, nil
}

// list reads one of the fixed files.
func list[T any](read func(string) ([]byte, error), name string, specs *document.Specs,
	parse func(*document.Specs, string, io.Reader) (*T, document.Problems), to **T, problems *document.Problems, err *error,
) bool {
	b, e := read(name)
	if e != nil {
		*err = e
		return false
	}
	v, ps := parse(specs, name, bytes.NewReader(b))
	if ps.FileFailed() {
		*err = fmt.Errorf("engine: %w", ps)
		return false
	}
	*to = v
	*problems = append(*problems, ps...)
	return true
}

// authorisations opens every pair in the folder, the earliest first, so that a
// later row for a meter replaces an earlier one.
func (p *Programme) authorisations(dir string) error {
	specs := p.intake.Specs
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	pairs, alone := document.PairNames(names)
	for _, n := range alone {
		code, what := "XMA03", "The password file of this authorisation is missing."
		if n.Kind == document.KindMAPassword {
			what = "There is no authorisation for this password file."
		}
		p.Problems = append(p.Problems, specs.Problem(n.String(), 0, "", code, what))
	}
	slices.SortStableFunc(pairs, func(a, b document.Pair) int { return a.Authorisation.Stamp.Compare(b.Authorisation.Stamp) })
	reader := document.AuthorisationReader{Specs: specs, Passwords: p.intake.Passwords}
	for _, pair := range pairs {
		a, ps, err := p.open(reader, dir, pair)
		if err != nil {
			return err
		}
		p.Problems = append(p.Problems, ps...)
		if a == nil {
			continue
		}
		p.Authorisations = append(p.Authorisations, a)
		p.accept(a, ps)
	}
	return nil
}

func (p *Programme) open(reader document.AuthorisationReader, dir string, pair document.Pair) (*document.Authorisation, document.Problems, error) {
	var sources [2]document.Source
	for n, name := range []string{pair.Authorisation.String(), pair.Password.String()} {
		src, closer, err := document.OpenSource(filepath.Join(dir, name))
		if err != nil {
			return nil, nil, fmt.Errorf("engine: %w", err)
		}
		defer closer.Close() //nolint:errcheck // only read
		// A limit of the reader's may refuse the file; its digest counts all the
		// same, and the file is only streamed here.
		digest := sha256.New()
		if _, err := io.Copy(digest, io.NewSectionReader(src.Data, 0, src.Size)); err != nil {
			return nil, nil, fmt.Errorf("engine: %s: %w", name, err)
		}
		p.Files[name] = hex.EncodeToString(digest.Sum(nil))
		sources[n] = src
	}
	a, ps := reader.Read(sources[0], sources[1])
	return a, ps, nil
}
