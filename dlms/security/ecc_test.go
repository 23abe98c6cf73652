package security

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func agreementKey(t *testing.T, s Suite, d []byte) AgreementKey {
	t.Helper()
	k, err := NewAgreementKey(s, d)
	require.NoError(t, err)
	return k
}

func TestGreenBookC2(t *testing.T) {
	all := vectors(t)
	v := all["gb_c2_onepass_dh_client_to_server"]
	client, server := SystemTitle(mustHex(t, "4D4D4D0000BC614E")), SystemTitle(mustHex(t, "4D4D4D0000000001"))
	eph := agreementKey(t, Suite1, v.bytes(t, "ephemeral_private_client"))
	require.Equal(t, v.bytes(t, "ephemeral_public_client"), eph.Point())
	static := agreementKey(t, Suite1, v.bytes(t, "static_ka_private_server"))
	require.Equal(t, v.bytes(t, "static_ka_public_server"), static.Point())
	z, err := eph.SharedSecret(static.Point())
	require.NoError(t, err)
	require.True(t, z.Equal(v.bytes(t, "Z")))
	k, err := AgreeOnePass(eph, static.Point(), client, server)
	require.NoError(t, err)
	require.Equal(t, v.bytes(t, "aes_key"), k.Reveal())
	k, err = AgreeOnePass(static, eph.Point(), client, server)
	require.NoError(t, err)
	require.Equal(t, v.bytes(t, "aes_key"), k.Reveal())

	v = all["gb_c2_onepass_dh_server_to_client"]
	static = agreementKey(t, Suite1, v.bytes(t, "static_ka_private_client"))
	require.Equal(t, v.bytes(t, "static_ka_public_client"), static.Point())
	k, err = AgreeOnePass(static, v.bytes(t, "ephemeral_public_server"), server, client)
	require.NoError(t, err)
	require.Equal(t, v.bytes(t, "aes_key"), k.Reveal())
}

func TestGreenBookC3(t *testing.T) {
	v := vectors(t)["gb_c3_static_unified_model"]
	client, server := SystemTitle(mustHex(t, "4D4D4D0000BC614E")), SystemTitle(mustHex(t, "4D4D4D0000000001"))
	c, s := agreementKey(t, Suite1, v.bytes(t, "static_ka_private_client")), agreementKey(t, Suite1, v.bytes(t, "static_ka_private_server"))
	z, err := c.SharedSecret(s.Point())
	require.NoError(t, err)
	require.True(t, z.Equal(v.bytes(t, "Z")))
	for _, x := range [][2]AgreementKey{{c, s}, {s, c}} {
		k, err := AgreeStatic(x[0], x[1].Point(), client, server, v.bytes(t, "transaction_id"))
		require.NoError(t, err)
		require.Equal(t, v.bytes(t, "aes_key"), k.Reveal())
	}
	_, err = AgreeStatic(c, s.Point(), client, server, nil)
	require.ErrorContains(t, err, "transaction id")
}

func TestGreenBookC1(t *testing.T) {
	all := vectors(t)
	v := all["gb_c1_ephemeral_key_signature"]
	pub, err := NewVerifyKey(Suite1, v.bytes(t, "signing_public_client"))
	require.NoError(t, err)
	data := append(v.bytes(t, "ephemeral_public_client"), v.bytes(t, "signature_r_s")...)
	offer, err := ParseKeyAgreementOffer(Suite1, KeyGUEK, data)
	require.NoError(t, err)
	require.NoError(t, offer.Verify(pub))
	require.Equal(t, data, offer.Data())
	offer.ID = KeyGAK
	require.ErrorIs(t, offer.Verify(pub), ErrSignature)
	priv, err := NewSigningKey(Suite1, v.bytes(t, "signing_private_client"))
	require.NoError(t, err)
	point, err := priv.Public().Point()
	require.NoError(t, err)
	require.Equal(t, v.bytes(t, "signing_public_client"), point)
	for i := range data {
		_, err := ParseKeyAgreementOffer(Suite1, KeyGUEK, data[:i])
		require.Error(t, err)
	}

	z := all["gb_c1_ephemeral_unified_Z"]
	server := agreementKey(t, Suite1, z.bytes(t, "ephemeral_private_server"))
	require.Equal(t, z.bytes(t, "ephemeral_public_server"), server.Point())
	got, err := server.SharedSecret(z.bytes(t, "ephemeral_public_client"))
	require.NoError(t, err)
	require.True(t, got.Equal(z.bytes(t, "Z")))
	k, err := AgreeEphemeral(server, z.bytes(t, "ephemeral_public_client"),
		SystemTitle(mustHex(t, "4D4D4D0000BC614E")), SystemTitle(mustHex(t, "4D4D4D0000000001")))
	require.NoError(t, err)
	require.Equal(t, z.bytes(t, "guek_with_kdf_AlgID_SysTC_SysTS"), k.Reveal())
}

func TestKeyAgreementRoundTrip(t *testing.T) {
	for _, s := range []Suite{Suite1, Suite2} {
		cs, err := GenerateSigningKey(seeded(1), s)
		require.NoError(t, err)
		ss, err := GenerateSigningKey(seeded(2), s)
		require.NoError(t, err)
		co, ce, err := NewKeyAgreementOffer(seeded(3), KeyGUEK, cs)
		require.NoError(t, err)
		so, se, err := NewKeyAgreementOffer(seeded(4), KeyGUEK, ss)
		require.NoError(t, err)
		got, err := ParseKeyAgreementOffer(s, KeyGUEK, co.Data())
		require.NoError(t, err)
		require.NoError(t, got.Verify(cs.Public()))
		require.NoError(t, so.Verify(ss.Public()))
		a, err := AgreeEphemeral(ce, so.Point, SystemTitle{1}, SystemTitle{2})
		require.NoError(t, err)
		b, err := AgreeEphemeral(se, co.Point, SystemTitle{1}, SystemTitle{2})
		require.NoError(t, err)
		require.True(t, a.Equal(b))
		require.Equal(t, s.KeySize(), a.Len())
	}
}

func TestSignature(t *testing.T) {
	for _, s := range []Suite{Suite1, Suite2} {
		k, err := GenerateSigningKey(seeded(1), s)
		require.NoError(t, err)
		sig, err := k.Sign([]byte("message"))
		require.NoError(t, err)
		require.Len(t, sig, s.PointSize())
		again, err := k.Sign([]byte("message"))
		require.NoError(t, err)
		require.Equal(t, sig, again)
		require.NoError(t, k.Public().Verify([]byte("message"), sig))
		require.ErrorIs(t, k.Public().Verify([]byte("massage"), sig), ErrSignature)
		for i := range sig {
			require.ErrorIs(t, k.Public().Verify([]byte("message"), sig[:i]), ErrSignature)
		}
		d, err := k.Reveal()
		require.NoError(t, err)
		same, err := NewSigningKey(s, d)
		require.NoError(t, err)
		require.Equal(t, k.Public(), same.Public())
	}
}

func TestECCRefusals(t *testing.T) {
	_, err := NewSigningKey(Suite0, make([]byte, 32))
	require.ErrorContains(t, err, "no public key")
	_, err = GenerateSigningKey(seeded(1), Suite0)
	require.Error(t, err)
	_, err = GenerateAgreementKey(bytes.NewReader(make([]byte, 4096)), Suite1) // a source of zeros
	require.Error(t, err)
	_, err = GenerateAgreementKey(bytes.NewReader(nil), Suite1)
	require.ErrorContains(t, err, "randomness")
	_, err = NewAgreementKey(Suite1, make([]byte, 31))
	require.Error(t, err)
	_, err = NewVerifyKey(Suite1, make([]byte, 64)) // not on the curve
	require.Error(t, err)
	_, err = NewVerifyKey(Suite1, make([]byte, 63))
	require.ErrorContains(t, err, "needs 64")
	k, err := GenerateAgreementKey(seeded(1), Suite1)
	require.NoError(t, err)
	_, err = k.SharedSecret(make([]byte, 64))
	require.Error(t, err)
	require.Error(t, VerifyKey{}.Verify(nil, nil))
	_, err = SigningKey{}.Sign(nil)
	require.Error(t, err)
	_, err = AgreementKey{}.SharedSecret(nil)
	require.Error(t, err)
	_, err = DeriveKey(Suite1, Secret{}, nil, nil)
	require.Error(t, err)
}
