package meter

import (
	"encoding/binary"

	"smets1/device/prepay"
	"smets1/device/tariff"
	"smets1/internal/wire"
)

// The arguments of acts that carry more than a number or two.

func flagOf(v bool) int64 {
	if v {
		return 1
	}
	return 0
}

const configArgs = 14

// argsOf are the settings of an account as arguments of an act.
func argsOf(c *prepay.Config) []int64 {
	return []int64{
		c.LowCredit, c.Disablement, c.EmergencyLimit, c.EmergencyThreshold, c.MaxBalance, c.MaxTopUp, c.PaymentShare, c.PaymentCap,
		c.Rate[0], c.Rate[1], flagOf(c.Daily[0]), flagOf(c.Daily[1]), flagOf(c.SuspendEmergency), flagOf(c.SuspendDisabled),
	}
}

func configOf(a []int64) (c prepay.Config, ok bool) {
	if len(a) != configArgs {
		return c, false
	}
	return prepay.Config{
		LowCredit: a[0], Disablement: a[1], EmergencyLimit: a[2], EmergencyThreshold: a[3], MaxBalance: a[4], MaxTopUp: a[5],
		PaymentShare: a[6], PaymentCap: a[7], Rate: [2]int64{a[8], a[9]}, Daily: [2]bool{a[10] != 0, a[11] != 0},
		SuspendEmergency: a[12] != 0, SuspendDisabled: a[13] != 0,
	}, true
}

// pricesArgs are prices as arguments of an act: standing, then each list behind its length.
func pricesArgs(p *tariff.Prices) []int64 {
	a := append([]int64{p.Standing, int64(len(p.TOU))}, p.TOU...)
	for _, b := range p.Block {
		a = append(append(a, int64(len(b))), b...)
	}
	a = append(a, int64(len(p.Thresholds)))
	for _, t := range p.Thresholds {
		a = append(a, t[:]...)
	}
	return a
}

func pricesOf(a []int64) (p *tariff.Prices, ok bool) {
	p = &tariff.Prices{}
	at := 0
	next := func() int64 {
		if at >= len(a) {
			at = len(a) + 1
			return 0
		}
		at++
		return a[at-1]
	}
	list := func(limit int64) (l []int64) {
		n := next()
		if n < 0 || n > limit {
			at = len(a) + 1
			return nil
		}
		for range n {
			l = append(l, next())
		}
		return l
	}
	p.Standing = next()
	p.TOU = list(tariff.Registers)
	for i := range p.Block {
		p.Block[i] = list(tariff.BlockTiers)
	}
	n := next()
	if n < 0 || n > tariff.BlockTiers {
		return nil, false
	}
	for range n {
		p.Thresholds = append(p.Thresholds, [tariff.Blocks - 1]int64{next(), next(), next()})
	}
	return p, at == len(a)
}

// A calendar as the text of an act: its five cells, each behind two octets of length.

func calendarText(c *tariff.Calendar) []byte {
	x := c.Cells()
	return appendCells(nil, x)
}

func appendCells(b []byte, x tariff.Cells) []byte {
	for _, cell := range [][]byte{x.Name, x.Seasons, x.Weeks, x.Days, x.Special} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(cell)))
		b = append(b, cell...)
	}
	return b
}

func readCells(r *wire.Reader) (x tariff.Cells) {
	for _, cell := range []*[]byte{&x.Name, &x.Seasons, &x.Weeks, &x.Days, &x.Special} {
		*cell = append([]byte(nil), r.Bytes(int(r.U16()))...)
	}
	return x
}

// widest are the limits of the schema; what a make has room for is held when a
// calendar is written.
var widest = tariff.Limits{Registers: tariff.Registers, Seasons: 64, Weeks: 64, Days: 64, Switches: 64, Special: 64}

func calendarOf(b []byte) (*tariff.Calendar, bool) {
	r := wire.NewReader(b)
	x := readCells(&r)
	if r.Done() != nil {
		return nil, false
	}
	c, err := tariff.Parse(x, widest)
	return c, err == nil
}
