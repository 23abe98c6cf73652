//go:build !linux

package fleet

import (
	"errors"
	"path/filepath"
)

// openLines refuses serial lines: there are pseudo-terminals for them on Linux only.
func (f *Fleet) openLines() error {
	if f.opt.PTYDir != "" {
		return errors.New("fleet: serial lines of virtual homes exist on Linux only")
	}
	return nil
}

func (f *Fleet) linePath(name string) string { return filepath.Join(f.opt.PTYDir, name+".tty") }
