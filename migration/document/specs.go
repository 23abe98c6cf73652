package document

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed specs
var embedded embed.FS

// Specs is everything about documents that is data: column layouts and the code catalogue.
// It does not change after loading and may be shared.
type Specs struct {
	Catalogue *Catalogue
	layouts   map[string]*Layout
}

var defaultSpecs = sync.OnceValues(func() (*Specs, error) {
	sub, err := fs.Sub(embedded, "specs")
	if err != nil {
		return nil, err
	}
	return loadSpecs(sub)
})

// DefaultSpecs gives the specs that this build carries.
func DefaultSpecs() (*Specs, error) { return defaultSpecs() }

// OpenSpecs gives the built-in specs with those of a folder put in their place: the folder has
// the shape of specs/ (`ma/x1/columns.yaml`, `codes/x1/codes.yaml`), may hold only some of the
// documents, and what it holds replaces the built-in file of the same document whatever the
// version. An empty path gives the built-in specs.
func OpenSpecs(dir string) (*Specs, error) {
	base, err := DefaultSpecs()
	if err != nil || dir == "" {
		return base, err
	}
	over, err := loadSpecs(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("specs folder %s: %w", dir, err)
	}
	out := &Specs{Catalogue: base.Catalogue, layouts: map[string]*Layout{}}
	for k, l := range base.layouts {
		out.layouts[k] = l
	}
	for k, l := range over.layouts {
		was, known := base.layouts[k]
		if !known {
			return nil, fmt.Errorf("specs folder %s: document %s is not one that this build reads", dir, k)
		}
		if err := l.carries(was); err != nil {
			return nil, fmt.Errorf("specs folder %s: %w", dir, err)
		}
		out.layouts[k] = l
	}
	if over.Catalogue != nil {
		for _, c := range base.Catalogue.Codes {
			if _, ok := over.Catalogue.Lookup(c.Code); !ok {
				return nil, fmt.Errorf("specs folder %s: code %s is missing from its catalogue, and this build uses it", dir, c.Code)
			}
		}
		out.Catalogue = over.Catalogue
	}
	return out, nil
}

// Layout finds the column layout of a document by the name that its data file gives.
func (s *Specs) Layout(document string) (*Layout, error) {
	l, ok := s.layouts[document]
	if !ok {
		return nil, fmt.Errorf("no column layout for document %s", document)
	}
	return l, nil
}

// Documents names the documents that have a layout, sorted.
func (s *Specs) Documents() []string {
	var out []string
	for k := range s.layouts {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Problem makes a problem whose scope and remedy come from the catalogue.
func (s *Specs) Problem(file string, row int, column, code, what string) Problem {
	p := Problem{File: file, Row: row, Column: column, Code: code, What: what, Scope: ScopeRow}
	if c, ok := s.Catalogue.Lookup(code); ok {
		p.Remedy, p.Scope = c.Remedy, c.Scope
	}
	if row == 0 && p.Scope == ScopeRow {
		p.Scope = ScopeFile
	}
	return p
}

func loadSpecs(fsys fs.FS) (*Specs, error) {
	s := &Specs{layouts: map[string]*Layout{}}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".yaml") {
			return err
		}
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if path.Base(name) == "codes.yaml" {
			c := &Catalogue{}
			if err := yaml.UnmarshalWithOptions(b, c, yaml.Strict()); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if s.Catalogue != nil {
				return fmt.Errorf("%s: a second code catalogue", name)
			}
			s.Catalogue = c
			return c.finish(name)
		}
		l := &Layout{}
		if err := yaml.UnmarshalWithOptions(b, l, yaml.Strict()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := l.finish(name); err != nil {
			return err
		}
		if _, twice := s.layouts[l.Document]; twice {
			return fmt.Errorf("%s: a second layout for %s", name, l.Document)
		}
		s.layouts[l.Document] = l
		return nil
	})
	if err == nil && s.Catalogue == nil && len(s.layouts) == 0 {
		err = errors.New("no columns.yaml and no codes.yaml in it")
	}
	return s, err
}
