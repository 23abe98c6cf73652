// Package esme is the electricity meter: energy in and out, reactive energy, time of
// use and block registers, a second element where the make has one, instantaneous
// values, maximum demand, voltage, load limit, half hours and days, switch, tariff
// and account, as COSEM objects and as ZigBee attributes of one model. Its logical
// names are those of IEC 62056-6-1 (recalled); makers' own object lists were not
// published. The package may change.
package esme

import (
	"encoding/binary"
	"fmt"
	"time"

	"smets1/device/core"
	"smets1/device/household"
	"smets1/device/meter"
	"smets1/device/point"
	"smets1/device/profile"
	"smets1/device/tariff"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
	"smets1/zigbee/node"
	"smets1/zigbee/zcl/se"
)

// The logical names of an ESME.
var (
	ImportName         = cosem.MustOBIS("1-0:1.8.0.255")
	ExportName         = cosem.MustOBIS("1-0:2.8.0.255")
	ReactiveImportName = cosem.MustOBIS("1-0:3.8.0.255")
	ReactiveExportName = cosem.MustOBIS("1-0:4.8.0.255")
	IntervalName       = cosem.MustOBIS("1-0:1.29.0.255") // energy of the last half hour
	PowerImportName    = cosem.MustOBIS("1-0:1.7.0.255")
	PowerExportName    = cosem.MustOBIS("1-0:2.7.0.255")
	ReactivePowerName  = cosem.MustOBIS("1-0:3.7.0.255")
	VoltageName        = cosem.MustOBIS("1-0:32.7.0.255")
	MeanVoltageName    = cosem.MustOBIS("1-0:32.24.0.255")
	CurrentName        = cosem.MustOBIS("1-0:31.7.0.255")
	PowerFactorName    = cosem.MustOBIS("1-0:13.7.0.255")
	FrequencyName      = cosem.MustOBIS("1-0:14.7.0.255")
	MaximumName        = cosem.MustOBIS("1-0:1.6.0.255")
	DemandName         = cosem.MustOBIS("1-0:1.4.0.255")
	LimitName          = cosem.MustOBIS("0-0:17.0.0.255")
	SupplyScriptName   = cosem.MustOBIS("0-0:10.0.106.255")
	OverVoltageName    = cosem.MustOBIS("1-0:32.36.0.255") // half hours above the threshold, in the log
	UnderVoltageName   = cosem.MustOBIS("1-0:32.32.0.255")
	OverThresholdName  = cosem.MustOBIS("1-0:32.35.0.4")
	UnderThresholdName = cosem.MustOBIS("1-0:32.31.0.4")
	LimitCounterName   = cosem.MustOBIS("0-0:94.44.34.40")
	ProfileName        = cosem.MustOBIS("1-0:99.1.0.255")
	ExportProfileName  = cosem.MustOBIS("0-0:99.1.1.255")
	ReactiveLogName    = cosem.MustOBIS("0-0:99.1.2.255")
	DailyUseName       = cosem.MustOBIS("0-0:99.1.3.255")
	VoltageLogName     = cosem.MustOBIS("1-0:99.12.1.255")
	QualityLogName     = cosem.MustOBIS("0-0:99.98.3.255")
	DailyName          = cosem.MustOBIS("1-0:99.2.0.255")
)

// SecondName is a register of the second element.
func SecondName(n int) cosem.OBIS { return cosem.OBIS{1, 1, 1, 8, byte(n), 255} }

// Config is what an ESME is beside its birth.
type Config struct {
	meter.Config
	Export household.Curve // of the panels on the roof; the zero Curve for none
}

// Meter is an ESME. It is used by one goroutine at a time.
type Meter struct {
	meter.Meter
	export household.Curve
}

// New makes an ESME. model comes from Model with the profile of the birth.
func New(b core.Birth, c Config, model *server.Model, f core.Faults) *Meter {
	m := &Meter{export: c.Export}
	m.Init(b, c.Config, model, m, f)
	return m
}

// Export is the export register at a time, in Wh. With the supply off nothing is exported.
func (m *Meter) Export(now time.Time) int64 {
	return m.Delivered(m.export, m.Installed(), now)
}

// Interval is what was imported in the half hour that ended last before a time, in Wh.
func (m *Meter) Interval(now time.Time) int64 {
	end := now.Truncate(halfHour)
	return m.Reading(end) - m.Reading(end.Add(-halfHour))
}

// ExportPower is what the panels feed into the network, in W.
func (m *Meter) ExportPower(now time.Time) int64 {
	if !m.Flows(now) {
		return 0
	}
	return m.export.Power(now)
}

// reactive is the share of reactive in active energy, in per cent: it is the
// household's, from its motors and lamps.
func (m *Meter) reactive() int64 { return 12 + int64(m.Secret[1]%24) }

// ReactiveImport is that register at a time, in varh.
func (m *Meter) ReactiveImport(now time.Time) int64 { return m.Reading(now) * m.reactive() / 100 }

// ReactiveExport is that register at a time, in varh: an inverter makes little.
func (m *Meter) ReactiveExport(now time.Time) int64 { return m.Export(now) * 4 / 100 }

// ReactivePower at a time, in var.
func (m *Meter) ReactivePower(now time.Time) int64 { return m.Rate(now) * m.reactive() / 100 }

// PowerFactor in thousandths.
func (m *Meter) PowerFactor() int64 {
	q := 10 * m.reactive()
	return 1_000_000 / root(1_000_000+q*q)
}

// root is the integer square root.
func root(n int64) int64 {
	r := int64(1)
	for range 40 {
		r = (r + n/r) / 2
	}
	return r
}

// Voltage at a time, in tenths of a volt. It sags under load.
func (m *Meter) Voltage(now time.Time) int64 {
	return m.feeder(now) - m.Rate(now)/200
}

// MeanVoltage of the half hour around a time.
func (m *Meter) MeanVoltage(at time.Time) int64 {
	start := at.Truncate(halfHour)
	f := m.Reading(start.Add(halfHour)) - m.Reading(start)
	return m.feeder(start) - 2*f/200
}

// The limits of the supply voltage, in tenths of a volt: 230 V and 10 % above, 6 % below (published, ESQCR).
const (
	overVoltage  = 2530
	underVoltage = 2162
)

// feeder is the voltage of the network: steady around the meter's own, lower in the
// evening when the street cooks, and once in a few weeks out of its limits for a half hour.
func (m *Meter) feeder(at time.Time) int64 {
	n := at.Unix() / 1800
	h := household.Noise(binary.BigEndian.Uint64(m.Secret[8:16]), uint64(n))
	v := 2380 + int64(m.Secret[0]%60) + int64(h%31) - 15
	if hour := at.UTC().Hour(); hour >= 16 && hour < 21 {
		v -= 25
	}
	switch h >> 8 % 1500 {
	case 0:
		v -= 300
	case 1:
		v += 110
	}
	return v
}

// Current at a time, in hundredths of an ampere.
func (m *Meter) Current(now time.Time) int64 {
	return m.Rate(now) * 1000 / m.PowerFactor() * 1000 / m.Voltage(now)
}

// Frequency at a time, in hundredths of a hertz.
func (m *Meter) Frequency(now time.Time) int64 {
	return 4994 + int64(household.Noise(50, uint64(now.Unix()/60))%13) // the same in all of Great Britain
}

// Quality are the half hours out of the limits of voltage, as far as the log goes back.
func (m *Meter) Quality(now time.Time) (rows []Quality) {
	end := now.Truncate(halfHour)
	for at := end.Add(-time.Duration(m.Make.Logs.Voltage) * halfHour); at.Before(end); at = at.Add(halfHour) {
		if at.Before(m.Installed()) {
			continue
		}
		if v := m.feeder(at); v < underVoltage+60 || v > overVoltage { // the load only lowers it
			if v = m.MeanVoltage(at); v < underVoltage || v > overVoltage {
				rows = append(rows, Quality{at, v})
			}
		}
	}
	return rows
}

// Quality is a half hour out of the limits, and its mean voltage in tenths of a volt.
type Quality struct {
	At      time.Time
	Voltage int64
}

// Over reports whether the voltage was too high.
func (q Quality) Over() bool { return q.Voltage > overVoltage }

func (m *Meter) qualities(now time.Time, over bool) (n int64) {
	for _, q := range m.Quality(now) {
		if q.Over() == over {
			n++
		}
	}
	return n
}

const halfHour = 30 * time.Minute

// Points are all single values of an ESME of a make.
func Points(d *profile.Device, dual bool) []point.Point[*Meter] {
	type p = point.Point[*Meter]
	energy := func(name string, o cosem.OBIS, unit cosem.Unit, get func(*Meter, time.Time) int64, z ...point.ZigBee) p {
		return p{Name: name, COSEM: point.Register(o, tagUint32, 0, unit), ZigBee: z, Get: func(m *Meter, now time.Time) point.Value { return point.Int(get(m, now)) }}
	}
	scaled := func(name string, o cosem.OBIS, scaler int8, unit cosem.Unit, get func(*Meter, time.Time) int64, z ...point.ZigBee) p {
		x := energy(name, o, unit, get, z...)
		x.COSEM = point.Register(o, tagUint16, scaler, unit)
		return x
	}
	metering := func(name string) point.ZigBee { return point.On(se.Metering, name) }
	list := []p{
		energy("Active Import Register", ImportName, cosem.UnitWattHour, (*Meter).Reading, metering("CurrentSummationDelivered")),
		energy("Energy of the last half hour", IntervalName, cosem.UnitWattHour, (*Meter).Interval),
		energy("Active Power Import", PowerImportName, cosem.UnitWatt, (*Meter).Rate, metering("InstantaneousDemand")),
		scaled("RMS Voltage", VoltageName, -1, cosem.UnitVolt, (*Meter).Voltage),
		scaled("Average RMS Voltage", MeanVoltageName, -1, cosem.UnitVolt, (*Meter).MeanVoltage),
		scaled("RMS Current", CurrentName, -2, cosem.UnitAmpere, (*Meter).Current),
		scaled("Power Factor", PowerFactorName, -3, cosem.UnitNone, func(m *Meter, _ time.Time) int64 { return m.PowerFactor() }, metering("PowerFactor").Scaled(1, 10)),
		scaled("Frequency", FrequencyName, -2, cosem.UnitHertz, (*Meter).Frequency),
	}
	if d.Has(profile.PartExport) {
		list = append(list,
			energy("Active Export Register", ExportName, cosem.UnitWattHour, (*Meter).Export, metering("CurrentSummationReceived")),
			energy("Active Power Export", PowerExportName, cosem.UnitWatt, (*Meter).ExportPower))
	}
	if d.Has(profile.PartReactive) {
		list = append(list,
			energy("Reactive Import Register", ReactiveImportName, cosem.UnitVarHour, (*Meter).ReactiveImport),
			energy("Reactive Export Register", ReactiveExportName, cosem.UnitVarHour, (*Meter).ReactiveExport),
			energy("Reactive Power Import", ReactivePowerName, cosem.UnitVar, (*Meter).ReactivePower))
	}
	if d.Has(profile.PartDemand) {
		list = append(list, demandPoints()...)
	}
	if d.Has(profile.PartVoltage) {
		list = append(list,
			scaled("Over-voltage Counter", OverVoltageName, 0, cosem.UnitNone, func(m *Meter, now time.Time) int64 { return m.qualities(now, true) }),
			scaled("Under-voltage Counter", UnderVoltageName, 0, cosem.UnitNone, func(m *Meter, now time.Time) int64 { return m.qualities(now, false) }),
			scaled("Over-voltage Threshold", OverThresholdName, -1, cosem.UnitVolt, func(*Meter, time.Time) int64 { return overVoltage }),
			scaled("Under-voltage Threshold", UnderThresholdName, -1, cosem.UnitVolt, func(*Meter, time.Time) int64 { return underVoltage }))
	}
	if d.Has(profile.PartLimit) {
		list = append(list, limitPoints()...)
	}
	if dual {
		for n := 1; n <= tariff.SecondTiers; n++ {
			list = append(list, energy(fmt.Sprintf("Secondary Tariff TOU Register %d", n), SecondName(n), cosem.UnitWattHour,
				func(m *Meter, now time.Time) int64 { return m.SecondRegisters(now)[n-1] }))
		}
	}
	common := meter.Points(d.Tariff.Registers, 1)
	if d.Has(profile.PartBlocks) && d.Tariff.Blocks > 1 {
		common = append(common, meter.BlockPoints(tariff.BlockTiers, d.Tariff.Blocks)...)
	}
	return append(list, point.Extend(common, func(m *Meter) *meter.Meter { return &m.Meter })...)
}

func demandPoints() []point.Point[*Meter] {
	at := point.Of(cosem.ClassExtendedRegister, MaximumName, 2, tagUint32)
	at.Unit = &server.ScalerUnit{Unit: cosem.UnitWatt}
	return []point.Point[*Meter]{
		{
			Name: "Maximum Demand Active Import", COSEM: at,
			ZigBee: []point.ZigBee{point.On(se.Metering, "CurrentMaxDemandDelivered")},
			Get:    func(m *Meter, now time.Time) point.Value { w, _ := m.Maximum(now); return point.Int(w) },
		},
		{
			Name: "Time of the Maximum Demand", COSEM: point.Of(cosem.ClassExtendedRegister, MaximumName, 5, tagDateTime),
			ZigBee: []point.ZigBee{point.On(se.Metering, "CurrentMaxDemandDeliveredTime")},
			Get:    func(m *Meter, now time.Time) point.Value { _, at := m.Maximum(now); return point.Time(at) },
		},
	}
}

func limitPoints() []point.Point[*Meter] {
	get := func(f func(l meter.Limit) int64) func(*Meter, time.Time) point.Value {
		return func(m *Meter, now time.Time) point.Value { return point.Int(f(m.At(now).Limit)) }
	}
	metering := func(name string) point.ZigBee { return point.On(se.Metering, name) }
	return []point.Point[*Meter]{
		{
			Name: "Load Limit Counter", COSEM: point.Data(LimitCounterName, tagUint16), ZigBee: []point.ZigBee{metering("LoadLimitCounter")},
			Get: func(m *Meter, now time.Time) point.Value { return point.Int(m.At(now).Limited % 256) },
		},
		{Name: "Load Limit Power Threshold", ZigBee: []point.ZigBee{metering("DemandLimit")}, Get: get(func(l meter.Limit) int64 { return l.Threshold })},
		{Name: "Load Limit Period", ZigBee: []point.ZigBee{metering("DemandLimitArmDuration")}, Get: get(func(l meter.Limit) int64 { return l.Over })},
		{Name: "Demand Integration Period", ZigBee: []point.ZigBee{metering("DemandIntegrationPeriod")}, Get: get(func(meter.Limit) int64 { return 30 })},
		{
			Name: "Active Power Import, mean of the half hour", ZigBee: []point.ZigBee{metering("CurrentDemandDelivered")},
			Get: func(m *Meter, now time.Time) point.Value { return point.Int(2 * m.Interval(now)) },
		},
	}
}

// Attributes are the ZigBee attributes of a cluster of an ESME of a profile.
func Attributes(p *profile.Profile, cluster se.Cluster, who func(*node.Call) *Meter) []node.Attribute {
	return point.Attributes(Points(&p.ESME, p.Has(profile.QuirkDualElement)), cluster, who)
}

func of(c *server.Call) *Meter { return server.State[*Meter](c) }
