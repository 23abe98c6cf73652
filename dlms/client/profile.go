package client

import (
	"context"
	"fmt"
	"iter"
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// Rows says which rows of a profile to read. The zero Rows is all of them.
type Rows struct {
	// From and To pick rows by time, both inclusive. Zero: not by time.
	From, To time.Time
	// Restricting is the column that From and To speak of. Zero: the clock, 8/0-0:1.0.0.255/2.
	Restricting cosem.CaptureObject
	// Epoch sends From and To as seconds since 2000-01-01 UTC in a double-long-unsigned, as GBCS meters have it, instead
	// of as a date-time.
	Epoch bool

	// First and Last pick rows by number from 1, both inclusive. Zero: not by number; a zero Last with a First is the
	// last row there is.
	First, Last uint32
	// FirstColumn and LastColumn, from 1, go with First. Zero: the first and the last.
	FirstColumn, LastColumn uint16

	// Page is how many rows to ask for at once when rows are picked by number and Last is known. Zero: all at once.
	Page uint32
	// Columns are the capture objects, where they are known. Zero: read them from the meter.
	Columns []cosem.CaptureObject
	// Period is the capture period, where it is known; it fills in times that the meter left out. Zero: read it from
	// the meter when a time is left out.
	Period time.Duration
}

// Row is one row of a profile.
type Row struct {
	Columns []cosem.CaptureObject // shared by all rows
	// Cells has a value for each column. Cells that the meter sent as null-data, "as before", are filled in.
	Cells []axdr.Value
	// Time is that of the first clock column; the zero time if there is none or it is not fully specified.
	Time time.Time
}

// ByTime picks the rows from one time to another, both inclusive.
func ByTime(from, to time.Time) Rows { return Rows{From: from, To: to} }

// ByEntry picks rows by number, from 1, both inclusive; last 0 is the last row there is.
func ByEntry(first, last uint32) Rows { return Rows{First: first, Last: last} }

// Profile reads the buffer of a profile (class 7). It ends with the first error. The meter has sent a page before its
// first row comes out, so the body of the loop may use the client for other things.
func (c *Client) Profile(ctx context.Context, profile cosem.OBIS, rows Rows) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if err := c.profile(ctx, profile, rows, yield); err != nil {
			yield(Row{}, err)
		}
	}
}

// ProfileColumns reads what a profile captures.
func (c *Client) ProfileColumns(ctx context.Context, profile cosem.OBIS) ([]cosem.CaptureObject, error) {
	raw, err := c.Get(ctx, cosem.Attribute{Class: cosem.ClassProfileGeneric, Instance: profile, ID: 3})
	if err != nil {
		return nil, err
	}
	r := axdr.NewReader(raw)
	var columns []cosem.CaptureObject
	for range r.Array() {
		columns = append(columns, cosem.ReadCaptureObject(&r))
		if r.Err() != nil {
			break
		}
	}
	r.End("capture objects")
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("client: capture objects of %v: %w", profile, err)
	}
	return columns, nil
}

func (c *Client) profile(ctx context.Context, profile cosem.OBIS, rows Rows, yield func(Row, error) bool) error {
	if rows.Columns == nil {
		columns, err := c.ProfileColumns(ctx, profile)
		if err != nil {
			return err
		}
		rows.Columns = columns
	}
	f := filler{client: c, profile: profile, rows: rows, columns: rows.selected()}
	buffer := cosem.Attribute{Class: cosem.ClassProfileGeneric, Instance: profile, ID: 2}
	for page := rows; ; {
		if rows.Page > 0 && rows.First > 0 && rows.Last > 0 {
			page.Last = min(rows.Last, page.First+rows.Page-1)
		}
		raw, err := c.GetWith(ctx, buffer, page.selection())
		if err != nil {
			return err
		}
		value, err := axdr.ParseAll(raw)
		if err != nil {
			return fmt.Errorf("client: buffer of %v: %w", profile, err)
		}
		for _, item := range value.Items {
			row, err := f.fill(ctx, item)
			if err != nil {
				return err
			}
			if !yield(row, nil) {
				return nil
			}
		}
		if page.Last >= rows.Last || len(value.Items) == 0 {
			return nil
		}
		page.First = page.Last + 1
	}
}

// selected are the columns that come back.
func (r Rows) selected() []cosem.CaptureObject {
	if r.First == 0 {
		return r.Columns
	}
	first, last := max(int(r.FirstColumn), 1), int(r.LastColumn)
	if last == 0 || last > len(r.Columns) {
		last = len(r.Columns)
	}
	if first > last {
		return nil
	}
	return r.Columns[first-1 : last]
}

// selection is zero for all rows.
func (r Rows) selection() Selection {
	switch {
	case !r.From.IsZero() || !r.To.IsZero():
		restricting := r.Restricting
		if restricting == (cosem.CaptureObject{}) {
			restricting.Attribute = clockTime
		}
		return Selection{Selector: cosem.SelectRange, Data: cosem.RangeDescriptor{
			Restricting: restricting, From: r.moment(r.From), To: r.moment(r.To),
		}.AppendTo(nil)}
	case r.First > 0:
		return Selection{Selector: cosem.SelectEntry, Data: cosem.EntryDescriptor{
			FromEntry: r.First, ToEntry: r.Last, FromColumn: max(r.FirstColumn, 1), ToColumn: r.LastColumn,
		}.AppendTo(nil)}
	}
	return Selection{}
}

// epoch2000 is where GBCS meters count seconds from.
var epoch2000 = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (r Rows) moment(t time.Time) []byte {
	if r.Epoch {
		if t.IsZero() {
			return axdr.AppendUint32(nil, 0xFFFFFFFF)
		}
		return axdr.AppendUint32(nil, uint32(t.Sub(epoch2000)/time.Second))
	}
	if t.IsZero() {
		return axdr.AppendDateTime(nil, axdr.UnspecifiedDateTime)
	}
	return axdr.AppendDateTime(nil, axdr.DateTimeOf(t.UTC()))
}

// filler puts back what a meter leaves out of its rows: null-data stands for the value of the row before, or, for a
// time, for the time before plus the capture period.
type filler struct {
	client  *Client
	profile cosem.OBIS
	rows    Rows
	columns []cosem.CaptureObject
	last    []axdr.Value
	at      time.Time
}

func (f *filler) fill(ctx context.Context, item axdr.Value) (Row, error) {
	if len(item.Items) != len(f.columns) {
		return Row{}, fmt.Errorf("client: a row of %v has %d cells for %d columns", f.profile, len(item.Items), len(f.columns))
	}
	row := Row{Columns: f.columns, Cells: make([]axdr.Value, len(item.Items))}
	for i, cell := range item.Items {
		clock := f.columns[i].Attribute == clockTime
		null := cell.Tag == axdr.TagNull
		if null && f.last != nil {
			cell = f.last[i]
		}
		if clock && row.Time.IsZero() {
			if null && !f.at.IsZero() {
				period, err := f.period(ctx)
				if err != nil {
					return Row{}, err
				}
				row.Time = f.at.Add(period)
				cell = axdr.DateTimeOctets(axdr.DateTimeOf(row.Time))
			} else if at, err := cell.AsDateTime(); err == nil {
				// A clock without deviation is taken for UTC, as meters in Great Britain keep it.
				if t, err := at.In(time.UTC); err == nil {
					row.Time = t.UTC()
				}
			}
		}
		row.Cells[i] = cell
	}
	f.last, f.at = row.Cells, row.Time
	return row, nil
}

func (f *filler) period(ctx context.Context) (time.Duration, error) {
	if f.rows.Period == 0 {
		seconds, err := f.client.GetUint(ctx, cosem.Attribute{Class: cosem.ClassProfileGeneric, Instance: f.profile, ID: 4})
		if err != nil {
			return 0, err
		}
		f.rows.Period = time.Duration(seconds) * time.Second
	}
	return f.rows.Period, nil
}

var clockTime = cosem.Attribute{Class: cosem.ClassClock, Instance: cosem.Clock, ID: 2}
