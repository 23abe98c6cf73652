// Package gsme is the gas meter: volume, calorific value and conversion, a profile
// of half hours and one of days, the valve and the account, as COSEM objects. A
// gas meter of this generation speaks ZigBee on the HAN (recalled); that the hub
// reaches it by DLMS through the same tunnel as the electricity meter is ours. The
// package may change.
package gsme

import (
	"fmt"
	"time"

	"smets1/device/core"
	"smets1/device/meter"
	"smets1/device/profile"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
)

// The logical names of a GSME.
var (
	VolumeName     = cosem.MustOBIS("7-0:3.0.0.255")
	CalorificName  = cosem.MustOBIS("7-0:54.0.0.255")
	ConversionName = cosem.MustOBIS("7-0:52.0.0.255")
	ProfileName    = cosem.MustOBIS("7-0:99.1.0.255")
	DailyName      = cosem.MustOBIS("7-0:99.2.0.255")
)

const (
	// calorific value in Wh/m³: 39.5 MJ/m³, the middle of what is supplied in
	// Great Britain (recalled).
	calorific = 10972
	// conversion to standard conditions, in 1e-5: the 1.02264 of the gas
	// (calculation of thermal energy) regulations (published).
	conversion = 102264
)

// Energy turns litres into Wh.
func Energy(litres int64) int64 { return litres * (conversion * calorific / 1000) / 100_000 }

// Meter is a GSME. It is used by one goroutine at a time.
type Meter struct {
	meter.Meter
}

// New makes a GSME. model comes from Model with the profile of the birth. The
// register counts litres.
func New(b core.Birth, c meter.Config, model *server.Model, f core.Faults) *Meter {
	m := &Meter{}
	c.Energy, c.ArmsOnly = Energy, true
	m.Init(b, c, model, m, f)
	return m
}

const halfHour = 30 * time.Minute

// Model is the type of a GSME of a profile: shared by all of them.
func Model(p *profile.Profile) (*server.Model, error) {
	assoc, err := core.Associations(p.GSME.DLMS)
	if err != nil {
		return nil, fmt.Errorf("profile %s: gsme: %w", p.Name, err)
	}
	fixed := func(name cosem.OBIS, v uint32, s server.ScalerUnit) server.Object {
		return server.Register(name, server.Value{Access: core.Private, Get: server.Fixed(axdr.Uint32(v))}, s, server.Method{})
	}
	reading := func(c *server.Call, at time.Time) int64 { return meter.Of(c).Reading(at) }
	log := func(name cosem.OBIS, period time.Duration, n int) server.Object {
		return meter.Log{Name: name, Period: period, Capacity: n, Columns: []meter.LogColumn{{Register: VolumeName, Read: reading}}}.Object()
	}
	objects := append(core.Objects(core.MeterFirmware), meter.Objects()...)
	objects = append(objects,
		meter.Cumulative(VolumeName, server.ScalerUnit{Scaler: -3, Unit: cosem.UnitCubicMetre}, reading),
		fixed(CalorificName, calorific, server.ScalerUnit{Unit: unitWhPerCubicMetre}),
		fixed(ConversionName, conversion, server.ScalerUnit{Scaler: -5, Unit: cosem.UnitNone}),
		log(ProfileName, halfHour, meter.HalfHours),
		log(DailyName, 24*time.Hour, meter.Days),
	)
	return server.NewModel(server.Config{
		Name: p.GSME.Manufacturer + " " + p.GSME.Model, Associations: assoc, Objects: objects,
	})
}

// unitWhPerCubicMetre is the unit of a calorific value (published, Blue Book).
const unitWhPerCubicMetre cosem.Unit = 60
