// Package ihd is the in-home display: who it is, and what it shows. A screen is made
// of what the meters hold, as often as a display hears of it: electricity every ten
// seconds, gas when the meter wakes each half hour (recalled). A display that takes
// top-up codes (PPMID) hands them to the meter.
//
// What goes over the air to a display is device/han's. The package may change.
package ihd

import (
	"fmt"
	"io"
	"strings"
	"time"

	"smets1/device/esme"
	"smets1/device/gsme"
	"smets1/device/meter"
	"smets1/device/prepay"
	"smets1/device/profile"
	"smets1/device/tariff"
	"smets1/internal/wire"
)

// Display is an in-home display.
type Display struct {
	EUI      wire.EUI64
	Serial   string
	Make     *profile.Device
	Firmware string
}

// How often a display hears of a fuel.
const (
	ElectricityEvery = 10 * time.Second
	GasEvery         = 30 * time.Minute
)

// Screen is what a display shows. Amounts are in millipence.
type Screen struct {
	Home        string    `json:"home"`
	Model       string    `json:"model"`
	Time        time.Time `json:"time"` // the meter's, by the wall clock
	Connected   bool      `json:"connected"`
	Electricity *Fuel     `json:"electricity,omitzero"`
	Gas         *Fuel     `json:"gas,omitzero"`
	Message     string    `json:"message,omitzero"`
}

// Fuel is one of the two.
type Fuel struct {
	At        time.Time `json:"at"` // when the display heard of it
	Unit      string    `json:"unit"`
	Reading   int64     `json:"reading"`
	Power     int64     `json:"power"`    // W, or litres an hour
	PerHour   int64     `json:"per_hour"` // what that costs
	Ambient   string    `json:"ambient"`  // low, medium or high
	Export    int64     `json:"export,omitzero"`
	Periods   []Period  `json:"periods"`  // today, this week, this month
	Days      []int64   `json:"days"`     // use of the days before, yesterday first
	Tariff    string    `json:"tariff"`   // label
	Register  uint8     `json:"register"` // that counts
	Price     int64     `json:"price"`    // of a kWh
	Standing  int64     `json:"standing"` // of a day
	Mode      string    `json:"mode"`
	Balance   int64     `json:"balance"`
	Low       bool      `json:"low,omitzero"`
	Emergency string    `json:"emergency,omitzero"` // available, in use or used up
	Left      int64     `json:"emergency_left,omitzero"`
	Debt      int64     `json:"debt,omitzero"`
	Friendly  bool      `json:"friendly,omitzero"`
	Supply    string    `json:"supply"`
}

// Period is use and cost of a day, week or month that is not over.
type Period struct {
	Name string `json:"name"`
	Used int64  `json:"used"` // units of the register
	Cost int64  `json:"cost"`
}

// Low and medium power, in W and litres an hour: what lights the display green and amber (ours).
const (
	mediumPower, highPower = 500, 2500
	mediumFlow, highFlow   = 300, 1500
)

// Look makes the screen of a home at a time; gas may be nil.
func Look(now time.Time, e *esme.Meter, g *gsme.Meter) Screen {
	s := Screen{Time: tariff.Local(e.Clock().Now(now)), Connected: true}
	s.Electricity = fuel(&e.Meter, now, now.Truncate(ElectricityEvery))
	s.Electricity.Ambient = ambient(s.Electricity.Power, mediumPower, highPower)
	s.Electricity.Export = e.ExportPower(s.Electricity.At)
	s.Message, _ = e.Message()
	if g != nil {
		s.Gas = fuel(&g.Meter, now, now.Truncate(GasEvery))
		s.Gas.Ambient = ambient(s.Gas.Power, mediumFlow, highFlow)
		s.Gas.PerHour = gsme.Energy(s.Gas.Power) * s.Gas.Price / 1000
		if text, _ := g.Message(); s.Message == "" {
			s.Message = text
		}
	}
	return s
}

func ambient(power, medium, high int64) string {
	switch {
	case power >= high:
		return "high"
	case power >= medium:
		return "medium"
	default:
		return "low"
	}
}

func fuel(m *meter.Meter, now, at time.Time) *Fuel {
	st := m.At(now)
	a := &st.Account
	f := &Fuel{
		At: at, Unit: "Wh", Reading: m.Reading(at), Power: m.Rate(at), Tariff: st.Calendar.Name, Standing: st.Prices.Standing,
		Mode: a.Mode.String(), Balance: a.Balance, Low: a.Low(), Debt: a.Accumulated + a.Debt[0] + a.Debt[1] + a.PaymentDebt,
		Friendly: st.FriendlyAt(now.Unix()), Supply: [...]string{meter.Disabled: "off", meter.Enabled: "on", meter.Armed: "ready"}[st.Supply],
	}
	if m.Gas() {
		f.Unit = "l"
	}
	f.Register, _ = m.Register(now)
	f.Price = m.Price(now)
	f.PerHour = f.Power * f.Price / 1000
	switch {
	case a.EmergencyAvailable():
		f.Emergency = "available"
	case a.Activated && a.Emergency <= 0:
		f.Emergency = "used up"
	case a.Activated:
		f.Emergency, f.Left = "in use", a.Emergency
	}
	for p, name := range []string{"today", "this week", "this month"} {
		f.Periods = append(f.Periods, Period{name, m.Used(at, meter.Span(p), 0), m.Spent(now, meter.Span(p), 0)})
	}
	for n := 1; n <= 8; n++ {
		f.Days = append(f.Days, m.Used(at, meter.Day, n))
	}
	return f
}

// Money writes millipence as pounds and pence.
func Money(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s£%d.%02d", sign, n/100_000, n%100_000/1000)
}

const width = 62

// Write draws the screen as lines of text.
func (s *Screen) Write(w io.Writer) error {
	var b strings.Builder
	rule := func(l, r string) { b.WriteString(l + strings.Repeat("─", width) + r + "\n") }
	line := func(format string, args ...any) {
		text := []rune(fmt.Sprintf(format, args...))
		if len(text) > width-2 {
			text = text[:width-2]
		}
		b.WriteString("│ " + string(text) + strings.Repeat(" ", width-2-len(text)) + " │\n")
	}
	connected := "connected"
	if !s.Connected {
		connected = "no signal"
	}
	rule("┌", "┐")
	line("%-40s %19s", s.Home+"  "+s.Model, connected)
	line("%s", s.Time.Format("Monday 2 January 2006  15:04:05"))
	for _, x := range []struct {
		name, rate string
		f          *Fuel
	}{{"ELECTRICITY", "W", s.Electricity}, {"GAS", "l/h", s.Gas}} {
		if x.f == nil {
			continue
		}
		rule("├", "┤")
		x.f.write(x.name, x.rate, line)
	}
	if s.Message != "" {
		rule("├", "┤")
		for text := s.Message; text != ""; {
			n := min(len(text), width-2)
			line("%s", text[:n])
			text = text[n:]
		}
	}
	rule("└", "┘")
	_, err := io.WriteString(w, b.String())
	return err
}

func (f *Fuel) write(name, rate string, line func(string, ...any)) {
	line("%-12s %7d %-4s %9s an hour   %s", name, f.Power, rate, Money(f.PerHour), strings.ToUpper(f.Ambient))
	line("%s", gauge(f.Power, name == "GAS"))
	if f.Export > 0 {
		line("out of the roof %7d W", f.Export)
	}
	for _, p := range f.Periods {
		line("%-12s %s %12s", p.Name, quantity(p.Used, f.Unit), Money(p.Cost))
	}
	days := make([]string, 0, len(f.Days))
	for _, d := range f.Days[:min(len(f.Days), 4)] {
		days = append(days, strings.TrimSpace(quantity(d, f.Unit)))
	}
	line("days before  %s", strings.Join(days, "  "))
	line("%s, rate %d: %.2fp a kWh, %.2fp a day", f.Tariff, f.Register, float64(f.Price)/1000, float64(f.Standing)/1000)
	state := "supply " + f.Supply
	if f.Friendly {
		state += ", friendly hours"
	}
	if f.Mode == prepay.Prepayment.String() {
		low := ""
		if f.Low {
			low = "  LOW"
		}
		line("credit %s%s   debt %s   %s", Money(f.Balance), low, Money(f.Debt), state)
		if f.Emergency != "" {
			line("emergency credit %s %s", f.Emergency, leftOf(f))
		}
		return
	}
	line("owed %s   %s", Money(-f.Balance), state)
}

func leftOf(f *Fuel) string {
	if f.Emergency != "in use" {
		return ""
	}
	return "(" + Money(f.Left) + " left)"
}

func quantity(n int64, unit string) string {
	if unit == "l" {
		return fmt.Sprintf("%9.2f m³", float64(n)/1000)
	}
	return fmt.Sprintf("%9.2f kWh", float64(n)/1000)
}

// gauge is a bar that is full at twice the high mark.
func gauge(power int64, gas bool) string {
	full := int64(2 * highPower)
	if gas {
		full = 2 * highFlow
	}
	n := int(min(power*(width-4)/full, width-4))
	return strings.Repeat("█", n) + strings.Repeat("·", width-4-n)
}
