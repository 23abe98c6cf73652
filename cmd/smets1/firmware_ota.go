package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"smets1/cmd/internal/config"
	"smets1/firmware"
	"smets1/internal/wire"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl/se"
)

type otaFile struct {
	path  string
	bytes []byte
	file  se.OTAImage
}

var tagNames = map[se.Tag]string{
	se.TagImage: "image", se.TagSignature1: "signature, suite 1", se.TagCertificate1: "certificate, suite 1", se.TagIntegrity: "integrity code",
	se.TagPicture: "picture", se.TagSignature2: "signature, suite 2", se.TagCertificate2: "certificate, suite 2",
}

func tagName(t se.Tag) string {
	if n := tagNames[t]; n != "" {
		return n
	}
	if t >= se.TagManufacturer {
		return "manufacturer's"
	}
	return "unknown"
}

func (f otaFile) rows() []row {
	h := f.file.Header
	rows := []row{
		{"kind", "OTA file"}, {"for", fmt.Sprintf("manufacturer %04X, image type %04X", h.Image.Manufacturer, h.Image.ImageType)},
		{"version", fmt.Sprintf("%08X", h.Image.FileVersion)}, {"stack", fmt.Sprintf("%04X", h.StackVersion)}, {"text", dash(h.Text)},
	}
	if h.HasCredential {
		rows = append(rows, row{"credential", fmt.Sprintf("%02X", h.Credential)})
	}
	if h.HasDst {
		rows = append(rows, row{"only for", h.Dst.String()})
	}
	if h.HasHardware {
		rows = append(rows, row{"hardware", fmt.Sprintf("%04X to %04X", h.MinHardware, h.MaxHardware)})
	}
	for _, e := range f.file.Elements {
		value := fmt.Sprintf("%s, %d octets", tagName(e.Tag), len(e.Data))
		if len(e.Data) <= 16 {
			value += fmt.Sprintf(", %x", e.Data)
		}
		rows = append(rows, row{fmt.Sprintf("element %04X", uint16(e.Tag)), value})
	}
	if there, right := firmware.OTAIntegrity(f.bytes, f.file); there && !right {
		rows = append(rows, row{"integrity", "WRONG: the file is damaged"})
	}
	return rows
}

func (f otaFile) inspect(out io.Writer, asJSON bool, _ int) error {
	if !asJSON {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "file\t%s\nsha256\t%s\n", f.path, firmware.DigestOf(f.bytes))
		for _, r := range f.rows() {
			fmt.Fprintf(w, "%s\t%s\n", r.name, r.value)
		}
		fmt.Fprintf(w, "size\t%d octets\n", len(f.bytes))
		return w.Flush()
	}
	type element struct {
		Tag  string `json:"tag"`
		Name string `json:"name"`
		Size int    `json:"size"`
	}
	h := f.file.Header
	r := struct {
		File         string    `json:"file"`
		SHA256       string    `json:"sha256"`
		Manufacturer string    `json:"manufacturer"`
		ImageType    string    `json:"image_type"`
		FileVersion  string    `json:"file_version"`
		StackVersion uint16    `json:"stack_version"`
		Text         string    `json:"text"`
		Credential   *uint8    `json:"credential,omitempty"`
		Destination  string    `json:"destination,omitempty"`
		Hardware     []uint16  `json:"hardware,omitempty"`
		Elements     []element `json:"elements"`
		Integrity    *bool     `json:"integrity_ok,omitempty"`
		Size         int       `json:"size"`
	}{
		File: f.path, SHA256: firmware.DigestOf(f.bytes).String(), Manufacturer: fmt.Sprintf("%04X", h.Image.Manufacturer), ImageType: fmt.Sprintf("%04X", h.Image.ImageType),
		FileVersion: fmt.Sprintf("%08X", h.Image.FileVersion), StackVersion: h.StackVersion, Text: h.Text, Elements: []element{}, Size: len(f.bytes),
	}
	if h.HasCredential {
		r.Credential = &h.Credential
	}
	if h.HasDst {
		r.Destination = h.Dst.String()
	}
	if h.HasHardware {
		r.Hardware = []uint16{h.MinHardware, h.MaxHardware}
	}
	for _, e := range f.file.Elements {
		r.Elements = append(r.Elements, element{fmt.Sprintf("%04X", uint16(e.Tag)), tagName(e.Tag), len(e.Data)})
	}
	if there, right := firmware.OTAIntegrity(f.bytes, f.file); there {
		r.Integrity = &right
	}
	return json.NewEncoder(out).Encode(r)
}

func (f otaFile) judge(j judge) error {
	if j.ota == nil {
		_, err := firmware.VerifyOTA(f.bytes, j.trust)
		return err
	}
	_, err := firmware.CheckOTA(f.bytes, *j.ota)
	return err
}

func (f otaFile) sign(s signing) ([]byte, error) {
	signer, err := s.otaSigner()
	if err != nil {
		return nil, err
	}
	if signer.Certificate == nil {
		return nil, errors.New("an OTA file is signed by --ota-key, or say --simulator")
	}
	there, _ := firmware.OTAIntegrity(f.bytes, f.file)
	return firmware.PackOTA(f.file, there, signer, rand.Reader)
}

func (f otaFile) payload() []byte { return firmware.OTAPayload(f.file) }

// otaSigner is what signs OTA files; the zero one where nothing was said.
func (s *signing) otaSigner() (firmware.OTASigner, error) {
	switch {
	case s.simulator && s.otaKey != "":
		return firmware.OTASigner{}, errors.New("--simulator has its own key: leave out --ota-key")
	case s.suite != 1 && s.suite != 2 || s.suite == 2 && !s.simulator:
		return firmware.OTASigner{}, errors.New("--suite: 1 or 2, and only of --simulator: a key has its own")
	case s.simulator:
		return firmware.SimulatorOTASigner(security.Suite(s.suite)), nil
	case s.otaKey == "":
		return firmware.OTASigner{}, nil
	}
	return readOTASigner(s.otaKey)
}

func readOTASigner(path string) (firmware.OTASigner, error) {
	if err := config.CheckSecret(path); err != nil {
		return firmware.OTASigner{}, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return firmware.OTASigner{}, err
	}
	var f struct {
		Format      string `json:"format"`
		Suite       uint16 `json:"suite"`
		PrivateKey  string `json:"private_key"`
		Certificate string `json:"certificate"`
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return firmware.OTASigner{}, fmt.Errorf("%s: not the JSON of the format", path) // the cause may quote the key
	}
	if f.Format != "smets1-ota-signer/1" {
		return firmware.OTASigner{}, fmt.Errorf("%s: format is %.40q: want smets1-ota-signer/1", path, f.Format)
	}
	s := security.Suite(f.Suite)
	raw, err := hex.DecodeString(f.PrivateKey)
	if err != nil {
		return firmware.OTASigner{}, fmt.Errorf("%s: private_key is not hexadecimal", path)
	}
	key, err := security.ParsePrivateKey(s, raw)
	if err != nil {
		return firmware.OTASigner{}, fmt.Errorf("%s: private_key: %w", path, err)
	}
	der, err := hex.DecodeString(f.Certificate)
	if err != nil {
		return firmware.OTASigner{}, fmt.Errorf("%s: certificate is not hexadecimal", path)
	}
	c, err := security.ParseCertificate(s, der)
	if err != nil {
		return firmware.OTASigner{}, fmt.Errorf("%s: certificate: %w", path, err)
	}
	return firmware.OTASigner{Key: key, Certificate: c}, nil
}

// otaPackOptions are those of pack for OTA files.
type otaPackOptions struct {
	id, dst, text, key string
	stack              uint16
	credential         int
	integrity          bool
	suite              uint8
}

func (o *otaPackOptions) add(f *pflag.FlagSet) {
	f.StringVar(&o.id, "ota", "", "make an OTA file: MANUFACTURER/IMAGETYPE/FILEVERSION, hexadecimal")
	f.StringVar(&o.dst, "destination", "", "EUI-64 of the only device that an OTA file is for")
	f.StringVar(&o.text, "text", "", "text in the header of an OTA file, at most 32 characters")
	f.Uint16Var(&o.stack, "stack", 2, "stack version of an OTA file (2: ZigBee PRO)")
	f.IntVar(&o.credential, "credential", -1, "security credential version of an OTA file: 0 SE 1.0, 1 SE 1.1, 2 SE 2.0")
	f.BoolVar(&o.integrity, "integrity", false, "put an integrity code into an OTA file")
	f.Uint8Var(&o.suite, "suite", 1, "with --simulator, the suite of an OTA file's signature: 1 or 2")
	f.StringVar(&o.key, "ota-key", "", "sign an OTA file with this key and certificate, JSON (see sign)")
}

// otaID reads MANUFACTURER/IMAGETYPE and, with version, /FILEVERSION.
func otaID(s, flag string, version bool) (id se.ImageID, err error) {
	p := strings.Split(s, "/")
	want, bits := "MANUFACTURER/IMAGETYPE", []int{16, 16}
	if version {
		want, bits = want+"/FILEVERSION", append(bits, 32)
	}
	var n [3]uint64
	if len(p) != len(bits) {
		return id, usageError{fmt.Errorf("%s %q: write %s in hexadecimal", flag, s, want)}
	}
	for i := range p {
		if n[i], err = strconv.ParseUint(p[i], 16, bits[i]); err != nil {
			return id, usageError{fmt.Errorf("%s %q: %q is not a number of %d hexadecimal digits", flag, s, p[i], bits[i]/4)}
		}
	}
	return se.ImageID{Manufacturer: uint16(n[0]), ImageType: uint16(n[1]), FileVersion: uint32(n[2])}, nil
}

func (o *packOptions) packOTA(w io.Writer, payloadPath, path string) error {
	switch {
	case o.kind != "" || o.header.Manufacturer != "" || o.header.Model != "" || o.header.Version != "" || o.key != "" || o.header.Signer != "" || o.release.path != "":
		return usageError{errors.New("--ota says what an OTA file is for: leave out what is of images and manifests")}
	case o.ota.credential > 255:
		return usageError{errors.New("--credential: 0 to 255")}
	}
	id, err := otaID(o.ota.id, "--ota", true)
	if err != nil {
		return err
	}
	m := se.OTAImage{Header: se.OTAHeader{Image: id, StackVersion: o.ota.stack, Text: o.ota.text}}
	if o.ota.credential >= 0 {
		m.Header.HasCredential, m.Header.Credential = true, uint8(o.ota.credential)
	}
	if o.ota.dst != "" {
		if m.Header.Dst, err = parseDevice(o.ota.dst); err != nil {
			return err
		}
		m.Header.HasDst = true
	}
	if o.header.HardwareFrom != 0 || o.header.HardwareTo != 0xFFFF {
		m.Header.HasHardware, m.Header.MinHardware, m.Header.MaxHardware = true, o.header.HardwareFrom, o.header.HardwareTo
		if o.header.HardwareFrom > o.header.HardwareTo {
			return usageError{fmt.Errorf("hardware range %d to %d is empty", o.header.HardwareFrom, o.header.HardwareTo)}
		}
	}
	payload, err := os.ReadFile(payloadPath)
	if err != nil {
		return usageError{err}
	}
	m.Elements = []se.Element{{Tag: se.TagImage, Data: payload}}
	s := signing{simulator: o.simulator, otaKey: o.ota.key, suite: o.ota.suite}
	signer, err := s.otaSigner()
	if err != nil {
		return usageError{err}
	}
	b, err := firmware.PackOTA(m, o.ota.integrity, signer, rand.Reader)
	if err != nil {
		return usageError{err}
	}
	return writeImage(w, path, b, o.force)
}

// otaTrustOptions are those of verify for OTA files.
type otaTrustOptions struct {
	authorities, signers []string
	device, eui          string
}

func (o *otaTrustOptions) add(f *pflag.FlagSet) {
	f.StringArrayVar(&o.authorities, "authority", nil, "EUI=FILE: who certifies signers of OTA files, and its compressed public key in hexadecimal (repeatable)")
	f.StringArrayVar(&o.signers, "ota-signer", nil, "EUI-64 of who may sign OTA files (default: whoever an authority certified; repeatable)")
	f.StringVar(&o.device, "ota-device", "", "MANUFACTURER/IMAGETYPE, hexadecimal, of a device that OTA files must fit")
	f.StringVar(&o.eui, "ota-eui", "", "EUI-64 of that device")
}

func (o *otaTrustOptions) trust(simulator bool) (firmware.OTATrust, error) {
	t := firmware.OTATrust{Authorities: map[wire.EUI64]security.PublicKey{}}
	for _, a := range o.authorities {
		name, path, ok := strings.Cut(a, "=")
		if !ok {
			return t, usageError{fmt.Errorf("--authority %q: write EUI=FILE", a)}
		}
		eui, err := parseDevice(name)
		if err != nil {
			return t, err
		}
		key, err := readCompressedKey(path)
		if err != nil {
			return t, usageError{fmt.Errorf("%s: %w", path, err)}
		}
		t.Authorities[eui] = key
	}
	for _, s := range o.signers {
		eui, err := parseDevice(s)
		if err != nil {
			return t, err
		}
		t.Signers = append(t.Signers, eui)
	}
	if simulator {
		for _, s := range []security.Suite{security.Suite1, security.Suite2} {
			for eui, key := range firmware.SimulatorOTATrust(s).Authorities {
				t.Authorities[eui] = key
			}
		}
	}
	return t, nil
}

func readCompressedKey(path string) (security.PublicKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return security.PublicKey{}, err
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil {
		return security.PublicKey{}, errors.New("want the compressed public key in hexadecimal and nothing else")
	}
	for _, s := range []security.Suite{security.Suite1, security.Suite2} {
		if len(raw) == s.PointSize() {
			return security.ParsePublicKey(s, raw)
		}
	}
	return security.PublicKey{}, fmt.Errorf("a key of %d octets: want %d (suite 1) or %d (suite 2)", len(raw), security.Suite1.PointSize(), security.Suite2.PointSize())
}

// target is the device that OTA files must fit; nil without --ota-device.
func (o *otaTrustOptions) target(t firmware.OTATrust, hardware uint16, running string) (*firmware.OTADevice, error) {
	if o.device == "" {
		if o.eui != "" {
			return nil, usageError{errors.New("--ota-eui is of an --ota-device")}
		}
		return nil, nil
	}
	id, err := otaID(o.device, "--ota-device", false)
	if err != nil {
		return nil, err
	}
	d := &firmware.OTADevice{Manufacturer: id.Manufacturer, ImageType: id.ImageType, Hardware: hardware, Trust: t}
	if o.eui != "" {
		if d.EUI, err = parseDevice(o.eui); err != nil {
			return nil, err
		}
	}
	if running != "" {
		v, err := strconv.ParseUint(running, 16, 32)
		if err != nil {
			return nil, usageError{fmt.Errorf("--running %q: of an OTA device it is 8 hexadecimal digits", running)}
		}
		d.Version = uint32(v)
	}
	return d, nil
}
