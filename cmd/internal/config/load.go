package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/v2"
)

// Sources are where settings come from.
type Sources struct {
	File    string            // YAML; empty means none
	Environ []string          // NAME=value, as os.Environ gives them; those with SMETS1_ count
	Flags   map[string]string // by their name without hyphens: only those that were given
}

// fileVariable names the file, for the command; it is no key.
const fileVariable = "SMETS1_CONFIG"

// layer is one source for koanf.
type layer map[string]any

// Read implements koanf.Provider.
func (l layer) Read() (map[string]any, error) { return l, nil }

// ReadBytes implements koanf.Provider.
func (layer) ReadBytes() ([]byte, error) { return nil, errors.ErrUnsupported }

// set puts a value at a path of keys.
func (l layer) set(path string, v any) {
	group, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		l[group] = v
		return
	}
	inner, ok := l[group].(map[string]any)
	if !ok {
		inner = map[string]any{}
		l[group] = inner
	}
	layer(inner).set(rest, v)
}

// Load reads all sources, and checks what they say together: the values, what
// they mean beside each other, and the files that they name. The error is Errors,
// with all mistakes, or that the file could not be read.
func Load(s Sources) (*Config, error) {
	ld := loader{from: map[string]Where{}, base: map[string]any{}, main: Where{File: s.File}}
	layers := []layer{ld.defaults()}
	if s.File != "" {
		data, err := os.ReadFile(s.File)
		if err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
		f := file{name: s.File, from: ld.from}
		if got := f.parse(data); got != nil {
			layers = append(layers, got)
		}
		ld.errs = append(ld.errs, f.errs...)
	}
	layers = append(layers, ld.environment(s.Environ), ld.flags(s.Flags))

	k := koanf.New(".")
	ld.merged = k
	for _, l := range layers {
		if err := k.Load(l, nil); err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
	}
	if len(ld.errs) > 0 {
		return nil, ld.errs.sorted()
	}
	c := new(Config)
	if err := k.UnmarshalWithConf("", c, koanf.UnmarshalConf{Tag: "yaml"}); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	ld.validate(c)
	if len(ld.errs) > 0 {
		return nil, ld.errs.sorted()
	}
	return c, nil
}

// loader collects where values came from and what is wrong with them.
type loader struct {
	main   Where
	base   map[string]any // defaults, by path
	merged *koanf.Koanf
	from   map[string]Where
	errs   Errors
}

func (ld *loader) defaults() layer {
	l := layer{}
	for _, k := range Schema() {
		if k.Default == "" || k.Group || strings.Contains(k.Path, "[]") {
			continue
		}
		if v, err := k.text(k.Default); err != nil {
			ld.problem(k.Path, "its own default: %v", err)
		} else {
			l.set(k.Path, v)
			ld.base[k.Path] = v
		}
	}
	return l
}

func (ld *loader) environment(environ []string) layer {
	keys := map[string]Key{}
	for _, k := range Schema() {
		if env := k.Env(); env != "" {
			keys[env] = k
		}
	}
	var exempt string
	for _, v := range environ {
		if name, value, _ := strings.Cut(v, "="); name == "SMETS1_KEYS_ROOT_ENV" {
			exempt = value
		}
	}
	l := layer{}
	for _, v := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "SMETS1_") || name == fileVariable || name == exempt || strings.HasPrefix(name, "SMETS1_SECRET_") {
			continue
		}
		k, ok := keys[name]
		if !ok {
			reason := "no setting has this name: see smets1d config explain"
			if n := nearest(strings.ToLower(name), lower(slices.Sorted(maps.Keys(keys)))); n != "" {
				reason = "no setting has this name: did you mean " + strings.ToUpper(n) + "?"
			}
			ld.errs = append(ld.errs, &Error{Where: Where{Name: name}, Reason: reason})
			continue
		}
		ld.take(l, k, Where{Name: name}, value)
	}
	return l
}

func lower(words []string) []string {
	for i, w := range words {
		words[i] = strings.ToLower(w)
	}
	return words
}

func (ld *loader) flags(given map[string]string) layer {
	l := layer{}
	for _, k := range Schema() {
		if value, ok := given[k.Flag()]; ok && k.Flag() != "" {
			ld.take(l, k, Where{Name: "--" + k.Flag()}, value)
		}
	}
	return l
}

func (ld *loader) take(l layer, k Key, w Where, text string) {
	v, err := k.text(text)
	if err != nil {
		ld.errs = append(ld.errs, &Error{Where: w, Key: k.Path, Reason: err.Error()})
		return
	}
	ld.from[k.Path] = w
	l.set(k.Path, v)
}

// problem notes a mistake at a path, or at the nearest thing around it that is there.
func (ld *loader) problem(path, format string, args ...any) {
	e := &Error{Where: ld.main, Key: path, Reason: fmt.Sprintf(format, args...)}
	for at := path; at != ""; at = parent(at) {
		if w, ok := ld.from[at]; ok {
			e.Where = w
			break
		}
	}
	ld.errs = append(ld.errs, e)
}

// changed tells whether a source made a setting other than its default.
func (ld *loader) changed(path string) bool {
	_, set := ld.from[path]
	return set && !reflect.DeepEqual(ld.merged.Get(path), ld.base[path])
}

// parent cuts the last step off a path: a.b[1].c, a.b[1], a.b, a.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }
