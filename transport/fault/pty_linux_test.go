package fault

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/clock"
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

// With a pace, characters take their time on a stepped clock, and the eighth bit of a sign-on is nobody's.
func TestPTYCablePace(t *testing.T) {
	pty, err := serial.NewPTY()
	require.NoError(t, err)
	clk := &sleepless{clock.NewStepped(time.Unix(0, 0))}
	c := NewPTYCable(pty, mode(t, "300 7E1"))
	c.Pace = clk
	defer c.Close()
	p, err := serial.Open(serial.Native, pty.Path(), mode(t, "300 7E1"))
	require.NoError(t, err)
	defer p.Close()
	_, err = c.Write([]byte("/SMe5"))
	require.NoError(t, err)
	require.InDelta(t, 5*10*time.Second/300, clk.Now().Sub(time.Unix(0, 0)), float64(time.Microsecond))
	b := make([]byte, 5)
	_, err = io.ReadFull(p, b)
	require.NoError(t, err)
	require.Equal(t, "/SMe5", string(b))
	// A program that makes its parity itself: AF is a slash.
	from := clk.Now()
	_, err = p.Write([]byte{0xAF, 0x3F, 0x21, 0x8D, 0x0A})
	require.NoError(t, err)
	_, err = io.ReadFull(c, b)
	require.NoError(t, err)
	require.Equal(t, "/?!\r\n", string(b))
	require.InDelta(t, 5*10*time.Second/300, clk.Now().Sub(from), float64(time.Microsecond))
}

// sleepless is a clock whose timers fire at once, and move it on.
type sleepless struct{ *clock.Stepped }

func (s *sleepless) NewTimer(d time.Duration) clock.Timer {
	t := s.Stepped.NewTimer(d)
	s.Advance(d)
	return t
}
