package tariff

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
)

var wide = Limits{Registers: 48, Seasons: 4, Weeks: 4, Days: 17, Switches: 12, Special: 50}

// seasonal has everything: two seasons, a weekend, and Christmas.
func seasonal() *Calendar {
	return &Calendar{
		Name: "WINTER48",
		Seasons: []Season{
			{"summer", Date{Any, 4, 1}, "s"}, {"winter", Date{Any, 10, 1}, "w"},
		},
		Weeks: []Week{{"s", [7]uint8{1, 1, 1, 1, 1, 2, 2}}, {"w", [7]uint8{3, 3, 3, 3, 3, 3, 2}}},
		Days: []Day{
			{1, []Switch{{0, 1}, {7 * 60, 2}, {23*60 + 30, 1}}}, {2, []Switch{{0, 3}}},
			{3, []Switch{{6 * 60, 47}, {16 * 60, 48}}}, // begins as the day before ended
		},
		Special: []Special{{1, Date{Any, 12, 25}, 2}, {2, Date{2020, 12, 28}, 2}},
	}
}

func TestAt(t *testing.T) {
	c := seasonal()
	at := func(s string) time.Time {
		x, err := time.Parse("2006-01-02 15:04:05", s)
		require.NoError(t, err)
		return x
	}
	for _, x := range []struct {
		at       string
		register uint8
		until    string
	}{
		{"2020-07-15 05:59:59", 1, "2020-07-15 06:00:00"}, // 07:00 by the wall clock
		{"2020-07-15 06:00:00", 2, "2020-07-15 22:30:00"},
		{"2020-07-15 22:30:00", 1, "2020-07-15 23:00:00"}, // midnight of the wall clock
		{"2020-07-18 12:00:00", 3, "2020-07-18 23:00:00"}, // a Saturday
		{"2020-12-01 15:59:00", 47, "2020-12-01 16:00:00"},
		{"2020-12-01 23:00:00", 48, "2020-12-02 00:00:00"},
		{"2020-12-02 00:00:00", 48, "2020-12-02 06:00:00"}, // as the day before ended
		{"2020-12-07 03:00:00", 3, "2020-12-07 06:00:00"},  // and that was a Sunday
		{"2020-12-25 12:00:00", 3, "2020-12-26 00:00:00"},
		{"2020-12-28 12:00:00", 3, "2020-12-29 00:00:00"},
		{"2021-12-28 12:00:00", 47, "2021-12-28 16:00:00"}, // only in 2020
		{"2021-01-15 12:00:00", 47, "2021-01-15 16:00:00"}, // the winter that began the year before
		{"2020-03-29 00:30:00", 3, "2020-03-29 01:00:00"},  // the clocks go forward
	} {
		register, until := c.At(at(x.at))
		require.Equal(t, x.register, register, x.at)
		require.Equal(t, at(x.until), until.UTC(), x.at)
	}
	require.Equal(t, 48, c.Registers())
}

// Going from switch point to switch point never stands still, and within a step the register does not change.
func TestStepsAreWhole(t *testing.T) {
	for _, c := range []*Calendar{seasonal(), Flat("F"), Economy7("E7")} {
		require.NoError(t, c.Check(wide))
		at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		for at.Year() == 2020 {
			register, until := c.At(at)
			require.True(t, until.After(at))
			require.LessOrEqual(t, until.Sub(at), 25*time.Hour)
			for _, in := range []time.Duration{until.Sub(at) / 2, until.Sub(at) - time.Second} {
				r, u := c.At(at.Add(in))
				require.Equal(t, register, r, at.Add(in))
				require.Equal(t, until.UTC(), u.UTC())
			}
			at = until
		}
	}
}

func TestLocal(t *testing.T) {
	for s, want := range map[string]string{
		"2019-03-31T00:59:59Z": "2019-03-31T00:59:59Z", "2019-03-31T01:00:00Z": "2019-03-31T02:00:00+01:00",
		"2019-10-27T00:59:59Z": "2019-10-27T01:59:59+01:00", "2019-10-27T01:00:00Z": "2019-10-27T01:00:00Z",
		"2021-12-31T23:00:00Z": "2021-12-31T23:00:00Z",
	} {
		x, err := time.Parse(time.RFC3339, s)
		require.NoError(t, err)
		require.Equal(t, want, Local(x).Format(time.RFC3339))
	}
	require.Equal(t, time.Date(2022, 3, 27, 1, 0, 0, 0, time.UTC), nextChange(time.Date(2021, 12, 1, 0, 0, 0, 0, time.UTC)))
}

func TestCellsRoundTrip(t *testing.T) {
	for _, c := range []*Calendar{seasonal(), Flat("F"), Economy7("E7")} {
		got, err := Parse(c.Cells(), wide)
		require.NoError(t, err)
		require.Equal(t, c, got)
	}
	x := seasonal().Cells()
	for _, cell := range []*[]byte{&x.Name, &x.Seasons, &x.Weeks, &x.Days, &x.Special} {
		whole := *cell
		for n := 1; n < len(whole); n++ {
			*cell = whole[:n]
			_, err := Parse(x, wide)
			require.Error(t, err)
		}
		*cell = append(append([]byte(nil), whole...), 0)
		_, err := Parse(x, wide)
		require.Error(t, err, "something left over")
		*cell = whole
	}
	require.Equal(t, "01010203090131090cffff0101ffffffffff800"+"0ff090131", hexOf(Flat("F").Cells().Seasons), "year and weekday of every year")
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	s := ""
	for _, c := range b {
		s += string(digits[c>>4]) + string(digits[c&15])
	}
	return s
}

func TestCheck(t *testing.T) {
	for name, spoil := range map[string]func(c *Calendar){
		"no season":              func(c *Calendar) { c.Seasons = nil },
		"season of no date":      func(c *Calendar) { c.Seasons[0].Start.Month = 13 },
		"30 February":            func(c *Calendar) { c.Seasons[0].Start = Date{Any, 2, 30} },
		"season without a week":  func(c *Calendar) { c.Seasons[0].Week = "x" },
		"no season recurs":       func(c *Calendar) { c.Seasons = c.Seasons[:1]; c.Seasons[0].Start.Year = 2020 },
		"week without a day":     func(c *Calendar) { c.Weeks[0].Days[3] = 9 },
		"day twice":              func(c *Calendar) { c.Days[1].ID = 1 },
		"day without switches":   func(c *Calendar) { c.Days[0].Switches = nil },
		"switches out of order":  func(c *Calendar) { c.Days[0].Switches[1].Minute = 0 },
		"minute of no day":       func(c *Calendar) { c.Days[0].Switches[2].Minute = 1440 },
		"register 0":             func(c *Calendar) { c.Days[0].Switches[0].Register = 0 },
		"register 49":            func(c *Calendar) { c.Days[0].Switches[0].Register = 49 },
		"special day of no date": func(c *Calendar) { c.Special[0].Date.Day = 0 },
		"special day, no day":    func(c *Calendar) { c.Special[0].Day = 9 },
		"long name":              func(c *Calendar) { c.Name = "123456789" },
		"five seasons": func(c *Calendar) {
			c.Seasons = append(c.Seasons, c.Seasons...)
			c.Seasons = append(c.Seasons, c.Seasons[0])
		},
	} {
		c := seasonal()
		spoil(c)
		require.Error(t, c.Check(wide), name)
		_, err := Parse(c.Cells(), wide)
		require.Error(t, err, name)
	}
}

func TestPrices(t *testing.T) {
	p := Prices{TOU: []int64{100, 200}, Block: [Blocks][]int64{{10}, {20}, {30}, {40}}, Thresholds: [][3]int64{{5, 10, 20}}}
	require.EqualValues(t, 200, p.Unit(2, 0))
	require.EqualValues(t, 100, p.Unit(3, 0), "as the first")
	require.EqualValues(t, 30, p.Unit(1, 2))
	require.Zero(t, (&Prices{}).Unit(1, 0))
	for used, want := range map[int64][2]int64{0: {0, 5}, 4: {0, 1}, 5: {1, 5}, 19: {2, 1}, 20: {3, 1 << 62}} {
		b, left := p.BlockOf(1, used)
		require.Equal(t, want, [2]int64{int64(b), left})
	}
	b, _ := p.BlockOf(2, 1000)
	require.Zero(t, b)
}

func FuzzParse(f *testing.F) {
	for _, c := range []*Calendar{seasonal(), Flat("F"), Economy7("E7")} {
		x := c.Cells()
		f.Add(x.Name, x.Seasons, x.Weeks, x.Days, x.Special)
	}
	f.Fuzz(func(t *testing.T, name, seasons, weeks, days, special []byte) {
		c, err := Parse(Cells{name, seasons, weeks, days, special}, wide)
		if err != nil {
			return
		}
		again, err := Parse(c.Cells(), wide)
		require.NoError(t, err)
		require.Equal(t, c, again)
		r, until := c.At(time.Date(2020, 2, 29, 12, 0, 0, 0, time.UTC))
		require.NotZero(t, r)
		require.True(t, until.After(time.Date(2020, 2, 29, 12, 0, 0, 0, time.UTC)))
		_, err = axdr.Skip(c.Cells().Days)
		require.NoError(t, err)
	})
}
