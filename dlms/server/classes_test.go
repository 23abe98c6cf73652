package server_test

import (
	"errors"
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

// device of one association and the given objects; calls are the device's own.
func device(t testing.TB, objects ...server.Object) *server.Device {
	t.Helper()
	m, err := server.NewModel(server.Config{Name: "test", Associations: []server.Association{{Name: "public", Client: 16}}, Objects: objects})
	require.NoError(t, err)
	return &server.Device{Model: m}
}

type bench struct {
	*testing.T
	d    *server.Device
	o    server.Object
	time time.Time
}

func on(t *testing.T, o server.Object) *bench {
	return &bench{t, device(t, o), o, time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func (b *bench) get(id int8) axdr.Value {
	b.Helper()
	raw, err := b.d.Get(b.time, cosem.Attribute{Class: b.o.Class, Instance: b.o.Instance, ID: id}, nil)
	require.NoError(b, err)
	v, n, err := axdr.Parse(raw)
	require.NoError(b, err)
	require.Equal(b, len(raw), n)
	return v
}

func (b *bench) set(id int8, v axdr.Value) error {
	raw, err := v.AppendBinary(nil)
	require.NoError(b, err)
	return b.d.Set(b.time, cosem.Attribute{Class: b.o.Class, Instance: b.o.Instance, ID: id}, raw)
}

func (b *bench) do(id int8, v axdr.Value) error {
	raw, err := v.AppendBinary(nil)
	require.NoError(b, err)
	_, err = b.d.Do(b.time, cosem.Method{Class: b.o.Class, Instance: b.o.Instance, ID: id}, raw, nil)
	return err
}

var anybody = server.All(server.ReadWrite)

func TestModelRefuses(t *testing.T) {
	ok := server.Association{Name: "public", Client: 16}
	get := server.Fixed(axdr.Null())
	object := func(attrs []server.Attr, methods []server.Method) []server.Object {
		return []server.Object{{Class: 1, Instance: cosem.OBIS{1}, Attrs: attrs, Methods: methods}}
	}
	assoc := func(a server.Association) server.Config { return server.Config{Associations: []server.Association{a}} }
	for _, row := range []struct {
		what string
		c    server.Config
	}{
		{"declares no association", server.Config{}},
		{"at most 8", server.Config{Associations: make([]server.Association, 9)}},
		{"association version 4", server.Config{Associations: []server.Association{ok}, AssociationVersion: 4}},
		{"mechanism 9", assoc(server.Association{Mechanism: 9})},
		{"suite 3", assoc(server.Association{Suite: 3})},
		{"max PDU 11", assoc(server.Association{MaxPDU: 11})},
		{"window of 64", assoc(server.Association{Window: 64})},
		{"needs Ciphered", assoc(server.Association{Policy: 4})},
		{"evade the security policy", assoc(server.Association{Policy: 4, Ciphered: true, Plain: true})},
		{"declared twice", server.Config{Associations: []server.Association{ok}, Objects: append(object(nil, nil), object(nil, nil)...)}},
		{"attribute 1 is declared twice or reserved", server.Config{Associations: []server.Association{ok}, Objects: object([]server.Attr{{ID: 1, Get: get}}, nil)}},
		{"attribute 2 may be read", server.Config{Associations: []server.Association{ok}, Objects: object([]server.Attr{{ID: 2, Access: server.All(server.Read)}}, nil)}},
		{"attribute 2 may be written", server.Config{Associations: []server.Association{ok}, Objects: object([]server.Attr{{ID: 2, Access: server.All(server.Write), Get: get}}, nil)}},
		{"method 1 may be run", server.Config{Associations: []server.Association{ok}, Objects: object(nil, []server.Method{{ID: 1, Access: server.All(server.Execute)}})}},
		{"method 1 is declared twice", server.Config{Associations: []server.Association{ok}, Objects: object(nil, []server.Method{{ID: 1}, {ID: 1}})}},
	} {
		_, err := server.NewModel(row.c)
		require.ErrorContains(t, err, row.what)
	}
	require.Panics(t, func() { server.MustModel(server.Config{}) })
}

func TestClock(t *testing.T) {
	var set axdr.DateTime
	var shifted time.Duration
	b := on(t, server.Clock(cosem.MustOBIS("0-0:1.0.0.255"), server.ClockConfig{
		Access: anybody, Time: func(c *server.Call) axdr.DateTime { return axdr.DateTimeOf(c.Now) },
		SetTime: func(_ *server.Call, d axdr.DateTime) error { set = d; return nil },
		Shift:   func(_ *server.Call, d time.Duration) error { shifted = d; return nil },
	}))
	require.Equal(t, "090C07E80301050C000000000000", upper(must(b.get(2).AppendBinary(nil))))
	want := axdr.DateTimeOf(b.time.Add(time.Hour))
	require.NoError(t, b.set(2, axdr.DateTimeOctets(want)))
	require.Equal(t, want, set)
	require.ErrorIs(t, b.set(2, axdr.DateTimeOctets(axdr.UnspecifiedDateTime)), cosem.OtherReason)
	require.ErrorIs(t, b.set(2, axdr.Octets([]byte{1})), cosem.TypeUnmatched)
	require.ErrorIs(t, b.set(3, axdr.Int16(0)), cosem.ReadWriteDenied)
	require.NoError(t, b.do(6, axdr.Int16(-900)))
	require.Equal(t, -900*time.Second, shifted)
	require.ErrorIs(t, b.do(6, axdr.Int16(901)), cosem.ActionScopeOfAccessViolated)
	require.ErrorIs(t, b.do(6, axdr.Int8(1)), cosem.ActionTypeUnmatched)
	require.ErrorIs(t, b.do(1, axdr.Int8(0)), cosem.ActionReadWriteDenied)
	for id := int8(3); id <= 9; id++ {
		b.get(id)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestBank(t *testing.T) {
	var installed []byte
	bank := &server.Bank{Size: 4, MaxImage: 100}
	bank.Check = func(_ time.Time, id, image []byte) (server.ImageInfo, error) {
		if image[0] == 'X' {
			return server.ImageInfo{}, errors.New("corrupt")
		}
		return server.ImageInfo{Size: uint32(len(image)), Identification: id, Signature: []byte{9}}, nil
	}
	bank.Install = func(_ time.Time, image []byte) error { installed = image; return nil }
	b := on(t, server.ImageTransfer(anybody, func(*server.Call) server.ImageBank { return bank }))
	status := func() uint64 { return b.get(6).Num }
	block := func(n uint32, s string) error { return b.do(2, axdr.Structure(axdr.Uint32(n), axdr.Octets([]byte(s)))) }
	start := func(size uint32) error { return b.do(1, axdr.Structure(axdr.Octets([]byte("v2")), axdr.Uint32(size))) }

	require.ErrorIs(t, block(0, "abcd"), cosem.ActionTemporaryFailure, "not initiated")
	require.ErrorIs(t, start(101), cosem.ActionScopeOfAccessViolated)
	require.ErrorIs(t, start(0), cosem.ActionScopeOfAccessViolated)
	require.NoError(t, start(10))
	require.Equal(t, uint64(1), status())
	require.NoError(t, block(2, "ij"))
	require.NoError(t, block(0, "abcd"))
	require.NoError(t, block(0, "abcd"), "a block may come twice")
	require.ErrorIs(t, block(1, "abc"), cosem.ActionTypeUnmatched, "only the last may be short")
	require.ErrorIs(t, block(3, "abcd"), cosem.ActionScopeOfAccessViolated)
	require.Equal(t, "0403A0", upper(must(b.get(3).AppendBinary(nil))))
	require.Equal(t, uint64(1), b.get(4).Num, "first missing")
	require.ErrorIs(t, b.do(3, axdr.Int8(0)), cosem.ActionOtherReason, "incomplete")
	require.NoError(t, block(1, "efgh"))
	require.Equal(t, uint64(3), b.get(4).Num)
	require.NoError(t, b.do(3, axdr.Int8(0)))
	require.Equal(t, uint64(3), status())
	require.Len(t, b.get(7).Items, 1)
	require.NoError(t, b.do(4, axdr.Int8(0)))
	require.Equal(t, uint64(6), status())
	require.Equal(t, "abcdefghij", string(installed))
	require.Empty(t, b.get(7).Items)

	// A corrupt image is refused at verify, and at an activation without verify.
	for _, method := range []int8{3, 4} {
		require.NoError(t, start(4))
		require.NoError(t, block(0, "Xxxx"))
		require.ErrorIs(t, b.do(method, axdr.Int8(0)), cosem.ActionOtherReason)
		require.Equal(t, uint64(4), status())
	}
	bank.Install = func(time.Time, []byte) error { return errors.New("no room") }
	require.NoError(t, start(4))
	require.NoError(t, block(0, "good"))
	require.ErrorIs(t, b.do(4, axdr.Int8(0)), cosem.ActionOtherReason)
	require.Equal(t, uint64(7), status())
	bank.Disabled = true
	require.ErrorIs(t, start(4), cosem.ActionReadWriteDenied)
	require.Equal(t, uint64(0), b.get(5).Num)
}

func TestAutoConnect(t *testing.T) {
	list := []string{"old:4059"}
	b := on(t, server.AutoConnect(cosem.MustOBIS("0-0:2.1.0.255"), server.AutoConnectConfig{
		Access: anybody, Mode: 1, Destinations: func(*server.Call) []string { return list },
		SetDestinations: func(_ *server.Call, l []string) error { list = l; return nil },
	}))
	require.NoError(t, b.set(6, axdr.Array(axdr.Octets([]byte("a:1")), axdr.Octets([]byte("b:2")))))
	require.Equal(t, []string{"a:1", "b:2"}, list)
	require.Len(t, b.get(6).Items, 2)
	require.ErrorIs(t, b.set(6, axdr.Array(axdr.Uint8(1))), cosem.TypeUnmatched)
	require.ErrorIs(t, b.set(6, axdr.Octets(nil)), cosem.TypeUnmatched)
	many := axdr.Array()
	for range 17 {
		many.Items = append(many.Items, axdr.Octets(nil))
	}
	require.ErrorIs(t, b.set(6, many), cosem.ScopeOfAccessViolated)
	require.Equal(t, []string{"a:1", "b:2"}, list)
}

func TestActivityCalendar(t *testing.T) {
	var cells server.CalendarCells
	changes := 0
	b := on(t, server.ActivityCalendar(cosem.MustOBIS("0-0:13.0.0.255"), anybody, func(*server.Call) *server.CalendarCells { return &cells }, func(*server.Call) { changes++ }))
	require.ErrorIs(t, b.set(2, axdr.Octets([]byte("x"))), cosem.ReadWriteDenied, "the active calendar is activated, not written")
	require.NoError(t, b.set(6, axdr.Octets([]byte("winter"))))
	require.ErrorIs(t, b.set(7, axdr.Octets([]byte("no array"))), cosem.TypeUnmatched)
	require.True(t, b.get(2).IsNull())
	require.NoError(t, b.do(1, axdr.Int8(0)))
	require.Equal(t, "winter", string(b.get(2).Bytes))
	require.Equal(t, 2, changes)
}

func TestDemandAndOthers(t *testing.T) {
	when := server.DateTime(func(c *server.Call) axdr.DateTime { return axdr.DateTimeOf(c.Now) })
	n := server.Uint16(func(*server.Call) uint16 { return 5 })
	var schedule, days []byte
	d := device(
		t,
		server.Demand(cosem.MustOBIS("1-0:1.4.0.255"), server.DemandConfig{Access: server.All(server.Read), Current: n, Last: n, Captured: when, Started: when, Period: 30 * time.Minute}),
		server.SpecialDays(cosem.MustOBIS("0-0:11.0.0.255"), anybody, func(*server.Call) *[]byte { return &days }),
		server.SingleActionSchedule(cosem.MustOBIS("0-0:15.0.1.255"), anybody, cosem.MustOBIS("0-0:10.0.106.255"), 1, func(*server.Call) *[]byte { return &schedule }),
	)
	now := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, o := range d.Model.Objects() {
		for _, a := range o.Attrs {
			raw, err := d.Get(now, cosem.Attribute{Class: o.Class, Instance: o.Instance, ID: a.ID}, nil)
			if o.Class == cosem.ClassAssociationLN && err != nil {
				continue
			}
			require.NoError(t, err, "%v/%d", o.Instance, a.ID)
			skipped, err := axdr.Skip(raw)
			require.NoError(t, err)
			require.Equal(t, len(raw), skipped)
		}
	}
	require.ErrorIs(t, d.Set(now, cosem.Attribute{Class: 9}, nil), cosem.ObjectUndefined)
	_, err := d.Do(now, cosem.Method{Class: 9}, nil, nil)
	require.ErrorIs(t, err, cosem.ActionObjectUndefined)
}

// TestReferenceReads reads every attribute of the reference model as the device itself.
func TestReferenceReads(t *testing.T) {
	m := ctt.NewReference(0)
	for _, o := range m.Device.Model.Objects() {
		for _, a := range o.Attrs {
			raw, err := m.Device.Get(m.Now, cosem.Attribute{Class: o.Class, Instance: o.Instance, ID: a.ID}, nil)
			require.NoError(t, err, "%v/%d", o.Instance, a.ID)
			n, err := axdr.Skip(raw)
			require.NoError(t, err)
			require.Equal(t, len(raw), n)
		}
	}
}

// TestLongReturn: what a method returns comes in blocks, or not at all where none were negotiated.
func TestLongReturn(t *testing.T) {
	data := axdr.AppendOctetString(nil, make([]byte, 100))
	late := 0
	m := ctt.NewReference(0)
	m.Device.Model = server.MustModel(server.Config{
		Associations: []server.Association{{Client: 16}},
		Objects: []server.Object{{Class: 9000, Instance: cosem.OBIS{1}, Methods: []server.Method{
			{ID: 1, Access: server.All(server.Execute), Do: func(_ *server.Call, _, dst []byte) ([]byte, error) { return append(dst, data...), nil }},
			{ID: 2, Access: server.All(server.Execute), Do: func(c *server.Call, _, dst []byte) ([]byte, error) {
				c.After(func() { late++ })
				return dst, cosem.ActionHardwareFault
			}},
		}}},
	})
	request := unhex(t, "C301C123280100000000000100")
	x := newClient(t, m, public(), 1).open(40, everyBit&^cosem.ConfGeneralBlockTransfer)
	reply := x.raw(request)
	var whole []byte
	for n := uint32(1); ; n++ {
		require.LessOrEqual(t, len(reply), 40)
		b, _, err := apdu.ParseActionResponseBlock(reply)
		require.NoError(t, err, "%X", reply)
		require.Equal(t, n, b.Block.Number)
		if whole = append(whole, b.Block.Raw...); b.Block.Last {
			break
		}
		next, err := apdu.ActionRequestNextBlock{InvokeID: 0xC1, Number: n}.AppendBinary(nil)
		require.NoError(t, err)
		reply = x.raw(next)
	}
	require.Equal(t, data, whole)
	require.Equal(t, "C701C11000", x.hex("C302C100000009"))
	x.open(40, cosem.ConfAction)
	require.Equal(t, "C701C10001010E", upper(x.raw(request)), "it ran; what it returned cannot be had")
	require.Equal(t, "C701C10100", x.hex("C301C123280100000000000200"))
	require.Zero(t, late, "a method that fails puts nothing off")
}

// TestNewestFirst selects from a profile that lists the newest entry first.
func TestNewestFirst(t *testing.T) {
	b := on(t, server.Profile(cosem.MustOBIS("1-0:99.98.0.255"), server.ProfileConfig{
		Access: server.All(server.Read), Sort: server.LIFO, Columns: []server.Column{{Attribute: cosem.Attribute{Class: 8, Instance: cosem.MustOBIS("0-0:1.0.0.255"), ID: 2}}},
		Rows: func(*server.Call) server.Rows { return newest{} },
	}))
	require.Len(t, b.get(2).Items, 10)
	require.Equal(t, uint64(2), b.get(5).Num)
	require.Equal(t, uint64(10), b.get(7).Num)
	m := ctt.NewReference(0)
	m.Device.Model = b.d.Model
	x := newClient(t, m, public(), 1).open(0, everyBit)
	limit := func(h int) []byte { return axdr.AppendDateTime(nil, axdr.DateTimeOf(newest{}.Time(nil, h))) }
	d := cosem.RangeDescriptor{
		Restricting: cosem.CaptureObject{Attribute: cosem.Attribute{Class: 8, Instance: cosem.MustOBIS("0-0:1.0.0.255"), ID: 2}}, From: limit(6), To: limit(2),
	}
	r := x.get(cosem.Attribute{Class: b.o.Class, Instance: b.o.Instance, ID: 2}, apdu.Selection{Selector: cosem.SelectRange, Data: d.AppendTo(nil)})
	v, _, err := axdr.Parse(r.Data)
	require.NoError(t, err)
	require.Len(t, v.Items, 5)
	require.Equal(t, limit(2), must(v.At(0, 0).AppendBinary(nil)))
}

type newest struct{}

func (newest) Len(*server.Call) int { return 10 }

func (newest) Time(_ *server.Call, i int) time.Time {
	return time.Date(2024, 3, 1, 12-i, 0, 0, 0, time.UTC)
}

func (n newest) Append(c *server.Call, i, _ int, dst []byte) ([]byte, error) {
	return axdr.AppendDateTime(dst, axdr.DateTimeOf(n.Time(c, i))), nil
}

// TestAccessProtection: an attribute may ask for more protection than its association does.
func TestAccessProtection(t *testing.T) {
	m := ctt.NewReference(0)
	c := m.Management()
	m.Device.Model = server.MustModel(server.Config{
		Associations: []server.Association{{Client: c.Client, Mechanism: c.Mechanism, Ciphered: true}},
		Objects: []server.Object{server.Data(name.Instance, server.Value{
			Access: server.All(server.Read | cosem.AccessAuthRequest | cosem.AccessEncryptedResponse), Get: server.Fixed(axdr.Uint8(1)),
		})},
	})
	x := newClient(t, m, c, 1).open(0, everyBit)
	x.c.Protection = security.ProtectEnc
	require.Equal(t, cosem.ReadWriteDenied, x.get(name, apdu.Selection{}).Result)
	x.c.Protection = security.ProtectAuth
	reply := x.raw(x.seal(apdu.TagGloGetRequest, getRequest(t, name, apdu.Selection{})))
	require.Equal(t, byte(0x30), reply[2], "the reply is encrypted too")
	require.Equal(t, "C401C1001101", upper(x.decipher(reply)))
}
