package pki

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// Keys gives a party's private keys as PKCS #8 in PEM, for a folder that only its owner can read.
func (p *Party) Keys() (signing, agreement []byte, err error) {
	if signing, err = keyPEM(p.keys.sign.PrivateKey); err != nil {
		return nil, nil, err
	}
	agreement, err = keyPEM(p.keys.agree)
	return signing, agreement, err
}

// Key gives the authority's private key as PKCS #8 in PEM.
func (a *Authority) Key() ([]byte, error) { return keyPEM(a.key.PrivateKey) }

func keyPEM(k any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("writing a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ReadCertificate reads one certificate from PEM.
func ReadCertificate(b []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("a certificate in PEM form is wanted (-----BEGIN CERTIFICATE-----)")
	}
	return x509.ParseCertificate(block.Bytes)
}

// ReadParty makes a party of its two certificates and two private keys, all in
// PEM. That the certificates are of one party, and the keys theirs, is checked;
// that somebody issued them is for [Trust.AddParty].
func ReadParty(signing, signingKey, agreement, agreementKey []byte) (*Party, error) {
	p := &Party{keys: &privateKeys{}}
	var err error
	if p.Signing, err = ReadCertificate(signing); err != nil {
		return nil, fmt.Errorf("signing certificate: %w", err)
	}
	if p.Agreement, err = ReadCertificate(agreement); err != nil {
		return nil, fmt.Errorf("key-agreement certificate: %w", err)
	}
	if p.Role, p.EUI, err = Identity(p.Signing); err != nil {
		return nil, err
	}
	if role, eui, err := Identity(p.Agreement); err != nil || role != p.Role || eui != p.EUI {
		return nil, fmt.Errorf("the certificates are of two parties: %s %s signs and %s %s receives", p.Role, p.EUI, role, eui)
	}
	k, err := readKey(signingKey)
	if err != nil {
		return nil, err
	}
	own, ok := k.(*ecdsa.PrivateKey)
	if !ok || !own.PublicKey.Equal(p.Signing.PublicKey) {
		return nil, fmt.Errorf("the signing key of %s is not that of its certificate", p)
	}
	p.keys.sign = signer{own}
	if p.keys.agree, err = ReadAgreementKey(agreementKey); err != nil {
		return nil, err
	}
	public, err := AgreementPublic(p.Agreement)
	if err != nil {
		return nil, err
	}
	if !public.Equal(p.keys.agree.PublicKey()) {
		return nil, fmt.Errorf("the key-agreement key of %s is not that of its certificate", p)
	}
	return p, nil
}

func readKey(b []byte) (any, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("a private key in PEM form is wanted (-----BEGIN PRIVATE KEY-----)")
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading a private key: %w", err)
	}
	return k, nil
}

// ReadAgreementKey reads a P-256 private key for key agreement from PEM.
func ReadAgreementKey(b []byte) (*ecdh.PrivateKey, error) {
	k, err := readKey(b)
	if err != nil {
		return nil, err
	}
	switch k := k.(type) {
	case *ecdsa.PrivateKey:
		return k.ECDH()
	case *ecdh.PrivateKey:
		return k, nil
	}
	return nil, errors.New("the private key is not one on P-256")
}
