package config

import (
	"encoding"
	"reflect"
	"strings"
	"time"
)

// Key is one setting, as the structs declare it.
type Key struct {
	Path    string // broker.listen; hubs[].eui inside a list
	Doc     string
	Default string   // as text; empty where absent means nothing
	Words   []string // that it may be; none means any
	IsPath  bool
	Group   bool // has keys below it
	List    bool // of values, or of groups
	Type    reflect.Type
}

// Env is the environment variable that sets it; empty if none does.
func (k Key) Env() string {
	if k.Group || strings.Contains(k.Path, "[]") {
		return ""
	}
	return "SMETS1_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(k.Path))
}

// Flag is the flag that sets it, without its hyphens; empty if none does.
func (k Key) Flag() string {
	if k.Env() == "" {
		return ""
	}
	return strings.ReplaceAll(k.Path, ".", "-")
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }

func keyOf(prefix string, f reflect.StructField) Key {
	k := Key{
		Path: prefix + f.Tag.Get("yaml"), Doc: f.Tag.Get("doc"), Default: f.Tag.Get("default"), IsPath: f.Tag.Get("path") != "",
		Type: f.Type, List: f.Type.Kind() == reflect.Slice,
	}
	if w := f.Tag.Get("words"); w != "" {
		k.Words = strings.Split(w, "|")
	}
	elem := f.Type
	if k.List {
		elem = elem.Elem()
	}
	k.Group = elem.Kind() == reflect.Struct
	return k
}

// below is the prefix of the keys in a group.
func (k Key) below() string {
	if k.List {
		return k.Path + "[]."
	}
	return k.Path + "."
}

func fields(prefix string, t reflect.Type) []Key {
	var out []Key
	for i := range t.NumField() {
		out = append(out, keyOf(prefix, t.Field(i)))
	}
	return out
}

// inside gives the keys of a group.
func (k Key) inside() []Key {
	t := k.Type
	if k.List {
		t = t.Elem()
	}
	return fields(k.below(), t)
}

// Schema gives every key, each group before what is in it.
func Schema() []Key {
	var out []Key
	var add func([]Key)
	add = func(keys []Key) {
		for _, k := range keys {
			out = append(out, k)
			if k.Group {
				add(k.inside())
			}
		}
	}
	add(fields("", reflect.TypeFor[Config]()))
	return out
}

// name is the last word of a path.
func name(path string) string { return path[strings.LastIndex(path, ".")+1:] }
