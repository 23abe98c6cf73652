package document

import (
	"crypto/ecdh"
	"fmt"
	"io"

	"smets1/migration/document/pki"
	"smets1/migration/document/seal"
)

// KeyUsage is what a sealed key is for, and so who may read it.
type KeyUsage string

// The uses. Transport, authentication and HAN keys go to the S1SP; critical and prepayment
// keys go to the DCO. Neither can read the other's (ours).
const (
	KeyTransport      KeyUsage = "Transport"
	KeyAuthentication KeyUsage = "Authentication"
	KeyCritical       KeyUsage = "Critical"
	KeyPrepay         KeyUsage = "Prepay"
	KeyHAN            KeyUsage = "HAN"
)

// Owner gives the role that a key of this use is sealed to.
func (u KeyUsage) Owner() pki.Role {
	if u == KeyCritical || u == KeyPrepay {
		return pki.DCO
	}
	return pki.S1SP
}

// EncryptedBody is the body of the Migration Group Encrypted File, MGEF.
type EncryptedBody struct {
	Installation []EncryptedInstallation `rule:"occurs 1 10000"`
}

// EncryptedInstallation holds the sealed keys of one home.
type EncryptedInstallation struct {
	InstallationID EUI
	EncryptedKey   []EncryptedKey `rule:"occurs 0 64"`
}

// EncryptedKey is one key sealed to one recipient; see package seal for the construction.
type EncryptedKey struct {
	KeyRef             string `rule:"pattern [A-Za-z0-9._-]{1,64}"`
	RecipientEUI       EUI
	KeyUsage           KeyUsage `rule:"enum Transport Authentication Critical Prepay HAN"`
	EphemeralPublicKey Base64   `rule:"text 65 65"`
	Nonce              Base64   `rule:"text 12 12"`
	Ciphertext         Base64   `rule:"text 1 4096"`
	Tag                Base64   `rule:"text 16 16"`
}

func (EncryptedBody) kind() Kind { return KindMGEF }

func (b EncryptedBody) ids() []EUI {
	out := make([]EUI, len(b.Installation))
	for i := range b.Installation {
		out[i] = b.Installation[i].InstallationID
	}
	return out
}

// SealKey encrypts a key of an installation to its recipient.
func SealKey(random io.Reader, set FileSetID, installation EUI, ref string, use KeyUsage, recipient EUI, public *ecdh.PublicKey, key Secret) (EncryptedKey, error) {
	b, err := seal.Seal(random, public, string(use), seal.AAD(set.String(), installation.String(), ref, recipient.String()), key.Reveal())
	if err != nil {
		return EncryptedKey{}, fmt.Errorf("sealing key %s of installation %s: %w", ref, installation, err)
	}
	return EncryptedKey{KeyRef: ref, RecipientEUI: recipient, KeyUsage: use,
		EphemeralPublicKey: b.Ephemeral, Nonce: b.Nonce, Ciphertext: b.Ciphertext, Tag: b.Tag}, nil
}

// Open decrypts a key with its recipient's private key.
func (k EncryptedKey) Open(set FileSetID, installation EUI, private *ecdh.PrivateKey) (Secret, error) {
	b, err := seal.Open(private, string(k.KeyUsage), seal.AAD(set.String(), installation.String(), k.KeyRef, k.RecipientEUI.String()),
		seal.Block{Ephemeral: k.EphemeralPublicKey, Nonce: k.Nonce, Ciphertext: k.Ciphertext, Tag: k.Tag})
	if err != nil {
		return Secret{}, fmt.Errorf("key %s of installation %s: %w", k.KeyRef, installation, err)
	}
	return NewSecret(b), nil
}
