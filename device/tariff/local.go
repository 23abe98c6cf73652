package tariff

import "time"

var summer = time.FixedZone("BST", 3600)

// Local is the wall clock of Great Britain: an hour ahead from 01:00 UTC of the last
// Sunday of March to 01:00 UTC of the last Sunday of October (published, the Summer
// Time Order 2002).
func Local(t time.Time) time.Time {
	begin, end := summerOf(t.UTC().Year())
	if u := t.Unix(); u >= begin && u < end {
		return t.In(summer)
	}
	return t.UTC()
}

// Summer is when summer time begins and ends in a year.
func Summer(year int) (begin, end time.Time) {
	b, e := summerOf(year)
	return time.Unix(b, 0).UTC(), time.Unix(e, 0).UTC()
}

func summerOf(year int) (begin, end int64) {
	last := func(m time.Month) int64 {
		d := time.Date(year, m, 31, 1, 0, 0, 0, time.UTC)
		return d.AddDate(0, 0, -int(d.Weekday())).Unix()
	}
	return last(time.March), last(time.October)
}

// nextChange is when the wall clock is next put forward or back after a time.
func nextChange(t time.Time) time.Time {
	for y := t.UTC().Year(); ; y++ {
		begin, end := Summer(y)
		switch {
		case t.Before(begin):
			return begin
		case t.Before(end):
			return end
		}
	}
}
