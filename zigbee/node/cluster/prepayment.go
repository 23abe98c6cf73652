package cluster

import (
	"slices"
	"time"

	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// Prepayment is the Doer of a meter's server of Prepayment. The credit and its rules are the meter's.
type Prepayment struct {
	// TopUp takes the consumer's code. Nil refuses the command.
	TopUp func(now time.Time, from Peer, m se.ConsumerTopUp) se.ConsumerTopUpResponse
	// Mode changes between credit and prepayment. Nil refuses the command.
	Mode func(now time.Time, from Peer, m se.ChangePaymentMode) (se.ChangePaymentModeResponse, error)
	// Set takes what changes settings: SelectEmergencyCredit, ChangeDebt, EmergencyCreditSetup, CreditAdjustment,
	// SetLowCreditWarningLevel, SetMaximumCreditLimit, SetOverallDebtCap. Nil refuses them.
	Set func(now time.Time, from Peer, m se.Command) error
	// TopUps and Repayments give the logs, newest first, Snapshots what is kept, oldest first. Nil has none.
	TopUps     func() []se.TopUp
	Repayments func() []se.Repayment
	Snapshots  func() []se.PublishPrepaySnapshot
}

// Logs go out in commands of so many entries at most (ours).
const (
	topUpEntries     = 5
	repaymentEntries = 12
	logAll           = 0xFF
)

// Do implements Doer.
func (p *Prepayment) Do(now time.Time, from Peer, m se.Command) ([]se.Command, error) {
	switch m := m.(type) {
	case se.ConsumerTopUp:
		if p.TopUp != nil {
			return []se.Command{p.TopUp(now, from, m)}, nil
		}
	case se.ChangePaymentMode:
		if p.Mode != nil {
			r, err := p.Mode(now, from, m)
			if err != nil {
				return nil, err
			}
			return []se.Command{r}, nil
		}
	case se.GetTopUpLog:
		if p.TopUps != nil {
			return p.topUps(m)
		}
	case se.GetDebtRepaymentLog:
		if p.Repayments != nil {
			return p.repayments(m)
		}
	case se.GetPrepaySnapshot:
		if p.Snapshots != nil {
			return p.snapshot(m)
		}
	default:
		if p.Set != nil && !m.Key().FromServer {
			return nil, p.Set(now, from, m)
		}
	}
	return nil, zcl.UnsupportedClusterCommand
}

func most(n int, asked uint8) int {
	if asked == 0 {
		return n
	}
	return min(n, int(asked))
}

func (p *Prepayment) topUps(m se.GetTopUpLog) ([]se.Command, error) {
	all := slices.DeleteFunc(slices.Clone(p.TopUps()), func(t se.TopUp) bool { return m.Latest != 0 && t.Time > m.Latest })
	all = all[:most(len(all), m.Most)]
	parts := slices.Collect(slices.Chunk(all, topUpEntries))
	var answer []se.Command
	for i, x := range parts {
		answer = append(answer, se.PublishTopUpLog{Index: uint8(i), Total: uint8(len(parts)), TopUps: x})
	}
	return found(answer)
}

func (p *Prepayment) repayments(m se.GetDebtRepaymentLog) ([]se.Command, error) {
	all := slices.DeleteFunc(slices.Clone(p.Repayments()), func(r se.Repayment) bool {
		return m.Latest != 0 && r.Time > m.Latest || m.DebtType != logAll && r.DebtType != m.DebtType
	})
	all = all[:most(len(all), m.Most)]
	parts := slices.Collect(slices.Chunk(all, repaymentEntries))
	var answer []se.Command
	for i, x := range parts {
		answer = append(answer, se.PublishDebtLog{Index: uint8(i), Total: uint8(len(parts)), Repayments: x})
	}
	return found(answer)
}

func (p *Prepayment) snapshot(m se.GetPrepaySnapshot) ([]se.Command, error) {
	fit := slices.DeleteFunc(slices.Clone(p.Snapshots()), func(s se.PublishPrepaySnapshot) bool {
		return s.Time < m.Earliest || m.Latest != 0 && s.Time > m.Latest || m.Cause != anyCause && s.Cause&m.Cause == 0
	})
	if int(m.Offset) >= len(fit) {
		return nil, zcl.NotFound
	}
	x := fit[m.Offset]
	x.Found, x.Index, x.Total = uint8(min(len(fit), 255)), 0, 1
	return []se.Command{x}, nil
}

func found(answer []se.Command) ([]se.Command, error) {
	if len(answer) == 0 {
		return nil, zcl.NotFound
	}
	return answer, nil
}
