package fleet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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
		if s.link != "hdlc" {
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
		f.spawn(func() { f.connect(i, p, false) })
	}
	return nil
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
