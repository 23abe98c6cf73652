package meter

import (
	"time"

	"smets1/device/core"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
)

// A Holder is the state of a meter's model.
type Holder interface {
	core.Holder
	Common() *Meter
}

// Of leads from a call to the meter.
func Of(c *server.Call) *Meter { return c.Device.State.(Holder).Common() }

// Common implements Holder.
func (m *Meter) Common() *Meter { return m }

// The logical names that both meters have.
var (
	SupplyName  = cosem.MustOBIS("0-0:96.3.10.255")
	AccountName = cosem.MustOBIS("0-0:19.0.0.255")
	CreditName  = cosem.MustOBIS("0-0:19.10.0.255")
)

// Objects are what both meters have beside what every device has.
func Objects() []server.Object {
	return []server.Object{
		server.Data(core.MPxNName, server.Value{
			Type: axdr.TagOctetString, Access: core.Managed,
			Get: server.Text(func(c *server.Call) string { return Of(c).MPxN() }),
			Set: server.SetOctets(func(c *server.Call, v []byte) error { return Of(c).setMPxN(string(v)) }),
		}),
		server.Data(core.PaymentModeName, server.Value{
			Type: axdr.TagEnum, Access: core.Managed,
			Get: server.Enum(func(c *server.Call) uint8 { return uint8(Of(c).mode) }),
			Set: server.SetEnum(func(c *server.Call, v uint8) error { return Of(c).setMode(c.Now, Mode(v)) }),
		}),
		server.DisconnectControl(SupplyName, core.Managed, func(c *server.Call) server.Disconnector { return switcher{Of(c)} }),
		account111(),
		credit112(),
	}
}

// account111 is the account (class 111), as far as the basics of prepayment go.
func account111() server.Object {
	get := func(id int8, g server.Getter) server.Attr { return server.Attr{ID: id, Access: core.Private, Get: g} }
	return server.Object{
		Class: cosem.ClassAccount, Instance: AccountName,
		Attrs: []server.Attr{
			get(2, func(c *server.Call, b []byte) ([]byte, error) {
				b = axdr.AppendEnum(axdr.AppendStructureHeader(b, 2), uint8(Of(c).mode))
				return axdr.AppendEnum(b, 2), nil // active
			}),
			get(5, server.Int32(balance)),
			get(15, server.Fixed(axdr.Structure(axdr.UTF8("GBP"), axdr.Int8(-5), axdr.Enum(0)))),
		},
	}
}

// credit112 is the meter balance (class 112). update_amount adds to it.
func credit112() server.Object {
	get := func(id int8, g server.Getter) server.Attr { return server.Attr{ID: id, Access: core.Private, Get: g} }
	return server.Object{
		Class: cosem.ClassCredit, Instance: CreditName,
		Attrs: []server.Attr{
			get(2, server.Int32(balance)),
			get(3, server.Fixed(axdr.Enum(0))), // token credit
			get(4, server.Fixed(axdr.Uint8(1))),
			get(8, server.Fixed(axdr.Enum(3))), // in use
		},
		Methods: []server.Method{{ID: 1, Access: core.Run, Do: func(c *server.Call, arg, dst []byte) ([]byte, error) {
			r := axdr.NewReader(arg)
			v := r.Int32()
			if r.Err() != nil || r.Len() > 0 {
				return dst, cosem.ActionTypeUnmatched
			}
			return dst, Of(c).addCredit(c.Now, int64(v))
		}}},
	}
}

// balance in millipence, in what a double-long holds.
func balance(c *server.Call) int32 {
	return int32(min(max(Of(c).Balance(c.Now), -1<<31), 1<<31-1))
}

// Cumulative is a register that only counts up: value in units, scaler and unit.
func Cumulative(name cosem.OBIS, s server.ScalerUnit, read func(*server.Call, time.Time) int64) server.Object {
	return server.Register(name, server.Value{
		Access: core.Private,
		Get:    server.Uint32(func(c *server.Call) uint32 { return uint32(read(c, c.Now)) }),
	}, s, server.Method{})
}

// Log is a profile of readings at regular times, computed when it is read.
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
	Read     func(c *server.Call, at time.Time) int64
}

// Object declares the log.
func (l Log) Object() server.Object {
	columns := []server.Column{core.ClockColumn}
	for _, c := range l.Columns {
		columns = append(columns, server.Column{Attribute: cosem.Attribute{Class: cosem.ClassRegister, Instance: c.Register, ID: 2}})
	}
	return server.Profile(l.Name, server.ProfileConfig{
		Access: core.Private, Columns: columns, Period: l.Period, Capacity: uint32(l.Capacity),
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

// The sizes of the logs (published: the ceilings of the DUIS response schema).
const (
	HalfHours = 19056 // 397 days
	Days      = 31
)
