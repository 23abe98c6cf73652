//go:build linux

package client

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/hdlc"
	"smets1/dlms/server"
	"smets1/transport/serial"
)

// HDLC over a serial port, through the code that opens a real one; a pty stands for the cable.
func TestSerial(t *testing.T) {
	for _, driver := range serial.Drivers() {
		t.Run(driver, func(t *testing.T) {
			cable, err := serial.NewPTY()
			require.NoError(t, err)
			t.Cleanup(func() { _ = cable.Close() })
			meter, s := newMeter(t)
			home := &site{host: server.Devices{meter}}
			go serve(cable, home.machine("hdlc"), &home.mu)
			port, err := serial.OpenURL("serial://" + cable.Path() + "?baud=9600&mode=8N1&driver=" + driver)
			require.NoError(t, err)
			line := NewHDLC(port, hdlc.ClientConfig{ResponseTimeout: 5 * time.Second}, nil)
			link, err := line.Link(hdlc.Client(sapManage), hdlc.Server1(1))
			require.NoError(t, err)
			c, err := Associate(t.Context(), link, managed(t))
			require.NoError(t, err)
			readMeter(t, c, home, s)
			require.NoError(t, c.Release(t.Context()))
			// The cable is pulled out in the middle.
			cfg := managed(t)
			cfg.Counter = CountFrom(10000)
			c, err = Associate(t.Context(), link, cfg)
			require.NoError(t, err)
			require.NoError(t, cable.Close())
			_, _, err = c.Clock(t.Context())
			require.Error(t, err)
			require.NoError(t, line.Close())
		})
	}
}
