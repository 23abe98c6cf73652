package esme

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/device/household"
	"smets1/device/meter"
	"smets1/device/point/pointtest"
	"smets1/device/prepay"
	"smets1/device/profile"
	"smets1/device/tariff"
	"smets1/firmware"
	"smets1/internal/wire"
)

var start = time.Date(2019, 7, 15, 12, 10, 0, 0, time.UTC)

func newMeter(t testing.TB, name string) *Meter {
	t.Helper()
	p, ok := profile.Builtin().Get(name)
	require.True(t, ok)
	m, err := Model(p)
	require.NoError(t, err)
	return New(core.Birth{
		Kind: firmware.ESME, EUI: wire.MustEUI64("00-DB-12-34-56-78-90-A1"), Profile: p, Make: &p.ESME, Start: start, Firmware: p.ESME.Newest(),
	}, Config{
		Config: meter.Config{Use: household.Electricity(1, 7400), Installed: start.AddDate(-2, 0, 0), First: 12},
		Export: household.Solar(1, 6000),
	}, m, core.Faults{})
}

// Every attribute of every object and cluster is read for every make, by both paths,
// as the meter was born and after it was changed in every way; and listed.
func TestTheTwoPathsAgree(t *testing.T) {
	for _, name := range profile.Builtin().Names() {
		m := newMeter(t, name)
		points := Points(m.Make, m.Profile.Has(profile.QuirkDualElement))
		objects, attributes, compared := pointtest.Agree(t, m, &m.Device, points, start)
		require.Greater(t, objects, 400)
		require.Greater(t, attributes, 100)
		require.Greater(t, compared, 50)
		require.Greater(t, pointtest.Listed(t, &m.Device, start), 100)

		at := start.AddDate(0, 2, 3)
		require.NoError(t, m.SetMode(at, prepay.Prepayment))
		require.NoError(t, m.SetBalance(at, 1_234_567))
		require.NoError(t, m.SetDebt(at, 0, 44_000))
		require.NoError(t, m.Configure(at, func(c *prepay.Config) error {
			*c = prepay.Config{LowCredit: 1, EmergencyLimit: 2, EmergencyThreshold: 3, MaxBalance: 9_000_000, MaxTopUp: 5_000_000, PaymentShare: 6, PaymentCap: 7, Rate: [2]int64{8, 9}}
			return nil
		}))
		require.NoError(t, m.SetCalendar(at, tariff.Economy7("E7")))
		require.NoError(t, m.SetPrices(at, &tariff.Prices{Standing: 20_000, TOU: []int64{9_000, 18_000}, Thresholds: [][3]int64{{10, 20, 30}}, Block: [4][]int64{{1}, {2}, {3}, {4}}}))
		require.NoError(t, m.SetLimit(at, meter.Limit{Threshold: 9000, Over: 60, Restore: 60}))
		code, err := m.VendingKey().Code(prepay.Token{Kind: prepay.Vend, Value: 1500, Counter: 3})
		require.NoError(t, err)
		_, why := m.EnterCode(at, code, meter.Keypad)
		require.Equal(t, prepay.Accepted, why)
		require.NoError(t, m.Disconnect(at))
		pointtest.Agree(t, m, &m.Device, points, at.Add(36*time.Hour))
	}
}

func TestRegisters(t *testing.T) {
	m := newMeter(t, "foc-mesh")
	later := start.Add(30 * time.Minute)
	half := start.Truncate(30 * time.Minute).Add(30 * time.Minute)
	require.Equal(t, m.Reading(half)-m.Reading(half.Add(-30*time.Minute)), m.Interval(later))
	var sum int64
	for x := range 180 {
		sum += m.Rate(half.Add(time.Duration(x-180) * 10 * time.Second))
	}
	require.InDelta(t, 2*m.Interval(later), sum/180, 4, "power is the slope of the register")
	require.Positive(t, m.ExportPower(start), "noon in July")
	require.Greater(t, m.Export(later), m.Export(start))
	require.InDelta(t, 2400, m.Voltage(start), 90)
	n := testing.AllocsPerRun(100, func() { m.Reading(later) })
	require.Zero(t, n)
}
