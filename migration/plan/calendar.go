package plan

import (
	_ "embed"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
	_ "time/tzdata" // Europe/London is wanted on machines that have no zone files

	"github.com/goccy/go-yaml"

	"smets1/migration/document"
)

//go:embed data/calendar.yaml
var calendarFile []byte

// Calendar knows working days, the windows of the programme and its lead times. All times of day are those of its zone,
// Europe/London; all dates are civil dates there. It does not change after loading.
type Calendar struct {
	Version    string              `yaml:"version"`
	Provenance document.Provenance `yaml:"provenance"`
	Source     string              `yaml:"source"`
	Zone       string              `yaml:"zone"`
	ValidFrom  document.Date       `yaml:"validFrom"`
	ValidTo    document.Date       `yaml:"validTo"`

	Submission        Window   `yaml:"submission"`
	AuthorisationLead int      `yaml:"authorisationLead"` // working days
	ResponseWithin    int      `yaml:"responseWithin"`    // working days
	DayLock           TimeOf   `yaml:"dayLock"`
	DemandDeadline    Deadline `yaml:"demandDeadline"`
	ResponseDeadline  Deadline `yaml:"responseDeadline"`
	Reallocation      Deadline `yaml:"reallocation"`
	FirmWeeks         int      `yaml:"firmWeeks"`
	FirmwareNotice    int      `yaml:"firmwareNotice"`  // days
	MigrationNotice   int      `yaml:"migrationNotice"` // days

	Holidays []Holiday `yaml:"holidays"`

	zone   *time.Location
	byDate map[document.Date]string
}

// Holiday is one bank holiday.
type Holiday struct {
	Date document.Date `yaml:"date"`
	Name string        `yaml:"name"`
}

// Window is the part of a working day in which submissions are taken; Closes is the first instant that is outside.
type Window struct {
	Opens  TimeOf `yaml:"opens"`
	Closes TimeOf `yaml:"closes"`
}

// Deadline is a time of day some days before a day.
type Deadline struct {
	DaysBefore int    `yaml:"daysBefore"`
	At         TimeOf `yaml:"at"`
}

// TimeOf is a time of day, written 17:00.
type TimeOf struct{ Hour, Minute int }

// UnmarshalText reads 17:00.
func (t *TimeOf) UnmarshalText(b []byte) error {
	v, err := time.Parse("15:04", string(b))
	if err != nil {
		return fmt.Errorf("%q is not a time of day; write it as 17:00", b)
	}
	t.Hour, t.Minute = v.Hour(), v.Minute()
	return nil
}

// String writes 17:00.
func (t TimeOf) String() string { return fmt.Sprintf("%02d:%02d", t.Hour, t.Minute) }

var defaultCalendar = sync.OnceValues(func() (*Calendar, error) { return parseCalendar("calendar.yaml", calendarFile) })

// DefaultCalendar gives the calendar that this build carries.
func DefaultCalendar() (*Calendar, error) { return defaultCalendar() }

// OpenCalendar reads a calendar file of the same shape; an empty path gives the built-in one.
func OpenCalendar(path string) (*Calendar, error) {
	if path == "" {
		return DefaultCalendar()
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseCalendar(path, b)
}

func parseCalendar(name string, b []byte) (*Calendar, error) {
	c := &Calendar{}
	if err := yaml.UnmarshalWithOptions(b, c, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return nil, fmt.Errorf("%s: zone %q: %w", name, c.Zone, err)
	}
	if !slices.Contains([]document.Provenance{document.Published, document.Recalled, document.Ours}, c.Provenance) {
		return nil, fmt.Errorf("%s: provenance %q is not published, recalled or ours", name, c.Provenance)
	}
	if c.ValidFrom.IsZero() || c.ValidTo.Before(c.ValidFrom) {
		return nil, fmt.Errorf("%s: validFrom and validTo must bound the days that the holidays are known for", name)
	}
	c.zone, c.byDate = zone, map[document.Date]string{}
	for _, h := range c.Holidays {
		if _, twice := c.byDate[h.Date]; twice {
			return nil, fmt.Errorf("%s: %s appears twice", name, h.Date)
		}
		if h.Date.Before(c.ValidFrom) || h.Date.After(c.ValidTo) {
			return nil, fmt.Errorf("%s: %s lies outside validFrom and validTo", name, h.Date)
		}
		c.byDate[h.Date] = h.Name
	}
	return c, nil
}

// Covers reports whether the holidays of a day are known. Outside, only weekends count as non-working days, and whoever
// plans should say so.
func (c *Calendar) Covers(day document.Date) bool {
	return !day.Before(c.ValidFrom) && !day.After(c.ValidTo)
}

// Holiday gives the name of a bank holiday, or nothing.
func (c *Calendar) Holiday(day document.Date) string { return c.byDate[day] }

// WorkingDay reports whether a day is Monday to Friday and no bank holiday.
func (c *Calendar) WorkingDay(day document.Date) bool {
	switch day.Time().Weekday() {
	case time.Saturday, time.Sunday:
		return false
	default:
		return c.byDate[day] == ""
	}
}

// AddWorkingDays moves a day by n working days: 1 from a Friday is Monday, and 0 is the day itself or, if that is not a
// working day, the next one.
func (c *Calendar) AddWorkingDays(day document.Date, n int) document.Date {
	for !c.WorkingDay(day) && n == 0 {
		day = day.AddDays(1)
	}
	for n > 0 {
		day = day.AddDays(1)
		if c.WorkingDay(day) {
			n--
		}
	}
	return day
}

// At gives the instant of a time of day. A time that the change to summer time leaves out is taken an hour later, as
// clocks show it; one that happens twice is the first.
func (c *Calendar) At(day document.Date, t TimeOf) time.Time {
	return time.Date(day.Year, day.Month, day.Day, t.Hour, t.Minute, 0, 0, c.zone)
}

// DateAt gives the civil date of an instant.
func (c *Calendar) DateAt(t time.Time) document.Date { return document.DateOf(t.In(c.zone)) }

// Received gives when a submission counts as received: at once within the window of a working day, else when the next
// window opens. Weekend submissions happen (the published sample is of a Sunday) and are not refused.
func (c *Calendar) Received(stamp time.Time) time.Time {
	day := c.DateAt(stamp)
	if c.WorkingDay(day) {
		if opens := c.At(day, c.Submission.Opens); stamp.Before(opens) {
			return opens
		}
		if stamp.Before(c.At(day, c.Submission.Closes)) {
			return stamp.In(c.zone)
		}
	}
	return c.At(c.AddWorkingDays(day, 1), c.Submission.Opens)
}

// EarliestDay gives the first day that an authorisation of this time may name.
func (c *Calendar) EarliestDay(stamp time.Time) document.Date {
	return c.AddWorkingDays(c.DateAt(c.Received(stamp)), c.AuthorisationLead)
}

// ResponseDue gives when the response to an authorisation is due at the latest.
func (c *Calendar) ResponseDue(stamp time.Time) time.Time {
	return c.At(c.AddWorkingDays(c.DateAt(c.Received(stamp)), c.ResponseWithin), c.Submission.Closes)
}

// Locked reports whether a migration day can no longer be changed at an instant.
func (c *Calendar) Locked(day document.Date, at time.Time) bool {
	return !at.Before(c.At(day.AddDays(-1), c.DayLock))
}

// before gives a deadline before a day. When it falls on a day that is no working day, it is the working day before.
func (c *Calendar) before(day document.Date, d Deadline) time.Time {
	on := day.AddDays(-d.DaysBefore)
	for !c.WorkingDay(on) {
		on = on.AddDays(-1)
	}
	return c.At(on, d.At)
}

// Cycle gives the dates of the cycle whose period starts on a Monday.
func (c *Calendar) Cycle(monday document.Date, period document.Period) Cycle {
	responses := monday.AddDays(-c.ResponseDeadline.DaysBefore)
	for !c.WorkingDay(responses) {
		responses = responses.AddDays(1) // a response may be late by a holiday; a demand may not
	}
	return Cycle{
		From: monday, To: monday.AddDays(period.Days() - 1), Firm: monday.AddDays(7*c.FirmWeeks - 1),
		DemandBy: c.before(monday, c.DemandDeadline), ResponseBy: c.At(responses, c.ResponseDeadline.At),
	}
}

// Cycle is one round of demand and response.
type Cycle struct {
	From, To   document.Date // of the period, both included
	Firm       document.Date // last day whose allocation is firm; the rest is indicative
	DemandBy   time.Time
	ResponseBy time.Time
}

// ReallocationAt gives when the unused allocations of the week from a Monday are offered again.
func (c *Calendar) ReallocationAt(monday document.Date) time.Time {
	return c.before(monday, c.Reallocation)
}
