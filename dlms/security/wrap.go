package security

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrUnwrap: the integrity check of RFC 3394 failed, so the wrapping key or the wrapped bytes are wrong.
var ErrUnwrap = errors.New("key unwrap failed: wrong key encrypting key or damaged data")

const wrapIV = 0xA6A6A6A6A6A6A6A6

// WrapKey wraps key under kek as RFC 3394 does: 24 bytes for a 16 byte key, 40 for 32 bytes.
func WrapKey(kek, key Key) ([]byte, error) {
	block, err := aes.NewCipher(kek.bytes())
	if err != nil {
		return nil, fmt.Errorf("security: key encrypting key: %w", err)
	}
	n := key.Len() / 8
	if n == 0 {
		return nil, errors.New("security: there is no key to wrap")
	}
	out := make([]byte, 8, 8*(n+1))
	out = append(out, key.bytes()...)
	var b [aes.BlockSize]byte
	a := uint64(wrapIV)
	for j := range 6 {
		for i := 1; i <= n; i++ {
			binary.BigEndian.PutUint64(b[:], a)
			copy(b[8:], out[8*i:])
			block.Encrypt(b[:], b[:])
			a = binary.BigEndian.Uint64(b[:]) ^ uint64(n*j+i)
			copy(out[8*i:], b[8:])
		}
	}
	binary.BigEndian.PutUint64(out, a)
	return out, nil
}

// UnwrapKey reverses WrapKey. The error wraps ErrUnwrap when the integrity check fails.
func UnwrapKey(kek Key, wrapped []byte) (Key, error) {
	block, err := aes.NewCipher(kek.bytes())
	if err != nil {
		return Key{}, fmt.Errorf("security: key encrypting key: %w", err)
	}
	if len(wrapped) != 24 && len(wrapped) != 40 {
		return Key{}, fmt.Errorf("security: wrapped key of %d bytes: want 24 or 40", len(wrapped))
	}
	n := len(wrapped)/8 - 1
	out := append([]byte(nil), wrapped[8:]...)
	var b [aes.BlockSize]byte
	a := binary.BigEndian.Uint64(wrapped)
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			binary.BigEndian.PutUint64(b[:], a^uint64(n*j+i))
			copy(b[8:], out[8*(i-1):8*i])
			block.Decrypt(b[:], b[:])
			a = binary.BigEndian.Uint64(b[:])
			copy(out[8*(i-1):], b[8:])
		}
	}
	var got, want [8]byte
	binary.BigEndian.PutUint64(got[:], a)
	binary.BigEndian.PutUint64(want[:], wrapIV)
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return Key{}, fmt.Errorf("security: %w", ErrUnwrap)
	}
	return Key{m: newMaterial(out)}, nil
}
