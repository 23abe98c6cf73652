package security

import (
	"crypto/aes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Mechanism is an authentication mechanism id (Green Book, clause 9.2.2.2.2; published).
type Mechanism uint8

// The mechanisms.
const (
	MechanismNone   Mechanism = 0
	MechanismLLS    Mechanism = 1 // password
	MechanismHLS    Mechanism = 2 // manufacturer's own; here the AES-128-ECB form that Gurux programs use
	MechanismMD5    Mechanism = 3
	MechanismSHA1   Mechanism = 4
	MechanismGMAC   Mechanism = 5
	MechanismSHA256 Mechanism = 6
	MechanismECDSA  Mechanism = 7
)

// IsHLS tells whether passes 3 and 4 follow the opening of the association.
func (m Mechanism) IsHLS() bool { return m >= MechanismHLS && m <= MechanismECDSA }

// String names the mechanism.
func (m Mechanism) String() string {
	names := [...]string{"none", "LLS", "HLS (manufacturer)", "HLS MD5", "HLS SHA-1", "HLS GMAC", "HLS SHA-256", "HLS ECDSA"}
	if int(m) < len(names) {
		return names[m]
	}
	return fmt.Sprintf("unknown mechanism %d", uint8(m))
}

// Limits of a challenge, in bytes.
const (
	ChallengeMin      = 8
	ChallengeMinECDSA = 32
	ChallengeMax      = 64
)

// Errors of high level authentication.
var (
	// ErrReflection: the peer sent our own challenge back, and would let us compute its answer.
	ErrReflection = errors.New("the peer's challenge equals our own (reflection)")
	// ErrAuthentication: the peer's answer is not the right one.
	ErrAuthentication = errors.New("the peer's answer to the challenge is wrong: check the secret, keys and system titles")
)

// NewChallenge reads a fresh challenge of n bytes; 0 means 16, or 32 for ECDSA.
func NewChallenge(r io.Reader, m Mechanism, n int) ([]byte, error) {
	if n == 0 {
		n = 16
		if m == MechanismECDSA {
			n = ChallengeMinECDSA
		}
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("security: no randomness for a challenge: %w", err)
	}
	if err := CheckChallenge(m, b); err != nil {
		return nil, err
	}
	return b, nil
}

// CheckChallenge checks the length of a challenge: 8 to 64 bytes, at least 32 for ECDSA.
func CheckChallenge(m Mechanism, c []byte) error {
	low := ChallengeMin
	if m == MechanismECDSA {
		low = ChallengeMinECDSA
	}
	if len(c) < low || len(c) > ChallengeMax {
		return fmt.Errorf("security: challenge of %d bytes: %v takes %d to %d", len(c), m, low, ChallengeMax)
	}
	return nil
}

// Handshake is what one party knows during passes 3 and 4. Both parties use the same functions: the client sends
// Answer in pass 3 and calls Verify on pass 4, the server the other way round.
//
// The answer f(C) to the peer's challenge C, for an own challenge D (recalled from Green Book table "HLS authentication
// mechanisms", those marked * verified against independent programs):
//
//	2*  AES-128-ECB(secret padded with zeros to 16, C padded with zeros to a multiple of 16)
//	3   MD5(C || secret)
//	4   SHA-1(C || secret)
//	5*  SC || IC || GMAC over SC || AK || C, with own title || IC as IV
//	6*  SHA-256(secret || own title || peer title || C || D)
//	7   ECDSA over own title || peer title || C || D, as r || s
type Handshake struct {
	Mechanism     Mechanism
	Own, Peer     SystemTitle // mechanisms 5, 6, 7
	OwnChallenge  []byte      // the one we sent
	PeerChallenge []byte      // the one we got
	Secret        Secret      // mechanisms 2, 3, 4, 6
	Cipher        *Cipher     // mechanism 5
	Counter       uint32      // mechanism 5: our next invocation counter
	SigningKey    SigningKey  // mechanism 7
	PeerKey       VerifyKey   // mechanism 7
}

// Check refuses challenges of the wrong length and reflection. Answer and Verify call it.
func (h *Handshake) Check() error {
	if !h.Mechanism.IsHLS() {
		return fmt.Errorf("security: mechanism %v has no passes 3 and 4", h.Mechanism)
	}
	if err := CheckChallenge(h.Mechanism, h.OwnChallenge); err != nil {
		return err
	}
	if err := CheckChallenge(h.Mechanism, h.PeerChallenge); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(h.OwnChallenge, h.PeerChallenge) == 1 {
		return fmt.Errorf("security: %w", ErrReflection)
	}
	return nil
}

// Answer is our f(peer's challenge).
func (h *Handshake) Answer() ([]byte, error) {
	if err := h.Check(); err != nil {
		return nil, err
	}
	switch h.Mechanism {
	case MechanismGMAC:
		if h.Cipher == nil {
			return nil, errors.New("security: HLS GMAC needs the keys (Handshake.Cipher)")
		}
		return h.Cipher.gmac(h.Own, h.Counter, h.PeerChallenge)
	case MechanismECDSA:
		return h.SigningKey.Sign(h.signed(h.Own, h.Peer, h.PeerChallenge, h.OwnChallenge))
	default:
		return h.digest(h.Own, h.Peer, h.PeerChallenge, h.OwnChallenge)
	}
}

// Verify checks the peer's f(our challenge). For GMAC it returns the peer's invocation counter, which the caller holds
// against its [ReceiveCounter]. The error wraps ErrAuthentication when the answer is wrong.
func (h *Handshake) Verify(answer []byte) (counter uint32, err error) {
	if err := h.Check(); err != nil {
		return 0, err
	}
	switch h.Mechanism {
	case MechanismGMAC:
		if h.Cipher == nil {
			return 0, errors.New("security: HLS GMAC needs the keys (Handshake.Cipher)")
		}
		if len(answer) != HeaderSize+TagSize {
			return 0, fmt.Errorf("security: HLS GMAC answer of %d bytes, want 17: %w", len(answer), ErrAuthentication)
		}
		counter = binary.BigEndian.Uint32(answer[1:])
		want, err := h.Cipher.gmac(h.Peer, counter, h.OwnChallenge)
		if err != nil {
			return 0, err
		}
		if subtle.ConstantTimeCompare(want, answer) != 1 {
			return 0, fmt.Errorf("security: HLS GMAC: %w", ErrAuthentication)
		}
		return counter, nil
	case MechanismECDSA:
		if err := h.PeerKey.Verify(h.signed(h.Peer, h.Own, h.OwnChallenge, h.PeerChallenge), answer); err != nil {
			return 0, fmt.Errorf("%w: %w", err, ErrAuthentication)
		}
		return 0, nil
	default:
		want, err := h.digest(h.Peer, h.Own, h.OwnChallenge, h.PeerChallenge)
		if err != nil {
			return 0, err
		}
		if subtle.ConstantTimeCompare(want, answer) != 1 {
			return 0, fmt.Errorf("security: %v: %w", h.Mechanism, ErrAuthentication)
		}
		return 0, nil
	}
}

func (h *Handshake) signed(from, to SystemTitle, challenge, other []byte) []byte {
	b := append([]byte(nil), from[:]...)
	b = append(b, to[:]...)
	b = append(b, challenge...)
	return append(b, other...)
}

func (h *Handshake) digest(from, to SystemTitle, challenge, other []byte) ([]byte, error) {
	if h.Secret.IsZero() {
		return nil, fmt.Errorf("security: %v needs the HLS secret", h.Mechanism)
	}
	secret := h.Secret.bytes()
	switch h.Mechanism {
	case MechanismHLS:
		return ecbAnswer(secret, challenge)
	case MechanismMD5:
		s := md5.Sum(append(append([]byte(nil), challenge...), secret...))
		return s[:], nil
	case MechanismSHA1:
		s := sha1.Sum(append(append([]byte(nil), challenge...), secret...))
		return s[:], nil
	default:
		s := sha256.Sum256(append(append([]byte(nil), secret...), h.signed(from, to, challenge, other)...))
		return s[:], nil
	}
}

func ecbAnswer(secret, challenge []byte) ([]byte, error) {
	if len(secret) > aes.BlockSize {
		return nil, fmt.Errorf("security: secret of %d bytes: HLS mechanism 2 takes up to 16", len(secret))
	}
	var key [aes.BlockSize]byte
	copy(key[:], secret)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("security: %w", err)
	}
	out := make([]byte, (len(challenge)+aes.BlockSize-1)/aes.BlockSize*aes.BlockSize)
	copy(out, challenge)
	for i := 0; i < len(out); i += aes.BlockSize {
		block.Encrypt(out[i:], out[i:])
	}
	return out, nil
}

// gmac is SC || IC || tag over SC || AK || challenge.
func (c *Cipher) gmac(title SystemTitle, ic uint32, challenge []byte) ([]byte, error) {
	if ic == CounterMax {
		return nil, fmt.Errorf("security: %w", ErrCounterExhausted)
	}
	sc := NewControl(c.suite, ProtectAuth)
	c.setNonce(title, ic)
	out := append(make([]byte, 0, HeaderSize+TagSize), byte(sc))
	out = binary.BigEndian.AppendUint32(out, ic)
	return c.unicast.Seal(out, c.nonce[:], nil, c.buildAAD(sc, nil, challenge)), nil
}
