package cluster

import (
	"time"

	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// Supply is a meter's supply as a Metering server lets it be changed.
type Supply struct {
	// Change switches the supply and tells what it is then. It is called when the change is due.
	Change func(now time.Time, m se.ChangeSupply) (se.SupplyStatus, error)
	// Local says whether the consumer may switch the supply at the meter. Nil refuses.
	Local func(now time.Time, s se.SupplyStatus) error
	// Set takes what is left: ResetLoadLimitCounter, SetSupplyStatus, SetUncontrolledFlowThreshold. Nil refuses.
	Set func(now time.Time, m se.Command) error

	pending func() // cancels a change that is to come
}

const (
	supplyAcknowledge        = 1 << 0
	never             se.UTC = 0xFFFFFFFF
)

// Commands are those of the Metering server that are about the supply.
func (s *Supply) Commands() []node.Command {
	set := func(c *node.Call, m se.Command) error {
		if s.Set == nil {
			return zcl.UnsupportedClusterCommand
		}
		return s.Set(c.Now, m)
	}
	return []node.Command{
		{ID: 0x0A, Handle: set},
		{ID: 0x0B, Handle: func(c *node.Call, m se.Command) error { return s.change(c, m.(se.ChangeSupply)) }},
		{ID: 0x0C, Handle: func(c *node.Call, m se.Command) error {
			if s.Local == nil {
				return zcl.UnsupportedClusterCommand
			}
			return s.Local(c.Now, m.(se.LocalChangeSupply).Status)
		}},
		{ID: 0x0D, Handle: set},
		{ID: 0x0E, Handle: set},
	}
}

// change switches the supply now or later; a time of never takes back a change that is to come.
func (s *Supply) change(c *node.Call, m se.ChangeSupply) error {
	if s.Change == nil {
		return zcl.UnsupportedClusterCommand
	}
	if m.Status > se.SupplyOn {
		return zcl.InvalidField
	}
	if s.pending != nil {
		s.pending()
		s.pending = nil
	}
	if m.Time == never {
		return nil
	}
	if at := m.Time.Time(); m.Time != 0 && at.After(c.Now) {
		n, to, far, near := c.Node, c.From, c.SrcEndpoint, c.DstEndpoint
		s.pending = n.After(c.Now, at.Sub(c.Now), func(now time.Time) {
			s.pending = nil
			status, err := s.Change(now, m)
			if err == nil && m.Control&supplyAcknowledge != 0 {
				_ = n.Request(now, &node.Request{To: to, Endpoint: far, From: near, Quiet: true, Command: s.answer(now, m, status)})
			}
		})
		return nil
	}
	status, err := s.Change(c.Now, m)
	if err == nil && m.Control&supplyAcknowledge != 0 {
		c.Reply(s.answer(c.Now, m, status))
	}
	return err
}

func (s *Supply) answer(now time.Time, m se.ChangeSupply, status se.SupplyStatus) se.SupplyStatusResponse {
	return se.SupplyStatusResponse{Provider: m.Provider, EventID: m.EventID, Time: se.UTCOf(now), Status: status}
}
