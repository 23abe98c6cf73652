package hub

import (
	"encoding/binary"
	"slices"
	"time"

	"smets1/device/core"
	"smets1/device/point"
	"smets1/device/profile"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
	"smets1/internal/wire"
)

// The logical names of a communications hub. Those with 128 are ours: no object list of
// a SMETS1 hub was published.
var (
	WANStateName     = cosem.MustOBIS("0-0:128.25.0.255")
	MessagesName     = cosem.MustOBIS("0-0:128.25.1.255") // text messages that arrived, ever
	MonthName        = cosem.MustOBIS("0-0:128.25.2.255") // and this month
	QuotaName        = cosem.MustOBIS("0-0:128.25.3.255") // that cost nothing extra; 0 is no quota
	NextCallName     = cosem.MustOBIS("0-0:128.25.4.255") // when the hub calls home next
	CallsName        = cosem.MustOBIS("0-0:128.25.5.255") // how often it did
	CallNowName      = cosem.MustOBIS("0-0:10.1.108.255") // script 1 calls home
	NetworkName      = cosem.MustOBIS("0-0:30.2.0.255")   // the HAN (class 104)
	DeviceLogName    = cosem.MustOBIS("0-0:99.98.5.255")
	GPFName          = cosem.MustOBIS("0-0:128.96.1.255") // EUI-64 of the notional gas proxy
	OutagesName      = cosem.MustOBIS("0-0:96.7.0.255")
	ClockSourceName  = cosem.MustOBIS("0-0:128.1.0.255")
	LastMessageName  = cosem.MustOBIS("0-0:128.25.6.255")
	lastDeviceName   = cosem.MustOBIS("0-0:128.96.2.255")
	deviceStatusName = cosem.MustOBIS("0-0:128.96.3.255")
)

// WANState is how the hub stands on the WAN (ours).
type WANState uint8

// The states.
const (
	WANOff      WANState = 0 // no power
	WANNone     WANState = 1 // no coverage
	WANSleeping WANState = 2 // a text message wakes it
	WANWaking   WANState = 3 // of two messages one has come, or they are under way
	WANOnline   WANState = 4
)

// String gives the word.
func (s WANState) String() string {
	return [...]string{"off", "no coverage", "sleeping", "waking", "online"}[min(s, WANOnline)]
}

// WAN is the state on the WAN at a time.
func (h *Hub) WAN(now time.Time) WANState {
	switch {
	case !h.On(now):
		return WANOff
	case h.cfg.NoWAN:
		return WANNone
	case h.Awake(now):
		return WANOnline
	case h.wan.count > 0 && now.Sub(h.wan.first) <= wakeWindow || len(h.wan.due) > 0:
		return WANWaking
	default:
		return WANSleeping
	}
}

// network is what a hub knows of its HAN once something was changed about it.
type network struct {
	removed []wire.EUI64 // members that may not speak any more
	added   []wire.EUI64 // devices that may join
	until   time.Time    // joining is open
	log     []deviceEvent
	calls   uint32
	month   int64 // which month monthly is of, counted from year 0
	monthly uint32
	lastSMS int64
	outages uint32
	cutAt   int64 // when the power last failed
}

// deviceEvent is an entry of the HAN device log.
type deviceEvent struct {
	at     int64
	device wire.EUI64
	code   core.Event
}

// deviceLogSize is how many entries the HAN device log keeps (ours).
const deviceLogSize = 50

// maxAllowed is how many devices the allow-list has room for (ours; SMETS2 hubs have sixteen).
const maxAllowed = 16

func (h *Hub) network() *network {
	if h.net == nil {
		h.net = &network{}
	}
	return h.net
}

// Allowed reports whether a device is on the allow-list: the devices of the home, less
// those that were taken off, and those that were put on.
func (h *Hub) Allowed(e wire.EUI64) bool {
	if h.net != nil {
		if slices.Contains(h.net.added, e) {
			return true
		}
		if slices.Contains(h.net.removed, e) {
			return false
		}
	}
	return h.member(e) || len(h.cfg.Members) == 0
}

func (h *Hub) member(e wire.EUI64) bool {
	return slices.ContainsFunc(h.cfg.Members, func(m Member) bool { return m.EUI == e })
}

// allowed are the devices on the allow-list.
func (h *Hub) allowed() (list []wire.EUI64) {
	for _, m := range h.cfg.Members {
		if h.Allowed(m.EUI) {
			list = append(list, m.EUI)
		}
	}
	if h.net != nil {
		for _, e := range h.net.added {
			if !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
	}
	return list
}

// Allow puts a device on the allow-list.
func (h *Hub) Allow(now time.Time, e wire.EUI64) error {
	if h.Allowed(e) && h.member(e) {
		return nil
	}
	if len(h.allowed()) >= maxAllowed {
		return cosem.ActionScopeOfAccessViolated
	}
	n := h.network()
	n.removed = slices.DeleteFunc(n.removed, func(x wire.EUI64) bool { return x == e })
	if !h.member(e) && !slices.Contains(n.added, e) {
		n.added = append(n.added, e)
	}
	h.device(now, e, core.EventDeviceAllowed)
	return nil
}

// Refuse takes a device off the allow-list. What it says is not heard any more.
func (h *Hub) Refuse(now time.Time, e wire.EUI64) error {
	if !slices.Contains(h.allowed(), e) {
		return cosem.ActionObjectUndefined
	}
	n := h.network()
	n.added = slices.DeleteFunc(n.added, func(x wire.EUI64) bool { return x == e })
	if h.member(e) && !slices.Contains(n.removed, e) {
		n.removed = append(n.removed, e)
	}
	h.device(now, e, core.EventDeviceLeft)
	return nil
}

// OpenJoining lets devices of the allow-list join for a time. Smart Energy asks for at
// most 254 s at once, which the radio repeats (published).
func (h *Hub) OpenJoining(now time.Time, d time.Duration) {
	h.network().until = now.Add(d)
	h.Touch()
}

// Joining is until when devices may join; the past or zero if they may not.
func (h *Hub) Joining() time.Time {
	if h.net == nil {
		return time.Time{}
	}
	return h.net.until
}

// device enters something about a device of the HAN.
func (h *Hub) device(now time.Time, e wire.EUI64, code core.Event) {
	n := h.network()
	n.log = append(n.log[max(len(n.log)-deviceLogSize+1, 0):len(n.log):len(n.log)], deviceEvent{h.Clock().Now(now).Unix(), e, code})
	h.Event(now, code)
}

// quota counts a text message.
func (h *Hub) quota(now time.Time) {
	n := h.network()
	y, m, _ := now.UTC().Date()
	if month := int64(y)*12 + int64(m); month != n.month {
		n.month, n.monthly = month, 0
	}
	n.monthly++
	n.lastSMS = now.Unix()
	if q := h.Profile.WAN.SMSQuota; q > 0 && int(n.monthly) == q+1 {
		h.Event(now, core.EventQuotaReached)
	}
}

// Monthly is how many text messages came in the month of a time. Those beyond the
// profile's quota cost extra.
func (h *Hub) Monthly(now time.Time) int {
	y, m, _ := now.UTC().Date()
	if h.net == nil || h.net.month != int64(y)*12+int64(m) {
		return 0
	}
	return int(h.net.monthly)
}

// CallHome has the hub go on line by itself, as if it was woken.
func (h *Hub) CallHome(now time.Time) error {
	if h.cfg.NoWAN || !h.On(now) {
		return cosem.ActionTemporaryFailure
	}
	if h.Profile.WAN.Wake == profile.WakeNone {
		return nil
	}
	h.network().calls++
	h.Event(now, core.EventCalledHome)
	if until := now.Add(h.Profile.WAN.OnlineWindow); until.After(h.wan.awakeUntil) {
		h.wan.awakeUntil = until
	}
	return nil
}

// scheduled is the scheduled call around a time: when it began, and whether the hub is
// on line for it.
func (h *Hub) scheduled(now time.Time) (began time.Time, on bool) {
	every, window := h.Profile.WAN.CallEvery, h.Profile.WAN.CallWindow
	if every <= 0 || h.cfg.NoWAN {
		return time.Time{}, false
	}
	// Hubs do not all call at once.
	offset := time.Duration(binary.BigEndian.Uint32(h.Secret[4:8])) * time.Second % every
	began = now.Add(-offset).Truncate(every).Add(offset)
	return began, now.Sub(began) < window
}

// NextCall is when the hub calls home next by its schedule; zero if it has none.
func (h *Hub) NextCall(now time.Time) time.Time {
	began, _ := h.scheduled(now)
	if began.IsZero() {
		return began
	}
	return began.Add(h.Profile.WAN.CallEvery)
}

// GPF is the EUI-64 of the gas proxy function, which is notional: the hub itself, under
// a name of its own (design; that CHF and GPF of a SMETS1 home are notional is recalled).
func (h *Hub) GPF() wire.EUI64 {
	e := h.EUI
	e[0] |= 0x02 // locally administered
	return e
}

// PowerDown implements core.Sections: with its last breath a hub that has the means
// says so, unless it just did (published, Liberty 100 manual page 52: repeated outages
// inside ten minutes can prevent it).
func (h *Hub) PowerDown(now, _ time.Time) {
	n := h.network()
	gasp := h.Profile.WAN.LastGasp && !h.cfg.NoWAN && (n.cutAt == 0 || now.Unix()-n.cutAt > int64(gaspAgain/time.Second))
	n.cutAt = now.Unix()
	n.outages++
	if gasp {
		h.Event(now, core.EventLastGasp)
	}
	h.Touch()
}

const gaspAgain = 10 * time.Minute

// Points are all single values of a hub.
func Points() []point.Point[*Hub] {
	type p = point.Point[*Hub]
	value := func(name string, c point.COSEM, get func(h *Hub, now time.Time) point.Value) p {
		return p{Name: name, COSEM: c, Get: get}
	}
	number := func(name string, o cosem.OBIS, t axdr.Tag, get func(h *Hub, now time.Time) int64) p {
		return value(name, point.Data(o, t), func(h *Hub, now time.Time) point.Value { return point.Int(get(h, now)) })
	}
	return []p{
		number("WAN state", WANStateName, axdr.TagEnum, func(h *Hub, now time.Time) int64 { return int64(h.WAN(now)) }),
		number("Text messages", MessagesName, axdr.TagUint32, func(h *Hub, _ time.Time) int64 { return int64(h.sms) }),
		number("Text messages this month", MonthName, axdr.TagUint16, func(h *Hub, now time.Time) int64 { return int64(h.Monthly(now)) }),
		number("Text message quota", QuotaName, axdr.TagUint16, func(h *Hub, _ time.Time) int64 { return int64(h.Profile.WAN.SMSQuota) }),
		value("Last text message", point.Data(LastMessageName, axdr.TagDateTime), func(h *Hub, _ time.Time) point.Value {
			if h.net == nil {
				return point.Value{}
			}
			return point.Int(h.net.lastSMS)
		}),
		value("Next call home", point.Data(NextCallName, axdr.TagDateTime), func(h *Hub, now time.Time) point.Value { return point.Time(h.NextCall(now)) }),
		number("Calls home on demand", CallsName, axdr.TagUint32, func(h *Hub, _ time.Time) int64 {
			if h.net == nil {
				return 0
			}
			return int64(h.net.calls)
		}),
		number("Outages", OutagesName, axdr.TagUint16, func(h *Hub, _ time.Time) int64 {
			if h.net == nil {
				return 0
			}
			return int64(h.net.outages)
		}),
		value("GPF identifier", point.Data(GPFName, axdr.TagOctetString), func(h *Hub, _ time.Time) point.Value { e := h.GPF(); return point.Value{Octets: e[:]} }),
		number("Clock source", ClockSourceName, axdr.TagEnum, func(*Hub, time.Time) int64 { return clockHeadEnd }),
	}
}

// clockHeadEnd: the head end sets the hub's clock, and the meters take theirs from the hub (recalled).
const clockHeadEnd = 1

// networkObject is the HAN as class 104: the join window, the allow-list and who is there.
func networkObject() server.Object {
	eui := func(arg []byte) (e wire.EUI64, err error) {
		r := axdr.NewReader(arg)
		if t, ok := r.NextTag(); ok && t == axdr.TagStructure {
			if n := r.StructureAny(); n < 1 || n > 4 {
				return e, cosem.ActionTypeUnmatched
			}
		}
		b := r.OctetString()
		if r.Err() != nil || len(b) != len(e) {
			return e, cosem.ActionTypeUnmatched
		}
		copy(e[:], b)
		return e, nil
	}
	method := func(id int8, do func(h *Hub, now time.Time, e wire.EUI64) error) server.Method {
		return server.Method{ID: id, Access: core.Run, Do: func(c *server.Call, arg, dst []byte) ([]byte, error) {
			e, err := eui(arg)
			if err != nil {
				return dst, err
			}
			return dst, do(of(c), c.Now, e)
		}}
	}
	return server.Object{
		Class: cosem.ClassZigBeeNetworkControl, Instance: NetworkName,
		Attrs: []server.Attr{
			{
				ID: 2, Type: axdr.TagBool, Access: core.Managed,
				Get: server.Bool(func(c *server.Call) bool { return of(c).Joining().After(c.Now) }),
				Set: server.SetBool(func(c *server.Call, open bool) error {
					d := time.Duration(0)
					if open {
						d = joinDefault
					}
					of(c).OpenJoining(c.Now, d)
					return nil
				}),
			},
			{
				ID: 3, Type: axdr.TagUint16, Access: core.Managed,
				Get: server.Uint16(func(c *server.Call) uint16 {
					return uint16(min(max(of(c).Joining().Sub(c.Now), 0)/time.Second, 0xFFFF))
				}),
				Set: server.SetInteger(func(c *server.Call, v int64) error {
					of(c).OpenJoining(c.Now, time.Duration(v)*time.Second)
					return nil
				}),
			},
			{ID: 4, Access: core.Private, Get: func(c *server.Call, b []byte) ([]byte, error) {
				h := of(c)
				list := h.allowed()
				b = axdr.AppendArrayHeader(b, len(list))
				for _, e := range list {
					b = axdr.AppendStructureHeader(b, 2)
					b = axdr.AppendOctetString(b, e[:])
					b = axdr.AppendBool(b, h.member(e)) // it is there; else it may come
				}
				return b, nil
			}},
		},
		Methods: []server.Method{
			method(1, (*Hub).Allow), method(2, (*Hub).Refuse),
			{ID: 3}, {ID: 4}, {ID: 5}, {ID: 6}, {ID: 7}, {ID: 8}, {ID: 9}, {ID: 10}, {ID: 11},
		},
	}
}

// joinDefault is how long joining stays open when no time is given: an hour (ours).
const joinDefault = time.Hour

// deviceLog is the HAN device log: when, which device, what.
func deviceLog() server.Object {
	data := func(n cosem.OBIS) server.Column {
		return server.Column{Attribute: cosem.Attribute{Class: cosem.ClassData, Instance: n, ID: 2}}
	}
	return server.Profile(DeviceLogName, server.ProfileConfig{
		Access: core.Private, Columns: []server.Column{core.ClockColumn, data(lastDeviceName), data(deviceStatusName)}, Capacity: deviceLogSize,
		Rows: func(c *server.Call) server.Rows {
			if n := of(c).net; n != nil {
				return deviceRows(n.log)
			}
			return deviceRows(nil)
		},
	})
}

type deviceRows []deviceEvent

func (r deviceRows) Len(*server.Call) int { return len(r) }

func (r deviceRows) Time(_ *server.Call, i int) time.Time { return time.Unix(r[i].at, 0).UTC() }

func (r deviceRows) Append(c *server.Call, i, column int, dst []byte) ([]byte, error) {
	switch column {
	case 0:
		return axdr.AppendDateTime(dst, axdr.DateTimeOf(r.Time(c, i))), nil
	case 1:
		return axdr.AppendOctetString(dst, r[i].device[:]), nil
	default:
		return axdr.AppendUint16(dst, uint16(r[i].code)), nil
	}
}

// callObject is the script table that calls home: script 1 (ours).
func callObject() server.Object {
	o := server.ScriptTable(CallNowName, core.Private, nil)
	o.Methods = []server.Method{{ID: 1, Access: core.Run, Do: func(c *server.Call, arg, dst []byte) ([]byte, error) {
		r := axdr.NewReader(arg)
		if id := r.Uint16(); r.Err() != nil {
			return dst, cosem.ActionTypeUnmatched
		} else if id != 1 {
			return dst, cosem.ActionObjectUndefined
		}
		return dst, of(c).CallHome(c.Now)
	}}}
	return o
}

func (n *network) append(b []byte) []byte {
	list := func(l []wire.EUI64) {
		b = append(b, byte(len(l)))
		for _, e := range l {
			b = append(b, e[:]...)
		}
	}
	list(n.removed)
	list(n.added)
	until := int64(0)
	if !n.until.IsZero() {
		until = n.until.Unix()
	}
	for _, v := range []int64{until, n.month, n.lastSMS, n.cutAt} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	for _, v := range []uint32{n.calls, n.monthly, n.outages} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = append(b, byte(len(n.log)))
	for _, e := range n.log {
		b = binary.BigEndian.AppendUint64(b, uint64(e.at))
		b = append(b, e.device[:]...)
		b = binary.BigEndian.AppendUint16(b, uint16(e.code))
	}
	return b
}

func restoreNetwork(r *wire.Reader) *network {
	n := &network{}
	eui := func() (e wire.EUI64) {
		copy(e[:], r.Bytes(len(e)))
		return e
	}
	list := func() (l []wire.EUI64) {
		for range r.U8() {
			l = append(l, eui())
		}
		return l
	}
	n.removed, n.added = list(), list()
	if until := int64(r.U64()); until != 0 {
		n.until = time.Unix(until, 0).UTC()
	}
	n.month, n.lastSMS, n.cutAt = int64(r.U64()), int64(r.U64()), int64(r.U64())
	n.calls, n.monthly, n.outages = r.U32(), r.U32(), r.U32()
	for range r.U8() {
		n.log = append(n.log, deviceEvent{int64(r.U64()), eui(), core.Event(r.U16())})
	}
	return n
}
