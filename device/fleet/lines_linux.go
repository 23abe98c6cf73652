package fleet

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"smets1/device/profile"
	optic "smets1/dlms/optical"
	"smets1/dlms/optical/signon"
	"smets1/internal/clock"
	"smets1/transport/fault"
	"smets1/transport/serial"
)

// openLines opens the serial line of each home that has one, as a pseudo-terminal
// with a link to it: the cable of that hub.
func (f *Fleet) openLines() error {
	if f.opt.PTYDir == "" {
		return nil
	}
	if err := os.MkdirAll(f.opt.PTYDir, 0o755); err != nil {
		return fmt.Errorf("fleet: folder of serial lines: %w", err)
	}
	for i := range f.manifest.Len() {
		s := f.manifest.spec(i)
		if s.link != profile.LinkHDLC {
			continue
		}
		p, err := serial.NewPTY()
		if err != nil {
			return fmt.Errorf("fleet: serial line of %s: %w", s.name, err)
		}
		f.mu.Lock()
		f.ptys = append(f.ptys, p)
		f.mu.Unlock()
		if err := link(p.Path(), f.linePath(s.name)); err != nil {
			return fmt.Errorf("fleet: serial line of %s: %w", s.name, err)
		}
		line, err := f.cable(&s, p)
		if err != nil {
			return fmt.Errorf("fleet: serial line of %s: %w", s.name, err)
		}
		f.spawn(func() { f.connect(i, line, false) })
	}
	return nil
}

// signOnBaud is what a hub behind an optical port offers.
const signOnBaud = 9600

// cable is what a hub finds at the end of its line: the pseudo-terminal itself, or with a pace or an optical port what makes a
// serial cable of it. Lines are of the machine's time, whatever the homes' is.
func (f *Fleet) cable(s *spec, p *serial.PTY) (io.ReadWriteCloser, error) {
	if !s.signOn && !f.opt.Paced {
		return p, nil
	}
	c := fault.NewPTYCable(p, serial.OpticalMode(signOnBaud, false))
	if f.opt.Paced {
		c.Pace = clock.Real()
	}
	if !s.signOn {
		return c, nil
	}
	of := &s.profile.Hub
	return signon.NewMeter(c, func(f optic.Format) error { return c.SetMode(serial.OpticalMode(f.Baud, f.Text)) }, optic.ServerConfig{
		Identification: optic.Identification{Maker: of.Flag, Speed: '5', Escapes: "2", Text: plain(of.Model)},
	})
}

// plain leaves what an identification has room for.
func plain(s string) string {
	b := []byte(s)
	b = slices.DeleteFunc(b, func(c byte) bool { return c <= ' ' || c > '~' || c == '/' || c == '!' || c == '\\' })
	return string(b[:min(len(b), 16)])
}

func (f *Fleet) linePath(name string) string { return filepath.Join(f.opt.PTYDir, name+".tty") }

// link makes name point to a device, in place of what an earlier run left there. What
// is not a link is somebody's file and stays.
func link(device, name string) error {
	st, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case st.Mode()&fs.ModeSymlink == 0:
		return fmt.Errorf("%s exists and is not a link: remove it", name)
	default:
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return os.Symlink(device, name)
}
