package serial

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Info is a serial port as the machine shows it (Linux: sysfs, udev's links and /proc).
type Info struct {
	Node   string   `json:"node"`             // /dev/ttyUSB0: where it is now, not who it is
	Driver string   `json:"driver,omitempty"` // of the kernel: ftdi_sio, cdc_acm …
	USB    *USBInfo `json:"usb,omitempty"`    // nil for ports that are no USB devices
	ByID   []string `json:"by_id,omitempty"`
	ByPath []string `json:"by_path,omitempty"`
	Links  []string `json:"links,omitempty"` // other links below /dev
	Alias  []string `json:"alias,omitempty"`
	InUse  []string `json:"in_use,omitempty"` // programs that have it open: "smets1d (1234)". Others' programs show to root only
}

// USBInfo is what a USB device says of itself.
type USBInfo struct {
	VID          string `json:"vid"` // four hexadecimal digits, as PID
	PID          string `json:"pid"`
	Serial       string `json:"serial,omitempty"`
	Manufacturer string `json:"manufacturer,omitempty"`
	Product      string `json:"product,omitempty"`
	Interface    int    `json:"interface"` // which of the device's ports
	Path         string `json:"path"`      // of sockets, from the root hub: 1-1.4
}

// Names are all names by which the port can be asked for, the best first. Without udev there are no links; the USB ones
// are always there.
func (i Info) Names() []string {
	var n []string
	for _, a := range i.Alias {
		n = append(n, "serial://alias/"+a)
	}
	for _, l := range slices.Concat(i.ByID, i.ByPath, i.Links) {
		n = append(n, "serial://"+l)
	}
	if i.USB != nil {
		u := USBMatch{Serial: i.USB.Serial, Interface: strconv.Itoa(i.USB.Interface)}
		if u.Serial != "" {
			n = append(n, Location{USB: u}.String())
		}
		u.Serial, u.Path = "", i.USB.Path // where it is plugged in, for makes that give no serial number or all the same
		n = append(n, Location{USB: u}.String())
	} else if !unstable.MatchString(i.Node) {
		n = append(n, "serial://"+i.Node)
	}
	return n
}

func (i Info) String() string {
	s := i.Node
	if u := i.USB; u != nil {
		s += fmt.Sprintf(" (%s:%s %s %s, serial %s, interface %d, socket %s)", u.VID, u.PID, u.Manufacturer, u.Product, or(u.Serial, "none"), u.Interface, u.Path)
	}
	return s
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// USBMatch asks for a port by what its USB device says. Empty fields match anything; the zero value asks for nothing.
type USBMatch struct {
	VID, PID  string // hexadecimal
	Serial    string
	Interface string // decimal
	Path      string
}

func (u USBMatch) matches(i Info) bool {
	is := func(want, have string) bool { return want == "" || strings.EqualFold(want, have) }
	return i.USB != nil && is(u.VID, i.USB.VID) && is(u.PID, i.USB.PID) && (u.Serial == "" || u.Serial == i.USB.Serial) &&
		is(u.Path, i.USB.Path) && is(u.Interface, strconv.Itoa(i.USB.Interface))
}

// Directory finds ports. The zero value is this machine, without aliases.
type Directory struct {
	Root    string            // of the file system with /sys, /dev and /proc. Empty means /
	Aliases map[string]string // the lab's own names: each leads to a serial: URL that is no alias
}

// Errors of a Directory.
var (
	// ErrUnstable: the name says which port was plugged in how manieth, and not which device it is.
	ErrUnstable = errors.New("a name that the next re-plug may give to another device")
	// ErrNoPort: nothing that is plugged in fits.
	ErrNoPort = errors.New("no such port is plugged in")
	// ErrAmbiguous: more than one port fits.
	ErrAmbiguous = errors.New("more than one port fits")
)

// ChoiceError is a request that no port fits, or more than one. It wraps ErrNoPort, ErrAmbiguous or ErrUnstable.
type ChoiceError struct {
	Request    string
	Err        error
	Candidates []Info // what fits; for ErrNoPort everything there is
}

// Error lists the candidates with the names to use.
func (e *ChoiceError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "serial: %s: %v", e.Request, e.Err)
	switch {
	case errors.Is(e.Err, ErrNoPort) && len(e.Candidates) == 0:
		b.WriteString(": there are no USB ports at all")
	case errors.Is(e.Err, ErrNoPort):
		b.WriteString("; these are:")
	default:
		b.WriteString("; use one of:")
	}
	for _, c := range e.Candidates {
		fmt.Fprintf(&b, "\n  %s", c)
		for _, n := range c.Names() {
			fmt.Fprintf(&b, "\n    %s", n)
		}
	}
	return b.String()
}

// Unwrap gives the kind.
func (e *ChoiceError) Unwrap() error { return e.Err }

// unstable are names that the kernel gives in the order of plugging in.
var unstable = regexp.MustCompile(`^/dev/tty(USB|ACM)[0-9]+$`)

func (d Directory) path(p string) string {
	if d.Root == "" {
		return p
	}
	return filepath.Join(d.Root, p)
}

// List gives the ports that have hardware behind them, by node.
func (d Directory) List() ([]Info, error) {
	const class = "/sys/class/tty"
	entries, err := os.ReadDir(d.path(class))
	if err != nil {
		return nil, fmt.Errorf("serial: no list of ports: %w", err)
	}
	byID, byPath, links := d.links("/dev/serial/by-id"), d.links("/dev/serial/by-path"), d.links("/dev")
	var ports []Info
	for _, e := range entries {
		dir := filepath.Join(d.path(class), e.Name())
		device, err := filepath.EvalSymlinks(filepath.Join(dir, "device"))
		if err != nil || read(dir, "type") == "0" {
			continue // a console, a pty, or a number that the kernel keeps for a UART that is not there
		}
		node := "/dev/" + e.Name()
		i := Info{Node: node, ByID: byID[node], ByPath: byPath[node], Links: links[node]}
		if driver, err := os.Readlink(filepath.Join(device, "driver")); err == nil {
			i.Driver = filepath.Base(driver)
		}
		i.USB = usb(device)
		for name, url := range d.Aliases {
			if l, err := ParseURL(url); err == nil && l.Alias == "" && d.names(l, i) {
				i.Alias = append(i.Alias, name)
			}
		}
		sort.Strings(i.Alias)
		ports = append(ports, i)
	}
	d.use(ports)
	slices.SortFunc(ports, func(a, b Info) int { return natural(a.Node, b.Node) })
	return ports, nil
}

// natural sorts ttyUSB2 before ttyUSB10.
func natural(a, b string) int {
	if len(a) != len(b) && strings.TrimRight(a, "0123456789") == strings.TrimRight(b, "0123456789") {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func read(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// usb goes up from a tty's device to the interface and the device of USB; nil if there is none.
func usb(device string) *USBInfo {
	number := -1
	for dir := device; len(dir) > 1; dir = filepath.Dir(dir) {
		if s := read(dir, "bInterfaceNumber"); s != "" && number < 0 {
			if n, err := strconv.ParseUint(s, 16, 8); err == nil {
				number = int(n)
			}
		}
		if vid := read(dir, "idVendor"); vid != "" && number >= 0 {
			return &USBInfo{
				VID: vid, PID: read(dir, "idProduct"), Serial: read(dir, "serial"), Manufacturer: read(dir, "manufacturer"),
				Product: read(dir, "product"), Interface: number, Path: filepath.Base(dir),
			}
		}
	}
	return nil
}

// links gives the links in a folder by the node that they lead to.
func (d Directory) links(folder string) map[string][]string {
	entries, err := os.ReadDir(d.path(folder))
	if err != nil {
		return nil
	}
	m := map[string][]string{}
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		if node, ok := d.follow(filepath.Join(folder, e.Name())); ok {
			m[node] = append(m[node], filepath.Join(folder, e.Name()))
		}
	}
	return m
}

// follow gives what a path leads to, as seen from the root.
func (d Directory) follow(path string) (string, bool) {
	target, err := filepath.EvalSymlinks(d.path(path))
	if err != nil {
		return "", false
	}
	if d.Root == "" {
		return target, true
	}
	root, err := filepath.EvalSymlinks(d.Root)
	if err != nil {
		return "", false
	}
	return strings.CutPrefix(target, root)
}

// use fills in which programs have the ports open, as far as this user may see.
func (d Directory) use(ports []Info) {
	at := map[string]int{}
	for i, p := range ports {
		at[p.Node] = i
	}
	pids, _ := filepath.Glob(d.path("/proc/[0-9]*"))
	for _, pid := range pids {
		fds, _ := os.ReadDir(filepath.Join(pid, "fd"))
		for _, fd := range fds {
			target, err := os.Readlink(filepath.Join(pid, "fd", fd.Name()))
			i, ok := at[target]
			if err != nil || !ok {
				continue
			}
			who := fmt.Sprintf("%s (%s)", or(read(pid, "comm"), "?"), filepath.Base(pid))
			if !slices.Contains(ports[i].InUse, who) {
				ports[i].InUse = append(ports[i].InUse, who)
			}
		}
	}
}

// names tells whether a location that is no alias leads to a port.
func (d Directory) names(l Location, i Info) bool {
	if l.USB != (USBMatch{}) {
		return l.USB.matches(i)
	}
	node, ok := d.follow(l.Name)
	return ok && node == i.Node
}

// Resolve gives the location with a name that can be opened now. What an alias leads to brings its own mode and driver,
// which those of the location go before. Errors are of type ChoiceError where there is a choice.
func (d Directory) Resolve(l Location) (Location, error) {
	request := l.String()
	if l.Alias != "" {
		url, ok := d.Aliases[l.Alias]
		if !ok {
			return l, fmt.Errorf("serial: there is no alias %q: the file with aliases is %s", l.Alias, or(AliasFile(), "not there"))
		}
		target, err := ParseURL(url)
		if err == nil && target.Alias != "" {
			err = errors.New("an alias that leads to an alias")
		}
		if err != nil {
			return l, fmt.Errorf("serial: alias %q: %w", l.Alias, err)
		}
		l = target.overlaid(l)
	}
	if l.Name != "" && !unstable.MatchString(l.Name) && !strings.HasPrefix(l.Name, "/dev/serial/") {
		return l, nil // a pty, a UART on the board, a link of the lab's own, a COM port
	}
	ports, err := d.List()
	if err != nil {
		return l, err
	}
	fits := slices.DeleteFunc(slices.Clone(ports), func(i Info) bool { return !d.names(l, i) })
	if unstable.MatchString(l.Name) {
		return l, &ChoiceError{request, ErrUnstable, fits}
	}
	if len(fits) == 1 && strings.HasPrefix(l.Name, "/dev/serial/by-id/") {
		// Of two devices with one identity udev's link leads to whichever came last.
		if u := fits[0].USB; u != nil {
			same := USBMatch{u.VID, u.PID, u.Serial, strconv.Itoa(u.Interface), ""}
			fits = slices.DeleteFunc(slices.Clone(ports), func(i Info) bool { return !same.matches(i) || i.USB.Serial != u.Serial })
		}
	}
	switch {
	case len(fits) > 1:
		return l, &ChoiceError{request, ErrAmbiguous, fits}
	case len(fits) == 1:
		if l.Name == "" {
			l.Name, l.USB = fits[0].Node, USBMatch{}
		}
		return l, nil
	}
	if _, ok := d.follow(l.Name); ok && l.Name != "" {
		return l, nil // a link to something that sysfs does not show
	}
	return l, &ChoiceError{request, ErrNoPort, slices.DeleteFunc(ports, func(i Info) bool { return i.USB == nil })}
}
