package lab

import (
	"io"
	"net"

	"smets1/internal/wire"
	"smets1/transport/capture"
	"smets1/transport/serial"
)

// CaptureTap records every line of a gateway in one file.
func CaptureTap(w *capture.Writer) func(hub wire.EUI64, address string, line io.ReadWriteCloser) io.ReadWriteCloser {
	return func(hub wire.EUI64, address string, line io.ReadWriteCloser) io.ReadWriteCloser {
		switch l := line.(type) {
		case net.Conn:
			return w.TapConn(l, hub.String(), false)
		case serial.Port:
			return w.NewLine(hub.String() + " " + address).TapPort(l)
		default:
			return w.Tap(l, hub.String()+" "+address)
		}
	}
}
