package meter

import (
	"smets1/device/tariff"
	"smets1/internal/wire"
)

// passivePrices are prices that a client wrote and that are not in force yet.
type passivePrices struct {
	set    bool
	prices tariff.Prices
}

// maxMessage is the longest message of a supplier (ours; the DUIS schema has 116).
const maxMessage = 116

// more is the part of the meter that only those have that were told something.
func (m *Meter) more() *extra {
	if m.extra == nil {
		m.extra = &extra{}
	}
	return m.extra
}

func (m *Meter) appendExtra(b []byte) []byte {
	x := m.extra
	if x == nil {
		return b
	}
	b = appendCells(b, x.passive)
	b = appendCells(b, x.friendly)
	b = appendInts(b, flagOf(x.prices.set))
	args := pricesArgs(&x.prices.prices)
	b = appendInts(appendInts(b, int64(len(args))), args...)
	b = appendInts(b, x.activate[:]...)
	b = appendInts(b, int64(x.messageID), int64(len(x.message)))
	b = append(b, x.message...)
	b = appendInts(b, int64(len(x.customer)))
	return append(b, x.customer...)
}

func (m *Meter) restoreExtra(r *wire.Reader) {
	x := &extra{}
	x.passive, x.friendly = readCells(r), readCells(r)
	head := readInts(r, 2)
	if r.Err() != nil || head[1] < 0 || head[1] > 1024 {
		r.Failf("prices are malformed")
		return
	}
	p, ok := pricesOf(readInts(r, int(head[1])))
	if r.Err() != nil || !ok {
		r.Failf("prices are malformed")
		return
	}
	x.prices = passivePrices{head[0] != 0, *p}
	times := readInts(r, 5)
	if r.Err() != nil || times[4] < 0 || times[4] > maxMessage {
		r.Failf("message is malformed")
		return
	}
	x.activate = [3]int64(times[:3])
	x.messageID = uint32(times[3])
	x.message = string(r.Bytes(int(times[4])))
	n := readInts(r, 1)
	if r.Err() != nil || n[0] < 0 || n[0] > maxMessage {
		r.Failf("customer is malformed")
		return
	}
	x.customer = string(r.Bytes(int(n[0])))
	m.extra = x
}
