package server_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand"
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

func key(t testing.TB, b byte) security.Key {
	t.Helper()
	k, err := security.NewKey(bytes.Repeat([]byte{b}, 16))
	require.NoError(t, err)
	return k
}

// transfer sends key_transfer of GUEK and GAK and returns the ciphered reply as it came.
func (x *client) transfer(next security.KeySet) []byte {
	x.t.Helper()
	arg := axdr.AppendArrayHeader(nil, 2)
	for _, id := range []security.KeyID{security.KeyGUEK, security.KeyGAK} {
		w, err := security.WrapKey(x.c.Keys.KEK, next.Get(id))
		require.NoError(x.t, err)
		arg = axdr.AppendStructureHeader(arg, 2)
		arg = axdr.AppendEnum(arg, uint8(id))
		arg = axdr.AppendOctetString(arg, w)
	}
	b, err := apdu.ActionRequestNormal{InvokeID: 0xC1, Method: cosem.Method{Class: cosem.ClassSecuritySetup, Instance: setup, ID: 2}, Data: arg}.AppendBinary(nil)
	require.NoError(x.t, err)
	return x.raw(x.seal(apdu.TagGloActionRequest, b))
}

// refused tells whether an AARQ under the credentials is refused.
func refused(t testing.TB, m *ctt.Reference, c ctt.Credentials) bool {
	t.Helper()
	x := newClient(t, m, c, 77)
	x.follow, x.now = true, m.Now
	r, _, err := acse.ParseAARE(x.raw(x.aarq(0, everyBit)))
	require.NoError(t, err)
	m.Device.Disconnect(77)
	return r.Result != acse.ResultAccepted
}

func TestKeyTransferAtOnce(t *testing.T) {
	m := ctt.NewReference(0)
	x := newClient(t, m, m.Management(), 1).open(0, everyBit)
	next := m.Keys
	next.GUEK, next.GAK = key(t, 0x51), key(t, 0x52)
	// The reply is still under the old keys.
	require.Equal(t, unhex(t, "C701C10000"), x.decipher(x.transfer(next)))
	// The next request is under the new ones, in the same association, and its counter starts afresh.
	x.c.Keys, x.ic = next, 0
	var err error
	x.cipher, err = next.Cipher(security.Suite0)
	require.NoError(t, err)
	require.Equal(t, cosem.Success, x.get(name, apdu.Selection{}).Result)
	require.True(t, refused(t, m, m.Management()))
}

func TestKeyChangeSupervised(t *testing.T) {
	change := func(id int8) cosem.Attribute {
		return cosem.Attribute{Class: server.ClassKeyChange, Instance: server.KeyChangeName, ID: id}
	}
	commit := cosem.Method{Class: server.ClassKeyChange, Instance: server.KeyChangeName, ID: 1}
	revert := cosem.Method{Class: server.ClassKeyChange, Instance: server.KeyChangeName, ID: 2}
	begin := func(t *testing.T) (m *ctt.Reference, old, fresh *client, next ctt.Credentials) {
		m = ctt.NewReference(2 * time.Minute)
		old = newClient(t, m, m.Management(), 1).open(0, everyBit)
		old.follow = true
		require.Equal(t, axdr.AppendEnum(nil, 0), old.get(change(2), apdu.Selection{}).Data)
		require.Equal(t, cosem.ActionReadWriteDenied, old.action(revert, axdr.AppendInt8(nil, 0)).Result)
		next = m.Management()
		next.Keys.GUEK, next.Keys.GAK = key(t, 0x51), key(t, 0x52)
		require.Equal(t, unhex(t, "C701C10000"), old.decipher(old.transfer(next.Keys)))
		require.Equal(t, axdr.AppendEnum(nil, 1), old.get(change(2), apdu.Selection{}).Data, "staged")
		require.Equal(t, axdr.AppendUint32(nil, 120), old.get(change(4), apdu.Selection{}).Data)
		fresh = newClient(t, m, next, 2)
		fresh.follow = true
		fresh.open(0, everyBit)
		require.Equal(t, axdr.AppendEnum(nil, 2), fresh.get(change(2), apdu.Selection{}).Data, "proven")
		require.False(t, refused(t, m, m.Management()), "the old keys still open")
		require.Equal(t, cosem.ActionReadWriteDenied, old.action(commit, axdr.AppendInt8(nil, 0)).Result, "not under the old keys")
		return m, old, fresh, next
	}
	t.Run("commit", func(t *testing.T) {
		m, old, fresh, next := begin(t)
		require.Equal(t, cosem.ActionSuccess, fresh.action(commit, axdr.AppendInt8(nil, 0)).Result)
		require.Equal(t, axdr.AppendUint32(nil, 2), fresh.get(change(5), apdu.Selection{}).Data, "version")
		require.True(t, refused(t, m, m.Management()))
		require.False(t, refused(t, m, next))
		// An association under the old keys has ended in effect.
		require.Equal(t, unhex(t, "D80105"), old.raw(old.seal(apdu.TagGloGetRequest, getRequest(t, name, apdu.Selection{}))))
	})
	t.Run("revert", func(t *testing.T) {
		m, old, fresh, next := begin(t)
		require.Equal(t, cosem.ActionSuccess, fresh.action(revert, axdr.AppendInt8(nil, 0)).Result)
		require.False(t, refused(t, m, m.Management()))
		require.True(t, refused(t, m, next))
		require.Equal(t, cosem.Success, old.get(name, apdu.Selection{}).Result)
	})
	t.Run("lapse", func(t *testing.T) {
		m, old, fresh, next := begin(t)
		m.Now = m.Now.Add(2*time.Minute - 1)
		require.False(t, refused(t, m, next), "a nanosecond is left")
		m.Now = m.Now.Add(1)
		old.now, fresh.now = m.Now, m.Now
		require.Equal(t, unhex(t, "D80105"), fresh.raw(fresh.seal(apdu.TagGloActionRequest, unhex(t, "C301C1206C0080"+"2B0000FF"+"01010F00"))))
		require.True(t, refused(t, m, next))
		require.Equal(t, cosem.Success, old.get(name, apdu.Selection{}).Result)
		require.Equal(t, axdr.AppendEnum(nil, 0), old.get(change(2), apdu.Selection{}).Data)
	})
	t.Run("power cut", func(t *testing.T) {
		m, _, _, next := begin(t)
		m.Keyring.PowerCut()
		m.Device.DropAll()
		require.True(t, refused(t, m, next))
		require.False(t, refused(t, m, m.Management()))
	})
}

func TestReplay(t *testing.T) {
	m := ctt.NewReference(0)
	x := newClient(t, m, m.Management(), 1)
	x.ic = 100
	x.open(0, everyBit)
	request := x.seal(apdu.TagGloGetRequest, getRequest(t, name, apdu.Selection{}))
	require.NotEqual(t, byte(0xD8), x.raw(request)[0])
	want := binary.BigEndian.AppendUint32(unhex(t, "D80106"), x.ic+1)
	require.Equal(t, want, x.raw(request))
	// An old AARQ too says what is expected.
	y := newClient(t, m, m.Management(), 2)
	require.Equal(t, want, y.raw(y.aarq(0, everyBit)))
	// A forged counter burns nothing: content without a tag is refused first.
	forged, err := x.cipher.AppendService(nil, byte(apdu.TagGloGetRequest), x.c.Title, 0x20, 0xFFFFFFF0, getRequest(t, name, apdu.Selection{}))
	require.NoError(t, err)
	require.Equal(t, unhex(t, "D80101"), x.raw(forged))
	require.Equal(t, cosem.Success, x.get(name, apdu.Selection{}).Result)
}

func TestReflection(t *testing.T) {
	m := ctt.NewReference(0)
	c := m.Management()
	c.Title = m.Keyring.SystemTitle()
	r, _, err := acse.ParseAARE(newClient(t, m, c, 1).raw(newClient(t, m, c, 1).aarq(0, everyBit)))
	require.NoError(t, err)
	require.Equal(t, acse.DiagnosticCallingAPTitle, r.Diagnostic, "a client under the server's own title")
	// A client that sends the server's challenge back fails at pass 3, whatever it answers.
	m.Device.Rand = bytes.NewReader(passOne)
	x := newClient(t, m, m.Management(), 2)
	x.aare, _, err = acse.ParseAARE(x.raw(x.aarq(0, everyBit)))
	require.NoError(t, err)
	require.Equal(t, passOne, x.aare.Authentication.Bytes())
	x.server, err = security.TitleFrom(x.aare.RespondingAPTitle)
	require.NoError(t, err)
	other := x.handshake()
	other.PeerChallenge = []byte("any but our own one")
	other.Counter = x.ic + 1
	f, err := other.Answer()
	require.NoError(t, err)
	require.Equal(t, cosem.ActionReadWriteDenied, x.action(cosem.Method{Class: 15, Instance: objects.Instance, ID: 1}, axdr.AppendOctetString(nil, f)).Result)
	require.Zero(t, m.Device.Open(), "a failed pass 3 ends the association")
}

func TestChangeSecret(t *testing.T) {
	m := ctt.NewReference(0)
	x := newClient(t, m, lls(), 1).open(0, everyBit)
	secret := objects
	secret.ID = 7
	require.Equal(t, axdr.AppendOctetString(nil, nil), x.get(secret, apdu.Selection{}).Data, "a password does not read back")
	require.Equal(t, cosem.Success, x.set(secret, axdr.AppendOctetString(nil, []byte("87654321"))))
	m.Device.Disconnect(1)
	r, _, err := acse.ParseAARE(newClient(t, m, lls(), 1).raw(x.aarq(0, everyBit)))
	require.NoError(t, err)
	require.Equal(t, acse.DiagnosticAuthenticationFailure, r.Diagnostic)
	c := lls()
	c.Secret = security.NewSecret([]byte("87654321"))
	newClient(t, m, c, 1).open(0, everyBit)
}

// TestSteadyStateAllocates nothing: a GET, ciphered or not, over Serve and over a wrapper stream.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	for what, c := range map[string]func(*ctt.Reference) ctt.Credentials{
		"plain": func(*ctt.Reference) ctt.Credentials { return public() }, "ciphered": func(m *ctt.Reference) ctt.Credentials { return m.Management() },
	} {
		m := ctt.NewReference(0)
		x := newClient(t, m, c(m), 1).open(0, everyBit)
		plain := getRequest(t, energy, apdu.Selection{})
		request, reply := make([]byte, 0, 256), make([]byte, 0, 256)
		run := func() {
			request = append(request[:0], plain...)
			if x.c.Ciphered {
				x.ic++
				var err error
				request, err = x.cipher.AppendService(request[:0], byte(apdu.TagGloGetRequest), x.c.Title, 0x30, x.ic, plain)
				if err != nil {
					t.Error(err)
				}
			}
			reply = x.d.Serve(x.now, x.peer, request, reply[:0])
		}
		run()
		require.Zero(t, testing.AllocsPerRun(200, run), what)
		require.NotEqual(t, byte(0xD8), reply[0])
	}
}

// asymmetric is a Security with suite 1 keys.
type asymmetric struct {
	*server.Keyring
	sign   security.SigningKey
	agree  security.AgreementKey
	client security.VerifyKey
	peer   []byte
}

func (a *asymmetric) SigningKey() security.SigningKey                   { return a.sign }
func (a *asymmetric) AgreementKey() security.AgreementKey               { return a.agree }
func (a *asymmetric) ClientKey(security.SystemTitle) security.VerifyKey { return a.client }
func (a *asymmetric) ClientAgreement(security.SystemTitle) []byte       { return a.peer }

// asymmetrical is a reference meter in suite 1 and its client, both with keys of their own.
type asymmetrical struct {
	*client
	g      *security.General // the client's side
	cipher *security.Cipher
	ic     uint32
}

func newAsymmetrical(t *testing.T) *asymmetrical {
	rnd := rand.New(rand.NewSource(1))
	newKeys := func() (security.SigningKey, security.AgreementKey) {
		s, err := security.GenerateSigningKey(rnd, security.Suite1)
		require.NoError(t, err)
		a, err := security.GenerateAgreementKey(rnd, security.Suite1)
		require.NoError(t, err)
		return s, a
	}
	cs, ca := newKeys()
	ss, sa := newKeys()
	m := ctt.NewReference(0)
	m.Device.Model = server.MustModel(server.Config{
		Associations: []server.Association{{Client: 1, Mechanism: security.MechanismECDSA, Ciphered: true, Suite: security.Suite1}},
		Objects:      []server.Object{server.LogicalDeviceName(server.All(server.Read), func(*server.Call) string { return "SM1" })},
	})
	m.Device.Rand = rnd
	m.Device.Security = &asymmetric{Keyring: m.Keyring, sign: ss, agree: sa, client: cs.Public(), peer: ca.Point()}
	c := m.Management()
	cipher, err := c.Keys.Cipher(security.Suite1)
	require.NoError(t, err)
	return &asymmetrical{client: newClient(t, m, c, 1), cipher: cipher, g: &security.General{
		Suite: security.Suite1, Own: c.Title, Peer: m.Keyring.SystemTitle(), Keys: c.Keys, Rand: rnd,
		SigningKey: cs, AgreementKey: ca, PeerSigning: ss.Public(), PeerAgreement: sa.Point(),
	}}
}

// associate opens with HLS 7.
func (x *asymmetrical) associate() {
	t := x.t
	challenge := bytes.Repeat([]byte{9}, 32)
	plain, err := apdu.InitiateRequest{Version: 6, Conformance: everyBit}.AppendBinary(nil)
	require.NoError(t, err)
	x.ic++
	user, err := x.cipher.AppendService(nil, 0x21, x.c.Title, 0x31, x.ic, plain)
	require.NoError(t, err)
	q, err := acse.AARQ{
		Context: acse.ContextLNCiphered, CallingAPTitle: x.c.Title[:], Requirements: true, Mechanism: acse.Named(7),
		Authentication: acse.Characters(challenge), UserInformation: user,
	}.AppendBinary(nil)
	require.NoError(t, err)
	x.aare, _, err = acse.ParseAARE(x.raw(q))
	require.NoError(t, err)
	require.True(t, x.aare.Pending())
	h := security.Handshake{
		Mechanism: security.MechanismECDSA, Own: x.c.Title, Peer: x.g.Peer, OwnChallenge: challenge,
		PeerChallenge: x.aare.Authentication.Bytes(), SigningKey: x.g.SigningKey, PeerKey: x.g.PeerSigning,
	}
	f, err := h.Answer()
	require.NoError(t, err)
	pass, err := apdu.ActionRequestNormal{InvokeID: 0xC1, Method: cosem.Method{Class: 15, Instance: objects.Instance, ID: 1}, Data: axdr.AppendOctetString(nil, f)}.AppendBinary(nil)
	require.NoError(t, err)
	r, _, err := apdu.ParseActionResponseNormal(x.raw(pass))
	require.NoError(t, err)
	require.NoError(t, r.Response.Result.Err())
	rd := axdr.NewReader(r.Response.Return.Data)
	_, err = h.Verify(rd.OctetString())
	require.NoError(t, err)
}

// TestGeneralCiphering speaks general-ciphering with every kind of key, and general-signing, in suite 1.
func TestGeneralCiphering(t *testing.T) {
	x := newAsymmetrical(t)
	x.associate()
	g, cipher, c := x.g, x.cipher, x.c
	get := getRequest(t, name, apdu.Selection{})
	want := unhex(t, "C401C1000903534D31")
	for i, use := range []security.KeyUse{security.UseGUEK, security.UseGBEK, security.UseWrapped, security.UseOnePass, security.UseStaticUnified} {
		p, err := g.Seal(g.Header([]byte{byte(i + 1)}), use, security.ProtectBoth, uint32(10+i), get)
		require.NoError(t, err)
		b, err := p.AppendBinary(nil)
		require.NoError(t, err)
		reply, n, err := apdu.ParseGeneralCiphering(x.raw(b))
		require.NoError(t, err, "use %d", use)
		require.NotZero(t, n)
		_, plain, err := g.Open(reply)
		require.NoError(t, err)
		require.Equal(t, want, plain)
		require.Equal(t, p.TransactionID, reply.TransactionID)
		again := x.raw(b)
		require.Equal(t, byte(apdu.TagException), again[0], "a repeated message with key use %d", use)
	}
	// Signed, plain and ciphered.
	for i, inner := range [][]byte{get, nil} {
		if inner == nil {
			var err error
			inner, err = cipher.AppendService(nil, byte(apdu.TagGloGetRequest), c.Title, 0x31, 50, get)
			require.NoError(t, err)
		}
		p, err := g.Sign(g.Header([]byte{byte(100 + i)}), inner)
		require.NoError(t, err)
		b, err := p.AppendBinary(nil)
		require.NoError(t, err)
		reply, _, err := apdu.ParseGeneralSigning(x.raw(b))
		require.NoError(t, err)
		require.NoError(t, g.Verify(reply))
		content := reply.Content
		if i == 1 {
			p, _, err := apdu.ParseCiphered(content)
			require.NoError(t, err)
			_, content, err = cipher.Open(nil, g.Peer, p.Content)
			require.NoError(t, err)
		}
		require.Equal(t, want, content)
		require.Equal(t, byte(apdu.TagException), x.raw(b)[0], "repeated")
		b[len(b)-1] ^= 1
		require.Equal(t, unhex(t, "D80105"), x.raw(b))
	}
}

// TestTransactionsOutliveAssociations: a message under a key made for it, or signed alone, is refused in a later
// association too, for nothing but its transaction id tells it from a new one.
func TestTransactionsOutliveAssociations(t *testing.T) {
	x := newAsymmetrical(t)
	x.associate()
	get := getRequest(t, name, apdu.Selection{})
	p, err := x.g.Seal(x.g.Header([]byte{0, 1, 0}), security.UseWrapped, security.ProtectBoth, 1, get)
	require.NoError(t, err)
	ciphered, err := p.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, byte(apdu.TagGeneralCiphering), x.raw(ciphered)[0])
	q, err := x.g.Sign(x.g.Header([]byte{2, 0}), get)
	require.NoError(t, err)
	signed, err := q.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, byte(apdu.TagGeneralSigning), x.raw(signed)[0])
	for _, restart := range []bool{false, true} {
		if restart {
			x.d.DropAll()
			s := x.m.Keyring.Snapshot()
			x.m.Keyring.Restore(s)
		}
		x.associate()
		require.Equal(t, unhex(t, "D80101"), x.raw(ciphered))
		require.Equal(t, unhex(t, "D80101"), x.raw(signed))
	}
}

func TestKeyringCounters(t *testing.T) {
	var reserved []uint32
	keys := server.KeyringConfig{Reserve: func(_ server.KeyVersion, upTo uint32) error {
		reserved = append(reserved, upTo)
		return nil
	}}
	k := server.NewKeyring(keys)
	for want := uint32(1); want <= 300; want++ {
		got, err := k.NextTx(1)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Less(t, got, reserved[len(reserved)-1], "durable before it is used")
	}
	require.Equal(t, []uint32{257, 513}, reserved)
	// A restart skips what was reserved.
	r := server.NewKeyring(server.KeyringConfig{})
	r.Restore(k.Snapshot())
	got, err := r.NextTx(1)
	require.NoError(t, err)
	require.Equal(t, uint32(513), got)

	keys.Reserve = func(server.KeyVersion, uint32) error { return errors.New("disk full") }
	_, err = server.NewKeyring(keys).NextTx(1)
	require.ErrorContains(t, err, "disk full")

	last := server.NewKeyring(server.KeyringConfig{FirstTx: security.CounterMax - 1})
	_, err = last.NextTx(1)
	require.NoError(t, err)
	_, err = last.NextTx(1)
	require.ErrorIs(t, err, security.ErrCounterExhausted)

	id := server.RxID{Version: 1}
	require.Zero(t, k.RxHighest())
	k.RxAccept(id, 0)
	require.Zero(t, k.RxHighest())
	require.Equal(t, uint32(1), k.RxExpected(id))
	k.RxAccept(id, 41)
	require.Equal(t, uint32(41), k.RxHighest())
	s := k.Snapshot()
	r.Restore(s)
	require.Equal(t, uint32(42), r.RxExpected(id))
}
