package security

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
)

// hexBytes is hexadecimal in the vector file.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type party struct {
	ID               hexBytes
	Cert             hexBytes
	CertHash         hexBytes `json:"cert_hash"`
	StaticPrivate    hexBytes `json:"static_private"`
	StaticPublic     hexBytes `json:"static_public"`
	EphemeralPrivate hexBytes `json:"ephemeral_private"`
	EphemeralPublic  hexBytes `json:"ephemeral_public"`
}

func (p party) eui() (e wire.EUI64) { copy(e[:], p.ID); return e }

type cbkeTrace struct {
	CAPublic hexBytes `json:"ca_public"`
	V        party    `json:"responder_V"`
	U        party    `json:"initiator_U"`
	Z        hexBytes
	MacKey   hexBytes `json:"mac_key"`
	LinkKey  hexBytes `json:"key_data_link_key"`
	MACU     hexBytes
	MACV     hexBytes
}

type vectors struct {
	MMO  []struct{ In, Out hexBytes }       `json:"aes_mmo"`
	HMAC []struct{ Key, Msg, Out hexBytes } `json:"hmac_mmo"`
	CCM  []struct {
		Key, Nonce, AAD, Plaintext, Out hexBytes
		M                               int
	} `json:"ccm_star"`
	InstallCodes []struct {
		Code    hexBytes
		CRC     hexBytes `json:"crc_le"`
		LinkKey hexBytes `json:"link_key"`
	} `json:"install_codes"`
	Derived []struct {
		LinkKey   hexBytes `json:"link_key"`
		Transport hexBytes `json:"key_transport_00"`
		Load      hexBytes `json:"key_load_02"`
		Verify    hexBytes `json:"verify_key_hash_03"`
	} `json:"derived_keys"`
	Suite1   cbkeTrace                                 `json:"cbke_suite1"`
	Suite2   cbkeTrace                                 `json:"cbke_suite2"`
	TestSECA []struct{ EUI64, Cert, Private hexBytes } `json:"testseca_suite1_certs"`
	ECDSA    struct {
		Digest hexBytes
		Public hexBytes `json:"signer_public"`
		R      hexBytes `json:"signature_r"`
		S      hexBytes `json:"signature_s"`
	} `json:"ecdsa_ota"`
	Mint struct {
		CAPrivate hexBytes `json:"ca_private"`
		CAPublic  hexBytes `json:"ca_public"`
		Cert      hexBytes
		R         hexBytes `json:"recon_r"`
		Private   hexBytes
		Public    hexBytes
	} `json:"ecqv_mint_example"`
}

func loadVectors(t testing.TB) (v vectors) {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &v))
	return v
}

func key(t testing.TB, b []byte) Key {
	t.Helper()
	k, err := NewKey(b)
	require.NoError(t, err)
	return k
}

func TestVectorsHash(t *testing.T) {
	v := loadVectors(t)
	require.NotEmpty(t, v.MMO)
	for _, c := range v.MMO {
		h := Hash(c.In)
		require.Equal(t, []byte(c.Out), h[:])
	}
	require.NotEmpty(t, v.HMAC)
	for _, c := range v.HMAC {
		h := HMAC(key(t, c.Key), c.Msg)
		require.Equal(t, []byte(c.Out), h[:])
	}
}

func TestVectorsCCM(t *testing.T) {
	v := loadVectors(t)
	require.NotEmpty(t, v.CCM)
	for _, x := range v.CCM {
		c, err := newCipher(key(t, x.Key), x.M)
		require.NoError(t, err)
		nonce := [NonceSize]byte(x.Nonce)
		require.Equal(t, []byte(x.Out), c.Seal(nil, &nonce, x.Plaintext, x.AAD))
		got, err := c.Open(nil, &nonce, x.Out, x.AAD)
		require.NoError(t, err)
		require.Equal(t, []byte(x.Plaintext), got)
	}
}

func TestVectorsInstallCodes(t *testing.T) {
	v := loadVectors(t)
	require.Len(t, v.InstallCodes, 4)
	for _, x := range v.InstallCodes {
		c, err := NewInstallCode(x.Code)
		require.NoError(t, err)
		full := append(append([]byte(nil), x.Code...), x.CRC...)
		require.Equal(t, full, c.Reveal())
		require.Equal(t, []byte(x.LinkKey), c.LinkKey().Reveal())
		p, err := ParseInstallCode(hex.EncodeToString(full))
		require.NoError(t, err)
		require.True(t, p.LinkKey().Equal(c.LinkKey()))
	}
}

func TestVectorsDerivedKeys(t *testing.T) {
	v := loadVectors(t)
	require.NotEmpty(t, v.Derived)
	for _, x := range v.Derived {
		k := key(t, x.LinkKey)
		require.True(t, k.Equal(WellKnownLinkKey()))
		require.Equal(t, []byte(x.Transport), k.KeyTransport().Reveal())
		require.Equal(t, []byte(x.Load), k.KeyLoad().Reveal())
		h := k.VerifyHash()
		require.Equal(t, []byte(x.Verify), h[:])
	}
}

func private(t testing.TB, s Suite, b []byte) PrivateKey {
	t.Helper()
	k, err := ParsePrivateKey(s, b)
	require.NoError(t, err)
	return k
}

func public(t testing.TB, s Suite, b []byte) PublicKey {
	t.Helper()
	k, err := ParsePublicKey(s, b)
	require.NoError(t, err)
	require.Equal(t, b, k.Bytes())
	return k
}

func certificate(t testing.TB, s Suite, b []byte) Certificate {
	t.Helper()
	c, err := ParseCertificate(s, b)
	require.NoError(t, err)
	again, err := c.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, b, again)
	return c
}

func traces(t testing.TB) map[Suite]cbkeTrace {
	v := loadVectors(t)
	return map[Suite]cbkeTrace{Suite1: v.Suite1, Suite2: v.Suite2}
}

func TestVectorsCertificates(t *testing.T) {
	for s, x := range traces(t) {
		ca := public(t, s, x.CAPublic)
		for _, p := range []party{x.U, x.V} {
			c := certificate(t, s, p.Cert)
			require.NoError(t, c.Check())
			require.Equal(t, p.eui(), c.SubjectID())
			h, err := certificateHash(c)
			require.NoError(t, err)
			if p.CertHash != nil { // annex C.6 does not give it
				require.Equal(t, []byte(p.CertHash), h[:])
			}
			q, err := CertifiedKey(c, ca)
			require.NoError(t, err)
			require.Equal(t, []byte(p.StaticPublic), q.Bytes())
			require.True(t, private(t, s, p.StaticPrivate).Public().Equal(q))
			require.Equal(t, []byte(p.EphemeralPublic), private(t, s, p.EphemeralPrivate).Public().Bytes())
		}
	}
}

func TestVectorsTestSECA(t *testing.T) {
	v := loadVectors(t)
	ca := public(t, Suite1, v.Suite1.CAPublic)
	require.Len(t, v.TestSECA, 4)
	for _, x := range v.TestSECA {
		c := certificate(t, Suite1, x.Cert)
		id := c.SubjectID()
		require.Equal(t, []byte(x.EUI64), id[:])
		q, err := CertifiedKey(c, ca)
		require.NoError(t, err)
		require.True(t, private(t, Suite1, x.Private).Public().Equal(q))
	}
}

func TestVectorsAgree(t *testing.T) {
	for s, x := range traces(t) {
		for _, side := range [][2]party{{x.U, x.V}, {x.V, x.U}} {
			own, peer := side[0], side[1]
			z, err := Agree(private(t, s, own.StaticPrivate), private(t, s, own.EphemeralPrivate), public(t, s, own.EphemeralPublic),
				public(t, s, peer.StaticPublic), public(t, s, peer.EphemeralPublic))
			require.NoError(t, err)
			require.Equal(t, []byte(x.Z), z)
		}
	}
}

func TestVectorsECDSA(t *testing.T) {
	v := loadVectors(t).ECDSA
	q := public(t, Suite1, v.Public)
	sig := append(append([]byte(nil), v.R...), v.S...)
	digest := [HashSize]byte(v.Digest)
	require.NoError(t, q.Verify(digest, sig))
	for i := range sig {
		bad := append([]byte(nil), sig...)
		bad[i] ^= 1
		require.ErrorIs(t, q.Verify(digest, bad), ErrSignature)
	}
	digest[3] ^= 1
	require.ErrorIs(t, q.Verify(digest, sig), ErrSignature)
	require.ErrorIs(t, q.Verify(digest, sig[1:]), ErrSignature)
}

func TestVectorsMint(t *testing.T) {
	v := loadVectors(t).Mint
	ca, err := NewSimulatorCA(private(t, Suite1, v.CAPrivate))
	require.NoError(t, err)
	require.Equal(t, []byte(v.CAPublic), ca.Public().Bytes())
	want := certificate(t, Suite1, v.Cert).(Certificate1)
	template := want
	template.Point = [22]byte{}
	request := private(t, Suite1, append([]byte{0}, repeat(0x11, 20)...))
	c, r, err := ca.Answer(fixed(repeat(0x22, 20)), template, request.Public())
	require.NoError(t, err)
	require.Equal(t, want, c)
	require.Equal(t, []byte(v.R), r.Reveal())
	d, err := CertificateKey(c, request, r)
	require.NoError(t, err)
	require.Equal(t, []byte(v.Private), d.Reveal())
	q, err := CertifiedKey(c, ca.Public())
	require.NoError(t, err)
	require.Equal(t, []byte(v.Public), q.Bytes())
	require.True(t, d.Public().Equal(q))
}
