package server

import (
	"slices"
	"sort"
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// Column is a capture object of a profile.
type Column = cosem.CaptureObject

// Rows are the entries of a profile, in the order they are read: for a FIFO profile the oldest first. They may be
// computed on demand.
type Rows interface {
	// Len is the number of entries in use.
	Len(c *Call) int
	// Time an entry was captured, for selection by the clock column and for finding it by halving: times grow with i
	// (or, in a LIFO profile, fall).
	Time(c *Call, i int) time.Time
	// Append appends the value of one column of one entry, as one encoded Data.
	Append(c *Call, i, column int, dst []byte) ([]byte, error)
}

// SortMethod of a profile (class 7 attribute 5, published).
type SortMethod uint8

// Sort methods.
const (
	FIFO SortMethod = 1
	LIFO SortMethod = 2
)

// ProfileConfig declares class 7.
type ProfileConfig struct {
	Access  Rights
	Columns []Column
	// Period between captures. Zero is capture by event.
	Period time.Duration
	// Sort is FIFO if zero. LIFO rows come the newest first.
	Sort SortMethod
	// Capacity in entries.
	Capacity uint32
	Rows     func(*Call) Rows
	// Zone of dates without deviation in range selections. Nil is UTC.
	Zone *time.Location
	// Reset and Capture are methods 1 and 2.
	Reset, Capture Method
	// Restrictors are further objects a range may be asked by, beside the captured ones: an attribute whose range is
	// given in seconds since 2000-01-01 (GBCS uses Data 0-0:94.44.100.255; published there).
	Restrictors []cosem.Attribute
}

// Profile declares class 7 version 1.
func Profile(name cosem.OBIS, p ProfileConfig) Object {
	if p.Sort == 0 {
		p.Sort = FIFO
	}
	if p.Zone == nil {
		p.Zone = time.UTC
	}
	ro := only(p.Access, ^Write)
	columns := axdr.AppendArrayHeader(nil, len(p.Columns))
	for _, c := range p.Columns {
		columns = c.AppendTo(columns)
	}
	sortObject := Column{}
	if len(p.Columns) > 0 {
		sortObject = p.Columns[0]
	}
	p.Reset.ID, p.Capture.ID = 1, 2
	return Object{
		Class: cosem.ClassProfileGeneric, Version: 1, Instance: name,
		Attrs: []Attr{
			{ID: 2, Access: ro, Get: p.buffer, Selectors: []int8{int8(cosem.SelectRange), int8(cosem.SelectEntry)}},
			{ID: 3, Access: ro, Get: encoded(columns)},
			{ID: 4, Access: ro, Get: Fixed(axdr.Uint32(uint32(p.Period / time.Second)))},
			{ID: 5, Access: ro, Get: Fixed(axdr.Enum(uint8(p.Sort)))},
			{ID: 6, Access: ro, Get: encoded(sortObject.AppendTo(nil))},
			{ID: 7, Access: ro, Get: Uint32(func(c *Call) uint32 { return uint32(p.Rows(c).Len(c)) })},
			{ID: 8, Access: ro, Get: Fixed(axdr.Uint32(p.Capacity))},
		},
		Methods: []Method{p.Reset, p.Capture},
	}
}

// buffer is the getter of attribute 2.
func (p *ProfileConfig) buffer(c *Call, dst []byte) ([]byte, error) {
	rows := p.Rows(c)
	lo, hi := 0, rows.Len(c)
	columns, _ := p.selected(nil)
	var keep func(i int) (bool, error)
	var err error
	switch c.Selector {
	case int8(cosem.SelectRange):
		lo, hi, columns, keep, err = p.byRange(c, rows)
	case int8(cosem.SelectEntry):
		lo, hi, columns, err = p.byEntry(c, rows)
	}
	if err != nil {
		return dst, err
	}
	if keep == nil {
		dst = axdr.AppendArrayHeader(dst, hi-lo)
		return p.appendRows(c, rows, lo, hi, columns, dst)
	}
	var kept []int
	for i := lo; i < hi; i++ {
		ok, err := keep(i)
		if err != nil {
			return dst, err
		}
		if ok {
			kept = append(kept, i)
		}
	}
	dst = axdr.AppendArrayHeader(dst, len(kept))
	for _, i := range kept {
		if dst, err = p.appendRows(c, rows, i, i+1, columns, dst); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (p *ProfileConfig) appendRows(c *Call, rows Rows, lo, hi int, columns []int, dst []byte) ([]byte, error) {
	start := len(dst)
	for i := lo; i < hi; i++ {
		dst = axdr.AppendStructureHeader(dst, len(columns))
		for _, col := range columns {
			var err error
			if dst, err = rows.Append(c, i, col, dst); err != nil {
				return dst, err
			}
		}
		if len(dst)-start > c.Device.Model.maxBytes {
			return dst, cosem.DataBlockUnavailable
		}
	}
	return dst, nil
}

// byRange reads structure {restricting object, from, to, selected columns}. keep is nil where lo and hi say it all.
func (p *ProfileConfig) byRange(c *Call, rows Rows) (lo, hi int, columns []int, keep func(int) (bool, error), err error) {
	d, err := cosem.ParseRangeDescriptor(c.Selection)
	if err != nil {
		return 0, 0, nil, nil, cosem.TypeUnmatched
	}
	by, from, to := d.Restricting, d.From, d.To
	if columns, err = p.selected(d.Columns); err != nil {
		return 0, 0, nil, nil, err
	}
	n := rows.Len(c)
	if by.Attribute.Class == cosem.ClassClock || p.restricts(by.Attribute) {
		lo, hi, err = p.timeRange(c, rows, from, to)
		return lo, hi, columns, nil, err
	}
	for i, col := range p.Columns {
		if col == by {
			a, b, err := numbers(from, to)
			return 0, n, columns, func(row int) (bool, error) {
				raw, err := rows.Append(c, row, i, nil)
				if err != nil {
					return false, err
				}
				r := axdr.NewReader(raw)
				v := r.Integer()
				return r.Err() == nil && a <= v && v <= b, nil
			}, err
		}
	}
	return 0, 0, nil, nil, cosem.ScopeOfAccessViolated
}

func numbers(from, to []byte) (int64, int64, error) {
	a, b := axdr.NewReader(from), axdr.NewReader(to)
	x, y := a.Integer(), b.Integer()
	if a.Err() != nil || b.Err() != nil {
		return 0, 0, cosem.TypeUnmatched
	}
	return x, y, nil
}

func (p *ProfileConfig) restricts(a cosem.Attribute) bool { return slices.Contains(p.Restrictors, a) }

// timeRange finds the rows captured from one instant to another, both included.
func (p *ProfileConfig) timeRange(c *Call, rows Rows, from, to []byte) (lo, hi int, err error) {
	a, openA, err := p.instant(from)
	if err != nil {
		return 0, 0, err
	}
	b, openB, err := p.instant(to)
	if err != nil {
		return 0, 0, err
	}
	n := rows.Len(c)
	if p.Sort == LIFO {
		lo = sort.Search(n, func(i int) bool { return openB || !rows.Time(c, i).After(b) })
		hi = sort.Search(n, func(i int) bool { return !openA && rows.Time(c, i).Before(a) })
	} else {
		lo = sort.Search(n, func(i int) bool { return openA || !rows.Time(c, i).Before(a) })
		hi = sort.Search(n, func(i int) bool { return !openB && rows.Time(c, i).After(b) })
	}
	return lo, max(lo, hi), nil
}

// epoch2000 is the start of GBCS's seconds (published there).
var epoch2000 = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// instant reads a limit of a range: a date-time, or seconds since 2000. open means no limit: a date-time that is not
// specified, or null.
func (p *ProfileConfig) instant(raw []byte) (t time.Time, open bool, err error) {
	r := axdr.NewReader(raw)
	switch tag, _ := r.NextTag(); tag {
	case axdr.TagNull:
		return t, true, nil
	case axdr.TagUint32:
		return epoch2000.Add(time.Duration(r.Uint32()) * time.Second), false, nil
	default:
		d := r.DateTime()
		if err := typed(&r); err != nil {
			return t, false, err
		}
		if !d.Date.Specified() {
			return t, true, nil
		}
		for _, f := range []*uint8{&d.Time.Hour, &d.Time.Minute, &d.Time.Second, &d.Time.Hundredths} {
			if *f == axdr.Unspecified {
				*f = 0
			}
		}
		if !d.Valid() {
			return t, false, cosem.TypeUnmatched
		}
		if t, err = d.In(p.Zone); err != nil {
			return t, false, cosem.TypeUnmatched
		}
		return t, false, nil
	}
}

// byEntry reads structure {from entry, to entry, from column, to column}, counted from 1; 0 means to the end.
func (p *ProfileConfig) byEntry(c *Call, rows Rows) (lo, hi int, columns []int, err error) {
	d, err := cosem.ParseEntryDescriptor(c.Selection)
	if err != nil {
		return 0, 0, nil, cosem.TypeUnmatched
	}
	from, to, first, last := d.FromEntry, d.ToEntry, d.FromColumn, d.ToColumn
	n := rows.Len(c)
	lo, hi = int(min(uint64(max(from, 1))-1, uint64(n))), int(min(uint64(to), uint64(n)))
	if to == 0 {
		hi = n
	}
	if last == 0 || int(last) > len(p.Columns) {
		last = uint16(len(p.Columns))
	}
	for i := max(first, 1); i <= last; i++ {
		columns = append(columns, int(i)-1)
	}
	return lo, max(lo, hi), columns, nil
}

// selected finds the columns a range asks for; none asks for all.
func (p *ProfileConfig) selected(want []Column) ([]int, error) {
	if len(want) == 0 {
		out := make([]int, len(p.Columns))
		for i := range out {
			out[i] = i
		}
		return out, nil
	}
	if len(want) > len(p.Columns) {
		return nil, cosem.ScopeOfAccessViolated
	}
	var out []int
	for _, w := range want {
		i := slices.Index(p.Columns, w)
		if i < 0 {
			return nil, cosem.ScopeOfAccessViolated
		}
		out = append(out, i)
	}
	return out, nil
}
