package security

import (
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCertificates(t *testing.T) {
	var (
		rnd   = rand.New(rand.NewSource(3))
		title = SystemTitle{'S', 'M', '1', 0, 0, 0, 0, 9}
		start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	)
	for _, s := range []Suite{Suite1, Suite2} {
		sign, err := GenerateSigningKey(rnd, s)
		require.NoError(t, err)
		agree, err := GenerateAgreementKey(rnd, s)
		require.NoError(t, err)
		for _, make := range []func() ([]byte, error){
			func() ([]byte, error) { return sign.CertificateRequest(rnd, title) },
			func() ([]byte, error) { return agree.CertificateRequest(rnd, title) },
		} {
			der, err := make()
			require.NoError(t, err)
			q, err := x509.ParseCertificateRequest(der)
			require.NoError(t, err)
			require.NoError(t, q.CheckSignature())
			require.Equal(t, "534D310000000009", q.Subject.CommonName)
		}
		issue := func(subject pkix.Name, usage x509.KeyUsage, key *ecdsa.PublicKey) Certificate {
			der, err := x509.CreateCertificate(rnd, &x509.Certificate{
				SerialNumber: big.NewInt(7), Subject: subject, NotBefore: start, NotAfter: start.AddDate(1, 0, 0), KeyUsage: usage,
				IsCA: usage == x509.KeyUsageCertSign, BasicConstraintsValid: true,
			}, &x509.Certificate{Subject: pkix.Name{CommonName: "root"}}, key, sign.box.key)
			require.NoError(t, err)
			c, err := ParseCertificate(s, der)
			require.NoError(t, err)
			return c
		}
		root := issue(pkix.Name{CommonName: "root"}, x509.KeyUsageCertSign, &sign.box.key.PublicKey)
		require.True(t, root.IsAuthority())
		require.Equal(t, UseOther, root.Use())
		_, ok := root.Title()
		require.False(t, ok)
		leaf := issue(commonName(title), x509.KeyUsageKeyAgreement, &sign.box.key.PublicKey)
		require.Equal(t, UseKeyAgreement, leaf.Use())
		got, ok := leaf.Title()
		require.True(t, ok)
		require.Equal(t, title, got)
		point, err := sign.Public().Point()
		require.NoError(t, err)
		require.Equal(t, point, leaf.Point())
		require.Equal(t, []byte{7}, leaf.Serial())
		require.NoError(t, leaf.CheckIssuer(root))
		require.ErrorIs(t, leaf.CheckIssuer(leaf), ErrCertificate)
		require.NoError(t, leaf.CheckTime(start))
		require.ErrorIs(t, leaf.CheckTime(start.AddDate(2, 0, 0)), ErrCertificate)
		_, err = ParseCertificate(3-s, leaf.DER())
		require.ErrorIs(t, err, ErrCertificate)
		for n := range leaf.DER() {
			_, err := ParseCertificate(s, leaf.DER()[:n])
			require.ErrorIs(t, err, ErrCertificate)
		}
	}
	_, err := ParseCertificate(Suite0, nil)
	require.Error(t, err)
	_, err = SigningKey{}.CertificateRequest(rnd, title)
	require.Error(t, err)
	_, err = AgreementKey{}.CertificateRequest(rnd, title)
	require.Error(t, err)
}
