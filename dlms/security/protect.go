package security

import (
	"encoding/binary"
	"slices"
)

// AppendService appends a service-specific ciphered APDU, global (glo-) or dedicated (ded-): tag, length, content.
func (c *Cipher) AppendService(dst []byte, tag byte, title SystemTitle, sc Control, ic uint32, plaintext []byte) ([]byte, error) {
	n := SealedLen(sc, len(plaintext))
	out := append(slices.Grow(dst, 1+5+n+TagSize), tag)
	return c.sealOrNothing(dst, appendLength(out, n), title, sc, ic, nil, plaintext)
}

// AppendGeneral appends a general-glo-ciphering (DB) or general-ded-ciphering (DC) APDU: tag, the sender's system title
// with its length, then length and content.
func (c *Cipher) AppendGeneral(dst []byte, tag byte, title SystemTitle, sc Control, ic uint32, plaintext []byte) ([]byte, error) {
	n := SealedLen(sc, len(plaintext))
	out := append(slices.Grow(dst, 1+1+len(title)+5+n+TagSize), tag, byte(len(title)))
	out = append(out, title[:]...)
	return c.sealOrNothing(dst, appendLength(out, n), title, sc, ic, nil, plaintext)
}

// sealOrNothing seals behind the header in out, and gives dst back as it was if that fails.
func (c *Cipher) sealOrNothing(dst, out []byte, title SystemTitle, sc Control, ic uint32, extra, plaintext []byte) ([]byte, error) {
	out, err := c.seal(out, title, sc, ic, extra, plaintext)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// appendLength appends an A-XDR length. (Package axdr has the same for values; this package stays free of values.)
func appendLength(b []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(b, byte(n))
	case n <= 0xFF:
		return append(b, 0x81, byte(n))
	case n <= 0xFFFF:
		return append(b, 0x82, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint32(append(b, 0x84), uint32(n))
}

// appendOctets appends an octet string without its type tag: length and bytes.
func appendOctets(b, v []byte) []byte { return append(appendLength(b, len(v)), v...) }
