package security

import (
	"errors"
	"fmt"
	"io"
)

// Algorithm ids of the key derivation: the DER value of 2.16.756.5.8.3.0 and .1 (published).
var (
	algorithmAES128 = [7]byte{0x60, 0x85, 0x74, 0x05, 0x08, 0x03, 0x00}
	algorithmAES256 = [7]byte{0x60, 0x85, 0x74, 0x05, 0x08, 0x03, 0x01}
)

// DeriveKey is the single-step key derivation of NIST SP 800-56A as Green Book clause 9.2.3.4.6.5 uses it (published):
// hash(00000001 || Z || AlgorithmID || partyU || partyV), of which the first KeySize bytes are the key.
func DeriveKey(s Suite, z Secret, partyU, partyV []byte) (Key, error) {
	if err := s.checkPublic(); err != nil {
		return Key{}, err
	}
	if z.Len() == 0 {
		return Key{}, errors.New("security: key derivation without a shared secret")
	}
	alg := algorithmAES128
	if s == Suite2 {
		alg = algorithmAES256
	}
	h := s.hash().New()
	h.Write([]byte{0, 0, 0, 1})
	h.Write(z.bytes())
	h.Write(alg[:])
	h.Write(partyU)
	h.Write(partyV)
	return NewKey(h.Sum(nil)[:s.KeySize()])
}

// Scheme is a key agreement scheme, with the number that general-ciphering's key parameters and the key agreement method
// know it by (Green Book, clause 9.2.3.4.6; published).
type Scheme uint8

// The schemes.
const (
	SchemeEphemeralUnified Scheme = 0 // C(2e,0s): method key_agreement of the security setup
	SchemeOnePass          Scheme = 1 // C(1e,1s): originator ephemeral, recipient static
	SchemeStaticUnified    Scheme = 2 // C(0e,2s): both static, the transaction id makes the key fresh
)

// AgreeEphemeral derives a global key from two ephemeral keys: the originator's title is party U.
func AgreeEphemeral(own AgreementKey, peerPoint []byte, originator, recipient SystemTitle) (Key, error) {
	z, err := own.SharedSecret(peerPoint)
	if err != nil {
		return Key{}, err
	}
	return DeriveKey(own.suite, z, originator[:], recipient[:])
}

// AgreeOnePass derives the key of C(1e,1s). own is the originator's ephemeral key with the recipient's static public key,
// or the recipient's static key with the originator's ephemeral public key.
func AgreeOnePass(own AgreementKey, peerPoint []byte, originator, recipient SystemTitle) (Key, error) {
	return AgreeEphemeral(own, peerPoint, originator, recipient)
}

// AgreeStatic derives the key of C(0e,2s) for one transaction: party U is the originator's title followed by the
// transaction id with its length.
func AgreeStatic(own AgreementKey, peerPoint []byte, originator, recipient SystemTitle, transactionID []byte) (Key, error) {
	if len(transactionID) == 0 || len(transactionID) > 0x7F {
		return Key{}, fmt.Errorf("security: transaction id of %d bytes: the static scheme takes 1 to 127, each used once", len(transactionID))
	}
	z, err := own.SharedSecret(peerPoint)
	if err != nil {
		return Key{}, err
	}
	u := append(originator[:len(originator):len(originator)], byte(len(transactionID)))
	return DeriveKey(own.suite, z, append(u, transactionID...), recipient[:])
}

// KeyAgreementOffer is one element of method key_agreement: an ephemeral public key and the signature over
// key_id || public key.
type KeyAgreementOffer struct {
	ID        KeyID
	Point     []byte
	Signature []byte
}

// NewKeyAgreementOffer draws an ephemeral key and signs its public half.
func NewKeyAgreementOffer(r io.Reader, id KeyID, signer SigningKey) (KeyAgreementOffer, AgreementKey, error) {
	eph, err := GenerateAgreementKey(r, signer.Suite())
	if err != nil {
		return KeyAgreementOffer{}, AgreementKey{}, err
	}
	o := KeyAgreementOffer{ID: id, Point: eph.Point()}
	if o.Signature, err = signer.Sign(o.message()); err != nil {
		return KeyAgreementOffer{}, AgreementKey{}, err
	}
	return o, eph, nil
}

// ParseKeyAgreementOffer splits the octet string of a key_agreement element.
func ParseKeyAgreementOffer(s Suite, id KeyID, data []byte) (KeyAgreementOffer, error) {
	if err := s.checkPublic(); err != nil {
		return KeyAgreementOffer{}, err
	}
	n := s.PointSize()
	if len(data) != 2*n {
		return KeyAgreementOffer{}, fmt.Errorf("security: key agreement data of %d bytes, %v needs %d (public key and signature)", len(data), s, 2*n)
	}
	return KeyAgreementOffer{ID: id, Point: data[:n:n], Signature: data[n:]}, nil
}

// Data is the octet string of the element: public key and signature.
func (o KeyAgreementOffer) Data() []byte {
	return append(append([]byte(nil), o.Point...), o.Signature...)
}

// Verify checks who offered the key.
func (o KeyAgreementOffer) Verify(k VerifyKey) error { return k.Verify(o.message(), o.Signature) }

func (o KeyAgreementOffer) message() []byte { return append([]byte{byte(o.ID)}, o.Point...) }
