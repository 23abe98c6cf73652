package prepay

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

// MaxBalance is £21,474.00 in millipence, which fits the double-long of class 112
// (published, Secure's limit on prepayment credit).
const MaxBalance = 21_474_00 * 1000

// Config is what a supplier sets. Amounts are in millipence.
type Config struct {
	LowCredit          int64 // warns at or below
	Disablement        int64 // no supply at or below
	EmergencyLimit     int64 // how much emergency credit there is
	EmergencyThreshold int64 // may be activated at or below
	MaxBalance         int64 // no top-up above; 0 is MaxBalance
	MaxTopUp           int64 // largest single top-up; 0 is any
	// PaymentShare of a top-up goes to the debt by payment, in hundredths of a per cent.
	PaymentShare int64
	// PaymentCap is the most that top-ups pay off in a week; 0 is any amount.
	PaymentCap int64
	// Rate of the debts by time, each an hour or a day as Daily says.
	Rate             [2]int64
	Daily            [2]bool
	SuspendEmergency bool // no debt is recovered while emergency credit is in use
	SuspendDisabled  bool // nor while the supply is off
}

// Totals are what went through the account since it began. They only grow, but that
// Credit may be corrected downwards.
type Totals struct {
	Credit     int64    // the balance at the start, top-ups and corrections
	Vended     int64    // of it, top-ups
	Used       int64    // charged for energy
	Standing   int64    // standing charges
	ByTime     [2]int64 // debts by time recovered
	ByPayment  int64    // debt by payment recovered
	Billed     int64    // moved to a bill in credit mode; negative is owed
	Vends      int64    // top-ups taken
	Rejections int64    // top-ups refused
}

// Account is the books of one fuel of one home. It is a plain value: a copy is
// independent.
type Account struct {
	Mode Mode
	Config
	Balance     int64
	Emergency   int64    // emergency credit that is left, once activated
	Activated   bool     // emergency credit was asked for and is not paid back
	Accumulated int64    // charges that could not be taken
	Debt        [2]int64 // by time, what is still to be recovered
	PaymentDebt int64    // by payment
	Week        int64    // which week WeekPaid is of, counted from 1970
	WeekPaid    int64    // paid off the debt by payment in that week
	Totals      Totals

	rest int64 // thousandths of a millipence used and not charged yet
}

// New is an account that begins with a balance.
func New(m Mode, c Config, balance int64) Account {
	return Account{Mode: m, Config: c, Balance: balance, Totals: Totals{Credit: balance}}
}

// Use charges so many thousandths of a millipence for energy: units of energy times the
// price of 1000 of them.
func (a *Account) Use(thousandths int64) {
	cost := thousandths + a.rest
	a.rest = cost % 1000
	cost /= 1000
	a.Totals.Used += cost
	if a.Mode == Prepayment && a.Activated {
		// What is above the threshold goes first.
		take := min(max(a.Balance-a.Disablement, 0), cost)
		a.Balance -= take
		cost -= take
		take = min(a.Emergency, cost)
		a.Emergency -= take
		cost -= take
	}
	a.Balance -= cost
}

// Midnight charges the standing charge of a day.
func (a *Account) Midnight(standing int64, off bool) {
	a.Totals.Standing += standing
	a.charge(standing)
	for i := range a.Debt {
		if a.Daily[i] {
			a.recover(i, off)
		}
	}
}

// Hour recovers the debts that are recovered by the hour. off says that the supply is off.
func (a *Account) Hour(off bool) {
	for i := range a.Debt {
		if !a.Daily[i] {
			a.recover(i, off)
		}
	}
}

func (a *Account) recover(i int, off bool) {
	if a.SuspendDisabled && off || a.SuspendEmergency && a.InEmergency() {
		return
	}
	n := min(a.Rate[i], a.Debt[i])
	if n <= 0 {
		return
	}
	a.Debt[i] -= n
	a.Totals.ByTime[i] += n
	a.charge(n)
}

// charge takes an amount from the balance, as far as it is above the threshold;
// the rest accumulates. In credit mode the balance takes it all.
func (a *Account) charge(n int64) {
	take := n
	if a.Mode == Prepayment {
		take = min(max(a.Balance-a.Disablement, 0), n)
	}
	a.Balance -= take
	a.Accumulated += n - take
}

// InEmergency reports whether emergency credit is what pays now.
func (a *Account) InEmergency() bool {
	return a.Mode == Prepayment && a.Activated && a.Balance <= a.Disablement
}

// EmergencyUsed is what a top-up pays back first.
func (a *Account) EmergencyUsed() int64 {
	if !a.Activated {
		return 0
	}
	return a.EmergencyLimit - a.Emergency
}

// EmergencyAvailable reports whether emergency credit may be activated.
func (a *Account) EmergencyAvailable() bool {
	return a.Mode == Prepayment && !a.Activated && a.EmergencyLimit > 0 && a.Balance <= a.EmergencyThreshold
}

// Activate makes emergency credit count. It reports whether it did.
func (a *Account) Activate() bool {
	if !a.EmergencyAvailable() {
		return false
	}
	a.Activated, a.Emergency = true, a.EmergencyLimit
	return true
}

// Exhausted reports whether nothing pays for the next unit.
func (a *Account) Exhausted() bool {
	return a.Mode == Prepayment && a.Balance <= a.Disablement && (!a.Activated || a.Emergency <= 0)
}

// Low reports whether the consumer should be warned.
func (a *Account) Low() bool { return a.Mode == Prepayment && a.Balance <= a.LowCredit }

// maxBalance is the most that a top-up may lead to.
func (a *Account) maxBalance() int64 {
	if a.MaxBalance <= 0 || a.MaxBalance > MaxBalance {
		return MaxBalance
	}
	return a.MaxBalance
}

// Refusal says why a top-up was not taken.
type Refusal uint8

// The refusals (published, Liberty 100 manual page 89, but for Unsupported and Locked).
const (
	Accepted    Refusal = 0
	Duplicate   Refusal = 1
	Invalid     Refusal = 2 // not for this meter
	Incorrect   Refusal = 3 // mistyped
	Incomplete  Refusal = 4 // not a multiple of 20 digits
	AccountHigh Refusal = 5 // the balance would be above its limit
	AccountLow  Refusal = 6 // or below it
	Unsupported Refusal = 7 // this make has no such code
	Locked      Refusal = 8 // too many wrong ones
)

// String gives the words that a display shows.
func (r Refusal) String() string {
	return [...]string{"accepted", "duplicate", "invalid", "incorrect", "incomplete", "account high", "account low", "unsupported", "locked"}[min(r, 8)]
}

// Fits tells whether a top-up may be taken.
func (a *Account) Fits(amount int64) Refusal {
	switch {
	case amount > 0 && (a.Balance+amount > a.maxBalance() || a.MaxTopUp > 0 && amount > a.MaxTopUp):
		return AccountHigh
	case a.Balance+amount < -MaxBalance:
		return AccountLow
	default:
		return Accepted
	}
}

// Payment is what became of a top-up.
type Payment struct {
	Amount, Emergency, Accumulated, Debt, Balance int64
}

// TopUp takes a payment at a time, in seconds since 1970. Ask Fits before.
func (a *Account) TopUp(at, amount int64) Payment {
	p := Payment{Amount: amount}
	a.Totals.Credit += amount
	a.Totals.Vended += amount
	a.Totals.Vends++
	if amount <= 0 {
		p.Balance = amount
		a.Balance += amount
		return p
	}
	left := amount
	if a.Activated {
		p.Emergency = min(a.EmergencyUsed(), left)
		a.Emergency += p.Emergency
		left -= p.Emergency
	}
	p.Accumulated = min(a.Accumulated, left)
	a.Accumulated -= p.Accumulated
	left -= p.Accumulated
	p.Debt = a.payOff(at, left)
	left -= p.Debt
	a.Balance += left
	p.Balance = left
	a.release()
	return p
}

// payOff takes the share of the debt by payment out of what is left of a top-up.
func (a *Account) payOff(at, left int64) int64 {
	if week := (at/86400 + 3) / 7; week != a.Week { // weeks begin on Monday
		a.Week, a.WeekPaid = week, 0
	}
	n := min(left*a.PaymentShare/10_000, a.PaymentDebt)
	if a.PaymentCap > 0 {
		n = min(n, max(a.PaymentCap-a.WeekPaid, 0))
	}
	a.PaymentDebt -= n
	a.WeekPaid += n
	a.Totals.ByPayment += n
	return n
}

// release ends emergency credit that is paid back, so that it can be had again.
func (a *Account) release() {
	if a.Activated && a.EmergencyUsed() <= 0 && a.Balance > a.Disablement {
		a.Activated, a.Emergency = false, 0
	}
}

// Adjust corrects the balance by an amount, past all debts.
func (a *Account) Adjust(amount int64) {
	a.Totals.Credit += amount
	a.Balance += amount
	a.release()
}

// Bill moves the balance to a bill, as credit mode does at the end of a period.
func (a *Account) Bill() {
	a.Totals.Billed += a.Balance
	a.Balance = 0
}

// SetMode changes the payment mode. Emergency credit ends: what was used of it is owed.
func (a *Account) SetMode(m Mode) {
	if m == Credit && a.Activated {
		a.Accumulated += a.EmergencyUsed()
		a.Activated, a.Emergency = false, 0
	}
	if m == Credit {
		a.Balance -= a.Accumulated
		a.Accumulated = 0
	}
	a.Mode = m
}

// Configure puts other settings in force. Emergency credit in use keeps what was used of it.
func (a *Account) Configure(c Config) {
	used := a.EmergencyUsed()
	a.Config = c
	if a.Activated {
		a.Emergency = c.EmergencyLimit - used
	}
}

// Conserved is zero: what came in less all that went out and what is left.
func (a *Account) Conserved() int64 {
	t := &a.Totals
	return t.Credit - t.Used - t.Standing - t.ByTime[0] - t.ByTime[1] - t.ByPayment - t.Billed - a.Balance + a.Accumulated + a.EmergencyUsed()
}
