package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// Whatever a client sends, what a server answers can be written and read again, and what it refuses has a status.
func FuzzDoers(f *testing.F) {
	shelf := &Shelf{}
	for _, m := range []se.Command{
		se.PublishPrice{Provider: 1, EventID: 1, Start: utc(-time.Hour), Duration: 600}, se.PublishPriceMatrix{TariffID: 7, Total: 1},
		se.PublishDayProfile{CalendarID: 4, DayID: 1}, se.PublishCalendar{CalendarID: 4}, se.DisplayMessage{ID: 1, Text: "hello"},
		se.LoadControlEvent{EventID: 1, Duration: 5, Criticality: 1}, se.UpdateSiteID{SiteID: []byte("1")},
	} {
		shelf.Put(m)
	}
	entries := []se.LogEntry{{Log: 1, Event: 1, Time: utc(0), Data: []byte("cover")}, {Log: 3, Event: 2, Time: utc(time.Hour)}}
	doers := map[se.Cluster]Doer{
		se.Price: shelf, se.Calendar: shelf, se.Messaging: shelf, se.DRLC: shelf, se.DeviceManagement: shelf,
		se.Events: &EventLog{Entries: func(uint8) []se.LogEntry { return entries }, Clear: func(time.Time, Peer, uint8) uint8 { return 1 }},
		se.Alarms: &AlarmTable{entries: []se.GetAlarmResponse{{Code: 1}}},
		se.Prepayment: &Prepayment{
			TopUps:     func() []se.TopUp { return []se.TopUp{{Code: []byte("1"), Time: utc(0)}} },
			Repayments: func() []se.Repayment { return []se.Repayment{{Time: utc(0)}} },
			Snapshots:  func() []se.PublishPrepaySnapshot { return []se.PublishPrepaySnapshot{{ID: 1, Time: utc(0), Cause: 1}} },
		},
	}
	for _, m := range []se.Command{
		se.GetCurrentPrice{}, se.GetScheduledPrices{Most: 1}, se.GetPriceMatrix{TariffID: 7}, se.GetDayProfiles{CalendarID: 4}, se.GetCalendar{}, se.GetLastMessage{},
		se.GetScheduledEvents{}, se.GetSiteID{}, se.GetEventLog{Full: true}, se.ClearEventLogRequest{}, se.GetAlarm{}, se.GetTopUpLog{}, se.GetPrepaySnapshot{Cause: 1},
		se.GetDebtRepaymentLog{DebtType: 0xFF}, se.ConsumerTopUp{},
	} {
		b, err := m.AppendBinary(nil)
		require.NoError(f, err)
		f.Add(uint16(m.Key().Cluster), m.Key().ID, b)
	}
	f.Fuzz(func(t *testing.T, cluster uint16, id uint8, b []byte) {
		d := doers[se.Cluster(cluster)]
		m, _, err := se.Parse(se.Key{Cluster: se.Cluster(cluster), ID: id}, b)
		if d == nil || err != nil {
			return
		}
		answers, err := d.Do(start, hubAt, m)
		if err != nil {
			require.IsType(t, zcl.Status(0), err)
		}
		require.LessOrEqual(t, len(answers), logMost)
		for _, a := range answers {
			require.True(t, a.Key().FromServer)
			out, err := a.AppendBinary(nil)
			require.NoError(t, err)
			_, _, err = se.Parse(a.Key(), out)
			require.NoError(t, err)
		}
	})
}

// FuzzMirrorState: a state that is read comes out as it went in.
func FuzzMirrorState(f *testing.F) {
	f.Add((&MirrorHost{mirrors: []*mirror{{meter: meterEUI, endpoint: 10, scheme: se.SchemeB}}}).State())
	f.Fuzz(func(t *testing.T, b []byte) {
		h := &MirrorHost{}
		if h.Restore(b) == nil {
			require.Equal(t, string(b), string(h.State()))
		} else {
			require.Empty(t, h.State())
		}
	})
}
