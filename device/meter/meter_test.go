package meter

import (
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/device/household"
	"smets1/device/prepay"
	"smets1/device/profile"
	"smets1/device/tariff"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
	"smets1/firmware"
	"smets1/internal/wire"
)

var (
	start    = time.Date(2019, 7, 15, 7, 0, 0, 0, time.UTC)
	register = cosem.MustOBIS("1-0:1.8.0.255")
	terms    = tariff.Prices{Standing: 24_000, TOU: []int64{17_500}}
)

var models = map[*profile.Device]*server.Model{}

func modelOf(t testing.TB, d *profile.Device, medium uint8) *server.Model {
	t.Helper()
	if m := models[d]; m != nil {
		return m
	}
	assoc, err := core.Associations(d.DLMS)
	require.NoError(t, err)
	points := append(Points(d.Tariff.Registers, medium), BlockPoints(tariff.BlockTiers, d.Tariff.Blocks)...)
	objects := append(core.Objects(core.MeterFirmware, d), Objects(d, points, register)...)
	objects = append(objects, ThresholdObjects(tariff.BlockTiers, d.Tariff.Blocks, register)...)
	m, err := server.NewModel(server.Config{Associations: assoc, Objects: objects})
	require.NoError(t, err)
	models[d] = m
	return m
}

var builtin = profile.Builtin()

// meterOf is one of a make, and what may be changed of its configuration.
func meterOf(t testing.TB, name string, kind core.Kind, prepay bool, change func(*Config)) *Meter {
	t.Helper()
	p, _ := builtin.Get(name)
	d, medium := &p.ESME, uint8(1)
	if kind == firmware.GSME {
		d, medium = p.GSME, 7
	}
	model := modelOf(t, d, medium)
	c := Config{
		Use: household.Electricity(5, 7400), Installed: start.AddDate(-2, 0, 0), First: 100, Balance: 1_000_000, Prices: &terms,
		ArmsOnly: kind == firmware.GSME,
	}
	if change != nil {
		change(&c)
	}
	m := &Meter{}
	m.Init(core.Birth{
		Kind: kind, EUI: wire.MustEUI64("00-DB-12-34-56-78-90-A1"), Profile: p, Make: d, Prepayment: prepay, Start: start, MPxN: "1012345678909",
	}, c, model, m, core.Faults{})
	return m
}

func meter(t testing.TB, kind core.Kind, prepay bool) *Meter {
	t.Helper()
	return meterOf(t, "ioc-dlms", kind, prepay, nil)
}

func TestSupply(t *testing.T) {
	for _, c := range []struct {
		kind   core.Kind
		prepay bool
		after  uint8
		mode   uint8
	}{{firmware.ESME, false, Enabled, 2}, {firmware.ESME, true, Armed, 1}, {firmware.GSME, false, Armed, 1}} {
		m := meter(t, c.kind, c.prepay)
		s := switcher{m, start}
		require.Equal(t, c.mode, s.Mode())
		require.True(t, s.Output())
		require.NoError(t, s.Reconnect(start), "nothing to do")
		require.NoError(t, s.Disconnect(start))
		require.NoError(t, s.Disconnect(start), "again")
		require.Equal(t, Disabled, s.State())
		require.False(t, m.SwitchOn(start), "not armed")
		require.Zero(t, m.Rate(start))
		later := start.Add(time.Hour)
		require.Equal(t, m.Reading(start), m.Reading(later))
		require.NoError(t, m.Reconnect(later))
		require.Equal(t, c.after, m.Supply(later))
		require.True(t, m.SwitchOn(later))
		require.Positive(t, m.Rate(later))
		require.Greater(t, m.Reading(later.Add(time.Hour)), m.Reading(later))
		require.Error(t, s.SetMode(start, 4))
		require.NoError(t, m.Arm(later.Add(time.Hour)), "it is on")
		require.NoError(t, m.Disconnect(later.Add(time.Hour)))
		require.NoError(t, m.Arm(later.Add(time.Hour)))
		require.Equal(t, Armed, m.Supply(later.Add(2*time.Hour)))
	}
}

// The register never runs back and is exact whatever the switch does.
func TestReadingOverRandomSwitching(t *testing.T) {
	m := meter(t, firmware.ESME, false)
	r := rand.New(rand.NewSource(3))
	at, sum := start, m.Reading(start)
	on := true
	for range 400 {
		next := at.Add(time.Duration(1+r.Intn(20000)) * time.Second)
		if on {
			sum += m.cfg.Use.Between(at, next)
		}
		at = next
		require.Equal(t, sum, m.Reading(at))
		if r.Intn(2) == 0 {
			if on {
				require.NoError(t, m.Disconnect(at))
			} else {
				require.NoError(t, m.Reconnect(at))
			}
			on = !on
		}
	}
}

// A meter whose memory is full refuses to be changed, and goes on measuring.
func TestChangedTooOften(t *testing.T) {
	m := meter(t, firmware.ESME, false)
	for i := range maxActs {
		require.NoError(t, m.Adjust(start.Add(time.Duration(i)*time.Second), 1))
	}
	at := start.Add(maxActs * time.Second)
	require.Error(t, m.Adjust(at, 1))
	require.Error(t, m.Disconnect(at))
	require.Error(t, m.SetMode(at, prepay.Prepayment))
	require.Equal(t, Enabled, m.Supply(at))
	require.Greater(t, m.Reading(at.Add(time.Hour)), m.Reading(at))
}

// However often somebody looks, the balance comes out the same, and money is
// conserved to the unit.
func TestBalanceIsConserved(t *testing.T) {
	m, lazy := meter(t, firmware.ESME, true), meter(t, firmware.ESME, true)
	r := rand.New(rand.NewSource(4))
	at, credit := start, int64(1_000_000)
	for range 300 {
		at = at.Add(time.Duration(r.Intn(40000)) * time.Second)
		if r.Intn(3) == 0 {
			credit += 5_000_000
			require.NoError(t, m.Adjust(at, 5_000_000))
			require.NoError(t, lazy.Adjust(at, 5_000_000))
			_ = m.SwitchOn(at)
			_ = lazy.SwitchOn(at)
		}
		m.Balance(at)
		require.Zero(t, m.At(at).Account.Conserved())
	}
	used := (m.Reading(at) - m.Reading(start)) * 17_500
	days := at.Unix()/86400 - start.Unix()/86400
	a := m.At(at).Account
	require.Equal(t, credit, a.Balance-a.Accumulated+used/1000+days*24_000)
	require.Equal(t, a, lazy.At(at).Account)
	require.Equal(t, m.Reading(at), lazy.Reading(at))
}

func TestBalanceLimits(t *testing.T) {
	m := meter(t, firmware.ESME, true)
	require.Error(t, m.Adjust(start, prepay.MaxBalance))
	require.Error(t, m.Adjust(start, -2*prepay.MaxBalance))
	require.EqualValues(t, 1_000_000, m.Balance(start))
}

func TestPoint(t *testing.T) {
	m := meter(t, firmware.ESME, false)
	require.Equal(t, "1012345678909", m.MPxN())
	for _, bad := range []string{"", "101234567890", "10123456789091", "10123456789AB"} {
		require.Error(t, m.setMPxN(bad), bad)
	}
	require.NoError(t, m.setMPxN("2012345678900"))
	require.Equal(t, "2012345678900", m.MPxN())
	g := meter(t, firmware.GSME, false)
	require.Error(t, g.setMPxN("12345"))
	require.NoError(t, g.setMPxN("123456"))
}

// What was done to a meter survives, and so does all that follows from it; the log is
// not written twice.
func TestSectionsRoundTrip(t *testing.T) {
	m := meter(t, firmware.ESME, false)
	require.Empty(t, m.AppendSections(nil), "nothing differs from birth")
	require.NoError(t, m.setMPxN("2012345678900"))
	require.NoError(t, m.setMessage("Your meter reader comes on Monday"))
	require.NoError(t, m.setCustomer("0000012345"))
	require.NoError(t, m.SetMode(start, prepay.Prepayment))
	require.NoError(t, m.SetMode(start, prepay.Prepayment), "again")
	require.Error(t, m.SetMode(start, 3))
	require.NoError(t, m.SetCalendar(start, tariff.Economy7("E7")))
	require.NoError(t, m.SetPrices(start, &tariff.Prices{Standing: 1, TOU: []int64{1, 2}, Thresholds: [][3]int64{{5, 6, 7}}, Block: [4][]int64{{1}, {2}, {3}, {4}}}))
	require.NoError(t, m.SetFriendly(start, tariff.Economy7("FRIENDLY")))
	require.NoError(t, m.SetLimit(start, Limit{Threshold: 8000, Over: 60, Restore: 300, Cuts: true}))
	require.NoError(t, m.Configure(start, func(c *prepay.Config) error { c.EmergencyLimit = 5; c.Daily[1] = true; return nil }))
	require.NoError(t, m.SetDebt(start, 2, 77))
	require.NoError(t, m.SetBilling(start, 3))
	require.NoError(t, m.Disconnect(start))
	require.NoError(t, m.Reconnect(start.Add(time.Hour)))
	m.plan(start.Add(time.Hour), start.AddDate(0, 1, 0), actCalendar, calendarText(tariff.Flat("LATER")))
	nv := &core.Memory{}
	m.Settle(start.Add(2 * time.Hour))
	require.NoError(t, m.Flush(nv))
	n := meter(t, firmware.ESME, false)
	require.NoError(t, n.Restore(start.Add(2*time.Hour), nv))
	require.Equal(t, m.AppendSections(nil), n.AppendSections(nil))
	require.Equal(t, Armed, n.Supply(start.Add(2*time.Hour)))
	require.Equal(t, m.Log().Entries(), n.Log().Entries()[:len(m.Log().Entries())], "and a power-up")
	at := start.AddDate(0, 2, 0)
	require.Equal(t, m.At(at).Account, n.At(at).Account)
	require.Equal(t, "LATER", n.At(at).Calendar.Name)
	require.Equal(t, m.Reading(at), n.Reading(at))
	require.Equal(t, "prepayment", n.Mode(at).String())

	whole, _ := nv.Load(m.EUI.String())
	for i := range whole {
		require.NoError(t, nv.Save(m.EUI.String(), whole[:i]))
		if i == 0 {
			continue // nothing saved is a meter as it was born
		}
		x := meter(t, firmware.ESME, false)
		if err := x.Restore(start, nv); err == nil {
			// A record cut between two sections is a shorter record.
			require.LessOrEqual(t, len(x.acts), len(m.acts))
		}
	}
}
