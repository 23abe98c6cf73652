package xmlsig

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	mrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/migration/document/pki"
)

var now = time.Date(2019, 7, 14, 18, 0, 0, 0, time.UTC)

type fixture struct {
	ca    *pki.Authority
	party *pki.Party
	trust *pki.Trust
}

func setUp(t testing.TB) *fixture {
	t.Helper()
	r := mrand.NewChaCha8([32]byte{1})
	f := &fixture{}
	var err error
	f.ca, err = pki.NewAuthority(r, now.AddDate(-1, 0, 0))
	require.NoError(t, err)
	f.party, err = f.ca.Enrol(r, pki.RP, wire.MustEUI64("70-B3-D5-1F-30-00-A0-01"), now.AddDate(-1, 0, 0))
	require.NoError(t, err)
	f.trust = pki.NewTrust(f.ca.Certificate)
	require.NoError(t, f.trust.AddParty(f.party))
	return f
}

const plain = `<?xml version="1.0"?>
<r xmlns="urn:x" b="2" a="1">
  <c>one &amp; two &#xD;</c><c/>
</r>
`

func (f *fixture) sign(t testing.TB) string {
	t.Helper()
	b, err := Sign([]byte(plain), f.party.Signing, f.party.Signer())
	require.NoError(t, err)
	return string(b)
}

func TestSignVerify(t *testing.T) {
	f := setUp(t)
	s := f.sign(t)
	require.Equal(t, s, f.sign(t), "signatures are deterministic")
	require.Contains(t, s, "<ds:X509IssuerName>"+f.ca.Certificate.Subject.String()+"</ds:X509IssuerName>")
	require.NotContains(t, s, "X509Certificate")
	signed, by, err := Verify([]byte(s), f.trust.Lookup, now)
	require.NoError(t, err)
	require.Equal(t, f.party.Signing, by)
	require.Equal(t, "<r xmlns=\"urn:x\" a=\"1\" b=\"2\">\n  <c>one &amp; two &#xD;</c><c></c>\n</r>", string(signed), "canonical, without the signature")
}

func TestVerifyRefuses(t *testing.T) {
	f := setUp(t)
	s := f.sign(t)
	sig := s[strings.Index(s, "<ds:Signature"):strings.Index(s, "</r>")]
	replace := func(old, new string) string {
		out := strings.Replace(s, old, new, 1)
		require.NotEqual(t, s, out, old)
		return out
	}
	for name, doc := range map[string]string{
		"content":           replace("one", "eno"),
		"attribute":         replace(`a="1"`, `a="2"`),
		"white space":       replace("<c/>", " <c/>"),
		"added element":     replace("<c/>", "<c/><c/>"),
		"no signature":      strings.Replace(s, sig, "", 1),
		"two signatures":    replace("<c/>", "<c/>"+sig),
		"signature first":   strings.Replace(strings.Replace(s, sig, "", 1), "<c>", sig+"<c>", 1),
		"signature inside":  strings.Replace(strings.Replace(s, sig, "", 1), "<c/>", "<c>"+sig+"</c>", 1),
		"wrapped":           `<w xmlns="urn:x">` + s[strings.Index(s, "<r"):] + `</w>`,
		"other c14n":        replace("http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
		"rsa":               replace("ecdsa-sha256", "rsa-sha256"),
		"sha1":              replace("xmlenc#sha256", "xmldsig#sha1"),
		"reference to part": replace(`URI=""`, `URI="#x"`),
		"extra attribute":   replace(`URI=""`, `URI="" Id="y"`),
		"no transforms":     replace(`<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>`, ""),
		"unknown serial":    replace("<ds:X509SerialNumber>", "<ds:X509SerialNumber>1"),
		"unknown issuer":    replace("<ds:X509IssuerName>CN", "<ds:X509IssuerName>O"),
		"extra key info":    replace("<ds:X509IssuerSerial>", "<ds:X509SubjectName>x</ds:X509SubjectName><ds:X509IssuerSerial>"),
		"short value":       replace("<ds:SignatureValue>", "<ds:SignatureValue>AAAA"),
		"no base64":         replace("<ds:SignatureValue>", "<ds:SignatureValue>!!!!"),
		"other namespace":   replace("<ds:KeyInfo>", `<ds:KeyInfo xmlns:ds="urn:y">`),
		"an object":         replace("</ds:Signature>", "<ds:Object/></ds:Signature>"),
	} {
		_, _, err := Verify([]byte(doc), f.trust.Lookup, now)
		require.ErrorIs(t, err, ErrSignature, name)
	}
	for name, doc := range map[string]string{"empty": "", "cut": s[:len(s)/2], "two roots": s + "<x/>", "text": "hello"} {
		_, _, err := Verify([]byte(doc), f.trust.Lookup, now)
		require.Error(t, err, name)
	}
	_, _, err := Verify([]byte(s), f.trust.Lookup, now.AddDate(-2, 0, 0))
	require.ErrorIs(t, err, ErrSignature, "not yet valid")
	_, _, err = Verify([]byte(s), f.trust.Lookup, now.AddDate(50, 0, 0))
	require.ErrorIs(t, err, ErrSignature, "expired")
	_, _, err = Verify([]byte(s), func(string, string) *x509.Certificate { return f.party.Agreement }, now)
	require.ErrorIs(t, err, ErrSignature, "not a signing certificate")
	_, _, err = Verify([]byte(s), func(string, string) *x509.Certificate { return nil }, now)
	require.ErrorIs(t, err, ErrSignature)
}

func TestTruncatedAtEveryByte(t *testing.T) {
	f := setUp(t)
	s := strings.TrimSpace(f.sign(t))
	for i := range s {
		_, _, err := Verify([]byte(s[:i]), f.trust.Lookup, now)
		require.Error(t, err, "cut at %d", i)
	}
}

func TestSignRefuses(t *testing.T) {
	f := setUp(t)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, err = Sign([]byte(plain), f.party.Signing, other)
	require.Error(t, err, "the certificate is of another key")
	_, err = Sign([]byte("no xml"), f.party.Signing, f.party.Signer())
	require.Error(t, err)
}

func FuzzVerify(f *testing.F) {
	x := setUp(f)
	s := x.sign(f)
	f.Add([]byte(s))
	f.Add([]byte(strings.Replace(s, "one", "two", 1)))
	want, _, err := Verify([]byte(s), x.trust.Lookup, now)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, b []byte) {
		signed, _, err := Verify(b, x.trust.Lookup, now)
		if err == nil {
			require.Equal(t, string(want), string(signed), "only what was signed verifies")
		}
	})
}
