//go:build !linux

package serial

import "errors"

func openTarm(string, Mode) (Port, error) {
	return nil, errors.New("driver tarm is for Linux: use driver bugst here")
}
