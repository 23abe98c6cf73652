package tariff

import (
	"fmt"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// ScriptTable is the table whose scripts switch between registers: script n makes
// register n count (published, Blue Book: tariffication script table).
var ScriptTable = cosem.MustOBIS("0-0:10.0.100.255")

// Cells are a calendar as the attributes that carry it: name, season profile, week
// profile and day profile table of class 20, and the entries of class 11.
type Cells struct {
	Name, Seasons, Weeks, Days, Special []byte
}

// Cells encodes a calendar.
func (c *Calendar) Cells() Cells {
	var x Cells
	x.Name = axdr.AppendOctetString(nil, []byte(c.Name))
	x.Seasons = axdr.AppendArrayHeader(nil, len(c.Seasons))
	for _, s := range c.Seasons {
		x.Seasons = axdr.AppendStructureHeader(x.Seasons, 3)
		x.Seasons = axdr.AppendOctetString(x.Seasons, []byte(s.Name))
		d := axdr.UnspecifiedDateTime
		d.Date.Year, d.Date.Month, d.Date.Day = s.Start.Year, s.Start.Month, s.Start.Day
		x.Seasons = axdr.AppendDateTime(x.Seasons, d)
		x.Seasons = axdr.AppendOctetString(x.Seasons, []byte(s.Week))
	}
	x.Weeks = axdr.AppendArrayHeader(nil, len(c.Weeks))
	for _, w := range c.Weeks {
		x.Weeks = axdr.AppendStructureHeader(x.Weeks, 8)
		x.Weeks = axdr.AppendOctetString(x.Weeks, []byte(w.Name))
		for _, d := range w.Days {
			x.Weeks = axdr.AppendUint8(x.Weeks, d)
		}
	}
	x.Days = axdr.AppendArrayHeader(nil, len(c.Days))
	for _, d := range c.Days {
		x.Days = axdr.AppendStructureHeader(x.Days, 2)
		x.Days = axdr.AppendUint8(x.Days, d.ID)
		x.Days = axdr.AppendArrayHeader(x.Days, len(d.Switches))
		for _, s := range d.Switches {
			x.Days = axdr.AppendStructureHeader(x.Days, 3)
			x.Days = axdr.AppendTime(x.Days, axdr.Time{Hour: uint8(s.Minute / 60), Minute: uint8(s.Minute % 60)})
			x.Days = axdr.AppendOctetString(x.Days, ScriptTable[:])
			x.Days = axdr.AppendUint16(x.Days, uint16(s.Register))
		}
	}
	x.Special = axdr.AppendArrayHeader(nil, len(c.Special))
	for _, s := range c.Special {
		x.Special = axdr.AppendStructureHeader(x.Special, 3)
		x.Special = axdr.AppendUint16(x.Special, s.Index)
		x.Special = axdr.AppendDate(x.Special, axdr.Date{Year: s.Date.Year, Month: s.Date.Month, Day: s.Date.Day, Weekday: axdr.Unspecified})
		x.Special = axdr.AppendUint8(x.Special, s.Day)
	}
	return x
}

// maxCells bounds what is read of any list.
const maxCells = 64

// Parse reads a calendar and checks it. An empty cell is an empty list.
func Parse(x Cells, l Limits) (*Calendar, error) {
	c := &Calendar{}
	name := axdr.NewReader(x.Name)
	if len(x.Name) > 0 {
		c.Name = string(name.OctetString())
		name.End("calendar name")
	}
	if err := name.Err(); err != nil {
		return nil, fmt.Errorf("tariff: name: %w", err)
	}
	for _, list := range []struct {
		what string
		raw  []byte
		item func(r *axdr.Reader)
	}{
		{"seasons", x.Seasons, func(r *axdr.Reader) {
			r.Structure(3)
			s := Season{Name: string(r.OctetString())}
			d := r.DateTime().Date
			s.Start, s.Week = Date{d.Year, d.Month, d.Day}, string(r.OctetString())
			c.Seasons = append(c.Seasons, s)
		}},
		{"weeks", x.Weeks, func(r *axdr.Reader) {
			r.Structure(8)
			w := Week{Name: string(r.OctetString())}
			for i := range w.Days {
				w.Days[i] = r.Uint8()
			}
			c.Weeks = append(c.Weeks, w)
		}},
		{"days", x.Days, func(r *axdr.Reader) { c.Days = append(c.Days, readDay(r)) }},
		{"special days", x.Special, func(r *axdr.Reader) {
			r.Structure(3)
			s := Special{Index: r.Uint16()}
			d := r.Date()
			s.Date, s.Day = Date{d.Year, d.Month, d.Day}, r.Uint8()
			c.Special = append(c.Special, s)
		}},
	} {
		if len(list.raw) == 0 {
			continue
		}
		r := axdr.NewReader(list.raw)
		n := r.Array()
		if n > maxCells {
			return nil, fmt.Errorf("tariff: %d %s: at most %d", n, list.what, maxCells)
		}
		for range n {
			list.item(&r)
		}
		if r.End(list.what); r.Err() != nil {
			return nil, fmt.Errorf("tariff: %s: %w", list.what, r.Err())
		}
	}
	if err := c.Check(l); err != nil {
		return nil, err
	}
	return c, nil
}

func readDay(r *axdr.Reader) Day {
	r.Structure(2)
	d := Day{ID: r.Uint8()}
	n := r.Array()
	for range min(n, maxCells) {
		r.Structure(3)
		t := r.Time()
		table, register := cosem.ReadOBIS(r), r.Uint16()
		if r.Err() == nil && (table != ScriptTable || register > 0xFF || t.Hour > 23 || t.Minute > 59 || t.Second%60 != 0 && t.Second != axdr.Unspecified) {
			r.Fail("switch point", fmt.Errorf("%v script %v of %v is none of this meter's", t, register, table))
		}
		d.Switches = append(d.Switches, Switch{uint16(t.Hour)*60 + uint16(t.Minute), uint8(register)})
	}
	return d
}
