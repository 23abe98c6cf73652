package esme

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/device/household"
	"smets1/device/meter"
	"smets1/device/profile"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
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

// Every attribute that may be read is one well-formed Data, for every make.
func TestEveryAttributeReads(t *testing.T) {
	for _, name := range profile.Builtin().Names() {
		m := newMeter(t, name)
		n := 0
		for _, o := range m.Device.Model.Objects() {
			for _, a := range o.Attrs {
				if a.Get == nil || o.Class == cosem.ClassAssociationLN {
					continue
				}
				b, err := m.Device.Get(start, cosem.Attribute{Class: o.Class, Instance: o.Instance, ID: a.ID}, nil)
				require.NoError(t, err, "%v attribute %d", o.Instance, a.ID)
				size, err := axdr.Skip(b)
				require.NoError(t, err, "%v attribute %d", o.Instance, a.ID)
				require.Len(t, b, size)
				n++
			}
		}
		require.Greater(t, n, 60)
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
