package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"smets1/dlms/client"
	"smets1/dlms/hdlc"
	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/gateway/keystore"
	"smets1/internal/wire"
)

// dlmsProfile is a client profile file: how to reach a device and open an
// association with it. Secrets are named, not written: env:NAME is a variable
// of the environment, file:PATH a file, from the profile's folder.
type dlmsProfile struct {
	Target string `yaml:"target"` // as the argument of the commands, which goes before it
	Behind string `yaml:"behind"` // EUI-64 of a meter behind the hub
	// Network is the network id in the gateway prefix. Absent: 1.
	Network *uint8 `yaml:"network"`
	Client  uint16 `yaml:"client"` // absent: 16, the public client; 1 with a mechanism
	Server  uint16 `yaml:"server"` // absent: 1, the management logical device

	Mechanism string `yaml:"mechanism"` // none, lls, hls, md5, sha1, gmac, sha256; absent: none
	Password  string `yaml:"password"`  // of lls, hls, md5, sha1 and sha256: env: or file:

	Suite       uint8       `yaml:"suite"`
	Keys        profileKeys `yaml:"keys"`
	ClientTitle string      `yaml:"clientTitle"` // 16 hexadecimal digits
	ServerTitle string      `yaml:"serverTitle"` // absent: the device tells
	Protection  string      `yaml:"protection"`  // both, authenticated, encrypted, none; absent: both where there is a GUEK
	Wrapping    string      `yaml:"wrapping"`    // service, general or ciphering; absent: service
	Dedicated   bool        `yaml:"dedicated"`   // ask for a dedicated key

	// Counter is where invocation counters come from: "device" asks it as the public
	// client, file:PATH keeps the next one, a number begins there. Absent: device.
	Counter       string `yaml:"counter"`
	CounterObject string `yaml:"counterObject"` // absent: 0-0:43.1.0.255
	PublicClient  uint16 `yaml:"publicClient"`  // absent: 16

	MaxPDU  uint16        `yaml:"maxPDU"`  // absent: 1024
	Timeout time.Duration `yaml:"timeout"` // of one request; absent: 30s
	HDLC    profileHDLC   `yaml:"hdlc"`

	dir string
}

type profileKeys struct {
	Handover string `yaml:"handover"` // a key handover file
	Device   string `yaml:"device"`   // whose keys of it; absent: the meter behind, or the only hub
	GUEK     string `yaml:"guek"`     // env: or file:, 32 or 64 hexadecimal digits
	GBEK     string `yaml:"gbek"`
	GAK      string `yaml:"gak"`
	KEK      string `yaml:"kek"`
}

type profileHDLC struct {
	Physical    *uint16 `yaml:"physical"`    // lower address; absent: none, the address has one byte
	AddressSize uint8   `yaml:"addressSize"` // 1, 2 or 4; absent: as short as it can be
	MaxInfo     uint16  `yaml:"maxInfo"`     // absent: 128
	Window      uint8   `yaml:"window"`      // absent: 1
}

func loadDLMSProfile(path string) (dlmsProfile, error) {
	p := dlmsProfile{}
	if path == "" {
		return p, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return p, usageError{err}
	}
	d := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict())
	if err := d.Decode(&p); err != nil {
		return p, usageError{fmt.Errorf("client profile %s:\n%w", path, err)}
	}
	p.dir = filepath.Dir(path)
	return p, nil
}

// source reads what env:NAME or file:PATH names. Errors never show the content.
func (p *dlmsProfile) source(field, s string) (string, error) {
	kind, name, _ := strings.Cut(s, ":")
	switch kind {
	case "env":
		v, ok := os.LookupEnv(name)
		if !ok {
			return "", usageError{fmt.Errorf("client profile: %s: the variable %s is not set", field, name)}
		}
		return v, nil
	case "file":
		b, err := os.ReadFile(p.path(name))
		if err != nil {
			return "", usageError{fmt.Errorf("client profile: %s: %w", field, err)}
		}
		return strings.TrimRight(string(b), "\r\n"), nil
	}
	return "", usageError{fmt.Errorf("client profile: %s: write env:NAME or file:PATH, not the secret itself", field)}
}

func (p *dlmsProfile) path(name string) string {
	if filepath.IsAbs(name) || p.dir == "" {
		return name
	}
	return filepath.Join(p.dir, name)
}

var mechanisms = map[string]security.Mechanism{
	"": security.MechanismNone, "none": security.MechanismNone, "lls": security.MechanismLLS, "hls": security.MechanismHLS,
	"md5": security.MechanismMD5, "sha1": security.MechanismSHA1, "gmac": security.MechanismGMAC, "sha256": security.MechanismSHA256,
}

var protections = map[string]security.Protection{
	"": 0, "both": security.ProtectBoth, "authenticated": security.ProtectAuth, "encrypted": security.ProtectEnc,
}

// config is the association that the profile describes. Its counter is the caller's to set.
func (p *dlmsProfile) config(s explicitSecrets) (cfg client.Config, err error) {
	bad := func(format string, args ...any) (client.Config, error) {
		return cfg, usageError{fmt.Errorf("client profile: "+format, args...)}
	}
	m, ok := mechanisms[p.Mechanism]
	if !ok {
		return bad("mechanism %q: want none, lls, hls, md5, sha1, gmac or sha256", p.Mechanism)
	}
	protection, ok := protections[p.Protection]
	if !ok && p.Protection != "none" {
		return bad("protection %q: want both, authenticated, encrypted or none", p.Protection)
	}
	if p.Suite > 2 {
		return bad("suite %d: want 0, 1 or 2", p.Suite)
	}
	cfg = client.Config{
		Mechanism: m, Suite: security.Suite(p.Suite), Protection: protection, Plain: p.Protection == "none",
		Dedicated: p.Dedicated, MaxPDU: p.MaxPDU, Timeout: p.Timeout,
	}
	switch p.Wrapping {
	case "", "service":
	case "general":
		cfg.Wrapping = client.WrapGeneral
	case "ciphering":
		cfg.Wrapping = client.WrapCiphering
	default:
		return bad("wrapping %q: want service, general or ciphering", p.Wrapping)
	}
	if cfg.Secret, err = p.password(s); err != nil {
		return cfg, err
	}
	if cfg.Keys, cfg.ServerTitle, err = p.keys(s); err != nil {
		return cfg, err
	}
	for _, t := range []struct {
		field, text string
		to          *security.SystemTitle
	}{{"clientTitle", p.ClientTitle, &cfg.SystemTitle}, {"serverTitle", p.ServerTitle, &cfg.ServerTitle}} {
		if t.text == "" {
			continue
		}
		if *t.to, err = security.ParseSystemTitle(t.text); err != nil {
			return bad("%s: %w", t.field, err)
		}
	}
	ciphered := !cfg.Keys.GUEK.IsZero() && !cfg.Plain
	switch {
	case (ciphered || m == security.MechanismGMAC || m == security.MechanismSHA256) && cfg.SystemTitle.IsZero():
		return bad("clientTitle is missing: ciphering and mechanism %s need the client's system title, 16 hexadecimal digits", p.Mechanism)
	case (ciphered || m == security.MechanismGMAC) && (cfg.Keys.GUEK.IsZero() || cfg.Keys.GAK.IsZero()):
		return bad("keys: ciphering and mechanism gmac need a GUEK and a GAK")
	case m != security.MechanismNone && m != security.MechanismGMAC && cfg.Secret.IsZero():
		return bad("password is missing: mechanism %s needs one", p.Mechanism)
	}
	return cfg, nil
}

// explicitSecrets are those given on the command line, which others on the
// machine can see; their flags say so.
type explicitSecrets struct{ password, guek, gak string }

func (p *dlmsProfile) password(s explicitSecrets) (security.Secret, error) {
	if s.password != "" {
		return security.NewSecret([]byte(s.password)), nil
	}
	if p.Password == "" {
		return security.Secret{}, nil
	}
	text, err := p.source("password", p.Password)
	if err != nil {
		return security.Secret{}, err
	}
	if digits, isHex := strings.CutPrefix(text, "hex:"); isHex {
		b, err := hex.DecodeString(digits)
		if err != nil {
			return security.Secret{}, usageError{errors.New("client profile: password: hex: wants pairs of hexadecimal digits")}
		}
		return security.NewSecret(b), nil
	}
	return security.NewSecret([]byte(text)), nil
}

func (p *dlmsProfile) keys(s explicitSecrets) (set security.KeySet, title security.SystemTitle, err error) {
	if p.Keys.Handover != "" {
		if set, title, err = p.handedOver(); err != nil {
			return set, title, err
		}
	}
	for _, k := range []struct {
		field, source, explicit string
		to                      *security.Key
	}{
		{"keys.guek", p.Keys.GUEK, s.guek, &set.GUEK}, {"keys.gbek", p.Keys.GBEK, "", &set.GBEK},
		{"keys.gak", p.Keys.GAK, s.gak, &set.GAK}, {"keys.kek", p.Keys.KEK, "", &set.KEK},
	} {
		text := k.explicit
		if text == "" && k.source != "" {
			if text, err = p.source(k.field, k.source); err != nil {
				return set, title, err
			}
		}
		if text == "" {
			continue
		}
		if *k.to, err = security.ParseKey(strings.TrimSpace(text)); err != nil {
			return set, title, usageError{fmt.Errorf("client profile: %s: %w", k.field, err)}
		}
	}
	return set, title, nil
}

// handedOver takes the keys of one device from a handover file.
func (p *dlmsProfile) handedOver() (security.KeySet, security.SystemTitle, error) {
	fail := func(err error) (security.KeySet, security.SystemTitle, error) {
		return security.KeySet{}, security.SystemTitle{}, usageError{err}
	}
	b, err := os.ReadFile(p.path(p.Keys.Handover))
	if err != nil {
		return fail(fmt.Errorf("client profile: keys.handover: %w", err))
	}
	h, err := keystore.ParseHandover(b)
	if err != nil {
		return fail(err)
	}
	want := p.Keys.Device
	if want == "" {
		want = p.Behind
	}
	if want == "" {
		hubs := slices.DeleteFunc(slices.Clone(h.Devices), func(d keystore.HandoverDevice) bool { return d.Type != firmware.Hub })
		if len(hubs) != 1 {
			return fail(fmt.Errorf("client profile: keys.device: the handover file has %d hubs: say which device's keys are wanted", len(hubs)))
		}
		return hubs[0].Keys, hubs[0].Title, nil
	}
	eui, err := wire.ParseEUI64(want)
	if err != nil {
		return fail(fmt.Errorf("client profile: keys.device: %w", err))
	}
	i := slices.IndexFunc(h.Devices, func(d keystore.HandoverDevice) bool { return d.EUI == eui })
	if i < 0 {
		return fail(fmt.Errorf("client profile: keys.handover: %s has no keys of %s", p.Keys.Handover, eui))
	}
	return h.Devices[i].Keys, h.Devices[i].Title, nil
}

func (p *dlmsProfile) clientSAP() uint16 {
	switch {
	case p.Client != 0:
		return p.Client
	case mechanisms[p.Mechanism] != security.MechanismNone:
		return 1
	}
	return publicClient
}

func (p *dlmsProfile) serverSAP() uint16 {
	if p.Server != 0 {
		return p.Server
	}
	return 1
}

func (p *dlmsProfile) serverAddress() (hdlc.Address, error) {
	lower := uint16(0)
	size := p.HDLC.AddressSize
	if p.HDLC.Physical != nil {
		lower = *p.HDLC.Physical
	}
	upper := p.serverSAP()
	if size == 0 {
		size = 1
		if p.HDLC.Physical != nil {
			size = 2
		}
		if upper > 0x7F || lower > 0x7F {
			size = 4
		}
	}
	switch {
	case size == 1 && upper <= 0x7F && lower == 0:
		return hdlc.Server1(uint8(upper)), nil
	case size == 2 && upper <= 0x7F && lower <= 0x7F:
		return hdlc.Server2(uint8(upper), uint8(lower)), nil
	case size == 4 && upper <= 0x3FFF && lower <= 0x3FFF:
		return hdlc.Server4(upper, lower), nil
	}
	return hdlc.Address{}, usageError{fmt.Errorf("server %d, physical address %d do not fit an HDLC address of %d bytes", upper, lower, size)}
}

// counterNumber is the counter where the profile gives a number.
func (p *dlmsProfile) counterNumber() (uint32, bool) {
	n, err := strconv.ParseUint(p.Counter, 10, 32)
	return uint32(n), err == nil
}
