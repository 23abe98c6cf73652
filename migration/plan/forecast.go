package plan

import (
	"errors"
	"math"

	"smets1/migration/document"
)

// Outlook is what a forecast assumes (the model is ours: expected values, no chance in it).
type Outlook struct {
	From   document.Date // the first week starts here
	Ready  []int         // installations by failed attempts so far: Ready[0] never tried
	Weekly func(week int) int
	// Success is the part of attempts that end in a migration, Lost the part that ends for good (blocked, excluded, given to a
	// person); the rest is tried again in a later week.
	Success, Lost float64
	MaxAttempts   int // 0 means 5
	Weeks         int // at most so many; 0 means 520
}

// Point is the state at the end of a week, in whole installations.
type Point struct {
	Week      document.Date // its first day
	Attempts  int
	Migrated  int // cumulative, from the start of the forecast
	Lost      int // cumulative
	Remaining int
}

// Forecast gives week by week how many homes are expected to be migrated, until none remain or nothing moves any more. What was
// forecast can be laid beside what then happened: the points are cumulative.
func Forecast(o Outlook) ([]Point, error) {
	if o.Success < 0 || o.Lost < 0 || o.Success+o.Lost > 1 || math.IsNaN(o.Success) || math.IsNaN(o.Lost) {
		return nil, errors.New("plan: success and loss are parts of one: 0 to 1 together")
	}
	if o.MaxAttempts == 0 {
		o.MaxAttempts = 5
	}
	if o.Weeks == 0 {
		o.Weeks = 520
	}
	waiting := make([]float64, o.MaxAttempts)
	total, migrated, lost := 0.0, 0.0, 0.0
	for n, count := range o.Ready {
		if n >= o.MaxAttempts {
			lost += float64(count)
		} else {
			waiting[n] += float64(count)
		}
		total += float64(count)
	}
	var out []Point
	for w := range o.Weeks {
		room := float64(o.Weekly(w))
		attempts := 0.0
		next := make([]float64, o.MaxAttempts)
		// Retries first: they have been promised a day.
		for n := o.MaxAttempts - 1; n >= 0; n-- {
			try := min(waiting[n], room-attempts)
			attempts += try
			next[n] += waiting[n] - try
			migrated += try * o.Success
			again := try * (1 - o.Success - o.Lost)
			lost += try * o.Lost
			if n+1 < o.MaxAttempts {
				next[n+1] += again
			} else {
				lost += again
			}
		}
		waiting = next
		p := Point{Week: o.From.AddDays(7 * w), Attempts: round(attempts), Migrated: round(migrated), Lost: round(lost)}
		p.Remaining = round(total) - p.Migrated - p.Lost
		out = append(out, p)
		if p.Remaining <= 0 || attempts == 0 && room > 0 {
			break
		}
	}
	return out, nil
}

func round(x float64) int { return int(math.Round(x)) }
