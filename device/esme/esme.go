// Package esme is the electricity meter: active energy in and out, power, voltage,
// a profile of half hours and one of days, the supply switch and the account,
// all as COSEM objects. Its logical names are those of IEC 62056-6-1 (recalled);
// makers' own object lists were not published. The package may change.
package esme

import (
	"fmt"
	"time"

	"smets1/device/core"
	"smets1/device/household"
	"smets1/device/meter"
	"smets1/device/profile"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
)

// The logical names of an ESME.
var (
	ImportName      = cosem.MustOBIS("1-0:1.8.0.255")
	ExportName      = cosem.MustOBIS("1-0:2.8.0.255")
	IntervalName    = cosem.MustOBIS("1-0:1.29.0.255") // energy of the last half hour
	PowerImportName = cosem.MustOBIS("1-0:1.7.0.255")
	PowerExportName = cosem.MustOBIS("1-0:2.7.0.255")
	VoltageName     = cosem.MustOBIS("1-0:32.7.0.255")
	ProfileName     = cosem.MustOBIS("1-0:99.1.0.255")
	DailyName       = cosem.MustOBIS("1-0:99.2.0.255")
)

// Config is what an ESME is beside its birth.
type Config struct {
	meter.Config
	Export household.Curve // of the panels on the roof; the zero Curve for none
}

// Meter is an ESME. It is used by one goroutine at a time.
type Meter struct {
	meter.Meter
	export household.Curve
	from   time.Time
	volts  int64 // tenths, around which the voltage moves
}

// New makes an ESME. model comes from Model with the profile of the birth.
func New(b core.Birth, c Config, model *server.Model, f core.Faults) *Meter {
	m := &Meter{export: c.Export, from: c.Installed, volts: 2380 + int64(b.Secret[0]%60)}
	m.Init(b, c.Config, model, m, f)
	return m
}

// Export is the export register at a time, in Wh. With the supply off nothing is exported.
func (m *Meter) Export(now time.Time) int64 {
	return max(m.export.Between(m.from, now)-m.Supply().Forgone(m.export, now), 0)
}

// Interval is what was imported in the half hour that ended last before a time, in Wh.
func (m *Meter) Interval(now time.Time) int64 {
	end := now.Truncate(halfHour)
	return m.Reading(end) - m.Reading(end.Add(-halfHour))
}

// Voltage at a time, in tenths of a volt. It sags under load.
func (m *Meter) Voltage(now time.Time) int64 { return m.volts - m.Rate(now)/200 }

const halfHour = 30 * time.Minute

// Model is the type of an ESME of a profile: shared by all of them.
func Model(p *profile.Profile) (*server.Model, error) {
	assoc, err := core.Associations(p.ESME.DLMS)
	if err != nil {
		return nil, fmt.Errorf("profile %s: esme: %w", p.Name, err)
	}
	wh := server.ScalerUnit{Unit: cosem.UnitWattHour}
	power := func(name cosem.OBIS, f func(*Meter, time.Time) int64) server.Object {
		return server.Register(name, server.Value{Access: core.Private, Get: server.Uint32(func(c *server.Call) uint32 {
			return uint32(f(of(c), c.Now))
		})}, server.ScalerUnit{Unit: cosem.UnitWatt}, server.Method{})
	}
	reading := func(c *server.Call, at time.Time) int64 { return of(c).Reading(at) }
	interval := func(c *server.Call, at time.Time) int64 { return of(c).Interval(at) }
	export := func(c *server.Call, at time.Time) int64 { return of(c).Export(at) }
	objects := append(core.Objects(core.MeterFirmware), meter.Objects()...)
	objects = append(objects,
		meter.Cumulative(ImportName, wh, reading),
		meter.Cumulative(ExportName, wh, export),
		meter.Cumulative(IntervalName, wh, interval),
		power(PowerImportName, (*Meter).Rate),
		power(PowerExportName, (*Meter).ExportPower),
		server.Register(VoltageName, server.Value{Access: core.Private, Get: server.Uint16(func(c *server.Call) uint16 {
			return uint16(of(c).Voltage(c.Now))
		})}, server.ScalerUnit{Scaler: -1, Unit: cosem.UnitVolt}, server.Method{}),
		meter.Log{
			Name: ProfileName, Period: halfHour, Capacity: meter.HalfHours,
			Columns: []meter.LogColumn{{Register: ImportName, Read: reading}, {Register: IntervalName, Read: interval}, {Register: ExportName, Read: export}},
		}.Object(),
		meter.Log{
			Name: DailyName, Period: 24 * time.Hour, Capacity: meter.Days,
			Columns: []meter.LogColumn{{Register: ImportName, Read: reading}, {Register: ExportName, Read: export}},
		}.Object(),
	)
	return server.NewModel(server.Config{
		Name: p.ESME.Manufacturer + " " + p.ESME.Model, Associations: assoc, Objects: objects,
	})
}

// ExportPower is what the panels feed into the network, in W.
func (m *Meter) ExportPower(now time.Time) int64 {
	if m.Supply().State() != meter.Enabled {
		return 0
	}
	return m.export.Power(now)
}

func of(c *server.Call) *Meter { return server.State[*Meter](c) }
