package household

// shape weighs the 48 half hours of a day, from midnight UTC. All are positive
// but those of the sun, whose day has one positive half hour at least.
type shape struct {
	working [48]uint8
	weekend *[48]uint8 // nil: as on working days
	bursts  bool
}

func (s *shape) of(half int, weekend bool) uint8 {
	if weekend && s.weekend != nil {
		return s.weekend[half]
	}
	return s.working[half]
}

var (
	// evenings: asleep, breakfast, a flat day, cooking and light from 16:00 to 22:00.
	evenings = shape{working: [48]uint8{
		8, 7, 7, 6, 6, 6, 6, 6, 6, 6, 7, 8, 12, 18, 24, 26, 24, 20, 17, 16, 15, 15, 15, 16,
		18, 18, 16, 15, 15, 16, 18, 22, 28, 34, 40, 42, 42, 40, 38, 36, 34, 32, 28, 25, 20, 16, 12, 10,
	}, weekend: &lateMornings, bursts: true}
	// lateMornings: up at nine, in and out all day.
	lateMornings = [48]uint8{
		12, 10, 9, 8, 7, 6, 6, 6, 6, 6, 6, 6, 7, 9, 12, 16, 20, 24, 28, 30, 30, 28, 26, 26,
		28, 28, 26, 24, 23, 23, 24, 26, 30, 34, 38, 38, 36, 34, 32, 30, 30, 28, 26, 24, 22, 20, 17, 14,
	}
	// shaded: evenings, with the light hours supplied from the roof.
	shaded = shape{working: [48]uint8{
		8, 7, 7, 6, 6, 6, 6, 6, 6, 6, 7, 8, 12, 18, 20, 18, 13, 8, 5, 4, 3, 3, 2, 2,
		3, 3, 3, 3, 3, 4, 5, 8, 16, 26, 34, 40, 42, 40, 38, 36, 34, 32, 28, 25, 20, 16, 12, 10,
	}, bursts: true}
	// noon: a bell over the light hours that every month has.
	noon = shape{working: [48]uint8{
		16: 3, 17: 8, 18: 16, 19: 26, 20: 36, 21: 44, 22: 50, 23: 54, 24: 55, 25: 54, 26: 50, 27: 44, 28: 36, 29: 26, 30: 16, 31: 8, 32: 3,
	}}
	// boiler: heating on before breakfast and from the afternoon, a pilot flame's worth at night.
	boiler = shape{working: [48]uint8{
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 10, 40, 50, 46, 36, 24, 14, 8, 6, 5, 5, 5, 6,
		7, 6, 5, 5, 6, 8, 14, 24, 36, 44, 46, 46, 44, 42, 40, 36, 30, 22, 12, 6, 3, 2, 1, 1,
	}, bursts: true}
	// night: seven hours of storage heating, and next to nothing by day.
	night = shape{working: [48]uint8{
		1, 60, 60, 58, 56, 54, 52, 50, 46, 42, 38, 34, 30, 26, 22, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	}}
)

// season is how a commodity goes through the year. Built from twelve monthly
// factors in thousandths of the average day, it holds each day's factor and their
// running sums, for years of either length.
type season struct {
	factor  [366]int64 // by day of a leap year
	leap    [367]int64 // sum before a day, in a leap year
	regular [366]int64 // the same without 29 February
}

var (
	dark   = newSeason([12]int64{1230, 1180, 1080, 960, 880, 820, 800, 810, 880, 990, 1130, 1240})
	bright = newSeason([12]int64{260, 480, 900, 1350, 1650, 1700, 1680, 1450, 1100, 680, 350, 200})
	cold   = newSeason([12]int64{2050, 1900, 1560, 1050, 560, 280, 220, 220, 370, 850, 1480, 1960})
)

const feb29 = 59 // day of a leap year, from 0

func newSeason(months [12]int64) season {
	var s season
	for d := range s.factor {
		// Between the middles of two months the factor goes in a straight line.
		// 30.5 days to a month, counted in half days to stay whole.
		at := int64(2*d+1) - 30
		m := floorDiv(at, 61)
		into := at - m*61
		a, b := months[mod(m, 12)], months[mod(m+1, 12)]
		s.factor[d] = a + (b-a)*into/61
	}
	day := 0
	for d, f := range s.factor {
		s.leap[d+1] = s.leap[d] + f
		if d == feb29 {
			continue
		}
		s.regular[day+1] = s.regular[day] + f
		day++
	}
	return s
}

// until is the sum of the factors of all days before a day counted from 1970, and
// the factor of that day.
func (s *season) until(day int64) (sum, factor int64) {
	// Every four years from 1968 have 1461 days until 2099, and a meter's clock
	// does not go further.
	day += 731 // from 1 January 1968, a leap year
	era, in := floorDiv(day, 1461), mod(day, 1461)
	sum = era * (s.leap[366] + 3*s.regular[365])
	if in < 366 {
		return sum + s.leap[in], s.factor[in]
	}
	sum += s.leap[366]
	in -= 366
	sum += in / 365 * s.regular[365]
	in %= 365
	sum += s.regular[in]
	if in >= feb29 {
		return sum, s.factor[in+1]
	}
	return sum, s.factor[in]
}
