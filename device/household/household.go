// Package household says what a home uses: electricity in, electricity out
// where there are panels on the roof, and gas. It is a function of a seed and a
// time and stores nothing, so a meter of a home that nobody looks at costs
// nothing, and any half hour of the past is there when it is asked for.
//
// The curve is built from the top down, which makes it exact by construction.
// The cumulative use at each midnight is closed-form: the average day times a
// seasonal sum, plus a jitter of that midnight. A day is the difference of two
// midnights; its 48 half hours divide it by weights drawn from the seed, and
// within a half hour a part flows evenly and the rest in one burst. So the sum of
// any run of half hours is the difference of the register at its ends, to the unit,
// whatever the order in which they are asked.
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

// SolarHome is the electricity imported by a home with panels on the roof, which uses
// less from the network around noon: Wh, around perDay on the average day.
func SolarHome(seed uint64, perDay int64) Curve {
	return Curve{seed: mix(seed, 'E'), daily: perDay, shape: &shaded, season: &dark}
}

// Storage is electricity of storage heaters on a second element, in the night and in
// the cold: Wh, around perDay on the average day.
func Storage(seed uint64, perDay int64) Curve {
	return Curve{seed: mix(seed, 'H'), daily: perDay, shape: &night, season: &cold}
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
	w := Cursor{Curve: c}
	return w.Total(t.Unix())
}

// Between is the use from one time to a later one; 0 when they are in the wrong order.
func (c Curve) Between(from, to time.Time) int64 {
	w := Cursor{Curve: c}
	return max(w.Total(to.Unix())-w.Total(from.Unix()), 0)
}

// Zero reports whether the curve never uses anything.
func (c Curve) Zero() bool { return c.daily <= 0 }

// Mean is the mean rate of the half hour around t, in units an hour: W for electricity.
func (c Curve) Mean(t time.Time) int64 {
	start := t.Truncate(30 * time.Minute)
	return 2 * c.Between(start, start.Add(30*time.Minute))
}

// Power is the rate at t, in units an hour: W for electricity.
func (c Curve) Power(t time.Time) int64 {
	if c.Zero() {
		return 0
	}
	w := Cursor{Curve: c}
	day, in := w.at(t.Unix())
	half, x := in/1800, in%1800
	base, burst, from, length := c.split(day, half, w.upTo(half+1)-w.upTo(half))
	p := 2 * base
	if x >= from && x < from+length {
		p += burst * 3600 / length
	}
	return p
}

// Cursor reads a curve at many times, which it does fastest when they are near each
// other: what it knows of a day it computes once.
type Cursor struct {
	Curve
	known  bool  // the day below
	day    int64 // counted from 1970
	start  int64 // total at midnight
	used   int64 // in the day
	weight [49]int64
}

// Total is [Curve.Total] at a time in seconds since 1970.
func (w *Cursor) Total(at int64) int64 {
	if w.daily <= 0 {
		return 0
	}
	day, in := w.at(at)
	half, x := in/1800, in%1800
	before := w.upTo(half)
	if x == 0 {
		return w.start + before
	}
	base, burst, from, length := w.split(day, half, w.upTo(half+1)-before)
	return w.start + before + base*x/1800 + burst*min(max(x-from, 0), length)/length
}

// at makes the cursor know the day of a time.
func (w *Cursor) at(at int64) (day, in int64) {
	day, in = floorDiv(at, 86400), mod(at, 86400)
	if !w.known || w.day != day {
		w.known, w.day, w.start = true, day, w.midnight(day)
		w.used = w.midnight(day+1) - w.start
		w.weights(day, &w.weight)
	}
	return day, in
}

// upTo is what the day uses before one of its half hours.
func (w *Cursor) upTo(half int64) int64 { return w.used * w.weight[half] / w.weight[48] }

// midnight is the total at the start of a day, counted from 1970.
func (c Curve) midnight(day int64) int64 {
	sum, factor := c.season.until(day)
	// The jitter is under a third of the day on either side, so days stay positive.
	span := c.daily*factor*3/5000 + 1
	jitter := int64(mix(c.seed, uint64(day))%uint64(span)) - span/2
	return c.daily*sum/1000 + jitter
}

// weights gives the sums of the weights of a day's half hours before each of them,
// and of all.
func (c Curve) weights(day int64, sum *[49]int64) {
	weekend := mod(day+3, 7) >= 5
	for i := range 48 {
		h := mix(c.seed^0x5bf03635, uint64(day)*48+uint64(i))
		w := int64(c.shape.of(i, weekend)) * int64(50+h%101)
		// One half hour in eight has an appliance on that doubles it or more.
		if h>>8%8 == 0 {
			w += int64(c.shape.of(i, weekend)) * int64(h>>16%200)
		}
		sum[i+1] = sum[i] + w
	}
}

// split divides the use of a half hour into what flows all the time and a burst: a
// kettle, an oven, a boiler that fires. The sun has none.
func (c Curve) split(day, half, use int64) (base, burst, from, length int64) {
	if !c.shape.bursts {
		return use, 0, 0, 1
	}
	h := mix(c.seed^0x2545f491, uint64(day)*48+uint64(half))
	base = use * int64(20+h%60) / 100
	length = 60 * int64(2+h>>8%9)
	from = 10 * (int64(h>>16) & 0xFFFF % ((1800-length)/10 + 1))
	return base, use - base, from, length
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

// Noise is 64 bits that follow from a seed and a number: what small things of a home
// are drawn from.
func Noise(seed, n uint64) uint64 { return mix(seed, n) }
