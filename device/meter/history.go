package meter

import (
	"sort"
	"time"

	"smets1/device/household"
	"smets1/device/prepay"
	"smets1/device/tariff"
)

// Snapshot is a meter at a moment: registers and account.
type Snapshot struct {
	At        time.Time
	Cause     Cause
	Reading   int64
	TOU       []int64 // Wh of each register, as many as were ever used
	Account   prepay.Account
	Cost      int64 // of the billing period, in millipence
	Demand    int64 // maximum demand of the billing period, W
	DemandAt  time.Time
	Supply    uint8
	Standing  int64
	Calendar  string
	BillingAt time.Time // when the billing period began
}

// snapshot of a state that is at a time.
func (m *Meter) snapshot(s *State, c Cause) Snapshot {
	at := time.Unix(s.at, 0).UTC()
	x := Snapshot{
		At: at, Cause: c, Reading: m.readingOf(s), TOU: m.registersOf(s), Account: s.Account, Cost: s.cost / 1000,
		Supply: s.Supply, Standing: s.Prices.Standing, Calendar: s.Calendar.Name, BillingAt: time.Unix(s.Billed, 0).UTC(),
	}
	x.Demand, x.DemandAt = m.maximumOf(s, at)
	return x
}

// readingOf is the register as a state has it, which may be one of the past.
func (m *Meter) readingOf(s *State) int64 {
	f := flow{use: household.Cursor{Curve: m.cfg.Use}, second: household.Cursor{Curve: m.cfg.Second}, gaps: s.gaps}
	return m.cfg.First + f.between(m.cfg.Installed.Unix(), s.at)
}

// registersOf are the time of use registers: those of before the simulation, under the
// tariff of birth, and what came since.
func (m *Meter) registersOf(s *State) []int64 {
	before := m.before(m.Start.Unix())
	n := max(len(before), len(s.tou))
	sum := make([]int64, n)
	copy(sum, before)
	for i, v := range s.tou {
		sum[i] += v
	}
	return sum
}

// before are the registers at a time not after the start of the simulation.
func (m *Meter) before(at int64) []int64 {
	from := m.cfg.Installed.Unix()
	c := m.cfg.Tariff
	if c == nil || c.Registers() <= 1 {
		w := household.Cursor{Curve: m.cfg.Use}
		return []int64{m.energy(w.Total(at)) - m.energy(w.Total(from))}
	}
	s := State{at: from, Calendar: c, Prices: &free, Supply: Enabled, done: 1 << 30}
	m.advance(&s, at, nil, nil)
	return s.tou
}

// Registers are the time of use registers at a time, in Wh, as many as were ever used.
func (m *Meter) Registers(now time.Time) []int64 { return m.registersOf(m.At(now)) }

// SecondRegisters are those of the second element, since the start of the simulation.
func (m *Meter) SecondRegisters(now time.Time) [tariff.SecondTiers]int64 { return m.At(now).second }

// Blocks are the block registers, by register, and those of this billing period.
func (m *Meter) Blocks(now time.Time) (total, period [][tariff.Blocks]int64) {
	s := m.At(now)
	return s.blocks, s.period
}

// Register is the register that counts at a time, and the block in which it does.
func (m *Meter) Register(now time.Time) (register uint8, block int) {
	s := m.At(now)
	register, _ = s.Calendar.At(time.Unix(s.at, 0))
	var used int64
	if int(register) <= len(s.period) && register > 0 {
		for _, v := range s.period[register-1] {
			used += v
		}
	}
	block, _ = s.Prices.BlockOf(register, used)
	return register, block
}

// Price of a unit at a time, in millipence a kWh.
func (m *Meter) Price(now time.Time) int64 {
	register, block := m.Register(now)
	return m.At(now).Prices.Unit(register, block)
}

// Cost of this billing period at a time, in millipence.
func (m *Meter) Cost(now time.Time) int64 { return m.At(now).cost / 1000 }

// Maximum demand since it was reset: the highest mean of a half hour in W, and when
// that half hour began.
func (m *Meter) Maximum(now time.Time) (watts int64, at time.Time) {
	s := m.At(now)
	return m.maximumOf(s, time.Unix(s.at, 0))
}

func (m *Meter) maximumOf(s *State, now time.Time) (watts int64, at time.Time) {
	f := flow{use: household.Cursor{Curve: m.cfg.Use}, second: household.Cursor{Curve: m.cfg.Second}, gaps: s.gaps}
	from := max(s.Demand, m.cfg.Installed.Unix())
	from += (half - from%half) % half
	for t := from; t+half <= now.Unix(); t += half {
		if n := 2 * m.energy(f.between(t, t+half)); n > watts {
			watts, at = n, time.Unix(t, 0).UTC()
		}
	}
	return watts, at
}

// Snapshots are those that were taken until a time, for any of the causes: the last n,
// the oldest first. Billing periods before the start of the simulation have registers only.
func (m *Meter) Snapshots(now time.Time, causes Cause, n int) []Snapshot {
	m.Settle(now)
	var list []Snapshot
	if causes&CauseBilling != 0 {
		list = m.billedBefore(n)
	}
	s := m.birth()
	m.advance(&s, now.Unix(), nil, func(c Cause) {
		if c&causes != 0 {
			list = append(list, m.snapshot(&s, c))
		}
	})
	return list[max(len(list)-n, 0):]
}

// billedBefore are the ends of billing periods before the simulation.
func (m *Meter) billedBefore(n int) (list []Snapshot) {
	for at := monthStart(m.Start); len(list) < n && at.After(m.cfg.Installed); at = monthStart(at.Add(-time.Hour)) {
		s := m.birth()
		s.at, s.Billed, s.Demand, s.cost = at.Unix(), monthStart(at.Add(-time.Hour)).Unix(), monthStart(at.Add(-time.Hour)).Unix(), 0
		s.Account = prepay.Account{Mode: s.Account.Mode}
		s.tou = nil
		x := Snapshot{
			At: at, Cause: CauseBilling, Reading: m.readingOf(&s), TOU: m.before(at.Unix()), Account: s.Account, Supply: s.Supply,
			Standing: s.Prices.Standing, Calendar: s.Calendar.Name, BillingAt: time.Unix(s.Billed, 0).UTC(),
		}
		x.Demand, x.DemandAt = m.maximumOf(&s, at)
		list = append(list, x)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].At.Before(list[j].At) })
	return list
}

// Payments are the last top-ups until a time, the oldest first.
func (m *Meter) Payments(now time.Time) []Payment { return m.At(now).payments }

// Payment is a top-up that was taken.
type Payment struct {
	At     time.Time
	Code   string
	Source Source
	prepay.Payment
}

// maxPayments is how many top-ups a meter remembers: the ten payments of debt of a
// billing log are among them (published, DUIS).
const maxPayments = 10
