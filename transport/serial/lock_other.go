//go:build !unix

package serial

// lock does nothing where opening a serial port excludes others anyway.
type lock struct{}

func acquire(string) (*lock, error) { return &lock{}, nil }

func (*lock) release() {}

func openError(err error) error { return err }

func isGone(error) bool { return false }

func descriptorsLeft(*lock, int) bool { return true }
