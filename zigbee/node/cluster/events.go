package cluster

import (
	"slices"
	"time"

	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// EventLog is the Doer of a server of Events: the logs of a device.
type EventLog struct {
	// Entries gives the entries of a log, or of all with se.LogAll, in the order of their times.
	Entries func(log uint8) []se.LogEntry
	// Clear empties a log, or all with se.LogAll, and tells which it emptied: a bit per log. Nil empties none.
	Clear func(now time.Time, from Peer, log uint8) uint8
	// Side is the cluster that it is the Doer of; Raise needs it.
	Side *Side
}

// A log goes out in commands of so many entries or octets at most, so that each fits the frames of a fragmented message (ours).
const (
	logEntries = 15
	logOctets  = 180
	logMost    = 64 // entries in all that one request gets; it can ask for more by its offset
)

// Do implements Doer.
func (l *EventLog) Do(now time.Time, from Peer, m se.Command) ([]se.Command, error) {
	switch m := m.(type) {
	case se.GetEventLog:
		return l.get(m)
	case se.ClearEventLogRequest:
		if l.Clear == nil {
			return nil, zcl.ActionDenied
		}
		return []se.Command{se.ClearEventLogResponse{Logs: l.Clear(now, from, m.Log)}}, nil
	default:
		return nil, zcl.UnsupportedClusterCommand
	}
}

func (l *EventLog) get(q se.GetEventLog) ([]se.Command, error) {
	all := slices.DeleteFunc(slices.Clone(l.Entries(q.Log)), func(e se.LogEntry) bool {
		return q.Log != se.LogAll && e.Log != q.Log || q.Event != 0 && e.Event != q.Event || e.Time < q.Start || q.End != 0 && e.Time > q.End
	})
	if len(all) == 0 {
		return nil, zcl.NotFound
	}
	total := uint16(len(all))
	all = all[min(int(q.Offset), len(all)):]
	most := logMost
	if q.Most > 0 {
		most = int(q.Most)
	}
	all = all[:min(len(all), most)]
	var parts []se.PublishEventLog
	for octets := logOctets; len(all) > 0; all = all[1:] {
		e := all[0]
		if !q.Full {
			e.Data = nil
		}
		size := 8 + len(e.Data)
		if octets += size; octets > logOctets || len(parts[len(parts)-1].Entries) == logEntries {
			parts = append(parts, se.PublishEventLog{Total: total, Index: uint8(len(parts))})
			octets = size
		}
		p := &parts[len(parts)-1]
		p.Entries = append(p.Entries, e)
	}
	if len(parts) == 0 {
		return nil, zcl.NotFound
	}
	answer := make([]se.Command, len(parts))
	for i := range parts {
		parts[i].Commands = uint8(len(parts))
		answer[i] = parts[i]
	}
	return answer, nil
}

// The ways an event goes, bits of PublishEvent's control.
const (
	EventToWAN uint8 = 1 << 0
	EventToHAN uint8 = 1 << 1
)

// Raise tells those whom the cluster is bound to of an event, and to how many.
func (l *EventLog) Raise(now time.Time, e se.LogEntry, ways uint8) int {
	return l.Side.Publish(now, se.PublishEvent{Log: e.Log, Event: e.Event, Time: e.Time, Control: ways, Data: e.Data})
}

// AlarmTable is the Doer of a server of Alarms: what went wrong and was not yet asked about.
type AlarmTable struct {
	// Reset is told that an alarm shall be armed again; cluster FFFF and code FF are all. Nil arms nothing.
	Reset func(now time.Time, cluster se.Cluster, code uint8)
	// Side is the cluster that it is the Doer of; Raise needs it.
	Side *Side

	entries []se.GetAlarmResponse
}

// maxAlarms is how many the table keeps; older ones go (ours).
const maxAlarms = 32

// AllAlarms is the cluster and code of Reset that mean all of them.
const AllAlarms se.Cluster = 0xFFFF

// Do implements Doer.
func (t *AlarmTable) Do(now time.Time, _ Peer, m se.Command) ([]se.Command, error) {
	switch m := m.(type) {
	case se.GetAlarm: // the oldest, which leaves the table
		if len(t.entries) == 0 {
			return []se.Command{se.GetAlarmResponse{Status: zcl.NotFound}}, nil
		}
		e := t.entries[0]
		t.entries = t.entries[1:]
		return []se.Command{e}, nil
	case se.ResetAlarm:
		t.reset(now, se.Cluster(m.ClusterID), m.Code)
	case se.ResetAllAlarms:
		t.reset(now, AllAlarms, 0xFF)
	case se.ResetAlarmLog:
		t.entries = nil
	default:
		return nil, zcl.UnsupportedClusterCommand
	}
	return nil, nil
}

func (t *AlarmTable) reset(now time.Time, c se.Cluster, code uint8) {
	if t.Reset != nil {
		t.Reset(now, c, code)
	}
}

// Count is how many alarms are in the table: attribute AlarmCount.
func (t *AlarmTable) Count() int { return len(t.entries) }

// Raise enters an alarm and tells those whom the cluster is bound to of it; it gives how many.
func (t *AlarmTable) Raise(now time.Time, c se.Cluster, code uint8) int {
	if len(t.entries) == maxAlarms {
		t.entries = t.entries[1:]
	}
	t.entries = append(t.entries, se.GetAlarmResponse{Status: zcl.Success, Code: code, ClusterID: uint16(c), Time: se.UTCOf(now)})
	return t.Side.Publish(now, se.Alarm{Code: code, ClusterID: uint16(c)})
}
