package fault

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/transport/serial"
)

// The simulated end reads the speed that the program at the other end has set.
func TestPTYCable(t *testing.T) {
	pty, err := serial.NewPTY()
	require.NoError(t, err)
	c := NewPTYCable(pty, mode(t, "300 7E1"))
	defer c.Close()
	for _, driver := range serial.Drivers() {
		t.Run(driver, func(t *testing.T) {
			require.NoError(t, c.SetMode(mode(t, "300 7E1")))
			p, err := serial.Open(driver, pty.Path(), mode(t, "9600 8N1"))
			require.NoError(t, err)
			defer p.Close()
			exchange := func(want bool) {
				for _, way := range []struct {
					from, to interface {
						io.ReadWriter
						SetReadDeadline(time.Time) error
					}
				}{{c, p}, {p, c}} {
					_, err := way.from.Write([]byte("/?!\r\n"))
					require.NoError(t, err)
					require.NoError(t, way.to.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
					b := make([]byte, 5)
					n, err := io.ReadFull(way.to, b)
					require.Equal(t, want, string(b[:n]) == "/?!\r\n", "%q", b[:n])
					if !want {
						_, _ = io.Copy(io.Discard, way.to)
						require.True(t, err == nil || os.IsTimeout(err) || n > 0)
					}
				}
			}
			exchange(false)
			require.NoError(t, p.SetMode(mode(t, "300 7E1")))
			exchange(true)
			require.NoError(t, c.SetMode(mode(t, "9600 8N1")))
			exchange(false)
			require.NoError(t, p.SetMode(mode(t, "9600 8N1")))
			exchange(true)
		})
	}
}
