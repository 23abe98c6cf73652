package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"smets1/cmd/internal/config"
	"smets1/firmware"
)

func newFirmwareCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "firmware",
		Short: "Look into, check, make and sign firmware images",
		Long: `firmware works on image files of this project's own format; those of the makers
are not published. pack makes an image of a payload, sign signs it, verify judges
it as a device would, inspect shows what it says of itself.`,
		Example: `  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out lab.pem && chmod 600 lab.pem
  smets1 firmware pack --type esme --manufacturer ACME --model E1 --version 2.0 payload.bin e1-2.0.img
  smets1 firmware sign --key lab.pem --signer LAB e1-2.0.img
  openssl pkey -in lab.pem -pubout -out lab.pub
  smets1 firmware verify --trust LAB=lab.pub e1-2.0.img`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newFirmwareInspectCommand(), newFirmwareVerifyCommand(), newFirmwarePackCommand(), newFirmwareSignCommand())
	return c
}

// imageReport is what there is to say about an image.
type imageReport struct {
	File         string `json:"file"`
	SHA256       string `json:"sha256"`
	Type         string `json:"type"`
	Manufacturer string `json:"manufacturer"`
	Model        string `json:"model"`
	HardwareFrom uint16 `json:"hardware_from"`
	HardwareTo   uint16 `json:"hardware_to"`
	Version      string `json:"version"`
	Signer       string `json:"signer"`
	Signed       bool   `json:"signed"`
	Size         int    `json:"size"`
	PayloadSize  uint32 `json:"payload_size"`
	PayloadOK    bool   `json:"payload_digest_ok"`
}

// readImage reads a file that is one image and nothing more.
func readImage(path string) ([]byte, firmware.Image, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, firmware.Image{}, usageError{err}
	}
	m, n, err := firmware.ParseImage(b)
	if err == nil && n != len(b) {
		err = fmt.Errorf("%d octets follow the image: cut them off", len(b)-n)
	}
	if err != nil {
		return nil, firmware.Image{}, fmt.Errorf("%s: %w", path, err)
	}
	return b, m, nil
}

func newFirmwareInspectCommand() *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "inspect FILE…",
		Short: "Show what images say of themselves",
		Long:  "inspect shows the header of each image and its digest, by which the gateway's\nfirmware.upgrade names it. It judges neither signature nor fitness: verify does.",
		Example: `  smets1 firmware inspect *.img
  smets1 firmware inspect --json e1-2.0.img | jq -r .sha256`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var errs []error
			for i, path := range args {
				b, m, err := readImage(path)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				r := imageReport{
					File: path, SHA256: firmware.DigestOf(b).String(), Type: m.Type.String(), Manufacturer: m.Manufacturer, Model: m.Model,
					HardwareFrom: m.HardwareFrom, HardwareTo: m.HardwareTo, Version: m.Version, Signer: m.Signer,
					Signed: m.Signature != [len(m.Signature)]byte{}, Size: len(b), PayloadSize: m.PayloadSize, PayloadOK: sha256.Sum256(m.Payload) == m.PayloadSum,
				}
				if err := r.print(c.OutOrStdout(), asJSON, i > 0); err != nil {
					return err
				}
			}
			return errors.Join(errs...)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one line of JSON per image")
	return c
}

func (r imageReport) print(out io.Writer, asJSON, another bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	if another {
		fmt.Fprintln(out)
	}
	signature := "there, by " + r.Signer
	if !r.Signed {
		signature = "none"
	}
	payload := "matches its digest"
	if !r.PayloadOK {
		payload = "DOES NOT MATCH its digest: the image is corrupt"
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "file\t%s\nsha256\t%s\nfor\t%s %s %s, hardware %d to %d\nversion\t%s\nsignature\t%s\nsize\t%d octets\npayload\t%d octets, %s\n",
		r.File, r.SHA256, r.Type, r.Manufacturer, r.Model, r.HardwareFrom, r.HardwareTo, r.Version, signature, r.Size, r.PayloadSize, payload)
	return w.Flush()
}

type verifyOptions struct {
	trust     []string
	simulator bool
	device    string
	hardware  uint16
	running   string
}

func newFirmwareVerifyCommand() *cobra.Command {
	o := verifyOptions{}
	c := &cobra.Command{
		Use:   "verify FILE…",
		Short: "Judge images as a device would",
		Long: `verify checks form, digest and signature of each image, and with --device whether
it fits that device. It prints ok or the reason for which a device refuses it, as
a stable word and a sentence. The exit status is 0 if all are fine, else 1.`,
		Example: `  smets1 firmware verify --trust LAB=lab.pub e1-2.0.img
  smets1 firmware verify --simulator --device esme/ACME/E1 --hardware 3 --running 1.9 e1-2.0.img`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.OutOrStdout(), args) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.trust, "trust", nil, "NAME=FILE: a signer and its public key, PEM, P-256 (repeatable)")
	f.BoolVar(&o.simulator, "simulator", false, "trust the key of the simulator, as simulated devices do and no real one may")
	f.StringVar(&o.device, "device", "", "TYPE/MANUFACTURER/MODEL of a device that it must fit")
	f.Uint16Var(&o.hardware, "hardware", 0, "hardware revision of that device")
	f.StringVar(&o.running, "running", "", "firmware version that the device runs (default: any)")
	return c
}

func (o *verifyOptions) run(w io.Writer, paths []string) error {
	signers := firmware.Signers{}
	if o.simulator {
		signers = firmware.SimulatorSigners()
	}
	for _, t := range o.trust {
		name, path, ok := strings.Cut(t, "=")
		if !ok {
			return usageError{fmt.Errorf("--trust %q: write NAME=FILE", t)}
		}
		key, err := readPublicKey(path)
		if err != nil {
			return usageError{err}
		}
		signers[name] = key
	}
	if len(signers) == 0 {
		return usageError{errors.New("nobody is trusted: name signers by --trust, or say --simulator")}
	}
	device, err := o.target(signers)
	if err != nil {
		return err
	}
	refused := 0
	for _, path := range paths {
		err := o.check(path, device, signers)
		var r *firmware.Refusal
		switch {
		case err == nil:
			fmt.Fprintf(w, "%s: ok\n", path)
			continue
		case errors.As(err, &r):
			fmt.Fprintf(w, "%s: %s: %v (have %s, want %s)\n", path, r.Reason.Code(), r.Reason, r.Have, r.Want)
		default:
			fmt.Fprintf(w, "%s: %s: %v\n", path, firmware.Malformed.Code(), err)
		}
		refused++
	}
	if refused > 0 {
		return fmt.Errorf("%d of %d images are refused", refused, len(paths))
	}
	return nil
}

// target is the device that images must fit; nil without --device.
func (o *verifyOptions) target(s firmware.Signers) (*firmware.Device, error) {
	if o.device == "" {
		if o.hardware != 0 || o.running != "" {
			return nil, usageError{errors.New("--hardware and --running are of a --device")}
		}
		return nil, nil
	}
	parts := strings.SplitN(o.device, "/", 3)
	if len(parts) != 3 {
		return nil, usageError{fmt.Errorf("--device %q: write TYPE/MANUFACTURER/MODEL", o.device)}
	}
	t, err := imageType(parts[0])
	if err != nil {
		return nil, err
	}
	return &firmware.Device{Type: t, Manufacturer: parts[1], Model: parts[2], Hardware: o.hardware, Version: o.running, Signers: s}, nil
}

func (o *verifyOptions) check(path string, device *firmware.Device, s firmware.Signers) error {
	b, m, err := readImage(path)
	if err != nil {
		return err
	}
	if device == nil {
		return m.Verify(s)
	}
	_, err = firmware.Check(b, *device)
	return err
}

func imageType(word string) (firmware.DeviceType, error) {
	for _, t := range []firmware.DeviceType{firmware.Hub, firmware.ESME, firmware.GSME, firmware.IHD} {
		if t.String() == word {
			return t, nil
		}
	}
	return 0, usageError{fmt.Errorf("type %q: use chf, esme, gsme or ihd", word)}
}

type packOptions struct {
	header    firmware.Header
	kind      string
	key       string
	simulator bool
	force     bool
}

// unsigned names the signer of an image that nobody signed.
const unsigned = "UNSIGNED"

func newFirmwarePackCommand() *cobra.Command {
	o := packOptions{}
	c := &cobra.Command{
		Use:   "pack PAYLOAD IMAGE",
		Short: "Make an image of a payload",
		Long:  "pack puts a header with the payload's digest before it. Without --key or\n--simulator the image is not signed, and every device refuses it until sign did.",
		Example: `  smets1 firmware pack --type esme --manufacturer ACME --model E1 --version 2.0 payload.bin e1-2.0.img
  smets1 firmware pack --type gsme --manufacturer ACME --model G1 --version 1.1 --hardware-to 4 --simulator payload.bin g1-1.1.img`,
		Args: usageArgs(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.OutOrStdout(), args[0], args[1]) },
	}
	f := c.Flags()
	f.StringVar(&o.kind, "type", "", "device: chf, esme, gsme or ihd")
	f.StringVar(&o.header.Manufacturer, "manufacturer", "", "manufacturer of the device")
	f.StringVar(&o.header.Model, "model", "", "model of the device")
	f.Uint16Var(&o.header.HardwareFrom, "hardware-from", 0, "lowest hardware revision that it fits")
	f.Uint16Var(&o.header.HardwareTo, "hardware-to", 65535, "highest hardware revision that it fits")
	f.StringVar(&o.header.Version, "version", "", "firmware version")
	f.StringVar(&o.header.Signer, "signer", "", "name of the signing key, with --key")
	f.StringVar(&o.key, "key", "", "sign with this private key, PEM, P-256")
	f.BoolVar(&o.simulator, "simulator", false, "sign with the key of the simulator, which is no secret")
	f.BoolVar(&o.force, "force", false, "write over an image that is there")
	return c
}

func (o *packOptions) run(w io.Writer, payloadPath, imagePath string) error {
	var err error
	if o.header.Type, err = imageType(o.kind); err != nil {
		return err
	}
	payload, err := os.ReadFile(payloadPath)
	if err != nil {
		return usageError{err}
	}
	key, signer, err := signingKey(o.key, o.header.Signer, o.simulator)
	if err != nil {
		return err
	}
	var b []byte
	if o.header.Signer = signer; key != nil {
		b, err = firmware.Sign(o.header, payload, key)
	} else {
		o.header.Signer = unsigned
		o.header.PayloadSize, o.header.PayloadSum = uint32(min(len(payload), firmware.MaxPayload+1)), sha256.Sum256(payload)
		b, err = (&firmware.Image{Header: o.header, Payload: payload}).AppendBinary(nil)
	}
	if err != nil {
		return usageError{err}
	}
	return writeImage(w, imagePath, b, o.force)
}

func writeImage(w io.Writer, path string, b []byte, force bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	err := writeFile(path, flags, 0o644, func(f io.Writer) error {
		_, err := f.Write(b)
		return err
	})
	if errors.Is(err, fs.ErrExist) {
		return usageError{fmt.Errorf("%s is there already: name another file, or say --force", path)}
	}
	if err == nil {
		fmt.Fprintf(w, "%s  %s\n", firmware.DigestOf(b), path)
	}
	return err
}

// signingKey is what to sign with; no key without a flag.
func signingKey(path, signer string, simulator bool) (*ecdsa.PrivateKey, string, error) {
	switch {
	case simulator && (path != "" || signer != ""):
		return nil, "", usageError{errors.New("--simulator has its own key and signer: leave out --key and --signer")}
	case simulator:
		return firmware.SimulatorKey(), firmware.SimulatorSigner, nil
	case path == "" && signer == "":
		return nil, "", nil
	case path == "" || signer == "":
		return nil, "", usageError{errors.New("--key and --signer go together")}
	}
	key, err := readPrivateKey(path)
	if err != nil {
		return nil, "", usageError{err}
	}
	return key, signer, nil
}

func newFirmwareSignCommand() *cobra.Command {
	var (
		key, signer, out string
		simulator        bool
	)
	c := &cobra.Command{
		Use:   "sign IMAGE",
		Short: "Sign an image, in place of the signature that it has",
		Long:  "sign writes the signer's name into the header and signs the image. The file is\nreplaced in one step, or kept as it is where something is wrong.",
		Example: `  smets1 firmware sign --key lab.pem --signer LAB e1-2.0.img
  smets1 firmware sign --simulator --out signed.img e1-2.0.img`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			k, name, err := signingKey(key, signer, simulator)
			if err != nil {
				return err
			}
			if k == nil {
				return usageError{errors.New("name a key by --key and --signer, or say --simulator")}
			}
			_, m, err := readImage(args[0])
			if err != nil {
				return err
			}
			m.Signer = name
			b, err := firmware.Sign(m.Header, m.Payload, k)
			if err != nil {
				return usageError{err}
			}
			if out != "" {
				return writeImage(c.OutOrStdout(), out, b, false)
			}
			fresh := args[0] + ".new"
			if err := writeImage(io.Discard, fresh, b, true); err != nil {
				return err
			}
			if err := os.Rename(fresh, args[0]); err != nil {
				return errors.Join(err, os.Remove(fresh))
			}
			fmt.Fprintf(c.OutOrStdout(), "%s  %s\n", firmware.DigestOf(b), args[0])
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&key, "key", "", "private key, PEM, P-256, which nobody else may read")
	f.StringVar(&signer, "signer", "", "name of the key, by which devices know it")
	f.BoolVar(&simulator, "simulator", false, "use the key of the simulator, which is no secret")
	f.StringVar(&out, "out", "", "write the signed image here (default: over the image)")
	return c
}

func readPEM(path string, kinds ...string) ([]byte, string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil, "", fmt.Errorf("%s: there is no %s in PEM", path, strings.Join(kinds, " or "))
		}
		for _, k := range kinds {
			if block.Type == k {
				return block.Bytes, k, nil
			}
		}
	}
}

func readPrivateKey(path string) (*ecdsa.PrivateKey, error) {
	if err := config.CheckSecret(path); err != nil {
		return nil, err
	}
	der, kind, err := readPEM(path, "PRIVATE KEY", "EC PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	var parsed any
	if kind == "EC PRIVATE KEY" {
		parsed, err = x509.ParseECPrivateKey(der)
	} else {
		parsed, err = x509.ParsePKCS8PrivateKey(der)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s: not a key on P-256: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes one", path)
	}
	return key, nil
}

func readPublicKey(path string) (*ecdsa.PublicKey, error) {
	der, kind, err := readPEM(path, "PUBLIC KEY", "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	var parsed any
	if kind == "CERTIFICATE" {
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(der); err == nil {
			parsed = cert.PublicKey
		}
	} else {
		parsed, err = x509.ParsePKIXPublicKey(der)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s: not a key on P-256", path)
	}
	return key, nil
}
