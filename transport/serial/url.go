package serial

import (
	"fmt"
	"net/url"
	"strings"
)

// Location is a port, its mode and its driver, as a URL gives them.
type Location struct {
	Driver string // empty means the default
	Name   string
	Mode   Mode
}

// ParseURL reads serial:///path?baud=9600&mode=8N1&driver=bugst. All parameters may be left out; unknown ones are errors.
// Also serial:COM3, for names that are no paths.
func ParseURL(s string) (Location, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Location{}, fmt.Errorf("serial: URL: %w", err)
	}
	l := Location{Name: u.Path}
	if u.Opaque != "" {
		l.Name = u.Opaque
	}
	if u.Scheme != "serial" || u.Host != "" || l.Name == "" {
		return Location{}, fmt.Errorf("serial: URL %q: want serial:///dev/…?baud=9600&mode=8N1&driver=%s", s, Default)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Location{}, fmt.Errorf("serial: URL %q: %w", s, err)
	}
	for k, v := range q {
		if len(v) != 1 {
			return Location{}, fmt.Errorf("serial: URL %q: parameter %s is there %d times", s, k, len(v))
		}
		switch k {
		case "baud":
			err = l.Mode.setBaud(v[0])
		case "mode":
			err = l.Mode.setFormat(v[0])
		case "driver":
			l.Driver = v[0]
			if _, ok := drivers[l.Driver]; !ok {
				err = fmt.Errorf("there is no driver %q: use one of %s", l.Driver, strings.Join(Drivers(), ", "))
			}
		default:
			err = fmt.Errorf("unknown parameter %q: use baud, mode and driver", k)
		}
		if err != nil {
			return Location{}, fmt.Errorf("serial: URL %q: %w", s, err)
		}
	}
	return l, nil
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
	u := url.URL{Scheme: "serial", RawQuery: q.Encode()}
	if strings.HasPrefix(l.Name, "/") {
		u.Opaque = "//" + (&url.URL{Path: l.Name}).EscapedPath()
	} else {
		u.Opaque = url.PathEscape(l.Name)
	}
	return u.String()
}

// Open opens the location.
func (l Location) Open() (Port, error) { return Open(l.Driver, l.Name, l.Mode) }

// OpenURL opens the port that a serial: URL names.
func OpenURL(s string) (Port, error) {
	l, err := ParseURL(s)
	if err != nil {
		return nil, err
	}
	return l.Open()
}
