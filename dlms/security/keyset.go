package security

import "fmt"

// KeyID names a global key in key_transfer and key_agreement (class 64; Blue Book; published).
type KeyID uint8

// The global keys.
const (
	KeyGUEK KeyID = 0 // global unicast encryption key
	KeyGBEK KeyID = 1 // global broadcast encryption key
	KeyGAK  KeyID = 2 // global authentication key
	KeyKEK  KeyID = 3 // master key, the key encrypting key; key_transfer of newer Blue Books names it too
)

// String is the key's usual abbreviation.
func (id KeyID) String() string {
	switch id {
	case KeyGUEK:
		return "GUEK"
	case KeyGBEK:
		return "GBEK"
	case KeyGAK:
		return "GAK"
	case KeyKEK:
		return "KEK"
	}
	return fmt.Sprintf("unknown key id %d", uint8(id))
}

// KeySet is the symmetric keys of one device. A zero Key is a key the device does not have.
type KeySet struct {
	GUEK, GBEK, GAK, KEK Key
}

// Get returns the key with that id; the zero Key for an unknown id.
func (k KeySet) Get(id KeyID) Key {
	switch id {
	case KeyGUEK:
		return k.GUEK
	case KeyGBEK:
		return k.GBEK
	case KeyGAK:
		return k.GAK
	case KeyKEK:
		return k.KEK
	}
	return Key{}
}

// With returns the set with one key replaced; the receiver keeps its own.
func (k KeySet) With(id KeyID, key Key) (KeySet, error) {
	switch id {
	case KeyGUEK:
		k.GUEK = key
	case KeyGBEK:
		k.GBEK = key
	case KeyGAK:
		k.GAK = key
	case KeyKEK:
		k.KEK = key
	default:
		return k, fmt.Errorf("security: %v: use 0 (GUEK), 1 (GBEK), 2 (GAK) or 3 (KEK)", id)
	}
	return k, nil
}

// Equal compares every key in constant time.
func (k KeySet) Equal(o KeySet) bool {
	eq := k.GUEK.Equal(o.GUEK)
	eq = k.GBEK.Equal(o.GBEK) && eq
	eq = k.GAK.Equal(o.GAK) && eq
	return k.KEK.Equal(o.KEK) && eq
}

// Cipher prepares the set's GUEK, GAK and, where there is one, GBEK for an association under suite s.
func (k KeySet) Cipher(s Suite) (*Cipher, error) {
	c, err := NewCipher(s, k.GUEK, k.GAK)
	if err != nil {
		return nil, err
	}
	if !k.GBEK.IsZero() {
		if err := c.SetBroadcastKey(k.GBEK); err != nil {
			return nil, err
		}
	}
	return c, nil
}
