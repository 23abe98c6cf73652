package plan

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/migration/document"
)

// Notices are made of a schedule, follow it when it moves, and follow the meter to its new supplier.
func TestNotices(t *testing.T) {
	c := campaign(t, 40, 20)
	c.Assume = true
	s, err := Build(c)
	require.NoError(t, err)
	p := Publication{Portfolio: c.Portfolio, EPCL: c.EPCL, Calendar: c.Calendar, Schedule: s.Placements, Date: c.From, Contact: "desk@example.org"}
	first := p.Make()
	require.Empty(t, first.Late, "the schedule keeps the notice periods")
	var sent []Sent
	meters, upgrades := 0, 0
	for _, to := range first.Addressees() {
		for _, n := range first.Migration[to] {
			require.Equal(t, document.NoticeNew, n.Status)
			require.False(t, n.Planned.Before(c.From.AddDays(7)))
			in, ok := c.Portfolio.ByDevice(n.DeviceID)
			require.True(t, ok)
			require.Equal(t, document.Dormant, in.Status())
			sent = append(sent, Sent{to, n})
			meters++
		}
		for _, f := range first.Firmware[to] {
			require.False(t, f.PlannedStart.Before(c.From.AddDays(14)))
			require.Equal(t, "20.04 20.11", f.CurrentFirmware+" "+f.TargetFirmware)
			upgrades++
		}
		// What is made can be written and read as the document it is.
		var b bytes.Buffer
		require.NoError(t, document.WriteMigrationNotices(&b, specs(t), first.Migration[to]))
		name := document.NoticeName(document.KindDMMS, to.S1SP, to.Supplier, document.At(c.From.Time())).String()
		back, ps := document.ReadMigrationNotices(specs(t), name, &b)
		require.Empty(t, ps)
		require.Equal(t, first.Migration[to], back)
		if len(first.Firmware[to]) > 0 {
			b.Reset()
			require.NoError(t, document.WriteFirmwareNotices(&b, specs(t), first.Firmware[to]))
		}
	}
	require.Equal(t, 16, meters, "eight dormant homes of two meters")
	require.Equal(t, 4, upgrades)

	// Nothing has changed: nobody is told anything.
	p.Previous = sent
	require.Empty(t, p.Make().Addressees())

	// One home moves by a day, one meter changes supplier, one home is no longer planned.
	changed := append([]document.Placement{}, s.Placements...)
	var dormant []int
	for i, x := range changed {
		if x.Status == document.Dormant {
			dormant = append(dormant, i)
		}
	}
	changed[dormant[0]].Day = changed[dormant[0]].Day.AddDays(1)
	changed[dormant[1]].Day, changed[dormant[1]].Code = document.Date{}, "XPL03"
	mover := c.Portfolio.Installations[dormant[2]]
	e, _ := mover.Device(document.ESME)
	p.Registrations = document.NewRegistrations([]document.Registration{{Fuel: document.Electricity, MPxN: e.MPxN, Supplier: supplier(77), From: day("2019-01-01")}})
	p.Schedule = changed
	second := p.Make()
	got := map[string]int{}
	for to, ns := range second.Migration {
		for _, n := range ns {
			got[string(n.Status)]++
			if n.DeviceID == e.ID {
				require.Equal(t, map[bool]document.NoticeStatus{true: document.NoticeNew, false: document.NoticeCancelled}[to.Supplier == supplier(77)], n.Status)
			}
		}
	}
	require.Equal(t, map[string]int{"Rescheduled": 2, "Cancelled": 2 + 1, "New": 1}, got)

	// A supplier that is told too late cannot be noticed for the day.
	p.Date = changed[dormant[2]].Day.AddDays(-3)
	require.Contains(t, p.Make().Late, mover.ID)
	p.Schedule, p.Previous = nil, []Sent{sent[0], {sent[0].To, func() document.MigrationNotice { n := sent[0].Notice; n.Status = document.NoticeCancelled; return n }()}}
	require.Empty(t, p.Make().Addressees(), "cancelled already")
}
