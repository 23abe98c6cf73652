package fault

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/transport/serial"
)

func mode(t *testing.T, s string) serial.Mode {
	t.Helper()
	m, err := serial.ParseMode(s)
	require.NoError(t, err)
	return m
}

func TestGarble(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	// Through the wire and back, in every format.
	for _, s := range []string{"8N1", "8E1", "8O2", "8N2"} {
		m := mode(t, "9600 "+s)
		require.Equal(t, all, receive(transmit(all, m), m.Baud, m), s)
	}
	for _, s := range []string{"7E1", "7O1", "7N2"} {
		m := mode(t, "300 "+s)
		require.Equal(t, all[:128], receive(transmit(all[:128], m), m.Baud, m), s)
	}
	// A UART bears a few per cent.
	require.Equal(t, all, receive(transmit(all, serial.Mode{Baud: 9600}.WithDefaults()), 9600, serial.Mode{Baud: 9900}.WithDefaults()))
	// Seven bits with even parity, seen by a port of eight: parity is in bit 7.
	require.Equal(t, []byte{0xAF, 0x3F, 0x21, 0x8D, 0x0A}, Garble([]byte("/?!\r\n"), mode(t, "300 7E1"), mode(t, "300 8N1")))
	// Eight bits seen by a port of seven with parity: half is lost.
	require.Equal(t, []byte("\x0a\x06"), Garble([]byte{'a', 0x0A, 0x86, 'b', 0x06}, mode(t, "300 8N1"), mode(t, "300 7E1"))[:2])
	// Another speed leaves nothing that looks right, and is the same every time.
	for _, rx := range []string{"300", "4800", "19200", "115200"} {
		got := Garble([]byte("\x7E\xA0\x07\x03\x21\x93\x0F\x01\x7E"), serial.Mode{Baud: 9600}, mode(t, rx))
		require.Equal(t, got, Garble([]byte("\x7E\xA0\x07\x03\x21\x93\x0F\x01\x7E"), serial.Mode{Baud: 9600}, mode(t, rx)))
		require.NotContains(t, string(got), "\x7E\xA0")
	}
	require.Equal(t, all, Garble(all, serial.Mode{}, mode(t, "9600 8N1")))
	require.Empty(t, Garble(nil, mode(t, "300"), mode(t, "600")))
}

func FuzzGarble(f *testing.F) {
	f.Add([]byte("/?!\r\n"), 300, 9600)
	f.Fuzz(func(t *testing.T, b []byte, tx, rx int) {
		if tx < 50 || rx < 50 || tx > 4_000_000 || rx > 4_000_000 || len(b) > 1000 || rx/tx > 100 {
			return
		}
		got := Garble(b, serial.Mode{Baud: tx}, serial.Mode{Baud: rx, DataBits: 7, Parity: serial.EvenParity})
		require.LessOrEqual(t, len(got), (len(b)*rx/tx+1)*10)
	})
}
