package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"smets1/transport/serial"
)

// Scan compares an inventory file with what is plugged in. It adds an entry for each port with a USB serial number that
// no hub has, at the end of the hubs, and leaves every other byte of the file, comments too, as it is. A file that is
// not there is begun. Absent are the hubs whose ports are not plugged in.
func Scan(path string, ports []serial.Info) (added []string, absent []string, err error) {
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b = []byte("# The hubs of this bench. smets1 hwtest scan adds what is plugged in; what you write here it keeps.\n" +
			"bench: " + strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) + "\nhubs:\n")
	case err != nil:
		return nil, nil, err
	}
	var known []Hub
	if inv, err := Parse(path, b); err == nil {
		known = inv.Hubs
		if len(inv.Quarantine) > 0 && bytes.Index(b, []byte("\nquarantine:")) > bytes.Index(b, []byte("hubs:")) {
			return scanInto(path, b, known, ports, bytes.Index(b, []byte("\nquarantine:"))+1)
		}
	} else if !bytes.HasSuffix(bytes.TrimSpace(b), []byte("hubs:")) {
		return nil, nil, err // a file with a mistake is not written to
	}
	return scanInto(path, b, known, ports, len(b))
}

func scanInto(path string, b []byte, known []Hub, ports []serial.Info, at int) (added, absent []string, err error) {
	here := make([]bool, len(known))
	var entries bytes.Buffer
	for _, p := range ports {
		if p.USB == nil || p.USB.Serial == "" {
			continue
		}
		found := false
		for i, h := range known {
			if isPort(h.Address, p) {
				here[i], found = true, true
			}
		}
		if found {
			continue
		}
		name := nameOf(p, known, added)
		fmt.Fprintf(&entries, "  - name: %s        # %s %s\n    address: serial://usb?serial=%s&interface=%d\n    offline: say what it is, then remove this line\n",
			name, p.USB.Manufacturer, p.USB.Product, p.USB.Serial, p.USB.Interface)
		added = append(added, name)
	}
	for i, h := range known {
		if !here[i] && strings.HasPrefix(h.Address, "serial:") {
			absent = append(absent, h.Name)
		}
	}
	if entries.Len() == 0 {
		return nil, absent, nil
	}
	head := b[:at]
	if len(head) > 0 && head[len(head)-1] != '\n' {
		head = append(bytes.Clone(head), '\n')
	}
	whole := bytes.Join([][]byte{head, entries.Bytes(), b[at:]}, nil)
	if _, err := Parse(path, whole); err != nil {
		return nil, nil, fmt.Errorf("the new entries do not fit into the file, which is left as it is: %w", err)
	}
	return added, absent, replace(path, whole)
}

// replace writes a file in one step.
func replace(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".scan-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is gone once it was renamed
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func isPort(address string, p serial.Info) bool {
	l, err := serial.ParseURL(address)
	if err != nil {
		return false
	}
	if l.Name != "" {
		for _, list := range [][]string{{p.Node}, p.ByID, p.ByPath, p.Links} {
			for _, n := range list {
				if n == l.Name {
					return true
				}
			}
		}
		return false
	}
	return l.USB.Serial != "" && l.USB.Serial == p.USB.Serial && (l.USB.Interface == "" || l.USB.Interface == fmt.Sprint(p.USB.Interface))
}

func nameOf(p serial.Info, known []Hub, added []string) string {
	base := "hub-" + strings.ToLower(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, p.USB.Serial))
	base = base[:min(len(base), 26)]
	if p.USB.Interface > 0 {
		base += fmt.Sprintf("-%d", p.USB.Interface)
	}
	taken := func(n string) bool {
		for _, h := range known {
			if h.Name == n {
				return true
			}
		}
		for _, a := range added {
			if a == n {
				return true
			}
		}
		return false
	}
	name := base
	for i := 2; taken(name); i++ {
		name = fmt.Sprintf("%s-x%d", base, i)
	}
	return name
}
