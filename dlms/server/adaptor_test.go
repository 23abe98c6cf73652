package server_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/hdlc"
	"smets1/dlms/security"
	"smets1/dlms/server"
	"smets1/dlms/server/ctt"
	"smets1/dlms/wrapper"
)

// unit wraps an APDU from a client to a server.
func unit(t testing.TB, client, srv uint16, b []byte) []byte {
	t.Helper()
	u, err := wrapper.Append(nil, client, srv, b)
	require.NoError(t, err)
	return u
}

const helloReply = "C401C1000910534D315245464552454E434530303031"

func TestStreamCutAnywhere(t *testing.T) {
	m := ctt.NewReference(0)
	x := newClient(t, m, public(), 0)
	input := unit(t, 16, 1, x.aarq(0, everyBit))
	input = append(input, "junk"...)
	input = append(input, unit(t, 16, 1, getRequest(t, name, apdu.Selection{}))...)
	input = append(input, unit(t, 16, 9, getRequest(t, name, apdu.Selection{}))...) // nobody has SAP 9
	input = append(input, unit(t, 16, 1, nil)...)
	input = append(input, unit(t, 17, 1, getRequest(t, name, apdu.Selection{}))...)
	var want []byte
	for step := 1; step <= len(input); step++ {
		s := server.NewStream(server.StreamConfig{Host: server.Devices{m.Device}, Link: 7})
		var got []byte
		for b := input; len(b) > 0; {
			n := min(step, len(b))
			s.Input(m.Now, b[:n])
			got = append(got, s.Output()...)
			require.Nil(t, s.Output(), "output is given once")
			b = b[n:]
		}
		if want == nil {
			want = got
			require.Contains(t, upper(got), "0001000100100016"+helloReply)
			require.Contains(t, upper(got), "0001000100110003D80101", "another client has its own association, or none")
		}
		require.Equal(t, want, got, "in steps of %d", step)
		require.Equal(t, 1, m.Device.Open())
		s.Close()
		require.Zero(t, m.Device.Open(), "the association ends with its stream")
	}
}

func TestStreamStall(t *testing.T) {
	m := ctt.NewReference(0)
	s := server.NewStream(server.StreamConfig{Host: server.Devices{m.Device}, RefuseUnknown: true})
	require.True(t, s.Deadline().IsZero())
	// A false length would swallow what follows; the stream gives it up in time.
	s.Input(m.Now, unhex(t, "000100100002FFFF"+"C001"))
	require.Equal(t, m.Now.Add(10*time.Second), s.Deadline())
	s.Input(m.Now.Add(time.Second), unit(t, 16, 5, unhex(t, "C001")))
	require.Nil(t, s.Output())
	s.Tick(m.Now.Add(11 * time.Second))
	require.Equal(t, "0001000500100003D80101", upper(s.Output()), "SAP 5 is refused")
	require.True(t, s.Deadline().IsZero())
	// What comes after a stall is not taken for its rest.
	s.Input(m.Now.Add(20*time.Second), unhex(t, "000100100001FFFF"+"C001"))
	s.Input(m.Now.Add(40*time.Second), unit(t, 16, 5, unhex(t, "C001")))
	require.Equal(t, "0001000500100003D80101", upper(s.Output()))
}

// home forwards to meters by address, at once or later.
type home struct {
	meters map[string]*server.Device
	later  bool
	kept   []server.Forwarded
}

func (h *home) Forward(now time.Time, r server.Forwarded) {
	r.APDU, r.Address = append([]byte(nil), r.APDU...), append([]byte(nil), r.Address...)
	if h.later {
		h.kept = append(h.kept, r)
		return
	}
	_ = h.answer(now, r)
}

func (h *home) answer(now time.Time, r server.Forwarded) error {
	d := h.meters[string(r.Address)]
	if d == nil {
		return r.From.Reply(now, r.Token, []byte{0xD8, 2, 1})
	}
	return r.From.Reply(now, r.Token, d.Serve(now, server.Peer{Link: 1 << 50, Client: r.Client}, r.APDU, nil))
}

func TestGateway(t *testing.T) {
	hub, meter := ctt.NewReference(0), ctt.NewReference(0)
	eui := unhex(t, "00DB1234567890A0")
	h := &home{meters: map[string]*server.Device{string(eui): meter.Device}}
	s := server.NewStream(server.StreamConfig{Host: server.Devices{hub.Device}, Forward: h, MaxPending: 2})
	prefix, err := apdu.GatewayPrefix{NetworkID: 1, Address: eui}.AppendBinary(nil)
	require.NoError(t, err)
	behind := func(b []byte) []byte { return unit(t, 16, 1, append(prefix[:len(prefix):len(prefix)], b...)) }
	x := newClient(t, meter, public(), 0)

	s.Input(hub.Now, behind(x.aarq(0, everyBit)))
	out := s.Output()
	require.Equal(t, "E7010800DB1234567890A061", upper(out[8:20]))
	require.Equal(t, 1, meter.Device.Open())
	require.Zero(t, hub.Device.Open())

	// Replies that come later, in another order, while the hub itself is asked.
	h.later = true
	s.Input(hub.Now, behind(getRequest(t, name, apdu.Selection{})))
	s.Input(hub.Now, behind(unhex(t, "C001C20001"+"00002A0000FF"+"6300")))
	require.Nil(t, s.Output())
	s.Input(hub.Now, unit(t, 16, 1, getRequest(t, name, apdu.Selection{})))
	require.Equal(t, "0001000100100003D80101", upper(s.Output()))
	require.NoError(t, h.answer(hub.Now, h.kept[1]))
	require.NoError(t, h.answer(hub.Now, h.kept[0]))
	require.Equal(t, "0001000100100010"+"E7010800DB1234567890A0"+"C401C20103"+"0001000100100021"+"E7010800DB1234567890A0"+helloReply, upper(s.Output()))
	require.ErrorIs(t, h.answer(hub.Now, h.kept[0]), server.ErrStale, "answered once")

	// Too many wait: the oldest is forgotten. An empty reply ends a request without a word.
	h.kept = nil
	for range 3 {
		s.Input(hub.Now, behind(getRequest(t, name, apdu.Selection{})))
	}
	require.ErrorIs(t, h.answer(hub.Now, h.kept[0]), server.ErrStale)
	require.NoError(t, s.Reply(hub.Now, h.kept[1].Token, nil))
	require.Nil(t, s.Output())
	s.Close()
	require.ErrorIs(t, h.answer(hub.Now, h.kept[2]), server.ErrStale)

	s.Input(hub.Now, unit(t, 16, 1, unhex(t, "E60108")))
	require.Equal(t, "0001000100100003D80101", upper(s.Output()), "a prefix cut short")
}

func TestGatewayOverHDLCAndDatagrams(t *testing.T) {
	hub, meter := ctt.NewReference(0), ctt.NewReference(0)
	h := &home{meters: map[string]*server.Device{"meter": meter.Device}, later: true}
	request, err := apdu.GatewayPrefix{NetworkID: 1, Address: []byte("meter")}.AppendBinary(nil)
	require.NoError(t, err)
	request = append(request, newClient(t, meter, public(), 0).aarq(0, everyBit)...)

	l := server.NewLine(server.LineConfig{Host: server.Devices{hub.Device}, Forward: h})
	c, err := hdlc.NewClientLink(hdlc.ClientConfig{})
	require.NoError(t, err)
	exchange := func() {
		for {
			out := c.Output()
			if len(out) == 0 {
				return
			}
			l.Input(hub.Now, out)
			c.Input(hub.Now, append([]byte(nil), l.Output()...))
		}
	}
	require.NoError(t, c.Connect(hub.Now))
	exchange()
	require.NoError(t, c.Send(hub.Now, request))
	exchange()
	require.Len(t, h.kept, 1)
	require.NoError(t, h.answer(hub.Now, h.kept[0]))
	c.Input(hub.Now, append([]byte(nil), l.Output()...))
	exchange()
	var reply []byte
	for {
		e, ok := c.Next()
		if !ok {
			break
		}
		if e.Kind == hdlc.Received {
			reply = append([]byte(nil), e.APDU...)
		}
	}
	require.Equal(t, "E701056D657465726129", upper(reply[:10]))

	var sent [][]byte
	g := server.NewDatagrams(server.StreamConfig{Host: server.Devices{hub.Device}, Forward: h}, func(link uint64, b []byte) {
		require.Equal(t, uint64(55), link)
		sent = append(sent, append([]byte(nil), b...))
	})
	g.Input(hub.Now, 55, unit(t, 16, 1, request))
	require.Empty(t, sent)
	require.NoError(t, h.answer(hub.Now, h.kept[1]))
	require.Equal(t, "E701056D65746572", upper(sent[0][8:16]))
	x := newClient(t, hub, public(), 0)
	g.Input(hub.Now, 55, unit(t, 16, 1, x.aarq(0, everyBit)))
	g.Input(hub.Now, 55, unit(t, 16, 1, getRequest(t, name, apdu.Selection{})))
	require.Equal(t, "0001000100100016"+helloReply, upper(sent[2]))
	for i, bad := range [][]byte{nil, {0, 1}, unit(t, 16, 1, nil)[:7], append(unit(t, 16, 1, unhex(t, "C001")), 0)} {
		g.Input(hub.Now, 55, bad)
		require.Len(t, sent, 3, "row %d", i)
	}
	g.Disconnect(55)
	require.Zero(t, hub.Device.Open())
}

// TestStreamedBlocks: a client that takes several blocks at once gets them in one go over a stream.
func TestStreamedBlocks(t *testing.T) {
	m := ctt.NewReference(0)
	s := server.NewStream(server.StreamConfig{Host: server.Devices{m.Device}})
	x := newClient(t, m, public(), 0)
	s.Input(m.Now, unit(t, 16, 1, x.aarq(64, everyBit&^cosem.ConfBlockTransferGet)))
	s.Output()
	s.Input(m.Now, unit(t, 16, 1, getRequest(t, objects, apdu.Selection{})))
	require.Len(t, s.Output(), 8+64, "the client's window is not known yet: one block")
	ack, err := apdu.GeneralBlockTransfer{Last: true, Window: 5, Block: 1, Ack: 1}.AppendBinary(nil)
	require.NoError(t, err)
	s.Input(m.Now, unit(t, 16, 1, ack))
	require.Len(t, s.Output(), 5*(8+64))
}

func TestLineSeveralClients(t *testing.T) {
	a, b := ctt.NewReference(0), ctt.NewReference(0)
	b.Device.SAP = 2
	l := server.NewLine(server.LineConfig{Host: server.Devices{a.Device, b.Device}, Link: 3})
	send := func(srv hdlc.Address, client uint8, c hdlc.Control, info []byte) []hdlc.Frame {
		f, err := hdlc.Frame{Destination: srv, Source: hdlc.Client(client), Control: c, Info: info}.AppendBinary(nil)
		require.NoError(t, err)
		l.Input(a.Now, f)
		var d hdlc.Decoder
		_, _ = d.Write(l.Output())
		var out []hdlc.Frame
		var g hdlc.Frame
		for d.Next(&g) {
			g.Info = append([]byte(nil), g.Info...)
			out = append(out, g)
		}
		return out
	}
	llc := func(b []byte) []byte { return append([]byte{0xE6, 0xE6, 0}, b...) }
	snrm := hdlc.Control{Kind: hdlc.SNRM, Final: true}
	for _, srv := range []uint8{1, 2} {
		require.Len(t, send(hdlc.Server1(srv), 16, snrm, nil), 1)
		require.Len(t, send(hdlc.Server1(srv), 17, snrm, nil), 1)
		got := send(hdlc.Server1(srv), 16, hdlc.Control{Kind: hdlc.I, Final: true}, llc(newClient(t, a, public(), 0).aarq(0, everyBit)))
		require.Equal(t, byte(acse.TagAARE), got[0].Info[3])
		got = send(hdlc.Server1(srv), 17, hdlc.Control{Kind: hdlc.I, Final: true}, llc(newClient(t, a, lls(), 0).aarq(0, everyBit)))
		require.Equal(t, byte(acse.TagAARE), got[0].Info[3])
	}
	require.Empty(t, send(hdlc.Server1(3), 16, snrm, nil), "nobody there")
	require.Equal(t, 2, a.Device.Open())
	require.Equal(t, 2, b.Device.Open())
	// DISC ends one association, the others go on.
	require.Equal(t, hdlc.UA, send(hdlc.Server1(1), 16, hdlc.Control{Kind: hdlc.DISC, Final: true}, nil)[0].Control.Kind)
	require.Equal(t, 1, a.Device.Open())
	got := send(hdlc.Server1(1), 17, hdlc.Control{Kind: hdlc.I, NS: 1, NR: 1, Final: true}, llc(getRequest(t, name, apdu.Selection{})))
	require.Equal(t, helloReply, upper(got[0].Info[3:]))
	// A broadcast write reaches every device in which the client has an association, and is not answered.
	write, err := apdu.SetRequestNormal{InvokeID: 1, Attribute: note, Data: unhex(t, "0600000063")}.AppendBinary(nil)
	require.NoError(t, err)
	require.Empty(t, send(hdlc.Server1(0x7F), 17, hdlc.Control{Kind: hdlc.UI}, llc(write)))
	for _, m := range []*ctt.Reference{a, b} {
		v, err := m.Device.Get(m.Now, note, nil)
		require.NoError(t, err)
		require.Equal(t, unhex(t, "0600000063"), v)
	}
	require.NoError(t, l.Push(a.Now, hdlc.Peer{Client: hdlc.Client(17), Server: hdlc.Server1(2)}, unhex(t, "0F00000001000600000063")))
	require.NotEmpty(t, l.Output())
	l.Close()
	require.Zero(t, a.Device.Open()+b.Device.Open())
}

func TestNotification(t *testing.T) {
	m := ctt.NewReference(0)
	n := server.Notification{InvokeID: 7, Attributes: []cosem.Attribute{energy, name}}
	b, err := m.Device.Notification(m.Now, n)
	require.NoError(t, err)
	require.Equal(t, "0F00000007000202060001E2400910534D315245464552454E434530303031", upper(b))
	n.Protection = security.ProtectBoth
	b, err = m.Device.Notification(m.Now, n)
	require.NoError(t, err)
	p, _, err := apdu.ParseGeneralGlo(b)
	require.NoError(t, err)
	c, err := m.Keys.Cipher(security.Suite0)
	require.NoError(t, err)
	_, plain, err := c.Open(nil, m.Keyring.SystemTitle(), p.Content)
	require.NoError(t, err)
	require.Equal(t, "0F00000007", upper(plain[:5]))
	// An event is one attribute, in a service of its own.
	b, err = m.Device.Event(m.Now, energy, axdr.DateTimeOf(m.Now), 0, security.ProtectNone)
	require.NoError(t, err)
	require.Equal(t, "C2010C07E80301050C0000000000000003"+"0100010800FF02"+"060001E240", upper(b))
	b, err = m.Device.Event(m.Now, energy, axdr.DateTime{}, security.Suite0, security.ProtectBoth)
	require.NoError(t, err)
	p, _, err = apdu.ParseGeneralGlo(b)
	require.NoError(t, err)
	_, plain, err = c.Open(nil, m.Keyring.SystemTitle(), p.Content)
	require.NoError(t, err)
	require.Equal(t, "C200"+"0003"+"0100010800FF02"+"060001E240", upper(plain))
	_, err = m.Device.Event(m.Now, cosem.Attribute{Class: 9}, axdr.DateTime{}, 0, 0)
	require.ErrorIs(t, err, cosem.ObjectUndefined)
	n.Attributes = []cosem.Attribute{{Class: 9}}
	_, err = m.Device.Notification(m.Now, n)
	require.ErrorIs(t, err, cosem.ObjectUndefined)
}

// TestBus: several physical meters on one line, with the same logical devices, by their lower addresses.
func TestBus(t *testing.T) {
	a, b := ctt.NewReference(0), ctt.NewReference(0)
	l := server.NewLine(server.LineConfig{Host: server.Bus{17: server.Devices{a.Device}, 300: server.Ports{1: b.Device}}, Link: 3})
	send := func(f hdlc.Frame) []hdlc.Frame {
		raw, err := f.AppendBinary(nil)
		require.NoError(t, err)
		l.Input(a.Now, raw)
		var d hdlc.Decoder
		_, _ = d.Write(l.Output())
		var out []hdlc.Frame
		var g hdlc.Frame
		for d.Next(&g) {
			g.Info = append([]byte(nil), g.Info...)
			out = append(out, g)
		}
		return out
	}
	llc := func(b []byte) []byte { return append([]byte{0xE6, 0xE6, 0}, b...) }
	snrm := hdlc.Control{Kind: hdlc.SNRM, Final: true}
	for _, srv := range []hdlc.Address{hdlc.Server2(1, 17), hdlc.Server4(1, 300)} {
		require.Len(t, send(hdlc.Frame{Destination: srv, Source: hdlc.Client(17), Control: snrm}), 1)
		got := send(hdlc.Frame{Destination: srv, Source: hdlc.Client(17), Control: hdlc.Control{Kind: hdlc.I, Final: true}, Info: llc(newClient(t, a, lls(), 0).aarq(0, everyBit))})
		require.Equal(t, byte(acse.TagAARE), got[0].Info[3])
	}
	require.Equal(t, 1, a.Device.Open())
	require.Equal(t, 1, b.Device.Open())
	for _, nobody := range []hdlc.Address{hdlc.Server1(1), hdlc.Server2(1, 18), hdlc.Server4(2, 300)} {
		require.Empty(t, send(hdlc.Frame{Destination: nobody, Source: hdlc.Client(17), Control: snrm}))
	}
	write, err := apdu.SetRequestNormal{InvokeID: 1, Attribute: note, Data: unhex(t, "0600000063")}.AppendBinary(nil)
	require.NoError(t, err)
	require.Empty(t, send(hdlc.Frame{Destination: hdlc.Server1(0x7F), Source: hdlc.Client(17), Control: hdlc.Control{Kind: hdlc.UI}, Info: llc(write)}))
	for _, m := range []*ctt.Reference{a, b} {
		v, err := m.Device.Get(m.Now, note, nil)
		require.NoError(t, err)
		require.Equal(t, unhex(t, "0600000063"), v)
	}
	require.Equal(t, hdlc.UA, send(hdlc.Frame{Destination: hdlc.Server4(1, 300), Source: hdlc.Client(17), Control: hdlc.Control{Kind: hdlc.DISC, Final: true}})[0].Control.Kind)
	require.Zero(t, b.Device.Open())
	require.Equal(t, 1, a.Device.Open())
	one := server.Bus{17: server.Devices{a.Device}}
	require.Same(t, a.Device, one.Device(1), "one station needs no lower address")
}
