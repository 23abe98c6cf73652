package cluster

import (
	"slices"
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
	// Received is the same of what flowed out of the home, channel 1. Nil means that the meter does not measure it.
	Received func(end time.Time) (units uint32, ok bool)
	// Period of the profile: a day, 60, 30, 15, 10, 7.5, 5, 2.5 or 1 minutes. Zero means 30.
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

// profilePeriods by their code (Smart Energy, table D-42; published).
var profilePeriods = [...]time.Duration{
	24 * time.Hour, time.Hour, 30 * time.Minute, 15 * time.Minute, 10 * time.Minute, 7*time.Minute + 30*time.Second, 5 * time.Minute,
	2*time.Minute + 30*time.Second, time.Minute,
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
	r := se.GetProfileResponse{Period: uint8(max(slices.Index(profilePeriods[:], m.period()), 0))}
	interval := m.Interval
	if q.Channel == 1 {
		interval = m.Received
	}
	switch {
	case q.Channel > 3:
		r.Status = se.ProfileUndefinedChannel
	case q.Channel > 1 || interval == nil:
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
			v, ok := interval(end)
			if !ok {
				break
			}
			r.Intervals = append(r.Intervals, min(v, se.NoInterval-1))
			end = end.Add(-m.period())
		}
		switch {
		case len(r.Intervals) == 0:
			r.Status = se.ProfileNoIntervals
		case int(q.Periods) > maxIntervals && len(r.Intervals) == maxIntervals:
			r.Status = se.ProfileTooManyPeriods
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
