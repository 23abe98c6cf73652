package se

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"smets1/internal/wire"
	"smets1/zigbee/internal/le"
	"smets1/zigbee/security"
)

// OTA image files (OTA cluster, clause 11.4; published): a header and elements to the end.
//
//	magic(4)=0BEEF11E version(2)=0100 headerLength(2) fieldControl(2): 0 credential, 1 destination, 2 hardware;
//	manufacturer(2) type(2) fileVersion(4) stackVersion(2) text(32) size(4)
//	[credential(1)] [destination(8)] [minHardware(2) maxHardware(2)]
//	{tag(2) length(4) data}
const (
	otaMagic         = 0x0BEEF11E
	otaHeaderVersion = 0x0100
	otaBaseHeader    = 56
	otaTextSize      = 32
	elementHeader    = 6
)

// ErrImage: a file that is no OTA image, or that is damaged.
var ErrImage = errors.New("not an OTA image file")

// OTAHeader is the header of an image file.
type OTAHeader struct {
	Image        ImageID
	StackVersion uint16 // 2: ZigBee PRO
	Text         string // at most 32 octets
	// Size is that of the whole file in octets.
	Size          uint32
	HasCredential bool
	Credential    uint8 // security credential version: 0 SE 1.0, 1 SE 1.1, 2 SE 2.0
	HasDst        bool
	Dst           wire.EUI64 // the only device it is for
	HasHardware   bool
	MinHardware   uint16
	MaxHardware   uint16
}

// Length is the length of the header in octets.
func (h *OTAHeader) Length() int {
	n := otaBaseHeader
	if h.HasCredential {
		n++
	}
	if h.HasDst {
		n += 8
	}
	if h.HasHardware {
		n += 4
	}
	return n
}

// AppendBinary appends the header.
func (h OTAHeader) AppendBinary(b []byte) ([]byte, error) {
	if len(h.Text) > otaTextSize || strings.HasSuffix(h.Text, "\x00") {
		return b, fmt.Errorf("se: header text %q: want at most %d octets that do not end with zero: %w", h.Text, otaTextSize, ErrImage)
	}
	b = binary.LittleEndian.AppendUint32(b, otaMagic)
	b = binary.LittleEndian.AppendUint16(b, otaHeaderVersion)
	b = binary.LittleEndian.AppendUint16(b, uint16(h.Length()))
	b = binary.LittleEndian.AppendUint16(b, uint16(bit(h.HasCredential, 0)|bit(h.HasDst, 1)|bit(h.HasHardware, 2)))
	b = binary.LittleEndian.AppendUint16(b, h.Image.Manufacturer)
	b = binary.LittleEndian.AppendUint16(b, h.Image.ImageType)
	b = binary.LittleEndian.AppendUint32(b, h.Image.FileVersion)
	b = binary.LittleEndian.AppendUint16(b, h.StackVersion)
	var text [otaTextSize]byte
	copy(text[:], h.Text)
	b = append(b, text[:]...)
	b = binary.LittleEndian.AppendUint32(b, h.Size)
	if h.HasCredential {
		b = append(b, h.Credential)
	}
	if h.HasDst {
		b = le.AppendEUI64(b, h.Dst)
	}
	if h.HasHardware {
		b = binary.LittleEndian.AppendUint16(b, h.MinHardware)
		b = binary.LittleEndian.AppendUint16(b, h.MaxHardware)
	}
	return b, nil
}

// ParseOTAHeader reads the header; n is where the elements begin. It does not look further, so that the first block of a
// download is enough.
func ParseOTAHeader(b []byte) (h OTAHeader, n int, err error) {
	r := wire.NewReader(b)
	if m := r.LE32(); r.Err() == nil && m != otaMagic {
		return h, 0, fmt.Errorf("se: file begins with %08X, want %08X: %w", m, uint32(otaMagic), ErrImage)
	}
	if v := r.LE16(); r.Err() == nil && v != otaHeaderVersion {
		return h, 0, fmt.Errorf("se: header version %04X, want %04X: %w", v, otaHeaderVersion, ErrImage)
	}
	length := int(r.LE16())
	control := r.LE16()
	h.HasCredential, h.HasDst, h.HasHardware = control&1 != 0, control&2 != 0, control&4 != 0
	h.Image = ImageID{r.LE16(), r.LE16(), r.LE32()}
	h.StackVersion = r.LE16()
	h.Text = strings.TrimRight(string(r.Bytes(otaTextSize)), "\x00")
	h.Size = r.LE32()
	if h.HasCredential {
		h.Credential = r.U8()
	}
	if h.HasDst {
		h.Dst = le.EUI64(&r)
	}
	if h.HasHardware {
		h.MinHardware, h.MaxHardware = r.LE16(), r.LE16()
	}
	if r.Err() != nil {
		return h, r.Offset(), r.Err()
	}
	if length < r.Offset() || uint32(length) > h.Size {
		return h, r.Offset(), fmt.Errorf("se: header length %d, with fields of %d in a file of %d octets: %w", length, r.Offset(), h.Size, ErrImage)
	}
	r.Bytes(length - r.Offset()) // of later header versions
	return h, r.Offset(), r.Err()
}

// Tag says what an element is.
type Tag uint16

// The tags; from F000 on they are a manufacturer's own.
const (
	TagImage        Tag = 0x0000
	TagSignature1   Tag = 0x0001 // signer(8, air order) r(21) s(21), suite 1; always last
	TagCertificate1 Tag = 0x0002 // the signer's, 48 octets
	TagIntegrity    Tag = 0x0003 // AES-MMO of all before it
	TagPicture      Tag = 0x0004
	TagSignature2   Tag = 0x0005 // signer(8, air order) r(36) s(36), suite 2; always last
	TagCertificate2 Tag = 0x0006 // the signer's, 74 octets
	TagManufacturer Tag = 0xF000
)

// Element is a part of an image file.
type Element struct {
	Tag  Tag
	Data []byte // a parsed one aliases the input
}

// AppendBinary appends the element.
func (e Element) AppendBinary(b []byte) ([]byte, error) {
	b = binary.LittleEndian.AppendUint16(b, uint16(e.Tag))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.Data)))
	return append(b, e.Data...), nil
}

// ParseElement reads an element.
func ParseElement(b []byte) (e Element, n int, err error) {
	r := wire.NewReader(b)
	e.Tag = Tag(r.LE16())
	size := r.LE32()
	if r.Err() == nil && uint64(size) > uint64(r.Len()) {
		return e, r.Offset(), fmt.Errorf("se: element %04X of %d octets, %d are left: %w", uint16(e.Tag), size, r.Len(), wire.ErrTruncated)
	}
	e.Data = r.Bytes(int(size))
	return e, r.Offset(), r.Err()
}

// OTAImage is a whole image file.
type OTAImage struct {
	Header   OTAHeader // Size is set from the elements when appending
	Elements []Element
}

func (m *OTAImage) size() int {
	n := m.Header.Length()
	for _, e := range m.Elements {
		n += elementHeader + len(e.Data)
	}
	return n
}

// AppendBinary appends the file.
func (m OTAImage) AppendBinary(b []byte) ([]byte, error) {
	m.Header.Size = uint32(m.size())
	b, err := m.Header.AppendBinary(b)
	if err != nil {
		return b, err
	}
	for _, e := range m.Elements {
		if b, err = e.AppendBinary(b); err != nil {
			return b, err
		}
	}
	return b, nil
}

// ParseOTAImage reads a file; what follows the size of its header is not part of it. Signatures are not checked, see
// VerifyOTAImage.
func ParseOTAImage(b []byte) (m OTAImage, n int, err error) {
	if m.Header, n, err = ParseOTAHeader(b); err != nil {
		return m, n, err
	}
	if uint64(m.Header.Size) > uint64(len(b)) {
		return m, n, fmt.Errorf("se: file of %d octets, %d are there: %w", m.Header.Size, len(b), wire.ErrTruncated)
	}
	b = b[:m.Header.Size]
	for n < len(b) {
		e, k, err := ParseElement(b[n:])
		if err != nil {
			return m, n + k, err
		}
		m.Elements = append(m.Elements, e)
		n += k
	}
	return m, n, nil
}

// ErrUnsigned: the file carries no signature. Smart Energy devices refuse such files.
var ErrUnsigned = errors.New("image is not signed")

// ErrSigner: the image is signed, but not by someone who may.
var ErrSigner = errors.New("image is signed by someone who may not")

// signature finds the signature, which is last, and the certificate of its suite.
func (m *OTAImage) signature() (suite security.Suite, signature, certificate []byte, err error) {
	if len(m.Elements) == 0 {
		return 0, nil, nil, fmt.Errorf("se: %w", ErrUnsigned)
	}
	last := m.Elements[len(m.Elements)-1]
	var tag Tag
	switch last.Tag {
	case TagSignature1:
		suite, tag = security.Suite1, TagCertificate1
	case TagSignature2:
		suite, tag = security.Suite2, TagCertificate2
	default:
		return 0, nil, nil, fmt.Errorf("se: the last element has tag %04X: %w", uint16(last.Tag), ErrUnsigned)
	}
	if len(last.Data) != 8+2*suite.ScalarSize() {
		return 0, nil, nil, fmt.Errorf("se: signature element of %d octets, want %d: %w", len(last.Data), 8+2*suite.ScalarSize(), security.ErrSignature)
	}
	for _, e := range m.Elements {
		if e.Tag == tag {
			return suite, last.Data, e.Data, nil
		}
	}
	return 0, nil, nil, fmt.Errorf("se: signature without the signer's certificate: %w", ErrUnsigned)
}

// VerifyOTAImage checks that a whole file is signed by one of the allowed signers, whose certificate is of a known
// authority (OTA cluster, clause 11.7; published): the digest is AES-MMO over everything up to and including the signer's
// EUI-64. It returns the signer. No signers means any of a known authority.
func VerifyOTAImage(b []byte, authorities map[wire.EUI64]security.PublicKey, signers []wire.EUI64) (wire.EUI64, error) {
	m, n, err := ParseOTAImage(b)
	if err != nil {
		return wire.EUI64{}, err
	}
	suite, signature, certificate, err := m.signature()
	if err != nil {
		return wire.EUI64{}, err
	}
	r := wire.NewReader(signature)
	signer := le.EUI64(&r)
	key, err := signerKey(suite, signer, certificate, authorities)
	if err != nil {
		return signer, err
	}
	if len(signers) > 0 && !contains(signers, signer) {
		return signer, fmt.Errorf("se: signer %s is not on the list: %w", signer, ErrSigner)
	}
	if err := key.Verify(security.Hash(b[:n-2*suite.ScalarSize()]), r.Rest()); err != nil {
		return signer, fmt.Errorf("se: image signed by %s: %w", signer, err)
	}
	return signer, nil
}

func contains(list []wire.EUI64, e wire.EUI64) bool {
	for _, x := range list {
		if x == e {
			return true
		}
	}
	return false
}

func signerKey(suite security.Suite, signer wire.EUI64, certificate []byte, authorities map[wire.EUI64]security.PublicKey) (security.PublicKey, error) {
	c, err := security.ParseCertificate(suite, certificate)
	if err != nil {
		return security.PublicKey{}, err
	}
	if c.SubjectID() != signer {
		return security.PublicKey{}, fmt.Errorf("se: signed by %s with the certificate of %s: %w", signer, c.SubjectID(), ErrSigner)
	}
	if c2, ok := c.(security.Certificate2); ok && c2.KeyUsage&security.CertificateUseSignature == 0 {
		return security.PublicKey{}, fmt.Errorf("se: the certificate of %s does not allow signatures: %w", signer, ErrSigner)
	}
	authority, ok := authorities[c.IssuerID()]
	if !ok {
		return security.PublicKey{}, fmt.Errorf("se: the certificate of %s is of an authority that is not known here: %w", signer, ErrSigner)
	}
	return security.CertifiedKey(c, authority)
}

// Sign appends the signer's certificate and signature to the elements: the file is then ready to be appended.
func (m *OTAImage) Sign(rand io.Reader, key security.PrivateKey, c security.Certificate) error {
	certTag, sigTag := TagCertificate1, TagSignature1
	if c.Suite() == security.Suite2 {
		certTag, sigTag = TagCertificate2, TagSignature2
	}
	cert, err := c.AppendBinary(nil)
	if err != nil {
		return err
	}
	signer := le.AppendEUI64(nil, c.SubjectID())
	signed := OTAImage{Header: m.Header, Elements: append(append([]Element(nil), m.Elements...),
		Element{certTag, cert}, Element{sigTag, append(signer, make([]byte, 2*c.Suite().ScalarSize())...)})}
	b, err := signed.AppendBinary(nil)
	if err != nil {
		return err
	}
	sig, err := key.Sign(rand, security.Hash(b[:len(b)-2*c.Suite().ScalarSize()]))
	if err != nil {
		return err
	}
	copy(signed.Elements[len(signed.Elements)-1].Data[8:], sig)
	signed.Header.Size = uint32(signed.size())
	*m = signed
	return nil
}
