package security

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
)

// HashSize is the length of an AES-MMO hash in octets.
const HashSize = 16

// MMO is the Matyas-Meyer-Oseas hash over AES-128 (ZigBee specification, annex B.6; published), fed piecewise: a whole
// firmware image need not be in memory. It implements hash.Hash. The zero MMO is ready.
//
//	pad   80, zeros to 14 mod 16, length in bits (2, big endian)           below 2^16 bits
//	      80, zeros to 10 mod 16, length in bits (4, big endian), 00 00    from 2^16 bits on
//	h0=0  h = AES(key h, block) ⊕ block
type MMO struct {
	h   [HashSize]byte
	buf [HashSize]byte
	n   uint64
}

// NewMMO returns an empty hash.
func NewMMO() *MMO { return new(MMO) }

// Size is 16.
func (*MMO) Size() int { return HashSize }

// BlockSize is 16.
func (*MMO) BlockSize() int { return aes.BlockSize }

// Reset makes it empty.
func (m *MMO) Reset() { *m = MMO{} }

// Write takes more of the message. It never fails.
func (m *MMO) Write(b []byte) (int, error) {
	written := len(b)
	for len(b) > 0 {
		at := int(m.n % HashSize)
		k := copy(m.buf[at:], b)
		b = b[k:]
		m.n += uint64(k)
		if at+k == HashSize {
			m.block(m.buf[:])
		}
	}
	return written, nil
}

func (m *MMO) block(b []byte) {
	// aes.NewCipher fails only for lengths other than 16, 24 and 32.
	c, err := aes.NewCipher(m.h[:])
	if err != nil {
		panic("security: " + err.Error())
	}
	var out [HashSize]byte
	c.Encrypt(out[:], b)
	subtle.XORBytes(m.h[:], out[:], b)
}

// Sum appends the hash of what was written; the state stays as it was.
func (m *MMO) Sum(b []byte) []byte {
	s := *m
	bits := s.n * 8
	var tail [2 * HashSize]byte
	tail[0] = 0x80
	end, lengthAt := HashSize, 14
	if bits >= 1<<16 {
		lengthAt = 10
	}
	used := int(s.n % HashSize)
	if used+1 > lengthAt {
		end += HashSize
	}
	pad := tail[:end-used]
	if bits < 1<<16 {
		binary.BigEndian.PutUint16(pad[len(pad)-2:], uint16(bits))
	} else {
		binary.BigEndian.PutUint32(pad[len(pad)-6:], uint32(bits))
	}
	_, _ = s.Write(pad)
	return append(b, s.h[:]...)
}

// Hash is the AES-MMO hash of the concatenation of parts.
func Hash(parts ...[]byte) (out [HashSize]byte) {
	var m MMO
	for _, p := range parts {
		_, _ = m.Write(p)
	}
	m.Sum(out[:0])
	return out
}

// HMAC is the keyed hash HMAC-MMO with a block of 16 octets (ZigBee specification, annex B.1.4; published) of the
// concatenation of parts.
func HMAC(key Key, parts ...[]byte) (out [HashSize]byte) {
	var ipad, opad [HashSize]byte
	copy(ipad[:], key.m.bytes())
	opad = ipad
	for i := range ipad {
		ipad[i] ^= 0x36
		opad[i] ^= 0x5C
	}
	var m MMO
	_, _ = m.Write(ipad[:])
	for _, p := range parts {
		_, _ = m.Write(p)
	}
	var inner [HashSize]byte
	m.Sum(inner[:0])
	m.Reset()
	_, _ = m.Write(opad[:])
	_, _ = m.Write(inner[:])
	m.Sum(out[:0])
	return out
}

// KeyTransport derives the key-transport key of a link key: HMAC-MMO(K, 00). It protects a network key on its way to a
// joiner (ZigBee specification, clause 4.5.3; published).
func (k Key) KeyTransport() Key { return keyOf(HMAC(k, []byte{0})) }

// KeyLoad derives the key-load key of a link key: HMAC-MMO(K, 02). It protects link keys in transport.
func (k Key) KeyLoad() Key { return keyOf(HMAC(k, []byte{2})) }

// VerifyHash is HMAC-MMO(K, 03), which Verify-Key carries to prove possession of a link key.
func (k Key) VerifyHash() [HashSize]byte { return HMAC(k, []byte{3}) }
