package server_test

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/dlms/server"
	"smets1/dlms/server/ctt"
)

// client is the least client there can be: it talks to a device directly, and fails the test on what it does not
// expect.
type client struct {
	t      testing.TB
	d      *server.Device
	now    time.Time
	peer   server.Peer
	c      ctt.Credentials
	cipher *security.Cipher
	server security.SystemTitle
	ic     uint32
	aare   acse.AARE
	m      *ctt.Reference
	limit  int // of replies
	suite  security.Suite
	follow bool // ask the meter for the counter, as other clients use it up too
}

var (
	name     = cosem.Attribute{Class: cosem.ClassData, Instance: cosem.MustOBIS("0-0:42.0.0.255"), ID: 2}
	energy   = cosem.Attribute{Class: cosem.ClassRegister, Instance: cosem.MustOBIS("1-0:1.8.0.255"), ID: 2}
	note     = cosem.Attribute{Class: cosem.ClassData, Instance: cosem.MustOBIS("0-0:96.2.0.255"), ID: 2}
	buffer   = cosem.Attribute{Class: cosem.ClassProfileGeneric, Instance: cosem.MustOBIS("1-0:99.1.0.255"), ID: 2}
	objects  = cosem.Attribute{Class: cosem.ClassAssociationLN, Instance: cosem.MustOBIS("0-0:40.0.0.255"), ID: 2}
	setup    = cosem.MustOBIS("0-0:43.0.0.255")
	passOne  = []byte("K56iVagYsixteen!")
	everyBit = cosem.Conformance(0x7EFFFF)
)

func newClient(t testing.TB, m *ctt.Reference, c ctt.Credentials, link uint64) *client {
	t.Helper()
	x := &client{t: t, m: m, d: m.Device, now: m.Now, c: c, peer: server.Peer{Link: link, Client: c.Client}, limit: 1024}
	if !c.Keys.GUEK.IsZero() {
		var err error
		x.cipher, err = c.Keys.Cipher(security.Suite0)
		require.NoError(t, err)
	}
	return x
}

// aarq with everything proposed and that PDU size.
func (x *client) aarq(pdu uint16, conformance cosem.Conformance) []byte {
	plain, err := apdu.InitiateRequest{Version: 6, Conformance: conformance, MaxPDU: pdu}.AppendBinary(nil)
	require.NoError(x.t, err)
	q := acse.AARQ{Context: acse.ContextLN, UserInformation: plain}
	if x.c.Ciphered {
		q.Context, q.CallingAPTitle = acse.ContextLNCiphered, x.c.Title[:]
		q.UserInformation = x.seal(apdu.TagGloInitiateRequest, plain)
	}
	if m := x.c.Mechanism; m != security.MechanismNone {
		q.Requirements, q.Mechanism = true, acse.Named(acse.Mechanism(m))
		q.CallingAPTitle = x.c.Title[:]
		q.Authentication = acse.Characters(passOne)
		if m == security.MechanismLLS {
			q.CallingAPTitle, q.Authentication = nil, acse.Characters(x.c.Secret.Reveal())
		}
	}
	b, err := q.AppendBinary(nil)
	require.NoError(x.t, err)
	return b
}

func (x *client) seal(tag apdu.Tag, plain []byte) []byte {
	for v := server.KeyVersion(1); x.follow && v < 4; v++ {
		x.ic = max(x.ic, x.m.Keyring.RxExpected(server.RxID{Version: v, Client: x.c.Title}))
	}
	x.ic++
	b, err := x.cipher.AppendService(nil, byte(tag), x.c.Title, security.NewControl(x.suite, x.c.Protection), x.ic, plain)
	require.NoError(x.t, err)
	return b
}

// raw serves bytes as they are.
func (x *client) raw(b []byte) []byte { return x.d.Serve(x.now, x.peer, b, nil) }

// whole serves bytes and gathers a reply that comes by general block transfer.
func (x *client) whole(b []byte) []byte {
	x.t.Helper()
	reply := x.raw(b)
	var all []byte
	for n := uint16(1); len(reply) > 0 && apdu.Tag(reply[0]) == apdu.TagGeneralBlockTransfer; n++ {
		p, _, err := apdu.ParseGeneralBlockTransfer(reply)
		require.NoError(x.t, err)
		require.Equal(x.t, n, p.Block)
		require.LessOrEqual(x.t, len(reply), x.limit)
		if all = append(all, p.Raw...); p.Last {
			return all
		}
		ack, err := apdu.GeneralBlockTransfer{Last: true, Window: 1, Block: n, Ack: n}.AppendBinary(nil)
		require.NoError(x.t, err)
		reply = x.raw(ack)
	}
	require.LessOrEqual(x.t, len(reply), x.limit)
	return reply
}

func (x *client) hex(s string) string {
	b, err := hex.DecodeString(s)
	require.NoError(x.t, err)
	return upper(x.raw(b))
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func upper(b []byte) string { return string(bytes.ToUpper([]byte(hex.EncodeToString(b)))) }

// open the association; it must be accepted.
func (x *client) open(pdu uint16, conformance cosem.Conformance) *client {
	x.t.Helper()
	if pdu != 0 {
		x.limit = min(x.limit, int(pdu))
	}
	reply := x.raw(x.aarq(pdu, conformance))
	var err error
	x.aare, _, err = acse.ParseAARE(reply)
	require.NoError(x.t, err, "%X", reply)
	require.NoError(x.t, x.aare.Err())
	if !x.c.Mechanism.IsHLS() {
		return x
	}
	x.server, err = security.TitleFrom(x.aare.RespondingAPTitle)
	require.NoError(x.t, err)
	r := x.action(cosem.Method{Class: cosem.ClassAssociationLN, Instance: objects.Instance, ID: 1}, axdr.AppendOctetString(nil, x.answer()))
	require.NoError(x.t, r.Result.Err())
	rd := axdr.NewReader(r.Return.Data)
	_, err = x.handshake().Verify(rd.OctetString())
	require.NoError(x.t, err)
	return x
}

func (x *client) handshake() *security.Handshake {
	return &security.Handshake{
		Mechanism: x.c.Mechanism, Own: x.c.Title, Peer: x.server, Secret: x.c.Secret, Cipher: x.cipher,
		OwnChallenge: passOne, PeerChallenge: x.aare.Authentication.Bytes(),
	}
}

func (x *client) answer() []byte {
	h := x.handshake()
	if x.c.Mechanism == security.MechanismGMAC {
		x.ic++
		h.Counter = x.ic
	}
	f, err := h.Answer()
	require.NoError(x.t, err)
	return f
}

// send protects, serves, and deciphers the reply.
func (x *client) send(plain []byte) []byte {
	x.t.Helper()
	b := plain
	if x.c.Ciphered {
		tag, ok := apdu.Tag(plain[0]).Glo()
		require.True(x.t, ok)
		b = x.seal(tag, plain)
	}
	return x.decipher(x.whole(b))
}

func (x *client) decipher(reply []byte) []byte {
	x.t.Helper()
	if p, _, err := apdu.ParseCiphered(reply); err == nil {
		_, plain, err := x.cipher.Open(nil, x.server, p.Content)
		require.NoError(x.t, err)
		return plain
	}
	if p, _, err := apdu.ParseGeneralGlo(reply); err == nil {
		_, plain, err := x.cipher.Open(nil, x.server, p.Content)
		require.NoError(x.t, err)
		return plain
	}
	return reply
}

func getRequest(t testing.TB, a cosem.Attribute, s apdu.Selection) []byte {
	t.Helper()
	b, err := apdu.GetRequestNormal{InvokeID: 0xC1, Attribute: a, Selection: s}.AppendBinary(nil)
	require.NoError(t, err)
	return b
}

// get reads, in service blocks if need be.
func (x *client) get(a cosem.Attribute, s apdu.Selection) apdu.GetResult {
	x.t.Helper()
	reply := x.send(getRequest(x.t, a, s))
	if r, _, err := apdu.ParseGetResponseNormal(reply); err == nil {
		return r.Result
	}
	var whole []byte
	for n := uint32(1); ; n++ {
		r, _, err := apdu.ParseGetResponseBlock(reply)
		require.NoError(x.t, err, "%X", reply)
		require.Equal(x.t, cosem.Success, r.Result)
		require.Equal(x.t, n, r.Number)
		if whole = append(whole, r.Raw...); r.Last {
			return apdu.GetResult{Data: whole}
		}
		next, err := apdu.GetRequestNext{InvokeID: 0xC1, Number: n}.AppendBinary(nil)
		require.NoError(x.t, err)
		reply = x.send(next)
	}
}

func (x *client) set(a cosem.Attribute, data []byte) cosem.Result {
	x.t.Helper()
	b, err := apdu.SetRequestNormal{InvokeID: 0xC1, Attribute: a, Data: data}.AppendBinary(nil)
	require.NoError(x.t, err)
	reply := x.send(b)
	r, _, err := apdu.ParseSetResponseNormal(reply)
	require.NoError(x.t, err, "%X", reply)
	return r.Result
}

func (x *client) action(m cosem.Method, arg []byte) apdu.ActionResponse {
	x.t.Helper()
	b, err := apdu.ActionRequestNormal{InvokeID: 0xC1, Method: m, Data: arg}.AppendBinary(nil)
	require.NoError(x.t, err)
	reply := x.send(b)
	var whole []byte
	for n := uint32(1); reply[1] == 2; n++ {
		r, _, err := apdu.ParseActionResponseBlock(reply)
		require.NoError(x.t, err, "%X", reply)
		if whole = append(whole, r.Block.Raw...); r.Block.Last {
			return apdu.ActionResponse{Return: apdu.GetResult{Data: whole}, Returns: true}
		}
		next, err := apdu.ActionRequestNextBlock{InvokeID: 0xC1, Number: n}.AppendBinary(nil)
		require.NoError(x.t, err)
		reply = x.send(next)
	}
	r, _, err := apdu.ParseActionResponseNormal(reply)
	require.NoError(x.t, err, "%X", reply)
	return r.Response
}

func public() ctt.Credentials { return ctt.Credentials{Client: ctt.ClientPublic} }

func lls() ctt.Credentials {
	return ctt.Credentials{Client: ctt.ClientReader, Mechanism: security.MechanismLLS, Secret: security.NewSecret([]byte("12345678"))}
}

func openCredentials(m *ctt.Reference) ctt.Credentials {
	c := m.Management()
	c.Client = ctt.ClientOpen
	return c
}
