package security

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

const (
	// TagSize is the length of the authentication tag: 96 bits in every suite.
	TagSize = 12
	// HeaderSize is SC and IC at the start of ciphered content.
	HeaderSize = 5

	nonceSize = 12
)

// Errors that Open and Seal wrap.
var (
	// ErrDecipher: the tag does not match. The key, the authentication key, the sender's title or the bytes are wrong;
	// the cryptography cannot tell which.
	ErrDecipher = errors.New("deciphering failed")
	// ErrCompressed: the compression bit is set. V.44 is not offered.
	ErrCompressed = errors.New("compressed content is not supported: ask the peer to send without compression (SC bit 80)")
	// ErrNoBroadcastKey: the content names the broadcast key and there is none.
	ErrNoBroadcastKey = errors.New("content is under the broadcast key and no GBEK is set")
	// ErrTruncated: too few bytes for what SC promises.
	ErrTruncated = errors.New("ciphered content is too short")
)

// Content is the clear header of ciphered content.
type Content struct {
	Control Control
	Counter uint32
}

// ParseContent reads SC and IC and checks that the rest is long enough and that SC is one that can be opened.
// It does not decipher; use it to look at the counter first.
func ParseContent(b []byte) (Content, error) {
	if len(b) < HeaderSize {
		return Content{}, fmt.Errorf("security: %w: %d bytes, SC and IC need 5", ErrTruncated, len(b))
	}
	c := Content{Control: Control(b[0]), Counter: binary.BigEndian.Uint32(b[1:])}
	if c.Control&Compressed != 0 {
		return c, fmt.Errorf("security: SC %v: %w", c.Control, ErrCompressed)
	}
	if c.Control.Suite() > Suite2 {
		return c, fmt.Errorf("security: SC %v: suite %d is not defined", c.Control, uint8(c.Control.Suite()))
	}
	if n := HeaderSize + c.Control.TagLen(); len(b) < n {
		return c, fmt.Errorf("security: %w: %d bytes, SC %v needs at least %d", ErrTruncated, len(b), c.Control, n)
	}
	return c, nil
}

// Cipher is one pair of encryption and authentication key, made ready for use: one per association (or per dedicated
// key), not per idle device, as preparing costs about a microsecond and a kilobyte. Steady-state use does not allocate.
// It is not safe for concurrent use.
type Cipher struct {
	suite     Suite
	unicast   cipher.AEAD
	broadcast cipher.AEAD
	nonce     [nonceSize]byte
	aad       []byte // SC || AK, then whatever else is authenticated in clear
	akEnd     int
	scratch   []byte
}

// NewCipher prepares an encryption key (global or dedicated) and the authentication key.
func NewCipher(s Suite, ek, ak Key) (*Cipher, error) {
	if err := s.checkKey("encryption key", ek); err != nil {
		return nil, err
	}
	if err := s.checkKey("authentication key", ak); err != nil {
		return nil, err
	}
	aead, err := newGCM(ek)
	if err != nil {
		return nil, err
	}
	c := &Cipher{suite: s, unicast: aead, aad: make([]byte, 1+ak.Len(), 1+ak.Len()+64)}
	copy(c.aad[1:], ak.bytes())
	c.akEnd = len(c.aad)
	return c, nil
}

// SetBroadcastKey adds the key for content whose SC has the Broadcast bit.
func (c *Cipher) SetBroadcastKey(k Key) error {
	if err := c.suite.checkKey("broadcast key", k); err != nil {
		return err
	}
	aead, err := newGCM(k)
	if err != nil {
		return err
	}
	c.broadcast = aead
	return nil
}

// Suite is the suite the keys were prepared for.
func (c *Cipher) Suite() Suite { return c.suite }

// SealedLen is the length of the content that Seal makes of n plaintext bytes.
func SealedLen(sc Control, n int) int { return HeaderSize + n + sc.TagLen() }

// Seal appends the content SC IC payload tag to dst. The title is the sender's, ic must never have been used before under
// this key and title. plaintext may not overlap the free part of dst.
func (c *Cipher) Seal(dst []byte, title SystemTitle, sc Control, ic uint32, plaintext []byte) ([]byte, error) {
	return c.seal(dst, title, sc, ic, nil, plaintext)
}

func (c *Cipher) seal(dst []byte, title SystemTitle, sc Control, ic uint32, extra, plaintext []byte) ([]byte, error) {
	aead, err := c.pick(sc)
	if err != nil {
		return dst, err
	}
	if ic == CounterMax {
		return dst, fmt.Errorf("security: %w", ErrCounterExhausted)
	}
	c.setNonce(title, ic)
	// With the room made first no appending below moves dst, and the unsent tag of SC=20 lands in dst's spare bytes.
	dst = slices.Grow(dst, HeaderSize+len(plaintext)+TagSize)
	dst = append(dst, byte(sc))
	dst = binary.BigEndian.AppendUint32(dst, ic)
	switch sc.Protection() {
	case ProtectNone:
		return append(dst, plaintext...), nil
	case ProtectAuth:
		dst = append(dst, plaintext...)
		return aead.Seal(dst, c.nonce[:], nil, c.buildAAD(sc, extra, plaintext)), nil
	case ProtectEnc:
		dst = aead.Seal(dst, c.nonce[:], plaintext, nil)
		return dst[:len(dst)-TagSize], nil
	default:
		return aead.Seal(dst, c.nonce[:], plaintext, c.buildAAD(sc, extra, nil)), nil
	}
}

// Open checks and deciphers content that the party with the given title sent, and appends the plaintext to dst.
// dst may be content[HeaderSize:HeaderSize], deciphering in place; after a failure the content is then destroyed, so who
// wants to try a second key uses other memory. Replay is the caller's to check, see [ReceiveCounter], and only after Open
// succeeded may the counter advance.
func (c *Cipher) Open(dst []byte, title SystemTitle, content []byte) (Content, []byte, error) {
	return c.open(dst, title, content, nil)
}

func (c *Cipher) open(dst []byte, title SystemTitle, content, extra []byte) (Content, []byte, error) {
	h, err := ParseContent(content)
	if err != nil {
		return h, dst, err
	}
	aead, err := c.pick(h.Control)
	if err != nil {
		return h, dst, err
	}
	c.setNonce(title, h.Counter)
	payload := content[HeaderSize:]
	switch h.Control.Protection() {
	case ProtectNone:
		return h, append(dst, payload...), nil
	case ProtectAuth:
		text, tag := payload[:len(payload)-TagSize], payload[len(payload)-TagSize:]
		if _, err := aead.Open(nil, c.nonce[:], tag, c.buildAAD(h.Control, extra, text)); err != nil {
			return h, dst, c.decipherError(title, h)
		}
		return h, append(dst, text...), nil
	case ProtectEnc:
		// Counter mode is its own inverse: sealing the ciphertext gives the plaintext, and a tag of no meaning. The
		// scratch buffer keeps that tag from overwriting what follows content when deciphering in place.
		c.scratch = aead.Seal(c.scratch[:0], c.nonce[:], payload, nil)
		return h, append(dst, c.scratch[:len(payload)]...), nil
	default:
		out, err := aead.Open(dst, c.nonce[:], payload, c.buildAAD(h.Control, extra, nil))
		if err != nil {
			return h, dst, c.decipherError(title, h)
		}
		return h, out, nil
	}
}

func (c *Cipher) decipherError(title SystemTitle, h Content) error {
	return fmt.Errorf("security: %w: sender %v, SC %v, counter %d: check the encryption key, the authentication key and the system title",
		ErrDecipher, title, h.Control, h.Counter)
}

func (c *Cipher) pick(sc Control) (cipher.AEAD, error) {
	switch {
	case sc&Compressed != 0:
		return nil, fmt.Errorf("security: SC %v: %w", sc, ErrCompressed)
	case sc.Suite() != c.suite:
		return nil, fmt.Errorf("security: SC %v names suite %d, the keys are for %v", sc, uint8(sc.Suite()), c.suite)
	case sc&Broadcast == 0:
		return c.unicast, nil
	case c.broadcast == nil:
		return nil, fmt.Errorf("security: SC %v: %w", sc, ErrNoBroadcastKey)
	}
	return c.broadcast, nil
}

func (c *Cipher) setNonce(title SystemTitle, ic uint32) {
	copy(c.nonce[:], title[:])
	binary.BigEndian.PutUint32(c.nonce[8:], ic)
}

// buildAAD is SC || AK || extra || text, in memory that is kept.
func (c *Cipher) buildAAD(sc Control, extra, text []byte) []byte {
	c.aad[0] = byte(sc)
	c.aad = append(append(c.aad[:c.akEnd], extra...), text...)
	return c.aad
}

func newGCM(k Key) (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.bytes())
	if err != nil {
		return nil, fmt.Errorf("security: %w", err)
	}
	aead, err := cipher.NewGCMWithTagSize(block, TagSize)
	if err != nil {
		return nil, fmt.Errorf("security: %w", err)
	}
	return aead, nil
}
