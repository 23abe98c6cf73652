package server_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/dlms/server"
	"smets1/dlms/server/ctt"
)

func kept[T any](v *T, changes *int) server.Kept[T] {
	return server.Kept[T]{Of: func(*server.Call) *T { return v }, Changed: func(*server.Call) { *changes++ }}
}

func name8(s string) axdr.Value {
	n := cosem.MustOBIS(s)
	return axdr.Octets(n[:])
}

// switches counts what scripts did, by selector.
type switches map[uint16]int

var scriptTable = cosem.MustOBIS("0-0:10.0.1.255")

// object is a script table whose scripts count.
func (s switches) objects() []server.Object {
	table := server.ScriptTable(scriptTable, anybody, nil)
	table.Methods[0].Do = func(_ *server.Call, arg, dst []byte) ([]byte, error) {
		r := axdr.NewReader(arg)
		s[r.Uint16()]++
		return dst, nil
	}
	return []server.Object{table}
}

func (s switches) on(t *testing.T, o ...server.Object) *bench {
	b := on(t, o[0])
	b.d = device(t, append(s.objects(), o...)...)
	return b
}

// declared has one object of each class that keeps a state.
func declared() []server.Object {
	var n int
	of := cosem.MustOBIS
	var (
		registers = server.Registers{Masks: []server.RegisterMask{{}}}
		schedule  []server.ScheduleEntry
		monitor   server.Monitor
		limiter   = server.Limiter{Active: axdr.Uint16(1), Normal: axdr.Uint16(1), Emergency: axdr.Uint16(1)}
		params    = server.Parameters{Watched: []cosem.Attribute{energy}}
		arbiter   server.Arbiter
		account   server.AccountState
		credit    server.CreditState
		charge    server.ChargeState
		token     server.TokenState
		push      server.PushState
		cells     = server.Cells{}
		buffer    []byte
		days      = []byte{1, 0}
	)
	objects := []server.Object{
		server.RegisterActivation(of("0-0:14.0.0.255"), anybody, kept(&registers, &n)),
		server.Schedule(of("0-0:12.0.0.255"), anybody, kept(&schedule, &n)),
		server.RegisterMonitor(of("0-0:16.1.0.255"), anybody, kept(&monitor, &n)),
		server.Limit(of("0-0:17.0.0.255"), anybody, kept(&limiter, &n)),
		server.ParameterMonitor(of("0-0:16.2.0.255"), anybody, kept(&params, &n)),
		server.Arbitrate(of("0-0:96.3.20.255"), anybody, kept(&arbiter, &n)),
		server.Account(of("0-0:19.0.0.255"), anybody, kept(&account, &n)),
		server.Credit(of("0-0:19.10.0.255"), anybody, kept(&credit, &n)),
		server.Charge(of("0-0:19.20.0.255"), server.ChargeConfig{Access: anybody, Kept: kept(&charge, &n)}),
		server.TokenGateway(of("0-0:19.40.0.255"), anybody, kept(&token, &n), func(*server.Call, *server.TokenState) error { return nil }),
		server.PushSetup(of("0-0:25.9.0.255"), server.PushConfig{Access: anybody, Kept: kept(&push, &n)}),
		server.CompactData(of("0-0:66.0.0.255"), server.CompactConfig{Access: anybody, Implicit: true, Objects: []server.Column{{Attribute: cosem.Attribute{Class: 17, Instance: of("0-0:41.0.0.255"), ID: 1}}}, Buffer: func(*server.Call) *[]byte { return &buffer }}),
		server.SpecialDays(of("0-0:11.0.0.255"), anybody, func(*server.Call) *[]byte { return &days }),
		server.ExtendedData(of("0-0:94.44.1.255"), anybody, kept(&cells, &n)),
		server.SAPAssignment(anybody, func(*server.Call) []server.SAP { return nil }),
	}
	for class, version := range map[cosem.ClassID]uint8{
		cosem.ClassLocalPort: 1, cosem.ClassHDLCSetup: 1, cosem.ClassTCPUDPSetup: 0, cosem.ClassIPv4Setup: 0, cosem.ClassDataProtection: 0,
		cosem.ClassZigBeeSASStartup: 0, cosem.ClassZigBeeSASJoin: 0, cosem.ClassZigBeeSASAPS: 0, cosem.ClassZigBeeNetworkControl: 0,
		cosem.ClassZigBeeTunnelSetup: 0, cosem.ClassIEC62055Attributes: 0, cosem.ClassStatusMapping: 0,
	} {
		objects = append(objects, server.Plain(class, version, cosem.OBIS{0, 0, 128, byte(class)}, server.PlainConfig{Access: anybody, Kept: kept(&cells, &n)}))
	}
	return objects
}

// TestDeclaredAsTheClassTableSays holds each declaration against the class table: all attributes and methods of the
// version are there, and their values have the types the class gives them.
func TestDeclaredAsTheClassTableSays(t *testing.T) {
	objects := declared()
	d := device(t, objects...)
	for _, o := range objects {
		info, ok := cosem.LookupClass(o.Class, o.Version)
		require.True(t, ok)
		info.Attributes = info.Attributes[1:] // the logical name
		require.Len(t, o.Attrs, len(info.Attributes), info.Name)
		require.Len(t, o.Methods, len(info.Methods), info.Name)
		for i, a := range info.Attributes {
			require.Equal(t, a.ID, o.Attrs[i].ID, info.Name)
			raw, err := d.Get(time.Unix(0, 0), cosem.Attribute{Class: o.Class, Instance: o.Instance, ID: a.ID}, nil)
			require.NoError(t, err, "%s %s", info.Name, a.Name)
			if tag := axdr.Tag(raw[0]); tag != axdr.TagNull {
				require.True(t, a.Allows(tag), "%s %s is a %v", info.Name, a.Name, tag)
			}
			if o.Attrs[i].Set != nil && o.Attrs[i].Type != 0 {
				require.True(t, a.Allows(o.Attrs[i].Type), "%s %s takes a %v", info.Name, a.Name, o.Attrs[i].Type)
				// What is read can be written back, and what was cut short is refused and changes nothing.
				require.NoError(t, d.Set(time.Unix(0, 0), cosem.Attribute{Class: o.Class, Instance: o.Instance, ID: a.ID}, raw), "%s %s", info.Name, a.Name)
				again, err := d.Get(time.Unix(0, 0), cosem.Attribute{Class: o.Class, Instance: o.Instance, ID: a.ID}, nil)
				require.NoError(t, err)
				require.Equal(t, raw, again, "%s %s", info.Name, a.Name)
			}
		}
		for i, m := range info.Methods {
			require.Equal(t, m.ID, o.Methods[i].ID, info.Name)
		}
	}
	require.Panics(t, func() { server.Plain(4711, 0, cosem.OBIS{}, server.PlainConfig{}) })
}

func TestRegisterActivation(t *testing.T) {
	var s server.Registers
	var n int
	b := on(t, server.RegisterActivation(cosem.MustOBIS("0-0:14.0.0.255"), anybody, kept(&s, &n)))
	for _, r := range []string{"1-0:1.8.1.255", "1-0:1.8.2.255", "1-0:1.8.1.255"} {
		require.NoError(t, b.do(1, axdr.Structure(axdr.Uint16(3), name8(r))))
	}
	require.Len(t, s.Assigned, 2, "a register is there once")
	require.NoError(t, b.do(2, axdr.Structure(axdr.Octets([]byte("day")), axdr.Array(axdr.Uint8(1)))))
	require.NoError(t, b.do(2, axdr.Structure(axdr.Octets([]byte("night")), axdr.Array(axdr.Uint8(2)))))
	require.ErrorIs(t, b.do(2, axdr.Structure(axdr.Octets([]byte("x")), axdr.Array(axdr.Uint8(3)))), cosem.ActionScopeOfAccessViolated)
	require.ErrorIs(t, b.set(4, axdr.Octets([]byte("dusk"))), cosem.ScopeOfAccessViolated)
	require.NoError(t, b.set(4, axdr.Octets([]byte("night"))))
	require.True(t, s.Counts(server.RegisterRef{Class: 3, Instance: cosem.MustOBIS("1-0:1.8.2.255")}))
	require.False(t, s.Counts(server.RegisterRef{Class: 3, Instance: cosem.MustOBIS("1-0:1.8.1.255")}))
	require.NoError(t, b.do(3, axdr.Octets([]byte("night"))))
	require.ErrorIs(t, b.do(3, axdr.Octets([]byte("night"))), cosem.ActionObjectUndefined)
	require.False(t, s.Counts(server.RegisterRef{Class: 3, Instance: cosem.MustOBIS("1-0:1.8.2.255")}))
	require.ErrorIs(t, b.do(1, axdr.Int8(0)), cosem.ActionTypeUnmatched)
	require.Equal(t, 7, n, "changes reported")
}

func TestSchedule(t *testing.T) {
	var entries []server.ScheduleEntry
	var n int
	ran := switches{}
	b := ran.on(t, server.Schedule(cosem.MustOBIS("0-0:12.0.0.255"), anybody, kept(&entries, &n)))
	entry := func(index, selector uint16, hour uint8, days byte) axdr.Value {
		return axdr.Structure(axdr.Uint16(index), axdr.Bool(true), axdr.Octets(scriptTable[:]), axdr.Uint16(selector),
			axdr.TimeOctets(axdr.Time{Hour: hour}), axdr.Uint16(0xFFFF), axdr.Bits([]byte{days}, 7), axdr.Bits(nil, 0),
			axdr.DateOctets(axdr.UnspecifiedDate), axdr.DateOctets(axdr.Date{Year: 2024, Month: 3, Day: 8, Weekday: 0xFF}))
	}
	require.NoError(t, b.do(2, entry(1, 11, 6, 0xFE)))
	require.NoError(t, b.do(2, entry(2, 12, 18, 0x80))) // Mondays
	require.NoError(t, b.do(2, entry(3, 13, 18, 0xFE)))
	require.NoError(t, b.do(2, entry(3, 14, 18, 0xFE)), "replaces")
	require.Len(t, entries, 3)
	require.NoError(t, b.do(1, axdr.Structure(axdr.Uint16(3), axdr.Uint16(3), axdr.Uint16(0), axdr.Uint16(0))))
	require.False(t, entries[2].Enabled)
	from := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC) // a Friday
	require.NoError(t, server.RunSchedule(b.d, entries, from, from.AddDate(0, 0, 14)))
	require.Equal(t, switches{11: 7, 12: 1}, ran, "until the 8th")
	require.NoError(t, b.do(3, axdr.Structure(axdr.Uint16(1), axdr.Uint16(2))))
	require.ErrorIs(t, b.do(3, axdr.Structure(axdr.Uint16(1), axdr.Uint16(2))), cosem.ActionObjectUndefined)
	require.Len(t, entries, 1)
	v := b.get(2)
	require.Equal(t, "1", v.At(0, 6).Text()[:1], "%s", v)
	require.NoError(t, b.set(2, v))
	require.NoError(t, b.do(1, axdr.Structure(axdr.Uint16(0), axdr.Uint16(0), axdr.Uint16(1), axdr.Uint16(9))))
	require.True(t, entries[0].Enabled)
}

func TestSpecialDaysMethods(t *testing.T) {
	var cell []byte
	b := on(t, server.SpecialDays(cosem.MustOBIS("0-0:11.0.0.255"), anybody, func(*server.Call) *[]byte { return &cell }))
	day := func(index uint16, id uint8) axdr.Value {
		return axdr.Structure(axdr.Uint16(index), axdr.DateOctets(axdr.Date{Year: 2024, Month: 12, Day: 25, Weekday: 0xFF}), axdr.Uint8(id))
	}
	require.NoError(t, b.do(1, day(1, 2)))
	require.NoError(t, b.do(1, day(2, 3)))
	require.NoError(t, b.do(1, day(1, 9)))
	require.True(t, axdr.Array(day(1, 9), day(2, 3)).Equal(b.get(2)))
	require.NoError(t, b.do(2, axdr.Uint16(1)))
	require.ErrorIs(t, b.do(2, axdr.Uint16(1)), cosem.ActionObjectUndefined)
	require.True(t, axdr.Array(day(2, 3)).Equal(b.get(2)))
	require.ErrorIs(t, b.do(1, axdr.Uint16(1)), cosem.ActionTypeUnmatched)
}

func TestMonitors(t *testing.T) {
	var n int
	value := int32(10)
	watched := cosem.Attribute{Class: 3, Instance: cosem.MustOBIS("1-0:1.7.0.255"), ID: 2}
	register := server.Register(watched.Instance, server.Value{Access: anybody, Type: axdr.TagInt32, Get: server.Int32(func(*server.Call) int32 { return value }),
		Set: server.SetInteger(func(_ *server.Call, v int64) error { value = int32(v); return nil })}, server.ScalerUnit{}, server.Method{})
	reference := axdr.Structure(axdr.Uint16(3), axdr.Octets(watched.Instance[:]), axdr.Int8(2))
	script := func(selector uint16) axdr.Value {
		return axdr.Structure(axdr.Octets(scriptTable[:]), axdr.Uint16(selector))
	}

	var m server.Monitor
	ran := switches{}
	b := ran.on(t, server.RegisterMonitor(cosem.MustOBIS("0-0:16.1.0.255"), anybody, kept(&m, &n)), register)
	require.NoError(t, b.set(2, axdr.Array(axdr.Int32(20), axdr.Uint8(30))))
	require.NoError(t, b.set(3, reference))
	require.NoError(t, b.set(4, axdr.Array(axdr.Structure(script(1), script(2)), axdr.Structure(script(3), script(4)))))
	require.ErrorIs(t, b.set(2, axdr.Array(axdr.Octets(nil))), cosem.TypeUnmatched)
	for _, v := range []int32{10, 25, 35, 29, 10, 50} {
		value = v
		require.NoError(t, m.Check(b.d, b.time))
	}
	require.Equal(t, switches{1: 2, 3: 2, 4: 1, 2: 1}, ran)

	var l server.Limiter
	clear(ran)
	l = server.Limiter{Value: watched, Active: axdr.Uint16(100), Normal: axdr.Uint16(100), Emergency: axdr.Uint16(20)}
	b = ran.on(t, server.Limit(cosem.MustOBIS("0-0:17.0.0.255"), anybody, kept(&l, &n)), register)
	require.NoError(t, b.set(6, axdr.Uint32(10)))
	require.NoError(t, b.set(7, axdr.Uint32(5)))
	require.NoError(t, b.set(9, axdr.Array(axdr.Uint16(7))))
	require.NoError(t, b.set(11, axdr.Structure(script(1), script(2))))
	now := b.time
	check := func(v int32, after time.Duration, want switches) {
		t.Helper()
		value, now = v, now.Add(after)
		require.NoError(t, l.Check(b.d, now))
		require.Equal(t, want, ran)
	}
	check(90, 0, switches{})
	check(110, time.Second, switches{})
	check(110, 9*time.Second, switches{})
	check(90, time.Second, switches{}) // below again: the time starts anew
	check(110, time.Second, switches{})
	check(110, 10*time.Second, switches{1: 1})
	check(90, time.Second, switches{1: 1})
	check(90, 5*time.Second, switches{1: 1, 2: 1})
	require.NoError(t, b.set(8, axdr.Structure(axdr.Uint16(7), axdr.DateTimeOctets(axdr.DateTimeOf(now.Add(time.Minute))), axdr.Uint32(60))))
	check(90, 59*time.Second, switches{1: 1, 2: 1})
	require.False(t, l.EmergencyActive)
	check(90, time.Second, switches{1: 1, 2: 1})
	require.True(t, l.EmergencyActive)
	require.True(t, axdr.Uint16(20).Equal(b.get(3)))
	check(90, 10*time.Second, switches{1: 2, 2: 1})
	check(90, 50*time.Second, switches{1: 2, 2: 1})
	require.False(t, l.EmergencyActive)
	require.NoError(t, b.set(4, axdr.Uint16(80)))
	require.True(t, axdr.Uint16(80).Equal(b.get(3)))
	require.ErrorIs(t, b.set(3, axdr.Uint16(80)), cosem.ReadWriteDenied)

	var p server.Parameters
	b = on(t, server.ParameterMonitor(cosem.MustOBIS("0-0:16.2.0.255"), anybody, kept(&p, &n)))
	require.NoError(t, b.do(1, reference))
	p.Note(energy, []byte{0}, axdr.DateTimeOf(b.time))
	require.Nil(t, p.Value, "not watched")
	p.Note(watched, axdr.AppendInt32(nil, 5), axdr.DateTimeOf(b.time))
	require.True(t, axdr.Structure(axdr.Uint16(3), axdr.Octets(watched.Instance[:]), axdr.Int8(2), axdr.Int32(5)).Equal(b.get(2)))
	require.NoError(t, b.do(2, reference))
	require.ErrorIs(t, b.do(2, reference), cosem.ActionObjectUndefined)
}

func TestArbitrator(t *testing.T) {
	var n int
	a := server.Arbiter{Actions: []server.ScriptRef{{Table: scriptTable, Selector: 1}, {Table: scriptTable, Selector: 2}}}
	ran := switches{}
	b := ran.on(t, server.Arbitrate(cosem.MustOBIS("0-0:96.3.20.255"), anybody, kept(&a, &n)))
	require.NoError(t, b.set(3, axdr.Array(axdr.Bits([]byte{0xC0}, 2), axdr.Bits([]byte{0x40}, 2))))
	require.NoError(t, b.set(4, axdr.Array(axdr.Array(axdr.Uint16(5), axdr.Uint16(1)), axdr.Array(axdr.Uint16(0), axdr.Uint16(10)))))
	ask := func(actor uint8, bits byte) error {
		return b.do(1, axdr.Structure(axdr.Uint8(actor), axdr.Bits([]byte{bits}, 2)))
	}
	require.NoError(t, ask(0, 0x80))
	require.Equal(t, uint8(1), a.Outcome)
	require.ErrorIs(t, ask(1, 0x80), cosem.ActionReadWriteDenied, "not permitted")
	require.ErrorIs(t, ask(2, 0x80), cosem.ActionScopeOfAccessViolated)
	require.NoError(t, ask(1, 0x40))
	require.Equal(t, uint8(2), a.Outcome)
	require.True(t, axdr.Array(axdr.Bits([]byte{0x80}, 2), axdr.Bits([]byte{0x40}, 2)).Equal(b.get(5)))
	require.Equal(t, switches{1: 1, 2: 1}, ran)
	require.NoError(t, b.do(2, axdr.Int8(0)))
	require.Zero(t, a.Outcome)
}

func TestPayment(t *testing.T) {
	var n int
	zero := axdr.Int8(0)
	a := server.AccountState{Mode: server.AccountPrepaid, Status: server.AccountNew, Available: 500}
	b := on(t, server.Account(cosem.MustOBIS("0-0:19.0.0.255"), anybody, kept(&a, &n)))
	require.ErrorIs(t, b.do(2, zero), cosem.ActionReadWriteDenied, "a new account does not close")
	require.NoError(t, b.do(1, zero))
	require.True(t, axdr.Structure(axdr.Enum(2), axdr.Enum(2)).Equal(b.get(2)))
	require.ErrorIs(t, b.do(3, zero), cosem.ActionReadWriteDenied)
	require.NoError(t, b.set(11, axdr.Array(axdr.Structure(name8("0-0:19.10.0.255"), name8("0-0:19.20.0.255"), axdr.Bits([]byte{0xA0}, 3)))))
	require.Equal(t, uint8(5), a.Collections[0].Collection)
	require.NoError(t, b.set(15, axdr.Structure(axdr.UTF8("GBP"), axdr.Int8(-5), axdr.Enum(2))))
	require.NoError(t, b.set(16, axdr.Int32(200)))
	require.ErrorIs(t, b.set(5, axdr.Int32(200)), cosem.ReadWriteDenied)
	require.NoError(t, b.do(2, zero))
	require.NoError(t, b.do(3, zero))
	require.Zero(t, a.Available)

	c := server.CreditState{Type: 2, Status: server.CreditSelectable, Preset: 500, Amount: -100}
	b = on(t, server.Credit(cosem.MustOBIS("0-0:19.10.1.255"), anybody, kept(&c, &n)))
	require.NoError(t, b.do(3, zero))
	require.Equal(t, int32(400), c.Amount)
	require.ErrorIs(t, b.do(3, zero), cosem.ActionReadWriteDenied)
	require.NoError(t, b.do(1, axdr.Int32(-50)))
	require.Equal(t, int32(350), c.Amount)
	require.ErrorIs(t, b.do(1, axdr.Int32(0x7FFFFFFF)), cosem.ActionScopeOfAccessViolated, "no wrapping round")
	require.NoError(t, b.do(2, axdr.Int32(7)))
	require.Equal(t, int32(7), c.Amount)
	require.ErrorIs(t, b.do(2, axdr.Uint8(7)), cosem.ActionTypeUnmatched)

	var h server.ChargeState
	b = on(t, server.Charge(cosem.MustOBIS("0-0:19.20.0.255"), server.ChargeConfig{Access: anybody, Kept: kept(&h, &n), Collect: func(_ *server.Call, s server.ChargeState) (int32, error) {
		return min(30, s.Remaining), nil
	}}))
	unit := func(prices ...int16) axdr.Value {
		table := axdr.Array()
		for i, p := range prices {
			table.Items = append(table.Items, axdr.Structure(axdr.Octets([]byte{byte(i)}), axdr.Int16(p)))
		}
		return axdr.Structure(axdr.Structure(axdr.Int8(3), axdr.Int8(-5)), axdr.Structure(axdr.Uint16(3), name8("1-0:1.8.0.255"), axdr.Int8(2)), table)
	}
	require.NoError(t, b.set(6, unit(10, 20)))
	require.NoError(t, b.do(1, axdr.Array(axdr.Structure(axdr.Octets([]byte{1}), axdr.Int16(25)))))
	require.ErrorIs(t, b.do(1, axdr.Array(axdr.Structure(axdr.Octets([]byte{9}), axdr.Int16(25)))), cosem.ActionObjectUndefined)
	require.NoError(t, b.do(2, zero))
	require.True(t, unit(10, 25).Equal(b.get(5)))
	require.NoError(t, b.do(5, axdr.Int32(40)))
	require.NoError(t, b.do(4, axdr.Int32(5)))
	require.NoError(t, b.do(3, zero))
	require.NoError(t, b.do(3, zero))
	require.Equal(t, int32(45), h.TotalPaid)
	require.Zero(t, h.Remaining)
	require.Equal(t, int32(15), h.LastAmount)

	var g server.TokenState
	b = on(t, server.TokenGateway(cosem.MustOBIS("0-0:19.40.0.255"), anybody, kept(&g, &n), func(_ *server.Call, s *server.TokenState) error {
		switch string(s.Token) {
		case "good":
			s.Status, s.Data, s.DataBits = server.TokenExecuted, 5, 3
		case "worse":
			return cosem.ActionOtherReason
		default:
			s.Status = server.TokenFormatFailed
		}
		return nil
	}))
	require.NoError(t, b.do(1, axdr.Octets([]byte("good"))))
	require.True(t, axdr.Structure(axdr.Enum(3), axdr.Bits([]byte{0xA0}, 3)).Equal(b.get(6)))
	require.NoError(t, b.do(1, axdr.Octets([]byte("bad"))))
	require.Equal(t, server.TokenFormatFailed, g.Status)
	require.ErrorIs(t, b.do(1, axdr.Octets([]byte("worse"))), cosem.ActionOtherReason)
	require.Equal(t, "bad", string(g.Token))
	require.ErrorIs(t, b.do(1, axdr.Octets(make([]byte, 300))), cosem.ActionScopeOfAccessViolated)
}

// TestPushSetup: method 1 makes the meter push to a client, in the same stream its reply goes by.
func TestPushSetup(t *testing.T) {
	var (
		s    server.PushState
		n    int
		out  *server.Stream
		last server.PushState
	)
	ref := ctt.NewReference(0)
	d := device(t, server.Register(energy.Instance, server.Value{Access: anybody, Get: server.Fixed(axdr.Uint32(7)), Set: server.SetInteger(func(*server.Call, int64) error { return nil })},
		server.ScalerUnit{Scaler: -1, Unit: cosem.UnitWattHour}, server.Method{}),
		server.PushSetup(cosem.MustOBIS("0-0:25.9.0.255"), server.PushConfig{
			Access: anybody, Kept: kept(&s, &n), Protection: security.ProtectBoth,
			Send: func(c *server.Call, p server.PushState, apdu []byte) error {
				last = p
				out.Push(c.Now, 1, 0x40, apdu)
				return nil
			},
		}))
	d.Security = ref.Keyring
	out = server.NewStream(server.StreamConfig{Host: server.Devices{d}})
	x := newClient(t, ref, public(), 0)
	x.d = d
	x.open(0, everyBit)
	push := cosem.Attribute{Class: cosem.ClassPushSetup, Instance: cosem.MustOBIS("0-0:25.9.0.255")}
	set := func(id int8, v axdr.Value) {
		t.Helper()
		push.ID = id
		raw, err := v.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, cosem.Success, x.set(push, raw))
	}
	column := func(attribute int8, index uint16) axdr.Value {
		return axdr.Structure(axdr.Uint16(3), axdr.Octets(energy.Instance[:]), axdr.Int8(attribute), axdr.Uint16(index))
	}
	set(2, axdr.Array(column(2, 0), column(3, 2)))
	set(3, axdr.Structure(axdr.Enum(0), axdr.Octets([]byte("head-end:4059")), axdr.Enum(0)))
	set(6, axdr.Uint8(3))
	r := x.action(cosem.Method{Class: push.Class, Instance: push.Instance, ID: 1}, axdr.AppendInt8(nil, 0))
	require.Equal(t, cosem.ActionSuccess, r.Result)
	require.Equal(t, "head-end:4059", string(last.Destination))
	unit := out.Output()
	require.Equal(t, "000100010040", upper(unit[:6]))
	p, _, err := apdu.ParseGeneralGlo(unit[8:])
	require.NoError(t, err)
	cipher, err := ref.Keys.Cipher(security.Suite0)
	require.NoError(t, err)
	_, plain, err := cipher.Open(nil, ref.Keyring.SystemTitle(), p.Content)
	require.NoError(t, err)
	require.Equal(t, "0F00000000000202"+"0600000007"+"161E", upper(plain), "the value, and the unit alone")
	// The device pushes by itself too, within its windows.
	require.NoError(t, d.PushNow(ref.Now, push.Instance))
	at := func(hour uint8) axdr.Value {
		d := axdr.UnspecifiedDateTime
		d.Time.Hour, d.Time.Minute, d.Time.Second = hour, 0, 0
		return axdr.DateTimeOctets(d)
	}
	set(4, axdr.Array(axdr.Structure(at(1), at(2))))
	require.ErrorIs(t, d.PushNow(ref.Now, push.Instance), cosem.ActionTemporaryFailure)
	set(4, axdr.Array(axdr.Structure(at(1), at(2)), axdr.Structure(at(11), at(13))))
	require.NoError(t, d.PushNow(ref.Now, push.Instance))
	set(2, axdr.Array(column(3, 3)))
	require.ErrorIs(t, d.PushNow(ref.Now, push.Instance), cosem.ScopeOfAccessViolated, "there is no third element")
}

func TestCompactData(t *testing.T) {
	var buffer []byte
	value := uint32(7)
	register := server.Register(energy.Instance, server.Value{Access: anybody, Get: server.Uint32(func(*server.Call) uint32 { return value }), Set: server.SetInteger(nil)}, server.ScalerUnit{Scaler: -1, Unit: 30}, server.Method{})
	columns := []server.Column{{Attribute: cosem.Attribute{Class: 3, Instance: energy.Instance, ID: 2}}, {Attribute: cosem.Attribute{Class: 3, Instance: energy.Instance, ID: 3}}}
	for _, implicit := range []bool{false, true} {
		o := server.CompactData(cosem.MustOBIS("0-0:66.0.0.255"), server.CompactConfig{Access: anybody, Implicit: implicit, Template: 3, Objects: columns, Buffer: func(*server.Call) *[]byte { return &buffer }})
		b := on(t, o)
		b.d = device(t, o, register)
		packed := "00000007" + "FF1E"
		if !implicit {
			require.True(t, axdr.Octets(nil).Equal(b.get(2)))
			require.NoError(t, b.do(2, axdr.Int8(0)))
			value = 8
		} else {
			packed = "00000008" + "FF1E"
		}
		require.Equal(t, packed, upper(b.get(2).Bytes))
		require.Equal(t, "0202"+"06"+"0202"+"0F16", upper(b.get(5).Bytes))
		require.Equal(t, implicit, b.do(1, axdr.Int8(0)) != nil)
	}
	require.Empty(t, buffer)
}

func TestExtendedData(t *testing.T) {
	cells := server.Cells{2: axdr.AppendUint16(nil, 1)}
	var n int
	b := on(t, server.ExtendedData(cosem.MustOBIS("0-0:94.44.1.255"), anybody, kept(&cells, &n)))
	require.ErrorIs(t, b.set(2, axdr.Uint16(2)), cosem.ReadWriteDenied)
	require.NoError(t, b.set(4, axdr.Uint16(2)))
	require.ErrorIs(t, b.set(6, axdr.Uint16(2)), cosem.TypeUnmatched)
	require.True(t, axdr.Uint16(1).Equal(b.get(2)))
	require.NoError(t, b.do(2, axdr.Int8(0)))
	require.True(t, axdr.Uint16(2).Equal(b.get(2)))
	require.Equal(t, 2, n)
}

func TestClockAdjustments(t *testing.T) {
	now := time.Date(2024, 7, 1, 12, 7, 29, 0, time.FixedZone("BST", 3600))
	clock := now
	var preset server.ClockPreset
	b := on(t, server.Clock(cosem.MustOBIS("0-0:1.0.0.255"), server.ClockConfig{
		Access: anybody, Adjust: true, Measuring: 30 * time.Minute, Preset: func(*server.Call) *server.ClockPreset { return &preset },
		Time: func(*server.Call) axdr.DateTime { return axdr.DateTimeOf(clock) },
		SetTime: func(_ *server.Call, d axdr.DateTime) (err error) {
			require.Equal(t, int16(-60), d.Deviation)
			clock, err = d.In(time.UTC)
			return err
		},
	}))
	for _, row := range []struct {
		method int8
		want   string
	}{{1, "12:00:00"}, {2, "12:00:00"}, {3, "12:07:00"}} {
		clock = now
		require.NoError(t, b.do(row.method, axdr.Int8(0)))
		require.Equal(t, row.want, clock.In(now.Location()).Format(time.TimeOnly), "method %d", row.method)
	}
	clock = now.Add(time.Minute)
	require.NoError(t, b.do(1, axdr.Int8(0)))
	require.Equal(t, "12:15:00", clock.In(now.Location()).Format(time.TimeOnly))
	clock = now
	require.ErrorIs(t, b.do(4, axdr.Int8(0)), cosem.ActionReadWriteDenied, "nothing preset")
	at := func(d time.Duration) axdr.Value { return axdr.DateTimeOctets(axdr.DateTimeOf(now.Add(d))) }
	require.NoError(t, b.do(5, axdr.Structure(at(time.Hour), at(time.Minute), at(2*time.Minute))))
	require.ErrorIs(t, b.do(4, axdr.Int8(0)), cosem.ActionTemporaryFailure, "too early")
	clock = now.Add(90 * time.Second)
	require.NoError(t, b.do(4, axdr.Int8(0)))
	require.True(t, now.Add(time.Hour).Equal(clock))
	require.ErrorIs(t, b.do(4, axdr.Int8(0)), cosem.ActionReadWriteDenied, "used once")
}
