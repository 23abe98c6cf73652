package security

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"

	"smets1/internal/wire"
)

// MICSize is the length of the message integrity code at security level 5.
const MICSize = 4

// NonceSize is the length of a CCM* nonce (L = 2).
const NonceSize = 13

// ErrAuthentication: the MIC does not match. The frame was altered, or made under another key, counter or address.
var ErrAuthentication = errors.New("message integrity code does not match: wrong key, wrong nonce or altered frame")

// Cipher is CCM* with one prepared key (ZigBee specification, annex A; published). Seal and Open allocate nothing beyond
// growing dst. A Cipher has scratch space: use it from one goroutine at a time.
type Cipher struct {
	block cipher.Block
	mic   int
	// Scratch lives here because what goes through the cipher.Block interface would escape to the heap each time.
	x, s, ctr [aes.BlockSize]byte
}

// NewCipher prepares key for level 5 (ENC-MIC-32), the level of every ZigBee network.
func NewCipher(key Key) (*Cipher, error) { return newCipher(key, MICSize) }

func newCipher(key Key, mic int) (*Cipher, error) {
	if key.IsZero() {
		return nil, errors.New("security: no key: a frame cannot be secured with the zero Key")
	}
	b, err := aes.NewCipher(key.m.bytes())
	if err != nil {
		return nil, fmt.Errorf("security: %w", err)
	}
	return &Cipher{block: b, mic: mic}, nil
}

// Overhead is the length of the MIC.
func (c *Cipher) Overhead() int { return c.mic }

// Seal appends ciphertext and MIC of plaintext to dst. plaintext may be dst's own tail (dst = b[:n], plaintext = b[n:]).
func (c *Cipher) Seal(dst []byte, nonce *[NonceSize]byte, plaintext, aad []byte) []byte {
	c.start(nonce)
	c.mac(nonce, plaintext, aad)
	tag := c.x
	at := len(dst)
	dst = append(dst, plaintext...)
	c.crypt(dst[at:])
	c.keyStream(0)
	subtle.XORBytes(tag[:], tag[:], c.s[:])
	return append(dst, tag[:c.mic]...)
}

// Open appends the plaintext of ciphertext (which ends with the MIC) to dst, or gives ErrAuthentication and dst as it was.
// ciphertext may be dst's own tail; after a failure that tail holds rubbish.
func (c *Cipher) Open(dst []byte, nonce *[NonceSize]byte, ciphertext, aad []byte) ([]byte, error) {
	if len(ciphertext) < c.mic {
		return dst, fmt.Errorf("security: %d octets cannot hold a message integrity code of %d: %w", len(ciphertext), c.mic, wire.ErrTruncated)
	}
	n := len(ciphertext) - c.mic
	var got [aes.BlockSize]byte
	copy(got[:], ciphertext[n:])
	at := len(dst)
	out := append(dst, ciphertext[:n]...)
	c.start(nonce)
	c.crypt(out[at:])
	c.mac(nonce, out[at:], aad)
	c.keyStream(0)
	subtle.XORBytes(c.x[:], c.x[:], c.s[:])
	if subtle.ConstantTimeCompare(got[:c.mic], c.x[:c.mic]) != 1 {
		clear(out[at:])
		return dst, ErrAuthentication
	}
	return out, nil
}

// mac leaves the CBC-MAC of B0, the length-prefixed aad and the plaintext in c.x.
func (c *Cipher) mac(nonce *[NonceSize]byte, plaintext, aad []byte) {
	flags := byte(1) // L-1
	if len(aad) > 0 {
		flags |= 0x40
	}
	if c.mic > 0 {
		flags |= byte((c.mic-2)/2) << 3
	}
	c.x[0] = flags
	copy(c.x[1:], nonce[:])
	binary.BigEndian.PutUint16(c.x[14:], uint16(len(plaintext)))
	c.block.Encrypt(c.x[:], c.x[:])
	if len(aad) > 0 {
		c.x[0] ^= byte(len(aad) >> 8)
		c.x[1] ^= byte(len(aad))
		c.absorb(aad, 2)
	}
	c.absorb(plaintext, 0)
}

// absorb continues the CBC-MAC at position at of the current block and ends on a block boundary.
func (c *Cipher) absorb(b []byte, at int) {
	for len(b) > 0 {
		n := min(len(b), aes.BlockSize-at)
		subtle.XORBytes(c.x[at:at+n], c.x[at:at+n], b[:n])
		b = b[n:]
		at = 0
		c.block.Encrypt(c.x[:], c.x[:])
	}
}

// start sets the part of the counter block that stays.
func (c *Cipher) start(nonce *[NonceSize]byte) {
	c.ctr[0] = 1 // L-1
	copy(c.ctr[1:], nonce[:])
}

// keyStream leaves block i of the key stream in c.s. Block 0 masks the MIC.
func (c *Cipher) keyStream(i int) {
	c.ctr[14], c.ctr[15] = byte(i>>8), byte(i)
	c.block.Encrypt(c.s[:], c.ctr[:])
}

func (c *Cipher) crypt(b []byte) {
	for i := 1; len(b) > 0; i++ {
		c.keyStream(i)
		n := subtle.XORBytes(b, b[:min(len(b), aes.BlockSize)], c.s[:])
		b = b[n:]
	}
}
