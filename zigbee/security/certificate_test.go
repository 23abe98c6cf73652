package security

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
)

func TestCertificateLayout(t *testing.T) {
	x := traces(t)
	c1, n, err := ParseCertificate1(x[Suite1].U.Cert)
	require.NoError(t, err)
	require.Equal(t, Certificate1Size, n)
	require.Equal(t, "TESTSECA", string(c1.Issuer[:]))
	require.Equal(t, [10]byte{0x01, 0x09, 0x00, 0x06}, c1.Attributes)
	c2, n, err := ParseCertificate2(x[Suite2].U.Cert)
	require.NoError(t, err)
	require.Equal(t, Certificate2Size, n)
	require.Equal(t, Certificate2{
		Serial: 0x84a933b37f018dec, Curve: 0x0D, Hash: 0x08, Issuer: wire.EUI64{0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18},
		ValidFrom: 0x005292a38a, Validity: CertificateValidForever, Subject: wire.EUI64{0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x12},
		KeyUsage: 0x88, CompressedPoint: c2.CompressedPoint,
	}, c2)
	for s, x := range x {
		for i := range x.U.Cert {
			_, err := ParseCertificate(s, x.U.Cert[:i])
			require.ErrorIs(t, err, ErrCertificate)
			if s == Suite1 {
				_, _, err = ParseCertificate1(x.U.Cert[:i])
			} else {
				_, _, err = ParseCertificate2(x.U.Cert[:i])
			}
			require.ErrorIs(t, err, wire.ErrTruncated)
		}
	}
	for _, change := range []func(*Certificate2){
		func(c *Certificate2) { c.Type = 1 }, func(c *Certificate2) { c.Curve = 1 }, func(c *Certificate2) { c.Hash = 1 }, func(c *Certificate2) { c.KeyUsage = CertificateUseSignature },
	} {
		bad := c2
		change(&bad)
		require.ErrorIs(t, bad.Check(), ErrCertificate)
	}
	c2.ValidFrom = 1 << 40
	_, err = c2.AppendBinary(nil)
	require.ErrorIs(t, err, ErrCertificate)
	_, err = ParseCertificate(3, nil)
	require.ErrorIs(t, err, ErrSuite)
}

// A home of the simulator: its own authority, two devices, a link key.
func TestSimulatorCA(t *testing.T) {
	issuer := wire.EUI64([]byte("SIMSECA1"))
	a, b := wire.MustEUI64("00-15-5F-00-B0-01-00-01"), wire.MustEUI64("00-15-5F-00-B0-02-00-02")
	for _, s := range suites {
		root, err := GeneratePrivateKey(seeded(1), s)
		require.NoError(t, err)
		ca, err := NewSimulatorCA(root)
		require.NoError(t, err)
		config := func(own, peer wire.EUI64, seed byte) KEConfig {
			var template Certificate = Certificate1{Subject: own, Issuer: issuer, Attributes: [10]byte{1, 9}}
			if s == Suite2 {
				template = Certificate2{Subject: own, Issuer: issuer, Curve: CertificateCurveK283, Hash: CertificateHashMMO, KeyUsage: CertificateUseAgreement, Validity: CertificateValidForever}
			}
			c, k, err := ca.Mint(seeded(seed), template)
			require.NoError(t, err)
			q, err := CertifiedKey(c, ca.Public())
			require.NoError(t, err)
			require.True(t, q.Equal(k.Public()))
			return KEConfig{Certificate: c, Key: k, Peer: peer, Authorities: map[wire.EUI64]PublicKey{issuer: ca.Public()}, Rand: seeded(seed + 10)}
		}
		u, m, err := NewInitiator(config(a, b, 2))
		require.NoError(t, err)
		v, err := NewResponder(config(b, a, 3))
		require.NoError(t, err)
		errU, errV := run(u, v, m, func(_ int, m KEMessage) KEMessage { return m })
		require.NoError(t, errU)
		require.NoError(t, errV)
		require.True(t, u.LinkKey().Equal(v.LinkKey()))
		require.False(t, u.LinkKey().IsZero())
	}
	_, err := NewSimulatorCA(PrivateKey{})
	require.ErrorIs(t, err, ErrSuite)
}

func TestCertifiedKeyRefused(t *testing.T) {
	x := traces(t)
	_, err := CertifiedKey(certificate(t, Suite1, x[Suite1].U.Cert), public(t, Suite2, x[Suite2].CAPublic))
	require.ErrorIs(t, err, ErrCertificate)
	bad := bytes.Clone(x[Suite1].U.Cert)
	bad[0] = 5
	_, err = CertifiedKey(certificate(t, Suite1, bad), public(t, Suite1, x[Suite1].CAPublic))
	require.ErrorIs(t, err, ErrCertificate)
	require.ErrorIs(t, err, ErrPoint)
}

func FuzzParseCertificate(f *testing.F) {
	for s, x := range traces(f) {
		f.Add(uint16(s), []byte(x.U.Cert))
	}
	f.Fuzz(func(t *testing.T, s uint16, b []byte) {
		c, err := ParseCertificate(Suite(s), b)
		if err != nil {
			return
		}
		again, err := c.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}
