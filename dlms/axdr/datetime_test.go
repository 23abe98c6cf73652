package axdr

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func london(t *testing.T) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/London")
	if err != nil {
		loc = time.FixedZone("BST", 3600)
	}
	require.NoError(t, err)
	return loc
}

func TestDateTimeUTC(t *testing.T) {
	at, err := summer.UTC()
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 7, 1, 17, 2, 5, 100_000_000, time.UTC), at)
	require.Equal(t, summer, DateTimeOf(at.In(london(t))))

	winter := DateTimeOf(time.Date(2026, 11, 24, 18, 0, 0, 0, time.UTC))
	require.Equal(t, int16(0), winter.Deviation)
	require.Equal(t, "2026-11-24 18:00:00 UTC", winter.String())
	west := DateTimeOf(time.Date(2026, 11, 24, 18, 0, 0, 0, time.FixedZone("x", -5*3600-1800)))
	require.Equal(t, int16(330), west.Deviation)
	require.Equal(t, "2026-11-24 18:00:00 UTC-05:30", west.String())
	require.Equal(t, uint8(7), DateOf(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)).Weekday)
	require.Equal(t, uint8(1), DateOf(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)).Weekday)
}

func TestDateTimeWithoutDeviation(t *testing.T) {
	d := summer
	d.Deviation = DeviationUnspecified
	_, err := d.UTC()
	require.ErrorIs(t, err, ErrValue)
	at, err := d.In(london(t))
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 7, 1, 17, 2, 5, 100_000_000, time.UTC), at)

	// 01:30 on the last Sunday of October happens twice; the DST bit tells which.
	d = DateTime{
		Date: Date{2026, 10, 25, 7}, Time: Time{1, 30, Unspecified, Unspecified}, Deviation: DeviationUnspecified,
		Status: ClockDST,
	}
	at, err = d.In(london(t))
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), at)
	d.Status = 0
	at, err = d.In(london(t))
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC), at)

	// A status that lies cannot move a time that happens once.
	d.Time.Hour = 12
	d.Status = ClockDST
	at, err = d.In(london(t))
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 10, 25, 12, 30, 0, 0, time.UTC), at)

	for _, bad := range []DateTime{
		UnspecifiedDateTime,
		{Date: Date{2026, 2, 30, Unspecified}, Deviation: 0},
		{Date: Date{2026, MonthDSTBegin, 1, Unspecified}},
		{Date: Date{2026, 1, 1, Unspecified}, Time: Time{Hour: Unspecified}},
	} {
		_, err := bad.In(time.UTC)
		require.ErrorIs(t, err, ErrValue)
	}
}

func TestDateTimeValid(t *testing.T) {
	require.True(t, summer.Valid())
	require.True(t, UnspecifiedDateTime.Valid())
	require.True(t, Date{YearUnspecified, MonthDSTEnd, DayLast, 7}.Valid())
	for _, d := range []Date{
		{2026, 0, 1, 1}, {2026, 13, 1, 1}, {2026, 1, 0, 1}, {2026, 1, 32, 1}, {2026, 1, 1, 0}, {2026, 1, 1, 8},
		{2026, 2, 29, Unspecified}, {2026, 7, 1, 4}, // a Wednesday
	} {
		require.False(t, d.Valid(), d)
	}
	for _, c := range []Time{{24, 0, 0, 0}, {0, 60, 0, 0}, {0, 0, 60, 0}, {0, 0, 0, 100}} {
		require.False(t, c.Valid(), c)
	}
	for deviation, valid := range map[int16]bool{-721: false, -720: true, 840: true, 841: false, DeviationUnspecified: true} {
		d := summer
		d.Deviation = deviation
		require.Equal(t, valid, d.Valid(), deviation)
	}
}

func TestDateTimeParse(t *testing.T) {
	b := un(t, "07EA070103 1202050A FFC4 80")
	d, err := ParseDateTime(b)
	require.NoError(t, err)
	require.Equal(t, summer, d)
	again, err := d.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, b, again)
	date, err := ParseDate(b[:5])
	require.NoError(t, err)
	again, err = date.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, b[:5], again)
	clock, err := ParseTime(b[5:9])
	require.NoError(t, err)
	again, err = clock.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, b[5:9], again)
	for i := range b {
		_, err := ParseDateTime(b[:i])
		require.ErrorIs(t, err, ErrLength)
	}
	_, err = ParseDate(b[:4])
	require.ErrorIs(t, err, ErrLength)
	_, err = ParseTime(b[:5])
	require.ErrorIs(t, err, ErrLength)
}

func TestDateTimeString(t *testing.T) {
	for want, d := range map[string]DateTime{
		"2026-07-01 18:02:05.10 UTC+01:00 DST": summer,
		"unspecified":                          UnspecifiedDateTime,
		"*-DST-begin-last Sun 01:00:00": {
			Date: Date{YearUnspecified, MonthDSTBegin, DayLast, 7}, Time: Time{Hour: 1},
			Deviation: DeviationUnspecified, Status: ClockStatusUnspecified,
		},
		"*-DST-end-second-last *:*:* UTC invalid,doubtful,different-base,invalid-status,70": {
			Date: Date{YearUnspecified, MonthDSTEnd, DaySecondLast, Unspecified}, Time: UnspecifiedTime, Status: 0x7F,
		},
		"*-*-31 00:00:*": {
			Date: Date{YearUnspecified, Unspecified, 31, Unspecified}, Time: Time{0, 0, Unspecified, Unspecified},
			Deviation: DeviationUnspecified,
		},
	} {
		require.Equal(t, want, d.String())
	}
	require.Equal(t, "ok", ClockStatus(0).String())
	require.Equal(t, "unspecified", ClockStatusUnspecified.String())
}

func TestDateTimeMatches(t *testing.T) {
	loc := london(t)
	day := func(month time.Month, d int) time.Time { return time.Date(2026, month, d, 0, 0, 0, 0, loc) }
	any := Date{YearUnspecified, Unspecified, Unspecified, Unspecified}
	for _, c := range []struct {
		name    string
		pattern Date
		yes, no []time.Time
	}{
		{"any", any, []time.Time{day(1, 1), day(12, 31)}, nil},
		{"year", Date{2027, Unspecified, Unspecified, Unspecified}, nil, []time.Time{day(1, 1)}},
		{"every 31st", Date{YearUnspecified, Unspecified, 31, Unspecified}, []time.Time{day(1, 31)}, []time.Time{day(2, 28)}},
		{"last day", Date{YearUnspecified, Unspecified, DayLast, Unspecified}, []time.Time{day(2, 28), day(4, 30)}, []time.Time{day(4, 29)}},
		{"second last day", Date{YearUnspecified, Unspecified, DaySecondLast, Unspecified}, []time.Time{day(2, 27)}, []time.Time{day(2, 28)}},
		{"last Sunday as DST begins", Date{YearUnspecified, MonthDSTBegin, DayLast, 7}, []time.Time{day(3, 29)}, []time.Time{day(3, 22), day(10, 25), day(3, 30)}},
		{"last Sunday as DST ends", Date{YearUnspecified, MonthDSTEnd, DayLast, 7}, []time.Time{day(10, 25)}, []time.Time{day(3, 29)}},
		{"second last Sunday", Date{YearUnspecified, 3, DaySecondLast, 7}, []time.Time{day(3, 22)}, []time.Time{day(3, 29), day(3, 15)}},
		{"Mondays", Date{YearUnspecified, Unspecified, Unspecified, 1}, []time.Time{day(11, 23)}, []time.Time{day(11, 24)}},
		{"first Monday from the 8th", Date{YearUnspecified, Unspecified, 8, 1}, []time.Time{day(11, 9)}, []time.Time{day(11, 2), day(11, 16)}},
		{"one day", Date{2026, 11, 24, Unspecified}, []time.Time{day(11, 24)}, []time.Time{day(11, 25), day(10, 24)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, at := range c.yes {
				require.True(t, c.pattern.Matches(at), at)
			}
			for _, at := range c.no {
				require.False(t, c.pattern.Matches(at), at)
			}
		})
	}
	at := time.Date(2026, 7, 1, 18, 2, 5, 100_000_000, loc)
	require.True(t, summer.Matches(at))
	require.True(t, UnspecifiedDateTime.Matches(at))
	require.False(t, summer.Matches(at.Add(time.Second)))
	require.False(t, Time{18, 2, 5, 0}.Matches(at))
}
