package security

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/le"
)

// KeyID says which key secured a frame (ZigBee specification, table 4-31; published).
type KeyID uint8

// The key identifiers.
const (
	KeyIDLink      KeyID = 0 // data key: the link key itself
	KeyIDNetwork   KeyID = 1
	KeyIDTransport KeyID = 2 // key-transport key, see [Key.KeyTransport]
	KeyIDLoad      KeyID = 3 // key-load key, see [Key.KeyLoad]
)

// String names the key.
func (k KeyID) String() string {
	switch k {
	case KeyIDLink:
		return "link key"
	case KeyIDNetwork:
		return "network key"
	case KeyIDTransport:
		return "key-transport key"
	case KeyIDLoad:
		return "key-load key"
	}
	return fmt.Sprintf("key identifier %d", uint8(k))
}

// Level is ENC-MIC-32, the security level of every ZigBee network. It is computed with, but sent as zero.
const Level = 5

const (
	levelMask    = 0x07
	extendedBit  = 0x20
	verifiedBit  = 0x40
	controlKnown = 0x7F
)

// Aux is the auxiliary security header of NWK and APS frames (ZigBee specification, clause 4.5.1; published).
//
//	control(1) frameCounter(4) [source(8) if extended] [keySequence(1) if network key]
//	control: 0-2 level (0 on the air, 5 in the computation), 3-4 key identifier, 5 extended nonce, 6 verified counter
type Aux struct {
	KeyID    KeyID
	Extended bool // the source EUI-64 is carried
	// Verified says, since R23, that the sender's counter was verified by the trust centre (recalled). Older stacks leave it.
	Verified bool
	Counter  uint32
	// Source is the sender of the frame. It enters the nonce whether carried or not: without Extended the receiver
	// fills it in from the short address before opening.
	Source wire.EUI64
	// KeySequence is the network key's sequence number; only with KeyIDNetwork.
	KeySequence uint8
}

// Size is the encoded length.
func (a *Aux) Size() int {
	n := 5
	if a.Extended {
		n += 8
	}
	if a.KeyID == KeyIDNetwork {
		n++
	}
	return n
}

func (a *Aux) control() byte {
	c := byte(a.KeyID&3) << 3
	if a.Extended {
		c |= extendedBit
	}
	if a.Verified {
		c |= verifiedBit
	}
	return c
}

// AppendBinary appends the header with level 0, as sent.
func (a Aux) AppendBinary(b []byte) ([]byte, error) { return a.append(b, 0), nil }

func (a *Aux) append(b []byte, level byte) []byte {
	b = append(b, a.control()|level)
	b = binary.LittleEndian.AppendUint32(b, a.Counter)
	if a.Extended {
		b = le.AppendEUI64(b, a.Source)
	}
	if a.KeyID == KeyIDNetwork {
		b = append(b, a.KeySequence)
	}
	return b
}

// ParseAux reads an auxiliary header.
func ParseAux(b []byte) (a Aux, n int, err error) {
	r := wire.NewReader(b)
	a.read(&r)
	return a, r.Offset(), r.Err()
}

func (a *Aux) read(r *wire.Reader) {
	c := r.U8()
	if l := c & levelMask; l != 0 && l != Level {
		r.Failf("security level %d: this network uses level 5 (ENC-MIC-32), sent as 0", l)
	}
	if c&^byte(controlKnown) != 0 {
		r.Failf("security control %02X has reserved bits set", c)
	}
	a.KeyID = KeyID(c >> 3 & 3)
	a.Extended, a.Verified = c&extendedBit != 0, c&verifiedBit != 0
	a.Counter = r.LE32()
	if a.Extended {
		a.Source = le.EUI64(r)
	}
	if a.KeyID == KeyIDNetwork {
		a.KeySequence = r.U8()
	}
}

// Nonce is the CCM* nonce: source(8, air order) frameCounter(4) control(1, with level 5).
func (a *Aux) Nonce() (n [NonceSize]byte) {
	for i := range 8 {
		n[i] = a.Source[7-i]
	}
	binary.LittleEndian.PutUint32(n[8:], a.Counter)
	n[12] = a.control() | Level
	return n
}

// SealFrame secures the frame of which b[start:] is the header and payload the content: it appends aux header, ciphertext
// and MIC. The header, including everything in b from start, is authenticated.
func SealFrame(b []byte, start int, a *Aux, c *Cipher, payload []byte) []byte {
	at := len(b)
	b = a.append(b, Level)
	nonce := a.Nonce()
	b = c.Seal(b, &nonce, payload, b[start:])
	b[at] &^= levelMask
	return b
}

// OpenFrame opens a secured frame in place. frame[:head] is the header before the auxiliary header, which a holds as parsed
// (with Source filled in when it was not carried). The payload it returns aliases frame. After an error the frame's
// content is lost; try several keys on copies.
func OpenFrame(frame []byte, head int, a *Aux, c *Cipher) ([]byte, error) {
	body := head + a.Size()
	if body > len(frame) {
		return nil, fmt.Errorf("security: frame of %d octets ends inside its headers: %w", len(frame), wire.ErrTruncated)
	}
	was := frame[head]
	frame[head] = was&^levelMask | Level
	nonce := a.Nonce()
	out, err := c.Open(frame[:body], &nonce, frame[body:], frame[:body])
	frame[head] = was
	if err != nil {
		return nil, fmt.Errorf("security: frame of %s with counter %d under the %s: %w", a.Source, a.Counter, a.KeyID, err)
	}
	return out[body:], nil
}
