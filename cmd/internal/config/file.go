package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxBytes is the largest file that is read: room for thousands of hubs.
const maxBytes = 4 << 20

// file reads YAML by the schema, and notes where each value stands.
type file struct {
	name string
	from map[string]Where
	errs Errors
}

// parse gives the values of a file as koanf wants them.
func (f *file) parse(data []byte) (out map[string]any) {
	// The YAML library panics on some malformed input, like a tag without a value.
	// A bad file is the writer's mistake, not the program's.
	defer func() {
		if r := recover(); r != nil {
			f.problem(nil, "", "malformed YAML (%v)", r)
			out = nil
		}
	}()
	if len(data) > maxBytes {
		f.problem(nil, "", "%d bytes is too long for a configuration: the limit is %d", len(data), maxBytes)
		return nil
	}
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		e := &Error{Where: Where{File: f.name}, Reason: err.Error()}
		var ye yaml.Error
		if errors.As(err, &ye) {
			e.Reason = ye.GetMessage()
			if tk := ye.GetToken(); tk != nil && tk.Position != nil {
				e.Where.Line, e.Where.Col = tk.Position.Line, tk.Position.Column
			}
		}
		// Texts of the library may quote the source over several lines.
		e.Reason, _, _ = strings.Cut(strings.TrimSpace(e.Reason), "\n")
		f.errs = append(f.errs, e)
		return nil
	}
	var bodies []ast.Node
	for _, d := range tree.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType {
			bodies = append(bodies, d.Body)
		}
	}
	switch len(bodies) {
	case 0:
		return map[string]any{} // all defaults
	case 1:
		return f.group(bodies[0], "", fields("", reflect.TypeFor[Config]()))
	default:
		f.problem(bodies[1], "", "a second YAML document begins here: write one")
		return nil
	}
}

func position(n ast.Node) (line, col int) {
	if n == nil {
		return 0, 0
	}
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		return position(m.Values[0].Key)
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		return position(m.Key)
	}
	var tk *token.Token
	if tk = n.GetToken(); tk == nil || tk.Position == nil {
		return 0, 0
	}
	return tk.Position.Line, tk.Position.Column
}

func (f *file) where(n ast.Node) Where {
	line, col := position(n)
	return Where{File: f.name, Line: line, Col: col}
}

func (f *file) problem(n ast.Node, path, format string, args ...any) {
	f.errs = append(f.errs, &Error{Where: f.where(n), Key: path, Reason: fmt.Sprintf(format, args...)})
}

// plain looks through what YAML may put around a value.
func (f *file) plain(n ast.Node, path string) (ast.Node, bool) {
	switch x := n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		f.problem(n, path, "anchors, aliases, tags and merges are not for this file: write the value out")
		return nil, false
	case *ast.MappingKeyNode:
		return x.Value, true
	default:
		return n, true
	}
}

// group reads a mapping.
func (f *file) group(n ast.Node, path string, keys []Key) map[string]any {
	n, ok := f.plain(n, path)
	if !ok {
		return nil
	}
	var values []*ast.MappingValueNode
	switch x := n.(type) {
	case *ast.MappingNode:
		values = x.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{x}
	case *ast.NullNode:
		return map[string]any{}
	default:
		f.problem(n, path, "here must be keys (%s), not a value", names(keys))
		return nil
	}
	if path != "" {
		f.from[path] = f.where(n)
	}
	out := map[string]any{}
	for _, v := range values {
		word := v.Key.GetToken().Value
		k, ok := find(keys, word)
		if !ok {
			f.problem(v.Key, join(path, word), "there is no such key%s", suggest(word, keys))
			continue
		}
		at := join(path, word)
		f.from[at] = f.where(v.Key)
		if got, ok := f.value(v.Value, at, k); ok {
			out[word] = got
		}
	}
	return out
}

func (f *file) value(n ast.Node, at string, k Key) (any, bool) {
	n, ok := f.plain(n, at)
	if !ok {
		return nil, false
	}
	if n.Type() == ast.NullType {
		return nil, false // a key without a value is as one left out
	}
	switch {
	case k.List:
		return f.list(n, at, k)
	case k.Group:
		return f.group(n, at, k.inside()), true
	}
	f.from[at] = f.where(n)
	return f.scalar(n, at, k, k.Type)
}

func (f *file) list(n ast.Node, at string, k Key) (any, bool) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		f.problem(n, at, "here must be a list: write each entry after a hyphen")
		return nil, false
	}
	out := []any{}
	for i, item := range s.Values {
		itemAt := fmt.Sprintf("%s[%d]", at, i)
		item, ok := f.plain(item, itemAt)
		if !ok {
			continue
		}
		f.from[itemAt] = f.where(item)
		if k.Group {
			out = append(out, withDefaults(f.group(item, itemAt, k.inside()), k.inside()))
		} else if v, ok := f.scalar(item, itemAt, k, k.Type.Elem()); ok {
			out = append(out, v)
		}
	}
	return out, true
}

// withDefaults fills in what an entry of a list leaves out.
func withDefaults(entry map[string]any, keys []Key) map[string]any {
	for _, k := range keys {
		if _, there := entry[name(k.Path)]; there || k.Default == "" || entry == nil {
			continue
		}
		if v, err := k.text(k.Default); err == nil { // a test holds the defaults good
			entry[name(k.Path)] = v
		}
	}
	return entry
}

func (f *file) scalar(n ast.Node, at string, k Key, t reflect.Type) (any, bool) {
	var text string
	switch x := n.(type) {
	case *ast.StringNode:
		text = x.Value
	case *ast.LiteralNode:
		text = x.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		text = n.GetToken().Value
	default:
		f.problem(n, at, "here must be one value, not keys or a list")
		return nil, false
	}
	v, err := k.scalar(t, text)
	if err != nil {
		f.problem(n, at, "%v", err)
		return nil, false
	}
	if s, ok := v.(string); ok && k.IsPath {
		v = fromFolder(filepath.Dir(f.name), s)
	}
	return v, true
}

// fromFolder finds a path of a file from that file's folder.
func fromFolder(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func find(keys []Key, word string) (Key, bool) {
	for _, k := range keys {
		if name(k.Path) == word {
			return k, true
		}
	}
	return Key{}, false
}

func names(keys []Key) string {
	words := make([]string, len(keys))
	for i, k := range keys {
		words[i] = name(k.Path)
	}
	return strings.Join(words, ", ")
}

// suggest names what was probably meant: a key of the same group, or one of the
// same name elsewhere, or what there is.
func suggest(word string, here []Key) string {
	words := strings.Split(names(here), ", ")
	if n := nearest(strings.ReplaceAll(word, "_", "-"), words); n != "" {
		return fmt.Sprintf(": did you mean %s?", n)
	}
	for _, k := range Schema() {
		if name(k.Path) == word {
			return fmt.Sprintf(" here: did you mean %s?", k.Path)
		}
	}
	return ": there are " + strings.Join(words, ", ")
}

func join(path, word string) string {
	if path == "" {
		return word
	}
	return path + "." + word
}
