package firmware

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"smets1/internal/wire"
)

// Limits of the format.
const (
	MaxManufacturer = 30
	MaxModel        = 30
	MaxVersion      = 8 // as in the data transfer catalogue
	MaxSigner       = 32
	// MaxPayload is what this package makes or reads, in octets. A device
	// has its own limit, which Check takes.
	MaxPayload = 8 << 20

	magic         = "S1FW"
	format        = 1
	signatureSize = 64
)

// DeviceType says what kind of device an image is for.
type DeviceType uint8

// The device types, with the numbers of the wire (ours).
const (
	Hub  DeviceType = 1
	ESME DeviceType = 2
	GSME DeviceType = 3
	IHD  DeviceType = 4
)

// String gives the short name that the MQTT contract uses.
func (t DeviceType) String() string {
	switch t {
	case Hub:
		return "chf"
	case ESME:
		return "esme"
	case GSME:
		return "gsme"
	case IHD:
		return "ihd"
	}
	return fmt.Sprintf("device type %d", uint8(t))
}

// Digest names an image: the SHA-256 of its whole file.
type Digest [sha256.Size]byte

// DigestOf is the digest of an encoded image.
func DigestOf(image []byte) Digest { return sha256.Sum256(image) }

// String gives 64 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ParseDigest reads 64 hexadecimal digits.
func ParseDigest(s string) (Digest, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != sha256.Size {
		return Digest{}, fmt.Errorf("firmware: %.70q is not the digest of an image: give the 64 hexadecimal digits of its SHA-256", s)
	}
	return Digest(b), nil
}

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(b []byte) error {
	v, err := ParseDigest(string(b))
	if err == nil {
		*d = v
	}
	return err
}

// Header is what an image says about itself. The package comment has its
// layout.
type Header struct {
	Type         DeviceType
	Manufacturer string
	Model        string
	HardwareFrom uint16 // lowest hardware revision, included
	HardwareTo   uint16 // highest, included
	Version      string
	Signer       string // names the key in a Signers
	PayloadSize  uint32 // octets
	PayloadSum   [sha256.Size]byte
}

// Image is a release image. After ParseImage its slices alias the input.
type Image struct {
	Header
	Payload   []byte
	Signature [signatureSize]byte

	signed []byte // header and payload as they were parsed
}

func (h *Header) validate() error {
	for _, f := range []struct {
		name, text string
		most       int
	}{
		{"manufacturer", h.Manufacturer, MaxManufacturer},
		{"model", h.Model, MaxModel},
		{"version", h.Version, MaxVersion},
		{"signer", h.Signer, MaxSigner},
	} {
		if f.text == "" || len(f.text) > f.most {
			return fmt.Errorf("%s %.40q has %d characters: 1 to %d are allowed", f.name, f.text, len(f.text), f.most)
		}
		for i := range len(f.text) {
			if f.text[i] < ' ' || f.text[i] > '~' {
				return fmt.Errorf("%s %.40q: only printable ASCII is allowed", f.name, f.text)
			}
		}
	}
	if h.Type < Hub || h.Type > IHD {
		return fmt.Errorf("%s is unknown: 1 to 4 are", h.Type)
	}
	if h.HardwareFrom > h.HardwareTo {
		return fmt.Errorf("hardware range %d to %d is empty", h.HardwareFrom, h.HardwareTo)
	}
	if h.PayloadSize == 0 || h.PayloadSize > MaxPayload {
		return fmt.Errorf("payload of %d octets: 1 to %d are allowed", h.PayloadSize, MaxPayload)
	}
	return nil
}

func (h *Header) appendBinary(b []byte) ([]byte, error) {
	if err := h.validate(); err != nil {
		return b, fmt.Errorf("firmware: encode image: %w", err)
	}
	start := len(b)
	b = append(b, magic...)
	b = append(b, format, byte(h.Type), 0, 0)
	text := func(s string) { b = append(append(b, byte(len(s))), s...) }
	text(h.Manufacturer)
	text(h.Model)
	b = binary.BigEndian.AppendUint16(b, h.HardwareFrom)
	b = binary.BigEndian.AppendUint16(b, h.HardwareTo)
	text(h.Version)
	text(h.Signer)
	b = binary.BigEndian.AppendUint32(b, h.PayloadSize)
	b = append(b, h.PayloadSum[:]...)
	binary.BigEndian.PutUint16(b[start+6:], uint16(len(b)-start))
	return b, nil
}

// AppendBinary appends the encoded image, signature included as it is.
func (m *Image) AppendBinary(b []byte) ([]byte, error) {
	if uint32(len(m.Payload)) != m.PayloadSize {
		return b, fmt.Errorf("firmware: encode image: header says %d octets of payload, there are %d", m.PayloadSize, len(m.Payload))
	}
	b, err := m.appendBinary(b)
	if err != nil {
		return b, err
	}
	return append(append(b, m.Payload...), m.Signature[:]...), nil
}

// ParseHeader reads the header at the front of b; n is how long it is. A
// device uses it before the payload has arrived.
func ParseHeader(b []byte) (h Header, n int, err error) {
	r := wire.NewReader(b)
	if m := r.Bytes(len(magic)); m != nil && string(m) != magic {
		r.Failf("magic is %x: not an image of this format", m)
	}
	if v := r.U8(); r.Err() == nil && v != format {
		r.Failf("format %d: this release reads format %d", v, format)
	}
	h.Type = DeviceType(r.U8())
	size := int(r.U16())
	text := func() string { return string(r.Bytes(int(r.U8()))) }
	h.Manufacturer = text()
	h.Model = text()
	h.HardwareFrom = r.U16()
	h.HardwareTo = r.U16()
	h.Version = text()
	h.Signer = text()
	h.PayloadSize = r.U32()
	copy(h.PayloadSum[:], r.Bytes(sha256.Size))
	if r.Err() == nil && r.Offset() != size {
		r.Failf("header says it is %d octets long", size)
	}
	if r.Err() == nil {
		r.Fail(h.validate())
	}
	if err := r.Err(); err != nil {
		return Header{}, 0, fmt.Errorf("firmware: parse image header: %w", err)
	}
	return h, r.Offset(), nil
}

// Size is how long the whole encoded image is.
func (h *Header) Size() int {
	return 8 + 4 + len(h.Manufacturer) + len(h.Model) + len(h.Version) + len(h.Signer) +
		2 + 2 + 4 + sha256.Size + int(h.PayloadSize) + signatureSize
}

// ParseImage reads an image off the front of b; n is how long it is. It checks
// the form only; Verify and Check judge it.
func ParseImage(b []byte) (m Image, n int, err error) {
	h, off, err := ParseHeader(b)
	if err != nil {
		return Image{}, 0, err
	}
	m.Header = h
	r := wire.NewReader(b[off:])
	m.Payload = r.Bytes(int(h.PayloadSize))
	copy(m.Signature[:], r.Bytes(signatureSize))
	if err := r.Err(); err != nil {
		return Image{}, 0, fmt.Errorf("firmware: parse image: %w", err)
	}
	m.signed = b[:off+len(m.Payload)]
	return m, off + r.Offset(), nil
}
