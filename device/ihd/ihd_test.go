package ihd

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/device/esme"
	"smets1/device/gsme"
	"smets1/device/household"
	"smets1/device/meter"
	"smets1/device/prepay"
	"smets1/device/profile"
	"smets1/device/tariff"
	"smets1/firmware"
	"smets1/internal/wire"
)

var start = time.Date(2019, 1, 15, 17, 10, 0, 0, time.UTC)

func home(t testing.TB, account *prepay.Config) (*esme.Meter, *gsme.Meter) {
	t.Helper()
	p, _ := profile.Builtin().Get("moc-secure")
	em, err := esme.Model(p)
	require.NoError(t, err)
	gm, err := gsme.Model(p)
	require.NoError(t, err)
	birth := func(k core.Kind, d *profile.Device) core.Birth {
		return core.Birth{Kind: k, EUI: wire.MustEUI64("00-DB-12-34-56-78-90-A1"), Profile: p, Make: d, Start: start, Prepayment: account != nil}
	}
	c := meter.Config{Use: household.Electricity(3, 7400), Installed: start.AddDate(-1, 0, 0), Prices: &tariff.Prices{Standing: 24_000, TOU: []int64{17_500}}, Account: account, Balance: 1_000_000}
	g := c
	g.Use = household.Gas(3, 2900)
	return esme.New(birth(firmware.ESME, &p.ESME), esme.Config{Config: c}, em, core.Faults{}), gsme.New(birth(firmware.GSME, p.GSME), g, gm, core.Faults{})
}

func TestLook(t *testing.T) {
	e, g := home(t, &prepay.Config{LowCredit: 2_000_000, EmergencyLimit: 500_000, EmergencyThreshold: 3_000_000})
	now := start.Add(26 * time.Hour)
	s := Look(now, e, g)
	require.Equal(t, e.Rate(now.Truncate(ElectricityEvery)), s.Electricity.Power)
	require.Equal(t, s.Electricity.Power*17_500/1000, s.Electricity.PerHour)
	require.Equal(t, now.Truncate(GasEvery), s.Gas.At, "gas as the meter woke")
	require.Equal(t, g.Reading(s.Gas.At), s.Gas.Reading)
	require.Equal(t, e.Balance(now), s.Electricity.Balance)
	require.True(t, s.Electricity.Low)
	require.Equal(t, "available", s.Electricity.Emergency)
	require.Len(t, s.Electricity.Days, 8)
	day := func(n int) time.Time { return time.Date(2019, 1, n, 0, 0, 0, 0, time.UTC) }
	require.Equal(t, e.Reading(day(16))-e.Reading(day(15)), s.Electricity.Days[0])
	require.Equal(t, e.Reading(s.Electricity.At)-e.Reading(day(16)), s.Electricity.Periods[0].Used)
	require.Equal(t, 24_000+(e.Reading(now)-e.Reading(day(16)))*17_500/1000, s.Electricity.Periods[0].Cost)
	require.True(t, e.ActivateEmergency(now))
	s = Look(now, e, nil)
	require.Equal(t, "in use", s.Electricity.Emergency)
	require.Nil(t, s.Gas)
}

func TestWrite(t *testing.T) {
	e, g := home(t, nil)
	s := Look(start, e, g)
	s.Home, s.Model, s.Connected = "home", "Pipit", false
	s.Message = strings.Repeat("A message of the supplier. ", 6)
	var b bytes.Buffer
	require.NoError(t, s.Write(&b))
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for _, l := range lines {
		require.Len(t, []rune(l), width+2, l)
	}
	require.Contains(t, lines[1], "no signal")
	require.Contains(t, b.String(), "owed -£10.00")
	require.Equal(t, "-£0.05", Money(-5_999))
	require.Equal(t, "£12.34", Money(1_234_000))
	require.Equal(t, "high", ambient(2500, 500, 2500))
}
