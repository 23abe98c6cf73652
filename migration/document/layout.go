package document

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Layout is the column layout of one CSV document, as read from specs/<document>/<version>/columns.yaml.
// Code asks for a column by its Field; the Header is what the file says, so that a published
// heading can replace ours without a change of code.
type Layout struct {
	Document   string      `yaml:"document"`
	Version    string      `yaml:"version"`
	Title      string      `yaml:"title"`
	Provenance Provenance  `yaml:"provenance"`
	Source     string      `yaml:"source"`
	Codes      LayoutCodes `yaml:"codes"`
	MaxRows    int         `yaml:"maxRows"`
	MaxBytes   int64       `yaml:"maxBytes"` // 0 means 16 MiB
	Columns    []Column    `yaml:"columns"`

	byField map[string]int
}

// LayoutCodes are the codes under which a table reader reports.
type LayoutCodes struct {
	Undecodable string `yaml:"undecodable"`
	Header      string `yaml:"header"`
	Row         string `yaml:"row"`
}

// Column is one column of a layout.
type Column struct {
	Field    string   `yaml:"field"`    // our stable name
	Header   string   `yaml:"header"`   // heading in the file; empty means the same as Field
	Type     string   `yaml:"type"`     // counter number text enum eui date serial sha256 mpxn mpan mprn
	Optional bool     `yaml:"optional"` // the cell may be empty
	Min      int      `yaml:"min"`      // number: least value
	Max      int      `yaml:"max"`      // number: greatest value; text: most characters
	Values   []string `yaml:"values"`   // enum
	Pattern  string   `yaml:"pattern"`  // text
	Secret   bool     `yaml:"secret"`   // the value never appears in a problem

	pattern *regexp.Regexp
}

// Heading gives what the file's first line says for the column.
func (c Column) Heading() string {
	if c.Header != "" {
		return c.Header
	}
	return c.Field
}

var columnTypes = []string{"counter", "number", "text", "enum", "eui", "date", "serial", "sha256", "mpxn", "mpan", "mprn"}

func (l *Layout) finish(path string) error {
	if l.Document == "" || l.Version == "" || len(l.Columns) == 0 || l.MaxRows < 1 {
		return fmt.Errorf("%s: a layout needs document, version, maxRows and columns", path)
	}
	if !slices.Contains([]Provenance{Published, Recalled, Ours}, l.Provenance) {
		return fmt.Errorf("%s: provenance %q is not published, recalled or ours", path, l.Provenance)
	}
	if l.Codes.Header == "" || l.Codes.Row == "" || l.Codes.Undecodable == "" {
		return fmt.Errorf("%s: codes needs undecodable, header and row", path)
	}
	if l.MaxBytes == 0 {
		l.MaxBytes = 16 << 20
	}
	l.byField = make(map[string]int, len(l.Columns))
	for i := range l.Columns {
		c := &l.Columns[i]
		if _, twice := l.byField[c.Field]; twice || c.Field == "" {
			return fmt.Errorf("%s: column field %q is empty or appears twice", path, c.Field)
		}
		l.byField[c.Field] = i
		if !slices.Contains(columnTypes, c.Type) {
			return fmt.Errorf("%s: column %s: type %q is not one of %s", path, c.Field, c.Type, strings.Join(columnTypes, " "))
		}
		if c.Pattern != "" {
			re, err := regexp.Compile(c.Pattern)
			if err != nil {
				return fmt.Errorf("%s: column %s: %w", path, c.Field, err)
			}
			c.pattern = re
		}
	}
	return nil
}

// carries reports an error when l lacks a field that was has: the code would not find it.
func (l *Layout) carries(was *Layout) error {
	for _, c := range was.Columns {
		if _, ok := l.byField[c.Field]; !ok {
			return fmt.Errorf("layout %s %s has no column for field %s", l.Document, l.Version, c.Field)
		}
	}
	return nil
}

// Headings gives the header row.
func (l *Layout) Headings() []string {
	out := make([]string, len(l.Columns))
	for i, c := range l.Columns {
		out[i] = c.Heading()
	}
	return out
}

// check says what is wrong with a cell, or nothing. fuel decides what a mpxn column holds.
func (c Column) check(cell string, record int, fuel Fuel) string {
	if cell == "" {
		if c.Optional {
			return ""
		}
		return "The cell is empty and must not be."
	}
	if strings.ContainsRune("=+-@\t", rune(cell[0])) {
		return fmt.Sprintf("The cell starts with %q, which a spreadsheet would take for a formula.", cell[0])
	}
	for _, r := range cell {
		if r < ' ' || r == 0x7f {
			return "The cell holds a control character or a line break."
		}
	}
	if strings.TrimSpace(cell) != cell {
		return "The cell starts or ends with a space."
	}
	show := strconv.Quote(cell)
	if c.Secret {
		show = "the value"
	} else if len(cell) > 60 {
		show = strconv.Quote(cell[:60]) + "…"
	}
	var err error
	switch c.Type {
	case "counter":
		if cell != strconv.Itoa(record) {
			return fmt.Sprintf("Found %s; records are numbered 1, 2, 3 … and this is %d.", show, record)
		}
	case "number":
		n, e := strconv.Atoi(cell)
		if e != nil || n < c.Min || (c.Max > 0 && n > c.Max) || strconv.Itoa(n) != cell {
			return fmt.Sprintf("Found %s; a whole number from %d to %d is wanted.", show, c.Min, c.Max)
		}
	case "text":
		if c.Max > 0 && len([]rune(cell)) > c.Max {
			return fmt.Sprintf("The cell has %d characters; at most %d are allowed.", len([]rune(cell)), c.Max)
		}
		if c.pattern != nil && !c.pattern.MatchString(cell) {
			return fmt.Sprintf("Found %s; it must match %s.", show, c.Pattern)
		}
	case "enum":
		if !slices.Contains(c.Values, cell) {
			return fmt.Sprintf("Found %s; one of %s is wanted.", show, strings.Join(c.Values, ", "))
		}
	case "eui":
		if !euiCell.MatchString(cell) {
			return fmt.Sprintf("Found %s; an EUI-64 is written 70-B3-D5-1F-30-00-A0-08.", show)
		}
	case "sha256":
		if !sha256Cell.MatchString(cell) {
			return fmt.Sprintf("Found %s; a SHA-256 is 64 hexadecimal digits.", show)
		}
	case "date":
		_, err = ParseDate(cell)
	case "serial":
		_, err = ParseSerial(cell)
	case "mpan":
		_, err = ParseMPAN(cell)
	case "mprn":
		_, err = ParseMPRN(cell)
	case "mpxn":
		if fuel == Electricity || fuel == Gas { // else the Fuel cell has been reported already
			_, err = ParseMPxN(fuel, cell)
		}
	}
	if err != nil {
		return "Found " + err.Error() + "."
	}
	return ""
}

var (
	euiCell    = regexp.MustCompile(`^` + euiPattern + `$`)
	sha256Cell = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)
)
