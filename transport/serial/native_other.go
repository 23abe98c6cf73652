//go:build !linux

package serial

import "errors"

func openNative(string, Mode) (Port, error) {
	return nil, errors.New("driver native is for Linux: use driver bugst here")
}
