package meter

import (
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/device/household"
	"smets1/device/prepay"
	"smets1/device/tariff"
	"smets1/firmware"
)

// friendly hours from 16:00 to 09:00 and at weekends.
var friendly = tariff.Calendar{
	Name: "F", Seasons: []tariff.Season{{Name: "1", Start: tariff.Date{Year: tariff.Any, Month: 1, Day: 1}, Week: "1"}},
	Weeks: []tariff.Week{{Name: "1", Days: [7]uint8{1, 1, 1, 1, 1, 2, 2}}},
	Days:  []tariff.Day{{ID: 1, Switches: []tariff.Switch{{Minute: 0, Register: 2}, {Minute: 540, Register: 1}, {Minute: 960, Register: 2}}}, {ID: 2, Switches: []tariff.Switch{{Minute: 0, Register: 2}}}},
}

func code(t testing.TB, m *Meter, x prepay.Token) string {
	t.Helper()
	s, err := m.VendingKey().Code(x)
	require.NoError(t, err)
	return s
}

func codes(m *Meter) (list []core.Event) {
	for _, e := range m.Log().Entries() {
		list = append(list, e.Code)
	}
	return list
}

// Credit runs out, is warned of, and the supply ends at the next half hour that is
// not friendly; a top-up arms it, and a hand switches it on. Nobody looked meanwhile.
func TestSupplyEndsWithTheCredit(t *testing.T) {
	m := meterOf(t, "moc-secure", firmware.ESME, true, func(c *Config) {
		c.Balance, c.Friendly = 300_000, &friendly
		c.Account = &prepay.Config{LowCredit: 200_000, EmergencyLimit: 500_000, EmergencyThreshold: 100_000}
	})
	later := start.AddDate(0, 0, 14)
	require.Equal(t, Disabled, m.Supply(later))
	s := m.At(later)
	require.Equal(t, ReasonNoCredit, s.Reason)
	require.Equal(t, []core.Event{core.EventCreditLow, core.EventCreditExhausted, core.EventSupplyDisabled}, codes(m))
	off := time.Unix(m.Log().Entries()[2].At, 0)
	local := tariff.Local(off)
	require.Zero(t, off.Unix()%1800)
	require.True(t, local.Hour() >= 9 && local.Hour() < 16 && local.Weekday() != time.Saturday && local.Weekday() != time.Sunday, local)
	require.Equal(t, m.Reading(off), m.Reading(later), "nothing flows")
	require.Less(t, m.Balance(off), int64(0), "friendly hours were used")

	require.True(t, m.ActivateEmergency(later))
	require.Equal(t, Armed, m.Supply(later), "emergency credit pays")
	require.True(t, m.SwitchOn(later))
	later = later.AddDate(0, 0, 10)
	require.Equal(t, Disabled, m.Supply(later))
	require.Zero(t, m.At(later).Account.Emergency)
	before := m.At(later).Account
	_, why := m.EnterCode(later, code(t, m, prepay.Token{Kind: prepay.Vend, Value: 2000, Counter: 1}), Keypad)
	require.Equal(t, prepay.Accepted, why)
	require.Equal(t, Armed, m.Supply(later))
	p := m.Payments(later)[0]
	require.Equal(t, before.EmergencyUsed(), p.Emergency)
	require.Equal(t, before.Accumulated, p.Accumulated)
	require.EqualValues(t, 2_000_000, p.Emergency+p.Accumulated+p.Balance)
	require.Zero(t, m.At(later).Account.Conserved())

	// A meter that was looked at all the time is the same one.
	n := meterOf(t, "moc-secure", firmware.ESME, true, func(c *Config) { *c = m.cfg })
	for at := start; at.Before(later); at = at.Add(7 * time.Minute) {
		switch at {
		case start.AddDate(0, 0, 14):
			n.ActivateEmergency(at)
			n.SwitchOn(at)
		}
		n.Settle(at)
	}
	n.EnterCode(later, code(t, n, prepay.Token{Kind: prepay.Vend, Value: 2000, Counter: 1}), Keypad)
	require.Equal(t, m.At(later).Account, n.At(later).Account)
	require.Equal(t, codes(m), codes(n))
}

// Random months of a meter: use, standing charge, debts and top-ups; credit = use +
// charges + debt + balance at any time, and the use is what the register says.
func TestRandomMonths(t *testing.T) {
	for seed := range int64(6) {
		for _, kind := range []core.Kind{firmware.ESME, firmware.GSME} {
			r := rand.New(rand.NewSource(seed))
			m := meterOf(t, "moc-secure", kind, true, func(c *Config) {
				c.Friendly = &friendly
				c.Tariff = tariff.Economy7("E7")
				c.Prices = &tariff.Prices{Standing: 24_000, TOU: []int64{9_000, 19_000}, Thresholds: [][3]int64{{3000, 9000, 30_000}}, Block: [4][]int64{{11_111}, {12_345}, {13_333}, {9_999}}}
				c.Account = &prepay.Config{LowCredit: 200_000, EmergencyLimit: 500_000, EmergencyThreshold: 100_000, PaymentShare: 3000, PaymentCap: 1_000_000, Rate: [2]int64{300, 20_000}, Daily: [2]bool{false, true}}
				c.Debts = &[3]int64{400_000, 900_000, 5_000_000}
				if kind == firmware.GSME {
					c.Use, c.Energy = household.Gas(uint64(seed), 1500), func(n int64) int64 { return n * 11220 / 1000 }
				} else {
					c.Second = household.Storage(uint64(seed), 4000)
				}
			})
			at, counter := start, uint32(0)
			for range 200 {
				at = at.Add(time.Duration(r.Intn(20_000)) * time.Second)
				switch r.Intn(6) {
				case 0, 1:
					counter++
					m.EnterCode(at, code(t, m, prepay.Token{Kind: prepay.Vend, Value: uint32(r.Intn(3000)), Counter: counter}), Remote)
				case 2:
					m.ActivateEmergency(at)
				case 3:
					m.SwitchOn(at)
				}
				s := m.At(at)
				require.Zero(t, s.Account.Conserved())
				require.False(t, s.Supply == Enabled && s.Account.Exhausted() && at.Unix()%1800 == 0 && !s.FriendlyAt(at.Unix()))
			}
			// The tariff registers add up to what was used, and their prices to what was charged.
			s := m.At(at)
			var sum, thousandths int64
			for i, n := range s.tou {
				sum += n
				if i > 0 {
					thousandths += n * 19_000
				}
			}
			var blocks int64
			for b, n := range s.blocks[0] {
				blocks += n
				thousandths += n * s.Prices.Block[b][0]
			}
			second := s.second[0] + s.second[1]
			thousandths += s.second[1] * 19_000
			require.Equal(t, s.tou[0]+s.second[0], blocks)
			require.Equal(t, thousandths/1000, s.Account.Totals.Used)
			if kind == firmware.ESME {
				require.Equal(t, m.Reading(at)-m.Reading(start), sum+second)
			}
			require.Equal(t, *m.Then(at), *s, "the past computed anew")
		}
	}
}

// What a code asks for, and what a code that is refused does.
func TestCodes(t *testing.T) {
	m := meterOf(t, "moc-secure", firmware.ESME, true, nil)
	at := start
	enter := func(x prepay.Token) prepay.Refusal {
		at = at.Add(time.Minute)
		_, why := m.EnterCode(at, code(t, m, x), Keypad)
		return why
	}
	before := m.Balance(at)
	require.Equal(t, prepay.Accepted, enter(prepay.Token{Kind: prepay.Vend, Value: 1000, Counter: 1}))
	require.InDelta(t, before+1_000_000, m.Balance(at), 5000)
	require.Equal(t, prepay.Duplicate, enter(prepay.Token{Kind: prepay.Vend, Value: 1000, Counter: 1}))
	require.Equal(t, prepay.Accepted, enter(prepay.Token{Kind: prepay.Deduct, Value: 200, Counter: 2}))
	require.Equal(t, prepay.Accepted, enter(prepay.Token{Kind: prepay.SetBalance, Value: 5000, Counter: 3}))
	require.EqualValues(t, 5_000_000, m.Balance(at))
	require.Equal(t, prepay.Accepted, enter(prepay.Token{Kind: prepay.VendTariff, Value: 100, Counter: 4, Extra: []uint64{11_000, 12_000}}))
	require.Equal(t, []int64{11_000, 12_000}, m.At(at).Prices.TOU)
	require.Equal(t, prepay.Unsupported, enter(prepay.Token{Kind: prepay.VendTariff, Value: 100, Counter: 40}))
	require.Equal(t, prepay.Accepted, enter(prepay.Token{Kind: prepay.Supply, Value: 0, Counter: 5, Extra: []uint64{uint64(at.Add(time.Hour).Unix())}}))
	require.Equal(t, Enabled, m.Supply(at))
	at = at.Add(2 * time.Hour)
	require.Equal(t, Disabled, m.Supply(at), "at its time")
	require.Equal(t, ReasonCode, m.At(at).Reason)
	require.Equal(t, prepay.Accepted, enter(prepay.Token{Kind: prepay.Supply, Value: 1, Counter: 6}))
	require.Equal(t, Armed, m.Supply(at))
	require.Equal(t, prepay.Accepted, enter(prepay.Token{Kind: prepay.Engineering, Value: prepay.ServiceDefaultMode, Counter: 8}))
	require.Equal(t, prepay.Credit, m.Mode(at))
	require.Len(t, m.Snapshots(at, CauseMode, 12), 2, "two when it goes to the default")
	require.Equal(t, prepay.Accepted, enter(prepay.Token{Kind: prepay.Engineering, Value: prepay.ServiceClearLogs, Counter: 9}))
	require.Equal(t, []core.Event{core.EventLogCleared}, codes(m))
	require.Equal(t, prepay.Unsupported, enter(prepay.Token{Kind: prepay.Engineering, Value: prepay.ServiceLeaveHAN, Counter: 10}))
	_, why := m.EnterCode(at, "12345 12345", Keypad)
	require.Equal(t, prepay.Incomplete, why)
}

// Five wrong codes lock the keypad: in a row at Secure's, within ten minutes at
// Landis+Gyr's, and never over the air.
func TestLockOut(t *testing.T) {
	wrong := "00000000000000000001"
	for _, c := range []struct {
		make   string
		apart  time.Duration
		locked time.Duration
	}{{"moc-secure", time.Hour, 10 * time.Minute}, {"foc-mesh", time.Minute, time.Hour}, {"foc-mesh", 3 * time.Minute, 0}} {
		m := meterOf(t, c.make, firmware.ESME, true, nil)
		at := start
		for range 5 {
			at = at.Add(c.apart)
			_, why := m.EnterCode(at, wrong, Keypad)
			require.NotEqual(t, prepay.Accepted, why)
			require.NotEqual(t, prepay.Locked, why)
		}
		good := code(t, m, prepay.Token{Kind: prepay.Vend, Value: 100, Counter: 1})
		_, why := m.EnterCode(at.Add(c.locked-time.Second), good, Keypad)
		if c.locked == 0 {
			require.Equal(t, prepay.Accepted, why)
			continue
		}
		require.Equal(t, prepay.Locked, why)
		_, why = m.EnterCode(at.Add(c.locked-time.Second), good, Remote)
		require.Equal(t, prepay.Accepted, why, "over the air")
		n := meterOf(t, c.make, firmware.ESME, true, nil)
		for range 20 {
			n.EnterCode(start, wrong, Remote)
		}
		_, why = n.EnterCode(start, good, Keypad)
		require.Equal(t, prepay.Accepted, why, "wrong codes over the air lock nothing")
		require.EqualValues(t, 20, n.At(start).Account.Totals.Rejections)
	}
	long := meterOf(t, "foc-mesh", firmware.ESME, true, nil)
	_, why := long.EnterCode(start, code(t, long, prepay.Token{Kind: prepay.Supply, Value: 1, Extra: []uint64{1}}), Keypad)
	require.Equal(t, prepay.Unsupported, why, "this make has codes of 20 digits only")
}

// A load limit opens the switch after its time and closes it after its time.
func TestLoadLimit(t *testing.T) {
	m := meter(t, firmware.ESME, false)
	require.NoError(t, m.SetLimit(start, Limit{Threshold: 400, Over: 600, Restore: 900, Cuts: true}))
	later := start.AddDate(0, 0, 3)
	s := m.At(later)
	require.Positive(t, s.Limited)
	require.Len(t, s.gaps, int(s.Limited))
	for _, g := range s.gaps[:len(s.gaps)-1] {
		require.EqualValues(t, 900, g.to-g.from)
		require.EqualValues(t, 600, g.from%1800)
		require.Greater(t, m.cfg.Use.Mean(time.Unix(g.from, 0)), int64(400))
	}
	require.NoError(t, m.SetLimit(later, Limit{}))
	n := m.At(later.AddDate(0, 0, 3)).Limited
	require.Equal(t, s.Limited, n)
	counted := meter(t, firmware.ESME, false)
	require.NoError(t, counted.SetLimit(start, Limit{Threshold: 400, Over: 600}))
	require.Positive(t, counted.At(later).Limited)
	require.Empty(t, counted.At(later).gaps, "it is only counted")
}

// Billing snapshots hold registers and account as they were, and begin a period.
func TestSnapshots(t *testing.T) {
	m := meterOf(t, "ioc-dlms", firmware.ESME, false, func(c *Config) { c.Tariff, c.Balance = tariff.Economy7("E7"), 0 })
	at := start.AddDate(0, 3, 0)
	list := m.Snapshots(at, CauseBilling, 12)
	require.Len(t, list, 12)
	for i, s := range list {
		require.Equal(t, 1, s.At.Day())
		require.Equal(t, m.Reading(s.At), s.Reading)
		require.Len(t, s.TOU, 2)
		require.Equal(t, s.Reading-m.cfg.First, s.TOU[0]+s.TOU[1])
		if i > 0 {
			require.Greater(t, s.TOU[1], list[i-1].TOU[1])
		}
		require.Positive(t, s.Demand)
		require.False(t, s.DemandAt.Before(s.BillingAt) || s.DemandAt.After(s.At))
	}
	last := list[11]
	require.EqualValues(t, -last.Cost, last.Account.Balance, "what the period cost is owed")
	require.NoError(t, m.SetCalendar(at, tariff.Flat("NEW")))
	require.NoError(t, m.SetPrices(at, &terms))
	require.NoError(t, m.Snapshot(at, CauseSupplier))
	require.NoError(t, m.Snapshot(at.Add(time.Hour), CauseManual))
	var causes []Cause
	for _, s := range m.Snapshots(at.AddDate(0, 0, 1), ^CauseBilling, 12) {
		causes = append(causes, s.Cause)
	}
	require.Equal(t, []Cause{CauseTariff, CausePrice, CauseSupplier, CauseManual}, causes)
	require.Less(t, m.Then(at.Add(time.Hour)).cost, int64(30_000_000), "a new supplier begins a period")
}

func FuzzActs(f *testing.F) {
	m := meter(f, firmware.ESME, true)
	require.NoError(f, m.SetCalendar(start, tariff.Economy7("E7")))
	require.NoError(f, m.SetPrices(start, &terms))
	m.EnterCode(start, "1", Keypad)
	f.Add(appendActs(nil, m.acts))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := meter(t, firmware.ESME, true)
		nv := &core.Memory{}
		record := core.AppendSection([]byte("S1NV\x01"), core.SectionActs, func(x []byte) []byte { return append(x, b...) })
		require.NoError(t, nv.Save(n.EUI.String(), record))
		if n.Restore(start, nv) != nil {
			return
		}
		require.Equal(t, len(n.acts) > 0, len(appendActs(nil, n.acts)) > 0)
		for i := range n.acts {
			if n.acts[i].at > start.AddDate(0, 0, 3).Unix() {
				return
			}
		}
		n.At(start.AddDate(0, 0, 3))
	})
}
