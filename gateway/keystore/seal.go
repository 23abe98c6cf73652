package keystore

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"smets1/dlms/security"
)

// ErrTampered is what reading reports (wrapped) when a record does not open:
// it was changed, moved or sealed under another root key.
var ErrTampered = errors.New("the record does not open: it was changed, or sealed under another root key; restore it from a backup")

const sealFormat = 1

type sealer struct {
	aead   cipher.AEAD
	random io.Reader
}

func newSealer(root security.Key, random io.Reader) (sealer, error) {
	if root.Len() != 32 {
		return sealer{}, fmt.Errorf("keystore: root key of %d octets: it must have 32", root.Len())
	}
	key, err := hkdf.Key(sha256.New, root.Reveal(), nil, "smets1 keystore 1", chacha20poly1305.KeySize)
	if err != nil {
		return sealer{}, fmt.Errorf("keystore: derive sealing key: %w", err)
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return sealer{}, fmt.Errorf("keystore: %w", err)
	}
	if random == nil {
		random = rand.Reader
	}
	return sealer{aead, random}, nil
}

func (s sealer) seal(name string, plain []byte) ([]byte, error) {
	b := make([]byte, 1+chacha20poly1305.NonceSizeX, 1+chacha20poly1305.NonceSizeX+len(plain)+chacha20poly1305.Overhead)
	b[0] = sealFormat
	if _, err := io.ReadFull(s.random, b[1:]); err != nil {
		return nil, fmt.Errorf("keystore: no randomness to seal %s: %w", name, err)
	}
	return s.aead.Seal(b, b[1:], plain, []byte(name)), nil
}

func (s sealer) open(name string, b []byte) ([]byte, error) {
	const head = 1 + chacha20poly1305.NonceSizeX
	if len(b) < head || b[0] != sealFormat {
		return nil, fmt.Errorf("keystore: %s: %w", name, ErrTampered)
	}
	plain, err := s.aead.Open(nil, b[1:head], b[head:], []byte(name))
	if err != nil {
		return nil, fmt.Errorf("keystore: %s: %w", name, ErrTampered)
	}
	return plain, nil
}

// RootFile reads the root key from a file of 64 hexadecimal digits. If there
// is none, it makes one with a fresh key and mode 0600. A file that others may
// read is refused.
func RootFile(path string) (security.Key, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newRootFile(path)
	}
	if err != nil {
		return security.Key{}, fmt.Errorf("keystore: root key: %w", err)
	}
	if err := private(path, "root key"); err != nil {
		return security.Key{}, err
	}
	return parseRoot(string(b), path)
}

func newRootFile(path string) (security.Key, error) {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return security.Key{}, fmt.Errorf("keystore: root key: %w", err)
	}
	if err := placeNew(path, []byte(hex.EncodeToString(raw)+"\n")); err != nil {
		return security.Key{}, fmt.Errorf("keystore: make root key: %w", err)
	}
	return RootFile(path) // which may be another process's
}

// RootEnv reads the root key from an environment variable of 64 hexadecimal
// digits.
func RootEnv(name string) (security.Key, error) {
	v, ok := os.LookupEnv(name)
	if !ok {
		return security.Key{}, fmt.Errorf("keystore: root key: environment variable %s is not set: give it 64 hexadecimal digits", name)
	}
	return parseRoot(v, "environment variable "+name)
}

func parseRoot(s, where string) (security.Key, error) {
	k, err := security.ParseKey(strings.TrimSpace(s))
	if err != nil || k.Len() != 32 {
		return security.Key{}, fmt.Errorf("keystore: root key: %s must hold 64 hexadecimal digits and nothing else", where)
	}
	return k, nil
}
