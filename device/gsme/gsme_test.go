package gsme

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/device/household"
	"smets1/device/meter"
	"smets1/device/profile"
	"smets1/device/tariff"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/firmware"
	"smets1/internal/wire"
)

var start = time.Date(2019, 1, 15, 12, 10, 0, 0, time.UTC)

// Every attribute that may be read is one well-formed Data, for every make.
func TestEveryAttributeReads(t *testing.T) {
	for _, name := range profile.Builtin().Names() {
		p, _ := profile.Builtin().Get(name)
		model, err := Model(p)
		require.NoError(t, err)
		m := New(core.Birth{
			Kind: firmware.GSME, EUI: wire.MustEUI64("00-DB-12-34-56-78-90-A2"), Profile: p, Make: p.GSME, Start: start, Firmware: p.GSME.Newest(),
		}, meter.Config{Use: household.Gas(1, 2900), Installed: start.AddDate(-2, 0, 0), Prices: &tariff.Prices{TOU: []int64{4200}}, Balance: 1_000_000}, model, core.Faults{})
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
		require.Greater(t, n, 50)
		later := start.Add(24 * time.Hour)
		spent := Energy(m.Reading(later)) - Energy(m.Reading(start))
		require.Equal(t, 1_000_000-spent*4200/1000, m.Balance(later))
	}
}

// A cubic metre of gas of 39.5 MJ/m³ is 11.22 kWh.
func TestEnergy(t *testing.T) {
	require.EqualValues(t, 11_220, Energy(1000))
	require.Zero(t, Energy(0))
}
