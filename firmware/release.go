package firmware

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ReleaseFormat is the format member of a release manifest.
const ReleaseFormat = "smets1-firmware-release/1"

// Release is a release manifest: what a release is for, what it may be installed
// over, which file it is, and which rows of the eligible combinations a home
// comes to by it. The format is ours: JSON, signed by ECDSA P-256 with SHA-256
// over its own compact encoding with an empty signature.
type Release struct {
	Format       string   `json:"format"`
	Type         string   `json:"type"` // chf, esme, gsme, ihd
	Manufacturer string   `json:"manufacturer"`
	Model        string   `json:"model"`
	HardwareFrom uint16   `json:"hardware_from"`
	HardwareTo   uint16   `json:"hardware_to"`
	From         []string `json:"from"` // versions that it may be installed over; empty: any older one
	Version      string   `json:"version"`
	// Needs are versions that other devices of the home must run before.
	Needs  []Need `json:"needs,omitempty"`
	Image  File   `json:"image"`
	Notes  string `json:"notes,omitempty"`
	Signer string `json:"signer,omitempty"`
	// Combinations name the rows of the eligible combinations that the release leads to.
	Combinations []string `json:"combinations,omitempty"`
	Signature    string   `json:"signature,omitempty"` // 128 hexadecimal digits, r‖s
}

// Need is a condition on another device of the home: its version must be at
// least this.
type Need struct {
	Type    string `json:"type"`
	Version string `json:"version"`
}

// File says which file an image is.
type File struct {
	Name   string `json:"name"`
	Size   int    `json:"size"`
	SHA256 Digest `json:"sha256"`
}

// FileOf describes a file.
func FileOf(name string, b []byte) File { return File{name, len(b), DigestOf(b)} }

// DeviceTypeOf is the device type of a short name, as String gives it.
func DeviceTypeOf(word string) (t DeviceType, ok bool) {
	for t := Hub; t <= IHD; t++ {
		if t.String() == word {
			return t, true
		}
	}
	return 0, false
}

// DeviceType of the release.
func (r *Release) DeviceType() DeviceType {
	t, _ := DeviceTypeOf(r.Type)
	return t
}

// Over tells whether the release may be installed over a version.
func (r *Release) Over(version string) bool {
	if len(r.From) > 0 {
		return slices.Contains(r.From, version)
	}
	return CompareVersions(version, r.Version) < 0
}

// Validate says all that is wrong with a manifest.
func (r *Release) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("firmware: release manifest: "+format, args...))
	}
	if r.Format != ReleaseFormat {
		bad("format is %.40q: want %q", r.Format, ReleaseFormat)
	}
	if _, ok := DeviceTypeOf(r.Type); !ok {
		bad("type %.20q: want chf, esme, gsme or ihd", r.Type)
	}
	h := Header{
		Type: max(r.DeviceType(), Hub), Manufacturer: r.Manufacturer, Model: r.Model, HardwareFrom: r.HardwareFrom, HardwareTo: r.HardwareTo,
		Version: r.Version, Signer: "-", PayloadSize: 1,
	}
	if err := h.validate(); err != nil {
		bad("%w", err)
	}
	for _, v := range r.From {
		if v == "" || v == r.Version {
			bad("from %q: name versions other than %s", v, r.Version)
		}
	}
	for _, n := range r.Needs {
		if _, ok := DeviceTypeOf(n.Type); !ok || n.Type == r.Type || n.Version == "" {
			bad("needs %.20q %.20q: name another type of device and a version", n.Type, n.Version)
		}
	}
	if r.Image.Name == "" || strings.ContainsAny(r.Image.Name, "/\\") || r.Image.Size <= 0 {
		bad("image: want the name of a file in the same folder and its size, it has %.40q and %d", r.Image.Name, r.Image.Size)
	}
	if s, err := hex.DecodeString(r.Signature); err != nil || len(s) != 0 && len(s) != signatureSize {
		bad("signature: want %d hexadecimal digits", 2*signatureSize)
	}
	if (r.Signature != "") != (r.Signer != "") {
		bad("signer and signature go together")
	}
	return errors.Join(errs...)
}

// ParseRelease reads and checks the form of a manifest.
func ParseRelease(b []byte) (Release, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var r Release
	if err := d.Decode(&r); err != nil {
		return Release{}, fmt.Errorf("firmware: release manifest: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Release{}, errors.New("firmware: release manifest: something follows the JSON object: remove it")
	}
	if err := r.Validate(); err != nil {
		return Release{}, err
	}
	return r, nil
}

// Encode gives the file: JSON with indentation.
func (r *Release) Encode() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("firmware: release manifest: %w", err)
	}
	return append(b, '\n'), nil
}

// signed is what the signature is over.
func (r Release) signed() ([sha256.Size]byte, error) {
	r.Signature = ""
	b, err := json.Marshal(r)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("firmware: release manifest: %w", err)
	}
	return sha256.Sum256(b), nil
}

// Sign signs the manifest in the name of a signer.
func (r *Release) Sign(signer string, key *ecdsa.PrivateKey) error {
	signed := *r
	signed.Signer = signer
	sum, err := signed.signed()
	if err != nil {
		return err
	}
	raw, err := signDigest(key, sum)
	if err != nil {
		return fmt.Errorf("firmware: sign release manifest: %w", err)
	}
	signed.Signature = hex.EncodeToString(raw[:])
	if err := signed.Validate(); err != nil {
		return err
	}
	*r = signed
	return nil
}

// Verify checks the signature, and that file is the image it names. A failure
// is a *Refusal.
func (r *Release) Verify(s Signers, file []byte) error {
	if got := FileOf(r.Image.Name, file); got != r.Image {
		return &Refusal{BadDigest, fmt.Sprintf("%d octets, %.16s…", got.Size, got.SHA256), fmt.Sprintf("%d octets, %.16s…", r.Image.Size, r.Image.SHA256)}
	}
	key := s[r.Signer]
	if key == nil {
		return &Refusal{UnknownSigner, fmt.Sprintf("%q", r.Signer), "one of the signers trusted"}
	}
	sum, err := r.signed()
	if err != nil {
		return err
	}
	raw, err := hex.DecodeString(r.Signature)
	if err != nil || len(raw) != signatureSize || !verifyDigest(key, sum, [signatureSize]byte(raw)) {
		return &Refusal{BadSignature, "no match", "a signature by " + r.Signer}
	}
	return nil
}

// Describes checks that the manifest says of an image what the image says of
// itself. A failure is a *Refusal.
func (r *Release) Describes(h Header) error {
	same := func(reason Reason, have, want string) error {
		if have == want {
			return nil
		}
		return &Refusal{reason, have, want + " by the manifest"}
	}
	return errors.Join(
		same(WrongType, h.Type.String(), r.Type),
		same(WrongManufacturer, h.Manufacturer, r.Manufacturer),
		same(WrongModel, h.Model, r.Model),
		same(WrongHardware, fmt.Sprintf("%d to %d", h.HardwareFrom, h.HardwareTo), fmt.Sprintf("%d to %d", r.HardwareFrom, r.HardwareTo)),
		same(OlderVersion, h.Version, r.Version),
	)
}
