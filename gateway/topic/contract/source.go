package contract

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strings"
)

// Docs are the comments of the types of package topic and of their fields.
type Docs map[string]string

// Type is the comment of a type, in one line.
func (d Docs) Type(name string) string { return d[name] }

// Field is the comment of a field, in one line.
func (d Docs) Field(owner, name string) string { return d[owner+"."+name] }

// ReadDocs reads the comments from the source files of package topic.
func ReadDocs(dir fs.FS) (Docs, error) {
	names, err := fs.Glob(dir, "*.go")
	if err != nil {
		return nil, err
	}
	d := Docs{}
	for _, name := range names {
		src, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("contract: %w", err)
		}
		for _, decl := range f.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range g.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok {
					d.take(t, g)
				}
			}
		}
	}
	return d, nil
}

func (d Docs) take(t *ast.TypeSpec, g *ast.GenDecl) {
	doc := t.Doc
	if doc == nil {
		doc = g.Doc
	}
	d.put(t.Name.Name, doc)
	s, ok := t.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range s.Fields.List {
		for _, n := range f.Names {
			d.put(t.Name.Name+"."+n.Name, f.Doc)
			if f.Doc == nil {
				d.put(t.Name.Name+"."+n.Name, f.Comment)
			}
		}
	}
}

func (d Docs) put(name string, c *ast.CommentGroup) {
	if text := strings.Join(strings.Fields(c.Text()), " "); text != "" {
		d[name] = text
	}
}
