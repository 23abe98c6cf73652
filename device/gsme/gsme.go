// Package gsme is the gas meter: volume, calorific value and conversion, energy, a
// profile of half hours and one of days, the network data log, battery, valve, tariff
// and account, as COSEM objects and as ZigBee attributes of one model. A gas meter of
// this generation speaks ZigBee on the HAN (recalled); that the hub reaches it by DLMS
// through the same tunnel as the electricity meter is ours. The package may change.
package gsme

import (
	"fmt"
	"time"

	"smets1/device/core"
	"smets1/device/meter"
	"smets1/device/point"
	"smets1/device/profile"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
	"smets1/zigbee/node"
	"smets1/zigbee/zcl/se"
)

// The logical names of a GSME.
var (
	VolumeName      = cosem.MustOBIS("7-0:3.0.0.255")
	EnergyName      = cosem.MustOBIS("7-0:33.0.0.255")
	IntervalName    = cosem.MustOBIS("7-0:3.29.0.255") // volume of the last half hour
	FlowName        = cosem.MustOBIS("7-0:43.0.0.255") // litres an hour
	CalorificName   = cosem.MustOBIS("7-0:54.0.0.255")
	ConversionName  = cosem.MustOBIS("7-0:52.0.0.255")
	BatteryName     = cosem.MustOBIS("0-0:96.6.1.255") // per cent that is left
	BatteryDaysName = cosem.MustOBIS("0-0:96.6.6.255")
	TamperStateName = cosem.MustOBIS("0-0:94.44.34.41") // what tampering does to the valve
	ProfileName     = cosem.MustOBIS("7-0:99.1.0.255")
	DailyName       = cosem.MustOBIS("7-0:99.2.0.255")
	DailyUseName    = cosem.MustOBIS("0-0:99.1.3.255")
	NetworkName     = cosem.MustOBIS("7-0:99.3.0.255")
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

// Interval is the volume of the half hour that ended last before a time, in litres.
func (m *Meter) Interval(now time.Time) int64 {
	end := now.Truncate(halfHour)
	return m.Reading(end) - m.Reading(end.Add(-halfHour))
}

const (
	halfHour = 30 * time.Minute
	// networkStep is the period of the network data log: 41 values, one every six
	// minutes, are four hours and both ends (size published, DUIS; meaning recalled).
	networkStep = 6 * time.Minute
	// batteryLife of a gas meter, in days: fifteen years (recalled).
	batteryLife = 15 * 365
	lowBattery  = 10 // per cent
)

// BatteryDays is how long the battery lasts yet.
func (m *Meter) BatteryDays(now time.Time) int64 {
	life := int64(batteryLife - int(m.Secret[2])) // no two are alike
	return max(life-int64(now.Sub(m.Installed())/(24*time.Hour)), 0)
}

// Battery is what is left of the battery, in per cent.
func (m *Meter) Battery(now time.Time) int64 { return m.BatteryDays(now) * 100 / batteryLife }

// BatteryLow reports whether the battery should be exchanged.
func (m *Meter) BatteryLow(now time.Time) bool { return m.Battery(now) <= lowBattery }

// status are the bits of the Metering cluster's Status of a gas meter (published): the
// low battery is bit 1.
func (m *Meter) status(now time.Time) int64 {
	if m.BatteryLow(now) {
		return 1 << 1
	}
	return 0
}

// Points are all single values of a GSME of a make.
func Points(d *profile.Device) []point.Point[*Meter] {
	type p = point.Point[*Meter]
	value := func(name string, c point.COSEM, get func(*Meter, time.Time) int64, z ...point.ZigBee) p {
		return p{Name: name, COSEM: c, ZigBee: z, Get: func(m *Meter, now time.Time) point.Value { return point.Int(get(m, now)) }}
	}
	metering := func(name string) point.ZigBee { return point.On(se.Metering, name) }
	volume := func(o cosem.OBIS) point.COSEM {
		return point.Register(o, axdr.TagUint32, -3, cosem.UnitCubicMetre)
	}
	fixed := func(n int64) func(*Meter, time.Time) int64 { return func(*Meter, time.Time) int64 { return n } }
	list := []p{
		value("Consumption Register", volume(VolumeName), (*Meter).Reading, metering("CurrentSummationDelivered")),
		value("Volume of the last half hour", volume(IntervalName), (*Meter).Interval),
		value("Energy", point.Register(EnergyName, axdr.TagUint32, 0, cosem.UnitWattHour), func(m *Meter, now time.Time) int64 { return Energy(m.Reading(now)) }),
		value("Flow", point.Register(FlowName, axdr.TagUint32, -3, unitCubicMetreHour), (*Meter).Rate),
		value("Calorific Value", point.Register(CalorificName, axdr.TagUint32, 0, unitWhPerCubicMetre), fixed(calorific), point.On(se.Price, "CalorificValue").Scaled(36, 10000)),
		value("Calorific Value unit", point.COSEM{}, fixed(1), point.On(se.Price, "CalorificValueUnit")),
		value("Calorific Value digits", point.COSEM{}, fixed(0), point.On(se.Price, "CalorificValueTrailingDigit")),
		value("Conversion Factor", point.Register(ConversionName, axdr.TagUint32, -5, cosem.UnitNone), fixed(conversion), point.On(se.Price, "ConversionFactor")),
		value("Conversion Factor digits", point.COSEM{}, fixed(0x50), point.On(se.Price, "ConversionFactorTrailingDigit")),
		value("Battery", point.Data(BatteryName, axdr.TagUint8), (*Meter).Battery, metering("RemainingBatteryLife")),
		value("Battery days", point.Data(BatteryDaysName, axdr.TagUint16), (*Meter).BatteryDays, metering("RemainingBatteryLifeInDays")),
		value("Supply Tamper State", point.Data(TamperStateName, axdr.TagUint8), fixed(0), metering("SupplyTamperState")),
		value("Status", point.COSEM{}, (*Meter).status, metering("Status")),
	}
	return append(list, point.Extend(meter.Points(d.Tariff.Registers, 7), common)...)
}

func common(m *Meter) *meter.Meter { return &m.Meter }

// Attributes are the ZigBee attributes of a cluster of a GSME of a profile.
func Attributes(p *profile.Profile, cluster se.Cluster, who func(*node.Call) *Meter) []node.Attribute {
	return point.Attributes(Points(p.GSME), cluster, who)
}

// Model is the type of a GSME of a profile: shared by all of them.
func Model(p *profile.Profile) (*server.Model, error) {
	d := p.GSME
	assoc, err := core.Associations(d.DLMS)
	if err != nil {
		return nil, fmt.Errorf("profile %s: gsme: %w", p.Name, err)
	}
	shared := meter.Points(d.Tariff.Registers, 7)
	own := Points(d)
	objects := append(core.Objects(core.MeterFirmware, d), point.Objects(own[:len(own)-len(shared)], of, core.Private, core.Managed)...)
	objects = append(objects, meter.Objects(d, shared, VolumeName)...)
	reading := func(c *server.Call, at time.Time) int64 { return of(c).Reading(at) }
	log := func(name cosem.OBIS, period time.Duration, n int) server.Object {
		return meter.Log{Name: name, Period: period, Capacity: n, Columns: []meter.LogColumn{{Register: VolumeName, Read: reading}}}.Object()
	}
	objects = append(objects,
		log(ProfileName, halfHour, d.Logs.HalfHours),
		log(DailyName, 24*time.Hour, d.Logs.Days),
		meter.Log{Name: DailyUseName, Period: 24 * time.Hour, Capacity: d.Logs.DailyUse, Columns: []meter.LogColumn{{
			Register: VolumeName, Read: func(c *server.Call, at time.Time) int64 {
				return of(c).Reading(at) - of(c).Reading(at.AddDate(0, 0, -1))
			},
		}}}.Object(),
	)
	if d.Has(profile.PartNetwork) {
		objects = append(objects, log(NetworkName, networkStep, d.Logs.Network))
	}
	return server.NewModel(server.Config{Name: d.Manufacturer + " " + d.Model, Associations: assoc, Objects: objects})
}

// Units that package cosem does not name (published, Blue Book).
const (
	unitCubicMetreHour  cosem.Unit = 15
	unitWhPerCubicMetre cosem.Unit = 60
)

func of(c *server.Call) *Meter { return server.State[*Meter](c) }
