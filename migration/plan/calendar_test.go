package plan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/migration/document"
)

func calendar(t testing.TB) *Calendar {
	t.Helper()
	c, err := DefaultCalendar()
	require.NoError(t, err)
	return c
}

func day(s string) document.Date {
	d, err := document.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

func instant(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	require.NoError(t, err)
	return v
}

// The holidays of the file are those that the Act and the proclamations make.
func TestHolidaysFollowTheRules(t *testing.T) {
	c := calendar(t)
	monday := func(y int, m time.Month, last bool) document.Date {
		d := document.Date{Year: y, Month: m, Day: 1}
		if last {
			d = document.Date{Year: y, Month: m, Day: 31}
		}
		for d.Time().Weekday() != time.Monday {
			if last {
				d = d.AddDays(-1)
			} else {
				d = d.AddDays(1)
			}
		}
		return d
	}
	want := map[document.Date]bool{}
	for y := 2018; y <= 2027; y++ {
		add := func(d document.Date) { want[d] = true }
		// A fixed day that falls on a weekend, or on a day that is taken, moves to the next free weekday.
		fixed := func(m time.Month, dd int) {
			d := document.Date{Year: y, Month: m, Day: dd}
			for wd := d.Time().Weekday(); wd == time.Saturday || wd == time.Sunday || want[d]; wd = d.Time().Weekday() {
				d = d.AddDays(1)
			}
			add(d)
		}
		fixed(time.January, 1)
		// Christmas Day on a Sunday is kept on the Tuesday after Boxing Day, which keeps its own day.
		if (document.Date{Year: y, Month: time.December, Day: 25}).Time().Weekday() == time.Sunday {
			fixed(time.December, 26)
			fixed(time.December, 25)
		} else {
			fixed(time.December, 25)
			fixed(time.December, 26)
		}
		easter := easterSunday(y)
		add(easter.AddDays(-2))
		add(easter.AddDays(1))
		add(monday(y, time.August, true))
		switch y {
		case 2020:
			add(day("2020-05-08"))
			add(monday(y, time.May, true))
		case 2022:
			for _, s := range []string{"2022-05-02", "2022-06-02", "2022-06-03", "2022-09-19"} {
				add(day(s))
			}
		case 2023:
			add(day("2023-05-08"))
			fallthrough
		default:
			add(monday(y, time.May, false))
			add(monday(y, time.May, true))
		}
	}
	got := map[document.Date]bool{}
	for _, h := range c.Holidays {
		got[h.Date] = true
		require.NotEmpty(t, h.Name)
		require.False(t, c.WorkingDay(h.Date))
	}
	require.Equal(t, want, got)
	require.Equal(t, document.Recalled, c.Provenance)
	require.True(t, c.Covers(day("2019-07-15")))
	require.False(t, c.Covers(day("2031-07-15")))
}

// easterSunday is the Gregorian computus, in its anonymous form.
func easterSunday(y int) document.Date {
	a, b, c := y%19, y/100, y%100
	h := (19*a + b - b/4 - (b-(b+8)/25+1)/3 + 15) % 30
	l := (32 + 2*(b%4) + 2*(c/4) - h - c%4) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return document.Date{Year: y, Month: time.Month(n / 31), Day: n%31 + 1}
}

func TestWorkingDays(t *testing.T) {
	c := calendar(t)
	for _, tc := range []struct {
		from string
		n    int
		want string
	}{
		{"2019-04-18", 1, "2019-04-23"}, // Thursday before Easter: Friday to Monday are none
		{"2019-04-18", 0, "2019-04-18"},
		{"2019-04-19", 0, "2019-04-23"},
		{"2019-04-20", 1, "2019-04-23"},
		{"2019-12-24", 1, "2019-12-27"},
		{"2022-09-16", 1, "2022-09-20"}, // the state funeral was a Monday
		{"2019-07-12", 2, "2019-07-16"},
	} {
		require.Equal(t, tc.want, c.AddWorkingDays(day(tc.from), tc.n).String(), "%+v", tc)
	}
}

// Windows are in London time: an hour of UTC is inside in winter and outside in summer.
func TestSubmissionWindow(t *testing.T) {
	c := calendar(t)
	for _, tc := range []struct{ stamp, received, earliest string }{
		{"2019-04-07T18:25:03Z", "2019-04-08T09:00:00+01:00", "2019-04-10"}, // the published sample: a Sunday
		{"2019-07-15T08:00:00Z", "2019-07-15T09:00:00+01:00", "2019-07-17"}, // 09:00 in London
		{"2019-07-15T07:59:59Z", "2019-07-15T09:00:00+01:00", "2019-07-17"}, // a second early waits for the window
		{"2019-07-15T15:59:59Z", "2019-07-15T16:59:59+01:00", "2019-07-17"}, // the last second
		{"2019-07-15T16:00:00Z", "2019-07-16T09:00:00+01:00", "2019-07-18"}, // 17:00 in London is outside
		{"2019-01-15T16:30:00Z", "2019-01-15T16:30:00Z", "2019-01-17"},      // winter: 16:30 is inside
		{"2019-04-19T11:00:00Z", "2019-04-23T09:00:00+01:00", "2019-04-25"}, // Good Friday
		{"2019-07-12T17:00:00Z", "2019-07-15T09:00:00+01:00", "2019-07-17"}, // Friday evening
	} {
		stamp := instant(t, tc.stamp)
		require.True(t, instant(t, tc.received).Equal(c.Received(stamp)), "%s: %s", tc.stamp, c.Received(stamp))
		require.Equal(t, tc.earliest, c.EarliestDay(stamp).String(), tc.stamp)
		require.True(t, c.Received(c.Received(stamp)).Equal(c.Received(stamp)))
	}
	require.True(t, instant(t, "2019-04-09T16:00:00Z").Equal(c.ResponseDue(instant(t, "2019-04-07T18:25:03Z"))))
	require.False(t, c.Locked(day("2019-07-15"), instant(t, "2019-07-14T16:59:59Z")))
	require.True(t, c.Locked(day("2019-07-15"), instant(t, "2019-07-14T17:00:00Z")), "18:00 in London")
	require.False(t, c.Locked(day("2019-01-15"), instant(t, "2019-01-14T17:30:00Z")))
}

func TestCycle(t *testing.T) {
	c := calendar(t)
	y := c.Cycle(day("2019-01-21"), document.Period{}) // the published sample's day
	require.Equal(t, "2019-02-17", y.To.String())
	require.Equal(t, "2019-02-03", y.Firm.String())
	require.True(t, instant(t, "2019-01-08T17:00:00Z").Equal(y.DemandBy), y.DemandBy)
	require.True(t, instant(t, "2019-01-10T17:00:00Z").Equal(y.ResponseBy), y.ResponseBy)
	require.True(t, instant(t, "2019-01-18T09:00:00Z").Equal(c.ReallocationAt(y.From)))
	// Period from 6 May 2019: its Friday before is fine; from 22 April the deadline of 9 April is; New Year moves one.
	y = c.Cycle(day("2019-01-14"), document.Period{})
	require.True(t, instant(t, "2018-12-31T17:00:00Z").Equal(y.DemandBy), "1 January is moved to the working day before: %s", y.DemandBy)
	require.True(t, instant(t, "2019-04-18T08:00:00Z").Equal(c.ReallocationAt(day("2019-04-22"))), "Good Friday: %s", c.ReallocationAt(day("2019-04-22")))
}

func TestOpenCalendarRefuses(t *testing.T) {
	good := string(calendarFile)
	write := func(s string) string {
		p := filepath.Join(t.TempDir(), "calendar.yaml")
		require.NoError(t, os.WriteFile(p, []byte(s), 0o600))
		return p
	}
	c, err := OpenCalendar(write(good))
	require.NoError(t, err)
	require.Len(t, c.Holidays, len(calendar(t).Holidays))
	replace := func(old, new string) string {
		require.Contains(t, good, old)
		return write(strings.Replace(good, old, new, 1))
	}
	for _, tc := range []struct{ old, new, want string }{
		{"Europe/London", "Europe/Londinium", "zone"},
		{"provenance: recalled", "provenance: heard", "provenance"},
		{`"09:00", closes`, `"9 o'clock", closes`, "time of day"},
		{"validTo: 2027-12-31", "validTo: 2017-12-31", "validFrom"},
		{"validTo: 2027-12-31", "validTo: 2020-12-31", "outside"},
		{"date: 2018-12-26", "date: 2018-12-25", "twice"},
		{"firmWeeks", "firmMonths", "firmMonths"},
	} {
		_, err := OpenCalendar(replace(tc.old, tc.new))
		require.ErrorContains(t, err, tc.want)
	}
	_, err = OpenCalendar(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
	c, err = OpenCalendar("")
	require.NoError(t, err)
	require.Equal(t, "x1", c.Version)
}
