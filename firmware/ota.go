package firmware

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"

	"smets1/internal/wire"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl/se"
)

// The file that a device takes over the air is that of the ZigBee OTA cluster
// (clause 11.4; published): [se.OTAImage] has its layout. What is here judges one
// as a device does, and makes one.

// OTATrust is whose OTA files a device takes.
type OTATrust struct {
	// Authorities are the keys of those who certify signers, by EUI-64.
	Authorities map[wire.EUI64]security.PublicKey
	// Signers may sign. Empty means whoever an authority certified.
	Signers []wire.EUI64
}

// OTADevice is what a device holds against an OTA file.
type OTADevice struct {
	EUI          wire.EUI64 // of the device; zero takes files for one device only as if they were for it
	Manufacturer uint16     // ZigBee manufacturer code
	ImageType    uint16
	Hardware     uint16
	Version      uint32 // file version in use; zero takes any
	MaxSize      int    // octets; zero sets no limit
	Rollback     bool   // take older versions too
	Trust        OTATrust
}

// CheckOTA is the judgement of a device on a whole OTA file: the file, or a
// *Refusal. Octets after the file are Malformed.
func CheckOTA(b []byte, d OTADevice) (se.OTAImage, error) {
	if d.MaxSize > 0 && len(b) > d.MaxSize {
		return se.OTAImage{}, &Refusal{TooBig, fmt.Sprintf("%d octets", len(b)), fmt.Sprintf("at most %d", d.MaxSize)}
	}
	m, err := VerifyOTA(b, d.Trust)
	if err != nil {
		return m, err
	}
	return m, FitsOTA(m.Header, d)
}

// FitsOTA checks what the header says against the device: the early refusal,
// before the elements are there.
func FitsOTA(h se.OTAHeader, d OTADevice) error {
	switch id := h.Image; {
	case id.Manufacturer != d.Manufacturer:
		return &Refusal{WrongManufacturer, fmt.Sprintf("%04X", id.Manufacturer), fmt.Sprintf("%04X", d.Manufacturer)}
	case id.ImageType != d.ImageType:
		return &Refusal{WrongModel, fmt.Sprintf("image type %04X", id.ImageType), fmt.Sprintf("image type %04X", d.ImageType)}
	case h.HasDst && d.EUI != wire.EUI64{} && h.Dst != d.EUI:
		return &Refusal{WrongDevice, h.Dst.String(), d.EUI.String()}
	case h.HasHardware && (d.Hardware < h.MinHardware || d.Hardware > h.MaxHardware):
		return &Refusal{WrongHardware, fmt.Sprintf("%04X to %04X", h.MinHardware, h.MaxHardware), fmt.Sprintf("%04X", d.Hardware)}
	case !d.Rollback && id.FileVersion < d.Version:
		return &Refusal{OlderVersion, fmt.Sprintf("%08X", id.FileVersion), fmt.Sprintf("%08X or newer", d.Version)}
	case d.MaxSize > 0 && uint64(h.Size) > uint64(d.MaxSize):
		return &Refusal{TooBig, fmt.Sprintf("%d octets", h.Size), fmt.Sprintf("at most %d", d.MaxSize)}
	}
	return nil
}

// VerifyOTA checks form, integrity code (where there is one) and signature of a
// whole file. Smart Energy wants the signature (OTA cluster, clause 11.7), so a
// file without is refused as of an unknown signer.
func VerifyOTA(b []byte, t OTATrust) (se.OTAImage, error) {
	m, n, err := se.ParseOTAImage(b)
	if err != nil {
		return m, &Refusal{Malformed, err.Error(), "an OTA file"}
	}
	if n != len(b) {
		return m, &Refusal{Malformed, fmt.Sprintf("%d octets", len(b)), fmt.Sprintf("%d by its header", n)}
	}
	if len(OTAPayload(m)) == 0 {
		return m, &Refusal{Malformed, "no image element", "an image element that is not empty"}
	}
	if err := checkIntegrity(b, m); err != nil {
		return m, err
	}
	signer, err := se.VerifyOTAImage(b, t.Authorities, t.Signers)
	switch {
	case err == nil:
		return m, nil
	case errors.Is(err, security.ErrSignature):
		return m, &Refusal{BadSignature, "no match", "a signature by " + signer.String()}
	case errors.Is(err, se.ErrUnsigned):
		return m, &Refusal{UnknownSigner, "no signature", "one of the device's signers"}
	case errors.Is(err, se.ErrSigner):
		return m, &Refusal{UnknownSigner, signer.String(), "one of the device's signers"}
	}
	// A certificate that cannot be read names nobody.
	return m, &Refusal{UnknownSigner, err.Error(), "a certificate of a known authority"}
}

// OTAPayload is the firmware in a file: its image elements, one after the other.
func OTAPayload(m se.OTAImage) []byte {
	var b []byte
	for _, e := range m.Elements {
		if e.Tag == se.TagImage {
			b = append(b, e.Data...)
		}
	}
	return b
}

// OTAIntegrity tells whether a file has an integrity code and whether that is
// right. The code is AES-MMO over all octets before it, the tag and length of
// its own element included (OTA cluster, clause 11.4; recalled).
func OTAIntegrity(b []byte, m se.OTAImage) (there, right bool) {
	for _, e := range m.Elements {
		there = there || e.Tag == se.TagIntegrity
	}
	return there, checkIntegrity(b, m) == nil
}

func checkIntegrity(b []byte, m se.OTAImage) error {
	at := m.Header.Length()
	if _, n, err := se.ParseOTAHeader(b); err == nil {
		at = n // a later header may be longer
	}
	for _, e := range m.Elements {
		if at += otaElementHeader; e.Tag == se.TagIntegrity {
			if want := security.Hash(b[:at]); !slices.Equal(e.Data, want[:]) {
				return &Refusal{BadDigest, fmt.Sprintf("%x", e.Data), fmt.Sprintf("%x", want)}
			}
		}
		at += len(e.Data)
	}
	return nil
}

const otaElementHeader = 6

// OTASigner signs OTA files. The zero OTASigner leaves them unsigned.
type OTASigner struct {
	Key         security.PrivateKey
	Certificate security.Certificate
}

// PackOTA encodes a file, with an integrity code if wanted, and signs it.
// Integrity code, certificate and signature that m has already go. random makes
// the signature's nonce.
func PackOTA(m se.OTAImage, integrity bool, s OTASigner, random io.Reader) ([]byte, error) {
	m.Elements = slices.DeleteFunc(slices.Clone(m.Elements), func(e se.Element) bool {
		return e.Tag == se.TagIntegrity || e.Tag == se.TagCertificate1 || e.Tag == se.TagSignature1 || e.Tag == se.TagCertificate2 || e.Tag == se.TagSignature2
	})
	if len(OTAPayload(m)) == 0 {
		return nil, fmt.Errorf("firmware: OTA file: there is no image in it")
	}
	if integrity {
		// The code covers the size in the header, so what follows must be
		// there, in length, before it can be computed.
		sized := m
		sized.Elements = append(slices.Clone(m.Elements), se.Element{Tag: se.TagIntegrity, Data: make([]byte, security.HashSize)})
		if c := s.Certificate; c != nil {
			suite := c.Suite()
			sized.Elements = append(sized.Elements, se.Element{Data: make([]byte, suite.CertificateSize())}, se.Element{Data: make([]byte, 8+2*suite.ScalarSize())})
		}
		b, err := sized.AppendBinary(nil)
		if err != nil {
			return nil, fmt.Errorf("firmware: OTA file: %w", err)
		}
		end := m.Header.Length()
		for _, e := range m.Elements {
			end += otaElementHeader + len(e.Data)
		}
		code := security.Hash(b[:end+otaElementHeader])
		m.Elements = append(m.Elements, se.Element{Tag: se.TagIntegrity, Data: code[:]})
	}
	if s.Certificate != nil {
		if err := m.Sign(random, s.Key, s.Certificate); err != nil {
			return nil, fmt.Errorf("firmware: sign OTA file: %w", err)
		}
	}
	b, err := m.AppendBinary(nil)
	if err != nil {
		return nil, fmt.Errorf("firmware: OTA file: %w", err)
	}
	return b, nil
}

// SimulatorOTAID is who signs the OTA files of simulated devices.
var SimulatorOTAID = wire.MustEUI64("00-DB-F0-00-00-00-00-01")

// simulatorAuthority certifies that signer, one authority for each suite.
func simulatorAuthority(s security.Suite) wire.EUI64 {
	return wire.EUI64([]byte(fmt.Sprintf("SIMSECA%d", s)))
}

type simulatedSigner struct {
	signer    OTASigner
	authority security.PublicKey
}

var simulatedSigners = [3]func() simulatedSigner{1: sync.OnceValue(func() simulatedSigner { return simulateSigner(security.Suite1) }),
	2: sync.OnceValue(func() simulatedSigner { return simulateSigner(security.Suite2) })}

func simulateSigner(s security.Suite) simulatedSigner {
	random := rand.NewChaCha8([32]byte([]byte("simulator OTA: not a secret ....")))
	root, err := security.GeneratePrivateKey(random, s)
	if err != nil {
		panic(err) // the generator above never fails
	}
	ca, err := security.NewSimulatorCA(root)
	if err != nil {
		panic(err)
	}
	var template security.Certificate = security.Certificate1{Subject: SimulatorOTAID, Issuer: simulatorAuthority(s), Attributes: [10]byte{1, 9}}
	if s == security.Suite2 {
		template = security.Certificate2{Subject: SimulatorOTAID, Issuer: simulatorAuthority(s), Curve: 0x0D, Hash: 0x08, KeyUsage: security.CertificateUseSignature}
	}
	c, key, err := ca.Mint(random, template)
	if err != nil {
		panic(err)
	}
	return simulatedSigner{OTASigner{key, c}, ca.Public()}
}

// SimulatorOTASigner signs the OTA files of simulated devices, in a suite.
// Anybody can compute it from this source: never let a real device trust it.
func SimulatorOTASigner(s security.Suite) OTASigner { return simulatedSigners[s]().signer }

// SimulatorOTATrust is what simulated devices trust for a suite.
func SimulatorOTATrust(s security.Suite) OTATrust {
	return OTATrust{Authorities: map[wire.EUI64]security.PublicKey{simulatorAuthority(s): simulatedSigners[s]().authority}, Signers: []wire.EUI64{SimulatorOTAID}}
}
