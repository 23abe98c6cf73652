package security

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrCertificate: a certificate is not what it has to be.
var ErrCertificate = errors.New("certificate refused")

// Certificates of suites 1 and 2 are X.509 version 3 on the suite's curve (Green Book, clause 9.2.6; recalled). The
// common name of the subject holds the system title in 16 hexadecimal digits; the key usage tells what the key is for.

// KeyPairUse is what an asymmetric key pair is for, with its number in the security setup.
type KeyPairUse uint8

// The uses.
const (
	UseSignature    KeyPairUse = 0
	UseKeyAgreement KeyPairUse = 1
	UseTLS          KeyPairUse = 2
	UseOther        KeyPairUse = 3 // a certificate authority's, for one
)

// CertificateRequest is a PKCS #10 request in DER for the key's certificate.
func (k SigningKey) CertificateRequest(r io.Reader, title SystemTitle) ([]byte, error) {
	if k.box == nil {
		return nil, errors.New("security: there is no signing key")
	}
	return certificateRequest(r, k.box.key, title)
}

// CertificateRequest is a PKCS #10 request in DER for the key's certificate, signed with the key itself as the form
// wants it.
func (k AgreementKey) CertificateRequest(r io.Reader, title SystemTitle) ([]byte, error) {
	if k.box == nil {
		return nil, errors.New("security: there is no key agreement key")
	}
	d := k.box.key.Bytes()
	defer clear(d)
	key, err := ecdsa.ParseRawPrivateKey(k.suite.elliptic(), d)
	if err != nil {
		return nil, fmt.Errorf("security: private key agreement key: %w", err)
	}
	return certificateRequest(r, key, title)
}

func certificateRequest(r io.Reader, key crypto.Signer, title SystemTitle) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(r, &x509.CertificateRequest{Subject: commonName(title)}, key)
	if err != nil {
		return nil, fmt.Errorf("security: certificate request: %w", err)
	}
	return der, nil
}

func commonName(t SystemTitle) pkix.Name {
	return pkix.Name{CommonName: t.String()}
}

// Certificate is the certificate of an asymmetric key.
type Certificate struct {
	suite Suite
	x     *x509.Certificate
}

// ParseCertificate reads DER and checks that its key is on the suite's curve. It checks no signature.
func ParseCertificate(s Suite, der []byte) (Certificate, error) {
	if err := s.checkPublic(); err != nil {
		return Certificate{}, err
	}
	x, err := x509.ParseCertificate(bytes.Clone(der)) // what it returns aliases its input
	if err != nil {
		return Certificate{}, fmt.Errorf("security: %w: %w", ErrCertificate, err)
	}
	if k, ok := x.PublicKey.(*ecdsa.PublicKey); !ok || k.Curve != s.elliptic() {
		return Certificate{}, fmt.Errorf("security: %w: its key is not on the curve of %v", ErrCertificate, s)
	}
	return Certificate{suite: s, x: x}, nil
}

// IsZero tells whether there is no certificate.
func (c Certificate) IsZero() bool { return c.x == nil }

// DER is the certificate as it came.
func (c Certificate) DER() []byte { return c.x.Raw }

// Serial number, big endian.
func (c Certificate) Serial() []byte { return c.x.SerialNumber.Bytes() }

// Issuer and Subject in DER.
func (c Certificate) Issuer() []byte  { return c.x.RawIssuer }
func (c Certificate) Subject() []byte { return c.x.RawSubject }

// Title is the system title in the subject's common name; false if it holds none.
func (c Certificate) Title() (SystemTitle, bool) {
	t, err := ParseSystemTitle(c.x.Subject.CommonName)
	return t, err == nil
}

// IsAuthority tells whether the key may sign certificates.
func (c Certificate) IsAuthority() bool {
	return c.x.IsCA && c.x.KeyUsage&x509.KeyUsageCertSign != 0
}

// Use is what the key is for.
func (c Certificate) Use() KeyPairUse {
	switch {
	case c.IsAuthority():
		return UseOther
	case len(c.x.ExtKeyUsage) > 0:
		return UseTLS
	case c.x.KeyUsage&x509.KeyUsageKeyAgreement != 0:
		return UseKeyAgreement
	case c.x.KeyUsage&x509.KeyUsageDigitalSignature != 0:
		return UseSignature
	}
	return UseOther
}

// Point is the public key x || y.
func (c Certificate) Point() []byte {
	b, err := c.x.PublicKey.(*ecdsa.PublicKey).Bytes()
	if err != nil {
		return nil
	}
	return b[1:]
}

// CheckIssuer verifies the signature of the authority that should have issued the certificate.
func (c Certificate) CheckIssuer(authority Certificate) error {
	if !bytes.Equal(c.x.RawIssuer, authority.x.RawSubject) {
		return fmt.Errorf("security: %w: its issuer is %v, not %v", ErrCertificate, c.x.Issuer, authority.x.Subject)
	}
	if err := c.x.CheckSignatureFrom(authority.x); err != nil {
		return fmt.Errorf("security: %w: %w", ErrCertificate, err)
	}
	return nil
}

// CheckTime tells whether the certificate is valid at a time.
func (c Certificate) CheckTime(now time.Time) error {
	if now.Before(c.x.NotBefore) || now.After(c.x.NotAfter) {
		return fmt.Errorf("security: %w: it is valid from %v to %v, and now is %v", ErrCertificate, c.x.NotBefore, c.x.NotAfter, now)
	}
	return nil
}
