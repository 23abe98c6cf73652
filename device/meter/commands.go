package meter

import (
	"errors"
	"time"

	"smets1/device/core"
	"smets1/device/prepay"
	"smets1/device/tariff"
	"smets1/dlms/cosem"
)

// Source is where something was entered.
type Source uint8

// The sources.
const (
	Remote Source = 0
	Keypad Source = 1 // at the meter
	PPMID  Source = 2 // at a display that takes codes
)

// The commands. Each takes effect at once, or is refused and changes nothing.

var errFull = cosem.ActionTemporaryFailure

// SetMode changes the payment mode.
func (m *Meter) SetMode(now time.Time, mode prepay.Mode) error {
	if mode != prepay.Credit && mode != prepay.Prepayment {
		return cosem.OtherReason
	}
	if mode == m.Mode(now) {
		return nil
	}
	if m.full() {
		return cosem.TemporaryFailure
	}
	m.do(now, actMode, nil, int64(mode))
	return nil
}

// Adjust changes the balance by an amount in millipence, past all debts.
func (m *Meter) Adjust(now time.Time, amount int64) error {
	if b := m.At(now).Account.Balance + amount; b > prepay.MaxBalance || b < -prepay.MaxBalance {
		return cosem.ActionScopeOfAccessViolated
	}
	if m.full() {
		return errFull
	}
	m.do(now, actAdjust, nil, amount)
	return nil
}

// SetBalance sets the balance.
func (m *Meter) SetBalance(now time.Time, balance int64) error {
	return m.Adjust(now, balance-m.At(now).Account.Balance)
}

// Configure changes the settings of the account.
func (m *Meter) Configure(now time.Time, change func(*prepay.Config) error) error {
	c := m.At(now).Account.Config
	if err := change(&c); err != nil {
		return err
	}
	if c.EmergencyLimit < 0 || c.PaymentShare < 0 || c.PaymentShare > 10_000 || c.PaymentCap < 0 || c.Rate[0] < 0 || c.Rate[1] < 0 || c.MaxBalance < 0 || c.MaxTopUp < 0 {
		return cosem.OtherReason
	}
	if m.full() {
		return cosem.TemporaryFailure
	}
	m.do(now, actConfigure, nil, argsOf(&c)...)
	return nil
}

// SetDebt sets what is still to be recovered: debt 0 and 1 by time, 2 by payment.
func (m *Meter) SetDebt(now time.Time, which int, amount int64) error {
	if amount < 0 || amount > prepay.MaxBalance || which < 0 || which > 2 {
		return cosem.ActionScopeOfAccessViolated
	}
	if m.full() {
		return errFull
	}
	m.do(now, actDebt, nil, int64(which), amount)
	return nil
}

// ActivateEmergency is the consumer's wish for emergency credit. It reports whether it is in force.
func (m *Meter) ActivateEmergency(now time.Time) bool {
	if a := &m.At(now).Account; a.EmergencyAvailable() && !m.full() {
		m.do(now, actEmergency, nil)
	}
	return m.At(now).Account.Activated
}

// SetPrices puts prices in force.
func (m *Meter) SetPrices(now time.Time, p *tariff.Prices) error {
	if m.full() {
		return errFull
	}
	m.do(now, actPrices, nil, pricesArgs(p)...)
	return nil
}

// SetCalendar puts a switching table in force.
func (m *Meter) SetCalendar(now time.Time, c *tariff.Calendar) error {
	if err := c.Check(m.Limits()); err != nil {
		return errors.Join(cosem.ActionOtherReason, err)
	}
	if m.full() {
		return errFull
	}
	m.do(now, actCalendar, calendarText(c))
	return nil
}

// SetFriendly puts a calendar of friendly hours in force: those of register 2.
func (m *Meter) SetFriendly(now time.Time, c *tariff.Calendar) error {
	if m.full() {
		return errFull
	}
	m.do(now, actFriendly, calendarText(c))
	return nil
}

// Limits are what this make has room for.
func (m *Meter) Limits() tariff.Limits {
	t := m.Make.Tariff
	return tariff.Limits{Registers: t.Registers, Seasons: t.Seasons, Weeks: t.Weeks, Days: t.Days, Switches: t.Switches, Special: t.SpecialDays}
}

// SetLimit sets the load limit.
func (m *Meter) SetLimit(now time.Time, l Limit) error {
	if m.full() {
		return errFull
	}
	m.do(now, actLimit, nil, l.Threshold, l.Over, l.Restore, flagOf(l.Cuts))
	return nil
}

// SetBilling sets the day of the month on which a bill is made; 0 makes none.
func (m *Meter) SetBilling(now time.Time, day int64) error {
	if day < 0 || day > 28 {
		return cosem.OtherReason
	}
	if m.full() {
		return cosem.TemporaryFailure
	}
	m.do(now, actBilling, nil, day)
	return nil
}

// Snapshot takes a snapshot of all registers, for a cause.
func (m *Meter) Snapshot(now time.Time, c Cause) error {
	if m.full() {
		return errFull
	}
	m.do(now, actSnapshot, nil, int64(c))
	return nil
}

// ResetDemand begins the maximum demand anew.
func (m *Meter) ResetDemand(now time.Time) error {
	if m.full() {
		return errFull
	}
	m.do(now, actDemand, nil)
	return nil
}

// Disconnect disables the supply.
func (m *Meter) Disconnect(now time.Time) error { return m.switchTo(now, Disabled, ReasonManual) }

// Reconnect enables the supply, or arms it where a person must switch on at the meter:
// with prepayment, and gas always.
func (m *Meter) Reconnect(now time.Time) error {
	s := m.At(now)
	if s.Supply == Enabled {
		return nil
	}
	if m.handOn(s) {
		return m.switchTo(now, Armed, ReasonManual)
	}
	return m.switchTo(now, Enabled, ReasonClosed)
}

// Arm makes the supply ready to be switched on at the meter.
func (m *Meter) Arm(now time.Time) error {
	if m.At(now).Supply == Enabled {
		return nil
	}
	return m.switchTo(now, Armed, ReasonManual)
}

func (m *Meter) handOn(s *State) bool {
	return m.cfg.ArmsOnly || s.Account.Mode == prepay.Prepayment
}

func (m *Meter) switchTo(now time.Time, state uint8, why Reason) error {
	if m.At(now).Supply == state {
		return nil
	}
	if m.full() {
		return errFull
	}
	m.do(now, actSupply, nil, int64(state), int64(why))
	return nil
}

// SwitchOn is the consumer's hand at an armed meter. It reports whether the supply is on.
func (m *Meter) SwitchOn(now time.Time) bool {
	if m.At(now).Supply == Armed && !m.full() {
		m.do(now, actSupply, nil, int64(Enabled), int64(ReasonClosed))
	}
	return m.At(now).Supply == Enabled
}

// EnterCode takes a top-up code at a time: what came of it, and for money the amount
// in millipence. A code has the same effect wherever it is entered (published, Liberty
// 100 manual page 35), but only the keypad locks itself.
func (m *Meter) EnterCode(now time.Time, code string, from Source) (prepay.Token, prepay.Refusal) {
	s := m.At(now)
	if from == Keypad && s.at < s.LockedUntil {
		return prepay.Token{}, prepay.Locked
	}
	t, why := m.judge(s, code)
	if m.full() {
		return t, prepay.Locked
	}
	if why != prepay.Accepted {
		m.do(now, actReject, []byte(code), int64(why), int64(from))
		return t, why
	}
	m.execute(now, t, code, from)
	return t, prepay.Accepted
}

// judge tells whether a code would be taken.
func (m *Meter) judge(s *State, code string) (prepay.Token, prepay.Refusal) {
	t, err := m.VendingKey().Parse(code)
	switch {
	case errors.Is(err, prepay.ErrIncomplete):
		return t, prepay.Incomplete
	case errors.Is(err, prepay.ErrIncorrect):
		return t, prepay.Incorrect
	case err != nil:
		return t, prepay.Invalid
	case len(t.Extra)+1 > m.Make.Prepay.Blocks:
		return t, prepay.Unsupported
	case s.Window.Used(t.Counter):
		return t, prepay.Duplicate
	}
	switch t.Kind {
	case prepay.Vend, prepay.Deduct, prepay.Refund, prepay.SetBalance, prepay.VendTariff:
		if t.Kind == prepay.VendTariff && len(t.Extra) != 2 {
			return t, prepay.Unsupported
		}
		return t, s.Account.Fits(m.money(s, t))
	case prepay.Supply:
		if t.Value > 1 {
			return t, prepay.Unsupported
		}
	case prepay.Engineering:
		if t.Value != prepay.ServiceDefaultMode && t.Value != prepay.ServiceClearLogs {
			return t, prepay.Unsupported
		}
	}
	return t, prepay.Accepted
}

// money is what a code adds to the balance, in millipence.
func (m *Meter) money(s *State, t prepay.Token) int64 {
	amount := int64(t.Value) * 1000
	switch t.Kind {
	case prepay.Vend, prepay.VendTariff:
		return amount
	case prepay.Deduct, prepay.Refund:
		return -amount
	case prepay.SetBalance:
		return amount - s.Account.Balance
	default:
		return 0
	}
}

func (m *Meter) execute(now time.Time, t prepay.Token, code string, from Source) {
	counter := int64(t.Counter)
	switch t.Kind {
	case prepay.Vend, prepay.Deduct, prepay.Refund, prepay.SetBalance, prepay.VendTariff:
		m.do(now, actVend, []byte(code), m.money(m.At(now), t), counter, int64(from))
		if t.Kind == prepay.VendTariff {
			p := *m.At(now).Prices
			p.TOU = []int64{int64(t.Extra[0]), int64(t.Extra[1])}
			m.do(now, actPrices, nil, pricesArgs(&p)...)
		}
	case prepay.Supply:
		m.do(now, actUseCode, nil, counter)
		at := now
		if len(t.Extra) > 0 {
			at = time.Unix(int64(t.Extra[0]), 0)
		}
		state := Armed
		if t.Value == 0 {
			state = Disabled
		}
		if at.After(now) {
			m.plan(now, at, actSupply, nil, int64(state), int64(ReasonCode))
			return
		}
		if state == Disabled || m.At(now).Supply != Enabled {
			m.do(now, actSupply, nil, int64(state), int64(ReasonCode))
		}
	default: // engineering
		m.do(now, actUseCode, nil, counter)
		if t.Value == prepay.ServiceClearLogs {
			m.Log().Clear()
			m.Event(now, core.EventLogCleared)
			return
		}
		// Two snapshots are taken when the mode goes to the default (published, Liberty 100 manual page 28).
		m.do(now, actSnapshot, nil, int64(CauseMode))
		m.do(now, actMode, nil, int64(prepay.Credit))
	}
}

// VendingKey makes and reads the codes of this meter. Whoever vends has it.
func (m *Meter) VendingKey() prepay.Key {
	var k [16]byte
	copy(k[:], m.Derive("vending key", len(k)))
	return prepay.NewKey(k)
}
