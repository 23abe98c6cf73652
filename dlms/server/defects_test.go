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
)

// The tests of this file hold the server against what goes wrong with real meters and clients.

// TestGMACCounterOfTheAnswer: clients take the counter of f(StoC) before that of the ciphered APDU around it, or after.
// Both are accepted, and neither may be used again.
func TestGMACCounterOfTheAnswer(t *testing.T) {
	for _, row := range []struct {
		name           string
		answer, around uint32
		ok             bool
	}{
		{"before", 51, 52, true},
		{"after", 52, 51, true},
		{"older than the AARQ, inside a fresh APDU", 3, 51, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := ctt.NewReference(0)
			x := newClient(t, m, m.Management(), 1)
			x.ic = 49
			var err error
			x.aare, _, err = acse.ParseAARE(x.raw(x.aarq(0, everyBit)))
			require.NoError(t, err)
			x.server, err = security.TitleFrom(x.aare.RespondingAPTitle)
			require.NoError(t, err)
			h := x.handshake()
			h.Counter = row.answer
			f, err := h.Answer()
			require.NoError(t, err)
			x.ic = row.around - 1
			r := x.action(cosem.Method{Class: 15, Instance: objects.Instance, ID: 1}, axdr.AppendOctetString(nil, f))
			require.Equal(t, row.ok, r.Result == cosem.ActionSuccess)
			highest := max(row.answer, row.around)
			require.Equal(t, highest+1, m.Keyring.RxExpected(server.RxID{Version: 1, Client: x.c.Title}))
			x.ic = highest
			require.Equal(t, cosem.Success, x.get(name, apdu.Selection{}).Result)
		})
	}
	// In clear, nothing else vouches for it being new.
	m := ctt.NewReference(0)
	m.Device.Model = server.MustModel(server.Config{
		Associations: []server.Association{{Client: ctt.ClientManagement, Mechanism: security.MechanismGMAC}},
	})
	c := m.Management()
	c.Ciphered = false
	for _, row := range []struct {
		counter uint32
		ok      bool
	}{{51, true}, {51, false}, {50, false}, {52, true}} {
		x := newClient(t, m, c, 1)
		var err error
		x.aare, _, err = acse.ParseAARE(x.raw(x.aarq(0, everyBit)))
		require.NoError(t, err)
		x.server, err = security.TitleFrom(x.aare.RespondingAPTitle)
		require.NoError(t, err)
		x.ic = row.counter - 1
		r := x.action(cosem.Method{Class: 15, Instance: objects.Instance, ID: 1}, axdr.AppendOctetString(nil, x.answer()))
		require.Equal(t, row.ok, r.Result == cosem.ActionSuccess, "counter %d", row.counter)
	}
}

// TestNoNonceTwice collects the counters of everything the meter sends over associations, reconnections and a loss of
// power: no two messages under one key share one (spec trap 2).
func TestNoNonceTwice(t *testing.T) {
	m := ctt.NewReference(0)
	c := m.Management()
	seen := map[uint32]bool{}
	note := func(reply []byte) {
		t.Helper()
		var content []byte
		if r, _, err := acse.ParseAARE(reply); err == nil {
			p, _, err := apdu.ParseCiphered(r.UserInformation)
			require.NoError(t, err)
			content = p.Content
		} else {
			p, _, err := apdu.ParseCiphered(reply)
			require.NoError(t, err)
			content = p.Content
		}
		h, err := security.ParseContent(content)
		require.NoError(t, err)
		require.NotZero(t, h.Counter, "some clients refuse 0 as the first (spec trap 3a)")
		require.False(t, seen[h.Counter], "counter %d twice", h.Counter)
		seen[h.Counter] = true
	}
	for link := range uint64(4) {
		x := newClient(t, m, c, link)
		x.follow = true
		note(x.raw(x.aarq(0, everyBit)))
		x.open(0, everyBit)
		note(x.raw(x.seal(apdu.TagGloGetRequest, getRequest(t, name, apdu.Selection{}))))
		switch link {
		case 1:
			m.Device.Disconnect(link)
		case 2:
			m.Device.DropAll()
			m.Keyring.Restore(m.Keyring.Snapshot())
		}
	}
}

// TestSmallAPDUs: ciphered associations at the smallest sizes. What cannot be made to fit is refused at the start.
func TestSmallAPDUs(t *testing.T) {
	service := everyBit &^ cosem.ConfGeneralBlockTransfer
	for size := uint16(12); size <= 64; size++ {
		for _, bits := range []cosem.Conformance{everyBit, service} {
			m := ctt.NewReference(0)
			x := newClient(t, m, openCredentials(m), 1)
			if bits == service && size < 31 {
				r, _, err := acse.ParseAARE(x.raw(x.aarq(size, bits)))
				require.NoError(t, err)
				require.Equal(t, acse.ResultRejectedPermanent, r.Result, "%d", size)
				e, _, err := apdu.ParseConfirmedServiceError(r.UserInformation)
				require.NoError(t, err)
				require.EqualValues(t, apdu.InitiatePDUSizeTooShort, e.Value)
				continue
			}
			x.open(size, bits)
			require.NotEmpty(t, x.get(buffer, apdu.Selection{}).Data, "size %d", size)
			require.Equal(t, cosem.ObjectUndefined, x.get(cosem.Attribute{Class: 1, ID: 2}, apdu.Selection{}).Result)
			require.Equal(t, cosem.Success, x.set(note, axdr.AppendUint32(nil, 7)))
		}
	}
}

// TestUnnumberedOpensNothing: an AARQ in an UI frame, to one device or to all, is dropped.
func TestUnnumberedOpensNothing(t *testing.T) {
	m := ctt.NewReference(0)
	l := server.NewLine(server.LineConfig{Host: server.Devices{m.Device}})
	for _, to := range []hdlc.Address{hdlc.Server1(1), hdlc.Server1(0x7F)} {
		for _, b := range [][]byte{newClient(t, m, public(), 0).aarq(0, everyBit), unhex(t, "6200")} {
			f, err := hdlc.Frame{Destination: to, Source: hdlc.Client(16), Control: hdlc.Control{Kind: hdlc.UI}, Info: append([]byte{0xE6, 0xE6, 0}, b...)}.AppendBinary(nil)
			require.NoError(t, err)
			l.Input(m.Now, f)
			require.Empty(t, l.Output())
			require.Zero(t, m.Device.Open())
		}
	}
}

// TestClientRepeatsWhileTheHubWaits: a request goes on to a meter behind the hub and takes long. The client repeats its
// I-frame; the meter executes once, and the client gets its one reply.
func TestClientRepeatsWhileTheHubWaits(t *testing.T) {
	hub, meter := ctt.NewReference(0), ctt.NewReference(0)
	h := &home{meters: map[string]*server.Device{"meter": meter.Device}, later: true}
	l := server.NewLine(server.LineConfig{Host: server.Devices{hub.Device}, Forward: h})
	c, err := hdlc.NewClientLink(hdlc.ClientConfig{})
	require.NoError(t, err)
	now := hub.Now
	pump := func() {
		for {
			out := append([]byte(nil), c.Output()...)
			if len(out) == 0 {
				return
			}
			l.Input(now, out)
			c.Input(now, append([]byte(nil), l.Output()...))
		}
	}
	require.NoError(t, c.Connect(now))
	pump()
	request, err := apdu.GatewayPrefix{NetworkID: 1, Address: []byte("meter")}.AppendBinary(nil)
	require.NoError(t, err)
	require.NoError(t, c.Send(now, append(request, newClient(t, meter, public(), 0).aarq(0, everyBit)...)))
	for end := now.Add(20 * time.Second); now.Before(end); {
		pump()
		now = c.Deadline()
		c.Tick(now)
	}
	pump()
	require.Len(t, h.kept, 1, "executed once")
	require.NotZero(t, l.Stats().Repeated, "asked more than once")
	require.NoError(t, h.answer(now, h.kept[0]))
	c.Input(now, append([]byte(nil), l.Output()...))
	pump()
	var replies int
	for {
		e, ok := c.Next()
		if !ok {
			break
		}
		if e.Kind == hdlc.Received {
			replies++
			require.Equal(t, byte(apdu.TagGatewayResponse), e.APDU[0])
		}
	}
	require.Equal(t, 1, replies)
}

// TestAddressFormsAreApart: a client that comes back under another form of the server's address, without a DISC, keeps
// its new association when the old connection ends.
func TestAddressFormsAreApart(t *testing.T) {
	m := ctt.NewReference(0)
	l := server.NewLine(server.LineConfig{Host: server.Devices{m.Device}})
	now := m.Now
	send := func(to hdlc.Address, c hdlc.Control, info []byte) []byte {
		f, err := hdlc.Frame{Destination: to, Source: hdlc.Client(16), Control: c, Info: info}.AppendBinary(nil)
		require.NoError(t, err)
		l.Input(now, f)
		return append([]byte(nil), l.Output()...)
	}
	llc := func(b []byte) []byte { return append([]byte{0xE6, 0xE6, 0}, b...) }
	for _, to := range []hdlc.Address{hdlc.Server1(1), hdlc.Server4(1, 17)} {
		require.NotEmpty(t, send(to, hdlc.Control{Kind: hdlc.SNRM, Final: true}, nil))
		require.NotEmpty(t, send(to, hdlc.Control{Kind: hdlc.I, Final: true}, llc(newClient(t, m, public(), 0).aarq(0, everyBit))))
		now = now.Add(time.Minute)
	}
	require.Equal(t, 2, m.Device.Open())
	now = now.Add(time.Second)
	l.Tick(now) // the first connection was silent for 121 s
	require.Equal(t, 1, m.Device.Open())
	reply := send(hdlc.Server4(1, 17), hdlc.Control{Kind: hdlc.I, NS: 1, NR: 1, Final: true}, llc(getRequest(t, name, apdu.Selection{})))
	require.Contains(t, upper(reply), helloReply)
}
