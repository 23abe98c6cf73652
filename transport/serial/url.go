package serial

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Location is a port, its mode and its driver, as a URL gives them. One of Name, USB and Alias is set.
type Location struct {
	Driver string   // empty means the default
	Name   string   // a path, or COM3
	USB    USBMatch // a USB device and which of its ports
	Alias  string   // a name that a Directory knows
	Mode   Mode
	// SignOn says that the device wants the IEC 62056-21 sign-on (mode E) before it talks DLMS: the line then opens with
	// 300 7E1, unless Mode says otherwise. Whoever opens the line does the sign-on.
	SignOn bool
	// MaxBaud is the most that the sign-on may agree on. Zero means whatever the meter offers.
	MaxBaud int
}

// usage is what a URL may look like.
const usage = "want serial:///dev/serial/by-id/…, serial://usb?serial=…&interface=0 or serial://alias/NAME, with baud=9600, mode=8N1, driver=bugst, modee=1"

// ParseURL reads
//
//	serial:///dev/serial/by-id/…?baud=9600&mode=8N1&driver=bugst    a path
//	serial:COM3                                                      a name that is no path
//	serial://usb?serial=A50285BI&interface=0                         also vid, pid (hexadecimal) and path (1-1.4)
//	serial://alias/bench-3
//
// each with baud, mode, driver, modee=1 (sign-on, see Location) and maxbaud, all of which may be left out; unknown
// parameters are errors.
func ParseURL(s string) (Location, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Location{}, fmt.Errorf("serial: URL: %w", err)
	}
	var l Location
	switch {
	case u.Scheme != "serial":
		err = errors.New(usage)
	case u.Host == "" && u.Path+u.Opaque != "":
		l.Name = u.Path + u.Opaque
	case u.Host == "alias" && len(u.Path) > 1:
		l.Alias = u.Path[1:]
	case u.Host == "usb" && u.Path == "":
	default:
		err = errors.New(usage)
	}
	q, queryErr := url.ParseQuery(u.RawQuery)
	if err == nil {
		err = queryErr
	}
	if err != nil {
		return Location{}, fmt.Errorf("serial: URL %q: %w", s, err)
	}
	for k, v := range q {
		if len(v) != 1 {
			return Location{}, fmt.Errorf("serial: URL %q: parameter %s is there %d times", s, k, len(v))
		}
		if err := l.set(k, v[0], u.Host == "usb"); err != nil {
			return Location{}, fmt.Errorf("serial: URL %q: %w", s, err)
		}
	}
	if u.Host == "usb" && l.USB == (USBMatch{}) {
		return Location{}, fmt.Errorf("serial: URL %q: which USB device? Give serial, or vid, pid, interface, path", s)
	}
	return l, nil
}

func (l *Location) set(k, v string, isUSB bool) error {
	switch k {
	case "baud":
		return l.Mode.setBaud(v)
	case "mode":
		return l.Mode.setFormat(v)
	case "driver":
		if _, ok := drivers[v]; !ok {
			return fmt.Errorf("there is no driver %q: use one of %s", v, strings.Join(Drivers(), ", "))
		}
		l.Driver = v
		return nil
	case "modee":
		on, err := strconv.ParseBool(v)
		if err != nil {
			return fmt.Errorf("modee=%s: want 1 or 0", v)
		}
		l.SignOn = on
		return nil
	case "maxbaud":
		n, err := strconv.Atoi(v)
		if err != nil || n <= 0 {
			return fmt.Errorf("maxbaud=%s: want a number such as 9600", v)
		}
		l.MaxBaud = n
		return nil
	}
	fields := map[string]*string{"vid": &l.USB.VID, "pid": &l.USB.PID, "serial": &l.USB.Serial, "interface": &l.USB.Interface, "path": &l.USB.Path}
	f, ok := fields[k]
	if !ok || !isUSB {
		return fmt.Errorf("unknown parameter %q: %s", k, usage)
	}
	if k == "interface" {
		if _, err := strconv.ParseUint(v, 10, 8); err != nil {
			return fmt.Errorf("interface=%s: want a number", v)
		}
	}
	if v == "" {
		return fmt.Errorf("parameter %s is empty", k)
	}
	*f = v
	return nil
}

// overlaid puts what another location says of mode, driver and sign-on over l.
func (l Location) overlaid(over Location) Location {
	if over.Driver != "" {
		l.Driver = over.Driver
	}
	if over.Mode.Baud != 0 {
		l.Mode.Baud = over.Mode.Baud
	}
	if over.Mode.DataBits != 0 {
		l.Mode.DataBits, l.Mode.Parity, l.Mode.StopBits = over.Mode.DataBits, over.Mode.Parity, over.Mode.StopBits
	}
	l.SignOn = l.SignOn || over.SignOn
	if over.MaxBaud != 0 {
		l.MaxBaud = over.MaxBaud
	}
	return l
}

// String is the URL.
func (l Location) String() string {
	q := url.Values{}
	if l.Mode.Baud != 0 {
		q.Set("baud", fmt.Sprint(l.Mode.Baud))
	}
	if l.Mode.DataBits != 0 {
		m, _ := l.Mode.check()
		q.Set("mode", fmt.Sprintf("%d%c%d", m.DataBits, m.Parity, m.StopBits))
	}
	if l.Driver != "" {
		q.Set("driver", l.Driver)
	}
	if l.SignOn {
		q.Set("modee", "1")
	}
	if l.MaxBaud != 0 {
		q.Set("maxbaud", strconv.Itoa(l.MaxBaud))
	}
	for k, v := range map[string]string{"vid": l.USB.VID, "pid": l.USB.PID, "serial": l.USB.Serial, "interface": l.USB.Interface, "path": l.USB.Path} {
		if v != "" {
			q.Set(k, v)
		}
	}
	u := url.URL{Scheme: "serial", RawQuery: q.Encode()}
	switch {
	case l.USB != (USBMatch{}):
		u.Host = "usb"
	case l.Alias != "":
		u.Opaque = "//alias/" + url.PathEscape(l.Alias)
	case strings.HasPrefix(l.Name, "/"):
		u.Opaque = "//" + (&url.URL{Path: l.Name}).EscapedPath()
	default:
		u.Opaque = url.PathEscape(l.Name)
	}
	return u.String()
}

// Open opens the location on this machine.
func (l Location) Open() (Port, error) {
	var d Directory
	if l.Alias != "" {
		var err error
		if d, err = ThisMachine(); err != nil {
			return nil, err
		}
	}
	l, err := d.Resolve(l)
	if err != nil {
		return nil, err
	}
	return Open(l.Driver, l.Name, l.OpeningMode())
}

// OpeningMode is the mode that the line opens with.
func (l Location) OpeningMode() Mode {
	if l.SignOn && l.Mode == (Mode{}) {
		return OpticalMode(300, true)
	}
	return l.Mode
}

// OpenURL opens the port that a serial: URL names.
func OpenURL(s string) (Port, error) {
	l, err := ParseURL(s)
	if err != nil {
		return nil, err
	}
	return l.Open()
}
