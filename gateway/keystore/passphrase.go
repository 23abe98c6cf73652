package keystore

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/crypto/argon2"

	"smets1/dlms/security"
)

// Argon2id with what RFC 9106 recommends where memory is scarce: 3 passes over 64 MiB.
const (
	argonPasses = 3
	argonKiB    = 64 << 10
	argonLanes  = 4
	saltSize    = 16

	// MinPassphrase is how many characters a passphrase must have.
	MinPassphrase = 16
)

// RootPassphrase derives the root key from a passphrase, which is the content of a
// file that nobody else may read, and a salt, which is no secret: the file of
// the salt is made where there is none. Who loses the salt has lost the key.
func RootPassphrase(path, saltPath string) (security.Key, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return security.Key{}, fmt.Errorf("keystore: passphrase: %w", err)
	}
	if err := private(path, "passphrase"); err != nil {
		return security.Key{}, err
	}
	pass := strings.TrimRight(string(b), "\r\n")
	if len(pass) < MinPassphrase {
		return security.Key{}, fmt.Errorf("keystore: passphrase: %s holds %d characters: it must have at least %d", path, len(pass), MinPassphrase)
	}
	salt, err := readSalt(saltPath)
	if err != nil {
		return security.Key{}, err
	}
	return security.NewKey(argon2.IDKey([]byte(pass), salt, argonPasses, argonKiB, argonLanes, 32))
}

func readSalt(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		salt := make([]byte, saltSize)
		if _, err := rand.Read(salt); err != nil {
			return nil, fmt.Errorf("keystore: salt: %w", err)
		}
		if err := placeNew(path, []byte(hex.EncodeToString(salt)+"\n")); err != nil {
			return nil, fmt.Errorf("keystore: make salt: %w", err)
		}
		b, err = os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("keystore: salt: %w", err)
		}
	} else if err != nil {
		return nil, fmt.Errorf("keystore: salt: %w", err)
	}
	salt, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(salt) != saltSize {
		return nil, fmt.Errorf("keystore: salt: %s must hold %d hexadecimal digits and nothing else", path, 2*saltSize)
	}
	return salt, nil
}

// private refuses a file that others may read.
func private(path, what string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("keystore: %s: %w", what, err)
	}
	if p := info.Mode().Perm(); p&0o077 != 0 {
		return fmt.Errorf("keystore: %s: others may read %s (mode %#o): chmod 600 it, and change it if it was exposed", what, path, p)
	}
	return nil
}

// placeNew makes a file of mode 0600 with a content, whole or not at all: it is
// written beside and linked into place, so that a crash leaves no half of it and two
// processes cannot make two. One that is there already stays.
func placeNew(path string, content []byte) error {
	raw := make([]byte, 4)
	if _, err := rand.Read(raw); err != nil {
		return err
	}
	tmp := fmt.Sprintf("%s.%x", path, raw)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		if err = os.Link(tmp, path); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	return errors.Join(err, os.Remove(tmp))
}
