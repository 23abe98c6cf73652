package esme

import (
	"fmt"
	"time"

	"smets1/device/core"
	"smets1/device/meter"
	"smets1/device/point"
	"smets1/device/profile"
	"smets1/device/tariff"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
)

const (
	tagUint16   = axdr.TagUint16
	tagUint32   = axdr.TagUint32
	tagDateTime = axdr.TagDateTime
)

// Model is the type of an ESME of a profile: shared by all of them.
func Model(p *profile.Profile) (*server.Model, error) {
	d := &p.ESME
	assoc, err := core.Associations(d.DLMS)
	if err != nil {
		return nil, fmt.Errorf("profile %s: esme: %w", p.Name, err)
	}
	objects := core.Objects(core.MeterFirmware, d)
	own := Points(d, p.Has(profile.QuirkDualElement))
	// Points of the common part are declared with their methods by package meter.
	common := meter.Points(d.Tariff.Registers, 1)
	if d.Has(profile.PartBlocks) && d.Tariff.Blocks > 1 {
		common = append(common, meter.BlockPoints(tariff.BlockTiers, d.Tariff.Blocks)...)
		objects = append(objects, meter.ThresholdObjects(tariff.BlockTiers, d.Tariff.Blocks, ImportName)...)
	}
	mine := point.Objects(own[:len(own)-len(common)], of, core.Private, core.Managed)
	for i := range mine {
		if mine[i].Instance == MaximumName {
			mine[i].Attrs = append(mine[i].Attrs, server.Attr{ID: 4, Access: core.Private, Get: server.Fixed(axdr.Null())})
			mine[i].Methods = []server.Method{{ID: 1, Access: core.Run, Do: server.Zero(func(c *server.Call) error { return of(c).ResetDemand(c.Now) })}}
		}
	}
	objects = append(objects, mine...)
	objects = append(objects, meter.Objects(d, common, ImportName)...)
	objects = append(objects, logs(d)...)
	if d.Has(profile.PartLimit) {
		objects = append(objects, limiter(), supplyScripts())
	}
	return server.NewModel(server.Config{Name: d.Manufacturer + " " + d.Model, Associations: assoc, Objects: objects})
}

// logs are the profiles of an ESME.
func logs(d *profile.Device) []server.Object {
	column := func(name cosem.OBIS, f func(*Meter, time.Time) int64) meter.LogColumn {
		return meter.LogColumn{Register: name, Read: func(c *server.Call, at time.Time) int64 { return f(of(c), at) }}
	}
	read := column(ImportName, (*Meter).Reading)
	hours := []meter.LogColumn{read, column(IntervalName, (*Meter).Interval)}
	daily := []meter.LogColumn{read}
	var list []server.Object
	if d.Has(profile.PartExport) {
		out := column(ExportName, (*Meter).Export)
		hours, daily = append(hours, out), append(daily, out)
		list = append(list, meter.Log{Name: ExportProfileName, Period: halfHour, Capacity: d.Logs.ExportHalfHours, Columns: []meter.LogColumn{out}}.Object())
	}
	if d.Has(profile.PartReactive) {
		list = append(list, meter.Log{Name: ReactiveLogName, Period: halfHour, Capacity: d.Logs.ExportHalfHours, Columns: []meter.LogColumn{
			column(ReactiveImportName, (*Meter).ReactiveImport), column(ReactiveExportName, (*Meter).ReactiveExport),
		}}.Object())
	}
	if d.Has(profile.PartVoltage) {
		list = append(list,
			meter.Log{Name: VoltageLogName, Period: halfHour, Capacity: d.Logs.Voltage, Columns: []meter.LogColumn{
				column(MeanVoltageName, func(m *Meter, at time.Time) int64 { return m.MeanVoltage(at.Add(-halfHour)) }),
			}}.Object(),
			meter.List(QualityLogName, []server.Column{{Attribute: cosem.Attribute{Class: cosem.ClassData, Instance: core.EventName, ID: 2}}, {Attribute: cosem.Attribute{Class: cosem.ClassRegister, Instance: MeanVoltageName, ID: 2}}}, d.Logs.Events, quality(d.Logs.Events)))
	}
	return append(list,
		meter.Log{Name: ProfileName, Period: halfHour, Capacity: d.Logs.HalfHours, Columns: hours}.Object(),
		meter.Log{Name: DailyName, Period: 24 * time.Hour, Capacity: d.Logs.Days, Columns: daily}.Object(),
		meter.Log{Name: DailyUseName, Period: 24 * time.Hour, Capacity: d.Logs.DailyUse, Columns: []meter.LogColumn{
			column(ImportName, func(m *Meter, at time.Time) int64 { return m.Reading(at) - m.Reading(at.AddDate(0, 0, -1)) }),
		}}.Object(),
	)
}

func quality(n int) func(c *server.Call) []meter.Record {
	return func(c *server.Call) (rows []meter.Record) {
		for _, q := range of(c).Quality(c.Now) {
			e := core.EventVoltageUnder
			if q.Over() {
				e = core.EventVoltageOver
			}
			rows = append(rows, meter.Record{At: q.At, Cells: []axdr.Value{axdr.Uint16(uint16(e)), axdr.Uint16(uint16(q.Voltage))}})
		}
		return rows[max(len(rows)-n, 0):]
	}
}

// Scripts of the limiter's actions.
const (
	scriptDisconnect = 1
	scriptReconnect  = 2
)

func supplyScripts() server.Object {
	script := func(id uint16, method int8) server.Script {
		return server.Script{ID: id, Actions: []server.Action{{Execute: true, Class: cosem.ClassDisconnectControl, Instance: meter.SupplyName, Index: method, Parameter: axdr.Int8(0)}}}
	}
	return server.ScriptTable(SupplyScriptName, core.Private, []server.Script{script(scriptDisconnect, 1), script(scriptReconnect, 2)})
}

// limiter is the load limit as class 71: the mean power of a half hour against a
// threshold. A threshold of 0 is none. The time under the threshold is how long the
// supply stays off; the action over the threshold is to disconnect, or none.
func limiter() server.Object {
	get := func(id int8, g server.Getter) server.Attr { return server.Attr{ID: id, Access: core.Private, Get: g} }
	field := func(id int8, f func(l *meter.Limit) *int64) server.Attr {
		return server.Attr{
			ID: id, Type: axdr.TagUint32, Access: core.Managed,
			Get: server.Uint32(func(c *server.Call) uint32 { l := of(c).At(c.Now).Limit; return uint32(*f(&l)) }),
			Set: server.SetInteger(func(c *server.Call, v int64) error {
				l := of(c).At(c.Now).Limit
				*f(&l) = v
				return result(of(c).SetLimit(c.Now, l))
			}),
		}
	}
	threshold := func(l *meter.Limit) *int64 { return &l.Threshold }
	script := func(id uint16) axdr.Value {
		return axdr.Structure(axdr.Octets(SupplyScriptName[:]), axdr.Uint16(id))
	}
	none := axdr.Structure(axdr.Octets(make([]byte, 6)), axdr.Uint16(0))
	active := field(3, threshold)
	active.Set, active.Type, active.Access = nil, 0, core.Private
	return server.Object{
		Class: cosem.ClassLimiter, Instance: LimitName,
		Attrs: []server.Attr{
			get(2, server.Fixed(axdr.Structure(axdr.Uint16(uint16(cosem.ClassRegister)), axdr.Octets(PowerImportName[:]), axdr.Int8(2)))),
			active, field(4, threshold), get(5, server.Fixed(axdr.Uint32(0))),
			field(6, func(l *meter.Limit) *int64 { return &l.Over }), field(7, func(l *meter.Limit) *int64 { return &l.Restore }),
			get(8, server.Fixed(axdr.Structure(axdr.Uint16(0), axdr.DateTimeOctets(axdr.UnspecifiedDateTime), axdr.Uint32(0)))),
			get(9, server.Fixed(axdr.Array())), get(10, server.Fixed(axdr.Bool(false))),
			{
				ID: 11, Type: axdr.TagStructure, Access: core.Managed,
				Get: func(c *server.Call, b []byte) ([]byte, error) {
					v := axdr.Structure(none, none)
					if of(c).At(c.Now).Limit.Cuts {
						v = axdr.Structure(script(scriptDisconnect), script(scriptReconnect))
					}
					return v.AppendBinary(b)
				},
				Set: func(c *server.Call, raw []byte) error {
					r := axdr.NewReader(raw)
					r.Structure(2)
					r.Structure(2)
					table, id := cosem.ReadOBIS(&r), r.Uint16()
					r.Structure(2)
					cosem.ReadOBIS(&r)
					r.Uint16()
					if r.End("actions"); r.Err() != nil {
						return cosem.TypeUnmatched
					}
					cuts := table == SupplyScriptName && id == scriptDisconnect
					if !cuts && id != 0 {
						return cosem.OtherReason
					}
					l := of(c).At(c.Now).Limit
					l.Cuts = cuts
					return result(of(c).SetLimit(c.Now, l))
				},
			},
		},
	}
}

// result makes a data access result of the error of a command.
func result(err error) error {
	if err != nil {
		return cosem.TemporaryFailure
	}
	return nil
}
