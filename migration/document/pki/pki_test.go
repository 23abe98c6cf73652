package pki

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
)

var (
	from = time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)
	id   = wire.MustEUI64("70-B3-D5-1F-30-00-A0-01")
)

func build(t *testing.T, seed byte) (*Authority, *Party) {
	t.Helper()
	r := rand.NewChaCha8([32]byte{seed})
	a, err := NewAuthority(r, from)
	require.NoError(t, err)
	p, err := a.Enrol(r, RP, id, from)
	require.NoError(t, err)
	return a, p
}

func TestOneSeedOneInfrastructure(t *testing.T) {
	a, p := build(t, 1)
	b, q := build(t, 1)
	require.Equal(t, a.Certificate.Raw, b.Certificate.Raw)
	require.Equal(t, p.Signing.Raw, q.Signing.Raw)
	require.Equal(t, p.Agreement.Raw, q.Agreement.Raw)
	other, _ := build(t, 2)
	require.NotEqual(t, a.Certificate.Raw, other.Certificate.Raw)
	digest := sha256.Sum256([]byte("x"))
	s1, err := p.Signer().Sign(nil, digest[:], nil)
	require.Error(t, err, "a hash must be named")
	require.Nil(t, s1)
}

func TestCertificates(t *testing.T) {
	a, p := build(t, 1)
	require.Contains(t, a.Certificate.Subject.String(), "SIMULATOR")
	require.True(t, a.Certificate.IsCA)
	require.Equal(t, x509.KeyUsageDigitalSignature, p.Signing.KeyUsage)
	require.Equal(t, x509.KeyUsageKeyAgreement, p.Agreement.KeyUsage)
	role, eui, err := Identity(p.Signing)
	require.NoError(t, err)
	require.Equal(t, RP, role)
	require.Equal(t, id, eui)
	_, _, err = Identity(a.Certificate)
	require.Error(t, err)
	pub, err := AgreementPublic(p.Agreement)
	require.NoError(t, err)
	require.True(t, pub.Equal(p.AgreementKey().PublicKey()))
	_, err = AgreementPublic(p.Signing)
	require.Error(t, err)
	require.True(t, bytes.HasPrefix(PEM(p.Signing), []byte("-----BEGIN CERTIFICATE-----\n")))
}

func TestTrust(t *testing.T) {
	a, p := build(t, 1)
	tr := NewTrust(a.Certificate)
	require.NoError(t, tr.AddParty(p))
	require.Equal(t, p.Signing, tr.Lookup(a.Certificate.Subject.String(), p.Signing.SerialNumber.String()))
	require.Nil(t, tr.Lookup("CN=somebody", p.Signing.SerialNumber.String()))
	require.Equal(t, p.Agreement, tr.Agreement(id))
	require.Nil(t, tr.Agreement(wire.EUI64{}))
	require.Equal(t, a.Certificate, tr.Root())
	_, stranger := build(t, 2)
	require.Error(t, tr.AddParty(stranger), "another authority with the same name")
	require.Error(t, tr.Add(a.Certificate), "the authority is no party")
}

func TestKeysNeverPrint(t *testing.T) {
	_, p := build(t, 1)
	scalar := p.AgreementKey().Bytes()
	var out strings.Builder
	for _, v := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		fmt.Fprintf(&out, v+"\n", p)
	}
	b, err := json.Marshal(map[string]any{"p": p})
	require.NoError(t, err)
	out.Write(b)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "party", p)
	require.NotContains(t, out.String(), fmt.Sprintf("%x", scalar))
	require.NotContains(t, out.String(), fmt.Sprint(scalar))
	require.Contains(t, out.String(), "simulated RP 70-B3-D5-1F-30-00-A0-01")
}

func TestPoorRandomness(t *testing.T) {
	_, err := NewAuthority(strings.NewReader("short"), from)
	require.Error(t, err)
	_, err = NewAuthority(bytes.NewReader(make([]byte, 10_000)), from)
	require.Error(t, err, "a source of zeros gives no key")
	a, _ := build(t, 1)
	_, err = a.Enrol(strings.NewReader("short"), RP, id, from)
	require.Error(t, err)
}
