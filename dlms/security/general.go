package security

import (
	"errors"
	"fmt"
	"io"

	"smets1/dlms/apdu"
)

// KeyUse says how the key of a general-ciphering APDU comes about (Green Book, clause 9.2.7.2.4.6; recalled).
type KeyUse uint8

// The ways to a key.
const (
	UseGUEK          KeyUse = iota // key-info names the global unicast key
	UseGBEK                        // key-info names the global broadcast key
	UseWrapped                     // a fresh key travels in key-info, wrapped under the KEK
	UseOnePass                     // C(1e,1s): key-info carries a signed ephemeral public key
	UseStaticUnified               // C(0e,2s): nothing travels, the transaction id makes the key fresh
)

// Values inside key-info.
const (
	identifiedUnicast   = 0
	identifiedBroadcast = 1
	masterKeyID         = 0
	parametersOnePass   = byte(SchemeOnePass)
	parametersStatic    = byte(SchemeStaticUnified)
)

// General is what one party needs for general-ciphering and general-signing with one peer. Each way to a key needs its
// own fields; the others may stay zero.
type General struct {
	Suite     Suite
	Own, Peer SystemTitle
	Keys      KeySet // GAK always; GUEK, GBEK or KEK as used

	AgreementKey  AgreementKey // own static key: to open one-pass, and for the static unified scheme
	PeerAgreement []byte       // the peer's static public key x || y: to seal one-pass, and for the static unified scheme
	SigningKey    SigningKey   // to sign, and to seal one-pass
	PeerSigning   VerifyKey    // to verify, and to open one-pass

	// Rand gives the fresh keys of UseWrapped and UseOnePass.
	Rand io.Reader
}

// Header fills in the titles of a message to the peer.
func (g *General) Header(transactionID []byte) apdu.GeneralHeader {
	return apdu.GeneralHeader{TransactionID: transactionID, Originator: g.Own[:], Recipient: g.Peer[:]}
}

// Seal protects an APDU in a general-ciphering APDU. The header's originator must be us; empty titles are filled in.
// Keys that are made for the one APDU (all but UseGUEK and UseGBEK) may use any counter, 0 for instance. The additional
// authenticated data is SC || AK || the header's fields with their lengths (recalled; the published examples of suite 1 do
// not tell their AK, so no vector proves it).
func (g *General) Seal(h apdu.GeneralHeader, use KeyUse, p Protection, ic uint32, plaintext []byte) (apdu.GeneralCiphering, error) {
	h, err := g.complete(h)
	if err != nil {
		return apdu.GeneralCiphering{}, err
	}
	ek, info, err := g.sealingKey(h, use)
	if err != nil {
		return apdu.GeneralCiphering{}, err
	}
	c, err := NewCipher(g.Suite, ek, g.Keys.GAK)
	if err != nil {
		return apdu.GeneralCiphering{}, err
	}
	content, err := c.seal(nil, g.Own, NewControl(g.Suite, p), ic, h.AppendFields(nil), plaintext)
	if err != nil {
		return apdu.GeneralCiphering{}, err
	}
	return apdu.GeneralCiphering{GeneralHeader: h, KeyInfo: info, Content: content}, nil
}

// Open checks and deciphers a general-ciphering APDU from the peer.
func (g *General) Open(p apdu.GeneralCiphering) (Content, []byte, error) {
	if err := g.fromPeer(p.GeneralHeader); err != nil {
		return Content{}, nil, err
	}
	ek, err := g.openingKey(p)
	if err != nil {
		return Content{}, nil, err
	}
	c, err := NewCipher(g.Suite, ek, g.Keys.GAK)
	if err != nil {
		return Content{}, nil, err
	}
	// Key-info, not SC, names the key here; a broadcast bit in SC changes nothing.
	c.broadcast = c.unicast
	return c.open(nil, g.Peer, p.Content, p.AppendFields(nil))
}

// Sign wraps an APDU, plain or ciphered, in a general-signing APDU. The signature is over the header's fields and the
// content, each with its length (recalled).
func (g *General) Sign(h apdu.GeneralHeader, content []byte) (apdu.GeneralSigning, error) {
	h, err := g.complete(h)
	if err != nil {
		return apdu.GeneralSigning{}, err
	}
	p := apdu.GeneralSigning{GeneralHeader: h, Content: content}
	p.Signature, err = g.SigningKey.Sign(signedBytes(p))
	return p, err
}

// Verify checks a general-signing APDU from the peer.
func (g *General) Verify(p apdu.GeneralSigning) error {
	if err := g.fromPeer(p.GeneralHeader); err != nil {
		return err
	}
	return g.PeerSigning.Verify(signedBytes(p), p.Signature)
}

func signedBytes(p apdu.GeneralSigning) []byte { return appendOctets(p.AppendFields(nil), p.Content) }

func (g *General) complete(h apdu.GeneralHeader) (apdu.GeneralHeader, error) {
	if len(h.Originator) == 0 {
		h.Originator = g.Own[:]
	}
	if len(h.Recipient) == 0 {
		h.Recipient = g.Peer[:]
	}
	if t, err := TitleFrom(h.Originator); err != nil || t != g.Own {
		return h, fmt.Errorf("security: originator % X is not us (%v)", h.Originator, g.Own)
	}
	return h, nil
}

// fromPeer refuses what others sent, what was meant for others, and our own messages come back.
func (g *General) fromPeer(h apdu.GeneralHeader) error {
	if t, err := TitleFrom(h.Originator); err != nil || t != g.Peer {
		return fmt.Errorf("security: originator % X is not the peer (%v)", h.Originator, g.Peer)
	}
	if t, err := TitleFrom(h.Recipient); len(h.Recipient) > 0 && (err != nil || t != g.Own) {
		return fmt.Errorf("security: recipient % X is not us (%v)", h.Recipient, g.Own)
	}
	return nil
}

func (g *General) sealingKey(h apdu.GeneralHeader, use KeyUse) (Key, apdu.KeyInfo, error) {
	switch use {
	case UseGUEK:
		return g.Keys.GUEK, apdu.KeyInfo{Kind: apdu.KeyInfoIdentified, KeyID: identifiedUnicast}, nil
	case UseGBEK:
		return g.Keys.GBEK, apdu.KeyInfo{Kind: apdu.KeyInfoIdentified, KeyID: identifiedBroadcast}, nil
	case UseWrapped:
		if g.Rand == nil {
			return Key{}, apdu.KeyInfo{}, errors.New("security: a wrapped key needs randomness (General.Rand)")
		}
		k, err := GenerateKey(g.Rand, g.Suite)
		if err != nil {
			return Key{}, apdu.KeyInfo{}, err
		}
		w, err := WrapKey(g.Keys.KEK, k)
		return k, apdu.KeyInfo{Kind: apdu.KeyInfoWrapped, KeyID: masterKeyID, Ciphered: w}, err
	case UseOnePass:
		return g.onePass()
	case UseStaticUnified:
		k, err := AgreeStatic(g.AgreementKey, g.PeerAgreement, g.Own, g.Peer, h.TransactionID)
		return k, apdu.KeyInfo{Kind: apdu.KeyInfoAgreed, Parameters: []byte{parametersStatic}}, err
	}
	return Key{}, apdu.KeyInfo{}, fmt.Errorf("security: unknown key use %d", use)
}

func (g *General) onePass() (Key, apdu.KeyInfo, error) {
	if g.Rand == nil {
		return Key{}, apdu.KeyInfo{}, errors.New("security: an ephemeral key needs randomness (General.Rand)")
	}
	eph, err := GenerateAgreementKey(g.Rand, g.Suite)
	if err != nil {
		return Key{}, apdu.KeyInfo{}, err
	}
	k, err := AgreeOnePass(eph, g.PeerAgreement, g.Own, g.Peer)
	if err != nil {
		return Key{}, apdu.KeyInfo{}, err
	}
	point := eph.Point()
	sig, err := g.SigningKey.Sign(point)
	return k, apdu.KeyInfo{Kind: apdu.KeyInfoAgreed, Parameters: []byte{parametersOnePass}, Ciphered: append(point, sig...)}, err
}

func (g *General) openingKey(p apdu.GeneralCiphering) (Key, error) {
	info := p.KeyInfo
	switch info.Kind {
	case apdu.KeyInfoNone:
		return g.Keys.GUEK, nil
	case apdu.KeyInfoIdentified:
		switch info.KeyID {
		case identifiedUnicast:
			return g.Keys.GUEK, nil
		case identifiedBroadcast:
			return g.Keys.GBEK, nil
		}
		return Key{}, fmt.Errorf("security: key-info identifies key %d: 0 (GUEK) and 1 (GBEK) are defined", info.KeyID)
	case apdu.KeyInfoWrapped:
		if info.KeyID != masterKeyID {
			return Key{}, fmt.Errorf("security: key-info names key encrypting key %d: only 0 (the master key) is defined", info.KeyID)
		}
		return UnwrapKey(g.Keys.KEK, info.Ciphered)
	case apdu.KeyInfoAgreed:
		if len(info.Parameters) != 1 {
			return Key{}, fmt.Errorf("security: key agreement parameters % X: want 01 or 02", info.Parameters)
		}
		switch info.Parameters[0] {
		case parametersOnePass:
			return g.openOnePass(info.Ciphered)
		case parametersStatic:
			return AgreeStatic(g.AgreementKey, g.PeerAgreement, g.Peer, g.Own, p.TransactionID)
		}
		return Key{}, fmt.Errorf("security: key agreement scheme %02X: 01 (one-pass) and 02 (static unified) are defined", info.Parameters[0])
	}
	return Key{}, fmt.Errorf("security: unknown kind of key-info %d", info.Kind)
}

func (g *General) openOnePass(data []byte) (Key, error) {
	n := g.Suite.PointSize()
	if n == 0 || len(data) != 2*n {
		return Key{}, fmt.Errorf("security: one-pass key data of %d bytes, %v needs %d (public key and signature)", len(data), g.Suite, 2*n)
	}
	if err := g.PeerSigning.Verify(data[:n], data[n:]); err != nil {
		return Key{}, fmt.Errorf("ephemeral public key: %w", err)
	}
	return AgreeOnePass(g.AgreementKey, data[:n], g.Peer, g.Own)
}
