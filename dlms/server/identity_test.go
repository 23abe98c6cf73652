package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"math/rand"
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

// authority issues certificates.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	root security.Certificate
	next int64
	now  time.Time
}

func newAuthority(t *testing.T, now time.Time) *authority {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.New(rand.NewSource(5)))
	require.NoError(t, err)
	a := &authority{t: t, key: k, now: now, next: 1}
	a.root, err = security.ParseCertificate(security.Suite1, a.issue("root", x509.KeyUsageCertSign, &k.PublicKey, now))
	require.NoError(t, err)
	return a
}

func (a *authority) issue(name string, usage x509.KeyUsage, key any, from time.Time) []byte {
	a.next++
	der, err := x509.CreateCertificate(rand.New(rand.NewSource(a.next)), &x509.Certificate{
		SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: from.AddDate(1, 0, 0),
		KeyUsage: usage, IsCA: usage == x509.KeyUsageCertSign, BasicConstraintsValid: true,
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "root"}}, key, a.key)
	require.NoError(a.t, err)
	return der
}

type identified struct {
	*server.Keyring
	*server.Identity
}

// TestSecuritySetup1 gives a meter of suite 1 key pairs and certificates, and agrees on keys with it.
func TestSecuritySetup1(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	m := ctt.NewReference(0)
	ca := newAuthority(t, m.Now)
	title := m.Keyring.SystemTitle()
	c := m.Management()
	c.Client = 1
	c.Protection = security.ProtectBoth
	sign, err := security.GenerateSigningKey(rnd, security.Suite1)
	require.NoError(t, err)
	id := &server.Identity{Suite: security.Suite1, Title: title, Rand: rnd, Anchors: []security.Certificate{ca.root}}
	m.Device.Model = server.MustModel(server.Config{
		// GMAC needs no asymmetric key: the association in which a new meter gets its certificates.
		Associations: []server.Association{{Client: 1, Mechanism: security.MechanismGMAC, Ciphered: true, Suite: security.Suite1}},
		Objects: []server.Object{
			server.SecuritySetup1(setup, anybody),
			server.LogicalDeviceName(anybody, func(*server.Call) string { return "SM1" }),
		},
	})
	m.Device.Rand, m.Device.Security = rnd, identified{m.Keyring, id}
	x := newClient(t, m, c, 1)
	x.suite = security.Suite1
	x.cipher, err = c.Keys.Cipher(security.Suite1)
	require.NoError(t, err)
	x.open(0, everyBit)
	do := func(id int8, arg axdr.Value) (apdu.ActionResponse, axdr.Value) {
		t.Helper()
		raw, err := arg.AppendBinary(nil)
		require.NoError(t, err)
		r := x.action(cosem.Method{Class: 64, Instance: setup, ID: id}, raw)
		var v axdr.Value
		if len(r.Return.Data) > 0 {
			v, err = axdr.ParseAll(r.Return.Data)
			require.NoError(t, err)
		}
		return r, v
	}
	ok := func(id int8, arg axdr.Value) axdr.Value {
		t.Helper()
		r, v := do(id, arg)
		require.NoError(t, r.Result.Err())
		return v
	}
	refused := func(want cosem.ActionResult, id int8, arg axdr.Value) {
		t.Helper()
		r, _ := do(id, arg)
		require.Equal(t, want, r.Result)
	}
	certificates := func() axdr.Value {
		v, err := axdr.ParseAll(x.get(cosem.Attribute{Class: 64, Instance: setup, ID: 6}, apdu.Selection{}).Data)
		require.NoError(t, err)
		return v
	}

	// The meter makes its pairs, and asks for certificates.
	refused(cosem.ActionObjectUnavailable, 3, axdr.Array()) // it has no signing key yet
	refused(cosem.ActionScopeOfAccessViolated, 4, axdr.Enum(2))
	var own [][]byte
	for use, usage := range []x509.KeyUsage{x509.KeyUsageDigitalSignature, x509.KeyUsageKeyAgreement} {
		ok(4, axdr.Enum(uint8(use)))
		q, err := x509.ParseCertificateRequest(ok(5, axdr.Enum(uint8(use))).Bytes)
		require.NoError(t, err)
		require.NoError(t, q.CheckSignature())
		require.Equal(t, title.String(), q.Subject.CommonName)
		own = append(own, ca.issue(q.Subject.CommonName, usage, q.PublicKey, m.Now))
	}
	require.True(t, id.SigningKey().IsZero(), "not in force before its certificate is there")
	for _, der := range own {
		ok(6, axdr.Octets(der))
	}
	require.False(t, id.SigningKey().IsZero())
	require.False(t, id.AgreementKey().IsZero())

	// The client's certificate; and what is refused.
	point, err := sign.Public().Point()
	require.NoError(t, err)
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, point...))
	require.NoError(t, err)
	mine := ca.issue(c.Title.String(), x509.KeyUsageDigitalSignature, public, m.Now)
	ok(6, axdr.Octets(mine))
	ok(6, axdr.Octets(mine))
	require.Len(t, certificates().Items, 3, "imported twice, stored once")
	require.True(t, axdr.Enum(1).Equal(certificates().At(2, 0)), "a client's")
	refused(cosem.ActionOtherReason, 6, axdr.Octets(ca.issue(c.Title.String(), x509.KeyUsageDigitalSignature, public, m.Now.AddDate(0, 0, 1))))
	refused(cosem.ActionScopeOfAccessViolated, 6, axdr.Octets(ca.issue(title.String(), x509.KeyUsageDigitalSignature, public, m.Now)))
	stranger := newAuthority(t, m.Now)
	stranger.key, err = ecdsa.GenerateKey(elliptic.P256(), rnd)
	require.NoError(t, err)
	refused(cosem.ActionOtherReason, 6, axdr.Octets(stranger.issue(c.Title.String(), x509.KeyUsageDigitalSignature, public, m.Now)))
	refused(cosem.ActionOtherReason, 6, axdr.Octets(mine[:50]))

	byEntity := func(entity, use uint8) axdr.Value {
		return axdr.Structure(axdr.Enum(0), axdr.Structure(axdr.Enum(entity), axdr.Enum(use), axdr.Octets(nil)))
	}
	bySerial := axdr.Structure(axdr.Enum(1), axdr.Structure(certificates().At(1, 2), certificates().At(1, 3)))
	require.Equal(t, own[0], ok(7, byEntity(0, 0)).Bytes)
	require.Equal(t, mine, ok(7, byEntity(1, 0)).Bytes)
	require.Equal(t, own[1], ok(7, bySerial).Bytes)
	ok(8, bySerial)
	refused(cosem.ActionObjectUndefined, 7, bySerial)
	refused(cosem.ActionTypeUnmatched, 7, axdr.Structure(axdr.Enum(7), axdr.Structure()))

	// Both agree on new keys; the reply is under the old ones, the next request under the new.
	offer := func(k security.KeyID, with security.SigningKey) (axdr.Value, security.AgreementKey) {
		o, ephemeral, err := security.NewKeyAgreementOffer(rnd, k, with)
		require.NoError(t, err)
		return axdr.Structure(axdr.Enum(uint8(k)), axdr.Octets(o.Data())), ephemeral
	}
	forger, err := security.GenerateSigningKey(rnd, security.Suite1)
	require.NoError(t, err)
	forged, _ := offer(security.KeyGAK, forger)
	unicast, e0 := offer(security.KeyGUEK, sign)
	auth, e2 := offer(security.KeyGAK, sign)
	refused(cosem.ActionOtherReason, 3, axdr.Array(unicast, forged))
	refused(cosem.ActionOtherReason, 3, axdr.Array(unicast, unicast))
	refused(cosem.ActionTypeUnmatched, 3, axdr.Array(axdr.Structure(axdr.Enum(0), axdr.Octets([]byte{1}))))
	reply := ok(3, axdr.Array(unicast, auth))
	for i, e := range []security.AgreementKey{e0, e2} {
		kid := []security.KeyID{security.KeyGUEK, security.KeyGAK}[i]
		o, err := security.ParseKeyAgreementOffer(security.Suite1, kid, reply.At(i, 1).Bytes)
		require.NoError(t, err)
		require.NoError(t, o.Verify(id.SigningKey().Public()))
		k, err := security.AgreeEphemeral(e, o.Point, c.Title, title)
		require.NoError(t, err)
		x.c.Keys, err = x.c.Keys.With(kid, k)
		require.NoError(t, err)
	}
	x.cipher, err = x.c.Keys.Cipher(security.Suite1)
	require.NoError(t, err)
	x.ic = 0
	require.Equal(t, cosem.Success, x.get(name, apdu.Selection{}).Result)

	// Policies bit by bit may only get stronger.
	ok(1, axdr.Enum(0x24))
	refused(cosem.ActionReadWriteDenied, 1, axdr.Enum(0x08))
	ok(1, axdr.Enum(0x2C))
	refused(cosem.ActionOtherReason, 1, axdr.Enum(0x03))
	require.Equal(t, axdr.AppendEnum(nil, 0x2C), x.get(cosem.Attribute{Class: 64, Instance: setup, ID: 2}, apdu.Selection{}).Data)

	// A Security that has no such keys says so.
	m.Device.Security = m.Keyring
	refused(cosem.ActionObjectUnavailable, 4, axdr.Enum(0))
	require.Empty(t, certificates().Items)
}
