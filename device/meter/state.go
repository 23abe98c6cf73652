package meter

import (
	"slices"
	"time"

	"smets1/device/core"
	"smets1/device/household"
	"smets1/device/prepay"
	"smets1/device/tariff"
)

// The states of the supply, with the numbers of attribute 3 of class 70
// (published) and the words of SMETS.
const (
	Disabled uint8 = 0
	Enabled  uint8 = 1
	Armed    uint8 = 2 // a person may switch on at the meter
)

// Reason says why the supply is as it is (published, Liberty 100 manual pages 96 and 102).
type Reason uint8

// The reasons.
const (
	ReasonClosed   Reason = 0
	ReasonManual   Reason = 1
	ReasonNoCredit Reason = 2
	ReasonOverload Reason = 4
	ReasonEvent    Reason = 8
	ReasonCode     Reason = 10 // a supply UTRN
)

// Cause says why a snapshot was taken: bits of the Smart Energy snapshot causes
// (published), by the events that the Liberty 100 manual lists (published, pages 27-28).
type Cause uint32

// The causes.
const (
	CauseBilling  Cause = 1 << 1
	CauseTariff   Cause = 1 << 3
	CausePrice    Cause = 1 << 4
	CauseManual   Cause = 1 << 10
	CauseTenancy  Cause = 1 << 12
	CauseSupplier Cause = 1 << 13
	CauseMode     Cause = 1 << 14
)

// Limit is the load limit. The zero Limit has none.
type Limit struct {
	Threshold int64 // W, mean of a half hour; 0 is none
	Over      int64 // seconds above it before something is done
	Restore   int64 // seconds until the supply comes back; 0: it is armed at once
	Cuts      bool  // the supply is cut; else it is only counted
}

// gap is a time without supply, in seconds since 1970; to is 0 while it lasts.
type gap struct{ from, to int64 }

// State is a meter at a time. It is computed; see the package comment.
type State struct {
	at   int64
	done int // acts that have taken effect

	Calendar *tariff.Calendar
	Prices   *tariff.Prices
	Friendly *tariff.Calendar
	Account  prepay.Account
	Supply   uint8
	Reason   Reason
	Limit    Limit
	// Billing is the day of the month on which a bill is made, at midnight UTC; 0 none.
	Billing int64
	// Billed is when that was last, or the period began otherwise.
	Billed int64
	// Demand is when the maximum demand was last reset.
	Demand int64
	// Limited is how often the load was limited.
	Limited int64
	Window  prepay.Window
	// Tries are the times of wrong codes in a row, the latest last; LockedUntil is when
	// the keypad opens again.
	Tries       []int64
	LockedUntil int64
	payments    []Payment // the last ones

	register uint8 // that counts
	tou      []int64
	blocks   [][tariff.Blocks]int64 // by register
	period   [][tariff.Blocks]int64 // the same in this billing period
	second   [tariff.SecondTiers]int64
	cost     int64 // of this billing period, with thousandths
	gaps     []gap

	outage   int64 // the network is off until
	over     int64 // load above the limit since; 0 is not
	restore  int64 // when a limited supply comes back; 0 is not
	warned   bool  // low credit was told
	spent    bool  // exhausted credit was told
	use      int64 // registers as they are at the time, to go on from
	second64 int64
	energy   int64
}

// birth is the state at the start of the simulation.
func (m *Meter) birth() State {
	s := State{
		at: m.Start.Unix(), Calendar: m.cfg.Tariff, Prices: m.cfg.Prices, Friendly: m.cfg.Friendly,
		Supply: Enabled, Billing: 1, Billed: monthStart(m.Start).Unix(), Demand: monthStart(m.Start).Unix(),
	}
	if s.Calendar == nil {
		s.Calendar = &flat
	}
	if s.Prices == nil {
		s.Prices = &free
	}
	mode := prepay.Credit
	if m.Prepayment {
		mode = prepay.Prepayment
	}
	var c prepay.Config
	if m.cfg.Account != nil {
		c = *m.cfg.Account
	}
	s.Account = prepay.New(mode, c, m.cfg.Balance)
	if d := m.cfg.Debts; d != nil {
		s.Account.Debt, s.Account.PaymentDebt = [2]int64{d[0], d[1]}, d[2]
	}
	s.warned, s.spent = s.Account.Low(), s.Account.Exhausted()
	return s
}

var (
	flat = *tariff.Flat("FLAT")
	free = tariff.Prices{}
)

func monthStart(t time.Time) time.Time {
	y, mo, _ := t.UTC().Date()
	return time.Date(y, mo, 1, 0, 0, 0, 0, time.UTC)
}

// Settle does what came due until a time. A meter to which nothing was done, in
// credit mode, has nothing to do: all follows from the time. Time does not run back.
func (m *Meter) Settle(now time.Time) {
	if m.state == nil && !m.Prepayment && len(m.acts) == 0 {
		return
	}
	m.At(now)
}

// At is the state at a time, which becomes the state of the meter. It must not be
// changed, and is valid until the next call. A time before that of the state gives the
// state as it is: see [Meter.Then] for the past.
func (m *Meter) At(now time.Time) *State {
	if m.state == nil {
		s := m.birth()
		m.state = &s
	}
	if to := now.Unix(); to > m.state.at {
		m.advance(m.state, to, m.tell, nil)
	}
	return m.state
}

// Then is the state at a time of the past, computed anew.
func (m *Meter) Then(at time.Time) *State {
	s := m.birth()
	if at.Unix() > s.at {
		m.advance(&s, at.Unix(), nil, nil)
	}
	return &s
}

// tell enters an event in the log, when it happened by the meter's clock.
func (m *Meter) tell(at int64, e core.Event) { m.Event(time.Unix(at, 0), e) }

const (
	half = 1800
	day  = 86400
)

// replay is what an advance has at hand.
type replay struct {
	m       *Meter
	s       *State
	use     household.Cursor
	second  household.Cursor
	tell    func(at int64, e core.Event)
	capture func(cause Cause) // before something changes that a snapshot is taken of

	calendar *tariff.Calendar // whose register counts until a time
	until    int64
}

// advance moves a state on to a time. tell hears of events, capture of moments at
// which a snapshot is taken, with the state as it is then; both may be nil.
func (m *Meter) advance(s *State, to int64, tell func(int64, core.Event), capture func(Cause)) {
	if tell == nil {
		tell = func(int64, core.Event) {}
	}
	if capture == nil {
		capture = func(Cause) {}
	}
	r := replay{m: m, s: s, use: household.Cursor{Curve: m.cfg.Use}, second: household.Cursor{Curve: m.cfg.Second}, tell: tell, capture: capture}
	s.use, s.second64 = r.use.Total(s.at), r.second.Total(s.at)
	s.energy = m.energy(s.use + s.second64)
	r.acts()
	for s.at < to {
		next := r.next(to)
		r.flow(next)
		s.at = next
		r.due()
		r.acts()
	}
}

// next is when something changes, or the end.
func (r *replay) next(to int64) int64 {
	s := r.s
	next := to
	if s.done < len(r.m.acts) {
		next = min(next, max(r.m.acts[s.done].at, s.at))
	}
	next = min(next, s.at-s.at%day+day)
	if r.calendar != s.Calendar || s.at >= r.until {
		register, until := s.Calendar.At(time.Unix(s.at, 0))
		s.register = max(register, 1)
		r.calendar, r.until = s.Calendar, until.Unix()
	}
	next = min(next, r.until)
	if s.halves() {
		next = min(next, s.at-s.at%half+half)
	}
	for _, t := range [...]int64{s.restore, s.overUntil(), s.outage} {
		if t > s.at {
			next = min(next, t)
		}
	}
	return next
}

// halves reports whether something may happen at each half hour.
func (s *State) halves() bool {
	return s.Account.Mode == prepay.Prepayment || s.Limit.Threshold > 0 || s.hourly(0) || s.hourly(1)
}

func (s *State) hourly(i int) bool {
	return s.Account.Debt[i] > 0 && s.Account.Rate[i] > 0 && !s.Account.Daily[i]
}

func (s *State) overUntil() int64 {
	if s.over == 0 || s.Supply != Enabled {
		return 0
	}
	return s.over + s.Limit.Over
}

// flow charges what is used until a time.
func (r *replay) flow(next int64) {
	s := r.s
	use, second := r.use.Total(next), r.second.Total(next)
	energy := r.m.energy(use + second)
	if s.Supply == Enabled && s.at >= s.outage {
		used := energy - s.energy
		extra := second - s.second64
		if extra > 0 {
			s.second[min(int(s.register), tariff.SecondTiers)-1] += extra
		}
		s.count(used-extra, used)
	}
	s.use, s.second64, s.energy = use, second, energy
}

// count books energy under the register in force: what the main element used, and
// what is to be paid for.
func (s *State) count(mine, used int64) {
	n := int(max(s.register, 1))
	for len(s.tou) < n {
		s.tou = append(s.tou, 0)
	}
	s.tou[n-1] += mine
	if !s.Prices.Blocked(uint8(n)) {
		s.pay(used * s.Prices.Unit(uint8(n), 0))
		return
	}
	for len(s.blocks) < n {
		s.blocks = append(s.blocks, [tariff.Blocks]int64{})
	}
	for len(s.period) < n {
		s.period = append(s.period, [tariff.Blocks]int64{})
	}
	total := int64(0)
	for _, v := range s.period[n-1] {
		total += v
	}
	for used > 0 {
		b, left := s.Prices.BlockOf(uint8(n), total)
		x := min(used, left)
		s.blocks[n-1][b] += x
		s.period[n-1][b] += x
		s.pay(x * s.Prices.Unit(uint8(n), b))
		used, total = used-x, total+x
	}
}

func (s *State) pay(thousandths int64) {
	s.cost += thousandths
	s.Account.Use(thousandths)
}

// due does what falls due by itself at the time of the state.
func (r *replay) due() {
	s := r.s
	off := s.Supply != Enabled
	if s.outage > 0 && s.at >= s.outage {
		s.outage = 0
		r.tell(s.at, core.EventSupplyRestored)
	}
	if s.at%3600 == 0 {
		s.Account.Hour(off)
	}
	if s.at%day == 0 {
		s.Account.Midnight(s.Prices.Standing, off)
		s.cost += s.Prices.Standing * 1000
		if s.Billing > 0 && int64(time.Unix(s.at, 0).UTC().Day()) == s.Billing {
			r.bill()
		}
	}
	r.limit()
	if s.at%half == 0 {
		r.credit()
	}
}

// bill ends a billing period.
func (r *replay) bill() {
	r.capture(CauseBilling)
	s := r.s
	if s.Account.Mode == prepay.Credit {
		s.Account.Bill()
	}
	s.period, s.cost = nil, 0
	s.Billed, s.Demand = s.at, s.at
}

// limit is the load limit.
func (r *replay) limit() {
	s := r.s
	if s.restore > 0 && s.at >= s.restore {
		s.restore, s.over = 0, 0
		if s.Supply != Enabled && s.Reason == ReasonOverload {
			r.supply(Enabled, ReasonOverload)
		}
	}
	if s.Limit.Threshold == 0 {
		s.over = 0
		return
	}
	if s.at%half == 0 {
		at := time.Unix(s.at, 0)
		switch load := r.m.cfg.Use.Mean(at) + r.m.cfg.Second.Mean(at); {
		case s.Supply != Enabled || load <= s.Limit.Threshold:
			s.over = 0
		case s.over == 0:
			s.over = s.at
		}
	}
	if until := s.overUntil(); until > 0 && s.at >= until {
		s.Limited++
		s.over = 0
		r.tell(s.at, core.EventLoadLimited)
		if s.Limit.Cuts {
			r.supply(Disabled, ReasonOverload)
			if s.restore = s.at + s.Limit.Restore; s.Limit.Restore == 0 {
				r.supply(Armed, ReasonOverload)
			}
		}
	}
}

// credit switches off where nothing pays, and warns before.
func (r *replay) credit() {
	s := r.s
	a := &s.Account
	if low := a.Low(); low != s.warned {
		if s.warned = low; low {
			r.tell(s.at, core.EventCreditLow)
		}
	}
	if gone := a.Exhausted(); gone != s.spent {
		if s.spent = gone; gone {
			r.tell(s.at, core.EventCreditExhausted)
		}
	}
	if s.spent && s.Supply == Enabled && !s.FriendlyAt(s.at) {
		r.supply(Disabled, ReasonNoCredit)
	}
}

// FriendlyAt reports whether a time is one of the friendly hours.
func (s *State) FriendlyAt(at int64) bool {
	if s.Friendly == nil {
		return false
	}
	register, _ := s.Friendly.At(time.Unix(at, 0))
	return register == friendlyRegister
}

const friendlyRegister = 2

// acts makes what was done by the time of the state take effect.
func (r *replay) acts() {
	for r.s.done < len(r.m.acts) && r.m.acts[r.s.done].at <= r.s.at {
		a := &r.m.acts[r.s.done]
		r.s.done++
		r.apply(a)
	}
}

// supply changes the state of the supply.
func (r *replay) supply(state uint8, why Reason) {
	s := r.s
	if state == s.Supply {
		return
	}
	was := s.Supply
	s.Supply, s.Reason = state, why
	switch state {
	case Enabled:
		if n := len(s.gaps); n > 0 && s.gaps[n-1].to == 0 {
			s.gaps[n-1].to = max(s.at, s.outage, s.gaps[n-1].from)
		}
		r.tell(s.at, core.EventSupplyEnabled)
	case Armed:
		r.tell(s.at, core.EventSupplyArmed)
	default:
		r.tell(s.at, core.EventSupplyDisabled)
	}
	if was == Enabled {
		s.gaps = append(s.gaps, gap{from: max(s.at, s.outage)})
	}
}

func (s *State) offAt(at int64) bool {
	for i := len(s.gaps) - 1; i >= 0; i-- {
		if g := s.gaps[i]; at >= g.from && (g.to == 0 || at < g.to) {
			return true
		}
	}
	return false
}

// apply makes one act take effect. What cannot be done any more is left undone: an
// act was checked when it was taken.
func (r *replay) apply(a *act) {
	s := r.s
	acct := &s.Account
	switch a.kind {
	case actMode:
		mode := prepay.Mode(a.arg(0))
		if mode == acct.Mode {
			return
		}
		r.capture(CauseMode)
		acct.SetMode(mode)
		r.tell(s.at, core.EventPaymentMode)
		if mode == prepay.Credit && s.Reason == ReasonNoCredit && s.Supply != Enabled {
			r.supply(Armed, ReasonNoCredit)
		}
		s.warned, s.spent = acct.Low(), acct.Exhausted()
	case actAdjust:
		acct.Adjust(a.arg(0))
		r.tell(s.at, core.EventCreditAdded)
		r.paid()
	case actVend:
		p := Payment{At: time.Unix(s.at, 0).UTC(), Code: string(a.text), Source: Source(a.arg(2)), Payment: acct.TopUp(s.at, a.arg(0))}
		s.payments = append(slices.Clone(s.payments[max(len(s.payments)-maxPayments+1, 0):]), p)
		if len(a.args) > 1 && a.args[1] >= 0 {
			s.Window.Use(uint32(a.args[1]))
		}
		s.Tries, s.LockedUntil = nil, 0
		r.tell(s.at, core.EventTopUp)
		r.paid()
	case actUseCode:
		s.Window.Use(uint32(a.arg(0)))
		s.Tries, s.LockedUntil = nil, 0
	case actReject:
		r.rejected(prepay.Refusal(a.arg(0)), Source(a.arg(1)))
	case actConfigure:
		if c, ok := configOf(a.args); ok {
			acct.Configure(c)
		}
	case actDebt:
		r.debt(int(a.arg(0)), a.arg(1))
	case actPrices:
		if p, ok := pricesOf(a.args); ok {
			r.capture(CausePrice)
			s.Prices = p
			r.tell(s.at, core.EventPriceChanged)
		}
	case actCalendar:
		if c, ok := calendarOf(a.text); ok {
			r.capture(CauseTariff)
			s.Calendar = c
			r.tell(s.at, core.EventTariffChanged)
		}
	case actFriendly:
		if c, ok := calendarOf(a.text); ok {
			s.Friendly = c
		}
	case actSupply:
		s.restore, s.over = 0, 0
		r.supply(uint8(a.arg(0)), Reason(a.arg(1)))
	case actEmergency:
		if acct.Activate() {
			r.tell(s.at, core.EventEmergency)
			r.paid()
		}
	case actLimit:
		s.Limit = Limit{a.arg(0), a.arg(1), a.arg(2), a.arg(3) != 0}
		s.over = 0
	case actBilling:
		s.Billing = a.arg(0)
	case actSnapshot:
		r.snapshot(Cause(a.arg(0)))
	case actDemand:
		s.Demand = s.at
	case actOutage:
		r.outage(a.arg(0))
	}
}

// snapshot takes one by command. A change of tenant or supplier begins a billing period.
func (r *replay) snapshot(c Cause) {
	r.capture(c)
	s := r.s
	if c&(CauseSupplier|CauseTenancy) == 0 {
		return
	}
	if s.Account.Mode == prepay.Credit {
		s.Account.Bill()
	}
	s.period, s.cost = nil, 0
	s.Billed, s.Demand = s.at, s.at
	r.tell(s.at, core.EventBillingReset)
}

// outage is a time in which the network supplies nothing.
func (r *replay) outage(until int64) {
	s := r.s
	from := max(s.at, s.outage)
	if until <= from {
		return
	}
	r.tell(s.at, core.EventSupplyInterrupted)
	s.outage = until
	if s.Supply == Enabled {
		s.gaps = append(s.gaps, gap{from, until})
	}
}

func (r *replay) debt(which int, amount int64) {
	switch a := &r.s.Account; which {
	case 0, 1:
		a.Debt[which] = amount
	default:
		a.PaymentDebt = amount
	}
}

// paid arms a supply that was switched off for want of credit, now that there is some.
func (r *replay) paid() {
	s := r.s
	s.warned, s.spent = s.Account.Low(), s.Account.Exhausted()
	if !s.spent && s.Supply == Disabled && s.Reason == ReasonNoCredit {
		r.supply(Armed, ReasonNoCredit)
	}
}

// rejected counts a wrong code; too many at the keypad lock it.
func (r *replay) rejected(why prepay.Refusal, from Source) {
	s := r.s
	s.Account.Totals.Rejections++
	r.tell(s.at, core.EventCodeRefused)
	p := r.m.Make.Prepay
	if from != Keypad || p.Tries == 0 || why == prepay.Locked || why == prepay.Duplicate && !p.CountDuplicates {
		return
	}
	s.Tries = append(s.Tries, s.at)
	if n := len(s.Tries) - p.Tries; n > 0 {
		s.Tries = s.Tries[n:]
	}
	if len(s.Tries) == p.Tries && (p.Within == 0 || s.at-s.Tries[0] <= int64(p.Within/time.Second)) {
		s.Tries, s.LockedUntil = nil, s.at+int64(p.Lock/time.Second)
		r.tell(s.at, core.EventKeypadLocked)
	}
}
