package security

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"time"

	"smets1/internal/wire"
)

// KEMessage is one command of the Key Establishment cluster: what to send, or what was received.
type KEMessage struct {
	Command KECommand
	Payload []byte
}

// KEConfig says who establishes a key with whom.
type KEConfig struct {
	// Suite is the one to use; zero means that of Certificate.
	Suite Suite
	// Certificate and Key belong together and to the device itself.
	Certificate Certificate
	Key         PrivateKey
	// Authorities are trusted, by issuer identity. None means that no peer is accepted.
	Authorities map[wire.EUI64]PublicKey
	// Peer is the EUI-64 that the peer's certificate must name. Zero means any: only for tools.
	Peer wire.EUI64
	// Rand gives the ephemeral key.
	Rand io.Reader
	// EphemeralTime and ConfirmTime are the seconds this device says it needs. Zero means 10 (what the EmberZNet stack
	// announces; recalled).
	EphemeralTime, ConfirmTime uint8
	// WaitTime is sent with a Terminate. Zero means 30 seconds.
	WaitTime uint8
}

const (
	defaultStepTime = 10
	defaultWaitTime = 30
)

// KETerminatedError: the key establishment ended without a key. It unwraps to the TerminateStatus, and to the cause where
// this side gave up.
type KETerminatedError struct {
	Status TerminateStatus
	// ByPeer tells that the peer gave up; WaitTime and Suites are then the peer's.
	ByPeer   bool
	WaitTime time.Duration
	Suites   Suite
	Cause    error
}

// Error says who gave up and why.
func (e *KETerminatedError) Error() string {
	who := "given up"
	if e.ByPeer {
		who = "given up by the peer"
	}
	if e.Cause != nil {
		return fmt.Sprintf("security: key establishment %s: %v (%v)", who, e.Status, e.Cause)
	}
	return fmt.Sprintf("security: key establishment %s: %v", who, e.Status)
}

// Unwrap gives the status and the cause.
func (e *KETerminatedError) Unwrap() []error {
	if e.Cause != nil {
		return []error{e.Status, e.Cause}
	}
	return []error{e.Status}
}

type keState uint8

const (
	keIdle keState = iota
	keWaitInitiate
	keWaitEphemeral
	keWaitConfirm
	keDone
	keFailed
)

// KeyEstablishment is one certificate-based key exchange (CBKE; Smart Energy, annex C; published): messages in, messages
// out, no I/O and no clock.
//
//	U initiator                      V responder
//	Initiate(cert U)      ─────▶
//	                      ◀─────     Initiate(cert V)
//	Ephemeral(QE U)       ─────▶
//	                      ◀─────     Ephemeral(QE V)
//	Confirm(MACU)         ─────▶
//	                      ◀─────     Confirm(MACV)
//
//	Z        ECMQV of the four keys
//	MacKey   AES-MMO(Z || 00000001)
//	link key AES-MMO(Z || 00000002)
//	MACU     HMAC-MMO(MacKey, 02 || U || V || QE U || QE V)
//	MACV     HMAC-MMO(MacKey, 03 || V || U || QE V || QE U)
//
// with U and V the EUI-64s, big endian. Each side takes the link key only after the other's MAC was right. Whatever goes
// wrong ends the exchange with a Terminate for the peer; a finished exchange takes nothing more.
type KeyEstablishment struct {
	cfg       KEConfig
	initiator bool
	state     keState

	peerCert   Certificate
	peerStatic PublicKey
	peerTimes  [2]uint8 // ephemeral, confirm

	ephemeral       PrivateKey
	ephemeralPublic PublicKey

	macKey, link Key
	expect       [HashSize]byte // the peer's MAC
	own          [HashSize]byte
}

func newKE(cfg KEConfig, initiator bool) (*KeyEstablishment, error) {
	if cfg.Certificate == nil || cfg.Rand == nil {
		return nil, errors.New("security: key establishment needs a certificate and randomness")
	}
	if cfg.Suite == 0 {
		cfg.Suite = cfg.Certificate.Suite()
	}
	if err := cfg.Suite.check(); err != nil {
		return nil, err
	}
	if cfg.Certificate.Suite() != cfg.Suite || cfg.Key.suite != cfg.Suite {
		return nil, fmt.Errorf("security: certificate of %s and private key of %s for a key establishment in %s: %w", cfg.Certificate.Suite(), cfg.Key.suite, cfg.Suite, ErrSuite)
	}
	if cfg.EphemeralTime == 0 {
		cfg.EphemeralTime = defaultStepTime
	}
	if cfg.ConfirmTime == 0 {
		cfg.ConfirmTime = defaultStepTime
	}
	if cfg.WaitTime == 0 {
		cfg.WaitTime = defaultWaitTime
	}
	return &KeyEstablishment{cfg: cfg, initiator: initiator}, nil
}

// NewInitiator is the joining device's side and gives its first message.
func NewInitiator(cfg KEConfig) (*KeyEstablishment, KEMessage, error) {
	k, err := newKE(cfg, true)
	if err != nil {
		return nil, KEMessage{}, err
	}
	m, err := k.initiateMessage()
	if err != nil {
		return nil, KEMessage{}, err
	}
	k.state = keWaitInitiate
	return k, m, nil
}

// NewResponder is the trust centre's side; it waits for the initiator.
func NewResponder(cfg KEConfig) (*KeyEstablishment, error) {
	k, err := newKE(cfg, false)
	if err == nil {
		k.state = keWaitInitiate
	}
	return k, err
}

// Done tells whether the key is there.
func (k *KeyEstablishment) Done() bool { return k.state == keDone }

// Over tells whether the exchange has ended, with a key or without.
func (k *KeyEstablishment) Over() bool { return k.state == keDone || k.state == keFailed }

// LinkKey is the established key once Done, otherwise the zero Key.
func (k *KeyEstablishment) LinkKey() Key {
	if k.state != keDone {
		return Key{}
	}
	return k.link
}

// Peer is the EUI-64 of the peer's certificate, once seen.
func (k *KeyEstablishment) Peer() wire.EUI64 {
	if k.peerCert == nil {
		return wire.EUI64{}
	}
	return k.peerCert.SubjectID()
}

// Wait is how long the peer may take for the message that is due now, by what it announced itself. What the caller allows
// on top for the way over the air is its own choice. 0 when nothing is due.
func (k *KeyEstablishment) Wait() time.Duration {
	switch k.state {
	case keWaitInitiate:
		return defaultStepTime * time.Second
	case keWaitEphemeral:
		return time.Duration(k.peerTimes[0]) * time.Second
	case keWaitConfirm:
		return time.Duration(k.peerTimes[1]) * time.Second
	default:
		return 0
	}
}

// Receive takes a message of the peer. reply is to be sent if it has a payload, also when err is not nil: it is then the
// Terminate. err is a *KETerminatedError.
func (k *KeyEstablishment) Receive(m KEMessage) (reply KEMessage, err error) {
	if k.Over() {
		return KEMessage{}, &KETerminatedError{Status: BadMessage, Cause: errors.New("the exchange is over")}
	}
	if m.Command == KETerminate {
		k.state = keFailed
		t, _, err := ParseTerminate(m.Payload)
		if err != nil {
			return KEMessage{}, &KETerminatedError{Status: BadMessage, ByPeer: true, Cause: err}
		}
		return KEMessage{}, &KETerminatedError{Status: t.Status, ByPeer: true, WaitTime: time.Duration(t.WaitTime) * time.Second, Suites: t.Suites}
	}
	var status TerminateStatus
	switch {
	case k.state == keWaitInitiate && m.Command == KEInitiate:
		reply, status, err = k.receiveInitiate(m.Payload)
	case k.state == keWaitEphemeral && m.Command == KEEphemeral:
		reply, status, err = k.receiveEphemeral(m.Payload)
	case k.state == keWaitConfirm && m.Command == KEConfirm:
		reply, status, err = k.receiveConfirm(m.Payload)
	default:
		status, err = BadMessage, fmt.Errorf("command %02X came out of turn", uint8(m.Command))
	}
	if err != nil {
		return k.Abort(status, err)
	}
	return reply, nil
}

// Abort ends the exchange from this side and gives the Terminate to send and the error to report.
func (k *KeyEstablishment) Abort(status TerminateStatus, cause error) (KEMessage, error) {
	k.state = keFailed
	k.macKey, k.link, k.ephemeral = Key{}, Key{}, PrivateKey{}
	b, err := Terminate{status, k.cfg.WaitTime, k.cfg.Suite}.AppendBinary(nil)
	if err != nil {
		return KEMessage{}, err
	}
	return KEMessage{KETerminate, b}, &KETerminatedError{Status: status, Cause: cause}
}

func (k *KeyEstablishment) initiateMessage() (KEMessage, error) {
	cert, err := k.cfg.Certificate.AppendBinary(nil)
	if err != nil {
		return KEMessage{}, err
	}
	b, err := Initiate{k.cfg.Suite, k.cfg.EphemeralTime, k.cfg.ConfirmTime, cert}.AppendBinary(nil)
	return KEMessage{KEInitiate, b}, err
}

func (k *KeyEstablishment) receiveInitiate(b []byte) (KEMessage, TerminateStatus, error) {
	m, n, err := ParseInitiate(b)
	switch {
	case errors.Is(err, ErrSuite):
		return KEMessage{}, UnsupportedSuite, err
	case err != nil:
		return KEMessage{}, BadMessage, err
	case m.Suite != k.cfg.Suite:
		return KEMessage{}, UnsupportedSuite, fmt.Errorf("the peer wants %s, this device %s", m.Suite, k.cfg.Suite)
	case n != len(b):
		return KEMessage{}, BadMessage, wire.ErrTrailing
	}
	cert, err := ParseCertificate(m.Suite, m.Certificate)
	if err != nil {
		return KEMessage{}, InvalidCertificate, err
	}
	if err := cert.Check(); err != nil {
		return KEMessage{}, InvalidCertificate, err
	}
	if !k.cfg.Peer.IsZero() && cert.SubjectID() != k.cfg.Peer {
		return KEMessage{}, InvalidCertificate, fmt.Errorf("the certificate is of %s, the peer is %s", cert.SubjectID(), k.cfg.Peer)
	}
	if cert.SubjectID() == k.cfg.Certificate.SubjectID() {
		return KEMessage{}, InvalidCertificate, errors.New("the peer presents this device's own identity")
	}
	authority, ok := k.cfg.Authorities[cert.IssuerID()]
	if !ok {
		return KEMessage{}, UnknownIssuer, fmt.Errorf("issuer %q is not among the %d authorities known here", cert.IssuerID(), len(k.cfg.Authorities))
	}
	if k.peerStatic, err = CertifiedKey(cert, authority); err != nil {
		return KEMessage{}, InvalidCertificate, err
	}
	k.peerCert, k.peerTimes = cert, [2]uint8{m.EphemeralTime, m.ConfirmTime}
	if k.ephemeral, err = GeneratePrivateKey(k.cfg.Rand, k.cfg.Suite); err != nil {
		return KEMessage{}, NoResources, err
	}
	k.ephemeralPublic = k.ephemeral.Public()
	k.state = keWaitEphemeral
	if !k.initiator {
		reply, err := k.initiateMessage()
		return reply, NoResources, err
	}
	return KEMessage{KEEphemeral, k.ephemeralPublic.Bytes()}, 0, nil
}

func (k *KeyEstablishment) receiveEphemeral(b []byte) (KEMessage, TerminateStatus, error) {
	peer, err := ParsePublicKey(k.cfg.Suite, b)
	if err != nil {
		return KEMessage{}, BadMessage, err
	}
	if peer == k.ephemeralPublic {
		return KEMessage{}, BadMessage, errors.New("the peer sent this device's own ephemeral key back")
	}
	z, err := Agree(k.cfg.Key, k.ephemeral, k.ephemeralPublic, k.peerStatic, peer)
	if err != nil {
		return KEMessage{}, BadMessage, err
	}
	k.macKey = keyOf(Hash(z, []byte{0, 0, 0, 1}))
	k.link = keyOf(Hash(z, []byte{0, 0, 0, 2}))
	clear(z)
	k.ephemeral = PrivateKey{}
	self, other := k.cfg.Certificate.SubjectID(), k.peerCert.SubjectID()
	qSelf, qOther := k.ephemeralPublic.Bytes(), peer.Bytes()
	tagOwn, tagPeer := byte(3), byte(2)
	if k.initiator {
		tagOwn, tagPeer = 2, 3
	}
	k.own = HMAC(k.macKey, []byte{tagOwn}, self[:], other[:], qSelf, qOther)
	k.expect = HMAC(k.macKey, []byte{tagPeer}, other[:], self[:], qOther, qSelf)
	k.state = keWaitConfirm
	if k.initiator {
		return k.confirmMessage(), 0, nil
	}
	return KEMessage{KEEphemeral, qSelf}, 0, nil
}

func (k *KeyEstablishment) confirmMessage() KEMessage {
	return KEMessage{KEConfirm, append([]byte(nil), k.own[:]...)}
}

func (k *KeyEstablishment) receiveConfirm(b []byte) (KEMessage, TerminateStatus, error) {
	m, n, err := ParseConfirm(b)
	if err == nil && n != len(b) {
		err = wire.ErrTrailing
	}
	if err != nil {
		return KEMessage{}, BadMessage, err
	}
	if subtle.ConstantTimeCompare(m.MAC[:], k.expect[:]) != 1 {
		return KEMessage{}, BadKeyConfirm, errors.New("the peer's MAC is wrong")
	}
	k.macKey = Key{}
	k.state = keDone
	if k.initiator {
		return KEMessage{}, 0, nil
	}
	return k.confirmMessage(), 0, nil
}
