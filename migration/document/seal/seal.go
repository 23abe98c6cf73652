// Package seal encrypts key material to one recipient, as the Migration Group Encrypted File
// carries it (ours; the primitives are published):
//
//	shared   = ECDH(ephemeral private, recipient public), P-256, x coordinate (NIST SP 800-56A)
//	key      = HKDF-SHA256(shared, no salt, info, 32 octets) (RFC 5869)
//	info     = "urn:opensmets1:migration:1 MGEF " key use "\x00" ephemeral public(65) recipient public(65)
//	block    = AES-256-GCM(key, nonce(12), plaintext, aad) (NIST SP 800-38D), tag(16) apart
//	aad      = FileSetID|InstallationID|KeyRef|RecipientEUI
//
// Public keys are uncompressed points. The key use goes into info, so a block cannot be passed
// off as one for another use even by somebody who could sign the file.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

const (
	nonceLen = 12
	tagLen   = 16
	prefix   = "urn:opensmets1:migration:1 MGEF "
)

// Block is a sealed secret.
type Block struct {
	Ephemeral  []byte // uncompressed point, 65 octets
	Nonce      []byte // 12 octets
	Ciphertext []byte
	Tag        []byte // 16 octets
}

// AAD gives the additional data that binds a block to its place.
func AAD(fileSetID, installationID, keyRef, recipient string) []byte {
	return []byte(fileSetID + "|" + installationID + "|" + keyRef + "|" + recipient)
}

// ErrOpen means that a block is not for this recipient, place and use, or was changed. Which of these
// it is cannot be told.
var ErrOpen = errors.New("the encrypted key does not open: wrong recipient, wrong place in the file, wrong use, or changed")

// Seal encrypts plaintext to a recipient. The ephemeral key and the nonce are drawn from random.
func Seal(random io.Reader, recipient *ecdh.PublicKey, use string, aad, plaintext []byte) (Block, error) {
	ephemeral, err := newKey(random)
	if err != nil {
		return Block{}, err
	}
	gcm, err := agree(ephemeral, recipient, use, ephemeral.PublicKey(), recipient)
	if err != nil {
		return Block{}, err
	}
	nonce := make([]byte, nonceLen)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return Block{}, fmt.Errorf("drawing a nonce: %w", err)
	}
	out := gcm.Seal(nil, nonce, plaintext, aad)
	n := len(out) - tagLen
	return Block{Ephemeral: ephemeral.PublicKey().Bytes(), Nonce: nonce, Ciphertext: out[:n], Tag: out[n:]}, nil
}

// Open decrypts a block with the recipient's private key.
func Open(recipient *ecdh.PrivateKey, use string, aad []byte, b Block) ([]byte, error) {
	if len(b.Nonce) != nonceLen || len(b.Tag) != tagLen {
		return nil, fmt.Errorf("%w (nonce of %d octets, tag of %d)", ErrOpen, len(b.Nonce), len(b.Tag))
	}
	ephemeral, err := ecdh.P256().NewPublicKey(b.Ephemeral)
	if err != nil {
		return nil, fmt.Errorf("%w (ephemeral public key: %w)", ErrOpen, err)
	}
	gcm, err := agree(recipient, ephemeral, use, ephemeral, recipient.PublicKey())
	if err != nil {
		return nil, err
	}
	out, err := gcm.Open(nil, b.Nonce, append(append([]byte{}, b.Ciphertext...), b.Tag...), aad)
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}

func agree(mine *ecdh.PrivateKey, theirs *ecdh.PublicKey, use string, ephemeral, recipient *ecdh.PublicKey) (cipher.AEAD, error) {
	shared, err := mine.ECDH(theirs)
	if err != nil {
		return nil, fmt.Errorf("key agreement: %w", err)
	}
	info := prefix + use + "\x00" + string(ephemeral.Bytes()) + string(recipient.Bytes())
	key, err := hkdf.Key(sha256.New, shared, nil, info, 32)
	if err != nil {
		return nil, fmt.Errorf("key derivation: %w", err)
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

func newKey(random io.Reader) (*ecdh.PrivateKey, error) {
	raw := make([]byte, 32)
	for range 16 {
		if _, err := io.ReadFull(random, raw); err != nil {
			return nil, fmt.Errorf("drawing an ephemeral key: %w", err)
		}
		if k, err := ecdh.P256().NewPrivateKey(raw); err == nil {
			return k, nil
		}
	}
	return nil, errors.New("drawing an ephemeral key: the random source gives no value in range")
}
