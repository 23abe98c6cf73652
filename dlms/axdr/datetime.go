package axdr

import (
	"fmt"
	"time"
)

// Values that mean "not specified" in dates and times (Blue Book, published).
const (
	YearUnspecified      uint16 = 0xFFFF
	Unspecified          uint8  = 0xFF // month, day, weekday, hour, minute, second, hundredths
	DeviationUnspecified int16  = -0x8000

	MonthDSTEnd   uint8 = 0xFD // the month in which daylight saving ends
	MonthDSTBegin uint8 = 0xFE // the month in which it begins
	DaySecondLast uint8 = 0xFD // second last day of the month, or weekday of the month
	DayLast       uint8 = 0xFE // last day of the month, or last weekday of the month
)

// ClockStatus is the last byte of a date-time (Blue Book, published).
type ClockStatus uint8

// The bits of ClockStatus.
const (
	ClockInvalid       ClockStatus = 0x01 // time lost, for example after a power failure
	ClockDoubtful      ClockStatus = 0x02
	ClockDifferentBase ClockStatus = 0x04 // another timing source is in use
	ClockInvalidStatus ClockStatus = 0x08
	ClockDST           ClockStatus = 0x80 // daylight saving is active
	// ClockStatusUnspecified says nothing about the clock; its bits mean nothing.
	ClockStatusUnspecified ClockStatus = 0xFF
)

// Date is year(2) month day weekday. Weekday 1 is Monday, 7 Sunday.
type Date struct {
	Year    uint16
	Month   uint8
	Day     uint8
	Weekday uint8
}

// Time is hour minute second hundredths.
type Time struct {
	Hour       uint8
	Minute     uint8
	Second     uint8
	Hundredths uint8
}

// DateTime is the 12 bytes
//
//	year(2) month day weekday hour minute second hundredths deviation(2) status
//
// of the Blue Book (published). Each field may be unspecified, which makes the
// value a pattern ("every 31st at 00:00") rather than an instant.
type DateTime struct {
	Date Date
	Time Time
	// Deviation is what to add to local time to get UTC, in minutes: -60 in
	// British summer. DeviationUnspecified where it is not told.
	Deviation int16
	Status    ClockStatus
}

// UnspecifiedDate has no field specified.
var UnspecifiedDate = Date{Year: YearUnspecified, Month: Unspecified, Day: Unspecified, Weekday: Unspecified}

// UnspecifiedTime has no field specified.
var UnspecifiedTime = Time{Hour: Unspecified, Minute: Unspecified, Second: Unspecified, Hundredths: Unspecified}

// UnspecifiedDateTime has no field specified: "never" in GBCS schedules.
var UnspecifiedDateTime = DateTime{
	Date: UnspecifiedDate, Time: UnspecifiedTime, Deviation: DeviationUnspecified, Status: ClockStatusUnspecified,
}

// DateTimeOf gives t with the deviation of its location. The status is the DST
// bit where t is in daylight saving time, otherwise 0.
func DateTimeOf(t time.Time) DateTime {
	_, offset := t.Zone()
	dt := DateTime{Date: DateOf(t), Time: TimeOf(t), Deviation: int16(-offset / 60)}
	if t.IsDST() {
		dt.Status = ClockDST
	}
	return dt
}

// DateOf gives the date of t in its location.
func DateOf(t time.Time) Date {
	return Date{Year: uint16(t.Year()), Month: uint8(t.Month()), Day: uint8(t.Day()), Weekday: weekday(t)}
}

// TimeOf gives the time of day of t in its location, cut to hundredths.
func TimeOf(t time.Time) Time {
	return Time{
		Hour: uint8(t.Hour()), Minute: uint8(t.Minute()), Second: uint8(t.Second()),
		Hundredths: uint8(t.Nanosecond() / 10_000_000),
	}
}

func weekday(t time.Time) uint8 {
	if t.Weekday() == time.Sunday {
		return 7
	}
	return uint8(t.Weekday())
}

// ParseDateTime decodes exactly 12 bytes. Any 12 bytes are a DateTime; Valid
// tells whether they make sense.
func ParseDateTime(b []byte) (DateTime, error) {
	if len(b) != dateTimeSize {
		return DateTime{}, fmt.Errorf("axdr: date-time of %d bytes, want %d: %w", len(b), dateTimeSize, ErrLength)
	}
	return dateTimeOf(b), nil
}

// ParseDate decodes exactly 5 bytes.
func ParseDate(b []byte) (Date, error) {
	if len(b) != dateSize {
		return Date{}, fmt.Errorf("axdr: date of %d bytes, want %d: %w", len(b), dateSize, ErrLength)
	}
	return dateOf(b), nil
}

// ParseTime decodes exactly 4 bytes.
func ParseTime(b []byte) (Time, error) {
	if len(b) != timeSize {
		return Time{}, fmt.Errorf("axdr: time of %d bytes, want %d: %w", len(b), timeSize, ErrLength)
	}
	return timeOf(b), nil
}

func dateTimeOf(b []byte) DateTime {
	return DateTime{
		Date: dateOf(b[:5]), Time: timeOf(b[5:9]),
		Deviation: int16(uint16(b[9])<<8 | uint16(b[10])), Status: ClockStatus(b[11]),
	}
}

func dateOf(b []byte) Date {
	return Date{Year: uint16(b[0])<<8 | uint16(b[1]), Month: b[2], Day: b[3], Weekday: b[4]}
}

func timeOf(b []byte) Time {
	return Time{Hour: b[0], Minute: b[1], Second: b[2], Hundredths: b[3]}
}

// AppendBinary appends the 12 bytes, without a tag. It never fails.
func (d DateTime) AppendBinary(b []byte) ([]byte, error) { return d.appendTo(b), nil }

// AppendBinary appends the 5 bytes, without a tag. It never fails.
func (d Date) AppendBinary(b []byte) ([]byte, error) { return d.appendTo(b), nil }

// AppendBinary appends the 4 bytes, without a tag. It never fails.
func (t Time) AppendBinary(b []byte) ([]byte, error) { return t.appendTo(b), nil }

func (d DateTime) appendTo(b []byte) []byte {
	b = d.Time.appendTo(d.Date.appendTo(b))
	return append(b, byte(uint16(d.Deviation)>>8), byte(d.Deviation), byte(d.Status))
}

func (d Date) appendTo(b []byte) []byte {
	return append(b, byte(d.Year>>8), byte(d.Year), d.Month, d.Day, d.Weekday)
}

func (t Time) appendTo(b []byte) []byte {
	return append(b, t.Hour, t.Minute, t.Second, t.Hundredths)
}

// Specified reports whether year, month and day name one day.
func (d Date) Specified() bool {
	return d.Year != YearUnspecified && d.Month >= 1 && d.Month <= 12 && d.Day >= 1 && d.Day <= 31
}

// Specified reports whether hour and minute are given. Seconds and hundredths
// that are not count as zero.
func (t Time) Specified() bool { return t.Hour <= 23 && t.Minute <= 59 }

// Specified reports whether the date-time names one instant, given a time zone
// where the deviation is not specified.
func (d DateTime) Specified() bool { return d.Date.Specified() && d.Time.Specified() }

// Valid reports whether each field is in its range, unspecified ones included,
// and a fully specified day exists (no 30 February) and its weekday is right.
func (d Date) Valid() bool {
	month := d.Month >= 1 && d.Month <= 12 || d.Month >= MonthDSTEnd
	day := d.Day >= 1 && d.Day <= 31 || d.Day >= DaySecondLast
	week := d.Weekday >= 1 && d.Weekday <= 7 || d.Weekday == Unspecified
	if !month || !day || !week {
		return false
	}
	if !d.Specified() {
		return true
	}
	t := time.Date(int(d.Year), time.Month(d.Month), int(d.Day), 0, 0, 0, 0, time.UTC)
	return t.Day() == int(d.Day) && (d.Weekday == Unspecified || d.Weekday == weekday(t))
}

// Valid reports whether each field is in its range or unspecified.
func (t Time) Valid() bool {
	return (t.Hour <= 23 || t.Hour == Unspecified) && (t.Minute <= 59 || t.Minute == Unspecified) &&
		(t.Second <= 59 || t.Second == Unspecified) && (t.Hundredths <= 99 || t.Hundredths == Unspecified)
}

// Valid reports whether date, time and deviation (-720 to 840 minutes) are in their ranges.
func (d DateTime) Valid() bool {
	return d.Date.Valid() && d.Time.Valid() &&
		(d.Deviation == DeviationUnspecified || d.Deviation >= -720 && d.Deviation <= 840)
}

// UTC gives the instant. It fails if the date, hour or minute is not
// specified, or if the deviation is not: then use In.
func (d DateTime) UTC() (time.Time, error) {
	if d.Deviation == DeviationUnspecified {
		return time.Time{}, fmt.Errorf("axdr: date-time %s has no deviation from UTC: %w", d, ErrValue)
	}
	return d.In(time.UTC)
}

// In gives the instant as UTC, taking local time in loc where the deviation is
// not specified. The instants that happen twice as daylight saving ends are
// told apart by the DST bit of the status where it is specified.
func (d DateTime) In(loc *time.Location) (time.Time, error) {
	if !d.Specified() || !d.Valid() {
		return time.Time{}, fmt.Errorf("axdr: date-time %s is not an instant: %w", d, ErrValue)
	}
	second, hundredths := d.Time.Second, d.Time.Hundredths
	if second == Unspecified {
		second = 0
	}
	if hundredths == Unspecified {
		hundredths = 0
	}
	zone := loc
	if d.Deviation != DeviationUnspecified {
		zone = time.UTC
	}
	t := time.Date(int(d.Date.Year), time.Month(d.Date.Month), int(d.Date.Day),
		int(d.Time.Hour), int(d.Time.Minute), int(second), int(hundredths)*10_000_000, zone)
	if d.Deviation != DeviationUnspecified {
		return t.Add(time.Duration(d.Deviation) * time.Minute), nil
	}
	return d.pickFold(t).UTC(), nil
}

// pickFold chooses between the two instants of an ambiguous local time.
// time.Date does not say which of them it gives, so both are tried.
func (d DateTime) pickFold(t time.Time) time.Time {
	if d.Status == ClockStatusUnspecified || t.IsDST() == (d.Status&ClockDST != 0) {
		return t
	}
	for _, other := range [...]time.Time{t.Add(-time.Hour), t.Add(time.Hour)} {
		if other.Hour() == t.Hour() && other.Day() == t.Day() && other.IsDST() != t.IsDST() {
			return other
		}
	}
	return t
}

// Matches reports whether t, taken in its location, fits every specified field
// of the pattern. Deviation and status are not looked at; the months in which
// daylight saving begins and ends are the ones whose offset changes in that location.
func (d DateTime) Matches(t time.Time) bool { return d.Date.Matches(t) && d.Time.Matches(t) }

// Matches reports whether t fits every specified field.
func (t Time) Matches(at time.Time) bool {
	return fits(t.Hour, at.Hour()) && fits(t.Minute, at.Minute()) && fits(t.Second, at.Second()) &&
		fits(t.Hundredths, at.Nanosecond()/10_000_000)
}

func fits(field uint8, v int) bool { return field == Unspecified || int(field) == v }

// Matches reports whether the day of t fits every specified field. With a
// weekday, "last" and "second last" day mean the last such weekday of the
// month and the one a week before it.
func (d Date) Matches(t time.Time) bool {
	if d.Year != YearUnspecified && int(d.Year) != t.Year() {
		return false
	}
	switch d.Month {
	case Unspecified:
	case MonthDSTBegin, MonthDSTEnd:
		first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, t.Location())
		_, before := first.Zone()
		_, after := first.AddDate(0, 1, 0).Zone()
		if d.Month == MonthDSTBegin && after <= before || d.Month == MonthDSTEnd && after >= before {
			return false
		}
	default:
		if int(d.Month) != int(t.Month()) {
			return false
		}
	}
	if d.Weekday != Unspecified && d.Weekday != weekday(t) {
		return false
	}
	left := daysIn(t) - t.Day()
	byWeek := d.Weekday != Unspecified
	switch d.Day {
	case Unspecified:
		return true
	case DayLast:
		return left == 0 || byWeek && left < 7
	case DaySecondLast:
		return !byWeek && left == 1 || byWeek && left >= 7 && left < 14
	}
	// A weekday with a day means: the first such weekday on or after that day.
	if byWeek {
		return t.Day() >= int(d.Day) && t.Day() < int(d.Day)+7
	}
	return int(d.Day) == t.Day()
}

func daysIn(t time.Time) int {
	return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
