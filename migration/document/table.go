package document

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"smets1/internal/wire"
)

// Row is one record of a table whose cells all follow their columns' rules.
type Row struct {
	Line   int // line of the file, the header being line 1
	Record int // 1 for the first record
	cells  []string
	layout *Layout
}

// Get gives the cell of a field; empty where the cell is empty.
func (r Row) Get(field string) string {
	i, ok := r.layout.byField[field]
	if !ok {
		return ""
	}
	return r.cells[i]
}

// EUI gives a cell of type eui; zero where the cell is empty.
func (r Row) EUI(field string) EUI {
	cell := r.Get(field)
	if cell == "" {
		return EUI{}
	}
	e, err := wire.ParseEUI64(cell)
	if err != nil {
		return EUI{}
	}
	return e
}

// Date gives a cell of type date; zero where the cell is empty.
func (r Row) Date(field string) Date {
	d, err := ParseDate(r.Get(field))
	if err != nil {
		return Date{}
	}
	return d
}

// Int gives a cell of type counter or number; zero where the cell is empty.
func (r Row) Int(field string) int {
	n, err := strconv.Atoi(r.Get(field))
	if err != nil {
		return 0
	}
	return n
}

// Table reads a CSV document by its layout: UTF-8 (a leading byte order mark is allowed), comma,
// CRLF or LF, a header row, RFC 4180 quoting, no cell that a spreadsheet would take for a formula.
type Table struct {
	specs  *Specs
	layout *Layout
	file   string
	ps     Problems
	read   int // records so far, good or not
}

// NewTable prepares to read the document of a layout; file is the name that problems will show.
func NewTable(specs *Specs, document, file string) (*Table, error) {
	l, err := specs.Layout(document)
	if err != nil {
		return nil, err
	}
	return &Table{specs: specs, layout: l, file: file}, nil
}

// Problems gives what was found so far; complete after Rows has ended.
func (t *Table) Problems() Problems { return t.ps }

// Report adds a problem that the caller found in a row.
func (t *Table) Report(row int, field, code, what string) {
	t.ps = append(t.ps, t.specs.Problem(t.file, row, t.heading(field), code, what))
}

func (t *Table) heading(field string) string {
	if i, ok := t.layout.byField[field]; ok {
		return t.layout.Columns[i].Heading()
	}
	return field
}

// Rows yields the good rows one by one, so that a file of any length is read in bounded memory.
// A row with a fault is reported and left out. After a fault of the whole file nothing more is
// yielded and [Problems.FileFailed] is true: the caller must then drop what it was given.
func (t *Table) Rows(src io.Reader) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		limited := &limitReader{r: src, left: t.layout.MaxBytes}
		cr := csv.NewReader(skipBOM(limited))
		cr.FieldsPerRecord = -1
		head, err := cr.Read()
		switch {
		case errors.Is(err, io.EOF):
			t.Report(0, "", t.layout.Codes.Header, "The file is empty; a header row is wanted.")
			return
		case err != nil:
			t.Report(0, "", t.layout.Codes.Undecodable, "The header row cannot be read: "+err.Error()+".")
			return
		}
		if what := t.layout.checkHeader(head); what != "" {
			t.Report(0, "", t.layout.Codes.Header, what)
			return
		}
		for record := 1; ; record++ {
			cells, err := cr.Read()
			var pe *csv.ParseError
			switch {
			case errors.Is(err, io.EOF):
				return
			case errors.As(err, &pe) && pe.StartLine != pe.Line:
				// A quote that is never closed swallows the rows after it: they cannot be judged.
				t.Report(0, "", t.layout.Codes.Undecodable, fmt.Sprintf("The quoting that starts at line %d is broken at line %d.", pe.StartLine, pe.Line))
				return
			case errors.As(err, &pe):
				t.Report(pe.StartLine, "", t.layout.Codes.Row, fmt.Sprintf("The quoting is broken at line %d, column %d (%v).", pe.Line, pe.Column, pe.Err))
				continue
			case err != nil:
				t.Report(0, "", t.layout.Codes.Undecodable, "Reading stopped: "+err.Error()+".")
				return
			}
			if record > t.layout.MaxRows {
				t.Report(0, "", t.layout.Codes.Undecodable, fmt.Sprintf("The file has more than %d records.", t.layout.MaxRows))
				return
			}
			t.read = record
			line, _ := cr.FieldPos(0)
			if len(t.ps) > maxProblems {
				t.Report(0, "", t.layout.Codes.Undecodable, fmt.Sprintf("More than %d problems; the rest of the file was not read.", maxProblems))
				return
			}
			if row, ok := t.row(line, record, cells); ok && !yield(row) {
				return
			}
		}
	}
}

// maxProblems bounds what a hostile file can make us remember.
const maxProblems = 10_000

func (t *Table) row(line, record int, cells []string) (Row, bool) {
	if len(cells) != len(t.layout.Columns) {
		t.Report(line, "", t.layout.Codes.Row, fmt.Sprintf("The row has %d cells; the layout has %d columns.", len(cells), len(t.layout.Columns)))
		return Row{}, false
	}
	row := Row{Line: line, Record: record, cells: cells, layout: t.layout}
	fuel := Fuel(row.Get("Fuel"))
	good := true
	for i, c := range t.layout.Columns {
		what := ""
		if !utf8.ValidString(cells[i]) {
			what = "The cell is not UTF-8."
		} else {
			what = c.check(cells[i], record, fuel)
		}
		if what != "" {
			t.Report(line, c.Field, t.layout.Codes.Row, what)
			good = false
		}
	}
	return row, good
}

func (l *Layout) checkHeader(head []string) string {
	want := l.Headings()
	for i := range max(len(want), len(head)) {
		switch {
		case i >= len(head):
			return fmt.Sprintf("Heading %d should be %q and is missing (layout %s %s).", i+1, want[i], l.Document, l.Version)
		case i >= len(want):
			return fmt.Sprintf("Heading %d, %s, is one too many (layout %s %s).", i+1, strconv.Quote(clip(head[i])), l.Document, l.Version)
		case head[i] != want[i]:
			return fmt.Sprintf("Heading %d should be %q and is %s (layout %s %s).", i+1, want[i], strconv.Quote(clip(head[i])), l.Document, l.Version)
		}
	}
	return ""
}

func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "�") + "…"
	}
	return s
}

// WriteTable writes a document by its layout: header, then rows of cells in the layout's order.
// It holds each cell against the column's rule, so that what we write we would also read.
func WriteTable(w io.Writer, specs *Specs, document string, rows iter.Seq[[]string]) error {
	l, err := specs.Layout(document)
	if err != nil {
		return err
	}
	cw := csv.NewWriter(w)
	if err := cw.Write(l.Headings()); err != nil {
		return err
	}
	record := 0
	for cells := range rows {
		record++
		if len(cells) != len(l.Columns) {
			return fmt.Errorf("%s record %d: %d cells for %d columns", document, record, len(cells), len(l.Columns))
		}
		row := Row{cells: cells, layout: l}
		for i, c := range l.Columns {
			if what := c.check(cells[i], record, Fuel(row.Get("Fuel"))); what != "" {
				return fmt.Errorf("%s record %d: %s: %s", document, record, c.Heading(), what)
			}
		}
		if err := cw.Write(cells); err != nil {
			return err
		}
	}
	cw.Flush()
	return cw.Error()
}

// cells puts values by field into the layout's order; fields that are not given stay empty.
func (l *Layout) cells(values map[string]string) []string {
	out := make([]string, len(l.Columns))
	for f, v := range values {
		if i, ok := l.byField[f]; ok {
			out[i] = v
		}
	}
	return out
}

var errTooLarge = errors.New("the file is larger than its limit")

// limitReader is io.LimitReader that says so when the limit is reached.
type limitReader struct {
	r    io.Reader
	left int64
}

func (l *limitReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		var one [1]byte
		n, err := l.r.Read(one[:])
		if n > 0 {
			return 0, errTooLarge
		}
		return 0, err
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	return n, err
}

// skipBOM drops the byte order mark that spreadsheets put before UTF-8.
func skipBOM(r io.Reader) io.Reader {
	bom := make([]byte, 3)
	n, err := io.ReadFull(r, bom)
	head := bom[:n]
	if n == 3 && bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		head = nil
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return io.MultiReader(bytes.NewReader(head), errReader{err})
	}
	return io.MultiReader(bytes.NewReader(head), r)
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

// euiText gives the text of an identity, nothing for the zero one.
func euiText(e EUI) string {
	if e.IsZero() {
		return ""
	}
	return e.String()
}

func yesNo(b bool) string {
	if b {
		return "Y"
	}
	return "N"
}
