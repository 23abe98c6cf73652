package cluster

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// sided is a pair with both sides of a cluster, the server on the hub or on the meter.
type sided struct {
	*pair
	server, client *Side
	got            []se.Command
}

func utc(d time.Duration) se.UTC { return se.UTCOf(start.Add(d)) }

var (
	hubAt   = Peer{hubEUI, 1}
	meterAt = Peer{meterEUI, 1}
)

// newSided puts the server of a cluster with a Doer on the hub, its client with another on the meter. Without one the client
// keeps what it gets.
func newSided(t *testing.T, id se.Cluster, server, client Doer) *sided {
	x := &sided{server: &Side{ID: id, Server: true, Doer: server}, client: &Side{ID: id, Doer: client}}
	if client == nil {
		x.client.Doer = DoerFunc(func(_ time.Time, from Peer, m se.Command) ([]se.Command, error) {
			require.Equal(t, hubAt, from)
			x.got = append(x.got, m)
			return nil, nil
		})
	}
	x.pair = newPair(t, node.Router, 0, &node.Endpoint{ID: 1, Clusters: []*node.Cluster{x.server.Cluster()}}, &node.Endpoint{ID: 1, Clusters: []*node.Cluster{x.client.Cluster()}})
	x.server.Attach(x.hub)
	x.client.Attach(x.meter)
	return x
}

// ask asks the server; what comes within five seconds is in got.
func (x *sided) ask(q se.Command) error {
	x.t.Helper()
	x.got = nil
	done, result := false, error(nil)
	require.NoError(x.t, x.client.Ask(x.now, hubAt, q, func(_ time.Time, err error) { done, result = true, err }))
	require.True(x.t, x.until(time.Minute, func() bool { return done }))
	x.run(5 * time.Second)
	return result
}

func TestPrices(t *testing.T) {
	var told []se.Command
	shelf := &Shelf{Told: func(_ time.Time, from Peer, m se.Command) error {
		require.Equal(t, meterAt, from)
		told = append(told, m)
		return nil
	}}
	price := func(event uint32, at, lasts time.Duration, p uint32) se.PublishPrice {
		return se.PublishPrice{Provider: 1, Label: []byte("Standard"), EventID: event, Currency: se.CurrencyGBP, Start: utc(at), Duration: uint16(lasts / time.Minute), Price: p}
	}
	x := newSided(t, se.Price, shelf, nil)
	require.ErrorIs(t, x.ask(se.GetCurrentPrice{}), zcl.NotFound)
	shelf.Put(price(3, 2*time.Hour, time.Hour, 30))
	shelf.Put(price(1, -time.Hour, 2*time.Hour, 10))
	shelf.Put(price(2, time.Hour, time.Hour, 20))
	shelf.Put(price(2, time.Hour, time.Hour, 21)) // in place of the one before
	require.NoError(t, x.ask(se.GetCurrentPrice{}))
	require.Len(t, x.got, 1)
	p := x.got[0].(se.PublishPrice)
	require.EqualValues(t, 10, p.Price)
	require.InDelta(t, int64(se.UTCOf(x.now)), int64(p.Now), 7)
	require.NoError(t, x.ask(se.GetScheduledPrices{}))
	require.Len(t, x.got, 3)
	require.EqualValues(t, 21, x.got[1].(se.PublishPrice).Price)
	require.NoError(t, x.ask(se.GetScheduledPrices{Start: utc(150 * time.Minute), Most: 2}))
	require.Len(t, x.got, 1)
	require.EqualValues(t, 3, x.got[0].(se.PublishPrice).EventID)
	require.ErrorIs(t, x.ask(se.GetScheduledPrices{Start: utc(4 * time.Hour)}), zcl.NotFound, "all are over")

	for i := range 3 {
		shelf.Put(se.PublishPriceMatrix{Provider: 1, EventID: 5, TariffID: 7, Index: uint8(i), Total: 3, Prices: []se.MatrixPrice{{TierBlock: uint8(i), Price: 9}}})
	}
	shelf.Put(se.PublishPriceMatrix{Provider: 1, EventID: 6, TariffID: 8, Total: 1})
	require.NoError(t, x.ask(se.GetPriceMatrix{TariffID: 7}))
	require.Len(t, x.got, 3)
	require.EqualValues(t, 2, x.got[2].(se.PublishPriceMatrix).Index)
	require.ErrorIs(t, x.ask(se.GetPriceMatrix{TariffID: 9}), zcl.NotFound)
	shelf.Put(se.PublishTariffInformation{Provider: 1, EventID: 9, TariffID: 7, Start: utc(0), Type: 0x01})
	require.ErrorIs(t, x.ask(se.GetTariffInformation{MinimumEventID: 0xFFFFFFFF, TariffType: 0}), zcl.NotFound, "of another type")
	require.ErrorIs(t, x.ask(se.GetTariffInformation{MinimumEventID: 10, TariffType: 1}), zcl.NotFound, "older than wanted")
	require.NoError(t, x.ask(se.GetTariffInformation{MinimumEventID: 9, TariffType: 1}))

	require.NoError(t, x.ask(se.PriceAcknowledgement{Provider: 1, EventID: 1}))
	require.NoError(t, x.ask(se.CPPEventResponse{EventID: 4, Authorisation: 1}))
	require.Len(t, told, 2)

	// What is published comes to those who subscribed.
	require.Zero(t, x.server.Publish(x.now, price(4, 0, time.Hour, 40)))
	bound := false
	require.NoError(t, x.client.Subscribe(x.now, hubAt, func(err error) { require.NoError(t, err); bound = true }))
	require.True(t, x.until(time.Minute, func() bool { return bound }))
	x.got = nil
	require.Equal(t, 1, x.server.Publish(x.now, price(4, 0, time.Hour, 40)))
	x.run(time.Second)
	require.Len(t, x.got, 1)
}

func TestShelfOfTheOtherClusters(t *testing.T) {
	shelf := &Shelf{}
	day := func(id uint8) se.PublishDayProfile {
		return se.PublishDayProfile{Provider: 1, CalendarID: 4, DayID: id, TotalEntries: 1, Total: 1, Entries: []se.DayEntry{{Value: 1}}}
	}
	for _, m := range []se.Command{
		se.PublishCalendar{Provider: 1, EventID: 1, CalendarID: 4, Start: utc(0), Name: []byte("Summer"), Days: 3}, day(3), day(1), day(2),
		se.PublishWeekProfile{Provider: 1, CalendarID: 4, WeekID: 1}, se.PublishSeasons{Provider: 1, CalendarID: 4, Total: 1},
		se.PublishSpecialDays{Provider: 1, CalendarID: 4, Start: utc(0), Total: 2}, se.PublishSpecialDays{Provider: 1, CalendarID: 4, Start: utc(0), Index: 1, Total: 2},
		se.CancelCalendar{Provider: 1, CalendarID: 3},
		se.DisplayMessage{ID: 1, Text: "first"}, se.DisplayMessage{ID: 2, Text: "second"}, se.CancelAllMessages{Time: utc(time.Hour)},
		se.LoadControlEvent{EventID: 1, Start: utc(-time.Hour), Duration: 120, Criticality: 1}, se.LoadControlEvent{EventID: 2, Start: utc(-time.Hour), Duration: 90, Criticality: 1},
		se.LoadControlEvent{EventID: 3, Start: utc(-time.Hour), Duration: 30, Criticality: 1},
		se.PublishChangeOfSupplier{Provider: 1, EventID: 8, Proposed: 2}, se.PublishChangeOfTenancy{Provider: 1}, se.UpdateSiteID{SiteID: []byte("123")}, se.UpdateCIN{CIN: []byte("C")},
		se.RequestNewPasswordResponse{Type: 1, Password: []byte("a")}, se.RequestNewPasswordResponse{Type: 2, Password: []byte("b")},
	} {
		shelf.Put(m)
	}
	find := func(q se.Command) []se.Command {
		t.Helper()
		a, err := shelf.Do(start, hubAt, q)
		if err != nil {
			require.Equal(t, zcl.NotFound, err)
		}
		return a
	}
	require.Len(t, find(se.GetCalendar{MinimumEventID: 0xFFFFFFFF, Provider: 0xFFFFFFFF}), 1)
	require.Empty(t, find(se.GetCalendar{MinimumEventID: 0xFFFFFFFF, Provider: 2}))
	days := find(se.GetDayProfiles{Provider: 1, CalendarID: 4, StartDay: 2})
	require.Len(t, days, 2)
	require.Len(t, find(se.GetDayProfiles{Provider: 1, CalendarID: 4, Most: 1}), 1)
	require.Len(t, find(se.GetWeekProfiles{Provider: 1, CalendarID: 4}), 1)
	require.Len(t, find(se.GetSeasons{Provider: 1, CalendarID: 4}), 1)
	require.Len(t, find(se.GetSpecialDays{Provider: 1, CalendarID: 4}), 2)
	require.Len(t, find(se.GetCalendarCancellation{}), 1)
	require.Equal(t, "second", find(se.GetLastMessage{})[0].(se.DisplayMessage).Text)
	require.Len(t, find(se.GetMessageCancellation{}), 1)
	require.Len(t, find(se.GetScheduledEvents{}), 2, "the third is over")
	require.Len(t, find(se.GetScheduledEvents{HasMinimum: true, MinimumEventID: 2}), 1)
	require.Len(t, find(se.GetChangeOfSupplier{}), 1)
	require.Len(t, find(se.GetChangeOfTenancy{}), 1)
	require.Len(t, find(se.GetSiteID{}), 1)
	require.Len(t, find(se.GetCIN{}), 1)
	require.Equal(t, "b", string(find(se.RequestNewPassword{Type: 2})[0].(se.RequestNewPasswordResponse).Password))
	_, err := shelf.Do(start, hubAt, se.DisplayMessage{})
	require.Equal(t, zcl.UnsupportedClusterCommand, err, "a client's server does not take what servers say")
	a, err := shelf.Do(start, hubAt, se.MessageConfirmation{})
	require.NoError(t, err)
	require.Empty(t, a)
}

func TestLoadControl(t *testing.T) {
	var states []EventStatus
	var switched []EventStatus
	shelf := &Shelf{Told: func(_ time.Time, _ Peer, m se.Command) error {
		states = append(states, m.(se.ReportEventStatus).Status)
		return nil
	}}
	l := &LoadController{Class: 1, Group: 3, Switch: func(_ time.Time, _ se.LoadControlEvent, s EventStatus) { switched = append(switched, s) }}
	x := newSided(t, se.DRLC, shelf, l)
	l.Side = x.client
	event := func(id uint32, at, lasts time.Duration) se.LoadControlEvent {
		m := se.LoadControlEvent{EventID: id, DeviceClass: 1, Start: utc(at), Duration: uint16(lasts / time.Minute), Criticality: 2,
			CoolingOffset: se.NoOffset, HeatingOffset: se.NoOffset, CoolingSetPoint: se.NoTemperature, HeatingSetPoint: se.NoTemperature, LoadAdjustment: -50, DutyCycle: se.NoDutyCycle}
		if at == 0 {
			m.Start = 0
		}
		return m
	}
	send := func(m se.Command) {
		t.Helper()
		states, switched = nil, nil
		require.NoError(t, x.server.Tell(x.now, meterAt, m))
		x.run(2 * time.Second)
	}
	after := func() time.Duration { return x.now.Sub(start) }

	send(event(1, 0, 10*time.Minute))
	require.Equal(t, []EventStatus{EventReceived, EventStarted}, states)
	send(event(1, 0, 10*time.Minute))
	require.Empty(t, states, "known")
	states = nil
	x.run(11 * time.Minute)
	require.Equal(t, []EventStatus{EventCompleted}, states)
	require.Equal(t, []EventStatus{EventCompleted}, switched)

	send(event(2, after()+time.Minute, 10*time.Minute))
	require.Equal(t, []EventStatus{EventReceived}, states)
	x.run(2 * time.Minute)
	require.Equal(t, []EventStatus{EventStarted}, switched)
	require.True(t, l.Opt(x.now, 2, false))
	x.run(time.Second)
	require.Equal(t, []EventStatus{EventReceived, EventStarted, EventOptOut}, states)
	require.True(t, l.Opt(x.now, 2, true))
	x.run(time.Second)
	require.False(t, l.Opt(x.now, 99, true))
	send(event(3, after()+time.Minute, 10*time.Minute))
	require.Equal(t, []EventStatus{EventReceived, EventSuperseded}, states)
	send(se.CancelLoadControlEvent{EventID: 3, DeviceClass: 1})
	require.Equal(t, []EventStatus{EventCancelled}, states)
	require.Empty(t, switched, "it had not begun")
	send(se.CancelLoadControlEvent{EventID: 3, DeviceClass: 1})
	require.Equal(t, []EventStatus{EventUndefined}, states)
	send(event(4, after()-time.Hour, time.Minute))
	require.Equal(t, []EventStatus{EventExpired}, states)
	bad := event(5, 0, time.Minute)
	bad.Criticality = 0
	send(bad)
	require.Equal(t, []EventStatus{EventRejected}, states)
	other := event(6, 0, time.Minute)
	other.DeviceClass = 2
	send(other)
	require.Empty(t, states)
	other = event(7, 0, time.Minute)
	other.Group = 4
	send(other)
	require.Empty(t, states)
	send(event(8, 0, time.Hour))
	send(se.CancelLoadControlEvent{EventID: 8, DeviceClass: 1, Effective: utc(after() + 5*time.Hour)})
	require.Equal(t, []EventStatus{EventRejectedCancel}, states)
	send(se.CancelAllLoadControlEvents{})
	require.Equal(t, []EventStatus{EventCancelled}, states)
	require.Equal(t, []EventStatus{EventCancelled}, switched)
	require.Zero(t, l.Events())

	l.Rand = rand.New(rand.NewPCG(1, 1))
	m := event(9, after()+time.Minute, 20*time.Minute)
	m.Control = 3
	send(m)
	x.run(58 * time.Second)
	require.Empty(t, switched, "put off")
	x.run(5 * time.Minute)
	require.Equal(t, []EventStatus{EventStarted}, switched)
	x.run(25 * time.Minute)
	require.Equal(t, []EventStatus{EventStarted, EventCompleted}, switched)
}

func TestEventLog(t *testing.T) {
	entries := map[uint8][]se.LogEntry{}
	l := &EventLog{}
	l.Entries = func(log uint8) []se.LogEntry {
		if log == se.LogAll {
			return append(append([]se.LogEntry(nil), entries[1]...), entries[3]...)
		}
		return entries[log]
	}
	l.Clear = func(_ time.Time, _ Peer, log uint8) uint8 { delete(entries, log); return 1 << log }
	x := newSided(t, se.Events, l, nil)
	l.Side = x.server
	for i := range 40 {
		entries[1] = append(entries[1], se.LogEntry{Log: 1, Event: uint16(i%4) + 1, Time: utc(time.Duration(i) * time.Minute), Data: []byte("cover open")})
	}
	entries[3] = []se.LogEntry{{Log: 3, Event: 9, Time: utc(0)}}
	logs := func() (all []se.LogEntry, total uint16) {
		for i, m := range x.got {
			p := m.(se.PublishEventLog)
			require.EqualValues(t, i, p.Index)
			require.EqualValues(t, len(x.got), p.Commands)
			all, total = append(all, p.Entries...), p.Total
		}
		return all, total
	}
	require.NoError(t, x.ask(se.GetEventLog{Log: 1, Full: true}))
	all, total := logs()
	require.Len(t, all, 40)
	require.EqualValues(t, 40, total)
	require.Equal(t, "cover open", string(all[0].Data))
	require.NoError(t, x.ask(se.GetEventLog{Log: se.LogAll, Event: 2, Start: utc(10 * time.Minute), End: utc(30 * time.Minute), Most: 3, Offset: 1}))
	all, total = logs()
	require.Len(t, all, 3)
	require.EqualValues(t, 5, total)
	require.Empty(t, all[0].Data)
	require.ErrorIs(t, x.ask(se.GetEventLog{Log: 2}), zcl.NotFound)
	require.ErrorIs(t, x.ask(se.GetEventLog{Log: 1, Offset: 99}), zcl.NotFound)
	require.NoError(t, x.ask(se.ClearEventLogRequest{Log: 1}))
	require.Equal(t, []se.Command{se.ClearEventLogResponse{Logs: 2}}, x.got)
	l.Clear = nil
	require.ErrorIs(t, x.ask(se.ClearEventLogRequest{Log: 3}), zcl.ActionDenied)
	require.Zero(t, l.Raise(x.now, entries[3][0], EventToHAN))
}

func TestAlarms(t *testing.T) {
	type reset struct {
		c    se.Cluster
		code uint8
	}
	var resets []reset
	a := &AlarmTable{Reset: func(_ time.Time, c se.Cluster, code uint8) { resets = append(resets, reset{c, code}) }}
	x := newSided(t, se.Alarms, a, nil)
	a.Side = x.server
	require.NoError(t, x.ask(se.GetAlarm{}))
	require.Equal(t, []se.Command{se.GetAlarmResponse{Status: zcl.NotFound}}, x.got)
	for i := range 40 {
		a.Raise(x.now, se.Metering, uint8(i))
	}
	require.Equal(t, maxAlarms, a.Count())
	require.NoError(t, x.ask(se.GetAlarm{}))
	require.EqualValues(t, 8, x.got[0].(se.GetAlarmResponse).Code, "the oldest that is kept")
	require.NoError(t, x.ask(se.ResetAlarm{Code: 8, ClusterID: 0x0702}))
	require.NoError(t, x.ask(se.ResetAllAlarms{}))
	require.Equal(t, []reset{{se.Metering, 8}, {AllAlarms, 0xFF}}, resets)
	require.NoError(t, x.ask(se.ResetAlarmLog{}))
	require.Zero(t, a.Count())
}

func TestPrepayment(t *testing.T) {
	credit := int32(100)
	var set []se.Command
	p := &Prepayment{
		TopUp: func(_ time.Time, _ Peer, m se.ConsumerTopUp) se.ConsumerTopUpResponse {
			if len(m.Code) != 20 {
				return se.ConsumerTopUpResponse{Result: se.TopUpInvalid, Source: m.Originator, Credit: credit}
			}
			credit += 1000
			return se.ConsumerTopUpResponse{Result: se.TopUpAcceptedSupplyOn, Value: 1000, Source: m.Originator, Credit: credit}
		},
		Mode: func(_ time.Time, _ Peer, m se.ChangePaymentMode) (se.ChangePaymentModeResponse, error) {
			if m.Provider != 1 {
				return se.ChangePaymentModeResponse{}, zcl.NotAuthorized
			}
			return se.ChangePaymentModeResponse{EmergencyLimit: 500}, nil
		},
		Set: func(_ time.Time, _ Peer, m se.Command) error { set = append(set, m); return nil },
		TopUps: func() (all []se.TopUp) {
			for i := range 12 {
				all = append(all, se.TopUp{Code: []byte("12345678901234567890"), Amount: int32(i), Time: utc(-time.Duration(i) * time.Hour)})
			}
			return all
		},
		Repayments: func() []se.Repayment {
			return []se.Repayment{{Time: utc(0), Amount: 5, DebtType: 1}, {Time: utc(0), Amount: 6, DebtType: 2}}
		},
		Snapshots: func() []se.PublishPrepaySnapshot {
			return []se.PublishPrepaySnapshot{{ID: 1, Time: utc(-time.Hour), Cause: 1}, {ID: 2, Time: utc(0), Cause: 2}}
		},
	}
	x := newSided(t, se.Prepayment, p, nil)
	require.NoError(t, x.ask(se.ConsumerTopUp{Originator: se.FromIHD, Code: []byte("12345678901234567890")}))
	require.EqualValues(t, 1100, x.got[0].(se.ConsumerTopUpResponse).Credit)
	require.NoError(t, x.ask(se.ConsumerTopUp{Code: []byte("1")}))
	require.Equal(t, se.TopUpInvalid, x.got[0].(se.ConsumerTopUpResponse).Result)
	require.NoError(t, x.ask(se.ChangePaymentMode{Provider: 1}))
	require.EqualValues(t, 500, x.got[0].(se.ChangePaymentModeResponse).EmergencyLimit)
	require.ErrorIs(t, x.ask(se.ChangePaymentMode{Provider: 2}), zcl.NotAuthorized)
	require.NoError(t, x.ask(se.GetTopUpLog{Latest: utc(-time.Hour)}))
	require.Len(t, x.got, 3)
	require.Len(t, x.got[2].(se.PublishTopUpLog).TopUps, 1)
	require.NoError(t, x.ask(se.GetTopUpLog{Most: 2}))
	require.Len(t, x.got[0].(se.PublishTopUpLog).TopUps, 2)
	require.NoError(t, x.ask(se.GetDebtRepaymentLog{DebtType: 2}))
	require.Len(t, x.got[0].(se.PublishDebtLog).Repayments, 1)
	require.ErrorIs(t, x.ask(se.GetDebtRepaymentLog{DebtType: 0}), zcl.NotFound)
	require.NoError(t, x.ask(se.GetPrepaySnapshot{Cause: 0xFFFFFFFF, Offset: 1}))
	require.EqualValues(t, 2, x.got[0].(se.PublishPrepaySnapshot).ID)
	require.ErrorIs(t, x.ask(se.GetPrepaySnapshot{Cause: 4}), zcl.NotFound)
	for _, m := range []se.Command{se.SelectEmergencyCredit{}, se.ChangeDebt{}, se.EmergencyCreditSetup{}, se.CreditAdjustment{}, se.SetLowCreditWarningLevel{}, se.SetMaximumCreditLimit{}, se.SetOverallDebtCap{}} {
		require.NoError(t, x.ask(m))
	}
	require.Len(t, set, 7)
	p.Set, p.TopUp = nil, nil
	require.ErrorIs(t, x.ask(se.SelectEmergencyCredit{}), zcl.UnsupportedClusterCommand)
	require.ErrorIs(t, x.ask(se.ConsumerTopUp{}), zcl.UnsupportedClusterCommand)
}
