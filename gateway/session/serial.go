package session

import (
	"context"
	"io"

	"smets1/transport/serial"
)

// openSerial opens serial:///dev/…?baud=9600&mode=8N1&driver=native.
func openSerial(_ context.Context, address string) (io.ReadWriteCloser, error) {
	return serial.OpenURL(address)
}
