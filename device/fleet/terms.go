package fleet

import (
	"smets1/device/household"
	"smets1/device/meter"
	"smets1/device/prepay"
	"smets1/device/tariff"
)

// The terms of supply that homes are born with, shared by all of them (ours, in the
// order of what suppliers asked in those years).
var (
	standard  = tariff.Flat("STANDARD")
	economy7  = tariff.Economy7("ECONOMY7")
	flatPrice = tariff.Prices{Standing: 24_000, TOU: []int64{17_500}}
	e7Prices  = tariff.Prices{Standing: 24_000, TOU: []int64{9_800, 19_600}}
	gasPrices = tariff.Prices{Standing: 26_000, TOU: []int64{4_200}}
	// emergency credit of ten pounds from one pound down; two pounds are low.
	emergency = prepay.Config{LowCredit: 200_000, EmergencyLimit: 1_000_000, EmergencyThreshold: 100_000}
	// friendlyHours are nights from 16:00 to 09:00, and weekends.
	friendlyHours = &tariff.Calendar{
		Name: "FRIENDLY", Seasons: []tariff.Season{{Name: "1", Start: tariff.Date{Year: tariff.Any, Month: 1, Day: 1}, Week: "1"}},
		Weeks: []tariff.Week{{Name: "1", Days: [7]uint8{1, 1, 1, 1, 1, 2, 2}}},
		Days: []tariff.Day{
			{ID: 1, Switches: []tariff.Switch{{Minute: 0, Register: 2}, {Minute: 9 * 60, Register: 1}, {Minute: 16 * 60, Register: 2}}},
			{ID: 2, Switches: []tariff.Switch{{Minute: 0, Register: 2}}},
		},
	}
)

// electricity gives a home its terms: one in five is on Economy 7, and heats by
// storage on the second element if its meter has one.
func (l *load) electricity(c *meter.Config) {
	c.Tariff, c.Prices, c.Account = standard, &flatPrice, &emergency
	if l.seed>>40%5 == 0 {
		c.Tariff, c.Prices = economy7, &e7Prices
		if l.dual {
			c.Second = household.Storage(l.seed, 6000+int64(l.seed>>44%6000))
		}
	}
}
