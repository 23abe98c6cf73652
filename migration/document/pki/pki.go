// Package pki is the simulator's certificate authority. It stands for the key infrastructure of
// the migration (ours: the real one was not found) and says so in every name it issues.
//
// Each party, named by role and EUI-64, holds two P-256 certificates: one to sign files with
// (key usage digitalSignature) and one to receive keys with (key usage keyAgreement). The role
// is the subject's organisational unit, the EUI-64 its serialNumber attribute.
//
// Everything is drawn from the random source that is passed in, and signatures are
// deterministic (RFC 6979): one seed gives one infrastructure, octet for octet.
package pki

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"time"

	"smets1/internal/wire"
)

// Role is what a party does in a migration.
type Role string

// The roles that sign or receive files.
const (
	RP   Role = "RP"   // Requesting Party
	CP   Role = "CP"   // Commissioning Party
	S1SP Role = "S1SP" // SMETS1 Service Provider
	DCO  Role = "DCO"  // Dual Control Organisation
)

const organisation = "smets1 SIMULATOR, not DCC"

// validity is long enough for any rehearsal.
const validity = 20 * 365 * 24 * time.Hour

// Authority issues certificates.
type Authority struct {
	Certificate *x509.Certificate
	key         signer
}

// NewAuthority makes a self-signed authority that is valid from notBefore.
func NewAuthority(random io.Reader, notBefore time.Time) (*Authority, error) {
	key, err := newKey(random)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial(random)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "smets1 simulator CA", Organization: []string{organisation}},
		NotBefore:    notBefore.UTC(), NotAfter: notBefore.UTC().Add(validity),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
	}
	c, err := issue(t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &Authority{Certificate: c, key: key}, nil
}

// Party is a role with its identity, certificates and private keys. It prints without the keys.
type Party struct {
	Role      Role
	EUI       wire.EUI64
	Signing   *x509.Certificate
	Agreement *x509.Certificate
	keys      *privateKeys
}

type privateKeys struct {
	sign  signer
	agree *ecdh.PrivateKey
}

// Enrol issues the certificates of a party.
func (a *Authority) Enrol(random io.Reader, role Role, eui wire.EUI64, notBefore time.Time) (*Party, error) {
	p := &Party{Role: role, EUI: eui, keys: &privateKeys{}}
	for _, use := range []x509.KeyUsage{x509.KeyUsageDigitalSignature, x509.KeyUsageKeyAgreement} {
		key, err := newKey(random)
		if err != nil {
			return nil, err
		}
		serial, err := newSerial(random)
		if err != nil {
			return nil, err
		}
		c, err := issue(&x509.Certificate{
			SerialNumber: serial,
			Subject: pkix.Name{
				CommonName: fmt.Sprintf("simulated %s %s", role, eui), Organization: []string{organisation},
				OrganizationalUnit: []string{string(role)}, SerialNumber: eui.String(),
			},
			NotBefore: notBefore.UTC(), NotAfter: notBefore.UTC().Add(validity), KeyUsage: use, BasicConstraintsValid: true,
		}, a.Certificate, key.Public(), a.key)
		if err != nil {
			return nil, err
		}
		if use == x509.KeyUsageDigitalSignature {
			p.Signing, p.keys.sign = c, key
			continue
		}
		p.Agreement = c
		if p.keys.agree, err = key.ECDH(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Signer signs digests with the party's signing key; its signatures are ASN.1.
func (p *Party) Signer() crypto.Signer { return p.keys.sign }

// AgreementKey gives the private key that opens what was sealed to the party.
func (p *Party) AgreementKey() *ecdh.PrivateKey { return p.keys.agree }

// AgreementPublic gives the public key of a certificate that keys may be sealed to.
func AgreementPublic(c *x509.Certificate) (*ecdh.PublicKey, error) {
	k, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || c.KeyUsage&x509.KeyUsageKeyAgreement == 0 {
		return nil, fmt.Errorf("certificate %s is not for key agreement on P-256", c.SerialNumber)
	}
	return k.ECDH()
}

// Identity reads role and EUI-64 from a certificate.
func Identity(c *x509.Certificate) (Role, wire.EUI64, error) {
	if len(c.Subject.OrganizationalUnit) != 1 {
		return "", wire.EUI64{}, fmt.Errorf("certificate %s names no role", c.SerialNumber)
	}
	eui, err := wire.ParseEUI64(c.Subject.SerialNumber)
	if err != nil {
		return "", wire.EUI64{}, fmt.Errorf("certificate %s names no EUI-64: %w", c.SerialNumber, err)
	}
	return Role(c.Subject.OrganizationalUnit[0]), eui, nil
}

// Trust is what a receiver knows: the authority and the certificates that it issued.
type Trust struct {
	root     *x509.Certificate
	bySerial map[string]*x509.Certificate
	agree    map[wire.EUI64]*x509.Certificate
}

// NewTrust starts with an authority and no parties.
func NewTrust(root *x509.Certificate) *Trust {
	return &Trust{root: root, bySerial: map[string]*x509.Certificate{}, agree: map[wire.EUI64]*x509.Certificate{}}
}

// Add makes certificates known. Each must have been issued by the authority.
func (t *Trust) Add(certificates ...*x509.Certificate) error {
	for _, c := range certificates {
		if err := c.CheckSignatureFrom(t.root); err != nil {
			return fmt.Errorf("certificate %s (%s) was not issued by %s: %w", c.SerialNumber, c.Subject, t.root.Subject, err)
		}
		_, eui, err := Identity(c)
		if err != nil {
			return err
		}
		t.bySerial[issuerSerial(c.Issuer.String(), c.SerialNumber.String())] = c
		if c.KeyUsage&x509.KeyUsageKeyAgreement != 0 {
			t.agree[eui] = c
		}
	}
	return nil
}

// AddParty makes both certificates of a party known.
func (t *Trust) AddParty(p *Party) error { return t.Add(p.Signing, p.Agreement) }

// Lookup finds a certificate by issuer (RFC 2253 text) and serial number (decimal); nil if unknown.
func (t *Trust) Lookup(issuer, serial string) *x509.Certificate {
	return t.bySerial[issuerSerial(issuer, serial)]
}

// Agreement finds the certificate that keys for a party are sealed to; nil if unknown.
func (t *Trust) Agreement(eui wire.EUI64) *x509.Certificate { return t.agree[eui] }

// Root gives the authority's certificate.
func (t *Trust) Root() *x509.Certificate { return t.root }

func issuerSerial(issuer, serial string) string { return issuer + "\x00" + serial }

// PEM gives a certificate in the form that other tools read.
func PEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// String names the party; the keys stay out.
func (p *Party) String() string { return fmt.Sprintf("simulated %s %s", p.Role, p.EUI) }

// Format implements fmt.Formatter so that no verb prints the keys.
func (p *Party) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// LogValue implements slog.LogValuer without the keys.
func (p *Party) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText implements encoding.TextMarshaler without the keys.
func (p *Party) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// signer signs deterministically whatever source it is offered.
type signer struct{ *ecdsa.PrivateKey }

// Sign implements crypto.Signer with RFC 6979.
func (s signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.PrivateKey.Sign(nil, digest, opts)
}

func issue(t, parent *x509.Certificate, public any, by signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(nil, t, parent, public, by)
	if err != nil {
		return nil, fmt.Errorf("issuing a certificate for %s: %w", t.Subject, err)
	}
	return x509.ParseCertificate(der)
}

// newKey draws a P-256 key. The library's own generator ignores the source it is given, and a
// rehearsal must be repeatable, so the scalar is drawn here; a value outside the range is drawn again.
func newKey(random io.Reader) (signer, error) {
	raw := make([]byte, 32)
	for range 16 {
		if _, err := io.ReadFull(random, raw); err != nil {
			return signer{}, fmt.Errorf("drawing a key: %w", err)
		}
		if k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw); err == nil {
			return signer{k}, nil
		}
	}
	return signer{}, errors.New("drawing a key: the random source gives no value in range")
}

func newSerial(random io.Reader) (*big.Int, error) {
	raw := make([]byte, 8)
	if _, err := io.ReadFull(random, raw); err != nil {
		return nil, fmt.Errorf("drawing a serial number: %w", err)
	}
	raw[0] = raw[0]&0x7f | 0x40 // positive, and always of the same length
	return new(big.Int).SetBytes(raw), nil
}
