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
	"path/filepath"
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
		Long: `firmware works on three kinds of file, which it tells apart by their content:

  images      this project's own format, which devices take over DLMS image
              transfer; those of the makers are not published
  OTA files   the published format of the ZigBee OTA cluster, with signatures of
              suite 1 (sect163k1) and suite 2 (sect283k1)
  manifests   JSON: what a release is for, what it goes over, what it needs of
              other devices, which eligible combinations it leads to

pack makes one of a payload, sign signs it, verify judges it as a device would,
inspect shows what it says of itself, diff compares two, plan orders the releases
that bring a home to a goal, campaign has the gateway do so for many homes.`,
		Example: `  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out lab.pem && chmod 600 lab.pem
  smets1 firmware pack --type esme --manufacturer ACME --model E1 --version 2.0 payload.bin e1-2.0.img
  smets1 firmware sign --key lab.pem --signer LAB e1-2.0.img
  openssl pkey -in lab.pem -pubout -out lab.pub
  smets1 firmware verify --trust LAB=lab.pub e1-2.0.img
  smets1 firmware plan --releases releases/ --home chf/ACME/H1/1/1.0 --home esme/ACME/E1/1/1.0`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newFirmwareInspectCommand(), newFirmwareVerifyCommand(), newFirmwarePackCommand(), newFirmwareSignCommand(),
		newFirmwareDiffCommand(), newFirmwarePlanCommand(), newFirmwareCampaignCommand())
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
	BlockSize    int    `json:"block_size,omitempty"`
	Blocks       int    `json:"blocks,omitempty"`
	LastBlock    int    `json:"last_block,omitempty"`
}

func newFirmwareInspectCommand() *cobra.Command {
	asJSON, blockSize := false, 0
	c := &cobra.Command{
		Use:   "inspect FILE…",
		Short: "Show what images, OTA files and manifests say of themselves",
		Long: `inspect shows the header of each file, its parts and its digest, by which the
gateway's firmware.upgrade names an image. It judges neither signature nor
fitness: verify does.`,
		Example: `  smets1 firmware inspect *.img *.ota
  smets1 firmware inspect --json e1-2.0.img | jq -r .sha256
  smets1 firmware inspect --block-size 128 e1-2.0.img`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if blockSize < 0 {
				return usageError{errors.New("--block-size: give a number above zero")}
			}
			var errs []error
			for i, path := range args {
				f, err := readFirmware(path)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				if i > 0 && !asJSON {
					fmt.Fprintln(c.OutOrStdout())
				}
				if err := f.inspect(c.OutOrStdout(), asJSON, blockSize); err != nil {
					return err
				}
			}
			return errors.Join(errs...)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one line of JSON per file")
	c.Flags().IntVar(&blockSize, "block-size", 0, "say also how many blocks of this size DLMS image transfer takes")
	return c
}

func (r imageReport) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
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
	if r.Blocks > 0 {
		fmt.Fprintf(w, "blocks\t%d of %d octets, the last of %d\n", r.Blocks, r.BlockSize, r.LastBlock)
	}
	return w.Flush()
}

type verifyOptions struct {
	trust     []string
	simulator bool
	device    string
	hardware  uint16
	running   string
	ota       otaTrustOptions
}

func newFirmwareVerifyCommand() *cobra.Command {
	o := verifyOptions{}
	c := &cobra.Command{
		Use:   "verify FILE…",
		Short: "Judge images, OTA files and manifests as a device would",
		Long: `verify checks form, digest and signature of each file, and with --device (of OTA
files --ota-device) whether it fits that device. Of a manifest it checks the
signature and the image beside it. It prints ok or the reason for which a device
refuses the file, as a stable word and a sentence. The exit status is 0 if all
are fine, else 1.

An OTA file is signed by the holder of an implicit certificate; --authority names
who may certify, --ota-signer who may sign.`,
		Example: `  smets1 firmware verify --trust LAB=lab.pub e1-2.0.img
  smets1 firmware verify --simulator --device esme/ACME/E1 --hardware 3 --running 1.9 e1-2.0.img
  smets1 firmware verify --authority 00-DB-00-00-00-00-00-CA=ca.hex --ota-device 1209/0007 --running 01000000 g1.ota`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.OutOrStdout(), args) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.trust, "trust", nil, "NAME=FILE: a signer and its public key, PEM, P-256 (repeatable)")
	f.BoolVar(&o.simulator, "simulator", false, "trust the keys of the simulator, as simulated devices do and no real one may")
	f.StringVar(&o.device, "device", "", "TYPE/MANUFACTURER/MODEL of a device that images must fit")
	f.Uint16Var(&o.hardware, "hardware", 0, "hardware revision of the device")
	f.StringVar(&o.running, "running", "", "firmware version that the device runs; of an OTA device 8 hexadecimal digits (default: any)")
	o.ota.add(f)
	return c
}

func (o *verifyOptions) run(w io.Writer, paths []string) error {
	j, err := o.judge()
	if err != nil {
		return err
	}
	refused := 0
	for _, path := range paths {
		f, err := readFirmware(path)
		if err == nil {
			err = f.judge(j)
		}
		var r *firmware.Refusal
		var usage usageError
		switch {
		case err == nil:
			fmt.Fprintf(w, "%s: ok\n", path)
			continue
		case errors.As(err, &usage):
			return err
		case errors.As(err, &r):
			fmt.Fprintf(w, "%s: %s: %v (have %s, want %s)\n", path, r.Reason.Code(), r.Reason, r.Have, r.Want)
		default:
			fmt.Fprintf(w, "%s: %s: %v\n", path, firmware.Malformed.Code(), err)
		}
		refused++
	}
	if refused > 0 {
		return fmt.Errorf("%d of %d files are refused", refused, len(paths))
	}
	return nil
}

// judge is whom files are judged for: nobody in particular, or a device.
type judge struct {
	signers firmware.Signers
	device  *firmware.Device // nil: no image must fit
	trust   firmware.OTATrust
	ota     *firmware.OTADevice // nil: no OTA file must fit
}

func (o *verifyOptions) judge() (judge, error) {
	j := judge{signers: firmware.Signers{}}
	if o.simulator {
		j.signers = firmware.SimulatorSigners()
	}
	for _, t := range o.trust {
		name, path, ok := strings.Cut(t, "=")
		if !ok {
			return j, usageError{fmt.Errorf("--trust %q: write NAME=FILE", t)}
		}
		key, err := readPublicKey(path)
		if err != nil {
			return j, usageError{err}
		}
		j.signers[name] = key
	}
	var err error
	if j.trust, err = o.ota.trust(o.simulator); err != nil {
		return j, err
	}
	if len(j.signers) == 0 && len(j.trust.Authorities) == 0 {
		return j, usageError{errors.New("nobody is trusted: name signers by --trust or --authority, or say --simulator")}
	}
	if o.device == "" && o.ota.device == "" && (o.hardware != 0 || o.running != "") {
		return j, usageError{errors.New("--hardware and --running are of a --device")}
	}
	if j.device, err = o.target(j.signers); err == nil {
		j.ota, err = o.ota.target(j.trust, o.hardware, o.running)
	}
	return j, err
}

// target is the device that images must fit; nil without --device.
func (o *verifyOptions) target(s firmware.Signers) (*firmware.Device, error) {
	if o.device == "" {
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

func imageType(word string) (firmware.DeviceType, error) {
	if t, ok := firmware.DeviceTypeOf(word); ok {
		return t, nil
	}
	return 0, usageError{fmt.Errorf("type %q: use chf, esme, gsme or ihd", word)}
}

type packOptions struct {
	header    firmware.Header
	kind      string
	key       string
	simulator bool
	force     bool
	ota       otaPackOptions
	release   releaseOptions
}

// unsigned names the signer of an image that nobody signed.
const unsigned = "UNSIGNED"

func newFirmwarePackCommand() *cobra.Command {
	o := packOptions{}
	c := &cobra.Command{
		Use:   "pack PAYLOAD IMAGE",
		Short: "Make an image of a payload",
		Long: `pack puts a header with the payload's digest before it. Without --key or
--simulator the image is not signed, and every device refuses it until sign did.

With --ota it makes an OTA file for the HAN instead, of whatever payload: where
the device takes this project's images over the air, the payload is such an
image. With --release it also writes the release's manifest beside the image.`,
		Example: `  smets1 firmware pack --type esme --manufacturer ACME --model E1 --version 2.0 payload.bin e1-2.0.img
  smets1 firmware pack --type gsme --manufacturer ACME --model G1 --version 1.1 --hardware-to 4 --simulator payload.bin g1-1.1.img
  smets1 firmware pack --ota 1209/0007/01000001 --integrity --simulator g1-1.1.img g1-1.1.ota
  smets1 firmware pack --type esme --manufacturer ACME --model E1 --version 2.0 --release e1-2.0.json --from 1.9 --needs chf=1.4 payload.bin e1-2.0.img`,
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
	o.ota.add(f)
	o.release.add(f)
	return c
}

func (o *packOptions) run(w io.Writer, payloadPath, imagePath string) error {
	if o.ota.id != "" {
		return o.packOTA(w, payloadPath, imagePath)
	}
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
	if err := writeImage(w, imagePath, b, o.force); err != nil || o.release.path == "" {
		return err
	}
	return o.release.write(w, o.header, key, filepath.Base(imagePath), b, o.force)
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
		key, signer, out, otaSigner string
		simulator                   bool
		suite                       uint8
	)
	c := &cobra.Command{
		Use:   "sign FILE",
		Short: "Sign an image, OTA file or manifest, in place of the signature that it has",
		Long: `sign writes the signer's name into the file and signs it. The file is replaced in
one step, or kept as it is where something is wrong.

Images and manifests are signed with a key on P-256, by --key and --signer. OTA
files are signed by --ota-key, a JSON file that nobody else may read:

  {"format": "smets1-ota-signer/1", "suite": 1,
   "private_key": "…42 hex…", "certificate": "…96 hex…"}

Suite 2 has 72 and 148 digits. The certificate is the signer's implicit one, as
the authority of the network issues it.`,
		Example: `  smets1 firmware sign --key lab.pem --signer LAB e1-2.0.img
  smets1 firmware sign --simulator --out signed.img e1-2.0.img
  smets1 firmware sign --ota-key signer.json g1-1.1.ota`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			k, name, err := signingKey(key, signer, simulator)
			if err != nil {
				return err
			}
			if k == nil && otaSigner == "" {
				return usageError{errors.New("name a key by --key and --signer, for an OTA file by --ota-key, or say --simulator")}
			}
			f, err := readFirmware(args[0])
			if err != nil {
				return err
			}
			b, err := f.sign(signing{key: k, signer: name, simulator: simulator, otaKey: otaSigner, suite: suite})
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
	f.Uint8Var(&suite, "suite", 1, "with --simulator, the suite of an OTA file's signature: 1 or 2")
	f.StringVar(&otaSigner, "ota-key", "", "key and certificate for OTA files, JSON, which nobody else may read")
	f.StringVar(&out, "out", "", "write the signed file here (default: over the file)")
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
