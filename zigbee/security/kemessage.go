package security

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
)

// KECommand is a command of the Key Establishment cluster 0800. Requests (initiator to responder) and responses use the
// same identifiers and payloads; the direction bit of the ZCL header tells them apart.
type KECommand uint8

// The commands (Smart Energy, clause C.3.1.2.3; published).
const (
	KEInitiate  KECommand = 0x00
	KEEphemeral KECommand = 0x01
	KEConfirm   KECommand = 0x02
	KETerminate KECommand = 0x03
)

// Initiate is Initiate Key Establishment, request and response.
//
//	suite(2) ephemeralTime(1) confirmTime(1) certificate(48|74)
type Initiate struct {
	Suite Suite // exactly one bit
	// EphemeralTime and ConfirmTime are how many seconds the sender needs at most for its next two steps.
	EphemeralTime, ConfirmTime uint8
	// Certificate is the sender's, as exchanged. A parsed one aliases the input.
	Certificate []byte
}

// AppendBinary appends the payload.
func (m Initiate) AppendBinary(b []byte) ([]byte, error) {
	if err := m.Suite.check(); err != nil {
		return b, err
	}
	if len(m.Certificate) != m.Suite.CertificateSize() {
		return b, fmt.Errorf("security: certificate of %d octets, %s has %d: %w", len(m.Certificate), m.Suite, m.Suite.CertificateSize(), ErrCertificate)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(m.Suite))
	b = append(b, m.EphemeralTime, m.ConfirmTime)
	return append(b, m.Certificate...), nil
}

// ParseInitiate reads the payload. An unknown suite gives an error that wraps ErrSuite.
func ParseInitiate(b []byte) (m Initiate, n int, err error) {
	r := wire.NewReader(b)
	m.Suite = Suite(r.LE16())
	m.EphemeralTime, m.ConfirmTime = r.U8(), r.U8()
	if r.Err() == nil {
		r.Fail(m.Suite.check())
	}
	m.Certificate = r.Bytes(m.Suite.CertificateSize())
	return m, r.Offset(), r.Err()
}

// Ephemeral is Ephemeral Data, request and response: the sender's compressed ephemeral public key.
//
//	point(22|37)
type Ephemeral struct{ Point []byte }

// AppendBinary appends the payload.
func (m Ephemeral) AppendBinary(b []byte) ([]byte, error) {
	if n := len(m.Point); n != Suite1.PointSize() && n != Suite2.PointSize() {
		return b, fmt.Errorf("security: ephemeral point of %d octets: %w", n, ErrPoint)
	}
	return append(b, m.Point...), nil
}

// ParseEphemeral reads the payload; its length tells the suite. Point aliases the input.
func ParseEphemeral(b []byte) (m Ephemeral, n int, err error) {
	size := Suite1.PointSize()
	if len(b) >= Suite2.PointSize() {
		size = Suite2.PointSize()
	}
	r := wire.NewReader(b)
	m.Point = r.Bytes(size)
	return m, r.Offset(), r.Err()
}

// Confirm is Confirm Key Data, request (MACU) and response (MACV).
//
//	mac(16)
type Confirm struct{ MAC [HashSize]byte }

// AppendBinary appends the payload.
func (m Confirm) AppendBinary(b []byte) ([]byte, error) { return append(b, m.MAC[:]...), nil }

// ParseConfirm reads the payload.
func ParseConfirm(b []byte) (m Confirm, n int, err error) {
	r := wire.NewReader(b)
	copy(m.MAC[:], r.Bytes(HashSize))
	return m, r.Offset(), r.Err()
}

// TerminateStatus says why a key establishment was given up. It is an error.
type TerminateStatus uint8

// The reasons (Smart Energy, table C-16; published).
const (
	UnknownIssuer      TerminateStatus = 1
	BadKeyConfirm      TerminateStatus = 2
	BadMessage         TerminateStatus = 3
	NoResources        TerminateStatus = 4
	UnsupportedSuite   TerminateStatus = 5
	InvalidCertificate TerminateStatus = 6
)

// Error names the reason and says what to do.
func (s TerminateStatus) Error() string {
	switch s {
	case UnknownIssuer:
		return "UNKNOWN_ISSUER: the certificate's authority is not known here: load its public key or re-certify the device"
	case BadKeyConfirm:
		return "BAD_KEY_CONFIRM: the two sides came to different keys: a certificate and its private key do not belong together"
	case BadMessage:
		return "BAD_MESSAGE: a message was malformed or came out of turn: start again"
	case NoResources:
		return "NO_RESOURCES: busy with another key establishment: try again after the wait time"
	case UnsupportedSuite:
		return "UNSUPPORTED_SUITE: use a suite that both sides have"
	case InvalidCertificate:
		return "INVALID_CERTIFICATE: subject, type, curve, hash or key usage is wrong"
	}
	return fmt.Sprintf("key establishment status %d (reserved)", uint8(s))
}

// Terminate is Terminate Key Establishment, in either direction.
//
//	status(1) waitTime(1) suites(2)
type Terminate struct {
	Status   TerminateStatus
	WaitTime uint8 // seconds to wait before trying again
	Suites   Suite // bits of the suites that the sender supports
}

// AppendBinary appends the payload.
func (m Terminate) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, byte(m.Status), m.WaitTime)
	return binary.LittleEndian.AppendUint16(b, uint16(m.Suites)), nil
}

// ParseTerminate reads the payload.
func ParseTerminate(b []byte) (m Terminate, n int, err error) {
	r := wire.NewReader(b)
	m.Status, m.WaitTime = TerminateStatus(r.U8()), r.U8()
	m.Suites = Suite(r.LE16())
	return m, r.Offset(), r.Err()
}
