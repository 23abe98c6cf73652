// Package household says what a home uses: electricity in, electricity out
// where there are panels on the roof, and gas. It is a function of a seed and a
// time and stores nothing, so a meter of a home that nobody looks at costs
// nothing, and any half hour of the past is there when it is asked for.
//
// The curve is built from the top down, which makes it exact by construction.
// The cumulative use at each midnight is closed-form: the average day times a
// seasonal sum, plus a jitter of that midnight. A day is the difference of two
// midnights; its 48 half hours divide it by weights drawn from the seed, and
// within a half hour use is even. So the sum of any run of half hours is the
// difference of the register at its ends, to the unit, whatever the order in
// which they are asked.
//
// Everything is integer arithmetic: the same seed gives the same values on
// every machine. Days and half hours are those of UTC. Seasons, shapes and
// appliances are ours, in the order of magnitude of published averages for Great
// Britain (about 2,700 kWh and 11,500 kWh of gas a year). The package may change.
package household

import "time"

// A Curve is what one commodity of one home does. The zero Curve uses nothing.
type Curve struct {
	seed   uint64
	daily  int64 // units of an average day
	shape  *shape
	season *season
}

// Electricity imported by a home: Wh, around perDay on the average day.
func Electricity(seed uint64, perDay int64) Curve {
	return Curve{seed: mix(seed, 'E'), daily: perDay, shape: &evenings, season: &dark}
}

// Solar electricity exported by a home: Wh, around perDay on the average day.
func Solar(seed uint64, perDay int64) Curve {
	return Curve{seed: mix(seed, 'S'), daily: perDay, shape: &noon, season: &bright}
}

// Gas burnt by a home: litres, around perDay on the average day.
func Gas(seed uint64, perDay int64) Curve {
	return Curve{seed: mix(seed, 'G'), daily: perDay, shape: &boiler, season: &cold}
}

// Total is the use from a fixed day in the past until t, in units. It never
// decreases as t grows. Only differences mean anything.
func (c Curve) Total(t time.Time) int64 {
	if c.daily <= 0 {
		return 0
	}
	s := t.Unix()
	day, in := floorDiv(s, 86400), mod(s, 86400)
	from, to := c.midnight(day), c.midnight(day+1)
	half := in / 1800
	before, within, all := c.weights(day, int(half))
	used := to - from
	a := used * before / all
	b := used * (before + within) / all
	return from + a + (b-a)*(in%1800)/1800
}

// Between is the use from one time to a later one; 0 when they are in the wrong order.
func (c Curve) Between(from, to time.Time) int64 {
	return max(c.Total(to)-c.Total(from), 0)
}

// Power is the mean rate of the half hour around t, in units an hour: W for electricity.
func (c Curve) Power(t time.Time) int64 {
	start := t.Truncate(30 * time.Minute)
	return 2 * c.Between(start, start.Add(30*time.Minute))
}

// midnight is the total at the start of a day, counted from 1970.
func (c Curve) midnight(day int64) int64 {
	sum, factor := c.season.until(day)
	// The jitter is under a third of the day on either side, so days stay positive.
	span := c.daily*factor*3/5000 + 1
	jitter := int64(mix(c.seed, uint64(day))%uint64(span)) - span/2
	return c.daily*sum/1000 + jitter
}

// weights gives the weight of a day's half hours before one of them, of that one, and of all.
func (c Curve) weights(day int64, half int) (before, within, all int64) {
	for i := range 48 {
		h := mix(c.seed^0x5bf03635, uint64(day)*48+uint64(i))
		w := int64(c.shape[i]) * int64(50+h%101)
		// One half hour in eight has an appliance on that doubles it or more.
		if h>>8%8 == 0 {
			w += int64(c.shape[i]) * int64(h>>16%200)
		}
		switch {
		case i < half:
			before += w
		case i == half:
			within = w
		}
		all += w
	}
	return before, within, all
}

// mix hashes two words: the finaliser of splitmix64.
func mix(seed, x uint64) uint64 {
	z := seed + (x+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func mod(a, b int64) int64 { return a - floorDiv(a, b)*b }
