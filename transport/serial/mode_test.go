package serial

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseMode(t *testing.T) {
	for s, want := range map[string]Mode{
		"9600 8N1":   {9600, 8, NoParity, 1},
		"300 7e1":    {300, 7, EvenParity, 1},
		"19200":      {19200, 8, NoParity, 1},
		"8O2":        {9600, 8, OddParity, 2},
		"8N1 115200": {115200, 8, NoParity, 1},
	} {
		m, err := ParseMode(s)
		require.NoError(t, err, s)
		require.Equal(t, want, m)
	}
	for _, s := range []string{"", "fast", "9600 9N1", "9600 8X1", "9600 8N3", "0", "9600 8N0", "10"} {
		_, err := ParseMode(s)
		require.Error(t, err, s)
	}
	require.Equal(t, "9600 8N1", Mode{}.String())
	require.Equal(t, "300 7E1", Mode{300, 7, EvenParity, 1}.String())
	require.Contains(t, Mode{DataBits: 9}.String(), "invalid")
	require.Equal(t, 10, Mode{}.BitsPerByte())
	require.Equal(t, 10, Mode{DataBits: 7, Parity: EvenParity}.BitsPerByte())
}

func TestParseURL(t *testing.T) {
	for s, want := range map[string]Location{
		"serial:///dev/pts/3?baud=9600&driver=native&mode=8N1":      {Driver: Native, Name: "/dev/pts/3", Mode: Mode{9600, 8, NoParity, 1}},
		"serial:///dev/ttyUSB0":                                     {Name: "/dev/ttyUSB0"},
		"serial:COM3?baud=300&mode=7E1":                             {Name: "COM3", Mode: Mode{300, 7, EvenParity, 1}},
		"serial:///dev/serial/by-id/usb-FTDI%20x-if00?driver=bugst": {Driver: Bugst, Name: "/dev/serial/by-id/usb-FTDI x-if00"},
		"serial:///dev/pts/3?maxbaud=4800&modee=1":                  {Name: "/dev/pts/3", SignOn: true, MaxBaud: 4800},
		"serial://usb?interface=1&serial=A50285BI":                  {USB: USBMatch{Serial: "A50285BI", Interface: "1"}},
		"serial://usb?path=1-1.4&pid=6001&vid=0403":                 {USB: USBMatch{VID: "0403", PID: "6001", Path: "1-1.4"}},
		"serial://alias/bench-3?baud=9600":                          {Alias: "bench-3", Mode: Mode{Baud: 9600}},
	} {
		l, err := ParseURL(s)
		require.NoError(t, err, s)
		require.Equal(t, want, l)
		require.Equal(t, s, l.String())
	}
	for _, s := range []string{
		"tcp:///dev/x", "serial://host/dev/x", "serial:", "serial:///x?speed=1", "serial:///x?baud=x",
		"serial:///x?mode=8", "serial:///x?driver=foo", "serial:///x?baud=1200&baud=2400", "serial:///x?%zz", "serial://%zz",
		"serial://usb", "serial://usb/x?serial=1", "serial://usb?serial=", "serial://usb?interface=x", "serial://alias", "serial://alias/",
		"serial:///x?serial=1", "serial:///x?modee=maybe", "serial:///x?maxbaud=-1",
	} {
		_, err := ParseURL(s)
		require.Error(t, err, s)
		_, err = OpenURL(s)
		require.Error(t, err)
	}
}
