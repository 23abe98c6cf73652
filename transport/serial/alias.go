package serial

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"
)

// AliasFile is the file with the lab's own names of ports: what SMETS1_PORTS says, or smets1/ports.yaml in the user's
// configuration folder or in /etc. Empty if there is none.
//
//	bench-3: serial:///dev/serial/by-id/usb-FTDI_…-if00-port0?baud=9600
//	probe:   serial://usb?serial=A50285BI&interface=0&modee=1
func AliasFile() string {
	if f := os.Getenv("SMETS1_PORTS"); f != "" {
		return f
	}
	folders := []string{"/etc"}
	if f, err := os.UserConfigDir(); err == nil {
		folders = []string{f, "/etc"}
	}
	for _, f := range folders {
		f = filepath.Join(f, "smets1", "ports.yaml")
		if _, err := os.Stat(f); err == nil {
			return f
		}
	}
	return ""
}

// ThisMachine is the directory of this machine's ports, with the aliases of the AliasFile.
func ThisMachine() (Directory, error) {
	file := AliasFile()
	if file == "" {
		return Directory{}, nil
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Directory{}, fmt.Errorf("serial: file with aliases: %w (SMETS1_PORTS names it)", err)
	}
	if err != nil {
		return Directory{}, fmt.Errorf("serial: file with aliases: %w", err)
	}
	d := Directory{}
	if err := yaml.Unmarshal(b, &d.Aliases); err != nil {
		return d, fmt.Errorf("serial: %s: want lines such as \"bench-3: serial:///dev/serial/by-id/…\": %w", file, err)
	}
	for name, url := range d.Aliases {
		l, err := ParseURL(url)
		if err == nil && (l.Alias != "" || unstable.MatchString(l.Name)) {
			err = fmt.Errorf("%q: an alias leads to a device: by-id, by-path or usb", url)
		}
		if err != nil {
			return d, fmt.Errorf("serial: %s: alias %s: %w", file, name, err)
		}
	}
	return d, nil
}
