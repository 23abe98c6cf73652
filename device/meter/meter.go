// Package meter is what an electricity and a gas meter have in common: a point of
// supply, a register that counts what the household uses, a tariff, an account, a
// switch or valve in the supply, and the logs of all these.
//
// # Nothing that follows is stored
//
// A meter keeps its birth and the list of what was done to it since: commands,
// codes, hands at its keys. Everything else is a function of the two and a time,
// the [State], which a replay computes: it goes through the time from birth, from
// one moment at which something changes to the next (a switch point of the tariff,
// midnight, each half hour where credit may run out, an action), and charges what
// was used in between. So a meter of a million that nobody looks at costs nothing,
// any value of the past is there when it is asked for, and what a meter would have
// done while nobody looked (the supply that ends with the credit at half past nine)
// it has done. A replay may go on from the state that was computed last.
//
// Readings are exact by construction: registers, profile, cost and balance are sums
// over the same curve, and sums of whatever cut of it are the same to the unit.
//
// # Time
//
// Half hours, days and billing periods are those of UTC, tariffs run on local time
// (published, Liberty 100 manual page 29). A meter whose clock is a few seconds off
// would cut them a few seconds off; that is left out. The package may change.
package meter

import (
	"time"

	"smets1/device/core"
	"smets1/device/household"
	"smets1/device/prepay"
	"smets1/device/tariff"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
	"smets1/firmware"
	"smets1/internal/wire"
)

const kindGas = firmware.GSME

// Config is what a meter is beside its birth. What it points to is shared by many
// meters, and never changed.
type Config struct {
	Use household.Curve
	// Second is the second element of a twin-element meter; the zero Curve for none.
	Second    household.Curve
	Installed time.Time
	First     int64 // reading when it was installed
	Balance   int64 // at the start of the simulation, in millipence
	// Tariff is the switching table at birth. Nil: one register all the time.
	Tariff *tariff.Calendar
	// Prices at birth. Nil: all is free.
	Prices *tariff.Prices
	// Friendly is the calendar of hours in which the supply is not switched off for
	// want of credit: register 2. Nil: there are none.
	Friendly *tariff.Calendar
	// Account is how the account is set at birth. Nil: no emergency credit, no debt.
	Account *prepay.Config
	// Debts at birth: two by time, one by payment.
	Debts *[3]int64
	// Energy turns units of the register into Wh. Nil: the register counts Wh.
	Energy func(int64) int64
	// ArmsOnly: the supply is never switched on from afar; a person does that at
	// the meter, as with every gas valve.
	ArmsOnly bool
}

// Meter is the common part. It is used by one goroutine at a time.
type Meter struct {
	core.Unit
	cfg   Config
	mpxn  string // once it is not that of birth
	acts  []act  // what was done, by time
	state *State // as last computed; nil is that of birth
	extra *extra
}

// extra is what only meters have that were told something.
type extra struct {
	passive   tariff.Cells  // calendar that waits for its activation
	friendly  tariff.Cells  // the same of the friendly hours
	prices    passivePrices // that wait for theirs
	activate  [3]int64      // when: calendar, friendly hours, prices; 0 never
	message   string        // of the supplier, for the display
	messageID uint32
	customer  string
}

// Core implements core.Holder.
func (m *Meter) Core() *core.Unit { return &m.Unit }

// Init makes the common part. state is what the model's functions get.
func (m *Meter) Init(b core.Birth, c Config, model *server.Model, state any, f core.Faults) {
	m.cfg = c
	m.Unit.Init(b, model, state, m, f)
}

// MPxN is the point of supply as the meter has it.
func (m *Meter) MPxN() string {
	if m.mpxn == "" {
		return m.Birth.MPxN
	}
	return m.mpxn
}

// Mode is the payment mode at a time.
func (m *Meter) Mode(now time.Time) prepay.Mode { return m.At(now).Account.Mode }

// Reading is the register at a time, in its units.
func (m *Meter) Reading(now time.Time) int64 {
	m.Settle(now)
	f := m.flow()
	return m.cfg.First + max(f.between(m.cfg.Installed.Unix(), now.Unix()), 0)
}

// flow is what goes through the meter.
type flow struct {
	use, second household.Cursor
	gaps        []gap
}

func (m *Meter) flow() flow {
	f := flow{use: household.Cursor{Curve: m.cfg.Use}, second: household.Cursor{Curve: m.cfg.Second}}
	if m.state != nil {
		f.gaps = m.state.gaps
	}
	return f
}

// between is what flowed from one time to another, in units.
func (f *flow) between(from, to int64) int64 {
	n := delivered(&f.use, f.gaps, from, to)
	if !f.second.Zero() {
		n += delivered(&f.second, f.gaps, from, to)
	}
	return n
}

// delivered is all of a curve, less what the household went without.
func delivered(w *household.Cursor, gaps []gap, from, to int64) int64 {
	n := w.Total(to) - w.Total(from)
	for _, g := range gaps {
		a, b := max(g.from, from), to
		if g.to != 0 {
			b = min(b, g.to)
		}
		if a < b {
			n -= w.Total(b) - w.Total(a)
		}
	}
	return n
}

// Delivered is what flows of a curve at this point of supply from one time to another:
// nothing while the supply is off.
func (m *Meter) Delivered(c household.Curve, from, to time.Time) int64 {
	m.Settle(to)
	w := household.Cursor{Curve: c}
	var gaps []gap
	if m.state != nil {
		gaps = m.state.gaps
	}
	return max(delivered(&w, gaps, from.Unix(), to.Unix()), 0)
}

// Rate is what flows at a time, in units an hour.
func (m *Meter) Rate(now time.Time) int64 {
	m.Settle(now)
	if m.state != nil && m.state.offAt(now.Unix()) {
		return 0
	}
	return m.cfg.Use.Power(now) + m.cfg.Second.Power(now)
}

// Flows reports whether the supply is on at a time.
func (m *Meter) Flows(now time.Time) bool {
	m.Settle(now)
	return m.state == nil || !m.state.offAt(now.Unix())
}

// energy turns units into Wh.
func (m *Meter) energy(units int64) int64 {
	if m.cfg.Energy == nil {
		return units
	}
	return m.cfg.Energy(units)
}

// Balance of the account at a time, in millipence.
func (m *Meter) Balance(now time.Time) int64 { return m.At(now).Account.Balance }

// Supply is the state of the switch or valve at a time.
func (m *Meter) Supply(now time.Time) uint8 { return m.At(now).Supply }

// Installed is when the meter began to count.
func (m *Meter) Installed() time.Time { return m.cfg.Installed }

// Gas reports whether the meter counts gas.
func (m *Meter) Gas() bool { return m.Kind == kindGas }

// PowerUp implements core.Sections. Switch and valve stay as they were.
func (m *Meter) PowerUp(time.Time) {}

// PowerDown implements core.Sections. An electricity meter has lost its supply, and the
// home with it; a gas meter has a battery, which was taken out.
func (m *Meter) PowerDown(now, until time.Time) {
	m.Settle(now)
	if m.Gas() || m.full() {
		return
	}
	m.do(now, actOutage, nil, until.Unix())
}

// Tamper enters that somebody interfered: one of the tamper events. lock disables the supply.
func (m *Meter) Tamper(now time.Time, what core.Event, lock bool) {
	m.Settle(now)
	m.Event(now, what)
	if lock && m.switchTo(now, Disabled, ReasonEvent) != nil {
		return // its memory is full: the event is in the log all the same
	}
}

// setMPxN changes the point of supply: digits, as many as an MPAN or MPRN has.
func (m *Meter) setMPxN(v string) error {
	lo, hi := 13, 13
	if m.Kind == kindGas {
		lo, hi = 6, 10
	}
	if len(v) < lo || len(v) > hi {
		return cosem.OtherReason
	}
	for i := range len(v) {
		if v[i] < '0' || v[i] > '9' {
			return cosem.OtherReason
		}
	}
	m.mpxn = v
	m.Touch()
	return nil
}

// AppendSections implements core.Sections.
func (m *Meter) AppendSections(b []byte) []byte {
	b = core.AppendSection(b, core.SectionPoint, func(b []byte) []byte { return append(b, m.mpxn...) })
	b = core.AppendSection(b, core.SectionActs, func(b []byte) []byte { return appendActs(b, m.acts) })
	if m.state != nil {
		// Events up to here are in the log; a replay must not enter them again.
		b = core.AppendSection(b, core.SectionSettled, func(b []byte) []byte { return appendInts(b, m.state.at) })
	}
	return core.AppendSection(b, core.SectionExtra, m.appendExtra)
}

// RestoreSection implements core.Sections.
func (m *Meter) RestoreSection(s core.Section, r *wire.Reader) bool {
	switch s {
	case core.SectionPoint:
		m.mpxn = string(r.Rest())
	case core.SectionActs:
		m.acts = readActs(r)
		m.state = nil
	case core.SectionSettled:
		at := readInts(r, 1)
		if r.Err() == nil {
			st := m.birth()
			m.advance(&st, at[0], nil, nil)
			m.state = &st
		}
	case core.SectionExtra:
		m.restoreExtra(r)
	default:
		return false
	}
	return true
}
