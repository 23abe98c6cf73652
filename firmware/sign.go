package firmware

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// Signers are the keys a device trusts, by the name the header gives.
type Signers map[string]*ecdsa.PublicKey

// Sign encodes an image for h and payload and signs it with key. It fills in
// the size and digest of the payload. The same input gives the same octets:
// the nonce is that of RFC 6979.
func Sign(h Header, payload []byte, key *ecdsa.PrivateKey) ([]byte, error) {
	if len(payload) > MaxPayload {
		return nil, fmt.Errorf("firmware: sign image %s: payload of %d octets, at most %d are allowed", h.Version, len(payload), MaxPayload)
	}
	h.PayloadSize = uint32(len(payload))
	h.PayloadSum = sha256.Sum256(payload)
	b, err := h.appendBinary(make([]byte, 0, h.Size()))
	if err != nil {
		return nil, err
	}
	b = append(b, payload...)
	raw, err := signDigest(key, sha256.Sum256(b))
	if err != nil {
		return nil, fmt.Errorf("firmware: sign image %s: %w", h.Version, err)
	}
	return append(b, raw[:]...), nil
}

// Verify checks digest and signature of a parsed image. A failure is a
// *Refusal with BadDigest, UnknownSigner or BadSignature.
func (m *Image) Verify(s Signers) error {
	if sum := sha256.Sum256(m.Payload); sum != m.PayloadSum {
		return &Refusal{BadDigest, fmt.Sprintf("%x", sum[:8]), fmt.Sprintf("%x", m.PayloadSum[:8])}
	}
	key := s[m.Signer]
	if key == nil {
		return &Refusal{UnknownSigner, m.Signer, "one of the device's signers"}
	}
	signed := m.signed
	if signed == nil {
		b, err := m.AppendBinary(nil)
		if err != nil {
			return err
		}
		signed = b[:len(b)-signatureSize]
	}
	if !verifyDigest(key, sha256.Sum256(signed), m.Signature) {
		return &Refusal{BadSignature, "no match", "a signature by " + m.Signer}
	}
	return nil
}

// signDigest gives r‖s.
func signDigest(key *ecdsa.PrivateKey, sum [sha256.Size]byte) (raw [signatureSize]byte, err error) {
	if key == nil || key.Curve != elliptic.P256() {
		return raw, errors.New("the key must be on P-256")
	}
	der, err := key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return raw, err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return raw, err
	}
	sig.R.FillBytes(raw[:signatureSize/2])
	sig.S.FillBytes(raw[signatureSize/2:])
	return raw, nil
}

func verifyDigest(key *ecdsa.PublicKey, sum [sha256.Size]byte, raw [signatureSize]byte) bool {
	der, err := asn1.Marshal(struct{ R, S *big.Int }{
		new(big.Int).SetBytes(raw[:signatureSize/2]),
		new(big.Int).SetBytes(raw[signatureSize/2:]),
	})
	return err == nil && ecdsa.VerifyASN1(key, sum[:], der)
}
