// Package meter is what an electricity and a gas meter have in common: a point of
// supply, a register that counts what the household uses, a switch or valve in
// the supply, a payment mode and an account.
//
// Nothing that follows from the seed is stored. A reading is the sum of the load
// curve since the meter was installed, less what did not flow while the supply was
// off; a balance is what it was when it last changed, less the use since. So a
// reading and a profile of 13 months can be had of a meter that was never looked at
// before, and they agree with each other to the unit.
//
// Half hours are those of UTC; a meter whose clock is a few seconds off would cut
// them a few seconds off. The package may change.
package meter

import (
	"encoding/binary"
	"time"

	"smets1/device/core"
	"smets1/device/household"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
	"smets1/internal/wire"
)

// Mode is the payment mode, with the numbers of attribute 2 of class 111 (published).
type Mode uint8

// The payment modes.
const (
	Credit     Mode = 1
	Prepayment Mode = 2
)

// String gives the word of the inventory.
func (m Mode) String() string {
	if m == Prepayment {
		return "prepayment"
	}
	return "credit"
}

// Config is what a meter is beside its birth.
type Config struct {
	Use       household.Curve
	Installed time.Time
	First     int64 // reading when it was installed
	Balance   int64 // at the start of the simulation, in millipence
	// Price in millipence for 1000 units of energy, and the standing charge in
	// millipence a day.
	Price, Standing int64
	// Energy turns units of the register into Wh. Nil: the register counts Wh.
	Energy func(int64) int64
	// ArmsOnly: the supply is never switched on from afar; a person does that at
	// the meter, as with every gas valve.
	ArmsOnly bool
}

// Meter is the common part. It is used by one goroutine at a time.
type Meter struct {
	core.Unit
	cfg    Config
	mpxn   string // once it is not that of birth
	mode   Mode
	supply Supply
	acct   account
	modes  bool // mode or account differ from birth
}

// Core implements core.Holder.
func (m *Meter) Core() *core.Unit { return &m.Unit }

// Init makes the common part. state is what the model's functions get.
func (m *Meter) Init(b core.Birth, c Config, model *server.Model, state any, f core.Faults) {
	if c.Energy == nil {
		c.Energy = func(units int64) int64 { return units }
	}
	m.cfg = c
	m.mode = Credit
	if b.Prepayment {
		m.mode = Prepayment
	}
	m.supply.armsOnly = c.ArmsOnly
	m.Unit.Init(b, model, state, m, f)
	m.acct = account{balance: c.Balance, at: b.Start.Unix()}
}

// MPxN is the point of supply as the meter has it.
func (m *Meter) MPxN() string {
	if m.mpxn == "" {
		return m.Birth.MPxN
	}
	return m.mpxn
}

// Mode is the payment mode.
func (m *Meter) Mode() Mode { return m.mode }

// Reading is the register at a time, in its units.
func (m *Meter) Reading(now time.Time) int64 {
	return m.cfg.First + max(m.cfg.Use.Between(m.cfg.Installed, now)-m.supply.Forgone(m.cfg.Use, now), 0)
}

// Rate is what flows at a time, in units an hour.
func (m *Meter) Rate(now time.Time) int64 {
	if m.supply.offAt(now.Unix()) {
		return 0
	}
	return m.cfg.Use.Power(now)
}

// Balance of the account at a time, in millipence.
func (m *Meter) Balance(now time.Time) int64 {
	a := m.acct
	m.settle(&a, now)
	return a.balance
}

// Supply is the switch or valve.
func (m *Meter) Supply() *Supply { return &m.supply }

// AppendSections implements core.Sections.
func (m *Meter) AppendSections(b []byte) []byte {
	b = core.AppendSection(b, core.SectionPoint, func(b []byte) []byte { return append(b, m.mpxn...) })
	b = core.AppendSection(b, core.SectionSupply, m.supply.append)
	if !m.modes {
		return b
	}
	return core.AppendSection(b, core.SectionPayment, func(b []byte) []byte {
		b = append(b, byte(m.mode))
		b = binary.BigEndian.AppendUint64(b, uint64(m.acct.balance))
		b = binary.BigEndian.AppendUint64(b, uint64(m.acct.rest))
		return binary.BigEndian.AppendUint64(b, uint64(m.acct.at))
	})
}

// RestoreSection implements core.Sections.
func (m *Meter) RestoreSection(s core.Section, r *wire.Reader) bool {
	switch s {
	case core.SectionPoint:
		m.mpxn = string(r.Rest())
	case core.SectionSupply:
		m.supply.restore(r)
	case core.SectionPayment:
		m.mode, m.modes = Mode(r.U8()), true
		m.acct = account{balance: int64(r.U64()), rest: int64(r.U64()), at: int64(r.U64())}
	default:
		return false
	}
	return true
}

// PowerUp implements core.Sections. Switch and valve stay as they were.
func (m *Meter) PowerUp(time.Time) {}

// setMode changes the payment mode.
func (m *Meter) setMode(now time.Time, mode Mode) error {
	if mode != Credit && mode != Prepayment {
		return cosem.OtherReason
	}
	if mode == m.mode {
		return nil
	}
	m.settle(&m.acct, now)
	m.mode, m.modes = mode, true
	m.Event(now, core.EventPaymentMode)
	return nil
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

// addCredit changes the balance by an amount in millipence.
func (m *Meter) addCredit(now time.Time, amount int64) error {
	m.settle(&m.acct, now)
	if b := m.acct.balance + amount; b > maxBalance || b < -maxBalance {
		return cosem.ActionScopeOfAccessViolated
	}
	m.acct.balance += amount
	m.modes = true
	m.Event(now, core.EventCreditAdded)
	return nil
}

// maxBalance is £21,474.00 in millipence, which fits the double-long of class 112
// (published, Secure's limit on prepayment credit).
const maxBalance = 21_474_00 * 1000

// account is a balance at a time. What it charges for use keeps the rest of the
// division, so that settling more often costs nobody anything.
type account struct {
	balance int64 // millipence
	rest    int64 // thousandths of a millipence already used and not yet charged
	at      int64 // seconds since 1970
}

// settle brings an account to a time.
func (m *Meter) settle(a *account, now time.Time) {
	to := now.Unix()
	if to <= a.at {
		return
	}
	before := m.cfg.Energy(m.Reading(time.Unix(a.at, 0)))
	used := m.cfg.Energy(m.Reading(time.Unix(to, 0))) - before
	cost := used*m.cfg.Price + a.rest
	days := to/86400 - a.at/86400
	a.balance -= cost/1000 + days*m.cfg.Standing
	a.rest, a.at = cost%1000, to
}
