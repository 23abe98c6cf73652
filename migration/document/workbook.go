package document

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// A form is a table of a layout as an Excel workbook that a person fills in (ours; that a demand template and Excel
// documents exist is published, their cells are not):
//
//	row 1  title                       sheet "Notes": what each column wants, where the rules come from
//	row 2  whom and what it is for
//	row 3  how to fill it in
//	row 5  headings of the layout, columns A, B, C …
//	row 6  first record; shaded cells are for input, all others are locked
//	…      totals row after the last record, where the form has one
//
// Reading back turns the sheet into the CSV of the same layout, so that a workbook is judged by the very rules of the
// CSV document; problems then name sheet and cell.
type form struct {
	document string
	sheet    string
	input    []string // fields that a person fills in
	sums     []string // fields that the totals row adds up; none: no totals row, and empty rows are allowed
	codes    formCodes
}

// formCodes are the codes under which reading a form reports.
type formCodes struct{ undecodable, structure, header, cell string }

const (
	headingRow = 5
	firstRow   = 6
	notesSheet = "Notes"
	totalLabel = "Total"
	// maxWorkbook bounds the file, maxUnzipped what it unpacks to.
	maxWorkbook = 16 << 20
	maxUnzipped = 64 << 20
)

// formText is what a form says around its table.
type formText struct {
	title, subject, howto string
}

// styles of a form, by name.
type formStyles struct{ title, text, head, locked, lockedDate, input, inputDate, total int }

func (f form) write(w io.Writer, specs *Specs, text formText, records [][]string) error {
	l, err := specs.Layout(f.document)
	if err != nil {
		return err
	}
	x := excelize.NewFile()
	defer x.Close() //nolint:errcheck // in memory only
	if err := x.SetSheetName("Sheet1", f.sheet); err != nil {
		return err
	}
	s, err := newFormStyles(x)
	if err != nil {
		return err
	}
	b := builder{x: x, sheet: f.sheet}
	b.value("A1", text.title, s.title)
	b.value("A2", text.subject, s.text)
	b.value("A3", text.howto, s.text)
	for i, c := range l.Columns {
		b.value(at(i, headingRow), c.Heading(), s.head)
		b.width(i, c)
	}
	for n, cells := range records {
		for i, c := range l.Columns {
			style := s.locked
			switch {
			case slices.Contains(f.input, c.Field) && c.Type == "date":
				style = s.inputDate
			case slices.Contains(f.input, c.Field):
				style = s.input
			case c.Type == "date":
				style = s.lockedDate
			}
			b.cell(at(i, firstRow+n), c, cells[i], style)
		}
	}
	last := firstRow + len(records) - 1
	for _, field := range f.input {
		b.validate(l, field, last)
	}
	if len(f.sums) > 0 {
		for i := range l.Columns {
			b.do(x.SetCellStyle(f.sheet, at(i, last+1), at(i, last+1), s.total))
		}
		b.value(at(0, last+1), totalLabel, s.total)
		for _, field := range f.sums {
			i := l.byField[field]
			b.formula(at(i, last+1), sumFormula(i, last), s.total)
		}
	}
	b.notes(l, text, s)
	b.do(x.SetPanes(f.sheet, &excelize.Panes{Freeze: true, YSplit: headingRow, TopLeftCell: at(0, firstRow), ActivePane: "bottomLeft"}))
	for _, sheet := range []string{f.sheet, notesSheet} {
		b.do(x.ProtectSheet(sheet, &excelize.SheetProtectionOptions{SelectLockedCells: true, SelectUnlockedCells: true, FormatColumns: true}))
	}
	b.do(x.ProtectWorkbook(&excelize.WorkbookProtectionOptions{LockStructure: true}))
	x.SetActiveSheet(0)
	if b.err != nil {
		return fmt.Errorf("%s workbook: %w", f.document, b.err)
	}
	return x.Write(w)
}

func sumFormula(column, last int) string {
	return fmt.Sprintf("SUM(%s:%s)", at(column, firstRow), at(column, last))
}

// at names a cell; the column counts from 0, the row from 1.
func at(column, row int) string {
	s := ""
	for n := column + 1; n > 0; n = (n - 1) / 26 {
		s = string(rune('A'+(n-1)%26)) + s
	}
	return s + strconv.Itoa(row)
}

func newFormStyles(x *excelize.File) (formStyles, error) {
	grey, shade := "D0D0D0", "FFF7D6"
	border := []excelize.Border{{Type: "bottom", Color: grey, Style: 1}, {Type: "right", Color: grey, Style: 1}}
	iso := "yyyy-mm-dd"
	var s formStyles
	for _, d := range []struct {
		at    *int
		style excelize.Style
	}{
		{&s.title, excelize.Style{Font: &excelize.Font{Bold: true, Size: 14}}},
		{&s.text, excelize.Style{Font: &excelize.Font{Color: "404040"}}},
		{&s.head, excelize.Style{Font: &excelize.Font{Bold: true, Color: "FFFFFF"}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"1F4E79"}}, Border: border}},
		{&s.locked, excelize.Style{NumFmt: 49, Border: border, Font: &excelize.Font{Color: "404040"}}},
		{&s.lockedDate, excelize.Style{CustomNumFmt: &iso, Border: border, Font: &excelize.Font{Color: "404040"}}},
		{&s.input, excelize.Style{Border: border, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{shade}}, Protection: &excelize.Protection{Locked: false}}},
		{&s.inputDate, excelize.Style{CustomNumFmt: &iso, Border: border, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{shade}}, Protection: &excelize.Protection{Locked: false}}},
		{&s.total, excelize.Style{Font: &excelize.Font{Bold: true}, Border: []excelize.Border{{Type: "top", Color: "000000", Style: 2}}}},
	} {
		n, err := x.NewStyle(&d.style)
		if err != nil {
			return s, err
		}
		*d.at = n
	}
	return s, nil
}

// builder fills sheets and keeps the first error.
type builder struct {
	x     *excelize.File
	sheet string
	err   error
}

func (b *builder) do(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *builder) value(cell, v string, style int) {
	b.do(b.x.SetCellStr(b.sheet, cell, v))
	b.do(b.x.SetCellStyle(b.sheet, cell, cell, style))
}

func (b *builder) formula(cell, v string, style int) {
	b.do(b.x.SetCellFormula(b.sheet, cell, v))
	b.do(b.x.SetCellStyle(b.sheet, cell, cell, style))
}

// cell writes a value in the form in which a spreadsheet wants it: counts as numbers, dates as dates, all else as text,
// for a spreadsheet would round a meter point number or a serial number.
func (b *builder) cell(cell string, c Column, v string, style int) {
	b.do(b.x.SetCellStyle(b.sheet, cell, cell, style))
	if v == "" {
		return
	}
	switch c.Type {
	case "number", "counter":
		if n, err := strconv.Atoi(v); err == nil {
			b.do(b.x.SetCellInt(b.sheet, cell, int64(n)))
			return
		}
	case "date":
		if d, err := ParseDate(v); err == nil {
			b.do(b.x.SetCellFloat(b.sheet, cell, excelDay(d), 0, 64))
			return
		}
	}
	b.do(b.x.SetCellStr(b.sheet, cell, v))
}

// excelDay counts days as a spreadsheet does: 1 March 1900 is day 61.
func excelDay(d Date) float64 {
	return d.Time().Sub(Date{1899, 12, 30}.Time()).Hours() / 24
}

func (b *builder) width(i int, c Column) {
	w := 12.0
	switch {
	case c.Type == "eui":
		w = 26
	case c.Type == "text" && c.Max > 40:
		w = 44
	case len(c.Heading()) > 12:
		w = float64(len(c.Heading())) + 3
	}
	column := strings.TrimRight(at(i, 1), "0123456789")
	b.do(b.x.SetColWidth(b.sheet, column, column, w))
}

// validate puts a column's rule into its input cells, so that the spreadsheet refuses what the reader would.
func (b *builder) validate(l *Layout, field string, last int) {
	i := l.byField[field]
	c := l.Columns[i]
	dv := excelize.NewDataValidation(true)
	dv.SetSqref(at(i, firstRow) + ":" + at(i, last))
	var err error
	switch c.Type {
	case "number":
		if field == "CommittedPrepay" {
			err = dv.SetRange(0, at(l.byField["CommittedActive"], firstRow), excelize.DataValidationTypeWhole, excelize.DataValidationOperatorBetween)
			break
		}
		err = dv.SetRange(c.Min, c.Max, excelize.DataValidationTypeWhole, excelize.DataValidationOperatorBetween)
	case "enum":
		err = dv.SetDropList(c.Values)
	case "date":
		err = dv.SetRange(excelDay(Date{2018, 1, 1}), excelDay(Date{2039, 12, 31}), excelize.DataValidationTypeDate, excelize.DataValidationOperatorBetween)
	case "eui":
		err = dv.SetRange(23, 23, excelize.DataValidationTypeTextLength, excelize.DataValidationOperatorEqual)
	case "mpxn":
		err = dv.SetRange(6, 13, excelize.DataValidationTypeTextLength, excelize.DataValidationOperatorBetween)
	case "serial":
		err = dv.SetRange(1, 49, excelize.DataValidationTypeTextLength, excelize.DataValidationOperatorBetween)
	default:
		err = dv.SetRange(0, max(c.Max, 1), excelize.DataValidationTypeTextLength, excelize.DataValidationOperatorBetween)
	}
	b.do(err)
	dv.SetError(excelize.DataValidationErrorStyleStop, c.Heading(), rule(c))
	dv.SetInput(c.Heading(), rule(c))
	b.do(b.x.AddDataValidation(b.sheet, dv))
}

// rule tells a column's rule in a sentence.
func rule(c Column) string {
	s := ""
	switch c.Type {
	case "counter":
		s = "1, 2, 3 … in order."
	case "number":
		s = fmt.Sprintf("A whole number from %d to %d.", c.Min, c.Max)
	case "enum":
		s = "One of " + strings.Join(c.Values, ", ") + "."
	case "eui":
		s = "An EUI-64, written 70-B3-D5-1F-30-00-A0-08."
	case "date":
		s = "A date, shown as 2019-07-15."
	case "serial":
		s = "The decimal serial number of a certificate, as text."
	case "mpxn":
		s = "The 13 digits of an MPAN or the 6 to 10 digits of an MPRN, as text."
	default:
		s = fmt.Sprintf("Text of at most %d characters.", c.Max)
	}
	if c.Optional {
		s += " May be empty."
	}
	return s
}

func (b *builder) notes(l *Layout, text formText, s formStyles) {
	_, err := b.x.NewSheet(notesSheet)
	b.do(err)
	n := builder{x: b.x, sheet: notesSheet, err: b.err}
	n.value("A1", text.title, s.title)
	n.value("A2", fmt.Sprintf("Layout %s %s, %s: %s.", l.Document, l.Version, l.Provenance, l.Source), s.text)
	n.value("A4", "Column", s.head)
	n.value("B4", "What it wants", s.head)
	for i, c := range l.Columns {
		n.value(at(0, 5+i), c.Heading(), s.locked)
		n.value(at(1, 5+i), rule(c), s.locked)
	}
	n.do(n.x.SetColWidth(notesSheet, "A", "A", 34))
	n.do(n.x.SetColWidth(notesSheet, "B", "B", 80))
	b.err = n.err
}

// place knows which cell of a sheet each cell of the CSV came from.
type placer struct {
	sheet  string
	layout *Layout
	rows   []int // sheet row of each record
}

// place rewrites problems of the CSV into problems of the sheet.
func (p *placer) place(ps Problems) {
	for i := range ps {
		if ps[i].Row == 0 {
			ps[i].Sheet = p.sheet
			continue
		}
		record := ps[i].Row - 2
		if record < 0 || record >= len(p.rows) {
			continue
		}
		ps[i].Sheet, ps[i].Row = p.sheet, p.rows[record]
		for c := range p.layout.Columns {
			if p.layout.Columns[c].Heading() == ps[i].Column {
				ps[i].Cell = at(c, p.rows[record])
			}
		}
	}
}

// read turns a workbook into the CSV of its layout.
func (f form) read(specs *Specs, file string, content []byte) ([]byte, *placer, Problems) {
	fail := func(code, what string) ([]byte, *placer, Problems) {
		return nil, nil, Problems{specs.Problem(file, 0, "", code, what)}
	}
	l, err := specs.Layout(f.document)
	if err != nil {
		return fail(f.codes.undecodable, err.Error()+".")
	}
	if err := guardWorkbook(content, l.MaxRows+firstRow+1); err != nil {
		return fail(f.codes.undecodable, "The workbook cannot be opened: "+sentence(detail(err.Error())))
	}
	x, err := excelize.OpenReader(bytes.NewReader(content), excelize.Options{RawCellValue: true, UnzipSizeLimit: maxUnzipped, UnzipXMLSizeLimit: maxUnzipped})
	if err != nil {
		return fail(f.codes.undecodable, "The workbook cannot be opened: "+sentence(detail(err.Error())))
	}
	defer x.Close() //nolint:errcheck // only read
	if i, err := x.GetSheetIndex(f.sheet); err != nil || i < 0 {
		return fail(f.codes.structure, fmt.Sprintf("There is no sheet %q.", f.sheet))
	}
	p := &placer{sheet: f.sheet, layout: l}
	var ps Problems
	report := func(row int, column, cell, code, what string) {
		q := specs.Problem(file, row, column, code, what)
		q.Sheet, q.Cell = f.sheet, cell
		ps = append(ps, q)
	}
	rows, err := f.cells(x, l)
	if err != nil {
		return fail(f.codes.undecodable, "The sheet cannot be read: "+sentence(detail(err.Error())))
	}
	if len(rows) < headingRow {
		report(0, "", "", f.codes.structure, fmt.Sprintf("The sheet has %d rows; headings are wanted in row %d.", len(rows), headingRow))
		return nil, nil, ps
	}
	head := rows[headingRow-1]
	if what := l.checkHeader(trimRight(head)); what != "" {
		report(0, "", at(0, headingRow), f.codes.header, what)
		return nil, nil, ps
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write(l.Headings()); err != nil {
		return fail(f.codes.undecodable, err.Error())
	}
	end, blank := 0, 0
	for n := headingRow; n < len(rows) && end == 0; n++ {
		row, sheetRow := rows[n], n+1
		if len(f.sums) > 0 && len(row) > 0 && row[0] == totalLabel {
			end = sheetRow
			break
		}
		if f.blank(l, row) {
			if blank == 0 {
				blank = sheetRow
			}
			continue
		}
		if blank > 0 && len(f.sums) == 0 {
			report(0, "", at(0, blank), f.codes.structure, fmt.Sprintf("Row %d is empty and row %d is not; leave no row out.", blank, sheetRow))
			return nil, nil, ps
		}
		p.rows = append(p.rows, sheetRow)
		if err := w.Write(f.record(x, l, row, sheetRow, report)); err != nil {
			return fail(f.codes.undecodable, err.Error())
		}
	}
	w.Flush()
	f.checkTotals(x, l, rows, p, end, report)
	if ps.FileFailed() {
		return nil, nil, ps
	}
	return b.Bytes(), p, nil
}

// cells reads the sheet row by row and stops where no form of ours can go on, whatever the file claims to hold.
func (f form) cells(x *excelize.File, l *Layout) ([][]string, error) {
	it, err := x.Rows(f.sheet)
	if err != nil {
		return nil, err
	}
	defer it.Close() //nolint:errcheck // only read
	var out [][]string
	for it.Next() {
		row, err := it.Columns(excelize.Options{RawCellValue: true})
		if err != nil {
			return nil, err
		}
		if out = append(out, row); len(out) > l.MaxRows+firstRow+1 {
			return nil, fmt.Errorf("more than %d records", l.MaxRows)
		}
	}
	return out, it.Error()
}

// blank reports whether nothing was filled in.
func (f form) blank(l *Layout, row []string) bool {
	for _, field := range f.input {
		if i := l.byField[field]; i < len(row) && row[i] != "" {
			return false
		}
	}
	return len(f.sums) == 0 || len(trimRight(row)) == 0
}

// record gives the cells of a record as the CSV has them.
func (f form) record(x *excelize.File, l *Layout, row []string, sheetRow int, report func(int, string, string, string, string)) []string {
	out := make([]string, len(l.Columns))
	for i, c := range l.Columns {
		cell := at(i, sheetRow)
		if s, err := x.GetCellFormula(f.sheet, cell); err != nil {
			report(0, c.Heading(), cell, f.codes.undecodable, "The cell cannot be read: "+sentence(detail(err.Error())))
			return out
		} else if s != "" {
			report(0, c.Heading(), cell, f.codes.structure, "The cell holds a formula; a plain value is wanted.")
			continue
		}
		if i >= len(row) {
			continue
		}
		v := row[i]
		if c.Type == "date" {
			v = fromExcelDay(x, v)
		}
		// One line of CSV is one row of the sheet: a line break stays a control character, which the column's rule refuses.
		out[i] = strings.NewReplacer("\r\n", "\v", "\n", "\v", "\r", "\v").Replace(v)
	}
	for i := len(l.Columns); i < len(row); i++ {
		if row[i] != "" {
			report(0, "", at(i, sheetRow), f.codes.structure, "There is something beside the table.")
		}
	}
	return out
}

// fromExcelDay writes a date cell as 2019-07-15; anything that is not a whole day stays as it is.
func fromExcelDay(x *excelize.File, v string) string {
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || n != math.Trunc(n) || n < 1 || n > 2958465 {
		return v
	}
	base := Date{1899, 12, 30}
	if p, err := x.GetWorkbookProps(); err == nil && p.Date1904 != nil && *p.Date1904 {
		base = Date{1904, 1, 1}
	}
	return base.AddDays(int(n)).String()
}

// checkTotals holds the totals row against the form: it must be there, with its formulas, and what a spreadsheet worked
// out must be what the rows say.
func (f form) checkTotals(x *excelize.File, l *Layout, rows [][]string, p *placer, end int, report func(int, string, string, string, string)) {
	if len(f.sums) == 0 {
		return
	}
	if end == 0 {
		report(0, "", "", f.codes.structure, "The totals row is missing.")
		return
	}
	for n := end; n < len(rows); n++ {
		if len(trimRight(rows[n])) > 0 {
			report(0, "", at(0, n+1), f.codes.structure, "There is something below the totals row.")
			return
		}
	}
	for _, field := range f.sums {
		i := l.byField[field]
		cell := at(i, end)
		s, err := x.GetCellFormula(f.sheet, cell)
		if err != nil || strings.ReplaceAll(strings.TrimPrefix(strings.ToUpper(s), "="), "$", "") != sumFormula(i, end-1) {
			report(0, l.Columns[i].Heading(), cell, f.codes.structure, fmt.Sprintf("The total must be the formula %s.", sumFormula(i, end-1)))
			continue
		}
		if i >= len(rows[end-1]) || rows[end-1][i] == "" {
			continue
		}
		sum := 0.0
		for _, n := range p.rows {
			if i < len(rows[n-1]) {
				if v, err := strconv.ParseFloat(rows[n-1][i], 64); err == nil {
					sum += v
				}
			}
		}
		if v, err := strconv.ParseFloat(rows[end-1][i], 64); err != nil || v != sum {
			report(0, l.Columns[i].Heading(), cell, f.codes.structure, fmt.Sprintf("The total says %s and the days make %g; let the spreadsheet recalculate and save it again.", clip(rows[end-1][i]), sum))
		}
	}
}

func trimRight(row []string) []string {
	for len(row) > 0 && row[len(row)-1] == "" {
		row = row[:len(row)-1]
	}
	return row
}
