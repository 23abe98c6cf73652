package meter

import (
	"encoding/binary"
	"time"

	"smets1/device/core"
	"smets1/device/household"
	"smets1/dlms/cosem"
	"smets1/firmware"
	"smets1/internal/wire"
)

const kindGas = firmware.GSME

// The states of the supply, with the numbers of attribute 3 of class 70
// (published) and the words of SMETS.
const (
	Disabled uint8 = 0
	Enabled  uint8 = 1
	Armed    uint8 = 2 // a person may switch on at the meter
)

// Supply is the switch or valve. The zero Supply is on.
type Supply struct {
	armed    bool
	armsOnly bool
	gaps     []gap // when it was off, in order of time; the last may be open
	changed  bool
}

// gap is a time without supply, in seconds since 1970; to is 0 while it lasts.
type gap struct{ from, to int64 }

// maxGaps bounds what is kept. At one change a day it is more than the 13 months
// that a meter's profile holds.
const maxGaps = 512

// State is Disabled, Enabled or Armed.
func (s *Supply) State() uint8 {
	switch {
	case !s.off():
		return Enabled
	case s.armed:
		return Armed
	default:
		return Disabled
	}
}

func (s *Supply) off() bool { return len(s.gaps) > 0 && s.gaps[len(s.gaps)-1].to == 0 }

func (s *Supply) offAt(at int64) bool {
	for _, g := range s.gaps {
		if at >= g.from && (g.to == 0 || at < g.to) {
			return true
		}
	}
	return false
}

// Forgone is what did not flow until a time.
func (s *Supply) Forgone(use household.Curve, now time.Time) int64 {
	var sum int64
	for _, g := range s.gaps {
		to := now
		if end := time.Unix(g.to, 0); g.to != 0 && end.Before(now) {
			to = end
		}
		sum += use.Between(time.Unix(g.from, 0), to)
	}
	return sum
}

func (s *Supply) disable(now time.Time) error {
	s.armed, s.changed = false, true
	if s.off() {
		return nil
	}
	if len(s.gaps) == maxGaps {
		return cosem.ActionTemporaryFailure
	}
	at := now.Unix()
	if n := len(s.gaps); n > 0 {
		at = max(at, s.gaps[n-1].to)
	}
	s.gaps = append(s.gaps, gap{from: at})
	return nil
}

func (s *Supply) enable(now time.Time) {
	s.armed, s.changed = false, true
	if s.off() {
		g := &s.gaps[len(s.gaps)-1]
		g.to = max(now.Unix(), g.from+1)
	}
}

func (s *Supply) append(b []byte) []byte {
	if !s.changed {
		return b
	}
	b = append(b, 0)
	if s.armed {
		b[len(b)-1] = 1
	}
	for _, g := range s.gaps {
		b = binary.BigEndian.AppendUint64(b, uint64(g.from))
		b = binary.BigEndian.AppendUint64(b, uint64(g.to))
	}
	return b
}

func (s *Supply) restore(r *wire.Reader) {
	s.changed = true
	s.armed = r.U8() != 0
	s.gaps = nil
	for r.Err() == nil && r.Len() > 0 && len(s.gaps) < maxGaps {
		s.gaps = append(s.gaps, gap{int64(r.U64()), int64(r.U64())})
	}
}

// switcher shows the supply to class 70.
type switcher struct{ m *Meter }

func (s switcher) Output() bool { return s.m.supply.State() == Enabled }
func (s switcher) State() uint8 { return s.m.supply.State() }

// Mode is 1 where a person must switch on at the meter after a reconnection from
// afar (prepayment, and gas always), else 2 (published, Blue Book).
func (s switcher) Mode() uint8 {
	if s.m.supply.armsOnly || s.m.mode == Prepayment {
		return 1
	}
	return 2
}

// SetMode is refused: the mode follows from the meter and its payment mode.
func (s switcher) SetMode(time.Time, uint8) error { return cosem.ReadWriteDenied }

func (s switcher) Disconnect(now time.Time) error {
	if err := s.m.supply.disable(now); err != nil {
		return err
	}
	s.m.Event(now, core.EventSupplyDisabled)
	return nil
}

func (s switcher) Reconnect(now time.Time) error {
	if !s.m.supply.off() {
		return nil
	}
	if s.Mode() == 1 {
		s.m.supply.armed, s.m.supply.changed = true, true
		s.m.Event(now, core.EventSupplyArmed)
		return nil
	}
	s.m.supply.enable(now)
	s.m.Event(now, core.EventSupplyEnabled)
	return nil
}

// SwitchOn is the consumer's hand at an armed meter. It reports whether the supply is on.
func (m *Meter) SwitchOn(now time.Time) bool {
	if m.supply.State() == Armed {
		m.supply.enable(now)
		m.Event(now, core.EventSupplyEnabled)
	}
	return m.supply.State() == Enabled
}
