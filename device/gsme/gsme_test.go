package gsme

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/device/household"
	"smets1/device/meter"
	"smets1/device/point/pointtest"
	"smets1/device/profile"
	"smets1/device/tariff"
	"smets1/firmware"
	"smets1/internal/wire"
)

var start = time.Date(2019, 1, 15, 12, 10, 0, 0, time.UTC)

// Every attribute of every object and cluster is read for every make, by both paths; and listed.
func TestTheTwoPathsAgree(t *testing.T) {
	for _, name := range profile.Builtin().Names() {
		p, _ := profile.Builtin().Get(name)
		model, err := Model(p)
		require.NoError(t, err)
		m := New(core.Birth{
			Kind: firmware.GSME, EUI: wire.MustEUI64("00-DB-12-34-56-78-90-A2"), Profile: p, Make: p.GSME, Start: start, Firmware: p.GSME.Newest(),
		}, meter.Config{Use: household.Gas(1, 2900), Installed: start.AddDate(-2, 0, 0), Prices: &tariff.Prices{TOU: []int64{4200}}, Balance: 1_000_000}, model, core.Faults{})
		objects, attributes, compared := pointtest.Agree(t, m, &m.Device, Points(m.Make), start)
		require.Greater(t, objects, 300)
		require.Greater(t, attributes, 60)
		require.Greater(t, compared, 40)
		require.Greater(t, pointtest.Listed(t, &m.Device, start), 80)
		later := start.Add(24 * time.Hour)
		spent := Energy(m.Reading(later)) - Energy(m.Reading(start))
		require.Equal(t, 1_000_000-spent*4200/1000, m.Balance(later))
		require.NoError(t, m.Disconnect(later))
		require.NoError(t, m.Reconnect(later))
		require.Equal(t, meter.Armed, m.Supply(later), "a valve is opened by hand")
		pointtest.Agree(t, m, &m.Device, Points(m.Make), later)
		require.False(t, m.BatteryLow(later))
		old := later.AddDate(14, 6, 0)
		require.True(t, m.BatteryLow(old))
		require.Less(t, m.BatteryDays(old), m.BatteryDays(later))
	}
}

// A cubic metre of gas of 39.5 MJ/m³ is 11.22 kWh.
func TestEnergy(t *testing.T) {
	require.EqualValues(t, 11_220, Energy(1000))
	require.Zero(t, Energy(0))
}
