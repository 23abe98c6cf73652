package cluster

import (
	"slices"
	"time"

	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// Shelf is what a hub has to tell: prices and tariffs, calendars, messages, changes of supplier and tenancy, load control
// events. It is the Doer of the servers of Price, Calendar, Messaging, DRLC and Device Management: it answers each request
// with what fits it, and NOT_FOUND if nothing does. One shelf may serve several clusters.
type Shelf struct {
	// Told takes what clients tell: acknowledgements, confirmations, states of events, configurations. Nil takes it unseen.
	Told func(now time.Time, from Peer, m se.Command) error

	all []se.Command
}

// Put lays a publication on the shelf. One of the same cluster and command that is about the same (identifiers, pieces and
// start) is replaced. Commands that are none are laid there all the same and never found.
func (s *Shelf) Put(m se.Command) {
	k, a := m.Key(), about(m)
	s.Drop(func(o se.Command) bool { return o.Key() == k && about(o) == a })
	s.all = append(s.all, m)
	slices.SortStableFunc(s.all, func(x, y se.Command) int { return int(int64(about(x).start) - int64(about(y).start)) })
}

// Drop takes away what a function picks.
func (s *Shelf) Drop(pick func(m se.Command) bool) { s.all = slices.DeleteFunc(s.all, pick) }

// Do implements Doer.
func (s *Shelf) Do(now time.Time, from Peer, m se.Command) ([]se.Command, error) {
	q, ok := asked(se.UTCOf(now), m)
	if !ok {
		if m.Key().FromServer {
			return nil, zcl.UnsupportedClusterCommand
		}
		if s.Told != nil {
			return nil, s.Told(now, from, m)
		}
		return nil, nil
	}
	found := q.pick(s.all)
	if len(found) == 0 {
		return nil, zcl.NotFound
	}
	for i, f := range found {
		if p, ok := f.(se.PublishPrice); ok {
			p.Now = se.UTCOf(now)
			found[i] = p
		}
	}
	return found, nil
}

// subject is what a publication is about.
type subject struct {
	provider, event uint32
	of              uint32 // tariff or calendar
	part            uint8  // day, week, piece
	kind            uint8  // of tariff or calendar
	start           se.UTC
}

func about(m se.Command) subject {
	switch m := m.(type) {
	case se.PublishPrice:
		return subject{provider: m.Provider, event: m.EventID, start: m.Start}
	case se.PublishBlockPeriod:
		return subject{provider: m.Provider, event: m.EventID, start: m.Start, kind: m.TariffType}
	case se.PublishConversionFactor:
		return subject{event: m.EventID, start: m.Start}
	case se.PublishCalorificValue:
		return subject{event: m.EventID, start: m.Start}
	case se.PublishTariffInformation:
		return subject{provider: m.Provider, event: m.EventID, of: m.TariffID, start: m.Start, kind: m.Type & 0x0F}
	case se.PublishPriceMatrix:
		return subject{provider: m.Provider, event: m.EventID, of: m.TariffID, part: m.Index}
	case se.PublishBlockThresholds:
		return subject{provider: m.Provider, event: m.EventID, of: m.TariffID, part: m.Index}
	case se.PublishCO2Value:
		return subject{provider: m.Provider, event: m.EventID, start: m.Start, kind: m.TariffType}
	case se.PublishTierLabels:
		return subject{provider: m.Provider, event: m.EventID, of: m.TariffID, part: m.Index}
	case se.PublishBillingPeriod:
		return subject{provider: m.Provider, event: m.EventID, start: m.Start, kind: m.TariffType}
	case se.PublishConsolidatedBill:
		return subject{provider: m.Provider, event: m.EventID, start: m.Start, kind: m.TariffType}
	case se.PublishCPPEvent:
		return subject{provider: m.Provider, event: m.EventID, start: m.Start, kind: m.TariffType}
	case se.PublishCreditPayment:
		return subject{provider: m.Provider, event: m.EventID, start: m.Due}
	case se.PublishCurrencyConversion:
		return subject{provider: m.Provider, event: m.EventID, start: m.Start}
	case se.CancelTariff:
		return subject{provider: m.Provider, of: m.TariffID, kind: m.TariffType}
	case se.LoadControlEvent:
		return subject{event: m.EventID, start: m.Start}
	case se.DisplayMessage:
		return subject{event: m.ID}
	case se.DisplayProtectedMessage:
		return subject{event: m.ID}
	case se.CancelAllMessages:
		return subject{start: m.Time}
	case se.PublishCalendar:
		return subject{provider: m.Provider, event: m.EventID, of: m.CalendarID, start: m.Start, kind: uint8(m.Type)}
	case se.PublishDayProfile:
		return subject{provider: m.Provider, event: m.EventID, of: m.CalendarID, part: m.DayID, kind: m.Index}
	case se.PublishWeekProfile:
		return subject{provider: m.Provider, event: m.EventID, of: m.CalendarID, part: m.WeekID}
	case se.PublishSeasons:
		return subject{provider: m.Provider, event: m.EventID, of: m.CalendarID, part: m.Index}
	case se.PublishSpecialDays:
		return subject{provider: m.Provider, event: m.EventID, of: m.CalendarID, start: m.Start, kind: uint8(m.Type), part: m.Index}
	case se.CancelCalendar:
		return subject{provider: m.Provider, of: m.CalendarID, kind: uint8(m.Type)}
	case se.RequestNewPasswordResponse:
		return subject{kind: m.Type}
	default: // there is one of each
		return subject{}
	}
}

// anyEvent and anyProvider ask for all.
const (
	anyEvent    uint32 = 0xFFFFFFFF
	anyProvider uint32 = 0xFFFFFFFF
)

// question is what a request asks for.
type question struct {
	ids      []uint8 // of the publications
	cluster  se.Cluster
	since    se.UTC // what is in force then, and what comes after it
	timed    bool   // since matters
	current  bool   // only what is in force
	latest   bool   // only the newest
	each     bool   // one that begins does not end those before it
	most     int    // 0: all
	minEvent uint32
	provider uint32
	of       uint32
	ofs      bool // of matters
	part     uint8
	kind     uint8
	kinds    bool // kind matters
}

// asked reads a request; false if it is none. now is what a start of 0 means.
func asked(now se.UTC, m se.Command) (q question, ok bool) {
	k := m.Key()
	q = question{cluster: k.Cluster, ids: answersTo(k), minEvent: anyEvent, provider: anyProvider}
	since := func(t se.UTC) {
		q.timed, q.since = true, t
		if t == 0 {
			q.since = now
		}
	}
	kind := func(has bool, t uint8) { q.kinds, q.kind = has, t }
	of := func(id uint32) { q.ofs, q.of = true, id }
	switch m := m.(type) {
	case se.GetCurrentPrice:
		since(0)
		q.current = true
	case se.GetScheduledPrices:
		since(m.Start)
		q.most = int(m.Most)
	case se.GetBlockPeriods:
		since(m.Start)
		q.most = int(m.Most)
		kind(m.HasTariffType, m.TariffType)
	case se.GetConversionFactor:
		since(m.Earliest)
		q.minEvent, q.most = m.MinimumEventID, int(m.Most)
	case se.GetCalorificValue:
		since(m.Earliest)
		q.minEvent, q.most = m.MinimumEventID, int(m.Most)
	case se.GetTariffInformation:
		since(m.Earliest)
		q.minEvent, q.most = m.MinimumEventID, int(m.Most)
		kind(true, m.TariffType&0x0F)
	case se.GetPriceMatrix:
		of(m.TariffID)
	case se.GetBlockThresholds:
		of(m.TariffID)
	case se.GetTierLabels:
		of(m.TariffID)
	case se.GetCO2Value:
		since(m.Earliest)
		q.minEvent, q.most = m.MinimumEventID, int(m.Most)
		kind(m.HasTariffType, m.TariffType)
	case se.GetBillingPeriod:
		since(m.Earliest)
		q.minEvent, q.most = m.MinimumEventID, int(m.Most)
		kind(m.HasTariffType, m.TariffType)
	case se.GetConsolidatedBill:
		since(m.Earliest)
		q.minEvent, q.most = m.MinimumEventID, int(m.Most)
		kind(m.HasTariffType, m.TariffType)
	case se.GetCreditPayment:
		q.most = int(m.Most)
	case se.GetCurrencyConversion, se.GetTariffCancellation, se.GetCalendarCancellation:
		q.latest = true
	case se.GetScheduledEvents:
		since(m.Start)
		q.each = true
		q.most = int(m.Most)
		if m.HasMinimum {
			q.minEvent = m.MinimumEventID
		}
	case se.GetLastMessage, se.GetMessageCancellation, se.GetChangeOfTenancy, se.GetChangeOfSupplier, se.GetSiteID, se.GetCIN:
		q.latest = true
	case se.RequestNewPassword:
		kind(true, m.Type)
		q.latest = true
	case se.GetCalendar:
		since(m.Earliest)
		q.minEvent, q.most, q.provider = m.MinimumEventID, int(m.Most), m.Provider
		kind(m.Type != 0xFF, uint8(m.Type))
	case se.GetDayProfiles:
		of(m.CalendarID)
		q.provider, q.part, q.most = m.Provider, m.StartDay, int(m.Most)
	case se.GetWeekProfiles:
		of(m.CalendarID)
		q.provider, q.part, q.most = m.Provider, m.StartWeek, int(m.Most)
	case se.GetSeasons:
		of(m.CalendarID)
		q.provider = m.Provider
	case se.GetSpecialDays:
		of(m.CalendarID)
		q.provider, q.most = m.Provider, int(m.Most)
		kind(m.Type != 0xFF, uint8(m.Type))
	default:
		return q, false
	}
	return q, true
}

// mostAnswers is how many commands answer one request at most (ours): they all wait for their acknowledgements at once.
const mostAnswers = 16

// pick takes from a shelf, which is in the order of starts, what a question asks for.
func (q *question) pick(all []se.Command) []se.Command {
	var found []se.Command
	inForce := -1 // the last one that began before
	for _, m := range all {
		k, a := m.Key(), about(m)
		switch {
		case k.Cluster != q.cluster || !k.FromServer || !slices.Contains(q.ids, k.ID):
			continue
		case q.kinds && a.kind != q.kind, q.ofs && a.of != q.of, q.provider != anyProvider && a.provider != q.provider:
			continue
		case q.minEvent != anyEvent && a.event < q.minEvent, q.ofs && a.part < q.part:
			continue
		}
		if q.each {
			if !ended(m, q.since) {
				found = append(found, m)
			}
			continue
		}
		if q.timed && a.start <= q.since {
			if inForce < 0 {
				found = append(found, m)
				inForce = len(found) - 1
			}
			found[inForce] = m
			continue
		}
		if !q.current {
			found = append(found, m)
		}
	}
	if inForce >= 0 && ended(found[inForce], q.since) {
		found = slices.Delete(found, inForce, inForce+1)
	}
	if q.latest && len(found) > 0 {
		found = found[len(found)-1:]
	}
	most := mostAnswers
	if q.most > 0 {
		most = min(most, q.most)
	}
	return found[:min(len(found), most)]
}

// ended tells whether something is over, for those that say how long they last.
func ended(m se.Command, at se.UTC) bool {
	over := func(start se.UTC, minutes uint16) bool {
		return start != 0 && minutes != se.UntilChanged && uint64(start)+60*uint64(minutes) <= uint64(at)
	}
	switch m := m.(type) {
	case se.PublishPrice:
		return over(m.Start, m.Duration)
	case se.LoadControlEvent:
		return over(m.Start, m.Duration)
	default:
		return false
	}
}
