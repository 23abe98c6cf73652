package lab

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"smets1/transport/capture"
	"smets1/zigbee/security"
)

// profileName is the Wireshark profile that goes with a capture of an air.
const profileName = "smets1"

//go:embed wireshark_preferences
var wiresharkPreferences []byte

// AirFile is a capture of airs, with the keys to it and a Wireshark profile beside it:
//
//	NAME.pcapng
//	NAME.keys                            one key in hexadecimal a line
//	NAME.wireshark/profiles/smets1/      preferences and zigbee_pc_keys
//
// so that WIRESHARK_CONFIG_DIR=NAME.wireshark wireshark -C smets1 NAME.pcapng shows everything in clear.
type AirFile struct {
	*capture.Writer
	base string
}

// CreateAirFile makes the capture, in place of one that is there.
func CreateAirFile(path string, w *capture.Writer) AirFile {
	return AirFile{w, strings.TrimSuffix(path, filepath.Ext(path))}
}

// WriteKeys writes the keys and the profile.
func (a AirFile) WriteKeys(keys []security.Key) error {
	return errors.Join(WriteKeys(a.base+".keys", keys), WriteProfile(a.base+".wireshark", keys))
}

// WriteKeys writes one key in hexadecimal a line, each once.
func WriteKeys(path string, keys []security.Key) error {
	return os.WriteFile(path, []byte(strings.Join(distinct(keys, ""), "\n")+"\n"), 0o600)
}

// WriteProfile writes a Wireshark profile with the keys: dir is for WIRESHARK_CONFIG_DIR.
func WriteProfile(dir string, keys []security.Key) error {
	p := filepath.Join(dir, "profiles", profileName)
	if err := os.MkdirAll(p, 0o700); err != nil {
		return err
	}
	var b strings.Builder
	for i, k := range distinct(keys, ":") {
		fmt.Fprintf(&b, "\"%s\",\"Normal\",\"smets1 %d\"\n", k, i+1)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(p, "preferences"), wiresharkPreferences, 0o600),
		os.WriteFile(filepath.Join(p, "zigbee_pc_keys"), []byte(b.String()), 0o600),
	)
}

// distinct gives keys in hexadecimal, their octets apart, each once.
func distinct(keys []security.Key, apart string) (list []string) {
	seen := map[string]bool{}
	for _, k := range keys {
		var s []string
		for _, o := range k.Reveal() {
			s = append(s, fmt.Sprintf("%02X", o))
		}
		if t := strings.Join(s, apart); !seen[t] {
			seen[t] = true
			list = append(list, t)
		}
	}
	return list
}
