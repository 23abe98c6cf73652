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
		"electricity": Electricity(7, 7400), "solar": Solar(7, 2900), "gas": Gas(7, 2900), "tiny": Gas(9, 1), "none": {},
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
		for range 20000 {
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
}

func TestSeedsDiffer(t *testing.T) {
	day := 24 * time.Hour
	require.NotEqual(t, Electricity(1, 7400).Between(start, start.Add(day)), Electricity(2, 7400).Between(start, start.Add(day)))
	require.NotEqual(t, Electricity(1, 7400).Power(start), Gas(1, 7400).Power(start))
}

// These values hold on every machine; a change of the model changes them on purpose.
func TestGolden(t *testing.T) {
	at := time.Date(2020, 2, 29, 18, 17, 5, 0, time.UTC)
	require.Equal(t, []int64{141054296, 54264325, 57635250, 700}, []int64{
		Electricity(42, 7400).Total(at), Solar(42, 2900).Total(at), Gas(42, 2900).Total(at), Electricity(42, 7400).Power(at),
	})
}

func BenchmarkTotal(b *testing.B) {
	c := Electricity(7, 7400)
	for b.Loop() {
		_ = c.Total(start)
	}
}
