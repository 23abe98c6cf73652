package security

import (
	"encoding/binary"
	"errors"
	"fmt"

	"smets1/internal/wire"
)

// Certificate is an implicit certificate (ECQV): it holds a reconstruction point, from which anyone who knows the issuer's
// public key computes the subject's. All fields are big endian.
type Certificate interface {
	Suite() Suite
	// SubjectID is the EUI-64 of the device, IssuerID the identity of the authority.
	SubjectID() wire.EUI64
	IssuerID() wire.EUI64
	// Reconstruction is the compressed point.
	Reconstruction() []byte
	// AppendBinary appends the certificate as it is exchanged and hashed.
	AppendBinary(b []byte) ([]byte, error)
	// Check tells why a certificate may not be used for key agreement, or nil.
	Check() error
}

// Certificate sizes in octets.
const (
	Certificate1Size = 48
	Certificate2Size = 74
)

// ErrCertificate: the octets are no certificate, or none that may be used for what is asked.
var ErrCertificate = errors.New("invalid certificate")

// Certificate1 is a certificate of suite 1 (Smart Energy, clause C.4.2.2.4; published).
//
//	point(22) subject(8) issuer(8) attributes(10)
type Certificate1 struct {
	Point           [22]byte
	Subject, Issuer wire.EUI64
	// Attributes begins with the profile, 0109; the rest is the issuer's own.
	Attributes [10]byte
}

// Suite is Suite1.
func (Certificate1) Suite() Suite { return Suite1 }

// SubjectID implements Certificate.
func (c Certificate1) SubjectID() wire.EUI64 { return c.Subject }

// IssuerID implements Certificate.
func (c Certificate1) IssuerID() wire.EUI64 { return c.Issuer }

// Reconstruction implements Certificate.
func (c Certificate1) Reconstruction() []byte { return c.Point[:] }

// Check implements Certificate. Suite 1 has nothing to check.
func (Certificate1) Check() error { return nil }

// AppendBinary appends the 48 octets.
func (c Certificate1) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, c.Point[:]...)
	b = append(b, c.Subject[:]...)
	b = append(b, c.Issuer[:]...)
	return append(b, c.Attributes[:]...), nil
}

// ParseCertificate1 reads a certificate of suite 1.
func ParseCertificate1(b []byte) (c Certificate1, n int, err error) {
	r := wire.NewReader(b)
	copy(c.Point[:], r.Bytes(22))
	copy(c.Subject[:], r.Bytes(8))
	copy(c.Issuer[:], r.Bytes(8))
	copy(c.Attributes[:], r.Bytes(10))
	return c, r.Offset(), r.Err()
}

// Values of a certificate of suite 2.
const (
	CertificateTypeImplicit  = 0x00
	CertificateCurveK283     = 0x0D
	CertificateHashMMO       = 0x08
	CertificateUseSignature  = 0x80
	CertificateUseAgreement  = 0x08
	CertificateValidForever  = 0xFFFFFFFF
	certificate2MaxValidFrom = 1<<40 - 1
)

// Certificate2 is a certificate of suite 2 (Smart Energy, clause C.4.2.3.4; published).
//
//	type(1) serial(8) curve(1) hash(1) issuer(8) validFrom(5) validity(4) subject(8) keyUsage(1) point(37)
type Certificate2 struct {
	Type            uint8
	Serial          uint64
	Curve, Hash     uint8
	Issuer          wire.EUI64
	ValidFrom       uint64 // seconds since 1970, 40 bits
	Validity        uint32 // seconds; CertificateValidForever
	Subject         wire.EUI64
	KeyUsage        uint8 // CertificateUse bits
	CompressedPoint [37]byte
}

// Suite is Suite2.
func (Certificate2) Suite() Suite { return Suite2 }

// SubjectID implements Certificate.
func (c Certificate2) SubjectID() wire.EUI64 { return c.Subject }

// IssuerID implements Certificate.
func (c Certificate2) IssuerID() wire.EUI64 { return c.Issuer }

// Reconstruction implements Certificate.
func (c Certificate2) Reconstruction() []byte { return c.CompressedPoint[:] }

// Check implements Certificate: type, curve and hash must be the suite's own and key agreement must be allowed.
func (c Certificate2) Check() error {
	switch {
	case c.Type != CertificateTypeImplicit:
		return fmt.Errorf("security: certificate type %02X, want 00 (no extensions): %w", c.Type, ErrCertificate)
	case c.Curve != CertificateCurveK283:
		return fmt.Errorf("security: certificate curve %02X, want 0D (sect283k1): %w", c.Curve, ErrCertificate)
	case c.Hash != CertificateHashMMO:
		return fmt.Errorf("security: certificate hash %02X, want 08 (AES-MMO): %w", c.Hash, ErrCertificate)
	case c.KeyUsage&CertificateUseAgreement == 0:
		return fmt.Errorf("security: certificate key usage %02X does not allow key agreement (08): %w", c.KeyUsage, ErrCertificate)
	}
	return nil
}

// AppendBinary appends the 74 octets.
func (c Certificate2) AppendBinary(b []byte) ([]byte, error) {
	if c.ValidFrom > certificate2MaxValidFrom {
		return b, fmt.Errorf("security: validFrom %d does not fit 40 bits: %w", c.ValidFrom, ErrCertificate)
	}
	b = append(b, c.Type)
	b = binary.BigEndian.AppendUint64(b, c.Serial)
	b = append(b, c.Curve, c.Hash)
	b = append(b, c.Issuer[:]...)
	b = append(b, byte(c.ValidFrom>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(c.ValidFrom))
	b = binary.BigEndian.AppendUint32(b, c.Validity)
	b = append(b, c.Subject[:]...)
	b = append(b, c.KeyUsage)
	return append(b, c.CompressedPoint[:]...), nil
}

// ParseCertificate2 reads a certificate of suite 2. It takes any values; Check judges them.
func ParseCertificate2(b []byte) (c Certificate2, n int, err error) {
	r := wire.NewReader(b)
	c.Type = r.U8()
	c.Serial = r.U64()
	c.Curve, c.Hash = r.U8(), r.U8()
	copy(c.Issuer[:], r.Bytes(8))
	c.ValidFrom = uint64(r.U8())<<32 | uint64(r.U32())
	c.Validity = r.U32()
	copy(c.Subject[:], r.Bytes(8))
	c.KeyUsage = r.U8()
	copy(c.CompressedPoint[:], r.Bytes(37))
	return c, r.Offset(), r.Err()
}

// ParseCertificate reads the certificate of a suite; b must be exactly one.
func ParseCertificate(s Suite, b []byte) (Certificate, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if len(b) != s.CertificateSize() {
		return nil, fmt.Errorf("security: certificate of %d octets, %s has %d: %w", len(b), s, s.CertificateSize(), ErrCertificate)
	}
	if s == Suite1 {
		c, _, err := ParseCertificate1(b)
		return c, err
	}
	c, _, err := ParseCertificate2(b)
	return c, err
}
