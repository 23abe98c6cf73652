package se

import (
	"smets1/zigbee/internal/field"
)

// CalendarType says what a calendar is for.
type CalendarType uint8

// The types.
const (
	CalendarDelivered            CalendarType = 0
	CalendarReceived             CalendarType = 1
	CalendarDeliveredAndReceived CalendarType = 2
	CalendarFriendlyCredit       CalendarType = 3
	CalendarAuxiliary            CalendarType = 4
)

// Date is a day; FF in a field means any.
//
//	year-1900(1) month(1) day(1) weekday(1, 1 Monday)
type Date struct{ Year, Month, Day, Weekday uint8 }

func date(c *field.Coder, m *Date) {
	field.U8(c, &m.Year)
	field.U8(c, &m.Month)
	field.U8(c, &m.Day)
	field.U8(c, &m.Weekday)
}

// PublishCalendar announces a calendar (Smart Energy, clause D.9.2.3.1; published).
//
//	provider(4) eventID(4) calendarID(4) start(4) type(1) timeReference(1) name(string) seasons(1) weeks(1) days(1)
type PublishCalendar struct {
	Provider      uint32
	EventID       uint32
	CalendarID    uint32
	Start         UTC
	Type          CalendarType
	TimeReference uint8  // 0 UTC, 1 standard, 2 local time
	Name          []byte // at most 12 octets
	Seasons       uint8
	Weeks         uint8
	Days          uint8
}

// Key implements Command.
func (PublishCalendar) Key() Key { return Key{Calendar, true, 0x00} }

// AppendBinary implements Command.
func (m PublishCalendar) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishCalendar reads the payload.
func ParsePublishCalendar(b []byte) (m PublishCalendar, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishCalendar) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.CalendarID)
	field.U32(c, &m.Start)
	field.U8(c, &m.Type)
	field.U8(c, &m.TimeReference)
	field.Octets(c, &m.Name, 12)
	field.U8(c, &m.Seasons)
	field.U8(c, &m.Weeks)
	field.U8(c, &m.Days)
}

// DayEntry is a time of day from which a value holds.
//
//	minute(2) value(1)
type DayEntry struct {
	Minute uint16 // from midnight
	Value  uint8  // tier, friendly credit on, or switch states, by type of calendar
}

func dayEntry(c *field.Coder, m *DayEntry) {
	field.U16(c, &m.Minute)
	field.U8(c, &m.Value)
}

// PublishDayProfile defines a day.
//
//	provider(4) eventID(4) calendarID(4) dayID(1) totalEntries(1) index(1) total(1) type(1) {entries}
type PublishDayProfile struct {
	Provider     uint32
	EventID      uint32
	CalendarID   uint32
	DayID        uint8
	TotalEntries uint8
	Index        uint8
	Total        uint8
	Type         CalendarType
	Entries      []DayEntry
}

// Key implements Command.
func (PublishDayProfile) Key() Key { return Key{Calendar, true, 0x01} }

// AppendBinary implements Command.
func (m PublishDayProfile) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishDayProfile reads the payload.
func ParsePublishDayProfile(b []byte) (m PublishDayProfile, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishDayProfile) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.CalendarID)
	field.U8(c, &m.DayID)
	field.U8(c, &m.TotalEntries)
	field.U8(c, &m.Index)
	field.U8(c, &m.Total)
	field.U8(c, &m.Type)
	field.ListRest(c, &m.Entries, dayEntry)
}

// PublishWeekProfile defines a week.
//
//	provider(4) eventID(4) calendarID(4) weekID(1) days(7)
type PublishWeekProfile struct {
	Provider   uint32
	EventID    uint32
	CalendarID uint32
	WeekID     uint8
	Days       [7]uint8 // day of Monday to Sunday
}

// Key implements Command.
func (PublishWeekProfile) Key() Key { return Key{Calendar, true, 0x02} }

// AppendBinary implements Command.
func (m PublishWeekProfile) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishWeekProfile reads the payload.
func ParsePublishWeekProfile(b []byte) (m PublishWeekProfile, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishWeekProfile) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.CalendarID)
	field.U8(c, &m.WeekID)
	field.Fixed(c, m.Days[:])
}

// Season is a date from which a week holds.
//
//	start weekID(1)
type Season struct {
	Start  Date
	WeekID uint8
}

func season(c *field.Coder, m *Season) {
	date(c, &m.Start)
	field.U8(c, &m.WeekID)
}

// PublishSeasons defines the seasons.
//
//	provider(4) eventID(4) calendarID(4) index(1) total(1) {seasons}
type PublishSeasons struct {
	Provider   uint32
	EventID    uint32
	CalendarID uint32
	Index      uint8
	Total      uint8
	Seasons    []Season
}

// Key implements Command.
func (PublishSeasons) Key() Key { return Key{Calendar, true, 0x03} }

// AppendBinary implements Command.
func (m PublishSeasons) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishSeasons reads the payload.
func ParsePublishSeasons(b []byte) (m PublishSeasons, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishSeasons) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.CalendarID)
	field.U8(c, &m.Index)
	field.U8(c, &m.Total)
	field.ListRest(c, &m.Seasons, season)
}

// SpecialDay is a date with a day of its own.
//
//	date dayID(1)
type SpecialDay struct {
	Date  Date
	DayID uint8
}

func specialDay(c *field.Coder, m *SpecialDay) {
	date(c, &m.Date)
	field.U8(c, &m.DayID)
}

// PublishSpecialDays defines special days.
//
//	provider(4) eventID(4) calendarID(4) start(4) type(1) totalDays(1) index(1) total(1) {days}
type PublishSpecialDays struct {
	Provider   uint32
	EventID    uint32
	CalendarID uint32
	Start      UTC
	Type       CalendarType
	TotalDays  uint8
	Index      uint8
	Total      uint8
	Days       []SpecialDay
}

// Key implements Command.
func (PublishSpecialDays) Key() Key { return Key{Calendar, true, 0x04} }

// AppendBinary implements Command.
func (m PublishSpecialDays) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishSpecialDays reads the payload.
func ParsePublishSpecialDays(b []byte) (m PublishSpecialDays, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishSpecialDays) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.CalendarID)
	field.U32(c, &m.Start)
	field.U8(c, &m.Type)
	field.U8(c, &m.TotalDays)
	field.U8(c, &m.Index)
	field.U8(c, &m.Total)
	field.ListRest(c, &m.Days, specialDay)
}

// CancelCalendar takes a calendar back.
//
//	provider(4) calendarID(4) type(1)
type CancelCalendar struct {
	Provider   uint32
	CalendarID uint32
	Type       CalendarType
}

// Key implements Command.
func (CancelCalendar) Key() Key { return Key{Calendar, true, 0x05} }

// AppendBinary implements Command.
func (m CancelCalendar) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseCancelCalendar reads the payload.
func ParseCancelCalendar(b []byte) (m CancelCalendar, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *CancelCalendar) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.CalendarID)
	field.U8(c, &m.Type)
}

// GetCalendar asks for calendars.
//
//	earliest(4) minimumEventID(4) most(1) type(1) provider(4)
type GetCalendar struct {
	Earliest       UTC
	MinimumEventID uint32
	Most           uint8
	Type           CalendarType
	Provider       uint32 // FFFFFFFF any
}

// Key implements Command.
func (GetCalendar) Key() Key { return Key{Calendar, false, 0x00} }

// AppendBinary implements Command.
func (m GetCalendar) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetCalendar reads the payload.
func ParseGetCalendar(b []byte) (m GetCalendar, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetCalendar) fields(c *field.Coder) {
	field.U32(c, &m.Earliest)
	field.U32(c, &m.MinimumEventID)
	field.U8(c, &m.Most)
	field.U8(c, &m.Type)
	field.U32(c, &m.Provider)
}

// GetDayProfiles asks for days.
//
//	provider(4) calendarID(4) startDay(1) most(1)
type GetDayProfiles struct {
	Provider   uint32
	CalendarID uint32
	StartDay   uint8
	Most       uint8 // 0: all
}

// Key implements Command.
func (GetDayProfiles) Key() Key { return Key{Calendar, false, 0x01} }

// AppendBinary implements Command.
func (m GetDayProfiles) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetDayProfiles reads the payload.
func ParseGetDayProfiles(b []byte) (m GetDayProfiles, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetDayProfiles) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.CalendarID)
	field.U8(c, &m.StartDay)
	field.U8(c, &m.Most)
}

// GetWeekProfiles asks for weeks.
//
//	provider(4) calendarID(4) startWeek(1) most(1)
type GetWeekProfiles struct {
	Provider   uint32
	CalendarID uint32
	StartWeek  uint8
	Most       uint8 // 0: all
}

// Key implements Command.
func (GetWeekProfiles) Key() Key { return Key{Calendar, false, 0x02} }

// AppendBinary implements Command.
func (m GetWeekProfiles) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetWeekProfiles reads the payload.
func ParseGetWeekProfiles(b []byte) (m GetWeekProfiles, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetWeekProfiles) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.CalendarID)
	field.U8(c, &m.StartWeek)
	field.U8(c, &m.Most)
}

// GetSeasons asks for the seasons.
//
//	provider(4) calendarID(4)
type GetSeasons struct {
	Provider   uint32
	CalendarID uint32
}

// Key implements Command.
func (GetSeasons) Key() Key { return Key{Calendar, false, 0x03} }

// AppendBinary implements Command.
func (m GetSeasons) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetSeasons reads the payload.
func ParseGetSeasons(b []byte) (m GetSeasons, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetSeasons) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.CalendarID)
}

// GetSpecialDays asks for special days.
//
//	start(4) most(1) type(1) provider(4) calendarID(4)
type GetSpecialDays struct {
	Start      UTC
	Most       uint8
	Type       CalendarType
	Provider   uint32
	CalendarID uint32
}

// Key implements Command.
func (GetSpecialDays) Key() Key { return Key{Calendar, false, 0x04} }

// AppendBinary implements Command.
func (m GetSpecialDays) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetSpecialDays reads the payload.
func ParseGetSpecialDays(b []byte) (m GetSpecialDays, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetSpecialDays) fields(c *field.Coder) {
	field.U32(c, &m.Start)
	field.U8(c, &m.Most)
	field.U8(c, &m.Type)
	field.U32(c, &m.Provider)
	field.U32(c, &m.CalendarID)
}

// GetCalendarCancellation asks for the last cancellation.
type GetCalendarCancellation struct{}

// Key implements Command.
func (GetCalendarCancellation) Key() Key { return Key{Calendar, false, 0x05} }

// AppendBinary implements Command.
func (GetCalendarCancellation) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseGetCalendarCancellation reads the payload, which is empty.
func ParseGetCalendarCancellation([]byte) (m GetCalendarCancellation, n int, err error) {
	return m, 0, nil
}
