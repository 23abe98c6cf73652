package household

import (
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var start = time.Date(2019, 7, 15, 0, 0, 0, 0, time.UTC)

func curves() map[string]Curve {
	return map[string]Curve{
		"electricity": Electricity(7, 7400), "solar": Solar(7, 2900), "solar home": SolarHome(7, 6000), "storage": Storage(7, 8000), "gas": Gas(7, 2900), "tiny": Gas(9, 1), "none": {},
	}
}

// Any run of half hours adds up to the difference of the register, also over
// the ends of days, years and leap days.
func TestHalfHoursAddUpToTheRegister(t *testing.T) {
	for name, c := range curves() {
		for _, from := range []time.Time{start, time.Date(2019, 12, 30, 0, 0, 0, 0, time.UTC), time.Date(2020, 2, 27, 0, 0, 0, 0, time.UTC), time.Date(1969, 12, 30, 0, 0, 0, 0, time.UTC)} {
			var sum int64
			for h := range 48 * 5 {
				at := from.Add(time.Duration(h) * 30 * time.Minute)
				use := c.Between(at, at.Add(30*time.Minute))
				require.GreaterOrEqual(t, use, int64(0), name)
				sum += use
				require.Equal(t, sum, c.Between(from, at.Add(30*time.Minute)), name)
			}
		}
	}
}

func TestTheRegisterNeverRunsBack(t *testing.T) {
	for name, c := range curves() {
		r := rand.New(rand.NewSource(1))
		last, at := c.Total(start), start
		for range 4000 {
			at = at.Add(time.Duration(r.Intn(3600)) * time.Second)
			now := c.Total(at)
			require.GreaterOrEqual(t, now, last, "%s at %v", name, at)
			last = now
		}
	}
}

func TestYearIsPlausible(t *testing.T) {
	year := start.AddDate(1, 0, 0)
	kWh := Electricity(7, 7400).Between(start, year) / 1000
	require.InDelta(t, 2700, kWh, 200)
	m3 := Gas(7, 2900).Between(start, year) / 1000
	require.InDelta(t, 1060, m3, 80)
	jan, jul := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2020, 7, 1, 0, 0, 0, 0, time.UTC)
	month := 30 * 24 * time.Hour
	require.Greater(t, Gas(7, 2900).Between(jan, jan.Add(month)), 5*Gas(7, 2900).Between(jul, jul.Add(month)))
	require.Greater(t, Solar(7, 2900).Between(jul, jul.Add(month)), 4*Solar(7, 2900).Between(jan, jan.Add(month)))
	night := time.Date(2020, 7, 1, 0, 0, 0, 0, time.UTC)
	require.Zero(t, Solar(7, 2900).Between(night, night.Add(6*time.Hour)), "no sun at night")
	require.Zero(t, Curve{}.Total(start))
	require.True(t, Curve{}.Zero())
	noon := time.Date(2020, 7, 1, 11, 0, 0, 0, time.UTC)
	require.Less(t, 2*SolarHome(7, 7400).Between(noon, noon.Add(2*time.Hour)), Electricity(7, 7400).Between(noon, noon.Add(2*time.Hour)))
	require.Greater(t, Storage(7, 8000).Between(night, night.Add(8*time.Hour)), 5*Storage(7, 8000).Between(noon, noon.Add(8*time.Hour)))
}

// Power is what the register does: summed over a half hour it is its use, to within
// the rounding of its two parts.
func TestPowerIsTheSlopeOfTheRegister(t *testing.T) {
	for name, c := range curves() {
		for h := range 12 {
			from := start.Add(time.Duration(h) * 2 * time.Hour)
			var sum int64
			for x := range 180 {
				p := c.Power(from.Add(time.Duration(x) * 10 * time.Second))
				require.GreaterOrEqual(t, p, int64(0))
				sum += p * 10
			}
			require.InDelta(t, c.Between(from, from.Add(30*time.Minute)), sum/3600, 2, name)
			require.InDelta(t, c.Mean(from), sum/1800, 3, name)
		}
	}
}

// A cursor gives what the curve gives, in whatever order it is asked.
func TestCursor(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	for name, c := range curves() {
		w := Cursor{Curve: c}
		for range 500 {
			at := start.Add(time.Duration(r.Intn(400*86400)) * time.Second)
			require.Equal(t, c.Total(at), w.Total(at.Unix()), name)
		}
	}
}

func TestSeedsDiffer(t *testing.T) {
	day := 24 * time.Hour
	require.NotEqual(t, Electricity(1, 7400).Between(start, start.Add(day)), Electricity(2, 7400).Between(start, start.Add(day)))
	require.NotEqual(t, Electricity(1, 7400).Power(start), Gas(1, 7400).Power(start))
}

// These values hold on every machine; a change of the model changes them on purpose.
func TestGolden(t *testing.T) {
	at := time.Date(2020, 2, 29, 18, 17, 5, 0, time.UTC)
	require.Equal(t, []int64{141054809, 54264325, 57635352, 412}, []int64{
		Electricity(42, 7400).Total(at), Solar(42, 2900).Total(at), Gas(42, 2900).Total(at), Electricity(42, 7400).Power(at),
	})
}

func BenchmarkTotal(b *testing.B) {
	c := Electricity(7, 7400)
	for b.Loop() {
		_ = c.Total(start)
	}
}
