package server

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"time"

	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// maxCertificates bounds what an Identity stores.
const maxCertificates = 32

// Certificates is a [Security] that makes its own asymmetric key pairs and keeps certificates: methods 4 to 8 of class
// 64 version 1. [Identity] is one.
type Certificates interface {
	SigningKeys
	// GenerateKeyPair makes a key pair. It is used from the import of its certificate on; until then the old one is.
	GenerateKeyPair(use security.KeyPairUse) error
	// CertificateRequest for the pair generated last, PKCS #10 in DER.
	CertificateRequest(use security.KeyPairUse) ([]byte, error)
	// ImportCertificate takes an X.509 certificate in DER.
	ImportCertificate(now time.Time, der []byte) error
	// RemoveCertificate takes away the first that fits.
	RemoveCertificate(fits func(StoredCertificate) bool) error
	// StoredCertificates lists them.
	StoredCertificates() []StoredCertificate
}

// CertificateEntity is whose certificate it is (class 64, published).
type CertificateEntity uint8

// Entities.
const (
	EntityServer    CertificateEntity = 0
	EntityClient    CertificateEntity = 1
	EntityAuthority CertificateEntity = 2
	EntityOther     CertificateEntity = 3
)

// StoredCertificate is a certificate and what it is for.
type StoredCertificate struct {
	Entity CertificateEntity
	Use    security.KeyPairUse
	security.Certificate
}

// Identity holds the asymmetric keys of a device of suite 1 or 2, and the certificates of those it deals with. Beside a
// [Keyring] it makes a Security with both:
//
//	type keys struct {
//		*server.Keyring
//		*server.Identity
//	}
type Identity struct {
	Suite security.Suite
	Title security.SystemTitle
	// Rand for key pairs. Required.
	Rand io.Reader
	// Anchors are authorities trusted from the start. Without any, certificates are taken on the word of the client that
	// imports them.
	Anchors []security.Certificate
	// Changed is called after keys or certificates changed. Nil is no call.
	Changed func()

	sign, nextSign   security.SigningKey
	agree, nextAgree security.AgreementKey
	stored           []StoredCertificate
}

var _ Certificates = (*Identity)(nil)

// SetKeys puts key pairs in force, as the factory does.
func (i *Identity) SetKeys(sign security.SigningKey, agree security.AgreementKey) {
	i.sign, i.agree = sign, agree
}

// SigningKey of the device.
func (i *Identity) SigningKey() security.SigningKey { return i.sign }

// AgreementKey of the device.
func (i *Identity) AgreementKey() security.AgreementKey { return i.agree }

// ClientKey verifies signatures of a client, by the certificate imported last.
func (i *Identity) ClientKey(client security.SystemTitle) security.VerifyKey {
	if c := i.of(client, security.UseSignature); !c.IsZero() {
		if k, err := security.NewVerifyKey(i.Suite, c.Point()); err == nil {
			return k
		}
	}
	return security.VerifyKey{}
}

// ClientAgreement is the client's static public key.
func (i *Identity) ClientAgreement(client security.SystemTitle) []byte {
	if c := i.of(client, security.UseKeyAgreement); !c.IsZero() {
		return c.Point()
	}
	return nil
}

func (i *Identity) of(title security.SystemTitle, use security.KeyPairUse) security.Certificate {
	for _, s := range slices.Backward(i.stored) {
		if t, ok := s.Title(); ok && t == title && s.Use == use && s.Entity == EntityClient {
			return s.Certificate
		}
	}
	return security.Certificate{}
}

// GenerateKeyPair makes a key pair.
func (i *Identity) GenerateKeyPair(use security.KeyPairUse) (err error) {
	switch use {
	case security.UseSignature:
		i.nextSign, err = security.GenerateSigningKey(i.Rand, i.Suite)
	case security.UseKeyAgreement:
		i.nextAgree, err = security.GenerateAgreementKey(i.Rand, i.Suite)
	default:
		return cosem.ActionScopeOfAccessViolated
	}
	return err
}

// CertificateRequest for the pair generated last or, without one, the pair in force.
func (i *Identity) CertificateRequest(use security.KeyPairUse) ([]byte, error) {
	switch use {
	case security.UseSignature:
		k := i.nextSign
		if k.IsZero() {
			k = i.sign
		}
		return k.CertificateRequest(i.Rand, i.Title)
	case security.UseKeyAgreement:
		k := i.nextAgree
		if k.IsZero() {
			k = i.agree
		}
		return k.CertificateRequest(i.Rand, i.Title)
	default:
		return nil, cosem.ActionScopeOfAccessViolated
	}
}

// ImportCertificate takes a certificate that is valid, issued by a known authority if there are anchors and, if it is the
// device's own, for a key the device has.
func (i *Identity) ImportCertificate(now time.Time, der []byte) error {
	c, err := security.ParseCertificate(i.Suite, der)
	if err != nil {
		return err
	}
	if err := c.CheckTime(now); err != nil {
		return err
	}
	if err := i.checkIssuer(c); err != nil {
		return err
	}
	s := StoredCertificate{Entity: EntityOther, Use: c.Use(), Certificate: c}
	title, ok := c.Title()
	switch {
	case c.IsAuthority():
		s.Entity = EntityAuthority
	case ok && title == i.Title:
		s.Entity = EntityServer
		if !i.adopt(s) {
			return cosem.ActionScopeOfAccessViolated
		}
	case ok:
		s.Entity = EntityClient
	}
	same := func(o StoredCertificate) bool {
		return bytes.Equal(o.Issuer(), s.Issuer()) && bytes.Equal(o.Serial(), s.Serial())
	}
	i.stored = slices.DeleteFunc(slices.Clone(i.stored), same)
	if len(i.stored) >= maxCertificates {
		return cosem.ActionTemporaryFailure
	}
	i.stored = append(i.stored, s)
	i.changed()
	return nil
}

func (i *Identity) checkIssuer(c security.Certificate) error {
	if len(i.Anchors) == 0 {
		return nil
	}
	for _, a := range i.Anchors {
		if c.CheckIssuer(a) == nil {
			return nil
		}
	}
	for _, s := range i.stored {
		if s.Entity == EntityAuthority && c.CheckIssuer(s.Certificate) == nil {
			return nil
		}
	}
	return cosem.ActionOtherReason
}

// adopt puts the key pair of the device's own certificate in force. False if the device has no such key.
func (i *Identity) adopt(s StoredCertificate) bool {
	point := s.Point()
	signs := func(k security.SigningKey) bool {
		p, err := k.Public().Point()
		return err == nil && bytes.Equal(p, point)
	}
	switch {
	case s.Use == security.UseSignature && signs(i.nextSign):
		i.sign, i.nextSign = i.nextSign, security.SigningKey{}
	case s.Use == security.UseKeyAgreement && !i.nextAgree.IsZero() && bytes.Equal(i.nextAgree.Point(), point):
		i.agree, i.nextAgree = i.nextAgree, security.AgreementKey{}
	case s.Use == security.UseSignature:
		return signs(i.sign)
	default:
		return !i.agree.IsZero() && bytes.Equal(i.agree.Point(), point)
	}
	return true
}

// RemoveCertificate takes away the first that fits.
func (i *Identity) RemoveCertificate(fits func(StoredCertificate) bool) error {
	at := slices.IndexFunc(i.stored, fits)
	if at < 0 {
		return cosem.ActionObjectUndefined
	}
	i.stored = slices.Delete(slices.Clone(i.stored), at, at+1)
	i.changed()
	return nil
}

// StoredCertificates lists them.
func (i *Identity) StoredCertificates() []StoredCertificate { return i.stored }

func (i *Identity) changed() {
	if i.Changed != nil {
		i.Changed()
	}
}

// certificateResult is the action-result a refused certificate has.
func certificateResult(err error) error {
	if errors.Is(err, security.ErrCertificate) {
		return cosem.ActionOtherReason
	}
	return err
}
