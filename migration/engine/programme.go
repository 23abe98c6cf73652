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

	"smets1/migration/document"
)

// Programme is what the files of a folder say, their good rows only.
//
// The folder holds portfolio.csv, epcl.csv, registrations.csv,
// certificates.csv and releases.csv (their columns are ours), and any number
// of migration authorisations with their password companions, each pair named
// MA_… and MAPASSWORD_….
type Programme struct {
	Portfolio      *document.Portfolio
	Authorisations []*document.Authorisation
	// Problems are all that is wrong with the files, in the order in which they
	// were read.
	Problems document.Problems
	// Digest is over the names and contents of all files that were read.
	Digest string

	epcl          *document.EPCL
	registrations *document.Registrations
	certificates  *document.Certificates
	releases      *document.Releases
	coverage      *document.Coverage
	answers       []response
}

// The fixed names of a programme's folder.
const (
	portfolioFile     = "portfolio.csv"
	epclFile          = "epcl.csv"
	registrationsFile = "registrations.csv"
	certificatesFile  = "certificates.csv"
	releasesFile      = "releases.csv"
)

// ReadProgramme reads a folder. A file that is missing or cannot be used at
// all is an error for the portfolio and the lists, since nothing can be done
// without them; a bad authorisation, or a bad row anywhere, is in Problems and
// the rest counts.
func ReadProgramme(specs *document.Specs, dir string) (*Programme, error) {
	p := &Programme{coverage: document.NewCoverage()}
	digest := sha256.New()
	read := func(name string) ([]byte, error) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("engine: %w: a programme's folder needs %s", err, name)
		}
		fmt.Fprintf(digest, "%s %d\n", name, len(b))
		digest.Write(b)
		return b, nil
	}
	var err error
	if p.portfolio(read, portfolioFile, specs, &err) &&
		list(read, epclFile, specs, document.ReadEPCL, &p.epcl, &p.Problems, &err) &&
		list(read, registrationsFile, specs, document.ReadRegistrations, &p.registrations, &p.Problems, &err) &&
		list(read, certificatesFile, specs, document.ReadCertificates, &p.certificates, &p.Problems, &err) &&
		list(read, releasesFile, specs, document.ReadReleases, &p.releases, &p.Problems, &err) {
		err = p.authorisations(specs, dir, digest)
	}
	if err != nil {
		return nil, err
	}
	p.Digest = hex.EncodeToString(digest.Sum(nil))
	return p, nil
}

func (p *Programme) portfolio(read func(string) ([]byte, error), name string, specs *document.Specs, err *error) bool {
	return list(read, name, specs, document.ReadPortfolio, &p.Portfolio, &p.Problems, err)
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
func (p *Programme) authorisations(specs *document.Specs, dir string, digest io.Writer) error {
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
	reader := document.AuthorisationReader{Specs: specs}
	for _, pair := range pairs {
		a, ps, err := p.open(reader, dir, pair, digest)
		if err != nil {
			return err
		}
		p.Problems = append(p.Problems, ps...)
		if a == nil {
			continue
		}
		p.Authorisations = append(p.Authorisations, a)
		p.accept(specs, a, ps)
	}
	return nil
}

func (p *Programme) open(reader document.AuthorisationReader, dir string, pair document.Pair, digest io.Writer) (*document.Authorisation, document.Problems, error) {
	var sources [2]document.Source
	for n, name := range []string{pair.Authorisation.String(), pair.Password.String()} {
		src, closer, err := document.OpenSource(filepath.Join(dir, name))
		if err != nil {
			return nil, nil, fmt.Errorf("engine: %w", err)
		}
		defer closer.Close() //nolint:errcheck // only read
		fmt.Fprintf(digest, "%s %d\n", name, src.Size)
		// A limit of the reader's may refuse the file; its bytes count in the
		// digest all the same, and are only streamed here.
		if _, err := io.Copy(digest, io.NewSectionReader(src.Data, 0, src.Size)); err != nil {
			return nil, nil, fmt.Errorf("engine: %s: %w", name, err)
		}
		sources[n] = src
	}
	a, ps := reader.Read(sources[0], sources[1])
	return a, ps, nil
}
