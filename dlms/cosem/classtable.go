package cosem

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"smets1/dlms/axdr"
)

// latestVersion asks LookupClass for the latest version of a class.
const latestVersion = 0xFF

// ClassInfo describes one version of an interface class for tools: object
// lists, decoding, completion of names. Servers describe their own objects.
type ClassInfo struct {
	ID         ClassID
	Version    uint8
	Name       string // "Profile generic"
	Attributes []AttributeInfo
	Methods    []MethodInfo
}

// AttributeInfo describes an attribute.
type AttributeInfo struct {
	ID    int8
	Name  string     // "capture_period"
	Types []axdr.Tag // types the value may have; empty where the class leaves it open
	Shape string     // what is inside, or the meaning of enum values; may be empty
	since uint8
	until uint8
}

// MethodInfo describes a method.
type MethodInfo struct {
	ID    int8
	Name  string     // "remote_disconnect"
	Types []axdr.Tag // types the parameter may have
	Shape string
	since uint8
}

//go:embed classes.txt
var classText string

var classTable = sync.OnceValue(func() []ClassInfo {
	table, err := parseClasses(classText)
	if err != nil {
		// The file is compiled in and read by the tests of this package.
		panic(err)
	}
	return table
})

// Classes returns the latest version of every class of the table, by number.
func Classes() []ClassInfo {
	table := classTable()
	out := make([]ClassInfo, len(table))
	for i, c := range table {
		out[i] = c.at(c.Version)
	}
	return out
}

// LookupClass describes a class in the given version. A version later than
// the table knows gets the latest one it does.
func LookupClass(id ClassID, version uint8) (ClassInfo, bool) {
	for _, c := range classTable() {
		if c.ID == id {
			return c.at(min(version, c.Version)), true
		}
	}
	return ClassInfo{}, false
}

// at gives the class as it is in one version.
func (c ClassInfo) at(version uint8) ClassInfo {
	out := ClassInfo{ID: c.ID, Version: version, Name: c.Name}
	for _, a := range c.Attributes {
		if a.since <= version && version <= a.until {
			out.Attributes = append(out.Attributes, a)
		}
	}
	for _, m := range c.Methods {
		if m.since <= version {
			out.Methods = append(out.Methods, m)
		}
	}
	return out
}

// Attribute finds an attribute by number.
func (c ClassInfo) Attribute(id int8) (AttributeInfo, bool) {
	for _, a := range c.Attributes {
		if a.ID == id {
			return a, true
		}
	}
	return AttributeInfo{}, false
}

// AttributeByName finds an attribute by name.
func (c ClassInfo) AttributeByName(name string) (AttributeInfo, bool) {
	for _, a := range c.Attributes {
		if a.Name == name {
			return a, true
		}
	}
	return AttributeInfo{}, false
}

// Method finds a method by number.
func (c ClassInfo) Method(id int8) (MethodInfo, bool) {
	for _, m := range c.Methods {
		if m.ID == id {
			return m, true
		}
	}
	return MethodInfo{}, false
}

// MethodByName finds a method by name.
func (c ClassInfo) MethodByName(name string) (MethodInfo, bool) {
	for _, m := range c.Methods {
		if m.Name == name {
			return m, true
		}
	}
	return MethodInfo{}, false
}

// Allows reports whether a value of type t fits the attribute. Null-data fits
// every attribute: meters send it for a value they do not have.
func (a AttributeInfo) Allows(t axdr.Tag) bool { return allows(a.Types, t) }

// Allows reports whether a parameter of type t fits the method.
func (m MethodInfo) Allows(t axdr.Tag) bool { return allows(m.Types, t) }

func allows(types []axdr.Tag, t axdr.Tag) bool {
	if len(types) == 0 || t == axdr.TagNull {
		return true
	}
	for _, allowed := range types {
		// A date-time may travel under its own tag or as an octet-string.
		date := t == axdr.TagDateTime || t == axdr.TagDate || t == axdr.TagTime
		if allowed == t || allowed == axdr.TagOctetString && date {
			return true
		}
	}
	return false
}

// parseClasses reads the text form that classes.txt describes.
func parseClasses(text string) ([]ClassInfo, error) {
	var table []ClassInfo
	for number, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if kind == "" {
			continue
		}
		var err error
		switch {
		case kind == "class":
			table, err = appendClass(table, rest)
		case len(table) == 0:
			err = fmt.Errorf("%q before the first class", kind)
		case kind == "a":
			err = table[len(table)-1].addAttribute(rest)
		case kind == "m":
			err = table[len(table)-1].addMethod(rest)
		default:
			err = fmt.Errorf("%q is not class, a or m", kind)
		}
		if err != nil {
			return nil, fmt.Errorf("cosem: class table line %d: %w", number+1, err)
		}
	}
	return table, nil
}

func appendClass(table []ClassInfo, rest string) ([]ClassInfo, error) {
	fields := strings.SplitN(rest, " ", 3)
	if len(fields) != 3 {
		return nil, fmt.Errorf("class wants a number, a version and a name")
	}
	id, err := strconv.ParseUint(fields[0], 10, 16)
	if err != nil {
		return nil, err
	}
	version, err := strconv.ParseUint(fields[1], 10, 7)
	if err != nil {
		return nil, err
	}
	name := AttributeInfo{ID: 1, Name: "logical_name", Types: []axdr.Tag{axdr.TagOctetString}, until: latestVersion}
	return append(table, ClassInfo{
		ID: ClassID(id), Version: uint8(version), Name: fields[2], Attributes: []AttributeInfo{name},
	}), nil
}

func (c *ClassInfo) addAttribute(rest string) error {
	m, err := parseMember(rest)
	if err != nil {
		return err
	}
	c.Attributes = append(c.Attributes, AttributeInfo{
		ID: m.id, Name: m.name, Types: m.types, Shape: m.shape, since: m.since, until: m.until,
	})
	return nil
}

func (c *ClassInfo) addMethod(rest string) error {
	m, err := parseMember(rest)
	if err != nil {
		return err
	}
	c.Methods = append(c.Methods, MethodInfo{ID: m.id, Name: m.name, Types: m.types, Shape: m.shape, since: m.since})
	return nil
}

// member is one attribute or method line.
type member struct {
	id           int8
	since, until uint8
	name, shape  string
	types        []axdr.Tag
}

func parseMember(rest string) (member, error) {
	fields := strings.SplitN(rest, " ", 4)
	if len(fields) < 3 {
		return member{}, fmt.Errorf("want a number, a name and a type")
	}
	m := member{name: fields[1], until: latestVersion}
	if len(fields) == 4 {
		m.shape = fields[3]
	}
	number, versions, _ := strings.Cut(fields[0], "@")
	id, err := strconv.ParseInt(number, 10, 8)
	if err != nil {
		return member{}, err
	}
	m.id = int8(id)
	if versions != "" {
		since, until, bounded := strings.Cut(versions, "-")
		v, err := strconv.ParseUint(since, 10, 7)
		if err != nil {
			return member{}, err
		}
		m.since = uint8(v)
		if bounded {
			if v, err = strconv.ParseUint(until, 10, 7); err != nil {
				return member{}, err
			}
			m.until = uint8(v)
		}
	}
	if fields[2] == "any" {
		return m, nil
	}
	for _, name := range strings.Split(fields[2], "|") {
		tag, ok := axdr.TagByName(name)
		if !ok {
			return member{}, fmt.Errorf("%q is not a Data type", name)
		}
		m.types = append(m.types, tag)
	}
	return m, nil
}
