package meter

import (
	"fmt"
	"time"

	"smets1/device/point"
	"smets1/device/prepay"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/zigbee/zcl/se"
)

// Span is a kind of calendar period.
type Span uint8

// The spans that displays show. Weeks begin on Monday; all begin at midnight UTC.
const (
	Day Span = iota
	Week
	Month
)

// How many periods of each a meter remembers, the present one included (recalled).
var remembered = [...]int{Day: 9, Week: 6, Month: 14}

// Start is when the period around t began, n periods ago.
func (p Span) Start(t time.Time, n int) time.Time {
	y, mo, d := t.UTC().Date()
	switch p {
	case Week:
		monday := time.Date(y, mo, d, 0, 0, 0, 0, time.UTC)
		monday = monday.AddDate(0, 0, -(int(monday.Weekday())+6)%7)
		return monday.AddDate(0, 0, -7*n)
	case Month:
		return time.Date(y, mo-time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	default:
		return time.Date(y, mo, d-n, 0, 0, 0, 0, time.UTC)
	}
}

// Used is what went through the meter in a period, n periods ago; the present one is
// not over. In units of the register.
func (m *Meter) Used(now time.Time, p Span, n int) int64 {
	m.Settle(now)
	from, to := p.Start(now, n), now
	if n > 0 {
		to = p.Start(now, n-1)
	}
	from = later(from, m.cfg.Installed)
	if !from.Before(to) {
		return 0
	}
	f := m.flow()
	return f.between(from.Unix(), to.Unix())
}

// Spent is what a period cost, with standing charges, in millipence; before the start
// of the simulation nothing was charged.
func (m *Meter) Spent(now time.Time, p Span, n int) int64 {
	m.Settle(now)
	books := func(t time.Time) *prepay.Totals { return &m.Then(later(t, m.Start)).Account.Totals }
	// The standing charge of a day is taken as it begins, so it is told as of just before.
	const instant = time.Second
	from, to, last := p.Start(now, n), now, now
	if n > 0 {
		to = p.Start(now, n-1)
		last = to.Add(-instant)
	}
	return books(to).Used - books(from).Used + books(last).Standing - books(from.Add(-instant)).Standing
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// historyPoints are the cumulative and historical value store.
func historyPoints(medium uint8) (list []point.Point[*Meter]) {
	scaler, unit := int8(0), cosem.UnitWattHour
	if medium == 7 {
		scaler, unit = -3, cosem.UnitCubicMetre
	}
	for p, words := range []struct {
		name cosem.OBIS
		word string
	}{{DayEnergyName, "Day"}, {WeekEnergyName, "Week"}, {MonthEnergyName, "Month"}} {
		span := Span(p)
		for n := range remembered[span] {
			air := "Current" + words.word
			switch {
			case n == 1:
				air = "Previous" + words.word
			case n > 1:
				air = fmt.Sprintf("Previous%s%d", words.word, n)
			}
			name := words.name
			name[5] = byte(n)
			x := point.Point[*Meter]{
				Name: fmt.Sprintf("Use of the %s, %d ago", words.word, n), COSEM: point.Register(name, axdr.TagUint32, scaler, unit),
				Get: func(m *Meter, now time.Time) point.Value { return point.Int(m.Used(now, span, n)) },
			}
			if a, ok := se.Attributes().Find(se.Metering, false, air+"ConsumptionDelivered"); ok {
				x.ZigBee = []point.ZigBee{{Cluster: se.Metering, ID: a.ID, Type: a.Type}}
			}
			list = append(list, x)
		}
		cost := DayCostName
		cost[5] = byte(p)
		list = append(list, point.Point[*Meter]{
			Name: "Cost of the " + words.word, COSEM: point.Data(cost, axdr.TagInt64),
			ZigBee: []point.ZigBee{point.On(se.Prepayment, "Current"+words.word+"CostConsumptionDelivered")},
			Get:    func(m *Meter, now time.Time) point.Value { return point.Int(m.Spent(now, span, 0)) },
		})
	}
	return list
}
