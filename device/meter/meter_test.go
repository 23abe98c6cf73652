package meter

import (
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/device/household"
	"smets1/device/profile"
	"smets1/dlms/server"
	"smets1/firmware"
	"smets1/internal/wire"
)

var start = time.Date(2019, 7, 15, 7, 0, 0, 0, time.UTC)

func meter(t testing.TB, kind core.Kind, prepay bool) *Meter {
	t.Helper()
	p, _ := profile.Builtin().Get("ioc-dlms")
	d := &p.ESME
	if kind == firmware.GSME {
		d = p.GSME
	}
	assoc, err := core.Associations(d.DLMS)
	require.NoError(t, err)
	model, err := server.NewModel(server.Config{Associations: assoc, Objects: append(core.Objects(core.MeterFirmware), Objects()...)})
	require.NoError(t, err)
	m := &Meter{}
	m.Init(core.Birth{
		Kind: kind, EUI: wire.MustEUI64("00-DB-12-34-56-78-90-A1"), Profile: p, Make: d, Prepayment: prepay, Start: start, MPxN: "1012345678909",
	}, Config{
		Use: household.Electricity(5, 7400), Installed: start.AddDate(-2, 0, 0), First: 100, Balance: 1_000_000, Price: 17_500, Standing: 24_000,
		ArmsOnly: kind == firmware.GSME,
	}, model, m, core.Faults{})
	return m
}

func TestSupply(t *testing.T) {
	for _, c := range []struct {
		kind   core.Kind
		prepay bool
		after  uint8
		mode   uint8
	}{{firmware.ESME, false, Enabled, 2}, {firmware.ESME, true, Armed, 1}, {firmware.GSME, false, Armed, 1}} {
		m := meter(t, c.kind, c.prepay)
		s := switcher{m}
		require.Equal(t, c.mode, s.Mode())
		require.True(t, s.Output())
		require.NoError(t, s.Reconnect(start), "nothing to do")
		require.Equal(t, Enabled, s.State())
		require.NoError(t, s.Disconnect(start))
		require.NoError(t, s.Disconnect(start), "again")
		require.Equal(t, Disabled, s.State())
		require.False(t, m.SwitchOn(start), "not armed")
		require.Zero(t, m.Rate(start))
		later := start.Add(time.Hour)
		require.Equal(t, m.Reading(start), m.Reading(later))
		require.NoError(t, s.Reconnect(later))
		require.Equal(t, c.after, s.State())
		require.True(t, m.SwitchOn(later))
		require.Positive(t, m.Rate(later))
		require.Greater(t, m.Reading(later.Add(time.Hour)), m.Reading(later))
		require.Error(t, s.SetMode(start, 4))
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
				require.NoError(t, switcher{m}.Disconnect(at))
			} else {
				require.NoError(t, switcher{m}.Reconnect(at))
			}
			on = !on
		}
	}
}

func TestSwitchingTooOften(t *testing.T) {
	m := meter(t, firmware.ESME, false)
	at := start
	for range maxGaps {
		require.NoError(t, switcher{m}.Disconnect(at))
		require.NoError(t, switcher{m}.Reconnect(at))
		at = at.Add(time.Second)
	}
	require.Error(t, switcher{m}.Disconnect(at))
	require.Equal(t, Enabled, m.Supply().State())
}

// Settling more often costs nobody anything, and money is conserved to the unit.
func TestBalanceIsConserved(t *testing.T) {
	m, lazy := meter(t, firmware.ESME, true), meter(t, firmware.ESME, true)
	r := rand.New(rand.NewSource(4))
	at, credit := start, int64(1_000_000)
	for range 300 {
		at = at.Add(time.Duration(r.Intn(40000)) * time.Second)
		if r.Intn(3) == 0 {
			credit += 500_000
			require.NoError(t, m.addCredit(at, 500_000))
			require.NoError(t, lazy.addCredit(start, 500_000))
		} else {
			m.settle(&m.acct, at)
		}
		used := (m.Reading(at) - m.Reading(start)) * 17_500
		days := at.Unix()/86400 - start.Unix()/86400
		require.Equal(t, credit, m.Balance(at)+used/1000+days*24_000)
		require.Equal(t, m.Balance(at), lazy.Balance(at))
	}
}

func TestBalanceLimits(t *testing.T) {
	m := meter(t, firmware.ESME, true)
	require.Error(t, m.addCredit(start, maxBalance))
	require.Error(t, m.addCredit(start, -2*maxBalance))
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

func TestSectionsRoundTrip(t *testing.T) {
	m := meter(t, firmware.ESME, false)
	require.Empty(t, m.AppendSections(nil), "nothing differs from birth")
	require.NoError(t, m.setMPxN("2012345678900"))
	require.NoError(t, m.setMode(start, Prepayment))
	require.NoError(t, m.setMode(start, Prepayment), "again")
	require.Error(t, m.setMode(start, 3))
	require.NoError(t, switcher{m}.Disconnect(start))
	require.NoError(t, switcher{m}.Reconnect(start.Add(time.Hour)))
	nv := &core.Memory{}
	require.NoError(t, m.Flush(nv))
	n := meter(t, firmware.ESME, false)
	require.NoError(t, n.Restore(start.Add(2*time.Hour), nv))
	require.Equal(t, m.AppendSections(nil), n.AppendSections(nil))
	require.Equal(t, Armed, n.Supply().State())
	require.Equal(t, m.Reading(start.Add(9*time.Hour)), n.Reading(start.Add(9*time.Hour)))
	require.Equal(t, "prepayment", n.Mode().String())
	require.Equal(t, "credit", Credit.String())
}
