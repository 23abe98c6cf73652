package meter

import (
	"time"

	"smets1/device/core"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
)

// Log is a profile of values at regular times, computed when it is read.
type Log struct {
	Name     cosem.OBIS
	Period   time.Duration
	Capacity int
	// Columns after the clock, each with how it is read. at is the end of the period.
	Columns []LogColumn
}

// LogColumn is one column of a Log.
type LogColumn struct {
	Register cosem.OBIS
	Class    cosem.ClassID // zero is a register
	Read     func(c *server.Call, at time.Time) int64
}

func column(class cosem.ClassID, name cosem.OBIS) server.Column {
	if class == 0 {
		class = cosem.ClassRegister
	}
	return server.Column{Attribute: cosem.Attribute{Class: class, Instance: name, ID: 2}}
}

// Object declares the log.
func (l Log) Object() server.Object {
	columns := []server.Column{core.ClockColumn}
	for _, c := range l.Columns {
		columns = append(columns, column(c.Class, c.Register))
	}
	return server.Profile(l.Name, server.ProfileConfig{
		Access: core.Private, Columns: columns, Period: l.Period, Capacity: uint32(l.Capacity), Restrictors: core.Restrictors,
		Rows: func(c *server.Call) server.Rows { return l.rows(c) },
	})
}

// rows are the last ends of a period, as many as there is room for since the
// meter was installed.
func (l *Log) rows(c *server.Call) *logRows {
	step := int64(l.Period / time.Second)
	last := c.Now.Unix() / step
	first := Of(c).cfg.Installed.Unix()/step + 1
	first = max(first, last-int64(l.Capacity)+1)
	return &logRows{log: l, first: first, n: int(max(last-first+1, 0)), step: step}
}

type logRows struct {
	log   *Log
	first int64
	n     int
	step  int64
}

func (r *logRows) Len(*server.Call) int { return r.n }

func (r *logRows) Time(_ *server.Call, i int) time.Time {
	return time.Unix((r.first+int64(i))*r.step, 0).UTC()
}

func (r *logRows) Append(c *server.Call, i, column int, dst []byte) ([]byte, error) {
	at := r.Time(c, i)
	if column == 0 {
		return axdr.AppendDateTime(dst, axdr.DateTimeOf(at)), nil
	}
	return axdr.AppendUint32(dst, uint32(r.log.Columns[column-1].Read(c, at))), nil
}

// Record is one row of a list that is computed whole when it is read.
type Record struct {
	At    time.Time
	Cells []axdr.Value
}

// List declares a profile of records by event: the clock, then columns.
func List(name cosem.OBIS, columns []server.Column, capacity int, rows func(c *server.Call) []Record) server.Object {
	return server.Profile(name, server.ProfileConfig{
		Access: core.Private, Columns: append([]server.Column{core.ClockColumn}, columns...), Capacity: uint32(capacity), Restrictors: core.Restrictors,
		Rows: func(c *server.Call) server.Rows { return records(rows(c)) },
	})
}

type records []Record

func (r records) Len(*server.Call) int { return len(r) }

func (r records) Time(_ *server.Call, i int) time.Time { return r[i].At }

func (r records) Append(_ *server.Call, i, column int, dst []byte) ([]byte, error) {
	if column == 0 {
		return axdr.AppendDateTime(dst, axdr.DateTimeOf(r[i].At)), nil
	}
	return r[i].Cells[column-1].AppendBinary(dst)
}

// snapshotLog declares a log of snapshots of some causes: when, cause, register, tariff
// registers, balance and what is owed, cost, maximum demand and its time.
func snapshotLog(name cosem.OBIS, register cosem.OBIS, causes Cause, capacity int) server.Object {
	data := func(n cosem.OBIS) server.Column { return column(cosem.ClassData, n) }
	columns := []server.Column{
		data(SnapshotName), column(0, register), data(RegistersName), column(cosem.ClassCredit, CreditName), column(cosem.ClassCredit, EmergencyName),
		column(cosem.ClassCredit, AccumulatedName), data(DebtsName), data(CostName), data(VendedName), data(DemandName),
		data(ActiveTariffName),
	}
	o := List(name, columns, capacity, func(c *server.Call) []Record {
		var rows []Record
		for _, s := range Of(c).Snapshots(c.Now, causes, capacity) {
			rows = append(rows, s.record())
		}
		return rows
	})
	if causes&CauseManual != 0 {
		o.Methods[1] = server.Method{ID: 2, Access: core.Run, Do: server.Zero(func(c *server.Call) error { return Of(c).Snapshot(c.Now, CauseManual) })}
	}
	return o
}

// Names of what snapshots capture whole.
var (
	RegistersName = cosem.MustOBIS("0-0:128.98.1.255") // array of the tariff registers
	DebtsName     = cosem.MustOBIS("0-0:128.98.2.255") // structure: by time 1 and 2, by payment
	DemandName    = cosem.MustOBIS("0-0:128.98.3.255") // structure: W, time
)

func (s *Snapshot) record() Record {
	a := &s.Account
	return Record{At: s.At, Cells: []axdr.Value{
		axdr.Uint32(uint32(s.Cause)), axdr.Uint32(uint32(s.Reading)), energies(s.TOU), small(a.Balance), small(a.Emergency), small(a.Accumulated),
		axdr.Structure(small(a.Debt[0]), small(a.Debt[1]), small(a.PaymentDebt)), axdr.Int64(s.Cost), axdr.Uint64(uint64(max(a.Totals.Vended, 0))),
		demand(s.Demand, s.DemandAt), axdr.Octets([]byte(s.Calendar)),
	}}
}

func energies(list []int64) axdr.Value {
	v := axdr.Array()
	for _, n := range list {
		v.Items = append(v.Items, axdr.Uint32(uint32(n)))
	}
	return v
}

func demand(watts int64, at time.Time) axdr.Value {
	when := axdr.UnspecifiedDateTime
	if !at.IsZero() {
		when = axdr.DateTimeOf(at)
	}
	return axdr.Structure(axdr.Uint32(uint32(watts)), axdr.DateTimeOctets(when))
}

// small is an amount in what a double-long holds.
func small(n int64) axdr.Value { return axdr.Int32(int32(min(max(n, -1<<31), 1<<31-1))) }

// paymentLog declares the log of top-ups: when, amount, where it was entered, the
// code, and where the money went: emergency credit, accumulated debt, debt by payment, balance.
func paymentLog(capacity int) server.Object {
	data := func(n cosem.OBIS) server.Column { return column(cosem.ClassData, n) }
	columns := []server.Column{data(VendedName), data(VendsName), column(cosem.ClassTokenGateway, TokenName), column(cosem.ClassCredit, EmergencyName), column(cosem.ClassCredit, AccumulatedName), column(cosem.ClassCharge, PaymentDebtName), column(cosem.ClassCredit, CreditName)}
	return List(PaymentLogName, columns, capacity, func(c *server.Call) []Record {
		var rows []Record
		list := Of(c).Payments(c.Now)
		for _, p := range list[max(len(list)-capacity, 0):] {
			rows = append(rows, Record{At: p.At, Cells: []axdr.Value{
				small(p.Amount), axdr.Uint8(uint8(p.Source)), axdr.Octets([]byte(p.Code)), small(p.Emergency), small(p.Accumulated), small(p.Debt), small(p.Balance),
			}})
		}
		return rows
	})
}

// prepayDaily declares the prepayment daily read log: balance, emergency credit and
// debts at each midnight of the simulation.
func prepayDaily(capacity int) server.Object {
	columns := []server.Column{column(cosem.ClassCredit, CreditName), column(cosem.ClassCredit, EmergencyName), column(cosem.ClassCredit, AccumulatedName), column(cosem.ClassData, DebtsName)}
	return List(PrepayDailyName, columns, capacity, func(c *server.Call) []Record {
		m := Of(c)
		m.Settle(c.Now)
		var rows []Record
		s := m.birth()
		for at := Day.Start(c.Now, capacity-1); !at.After(c.Now); at = at.AddDate(0, 0, 1) {
			if at.Before(m.Start) {
				continue
			}
			m.advance(&s, at.Unix(), nil, nil)
			a := &s.Account
			rows = append(rows, Record{At: at, Cells: []axdr.Value{
				small(a.Balance), small(a.Emergency), small(a.Accumulated), axdr.Structure(small(a.Debt[0]), small(a.Debt[1]), small(a.PaymentDebt)),
			}})
		}
		return rows
	})
}
