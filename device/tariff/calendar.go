package tariff

import (
	"fmt"
	"time"
)

// Any is a year that is not given: the date recurs.
const Any = 0xFFFF

// Calendar is a switching table. A loaded Calendar is shared: do not change it.
type Calendar struct {
	Name    string // at most 8 octets (ours)
	Seasons []Season
	Weeks   []Week
	Days    []Day
	Special []Special
}

// Date of a year, or of every year.
type Date struct {
	Year       uint16 // Any recurs
	Month, Day uint8
}

// Season begins on a date and lasts until the next one begins.
type Season struct {
	Name  string
	Start Date
	Week  string // by name
}

// Week names the day profile of each day, from Monday.
type Week struct {
	Name string
	Days [7]uint8
}

// Day is a day profile: which register counts from when on.
type Day struct {
	ID       uint8
	Switches []Switch // by ascending minute
}

// Switch is one switch point of a day profile.
type Switch struct {
	Minute   uint16 // of the local day
	Register uint8  // from 1
}

// Special is a day that has a day profile of its own.
type Special struct {
	Index uint16
	Date  Date
	Day   uint8
}

// Limits are what a meter has room for.
type Limits struct {
	Registers, Seasons, Weeks, Days, Switches, Special int
}

// Flat has one register all the time.
func Flat(name string) *Calendar {
	return &Calendar{
		Name: name, Seasons: []Season{{"1", Date{Any, 1, 1}, "1"}}, Weeks: []Week{{"1", [7]uint8{1, 1, 1, 1, 1, 1, 1}}},
		Days: []Day{{1, []Switch{{0, 1}}}},
	}
}

// Economy7 has seven cheap hours in the night: register 1 from 00:30 to 07:30, and 2
// by day, as Nabuh's help for the Liberty 100 has them (published; the hours are
// recalled).
func Economy7(name string) *Calendar {
	c := Flat(name)
	c.Days[0].Switches = []Switch{{0, 2}, {30, 1}, {7*60 + 30, 2}}
	return c
}

// At is the register that counts at a time, and until when it does at least.
func (c *Calendar) At(t time.Time) (register uint8, until time.Time) {
	local := Local(t)
	hour, minute, second := local.Clock()
	m := hour*60 + minute
	end := 24 * 60
	day := c.on(local)
	for _, s := range day.Switches {
		if int(s.Minute) > m {
			end = int(s.Minute)
			break
		}
		register = s.Register
	}
	if register == 0 {
		// A day that does not begin at midnight goes on as the one before ended.
		if before := c.on(local.AddDate(0, 0, -1)); len(before.Switches) > 0 {
			register = before.Switches[len(before.Switches)-1].Register
		}
	}
	until = t.Truncate(time.Second).Add(time.Duration((end-m)*60-second) * time.Second)
	if change := nextChange(t); change.Before(until) {
		until = change
	}
	return register, until
}

// on is the day profile of a local date.
func (c *Calendar) on(local time.Time) *Day {
	y, m, d := local.Date()
	for _, s := range c.Special {
		if int(s.Date.Day) == d && int(s.Date.Month) == int(m) && (s.Date.Year == Any || int(s.Date.Year) == y) {
			return c.day(s.Day)
		}
	}
	best, at := -1, int64(-1)
	for i := range c.Seasons {
		if n := c.Seasons[i].Start.before(y, m, d); n >= 0 && (at < 0 || n < at) {
			best, at = i, n
		}
	}
	if best < 0 {
		return &Day{}
	}
	for i := range c.Weeks {
		if c.Weeks[i].Name == c.Seasons[best].Week {
			return c.day(c.Weeks[i].Days[(int(local.Weekday())+6)%7])
		}
	}
	return &Day{}
}

// before is how long ago the date last was, in days as dates count; -1 if it was never.
func (d Date) before(y int, m time.Month, day int) int64 {
	number := func(y, m, d int) int64 { return int64((y*12+m)*31 + d) }
	now := number(y, int(m), day)
	if d.Year != Any {
		if n := now - number(int(d.Year), int(d.Month), int(d.Day)); n >= 0 {
			return n
		}
		return -1
	}
	n := now - number(y, int(d.Month), int(d.Day))
	if n < 0 {
		n += 12 * 31
	}
	return n
}

func (c *Calendar) day(id uint8) *Day {
	for i := range c.Days {
		if c.Days[i].ID == id {
			return &c.Days[i]
		}
	}
	return &Day{}
}

// Registers is the highest register that the calendar names.
func (c *Calendar) Registers() int {
	n := 0
	for i := range c.Days {
		for _, s := range c.Days[i].Switches {
			n = max(n, int(s.Register))
		}
	}
	return n
}

// Check tells what is wrong with a calendar, or nil: a meter refuses one that leaves
// a time without a register.
func (c *Calendar) Check(l Limits) error {
	for _, x := range []struct {
		what      string
		n, lo, hi int
	}{
		{"seasons", len(c.Seasons), 1, l.Seasons}, {"weeks", len(c.Weeks), 1, l.Weeks}, {"day profiles", len(c.Days), 1, l.Days},
		{"special days", len(c.Special), 0, l.Special},
	} {
		if x.n < x.lo || x.n > x.hi {
			return fmt.Errorf("tariff: %d %s: %d to %d", x.n, x.what, x.lo, x.hi)
		}
	}
	if len(c.Name) > 8 {
		return fmt.Errorf("tariff: the name %q has %d octets: at most 8", c.Name, len(c.Name))
	}
	recurs := false
	for _, s := range c.Seasons {
		if !s.Start.valid() {
			return fmt.Errorf("tariff: season %q begins on no date", s.Name)
		}
		recurs = recurs || s.Start.Year == Any
		known := false
		for i := range c.Weeks {
			known = known || c.Weeks[i].Name == s.Week
		}
		if !known {
			return fmt.Errorf("tariff: season %q has the week %q, which is not there", s.Name, s.Week)
		}
	}
	if !recurs {
		return fmt.Errorf("tariff: no season recurs: the first of them would leave the time before it without a register")
	}
	for _, w := range c.Weeks {
		for i, id := range w.Days {
			if len(c.day(id).Switches) == 0 {
				return fmt.Errorf("tariff: day %d of week %q has the profile %d, which is not there", i+1, w.Name, id)
			}
		}
	}
	for _, s := range c.Special {
		if !s.Date.valid() || len(c.day(s.Day).Switches) == 0 {
			return fmt.Errorf("tariff: special day %d has no date, or a profile that is not there", s.Index)
		}
	}
	return c.checkDays(l)
}

func (c *Calendar) checkDays(l Limits) error {
	seen := map[uint8]bool{}
	for _, d := range c.Days {
		if seen[d.ID] {
			return fmt.Errorf("tariff: day profile %d is there twice", d.ID)
		}
		seen[d.ID] = true
		if n := len(d.Switches); n < 1 || n > l.Switches {
			return fmt.Errorf("tariff: day profile %d has %d switch points: 1 to %d", d.ID, n, l.Switches)
		}
		last := -1
		for _, s := range d.Switches {
			if int(s.Minute) <= last || s.Minute >= 24*60 {
				return fmt.Errorf("tariff: day profile %d: minute %d is out of order", d.ID, s.Minute)
			}
			last = int(s.Minute)
			if int(s.Register) < 1 || int(s.Register) > l.Registers {
				return fmt.Errorf("tariff: day profile %d: register %d: 1 to %d", d.ID, s.Register, l.Registers)
			}
		}
	}
	return nil
}

func (d Date) valid() bool {
	if d.Month < 1 || d.Month > 12 || d.Day < 1 {
		return false
	}
	year := int(d.Year)
	if d.Year == Any {
		year = 2020 // 29 February recurs too
	}
	return int(d.Day) <= time.Date(year, time.Month(d.Month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
