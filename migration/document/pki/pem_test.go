package pki

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPEMRoundTrip(t *testing.T) {
	a, p := build(t, 4)
	c, err := ReadCertificate(PEM(p.Agreement))
	require.NoError(t, err)
	require.Equal(t, p.Agreement.Raw, c.Raw)
	signing, agreement, err := p.Keys()
	require.NoError(t, err)
	require.NotEqual(t, signing, agreement)
	k, err := ReadAgreementKey(agreement)
	require.NoError(t, err)
	require.True(t, k.Equal(p.AgreementKey()))
	_, err = ReadAgreementKey(signing)
	require.NoError(t, err, "a key says nothing of its use; the certificate does")
	authority, err := a.Key()
	require.NoError(t, err)
	require.Contains(t, string(authority), "PRIVATE KEY")
	_, err = ReadCertificate(agreement)
	require.Error(t, err)
	_, err = ReadAgreementKey(PEM(p.Agreement))
	require.Error(t, err)
	_, err = ReadAgreementKey([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	require.Error(t, err)
}
