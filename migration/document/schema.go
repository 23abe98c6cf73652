package document

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// Namespace is that of every migration file (ours; the published schema could not be had).
const Namespace = "urn:opensmets1:migration:1"

// SchemaVersion is the version of our schema.
const SchemaVersion = "1.0"

// The rule of a field is in its tag `rule`, from which both the check here and the shipped XSD
// are made, so that the two cannot differ:
//
//	text MIN MAX          characters, without line breaks
//	pattern REGEX         without ^ and $
//	enum A B C
//	occurs MIN MAX        of a slice
//
// joined by "; ". Types that write themselves as text have a rule of their own (see simpleTypes).

// XMLLimits bounds what parsing a migration file may use.
type XMLLimits struct {
	MaxBytes         int // 0 means 64 MiB
	MaxInstallations int // 0 means 10,000
}

const (
	maxDepth    = 16
	maxElements = 2_000_000
	maxAttrs    = 8
)

// Digest is a SHA-256, upper-case hexadecimal in files.
type Digest [32]byte

// String gives the hexadecimal text.
func (d Digest) String() string { return strings.ToUpper(hex.EncodeToString(d[:])) }

// IsZero reports whether no digest was set.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText writes 64 upper-case hexadecimal digits.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what [Digest.MarshalText] wrote.
func (d *Digest) UnmarshalText(b []byte) error {
	if !sha256Cell.Match(b) {
		return fmt.Errorf("%q is not a SHA-256 in hexadecimal", clip(string(b)))
	}
	_, err := hex.Decode(d[:], b)
	return err
}

// Base64 is binary data, base64 in files.
type Base64 []byte

// MarshalText writes base64 without line breaks.
func (b Base64) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(b)), nil
}

// UnmarshalText reads what [Base64.MarshalText] wrote.
func (b *Base64) UnmarshalText(t []byte) error {
	v, err := base64.StdEncoding.DecodeString(string(t))
	*b = v
	return err
}

// Instant is a time in UTC to the second.
type Instant struct{ time.Time }

// At gives the instant of a time; fractions of a second are cut off.
func At(t time.Time) Instant { return Instant{t.UTC().Truncate(time.Second)} }

// MarshalText writes `2019-07-14T18:00:00Z`.
func (i Instant) MarshalText() ([]byte, error) { return []byte(i.UTC().Format(time.RFC3339)), nil }

// UnmarshalText reads what [Instant.MarshalText] wrote.
func (i *Instant) UnmarshalText(b []byte) error {
	t, err := time.Parse("2006-01-02T15:04:05Z", string(b))
	if err != nil || len(b) != len("2019-07-14T18:00:00Z") { // Parse takes fractions of a second unasked
		return fmt.Errorf("%q is not a time in UTC as 2019-07-14T18:00:00Z", clip(string(b)))
	}
	i.Time = t
	return nil
}

// errSchema is what every schema fault wraps.
var errSchema = errors.New("not as the schema wants")

type schemaError struct{ path, what string }

func (e *schemaError) Error() string { return e.path + ": " + e.what }
func (e *schemaError) Unwrap() error { return errSchema }

// scanXML goes over the tokens before anything is built of them, and refuses what a migration file never
// holds: document types and entities, processing instructions, comments, other encodings,
// too great depth, too many elements.
func scanXML(data []byte, limits XMLLimits) error {
	maxBytes := limits.MaxBytes
	if maxBytes == 0 {
		maxBytes = 64 << 20
	}
	maxInstallations := limits.MaxInstallations
	if maxInstallations == 0 {
		maxInstallations = 10_000
	}
	if len(data) > maxBytes {
		return &schemaError{"file", fmt.Sprintf("%d octets; at most %d are read", len(data), maxBytes)}
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict = true
	depth, elements, installations, roots := 0, 0, 0, 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := d.InputPos()
		at := fmt.Sprintf("line %d", line)
		if err != nil {
			return &schemaError{at, "not well-formed: " + err.Error()}
		}
		switch t := tok.(type) {
		case xml.Directive:
			return &schemaError{at, "a document type or entity declaration; migration files have none"}
		case xml.Comment:
			return &schemaError{at, "a comment; migration files have none"}
		case xml.ProcInst:
			if t.Target != "xml" || elements > 0 {
				return &schemaError{at, "a processing instruction; migration files have none"}
			}
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
			elements++
			if t.Name.Local == "Installation" {
				installations++
			}
			switch {
			case roots > 1:
				return &schemaError{at, "a second root element"}
			case depth > maxDepth:
				return &schemaError{at, fmt.Sprintf("elements nested more than %d deep", maxDepth)}
			case elements > maxElements:
				return &schemaError{at, fmt.Sprintf("more than %d elements", maxElements)}
			case installations > maxInstallations:
				return &schemaError{at, fmt.Sprintf("more than %d installations", maxInstallations)}
			case len(t.Attr) > maxAttrs:
				return &schemaError{at, fmt.Sprintf("more than %d attributes on one element", maxAttrs)}
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(t)) > 0 {
				return &schemaError{at, "text outside the root element"}
			}
		}
	}
	if roots != 1 {
		return &schemaError{"file", "there is no root element"}
	}
	return nil
}

// decodeStrict fills v from the XML of one element and holds it against the rules. Elements,
// attributes and spellings that v cannot hold are found by writing v again and comparing.
func decodeStrict(data []byte, v any) error {
	if err := xml.Unmarshal(data, v); err != nil {
		return &schemaError{"file", err.Error()}
	}
	again, err := xml.Marshal(v)
	if err != nil {
		return &schemaError{"file", err.Error()}
	}
	var was, is etree.Document
	if err := was.ReadFromBytes(data); err != nil {
		return &schemaError{"file", "not well-formed: " + err.Error()}
	}
	if err := is.ReadFromBytes(again); err != nil {
		return &schemaError{"file", err.Error()}
	}
	if err := sameElement(was.Root(), is.Root(), "/"+is.Root().Tag); err != nil {
		return err
	}
	return checkRules(reflect.ValueOf(v).Elem(), "/"+is.Root().Tag)
}

// sameElement compares what was read with what the types make of it.
func sameElement(was, is *etree.Element, path string) error {
	if was == nil || was.Tag != is.Tag || was.NamespaceURI() != is.NamespaceURI() {
		return &schemaError{path, "another element was expected here"}
	}
	attrs := map[string]string{}
	for _, a := range is.Attr {
		if a.Space != "xmlns" && a.FullKey() != "xmlns" {
			attrs[a.FullKey()] = a.Value
		}
	}
	for _, a := range was.Attr {
		if a.Space == "xmlns" || a.FullKey() == "xmlns" {
			continue
		}
		v, ok := attrs[a.FullKey()]
		if !ok {
			return &schemaError{path, fmt.Sprintf("attribute %s is not in the schema", clip(a.FullKey()))}
		}
		if v != a.Value {
			return &schemaError{path, fmt.Sprintf("attribute %s is %q and would be written %q", a.Key, clip(a.Value), clip(v))}
		}
		delete(attrs, a.FullKey())
	}
	for k, v := range attrs {
		if v != "" {
			return &schemaError{path, fmt.Sprintf("attribute %s is missing", k)}
		}
		return &schemaError{path, fmt.Sprintf("attribute %s is missing or empty", k)}
	}
	a, b := was.ChildElements(), is.ChildElements()
	counts := map[string]int{}
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(b):
			return &schemaError{path + "/" + clip(a[i].Tag), "the element is not in the schema here, or empty, or once too often"}
		case i >= len(a):
			return &schemaError{path + "/" + b[i].Tag, "the element is missing"}
		case a[i].Tag != b[i].Tag || a[i].NamespaceURI() != b[i].NamespaceURI():
			return &schemaError{path + "/" + clip(a[i].Tag), fmt.Sprintf("the element is not in the schema here; %s was expected", b[i].Tag)}
		}
		counts[b[i].Tag]++
		p := path + "/" + b[i].Tag
		if n := counts[b[i].Tag]; n > 1 || (i+1 < len(b) && b[i+1].Tag == b[i].Tag) {
			p += "[" + strconv.Itoa(n) + "]"
		}
		if err := sameElement(a[i], b[i], p); err != nil {
			return err
		}
	}
	x, y := allText(was), allText(is)
	if len(b) > 0 {
		x, y = strings.TrimSpace(x), strings.TrimSpace(y)
	}
	if x != y {
		return &schemaError{path, fmt.Sprintf("%q would be written %q", clip(x), clip(y))}
	}
	return nil
}

func allText(e *etree.Element) string {
	var b strings.Builder
	for _, c := range e.Child {
		if t, ok := c.(*etree.CharData); ok {
			b.WriteString(t.Data)
		}
	}
	return b.String()
}

// fieldRule is a parsed rule tag.
type fieldRule struct {
	text     bool
	min, max int // of text
	pattern  string
	re       *regexp.Regexp
	enum     []string
	from, to int // occurrences of a slice
	occurs   bool
}

var ruleCache sync.Map // tag string to fieldRule

func ruleOf(tag string) fieldRule {
	if r, ok := ruleCache.Load(tag); ok {
		return r.(fieldRule)
	}
	var r fieldRule
	for part := range strings.SplitSeq(tag, "; ") {
		word, rest, _ := strings.Cut(part, " ")
		f := strings.Fields(rest)
		switch word {
		case "text":
			r.text = true
			r.min, r.max = number(f, 0), number(f, 1)
		case "pattern":
			r.pattern = rest
			r.re = regexp.MustCompile("^(?:" + rest + ")$")
		case "enum":
			r.enum = f
		case "occurs":
			r.occurs = true
			r.from, r.to = number(f, 0), number(f, 1)
		}
	}
	ruleCache.Store(tag, r)
	return r
}

func number(f []string, i int) int {
	if i >= len(f) {
		return 0
	}
	n, err := strconv.Atoi(f[i])
	if err != nil {
		return 0
	}
	return n
}

// xmlField is how encoding/xml sees a struct field.
type xmlField struct {
	name      string
	attr      bool
	chardata  bool
	omitempty bool
	rule      fieldRule
	index     int
}

func xmlFields(t reflect.Type) []xmlField {
	var out []xmlField
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("xml")
		if f.Name == "XMLName" || tag == "-" {
			continue
		}
		parts := strings.Split(tag, ",")
		x := xmlField{name: f.Name, index: i, rule: ruleOf(f.Tag.Get("rule"))}
		if ok && parts[0] != "" {
			x.name = parts[0]
		}
		for _, p := range parts[1:] {
			switch p {
			case "attr":
				x.attr = true
			case "chardata":
				x.chardata = true
			case "omitempty":
				x.omitempty = true
			}
		}
		out = append(out, x)
	}
	return out
}

var textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()

func isText(t reflect.Type) bool { return t.Implements(textMarshaler) }

// checkRules holds a value against the rule tags of its type.
func checkRules(v reflect.Value, path string) error {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct || isText(v.Type()) {
		return nil
	}
	for _, f := range xmlFields(v.Type()) {
		fv, p := v.Field(f.index), path+"/"+f.name
		if f.attr {
			p = path + "/@" + f.name
		}
		if f.chardata {
			p = path
		}
		if fv.Kind() == reflect.Slice && !isText(fv.Type()) {
			if n := fv.Len(); f.rule.occurs && (n < f.rule.from || n > f.rule.to) {
				return &schemaError{p, fmt.Sprintf("found %d times; %d to %d are allowed", n, f.rule.from, f.rule.to)}
			}
			for i := range fv.Len() {
				if err := checkOne(fv.Index(i), f, p+"["+strconv.Itoa(i+1)+"]"); err != nil {
					return err
				}
			}
			continue
		}
		if err := checkOne(fv, f, p); err != nil {
			return err
		}
	}
	return nil
}

func checkOne(v reflect.Value, f xmlField, path string) error {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if v.Kind() == reflect.String {
		s := v.String()
		if s == "" && f.omitempty {
			return nil
		}
		return f.rule.check(s, path)
	}
	if v.Kind() == reflect.Slice { // Base64
		if n := v.Len(); f.rule.text && (n < f.rule.min || n > f.rule.max) {
			return &schemaError{path, fmt.Sprintf("%d octets; %d to %d are allowed", n, f.rule.min, f.rule.max)}
		}
		return nil
	}
	return checkRules(v, path)
}

func (r fieldRule) check(s, path string) error {
	n := len([]rune(s))
	switch {
	case r.text && (n < r.min || n > r.max):
		return &schemaError{path, fmt.Sprintf("%d characters; %d to %d are allowed", n, r.min, r.max)}
	case r.text && strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == utf8.RuneError || c == 0xFFFE || c == 0xFFFF }):
		return &schemaError{path, "a line break, a tab or a character that XML cannot carry"}
	case r.re != nil && !r.re.MatchString(s):
		return &schemaError{path, fmt.Sprintf("%q does not match %s", clip(s), r.pattern)}
	case r.enum != nil && !oneOfExact(s, r.enum):
		return &schemaError{path, fmt.Sprintf("%q is not one of %s", clip(s), strings.Join(r.enum, ", "))}
	}
	return nil
}

func oneOfExact(s string, options []string) bool {
	for _, o := range options {
		if s == o {
			return true
		}
	}
	return false
}
