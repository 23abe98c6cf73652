package cluster

import (
	"time"

	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// Metering is a meter that can be read at any time.
type Metering struct {
	// Interval is the consumption of the interval that ends at a time; ok is false where there is no record. Nil means that
	// the meter keeps no profile.
	Interval func(end time.Time) (units uint32, ok bool)
	// Period of the profile, 15, 30 or 60 minutes. Zero means 30.
	Period time.Duration
	// Fast, if set, is told how often to report for a while.
	Fast func(now time.Time, period time.Duration, until time.Time)
}

// Cluster gives the server side with the attributes of the meter.
func (m *Metering) Cluster(attributes []node.Attribute) *node.Cluster {
	return &node.Cluster{State: m, Spec: &node.Spec{
		ID: se.Metering, Server: true, Attributes: attributes, Commands: m.Commands(), Generated: []uint8{0x00, 0x03},
	}}
}

// Commands are those of the meter, for a cluster that has others besides.
func (m *Metering) Commands() []node.Command {
	return []node.Command{
		{ID: 0x00, Handle: func(c *node.Call, x se.Command) error { return m.profile(c, x.(se.GetProfile)) }},
		{ID: 0x03, Handle: func(c *node.Call, x se.Command) error { return m.fast(c, x.(se.RequestFastPollMode)) }},
	}
}

// maxIntervals is how many fit into one answer (attribute MaxNumberOfPeriodsDelivered).
const maxIntervals = 24

func (m *Metering) period() time.Duration {
	if m.Period == 0 {
		return 30 * time.Minute
	}
	return m.Period
}

func (m *Metering) profile(c *node.Call, q se.GetProfile) error {
	r := se.GetProfileResponse{Period: 2}
	switch m.period() {
	case time.Hour:
		r.Period = 1
	case 15 * time.Minute:
		r.Period = 3
	}
	switch {
	case q.Channel > 3:
		r.Status = se.ProfileUndefinedChannel
	case q.Channel > 0 || m.Interval == nil:
		r.Status = se.ProfileNotSupported
	case q.EndTime != 0 && q.EndTime.Time().After(c.Now):
		r.Status = se.ProfileInvalidEndTime
	default:
		end := c.Now
		if q.EndTime != 0 {
			end = q.EndTime.Time()
		}
		end = end.Truncate(m.period())
		r.EndTime = se.UTCOf(end)
		for range min(int(q.Periods), maxIntervals) {
			v, ok := m.Interval(end)
			if !ok {
				break
			}
			r.Intervals = append(r.Intervals, min(v, se.NoInterval-1))
			end = end.Add(-m.period())
		}
		if len(r.Intervals) == 0 {
			r.Status = se.ProfileNoIntervals
		}
	}
	c.Reply(r)
	return nil
}

// Limits of fast polling (Smart Energy, clause D.3.3.3.1.4; published).
const (
	maxFast     = 15 * time.Minute
	fastestPoll = 2 * time.Second // ours
)

func (m *Metering) fast(c *node.Call, q se.RequestFastPollMode) error {
	if m.Fast == nil {
		return zcl.UnsupportedClusterCommand
	}
	period := max(time.Duration(q.Period)*time.Second, fastestPoll)
	until := c.Now.Add(min(time.Duration(q.Duration)*time.Minute, maxFast))
	m.Fast(c.Now, period, until)
	c.Reply(se.RequestFastPollModeResponse{Period: uint8(period / time.Second), End: se.UTCOf(until)})
	return nil
}
